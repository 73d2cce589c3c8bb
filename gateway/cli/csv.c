/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "gateway/cli/cli.h"
#include "proto/base/check.h"
#include "proto/base/digest.h"

#define HEADER_LOOK 4096 /* octets in which the separator is looked for */

struct csv {
    FILE *file;
    const char *path;
    char separator;
    uint64_t row, position, size;
    uint64_t line, lines; /* where the row begins; ends of lines read */
    const char *why;
    char *names[CSV_COLUMNS_MAX];
    size_t column_count;
    char cells[CSV_ROW_MAX]; /* NUL-terminated, one behind the other */
    size_t used;
    const char *cell[CSV_COLUMNS_MAX];
    size_t cell_count;
};

/* One row ------------------------------------------------------------------------------------- */

static int get(struct csv *csv)
{
    int c = getc_unlocked(csv->file);
    csv->position += c != EOF;
    return c;
}

static void unget(struct csv *csv, int c)
{
    if (c != EOF) {
        ungetc(c, csv->file);
        csv->position--;
    }
}

/* Too much is remembered as a reason, and the rest of the row is still read, so that the next row
 * starts where it should. */
static void put(struct csv *csv, char c)
{
    if (csv->used < CSV_ROW_MAX)
        csv->cells[csv->used++] = c;
    else
        csv->why = "the row is longer than 64 KiB; is a quote not closed?";
}

static void end_cell(struct csv *csv, size_t start, bool quoted)
{
    if (!quoted) {
        while (start < csv->used && csv->cells[start] == ' ')
            start++;
        while (csv->used > start && csv->cells[csv->used - 1] == ' ')
            csv->used--;
    }
    put(csv, '\0');
    if (csv->cell_count == CSV_COLUMNS_MAX)
        csv->why = "the row has more than 64 columns";
    else if (csv->why == NULL)
        csv->cell[csv->cell_count++] = csv->cells + start;
}

static int read_quoted(struct csv *csv)
{
    for (;;) {
        int c = get(csv);
        if (c == '"') {
            c = get(csv);
            if (c != '"')
                return c;
        }
        if (c == EOF) {
            csv->why = "a quote is not closed";
            return EOF;
        }
        if (c == 0)
            csv->why = "the row holds a NUL";
        csv->lines += c == '\n';
        put(csv, (char)c);
    }
}

static int read_plain(struct csv *csv, int c)
{
    for (; c != EOF && c != '\n' && c != '\r' && c != csv->separator; c = get(csv)) {
        if (c == 0)
            csv->why = "the row holds a NUL";
        put(csv, (char)c);
    }
    return c;
}

/* Gives the character that ended it: the separator, '\n' or EOF. */
static int read_cell(struct csv *csv)
{
    size_t start = csv->used;
    int c = get(csv);
    bool quoted = c == '"';
    if (quoted)
        c = read_quoted(csv);
    c = read_plain(csv, c);
    if (c == '\r') {
        c = get(csv);
        if (c != '\n')
            unget(csv, c);
        c = '\n';
    }
    csv->lines += c == '\n';
    end_cell(csv, start, quoted);
    return c;
}

static bool read_row(struct csv *csv)
{
    csv->used = csv->cell_count = 0;
    csv->why = NULL;
    csv->row++;
    csv->line = csv->lines + 1;
    int c = get(csv);
    if (c == EOF)
        return false;
    unget(csv, c);
    do {
        c = read_cell(csv);
    } while (c == csv->separator);
    return true;
}

/* Opening -------------------------------------------------------------------------------------- */

static void skip_mark(struct csv *csv)
{
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    int c = get(csv);
    if (c != mark[0]) {
        unget(csv, c);
        return;
    }
    (void)get(csv);
    (void)get(csv);
}

/* The header decides. It is read before as a line of its own, which a header in practice is. */
static char choose_separator(const char *line)
{
    static const char candidates[] = ",;\t";
    char best = ',';
    size_t most = 0;
    for (const char *candidate = candidates; *candidate != '\0'; candidate++) {
        size_t count = 0;
        for (const char *at = line; *at != '\0'; at++)
            count += *at == *candidate;
        if (count > most) {
            most = count;
            best = *candidate;
        }
    }
    return best;
}

static bool read_header(struct csv *csv)
{
    char line[HEADER_LOOK] = "";
    skip_mark(csv);
    long start = ftell(csv->file);
    if (fgets(line, sizeof line, csv->file) != NULL && start >= 0 &&
        fseek(csv->file, start, SEEK_SET) != 0)
        return false;
    csv->separator = choose_separator(line);
    if (!read_row(csv) || csv->why != NULL)
        return false;
    for (size_t i = 0; i < csv->cell_count; i++)
        csv->names[csv->column_count++] = check_strdup(csv->cell[i]);
    return true;
}

/* A pipe cannot be read twice, so it is copied to a file without a name first. */
static FILE *copy_of_stdin(void)
{
    FILE *copy = tmpfile();
    char area[65536];
    size_t n;
    if (copy == NULL)
        return NULL;
    while ((n = fread(area, 1, sizeof area, stdin)) > 0)
        if (fwrite(area, 1, n, copy) != n) {
            fclose(copy);
            return NULL;
        }
    rewind(copy);
    return copy;
}

struct csv *csv_open(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? copy_of_stdin() : fopen(path, "r");
    if (file == NULL) {
        complain("cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    struct csv *csv = check_calloc(1, sizeof *csv);
    struct stat info;
    csv->file = file;
    csv->path = path;
    if (fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode))
        csv->size = (uint64_t)info.st_size;
    if (read_header(csv))
        return csv;
    complain("%s: row 1 must name the columns%s%s", path, csv->why ? "; " : "",
             csv->why ? csv->why : "");
    csv_close(csv);
    return NULL;
}

void csv_close(struct csv *csv)
{
    if (csv == NULL)
        return;
    fclose(csv->file);
    for (size_t i = 0; i < csv->column_count; i++)
        free(csv->names[i]);
    free(csv);
}

/* Access --------------------------------------------------------------------------------------- */

int csv_column(const struct csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->column_count; i++)
        if (strcasecmp(csv->names[i], name) == 0)
            return (int)i;
    return -1;
}

size_t csv_column_count(const struct csv *csv)
{
    return csv->column_count;
}

const char *csv_column_name(const struct csv *csv, size_t column)
{
    return csv->names[column];
}

enum csv_result csv_next(struct csv *csv)
{
    do {
        if (!read_row(csv))
            return CSV_END;
    } while (csv->why == NULL && csv->cell_count == 1 && csv->cell[0][0] == '\0');
    if (csv->why == NULL && csv->cell_count > csv->column_count)
        csv->why = "the row has more cells than row 1 has columns; quote a cell with a separator";
    return csv->why == NULL ? CSV_ROW : CSV_BAD;
}

const char *csv_why(const struct csv *csv)
{
    return csv->why;
}

const char *csv_cell(const struct csv *csv, int column)
{
    return column >= 0 && (size_t)column < csv->cell_count ? csv->cell[column] : "";
}

uint64_t csv_row(const struct csv *csv)
{
    return csv->row;
}

uint64_t csv_line(const struct csv *csv)
{
    return csv->line;
}

bool csv_digest(const struct csv *csv, uint8_t ret_sha256[32])
{
    return digest_file(fileno(csv->file), ret_sha256);
}

uint64_t csv_position(const struct csv *csv)
{
    return csv->position;
}

uint64_t csv_size(const struct csv *csv)
{
    return csv->size;
}

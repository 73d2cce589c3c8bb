/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/rejected.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "gateway/cli/cli.h"

static void put_cell(FILE *out, const char *cell)
{
    if (strpbrk(cell, ",;\t\"\r\n") == NULL && cell[0] != ' ') {
        fputs(cell, out);
        return;
    }
    fputc('"', out);
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            fputc('"', out);
        fputc(*cell, out);
    }
    fputc('"', out);
}

void rejected_init(struct rejected *rejected, const char *path, const char *const *names,
                   size_t name_count)
{
    const char *base = strcmp(path, "-") == 0 ? "stdin" : path;
    size_t length = strlen(base);
    if (length > 4 && strcmp(base + length - 4, ".csv") == 0)
        length -= 4;
    *rejected = (struct rejected){.names = names, .name_count = name_count};
    snprintf(rejected->path, sizeof rejected->path, "%.*s.rejected.csv", (int)length, base);
    (void)unlink(rejected->path);
}

static bool open_file(struct rejected *rejected)
{
    if (rejected->file != NULL || rejected->failed)
        return !rejected->failed;
    rejected->file = fopen(rejected->path, "w");
    if (rejected->file == NULL) {
        rejected->failed = true;
        complain("cannot write %s: %s", rejected->path, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < rejected->name_count; i++)
        fprintf(rejected->file, "%s,", rejected->names[i]);
    fputs("line,column,reason\n", rejected->file);
    return true;
}

void rejected_row(struct rejected *rejected, const char *const *cells, uint64_t line,
                  const char *column, const char *reason)
{
    if (!open_file(rejected))
        return;
    for (size_t i = 0; i < rejected->name_count; i++) {
        put_cell(rejected->file, cells[i]);
        fputc(',', rejected->file);
    }
    fprintf(rejected->file, "%" PRIu64 ",%s,", line, column);
    put_cell(rejected->file, reason);
    fputc('\n', rejected->file);
}

void rejected_close(struct rejected *rejected)
{
    if (rejected->file == NULL)
        return;
    if (fclose(rejected->file) != 0)
        complain("cannot write %s: %s", rejected->path, strerror(errno));
    else
        complain("rejected rows and why: %s", rejected->path);
    rejected->file = NULL;
}

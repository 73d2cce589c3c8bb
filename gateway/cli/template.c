/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "proto/base/check.h"

#define PIECES_MAX 128

struct template
{
    struct piece {
        const char *text; /* octets to copy, in the template's own text */
        size_t length;
        int column; /* or, when >= 0, the cell to copy */
    } pieces[PIECES_MAX];
    size_t count;
};

static void name_columns(const struct csv *csv, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < csv_column_count(csv) && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s{%s}", i ? ", " : "", csv_column_name(csv, i));
}

/* Reads "{name}" at `at`; gives its length or 0 after a complaint. */
static size_t read_column(const char *at, const struct csv *csv, const char *what, int *ret_column)
{
    char name[128], known[512];
    size_t length = strcspn(at + 1, "}");
    if (at[length + 1] != '}' || length >= sizeof name) {
        complain("%s: a { has no }; write {{ for the character", what);
        return 0;
    }
    memcpy(name, at + 1, length);
    name[length] = '\0';
    *ret_column = csv_column(csv, name);
    if (*ret_column >= 0)
        return length + 2;
    name_columns(csv, known, sizeof known);
    complain("%s: there is no column {%s}; the file has %s", what, name, known);
    return 0;
}

static size_t next_piece(const char *at, const struct csv *csv, const char *what,
                         struct piece *ret_piece)
{
    *ret_piece = (struct piece){.text = at, .length = 1, .column = -1};
    if (at[0] == '{' && at[1] != '{')
        return read_column(at, csv, what, &ret_piece->column);
    if (at[0] == '{' || (at[0] == '}' && at[1] == '}'))
        return 2;
    if (at[0] == '}')
        return 1;
    return ret_piece->length = strcspn(at, "{}");
}

struct template *template_new(const char *text, const struct csv *csv, const char *what)
{
    struct template *template = check_calloc(1, sizeof *template);
    while (*text != '\0') {
        if (template->count == PIECES_MAX) {
            complain("%s has too many columns in it", what);
            break;
        }
        size_t length = next_piece(text, csv, what, &template->pieces[template->count++]);
        if (length == 0)
            break;
        text += length;
    }
    if (*text == '\0')
        return template;
    template_free(template);
    return NULL;
}

void template_free(struct template *template)
{
    free(template);
}

int template_missing(const struct template *template, const struct csv *csv)
{
    for (size_t i = 0; i < template->count; i++) {
        int column = template->pieces[i].column;
        if (column >= 0 && csv_cell(csv, column)[0] == '\0')
            return column;
    }
    return -1;
}

bool template_fill(const struct template *template, const struct csv *csv, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < template->count; i++) {
        const struct piece *piece = &template->pieces[i];
        const char *text = piece->column < 0 ? piece->text : csv_cell(csv, piece->column);
        size_t length = piece->column < 0 ? piece->length : strlen(text);
        if (length >= size - used)
            return false;
        memcpy(out + used, text, length);
        used += length;
    }
    out[used] = '\0';
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/keyword_rows.h"

#include "consent/data.h"

#define COLUMNS 6

static const char *const kind_names[ROW_KINDS] = {
    [ROW_OPT_OUT] = "opt_out",
    [ROW_OPT_OUT_ALL] = "opt_out_all",
    [ROW_OPT_IN] = "opt_in",
    [ROW_CONFIRM] = "confirm",
    [ROW_DECLINE] = "decline",
    [ROW_HELP] = "help",
    [ROW_CANCEL] = "cancel",
    [ROW_REPLY] = "reply",
    [ROW_REVOKES] = "revokes",
    [ROW_MENTIONS] = "mentions",
    [ROW_CUE] = "cue",
    [ROW_POLITE] = "polite",
    [ROW_ORDINARY] = "ordinary",
    [ROW_ASKS] = "asks",
    [ROW_ASKS_AFTER] = "asks_after",
};

struct span keyword_data(void)
{
    return span_of(data_keywords, data_keywords_length);
}

size_t keyword_row_count(struct span data)
{
    size_t count = 1;
    for (size_t i = 0; i < data.length; i++)
        count += data.data[i] == '\n';
    return count;
}

static bool find_kind(struct span name, enum row_kind *ret_kind)
{
    for (int i = 0; i < ROW_KINDS; i++)
        if (span_equal(name, span_from_string(kind_names[i]))) {
            *ret_kind = (enum row_kind)i;
            return true;
        }
    return false;
}

bool keyword_row_kind(const char *name, enum row_kind *ret_kind)
{
    return find_kind(span_from_string(name), ret_kind);
}

static bool is_version(struct span text)
{
    bool digits = text.length > 0 && text.length <= 4;
    for (size_t i = 0; i < text.length; i++)
        digits = digits && text.data[i] >= '0' && text.data[i] <= '9';
    return digits;
}

static const char *read_row(struct span line, struct keyword_row *row)
{
    struct span columns[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        if (!data_column(&line, &columns[i]) || columns[i].length == 0)
            return "a row has six columns with a tab between: kind, languages, id, version, text, "
                   "source";
    if (line.length > 0)
        return "a row has more than six columns";
    *row = (struct keyword_row){.languages = columns[1],
                                .id = columns[2],
                                .version = columns[3],
                                .text = columns[4],
                                .source = columns[5]};
    if (!find_kind(columns[0], &row->kind))
        return "the kind of a row is none that is known";
    if (!is_version(columns[3]))
        return "the version of a row is no number";
    return row->id.length > KEYWORD_ID_MAX ? "the id of a row is too long" : NULL;
}

bool keyword_row_next(struct span *data, struct keyword_row *ret_row, const char **ret_why)
{
    struct span line;
    if (!data_line(data, &line))
        return false;
    const char *why = read_row(line, ret_row);
    if (why != NULL)
        *ret_why = why;
    return why == NULL;
}

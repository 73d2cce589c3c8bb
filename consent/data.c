/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/data.h"

/* Up to `end` or the end of all; `end` goes too. */
static struct span cut(struct span *from, uint8_t end)
{
    const uint8_t *at = memchr(from->data, end, from->length);
    struct span piece = span_of(from->data, at ? (size_t)(at - from->data) : from->length);
    size_t used = piece.length + (at != NULL);
    *from = span_of(from->data + used, from->length - used);
    return piece;
}

bool data_line(struct span *data, struct span *ret_line)
{
    while (data->length > 0) {
        struct span line = cut(data, '\n');
        if (line.length == 0 || line.data[0] == '#')
            continue;
        *ret_line = line;
        return true;
    }
    return false;
}

bool data_column(struct span *line, struct span *ret_column)
{
    if (line->length == 0)
        return false;
    *ret_column = cut(line, '\t');
    return true;
}

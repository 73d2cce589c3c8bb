/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/words.h"

bool take_decimal(struct span *text, uint64_t most, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t at = 0;
    for (; at < text->length && text->data[at] >= '0' && text->data[at] <= '9'; at++)
        if ((at > 0 && value == 0) || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, text->data[at] - (unsigned)'0', &value))
            return false;
    if (at == 0 || value > most)
        return false;
    *text = span_of(text->data + at, text->length - at);
    *ret_value = value;
    return true;
}

bool take_space(struct span *text)
{
    if (text->length == 0 || text->data[0] != ' ')
        return false;
    *text = span_of(text->data + 1, text->length - 1);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/number.h"

#include <inttypes.h>
#include <stdio.h>

enum err number_parse(struct span text, uint64_t *ret_number)
{
    if (text.length > 0 && text.data[0] == '+') {
        text.data++;
        text.length--;
    }
    if (text.length < NUMBER_DIGITS_MIN || text.length > NUMBER_DIGITS_MAX || text.data[0] == '0')
        return ERR_BAD_INPUT;
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_BAD_INPUT;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return ERR_OK;
}

char *number_format(uint64_t number, char out[NUMBER_TEXT_SIZE])
{
    snprintf(out, NUMBER_TEXT_SIZE, "%" PRIu64, number % UINT64_C(1000000000000000));
    return out;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/number.h"

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
    char digits[NUMBER_DIGITS_MAX];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0 && count < NUMBER_DIGITS_MAX);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    out[count] = '\0';
    return out;
}

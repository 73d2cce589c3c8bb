/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/hex.h"

void hex_init(struct hex *hex, size_t limit)
{
    *hex = (struct hex){.half = -1, .line = 1, .column = 1};
    buffer_init(&hex->octets, limit);
}

void hex_release(struct hex *hex)
{
    buffer_release(&hex->octets);
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum hex_result take(struct hex *hex, uint8_t c)
{
    int digit = digit_of(c);
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return HEX_READ;
    if (digit < 0)
        return HEX_NO_DIGIT;
    if (hex->half < 0) {
        hex->half = digit;
        return HEX_READ;
    }
    uint8_t octet = (uint8_t)(hex->half << 4 | digit);
    hex->half = -1;
    return buffer_append(&hex->octets, &octet, 1) ? HEX_READ : HEX_TOO_MANY;
}

enum hex_result hex_read(struct hex *hex, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        enum hex_result result = take(hex, text.data[i]);
        if (result != HEX_READ)
            return result;
        hex->column++;
        if (text.data[i] == '\n') {
            hex->line++;
            hex->column = 1;
        }
    }
    return HEX_READ;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/utf8.h"

static bool tail(const uint8_t *at, size_t count, uint32_t *character)
{
    for (size_t i = 1; i <= count; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
        *character = *character << 6 | (at[i] & 0x3f);
    }
    return true;
}

bool utf8_next(const uint8_t **at, const uint8_t *end, uint32_t *ret_character)
{
    static const uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
    const uint8_t *p = *at;
    if (p == end)
        return false;
    uint32_t character = p[0];
    size_t more = 0;
    if (p[0] >= 0x80) {
        if (p[0] < 0xc2 || p[0] > 0xf4)
            return false;
        more = p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
        character = p[0] & (0x3fu >> more);
        if ((size_t)(end - p) <= more || !tail(p, more, &character))
            return false;
    }
    if (character < lowest[more] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return false;
    *at = p + more + 1;
    *ret_character = character;
    return true;
}

size_t utf8_put(uint32_t character, uint8_t out[UTF8_OCTETS_MAX])
{
    if (character < 0x80) {
        out[0] = (uint8_t)character;
        return 1;
    }
    size_t more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    out[0] = (uint8_t)(lead[more] | character);
    return more + 1;
}

size_t utf8_cut(struct span text, size_t most)
{
    if (text.length <= most)
        return text.length;
    while (most > 0 && (text.data[most] & 0xc0) == 0x80)
        most--;
    return most;
}

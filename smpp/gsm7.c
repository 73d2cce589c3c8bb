/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/gsm7.h"

#include <stddef.h>

/* clang-format off */
static const uint16_t alphabet[128] = {
    '@',    0x00a3, '$',    0x00a5, 0x00e8, 0x00e9, 0x00f9, 0x00ec,
    0x00f2, 0x00c7, '\n',   0x00d8, 0x00f8, '\r',   0x00c5, 0x00e5,
    0x0394, '_',    0x03a6, 0x0393, 0x039b, 0x03a9, 0x03a0, 0x03a8,
    0x03a3, 0x0398, 0x039e, ' ',    0x00c6, 0x00e6, 0x00df, 0x00c9,
    ' ', '!', '"', '#', 0x00a4, '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    0x00a1, 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 0x00c4, 0x00d6, 0x00d1, 0x00dc, 0x00a7,
    0x00bf, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 0x00e4, 0x00f6, 0x00f1, 0x00fc, 0x00e0,
};
/* clang-format on */

static const struct {
    uint8_t septet;
    uint16_t character;
} extension[] = {
    {0x0a, '\f'}, {0x14, '^'}, {0x28, '{'}, {0x29, '}'}, {0x2f, '\\'},
    {0x3c, '['},  {0x3d, '~'}, {0x3e, ']'}, {0x40, '|'}, {0x65, 0x20ac},
};
#define EXTENSION_COUNT (sizeof extension / sizeof extension[0])

#define NONE     GSM7_NONE
#define PAIR(s)  (GSM7_ESCAPE << 8 | (s))
#define RUN4(s)  (s), (s) + 1, (s) + 2, (s) + 3
#define RUN16(s) RUN4(s), RUN4((s) + 4), RUN4((s) + 8), RUN4((s) + 12)
#define NONE8    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE

/* The alphabet turned round for U+0000 to U+00FF; a unit test proves it against the table above. */
/* clang-format off */
const uint16_t gsm7_latin1[256] = {
    NONE8, NONE, NONE, 0x0a, NONE, PAIR(0x0a), 0x0d, NONE, NONE, NONE8, NONE8,
    0x20, 0x21, 0x22, 0x23, 0x02, 0x25, 0x26, 0x27, RUN4(0x28), RUN4(0x2c),
    RUN16(0x30),
    0x00, 0x41, 0x42, 0x43, RUN4(0x44), RUN4(0x48), RUN4(0x4c),
    RUN4(0x50), RUN4(0x54), 0x58, 0x59, 0x5a, PAIR(0x3c), PAIR(0x2f), PAIR(0x3e), PAIR(0x14), 0x11,
    NONE, 0x61, 0x62, 0x63, RUN4(0x64), RUN4(0x68), RUN4(0x6c),
    RUN4(0x70), RUN4(0x74), 0x78, 0x79, 0x7a, PAIR(0x28), PAIR(0x40), PAIR(0x29), PAIR(0x3d), NONE,
    NONE8, NONE8, NONE8, NONE8,
    NONE, 0x40, NONE, 0x01, 0x24, 0x03, NONE, 0x5f, NONE8,
    NONE8, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 0x60,
    NONE, NONE, NONE, NONE, 0x5b, 0x0e, 0x1c, 0x09, NONE, 0x1f, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, 0x5d, NONE, NONE, NONE, NONE, 0x5c, NONE, 0x0b, NONE, NONE, NONE, 0x5e, NONE, NONE, 0x1e,
    0x7f, NONE, NONE, NONE, 0x7b, 0x0f, 0x1d, NONE, 0x04, 0x05, NONE, NONE, 0x07, NONE, NONE, NONE,
    NONE, 0x7d, 0x08, NONE, NONE, NONE, 0x7c, NONE, 0x0c, 0x06, NONE, NONE, 0x7e, NONE, NONE, NONE,
};
/* clang-format on */

uint16_t gsm7_encode(uint32_t character)
{
    if (character < 256)
        return gsm7_latin1[character];
    if (character == 0x20ac)
        return PAIR(0x65);
    if (character < 0x0393 || character > 0x03a9)
        return NONE;
    for (unsigned septet = 0x10; septet <= 0x1a; septet++)
        if (alphabet[septet] == character)
            return (uint16_t)septet;
    return NONE;
}

unsigned gsm7_width(uint32_t character)
{
    uint16_t code = gsm7_encode(character);
    return code == GSM7_NONE ? 0 : code > 0xff ? 2 : 1;
}

uint32_t gsm7_decode(uint8_t septet)
{
    return alphabet[septet & 0x7f];
}

uint32_t gsm7_decode_escaped(uint8_t septet)
{
    for (size_t i = 0; i < EXTENSION_COUNT; i++)
        if (extension[i].septet == septet)
            return extension[i].character;
    return alphabet[septet & 0x7f];
}

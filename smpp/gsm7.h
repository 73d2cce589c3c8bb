/* SPDX-License-Identifier: Apache-2.0 */
/* The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1), one septet an
 * octet. Characters of the extension table travel as an escape and a septet. */
#ifndef SMPP_GSM7_H
#define SMPP_GSM7_H

#include <stdbool.h>
#include <stdint.h>

#define GSM7_ESCAPE 0x1bu
#define GSM7_NONE   0xffffu

/* The septet of `character`; GSM7_ESCAPE << 8 | septet for an escape pair; or GSM7_NONE. */
uint16_t gsm7_encode(uint32_t character);

/* gsm7_encode() of U+0000 to U+00FF, for loops over plain text. */
extern const uint16_t gsm7_latin1[256];

/* True for an octet of UTF-8 that is a character of one septet by itself: most of most texts. */
static inline bool gsm7_plain(uint8_t octet)
{
    return octet < 0x80 && gsm7_latin1[octet] <= 0x7f;
}

/* Septets that `character` takes: 0 when the alphabet does not have it, 1, or 2 for a pair. */
unsigned gsm7_width(uint32_t character);

/* The character of a septet below 128 other than the escape. */
uint32_t gsm7_decode(uint8_t septet);

/* The character of an escaped septet below 128. Where the table has none a handset shows the
 * character of the default alphabet, and a space for a second escape; so does this. */
uint32_t gsm7_decode_escaped(uint8_t septet);

#endif

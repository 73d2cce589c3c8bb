/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 one character at a time (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
#ifndef SMPP_UTF8_H
#define SMPP_UTF8_H

#include "proto/base/span.h"

#define UTF8_REPLACEMENT 0xfffdu
#define UTF8_OCTETS_MAX  4

/* Reads the character at *at (before `end`) and moves *at behind it. False when it is not UTF-8;
 * *at then stays. */
bool utf8_next(const uint8_t **at, const uint8_t *end, uint32_t *ret_character);

/* Writes `character` (at most U+10FFFF, no surrogate); gives the length, 1..UTF8_OCTETS_MAX. */
size_t utf8_put(uint32_t character, uint8_t out[UTF8_OCTETS_MAX]);

/* Length of the longest beginning of `text` of at most `most` octets that ends with a whole character. */
size_t utf8_cut(struct span text, size_t most);

#endif

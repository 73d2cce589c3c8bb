/* SPDX-License-Identifier: Apache-2.0 */
/* SMS text: UTF-8 in, the octets of each part out, and back. Units are septets for GSM 7-bit and
 * UTF-16 units for UCS-2, counted as carriers bill them. The GSM alphabet travels unpacked, one
 * septet an octet (SMPP's default alphabet, data_coding 0); UCS-2 is big-endian, data_coding 8.
 * Pure functions; nothing allocates. */
#ifndef SMPP_TEXT_H
#define SMPP_TEXT_H

#include "proto/base/err.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"

enum text_encoding { TEXT_GSM7 = 0, TEXT_UCS2 = 8 }; /* the values of data_coding */

struct text_plan {
    enum text_encoding encoding;
    uint32_t units; /* of the whole text */
    uint8_t parts;  /* 1..TEXT_PARTS_MAX */
};

/* Chooses the encoding and counts. ERR_BAD_INPUT: not UTF-8 (or NUL inside); ERR_FULL: more than
 * TEXT_PARTS_MAX parts. Single part: 160 septets or 70 units; else 153 or 67 a part with the 8-bit
 * UDH (3GPP TS 23.040 9.2.3.24.1). An escape pair or a surrogate pair is never split. */
MUST_CHECK enum err text_plan(struct span utf8, struct text_plan *ret_plan);

/* Octets of part `part` (from 1), the UDH in front where there are several parts; `reference` is the
 * concatenation reference. Gives the length (at most 140 for UCS-2, 160 for unpacked GSM 7-bit), or
 * 0 when `plan` is not this text's or has no such part. */
#define TEXT_PART_MAX 160
size_t text_part(struct span utf8, const struct text_plan *plan, uint8_t part, uint8_t reference,
                 uint8_t out[TEXT_PART_MAX]);

/* A received text as UTF-8. data_coding 0 and 1 (IA5) decode as GSM 7-bit, 3 as Latin-1, 8 as UCS-2;
 * others as Latin-1. A UDH must have been cut off. Unknown or broken characters become U+FFFD.
 * Gives the length, at most `size`; needs 3 octets an input octet at worst. */
size_t text_decode(uint8_t data_coding, struct span octets, char *out, size_t size);

/* The user data header of a message with ESM_UDHI. False when it is malformed. */
struct udh {
    struct span text; /* what follows the header */
    bool concatenated;
    uint16_t reference;  /* 8 or 16 bit */
    uint8_t total, part; /* from 1 */
};
bool udh_parse(struct span octets, struct udh *ret_udh);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SMS text: UTF-8 in, the octets of each part out, and back. What a carrier takes stands in its rules.
 * The choice, best first: the GSM 7-bit alphabet; a national shift table where the rules allow one;
 * Latin-1 where they do; UCS-2.
 *
 * Units are those that are billed: septets for GSM 7-bit, an escape pair counting two; octets for
 * Latin-1; UTF-16 units for UCS-2. A part has 140 octets in the air, its user data header taken off:
 * 160, 140 or 70 units alone; 153, 134 or 67 with the 8-bit concatenation header; one septet less with
 * the 16-bit one; each shift table costs three octets more. An escape pair or a surrogate pair is
 * never split. The GSM alphabet travels unpacked, one septet an octet; UCS-2 is big-endian.
 * Pure functions; nothing allocates. */
#ifndef SMPP_TEXT_H
#define SMPP_TEXT_H

#include "proto/base/err.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"
#include "smpp/national.h"
#include "smpp/pdu.h"
#include "smpp/udh.h"

#define TEXT_PART_MAX (153 * TEXT_PARTS_MAX) /* octets of a part: a message_payload's */

/* What data_coding 0 means to a carrier. ASCII and Latin-1 are made GSM 7-bit by the carrier, which
 * bills septets: only characters of the GSM alphabet are sent that way. */
enum text_alphabet { ALPHABET_GSM7, ALPHABET_LATIN1, ALPHABET_ASCII };

/* How the parts of a long text are told from one another. */
enum concatenation {
    CONCATENATION_UDH8,
    CONCATENATION_UDH16,
    CONCATENATION_SAR,     /* TLVs; the carrier makes the header, of 16 bits at most */
    CONCATENATION_PAYLOAD, /* one submit_sm with message_payload; the carrier makes the parts */
};

struct text_rules {
    enum text_alphabet alphabet;
    enum concatenation concatenation;
    uint32_t national;    /* bit 1 << enum national_language: the handsets know its tables */
    uint32_t payload_max; /* octets of one message_payload */
    bool latin1;          /* data_coding 3 may be used */
};

/* GSM 7-bit, 8-bit headers, nothing else but UCS-2; payload_max at what the longest text has. */
extern const struct text_rules text_rules_default;

/* The low four bits are the data_coding. */
enum text_encoding {
    TEXT_GSM7 = 0,
    TEXT_LATIN1 = 3,
    TEXT_UCS2 = 8,
    TEXT_GSM7_AS_LATIN1 =
        0x80, /* characters of the GSM alphabet by their Latin-1 (or ASCII) octets */
};

/* How a text is sent. It holds all that text_part() needs beside the text, in five octets. */
struct text_plan {
    uint8_t encoding;      /* enum text_encoding */
    uint8_t shift;         /* of smpp/national.h; 0: the default alphabet */
    uint8_t concatenation; /* enum concatenation; 0 where the text fits one part */
    uint8_t parts;         /* submit_sm's, 1..TEXT_PARTS_MAX */
    uint8_t segments;      /* as billed: `parts`, but with message_payload what the carrier makes */
    uint32_t units;        /* of the whole text */
};

/* ERR_BAD_INPUT: not UTF-8 (or NUL inside); ERR_FULL: more than TEXT_PARTS_MAX segments, or more than
 * the carrier's message_payload takes. */
MUST_CHECK enum err text_plan(struct span utf8, const struct text_rules *rules,
                              struct text_plan *ret_plan);

/* Octets of part `part` (from 1), its user data header in front; `reference` tells the parts of one
 * text from those of another. Gives the length, or 0 when `plan` is not this text's or has no such
 * part. A message_payload is one part. */
size_t text_part(struct span utf8, const struct text_plan *plan, uint8_t part, uint16_t reference,
                 uint8_t out[TEXT_PART_MAX]);

/* Makes `part` the text of a submit_sm: data_coding, esm_class, and short_message or TLVs, which point
 * into `storage`. Any other TLVs must be appended behind. False as text_part() gives 0 for a text that
 * is not empty. */
struct text_storage {
    uint8_t octets[TEXT_PART_MAX];
    uint8_t sar[4];
    struct tlv tlvs[3];
};
MUST_CHECK bool text_fill(struct span utf8, const struct text_plan *plan, uint8_t part,
                          uint16_t reference, struct text_storage *storage, struct sm_out *out);

/* A received text as UTF-8. data_coding 0 is what `alphabet` says, 1 (IA5) is GSM 7-bit, 3 Latin-1, 8
 * UCS-2; the groups with a message class or a waiting indication (0x10 to 0x1f, 0xc0 and above) say
 * their alphabet themselves; others are read as Latin-1. `udh` is the parsed header, for shift tables;
 * NULL for none; it is not part of `octets`. Unknown or broken characters become U+FFFD. Gives the
 * length, at most `size`; needs 3 octets an input octet at worst. */
size_t text_receive(enum text_alphabet alphabet, uint8_t data_coding, const struct udh *udh,
                    struct span octets, char *out, size_t size);

/* The same with GSM 7-bit as data_coding 0, and no header. */
size_t text_decode(uint8_t data_coding, struct span octets, char *out, size_t size);

#endif

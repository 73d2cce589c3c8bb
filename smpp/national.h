/* SPDX-License-Identifier: Apache-2.0 */
/* National language shift tables of the GSM 7-bit alphabet (3GPP TS 23.038, annex A). A locking shift
 * replaces the alphabet, a single shift the characters behind an escape; the user data header of each
 * part announces both, and costs septets. A `shift` names one language and which of its tables are
 * used. Pure; nothing allocates. */
#ifndef SMPP_NATIONAL_H
#define SMPP_NATIONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The National Language Identifiers of section 6.2.1.2.4. */
enum national_language {
    NATIONAL_NONE = 0,
    NATIONAL_TURKISH = 1,
    NATIONAL_SPANISH = 2,
    NATIONAL_PORTUGUESE = 3,
    NATIONAL_BENGALI = 4, /* and Assamese */
    NATIONAL_GUJARATI = 5,
    NATIONAL_HINDI = 6,
    NATIONAL_KANNADA = 7,
    NATIONAL_MALAYALAM = 8,
    NATIONAL_ORIYA = 9,
    NATIONAL_PUNJABI = 10,
    NATIONAL_TAMIL = 11,
    NATIONAL_TELUGU = 12,
    NATIONAL_URDU = 13,
    NATIONAL_COUNT = 14
};

#define NATIONAL_LOCKING  0x40u
#define NATIONAL_SINGLE   0x80u
#define NATIONAL_LANGUAGE 0x3fu

/* "turkish"; NULL where there is none. */
const char *national_name(unsigned language);
bool national_has(unsigned language, unsigned table); /* NATIONAL_LOCKING or NATIONAL_SINGLE */

/* As gsm7_encode(), with the tables of `shift`. */
uint16_t national_encode(uint8_t shift, uint32_t character);

/* As gsm7_decode() and gsm7_decode_escaped(). A language without that table, or one that is not
 * known, is read with the default alphabet, as the standard asks of a handset; so is a septet of which
 * the table has no character. An escaped one that no table has is shown as without the escape. */
uint32_t national_decode(uint8_t locking, uint8_t septet);
uint32_t national_decode_escaped(uint8_t locking, uint8_t single, uint8_t septet);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* How numbers and names stand in PDUs: TON, NPI and the `+` as a carrier wants them, by kind; and
 * numbers read leniently from what it sends. Pure. */
#ifndef SMPP_ADDRESSING_H
#define SMPP_ADDRESSING_H

#include "proto/number.h"
#include "smpp/pdu.h"

#define SHORT_CODE_DIGITS_MAX 8 /* a sender of more digits is an international number */
#define COUNTRY_CODE_MAX      3 /* digits */

struct address_form {
    uint8_t ton, npi;
    bool plus; /* in front of international numbers */
};

struct addressing {
    struct address_form alphanumeric_sender, short_sender, international_sender, recipient;
    char country[COUNTRY_CODE_MAX + 1]; /* of national numbers that come in; "": none are known */
    uint8_t national_digits; /* so many are a national number, whatever its TON; 0: by TON alone */
};

/* 5/0, 3/0, 1/1 and 1/1; no `+`; no country. */
extern const struct addressing addressing_default;

/* `sender` is at most 15 digits, or a name of at most 11 octets. */
void addressing_sender(const struct addressing *rules, const char *sender,
                       struct smpp_address *ret_address);
void addressing_recipient(const struct addressing *rules, uint64_t number,
                          struct smpp_address *ret_address);

/* The number that a peer means, or 0. A `+` or "00" begins an international number. Where a country is
 * set, what has TON 2, begins with a single 0, or has national_digits is a national one: the country
 * takes the place of that 0. All else is international. */
uint64_t addressing_number(const struct addressing *rules, const struct smpp_address *address);

/* The two ways to read an address: as it was sent, without a + or 00, and as the number that it means,
 * "" for none. `as_sent` lives as long as the address. */
struct address_reading {
    const char *as_sent;
    char number[NUMBER_TEXT_SIZE];
};
void addressing_read(const struct addressing *rules, const struct smpp_address *address,
                     struct address_reading *ret_reading);

/* Whether it is this sender of ours. */
static inline bool address_reading_is(const struct address_reading *reading, const char *sender)
{
    return strcmp(reading->as_sent, sender) == 0 || strcmp(reading->number, sender) == 0;
}

#endif

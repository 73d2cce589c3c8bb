/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/addressing.h"

#include <stdio.h>

#include "proto/base/check.h"

#define TON_NATIONAL 2

const struct addressing addressing_default = {
    .alphanumeric_sender = {.ton = 5},
    .short_sender = {.ton = 3},
    .international_sender = {.ton = 1, .npi = 1},
    .recipient = {.ton = 1, .npi = 1},
};

static void write_address(const struct address_form *form, const char *digits,
                          struct smpp_address *ret_address)
{
    ret_address->ton = form->ton;
    ret_address->npi = form->npi;
    size_t length = strlen(digits);
    CHECK(form->plus + length < sizeof ret_address->digits);
    ret_address->digits[0] = '+';
    memcpy(ret_address->digits + form->plus, digits, length + 1);
}

void addressing_sender(const struct addressing *rules, const char *sender,
                       struct smpp_address *ret_address)
{
    size_t length = strlen(sender);
    if (strspn(sender, "0123456789") != length)
        write_address(&rules->alphanumeric_sender, sender, ret_address);
    else if (length <= SHORT_CODE_DIGITS_MAX)
        write_address(&rules->short_sender, sender, ret_address);
    else
        write_address(&rules->international_sender, sender, ret_address);
}

void addressing_recipient(const struct addressing *rules, uint64_t number,
                          struct smpp_address *ret_address)
{
    char digits[NUMBER_TEXT_SIZE];
    write_address(&rules->recipient, number_format(number, digits), ret_address);
}

/* What follows the sign of an international number, or NULL. */
static const char *international(const char *digits)
{
    if (digits[0] == '+')
        return digits + 1;
    return strncmp(digits, "00", 2) == 0 ? digits + 2 : NULL;
}

static bool is_national(const struct addressing *rules, const struct smpp_address *address)
{
    return rules->country[0] != '\0' &&
           (address->ton == TON_NATIONAL || address->digits[0] == '0' ||
            (rules->national_digits != 0 && strlen(address->digits) == rules->national_digits));
}

uint64_t addressing_number(const struct addressing *rules, const struct smpp_address *address)
{
    char text[sizeof rules->country + sizeof address->digits];
    const char *digits = international(address->digits);
    const char *country = "";
    if (digits == NULL) {
        digits = address->digits;
        if (is_national(rules, address)) {
            country = rules->country;
            digits += digits[0] == '0';
        }
    }
    snprintf(text, sizeof text, "%s%s", country, digits);
    uint64_t number = 0;
    bool good = text[0] != '+' && number_parse(span_from_string(text), &number) == ERR_OK;
    return good ? number : 0;
}

void addressing_read(const struct addressing *rules, const struct smpp_address *address,
                     struct address_reading *ret_reading)
{
    const char *digits = international(address->digits);
    uint64_t number = addressing_number(rules, address);
    ret_reading->as_sent = digits != NULL ? digits : address->digits;
    ret_reading->number[0] = '\0';
    if (number != 0)
        number_format(number, ret_reading->number);
}

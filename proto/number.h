/* SPDX-License-Identifier: Apache-2.0 */
/* Phone numbers as E.164 integers (digits after the `+`, no leading zero), and consent keys.
 * A number is a uint64_t; 0 is "none". */
#ifndef PROTO_NUMBER_H
#define PROTO_NUMBER_H

#include "proto/base/err.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"

/* Reads "+12025550100" or "12025550100"; nothing else: no spaces, no "00", no leading zero.
 * ERR_BAD_INPUT otherwise, *ret_number untouched. */
MUST_CHECK enum err number_parse(struct span text, uint64_t *ret_number);

/* Digits without `+`, NUL-terminated, into `out`; returns it. */
#define NUMBER_TEXT_SIZE (NUMBER_DIGITS_MAX + 1)
char *number_format(uint64_t number, char out[NUMBER_TEXT_SIZE]);

/* The member of the consent sets: scope << 50 | number (scope 0 is "everything"). */
static inline uint64_t consent_key(uint32_t scope, uint64_t number)
{
    return (uint64_t)scope << 50 | number;
}

#endif

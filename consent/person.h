/* SPDX-License-Identifier: Apache-2.0 */
/* A number that may not be told: its keyed fingerprint, by which an erased person's opt-out goes on to deny and
 * erased records are found again. Without the key nobody can try numbers until one fits.
 *
 * All gateways on one Redis have one key; a process belongs to one of them. It is set before anything asks for
 * a fingerprint. Thread: the loop's. */
#ifndef CONSENT_PERSON_H
#define CONSENT_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERSON_KEY_SIZE 16
#define PERSON_HEX_SIZE 33 /* of a mark, with the NUL */

struct person_mark {
    uint64_t high, low;
};

void person_key_set(const uint8_t key[PERSON_KEY_SIZE]);

struct person_mark person_mark(uint64_t number);
bool person_is(const struct person_mark *mark, uint64_t number);
bool person_mark_equal(const struct person_mark *a, const struct person_mark *b);

/* As 16 octets: how records have it. False: they are not as many. */
void person_mark_write(const struct person_mark *mark, uint8_t out[PERSON_KEY_SIZE]);
bool person_mark_read(const uint8_t *octets, size_t length, struct person_mark *ret_mark);
const char *person_mark_hex(const struct person_mark *mark, char out[PERSON_HEX_SIZE]);

/* The member of `optout` that stands for the opt-outs of who has been erased: its low half is no number. */
uint64_t person_member(const struct person_mark *mark);

/* The member of a set for a number in a scope: with SCOPE_ERASED that one, else scope << 50 | number. */
uint64_t consent_member(uint16_t scope, uint64_t number);

#endif

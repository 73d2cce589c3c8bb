/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/person.h"

#include <stdio.h>
#include <string.h>

#include "consent/gate.h"
#include "proto/base/hash.h"
#include "proto/number.h"

#define NUMBER_MASK ((1ull << 50) - 1)

static struct hash_key key;

void person_key_set(const uint8_t octets[PERSON_KEY_SIZE])
{
    memcpy(&key.k0, octets, sizeof key.k0);
    memcpy(&key.k1, octets + sizeof key.k0, sizeof key.k1);
}

/* Two words of SipHash, each over the number and its own last octet; little-endian, so that gateways on
 * machines of different kinds agree. */
static uint64_t word_of(uint64_t number, uint8_t which)
{
    uint8_t octets[9];
    for (unsigned i = 0; i < 8; i++)
        octets[i] = (uint8_t)(number >> (8 * i));
    octets[8] = which;
    return hash64(&key, octets, sizeof octets);
}

struct person_mark person_mark(uint64_t number)
{
    return (struct person_mark){.high = word_of(number, 1), .low = word_of(number, 0)};
}

bool person_is(const struct person_mark *mark, uint64_t number)
{
    return word_of(number, 0) == mark->low && word_of(number, 1) == mark->high;
}

bool person_mark_equal(const struct person_mark *a, const struct person_mark *b)
{
    return a->high == b->high && a->low == b->low;
}

void person_mark_write(const struct person_mark *mark, uint8_t out[PERSON_KEY_SIZE])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(mark->high >> (56 - 8 * i));
        out[8 + i] = (uint8_t)(mark->low >> (56 - 8 * i));
    }
}

bool person_mark_read(const uint8_t *octets, size_t length, struct person_mark *ret_mark)
{
    if (length != PERSON_KEY_SIZE)
        return false;
    *ret_mark = (struct person_mark){0};
    for (unsigned i = 0; i < 8; i++) {
        ret_mark->high = ret_mark->high << 8 | octets[i];
        ret_mark->low = ret_mark->low << 8 | octets[8 + i];
    }
    return true;
}

const char *person_mark_hex(const struct person_mark *mark, char out[PERSON_HEX_SIZE])
{
    snprintf(out, PERSON_HEX_SIZE, "%016llx%016llx", (unsigned long long)mark->high,
             (unsigned long long)mark->low);
    return out;
}

uint64_t person_member(const struct person_mark *mark)
{
    return consent_key(SCOPE_ERASED, mark->low & NUMBER_MASK);
}

uint64_t consent_member(uint16_t scope, uint64_t number)
{
    if (scope != SCOPE_ERASED)
        return consent_key(scope, number);
    struct person_mark mark = person_mark(number);
    return person_member(&mark);
}

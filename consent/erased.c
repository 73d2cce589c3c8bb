/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/erased.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/check.h"
#include "proto/base/digest.h"

size_t erased_format(const struct erased_fact *fact, char out[ERASED_TEXT_MAX])
{
    char hex[PERSON_HEX_SIZE];
    int n = snprintf(out, ERASED_TEXT_MAX, "%" PRIu64 " %s %" PRIu32 " %" PRIu32 " %" PRIu64 " %s",
                     fact->wall_ms, person_mark_hex(&fact->person, hex), fact->place, fact->places,
                     person_member(&fact->person), fact->request);
    CHECK(n > 0 && n < ERASED_TEXT_MAX);
    return (size_t)n;
}

/* Takes the word up to the next space off the text. */
static struct span take_word(struct span *text)
{
    const uint8_t *space = text->length > 0 ? memchr(text->data, ' ', text->length) : NULL;
    size_t length = space != NULL ? (size_t)(space - text->data) : text->length;
    struct span word = span_of(text->data, length);
    size_t taken = space != NULL ? length + 1 : length;
    *text = span_of(text->data + taken, text->length - taken);
    return word;
}

/* Decimal up to `most`, without leading zeros. */
static bool take_number(struct span *text, uint64_t most, uint64_t *ret_value)
{
    struct span word = take_word(text);
    uint64_t value = 0;
    for (size_t i = 0; i < word.length; i++) {
        unsigned digit = word.data[i] - (unsigned)'0';
        if (digit > 9 || (i > 0 && value == 0) || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return word.length > 0 && value <= most;
}

static bool take_person(struct span *text, struct person_mark *ret_person)
{
    struct span word = take_word(text);
    uint8_t octets[PERSON_KEY_SIZE];
    char again[PERSON_HEX_SIZE];
    return hex_decode(word, octets, sizeof octets) &&
           person_mark_read(octets, sizeof octets, ret_person) &&
           span_equal(word, span_from_string(person_mark_hex(ret_person, again)));
}

static bool take_request(struct span text, char out[ERASURE_REQUEST_MAX + 1])
{
    if (text.length == 0 || text.length > ERASURE_REQUEST_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    memcpy(out, text.data, text.length);
    return true;
}

bool erased_parse(struct span text, struct erased_fact *fact)
{
    struct erased_fact read = {.kept = false};
    uint64_t place, places, member;
    if (!take_number(&text, UINT64_MAX, &read.wall_ms) || !take_person(&text, &read.person) ||
        !take_number(&text, REDIS_BUCKETS_MAX - 1, &place) ||
        !take_number(&text, REDIS_BUCKETS_MAX, &places) ||
        !take_number(&text, UINT64_MAX, &member) || !take_request(text, read.request))
        return false;
    if (read.wall_ms == 0 || member != person_member(&read.person) ||
        (places & (places - 1)) != 0 || (places == 0 ? place != 0 : place >= places))
        return false;
    read.place = (uint32_t)place;
    read.places = (uint32_t)places;
    *fact = read;
    return true;
}

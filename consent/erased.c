/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/erased.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/check.h"
#include "proto/base/digest.h"
#include "proto/base/words.h"

size_t erased_format(const struct erased_fact *fact, char out[ERASED_TEXT_MAX])
{
    char hex[PERSON_HEX_SIZE];
    int n = snprintf(out, ERASED_TEXT_MAX, "%" PRIu64 " %s %" PRIu32 " %" PRIu32 " %" PRIu64 " %s",
                     fact->wall_ms, person_mark_hex(&fact->person, hex), fact->place, fact->places,
                     person_member(&fact->person), fact->request);
    CHECK(n > 0 && n < ERASED_TEXT_MAX);
    return (size_t)n;
}

static bool take_number(struct span *text, uint64_t most, uint64_t *ret_value)
{
    return take_decimal(text, most, ret_value) && take_space(text);
}

static bool take_person(struct span *text, struct person_mark *ret_person)
{
    uint8_t octets[PERSON_KEY_SIZE];
    char again[PERSON_HEX_SIZE];
    struct span word = span_of(text->data, PERSON_HEX_SIZE - 1);
    if (text->length < word.length || !hex_decode(word, octets, sizeof octets) ||
        !person_mark_read(octets, sizeof octets, ret_person) ||
        !span_equal(word, span_from_string(person_mark_hex(ret_person, again))))
        return false;
    *text = span_of(text->data + word.length, text->length - word.length);
    return take_space(text);
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

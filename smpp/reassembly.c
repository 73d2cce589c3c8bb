/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/reassembly.h"

#include <stdlib.h>

#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/table.h"
#include "smpp/decode.h"
#include "smpp/utf8.h"

/* A text that was whole. */
struct whole {
    TAILQ_ENTRY(whole) link; /* oldest first */
    uint64_t hash;           /* of its set */
    uint64_t since_us;
    uint64_t texts[REASSEMBLY_PARTS_MAX]; /* hashes */
};

struct reassembly {
    struct hash_key key;
    struct table by_hash; /* struct part_set */
    TAILQ_HEAD(, part_set) sets;
    size_t octets;
    struct table wholes_by_hash; /* struct whole, by the hash of its set */
    TAILQ_HEAD(whole_list, whole) wholes;
};

struct reassembly *reassembly_new(const struct hash_key *key)
{
    struct reassembly *r = check_calloc(1, sizeof *r);
    r->key = *key;
    table_init(&r->by_hash);
    TAILQ_INIT(&r->sets);
    table_init(&r->wholes_by_hash);
    TAILQ_INIT(&r->wholes);
    return r;
}

static void forget(struct reassembly *r, struct whole *whole)
{
    CHECK(table_remove(&r->wholes_by_hash, whole->hash));
    TAILQ_REMOVE(&r->wholes, whole, link);
    free(whole);
}

void reassembly_free(struct reassembly *r)
{
    while (!TAILQ_EMPTY(&r->sets))
        reassembly_drop(r, TAILQ_FIRST(&r->sets));
    while (!TAILQ_EMPTY(&r->wholes))
        forget(r, TAILQ_FIRST(&r->wholes));
    table_release(&r->by_hash);
    table_release(&r->wholes_by_hash);
    free(r);
}

/* ---- what a PDU says ---- */

static bool take(uint8_t kind, uint16_t reference, uint8_t total, uint8_t number, struct part *part)
{
    if (total < 2 || total > REASSEMBLY_PARTS_MAX || number < 1 || number > total)
        return false;
    part->kind = kind;
    part->reference = reference;
    part->total = total;
    part->number = number;
    return true;
}

bool part_read(const struct sm_body *body, const struct udh *udh, struct part *ret_part)
{
    if (udh != NULL && udh->concatenated)
        return take(udh->wide ? PART_UDH16 : PART_UDH8, udh->reference, udh->total, udh->part,
                    ret_part);
    const struct tlv *reference = tlv_find(&body->tlvs, TLV_SAR_MSG_REF_NUM);
    const struct tlv *total = tlv_find(&body->tlvs, TLV_SAR_TOTAL_SEGMENTS);
    const struct tlv *number = tlv_find(&body->tlvs, TLV_SAR_SEGMENT_SEQNUM);
    if (reference == NULL || total == NULL || number == NULL || reference->value.length != 2 ||
        total->value.length != 1 || number->value.length != 1)
        return false;
    struct reader r = reader_over(reference->value);
    return take(PART_SAR, read_u16(&r), total->value.data[0], number->value.data[0], ret_part);
}

/* ---- sets ---- */

static bool same_set(const struct part *a, const struct part *b)
{
    return a->sender == b->sender && a->scope == b->scope && a->reference == b->reference &&
           a->kind == b->kind && a->total == b->total && strcmp(a->receiver, b->receiver) == 0;
}

static uint64_t hash_of(const struct reassembly *r, const struct part *part)
{
    uint8_t octets[8 + 2 + 2 + 1 + 1 + sizeof part->receiver];
    struct writer w = writer_over(octets, sizeof octets);
    write_u32(&w, (uint32_t)(part->sender >> 32));
    write_u32(&w, (uint32_t)part->sender);
    write_u16(&w, part->scope);
    write_u16(&w, part->reference);
    write_u8(&w, part->kind);
    write_u8(&w, part->total);
    write_octets(&w, part->receiver, strlen(part->receiver));
    uint64_t hash = hash64(&r->key, octets, writer_length(&w));
    return hash ? hash : 1;
}

struct part_set *reassembly_find(const struct reassembly *r, const struct part *part)
{
    struct part_set *set = table_find_pointer(&r->by_hash, hash_of(r, part));
    return set != NULL && same_set(&set->part, part) ? set : NULL;
}

static unsigned missing(const struct part_set *set)
{
    unsigned count = 0;
    for (unsigned i = 0; i < set->part.total; i++)
        count += set->texts[i].text == NULL;
    return count;
}

enum part_verdict reassembly_judge(const struct reassembly *r, const struct part *part,
                                   struct span text)
{
    const struct part_set *set = reassembly_find(r, part);
    if (set == NULL)
        return PART_WAITS;
    const char *there = set->texts[part->number - 1].text;
    if (there == NULL)
        return missing(set) == 1 ? PART_COMPLETES : PART_WAITS;
    text.length = utf8_cut(text, REASSEMBLY_TEXT_MAX);
    return span_equal(span_of(there, set->texts[part->number - 1].length), text) ? PART_REPEATED
                                                                                 : PART_CONTRADICTS;
}

bool reassembly_is_full(const struct reassembly *r)
{
    return r->by_hash.count >= REASSEMBLY_SETS_MAX ||
           r->octets + REASSEMBLY_TEXT_MAX > REASSEMBLY_OCTETS_MAX;
}

/* ---- texts that were whole ---- */

static uint64_t text_hash(const struct reassembly *r, struct span text)
{
    return hash64(&r->key, text.data, utf8_cut(text, REASSEMBLY_TEXT_MAX));
}

static bool is_old(const struct whole *whole, uint64_t now_us)
{
    return now_us >= whole->since_us + REASSEMBLY_MS * US_PER_MS;
}

void reassembly_remember(struct reassembly *r, const struct part_set *set, const struct part *part,
                         struct span text, uint64_t now_us)
{
    struct whole *whole = table_find_pointer(&r->wholes_by_hash, set->hash);
    if (whole != NULL)
        forget(r, whole);
    while ((whole = TAILQ_FIRST(&r->wholes)) != NULL &&
           (is_old(whole, now_us) || r->wholes_by_hash.count >= REASSEMBLY_SETS_MAX))
        forget(r, whole);
    whole = check_calloc(1, sizeof *whole);
    whole->hash = set->hash;
    whole->since_us = now_us;
    for (unsigned i = 0; i < set->part.total; i++)
        whole->texts[i] = text_hash(r, span_of(set->texts[i].text, set->texts[i].length));
    whole->texts[part->number - 1] = text_hash(r, text);
    *table_put(&r->wholes_by_hash, whole->hash) = (uintptr_t)whole;
    TAILQ_INSERT_TAIL(&r->wholes, whole, link);
}

static bool was_whole(const struct reassembly *r, const struct part_set *set,
                      const struct part *part, struct span text, uint64_t now_us)
{
    const struct whole *whole = table_find_pointer(&r->wholes_by_hash, set->hash);
    return whole != NULL && !is_old(whole, now_us) &&
           whole->texts[part->number - 1] == text_hash(r, text);
}

/* ---- parts that wait ---- */

static struct part_set *set_new(struct reassembly *r, const struct part *part, uint64_t now_us)
{
    struct part_set *set = check_calloc(1, sizeof *set);
    set->part = *part;
    set->part.number = 0;
    set->hash = hash_of(r, part);
    set->since_us = now_us;
    set->again = true;
    uint64_t *slot = table_put(&r->by_hash, set->hash);
    CHECK(*slot == 0); /* a collision of 64 keyed bits */
    *slot = (uintptr_t)set;
    TAILQ_INSERT_TAIL(&r->sets, set, link);
    return set;
}

struct part_set *reassembly_add(struct reassembly *r, const struct part *part, struct span text,
                                uint64_t now_us)
{
    CHECK(part->number >= 1 && part->number <= part->total && part->total <= REASSEMBLY_PARTS_MAX);
    CHECK(!reassembly_is_full(r));
    struct part_set *set = reassembly_find(r, part);
    if (set == NULL)
        set = set_new(r, part, now_us);
    set->again = set->again && was_whole(r, set, part, text, now_us);
    text.length = utf8_cut(text, REASSEMBLY_TEXT_MAX);
    unsigned at = part->number - 1;
    CHECK(set->texts[at].text == NULL);
    set->texts[at].text = check_malloc(text.length + 1);
    if (text.length > 0)
        memcpy(set->texts[at].text, text.data, text.length);
    set->texts[at].text[text.length] = '\0';
    set->texts[at].length = (uint16_t)text.length;
    set->octets += (uint32_t)text.length;
    r->octets += text.length;
    return set;
}

void reassembly_drop(struct reassembly *r, struct part_set *set)
{
    CHECK(table_remove(&r->by_hash, set->hash));
    TAILQ_REMOVE(&r->sets, set, link);
    r->octets -= set->octets;
    for (unsigned i = 0; i < set->part.total; i++) {
        if (set->texts[i].text != NULL)
            explicit_bzero(set->texts[i].text, set->texts[i].length);
        free(set->texts[i].text);
    }
    free(set);
}

size_t part_set_join(const struct part_set *set, const struct part *part, struct span text,
                     char *out, size_t size)
{
    size_t length = 0;
    for (unsigned i = 0; i < set->part.total; i++) {
        struct span more = span_of(set->texts[i].text, set->texts[i].length);
        if (part != NULL && part->number == i + 1)
            more = span_of(text.data, utf8_cut(text, REASSEMBLY_TEXT_MAX));
        if (more.length > size - length)
            return length;
        if (more.length > 0)
            memcpy(out + length, more.data, more.length);
        length += more.length;
    }
    return length;
}

struct part_set *reassembly_oldest(const struct reassembly *r)
{
    return TAILQ_FIRST(&r->sets);
}

struct part_set *reassembly_after(const struct part_set *set)
{
    return TAILQ_NEXT(set, link);
}

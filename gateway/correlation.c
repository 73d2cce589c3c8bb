/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers' message ids: which part of which message has this one?
 *
 * One table for all sessions of all carriers; the key is the carrier and its id, made comparable as the
 * carrier's `submit_id` says; the raw id is what is kept. Where a carrier gives an id twice the destination
 * decides, then the first write. Ids whose receipt ended their message are remembered for a while, as a
 * hash, so that the same receipt once more is known to be just that. */
#include <stdlib.h>
#include <string.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define FIRST_BUCKETS 1024
#define MOVE_BUCKETS  4

/* ---- the table ---- */

static struct correlation *reversed(struct correlation *chain)
{
    struct correlation *result = NULL, *next;
    for (; chain != NULL; chain = next) {
        next = chain->next_in_bucket;
        chain->next_in_bucket = result;
        result = chain;
    }
    return result;
}

static struct correlation **bucket_of(struct correlation_table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->count - 1)];
}

/* A table that grows is moved a few buckets at a time, as in proto/base/table.h; their order
 * stays, newest first. */
static void move_some(struct engine *e, size_t buckets)
{
    struct correlation_table *old = &e->old_correlations;
    while (old->buckets != NULL && buckets-- > 0) {
        struct correlation *c, *next;
        for (c = reversed(old->buckets[old->moved]); c != NULL; c = next) {
            next = c->next_in_bucket;
            struct correlation **bucket = bucket_of(&e->correlations, c->hash);
            c->next_in_bucket = *bucket;
            *bucket = c;
        }
        if (++old->moved < old->count)
            continue;
        free(old->buckets);
        *old = (struct correlation_table){0};
    }
}

void correlation_init(struct engine *e)
{
    e->correlations.count = FIRST_BUCKETS;
    e->correlations.buckets = check_calloc(FIRST_BUCKETS, sizeof *e->correlations.buckets);
    e->reported = check_calloc(REPORTED_REMEMBERED, sizeof *e->reported);
}

void correlation_release(struct engine *e)
{
    move_some(e, e->old_correlations.count);
    for (size_t i = 0; i < e->correlations.count; i++)
        for (struct correlation *c = e->correlations.buckets[i], *next; c != NULL; c = next) {
            next = c->next_in_bucket;
            free(c);
        }
    free(e->correlations.buckets);
    free(e->reported);
}

static void grow(struct engine *e)
{
    move_some(e, e->old_correlations.count);
    e->old_correlations = e->correlations;
    e->correlations = (struct correlation_table){.count = e->old_correlations.count * 2};
    e->correlations.buckets = check_calloc(e->correlations.count, sizeof *e->correlations.buckets);
}

/* The chain that holds `hash`: not moved yet, or in the new table. */
struct correlation **correlation_chain(struct engine *e, uint64_t hash)
{
    struct correlation_table *old = &e->old_correlations;
    if (old->buckets != NULL && (hash & (old->count - 1)) >= old->moved)
        return bucket_of(old, hash);
    return bucket_of(&e->correlations, hash);
}

/* ---- keys ---- */

uint64_t correlation_hash(const struct engine *e, uint16_t carrier, struct span id,
                          enum id_form form)
{
    char digits[MESSAGE_ID_MAX];
    struct span comparable = message_id_comparable(id, form, digits);
    uint8_t key[2 + MESSAGE_ID_MAX];
    key[0] = (uint8_t)(carrier >> 8);
    key[1] = (uint8_t)carrier;
    if (comparable.length > 0)
        memcpy(key + 2, comparable.data, comparable.length);
    uint64_t hash = hash64(&e->key, key, comparable.length + 2);
    return hash ? hash : 1;
}

static bool is_same(const struct correlation *c, enum id_form submit_id, struct span id,
                    enum id_form form)
{
    char own[MESSAGE_ID_MAX], other[MESSAGE_ID_MAX];
    return span_equal(message_id_comparable(span_of(c->id, c->length), submit_id, own),
                      message_id_comparable(id, form, other));
}

struct correlation *correlation_find(struct engine *e, const struct receipt_in *in)
{
    const struct carrier_config *config = e->carriers[in->owed.carrier].config;
    struct correlation *best = NULL;
    struct correlation *c = *correlation_chain(e, in->hash);
    for (; c != NULL; c = c->next_in_bucket) {
        if (c->hash != in->hash || c->carrier != in->owed.carrier ||
            !is_same(c, config->submit_id, span_of(in->id, in->id_length), config->receipt_id))
            continue;
        bool same_number = c->message->number == in->number;
        if (c->repeated && in->number != 0 && !same_number)
            continue; /* the other one's, which may have ended */
        /* Newer entries stand first in a bucket; the last match is the first written. */
        if (best == NULL || same_number || best->message->number != in->number)
            best = c;
    }
    return best;
}

/* The carrier has given this id before, and that message still waits. */
static bool mark_repeated(struct engine *e, struct correlation *fresh)
{
    enum id_form form = e->carriers[fresh->carrier].config->submit_id;
    for (struct correlation *c = *correlation_chain(e, fresh->hash); c; c = c->next_in_bucket)
        if (c->hash == fresh->hash && c->carrier == fresh->carrier &&
            is_same(c, form, span_of(fresh->id, fresh->length), form))
            c->repeated = fresh->repeated = true;
    return fresh->repeated;
}

struct correlation *correlation_add(struct engine *e, struct message *m, uint8_t part,
                                    struct span id)
{
    if (id.length > MESSAGE_ID_MAX)
        id.length = MESSAGE_ID_MAX;
    move_some(e, MOVE_BUCKETS);
    if (e->correlation_count > e->correlations.count)
        grow(e);
    struct correlation *c = check_malloc(sizeof *c + id.length);
    *c = (struct correlation){
        .hash = correlation_hash(e, m->carrier, id, e->carriers[m->carrier].config->submit_id),
        .message = m,
        .carrier = m->carrier,
        .part = part,
        .length = (uint8_t)id.length,
        .next_of_message = m->correlations};
    memcpy(c->id, id.data, id.length);
    if (mark_repeated(e, c))
        e->metrics.counters[COUNT_IDS_REPEATED]++;
    m->correlations = c;
    struct correlation **bucket = correlation_chain(e, c->hash);
    c->next_in_bucket = *bucket;
    *bucket = c;
    e->correlation_count++;
    return c;
}

/* ---- what was reported ---- */

static uint64_t report_key(uint64_t hash, uint64_t number)
{
    return hash ^ hash_mix(number);
}

bool correlation_was_reported(const struct engine *e, const struct receipt_in *in)
{
    uint64_t key = report_key(in->hash, in->number);
    return e->reported[key & (REPORTED_REMEMBERED - 1)] == key;
}

void correlate_drop(struct engine *e, struct message *m)
{
    struct correlation *c;
    while ((c = m->correlations) != NULL) {
        m->correlations = c->next_of_message;
        struct correlation **at = correlation_chain(e, c->hash);
        while (*at != c)
            at = &(*at)->next_in_bucket;
        *at = c->next_in_bucket;
        if (m->reported & 1u << (c->part - 1)) {
            uint64_t key = report_key(c->hash, m->number);
            e->reported[key & (REPORTED_REMEMBERED - 1)] = key;
        }
        e->correlation_count--;
        free(c);
    }
}

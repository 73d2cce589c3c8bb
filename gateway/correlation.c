/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers' message ids: which part of which message has this one?
 *
 * One table for all sessions of all carriers; the key is the carrier and its id, made comparable as the
 * carrier's `submit_id` says; the raw id is what is kept. Where a carrier gives an id twice the destination
 * decides, then the first write. Ids of ended messages are remembered for a while (those that ended before
 * the last snapshot: until a restart), as a hash, so that a receipt that comes again, or after the end, is
 * known to be just that and nobody else's. */
#include <stdlib.h>
#include <string.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

static void give_back(struct engine *e, struct correlation *c)
{
    pool_give(&e->messages.pool, c, sizeof *c + c->length);
}

void correlation_init(struct engine *e)
{
    table_init(&e->correlations);
    e->ended_ids = check_calloc(ENDED_IDS_REMEMBERED, sizeof *e->ended_ids);
}

void correlation_release(struct engine *e)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&e->correlations, &cursor)) != NULL)
        for (struct correlation *c = table_slot_pointer(slot), *next; c != NULL; c = next) {
            next = c->next_same_hash;
            give_back(e, c);
        }
    table_release(&e->correlations);
    free(e->ended_ids);
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

static bool is_of_ended(const struct engine *e, const struct receipt_in *in)
{
    return correlation_ended(e, in) != ID_NEVER_SEEN;
}

struct correlation *correlation_find(struct engine *e, const struct receipt_in *in)
{
    const struct carrier_config *config = e->carriers[in->owed.carrier].config;
    struct correlation *best = NULL;
    struct correlation *c = table_find_pointer(&e->correlations, in->hash);
    for (; c != NULL; c = c->next_same_hash) {
        if (c->carrier != in->owed.carrier ||
            !is_same(c, config->submit_id, span_of(in->id, in->id_length), config->receipt_id))
            continue;
        bool same_number = c->message->number == in->number;
        if (in->number != 0 && !same_number && (c->repeated || is_of_ended(e, in)))
            continue; /* the other one's, which has ended */
        /* Newer entries stand first; the last match is the first written. */
        if (best == NULL || same_number || best->message->number != in->number)
            best = c;
    }
    return best;
}

/* The carrier has given this id before, and that message still waits. */
static bool mark_repeated(struct engine *e, struct correlation *fresh)
{
    enum id_form form = e->carriers[fresh->carrier].config->submit_id;
    for (struct correlation *c = fresh->next_same_hash; c != NULL; c = c->next_same_hash)
        if (c->carrier == fresh->carrier &&
            is_same(c, form, span_of(fresh->id, fresh->length), form))
            c->repeated = fresh->repeated = true;
    return fresh->repeated;
}

static void put(struct engine *e, struct correlation *c)
{
    c->hash = correlation_hash(e, c->carrier, span_of(c->id, c->length),
                               e->carriers[c->carrier].config->submit_id);
    uint64_t *first = table_put(&e->correlations, c->hash);
    c->next_same_hash = (struct correlation *)(uintptr_t)*first;
    *first = (uint64_t)(uintptr_t)c;
    e->correlation_count++;
}

static void take_out(struct engine *e, struct correlation *c)
{
    uint64_t *first = table_find(&e->correlations, c->hash);
    CHECK(first != NULL);
    struct correlation *at = (struct correlation *)(uintptr_t)*first;
    if (at != c) {
        while (at->next_same_hash != c)
            at = at->next_same_hash;
        at->next_same_hash = c->next_same_hash;
    } else if (c->next_same_hash != NULL) {
        *first = (uint64_t)(uintptr_t)c->next_same_hash;
    } else {
        table_remove(&e->correlations, c->hash);
    }
    e->correlation_count--;
}

struct correlation *correlation_add(struct engine *e, struct message *m, uint8_t part,
                                    struct span id)
{
    if (id.length > MESSAGE_ID_MAX)
        id.length = MESSAGE_ID_MAX;
    struct correlation *c = pool_take(&e->messages.pool, sizeof *c + id.length);
    *c = (struct correlation){.message = m,
                              .carrier = m->carrier,
                              .part = part,
                              .length = (uint8_t)id.length,
                              .next_of_message = m->correlations};
    memcpy(c->id, id.data, id.length);
    m->correlations = c;
    put(e, c);
    if (mark_repeated(e, c))
        e->metrics.counters[COUNT_IDS_REPEATED]++;
    return c;
}

/* A new configuration reads ids in another way: the carrier's are put where they will be looked for. */
void correlation_respell(struct engine *e, uint16_t carrier)
{
    struct correlation **all = check_malloc(e->correlation_count * sizeof(void *) + 1);
    size_t cursor = 0, count = 0;
    struct table_slot *slot;
    while ((slot = table_next(&e->correlations, &cursor)) != NULL)
        for (struct correlation *c = table_slot_pointer(slot); c != NULL; c = c->next_same_hash)
            if (c->carrier == carrier)
                all[count++] = c;
    for (size_t i = 0; i < count; i++) {
        take_out(e, all[i]);
        put(e, all[i]);
    }
    free(all);
}

/* ---- what has ended ---- */

/* The lowest bit says whether the part had its receipt. */
#define HAD_RECEIPT 1u

static uint64_t ended_key(uint64_t hash, uint64_t number)
{
    return (hash ^ hash_mix(number)) & ~(uint64_t)HAD_RECEIPT;
}

static uint64_t *ended_slot(const struct engine *e, uint64_t key)
{
    return &e->ended_ids[key / 2 % ENDED_IDS_REMEMBERED];
}

enum ended_id correlation_ended(const struct engine *e, const struct receipt_in *in)
{
    uint64_t key = ended_key(in->hash, in->number), seen = *ended_slot(e, key);
    if ((seen & ~(uint64_t)HAD_RECEIPT) != key)
        return ID_NEVER_SEEN;
    return seen & HAD_RECEIPT ? ID_REPORTED : ID_ENDED;
}

void correlation_prefetch(const struct engine *e, const struct receipt_in *in)
{
    __builtin_prefetch(ended_slot(e, ended_key(in->hash, in->number)), 1);
}

void correlate_drop(struct engine *e, struct message *m)
{
    struct correlation *c;
    while ((c = m->correlations) != NULL) {
        m->correlations = c->next_of_message;
        take_out(e, c);
        uint64_t key = ended_key(c->hash, m->number);
        bool reported = ((m->reported | m->unasked) & 1u << (c->part - 1)) != 0;
        *ended_slot(e, key) = key | (reported ? HAD_RECEIPT : 0);
        give_back(e, c);
    }
}

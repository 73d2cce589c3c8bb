/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: which message does a carrier's id belong to, and what does its receipt change?
 *
 * One table for all sessions of all carriers; the key is carrier and id. Where a carrier gives an id
 * twice the destination decides, then the first write. A receipt that comes before its
 * submit_sm_resp is parked for a bounded time and joined when the answer comes. A final state is never
 * left again. Every receipt is answered when what it says is durable. */
#include <stdlib.h>
#include <string.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/number.h"
#include "smpp/receipt.h"

#define FIRST_BUCKETS 1024
#define MOVE_BUCKETS  4
#define EARLY_MS      50 /* for a submit_sm_resp that comes just behind its receipt */

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

void receipts_init(struct engine *e)
{
    e->correlations.count = FIRST_BUCKETS;
    e->correlations.buckets = check_calloc(FIRST_BUCKETS, sizeof *e->correlations.buckets);
    TAILQ_INIT(&e->early);
    TAILQ_INIT(&e->parked);
}

static void drop_parked(struct engine *e, struct parked_receipt *parked)
{
    uint64_t *slot = table_find(&e->parked_by_hash, parked->hash);
    if (slot != NULL && *slot == (uint64_t)(uintptr_t)parked)
        table_remove(&e->parked_by_hash, parked->hash);
    TAILQ_REMOVE(parked->early ? &e->early : &e->parked, parked, link);
    e->parked_count--;
    free(parked);
}

void receipts_release(struct engine *e)
{
    move_some(e, e->old_correlations.count);
    for (size_t i = 0; i < e->correlations.count; i++)
        for (struct correlation *c = e->correlations.buckets[i], *next; c != NULL; c = next) {
            next = c->next_in_bucket;
            free(c);
        }
    free(e->correlations.buckets);
    while (!TAILQ_EMPTY(&e->early))
        drop_parked(e, TAILQ_FIRST(&e->early));
    while (!TAILQ_EMPTY(&e->parked))
        drop_parked(e, TAILQ_FIRST(&e->parked));
    table_release(&e->parked_by_hash);
}

static uint64_t id_hash(const struct engine *e, uint16_t carrier, struct span id)
{
    uint8_t key[2 + MESSAGE_ID_MAX];
    size_t length = id.length < MESSAGE_ID_MAX ? id.length : MESSAGE_ID_MAX;
    key[0] = (uint8_t)(carrier >> 8);
    key[1] = (uint8_t)carrier;
    memcpy(key + 2, id.data, length);
    uint64_t hash = hash64(&e->key, key, length + 2);
    return hash ? hash : 1;
}

static void grow(struct engine *e)
{
    move_some(e, e->old_correlations.count);
    e->old_correlations = e->correlations;
    e->correlations = (struct correlation_table){.count = e->old_correlations.count * 2};
    e->correlations.buckets = check_calloc(e->correlations.count, sizeof *e->correlations.buckets);
}

/* The chain that holds `hash`: not moved yet, or in the new table. */
static struct correlation **chain_of(struct engine *e, uint64_t hash)
{
    struct correlation_table *old = &e->old_correlations;
    if (old->buckets != NULL && (hash & (old->count - 1)) >= old->moved)
        return bucket_of(old, hash);
    return bucket_of(&e->correlations, hash);
}

static struct correlation *find(struct engine *e, uint16_t carrier, struct span id, uint64_t hash,
                                uint64_t number)
{
    struct correlation *best = NULL;
    struct correlation *c = *chain_of(e, hash);
    for (; c != NULL; c = c->next_in_bucket) {
        if (c->hash != hash || c->message->carrier != carrier ||
            !span_equal(span_of(c->id, c->length), id))
            continue;
        bool same_number = c->message->number == number;
        /* Newer entries stand first in a bucket; the last match is the first written. */
        if (best == NULL || same_number || best->message->number != number)
            best = c;
    }
    return best;
}

void correlate_drop(struct engine *e, struct message *m)
{
    struct correlation *c;
    while ((c = m->correlations) != NULL) {
        m->correlations = c->next_of_message;
        struct correlation **at = chain_of(e, c->hash);
        while (*at != c)
            at = &(*at)->next_in_bucket;
        *at = c->next_in_bucket;
        e->correlation_count--;
        free(c);
    }
}

/* ---- what a receipt changes ---- */

Assent__V1__Outcome outcome_of_receipt(uint8_t state)
{
    switch ((Assent__V1__ReceiptState)state) {
    case ASSENT__V1__RECEIPT_STATE__RECEIPT_DELIVERED:
        return ASSENT__V1__OUTCOME__DELIVERED;
    case ASSENT__V1__RECEIPT_STATE__RECEIPT_EXPIRED:
        return ASSENT__V1__OUTCOME__EXPIRED;
    case ASSENT__V1__RECEIPT_STATE__RECEIPT_DELETED:
        return ASSENT__V1__OUTCOME__DELETED;
    case ASSENT__V1__RECEIPT_STATE__RECEIPT_UNDELIVERABLE:
        return ASSENT__V1__OUTCOME__UNDELIVERABLE;
    case ASSENT__V1__RECEIPT_STATE__RECEIPT_REJECTED:
        return ASSENT__V1__OUTCOME__REJECTED;
    case ASSENT__V1__RECEIPT_STATE__RECEIPT_UNKNOWN:
        return ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME;
    default:
        return ASSENT__V1__OUTCOME__OUTCOME_OPEN; /* on its way: nothing is decided */
    }
}

void receipt_apply(struct engine *e, struct message *m, uint8_t part, uint8_t state)
{
    (void)e;
    if (outcome_of_receipt(state) == ASSENT__V1__OUTCOME__OUTCOME_OPEN)
        return;
    m->reported |= (uint16_t)(1u << (part - 1));
    if (state != ASSENT__V1__RECEIPT_STATE__RECEIPT_DELIVERED)
        m->worst_receipt = state;
}

static bool is_complete(const struct message *m)
{
    return m->state == MESSAGE_SENT && m->reported == all_parts(m);
}

static Assent__V1__Outcome outcome_of(const struct message *m)
{
    if (m->worst_receipt != 0)
        return outcome_of_receipt(m->worst_receipt);
    return m->correlations != NULL ? ASSENT__V1__OUTCOME__DELIVERED
                                   : ASSENT__V1__OUTCOME__SENT_NO_RECEIPT;
}

void receipts_settle(struct engine *e, struct message *m)
{
    if (is_complete(m))
        message_end(e, m, outcome_of(m), ASSENT__V1__REASON__REASON_NONE, 0, 0);
}

/* A receipt as it is recorded. */
struct report {
    uint16_t carrier;
    uint64_t number;
    struct span id;
    uint8_t state;
    const char *error_code;
};

static void record_receipt(struct engine *e, const struct report *r, const struct message *m,
                           uint8_t part, Assent__V1__Outcome outcome)
{
    char id[MESSAGE_ID_MAX + 1];
    size_t length = r->id.length < MESSAGE_ID_MAX ? r->id.length : MESSAGE_ID_MAX;
    memcpy(id, r->id.data, length);
    id[length] = '\0';
    Assent__V1__Receipt body = ASSENT__V1__RECEIPT__INIT;
    body.part = part;
    body.state = (Assent__V1__ReceiptState)r->state;
    body.error_code = UNCONST(r->error_code);
    body.outcome = outcome;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_RECEIPT;
    event.receipt = &body;
    if (m != NULL) { /* the `sent` record has carrier and id */
        event.program = e->program_scope[m->program];
        event.message = m->id;
        record_event(e, &event, NULL);
        return;
    }
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = r->number;
    body.carrier = UNCONST(e->carriers[r->carrier].config->name);
    body.carrier_message_id = id;
    body.unmatched = true;
    record_event(e, &event, &personal);
}

static void report_part(struct engine *e, struct message *m, uint8_t part, const struct report *r)
{
    if (m->reported & (1u << (part - 1))) {
        e->metrics.counters[COUNT_RECEIPTS_REPEATED]++;
        return;
    }
    receipt_apply(e, m, part, r->state);
    if (!is_complete(m)) {
        record_receipt(e, r, m, part, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
        return;
    }
    Assent__V1__Outcome outcome = outcome_of(m);
    record_receipt(e, r, m, part, outcome);
    message_finish(e, m, outcome);
}

static void answer_when_durable(struct engine *e, const struct owed *owed)
{
    struct owed answer = *owed;
    answer.ready_at = e->ports->ledger_next(e->ports->context) - 1;
    owe_answer(e, &answer);
}

void correlate_add(struct engine *e, struct message *m, uint8_t part, struct span id)
{
    if (id.length > MESSAGE_ID_MAX)
        id.length = MESSAGE_ID_MAX;
    move_some(e, MOVE_BUCKETS);
    if (e->correlation_count > e->correlations.count)
        grow(e);
    struct correlation *c = check_malloc(sizeof *c + id.length);
    *c = (struct correlation){.hash = id_hash(e, m->carrier, id),
                              .message = m,
                              .part = part,
                              .length = (uint8_t)id.length,
                              .next_of_message = m->correlations};
    memcpy(c->id, id.data, id.length);
    m->correlations = c;
    struct correlation **bucket = chain_of(e, c->hash);
    c->next_in_bucket = *bucket;
    *bucket = c;
    e->correlation_count++;
    struct parked_receipt *parked = table_find_pointer(&e->parked_by_hash, c->hash);
    if (parked == NULL || (parked->number != 0 && parked->number != m->number))
        return;
    struct report r = {m->carrier, m->number, id, parked->state, parked->error_code};
    report_part(e, m, part, &r);
    if (parked->early)
        answer_when_durable(e, &parked->owed);
    drop_parked(e, parked);
}

/* ---- without a message ---- */

static bool is_final(uint8_t state)
{
    return outcome_of_receipt(state) != ASSENT__V1__OUTCOME__OUTCOME_OPEN;
}

static struct parked_receipt *park(struct engine *e, const struct report *r)
{
    struct parked_receipt *parked = check_malloc(sizeof *parked);
    *parked = (struct parked_receipt){.hash = id_hash(e, r->carrier, r->id),
                                      .until_us = e->now.mono_us + PARKED_RECEIPT_MS * US_PER_MS,
                                      .number = r->number,
                                      .carrier = r->carrier,
                                      .state = r->state,
                                      .id_length = (uint8_t)r->id.length};
    memcpy(parked->id, r->id.data, r->id.length);
    strncpy(parked->error_code, r->error_code, sizeof parked->error_code - 1);
    TAILQ_INSERT_TAIL(&e->parked, parked, link);
    uint64_t *found = table_put(&e->parked_by_hash, parked->hash);
    const struct parked_receipt *before = (const struct parked_receipt *)(uintptr_t)*found;
    if (before == NULL || !is_final(before->state) || is_final(parked->state))
        *found = (uint64_t)(uintptr_t)parked; /* a final state is not hidden by one on the way */
    e->parked_count++;
    return parked;
}

void receipt_park_again(struct engine *e, int carrier, struct span id, uint8_t state,
                        const char *error_code, uint64_t number)
{
    struct report r = {(uint16_t)carrier, number, id, state, error_code};
    if (carrier >= 0 && id.length > 0 && id.length <= MESSAGE_ID_MAX)
        park(e, &r);
}

/* A message in doubt has no carrier id. When just one to this number is in doubt at this carrier,
 * the receipt is its; unless another one still waits for its answer, which the receipt may have
 * overtaken. */
static struct message *only_one_in_doubt(const struct engine *e, const struct report *r)
{
    struct message *found = NULL;
    for (struct message *m = message_first_of_number(&e->messages, r->number); m != NULL;
         m = m->next_same_number) {
        if (m->carrier != r->carrier)
            continue;
        if (m->state == MESSAGE_ON_WIRE)
            return NULL;
        if (m->state != MESSAGE_IN_DOUBT || m->parts != 1)
            continue;
        if (found != NULL)
            return NULL;
        found = m;
    }
    return found;
}

/* It was early long enough: it is recorded and answered as it stands. */
static void tell_unmatched(struct engine *e, struct parked_receipt *parked)
{
    struct report r = {parked->carrier, parked->number, span_of(parked->id, parked->id_length),
                       parked->state, parked->error_code};
    struct message *m = only_one_in_doubt(e, &r);
    Assent__V1__Outcome outcome = outcome_of_receipt(r.state);
    bool resolves = m != NULL && outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN;
    if (resolves) {
        record_receipt(e, &r, m, 1, outcome);
        message_finish(e, m, outcome);
    } else {
        e->metrics.counters[COUNT_RECEIPTS_UNMATCHED]++;
        record_receipt(e, &r, NULL, 0, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
    }
    answer_when_durable(e, &parked->owed);
    if (resolves || parked->id_length == 0) {
        drop_parked(e, parked);
        return;
    }
    TAILQ_REMOVE(&e->early, parked, link);
    parked->early = false;
    parked->until_us = e->now.mono_us + PARKED_RECEIPT_MS * US_PER_MS;
    TAILQ_INSERT_TAIL(&e->parked, parked, link);
}

static void park_early(struct engine *e, const struct owed *owed, const struct report *r)
{
    struct parked_receipt *parked = park(e, r);
    TAILQ_REMOVE(&e->parked, parked, link);
    parked->early = true;
    parked->owed = *owed;
    parked->until_us = e->now.mono_us + EARLY_MS * US_PER_MS;
    TAILQ_INSERT_TAIL(&e->early, parked, link);
    e->metrics.counters[COUNT_RECEIPTS_PARKED]++;
}

void receipt_came(struct engine *e, const struct owed *owed, const struct sm_body *body)
{
    struct receipt receipt;
    e->metrics.counters[COUNT_RECEIPTS]++;
    if (!receipt_parse(body, &receipt)) {
        e->metrics.counters[COUNT_RECEIPTS_UNMATCHED]++;
        answer_when_durable(e, owed);
        return;
    }
    struct report r = {owed->carrier, 0, receipt.message_id, (uint8_t)receipt.state,
                       receipt.error_code};
    if (r.id.length > MESSAGE_ID_MAX)
        r.id.length = MESSAGE_ID_MAX;
    if (number_parse(span_from_string(body->source.digits), &r.number) != ERR_OK)
        r.number = 0;
    struct correlation *c = find(e, r.carrier, r.id, id_hash(e, r.carrier, r.id), r.number);
    if (c == NULL) {
        park_early(e, owed, &r);
        return;
    }
    report_part(e, c->message, c->part, &r);
    answer_when_durable(e, owed);
}

void receipts_turn(struct engine *e)
{
    struct parked_receipt *parked;
    while ((parked = TAILQ_FIRST(&e->early)) != NULL && parked->until_us <= e->now.mono_us)
        tell_unmatched(e, parked);
    while ((parked = TAILQ_FIRST(&e->parked)) != NULL &&
           (parked->until_us <= e->now.mono_us || e->parked_count > PARKED_RECEIPTS_MAX))
        drop_parked(e, parked);
}

uint64_t receipts_next_us(const struct engine *e)
{
    const struct parked_receipt *parked = TAILQ_FIRST(&e->early);
    return parked ? parked->until_us : UINT64_MAX;
}

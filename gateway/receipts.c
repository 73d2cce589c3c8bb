/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: what does a carrier's receipt change?
 *
 * Receipts of one read are gathered and looked up together, so that their memory is on its way while the
 * others are worked on: a million open messages do not fit a cache. A receipt that comes before its
 * submit_sm_resp is parked for a bounded time and joined when the answer comes. A final state is never left
 * again; what a carrier says again is counted and changes nothing. Every receipt is answered when what it
 * says is durable. */
#include <stdlib.h>
#include <string.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "smpp/receipt.h"

#define EARLY_MS 50 /* for a submit_sm_resp that comes just behind its receipt */

void receipts_init(struct engine *e)
{
    correlation_init(e);
    TAILQ_INIT(&e->early);
    TAILQ_INIT(&e->parked);
    TAILQ_INIT(&e->joined);
}

/* Of carrier, id and number: an id may have been given twice. Number 0: the receipt names none. */
static uint64_t parked_key(uint64_t hash, uint64_t number)
{
    uint64_t key = hash ^ hash_mix(number);
    return key ? key : 1;
}

static void unlink_parked(struct engine *e, struct parked_receipt *parked)
{
    uint64_t key = parked_key(parked->in.hash, parked->in.number);
    uint64_t *slot = table_find(&e->parked_by_key, key);
    if (slot != NULL && *slot == (uint64_t)(uintptr_t)parked)
        table_remove(&e->parked_by_key, key);
    TAILQ_REMOVE(parked->early ? &e->early : &e->parked, parked, link);
    e->parked_count--;
}

static void drop_parked(struct engine *e, struct parked_receipt *parked)
{
    unlink_parked(e, parked);
    free(parked);
}

void receipts_release(struct engine *e)
{
    correlation_release(e);
    while (!TAILQ_EMPTY(&e->early))
        drop_parked(e, TAILQ_FIRST(&e->early));
    while (!TAILQ_EMPTY(&e->parked))
        drop_parked(e, TAILQ_FIRST(&e->parked));
    struct parked_receipt *joined;
    while ((joined = TAILQ_FIRST(&e->joined)) != NULL) {
        TAILQ_REMOVE(&e->joined, joined, link);
        free(joined);
    }
    table_release(&e->parked_by_key);
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
    return m->state == MESSAGE_SENT && (all_parts(m) & ~(m->reported | m->unasked)) == 0;
}

/* A part that was to report has an id by which it could. */
static bool has_reporter(const struct message *m)
{
    const struct correlation *c = m->correlations;
    while (c != NULL && m->unasked & 1u << (c->part - 1))
        c = c->next_of_message;
    return c != NULL;
}

static Assent__V1__Outcome outcome_of(const struct message *m)
{
    if (m->worst_receipt != 0)
        return outcome_of_receipt(m->worst_receipt);
    return has_reporter(m) ? ASSENT__V1__OUTCOME__DELIVERED : ASSENT__V1__OUTCOME__SENT_NO_RECEIPT;
}

void receipts_settle(struct engine *e, struct message *m)
{
    if (is_complete(m))
        message_end(e, m, outcome_of(m), ASSENT__V1__REASON__REASON_NONE, 0, 0);
}

/* Not every part was reported in time: what one part said of a failure stands, else nothing is known. */
Assent__V1__Outcome receipts_overdue(const struct message *m)
{
    return m->worst_receipt != 0 ? outcome_of_receipt(m->worst_receipt)
                                 : ASSENT__V1__OUTCOME__SENT_NO_RECEIPT;
}

static void record_receipt(struct engine *e, const struct receipt_in *in, struct message *m,
                           uint8_t part, Assent__V1__Outcome outcome)
{
    char id[MESSAGE_ID_MAX + 1];
    memcpy(id, in->id, in->id_length);
    id[in->id_length] = '\0';
    Assent__V1__Receipt body = ASSENT__V1__RECEIPT__INIT;
    body.part = part;
    body.state = (Assent__V1__ReceiptState)in->state;
    body.state_text = UNCONST(in->state_text);
    body.error_code = UNCONST(in->error_code);
    body.outcome = outcome;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_RECEIPT;
    event.receipt = &body;
    if (m != NULL) { /* the `sent` record has carrier and id */
        event.program = e->program_scope[m->program];
        event.message = m->id;
        record_event(e, &event, NULL);
        reputation_reported(e, m, &body, event.wall_ms);
        return;
    }
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = in->number;
    body.carrier = UNCONST(e->carriers[in->owed.carrier].config->name);
    body.carrier_message_id = id;
    body.unmatched = true;
    record_event(e, &event, erasure_remembers(e, in->number) ? NULL : &personal);
}

static void report_part(struct engine *e, struct message *m, uint8_t part,
                        const struct receipt_in *in)
{
    if (m->reported & (1u << (part - 1))) {
        e->metrics.counters[COUNT_RECEIPTS_REPEATED]++;
        return;
    }
    news_take_receipt(e, m, in->state, in->error_code);
    receipt_apply(e, m, part, in->state);
    if (!is_complete(m)) {
        record_receipt(e, in, m, part, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
        return;
    }
    Assent__V1__Outcome outcome = outcome_of(m);
    record_receipt(e, in, m, part, outcome);
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
    const struct correlation *c = correlation_add(e, m, part, id);
    struct parked_receipt *parked =
        table_find_pointer(&e->parked_by_key, parked_key(c->hash, m->number));
    if (parked == NULL)
        parked = table_find_pointer(&e->parked_by_key, parked_key(c->hash, 0));
    if (parked == NULL)
        return;
    parked->message = m->id;
    parked->part = part;
    if (m->state == MESSAGE_NEW ||
        news_of_receipt(e, m->carrier, parked->in.state, parked->in.error_code) == NEWS_OPTED_OUT) {
        unlink_parked(e, parked);
        TAILQ_INSERT_TAIL(&e->joined, parked, link);
        return;
    }
    report_part(e, m, part, &parked->in);
    if (parked->early)
        answer_when_durable(e, &parked->in.owed);
    drop_parked(e, parked);
}

/* What cannot be told while the message is on its way from one state to another: an opt-out ends what
 * waits. And what is replayed has been told, unless the records that follow say otherwise. */
static void tell_joined(struct engine *e)
{
    struct parked_receipt *joined;
    while ((joined = TAILQ_FIRST(&e->joined)) != NULL) {
        struct message *m = message_find(&e->messages, joined->message);
        if (m != NULL && m->state != MESSAGE_ENDED)
            report_part(e, m, joined->part, &joined->in);
        if (joined->early)
            answer_when_durable(e, &joined->in.owed);
        TAILQ_REMOVE(&e->joined, joined, link);
        free(joined);
    }
}

/* ---- without a message ---- */

static bool is_final(uint8_t state)
{
    return outcome_of_receipt(state) != ASSENT__V1__OUTCOME__OUTCOME_OPEN;
}

static void tell_unmatched(struct engine *e, struct parked_receipt *parked);

/* There is always room for one more: the oldest is told if it was not, and let go. */
static void make_room(struct engine *e)
{
    if (e->parked_count < PARKED_RECEIPTS_MAX)
        return;
    if (TAILQ_EMPTY(&e->parked))
        tell_unmatched(e, TAILQ_FIRST(&e->early));
    if (!TAILQ_EMPTY(&e->parked))
        drop_parked(e, TAILQ_FIRST(&e->parked));
}

static struct parked_receipt *park(struct engine *e, const struct receipt_in *in, bool early)
{
    make_room(e);
    struct parked_receipt *parked = check_malloc(sizeof *parked);
    *parked = (struct parked_receipt){.in = *in, .early = early};
    parked->until_us = e->now.mono_us + (early ? EARLY_MS : PARKED_RECEIPT_MS) * US_PER_MS;
    TAILQ_INSERT_TAIL(early ? &e->early : &e->parked, parked, link);
    uint64_t *found = table_put(&e->parked_by_key, parked_key(in->hash, in->number));
    const struct parked_receipt *before = (const struct parked_receipt *)(uintptr_t)*found;
    if (before == NULL || !is_final(before->in.state) || is_final(in->state))
        *found = (uint64_t)(uintptr_t)parked; /* a final state is not hidden by one on the way */
    e->parked_count++;
    return parked;
}

static void set_id(struct engine *e, struct receipt_in *in, struct span id)
{
    in->id_length = (uint8_t)(id.length < MESSAGE_ID_MAX ? id.length : MESSAGE_ID_MAX);
    if (id.length > 0)
        memcpy(in->id, id.data, in->id_length);
    in->hash =
        correlation_hash(e, in->owed.carrier, id, e->carriers[in->owed.carrier].config->receipt_id);
}

void receipt_park_again(struct engine *e, int carrier, const Assent__V1__Receipt *body,
                        uint64_t number)
{
    if (carrier < 0 || body->carrier_message_id[0] == '\0')
        return;
    struct receipt_in in = {.owed.carrier = (uint16_t)carrier, .number = number};
    in.state = (uint8_t)body->state;
    strncpy(in.state_text, body->state_text, sizeof in.state_text - 1);
    strncpy(in.error_code, body->error_code, sizeof in.error_code - 1);
    set_id(e, &in, span_from_string(body->carrier_message_id));
    park(e, &in, false);
}

/* A message in doubt has no carrier id. When just one to this number is in doubt at this carrier,
 * the receipt is its; unless another one still waits for its answer, which the receipt may have
 * overtaken. */
static struct message *only_one_in_doubt(const struct engine *e, const struct receipt_in *in)
{
    struct message *found = NULL;
    for (struct message *m = message_first_of_number(&e->messages, in->number); m != NULL;
         m = m->next_same_number) {
        if (m->carrier != in->owed.carrier)
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
    const struct receipt_in *in = &parked->in;
    struct message *m = in->late ? NULL : only_one_in_doubt(e, in);
    bool resolves = m != NULL && is_final(in->state);
    if (resolves) {
        Assent__V1__Outcome outcome = outcome_of_receipt(in->state);
        news_take_receipt(e, m, in->state, in->error_code);
        record_receipt(e, in, m, 1, outcome);
        message_finish(e, m, outcome);
    } else {
        e->metrics.counters[COUNT_RECEIPTS_UNMATCHED]++;
        record_receipt(e, in, NULL, 0, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
        hint_unmatched(e, in);
    }
    answer_when_durable(e, &in->owed);
    if (resolves || in->id_length == 0) {
        drop_parked(e, parked);
        return;
    }
    TAILQ_REMOVE(&e->early, parked, link);
    parked->early = false;
    parked->until_us = e->now.mono_us + PARKED_RECEIPT_MS * US_PER_MS;
    TAILQ_INSERT_TAIL(&e->parked, parked, link);
}

/* ---- as they come ---- */

static void take(struct engine *e, const struct receipt_in *in)
{
    struct correlation *c = correlation_find(e, in);
    enum ended_id ended = c == NULL ? correlation_ended(e, in) : ID_NEVER_SEEN;
    if (c == NULL && ended != ID_REPORTED) {
        park(e, in, true)->in.late = ended == ID_ENDED;
        e->metrics.counters[COUNT_RECEIPTS_PARKED]++;
        return;
    }
    if (c != NULL)
        report_part(e, c->message, c->part, in);
    else
        e->metrics.counters[COUNT_RECEIPTS_REPEATED]++;
    answer_when_durable(e, &in->owed);
}

/* The line behind it too: memcmp() of its id reads whole registers, and waits for what it does not compare. */
static void fetch_correlation(const struct correlation *c)
{
    __builtin_prefetch(c);
    __builtin_prefetch((const char *)c + CACHE_LINE);
}

/* Each step touches what the one before has asked for. */
static void prefetch_messages(struct engine *e, const struct receipt_in *in, size_t count)
{
    const struct message *messages[RECEIPTS_TOGETHER];
    const struct correlation *found[RECEIPTS_TOGETHER];
    for (size_t i = 0; i < count; i++) {
        found[i] = table_find_pointer(&e->correlations, in[i].hash);
        if (found[i] != NULL)
            fetch_correlation(found[i]);
        correlation_prefetch(e, &in[i]);
    }
    for (size_t i = 0; i < count; i++) {
        messages[i] = found[i] != NULL ? found[i]->message : NULL;
        message_prefetch(messages[i]);
        if (messages[i] != NULL)
            __builtin_prefetch(messages[i]->text, 1);
    }
    for (size_t i = 0; i < count; i++) {
        const struct message *m = messages[i];
        if (m == NULL)
            continue;
        message_prefetch_around(&e->messages, m);
        __builtin_prefetch(&e->ended[m->id % ENDED_REMEMBERED], 1);
    }
}

void receipts_take(struct engine *e)
{
    for (size_t at = 0, count; at < e->gathered_count; at += count) {
        size_t left = e->gathered_count - at;
        count = left < RECEIPTS_TOGETHER ? left : RECEIPTS_TOGETHER;
        prefetch_messages(e, &e->gathered[at], count);
        for (size_t i = 0; i < count; i++)
            take(e, &e->gathered[at + i]);
    }
    e->gathered_count = 0;
}

static void copy_word(char *out, size_t size, struct span word)
{
    size_t length = word.length < size - 1 ? word.length : size - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(word.data[i] > ' ' && word.data[i] < 0x7f ? word.data[i] : '?');
    out[length] = '\0';
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
    if (e->gathered_count == RECEIPTS_GATHERED)
        receipts_take(e);
    struct receipt_in *in = &e->gathered[e->gathered_count++];
    in->owed = *owed;
    in->state = (uint8_t)receipt.state;
    in->state_text[0] = '\0';
    in->late = false;
    if (receipt.strange) { /* it may be on its way as well as ended: it decides nothing */
        in->state = ASSENT__V1__RECEIPT_STATE__RECEIPT_UNSPECIFIED;
        copy_word(in->state_text, sizeof in->state_text, receipt.state_text);
    }
    memcpy(in->error_code, receipt.error_code, sizeof in->error_code);
    in->number = addressing_number(&e->config->carriers[owed->carrier].addressing, &body->source);
    set_id(e, in, receipt.message_id);
    table_prefetch(&e->correlations, in->hash);
}

void receipts_turn(struct engine *e)
{
    struct parked_receipt *parked;
    receipts_take(e);
    tell_joined(e);
    while ((parked = TAILQ_FIRST(&e->early)) != NULL && parked->until_us <= e->now.mono_us)
        tell_unmatched(e, parked);
    while ((parked = TAILQ_FIRST(&e->parked)) != NULL && parked->until_us <= e->now.mono_us)
        drop_parked(e, parked);
}

uint64_t receipts_next_us(const struct engine *e)
{
    const struct parked_receipt *parked = TAILQ_FIRST(&e->early);
    return parked ? parked->until_us : UINT64_MAX;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From the queue to the wire and to the carrier's answer:
 *
 *   WAITING --token, slot, attempt--> INTENT --durable--> ASKED --pass--> CLEARED --write--> ON_WIRE
 *
 * P1 and P6 are this order: the intent is durable before Redis is asked, Redis is asked before octets
 * are made, and between answer and octets stands only the deny set (P2) and the verdict's age. What
 * falls out anywhere on the way gives token and slot back. */

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "smpp/text.h"
#include "smpp/time_text.h"

#define ASK_QUEUED_US    1000 /* how long a question may wait before Redis; see adapt_ask_limit() */
#define ASK_LIMIT_MIN    128
#define ASK_LIMIT_MAX    512
#define OPT_OUTS_COME_US (100 * US_PER_MS) /* others are taken to follow one for so long */
#define FETCHED_AHEAD    4   /* answers of Redis whose messages are looked for before their turn */
#define QUIET_A_TURN     500 /* messages of a lane that one turn puts aside for quiet hours */

/* ---- dispatch: tokens, slots, intent ---- */

bool message_is_exempt(const struct message *m)
{
    return m->message_class == ASSENT__V1__CLASS__EMERGENCY || service_confirms(m->service) ||
           m->service == ASSENT__V1__SERVICE_KIND__HELP_REPLY;
}

/* False while the carrier's lane stands still because it refused. */
static bool keep_pace(struct engine *e, struct carrier *c)
{
    uint64_t now_us = e->now.mono_us;
    bool open = pacing_turn(&c->pacing, c->pacing.event ? carrier_unanswered(c) : 0, now_us);
    const struct ramp *rate = &c->pacing.rate;
    if (c->throttle.rate != rate->value)
        throttle_set_rate(&c->throttle, rate->value, ramp_is_cut(rate), now_us);
    return open;
}

static uint32_t pause_bits(struct engine *e, struct carrier *c)
{
    uint32_t bits = 0;
    if (carrier_bound(c) == 0)
        bits |= PAUSE_LINK_DOWN;
    if (!keep_pace(e, c))
        bits |= PAUSE_THROTTLED;
    if (!gate_is_open(e))
        bits |= PAUSE_GATE_AWAY;
    if (e->ports->ledger_no_space(e->ports->context) ||
        e->ports->ledger_room(e->ports->context) < LEDGER_BATCH_OCTETS / 2)
        bits |= PAUSE_LEDGER;
    if (e->draining)
        bits |= PAUSE_DRAINING;
    return bits;
}

/* All parts on one session, as parts that take two ways may never join at the handset; another one
 * only when that session is gone and nothing is unanswered on it. */
static struct carrier_link *link_for(struct engine *e, struct carrier *c, const struct message *m)
{
    struct carrier_link *link = &c->links[m->link_index];
    bool usable = link->session != NULL && !link->closing && session_may_submit(link->session);
    if (m->flying == 0 && (m->done == 0 || !usable))
        return carrier_pick_link(e, c, m);
    return usable && link_room(e, c, link, m) > 0 ? link : NULL;
}

static unsigned lowest(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void dispatch_one(struct engine *e, struct carrier *c, struct carrier_link *link,
                         struct message *m, uint32_t room)
{
    unsigned todo = (unsigned)__builtin_popcount(m->todo);
    unsigned count = lowest(todo, lowest(room, link_room(e, c, link, m)));
    queue_take(&c->queue, m, count);
    throttle_reserve(&c->throttle, count);
    for (unsigned i = 0; i < count && e->plant == PLANT_RATE_AT_DISPATCH; i++)
        throttle_write(&c->throttle, e->now.mono_us);
    struct throttle *own = link_throttle(e, c, link);
    if (own != NULL)
        throttle_reserve(own, count);
    link->reserved += count;
    m->reserved = (uint8_t)count;
    m->link_index = (uint8_t)link->index;
    m->in_part = count < todo;
    if (m->flow->sender != NULL)
        sender_reserve(e, m);
    else
        c->in_part[m->message_class] += m->in_part;
    wheel_cancel(&e->wheel, &m->timer);
    message_set_state(&e->messages, m, MESSAGE_INTENT);
    if (!m->intent) {
        m->attempts++;
        record_attempt(e, m);
    }
}

/* What waits for the disk may be more than Redis could answer in good time, so that neither waits for the
 * other; but not while opt-outs come: their batches would be larger, and those before them. */
static bool pipeline_is_full(const struct engine *e)
{
    const uint64_t *counts = e->messages.counts;
    return counts[MESSAGE_INTENT] + counts[MESSAGE_ASKED] >=
           (e->now.mono_us < e->opt_outs_until_us ? e->ask_limit : ASK_LIMIT_MAX);
}

static uint32_t waits_for(struct ramp *ramp, uint32_t bit, uint32_t cut_bit)
{
    ramp->limited = true;
    return ramp_is_cut(ramp) ? bit | cut_bit : bit;
}

/* It is quiet at its recipient's: it leaves its queue until that is over. */
static void put_aside(struct engine *e, struct message *m)
{
    message_leave_state(e, m);
    m->due_us = 0;
    message_wait(e, m, false); /* asks, and records */
}

/* False when the carrier can take no more this turn. */
static bool dispatch_class(struct engine *e, struct carrier *c, Assent__V1__Class message_class)
{
    struct message *m;
    unsigned aside = 0;
    while ((m = queue_peek(&c->queue, message_class)) != NULL) {
        if (c->in_part[message_class] > 0)
            return false; /* its other parts come first: it is back in a moment */
        if (e->now.mono_us >= m->expires_us && m->flying == 0 && m->done == 0) {
            message_end(e, m, ASSENT__V1__OUTCOME__EXPIRED, ASSENT__V1__REASON__TIME_TO_LIVE, 0, 0);
            continue;
        }
        if (reputation_parks(e, m))
            continue; /* its flow waits, and the lane goes on */
        if (message_is_quiet(e, m)) {
            put_aside(e, m);
            if (++aside == QUIET_A_TURN)
                return false; /* the next turn goes on */
            continue;
        }
        if (!class_is_urgent(message_class) && pipeline_is_full(e)) {
            c->paused |= PAUSE_GATE_BUSY;
            return false;
        }
        uint32_t room = throttle_room(&c->throttle, e->now.mono_us, class_is_urgent(message_class),
                                      (uint32_t)__builtin_popcount(m->todo));
        if (room == 0) {
            c->paused |= waits_for(&c->pacing.rate, PAUSE_RATE, PAUSE_RATE_CUT);
            return true; /* an urgent class has room of its own, a lower one has less */
        }
        if (m->flow->sender != NULL && (room = sender_room(e, m, room)) == 0)
            continue; /* its flow waits, and the lane goes on */
        struct carrier_link *link = link_for(e, c, m);
        if (link == NULL && c->paused & PAUSE_SESSION_RATE)
            return false;
        if (link == NULL) {
            c->paused |= waits_for(&c->pacing.window, PAUSE_WINDOW, PAUSE_WINDOW_CUT);
            return false;
        }
        dispatch_one(e, c, link, m, room);
    }
    return true;
}

static void dispatch_classes(struct engine *e, struct carrier *c)
{
    for (int i = 0; i < CLASS_COUNT - 1; i++) {
        int at = e->plant == PLANT_NO_PRIORITY ? CLASS_COUNT - 2 - i : i;
        if (!dispatch_class(e, c, queue_order[at]) ||
            (c->paused & PAUSE_RATE && !class_is_urgent(queue_order[at])))
            return;
    }
}

static void dispatch_carrier(struct engine *e, struct carrier *c)
{
    c->paused = pause_bits(e, c);
    if (c->paused == 0)
        dispatch_classes(e, c);
    if (c->senders_waiting > c->senders_capped)
        c->paused |= PAUSE_SENDER_RATE;
    if (c->senders_capped > 0)
        c->paused |= PAUSE_SENDER_DAILY;
    if (c->reputations_paused > 0)
        c->paused |= PAUSE_REPUTATION;
}

/* Carriers take turns where the pipeline is too small for all: whoever filled it comes last the next time, whoever
 * found it full comes first. So what one turn takes is mostly one carrier's, and finds its windows empty: few and long
 * writes. */
void dispatch_turn(struct engine *e)
{
    if (e->projection.queue_count + e->projection.sent_count > 0)
        e->opt_outs_until_us = e->now.mono_us + OPT_OUTS_COME_US;
    uint16_t count = e->config->carrier_count, first = e->first_carrier;
    bool filled = false;
    for (uint16_t i = 0; i < count; i++) {
        uint16_t at = (uint16_t)((first + i) % count);
        uint64_t before = e->messages.counts[MESSAGE_INTENT];
        dispatch_carrier(e, &e->carriers[at]);
        if (filled || (e->carriers[at].paused & PAUSE_GATE_BUSY) == 0)
            continue;
        filled = true;
        bool took = e->messages.counts[MESSAGE_INTENT] > before;
        e->first_carrier = (uint16_t)((at + took) % count);
    }
}

/* When the first of the sessions has room by its own rate. */
static uint64_t sessions_next_us(struct engine *e, struct carrier *c)
{
    uint64_t next = UINT64_MAX, now_us = e->now.mono_us;
    bool urgent = queue_peek(&c->queue, ASSENT__V1__CLASS__OTP) != NULL;
    for (uint16_t i = 0; i < c->link_count; i++) {
        struct throttle *own = link_throttle(e, c, &c->links[i]);
        uint64_t at = own != NULL ? throttle_next(own, now_us, urgent) : UINT64_MAX;
        next = at < next ? at : next;
    }
    return next;
}

uint64_t dispatch_next_us(struct engine *e)
{
    uint64_t next = UINT64_MAX, now_us = e->now.mono_us;
    for (uint16_t i = 0; i < e->config->carrier_count; i++) {
        struct carrier *c = &e->carriers[i];
        uint64_t at = UINT64_MAX;
        if (c->paused & PAUSE_THROTTLED)
            at = pacing_next_us(&c->pacing);
        else if ((c->paused & ~(uint32_t)(PAUSE_RATE_CUT | PAUSES_OF_SENDERS)) == PAUSE_RATE)
            at = throttle_next(&c->throttle, now_us,
                               queue_peek(&c->queue, ASSENT__V1__CLASS__OTP) != NULL);
        else if (c->paused & PAUSE_SESSION_RATE)
            at = sessions_next_us(e, c);
        else if (c->paused & PAUSE_LEDGER)
            at = now_us + 100 * US_PER_MS;
        if (at < now_us + US_PER_MS)
            at = now_us + US_PER_MS; /* a turn a millisecond is enough at any rate */
        next = at < next ? at : next;
    }
    return next;
}

/* ---- gate ---- */

/* A brand's scope stands for its marketing: a code or a receipt of the same brand still goes out. */
uint8_t message_scopes(const struct engine *e, const struct message *m,
                       uint16_t out[CHECK_SCOPES_MAX])
{
    uint8_t count = 0;
    out[count++] = SCOPE_EVERYTHING;
    out[count++] = SCOPE_HOLD;
    if (m->message_class == ASSENT__V1__CLASS__MARKETING ||
        m->message_class == ASSENT__V1__CLASS__SERVICE)
        out[count++] = e->brand_scope[m->program];
    out[count++] = e->program_scope[m->program];
    return count;
}

/* Parts of it are on the wire: it ends when they are answered. */
static void write_no_more(struct engine *e, struct message *m)
{
    message_give_back(e, m);
    message_set_state(&e->messages, m, MESSAGE_ON_WIRE);
    message_settle(e, m);
}

static void suppress(struct engine *e, struct message *m, Assent__V1__Reason reason, uint16_t scope)
{
    if (m->flying != 0) {
        m->stopped = true;
        write_no_more(e, m);
        return;
    }
    message_end(e, m, ASSENT__V1__OUTCOME__SUPPRESSED, reason, scope, 0);
}

static void clear(struct engine *e, struct message *m)
{
    m->verdict_us = e->now.mono_us;
    message_set_state(&e->messages, m, MESSAGE_CLEARED);
}

/* What the gates said of it; `scope` where an opt-out denied. PASS is left to the caller. */
static void do_not_write(struct engine *e, struct message *m, const struct decision *d,
                         uint16_t scope)
{
    if (d->kind == DECISION_REFUSE)
        suppress(e, m, d->reason, scope);
    else if (d->kind == DECISION_WAIT)
        message_hold_until(e, m, d->reason, d->not_before_wall_ms);
    else
        message_hold(e, m, d->reason);
}

/* Quiet hours hold what has not begun: the rest of a text follows its first part. */
static bool waits(const struct message *m, const struct decision *d)
{
    return gate_answer_of(d->answers, GATE_QUIET_HOURS) == ANSWER_REFUSED && m->flying == 0 &&
           m->done == 0;
}

static void ask(struct engine *e, struct message *m)
{
    struct check check;
    m->generation++;
    gates_check(e, m, &check);
    m->need_days = check.need_days;
    if (!gate_is_open(e) || !e->ports->store_check(e->ports->context, &check)) {
        message_hold(e, m, ASSENT__V1__REASON__GATE_AWAY);
        return;
    }
    e->metrics.counters[COUNT_CHECKS]++;
    m->verdict_us = e->now.mono_us; /* a verdict's age counts from the question: the safe side */
    message_set_state(&e->messages, m, MESSAGE_ASKED);
}

/* What needs nothing from Redis, or fails without it, does not ask. */
static void ask_gates(struct engine *e, struct message *m)
{
    struct gate_facts facts;
    content_look(e, m);
    gates_own_facts(e, m, &facts);
    struct decision d = policy_decide(&facts);
    m->gates = d.answers;
    if (d.kind == DECISION_PASS || e->plant == PLANT_CHECK_DROPPED)
        clear(e, m);
    else if (d.kind == DECISION_REFUSE)
        do_not_write(e, m, &d, 0);
    else if (waits(m, &d))
        message_hold_until(e, m, ASSENT__V1__REASON__QUIET_HOURS, facts.quiet_until_wall_ms);
    else
        ask(e, m);
}

/* Bulk waits here while Redis has enough to answer; what is urgent passes it. */
void gate_turn(struct engine *e)
{
    struct message *m, *next = TAILQ_FIRST(&e->messages.lists[MESSAGE_INTENT]);
    uint64_t last = e->messages.counts[MESSAGE_INTENT];
    while (last-- > 0 && (m = next) != NULL) {
        next = TAILQ_NEXT(m, link);
        message_prefetch(next);
        if (m->attempt_sequence > e->durable && e->plant != PLANT_ATTEMPT_NOT_DURABLE)
            return;
        if (class_is_urgent((Assent__V1__Class)m->message_class) ||
            e->messages.counts[MESSAGE_ASKED] < e->ask_limit)
            ask_gates(e, m);
    }
}

/* Bulk before Redis is kept to what adds a millisecond to the shortest time in which Redis answers,
 * be it on this machine or far away: a code's question or the opt-out of a STOP then never stands long
 * behind a campaign's, and verdicts do not grow too old to be used. The shortest time is forgotten by
 * and by, since Redis may move. */
static void adapt_ask_limit(struct engine *e, uint64_t took_us, size_t answers)
{
    e->ask_shortest_us += e->ask_shortest_us / 1024 + 1;
    if (e->ask_shortest_us > took_us)
        e->ask_shortest_us = took_us;
    if (took_us > e->ask_shortest_us + ASK_QUEUED_US)
        e->ask_limit -= e->ask_limit / 4;
    else
        e->ask_limit += answers / 4 + 1;
    if (e->ask_limit < ASK_LIMIT_MIN)
        e->ask_limit = ASK_LIMIT_MIN;
    if (e->ask_limit > ASK_LIMIT_MAX)
        e->ask_limit = ASK_LIMIT_MAX;
}

static uint64_t message_of(const struct check_result *result)
{
    return result->cookie >> 8;
}

static void checked(struct engine *e, struct check_result result)
{
    struct message *m = message_find(&e->messages, message_of(&result));
    if (m == NULL || m->state != MESSAGE_ASKED || m->generation != (uint8_t)result.cookie)
        return;                            /* cancelled or held meanwhile */
    message_prefetch(TAILQ_NEXT(m, link)); /* most often the next one answered */
    histogram_add(&e->metrics.timings[TIME_CHECK], e->now.mono_us - m->verdict_us);
    if (!result.known && e->plant == PLANT_UNKNOWN_PASSES)
        result = (struct check_result){.known = true, .opted_in = true};
    struct check asked;
    struct gate_facts facts;
    gates_check(e, m, &asked);
    gates_own_facts(e, m, &facts);
    gates_add_answer(e, m, &asked, &result, &facts);
    struct decision d = policy_decide(&facts);
    m->gates = d.answers;
    if (d.kind == DECISION_PASS || (d.kind == DECISION_WAIT && !waits(m, &d))) {
        message_set_state(&e->messages, m, MESSAGE_CLEARED);
    } else if (d.kind == DECISION_UNKNOWN && result.known && !m->need_days) {
        m->need_days = true; /* a new owner, since when? or a consent whose day is not known */
        message_set_state(&e->messages, m, MESSAGE_INTENT);
    } else {
        e->metrics.counters[COUNT_CHECKS_UNKNOWN] += !result.known;
        do_not_write(e, m, &d, gates_denied_scope(&asked, &result));
    }
}

void engine_on_checked(struct engine *e, const struct check_result *results, size_t count,
                       struct instant now)
{
    e->now = now;
    const struct message *oldest = TAILQ_FIRST(&e->messages.lists[MESSAGE_ASKED]);
    if (oldest != NULL)
        adapt_ask_limit(e, now.mono_us - oldest->verdict_us, count);
    for (size_t i = 0; i < count; i++) {
        if (i + FETCHED_AHEAD < count)
            message_prefetch_place(&e->messages, message_of(&results[i + FETCHED_AHEAD]));
        if (results[i].cookie & PREFLIGHT_COOKIE)
            preflight_checked(e, &results[i]);
        else
            checked(e, results[i]);
    }
}

/* ---- wire ---- */

static void make_addresses(const struct engine *e, const struct message *m, struct sm_out *out)
{
    const struct addressing *rules = &e->config->carriers[m->carrier].addressing;
    addressing_sender(rules, e->config->programs[m->program].senders[m->sender], &out->source);
    addressing_recipient(rules, m->number, &out->destination);
}

/* What is left of its time to live; beyond it the carrier must not send it either. */
static struct span make_validity(const struct engine *e, const struct message *m,
                                 char text[TIME_TEXT_SIZE])
{
    uint64_t least_us = e->now.mono_us + US_PER_S; /* parts may go out later than the first one */
    uint64_t until_us = m->expires_us > least_us ? m->expires_us : least_us;
    uint64_t left_ms = (until_us - e->now.mono_us) / US_PER_MS;
    switch (e->config->carriers[m->carrier].validity) {
    case VALIDITY_UNSAID:
        return (struct span){0};
    case VALIDITY_RELATIVE:
        time_text_relative(left_ms, text);
        break;
    case VALIDITY_ABSOLUTE:
        time_text_absolute(e->now.wall_ms + left_ms, text);
        break;
    }
    return span_of(text, TIME_TEXT_MAX);
}

/* Whether this part is to report; kept with the message, since the setting may be another one when its
 * receipts come. */
static bool ask_for_receipt(const struct engine *e, struct message *m, unsigned part)
{
    uint16_t bit = (uint16_t)(1u << (part - 1));
    bool asks =
        part == m->parts || e->config->carriers[m->carrier].receipt_parts == RECEIPTS_OF_ALL;
    m->unasked = asks ? m->unasked & (uint16_t)~bit : m->unasked | bit;
    return asks;
}

static enum err write_part(struct engine *e, struct message *m, struct session *session,
                           unsigned part)
{
    struct text_storage storage;
    struct text_plan plan = message_text_plan(m);
    char validity[TIME_TEXT_SIZE];
    struct sm_out out = {
        .service_type = span_from_string(e->config->carriers[m->carrier].service_type),
        .validity_period = make_validity(e, m, validity),
        .registered_delivery = ask_for_receipt(e, m, part),
    };
    make_addresses(e, m, &out);
    if (!text_fill(message_text(m), &plan, (uint8_t)part, (uint16_t)m->id, &storage, &out))
        return ERR_BAD_INPUT;
    return session_submit(session, &out, m->id << PART_BITS | (part - 1), e->now.mono_us);
}

static void written(struct engine *e, struct message *m)
{
    message_give_back(e, m); /* nothing is held: but its lane may go on */
    if (m->done == 0 && m->attempts == 1) {
        enum timing timing =
            m->message_class == ASSENT__V1__CLASS__OTP ? TIME_OTP_TO_WIRE : TIME_TO_WIRE;
        histogram_add(&e->metrics.timings[timing], e->now.mono_us - m->accepted_us);
    }
    m->verdict_us = e->now.mono_us;
    if (m->todo == 0) {
        message_set_state(&e->messages, m, MESSAGE_ON_WIRE);
        return;
    }
    m->due_us = 0;
    message_wait(e, m, true); /* the other parts, as tokens come */
}

/* The session has to look whether this one was answered in time, however quiet the carrier is. */
static void ask_for_tick(const struct engine *e, const struct carrier *c, struct carrier_link *link)
{
    uint64_t overdue_us = e->now.mono_us + c->config->request_timeout_ms * US_PER_MS;
    if (link->tick_us > overdue_us)
        link->tick_us = overdue_us;
}

/* Writes the parts that hold tokens. */
static void write_message(struct engine *e, struct message *m)
{
    struct carrier *c = message_carrier(e, m);
    struct carrier_link *link = &c->links[m->link_index];
    while (m->reserved > 0) {
        unsigned part = (unsigned)__builtin_ctz(m->todo) + 1;
        enum err err = write_part(e, m, link->session, part);
        if (err == ERR_BAD_INPUT) {
            m->failed = true;
            m->command_status = ESME_RINVMSGLEN;
            message_give_back(e, m);
            break;
        }
        if (err != ERR_OK) { /* the carrier does not read, or is leaving */
            message_hold(e, m, ASSENT__V1__REASON__LINK_LOST);
            return;
        }
        if (e->plant != PLANT_RATE_AT_DISPATCH)
            throttle_write(&c->throttle, e->now.mono_us);
        ask_for_tick(e, c, link);
        struct throttle *own = link_throttle(e, c, link);
        if (own != NULL)
            throttle_write(own, e->now.mono_us);
        if (m->flow->sender != NULL)
            sender_write(e, m->flow->sender);
        link->reserved--;
        m->reserved--;
        m->depth = (uint16_t)session_window_used(link->session);
        m->todo &= (uint16_t) ~(1u << (part - 1));
        m->flying |= (uint16_t)(1u << (part - 1));
        e->metrics.counters[COUNT_SUBMIT_SM]++;
    }
    if (m->failed && m->flying == 0)
        message_end(e, m, ASSENT__V1__OUTCOME__REJECTED, ASSENT__V1__REASON__CARRIER_STATUS, 0, 0);
    else
        written(e, m);
}

static void wire_one(struct engine *e, struct message *m)
{
    if (m->failed || m->stopped || m->elsewhere) { /* while this part was on its way */
        write_no_more(e, m);
        return;
    }
    if (reputation_holds(e, m)) { /* likewise since it left its queue */
        message_hold(e, m, ASSENT__V1__REASON__SENDER_PAUSED);
        return;
    }
    if (message_is_quiet(e, m)) { /* since it left its queue */
        message_hold_until(e, m, ASSENT__V1__REASON__QUIET_HOURS, message_quiet_until(e, m));
        return;
    }
    if (!message_is_exempt(m)) {
        enum gate gate;
        uint16_t scope;
        if (e->plant != PLANT_DENY_NOT_CONSULTED && gates_denied_here(e, m, &gate, &scope)) {
            m->gates = gate_answers_with(m->gates, gate, ANSWER_REFUSED);
            suppress(e, m, gate_reason(gate), scope);
            return;
        }
        if (e->now.mono_us > m->verdict_us + VERDICT_AGE_MAX_MS * US_PER_MS) {
            e->metrics.counters[COUNT_CHECKS_AGED]++;
            message_set_state(&e->messages, m, MESSAGE_INTENT); /* asked again next turn */
            return;
        }
    }
    write_message(e, m);
}

void wire_turn(struct engine *e)
{
    struct message *m;
    while ((m = TAILQ_FIRST(&e->messages.lists[MESSAGE_CLEARED])) != NULL) {
        message_prefetch_text(TAILQ_NEXT(m, link));
        wire_one(e, m);
    }
}

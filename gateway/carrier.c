/* SPDX-License-Identifier: Apache-2.0 */
/* Links and sessions of the carriers: connecting with back-off and jitter, binding, what a session
 * reports, answers to deliver_sm that wait for the ledger, and cleaning up. A session is freed at the
 * end of the turn, never inside one of its own calls. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "smpp/receipt.h"
#include "smpp/status.h"

#define REFUSED_BACKOFF 5   /* a refused bind waits so many times the shortest back-off */
#define RUN_MAX         512 /* messages in a row on one session, at most */
#define BIND_STABLE_US  (10 * US_PER_S) /* a bind that lasted is no reason to wait longer */

/* ---- what a session reports ---- */

static struct carrier *carrier_of(struct carrier_link *link)
{
    return &link->engine->carriers[link->carrier];
}

static void record_state(struct carrier_link *link, bool bound, const char *why)
{
    struct engine *e = link->engine;
    Assent__V1__CarrierState body = ASSENT__V1__CARRIER_STATE__INIT;
    body.carrier = UNCONST(carrier_of(link)->config->name);
    body.session = link->index;
    body.bound = bound;
    body.why = UNCONST(why);
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_CARRIER_STATE;
    event.carrier_state = &body;
    record_event(e, &event, NULL);
}

static void on_bound(void *context, struct session *session)
{
    (void)session;
    struct carrier_link *link = context;
    link->bound = true;
    link->bound_at_us = link->engine->now.mono_us;
    link->refused = ESME_ROK;
    record_state(link, true, "");
}

static void on_request_ended(void *context, struct session *session, uint64_t cookie,
                             enum request_end end, uint32_t command_status, struct span message_id)
{
    (void)session;
    struct carrier_link *link = context;
    message_request_ended(link->engine, cookie, end, command_status, message_id);
}

static void on_late_answer(void *context, struct session *session, uint64_t cookie,
                           uint32_t command_status, struct span message_id)
{
    (void)session;
    struct carrier_link *link = context;
    message_late_answer(link->engine, cookie, command_status, message_id);
}

static void on_message(void *context, struct session *session, const struct pdu_header *header,
                       const struct sm_body *body)
{
    (void)session;
    struct carrier_link *link = context;
    struct engine *e = link->engine;
    struct owed owed = {.carrier = link->carrier,
                        .link = link->index,
                        .generation = link->generation,
                        .sequence_number = header->sequence_number,
                        .command_id = header->command_id};
    e->metrics.counters[COUNT_DELIVER_SM]++;
    bool by_text = carrier_of(link)->config->receipts_by_text == YES && receipt_is_by_text(body);
    if (receipt_is(body) || by_text)
        receipt_came(e, &owed, body);
    else
        inbound_came(e, &owed, body);
}

/* What holds a place at this carrier, or on this link of it, and is not written yet goes back to the
 * queue. */
static void hold_all(struct engine *e, const struct carrier *c, const struct carrier_link *link,
                     Assent__V1__Reason reason)
{
    static const enum message_state states[] = {MESSAGE_CLEARED, MESSAGE_ASKED, MESSAGE_INTENT};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct message *m = TAILQ_LAST(&e->messages.lists[states[i]], message_list), *previous;
        for (; m != NULL; m = previous) {
            previous = TAILQ_PREV(m, message_list, link);
            if (message_carrier(e, m) == c && (link == NULL || m->link_index == link->index))
                message_hold(e, m, reason);
        }
    }
}

void engine_why(char out[CARRIER_WHY_MAX], const char *why, uint32_t command_status)
{
    const char *name = status_name(command_status);
    if (command_status == ESME_ROK)
        snprintf(out, CARRIER_WHY_MAX, "%s", why);
    else if (name != NULL)
        snprintf(out, CARRIER_WHY_MAX, "%s %s", why, name);
    else
        snprintf(out, CARRIER_WHY_MAX, "%s 0x%08x", why, (unsigned)command_status);
}

/* Whoever knocks too often stays out longer: at many carriers a bind that hangs (ESME_RALYBND) ends
 * only when nobody asks for a while, and a wrong password locks the account. So a refusal waits longer
 * than a lost connection does, each time twice as long, and wrong credentials the longest at once. */
static void back_off_refused(struct carrier_link *link, uint32_t command_status)
{
    const struct carrier_config *config = carrier_of(link)->config;
    bool credentials = command_status == ESME_RINVPASWD || command_status == ESME_RINVSYSID;
    uint64_t least_ms = credentials ? config->reconnect_max_ms
                                    : (uint64_t)config->reconnect_min_ms * REFUSED_BACKOFF;
    link->refused = command_status;
    if (link->backoff_ms < least_ms)
        link->backoff_ms = least_ms;
    if (link->backoff_ms > config->reconnect_max_ms)
        link->backoff_ms = config->reconnect_max_ms;
}

static void add_counts(struct session_counts *sum, const struct session_counts *counts)
{
    sum->unmatched += counts->unmatched;
    sum->nacks += counts->nacks;
    sum->unknown += counts->unknown;
    sum->malformed += counts->malformed;
}

struct session_counts carrier_odd(const struct carrier *c)
{
    struct session_counts sum = c->odd;
    for (uint16_t i = 0; i < c->link_count; i++)
        if (c->links[i].session != NULL)
            add_counts(&sum, session_counts(c->links[i].session));
    return sum;
}

static void on_closed(void *context, struct session *session, const char *why,
                      uint32_t command_status)
{
    (void)session;
    struct carrier_link *link = context;
    struct engine *e = link->engine;
    if (link->bound) {
        e->metrics.counters[COUNT_CARRIER_LOST]++;
        record_state(link, false, why);
        if (e->now.mono_us >= link->bound_at_us + BIND_STABLE_US)
            link->backoff_ms = 0;
    }
    engine_why(carrier_of(link)->why, why, command_status);
    if (command_status != ESME_ROK)
        back_off_refused(link, command_status);
    link->bound = false;
    link->closing = true;
    hold_all(e, carrier_of(link), link, ASSENT__V1__REASON__LINK_LOST);
    CHECK(link->reserved == 0 || e->plant != PLANT_NONE);
    link->reserved = 0;
}

static const struct session_handlers handlers = {
    .bound = on_bound,
    .request_ended = on_request_ended,
    .late_answer = on_late_answer,
    .message = on_message,
    .closed = on_closed,
};

static void on_traced(void *context, struct session *session, bool outgoing, struct span pdu)
{
    (void)session;
    struct carrier_link *link = context;
    const struct ports *ports = link->engine->ports;
    ports->traced(ports->context, link->carrier, link->index, outgoing, pdu);
}

/* ---- connecting ---- */

static enum session_mode mode_of(const struct carrier_config *config, uint16_t index)
{
    if (config->bind == BIND_TRANSCEIVER)
        return SESSION_TRANSCEIVER;
    return index % 2 == 0 ? SESSION_TRANSMITTER : SESSION_RECEIVER;
}

void carrier_init(struct engine *e, uint16_t index)
{
    struct carrier *c = &e->carriers[index];
    c->config = &e->config->carriers[index];
    c->submit_id = c->config->submit_id;
    queue_init(&c->queue);
    pacing_init(&c->pacing, c->config->rate, c->config->window, c->config->adapt == YES);
    c->link_count = c->config->sessions * (c->config->bind == BIND_TRANSCEIVER ? 1 : 2);
    c->links = check_calloc(c->link_count, sizeof *c->links);
    for (uint16_t i = 0; i < c->link_count; i++) {
        struct carrier_link *link = &c->links[i];
        link->engine = e;
        link->carrier = index;
        link->index = i;
        link->mode = mode_of(c->config, i);
        link->tick_us = UINT64_MAX;
    }
}

void carriers_init(struct engine *e)
{
    e->carriers = check_calloc(CARRIERS_MAX, sizeof *e->carriers);
    while (e->carrier_count < e->config->carrier_count)
        carrier_init(e, e->carrier_count++);
    TAILQ_INIT(&e->owed_stops);
}

void carriers_release(struct engine *e)
{
    for (uint16_t i = 0; i < e->carrier_count; i++) {
        struct carrier *c = &e->carriers[i];
        for (uint16_t j = 0; j < c->link_count; j++) {
            if (c->links[j].session != NULL)
                session_free(c->links[j].session);
            free(c->links[j].throttle);
        }
        free(c->links);
        queue_release(&c->queue, &e->messages);
        senders_release(c);
    }
    free(e->carriers);
    free(e->owed);
    struct owed_stop *stop;
    while ((stop = TAILQ_FIRST(&e->owed_stops)) != NULL) {
        TAILQ_REMOVE(&e->owed_stops, stop, link);
        free(stop);
    }
}

static void plan_reconnect(struct engine *e, struct carrier_link *link)
{
    const struct carrier_config *config = carrier_of(link)->config;
    if (link->made != config->made) { /* it was ended so that it be made anew */
        link->open_at_us = e->now.mono_us;
        return;
    }
    if (link->backoff_ms == 0)
        link->backoff_ms = config->reconnect_min_ms;
    uint64_t delay_ms = link->backoff_ms / 2 + rng_below(&e->rng, link->backoff_ms / 2 + 1);
    link->open_at_us = e->now.mono_us + delay_ms * US_PER_MS;
    link->backoff_ms *= 2;
    if (link->backoff_ms > config->reconnect_max_ms)
        link->backoff_ms = config->reconnect_max_ms;
}

void engine_on_link_up(struct engine *e, uint16_t carrier, uint16_t index, struct instant now)
{
    e->now = now;
    struct carrier_link *link = &e->carriers[carrier].links[index];
    const struct carrier_config *config = e->carriers[carrier].config;
    CHECK(link->session == NULL);
    link->opening = false;
    struct session_config session = {
        .role = SESSION_CLIENT,
        .mode = link->mode,
        .window = config->window,
        .request_timeout_ms = config->request_timeout_ms,
        .enquire_link_ms = config->enquire_link_ms,
        .enquire_timeout_ms = config->request_timeout_ms,
    };
    memcpy(session.system_id, config->system_id, sizeof session.system_id);
    memcpy(session.password, config->password, sizeof session.password);
    memcpy(session.system_type, config->system_type, sizeof session.system_type);
    link->session = session_new(&session, &handlers, link);
    if (e->ports->traced != NULL)
        session_set_tap(link->session, on_traced);
    link->tick_us = now.mono_us;
    session_start(link->session, now.mono_us);
}

void engine_on_link_octets(struct engine *e, uint16_t carrier, uint16_t index, struct span octets,
                           struct instant now)
{
    e->now = now;
    struct carrier_link *link = &e->carriers[carrier].links[index];
    if (link->session == NULL || link->closing)
        return;
    uint64_t opt_outs = e->projection.queue_count;
    if (!session_receive(link->session, octets, now.mono_us))
        link->closing = true;
    link->tick_us = now.mono_us; /* its timers may have moved */
    /* An opt-out does not wait for the turn's other work on its way to the disk. */
    if (e->projection.queue_count > opt_outs)
        e->ports->ledger_flush(e->ports->context);
}

void engine_on_link_down(struct engine *e, uint16_t carrier, uint16_t index, const char *why,
                         struct instant now)
{
    e->now = now;
    struct carrier_link *link = &e->carriers[carrier].links[index];
    if (link->session != NULL) {
        session_close(link->session, why);
        link->closing = true;
        return;
    }
    if (!link->opening)
        return;
    link->opening = false;
    engine_why(carrier_of(link)->why, why, ESME_ROK);
    e->ports->link_close(e->ports->context, carrier, index);
    plan_reconnect(e, link);
}

/* ---- the turn ---- */

static void each_link(struct engine *e, void (*act)(struct engine *e, struct carrier_link *link))
{
    for (uint16_t i = 0; i < e->config->carrier_count; i++)
        for (uint16_t j = 0; j < e->carriers[i].link_count; j++)
            act(e, &e->carriers[i].links[j]);
}

/* A carrier that is gone from the configuration still sends what waits for it and takes its receipts. */
static bool is_wanted(const struct engine *e, const struct carrier *c)
{
    uint64_t waiting = 0;
    if (!c->config->retired || e->draining)
        return true;
    for (int i = 0; i < CLASS_COUNT; i++)
        waiting += c->queue.lanes[i].waiting;
    return waiting > 0 || c->awaiting_receipt > 0;
}

static bool is_stale(const struct engine *e, struct carrier_link *link)
{
    return link->made != carrier_of(link)->config->made || !is_wanted(e, carrier_of(link));
}

static bool is_owed_to(const struct owed *owed, const struct carrier_link *link)
{
    return owed->carrier == link->carrier && owed->link == link->index &&
           owed->generation == link->generation;
}

static bool owes_answers(const struct engine *e, const struct carrier_link *link)
{
    for (size_t i = 0; i < e->owed_count; i++)
        if (is_owed_to(&e->owed[(e->owed_start + i) % e->owed_size], link))
            return true;
    const struct owed_stop *stop;
    TAILQ_FOREACH (stop, &e->owed_stops, link) {
        if (is_owed_to(&stop->owed, link))
            return true;
    }
    return false;
}

/* A session that should be another one, or none, ends when nothing is unanswered on it. */
static void replace(struct engine *e, struct carrier_link *link)
{
    if (link->session == NULL || link->closing || !is_stale(e, link) || link->reserved > 0 ||
        session_state(link->session) == SESSION_UNBINDING ||
        session_window_used(link->session) > 0 || owes_answers(e, link))
        return;
    session_unbind(link->session, e->now.mono_us);
    link->tick_us = e->now.mono_us; /* its timers have moved */
}

static void tick(struct engine *e, struct carrier_link *link)
{
    uint64_t now_us = e->now.mono_us;
    replace(e, link);
    if (link->session != NULL && !link->closing && link->tick_us <= now_us)
        link->tick_us = session_tick(link->session, now_us);
    if (link->open_at_us == 0 || link->open_at_us > now_us || e->draining ||
        !is_wanted(e, carrier_of(link)))
        return;
    link->open_at_us = 0;
    link->opening = true;
    link->made = carrier_of(link)->config->made;
    e->ports->link_open(e->ports->context, link->carrier, link->index);
}

void carriers_turn(struct engine *e)
{
    each_link(e, tick);
}

/* While the ledger has hardly any room left, nothing more is read: what would come must be recorded. */
static void control_reading(struct engine *e, struct carrier_link *link)
{
    size_t room = e->ports->ledger_room(e->ports->context);
    bool stop = room < LEDGER_BATCH_OCTETS / 8;
    if (stop == link->reading_stopped || (link->reading_stopped && room < LEDGER_BATCH_OCTETS / 4))
        return;
    link->reading_stopped = stop;
    e->ports->link_reading(e->ports->context, link->carrier, link->index, !stop);
}

static void flush(struct engine *e, struct carrier_link *link)
{
    if (link->session == NULL)
        return;
    struct buffer *output = session_output(link->session);
    size_t length = buffer_length(output);
    if (length > 0)
        e->ports->link_flush(e->ports->context, link->carrier, link->index, output);
    if (length > SESSION_OUTPUT_MAX / 2)
        link->tick_us = e->now.mono_us; /* input that waited for room goes on */
    control_reading(e, link);
    if (!link->closing)
        return;
    e->ports->link_close(e->ports->context, link->carrier, link->index);
    add_counts(&carrier_of(link)->odd, session_counts(link->session));
    session_free(link->session);
    link->session = NULL;
    link->closing = link->reading_stopped = false;
    link->tick_us = UINT64_MAX;
    link->generation++;
    plan_reconnect(e, link);
}

void carriers_flush(struct engine *e)
{
    each_link(e, flush);
}

uint64_t carriers_next_us(const struct engine *e)
{
    uint64_t next = UINT64_MAX;
    for (uint16_t i = 0; i < e->config->carrier_count; i++)
        for (uint16_t j = 0; j < e->carriers[i].link_count; j++) {
            const struct carrier_link *link = &e->carriers[i].links[j];
            if (link->session != NULL && link->tick_us < next)
                next = link->tick_us;
            if (link->open_at_us != 0 && !e->draining && link->open_at_us < next &&
                is_wanted(e, &e->carriers[i]))
                next = link->open_at_us;
        }
    return next;
}

static uint32_t window_room(const struct carrier *c, const struct carrier_link *link)
{
    uint64_t used = session_window_used(link->session) + link->reserved;
    uint64_t free =
        session_window_free(link->session); /* a session may be older than the setting */
    uint32_t granted = c->pacing.window.value;
    if (used >= granted || free <= link->reserved)
        return 0;
    return (uint32_t)(granted - used < free - link->reserved ? granted - used
                                                             : free - link->reserved);
}

struct throttle *link_throttle(const struct engine *e, const struct carrier *c,
                               struct carrier_link *link)
{
    uint32_t rate = c->config->session_rate;
    if (rate == 0)
        return NULL;
    if (link->throttle == NULL) {
        link->throttle = check_calloc(1, sizeof *link->throttle);
        throttle_init(link->throttle, rate, e->now.mono_us);
    }
    if (link->throttle->rate != rate)
        throttle_set_rate(link->throttle, rate, false, e->now.mono_us);
    link->throttle->reserved = link->reserved;
    return link->throttle;
}

uint32_t link_room(struct engine *e, struct carrier *c, struct carrier_link *link,
                   const struct message *m)
{
    uint32_t room = window_room(c, link);
    struct throttle *throttle = link_throttle(e, c, link);
    if (room == 0 || throttle == NULL)
        return room;
    bool urgent = class_is_urgent((Assent__V1__Class)m->message_class);
    uint32_t paced =
        throttle_room(throttle, e->now.mono_us, urgent, (uint32_t)__builtin_popcount(m->todo));
    if (paced == 0)
        c->paused |= PAUSE_SESSION_RATE;
    return paced < room ? paced : room;
}

/* Messages in a row on one session: its window, so that they share a write, and their answers a read. Where windows are
 * small, sessions still take turns. */
static uint32_t run_length(const struct carrier *c)
{
    uint32_t window = c->pacing.window.value;
    return window < RUN_MAX ? window : RUN_MAX;
}

static void go_on_after(struct carrier *c, const struct carrier_link *link)
{
    bool same = link->index == c->next_link;
    c->run = same ? c->run + 1 : 1;
    bool over = c->run >= run_length(c);
    c->next_link = (uint16_t)((link->index + over) % c->link_count);
    c->run = over ? 0 : c->run;
}

/* The link whose turn it is, or the next one that has a free place; NULL when none has. */
struct carrier_link *carrier_pick_link(struct engine *e, struct carrier *c, const struct message *m)
{
    for (uint16_t i = 0; i < c->link_count; i++) {
        struct carrier_link *link = &c->links[(c->next_link + i) % c->link_count];
        if (link->session == NULL || link->closing || !session_may_submit(link->session) ||
            link->made != c->config->made || link_room(e, c, link, m) == 0)
            continue;
        c->paused &= ~(uint32_t)PAUSE_SESSION_RATE;
        go_on_after(c, link);
        return link;
    }
    return NULL;
}

uint32_t carrier_bound(const struct carrier *c)
{
    uint32_t count = 0;
    for (uint16_t i = 0; i < c->link_count; i++)
        count += c->links[i].session != NULL && !c->links[i].closing &&
                 session_may_submit(c->links[i].session);
    return count;
}

uint32_t carrier_unanswered(const struct carrier *c)
{
    uint32_t count = 0;
    for (uint16_t i = 0; i < c->link_count; i++)
        if (c->links[i].session != NULL)
            count += (uint32_t)session_window_used(c->links[i].session);
    return count;
}

void lane_refused(struct engine *e, struct carrier *c, enum refusal about, const struct message *m)
{
    bool stood = c->pacing.event;
    pacing_refused(&c->pacing, about, m->verdict_us, m->depth, e->now.mono_us);
    if (!stood && c->pacing.event)
        hold_all(e, c, NULL, ASSENT__V1__REASON__THROTTLED);
}

/* ---- answers ---- */

void link_answer(struct engine *e, uint16_t carrier, uint16_t index, uint32_t generation,
                 uint32_t command_id, uint32_t sequence_number, uint32_t status)
{
    struct carrier_link *link = &e->carriers[carrier].links[index];
    if (link->session == NULL || link->generation != generation)
        return; /* the carrier sends it again on its next session */
    struct pdu_header header = {.command_id = command_id, .sequence_number = sequence_number};
    session_respond(link->session, &header, status, (struct span){0});
}

static void answer(struct engine *e, const struct owed *owed, uint32_t status)
{
    link_answer(e, owed->carrier, owed->link, owed->generation, owed->command_id,
                owed->sequence_number, status);
}

void owe_answer(struct engine *e, const struct owed *owed)
{
    if (owed->command_id == 0)
        return;
    if (owed->ready_at <= e->durable) {
        answer(e, owed, ESME_ROK);
        return;
    }
    if (e->owed_count == e->owed_size) {
        size_t size = e->owed_size ? e->owed_size * 2 : 256;
        struct owed *ring = check_malloc(size * sizeof *ring);
        for (size_t i = 0; i < e->owed_count; i++)
            ring[i] = e->owed[(e->owed_start + i) % e->owed_size];
        free(e->owed);
        e->owed = ring;
        e->owed_size = size;
        e->owed_start = 0;
    }
    struct owed *last = &e->owed[(e->owed_start + e->owed_count++) % e->owed_size];
    *last = *owed;
    last->since_us = e->now.mono_us;
}

void owe_stop_answer(struct engine *e, const struct owed *owed)
{
    if (owed->command_id == 0)
        return;
    if (e->plant == PLANT_STOP_ACK_EARLY) {
        answer(e, owed, ESME_ROK);
        return;
    }
    struct owed_stop *stop = check_calloc(1, sizeof *stop);
    stop->owed = *owed;
    stop->consent = e->projection.last_consent;
    stop->deadline_us = e->now.mono_us + STOP_HOLD_MS * US_PER_MS;
    TAILQ_INSERT_TAIL(&e->owed_stops, stop, link);
}

/* Durable and in Redis: ROK. Durable and Redis away, or too slow: ROK, the ledger will replay it. Not
 * durable in time (the disk is full): an error that makes the carrier send it again (P3). */
static bool stop_is_ready(const struct engine *e, const struct owed_stop *stop,
                          uint32_t *ret_status)
{
    bool late = e->now.mono_us >= stop->deadline_us;
    *ret_status = ESME_ROK;
    if (stop->owed.ready_at > e->durable) {
        *ret_status = e->carriers[stop->owed.carrier].config->refuse_status;
        return late;
    }
    return projection_done(e, stop->consent) || e->projection.phase == STORE_DOWN || late;
}

/* What cannot be stored, since the disk is full, is refused in time, so that the carrier sends it again. */
static bool owed_is_ready(const struct engine *e, const struct owed *owed, uint32_t *ret_status)
{
    *ret_status = ESME_ROK;
    if (owed->ready_at <= e->durable)
        return true;
    *ret_status = e->carriers[owed->carrier].config->refuse_status;
    return e->now.mono_us >= owed->since_us + STOP_HOLD_MS * US_PER_MS &&
           e->ports->ledger_no_space(e->ports->context);
}

void owed_turn(struct engine *e)
{
    uint32_t ready;
    while (e->owed_count > 0 && owed_is_ready(e, &e->owed[e->owed_start], &ready)) {
        answer(e, &e->owed[e->owed_start], ready);
        e->owed_start = (e->owed_start + 1) % e->owed_size;
        e->owed_count--;
    }
    struct owed_stop *stop, *next;
    for (stop = TAILQ_FIRST(&e->owed_stops); stop != NULL; stop = next) {
        next = TAILQ_NEXT(stop, link);
        uint32_t status;
        if (!stop_is_ready(e, stop, &status))
            continue;
        answer(e, &stop->owed, status);
        TAILQ_REMOVE(&e->owed_stops, stop, link);
        free(stop);
    }
}

uint64_t owed_next_us(const struct engine *e)
{
    const struct owed_stop *stop = TAILQ_FIRST(&e->owed_stops);
    uint64_t next = stop ? stop->deadline_us : UINT64_MAX;
    if (e->owed_count == 0 || !e->ports->ledger_no_space(e->ports->context))
        return next;
    uint64_t refused_us = e->owed[e->owed_start].since_us + STOP_HOLD_MS * US_PER_MS;
    return refused_us < next ? refused_us : next;
}

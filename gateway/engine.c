/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's life and its turn. What each phase may assume stands in engine_turn(); what the engine
 * promises stands in README.md, and tests/sim holds it to that. */
#include "gateway/engine.h"

#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define FORCE_CLOSE_US (3 * US_PER_S) /* after unbinding, a carrier that does not answer is left */

struct engine *engine_new(const struct config *config, const struct ports *ports,
                          const struct hash_key *key, uint64_t seed)
{
    struct engine *e = check_calloc(1, sizeof *e);
    e->config = config;
    e->ports = ports;
    e->key = *key;
    e->rng.state = seed;
    e->ask_limit = 128;
    e->ask_shortest_us = VERDICT_AGE_MAX_MS * US_PER_MS;
    e->scratch = check_malloc(SCRATCH_SIZE);
    e->program_scope = check_calloc(PROGRAMS_MAX, sizeof *e->program_scope);
    e->brand_scope = check_calloc(PROGRAMS_MAX, sizeof *e->brand_scope);
    arena_init(&e->arena, LEDGER_RECORD_MAX * 16);
    message_store_init(&e->messages);
    e->ended = check_calloc(ENDED_REMEMBERED, sizeof *e->ended);
    TAILQ_INIT(&e->recent_opt_outs);
    TAILQ_INIT(&e->agains);
    TAILQ_INIT(&e->reviews);
    TAILQ_INIT(&e->denials_leaving);
    projection_init(e);
    imports_init(e);
    erasures_init(e);
    erased_people_init(e);
    receipts_init(e);
    vacancies_init(e);
    complaints_init(e);
    reputations_init(e);
    e->reassembly = reassembly_new(key);
    carriers_init(e);
    e->routes = route_table_new(config);
    program_words_configure(e);
    registry_configure(e);
    quiet_configure(e);
    content_configure(e);
    wheel_init(&e->wheel, 0);
    wheel_init(&e->sender_wheel, 0);
    return e;
}

void engine_free(struct engine *e)
{
    carriers_release(e);
    route_table_free(e->routes);
    quiet_release(e);
    receipts_release(e);
    vacancies_release(e);
    reassembly_free(e->reassembly);
    projection_release(e);
    imports_release(e);
    erasures_release(e);
    erased_people_release(e);
    denials_release(e);
    agains_release(e);
    struct table_slot *slot;
    while ((slot = table_next(&e->inquiries, &(size_t){0})) != NULL)
        inquiry_free(e, table_slot_pointer(slot));
    table_release(&e->inquiries);
    complaints_release(e);
    reputations_release(e);
    message_store_release(&e->messages);
    table_release(&e->scope_program);
    table_release(&e->references);
    table_release(&e->help_given);
    opt_out_lines_release(e);
    content_release(e);
    program_words_release(e);
    registry_release(e);
    reviews_release(e);
    preflights_free(e);
    secrets_free(e);
    table_release(&e->orphans);
    free(e->reference_ring);
    free(e->ended);
    free(e->program_scope);
    free(e->brand_scope);
    free(e->scratch);
    arena_release(&e->arena);
    free(e);
}

static void record_started(struct engine *e)
{
    Assent__V1__NodeStarted body = ASSENT__V1__NODE_STARTED__INIT;
    body.node = UNCONST(e->config->node);
    body.version = UNCONST(ASSENT_VERSION);
    body.open_messages = e->messages.by_id.count;
    body.unknown_messages = e->intents_after_crash;
    body.config_sha256.data = (uint8_t *)(uintptr_t)e->config->sha256;
    body.config_sha256.len = sizeof e->config->sha256;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_NODE_STARTED;
    event.node_started = &body;
    record_event(e, &event, NULL);
}

void engine_start(struct engine *e, struct instant now)
{
    e->now = now;
    wheel_init(&e->wheel, now.mono_us);
    wheel_init(&e->sender_wheel, now.mono_us);
    e->snapshot_at = e->ports->ledger_next(e->ports->context);
    e->durable = e->snapshot_at - 1;
    e->projection.life_from = e->snapshot_at;
    for (uint16_t i = 0; i < e->config->carrier_count; i++) {
        struct carrier *c = &e->carriers[i];
        throttle_init(&c->throttle, c->config->rate, now.mono_us);
        /* What the process before this one wrote in its last second is not known. */
        throttle_reserve(&c->throttle, e->snapshot_at > 1 ? c->config->rate : 0);
        for (uint32_t n = c->throttle.reserved; n > 0; n--)
            throttle_write(&c->throttle, now.mono_us);
        for (uint16_t j = 0; j < c->link_count; j++)
            c->links[j].open_at_us = now.mono_us;
    }
    reputations_begin(e);
    recover_finish(e);
    record_started(e);
}

/* ---- the turn ---- */

static void fire(void *context, struct wheel_timer *timer)
{
    struct message *m = (struct message *)(void *)((char *)timer - offsetof(struct message, timer));
    engine_timer_fired(context, m);
}

static uint64_t minimum(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool pipeline_is_empty(const struct engine *e)
{
    const uint64_t *counts = e->messages.counts;
    return counts[MESSAGE_INTENT] == 0 && counts[MESSAGE_ASKED] == 0 &&
           counts[MESSAGE_CLEARED] == 0 && counts[MESSAGE_ON_WIRE] == 0;
}

/* A turn is due at once where work was put back after its phase had passed. A sender's wait stops
 * nobody else. */
static uint64_t next_turn(struct engine *e)
{
    uint64_t now_us = e->now.mono_us;
    uint64_t next = minimum(wheel_next(&e->wheel), carriers_next_us(e));
    next = minimum(next, minimum(owed_next_us(e), dispatch_next_us(e)));
    next = minimum(next, minimum(receipts_next_us(e), failover_next_us(e)));
    next = minimum(next, minimum(long_replies_next_us(e), wheel_next(&e->sender_wheel)));
    next = minimum(next, minimum(reviews_next_us(e), erasures_next_us(e)));
    next = minimum(next, erased_people_next_us(e));
    next = minimum(next, secrets_next_us(e));
    const struct message *intent = TAILQ_FIRST(&e->messages.lists[MESSAGE_INTENT]);
    if (intent != NULL && intent->attempt_sequence <= e->durable)
        next = minimum(next, now_us + US_PER_MS);
    next = minimum(next, projection_next_us(e));
    for (uint16_t i = 0; i < e->config->carrier_count; i++)
        for (int c = 0; c < CLASS_COUNT; c++)
            if ((e->carriers[i].paused & ~(uint32_t)PAUSES_OF_SENDERS) == 0 &&
                !TAILQ_EMPTY(&e->carriers[i].queue.lanes[c].active))
                next = minimum(next, now_us + US_PER_MS);
    if (preflight_waits(e))
        next = minimum(next, now_us + US_PER_MS);
    if (e->draining)
        next = minimum(next, now_us + 10 * US_PER_MS);
    return next;
}

/* Times one batch after the other on its way to the disk. */
static void sample_durable(struct engine *e)
{
    uint64_t last = e->ports->ledger_next(e->ports->context) - 1;
    if (e->durable_sample.sequence != 0 && e->durable_sample.sequence <= e->durable) {
        histogram_add(&e->metrics.timings[TIME_DURABLE], e->now.mono_us - e->durable_sample.at_us);
        e->durable_sample.sequence = 0;
    }
    if (e->durable_sample.sequence != 0 || last <= e->durable)
        return;
    e->durable_sample.sequence = last;
    e->durable_sample.at_us = e->now.mono_us;
}

static void drain_turn(struct engine *e);

uint64_t engine_turn(struct engine *e, struct instant now)
{
    e->now = now;
    /* What time brings: schedules, retries, time-to-live, enquire_link, connections. */
    wheel_advance(&e->wheel, now.mono_us, fire, e);
    senders_turn(e);
    carriers_turn(e);
    denials_turn(e);
    receipts_turn(e);
    long_replies_turn(e);
    reviews_turn(e);
    erased_people_turn(e);
    erasures_turn(e);
    reputations_turn(e);
    /* Opt-outs go to Redis before any check of this turn does. */
    projection_turn(e);
    /* What waits at a carrier that is unfit goes to the next. */
    failover_turn(e);
    /* Tokens, slots and intents; then questions for the intents that are durable; then, at once,
     * what the answers of this turn's input allow. */
    dispatch_turn(e);
    gate_turn(e);
    wire_turn(e);
    preflight_turn(e);
    owed_turn(e);
    if (e->draining)
        drain_turn(e);
    /* One batch each to the ledger, to Redis and to every link. */
    sample_durable(e);
    e->ports->ledger_flush(e->ports->context);
    e->ports->store_flush(e->ports->context);
    carriers_flush(e);
    secrets_turn(e);
    message_free_ended(&e->messages);
    return next_turn(e);
}

void engine_flushed(struct engine *e, struct instant now)
{
    for (uint16_t i = 0; i < e->config->carrier_count; i++) {
        struct carrier *c = &e->carriers[i];
        throttle_flushed(&c->throttle, now.mono_us);
        senders_flushed(c, now.mono_us);
        for (uint16_t j = 0; j < c->link_count && c->config->session_rate != 0; j++)
            if (c->links[j].throttle != NULL)
                throttle_flushed(c->links[j].throttle, now.mono_us);
    }
}

void engine_on_durable(struct engine *e, uint64_t sequence)
{
    if (sequence <= e->durable)
        return;
    e->durable = sequence;
    /* An opt-out does not wait for the turn's other work on its way to Redis. */
    if (e->projection.queue_count > 0 && gate_is_open(e)) {
        projection_turn(e);
        e->ports->store_flush(e->ports->context);
    }
}

/* ---- drain ---- */

void engine_drain(struct engine *e, struct instant now, uint64_t by_us)
{
    e->now = now;
    e->draining = true;
    e->drain_by_us = by_us;
}

static void unbind(struct engine *e, struct carrier_link *link)
{
    if (link->opening) {
        link->opening = false;
        e->ports->link_close(e->ports->context, link->carrier, link->index);
    }
    if (link->session == NULL || link->closing)
        return;
    if (e->now.mono_us >= e->drain_by_us + FORCE_CLOSE_US) {
        session_close(link->session, "draining");
    } else if (session_state(link->session) != SESSION_UNBINDING) {
        session_unbind(link->session, e->now.mono_us);
        link->tick_us = e->now.mono_us; /* its timers have moved */
    }
}

static bool all_closed(const struct engine *e)
{
    for (uint16_t i = 0; i < e->config->carrier_count; i++)
        for (uint16_t j = 0; j < e->carriers[i].link_count; j++)
            if (e->carriers[i].links[j].session != NULL || e->carriers[i].links[j].opening)
                return false;
    return true;
}

static void drain_turn(struct engine *e)
{
    bool settled = pipeline_is_empty(e) && e->owed_count == 0 && TAILQ_EMPTY(&e->owed_stops) &&
                   TAILQ_EMPTY(&e->early);
    if (settled || e->now.mono_us >= e->drain_by_us)
        e->unbinding = true;
    if (!e->unbinding || e->drained)
        return;
    for (uint16_t i = 0; i < e->config->carrier_count; i++)
        for (uint16_t j = 0; j < e->carriers[i].link_count; j++)
            unbind(e, &e->carriers[i].links[j]);
    bool late = e->now.mono_us >= e->drain_by_us + FORCE_CLOSE_US;
    if (!all_closed(e) || (!secrets_settled(e) && !late) || !nodes_sign_off(e))
        return;
    Assent__V1__NodeStopped body = ASSENT__V1__NODE_STOPPED__INIT;
    body.drained = pipeline_is_empty(e);
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_NODE_STOPPED;
    event.node_stopped = &body;
    record_event(e, &event, NULL);
    e->drained = true;
}

bool engine_drained(const struct engine *e)
{
    return e->drained;
}

/* ---- snapshots ---- */

bool engine_snapshot_due(const struct engine *e)
{
    return e->ports->ledger_next(e->ports->context) >= e->snapshot_at + e->config->snapshot_records;
}

void engine_snapshot_begun(struct engine *e)
{
    e->snapshot_at = e->ports->ledger_next(e->ports->context);
}

/* ---- what the world may see ---- */

const struct metrics *engine_metrics(const struct engine *e)
{
    return &e->metrics;
}

void engine_status(const struct engine *e, struct engine_status *ret)
{
    const uint64_t *counts = e->messages.counts;
    *ret = (struct engine_status){
        .open_messages = e->messages.by_id.count,
        .texts_lost = e->texts_lost,
        .scheduled = counts[MESSAGE_SCHEDULED],
        .quiet = e->quiet_held,
        .waiting = counts[MESSAGE_WAITING] + counts[MESSAGE_RETRY],
        .awaiting_receipt = counts[MESSAGE_SENT],
        .memory_octets = e->messages.octets,
        .gate_open = gate_is_open(e),
        .gate_why = e->projection.why,
        .draining = e->draining,
    };
    erasures_status(e, ret);
}

void engine_carrier_status(const struct engine *engine, uint16_t index, struct instant now,
                           struct carrier_status *ret)
{
    struct carrier *c = &engine->carriers[index];
    *ret = (struct carrier_status){
        .name = c->config->name,
        .why = c->why,
        .sessions = c->config->sessions,
        .sessions_bound = carrier_bound(c),
        .rate = c->config->rate,
        .sent_last_second = throttle_written(&c->throttle, now.mono_us),
        .window = (uint32_t)c->config->window * c->config->sessions,
        .rate_now = c->pacing.rate.value,
        .window_now = c->pacing.window.value * c->config->sessions,
        .awaiting_receipt = c->awaiting_receipt,
        .paused = c->paused,
        .receipt_hint = hint_text(c, now.mono_us),
        .passed_over = engine->passed_over[0] >> index & 1,
    };
    memcpy(ret->failed_over, c->failed_over, sizeof ret->failed_over);
    struct session_counts odd = carrier_odd(c);
    ret->odd[ODD_UNMATCHED] = odd.unmatched;
    ret->odd[ODD_NACK] = odd.nacks;
    ret->odd[ODD_UNKNOWN] = odd.unknown;
    ret->odd[ODD_MALFORMED] = odd.malformed;
    for (uint16_t i = 0; i < c->link_count; i++) {
        if (c->links[i].refused == ESME_ROK)
            continue;
        ret->refused++;
        ret->refused_status = c->links[i].refused;
    }
    for (int i = 0; i < CLASS_COUNT; i++)
        ret->waiting[i] = c->queue.lanes[i].waiting;
    for (uint16_t i = 0; i < c->link_count; i++)
        if (c->links[i].session != NULL)
            ret->window_used +=
                (uint32_t)session_window_used(c->links[i].session) + c->links[i].reserved;
}

const char *pause_name(unsigned bit)
{
    static const char *const names[PAUSE_REASONS] = {
        "link_down",    "throttled",
        "gate_away",    "ledger",
        "rate",         "window",
        "draining",     "gate_busy",
        "rate_cut",     "window_cut",
        "session_rate", "sender_rate",
        "sender_daily", "sender_reputation",
    };
    return bit < PAUSE_REASONS ? names[bit] : "unknown";
}

const char *odd_name(unsigned kind)
{
    static const char *const names[ODD_KINDS] = {"unmatched", "nack", "unknown", "malformed"};
    return kind < ODD_KINDS ? names[kind] : "unknown";
}

const char *failover_name(unsigned reason)
{
    static const char *const names[FAILOVER_REASONS] = {"down", "refusing", "status"};
    return reason < FAILOVER_REASONS ? names[reason] : "unknown";
}

void engine_plant(struct engine *e, enum plant plant)
{
    e->plant = plant;
}

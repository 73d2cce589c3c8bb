/* SPDX-License-Identifier: Apache-2.0 */
/* Reputation of senders at carriers: an operator who releases what is paused, and the judge. The judge keeps every
 * end, opt-out and complaint with its time and counts them anew; a pause must be recorded with the event that makes
 * it due and with no other, nothing of marketing may begin while its record stands, across every crash, and a release
 * begins the count anew. */
#include <stdlib.h>

#include "proto/base/check.h"
#include "tests/sim/world.h"

#define VISIT_US (3 * US_PER_S)

static struct reputation_seen *seen_of(struct world *w, uint32_t carrier, uint32_t program)
{
    return &w->gw->seen.reputations[carrier][program];
}

static const struct reputation_limits *limits_of(const struct world *w, uint32_t carrier)
{
    return &w->config.carriers[carrier].reputation;
}

/* ---- counting ---- */

/* Sixtieths of the window, the one that is filling included. */
static uint64_t count(const struct world *w, const struct reputation_seen *s, unsigned window,
                      unsigned kind)
{
    uint64_t sixtieth_ms = window == ASSENT__V1__REPUTATION_WINDOW__WINDOW_HOUR ? 60000 : 1440000;
    uint64_t now = world_wall_ms(w) / sixtieth_ms, sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->events[i].kind == kind && now - s->events[i].wall_ms / sixtieth_ms < 60;
    return sum;
}

static uint64_t texts(const struct world *w, const struct reputation_seen *s, unsigned window)
{
    return count(w, s, window, REPUTATION_DELIVERED) + count(w, s, window, REPUTATION_FILTERED) +
           count(w, s, window, REPUTATION_UNKNOWN) + count(w, s, window, REPUTATION_OTHER);
}

static bool is_over(const struct world *w, const struct reputation_seen *s,
                    const struct reputation_limits *limits, unsigned window, unsigned rate,
                    uint32_t threshold)
{
    static const enum reputation_kind kinds[] = {REPUTATION_OTHER, REPUTATION_FILTERED,
                                                 REPUTATION_UNKNOWN, REPUTATION_OPT_OUTS,
                                                 REPUTATION_COMPLAINTS};
    uint64_t all = texts(w, s, window);
    return threshold != 0 && all >= limits->least_texts &&
           count(w, s, window, kinds[rate]) * 1000000 >= threshold * all;
}

static bool is_due(const struct world *w, const struct reputation_seen *s, uint32_t carrier)
{
    const struct reputation_limits *limits = limits_of(w, carrier);
    for (unsigned window = 1; window <= 2; window++)
        for (unsigned rate = 1; rate <= 4; rate++)
            if (is_over(w, s, limits, window, rate, limits->rates[rate].pause))
                return true;
    return false;
}

static void add(struct world *w, uint32_t carrier, uint32_t program, enum reputation_kind kind,
                uint64_t wall_ms, bool replayed)
{
    struct reputation_seen *s = seen_of(w, carrier, program);
    if (s->count == s->size) {
        s->size = s->size ? s->size * 2 : 64;
        s->events = check_realloc(s->events, s->size * sizeof *s->events);
    }
    s->events[s->count].wall_ms = wall_ms;
    s->events[s->count++].kind = kind;
    s->due = !replayed && !s->paused && is_due(w, s, carrier);
}

/* ---- records ---- */

static enum reputation_kind kind_of_end(const struct record *accepted, const struct fact *f)
{
    if (f->reason == ASSENT__V1__REASON__CARRIER_STATUS)
        return f->status == SIM_STATUS_FILTERED ? REPUTATION_FILTERED : REPUTATION_OTHER;
    if (f->outcome == ASSENT__V1__OUTCOME__DELIVERED)
        return REPUTATION_DELIVERED;
    return accepted->progress.a_part_failed ? accepted->progress.failed_as : REPUTATION_OTHER;
}

enum reputation_kind reputation_of_receipt(const struct fact *f)
{
    if (f->news == NEWS_UNKNOWN_SUBSCRIBER)
        return REPUTATION_UNKNOWN;
    bool rejected = f->state == ASSENT__V1__RECEIPT_STATE__RECEIPT_REJECTED;
    return rejected && f->news == NEWS_NONE ? REPUTATION_FILTERED : REPUTATION_OTHER;
}

static void fold_text(struct world *w, const struct fact *f, bool replayed)
{
    const struct record *accepted = disk_accepted(w, f->message);
    bool ended = f->body == ASSENT__V1__EVENT__BODY_RECEIPT
                     ? f->outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN
                     : f->reason == ASSENT__V1__REASON__CARRIER_STATUS ||
                           f->reason == ASSENT__V1__REASON__REASON_NONE;
    if (accepted == NULL || !ended || accepted->fact.service != 0 ||
        accepted->fact.carrier >= SIM_CARRIERS_MAX || accepted->fact.sender == NONE)
        return;
    add(w, accepted->fact.carrier, accepted->fact.sender, kind_of_end(accepted, f), f->wall_ms,
        replayed);
}

static void fold_opt_out(struct world *w, const struct fact *f, bool replayed)
{
    bool answers = f->source == ASSENT__V1__CONSENT_SOURCE__REPLY ||
                   f->source == ASSENT__V1__CONSENT_SOURCE__CARRIER;
    if (!answers || f->carrier >= SIM_CARRIERS_MAX || f->sender == NONE)
        return;
    struct reputation_seen *s = seen_of(w, f->carrier, f->sender);
    uint32_t person = 1u << people_find_number(w, f->number);
    if (texts(w, s, ASSENT__V1__REPUTATION_WINDOW__WINDOW_DAY) == 0 || (s->persons & person) != 0)
        return;
    s->persons |= person;
    add(w, f->carrier, f->sender, REPUTATION_OPT_OUTS, f->wall_ms, replayed);
}

static void fold_complaint(struct world *w, const struct fact *f, bool replayed)
{
    for (uint32_t c = 0; c < w->plan.carriers && f->sender != NONE; c++)
        if ((f->carrier == c || f->carrier == SIM_ANY_CARRIER) &&
            texts(w, seen_of(w, c, f->sender), ASSENT__V1__REPUTATION_WINDOW__WINDOW_DAY) > 0)
            add(w, c, f->sender, REPUTATION_COMPLAINTS, f->wall_ms, replayed);
}

static void fold_alarm(struct world *w, const struct fact *f)
{
    const struct reputation_seen *s = seen_of(w, f->carrier, f->sender);
    if (!is_over(w, s, limits_of(w, f->carrier), f->window, f->rate, f->threshold))
        world_fail(w, "reputation", "an alarm for sender %u at carrier %u, and there is no cause",
                   f->sender, f->carrier);
}

static void fold_paused(struct world *w, const struct fact *f, bool replayed)
{
    struct reputation_seen *s = seen_of(w, f->carrier, f->sender);
    bool due = s->due;
    s->due = false;
    s->paused = true;
    if (!replayed &&
        (!due || !is_over(w, s, limits_of(w, f->carrier), f->window, f->rate, f->threshold)))
        world_fail(w, "reputation", "sender %u is paused at carrier %u, and there is no cause",
                   f->sender, f->carrier);
}

static void fold_released(struct world *w, const struct fact *f)
{
    struct reputation_seen *s = seen_of(w, f->carrier, f->sender);
    if (!s->paused)
        world_fail(w, "reputation", "sender %u is released at carrier %u, and was not paused",
                   f->sender, f->carrier);
    s->paused = s->due = false;
    s->count = 0;
    s->persons = 0;
}

/* What was due came with the record before, and its pause follows at once. */
static void check_due(struct world *w)
{
    for (uint32_t c = 0; c < w->plan.carriers; c++)
        for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
            if (seen_of(w, c, p)->due)
                world_fail(w, "reputation", "sender %u should be paused at carrier %u", p, c);
}

void reputation_fold(struct world *w, uint64_t sequence, bool replayed)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    bool names = f->carrier < SIM_CARRIERS_MAX && f->sender != NONE;
    if (w->plan.reputation_texts == 0)
        return;
    if (f->body != ASSENT__V1__EVENT__BODY_REPUTATION_ALARM &&
        f->body != ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED && !replayed)
        check_due(w);
    if (f->body == ASSENT__V1__EVENT__BODY_ENDED || f->body == ASSENT__V1__EVENT__BODY_RECEIPT)
        fold_text(w, f, replayed);
    else if (f->body == ASSENT__V1__EVENT__BODY_OPTED_OUT)
        fold_opt_out(w, f, replayed);
    else if (f->body == ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED)
        fold_complaint(w, f, replayed);
    else if (f->body == ASSENT__V1__EVENT__BODY_REPUTATION_ALARM && names && !replayed)
        fold_alarm(w, f);
    else if (f->body == ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED && names)
        fold_paused(w, f, replayed);
    else if (f->body == ASSENT__V1__EVENT__BODY_REPUTATION_RELEASED && names)
        fold_released(w, f);
}

void reputation_forget(struct world *w)
{
    for (uint32_t i = 0; i < SIM_CARRIERS_MAX * SIM_PROGRAMS; i++) {
        struct reputation_seen *s = seen_of(w, i / SIM_PROGRAMS, i % SIM_PROGRAMS);
        s->count = 0;
        s->persons = 0;
        s->paused = s->due = false;
    }
}

void reputation_release(struct witness *witness)
{
    for (uint32_t i = 0; i < SIM_CARRIERS_MAX * SIM_PROGRAMS; i++)
        free(witness->reputations[i / SIM_PROGRAMS][i % SIM_PROGRAMS].events);
}

uint32_t reputation_pauses(struct world *w, uint32_t program)
{
    uint32_t pauses = 0;
    for (uint32_t carrier = 0; carrier < w->plan.carriers; carrier++)
        pauses += seen_of(w, carrier, program)->paused;
    return pauses;
}

/* ---- the wire ---- */

/* What has begun is finished. */
void reputation_written(struct world *w, const struct text *t, const struct submit_seen *s)
{
    uint16_t carrier = w->wire.connections[s->connection]->carrier;
    bool begun = false;
    for (uint32_t part = 0; part < SIM_PARTS_MAX; part++)
        begun = begun || (part != s->part && t->parts[part].writes > 0);
    if (w->plan.reputation_texts != 0 && t->message_class == ASSENT__V1__CLASS__MARKETING &&
        !begun && seen_of(w, carrier, s->program)->paused)
        world_fail(w, "reputation", "#%u is written, and its sender %u is paused at carrier %u",
                   s->text, s->program, carrier);
}

/* ---- the operator ---- */

static void release(struct world *w, uint32_t carrier, uint32_t program)
{
    const char *why;
    bool refuses = engine_refuses(w->gw->engine, &why);
    Assent__V1__ReputationRequest request = ASSENT__V1__REPUTATION_REQUEST__INIT;
    request.release = true;
    request.sender = w->config.programs[program].senders[0];
    request.carrier = w->config.carriers[carrier].name;
    request.who = (char *)(uintptr_t) "mara";
    request.why = (char *)(uintptr_t) "looked into it";
    w->gw->seen.release_code = ASSENT__V1__CODE__CODE_OK;
    TRACE(w, "operator", "releases sender %u at carrier %u", program, carrier);
    engine_reputation_call(w->gw->engine, CLIENT_OPERATOR, 1, &request, world_instant(w));
    if (!w->gw->crashed && !refuses && w->gw->seen.release_code != ASSENT__V1__CODE__CODE_OK)
        world_fail(w, "reputation", "the pause of sender %u at carrier %u is forgotten", program,
                   carrier);
    world_entered(w);
}

void reputation_told(struct world *w, const Assent__V1__ReputationReply *reply)
{
    w->gw->seen.release_code = reply->code;
}

static void visit(struct world *w, struct event *e)
{
    if (w->ending)
        return;
    if (w->gw->engine != NULL && !w->gw->crashed) {
        if (!world_may_enter(w, e))
            return;
        for (uint32_t c = 0; c < w->plan.carriers; c++)
            for (uint32_t p = 0; p < SIM_PROGRAMS && !w->gw->crashed; p++)
                if (seen_of(w, c, p)->paused && (w->healing || rng_chance(&w->people_rng, 300000)))
                    release(w, c, p);
    }
    world_at(w, spread(&w->people_rng, VISIT_US), visit, 0, 0, 0);
}

void reputation_begin(struct world *w)
{
    for (uint32_t g = 0; g < w->plan.gateways && w->plan.reputation_texts != 0; g++) {
        world_turn_to(w, g);
        world_at(w, spread(&w->people_rng, VISIT_US), visit, 0, 0, 0);
    }
}

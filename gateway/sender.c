/* SPDX-License-Identifier: Apache-2.0 */
/* The rate and the daily cap of one sender at one carrier, as carriers of the United States count: 1
 * submit_sm a second from a long code, whatever the carrier's connection takes. The head of a flow whose sender has no room
 * is parked with its flow until the sender's time has come, so that the lane goes on with the others; a
 * turn looks at nothing that is parked.
 *
 * Parts that a sender's rate keeps apart are held together by the sender, not by the lane: nothing else
 * of this sender goes out while some of them are on their way to the wire. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define DAY_MS    86400000ull
#define DAY_SHARE 64
#define LOOK_US   (60 * US_PER_S) /* how long a wait for the next day trusts the clock */
#define FORGET_US (2 * US_PER_S)  /* what was written before is out of every window */

static struct sender_limit limit_of(const struct carrier_config *config, const char *address)
{
    for (uint16_t i = 0; i < config->sender_count; i++)
        if (strcmp(config->senders[i].sender, address) == 0)
            return config->senders[i];
    return (struct sender_limit){.rate = config->sender_rate, .daily = config->sender_daily};
}

static bool limits_senders(const struct carrier_config *config)
{
    return config->sender_rate != 0 || config->sender_daily != 0 || config->sender_count != 0;
}

/* What it wrote while nobody counted is not known: a second's worth. */
static void assume_used(struct sender *s, uint64_t now_us)
{
    throttle_reserve(&s->throttle, s->rate);
    for (uint32_t n = s->rate; n > 0; n--)
        throttle_write(&s->throttle, now_us);
}

/* NULL: it has no limit. */
static struct sender *find_sender(struct engine *e, struct carrier *c, const char *address)
{
    struct sender_limit limit = limit_of(c->config, address);
    uint64_t key = hash64(&e->key, address, strlen(address));
    struct sender *s = table_find_pointer(&c->senders, key);
    if (s != NULL || (limit.rate == 0 && limit.daily == 0))
        return s;
    s = check_calloc(1, sizeof *s);
    s->rate = limit.rate;
    s->daily = limit.daily;
    s->carrier = c;
    snprintf(s->address, sizeof s->address, "%s", address);
    parking_init(&s->parking);
    throttle_init(&s->throttle, limit.rate ? limit.rate : 1, e->now.mono_us);
    if (e->now.mono_us < c->senders_since_us + FORGET_US)
        assume_used(s, e->now.mono_us);
    *table_put(&c->senders, key) = (uint64_t)(uintptr_t)s;
    return s;
}

static struct sender *sender_of_flow(struct engine *e, struct carrier *c, const struct flow *flow)
{
    return find_sender(e, c, e->config->programs[flow->program].senders[flow->address]);
}

void message_join_flow(struct engine *e, struct message *m, const char *label)
{
    struct carrier *c = message_carrier(e, m);
    queue_join_flow(&c->queue, m, &e->key, label);
    if (limits_senders(c->config) && m->flow->sender == NULL)
        m->flow->sender = sender_of_flow(e, c, m->flow);
}

/* ---- the day's cap ---- */

static void roll(const struct engine *e, struct sender *s)
{
    uint32_t day = (uint32_t)(e->now.wall_ms / DAY_MS);
    if (day <= s->day)
        return;
    s->day = day;
    s->today = s->recorded = 0;
}

/* Of the day's cap, for a message that has parts to write; a text that does not fit is not begun. */
static uint32_t left_today(const struct engine *e, struct sender *s, const struct message *m)
{
    if (s->daily == 0)
        return UINT32_MAX;
    roll(e, s);
    uint32_t taken = s->today + s->throttle.reserved;
    uint32_t left = taken < s->daily ? s->daily - taken : 0;
    bool begun = m->done != 0 || m->flying != 0;
    bool fits = left >= (uint32_t)__builtin_popcount(m->todo) || taken == 0;
    return begun || fits ? left : 0;
}

bool sender_day_describe(const struct sender *s, Assent__V1__SenderDay *body)
{
    assent__v1__sender_day__init(body);
    body->carrier = UNCONST(s->carrier->config->name);
    body->sender = UNCONST(s->address);
    body->day = s->day;
    body->count = s->recorded;
    return s->recorded > 0;
}

/* Ahead of the writes, by a share of the cap: a restart takes what was recorded as written. */
static void record_day(struct engine *e, struct sender *s, struct message *m)
{
    uint32_t taken = s->today + s->throttle.reserved;
    if (s->daily == 0 || taken <= s->recorded)
        return;
    s->recorded = taken + s->daily / DAY_SHARE;
    if (s->recorded > s->daily && taken <= s->daily)
        s->recorded = s->daily;
    Assent__V1__SenderDay body;
    sender_day_describe(s, &body);
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_SENDER_DAY;
    event.sender_day = &body;
    m->attempt_sequence = record_event(e, &event, NULL); /* it waits for this record */
}

void sender_day_replay(struct engine *e, const Assent__V1__SenderDay *body)
{
    int carrier = carrier_index(e, body->carrier);
    struct sender *s = carrier < 0 ? NULL : find_sender(e, &e->carriers[carrier], body->sender);
    if (s == NULL || body->day < s->day || e->plant == PLANT_SENDER_DAY_FORGOTTEN)
        return;
    s->day = body->day;
    s->today = s->recorded = body->count;
}

/* ---- waiting ---- */

static void go_on(struct sender *s)
{
    s->carrier->senders_waiting--;
    s->carrier->senders_capped -= s->capped;
    s->waits = s->capped = false;
    queue_unpark(&s->carrier->queue, &s->parking);
}

static void wake(struct engine *e, struct sender *s)
{
    if (!s->waits)
        return;
    wheel_cancel(&e->sender_wheel, &s->timer);
    go_on(s);
}

static void fire(void *context, struct wheel_timer *timer)
{
    (void)context;
    go_on((struct sender *)(void *)((char *)timer - offsetof(struct sender, timer)));
}

void senders_turn(struct engine *e)
{
    wheel_advance(&e->sender_wheel, e->now.mono_us, fire, e);
}

static uint64_t next_day_us(const struct engine *e)
{
    uint64_t ahead_us = (DAY_MS - e->now.wall_ms % DAY_MS) * US_PER_MS;
    return e->now.mono_us + (ahead_us < LOOK_US ? ahead_us : LOOK_US);
}

static uint64_t due(struct engine *e, struct sender *s, bool capped, bool urgent)
{
    if (capped)
        return next_day_us(e);
    if (s->in_part > 0 || s->rate == 0)
        return e->now.mono_us + US_PER_S; /* giving back wakes it */
    return throttle_next(&s->throttle, e->now.mono_us, urgent);
}

static void park(struct engine *e, struct sender *s, const struct message *m, bool capped,
                 bool urgent)
{
    uint64_t due_us = due(e, s, capped, urgent);
    queue_park(&s->carrier->queue, m->flow, &s->parking);
    if (!s->waits || due_us < s->timer.due_us)
        wheel_set(&e->sender_wheel, &s->timer, due_us);
    s->carrier->senders_waiting += !s->waits;
    s->waits = true;
    s->carrier->senders_capped += capped && !s->capped;
    s->capped = s->capped || capped;
}

uint32_t sender_room(struct engine *e, struct message *m, uint32_t room)
{
    struct sender *s = m->flow->sender;
    bool urgent = class_is_urgent((Assent__V1__Class)m->message_class);
    uint32_t parts = (uint32_t)__builtin_popcount(m->todo), own = room;
    uint32_t left = left_today(e, s, m);
    if (s->in_part > 0 || (s->waits && !urgent))
        own = 0; /* a code may stand among those that wait: they all go on together */
    else if (s->rate != 0)
        own = throttle_room(&s->throttle, e->now.mono_us, urgent, parts);
    own = own < left ? own : left;
    if (own == 0)
        park(e, s, m, left == 0, urgent);
    else if (e->plant == PLANT_SENDER_PARTS)
        return room;
    return own < room ? own : room;
}

/* ---- tokens ---- */

void sender_reserve(struct engine *e, struct message *m)
{
    struct sender *s = m->flow->sender;
    throttle_reserve(&s->throttle, m->reserved);
    s->in_part += m->in_part;
    record_day(e, s, m);
}

void sender_give_back(struct engine *e, struct message *m)
{
    struct sender *s = m->flow->sender;
    bool other = m->in_part || m->reserved > 0;
    s->in_part -= m->in_part;
    throttle_give_back(&s->throttle, m->reserved);
    if (other)
        wake(e, s);
}

void sender_write(struct engine *e, struct sender *s)
{
    throttle_write(&s->throttle, e->now.mono_us);
    roll(e, s);
    s->today++;
    if (s->unflushed)
        return;
    s->unflushed = true;
    s->next_unflushed = s->carrier->unflushed;
    s->carrier->unflushed = s;
}

void senders_flushed(struct carrier *c, uint64_t now_us)
{
    struct sender *s;
    while ((s = c->unflushed) != NULL) {
        c->unflushed = s->next_unflushed;
        s->unflushed = false;
        throttle_flushed(&s->throttle, now_us);
    }
}

/* ---- other settings ---- */

static void take_limit(struct engine *e, struct sender *s)
{
    struct sender_limit limit = limit_of(s->carrier->config, s->address);
    s->rate = limit.rate;
    s->daily = limit.daily;
    if (s->rate != 0)
        throttle_set_rate(&s->throttle, s->rate, false, e->now.mono_us);
    wake(e, s);
}

/* What is on its way to the wire and was not counted yet. */
static void count_held(struct engine *e, struct carrier *c, struct message *m)
{
    struct sender *s = m->flow->sender == NULL ? sender_of_flow(e, c, m->flow) : NULL;
    if (s == NULL)
        return;
    throttle_reserve(&s->throttle, m->reserved);
    s->in_part += m->in_part;
    c->in_part[m->message_class] -= m->in_part;
}

void senders_configure(struct engine *e, struct carrier *c)
{
    static const enum message_state held[] = {MESSAGE_INTENT, MESSAGE_ASKED, MESSAGE_CLEARED};
    size_t cursor = 0;
    struct table_slot *slot;
    c->senders_since_us = e->now.mono_us;
    while ((slot = table_next(&c->senders, &cursor)) != NULL)
        take_limit(e, table_slot_pointer(slot));
    if (!limits_senders(c->config))
        return;
    struct message *m;
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        TAILQ_FOREACH (m, &e->messages.lists[held[i]], link) {
            if (message_carrier(e, m) == c)
                count_held(e, c, m);
        }
    cursor = 0;
    while ((slot = table_next(&c->queue.flows, &cursor)) != NULL) {
        struct flow *flow = table_slot_pointer(slot);
        if (flow->sender == NULL)
            flow->sender = sender_of_flow(e, c, flow);
    }
}

void senders_release(struct carrier *c)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&c->senders, &cursor)) != NULL)
        free(table_slot_pointer(slot));
    table_release(&c->senders);
}

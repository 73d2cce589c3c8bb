/* SPDX-License-Identifier: Apache-2.0 */
/* Which carrier a message waits at: the best of its routes (gateway/route.h) that is fit.
 *
 * A carrier is unfit while none of its sessions may submit, or while it refuses: it throttles, answers
 * with temporary errors or not at all, and takes nothing. Unfit for its `failover_after`, it is passed
 * over; codes and emergencies pass after FAILOVER_URGENT_MS. What waits there then moves, a few
 * messages a turn, and comes back the same way. A carrier that was passed over because it refused is
 * tried again when it has refused nothing for REFUSALS_FORGOTTEN_MS.
 *
 * Never moved: a message of which a part was taken, is unanswered or in doubt at its carrier (P6). */
#include <stdio.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define MOVES_A_TURN          500
#define REFUSALS_FORGOTTEN_MS 10000

/* ---- the choice ---- */

static uint64_t bit(uint16_t carrier)
{
    return 1ull << carrier;
}

static struct route_query query_of(const struct engine *e, const struct message *m)
{
    return (struct route_query){.number = m->number,
                                .sender = e->config->programs[m->program].senders[m->sender],
                                .message_class = (Assent__V1__Class)m->message_class};
}

static bool is_urgent(Assent__V1__Class message_class)
{
    return message_class == ASSENT__V1__CLASS__OTP || message_class == ASSENT__V1__CLASS__EMERGENCY;
}

static uint64_t passed_over(const struct engine *e, Assent__V1__Class message_class)
{
    return e->passed_over[is_urgent(message_class)];
}

/* Of `order` the first that is in neither mask, or -1. */
static int first_without(const uint16_t *order, uint16_t count, uint64_t mask)
{
    for (uint16_t i = 0; i < count; i++)
        if ((mask & bit(order[i])) == 0)
            return order[i];
    return -1;
}

static void count_failover(struct carrier *from, bool by_status)
{
    enum failover_reason reason = by_status                  ? FAILOVER_STATUS
                                  : from->down_since_us != 0 ? FAILOVER_DOWN
                                                             : FAILOVER_REFUSING;
    from->failed_over[reason]++;
}

/* Where no carrier is fit the best one waits. */
int route_find(struct engine *e, const struct route_query *query)
{
    uint16_t order[CARRIERS_MAX];
    uint64_t over = passed_over(e, query->message_class);
    uint16_t count = route_order(e->routes, query, over ? CARRIERS_MAX : 1, order);
    if (count == 0)
        return -1;
    int found = first_without(order, count, over);
    if (found < 0 || found == order[0])
        return order[0];
    count_failover(&e->carriers[order[0]], false);
    return found;
}

/* ---- moving ---- */

static bool may_move(const struct message *m)
{
    return m->flying == 0 && m->done == 0 && m->reserved == 0 && !m->unknown && !m->resent &&
           !m->intent;
}

void message_set_carrier(struct engine *e, struct message *m, uint16_t carrier)
{
    char label[CAMPAIGN_OCTETS_MAX + 1];
    CHECK(m->state != MESSAGE_WAITING && m->flying == 0 && m->reserved == 0);
    snprintf(label, sizeof label, "%s", m->flow->label);
    queue_leave_flow(&e->carriers[m->carrier].queue, m);
    m->carrier = carrier;
    m->link_index = 0;
    message_join_flow(e, m, label);
}

/* False, and it stays: `carrier` does not take its text. */
static bool move(struct engine *e, struct message *m, uint16_t carrier)
{
    uint16_t from = m->carrier;
    message_set_carrier(e, m, carrier);
    if (message_plan(e, m) || e->plant == PLANT_FAILOVER_PART)
        return true;
    m->avoid |= bit(carrier);
    message_set_carrier(e, m, from);
    return false;
}

/* To the first of its routes that is not in `over` and takes its text; false when it is there, or when
 * there is none. */
static bool move_to_best(struct engine *e, struct message *m, uint64_t over)
{
    uint16_t order[CARRIERS_MAX];
    struct route_query query = query_of(e, m);
    uint16_t count = route_order(e->routes, &query, CARRIERS_MAX, order);
    int to;
    while ((to = first_without(order, count, over | m->avoid)) >= 0 && to != m->carrier)
        if (move(e, m, (uint16_t)to))
            return true;
    return false;
}

/* An answer to a handset stays where the handset's text came from, as long as that carrier is fit. */
void message_reroute(struct engine *e, struct message *m)
{
    uint64_t over = passed_over(e, (Assent__V1__Class)m->message_class);
    struct carrier *from = message_carrier(e, m);
    bool fit = (over & bit(m->carrier)) == 0;
    if (e->config->carrier_count < 2 || !may_move(m) || e->plant == PLANT_NO_FAILOVER ||
        (fit && m->message_class == ASSENT__V1__CLASS__SERVICE))
        return;
    if (move_to_best(e, m, over) && !fit)
        count_failover(from, false);
}

bool message_go_elsewhere(struct engine *e, struct message *m)
{
    struct carrier *from = message_carrier(e, m);
    bool bound_here = m->resent || (m->done != 0 && e->plant != PLANT_FAILOVER_PART);
    m->avoid |= bit(m->carrier);
    if (bound_here || (!move_to_best(e, m, passed_over(e, (Assent__V1__Class)m->message_class)) &&
                       !move_to_best(e, m, 0)))
        return false;
    count_failover(from, true);
    return true;
}

/* ---- health ---- */

void carrier_refuses(struct engine *e, struct carrier *c)
{
    if (c->refusing_since_us == 0)
        c->refusing_since_us = e->now.mono_us;
    c->refused_us = e->now.mono_us;
}

void carrier_takes(struct carrier *c)
{
    c->refusing_since_us = 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t patience_us(const struct carrier *c, bool urgent)
{
    uint64_t ms = c->config->failover_after_ms;
    return (urgent ? earlier(ms, FAILOVER_URGENT_MS) : ms) * US_PER_MS;
}

/* UINT64_MAX: it is fit. */
static uint64_t unfit_since(const struct carrier *c)
{
    uint64_t since = c->down_since_us ? c->down_since_us : UINT64_MAX;
    return c->refusing_since_us ? earlier(since, c->refusing_since_us) : since;
}

static void look_at(struct engine *e, struct carrier *c)
{
    uint64_t now_us = e->now.mono_us;
    if (carrier_bound(c) > 0)
        c->down_since_us = 0;
    else if (c->down_since_us == 0)
        c->down_since_us = now_us;
    if (c->refusing_since_us != 0 && now_us >= c->refused_us + REFUSALS_FORGOTTEN_MS * US_PER_MS)
        c->refusing_since_us = 0;
}

static void judge(struct engine *e)
{
    uint64_t masks[2] = {0, 0};
    for (uint16_t i = 0; i < e->config->carrier_count; i++) {
        struct carrier *c = &e->carriers[i];
        look_at(e, c);
        for (int urgent = 0; urgent < 2; urgent++) {
            uint64_t since = unfit_since(c);
            if (c->config->retired)
                masks[urgent] |= bit(i);
            if (since != UINT64_MAX && e->now.mono_us >= since + patience_us(c, urgent))
                masks[urgent] |= bit(i);
        }
    }
    if (masks[0] == e->passed_over[0] && masks[1] == e->passed_over[1])
        return;
    e->passed_over[0] = masks[0];
    e->passed_over[1] = masks[1];
    e->failover_round++;
}

/* Out of its queue and back, where it should not be: message_reroute() is for what stands in none. */
static void visit(void *context, struct message *m)
{
    struct engine *e = context;
    uint16_t order[CARRIERS_MAX];
    struct route_query query = query_of(e, m);
    uint64_t over = passed_over(e, query.message_class) | m->avoid;
    int best = first_without(order, route_order(e->routes, &query, CARRIERS_MAX, order), over);
    if (best < 0 || best == m->carrier || !may_move(m))
        return;
    queue_remove(&message_carrier(e, m)->queue, m);
    message_set_state(&e->messages, m, MESSAGE_NEW);
    message_reroute(e, m);
    bool stays = best != m->carrier;
    message_set_state(&e->messages, m, MESSAGE_WAITING);
    queue_put(&message_carrier(e, m)->queue, m, stays);
}

static uint32_t walk(struct engine *e, struct carrier *c, uint32_t budget)
{
    for (int i = 0; i < CLASS_COUNT - 1 && budget > 0; i++)
        budget = queue_walk(&c->queue, queue_order[i], e->failover_round, budget, visit, e);
    if (budget > 0)
        c->walked_round = e->failover_round;
    return budget;
}

void failover_turn(struct engine *e)
{
    uint32_t budget = MOVES_A_TURN;
    judge(e);
    for (uint16_t i = 0; i < e->config->carrier_count && budget > 0; i++)
        if (e->carriers[i].walked_round != e->failover_round)
            budget = walk(e, &e->carriers[i], budget);
}

uint64_t failover_next_us(const struct engine *e)
{
    uint64_t next = UINT64_MAX, now_us = e->now.mono_us;
    for (uint16_t i = 0; i < e->config->carrier_count; i++) {
        const struct carrier *c = &e->carriers[i];
        uint64_t since = unfit_since(c);
        if (c->walked_round != e->failover_round)
            next = earlier(next, now_us + US_PER_MS);
        for (int urgent = 0; urgent < 2 && since != UINT64_MAX; urgent++)
            if (since + patience_us(c, urgent) > now_us)
                next = earlier(next, since + patience_us(c, urgent));
        if (c->refusing_since_us != 0)
            next = earlier(next, c->refused_us + REFUSALS_FORGOTTEN_MS * US_PER_MS);
    }
    return next;
}

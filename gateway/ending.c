/* SPDX-License-Identifier: Apache-2.0 */
/* How a message leaves the pipeline: it ends, goes back to its queue, waits for receipts, or is in
 * doubt. Whatever it held (tokens, window slots, a place in a list) is given back here and only
 * here. */
#include "gateway/engine_state.h"

void message_give_back(struct engine *e, struct message *m)
{
    struct carrier *c = message_carrier(e, m);
    if (m->flow->sender != NULL)
        sender_give_back(e, m);
    else
        c->in_part[m->message_class] -= m->in_part;
    m->in_part = false;
    if (m->reserved == 0)
        return;
    if (e->plant != PLANT_TOKEN_NOT_RETURNED && e->plant != PLANT_RATE_AT_DISPATCH)
        throttle_give_back(&c->throttle, m->reserved);
    struct carrier_link *link = &c->links[m->link_index];
    struct throttle *own = link_throttle(e, c, link);
    if (own != NULL)
        throttle_give_back(own, m->reserved);
    link->reserved -= m->reserved;
    m->reserved = 0;
}

void message_leave_state(struct engine *e, struct message *m)
{
    struct carrier *c = message_carrier(e, m);
    message_give_back(e, m);
    wheel_cancel(&e->wheel, &m->timer);
    if (m->state == MESSAGE_WAITING)
        queue_remove(&c->queue, m);
    if (m->state == MESSAGE_SENT)
        c->awaiting_receipt--;
}

void message_finish(struct engine *e, struct message *m, Assent__V1__Outcome outcome)
{
    message_leave_state(e, m);
    secret_release(e, m);
    message_set_quiet(e, m, false);
    if (outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN) {
        e->metrics.ended[m->message_class][outcome]++;
        ended_remember(e, m, outcome);
    }
    correlate_drop(e, m);
    queue_leave_flow(&message_carrier(e, m)->queue, m);
    message_set_state(&e->messages, m, MESSAGE_ENDED);
}

void message_end(struct engine *e, struct message *m, Assent__V1__Outcome outcome,
                 Assent__V1__Reason reason, uint16_t scope, uint64_t cause)
{
    record_ended(e, m, outcome, reason, scope, cause);
    if (outcome == ASSENT__V1__OUTCOME__SUPPRESSED || outcome == ASSENT__V1__OUTCOME__CANCELLED)
        e->metrics.suppressed[reason]++;
    message_finish(e, m, outcome);
}

void message_cancel(struct engine *e, struct message *m, uint16_t scope, uint64_t cause,
                    const char *node)
{
    record_cancelled(e, m, scope, cause, node);
    e->metrics.suppressed[ASSENT__V1__REASON__STOP_CANCELLED]++;
    message_finish(e, m, ASSENT__V1__OUTCOME__CANCELLED);
}

void message_hold(struct engine *e, struct message *m, Assent__V1__Reason reason)
{
    message_give_back(e, m);
    /* Nothing of it waits: a part was written and its session is gone, or its STOP came while it was asked about. */
    if (m->unknown || (m->stopped && m->flying == 0)) {
        message_set_state(&e->messages, m, MESSAGE_ON_WIRE);
        message_settle(e, m);
        return;
    }
    if (m->flying == 0 && m->done == 0) {
        record_held(e, m, reason, 0);
        m->attempts--;
    }
    m->due_us = 0;
    message_wait(e, m, true);
}

void message_hold_until(struct engine *e, struct message *m, Assent__V1__Reason reason,
                        uint64_t due_wall_ms)
{
    message_give_back(e, m);
    message_wait_until(e, m, due_wall_ms);
    message_set_quiet(e, m, reason == ASSENT__V1__REASON__QUIET_HOURS);
    record_held(e, m, reason, message_due_wall_ms(e, m));
    m->attempts--;
    message_wait(e, m, false);
}

void message_in_doubt(struct engine *e, struct message *m, uint64_t until_us)
{
    message_leave_state(e, m);
    secret_release(e, m);
    message_set_state(&e->messages, m, MESSAGE_IN_DOUBT);
    wheel_set(&e->wheel, &m->timer, until_us);
}

uint16_t all_parts(const struct message *m)
{
    return (uint16_t)((1u << m->parts) - 1);
}

void message_to_sent(struct engine *e, struct message *m)
{
    struct carrier *c = message_carrier(e, m);
    message_leave_state(e, m);
    m->intent = false;
    secret_release(e, m);
    message_set_state(&e->messages, m, MESSAGE_SENT);
    c->awaiting_receipt++;
    wheel_set(&e->wheel, &m->timer, e->now.mono_us + c->config->receipt_timeout_ms * US_PER_MS);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the carrier's answers make of a message: each part that was written ends as taken, refused,
 * to be tried again, or unknown; when all have their answer the message is settled. */
#include <stdio.h>

#include "gateway/engine_state.h"
#include "smpp/status.h"

static void retry_later(struct engine *e, struct message *m)
{
    if (m->throttled) {
        m->throttled = false;
        m->attempts--; /* the lane's fault, not the message's */
        m->due_us = 0;
        record_deferred(e, m);
        message_wait(e, m, true);
        return;
    }
    uint64_t delay_ms = e->config->retry_min_ms;
    for (uint8_t i = 1; i < m->attempts && delay_ms < e->config->retry_max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > e->config->retry_max_ms)
        delay_ms = e->config->retry_max_ms;
    delay_ms = delay_ms / 2 + rng_below(&e->rng, delay_ms / 2 + 1);
    m->due_us = e->now.mono_us + delay_ms * US_PER_MS;
    record_deferred(e, m);
    message_wait(e, m, false);
}

bool may_send_again(const struct engine *e, const struct message *m)
{
    return m->message_class != ASSENT__V1__CLASS__MARKETING &&
           m->message_class != ASSENT__V1__CLASS__SERVICE && !m->resent && !m->stopped &&
           e->config->programs[m->program].on_unknown == UNKNOWN_SEND_AGAIN;
}

static void settle_unknown(struct engine *e, struct message *m)
{
    if (e->plant == PLANT_FAILOVER_IN_FLIGHT && message_go_elsewhere(e, m)) {
        m->unknown = false;
        m->todo = all_parts(m);
        m->due_us = 0;
        record_deferred(e, m);
        message_wait(e, m, false);
        return;
    }
    if (may_send_again(e, m)) {
        m->unknown = false;
        m->resent = true;
        m->todo = all_parts(m) & (uint16_t)~m->done;
        retry_later(e, m);
        return;
    }
    record_ended(e, m, ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME, ASSENT__V1__REASON__NO_ANSWER, 0, 0);
    e->metrics.ended[m->message_class][ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME]++;
    message_in_doubt(
        e, m, e->now.mono_us + message_carrier(e, m)->config->receipt_timeout_ms * US_PER_MS);
}

static void reject(struct engine *e, struct message *m)
{
    message_end(e, m, ASSENT__V1__OUTCOME__REJECTED, ASSENT__V1__REASON__CARRIER_STATUS, 0, 0);
}

/* At once by the next route; where there is none, by the nature of its status. */
static void settle_elsewhere(struct engine *e, struct message *m)
{
    m->elsewhere = m->throttled = false;
    if (message_go_elsewhere(e, m)) {
        m->due_us = 0;
        record_deferred(e, m);
        message_wait(e, m, false);
    } else if (status_policy_here(m->command_status) == STATUS_RETRY) {
        retry_later(e, m);
    } else {
        reject(e, m);
    }
}

/* It waited before all others, being written in part; all that was written has come back. */
static void queue_again(struct engine *e, struct message *m)
{
    struct queue *queue = &message_carrier(e, m)->queue;
    queue_remove(queue, m);
    queue_put(queue, m, true);
}

/* Every part that was written has its answer: what becomes of the message? */
void message_settle(struct engine *e, struct message *m)
{
    bool waits_for_tokens =
        m->state == MESSAGE_WAITING && !m->failed && !m->unknown && !m->stopped && !m->elsewhere;
    if (m->flying != 0 || m->reserved != 0)
        return;
    if (waits_for_tokens) {
        if (m->done == 0)
            queue_again(e, m);
        return;
    }
    if (m->state != MESSAGE_ON_WIRE && m->state != MESSAGE_WAITING)
        return;
    if (m->state == MESSAGE_WAITING) { /* written in part, and the rest is not wanted any more */
        queue_remove(&message_carrier(e, m)->queue, m);
        wheel_cancel(&e->wheel, &m->timer);
        message_set_state(&e->messages, m, MESSAGE_ON_WIRE);
    }
    if (m->unknown)
        settle_unknown(e, m);
    else if (m->failed)
        reject(e, m);
    else if (m->stopped && m->todo != 0)
        message_end(e, m, ASSENT__V1__OUTCOME__CANCELLED, ASSENT__V1__REASON__STOP_CANCELLED, 0, 0);
    else if (m->todo == 0) {
        message_to_sent(e, m);
        receipts_settle(e, m);
    } else if (m->attempts > e->config->retry_max)
        reject(e, m);
    else if (m->elsewhere)
        settle_elsewhere(e, m);
    else
        retry_later(e, m);
}

static void part_taken(struct engine *e, struct message *m, uint16_t bit, struct span carrier_id)
{
    uint8_t part = (uint8_t)(__builtin_ctz(bit) + 1);
    m->done |= bit;
    carrier_takes(message_carrier(e, m));
    pacing_taken(&message_carrier(e, m)->pacing, m->verdict_us, m->depth);
    record_sent(e, m, part, carrier_id);
    if (carrier_id.length == 0)
        m->reported |= bit; /* no id: no receipt can be matched, none is expected */
    else
        correlate_add(e, m, part, carrier_id);
}

static void part_throttled(struct engine *e, struct message *m, uint16_t bit, enum refusal about)
{
    e->metrics.counters[COUNT_SUBMIT_SM_THROTTLED]++;
    m->throttled = true;
    m->todo |= bit;
    lane_refused(e, message_carrier(e, m), about, m);
    carrier_refuses(e, message_carrier(e, m));
}

/* The carrier's exceptions first, then the standard's table. */
enum status_policy carrier_status_policy(const struct carrier_config *carrier, uint32_t status)
{
    for (uint16_t i = 0; i < carrier->status_count; i++)
        if (carrier->statuses[i].command_status == status)
            return carrier->statuses[i].policy;
    enum status_policy policy = status_policy(status);
    return policy == STATUS_UNKNOWN_PERMANENT ? carrier->unknown_status : policy;
}

static void part_refused(struct engine *e, struct message *m, uint16_t bit,
                         enum status_policy policy)
{
    switch (policy) {
    case STATUS_THROTTLE:
        part_throttled(e, m, bit,
                       m->command_status == ESME_RMSGQFUL ? REFUSED_WINDOW : REFUSED_RATE);
        return;
    case STATUS_RETRY:
        if (m->command_status == ESME_RSUBMITFAIL &&
            pacing_is_too_deep(&message_carrier(e, m)->pacing, m->depth)) {
            part_throttled(e, m, bit, REFUSED_WINDOW);
            return;
        }
        e->metrics.counters[COUNT_SUBMIT_SM_RETRY]++;
        carrier_refuses(e, message_carrier(e, m));
        m->todo |= bit;
        return;
    case STATUS_ELSEWHERE:
        e->metrics.counters[COUNT_SUBMIT_SM_RETRY]++;
        m->elsewhere = true;
        m->todo |= bit;
        return;
    case STATUS_OK:
    case STATUS_OPTED_OUT:
    case STATUS_PERMANENT:
    case STATUS_UNKNOWN_SUBSCRIBER:
    case STATUS_FILTERED:
    case STATUS_UNKNOWN_PERMANENT:
        m->failed = true;
        return;
    }
}

static void refused(struct engine *e, struct message *m, uint16_t bit, uint32_t status)
{
    enum status_policy policy = carrier_status_policy(message_carrier(e, m)->config, status);
    bool first = !m->failed;
    m->command_status = status;
    part_refused(e, m, bit, policy);
    if (first && policy == STATUS_UNKNOWN_SUBSCRIBER)
        news_unknown_subscriber(e, m, status);
    message_settle(e, m);
    if (policy == STATUS_OPTED_OUT) /* an ended message is freed when the turn is over */
        news_opted_out(e, m, status);
}

void message_request_ended(struct engine *e, uint64_t cookie, enum request_end end,
                           uint32_t command_status, struct span carrier_id)
{
    struct message *m = message_find(&e->messages, cookie >> PART_BITS);
    uint16_t bit = (uint16_t)(1u << (cookie & ((1u << PART_BITS) - 1)));
    if (m == NULL || (m->flying & bit) == 0)
        return;
    const struct message *next = TAILQ_NEXT(m, link);
    if (next != NULL) { /* most often the next one answered; it was fetched with the one before */
        message_prefetch_place(&e->messages, next->id);
        message_prefetch(TAILQ_NEXT(next, link));
    }
    m->flying &= (uint16_t)~bit;
    switch (end) {
    case REQUEST_ANSWERED:
        histogram_add(&e->metrics.timings[TIME_SUBMIT_RESPONSE], e->now.mono_us - m->verdict_us);
        if (command_status != ESME_ROK) {
            refused(e, m, bit, command_status);
            return;
        }
        part_taken(e, m, bit, carrier_id);
        break;
    case REQUEST_NACKED:
        refused(e, m, bit, command_status ? command_status : ESME_RINVCMDID);
        return;
    case REQUEST_TIMEOUT:
        carrier_refuses(e, message_carrier(e, m));
        m->unknown = true;
        break;
    case REQUEST_LOST:
        m->unknown = true;
        break;
    }
    message_settle(e, m);
}

/* Taken after all, while other parts are on the wire or it waits to be sent again. */
static void late_part_taken(struct engine *e, struct message *m, uint16_t bit,
                            struct span carrier_id)
{
    part_taken(e, m, bit, carrier_id);
    m->todo &= (uint16_t)~bit;
    if (!m->failed)
        m->unknown = (all_parts(m) & ~(m->done | m->todo | m->flying)) != 0;
    if (m->todo != 0 && m->reserved != 0) {
        message_hold(e, m, ASSENT__V1__REASON__NO_ANSWER);
    } else if (m->todo == 0 && m->state != MESSAGE_ON_WIRE) {
        message_leave_state(e, m);
        message_set_state(&e->messages, m, MESSAGE_ON_WIRE);
    }
    message_settle(e, m);
}

/* The answer to a request that had been given up: it still says what became of the message. */
void message_late_answer(struct engine *e, uint64_t cookie, uint32_t command_status,
                         struct span carrier_id)
{
    struct message *m = message_find(&e->messages, cookie >> PART_BITS);
    uint16_t bit = (uint16_t)(1u << (cookie & ((1u << PART_BITS) - 1)));
    if (m == NULL || ((m->done | m->flying) & bit) != 0)
        return;
    if (m->state <= MESSAGE_ON_WIRE && command_status == ESME_ROK) {
        late_part_taken(e, m, bit, carrier_id);
        return;
    }
    enum status_policy policy =
        carrier_status_policy(message_carrier(e, m)->config, command_status);
    if (policy == STATUS_OPTED_OUT)
        news_opted_out(e, m, command_status);
    if (m->state != MESSAGE_IN_DOUBT)
        return;
    if (command_status != ESME_ROK) {
        m->command_status = command_status;
        if (policy == STATUS_UNKNOWN_SUBSCRIBER)
            news_unknown_subscriber(e, m, command_status);
        reject(e, m);
        return;
    }
    part_taken(e, m, bit, carrier_id);
    if (m->done != all_parts(m))
        return;
    message_to_sent(e, m);
    receipts_settle(e, m);
}

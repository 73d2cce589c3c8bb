/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/check.h"

const Assent__V1__Class queue_order[CLASS_COUNT - 1] = {
    ASSENT__V1__CLASS__EMERGENCY,     ASSENT__V1__CLASS__OTP,       ASSENT__V1__CLASS__SERVICE,
    ASSENT__V1__CLASS__TRANSACTIONAL, ASSENT__V1__CLASS__MARKETING,
};

void queue_init(struct queue *queue)
{
    *queue = (struct queue){0};
    for (int i = 0; i < CLASS_COUNT; i++)
        TAILQ_INIT(&queue->lanes[i].active);
    for (int i = 0; i < CLASS_COUNT; i++)
        TAILQ_INIT(&queue->lanes[i].parked);
    table_init(&queue->flows);
}

/* Messages belong to the message store and go back to it. */
void queue_release(struct queue *queue, struct message_store *store)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&queue->flows, &cursor)) != NULL) {
        struct flow *flow = table_slot_pointer(slot);
        struct message *message;
        while ((message = TAILQ_FIRST(&flow->messages)) != NULL) {
            TAILQ_REMOVE(&flow->messages, message, link);
            message_drop(store, message);
        }
        free(flow);
    }
    table_release(&queue->flows);
}

static struct lane *lane_of(struct queue *queue, const struct message *message)
{
    return &queue->lanes[message->message_class];
}

static uint64_t flow_key(const struct message *message, const struct hash_key *key,
                         const char *label)
{
    uint16_t owner[4] = {message->client, message->program, message->message_class,
                         message->sender};
    char name[sizeof owner + CAMPAIGN_OCTETS_MAX];
    size_t length = strlen(label);
    memcpy(name, owner, sizeof owner);
    memcpy(name + sizeof owner, label, length);
    uint64_t hash = hash64(key, name, sizeof owner + length);
    return hash ? hash : 1;
}

void queue_join_flow(struct queue *queue, struct message *message, const struct hash_key *key,
                     const char *label)
{
    uint64_t id = flow_key(message, key, label);
    struct flow *flow = table_find_pointer(&queue->flows, id);
    if (flow == NULL && queue->flows.count >= CAMPAIGNS_MAX) {
        label = "";
        /* one overflow flow a class and sender */
        id = 1 + message->message_class + ((uint64_t)message->program << 8) +
             ((uint64_t)message->sender << 24);
        flow = table_find_pointer(&queue->flows, id);
    }
    if (flow == NULL) {
        flow = check_calloc(1, sizeof *flow);
        flow->key = id;
        flow->program = message->program;
        flow->address = message->sender;
        snprintf(flow->label, sizeof flow->label, "%s", label);
        TAILQ_INIT(&flow->messages);
        *table_put(&queue->flows, id) = (uint64_t)(uintptr_t)flow;
    }
    flow->references++;
    message->flow = flow;
}

void queue_leave_flow(struct queue *queue, struct message *message)
{
    struct flow *flow = message->flow;
    message->flow = NULL;
    if (--flow->references > 0)
        return;
    CHECK(flow->waiting == 0);
    table_remove(&queue->flows, flow->key);
    free(flow);
}

static bool in_part(const struct message *message)
{
    return message->flying != 0 || message->done != 0;
}

/* What comes back stands again in the order of acceptance; what is written in part stands first. */
static void put_back(struct flow *flow, struct message *message)
{
    struct message *at = TAILQ_FIRST(&flow->messages);
    while (at != NULL && !in_part(message) && (in_part(at) || at->id < message->id))
        at = TAILQ_NEXT(at, link);
    if (at != NULL)
        TAILQ_INSERT_BEFORE(at, message, link);
    else
        TAILQ_INSERT_TAIL(&flow->messages, message, link);
}

void queue_put(struct queue *queue, struct message *message, bool front)
{
    struct flow *flow = message->flow;
    struct lane *lane = lane_of(queue, message);
    lane->waiting++;
    if (flow->waiting++ == 0) {
        flow->credit = QUEUE_TURN_PARTS;
        TAILQ_INSERT_TAIL(&lane->active, flow, link);
    }
    if (!front) {
        TAILQ_INSERT_TAIL(&flow->messages, message, link);
        return;
    }
    put_back(flow, message);
    if (flow->parking != NULL)
        return;
    TAILQ_REMOVE(&lane->active, flow, link);
    TAILQ_INSERT_HEAD(&lane->active, flow, link);
}

static void leave_parking(struct lane *lane, struct flow *flow)
{
    TAILQ_REMOVE(&lane->parked, flow, link);
    TAILQ_REMOVE(&flow->parking->flows, flow, parked_link);
    flow->parking = NULL;
}

void queue_remove(struct queue *queue, struct message *message)
{
    struct flow *flow = message->flow;
    struct lane *lane = lane_of(queue, message);
    if (flow->walk_next == message)
        flow->walk_next = TAILQ_NEXT(message, link);
    TAILQ_REMOVE(&flow->messages, message, link);
    lane->waiting--;
    if (--flow->waiting > 0)
        return;
    if (flow->parking != NULL)
        leave_parking(lane, flow);
    else
        TAILQ_REMOVE(&lane->active, flow, link);
}

void parking_init(struct parking *parking)
{
    TAILQ_INIT(&parking->flows);
}

void queue_park(struct queue *queue, struct flow *flow, struct parking *parking)
{
    struct lane *lane = lane_of(queue, TAILQ_FIRST(&flow->messages));
    TAILQ_REMOVE(&lane->active, flow, link);
    TAILQ_INSERT_TAIL(&lane->parked, flow, link);
    TAILQ_INSERT_TAIL(&parking->flows, flow, parked_link);
    flow->parking = parking;
}

void queue_unpark(struct queue *queue, struct parking *parking)
{
    struct flow *flow;
    while ((flow = TAILQ_FIRST(&parking->flows)) != NULL) {
        struct lane *lane = lane_of(queue, TAILQ_FIRST(&flow->messages));
        leave_parking(lane, flow);
        TAILQ_INSERT_TAIL(&lane->active, flow, link);
    }
}

struct message *queue_peek(struct queue *queue, Assent__V1__Class message_class)
{
    struct flow *flow = TAILQ_FIRST(&queue->lanes[message_class].active);
    return flow ? TAILQ_FIRST(&flow->messages) : NULL;
}

void queue_take(struct queue *queue, struct message *message, unsigned parts)
{
    struct flow *flow = message->flow;
    struct lane *lane = lane_of(queue, message);
    /* At hand: it was fetched when the one before was taken. */
    const struct message *next = TAILQ_NEXT(message, link);
    if (next != NULL)
        message_prefetch(TAILQ_NEXT(next, link));
    queue_remove(queue, message);
    flow->credit -= (int32_t)parts;
    if (flow->credit > 0 || flow->waiting == 0)
        return;
    flow->credit += QUEUE_TURN_PARTS;
    TAILQ_REMOVE(&lane->active, flow, link);
    TAILQ_INSERT_TAIL(&lane->active, flow, link);
}

static uint32_t walk_flow(struct flow *flow, uint64_t round, uint32_t budget,
                          void (*visit)(void *context, struct message *message), void *context)
{
    if (flow->walk_begun != round) {
        flow->walk_begun = round;
        flow->walk_next = TAILQ_FIRST(&flow->messages);
    }
    struct message *message = flow->walk_next;
    for (; message != NULL && budget > 0; budget--) {
        struct message *next = TAILQ_NEXT(message, link);
        flow->walk_next = next;
        if (next == NULL)
            flow->walk_over = round; /* the visit may end the flow */
        visit(context, message);
        message = next;
    }
    return budget;
}

static uint32_t walk_flows(const struct flow_list *flows, uint64_t round, uint32_t budget,
                           void (*visit)(void *context, struct message *message), void *context)
{
    struct flow *flow = TAILQ_FIRST(flows), *next;
    for (; flow != NULL && budget > 0; flow = next) {
        next = TAILQ_NEXT(flow, link);
        if (flow->walk_over != round)
            budget = walk_flow(flow, round, budget, visit, context);
    }
    return budget;
}

uint32_t queue_walk(struct queue *queue, Assent__V1__Class message_class, uint64_t round,
                    uint32_t budget, void (*visit)(void *context, struct message *message),
                    void *context)
{
    const struct lane *lane = &queue->lanes[message_class];
    budget = walk_flows(&lane->active, round, budget, visit, context);
    return walk_flows(&lane->parked, round, budget, visit, context);
}

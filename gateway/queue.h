/* SPDX-License-Identifier: Apache-2.0 */
/* What waits at a carrier: strict priority between classes, fair shares between the flows of a class
 * (promise P8). A flow is one campaign of one client and program, from one of its senders, in one class
 * at one carrier; flows take turns, and a turn is worth QUEUE_TURN_PARTS parts, so that long texts pay.
 * A flow that waits for something of its own is parked, and its lane goes on without it. */
#ifndef GATEWAY_QUEUE_H
#define GATEWAY_QUEUE_H

#include "gateway/message.h"
#include "proto/base/hash.h"

#define QUEUE_TURN_PARTS 10

struct sender;

TAILQ_HEAD(flow_list, flow);

struct parking { /* flows that wait for the same thing */
    struct flow_list flows;
};

struct flow {
    TAILQ_ENTRY(flow) link;        /* in its lane while messages wait */
    TAILQ_ENTRY(flow) parked_link; /* and in `parking` */
    struct parking *parking;       /* NULL: it takes its turns */
    struct sender *sender;         /* whose rate it keeps to; NULL: nobody's */
    struct message_list messages;
    uint64_t key;
    uint64_t waiting;
    uint64_t references; /* open messages of this flow, waiting or not */
    int32_t credit;      /* parts left of its turn */
    struct message *walk_next;
    uint64_t walk_begun, walk_over; /* rounds of queue_walk() */
    uint16_t program;
    uint8_t address; /* index in the program's senders */
    char label[CAMPAIGN_OCTETS_MAX + 1];
};

struct lane { /* one class at one carrier */
    struct flow_list active, parked;
    uint64_t waiting; /* messages, in both */
};

struct queue {
    struct lane lanes[CLASS_COUNT];
    struct table flows; /* key to struct flow */
};

void queue_init(struct queue *queue);
void queue_release(struct queue *queue, struct message_store *store);

/* The flow of a new message: counted; queue_leave_flow() gives it back. Over CAMPAIGNS_MAX flows
 * further labels of a program's sender share one. */
void queue_join_flow(struct queue *queue, struct message *message, const struct hash_key *key,
                     const char *label);
void queue_leave_flow(struct queue *queue, struct message *message);

/* Puts a message of state WAITING into its flow. `front`: before everything else of its lane, for
 * what was taken and comes back: a throttled message keeps its order, and nothing of the lane goes
 * between the parts of one that is written in part. */
void queue_put(struct queue *queue, struct message *message, bool front);
void queue_remove(struct queue *queue, struct message *message);

/* The lane's next message, or NULL; it stays until queue_take(), which charges its flow. */
struct message *queue_peek(struct queue *queue, Assent__V1__Class message_class);
void queue_take(struct queue *queue, struct message *message, unsigned parts);

/* Out of the turns, and back: what was parked first goes first. What joins a parked flow waits with it. */
void parking_init(struct parking *parking);
void queue_park(struct queue *queue, struct flow *flow, struct parking *parking);
void queue_unpark(struct queue *queue, struct parking *parking);

/* Shows each waiting message of a lane to `visit`, which may take this one away, once a round; at most
 * `budget` in one call. What joins meanwhile may be shown too. Gives what is left of the budget: the
 * lane's round is over when that is not 0. */
uint32_t queue_walk(struct queue *queue, Assent__V1__Class message_class, uint64_t round,
                    uint32_t budget, void (*visit)(void *context, struct message *message),
                    void *context);

/* Classes from the most urgent. Service replies go after codes and before everything else. */
extern const Assent__V1__Class queue_order[CLASS_COUNT - 1];

/* Classes that use the rate's reserve and need not be paced. */
static inline bool class_is_urgent(Assent__V1__Class message_class)
{
    return message_class == ASSENT__V1__CLASS__OTP ||
           message_class == ASSENT__V1__CLASS__EMERGENCY ||
           message_class == ASSENT__V1__CLASS__SERVICE;
}

#endif

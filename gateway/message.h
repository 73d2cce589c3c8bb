/* SPDX-License-Identifier: Apache-2.0 */
/* A message, its states, and the tables that find it.
 *
 * A message's state is one enum, changed by message_set_state() alone, and it is the list that the
 * message is on; each list carries its count. Ended messages are freed at the end of the turn, never
 * inside a chain of calls. */
#ifndef GATEWAY_MESSAGE_H
#define GATEWAY_MESSAGE_H

#include <sys/queue.h>

#include "gateway/config.h"
#include "gateway/wheel.h"
#include "proto/base/pool.h"
#include "proto/base/span.h"
#include "proto/base/table.h"

enum message_state {
    MESSAGE_NEW,       /* on no list yet */
    MESSAGE_SCHEDULED, /* send-at is to come */
    MESSAGE_WAITING,   /* in its carrier's queue (gateway/queue.h keeps the order) */
    MESSAGE_RETRY,     /* a temporary error; due later */
    MESSAGE_INTENT,    /* holds tokens and window slots; its attempt is not durable yet */
    MESSAGE_ASKED,     /* Redis is asked */
    MESSAGE_CLEARED,   /* may be written, this turn if the link stands */
    MESSAGE_ON_WIRE,   /* parts written, answers to come */
    MESSAGE_SENT,      /* every part taken by the carrier; receipts to come */
    MESSAGE_IN_DOUBT,  /* ended as unknown; a late answer or receipt may still resolve it */
    MESSAGE_ENDED,
    MESSAGE_STATES,
};

struct flow;
struct correlation;

struct message {
    TAILQ_ENTRY(message) link;        /* the list of its state; in WAITING that of its flow */
    struct wheel_timer timer;         /* send-at, retry, time-to-live or receipt timeout */
    struct message *next_same_number; /* open messages to one number */
    struct message *prev_same_number;
    struct flow *flow;                /* counted reference */
    struct correlation *correlations; /* carrier ids of its parts */
    uint64_t id;
    uint64_t number;
    uint64_t cause;            /* consent record that a service message answers */
    uint64_t attempt_sequence; /* INTENT: asked when durable */
    uint64_t accepted_us;      /* monotonic */
    uint64_t verdict_us;       /* CLEARED: when Redis answered; ON_WIRE: when written */
    uint64_t expires_us;       /* monotonic */
    uint64_t due_us;           /* SCHEDULED, RETRY */
    uint64_t avoid;            /* carriers that said it should go elsewhere; bits by index */
    uint32_t command_status;   /* the last one that was not ESME_ROK */
    uint32_t gates;            /* what each said last; consent/policy.h */
    uint16_t program;
    uint16_t
        zone; /* of the recipient, by the submitter's word (consent/zones.h); 0: by the number */
    uint16_t client; /* index, or CLIENT_OPERATOR */
    uint16_t carrier;
    uint16_t todo, flying, done, reported; /* parts, one bit each */
    uint16_t unasked; /* parts that were not to report: the last one does for them */
    uint16_t text_length;
    uint16_t depth;     /* ON_WIRE: unanswered requests of its session when it was written */
    uint8_t link_index; /* INTENT..ON_WIRE: the session that takes its parts */
    uint8_t generation; /* of the check: an answer to an older one is stale */
    uint8_t sender;     /* index in the program's senders */
    uint8_t message_class;
    uint8_t state;
    uint8_t service;
    uint8_t encoding;
    uint8_t parts;
    uint8_t shift;         /* national tables, of smpp/text.h's plan */
    uint8_t concatenation; /* enum concatenation */
    uint8_t attempts;
    uint8_t reserved; /* parts holding a token and a slot, not written yet */
    bool unknown;     /* a part was written and its fate is not known */
    bool failed;      /* a part was refused for good */
    bool throttled;
    bool elsewhere;         /* a part was refused: not by this carrier */
    bool in_part;           /* holds tokens for a few of its parts only: its lane waits */
    bool stopped;           /* a STOP came while parts were on the wire */
    bool resent;            /* after being unknown, by its program's policy */
    bool intent;            /* an attempt without outcome: matters to recovery */
    bool quiet;             /* waits for the end of quiet hours, until due_us */
    bool replanned;         /* its form is not the accepted one */
    bool need_days;         /* its check asks for days too */
    bool foretold;          /* of a dry run: nothing is taken for it */
    uint8_t content_faults; /* consent/policy.h, as found in the configuration of `content_round` */
    uint16_t content_round; /* 0: not looked at yet */
    uint8_t epoch;  /* of the key of its text (secret.c); 0: the text is kept, or needed no more */
    bool text_lost; /* recovered without its key */
    uint8_t fate;   /* enum reputation_kind of its first part that failed by a receipt; 0: none */
    uint8_t worst_receipt; /* a part's final state that was not DELIVERED; 0 for none */
    char text[];
};

TAILQ_HEAD(message_list, message);

struct message_store {
    struct message_list lists[MESSAGE_STATES];
    uint64_t counts[MESSAGE_STATES];
    struct table by_id;
    struct table by_number;
    struct pool pool; /* of messages and their carrier ids */
    uint64_t octets;  /* of all messages */
};

void message_store_init(struct message_store *store);
void message_store_release(struct message_store *store);

/* A new message in state NEW, known by its number; known by its id after message_set_id(). */
struct message *message_new(struct message_store *store, uint64_t number, struct span text);
/* One that is in no table and on no list, for a dry run; ends with message_alone_free(). */
struct message *message_alone(uint64_t number, struct span text);
void message_alone_free(struct message *message);
void message_set_id(struct message_store *store, struct message *message, uint64_t id);
struct message *message_find(const struct message_store *store, uint64_t id);
struct message *message_first_of_number(const struct message_store *store, uint64_t number);

#define CACHE_LINE 64

/* Has the processor fetch a message that is soon looked at; NULL is nothing. */
static inline void message_prefetch(const struct message *message)
{
    for (size_t at = 0; message != NULL && at < sizeof *message; at += CACHE_LINE)
        __builtin_prefetch((const char *)message + at, 1);
}

/* Has the processor fetch its text, when the message itself is at hand. */
static inline void message_prefetch_text(const struct message *message)
{
    for (size_t at = 0; message != NULL && at < message->text_length; at += CACHE_LINE)
        __builtin_prefetch(message->text + at);
}

/* Has the processor fetch where message_find() will look. */
void message_prefetch_place(const struct message_store *store, uint64_t id);

/* Has the processor fetch where a new message of this number will be entered, when it gets this id. */
void message_prefetch_new(const struct message_store *store, uint64_t id, uint64_t number);

/* Has the processor fetch what a change of its state and its end will touch: its neighbours in lists and
 * its places in tables. The message itself must be at hand. */
void message_prefetch_around(const struct message_store *store, const struct message *message);

/* Moves it to the tail of the list of `state`. WAITING and ENDED included. */
void message_set_state(struct message_store *store, struct message *message,
                       enum message_state state);

/* Its memory, when it is on no list any more: for those who keep messages in lists of their own. */
void message_drop(struct message_store *store, struct message *message);

/* Frees everything on the ENDED list. */
void message_free_ended(struct message_store *store);

/* Overwrites the text of a message that needs it no more. */
void message_wipe(struct message *message);

static inline struct span message_text(const struct message *m)
{
    return span_of(m->text, m->text_length);
}

static inline uint64_t message_octets(uint16_t text_length)
{
    return sizeof(struct message) + text_length;
}

const char *message_state_name(enum message_state state); /* "waiting" */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What smsc-sim will do later: answers, receipts and replies, in a wheel of 65,536 slots of a
 * millisecond, each a list in the order of arrival. Items come from one pool and go back to it; an
 * item is known by its index, since the pool moves when it grows. An item never falls due early, and
 * at most a millisecond late. */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include "bench/carrier_model.h"

#define SCHEDULE_SLOTS 65536u
#define ITEM_NONE      UINT32_MAX
#define ITEMS_MAX      8000000u /* waiting at once; a message then gets no receipt */

enum item_kind { ITEM_ANSWER, ITEM_RECEIPT, ITEM_REPLY };

enum source_form { SOURCE_PLAIN, SOURCE_PLUS, SOURCE_00, SOURCE_NATIONAL };

enum reply_form {
    REPLY_PLAIN,
    REPLY_UDH_8,
    REPLY_UDH_16,
    REPLY_SAR,
    REPLY_PAYLOAD,
    REPLY_255_OCTETS
};

struct item {
    uint64_t due_us;
    uint32_t next;
    enum item_kind kind;
    union {
        struct {
            struct pdu_header request;
            uint32_t session, command_status;
            uint64_t message_id;
            uint8_t shape; /* enum fault */
        } answer;
        struct { /* a deliver_sm: the subscriber's number is its source */
            struct smpp_address source, destination;
            uint64_t message_id, submitted_wall_ms;
            uint64_t sent_us;            /* of the last sending */
            struct carrier_reply *reply; /* ITEM_REPLY: its owner */
            uint32_t session;            /* that the submit_sm came on; 0: none */
            uint16_t account;
            uint8_t message_state;
            uint8_t form, variant; /* of a receipt: receipt_text.h */
            bool in_data_sm;       /* a receipt */
            uint8_t reply_form;    /* enum reply_form */
            uint8_t parts, part;   /* of a reply in parts: how many, and which of them is next */
            bool backwards;        /* its last part first */
            uint8_t source_form;   /* enum source_form, of a reply */
            bool is_again;
        } deliver;
    };
};

struct item_list {
    uint32_t first, last;
    uint32_t count;
};

struct schedule {
    struct item *items;
    uint32_t size, used, free; /* allocated, ever used, first of the free list */
    uint64_t tick;             /* all earlier milliseconds have fallen due */
    uint64_t waiting;          /* in the wheel */
    struct item_list slots[SCHEDULE_SLOTS];
};

void schedule_init(struct schedule *schedule, uint64_t now_us);
void schedule_release(struct schedule *schedule);

/* ITEM_NONE when ITEMS_MAX are in use. */
uint32_t schedule_take(struct schedule *schedule);
void schedule_give_back(struct schedule *schedule, uint32_t index);

static inline struct item *schedule_item(struct schedule *schedule, uint32_t index)
{
    return &schedule->items[index];
}

void schedule_add(struct schedule *schedule, uint32_t index, uint64_t due_us);

/* Calls `due` for each item that is; it may add others. */
void schedule_advance(struct schedule *schedule, uint64_t now_us,
                      void (*due)(void *context, uint32_t index), void *context);

/* When to advance next, UINT64_MAX for never; looks at most `ahead_us` ahead. */
uint64_t schedule_next(const struct schedule *schedule, uint64_t ahead_us);

/* Lists outside the wheel, in order. */
void item_list_push(struct schedule *schedule, struct item_list *list, uint32_t index);
uint32_t item_list_pop(struct schedule *schedule, struct item_list *list); /* ITEM_NONE: empty */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of imports on their way into Redis, gathered by bucket. A member that is added by itself costs Redis three
 * times what it costs beside seven others of its bucket: the command, the look for the key, the line in its log.
 *
 * Rows come in the order of their records, wait until they are durable, and then lie in bins, each of some
 * buckets. A bin leaves whole, as runs of members of one bucket; bins leave in turn, so that the one whose turn
 * it is has twice the average. What lies here is in the ledger and not yet in Redis: gathered_first() is where
 * the ledger would have to be read from. Pure. */
#ifndef GATEWAY_GATHERED_H
#define GATEWAY_GATHERED_H

#include "consent/gate.h"

struct gathered_row {
    uint64_t member, sequence;
};

struct gathered_bin {
    uint64_t *members; /* in the order of their records */
    uint32_t count, room;
    uint64_t first; /* record of the oldest */
};

struct gathered_placed {
    uint32_t bucket;
    uint64_t member;
};

struct gathered {
    uint32_t buckets;
    struct gathered_row *ring; /* not durable yet; NULL: nothing is gathered, here and below */
    uint32_t ring_start, ring_count;
    struct gathered_bin *bins;
    struct gathered_placed *leaving; /* a bin on its way out, by bucket */
    uint32_t leaving_at, leaving_count;
    uint64_t leaving_first; /* record of its oldest */
    uint64_t bins_first;    /* of the oldest in all bins; 0: they are empty */
    uint32_t in_bins;       /* rows */
    uint32_t turn;          /* the bin that leaves next */
    int32_t full;           /* the bin that the next row does not go into; -1: none */
};

void gathered_init(struct gathered *g, uint32_t buckets);
/* Nothing is left. */
void gathered_clear(struct gathered *g);

/* Room for a call's rows, as far as they go. */
bool gathered_has_room(const struct gathered *g);
/* The ring must have room. */
void gathered_add(struct gathered *g, uint64_t member, uint64_t sequence);
/* Rows of records up to `sequence` go into the bins. False: one of them is full, and must leave first. */
bool gathered_settle(struct gathered *g, uint64_t sequence);
/* The record of the oldest row; 0: there is none. */
uint64_t gathered_first(const struct gathered *g);
uint32_t gathered_rows(const struct gathered *g);

/* The next bin is made ready to leave, when the one before has left; true: it was the last one's turn. */
bool gathered_turn(struct gathered *g);
/* Likewise the bin in which a number's rows would be. */
void gathered_pick(struct gathered *g, uint64_t number);
/* Up to `room` members of one bucket leave; 0: none is ready. */
size_t gathered_leave(struct gathered *g, uint64_t *out, size_t room);
/* The last `count` that left have not been taken. */
void gathered_return(struct gathered *g, size_t count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The carrier's rate (promise P7), pure: time is passed in. Two rules at once:
 *
 * The law: writes are counted in a ring of milliseconds; what stands in the last 1,000 ms plus
 * THROTTLE_GUARD_MS, together with what is reserved and not written yet, never exceeds the rate. The
 * guard covers a carrier that measures with its own clock. As reservations only turn into writes and
 * writes only grow old, a message that holds a reservation may be written at any later time. Octets
 * leave at the end of a turn: where the machine was busy in between, throttle_flushed() makes the
 * writes younger again.
 *
 * The pace: without it a backlog would use up the second at its start and a code would wait for
 * the rest of it. Bulk classes earn credit evenly, 10 ms of it at most after a pause and 100 ms under
 * a backlog; urgent ones need none and have half a percent of the rate to themselves. */
#ifndef GATEWAY_THROTTLE_H
#define GATEWAY_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_RING 1024 /* ms; more than 1,000 + THROTTLE_GUARD_MS */

struct throttle {
    uint32_t rate;
    bool even;        /* see throttle_set_rate() */
    uint32_t written; /* sum of the ring's window */
    uint32_t reserved;
    uint32_t unflushed; /* the newest writes, counted at unflushed_ms */
    uint64_t unflushed_ms;
    uint64_t now_ms;   /* the ring stands here */
    uint64_t paced_us; /* credit is counted up to here */
    int64_t credit;    /* in millionths of a message; below 0 after a long text */
    uint32_t ring[THROTTLE_RING];
};

void throttle_init(struct throttle *throttle, uint32_t rate, uint64_t now_us);

/* Another rate from now on. What was written and is reserved still counts: after a cut nothing more
 * goes out before the second has room by the new rate. `even`: for a rate that is a guess: nothing is
 * caught up, since a carrier with a small bucket would refuse the burst. */
void throttle_set_rate(struct throttle *throttle, uint32_t rate, bool even, uint64_t now_us);

/* How many submit_sm may be reserved now. The law decides on each; the pace on the first of `parts`
 * alone where tokens come quickly, so that a text is asked about once: what its parts take ahead is
 * made up for. */
uint32_t throttle_room(struct throttle *throttle, uint64_t now_us, bool urgent, uint32_t parts);

void throttle_reserve(struct throttle *throttle, uint32_t count);
void throttle_give_back(struct throttle *throttle, uint32_t count); /* reserved and not written */
void throttle_write(struct throttle *throttle, uint64_t now_us);    /* one reservation leaves */

/* What was written since the last call has left by `now_us` at the latest. A delay that the guard has
 * room for changes nothing. */
void throttle_flushed(struct throttle *throttle, uint64_t now_us);

/* Written in the last second and guard. */
uint32_t throttle_written(struct throttle *throttle, uint64_t now_us);

/* When room for one may appear, given that nothing is given back: for the next turn's time. */
uint64_t throttle_next(struct throttle *throttle, uint64_t now_us, bool urgent);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of one session that wait for their answer, and those that timed out lately, so that
 * a late answer still finds its request.
 *
 * Invariants
 * - A slot is free, in `flight` or in `late`; `flight` holds at most `size` slots, `late` at most
 *   the larger of `size` and WINDOW_LATE_MIN (the oldest gives way).
 * - Both lists are in the order of sending, which is that of their deadlines.
 * - A sequence number lives in slot `sequence & mask`; a number whose slot is taken is skipped, so
 *   none is used twice at a time. The ring is at most two thirds full: finding, adding and removing
 *   cost O(1), skipping included, over a turn of the ring. */
#ifndef SMPP_WINDOW_H
#define SMPP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQUENCE_MAX    0x7fffffffu
#define WINDOW_LATE_MIN 64

struct window_slot {
    uint64_t cookie;
    uint64_t deadline_us; /* 0 in `late` */
    uint32_t sequence;    /* 0: free */
    uint16_t previous, next;
};

struct window_list {
    uint16_t first, last;
    uint16_t count;
};

struct window {
    struct window_slot *slots;
    uint32_t mask;
    uint32_t sequence; /* the next one to try */
    uint16_t size, late_size;
    struct window_list flight, late;
};

/* `size` is 1..WINDOW_MAX; `sequence` the first number to be used, 1..SEQUENCE_MAX. */
void window_init(struct window *window, uint16_t size, uint32_t sequence);
void window_release(struct window *window);

static inline bool window_is_full(const struct window *window)
{
    return window->flight.count >= window->size;
}

/* The next sequence number that no request holds; the same until it is used. */
uint32_t window_next_sequence(struct window *window);

/* Uses window_next_sequence() for a request without a slot (bind, enquire_link, unbind). */
uint32_t window_skip_sequence(struct window *window);

/* Puts a request with window_next_sequence() into flight. The window must not be full. */
void window_add(struct window *window, uint64_t cookie, uint64_t deadline_us);

/* The slot of a request in flight or late, or NULL for any number that we do not wait for. */
struct window_slot *window_find(const struct window *window, uint32_t sequence);

static inline bool window_slot_is_late(const struct window_slot *slot)
{
    return slot->deadline_us == 0;
}

/* The request that was sent first of those in flight, or NULL. */
struct window_slot *window_oldest(const struct window *window);

/* Frees a slot of either list. */
void window_remove(struct window *window, struct window_slot *slot);

/* Moves a slot from `flight` to `late`. */
void window_expire(struct window *window, struct window_slot *slot);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A timing wheel: four levels of 256 slots, 8 ms a tick, so up to 400 days. Setting and cancelling
 * are O(1), which a heap of a million waiting messages is not. Timers are part of what they time. A
 * timer never fires early; it may fire up to a tick late. */
#ifndef GATEWAY_WHEEL_H
#define GATEWAY_WHEEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define WHEEL_TICK_US 8192u
#define WHEEL_LEVELS  4
#define WHEEL_SLOTS   256

struct wheel_timer {
    LIST_ENTRY(wheel_timer) link;
    uint64_t due_us; /* 0: not set */
};

LIST_HEAD(wheel_slot, wheel_timer);

struct wheel {
    struct wheel_slot slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint64_t tick; /* all earlier ticks have fired */
    uint64_t count;
};

void wheel_init(struct wheel *wheel, uint64_t now_us);

/* Sets or moves a timer. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t due_us);
void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer);

/* Fires what is due, each timer already cancelled when `fire` gets it; `fire` may set and cancel
 * any timer. */
void wheel_advance(struct wheel *wheel, uint64_t now_us,
                   void (*fire)(void *context, struct wheel_timer *timer), void *context);

/* When to advance next: exact for the next 2 s, else some time before it is due. UINT64_MAX: never. */
uint64_t wheel_next(const struct wheel *wheel);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wheel.h"

#include <stddef.h>
#include <string.h>

void wheel_init(struct wheel *wheel, uint64_t now_us)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = now_us / WHEEL_TICK_US;
}

static void place(struct wheel *wheel, struct wheel_timer *timer)
{
    uint64_t tick = (timer->due_us + WHEEL_TICK_US - 1) / WHEEL_TICK_US;
    if (tick < wheel->tick)
        tick = wheel->tick;
    uint64_t ahead = tick - wheel->tick;
    int level = 0;
    while (level < WHEEL_LEVELS - 1 && ahead >> (8 * (level + 1)) != 0)
        level++;
    if (ahead >> (8 * WHEEL_LEVELS) != 0)
        tick = wheel->tick + (1ull << (8 * WHEEL_LEVELS)) - 1; /* placed again when it gets there */
    LIST_INSERT_HEAD(&wheel->slots[level][(tick >> (8 * level)) & (WHEEL_SLOTS - 1)], timer, link);
}

void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t due_us)
{
    if (timer->due_us != 0)
        LIST_REMOVE(timer, link);
    else
        wheel->count++;
    timer->due_us = due_us ? due_us : 1;
    place(wheel, timer);
}

void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer)
{
    if (timer->due_us == 0)
        return;
    LIST_REMOVE(timer, link);
    timer->due_us = 0;
    wheel->count--;
}

/* At a level's turn its slot is dealt out again to the finer levels. */
static void cascade(struct wheel *wheel, int level)
{
    struct wheel_slot *slot =
        &wheel->slots[level][(wheel->tick >> (8 * level)) & (WHEEL_SLOTS - 1)];
    struct wheel_slot moving = *slot;
    LIST_INIT(slot);
    if (moving.lh_first != NULL)
        moving.lh_first->link.le_prev = &moving.lh_first;
    struct wheel_timer *timer;
    while ((timer = LIST_FIRST(&moving)) != NULL) {
        LIST_REMOVE(timer, link);
        place(wheel, timer);
    }
}

void wheel_advance(struct wheel *wheel, uint64_t now_us,
                   void (*fire)(void *context, struct wheel_timer *timer), void *context)
{
    uint64_t target = now_us / WHEEL_TICK_US;
    if (wheel->count == 0 && target > wheel->tick)
        wheel->tick = target;
    while (wheel->tick <= target) {
        struct wheel_slot *slot = &wheel->slots[0][wheel->tick & (WHEEL_SLOTS - 1)];
        struct wheel_timer *timer;
        while ((timer = LIST_FIRST(slot)) != NULL && timer->due_us <= now_us) {
            wheel_cancel(wheel, timer);
            fire(context, timer);
        }
        if (wheel->tick == target)
            break;
        wheel->tick++;
        for (int level = 1; level < WHEEL_LEVELS; level++) {
            if ((wheel->tick & ((1ull << (8 * level)) - 1)) != 0)
                break;
            cascade(wheel, level);
        }
    }
}

uint64_t wheel_next(const struct wheel *wheel)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    for (uint64_t tick = wheel->tick; tick < wheel->tick + WHEEL_SLOTS; tick++) {
        if (LIST_FIRST(&wheel->slots[0][tick & (WHEEL_SLOTS - 1)]) != NULL)
            return tick * WHEEL_TICK_US;
        if (tick > wheel->tick && (tick & (WHEEL_SLOTS - 1)) == 0)
            return tick * WHEEL_TICK_US; /* a coarser slot is dealt out here */
    }
    return (wheel->tick + WHEEL_SLOTS) * WHEEL_TICK_US;
}

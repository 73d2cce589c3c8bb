/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/schedule.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"

#define TICK_US    US_PER_MS
#define FIRST_SIZE 4096

static const struct item_list empty_list = {.first = ITEM_NONE, .last = ITEM_NONE};

void schedule_init(struct schedule *schedule, uint64_t now_us)
{
    schedule->items = NULL;
    schedule->size = schedule->used = 0;
    schedule->free = ITEM_NONE;
    schedule->tick = now_us / TICK_US;
    schedule->waiting = 0;
    for (size_t i = 0; i < SCHEDULE_SLOTS; i++)
        schedule->slots[i] = empty_list;
}

void schedule_release(struct schedule *schedule)
{
    free(schedule->items);
    schedule->items = NULL;
}

uint32_t schedule_take(struct schedule *schedule)
{
    uint32_t index = schedule->free;
    if (index != ITEM_NONE) {
        schedule->free = schedule->items[index].next;
        return index;
    }
    if (schedule->used == ITEMS_MAX)
        return ITEM_NONE;
    if (schedule->used == schedule->size) {
        schedule->size = schedule->size ? schedule->size * 2 : FIRST_SIZE;
        schedule->items = check_realloc(schedule->items, schedule->size * sizeof *schedule->items);
    }
    return schedule->used++;
}

void schedule_give_back(struct schedule *schedule, uint32_t index)
{
    schedule->items[index].next = schedule->free;
    schedule->free = index;
}

void item_list_push(struct schedule *schedule, struct item_list *list, uint32_t index)
{
    schedule->items[index].next = ITEM_NONE;
    if (list->count == 0)
        list->first = index;
    else
        schedule->items[list->last].next = index;
    list->last = index;
    list->count++;
}

uint32_t item_list_pop(struct schedule *schedule, struct item_list *list)
{
    if (list->count == 0)
        return ITEM_NONE;
    uint32_t index = list->first;
    list->first = schedule->items[index].next;
    list->count--;
    return index;
}

void schedule_add(struct schedule *schedule, uint32_t index, uint64_t due_us)
{
    uint64_t tick = (due_us + TICK_US - 1) / TICK_US;
    if (tick < schedule->tick)
        tick = schedule->tick;
    schedule->items[index].due_us = due_us;
    schedule->waiting++;
    item_list_push(schedule, &schedule->slots[tick % SCHEDULE_SLOTS], index);
}

void schedule_advance(struct schedule *schedule, uint64_t now_us,
                      void (*due)(void *context, uint32_t index), void *context)
{
    const uint64_t until = now_us / TICK_US;
    while (schedule->tick <= until && schedule->waiting > 0) {
        struct item_list *slot = &schedule->slots[schedule->tick++ % SCHEDULE_SLOTS];
        struct item_list list = *slot;
        uint32_t index;
        *slot = empty_list;
        while ((index = item_list_pop(schedule, &list)) != ITEM_NONE) {
            schedule->waiting--;
            if (schedule->items[index].due_us > now_us) /* of a later turn of the wheel */
                schedule_add(schedule, index, schedule->items[index].due_us);
            else
                due(context, index);
        }
    }
    if (schedule->tick <= until)
        schedule->tick = until + 1;
}

uint64_t schedule_next(const struct schedule *schedule, uint64_t ahead_us)
{
    if (schedule->waiting == 0)
        return UINT64_MAX;
    for (uint64_t i = 0; i < ahead_us / TICK_US && i < SCHEDULE_SLOTS; i++)
        if (schedule->slots[(schedule->tick + i) % SCHEDULE_SLOTS].count > 0)
            return (schedule->tick + i) * TICK_US;
    return schedule->tick * TICK_US + ahead_us;
}

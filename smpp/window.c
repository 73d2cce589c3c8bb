/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/window.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/limits.h"

#define NONE UINT16_MAX

static_assert(WINDOW_MAX * 3 <= 32768 && WINDOW_MAX >= WINDOW_LATE_MIN,
              "two lists of WINDOW_MAX fill at most two thirds of a ring of 16-bit indexes");

static void list_append(struct window *window, struct window_list *list, uint16_t index);
static void list_remove(struct window *window, struct window_list *list, uint16_t index);

static uint16_t index_of(const struct window *window, const struct window_slot *slot)
{
    return (uint16_t)(slot - window->slots);
}

void window_init(struct window *window, uint16_t size, uint32_t sequence)
{
    CHECK(size >= 1 && size <= WINDOW_MAX);
    CHECK(sequence >= 1 && sequence <= SEQUENCE_MAX);
    uint16_t late_size = size > WINDOW_LATE_MIN ? size : WINDOW_LATE_MIN;
    uint32_t capacity = 128;
    while (capacity < ((uint32_t)size + late_size) * 3 / 2)
        capacity *= 2;
    *window = (struct window){
        .slots = check_calloc(capacity, sizeof *window->slots),
        .mask = capacity - 1,
        .sequence = sequence,
        .size = size,
        .late_size = late_size,
        .flight = {.first = NONE, .last = NONE},
        .late = {.first = NONE, .last = NONE},
    };
}

void window_release(struct window *window)
{
    free(window->slots);
    window->slots = NULL;
}

uint32_t window_next_sequence(struct window *window)
{
    while (window->slots[window->sequence & window->mask].sequence != 0)
        window->sequence = window->sequence == SEQUENCE_MAX ? 1 : window->sequence + 1;
    return window->sequence;
}

uint32_t window_skip_sequence(struct window *window)
{
    uint32_t sequence = window_next_sequence(window);
    window->sequence = sequence == SEQUENCE_MAX ? 1 : sequence + 1;
    return sequence;
}

void window_add(struct window *window, uint64_t cookie, uint64_t deadline_us)
{
    CHECK(!window_is_full(window) && deadline_us != 0);
    uint32_t sequence = window_skip_sequence(window);
    uint16_t index = (uint16_t)(sequence & window->mask);
    window->slots[index] =
        (struct window_slot){.cookie = cookie, .deadline_us = deadline_us, .sequence = sequence};
    list_append(window, &window->flight, index);
}

struct window_slot *window_find(const struct window *window, uint32_t sequence)
{
    struct window_slot *slot = &window->slots[sequence & window->mask];
    return sequence != 0 && slot->sequence == sequence ? slot : NULL;
}

struct window_slot *window_oldest(const struct window *window)
{
    return window->flight.count > 0 ? &window->slots[window->flight.first] : NULL;
}

void window_remove(struct window *window, struct window_slot *slot)
{
    CHECK(slot->sequence != 0);
    struct window_list *list = window_slot_is_late(slot) ? &window->late : &window->flight;
    list_remove(window, list, index_of(window, slot));
    slot->sequence = 0;
}

void window_expire(struct window *window, struct window_slot *slot)
{
    CHECK(slot->sequence != 0 && !window_slot_is_late(slot));
    if (window->late.count == window->late_size)
        window_remove(window, &window->slots[window->late.first]);
    list_remove(window, &window->flight, index_of(window, slot));
    slot->deadline_us = 0;
    list_append(window, &window->late, index_of(window, slot));
}

static void list_append(struct window *window, struct window_list *list, uint16_t index)
{
    window->slots[index].previous = list->last;
    window->slots[index].next = NONE;
    if (list->last == NONE)
        list->first = index;
    else
        window->slots[list->last].next = index;
    list->last = index;
    list->count++;
}

static void list_remove(struct window *window, struct window_list *list, uint16_t index)
{
    const struct window_slot *slot = &window->slots[index];
    if (slot->previous == NONE)
        list->first = slot->next;
    else
        window->slots[slot->previous].next = slot->next;
    if (slot->next == NONE)
        list->last = slot->previous;
    else
        window->slots[slot->next].previous = slot->previous;
    list->count--;
}

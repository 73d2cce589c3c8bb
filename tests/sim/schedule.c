/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/check.h"

static bool before(const struct event *x, const struct event *y)
{
    return x->at_us != y->at_us ? x->at_us < y->at_us : x->order < y->order;
}

static void swap(struct event *x, struct event *y)
{
    struct event t = *x;
    *x = *y;
    *y = t;
}

static void sift_up(struct event *heap, size_t i)
{
    for (; i > 0 && before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static void sift_down(struct event *heap, size_t count, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < count && before(&heap[left], &heap[least]))
            least = left;
        if (right < count && before(&heap[right], &heap[least]))
            least = right;
        if (least == i)
            return;
        swap(&heap[i], &heap[least]);
        i = least;
    }
}

static void add(struct schedule *s, struct event event)
{
    if (s->count == s->size) {
        s->size = s->size ? s->size * 2 : 256;
        s->heap = check_realloc(s->heap, s->size * sizeof *s->heap);
    }
    event.order = ++s->order;
    s->heap[s->count] = event;
    sift_up(s->heap, s->count++);
}

void schedule_init(struct schedule *schedule)
{
    *schedule = (struct schedule){0};
}

void schedule_release(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->count; i++)
        free(schedule->heap[i].data);
    free(schedule->heap);
    *schedule = (struct schedule){0};
}

void schedule_add(struct schedule *schedule, uint64_t at_us, event_run *run, uint64_t a, uint64_t b,
                  uint64_t c, const void *data, size_t length)
{
    struct event event = {.at_us = at_us,
                          .gateway = schedule->gateway,
                          .run = run,
                          .a = a,
                          .b = b,
                          .c = c,
                          .length = length};
    if (length > 0) {
        event.data = check_malloc(length);
        memcpy(event.data, data, length);
    }
    add(schedule, event);
}

bool schedule_take(struct schedule *schedule, struct event *ret_event)
{
    if (schedule->count == 0)
        return false;
    *ret_event = schedule->heap[0];
    schedule->heap[0] = schedule->heap[--schedule->count];
    sift_down(schedule->heap, schedule->count, 0);
    return true;
}

void schedule_again(struct schedule *schedule, const struct event *event, uint64_t at_us)
{
    struct event again = *event;
    again.at_us = at_us;
    add(schedule, again);
}

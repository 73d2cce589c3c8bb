/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time: a heap of what will happen. Two things at the same microsecond happen in the order
 * in which they were planned, so that one seed gives one run. */
#ifndef SIM_SCHEDULE_H
#define SIM_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct event;
typedef void event_run(struct world *world, struct event *event);

struct event {
    uint64_t at_us;
    uint64_t order;
    uint32_t gateway;
    event_run *run;
    uint64_t a, b, c;
    uint8_t *data; /* owned; freed when the event is over */
    size_t length;
};

struct schedule {
    struct event *heap;
    size_t count, size;
    uint64_t order;
    uint32_t gateway; /* that events are about which are planned now */
};

void schedule_init(struct schedule *schedule);
void schedule_release(struct schedule *schedule);

/* `data` may be NULL; else it is copied. */
void schedule_add(struct schedule *schedule, uint64_t at_us, event_run *run, uint64_t a, uint64_t b,
                  uint64_t c, const void *data, size_t length);

/* The next event, which now belongs to the caller (free its data). False when there is none. */
bool schedule_take(struct schedule *schedule, struct event *ret_event);

/* Puts a taken event back for a later time; its data stays its own. */
void schedule_again(struct schedule *schedule, const struct event *event, uint64_t at_us);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SIM_HOLD_H
#define BENCH_SIM_HOLD_H

#include "bench/schedule.h"

enum held_order { HELD_AS_SENT, HELD_AT_RANDOM, HELD_BY_TURNS };

struct sim_hold {
    uint32_t most;     /* receipts; 0: none is kept back */
    int order;         /* enum held_order; by turns: the first time as sent */
    uint32_t *indexes; /* of items, in the order in which they came */
    uint32_t count, rounds;
};

void sim_hold_release(struct sim_hold *hold);

/* True when it is kept back: a receipt that was not sent before. */
bool sim_hold_take(struct sim_hold *hold, struct schedule *schedule, uint32_t index);

/* As many are held as were to be: give them. */
bool sim_hold_is_full(const struct sim_hold *hold);
void sim_hold_give(struct sim_hold *hold, struct schedule *schedule, struct rng *rng,
                   void (*give)(void *context, uint32_t index), void *context);

#endif

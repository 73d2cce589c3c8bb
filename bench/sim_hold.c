/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts kept back until so many are open, then given all at once: a carrier that was away, or handsets
 * that were. In the order of the submits, at random, or by turns, so that one run can tell them apart.
 *
 * At random the items change places in memory, not their indexes alone: giving them is then the same work
 * for this process in either order, and what is measured is who takes them. */
#include <stdlib.h>

#include "bench/sim_hold.h"
#include "proto/base/check.h"
#include "proto/base/rng.h"

void sim_hold_release(struct sim_hold *hold)
{
    free(hold->indexes);
}

static void shuffle(struct schedule *schedule, const struct sim_hold *hold, struct rng *rng)
{
    for (uint32_t i = hold->count; i > 1; i--) {
        struct item *a = schedule_item(schedule, hold->indexes[i - 1]);
        struct item *b = schedule_item(schedule, hold->indexes[rng_below(rng, i)]);
        struct item kept = *a;
        *a = *b;
        *b = kept;
    }
}

bool sim_hold_take(struct sim_hold *hold, struct schedule *schedule, uint32_t index)
{
    const struct item *item = schedule_item(schedule, index);
    if (hold->most == 0 || item->kind != ITEM_RECEIPT || item->deliver.sent_us != 0)
        return false;
    if (hold->indexes == NULL)
        hold->indexes = check_malloc(hold->most * sizeof *hold->indexes);
    hold->indexes[hold->count++] = index;
    return true;
}

bool sim_hold_is_full(const struct sim_hold *hold)
{
    return hold->most != 0 && hold->count == hold->most;
}

void sim_hold_give(struct sim_hold *hold, struct schedule *schedule, struct rng *rng,
                   void (*give)(void *context, uint32_t index), void *context)
{
    bool by_turns = hold->order == HELD_BY_TURNS && hold->rounds % 2 == 1;
    if (hold->order == HELD_AT_RANDOM || by_turns)
        shuffle(schedule, hold, rng);
    for (uint32_t i = 0; i < hold->count; i++)
        give(context, hold->indexes[i]);
    hold->count = 0;
    hold->rounds++;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* When a loop that looks at the clock at least every STILLNESS_BEAT_US stood still: its machine gave it no processor,
 * and what it reads now may have been written at any moment since it last looked. Pure. */
#ifndef BENCH_STILLNESS_H
#define BENCH_STILLNESS_H

#include "proto/base/clock.h"

#define STILLNESS_BEAT_US  (10 * US_PER_MS)
#define STILLNESS_SLACK_US (20 * US_PER_MS) /* between two looks, is still no standing still */
#define STILLNESS_KEPT     64               /* more than a second can hold */

struct stillness {
    uint64_t looked_us; /* 0: never */
    uint64_t total_us;
    uint64_t count;
    struct {
        uint64_t from_us, to_us;
    } kept[STILLNESS_KEPT]; /* of number n at n % STILLNESS_KEPT */
};

/* The loop looks at the clock: microseconds that it stood still until now, or 0. Time never goes back. */
uint64_t stillness_look(struct stillness *stillness, uint64_t now_us);

/* Microseconds of standing still that the second until now met, each from its beginning. */
uint64_t stillness_in_second(const struct stillness *stillness, uint64_t now_us);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* When a loop that looks at the clock at least every STILLNESS_BEAT_US stood still: its machine gave it no processor,
 * and what it reads now may have been written at any moment since it last looked. Pure. */
#ifndef BENCH_STILLNESS_H
#define BENCH_STILLNESS_H

#include "proto/base/clock.h"

#define STILLNESS_BEAT_US  (10 * US_PER_MS)
#define STILLNESS_SLACK_US (20 * US_PER_MS) /* between two looks, is still no standing still */
/* Who writes stood still as well, most likely, and may make up for so much of it: a rate of N allows N in any second,
 * and no promise says that 1.3 seconds have 1.3 N at most. */
#define STILLNESS_CATCH_UP_US (100 * US_PER_MS)
#define STILLNESS_KEPT        64 /* more than a second can hold */

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

/* Microseconds beyond a second in which what was read in the second until now may have been written: all standing
 * still that it met, each from its beginning, and what is caught up; 0 when it met none. */
uint64_t stillness_in_second(const struct stillness *stillness, uint64_t now_us);

#endif

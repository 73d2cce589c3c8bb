/* SPDX-License-Identifier: Apache-2.0 */
/* How many events fell into the last second, exactly: every arrival time is kept until it is a second
 * old. An event at t counts from t until t + 1 s, excluded. Events of the same microsecond share an
 * entry, so that there are at most a million. Pure. */
#ifndef BENCH_SLIDING_H
#define BENCH_SLIDING_H

#include <stddef.h>
#include <stdint.h>

struct sliding_entry {
    uint64_t at_us;
    uint64_t count;
};

struct sliding {
    struct sliding_entry *ring;
    size_t size; /* a power of two, or 0 */
    size_t first, entries;
    uint64_t now_count; /* sum over the entries */
    uint64_t highest;   /* the highest now_count there was */
};

void sliding_init(struct sliding *sliding);
void sliding_release(struct sliding *sliding);

/* Events in (now - 1 s, now]. Time never goes back. */
uint64_t sliding_count(struct sliding *sliding, uint64_t now_us);

void sliding_add(struct sliding *sliding, uint64_t now_us);

#endif

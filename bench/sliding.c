/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sliding.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"

#define FIRST_SIZE 1024

void sliding_init(struct sliding *sliding)
{
    *sliding = (struct sliding){0};
}

void sliding_release(struct sliding *sliding)
{
    free(sliding->ring);
    *sliding = (struct sliding){0};
}

uint64_t sliding_count(struct sliding *s, uint64_t now_us)
{
    while (s->entries > 0 && s->ring[s->first].at_us + US_PER_S <= now_us) {
        s->now_count -= s->ring[s->first].count;
        s->first = (s->first + 1) & (s->size - 1);
        s->entries--;
    }
    return s->now_count;
}

static void grow(struct sliding *s)
{
    size_t size = s->size ? s->size * 2 : FIRST_SIZE;
    struct sliding_entry *ring = check_malloc(size * sizeof *ring);
    for (size_t i = 0; i < s->entries; i++)
        ring[i] = s->ring[(s->first + i) & (s->size - 1)];
    free(s->ring);
    s->ring = ring;
    s->size = size;
    s->first = 0;
}

void sliding_add(struct sliding *s, uint64_t now_us)
{
    sliding_count(s, now_us);
    size_t last = s->first + s->entries - 1;
    if (s->entries > 0 && s->ring[last & (s->size - 1)].at_us == now_us) {
        s->ring[last & (s->size - 1)].count++;
    } else {
        if (s->entries == s->size)
            grow(s);
        s->ring[(s->first + s->entries) & (s->size - 1)] =
            (struct sliding_entry){.at_us = now_us, .count = 1};
        s->entries++;
    }
    if (++s->now_count > s->highest)
        s->highest = s->now_count;
}

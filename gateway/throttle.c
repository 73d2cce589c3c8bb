/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle.h"

#include <string.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"

#define WINDOW_MS (MS_PER_S + THROTTLE_GUARD_MS)
#define ONE       1000000ll /* a message's credit */

/* A turn may take so long before its writes are counted at its end; the rest of the guard is the
 * carrier's. */
#define TURN_MS (THROTTLE_GUARD_MS / 2)

#define PACE_BURST_US    10000ull
#define PACE_CATCH_UP_US 90000ull
#define QUICK_RATE       100
#define DEBT_MAX         (-(TEXT_PARTS_MAX - 1) * ONE) /* a long text, taken when one was earned */

_Static_assert(WINDOW_MS < THROTTLE_RING, "the ring must hold the window");

void throttle_init(struct throttle *throttle, uint32_t rate, uint64_t now_us)
{
    memset(throttle, 0, sizeof *throttle);
    throttle->rate = rate;
    throttle->now_ms = now_us / US_PER_MS;
    throttle->paced_us = now_us;
    throttle->credit = ONE;
}

/* A campaign that begins gets PACE_BURST_US of credit: a burst would come back with every second for as
 * long as there is a backlog, and after it a code would wait. With the last second used up, a loop
 * that stood still may make up for it. */
static int64_t credit_max(const struct throttle *throttle)
{
    uint64_t catch_up = throttle->even ? 0 : PACE_CATCH_UP_US * throttle->written;
    return ONE + (int64_t)(PACE_BURST_US * throttle->rate + catch_up);
}

/* A second with its guard, spread evenly, where nothing may be caught up. */
static int64_t earned(const struct throttle *throttle, uint64_t us)
{
    uint64_t all = us * throttle->rate;
    return (int64_t)(throttle->even ? all * MS_PER_S / WINDOW_MS : all);
}

static void advance(struct throttle *throttle, uint64_t now_us)
{
    uint64_t now_ms = now_us / US_PER_MS;
    if (now_ms > throttle->now_ms + THROTTLE_RING) {
        memset(throttle->ring, 0, sizeof throttle->ring);
        throttle->written = 0;
        throttle->now_ms = now_ms;
    }
    while (throttle->now_ms < now_ms) {
        throttle->now_ms++;
        uint32_t *old = &throttle->ring[(throttle->now_ms - WINDOW_MS) % THROTTLE_RING];
        throttle->written -= *old;
        *old = 0;
    }
    if (now_us > throttle->paced_us) {
        throttle->credit += earned(throttle, now_us - throttle->paced_us);
        if (throttle->credit > credit_max(throttle))
            throttle->credit = credit_max(throttle);
        throttle->paced_us = now_us;
    }
}

static uint32_t law(const struct throttle *throttle, bool urgent)
{
    uint32_t used = throttle->written + throttle->reserved;
    uint32_t limit = urgent ? throttle->rate : throttle->rate - throttle->rate / 200;
    return used < limit ? limit - used : 0;
}

void throttle_set_rate(struct throttle *throttle, uint32_t rate, bool even, uint64_t now_us)
{
    advance(throttle, now_us); /* what was earned until now was earned at the old rate */
    throttle->rate = rate;
    throttle->even = even;
    if (throttle->credit > credit_max(throttle))
        throttle->credit = credit_max(throttle);
}

uint32_t throttle_room(struct throttle *throttle, uint64_t now_us, bool urgent, uint32_t parts)
{
    advance(throttle, now_us);
    uint32_t room = law(throttle, urgent);
    if (urgent)
        return room;
    if (throttle->credit < ONE)
        return 0;
    uint64_t paced = (uint64_t)(throttle->credit / ONE);
    if (paced < parts && throttle->rate >= QUICK_RATE)
        paced = parts;
    return paced > room ? room : (uint32_t)paced;
}

void throttle_reserve(struct throttle *throttle, uint32_t count)
{
    throttle->reserved += count;
    throttle->credit -= count * ONE;
    if (throttle->credit < DEBT_MAX)
        throttle->credit = DEBT_MAX;
}

void throttle_give_back(struct throttle *throttle, uint32_t count)
{
    CHECK(throttle->reserved >= count);
    throttle->reserved -= count;
    throttle->credit += count * ONE;
    if (throttle->credit > credit_max(throttle))
        throttle->credit = credit_max(throttle);
}

void throttle_write(struct throttle *throttle, uint64_t now_us)
{
    advance(throttle, now_us);
    CHECK(throttle->reserved > 0);
    throttle->reserved--;
    throttle->written++;
    throttle->ring[throttle->now_ms % THROTTLE_RING]++;
    if (throttle->unflushed_ms != throttle->now_ms)
        throttle->unflushed = 0;
    throttle->unflushed_ms = throttle->now_ms;
    throttle->unflushed++;
}

void throttle_flushed(struct throttle *throttle, uint64_t now_us)
{
    uint32_t count = throttle->unflushed;
    uint64_t then_ms = throttle->unflushed_ms;
    throttle->unflushed = 0;
    if (count == 0 || now_us / US_PER_MS <= then_ms + TURN_MS ||
        then_ms + WINDOW_MS <= throttle->now_ms)
        return;
    throttle->ring[then_ms % THROTTLE_RING] -= count;
    throttle->written -= count;
    advance(throttle, now_us);
    throttle->ring[throttle->now_ms % THROTTLE_RING] += count;
    throttle->written += count;
}

uint32_t throttle_written(struct throttle *throttle, uint64_t now_us)
{
    advance(throttle, now_us);
    return throttle->written;
}

uint64_t throttle_next(struct throttle *throttle, uint64_t now_us, bool urgent)
{
    advance(throttle, now_us);
    if (law(throttle, urgent) == 0) {
        /* The oldest write in the window frees its place when it grows out of it. */
        for (uint64_t ms = throttle->now_ms - WINDOW_MS + 1; ms <= throttle->now_ms; ms++)
            if (throttle->ring[ms % THROTTLE_RING] > 0)
                return (ms + WINDOW_MS) * US_PER_MS;
        return now_us + US_PER_S; /* all reserved: giving back or writing brings the next turn */
    }
    if (urgent || throttle->credit >= ONE)
        return now_us;
    return now_us + (uint64_t)(ONE - throttle->credit) / throttle->rate + 1;
}

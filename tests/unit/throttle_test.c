/* SPDX-License-Identifier: Apache-2.0 */
/* P7: in no sliding second more than the rate; under backlog at least 98 % of it, also when the loop
 * stalls; and urgent classes find room at once. */
#include "gateway/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/rng.h"

#define START_US (100 * US_PER_S)

/* Drives a backlog for `seconds` of virtual time; turns come every `step_us` and stall at random. */
static uint64_t run(uint32_t rate, uint64_t step_us, uint32_t stalls_ppm, uint64_t seconds)
{
    struct throttle t;
    struct rng rng = {.state = rate};
    uint64_t *written = malloc((rate * (seconds + 2)) * sizeof *written);
    uint64_t count = 0, oldest = 0, now = START_US, end = START_US + seconds * US_PER_S;
    throttle_init(&t, rate, now);
    while (now < end) {
        uint32_t room = throttle_room(&t, now, false, 1);
        throttle_reserve(&t, room);
        for (uint32_t i = 0; i < room; i++) {
            throttle_write(&t, now);
            written[count++] = now;
            while (written[oldest] + US_PER_S <= now)
                oldest++;
            assert_true(count - oldest <= rate);
        }
        uint64_t next = throttle_next(&t, now, false);
        assert_true(next >= now);
        now = next > now + step_us ? next : now + step_us;
        if (rng_chance(&rng, stalls_ppm))
            now += rng_below(&rng, 50 * US_PER_MS);
    }
    free(written);
    return count;
}

static void rate_is_never_exceeded_and_used(void **state)
{
    (void)state;
    static const uint32_t rates[] = {1, 2, 10, 199, 200, 500, 5000, 20000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uint64_t count = run(rates[i], US_PER_MS, 0, 20);
        assert_true(count * 100 >= rates[i] * 20ull * 98);
    }
}

static void a_stalling_loop_still_uses_the_rate(void **state)
{
    (void)state;
    assert_true(run(500, US_PER_MS, 5000, 20) * 100 >= 500 * 20ull * 98);
    assert_true(run(20000, US_PER_MS, 5000, 20) * 100 >= 20000 * 20ull * 98);
}

/* Octets leave at the end of a turn, and a busy machine may stop the process before. */
static void a_slow_turn_counts_when_its_octets_leave(void **state)
{
    (void)state;
    struct throttle t;
    uint64_t left = START_US + 60 * US_PER_MS;
    throttle_init(&t, 100, START_US);
    throttle_reserve(&t, 90);
    for (int i = 0; i < 90; i++)
        throttle_write(&t, START_US);
    throttle_flushed(&t, left);
    assert_int_equal(throttle_room(&t, left + US_PER_S, true, 1), 10);
    uint64_t later = left + US_PER_S + (THROTTLE_GUARD_MS + 1) * US_PER_MS;
    assert_int_equal(throttle_room(&t, later, true, 1), 100);
    throttle_flushed(&t, later); /* nothing was written since */
    assert_int_equal(throttle_room(&t, later, true, 1), 100);
}

static void a_turn_within_the_guard_moves_nothing(void **state)
{
    (void)state;
    struct throttle t;
    throttle_init(&t, 100, START_US);
    throttle_reserve(&t, 100);
    for (int i = 0; i < 100; i++)
        throttle_write(&t, START_US);
    throttle_flushed(&t, START_US + THROTTLE_GUARD_MS / 2 * US_PER_MS);
    uint64_t free_us = START_US + US_PER_S + THROTTLE_GUARD_MS * US_PER_MS;
    assert_int_equal(throttle_room(&t, free_us - US_PER_MS, true, 1), 0);
    assert_int_equal(throttle_room(&t, free_us, true, 1), 100);
}

static void reservations_count_until_written_or_given_back(void **state)
{
    (void)state;
    struct throttle t;
    throttle_init(&t, 10, START_US);
    assert_int_equal(throttle_room(&t, START_US, true, 1), 10);
    throttle_reserve(&t, 10);
    assert_int_equal(throttle_room(&t, START_US + 5 * US_PER_S, true, 1), 0);
    throttle_give_back(&t, 4);
    assert_int_equal(throttle_room(&t, START_US + 5 * US_PER_S, true, 1), 4);
    for (int i = 0; i < 6; i++)
        throttle_write(&t, START_US + 5 * US_PER_S); /* late: counted where it leaves */
    assert_int_equal(throttle_room(&t, START_US + 6 * US_PER_S, true, 1), 4);
    assert_int_equal(throttle_room(&t, START_US + 7 * US_PER_S, true, 1), 10);
}

static void bulk_is_paced_and_leaves_room_for_urgent(void **state)
{
    (void)state;
    struct throttle t;
    throttle_init(&t, 1000, START_US);
    uint32_t bulk = 0;
    for (uint64_t now = START_US; now < START_US + US_PER_S; now += US_PER_MS) {
        uint32_t room = throttle_room(&t, now, false, 1);
        throttle_reserve(&t, room);
        for (uint32_t i = 0; i < room; i++, bulk++)
            throttle_write(&t, now);
    }
    assert_in_range(bulk, 980, 995); /* half a percent is kept */
    assert_true(throttle_room(&t, START_US + US_PER_S, true, 1) >= 5);
}

static void a_long_pause_forgets_everything(void **state)
{
    (void)state;
    struct throttle t;
    throttle_init(&t, 100, START_US);
    throttle_reserve(&t, 100);
    for (int i = 0; i < 100; i++)
        throttle_write(&t, START_US);
    assert_int_equal(throttle_written(&t, START_US + 3600 * US_PER_S), 0);
    assert_int_equal(throttle_room(&t, START_US + 3600 * US_PER_S, true, 1), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_is_never_exceeded_and_used),
        cmocka_unit_test(a_stalling_loop_still_uses_the_rate),
        cmocka_unit_test(a_slow_turn_counts_when_its_octets_leave),
        cmocka_unit_test(a_turn_within_the_guard_moves_nothing),
        cmocka_unit_test(reservations_count_until_written_or_given_back),
        cmocka_unit_test(bulk_is_paced_and_leaves_room_for_urgent),
        cmocka_unit_test(a_long_pause_forgets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

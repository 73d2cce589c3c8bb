/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/rng.h"

struct item {
    struct wheel_timer timer; /* first: fire() gets its address */
    uint64_t due_us;
    uint64_t fired_us;
};

struct bench {
    struct wheel wheel;
    uint64_t now_us;
    uint64_t fired;
};

static void fire(void *context, struct wheel_timer *timer)
{
    struct bench *b = context;
    struct item *item = (struct item *)(void *)timer;
    assert_int_equal(item->fired_us, 0);
    item->fired_us = b->now_us;
    b->fired++;
}

/* Advances to each time that the wheel asks for, like the engine's turn. */
static void drive(struct bench *b, uint64_t end_us)
{
    while (b->now_us < end_us) {
        uint64_t next = wheel_next(&b->wheel);
        b->now_us = next > end_us ? end_us : next > b->now_us ? next : b->now_us + 1000;
        wheel_advance(&b->wheel, b->now_us, fire, b);
    }
}

static void timers_fire_once_never_early_at_most_a_tick_late(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct bench *b = calloc(1, sizeof *b);
    struct item *items = calloc(COUNT, sizeof *items);
    struct rng rng = {.state = 7};
    b->now_us = 987654321;
    wheel_init(&b->wheel, b->now_us);
    static const uint64_t spans[] = {1000, 2000000, 600000000ull, 200000000000ull};
    for (int i = 0; i < COUNT; i++) {
        items[i].due_us = b->now_us + 1 + rng_below(&rng, spans[i % 4]);
        wheel_set(&b->wheel, &items[i].timer, items[i].due_us);
    }
    drive(b, b->now_us + 201000000000ull);
    assert_int_equal(b->fired, COUNT);
    assert_int_equal(b->wheel.count, 0);
    for (int i = 0; i < COUNT; i++) {
        assert_true(items[i].fired_us >= items[i].due_us);
        assert_true(items[i].fired_us <= items[i].due_us + 2 * WHEEL_TICK_US);
    }
    free(items);
    free(b);
}

static void moved_and_cancelled_timers_keep_to_the_last_word(void **state)
{
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    struct item a = {0}, c = {0};
    b->now_us = 5000000;
    wheel_init(&b->wheel, b->now_us);
    wheel_set(&b->wheel, &a.timer, b->now_us + 10000);
    wheel_set(&b->wheel, &a.timer, b->now_us + 9000000);
    wheel_set(&b->wheel, &c.timer, b->now_us + 20000);
    wheel_cancel(&b->wheel, &c.timer);
    wheel_cancel(&b->wheel, &c.timer);
    assert_int_equal(b->wheel.count, 1);
    drive(b, 5000000 + 8900000);
    assert_int_equal(b->fired, 0);
    drive(b, 5000000 + 9100000);
    assert_int_equal(b->fired, 1);
    free(b);
}

static void an_idle_wheel_jumps_over_years(void **state)
{
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    struct item a = {0};
    wheel_init(&b->wheel, 1000);
    assert_true(wheel_next(&b->wheel) == UINT64_MAX);
    b->now_us = 100000000000000ull;
    wheel_advance(&b->wheel, b->now_us, fire, b);
    wheel_set(&b->wheel, &a.timer, b->now_us + 50000);
    drive(b, b->now_us + 100000);
    assert_int_equal(b->fired, 1);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_never_early_at_most_a_tick_late),
        cmocka_unit_test(moved_and_cancelled_timers_keep_to_the_last_word),
        cmocka_unit_test(an_idle_wheel_jumps_over_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

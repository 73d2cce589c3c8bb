/* SPDX-License-Identifier: Apache-2.0 */
/* What smsc-sim forgives itself: exactly the time in which it could not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/stillness.c"

static void a_loop_on_time_stood_never_still(void **state)
{
    (void)state;
    struct stillness s = {0};
    uint64_t now_us = 5 * US_PER_S;
    assert_int_equal(stillness_look(&s, now_us), 0); /* the first look */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(stillness_look(&s, now_us += STILLNESS_SLACK_US), 0);
    assert_int_equal(s.total_us, 0);
    assert_int_equal(stillness_in_second(&s, now_us), 0);
}

static void a_stall_counts_for_a_second_after_its_end(void **state)
{
    (void)state;
    struct stillness s = {0};
    uint64_t now_us = 5 * US_PER_S, stall_us = STILLNESS_SLACK_US + 1;
    stillness_look(&s, now_us);
    assert_int_equal(stillness_look(&s, now_us += stall_us), stall_us);
    assert_int_equal(stillness_in_second(&s, now_us), stall_us + STILLNESS_CATCH_UP_US);
    assert_int_equal(stillness_in_second(&s, now_us + US_PER_S - 1),
                     stall_us + STILLNESS_CATCH_UP_US);
    assert_int_equal(stillness_in_second(&s, now_us + US_PER_S), 0);
}

static void a_second_meets_every_stall_in_it(void **state)
{
    (void)state;
    struct stillness s = {0};
    uint64_t now_us = 5 * US_PER_S, stall_us = STILLNESS_SLACK_US + 1;
    stillness_look(&s, now_us);
    for (unsigned i = 0; i < 3 * STILLNESS_KEPT; i++)
        stillness_look(&s, now_us += stall_us);
    /* Those that end after now - 1 s: as many as fit, and the one that began before it. */
    assert_int_equal(stillness_in_second(&s, now_us),
                     (US_PER_S / stall_us + 1) * stall_us + STILLNESS_CATCH_UP_US);
    assert_true(US_PER_S / stall_us + 1 < STILLNESS_KEPT);
    assert_int_equal(s.total_us, 3 * STILLNESS_KEPT * stall_us);
    assert_int_equal(s.count, 3 * STILLNESS_KEPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_on_time_stood_never_still),
        cmocka_unit_test(a_stall_counts_for_a_second_after_its_end),
        cmocka_unit_test(a_second_meets_every_stall_in_it),
    };
    return cmocka_run_group_tests_name("stillness", tests, NULL, NULL);
}

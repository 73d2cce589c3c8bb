/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel of smsc-sim. Linked by source: it is not part of a box. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bench/schedule.c"

#define MS 1000ull

struct world {
    struct schedule schedule;
    uint64_t now_us;
    unsigned fired;
    uint32_t order[16];
};

static void on_due(void *context, uint32_t index)
{
    struct world *world = context;
    struct item *item = schedule_item(&world->schedule, index);
    assert_true(item->due_us <= world->now_us);         /* never early */
    assert_true(world->now_us - item->due_us < 2 * MS); /* nor late: turns of 1 ms */
    if (world->fired < 16)
        world->order[world->fired] = index;
    world->fired++;
    schedule_give_back(&world->schedule, index);
}

static struct world *new_world(uint64_t now_us)
{
    struct world *world = calloc(1, sizeof *world);
    world->now_us = now_us;
    schedule_init(&world->schedule, now_us);
    return world;
}

static void free_world(struct world *world)
{
    schedule_release(&world->schedule);
    free(world);
}

static void turn_to(struct world *world, uint64_t until_us)
{
    for (; world->now_us <= until_us; world->now_us += MS)
        schedule_advance(&world->schedule, world->now_us, on_due, world);
}

static void items_fall_due_on_time(void **state)
{
    (void)state;
    struct world *world = new_world(123456789);
    struct rng rng = {.state = 5};
    for (int i = 0; i < 5000; i++)
        schedule_add(&world->schedule, schedule_take(&world->schedule),
                     world->now_us + rng_below(&rng, 200 * 1000 * MS)); /* three turns and more */
    turn_to(world, 123456789 + 201 * 1000 * MS);
    assert_int_equal(world->fired, 5000);
    assert_int_equal(world->schedule.waiting, 0);
    free_world(world);
}

static void equal_delays_keep_their_order(void **state)
{
    (void)state;
    struct world *world = new_world(MS);
    for (uint32_t i = 0; i < 10; i++)
        schedule_add(&world->schedule, schedule_take(&world->schedule), 5 * MS);
    turn_to(world, 10 * MS);
    assert_int_equal(world->fired, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(world->order[i], i);
    free_world(world);
}

static void the_next_time_is_known(void **state)
{
    (void)state;
    struct world *world = new_world(10 * MS);
    assert_true(schedule_next(&world->schedule, 100 * MS) == UINT64_MAX);
    schedule_add(&world->schedule, schedule_take(&world->schedule), 50 * MS + 1);
    assert_int_equal(schedule_next(&world->schedule, 100 * MS), 51 * MS);
    assert_int_equal(schedule_next(&world->schedule, 20 * MS), 30 * MS);
    free_world(world);
}

static void a_long_sleep_is_made_up_for(void **state)
{
    (void)state;
    struct world *world = new_world(10 * MS);
    world->now_us = 3600 * 1000 * MS;
    schedule_advance(&world->schedule, world->now_us, on_due, world);
    schedule_add(&world->schedule, schedule_take(&world->schedule), world->now_us); /* due now */
    schedule_advance(&world->schedule, world->now_us + MS, on_due, world);
    world->now_us += MS;
    turn_to(world, world->now_us + MS);
    assert_int_equal(world->fired, 1);
    free_world(world);
}

static void lists_keep_their_order(void **state)
{
    (void)state;
    struct world *world = new_world(MS);
    struct item_list list = empty_list;
    assert_int_equal(item_list_pop(&world->schedule, &list), ITEM_NONE);
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t first = schedule_take(&world->schedule), second = schedule_take(&world->schedule);
        item_list_push(&world->schedule, &list, first);
        item_list_push(&world->schedule, &list, second);
        assert_int_equal(item_list_pop(&world->schedule, &list), first);
        assert_int_equal(item_list_pop(&world->schedule, &list), second);
        assert_int_equal(item_list_pop(&world->schedule, &list), ITEM_NONE);
        schedule_give_back(&world->schedule, first);
        schedule_give_back(&world->schedule, second);
    }
    free_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_fall_due_on_time), cmocka_unit_test(equal_delays_keep_their_order),
        cmocka_unit_test(the_next_time_is_known), cmocka_unit_test(a_long_sleep_is_made_up_for),
        cmocka_unit_test(lists_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

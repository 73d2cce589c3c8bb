/* SPDX-License-Identifier: Apache-2.0 */
/* The gateways on one Redis, as a table of what one knows, what it finds, and whether it may trust. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "consent/nodes.h"
#include "proto/base/clock.h"

#define OLD 11u
#define NEW 22u

static const struct row {
    const char *what;
    bool is_known, stranger, silent;
    uint64_t known_beat, known_applied;
    bool is_there;
    enum node_state state;
    uint64_t beat, confirmed, applied;
    bool vouched;
    enum node_verdict verdict;
} rows[] = {
    {"it runs and has confirmed", 1, 0, 0, 50, 9, 1, NODE_LIVE, 60, NEW, 9, 0, NODE_FINE},
    {"it waits and has confirmed", 1, 0, 0, 50, 9, 1, NODE_WAITS, 60, NEW, 9, 0, NODE_FINE},
    {"it ran and has not come back", 1, 0, 0, 50, 9, 1, NODE_LIVE, 50, OLD, 9, 0, NODE_AWAITED},
    {"it came back and catches up", 1, 0, 0, 50, 9, 1, NODE_WAITS, 60, OLD, 9, 0, NODE_AWAITED},
    {"its writes are missing", 1, 0, 0, 50, 9, 1, NODE_LIVE, 49, OLD, 8, 0, NODE_BEHIND},
    {"nothing of it is there", 1, 0, 0, 50, 9, 0, NODE_LIVE, 0, 0, 0, 0, NODE_BEHIND},
    {"it was silent and lost nothing", 1, 0, 1, 50, 9, 1, NODE_LIVE, 50, OLD, 9, 0, NODE_FINE},
    {"silent, and beats alone are lost", 1, 0, 1, 50, 9, 1, NODE_LIVE, 40, OLD, 9, 0, NODE_FINE},
    {"silent, and its writes are lost", 1, 0, 1, 50, 9, 1, NODE_LEFT, 50, OLD, 8, 0, NODE_BEHIND},
    {"silent, and all is lost", 1, 0, 1, 50, 9, 0, NODE_LIVE, 0, 0, 0, 0, NODE_BEHIND},
    {"silent, and it never wrote", 1, 0, 1, 50, 0, 0, NODE_LIVE, 0, 0, 0, 0, NODE_FINE},
    {"silent, then it ran meanwhile", 1, 0, 1, 50, 9, 1, NODE_LIVE, 51, OLD, 9, 0, NODE_AWAITED},
    {"it left, then it ran meanwhile", 1, 0, 1, 50, 9, 1, NODE_LEFT, 70, OLD, 9, 0, NODE_AWAITED},
    {"forgotten in this Redis", 1, 0, 0, 50, 9, 1, NODE_GONE, 1, NEW, 9, 0, NODE_FINE},
    {"forgotten before the copy was made", 1, 0, 0, 50, 9, 1, NODE_GONE, 1, OLD, 9, 0,
     NODE_AWAITED},
    {"a live node's word does not help one that is known", 1, 0, 0, 50, 9, 1, NODE_LIVE, 50, OLD, 9,
     1, NODE_AWAITED},
    {"a stranger", 0, 0, 0, 0, 0, 1, NODE_LIVE, 50, OLD, 9, 0, NODE_AWAITED},
    {"a stranger that left", 1, 1, 0, 0, 0, 1, NODE_LEFT, 50, OLD, 9, 0, NODE_AWAITED},
    {"a stranger that has confirmed", 1, 1, 0, 0, 0, 1, NODE_WAITS, 50, NEW, 9, 0, NODE_FINE},
    {"a stranger, and a live node vouches", 1, 1, 0, 0, 0, 1, NODE_LEFT, 50, OLD, 9, 1, NODE_FINE},
    {"a stranger that is forgotten", 0, 0, 0, 0, 0, 1, NODE_GONE, 1, OLD, 9, 0, NODE_FINE},
    {"nobody", 0, 0, 0, 0, 0, 0, NODE_LIVE, 0, 0, 0, 0, NODE_FINE},
};

static void every_row_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct known_node known = {.name = "b",
                                   .stranger = r->stranger,
                                   .silent = r->silent,
                                   .beat = r->known_beat,
                                   .applied = r->known_applied};
        struct node_fact fact = {.name = "b",
                                 .state = r->state,
                                 .beat = r->beat,
                                 .confirmed = r->confirmed,
                                 .applied = r->applied};
        enum node_verdict verdict =
            node_judge(r->is_known ? &known : NULL, r->is_there ? &fact : NULL, NEW, r->vouched);
        if (verdict != r->verdict)
            fail_msg("%s: %d", r->what, verdict);
    }
}

static void values_are_read_as_written(void **state)
{
    (void)state;
    for (int i = 0; i < NODE_STATES; i++) {
        struct node_fact fact = {
            .state = (enum node_state)i, .beat = UINT64_MAX, .confirmed = 0xfedcba9876543210u};
        char text[NODE_VALUE_MAX];
        size_t length = node_format(&fact, text);
        assert_true(length < sizeof text);
        struct node_fact read = {0};
        assert_true(node_parse(span_of(text, length), &read));
        assert_memory_equal(&read, &fact, sizeof fact);
        for (size_t cut = 0; cut < length; cut++)
            assert_false(node_parse(span_of(text, cut), &read));
    }
    static const char *const bad[] = {
        "",
        "1",
        " 0000000000000000 l",
        "0 0000000000000000 l",
        "1 000000000000000g l",
        "1 0000000000000000 x",
        "1 0000000000000000 ll",
        "1 00000000000000000 l",
        "18446744073709551616 0000000000000000 l",
    };
    struct node_fact fact = {.beat = 5};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(node_parse(span_from_string(bad[i]), &fact));
    assert_int_equal(fact.beat, 5);
}

/* ---- a life ---- */

static struct nodes nodes;
static struct nodes_look look;
static uint64_t now_us;
static char awaited[NODES_AWAITED_MAX];
static bool changed;

static bool look_again(void)
{
    now_us += US_PER_S;
    return nodes_look(&nodes, &look, now_us, awaited, &changed);
}

static struct node_fact *put(const char *name, uint64_t beat, uint64_t confirmed, uint64_t applied)
{
    struct node_fact *fact = (struct node_fact *)(uintptr_t)look_find(&look, name);
    if (fact == NULL)
        fact = &look.others[look.count++];
    *fact = (struct node_fact){
        .state = NODE_LIVE, .beat = beat, .confirmed = confirmed, .applied = applied};
    snprintf(fact->name, sizeof fact->name, "%s", name);
    return fact;
}

static int begin(void **state)
{
    (void)state;
    memset(&nodes, 0, sizeof nodes);
    memset(&look, 0, sizeof look);
    look.history = OLD;
    now_us = US_PER_S;
    return 0;
}

static void what_happens_is_recorded_once(void **state)
{
    (void)state;
    assert_true(look_again() && changed); /* the history */
    assert_true(look_again() && !changed);
    put("b", 100, OLD, 9);
    assert_true(look_again() && changed);
    for (uint64_t i = 0; i < 20; i++) {
        put("b", 101 + i, OLD, 10 + i);
        assert_true(look_again() && !changed);
    }
    int times = 0;
    for (int i = 0; i < 20; i++) {
        assert_true(look_again());
        times += changed;
    }
    assert_int_equal(times, 1); /* it fell silent */
    assert_true(nodes_find(&nodes, "b")->silent);
    assert_int_equal(nodes_find(&nodes, "b")->applied, 29);
    put("b", 200, OLD, 29);
    assert_true(look_again() && changed && !nodes_find(&nodes, "b")->silent);
    look.others[0].state = NODE_LEFT;
    assert_true(look_again() && changed && nodes_find(&nodes, "b")->silent);
    look.count = 0;
    assert_true(look_again() && changed && nodes.count == 0);
}

static void a_lost_redis_waits_for_each(void **state)
{
    (void)state;
    put("b", 100, OLD, 9);
    put("c", 100, OLD, 0);
    assert_true(look_again());
    look.count = 0;
    look.history = NEW; /* restarted empty */
    assert_false(look_again());
    assert_string_equal(awaited, "b, c");
    assert_false(changed);
    put("c", 103, NEW, 0);
    assert_false(look_again());
    assert_string_equal(awaited, "b");
    put("b", 103, OLD, 9);
    assert_false(look_again()); /* it is back, and has not said that all is there */
    put("b", 104, NEW, 9);
    assert_true(look_again() && changed);
    assert_int_equal(nodes.history, NEW);
}

static void who_runs_has_to_look_first(void **state)
{
    (void)state;
    assert_true(nodes_have_met(&nodes, &look)); /* alone */
    put("b", 100, OLD, 9);
    put("left", 100, OLD, 9)->state = NODE_LEFT;
    put("away", 100, OLD, 9);
    assert_true(look_again());
    nodes_meet(&nodes);
    look.count = 2; /* `away` has no entry here any more, and so no connection */
    assert_false(nodes_have_met(&nodes, &look));
    put("b", 101, OLD, 9);
    assert_true(look_again());
    assert_true(nodes_have_met(&nodes, &look));
}

static void a_new_gateway_believes_a_live_one(void **state)
{
    (void)state;
    put("left", 100, OLD, 9)->state = NODE_LEFT;
    put("b", 100, OLD, 9);
    look.history = NEW;
    assert_false(look_again());
    assert_string_equal(awaited, "left, b");
    put("b", 101, NEW, 9)->state = NODE_WAITS;
    assert_false(look_again());
    assert_string_equal(awaited, "left");
    put("b", 102, NEW, 9);
    assert_true(look_again());
    assert_int_equal(nodes.count, 2);
}

static void more_than_all_places_are_not_trusted(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < NODES_MAX; i++) {
        snprintf(name, sizeof name, "node-%02d", i);
        put(name, 100, OLD, 1);
    }
    assert_true(look_again());
    assert_int_equal(nodes.count, NODES_MAX);
    put("one too many", 100, OLD, 1);
    assert_false(look_again());
    look.count = 0;
    look.history = NEW;
    assert_false(look_again());
    assert_true(strlen(awaited) < NODES_AWAITED_MAX);
    assert_non_null(strstr(awaited, ", ..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_judged),
        cmocka_unit_test(values_are_read_as_written),
        cmocka_unit_test_setup(what_happens_is_recorded_once, begin),
        cmocka_unit_test_setup(a_lost_redis_waits_for_each, begin),
        cmocka_unit_test_setup(who_runs_has_to_look_first, begin),
        cmocka_unit_test_setup(a_new_gateway_believes_a_live_one, begin),
        cmocka_unit_test_setup(more_than_all_places_are_not_trusted, begin),
    };
    return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a START: Redis says whether it lifts anything. And what Redis says of itself: it may have
 * refused one batch and taken the next, and its position is then ahead of what it has. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/gate.h"

#define NUMBER 12025550123ull

static struct world w;
static char last_text[256];
static size_t texts;

static void look(const struct sm_body *body)
{
    snprintf(last_text, sizeof last_text, "%.*s", (int)body->text.length, body->text.data);
    texts++;
}

static void begin(void)
{
    world_init(&w);
    w.on_submit = look;
    texts = 0;
    last_text[0] = '\0';
    world_start(&w);
}

static void says(uint64_t number, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1},
                         .destination = {.ton = 1, .npi = 1, .digits = "12025550100"},
                         .short_message = span_from_string(text)};
    snprintf(out.source.digits, sizeof out.source.digits, "%llu", (unsigned long long)number);
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static bool told_again(void)
{
    return strstr(last_text, "undone") != NULL;
}

static void a_start_that_lifts_is_told(void **state)
{
    (void)state;
    begin();
    says(NUMBER, "STOP");
    assert_int_equal(texts, 1);
    says(NUMBER, "START");
    assert_int_equal(w.last_write.kind, WRITE_LIFT_OPT_OUT);
    assert_int_equal(w.last_write.taken_wall_ms, w.now.wall_ms);
    assert_int_equal(texts, 2);
    assert_true(told_again());
    world_release(&w);
}

/* A STOP that came later stands in Redis, from another gateway. */
static void a_start_that_lifts_nothing_is_not_told(void **state)
{
    (void)state;
    begin();
    says(NUMBER, "STOP");
    w.added = false;
    says(NUMBER, "START");
    world_pass(&w, 5000);
    assert_int_equal(texts, 1);
    w.added = true;
    says(NUMBER, "START"); /* the person says it again, and it counts now */
    assert_int_equal(texts, 2);
    assert_true(told_again());
    world_release(&w);
}

/* What this gateway denies by itself, it denies until Redis has said that the opt-out is lifted. */
static void nothing_is_lifted_here_that_stands_in_redis(void **state)
{
    (void)state;
    for (int lifts = 0; lifts < 2; lifts++) {
        begin();
        engine_on_store_down(w.engine, "down");
        says(NUMBER, "STOP");
        says(NUMBER, "START");
        w.added = lifts;
        engine_on_store_up(w.engine, 0);
        world_settle(&w);
        assert_int_equal(told_again(), lifts);
        size_t before = texts;
        Assent__V1__Message message =
            world_message("offers", ASSENT__V1__CLASS__MARKETING, "12025550123", "hello");
        assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
        world_pass(&w, 100); /* the carrier's rate has room again */
        assert_int_equal(texts - before, lifts);
        world_release(&w);
    }
}

static void half_an_hour_later_it_is_news_no_more(void **state)
{
    (void)state;
    begin();
    says(NUMBER, "STOP");
    size_t before = texts;
    engine_on_store_down(w.engine, "down");
    says(NUMBER, "START");
    world_pass(&w, 31ull * 60 * 1000);
    engine_on_store_up(w.engine, 0);
    world_pass(&w, 100);
    assert_int_equal(texts, before);
    world_release(&w);
}

static void so_many_are_told_and_no_more(void **state)
{
    (void)state;
    begin();
    engine_on_store_down(w.engine, "down");
    for (uint64_t i = 0; i <= AGAINS_MAX; i++)
        says(NUMBER + i, "START");
    engine_on_store_up(w.engine, 0);
    for (int i = 0; i < 100; i++)
        world_pass(&w, 100);
    assert_int_equal(texts, AGAINS_MAX);
    world_release(&w);
}

/* ---- Redis' position ---- */

static uint64_t stop_while_away(void)
{
    says(NUMBER, "STOP");
    uint64_t known = w.last_write.sequence;
    engine_on_store_down(w.engine, "OOM command not allowed");
    says(NUMBER + 1, "STOP");
    assert_int_equal(w.last_write.sequence, known);
    return w.next - 1;
}

static void assert_written(void)
{
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    assert_int_equal(w.last_write.number, NUMBER + 1);
}

static void what_was_not_acknowledged_is_written_again(void **state)
{
    (void)state;
    begin();
    uint64_t ahead = stop_while_away();
    engine_on_store_up(w.engine, ahead);
    world_settle(&w);
    assert_written();
    world_release(&w);
}

static void so_it_is_after_a_restart(void **state)
{
    (void)state;
    begin();
    uint64_t ahead = stop_while_away();
    world_stop(&w);
    world_boot(&w, false);
    engine_on_store_up(w.engine, ahead);
    world_settle(&w);
    assert_written();
    world_release(&w);
}

static struct engine *next_engine;

static bool put_into_next(void *context, struct span public_part, struct span personal_part)
{
    const char *why;
    (void)context;
    assert_int_equal(engine_replay(next_engine, 0, public_part, personal_part, &why), ERR_OK);
    return true;
}

static void and_after_one_from_a_snapshot(void **state)
{
    struct hash_key key = {.k0 = 1, .k1 = 2};
    (void)state;
    begin();
    uint64_t ahead = stop_while_away();
    next_engine = engine_new(&w.config, &w.ports, &key, 1);
    assert_true(engine_snapshot(w.engine, w.now, put_into_next, NULL));
    world_stop(&w);
    w.engine = next_engine;
    engine_start(w.engine, w.now);
    engine_on_store_up(w.engine, ahead);
    world_settle(&w);
    assert_written();
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_lifts_is_told),
        cmocka_unit_test(a_start_that_lifts_nothing_is_not_told),
        cmocka_unit_test(nothing_is_lifted_here_that_stands_in_redis),
        cmocka_unit_test(half_an_hour_later_it_is_news_no_more),
        cmocka_unit_test(so_many_are_told_and_no_more),
        cmocka_unit_test(what_was_not_acknowledged_is_written_again),
        cmocka_unit_test(so_it_is_after_a_restart),
        cmocka_unit_test(and_after_one_from_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

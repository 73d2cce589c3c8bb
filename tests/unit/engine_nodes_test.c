/* SPDX-License-Identifier: Apache-2.0 */
/* The engine among other gateways on its Redis: when it trusts one that came back, what it remembers over a
 * restart, what an operator can do, and how it says so. */
#include "tests/unit/engine_fixture.h"

#define OLD 7u
#define NEW 8u

static struct world w;

static const char *why(void)
{
    struct engine_status status;
    engine_status(w.engine, &status);
    return status.gate_open ? "open" : status.gate_why;
}

static struct node_fact *other(const char *name, uint64_t confirmed, enum node_state state)
{
    static uint64_t beats = 100;
    struct node_fact *fact = (struct node_fact *)(uintptr_t)look_find(&w.look, name);
    if (fact == NULL)
        fact = &w.look.others[w.look.count++];
    uint64_t applied = fact->applied ? fact->applied : 9;
    *fact = (struct node_fact){
        .beat = ++beats, .confirmed = confirmed, .state = state, .applied = applied};
    snprintf(fact->name, sizeof fact->name, "%s", name);
    return fact;
}

/* Redis was away and is another one. */
static void comes_back(uint64_t history)
{
    engine_on_store_down(w.engine, "connection closed");
    world_settle(&w);
    w.beaten = false;
    w.look.history = history;
    engine_on_store_up(w.engine, 0);
    world_settle(&w);
}

static void another_redis_waits_for_the_others(void **state)
{
    (void)state;
    world_init(&w);
    other("gw2", OLD, NODE_LIVE);
    world_start(&w);
    world_pass(&w, 1000);
    assert_int_equal(w.last_beat.self.state, NODE_WAITS); /* gw2 has not looked since */
    other("gw2", OLD, NODE_LIVE);
    world_pass(&w, 1000);
    assert_string_equal(why(), "open");
    comes_back(OLD);
    assert_string_equal(why(), "open"); /* only the connection was lost */
    comes_back(NEW);
    assert_non_null(strstr(why(), "opt-outs of gw2 may be missing"));
    Assent__V1__Message message = world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL,
                                                "12025550123", "Your bill is here.");
    message.ttl_ms = 600000;
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    world_pass(&w, 60000);
    assert_int_equal(w.submit_count, 0);
    assert_non_null(strstr(why(), "gw2"));
    assert_int_equal(w.last_beat.self.confirmed, NEW); /* we have not kept gw2 waiting */
    assert_int_equal(w.last_beat.self.state, NODE_WAITS);
    other("gw2", NEW, NODE_WAITS);
    world_pass(&w, NODE_LOOK_MS);
    assert_string_equal(why(), "open");
    world_pass(&w, NODE_BEAT_MS);
    assert_int_equal(w.submit_count, 1);
    assert_int_equal(w.last_beat.self.state, NODE_LIVE);
    world_release(&w);
}

static void what_is_known_survives_a_restart(void **state)
{
    (void)state;
    world_init(&w);
    other("gw2", OLD, NODE_LIVE);
    other("gw3", OLD, NODE_LEFT);
    world_start(&w);
    world_pass(&w, NODE_MEET_MS);
    world_pass(&w, 1000);
    world_stop(&w);
    w.look.history = NEW;
    w.look.count = 0;
    world_start(&w);
    world_pass(&w, 1000);
    assert_non_null(strstr(why(), "gw2, gw3"));
    other("gw3", OLD, NODE_LEFT)->beat = 1; /* nothing of its is lost */
    other("gw2", NEW, NODE_LIVE);
    world_pass(&w, 1000);
    world_pass(&w, NODE_MEET_MS);
    assert_string_equal(why(), "open");
    world_release(&w);
}

static void a_node_that_is_gone_can_be_forgotten(void **state)
{
    (void)state;
    world_init(&w);
    other("gw2", OLD, NODE_LIVE);
    world_start(&w);
    world_pass(&w, 3000);
    other("gw2", OLD, NODE_LIVE);
    world_pass(&w, 1000);
    engine_forget_node(w.engine, 0, 1, "gw2", w.now);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_PERMISSION_DENIED);
    engine_forget_node(w.engine, CLIENT_OPERATOR, 1, "gw2", w.now);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION); /* it runs */
    engine_forget_node(w.engine, CLIENT_OPERATOR, 1, "gw9", w.now);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_NOT_FOUND);
    comes_back(NEW);
    world_pass(&w, NODE_SILENT_MS + 1000);
    assert_non_null(strstr(why(), "gw2"));
    engine_forget_node(w.engine, CLIENT_OPERATOR, 1, "gw2", w.now);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    assert_string_equal(w.last_beat.forget, "gw2");
    other("gw2", NEW, NODE_GONE);
    world_pass(&w, 1000);
    assert_string_equal(why(), "open");
    assert_string_equal(w.last_beat.forget, "");
    for (int i = 0; i < 100; i++)
        world_pass(&w, NODE_GONE_MS / 50);
    assert_string_equal(w.last_beat.clear, "gw2");
    world_release(&w);
}

static void our_name_belongs_to_us_alone(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    world_pass(&w, 1000);
    world_pass(&w, 1000);
    w.look.self = w.last_beat.self;
    world_pass(&w, 1000);
    assert_string_equal(why(), "open");
    w.look.self.beat += 1000000;
    world_pass(&w, 1000);
    world_pass(&w, 1000);
    assert_non_null(strstr(why(), "has this one's name"));
    world_release(&w);
}

static void the_last_place_is_the_last(void **state)
{
    (void)state;
    char name[16];
    world_init(&w);
    for (int i = 0; i < NODES_MAX; i++) {
        snprintf(name, sizeof name, "gw-%d", i);
        other(name, OLD, NODE_LIVE);
    }
    world_start(&w);
    world_pass(&w, 3000);
    assert_non_null(strstr(why(), "16 gateways use this Redis already"));
    assert_false(w.last_beat.joins);
    w.look.count--;
    world_pass(&w, 1000);
    world_pass(&w, 1000);
    world_pass(&w, 3000);
    assert_string_equal(why(), "open");
    assert_true(w.last_beat.joins);
    world_release(&w);
}

static void warnings_stand_in_the_status(void **state)
{
    (void)state;
    struct engine_status status;
    world_init(&w);
    world_start(&w);
    engine_on_store_down(w.engine, "connection closed");
    engine_on_store_warned(w.engine, "it starts empty");
    w.beaten = false;
    engine_on_store_up(w.engine, 0);
    world_settle(&w);
    engine_status(w.engine, &status);
    assert_true(status.gate_open);
    assert_string_equal(status.gate_why, "it starts empty");
    world_release(&w);
}

static void who_ends_in_order_says_so(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    world_pass(&w, 1000);
    engine_drain(w.engine, w.now, w.now.mono_us + 1000000);
    for (int i = 0; i < 20 && !engine_drained(w.engine); i++)
        world_pass(&w, 500);
    assert_true(engine_drained(w.engine));
    assert_int_equal(w.last_beat.self.state, NODE_LEFT);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_redis_waits_for_the_others),
        cmocka_unit_test(what_is_known_survives_a_restart),
        cmocka_unit_test(a_node_that_is_gone_can_be_forgotten),
        cmocka_unit_test(our_name_belongs_to_us_alone),
        cmocka_unit_test(the_last_place_is_the_last),
        cmocka_unit_test(warnings_stand_in_the_status),
        cmocka_unit_test(who_ends_in_order_says_so),
    };
    return cmocka_run_group_tests_name("engine_nodes", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier's lane under refusals, through the whole engine: it stands still, keeps its order, is cut and
 * won back, says why it waits, and loses no place in a window however a request ends. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

static struct world w;

static void offer(unsigned index)
{
    char number[16];
    snprintf(number, sizeof number, "1202555%04u", index);
    Assent__V1__Message message =
        world_message("offers", ASSENT__V1__CLASS__MARKETING, number, "Acme: soup today");
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
}

static void offers(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        offer(100 + i);
}

static struct carrier_status status(void)
{
    struct carrier_status status;
    engine_carrier_status(w.engine, 0, w.now, &status);
    return status;
}

static void begin(void)
{
    world_init(&w);
    w.carrier.window = 50;
    w.carrier.rate = 5000;
}

/* And lets a burst be earned. */
static void start(void)
{
    world_start(&w);
    world_pass(&w, 50);
}

/* Passes time until this bit is set (or not), up to 10 s. */
static bool seen(uint32_t bit, bool set)
{
    for (int i = 0; i < 1000; i++) {
        if (((status().paused & bit) != 0) == set)
            return true;
        world_pass(&w, 10);
    }
    return false;
}

/* Every refused message goes out again in its order, before any that was not written. */
static void assert_order(size_t from, size_t count)
{
    assert_true(w.submit_count >= from + count);
    for (size_t i = 1; i < count; i++)
        assert_true(w.submits[from + i].number == w.submits[from + i - 1].number + 1);
}

static void test_throttled_pauses_the_whole_lane_and_keeps_order(void **state)
{
    static const uint32_t refusals[] = {ESME_RTHROTTLED, ESME_RMSGQFUL};
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        begin();
        start();
        w.status[0] = refusals[i];
        w.granted = 2;
        offers(20);
        world_settle(&w);
        assert_true(status().rate_now < 5000 || status().window_now < 50);
        w.status[0] = ESME_ROK;
        for (int t = 0; t < 1000 && status().awaiting_receipt < 20; t++)
            world_pass(&w, 10);
        assert_int_equal(w.submit_count, 20 + 18);
        assert_order(20, 18);
        assert_int_equal(w.submits[20].number, w.submits[2].number);
        assert_int_equal(engine_metrics(w.engine)->counters[COUNT_SUBMIT_SM_THROTTLED], 18);
        world_release(&w);
    }
}

/* Nothing is taken: pauses of half a second, doubling, and no message is given up for it. */
static void test_throttled_is_the_lanes_fault_not_the_messages(void **state)
{
    (void)state;
    begin();
    w.config.retry_max = 1;
    start();
    w.status[0] = ESME_RTHROTTLED;
    offers(1);
    assert_true(seen(PAUSE_THROTTLED, true));
    for (int t = 0; t < 100; t++)
        world_pass(&w, 100);
    assert_in_range(w.submit_count, 4, 8);
    w.status[0] = ESME_ROK;
    for (int t = 0; t < 100; t++)
        world_pass(&w, 100);
    assert_int_equal(status().awaiting_receipt, 1);
    assert_false(status().paused & PAUSE_THROTTLED);
    world_release(&w);
}

static void test_a_cut_rate_is_won_back_and_says_so(void **state)
{
    (void)state;
    begin();
    w.carrier.rate = 200;
    start();
    w.status[0] = ESME_RTHROTTLED;
    w.granted = 1;
    offers(20);
    world_settle(&w);
    w.status[0] = ESME_ROK;
    assert_true(seen(PAUSE_RATE_CUT, true));
    assert_true(status().paused & PAUSE_RATE);
    assert_true(status().rate_now < 200);
    assert_int_equal(status().rate, 200);
    for (int t = 0; t < 2000 && status().rate_now < 200; t++) {
        if (status().waiting[ASSENT__V1__CLASS__MARKETING] < 50)
            offers(50);
        world_pass(&w, 10);
    }
    assert_int_equal(status().rate_now, 200);
    assert_true(seen(PAUSE_RATE_CUT, false));
    world_release(&w);
}

static void test_a_window_over_what_the_carrier_grants_is_cut(void **state)
{
    static const uint32_t refusals[] = {ESME_RSUBMITFAIL, ESME_RMSGQFUL};
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        begin();
        w.carrier.rate = 100000;
        start();
        w.status[0] = refusals[i];
        w.granted = 10;
        offers(200);
        world_settle(&w);
        assert_int_equal(status().window_now, 10);
        assert_int_equal(status().rate_now, 100000);
        assert_true(seen(PAUSE_WINDOW_CUT, true) || w.submit_count >= 200);
        for (int t = 0; t < 200; t++)
            world_pass(&w, 10);
        assert_int_equal(status().awaiting_receipt, 200);
        assert_int_equal(status().paused, 0);
        assert_in_range(engine_metrics(w.engine)->counters[COUNT_SUBMIT_SM_THROTTLED], 1, 45);
        world_release(&w);
    }
}

static void test_what_was_found_is_kept_over_a_reconnect(void **state)
{
    (void)state;
    begin();
    start();
    w.status[0] = ESME_RTHROTTLED;
    w.granted = 7;
    offers(100);
    world_settle(&w);
    world_pass(&w, 10);
    uint32_t rate = status().rate_now, window = status().window_now;
    assert_true(rate < 5000 && window < 50);
    engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
    w.status[0] = ESME_ROK;
    world_settle(&w);
    assert_int_equal(status().sessions_bound, 0);
    for (int t = 0; t < 400 && status().sessions_bound == 0; t++) {
        assert_int_equal(status().rate_now, rate);
        assert_int_equal(status().window_now, window);
        world_pass(&w, 10);
    }
    assert_int_equal(status().sessions_bound, 1);
    assert_int_equal(status().rate_now, rate);
    world_release(&w);
}

static void test_adapt_no_only_pauses(void **state)
{
    (void)state;
    begin();
    w.carrier.adapt = NO;
    start();
    w.status[0] = ESME_RTHROTTLED;
    w.granted = 5;
    offers(20);
    world_settle(&w);
    size_t refused = w.submit_count;
    w.status[0] = ESME_ROK;
    assert_true(status().paused & PAUSE_THROTTLED);
    assert_int_equal(status().rate_now, 5000);
    assert_int_equal(status().window_now, 50);
    world_pass(&w, 400);
    assert_int_equal(w.submit_count, refused);
    world_pass(&w, 200);
    world_pass(&w, 50);
    assert_order(refused, 15);
    world_release(&w);
}

static void test_a_session_has_a_rate_of_its_own(void **state)
{
    (void)state;
    begin();
    w.carrier.sessions = 2;
    w.carrier.session_rate = 10;
    start();
    offers(100);
    world_settle(&w);
    assert_true(seen(PAUSE_SESSION_RATE, true));
    uint64_t begin_us = w.now.mono_us;
    size_t of_link[2] = {0}, before = w.submit_count;
    while (w.now.mono_us < begin_us + 3 * US_PER_S)
        world_pass(&w, 10);
    for (size_t i = before; i < w.submit_count; i++)
        of_link[w.submits[i].link]++;
    assert_in_range(of_link[0], 28, 30);
    assert_in_range(of_link[1], 28, 30);
    assert_true(seen(PAUSE_SESSION_RATE, false));
    assert_int_equal(w.submit_count, 100);
    world_release(&w);
}

/* ---- places in the window ---- */

static void nack(uint32_t sequence_number)
{
    uint8_t octets[16] = {0, 0, 0, 16, 0x80, 0, 0, 0, 0, 0, 0, 3};
    for (int i = 0; i < 4; i++)
        octets[12 + i] = (uint8_t)(sequence_number >> (24 - 8 * i));
    engine_on_link_octets(w.engine, 0, 0, span_of(octets, sizeof octets), w.now);
}

static void test_no_window_slot_leaks_however_a_request_ends(void **state)
{
    (void)state;
    begin();
    w.carrier.request_timeout_ms = 1000;
    w.carrier.enquire_link_ms = 0;
    start();
    offer(1); /* taken */
    world_settle(&w);
    assert_int_equal(status().window_used, 0);
    w.status[0] = ESME_RINVDSTADR; /* refused for good */
    offer(2);
    world_settle(&w);
    assert_int_equal(status().window_used, 0);
    w.silent = true;
    offer(3); /* nacked */
    world_pass(&w, 50);
    assert_int_equal(status().window_used, 1);
    nack(w.submits[w.submit_count - 1].sequence_number);
    world_settle(&w);
    assert_int_equal(status().window_used, 0);
    offer(4); /* never answered */
    world_pass(&w, 50);
    assert_int_equal(status().window_used, 1);
    for (int t = 0; t < 15; t++)
        world_pass(&w, 100);
    assert_int_equal(status().window_used, 0);
    offer(5); /* its session is lost */
    for (int t = 0; t < 100 && status().window_used == 0; t++)
        world_pass(&w, 50);
    assert_int_equal(status().window_used, 1);
    engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
    world_settle(&w);
    assert_int_equal(status().window_used, 0);
    w.silent = false;
    w.status[0] = ESME_RTHROTTLED; /* refused for its pace */
    offer(6);
    for (int t = 0; t < 200; t++)
        world_pass(&w, 10);
    assert_int_equal(status().window_used, 0);
    w.verdict = VERDICT_OPTED_OUT; /* never written */
    offer(7);
    world_pass(&w, 1000);
    assert_int_equal(status().window_used, 0);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_throttled_pauses_the_whole_lane_and_keeps_order),
        cmocka_unit_test(test_throttled_is_the_lanes_fault_not_the_messages),
        cmocka_unit_test(test_a_cut_rate_is_won_back_and_says_so),
        cmocka_unit_test(test_a_window_over_what_the_carrier_grants_is_cut),
        cmocka_unit_test(test_what_was_found_is_kept_over_a_reconnect),
        cmocka_unit_test(test_adapt_no_only_pauses),
        cmocka_unit_test(test_a_session_has_a_rate_of_its_own),
        cmocka_unit_test(test_no_window_slot_leaks_however_a_request_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

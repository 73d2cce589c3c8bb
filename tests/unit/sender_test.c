/* SPDX-License-Identifier: Apache-2.0 */
/* `sender_rate`, `sender_daily` and `senders` of a carrier, through the whole engine: each sender's sliding
 * second and day, parts counted; who must wait holds up nobody else; new settings, restarts; the bits. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define OFFERS "12025550100"
#define LOGIN  "12025550101"

static struct world w;

static struct {
    uint64_t at_us;
    bool login; /* else offers */
} seen[WORLD_SUBMITS];
static size_t seen_count;

static void note(const struct sm_body *body)
{
    seen[seen_count].at_us = w.now.mono_us;
    seen[seen_count++].login = strcmp(body->source.digits, LOGIN) == 0;
}

static void begin(uint32_t sender_rate)
{
    world_init(&w);
    w.carrier.rate = 5000;
    w.carrier.window = 100;
    w.carrier.sender_rate = sender_rate;
    w.on_submit = note;
    seen_count = 0;
}

static void start(void)
{
    world_start(&w);
    world_pass(&w, 50);
}

static void except(const char *sender, uint32_t rate)
{
    struct sender_limit *limit = &w.carrier.senders[w.carrier.sender_count++];
    snprintf(limit->sender, sizeof limit->sender, "%s", sender);
    limit->rate = rate;
}

static void submit(const char *program, Assent__V1__Class message_class, const char *campaign,
                   const char *text)
{
    static unsigned index;
    char number[16];
    snprintf(number, sizeof number, "1303555%04u", ++index % 10000);
    Assent__V1__Message message = world_message(program, message_class, number, text);
    message.campaign = (char *)(uintptr_t)campaign;
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
}

static void offers(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        submit("offers", ASSENT__V1__CLASS__MARKETING, i % 2 ? "odd" : "even", "Acme: soup today");
}

static struct carrier_status status(void)
{
    struct carrier_status status;
    engine_carrier_status(w.engine, 0, w.now, &status);
    return status;
}

static void run(uint64_t ms)
{
    for (uint64_t until_us = w.now.mono_us + ms * US_PER_MS; w.now.mono_us < until_us;)
        world_pass(&w, 5);
}

static size_t count_of(bool login, uint64_t from_us, uint64_t until_us)
{
    size_t count = 0;
    for (size_t i = 0; i < seen_count; i++)
        count += seen[i].login == login && seen[i].at_us >= from_us && seen[i].at_us < until_us;
    return count;
}

/* No second, wherever it begins, has more than the rate. */
static void assert_sliding(bool login, uint32_t rate)
{
    for (size_t i = 0; i < seen_count; i++)
        assert_true(count_of(login, seen[i].at_us, seen[i].at_us + US_PER_S) <= rate);
}

static void test_a_sender_keeps_to_its_sliding_second(void **state)
{
    static const uint32_t rates[] = {1, 3, 100};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        begin(rates[i]);
        start();
        offers(rates[i] * 12);
        uint64_t from_us = w.now.mono_us;
        run(10000);
        assert_sliding(false, rates[i]);
        assert_in_range(count_of(false, from_us, from_us + 10 * US_PER_S), rates[i] * 19 / 2,
                        rates[i] * 10);
        world_release(&w);
    }
}

static void test_parts_count_against_the_senders_rate(void **state)
{
    static const uint32_t rates[] = {1, 3};
    char text[400] = {0};
    (void)state;
    memset(text, 'x', sizeof text - 1); /* three parts */
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        begin(rates[i]);
        start();
        for (int n = 0; n < 4; n++)
            submit("offers", ASSENT__V1__CLASS__MARKETING, "", text);
        uint64_t from_us = w.now.mono_us;
        run(rates[i] == 1 ? 12500 : 4500);
        assert_sliding(false, rates[i]);
        assert_int_equal(count_of(false, from_us, UINT64_MAX), 12);
        for (size_t n = 0; n < 12; n++) {
            assert_int_equal(w.submits[n].part, n % 3 + 1);
            assert_int_equal(w.submits[n].number, w.submits[n / 3 * 3].number);
        }
        assert_int_equal(status().window_used, 0);
        world_release(&w);
    }
}

static void test_a_sender_that_waits_blocks_no_other(void **state)
{
    (void)state;
    begin(0);
    w.programs[1].classes[ASSENT__V1__CLASS__MARKETING] = true;
    except(OFFERS, 1);
    start();
    offers(100);
    for (int i = 0; i < 300; i++)
        submit("login", ASSENT__V1__CLASS__MARKETING, "", "Acme: your bill is there");
    uint64_t from_us = w.now.mono_us;
    run(500);
    assert_int_equal(count_of(true, from_us, UINT64_MAX), 300);
    assert_int_equal(count_of(false, from_us, UINT64_MAX), 1);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__MARKETING], 99);
    world_release(&w);
}

static void test_a_code_waits_for_its_own_sender_alone(void **state)
{
    (void)state;
    begin(1);
    start();
    offers(5);
    submit("login", ASSENT__V1__CLASS__OTP, "", "Acme: 123456");
    run(50);
    assert_int_equal(count_of(true, 0, UINT64_MAX), 1);
    submit("login", ASSENT__V1__CLASS__TRANSACTIONAL, "", "Acme: you were here");
    submit("login", ASSENT__V1__CLASS__OTP, "", "Acme: 654321");
    uint64_t from_us = w.now.mono_us;
    run(500);
    assert_int_equal(count_of(true, from_us, UINT64_MAX), 0);
    run(700);
    assert_int_equal(count_of(true, from_us, UINT64_MAX), 1);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__OTP], 0);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__TRANSACTIONAL], 1);
    run(1000);
    assert_sliding(true, 1);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__TRANSACTIONAL], 0);
    world_release(&w);
}

static void test_two_programs_share_the_rate_of_one_sender(void **state)
{
    (void)state;
    begin(3);
    snprintf(w.programs[1].senders[0], sizeof w.programs[1].senders[0], OFFERS);
    start();
    offers(20);
    for (int i = 0; i < 20; i++)
        submit("login", ASSENT__V1__CLASS__TRANSACTIONAL, "", "Acme: you were here");
    run(5000);
    assert_sliding(false, 3);
    assert_in_range(seen_count, 14, 15);
    world_release(&w);
}

static void test_sender_rate_is_said_and_taken_back(void **state)
{
    (void)state;
    begin(1);
    start();
    assert_false(status().paused & PAUSE_SENDER_RATE);
    offers(2);
    run(50);
    assert_true(status().paused & PAUSE_SENDER_RATE);
    assert_string_equal(pause_name(__builtin_ctz(PAUSE_SENDER_RATE)), "sender_rate");
    run(2100);
    assert_int_equal(seen_count, 2);
    assert_int_equal(status().paused, 0);
    world_release(&w);
}

/* The engine names the time of its next turn, and asks for none before while all must wait. */
static void test_a_wait_costs_no_turns(void **state)
{
    (void)state;
    begin(1);
    w.carrier.enquire_link_ms = 0;
    start();
    offers(10);
    run(50);
    uint64_t next_us = engine_turn(w.engine, w.now);
    assert_in_range(next_us, w.now.mono_us + 100 * US_PER_MS, w.now.mono_us + 1000 * US_PER_MS);
    world_release(&w);
}

static void test_what_waits_expires_and_is_cancelled(void **state)
{
    (void)state;
    begin(1);
    start();
    Assent__V1__Message message =
        world_message("offers", ASSENT__V1__CLASS__MARKETING, "13035550001", "Acme: soup today");
    message.ttl_ms = 2000;
    uint64_t last = 0;
    for (int i = 0; i < 10; i++)
        last = world_submit(&w, 0, &message).id;
    run(100);
    struct submit_verdict verdict;
    engine_cancel(w.engine, 0, last, w.now, &verdict);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    run(3000);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__MARKETING], 0);
    assert_in_range(seen_count, 2, 3);
    assert_int_equal(status().paused, 0);
    offers(1);
    run(1100);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__MARKETING], 0);
    world_release(&w);
}

static void test_tokens_of_denied_texts_come_back(void **state)
{
    (void)state;
    begin(1);
    start();
    w.verdict = VERDICT_OPTED_OUT;
    offers(20);
    run(500); /* none is written: none is counted */
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__MARKETING], 0);
    w.verdict = VERDICT_PASS;
    offers(1);
    run(100);
    assert_int_equal(seen_count, 1);
    world_release(&w);
}

static void test_a_lost_session_gives_the_tokens_back(void **state)
{
    (void)state;
    begin(1);
    start();
    w.stuck = true; /* it holds a token, and its intent is not durable */
    offers(3);
    run(100);
    engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
    w.stuck = false;
    run(5000);
    assert_sliding(false, 1);
    assert_int_equal(seen_count, 3);
    world_release(&w);
}

static void test_a_sender_rate_that_comes_and_goes(void **state)
{
    (void)state;
    begin(0);
    w.carrier.rate = 10;
    start();
    offers(40);
    run(1000);
    uint64_t from_us = w.now.mono_us;
    w.carrier.sender_rate = 2; /* the last second counts already */
    engine_reconfigure(w.engine, w.now);
    run(900);
    assert_int_equal(count_of(false, from_us, UINT64_MAX), 0);
    run(3100);
    assert_in_range(count_of(false, from_us, UINT64_MAX), 5, 6);
    except(OFFERS, 5);
    from_us = w.now.mono_us;
    engine_reconfigure(w.engine, w.now);
    run(2000);
    assert_in_range(count_of(false, from_us, UINT64_MAX), 7, 10);
    w.carrier.sender_rate = w.carrier.sender_count = 0;
    engine_reconfigure(w.engine, w.now);
    run(3000);
    assert_int_equal(seen_count, 40);
    assert_int_equal(status().paused, 0);
    world_release(&w);
}

/* What is on its way to the wire when the limit comes is counted, and given back where it is held. */
static void test_a_sender_rate_that_comes_in_the_middle(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        begin(0);
        start();
        w.stuck = true;
        offers(4);
        run(20);
        w.carrier.sender_rate = 1;
        engine_reconfigure(w.engine, w.now);
        if (lost)
            engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
        w.stuck = false;
        run(8000);
        assert_int_equal(seen_count, 4);
        if (lost)
            assert_sliding(false, 1);
        world_release(&w);
    }
}

static void test_over_a_restart_the_sender_keeps_its_rate(void **state)
{
    (void)state;
    begin(1);
    start();
    offers(5);
    run(100);
    assert_int_equal(seen_count, 1);
    world_stop(&w);
    world_start(&w);
    run(6000);
    assert_int_equal(seen_count, 5);
    assert_sliding(false, 1);
    world_release(&w);
}

/* ---- the day ---- */

#define DAY_MS 86400000ull

static void begin_day(uint32_t daily, uint64_t before_midnight_ms)
{
    begin(0);
    w.carrier.sender_daily = daily;
    w.carrier.enquire_link_ms = 0;
    w.now.wall_ms = 20834 * DAY_MS - before_midnight_ms;
}

static void test_a_sender_has_a_cap_for_its_day(void **state)
{
    (void)state;
    begin_day(100, DAY_MS / 2);
    except(LOGIN, 0);
    w.carrier.senders[0].daily = 3;
    start();
    offers(150);
    for (int i = 0; i < 5; i++)
        submit("login", ASSENT__V1__CLASS__OTP, "", "Acme: 123456");
    run(2000);
    assert_int_equal(count_of(false, 0, UINT64_MAX), 100);
    assert_int_equal(count_of(true, 0, UINT64_MAX), 3);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__MARKETING], 50);
    world_release(&w);
}

static void test_sender_daily_is_over_at_midnight(void **state)
{
    (void)state;
    begin_day(10, 5000);
    start();
    offers(25);
    run(4000);
    assert_int_equal(seen_count, 10);
    assert_int_equal(status().paused, PAUSE_SENDER_DAILY);
    assert_string_equal(pause_name(__builtin_ctz(PAUSE_SENDER_DAILY)), "sender_daily");
    run(1500);
    assert_int_equal(seen_count, 20);
    assert_int_equal(status().paused, PAUSE_SENDER_DAILY);
    w.now.wall_ms += DAY_MS - 10000;
    w.now.mono_us += 60 * US_PER_S;
    run(20000);
    assert_int_equal(seen_count, 25);
    assert_int_equal(status().paused, 0);
    world_release(&w);
}

static void test_what_waits_for_the_next_day_expires(void **state)
{
    (void)state;
    begin_day(2, DAY_MS / 2);
    start();
    Assent__V1__Message message =
        world_message("offers", ASSENT__V1__CLASS__MARKETING, "13035550001", "Acme: soup today");
    message.ttl_ms = 2000;
    for (int i = 0; i < 5; i++)
        world_submit(&w, 0, &message);
    run(3000);
    assert_int_equal(seen_count, 2);
    assert_int_equal(status().waiting[ASSENT__V1__CLASS__MARKETING], 0);
    world_release(&w);
}

static void test_a_text_that_does_not_fit_the_day_is_not_begun(void **state)
{
    char text[400] = {0};
    (void)state;
    memset(text, 'x', sizeof text - 1); /* three parts */
    begin_day(5, 3000);
    start();
    for (int n = 0; n < 2; n++)
        submit("offers", ASSENT__V1__CLASS__MARKETING, "", text);
    run(2000);
    assert_int_equal(seen_count, 3);
    run(2000);
    assert_int_equal(seen_count, 6);
    world_release(&w);
}

/* A restart may cost what was recorded ahead; it never lets more out. */
static void test_sender_daily_is_kept_over_a_restart(void **state)
{
    static const uint32_t caps[] = {10, 640};
    (void)state;
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        begin_day(caps[i], DAY_MS / 2);
        start();
        offers(caps[i] / 2);
        run(1500);
        assert_int_equal(seen_count, caps[i] / 2);
        world_stop(&w);
        world_start(&w);
        offers(caps[i]);
        run(3000);
        assert_in_range(seen_count, caps[i] - caps[i] / 64 - 1, caps[i]);
        world_stop(&w);
        w.now.wall_ms += DAY_MS / 2;
        world_start(&w);
        run(3000);
        assert_true(seen_count > caps[i]);
        world_release(&w);
    }
}

static struct engine *from_snapshot;

static bool put_into_next(void *context, struct span public_part, struct span personal_part)
{
    const char *why;
    (void)context;
    assert_int_equal(engine_replay(from_snapshot, 0, public_part, personal_part, &why), ERR_OK);
    return true;
}

static void test_sender_daily_is_kept_in_snapshots(void **state)
{
    struct hash_key key = {.k0 = 1, .k1 = 2};
    (void)state;
    begin_day(10, DAY_MS / 2);
    start();
    offers(15);
    run(100);
    assert_int_equal(seen_count, 10);
    from_snapshot = engine_new(&w.config, &w.ports, &key, 1);
    assert_true(engine_snapshot(w.engine, w.now, put_into_next, NULL));
    world_stop(&w);
    w.engine = from_snapshot;
    engine_start(w.engine, w.now);
    engine_on_store_up(w.engine, 0);
    run(3000);
    assert_int_equal(seen_count, 10);
    assert_int_equal(status().paused, PAUSE_SENDER_DAILY);
    w.now.wall_ms += DAY_MS / 2;
    w.now.mono_us += 60 * US_PER_S;
    run(5000);
    assert_int_equal(seen_count, 15);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sender_keeps_to_its_sliding_second),
        cmocka_unit_test(test_parts_count_against_the_senders_rate),
        cmocka_unit_test(test_a_sender_that_waits_blocks_no_other),
        cmocka_unit_test(test_a_code_waits_for_its_own_sender_alone),
        cmocka_unit_test(test_two_programs_share_the_rate_of_one_sender),
        cmocka_unit_test(test_sender_rate_is_said_and_taken_back),
        cmocka_unit_test(test_a_wait_costs_no_turns),
        cmocka_unit_test(test_what_waits_expires_and_is_cancelled),
        cmocka_unit_test(test_tokens_of_denied_texts_come_back),
        cmocka_unit_test(test_a_lost_session_gives_the_tokens_back),
        cmocka_unit_test(test_a_sender_rate_that_comes_and_goes),
        cmocka_unit_test(test_a_sender_rate_that_comes_in_the_middle),
        cmocka_unit_test(test_over_a_restart_the_sender_keeps_its_rate),
        cmocka_unit_test(test_a_sender_has_a_cap_for_its_day),
        cmocka_unit_test(test_sender_daily_is_over_at_midnight),
        cmocka_unit_test(test_what_waits_for_the_next_day_expires),
        cmocka_unit_test(test_a_text_that_does_not_fit_the_day_is_not_begun),
        cmocka_unit_test(test_sender_daily_is_kept_over_a_restart),
        cmocka_unit_test(test_sender_daily_is_kept_in_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Frequency caps on a real Redis, asked by two gateways: exact in every sliding window, one place a
 * message however often it is asked, and nothing of it changed by looking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>

#include "consent/store.h"
#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "tests/unit/redis_server.h"

#define NUMBER    12025550100ull
#define SCOPE     9
#define WINDOW_MS 300u
#define PLACES    3
#define ASKS_MAX  4096

static struct redis_server redis;

struct gateway {
    struct store *store;
    bool up;
    size_t answered;
    struct check_result last;
};

static struct event_base *base;
static struct gateway gateways[2];

static void on_up(void *context, uint64_t applied)
{
    (void)applied;
    ((struct gateway *)context)->up = true;
}

static void on_down(void *context, const char *why)
{
    (void)why;
    ((struct gateway *)context)->up = false;
}

static void on_checked(void *context, const struct check_result *results, size_t count)
{
    struct gateway *g = context;
    g->answered += count;
    g->last = results[count - 1];
}

static void on_written(void *context, uint64_t sequence, bool added)
{
    (void)context, (void)sequence, (void)added;
}

static void run_for_us(uint64_t us)
{
    struct timeval time = {.tv_usec = (suseconds_t)us};
    event_base_loopexit(base, &time);
    event_base_dispatch(base);
}

static int open_gateways(void **state)
{
    (void)state;
    static const struct store_handlers handlers = {
        .up = on_up, .down = on_down, .checked = on_checked, .written = on_written};
    static const char *const names[] = {"gw1", "gw2"};
    assert_string_equal(redis_server_say(&redis, "FLUSHALL"), "+OK\r\n");
    base = event_base_new();
    for (int i = 0; i < 2; i++) {
        struct store_config config = {.url = redis.url, .node = names[i], .buckets = 1024};
        gateways[i] = (struct gateway){.up = false};
        gateways[i].store = store_new(base, &config, &handlers, &gateways[i]);
        assert_non_null(gateways[i].store);
    }
    for (int tries = 0; tries < 5000 && !(gateways[0].up && gateways[1].up); tries++)
        run_for_us(1000);
    assert_true(gateways[0].up && gateways[1].up);
    return 0;
}

static int close_gateways(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        store_free(gateways[i].store);
    event_base_free(base);
    return 0;
}

static struct check_result ask(struct gateway *g, uint64_t message, uint8_t place,
                               enum cap_mode mode, uint64_t window_ms)
{
    struct check check = {.cookie = message,
                          .number = NUMBER,
                          .scopes = {0, SCOPE},
                          .scope_count = 2,
                          .need_opt_in = true,
                          .need_days = true,
                          .opt_in_scope = SCOPE,
                          .cap_places = PLACES,
                          .cap_place = place,
                          .cap_mode = mode,
                          .cap_window_ms = window_ms,
                          .message = message};
    size_t before = g->answered;
    assert_true(store_check(g->store, &check));
    store_flush(g->store);
    while (g->answered == before) {
        run_for_us(200);
        assert_true(g->up);
    }
    assert_int_equal(g->last.cookie, message);
    assert_true(g->last.known);
    return g->last;
}

/* As the engine asks: one place after the other. */
static bool take(struct gateway *g, uint64_t message)
{
    for (unsigned i = 0; i < PLACES; i++)
        if (ask(g, message, (uint8_t)((message + i) % PLACES), CAP_TAKE, WINDOW_MS).cap ==
            CAP_TAKEN)
            return true;
    return false;
}

/* Redis' instant of an answer lies between question and answer. */
struct asked {
    uint64_t from_us, to_us;
    bool taken;
};

static struct asked history[ASKS_MAX];

static size_t taken_between(size_t count, uint64_t from_us, uint64_t to_us, bool surely)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        const struct asked *a = &history[i];
        bool inside = surely ? a->from_us > from_us && a->to_us <= to_us
                             : a->to_us > from_us && a->from_us <= to_us;
        taken += a->taken && inside;
    }
    return taken;
}

/* Against a brute force over every window that ends with a text. Redis' clock counts whole
 * milliseconds, which is the slack. */
static void no_window_holds_more_and_none_is_refused_with_room(void **state)
{
    (void)state;
    struct rng rng = {20261122};
    size_t count = 0, taken = 0;
    uint64_t end_us = clock_mono_us() + 4 * US_PER_S, window_us = WINDOW_MS * US_PER_MS;
    while (clock_mono_us() < end_us && count < ASKS_MAX) {
        struct asked *a = &history[count];
        a->from_us = clock_mono_us();
        a->taken = take(&gateways[rng_below(&rng, 2)], 1000 + count);
        a->to_us = clock_mono_us();
        taken += a->taken;
        size_t certain = taken_between(count, a->to_us - window_us + 2 * US_PER_MS, a->to_us, true);
        size_t possible =
            taken_between(count, a->from_us - window_us - 2 * US_PER_MS, a->to_us, false);
        if (a->taken)
            assert_true(certain < PLACES);
        else
            assert_true(possible >= PLACES);
        count++;
        run_for_us(1 + rng_below(&rng, rng_chance(&rng, 100000) ? 400000 : 40000));
    }
    assert_true(taken > 20);
    assert_true(count - taken > 20);
}

static void a_message_that_is_asked_again_keeps_its_place_and_makes_it_new(void **state)
{
    (void)state;
    assert_int_equal(ask(&gateways[0], 1, 0, CAP_TAKE, WINDOW_MS).cap, CAP_TAKEN);
    assert_int_equal(ask(&gateways[0], 1, 0, CAP_LOOK, WINDOW_MS).cap, CAP_HELD);
    assert_int_equal(ask(&gateways[1], 1, 0, CAP_LOOK, WINDOW_MS).cap, CAP_OTHERS); /* of gw2 */
    assert_int_equal(ask(&gateways[0], 2, 0, CAP_LOOK, WINDOW_MS).cap, CAP_OTHERS);
    for (int i = 0; i < 4; i++) { /* longer than the window in the end, and never free */
        run_for_us(WINDOW_MS * US_PER_MS / 2);
        assert_int_equal(ask(&gateways[0], 1, 0, CAP_RENEW, WINDOW_MS).cap, CAP_TAKEN);
        assert_int_equal(ask(&gateways[1], 3, 0, CAP_TAKE, WINDOW_MS).cap, CAP_OTHERS);
    }
    run_for_us((WINDOW_MS + 20) * US_PER_MS); /* asking does not make another's last longer */
    assert_int_equal(ask(&gateways[0], 1, 0, CAP_RENEW, WINDOW_MS).cap, CAP_OTHERS); /* lost */
    assert_int_equal(ask(&gateways[0], 1, 0, CAP_LOOK, WINDOW_MS).cap, CAP_TAKEN);
}

static void days_and_cap_come_in_one_round(void **state)
{
    (void)state;
    struct check_result r = ask(&gateways[0], 7, 1, CAP_TAKE, 60000);
    assert_int_equal(r.consent_day, 0);
    assert_int_equal(r.reassigned_day, 0);
    assert_false(r.opted_in);
    struct consent_write write = {.kind = WRITE_OPT_IN,
                                  .sequence = 1,
                                  .number = NUMBER,
                                  .scopes = {SCOPE},
                                  .scope_count = 1,
                                  .day = 20779};
    assert_true(store_write(gateways[0].store, &write));
    write = (struct consent_write){.kind = WRITE_OPT_OUT,
                                   .sequence = 2,
                                   .number = NUMBER,
                                   .scopes = {SCOPE_REASSIGNED},
                                   .scope_count = 1,
                                   .day = 20000};
    assert_true(store_write(gateways[0].store, &write));
    r = ask(&gateways[0], 7, 1, CAP_LOOK, 60000);
    assert_int_equal(r.cap, CAP_HELD);
    assert_true(r.opted_in);
    assert_int_equal(r.consent_day, 20779);
    assert_int_equal(r.reassigned_day, 20000);
}

static void reading_takes_no_place(void **state)
{
    (void)state;
    for (uint64_t message = 1; message <= PLACES; message++) {
        for (int i = 0; i < 3; i++) {
            struct check_result r = ask(&gateways[1], 99, 0, CAP_READ, WINDOW_MS);
            assert_int_equal(r.cap, CAP_FREE);
        }
        assert_int_equal(
            ask(&gateways[0], message, (uint8_t)(message - 1), CAP_TAKE, 10 * WINDOW_MS).cap,
            CAP_TAKEN);
    }
    struct check_result r = ask(&gateways[1], 99, 0, CAP_READ, WINDOW_MS);
    assert_int_equal(r.cap, CAP_OTHERS);
    assert_true(r.cap_free_ms > 0 && r.cap_free_ms <= 10 * WINDOW_MS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_window_holds_more_and_none_is_refused_with_room,
                                        open_gateways, close_gateways),
        cmocka_unit_test_setup_teardown(reading_takes_no_place, open_gateways, close_gateways),
        cmocka_unit_test_setup_teardown(
            a_message_that_is_asked_again_keeps_its_place_and_makes_it_new, open_gateways,
            close_gateways),
        cmocka_unit_test_setup_teardown(days_and_cap_come_in_one_round, open_gateways,
                                        close_gateways),
    };
    redis_server_begin(&redis, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_end(&redis);
    return failed;
}

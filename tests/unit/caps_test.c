/* SPDX-License-Identifier: Apache-2.0 */
/* Frequency caps: the table by itself, beside a plain list; and on a real Redis, asked by two gateways: exact in every
 * sliding window, one place a message however often it is asked, and nothing of it changed by looking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>

#include "consent/caps.h"
#include "consent/store.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
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
    char down[128]; /* why */
    size_t answered, room, unknown;
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
    struct gateway *g = context;
    g->up = false;
    snprintf(g->down, sizeof g->down, "%s", why);
}

static bool on_keyed(void *context, const uint8_t key[PERSON_KEY_SIZE])
{
    (void)context;
    person_key_set(key);
    return true;
}

static void on_checked(void *context, const struct check_result *results, size_t count)
{
    struct gateway *g = context;
    g->answered += count;
    for (size_t i = 0; i < count; i++) {
        g->room += results[i].known && results[i].cap == CAP_ROOM;
        g->unknown += !results[i].known;
    }
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

static const uint8_t person_key[PERSON_KEY_SIZE] = {1, 2, 3};

static void open_gateway(int i)
{
    static const struct store_handlers handlers = {.up = on_up,
                                                   .down = on_down,
                                                   .keyed = on_keyed,
                                                   .checked = on_checked,
                                                   .written = on_written};
    static const char *const names[] = {"gw1", "gw2"};
    struct store_config config = {
        .url = redis.url, .node = names[i], .buckets = 1024, .person_key = person_key};
    gateways[i] = (struct gateway){.up = false};
    gateways[i].store = store_new(base, &config, &handlers, &gateways[i]);
    assert_non_null(gateways[i].store);
}

static void wait_up(const struct gateway *g)
{
    for (int tries = 0; tries < 5000 && !g->up; tries++)
        run_for_us(1000);
    assert_true(g->up);
}

static int open_gateways(void **state)
{
    (void)state;
    assert_string_equal(redis_server_say(&redis, "FLUSHALL"), "+OK\r\n");
    base = event_base_new();
    for (int i = 0; i < 2; i++)
        open_gateway(i);
    wait_up(&gateways[0]);
    wait_up(&gateways[1]);
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

static struct check a_check(uint64_t number, uint64_t message, uint64_t window_ms)
{
    return (struct check){.cookie = message,
                          .number = number,
                          .scopes = {0, SCOPE},
                          .scope_count = 2,
                          .need_opt_in = true,
                          .need_days = true,
                          .opt_in_scope = SCOPE,
                          .cap_places = PLACES,
                          .cap_window_ms = window_ms,
                          .message = message};
}

static struct check_result answer_to(struct gateway *g, const struct check *check)
{
    size_t before = g->answered;
    assert_true(store_check(g->store, check));
    store_flush(g->store);
    while (g->answered == before) {
        run_for_us(200);
        assert_true(g->up);
    }
    assert_int_equal(g->last.cookie, check->cookie);
    assert_true(g->last.known);
    return g->last;
}

static bool take(struct gateway *g, uint64_t message, uint64_t window_ms)
{
    struct check check = a_check(NUMBER, message, window_ms);
    return answer_to(g, &check).cap == CAP_ROOM;
}

static struct check_result look(struct gateway *g)
{
    struct check check = a_check(NUMBER, 99, WINDOW_MS);
    check.cap_looks = true;
    return answer_to(g, &check);
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
        a->taken = take(&gateways[rng_below(&rng, 2)], 1000 + count, WINDOW_MS);
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
    for (uint64_t message = 1; message <= PLACES; message++)
        assert_true(take(&gateways[0], message, WINDOW_MS));
    assert_true(take(&gateways[0], 1, WINDOW_MS));
    assert_false(take(&gateways[1], 1, WINDOW_MS)); /* another gateway's message */
    assert_false(take(&gateways[0], 4, WINDOW_MS));
    for (int i = 0; i < 4; i++) { /* longer than the window in the end, and never free */
        run_for_us(WINDOW_MS * US_PER_MS / 2);
        for (uint64_t message = 1; message <= PLACES; message++)
            assert_true(take(&gateways[0], message, WINDOW_MS));
        assert_false(take(&gateways[1], 5, WINDOW_MS));
    }
    run_for_us((WINDOW_MS + 20) * US_PER_MS); /* asking does not make another's last longer */
    for (uint64_t message = 6; message < 6 + PLACES; message++)
        assert_true(take(&gateways[1], message, WINDOW_MS));
    assert_false(take(&gateways[0], 1, WINDOW_MS)); /* lost */
}

static void days_and_cap_come_in_one_round(void **state)
{
    (void)state;
    struct check check = a_check(NUMBER, 7, 60000);
    struct check_result r = answer_to(&gateways[0], &check);
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
    r = answer_to(&gateways[0], &check);
    assert_int_equal(r.cap, CAP_ROOM);
    assert_true(r.opted_in);
    assert_int_equal(r.consent_day, 20779);
    assert_int_equal(r.reassigned_day, 20000);
    check.need_days = false;
    check.need_age = true; /* the day alone */
    r = answer_to(&gateways[0], &check);
    assert_true(r.opted_in);
    assert_int_equal(r.consent_day, 20779);
    assert_int_equal(r.reassigned_day, 0);
    check = a_check(NUMBER + 1, 8, 60000);
    check.need_days = false;
    check.need_age = true;
    r = answer_to(&gateways[0], &check);
    assert_false(r.opted_in);
    assert_int_equal(r.consent_day, 0);
}

static void looking_takes_no_place(void **state)
{
    (void)state;
    for (uint64_t message = 1; message <= PLACES; message++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(look(&gateways[0]).cap, CAP_ROOM);
        assert_true(take(&gateways[0], message, 10 * WINDOW_MS));
    }
    struct check_result r = look(&gateways[0]);
    assert_int_equal(r.cap, CAP_FULL);
    assert_true(r.cap_free_ms > 0 && r.cap_free_ms <= 10 * WINDOW_MS);
    assert_true(take(&gateways[1], 1, 10 * WINDOW_MS) == false); /* reads what the other took */
    assert_int_equal(look(&gateways[1]).cap, CAP_FULL);
}

/* ---- the log ---- */

/* `count` texts to as many numbers, in one turn or in `turns`. */
static void take_many(struct gateway *g, uint64_t first, size_t count, size_t turns)
{
    size_t before = g->answered;
    for (size_t i = 0; i < count; i++) {
        struct check check = a_check(NUMBER + i, first + i, 60000);
        assert_true(store_check(g->store, &check));
        if ((i + 1) % (count / turns) == 0)
            store_flush(g->store);
    }
    store_flush(g->store);
    for (int tries = 0; tries < 5000 && g->answered < before + count; tries++)
        run_for_us(1000);
    assert_int_equal(g->answered, before + count);
}

static const char *entries(void)
{
    return redis_server_say(&redis, "XLEN assent:caps");
}

/* Several batches a turn, and more of them than one reading has: each is decided by its own entry. */
static void a_turn_has_more_than_a_batch_and_a_log_more_than_a_reading(void **state)
{
    (void)state;
    take_many(&gateways[0], 1, 2 * CAPS_BATCH + 1, 1);
    assert_int_equal(gateways[0].room, 2 * CAPS_BATCH + 1);
    assert_string_equal(entries(), ":3\r\n");
    take_many(&gateways[0], 10000, 4 * CAPS_READ, 4 * CAPS_READ);
    assert_int_equal(gateways[0].room, 2 * CAPS_BATCH + 1 + 4 * CAPS_READ);
    take_many(&gateways[1], 20000, 2 * CAPS_READ, 2 * CAPS_READ); /* it was idle meanwhile */
    assert_int_equal(gateways[1].room, 2 * CAPS_READ);            /* the third of each */
    take_many(&gateways[1], 30000, 2 * CAPS_READ, 1);
    assert_int_equal(gateways[1].room, 2 * CAPS_READ);
    assert_int_equal(gateways[0].unknown + gateways[1].unknown, 0);
}

static void open_again(int i)
{
    store_free(gateways[i].store);
    open_gateway(i);
    wait_up(&gateways[i]);
}

static void who_starts_again_reads_what_there_is(void **state)
{
    (void)state;
    take_many(&gateways[0], 1, 3 * CAPS_READ, 3 * CAPS_READ);
    for (uint64_t message = 2; message <= PLACES; message++)
        assert_true(take(&gateways[1], message, 60000));
    open_again(0);
    assert_false(take(&gateways[0], 1000, 60000));
    assert_true(take(&gateways[0], 1, 60000)); /* its own from before */
    open_again(1);
    assert_true(take(&gateways[1], 2, 60000));
    assert_int_equal(look(&gateways[1]).cap, CAP_FULL);
}

static void lose_connections(void)
{
    gateways[0].down[0] = gateways[1].down[0] = '\0';
    redis_server_say(&redis, "CLIENT KILL TYPE normal");
    for (int tries = 0; tries < 5000 && (!gateways[0].down[0] || !gateways[1].down[0]); tries++)
        run_for_us(1000);
    wait_up(&gateways[0]);
    wait_up(&gateways[1]);
}

/* The same log is gone on with; one that is another is read from its beginning, and what it does not know any more
 * is not counted, by nobody. */
static void a_connection_goes_on_where_the_last_one_ended(void **state)
{
    (void)state;
    for (uint64_t message = 1; message <= PLACES; message++)
        assert_true(take(&gateways[0], message, 60000));
    lose_connections();
    assert_false(take(&gateways[0], 10, 60000));
    assert_false(take(&gateways[1], 11, 60000));
    redis_server_say(&redis, "DEL assent:caps");
    lose_connections();
    for (uint64_t message = 20; message < 20 + PLACES; message++)
        assert_true(take(&gateways[message % 2], message, 60000));
    assert_false(take(&gateways[0], 30, 60000));
    assert_false(take(&gateways[1], 31, 60000));
}

/* Lost under a living connection: what was asked is not known, and then counts anew. */
static void a_log_that_goes_answers_nothing(void **state)
{
    (void)state;
    assert_true(take(&gateways[0], 1, 60000));
    redis_server_say(&redis, "SET assent:caps word"); /* of another type */
    struct check check = a_check(NUMBER, 2, 60000);
    gateways[0].down[0] = '\0';
    assert_true(store_check(gateways[0].store, &check));
    store_flush(gateways[0].store);
    for (int tries = 0; tries < 5000 && gateways[0].unknown == 0; tries++)
        run_for_us(1000);
    assert_int_equal(gateways[0].unknown, 1);
    assert_non_null(strstr(gateways[0].down, "WRONGTYPE"));
    redis_server_say(&redis, "DEL assent:caps");
    wait_up(&gateways[0]);
    for (uint64_t message = 2; message < 2 + PLACES; message++)
        assert_true(take(&gateways[0], message, 60000));
    assert_false(take(&gateways[0], 99, 60000));
}

/* Entries of other versions are passed over; what is no entry is named. */
static void what_others_write_into_the_log(void **state)
{
    (void)state;
    redis_server_say(&redis, "XADD assent:caps * gw3 short");
    redis_server_say(&redis,
                     "XADD assent:caps * gw3 0123456789012345678901"); /* no cap is so long */
    for (uint64_t message = 1; message <= PLACES; message++)
        assert_true(take(&gateways[0], message, 60000));
    gateways[0].down[0] = '\0';
    redis_server_say(&redis, "XADD assent:caps * one two three four");
    assert_true(store_check(gateways[0].store, &(struct check){.cookie = 1,
                                                               .number = NUMBER,
                                                               .scope_count = 1,
                                                               .cap_places = 1,
                                                               .cap_window_ms = 1000}));
    store_flush(gateways[0].store);
    for (int tries = 0; tries < 5000 && gateways[0].down[0] == '\0'; tries++)
        run_for_us(1000);
    assert_string_equal(gateways[0].down, "assent:caps in Redis is not understood");
    redis_server_say(&redis, "DEL assent:caps");
}

/* It goes with the longest window, and what is older is cut by whole nodes. */
static void the_log_ends_with_its_longest_window(void **state)
{
    (void)state;
    assert_true(take(&gateways[0], 1, WINDOW_MS));
    assert_string_equal(entries(), ":1\r\n");
    run_for_us((WINDOW_MS + 100) * US_PER_MS);
    assert_string_equal(entries(), ":0\r\n");
    for (uint64_t round = 0; round < 8; round++) {
        for (size_t i = 0; i < CAPS_BATCH; i++) { /* fills a node by itself */
            struct check check = a_check(NUMBER + i, round * CAPS_BATCH + i, WINDOW_MS);
            assert_true(store_check(gateways[1].store, &check));
        }
        store_flush(gateways[1].store);
        run_for_us(WINDOW_MS * US_PER_MS / 2);
    }
    int left = atoi(entries() + 1);
    assert_true(left >= 2 && left <= 5);
}

/* ---- the table ---- */

struct listed {
    uint64_t key, node, message, until_ms;
};
#define LISTED_MAX 4096
static struct listed listed[LISTED_MAX];
static size_t listed_count;

static enum place_answer plain_take(uint64_t node, const struct cap_request *r, uint64_t at_ms)
{
    uint32_t taken = 0;
    for (size_t i = listed_count; i-- > 0;)
        if (listed[i].until_ms <= at_ms)
            listed[i] = listed[--listed_count];
    for (size_t i = 0; i < listed_count; i++) {
        if (listed[i].key != r->key)
            continue;
        if (listed[i].node == node && listed[i].message == r->message) {
            listed[i].until_ms = at_ms + r->window_ms;
            return PLACE_TAKEN;
        }
        taken++;
    }
    if (taken >= r->count)
        return PLACE_NONE;
    assert_true(listed_count < LISTED_MAX);
    listed[listed_count++] = (struct listed){r->key, node, r->message, at_ms + r->window_ms};
    return PLACE_TAKEN;
}

static void the_table_says_what_a_plain_list_says(void **state)
{
    (void)state;
    struct caps *caps = caps_new(CAPS_PLACES_MAX);
    struct rng rng = {20261123};
    uint64_t at_ms = 1, full = 0, numbers = 4;
    for (int i = 0; i < 300000; i++) {
        if (i % 20000 == 0)
            numbers = 4 + rng_below(&rng, 400);
        at_ms += rng_below(&rng, 3);
        uint64_t node = rng_below(&rng, 2) + 1;
        /* Few shards and few slots of them: keys meet. */
        uint64_t number = rng_below(&rng, (uint32_t)numbers);
        struct cap_request r = {.key = (number % 3) << 60 | ((number & ~1ull) + 1),
                                .message = rng_below(&rng, 50),
                                .window_ms = 1 + rng_below(&rng, 2000),
                                .count = (uint8_t)(1 + rng_below(&rng, 5))};
        uint64_t wait_ms = caps_wait_ms(caps, r.key, r.count, at_ms);
        enum place_answer expected = plain_take(node, &r, at_ms);
        assert_int_equal(caps_take(caps, node, &r, at_ms), expected);
        full += expected == PLACE_NONE;
        if (expected == PLACE_NONE)
            assert_true(wait_ms > 0 && wait_ms <= 2000);
    }
    assert_true(full > 10000);
    caps_free(caps);
}

static void many_places_last_and_go(void **state)
{
    (void)state;
    struct caps *caps = caps_new(CAPS_PLACES_MAX);
    for (uint64_t at_ms = 1; at_ms <= 3; at_ms++)
        for (uint64_t i = 1; i <= 300000; i++) {
            struct cap_request r = {
                .key = hash_mix(i), .message = i + at_ms, .window_ms = 1000, .count = 2};
            assert_int_equal(caps_take(caps, 7, &r, at_ms), at_ms < 3 ? PLACE_TAKEN : PLACE_NONE);
        }
    assert_int_equal(caps_wait_ms(caps, hash_mix(5), 2, 500), 501);
    assert_int_equal(caps_wait_ms(caps, hash_mix(5), 2, 1001), 0);
    caps_clear(caps);
    assert_int_equal(caps_wait_ms(caps, hash_mix(5), 2, 3), 0);
    caps_free(caps);
}

static enum place_answer answer_of_full(uint64_t at_ms)
{
    struct caps *caps = caps_new(100);
    struct cap_request r = {.key = 1, .message = 1, .window_ms = 1000, .count = 1};
    for (r.key = 1; r.key <= 100; r.key++)
        assert_int_equal(caps_take(caps, 7, &r, 10), PLACE_TAKEN);
    assert_int_equal(caps_take(caps, 7, &r, 10), PLACE_UNKNOWN);
    r.key = 5;
    assert_int_equal(caps_take(caps, 7, &r, 10), PLACE_TAKEN); /* its own */
    assert_int_equal(caps_take(caps, 8, &r, 10), PLACE_NONE);
    r.key = 101;
    enum place_answer answer = caps_take(caps, 7, &r, at_ms);
    if (answer == PLACE_UNKNOWN) { /* it was looked through now, and is again in a while */
        assert_int_equal(caps_take(caps, 7, &r, at_ms + 99), PLACE_UNKNOWN);
        assert_int_equal(caps_take(caps, 7, &r, at_ms + 100), PLACE_TAKEN);
    }
    caps_free(caps);
    return answer;
}

/* What does not fit is not known; what is over makes room. */
static void a_full_table_does_not_know(void **state)
{
    (void)state;
    assert_int_equal(answer_of_full(1009), PLACE_UNKNOWN);
    assert_int_equal(answer_of_full(1010), PLACE_TAKEN);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    uint8_t batch[(CAPS_BATCH + 1) * CAP_OCTETS];
    for (size_t i = 0; i <= CAPS_BATCH; i++) {
        struct cap_request r = {.key = UINT64_MAX - i,
                                .message = i << 40,
                                .window_ms = i % 2 ? 1 : CAP_WINDOW_MS_MAX,
                                .count = i % 2 ? 1 : CAP_PLACES_MAX};
        cap_write(&r, batch + i * CAP_OCTETS);
    }
    assert_int_equal(caps_in_batch(span_of(batch, sizeof batch)), -1);
    assert_int_equal(caps_in_batch(span_of(batch, 0)), -1);
    assert_int_equal(caps_in_batch(span_of(batch, CAP_OCTETS + 1)), -1);
    struct span whole = span_of(batch, (size_t)CAPS_BATCH * CAP_OCTETS);
    assert_int_equal(caps_in_batch(whole), CAPS_BATCH);
    for (size_t i = 0; i < CAPS_BATCH; i++) {
        struct cap_request r;
        assert_true(cap_read(whole, i, &r));
        assert_true(r.key == UINT64_MAX - i && r.message == i << 40);
        assert_true(r.window_ms == (i % 2 ? 1 : CAP_WINDOW_MS_MAX));
        assert_int_equal(r.count, i % 2 ? 1 : CAP_PLACES_MAX);
    }
}

static void the_key_is_of_number_and_program(void **state)
{
    (void)state;
    person_key_set(person_key);
    assert_true(cap_key(9, NUMBER) == cap_key(9, NUMBER));
    assert_true(cap_key(9, NUMBER) != cap_key(10, NUMBER));
    assert_true(cap_key(9, NUMBER) != cap_key(9, NUMBER + 1));
}

#define ON_REDIS(test) cmocka_unit_test_setup_teardown(test, open_gateways, close_gateways)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_says_what_a_plain_list_says),
        cmocka_unit_test(many_places_last_and_go),
        cmocka_unit_test(a_full_table_does_not_know),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_key_is_of_number_and_program),
        ON_REDIS(no_window_holds_more_and_none_is_refused_with_room),
        ON_REDIS(looking_takes_no_place),
        ON_REDIS(a_message_that_is_asked_again_keeps_its_place_and_makes_it_new),
        ON_REDIS(days_and_cap_come_in_one_round),
        ON_REDIS(a_turn_has_more_than_a_batch_and_a_log_more_than_a_reading),
        ON_REDIS(who_starts_again_reads_what_there_is),
        ON_REDIS(a_connection_goes_on_where_the_last_one_ended),
        ON_REDIS(a_log_that_goes_answers_nothing),
        ON_REDIS(what_others_write_into_the_log),
        ON_REDIS(the_log_ends_with_its_longest_window),
    };
    redis_server_begin(&redis, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_end(&redis);
    return failed;
}

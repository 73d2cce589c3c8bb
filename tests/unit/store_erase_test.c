/* SPDX-License-Identifier: Apache-2.0 */
/* consent/store_erase.lua in a real Redis: it finds the number of a fingerprint among others of its bucket, and takes
 * what is older than the erasure and no more. */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/store.h"
#include "consent/store_command.h"
#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/number.h"
#include "tests/unit/redis_server.h"

#define BUCKETS     64u
#define SCOPE       20
#define SCOPE_LAST  SCOPE_MAX
#define ERASED_MS   1795298400123ull
#define PATIENCE_US (60 * US_PER_S)

static struct redis_server redis;
static struct event_base *base;
static struct store *store;
static uint64_t ups, downs, sequence, written;

static bool on_keyed(void *context, const uint8_t key[PERSON_KEY_SIZE])
{
    (void)context;
    person_key_set(key);
    return true;
}

static void on_up(void *context, uint64_t applied)
{
    (void)context;
    (void)applied;
    ups++;
}

static void on_down(void *context, const char *why)
{
    (void)context;
    fprintf(stderr, "%s\n", why);
    downs++;
}

static void on_written(void *context, uint64_t at, bool changed)
{
    (void)context;
    (void)changed;
    written = at;
}

static void run_until(const uint64_t *value, uint64_t wanted)
{
    uint64_t give_up_us = clock_mono_us() + PATIENCE_US;
    while (*value != wanted) {
        assert_true(downs == 0 && clock_mono_us() < give_up_us);
        event_base_loopexit(base, &(struct timeval){.tv_usec = 1000});
        event_base_dispatch(base);
    }
}

static void put(struct consent_write write)
{
    write.sequence = ++sequence;
    assert_true(store_write(store, &write));
    store_flush(store);
    run_until(&written, sequence);
}

/* With a key of its own each time, and two programs. */
static int begin_world(void **state)
{
    (void)state;
    uint8_t key[PERSON_KEY_SIZE];
    rng_secret(key, sizeof key);
    redis_server_say(&redis, "FLUSHALL");
    static const struct store_handlers handlers = {
        .keyed = on_keyed, .up = on_up, .down = on_down, .written = on_written};
    struct store_config config = {
        .url = redis.url, .node = "gw1", .buckets = BUCKETS, .person_key = key};
    base = event_base_new();
    store = store_new(base, &config, &handlers, NULL);
    ups = downs = 0;
    sequence = written = 0;
    run_until(&ups, 1);
    for (unsigned i = 0; i < 2; i++)
        put((struct consent_write){.kind = WRITE_SCOPE,
                                   .scopes = {i == 0 ? SCOPE : SCOPE_LAST},
                                   .scope_count = 1,
                                   .name = "program:offers"});
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    store_free(store);
    event_base_free(base);
    return 0;
}

static void opt_in(uint64_t number, uint16_t scope)
{
    put((struct consent_write){.kind = WRITE_OPT_IN,
                               .number = number,
                               .scopes = {scope},
                               .scope_count = 1,
                               .day = 20000,
                               .asked_wall_ms = ERASED_MS});
}

static void opt_out(uint64_t number, uint16_t scope, uint64_t taken_wall_ms)
{
    put((struct consent_write){.kind = WRITE_OPT_OUT,
                               .number = number,
                               .scopes = {scope},
                               .scope_count = 1,
                               .taken_wall_ms = taken_wall_ms,
                               .written_wall_ms = ERASED_MS});
}

static void ask(uint64_t number, uint64_t asked_wall_ms)
{
    put((struct consent_write){.kind = WRITE_PENDING,
                               .number = number,
                               .scopes = {SCOPE},
                               .scope_count = 1,
                               .request = 1,
                               .asked_wall_ms = asked_wall_ms,
                               .expires_wall_ms = clock_wall_ms() + 60000,
                               .asker = "gw1 12025550100"});
}

static struct consent_write erased(uint64_t number, uint32_t places)
{
    return (struct consent_write){.kind = WRITE_ERASED,
                                  .taken_wall_ms = ERASED_MS,
                                  .written_wall_ms = ERASED_MS,
                                  .erased = {.person = person_mark(number),
                                             .wall_ms = ERASED_MS,
                                             .place = store_bucket(number, places),
                                             .places = places,
                                             .request = "R-17"},
                                  .search = true};
}

__attribute__((format(printf, 2, 3))) static bool says(const char *expected, const char *format,
                                                       ...)
{
    char command[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return strcmp(redis_server_say(&redis, command), expected) == 0;
}

static bool has(const char *family, uint16_t scope, uint64_t number)
{
    return says(":1\r\n", "SISMEMBER %s:{%u} %llu", family, store_bucket(number, BUCKETS),
                (unsigned long long)consent_key(scope, number));
}

static bool has_fingerprint(uint64_t number)
{
    return says(":1\r\n", "SISMEMBER optout:{%u} %llu", store_bucket(number, BUCKETS),
                (unsigned long long)consent_member(SCOPE_ERASED, number));
}

static bool has_day(uint64_t number, uint16_t scope)
{
    return says(":1\r\n", "HEXISTS days:{%u} %llu", store_bucket(number, BUCKETS),
                (unsigned long long)consent_key(scope, number));
}

static bool has_question(uint64_t number)
{
    return says(":1\r\n", "EXISTS pending:{%u}:%llu", store_bucket(number, BUCKETS),
                (unsigned long long)consent_key(SCOPE, number));
}

/* Of every length, beside others of the same bucket. */
static void who_has_the_fingerprint_is_found(void **state)
{
    (void)state;
    enum { COUNT = 44 };
    uint64_t numbers[COUNT], at = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        uint64_t least = 10000;
        for (unsigned digits = 5; digits < 5 + i / 4; digits++)
            least *= 10;
        at = i % 4 == 0 ? least : at + 1;
        if (i >= COUNT - 4) /* nearly the last ones of all */
            at = 999999999999999ull - (COUNT - i) * 1000;
        while (store_bucket(at, BUCKETS) != 7)
            at++;
        numbers[i] = at;
        opt_in(numbers[i], i % 2 == 0 ? SCOPE : SCOPE_LAST);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        put(erased(numbers[i], BUCKETS));
        for (unsigned k = 0; k < COUNT; k++) {
            uint16_t scope = k % 2 == 0 ? SCOPE : SCOPE_LAST;
            assert_int_equal(has("optin", scope, numbers[k]), k > i);
            assert_int_equal(has_day(numbers[k], scope), k > i);
        }
        assert_false(has_fingerprint(numbers[i]));
    }
    assert_true(says(":44\r\n", "ZCARD assent:erased"));
}

#define PERSON    12025550147ull
#define NEIGHBOUR 12025550148ull

static void of_an_older_opt_out_the_fingerprint_stays(void **state)
{
    (void)state;
    opt_out(PERSON, SCOPE, ERASED_MS - 1);
    opt_out(NEIGHBOUR, SCOPE, ERASED_MS - 1);
    ask(PERSON, ERASED_MS);
    put(erased(PERSON, BUCKETS));
    assert_false(has("optout", SCOPE, PERSON));
    assert_false(has_question(PERSON));
    assert_true(has_fingerprint(PERSON) && has("optout", SCOPE, NEIGHBOUR));
    assert_true(says("$-1\r\n", "ZSCORE stops:{%u}:%llu %llu", store_bucket(PERSON, BUCKETS),
                     (unsigned long long)(ERASED_MS / STOP_TIMES_MS),
                     (unsigned long long)consent_key(SCOPE, PERSON)));
}

static void what_is_newer_stays(void **state)
{
    (void)state;
    opt_in(PERSON, SCOPE_LAST);
    opt_out(PERSON, SCOPE, ERASED_MS + 1);
    opt_out(PERSON, SCOPE_HOLD, 0);
    opt_out(PERSON, SCOPE_REASSIGNED, 0);
    ask(PERSON, ERASED_MS + 1);
    put(erased(PERSON, BUCKETS));
    assert_true(has("optout", SCOPE, PERSON) && has("optout", SCOPE_HOLD, PERSON));
    assert_true(has("optout", SCOPE_REASSIGNED, PERSON)); /* a list's; it may be */
    assert_true(has_question(PERSON));
    assert_false(has_fingerprint(PERSON) || has("optin", SCOPE_LAST, PERSON));
}

/* With a hold nobody is erased: it had been released. Unless it came at the same moment: then the others are not told. */
static void an_older_hold_is_over(void **state)
{
    (void)state;
    struct consent_write write = erased(PERSON, BUCKETS);
    opt_in(PERSON, SCOPE);
    opt_out(PERSON, SCOPE_HOLD, ERASED_MS);
    write.erased.request[0] = '\0';
    put(write);
    assert_true(has("optout", SCOPE_HOLD, PERSON));
    put(erased(PERSON, BUCKETS));
    assert_false(has("optout", SCOPE_HOLD, PERSON) || has_fingerprint(PERSON));
    opt_out(PERSON, SCOPE_HOLD, ERASED_MS + 1);
    put(erased(PERSON, BUCKETS));
    assert_true(has("optout", SCOPE_HOLD, PERSON));
}

static void in_every_bucket_that_it_may_be_in(void **state)
{
    (void)state;
    for (uint32_t places = 1; places <= 4 * BUCKETS; places *= 4) {
        opt_in(PERSON, SCOPE);
        put(erased(PERSON, places));
        assert_false(has("optin", SCOPE, PERSON));
    }
}

static void nobody_is_looked_for_unasked(void **state)
{
    (void)state;
    struct consent_write write = erased(PERSON, BUCKETS);
    write.search = false;
    opt_in(PERSON, SCOPE);
    put(write);
    assert_true(has("optin", SCOPE, PERSON));
}

static void what_is_no_member_harms_nothing(void **state)
{
    (void)state;
    static const char *const foreign[] = {"x",
                                          "-1",
                                          "1e300",
                                          "0x10",
                                          "18446744073709551616999",
                                          "99999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        assert_true(
            says(":1\r\n", "SADD optin:{%u} %s", store_bucket(PERSON, BUCKETS), foreign[i]));
    opt_in(PERSON, SCOPE);
    put(erased(PERSON, BUCKETS));
    assert_false(has("optin", SCOPE, PERSON));
    assert_true(says(":6\r\n", "SCARD optin:{%u}", store_bucket(PERSON, BUCKETS)));
}

static int begin(void **state)
{
    (void)state;
    redis_server_begin(&redis, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    redis_server_end(&redis);
    return 0;
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(who_has_the_fingerprint_is_found),
        IN_WORLD(of_an_older_opt_out_the_fingerprint_stays),
        IN_WORLD(what_is_newer_stays),
        IN_WORLD(an_older_hold_is_over),
        IN_WORLD(in_every_bucket_that_it_may_be_in),
        IN_WORLD(nobody_is_looked_for_unasked),
        IN_WORLD(what_is_no_member_harms_nothing),
    };
    return cmocka_run_group_tests_name("store_erase", tests, begin, end);
}

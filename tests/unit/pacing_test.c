/* SPDX-License-Identifier: Apache-2.0 */
/* Rate and window against carriers that refuse: cut, won back, never above the setting, and settled
 * where an unknown limit is. */
#include "gateway/pacing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/throttle.h"
#include "proto/base/clock.h"

#define SECOND US_PER_S

/* ---- a carrier with a limit that nobody knows, and a backlog ---- */

enum kind { SLIDING_SECOND, BUCKET };

struct request {
    uint64_t sent_us, answer_us;
    uint32_t depth;
    bool taken;
};

struct link {
    struct pacing pacing;
    struct throttle throttle;
    enum kind kind;
    uint32_t limit, burst, granted; /* the carrier's: a second, of the bucket, of the window */
    enum refusal says;
    uint64_t round_trip_us, jitter_us;
    struct request flight[10000];
    size_t first, count;
    uint64_t *taken_at; /* SLIDING_SECOND: a ring of `limit` */
    uint64_t taken, refused;
    double bucket; /* what is in it */
    uint64_t bucket_us;
    uint32_t random;
    bool out; /* it refuses everything */
};

static uint32_t below(struct link *l, uint32_t n)
{
    l->random = l->random * 1664525u + 1013904223u;
    return n ? (l->random >> 8) % n : 0;
}

static void link_init(struct link *l, enum kind kind, uint32_t limit, uint32_t burst)
{
    *l = (struct link){.kind = kind,
                       .limit = limit,
                       .burst = burst,
                       .bucket = burst,
                       .bucket_us = SECOND,
                       .granted = 10000,
                       .says = REFUSED_RATE,
                       .round_trip_us = 6000,
                       .jitter_us = 4000,
                       .random = 7};
    l->taken_at = calloc(limit, sizeof *l->taken_at);
    pacing_init(&l->pacing, 20000, 200, true);
    throttle_init(&l->throttle, 20000, SECOND);
}

static bool takes(struct link *l, uint64_t now_us)
{
    if (l->out || l->count + 1 > l->granted)
        return false;
    if (l->kind == SLIDING_SECOND) {
        uint64_t *oldest = &l->taken_at[l->taken % l->limit];
        if (*oldest != 0 && now_us - *oldest < SECOND)
            return false;
        *oldest = now_us;
        return true;
    }
    l->bucket += (double)(now_us - l->bucket_us) * l->limit / 1e6;
    l->bucket = l->bucket > l->burst ? l->burst : l->bucket;
    l->bucket_us = now_us;
    if (l->bucket < 1)
        return false;
    l->bucket -= 1;
    return true;
}

static void send(struct link *l, uint64_t now_us)
{
    throttle_reserve(&l->throttle, 1);
    throttle_write(&l->throttle, now_us);
    struct request *r = &l->flight[(l->first + l->count) % 10000];
    r->sent_us = now_us;
    r->taken = takes(l, now_us);
    r->depth = (uint32_t)++l->count;
    r->answer_us = now_us + l->round_trip_us + below(l, (uint32_t)l->jitter_us);
    l->taken += r->taken;
    l->refused += !r->taken;
}

static void answers(struct link *l, uint64_t now_us)
{
    while (l->count > 0 && l->flight[l->first].answer_us <= now_us) {
        const struct request *r = &l->flight[l->first];
        l->first = (l->first + 1) % 10000;
        l->count--;
        if (r->taken)
            pacing_taken(&l->pacing, r->sent_us, r->depth);
        else
            pacing_refused(&l->pacing, l->says, r->sent_us, r->depth, now_us);
    }
}

static void turn(struct link *l, uint64_t now_us)
{
    answers(l, now_us);
    bool open = pacing_turn(&l->pacing, l->count, now_us);
    if (l->throttle.rate != l->pacing.rate.value)
        throttle_set_rate(&l->throttle, l->pacing.rate.value, ramp_is_cut(&l->pacing.rate), now_us);
    assert_true(l->pacing.rate.value >= 1 && l->pacing.rate.value <= l->pacing.rate.most);
    assert_true(l->pacing.window.value >= 1 && l->pacing.window.value <= l->pacing.window.most);
    while (open) {
        if (throttle_room(&l->throttle, now_us, false, 1) == 0) {
            l->pacing.rate.limited = true;
            return;
        }
        if (l->count >= l->pacing.window.value) {
            l->pacing.window.limited = true;
            return;
        }
        send(l, now_us);
    }
}

/* Counts from here on. */
static void run(struct link *l, uint64_t from_us, uint64_t to_us)
{
    l->refused = 0;
    for (uint64_t now_us = from_us; now_us < to_us; now_us += 1000)
        turn(l, now_us);
}

/* ---- the figure ---- */

static void settles(enum kind kind, uint32_t limit, uint32_t burst, uint64_t seconds)
{
    struct link *l = malloc(sizeof *l);
    link_init(l, kind, limit, burst);
    run(l, SECOND, 11 * SECOND);
    uint64_t before = l->taken, early = l->refused;
    run(l, 11 * SECOND, (11 + seconds) * SECOND);
    double used = (double)(l->taken - before) / (double)(limit * seconds);
    double share = (double)l->refused / (double)(l->taken - before + l->refused);
    printf("%s %u a second: used %.1f %%, refused %.3f %% (%llu in the first 10 s), rate %u\n",
           kind == BUCKET ? "bucket" : "sliding", limit, used * 100, share * 100,
           (unsigned long long)early, l->pacing.rate.value);

    assert_true(used >= 0.95);

    assert_true(share < 0.01);
    free(l->taken_at);
    free(l);
}

static void test_settles_at_an_unknown_rate_of_a_sliding_second(void **state)
{
    (void)state;
    static const uint32_t limits[] = {20, 41, 137, 500, 1000, 5000, 12000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        settles(SLIDING_SECOND, limits[i], 0, 60);
}

static void test_settles_at_an_unknown_rate_of_a_bucket(void **state)
{
    (void)state;
    static const struct {
        uint32_t limit, burst;
    } rows[] = {{20, 20}, {20, 2}, {137, 30}, {1000, 50}, {1000, 1000}, {5000, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        settles(BUCKET, rows[i].limit, rows[i].burst, 60);
}

/* All is refused for three seconds: pauses, few refusals, and soon what it was. */
static void test_an_outage_is_no_rate(void **state)
{
    (void)state;
    struct link *l = malloc(sizeof *l);
    link_init(l, SLIDING_SECOND, 1000, 0);
    run(l, SECOND, 15 * SECOND);
    l->out = true;
    run(l, 15 * SECOND, 18 * SECOND);
    assert_in_range(l->refused, 1, 50);
    l->out = false;
    run(l, 18 * SECOND, 33 * SECOND);
    uint64_t before = l->taken;
    run(l, 33 * SECOND, 43 * SECOND);
    assert_true(l->taken - before >= 9500);
    free(l->taken_at);
    free(l);
}

static void test_a_window_of_10_and_of_1_is_found(void **state)
{
    (void)state;
    static const uint32_t windows[] = {10, 1};
    for (size_t i = 0; i < 2; i++) {
        struct link *l = malloc(sizeof *l);
        link_init(l, SLIDING_SECOND, 20000, 0);
        l->granted = windows[i];
        l->says = REFUSED_WINDOW;
        l->jitter_us = 0;
        run(l, SECOND, 3 * SECOND);
        assert_int_equal(l->pacing.window.value, windows[i]);
        assert_int_equal(l->pacing.rate.value, 20000);
        uint64_t before = l->taken;
        run(l, 3 * SECOND, 63 * SECOND);
        assert_true(l->refused * 100 < l->taken - before);
        assert_true((l->taken - before) * 100 >= 60 * 1000 / 6 * windows[i] * 95);
        free(l->taken_at);
        free(l);
    }
}

static void test_new_settings_keep_what_was_found(void **state)
{
    (void)state;
    struct pacing *p = malloc(sizeof *p);
    pacing_init(p, 100, 10, true);
    pacing_refused(p, REFUSED_RATE, SECOND, 1, SECOND);
    assert_false(pacing_turn(p, 1, SECOND));
    (void)pacing_turn(p, 0, SECOND + 1);
    uint32_t found = p->rate.value;
    assert_true(found < 100);
    pacing_configure(p, 200, 20, true);
    assert_int_equal(p->rate.value, found);
    assert_int_equal(p->rate.most, 200);
    pacing_configure(p, 200, 20, false);
    assert_int_equal(p->rate.value, 200);
    pacing_configure(p, 50, 5, true);
    assert_int_equal(p->rate.value, 50);
    assert_int_equal(p->window.value, 5);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settles_at_an_unknown_rate_of_a_sliding_second),
        cmocka_unit_test(test_settles_at_an_unknown_rate_of_a_bucket),
        cmocka_unit_test(test_an_outage_is_no_rate),
        cmocka_unit_test(test_a_window_of_10_and_of_1_is_found),
        cmocka_unit_test(test_new_settings_keep_what_was_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

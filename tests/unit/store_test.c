/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis adapter against a real redis-server, in everything that can happen to one, and against a
 * stand-in that answers with octets no Redis sends. What must hold each time: every check is answered
 * once, and known only when Redis said so. */
#include <event2/event.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/store.h"
#include "consent/store_command.h"
#include "consent/store_reply.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/number.h"
#include "tests/unit/redis_server.h"
#include "tests/unit/verdict.h"

#define BUCKETS     1024u
#define NUMBER      12025550100ull
#define PATIENCE_US (60 * US_PER_S) /* of a busy machine: what comes at all comes in milliseconds */

static struct redis_server redis;

/* ---- What the owner of a store sees ---- */

struct world {
    struct event_base *base;
    struct store *store;
    size_t ups, downs;
    uint64_t applied;
    char why[256];
    uint8_t answers[STORE_CHECKS_MAX]; /* times answered, by cookie */
    size_t answered, by_verdict[4];
    bool need_opt_in[STORE_CHECKS_MAX]; /* as asked, by cookie */
    struct check_result last;
    size_t answered_at_write; /* checks answered when the newest write was acknowledged */
    size_t writes;
    uint64_t sequence;
    bool added;
    size_t added_count;
    size_t lookups;
    bool lookup_ok;
    struct consent_state state;
    size_t scopes;
    uint16_t scope;
    size_t beats;
    struct nodes_look look;
    size_t onces;
    enum once_answer once;
    size_t readings, notice_count;
    struct notice notices[NOTICES_READ];
    bool more;
};

static struct world world;

static void on_up(void *context, uint64_t applied)
{
    struct world *w = context;
    w->ups++;
    w->applied = applied;
}

static void on_down(void *context, const char *why)
{
    struct world *w = context;
    w->downs++;
    snprintf(w->why, sizeof w->why, "%s", why);
}

static void on_checked(void *context, const struct check_result *results, size_t count)
{
    struct world *w = context;
    for (size_t i = 0; i < count; i++) {
        assert_true(results[i].cookie < STORE_CHECKS_MAX);
        w->answers[results[i].cookie]++;
        w->by_verdict[verdict_of(&results[i], w->need_opt_in[results[i].cookie])]++;
    }
    w->answered += count;
    w->last = results[count - 1];
}

static void on_written(void *context, uint64_t sequence, bool added)
{
    struct world *w = context;
    assert_true(sequence > w->sequence);
    w->writes++;
    w->sequence = sequence;
    w->added = added;
    w->added_count += added;
    w->answered_at_write = w->answered;
}

static void on_looked_up(void *context, uint64_t cookie, bool ok, const struct consent_state *state)
{
    struct world *w = context;
    assert_int_equal(cookie, 77);
    w->lookups++;
    w->lookup_ok = ok;
    w->state = *state;
}

static void on_scope(void *context, uint64_t cookie, uint16_t number)
{
    struct world *w = context;
    assert_int_equal(cookie, 88);
    w->scopes++;
    w->scope = number;
}

static void on_once(void *context, uint64_t cookie, enum once_answer answer)
{
    struct world *w = context;
    assert_int_equal(cookie, 99);
    w->onces++;
    w->once = answer;
}

static void on_beaten(void *context, const struct nodes_look *look)
{
    struct world *w = context;
    w->beats++;
    w->look = look ? *look : (struct nodes_look){0};
}

static void on_noticed(void *context, const struct notice *notices, size_t count, bool more)
{
    struct world *w = context;
    w->readings++;
    w->notice_count = count;
    w->more = more;
    if (count > 0)
        memcpy(w->notices, notices, count * sizeof *notices);
}

static void open_world_at(const char *url, const char *password)
{
    static const struct store_handlers handlers = {.up = on_up,
                                                   .down = on_down,
                                                   .checked = on_checked,
                                                   .written = on_written,
                                                   .looked_up = on_looked_up,
                                                   .scope_resolved = on_scope,
                                                   .once_answered = on_once,
                                                   .beaten = on_beaten,
                                                   .noticed = on_noticed};
    struct store_config config = {
        .url = url, .password = password, .node = "gw1", .buckets = BUCKETS};
    memset(&world, 0, sizeof world);
    world.base = event_base_new();
    world.store = store_new(world.base, &config, &handlers, &world);
    assert_non_null(world.store);
}

static void close_world(void)
{
    store_free(world.store);
    event_base_free(world.base);
}

#define RUN_UNTIL(condition)                                                                       \
    do {                                                                                           \
        uint64_t give_up_us = clock_mono_us() + PATIENCE_US;                                       \
        while (!(condition)) {                                                                     \
            assert_true(clock_mono_us() < give_up_us);                                             \
            run_for_ms(1);                                                                         \
        }                                                                                          \
    } while (0)

static void run_for_ms(uint64_t ms)
{
    struct timeval time = {.tv_usec = (suseconds_t)(ms * US_PER_MS)};
    event_base_loopexit(world.base, &time);
    event_base_dispatch(world.base);
}

static void open_world(void)
{
    open_world_at(redis.url, NULL);
    RUN_UNTIL(world.ups == 1);
}

static struct check make_check(uint64_t cookie, uint64_t number, bool need_opt_in)
{
    world.need_opt_in[cookie] = need_opt_in;
    return (struct check){.cookie = cookie,
                          .number = number,
                          .scopes = {0, 3, 9},
                          .scope_count = 3,
                          .need_opt_in = need_opt_in,
                          .opt_in_scope = 9};
}

static void ask_many(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct check check = make_check(i, NUMBER + i % 97, i % 2);
        assert_true(store_check(world.store, &check));
    }
    store_flush(world.store);
}

static struct check_result ask_facts(struct check check)
{
    size_t before = world.answered;
    assert_true(store_check(world.store, &check));
    store_flush(world.store);
    RUN_UNTIL(world.answered == before + 1);
    assert_int_equal(world.last.cookie, check.cookie);
    return world.last;
}

static enum verdict ask(struct check check)
{
    struct check_result result = ask_facts(check);
    return verdict_of(&result, check.need_opt_in);
}

static void put(struct consent_write write)
{
    size_t before = world.writes;
    assert_true(store_write(world.store, &write));
    store_flush(world.store);
    RUN_UNTIL(world.writes == before + 1);
}

static int flush_redis(void **state)
{
    (void)state;
    kill(redis.pid, SIGCONT); /* a test that failed may have left it stopped */
    assert_string_equal(redis_server_say(&redis, "FLUSHALL"), "+OK\r\n");
    return 0;
}

/* ---- Verdicts and writes ---- */

static void verdicts_follow_the_sets(void **state)
{
    (void)state;
    static const uint16_t scopes[] = {0, 3, 9};
    open_world();
    for (unsigned mask = 0; mask < 16; mask++) {
        uint64_t number = NUMBER + mask;
        for (unsigned i = 0; i < 3; i++)
            if (mask & 1u << i)
                put((struct consent_write){.kind = WRITE_OPT_OUT,
                                           .sequence = world.sequence + 1,
                                           .number = number,
                                           .scopes = {scopes[i]},
                                           .scope_count = 1});
        if (mask & 8)
            put((struct consent_write){.kind = WRITE_OPT_IN,
                                       .sequence = world.sequence + 1,
                                       .number = number,
                                       .scopes = {9},
                                       .scope_count = 1});
        for (int need = 0; need < 2; need++) {
            struct check_result result = ask_facts(make_check(mask, number, need));
            enum verdict expected = mask & 7              ? VERDICT_OPTED_OUT
                                    : need && !(mask & 8) ? VERDICT_NO_OPT_IN
                                                          : VERDICT_PASS;
            assert_int_equal(verdict_of(&result, need), expected);
            assert_int_equal(result.denied, mask & 7);
            assert_int_equal(result.opted_in, need && mask & 8);
        }
    }
    close_world();
}

static void every_count_of_scopes_is_asked_as_it_is(void **state)
{
    (void)state;
    open_world();
    put((struct consent_write){
        .kind = WRITE_OPT_OUT, .sequence = 1, .number = NUMBER, .scopes = {9}, .scope_count = 1});
    for (uint8_t count = 1; count <= 3; count++) {
        struct check check = make_check(1, NUMBER, false);
        check.scope_count = count;
        assert_int_equal(ask(check), count == 3 ? VERDICT_OPTED_OUT : VERDICT_PASS);
    }
    close_world();
}

static void writes_are_idempotent_and_say_what_was_new(void **state)
{
    (void)state;
    redis_server_say(&redis, "SET assent:incarnation the-same");
    open_world();
    struct consent_write write = {
        .kind = WRITE_OPT_OUT, .sequence = 1, .number = NUMBER, .scopes = {0, 3}, .scope_count = 2};
    put(write);
    assert_true(world.added);
    write.sequence = 2;
    put(write);
    assert_false(world.added);
    write = (struct consent_write){.kind = WRITE_LIFT_OPT_OUT,
                                   .sequence = 3,
                                   .number = NUMBER,
                                   .scopes = {0, 3},
                                   .scope_count = 2};
    put(write);
    assert_int_equal(ask(make_check(1, NUMBER, false)), VERDICT_PASS);
    assert_string_equal(redis_server_say(&redis, "GET assent:incarnation"), "$8\r\nthe-same\r\n");
    assert_string_equal(redis_server_say(&redis, "HGET assent:applied gw1"),
                        "$10\r\n3 the-same\r\n");
    put((struct consent_write){.kind = WRITE_POSITION, .sequence = 18446744073709551615ull});
    assert_string_equal(redis_server_say(&redis, "HGET assent:applied gw1"),
                        "$29\r\n18446744073709551615 the-same\r\n");
    close_world();
}

static void an_opt_out_leaves_the_opt_in_for_start(void **state)
{
    (void)state;
    open_world();
    struct consent_write write = {
        .kind = WRITE_OPT_IN, .sequence = 1, .number = NUMBER, .scopes = {9}, .scope_count = 1};
    put(write);
    write.kind = WRITE_OPT_OUT;
    write.sequence = 2;
    put(write);
    assert_int_equal(ask(make_check(1, NUMBER, true)), VERDICT_OPTED_OUT);
    write.kind = WRITE_LIFT_OPT_OUT;
    write.sequence = 3;
    put(write);
    assert_int_equal(ask(make_check(1, NUMBER, true)), VERDICT_PASS);
    close_world();
}

/* A START that was taken before an opt-out at another gateway, and comes to Redis after it. */
static void a_start_lifts_nothing_that_came_after_it(void **state)
{
    (void)state;
    open_world();
    struct consent_write stop = {.kind = WRITE_OPT_OUT,
                                 .sequence = 1,
                                 .number = NUMBER,
                                 .scopes = {0, 3},
                                 .scope_count = 2,
                                 .taken_wall_ms = 2000,
                                 .written_wall_ms = 3000};
    struct consent_write start = stop;
    start.kind = WRITE_LIFT_OPT_OUT;
    put(stop);
    stop.sequence = 2;
    stop.taken_wall_ms = 1000; /* an older one, written again: the newest counts */
    put(stop);
    for (start.taken_wall_ms = 1999; start.taken_wall_ms <= 2001; start.taken_wall_ms++) {
        start.sequence = ++stop.sequence;
        put(start);
        assert_int_equal(world.added, start.taken_wall_ms > 2000);
        assert_int_equal(ask(make_check(1, NUMBER, false)),
                         start.taken_wall_ms > 2000 ? VERDICT_PASS : VERDICT_OPTED_OUT);
    }
    close_world();
}

/* Each scope has its own time. */
static void a_start_lifts_the_scopes_that_it_came_after(void **state)
{
    (void)state;
    open_world();
    struct consent_write stop = {.kind = WRITE_OPT_OUT,
                                 .sequence = 1,
                                 .number = NUMBER,
                                 .scopes = {3},
                                 .scope_count = 1,
                                 .taken_wall_ms = 1000,
                                 .written_wall_ms = 3000};
    struct consent_write later = stop, start = stop;
    later.scopes[0] = 4;
    later.taken_wall_ms = 2000;
    later.sequence = 2;
    put(stop);
    put(later);
    start.kind = WRITE_LIFT_OPT_OUT;
    start.scopes[1] = 4;
    start.scope_count = 2;
    start.taken_wall_ms = 1500;
    start.sequence = 3;
    put(start);
    assert_false(world.added); /* not all of it */
    struct check check = make_check(1, NUMBER, false);
    check.scope_count = 1;
    check.scopes[0] = 3;
    assert_int_equal(ask(check), VERDICT_PASS);
    check.scopes[0] = 4;
    assert_int_equal(ask(check), VERDICT_OPTED_OUT);
    close_world();
}

/* When nobody knows any more when the opt-out was taken, a START that is as old lifts nothing. */
static void an_old_start_lifts_what_is_known_alone(void **state)
{
    (void)state;
    open_world();
    struct consent_write stop = {.kind = WRITE_OPT_OUT,
                                 .sequence = 1,
                                 .number = NUMBER,
                                 .scopes = {3},
                                 .scope_count = 1,
                                 .taken_wall_ms = 1000,
                                 .written_wall_ms = 1000};
    struct consent_write start = stop;
    start.kind = WRITE_LIFT_OPT_OUT;
    start.taken_wall_ms = 2000;
    put(stop);
    start.written_wall_ms = start.taken_wall_ms + 3 * STOP_TIMES_MS;
    start.sequence = 2;
    put(start);
    assert_int_equal(ask(make_check(1, NUMBER, false)), VERDICT_OPTED_OUT);
    stop.written_wall_ms = start.written_wall_ms; /* from the ledger into a Redis that lost it */
    stop.sequence = 3;
    put(stop);
    start.sequence = 4;
    put(start);
    assert_true(world.added);
    assert_int_equal(ask(make_check(1, NUMBER, false)), VERDICT_PASS);
    close_world();
}

static void put_many(uint64_t first, uint64_t number, size_t count)
{
    struct consent_write write = {.kind = WRITE_OPT_OUT, .scopes = {5}, .scope_count = 1};
    for (size_t i = 0; i < count; i++) {
        write.sequence = first + i;
        write.number = number + i;
        assert_true(store_write(world.store, &write));
    }
}

/* One more than a batch holds, and two of them were there: each write has its own answer, the last one
 * is the position. */
static void writes_share_a_batch(void **state)
{
    (void)state;
    open_world();
    put_many(1, NUMBER + 3, 1);
    put_many(2, NUMBER + STORE_BATCH_WRITES, 1);
    store_flush(world.store);
    RUN_UNTIL(world.writes == 2);
    put_many(10, NUMBER, STORE_BATCH_WRITES + 1);
    store_flush(world.store);
    RUN_UNTIL(world.writes == 2 + STORE_BATCH_WRITES + 1);
    assert_int_equal(world.added_count, 2 + STORE_BATCH_WRITES - 1);
    assert_int_equal(world.sequence, 10 + STORE_BATCH_WRITES);
    close_world();
    open_world();
    assert_int_equal(world.applied, 10 + STORE_BATCH_WRITES);
    close_world();
}

static void put_shared(uint64_t sequence, uint64_t number, uint8_t scopes, uint16_t day)
{
    struct consent_write write = {.kind = WRITE_OPT_OUT,
                                  .sequence = sequence,
                                  .number = number,
                                  .scopes = {5},
                                  .scope_count = scopes,
                                  .day = day};
    for (uint16_t i = 1; i < scopes; i++)
        write.scopes[i] = (uint16_t)(20 + i);
    assert_true(store_write(world.store, &write));
}

static uint64_t next_of_bucket(uint64_t number, uint32_t bucket)
{
    while (store_bucket(number, BUCKETS) != bucket)
        number++;
    return number;
}

/* Opt-outs of one bucket are one command up to its limit; what asks for more goes by itself, and each is there. */
static void opt_outs_of_a_bucket_share_a_command(void **state)
{
    (void)state;
    open_world();
    uint32_t bucket = store_bucket(NUMBER, BUCKETS);
    uint64_t numbers[STORE_BATCH_WRITES];
    size_t count = 0;
    redis_server_say(&redis, "CONFIG RESETSTAT");
    for (uint64_t at = NUMBER; count < 8; at = numbers[count++] + 1)
        numbers[count] = next_of_bucket(at, bucket);
    for (size_t i = 0; i < 6; i++)
        put_shared(1 + i, numbers[i], 1 + 15 * (i > 3), 0); /* 4 and 32 members */
    put_shared(7, numbers[6], WRITE_SCOPES_MAX, 0);         /* 52 */
    put_shared(8, numbers[7], WRITE_SCOPES_MAX, 0);         /* 68 would be too many */
    put_shared(9, next_of_bucket(NUMBER, bucket ^ 1), 1, 0);
    put_shared(10, numbers[0], 1, 0); /* its bucket again, and there already */
    put_shared(11, numbers[1], 1, 20000);
    put_shared(12, numbers[2], 1, 0);
    store_flush(world.store);
    RUN_UNTIL(world.writes == 12);
    assert_int_equal(world.sequence, 12);
    assert_int_equal(world.added_count, 3);
    assert_string_equal(redis_server_say(&redis,
                                         "EVAL \"return tonumber(redis.call('INFO', 'commandstats')"
                                         ":match('sadd:calls=(%d+)'))\" 0"),
                        ":6\r\n");
    char text[64];
    snprintf(text, sizeof text, "SCARD optout:{%u}", bucket);
    assert_string_equal(redis_server_say(&redis, text), ":68\r\n");
    close_world();
}

/* What is asked between two writes ends their batch, so that it sees the one and not the other. */
static void a_question_ends_a_batch(void **state)
{
    (void)state;
    open_world();
    struct check check = make_check(1, NUMBER + 1, false);
    check.scopes[0] = 5;
    put_many(1, NUMBER, 1);
    assert_true(store_check(world.store, &check));
    put_many(2, NUMBER + 1, 1);
    check.cookie = 2;
    assert_true(store_check(world.store, &check));
    store_flush(world.store);
    RUN_UNTIL(world.answered == 2 && world.writes == 2);
    assert_int_equal(world.by_verdict[VERDICT_PASS], 1);
    assert_int_equal(world.by_verdict[VERDICT_OPTED_OUT], 1);
    assert_int_equal(world.answered_at_write, 1);
    close_world();
}

/* A batch that cannot be carried out leaves nothing behind, not even the writes that could be. */
static void a_refused_batch_leaves_nothing(void **state)
{
    (void)state;
    open_world();
    redis_server_say(&redis, "CONFIG SET maxmemory 1");
    struct consent_write lift = {.kind = WRITE_LIFT_OPT_OUT,
                                 .sequence = 1,
                                 .number = NUMBER,
                                 .scopes = {5},
                                 .scope_count = 1};
    put_many(1, NUMBER, 1);
    lift.sequence = 2;
    assert_true(store_write(world.store, &lift));
    store_flush(world.store);
    RUN_UNTIL(world.downs >= 1);
    assert_memory_equal(world.why, "OOM", 3);
    assert_int_equal(world.writes, 0);
    redis_server_say(&redis, "CONFIG SET maxmemory 0");
    RUN_UNTIL(world.ups == 2);
    assert_int_equal(world.applied, 0);
    close_world();
}

/* The day goes with the member it is of. */
static void a_day_is_kept_with_its_member(void **state)
{
    (void)state;
    open_world();
    put((struct consent_write){.kind = WRITE_OPT_IN,
                               .sequence = 1,
                               .number = NUMBER,
                               .scopes = {17},
                               .scope_count = 1,
                               .day = 20778});
    char command[128];
    snprintf(command, sizeof command, "HGET days:{%u} %llu", store_bucket(NUMBER, BUCKETS),
             (unsigned long long)consent_key(17, NUMBER));
    assert_string_equal(redis_server_say(&redis, command), "$5\r\n20778\r\n");
    static const uint16_t later[][2] = {{20777, 20778}, {20779, 20779}, {9999, 20779}};
    for (size_t i = 0; i < 3; i++) { /* the newest stays, whatever is written last */
        put((struct consent_write){.kind = WRITE_OPT_IN,
                                   .sequence = 2 + i,
                                   .number = NUMBER,
                                   .scopes = {17},
                                   .scope_count = 1,
                                   .day = later[i][0]});
        char expected[16];
        snprintf(expected, sizeof expected, "$5\r\n%u\r\n", later[i][1]);
        assert_string_equal(redis_server_say(&redis, command), expected);
    }
    close_world();
}

/* Three checks, a write, three checks in one turn: the first three see the set before the write and
 * are answered before it is acknowledged. */
static void a_write_is_acknowledged_after_the_checks_before_it(void **state)
{
    (void)state;
    open_world();
    struct consent_write write = {
        .kind = WRITE_OPT_OUT, .sequence = 1, .number = NUMBER, .scopes = {0}, .scope_count = 1};
    for (uint64_t i = 0; i < 6; i++) {
        struct check check = make_check(i, NUMBER, false);
        assert_true(store_check(world.store, &check));
        if (i == 2)
            assert_true(store_write(world.store, &write));
    }
    store_flush(world.store);
    RUN_UNTIL(world.answered == 6);
    assert_int_equal(world.answered_at_write, 3);
    assert_int_equal(world.by_verdict[VERDICT_PASS], 3);
    assert_int_equal(world.by_verdict[VERDICT_OPTED_OUT], 3);
    close_world();
}

static enum once_answer once(enum once_kind kind, uint64_t number, uint64_t ttl_ms)
{
    struct once question = {
        .cookie = 99, .kind = kind, .scope = 9, .number = number, .ttl_ms = ttl_ms};
    size_t before = world.onces;
    assert_true(store_once(world.store, &question));
    store_flush(world.store);
    RUN_UNTIL(world.onces == before + 1);
    return world.once;
}

static void only_the_first_is_first(void **state)
{
    (void)state;
    open_world();
    assert_int_equal(once(ONCE_HELP, NUMBER, 60000), ONCE_OURS);
    assert_int_equal(once(ONCE_HELP, NUMBER, 60000), ONCE_KEPT);
    char command[160];
    snprintf(command, sizeof command, "SET once:{%u}:help:%llu another",
             store_bucket(NUMBER, BUCKETS), (unsigned long long)consent_key(9, NUMBER));
    redis_server_say(&redis, command);
    assert_int_equal(once(ONCE_HELP, NUMBER, 60000), ONCE_TAKEN);
    assert_int_equal(once(ONCE_QUESTION, NUMBER, 30), ONCE_OURS);
    assert_int_equal(once(ONCE_HELP, NUMBER + 1, 60000), ONCE_OURS);
    run_for_ms(60);
    assert_int_equal(once(ONCE_QUESTION, NUMBER, 0), ONCE_OURS);
    kill(redis.pid, SIGSTOP);
    assert_int_equal(once(ONCE_HELP, NUMBER + 2, 60000), ONCE_UNKNOWN);
    assert_false(store_once(world.store, &(struct once){.number = NUMBER}));
    kill(redis.pid, SIGCONT);
    close_world();
}

/* ---- Beats ---- */

static const struct nodes_look *beat_as(const struct beat *beat)
{
    size_t before = world.beats;
    assert_true(store_beat(world.store, beat));
    store_flush(world.store);
    RUN_UNTIL(world.beats == before + 1);
    return &world.look;
}

static const struct nodes_look *beat(uint64_t number)
{
    struct beat b = {
        .joins = true, .self = {.beat = number, .state = NODE_LIVE}, .forget = "", .clear = ""};
    return beat_as(&b);
}

static void write_position(uint64_t sequence)
{
    put((struct consent_write){.kind = WRITE_POSITION, .sequence = sequence});
}

static void a_beat_shows_all_nodes_at_one_instant(void **state)
{
    (void)state;
    redis_server_say(&redis, "SET assent:incarnation the-same");
    open_world();
    struct beat only_looks = {.forget = "", .clear = ""};
    assert_int_equal(beat_as(&only_looks)->self.beat, 0);
    uint64_t history = world.look.history;
    assert_true(history != 0);
    write_position(41);
    redis_server_say(&redis, "HSET assent:nodes gw2 \"70 00000000000000ff o\" stray nonsense");
    redis_server_say(&redis, "HSET assent:applied gw2 \"17 another\"");
    beat(99);
    assert_int_equal(look_find(&world.look, "gw2")->applied, 0); /* of other data */
    redis_server_say(&redis, "HSET assent:applied gw2 \"17 the-same\"");
    assert_int_equal(beat(100)->self.beat, 99); /* as before this beat */
    assert_int_equal(beat(101)->self.beat, 100);
    assert_int_equal(world.look.self.applied, 41);
    assert_int_equal(world.look.history, history);
    assert_int_equal(world.look.count, 1);
    const struct node_fact *other = look_find(&world.look, "gw2");
    assert_non_null(other);
    assert_int_equal(other->state, NODE_LEFT);
    assert_int_equal(other->confirmed, 255);
    assert_int_equal(other->applied, 17);
    beat_as(&(struct beat){.forget = "gw2", .clear = ""});
    other = look_find(&world.look, "gw2");
    assert_int_equal(other->state, NODE_GONE);
    assert_int_equal(other->confirmed, history);
    beat_as(&(struct beat){.forget = "", .clear = "gw2"});
    assert_null(look_find(&world.look, "gw2"));
    assert_string_equal(redis_server_say(&redis, "HGET assent:applied gw2"), "$-1\r\n");
    close_world();
}

/* The connection ends, and the next one finds another history. */
static void assert_lost(const char *why, uint64_t history)
{
    struct beat b = {.joins = true, .self = {.beat = 200}, .forget = "", .clear = ""};
    size_t ups = world.ups;
    assert_true(store_beat(world.store, &b));
    store_flush(world.store);
    RUN_UNTIL(world.ups == ups + 1);
    assert_string_equal(world.why, why);
    assert_int_equal(world.look.history, 0); /* the beat was answered "away" */
    beat(201);
    assert_true(world.look.history != history);
}

static void lost_writes_end_the_connection(void **state)
{
    (void)state;
    open_world();
    write_position(41);
    uint64_t history = beat(100)->history;
    redis_server_say(&redis, "FLUSHALL");
    assert_lost("Redis has been emptied or restored while it ran", history);
    write_position(42);
    history = beat(202)->history;
    redis_server_say(&redis, "HDEL assent:applied gw1");
    assert_lost("Redis has lost writes that it had acknowledged", history);
    history = beat(203)->history;
    redis_server_say(&redis, "DEL assent:nodes");
    assert_int_equal(beat(204)->history, history);
    redis_server_say(&redis, "SET assent:nodes spoiled");
    struct beat b = {.joins = true, .self = {.beat = 205}, .forget = "", .clear = ""};
    assert_true(store_beat(world.store, &b));
    store_flush(world.store);
    RUN_UNTIL(strstr(world.why, "WRONGTYPE") != NULL);
    close_world();
}

static void a_restarted_redis_has_another_history(void **state)
{
    (void)state;
    redis_server_say(&redis, "SET assent:incarnation the-same");
    open_world();
    uint64_t history = beat(100)->history;
    assert_int_equal(beat(101)->history, history);
    size_t downs = world.downs;
    redis_server_say(&redis, "CLIENT KILL TYPE normal");
    RUN_UNTIL(world.downs >= downs + 1);
    RUN_UNTIL(store_is_up(world.store));
    assert_int_equal(beat(102)->history, history); /* only the connection was lost */
    redis_server_kill(&redis);
    redis_server_start(&redis, NULL);
    RUN_UNTIL(world.downs >= downs + 2);
    RUN_UNTIL(store_is_up(world.store));
    redis_server_say(&redis, "SET assent:incarnation the-same");
    assert_lost("Redis has been emptied or restored while it ran", history);
    close_world();
}

/* ---- Emptied under a living connection ---- */

static struct consent_write opt_out_of(uint64_t sequence, uint64_t number)
{
    return (struct consent_write){.kind = WRITE_OPT_OUT,
                                  .sequence = sequence,
                                  .number = number,
                                  .scopes = {9},
                                  .scope_count = 1};
}

static void no_check_is_believed_of_an_emptied_redis(void **state)
{
    (void)state;
    open_world();
    put(opt_out_of(1, NUMBER));
    assert_int_equal(ask(make_check(1, NUMBER, false)), VERDICT_OPTED_OUT);
    redis_server_say(&redis, "FLUSHALL");
    assert_int_equal(ask(make_check(2, NUMBER, false)), VERDICT_UNKNOWN);
    assert_string_equal(world.why, "Redis has been emptied or restored while it ran");
    RUN_UNTIL(world.ups == 2);
    assert_int_equal(world.applied, 0);
    close_world();
}

/* Nor is a write: the position that it left there belongs to data that are gone. */
static void no_write_is_acknowledged_by_an_emptied_redis(void **state)
{
    (void)state;
    open_world();
    put(opt_out_of(1, NUMBER));
    redis_server_say(&redis, "FLUSHALL");
    struct consent_write write = opt_out_of(50, NUMBER + 1);
    assert_true(store_write(world.store, &write));
    store_flush(world.store);
    RUN_UNTIL(world.downs >= 1);
    assert_int_equal(world.writes, 1);
    assert_string_equal(world.why, "Redis has been emptied or restored while it ran");
    RUN_UNTIL(world.ups == 2);
    assert_int_equal(world.applied, 0);
    close_world();
}

#define FLUSHED_ROUNDS 30

/* Under load, flushed at any moment: who has opted out is never said to pass. */
/* As its owner does: what a lost connection took is written again. */
static void put_again(struct consent_write write)
{
    size_t before = world.writes;
    while (world.writes == before) {
        RUN_UNTIL(store_is_up(world.store));
        assert_true(store_write(world.store, &write));
        store_flush(world.store);
        RUN_UNTIL(world.writes > before || !store_is_up(world.store));
    }
}

static void flushed_under_load(void **state)
{
    (void)state;
    size_t asked = 0, sequence = 0;
    open_world();
    for (unsigned round = 1; round <= FLUSHED_ROUNDS; round++) {
        for (unsigned i = 0; i < 97; i++)
            put_again(opt_out_of(++sequence, NUMBER + i));
        RUN_UNTIL(store_is_up(world.store));
        size_t downs = world.downs; /* a busy machine may have closed more than we emptied */
        ask_many(20000);
        asked += 20000;
        for (unsigned i = 0; i < round; i++)
            event_base_loop(world.base, EVLOOP_NONBLOCK);
        assert_string_equal(redis_server_say(&redis, "FLUSHALL"), "+OK\r\n");
        if (store_is_up(world.store)) {
            ask_many(20000);
            asked += 20000;
        }
        RUN_UNTIL(world.answered == asked && world.downs > downs);
        RUN_UNTIL(store_is_up(world.store));
        world.sequence = 0;
    }
    assert_int_equal(world.by_verdict[VERDICT_PASS] + world.by_verdict[VERDICT_NO_OPT_IN], 0);
    assert_true(world.by_verdict[VERDICT_OPTED_OUT] > 0 && world.by_verdict[VERDICT_UNKNOWN] > 0);
    close_world();
}

/* ---- Notices ---- */

static size_t read_notices(void)
{
    size_t before = world.readings;
    assert_true(store_notices(world.store));
    store_flush(world.store);
    RUN_UNTIL(world.readings == before + 1);
    return world.notice_count;
}

static void notices_of_others_are_read_once(void **state)
{
    (void)state;
    open_world();
    assert_int_equal(read_notices(), 0);
    put((struct consent_write){.kind = WRITE_OPT_OUT,
                               .sequence = 41,
                               .number = NUMBER,
                               .scopes = {16, SCOPE_MAX},
                               .scope_count = 2,
                               .taken_wall_ms = 1800000000000ull,
                               .written_wall_ms = 1800000000000ull,
                               .notice = true});
    put((struct consent_write){
        .kind = WRITE_OPT_OUT, .sequence = 42, .number = NUMBER, .scopes = {17}, .scope_count = 1});
    assert_string_equal(redis_server_say(&redis, "XLEN assent:notices"), ":1\r\n");
    assert_string_not_equal(redis_server_say(&redis, "PTTL assent:notices"), ":-1\r\n");
    assert_int_equal(read_notices(), 0); /* ours */
    redis_server_say(&redis, "XADD assent:notices * gw2 \"7 12025550123 16 0\"");
    redis_server_say(&redis, "XADD assent:notices * gw2 \"7 12025550123\"");
    redis_server_say(&redis, "XADD assent:notices * gw2 nonsense");
    assert_int_equal(read_notices(), 1);
    assert_false(world.more);
    assert_string_equal(world.notices[0].node, "gw2");
    assert_int_equal(world.notices[0].sequence, 7);
    assert_int_equal(world.notices[0].number, 12025550123ull);
    assert_int_equal(world.notices[0].scope_count, 2);
    assert_int_equal(world.notices[0].scopes[0], 16);
    assert_int_equal(read_notices(), 0);
    for (int i = 0; i < NOTICES_READ; i++)
        redis_server_say(&redis, "XADD assent:notices * gw3 \"9 12025550124 16\"");
    assert_int_equal(read_notices(), NOTICES_READ);
    assert_true(world.more);
    assert_int_equal(read_notices(), 0);
    size_t downs = world.downs;
    redis_server_say(&redis, "CLIENT KILL TYPE normal");
    RUN_UNTIL(world.downs >= downs + 1);
    RUN_UNTIL(store_is_up(world.store));
    assert_true(read_notices() > 0); /* from the beginning */
    redis_server_say(&redis, "DEL assent:notices");
    redis_server_say(&redis, "XADD assent:notices * gw2 x gw3 y");
    assert_true(store_notices(world.store));
    store_flush(world.store);
    RUN_UNTIL(strcmp(world.why, "assent:notices in Redis is not understood") == 0);
    assert_int_equal(world.notice_count, 0);
    redis_server_say(&redis, "DEL assent:notices");
    close_world();
}

/* Sixty-four STOPs in one MULTI, each with its time and its notice: the longest EXEC. */
static void a_full_batch_may_have_notices(void **state)
{
    (void)state;
    open_world();
    size_t before = world.writes;
    for (uint64_t i = 1; i <= STORE_BATCH_WRITES; i++) {
        struct consent_write write = {.kind = WRITE_OPT_OUT,
                                      .sequence = 100 + i,
                                      .number = NUMBER + i,
                                      .scopes = {16},
                                      .scope_count = 1,
                                      .taken_wall_ms = 1800000000000ull,
                                      .written_wall_ms = 1800000000000ull,
                                      .notice = true};
        assert_true(store_write(world.store, &write));
    }
    store_flush(world.store);
    RUN_UNTIL(world.writes == before + STORE_BATCH_WRITES);
    assert_string_equal(redis_server_say(&redis, "XLEN assent:notices"), ":64\r\n");
    close_world();
}

static void look_up(void)
{
    static const uint16_t scopes[] = {0, 3, 9};
    size_t before = world.lookups;
    assert_true(store_lookup(world.store, 77, NUMBER, scopes, 3, 9));
    store_flush(world.store);
    RUN_UNTIL(world.lookups == before + 1);
}

static void a_pending_question_is_kept_for_its_time(void **state)
{
    (void)state;
    open_world();
    struct consent_write write = {.kind = WRITE_PENDING,
                                  .sequence = 1,
                                  .number = NUMBER,
                                  .scopes = {9},
                                  .scope_count = 1,
                                  .request = 4711,
                                  .asked_wall_ms = 1234567,
                                  .asker = "gw1 Corner Shop",
                                  .expires_wall_ms = clock_wall_ms() + 60000};
    for (size_t i = 0; i < 32; i++)
        write.token_sha256[i] = (uint8_t)(i * 9);
    look_up();
    assert_true(world.lookup_ok && !world.state.pending);
    put(write);
    look_up();
    assert_true(world.lookup_ok && world.state.pending && !world.state.opt_in);
    assert_int_equal(world.state.request, 4711);
    assert_memory_equal(world.state.token_sha256, write.token_sha256, 32);
    assert_int_equal(world.state.asked_wall_ms, 1234567);
    assert_int_equal(world.state.expires_wall_ms, write.expires_wall_ms);
    assert_string_equal(world.state.asker, "gw1 Corner Shop");

    write.sequence++;
    write.kind = WRITE_DROP_PENDING;
    put(write);
    look_up();
    assert_false(world.state.pending);

    write.sequence++;
    write.kind = WRITE_PENDING;
    write.asked_wall_ms++;
    write.expires_wall_ms = 0;
    put(write);
    look_up();
    assert_false(world.state.pending);

    write.sequence++;
    write.expires_wall_ms = clock_wall_ms() + 60000;
    put(write);
    write.sequence++;
    write.kind = WRITE_OPT_IN;
    put(write);
    write.sequence++;
    write.kind = WRITE_OPT_OUT;
    write.scopes[0] = 3;
    put(write);
    look_up();
    assert_true(world.lookup_ok && !world.state.pending && world.state.opt_in);
    assert_true(!world.state.opted_out[0] && world.state.opted_out[1] && !world.state.opted_out[2]);
    close_world();
}

/* After a failover each gateway writes its records again, and those of one may be older than a question that the
 * other has asked since. */
static void what_was_asked_later_stays(void **state)
{
    (void)state;
    open_world();
    struct consent_write question = {.kind = WRITE_PENDING,
                                     .sequence = 1,
                                     .number = NUMBER,
                                     .scopes = {9},
                                     .scope_count = 1,
                                     .request = 7,
                                     .asked_wall_ms = 2000,
                                     .asker = "gw2 12025550100",
                                     .expires_wall_ms = clock_wall_ms() + 60000};
    struct consent_write older = question, end = question;
    older.request = 6;
    older.asked_wall_ms = 1999;
    put(question);
    older.sequence = ++question.sequence;
    put(older);
    look_up();
    assert_int_equal(world.state.request, 7);
    static const enum consent_write_kind ends[] = {WRITE_DROP_PENDING, WRITE_OPT_IN};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        end.kind = ends[i];
        end.asked_wall_ms = question.asked_wall_ms - 1;
        end.sequence = ++question.sequence;
        put(end);
        look_up();
        assert_true(world.state.pending);
        end.asked_wall_ms = question.asked_wall_ms;
        end.sequence = ++question.sequence;
        put(end);
        look_up();
        assert_false(world.state.pending);
        question.sequence++;
        question.asked_wall_ms++;
        put(question);
    }
    close_world();
}

/* The gateway that asked may write its question again after the one that was told NO has done so. */
static void a_declined_question_does_not_come_back(void **state)
{
    (void)state;
    open_world();
    struct consent_write question = {.kind = WRITE_PENDING,
                                     .sequence = 1,
                                     .number = NUMBER,
                                     .scopes = {9},
                                     .scope_count = 1,
                                     .request = 7,
                                     .asked_wall_ms = 2000,
                                     .asker = "gw2 12025550100",
                                     .expires_wall_ms = clock_wall_ms() + 60000};
    struct consent_write no = question;
    no.kind = WRITE_DROP_PENDING;
    put(no);
    look_up();
    assert_true(world.lookup_ok && !world.state.pending);
    question.sequence = 2;
    put(question);
    look_up();
    assert_true(world.lookup_ok && !world.state.pending);
    question.sequence = 3;
    question.asked_wall_ms = 2001; /* another one may be asked, and stays */
    put(question);
    no.sequence = 4;
    put(no);
    look_up();
    assert_true(world.lookup_ok && world.state.pending);
    assert_int_equal(world.state.asked_wall_ms, 2001);
    close_world();
}

static void a_pending_value_of_somebody_else_is_not_understood(void **state)
{
    (void)state;
    open_world();
    char command[160];
    snprintf(command, sizeof command, "SET pending:{%u}:%llu 12x", store_bucket(NUMBER, BUCKETS),
             (unsigned long long)consent_key(9, NUMBER));
    redis_server_say(&redis, command);
    look_up();
    assert_false(world.lookup_ok);
    assert_int_equal(world.downs, 0);
    close_world();
}

/* ---- Scopes ---- */

static uint16_t resolve(const char *name)
{
    size_t before = world.scopes;
    assert_true(store_resolve_scope(world.store, 88, name));
    store_flush(world.store);
    RUN_UNTIL(world.scopes == before + 1);
    return world.scope;
}

static void scope_numbers_stay_and_never_meet(void **state)
{
    (void)state;
    open_world();
    uint16_t acme = resolve("brand:Acme");
    assert_true(acme >= SCOPES_RESERVED && acme <= SCOPE_MAX);
    assert_int_equal(resolve("brand:Acme"), acme);
    assert_int_not_equal(resolve("brand:Acme Bank"), acme);

    /* Somebody has its number and the next: it gets the one after. */
    redis_server_say(&redis, "DEL assent:scopes");
    uint16_t second = acme == SCOPE_MAX ? SCOPES_RESERVED : acme + 1,
             third = second == SCOPE_MAX ? SCOPES_RESERVED : second + 1;
    char command[96];
    snprintf(command, sizeof command, "HSET assent:scopes %u x %u y", acme, second);
    redis_server_say(&redis, command);
    assert_int_equal(resolve("brand:Acme"), third);
    assert_int_equal(resolve("brand:Acme"), third);

    struct consent_write write = {.kind = WRITE_SCOPE,
                                  .sequence = 1,
                                  .scopes = {17},
                                  .scope_count = 1,
                                  .name = "program:offers"};
    put(write);
    assert_string_equal(redis_server_say(&redis, "HGET assent:scopes 17"),
                        "$14\r\nprogram:offers\r\n");
    close_world();
}

/* ---- Redis away, in every way ---- */

static void assert_all_answered_once(size_t count)
{
    assert_int_equal(world.answered, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(world.answers[i], 1);
}

static void a_killed_redis_answers_every_check_once(void **state)
{
    (void)state;
    open_world();
    put((struct consent_write){.kind = WRITE_POSITION, .sequence = 41});
    kill(redis.pid, SIGSTOP); /* so that all of them are in flight */
    ask_many(20000);
    static const uint16_t scope = 0;
    assert_true(store_lookup(world.store, 77, NUMBER, &scope, 1, 9));
    assert_true(store_resolve_scope(world.store, 88, "brand:Acme"));
    store_flush(world.store);
    redis_server_kill(&redis);
    RUN_UNTIL(world.downs >= 1);
    assert_all_answered_once(20000);
    assert_int_equal(world.by_verdict[VERDICT_UNKNOWN], 20000);
    assert_true(world.lookups == 1 && !world.lookup_ok && world.scopes == 1 && world.scope == 0);
    assert_false(store_is_up(world.store));
    struct check check = make_check(1, NUMBER, false);
    assert_false(store_check(world.store, &check));

    /* One reason more (nobody listens), not one a try. */
    RUN_UNTIL(world.downs >= 2);
    run_for_ms(300);
    assert_int_equal(world.downs, 2);
    redis_server_start(&redis, NULL);
    RUN_UNTIL(world.ups == 2);
    assert_int_equal(world.applied, 0); /* it came back empty */
    assert_int_equal(ask(make_check(30000, NUMBER, false)), VERDICT_PASS);
    close_world();
}

static void a_redis_killed_at_work_answers_every_check_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 8; round++) {
        open_world();
        ask_many(5000);
        for (unsigned i = 0; i < round; i++)
            event_base_loop(world.base, EVLOOP_NONBLOCK);
        redis_server_kill(&redis);
        RUN_UNTIL(world.downs >= 1);
        assert_all_answered_once(5000);
        assert_int_equal(world.by_verdict[VERDICT_PASS] + world.by_verdict[VERDICT_NO_OPT_IN] +
                             world.by_verdict[VERDICT_UNKNOWN],
                         5000);
        close_world();
        redis_server_start(&redis, NULL);
    }
}

static void the_position_survives_a_lost_connection(void **state)
{
    (void)state;
    open_world();
    assert_int_equal(world.applied, 0);
    put((struct consent_write){.kind = WRITE_POSITION, .sequence = 41});
    redis_server_say(&redis, "CLIENT KILL TYPE normal SKIPME yes");
    RUN_UNTIL(world.ups == 2);
    assert_int_equal(world.downs, 1);
    assert_int_equal(world.applied, 41);
    close_world();
}

static void a_stopped_redis_meets_the_deadline(void **state)
{
    (void)state;
    open_world();
    kill(redis.pid, SIGSTOP);
    uint64_t begin_us = clock_mono_us();
    ask_many(100);
    RUN_UNTIL(world.downs >= 1);
    uint64_t took_ms = (clock_mono_us() - begin_us) / US_PER_MS;
    assert_true(took_ms >= STORE_DEADLINE_MS);
    assert_all_answered_once(100);
    assert_int_equal(world.by_verdict[VERDICT_UNKNOWN], 100);
    assert_string_equal(world.why, "no answer within 250 ms");
    kill(redis.pid, SIGCONT);
    RUN_UNTIL(world.ups == 2);
    close_world();
}

/* It was this process that slept: the answers have come, and they count. */
static void a_slow_turn_of_ours_is_no_fault_of_redis(void **state)
{
    (void)state;
    open_world();
    ask_many(300);
    usleep((STORE_DEADLINE_MS + 200) * 1000);
    RUN_UNTIL(world.answered == 300);
    assert_int_equal(world.by_verdict[VERDICT_UNKNOWN], 0);
    assert_int_equal(world.downs, 0);
    close_world();
}

static void a_password_is_needed_and_given(void **state)
{
    (void)state;
    redis_server_say(&redis, "CONFIG SET requirepass opensesame");
    open_world_at(redis.url, NULL);
    RUN_UNTIL(world.downs >= 1);
    assert_memory_equal(world.why, "NOAUTH", 6);
    run_for_ms(100);
    assert_int_equal(world.downs, 1);
    close_world();
    open_world_at(redis.url, "wrong");
    RUN_UNTIL(world.downs >= 1);
    assert_memory_equal(world.why, "WRONGPASS", 9);
    close_world();
    open_world_at(redis.url, "opensesame");
    RUN_UNTIL(world.ups == 1);
    assert_int_equal(world.downs, 0);
    close_world();
    redis_server_kill(&redis);
    redis_server_start(&redis, NULL);
}

static void a_replica_is_not_asked(void **state)
{
    (void)state;
    redis_server_say(&redis, "REPLICAOF 127.0.0.1 1");
    open_world_at(redis.url, NULL);
    RUN_UNTIL(world.downs >= 1);
    assert_memory_equal(world.why, "READONLY", 8);
    redis_server_say(&redis, "REPLICAOF NO ONE");
    RUN_UNTIL(world.ups == 1);
    /* Made one while we are connected: the first write finds out. */
    redis_server_say(&redis, "REPLICAOF 127.0.0.1 1");
    struct consent_write write = {.kind = WRITE_POSITION, .sequence = 1};
    assert_true(store_write(world.store, &write));
    store_flush(world.store);
    RUN_UNTIL(world.downs >= 2);
    assert_memory_equal(world.why, "READONLY", 8);
    assert_int_equal(world.writes, 0);
    redis_server_say(&redis, "REPLICAOF NO ONE");
    close_world();
}

static void a_full_redis_takes_no_write_and_still_answers(void **state)
{
    (void)state;
    open_world();
    redis_server_say(&redis, "CONFIG SET maxmemory 1");
    struct consent_write write = {
        .kind = WRITE_OPT_OUT, .sequence = 1, .number = NUMBER, .scopes = {0}, .scope_count = 1};
    assert_true(store_write(world.store, &write));
    store_flush(world.store);
    RUN_UNTIL(world.downs >= 1);
    assert_memory_equal(world.why, "OOM", 3);
    assert_int_equal(world.writes, 0);
    RUN_UNTIL(world.ups == 2);
    assert_int_equal(ask(make_check(1, NUMBER, false)), VERDICT_PASS);
    redis_server_say(&redis, "CONFIG SET maxmemory 0");
    put(write);
    assert_true(world.added);
    close_world();
}

/* A bucket that is no set: that check is unknown, the others are answered. */
static void a_spoiled_bucket_harms_its_own_checks_only(void **state)
{
    (void)state;
    open_world();
    char command[64];
    snprintf(command, sizeof command, "SET optin:{%u} x", store_bucket(NUMBER, BUCKETS));
    redis_server_say(&redis, command);
    assert_int_equal(ask(make_check(1, NUMBER, true)), VERDICT_UNKNOWN);
    assert_int_equal(ask(make_check(2, NUMBER, false)), VERDICT_PASS);
    assert_int_not_equal(store_bucket(NUMBER + 1, BUCKETS), store_bucket(NUMBER, BUCKETS));
    assert_int_equal(ask(make_check(3, NUMBER + 1, true)), VERDICT_NO_OPT_IN);
    assert_int_equal(world.downs, 0);
    close_world();
}

static void other_buckets_are_refused(void **state)
{
    (void)state;
    redis_server_say(&redis, "SET assent:buckets 4096");
    open_world_at(redis.url, NULL);
    RUN_UNTIL(world.downs >= 1);
    assert_string_equal(world.why, "bucket count 4096 in Redis, 1024 configured");
    close_world();
}

static void a_loading_redis_is_waited_for(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        char command[32];
        snprintf(command, sizeof command, "SET k%d v", i);
        redis_server_say(&redis, command);
    }
    assert_string_equal(redis_server_say(&redis, "SAVE"), "+OK\r\n");
    redis_server_kill(&redis);
    static const char *const slow[] = {"--key-load-delay", "10000",
                                       "--loading-process-events-interval-bytes", "1024", NULL};
    redis_server_start(&redis, slow);
    open_world_at(redis.url, NULL);
    RUN_UNTIL(world.ups == 1);
    assert_int_equal(world.downs, 1);
    assert_true(memcmp(world.why, "LOADING", 7) == 0 || memcmp(world.why, "no answer", 9) == 0);
    close_world();
    redis_server_kill(&redis);
    redis_server_start(&redis, NULL);
}

static void a_redis_that_may_evict_is_refused(void **state)
{
    (void)state;
    redis_server_say(&redis, "CONFIG SET maxmemory-policy allkeys-lru");
    redis_server_say(&redis, "CONFIG SET maxmemory 1gb");
    open_world_at(redis.url, NULL);
    RUN_UNTIL(world.downs >= 1);
    assert_string_equal(
        world.why, "Redis may evict opt-outs: maxmemory-policy is allkeys-lru, set noeviction");
    redis_server_say(&redis, "CONFIG SET maxmemory-policy noeviction");
    RUN_UNTIL(world.ups == 1);
    assert_null(strstr(store_warnings(world.store), "evict"));
    redis_server_say(&redis, "CONFIG SET maxmemory 0");
    close_world();
}

static void what_redis_may_lose_is_warned_of(void **state)
{
    (void)state;
    redis_server_say(&redis, "CONFIG SET maxmemory-policy allkeys-lru");
    redis_server_say(&redis, "CONFIG SET set-max-intset-entries 100");
    open_world();
    const char *warnings = store_warnings(world.store);
    assert_non_null(strstr(warnings, "allkeys-lru, set noeviction")); /* it has no maxmemory */
    assert_non_null(strstr(warnings, "set appendonly yes"));
    assert_non_null(strstr(warnings, "set-max-intset-entries is 100"));
    assert_non_null(strstr(warnings, "set 512"));
    close_world();

    redis_server_kill(&redis);
    static const char *const good[] = {"--appendonly", "yes", NULL};
    redis_server_start(&redis, good);
    open_world();
    assert_string_equal(store_warnings(world.store), "");
    close_world();
    /* A user that may not read the configuration. */
    redis_server_say(&redis, "ACL SETUSER default -config");
    open_world();
    assert_non_null(strstr(store_warnings(world.store), "cannot check maxmemory-policy"));
    close_world();
    redis_server_kill(&redis);
    redis_server_start(&redis, NULL);
}

static void full_means_refused(void **state)
{
    (void)state;
    open_world();
    kill(redis.pid, SIGSTOP);
    struct check check = make_check(0, NUMBER, true);
    for (uint64_t i = 0; i < STORE_CHECKS_MAX; i++) {
        check.cookie = i;
        assert_true(store_check(world.store, &check));
    }
    assert_false(store_check(world.store, &check));
    /* The longest command: STORE_OUTPUT_MAX has room for as many as may be in flight. */
    struct consent_write write = {
        .kind = WRITE_OPT_OUT, .number = 999999999999999, .scope_count = WRITE_SCOPES_MAX};
    for (uint16_t i = 0; i < WRITE_SCOPES_MAX; i++)
        write.scopes[i] = (uint16_t)(16383 - i);
    uint64_t taken = 0;
    while (write.sequence = taken + 1, store_write(world.store, &write))
        taken++;
    assert_true(taken <= STORE_OTHERS_MAX);
    assert_true(taken + STORE_OTHERS_MAX / STORE_BATCH_WRITES >= STORE_OTHERS_MAX);
    store_flush(world.store);
    RUN_UNTIL(world.downs >= 1);
    assert_all_answered_once(STORE_CHECKS_MAX);
    kill(redis.pid, SIGCONT);
    RUN_UNTIL(world.ups == 2);
    close_world();
}

static void many_small_batches_are_refused_too(void **state)
{
    (void)state;
    open_world();
    kill(redis.pid, SIGSTOP);
    struct check check = make_check(0, NUMBER, true);
    for (uint64_t i = 0; i < STORE_MARKS_MAX; i++) {
        check.cookie = i;
        assert_true(store_check(world.store, &check));
        store_flush(world.store);
    }
    assert_false(store_check(world.store, &check));
    RUN_UNTIL(world.downs >= 1);
    assert_all_answered_once(STORE_MARKS_MAX);
    kill(redis.pid, SIGCONT);
    RUN_UNTIL(world.ups == 2);
    close_world();
}

/* More than the socket takes at once: what is left waits for it. */
static void a_large_batch_is_answered_whole(void **state)
{
    (void)state;
    open_world();
    ask_many(10000);
    RUN_UNTIL(world.answered == 10000);
    assert_int_equal(world.by_verdict[VERDICT_PASS], 5000);
    assert_int_equal(world.by_verdict[VERDICT_NO_OPT_IN], 5000);
    close_world();
}

/* Redis answers the first half of a check whose second half waits for the socket. Checks of other
 * lengths before it put the cut elsewhere each time. */
static void a_check_cut_in_two_is_answered(void **state)
{
    (void)state;
    unsigned asked = 0;
    open_world();
    for (unsigned i = 0; i < 20; i++) {
        kill(redis.pid, SIGSTOP);
        for (unsigned j = 0; j < i; j++) {
            struct check check = make_check(j, NUMBER, false);
            assert_true(store_check(world.store, &check));
        }
        ask_many(5000);
        asked += 5000 + i;
        kill(redis.pid, SIGCONT);
        nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL); /* it works off what has left */
        RUN_UNTIL(world.answered == asked);
        if (world.downs > 0) /* a busy machine may be late, and nothing else */
            assert_non_null(strstr(world.why, "no answer within"));
        RUN_UNTIL(world.ups > world.downs);
    }
    close_world();
}

static void tcp_and_its_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "redis://",
                                      "unix://relative",
                                      "http://localhost",
                                      "redis://h:/1",
                                      "redis://h:1x",
                                      "redis://h/x",
                                      "redis://[::1"};
    struct event_base *base = event_base_new();
    struct store_handlers none = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct store_config config = {.url = bad[i], .node = "gw1", .buckets = BUCKETS};
        assert_null(store_new(base, &config, &none, NULL));
    }
    event_base_free(base);

    char port[16], command[64], url[64];
    snprintf(port, sizeof port, "%d", 20000 + (int)(getpid() % 20000));
    snprintf(command, sizeof command, "CONFIG SET port %s", port);
    assert_string_equal(redis_server_say(&redis, command), "+OK\r\n");
    snprintf(url, sizeof url, "redis://localhost:%s/3", port);
    open_world_at(url, NULL);
    RUN_UNTIL(world.ups == 1);
    assert_int_equal(ask(make_check(1, NUMBER, false)), VERDICT_PASS);
    assert_non_null(strstr(redis_server_say(&redis, "INFO keyspace"), "db3:"));
    close_world();
    redis_server_say(&redis, "CONFIG SET port 0");
}

static void nobody_listens(void **state)
{
    (void)state;
    open_world_at("unix:///nonexistent/assent.sock", NULL);
    RUN_UNTIL(world.downs >= 1);
    assert_string_equal(world.why, "no such file or directory");
    run_for_ms(200);
    assert_int_equal(world.downs, 1);
    close_world();
}

/* ---- A stand-in that says what no Redis says ---- */

struct stand_in {
    struct redis_server place; /* folder and socket only */
    pid_t pid;
};

struct script {
    const char *after_greeting; /* sent with the last answer of the handshake, or NULL */
    const char *to_check;       /* sent for each command after it */
};

static const char *greeting_answer(const char *command)
{
    if (strstr(command, "SMISMEMBER"))
        return NULL; /* the mark is read behind it */
    if (strstr(command, "assent:incarnation"))
        return "$4\r\nmark\r\n";
    if (strstr(command, "ROLE"))
        return "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
    if (strstr(command, "assent:buckets"))
        return "$4\r\n1024\r\n";
    if (strstr(command, "CONFIG"))
        return "*0\r\n";
    if (strstr(command, "EXISTS"))
        return ":0\r\n";
    if (strstr(command, "INFO"))
        return "$20\r\nrun_id:1\r\nmaster_re:\r\n";
    return strstr(command, "assent:applied") ? "$-1\r\n" : NULL;
}

static void stand_in_talk(int fd, const struct script *script)
{
    char command[4096];
    ssize_t n;
    while ((n = recv(fd, command, sizeof command - 1, 0)) > 0) {
        command[n] = '\0';
        const char *answer = greeting_answer(command);
        if (answer == NULL)
            answer = script->to_check;
        if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
            return;
        if (strstr(command, "assent:applied") && script->after_greeting != NULL &&
            send(fd, script->after_greeting, strlen(script->after_greeting), MSG_NOSIGNAL) < 0)
            return;
    }
}

static void stand_in_begin(struct stand_in *s, const struct script *script)
{
    s->place = (struct redis_server){.folder = "/tmp/assent-redis-XXXXXX"};
    assert_non_null(mkdtemp(s->place.folder));
    snprintf(s->place.socket, sizeof s->place.socket, "%s/sock", s->place.folder);
    snprintf(s->place.url, sizeof s->place.url, "unix://%s", s->place.socket);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", s->place.socket);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            stand_in_talk(fd, script);
            close(fd);
        }
    }
    close(listener);
}

static void stand_in_end(struct stand_in *s)
{
    s->place.pid = s->pid;
    redis_server_end(&s->place);
}

static void octets_of_any_kind_are_unknown(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {NULL, "*2147483647\r\n"},
        {NULL, "*65\r\n:0\r\n"},
        {NULL, "*-2\r\n"},
        {NULL, "$1000000000\r\nabc"},
        {NULL, "$-2\r\n"},
        {NULL, "$3\r\nabcd\r\n"},
        {NULL, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"},
        {NULL, ":0\r\n"},                             /* an integer for an array */
        {NULL, "*2\r\n:0\r\n:0\r\n"},                 /* two for three */
        {NULL, "*4\r\n:0\r\n:0\r\n:0\r\n:0\r\n"},     /* four for three */
        {NULL, "*3\r\n:0\r\n:0\r\n:2\r\n"},           /* no bit */
        {NULL, "*3\r\n:0\r\n:0\r\n$1\r\n0\r\n"},      /* a string among them */
        {NULL, "*3\r\n:0\r\n*1\r\n:0\r\n:0\r\n"},     /* an array among them */
        {NULL, "*3\r\n:0\r\n:0\r\n-WRONGTYPE x\r\n"}, /* an error among them */
        {NULL, "*3\r\n:0\r\n:0\r\n$-1\r\n"},          /* nil among them */
        {NULL, "*-1\r\n"},
        {NULL, "$-1\r\n"},
        {NULL, "+OK\r\n"},
        {NULL, "+QUEUED\r\n"},
        {NULL, "*3\r\n:0\r\n:0\r\n:00\r\n"},
        {NULL, "*3\r\n:0\r\n:0\r\n:0\n\r\n"},
        {NULL, "*3\r\n:0\r\n:0\r\n:99999999999999999999\r\n"},
        {NULL, "HTTP/1.1 400 Bad Request\r\n\r\n"},
        {NULL, "*3\r\n:0\r\n:0"}, /* half, then silence */
        {NULL, ""},               /* silence */
        {NULL, "-LOADING Redis is loading\r\n"},
        {NULL, "-MASTERDOWN Link with MASTER is down\r\n"},
        {NULL, "-CLUSTERDOWN The cluster is down\r\n"},
        {NULL, "-MOVED 3999 127.0.0.1:6381\r\n"},
        {NULL, "-\r\n"},
        {NULL, "%1\r\n+a\r\n:1\r\n"},                      /* RESP3 */
        {NULL, "*3\r\n:0\r\n:0\r\n:0\r\n$5\r\nmarks\r\n"}, /* another mark behind the check */
        {NULL, "*3\r\n:0\r\n:0\r\n:0\r\n$-1\r\n"},         /* none */
        {NULL, "*3\r\n:0\r\n:0\r\n:0\r\n:4\r\n"},
        {NULL, "*3\r\n:0\r\n:0\r\n:0\r\n-OOM x\r\n"},
        {NULL, "*3\r\n:0\r\n:0\r\n:0\r\n"}, /* and silence about the mark */
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct stand_in stand_in;
        stand_in_begin(&stand_in, &scripts[i]);
        open_world_at(stand_in.place.url, NULL);
        RUN_UNTIL(world.ups == 1);
        ask_many(1);
        RUN_UNTIL(world.downs >= 1);
        assert_all_answered_once(1);
        assert_int_equal(world.by_verdict[VERDICT_UNKNOWN], 1);
        assert_true(world.why[0] != '\0');
        close_world();
        stand_in_end(&stand_in);
    }
}

static void an_answer_nobody_asked_for_ends_the_connection(void **state)
{
    (void)state;
    static const struct script script = {"+X\r\n", ""};
    struct stand_in stand_in;
    stand_in_begin(&stand_in, &script);
    open_world_at(stand_in.place.url, NULL);
    RUN_UNTIL(world.downs >= 1);
    assert_string_equal(world.why, "Redis answered what nobody had asked");
    close_world();
    stand_in_end(&stand_in);
}

static void a_surplus_answer_ends_the_connection(void **state)
{
    (void)state;
    static const struct script script = {
        NULL, "*3\r\n:0\r\n:0\r\n:1\r\n$4\r\nmark\r\n*3\r\n:0\r\n:0\r\n:0\r\n"};
    struct stand_in stand_in;
    stand_in_begin(&stand_in, &script);
    open_world_at(stand_in.place.url, NULL);
    RUN_UNTIL(world.ups == 1);
    struct check check = make_check(0, NUMBER, false);
    assert_true(store_check(world.store, &check));
    store_flush(world.store);
    RUN_UNTIL(world.downs >= 1);
    assert_all_answered_once(1);
    assert_int_equal(world.by_verdict[VERDICT_PASS], 0);
    close_world();
    stand_in_end(&stand_in);
}

/* ---- The guard at its limits ---- */

static enum resp measure(const char *text, size_t *ret_length)
{
    const char *why;
    return resp_measure(span_from_string(text), ret_length, &why);
}

static void the_guard_measures_exactly(void **state)
{
    (void)state;
    static const char *const whole[] = {":0\r\n",
                                        ":-9223372036854775807\r\n",
                                        "+\r\n",
                                        "-E\r\n",
                                        "$0\r\n\r\n",
                                        "$-1\r\n",
                                        "*0\r\n",
                                        "*-1\r\n",
                                        "$5\r\na\r\nbc\r\n",
                                        "+a\rb\r\n",
                                        "*2\r\n*2\r\n:1\r\n$1\r\nx\r\n*0\r\n"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        char text[128];
        size_t length = 0, full = strlen(whole[i]);
        snprintf(text, sizeof text, "%s:1\r\n", whole[i]);
        assert_int_equal(measure(text, &length), RESP_WHOLE);
        assert_int_equal(length, full);
        for (size_t cut = 0; cut < full; cut++) {
            const char *why;
            assert_int_equal(resp_measure(span_of(text, cut), &length, &why), RESP_MORE);
        }
    }
}

static void the_guard_bounds_everything(void **state)
{
    (void)state;
    size_t length;
    static char text[STORE_REPLY_MAX * 2];
    snprintf(text, 64, "*%d\r\n", STORE_REPLY_ELEMENTS);
    assert_int_equal(measure(text, &length), RESP_MORE);
    snprintf(text, 64, "*%d\r\n", STORE_REPLY_ELEMENTS + 1);
    assert_int_equal(measure(text, &length), RESP_BAD);
    snprintf(text, 64, "$%u\r\n", STORE_BULK_MAX);
    assert_int_equal(measure(text, &length), RESP_MORE);
    snprintf(text, 64, "$%u\r\n", STORE_BULK_MAX + 1);
    assert_int_equal(measure(text, &length), RESP_BAD);

    memset(text, 'x', 2 * STORE_REPLY_LINE);
    text[0] = '+';
    memcpy(text + STORE_REPLY_LINE, "\r\n", 3);
    assert_int_equal(measure(text, &length), RESP_WHOLE);
    memcpy(text + STORE_REPLY_LINE, "xx\r\n", 5);
    assert_int_equal(measure(text, &length), RESP_BAD);

    char *at = text;
    for (int i = 0; i < STORE_REPLY_DEPTH; i++)
        at += sprintf(at, "*1\r\n");
    sprintf(at, ":1\r\n");
    assert_int_equal(measure(text, &length), RESP_WHOLE);
    sprintf(at, "*1\r\n:1\r\n");
    assert_int_equal(measure(text, &length), RESP_BAD);

    at = text + sprintf(text, "*%d\r\n", STORE_REPLY_ELEMENTS); /* 1 + 264 * 4 values */
    for (int i = 0; i < STORE_REPLY_ELEMENTS; i++)
        at += sprintf(at, "*3\r\n:1\r\n:1\r\n:1\r\n");
    assert_int_equal(measure(text, &length), RESP_BAD);

    at = text + sprintf(text, "*5\r\n"); /* five strings of 60 KiB pass the limit of the whole */
    for (int i = 0; i < 4; i++) {
        at += sprintf(at, "$61440\r\n");
        memset(at, 'x', 61440);
        at += 61440 + sprintf(at + 61440, "\r\n");
    }
    sprintf(at, "$61440\r\n");
    assert_int_equal(measure(text, &length), RESP_BAD);
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

#define WITH_REDIS(test) cmocka_unit_test_setup(test, flush_redis)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guard_measures_exactly),
        cmocka_unit_test(the_guard_bounds_everything),
        WITH_REDIS(verdicts_follow_the_sets),
        WITH_REDIS(every_count_of_scopes_is_asked_as_it_is),
        WITH_REDIS(writes_are_idempotent_and_say_what_was_new),
        WITH_REDIS(an_opt_out_leaves_the_opt_in_for_start),
        WITH_REDIS(a_start_lifts_nothing_that_came_after_it),
        WITH_REDIS(a_start_lifts_the_scopes_that_it_came_after),
        WITH_REDIS(an_old_start_lifts_what_is_known_alone),
        WITH_REDIS(writes_share_a_batch),
        WITH_REDIS(opt_outs_of_a_bucket_share_a_command),
        WITH_REDIS(a_question_ends_a_batch),
        WITH_REDIS(a_refused_batch_leaves_nothing),
        WITH_REDIS(a_day_is_kept_with_its_member),
        WITH_REDIS(a_write_is_acknowledged_after_the_checks_before_it),
        WITH_REDIS(only_the_first_is_first),
        WITH_REDIS(a_beat_shows_all_nodes_at_one_instant),
        WITH_REDIS(notices_of_others_are_read_once),
        WITH_REDIS(a_full_batch_may_have_notices),
        WITH_REDIS(lost_writes_end_the_connection),
        WITH_REDIS(a_restarted_redis_has_another_history),
        WITH_REDIS(no_check_is_believed_of_an_emptied_redis),
        WITH_REDIS(no_write_is_acknowledged_by_an_emptied_redis),
        WITH_REDIS(flushed_under_load),
        WITH_REDIS(a_pending_question_is_kept_for_its_time),
        WITH_REDIS(what_was_asked_later_stays),
        WITH_REDIS(a_declined_question_does_not_come_back),
        WITH_REDIS(a_pending_value_of_somebody_else_is_not_understood),
        WITH_REDIS(scope_numbers_stay_and_never_meet),
        WITH_REDIS(a_killed_redis_answers_every_check_once),
        WITH_REDIS(a_redis_killed_at_work_answers_every_check_once),
        WITH_REDIS(the_position_survives_a_lost_connection),
        WITH_REDIS(a_stopped_redis_meets_the_deadline),
        WITH_REDIS(a_slow_turn_of_ours_is_no_fault_of_redis),
        WITH_REDIS(a_password_is_needed_and_given),
        WITH_REDIS(a_replica_is_not_asked),
        WITH_REDIS(a_full_redis_takes_no_write_and_still_answers),
        WITH_REDIS(a_spoiled_bucket_harms_its_own_checks_only),
        WITH_REDIS(other_buckets_are_refused),
        WITH_REDIS(a_loading_redis_is_waited_for),
        WITH_REDIS(a_redis_that_may_evict_is_refused),
        WITH_REDIS(what_redis_may_lose_is_warned_of),
        WITH_REDIS(full_means_refused),
        WITH_REDIS(many_small_batches_are_refused_too),
        WITH_REDIS(a_large_batch_is_answered_whole),
        WITH_REDIS(a_check_cut_in_two_is_answered),
        WITH_REDIS(tcp_and_its_urls),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(octets_of_any_kind_are_unknown),
        cmocka_unit_test(an_answer_nobody_asked_for_ends_the_connection),
        cmocka_unit_test(a_surplus_answer_ends_the_connection),
    };
    return cmocka_run_group_tests_name("store", tests, begin, end);
}

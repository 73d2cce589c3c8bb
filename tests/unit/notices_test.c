/* SPDX-License-Identifier: Apache-2.0 */
/* Opt-outs that came at another gateway: their notices, and what an engine does with one. */
#include "consent/notice.h"
#include "tests/unit/engine_fixture.h"

#define NUMBER 12025550123ull

static struct world w;

static void a_notice_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct consent_write write = {
        .sequence = UINT64_MAX, .number = (1ull << 50) - 1, .scope_count = WRITE_SCOPES_MAX};
    struct notice notice = {.node = "gw2"};
    char text[NOTICE_VALUE_MAX];
    for (int i = 0; i < WRITE_SCOPES_MAX; i++)
        write.scopes[i] = (uint16_t)(SCOPE_MAX - i);
    size_t length = notice_format(&write, text);
    assert_true(notice_parse(span_of(text, length), &notice));
    assert_string_equal(notice.node, "gw2");
    assert_int_equal(notice.sequence, write.sequence);
    assert_int_equal(notice.number, write.number);
    assert_int_equal(notice.scope_count, WRITE_SCOPES_MAX);
    assert_memory_equal(notice.scopes, write.scopes, sizeof notice.scopes);
    static const char *const bad[] = {
        "",
        "17",
        "17 1",
        "17 1 ",
        "17 1 16 ",
        "17  1 16",
        "0 1 16",
        "17 0 16",
        "17 1 16384",
        "17 1 016",
        "17 1 16x",
        "17 1125899906842624 16",
        "18446744073709551616 1 16",
        "1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(notice_parse(span_from_string(bad[i]), &notice));
}

static void pass_seconds(int seconds, bool with_another)
{
    for (; seconds > 0; seconds--) {
        w.look.count = with_another;
        snprintf(w.look.others[0].name, sizeof w.look.others[0].name, "gw2");
        w.look.others[0].state = NODE_LIVE;
        w.look.others[0].confirmed = w.look.history;
        w.look.others[0].beat++;
        world_pass(&w, 1000);
    }
}

/* The gate is open, and a text waits for tomorrow. */
static void begin(bool with_another)
{
    world_init(&w);
    w.look.others[0].beat = 100;
    world_start(&w);
    pass_seconds(4, with_another);
    Assent__V1__Message message = world_message("offers", ASSENT__V1__CLASS__MARKETING,
                                                "12025550123", "Offers: hello. Reply STOP to end");
    message.send_at_wall_ms = w.now.wall_ms + 24ull * 3600 * 1000;
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
}

static uint64_t scheduled(void)
{
    struct engine_status status;
    engine_status(w.engine, &status);
    return status.scheduled;
}

static void notice_comes(uint64_t number, uint8_t scope_count)
{
    struct notice notice = {.node = "gw2", .sequence = 77, .number = number};
    for (; notice.scope_count < scope_count; notice.scope_count++)
        notice.scopes[notice.scope_count] = (uint16_t)(notice.scope_count + 1);
    engine_on_noticed(w.engine, &notice, 1, false, w.now);
}

/* The newest record. */
static Assent__V1__Event *newest(void)
{
    const struct world_record *r = &w.records[w.next - 1];
    return assent__v1__event__unpack(NULL, r->public_length, r->octets);
}

static void who_is_alone_reads_and_writes_none(void **state)
{
    (void)state;
    begin(false);
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.program = (char *)"offers";
    request.number = (char *)"12025550124";
    engine_opt_out(w.engine, 0, 1, &request, w.now);
    world_settle(&w);
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    assert_false(w.last_write.notice);
    pass_seconds(2, false);
    assert_int_equal(w.notices_asked, 0);
    world_release(&w);
}

static void what_waits_is_cancelled_where_redis_denies_it(void **state)
{
    (void)state;
    begin(true);
    assert_true(w.notices_asked > 0);
    size_t asked = w.notices_asked;
    pass_seconds(1, true);
    assert_int_equal(w.notices_asked, asked); /* one reading at a time */
    notice_comes(NUMBER + 1, 4);
    assert_int_equal(w.lookup_count, 0); /* nobody waits for it */
    notice_comes(NUMBER, 4);
    assert_int_equal(w.lookup_count, 1);
    world_settle(&w);
    assert_int_equal(scheduled(), 1); /* it has been lifted */
    for (size_t i = 0; i < CHECK_SCOPES_MAX; i++)
        w.state.opted_out[i] = true;
    size_t writes = w.next;
    notice_comes(NUMBER, CHECK_SCOPES_MAX + 1);
    assert_int_equal(w.lookup_count, 2);
    world_settle(&w);
    assert_int_equal(scheduled(), 0);
    assert_int_equal(w.next, writes + 1); /* no opt-out, no confirmation */
    Assent__V1__Event *event = newest();
    assert_int_equal(event->body_case, ASSENT__V1__EVENT__BODY_ENDED);
    assert_int_equal(event->ended->reason, ASSENT__V1__REASON__STOP_CANCELLED);
    assert_int_equal(event->ended->cause, 77);
    assert_string_equal(event->ended->node, "gw2");
    assent__v1__event__free_unpacked(event, NULL);
    world_stop(&w);
    world_start(&w); /* the ledger says so too */
    assert_int_equal(scheduled(), 0);
    world_release(&w);
}

static void ours_are_told_to_the_others(void **state)
{
    (void)state;
    begin(true);
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.program = (char *)"offers";
    request.number = (char *)"12025550124";
    engine_opt_out(w.engine, 0, 1, &request, w.now);
    world_settle(&w);
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    assert_true(w.last_write.notice);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_is_read_as_it_was_written),
        cmocka_unit_test(who_is_alone_reads_and_writes_none),
        cmocka_unit_test(what_waits_is_cancelled_where_redis_denies_it),
        cmocka_unit_test(ours_are_told_to_the_others),
    };
    return cmocka_run_group_tests_name("notices", tests, NULL, NULL);
}

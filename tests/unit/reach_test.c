/* SPDX-License-Identifier: Apache-2.0 */
/* What a STOP and a START write, and which scopes deny a message, by class and by reach. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/gate.h"

#define US             "12025550123"
#define BRITISH        "447700900123"
#define DAY_2027_01_31 1801353600000ull

/* Scope numbers are given in the order of the programs, a brand's after its first program's. */
enum { OFFERS = SCOPES_RESERVED + 1, ACME, NEWS, LOGIN, SHOP, CORNER, ALONE, OTHER, ALONE2 };

static struct world w;
static struct program_config programs[WRITE_SCOPES_MAX + 2];

static void program(unsigned at, const char *name, const char *brand, const char *sender,
                    Assent__V1__Class message_class, enum stop_reach reach)
{
    world_program(&programs[at], name, sender);
    snprintf(programs[at].brand, sizeof programs[at].brand, "%s", brand);
    programs[at].classes[message_class] = true;
    programs[at].stop_reach = reach;
}

static void begin(uint16_t count, uint64_t wall_ms)
{
    w.config.programs = programs;
    w.next_scope = SCOPES_RESERVED;
    w.config.program_count = count;
    w.now.wall_ms = wall_ms;
    world_start(&w);
}

static void begin_with_six(uint64_t wall_ms)
{
    world_init(&w);
    program(0, "offers", "Acme", "12025550100", ASSENT__V1__CLASS__MARKETING, REACH_BRAND);
    program(1, "news", "Acme", "12025550101", ASSENT__V1__CLASS__MARKETING, REACH_PROGRAM);
    program(2, "login", "Acme", "12025550102", ASSENT__V1__CLASS__OTP, REACH_BRAND);
    program(3, "shop", "Corner", "12025550103", ASSENT__V1__CLASS__MARKETING, REACH_GLOBAL);
    program(4, "alone", "Other", "12025550104", ASSENT__V1__CLASS__TRANSACTIONAL, REACH_PROGRAM);
    /* The same sender as offers': */
    program(5, "alone2", "Other", "12025550100", ASSENT__V1__CLASS__MARKETING, REACH_PROGRAM);
    begin(6, wall_ms);
}

static void says(const char *number, const char *sender, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1},
                         .destination = {.ton = 1, .npi = 1},
                         .short_message = span_from_string(text)};
    snprintf(out.source.digits, sizeof out.source.digits, "%s", number);
    snprintf(out.destination.digits, sizeof out.destination.digits, "%s", sender);
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static bool has(uint16_t scope)
{
    for (uint8_t i = 0; i < w.last_write.scope_count; i++)
        if (w.last_write.scopes[i] == scope)
            return true;
    return false;
}

static void expect(const uint16_t *scopes)
{
    uint8_t count = 0;
    for (; scopes[count] != UINT16_MAX; count++)
        assert_true(has(scopes[count]));
    assert_int_equal(w.last_write.scope_count, count);
}
#define EXPECT(...) expect((const uint16_t[]){__VA_ARGS__, UINT16_MAX})

static void a_stop_ends_what_the_program_says(void **state)
{
    (void)state;
    begin_with_six(DAY_2027_01_31 - 86400000);
    says(US, "12025550101", "STOP");
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    EXPECT(NEWS);
    says(US, "12025550103", "STOP");
    EXPECT(SCOPE_EVERYTHING);
    says(US, "12025550104", "STOP");
    EXPECT(ALONE);
    says(US, "12025550101", "STOPALL");
    EXPECT(SCOPE_EVERYTHING);
    says(US, "12025550999", "STOP"); /* no sender that is known */
    EXPECT(SCOPE_EVERYTHING);
    world_release(&w);
}

static void to_an_informational_text_it_ends_the_whole_brand(void **state)
{
    (void)state;
    begin_with_six(DAY_2027_01_31 - 86400000);
    says(BRITISH, "12025550102", "STOP");
    EXPECT(ACME, OFFERS, NEWS, LOGIN);
    world_release(&w);
}

static void a_sender_of_several_programs_ends_them_all(void **state)
{
    (void)state;
    begin_with_six(DAY_2027_01_31 - 86400000);
    says(US, "12025550100", "STOP");
    EXPECT(ACME, OFFERS, ALONE2);
    world_release(&w);
}

static void from_its_day_on_one_stop_is_one_to_all_of_the_brand(void **state)
{
    (void)state;
    begin_with_six(DAY_2027_01_31 - 1);
    says(US, "12025550101", "STOP");
    EXPECT(NEWS);
    world_pass(&w, 1);
    says(BRITISH, "12025550101", "STOP");
    EXPECT(NEWS);
    says(US, "12025550101", "STOP");
    EXPECT(ACME, OFFERS, NEWS, LOGIN);
    world_release(&w);
}

static void start_lifts_what_a_stop_there_ends_and_never_a_hold(void **state)
{
    (void)state;
    begin_with_six(DAY_2027_01_31 - 86400000);
    says(US, "12025550102", "START");
    assert_int_equal(w.last_write.kind, WRITE_LIFT_OPT_OUT);
    EXPECT(ACME, OFFERS, NEWS, LOGIN, SCOPE_EVERYTHING, SCOPE_ERASED);
    assert_false(has(SCOPE_HOLD));
    world_release(&w);
}

/* WRITE_SCOPES_MAX scopes fit; one more is everything. */
static void more_than_a_record_holds_is_everything(void **state)
{
    (void)state;
    for (uint16_t count = WRITE_SCOPES_MAX - 1; count <= WRITE_SCOPES_MAX; count++) {
        world_init(&w);
        for (uint16_t i = 0; i < count; i++) {
            char name[16], sender[16];
            snprintf(name, sizeof name, "p%u", i);
            snprintf(sender, sizeof sender, "%u", 1000u + i);
            program(i, name, "Acme", sender, ASSENT__V1__CLASS__OTP, REACH_BRAND);
        }
        begin(count, DAY_2027_01_31);
        says(US, "1000", "STOP");
        bool fits = count + 1u <= WRITE_SCOPES_MAX;
        assert_int_equal(w.last_write.scope_count, fits ? count + 1 : 1);
        assert_int_equal(has(SCOPE_EVERYTHING), !fits);
        world_release(&w);
    }
}

static const struct check *asked(const char *name, Assent__V1__Class message_class)
{
    static struct check check;
    Assent__V1__Message message = world_message(name, message_class, US, "text");
    size_t before = w.submit_count;
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    engine_turn(w.engine, w.now);
    engine_on_durable(w.engine, w.next - 1);
    engine_turn(w.engine, w.now);
    assert_int_equal(w.submit_count, before);
    assert_int_equal(w.check_count, 1);
    check = w.checks[0];
    world_settle(&w);
    return &check;
}

static bool asks(const struct check *check, uint16_t scope)
{
    for (uint8_t i = 0; i < check->scope_count; i++)
        if (check->scopes[i] == scope)
            return true;
    return false;
}

static void a_brand_denies_its_marketing_alone(void **state)
{
    (void)state;
    world_init(&w);
    program(0, "both", "Acme", "1000", ASSENT__V1__CLASS__MARKETING, REACH_BRAND);
    programs[0].classes[ASSENT__V1__CLASS__TRANSACTIONAL] = true;
    begin(1, DAY_2027_01_31);
    world_pass(&w, 1100); /* the first second after a start writes nothing */
    const struct check *check = asked("both", ASSENT__V1__CLASS__MARKETING);
    assert_true(asks(check, SCOPE_EVERYTHING) && asks(check, SCOPE_HOLD));
    assert_true(asks(check, OFFERS) && asks(check, ACME));
    check = asked("both", ASSENT__V1__CLASS__TRANSACTIONAL);
    assert_true(asks(check, SCOPE_EVERYTHING) && asks(check, SCOPE_HOLD));
    assert_true(asks(check, OFFERS)); /* the program's number */
    assert_false(asks(check, ACME));
    world_release(&w);
}

/* Its first part was on the wire and the second asked about when the STOP came; the first is answered, and Redis
 * goes. Nothing of it is left to wait for: when Redis is back, it does not go on. */
static void a_text_stopped_in_its_middle_ends_when_redis_goes(void **state)
{
    (void)state;
    static char text[301];
    memset(text, 'a', sizeof text - 1);
    world_init(&w);
    program(0, "offers", "Acme", "12025550100", ASSENT__V1__CLASS__TRANSACTIONAL, REACH_BRAND);
    w.carrier.rate = 1;
    begin(1, DAY_2027_01_31);
    Assent__V1__Message message =
        world_message("offers", ASSENT__V1__CLASS__TRANSACTIONAL, "+" US, text);
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    w.silent = true;
    for (int i = 0; i < 100 && w.submit_count == 0; i++)
        world_pass(&w, 50);
    w.silent = false;
    w.unanswered = true;
    for (int i = 0; i < 100 && w.check_count == 0; i++)
        world_pass(&w, 50);
    assert_int_equal(w.check_count, 1);
    says(US, "12025550100", "STOP");
    struct pdu_header first = {.command_id = SMPP_SUBMIT_SM,
                               .sequence_number = w.submits[0].sequence_number};
    session_respond(w.peers[0], &first, ESME_ROK, span_from_string("id1"));
    world_settle(&w);
    engine_on_store_down(w.engine, "no answer");
    w.unanswered = false;
    w.verdict = VERDICT_UNKNOWN;
    world_settle(&w);
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    assert_true(engine_query(w.engine, 0, verdict.id, &status));
    assert_string_equal(status.state, "ended");
    engine_on_store_up(w.engine, 0);
    for (int i = 0; i < 100; i++)
        world_pass(&w, 50);
    size_t parts = 0;
    for (size_t i = 0; i < w.submit_count; i++)
        parts += w.submits[i].part > 0;
    assert_int_equal(parts, 1);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_ends_what_the_program_says),
        cmocka_unit_test(to_an_informational_text_it_ends_the_whole_brand),
        cmocka_unit_test(a_sender_of_several_programs_ends_them_all),
        cmocka_unit_test(from_its_day_on_one_stop_is_one_to_all_of_the_brand),
        cmocka_unit_test(start_lifts_what_a_stop_there_ends_and_never_a_hold),
        cmocka_unit_test(more_than_a_record_holds_is_everything),
        cmocka_unit_test(a_brand_denies_its_marketing_alone),
        cmocka_unit_test(a_text_stopped_in_its_middle_ends_when_redis_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

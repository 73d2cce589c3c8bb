/* SPDX-License-Identifier: Apache-2.0 */
/* JOIN, two questions at one sender, and what operators deny: what the engine records, and what it leaves. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/gate.h"

#define NUMBER "12025550123"
#define SENDER "12025550100"

/* Scope numbers are given in the order of the programs, a brand's after its first program's. */
enum { OFFERS = SCOPES_RESERVED + 1, OFFERS_BRAND, LOGIN };

static struct world w;

static void begin(void)
{
    world_init(&w);
    w.next_scope = SCOPES_RESERVED;
    w.programs[0].opt_in = OPT_IN_DOUBLE;
    snprintf(w.programs[0].join[0], sizeof w.programs[0].join[0], "acme");
    w.programs[0].join_count = 1;
    snprintf(w.programs[1].senders[0], sizeof w.programs[1].senders[0], SENDER);
    world_start(&w);
    w.last_write = (struct consent_write){.kind = WRITE_POSITION};
}

static void says(const char *sender, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1, .digits = NUMBER},
                         .destination = {.ton = 1, .npi = 1},
                         .short_message = span_from_string(text)};
    snprintf(out.destination.digits, sizeof out.destination.digits, "%s", sender);
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
    assert_int_equal(w.deliver_status, ESME_ROK);
}

/* How many records of a kind there are; the last one in *ret_last, to be freed, where it is not NULL. */
static unsigned count_of(Assent__V1__Event__BodyCase body, Assent__V1__Event **ret_last)
{
    unsigned count = 0;
    for (uint64_t i = 1; i < w.next; i++) {
        const struct world_record *r = &w.records[i];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        assert_non_null(event);
        bool is = event->body_case == body;
        count += is;
        if (is && ret_last != NULL) {
            if (count > 1)
                assent__v1__event__free_unpacked(*ret_last, NULL);
            *ret_last = event;
        } else {
            assent__v1__event__free_unpacked(event, NULL);
        }
    }
    return count;
}

static unsigned requests(void)
{
    return count_of(ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED, NULL);
}

/* ---- JOIN ---- */

static void join_asks(void **state)
{
    (void)state;
    begin();
    says(SENDER, "Join ACME!");
    Assent__V1__Event *event;
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED, &event), 1);
    assert_string_equal(event->opt_in_requested->rule, "join/acme");
    assert_string_equal(event->opt_in_requested->carrier, "alpha");
    assert_string_equal(event->opt_in_requested->sender, SENDER);
    assent__v1__event__free_unpacked(event, NULL);
    assert_int_equal(w.last_write.kind, WRITE_PENDING);
    assert_int_equal(w.last_write.scopes[0], OFFERS);
    assert_string_equal(w.last_write.asker, "test " SENDER);
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

static void join_asks_nobody_who_is_asked_or_has_agreed(void **state)
{
    (void)state;
    begin();
    w.state = (struct consent_state){
        .pending = true, .expires_wall_ms = w.now.wall_ms + 1, .asker = "other " SENDER};
    says(SENDER, "JOIN ACME");
    assert_int_equal(requests(), 0);
    w.state.expires_wall_ms = w.now.wall_ms; /* its time is over */
    says(SENDER, "JOIN ACME");
    assert_int_equal(requests(), 1);
    world_release(&w);
    begin();
    w.state.opt_in = true;
    says(SENDER, "JOIN ACME");
    assert_int_equal(requests(), 0);
    w.state = (struct consent_state){0};
    w.once = ONCE_TAKEN; /* by another gateway, that very moment */
    says(SENDER, "JOIN ACME");
    assert_int_equal(requests(), 0);
    assert_int_equal(w.submit_count, 0);
    world_release(&w);
}

static void join_takes_back_an_opt_out_and_no_hold(void **state)
{
    (void)state;
    for (unsigned scope = 0; scope < 4; scope++) { /* everything, hold, brand, program */
        begin();
        w.state.opted_out[scope] = true;
        says(SENDER, "JOIN ACME");
        bool hold = scope == 1;
        assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN, NULL), !hold);
        assert_int_equal(requests(), !hold);
        assert_int_equal(w.submit_count, !hold);
        world_release(&w);
    }
}

/* A wish from a day after the number was reassigned is the present owner's; nobody knows of one from that day. */
static void a_new_owner_may_be_asked(void **state)
{
    (void)state;
    static const uint32_t days_since[] = {0, 1};
    for (size_t i = 0; i < 2; i++) {
        begin();
        uint32_t today = (uint32_t)(w.now.wall_ms / (24ull * 3600 * 1000));
        w.facts = (struct check_result){.known = true,
                                        .denied = 16, /* behind everything, hold, brand, program */
                                        .reassigned_day = today - days_since[i]};
        says(SENDER, "JOIN ACME");
        world_pass(&w, 20);
        assert_int_equal(requests(), 1);
        assert_int_equal(w.submit_count, days_since[i]);
        if (days_since[i] == 0) {
            Assent__V1__Event *event;
            assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ENDED, &event), 1);
            assert_int_equal(event->ended->reason, ASSENT__V1__REASON__NUMBER_REASSIGNED);
            assent__v1__event__free_unpacked(event, NULL);
        }
        world_release(&w);
    }
}

/* ---- which question is answered ---- */

static void ask_both(uint64_t offers_ms, const char *offers_asker, uint64_t login_ms)
{
    uint64_t now_ms = w.now.wall_ms;
    w.by_scope = true;
    w.states[OFFERS - SCOPES_RESERVED] = (struct consent_state){.pending = true,
                                                                .request = 11,
                                                                .asked_wall_ms = now_ms - offers_ms,
                                                                .expires_wall_ms = now_ms + 1000};
    snprintf(w.states[OFFERS - SCOPES_RESERVED].asker, ASKER_SIZE, "%s", offers_asker);
    w.states[LOGIN - SCOPES_RESERVED] = (struct consent_state){.pending = true,
                                                               .request = 12,
                                                               .asked_wall_ms = now_ms - login_ms,
                                                               .expires_wall_ms = now_ms + 1000,
                                                               .asker = "test " SENDER};
}

static void confirms(uint32_t scope, uint64_t request, uint32_t open, const char *node)
{
    Assent__V1__Event *event;
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED, &event), 1);
    assert_int_equal(event->program, scope);
    assert_int_equal(event->opt_in_confirmed->request, request);
    assert_int_equal(event->opt_in_confirmed->open_questions, open);
    assert_string_equal(event->opt_in_confirmed->node, node);
    assent__v1__event__free_unpacked(event, NULL);
}

static void of_two_questions_the_newer_is_answered(void **state)
{
    (void)state;
    begin();
    ask_both(500, "other " SENDER, 900);
    says(SENDER, "YES");
    confirms(OFFERS, 11, 2, "other");
    world_release(&w);
    begin();
    ask_both(900, "other " SENDER, 500);
    says(SENDER, "YES");
    confirms(LOGIN, 12, 2, "");
    world_release(&w);
}

static void an_answer_goes_to_the_sender_that_asked(void **state)
{
    (void)state;
    begin();
    ask_both(500, "other 12025550999", 900);
    says(SENDER, "YES");
    confirms(LOGIN, 12, 0, "");
    world_release(&w);
}

static void no_question_is_open_after_its_time(void **state)
{
    (void)state;
    begin();
    ask_both(500, "other " SENDER, 900);
    world_pass(&w, 1000);
    says(SENDER, "YES");
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED, NULL), 0);
    world_release(&w);
}

/* Redis was asked before it had the erasure: the question that it knows of is nobody's any more. */
static void no_question_is_open_to_who_is_erased(void **state)
{
    (void)state;
    begin();
    ask_both(500, "other " SENDER, 900);
    Assent__V1__EraseRequest in = ASSENT__V1__ERASE_REQUEST__INIT;
    in.number = (char *)NUMBER;
    in.request = (char *)"r1";
    engine_erase(w.engine, CLIENT_OPERATOR, 1, &in, w.now);
    w.stuck = true; /* the disk */
    world_settle(&w);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, NULL), 1);
    says(SENDER, "YES");
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED, NULL), 0);
    world_release(&w);
}

/* ---- what operators deny ---- */

static Assent__V1__Code deny(uint16_t client, bool everything, bool hold, const char *evidence)
{
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.number = (char *)NUMBER;
    request.everything = everything;
    request.hold = hold;
    request.evidence = (char *)(uintptr_t)evidence;
    engine_opt_out(w.engine, client, 1, &request, w.now);
    world_settle(&w);
    return w.consent_code;
}

static void operators_deny_without_a_program(void **state)
{
    (void)state;
    begin();
    assert_int_equal(deny(0, true, false, ""), ASSENT__V1__CODE__CODE_PERMISSION_DENIED);
    assert_int_equal(deny(0, false, true, "x"), ASSENT__V1__CODE__CODE_PERMISSION_DENIED);
    assert_int_equal(deny(CLIENT_OPERATOR, false, false, ""),
                     ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_int_equal(deny(CLIENT_OPERATOR, false, true, ""),
                     ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPTED_OUT, NULL), 0);
    static const struct {
        bool everything, hold;
        uint8_t count;
        uint16_t scopes[2];
    } rows[] = {{true, false, 1, {SCOPE_EVERYTHING}},
                {false, true, 1, {SCOPE_HOLD}},
                {true, true, 2, {SCOPE_EVERYTHING, SCOPE_HOLD}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(deny(CLIENT_OPERATOR, rows[i].everything, rows[i].hold, "a letter"),
                         ASSENT__V1__CODE__CODE_OK);
        assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
        assert_int_equal(w.last_write.scope_count, rows[i].count);
        assert_memory_equal(w.last_write.scopes, rows[i].scopes, rows[i].count * sizeof(uint16_t));
    }
    Assent__V1__Event *event;
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPTED_OUT, &event), 3);
    assert_int_equal(event->opted_out->source, ASSENT__V1__CONSENT_SOURCE__OPERATOR);
    assert_int_equal(event->program, 0);
    assent__v1__event__free_unpacked(event, NULL);
    world_stop(&w);
    world_start(&w); /* what the ledger says of no program is read again */
    world_release(&w);
}

static Assent__V1__Code release(const char *number)
{
    Assent__V1__ReleaseRequest request = ASSENT__V1__RELEASE_REQUEST__INIT;
    request.number = (char *)(uintptr_t)number;
    request.reason = (char *)(uintptr_t) "a letter";
    w.consent_code = ASSENT__V1__CODE__CODE_OK;
    engine_release_hold(w.engine, CLIENT_OPERATOR, 1, &request, w.now);
    world_settle(&w);
    return w.consent_code;
}

/* And a second one finds none; a person's own opt-out is none. */
static void a_release_needs_a_hold(void **state)
{
    (void)state;
    begin();
    w.state.opted_out[0] = w.state.opted_out[3] = true; /* everything, and the program */
    assert_int_equal(release(NUMBER), ASSENT__V1__CODE__CODE_NOT_FOUND);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN, NULL), 0);
    w.state.opted_out[1] = true;
    assert_int_equal(release(NUMBER), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.last_write.kind, WRITE_LIFT_OPT_OUT);
    assert_int_equal(w.last_write.scope_count, 1);
    assert_int_equal(w.last_write.scopes[0], SCOPE_HOLD);
    w.state.opted_out[1] = false;
    assert_int_equal(release(NUMBER), ASSENT__V1__CODE__CODE_NOT_FOUND);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN, NULL), 1);
    world_release(&w);
}

static void a_hold_cancels_what_waits(void **state)
{
    (void)state;
    begin();
    Assent__V1__Message message = world_message("login", ASSENT__V1__CLASS__OTP, NUMBER, "1234");
    message.send_at_wall_ms = w.now.wall_ms + 60000;
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(deny(CLIENT_OPERATOR, false, true, "a letter"), ASSENT__V1__CODE__CODE_OK);
    Assent__V1__Event *event;
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ENDED, &event), 1);
    assert_int_equal(event->ended->outcome, ASSENT__V1__OUTCOME__CANCELLED);
    assert_int_equal(event->ended->scope, SCOPE_HOLD);
    assent__v1__event__free_unpacked(event, NULL);
    world_pass(&w, 60000);
    assert_int_equal(w.submit_count, 0);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_asks),
        cmocka_unit_test(join_asks_nobody_who_is_asked_or_has_agreed),
        cmocka_unit_test(join_takes_back_an_opt_out_and_no_hold),
        cmocka_unit_test(a_new_owner_may_be_asked),
        cmocka_unit_test(of_two_questions_the_newer_is_answered),
        cmocka_unit_test(an_answer_goes_to_the_sender_that_asked),
        cmocka_unit_test(no_question_is_open_after_its_time),
        cmocka_unit_test(no_question_is_open_to_who_is_erased),
        cmocka_unit_test(operators_deny_without_a_program),
        cmocka_unit_test(a_release_needs_a_hold),
        cmocka_unit_test(a_hold_cancels_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

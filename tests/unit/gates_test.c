/* SPDX-License-Identifier: Apache-2.0 */
/* Gates through the whole engine: what is asked for which class, what becomes of the answers, and what the
 * ledger keeps of them. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/policy.h"

static struct world w;

/* The last record of a kind. */
static Assent__V1__Event *last_of(Assent__V1__Event__BodyCase body)
{
    for (uint64_t i = w.next; i-- > 1;) {
        const struct world_record *r = &w.records[i];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        assert_non_null(event);
        if (event->body_case == body)
            return event;
        assent__v1__event__free_unpacked(event, NULL);
    }
    fail_msg("no such record");
    return NULL;
}

static uint64_t submit(const char *program, Assent__V1__Class message_class)
{
    Assent__V1__Message message =
        world_message(program, message_class, "13035550100", "Acme: hello. Reply STOP to end");
    struct submit_verdict v = world_submit(&w, 0, &message);
    assert_int_equal(v.code, ASSENT__V1__CODE__CODE_OK);
    return v.id;
}

static void begin(void)
{
    world_init(&w);
    w.next_scope = SCOPES_RESERVED;
    w.facts = (struct check_result){.known = true, .opted_in = true, .cap = CAP_ROOM};
}

static void ends_suppressed(Assent__V1__Reason reason, enum gate gate)
{
    world_pass(&w, 20);
    assert_int_equal(w.submit_count, 0);
    Assent__V1__Event *event = last_of(ASSENT__V1__EVENT__BODY_ENDED);
    assert_int_equal(event->ended->outcome, ASSENT__V1__OUTCOME__SUPPRESSED);
    assert_int_equal(event->ended->reason, reason);
    assert_int_equal(gate_answer_of(event->ended->gates, gate), ANSWER_REFUSED);
    assent__v1__event__free_unpacked(event, NULL);
}

static void what_passed_every_gate_says_so(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    submit("offers", ASSENT__V1__CLASS__MARKETING);
    world_pass(&w, 20);
    assert_int_equal(w.submit_count, 1);
    Assent__V1__Event *event = last_of(ASSENT__V1__EVENT__BODY_SENT);
    uint32_t gates = event->sent->gates;
    assent__v1__event__free_unpacked(event, NULL);
    assert_int_equal(gate_answer_of(gates, GATE_OPT_OUT), ANSWER_PASSED);
    assert_int_equal(gate_answer_of(gates, GATE_OPT_IN), ANSWER_PASSED);
    assert_int_equal(gate_answer_of(gates, GATE_FREQUENCY), ANSWER_EXEMPT);
    assert_int_equal(gate_answer_of(gates, GATE_ORIGIN), ANSWER_EXEMPT); /* nothing is configured */
    assert_int_equal(gate_answer_of(gates, GATE_REGISTRATION), ANSWER_EXEMPT);
    for (int g = 0; g < GATE_COUNT; g++)
        assert_true(gate_answer_of(gates, (enum gate)g) <= ANSWER_PASSED);
    world_release(&w);
}

static void each_denial_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        uint8_t denied; /* by everything, hold, brand, program, in this order */
        Assent__V1__Reason reason;
        enum gate gate;
    } rows[] = {{1, ASSENT__V1__REASON__OPTED_OUT, GATE_OPT_OUT},
                {2, ASSENT__V1__REASON__GLOBAL_HOLD, GATE_HOLD},
                {4, ASSENT__V1__REASON__OPTED_OUT, GATE_OPT_OUT},
                {8, ASSENT__V1__REASON__OPTED_OUT, GATE_OPT_OUT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        w.facts.denied = rows[i].denied;
        world_start(&w);
        submit("offers", ASSENT__V1__CLASS__MARKETING);
        ends_suppressed(rows[i].reason, rows[i].gate);
        world_release(&w);
    }
}

/* everything, hold, program, reassigned: the third is the program's, the brand is not asked. */
static void a_code_asks_nothing_of_the_brand(void **state)
{
    (void)state;
    begin();
    w.facts.opted_in = false;
    w.facts.denied = 4;
    world_start(&w);
    submit("login", ASSENT__V1__CLASS__OTP);
    ends_suppressed(ASSENT__V1__REASON__OPTED_OUT, GATE_OPT_OUT);
    w.facts.denied = 0;
    submit("login", ASSENT__V1__CLASS__OTP);
    world_pass(&w, 20);
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

static void a_new_owner_is_asked_about_once_more(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        begin();
        w.facts.denied = 16; /* behind everything, hold, brand, program */
        w.facts.reassigned_day = 20000;
        w.facts.consent_day = 20000 + (uint32_t)later;
        world_start(&w);
        submit("offers", ASSENT__V1__CLASS__MARKETING);
        if (later == 0) {
            ends_suppressed(ASSENT__V1__REASON__NUMBER_REASSIGNED, GATE_REASSIGNED);
        } else {
            world_pass(&w, 20);
            assert_int_equal(w.submit_count, 1);
        }
        assert_int_equal(engine_metrics(w.engine)->counters[COUNT_CHECKS], 2);
        world_release(&w);
    }
}

static void consent_grows_old(void **state)
{
    (void)state;
    for (int old = 0; old < 3; old++) {
        begin();
        w.programs[0].consent_max_age_ms = 365ull * 24 * 3600 * 1000;
        uint32_t today = (uint32_t)(w.now.wall_ms / (24ull * 3600 * 1000));
        w.facts.consent_day = old == 2 ? 0 : today - 365 - (uint32_t)old; /* 2: of no known day */
        world_start(&w);
        submit("offers", ASSENT__V1__CLASS__MARKETING);
        if (old > 0) {
            ends_suppressed(ASSENT__V1__REASON__CONSENT_TOO_OLD, GATE_CONSENT_AGE);
        } else {
            world_pass(&w, 20);
            assert_int_equal(w.submit_count, 1);
        }
        world_release(&w);
    }
}

/* No copy of the register was ever imported: what it says is not known, so nobody gets marketing. */
static void no_register_is_no_leave(void **state)
{
    (void)state;
    begin();
    w.programs[0].do_not_call = DO_NOT_CALL_REGISTER;
    world_start(&w);
    submit("offers", ASSENT__V1__CLASS__MARKETING);
    ends_suppressed(ASSENT__V1__REASON__DO_NOT_CALL, GATE_DO_NOT_CALL);
    world_release(&w);
}

static void a_cap_is_asked_once(void **state)
{
    (void)state;
    begin();
    w.programs[0].frequency_cap.count = 5;
    w.programs[0].frequency_cap.window_ms = 60000;
    w.facts.cap = CAP_FULL;
    world_start(&w);
    submit("offers", ASSENT__V1__CLASS__MARKETING);
    ends_suppressed(ASSENT__V1__REASON__FREQUENCY_CAP, GATE_FREQUENCY);
    assert_int_equal(engine_metrics(w.engine)->counters[COUNT_CHECKS], 1);
    w.facts.cap = CAP_ROOM;
    submit("offers", ASSENT__V1__CLASS__MARKETING);
    world_pass(&w, 20);
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passed_every_gate_says_so),
        cmocka_unit_test(each_denial_has_its_reason),
        cmocka_unit_test(a_code_asks_nothing_of_the_brand),
        cmocka_unit_test(a_new_owner_is_asked_about_once_more),
        cmocka_unit_test(consent_grows_old),
        cmocka_unit_test(no_register_is_no_leave),
        cmocka_unit_test(a_cap_is_asked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

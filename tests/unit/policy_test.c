/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: the table by purpose, each gate alone, and that what is not known lets nothing through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/policy.h"

#define EVERY_GATE ((1u << GATE_COUNT) - 1)
#define TODAY      20779u /* 2026-11-22 */

/* The table once more, spelled out: M must, C if set, - exempt, 1 once. Columns are marketing,
 * transactional, otp, emergency, confirmation, help, question, welcome. */
static const struct {
    const char *gate, *cells;
    Assent__V1__Reason reason;
} table[GATE_COUNT] = {
    {"origin", "MMMMMMMM", ASSENT__V1__REASON__DO_NOT_ORIGINATE},
    {"registration", "MMMCMMMM", ASSENT__V1__REASON__SENDER_NOT_REGISTERED},
    {"hold", "MMMCCCMM", ASSENT__V1__REASON__GLOBAL_HOLD},
    {"opt_out", "MMM-1-MM", ASSENT__V1__REASON__OPTED_OUT},
    {"opt_in", "M-------", ASSENT__V1__REASON__NO_OPT_IN},
    {"consent_age", "MC----M-", ASSENT__V1__REASON__CONSENT_TOO_OLD},
    {"reassigned", "MMM---MM", ASSENT__V1__REASON__NUMBER_REASSIGNED},
    {"do_not_call", "M-----C-", ASSENT__V1__REASON__DO_NOT_CALL},
    {"quiet_hours", "MC----C-", ASSENT__V1__REASON__QUIET_HOURS},
    {"frequency", "MCC-1111", ASSENT__V1__REASON__FREQUENCY_CAP},
    {"content", "MCCCMMMM", ASSENT__V1__REASON__CONTENT_REFUSED},
};

/* A text that every gate lets through. */
static struct gate_facts good(enum purpose purpose)
{
    return (struct gate_facts){.purpose = purpose,
                               .known = EVERY_GATE,
                               .set = EVERY_GATE,
                               .may_originate = true,
                               .registered = true,
                               .opted_in = true,
                               .today = TODAY,
                               .consent_days_max = 365,
                               .days_known = true,
                               .consent_day = TODAY - 10,
                               .register_day = TODAY - 1};
}

/* Makes one gate refuse, and no other. */
static void spoil(struct gate_facts *f, enum gate gate)
{
    switch (gate) {
    case GATE_ORIGIN:
        f->may_originate = false;
        break;
    case GATE_REGISTRATION:
        f->registered = false;
        break;
    case GATE_HOLD:
        f->denied_by |= DENIED_HOLD;
        break;
    case GATE_OPT_OUT:
        f->denied_by |= DENIED_EVERYTHING;
        break;
    case GATE_OPT_IN:
        f->opted_in = false;
        break;
    case GATE_CONSENT_AGE:
        f->consent_day = TODAY - f->consent_days_max - 1;
        break;
    case GATE_REASSIGNED:
        f->denied_by |= DENIED_REASSIGNED;
        f->reassigned_day = f->consent_day;
        break;
    case GATE_DO_NOT_CALL:
        f->denied_by |= DENIED_DO_NOT_CALL;
        break;
    case GATE_QUIET_HOURS:
        f->quiet_until_wall_ms = 1800000000000u;
        break;
    case GATE_FREQUENCY:
        f->capped = true;
        f->capped_until_wall_ms = 1900000000000u;
        break;
    case GATE_CONTENT:
        f->content_faults = CONTENT_SHORTENER;
        break;
    case GATE_COUNT:
        fail();
    }
}

static void table_is_what_it_should_be(void **state)
{
    (void)state;
    static const char letters[] = {
        [RULE_EXEMPT] = '-', [RULE_MUST] = 'M', [RULE_IF_SET] = 'C', [RULE_ONCE] = '1'};
    for (int g = 0; g < GATE_COUNT; g++) {
        assert_string_equal(gate_name((enum gate)g), table[g].gate);
        assert_int_equal(gate_reason((enum gate)g), table[g].reason);
        for (int p = 0; p < PURPOSE_COUNT; p++)
            assert_int_equal(letters[policy_rule((enum gate)g, (enum purpose)p)],
                             table[g].cells[p]);
    }
}

/* Every cell: what the gate does when its fact is bad, not known, not set, waived. */
static void every_cell_does_what_it_says(void **state)
{
    (void)state;
    for (int p = 0; p < PURPOSE_COUNT; p++)
        for (int g = 0; g < GATE_COUNT; g++) {
            enum gate gate = (enum gate)g;
            char cell = table[g].cells[p];
            struct gate_facts f = good((enum purpose)p);
            assert_int_equal(policy_decide(&f).kind, DECISION_PASS);
            spoil(&f, gate);
            enum gate_answer bad = policy_ask(gate, &f);
            f.known = 0;
            enum gate_answer unknown = policy_ask(gate, &f);
            f.set = 0;
            enum gate_answer not_set = policy_ask(gate, &f);
            f.waived = EVERY_GATE;
            enum gate_answer waived = policy_ask(gate, &f);
            bool strict = !policy_can_waive(gate);
            assert_int_equal(bad, cell == '-'   ? ANSWER_EXEMPT
                                  : cell == '1' ? ANSWER_PASSED
                                                : ANSWER_REFUSED);
            assert_int_equal(unknown, cell == '-'   ? ANSWER_EXEMPT
                                      : cell == '1' ? ANSWER_PASSED
                                                    : ANSWER_UNKNOWN);
            assert_int_equal(not_set, cell == 'M'   ? ANSWER_UNKNOWN
                                      : cell == '1' ? ANSWER_PASSED
                                                    : ANSWER_EXEMPT);
            assert_int_equal(waived, cell == 'M' && strict ? ANSWER_UNKNOWN
                                     : cell == '1'         ? ANSWER_PASSED
                                                           : ANSWER_EXEMPT);
        }
}

static void each_gate_alone_refuses_marketing_with_its_reason(void **state)
{
    (void)state;
    for (int g = 0; g < GATE_COUNT; g++) {
        struct gate_facts f = good(PURPOSE_MARKETING);
        spoil(&f, (enum gate)g);
        struct decision d = policy_decide(&f);
        assert_int_equal(d.kind, g == GATE_QUIET_HOURS ? DECISION_WAIT : DECISION_REFUSE);
        assert_int_equal(d.gate, g);
        assert_int_equal(d.reason, table[g].reason);
        for (int other = 0; other < GATE_COUNT; other++)
            assert_int_equal(gate_answer_of(d.answers, (enum gate)other),
                             other == g ? ANSWER_REFUSED : ANSWER_PASSED);
    }
}

static void what_is_not_known_lets_nothing_through(void **state)
{
    (void)state;
    struct gate_facts nothing = {.purpose = PURPOSE_MARKETING};
    struct decision d = policy_decide(&nothing);
    assert_int_equal(d.kind, DECISION_UNKNOWN);
    assert_int_equal(d.reason, ASSENT__V1__REASON__GATE_AWAY);
    for (int g = 0; g < GATE_COUNT; g++) {
        struct gate_facts f = good(PURPOSE_MARKETING);
        f.known &= ~GATE_BIT(g);
        d = policy_decide(&f);
        assert_int_equal(d.kind, DECISION_UNKNOWN);
        assert_int_equal(gate_answer_of(d.answers, (enum gate)g), ANSWER_UNKNOWN);
    }
    struct gate_facts f = good(PURPOSE_MARKETING);
    f.days_known = false;
    assert_int_equal(policy_ask(GATE_CONSENT_AGE, &f),
                     ANSWER_PASSED); /* its day was asked for alone */
    assert_int_equal(policy_ask(GATE_REASSIGNED, &f), ANSWER_PASSED); /* nothing says it was */
    f.denied_by = DENIED_REASSIGNED;
    assert_int_equal(policy_ask(GATE_REASSIGNED, &f), ANSWER_UNKNOWN);
    f = good(PURPOSE_MARKETING);
    f.today = 0;
    assert_int_equal(policy_ask(GATE_CONSENT_AGE, &f), ANSWER_UNKNOWN);
    assert_int_equal(policy_ask(GATE_DO_NOT_CALL, &f), ANSWER_UNKNOWN);
}

static void refusing_comes_before_not_knowing_and_that_before_waiting(void **state)
{
    (void)state;
    struct gate_facts f = good(PURPOSE_MARKETING);
    spoil(&f, GATE_QUIET_HOURS);
    assert_int_equal(policy_decide(&f).not_before_wall_ms, 1800000000000u);
    f.known &= ~GATE_BIT(GATE_FREQUENCY);
    struct decision d = policy_decide(&f);
    assert_int_equal(d.kind, DECISION_UNKNOWN);
    assert_int_equal(d.not_before_wall_ms, 0);
    spoil(&f, GATE_CONTENT);
    d = policy_decide(&f);
    assert_int_equal(d.kind, DECISION_REFUSE);
    assert_int_equal(d.reason, ASSENT__V1__REASON__CONTENT_REFUSED);
    assert_int_equal(gate_answer_of(d.answers, GATE_FREQUENCY), ANSWER_UNKNOWN);
    spoil(&f, GATE_OPT_OUT); /* the first that refuses is the one told */
    assert_int_equal(policy_decide(&f).reason, ASSENT__V1__REASON__OPTED_OUT);
    f = good(PURPOSE_MARKETING);
    spoil(&f, GATE_FREQUENCY);
    assert_int_equal(policy_decide(&f).not_before_wall_ms, 1900000000000u);
}

static void a_brands_scope_stands_for_its_marketing(void **state)
{
    (void)state;
    static const struct {
        enum purpose purpose;
        const char *by; /* everything, brand, program: denied? */
    } rows[] = {{PURPOSE_MARKETING, "yyy"},    {PURPOSE_QUESTION, "yyy"},
                {PURPOSE_WELCOME, "yyy"},      {PURPOSE_TRANSACTIONAL, "yny"},
                {PURPOSE_OTP, "yny"},          {PURPOSE_EMERGENCY, "nnn"},
                {PURPOSE_CONFIRMATION, "nnn"}, {PURPOSE_HELP, "nnn"}};
    static const uint8_t bits[] = {DENIED_EVERYTHING, DENIED_BRAND, DENIED_PROGRAM};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < 3; j++) {
            struct gate_facts f = good(rows[i].purpose);
            f.denied_by = bits[j];
            assert_int_equal(policy_ask(GATE_OPT_OUT, &f) == ANSWER_REFUSED, rows[i].by[j] == 'y');
            assert_int_equal(policy_ask(GATE_HOLD, &f), ANSWER_PASSED);
        }
}

static void days_are_counted_to_the_edge(void **state)
{
    (void)state;
    struct gate_facts f = good(PURPOSE_MARKETING);
    f.consent_day = TODAY - f.consent_days_max;
    assert_int_equal(policy_ask(GATE_CONSENT_AGE, &f), ANSWER_PASSED);
    f.consent_day--;
    assert_int_equal(policy_ask(GATE_CONSENT_AGE, &f), ANSWER_REFUSED);
    f.consent_day = 0; /* never recorded */
    assert_int_equal(policy_ask(GATE_CONSENT_AGE, &f), ANSWER_REFUSED);

    f.denied_by = DENIED_REASSIGNED;
    f.reassigned_day = 100;
    f.consent_day = 101;
    assert_int_equal(policy_ask(GATE_REASSIGNED, &f), ANSWER_PASSED);
    f.consent_day = 100;
    assert_int_equal(policy_ask(GATE_REASSIGNED, &f), ANSWER_REFUSED);
    f.consent_day = 0;
    assert_int_equal(policy_ask(GATE_REASSIGNED, &f), ANSWER_REFUSED);
    f.consent_day = 101;
    f.reassigned_day = 0; /* in the register, and nobody knows since when */
    assert_int_equal(policy_ask(GATE_REASSIGNED, &f), ANSWER_REFUSED);

    f = good(PURPOSE_MARKETING);
    f.register_day = TODAY - REGISTER_AGE_MAX_DAYS;
    assert_int_equal(policy_ask(GATE_DO_NOT_CALL, &f), ANSWER_PASSED);
    f.register_day--;
    assert_int_equal(policy_ask(GATE_DO_NOT_CALL, &f), ANSWER_REFUSED);
    f.register_day = 0;
    assert_int_equal(policy_ask(GATE_DO_NOT_CALL, &f), ANSWER_REFUSED);
}

static void purposes_follow_class_and_kind(void **state)
{
    (void)state;
    static const struct {
        Assent__V1__Class message_class;
        Assent__V1__ServiceKind service;
        enum purpose purpose;
    } rows[] = {
        {ASSENT__V1__CLASS__MARKETING, 0, PURPOSE_MARKETING},
        {ASSENT__V1__CLASS__TRANSACTIONAL, 0, PURPOSE_TRANSACTIONAL},
        {ASSENT__V1__CLASS__OTP, 0, PURPOSE_OTP},
        {ASSENT__V1__CLASS__EMERGENCY, 0, PURPOSE_EMERGENCY},
        {ASSENT__V1__CLASS__CLASS_UNSPECIFIED, 0, PURPOSE_MARKETING},
        {ASSENT__V1__CLASS__SERVICE, ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION,
         PURPOSE_CONFIRMATION},
        {ASSENT__V1__CLASS__SERVICE, ASSENT__V1__SERVICE_KIND__HELP_REPLY, PURPOSE_HELP},
        {ASSENT__V1__CLASS__SERVICE, ASSENT__V1__SERVICE_KIND__OPT_IN_QUESTION, PURPOSE_QUESTION},
        {ASSENT__V1__CLASS__SERVICE, ASSENT__V1__SERVICE_KIND__WELCOME, PURPOSE_WELCOME},
        {ASSENT__V1__CLASS__SERVICE, ASSENT__V1__SERVICE_KIND__OPT_IN_AGAIN, PURPOSE_WELCOME},
        {ASSENT__V1__CLASS__SERVICE, (Assent__V1__ServiceKind)99, PURPOSE_QUESTION},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(policy_purpose(rows[i].message_class, rows[i].service), rows[i].purpose);
}

static void answers_are_packed_and_replaced(void **state)
{
    (void)state;
    uint32_t answers = 0;
    for (int g = 0; g < GATE_COUNT; g++)
        answers = gate_answers_with(answers, (enum gate)g, (enum gate_answer)(g % 4));
    answers = gate_answers_with(answers, GATE_CONTENT, ANSWER_UNKNOWN);
    answers = gate_answers_with(answers, GATE_CONTENT, ANSWER_PASSED);
    for (int g = 0; g < GATE_CONTENT; g++)
        assert_int_equal(gate_answer_of(answers, (enum gate)g), g % 4);
    assert_int_equal(gate_answer_of(answers, GATE_CONTENT), ANSWER_PASSED);
    assert_string_equal(gate_answer_name(ANSWER_UNKNOWN), "not known");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_what_it_should_be),
        cmocka_unit_test(every_cell_does_what_it_says),
        cmocka_unit_test(each_gate_alone_refuses_marketing_with_its_reason),
        cmocka_unit_test(what_is_not_known_lets_nothing_through),
        cmocka_unit_test(refusing_comes_before_not_knowing_and_that_before_waiting),
        cmocka_unit_test(a_brands_scope_stands_for_its_marketing),
        cmocka_unit_test(days_are_counted_to_the_edge),
        cmocka_unit_test(purposes_follow_class_and_kind),
        cmocka_unit_test(answers_are_packed_and_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

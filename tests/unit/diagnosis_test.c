/* SPDX-License-Identifier: Apache-2.0 */
/* From what became of a text to why, in the order of elimination; and that nobody is left without words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/cli/diagnosis.c"
#include "gateway/cli/diagnosis_texts.c"

#define OUTCOME(name) .ended = true, .outcome = ASSENT__V1__OUTCOME__##name
#define REASON(name)  .reason = ASSENT__V1__REASON__##name
#define HELD(name)    .is_held = true, .held_for = ASSENT__V1__REASON__##name

static const struct {
    struct sending sending;
    enum cause cause;
} rows[] = {
    {{.message = 0}, CAUSE_NEVER_ASKED},
    {{.message = 7}, CAUSE_WAITING},
    {{.message = 7, .send_at_ms = 9}, CAUSE_SCHEDULED},
    {{.message = 7, .send_at_ms = 9, .attempts = 1}, CAUSE_WAITING},
    {{.message = 7, .attempts = 1, HELD(QUIET_HOURS)}, CAUSE_QUIET_HOURS},
    {{.message = 7, .attempts = 1, HELD(GATE_AWAY)}, CAUSE_STORE_AWAY},
    {{.message = 7, .attempts = 1, HELD(THROTTLED)}, CAUSE_WAITING},
    {{.message = 7, .is_marketing = true, .paused = 5}, CAUSE_SENDER_PAUSED},
    {{.message = 7, .is_marketing = true, .paused = 5, HELD(SENDER_PAUSED)}, CAUSE_SENDER_PAUSED},
    {{.message = 7, .is_marketing = true, .paused = 5, HELD(QUIET_HOURS)}, CAUSE_QUIET_HOURS},
    {{.message = 7, .is_marketing = true, HELD(SENDER_PAUSED)}, CAUSE_WAITING}, /* released since */
    {{.message = 7, .paused = 5}, CAUSE_WAITING},
    {{.message = 7, .attempts = 2, .deferred_status = 0x58}, CAUSE_RETRYING},
    {{.message = 7, .parts_sent = 1}, CAUSE_ON_ITS_WAY},
    {{.message = 7, .parts_sent = 1, OUTCOME(DELIVERED)}, CAUSE_DELIVERED},
    {{.message = 7, .parts_sent = 1, OUTCOME(UNDELIVERABLE)}, CAUSE_HANDSET_REFUSES},
    {{.message = 7, .command_status = 0x0b, OUTCOME(UNDELIVERABLE)}, CAUSE_CARRIER_REFUSED},
    {{.message = 7, .command_status = 0x0b, OUTCOME(REJECTED)}, CAUSE_CARRIER_REFUSED},
    {{.message = 7, .parts_sent = 1, OUTCOME(REJECTED)}, CAUSE_FILTERED},
    {{.message = 7, .parts_sent = 1, OUTCOME(EXPIRED)}, CAUSE_HANDSET_AWAY},
    {{.message = 7, OUTCOME(EXPIRED), REASON(TIME_TO_LIVE)}, CAUSE_EXPIRED_WAITING},
    {{.message = 7, .parts_sent = 1, OUTCOME(DELETED)}, CAUSE_DELETED},
    {{.message = 7, .parts_sent = 1, OUTCOME(SENT_NO_RECEIPT)}, CAUSE_NO_RECEIPT},
    {{.message = 7, OUTCOME(UNKNOWN_OUTCOME), REASON(CRASH)}, CAUSE_UNKNOWN},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(OPTED_OUT)}, CAUSE_OPTED_OUT},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(NO_OPT_IN)}, CAUSE_NO_CONSENT},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(CONSENT_TOO_OLD)}, CAUSE_CONSENT_TOO_OLD},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(NUMBER_REASSIGNED)}, CAUSE_REASSIGNED},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(GLOBAL_HOLD)}, CAUSE_ON_HOLD},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(DO_NOT_CALL)}, CAUSE_DO_NOT_CALL},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(FREQUENCY_CAP)}, CAUSE_FREQUENCY},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(CONTENT_REFUSED)}, CAUSE_CONTENT},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(SENDER_NOT_REGISTERED)}, CAUSE_SENDER},
    {{.message = 7, OUTCOME(SUPPRESSED), REASON(DO_NOT_ORIGINATE)}, CAUSE_SENDER},
    {{.message = 7, OUTCOME(CANCELLED), REASON(BY_SUBMITTER)}, CAUSE_CANCELLED},
    {{.message = 7, OUTCOME(CANCELLED), REASON(STOP_CANCELLED)}, CAUSE_OPTED_OUT},
    {{.message = 7, OUTCOME(CANCELLED), REASON(ERASURE)}, CAUSE_ERASED},
};

static void each_fate_has_its_cause(void **state)
{
    (void)state;
    bool met[CAUSE_COUNT] = {false};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum cause cause = diagnose(&rows[i].sending);
        if (cause != rows[i].cause)
            fail_msg("row %zu: %s, not %s", i, cause_name(cause), cause_name(rows[i].cause));
        met[cause] = true;
    }
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        if (!met[cause])
            fail_msg("no row leads to %s", cause_name((enum cause)cause));
}

/* Each outcome and reason that the ledger can hold, so that a new one is not forgotten in silence. */
static void nothing_that_can_happen_is_without_words(void **state)
{
    (void)state;
    for (int outcome = 0; outcome <= ASSENT__V1__OUTCOME__SENT_NO_RECEIPT; outcome++)
        for (int reason = 0; reason <= ASSENT__V1__REASON__SENDER_PAUSED; reason++) {
            struct sending sending = {.message = 7,
                                      .ended = true,
                                      .outcome = (Assent__V1__Outcome)outcome,
                                      .reason = (Assent__V1__Reason)reason};
            assert_in_range(diagnose(&sending), 0, CAUSE_COUNT - 1);
        }
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        assert_true(strlen(cause_words((enum cause)cause)) > 10);
        assert_true(strlen(cause_advice((enum cause)cause)) > 10);
        assert_non_null(sureness_name(cause_sureness((enum cause)cause)));
        for (unsigned language = 0; language < DIAGNOSIS_LANGUAGES; language++)
            assert_true(strlen(cause_for_customer((enum cause)cause, language)) > 20);
    }
}

static void a_crowd_is_judged_at_its_edges(void **state)
{
    (void)state;
    assert_int_equal(crowd_judge(&(struct crowd){19, 0}), CROWD_TOO_FEW);
    assert_int_equal(crowd_judge(&(struct crowd){20, 0}), CROWD_ONE_PERSON);
    assert_int_equal(crowd_judge(&(struct crowd){95, 5}), CROWD_ONE_PERSON);
    assert_int_equal(crowd_judge(&(struct crowd){94, 6}), CROWD_SOME);
    assert_int_equal(crowd_judge(&(struct crowd){81, 19}), CROWD_SOME);
    assert_int_equal(crowd_judge(&(struct crowd){80, 20}), CROWD_MANY);
    assert_int_equal(crowd_judge(&(struct crowd){0, 20}), CROWD_MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fate_has_its_cause),
        cmocka_unit_test(nothing_that_can_happen_is_without_words),
        cmocka_unit_test(a_crowd_is_judged_at_its_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

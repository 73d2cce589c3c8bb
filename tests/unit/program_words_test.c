/* SPDX-License-Identifier: Apache-2.0 */
/* Words that a program adds, from its configuration to what the engine records; and HELP once a day over
 * all gateways. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/keyword_rows.h"

#define NUMBER "12025550123"

static struct world w;
static char last_text[512];
static struct program_word words[] = {
    {ROW_OPT_OUT, "3311", "ar"},   {ROW_REPLY, "STOP #", "en"},
    {ROW_CANCEL, "CANCEL", "en"},  {ROW_REVOKES, "no more pills", "en"},
    {ROW_CUE, "my dentist", "en"},
};

static void say_to(const char *address, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1, .digits = NUMBER},
                         .destination = {.ton = 1, .npi = 1},
                         .short_message = span_from_string(text)};
    snprintf(out.destination.digits, sizeof out.destination.digits, "%s", address);
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static void note_text(const struct sm_body *body)
{
    snprintf(last_text, sizeof last_text, "%.*s", (int)body->text.length,
             (const char *)body->text.data);
}

static void begin(void)
{
    world_init(&w);
    w.added = true;
    w.on_submit = note_text;
    w.programs[0].words = words;
    w.programs[0].word_count = sizeof words / sizeof *words;
    w.config.sha256[0] = 0xab;
    world_start(&w);
    world_pass(&w, 2000);
}

/* The newest record of `kind` must have this rule; gives how or meaning. */
static const char *ruled(Assent__V1__Event__BodyCase kind, const char *rule)
{
    static char how[40];
    for (uint64_t i = w.next - 1; i > 0; i--) {
        Assent__V1__Event *event =
            assent__v1__event__unpack(NULL, w.records[i].public_length, w.records[i].octets);
        bool found = event->body_case == kind;
        if (found && kind == ASSENT__V1__EVENT__BODY_OPTED_OUT) {
            assert_string_equal(event->opted_out->rule, rule);
            snprintf(how, sizeof how, "%s", event->opted_out->how);
        } else if (found) {
            assert_string_equal(event->inbound->rule, rule);
            snprintf(how, sizeof how, "%s", event->inbound->meaning);
        }
        assent__v1__event__free_unpacked(event, NULL);
        if (found)
            return how;
    }
    fail_msg("no such record");
    return "";
}

#define OPTED_OUT ASSENT__V1__EVENT__BODY_OPTED_OUT
#define INBOUND   ASSENT__V1__EVENT__BODY_INBOUND

static void they_are_recorded_with_the_configuration(void **state)
{
    (void)state;
    begin();
    say_to("12025550100", "3311");
    assert_string_equal(ruled(OPTED_OUT, "program/offers/3311@ab000000"), "opt_out");
    say_to("12025550100", "I want no more pills!");
    assert_string_equal(ruled(OPTED_OUT, "program/offers/no-more-pills@ab000000"),
                        "opt_out_intent");
    say_to("12025550100", "stop my dentist");
    assert_string_equal(ruled(OPTED_OUT, "keyword/stop@1"), "review");
    world_release(&w);
}

static void they_are_of_their_program_alone(void **state)
{
    (void)state;
    begin();
    say_to("12025550101", "3311");
    assert_string_equal(ruled(INBOUND, ""), "reply");
    say_to("12025550101", "STOP 12345");
    assert_string_equal(ruled(OPTED_OUT, "keyword/stop@1"), "opt_out_intent");
    world_release(&w);
}

static void a_command_goes_to_the_submitter(void **state)
{
    (void)state;
    begin();
    say_to("12025550100", "stop 12345");
    assert_string_equal(ruled(INBOUND, "program/offers/stop-#@ab000000"), "reply");
    assert_int_equal(engine_metrics(w.engine)->counters[COUNT_OPT_OUTS], 0);
    say_to("12025550100", "stop");
    assert_string_equal(ruled(OPTED_OUT, "keyword/stop@1"), "opt_out");
    world_release(&w);
}

static void cancel_ends_marketing_too(void **state)
{
    (void)state;
    begin();
    say_to("12025550100", "Cancel");
    assert_string_equal(ruled(OPTED_OUT, "program/offers/cancel@ab000000"), "cancel");
    assert_string_equal(ruled(INBOUND, "program/offers/cancel@ab000000"), "cancel");
    assert_string_equal(last_text, "offers: You will get no more marketing messages from us. Reply "
                                   "START to undo.");
    world_release(&w);
}

static void a_new_configuration_has_other_words(void **state)
{
    (void)state;
    begin();
    w.programs[0].word_count = 0;
    engine_reconfigure(w.engine, w.now);
    say_to("12025550100", "3311");
    assert_string_equal(ruled(INBOUND, ""), "reply");
    w.programs[0].word_count = 1;
    w.config.sha256[0] = 0xcd;
    engine_reconfigure(w.engine, w.now);
    say_to("12025550100", "3311");
    assert_string_equal(ruled(OPTED_OUT, "program/offers/3311@cd000000"), "opt_out");
    world_release(&w);
}

static void help_is_given_once_over_all_gateways(void **state)
{
    (void)state;
    begin();
    w.once = ONCE_TAKEN; /* another gateway gave it */
    say_to("12025550100", "HELP");
    assert_int_equal(w.submit_count, 0);
    world_release(&w);
    begin();
    w.once = ONCE_OURS;
    say_to("12025550100", "HELP");
    assert_int_equal(w.submit_count, 1);
    assert_non_null(strstr(last_text, "offers, offers: Msg frequency varies."));
    say_to("12025550100", "help!");
    assert_int_equal(w.submit_count, 1);
    world_pass(&w, 24ull * 3600 * 1000);
    say_to("12025550100", "help");
    assert_int_equal(w.submit_count, 2);
    world_release(&w);
    begin();
    w.once = ONCE_UNKNOWN; /* Redis is away: this gateway's memory */
    say_to("12025550100", "?");
    say_to("12025550100", "?");
    assert_int_equal(w.submit_count, 1);
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__OTP, NUMBER, "code 123456");
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_recorded_with_the_configuration),
        cmocka_unit_test(they_are_of_their_program_alone),
        cmocka_unit_test(a_command_goes_to_the_submitter),
        cmocka_unit_test(cancel_ends_marketing_too),
        cmocka_unit_test(a_new_configuration_has_other_words),
        cmocka_unit_test(help_is_given_once_over_all_gateways),
    };
    return cmocka_run_group_tests_name("program_words", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Opt-outs that may have meant something else: what stops at once, what is asked, and how each answer,
 * silence, a restart and a snapshot end it. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define NUMBER "12025550123"
#define ASKED  "cancel my order please"

static struct world w;

static void say_to(const char *address, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1, .digits = NUMBER},
                         .destination = {.ton = 1, .npi = 1},
                         .short_message = span_from_string(text)};
    snprintf(out.destination.digits, sizeof out.destination.digits, "%s", address);
    w.deliver_status = UINT32_MAX;
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
    assert_int_equal(w.deliver_status, ESME_ROK);
}

static void say(const char *text)
{
    say_to("12025550100", text);
}

static char last_text[512];

static void note_text(const struct sm_body *body)
{
    snprintf(last_text, sizeof last_text, "%.*s", (int)body->text.length,
             (const char *)body->text.data);
}

static void begin(void)
{
    world_init(&w);
    w.added = true;
    w.state = (struct consent_state){0};
    w.on_submit = note_text;
    last_text[0] = '\0';
    world_start(&w);
    world_pass(&w, 2000);
}

static Assent__V1__Event *newest(Assent__V1__Event__BodyCase kind)
{
    for (uint64_t i = w.next - 1; i > 0; i--) {
        Assent__V1__Event *event =
            assent__v1__event__unpack(NULL, w.records[i].public_length, w.records[i].octets);
        assert_non_null(event);
        if (event->body_case == kind)
            return event;
        assent__v1__event__free_unpacked(event, NULL);
    }
    fail_msg("no such record");
    return NULL;
}

static void assert_opted_out(const char *how, size_t scopes)
{
    Assent__V1__Event *event = newest(ASSENT__V1__EVENT__BODY_OPTED_OUT);
    assert_string_equal(event->opted_out->how, how);
    assert_int_equal(event->opted_out->n_scopes, scopes);
    assent__v1__event__free_unpacked(event, NULL);
}

static uint64_t opt_outs(void)
{
    return engine_metrics(w.engine)->counters[COUNT_OPT_OUTS];
}

static void marketing_stops_and_one_question_is_asked(void **state)
{
    (void)state;
    begin();
    say(ASKED);
    assert_opted_out("review", 1); /* the brand's scope: its marketing */
    assert_int_equal(w.submit_count, 1);
    assert_non_null(strstr(last_text, "Do you still want other messages"));
    w.added = false; /* the set has it */
    say(ASKED);
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

static uint64_t scheduled(const char *program, Assent__V1__Class message_class)
{
    Assent__V1__Message message = world_message(program, message_class, NUMBER, "later");
    message.send_at_wall_ms = w.now.wall_ms + REVIEW_MS * 2;
    return world_submit(&w, 0, &message).id;
}

static bool waits(uint64_t id)
{
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    assert_true(engine_query(w.engine, 0, id, &status));
    return strcmp(status.state, "scheduled") == 0;
}

static void only_marketing_is_cancelled_until_the_silence(void **state)
{
    (void)state;
    world_init(&w);
    w.added = true;
    strcpy(w.programs[1].brand, w.programs[0].brand);
    strcpy(w.programs[1].senders[0], w.programs[0].senders[0]); /* one sender for both */
    world_start(&w);
    world_pass(&w, 2000);
    uint64_t offer = scheduled("offers", ASSENT__V1__CLASS__MARKETING);
    uint64_t order = scheduled("login", ASSENT__V1__CLASS__TRANSACTIONAL);
    say(ASKED);
    assert_false(waits(offer));
    assert_true(waits(order));
    world_pass(&w, REVIEW_MS);
    assert_false(waits(order));
    world_release(&w);
}

static void silence_means_all(void **state)
{
    (void)state;
    begin();
    say(ASKED);
    world_pass(&w, REVIEW_MS - 1);
    assert_int_equal(opt_outs(), 1);
    world_pass(&w, 1);
    assert_int_equal(opt_outs(), 2);
    assert_opted_out("silence", 2);
    world_pass(&w, 2000);
    assert_int_equal(w.submit_count, 1); /* told with the question: no second text */
    world_pass(&w, 2 * REVIEW_MS);
    assert_int_equal(opt_outs(), 2);
    world_release(&w);
}

static void yes_keeps_the_rest(void **state)
{
    (void)state;
    begin();
    say(ASKED);
    say("Yes please");
    Assent__V1__Event *event = newest(ASSENT__V1__EVENT__BODY_INBOUND);
    assert_string_equal(event->inbound->meaning, "keep");
    assent__v1__event__free_unpacked(event, NULL);
    world_pass(&w, 2 * REVIEW_MS);
    assert_int_equal(opt_outs(), 1);
    world_release(&w);
}

static void no_and_stop_end_all_at_once(void **state)
{
    (void)state;
    static const char *const answers[] = {"no", "STOP"};
    for (size_t i = 0; i < 2; i++) {
        begin();
        say(ASKED);
        say(answers[i]);
        assert_int_equal(opt_outs(), 2);
        Assent__V1__Event *event = newest(ASSENT__V1__EVENT__BODY_OPTED_OUT);
        assert_int_equal(event->opted_out->n_scopes, 2);
        assent__v1__event__free_unpacked(event, NULL);
        world_pass(&w, 2 * REVIEW_MS);
        assert_int_equal(opt_outs(), 2);
        world_release(&w);
    }
}

static void start_is_as_before(void **state)
{
    (void)state;
    begin();
    say(ASKED);
    say("START");
    world_pass(&w, 2 * REVIEW_MS);
    assert_int_equal(opt_outs(), 1);
    world_release(&w);
}

static void a_stop_elsewhere_leaves_it_open(void **state)
{
    (void)state;
    begin();
    say(ASKED);
    say_to("12025550101", "STOP"); /* another brand's sender */
    assert_int_equal(opt_outs(), 2);
    world_pass(&w, REVIEW_MS);
    assert_int_equal(opt_outs(), 3);
    assert_opted_out("silence", 2);
    world_release(&w);
}

static void a_restart_remembers_it(void **state)
{
    (void)state;
    begin();
    say(ASKED);
    world_stop(&w);
    world_boot(&w, true);
    world_pass(&w, REVIEW_MS - 60000);
    assert_int_equal(opt_outs(), 0);
    world_pass(&w, 60000);
    assert_int_equal(opt_outs(), 1);
    assert_opted_out("silence", 2);
    world_stop(&w); /* and that it is over */
    world_boot(&w, true);
    world_pass(&w, 2 * REVIEW_MS);
    assert_int_equal(opt_outs(), 0);
    world_release(&w);
}

static void an_answer_is_remembered_too(void **state)
{
    (void)state;
    begin();
    say(ASKED);
    say("yes");
    world_stop(&w);
    world_boot(&w, true);
    world_pass(&w, 2 * REVIEW_MS);
    assert_int_equal(opt_outs(), 0);
    world_release(&w);
}

/* Records of a snapshot, in place of the ledger's. */
static bool keep_record(void *context, struct span public_part, struct span personal_part)
{
    Assent__V1__Event *event =
        assent__v1__event__unpack(NULL, public_part.length, public_part.data);
    if (event->body_case == ASSENT__V1__EVENT__BODY_INBOUND) {
        assert_string_equal(event->inbound->meaning, "review");
        assert_string_equal(event->inbound->sender, "12025550100");
        assert_true(personal_part.length > 0);
        ++*(unsigned *)context;
    }
    assent__v1__event__free_unpacked(event, NULL);
    return true;
}

static void a_snapshot_holds_it(void **state)
{
    (void)state;
    unsigned count = 0;
    begin();
    say(ASKED);
    assert_true(engine_snapshot(w.engine, w.now, keep_record, &count));
    assert_int_equal(count, 1);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marketing_stops_and_one_question_is_asked),
        cmocka_unit_test(only_marketing_is_cancelled_until_the_silence),
        cmocka_unit_test(silence_means_all),
        cmocka_unit_test(yes_keeps_the_rest),
        cmocka_unit_test(no_and_stop_end_all_at_once),
        cmocka_unit_test(start_is_as_before),
        cmocka_unit_test(a_stop_elsewhere_leaves_it_open),
        cmocka_unit_test(a_restart_remembers_it),
        cmocka_unit_test(an_answer_is_remembered_too),
        cmocka_unit_test(a_snapshot_holds_it),
    };
    return cmocka_run_group_tests_name("review", tests, NULL, NULL);
}

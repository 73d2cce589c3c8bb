/* SPDX-License-Identifier: Apache-2.0 */
/* Single rules of the engine, each at its edge: limits, times, references, parts, queries. That its
 * promises hold in a hostile world is tests/sim's business. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/cut_record.h"

#define MARKETING      ASSENT__V1__CLASS__MARKETING
#define OTP            ASSENT__V1__CLASS__OTP
#define OK             ASSENT__V1__CODE__CODE_OK
#define INVALID        ASSENT__V1__CODE__CODE_INVALID_ARGUMENT
#define EXHAUSTED      ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED
#define ANSWERED_BY_MS 2000 /* a receipt that nothing waits for */
#define NUMBER         "12025550123"

static struct world w;

static Assent__V1__Message code(void)
{
    return world_message("login", OTP, NUMBER, "code 123456");
}

/* Stays open: its time has not come. */
static Assent__V1__Message later(void)
{
    Assent__V1__Message message = code();
    message.send_at_wall_ms = w.now.wall_ms + 3600 * MS_PER_S;
    return message;
}

static Assent__V1__Code submit(const Assent__V1__Message *message)
{
    return world_submit(&w, 0, message).code;
}

/* Limits --------------------------------------------------------------------------------------- */

static void open_messages_have_a_limit(void **state)
{
    (void)state;
    world_init(&w);
    w.config.max_open_messages = 3;
    world_start(&w);
    Assent__V1__Message message = later();
    uint64_t first = world_submit(&w, 0, &message).id;
    assert_int_equal(submit(&message), OK);
    assert_int_equal(submit(&message), OK);
    assert_int_equal(submit(&message), EXHAUSTED);
    struct submit_verdict cancelled;
    engine_cancel(w.engine, 0, first, w.now, &cancelled);
    assert_int_equal(cancelled.code, OK);
    assert_int_equal(submit(&message), OK);
    assert_int_equal(submit(&message), EXHAUSTED);
    world_release(&w);
}

static void their_memory_has_one_too(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    Assent__V1__Message message = later();
    assert_int_equal(submit(&message), OK);
    struct engine_status status;
    engine_status(w.engine, &status);
    w.config.max_memory_octets = 3 * status.memory_octets;
    assert_int_equal(submit(&message), OK);
    assert_int_equal(submit(&message), OK);
    struct submit_verdict refused = world_submit(&w, 0, &message);
    assert_int_equal(refused.code, EXHAUSTED);
    assert_non_null(strstr(refused.message, "memory"));
    world_release(&w);
}

static void a_ledger_that_is_behind_refuses(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    Assent__V1__Message message = code();
    w.room = LEDGER_BATCH_OCTETS / 2;
    assert_int_equal(submit(&message), OK);
    w.room = LEDGER_BATCH_OCTETS / 2 - 1;
    assert_int_equal(submit(&message), EXHAUSTED);
    w.room = LEDGER_BATCH_OCTETS;
    w.no_space = true;
    assert_int_equal(submit(&message), EXHAUSTED);
    world_release(&w);
}

static void times_have_limits(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    static const struct {
        uint64_t ttl_ms;
        int64_t ahead_ms;
        Assent__V1__Code code;
    } rows[] = {
        {TTL_MS_MIN, 0, OK},        {TTL_MS_MIN - 1, 0, INVALID},
        {TTL_MS_MAX, 0, OK},        {TTL_MS_MAX + 1, 0, INVALID},
        {0, SCHEDULE_AHEAD_MS, OK}, {0, SCHEDULE_AHEAD_MS + 1, INVALID},
        {5000, -5000, OK},          {5000, -5001, INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Assent__V1__Message message = code();
        message.ttl_ms = rows[i].ttl_ms;
        if (rows[i].ahead_ms != 0)
            message.send_at_wall_ms = w.now.wall_ms + (uint64_t)rows[i].ahead_ms;
        assert_int_equal(submit(&message), rows[i].code);
    }
    world_release(&w);
}

/* `length` letters x. */
static char *letters(size_t length)
{
    static char text[TEXT_OCTETS_MAX + 2];
    memset(text, 'x', length);
    text[length] = '\0';
    return text;
}

static void strings_have_limits(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    Assent__V1__Message message = code();
    message.campaign = letters(CAMPAIGN_OCTETS_MAX);
    assert_int_equal(submit(&message), OK);
    message.campaign = letters(CAMPAIGN_OCTETS_MAX + 1);
    assert_int_equal(submit(&message), INVALID);
    message = code();
    message.reference = letters(REFERENCE_OCTETS_MAX);
    assert_int_equal(submit(&message), OK);
    message.reference = letters(REFERENCE_OCTETS_MAX + 1);
    assert_int_equal(submit(&message), INVALID);
    message = code();
    message.text = letters(153 * TEXT_PARTS_MAX);
    assert_int_equal(world_submit(&w, 0, &message).parts, TEXT_PARTS_MAX);
    message.text = letters(153 * TEXT_PARTS_MAX + 1);
    assert_int_equal(submit(&message), INVALID);
    message.text = letters(TEXT_OCTETS_MAX + 1);
    assert_int_equal(submit(&message), INVALID);
    world_release(&w);
}

static void fill_record_request(Assent__V1__RecordRequest *request)
{
    *request = (Assent__V1__RecordRequest)ASSENT__V1__RECORD_REQUEST__INIT;
    request->program = (char *)"offers";
    request->number = (char *)NUMBER;
    request->source = (char *)"web form";
    request->evidence = (char *)"box ticked";
    request->obtained_wall_ms = w.now.wall_ms;
}

static Assent__V1__Code record(const Assent__V1__RecordRequest *request)
{
    engine_record_opt_in(w.engine, 0, 1, request, w.now);
    world_settle(&w);
    return w.consent_code;
}

static void evidence_is_whole_and_bounded_and_not_from_the_future(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    Assent__V1__RecordRequest request;
    fill_record_request(&request);
    request.evidence = letters(EVIDENCE_OCTETS_MAX);
    assert_int_equal(record(&request), OK);
    request.evidence = letters(EVIDENCE_OCTETS_MAX + 1);
    assert_int_equal(record(&request), INVALID);
    fill_record_request(&request);
    request.obtained_wall_ms += 24 * 3600 * MS_PER_S;
    assert_int_equal(record(&request), OK); /* today's date, east of us */
    request.obtained_wall_ms++;
    assert_int_equal(record(&request), INVALID);
    fill_record_request(&request);
    request.evidence = (char *)"";
    assert_int_equal(record(&request), INVALID);
    fill_record_request(&request);
    request.obtained_wall_ms = 0;
    assert_int_equal(record(&request), INVALID);
    fill_record_request(&request);
    request.source = (char *)"";
    assert_int_equal(record(&request), INVALID);
    world_release(&w);
}

static void a_question_is_open_for_a_day(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    Assent__V1__OptInRequest request = ASSENT__V1__OPT_IN_REQUEST__INIT;
    request.program = (char *)"offers";
    request.number = (char *)NUMBER;
    uint64_t asked = w.now.wall_ms;
    engine_request_opt_in(w.engine, 0, 1, &request, w.now);
    world_settle(&w);
    assert_int_equal(w.last_write.kind, WRITE_PENDING);
    assert_int_equal(w.last_write.expires_wall_ms, asked + CONSENT_PENDING_MS);
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

/* References ----------------------------------------------------------------------------------- */

static struct submit_verdict referred(const char *reference)
{
    Assent__V1__Message message = later();
    message.reference = (char *)(uintptr_t)reference;
    return world_submit(&w, 0, &message);
}

static void a_reference_gives_the_first_answer_again(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    uint64_t id = referred("r1").id;
    assert_true(referred("r1").repeated_reference);
    assert_int_equal(referred("r1").id, id);
    Assent__V1__Message message = later();
    message.reference = (char *)"r1";
    assert_false(world_submit(&w, 1, &message).repeated_reference); /* another client's own */
    world_stop(&w);
    world_start(&w);
    assert_int_equal(referred("r1").id, id);
    message.number = (char *)"nonsense"; /* the first answer stands */
    assert_int_equal(world_submit(&w, 0, &message).id, id);
    world_release(&w);
}

static void references_are_forgotten_oldest_first(void **state)
{
    (void)state;
    world_init(&w);
    w.config.max_references = 2;
    world_start(&w);
    uint64_t first = referred("r1").id, second = referred("r2").id;
    assert_int_equal(referred("r1").id, first);
    (void)referred("r3");
    assert_int_equal(referred("r2").id, second);
    assert_int_not_equal(referred("r1").id, first);
    world_release(&w);
}

static void references_last_as_long_as_their_window(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    uint64_t first = referred("r1").id;
    world_pass(&w, w.config.reference_window_ms);
    (void)referred("r2");
    assert_int_equal(referred("r1").id, first);
    world_pass(&w, 1);
    (void)referred("r3");
    assert_int_not_equal(referred("r1").id, first);
    world_release(&w);
}

/* Sending -------------------------------------------------------------------------------------- */

static void parts_keep_their_order_and_their_session(void **state)
{
    (void)state;
    world_init(&w);
    w.carrier.sessions = 2;
    w.carrier.window = 1;
    w.carrier.rate = 3; /* the parts need several seconds */
    world_start(&w);
    Assent__V1__Message message = code();
    message.text = letters(153 * TEXT_PARTS_MAX);
    assert_int_equal(submit(&message), OK);
    for (int i = 0; i < 200; i++)
        world_pass(&w, 50);
    assert_int_equal(w.submit_count, TEXT_PARTS_MAX);
    for (size_t i = 0; i < w.submit_count; i++) {
        assert_int_equal(w.submits[i].part, i + 1);
        assert_int_equal(w.submits[i].link, w.submits[0].link);
    }
    world_release(&w);
}

/* A window in a row, so that they share a write; a session that has no place is passed over. */
static void sessions_take_turns(void **state)
{
    static const uint16_t links[] = {0, 0, 0, 0, 1, 1, 1, 1};
    (void)state;
    world_init(&w);
    w.carrier.sessions = 2;
    w.carrier.window = 4;
    world_start(&w);
    w.silent = true;
    Assent__V1__Message message = code();
    for (int i = 0; i < 9; i++) {
        assert_int_equal(submit(&message), OK);
        world_settle(&w);
    }
    assert_int_equal(w.submit_count, 8);
    for (size_t i = 0; i < w.submit_count; i++)
        assert_int_equal(w.submits[i].link, links[i]);
    struct pdu_header header = {.command_id = SMPP_SUBMIT_SM,
                                .sequence_number = w.submits[4].sequence_number};
    session_respond(w.peers[1], &header, ESME_ROK, span_from_string("1"));
    world_settle(&w);
    assert_int_equal(w.submit_count, 9);
    assert_int_equal(w.submits[8].link, 1); /* though it was the other one's turn */
    world_release(&w);
}

static void what_retention_takes_is_recorded_and_counted(void **state)
{
    struct cut_record cut = {.first = 1, .last = 65536, .records = 60000, .age_ms = 1000};
    (void)state;
    world_init(&w);
    world_start(&w);
    uint64_t sequence = w.next;
    assert_int_equal(engine_record_cut(w.engine, &cut, w.now), sequence);
    cut.records = 7;
    assert_int_equal(engine_record_cut(w.engine, &cut, w.now), sequence + 1);
    assert_int_equal(engine_metrics(w.engine)->counters[COUNT_RECORDS_CUT], 60007);
    world_release(&w);
}

static void the_other_parts_do_not_wait_for_a_session_that_is_gone(void **state)
{
    (void)state;
    world_init(&w);
    w.carrier.sessions = 2;
    w.carrier.window = 1;
    w.carrier.rate = 1;
    world_start(&w);
    Assent__V1__Message message = code();
    message.text = letters(300);
    assert_int_equal(submit(&message), OK);
    for (int i = 0; i < 100 && w.submit_count == 0; i++)
        world_pass(&w, 50);
    assert_int_equal(w.submit_count, 1);
    engine_on_link_down(w.engine, 0, w.submits[0].link, "peer_closed", w.now);
    for (int i = 0; i < 15; i++)
        world_pass(&w, 100);
    assert_int_equal(w.submit_count, 2);
    assert_int_equal(w.submits[1].part, 2);
    world_release(&w);
}

/* What query tells: "ended" with an outcome, another state, or "unknown here". */
static const char *queried(uint16_t client, uint64_t id, Assent__V1__Outcome *ret_outcome)
{
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    if (!engine_query(w.engine, client, id, &status))
        return "unknown here";
    *ret_outcome = status.outcome;
    return status.state;
}

static void query_knows_the_last_ended_messages(void **state)
{
    (void)state;
    Assent__V1__Outcome outcome = ASSENT__V1__OUTCOME__OUTCOME_OPEN;
    world_init(&w);
    world_start(&w);
    w.verdict = VERDICT_OPTED_OUT;
    Assent__V1__Message message = code();
    uint64_t id = world_submit(&w, 0, &message).id;
    world_pass(&w, 10);
    assert_string_equal(queried(0, id, &outcome), "ended");
    assert_int_equal(outcome, ASSENT__V1__OUTCOME__SUPPRESSED);
    assert_string_equal(queried(CLIENT_OPERATOR, id, &outcome), "ended");
    assert_string_equal(queried(1, id, &outcome), "unknown here"); /* not this client's */
    while (w.next < id + ENDED_REMEMBERED - 1)
        world_append(&w, (struct span){.data = (const uint8_t *)""}, (struct span){0});
    uint64_t before = world_submit(&w, 0, &message).id;
    uint64_t same_slot = world_submit(&w, 0, &message).id;
    assert_int_equal(same_slot, id + ENDED_REMEMBERED);
    struct submit_verdict cancelled;
    engine_cancel(w.engine, 0, before, w.now, &cancelled);
    assert_string_equal(queried(0, id, &outcome), "ended");
    engine_cancel(w.engine, 0, same_slot, w.now, &cancelled);
    assert_string_equal(queried(0, id, &outcome), "unknown here");
    assert_string_equal(queried(0, same_slot, &outcome), "ended");
    assert_int_equal(outcome, ASSENT__V1__OUTCOME__CANCELLED);
    world_release(&w);
}

/* Receipts that overtake their answers ---------------------------------------------------------- */

static void send_receipt(uint64_t id)
{
    char text[64];
    int length =
        snprintf(text, sizeof text, "id:id%llu stat:DELIVRD err:000", (unsigned long long)id);
    struct sm_out out = {.source = {.ton = 1, .npi = 1, .digits = NUMBER},
                         .destination = {.ton = 1, .npi = 1, .digits = "12025550101"},
                         .esm_class = 0x04,
                         .short_message = span_of(text, (size_t)length)};
    assert_int_equal(session_submit(w.peers[0], &out, id, w.now.mono_us), ERR_OK);
}

static Assent__V1__Outcome outcome_of_next_message(void)
{
    Assent__V1__Outcome outcome = ASSENT__V1__OUTCOME__OUTCOME_OPEN;
    Assent__V1__Message message = code();
    uint64_t id = world_submit(&w, 0, &message).id;
    world_settle(&w);
    (void)queried(0, id, &outcome);
    return outcome;
}

static void early_receipts_are_parked_within_a_limit(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    for (uint64_t id = 1; id <= PARKED_RECEIPTS_MAX + 1; id++) {
        send_receipt(id);
        if (id % 8192 != 0 && id <= PARKED_RECEIPTS_MAX)
            continue;
        world_settle(&w);
        world_pass(&w, ANSWERED_BY_MS); /* answered now, and parked */
    }
    assert_int_equal(outcome_of_next_message(), ASSENT__V1__OUTCOME__OUTCOME_OPEN); /* id 1 */
    assert_int_equal(outcome_of_next_message(), ASSENT__V1__OUTCOME__DELIVERED);    /* id 2 */
    world_release(&w);
}

static void early_receipts_are_parked_for_a_time(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    for (uint64_t id = 1; id <= 2; id++)
        send_receipt(id);
    world_settle(&w);
    world_pass(&w, ANSWERED_BY_MS); /* answered now, and parked */
    world_pass(&w, PARKED_RECEIPT_MS - 1);
    assert_int_equal(outcome_of_next_message(), ASSENT__V1__OUTCOME__DELIVERED);
    world_pass(&w, 1);
    assert_int_equal(outcome_of_next_message(), ASSENT__V1__OUTCOME__OUTCOME_OPEN);
    world_release(&w);
}

/* What is counted ------------------------------------------------------------------------------- */

static void repeated_opt_outs_and_the_disk_are_counted(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    const struct metrics *metrics = engine_metrics(w.engine);
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.program = (char *)"offers";
    request.number = (char *)NUMBER;
    engine_opt_out(w.engine, 0, 1, &request, w.now);
    world_settle(&w);
    assert_int_equal(metrics->counters[COUNT_OPT_OUTS], 1);
    assert_int_equal(metrics->counters[COUNT_OPT_OUTS_REPEATED], 0);
    w.added = false;
    engine_opt_out(w.engine, 0, 2, &request, w.now);
    world_settle(&w);
    assert_int_equal(metrics->counters[COUNT_OPT_OUTS], 2);
    assert_int_equal(metrics->counters[COUNT_OPT_OUTS_REPEATED], 1);
    assert_true(metrics->timings[TIME_DURABLE].count > 0);
    world_release(&w);
}

static void who_drains_says_so(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    engine_drain(w.engine, w.now, w.now.mono_us + US_PER_S);
    Assent__V1__Message message = code();
    assert_int_equal(submit(&message), ASSENT__V1__CODE__CODE_UNAVAILABLE);
    Assent__V1__RecordRequest request;
    fill_record_request(&request);
    assert_int_equal(record(&request), ASSENT__V1__CODE__CODE_UNAVAILABLE);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_messages_have_a_limit),
        cmocka_unit_test(their_memory_has_one_too),
        cmocka_unit_test(a_ledger_that_is_behind_refuses),
        cmocka_unit_test(times_have_limits),
        cmocka_unit_test(strings_have_limits),
        cmocka_unit_test(evidence_is_whole_and_bounded_and_not_from_the_future),
        cmocka_unit_test(a_question_is_open_for_a_day),
        cmocka_unit_test(a_reference_gives_the_first_answer_again),
        cmocka_unit_test(references_are_forgotten_oldest_first),
        cmocka_unit_test(references_last_as_long_as_their_window),
        cmocka_unit_test(parts_keep_their_order_and_their_session),
        cmocka_unit_test(sessions_take_turns),
        cmocka_unit_test(what_retention_takes_is_recorded_and_counted),
        cmocka_unit_test(the_other_parts_do_not_wait_for_a_session_that_is_gone),
        cmocka_unit_test(query_knows_the_last_ended_messages),
        cmocka_unit_test(early_receipts_are_parked_within_a_limit),
        cmocka_unit_test(early_receipts_are_parked_for_a_time),
        cmocka_unit_test(repeated_opt_outs_and_the_disk_are_counted),
        cmocka_unit_test(who_drains_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

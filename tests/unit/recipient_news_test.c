/* SPDX-License-Identifier: Apache-2.0 */
/* What carriers' codes say of a recipient: has opted out there, or is nobody's number. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "proto/pack.h"

#define OTP       ASSENT__V1__CLASS__OTP
#define MARKETING ASSENT__V1__CLASS__MARKETING
#define NUMBER    12025550123
#define OTHER     12025550124
#define DAY_MS    (24ull * 3600 * 1000)
#define UNKNOWN   0x4b1 /* vendors' statuses */
#define OPTED_OUT 0x4b2

static struct world w;

static void begin_with_window(uint16_t window)
{
    static const struct receipt_error errors[] = {
        {"069", NEWS_OPTED_OUT}, {"3:69", NEWS_OPTED_OUT}, {"001", NEWS_UNKNOWN_SUBSCRIBER}};
    world_init(&w);
    memcpy(w.carrier.receipt_errors, errors, sizeof errors);
    w.carrier.receipt_error_count = 3;
    w.carrier.window = window;
    w.carrier.statuses[0] = (struct status_rule){UNKNOWN, STATUS_UNKNOWN_SUBSCRIBER};
    w.carrier.statuses[1] = (struct status_rule){OPTED_OUT, STATUS_OPTED_OUT};
    w.carrier.status_count = 2;
    w.config.vacant_times = 3;
    w.config.vacant_over_ms = 7 * DAY_MS;
    world_start(&w);
}

static void begin(void)
{
    begin_with_window(1000);
}

static Assent__V1__Code try_submit(const char *program, Assent__V1__Class message_class,
                                   uint64_t number, const char *text)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    Assent__V1__Message message = world_message(program, message_class, digits, text);
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    world_settle(&w);
    return verdict.code;
}

static void submit(uint64_t number)
{
    assert_int_equal(try_submit("login", OTP, number, "code 123456"), ASSENT__V1__CODE__CODE_OK);
}

static void deliver(uint64_t number, const struct tlv *tlvs, size_t tlv_count, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1},
                         .destination = {.ton = 1, .npi = 1, .digits = "12025550101"},
                         .esm_class = ESM_TYPE_RECEIPT,
                         .tlvs = tlvs,
                         .tlv_count = tlv_count,
                         .short_message = span_from_string(text)};
    snprintf(out.source.digits, sizeof out.source.digits, "%llu", (unsigned long long)number);
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

/* Of the last submit_sm. */
static void receipt(uint64_t number, const char *state, const char *code)
{
    char text[128];
    snprintf(text, sizeof text, "id:id%llu stat:%s err:%s text:x", (unsigned long long)w.next_id,
             state, code);
    deliver(number, NULL, 0, text);
}

static void sent_and_reported(uint64_t number, const char *state, const char *code)
{
    submit(number);
    receipt(number, state, code);
}

/* The newest of a kind; NULL when there is none. */
static Assent__V1__Event *last(Assent__V1__Event__BodyCase body)
{
    for (uint64_t sequence = w.next; --sequence > 0;) {
        const struct world_record *r = &w.records[sequence];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        if (event->body_case == body)
            return event;
        assent__v1__event__free_unpacked(event, NULL);
    }
    return NULL;
}

static bool has(Assent__V1__Event__BodyCase body)
{
    Assent__V1__Event *event = last(body);
    if (event != NULL)
        assent__v1__event__free_unpacked(event, NULL);
    return event != NULL;
}

static uint64_t count(enum counter counter)
{
    return engine_metrics(w.engine)->counters[counter];
}

static void assert_opted_out(const char *code)
{
    char how[64];
    snprintf(how, sizeof how, "a receipt said error %s", code);
    Assent__V1__Event *event = last(ASSENT__V1__EVENT__BODY_OPTED_OUT);
    assert_non_null(event);
    assert_int_equal(event->opted_out->source, ASSENT__V1__CONSENT_SOURCE__CARRIER);
    assert_string_equal(event->opted_out->carrier, "alpha");
    assert_string_equal(event->opted_out->how, how);
    assent__v1__event__free_unpacked(event, NULL);
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    assert_int_equal(count(COUNT_OPT_OUTS_AT_CARRIERS), 1);
}

/* Opted out ------------------------------------------------------------------------------------- */

static void a_receipt_says_that_the_recipient_has_opted_out(void **state)
{
    (void)state;
    begin();
    sent_and_reported(NUMBER, "UNDELIV", "069");
    assert_opted_out("069");
    size_t before = w.submit_count;
    submit(NUMBER); /* the deny set stands before Redis; and nobody is sent a confirmation */
    world_pass(&w, 5000);
    assert_int_equal(w.submit_count, before);
    world_release(&w);
}

static void a_network_error_code_says_so(void **state)
{
    (void)state;
    static const uint8_t octets[] = {3, 0, 69}, undeliverable = 5;
    begin();
    submit(NUMBER);
    const struct tlv tlvs[] = {
        {TLV_RECEIPTED_MESSAGE_ID, span_of("id1", 4)},
        {TLV_MESSAGE_STATE, span_of(&undeliverable, 1)},
        {TLV_NETWORK_ERROR_CODE, span_of(octets, 3)},
    };
    deliver(NUMBER, tlvs, 3, "");
    assert_opted_out("3:69");
    world_release(&w);
}

static void only_a_failure_says_so(void **state)
{
    (void)state;
    begin();
    submit(NUMBER);
    receipt(NUMBER, "ENROUTE", "069");
    receipt(NUMBER, "DELIVRD", "069");
    sent_and_reported(NUMBER, "UNDELIV", "070");
    sent_and_reported(NUMBER, "UNDELIV", "69"); /* as the table has it, octet by octet */
    assert_false(has(ASSENT__V1__EVENT__BODY_OPTED_OUT));
    world_release(&w);
}

static void a_receipt_before_its_submit_sm_resp_says_so(void **state)
{
    (void)state;
    begin();
    w.silent = true;
    submit(NUMBER);
    deliver(NUMBER, NULL, 0, "id:55 stat:UNDELIV err:069 text:x");
    assert_false(has(ASSENT__V1__EVENT__BODY_OPTED_OUT));
    struct pdu_header request = {.command_id = SMPP_SUBMIT_SM,
                                 .sequence_number = w.submits[0].sequence_number};
    session_respond(w.peers[0], &request, ESME_ROK, span_from_string("55"));
    world_settle(&w);
    assert_opted_out("069");
    assert_int_equal(w.deliver_ended, 1);
    Assent__V1__Event *event = last(ASSENT__V1__EVENT__BODY_RECEIPT);
    assert_int_equal(event->receipt->outcome, ASSENT__V1__OUTCOME__UNDELIVERABLE);
    assent__v1__event__free_unpacked(event, NULL);
    world_release(&w);
}

static void a_part_says_so_while_others_wait_for_the_rate(void **state)
{
    (void)state;
    begin_with_window(1);
    w.silent = true;
    char text[400] = "";
    for (int i = 0; i < 30; i++)
        strcat(text, "0123456789");
    assert_int_equal(try_submit("login", OTP, NUMBER, text), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.submit_count, 1);
    deliver(NUMBER, NULL, 0, "id:55 stat:UNDELIV err:069 text:x");
    struct pdu_header request = {.command_id = SMPP_SUBMIT_SM,
                                 .sequence_number = w.submits[0].sequence_number};
    session_respond(w.peers[0], &request, ESME_ROK, span_from_string("55"));
    world_settle(&w);
    world_pass(&w, 5000);
    assert_opted_out("069");
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

static const char long_text[] = "012345678901234567890123456789012345678901234567890123456789012345"
                                "6789012345678901234567890123456789"
                                "012345678901234567890123456789012345678901234567890123456789012345"
                                "6789012345678901234567890123456789";

/* That the first part failed in another way takes nothing from what the second says. */
static void a_later_part_says_so(void **state)
{
    (void)state;
    begin();
    assert_int_equal(try_submit("login", OTP, NUMBER, long_text), ASSENT__V1__CODE__CODE_OK);
    deliver(NUMBER, NULL, 0, "id:id1 stat:UNDELIV err:001 text:x");
    assert_false(has(ASSENT__V1__EVENT__BODY_OPTED_OUT));
    deliver(NUMBER, NULL, 0, "id:id2 stat:UNDELIV err:069 text:x");
    assert_opted_out("069");
    world_release(&w);
}

static void a_later_part_is_answered_so(void **state)
{
    static const uint32_t statuses[] = {UNKNOWN, OPTED_OUT};
    (void)state;
    begin();
    w.silent = true;
    assert_int_equal(try_submit("login", OTP, NUMBER, long_text), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.submit_count, 2);
    for (int i = 0; i < 2; i++) {
        struct pdu_header request = {.command_id = SMPP_SUBMIT_SM,
                                     .sequence_number = w.submits[i].sequence_number};
        session_respond(w.peers[0], &request, statuses[i], (struct span){0});
        world_settle(&w);
    }
    assert_true(has(ASSENT__V1__EVENT__BODY_OPTED_OUT));
    assert_int_equal(count(COUNT_OPT_OUTS_AT_CARRIERS), 1);
    assert_int_equal(count(COUNT_UNKNOWN_SUBSCRIBERS), 1);
    world_release(&w);
}

static void a_restart_does_not_take_the_same_receipt_for_news(void **state)
{
    (void)state;
    begin();
    sent_and_reported(NUMBER, "UNDELIV", "069");
    uint64_t next = w.next;
    world_stop(&w);
    world_start(&w);
    world_pass(&w, 2000);
    for (uint64_t sequence = next; sequence < w.next; sequence++) {
        const struct world_record *r = &w.records[sequence];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        assert_int_not_equal(event->body_case, ASSENT__V1__EVENT__BODY_OPTED_OUT);
        assent__v1__event__free_unpacked(event, NULL);
    }
    world_release(&w);
}

/* Unknown subscriber ---------------------------------------------------------------------------- */

static bool is_marked(void)
{
    return has(ASSENT__V1__EVENT__BODY_NUMBER_VACANT);
}

static void unknown_after(uint64_t days)
{
    world_pass(&w, days * DAY_MS);
    sent_and_reported(NUMBER, "UNDELIV", "001");
}

static void unknown_for_long_enough_is_taken_for_reassigned(void **state)
{
    (void)state;
    begin();
    unknown_after(0);
    unknown_after(3);
    assert_false(is_marked());
    unknown_after(4);
    Assent__V1__Event *event = last(ASSENT__V1__EVENT__BODY_NUMBER_VACANT);
    assert_non_null(event);
    assert_string_equal(event->number_vacant->carrier, "alpha");
    assert_string_equal(event->number_vacant->code, "001");
    assert_int_equal(event->number_vacant->times, 3);
    assent__v1__event__free_unpacked(event, NULL);
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    assert_int_equal(w.last_write.scope_count, 1);
    assert_int_equal(w.last_write.scopes[0], SCOPE_REASSIGNED);
    assert_int_equal(w.last_write.day, w.now.wall_ms / DAY_MS);
    assert_int_equal(count(COUNT_UNKNOWN_SUBSCRIBERS), 3);
    assert_int_equal(count(COUNT_NUMBERS_VACANT), 1);
    assert_int_equal(count(COUNT_OPT_OUTS), 0);
    assert_int_equal(count(COUNT_OPT_OUTS_REPEATED), 0);
    world_release(&w);
}

static void often_is_not_long(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 10; i++)
        unknown_after(0);
    assert_false(is_marked());
    world_release(&w);
}

static void long_is_not_often(void **state)
{
    (void)state;
    begin();
    unknown_after(0);
    unknown_after(30);
    assert_false(is_marked());
    world_release(&w);
}

static void a_delivery_in_between_ends_the_count(void **state)
{
    (void)state;
    begin();
    unknown_after(0);
    unknown_after(4);
    sent_and_reported(NUMBER, "DELIVRD", "000");
    unknown_after(4);
    unknown_after(4);
    assert_false(is_marked());
    unknown_after(4);
    assert_true(is_marked());
    world_release(&w);
}

static void other_failures_neither_count_nor_end_it(void **state)
{
    (void)state;
    begin();
    unknown_after(0);
    sent_and_reported(NUMBER, "EXPIRED", "027");
    unknown_after(4);
    sent_and_reported(OTHER, "DELIVRD", "000");
    unknown_after(4);
    assert_true(is_marked());
    world_release(&w);
}

static void a_status_counts_as_a_receipt_does(void **state)
{
    (void)state;
    begin();
    unknown_after(0);
    w.status[0] = UNKNOWN;
    for (int i = 0; i < 2; i++) {
        world_pass(&w, 4 * DAY_MS);
        submit(NUMBER);
    }
    Assent__V1__Event *event = last(ASSENT__V1__EVENT__BODY_NUMBER_VACANT);
    assert_non_null(event);
    assert_string_equal(event->number_vacant->code, "0x000004b1");
    assent__v1__event__free_unpacked(event, NULL);
    world_release(&w);
}

static void the_count_outlives_a_restart(void **state)
{
    (void)state;
    begin();
    unknown_after(0);
    w.status[0] = UNKNOWN;
    world_pass(&w, 4 * DAY_MS);
    submit(NUMBER);
    w.status[0] = 0;
    world_stop(&w);
    world_start(&w);
    world_pass(&w, 2000);
    assert_false(is_marked());
    unknown_after(4);
    assert_true(is_marked());
    uint64_t mark = count(COUNT_NUMBERS_VACANT);
    world_stop(&w);
    world_start(&w);
    world_pass(&w, 2000);
    assert_int_equal(mark, 1);
    assert_int_equal(count(COUNT_NUMBERS_VACANT), 0); /* it is in the ledger, and counts anew */
    world_release(&w);
}

static struct engine *next_engine;

static bool put_into_next(void *context, struct span public_part, struct span personal_part)
{
    const char *why;
    (void)context;
    assert_int_equal(engine_replay(next_engine, 0, public_part, personal_part, &why), ERR_OK);
    return true;
}

/* That a part of a message was delivered stands in the snapshot too, and came before the count. */
static void the_count_is_kept_in_snapshots(void **state)
{
    struct hash_key key = {.k0 = 1, .k1 = 2};
    (void)state;
    begin();
    assert_int_equal(try_submit("login", OTP, NUMBER, long_text), ASSENT__V1__CODE__CODE_OK);
    receipt(NUMBER, "DELIVRD", "000"); /* of its last part alone */
    w.config.vacant_times = 2;
    w.config.vacant_over_ms = 0;
    unknown_after(0);
    assert_false(is_marked());
    next_engine = engine_new(&w.config, &w.ports, &key, 1);
    assert_true(engine_snapshot(w.engine, w.now, put_into_next, NULL));
    world_stop(&w);
    w.engine = next_engine;
    engine_start(w.engine, w.now);
    engine_on_store_up(w.engine, 0);
    world_pass(&w, 2000);
    unknown_after(0);
    assert_true(is_marked());
    world_release(&w);
}

static uint16_t day_of_new_consent(const char *number)
{
    Assent__V1__RecordRequest request = ASSENT__V1__RECORD_REQUEST__INIT;
    request.program = (char *)(uintptr_t) "offers";
    request.number = (char *)(uintptr_t)number;
    request.source = (char *)(uintptr_t) "web form";
    request.evidence = (char *)(uintptr_t) "ticked the box";
    request.obtained_wall_ms = w.now.wall_ms;
    engine_record_opt_in(w.engine, 0, 1, &request, w.now);
    world_settle(&w);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.last_write.kind, WRITE_OPT_IN);
    return w.last_write.day;
}

/* Against the day of the mark the gate holds that of a consent, which is kept for such numbers alone. */
static void the_day_of_a_newer_consent_is_kept(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 3; i++)
        unknown_after(4);
    assert_true(is_marked());
    world_pass(&w, 2 * DAY_MS);
    assert_int_equal(day_of_new_consent("12025550123"), w.now.wall_ms / DAY_MS);
    assert_int_equal(day_of_new_consent("12025550124"), 0);
    world_stop(&w);
    world_start(&w);
    world_pass(&w, 2 * DAY_MS);
    assert_int_equal(day_of_new_consent("12025550123"), w.now.wall_ms / DAY_MS);
    world_release(&w);
}

static void replay_seen(uint64_t number)
{
    uint8_t public_octets[128], personal_octets[64];
    struct span public_part, personal_part;
    const char *why = "";
    Assent__V1__SeenVacancy body = ASSENT__V1__SEEN_VACANCY__INIT;
    body.times = 2;
    body.first_wall_ms = w.now.wall_ms - 8 * DAY_MS;
    body.latest_wall_ms = w.now.wall_ms - DAY_MS;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = number;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.body_case = ASSENT__V1__EVENT__BODY_SEEN_VACANCY;
    event.seen_vacancy = &body;
    assert_true(pack_message(&event.base, public_octets, sizeof public_octets, &public_part));
    assert_true(
        pack_message(&personal.base, personal_octets, sizeof personal_octets, &personal_part));
    assert_int_equal(engine_replay(w.engine, 0, public_part, personal_part, &why), ERR_OK);
}

/* So many numbers are counted and no more; the one heard of longest ago is forgotten. */
static void the_table_is_bounded(void **state)
{
    (void)state;
    begin();
    for (uint64_t i = 0; i <= VACANCIES_MAX; i++)
        replay_seen(NUMBER + i);
    sent_and_reported(NUMBER, "UNDELIV", "001"); /* forgotten: it begins anew, in another's place */
    assert_false(is_marked());
    sent_and_reported(NUMBER + VACANCIES_MAX, "UNDELIV", "001");
    assert_true(is_marked());
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_says_that_the_recipient_has_opted_out),
        cmocka_unit_test(a_network_error_code_says_so),
        cmocka_unit_test(only_a_failure_says_so),
        cmocka_unit_test(a_receipt_before_its_submit_sm_resp_says_so),
        cmocka_unit_test(a_part_says_so_while_others_wait_for_the_rate),
        cmocka_unit_test(a_later_part_says_so),
        cmocka_unit_test(a_later_part_is_answered_so),
        cmocka_unit_test(a_restart_does_not_take_the_same_receipt_for_news),
        cmocka_unit_test(unknown_for_long_enough_is_taken_for_reassigned),
        cmocka_unit_test(often_is_not_long),
        cmocka_unit_test(long_is_not_often),
        cmocka_unit_test(a_delivery_in_between_ends_the_count),
        cmocka_unit_test(other_failures_neither_count_nor_end_it),
        cmocka_unit_test(a_status_counts_as_a_receipt_does),
        cmocka_unit_test(the_count_outlives_a_restart),
        cmocka_unit_test(the_count_is_kept_in_snapshots),
        cmocka_unit_test(the_day_of_a_newer_consent_is_kept),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

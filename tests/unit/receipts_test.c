/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts as carriers really send them: a test for each thing that has gone wrong somewhere. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define OTP         ASSENT__V1__CLASS__OTP
#define OPEN        ASSENT__V1__OUTCOME__OUTCOME_OPEN
#define DELIVERED   ASSENT__V1__OUTCOME__DELIVERED
#define UNDELIVERED ASSENT__V1__OUTCOME__UNDELIVERABLE
#define IN_DOUBT    ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME
#define NO_RECEIPT  ASSENT__V1__OUTCOME__SENT_NO_RECEIPT
#define NUMBER      "12025550123"
#define OTHER       "12025550124"
#define EARLY_MS    60 /* a receipt is answered by then, message or not */

static struct world w;

static uint64_t submit(const char *number, const char *text)
{
    Assent__V1__Message message = world_message("login", OTP, number, text);
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    return verdict.id;
}

/* Sent, and the carrier's answer gave it this id. */
static uint64_t sent(const char *number, const char *carrier_id)
{
    w.give_id = carrier_id;
    return submit(number, "code 123456");
}

static Assent__V1__Outcome outcome_of(uint64_t id)
{
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    assert_true(engine_query(w.engine, CLIENT_OPERATOR, id, &status));
    return status.outcome;
}

static uint64_t count(enum counter counter)
{
    return engine_metrics(w.engine)->counters[counter];
}

/* The carrier writes it; it is not read yet. */
static void write_on(uint16_t link, const char *number, uint8_t esm_class, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1},
                         .destination = {.ton = 1, .npi = 1, .digits = "12025550101"},
                         .esm_class = esm_class,
                         .short_message = span_from_string(text)};
    snprintf(out.source.digits, sizeof out.source.digits, "%s", number);
    assert_int_equal(session_submit(w.peers[link], &out, 1, w.now.mono_us), ERR_OK);
}

static void deliver_on(uint16_t link, const char *number, uint8_t esm_class, const char *text)
{
    write_on(link, number, esm_class, text);
    world_settle(&w);
}

static void write_receipt(const char *number, const char *carrier_id, const char *state)
{
    char text[128];
    snprintf(text, sizeof text, "id:%s sub:001 dlvrd:001 stat:%s err:000 text:x", carrier_id,
             state);
    write_on(0, number, ESM_TYPE_RECEIPT, text);
}

static void receipt(const char *number, const char *carrier_id, const char *state)
{
    write_receipt(number, carrier_id, state);
    world_settle(&w);
}

static void begin(enum id_form submit_id, enum id_form receipt_id)
{
    world_init(&w);
    w.carrier.submit_id = submit_id;
    w.carrier.receipt_id = receipt_id;
    world_start(&w);
}

/* Ids ------------------------------------------------------------------------------------------ */

static void check_ids(enum id_form submit_id, const char *in_response, enum id_form receipt_id,
                      const char *in_receipt, bool match)
{
    begin(submit_id, receipt_id);
    uint64_t id = sent(NUMBER, in_response);
    receipt(NUMBER, in_receipt, "DELIVRD");
    world_pass(&w, EARLY_MS);
    assert_int_equal(outcome_of(id), match ? DELIVERED : OPEN);
    assert_int_equal(count(COUNT_RECEIPTS_UNMATCHED), !match);
    assert_int_equal(w.deliver_ended, 1);
    assert_int_equal(w.deliver_status, ESME_ROK);
    world_release(&w);
}

static void test_id_hex_in_response_decimal_in_receipt(void **state)
{
    (void)state;
    check_ids(ID_HEX, "1F", ID_DEC, "31", true);
    check_ids(ID_HEX, "0000001f", ID_DEC, "0000000031", true);
    check_ids(ID_HEX, "1F", ID_DEC, "1F", false);
    check_ids(ID_RAW, "1F", ID_RAW, "31", false);
}

static void test_id_decimal_in_response_hex_in_receipt(void **state)
{
    (void)state;
    check_ids(ID_DEC, "3735928559", ID_HEX, "DEADBEEF", true);
    check_ids(ID_RAW, "3735928559", ID_HEX, "deadbeef", true);
    check_ids(ID_DEC, "31", ID_HEX, "31", false);
}

static void test_id_with_leading_zeros(void **state)
{
    (void)state;
    check_ids(ID_DEC, "0000123", ID_DEC, "123", true);
    check_ids(ID_DEC, "123", ID_DEC, "0000000000123", true);
    check_ids(ID_RAW, "0000123", ID_RAW, "123", false); /* nothing is stripped unasked */
    check_ids(ID_RAW, "0000123", ID_RAW, "0000123", true);
    check_ids(ID_HEX, "00aB", ID_HEX, "AB", true);
    check_ids(ID_RAW, "aB", ID_RAW, "AB", false);
}

static void test_id_uuid_and_64_characters(void **state)
{
    (void)state;
    static const char uuid[] = "9c1f7a52-6d5e-4c43-9a3e-1f0c2b7d8e90";
    static const char longest[] =
        "1234567890123456789012345678901234567890123456789012345678901234";
    for (int form = ID_RAW; form < ID_FORMS; form++) {
        check_ids((enum id_form)form, uuid, (enum id_form)form, uuid, true);
        check_ids((enum id_form)form, longest, (enum id_form)form, longest, true);
    }
}

static void test_one_carrier_gives_an_id_twice(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t first = sent(NUMBER, "7"), second = sent(OTHER, "7");
    assert_int_equal(count(COUNT_IDS_REPEATED), 1);
    receipt(OTHER, "7", "DELIVRD");
    assert_int_equal(outcome_of(first), OPEN);
    assert_int_equal(outcome_of(second), DELIVERED);
    receipt(OTHER, "7", "UNDELIV"); /* again, and the other one is not meant */
    assert_int_equal(outcome_of(first), OPEN);
    assert_int_equal(count(COUNT_RECEIPTS_REPEATED), 1);
    receipt(NUMBER, "7", "UNDELIV");
    assert_int_equal(outcome_of(first), UNDELIVERED);
    uint64_t third = sent(NUMBER, "8"), fourth = sent(NUMBER, "8");
    receipt(NUMBER, "8", "DELIVRD"); /* nothing tells them apart: first write wins */
    assert_int_equal(outcome_of(third), DELIVERED);
    assert_int_equal(outcome_of(fourth), OPEN);
    receipt(NUMBER, "8", "DELIVRD");
    assert_int_equal(outcome_of(fourth), DELIVERED);
    world_release(&w);
}

static void test_id_given_again_after_the_first_has_ended(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t first = sent(NUMBER, "7");
    receipt(NUMBER, "7", "DELIVRD");
    uint64_t second = sent(OTHER, "7");
    receipt(NUMBER, "7", "UNDELIV"); /* again, of the first: the second is not meant */
    assert_int_equal(outcome_of(first), DELIVERED);
    assert_int_equal(outcome_of(second), OPEN);
    assert_int_equal(count(COUNT_RECEIPTS_REPEATED), 1);
    receipt(OTHER, "7", "DELIVRD");
    assert_int_equal(outcome_of(second), DELIVERED);
    world_release(&w);
}

static void test_number_is_not_compared_while_an_id_is_alone(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "7");
    receipt("2025550123", "7", "DELIVRD"); /* as people dial it there */
    assert_int_equal(outcome_of(id), DELIVERED);
    world_release(&w);
}

/* When and where --------------------------------------------------------------------------------- */

static void write_response(const struct world_submit *submit_seen, const char *carrier_id)
{
    struct pdu_header header = {.command_id = SMPP_SUBMIT_SM,
                                .sequence_number = submit_seen->sequence_number};
    session_respond(w.peers[submit_seen->link], &header, ESME_ROK, span_from_string(carrier_id));
}

static void respond(const struct world_submit *submit_seen, const char *carrier_id)
{
    write_response(submit_seen, carrier_id);
    world_settle(&w);
}

static void test_receipt_before_submit_sm_resp(void **state)
{
    (void)state;
    begin(ID_HEX, ID_DEC);
    w.silent = true;
    uint64_t id = submit(NUMBER, "code 123456");
    receipt(NUMBER, "31", "DELIVRD");
    assert_int_equal(w.deliver_ended, 0); /* its answer may be just behind it */
    respond(&w.submits[0], "1F");
    assert_int_equal(outcome_of(id), DELIVERED);
    assert_int_equal(w.deliver_ended, 1);
    assert_int_equal(w.deliver_status, ESME_ROK);
    assert_int_equal(count(COUNT_RECEIPTS_UNMATCHED), 0);
    world_release(&w);
}

static void test_receipts_before_both_answers_that_give_the_same_id(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    w.silent = true;
    uint64_t first = submit(NUMBER, "code 123456"), second = submit(OTHER, "code 654321");
    receipt(NUMBER, "7", "UNDELIV");
    receipt(OTHER, "7", "DELIVRD");
    respond(&w.submits[0], "7");
    respond(&w.submits[1], "7");
    assert_int_equal(outcome_of(first), UNDELIVERED);
    assert_int_equal(outcome_of(second), DELIVERED);
    world_release(&w);
}

static void test_receipt_long_before_submit_sm_resp_is_answered_and_joined(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    w.silent = true;
    uint64_t id = submit(NUMBER, "code 123456");
    receipt(NUMBER, "77", "ENROUTE");
    receipt(NUMBER, "77", "UNDELIV");
    world_pass(&w, EARLY_MS);
    assert_int_equal(w.deliver_ended, 2);
    world_pass(&w, 5000);
    respond(&w.submits[0], "77");
    assert_int_equal(outcome_of(id), UNDELIVERED);
    world_release(&w);
}

static void test_receipt_on_another_session_than_the_submit(void **state)
{
    (void)state;
    world_init(&w);
    w.carrier.sessions = 2;
    w.carrier.window = 1; /* one each, by turns */
    world_start(&w);
    for (int i = 0; i < 2; i++) {
        uint64_t id = sent(NUMBER, "5");
        uint16_t other = (uint16_t)(1 - w.submits[i].link);
        deliver_on(other, NUMBER, ESM_TYPE_RECEIPT, "id:5 stat:DELIVRD");
        assert_int_equal(outcome_of(id), DELIVERED);
    }
    assert_int_not_equal(w.submits[0].link, w.submits[1].link);
    world_release(&w);
}

/* Sessions are read one after the other: what one of them has behind it is known when receipts are looked at. */
static void test_receipt_read_before_submit_sm_resp_of_another_session(void **state)
{
    (void)state;
    world_init(&w);
    w.carrier.sessions = 2;
    w.carrier.window = 1; /* one each, by turns */
    world_start(&w);
    w.silent = true;
    submit(NUMBER, "code 123456");
    uint64_t id = submit(OTHER, "code 654321");
    assert_int_equal(w.submits[1].link, 1); /* read last */
    write_on(0, OTHER, ESM_TYPE_RECEIPT, "id:7 stat:DELIVRD");
    write_response(&w.submits[1], "7");
    world_settle(&w);
    assert_int_equal(outcome_of(id), DELIVERED);
    assert_int_equal(count(COUNT_RECEIPTS_PARKED), 0);
    world_release(&w);
}

static void test_receipt_twice_late_contradictory_intermediate(void **state)
{
    (void)state;
    static const char *const on_its_way[] = {"ENROUTE", "ACCEPTD", "BUFFRED"};
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "9");
    for (size_t i = 0; i < 3; i++) {
        receipt(NUMBER, "9", on_its_way[i]);
        assert_int_equal(outcome_of(id), OPEN);
    }
    receipt(NUMBER, "9", "DELIVRD");
    assert_int_equal(outcome_of(id), DELIVERED);
    uint64_t records = w.next;
    receipt(NUMBER, "9", "DELIVRD");
    receipt(NUMBER, "9", "UNDELIV");
    receipt(NUMBER, "9", "ENROUTE");
    assert_int_equal(outcome_of(id), DELIVERED);
    assert_int_equal(count(COUNT_RECEIPTS_REPEATED), 3);
    assert_int_equal(count(COUNT_RECEIPTS_UNMATCHED), 0);
    assert_int_equal(w.next, records);
    assert_int_equal(w.deliver_ended, 7);
    assert_int_equal(w.deliver_status, ESME_ROK);
    world_release(&w);
}

static void test_repeated_receipt_does_not_resolve_another_message_in_doubt(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t first = sent(NUMBER, "9");
    receipt(NUMBER, "9", "DELIVRD");
    w.silent = true;
    uint64_t second = submit(NUMBER, "code 654321");
    world_pass(&w, w.carrier.request_timeout_ms + 1000);
    world_pass(&w, EARLY_MS);
    assert_int_equal(outcome_of(second), IN_DOUBT);
    receipt(NUMBER, "9", "DELIVRD");
    world_pass(&w, EARLY_MS);
    assert_int_equal(outcome_of(second), IN_DOUBT);
    receipt(NUMBER, "10", "UNDELIV"); /* this one can only be its */
    world_pass(&w, EARLY_MS);
    assert_int_equal(outcome_of(second), UNDELIVERED);
    assert_int_equal(outcome_of(first), DELIVERED);
    world_release(&w);
}

static void test_late_receipt_does_not_resolve_another_message_in_doubt(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t first = sent(NUMBER, "9");
    world_pass(&w, w.carrier.receipt_timeout_ms + 1000);
    assert_int_equal(outcome_of(first), NO_RECEIPT);
    w.silent = true;
    uint64_t second = submit(NUMBER, "code 654321");
    world_pass(&w, w.carrier.request_timeout_ms + 1000);
    world_pass(&w, EARLY_MS);
    receipt(NUMBER, "9", "DELIVRD"); /* days late: recorded, and changes nothing */
    world_pass(&w, EARLY_MS);
    assert_int_equal(count(COUNT_RECEIPTS_UNMATCHED), 1);
    assert_int_equal(outcome_of(first), NO_RECEIPT);
    assert_int_equal(outcome_of(second), IN_DOUBT);
    world_release(&w);
}

static void test_receipt_of_an_unknown_id_is_answered_counted_recorded(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t records = w.next;
    receipt(NUMBER, "never-given", "DELIVRD");
    world_pass(&w, EARLY_MS);
    assert_int_equal(w.deliver_ended, 1);
    assert_int_equal(w.deliver_status, ESME_ROK);
    assert_int_equal(count(COUNT_RECEIPTS_UNMATCHED), 1);
    assert_int_equal(w.next, records + 1);
    const struct world_record *r = &w.records[records];
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
    assert_int_equal(event->body_case, ASSENT__V1__EVENT__BODY_RECEIPT);
    assert_true(event->receipt->unmatched);
    assert_string_equal(event->receipt->carrier, "alpha");
    assert_string_equal(event->receipt->carrier_message_id, "never-given");
    assent__v1__event__free_unpacked(event, NULL);
    deliver_on(0, NUMBER, ESM_TYPE_RECEIPT, "nothing to read"); /* no id at all */
    assert_int_equal(w.deliver_ended, 2);
    assert_int_equal(w.deliver_status, ESME_ROK);
    assert_int_equal(count(COUNT_RECEIPTS_UNMATCHED), 2);
    world_release(&w);
}

static void test_receipt_state_that_nobody_knows_decides_nothing_and_is_kept(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "9");
    uint64_t record = w.next;
    receipt(NUMBER, "9", "WEIRDST");
    assert_int_equal(outcome_of(id), OPEN);
    const struct world_record *r = &w.records[record];
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
    assert_string_equal(event->receipt->state_text, "WEIRDST");
    assent__v1__event__free_unpacked(event, NULL);
    receipt(NUMBER, "9", "DELIVRD");
    assert_int_equal(outcome_of(id), DELIVERED);
    world_release(&w);
}

/* Where it stands -------------------------------------------------------------------------------- */

static void test_subscriber_types_a_receipt(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "1");
    deliver_on(0, NUMBER, 0, "id:1 stat:DELIVRD");
    assert_int_equal(outcome_of(id), OPEN);
    assert_int_equal(count(COUNT_REPLIES), 1);
    assert_int_equal(count(COUNT_RECEIPTS), 0);
    w.carrier.receipts_by_text = YES;
    deliver_on(0, NUMBER, 0, "STOP id:1 stat:DELIVRD");
    assert_int_equal(count(COUNT_RECEIPTS), 0);
    deliver_on(0, NUMBER, 0, "id:1 stat:DELIVRD");
    assert_int_equal(outcome_of(id), DELIVERED);
    world_release(&w);
}

static struct span data_sm(uint8_t *out, size_t size, const char *payload)
{
    struct writer writer = writer_over(out, size);
    size_t length = strlen(payload);
    write_u32(&writer, (uint32_t)(16 + 1 + 2 + sizeof NUMBER + 2 + sizeof "12025550101" + 3 + 4) +
                           (uint32_t)length);
    write_u32(&writer, SMPP_DATA_SM);
    write_u32(&writer, 0);
    write_u32(&writer, 42);
    write_u8(&writer, 0); /* service_type */
    write_u8(&writer, 1);
    write_u8(&writer, 1);
    write_octets(&writer, NUMBER, sizeof NUMBER);
    write_u8(&writer, 1);
    write_u8(&writer, 1);
    write_octets(&writer, "12025550101", sizeof "12025550101");
    write_u8(&writer, ESM_TYPE_RECEIPT);
    write_u8(&writer, 0); /* registered_delivery */
    write_u8(&writer, 0); /* data_coding */
    write_u16(&writer, TLV_MESSAGE_PAYLOAD);
    write_u16(&writer, (uint16_t)length);
    write_octets(&writer, payload, length);
    assert_false(writer.failed);
    return span_of(out, writer_length(&writer));
}

static void test_receipt_in_data_sm(void **state)
{
    (void)state;
    uint8_t pdu[256];
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "3");
    struct span octets = data_sm(pdu, sizeof pdu, "id:3 stat:UNDELIV err:001");
    engine_on_link_octets(w.engine, 0, 0, octets, w.now);
    world_settle(&w);
    assert_int_equal(outcome_of(id), UNDELIVERED);
    world_release(&w);
}

static void deliver_tlvs(const struct tlv *tlvs, size_t tlv_count, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1, .digits = NUMBER},
                         .destination = {.ton = 1, .npi = 1, .digits = "12025550101"},
                         .esm_class = ESM_TYPE_RECEIPT,
                         .short_message = span_from_string(text),
                         .tlvs = tlvs,
                         .tlv_count = tlv_count};
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static void test_receipt_in_message_payload(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "3");
    struct tlv payload = {TLV_MESSAGE_PAYLOAD, span_from_string("id:3 stat:DELIVRD err:000")};
    deliver_tlvs(&payload, 1, "");
    assert_int_equal(outcome_of(id), DELIVERED);
    world_release(&w);
}

static void test_receipt_tlvs_win_over_its_text(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "3"), other = sent(NUMBER, "4");
    uint64_t record = w.next;
    struct tlv tlvs[] = {{TLV_RECEIPTED_MESSAGE_ID, span_of("3", 2)},
                         {TLV_MESSAGE_STATE, span_of("\x05", 1)},
                         {TLV_NETWORK_ERROR_CODE, span_of("\x03\x00\x45", 3)}};
    deliver_tlvs(tlvs, 3, "id:4 stat:DELIVRD err:000");
    assert_int_equal(outcome_of(id), UNDELIVERED);
    assert_int_equal(outcome_of(other), OPEN);
    const struct world_record *r = &w.records[record];
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
    assert_string_equal(event->receipt->error_code, "3:69");
    assent__v1__event__free_unpacked(event, NULL);
    world_release(&w);
}

/* Long messages ---------------------------------------------------------------------------------- */

static char *long_text(void)
{
    static char text[301];
    memset(text, 'x', sizeof text - 1);
    return text;
}

static void test_long_message_is_delivered_when_every_part_is(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = submit(NUMBER, long_text());
    assert_int_equal(w.submit_count, 2);
    receipt(NUMBER, "id2", "DELIVRD");
    receipt(NUMBER, "id2", "DELIVRD"); /* the other part is still meant to report */
    assert_int_equal(outcome_of(id), OPEN);
    receipt(NUMBER, "id1", "DELIVRD");
    assert_int_equal(outcome_of(id), DELIVERED);
    world_release(&w);
}

static void test_long_message_fails_with_its_part(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = submit(NUMBER, long_text());
    receipt(NUMBER, "id1", "UNDELIV");
    receipt(NUMBER, "id2", "DELIVRD");
    assert_int_equal(outcome_of(id), UNDELIVERED);
    world_release(&w);
}

static void test_long_message_with_only_one_receipt_given(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t silent = submit(NUMBER, long_text()), failed = submit(NUMBER, long_text());
    receipt(NUMBER, "id2", "DELIVRD");
    receipt(NUMBER, "id3", "UNDELIV");
    world_pass(&w, w.carrier.receipt_timeout_ms + 1000);
    assert_int_equal(outcome_of(silent), NO_RECEIPT);
    assert_int_equal(outcome_of(failed), UNDELIVERED);
    world_release(&w);
}

static void test_long_message_with_a_part_that_needs_no_receipt(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    w.silent = true;
    w.carrier.window = 1; /* a part at a time */
    uint64_t id = submit(NUMBER, long_text());
    respond(&w.submits[0], "");
    for (int i = 0; i < 20 && w.submit_count < 2; i++)
        world_pass(&w, 10);
    respond(&w.submits[1], "55");
    assert_int_equal(outcome_of(id), OPEN);
    receipt(NUMBER, "55", "DELIVRD");
    assert_int_equal(outcome_of(id), DELIVERED);
    world_release(&w);
}

static uint8_t asked[WORLD_SUBMITS];
static size_t asked_count;

static void look_whether_asked(const struct sm_body *body)
{
    asked[asked_count++] = body->registered_delivery;
}

static void begin_with_last_part_alone(void)
{
    begin(ID_RAW, ID_RAW);
    w.carrier.receipt_parts = RECEIPT_OF_LAST;
    w.on_submit = look_whether_asked;
    asked_count = 0;
}

static void test_long_message_only_one_parts_receipt_asked(void **state)
{
    (void)state;
    begin_with_last_part_alone();
    uint64_t delivered = submit(NUMBER, long_text()), failed = submit(NUMBER, long_text());
    submit(OTHER, "code 123456");
    assert_int_equal(asked_count, 5);
    assert_memory_equal(asked, "\0\1\0\1\1", 5);
    receipt(NUMBER, "id2", "DELIVRD");
    assert_int_equal(outcome_of(delivered), DELIVERED);
    receipt(NUMBER, "id4", "UNDELIV");
    assert_int_equal(outcome_of(failed), UNDELIVERED);
    world_release(&w);
}

static void test_long_message_receipt_of_a_part_that_was_not_asked(void **state)
{
    (void)state;
    begin_with_last_part_alone();
    uint64_t one = submit(NUMBER, long_text()), two = submit(NUMBER, long_text());
    receipt(NUMBER, "id1", "DELIVRD"); /* before the one that ends it */
    assert_int_equal(outcome_of(one), OPEN);
    receipt(NUMBER, "id2", "DELIVRD");
    receipt(NUMBER, "id1", "UNDELIV"); /* after it */
    assert_int_equal(outcome_of(one), DELIVERED);
    receipt(NUMBER, "id3", "UNDELIV"); /* a text without its beginning has not arrived */
    receipt(NUMBER, "id4", "DELIVRD");
    assert_int_equal(outcome_of(two), UNDELIVERED);
    world_pass(&w, EARLY_MS);
    assert_int_equal(count(COUNT_RECEIPTS_UNMATCHED), 0);
    assert_int_equal(count(COUNT_RECEIPTS_REPEATED), 1);
    world_release(&w);
}

static void test_long_message_whose_last_part_has_no_id(void **state)
{
    (void)state;
    begin_with_last_part_alone();
    w.silent = true;
    w.carrier.window = 1;
    uint64_t id = submit(NUMBER, long_text());
    respond(&w.submits[0], "44");
    for (int i = 0; i < 20 && w.submit_count < 2; i++)
        world_pass(&w, 10);
    respond(&w.submits[1], "");
    assert_int_equal(outcome_of(id), NO_RECEIPT);
    world_release(&w);
}

static void test_long_message_only_one_receipt_asked_before_a_restart_and_new_settings(void **state)
{
    (void)state;
    begin_with_last_part_alone();
    uint64_t one = submit(NUMBER, long_text()), two = submit(OTHER, long_text());
    receipt(OTHER, "id3", "UNDELIV");
    w.carrier.receipt_parts = RECEIPTS_OF_ALL; /* what was written before is not asked again */
    world_stop(&w);
    world_start(&w);
    receipt(NUMBER, "id2", "DELIVRD");
    assert_int_equal(outcome_of(one), DELIVERED);
    receipt(OTHER, "id4", "DELIVRD");
    assert_int_equal(outcome_of(two), UNDELIVERED);
    world_release(&w);
}

static void test_submit_sm_resp_without_id_expects_no_receipt(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t id = sent(NUMBER, "");
    assert_int_equal(outcome_of(id), NO_RECEIPT);
    world_release(&w);
}

/* Restart ---------------------------------------------------------------------------------------- */

static void test_receipts_are_matched_after_a_restart(void **state)
{
    (void)state;
    begin(ID_HEX, ID_DEC);
    w.next_id = 0xa0;
    uint64_t one = sent(NUMBER, "0000001F");
    w.give_id = NULL;
    uint64_t two = submit(OTHER, long_text()); /* "id162", "id163" */
    receipt(OTHER, "id163", "DELIVRD");
    receipt(NUMBER, "20", "DELIVRD"); /* of an answer that has not come yet */
    world_pass(&w, EARLY_MS);
    world_stop(&w);
    world_start(&w);
    receipt(NUMBER, "31", "UNDELIV");
    assert_int_equal(outcome_of(one), UNDELIVERED);
    assert_int_equal(outcome_of(two), OPEN);
    receipt(OTHER, "id162", "DELIVRD");
    assert_int_equal(outcome_of(two), DELIVERED);
    world_pass(&w, 2000); /* the first second of a process sends nothing */
    assert_int_equal(outcome_of(sent(NUMBER, "14")), DELIVERED); /* had its receipt before */
    world_release(&w);
}

static void test_new_id_settings_hold_for_messages_sent_before(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    uint64_t first = sent(NUMBER, "1F"), second = sent(NUMBER, "0020");
    receipt(NUMBER, "31", "DELIVRD");
    world_pass(&w, EARLY_MS);
    assert_int_equal(outcome_of(first), OPEN);
    w.carrier.submit_id = ID_HEX;
    w.carrier.receipt_id = ID_DEC;
    engine_reconfigure(w.engine, w.now);
    receipt(NUMBER, "31", "DELIVRD");
    receipt(NUMBER, "32", "UNDELIV");
    assert_int_equal(outcome_of(first), DELIVERED);
    assert_int_equal(outcome_of(second), UNDELIVERED);
    world_release(&w);
}

/* SIGHUP comes between a read and the turn that looks at it; what held until then is freed. */
static void test_what_was_read_before_a_new_configuration_is_spelled_by_the_old(void **state)
{
    (void)state;
    begin(ID_HEX, ID_DEC);
    uint64_t id = sent(NUMBER, "1F");
    write_receipt(NUMBER, "31", "DELIVRD");
    struct buffer *written = session_output(w.peers[0]);
    engine_on_link_octets(w.engine, 0, 0, buffer_span(written), w.now);
    buffer_consume(written, buffer_length(written));
    struct carrier_config *fresh = malloc(sizeof *fresh);
    *fresh = w.carrier;
    fresh->submit_id = fresh->receipt_id = ID_RAW;
    engine_before_reconfigure(w.engine, w.now);
    memset(&w.carrier, 0xa5, sizeof w.carrier);
    w.config.carriers = fresh;
    engine_reconfigure(w.engine, w.now);
    assert_int_equal(outcome_of(id), DELIVERED);
    world_release(&w);
    free(fresh);
}

/* Hints ------------------------------------------------------------------------------------------ */

static const char *hint(void)
{
    struct carrier_status status;
    engine_carrier_status(w.engine, 0, w.now, &status);
    return status.receipt_hint;
}

enum spelling { DEC, DEC_10, DEC_12, HEX_LOW, HEX_HIGH, HEX_LOW_8, HEX_HIGH_8, OF_ANOTHER };

static const char *spelt(enum spelling spelling, unsigned id)
{
    static char out[32];
    switch (spelling) {
    case DEC:
        snprintf(out, sizeof out, "%u", id);
        break;
    case DEC_10:
        snprintf(out, sizeof out, "%010u", id);
        break;
    case DEC_12:
        snprintf(out, sizeof out, "%012u", id);
        break;
    case HEX_LOW:
        snprintf(out, sizeof out, "%x", id);
        break;
    case HEX_HIGH:
        snprintf(out, sizeof out, "%X", id);
        break;
    case HEX_LOW_8:
        snprintf(out, sizeof out, "%08x", id);
        break;
    case HEX_HIGH_8:
        snprintf(out, sizeof out, "%08X", id);
        break;
    case OF_ANOTHER:
        snprintf(out, sizeof out, "other%u", id);
        break;
    }
    return out;
}

static void check_hint(enum spelling in_response, enum spelling in_receipt, const char *expected)
{
    begin(ID_RAW, ID_RAW);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(hint(), "");
        (void)sent(NUMBER, spelt(in_response, 0xabcdef0 + i));
        receipt(NUMBER, spelt(in_receipt, 0xabcdef0 + i), "DELIVRD");
        world_pass(&w, EARLY_MS);
    }
    assert_string_equal(hint(), expected);
    world_pass(&w, 11 * 60 * 1000);
    assert_string_equal(hint(), "");
    world_release(&w);
}

static void test_hint_names_the_setting_that_would_match(void **state)
{
    (void)state;
    check_hint(DEC, HEX_LOW, "receipt_id: hex");
    check_hint(DEC, HEX_HIGH_8, "receipt_id: hex");
    check_hint(HEX_HIGH, DEC, "submit_id: hex");
    check_hint(HEX_LOW_8, DEC_10, "submit_id: hex, receipt_id: dec");
    check_hint(DEC, DEC_10, "receipt_id: dec");
    check_hint(DEC_12, DEC, "submit_id: dec");
    check_hint(HEX_LOW, HEX_HIGH, "submit_id: hex, receipt_id: hex");
    check_hint(DEC, DEC, "");        /* they match */
    check_hint(DEC, OF_ANOTHER, ""); /* nothing would do */
}

static void test_hint_costs_a_bounded_amount_of_work(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    for (unsigned i = 0; i < 60; i++) /* a minute's share is used up by what would never match */
        receipt(NUMBER, spelt(OF_ANOTHER, i), "DELIVRD");
    world_pass(&w, EARLY_MS);
    for (unsigned i = 100; i < 103; i++) {
        (void)sent(NUMBER, spelt(DEC, i));
        receipt(NUMBER, spelt(HEX_LOW, i), "DELIVRD");
    }
    world_pass(&w, EARLY_MS);
    assert_string_equal(hint(), "");
    world_pass(&w, 60000);
    for (unsigned i = 100; i < 103; i++)
        receipt(NUMBER, spelt(HEX_LOW, i), "DELIVRD");
    world_pass(&w, EARLY_MS);
    assert_string_equal(hint(), "receipt_id: hex");
    world_release(&w);
}

/* What cannot be stored --------------------------------------------------------------------------- */

static void check_refused(const char *text, uint8_t esm_class, uint32_t refuse_status)
{
    world_init(&w);
    w.carrier.refuse_status = refuse_status;
    world_start(&w);
    w.stuck = true;
    deliver_on(0, NUMBER, esm_class, text);
    world_pass(&w, EARLY_MS);
    world_pass(&w, STOP_HOLD_MS - EARLY_MS - 1);
    assert_int_equal(w.deliver_ended, 0); /* not before it is durable */
    w.no_space = true;
    world_pass(&w, EARLY_MS + 1);
    assert_int_equal(w.deliver_ended, 1);
    assert_int_equal(w.deliver_status, refuse_status);
    w.stuck = w.no_space = false;
    deliver_on(0, NUMBER, esm_class, text); /* again, as carriers do */
    world_pass(&w, EARLY_MS);
    assert_int_equal(w.deliver_ended, 2);
    assert_int_equal(w.deliver_status, ESME_ROK);
    world_release(&w);
}

static void test_reply_or_receipt_that_cannot_be_stored_is_refused(void **state)
{
    (void)state;
    static const uint32_t statuses[] = {ESME_RSYSERR, ESME_RMSGQFUL, ESME_RX_T_APPN};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        check_refused("thank you", 0, statuses[i]);
        check_refused("STOP", 0, statuses[i]);
        check_refused("id:1 stat:DELIVRD", ESM_TYPE_RECEIPT, statuses[i]);
    }
}

static void test_slow_disk_is_not_a_full_one(void **state)
{
    (void)state;
    begin(ID_RAW, ID_RAW);
    w.stuck = true;
    deliver_on(0, NUMBER, 0, "thank you");
    world_pass(&w, 5000);
    assert_int_equal(w.deliver_ended, 0);
    w.stuck = false;
    world_pass(&w, 1);
    assert_int_equal(w.deliver_ended, 1);
    assert_int_equal(w.deliver_status, ESME_ROK);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_hex_in_response_decimal_in_receipt),
        cmocka_unit_test(test_id_decimal_in_response_hex_in_receipt),
        cmocka_unit_test(test_id_with_leading_zeros),
        cmocka_unit_test(test_id_uuid_and_64_characters),
        cmocka_unit_test(test_one_carrier_gives_an_id_twice),
        cmocka_unit_test(test_id_given_again_after_the_first_has_ended),
        cmocka_unit_test(test_number_is_not_compared_while_an_id_is_alone),
        cmocka_unit_test(test_receipt_before_submit_sm_resp),
        cmocka_unit_test(test_receipts_before_both_answers_that_give_the_same_id),
        cmocka_unit_test(test_receipt_long_before_submit_sm_resp_is_answered_and_joined),
        cmocka_unit_test(test_receipt_on_another_session_than_the_submit),
        cmocka_unit_test(test_receipt_read_before_submit_sm_resp_of_another_session),
        cmocka_unit_test(test_receipt_twice_late_contradictory_intermediate),
        cmocka_unit_test(test_repeated_receipt_does_not_resolve_another_message_in_doubt),
        cmocka_unit_test(test_late_receipt_does_not_resolve_another_message_in_doubt),
        cmocka_unit_test(test_receipt_of_an_unknown_id_is_answered_counted_recorded),
        cmocka_unit_test(test_receipt_state_that_nobody_knows_decides_nothing_and_is_kept),
        cmocka_unit_test(test_subscriber_types_a_receipt),
        cmocka_unit_test(test_receipt_in_data_sm),
        cmocka_unit_test(test_receipt_in_message_payload),
        cmocka_unit_test(test_receipt_tlvs_win_over_its_text),
        cmocka_unit_test(test_long_message_is_delivered_when_every_part_is),
        cmocka_unit_test(test_long_message_fails_with_its_part),
        cmocka_unit_test(test_long_message_with_only_one_receipt_given),
        cmocka_unit_test(test_long_message_with_a_part_that_needs_no_receipt),
        cmocka_unit_test(test_long_message_only_one_parts_receipt_asked),
        cmocka_unit_test(test_long_message_receipt_of_a_part_that_was_not_asked),
        cmocka_unit_test(test_long_message_whose_last_part_has_no_id),
        cmocka_unit_test(
            test_long_message_only_one_receipt_asked_before_a_restart_and_new_settings),
        cmocka_unit_test(test_submit_sm_resp_without_id_expects_no_receipt),
        cmocka_unit_test(test_receipts_are_matched_after_a_restart),
        cmocka_unit_test(test_new_id_settings_hold_for_messages_sent_before),
        cmocka_unit_test(test_what_was_read_before_a_new_configuration_is_spelled_by_the_old),
        cmocka_unit_test(test_hint_names_the_setting_that_would_match),
        cmocka_unit_test(test_hint_costs_a_bounded_amount_of_work),
        cmocka_unit_test(test_reply_or_receipt_that_cannot_be_stored_is_refused),
        cmocka_unit_test(test_slow_disk_is_not_a_full_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against what carriers really send. Every PDU lies in a heap block of its exact size, so
 * that a sanitizer sees a read of one octet too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "smpp/decode.h"
#include "smpp/status.h"

static uint8_t octets[PDU_MAX];
static struct writer pdu;
static uint8_t *exact;

static void begin(uint32_t command_id, uint32_t command_status)
{
    pdu = writer_over(octets, sizeof octets);
    write_u32(&pdu, 0);
    write_u32(&pdu, command_id);
    write_u32(&pdu, command_status);
    write_u32(&pdu, 7);
}

static void add_string(const char *string)
{
    write_octets(&pdu, string, strlen(string) + 1);
}

static void add_tlv(uint16_t tag, const void *value, uint16_t length)
{
    write_u16(&pdu, tag);
    write_u16(&pdu, length);
    write_octets(&pdu, value, length);
}

static struct span copy_exactly(size_t length)
{
    free(exact);
    exact = malloc(length);
    assert_non_null(exact);
    memcpy(exact, octets, length);
    return span_of(exact, length);
}

static struct span end(void)
{
    assert_false(pdu.failed);
    store_u32(octets, (uint32_t)writer_length(&pdu));
    return copy_exactly(writer_length(&pdu));
}

static int free_exact(void **state)
{
    (void)state;
    free(exact);
    exact = NULL;
    return 0;
}

static void assert_span(struct span span, const char *expected)
{
    assert_int_equal(span.length, strlen(expected));
    assert_memory_equal(span.data, expected, span.length);
}

/* Everything up to sm_length. */
static void add_sm_front(uint32_t command_id, const char *source, const char *destination)
{
    begin(command_id, 0);
    add_string("CMT");
    write_u8(&pdu, 5);
    write_u8(&pdu, 0);
    add_string(source);
    write_u8(&pdu, 1);
    write_u8(&pdu, 1);
    add_string(destination);
    write_u8(&pdu, ESM_TYPE_RECEIPT);
    if (command_id != SMPP_DATA_SM) {
        write_u8(&pdu, 0x7f);
        write_u8(&pdu, 2);
        add_string("261121120000000+");
        add_string("000000010000000R");
    }
    write_u8(&pdu, 1);
    if (command_id != SMPP_DATA_SM)
        write_u8(&pdu, 1);
    write_u8(&pdu, 8);
    if (command_id != SMPP_DATA_SM)
        write_u8(&pdu, 3);
}

static void frame_is_whole_only_with_its_last_octet(void **state)
{
    (void)state;
    begin(SMPP_ENQUIRE_LINK, 0);
    struct span whole = end();
    for (size_t length = 0; length < whole.length; length++) {
        struct pdu_header header;
        struct span part = copy_exactly(length);
        assert_int_equal(decode_frame(part, PDU_MAX, &header), FRAME_NEED_MORE);
    }
    struct pdu_header header;
    whole = copy_exactly(16);
    assert_int_equal(decode_frame(whole, PDU_MAX, &header), FRAME_WHOLE);
    assert_int_equal(header.command_length, 16);
    assert_int_equal(header.command_id, SMPP_ENQUIRE_LINK);
    assert_int_equal(header.command_status, 0);
    assert_int_equal(header.sequence_number, 7);
}

static void frame_of_bad_length_is_known_from_four_octets(void **state)
{
    (void)state;
    static const struct {
        uint32_t command_length;
        enum frame_result result;
    } rows[] = {
        {0, FRAME_BAD_LENGTH},
        {4, FRAME_BAD_LENGTH},
        {15, FRAME_BAD_LENGTH},
        {16, FRAME_NEED_MORE},
        {PDU_UNBOUND_MAX, FRAME_NEED_MORE},
        {PDU_UNBOUND_MAX + 1, FRAME_BAD_LENGTH},
        {0x80000000u, FRAME_BAD_LENGTH},
        {UINT32_MAX, FRAME_BAD_LENGTH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t four[4];
        struct pdu_header header;
        store_u32(four, rows[i].command_length);
        assert_int_equal(decode_frame(span_of(four, 4), PDU_UNBOUND_MAX, &header), rows[i].result);
    }
}

static void deliver_sm_fields(void **state)
{
    (void)state;
    add_sm_front(SMPP_DELIVER_SM, "ACME", "12025550100");
    write_u8(&pdu, 5);
    write_octets(&pdu, "Hello", 5);
    add_tlv(TLV_MESSAGE_STATE, "\2", 1);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_span(body.service_type, "CMT");
    assert_int_equal(body.source.ton, 5);
    assert_string_equal(body.source.digits, "ACME");
    assert_int_equal(body.destination.npi, 1);
    assert_string_equal(body.destination.digits, "12025550100");
    assert_int_equal(body.esm_class, ESM_TYPE_RECEIPT);
    assert_int_equal(body.protocol_id, 0x7f);
    assert_int_equal(body.priority_flag, 2);
    assert_span(body.schedule_delivery_time, "261121120000000+");
    assert_span(body.validity_period, "000000010000000R");
    assert_int_equal(body.registered_delivery, 1);
    assert_int_equal(body.replace_if_present_flag, 1);
    assert_int_equal(body.data_coding, 8);
    assert_int_equal(body.sm_default_msg_id, 3);
    assert_span(body.text, "Hello");
    assert_int_equal(body.tlvs.count, 1);
    assert_int_equal(body.tlvs.passed_over, 0);
    assert_non_null(tlv_find(&body.tlvs, TLV_MESSAGE_STATE));
    assert_null(tlv_find(&body.tlvs, TLV_MESSAGE_PAYLOAD));
}

static void data_sm_carries_its_text_in_message_payload(void **state)
{
    (void)state;
    add_sm_front(SMPP_DATA_SM, "12025550101", "12025550100");
    add_tlv(TLV_MESSAGE_PAYLOAD, "Hello", 5);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_int_equal(body.registered_delivery, 1);
    assert_int_equal(body.data_coding, 8);
    assert_int_equal(body.protocol_id, 0);
    assert_int_equal(body.schedule_delivery_time.length, 0);
    assert_span(body.text, "Hello");
}

static void short_message_of_255_octets_is_taken(void **state)
{
    (void)state;
    char text[255];
    memset(text, 'x', sizeof text);
    add_sm_front(SMPP_DELIVER_SM, "1", "2");
    write_u8(&pdu, 255);
    write_octets(&pdu, text, sizeof text);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_int_equal(body.text.length, 255);
}

static void short_message_wins_over_message_payload(void **state)
{
    (void)state;
    add_sm_front(SMPP_DELIVER_SM, "1", "2");
    write_u8(&pdu, 2);
    write_octets(&pdu, "ab", 2);
    add_tlv(TLV_MESSAGE_PAYLOAD, "Hello", 5);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_span(body.text, "ab");
}

static void message_payload_may_fill_the_pdu(void **state)
{
    (void)state;
    static char text[60000];
    memset(text, 'y', sizeof text);
    add_sm_front(SMPP_DELIVER_SM, "1", "2");
    write_u8(&pdu, 0);
    add_tlv(TLV_MESSAGE_PAYLOAD, text, sizeof text);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_int_equal(body.text.length, sizeof text);
}

static void unknown_ton_and_npi_are_taken(void **state)
{
    (void)state;
    add_sm_front(SMPP_SUBMIT_SM, "1", "2");
    octets[20] = 7;
    octets[21] = 200;
    write_u8(&pdu, 0);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_int_equal(body.source.ton, 7);
    assert_int_equal(body.source.npi, 200);
}

static void addresses_above_21_octets_are_refused(void **state)
{
    (void)state;
    struct sm_body body;
    add_sm_front(SMPP_SUBMIT_SM, "123456789012345678901", "2");
    write_u8(&pdu, 0);
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_string_equal(body.source.digits, "123456789012345678901");
    add_sm_front(SMPP_SUBMIT_SM, "1234567890123456789012", "2");
    write_u8(&pdu, 0);
    assert_int_equal(decode_sm(end(), &body), ESME_RINVSRCADR);
    add_sm_front(SMPP_SUBMIT_SM, "1", "1234567890123456789012");
    write_u8(&pdu, 0);
    assert_int_equal(decode_sm(end(), &body), ESME_RINVDSTADR);
}

static void sm_length_beyond_the_pdu_is_refused(void **state)
{
    (void)state;
    add_sm_front(SMPP_SUBMIT_SM, "1", "2");
    write_u8(&pdu, 6);
    write_octets(&pdu, "Hello", 5);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_RINVMSGLEN);
}

static void tlvs_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    add_sm_front(SMPP_SUBMIT_SM, "1", "2");
    write_u8(&pdu, 0);
    for (uint16_t i = 0; i < TLV_MAX + 3; i++)
        add_tlv((uint16_t)(0x1400 + i), "", 0);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_int_equal(body.tlvs.count, TLV_MAX);
    assert_int_equal(body.tlvs.passed_over, 3);
    assert_int_equal(body.tlvs.items[TLV_MAX - 1].tag, 0x1400 + TLV_MAX - 1);
}

static void tlv_of_an_unexpected_length_is_kept_as_it_is(void **state)
{
    (void)state;
    add_sm_front(SMPP_DELIVER_SM, "1", "2");
    write_u8(&pdu, 0);
    add_tlv(TLV_MESSAGE_STATE, "\0\2", 2);
    add_tlv(TLV_RECEIPTED_MESSAGE_ID, "a1", 2);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_int_equal(body.tlvs.count, 2);
    assert_span(tlv_find(&body.tlvs, TLV_RECEIPTED_MESSAGE_ID)->value, "a1");
}

static void broken_last_tlv_does_not_cost_the_message(void **state)
{
    (void)state;
    add_sm_front(SMPP_DELIVER_SM, "1", "2");
    write_u8(&pdu, 4);
    write_octets(&pdu, "STOP", 4);
    add_tlv(TLV_USER_MESSAGE_REFERENCE, "\0\1", 2);
    write_u16(&pdu, 0x1401);
    write_u16(&pdu, 10);
    write_octets(&pdu, "abc", 3);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_ROK);
    assert_span(body.text, "STOP");
    assert_int_equal(body.tlvs.count, 1);
    assert_int_equal(body.tlvs.passed_over, 1);
}

static void broken_message_payload_is_refused(void **state)
{
    (void)state;
    add_sm_front(SMPP_DELIVER_SM, "1", "2");
    write_u8(&pdu, 0);
    write_u16(&pdu, TLV_MESSAGE_PAYLOAD);
    write_u16(&pdu, 10);
    write_octets(&pdu, "abc", 3);
    struct sm_body body;
    assert_int_equal(decode_sm(end(), &body), ESME_RINVOPTPARSTREAM);
}

static void bind_of_any_interface_version_and_password_length(void **state)
{
    (void)state;
    static const uint8_t versions[] = {0x00, 0x33, 0x34, 0x50, 0xff};
    for (size_t i = 0; i < sizeof versions; i++) {
        begin(SMPP_BIND_TRANSCEIVER, 0);
        add_string("acme");
        add_string("a password of more than eight octets");
        add_string("SMPP");
        write_u8(&pdu, versions[i]);
        write_u8(&pdu, 1);
        write_u8(&pdu, 2);
        add_string("^1202");
        struct bind_body bind;
        assert_int_equal(decode_bind(end(), &bind), ESME_ROK);
        assert_span(bind.system_id, "acme");
        assert_span(bind.password, "a password of more than eight octets");
        assert_span(bind.system_type, "SMPP");
        assert_int_equal(bind.interface_version, versions[i]);
        assert_int_equal(bind.addr_ton, 1);
        assert_int_equal(bind.addr_npi, 2);
        assert_span(bind.address_range, "^1202");
    }
}

static void bind_that_ends_early_is_refused(void **state)
{
    (void)state;
    begin(SMPP_BIND_TRANSCEIVER, 0);
    add_string("acme");
    write_octets(&pdu, "secret", 6);
    struct bind_body bind;
    assert_int_equal(decode_bind(end(), &bind), ESME_RINVCMDLEN);
}

static void responses_in_all_their_forms(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *body;
        size_t length;
        const char *id;
        uint16_t tlvs;
    } rows[] = {
        {0, "", 0, "", 0},                               /* success without a body */
        {0, "", 1, "", 0},                               /* success with an empty id */
        {0, "abc", 4, "abc", 0},                         /* as the specification says */
        {0, "abc", 3, "abc", 0},                         /* without the NUL */
        {0, "abc\0\x04\x28\0\1x", 9, "abc", 1},          /* with a TLV */
        {0x45, "", 0, "", 0},                            /* error without a body */
        {0x45, "", 1, "", 0},                            /* error with a body */
        {0x45, "abc", 4, "abc", 0},                      /* error with an id */
        {0x404, "abc\0\x04\x25\0\1x\x04", 10, "abc", 1}, /* vendor status, broken tail */
        {0, "0b9d7c9e-7a43-4f0e-9d3b-2f9a3c1d5e6f", 37, "0b9d7c9e-7a43-4f0e-9d3b-2f9a3c1d5e6f", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(SMPP_SUBMIT_SM | SMPP_RESPONSE, rows[i].status);
        write_octets(&pdu, rows[i].body, rows[i].length);
        struct message_id_body body;
        struct span whole = end();
        decode_message_resp(whole, &body);
        assert_span(body.message_id, rows[i].id);
        assert_int_equal(body.tlvs.count, rows[i].tlvs);
        assert_span(decode_message_id(whole), rows[i].id);
    }
}

static void message_id_at_its_limit(void **state)
{
    (void)state;
    char id[MESSAGE_ID_MAX + 2] = {0};
    memset(id, '7', MESSAGE_ID_MAX);
    begin(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0);
    add_string(id);
    assert_span(decode_message_id(end()), id);
    id[MESSAGE_ID_MAX] = '7';
    begin(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0);
    add_string(id);
    assert_int_equal(decode_message_id(end()).length, 0);
}

static void bind_resp_with_and_without_a_body(void **state)
{
    (void)state;
    struct bind_resp_body body;
    begin(SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, ESME_RINVPASWD);
    decode_bind_resp(end(), &body);
    assert_int_equal(body.system_id.length, 0);
    assert_int_equal(body.tlvs.count, 0);
    begin(SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, 0);
    add_string("carrier");
    add_tlv(TLV_SC_INTERFACE_VERSION, "\x34", 1);
    decode_bind_resp(end(), &body);
    assert_span(body.system_id, "carrier");
    assert_int_equal(tlv_find(&body.tlvs, TLV_SC_INTERFACE_VERSION)->value.data[0], 0x34);
}

static void decode_anything(struct span whole)
{
    static struct sm_body sm;
    static struct message_id_body response;
    static struct bind_resp_body bind_resp;
    struct bind_body bind;
    (void)!decode_sm(whole, &sm);
    (void)!decode_bind(whole, &bind);
    decode_bind_resp(whole, &bind_resp);
    decode_message_resp(whole, &response);
    (void)decode_message_id(whole);
}

static void every_prefix_of_a_message_is_safe_and_refused(void **state)
{
    (void)state;
    add_sm_front(SMPP_SUBMIT_SM, "ACME", "12025550100");
    write_u8(&pdu, 5);
    write_octets(&pdu, "Hello", 5);
    size_t mandatory = writer_length(&pdu);
    add_tlv(TLV_USER_MESSAGE_REFERENCE, "\0\1", 2);
    size_t whole = writer_length(&pdu);
    for (size_t length = SMPP_HEADER_SIZE; length < whole; length++) {
        struct sm_body body;
        struct span part = copy_exactly(length);
        assert_int_equal(decode_sm(part, &body) == ESME_ROK, length >= mandatory);
        decode_anything(part);
    }
}

static void noise_is_safe(void **state)
{
    (void)state;
    struct rng rng = {.state = 1};
    for (int round = 0; round < 20000; round++) {
        size_t length = SMPP_HEADER_SIZE + rng_below(&rng, 100);
        for (size_t i = 0; i < length; i++)
            octets[i] = rng_chance(&rng, 400000) ? 0 : (uint8_t)rng_next(&rng);
        if (rng_chance(&rng, 500000))
            store_u32(octets + 4, SMPP_DATA_SM);
        decode_anything(copy_exactly(length));
    }
}

static void every_status_has_its_name_and_policy(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *name;
        enum status_policy policy;
    } rows[] = {
        {0x00, "ESME_ROK", STATUS_OK},
        {0x08, "ESME_RSYSERR", STATUS_RETRY},
        {0x0b, "ESME_RINVDSTADR", STATUS_PERMANENT},
        {0x14, "ESME_RMSGQFUL", STATUS_THROTTLE},
        {0x58, "ESME_RTHROTTLED", STATUS_THROTTLE},
        {0x64, "ESME_RX_T_APPN", STATUS_RETRY},
        {0xff, "ESME_RUNKNOWNERR", STATUS_PERMANENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(status_name(rows[i].status), rows[i].name);
        assert_int_equal(status_policy(rows[i].status), rows[i].policy);
    }
    static const uint32_t unknown[] = {0x09, 0x10, 0x100, 0x400, 0x4ff, UINT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_null(status_name(unknown[i]));
        assert_int_equal(status_policy(unknown[i]), STATUS_UNKNOWN_PERMANENT);
    }
    size_t named = 0;
    for (uint32_t status = 0; status <= 0xff; status++)
        named += status_name(status) != NULL;
    assert_int_equal(named, 48); /* section 5.1.3 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_is_whole_only_with_its_last_octet),
        cmocka_unit_test(frame_of_bad_length_is_known_from_four_octets),
        cmocka_unit_test(deliver_sm_fields),
        cmocka_unit_test(data_sm_carries_its_text_in_message_payload),
        cmocka_unit_test(short_message_of_255_octets_is_taken),
        cmocka_unit_test(short_message_wins_over_message_payload),
        cmocka_unit_test(message_payload_may_fill_the_pdu),
        cmocka_unit_test(unknown_ton_and_npi_are_taken),
        cmocka_unit_test(addresses_above_21_octets_are_refused),
        cmocka_unit_test(sm_length_beyond_the_pdu_is_refused),
        cmocka_unit_test(tlvs_beyond_the_limit_are_counted),
        cmocka_unit_test(tlv_of_an_unexpected_length_is_kept_as_it_is),
        cmocka_unit_test(broken_last_tlv_does_not_cost_the_message),
        cmocka_unit_test(broken_message_payload_is_refused),
        cmocka_unit_test(bind_of_any_interface_version_and_password_length),
        cmocka_unit_test(bind_that_ends_early_is_refused),
        cmocka_unit_test(responses_in_all_their_forms),
        cmocka_unit_test(message_id_at_its_limit),
        cmocka_unit_test(bind_resp_with_and_without_a_body),
        cmocka_unit_test(every_prefix_of_a_message_is_safe_and_refused),
        cmocka_unit_test(noise_is_safe),
        cmocka_unit_test(every_status_has_its_name_and_policy),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, free_exact);
}

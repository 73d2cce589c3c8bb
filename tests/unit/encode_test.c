/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder at its edges; that its octets are right in general is smpp_oracle_test.c's work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smpp/decode.h"
#include "smpp/encode.h"

static struct buffer out;

static int make_buffer(void **state)
{
    (void)state;
    buffer_init(&out, SESSION_OUTPUT_MAX);
    return 0;
}

static int release_buffer(void **state)
{
    (void)state;
    buffer_release(&out);
    return 0;
}

static struct sm_out message(void)
{
    return (struct sm_out){
        .source = {.ton = 5, .digits = "ACME"},
        .destination = {.ton = 1, .npi = 1, .digits = "12025550100"},
        .esm_class = ESM_UDHI,
        .registered_delivery = 1,
        .data_coding = 8,
        .short_message = span_from_string("Hello"),
    };
}

static enum err encode(const struct sm_out *sm)
{
    return encode_sm(&out, SMPP_SUBMIT_SM, 9, sm);
}

static void submit_sm_comes_back_from_the_decoder(void **state)
{
    (void)state;
    struct sm_out sm = message();
    const struct tlv tlv = {.tag = TLV_SAR_MSG_REF_NUM, .value = span_of("\1\2", 2)};
    sm.tlvs = &tlv;
    sm.tlv_count = 1;
    assert_int_equal(encode(&sm), ERR_OK);
    struct pdu_header header;
    assert_int_equal(decode_frame(buffer_span(&out), PDU_MAX, &header), FRAME_WHOLE);
    assert_int_equal(header.command_length, buffer_length(&out));
    assert_int_equal(header.sequence_number, 9);
    struct sm_body body;
    assert_int_equal(decode_sm(buffer_span(&out), &body), ESME_ROK);
    assert_string_equal(body.source.digits, "ACME");
    assert_string_equal(body.destination.digits, "12025550100");
    assert_int_equal(body.esm_class, ESM_UDHI);
    assert_int_equal(body.registered_delivery, 1);
    assert_int_equal(body.data_coding, 8);
    assert_true(span_equal(body.text, sm.short_message));
    assert_true(span_equal(body.tlvs.items[0].value, tlv.value));
}

static void address_of_20_octets_is_the_longest(void **state)
{
    (void)state;
    struct sm_out sm = message();
    strcpy(sm.destination.digits, "12345678901234567890");
    assert_int_equal(encode(&sm), ERR_OK);
    strcpy(sm.destination.digits, "123456789012345678901");
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
    memset(sm.destination.digits, '1', sizeof sm.destination.digits);
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
}

static void service_type_and_validity_period_at_their_limits(void **state)
{
    (void)state;
    struct sm_out sm = message();
    sm.service_type = span_from_string("CMT34");
    sm.validity_period = span_from_string("000001000000000R");
    assert_int_equal(encode(&sm), ERR_OK);
    struct sm_body body;
    assert_int_equal(decode_sm(buffer_span(&out), &body), ESME_ROK);
    assert_true(span_equal(body.service_type, sm.service_type));
    assert_true(span_equal(body.validity_period, sm.validity_period));
    sm.service_type = span_from_string("CMT345");
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
    sm.service_type = span_of("a\0b", 3);
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
    sm.service_type = (struct span){0};
    sm.validity_period = span_from_string("000001000000000R+");
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
}

static void short_message_of_254_octets_is_the_longest(void **state)
{
    (void)state;
    char text[SHORT_MESSAGE_MAX + 1] = {0};
    struct sm_out sm = message();
    sm.short_message = span_of(text, SHORT_MESSAGE_MAX);
    assert_int_equal(encode(&sm), ERR_OK);
    sm.short_message.length++;
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
}

static void short_message_never_goes_with_message_payload(void **state)
{
    (void)state;
    struct sm_out sm = message();
    const struct tlv tlv = {.tag = TLV_MESSAGE_PAYLOAD, .value = span_from_string("Hello")};
    sm.tlvs = &tlv;
    sm.tlv_count = 1;
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
    sm.short_message.length = 0;
    assert_int_equal(encode(&sm), ERR_OK);
}

static void pdu_of_pdu_max_is_the_largest(void **state)
{
    (void)state;
    static char payload[PDU_MAX];
    struct sm_out sm = message();
    sm.short_message.length = 0;
    assert_int_equal(encode(&sm), ERR_OK);
    size_t empty = buffer_length(&out);
    struct tlv tlv = {.tag = TLV_MESSAGE_PAYLOAD, .value = span_of(payload, PDU_MAX - empty - 4)};
    sm.tlvs = &tlv;
    sm.tlv_count = 1;
    assert_int_equal(encode(&sm), ERR_OK);
    assert_int_equal(buffer_length(&out), empty + PDU_MAX);
    tlv.value.length++;
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
    tlv.value.length = SIZE_MAX;
    assert_int_equal(encode(&sm), ERR_BAD_INPUT);
}

static void full_buffer_takes_nothing(void **state)
{
    (void)state;
    struct sm_out sm = message();
    assert_int_equal(encode(&sm), ERR_OK);
    size_t one = buffer_length(&out);
    out.limit = one * 2 - 1;
    assert_int_equal(encode(&sm), ERR_FULL);
    assert_int_equal(buffer_length(&out), one);
    out.limit = one + 15;
    assert_int_equal(encode_header(&out, SMPP_UNBIND, 0, 1), ERR_FULL);
    assert_int_equal(
        encode_message_resp(&out, SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, 1, span_from_string("1")),
        ERR_FULL);
    assert_int_equal(buffer_length(&out), one);
}

/* libsmpp34 refuses these four kinds; carriers ask for them. */
static void bind_with_a_long_password(void **state)
{
    (void)state;
    struct bind_body bind = {
        .system_id = span_from_string("sixteen-octets-0"),
        .password = span_from_string("0123456789abcdef"),
        .interface_version = 0x34,
    };
    assert_int_equal(encode_bind(&out, SMPP_BIND_TRANSMITTER, 3, &bind), ERR_OK);
    struct pdu_header header;
    assert_int_equal(decode_frame(buffer_span(&out), PDU_MAX, &header), FRAME_WHOLE);
    assert_int_equal(header.command_length, buffer_length(&out));
    assert_int_equal(header.command_id, SMPP_BIND_TRANSMITTER);
    struct bind_body got;
    assert_int_equal(decode_bind(buffer_span(&out), &got), ESME_ROK);
    assert_true(span_equal(got.system_id, bind.system_id));
    assert_true(span_equal(got.password, bind.password));
    assert_int_equal(got.interface_version, 0x34);
}

static void bind_fields_at_their_limits(void **state)
{
    (void)state;
    static const char text[] = "01234567890123456789012345678901234567890123456789012345678901234";
    struct bind_body bind = {0};
    bind.system_id = span_of(text, 16);
    bind.password = span_of(text, 64);
    bind.system_type = span_of(text, 13);
    bind.address_range = span_of(text, 40);
    assert_int_equal(encode_bind(&out, SMPP_BIND_RECEIVER, 1, &bind), ERR_OK);
    bind.password.length++;
    assert_int_equal(encode_bind(&out, SMPP_BIND_RECEIVER, 1, &bind), ERR_BAD_INPUT);
    bind.password = span_of("a\0b", 3);
    assert_int_equal(encode_bind(&out, SMPP_BIND_RECEIVER, 1, &bind), ERR_BAD_INPUT);
}

static void header_with_vendor_status_and_sequence_number_0(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 0, 0, 16, 0x80, 0, 0, 0, 0, 0, 4, 4, 0, 0, 0, 0};
    assert_int_equal(encode_header(&out, SMPP_GENERIC_NACK, 0x404, 0), ERR_OK);
    assert_int_equal(buffer_length(&out), sizeof expected);
    assert_memory_equal(buffer_span(&out).data, expected, sizeof expected);
}

static void bind_resp_with_vendor_status(void **state)
{
    (void)state;
    assert_int_equal(encode_bind_resp(&out, SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, 0x404, 1,
                                      span_from_string("carrier")),
                     ERR_OK);
    assert_int_equal(buffer_length(&out), 24);
    struct bind_resp_body body;
    decode_bind_resp(buffer_span(&out), &body);
    assert_int_equal(body.system_id.length, 7);
    assert_int_equal(body.tlvs.count, 0);
}

static void message_id_at_its_limit(void **state)
{
    (void)state;
    char id[MESSAGE_ID_MAX + 1];
    memset(id, '7', sizeof id);
    uint32_t command_id = SMPP_SUBMIT_SM | SMPP_RESPONSE;
    assert_int_equal(encode_message_resp(&out, command_id, 0, 1, span_of(id, MESSAGE_ID_MAX)),
                     ERR_OK);
    assert_int_equal(buffer_length(&out), ENCODE_MESSAGE_RESP_MAX);
    assert_int_equal(encode_message_resp(&out, command_id, 0, 1, span_of(id, sizeof id)),
                     ERR_BAD_INPUT);
    assert_int_equal(encode_message_resp(&out, command_id, 0, 1, span_of("a\0b", 3)),
                     ERR_BAD_INPUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_buffer, release_buffer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(submit_sm_comes_back_from_the_decoder),
        TEST(address_of_20_octets_is_the_longest),
        TEST(service_type_and_validity_period_at_their_limits),
        TEST(short_message_of_254_octets_is_the_longest),
        TEST(short_message_never_goes_with_message_payload),
        TEST(pdu_of_pdu_max_is_the_largest),
        TEST(full_buffer_takes_nothing),
        TEST(bind_with_a_long_password),
        TEST(bind_fields_at_their_limits),
        TEST(header_with_vendor_status_and_sequence_number_0),
        TEST(bind_resp_with_vendor_status),
        TEST(message_id_at_its_limit),
    };
    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* PDUs field by field: the tables, what is hidden, and what is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/cli/hex.c"
#include "proto/base/limits.h"
#include "smpp/encode.h"
#include "smpp/fields.h"
#include "smpp/show.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char shown[16384];

static void note(void *context, const char *name, const char *value)
{
    (void)context;
    size_t length = strlen(shown);
    snprintf(shown + length, sizeof shown - length, "%s=%s\n", name, value);
}

static struct hex given;

static struct span octets_of(const char *text)
{
    hex_release(&given);
    hex_init(&given, PDU_MAX);
    assert_int_equal(hex_read(&given, span_from_string(text)), HEX_READ);
    assert_int_equal(given.half, -1);
    return buffer_span(&given.octets);
}

static bool show(const char *text, bool private_too)
{
    shown[0] = '\0';
    return show_pdu(octets_of(text), private_too, note, NULL);
}

static void assert_shown(const char *line)
{
    if (strstr(shown, line) == NULL)
        fail_msg("not there: %s\nin:\n%s", line, shown);
}

static void assert_hidden(const char *word)
{
    if (strstr(shown, word) != NULL)
        fail_msg("there: %s\nin:\n%s", word, shown);
}

/* From "ACME" to +12025550100, UDH of part 1 of 2, "Hello", receipt asked, one vendor's TLV. */
static const char submit_sm[] = "0000004c 00000004 00000000 00000007"
                                "00 0500 41434d4500 0101 2b313230323535353031303000"
                                "40 00 00 00 00 01 00 00 00 0b 050003aa0201 48656c6c6f"
                                "1403 0003 414243 0204 0002 0009";

static void test_submit_sm_is_shown_without_numbers_and_texts(void **state)
{
    (void)state;
    assert_true(show(submit_sm, false));
    assert_shown("command_length=76\ncommand_id=0x00000004 submit_sm\ncommand_status=0x00000000 "
                 "ESME_ROK\nsequence_number=7\nservice_type=\"\"\nsource_addr_ton=5 alphanumeric\n"
                 "source_addr_npi=0 unknown\nsource_addr=\"aaaa\"\ndest_addr_ton=1 international\n"
                 "dest_addr_npi=1 E.164\ndestination_addr=\"+###########\"\nesm_class=0x40 UDHI\n");
    assert_shown("registered_delivery=1 receipt\n");
    assert_shown("sm_length=11\nudh=050003aa0201\nshort_message=hidden, 5 octets\n");
    assert_shown("tlv_0x1403=hidden, 3 octets\nuser_message_reference=9\n");
    assert_hidden("ACME");
    assert_hidden("Hello");
    assert_hidden("555");
    assert_hidden("414243");
}

static void test_texts_and_numbers_are_shown_when_asked(void **state)
{
    (void)state;
    assert_true(show(submit_sm, true));
    assert_shown("source_addr=\"ACME\"\n");
    assert_shown("destination_addr=\"+12025550100\"\n");
    assert_shown("udh=050003aa0201\nshort_message=\"Hello\"\noctets=48656c6c6f\n");
    assert_shown("tlv_0x1403=414243\n");
}

static void test_passwords_are_never_shown(void **state)
{
    (void)state;
    static const char bind[] = "00000024 00000009 00000000 00000001"
                               "61636d6500 7365637265743100 00 34 00 00 3432313700";
    for (int asked = 0; asked < 2; asked++) {
        assert_true(show(bind, asked != 0));
        assert_shown("system_id=\"acme\"\npassword=hidden, at most 8 octets\n");
        assert_shown("interface_version=52\n");
        assert_hidden("secret1");
        assert_hidden("73656372657431");
    }
    assert_true(show("0000001d 0000000b 00000000 00000001 61 00 70617373776f72643900", true));
    assert_shown("command_id=0x0000000b outbind\n");
    assert_shown("password=hidden, more than 8 octets\n");
}

static void test_control_characters_do_not_reach_a_terminal(void **state)
{
    (void)state;
    /* short_message in UCS-2: ESC, U+009B, a quote, a backslash, U+00E9. */
    assert_true(show("00000032 00000005 00000000 00000001 00 000000 0000 3100"
                     "00 00 00 00 00 00 00 08 00 0a 001b 009b 0022 005c 00e9"
                     "001e 0003 1b5b00",
                     true));
    assert_shown("short_message=\"\\x1b\\x9b\\\"\\\\\xc3\xa9\"\n");
    assert_shown("receipted_message_id=\"\\x1b[\"\n");
}

static void test_responses_may_end_early_or_without_a_nul(void **state)
{
    (void)state;
    assert_true(show("00000010 80000004 0000044f 00000002", false));
    assert_shown("command_status=0x0000044f\nsequence_number=2\n");
    assert_hidden("message_id");
    assert_true(show("00000013 80000004 00000000 00000002 616263", false));
    assert_shown("message_id=\"abc\"\n");
    assert_true(show("00000014 80000003 00000000 00000002 61 00 00 02", false));
    assert_shown("final_date=\"\"\nmessage_state=2 DELIVERED\n");
    assert_hidden("error_code");
}

static void test_lists_of_submit_multi(void **state)
{
    (void)state;
    assert_true(show("00000036 00000021 00000000 00000001 00 000000 02"
                     "01 0101 3132303235353530313000 02 6c69737400"
                     "00 00 00 00 00 00 00 00 00 02 6869",
                     true));
    assert_shown("number_of_dests=2\ndest_flag=1\ndest_addr_ton=1 international\n"
                 "dest_addr_npi=1 E.164\ndestination_addr=\"1202555010\"\n"
                 "dest_flag=2\ndl_name=\"list\"\nesm_class=0x00\n");
    assert_shown("short_message=\"hi\"\n");
    assert_true(show("00000023 80000021 00000000 00000001 6100 02"
                     "000031 00 0000000b 000032 00 00000045",
                     true));
    assert_shown("no_unsuccess=2\n");
    assert_shown("destination_addr=\"1\"\nerror_status_code=0x0000000b ESME_RINVDSTADR\n");
    assert_shown("error_status_code=0x00000045 ESME_RSUBMITFAIL\n");
    assert_false(show("00000016 00000021 00000000 00000001 00 000000 01 03", true));
    assert_shown("malformed=dest_flag cannot be read from octet 21 on\nrest=03\n");
}

static void test_what_cannot_be_read_is_named_with_its_place(void **state)
{
    (void)state;
    assert_false(show("00000014 00000004 00000000 00000001 00 01 01 31", false));
    assert_shown("malformed=source_addr cannot be read from octet 19 on\nrest=hidden, 1 octets\n");
    assert_false(show("00000012 00000004 00000000 00000001 00 01", false));
    assert_shown("malformed=source_addr_npi cannot be read from octet 18 on: the PDU ends there\n");
    assert_false(show("00000017 80000004 00000000 00000001 6100 0424 0009 31", true));
    assert_shown("malformed=tlv cannot be read from octet 18 on\nrest=0424000931\n");
    assert_false(show("00000012 00000abc 00000000 00000001 0102", true));
    assert_shown("command_id=0x00000abc unknown\n");
    assert_shown("malformed=body cannot be read from octet 16 on\nrest=0102\n");
    assert_true(show("00000010 00000abc 00000000 00000001", true));
}

/* A text at SHOW_OCTETS_MAX is whole, one octet more is cut. */
static void test_long_texts_are_cut(void **state)
{
    (void)state;
    static uint8_t pdu[PDU_MAX];
    for (size_t length = SHOW_OCTETS_MAX; length < sizeof pdu - 64; length += length) {
        for (size_t more = 0; more < 2; more++) {
            struct buffer out;
            buffer_init(&out, PDU_MAX);
            memset(pdu, '"', sizeof pdu); /* the longest to show */
            struct tlv payload = {.tag = TLV_MESSAGE_PAYLOAD, .value = span_of(pdu, length + more)};
            struct sm_out sm = {.data_coding = 3, .tlvs = &payload, .tlv_count = 1};
            assert_int_equal(encode_sm(&out, SMPP_SUBMIT_SM, 1, &sm), ERR_OK);
            shown[0] = '\0';
            assert_true(show_pdu(buffer_span(&out), true, note, NULL));
            assert_shown("message_payload=\"\\\"\\\"");
            assert_int_equal(strstr(shown, "... (") != NULL, length + more > SHOW_OCTETS_MAX);
            buffer_release(&out);
        }
    }
}

/* Cut anywhere, each PDU is walked to an end inside its octets. */
static void test_every_prefix_ends(void **state)
{
    (void)state;
    struct span whole = octets_of(submit_sm);
    for (uint32_t id = 0; id < 0x110; id++) {
        for (size_t length = SMPP_HEADER_SIZE; length <= whole.length; length++) {
            uint8_t *pdu = malloc(length);
            assert_non_null(pdu);
            memcpy(pdu, whole.data, length);
            store_u32(pdu + 4, id | (length % 2 != 0 ? SMPP_RESPONSE : 0));
            struct fields walk;
            struct field field;
            size_t fields = 0, at = 0;
            for (fields_begin(&walk, span_of(pdu, length)); fields_next(&walk, &field);) {
                assert_true(field.offset >= at && field.offset + field.octets.length <= length);
                assert_true(field.is_tlv || field.name != NULL);
                at = field.offset;
                fields++;
            }
            assert_in_range(fields, 4, 64);
            free(pdu);
        }
    }
}

static void test_hex_has_spaces_anywhere_and_bad_digits_have_a_place(void **state)
{
    (void)state;
    struct span octets = octets_of(" 0\t0 1\r\n0ff A a ");
    assert_memory_equal(octets.data, "\x00\x10\xff\xaa", 4);
    struct hex hex;
    hex_init(&hex, 4);
    assert_int_equal(hex_read(&hex, span_from_string("00 01\n02 0x")), HEX_NO_DIGIT);
    assert_int_equal(hex.line, 2);
    assert_int_equal(hex.column, 5);
    hex_release(&hex);
    hex_init(&hex, 4);
    assert_int_equal(hex_read(&hex, span_from_string("00010203")), HEX_READ);
    assert_int_equal(hex_read(&hex, span_from_string("04")), HEX_TOO_MANY);
    hex_release(&hex);
}

static void test_as_many_octets_as_the_limit_says(void **state)
{
    (void)state;
    struct hex hex;
    static char zeros[65536];
    memset(zeros, '0', sizeof zeros);
    hex_init(&hex, SHOWN_PDUS_MAX);
    for (size_t i = 0; i < SHOWN_PDUS_MAX / (sizeof zeros / 2); i++)
        assert_int_equal(hex_read(&hex, span_of(zeros, sizeof zeros)), HEX_READ);
    assert_int_equal(buffer_length(&hex.octets), SHOWN_PDUS_MAX);
    assert_int_equal(hex_read(&hex, span_of(zeros, 2)), HEX_TOO_MANY);
    hex_release(&hex);
}

static int release(void **state)
{
    (void)state;
    hex_release(&given);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_sm_is_shown_without_numbers_and_texts),
        cmocka_unit_test(test_texts_and_numbers_are_shown_when_asked),
        cmocka_unit_test(test_passwords_are_never_shown),
        cmocka_unit_test(test_control_characters_do_not_reach_a_terminal),
        cmocka_unit_test(test_responses_may_end_early_or_without_a_nul),
        cmocka_unit_test(test_lists_of_submit_multi),
        cmocka_unit_test(test_what_cannot_be_read_is_named_with_its_place),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_every_prefix_ends),
        cmocka_unit_test(test_as_many_octets_as_the_limit_says),
        cmocka_unit_test(test_hex_has_spaces_anywhere_and_bad_digits_have_a_place),
    };
    return cmocka_run_group_tests_name("show", tests, NULL, release);
}

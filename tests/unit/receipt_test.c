/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "smpp/receipt.h"

#define STATE(name) ASSENT__V1__RECEIPT_STATE__RECEIPT_##name

static const char *const state_names[] = {
    [STATE(UNSPECIFIED)] = "-",       [STATE(EN_ROUTE)] = "en_route",
    [STATE(DELIVERED)] = "delivered", [STATE(EXPIRED)] = "expired",
    [STATE(DELETED)] = "deleted",     [STATE(UNDELIVERABLE)] = "undeliverable",
    [STATE(ACCEPTED)] = "accepted",   [STATE(UNKNOWN)] = "unknown",
    [STATE(REJECTED)] = "rejected",
};

static void check_vector(char *line)
{
    char *text = strsep(&line, "\t"), *id = strsep(&line, "\t");
    char *state = strsep(&line, "\t"), *code = strsep(&line, "\t\n");
    struct receipt receipt;
    assert_non_null(code);
    bool expected = strcmp(id, "-") != 0;
    if (receipt_parse_text(span_from_string(text), &receipt) != expected)
        fail_msg("%s", text);
    if (!expected)
        return;
    assert_true(span_equal(receipt.message_id, span_from_string(id)));
    assert_string_equal(state_names[receipt.state], state);
    assert_string_equal(receipt.error_code, code);
}

static void test_receipt_text_variants(void **state)
{
    (void)state;
    char line[1024];
    FILE *file = fopen(VECTORS "/receipts.tsv", "r");
    unsigned cases = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        check_vector(line);
        cases++;
    }
    fclose(file);
    assert_true(cases >= 44);
}

static void add_tlv(struct sm_body *body, uint16_t tag, const char *value, size_t length)
{
    body->tlvs.items[body->tlvs.count++] =
        (struct tlv){.tag = tag, .value = span_of(value, length)};
}

static void test_receipt_tlvs_win_over_the_text(void **state)
{
    (void)state;
    struct sm_body body = {.esm_class = ESM_TYPE_RECEIPT,
                           .text = span_from_string("id:1 stat:EXPIRED err:7 text:x")};
    struct receipt receipt;
    add_tlv(&body, TLV_RECEIPTED_MESSAGE_ID, "abc\0", 4);
    add_tlv(&body, TLV_MESSAGE_STATE, "\x02", 1);
    add_tlv(&body, TLV_NETWORK_ERROR_CODE, "\x03\x00\x45", 3);
    assert_true(receipt_parse(&body, &receipt));
    assert_true(span_equal(receipt.message_id, span_from_string("abc")));
    assert_int_equal(receipt.state, STATE(DELIVERED));
    assert_true(span_equal(receipt.state_text, span_from_string("EXPIRED")));
    assert_string_equal(receipt.error_code, "3:69");
}

static void tlvs_are_enough(void **state)
{
    (void)state;
    struct sm_body body = {0};
    struct receipt receipt;
    add_tlv(&body, TLV_RECEIPTED_MESSAGE_ID, "77", 2); /* without its NUL */
    add_tlv(&body, TLV_MESSAGE_STATE, "\x05", 1);
    add_tlv(&body, TLV_NETWORK_ERROR_CODE, "\x03\x01\x45", 3);
    assert_true(receipt_is(&body));
    assert_true(receipt_parse(&body, &receipt));
    assert_true(span_equal(receipt.message_id, span_from_string("77")));
    assert_int_equal(receipt.state, STATE(UNDELIVERABLE));
    assert_string_equal(receipt.error_code, "3:325");
}

static void test_receipt_network_error_code_of_3_octets_or_3_digits(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t length;
        const char *code;
    } cases[] = {
        {"069", 3, "069"},
        {"\x01\x00\x00", 3, "1:0"},
        {"\xff\xff\xff", 3, "255:65535"},
        {"12", 2, ""},
        {"1234", 4, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sm_body body = {.esm_class = ESM_TYPE_RECEIPT};
        struct receipt receipt;
        add_tlv(&body, TLV_RECEIPTED_MESSAGE_ID, "1", 2);
        add_tlv(&body, TLV_NETWORK_ERROR_CODE, cases[i].value, cases[i].length);
        assert_true(receipt_parse(&body, &receipt));
        assert_string_equal(receipt.error_code, cases[i].code);
    }
}

static void message_state_values(void **state)
{
    (void)state;
    static const Assent__V1__ReceiptState expected[] = {
        STATE(EN_ROUTE), STATE(EN_ROUTE),      STATE(DELIVERED), STATE(EXPIRED),
        STATE(DELETED),  STATE(UNDELIVERABLE), STATE(ACCEPTED),  STATE(UNKNOWN),
        STATE(REJECTED), STATE(UNDELIVERABLE), STATE(EXPIRED), /* 10 is nothing: the text holds */
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct sm_body body = {.text = span_from_string("id:1 stat:EXPIRED")};
        struct receipt receipt;
        char value = (char)i;
        add_tlv(&body, TLV_MESSAGE_STATE, &value, 1);
        assert_true(receipt_parse(&body, &receipt));
        assert_int_equal(receipt.state, expected[i]);
    }
}

static void what_is_a_receipt(void **state)
{
    (void)state;
    struct sm_body body = {.text = span_from_string("id:1 stat:DELIVRD")};
    assert_false(receipt_is(&body)); /* typed by a subscriber */
    body.esm_class = ESM_TYPE_RECEIPT;
    assert_true(receipt_is(&body));
    body.esm_class = ESM_TYPE_INTERMEDIATE | ESM_UDHI;
    assert_true(receipt_is(&body));
    body.esm_class = 0x03 | ESM_UDHI;
    assert_false(receipt_is(&body));
    body.esm_class = 0x10; /* the handset's own answer */
    add_tlv(&body, TLV_RECEIPTED_MESSAGE_ID, "1", 2);
    add_tlv(&body, TLV_MESSAGE_STATE, "\x02", 1);
    assert_false(receipt_is(&body));
    body.esm_class = 0;
    assert_true(receipt_is(&body));
    body.tlvs.count = 1; /* the id alone: a STOP must not be taken for a receipt */
    assert_false(receipt_is(&body));
}

static void a_header_before_the_text_is_cut_off(void **state)
{
    (void)state;
    struct sm_body body = {.esm_class = ESM_TYPE_RECEIPT | ESM_UDHI,
                           .text = span_of("\x05\x00\x03\x01\x01\x01id:5 stat:DELIVRD", 23)};
    struct receipt receipt;
    assert_true(receipt_parse(&body, &receipt));
    assert_true(span_equal(receipt.message_id, span_from_string("5")));
}

static void no_id_is_no_receipt(void **state)
{
    (void)state;
    struct sm_body body = {.esm_class = ESM_TYPE_RECEIPT};
    struct receipt receipt = {.error_code = "kept"};
    assert_false(receipt_parse(&body, &receipt));
    add_tlv(&body, TLV_RECEIPTED_MESSAGE_ID, "\0", 1);
    add_tlv(&body, TLV_MESSAGE_STATE, "", 0);
    assert_false(receipt_parse(&body, &receipt));
    assert_false(receipt_parse_text((struct span){0}, &receipt));
    assert_string_equal(receipt.error_code, "kept");
}

static void test_receipt_state_that_nobody_knows_is_kept_raw(void **state)
{
    (void)state;
    struct sm_body body = {.esm_class = ESM_TYPE_RECEIPT,
                           .text = span_from_string("id:6 stat:WEIRDST err:000")};
    struct receipt receipt;
    assert_true(receipt_parse(&body, &receipt));
    assert_true(receipt.strange);
    assert_true(span_equal(receipt.state_text, span_from_string("WEIRDST")));
    add_tlv(&body, TLV_MESSAGE_STATE, "\x2a", 1); /* no better */
    assert_true(receipt_parse(&body, &receipt));
    assert_true(receipt.strange);
    body.tlvs.items[0].value = span_of("\x02", 1);
    assert_true(receipt_parse(&body, &receipt));
    assert_false(receipt.strange);
    assert_int_equal(receipt.state, STATE(DELIVERED));
    body.text = span_from_string("id:6 stat:UNKNOWN");
    body.tlvs.count = 0;
    assert_true(receipt_parse(&body, &receipt));
    assert_false(receipt.strange);
}

static void test_receipt_by_text_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"id:1 stat:DELIVRD", true},
        {"  ID: 1 sub:001 stat:UNDELIV err:1 text:x", true},
        {"id:1", false},
        {"id:1 stat:WEIRDST", false},
        {"stat:DELIVRD id:1", false},
        {"STOP id:1 stat:DELIVRD", false},
        {"STOP", false},
        {"id: stat:DELIVRD", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sm_body body = {.text = span_from_string(cases[i].text)};
        assert_int_equal(receipt_is_by_text(&body), cases[i].is);
        assert_false(receipt_is(&body));
        body.esm_class = 0x10; /* the handset's own answer */
        assert_false(receipt_is_by_text(&body));
    }
}

static void error_codes_become_printable(void **state)
{
    (void)state;
    struct receipt receipt;
    assert_true(receipt_parse_text(span_from_string("id:1 err:\xff\x80z"), &receipt));
    assert_string_equal(receipt.error_code, "??z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipt_text_variants),
        cmocka_unit_test(test_receipt_tlvs_win_over_the_text),
        cmocka_unit_test(tlvs_are_enough),
        cmocka_unit_test(test_receipt_network_error_code_of_3_octets_or_3_digits),
        cmocka_unit_test(message_state_values),
        cmocka_unit_test(what_is_a_receipt),
        cmocka_unit_test(a_header_before_the_text_is_cut_off),
        cmocka_unit_test(no_id_is_no_receipt),
        cmocka_unit_test(test_receipt_state_that_nobody_knows_is_kept_raw),
        cmocka_unit_test(test_receipt_by_text_alone),
        cmocka_unit_test(error_codes_become_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smpp/message_id.h"

static void check(const char *id, enum id_form form, const char *expected)
{
    char out[MESSAGE_ID_MAX];
    struct span got = message_id_comparable(span_from_string(id), form, out);
    if (!span_equal(got, span_from_string(expected)))
        fail_msg("%s as %s is %.*s, not %s", id, id_form_name(form), (int)got.length,
                 (const char *)got.data, expected);
}

static void test_message_id_hex_in_one_direction_decimal_in_the_other(void **state)
{
    (void)state;
    check("1F", ID_HEX, "31");
    check("31", ID_DEC, "31");
    check("deadBEEF", ID_HEX, "3735928559");
    check("3735928559", ID_DEC, "3735928559");
    check("ffffffffffffffff", ID_HEX, "18446744073709551615");
    check("0", ID_HEX, "0");
}

static void test_message_id_with_leading_zeros(void **state)
{
    (void)state;
    check("0000123", ID_RAW, "0000123");
    check("0000123", ID_DEC, "123");
    check("000000000000000000001f", ID_HEX, "31");
    check("0000", ID_DEC, "0");
    check("0000", ID_HEX, "0");
    check("000000000000000000000000000000000000000000000000000000000000001", ID_DEC, "1");
}

static void test_message_id_that_is_no_such_number_stays_raw(void **state)
{
    (void)state;
    static const char uuid[] = "9c1f7a52-6d5e-4c43-9a3e-1f0c2b7d8e90";
    for (int form = ID_RAW; form < ID_FORMS; form++) {
        check(uuid, (enum id_form)form, uuid);
        check("", (enum id_form)form, "");
        check("0x1F", (enum id_form)form, "0x1F");
        check("-1", (enum id_form)form, "-1");
        check(" 12", (enum id_form)form, " 12");
    }
    check("12a", ID_DEC, "12a");
    check("12g", ID_HEX, "12g");
    check("10000000000000000", ID_HEX, "10000000000000000"); /* 2^64 */
}

static void test_message_id_up_to_64_characters(void **state)
{
    (void)state;
    char id[MESSAGE_ID_MAX + 2], out[MESSAGE_ID_MAX];
    memset(id, '7', sizeof id);
    for (int form = ID_RAW; form < ID_FORMS; form++) {
        struct span whole = span_of(id, MESSAGE_ID_MAX);
        assert_true(span_equal(message_id_comparable(whole, (enum id_form)form, out), whole));
        assert_true(span_equal(
            message_id_comparable(span_of(id, MESSAGE_ID_MAX + 1), (enum id_form)form, out),
            whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_id_hex_in_one_direction_decimal_in_the_other),
        cmocka_unit_test(test_message_id_with_leading_zeros),
        cmocka_unit_test(test_message_id_that_is_no_such_number_stays_raw),
        cmocka_unit_test(test_message_id_up_to_64_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* TON, NPI and `+` by kind of sender; numbers as carriers write them; times in PDUs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "smpp/addressing.h"
#include "smpp/time_text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct smpp_address address(uint8_t ton, const char *digits)
{
    struct smpp_address a = {.ton = ton, .npi = 1};
    snprintf(a.digits, sizeof a.digits, "%s", digits);
    return a;
}

static void assert_address(const struct smpp_address *a, unsigned ton, unsigned npi,
                           const char *digits)
{
    assert_int_equal(a->ton, ton);
    assert_int_equal(a->npi, npi);
    assert_string_equal(a->digits, digits);
}

static void test_ton_and_npi_by_kind_of_sender(void **state)
{
    (void)state;
    struct addressing rules = addressing_default;
    struct smpp_address a;
    addressing_sender(&rules, "ACME Bank 24", &a); /* as long as the configuration lets it be */
    assert_address(&a, 5, 0, "ACME Bank 24");
    addressing_sender(&rules, "12345678", &a);
    assert_address(&a, 3, 0, "12345678");
    addressing_sender(&rules, "123456789", &a);
    assert_address(&a, 1, 1, "123456789");
    addressing_recipient(&rules, 12025550100, &a);
    assert_address(&a, 1, 1, "12025550100");
    rules.short_sender = (struct address_form){.ton = 0, .npi = 1};
    rules.international_sender.plus = true;
    rules.recipient = (struct address_form){.ton = 0, .npi = 0, .plus = true};
    addressing_sender(&rules, "12345", &a);
    assert_address(&a, 0, 1, "12345");
    addressing_sender(&rules, "120255501001234", &a);
    assert_address(&a, 1, 1, "+120255501001234");
    addressing_recipient(&rules, 999999999999999, &a);
    assert_address(&a, 0, 0, "+999999999999999");
}

static void test_numbers_are_read_leniently(void **state)
{
    (void)state;
    static const struct {
        uint8_t ton;
        const char *digits;
        uint64_t plain, american,
            german; /* no country; "1" and 10 digits; "49" by TON and 0 alone */
    } rows[] = {
        {1, "12025550100", 12025550100, 12025550100, 12025550100},
        {1, "+12025550100", 12025550100, 12025550100, 12025550100},
        {0, "0012025550100", 12025550100, 12025550100, 12025550100},
        {2, "2025550100", 2025550100, 12025550100, 492025550100},
        {0, "2025550100", 2025550100, 12025550100, 2025550100},
        {1, "2025550100", 2025550100, 12025550100, 2025550100},
        {1, "+2025550100", 2025550100, 2025550100, 2025550100},
        {2, "01715550100", 0, 11715550100, 491715550100},
        {0, "01715550100", 0, 11715550100, 491715550100},
        {1, "491715550100", 491715550100, 491715550100, 491715550100},
        {5, "ACME", 0, 0, 0},
        {0, "", 0, 0, 0},
        {0, "+", 0, 0, 0},
        {0, "++12025550100", 0, 0, 0},
        {0, "00+12025550100", 0, 0, 0},
        {0, "000012025550100", 0, 0, 0},
        {1, "1202555010012345", 0, 0, 0},
        {2, "12345678901234567890", 0, 0, 0},
        {1, "1202555 0100", 0, 0, 0},
    };
    struct addressing american = addressing_default, german = addressing_default;
    strcpy(american.country, "1");
    american.national_digits = 10;
    strcpy(german.country, "49");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct smpp_address a = address(rows[i].ton, rows[i].digits);
        assert_int_equal(addressing_number(&addressing_default, &a), rows[i].plain);
        assert_int_equal(addressing_number(&american, &a), rows[i].american);
        assert_int_equal(addressing_number(&german, &a), rows[i].german);
    }
}

static bool is(const struct addressing *rules, const struct smpp_address *a, const char *sender)
{
    struct address_reading reading;
    addressing_read(rules, a, &reading);
    return address_reading_is(&reading, sender);
}

static void test_our_own_senders_are_known_however_they_are_written(void **state)
{
    (void)state;
    struct addressing rules = addressing_default;
    strcpy(rules.country, "1");
    rules.national_digits = 10;
    static const char *const same[] = {"12025550100", "+12025550100", "0012025550100", "2025550100",
                                       "02025550100"};
    for (size_t i = 0; i < COUNT(same); i++) {
        struct smpp_address a = address(1, same[i]);
        assert_true(is(&rules, &a, "12025550100"));
        assert_false(is(&rules, &a, "12025550101"));
    }
    struct smpp_address code = address(3, "12345"), name = address(5, "ACME");
    assert_true(is(&rules, &code, "12345"));
    assert_true(is(&rules, &name, "ACME"));
    assert_false(is(&rules, &name, "ACM"));
    struct smpp_address empty = address(0, "");
    assert_false(is(&rules, &empty, "12345"));
}

static void test_times_in_pdus(void **state)
{
    (void)state;
    char text[TIME_TEXT_SIZE];
    time_text_relative(((2 * 24 + 3) * 3600 + 4 * 60 + 5) * 1000ull + 999, text);
    assert_string_equal(text, "000002030405000R");
    time_text_relative(0, text);
    assert_string_equal(text, "000000000000000R");
    time_text_relative(UINT64_MAX, text);
    assert_string_equal(text, "000099235959000R");
    time_text_absolute(1795315500700ull, text);
    assert_string_equal(text, "261122024500700+");
    time_text_absolute(0, text);
    assert_string_equal(text, "700101000000000+");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ton_and_npi_by_kind_of_sender),
        cmocka_unit_test(test_numbers_are_read_leniently),
        cmocka_unit_test(test_our_own_senders_are_known_however_they_are_written),
        cmocka_unit_test(test_times_in_pdus),
    };
    return cmocka_run_group_tests_name("addressing", tests, NULL, NULL);
}

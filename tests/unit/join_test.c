/* SPDX-License-Identifier: Apache-2.0 */
/* Words with which a handset begins a double opt-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "consent/join.h"

static bool joins(const char *text, const char *word)
{
    return join_matches(span_from_string(text), word);
}

static void join_and_the_word_or_a_distinctive_word_alone(void **state)
{
    (void)state;
    assert_true(joins("JOIN ACME", "acme"));
    assert_true(joins("  join   Acme! ", "ACME"));
    assert_true(joins("\"Acme.\"", "acme"));
    assert_true(joins("join caf\u00e9", "CAFE"));
    assert_false(joins("join", "acme"));
    assert_false(joins("please join acme", "acme"));
    assert_false(joins("join acme now", "acme"));
    assert_false(joins("acme is great", "acme"));
    assert_false(joins("", "acme"));
    assert_true(joins("join \"acme\"", "acme"));
    assert_true(joins("JOIN *acme*", "*acme*"));
    assert_true(joins("join vip", "vip"));
    assert_false(joins("vip", "vip")); /* three letters could be anything */
    char text[KEYWORD_TEXT_MAX + 2];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = ' ';
    text[sizeof text - 1] = '\0';
    assert_false(joins(text, "acme"));
}

static void a_word_that_means_something_is_none(void **state)
{
    (void)state;
    assert_null(join_word_fault("acme"));
    assert_null(join_word_fault("12345678901234567890123456789012")); /* 32 octets */
    assert_non_null(join_word_fault("123456789012345678901234567890123"));
    assert_non_null(join_word_fault(""));
    assert_non_null(join_word_fault("?!"));
    assert_non_null(join_word_fault("acme news"));
    assert_non_null(join_word_fault("stop"));
    assert_non_null(join_word_fault("stpo"));
    assert_non_null(join_word_fault("yes"));
    assert_non_null(join_word_fault("help"));
    assert_non_null(join_word_fault("start"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_and_the_word_or_a_distinctive_word_alone),
        cmocka_unit_test(a_word_that_means_something_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

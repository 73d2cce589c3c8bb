/* SPDX-License-Identifier: Apache-2.0 */
/* Answers speak the language of the word; of a word that many languages use, that of the country. */
#include "consent/language.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *of(const char *text, uint64_t number)
{
    struct keyword_match match = keyword_match(span_from_string(text), false);
    return language_of_reply(&match, number);
}

static void a_word_of_one_language_tells(void **state)
{
    (void)state;
    assert_string_equal(of("arrêt", 12025550100), "fr");
    assert_string_equal(of("baja", 33612345601), "es");
    assert_string_equal(of("إيقاف", 12025550100), "ar");
    assert_string_equal(of("unsubscribe", 34612345602), "en");
    assert_string_equal(of("AIDE", 34612345602), "fr");
}

static void of_a_shared_word_the_country_tells(void **state)
{
    (void)state;
    static const char *const words[] = {"STOP",    "stop.", "Stpo", "Stop please",
                                        "stopall", "START", "?",    "info"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_string_equal(of(words[i], 33612345601), "fr");
        assert_string_equal(of(words[i], 34612345602), "es");
        assert_string_equal(of(words[i], 966512345603), "ar");
        assert_string_equal(of(words[i], 447700900123), "en");
        assert_string_equal(of(words[i], 12025550100), ""); /* the program's own */
    }
}

static void countries_are_found_by_their_code_alone(void **state)
{
    (void)state;
    assert_string_equal(language_of_number(52155512345), "es"); /* 52 */
    assert_string_equal(language_of_number(50255512345), "es"); /* 502 */
    assert_string_equal(language_of_number(50155512345), "");   /* 501 */
    assert_string_equal(language_of_number(41795551234), "");   /* four official languages */
    assert_string_equal(language_of_number(21255512345), "");   /* Arabic and Amazigh, and French */
    assert_string_equal(language_of_number(20105551234), "ar");
    assert_string_equal(language_of_number(12345), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_of_one_language_tells),
        cmocka_unit_test(of_a_shared_word_the_country_tells),
        cmocka_unit_test(countries_are_found_by_their_code_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own texts: what each must say, and that it fits one part where it can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/keyword.h"
#include "consent/reply.h"

#define KIND(name) ASSENT__V1__SERVICE_KIND__##name

static const Assent__V1__ServiceKind kinds[] = {KIND(OPT_OUT_CONFIRMATION), KIND(HELP_REPLY),
                                                KIND(OPT_IN_QUESTION), KIND(WELCOME),
                                                KIND(OPT_IN_AGAIN)};
static const struct {
    const char *code, *yes, *stop, *help;
} languages[] = {
    {"en", "YES", "STOP", "HELP"},
    {"fr", "OUI", "STOP", "AIDE"},
    {"es", "SI", "STOP", "AYUDA"},
    {"ar", "نعم", "إيقاف", "مساعدة"},
};
#define LANGUAGES (sizeof languages / sizeof *languages)

/* 15 letters each. */
static const struct reply_names names = {
    .brand = "Acme Outfitters", .program = "weekend special", .contact = ""};
static const struct reply_names with_contact = {
    .brand = "Acme", .program = "offers", .contact = "help@acme.example"};

/* Characters of a text; false when one is not in the GSM 7-bit alphabet (of those we use). */
static bool gsm7_length(const char *text, size_t *ret_length)
{
    static const char *const accented[] = {"à", "è", "é", "ì", "ò", "ù", "ñ", "Ñ", "É", "ü", "ö"};
    *ret_length = 0;
    while (*text != '\0') {
        size_t step = (uint8_t)*text < 0x80 && strchr("`^{}[]~\\|", *text) == NULL ? 1 : 0;
        for (size_t i = 0; step == 0 && i < sizeof accented / sizeof *accented; i++)
            if (strncmp(text, accented[i], strlen(accented[i])) == 0)
                step = strlen(accented[i]);
        if (step == 0)
            return false;
        text += step;
        (*ret_length)++;
    }
    return true;
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((uint8_t)*text & 0xc0) != 0x80;
    return count;
}

static void texts_fit(void **state)
{
    (void)state;
    for (size_t l = 0; l < LANGUAGES; l++)
        for (size_t k = 0; k < 5; k++) {
            char text[512];
            size_t septets = 0;
            size_t length = reply_text(kinds[k], languages[l].code, &names, text, sizeof text);
            assert_int_equal(length, strlen(text));
            assert_null(strpbrk(text, "{}[]"));
            if (strcmp(languages[l].code, "ar") == 0) {
                assert_true(characters(text) <= 3 * 67); /* Arabic is UCS-2 */
                continue;
            }
            if (!gsm7_length(text, &septets))
                fail_msg("%s: not in the GSM 7-bit alphabet: %s", languages[l].code, text);
            if (septets > 160)
                fail_msg("%s: %zu septets: %s", languages[l].code, septets, text);
        }
}

static void texts_say_what_they_must(void **state)
{
    (void)state;
    for (size_t l = 0; l < LANGUAGES; l++) {
        char text[512];
        for (size_t k = 0; k < 5; k++) {
            reply_text(kinds[k], languages[l].code, &with_contact, text, sizeof text);
            assert_memory_equal(text, "Acme", 4);
            bool names_contact = strstr(text, "help@acme.example") != NULL;
            assert_int_equal(names_contact, k < 2);
            if (k > 0)
                assert_non_null(strstr(text, languages[l].stop));
        }
        reply_text(KIND(OPT_IN_QUESTION), languages[l].code, &names, text, sizeof text);
        assert_non_null(strstr(text, languages[l].yes));
        assert_non_null(strstr(text, languages[l].help));
        reply_text(KIND(WELCOME), languages[l].code, &names, text, sizeof text);
        assert_non_null(strstr(text, languages[l].help));
        assert_non_null(strstr(text, "weekend special"));
    }
}

/* The words that the texts ask for are understood. */
static void the_words_asked_for_are_keywords(void **state)
{
    (void)state;
    for (size_t l = 0; l < LANGUAGES; l++) {
        assert_int_equal(keyword_match(span_from_string(languages[l].yes), true).meaning,
                         MEANING_CONFIRM);
        assert_int_equal(keyword_match(span_from_string(languages[l].stop), true).meaning,
                         MEANING_OPT_OUT);
        assert_int_equal(keyword_match(span_from_string(languages[l].help), true).meaning,
                         MEANING_HELP);
    }
    assert_int_equal(keyword_match(span_from_string("START"), false).meaning, MEANING_OPT_IN);
}

static void unknown_languages_are_english(void **state)
{
    (void)state;
    char english[512], other[512];
    reply_text(KIND(WELCOME), "en", &names, english, sizeof english);
    reply_text(KIND(WELCOME), "tlh", &names, other, sizeof other);
    assert_string_equal(english, other);
    reply_text(KIND(WELCOME), "", &names, other, sizeof other);
    assert_string_equal(english, other);
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    char whole[512], text[512];
    reply_text(KIND(OPT_OUT_CONFIRMATION), "ar", &names, whole, sizeof whole);
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        size_t length = reply_text(KIND(OPT_OUT_CONFIRMATION), "ar", &names, text, size);
        assert_true(length < size && size - length <= 2);
        assert_memory_equal(text, whole, length);
        assert_true(((uint8_t)whole[length] & 0xc0) != 0x80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_fit),
        cmocka_unit_test(texts_say_what_they_must),
        cmocka_unit_test(the_words_asked_for_are_keywords),
        cmocka_unit_test(unknown_languages_are_english),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}

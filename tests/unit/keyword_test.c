/* SPDX-License-Identifier: Apache-2.0 */
/* What replies mean: the table tests/vectors/keywords.tsv, the canonical form, and the rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/keyword.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"

static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == '\\' && from[1] == 'n') {
            *to++ = '\n';
            from++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* Every wrong row is named, not the first alone. */
static void the_vectors_hold(void **state)
{
    (void)state;
    FILE *file = fopen(VECTORS "/keywords.tsv", "r");
    assert_non_null(file);
    char line[2048];
    unsigned rows = 0, wrong = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *before = strchr(line, '\t'), *meaning = before ? strchr(before + 1, '\t') : NULL;
        if (line[0] == '#' || meaning == NULL)
            continue;
        *before++ = '\0';
        *meaning++ = '\0';
        unescape(line);
        struct keyword_match match =
            keyword_match(span_from_string(line), strcmp(before, "pending") == 0);
        rows++;
        if (strcmp(meaning_name(match.meaning), meaning) != 0) {
            wrong++;
            print_error("\"%s\" (%s): %s by %s, should be %s\n", line, before,
                        meaning_name(match.meaning), match.rule, meaning);
        }
        bool reply = match.meaning == MEANING_REPLY;
        assert_true((match.rule[0] == '\0') == reply && (match.language[0] == '\0') == reply);
    }
    fclose(file);
    print_message("%u rows\n", rows);
    assert_true(rows >= 73);
    assert_int_equal(wrong, 0);
}

/* A row that another row hides would be dead data. */
static void every_row_is_reached(void **state)
{
    (void)state;
    static const struct {
        enum meaning meaning;
        const char *rule, *language, *text;
    } rows[] = {
#define KEYWORD(meaning, language, id, text, version, source)                                      \
    {MEANING_##meaning, "keyword/" id "@" #version, language, text},
#define PHRASE(language, id, text, version) {MEANING_OPT_OUT_INTENT, NULL, language, text},
#define MENTION(language, id, text, version)
#define CUE(language, text)
#define POLITE(text)
#define ORDINARY(text) {MEANING_REPLY, "", "", text},
#include "consent/data/keywords.inc"
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct keyword_match match = keyword_match(span_from_string(rows[i].text), true);
        if (rows[i].rule != NULL) {
            assert_int_equal(match.meaning, rows[i].meaning);
            assert_string_equal(match.rule, rows[i].rule);
            assert_string_equal(match.language, rows[i].language);
        } else if (match.meaning < MEANING_OPT_OUT || match.meaning > MEANING_OPT_OUT_INTENT) {
            fail_msg("phrase \"%s\" does not revoke", rows[i].text);
        }
    }
}

static void rules_and_languages_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *rule, *language;
    } cases[] = {
        {"STOP", "keyword/stop@1", "en"},
        {"ARRÊT", "keyword/arret@1", "fr"},
        {"baja", "keyword/baja@1", "es"},
        {"إيقاف", "keyword/iqaf@1", "ar"},
        {"stop all", "keyword/stop-all@1", "en"},
        {"please stop texting me", "phrase/stop-texting@1", "en"},
        {"ne m’envoyez plus rien", "phrase/n-envoyez-plus@1", "fr"},
        {"Stpo", "typo/stop@1", "en"},
        {"STOP sending me these", "keyword/stop@1", "en"},
        {"I cannot get my device to stop, can you help?", "mention/stop@1", "en"},
        {"?", "keyword/question-mark@1", "en"},
        {"hello", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keyword_match match = keyword_match(span_from_string(cases[i].text), false);
        assert_string_equal(match.rule, cases[i].rule);
        assert_string_equal(match.language, cases[i].language);
    }
}

static void the_canonical_form_is_the_documented_one(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"  STOP   now ", "stop now"},
        {"ＳＴＯＰ！", "stop!"},
        {"Arrêté", "arrete"},
        {"Arre\xcc\x82t", "arret"},
        {"STRASSE straße", "strasse strasse"},
        {"İPTAL ıptal", "iptal iptal"},
        {"st\xe2\x80\x8bop\xe2\x80\x8f", "stop"},
        {"إِيقَافٌ", "ايقاف"},
        {"مســاعدة", "مساعده"},
        {"٣٣١١ ۳", "3311 3"},
        {"बंद", "बंद"},
        {"ﬁn", "fin"},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\r\n\tb", "a b"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[128];
        size_t length = keyword_canonical(span_from_string(cases[i][0]), out, sizeof out);
        assert_string_equal(out, cases[i][1]);
        assert_int_equal(length, strlen(out));
    }
    char small[4]; /* cut between characters */
    assert_int_equal(keyword_canonical(span_from_string("éèЖЖ"), small, sizeof small), 2);
    assert_int_equal(keyword_canonical(span_from_string("ЖЖ"), small, sizeof small), 2);
}

static void long_texts_are_ordinary(void **state)
{
    (void)state;
    static char text[KEYWORD_TEXT_MAX + 1];
    memset(text, ' ', sizeof text);
    memcpy(text, "STOP", 4);
    assert_int_equal(keyword_match(span_of(text, KEYWORD_TEXT_MAX), false).meaning,
                     MEANING_OPT_OUT);
    assert_int_equal(keyword_match(span_of(text, KEYWORD_TEXT_MAX + 1), false).meaning,
                     MEANING_REPLY);
    /* The most that folding can make of the most that may come. */
    for (size_t i = 0; i + 3 <= KEYWORD_TEXT_MAX; i += 3)
        memcpy(text + i, "\xef\xb7\xba", 3);
    assert_int_equal(keyword_match(span_of(text, KEYWORD_TEXT_MAX), false).meaning, MEANING_REPLY);
    memset(text, 0xff, sizeof text);
    assert_int_equal(keyword_match(span_of(text, KEYWORD_TEXT_MAX), false).meaning, MEANING_REPLY);
    assert_int_equal(keyword_match(span_of("STOP\0", 5), false).meaning, MEANING_OPT_OUT);
    assert_int_equal(keyword_match(span_of("", 0), true).meaning, MEANING_REPLY);
}

static double rate(const char *const *texts, size_t count, unsigned rounds)
{
    uint64_t begin_us = clock_mono_us();
    size_t sum = 0;
    for (unsigned i = 0; i < rounds; i++)
        for (size_t j = 0; j < count; j++)
            sum += keyword_match(span_from_string(texts[j]), false).meaning;
    assert_true(sum > 0);
    return (double)rounds * (double)count * 1e6 / (double)(clock_mono_us() - begin_us);
}

static void replies_are_matched_fast(void **state)
{
    (void)state;
    static const char *const keywords[] = {"STOP", "stop.", "Unsubscribe", "HELP",
                                           "Yes!", "START", "quit",        "Cancel"};
    static const char *const mixed[] = {"STOP",  "thanks",     "Stop it!", "what time is the sale?",
                                        "ARRÊT", "yes please", "قف",       "ok see you there at 5"};
    double fast = rate(keywords, 8, 40000), all = rate(mixed, 8, 20000);
    print_message("replies/s: keywords %.0f, mixed %.0f\n", fast, all);
    assert_true(fast >
                200000); /* the aim is a million; sanitizers and a shared machine take some */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_hold),
        cmocka_unit_test(every_row_is_reached),
        cmocka_unit_test(rules_and_languages_are_named),
        cmocka_unit_test(the_canonical_form_is_the_documented_one),
        cmocka_unit_test(long_texts_are_ordinary),
        cmocka_unit_test(replies_are_matched_fast),
    };
    return cmocka_run_group_tests_name("keyword", tests, NULL, NULL);
}

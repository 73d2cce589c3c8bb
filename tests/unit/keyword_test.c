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
#include "consent/keyword_rows.h"
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

static bool is_answer(enum row_kind kind)
{
    return kind == ROW_CONFIRM || kind == ROW_DECLINE;
}

static const char *text_of(struct span span)
{
    static char text[256];
    assert_true(span.length < sizeof text);
    memcpy(text, span.data, span.length);
    text[span.length] = '\0';
    return text;
}

static void keyword_row_is_reached(const struct keyword_row *row)
{
    static const enum meaning meanings[ROW_KINDS] = {
        [ROW_OPT_OUT] = MEANING_OPT_OUT, [ROW_OPT_OUT_ALL] = MEANING_OPT_OUT_ALL,
        [ROW_OPT_IN] = MEANING_OPT_IN,   [ROW_CONFIRM] = MEANING_CONFIRM,
        [ROW_DECLINE] = MEANING_DECLINE, [ROW_HELP] = MEANING_HELP};
    struct keyword_match match = keyword_match(row->text, true);
    char rule[KEYWORD_RULE_SIZE];
    snprintf(rule, sizeof rule, "keyword/%.*s@%.*s", (int)row->id.length, row->id.data,
             (int)row->version.length, row->version.data);
    if (match.meaning != meanings[row->kind] || strcmp(match.rule, rule) != 0)
        fail_msg("\"%s\" is %s by %s, not %s", text_of(row->text), meaning_name(match.meaning),
                 match.rule, rule);
    assert_memory_equal(match.language, row->languages.data, strlen(match.language));
    assert_int_equal(match.step, 1);
    if (is_answer(row->kind))
        assert_int_equal(keyword_match(row->text, false).step, 4);
}

/* A row that another row hides would be dead data. */
static void every_row_is_reached(void **state)
{
    (void)state;
    struct span data = keyword_data();
    struct keyword_row row;
    const char *why = NULL;
    unsigned count = 0;
    for (; keyword_row_next(&data, &row, &why); count++) {
        enum meaning meaning = keyword_match(row.text, true).meaning;
        if (row.kind < ROW_CANCEL)
            keyword_row_is_reached(&row);
        else if (row.kind == ROW_REVOKES && (meaning < MEANING_OPT_OUT || meaning > MEANING_REVIEW))
            fail_msg("phrase \"%s\" does not revoke", text_of(row.text));
        else if (row.kind == ROW_ORDINARY && meaning != MEANING_REPLY)
            fail_msg("\"%s\" is not ordinary", text_of(row.text));
    }
    assert_null(why);
    assert_true(count > 1500 && count <= keyword_row_count(keyword_data()));
}

static void bad_rows_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "opt_out\ten\tx\t1\tx",
        "opt_out\ten\tx\t1\tx\tUSE\tmore",
        "opt_ou\ten\tx\t1\tx\tUSE",
        "opt_out\ten\tx\tone\tx\tUSE",
        "opt_out\ten\tx\t1\t\tUSE",
        "opt_out\ten\tx\t10000\tx\tUSE",
        "opt_out\ten\tan-id-of-more-than-thirty-two-oct\t1\tx\tUSE",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct span data = span_from_string(bad[i]);
        struct keyword_row row;
        const char *why = NULL;
        assert_false(keyword_row_next(&data, &row, &why));
        assert_non_null(why);
    }
    struct span data = span_from_string("# a comment\n\ncue\ten,fr\t-\t1\tmy order\tUSE");
    struct keyword_row row;
    const char *why = NULL;
    assert_true(keyword_row_next(&data, &row, &why));
    assert_int_equal(row.kind, ROW_CUE);
    assert_true(span_equal(row.text, span_from_string("my order")));
    assert_false(keyword_row_next(&data, &row, &why));
    assert_null(why);
}

static struct keyword_row program_row(enum row_kind kind, const char *id, const char *text)
{
    return (struct keyword_row){.kind = kind,
                                .languages = span_from_string("en"),
                                .id = span_from_string(id),
                                .version = span_from_string("1a2b3c4d"),
                                .text = span_from_string(text),
                                .source = span_from_string("program"),
                                .owner = span_from_string("clinic")};
}

static void a_programs_words_win(void **state)
{
    (void)state;
    const struct keyword_row rows[] = {
        program_row(ROW_OPT_OUT, "3311", "3311"),
        program_row(ROW_REPLY, "stop-alert", "STOP #"),
        program_row(ROW_CANCEL, "cancel", "Cancel"),
        program_row(ROW_REVOKES, "no-more-pills", "no more pills"),
        program_row(ROW_CUE, "-", "my dentist"),
        program_row(ROW_HELP, "where", "where"),
    };
    static const struct {
        const char *text;
        enum meaning meaning;
        const char *rule;
    } cases[] = {
        {"3311", MEANING_OPT_OUT, "program/clinic/3311@1a2b3c4d"},
        {"٣٣١١", MEANING_OPT_OUT, "program/clinic/3311@1a2b3c4d"},
        {"stop 12345", MEANING_REPLY, "program/clinic/stop-alert@1a2b3c4d"},
        {"STOP12.", MEANING_REPLY, "program/clinic/stop-alert@1a2b3c4d"},
        {"stop", MEANING_OPT_OUT, "keyword/stop@1"},
        {"stop 12345 now", MEANING_OPT_OUT_INTENT, "keyword/stop@1"},
        {"CANCEL", MEANING_CANCEL, "program/clinic/cancel@1a2b3c4d"},
        {"Cancel, I am ill", MEANING_CANCEL, "program/clinic/cancel@1a2b3c4d"},
        {"cancel, and stop texting me", MEANING_OPT_OUT_INTENT, "phrase/stop-texting@1"},
        {"please, no more pills", MEANING_OPT_OUT_INTENT, "program/clinic/no-more-pills@1a2b3c4d"},
        {"stop my dentist", MEANING_REVIEW, "keyword/stop@1"},
        {"Where?", MEANING_HELP, "program/clinic/where@1a2b3c4d"},
    };
    struct keyword_set *set = keyword_set_new(rows, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keyword_match match = keyword_match_in(set, span_from_string(cases[i].text), false);
        assert_string_equal(match.rule, cases[i].rule);
        assert_int_equal(match.meaning, cases[i].meaning);
    }
    keyword_set_free(set);
    assert_int_equal(keyword_match(span_from_string("stop 12345"), false).meaning,
                     MEANING_OPT_OUT_INTENT);
    assert_int_equal(keyword_match(span_from_string("3311"), false).meaning, MEANING_REPLY);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_hold),
        cmocka_unit_test(every_row_is_reached),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(a_programs_words_win),
        cmocka_unit_test(rules_and_languages_are_named),
        cmocka_unit_test(the_canonical_form_is_the_documented_one),
        cmocka_unit_test(long_texts_are_ordinary),
    };
    return cmocka_run_group_tests_name("keyword", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own texts: what each must say, and that it fits one part where it can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/keyword.h"
#include "consent/opt_out_line.h"
#include "consent/reply.h"
#include "smpp/text.h"

#define KIND(name) ASSENT__V1__SERVICE_KIND__##name

static const Assent__V1__ServiceKind kinds[] = {
    KIND(OPT_OUT_CONFIRMATION), KIND(HELP_REPLY),     KIND(OPT_IN_QUESTION),  KIND(WELCOME),
    KIND(OPT_IN_AGAIN),         KIND(WHICH_MESSAGES), KIND(MARKETING_STOPPED)};
#define KINDS (sizeof kinds / sizeof *kinds)
static const struct {
    const char *code, *yes, *stop, *help;
    bool one_part; /* its letters are in the GSM 7-bit alphabet */
} languages[] = {
    {"en", "YES", "STOP", "HELP", true},     {"fr", "OUI", "STOP", "AIDE", true},
    {"es", "SI", "STOP", "AYUDA", true},     {"pt", "SIM", "SAIR", "AJUDA", true},
    {"de", "JA", "STOPP", "HILFE", true},    {"it", "SI", "STOP", "AIUTO", true},
    {"nl", "JA", "STOP", "HULP", true},      {"tr", "EVET", "RET", "YARDIM", false},
    {"id", "YA", "STOP", "BANTUAN", true},   {"tl", "OO", "STOP", "TULONG", true},
    {"ar", "نعم", "إيقاف", "مساعدة", false}, {"ru", "ДА", "СТОП", "ПОМОЩЬ", false},
    {"hi", "हाँ", "STOP", "मदद", false},      {"zh", "是", "TD", "帮助", false},
    {"ja", "はい", "STOP", "ヘルプ", false}, {"ko", "네", "STOP", "도움말", false},
};
#define LANGUAGES (sizeof languages / sizeof *languages)

/* 15 letters each. */
static const struct reply_names names = {
    .brand = "Acme Outfitters", .purpose = "weekend special", .contact = ""};
static const struct reply_names with_contact = {
    .brand = "Acme", .purpose = "offers", .contact = "help@acme.example"};

static void texts_fit(void **state)
{
    (void)state;
    for (size_t l = 0; l < LANGUAGES; l++)
        for (size_t k = 0; k < KINDS; k++) {
            char text[512];
            struct text_plan plan;
            size_t length = reply_text(kinds[k], languages[l].code, &names, text, sizeof text);
            assert_int_equal(length, strlen(text));
            assert_null(strpbrk(text, "{}[]"));
            assert_int_equal(text_plan(span_of(text, length), &text_rules_default, &plan), ERR_OK);
            if (plan.parts > (languages[l].one_part ? 1u : 3u))
                fail_msg("%s: %u parts: %s", languages[l].code, plan.parts, text);
            if (languages[l].one_part && plan.encoding != TEXT_GSM7)
                fail_msg("%s: not in the GSM 7-bit alphabet: %s", languages[l].code, text);
        }
}

static void texts_say_what_they_must(void **state)
{
    (void)state;
    for (size_t l = 0; l < LANGUAGES; l++) {
        char text[512];
        for (size_t k = 0; k < KINDS; k++) {
            reply_text(kinds[k], languages[l].code, &with_contact, text, sizeof text);
            assert_memory_equal(text, "Acme", 4);
            bool names_contact = strstr(text, "help@acme.example") != NULL;
            assert_int_equal(names_contact, k < 2);
            if (k > 0 && k < 5)
                assert_non_null(strstr(text, languages[l].stop));
            if (kinds[k] == KIND(WHICH_MESSAGES))
                assert_non_null(strstr(text, languages[l].yes));
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

static void every_language_is_tested(void **state)
{
    (void)state;
    for (size_t l = 0; l < LANGUAGES; l++)
        assert_true(reply_has_language(languages[l].code));
    assert_string_equal(reply_language(0), "en");
    assert_non_null(reply_language(LANGUAGES - 1));
    assert_null(reply_language(LANGUAGES));
}

static void the_programs_words_are_told(void **state)
{
    (void)state;
    static const struct reply_names full = {.brand = "Acme",
                                            .purpose = "weekly offers",
                                            .contact = "help@acme.example",
                                            .frequency = "4 msgs a month"};
    char text[512];
    reply_text(KIND(HELP_REPLY), "en", &full, text, sizeof text);
    assert_string_equal(text, "Acme, weekly offers: 4 msgs a month. Msg & data rates may apply. "
                              "Help: help@acme.example. Reply STOP to unsubscribe.");
    reply_text(KIND(WELCOME), "de", &names, text, sizeof text);
    assert_non_null(strstr(text, "Anzahl variiert"));
}

/* A line of ours says what it must, so that no second one is ever put under it. */
static void our_lines_say_how_to_opt_out(void **state)
{
    (void)state;
    static const char way[] = "https://acme.example/x";
    char line[256];
    for (size_t l = 0; l < LANGUAGES; l++) {
        size_t length = reply_opt_out_line(languages[l].code, "", line, sizeof line);
        if (!says_how_to_opt_out(span_of(line, length), true, "") || length > 100)
            fail_msg("%s: no instruction: %s", languages[l].code, line);
        assert_non_null(strstr(line, languages[l].stop));
        length = reply_opt_out_line(languages[l].code, way, line, sizeof line);
        assert_non_null(strstr(line, way));
        assert_true(says_how_to_opt_out(span_of(line, length), false, way));
        for (size_t k = 1; k < 4; k++) { /* help, question, welcome */
            length = reply_text(kinds[k], languages[l].code, &names, line, sizeof line);
            if (k == 1 && !says_how_to_opt_out(span_of(line, length), true, ""))
                fail_msg("%s: no instruction: %s", languages[l].code, line);
        }
    }
}

static void instructions_are_found(void **state)
{
    (void)state;
    static const char *const saying[] = {
        "20% off today! Reply STOP to unsubscribe",
        "Txt STOP 2 quit",
        "SALE. STOP=end",
        "Sale: STOP to opt-out",
        "Text 'STOP' to 12345",
        "Unsubscribe: STOP",
        "Promo -10 %. STOP au 36111",
        "Offre du jour. Répondez STOP",
        "Envoyez ARRÊT au 36111",
        "Oferta. Responda BAJA",
        "Oferta! Para sair responda SAIR",
        "Angebot! Abmelden mit STOPP",
        "Aktion. STOP senden",
        "Sconti! Rispondi STOP",
        "Aanbieding! Antwoord STOP",
        "İndirim! İptal için RET yazın",
        "Diskon! Balas STOP",
        "خصم ٢٠٪ لإلغاء الاشتراك أرسل إيقاف",
        "Скидка 20 %. Отписаться: ответьте СТОП",
        "【Acme】今日八折，退订回TD",
        "限时优惠 退订请回复TD",
        "セール 配信停止はSTOPと返信",
        "[광고] 할인 수신거부 STOP 회신",
        "छूट! बंद करने के लिए STOP भेजें",
    };
    static const char *const silent[] = {
        "20% off today!",
        "STOP! Read this: sale ends today",
        "Don't stop the party, reply YES to win",
        "DON'T STOP! STOP! STOP! BIG SALE",
        "Stop by our store today",
        "the end of the season is near, text us",
        "NOT THE END. Come in.",
        "reply to us",
        "La fin de la saison approche",
        "STOP 50% OFF",
        "عرض خاص اليوم فقط",
        "今日八折",
        "停止营业前的特卖",
        "Скидки! Не стоп, а старт",
        "",
    };
    for (size_t i = 0; i < sizeof saying / sizeof *saying; i++)
        if (!says_how_to_opt_out(span_from_string(saying[i]), true, ""))
            fail_msg("not found: %s", saying[i]);
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (says_how_to_opt_out(span_from_string(silent[i]), true, ""))
            fail_msg("found: %s", silent[i]);
    /* A sender that nobody can answer: only the other way counts. */
    assert_false(says_how_to_opt_out(span_from_string(saying[0]), false, "acme.example/x"));
    assert_true(says_how_to_opt_out(span_from_string("Sale. Stop: acme.example/x"), false,
                                    "acme.example/x"));
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
        cmocka_unit_test(every_language_is_tested),
        cmocka_unit_test(the_programs_words_are_told),
        cmocka_unit_test(our_lines_say_how_to_opt_out),
        cmocka_unit_test(instructions_are_found),
        cmocka_unit_test(unknown_languages_are_english),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}

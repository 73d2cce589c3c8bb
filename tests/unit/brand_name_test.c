/* SPDX-License-Identifier: Apache-2.0 */
/* What names a brand and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/brand_name.h"

static bool names(const char *brand, const char *text)
{
    struct brand_name name;
    brand_name_init(&name, brand);
    return brand_is_named(&name, span_from_string(text));
}

static void whole_words_in_any_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *brand, *text;
        bool named;
    } rows[] = {
        {"Acme", "Acme: 20% off", true},
        {"Acme", "20% off at ACME", true},
        {"Acme", "acme", true},
        {"ACME", "20% off. acme.example/sale", true},
        {"Acme", "Acme's sale", true},
        {"Acme", "Acme’s sale", true},
        {"Acme", "#Acme_sale @acme", true},
        {"Acme", "Àcmé: hello", true},
        {"Acme", "ＡＣＭＥ: hello", true},
        {"Acme", "🔥Acme🔥", true},
        {"Acme", "«Acme» скидки", true},
        {"Acme", "acme周末八折", true},
        {"Acme", "Acmeland has 20% off", false},
        {"Acme", "Myacme has 20% off", false},
        {"Acme", "Acme2 has 20% off", false},
        {"Acme", "Àcmés", false},
        {"Acme", "20% off", false},
        {"Acme", "", false},
        {"Acme", "Acm", false},
        {"Acme", "A c m e", false},
        {"Acme", "acacme acme", true},
        {"Acme Bank", "AcmeBank: hello", true},
        {"Acme Bank", "ACME-BANK", true},
        {"Acme Bank", "Acme\nBank", true},
        {"Acme Bank", "Acme", false},
        {"Acme Bank", "Acme Banking", false},
        {"Acme Bank", "Acme Acme Bank", true},
        {"Coca-Cola", "Coca Cola for two", true},
        {"AT&T", "AT&T: hello", true},
        {"AT&T", "look at the sale", false},
        {"Garden & Co", "Garden &amp; more", false},
        {"Garden & Co", "GARDEN & CO.", true},
        {"Yahoo!", "Yahoo - hello", true},
        {"Yahoo!", "yahooo", false},
        {"McDonald's", "McDonalds: two for one", true},
        {"L'Oréal", "L’OREAL Paris", true},
        {"Café Crème", "cafe creme: hello", true},
        {"Café Crème", "CAFÉ CRÈME", true},
        {"Straße", "STRASSE 7", true},
        {"Яблоко", "ЯБЛОКО: скидки", true},
        {"Яблоко", "яблоков много", false},
        {"أحمد", "احمد: عرض", true},
        {"京东", "京东618大促", true},
        {"京东", "大促，京东！", true},
        {"京东", "京西大促", false},
        {"टाटा", "टाटा: नमस्ते", true},
        {"24/7", "open 24/7", true},
        {"24/7", "open 247 days", true},
        {"!!!", "wow!!!", true},
        {"!!!", "wow!!", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (names(rows[i].brand, rows[i].text) != rows[i].named)
            fail_msg("\"%s\" in \"%s\" should be %d", rows[i].brand, rows[i].text, rows[i].named);
}

/* The longest name, and the character that folds to most. */
static void names_have_room(void **state)
{
    (void)state;
    char brand[NAME_OCTETS_MAX + 1], text[NAME_OCTETS_MAX + 8];
    memset(brand, 'x', NAME_OCTETS_MAX);
    brand[NAME_OCTETS_MAX] = '\0';
    snprintf(text, sizeof text, "%s: 20%%", brand);
    assert_true(names(brand, text));
    text[NAME_OCTETS_MAX - 1] = ' ';
    assert_false(names(brand, text));
    for (size_t i = 0; i + 3 <= NAME_OCTETS_MAX; i += 3) {
        memcpy(brand + i, "\xef\xb7\xba", 3);
        brand[i + 3] = '\0';
    }
    assert_true(names(brand, brand));
    assert_false(names(brand, "20%"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_words_in_any_spelling),
        cmocka_unit_test(names_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

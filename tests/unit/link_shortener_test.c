/* SPDX-License-Identifier: Apache-2.0 */
/* Which texts have a link through a public shortener, and that the table of those is one of plain hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "consent/link_shortener.h"

static void links_through_shorteners(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool has;
    } rows[] = {
        {"Acme: https://bit.ly/3abc", true},
        {"Acme: bit.ly/3abc", true},
        {"BIT.LY/3abc", true},
        {"(http://tinyurl.com/x)", true},
        {"preview.tinyurl.com/x", true},
        {"https://www.goo.gl/maps/x", true},
        {"https://t.co:443/x", true},
        {"https://is.gd./x", true},
        {"ow.ly?x", true},
        {"rb.gy#x", true},
        {"http://me@cutt.ly/x", true},
        {"点击bit.ly/abc", true},
        {"see acme.example, then t.ly/x", true},
        {"a.b.c https://acme.example/a bit.ly/x", true},
        {"..bit.ly/x", true},
        {"encurtador.com.br/x", true},
        {"we have left bit.ly", false},
        {"we have left bit.ly.", false},
        {"bit.ly/ is gone", false},
        {"bit.ly/", false},
        {"bit.ly:", false},
        {"bit.ly:80", false},
        {"https://acme.example/bit.ly/x", false},
        {"https://orbit.ly/x", false},
        {"https://bit.lyon.example/x", false},
        {"https://bit.ly.acme.example/x", false},
        {"https://acme-t.co/x", false},
        {"https://example.com/x", false},
        {"com.br/x", false},
        {"20% off. Reply STOP to end", false},
        {"5.99/month, 1.5/2.5", false},
        {"...", false},
        {".", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (has_link_shortener(span_from_string(rows[i].text)) != rows[i].has)
            fail_msg("\"%s\" should be %d", rows[i].text, rows[i].has);
}

#define SHORTENER(host) host,
static const char *const hosts[] = {
#include "consent/data/link_shorteners.inc"
};

/* Small letters, since what is compared is made small; in order, so that none is there twice. */
static void the_table_is_in_order(void **state)
{
    (void)state;
    size_t count = sizeof hosts / sizeof *hosts;
    assert_true(count > 40);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        assert_true(strspn(hosts[i], "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(hosts[i]));
        assert_non_null(strchr(hosts[i], '.'));
        assert_true(i == 0 || strcmp(hosts[i - 1], hosts[i]) < 0);
        snprintf(text, sizeof text, "https://%s/x", hosts[i]);
        assert_true(has_link_shortener(span_from_string(text)));
        snprintf(text, sizeof text, "https://x%s/x", hosts[i]);
        assert_false(has_link_shortener(span_from_string(text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_through_shorteners),
        cmocka_unit_test(the_table_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

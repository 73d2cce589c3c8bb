/* SPDX-License-Identifier: Apache-2.0 */
/* What a probe makes of ids and receipts. `assent` is a program and no library, so the source is taken
 * in whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/cli/probe_profile.c"

static struct carrier_config carrier;

static void assert_forms(const char *submit_id, const char *receipt_id, enum id_form submit,
                         enum id_form receipt)
{
    enum id_form own = ID_FORMS, other = ID_FORMS;
    assert_true(probe_id_forms(&carrier, submit_id, receipt_id, &own, &other));
    assert_int_equal(own, submit);
    assert_int_equal(other, receipt);
}

static void test_id_forms(void **state)
{
    (void)state;
    enum id_form own, other;
    carrier = (struct carrier_config){.submit_id = ID_RAW, .receipt_id = ID_RAW};
    assert_forms("abc-1", "abc-1", ID_RAW, ID_RAW);
    assert_forms("1234", "4d2", ID_RAW, ID_HEX);
    assert_forms("4D2", "1234", ID_HEX, ID_RAW);
    assert_forms("4D2", "0001234", ID_HEX, ID_DEC);
    assert_forms("1234", "0001234", ID_RAW, ID_DEC);
    assert_forms("4d2", "4D2", ID_HEX, ID_HEX);
    assert_false(probe_id_forms(&carrier, "abc-1", "abc-2", &own, &other));
    assert_false(probe_id_forms(&carrier, "1234", "1235", &own, &other));
    carrier = (struct carrier_config){.submit_id = ID_HEX, .receipt_id = ID_DEC};
    assert_forms("4d2", "1234", ID_HEX, ID_DEC);
    assert_forms("1234", "1234", ID_RAW, ID_DEC); /* one change, not two */
}

static bool read_text(const char *text, uint8_t esm_class, struct probe_receipt *ret_receipt)
{
    struct sm_body body = {.esm_class = esm_class, .text = span_from_string(text)};
    return probe_receipt_read(&body, ret_receipt);
}

static void test_receipt(void **state)
{
    (void)state;
    struct probe_receipt receipt;
    assert_true(read_text("id:12 sub:001 dlvrd:001 stat:DELIVRD err:000 text:", ESM_TYPE_RECEIPT,
                          &receipt));
    assert_true(receipt.marked);
    assert_string_equal(receipt.id, "12");
    assert_string_equal(receipt.state, "DELIVRD");
    assert_true(read_text("id:12 sub:001 dlvrd:001 stat:UNDELIV err:000 text:", 0, &receipt));
    assert_false(receipt.marked);
    assert_false(read_text("STOP", 0, &receipt));
    assert_false(read_text("", ESM_TYPE_RECEIPT, &receipt));
    assert_true(
        read_text("id:1\x1b[2J\"\\ stat:DELIVRD err:000 text:", ESM_TYPE_RECEIPT, &receipt));
    assert_null(strpbrk(receipt.id, "\x1b\"\\"));
}

/* Whatever a peer says stays inside its comment. */
static void test_hostile_words(void **state)
{
    (void)state;
    char out[12];
    probe_copy_text(out, sizeof out, span_from_string("a\nrate: 9\x7f\xc3\xa4 too long"));
    assert_string_equal(out, "a?rate:?9??");
    probe_copy_text(out, sizeof out, (struct span){0});
    assert_string_equal(out, "");
}

/* Every number of ids and receipts that a probe can end with. */
static void test_print(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length;
    carrier = (struct carrier_config){.name = "alpha", .window = 10, .rate = 100};
    struct probe_facts facts = {.interface_version = -1};
    for (unsigned seen = 0; seen < 32; seen++) {
        FILE *out = open_memstream(&text, &length);
        facts.bind.count = seen & 1;
        facts.submit_us = seen & 2 ? 50000 : 0;
        facts.receipts = seen & 4 ? 2 : 0;
        facts.unmatched = seen & 8 ? 1 : 0;
        facts.strangers = seen & 16 ? 3 : 0;
        probe_print(&carrier, &facts, out);
        fclose(out);
        assert_non_null(strstr(text, "  - name: alpha\n"));
        assert_int_equal(strstr(text, "keep 5 under way") != NULL, (seen & 2) != 0);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_forms),
        cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_hostile_words),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

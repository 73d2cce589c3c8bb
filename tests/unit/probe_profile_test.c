/* SPDX-License-Identifier: Apache-2.0 */
/* What a probe makes of ids, receipts and refusals. `assent` is a program and no library, so the sources
 * are taken in whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/cli/probe_profile.c"
#include "gateway/cli/probe_texts.c"

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
    facts.texts[0] = (struct probe_text){.sent_us = 1000, .answered_us = 51000, .depth = 1};
    for (unsigned seen = 0; seen < 32; seen++) {
        FILE *out = open_memstream(&text, &length);
        facts.bind.count = seen & 1;
        facts.sent = facts.ended = facts.taken = seen & 2 ? 1 : 0;
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

/* A text that was the depth-th unanswered one; a status of SILENT: it was not answered. */
#define SILENT UINT32_MAX
static struct probe_facts facts_now;

static void sent(unsigned depth, uint32_t status)
{
    struct probe_text *text = &facts_now.texts[facts_now.sent++];
    *text = (struct probe_text){.sent_us = facts_now.sent * 10000ull, .depth = depth};
    text->answered_us = status == SILENT ? 0 : text->sent_us + 1;
    text->status = status == SILENT ? 0 : status;
    facts_now.taken += status == ESME_ROK;
    snprintf(text->id, sizeof text->id, "%u", facts_now.sent + 9);
}

static void assert_window(enum window_finding finding, unsigned taken, unsigned depth)
{
    struct probe_window window = probe_window_find(&facts_now);
    assert_int_equal(window.finding, finding);
    assert_int_equal(window.taken, taken);
    assert_int_equal(window.depth, depth);
    facts_now = (struct probe_facts){.interface_version = -1};
}

static void sent_up_to(unsigned depth)
{
    for (unsigned i = 1; i <= depth; i++)
        sent(i, ESME_ROK);
}

static void test_window(void **state)
{
    (void)state;
    facts_now = (struct probe_facts){.interface_version = -1};
    assert_window(WINDOW_AT_LEAST, 0, 0);
    sent_up_to(PROBE_TEXTS_MAX);
    assert_window(WINDOW_AT_LEAST, PROBE_TEXTS_MAX, 0);
    sent_up_to(10);
    sent(11, ESME_RMSGQFUL);
    sent(12, ESME_RMSGQFUL);
    sent(12, ESME_ROK); /* behind the first refusal nothing counts */
    assert_window(WINDOW_FOUND, 10, 11);
    sent_up_to(1);
    sent(2, ESME_RSUBMITFAIL);
    assert_window(WINDOW_FOUND, 1, 2);
    sent_up_to(10);
    sent(4, ESME_RMSGQFUL); /* more were taken */
    assert_window(WINDOW_REFUSED, 10, 4);
    sent_up_to(5);
    sent(6, ESME_RTHROTTLED);
    assert_window(WINDOW_REFUSED, 5, 6);
    sent_up_to(5);
    sent(6, ESME_RINVDSTADR);
    assert_window(WINDOW_REFUSED, 5, 6);
    sent(1, ESME_RMSGQFUL); /* the first text: no window is 0 */
    assert_window(WINDOW_REFUSED, 0, 1);
    sent_up_to(3);
    sent(4, SILENT);
    assert_window(WINDOW_SILENT, 3, 4);
}

static void assert_printed(const char *words)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    carrier = (struct carrier_config){.name = "alpha", .window = 50, .rate = 100};
    probe_print(&carrier, &facts_now, out);
    fclose(out);
    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, text);
    free(text);
}

static void test_print_window(void **state)
{
    (void)state;
    facts_now = (struct probe_facts){.interface_version = -1};
    sent_up_to(10);
    assert_printed("    window: 50  # as configured;");
    assert_printed("# window: takes at least 10\n");
    assert_printed(
        "# rate: 10 texts left in 90.0 ms, 100.0/s; 10 were taken; configured are 100/s\n");
    sent(11, ESME_RSUBMITFAIL);
    assert_printed("    window: 10  # as found;");
    assert_printed("# window: 10 (refused at 11 unanswered with 0x45 ESME_RSUBMITFAIL)\n");
    facts_now.texts[10].status = ESME_RTHROTTLED;
    assert_printed(
        "# window: takes at least 10 (refused at 11 unanswered with 0x58 ESME_RTHROTTLED: that "
        "is the rate");
    facts_now.texts[10].status = 0x555;
    assert_printed(
        "(refused at 11 unanswered with 0x555 (the carrier's own status), which need not");
    facts_now.texts[10].answered_us = 0;
    assert_printed("# window: takes at least 10 (not answered at 11 unanswered)\n");
}

/* Ids in a row are alike in two forms: "10" to "19", and the receipts hexadecimal. One receipt would fit
 * more than one text; all together fit in one way. */
static void test_forms_of_all(void **state)
{
    (void)state;
    enum id_form submit, receipt;
    facts_now = (struct probe_facts){.interface_version = -1};
    carrier = (struct carrier_config){.name = "alpha", .window = 50, .rate = 100};
    sent_up_to(10);
    assert_false(probe_forms_of_all(&carrier, &facts_now, &submit, &receipt));
    for (unsigned id = 19; id >= 10; id--)
        snprintf(facts_now.receipt_ids[facts_now.receipts++], 8, "%x", id);
    assert_true(probe_forms_of_all(&carrier, &facts_now, &submit, &receipt));
    assert_int_equal(submit, ID_RAW);
    assert_int_equal(receipt, ID_HEX);
    assert_ptr_equal(probe_text_of(&facts_now, &carrier, "11"), &facts_now.texts[1]);
    assert_ptr_equal(probe_text_of(&facts_now, &carrier, "f"), &facts_now.texts[5]);
    assert_null(probe_text_of(&facts_now, &carrier, "ff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_forms),      cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_hostile_words), cmocka_unit_test(test_print),
        cmocka_unit_test(test_window),        cmocka_unit_test(test_print_window),
        cmocka_unit_test(test_forms_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

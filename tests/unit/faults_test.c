/* SPDX-License-Identifier: Apache-2.0 */
/* The table of faults, and the pure parts that play them: ids and receipts in all their forms, and
 * PDUs bent into what a carrier would send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/fault_pdu.c"
#include "bench/faults.c"
#include "bench/receipt_text.c"
#include "smpp/encode.h"
#include "smpp/receipt.h"

/* The table ----------------------------------------------------------------------------------- */

static void each_row_is_whole_and_its_example_is_understood(void **state)
{
    (void)state;
    for (int i = 0; i < FAULTS; i++) {
        struct faults faults = {0};
        const char *why = NULL;
        char example[64];
        const struct fault_row *row = &fault_rows[i];
        assert_true(row->name != NULL && row->what[0] != '\0' && row->about[0] != '\0');
        assert_int_equal(row->value != VALUE_NONE, row->fallback != 0);
        assert_ptr_equal(find(row->name, strlen(row->name)), row); /* no name twice */
        write_example(row, example, sizeof example);
        assert_true(faults_parse(&faults, example, &why));
        assert_true(faults.on[i] && faults.any);
        assert_int_equal(faults.value[i], row->fallback);
        assert_int_equal(faults.share_ppm[i], row->share_ppm);
    }
}

static void values_and_shares_in_any_order(void **state)
{
    (void)state;
    struct faults faults = {0};
    const char *why = NULL;
    assert_true(faults_parse(&faults, "late-answer:0.5%:200ms", &why));
    assert_int_equal(faults.value[FAULT_LATE_ANSWER], 200000);
    assert_int_equal(faults.share_ppm[FAULT_LATE_ANSWER], 5000);
    assert_true(faults_parse(&faults, "vendor-status:0x4ff", &why));
    assert_int_equal(faults.value[FAULT_VENDOR_STATUS], 0x4ff);
    assert_int_equal(faults.share_ppm[FAULT_VENDOR_STATUS], 100000);
    assert_true(faults_parse(&faults, "throttle:30/s", &why));
    assert_int_equal(faults.value[FAULT_THROTTLE], 30);
    assert_true(faults_parse(&faults, "ralybnd:2m", &why));
    assert_int_equal(faults.value[FAULT_RALYBND], 120000000);
    assert_false(faults.on[FAULT_DRIP]);
}

static void what_cannot_be_played_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "dri",           "drips",           "drip:1",        "drip:5%",
        "throttle:",  "throttle:0",    "throttle:-1",     "throttle:5%",   "throttle:5x",
        "nack:101%",  "nack:%",        "nack:-1%",        "nack:5",        "nack:5%:6%",
        "ralybnd:30", "ralybnd:30s:1", "late-answer:1s:", "ralybnd:1s:1s", "window:4294967296"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct faults faults = {0};
        const char *why = NULL;
        assert_false(faults_parse(&faults, bad[i], &why));
        assert_non_null(why);
        assert_false(faults.any);
    }
}

static void one_seed_one_behaviour(void **state)
{
    (void)state;
    struct faults a = {.rng = {.state = 7}}, b = {.rng = {.state = 7}};
    const char *why = NULL;
    assert_true(faults_parse(&a, "nack:30%", &why) && faults_parse(&b, "nack:30%", &why));
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(fault_strikes(&a, FAULT_NACK), fault_strikes(&b, FAULT_NACK));
        assert_false(fault_strikes(&a, FAULT_DRIP)); /* not asked for: draws nothing */
    }
    assert_in_range(a.struck[FAULT_NACK], 2800, 3200);
    assert_int_equal(a.struck[FAULT_DRIP], 0);
}

static void at_each_so_many(void **state)
{
    (void)state;
    struct faults faults = {0};
    const char *why = NULL;
    assert_true(faults_parse(&faults, "drop-connection:10", &why));
    for (uint64_t count = 1; count <= 100; count++)
        assert_int_equal(fault_strikes_at(&faults, FAULT_DROP_CONNECTION, count), count % 10 == 0);
    assert_int_equal(faults.struck[FAULT_DROP_CONNECTION], 10);
    assert_false(fault_strikes_at(&faults, FAULT_HALF_OPEN, 10));
}

/* Ids and receipts ---------------------------------------------------------------------------- */

static void ids_in_all_forms(void **state)
{
    (void)state;
    char id[MESSAGE_ID_MAX + 1];
    assert_int_equal(id_write(SPELLING_DEC, 1234567890, id), 10);
    assert_string_equal(id, "1234567890");
    assert_int_equal(id_write(SPELLING_HEX, 0xabc123, id), 6);
    assert_string_equal(id, "abc123");
    assert_int_equal(id_write(SPELLING_ZEROS, 42, id), 20);
    assert_string_equal(id, "00000000000000000042");
    assert_int_equal(id_write(SPELLING_UUID, 42, id), 36);
    assert_int_equal(id_write(SPELLING_LONG, 42, id), MESSAGE_ID_MAX);
    assert_int_equal(strlen(id), MESSAGE_ID_MAX);
}

/* The receipt goes through a PDU and is read as the gateway reads it. */
static void assert_understood(uint8_t form, uint8_t variant, uint8_t message_state,
                              enum id_spelling id_spelling, bool in_data_sm)
{
    struct receipt_facts facts = {.message_id = 1000000042,
                                  .submitted_wall_ms = 1795000000000,
                                  .done_wall_ms = 1795000060000,
                                  .id_spelling = id_spelling,
                                  .message_state = message_state,
                                  .form = form,
                                  .variant = variant};
    struct receipt_buffers buffers;
    struct sm_out message = {.source = {1, 1, "12025550101"}, .destination = {1, 1, "12025550100"}};
    struct buffer out;
    struct sm_body body;
    struct receipt receipt;
    receipt_write(&facts, &buffers, &message);
    buffer_init(&out, PDU_MAX);
    assert_int_equal(encode_sm(&out, SMPP_DELIVER_SM, 1, &message), ERR_OK);
    if (in_data_sm)
        pdu_to_data_sm(&out, 0);
    assert_int_equal(decode_sm(buffer_span(&out), &body), ESME_ROK);
    assert_true(receipt_is(&body) && receipt_parse(&body, &receipt));
    assert_true(span_equal(receipt.message_id, span_from_string(buffers.id)));
    assert_int_equal(receipt.state, message_state == STATE_DELIVERED
                                        ? ASSENT__V1__RECEIPT_STATE__RECEIPT_DELIVERED
                                    : message_state == STATE_UNDELIVERABLE
                                        ? ASSENT__V1__RECEIPT_STATE__RECEIPT_UNDELIVERABLE
                                    : message_state == STATE_ACCEPTED
                                        ? ASSENT__V1__RECEIPT_STATE__RECEIPT_ACCEPTED
                                        : ASSENT__V1__RECEIPT_STATE__RECEIPT_EN_ROUTE);
    buffer_release(&out);
}

static void receipts_in_all_forms_are_understood(void **state)
{
    (void)state;
    static const uint8_t forms[] = {0,
                                    RECEIPT_NO_TEXT,
                                    RECEIPT_NO_TLVS,
                                    RECEIPT_PAYLOAD,
                                    RECEIPT_TLV_ERROR,
                                    RECEIPT_ASCII_ERROR | RECEIPT_PAYLOAD,
                                    RECEIPT_NO_TLVS | RECEIPT_PAYLOAD};
    static const uint8_t message_states[] = {STATE_BUFFERED, STATE_EN_ROUTE, STATE_DELIVERED,
                                             STATE_UNDELIVERABLE, STATE_ACCEPTED};
    for (size_t f = 0; f < sizeof forms; f++)
        for (size_t s = 0; s < sizeof message_states; s++)
            for (uint8_t v = 0; v < RECEIPT_VARIANTS; v++)
                for (int id = SPELLING_DEC; id <= SPELLING_LONG; id++) {
                    assert_understood(forms[f], v, message_states[s], (enum id_spelling)id, false);
                    assert_understood(forms[f], v, message_states[s], (enum id_spelling)id, true);
                }
}

/* PDUs ---------------------------------------------------------------------------------------- */

static void an_answer_is_bent(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, PDU_MAX);
    assert_int_equal(encode_header(&out, SMPP_ENQUIRE_LINK, 0, 3), ERR_OK); /* stays as it is */
    assert_int_equal(
        encode_message_resp(&out, SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, 9, span_from_string("4711")),
        ERR_OK);
    pdu_repeat(&out, 16);
    assert_int_equal(buffer_length(&out), 16 + 2 * 21);
    pdu_set_body(&out, 16 + 21, (struct span){0});
    pdu_to_nack(&out, 16, 0);
    struct span pdu = span_of(buffer_span(&out).data + 16, 16);
    assert_int_equal(buffer_length(&out), 32);
    assert_int_equal(pdu_word(pdu, WORD_LENGTH), 16);
    assert_int_equal(pdu_word(pdu, WORD_COMMAND), SMPP_GENERIC_NACK);
    assert_int_equal(pdu_word(pdu, WORD_SEQUENCE), 0);
    assert_int_equal(pdu_word(buffer_span(&out), WORD_COMMAND), SMPP_ENQUIRE_LINK);
    buffer_release(&out);
}

static void a_short_message_of_255_octets(void **state)
{
    (void)state;
    char text[UINT8_MAX];
    memset(text, 'x', sizeof text);
    struct tlv payload = {TLV_MESSAGE_PAYLOAD, span_of(text, sizeof text)};
    struct sm_out message = {.source = {1, 1, "12025550101"},
                             .destination = {1, 1, "12025550100"},
                             .tlvs = &payload,
                             .tlv_count = 1};
    struct buffer out;
    struct sm_body body;
    buffer_init(&out, PDU_MAX);
    assert_int_equal(encode_sm(&out, SMPP_DELIVER_SM, 1, &message), ERR_OK);
    pdu_payload_to_short_message(&out, 0);
    assert_int_equal(decode_sm(buffer_span(&out), &body), ESME_ROK);
    assert_int_equal(body.tlvs.count, 0);
    assert_true(span_equal(body.text, span_of(text, sizeof text)));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_whole_and_its_example_is_understood),
        cmocka_unit_test(values_and_shares_in_any_order),
        cmocka_unit_test(what_cannot_be_played_is_refused),
        cmocka_unit_test(one_seed_one_behaviour),
        cmocka_unit_test(at_each_so_many),
        cmocka_unit_test(ids_in_all_forms),
        cmocka_unit_test(receipts_in_all_forms_are_understood),
        cmocka_unit_test(an_answer_is_bent),
        cmocka_unit_test(a_short_message_of_255_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Texts through the engine: what leaves for carriers of each kind, and long replies that come in. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "smpp/decode.h"
#include "smpp/text.h"

#define NUMBER "12025550110"

static struct world w;

/* ---- what leaves ---- */

static struct {
    struct sm_body body;
    uint8_t octets[2048];
    unsigned count;
} seen;

static void see(const struct sm_body *body)
{
    seen.body = *body;
    assert_true(body->text.length <= sizeof seen.octets);
    memcpy(seen.octets, body->text.data, body->text.length);
    seen.body.text.data = seen.octets;
    seen.count++;
}

static struct submit_verdict send_text(const struct text_rules *rules, const char *text)
{
    world_init(&w);
    w.carrier.text = *rules;
    w.on_submit = see;
    memset(&seen, 0, sizeof seen);
    world_start(&w);
    world_pass(&w, 2000);
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, NUMBER, text);
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    world_pass(&w, 2000);
    return verdict;
}

static const char *letters(size_t count)
{
    static char text[1600];
    memset(text, 'a', count);
    text[count] = '\0';
    return text;
}

static void test_short_message_of_at_most_254_octets_never_with_payload(void **state)
{
    (void)state;
    struct text_rules rules = text_rules_default;
    for (unsigned c = CONCATENATION_UDH8; c <= CONCATENATION_PAYLOAD; c++) {
        rules.concatenation = (enum concatenation)c;
        (void)send_text(&rules, letters(1530 - 10));
        const struct tlv *payload = tlv_find(&seen.body.tlvs, TLV_MESSAGE_PAYLOAD);
        assert_int_equal(payload != NULL, c == CONCATENATION_PAYLOAD);
        assert_true(payload != NULL || seen.body.text.length <= SHORT_MESSAGE_MAX);
        world_release(&w);
    }
}

static void test_message_payload_within_its_limit(void **state)
{
    (void)state;
    struct text_rules rules = {.concatenation = CONCATENATION_PAYLOAD, .payload_max = 306};
    struct submit_verdict verdict = send_text(&rules, letters(306));
    assert_int_equal(seen.count, 1);
    assert_int_equal(verdict.parts, 2); /* as billed */
    assert_int_equal(seen.body.esm_class & ESM_UDHI, 0);
    assert_int_equal(seen.body.text.length, 306);
    assert_non_null(tlv_find(&seen.body.tlvs, TLV_MESSAGE_PAYLOAD));
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, NUMBER, letters(307));
    verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_non_null(strstr(verdict.message, "payload_max"));
    world_release(&w);
}

static void test_concatenation_by_sar_without_udhi(void **state)
{
    (void)state;
    struct text_rules rules = {.concatenation = CONCATENATION_SAR};
    struct submit_verdict verdict = send_text(&rules, letters(305));
    assert_int_equal(verdict.parts, 3);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.body.esm_class & ESM_UDHI, 0);
    const struct tlv *total = tlv_find(&seen.body.tlvs, TLV_SAR_TOTAL_SEGMENTS);
    const struct tlv *number = tlv_find(&seen.body.tlvs, TLV_SAR_SEGMENT_SEQNUM);
    const struct tlv *reference = tlv_find(&seen.body.tlvs, TLV_SAR_MSG_REF_NUM);
    assert_true(total && number && reference && reference->value.length == 2);
    world_release(&w);
}

static void test_concatenation_by_udh16(void **state)
{
    (void)state;
    struct text_rules rules = {.concatenation = CONCATENATION_UDH16};
    (void)send_text(&rules, letters(304));
    struct udh udh;
    assert_int_equal(seen.count, 2);
    assert_true(seen.body.esm_class & ESM_UDHI);
    assert_true(udh_parse(seen.body.text, &udh) && udh.concatenated && udh.wide);
    world_release(&w);
}

static void test_national_tables_instead_of_ucs2(void **state)
{
    (void)state;
    struct text_rules rules = {.national = 1u << NATIONAL_TURKISH};
    struct submit_verdict verdict = send_text(&rules, "\xc5\x9f");
    assert_int_equal(verdict.encoding, TEXT_GSM7);
    assert_int_equal(seen.body.data_coding, 0);
    assert_int_equal(seen.body.esm_class, ESM_UDHI);
    assert_int_equal(seen.body.text.length, 6);
    assert_memory_equal(seen.body.text.data, "\x03\x24\x01\x01\x1bs", 6);
    world_release(&w);
}

static void test_data_coding_0_is_latin1_to_some(void **state)
{
    (void)state;
    struct text_rules rules = {.alphabet = ALPHABET_LATIN1};
    (void)send_text(&rules, "@\xc3\xa9[");
    assert_int_equal(seen.body.data_coding, 0);
    assert_int_equal(seen.body.text.length, 3);
    assert_memory_equal(seen.body.text.data, "@\xe9[", 3);
    world_release(&w);
    rules.alphabet = ALPHABET_ASCII;
    (void)send_text(&rules, "@\xc3\xa9[");
    assert_int_equal(seen.body.data_coding, TEXT_UCS2);
    world_release(&w);
}

static void test_at_sign_is_octet_0_and_brackets_take_two(void **state)
{
    (void)state;
    (void)send_text(&text_rules_default, "@[");
    assert_int_equal(seen.body.text.length, 3);
    assert_memory_equal(seen.body.text.data, "\0\x1b<", 3);
    world_release(&w);
}

static void test_smart_encoding_only_when_all_then_fits(void **state)
{
    (void)state;
    static const char quoted[] = "\xe2\x80\x9cHi\xe2\x80\x9d\xe2\x80\xa6";
    static const char foreign[] = "\xe2\x80\x9cHi\xe2\x80\x9d \xc3\xaa";
    world_init(&w);
    w.on_submit = see;
    memset(&seen, 0, sizeof seen);
    w.programs[1].smart_encoding = true;
    world_start(&w);
    world_pass(&w, 2000);
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, NUMBER, quoted);
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.encoding, TEXT_GSM7);
    assert_int_equal(verdict.replaced, 3);
    world_stop(&w); /* the ledger has the text as it is sent */
    world_boot(&w, true);
    world_pass(&w, 2000);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.body.text.length, 7);
    assert_memory_equal(seen.body.text.data, "\"Hi\"...", 7);
    message.text = (char *)(uintptr_t)foreign; /* e with circumflex remains: all of it does */
    verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.encoding, TEXT_UCS2);
    assert_int_equal(verdict.replaced, 0);
    w.programs[1].smart_encoding = false;
    message.text = (char *)(uintptr_t)quoted;
    assert_int_equal(world_submit(&w, 0, &message).encoding, TEXT_UCS2);
    world_release(&w);
}

/* The carrier's rules have changed while a message waited: it is planned anew after the start. */
static void test_the_form_follows_the_carrier(void **state)
{
    (void)state;
    world_init(&w);
    w.on_submit = see;
    memset(&seen, 0, sizeof seen);
    w.away[0] = true;
    world_start(&w);
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, NUMBER, "\xc3\xaa\xc3\xaa");
    assert_int_equal(world_submit(&w, 0, &message).encoding, TEXT_UCS2);
    world_settle(&w);
    world_stop(&w);
    w.carrier.text.latin1 = true;
    w.away[0] = false;
    world_boot(&w, true);
    world_pass(&w, 2000);
    world_pass(&w, 2000);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.body.data_coding, TEXT_LATIN1);
    assert_int_equal(seen.body.text.length, 2);
    world_stop(&w);
    world_boot(&w, true); /* what was sent keeps the form that it was sent in */
    world_pass(&w, 2000);
    assert_int_equal(seen.count, 1);
    world_release(&w);
}

/* ---- long replies ---- */

#define BY_SAR 0xff

struct half {
    const char *text;
    uint8_t reference, total, number;
};

static void reply(uint8_t kind, struct half half)
{
    uint8_t octets[256] = {5, 0, 3, half.reference, half.total, half.number};
    uint8_t sar[] = {0, half.reference, half.total, half.number};
    struct tlv tlvs[] = {{TLV_SAR_MSG_REF_NUM, span_of(sar, 2)},
                         {TLV_SAR_TOTAL_SEGMENTS, span_of(sar + 2, 1)},
                         {TLV_SAR_SEGMENT_SEQNUM, span_of(sar + 3, 1)}};
    size_t length = strlen(half.text), header = kind == BY_SAR ? 0 : 6;
    memcpy(octets + header, half.text, length);
    struct sm_out out = {.source = {.ton = 1, .npi = 1, .digits = NUMBER},
                         .destination = {.ton = 1, .npi = 1, .digits = "12025550100"},
                         .esm_class = kind == BY_SAR ? 0 : ESM_UDHI,
                         .short_message = span_of(octets, header + length)};
    if (kind == BY_SAR) {
        out.tlvs = tlvs;
        out.tlv_count = 3;
    }
    w.deliver_status = UINT32_MAX;
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static void part(const char *text, uint8_t reference, uint8_t total, uint8_t number)
{
    reply(0, (struct half){text, reference, total, number});
    assert_int_equal(w.deliver_status, ESME_ROK); /* each part has its answer */
}

static uint64_t counted(enum counter counter)
{
    return engine_metrics(w.engine)->counters[counter];
}

static void begin(void)
{
    world_init(&w);
    world_start(&w);
    world_pass(&w, 2000);
}

static void test_a_phrase_over_two_parts_opts_out(void **state)
{
    (void)state;
    begin();
    part("leave me al", 7, 2, 1);
    assert_int_equal(counted(COUNT_OPT_OUTS), 0);
    part("one, thank you", 7, 2, 2);
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    assert_int_equal(counted(COUNT_REPLIES), 0);
    world_release(&w);
}

static void test_parts_by_sar_in_the_other_order(void **state)
{
    (void)state;
    begin();
    reply(BY_SAR, (struct half){"one, thank you", 7, 2, 2});
    reply(BY_SAR, (struct half){"leave me al", 7, 2, 1});
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    world_release(&w);
}

static void test_a_part_that_says_stop_does_not_wait(void **state)
{
    (void)state;
    begin();
    part("STOP sending me this, I have had", 7, 2, 1);
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    part("START of a long story", 7, 2, 2); /* cannot take it back */
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    assert_int_equal(counted(COUNT_OPT_INS_AGAIN), 0);
    part("stop", 8, 3, 3);
    assert_int_equal(counted(COUNT_OPT_OUTS), 2);
    part("stop here is the bus", 9, 3, 3); /* begins no sentence: waits for the others */
    assert_int_equal(counted(COUNT_OPT_OUTS), 2);
    world_release(&w);
}

static void test_what_came_is_read_when_the_rest_does_not_come(void **state)
{
    (void)state;
    begin();
    part("stop here is the bus", 9, 3, 3);
    part("YES", 10, 2, 2);
    world_pass(&w, REASSEMBLY_MS - 1);
    assert_int_equal(counted(COUNT_OPT_OUTS) + counted(COUNT_REPLIES), 0);
    world_pass(&w, 1);
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    assert_int_equal(counted(COUNT_REPLIES), 1); /* half a text is no yes */
    world_pass(&w, REASSEMBLY_MS);
    assert_int_equal(counted(COUNT_REPLIES), 1);
    world_release(&w);
}

static void test_a_part_again_after_the_text_was_complete(void **state)
{
    (void)state;
    begin();
    part("are you the", 7, 2, 1);
    part("re, my friend", 7, 2, 2);
    assert_int_equal(counted(COUNT_REPLIES), 1);
    part("re, my friend", 7, 2, 2);
    world_pass(&w, REASSEMBLY_MS);
    assert_int_equal(counted(COUNT_REPLIES), 1);
    part("leave me al", 8, 2, 1);
    part("one, thank you", 8, 2, 2);
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    part("one, thank you", 8, 2, 2);
    world_pass(&w, REASSEMBLY_MS);
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    assert_int_equal(counted(COUNT_REPLIES), 1);
    world_release(&w);
}

/* What is like a text before may be a text of its own: nothing of it that says stop is lost. */
static void test_a_text_again_still_opts_out(void **state)
{
    (void)state;
    begin();
    for (uint64_t times = 1; times <= 3; times++) { /* whole */
        part("leave me al", 7, 2, 1);
        part("one, thank you", 7, 2, 2);
        assert_int_equal(counted(COUNT_OPT_OUTS), times);
    }
    part("leave me al", 8, 3, 1);
    part("one, thank you", 8, 3, 2);
    part("and goodbye", 8, 3, 3);
    assert_int_equal(counted(COUNT_OPT_OUTS), 4);
    part("leave me al", 8, 3, 1);
    part("one, thank you", 8, 3, 2); /* and the third never comes again */
    world_pass(&w, REASSEMBLY_MS);
    assert_int_equal(counted(COUNT_OPT_OUTS), 5);
    part("STOP sending me this", 9, 2, 1);
    part("I have had enough", 9, 2, 2);
    assert_int_equal(counted(COUNT_OPT_OUTS), 6);
    part("STOP sending me this", 9, 2, 1); /* acts at once, again */
    assert_int_equal(counted(COUNT_OPT_OUTS), 7);
    world_release(&w);
}

static void test_a_reference_used_again_with_another_text(void **state)
{
    (void)state;
    begin();
    part("leave me al", 7, 2, 1);
    part("leave me al", 7, 2, 1); /* the same again changes nothing */
    assert_int_equal(counted(COUNT_REPLIES), 0);
    part("are you the", 7, 2, 1);
    assert_int_equal(counted(COUNT_REPLIES), 1);
    part("one, thank you", 7, 2, 2);
    assert_int_equal(counted(COUNT_OPT_OUTS), 0);
    assert_int_equal(counted(COUNT_REPLIES), 2);
    world_release(&w);
}

static void test_parts_are_joined_over_a_crash(void **state)
{
    (void)state;
    begin();
    part("leave me al", 7, 2, 1);
    world_stop(&w);
    world_boot(&w, true);
    part("one, thank you", 7, 2, 2);
    assert_int_equal(counted(COUNT_OPT_OUTS), 1);
    world_stop(&w);
    world_boot(&w, true); /* and they do not wait for anything then */
    world_pass(&w, REASSEMBLY_MS);
    assert_int_equal(counted(COUNT_OPT_OUTS) + counted(COUNT_REPLIES), 0);
    world_release(&w);
}

/* The last part is taken back while nobody can say whether a question is open. */
static void test_a_long_yes_waits_for_redis(void **state)
{
    (void)state;
    begin();
    w.state = (struct consent_state){
        .pending = true, .request = 1, .expires_wall_ms = UINT64_MAX, .asker = "test 12025550100"};
    part("y", 7, 2, 1);
    part("es", 7, 2, 2);
    assert_int_equal(counted(COUNT_OPT_INS_CONFIRMED), 1);
    world_pass(&w, REASSEMBLY_MS);
    assert_int_equal(counted(COUNT_REPLIES), 0);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_message_of_at_most_254_octets_never_with_payload),
        cmocka_unit_test(test_message_payload_within_its_limit),
        cmocka_unit_test(test_concatenation_by_sar_without_udhi),
        cmocka_unit_test(test_concatenation_by_udh16),
        cmocka_unit_test(test_national_tables_instead_of_ucs2),
        cmocka_unit_test(test_data_coding_0_is_latin1_to_some),
        cmocka_unit_test(test_at_sign_is_octet_0_and_brackets_take_two),
        cmocka_unit_test(test_smart_encoding_only_when_all_then_fits),
        cmocka_unit_test(test_the_form_follows_the_carrier),
        cmocka_unit_test(test_a_phrase_over_two_parts_opts_out),
        cmocka_unit_test(test_parts_by_sar_in_the_other_order),
        cmocka_unit_test(test_a_part_that_says_stop_does_not_wait),
        cmocka_unit_test(test_what_came_is_read_when_the_rest_does_not_come),
        cmocka_unit_test(test_a_part_again_after_the_text_was_complete),
        cmocka_unit_test(test_a_text_again_still_opts_out),
        cmocka_unit_test(test_a_reference_used_again_with_another_text),
        cmocka_unit_test(test_parts_are_joined_over_a_crash),
        cmocka_unit_test(test_a_long_yes_waits_for_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "smpp/reassembly.h"
#include "smpp/utf8.h"

static const struct hash_key key = {.k0 = 1, .k1 = 2};

static struct part part_of(uint8_t number, uint8_t total)
{
    return (struct part){.sender = 12025550110ull,
                         .scope = 1,
                         .reference = 7,
                         .kind = PART_UDH8,
                         .total = total,
                         .number = number,
                         .receiver = "12025550100"};
}

static struct span text(const char *string)
{
    return span_from_string(string);
}

static void joins(const struct part_set *set, const struct part *last, const char *last_text,
                  const char *expected)
{
    char out[256];
    size_t length = part_set_join(set, last, text(last_text), out, sizeof out);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(out, expected, length);
}

static void test_parts_in_any_order(void **state)
{
    (void)state;
    struct reassembly *r = reassembly_new(&key);
    struct part one = part_of(1, 3), two = part_of(2, 3), three = part_of(3, 3);
    assert_int_equal(reassembly_judge(r, &three, text("c")), PART_WAITS);
    reassembly_add(r, &three, text("c"), 5);
    assert_int_equal(reassembly_judge(r, &one, text("a")), PART_WAITS);
    struct part_set *set = reassembly_add(r, &one, text("a"), 6);
    assert_int_equal(set->since_us, 5);
    assert_int_equal(reassembly_judge(r, &two, text("b")), PART_COMPLETES);
    joins(set, &two, "b", "abc");
    joins(set, NULL, NULL, "ac");
    assert_null(set->texts[1].text); /* looking at it kept nothing */
    reassembly_drop(r, set);
    assert_null(reassembly_oldest(r));
    reassembly_free(r);
}

static void test_a_part_twice(void **state)
{
    (void)state;
    struct reassembly *r = reassembly_new(&key);
    struct part one = part_of(1, 2);
    reassembly_add(r, &one, text("a"), 1);
    assert_int_equal(reassembly_judge(r, &one, text("a")), PART_REPEATED);
    assert_int_equal(reassembly_judge(r, &one, text("b")), PART_CONTRADICTS);
    reassembly_free(r);
}

/* Another total, sender, receiver, scope, reference or kind of reference: another set. */
static void test_contradictory_totals_never_meet(void **state)
{
    (void)state;
    struct reassembly *r = reassembly_new(&key);
    struct part one = part_of(1, 2);
    reassembly_add(r, &one, text("a"), 1);
    struct part others[6];
    for (size_t i = 0; i < 6; i++)
        others[i] = part_of(2, 2);
    others[0].total = 3;
    others[1].sender++;
    strcpy(others[2].receiver, "12025550101");
    others[3].scope++;
    others[4].reference++;
    others[5].kind = PART_SAR;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(reassembly_judge(r, &others[i], text("b")), PART_WAITS);
        assert_null(reassembly_find(r, &others[i]));
    }
    struct part two = part_of(2, 2);
    assert_int_equal(reassembly_judge(r, &two, text("b")), PART_COMPLETES);
    reassembly_free(r);
}

static void test_sets_are_bounded(void **state)
{
    (void)state;
    struct reassembly *r = reassembly_new(&key);
    struct part one = part_of(1, 2);
    for (uint64_t i = 0; i < REASSEMBLY_SETS_MAX; i++) {
        assert_false(reassembly_is_full(r));
        one.sender = 1000000 + i;
        reassembly_add(r, &one, text("a"), i);
    }
    assert_true(reassembly_is_full(r));
    assert_int_equal(reassembly_oldest(r)->part.sender, 1000000);
    assert_int_equal(reassembly_after(reassembly_oldest(r))->part.sender, 1000001);
    reassembly_drop(r, reassembly_oldest(r));
    assert_false(reassembly_is_full(r));
    reassembly_free(r);
}

static void test_octets_are_bounded(void **state)
{
    (void)state;
    static char longest[REASSEMBLY_TEXT_MAX + 2];
    memset(longest, 'a', sizeof longest - 1);
    struct reassembly *r = reassembly_new(&key);
    struct part part = part_of(1, REASSEMBLY_PARTS_MAX);
    size_t octets = 0;
    while (!reassembly_is_full(r)) {
        struct part_set *set = reassembly_add(r, &part, text(longest), 1);
        assert_int_equal(set->texts[part.number - 1].length, REASSEMBLY_TEXT_MAX);
        assert_int_equal(reassembly_judge(r, &part, text(longest)), PART_REPEATED);
        octets += REASSEMBLY_TEXT_MAX;
        if (part.number++ == REASSEMBLY_PARTS_MAX - 1)
            part.number = 1, part.reference++;
    }
    assert_in_range(octets, REASSEMBLY_OCTETS_MAX - REASSEMBLY_TEXT_MAX, REASSEMBLY_OCTETS_MAX);
    reassembly_free(r);
}

static void test_texts_are_cut_at_a_whole_character(void **state)
{
    (void)state;
    assert_int_equal(utf8_cut(text("a\xc3\xa9"), 3), 3);
    assert_int_equal(utf8_cut(text("a\xc3\xa9"), 2), 1);
    assert_int_equal(utf8_cut(text("\xf0\x9f\x98\x80"), 3), 0);
    assert_int_equal(utf8_cut((struct span){0}, 3), 0);
}

/* Part `number` of a text of two comes, after the text was whole at 0. */
static bool again(struct reassembly *r, uint8_t number, const char *string, uint64_t now_us)
{
    struct part part = part_of(number, 2);
    struct part_set *set = reassembly_add(r, &part, text(string), now_us);
    bool result = set->again;
    reassembly_drop(r, set);
    return result;
}

static void test_parts_of_a_whole_text_are_known_again(void **state)
{
    (void)state;
    const uint64_t end_us = REASSEMBLY_MS * US_PER_MS;
    struct reassembly *r = reassembly_new(&key);
    struct part one = part_of(1, 2), two = part_of(2, 2);
    struct part_set *set = reassembly_add(r, &one, text("a"), 0);
    assert_false(set->again);
    reassembly_remember(r, set, &two, text("b"), 0);
    reassembly_drop(r, set);
    assert_true(again(r, 1, "a", 1));
    assert_true(again(r, 2, "b", 1));
    assert_false(again(r, 1, "b", 1)); /* the reference of another text */
    assert_true(again(r, 2, "b", end_us - 1));
    assert_false(again(r, 2, "b", end_us));
    set = reassembly_add(r, &one, text("a"), 1);
    assert_true(set->again);
    assert_ptr_equal(reassembly_add(r, &two, text("c"), 1), set);
    assert_false(set->again); /* one of them is new */
    reassembly_free(r);
}

static void test_whole_texts_are_bounded(void **state)
{
    (void)state;
    struct reassembly *r = reassembly_new(&key);
    struct part one = part_of(1, 2), two = part_of(2, 2);
    for (uint64_t i = 0; i <= REASSEMBLY_SETS_MAX; i++) {
        one.sender = two.sender = i;
        struct part_set *set = reassembly_add(r, &one, text("a"), i);
        reassembly_remember(r, set, &two, text("b"), i);
        reassembly_remember(r, set, &two, text("b"), i); /* the same again takes no more room */
        reassembly_drop(r, set);
    }
    two.sender = 0; /* the oldest made room */
    assert_false(reassembly_add(r, &two, text("b"), REASSEMBLY_SETS_MAX)->again);
    two.sender = 1;
    assert_true(reassembly_add(r, &two, text("b"), REASSEMBLY_SETS_MAX)->again);
    reassembly_free(r);
}

static bool reads(const struct udh *udh, const struct tlv *tlvs, uint16_t count, struct part *part)
{
    struct sm_body body = {.tlvs.count = count};
    memcpy(body.tlvs.items, tlvs, count * sizeof *tlvs);
    return part_read(&body, udh, part);
}

static void test_concatenation_by_udh8_udh16_and_sar(void **state)
{
    (void)state;
    struct part part;
    struct udh udh = {.concatenated = true, .reference = 9, .total = 3, .part = 2};
    const struct tlv sar[] = {{TLV_SAR_MSG_REF_NUM, text("\x12\x34")},
                              {TLV_SAR_TOTAL_SEGMENTS, text("\x02")},
                              {TLV_SAR_SEGMENT_SEQNUM, text("\x01")}};
    assert_true(reads(&udh, sar, 0, &part));
    assert_int_equal(part.kind, PART_UDH8);
    assert_int_equal(part.reference, 9);
    assert_int_equal(part.total, 3);
    assert_int_equal(part.number, 2);
    udh.wide = true;
    assert_true(reads(&udh, sar, 3, &part)); /* the header goes before the TLVs */
    assert_int_equal(part.kind, PART_UDH16);
    assert_true(reads(NULL, sar, 3, &part));
    assert_int_equal(part.kind, PART_SAR);
    assert_int_equal(part.reference, 0x1234);
    assert_int_equal(part.total, 2);
    assert_int_equal(part.number, 1);
    assert_false(reads(NULL, sar, 2, &part));
    const struct tlv odd[] = {{TLV_SAR_MSG_REF_NUM, text("\x12")}, sar[1], sar[2]};
    assert_false(reads(NULL, odd, 3, &part));
    const struct tlv past[] = {sar[0], sar[1], {TLV_SAR_SEGMENT_SEQNUM, text("\x03")}};
    assert_false(reads(NULL, past, 3, &part));
    udh.total = REASSEMBLY_PARTS_MAX;
    assert_true(reads(&udh, sar, 0, &part));
    udh.total = REASSEMBLY_PARTS_MAX + 1;
    assert_false(reads(&udh, sar, 0, &part));
    udh.total = udh.part = 1;
    assert_false(reads(&udh, sar, 0, &part)); /* a text for itself */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_in_any_order),
        cmocka_unit_test(test_a_part_twice),
        cmocka_unit_test(test_contradictory_totals_never_meet),
        cmocka_unit_test(test_sets_are_bounded),
        cmocka_unit_test(test_octets_are_bounded),
        cmocka_unit_test(test_parts_of_a_whole_text_are_known_again),
        cmocka_unit_test(test_whole_texts_are_bounded),
        cmocka_unit_test(test_texts_are_cut_at_a_whole_character),
        cmocka_unit_test(test_concatenation_by_udh8_udh16_and_sar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The first octet is a data_coding, the second what a carrier takes, and the shift tables of what comes
 * in. The rest is decoded with the one;
 * what came out is split into parts by the other, and the parts decoded and joined must be the same
 * text again. The rest itself, as UTF-8 or not, is planned too. */
#include "proto/base/check.h"
#include "smpp/simplify.h"
#include "smpp/text.h"

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text_rules rules_of(uint8_t octet)
{
    const uint32_t scripts = (1u << NATIONAL_COUNT) - (1u << NATIONAL_BENGALI);
    struct text_rules rules = {.alphabet = (enum text_alphabet)((octet & 3) % 3),
                               .concatenation = (enum concatenation)(octet >> 2 & 3),
                               .latin1 = (octet & 0x10) != 0,
                               .payload_max = TEXT_PART_MAX};
    if (rules.alphabet == ALPHABET_GSM7 && rules.concatenation <= CONCATENATION_UDH16)
        rules.national = octet >> 4 | (octet & 0x10 ? scripts : 0);
    return rules;
}

static void split_and_join(struct span text, const struct text_rules *rules)
{
    static char joined[INPUT_MAX * 3];
    struct text_plan plan;
    if (text_plan(text, rules, &plan) != ERR_OK)
        return;
    size_t length = 0;
    CHECK(plan.parts >= 1 && plan.parts <= plan.segments && plan.segments <= TEXT_PARTS_MAX);
    for (uint8_t part = 1; part <= plan.parts; part++) {
        struct text_storage storage;
        struct sm_out out = {0};
        CHECK(text_fill(text, &plan, part, 7, &storage, &out));
        struct udh udh = {.text = out.short_message};
        CHECK(out.short_message.length <= 160);
        if (plan.concatenation == CONCATENATION_PAYLOAD)
            udh.text = out.tlvs[0].value;
        else if (out.esm_class & ESM_UDHI)
            CHECK(udh_parse(out.short_message, &udh));
        CHECK(!udh.concatenated || (udh.part == part && udh.total == plan.parts));
        length += text_receive(rules->alphabet, out.data_coding, &udh, udh.text, joined + length,
                               sizeof joined - length);
    }
    CHECK(span_equal(span_of(joined, length), text));
}

static void simplify(struct span text)
{
    static char plain[INPUT_MAX * 3], again[INPUT_MAX * 3];
    uint32_t replaced;
    size_t length = text_simplify(text, plain, sizeof plain, &replaced);
    if (length == SIZE_MAX)
        return;
    CHECK(text_simplify(span_of(plain, length), again, sizeof again, &replaced) == length);
    CHECK(replaced == 0); /* what is plain stays */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char decoded[INPUT_MAX * 3];
    if (size < 2 || size > INPUT_MAX)
        return 0;
    struct span rest = span_of(data + 2, size - 2);
    struct text_rules rules = rules_of(data[1]);
    struct udh udh = {.locking = data[1] >> 4, .single = data[1] & 0x0f};
    size_t length = text_receive(rules.alphabet, data[0], &udh, rest, decoded, sizeof decoded);
    CHECK(length <= rest.length * 3);
    struct text_plan plan;
    CHECK(text_plan(span_of(decoded, length), &rules, &plan) != ERR_BAD_INPUT);
    split_and_join(span_of(decoded, length), &rules);
    split_and_join(rest, &rules);
    simplify(rest);
    size_t cut = text_receive(rules.alphabet, data[0], &udh, rest, decoded, length / 2);
    CHECK(cut <= length / 2 && text_plan(span_of(decoded, cut), &rules, &plan) != ERR_BAD_INPUT);
    return 0;
}

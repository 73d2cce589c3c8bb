/* SPDX-License-Identifier: Apache-2.0 */
/* The first octet is a data_coding. The rest is decoded with it; what came out is split into parts,
 * and the parts decoded and joined must be the same text again. The rest itself, as UTF-8 or not, is
 * planned too. */
#include "proto/base/check.h"
#include "smpp/text.h"

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split_and_join(struct span text)
{
    static char joined[INPUT_MAX * 3];
    struct text_plan plan;
    if (text_plan(text, &text_rules_default, &plan) != ERR_OK)
        return;
    size_t length = 0;
    CHECK(plan.parts >= 1 && plan.parts <= TEXT_PARTS_MAX);
    for (uint8_t part = 1; part <= plan.parts; part++) {
        uint8_t out[TEXT_PART_MAX];
        size_t octets = text_part(text, &plan, part, 7, out);
        struct udh udh = {.text = span_of(out, octets)};
        CHECK(octets > 0 || text.length == 0);
        if (plan.parts > 1)
            CHECK(udh_parse(span_of(out, octets), &udh) && udh.part == part);
        length +=
            text_decode((uint8_t)plan.encoding, udh.text, joined + length, sizeof joined - length);
    }
    CHECK(span_equal(span_of(joined, length), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char decoded[INPUT_MAX * 3];
    if (size < 1 || size > INPUT_MAX)
        return 0;
    struct span rest = span_of(data + 1, size - 1);
    size_t length = text_decode(data[0], rest, decoded, sizeof decoded);
    CHECK(length <= rest.length * 3);
    struct text_plan plan;
    CHECK(text_plan(span_of(decoded, length), &text_rules_default, &plan) != ERR_BAD_INPUT);
    split_and_join(span_of(decoded, length));
    split_and_join(rest);
    size_t cut = text_decode(data[0], rest, decoded, length / 2);
    CHECK(cut <= length / 2 &&
          text_plan(span_of(decoded, cut), &text_rules_default, &plan) != ERR_BAD_INPUT);
    return 0;
}

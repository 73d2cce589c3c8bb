/* SPDX-License-Identifier: Apache-2.0 */
/* Each run of octets is a part: what it says it is, and its text. Beside the real table stands a plain
 * model of two sets; what is judged and joined must agree with it. */
#include <stdio.h>

#include "proto/base/check.h"
#include "smpp/reassembly.h"

#define TOTAL 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t model[2][TOTAL]; /* the letter of each part; 0: not there */

static enum part_verdict expected(unsigned set, unsigned at, uint8_t letter)
{
    unsigned there = 0;
    for (unsigned i = 0; i < TOTAL; i++)
        there += model[set][i] != 0;
    if (model[set][at] != 0)
        return model[set][at] == letter ? PART_REPEATED : PART_CONTRADICTS;
    return there == TOTAL - 1 ? PART_COMPLETES : PART_WAITS;
}

static void compare(struct reassembly *r, const struct part *part, unsigned set)
{
    char joined[TOTAL + 1], modelled[TOTAL];
    size_t count = 0;
    for (unsigned i = 0; i < TOTAL; i++)
        if (model[set][i] != 0)
            modelled[count++] = (char)model[set][i];
    struct part_set *found = reassembly_find(r, part);
    CHECK((found != NULL) == (count > 0));
    if (found != NULL)
        CHECK(part_set_join(found, NULL, (struct span){0}, joined, sizeof joined) == count &&
              memcmp(joined, modelled, count) == 0);
}

static void one(struct reassembly *r, uint8_t what, uint8_t letter)
{
    unsigned set = what & 1, at = what >> 1 & 3;
    struct part part = {.sender = 12025550110ull,
                        .kind = set ? PART_SAR : PART_UDH8,
                        .total = TOTAL,
                        .number = (uint8_t)(at + 1)};
    snprintf(part.receiver, sizeof part.receiver, "12025550100");
    letter = (uint8_t)('a' + letter % 26);
    enum part_verdict verdict = reassembly_judge(r, &part, span_of(&letter, 1));
    CHECK(verdict == expected(set, at, letter));
    if (verdict == PART_WAITS) {
        reassembly_add(r, &part, span_of(&letter, 1), 1);
        model[set][at] = letter;
    } else if (verdict != PART_REPEATED) {
        if (verdict == PART_COMPLETES)
            reassembly_remember(r, reassembly_find(r, &part), &part, span_of(&letter, 1), 1);
        reassembly_drop(r, reassembly_find(r, &part));
        memset(model[set], 0, TOTAL);
    }
    compare(r, &part, set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hash_key key = {.k0 = 1, .k1 = 2};
    struct reassembly *r = reassembly_new(&key);
    memset(model, 0, sizeof model);
    for (size_t i = 0; i + 1 < size; i += 2)
        one(r, data[i], data[i + 1]);
    reassembly_free(r);
    return 0;
}

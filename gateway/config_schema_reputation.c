/* SPDX-License-Identifier: Apache-2.0 */
/* `reputation`: which shares of a sender's texts alarm and pause. A carrier has the same, beginning with these. */
#include "gateway/config_table.h"

#define MOST 1000000u /* all texts */

#define LIMIT(member) MEMBER(struct reputation_limit, member)
static const struct field limit_fields[] = {
    {"alarm", read_number, LIMIT(alarm), 0, MOST, &share},
    {"pause", read_number, LIMIT(pause), 0, MOST, &share},
};
static const struct mapping limit_mapping = MAPPING("a rate of `reputation`", limit_fields);

static void read_limit(struct reading *reading, yaml_node_t *node, const struct field *field,
                       void *into)
{
    const struct reputation_limit *limit = into;
    char alarm[32], pause[32];
    read_mapping(reading, node, &limit_mapping, into);
    share_text(limit->alarm, alarm, sizeof alarm);
    share_text(limit->pause, pause, sizeof pause);
    if (limit->alarm != 0 && limit->pause != 0 && limit->alarm > limit->pause)
        FAULT(reading, node,
              "`%s` would pause at %s and alarm at %s only; `alarm` is at most `pause`, or off",
              field->key, pause, alarm);
}

#define RATE(rate)                                                                                 \
    read_limit,                                                                                    \
        .offset = offsetof(struct reputation_limits, rates) +                                      \
                  ASSENT__V1__REPUTATION_RATE__RATE_##rate * sizeof(struct reputation_limit)
static const struct field reputation_fields[] = {
    {"texts", read_number, MEMBER(struct reputation_limits, least_texts), 1, REPUTATION_TEXTS_MAX,
     &integer},
    {"filtered", RATE(FILTERED)},
    {"unknown", RATE(UNKNOWN)},
    {"opt_outs", RATE(OPT_OUTS)},
    {"complaints", RATE(COMPLAINTS)},
};
const struct mapping reputation_mapping = MAPPING("`reputation`", reputation_fields);

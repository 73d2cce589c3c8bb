/* SPDX-License-Identifier: Apache-2.0 */
/* The area of complaints. */
#include "gateway/config_table.h"

#define DUE(channel)                                                                               \
    read_number,                                                                                   \
        .offset = offsetof(struct config, complaint_due_ms) +                                      \
                  ASSENT__V1__COMPLAINT_CHANNEL__VIA_##channel * sizeof(uint64_t),                 \
        .size = sizeof(uint64_t), .min = COMPLAINT_DUE_MS_MIN, .max = COMPLAINT_DUE_MS_MAX,        \
        .with = &duration
static const struct field due_fields[] = {
    {"reply", DUE(REPLY)},     {"support", DUE(SUPPORT)},     {"web", DUE(WEB)},
    {"carrier", DUE(CARRIER)}, {"regulator", DUE(REGULATOR)},
};
static const struct mapping due_mapping = MAPPING("`due`", due_fields);

static const struct field complaint_fields[] = {
    {"due", read_nested, .with = &due_mapping},
};
const struct mapping complaints_mapping = MAPPING("`complaints`", complaint_fields);

/* SPDX-License-Identifier: Apache-2.0 */
/* The area of the ledger: how long what is no consent is kept. */
#include "gateway/config_schema.h"

#include "gateway/config_table.h"
#include "gateway/config_text.h"

static const struct field ledger_fields[] = {
    {"retain", read_number, MEMBER(struct config, ledger_retain_ms), 1, LEDGER_RETAIN_MS_MAX,
     &duration},
};
const struct mapping ledger_mapping = MAPPING("`ledger`", ledger_fields);

/* A complaint is about any message, and its evidence is needed until it is due. */
static uint64_t longest_due(const struct config *config)
{
    uint64_t longest = 0;
    for (unsigned c = 1; c <= ASSENT__V1__COMPLAINT_CHANNEL__VIA_REGULATOR; c++)
        if (config->complaint_due_ms[c] > longest)
            longest = config->complaint_due_ms[c];
    return longest;
}

void config_check_retain(struct reading *reading, yaml_node_t *at)
{
    const struct config *config = reading->config;
    uint64_t due = longest_due(config);
    char has[32], least[32], due_text[32];
    if (config->ledger_retain_ms == 0 || config->ledger_retain_ms >= LEDGER_RETAIN_MS_MIN + due)
        return;
    config_duration_text(config->ledger_retain_ms, has, sizeof has);
    config_duration_text(LEDGER_RETAIN_MS_MIN, least, sizeof least);
    config_duration_text(due, due_text, sizeof due_text);
    FAULT(
        reading, at,
        "`retain` cannot be %s: texts that wait, their receipts and the windows of rules need %s, "
        "and complaints their evidence for the %s until they are due; the sum is the least",
        has, least, due_text);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/complaint.h"

#include <string.h>

static const char *const channels[COMPLAINT_CHANNELS] = {"unknown", "reply",   "support",
                                                         "web",     "carrier", "regulator"};
static const char *const types[COMPLAINT_TYPES] = {"unknown",  "spam",     "phishing",
                                                   "spoofing", "unwanted", "rule-breach"};

static const struct {
    const char *name;
    bool may_release;
} findings[COMPLAINT_FINDINGS] = {
    {"unknown", false},        {"valid", false},   {"sent-in-error", false},
    {"technical-fault", true}, {"not-ours", true}, {"unfounded", true},
};

const char complaint_channel_words[] = "reply, support, web, carrier, regulator";
const char complaint_type_words[] = "spam, phishing, spoofing, unwanted, rule-breach";
const char complaint_finding_words[] = "valid, sent-in-error, technical-fault, not-ours, unfounded";

const char *complaint_channel_name(unsigned channel)
{
    return channels[channel < COMPLAINT_CHANNELS ? channel : 0];
}

const char *complaint_type_name(unsigned type)
{
    return types[type < COMPLAINT_TYPES ? type : 0];
}

const char *complaint_finding_name(unsigned finding)
{
    return findings[finding < COMPLAINT_FINDINGS ? finding : 0].name;
}

static unsigned number_of(const char *(*name)(unsigned), unsigned count, const char *word)
{
    for (unsigned i = 1; i < count; i++)
        if (strcmp(name(i), word) == 0)
            return i;
    return 0;
}

unsigned complaint_channel_of(const char *word)
{
    return number_of(complaint_channel_name, COMPLAINT_CHANNELS, word);
}

unsigned complaint_type_of(const char *word)
{
    return number_of(complaint_type_name, COMPLAINT_TYPES, word);
}

unsigned complaint_finding_of(const char *word)
{
    return number_of(complaint_finding_name, COMPLAINT_FINDINGS, word);
}

bool complaint_may_release(unsigned finding)
{
    return finding < COMPLAINT_FINDINGS && findings[finding].may_release;
}

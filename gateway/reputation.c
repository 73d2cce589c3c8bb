/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reputation.h"

#include <stdio.h>
#include <string.h>

#define MILLION 1000000ull
#define PERCENT 10000u /* of millionths */
#define DIGITS  4      /* behind the point of a percentage */
#define MINUTE  60000ull
#define HOUR    (60 * MINUTE)

static const struct {
    const char *name, *text;
    enum reputation_kind kind;
} rates[REPUTATION_RATES] = {
    [ASSENT__V1__REPUTATION_RATE__RATE_UNSPECIFIED] = {"none", "no rate", REPUTATION_KINDS},
    [ASSENT__V1__REPUTATION_RATE__RATE_FILTERED] = {"filtered", "filtered", REPUTATION_FILTERED},
    [ASSENT__V1__REPUTATION_RATE__RATE_UNKNOWN] = {"unknown", "unknown numbers",
                                                   REPUTATION_UNKNOWN},
    [ASSENT__V1__REPUTATION_RATE__RATE_OPT_OUTS] = {"opt_outs", "opt-outs", REPUTATION_OPT_OUTS},
    [ASSENT__V1__REPUTATION_RATE__RATE_COMPLAINTS] = {"complaints", "complaints",
                                                      REPUTATION_COMPLAINTS},
};

static const struct {
    const char *name;
    uint64_t ms;
} windows[REPUTATION_WINDOWS] = {
    [ASSENT__V1__REPUTATION_WINDOW__WINDOW_UNSPECIFIED] = {"none", HOUR},
    [ASSENT__V1__REPUTATION_WINDOW__WINDOW_HOUR] = {"hour", HOUR},
    [ASSENT__V1__REPUTATION_WINDOW__WINDOW_DAY] = {"day", 24 * HOUR},
};

/* Carriers flag a sender at 5 % of opt-outs a day and may suspend it at 10 %. The others are set so that a list that
 * was bought, or a text that filters know, does not go on for an hour. */
const struct reputation_limits reputation_defaults = {
    .least_texts = 200,
    .rates =
        {
            [ASSENT__V1__REPUTATION_RATE__RATE_FILTERED] = {5 * PERCENT, 20 * PERCENT},
            [ASSENT__V1__REPUTATION_RATE__RATE_UNKNOWN] = {10 * PERCENT, 30 * PERCENT},
            [ASSENT__V1__REPUTATION_RATE__RATE_OPT_OUTS] = {5 * PERCENT, 10 * PERCENT},
            [ASSENT__V1__REPUTATION_RATE__RATE_COMPLAINTS] = {PERCENT / 2, 2 * PERCENT},
        },
};

const char *reputation_rate_name(unsigned rate)
{
    return rates[rate < REPUTATION_RATES ? rate : 0].name;
}

const char *reputation_rate_text(unsigned rate)
{
    return rates[rate < REPUTATION_RATES ? rate : 0].text;
}

const char *reputation_window_name(unsigned window)
{
    return windows[window < REPUTATION_WINDOWS ? window : 0].name;
}

uint64_t reputation_window_ms(unsigned window)
{
    return windows[window < REPUTATION_WINDOWS ? window : 0].ms;
}

enum reputation_kind reputation_kind_of(unsigned rate)
{
    return rates[rate].kind;
}

/* ---- windows ---- */

uint64_t reputation_bucket(unsigned window, uint64_t wall_ms)
{
    return wall_ms / (reputation_window_ms(window) / REPUTATION_BUCKETS);
}

static void forget(struct sliding *s, uint64_t bucket)
{
    uint32_t *counts = s->buckets[bucket % REPUTATION_BUCKETS];
    for (unsigned kind = 0; kind < REPUTATION_KINDS; kind++) {
        s->totals[kind] -= counts[kind];
        counts[kind] = 0;
    }
}

void sliding_roll(struct sliding *s, uint64_t bucket)
{
    if (bucket <= s->newest)
        return;
    uint64_t steps = bucket - s->newest;
    for (uint64_t i = 0; i < steps && i < REPUTATION_BUCKETS; i++)
        forget(s, bucket - i);
    s->newest = bucket;
}

void sliding_add(struct sliding *s, uint64_t bucket, enum reputation_kind kind, uint32_t count)
{
    sliding_roll(s, bucket);
    if (bucket + REPUTATION_BUCKETS <= s->newest)
        bucket = s->newest;
    uint32_t *at = &s->buckets[bucket % REPUTATION_BUCKETS][kind];
    if (*at > UINT32_MAX - count)
        return;
    *at += count;
    s->totals[kind] += count;
}

uint64_t reputation_texts(const uint64_t totals[REPUTATION_KINDS])
{
    uint64_t texts = 0;
    for (unsigned kind = 0; kind < REPUTATION_OPT_OUTS; kind++)
        texts += totals[kind];
    return texts;
}

/* ---- shares ---- */

uint32_t reputation_share(const uint64_t totals[REPUTATION_KINDS], unsigned rate)
{
    uint64_t texts = reputation_texts(totals);
    uint64_t share = texts > 0 ? totals[rates[rate].kind] * MILLION / texts : 0;
    return share < UINT32_MAX ? (uint32_t)share : UINT32_MAX;
}

bool reputation_is_over(const uint64_t totals[REPUTATION_KINDS],
                        const struct reputation_limits *limits, unsigned rate, uint32_t threshold)
{
    uint64_t texts = reputation_texts(totals);
    return threshold != 0 && texts > 0 && texts >= limits->least_texts &&
           totals[rates[rate].kind] * MILLION >= threshold * texts;
}

bool reputation_is_calm(const uint64_t totals[REPUTATION_KINDS],
                        const struct reputation_limits *limits, unsigned rate)
{
    uint64_t texts = reputation_texts(totals);
    return texts < limits->least_texts / 2 + 1 ||
           totals[rates[rate].kind] * MILLION * 5 < limits->rates[rate].alarm * texts * 4;
}

/* ---- as people write them ---- */

bool share_parse(const char *text, uint64_t *ret_millionths)
{
    uint64_t value = 0;
    unsigned digits = 0, behind = 0;
    bool point = false;
    if (strcmp(text, "off") == 0) {
        *ret_millionths = 0;
        return true;
    }
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point && digits > 0); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        value = value * 10 + (uint64_t)(*text - '0');
        behind += point;
        if (++digits > 9 || behind > DIGITS)
            return false;
    }
    if (digits == 0 || (point && behind == 0) || strcmp(text, "%") != 0)
        return false;
    for (; behind < DIGITS; behind++)
        value *= 10;
    *ret_millionths = value;
    return true;
}

void share_text(uint64_t millionths, char *out, size_t size)
{
    uint64_t rest = millionths % PERCENT;
    int digits = DIGITS;
    if (millionths == 0) {
        snprintf(out, size, "off");
        return;
    }
    for (; rest > 0 && rest % 10 == 0; digits--)
        rest /= 10;
    if (rest == 0)
        snprintf(out, size, "%llu%%", (unsigned long long)(millionths / PERCENT));
    else
        snprintf(out, size, "%llu.%0*llu%%", (unsigned long long)(millionths / PERCENT), digits,
                 (unsigned long long)rest);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/import.h"

#include <string.h>

#include "proto/base/hash.h"
#include "proto/number.h"

#define SOURCE_OCTETS_MAX 128
#define DATE_SLACK_MS     (24ull * 3600 * 1000) /* a date alone, from a time zone ahead of ours */

static const struct import_kind kinds[IMPORT_KINDS] = {
    [ASSENT__V1__IMPORT_KIND__IMPORT_OPT_IN] =
        {.name = "optin", .opt_in = true, .of_a_program = true, .evidence = true, .date = true},
    [ASSENT__V1__IMPORT_KIND__IMPORT_OPT_OUT] = {.name = "optout", .of_a_program = true},
    [ASSENT__V1__IMPORT_KIND__IMPORT_DO_NOT_CALL] = {.name = "do-not-call",
                                                     .scope = SCOPE_DO_NOT_CALL},
    [ASSENT__V1__IMPORT_KIND__IMPORT_REASSIGNED] = {.name = "reassigned",
                                                    .scope = SCOPE_REASSIGNED,
                                                    .date = true},
    [ASSENT__V1__IMPORT_KIND__IMPORT_DEACTIVATED] = {.name = "deactivated",
                                                     .scope = SCOPE_REASSIGNED,
                                                     .date = true},
    [ASSENT__V1__IMPORT_KIND__IMPORT_LITIGATORS] = {.name = "litigators", .scope = SCOPE_HOLD},
};

const struct import_kind *import_kind(Assent__V1__ImportKind kind)
{
    unsigned at = (unsigned)kind;
    return at < IMPORT_KINDS && kinds[at].name != NULL ? &kinds[at] : NULL;
}

Assent__V1__ImportKind import_kind_named(const char *name)
{
    for (unsigned i = 0; i < IMPORT_KINDS; i++)
        if (kinds[i].name != NULL && strcmp(kinds[i].name, name) == 0)
            return (Assent__V1__ImportKind)i;
    return ASSENT__V1__IMPORT_KIND__IMPORT_UNSPECIFIED;
}

static bool number_is_sane(uint64_t number)
{
    uint64_t least = 1;
    for (int i = 1; i < NUMBER_DIGITS_MIN; i++)
        least *= 10;
    uint64_t most = least;
    for (int i = NUMBER_DIGITS_MIN; i <= NUMBER_DIGITS_MAX; i++)
        most *= 10;
    return number >= least && number < most;
}

bool import_row_check(const struct import_kind *kind, const struct import_row *row,
                      uint64_t now_wall_ms, struct import_fault *ret_fault)
{
    const struct {
        bool bad;
        struct import_fault fault;
    } rules[] = {
        {!number_is_sane(row->number), {"number", "not E.164, like +12025550100"}},
        {kind->evidence && row->source[0] == '\0', {"source", "needed: how consent was given"}},
        {kind->evidence && row->evidence[0] == '\0', {"evidence", "needed: what proves it"}},
        {kind->date && row->when_wall_ms == 0, {"obtained_at", "needed, like 2026-11-01"}},
        {strlen(row->source) > SOURCE_OCTETS_MAX, {"source", "longer than 128 octets"}},
        {strlen(row->evidence) > EVIDENCE_OCTETS_MAX, {"evidence", "longer than 2,048 octets"}},
        {row->when_wall_ms > now_wall_ms + DATE_SLACK_MS, {"obtained_at", "in the future"}},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].bad) {
            *ret_fault = rules[i].fault;
            return false;
        }
    return true;
}

/* A bucket is the lowest bits of the hash: backwards, they come first. */
uint16_t import_order(uint64_t number)
{
    static const uint16_t masks[] = {0x5555, 0x3333, 0x0f0f, 0x00ff};
    unsigned bits = (uint16_t)hash_mix(number);
    for (unsigned i = 0; i < sizeof masks / sizeof masks[0]; i++)
        bits = (bits >> (1u << i) & masks[i]) | (bits & masks[i]) << (1u << i);
    return (uint16_t)bits;
}

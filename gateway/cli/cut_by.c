/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/cut_by.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "consent/ledger.h"
#include "consent/ledger_retention.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/config_text.h"

/* The ledger goes on behind it, and it is not there. */
static bool is_gone(const char *directory, uint64_t sequence)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    const char *why;
    if (sequence == 0 || ledger_reader_open(directory, sequence, &reader, &why) != ERR_OK)
        return false;
    bool gone = ledger_reader_next(reader, sequence + 1, &record) == ERR_AGAIN &&
                ledger_reader_gone(reader) > 0;
    ledger_reader_free(reader);
    return gone;
}

bool cut_by_text(const char *directory, uint64_t sequence, char out[CUT_BY_SIZE])
{
    char when[WHEN_TEXT_SIZE], age[32];
    const char *why = "";
    size_t count = 0;
    if (!is_gone(directory, sequence))
        return false;
    struct cut_record *cuts = retention_recorded(directory, &count, &why);
    bool found = false;
    for (size_t i = 0; i < count && !found && cuts != NULL; i++) {
        found = sequence >= cuts[i].first && sequence <= cuts[i].last;
        if (!found)
            continue;
        config_duration_text(cuts[i].age_ms, age, sizeof age);
        snprintf(out, CUT_BY_SIZE,
                 "existed; reduced to its hash by retention, recorded at %s: older than %s and no "
                 "consent (record #%" PRIu64 ")",
                 when_text(cuts[i].wall_ms, when), age, cuts[i].sequence);
    }
    free(cuts);
    return found;
}

bool cut_summary(const char *directory, char out[CUT_BY_SIZE])
{
    char when[WHEN_TEXT_SIZE], text[COUNT_TEXT_SIZE];
    const char *why = "";
    size_t count = 0;
    uint64_t records = 0, newest_ms = 0;
    struct cut_record *cuts = retention_recorded(directory, &count, &why);
    for (size_t i = 0; i < count && cuts != NULL; i++) {
        if (i == 0 || cuts[i].first != cuts[i - 1].first)
            records += cuts[i].records;
        if (cuts[i].newest_ms > newest_ms)
            newest_ms = cuts[i].newest_ms;
    }
    free(cuts);
    if (records > 0)
        snprintf(out, CUT_BY_SIZE,
                 "of the time before %s the ledger has consent alone: %s other records were taken "
                 "by retention",
                 when_text(newest_ms, when), count_text(records, text));
    return records > 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_retention.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consent/ledger_checkpoint.h"
#include "consent/ledger_file.h"
#include "consent/ledger_filter.h"
#include "consent/ledger_scan.h"
#include "consent/ledger_segment.h"
#include "consent/record_peek.h"
#include "proto/base/check.h"
#include "proto/event.pb-c.h"

/* Planning ------------------------------------------------------------------------------------ */

/* Checkpoints that are kept end there: a key may have taken over in one. */
static enum err mark_splits(const char *directory, struct retention_plan *plan)
{
    uint64_t *sizes;
    size_t count;
    int folder = folder_open(directory, CHECKPOINT_FOLDER, false);
    if (folder < 0)
        return errno == ENOENT ? ERR_OK : ERR_IO;
    bool listed = folder_list(folder, CHECKPOINT_SUFFIX, &sizes, &count);
    close(folder);
    if (!listed)
        return ERR_IO;
    for (size_t i = 0; i < count; i++) {
        uint64_t place = sizes[i] - (plan->first - 1);
        if (sizes[i] >= plan->first && place < LEDGER_SEGMENT_RECORDS)
            plan->cut.splits[place / 8] |= (uint8_t)(1u << place % 8);
    }
    free(sizes);
    return ERR_OK;
}

static void plan_record(struct retention_plan *plan, uint64_t place, const struct record *record)
{
    struct record_peek peek;
    if (record_peek(record->public_part, &peek) && peek.wall_ms > plan->newest_ms)
        plan->newest_ms = peek.wall_ms;
    if (!retention_takes(record->public_part))
        return;
    plan->cut.gone[place / 8] |= (uint8_t)(1u << place % 8);
    plan->records++;
}

/* Looks at every record. ERR_CORRUPT too where some have gone before. */
static enum err plan_records(struct ledger_file *file, struct retention_plan *plan)
{
    struct ledger_scan scan;
    struct record record;
    enum scan_result result = SCAN_RECORD;
    scan_init(&scan);
    scan_start(&scan, file, plan->first);
    for (uint64_t place = 0; place < LEDGER_SEGMENT_RECORDS; place++) {
        result = scan_next(&scan, &record);
        if (result != SCAN_RECORD)
            break;
        plan_record(plan, place, &record);
    }
    scan_release(&scan);
    plan->digest = sha256(span_of(plan->cut.gone, sizeof plan->cut.gone));
    return result == SCAN_RECORD ? ERR_OK : result == SCAN_ERROR ? ERR_IO : ERR_CORRUPT;
}

/* By its index alone. */
static enum err holds_some(struct ledger_file *file, bool *ret_some)
{
    uint8_t set[SEALED_BLOCKS_MAX] = {0};
    enum err err = ERR_OK;
    for (size_t i = 0; i < RETENTION_KINDS && err == ERR_OK; i++)
        err = sealed_find(file->sealed, INDEX_EVENTS, retention_kinds[i], set);
    *ret_some = memchr(set, 1, sizeof set) != NULL;
    return err;
}

static bool is_due(const struct ledger_file *file, uint64_t first,
                   const struct retention_rule *rule)
{
    return file->sealed != NULL && !sealed_has_gaps(file->sealed) &&
           sealed_tail(file->sealed)->newest_ms < rule->before_ms &&
           first + LEDGER_SEGMENT_RECORDS <= rule->before_record;
}

static enum err plan_opened(const struct retention_rule *rule, struct ledger_file *file,
                            struct retention_plan *plan)
{
    bool some = false;
    enum err err = ERR_OK;
    if (is_due(file, plan->first, rule))
        err = holds_some(file, &some);
    if (err != ERR_OK || !some)
        return err;
    err = plan_records(file, plan);
    if (err == ERR_OK)
        err = mark_splits(rule->directory, plan);
    if (err == ERR_OK && plan->newest_ms >= rule->before_ms)
        plan->records = 0; /* its trailer says another time than its records */
    return err;
}

static enum err plan_segment(const struct retention_rule *rule, int folder, uint64_t first,
                             struct retention_plan *plan, const char **ret_why)
{
    struct ledger_file file;
    *plan = (struct retention_plan){.first = first};
    enum err err = ledger_file_open(folder, first, &file);
    if (err == ERR_OK)
        err = plan_opened(rule, &file, plan);
    if (err != ERR_OK)
        *ret_why = ledger_why("ledger/%s %s.", file.name,
                              err == ERR_IO ? strerror(errno) : "is damaged: run assent verify");
    ledger_file_close(&file);
    return err == ERR_OK || err == ERR_IO ? err : ERR_CORRUPT;
}

enum err retention_next(const struct retention_rule *rule, uint64_t from,
                        struct retention_plan *ret_plan, const char **ret_why)
{
    uint64_t *numbers;
    size_t count;
    enum err err = ERR_NOT_FOUND;
    int folder = folder_open(rule->directory, "ledger", false);
    if (folder < 0 || !segments_list(folder, &numbers, &count)) {
        *ret_why = ledger_why("%s/ledger: %s.", rule->directory, strerror(errno));
        if (folder >= 0)
            close(folder);
        return ERR_IO;
    }
    for (size_t i = 0; i < count && err == ERR_NOT_FOUND; i++) {
        if (numbers[i] < from)
            continue;
        err = plan_segment(rule, folder, numbers[i], ret_plan, ret_why);
        if (err == ERR_OK && ret_plan->records == 0)
            err = ERR_NOT_FOUND;
    }
    free(numbers);
    close(folder);
    return err;
}

/* What is recorded ---------------------------------------------------------------------------- */

static int by_segment(const void *left, const void *right)
{
    const struct cut_record *a = left, *b = right;
    if (a->first != b->first)
        return a->first > b->first ? 1 : -1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

struct cut_record *retention_recorded(const char *directory, size_t *ret_count,
                                      const char **ret_why)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    struct cut_record cut, *cuts = check_calloc(1, sizeof *cuts);
    size_t count = 0;
    enum err err = ledger_reader_open(directory, 1, &reader, ret_why);
    if (err != ERR_OK) {
        free(cuts);
        return NULL;
    }
    struct ledger_filter *filter = ledger_filter_new();
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_RECORDS_CUT);
    ledger_reader_only(reader, filter);
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK) {
        if (!cut_record_read(record.sequence, record.public_part, &cut))
            continue;
        if (count > 0 && (count & (count - 1)) == 0)
            cuts = check_realloc(cuts, 2 * count * sizeof *cuts);
        cuts[count++] = cut;
    }
    if (err != ERR_AGAIN) {
        *ret_why = ledger_why("%s", ledger_reader_why(reader));
        free(cuts);
        cuts = NULL;
    }
    ledger_reader_free(reader);
    ledger_filter_free(filter);
    if (cuts != NULL && count > 1)
        qsort(cuts, count, sizeof *cuts, by_segment);
    *ret_count = count;
    return cuts;
}

/* Taking -------------------------------------------------------------------------------------- */

/* Only what was recorded goes. Nothing happens where it is done already, or is not sealed yet. */
static enum err cut_one(const char *directory, int folder, const struct cut_record *cut,
                        struct retention_done *done, const char **ret_why)
{
    struct retention_plan plan;
    struct retention_rule rule = {
        .directory = directory, .before_ms = cut->newest_ms + 1, .before_record = cut->last + 1};
    enum err err = plan_segment(&rule, folder, cut->first, &plan, ret_why);
    if (err != ERR_OK || plan.records == 0 ||
        memcmp(plan.digest.octets, cut->digest.octets, DIGEST_SIZE) != 0)
        return err;
    err = segment_cut(folder, cut->first, &plan.cut, ret_why);
    done->segments += err == ERR_OK;
    done->records += err == ERR_OK ? plan.records : 0;
    return err;
}

static enum err cut_locked(const char *directory, int folder, const struct cut_record *cut,
                           struct retention_done *done, const char **ret_why)
{
    int lock = segments_lock(folder);
    if (lock < 0) {
        *ret_why = ledger_why("ledger/ cannot be locked: %s.", strerror(errno));
        return ERR_IO;
    }
    enum err err = cut_one(directory, folder, cut, done, ret_why);
    segments_unlock(lock);
    return err;
}

enum err retention_cut_recorded(const char *directory, struct retention_done *ret_done,
                                const char **ret_why)
{
    size_t count = 0;
    struct retention_done done = {0};
    enum err result = ERR_OK;
    struct cut_record *cuts = retention_recorded(directory, &count, ret_why);
    int folder = cuts == NULL ? -1 : folder_open(directory, "ledger", false);
    if (cuts != NULL && folder < 0)
        *ret_why = ledger_why("%s/ledger: %s.", directory, strerror(errno));
    if (folder < 0) {
        free(cuts);
        return ERR_IO;
    }
    for (size_t i = 0; i < count; i++) {
        enum err err = cut_locked(directory, folder, &cuts[i], &done, ret_why);
        result = err != ERR_OK ? err : result;
    }
    close(folder);
    free(cuts);
    *ret_done = done;
    return result;
}

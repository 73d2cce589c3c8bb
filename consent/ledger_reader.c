/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the ledger record by record, while it is being written or not; and a snapshot, which is one
 * file of the same records. Never trusts a length, never writes. */
#include "consent/ledger_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consent/ledger_filter.h"
#include "consent/ledger_scan.h"
#include "consent/ledger_segment.h"
#include "proto/base/check.h"

#define WHY_SIZE 256

struct ledger_reader {
    int folder;
    struct ledger_file file;
    struct ledger_scan scan;
    uint64_t segment;             /* its first record; names the file */
    uint64_t from;                /* records before it are passed over */
    struct ledger_filter *filter; /* NULL: every record is given */
    bool must_enter;              /* the filter has not looked at the segment yet */
    uint32_t block;               /* of a sealed segment, when filtered: where the scan is */
    struct ledger_cost cost;      /* of segments that were left */
    uint64_t gone;                /* records that were passed over in gaps */
    bool is_snapshot;
    uint64_t snapshot_left; /* records */
    char why[WHY_SIZE];
};

static enum err fail(struct ledger_reader *reader, enum err err, const char *why)
{
    snprintf(reader->why, sizeof reader->why, "%s", why);
    return err;
}

/* The head of a raw one; that of a sealed one was read already. */
static enum err check_head(struct ledger_file *file, uint64_t first)
{
    uint8_t octets[FILE_HEAD];
    struct file_head head;
    ssize_t n = ledger_file_read(file, octets, sizeof octets, 0);
    enum err err = n < 0 ? ERR_IO : file_head_decode(span_of(octets, (size_t)n), FILE_RAW, &head);
    if (err == ERR_OK && (head.first != first || head.flags != 0))
        err = ERR_CORRUPT;
    return err;
}

static const char *why_not_entered(const struct ledger_file *file, enum err err)
{
    const char *dot = strrchr(file->name, '.');
    if (err == ERR_IO)
        return ledger_why("ledger/%s cannot be read: %s.", file->name, strerror(errno));
    if (err == ERR_VERSION)
        return ledger_why("ledger/%s was written by another version of this program.", file->name);
    if (dot != NULL && strcmp(dot, SEALED_SUFFIX) == 0)
        return ledger_why("ledger/%s has a damaged head or directory.", file->name);
    return ledger_why("ledger/%s has a damaged head (octets 0 to %u).", file->name, FILE_HEAD - 1);
}

static void add_cost(struct ledger_cost *cost, const struct ledger_file *file)
{
    if (file->sealed == NULL)
        return;
    cost->blocks += sealed_blocks_read(file->sealed);
    cost->octets += sealed_octets_read(file->sealed);
}

static void leave_file(struct ledger_reader *reader)
{
    add_cost(&reader->cost, &reader->file);
    ledger_file_close(&reader->file);
}

struct ledger_cost ledger_reader_cost(const struct ledger_reader *reader)
{
    struct ledger_cost cost = reader->cost;
    add_cost(&cost, &reader->file);
    return cost;
}

static void go_to_block(struct ledger_reader *reader, uint32_t block)
{
    const struct sealed_block *at = sealed_block(reader->file.sealed, block);
    reader->block = block;
    scan_start_at(&reader->scan, &reader->file, at->raw, reader->segment + at->before);
}

static enum err filter_failed(struct ledger_reader *reader, enum err err)
{
    return fail(reader, err,
                err == ERR_CORRUPT ? ledger_why("ledger/%s has a damaged index.", reader->file.name)
                                   : ledger_why("ledger/%s cannot be read: %s.", reader->file.name,
                                                strerror(errno)));
}

/* Passes over blocks of a sealed segment that hold nothing that is wanted; after the last one, to the end
 * of the segment. */
static enum err pass_over(struct ledger_reader *reader)
{
    struct sealed *sealed = reader->file.sealed;
    uint32_t before = (uint32_t)(reader->scan.sequence - reader->segment), block = reader->block;
    enum err err = ERR_OK;
    if (reader->must_enter) {
        err = filter_enter(reader->filter, sealed, reader->segment);
        block = sealed_block_of(sealed, before);
    } else if (before < sealed_block(sealed, block + 1)->before) {
        return ERR_OK; /* inside one that is wanted */
    } else {
        block++;
    }
    if (err == ERR_OK)
        err = filter_block(reader->filter, sealed, reader->segment, block, &reader->block);
    if (err != ERR_OK)
        return filter_failed(reader, err);
    reader->must_enter = false;
    if (reader->block != block)
        go_to_block(reader, reader->block);
    return ERR_OK;
}

void ledger_reader_only(struct ledger_reader *reader, struct ledger_filter *filter)
{
    reader->filter = filter;
    reader->must_enter = true;
}

/* Goes to record `sequence` of its segment: to its block, or in a raw segment to the start. ERR_AGAIN when
 * there is no such file. */
static enum err enter_segment(struct ledger_reader *reader, uint64_t first, uint64_t sequence)
{
    struct ledger_file file;
    enum err err = ledger_file_open(reader->folder, first, &file);
    if (err == ERR_NOT_FOUND)
        return ERR_AGAIN;
    if (err == ERR_OK)
        err = check_head(&file, first);
    if (err != ERR_OK) {
        fail(reader, err, why_not_entered(&file, err));
        ledger_file_close(&file);
        return err;
    }
    leave_file(reader);
    reader->file = file;
    reader->segment = first;
    reader->cost.segments++;
    reader->must_enter = true;
    if (file.sealed != NULL && sequence - first < LEDGER_SEGMENT_RECORDS) {
        const struct sealed_block *block =
            sealed_block(file.sealed, sealed_block_of(file.sealed, (uint32_t)(sequence - first)));
        scan_start_at(&reader->scan, &reader->file, block->raw, first + block->before);
    } else {
        scan_start(&reader->scan, &reader->file, first);
    }
    return ERR_OK;
}

static enum err damaged(struct ledger_reader *reader)
{
    return fail(reader, ERR_CORRUPT,
                ledger_why("ledger/%s is damaged at octet %llu, where record %llu should be.",
                           reader->file.name, (unsigned long long)reader->scan.offset,
                           (unsigned long long)reader->scan.sequence));
}

/* From the last record of a segment to the next segment; its end must be sound. */
static enum err leave_segment(struct ledger_reader *reader)
{
    uint64_t next = reader->segment + LEDGER_SEGMENT_RECORDS;
    if (!segment_exists(reader->folder, next))
        return ERR_AGAIN;
    uint8_t octets[FILE_END];
    struct file_end end;
    ssize_t n = ledger_file_read(&reader->file, octets, sizeof octets, reader->scan.offset);
    if (n < 0 || file_end_decode(span_of(octets, (size_t)n), &end) != ERR_OK ||
        end.records != LEDGER_SEGMENT_RECORDS || end.octets != reader->scan.offset + FILE_END) {
        return fail(reader, ERR_CORRUPT,
                    ledger_why("ledger/%s has a damaged end, at octet %llu.", reader->file.name,
                               (unsigned long long)reader->scan.offset));
    }
    return enter_segment(reader, next, next);
}

static enum err scan_failed(struct ledger_reader *reader)
{
    return fail(reader, ERR_IO, ledger_why("The ledger cannot be read: %s.", strerror(errno)));
}

/* How many of the gap's records the caller would have been given. */
static void note_gap(struct ledger_reader *reader)
{
    const struct gap *gap = &reader->scan.gap;
    uint64_t end = gap->first + gap->records;
    uint64_t begin = gap->first > reader->from ? gap->first : reader->from;
    reader->gone += end > begin ? end - begin : 0;
}

/* No valid record in what was read, maybe a while ago: looks again. In the newest segment it is the
 * end for now; in another one it is damage. Which it is must be asked before looking. */
static enum err at_invalid(struct ledger_reader *reader, struct record *ret_record)
{
    bool newest = !segment_exists(reader->folder, reader->segment + LEDGER_SEGMENT_RECORDS);
    scan_refresh(&reader->scan);
    switch (scan_next(&reader->scan, ret_record)) {
    case SCAN_RECORD:
        return ERR_OK;
    case SCAN_ERROR:
        return scan_failed(reader);
    case SCAN_GAP: /* was none before */
    case SCAN_END:
        break;
    }
    return newest ? ERR_AGAIN : damaged(reader);
}

static void fill(struct ledger_record *out, uint64_t sequence, const struct record *record)
{
    *out = (struct ledger_record){.sequence = sequence,
                                  .public_part = record->public_part,
                                  .personal_part = record->personal_part,
                                  .commitment = record->commitment};
    if (record->personal_part.length > 0)
        out->salt = span_of(record->personal_part.data - SALT_SIZE, SALT_SIZE);
}

static enum err next_of_ledger(struct ledger_reader *reader, uint64_t until,
                               struct ledger_record *ret_record)
{
    struct record record;
    for (;;) {
        uint64_t sequence = reader->scan.sequence;
        if (sequence >= until || reader->from >= until)
            return ERR_AGAIN;
        enum err err = ERR_OK;
        if (sequence == reader->segment + LEDGER_SEGMENT_RECORDS) {
            err = leave_segment(reader);
            if (err != ERR_OK)
                return err;
            continue;
        }
        if (reader->filter != NULL && reader->file.sealed != NULL) {
            err = pass_over(reader);
            if (err != ERR_OK)
                return err;
            sequence = reader->scan.sequence;
            if (sequence == reader->segment + LEDGER_SEGMENT_RECORDS)
                continue;
        }
        switch (scan_next(&reader->scan, &record)) {
        case SCAN_RECORD:
            break;
        case SCAN_GAP:
            note_gap(reader);
            continue;
        case SCAN_END:
            err = at_invalid(reader, &record);
            break;
        case SCAN_ERROR:
            err = scan_failed(reader);
            break;
        }
        if (err != ERR_OK)
            return err;
        if (sequence < reader->from ||
            (reader->filter != NULL && !filter_wants(reader->filter, sequence, &record)))
            continue;
        fill(ret_record, sequence, &record);
        return ERR_OK;
    }
}

static enum err next_of_snapshot(struct ledger_reader *reader, struct ledger_record *ret_record)
{
    struct record record;
    if (reader->snapshot_left == 0)
        return ERR_AGAIN;
    switch (scan_next(&reader->scan, &record)) {
    case SCAN_RECORD:
        reader->snapshot_left--;
        fill(ret_record, 0, &record);
        return ERR_OK;
    case SCAN_ERROR:
        return scan_failed(reader);
    case SCAN_GAP:
    case SCAN_END:
        break;
    }
    return fail(reader, ERR_CORRUPT, "The snapshot has changed while it was read.");
}

enum err ledger_reader_next(struct ledger_reader *reader, uint64_t until,
                            struct ledger_record *ret_record)
{
    return reader->is_snapshot ? next_of_snapshot(reader, ret_record)
                               : next_of_ledger(reader, until, ret_record);
}

uint64_t ledger_reader_gone(const struct ledger_reader *reader)
{
    return reader->gone;
}

uint64_t ledger_reader_at(const struct ledger_reader *reader)
{
    return reader->scan.sequence > reader->from ? reader->scan.sequence : reader->from;
}

const char *ledger_reader_why(const struct ledger_reader *reader)
{
    return reader->why;
}

static struct ledger_reader *reader_new(int folder)
{
    struct ledger_reader *reader = check_calloc(1, sizeof *reader);
    reader->folder = folder;
    reader->file.fd = -1;
    scan_init(&reader->scan);
    return reader;
}

/* The segment to start in: that of `from`, or the newest when `from` is still to come. */
static enum err find_segment(int folder, uint64_t from, uint64_t *ret_first, const char **ret_why)
{
    uint64_t *numbers;
    size_t count;
    if (!segments_list(folder, &numbers, &count)) {
        *ret_why = ledger_why("ledger/ cannot be listed: %s.", strerror(errno));
        return ERR_IO;
    }
    uint64_t first = segment_first_of(from);
    enum err err = segments_check(folder, numbers, count, ret_why);
    if (err == ERR_OK && count == 0) {
        *ret_why = ledger_why("ledger/ holds no records.");
        err = ERR_NOT_FOUND;
    } else if (err == ERR_OK && first < numbers[0]) {
        *ret_why = ledger_why("The ledger starts at record %llu; older ones are not kept.",
                              (unsigned long long)numbers[0]);
        err = ERR_NOT_FOUND;
    } else if (err == ERR_OK) {
        *ret_first = first < numbers[count - 1] ? first : numbers[count - 1];
    }
    free(numbers);
    return err;
}

enum err ledger_reader_open(const char *directory, uint64_t from, struct ledger_reader **ret_reader,
                            const char **ret_why)
{
    uint64_t first;
    int folder = folder_open(directory, "ledger", false);
    if (folder < 0) {
        *ret_why = ledger_why("%s/ledger cannot be opened: %s.", directory, strerror(errno));
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    if (from == 0)
        from = 1;
    struct ledger_reader *reader = reader_new(folder);
    reader->from = from;
    enum err err = find_segment(folder, from, &first, ret_why);
    if (err == ERR_OK) {
        err = enter_segment(reader, first, from);
        if (err == ERR_AGAIN) /* removed since it was listed */
            err = fail(reader, ERR_NOT_FOUND, "The ledger's segment is gone.");
        if (err != ERR_OK)
            *ret_why = ledger_why("%s", reader->why);
    }
    if (err != ERR_OK) {
        ledger_reader_free(reader);
        return err;
    }
    *ret_reader = reader;
    return ERR_OK;
}

struct ledger_reader *reader_over_snapshot(int fd, uint64_t records)
{
    struct ledger_reader *reader = reader_new(-1);
    reader->is_snapshot = true;
    reader->snapshot_left = records;
    reader->file = (struct ledger_file){.fd = fd};
    scan_start(&reader->scan, &reader->file, 1);
    return reader;
}

void ledger_reader_free(struct ledger_reader *reader)
{
    if (reader == NULL)
        return;
    leave_file(reader);
    if (reader->folder >= 0)
        close(reader->folder);
    scan_release(&reader->scan);
    free(reader);
}

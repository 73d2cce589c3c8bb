/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_scan.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/check.h"

#define BUFFER_SIZE (128u << 10)
#define FIRST_CHUNK (8u << 10)

static_assert(BUFFER_SIZE > RECORD_SIZE_MAX, "a record that is not whole must leave room to read");

void scan_init(struct ledger_scan *scan)
{
    *scan = (struct ledger_scan){.buffer = check_malloc(BUFFER_SIZE)};
}

void scan_release(struct ledger_scan *scan)
{
    free(scan->buffer);
    scan->buffer = NULL;
}

void scan_start(struct ledger_scan *scan, struct ledger_file *file, uint64_t sequence)
{
    scan_start_at(scan, file, FILE_HEAD, sequence);
}

void scan_start_at(struct ledger_scan *scan, struct ledger_file *file, uint64_t offset,
                   uint64_t sequence)
{
    scan->file = file;
    scan->offset = offset;
    scan->sequence = sequence;
    scan_refresh(scan);
}

void scan_refresh(struct ledger_scan *scan)
{
    scan->start = scan->end = 0;
    scan->chunk = FIRST_CHUNK;
}

static ssize_t read_more(struct ledger_scan *scan)
{
    size_t have = scan->end - scan->start;
    memmove(scan->buffer, scan->buffer + scan->start, have);
    scan->start = 0;
    scan->end = have;
    size_t length = BUFFER_SIZE - have < scan->chunk ? BUFFER_SIZE - have : scan->chunk;
    scan->chunk = scan->chunk < BUFFER_SIZE ? 2 * scan->chunk : BUFFER_SIZE;
    ssize_t n = ledger_file_read(scan->file, scan->buffer + have, length, scan->offset + have);
    if (n > 0)
        scan->end += (size_t)n;
    return n;
}

static bool may_have_gaps(const struct ledger_scan *scan)
{
    return scan->file->sealed != NULL && sealed_has_gaps(scan->file->sealed);
}

static enum record_result take_record(struct ledger_scan *scan, struct span have,
                                      struct record *ret_record)
{
    enum record_result result = record_decode(have, scan->sequence, ret_record);
    if (result == RECORD_OK) {
        scan->start += ret_record->size;
        scan->offset += ret_record->size;
        scan->sequence++;
    }
    return result;
}

static enum record_result take_gap(struct ledger_scan *scan, struct span have)
{
    enum record_result result = gap_decode(have, scan->sequence, &scan->gap);
    if (result == RECORD_OK) {
        scan->start += scan->gap.size;
        scan->offset += scan->gap.size;
        scan->sequence += scan->gap.records;
    }
    return result;
}

enum scan_result scan_next(struct ledger_scan *scan, struct record *ret_record)
{
    for (;;) {
        struct span have = span_of(scan->buffer + scan->start, scan->end - scan->start);
        bool is_gap = have.length > 0 && have.data[0] == GAP_MARK && may_have_gaps(scan);
        switch (is_gap ? take_gap(scan, have) : take_record(scan, have, ret_record)) {
        case RECORD_OK:
            return is_gap ? SCAN_GAP : SCAN_RECORD;
        case RECORD_INVALID:
            return SCAN_END;
        case RECORD_SHORT:
            break;
        }
        ssize_t n = read_more(scan);
        if (n <= 0) /* a damaged block of a sealed segment is no record either */
            return n < 0 && errno != EBADMSG ? SCAN_ERROR : SCAN_END;
    }
}

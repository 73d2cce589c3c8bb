/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/ledger_damage.h"
#include "consent/ledger_files.h"
#include "consent/ledger_scan.h"
#include "proto/base/check.h"

#define ALLOCATE_STEP (4u << 20) /* asked for at once, so that few batches ask */

enum err segments_check(int folder, const uint64_t *numbers, size_t count, const char **ret_why)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t expected = i == 0 ? segment_first_of(numbers[0] ? numbers[0] : 1)
                                   : numbers[i - 1] + LEDGER_SEGMENT_RECORDS;
        if (numbers[i] == expected)
            continue;
        char found[FILE_NAME_SIZE], missing[FILE_NAME_SIZE];
        *ret_why = ledger_why("ledger/%s is there but ledger/%s is not: restore it from a backup.",
                              segment_name(folder, numbers[i], found),
                              file_name(missing, expected, SEGMENT_SUFFIX));
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

enum err segments_tree(int folder, const uint64_t *numbers, size_t count, struct tree *ret_tree,
                       const char **ret_why)
{
    tree_reset(ret_tree);
    for (size_t i = 0; i + 1 < count; i++) {
        struct ledger_file file;
        struct file_end end;
        enum err err = ledger_file_open(folder, numbers[i], &file);
        if (err == ERR_OK)
            err = ledger_file_end(&file, &end);
        if (err == ERR_IO)
            *ret_why = ledger_why("ledger/%s cannot be read: %s.", file.name, strerror(errno));
        else if (err != ERR_OK || numbers[i] != ret_tree->count + 1) {
            *ret_why = ledger_why("ledger/%s %s: restore it from a backup.", file.name,
                                  err != ERR_OK ? "has a damaged end"
                                                : "is there but what was before it is not");
            err = ERR_CORRUPT;
        }
        ledger_file_close(&file);
        if (err != ERR_OK)
            return err;
        tree_add_perfect(ret_tree, SEGMENT_LEVEL, &end.root);
    }
    return ERR_OK;
}

static enum err write_head(struct segment *segment)
{
    uint8_t octets[FILE_HEAD];
    file_head_encode(octets, FILE_RAW, &(struct file_head){FILE_VERSION, 0, segment->first});
    enum err err = segment_reserve(segment, sizeof octets);
    if (err == ERR_OK)
        err = write_at(segment->fd, span_of(octets, sizeof octets), 0);
    if (err == ERR_OK)
        err = sync_data(segment->fd);
    segment->end = FILE_HEAD;
    return err;
}

enum err segment_create(int folder, uint64_t first, struct segment *ret_segment)
{
    struct segment segment = {.folder = folder, .first = first};
    tree_reset(&segment.tree);
    segment.fd = file_begin(folder, first, SEGMENT_SUFFIX);
    if (segment.fd < 0)
        return err_from_errno();
    enum err err = write_head(&segment);
    if (err == ERR_OK)
        err = file_publish(folder, first, SEGMENT_SUFFIX);
    if (err != ERR_OK) {
        segment_close(&segment);
        file_abandon(folder, first, SEGMENT_SUFFIX);
        return err;
    }
    *ret_segment = segment;
    return ERR_OK;
}

static enum err check_head(struct segment *segment, const char *name, const char **ret_why)
{
    uint8_t octets[FILE_HEAD];
    struct file_head head;
    ssize_t n = read_at(segment->fd, octets, sizeof octets, 0);
    if (n >= 0 && n < FILE_HEAD && write_head(segment) == ERR_OK)
        return ERR_OK; /* nothing was in it */
    if (n < FILE_HEAD) {
        *ret_why = ledger_why("ledger/%s cannot be read: %s.", name, strerror(errno));
        return ERR_IO;
    }
    enum err err = file_head_decode(span_of(octets, (size_t)n), FILE_RAW, &head);
    if (err == ERR_OK && (head.first != segment->first || head.flags != 0))
        err = ERR_CORRUPT;
    if (err == ERR_VERSION)
        *ret_why = ledger_why("ledger/%s was written by another version of this program: run that "
                              "version, or move the data directory away.",
                              name);
    else if (err != ERR_OK)
        *ret_why = ledger_why("ledger/%s has a damaged head (octets 0 to %u): restore it from a "
                              "backup.",
                              name, FILE_HEAD - 1);
    return err;
}

/* Fills the tree; stops behind the last valid record. */
static enum err scan_records(struct segment *segment, const char *name, const char **ret_why)
{
    struct ledger_scan scan;
    struct record record;
    enum scan_result result = SCAN_END;
    scan_init(&scan);
    struct ledger_file file = {.fd = segment->fd};
    scan_start(&scan, &file, segment->first);
    while (!segment_is_full(segment) && (result = scan_next(&scan, &record)) == SCAN_RECORD) {
        struct digest leaf = sha256(record.leaf);
        tree_add(&segment->tree, &leaf);
    }
    segment->end = scan.offset;
    uint64_t sequence = scan.sequence;
    scan_release(&scan);
    if (result == SCAN_ERROR) {
        *ret_why = ledger_why("ledger/%s cannot be read: %s.", name, strerror(errno));
        return ERR_IO;
    }
    if (!segment_is_full(segment) &&
        damage_before_barrier(segment->fd, segment->end, sequence,
                              segment->first + LEDGER_SEGMENT_RECORDS)) {
        *ret_why =
            ledger_why("ledger/%s is damaged at octet %llu (record %llu), and records behind "
                       "it were written after that one was safe: restore the file from a "
                       "backup, or lose what follows with `truncate -s %llu`.",
                       name, (unsigned long long)segment->end, (unsigned long long)sequence,
                       (unsigned long long)segment->end);
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

/* What a kill has left in the page cache is read as valid: it must be durable before anything is
 * written that says so (a barrier). */
static enum err cut_tail(struct segment *segment, const char *name, const char **ret_why)
{
    struct stat stat;
    enum err err = fstat(segment->fd, &stat) == 0 ? ERR_OK : ERR_IO;
    if (err == ERR_OK && (uint64_t)stat.st_size > segment->end &&
        ledger_io.ftruncate(segment->fd, (off_t)segment->end) != 0)
        err = ERR_IO;
    if (err == ERR_OK)
        err = sync_data(segment->fd);
    if (err == ERR_OK)
        err = sync_folder(segment->folder);
    if (err != ERR_OK)
        *ret_why = ledger_why("ledger/%s cannot be made safe: %s.", name, strerror(errno));
    segment->allocated = segment->end;
    return err;
}

enum err segment_recover(int folder, uint64_t first, struct segment *ret_segment,
                         const char **ret_why)
{
    char name[FILE_NAME_SIZE];
    struct segment segment = {.folder = folder, .first = first};
    tree_reset(&segment.tree);
    segment.fd = ledger_io.open(folder, file_name(name, first, SEGMENT_SUFFIX), O_RDWR, 0);
    if (segment.fd < 0) {
        *ret_why = ledger_why("ledger/%s cannot be opened: %s.", name, strerror(errno));
        return ERR_IO;
    }
    enum err err = check_head(&segment, name, ret_why);
    if (err == ERR_OK)
        err = scan_records(&segment, name, ret_why);
    if (err == ERR_OK)
        err = cut_tail(&segment, name, ret_why);
    if (err != ERR_OK) {
        segment_close(&segment);
        return err;
    }
    *ret_segment = segment;
    return ERR_OK;
}

static bool allocate_to(struct segment *segment, uint64_t end)
{
    int result;
    do
        result = ledger_io.fallocate(segment->fd, 0, (off_t)segment->allocated,
                                     (off_t)(end - segment->allocated));
    while (result != 0 && errno == EINTR);
    if (result == 0)
        segment->allocated = end;
    return result == 0;
}

enum err segment_reserve(struct segment *segment, size_t length)
{
    uint64_t need = segment->end + length;
    uint64_t want = need + LEDGER_RESERVE_OCTETS;
    if (segment->allocated >= want) {
        segment->low = false;
        return ERR_OK;
    }
    if (allocate_to(segment, (want + ALLOCATE_STEP - 1) / ALLOCATE_STEP * ALLOCATE_STEP)) {
        segment->low = false;
        return ERR_OK;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS) { /* then write(2) finds out */
        segment->allocated = UINT64_MAX;
        return ERR_OK;
    }
    enum err err = err_from_errno();
    if (err != ERR_NO_SPACE)
        return err;
    segment->low = true;
    return segment->allocated >= need || allocate_to(segment, need) ? ERR_OK : err_from_errno();
}

enum err segment_write(struct segment *segment, struct span records)
{
    enum err err = segment_reserve(segment, records.length);
    if (err == ERR_OK)
        err = write_at(segment->fd, records, segment->end);
    if (err == ERR_OK)
        segment->end += records.length;
    return err;
}

enum err segment_seal(struct segment *segment)
{
    CHECK(segment_is_full(segment));
    uint8_t octets[FILE_END];
    struct file_end end = {.records = LEDGER_SEGMENT_RECORDS,
                           .octets = segment->end + FILE_END,
                           .root = tree_root(&segment->tree)};
    file_end_encode(octets, &end);
    enum err err = segment_reserve(segment, sizeof octets);
    if (err == ERR_OK)
        err = write_at(segment->fd, span_of(octets, sizeof octets), segment->end);
    if (err == ERR_OK)
        err = sync_data(segment->fd);
    if (err == ERR_OK && ledger_io.ftruncate(segment->fd, (off_t)end.octets) != 0)
        err = ERR_IO;
    if (err == ERR_OK)
        segment->allocated = end.octets;
    return err;
}

void segment_close(struct segment *segment)
{
    close(segment->fd);
    segment->fd = -1;
}

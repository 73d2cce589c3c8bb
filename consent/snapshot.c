/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: a head with the snapshot flag, records as in a segment but numbered from 1 for their
 * checksums, and an end with their count. Built as *.new, which nobody reads; the parent renames it
 * when every record folded into it is durable, so a snapshot never knows more than the ledger.
 *
 * A snapshot is valid when its head, every record, and the end at the very end of the file are; the
 * whole file is checked before its first record is given out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/ledger.h"
#include "consent/ledger_files.h"
#include "consent/ledger_format.h"
#include "consent/ledger_reader.h"
#include "consent/ledger_scan.h"
#include "proto/base/check.h"

#define SYNC_EVERY  (4u << 20)
#define KEPT        2
#define BUFFER_SIZE (256u << 10)

struct snapshot_writer {
    int fd;
    uint64_t records;
    uint64_t offset; /* of the buffer */
    size_t used;
    uint64_t synced; /* octets */
    struct salts salts;
    uint8_t buffer[BUFFER_SIZE];
};

static_assert(BUFFER_SIZE >= RECORD_SIZE_MAX, "a record must fit the buffer");

static enum err write_buffer(struct snapshot_writer *writer)
{
    enum err err = write_at(writer->fd, span_of(writer->buffer, writer->used), writer->offset);
    if (err == ERR_OK) {
        writer->offset += writer->used;
        writer->used = 0;
    }
    /* A little at a time, so that the ledger's own fsync never stands behind all of it. */
    if (err == ERR_OK && writer->offset - writer->synced >= SYNC_EVERY) {
        writer->synced = writer->offset;
        err = sync_data(writer->fd);
    }
    return err;
}

enum err snapshot_begin(const char *directory, uint64_t sequence,
                        struct snapshot_writer **ret_writer)
{
    int folder = folder_open(directory, "snapshots", true);
    if (folder < 0)
        return err_from_errno();
    int fd = file_begin(folder, sequence, SNAPSHOT_SUFFIX);
    enum err err = fd < 0 ? err_from_errno() : ERR_OK;
    close(folder);
    if (err != ERR_OK)
        return err;
    struct snapshot_writer *writer = check_calloc(1, sizeof *writer);
    writer->fd = fd;
    file_head_encode(writer->buffer, FILE_RAW,
                     &(struct file_head){FILE_VERSION, FILE_IS_SNAPSHOT, sequence});
    writer->used = FILE_HEAD;
    *ret_writer = writer;
    return ERR_OK;
}

enum err snapshot_add(struct snapshot_writer *writer, struct span public_part,
                      struct span personal_part)
{
    CHECK(public_part.length <= LEDGER_RECORD_MAX &&
          personal_part.length <= LEDGER_RECORD_MAX - public_part.length);
    size_t size = record_size(public_part.length, personal_part.length);
    if (size > BUFFER_SIZE - writer->used) {
        enum err err = write_buffer(writer);
        if (err != ERR_OK)
            return err;
    }
    uint8_t *at = writer->buffer + writer->used;
    record_lay(at, public_part, personal_part);
    record_finish(at, ++writer->records, false,
                  personal_part.length > 0 ? salts_take(&writer->salts) : NULL);
    writer->used += size;
    return ERR_OK;
}

enum err snapshot_end(struct snapshot_writer *writer)
{
    enum err err = write_buffer(writer);
    if (err == ERR_OK) {
        struct file_end end = {.records = writer->records, .octets = writer->offset + FILE_END};
        file_end_encode(writer->buffer, &end);
        writer->used = FILE_END;
        err = write_buffer(writer);
    }
    if (err == ERR_OK)
        err = sync_data(writer->fd);
    close(writer->fd);
    free(writer);
    return err;
}

/* Best effort: what cannot be removed is passed over or removed next time. */
static void drop_older(int folder)
{
    uint64_t *numbers;
    size_t count;
    char name[FILE_NAME_SIZE];
    if (!folder_list(folder, SNAPSHOT_SUFFIX, &numbers, &count))
        return;
    for (size_t i = 0; i + KEPT < count; i++)
        unlinkat(folder, file_name(name, numbers[i], SNAPSHOT_SUFFIX), 0);
    free(numbers);
}

/* What a child that was ended left behind. */
static bool drop_half_made(int folder)
{
    DIR *list = fdopendir(dup(folder));
    const struct dirent *entry;
    bool good = list != NULL;
    if (list == NULL)
        return false;
    rewinddir(list);
    while ((entry = readdir(list)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && strcmp(entry->d_name + length - 4, ".new") == 0)
            good = unlinkat(folder, entry->d_name, 0) == 0 && good;
    }
    closedir(list);
    return good;
}

static bool drop_below(int folder, uint64_t sequence, uint32_t *dropped)
{
    uint64_t *numbers;
    size_t count;
    char name[FILE_NAME_SIZE];
    bool good = true;
    if (!folder_list(folder, SNAPSHOT_SUFFIX, &numbers, &count))
        return false;
    for (size_t i = 0; i < count && numbers[i] < sequence; i++) {
        good = unlinkat(folder, file_name(name, numbers[i], SNAPSHOT_SUFFIX), 0) == 0 && good;
        ++*dropped;
    }
    free(numbers);
    return good;
}

enum err snapshot_drop_before(const char *directory, uint64_t sequence, uint32_t *ret_dropped)
{
    uint32_t dropped = 0;
    int folder = folder_open(directory, "snapshots", false);
    if (folder < 0)
        return ERR_IO;
    bool good = drop_below(folder, sequence, &dropped) && drop_half_made(folder);
    enum err err = good ? sync_folder(folder) : ERR_IO;
    close(folder);
    if (err == ERR_OK)
        *ret_dropped = dropped;
    return err;
}

enum err snapshot_publish(const char *directory, uint64_t sequence)
{
    int folder = folder_open(directory, "snapshots", false);
    if (folder < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    enum err err = file_publish(folder, sequence, SNAPSHOT_SUFFIX);
    if (err == ERR_OK)
        drop_older(folder);
    close(folder);
    return err;
}

static bool head_is_valid(int fd, uint64_t sequence)
{
    uint8_t octets[FILE_HEAD];
    struct file_head head;
    ssize_t n = read_at(fd, octets, sizeof octets, 0);
    return n > 0 && file_head_decode(span_of(octets, (size_t)n), FILE_RAW, &head) == ERR_OK &&
           head.flags == FILE_IS_SNAPSHOT && head.first == sequence;
}

static bool end_is_valid(int fd, uint64_t offset, uint64_t records)
{
    uint8_t octets[FILE_END];
    struct file_end end;
    struct stat stat;
    ssize_t n = read_at(fd, octets, sizeof octets, offset);
    return n > 0 && file_end_decode(span_of(octets, (size_t)n), &end) == ERR_OK &&
           end.records == records && fstat(fd, &stat) == 0 &&
           end.octets == (uint64_t)stat.st_size && end.octets == offset + FILE_END;
}

static bool is_valid(int fd, uint64_t sequence, uint64_t *ret_records)
{
    if (!head_is_valid(fd, sequence))
        return false;
    struct ledger_scan scan;
    struct record record;
    enum scan_result result;
    scan_init(&scan);
    struct ledger_file file = {.fd = fd};
    scan_start(&scan, &file, 1);
    do
        result = scan_next(&scan, &record);
    while (result == SCAN_RECORD);
    *ret_records = scan.sequence - 1;
    bool valid = result == SCAN_END && end_is_valid(fd, scan.offset, *ret_records);
    scan_release(&scan);
    return valid;
}

enum err snapshot_open(const char *directory, struct ledger_reader **ret_reader,
                       uint64_t *ret_sequence)
{
    uint64_t *numbers, records;
    size_t count;
    int folder = folder_open(directory, "snapshots", false);
    if (folder < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (!folder_list(folder, SNAPSHOT_SUFFIX, &numbers, &count)) {
        close(folder);
        return ERR_IO;
    }
    enum err err = ERR_NOT_FOUND;
    while (err == ERR_NOT_FOUND && count-- > 0) {
        char name[FILE_NAME_SIZE];
        int fd =
            openat(folder, file_name(name, numbers[count], SNAPSHOT_SUFFIX), O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && is_valid(fd, numbers[count], &records)) {
            *ret_reader = reader_over_snapshot(fd, records);
            *ret_sequence = numbers[count];
            err = ERR_OK;
        } else if (fd >= 0) {
            close(fd);
        }
    }
    free(numbers);
    close(folder);
    return err;
}

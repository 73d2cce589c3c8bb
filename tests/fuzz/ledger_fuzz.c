/* SPDX-License-Identifier: Apache-2.0 */
/* Arbitrary octets as segment and as snapshot, through everything that opens them: the reader, the
 * snapshot's reader, and the writer's recovery. The first octet chooses whether a sound head is put in
 * front, and whether checksums are made right, so that the octets behind them are reached too. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/ledger.h"
#include "consent/ledger_files.h"
#include "consent/ledger_format.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WITH_HEAD = 1, WITH_CHECKSUMS = 2 };

static char directory[] = "/dev/shm/assent-fuzz-XXXXXX";

static int sync_nothing(int fd)
{
    (void)fd;
    return 0;
}

static int allocate_nothing(int fd, int mode, off_t offset, off_t length)
{
    (void)fd, (void)mode, (void)offset, (void)length;
    return 0;
}

static void remove_directory(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    if (system(command) != 0)
        perror(command);
}

static void prepare(void)
{
    static bool prepared;
    if (prepared)
        return;
    prepared = true;
    ledger_io.fdatasync = sync_nothing;
    ledger_io.fsync = sync_nothing;
    ledger_io.fallocate = allocate_nothing;
    CHECK(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    int folder = folder_open(directory, "ledger", true);
    CHECK(folder >= 0);
    close(folder);
    folder = folder_open(directory, "snapshots", true);
    CHECK(folder >= 0);
    close(folder);
}

static void put(const char *name, uint32_t flags, const uint8_t *data, size_t size, bool with_head)
{
    char path[128];
    uint8_t head[FILE_HEAD];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    file_head_encode(head, FILE_RAW, &(struct file_head){FILE_VERSION, flags, 1});
    if (with_head)
        CHECK(write(fd, head, sizeof head) == sizeof head);
    CHECK(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

/* Makes records valid for as long as their lengths make sense. */
static void make_valid(uint8_t *data, size_t size)
{
    static const uint8_t salt[SALT_SIZE];
    size_t offset = 0;
    for (uint64_t sequence = 1; record_plausible(span_of(data + offset, size - offset));
         sequence++) {
        size_t length = record_laid_size(data + offset);
        if (length > size - offset)
            break;
        record_finish(data + offset, sequence, false, salt);
        offset += length;
    }
}

static volatile uint8_t looked_at;

/* Reads each span whole, so that a sanitizer sees where it points. */
static uint64_t read_all(struct ledger_reader *reader)
{
    struct ledger_record record;
    uint64_t count = 0;
    while (ledger_reader_next(reader, UINT64_MAX, &record) == ERR_OK) {
        const struct span parts[] = {record.public_part, record.personal_part, record.commitment};
        for (size_t i = 0; i < 3; i++)
            for (size_t at = 0; at < parts[i].length; at++)
                looked_at ^= parts[i].data[at];
        count++;
    }
    ledger_reader_free(reader);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ledger_reader *reader;
    struct ledger *ledger;
    const char *why;
    uint64_t sequence, before = 0;
    prepare();
    if (size == 0)
        return 0;
    uint8_t choice = data[0];
    size--;
    uint8_t *octets = memcpy(check_malloc(size), data + 1, size);
    if (choice & WITH_CHECKSUMS)
        make_valid(octets, size);
    put("ledger/00000000000000000001.seg", 0, octets, size, choice & WITH_HEAD);
    put("snapshots/00000000000000000001.snap", FILE_IS_SNAPSHOT, octets, size, choice & WITH_HEAD);
    free(octets);

    if (snapshot_open(directory, &reader, &sequence) == ERR_OK)
        read_all(reader);
    if (ledger_reader_open(directory, 1, &reader, &why) == ERR_OK)
        before = read_all(reader);
    if (ledger_open(directory, &ledger, &why) != ERR_OK)
        return 0;
    CHECK(ledger_next(ledger) == before + 1);
    ledger_append(ledger, span_from_string("next"), span_from_string("personal"));
    ledger_close(ledger);
    CHECK(ledger_reader_open(directory, 1, &reader, &why) == ERR_OK);
    CHECK(read_all(reader) == before + 1);
    return 0;
}

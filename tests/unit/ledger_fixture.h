/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger's tests share: a temporary directory, files as octets, and records whose content
 * follows from their number. */
#ifndef TESTS_UNIT_LEDGER_FIXTURE_H
#define TESTS_UNIT_LEDGER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/ledger.h"
#include "consent/ledger_files.h"
#include "consent/ledger_format.h"

#define FIRST_SEGMENT  "ledger/00000000000000000001.seg"
#define SECOND_SEGMENT "ledger/00000000000000065537.seg"

static char directory[64];
static struct ledger_io real_io;

static inline int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static inline int setup(void **state)
{
    (void)state;
    if (real_io.open == NULL)
        real_io = ledger_io;
    ledger_io = real_io;
    strcpy(directory, "/tmp/assent-ledger-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static inline int teardown(void **state)
{
    (void)state;
    ledger_io = real_io;
    return nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int sync_nothing(int fd)
{
    (void)fd;
    return 0;
}

/* For tests that open hundreds of ledgers and are not about syncs. */
static inline void use_fast_io(void)
{
    ledger_io.fdatasync = sync_nothing;
    ledger_io.fsync = sync_nothing;
}

static inline char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static inline struct ledger *open_ledger(void)
{
    struct ledger *ledger = NULL;
    const char *why = "";
    if (ledger_open(directory, &ledger, &why) != ERR_OK)
        fail_msg("%s", why);
    return ledger;
}

/* Flushes and waits until all is durable, or the ledger failed. */
static inline void settle_ledger(struct ledger *ledger)
{
    while (ledger_durable(ledger) + 1 < ledger_next(ledger) && !ledger_failed(ledger)) {
        ledger_flush(ledger);
        struct pollfd wake = {.fd = ledger_wake_fd(ledger), .events = POLLIN};
        poll(&wake, 1, 1000);
        ledger_acknowledge(ledger);
    }
}

/* Record n: `n` and some of its digits as public part; every third one has a personal part. */
static inline struct span public_of(uint64_t number, uint8_t out[64])
{
    int length = snprintf((char *)out, 64, "record %llu", (unsigned long long)number);
    return span_of(out, (size_t)length);
}

static inline struct span personal_of(uint64_t number, uint8_t out[64])
{
    if (number % 3 != 0)
        return (struct span){0};
    int length = snprintf((char *)out, 64, "+1202555%04llu", (unsigned long long)number % 10000);
    return span_of(out, (size_t)length);
}

static inline void append_numbered(struct ledger *ledger, uint64_t count)
{
    uint8_t public_part[64], personal_part[64];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = ledger_next(ledger);
        uint64_t got = ledger_append(ledger, public_of(number, public_part),
                                     personal_of(number, personal_part));
        if (got != number)
            fail_msg("sequence");
    }
}

static inline bool is_numbered(const struct ledger_record *record, uint64_t number)
{
    uint8_t public_part[64], personal_part[64];
    struct span personal = personal_of(number, personal_part);
    return record->sequence == number &&
           span_equal(record->public_part, public_of(number, public_part)) &&
           span_equal(record->personal_part, personal) &&
           record->commitment.length == (personal.length ? DIGEST_SIZE : 0u);
}

static inline struct ledger_reader *open_reader(uint64_t from)
{
    struct ledger_reader *reader = NULL;
    const char *why = "";
    if (ledger_reader_open(directory, from, &reader, &why) != ERR_OK)
        fail_msg("%s", why);
    return reader;
}

/* Reads to the end; every record is the right one. Gives the number behind the last, and what ended it. */
static inline uint64_t read_numbered(struct ledger_reader *reader, uint64_t from, enum err *ret_err)
{
    struct ledger_record record;
    while ((*ret_err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK)
        if (!is_numbered(&record, from++))
            fail_msg("record %llu reads wrong", (unsigned long long)from - 1);
    return from;
}

/* That the ledger holds records 1 to next - 1. */
static inline void assert_holds(uint64_t next)
{
    enum err err;
    struct ledger_reader *reader = open_reader(1);
    assert_int_equal(read_numbered(reader, 1, &err), next);
    assert_int_equal(err, ERR_AGAIN);
    ledger_reader_free(reader);
}

static inline uint8_t *load(const char *name, size_t *ret_size)
{
    struct stat stat;
    int fd = open(path_of(name), O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &stat) == 0);
    uint8_t *octets = malloc((size_t)stat.st_size + 1);
    assert_true(octets != NULL && read(fd, octets, (size_t)stat.st_size) == stat.st_size);
    close(fd);
    *ret_size = (size_t)stat.st_size;
    return octets;
}

static inline void store(const char *name, const uint8_t *octets, size_t size)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, octets, size) == (ssize_t)size);
    close(fd);
}

static inline void flip(const char *name, size_t offset, uint8_t bits)
{
    uint8_t octet = 0;
    int fd = open(path_of(name), O_RDWR);
    assert_true(fd >= 0 && pread(fd, &octet, 1, (off_t)offset) == 1);
    octet ^= bits;
    assert_true(pwrite(fd, &octet, 1, (off_t)offset) == 1);
    close(fd);
}

#endif

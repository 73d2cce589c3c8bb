/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the ledger to its files that fail, which is also a crash before them. Each test makes each call fail in
 * turn and looks whether anything was lost. */
#ifndef TESTS_UNIT_LEDGER_FAILING_H
#define TESTS_UNIT_LEDGER_FAILING_H

#include <errno.h>
#include <stdbool.h>

#include "tests/unit/ledger_fixture.h"

enum failing_how {
    FAILS_ONCE = 0, /* a write has written half by then */
    FAILS_ON = 1,   /* and each call after it: the disk, or the process, is gone */
    HALVES = 2,     /* every second write that does not fail writes half, and says so */
};

static struct {
    int at, calls; /* counted over all kinds, from 1; at 0: none fails */
    unsigned how;
    int problem;
} failing;

static inline bool fails(void)
{
    int call = ++failing.calls;
    errno = failing.problem;
    return failing.at > 0 && (failing.how & FAILS_ON ? call >= failing.at : call == failing.at);
}

static inline int failing_open(int folder, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : real_io.open(folder, name, flags, mode);
}

static inline ssize_t failing_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    bool fail = fails();
    bool half = fail ? !(failing.how & FAILS_ON) : failing.how & HALVES && failing.calls % 2 == 0;
    if (fail && !half)
        return -1;
    ssize_t written = real_io.pwrite(fd, data, half && length > 1 ? length / 2 : length, offset);
    errno = fail ? failing.problem : errno;
    return fail ? -1 : written;
}

static inline int failing_sync(int fd)
{
    (void)fd;
    return fails() ? -1 : 0;
}

static inline int failing_rename(int from_folder, const char *from, int to_folder, const char *to)
{
    return fails() ? -1 : real_io.rename(from_folder, from, to_folder, to);
}

static inline int failing_unlink(int folder, const char *name, int flags)
{
    return fails() ? -1 : real_io.unlink(folder, name, flags);
}

/* From now on the `at`th call fails with `problem`, and fast syncs are counted; at 0 none does. */
static inline void fail_call(int at, unsigned how, int problem)
{
    failing.at = at;
    failing.calls = 0;
    failing.how = how;
    failing.problem = problem;
    ledger_io.open = failing_open;
    ledger_io.pwrite = failing_pwrite;
    ledger_io.fdatasync = ledger_io.fsync = failing_sync;
    ledger_io.rename = failing_rename;
    ledger_io.unlink = failing_unlink;
}

/* One or the other, so that both are met. */
static inline int problem_of(int at)
{
    return at % 2 == 0 ? EIO : ENOSPC;
}

#endif

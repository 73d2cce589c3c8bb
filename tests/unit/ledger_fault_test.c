/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger, signed as a gateway does, on a bad disk: each call failing in turn, writes that write less, syncs that
 * take long, full disks that get room again. */
#include "consent/ledger_checkpoint.h"
#include "tests/unit/ledger_fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mount.h>

/* The call that fails, counted over all kinds from when it was set; 0: none. */
static atomic_int fail_at;
static atomic_int fail_errno;
static atomic_bool fail_forever;
static atomic_int calls;

static bool fails(void)
{
    int call = atomic_fetch_add(&calls, 1) + 1;
    int at = atomic_load(&fail_at);
    if (at == 0 || call < at || (call > at && !atomic_load(&fail_forever)))
        return false;
    errno = atomic_load(&fail_errno);
    return true;
}

static int bad_open(int folder, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : real_io.open(folder, name, flags, mode);
}

/* A short write first: what a full disk does. */
static ssize_t bad_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    if (!fails())
        return real_io.pwrite(fd, data, length, offset);
    int problem = errno;
    ssize_t n = real_io.pwrite(fd, data, length / 2, offset);
    errno = problem;
    return n > 0 ? -1 : n;
}

static int bad_fallocate(int fd, int mode, off_t offset, off_t length)
{
    return fails() ? -1 : real_io.fallocate(fd, mode, offset, length);
}

static int bad_ftruncate(int fd, off_t length)
{
    return fails() ? -1 : real_io.ftruncate(fd, length);
}

static int bad_fdatasync(int fd)
{
    (void)fd;
    return fails() ? -1 : 0;
}

static int bad_fsync(int folder)
{
    (void)folder;
    return fails() ? -1 : 0;
}

static int bad_rename(int from_folder, const char *from, int to_folder, const char *to)
{
    return fails() ? -1 : real_io.rename(from_folder, from, to_folder, to);
}

static void fail_call(int at, int problem, bool forever)
{
    atomic_store(&calls, 0);
    atomic_store(&fail_errno, problem);
    atomic_store(&fail_forever, forever);
    atomic_store(&fail_at, at);
}

static int setup_bad(void **state)
{
    fail_call(0, 0, false);
    int result = setup(state);
    ledger_io = (struct ledger_io){.open = bad_open,
                                   .pwrite = bad_pwrite,
                                   .fallocate = bad_fallocate,
                                   .ftruncate = bad_ftruncate,
                                   .fdatasync = bad_fdatasync,
                                   .fsync = bad_fsync,
                                   .rename = bad_rename,
                                   .unlink = real_io.unlink};
    return result;
}

static struct note_signer *signer;

static int make_signer(void **state)
{
    char path[] = "/tmp/assent-signer-XXXXXX";
    const char *why = "";
    (void)state;
    int fd = mkstemp(path);
    bool good = fd >= 0 && note_signer_make(path, &why) == ERR_OK &&
                note_signer_read(path, "assent/faults", &signer, &why) == ERR_OK;
    close(fd);
    unlink(path);
    return good ? 0 : -1;
}

static int free_signer(void **state)
{
    (void)state;
    note_signer_free(signer);
    return 0;
}

/* A run that meets every call: open, checkpoints, a batch, a roll, close. Gives what was durable. */
static uint64_t scripted_run(bool *ret_opened)
{
    struct ledger *ledger;
    const char *why = "";
    *ret_opened = ledger_open(directory, &ledger, &why) == ERR_OK;
    if (*ret_opened && ledger_sign(ledger, directory, signer, NULL, &why) != ERR_OK) {
        ledger_close(ledger);
        *ret_opened = false;
    }
    if (!*ret_opened) {
        assert_string_not_equal(why, "");
        return 0;
    }
    append_numbered(ledger, 10);
    settle_ledger(ledger);
    if (!ledger_failed(ledger))
        append_numbered(ledger, LEDGER_SEGMENT_RECORDS);
    settle_ledger(ledger);
    uint64_t durable = ledger_durable(ledger);
    ledger_close(ledger);
    return durable;
}

static void start_afresh(void **state)
{
    fail_call(0, 0, false);
    assert_int_equal(nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(mkdir(directory, 0700), 0);
    (void)state;
}

static int count_calls(void)
{
    bool opened;
    fail_call(0, 0, false);
    assert_int_equal(scripted_run(&opened), LEDGER_SEGMENT_RECORDS + 10);
    return atomic_load(&calls);
}

static void any_failing_call_loses_nothing_durable(void **state)
{
    int total = count_calls();
    assert_true(total > 15);
    for (int at = 1; at <= total; at++) {
        bool opened;
        start_afresh(state);
        fail_call(at, EIO, true);
        uint64_t durable = scripted_run(&opened);
        fail_call(0, 0, false);
        struct ledger *ledger = open_ledger();
        assert_true(ledger_next(ledger) > durable);
        append_numbered(ledger, 3);
        uint64_t next = ledger_next(ledger);
        ledger_close(ledger);
        assert_holds(next);
    }
}

/* Fewer octets than asked for: nothing is wrong, the rest follows. Slow: nothing is told before it is true. */
static ssize_t short_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return real_io.pwrite(fd, data, length > 1 ? length / 2 : length, offset);
}

/* A sync ends when the test lets it. */
static atomic_bool syncing;
static atomic_bool may_end;

static int slow_fdatasync(int fd)
{
    (void)fd;
    atomic_store(&syncing, true);
    while (!atomic_load(&may_end))
        usleep(1000);
    atomic_store(&syncing, false);
    return 0;
}

static void writes_may_write_less(void **state)
{
    bool opened;
    (void)state;
    ledger_io.pwrite = short_pwrite;
    assert_int_equal(scripted_run(&opened), LEDGER_SEGMENT_RECORDS + 10);
    ledger_io = real_io;
    assert_holds(LEDGER_SEGMENT_RECORDS + 11);
}

static void a_slow_sync_is_waited_for(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    ledger_io.fdatasync = slow_fdatasync;
    for (int i = 0; i < 5; i++) {
        uint64_t before = ledger_durable(ledger);
        atomic_store(&may_end, false);
        append_numbered(ledger, 3);
        ledger_flush(ledger);
        while (!atomic_load(&syncing))
            assert_true(ledger_durable(ledger) == before);
        append_numbered(ledger, 3); /* the loop goes on meanwhile */
        usleep(10000);
        assert_true(ledger_durable(ledger) == before);
        atomic_store(&may_end, true);
        settle_ledger(ledger);
        assert_int_equal(ledger_durable(ledger), before + 6);
    }
    ledger_close(ledger);
    assert_holds(31);
}

/* One refusal for lack of space at each call: goes on, or for a sync (which may not be tried again) fails. */
static void a_moment_without_space_loses_nothing(void **state)
{
    start_afresh(state);
    int total = count_calls();
    for (int at = 1; at <= total; at++) {
        bool opened;
        start_afresh(state);
        fail_call(at, ENOSPC, false);
        uint64_t durable = scripted_run(&opened);
        fail_call(0, 0, false);
        struct ledger *ledger = open_ledger();
        uint64_t next = ledger_next(ledger);
        assert_true(next > durable);
        if (opened && durable == LEDGER_SEGMENT_RECORDS + 10)
            assert_int_equal(next, durable + 1);
        ledger_close(ledger);
        assert_holds(next);
    }
}

static void a_failed_sync_is_final(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, 5);
    settle_ledger(ledger);
    ledger_io.pwrite = real_io.pwrite;
    ledger_io.fallocate = real_io.fallocate;
    fail_call(1, EIO, false); /* only the next sync */
    append_numbered(ledger, 5);
    settle_ledger(ledger);
    assert_true(ledger_failed(ledger));
    append_numbered(ledger, 5);
    ledger_flush(ledger);
    usleep(20000);
    assert_int_equal(ledger_durable(ledger), 5);
    assert_int_equal(atomic_load(&calls), 1); /* nothing was tried again */
    ledger_close(ledger);
    assert_int_equal(atomic_load(&calls), 1);
}

static void await(struct ledger *ledger, bool no_space)
{
    for (int i = 0; i < 500 && ledger_no_space(ledger) != no_space; i++)
        usleep(10000);
    assert_int_equal(ledger_no_space(ledger), no_space);
}

static void a_full_disk_is_told_early_and_writing_goes_on_in_the_reserve(void **state)
{
    (void)state;
    static uint8_t part[LEDGER_RECORD_MAX];
    struct ledger *ledger = open_ledger();
    ledger_io.pwrite = real_io.pwrite;
    ledger_io.fdatasync = sync_nothing;
    fail_call(1, ENOSPC, true); /* each fallocate */
    while (!ledger_no_space(ledger)) {
        ledger_append(ledger, span_of(part, sizeof part), (struct span){0});
        settle_ledger(ledger);
    }
    for (uint64_t i = 0; i < LEDGER_RESERVE_OCTETS / RECORD_SIZE_MAX - 1; i++) {
        ledger_append(ledger, span_of(part, sizeof part), (struct span){0});
        settle_ledger(ledger);
        assert_int_equal(ledger_durable(ledger), ledger_next(ledger) - 1);
    }
    uint64_t durable = ledger_durable(ledger);
    for (int i = 0; i < 5; i++)
        ledger_append(ledger, span_of(part, sizeof part), (struct span){0});
    ledger_flush(ledger);
    usleep(150000);
    assert_true(ledger_no_space(ledger) && !ledger_failed(ledger));
    assert_int_equal(ledger_durable(ledger), durable);
    fail_call(0, 0, false);
    settle_ledger(ledger);
    assert_int_equal(ledger_durable(ledger), durable + 5);
    await(ledger, false);
    ledger_close(ledger);
}

/* Tells that space has come back without being asked to write. */
static void space_that_comes_back_is_noticed_when_idle(void **state)
{
    (void)state;
    static uint8_t part[LEDGER_RECORD_MAX];
    struct ledger *ledger = open_ledger();
    ledger_io.pwrite = real_io.pwrite;
    ledger_io.fdatasync = sync_nothing;
    fail_call(1, ENOSPC, true);
    while (!ledger_no_space(ledger)) {
        ledger_append(ledger, span_of(part, sizeof part), (struct span){0});
        settle_ledger(ledger);
    }
    fail_call(0, 0, false);
    await(ledger, false);
    ledger_close(ledger);
}

static void closing_on_a_full_disk_ends(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, 3);
    settle_ledger(ledger);
    fail_call(1, ENOSPC, true);
    append_numbered(ledger, LEDGER_SEGMENT_RECORDS);
    ledger_close(ledger);
    fail_call(0, 0, false);
    ledger = open_ledger();
    assert_true(ledger_next(ledger) >= 4);
    uint64_t next = ledger_next(ledger);
    ledger_close(ledger);
    assert_holds(next);
}

static void a_disk_without_fallocate_will_do(void **state)
{
    bool opened;
    (void)state;
    fail_call(0, 0, false);
    ledger_io = real_io;
    use_fast_io();
    ledger_io.fallocate = bad_fallocate;
    fail_call(1, EOPNOTSUPP, true);
    assert_int_equal(scripted_run(&opened), LEDGER_SEGMENT_RECORDS + 10);
    assert_holds(LEDGER_SEGMENT_RECORDS + 11);
}

/* A real full disk, where this test may mount one. */
static void a_real_full_disk_gets_room_again(void **state)
{
    (void)state;
    ledger_io = real_io;
    if (mount("none", directory, "tmpfs", 0, "size=14m") != 0)
        skip();
    static uint8_t part[30000];
    store("ballast", part, sizeof part);
    int ballast = open(path_of("ballast"), O_WRONLY);
    struct ledger *ledger = open_ledger();
    assert_int_equal(fallocate(ballast, 0, 0, 1500 << 10), 0);
    uint64_t count = 0;
    while (ledger_durable(ledger) == ledger_next(ledger) - 1 && count < 2000) {
        ledger_append(ledger, span_of(part, sizeof part), (struct span){0});
        ledger_flush(ledger);
        /* A slow disk is waited for; a full one says so, and is left after a while. */
        for (int i = 0; ledger_durable(ledger) < ledger_next(ledger) - 1 &&
                        !ledger_failed(ledger) && (i < 20 || !ledger_no_space(ledger));
             i++)
            usleep(5000);
        count++;
    }
    assert_true(ledger_no_space(ledger) && !ledger_failed(ledger));
    assert_true(count > 8 * 30 && count < 500);
    assert_int_equal(ftruncate(ballast, 0), 0);
    close(ballast);
    settle_ledger(ledger);
    assert_int_equal(ledger_durable(ledger), count);
    ledger_close(ledger);
    struct ledger_reader *reader = open_reader(1);
    struct ledger_record record;
    uint64_t seen = 0;
    while (ledger_reader_next(reader, UINT64_MAX, &record) == ERR_OK)
        assert_int_equal(record.sequence, ++seen);
    assert_int_equal(seen, count);
    ledger_reader_free(reader);
    assert_int_equal(umount(directory), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_bad, teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_failing_call_loses_nothing_durable),
        TEST(writes_may_write_less),
        TEST(a_slow_sync_is_waited_for),
        TEST(a_moment_without_space_loses_nothing),
        TEST(a_failed_sync_is_final),
        TEST(a_full_disk_is_told_early_and_writing_goes_on_in_the_reserve),
        TEST(space_that_comes_back_is_noticed_when_idle),
        TEST(closing_on_a_full_disk_ends),
        TEST(a_disk_without_fallocate_will_do),
        TEST(a_real_full_disk_gets_room_again),
    };
    return cmocka_run_group_tests(tests, make_signer, free_signer);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: come back whole or not at all, the newest valid one wins, two are kept. */
#include "tests/unit/ledger_failing.h"

#include <errno.h>
#include <sys/wait.h>

static void write_snapshot(uint64_t sequence, uint64_t records, bool publish)
{
    struct snapshot_writer *writer;
    uint8_t public_part[64], personal_part[64];
    assert_int_equal(snapshot_begin(directory, sequence, &writer), ERR_OK);
    for (uint64_t number = 1; number <= records; number++)
        assert_int_equal(snapshot_add(writer, public_of(number, public_part),
                                      personal_of(number, personal_part)),
                         ERR_OK);
    assert_int_equal(snapshot_end(writer), ERR_OK);
    if (publish)
        assert_int_equal(snapshot_publish(directory, sequence), ERR_OK);
}

static char *name_of(uint64_t sequence)
{
    static char name[64];
    snprintf(name, sizeof name, "snapshots/%020llu.snap", (unsigned long long)sequence);
    return name;
}

/* Sequence number of the one that is found, 0 for none; its records must be right. */
static uint64_t found(uint64_t records)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    uint64_t sequence, count = 0;
    enum err err = snapshot_open(directory, &reader, &sequence);
    if (err == ERR_NOT_FOUND)
        return 0;
    assert_int_equal(err, ERR_OK);
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK) {
        assert_int_equal(record.sequence, 0);
        record.sequence = ++count;
        assert_true(is_numbered(&record, count));
    }
    assert_int_equal(err, ERR_AGAIN);
    assert_int_equal(count, records);
    ledger_reader_free(reader);
    return sequence;
}

static void a_snapshot_comes_back(void **state)
{
    (void)state;
    assert_int_equal(found(0), 0);
    write_snapshot(1, 0, true);
    assert_int_equal(found(0), 1);
    write_snapshot(70001, 100000, true);
    assert_int_equal(found(100000), 70001);
}

static void it_is_nothing_before_it_is_published(void **state)
{
    (void)state;
    write_snapshot(10, 5, false);
    assert_int_equal(found(5), 0);
    assert_int_equal(snapshot_publish(directory, 11), ERR_NOT_FOUND);
    assert_int_equal(snapshot_publish(directory, 10), ERR_OK);
    assert_int_equal(found(5), 10);
}

static void the_newest_valid_one_wins_and_two_are_kept(void **state)
{
    (void)state;
    use_fast_io();
    for (uint64_t sequence = 10; sequence <= 50; sequence += 10)
        write_snapshot(sequence, 4, true);
    assert_int_equal(access(path_of(name_of(30)), F_OK), -1);
    assert_int_equal(access(path_of(name_of(40)), F_OK), 0);
    assert_int_equal(found(4), 50);
    size_t size;
    uint8_t *octets = load(name_of(50), &size);
    for (size_t at = 0; at < size; at++) {
        flip(name_of(50), at, (uint8_t)(1 << at % 8));
        assert_int_equal(found(4), 40);
        flip(name_of(50), at, (uint8_t)(1 << at % 8));
    }
    for (size_t length = 0; length < size; length++) {
        store(name_of(50), octets, length);
        assert_int_equal(found(4), 40);
    }
    octets[size] = 0; /* an octet too many; load() left room */
    store(name_of(50), octets, size + 1);
    assert_int_equal(found(4), 40);
    flip(name_of(40), 20, 1);
    assert_int_equal(found(4), 0);
    free(octets);
}

static void one_under_another_name_is_not_valid(void **state)
{
    (void)state;
    use_fast_io();
    write_snapshot(10, 4, true);
    size_t size;
    uint8_t *octets = load(name_of(10), &size);
    store(name_of(99), octets, size);
    assert_int_equal(found(4), 10);
    free(octets);
}

/* As the gateway does it: from a forked child, while the ledger's thread is busy. */
static void a_forked_child_writes_it(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    for (int round = 0; round < 5; round++) {
        append_numbered(ledger, 20000);
        ledger_flush(ledger);
        uint64_t sequence = ledger_next(ledger);
        pid_t child = fork();
        if (child == 0) {
            write_snapshot(sequence, 3000, false);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        settle_ledger(ledger);
        assert_int_equal(snapshot_publish(directory, sequence), ERR_OK);
        assert_int_equal(found(3000), sequence);
    }
    ledger_close(ledger);
}

static int broken_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void errors_are_told(void **state)
{
    (void)state;
    struct snapshot_writer *writer;
    assert_int_equal(snapshot_begin(directory, 5, &writer), ERR_OK);
    fail_call(1, FAILS_ON, ENOSPC);
    assert_int_equal(snapshot_end(writer), ERR_NO_SPACE);
    ledger_io = real_io;
    assert_int_equal(snapshot_begin(directory, 5, &writer), ERR_OK);
    ledger_io.fdatasync = broken_sync;
    assert_int_equal(snapshot_end(writer), ERR_IO);
    assert_int_equal(found(0), 0);
}

/* ERR_OK when it is there under its name. */
static enum err try_snapshot(uint64_t sequence, uint64_t records)
{
    struct snapshot_writer *writer;
    uint8_t public_part[64], personal_part[64];
    enum err err = snapshot_begin(directory, sequence, &writer), end;
    if (err != ERR_OK)
        return err;
    for (uint64_t number = 1; number <= records && err == ERR_OK; number++)
        err = snapshot_add(writer, public_of(number, public_part),
                           personal_of(number, personal_part));
    end = snapshot_end(writer);
    if (err == ERR_OK)
        err = end;
    return err == ERR_OK ? snapshot_publish(directory, sequence) : err;
}

/* Each call in turn, with either error: the snapshot of before is found, or the new one, each whole. */
static void any_failing_call_leaves_a_whole_one(void **state)
{
    (void)state;
    use_fast_io();
    write_snapshot(5, 20000, true);
    fail_call(0, HALVES, 0);
    assert_int_equal(try_snapshot(9, 20000), ERR_OK);
    int total = failing.calls;
    assert_true(total > 8);
    for (int i = 0; i < 2 * total; i++) {
        uint32_t dropped;
        uint64_t sequence = 10 + (uint64_t)i;
        fail_call(1 + i / 2, FAILS_ON | HALVES, problem_of(i));
        enum err err = try_snapshot(sequence, 20000);
        assert_int_not_equal(err, ERR_OK);
        fail_call(0, HALVES, 0);
        uint64_t newest = found(20000);
        assert_true(newest >= 9 && newest <= sequence);
        assert_int_equal(snapshot_drop_before(directory, newest, &dropped), ERR_OK);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_snapshot_comes_back),
        TEST(it_is_nothing_before_it_is_published),
        TEST(the_newest_valid_one_wins_and_two_are_kept),
        TEST(one_under_another_name_is_not_valid),
        TEST(a_forked_child_writes_it),
        TEST(errors_are_told),
        TEST(any_failing_call_leaves_a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

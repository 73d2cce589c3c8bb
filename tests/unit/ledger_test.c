/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger whole: what is written comes back, a torn tail is cut, damage is named, segments follow
 * each other, readers follow writers. */
#include "consent/ledger_segment.h"
#include "tests/unit/ledger_fixture.h"

#include <signal.h>
#include <sys/wait.h>

static void what_is_written_comes_back(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    assert_int_equal(ledger_next(ledger), 1);
    assert_int_equal(ledger_durable(ledger), 0);
    append_numbered(ledger, 10);
    assert_int_equal(ledger_next(ledger), 11);
    settle_ledger(ledger);
    assert_int_equal(ledger_durable(ledger), 10);
    assert_holds(11);
    append_numbered(ledger, 5); /* not flushed: closing does it */
    ledger_close(ledger);
    assert_holds(16);
    ledger = open_ledger();
    assert_int_equal(ledger_next(ledger), 16);
    assert_int_equal(ledger_durable(ledger), 15);
    assert_false(ledger_failed(ledger) || ledger_no_space(ledger));
    ledger_close(ledger);
}

static void nothing_is_durable_before_it_is_flushed(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    ledger_flush(ledger);
    append_numbered(ledger, 1);
    usleep(20000);
    assert_int_equal(ledger_durable(ledger), 0);
    ledger_close(ledger);
}

static void room_shrinks_and_comes_back(void **state)
{
    (void)state;
    use_fast_io();
    static uint8_t part[LEDGER_RECORD_MAX];
    struct ledger *ledger = open_ledger();
    assert_int_equal(ledger_room(ledger), LEDGER_BATCH_OCTETS);
    uint64_t count = 0;
    while (ledger_room(ledger) >= LEDGER_RECORD_MAX) {
        ledger_append(ledger, span_of(part, 1), span_of(part, LEDGER_RECORD_MAX - 1));
        count++;
    }
    assert_true(count >= LEDGER_BATCH_OCTETS / RECORD_SIZE_MAX);
    while (ledger_room(ledger) > 0) {
        ledger_append(ledger, (struct span){0}, (struct span){0});
        count++;
    }
    settle_ledger(ledger);
    assert_int_equal(ledger_durable(ledger), count);
    assert_int_equal(ledger_room(ledger), LEDGER_BATCH_OCTETS);
    ledger_close(ledger);
}

static void write_small_ledger(uint64_t batches, uint64_t records)
{
    struct ledger *ledger = open_ledger();
    for (uint64_t i = 0; i < batches; i++) {
        append_numbered(ledger, records);
        settle_ledger(ledger);
    }
    ledger_close(ledger);
}

/* Offset behind record `count` of the first segment. */
static size_t end_of(const uint8_t *octets, uint64_t count)
{
    size_t offset = FILE_HEAD;
    while (count-- > 0)
        offset += record_laid_size(octets + offset);
    return offset;
}

static void every_cut_leaves_the_records_before_it(void **state)
{
    (void)state;
    use_fast_io();
    write_small_ledger(1, 7);
    size_t size, whole;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    whole = end_of(octets, 7);
    for (size_t length = 0; length <= whole; length++) {
        uint64_t left = 0;
        while (left < 7 && end_of(octets, left + 1) <= length)
            left++;
        store(FIRST_SEGMENT, octets, length);
        struct ledger *ledger = open_ledger();
        assert_int_equal(ledger_next(ledger), left + 1);
        append_numbered(ledger, 2);
        ledger_close(ledger);
        assert_holds(left + 3);
    }
    free(octets);
}

static void a_damaged_last_record_is_cut(void **state)
{
    (void)state;
    use_fast_io();
    write_small_ledger(1, 6);
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    size = end_of(octets, 6); /* without the space taken ahead */
    for (size_t at = end_of(octets, 5); at < end_of(octets, 6); at++) {
        store(FIRST_SEGMENT, octets, size);
        flip(FIRST_SEGMENT, at, (uint8_t)(1 << at % 8));
        struct ledger *ledger = open_ledger();
        assert_int_equal(ledger_next(ledger), 6);
        append_numbered(ledger, 1);
        ledger_close(ledger);
        assert_holds(7);
    }
    free(octets);
}

/* A crash may keep a later page of the last write and lose an earlier one. */
static void a_hole_in_what_was_not_synced_is_cut_with_all_behind_it(void **state)
{
    (void)state;
    use_fast_io();
    write_small_ledger(1, 100);
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    size = end_of(octets, 100); /* without the space taken ahead */
    memset(octets + end_of(octets, 10) + 5, 0, end_of(octets, 40) - end_of(octets, 10));
    store(FIRST_SEGMENT, octets, size);
    struct ledger *ledger = open_ledger();
    assert_int_equal(ledger_next(ledger), 11);
    append_numbered(ledger, 3);
    ledger_close(ledger);
    assert_holds(14);
    free(octets);
}

static void damage_before_a_barrier_is_refused_and_named(void **state)
{
    (void)state;
    use_fast_io();
    write_small_ledger(5, 3);
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    size = end_of(octets, 15); /* without the space taken ahead */
    /* Up to record 12; records 13 to 15 are the last batch. */
    for (size_t at = 0; at < end_of(octets, 12); at++) {
        struct ledger *ledger = NULL;
        const char *why = "";
        store(FIRST_SEGMENT, octets, size);
        flip(FIRST_SEGMENT, at, (uint8_t)(1 << at % 8));
        assert_int_equal(ledger_open(directory, &ledger, &why), ERR_CORRUPT);
        assert_non_null(strstr(why, FIRST_SEGMENT));
        assert_non_null(strstr(why, "octet"));
    }
    /* The same for a lost sector. */
    memset(octets + end_of(octets, 4), 0, end_of(octets, 8) - end_of(octets, 4));
    store(FIRST_SEGMENT, octets, size);
    struct ledger *ledger = NULL;
    const char *why = "";
    assert_int_equal(ledger_open(directory, &ledger, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "record 5"));
    free(octets);
}

static void a_segment_holds_exactly_its_records(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, LEDGER_SEGMENT_RECORDS);
    settle_ledger(ledger);
    assert_int_equal(access(path_of(SECOND_SEGMENT), F_OK), -1);
    ledger_close(ledger);
    assert_holds(LEDGER_SEGMENT_RECORDS + 1);
    ledger = open_ledger(); /* full, without its end */
    assert_int_equal(ledger_next(ledger), LEDGER_SEGMENT_RECORDS + 1);
    append_numbered(ledger, 1);
    settle_ledger(ledger);
    assert_int_equal(access(path_of(SECOND_SEGMENT), F_OK), 0);
    append_numbered(ledger, 2 * LEDGER_SEGMENT_RECORDS); /* a batch over three segments */
    ledger_close(ledger);
    assert_holds(3 * LEDGER_SEGMENT_RECORDS + 2);

    struct ledger_reader *reader = open_reader(LEDGER_SEGMENT_RECORDS);
    enum err err;
    assert_int_equal(read_numbered(reader, LEDGER_SEGMENT_RECORDS, &err),
                     3 * LEDGER_SEGMENT_RECORDS + 2);
    ledger_reader_free(reader);
}

/* Hashes the first segment as an outsider would: recursively, from the stored octets. */
static struct digest root_of(struct span *leaves, size_t count)
{
    if (count == 1)
        return sha256(*leaves);
    uint8_t node[65] = {0x01};
    struct digest left = root_of(leaves, count / 2);
    struct digest right = root_of(leaves + count / 2, count / 2);
    memcpy(node + 1, left.octets, 32);
    memcpy(node + 33, right.octets, 32);
    return sha256(span_of(node, sizeof node));
}

static void the_end_of_a_segment_has_its_root(void **state)
{
    (void)state;
    use_fast_io();
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, 40000);
    ledger_close(ledger);
    ledger = open_ledger(); /* the tree is built again */
    append_numbered(ledger, 30000);
    ledger_close(ledger);
    size_t size, offset = FILE_HEAD;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    struct span *leaves = calloc(LEDGER_SEGMENT_RECORDS, sizeof *leaves);
    for (size_t i = 0; i < LEDGER_SEGMENT_RECORDS; i++) {
        leaves[i] = record_laid_leaf(octets + offset);
        offset += record_laid_size(octets + offset);
    }
    struct file_end end;
    assert_int_equal(size, offset + FILE_END);
    assert_int_equal(file_end_decode(span_of(octets + offset, FILE_END), &end), ERR_OK);
    assert_int_equal(end.records, LEDGER_SEGMENT_RECORDS);
    assert_int_equal(end.octets, size);
    struct digest root = root_of(leaves, LEDGER_SEGMENT_RECORDS);
    assert_memory_equal(end.root.octets, root.octets, DIGEST_SIZE);
    free(leaves);
    free(octets);
}

static void damage_in_an_earlier_segment_is_named(void **state)
{
    (void)state;
    use_fast_io();
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, LEDGER_SEGMENT_RECORDS + 10);
    ledger_close(ledger);
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    const struct {
        size_t start, end;
        uint64_t good; /* records before the damage */
    } places[] = {{FILE_HEAD, end_of(octets, 1), 0},
                  {end_of(octets, 65534), end_of(octets, 65535), 65534},
                  {end_of(octets, 65535), size - FILE_END, 65535},
                  {size - FILE_END, size, 65536}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        for (size_t at = places[i].start; at < places[i].end; at += 3) {
            flip(FIRST_SEGMENT, at, (uint8_t)(1 << at % 8));
            enum err err;
            char place[32];
            struct ledger_reader *reader = open_reader(1);
            assert_int_equal(read_numbered(reader, 1, &err), places[i].good + 1);
            assert_int_equal(err, ERR_CORRUPT);
            snprintf(place, sizeof place, "octet %zu", places[i].start);
            assert_non_null(strstr(ledger_reader_why(reader), FIRST_SEGMENT));
            assert_non_null(strstr(ledger_reader_why(reader), place));
            ledger_reader_free(reader);
            flip(FIRST_SEGMENT, at, (uint8_t)(1 << at % 8));
        }
    }
    for (size_t at = 0; at < FILE_HEAD; at++) {
        struct ledger_reader *reader;
        const char *why = "";
        flip(FIRST_SEGMENT, at, 0x10);
        assert_int_equal(ledger_reader_open(directory, 1, &reader, &why), ERR_CORRUPT);
        assert_non_null(strstr(why, FIRST_SEGMENT));
        flip(FIRST_SEGMENT, at, 0x10);
    }
    assert_holds(LEDGER_SEGMENT_RECORDS + 11);
    free(octets);
}

static void foreign_files_are_left_alone_and_gaps_are_named(void **state)
{
    (void)state;
    use_fast_io();
    write_small_ledger(1, 3);
    store("ledger/notes.txt", (const uint8_t *)"mine", 4);
    store("ledger/00000000000000065537.seg.new", (const uint8_t *)"half", 4);
    store("ledger/99999999999999999999.seg", (const uint8_t *)"huge", 4); /* above 2^64 */
    assert_holds(4);
    write_small_ledger(1, 3);
    assert_holds(7);
    assert_int_equal(access(path_of("ledger/notes.txt"), F_OK), 0);
    struct ledger *ledger;
    struct ledger_reader *reader;
    const char *why = "";
    store("ledger/00000000000000131073.seg", (const uint8_t *)"gap", 3);
    assert_int_equal(ledger_open(directory, &ledger, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, SECOND_SEGMENT));
    assert_int_equal(ledger_reader_open(directory, 1, &reader, &why), ERR_CORRUPT);
    assert_int_equal(unlink(path_of("ledger/00000000000000131073.seg")), 0);
    store("ledger/00000000000000000002.seg", (const uint8_t *)"odd", 3);
    assert_int_equal(ledger_open(directory, &ledger, &why), ERR_CORRUPT);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    use_fast_io();
    write_small_ledger(1, 3);
    uint8_t head[FILE_HEAD];
    file_head_encode(head, FILE_RAW, &(struct file_head){FILE_VERSION + 1, 0, 1});
    store(FIRST_SEGMENT, head, sizeof head);
    struct ledger *ledger;
    struct ledger_reader *reader;
    const char *why = "";
    assert_int_equal(ledger_open(directory, &ledger, &why), ERR_VERSION);
    assert_non_null(strstr(why, FIRST_SEGMENT));
    assert_int_equal(ledger_reader_open(directory, 1, &reader, &why), ERR_VERSION);
}

static void a_reader_needs_a_ledger_and_starts_where_it_is_told(void **state)
{
    (void)state;
    struct ledger_reader *reader;
    struct ledger_record record;
    const char *why = "";
    enum err err;
    assert_int_equal(ledger_reader_open(directory, 1, &reader, &why), ERR_NOT_FOUND);
    assert_string_not_equal(why, "");
    write_small_ledger(1, 9);
    reader = open_reader(4);
    assert_int_equal(ledger_reader_next(reader, 4, &record), ERR_AGAIN);
    assert_int_equal(ledger_reader_next(reader, 5, &record), ERR_OK);
    assert_true(is_numbered(&record, 4));
    assert_int_equal(ledger_reader_next(reader, 5, &record), ERR_AGAIN);
    assert_int_equal(read_numbered(reader, 5, &err), 10);
    ledger_reader_free(reader);

    reader = open_reader(12); /* not written yet */
    struct ledger *ledger = open_ledger();
    assert_int_equal(ledger_reader_next(reader, UINT64_MAX, &record), ERR_AGAIN);
    append_numbered(ledger, 5);
    settle_ledger(ledger);
    assert_int_equal(read_numbered(reader, 12, &err), 15);
    ledger_close(ledger);
    ledger_reader_free(reader);
}

static void a_reader_follows_its_writer_over_segments(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    struct ledger_reader *reader = open_reader(1);
    uint64_t seen = 1;
    while (seen < 3 * LEDGER_SEGMENT_RECORDS) {
        struct ledger_record record;
        append_numbered(ledger, 4001);
        ledger_flush(ledger);
        uint64_t durable = ledger_durable(ledger);
        while (ledger_reader_next(reader, durable + 1, &record) == ERR_OK)
            assert_true(is_numbered(&record, seen++));
        assert_int_equal(seen, durable + 1);
    }
    ledger_close(ledger);
    ledger_reader_free(reader);
}

static void a_reader_in_another_process_follows_too(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    const uint64_t last = 2 * LEDGER_SEGMENT_RECORDS + 100;
    pid_t child = fork();
    if (child == 0) {
        struct ledger_reader *reader = open_reader(1);
        uint64_t next = 1;
        enum err err = ERR_AGAIN;
        while (err == ERR_AGAIN && next <= last)
            next = read_numbered(reader, next, &err);
        _exit(next == last + 1 ? 0 : 1);
    }
    while (ledger_next(ledger) <= last) {
        append_numbered(
            ledger, last + 1 - ledger_next(ledger) < 700 ? last + 1 - ledger_next(ledger) : 700);
        ledger_flush(ledger);
    }
    ledger_close(ledger);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_second_process_is_refused(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    pid_t child = fork();
    if (child == 0) {
        struct ledger *second;
        const char *why = "";
        enum err err = ledger_open(directory, &second, &why);
        char process[32];
        snprintf(process, sizeof process, "process %ld", (long)getppid());
        _exit(err == ERR_EXISTS && strstr(why, process) != NULL ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* A child that goes on living does not keep the directory. */
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    ledger_close(ledger);
    ledger_close(open_ledger());
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

static void a_directory_that_cannot_be_made_is_said(void **state)
{
    (void)state;
    struct ledger *ledger;
    const char *why = "";
    assert_int_equal(ledger_open("/proc/nowhere", &ledger, &why), ERR_IO);
    assert_non_null(strstr(why, "/proc/nowhere"));
    store("file", (const uint8_t *)"", 0);
    assert_int_equal(ledger_open(path_of("file"), &ledger, &why), ERR_IO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_comes_back),
        TEST(nothing_is_durable_before_it_is_flushed),
        TEST(room_shrinks_and_comes_back),
        TEST(every_cut_leaves_the_records_before_it),
        TEST(a_damaged_last_record_is_cut),
        TEST(a_hole_in_what_was_not_synced_is_cut_with_all_behind_it),
        TEST(damage_before_a_barrier_is_refused_and_named),
        TEST(a_segment_holds_exactly_its_records),
        TEST(the_end_of_a_segment_has_its_root),
        TEST(damage_in_an_earlier_segment_is_named),
        TEST(foreign_files_are_left_alone_and_gaps_are_named),
        TEST(another_version_is_refused),
        TEST(a_reader_needs_a_ledger_and_starts_where_it_is_told),
        TEST(a_reader_follows_its_writer_over_segments),
        TEST(a_reader_in_another_process_follows_too),
        TEST(a_second_process_is_refused),
        TEST(a_directory_that_cannot_be_made_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed segments: the same octets come out; parts that are destroyed are gone; damage, crashes and bad disks
 * are met. */
#include "tests/unit/ledger_failing.h"

#include <errno.h>

#include "consent/ledger_file.h"
#include "consent/ledger_filter.h"
#include "consent/ledger_nodes.h"
#include "consent/ledger_seal.h"
#include "consent/ledger_verify.h"
#include "gateway/signing_key.h"
#include "proto/event.pb-c.h"
#include "proto/pack.h"

#define FIRST_SEALED "ledger/00000000000000000001.sealed"
#define RECORDS      (LEDGER_SEGMENT_RECORDS + 100)

static int open_folder(void)
{
    int folder = folder_open(directory, "ledger", false);
    assert_true(folder >= 0);
    return folder;
}

static enum err seal(const struct segment_filter *filter, const char **ret_why)
{
    int folder = open_folder(), lock = segments_lock(folder);
    assert_true(lock >= 0);
    enum err err = segment_store(folder, 1, filter, ret_why);
    segments_unlock(lock);
    close(folder);
    return err;
}

static void assert_sealed(const struct segment_filter *filter)
{
    const char *why = "";
    if (seal(filter, &why) != ERR_OK)
        fail_msg("%s", why);
    assert_int_not_equal(access(path_of(FIRST_SEGMENT), F_OK), 0);
    assert_int_equal(access(path_of(FIRST_SEALED), F_OK), 0);
}

/* Number 3n is of the person 12025550000 + n % 100. */
static uint64_t person_of(uint64_t sequence)
{
    return 12025550000 + sequence / 3 % 100;
}

static uint64_t one_message_at; /* of another person; 0: none */

static void append_event(struct ledger *ledger)
{
    uint8_t room[256], personal_room[256];
    struct span public_part, personal_part = {0};
    uint64_t sequence = ledger_next(ledger);
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    Assent__V1__Attempt attempt = ASSENT__V1__ATTEMPT__INIT;
    Assent__V1__Accepted accepted = ASSENT__V1__ACCEPTED__INIT;
    event.wall_ms = 1760000000000 + sequence;
    if (sequence % 3 == 0) {
        event.body_case = ASSENT__V1__EVENT__BODY_ACCEPTED;
        event.accepted = &accepted;
        personal.number = sequence == one_message_at ? 12025559999 : person_of(sequence);
        personal.text = (char *)"seeds and bulbs";
        assert_true(
            pack_message(&personal.base, personal_room, sizeof personal_room, &personal_part));
    } else {
        event.message = sequence / 3 * 3;
        event.body_case = ASSENT__V1__EVENT__BODY_ATTEMPT;
        event.attempt = &attempt;
    }
    assert_true(pack_message(&event.base, room, sizeof room, &public_part));
    ledger_append(ledger, public_part, personal_part);
}

static void write_events(uint64_t count, bool sign)
{
    struct note_signer *signer = NULL;
    const char *why = "";
    use_fast_io();
    struct ledger *ledger = open_ledger();
    if (sign && signing_key_open(directory, "gw1", ledger, &signer, &why) != ERR_OK)
        fail_msg("%s", why);
    for (uint64_t i = 0; i < count; i++)
        append_event(ledger);
    settle_ledger(ledger);
    ledger_close(ledger);
    if (signer != NULL)
        note_signer_free(signer);
}

static void write_numbered(void)
{
    use_fast_io();
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, RECORDS);
    settle_ledger(ledger);
    ledger_close(ledger);
}

static uint8_t *read_whole(size_t *ret_size)
{
    struct ledger_file file;
    int folder = open_folder();
    assert_int_equal(ledger_file_open(folder, 1, &file), ERR_OK);
    close(folder);
    *ret_size = (size_t)ledger_file_octets(&file);
    uint8_t *octets = malloc(*ret_size);
    assert_non_null(octets);
    size_t done = 0;
    while (done < *ret_size) {
        ssize_t n = ledger_file_read(&file, octets + done, *ret_size - done, done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    assert_int_equal(ledger_file_read(&file, octets, 1, *ret_size), 0);
    ledger_file_close(&file);
    return octets;
}

static void a_sealed_segment_is_the_raw_one(void **state)
{
    (void)state;
    size_t raw_size, size;
    write_numbered();
    uint8_t *raw = load(FIRST_SEGMENT, &raw_size);
    assert_sealed(NULL);
    uint8_t *octets = read_whole(&size);
    assert_int_equal(size, raw_size);
    assert_memory_equal(octets, raw, size);
    free(octets);
    octets = load(FIRST_SEALED, &size);
    assert_true(size < raw_size / 3);
    free(octets);
    free(raw);
    assert_holds(RECORDS + 1);

    struct ledger *ledger = open_ledger(); /* and is written on */
    assert_int_equal(ledger_next(ledger), RECORDS + 1);
    append_numbered(ledger, 10);
    settle_ledger(ledger);
    ledger_close(ledger);
    assert_holds(RECORDS + 11);
}

static void reading_may_begin_anywhere(void **state)
{
    (void)state;
    static const uint64_t starts[] = {1, 2, 2048, 2049, 2050, 65535, 65536, 65537};
    write_numbered();
    assert_sealed(NULL);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        enum err err;
        struct ledger_reader *reader = open_reader(starts[i]);
        assert_int_equal(read_numbered(reader, starts[i], &err), RECORDS + 1);
        assert_int_equal(err, ERR_AGAIN);
        ledger_reader_free(reader);
    }
}

/* A reader that has begun goes on in the file that is away. */
static void a_reader_does_not_notice(void **state)
{
    (void)state;
    enum err err;
    struct ledger_record record;
    write_numbered();
    struct ledger_reader *reader = open_reader(1);
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(ledger_reader_next(reader, UINT64_MAX, &record), ERR_OK);
    assert_sealed(NULL);
    assert_int_equal(read_numbered(reader, 11, &err), RECORDS + 1);
    assert_int_equal(err, ERR_AGAIN);
    ledger_reader_free(reader);
}

/* Verification ------------------------------------------------------------------------------- */

static char said[1024];
static struct verify_report report;

static void see(void *context, const char *sentence)
{
    (void)context;
    if (said[0] == '\0')
        snprintf(said, sizeof said, "%s", sentence);
}

static void no_progress(void *context, uint64_t octets, uint64_t octets_all)
{
    (void)context;
    assert_true(octets <= octets_all);
}

static uint64_t verify(void)
{
    const char *why = "";
    struct verify_order order = {.directory = directory, .finding = see, .progress = no_progress};
    said[0] = '\0';
    if (ledger_verify(&order, &report, &why) != ERR_OK)
        fail_msg("%s", why);
    return report.findings;
}

static void proofs_stay(void **state)
{
    (void)state;
    struct digest before, after;
    struct ledger_nodes *nodes;
    const char *why = "";
    write_events(RECORDS, true);
    assert_int_equal(verify(), 0);
    for (unsigned sealed = 0; sealed < 2; sealed++) {
        struct digest *node = sealed ? &after : &before;
        assert_int_equal(ledger_nodes_open(directory, &nodes, &why), ERR_OK);
        struct tree_source source = ledger_nodes_source(nodes);
        assert_int_equal(source.perfect(source.context, 3, 1234, node), ERR_OK);
        struct digest root;
        assert_int_equal(source.perfect(source.context, SEGMENT_LEVEL, 0, &root), ERR_OK);
        ledger_nodes_free(nodes);
        if (!sealed)
            assert_sealed(NULL);
    }
    assert_memory_equal(before.octets, after.octets, DIGEST_SIZE);
    if (verify() != 0)
        fail_msg("%s", said);
    assert_int_equal(report.records, RECORDS + 1);
    assert_true(report.personal > RECORDS / 4);
}

static void each_changed_octet_of_a_sealed_segment_is_found(void **state)
{
    (void)state;
    size_t size;
    write_events(RECORDS, true);
    assert_sealed(NULL);
    uint8_t *octets = load(FIRST_SEALED, &size);
    free(octets);
    for (size_t at = 0; at < size; at += at < 200 || at + 200 > size ? 7 : size / 40) {
        flip(FIRST_SEALED, at, (uint8_t)(1 << at % 8));
        if (verify() == 0)
            fail_msg("octet %zu of %zu", at, size);
        assert_non_null(strstr(said, "00000000000000000001.sealed"));
        flip(FIRST_SEALED, at, (uint8_t)(1 << at % 8));
    }
    assert_int_equal(verify(), 0);
}

/* Damage in one block is met where it is read, and what is before it can be read. */
static void damage_is_named(void **state)
{
    (void)state;
    enum err err;
    size_t size;
    write_numbered();
    assert_sealed(NULL);
    uint8_t *octets = load(FIRST_SEALED, &size);
    free(octets);
    flip(FIRST_SEALED, size / 2, 1);
    struct ledger_reader *reader = open_reader(1);
    uint64_t reached = read_numbered(reader, 1, &err);
    assert_int_equal(err, ERR_CORRUPT);
    assert_true(reached > 2048 && reached < LEDGER_SEGMENT_RECORDS);
    assert_non_null(strstr(ledger_reader_why(reader), "00000000000000000001.sealed is damaged"));
    ledger_reader_free(reader);
    const char *why = "";
    struct ledger_reader *none;
    flip(FIRST_SEALED, size - 10, 1);
    assert_int_equal(ledger_reader_open(directory, 1, &none, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "damaged head or directory"));
    assert_int_equal(truncate(path_of(FIRST_SEALED), 100), 0);
    assert_int_equal(ledger_reader_open(directory, 1, &none, &why), ERR_CORRUPT);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    uint8_t head[FILE_HEAD];
    struct ledger_reader *none;
    const char *why = "";
    write_numbered();
    assert_sealed(NULL);
    file_head_encode(head, FILE_SEALED, &(struct file_head){FILE_VERSION + 1, 0, 1});
    int fd = open(path_of(FIRST_SEALED), O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, head, sizeof head, 0) == sizeof head);
    close(fd);
    assert_int_equal(ledger_reader_open(directory, 1, &none, &why), ERR_VERSION);
}

/* Destroying ---------------------------------------------------------------------------------- */

static bool is_person(void *context, uint64_t sequence, const struct record *record)
{
    assert_true(record->personal_part.length > 0);
    return person_of(sequence) == *(const uint64_t *)context;
}

static size_t count_of(const char *word)
{
    size_t size, length = strlen(word), count = 0;
    uint8_t *octets = read_whole(&size);
    for (size_t at = 0; at + length <= size; at++)
        count += memcmp(octets + at, word, length) == 0;
    free(octets);
    return count;
}

static void a_part_that_is_destroyed_is_gone(void **state)
{
    (void)state;
    uint64_t person = person_of(3 * 42), seen = 0, erased = 0;
    struct segment_filter filter = {is_person, &person};
    struct ledger_record record;
    write_events(RECORDS, false);
    size_t texts = count_of("seeds and bulbs");
    for (unsigned round = 0; round < 2; round++) { /* of the raw form, of the sealed form */
        uint64_t mine = 0;
        assert_sealed(&filter);
        struct ledger_reader *reader = open_reader(1);
        while (ledger_reader_next(reader, LEDGER_SEGMENT_RECORDS + 1, &record) == ERR_OK) {
            if (record.sequence % 3 != 0)
                continue;
            bool is_mine = person_of(record.sequence) == person_of(3 * 42) ||
                           (round == 1 && person_of(record.sequence) == person);
            mine += is_mine;
            assert_int_equal(record.personal_part.length == 0, is_mine);
            assert_int_equal(record.commitment.length, DIGEST_SIZE);
        }
        ledger_reader_free(reader);
        assert_true(mine > erased);
        erased = mine;
        assert_int_equal(count_of("seeds and bulbs"), texts - erased);
        person++;
        seen += mine;
    }
    assert_true(seen > 600);
}

static void proofs_stay_when_a_part_is_destroyed(void **state)
{
    (void)state;
    uint64_t person = person_of(3 * 42);
    struct segment_filter filter = {is_person, &person};
    write_events(RECORDS, true);
    assert_sealed(&filter);
    verify(); /* tells of each part that nobody recorded the destruction of, and of nothing else */
    assert_true(report.findings > 100);
    assert_true(report.checkpoints >= 1);
    assert_int_equal(report.newest.size, RECORDS + 1);
}

/* A part that was overwritten in the raw file half-way only. */
static void destruction_half_way_is_finished(void **state)
{
    (void)state;
    size_t raw_size, size;
    write_events(RECORDS, false);
    uint8_t *raw = load(FIRST_SEGMENT, &raw_size);
    size_t at = FILE_HEAD;
    while (record_personal_length(raw + at) == 0)
        at += record_laid_size(raw + at);
    flip(FIRST_SEGMENT, at, RECORD_LIVE ^ RECORD_ERASED);
    assert_sealed(NULL);
    uint8_t *octets = read_whole(&size);
    assert_int_equal(octets[at], RECORD_ERASED);
    size_t length = record_laid_size(octets + at), personal = record_personal_length(octets + at);
    for (size_t i = length - personal - SALT_SIZE - 4; i < length; i++)
        assert_int_equal(octets[at + i], 0);
    free(raw);
    free(octets);
}

/* Looking up ---------------------------------------------------------------------------------- */

/* All that concerns a person, by reading everything: how many records, and the last one. */
static uint64_t count_all(uint64_t person, uint64_t *ret_last)
{
    struct ledger_record record;
    uint64_t count = 0;
    struct ledger_reader *reader = open_reader(1);
    while (ledger_reader_next(reader, UINT64_MAX, &record) == ERR_OK) {
        if (person_of(record.sequence / 3 * 3) != person || record.sequence < 3)
            continue;
        count++;
        *ret_last = record.sequence;
    }
    ledger_reader_free(reader);
    return count;
}

/* The same through the indices; each message of the person is asked for when it is met. */
static uint64_t count_found(uint64_t person, uint64_t *ret_last, struct ledger_cost *ret_cost)
{
    struct ledger_record record;
    uint64_t count = 0, before = 0;
    struct ledger_filter *filter = ledger_filter_new();
    struct ledger_reader *reader = open_reader(1);
    ledger_filter_number(filter, person);
    ledger_reader_only(reader, filter);
    enum err err;
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK) {
        assert_true(record.sequence > before);
        before = *ret_last = record.sequence;
        if (record.sequence % 3 == 0)
            ledger_filter_message(filter, record.sequence);
        count++;
    }
    assert_int_equal(err, ERR_AGAIN);
    *ret_cost = ledger_reader_cost(reader);
    ledger_reader_free(reader);
    ledger_filter_free(filter);
    return count;
}

static void a_person_is_found_by_the_index(void **state)
{
    (void)state;
    uint64_t person = person_of(3 * 7), last = 0, last_found = 1;
    struct ledger_cost cost;
    write_events(RECORDS, false);
    uint64_t all = count_all(person, &last);
    assert_true(all > 600);
    assert_int_equal(count_found(person, &last_found, &cost), all);
    assert_int_equal(last_found, last);
    assert_int_equal(cost.blocks, 0);
    assert_sealed(NULL);
    assert_int_equal(count_found(person, &last_found, &cost), all);
    assert_int_equal(last_found, last);
}

/* A person who had one message; everyone else's blocks are not read. */
static void no_more_is_read_than_must_be(void **state)
{
    (void)state;
    uint64_t last, person = 12025559999;
    struct ledger_cost cost;
    size_t size;
    one_message_at = 3 * 10000;
    write_events(RECORDS, false);
    one_message_at = 0;
    assert_sealed(NULL);
    uint8_t *octets = load(FIRST_SEALED, &size);
    free(octets);
    assert_int_equal(count_found(person, &last, &cost), 3);
    assert_int_equal(last, 3 * 10000 + 2);
    assert_int_equal(cost.blocks, 1);
    assert_true(cost.octets < size / 10);
    assert_int_equal(count_found(person + 1, &last, &cost), 0);
    assert_int_equal(cost.blocks, 0);
}

static void messages_and_kinds_are_found(void **state)
{
    (void)state;
    struct ledger_record record;
    write_events(RECORDS, false);
    assert_sealed(NULL);
    struct ledger_filter *filter = ledger_filter_new();
    struct ledger_reader *reader = open_reader(1);
    ledger_filter_message(filter, 66000 / 3 * 3);
    ledger_filter_message(filter, 30003);
    ledger_filter_message(filter, 30000);
    ledger_reader_only(reader, filter);
    static const uint64_t expected[] = {30000, 30001, 30002, 30003, 30004, 30005};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ledger_reader_next(reader, UINT64_MAX, &record), ERR_OK);
        assert_int_equal(record.sequence, expected[i]);
    }
    assert_int_equal(ledger_reader_next(reader, UINT64_MAX, &record), ERR_AGAIN);
    assert_true(ledger_reader_cost(reader).blocks <= 2);
    ledger_reader_free(reader);
    ledger_filter_free(filter);

    filter = ledger_filter_new();
    reader = open_reader(1);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED);
    ledger_reader_only(reader, filter);
    assert_int_equal(ledger_reader_next(reader, UINT64_MAX, &record), ERR_AGAIN);
    assert_int_equal(ledger_reader_cost(reader).blocks, 0);
    ledger_reader_free(reader);
    ledger_filter_free(filter);
}

/* Who was destroyed is not in the index. */
static void a_destroyed_person_is_not_found(void **state)
{
    (void)state;
    uint64_t person = person_of(3 * 42), last;
    struct ledger_cost cost;
    struct segment_filter filter = {is_person, &person};
    write_events(RECORDS, false);
    assert_sealed(&filter);
    assert_true(count_found(person, &last, &cost) <= 3);
    assert_int_equal(cost.blocks, 0);
}

/* What is not sealed -------------------------------------------------------------------------- */

static void the_newest_is_left_alone(void **state)
{
    (void)state;
    const char *why = "";
    use_fast_io();
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, LEDGER_SEGMENT_RECORDS);
    settle_ledger(ledger);
    ledger_close(ledger);
    assert_int_equal(seal(NULL, &why), ERR_AGAIN);
    assert_int_equal(access(path_of(FIRST_SEGMENT), F_OK), 0);
    int folder = open_folder();
    assert_int_equal(segment_to_seal(folder, 1, 1), 0);
    ledger = open_ledger();
    append_numbered(ledger, 1);
    settle_ledger(ledger);
    ledger_close(ledger);
    assert_int_equal(segment_to_seal(folder, 1, 1), 1);
    assert_int_equal(segment_to_seal(folder, 1, 2), 0);
    assert_int_equal(segment_to_seal(folder, 2, 1), 0);
    close(folder);
}

static void what_is_damaged_stays_raw(void **state)
{
    (void)state;
    const char *why = "";
    write_numbered();
    flip(FIRST_SEGMENT, 100000, 1);
    assert_int_equal(seal(NULL, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "was not sealed: it is damaged where record"));
    assert_int_equal(access(path_of(FIRST_SEGMENT), F_OK), 0);
    assert_int_not_equal(access(path_of(FIRST_SEALED), F_OK), 0);
    assert_int_not_equal(access(path_of(FIRST_SEALED ".new"), F_OK), 0);
}

/* A personal part that was changed together with its checksum: sealing would make a commitment to it. */
static void what_was_changed_stays_raw(void **state)
{
    (void)state;
    const char *why = "";
    size_t size, at = FILE_HEAD;
    uint64_t sequence = 1;
    write_numbered();
    uint8_t *raw = load(FIRST_SEGMENT, &size);
    for (; record_personal_length(raw + at) == 0; sequence++)
        at += record_laid_size(raw + at);
    size_t length = record_laid_size(raw + at);
    uint8_t record[256], commitment[DIGEST_SIZE];
    struct record was;
    memcpy(record, raw + at, length);
    assert_int_equal(record_decode(span_of(raw + at, length), sequence, &was), RECORD_OK);
    memcpy(commitment, was.commitment.data, DIGEST_SIZE);
    record[length - 5] ^= 1; /* then with the checksums of what it now is, but the leaf as it was */
    record_finish(record, sequence, false, was.personal_part.data - SALT_SIZE);
    memcpy(record + (was.commitment.data - (raw + at)), commitment, DIGEST_SIZE);
    memcpy(record, raw + at, 12);
    int fd = open(path_of(FIRST_SEGMENT), O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, record, length, (off_t)at) == (ssize_t)length);
    close(fd);
    assert_int_equal(seal(NULL, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "the personal part of record 3 is not the one"));
    assert_int_equal(access(path_of(FIRST_SEGMENT), F_OK), 0);
    free(raw);
}

/* Crashes and disks --------------------------------------------------------------------------- */

static void of_two_forms_the_raw_one_counts(void **state)
{
    (void)state;
    size_t size;
    write_numbered();
    uint8_t *raw = load(FIRST_SEGMENT, &size);
    assert_sealed(NULL);
    store(FIRST_SEGMENT, raw, size);
    store(FIRST_SEALED, (const uint8_t *)"worth nothing", 13);
    store(FIRST_SEALED ".new", (const uint8_t *)"half", 4);
    assert_holds(RECORDS + 1);
    ledger_close(open_ledger());
    assert_int_not_equal(access(path_of(FIRST_SEALED), F_OK), 0);
    assert_int_not_equal(access(path_of(FIRST_SEALED ".new"), F_OK), 0);
    assert_sealed(NULL);
    assert_holds(RECORDS + 1);
    free(raw);
}

/* Each call failing in turn, as a crash before it or a full disk would, and writes that write half: nothing is lost,
 * and sealing can be done again. */
static void any_failing_call_loses_nothing(void **state)
{
    (void)state;
    const char *why = "";
    size_t size;
    write_numbered();
    uint8_t *raw = load(FIRST_SEGMENT, &size);
    fail_call(0, HALVES, 0);
    assert_sealed(NULL);
    int total = failing.calls;
    assert_true(total > 30);
    for (int at = 1; at <= total; at++) {
        if (at > 8 && at + 8 < total && at % 9 != 0)
            continue; /* one of the blocks */
        store(FIRST_SEGMENT, raw, size);
        unlink(path_of(FIRST_SEALED));
        fail_call(at, FAILS_ON | HALVES, problem_of(at));
        assert_int_not_equal(seal(NULL, &why), ERR_OK);
        assert_non_null(strstr(why, "was not sealed"));
        fail_call(0, HALVES, 0);
        assert_holds(RECORDS + 1);
        ledger_close(open_ledger());
        assert_holds(RECORDS + 1);
        if (access(path_of(FIRST_SEGMENT), F_OK) == 0)
            assert_sealed(NULL);
    }
    free(raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sealed_segment_is_the_raw_one, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_may_begin_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_does_not_notice, setup, teardown),
        cmocka_unit_test_setup_teardown(proofs_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(each_changed_octet_of_a_sealed_segment_is_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damage_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(another_version_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_that_is_destroyed_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(proofs_stay_when_a_part_is_destroyed, setup, teardown),
        cmocka_unit_test_setup_teardown(destruction_half_way_is_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(a_person_is_found_by_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_is_read_than_must_be, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_and_kinds_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_destroyed_person_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_damaged_stays_raw, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_changed_stays_raw, setup, teardown),
        cmocka_unit_test_setup_teardown(of_two_forms_the_raw_one_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(any_failing_call_loses_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

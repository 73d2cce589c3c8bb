/* SPDX-License-Identifier: Apache-2.0 */
/* A person's records in a ledger's files: found, destroyed, and destroyed again after any step failed. */
#include "tests/unit/ledger_failing.h"

#include <errno.h>
#include <string.h>

#include "consent/ledger_erase.h"
#include "proto/event.pb-c.h"

#define PERSON  12025550147u
#define OTHER   12025550148u
#define SECRET  "Zanzibar on Tuesday"
#define RECORDS 64

static uint64_t found[RECORDS];
static size_t found_count;

static bool take(void *context, uint64_t sequence)
{
    (void)context;
    assert_true(found_count < RECORDS);
    found[found_count++] = sequence;
    return true;
}

static void progress(void *context, uint64_t records)
{
    (void)context, (void)records;
}

static uint64_t append(struct ledger *ledger, Assent__V1__Event__BodyCase body, uint64_t message,
                       uint64_t number, const char *text)
{
    static Assent__V1__Accepted accepted;
    static Assent__V1__Inbound inbound;
    uint8_t public_part[256], personal_part[256];
    assent__v1__accepted__init(&accepted);
    assent__v1__inbound__init(&inbound);
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.wall_ms = 1790000000000;
    event.message = message;
    event.body_case = body;
    event.accepted = &accepted;
    if (body == ASSENT__V1__EVENT__BODY_INBOUND)
        event.inbound = &inbound;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = number;
    personal.text = (char *)(uintptr_t)text;
    size_t personal_length =
        text != NULL || number != 0 ? assent__v1__personal__pack(&personal, personal_part) : 0;
    return ledger_append(ledger, span_of(public_part, assent__v1__event__pack(&event, public_part)),
                         span_of(personal_part, personal_length));
}

/* Two people by turns; the person's are records 1, 4, 7, ...; of a message to them more than the number may be
 * kept under its id. */
static void fill(unsigned rounds)
{
    struct ledger *ledger = open_ledger();
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t id =
            append(ledger, ASSENT__V1__EVENT__BODY_ACCEPTED, 0, PERSON, SECRET " to the person");
        append(ledger, ASSENT__V1__EVENT__BODY_ACCEPTED, 0, OTHER, "kept for the other");
        append(ledger, ASSENT__V1__EVENT__BODY_INBOUND, id, 0, SECRET " again");
        append(ledger, ASSENT__V1__EVENT__BODY_INBOUND, 0, PERSON, SECRET);
    }
    settle_ledger(ledger);
    ledger_close(ledger);
}

static void find(uint64_t until)
{
    const char *why = "";
    struct erase_search search = {.directory = directory,
                                  .reach = {.person = person_mark(PERSON),
                                            .until = until,
                                            .until_wall_ms = UINT64_MAX,
                                            .consent_until = UINT64_MAX},
                                  .found = take,
                                  .progress = progress};
    found_count = 0;
    if (ledger_erase_find(&search, &why) != ERR_OK)
        fail_msg("%s", why);
}

/* How often a text stands in the first segment. */
static unsigned standing(const char *text)
{
    static uint8_t octets[1 << 20];
    FILE *file = fopen(path_of(FIRST_SEGMENT), "rb");
    assert_non_null(file);
    size_t length = fread(octets, 1, sizeof octets, file), size = strlen(text);
    fclose(file);
    unsigned count = 0;
    for (size_t at = 0; at + size <= length; at++)
        count += memcmp(octets + at, text, size) == 0;
    return count;
}

static void read_all(unsigned *ret_records, unsigned *ret_persons, uint8_t commitments[][32])
{
    struct ledger_reader *reader;
    struct ledger_record record;
    const char *why = "";
    assert_int_equal(ledger_reader_open(directory, 1, &reader, &why), ERR_OK);
    *ret_records = *ret_persons = 0;
    while (ledger_reader_next(reader, UINT64_MAX, &record) == ERR_OK) {
        if (record.commitment.length == 32)
            memcpy(commitments[*ret_records], record.commitment.data, 32);
        ++*ret_records;
        *ret_persons += record.personal_part.length > 0;
    }
    ledger_reader_free(reader);
}

static void the_records_of_a_person_are_found(void **state)
{
    (void)state;
    fill(3);
    find(UINT64_MAX);
    static const uint64_t theirs[] = {1, 3, 4, 5, 7, 8, 9, 11, 12};
    assert_int_equal(found_count, 9);
    assert_memory_equal(found, theirs, sizeof theirs);
    find(5);
    assert_int_equal(found_count, 3);
}

/* The place of a fingerprint that an erasure kept. */
static void append_place(struct ledger *ledger, uint64_t number)
{
    uint8_t public_part[256], personal_part[256], octets[PERSON_KEY_SIZE];
    struct person_mark person = person_mark(number);
    person_mark_write(&person, octets);
    Assent__V1__ErasedRecords body = ASSENT__V1__ERASED_RECORDS__INIT;
    body.person.data = octets;
    body.person.len = sizeof octets;
    body.kept_opt_out = true;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.body_case = ASSENT__V1__EVENT__BODY_ERASED_RECORDS;
    event.erased_records = &body;
    Assent__V1__ErasedPlace place = ASSENT__V1__ERASED_PLACE__INIT;
    place.buckets = 64;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.erased = &place;
    ledger_append(ledger, span_of(public_part, assent__v1__event__pack(&event, public_part)),
                  span_of(personal_part, assent__v1__personal__pack(&personal, personal_part)));
}

static void what_an_erasure_before_kept_is_found(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    append_place(ledger, OTHER);
    append_place(ledger, PERSON);
    append(ledger, ASSENT__V1__EVENT__BODY_ACCEPTED, 0, PERSON, SECRET);
    append_place(ledger, PERSON);
    settle_ledger(ledger);
    ledger_close(ledger);
    find(4); /* its own comes behind it */
    static const uint64_t theirs[] = {2, 3};
    assert_int_equal(found_count, 2);
    assert_memory_equal(found, theirs, sizeof theirs);
}

static void nothing_of_them_is_left_and_every_leaf_is(void **state)
{
    (void)state;
    static uint8_t before[RECORDS][32], after[RECORDS][32];
    unsigned records, persons;
    uint64_t destroyed = 0;
    const char *why = "";
    fill(3);
    find(UINT64_MAX);
    read_all(&records, &persons, before);
    assert_int_equal(records, 12);
    assert_int_equal(persons, 12);
    assert_int_equal(ledger_erase(directory, found, found_count, &destroyed, &why), ERR_OK);
    assert_int_equal(destroyed, 9);
    read_all(&records, &persons, after);
    assert_int_equal(records, 12);
    assert_int_equal(persons, 3);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(standing("Zanzibar"), 0);
    assert_int_equal(standing("kept for the other"), 3);
    assert_int_equal(ledger_erase(directory, found, found_count, &destroyed, &why), ERR_OK);
    assert_int_equal(destroyed, 0); /* again: there was nothing */
    find(UINT64_MAX);
    assert_int_equal(found_count, 0);
    struct ledger *ledger = open_ledger(); /* it goes on behind them */
    assert_int_equal(ledger_next(ledger), 13);
    ledger_close(ledger);
}

static void records_that_are_not_there_are_refused(void **state)
{
    (void)state;
    const char *why = "";
    uint64_t destroyed;
    fill(1);
    assert_int_equal(ledger_erase(directory, (uint64_t[]){5}, 1, &destroyed, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "ends before record 5"));
    assert_int_equal(ledger_erase(directory, (uint64_t[]){70000}, 1, &destroyed, &why),
                     ERR_NOT_FOUND);
    assert_int_equal(standing("Zanzibar"), 3);
}

/* ---- every call failing, which is also a crash before it ---- */

static void any_step_may_fail(void **state)
{
    (void)state;
    static uint8_t commitments[RECORDS][32];
    unsigned records, persons, failed = 0;
    for (int at = 1;; at++) {
        uint64_t destroyed;
        const char *why = "";
        nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        assert_int_equal(mkdir(directory, 0700), 0);
        fill(2);
        find(UINT64_MAX);
        fail_call(at, FAILS_ONCE, problem_of(at));
        enum err err = ledger_erase(directory, found, found_count, &destroyed, &why);
        ledger_io = real_io;
        read_all(&records, &persons, commitments);
        assert_int_equal(records, 8); /* it can be read whatever was done */
        if (err == ERR_OK)
            break;
        assert_true(strlen(why) > 0);
        assert_int_equal(ledger_erase(directory, found, found_count, &destroyed, &why), ERR_OK);
        assert_int_equal(standing("Zanzibar"), 0);
        read_all(&records, &persons, commitments);
        assert_int_equal(persons, 2);
        failed++;
    }
    assert_int_equal(failed, 1 + 6 + 1 + 6 + 1); /* open, marks, sync, zeros, sync */
}

/* ---- fingerprints ---- */

static void a_fingerprint_depends_on_key_and_number(void **state)
{
    (void)state;
    static const uint8_t zeros[PERSON_KEY_SIZE], ones[PERSON_KEY_SIZE] = {1};
    uint8_t octets[PERSON_KEY_SIZE];
    char hex[PERSON_HEX_SIZE];
    person_key_set(ones);
    struct person_mark other = person_mark(PERSON);
    person_key_set(zeros);
    struct person_mark mark = person_mark(PERSON), read;
    assert_false(person_mark_equal(&mark, &other));
    assert_true(person_is(&mark, PERSON));
    assert_false(person_is(&mark, OTHER));
    person_mark_write(&mark, octets);
    assert_true(person_mark_read(octets, sizeof octets, &read) && person_mark_equal(&mark, &read));
    assert_false(person_mark_read(octets, 15, &read));
    assert_int_equal(strlen(person_mark_hex(&mark, hex)), 32);
    assert_int_equal(consent_member(4, PERSON) >> 50, 4);
    assert_int_equal(consent_member(4, PERSON), person_member(&mark));
    assert_int_equal(consent_member(17, PERSON), 17ull << 50 | PERSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_records_of_a_person_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_erasure_before_kept_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_of_them_is_left_and_every_leaf_is, setup, teardown),
        cmocka_unit_test_setup_teardown(records_that_are_not_there_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(any_step_may_fail, setup, teardown),
        cmocka_unit_test(a_fingerprint_depends_on_key_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

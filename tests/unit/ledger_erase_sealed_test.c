/* SPDX-License-Identifier: Apache-2.0 */
/* A person's records in sealed segments: written anew without them while others read; no index leads to them;
 * every proof holds; any call may fail, which is also a crash before it. */
#include "tests/unit/ledger_failing.h"

#include <errno.h>
#include <string.h>

#include "consent/ledger_erase.h"
#include "consent/ledger_file.h"
#include "consent/ledger_filter.h"
#include "consent/ledger_nodes.h"
#include "consent/ledger_proof.h"
#include "consent/ledger_seal.h"
#include "consent/ledger_verify.h"
#include "gateway/signing_key.h"
#include "proto/event.pb-c.h"
#include "proto/pack.h"

#define FIRST_SEALED "ledger/00000000000000000001.sealed"
#define PERSON       12025550147u
#define EVERY        5000 /* one message of so many is the person's */
#define RECORDS      (LEDGER_SEGMENT_RECORDS + 5000)
#define FOUND_MAX    64

static uint64_t found[FOUND_MAX];
static size_t found_count;

static uint64_t number_of(uint64_t sequence)
{
    return sequence % EVERY == 0 ? PERSON : 12025550000 + sequence % 100;
}

static bool is_theirs(uint64_t sequence)
{
    return sequence % EVERY == 0 || (sequence % EVERY == 1 && sequence > EVERY);
}

static void append(struct ledger *ledger, const Assent__V1__Event *event,
                   const Assent__V1__Personal *personal)
{
    uint8_t room[2048], personal_room[256];
    struct span public_part, personal_part = {0};
    if (personal != NULL)
        assert_true(
            pack_message(&personal->base, personal_room, sizeof personal_room, &personal_part));
    assert_true(pack_message(&event->base, room, sizeof room, &public_part));
    ledger_append(ledger, public_part, personal_part);
}

/* Messages, and behind each of the person's a reply to it that has no number of its own. */
static void append_message(struct ledger *ledger, uint64_t sequence)
{
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    Assent__V1__Accepted accepted = ASSENT__V1__ACCEPTED__INIT;
    Assent__V1__Inbound inbound = ASSENT__V1__INBOUND__INIT;
    event.wall_ms = 1760000000000 + sequence;
    personal.text = (char *)(is_theirs(sequence) ? "Zanzibar on Tuesday" : "seeds and bulbs");
    if (sequence % EVERY == 1 && sequence > EVERY) {
        event.message = sequence - 1;
        event.body_case = ASSENT__V1__EVENT__BODY_INBOUND;
        event.inbound = &inbound;
    } else {
        event.body_case = ASSENT__V1__EVENT__BODY_ACCEPTED;
        event.accepted = &accepted;
        personal.number = number_of(sequence);
    }
    append(ledger, &event, &personal);
}

/* Signed, and its first segment sealed. */
static void write_sealed(void)
{
    const char *why = "";
    struct note_signer *signer = NULL;
    use_fast_io();
    struct ledger *ledger = open_ledger();
    if (signing_key_open(directory, "gw1", ledger, &signer, &why) != ERR_OK)
        fail_msg("%s", why);
    while (ledger_next(ledger) <= RECORDS)
        append_message(ledger, ledger_next(ledger));
    settle_ledger(ledger);
    ledger_close(ledger);
    note_signer_free(signer);
    int folder = folder_open(directory, "ledger", false), lock = segments_lock(folder);
    assert_true(folder >= 0 && lock >= 0);
    if (segment_store(folder, 1, NULL, &why) != ERR_OK)
        fail_msg("%s", why);
    segments_unlock(lock);
    close(folder);
    assert_int_equal(access(path_of(FIRST_SEALED), F_OK), 0);
}

static bool take(void *context, uint64_t sequence)
{
    (void)context;
    assert_true(found_count < FOUND_MAX);
    found[found_count++] = sequence;
    return true;
}

static void progress(void *context, uint64_t records)
{
    (void)context, (void)records;
}

static void find(void)
{
    const char *why = "";
    struct erase_search search = {.directory = directory,
                                  .reach = {.person = person_mark(PERSON),
                                            .until = RECORDS + 1,
                                            .until_wall_ms = UINT64_MAX,
                                            .consent_until = UINT64_MAX},
                                  .found = take,
                                  .progress = progress};
    found_count = 0;
    if (ledger_erase_find(&search, &why) != ERR_OK)
        fail_msg("%s", why);
}

static enum err erase(uint64_t *ret_destroyed)
{
    const char *why = "";
    enum err err = ledger_erase(directory, found, found_count, ret_destroyed, &why);
    assert_true(err == ERR_OK || strlen(why) > 0);
    return err;
}

/* What the gateway writes before it destroys records, and after. */
static void record_erasure(void)
{
    uint64_t steps[FOUND_MAX], before = 0;
    for (size_t i = 0; i < found_count; i++) {
        steps[i] = found[i] - before;
        before = found[i];
    }
    struct ledger *ledger = open_ledger();
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__ErasedRecords records = ASSENT__V1__ERASED_RECORDS__INIT;
    Assent__V1__ErasureDone done = ASSENT__V1__ERASURE_DONE__INIT;
    event.wall_ms = 1760000000000 + RECORDS;
    records.erasure = done.erasure = RECORDS;
    records.n_steps = done.records = found_count;
    records.steps = steps;
    event.body_case = ASSENT__V1__EVENT__BODY_ERASED_RECORDS;
    event.erased_records = &records;
    append(ledger, &event, NULL);
    event.body_case = ASSENT__V1__EVENT__BODY_ERASURE_DONE;
    event.erasure_done = &done;
    append(ledger, &event, NULL);
    settle_ledger(ledger);
    ledger_close(ledger);
}

/* ---- what is asked of a ledger ---- */

/* How often a text stands in the first segment, unpacked; and, where the parts are not, in the file itself. */
static unsigned standing(const char *text)
{
    struct ledger_file file;
    int folder = folder_open(directory, "ledger", false);
    assert_true(folder >= 0);
    assert_int_equal(ledger_file_open(folder, 1, &file), ERR_OK);
    close(folder);
    size_t size = (size_t)ledger_file_octets(&file), length = strlen(text), done = 0;
    uint8_t *octets = malloc(size);
    assert_non_null(octets);
    while (done < size) {
        ssize_t n = ledger_file_read(&file, octets + done, size - done, done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    ledger_file_close(&file);
    unsigned count = 0;
    for (size_t at = 0; at + length <= size; at++)
        count += octets[at] == (uint8_t)text[0] && memcmp(octets + at, text, length) == 0;
    free(octets);
    return count;
}

struct held {
    struct digest root, segment;
    struct proof proof; /* of the person's first message */
    uint64_t size;
};

static struct held hold(uint64_t size)
{
    struct held held = {.size = size};
    struct ledger_nodes *nodes;
    const char *why = "";
    if (ledger_nodes_open(directory, &nodes, &why) != ERR_OK)
        fail_msg("%s", why);
    struct tree_source source = ledger_nodes_source(nodes);
    assert_int_equal(proof_root(&source, size, &held.root), ERR_OK);
    assert_int_equal(source.perfect(source.context, SEGMENT_LEVEL, 0, &held.segment), ERR_OK);
    assert_int_equal(proof_of_inclusion(&source, EVERY - 1, size, &held.proof), ERR_OK);
    struct digest leaf;
    assert_int_equal(source.perfect(source.context, 0, EVERY - 1, &leaf), ERR_OK);
    assert_true(inclusion_holds(&held.proof, EVERY - 1, size, &leaf, &held.root));
    ledger_nodes_free(nodes);
    return held;
}

static char said[512];

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

static struct verify_report verify(void)
{
    const char *why = "";
    struct verify_report report;
    struct verify_order order = {.directory = directory, .finding = see, .progress = no_progress};
    said[0] = '\0';
    if (ledger_verify(&order, &report, &why) != ERR_OK)
        fail_msg("%s", why);
    return report;
}

/* Records that an index leads to. */
static unsigned led_to(uint64_t number, struct ledger_cost *ret_cost)
{
    struct ledger_record record;
    unsigned count = 0;
    struct ledger_filter *filter = ledger_filter_new();
    struct ledger_reader *reader = open_reader(1);
    ledger_filter_number(filter, number);
    ledger_reader_only(reader, filter);
    while (ledger_reader_next(reader, LEDGER_SEGMENT_RECORDS + 1, &record) == ERR_OK)
        count++;
    *ret_cost = ledger_reader_cost(reader);
    ledger_reader_free(reader);
    ledger_filter_free(filter);
    return count;
}

/* ---- the tests ---- */

static void nothing_of_them_is_left_and_every_proof_holds(void **state)
{
    (void)state;
    struct ledger_cost cost;
    uint64_t destroyed = 0;
    write_sealed();
    struct held before = hold(RECORDS);
    unsigned others = standing("seeds and bulbs");
    assert_true(led_to(PERSON, &cost) >= LEDGER_SEGMENT_RECORDS / EVERY && cost.blocks > 0);
    find();
    assert_int_equal(found_count, RECORDS / EVERY + (RECORDS - 1) / EVERY);
    for (size_t i = 0; i < found_count; i++)
        assert_true(is_theirs(found[i]));
    record_erasure();
    assert_int_equal(erase(&destroyed), ERR_OK);
    assert_int_equal(destroyed, found_count);
    assert_int_equal(standing("Zanzibar"), 0);
    assert_int_equal(standing("seeds and bulbs"), others);
    assert_int_equal(led_to(PERSON, &cost), 0);
    assert_int_equal(cost.blocks, 0);

    struct held after = hold(RECORDS);
    assert_memory_equal(before.root.octets, after.root.octets, DIGEST_SIZE);
    assert_memory_equal(before.segment.octets, after.segment.octets, DIGEST_SIZE);
    assert_int_equal(before.proof.count, after.proof.count);
    assert_memory_equal(before.proof.node, after.proof.node,
                        before.proof.count * sizeof before.proof.node[0]);
    struct verify_report report = verify();
    if (report.findings != 0)
        fail_msg("%s", said);
    assert_int_equal(report.destroyed, found_count);
    assert_int_equal(report.erasures, 1);
    assert_int_equal(erase(&destroyed), ERR_OK); /* again: there was nothing */
    assert_int_equal(destroyed, 0);
    find();
    assert_int_equal(found_count, 0);
}

/* It has begun in the file that goes away, and reads it to its end. */
static void who_reads_meanwhile_reads_on(void **state)
{
    (void)state;
    struct ledger_record record;
    uint64_t destroyed, persons = 0;
    enum err err;
    write_sealed();
    find();
    struct ledger_reader *reader = open_reader(1);
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(ledger_reader_next(reader, UINT64_MAX, &record), ERR_OK);
    assert_int_equal(erase(&destroyed), ERR_OK);
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK)
        persons += is_theirs(record.sequence) && record.personal_part.length > 0;
    assert_int_equal(err, ERR_AGAIN);
    assert_int_equal(record.sequence, RECORDS);
    assert_in_range(persons, 1, found_count);
    ledger_reader_free(reader);
    reader = open_reader(1); /* whoever comes now reads what is left */
    while (ledger_reader_next(reader, UINT64_MAX, &record) == ERR_OK)
        assert_true(is_theirs(record.sequence) ==
                    (record.personal_part.length == 0 && record.commitment.length > 0));
    ledger_reader_free(reader);
}

/* An older copy of the file comes back: verify names it, and it is done again from the record. */
static void an_older_copy_is_named_and_erased_again(void **state)
{
    (void)state;
    size_t size;
    uint64_t destroyed;
    write_sealed();
    find();
    record_erasure();
    uint8_t *older = load(FIRST_SEALED, &size);
    assert_int_equal(erase(&destroyed), ERR_OK);
    assert_int_equal(unlink(path_of(FIRST_SEALED)), 0);
    store(FIRST_SEALED, older, size);
    free(older);
    struct verify_report report = verify();
    assert_true(report.findings > 0);
    assert_non_null(strstr(said, "older copy came back"));
    assert_int_equal(erase(&destroyed), ERR_OK);
    assert_int_equal(destroyed, report.findings);
    assert_int_equal(standing("Zanzibar"), 0);
    assert_int_equal(verify().findings, 0);
}

/* ---- every call failing ---- */

static uint64_t count_records(void)
{
    enum err err;
    struct ledger_record record;
    uint64_t count = 0;
    struct ledger_reader *reader = open_reader(1);
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK)
        count++;
    assert_int_equal(err, ERR_AGAIN);
    ledger_reader_free(reader);
    return count;
}

/* Blocks and chunks of an index are written alike: of those some, of all else each. */
static bool is_one_of_many(int call, int all)
{
    return call > 6 && call < all - 8 && call % 32 != 0;
}

static void any_step_may_fail(void **state)
{
    (void)state;
    size_t size, whole_size;
    uint64_t destroyed;
    write_sealed();
    find();
    uint8_t *older = load(FIRST_SEALED, &size), *open_segment = load(SECOND_SEGMENT, &whole_size);
    fail_call(0, 0, 0);
    assert_int_equal(erase(&destroyed), ERR_OK);
    int all = failing.calls;
    unsigned failed = 0;
    for (int call = 1; call <= all; call++) {
        if (is_one_of_many(call, all))
            continue;
        assert_int_equal(unlink(path_of(FIRST_SEALED)), 0);
        store(FIRST_SEALED, older, size);
        store(SECOND_SEGMENT, open_segment, whole_size);
        fail_call(call, FAILS_ONCE, problem_of(call));
        enum err err = erase(&destroyed);
        fail_call(0, 0, 0);
        failed += err != ERR_OK;
        assert_int_equal(count_records(), RECORDS); /* it can be read whatever was done */
        assert_int_equal(erase(&destroyed), ERR_OK);
        assert_int_equal(standing("Zanzibar"), 0);
        find();
        assert_int_equal(found_count, 0);
        store(FIRST_SEALED, older, size);
        store(SECOND_SEGMENT, open_segment, whole_size);
        find();
    }
    assert_true(failed >= 16);
    free(older);
    free(open_segment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_of_them_is_left_and_every_proof_holds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_reads_meanwhile_reads_on, setup, teardown),
        cmocka_unit_test_setup_teardown(an_older_copy_is_named_and_erased_again, setup, teardown),
        cmocka_unit_test_setup_teardown(any_step_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

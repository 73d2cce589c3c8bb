/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is done to a ledger is found and named: every octet changed in turn, records left out, put in and
 * put in another order with all their checksums made right, an end cut off, keys that nobody vouches for. */
#include "tests/unit/ledger_fixture.h"

#include <errno.h>

#include "consent/ledger_checkpoint.h"
#include "consent/ledger_nodes.h"
#include "consent/ledger_verify.h"
#include "gateway/signing_key.h"

#define RECORDS 12 /* of the small ledger, its key's record included */

struct seen {
    uint64_t count;
    char first[512], all[4096];
};

static void see(void *context, const char *sentence)
{
    struct seen *seen = context;
    size_t used = strlen(seen->all);
    if (seen->count++ == 0)
        snprintf(seen->first, sizeof seen->first, "%s", sentence);
    snprintf(seen->all + used, sizeof seen->all - used, "%s\n", sentence);
}

static void no_progress(void *context, uint64_t octets, uint64_t octets_all)
{
    (void)context;
    assert_true(octets <= octets_all);
}

static struct seen verify_with(const struct note_key *trusted, struct span notes,
                               struct verify_report *report)
{
    struct seen seen = {0};
    const char *why = "";
    struct verify_order order = {.directory = directory,
                                 .trusted = trusted,
                                 .notes = notes,
                                 .finding = see,
                                 .progress = no_progress,
                                 .context = &seen};
    if (ledger_verify(&order, report, &why) != ERR_OK)
        fail_msg("%s", why);
    assert_int_equal(report->findings, seen.count);
    return seen;
}

static struct seen verify(void)
{
    struct verify_report report;
    return verify_with(NULL, span_of(NULL, 0), &report);
}

/* A signed ledger that goes on, and stops. */
static void write_signed(uint64_t count)
{
    struct note_signer *signer = NULL;
    struct ledger *ledger = open_ledger();
    const char *why = "";
    if (signing_key_open(directory, "gw1", ledger, &signer, &why) != ERR_OK)
        fail_msg("%s", why);
    append_numbered(ledger, count);
    settle_ledger(ledger);
    ledger_close(ledger);
    note_signer_free(signer);
}

static void rotate(bool lost)
{
    struct note_signer *previous = NULL, *next = NULL;
    struct ledger *ledger = open_ledger();
    const char *why = "";
    if (!lost)
        assert_int_equal(signing_key_read(directory, "gw1", &previous, &why), ERR_OK);
    if (signing_key_rotate(directory, "gw1", ledger, previous, &next, &why) != ERR_OK)
        fail_msg("%s", why);
    ledger_close(ledger);
    note_signer_free(previous);
    note_signer_free(next);
}

/* Octets of the first segment up to behind its last record. */
static size_t used_octets(const uint8_t *octets, size_t size)
{
    while (size > 0 && octets[size - 1] == 0)
        size--;
    return size;
}

static char *newest_checkpoint(void)
{
    static char name[64];
    char note[NOTE_SIZE], file[FILE_NAME_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    assert_int_equal(checkpoint_newest(directory, note, &length, &checkpoint), ERR_OK);
    snprintf(name, sizeof name, "checkpoints/%s",
             file_name(file, checkpoint.size, CHECKPOINT_SUFFIX));
    return name;
}

static void a_sound_ledger_has_nothing_wrong(void **state)
{
    (void)state;
    struct verify_report report;
    write_signed(RECORDS - 1);
    struct seen seen = verify_with(NULL, span_of(NULL, 0), &report);
    if (seen.count > 0)
        fail_msg("%s", seen.all);
    assert_int_equal(report.records, RECORDS);
    assert_int_equal(report.personal, RECORDS / 3);
    assert_int_equal(report.newest.size, RECORDS);
    assert_int_equal(report.keys, 1);
    assert_string_equal(report.key.name, "assent/gw1");
    write_signed(5);
    seen = verify_with(NULL, span_of(NULL, 0), &report);
    assert_int_equal(seen.count, 0);
    assert_int_equal(report.newest.size, RECORDS + 5);
}

static void each_octet_that_changes_is_found(void **state)
{
    (void)state;
    use_fast_io();
    write_signed(RECORDS - 1);
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    size_t used = used_octets(octets, size);
    assert_true(used > 400 && used < 4000);
    free(octets);
    for (size_t at = 0; at < used + 100; at++) { /* and zeros behind the records */
        uint8_t bits = (uint8_t)(at % 9 == 0 ? 0xff : 1 << at % 8);
        flip(FIRST_SEGMENT, at, bits);
        if (verify().count == 0)
            fail_msg("octet %zu of the ledger", at);
        flip(FIRST_SEGMENT, at, bits);
    }
    const char *name = newest_checkpoint();
    free(load(name, &size));
    for (size_t at = 0; at < size; at++) {
        flip(name, at, (uint8_t)(1 << at % 8));
        if (verify().count == 0)
            fail_msg("octet %zu of the checkpoint", at);
        flip(name, at, (uint8_t)(1 << at % 8));
    }
    assert_int_equal(verify().count, 0);
}

/* The mark says that a person's part was destroyed; nobody has. */
static void a_part_marked_as_erased_is_found(void **state)
{
    (void)state;
    write_signed(RECORDS - 1);
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    struct record record;
    size_t at = FILE_HEAD;
    for (uint64_t n = 1; n < 3; n++) {
        assert_int_equal(record_decode(span_of(octets + at, size - at), n, &record), RECORD_OK);
        at += record.size;
    }
    flip(FIRST_SEGMENT, at, RECORD_LIVE ^ RECORD_ERASED);
    struct seen seen = verify();
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.first, "record 3 was destroyed"));
    free(octets);
}

/* Writes the records again in this order, with sound checksums: what somebody with our program could do. */
static void write_again(const unsigned *order, unsigned count, unsigned changed)
{
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size), *out = calloc(1, size + 4096);
    struct record records[RECORDS + 1];
    size_t at = FILE_HEAD, to = FILE_HEAD;
    for (unsigned n = 1; n <= RECORDS; n++) {
        assert_int_equal(record_decode(span_of(octets + at, size - at), n, &records[n]), RECORD_OK);
        at += records[n].size;
    }
    memcpy(out, octets, FILE_HEAD);
    for (unsigned i = 0; i < count; i++) {
        const struct record *record = &records[order[i]];
        const uint8_t *salt =
            record->personal_part.length ? record->personal_part.data - SALT_SIZE : NULL;
        uint8_t public_part[256];
        memcpy(public_part, record->public_part.data, record->public_part.length);
        if (order[i] == changed)
            public_part[0] ^= 1;
        record_lay(out + to, span_of(public_part, record->public_part.length),
                   record->personal_part);
        record_finish(out + to, i + 1, record->barrier, salt);
        to += record_laid_size(out + to);
    }
    store(FIRST_SEGMENT, out, to);
    free(octets);
    free(out);
}

static void records_made_anew_are_found(void **state)
{
    (void)state;
    static const struct {
        unsigned count, changed;
        unsigned order[RECORDS + 1];
        const char *sentence;
    } rows[] = {
        {RECORDS, 5, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "records 1 to 12 are not those"},
        {RECORDS, 12, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "records 1 to 12 are not those"},
        {RECORDS, 0, {1, 2, 4, 3, 5, 6, 7, 8, 9, 10, 11, 12}, "records 1 to 12 are not those"},
        {RECORDS + 1,
         0,
         {1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
         "records 1 to 12 are not those"},
        {RECORDS - 1, 0, {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12}, "ends with record 11"},
        {RECORDS - 1, 0, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, "1 records at its end were cut off"},
        {3, 0, {1, 2, 3}, "9 records at its end were cut off"},
        {RECORDS, 0, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, NULL}, /* nothing was done */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_signed(RECORDS - 1);
        write_again(rows[i].order, rows[i].count, rows[i].changed);
        struct seen seen = verify();
        if (rows[i].sentence == NULL ? seen.count > 0 : strstr(seen.all, rows[i].sentence) == NULL)
            fail_msg("row %zu: %s", i, seen.all);
        teardown(state);
        setup(state);
    }
}

static void a_ledger_shorter_than_its_checkpoint_is_not_opened(void **state)
{
    (void)state;
    static const unsigned order[] = {1, 2, 3};
    struct ledger *ledger;
    const char *why = "";
    write_signed(RECORDS - 1);
    write_again(order, 3, 0);
    assert_int_equal(ledger_open(directory, &ledger, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "ends with record 3, but its checkpoint covers 12"));
}

static void a_ledger_that_is_not_its_checkpoints_is_not_opened(void **state)
{
    (void)state;
    static const unsigned order[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct ledger *ledger;
    const char *why = "";
    write_signed(RECORDS - 1);
    write_again(order, RECORDS, 7);
    assert_int_equal(ledger_open(directory, &ledger, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "not those of its checkpoint"));
}

static void a_witness_finds_a_ledger_made_anew(void **state)
{
    (void)state;
    char note[NOTE_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    struct verify_report report;
    write_signed(RECORDS - 1);
    assert_int_equal(checkpoint_newest(directory, note, &length, &checkpoint), ERR_OK);
    struct seen seen = verify_with(NULL, span_of(note, length), &report);
    assert_int_equal(seen.count, 0);
    assert_true(report.checkpoints >= 2); /* ours and the same again */
    /* Its owner begins again: other records, another key. */
    teardown(state);
    setup(state);
    write_signed(RECORDS + 5);
    assert_int_equal(verify().count, 0);
    seen = verify_with(NULL, span_of(note, length), &report);
    assert_non_null(strstr(seen.all, "checkpoint from elsewhere"));
}

static void what_was_not_signed_by_the_trusted_key_is_found(void **state)
{
    (void)state;
    struct note_key key;
    struct verify_report report;
    write_signed(RECORDS - 1);
    verify_with(NULL, span_of(NULL, 0), &report);
    key = report.key;
    assert_int_equal(verify_with(&key, span_of(NULL, 0), &report).count, 0);
    key.public_key[3] ^= 4;
    struct seen seen = verify_with(&key, span_of(NULL, 0), &report);
    assert_non_null(strstr(seen.all, "not one that this ledger names"));
}

static void a_key_takes_over_from_another(void **state)
{
    (void)state;
    struct verify_report before, after;
    write_signed(RECORDS - 1);
    verify_with(NULL, span_of(NULL, 0), &before);
    rotate(false);
    write_signed(4);
    struct seen seen = verify_with(&before.key, span_of(NULL, 0), &after);
    if (seen.count > 0)
        fail_msg("%s", seen.all);
    assert_int_equal(after.keys, 2);
    assert_memory_not_equal(before.key.public_key, after.key.public_key, NOTE_PUBLIC_KEY_SIZE);
    struct note_key latest = after.key;
    seen = verify_with(&latest, span_of(NULL, 0), &after);
    if (seen.count > 0)
        fail_msg("%s", seen.all);
    rotate(false);
    assert_int_equal(verify_with(&before.key, span_of(NULL, 0), &after).count, 0);
    assert_int_equal(after.keys, 3);
}

static void a_key_that_nobody_vouches_for_is_found(void **state)
{
    (void)state;
    struct verify_report report;
    write_signed(RECORDS - 1);
    rotate(true);
    write_signed(4);
    struct seen seen = verify_with(NULL, span_of(NULL, 0), &report);
    assert_non_null(strstr(seen.all, "not signed by the key that this ledger had then"));
}

static void a_lost_key_is_not_replaced_in_silence(void **state)
{
    (void)state;
    struct note_signer *signer = NULL;
    const char *why = "";
    write_signed(2);
    assert_int_equal(remove(path_of("ledger.key")), 0);
    struct ledger *ledger = open_ledger();
    assert_int_equal(signing_key_open(directory, "gw1", ledger, &signer, &why), ERR_NOT_FOUND);
    assert_non_null(strstr(why, "restore it"));
    ledger_close(ledger);
}

static void a_rotation_that_was_interrupted_does_no_harm(void **state)
{
    (void)state;
    const char *why = "";
    write_signed(RECORDS - 1);
    assert_int_equal(note_signer_make(path_of("ledger.key.next"), &why), ERR_OK);
    write_signed(3);
    assert_int_equal(verify().count, 0);
    rotate(false);
    assert_int_equal(access(path_of("ledger.key.next"), F_OK), -1);
    write_signed(3);
    assert_int_equal(verify().count, 0);
}

/* The new key has signed, and the process died before the key got its name. */
static void a_rotation_that_was_nearly_over_is_finished(void **state)
{
    (void)state;
    size_t old_size, new_size;
    struct verify_report report;
    write_signed(RECORDS - 1);
    uint8_t *old_key = load("ledger.key", &old_size);
    rotate(false);
    uint8_t *new_key = load("ledger.key", &new_size);
    store("ledger.key", old_key, old_size);
    store("ledger.key.next", new_key, new_size);
    write_signed(3);
    assert_int_equal(access(path_of("ledger.key.next"), F_OK), -1);
    struct seen seen = verify_with(NULL, span_of(NULL, 0), &report);
    if (seen.count > 0)
        fail_msg("%s", seen.all);
    assert_int_equal(report.keys, 2);
    free(old_key);
    free(new_key);
}

static void files_that_are_gone_are_named(void **state)
{
    (void)state;
    use_fast_io();
    write_signed(LEDGER_SEGMENT_RECORDS + 10);
    assert_int_equal(verify().count, 0);
    size_t size;
    uint8_t *octets = load(FIRST_SEGMENT, &size);
    flip(FIRST_SEGMENT, size / 2, 1); /* in one segment: the rest can still be judged */
    struct seen seen = verify();
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.first, "is damaged at octet"));
    flip(FIRST_SEGMENT, size / 2, 1);
    flip(FIRST_SEGMENT, size - 30, 1); /* the root in its end */
    assert_non_null(strstr(verify().first, "damaged end"));
    assert_int_equal(remove(path_of(FIRST_SEGMENT)), 0);
    assert_non_null(strstr(verify().all, "00000000000000000001.seg is not: its records are gone"));
    store(FIRST_SEGMENT, octets, size);
    assert_int_equal(remove(path_of(SECOND_SEGMENT)), 0);
    assert_non_null(strstr(verify().all, "were cut off"));
    free(octets);
}

/* Zeros behind the end, whose return to the disk was lost with the power, mean nothing. */
static void a_segment_with_zeros_behind_its_end_opens(void **state)
{
    (void)state;
    use_fast_io();
    write_signed(LEDGER_SEGMENT_RECORDS + 10);
    size_t size;
    free(load(FIRST_SEGMENT, &size));
    static const size_t zeros[] = {1, 63, 4095, 4096, 5000, 100000};
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
        assert_int_equal(truncate(path_of(FIRST_SEGMENT), (off_t)(size + zeros[i])), 0);
        ledger_close(open_ledger());
        assert_int_equal(verify().count, 0);
        assert_int_equal(truncate(path_of(FIRST_SEGMENT), (off_t)size), 0);
    }
}

static void proofs_from_files_hold(void **state)
{
    (void)state;
    use_fast_io();
    write_signed(LEDGER_SEGMENT_RECORDS + 1000);
    const uint64_t size = LEDGER_SEGMENT_RECORDS + 1001;
    struct ledger_nodes *nodes;
    const char *why = "";
    char note[NOTE_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    assert_int_equal(ledger_nodes_open(directory, &nodes, &why), ERR_OK);
    assert_int_equal(checkpoint_newest(directory, note, &length, &checkpoint), ERR_OK);
    assert_int_equal(checkpoint.size, size);
    struct tree_source source = ledger_nodes_source(nodes);
    struct digest root, leaf;
    struct proof proof;
    assert_int_equal(proof_root(&source, size, &root), ERR_OK);
    assert_memory_equal(&root, &checkpoint.root, sizeof root);
    static const uint64_t some[] = {0, 1, 999, 65535, 65536, 65537, 66000, 66535, 66536};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        assert_int_equal(source.perfect(source.context, 0, some[i], &leaf), ERR_OK);
        assert_int_equal(proof_of_inclusion(&source, some[i], size, &proof), ERR_OK);
        assert_true(inclusion_holds(&proof, some[i], size, &leaf, &root));
        struct digest old;
        assert_int_equal(proof_root(&source, some[i] + 1, &old), ERR_OK);
        assert_int_equal(proof_of_consistency(&source, some[i] + 1, size, &proof), ERR_OK);
        assert_true(consistency_holds(&proof, some[i] + 1, size, &old, &root));
    }
    assert_int_equal(source.perfect(source.context, 0, size, &leaf), ERR_CORRUPT);
    assert_int_equal(source.perfect(source.context, SEGMENT_LEVEL, 7, &leaf), ERR_NOT_FOUND);
    ledger_nodes_free(nodes);
}

static int checkpoints_refused, refusal;

static int refuse_checkpoints(int folder, const char *name, int flags, mode_t mode)
{
    if (strstr(name, CHECKPOINT_SUFFIX) != NULL && checkpoints_refused-- > 0) {
        errno = refusal;
        return -1;
    }
    return real_io.open(folder, name, flags, mode);
}

/* A few records, while the first checkpoint cannot be written. Whether the ledger failed. */
static bool write_refused(int error)
{
    struct note_signer *signer = NULL;
    const char *why = "";
    struct ledger *ledger = open_ledger();
    ledger_io.open = refuse_checkpoints;
    checkpoints_refused = 1;
    refusal = error;
    assert_int_equal(signing_key_open(directory, "gw1", ledger, &signer, &why), ERR_OK);
    append_numbered(ledger, 5);
    settle_ledger(ledger);
    for (int i = 0; i < 300 && checkpoints_refused > 0; i++)
        usleep(10000);
    usleep(10000);
    bool failed = ledger_failed(ledger);
    ledger_close(ledger);
    note_signer_free(signer);
    return failed;
}

static void a_full_disk_only_puts_a_checkpoint_off(void **state)
{
    (void)state;
    struct verify_report report;
    assert_false(write_refused(ENOSPC));
    assert_int_equal(verify_with(NULL, span_of(NULL, 0), &report).count, 0);
    assert_int_equal(report.newest.size, 6);
}

static void a_disk_that_fails_ends_writing(void **state)
{
    (void)state;
    assert_true(write_refused(EIO));
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_sound_ledger_has_nothing_wrong),
        test(each_octet_that_changes_is_found),
        test(a_part_marked_as_erased_is_found),
        test(records_made_anew_are_found),
        test(a_ledger_shorter_than_its_checkpoint_is_not_opened),
        test(a_ledger_that_is_not_its_checkpoints_is_not_opened),
        test(a_witness_finds_a_ledger_made_anew),
        test(what_was_not_signed_by_the_trusted_key_is_found),
        test(a_key_takes_over_from_another),
        test(a_key_that_nobody_vouches_for_is_found),
        test(a_lost_key_is_not_replaced_in_silence),
        test(a_rotation_that_was_interrupted_does_no_harm),
        test(a_rotation_that_was_nearly_over_is_finished),
        test(files_that_are_gone_are_named),
        test(a_segment_with_zeros_behind_its_end_opens),
        test(proofs_from_files_hold),
        test(a_full_disk_only_puts_a_checkpoint_off),
        test(a_disk_that_fails_ends_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Retention by age: of a sealed segment what is no consent is reduced to hashes. Root, positions and proofs of all
 * that is left stay; what is missing is what was recorded; every octet and every failing call is met. */
#include "tests/unit/ledger_failing.h"

#include <errno.h>

#include "consent/ledger_checkpoint.h"
#include "consent/ledger_erase.h"
#include "consent/ledger_file.h"
#include "consent/ledger_filter.h"
#include "consent/ledger_nodes.h"
#include "consent/ledger_retention.h"
#include "consent/ledger_verify.h"
#include "gateway/signing_key.h"
#include "proto/event.pb-c.h"
#include "proto/pack.h"

#define FIRST_SEALED "ledger/00000000000000000001.sealed"
#define BEHIND       100 /* records of the second segment */
#define RECORDS      (LEDGER_SEGMENT_RECORDS + BEHIND)
#define OLD_MS       1600000000000
#define PERSON       12025550142

/* Which records are consent: those for which it gives true. The first one is the key's, which stays too. */
static bool (*is_consent)(uint64_t sequence);

static bool none(uint64_t sequence)
{
    return sequence == 1;
}

static bool all(uint64_t sequence)
{
    return sequence > 0;
}

/* Gaps of one record, of each power of two, at both ends of the segment, and uneven ones. */
static bool at_edges(uint64_t sequence)
{
    uint64_t place = sequence - 1;
    return place == 0 || place == 2 || place == 5 || (place & (place - 1)) == 0 ||
           (place > 40000 && place < 48000 && place % 2 == 0) || place == 50001 ||
           (place > 60000 && place < 60100);
}

static bool but_for_the_last(uint64_t sequence)
{
    return sequence < LEDGER_SEGMENT_RECORDS;
}

static bool only_the_last(uint64_t sequence)
{
    return sequence == 1 || sequence == LEDGER_SEGMENT_RECORDS;
}

static bool each_hundredth(uint64_t sequence)
{
    return sequence == 1 || sequence % 100 == 0;
}

/* Writing ------------------------------------------------------------------------------------- */

static void append(struct ledger *ledger, const Assent__V1__Event *event,
                   const Assent__V1__Personal *personal)
{
    uint8_t room[512], personal_room[256];
    struct span public_part, personal_part = {0};
    if (personal != NULL)
        assert_true(
            pack_message(&personal->base, personal_room, sizeof personal_room, &personal_part));
    assert_true(pack_message(&event->base, room, sizeof room, &public_part));
    ledger_append(ledger, public_part, personal_part);
}

static void append_event(struct ledger *ledger)
{
    uint64_t sequence = ledger_next(ledger);
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    Assent__V1__Accepted accepted = ASSENT__V1__ACCEPTED__INIT;
    Assent__V1__OptedOut opted_out = ASSENT__V1__OPTED_OUT__INIT;
    event.wall_ms = OLD_MS + sequence;
    personal.number = sequence % 1000 == 0 ? PERSON : 12025550000 + sequence % 100;
    if (is_consent(sequence)) {
        event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
        event.opted_out = &opted_out;
        personal.text = (char *)"STOP";
    } else {
        event.body_case = ASSENT__V1__EVENT__BODY_ACCEPTED;
        event.accepted = &accepted;
        personal.text = (char *)"seeds and bulbs";
    }
    append(ledger, &event, sequence % 3 == 0 ? NULL : &personal);
}

static void with_folder(enum err (*work)(int folder, uint64_t first, const char **ret_why),
                        uint64_t first)
{
    const char *why = "";
    int folder = folder_open(directory, "ledger", false), lock = segments_lock(folder);
    assert_true(folder >= 0 && lock >= 0);
    if (work(folder, first, &why) != ERR_OK)
        fail_msg("%s", why);
    segments_unlock(lock);
    close(folder);
}

static enum err seal(int folder, uint64_t first, const char **ret_why)
{
    return segment_store(folder, first, NULL, ret_why);
}

/* Signed, its first segment sealed. The checkpoint of `stop` records is kept. */
static void write_sealed(bool (*consent)(uint64_t sequence), uint64_t stop)
{
    const char *why = "";
    uint64_t ends[] = {stop, RECORDS};
    is_consent = consent;
    use_fast_io();
    for (unsigned i = 0; i < 2; i++) {
        struct note_signer *signer = NULL;
        struct ledger *ledger = open_ledger();
        if (signing_key_open(directory, "gw1", ledger, &signer, &why) != ERR_OK)
            fail_msg("%s", why);
        while (ledger_next(ledger) <= ends[i])
            append_event(ledger);
        settle_ledger(ledger);
        ledger_close(ledger);
        note_signer_free(signer);
    }
    with_folder(seal, 1);
}

static enum err next_plan(uint64_t before_ms, uint64_t before_record, struct retention_plan *plan)
{
    const char *why = "";
    struct retention_rule rule = {directory, before_ms, before_record};
    return retention_next(&rule, 1, plan, &why);
}

static void record_cut(const struct retention_plan *plan)
{
    struct note_signer *signer = NULL;
    const char *why = "";
    struct ledger *ledger = open_ledger();
    if (signing_key_open(directory, "gw1", ledger, &signer, &why) != ERR_OK)
        fail_msg("%s", why);
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__RecordsCut body = ASSENT__V1__RECORDS_CUT__INIT;
    struct digest digest = plan->digest;
    event.wall_ms = OLD_MS + 1000000;
    body.first = plan->first;
    body.last = plan->first + LEDGER_SEGMENT_RECORDS - 1;
    body.records = plan->records;
    body.sha256.data = digest.octets;
    body.sha256.len = DIGEST_SIZE;
    body.age_ms = 1000;
    body.newest_wall_ms = plan->newest_ms;
    event.body_case = ASSENT__V1__EVENT__BODY_RECORDS_CUT;
    event.records_cut = &body;
    append(ledger, &event, NULL);
    settle_ledger(ledger);
    ledger_close(ledger);
    note_signer_free(signer);
}

static struct retention_done cut(void)
{
    struct retention_done done = {0};
    const char *why = "";
    if (retention_cut_recorded(directory, &done, &why) != ERR_OK)
        fail_msg("%s", why);
    return done;
}

static uint64_t cut_all_that_is_old(void)
{
    struct retention_plan plan;
    assert_int_equal(next_plan(UINT64_MAX, UINT64_MAX, &plan), ERR_OK);
    assert_int_equal(plan.first, 1);
    record_cut(&plan);
    struct retention_done done = cut();
    assert_int_equal(done.segments, 1);
    assert_int_equal(done.records, plan.records);
    assert_int_equal(next_plan(UINT64_MAX, UINT64_MAX, &plan), ERR_NOT_FOUND);
    assert_int_equal(cut().segments, 0);
    return done.records;
}

/* Asking -------------------------------------------------------------------------------------- */

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

static uint64_t verify_with(struct span notes)
{
    const char *why = "";
    struct verify_order order = {
        .directory = directory, .notes = notes, .finding = see, .progress = no_progress};
    said[0] = '\0';
    if (ledger_verify(&order, &report, &why) != ERR_OK)
        fail_msg("%s", why);
    return report.findings;
}

static void assert_verifies(void)
{
    if (verify_with(span_of(NULL, 0)) != 0)
        fail_msg("%s", said);
}

/* That just the records that are no consent are gone, and all else can be read, from anywhere. */
static void assert_only_consent_stays(uint64_t from)
{
    struct ledger_record record;
    enum err err;
    uint64_t gone = 0, next = from;
    struct ledger_reader *reader = open_reader(from);
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK) {
        for (; next < record.sequence; next++, gone++)
            assert_true(next <= LEDGER_SEGMENT_RECORDS && !is_consent(next));
        assert_true(next > LEDGER_SEGMENT_RECORDS || is_consent(next));
        next++;
    }
    assert_int_equal(err, ERR_AGAIN);
    assert_true(next > RECORDS);
    assert_int_equal(ledger_reader_gone(reader), gone);
    assert_int_equal(ledger_reader_at(reader), next);
    ledger_reader_free(reader);
}

struct held {
    struct digest root, segment;
    struct proof proofs[4];
    struct digest leaves[4];
    struct proof grown; /* from the segment's end on */
};

static const uint64_t proved[] = {1, 2, 4097, LEDGER_SEGMENT_RECORDS};

static struct held hold(void)
{
    struct held held = {0};
    struct ledger_nodes *nodes;
    const char *why = "";
    if (ledger_nodes_open(directory, &nodes, &why) != ERR_OK)
        fail_msg("%s", why);
    struct tree_source source = ledger_nodes_source(nodes);
    assert_int_equal(proof_root(&source, RECORDS, &held.root), ERR_OK);
    assert_int_equal(source.perfect(source.context, SEGMENT_LEVEL, 0, &held.segment), ERR_OK);
    for (unsigned i = 0; i < 4; i++) {
        if (!is_consent(proved[i]))
            continue;
        uint64_t index = proved[i] - 1;
        assert_int_equal(source.perfect(source.context, 0, index, &held.leaves[i]), ERR_OK);
        assert_int_equal(proof_of_inclusion(&source, index, RECORDS, &held.proofs[i]), ERR_OK);
        assert_true(inclusion_holds(&held.proofs[i], index, RECORDS, &held.leaves[i], &held.root));
    }
    assert_int_equal(proof_of_consistency(&source, LEDGER_SEGMENT_RECORDS, RECORDS, &held.grown),
                     ERR_OK);
    assert_true(
        consistency_holds(&held.grown, LEDGER_SEGMENT_RECORDS, RECORDS, &held.segment, &held.root));
    ledger_nodes_free(nodes);
    return held;
}

/* The whole of it for one pattern. */
static void cut_and_look(bool (*consent)(uint64_t sequence))
{
    write_sealed(consent, 1);
    uint64_t goes = 0;
    for (uint64_t i = 1; i <= LEDGER_SEGMENT_RECORDS; i++)
        goes += !consent(i);
    struct held before = hold();
    assert_int_equal(cut_all_that_is_old(), goes);
    struct held after = hold();
    assert_memory_equal(&before, &after, sizeof before);
    assert_verifies();
    assert_int_equal(report.cut, goes);
    assert_int_equal(report.segments_cut, 1);
    assert_int_equal(report.records + report.cut, report.newest.size);
    assert_only_consent_stays(1);
    assert_only_consent_stays(4000);
    assert_only_consent_stays(LEDGER_SEGMENT_RECORDS);
    ledger_close(open_ledger()); /* and is written on */
}

static void a_segment_without_consent_is_a_few_hashes(void **state)
{
    (void)state;
    size_t size;
    cut_and_look(none);
    free(load(FIRST_SEALED, &size));
    assert_in_range(size, 300, 1500);
}

static void one_that_is_all_consent_stays(void **state)
{
    (void)state;
    struct retention_plan plan;
    write_sealed(all, 1);
    assert_int_equal(next_plan(UINT64_MAX, UINT64_MAX, &plan), ERR_NOT_FOUND);
    assert_verifies();
}

static void gaps_of_every_size_keep_the_root(void **state)
{
    (void)state;
    cut_and_look(at_edges);
}

static void one_record_goes_at_the_end(void **state)
{
    (void)state;
    cut_and_look(but_for_the_last);
}

static void all_but_the_ends_go(void **state)
{
    (void)state;
    cut_and_look(only_the_last);
}

/* By the tree's own nodes: every gap that a segment can begin or end with, and some in its middle. */
static void a_gap_is_the_tree_of_its_leaves(void **state)
{
    (void)state;
    static struct gap_builder builder;
    uint8_t octets[GAP_SIZE_MAX];
    struct gap gap;
    for (uint32_t from = 0; from < 70; from += from < 40 ? 1 : 7) {
        for (uint32_t count = 1; count < 140; count += count < 66 ? 1 : 13) {
            struct tree whole, parts;
            uint64_t first = LEDGER_SEGMENT_RECORDS * 5ull + 1 + from;
            tree_reset(&whole);
            tree_reset(&parts);
            gap_begin(&builder, first);
            for (uint32_t i = 0; i < from + count + 3; i++) {
                struct digest leaf = sha256(span_of(&i, sizeof i));
                tree_add(&whole, &leaf);
                if (i >= from && i < from + count)
                    gap_add(&builder, &leaf);
                if (i + 1 == from + count) {
                    assert_int_equal(builder.count, gap_node_count(first, count));
                    gap_encode(first, count, builder.nodes, octets);
                    size_t size = gap_size(first, count);
                    assert_int_equal(gap_decode(span_of(octets, size), first, &gap), RECORD_OK);
                    assert_int_equal(gap.records, count);
                    assert_int_equal(gap_decode(span_of(octets, size - 1), first, &gap),
                                     RECORD_SHORT);
                    assert_int_equal(
                        gap_decode(span_of(octets, size), first + 1, &gap) == RECORD_OK, false);
                    octets[size / 2] ^= 4;
                    assert_int_not_equal(gap_decode(span_of(octets, size), first, &gap), RECORD_OK);
                    octets[size / 2] ^= 4;
                    assert_int_equal(gap_decode(span_of(octets, size), first, &gap), RECORD_OK);
                    tree_add_gap(&parts, &gap);
                } else if (i < from || i > from + count - 1) {
                    tree_add(&parts, &leaf);
                }
            }
            struct digest a = tree_root(&whole), b = tree_root(&parts);
            assert_memory_equal(a.octets, b.octets, DIGEST_SIZE);
        }
    }
    assert_false(gap_fits(1, 0));
    assert_false(gap_fits(0, 1));
    assert_true(gap_fits(1, LEDGER_SEGMENT_RECORDS));
    assert_false(gap_fits(2, LEDGER_SEGMENT_RECORDS));
    assert_int_equal(gap_node_count(1, LEDGER_SEGMENT_RECORDS), 1);
    assert_int_equal(gap_node_count(2, LEDGER_SEGMENT_RECORDS - 2), GAP_NODES_MAX);
}

/* The rule --------------------------------------------------------------------------------------- */

static void only_what_is_old_and_not_needed_is_planned(void **state)
{
    (void)state;
    struct retention_plan plan;
    write_sealed(each_hundredth, 1);
    assert_int_equal(next_plan(UINT64_MAX, UINT64_MAX, &plan), ERR_OK);
    uint64_t newest_ms = plan.newest_ms; /* the key's record is of today */
    assert_int_equal(next_plan(newest_ms, UINT64_MAX, &plan), ERR_NOT_FOUND);
    assert_int_equal(next_plan(newest_ms + 1, LEDGER_SEGMENT_RECORDS, &plan), ERR_NOT_FOUND);
    assert_int_equal(next_plan(newest_ms + 1, LEDGER_SEGMENT_RECORDS + 1, &plan), ERR_OK);
    assert_int_equal(plan.newest_ms, newest_ms);
    assert_int_equal(plan.records, LEDGER_SEGMENT_RECORDS - LEDGER_SEGMENT_RECORDS / 100 - 1);
    assert_int_equal(cut().segments, 0); /* nothing is recorded: nothing goes */
    assert_only_consent_stays(LEDGER_SEGMENT_RECORDS + 1);
    assert_verifies();
    assert_int_equal(report.cut, 0);
}

/* What is not known stays. */
static void kinds_are_chosen_by_a_table(void **state)
{
    (void)state;
    static const uint32_t stays[] = {30, 31, 32, 33, 34, 35, 36, 42, 43, 45, 47, 48, 49,
                                     50, 54, 56, 57, 61, 62, 80, 81, 84, 85, 86, 100};
    static const uint32_t goes[] = {10, 11, 12, 13, 14, 15, 16, 17, 52, 55};
    for (unsigned list = 0; list < 2; list++) {
        size_t count = list ? sizeof goes / sizeof goes[0] : sizeof stays / sizeof stays[0];
        for (size_t i = 0; i < count; i++) {
            uint32_t tag = (list ? goes[i] : stays[i]) << 3 | 2;
            uint8_t part[] = {8, 1, (uint8_t)(tag | 0x80), (uint8_t)(tag >> 7), 0};
            assert_int_equal(retention_takes(span_of(part, sizeof part)), list);
        }
    }
    assert_false(retention_takes(span_of("no event", 8)));
    assert_false(retention_takes(span_of(NULL, 0)));
}

/* Verification ------------------------------------------------------------------------------- */

static void what_no_record_explains_is_named(void **state)
{
    (void)state;
    struct retention_plan plan;
    const char *why = "";
    write_sealed(at_edges, 1);
    assert_int_equal(next_plan(UINT64_MAX, UINT64_MAX, &plan), ERR_OK);
    int folder = folder_open(directory, "ledger", false), lock = segments_lock(folder);
    assert_int_equal(segment_cut(folder, 1, &plan.cut, &why), ERR_OK);
    assert_int_equal(verify_with(span_of(NULL, 0)), 1);
    assert_non_null(strstr(said, "records 4, 7 to 8, 10 to 16, 18 to 32, "));
    assert_non_null(strstr(said, "are missing, and no record says why"));
    assert_int_equal(report.cut, 0);
    record_cut(&plan); /* too late, but it says so */
    assert_verifies();

    plan.cut.gone[50001 / 8] |= 1u << 50001 % 8; /* one more: an opt-out */
    assert_int_equal(segment_cut(folder, 1, &plan.cut, &why), ERR_OK);
    assert_int_equal(verify_with(span_of(NULL, 0)), 1);
    assert_non_null(strstr(said, "has others taken"));
    segments_unlock(lock);
    close(folder);
}

static void each_changed_octet_is_found(void **state)
{
    (void)state;
    size_t size;
    write_sealed(each_hundredth, 1);
    cut_all_that_is_old();
    free(load(FIRST_SEALED, &size));
    for (size_t at = 0; at < size; at += at < 200 || at + 200 > size ? 1 : size / 60 + at % 3) {
        flip(FIRST_SEALED, at, (uint8_t)(1 << at % 8));
        if (verify_with(span_of(NULL, 0)) == 0)
            fail_msg("octet %zu of %zu", at, size);
        assert_non_null(strstr(said, "00000000000000000001.sealed"));
        flip(FIRST_SEALED, at, (uint8_t)(1 << at % 8));
    }
    assert_verifies();
}

static void every_octet_of_a_small_one_is_found(void **state)
{
    (void)state;
    size_t size;
    write_sealed(only_the_last, 1);
    cut_all_that_is_old();
    free(load(FIRST_SEALED, &size));
    for (size_t at = 0; at < size; at++) {
        flip(FIRST_SEALED, at, (uint8_t)(1 << at % 8));
        if (verify_with(span_of(NULL, 0)) == 0)
            fail_msg("octet %zu of %zu", at, size);
        flip(FIRST_SEALED, at, (uint8_t)(1 << at % 8));
    }
    assert_verifies();
}

/* One that is kept can still be held against the records, and be proved from; one from elsewhere that ends among
 * records which are gone says nothing, and is counted. */
static void checkpoints_that_are_kept_hold(void **state)
{
    (void)state;
    char inside[NOTE_SIZE], kept[NOTE_SIZE];
    size_t inside_length, length;
    struct checkpoint checkpoint, newest;
    struct ledger_nodes *nodes;
    struct proof proof;
    struct digest root;
    const char *why = "";
    write_sealed(none, 30001);
    int folder = folder_open(directory, CHECKPOINT_FOLDER, false);
    assert_int_equal(checkpoint_load(folder, 30001, kept, &length, &checkpoint), ERR_OK);
    close(folder);
    cut_all_that_is_old();
    assert_verifies();
    assert_int_equal(report.inside, 0);
    assert_true(report.checkpoints >= 2);
    assert_int_equal(checkpoint_newest(directory, inside, &inside_length, &newest), ERR_OK);
    assert_int_equal(ledger_nodes_open(directory, &nodes, &why), ERR_OK);
    struct tree_source source = ledger_nodes_source(nodes);
    assert_int_equal(proof_root(&source, 30001, &root), ERR_OK);
    assert_memory_equal(root.octets, checkpoint.root.octets, DIGEST_SIZE);
    assert_int_equal(proof_of_consistency(&source, 30001, newest.size, &proof), ERR_OK);
    assert_true(consistency_holds(&proof, 30001, newest.size, &root, &newest.root));
    assert_int_equal(proof_root(&source, 20001, &root), ERR_NOT_FOUND);
    assert_non_null(strstr(ledger_nodes_why(nodes), "are kept as hashes alone, by retention"));
    ledger_nodes_free(nodes);
}

static void a_foreign_checkpoint_inside_is_counted(void **state)
{
    (void)state;
    char kept[NOTE_SIZE], name[FILE_NAME_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    write_sealed(none, 30001);
    int folder = folder_open(directory, CHECKPOINT_FOLDER, false);
    assert_int_equal(checkpoint_load(folder, 30001, kept, &length, &checkpoint), ERR_OK);
    assert_int_equal(unlinkat(folder, file_name(name, 30001, CHECKPOINT_SUFFIX), 0), 0);
    close(folder);
    cut_all_that_is_old();
    assert_int_equal(verify_with(span_of(kept, length)), 0);
    assert_int_equal(report.inside, 1);
}

/* Together with erasure ------------------------------------------------------------------------- */

static uint64_t found[256];
static size_t found_count;

static bool take(void *context, uint64_t sequence)
{
    (void)context;
    assert_true(found_count < 256);
    found[found_count++] = sequence;
    return true;
}

static void progress(void *context, uint64_t records)
{
    (void)context, (void)records;
}

static void find_person(void)
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

static void record_erasure(void)
{
    uint64_t steps[256], before = 0;
    for (size_t i = 0; i < found_count; i++) {
        steps[i] = found[i] - before;
        before = found[i];
    }
    struct ledger *ledger = open_ledger();
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__ErasedRecords records = ASSENT__V1__ERASED_RECORDS__INIT;
    Assent__V1__ErasureDone done = ASSENT__V1__ERASURE_DONE__INIT;
    event.wall_ms = OLD_MS + RECORDS;
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

static void what_is_erased_stays_so(void **state)
{
    (void)state;
    const char *why = "";
    uint64_t destroyed = 0, kept = 0;
    for (unsigned cut_first = 0; cut_first < 2; cut_first++) {
        if (cut_first) {
            teardown(NULL);
            setup(NULL);
        }
        write_sealed(each_hundredth, 1);
        if (cut_first)
            cut_all_that_is_old();
        find_person();
        assert_true(found_count > 40);
        record_erasure();
        assert_int_equal(ledger_erase(directory, found, found_count, &destroyed, &why), ERR_OK);
        assert_int_equal(destroyed, found_count);
        if (!cut_first)
            cut_all_that_is_old();
        assert_verifies();
        find_person();
        assert_int_equal(found_count, 0);
        assert_true(report.cut > 60000);
        assert_true(!cut_first || report.destroyed == kept);
        kept = report.destroyed;
    }
}

/* An erasure may have named what retention takes later: it does not come back by that. */
static void what_was_erased_and_is_gone_has_not_come_back(void **state)
{
    (void)state;
    const char *why = "";
    uint64_t destroyed = 0;
    write_sealed(none, 1);
    find_person();
    assert_true(found_count > 40);
    record_erasure();
    assert_int_equal(ledger_erase(directory, found, found_count, &destroyed, &why), ERR_OK);
    cut_all_that_is_old();
    assert_verifies();
    assert_int_equal(report.erasures, 1);
    assert_int_equal(report.destroyed, 0);
    assert_int_equal(ledger_erase(directory, found, found_count, &destroyed, &why), ERR_OK);
    assert_int_equal(destroyed, 0);
    assert_verifies();
}

/* Looking up ---------------------------------------------------------------------------------- */

static void the_index_names_what_is_left(void **state)
{
    (void)state;
    struct ledger_record record;
    uint64_t count = 0;
    enum err err;
    write_sealed(each_hundredth, 1);
    cut_all_that_is_old();
    struct ledger_filter *filter = ledger_filter_new();
    struct ledger_reader *reader = open_reader(1);
    ledger_filter_number(filter, PERSON);
    ledger_filter_message(filter, 4242); /* gone */
    ledger_reader_only(reader, filter);
    while ((err = ledger_reader_next(reader, LEDGER_SEGMENT_RECORDS + 1, &record)) == ERR_OK) {
        assert_true(record.sequence % 1000 == 0);
        count++;
    }
    assert_int_equal(err, ERR_AGAIN);
    assert_true(count > 40);
    ledger_reader_free(reader);
    ledger_filter_free(filter);
}

static void who_reads_meanwhile_reads_on(void **state)
{
    (void)state;
    enum err err;
    struct ledger_record record;
    uint64_t next = 1;
    write_sealed(each_hundredth, 1);
    struct ledger_reader *reader = open_reader(1);
    for (; next <= 10; next++)
        assert_int_equal(ledger_reader_next(reader, UINT64_MAX, &record), ERR_OK);
    cut_all_that_is_old();
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK)
        assert_int_equal(record.sequence, next++);
    assert_int_equal(err, ERR_AGAIN);
    assert_true(next > RECORDS);
    ledger_reader_free(reader);
}

/* Of a ledger that was written before: a program that knows no gaps refuses the file by its flag. */
static void a_cut_segment_says_that_it_is_one(void **state)
{
    (void)state;
    size_t size;
    struct file_head head;
    write_sealed(each_hundredth, 1);
    uint8_t *octets = load(FIRST_SEALED, &size);
    assert_int_equal(file_head_decode(span_of(octets, size), FILE_SEALED, &head), ERR_OK);
    assert_int_equal(head.flags, 0);
    free(octets);
    cut_all_that_is_old();
    octets = load(FIRST_SEALED, &size);
    assert_int_equal(file_head_decode(span_of(octets, size), FILE_SEALED, &head), ERR_OK);
    assert_int_equal(head.flags, FILE_HAS_GAPS);
    free(octets);
}

/* Every call failing --------------------------------------------------------------------------- */

static void any_call_may_fail(void **state)
{
    (void)state;
    struct retention_plan plan;
    struct retention_done done;
    size_t size;
    const char *why = "";
    write_sealed(each_hundredth, 1);
    assert_int_equal(next_plan(UINT64_MAX, UINT64_MAX, &plan), ERR_OK);
    record_cut(&plan);
    uint8_t *older = load(FIRST_SEALED, &size);
    fail_call(0, 0, 0);
    assert_int_equal(cut().segments, 1);
    int total = failing.calls;
    assert_in_range(total, 8, 60);
    for (int at = 1; at <= 2 * total; at++) {
        store(FIRST_SEALED, older, size);
        if (at % total > 5 && at % total + 10 < total && at % 4 != 0)
            continue; /* one of the blocks, or of the index */
        fail_call(1 + (at - 1) % total, at > total ? FAILS_ON : FAILS_ONCE, problem_of(at));
        assert_int_not_equal(retention_cut_recorded(directory, &done, &why), ERR_OK);
        assert_true(strlen(why) > 0);
        fail_call(0, 0, 0);
        assert_verifies(); /* before it, or after it */
        ledger_close(open_ledger());
        assert_true(cut().segments <= 1);
        assert_verifies();
        assert_int_equal(report.cut, plan.records);
        assert_only_consent_stays(1);
    }
    free(older);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_gap_is_the_tree_of_its_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_without_consent_is_a_few_hashes, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_all_consent_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(gaps_of_every_size_keep_the_root, setup, teardown),
        cmocka_unit_test_setup_teardown(one_record_goes_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(all_but_the_ends_go, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_old_and_not_needed_is_planned, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(kinds_are_chosen_by_a_table, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_record_explains_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(each_changed_octet_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(every_octet_of_a_small_one_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(checkpoints_that_are_kept_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_checkpoint_inside_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_erased_stays_so, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_erased_and_is_gone_has_not_come_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_index_names_what_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(who_reads_meanwhile_reads_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_segment_says_that_it_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(any_call_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

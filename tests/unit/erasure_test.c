/* SPDX-License-Identifier: Apache-2.0 */
/* Erasure of a person through the engine: the order of its steps, what is refused, what a restart in between
 * makes of it. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/person.h"
#include "gateway/engine_state.h"

#define PERSON 12025550147u

static struct world w;

static void begin(void)
{
    world_init(&w);
    w.next_scope = SCOPES_RESERVED;
    world_start(&w);
    world_settle(&w);
}

static void erase(uint16_t client, const char *number, const char *request)
{
    Assent__V1__EraseRequest in = ASSENT__V1__ERASE_REQUEST__INIT;
    in.number = (char *)(uintptr_t)number;
    in.request = (char *)(uintptr_t)request;
    engine_erase(w.engine, client, 1, &in, w.now);
}

static Assent__V1__Event *event_at(uint64_t sequence)
{
    const struct world_record *r = &w.records[sequence];
    return assent__v1__event__unpack(NULL, r->public_length, r->octets);
}

static unsigned count_of(Assent__V1__Event__BodyCase body, uint64_t *ret_last)
{
    unsigned count = 0;
    for (uint64_t i = 1; i < w.next; i++) {
        Assent__V1__Event *event = event_at(i);
        if (event->body_case == body) {
            count++;
            *ret_last = i;
        }
        assent__v1__event__free_unpacked(event, NULL);
    }
    return count;
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t client;
        const char *number, *request;
        Assent__V1__Code code;
    } rows[] = {
        {0, "12025550147", "r1", ASSENT__V1__CODE__CODE_PERMISSION_DENIED},
        {CLIENT_OPERATOR, "1202", "r1", ASSENT__V1__CODE__CODE_INVALID_ARGUMENT},
        {CLIENT_OPERATOR, "12025550147", "", ASSENT__V1__CODE__CODE_INVALID_ARGUMENT},
        {CLIENT_OPERATOR, "12025550147", "of 1202-555-0147",
         ASSENT__V1__CODE__CODE_INVALID_ARGUMENT},
        {CLIENT_OPERATOR, "12025550147", "a\nb", ASSENT__V1__CODE__CODE_INVALID_ARGUMENT},
        {CLIENT_OPERATOR, "12025550147", "12345678901234567890123456789012345678901",
         ASSENT__V1__CODE__CODE_INVALID_ARGUMENT},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        erase(rows[i].client, rows[i].number, rows[i].request);
        assert_int_equal(w.consent_code, rows[i].code);
    }
    w.state.opted_out[0] = true; /* a hold */
    erase(CLIENT_OPERATOR, "12025550147", "r1");
    world_settle(&w);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    w.state.opted_out[0] = false;
    char number[16];
    for (unsigned i = 0; i < ERASURES_MAX; i++) {
        snprintf(number, sizeof number, "1202555%04u", i);
        erase(CLIENT_OPERATOR, number, "r1");
    }
    erase(CLIENT_OPERATOR, "12025550147", "r1");
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    world_release(&w);
}

static void import(const Assent__V1__ImportRequest *request, Assent__V1__ImportReply *ret_reply)
{
    struct arena arena;
    uint64_t ready_at;
    arena_init(&arena, 1 << 16);
    assert_true(
        engine_import(w.engine, CLIENT_OPERATOR, request, w.now, &arena, ret_reply, &ready_at));
    assert_int_equal(ret_reply->code, ASSENT__V1__CODE__CODE_OK);
    arena_release(&arena);
}

/* Of a list, after the question and before the erasure is recorded, which would destroy the hold's own record. */
static Assent__V1__Code erase_with_a_hold_on(uint64_t number)
{
    uint64_t at = 0;
    uint8_t digest[32] = {1};
    Assent__V1__ImportReply reply = ASSENT__V1__IMPORT_REPLY__INIT;
    Assent__V1__ImportRequest first = ASSENT__V1__IMPORT_REQUEST__INIT;
    first.kind = ASSENT__V1__IMPORT_KIND__IMPORT_LITIGATORS;
    first.file = (char *)(uintptr_t) "litigators.csv";
    first.sha256 = (ProtobufCBinaryData){sizeof digest, digest};
    begin();
    import(&first, &reply);
    Assent__V1__ImportRequest row = ASSENT__V1__IMPORT_REQUEST__INIT;
    row.import = reply.import;
    row.first_row = 2;
    row.numbers = &number;
    row.n_numbers = 1;
    erase(CLIENT_OPERATOR, "12025550147", "r1");
    assert_int_equal(w.lookup_count, 1);
    w.lookup_count = 0;
    engine_on_looked_up(w.engine, w.lookups[0], true, &w.state, w.now);
    import(&row, &reply);
    world_settle(&w);
    Assent__V1__Code code = w.consent_code;
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPTED_OUT, &at), 1);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &at),
                     code == ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
    return code;
}

static void a_hold_that_comes_meanwhile(void **state)
{
    (void)state;
    assert_int_equal(erase_with_a_hold_on(PERSON), ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    assert_int_equal(erase_with_a_hold_on(PERSON + 1), ASSENT__V1__CODE__CODE_OK);
}

static void so_many_are_remembered(void **state)
{
    (void)state;
    begin();
    struct person_mark person = {.high = 0};
    for (person.low = 1; person.low < ERASED_PEOPLE_MAX; person.low++)
        erased_people_note(w.engine, &person, 1);
    erase(CLIENT_OPERATOR, "12025550147", "r1");
    assert_int_equal(w.lookup_count, 1); /* taken */
    erased_people_note(w.engine, &person, 1);
    erase(CLIENT_OPERATOR, "12025550148", "r1");
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(w.lookup_count, 1);
    world_release(&w);
}

static bool keep_none(void *context, struct span public_part, struct span personal_part)
{
    Assent__V1__Personal *personal =
        assent__v1__personal__unpack(NULL, personal_part.length, personal_part.data);
    bool *found = context;
    (void)public_part;
    *found = *found || personal->number == PERSON;
    assent__v1__personal__free_unpacked(personal, NULL);
    return true;
}

static void from_the_call_to_the_end(void **state)
{
    (void)state;
    uint64_t at = 0, erased, records[3];
    struct submit_verdict verdict;
    begin();
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, "12025550147", "Your parcel");
    message.send_at_wall_ms = w.now.wall_ms + 3600000;
    verdict = world_submit(&w, 0, &message);
    world_settle(&w);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    erase(CLIENT_OPERATOR, "12025550147", "r1");
    verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_UNAVAILABLE); /* nothing new meanwhile */
    assert_int_equal(w.lookup_count, 1); /* no hold; then, an opt-out's fingerprint */
    w.lookup_count = 0;
    engine_on_looked_up(w.engine, w.lookups[0], true, &w.state, w.now);
    w.state.opted_out[1] = true;
    world_settle(&w);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ENDED, &at), 1);
    Assent__V1__Event *ended = event_at(at);
    assert_int_equal(ended->ended->outcome, ASSENT__V1__OUTCOME__CANCELLED);
    assert_int_equal(ended->ended->reason, ASSENT__V1__REASON__ERASURE);
    assent__v1__event__free_unpacked(ended, NULL);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &erased), 1);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED_RECORDS, &at), 1); /* what stays */
    struct person_mark person = person_mark(PERSON);
    assert_int_equal(w.last_write.kind, WRITE_ERASED);
    assert_true(person_mark_equal(&w.last_write.erased.person, &person));
    assert_true(w.last_write.erased.kept);
    assert_string_equal(w.last_write.erased.request, "r1");

    /* Redis keeps the fingerprint; the files are asked; what they say is recorded before it is destroyed. */
    world_pass(&w, 20);
    world_pass(&w, 20);
    assert_true(person_is(&w.sought.person, PERSON));
    assert_int_equal(w.sought.until, erased + 1);
    records[0] = verdict.id != 0 ? verdict.id : 1;
    records[1] = erased;
    engine_on_erasure_found(w.engine, false, NULL, 0, w.now); /* the files cannot be read: again */
    w.sought.until = 0;
    world_pass(&w, ERASURE_RETRY_MS - 100);
    assert_int_equal(w.sought.until, 0);
    world_pass(&w, 200);
    assert_int_equal(w.sought.until, erased + 1);
    engine_on_erasure_found(w.engine, true, records, 2, w.now);
    assert_int_equal(w.destroying, 0);
    engine_turn(w.engine, w.now);
    assert_int_equal(w.destroying, 0); /* not durable yet */
    world_pass(&w, 20);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED_RECORDS, &at), 2);
    world_pass(&w, 20);
    assert_int_equal(w.destroying, 2);
    assert_int_equal(w.destroyed[1], erased);
    bool found = false;
    assert_true(engine_snapshot(w.engine, w.now, keep_none, &found));
    assert_false(found);
    engine_on_erasure_destroyed(w.engine, true, 1, w.now);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASURE_DONE, &at), 1);
    verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

/* Now: Redis tells of it, and whether an opt-out's fingerprint stands there. */
static void erased_elsewhere(bool kept)
{
    w.erased[0] = (struct erased_fact){.person = person_mark(PERSON),
                                       .wall_ms = w.now.wall_ms,
                                       .place = 3,
                                       .places = 16,
                                       .kept = kept,
                                       .request = "r2"};
    w.erased_count = 1;
}

static uint64_t asked_wall_ms(uint64_t sequence)
{
    Assent__V1__Event *event = event_at(sequence);
    uint64_t asked = event->erased->asked_wall_ms;
    assent__v1__event__free_unpacked(event, NULL);
    return asked;
}

/* Another gateway was asked: what waits ends here too, Redis is not written to but for what stays, and the files give
 * what is older than that. It is joined once. */
static void who_was_erased_elsewhere(void **state)
{
    (void)state;
    uint64_t at = 0, erased, record = 1;
    begin();
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, "12025550147", "Your parcel");
    message.send_at_wall_ms = w.now.wall_ms + 3600000;
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    uint64_t asked_ms = w.now.wall_ms;
    erased_elsewhere(true);
    world_pass(&w, ERASED_EVERY_MS + 20);
    world_pass(&w, 20);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ENDED, &at), 1);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &erased), 1);
    assert_int_equal(asked_wall_ms(erased), asked_ms);
    assert_int_equal(w.last_write.kind, WRITE_ERASED);
    assert_true(w.last_write.erased.kept);
    assert_int_equal(w.last_write.erased.place, 3);
    assert_int_equal(w.last_write.erased.wall_ms, asked_ms);
    assert_true(person_is(&w.sought.person, PERSON));
    assert_int_equal(w.sought.until_wall_ms, asked_ms);
    engine_on_erasure_found(w.engine, true, &record, 1, w.now);
    world_pass(&w, 20);
    world_pass(&w, 20);
    assert_int_equal(w.destroying, 1);
    engine_on_erasure_destroyed(w.engine, true, 1, w.now);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASURE_DONE, &at), 1);
    world_pass(&w, 10 * ERASED_EVERY_MS);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &at), 1);
    w.erased[0].wall_ms++; /* a later one is another */
    world_pass(&w, 2000);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &at), 1);
    w.erased[1] = w.erased[0];
    w.erased_count = 2;
    world_pass(&w, 2 * ERASED_EVERY_MS);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &at), 2);
    world_release(&w);
}

static bool look_for_people(void *context, struct span public_part, struct span personal_part)
{
    Assent__V1__Event *event =
        assent__v1__event__unpack(NULL, public_part.length, public_part.data);
    bool *seen = context;
    (void)personal_part;
    *seen = *seen || (event->body_case == ASSENT__V1__EVENT__BODY_SEEN_ERASED &&
                      event->seen_erased->n_people > 0);
    assent__v1__event__free_unpacked(event, NULL);
    return true;
}

static bool snapshot_knows_people(void)
{
    bool seen = false;
    assert_true(engine_snapshot(w.engine, w.now, look_for_people, &seen));
    return seen;
}

/* It waits for what is on the wire: a snapshot from before its record must not say that it is known. */
static void who_is_joined_is_known_when_it_is_recorded(void **state)
{
    (void)state;
    uint64_t at = 0;
    begin();
    w.silent = true;
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__OTP, "12025550147", "code 123456");
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    assert_int_equal(w.submit_count, 1);
    erased_elsewhere(false);
    world_pass(&w, 2 * ERASED_EVERY_MS);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &at), 0);
    assert_false(snapshot_knows_people());
    struct pdu_header header = {.command_id = SMPP_SUBMIT_SM,
                                .sequence_number = w.submits[0].sequence_number};
    session_respond(w.peers[w.submits[0].link], &header, ESME_RSYSERR, (struct span){0});
    world_pass(&w, 2 * ERASED_EVERY_MS);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &at), 1);
    assert_true(snapshot_knows_people());
    world_release(&w);
}

/* The records are named and maybe half destroyed: they are destroyed again, with what is found beside them. */
static void a_restart_goes_on(void **state)
{
    (void)state;
    uint64_t erased, at, records[2];
    begin();
    erase(CLIENT_OPERATOR, "12025550147", "r1");
    for (unsigned i = 0; i < 4; i++)
        world_pass(&w, 20);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, &erased), 1);
    records[0] = 1, records[1] = erased;
    engine_on_erasure_found(w.engine, true, records, 2, w.now);
    world_settle(&w);
    w.records[erased].personal_length = 0; /* it was destroyed, and the number with it */
    w.destroying = 0;
    world_stop(&w);
    world_start(&w);
    for (unsigned i = 0; i < 4; i++)
        world_pass(&w, 20);
    assert_true(person_is(&w.sought.person, PERSON));
    engine_on_erasure_found(w.engine, true, (uint64_t[]){2}, 1, w.now);
    world_pass(&w, 20);
    world_pass(&w, 20);
    assert_int_equal(w.destroying, 3);
    engine_on_erasure_destroyed(w.engine, true, 1, w.now);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASURE_DONE, &at), 1);
    world_release(&w);
}

static bool has_written(enum consent_write_kind kind)
{
    return (w.written & 1u << kind) != 0;
}

static void erase_for_good(uint64_t *ret_erased)
{
    uint64_t at;
    begin();
    erase(CLIENT_OPERATOR, "12025550147", "r1");
    for (unsigned i = 0; i < 4; i++)
        world_pass(&w, 20);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED, ret_erased), 1);
    engine_on_erasure_found(w.engine, true, ret_erased, 1, w.now);
    world_pass(&w, 20);
    world_pass(&w, 20);
    w.records[*ret_erased].personal_length = 0;
    engine_on_erasure_destroyed(w.engine, true, 1, w.now);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASURE_DONE, &at), 1);
}

static void an_older_redis_is_searched(void **state)
{
    (void)state;
    enum { NOTHING, ITS_RECORD_BEFORE, ITS_RECORD, ALL };
    static const bool writes[] = {true, true, true, false},
                      searches[] = {false, true, false, false};
    for (unsigned i = NOTHING; i <= ALL; i++) {
        uint64_t erased;
        erase_for_good(&erased);
        assert_true(has_written(WRITE_ERASED) && !w.last_write.search);
        engine_on_store_down(w.engine, "away");
        w.written = 0;
        engine_on_store_up(w.engine, (uint64_t[]){0, erased - 1, erased, w.next - 1}[i]);
        world_settle(&w);
        assert_int_equal(has_written(WRITE_ERASED), writes[i]);
        assert_int_equal(has_written(WRITE_ERASED) && w.last_write.search, searches[i]);
        world_release(&w);
    }
}

/* Redis went back, and took the erasure of another gateway before our opt-out came there again: it keeps nothing. The
 * opt-out is not written, and the gate stays shut until its fingerprint is. */
static void an_opt_out_that_redis_lost_stays(void **state)
{
    (void)state;
    uint64_t at = 0, place = 0, gate = 0;
    begin();
    Assent__V1__OptOutRequest in = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    in.number = (char[]){"12025550147"};
    in.program = (char[]){"login"};
    in.source = (char[]){"call"};
    engine_opt_out(w.engine, CLIENT_OPERATOR, 1, &in, w.now);
    world_settle(&w);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_OPTED_OUT, &at), 1);
    world_pass(&w, 2 * ERASED_EVERY_MS);
    engine_on_store_down(w.engine, "away");
    erased_elsewhere(false);
    w.written = 0;
    engine_on_store_up(w.engine, 0);
    for (unsigned i = 0; i < 4; i++)
        world_pass(&w, 20);
    assert_int_equal(count_of(ASSENT__V1__EVENT__BODY_ERASED_RECORDS, &place), 1);
    assert_true(count_of(ASSENT__V1__EVENT__BODY_GATE_STATE, &gate) > 0 && gate > place);
    assert_true(gate_is_open(w.engine) && !has_written(WRITE_OPT_OUT));
    assert_true(w.last_write.kind == WRITE_ERASED && w.last_write.erased.kept);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(a_hold_that_comes_meanwhile),
        cmocka_unit_test(so_many_are_remembered),
        cmocka_unit_test(from_the_call_to_the_end),
        cmocka_unit_test(who_was_erased_elsewhere),
        cmocka_unit_test(who_is_joined_is_known_when_it_is_recorded),
        cmocka_unit_test(a_restart_goes_on),
        cmocka_unit_test(an_older_redis_is_searched),
        cmocka_unit_test(an_opt_out_that_redis_lost_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

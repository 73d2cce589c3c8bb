/* SPDX-License-Identifier: Apache-2.0 */
/* Complaints: the number is suppressed before anything is answered, what a resolution needs and may release, due
 * times, restarts and snapshots, and limits. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "gateway/complaint.h"

#define NUMBER "12025550123"
#define OTHER  "12025550124"
#define HOUR   (3600ull * 1000)

static struct world w;

static void begin(void)
{
    world_init(&w);
    w.config.complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_SUPPORT] = 72 * HOUR;
    w.config.complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_CARRIER] = 24 * HOUR;
    w.added = true;
    w.state = (struct consent_state){0};
    world_start(&w);
    world_pass(&w, 2000);
}

static Assent__V1__ComplaintRequest about(const char *number)
{
    Assent__V1__ComplaintRequest request = ASSENT__V1__COMPLAINT_REQUEST__INIT;
    request.number = (char *)(uintptr_t)number;
    request.channel = ASSENT__V1__COMPLAINT_CHANNEL__VIA_SUPPORT;
    request.type = ASSENT__V1__COMPLAINT_TYPE__SPAM;
    request.words = (char *)"I never asked for this";
    request.who = (char *)"mara";
    return request;
}

static Assent__V1__Code complain(const Assent__V1__ComplaintRequest *request)
{
    unsigned replies = w.complaint_replies;
    engine_complain(w.engine, CLIENT_OPERATOR, 1, request, w.now);
    world_settle(&w);
    assert_int_equal(w.complaint_replies, replies + 1);
    return w.complaint.code;
}

static uint64_t open_one(const char *number)
{
    Assent__V1__ComplaintRequest request = about(number);
    assert_int_equal(complain(&request), ASSENT__V1__CODE__CODE_OK);
    return w.complaint.complaint;
}

static Assent__V1__ComplaintRequest resolution(uint64_t id, Assent__V1__ComplaintFinding finding)
{
    Assent__V1__ComplaintRequest request = ASSENT__V1__COMPLAINT_REQUEST__INIT;
    request.complaint = id;
    request.finding = finding;
    request.cause = (char *)"an old list";
    request.action = (char *)"the list is gone";
    request.who = (char *)"mara";
    return request;
}

static Assent__V1__Code resolve(uint64_t id, Assent__V1__ComplaintFinding finding, bool release)
{
    Assent__V1__ComplaintRequest request = resolution(id, finding);
    request.release = release;
    return complain(&request);
}

static struct complaint_status counted(void)
{
    struct complaint_status status;
    engine_complaints(w.engine, w.now.wall_ms, &status);
    return status;
}

static Assent__V1__Event *record(uint64_t sequence)
{
    assert_in_range(sequence, 1, w.next - 1);
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, w.records[sequence].public_length,
                                                         w.records[sequence].octets);
    assert_non_null(event);
    return event;
}

static uint64_t later(const char *program, Assent__V1__Class message_class)
{
    Assent__V1__Message message = world_message(program, message_class, NUMBER, "later");
    message.send_at_wall_ms = w.now.wall_ms + HOUR;
    return world_submit(&w, 0, &message).id;
}

static bool waits(uint64_t id)
{
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    assert_true(engine_query(w.engine, 0, id, &status));
    return strcmp(status.state, "scheduled") == 0;
}

static void the_number_is_suppressed_for_every_program(void **state)
{
    (void)state;
    begin();
    uint64_t offer = later("offers", ASSENT__V1__CLASS__MARKETING);
    uint64_t order = later("login", ASSENT__V1__CLASS__TRANSACTIONAL);
    uint64_t id = open_one(NUMBER);
    assert_false(waits(offer));
    assert_false(waits(order));
    assert_int_equal(w.complaint.due_wall_ms, w.now.wall_ms + 72 * HOUR);
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    assert_int_equal(w.last_write.scope_count, 1);
    assert_int_equal(w.last_write.scopes[0], SCOPE_HOLD);
    Assent__V1__Event *event = record(id);
    const Assent__V1__ComplaintOpened *body = event->complaint_opened;
    assert_int_equal(event->body_case, ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED);
    assert_int_equal(body->hold, w.complaint.record);
    assert_false(body->held_before);
    assert_string_equal(body->who, "mara");
    assent__v1__event__free_unpacked(event, NULL);
    event = record(w.complaint.record);
    assert_int_equal(event->body_case, ASSENT__V1__EVENT__BODY_OPTED_OUT);
    assert_string_equal(event->opted_out->how, "complaint");
    assert_int_equal(event->opted_out->cancelled, 2);
    assent__v1__event__free_unpacked(event, NULL);
    assert_int_equal(counted().open, 1);
    assert_int_equal(counted().overdue, 0);
    world_release(&w);
}

/* The latest message to the number says what it is about, if nobody else does. */
static void it_is_about_the_latest_message(void **state)
{
    (void)state;
    begin();
    later("login", ASSENT__V1__CLASS__TRANSACTIONAL);
    later("offers", ASSENT__V1__CLASS__MARKETING);
    Assent__V1__Event *event = record(open_one(NUMBER));
    assert_string_equal(event->complaint_opened->sender, w.programs[0].senders[0]);
    assert_string_equal(event->complaint_opened->carrier, w.carrier.name);
    assert_int_equal(engine_program_of_scope(w.engine, event->program), 0);
    assent__v1__event__free_unpacked(event, NULL);
    unsigned count;
    const struct complaint_label *labels =
        engine_complaints_of(w.engine, COMPLAINTS_BY_PROGRAM, &count);
    assert_int_equal(count, 1);
    assert_string_equal(labels[0].name, "offers");
    open_one(OTHER);
    labels = engine_complaints_of(w.engine, COMPLAINTS_BY_SENDER, &count);
    assert_int_equal(count, 2);
    assert_string_equal(labels[1].name, "unknown");
    assert_int_equal(engine_complaints_opened(w.engine, ASSENT__V1__COMPLAINT_CHANNEL__VIA_SUPPORT,
                                              ASSENT__V1__COMPLAINT_TYPE__SPAM),
                     2);
    world_release(&w);
}

static void refused(Assent__V1__ComplaintRequest request, const char *word)
{
    uint64_t next = w.next;
    assert_int_not_equal(complain(&request), ASSENT__V1__CODE__CODE_OK);
    if (strstr(w.consent_message, word) == NULL)
        fail_msg("\"%s\" does not say %s", w.consent_message, word);
    assert_int_equal(w.next, next); /* nothing was recorded */
}

static void bad_ones_are_refused_by_name(void **state)
{
    (void)state;
    begin();
    Assent__V1__ComplaintRequest r = about("12");
    refused(r, "number");
    r = about(NUMBER), r.channel = 0;
    refused(r, "channel");
    r = about(NUMBER), r.channel = 77;
    refused(r, "channel");
    r = about(NUMBER), r.type = 0;
    refused(r, "type");
    r = about(NUMBER), r.program = (char *)"nothing";
    refused(r, "program");
    r = about(NUMBER), r.carrier = (char *)"nobody";
    refused(r, "carrier");
    r = about(NUMBER), r.sender = (char *)"!!";
    refused(r, "sender");
    r = about(NUMBER), r.received_wall_ms = w.now.wall_ms + 48 * HOUR;
    refused(r, "received");
    uint64_t id = later("offers", ASSENT__V1__CLASS__MARKETING);
    r = about(OTHER), r.n_messages = 1, r.messages = &id;
    refused(r, "another number");
    uint64_t ids[COMPLAINT_MESSAGES_MAX + 1] = {0};
    r = about(NUMBER), r.n_messages = COMPLAINT_MESSAGES_MAX + 1, r.messages = ids;
    refused(r, "16");
    r.n_messages = COMPLAINT_MESSAGES_MAX;
    assert_int_equal(complain(&r), ASSENT__V1__CODE__CODE_OK);
    engine_complain(w.engine, 0, 1, &r, w.now);
    assert_int_equal(w.complaint.code, ASSENT__V1__CODE__CODE_PERMISSION_DENIED);
    world_release(&w);
}

static void a_resolution_needs_finding_cause_and_action(void **state)
{
    (void)state;
    begin();
    uint64_t id = open_one(NUMBER);
    Assent__V1__ComplaintRequest r = resolution(id, 0);
    refused(r, "finding");
    r = resolution(id, ASSENT__V1__COMPLAINT_FINDING__VALID), r.cause = (char *)"";
    refused(r, "cause");
    r = resolution(id, ASSENT__V1__COMPLAINT_FINDING__VALID), r.action = (char *)"";
    refused(r, "action");
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__VALID, false),
                     ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.complaint.record, 0);
    refused(resolution(id, ASSENT__V1__COMPLAINT_FINDING__VALID), "resolved");
    refused(resolution(id + 100, ASSENT__V1__COMPLAINT_FINDING__VALID), "never was one");
    assert_int_equal(counted().open, 0);
    assert_int_equal(engine_complaints_resolved(w.engine, ASSENT__V1__COMPLAINT_FINDING__VALID), 1);
    world_release(&w);
}

static Assent__V1__Code released(Assent__V1__ComplaintFinding finding)
{
    return resolve(open_one(NUMBER), finding, true);
}

static void who_was_right_is_not_released(void **state)
{
    (void)state;
    begin();
    assert_int_equal(released(ASSENT__V1__COMPLAINT_FINDING__VALID),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    world_release(&w);
    begin();
    assert_int_equal(released(ASSENT__V1__COMPLAINT_FINDING__SENT_IN_ERROR),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    world_release(&w);
    begin();
    assert_int_equal(released(ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED), ASSENT__V1__CODE__CODE_OK);
    Assent__V1__Event *event = record(w.complaint.record);
    assert_int_equal(event->body_case, ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN);
    assert_int_equal(event->opted_in_again->n_scopes, 1); /* what the person ended stays ended */
    assert_int_equal(event->opted_in_again->scopes[0], SCOPE_HOLD);
    assent__v1__event__free_unpacked(event, NULL);
    world_release(&w);
}

static void another_hold_is_not_released(void **state)
{
    (void)state;
    begin();
    w.added = false; /* a hold stood there */
    uint64_t id = open_one(NUMBER);
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED, true),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(w.consent_message, "another hold"));
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED, false),
                     ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

static void two_complaints_hold_until_both_are_resolved(void **state)
{
    (void)state;
    begin();
    uint64_t first = open_one(NUMBER);
    w.added = false;
    uint64_t second = open_one(NUMBER);
    assert_int_equal(resolve(first, ASSENT__V1__COMPLAINT_FINDING__NOT_OURS, true),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    assert_int_equal(resolve(first, ASSENT__V1__COMPLAINT_FINDING__VALID, false),
                     ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(resolve(second, ASSENT__V1__COMPLAINT_FINDING__NOT_OURS, true),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION); /* the first one's stays */
    world_release(&w);
}

static void an_old_hold_is_not_released_with_it(void **state)
{
    (void)state;
    begin();
    uint64_t id = open_one(NUMBER);
    w.now.wall_ms += STOP_TIMES_MS;
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED, true),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(w.consent_message, "week"));
    world_release(&w);
}

static void a_store_that_is_away_holds_up_nothing(void **state)
{
    (void)state;
    begin();
    engine_on_store_down(w.engine, "gone");
    uint64_t id = open_one(NUMBER);
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED, true),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION); /* who knows what stood there */
    world_release(&w);
    begin();
    w.stuck = true; /* the disk is slow, and then Redis goes away */
    Assent__V1__ComplaintRequest request = about(NUMBER);
    engine_complain(w.engine, CLIENT_OPERATOR, 1, &request, w.now);
    world_settle(&w);
    assert_int_equal(w.complaint_replies, 0);
    engine_on_store_down(w.engine, "gone");
    assert_int_equal(w.complaint_replies, 1);
    assert_int_equal(w.complaint.code, ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

static void one_case_is_one_complaint(void **state)
{
    (void)state;
    begin();
    Assent__V1__ComplaintRequest request = about(NUMBER);
    request.channel = ASSENT__V1__COMPLAINT_CHANNEL__VIA_CARRIER;
    request.case_reference = (char *)"T-17";
    request.received_wall_ms = w.now.wall_ms - 30 * HOUR;
    assert_int_equal(complain(&request), ASSENT__V1__CODE__CODE_OK);
    uint64_t id = w.complaint.complaint, next = w.next;
    assert_int_equal(counted().overdue, 1); /* 24 h after it was received */
    assert_int_equal(complain(&request), ASSENT__V1__CODE__CODE_OK);
    assert_true(w.complaint.already_open);
    assert_int_equal(w.complaint.complaint, id);
    assert_int_equal(w.next, next);
    assert_int_equal(counted().open, 1);
    world_release(&w);
}

static void open_ones_outlive_the_process(void **state)
{
    (void)state;
    begin();
    uint64_t first = open_one(NUMBER), second = open_one(OTHER), third = open_one("12025550125");
    assert_int_equal(resolve(second, ASSENT__V1__COMPLAINT_FINDING__VALID, false),
                     ASSENT__V1__CODE__CODE_OK);
    world_stop(&w);
    world_start(&w);
    assert_int_equal(counted().open, 2);
    refused(resolution(second, ASSENT__V1__COMPLAINT_FINDING__VALID), "resolved");
    assert_int_equal(resolve(first, ASSENT__V1__COMPLAINT_FINDING__NOT_OURS, true),
                     ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(resolve(third, ASSENT__V1__COMPLAINT_FINDING__NOT_OURS, false),
                     ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

struct copy {
    struct engine *engine;
    unsigned complaints;
};

static bool fold(void *context, struct span public_part, struct span personal_part)
{
    struct copy *copy = context;
    const char *why = "";
    Assent__V1__Event *event =
        assent__v1__event__unpack(NULL, public_part.length, public_part.data);
    copy->complaints += event->body_case == ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED;
    assent__v1__event__free_unpacked(event, NULL);
    assert_int_equal(engine_replay(copy->engine, 0, public_part, personal_part, &why), ERR_OK);
    return true;
}

static void a_snapshot_has_them(void **state)
{
    (void)state;
    begin();
    uint64_t id = open_one(NUMBER);
    struct hash_key key = {.k0 = 1, .k1 = 2};
    struct copy copy = {.engine = engine_new(&w.config, &w.ports, &key, 1)};
    assert_true(engine_snapshot(w.engine, w.now, fold, &copy));
    assert_int_equal(copy.complaints, 1);
    world_stop(&w);
    w.engine = copy.engine;
    engine_start(w.engine, w.now);
    engine_on_store_up(w.engine, 0);
    world_settle(&w);
    assert_int_equal(counted().open, 1);
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED, true),
                     ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

/* Whose personal part is gone may be resolved still. */
static void an_erased_one_can_be_resolved(void **state)
{
    (void)state;
    begin();
    uint64_t id = open_one(NUMBER);
    w.records[id].personal_length = 0;
    world_stop(&w);
    world_start(&w);
    assert_int_equal(counted().open, 1);
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED, true),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__VALID, false),
                     ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

/* While the gateway runs: the complaint stays, its person goes. */
static void an_erasure_takes_the_person_out(void **state)
{
    (void)state;
    begin();
    uint64_t id = open_one(NUMBER);
    Assent__V1__EraseRequest request = ASSENT__V1__ERASE_REQUEST__INIT;
    request.number = (char *)NUMBER;
    request.request = (char *)"R-1";
    engine_erase(w.engine, CLIENT_OPERATOR, 1, &request, w.now);
    world_settle(&w);
    world_pass(&w, 2000);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(counted().open, 1);
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED, true),
                     ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(w.consent_message, "erased"));
    assert_int_equal(resolve(id, ASSENT__V1__COMPLAINT_FINDING__VALID, false),
                     ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

static void there_is_a_limit(void **state)
{
    (void)state;
    begin();
    char number[NUMBER_TEXT_SIZE];
    for (unsigned i = 0; i < COMPLAINTS_MAX; i++) {
        snprintf(number, sizeof number, "1202%07u", i);
        Assent__V1__ComplaintRequest request = about(number);
        engine_complain(w.engine, CLIENT_OPERATOR, 1, &request, w.now);
        if (i % 400 == 399)
            world_settle(&w);
    }
    world_settle(&w);
    assert_int_equal(counted().open, COMPLAINTS_MAX);
    Assent__V1__ComplaintRequest request = about(NUMBER);
    uint64_t next = w.next;
    assert_int_equal(complain(&request), ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(w.next, next);
    world_release(&w);
}

static void labels_are_bounded(void **state)
{
    (void)state;
    begin();
    char number[NUMBER_TEXT_SIZE], sender[12];
    for (unsigned i = 0; i < COMPLAINT_LABELS_MAX + 10; i++) {
        snprintf(number, sizeof number, "1202555%04u", i);
        snprintf(sender, sizeof sender, "Sender%u", i);
        Assent__V1__ComplaintRequest request = about(number);
        request.sender = sender;
        assert_int_equal(complain(&request), ASSENT__V1__CODE__CODE_OK);
    }
    unsigned count;
    const struct complaint_label *labels =
        engine_complaints_of(w.engine, COMPLAINTS_BY_SENDER, &count);
    assert_int_equal(count, COMPLAINT_LABELS_MAX);
    assert_string_equal(labels[0].name, "Sender0");
    assert_string_equal(labels[COMPLAINT_LABELS_MAX - 1].name, "other");
    assert_int_equal(labels[COMPLAINT_LABELS_MAX - 1].opened, 11);
    world_release(&w);
}

static void words_and_numbers_agree(void **state)
{
    (void)state;
    for (unsigned i = 1; i < COMPLAINT_CHANNELS; i++) {
        assert_int_equal(complaint_channel_of(complaint_channel_name(i)), i);
        assert_non_null(strstr(complaint_channel_words, complaint_channel_name(i)));
    }
    for (unsigned i = 1; i < COMPLAINT_TYPES; i++) {
        assert_int_equal(complaint_type_of(complaint_type_name(i)), i);
        assert_non_null(strstr(complaint_type_words, complaint_type_name(i)));
    }
    for (unsigned i = 1; i < COMPLAINT_FINDINGS; i++) {
        assert_int_equal(complaint_finding_of(complaint_finding_name(i)), i);
        assert_non_null(strstr(complaint_finding_words, complaint_finding_name(i)));
    }
    assert_int_equal(complaint_channel_of("unknown"), 0);
    assert_int_equal(complaint_finding_of(""), 0);
    assert_string_equal(complaint_type_name(99), "unknown");
    assert_false(complaint_may_release(99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_is_suppressed_for_every_program),
        cmocka_unit_test(it_is_about_the_latest_message),
        cmocka_unit_test(bad_ones_are_refused_by_name),
        cmocka_unit_test(a_resolution_needs_finding_cause_and_action),
        cmocka_unit_test(who_was_right_is_not_released),
        cmocka_unit_test(another_hold_is_not_released),
        cmocka_unit_test(two_complaints_hold_until_both_are_resolved),
        cmocka_unit_test(an_old_hold_is_not_released_with_it),
        cmocka_unit_test(a_store_that_is_away_holds_up_nothing),
        cmocka_unit_test(one_case_is_one_complaint),
        cmocka_unit_test(open_ones_outlive_the_process),
        cmocka_unit_test(a_snapshot_has_them),
        cmocka_unit_test(an_erased_one_can_be_resolved),
        cmocka_unit_test(an_erasure_takes_the_person_out),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(labels_are_bounded),
        cmocka_unit_test(words_and_numbers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Dry runs through the whole engine: what each foretells is what then happens, and nothing is written,
 * taken or counted by foretelling it. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/policy.h"

#define DAY_MS (24ull * 3600 * 1000)

static struct world w;
static Assent__V1__PreflightReply *last; /* packed and unpacked again: ours */
static unsigned replies;

static void keep_reply(void *context, uint64_t call, const Assent__V1__PreflightReply *reply)
{
    (void)context;
    assert_int_equal(call, 5);
    if (last != NULL)
        assent__v1__preflight_reply__free_unpacked(last, NULL);
    size_t size = assent__v1__preflight_reply__get_packed_size(reply);
    uint8_t *octets = malloc(size + 1);
    assent__v1__preflight_reply__pack(reply, octets);
    last = assent__v1__preflight_reply__unpack(NULL, size, octets);
    free(octets);
    replies++;
}

static void begin(void)
{
    world_init(&w);
    w.ports.preflight_reply = keep_reply;
    w.next_scope = SCOPES_RESERVED;
    w.facts = (struct check_result){.known = true, .opted_in = true, .cap = CAP_ROOM};
}

static void end(void)
{
    world_release(&w);
    if (last != NULL)
        assent__v1__preflight_reply__free_unpacked(last, NULL);
    last = NULL;
    replies = 0;
}

static Assent__V1__Message an_offer(void)
{
    return world_message("offers", ASSENT__V1__CLASS__MARKETING, "13035550100",
                         "offers: hello. Reply STOP to end");
}

static bool ask(Assent__V1__Message *message, size_t count)
{
    static Assent__V1__Message *list[SUBMIT_MESSAGES_MAX];
    for (size_t i = 0; i < count; i++)
        list[i] = message;
    Assent__V1__PreflightRequest request = ASSENT__V1__PREFLIGHT_REQUEST__INIT;
    request.n_messages = count;
    request.messages = list;
    return engine_preflight(w.engine, 0, 5, &request, w.now);
}

static const Assent__V1__Preflight *foretold(Assent__V1__Message *message)
{
    uint64_t next = w.next;
    struct metrics before = *engine_metrics(w.engine);
    unsigned before_replies = replies;
    assert_true(ask(message, 1));
    world_settle(&w);
    assert_int_equal(replies, before_replies + 1);
    assert_int_equal(w.next, next); /* nothing in the ledger */
    assert_memory_equal(&before, engine_metrics(w.engine), sizeof before);
    assert_int_equal(last->n_messages, 1);
    return last->messages[0];
}

static Assent__V1__GateAnswer answer_of(const Assent__V1__Preflight *p, enum gate gate)
{
    assert_int_equal(p->n_gates, GATE_COUNT);
    assert_string_equal(p->gates[gate]->name, gate_name(gate));
    return p->gates[gate]->answer;
}

/* The reason of the newest end; REASON_NONE when nothing has ended. */
static Assent__V1__Reason ended_for(void)
{
    Assent__V1__Reason reason = ASSENT__V1__REASON__REASON_NONE;
    for (uint64_t i = 1; i < w.next; i++) {
        const struct world_record *r = &w.records[i];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        assert_non_null(event);
        if (event->body_case == ASSENT__V1__EVENT__BODY_ENDED)
            reason = event->ended->reason;
        assent__v1__event__free_unpacked(event, NULL);
    }
    return reason;
}

static void no_facts(void)
{
}

static void by_everything(void)
{
    w.facts.denied = 1;
}

static void by_hold(void)
{
    w.facts.denied = 2;
}

static void by_brand(void)
{
    w.facts.denied = 4;
}

static void by_program(void)
{
    w.facts.denied = 8;
}

static void by_no_opt_in(void)
{
    w.facts.opted_in = false;
}

static void by_age(void)
{
    w.programs[0].consent_max_age_ms = 365 * DAY_MS;
    w.facts.consent_day = (uint32_t)(w.now.wall_ms / DAY_MS) - 366;
}

static void by_new_owner(void)
{
    w.facts.denied = 16;
    w.facts.reassigned_day = w.facts.consent_day = 20000;
}

static void but_consented_since(void)
{
    by_new_owner();
    w.facts.consent_day = 20001;
}

static void by_register(void)
{
    w.programs[0].do_not_call = DO_NOT_CALL_REGISTER;
}

static void by_cap(void)
{
    w.programs[0].frequency_cap.count = 3;
    w.programs[0].frequency_cap.window_ms = 60000;
    w.facts.cap = CAP_FULL;
    w.facts.cap_free_ms = 5000;
}

static void each_gate_foretells_what_happens(void **state)
{
    (void)state;
    static const struct {
        void (*arrange)(void);
        Assent__V1__Reason reason; /* REASON_NONE: it is sent */
        enum gate gate;
    } rows[] = {
        {no_facts, ASSENT__V1__REASON__REASON_NONE, GATE_OPT_IN},
        {by_everything, ASSENT__V1__REASON__OPTED_OUT, GATE_OPT_OUT},
        {by_hold, ASSENT__V1__REASON__GLOBAL_HOLD, GATE_HOLD},
        {by_brand, ASSENT__V1__REASON__OPTED_OUT, GATE_OPT_OUT},
        {by_program, ASSENT__V1__REASON__OPTED_OUT, GATE_OPT_OUT},
        {by_no_opt_in, ASSENT__V1__REASON__NO_OPT_IN, GATE_OPT_IN},
        {by_age, ASSENT__V1__REASON__CONSENT_TOO_OLD, GATE_CONSENT_AGE},
        {by_new_owner, ASSENT__V1__REASON__NUMBER_REASSIGNED, GATE_REASSIGNED},
        {but_consented_since, ASSENT__V1__REASON__REASON_NONE, GATE_REASSIGNED},
        {by_register, ASSENT__V1__REASON__DO_NOT_CALL, GATE_DO_NOT_CALL},
        {by_cap, ASSENT__V1__REASON__FREQUENCY_CAP, GATE_FREQUENCY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        rows[i].arrange();
        world_start(&w);
        bool refused = rows[i].reason != ASSENT__V1__REASON__REASON_NONE;
        Assent__V1__Message message = an_offer();
        const Assent__V1__Preflight *p = foretold(&message);
        assert_int_equal(p->verdict->code, ASSENT__V1__CODE__CODE_OK);
        assert_int_equal(p->verdict->parts, 1);
        assert_int_equal(p->verdict->id, 0);
        assert_int_equal(p->reason, rows[i].reason);
        assert_int_equal(p->foresight, refused ? ASSENT__V1__FORESIGHT__FORESIGHT_REFUSED
                                               : ASSENT__V1__FORESIGHT__FORESIGHT_SENT);
        assert_string_equal(p->gate, refused ? gate_name(rows[i].gate) : "");
        assert_int_equal(answer_of(p, rows[i].gate), refused
                                                         ? ASSENT__V1__GATE_ANSWER__GATE_REFUSED
                                                         : ASSENT__V1__GATE_ANSWER__GATE_PASSED);
        assert_int_equal(p->gates[rows[i].gate]->why[0] != '\0', refused);
        if (rows[i].gate == GATE_FREQUENCY)
            assert_int_equal(p->not_before_wall_ms, w.now.wall_ms + 5000);

        if (!refused)
            w.facts.cap = CAP_ROOM;
        assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
        world_pass(&w, 20);
        assert_int_equal(w.submit_count, !refused);
        assert_int_equal(ended_for(), rows[i].reason);
        end();
    }
}

static void what_is_not_accepted_says_so(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    Assent__V1__Message message = an_offer();
    message.number = (char *)(uintptr_t) "12";
    const Assent__V1__Preflight *p = foretold(&message);
    assert_int_equal(p->foresight, ASSENT__V1__FORESIGHT__FORESIGHT_NOT_ACCEPTED);
    assert_int_equal(p->verdict->code, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_int_equal(p->n_gates, 0);
    message = an_offer();
    message.text = (char *)(uintptr_t) "\xff";
    assert_int_equal(foretold(&message)->verdict->code, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    end();
}

/* Deny wins without Redis; the rest is not guessed. */
static void without_redis_nothing_is_guessed(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    engine_on_store_down(w.engine, "gone");
    Assent__V1__Message message = an_offer();
    const Assent__V1__Preflight *p = foretold(&message);
    assert_int_equal(p->foresight, ASSENT__V1__FORESIGHT__FORESIGHT_NOT_KNOWN);
    assert_int_equal(p->reason, ASSENT__V1__REASON__GATE_AWAY);
    assert_int_equal(answer_of(p, GATE_OPT_IN), ASSENT__V1__GATE_ANSWER__GATE_NOT_KNOWN);
    assert_int_not_equal(answer_of(p, GATE_ORIGIN), ASSENT__V1__GATE_ANSWER__GATE_NOT_KNOWN);
    assert_string_equal(p->gates[GATE_OPT_IN]->why, "the consent store does not say");
    end();

    begin();
    w.facts.known = false; /* asked, and no answer comes */
    w.verdict = VERDICT_UNKNOWN;
    world_start(&w);
    message = an_offer();
    p = foretold(&message);
    assert_int_equal(p->foresight, ASSENT__V1__FORESIGHT__FORESIGHT_NOT_KNOWN);
    end();
}

/* A STOP that Redis has not confirmed yet. */
static void a_stop_of_this_moment_counts(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    Assent__V1__OptOutRequest out = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    out.program = (char *)(uintptr_t) "offers";
    out.number = (char *)(uintptr_t) "13035550100";
    engine_opt_out(w.engine, 0, 9, &out, w.now);
    engine_on_store_down(w.engine, "gone");
    Assent__V1__Message message = an_offer();
    const Assent__V1__Preflight *p = foretold(&message);
    assert_int_equal(p->foresight, ASSENT__V1__FORESIGHT__FORESIGHT_REFUSED);
    assert_string_equal(p->gate, "opt_out");
    end();
}

static void redis_is_only_read(void **state)
{
    (void)state;
    begin();
    by_cap();
    world_start(&w);
    Assent__V1__Message message = an_offer();
    assert_true(ask(&message, 1));
    engine_turn(w.engine, w.now);
    assert_int_equal(w.check_count, 1);
    assert_true(w.checks[0].cap_looks);
    assert_int_equal(w.checks[0].cap_places, 3);
    assert_int_equal(w.write_count, 0);
    world_settle(&w);
    assert_int_equal(replies, 1);
    end();
}

/* PREFLIGHT_CHECKS_MAX questions at a time; PREFLIGHTS_MAX calls. */
static void they_are_bounded(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    Assent__V1__Message message = an_offer();
    for (int i = 0; i < PREFLIGHTS_MAX; i++)
        assert_true(ask(&message, i == 0 ? SUBMIT_MESSAGES_MAX : 1));
    assert_false(ask(&message, 1));
    engine_turn(w.engine, w.now);
    assert_int_equal(w.check_count, PREFLIGHT_CHECKS_MAX);
    engine_turn(w.engine, w.now);
    assert_int_equal(w.check_count, PREFLIGHT_CHECKS_MAX);
    world_settle(&w);
    for (int i = 0; i < 2 * SUBMIT_MESSAGES_MAX / PREFLIGHT_CHECKS_MAX; i++)
        world_settle(&w);
    assert_int_equal(replies, PREFLIGHTS_MAX);
    assert_true(ask(&message, 1));
    end(); /* with one under way */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gate_foretells_what_happens),
        cmocka_unit_test(what_is_not_accepted_says_so),
        cmocka_unit_test(without_redis_nothing_is_guessed),
        cmocka_unit_test(a_stop_of_this_moment_counts),
        cmocka_unit_test(redis_is_only_read),
        cmocka_unit_test(they_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

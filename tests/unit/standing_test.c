/* SPDX-License-Identifier: Apache-2.0 */
/* The table of states and moves, every cell of it, and the fold over it. The
 * diagram in consent/README.md is compared with it; the failure says what it must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consent/standing.h"

#define ALL_PROOFS 0xff
#define HOUR_MS    3600000ull

static const Assent__V1__ConsentSource a_source[MOVES] = {
    [MOVE_ASK] = ASSENT__V1__CONSENT_SOURCE__SUBMITTER,
    [MOVE_YES] = ASSENT__V1__CONSENT_SOURCE__REPLY,
    [MOVE_TOKEN] = ASSENT__V1__CONSENT_SOURCE__TOKEN,
    [MOVE_NO] = ASSENT__V1__CONSENT_SOURCE__REPLY,
    [MOVE_RECORD] = ASSENT__V1__CONSENT_SOURCE__IMPORT,
    [MOVE_STOP] = ASSENT__V1__CONSENT_SOURCE__REPLY,
    [MOVE_START] = ASSENT__V1__CONSENT_SOURCE__REPLY,
    [MOVE_RELEASE] = ASSENT__V1__CONSENT_SOURCE__OPERATOR,
    [MOVE_REASSIGN] = ASSENT__V1__CONSENT_SOURCE__IMPORT,
    [MOVE_ERASE] = ASSENT__V1__CONSENT_SOURCE__OPERATOR,
};

/* The law in another hand: N none, P pending, C confirmed, S single, O opted_out, E expired, R reassigned,
 * X erased; - refused, b as it was before, = an opt-out that hides what changes beneath it. */
static const char states_of[] = "NPCSOERX";
static const char *const expected[MOVES] = {
    [MOVE_RELEASE] = "----b---", [MOVE_ASK] = "P----PPP",      [MOVE_YES] = "-C------",
    [MOVE_TOKEN] = "-C------",   [MOVE_NO] = "-N--=---",       [MOVE_TIME_OUT] = "-E--=---",
    [MOVE_RECORD] = "SSCS-SSS",  [MOVE_STOP] = "OOOOOOOO",     [MOVE_START] = "----b---",
    [MOVE_AGE] = "--EE=---",     [MOVE_REASSIGN] = "RRRR=RRR", [MOVE_ERASE] = "XXXX=XXX",
};

static void every_cell_says_what_it_should(void **state)
{
    (void)state;
    for (unsigned m = 0; m < MOVES; m++)
        for (unsigned s = 0; s < STATES; s++) {
            char says = expected[m][s];
            const char *why =
                standing_may((enum state)s, (enum move_kind)m, a_source[m], ALL_PROOFS);
            enum state next = standing_next((enum state)s, (enum move_kind)m, CONSENT_SINGLE);
            if ((why == NULL) != (says != '-'))
                fail_msg("%s in %s: %s", move_name((enum move_kind)m), state_name((enum state)s),
                         why ? why : "allowed");
            if (says == 'b')
                assert_int_equal(next, CONSENT_SINGLE);
            else if (says == '-' || says == '=')
                assert_int_equal(next, s);
            else
                assert_int_equal(states_of[next], says);
        }
}

static void every_move_asks_for_its_source_and_evidence(void **state)
{
    (void)state;
    static const struct {
        enum state state;
        enum move_kind kind;
        uint8_t proofs; /* without any of which it is not complete */
        const char
            *sources; /* R reply, T token, S submitter, I import, C carrier, O operator, - time */
    } cases[] = {
        {CONSENT_NONE, MOVE_ASK, 0, "RSIO"},
        {CONSENT_PENDING, MOVE_YES, PROOF_RAW | PROOF_QUESTION, "R"},
        {CONSENT_PENDING, MOVE_TOKEN, PROOF_QUESTION | PROOF_TOKEN, "T"},
        {CONSENT_PENDING, MOVE_NO, PROOF_QUESTION, "R"},
        {CONSENT_PENDING, MOVE_TIME_OUT, 0, "-"},
        {CONSENT_NONE, MOVE_RECORD, PROOF_EVIDENCE, "SIO"},
        {CONSENT_NONE, MOVE_STOP, 0, "RSICO"},
        {CONSENT_OPTED_OUT, MOVE_START, PROOF_RAW, "R"},
        {CONSENT_OPTED_OUT, MOVE_RELEASE, PROOF_EVIDENCE, "O"},
        {CONSENT_SINGLE, MOVE_AGE, 0, "-"},
        {CONSENT_SINGLE, MOVE_REASSIGN, 0, "ICO"},
        {CONSENT_SINGLE, MOVE_ERASE, 0, "O"},
    };
    static const char letters[] = "-RTSICO"; /* in the order of enum ConsentSource */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned source = 0; source < 7; source++) {
            bool may = strchr(cases[i].sources, letters[source]) != NULL;
            assert_int_equal(standing_may(cases[i].state, cases[i].kind,
                                          (Assent__V1__ConsentSource)source, ALL_PROOFS) == NULL,
                             may);
        }
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t lacking = (uint8_t) ~(1u << bit);
            const char *why =
                standing_may(cases[i].state, cases[i].kind, a_source[cases[i].kind], lacking);
            assert_int_equal(why != NULL, cases[i].proofs >> bit & 1);
        }
    }
}

static const char *apply(struct standing *s, enum move_kind kind, uint64_t at_ms)
{
    struct move move = {.kind = kind,
                        .at_ms = at_ms,
                        .source = a_source[kind],
                        .proofs = ALL_PROOFS,
                        .expires_ms = kind == MOVE_ASK ? at_ms + HOUR_MS : 0};
    return standing_apply(s, &move);
}

static void a_question_may_be_answered_until_its_time_is_over(void **state)
{
    (void)state;
    for (uint64_t after = HOUR_MS - 1; after <= HOUR_MS; after++) {
        struct standing s = {0};
        assert_null(apply(&s, MOVE_ASK, 1000));
        assert_int_equal(standing_state(&s, 1000 + HOUR_MS - 1), CONSENT_PENDING);
        assert_int_equal(standing_state(&s, 1000 + HOUR_MS), CONSENT_EXPIRED);
        const char *why = apply(&s, MOVE_YES, 1000 + after);
        assert_int_equal(why == NULL, after < HOUR_MS);
        assert_int_equal(standing_state(&s, 1000 + after),
                         after < HOUR_MS ? CONSENT_CONFIRMED : CONSENT_EXPIRED);
    }
}

static void start_returns_to_what_was_before(void **state)
{
    (void)state;
    struct standing s = {0};
    assert_non_null(apply(&s, MOVE_START, 5));
    assert_null(apply(&s, MOVE_STOP, 10));
    assert_null(apply(&s, MOVE_START, 20));
    assert_int_equal(standing_state(&s, 20), CONSENT_NONE); /* START alone is no consent */
    assert_null(apply(&s, MOVE_ASK, 30));
    assert_null(apply(&s, MOVE_YES, 40));
    assert_null(apply(&s, MOVE_STOP, 50));
    assert_null(apply(&s, MOVE_STOP, 60));
    assert_int_equal(standing_state(&s, 70), CONSENT_OPTED_OUT);
    uint64_t record;
    assert_int_equal(standing_since(&s, 70, &record), 50);
    assert_non_null(apply(&s, MOVE_ASK, 70));
    assert_non_null(apply(&s, MOVE_YES, 70));
    assert_non_null(apply(&s, MOVE_TOKEN, 70));
    assert_non_null(apply(&s, MOVE_RECORD, 70)); /* no submitter and no import lifts it */
    assert_null(apply(&s, MOVE_START, 80));
    assert_int_equal(standing_state(&s, 80), CONSENT_CONFIRMED);
    assert_int_equal(standing_since(&s, 80, &record), 40);
}

/* Of a STOP and a START in the same millisecond nobody knows which came first. An import has no such time: its
 * date says when somebody else heard of it. */
static void a_start_must_be_newer_than_the_stop(void **state)
{
    (void)state;
    struct standing s = {0};
    assert_null(apply(&s, MOVE_STOP, 50));
    assert_non_null(apply(&s, MOVE_START, 49));
    assert_non_null(apply(&s, MOVE_START, 50));
    assert_int_equal(standing_state(&s, 50), CONSENT_OPTED_OUT);
    assert_null(apply(&s, MOVE_START, 51));
    struct move import = {.kind = MOVE_STOP,
                          .at_ms = 70,
                          .source = ASSENT__V1__CONSENT_SOURCE__IMPORT,
                          .proofs = ALL_PROOFS};
    assert_null(standing_apply(&s, &import));
    assert_null(apply(&s, MOVE_START, 60));
    assert_int_equal(standing_state(&s, 70), CONSENT_NONE);
}

static void a_question_under_an_opt_out_still_ends(void **state)
{
    (void)state;
    struct standing s = {0};
    assert_null(apply(&s, MOVE_ASK, 10));
    assert_null(apply(&s, MOVE_STOP, 20));
    assert_null(apply(&s, MOVE_START, 30));
    assert_int_equal(standing_state(&s, 30), CONSENT_PENDING);
    assert_null(apply(&s, MOVE_STOP, 40));
    assert_null(apply(&s, MOVE_START, 10 + HOUR_MS));
    assert_int_equal(standing_state(&s, 10 + HOUR_MS), CONSENT_EXPIRED);
}

static void order_is_by_when_it_took_effect(void **state)
{
    (void)state;
    struct standing s = {0};
    assert_null(apply(&s, MOVE_STOP, 100));
    assert_null(apply(&s, MOVE_RECORD, 50)); /* given before the STOP, recorded after it */
    assert_int_equal(standing_state(&s, 100), CONSENT_OPTED_OUT);
    assert_null(apply(&s, MOVE_START, 110));
    assert_int_equal(standing_state(&s, 110), CONSENT_SINGLE);
    assert_null(apply(&s, MOVE_REASSIGN, 200));
    assert_non_null(apply(&s, MOVE_RECORD, 199)); /* by who had the number before */
    assert_int_equal(standing_state(&s, 210), CONSENT_REASSIGNED);
    assert_null(apply(&s, MOVE_RECORD, 200));
    assert_int_equal(standing_state(&s, 210), CONSENT_SINGLE);
}

static void an_event_moves_every_scope_that_it_names(void **state)
{
    (void)state;
    uint32_t scopes[WRITE_SCOPES_MAX + 1] = {17, 18};
    struct move out[WRITE_SCOPES_MAX];
    Assent__V1__OptedOut body = ASSENT__V1__OPTED_OUT__INIT;
    body.source = ASSENT__V1__CONSENT_SOURCE__REPLY;
    body.scopes = scopes;
    body.n_scopes = 2;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.wall_ms = 7;
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
    event.opted_out = &body;
    assert_int_equal(standing_moves(3, &event, NULL, out), 2);
    assert_int_equal(out[1].scope, 18);
    assert_int_equal(out[1].kind, MOVE_STOP);
    assert_int_equal(out[1].record, 3);
    body.n_scopes = WRITE_SCOPES_MAX + 1;
    assert_int_equal(standing_moves(3, &event, NULL, out), WRITE_SCOPES_MAX);
    event.body_case = ASSENT__V1__EVENT__BODY__NOT_SET;
    assert_int_equal(standing_moves(3, &event, NULL, out), 0);
}

static void a_person_has_a_standing_in_each_scope_of_their_story(void **state)
{
    (void)state;
    static struct standings standings;
    uint32_t scope[1];
    Assent__V1__OptedOut out = ASSENT__V1__OPTED_OUT__INIT;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
    event.opted_out = &out;
    out.source = ASSENT__V1__CONSENT_SOURCE__REPLY;
    out.scopes = scope;
    out.n_scopes = 1;
    for (unsigned i = 0; i <= STANDINGS_MAX; i++) {
        scope[0] = 17 + i;
        event.wall_ms = 100 + i;
        standings_fold(&standings, 1 + i, &event, NULL);
        assert_int_equal(standings.count, i < STANDINGS_MAX ? i + 1 : STANDINGS_MAX);
    }
    scope[0] = 18; /* known already: an older one changes nothing */
    event.wall_ms = 7;
    standings_fold(&standings, 9000, &event, NULL);
    assert_int_equal(standings.in[1].scope, 18);
    assert_int_equal(standings.in[1].standing.denied_ms, 101);
    assert_int_equal(standings.in[STANDINGS_MAX - 1].standing.denied_record, STANDINGS_MAX);
}

static void doubt_about_a_number_tells_of_consent_too(void **state)
{
    (void)state;
    const struct {
        Assent__V1__Event__BodyCase body;
        bool tells;
    } rows[] = {
        {ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED, true},
        {ASSENT__V1__EVENT__BODY_OPTED_OUT, true},
        {ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN, true},
        {ASSENT__V1__EVENT__BODY_NUMBER_VACANT, true},
        {ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED, false},
        {ASSENT__V1__EVENT__BODY_ACCEPTED, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
        event.body_case = rows[i].body;
        assert_int_equal(event_tells_consent(&event), rows[i].tells);
    }
}

static const char readme[] = VECTORS "/../../consent/README.md";

static void the_readme_shows_the_table(void **state)
{
    (void)state;
    char diagram[8192], text[65536];
    size_t length = standing_diagram(diagram, sizeof diagram);
    diagram[length] = '\0';
    FILE *file = fopen(readme, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    if (strstr(text, diagram) == NULL)
        fail_msg("%s must show:\n%s", readme, diagram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_says_what_it_should),
        cmocka_unit_test(every_move_asks_for_its_source_and_evidence),
        cmocka_unit_test(a_question_may_be_answered_until_its_time_is_over),
        cmocka_unit_test(start_returns_to_what_was_before),
        cmocka_unit_test(a_start_must_be_newer_than_the_stop),
        cmocka_unit_test(a_question_under_an_opt_out_still_ends),
        cmocka_unit_test(order_is_by_when_it_took_effect),
        cmocka_unit_test(an_event_moves_every_scope_that_it_names),
        cmocka_unit_test(a_person_has_a_standing_in_each_scope_of_their_story),
        cmocka_unit_test(doubt_about_a_number_tells_of_consent_too),
        cmocka_unit_test(the_readme_shows_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

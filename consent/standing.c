/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/standing.h"

#include <stdio.h>
#include <string.h>

#include "consent/projection.h"
#include "proto/base/check.h"

/* ---- the table ---- */

static const char *const state_names[STATES] = {"none",      "pending", "confirmed",  "single",
                                                "opted_out", "expired", "reassigned", "erased"};

#define FROM(source) (1u << ASSENT__V1__CONSENT_SOURCE__##source)
#define FROM_TIME    FROM(SOURCE_UNSPECIFIED)
#define FROM_TENANTS (FROM(SUBMITTER) | FROM(IMPORT) | FROM(OPERATOR))

/* What a move does in a state: to the state it names, or nothing, with the reason. */
enum outcome {
    REFUSED,
    TO_NONE,
    TO_PENDING,
    TO_CONFIRMED,
    TO_SINGLE,
    TO_OPTED_OUT,
    TO_EXPIRED,
    TO_REASSIGNED,
    TO_ERASED,
    TO_BEFORE,
    BENEATH
};

static const char agreed_already[] = "agreed already: there is nothing to ask";
static const char asked_already[] = "asked already: one question inside its time";
static const char denied[] = "opted out: only START from the handset lifts it";
static const char no_question[] = "no question of ours is open";
static const char too_late[] = "the question's time is over: ask again";
static const char not_denied[] = "there is no opt-out to lift";
static const char no_consent[] = "there is no consent that could grow old";

struct cell {
    uint8_t outcome; /* enum outcome */
    const char *why; /* REFUSED */
};
#define NO(why)                                                                                    \
    {                                                                                              \
        REFUSED, why                                                                               \
    }
#define TO(outcome)                                                                                \
    {                                                                                              \
        outcome, NULL                                                                              \
    }

static const struct row {
    const char *name;
    uint32_t sources; /* bits: whose word counts */
    uint8_t proofs;   /* bits of enum move_proof: all are needed */
    struct cell cells[STATES];
} rows[MOVES] = {
    /* clang-format off: a column a state: none, pending, confirmed, single, opted_out, expired, reassigned, erased */
    [MOVE_ASK] = {"ask",
                  FROM_TENANTS | FROM(REPLY),
                  0,
                  {TO(TO_PENDING), NO(asked_already), NO(agreed_already), NO(agreed_already),
                   NO(denied), TO(TO_PENDING), TO(TO_PENDING), TO(TO_PENDING)}},
    [MOVE_YES] = {"yes",
                  FROM(REPLY),
                  PROOF_RAW | PROOF_QUESTION,
                  {NO(no_question), TO(TO_CONFIRMED), NO(no_question), NO(no_question), NO(denied),
                   NO(too_late), NO(no_question), NO(no_question)}},
    [MOVE_TOKEN] = {"token",
                    FROM(TOKEN),
                    PROOF_QUESTION | PROOF_TOKEN,
                    {NO(no_question), TO(TO_CONFIRMED), NO(no_question), NO(no_question),
                     NO(denied), NO(too_late), NO(no_question), NO(no_question)}},
    [MOVE_NO] = {"no",
                 FROM(REPLY),
                 PROOF_QUESTION,
                 {NO(no_question), TO(TO_NONE), NO(no_question), NO(no_question), TO(BENEATH),
                  NO(too_late), NO(no_question), NO(no_question)}},
    [MOVE_TIME_OUT] = {"time out",
                       FROM_TIME,
                       0,
                       {NO(no_question), TO(TO_EXPIRED), NO(no_question), NO(no_question),
                        TO(BENEATH), NO(no_question), NO(no_question), NO(no_question)}},
    [MOVE_RECORD] = {"record",
                     FROM_TENANTS,
                     PROOF_EVIDENCE,
                     {TO(TO_SINGLE), TO(TO_SINGLE), TO(TO_CONFIRMED), TO(TO_SINGLE), NO(denied),
                      TO(TO_SINGLE), TO(TO_SINGLE), TO(TO_SINGLE)}},
    [MOVE_STOP] = {"stop",
                   FROM_TENANTS | FROM(REPLY) | FROM(CARRIER),
                   0,
                   {TO(TO_OPTED_OUT), TO(TO_OPTED_OUT), TO(TO_OPTED_OUT), TO(TO_OPTED_OUT),
                    TO(TO_OPTED_OUT), TO(TO_OPTED_OUT), TO(TO_OPTED_OUT), TO(TO_OPTED_OUT)}},
    [MOVE_START] = {"start",
                    FROM(REPLY),
                    PROOF_RAW,
                    {NO(not_denied), NO(not_denied), NO(not_denied), NO(not_denied), TO(TO_BEFORE),
                     NO(not_denied), NO(not_denied), NO(not_denied)}},
    [MOVE_RELEASE] = {"release",
                      FROM(OPERATOR),
                      PROOF_EVIDENCE,
                      {NO(not_denied), NO(not_denied), NO(not_denied), NO(not_denied),
                       TO(TO_BEFORE), NO(not_denied), NO(not_denied), NO(not_denied)}},
    [MOVE_AGE] = {"grow old",
                  FROM_TIME,
                  0,
                  {NO(no_consent), NO(no_consent), TO(TO_EXPIRED), TO(TO_EXPIRED), TO(BENEATH),
                   NO(no_consent), NO(no_consent), NO(no_consent)}},
    [MOVE_REASSIGN] = {"reassign",
                       FROM(IMPORT) | FROM(CARRIER) | FROM(OPERATOR),
                       0,
                       {TO(TO_REASSIGNED), TO(TO_REASSIGNED), TO(TO_REASSIGNED), TO(TO_REASSIGNED),
                        TO(BENEATH), TO(TO_REASSIGNED), TO(TO_REASSIGNED), TO(TO_REASSIGNED)}},
    [MOVE_ERASE] = {"erase",
                    FROM(OPERATOR),
                    0,
                    {TO(TO_ERASED), TO(TO_ERASED), TO(TO_ERASED), TO(TO_ERASED), TO(BENEATH),
                     TO(TO_ERASED), TO(TO_ERASED), TO(TO_ERASED)}},
    /* clang-format on */
};

const char *state_name(enum state state)
{
    CHECK(state < STATES);
    return state_names[state];
}

const char *move_name(enum move_kind kind)
{
    CHECK(kind < MOVES);
    return rows[kind].name;
}

const char *standing_may(enum state state, enum move_kind kind, Assent__V1__ConsentSource source,
                         uint8_t proofs)
{
    CHECK(state < STATES && kind < MOVES);
    const struct row *row = &rows[kind];
    if ((unsigned)source >= 32 || (row->sources >> source & 1) == 0)
        return "this source has no say in it";
    const struct cell *cell = &row->cells[state];
    if (cell->outcome == REFUSED)
        return cell->why;
    return (row->proofs & ~proofs) != 0 ? "its evidence is not complete" : NULL;
}

enum state standing_next(enum state state, enum move_kind kind, enum state beneath)
{
    CHECK(state < STATES && kind < MOVES);
    enum outcome outcome = (enum outcome)rows[kind].cells[state].outcome;
    if (outcome == REFUSED || outcome == BENEATH)
        return state;
    return outcome == TO_BEFORE ? beneath : (enum state)(CONSENT_NONE + (outcome - TO_NONE));
}

static_assert(TO_ERASED - TO_NONE == CONSENT_ERASED, "outcomes stand in the order of the states");

/* ---- the fold ---- */

static bool is_over(const struct standing *s, uint64_t now_ms)
{
    return s->beneath == CONSENT_PENDING && s->expires_ms <= now_ms;
}

static enum state beneath(const struct standing *s, uint64_t now_ms)
{
    return is_over(s, now_ms) ? CONSENT_EXPIRED : (enum state)s->beneath;
}

enum state standing_state(const struct standing *s, uint64_t now_ms)
{
    return s->denied ? CONSENT_OPTED_OUT : beneath(s, now_ms);
}

uint64_t standing_since(const struct standing *s, uint64_t now_ms, uint64_t *ret_record)
{
    bool over = !s->denied && is_over(s, now_ms);
    *ret_record = s->denied ? s->denied_record : over ? 0 : s->record;
    return s->denied ? s->denied_ms : over ? s->expires_ms : s->since_ms;
}

/* What was given before the number was reassigned, or its record erased, brings nothing back. */
static bool is_late(const struct standing *s, const struct move *move)
{
    return move->kind == MOVE_RECORD && move->at_ms < s->since_ms &&
           (s->beneath == CONSENT_REASSIGNED || s->beneath == CONSENT_ERASED);
}

static const char *change_beneath(struct standing *s, const struct move *move)
{
    enum state from = beneath(s, move->at_ms);
    if (is_late(s, move))
        return "older than what is known";
    const char *why = standing_may(from, move->kind, move->source, move->proofs);
    if (why != NULL)
        return why;
    s->beneath = (uint8_t)standing_next(from, move->kind, from);
    s->since_ms = move->at_ms;
    s->expires_ms = move->expires_ms;
    s->record = move->record;
    return NULL;
}

static const char *change_above(struct standing *s, const struct move *move)
{
    const char *why =
        standing_may(standing_state(s, move->at_ms), move->kind, move->source, move->proofs);
    if (why != NULL)
        return why;
    if ((move->kind == MOVE_START || move->kind == MOVE_RELEASE) && move->at_ms <= s->stopped_ms)
        return "not newer than the opt-out";
    if (move->kind == MOVE_STOP && move->source != ASSENT__V1__CONSENT_SOURCE__IMPORT &&
        move->at_ms > s->stopped_ms)
        s->stopped_ms = move->at_ms;
    if (!s->denied) {
        s->denied_ms = move->at_ms;
        s->denied_record = move->record;
    }
    s->denied = move->kind == MOVE_STOP;
    return NULL;
}

const char *standing_apply(struct standing *s, const struct move *move)
{
    if (move->kind == MOVE_STOP || move->kind == MOVE_START || move->kind == MOVE_RELEASE)
        return change_above(s, move);
    const struct cell *hidden = &rows[move->kind].cells[CONSENT_OPTED_OUT];
    if (s->denied && move->at_ms >= s->denied_ms && hidden->outcome == REFUSED)
        return hidden->why;
    return change_beneath(s, move);
}

/* ---- from the ledger ---- */

static size_t in_scopes(struct move move, const uint32_t *scopes, size_t count, struct move *out)
{
    size_t made = count < WRITE_SCOPES_MAX ? count : WRITE_SCOPES_MAX;
    for (size_t i = 0; i < made; i++) {
        out[i] = move;
        out[i].scope = (uint16_t)scopes[i];
    }
    return made;
}

/* The engine records an answer only where a question was open, and names it. */
static void read_confirmed(const Assent__V1__OptInConfirmed *body, struct move *move)
{
    bool token = body->source == ASSENT__V1__CONSENT_SOURCE__TOKEN;
    move->kind = token ? MOVE_TOKEN : MOVE_YES;
    move->source = body->source;
    move->proofs |= token ? PROOF_TOKEN : 0;
    move->proofs |= body->request != 0 ? PROOF_QUESTION : 0;
}

size_t standing_moves(uint64_t sequence, const Assent__V1__Event *event,
                      const Assent__V1__Personal *personal, struct move *out)
{
    struct move move = {.at_ms = event->wall_ms, .record = sequence};
    if (personal != NULL && (personal->raw.len > 0 || personal->text[0] != '\0'))
        move.proofs |= PROOF_RAW;
    switch ((int)event->body_case) {
    case ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED:
        move.kind = MOVE_ASK;
        move.source = ASSENT__V1__CONSENT_SOURCE__SUBMITTER;
        move.expires_ms = event->opt_in_requested->expires_wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED:
        read_confirmed(event->opt_in_confirmed, &move);
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED:
        move.kind = MOVE_RECORD;
        move.source = event->opt_in_recorded->source;
        move.proofs |= PROOF_EVIDENCE;
        if (event->opt_in_recorded->obtained_wall_ms != 0)
            move.at_ms = event->opt_in_recorded->obtained_wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_DECLINED:
        move.kind = MOVE_NO;
        move.source = ASSENT__V1__CONSENT_SOURCE__REPLY;
        move.proofs |= PROOF_QUESTION;
        break;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        move.kind = MOVE_STOP;
        move.source = event->opted_out->source;
        if (event->opted_out->effective_wall_ms != 0 &&
            event->opted_out->effective_wall_ms < move.at_ms)
            move.at_ms = event->opted_out->effective_wall_ms;
        return in_scopes(move, event->opted_out->scopes, event->opted_out->n_scopes, out);
    case ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN:
        move.at_ms = again_effect(event);
        move.source = event->opted_in_again->source;
        move.kind = move.source == ASSENT__V1__CONSENT_SOURCE__OPERATOR ? MOVE_RELEASE : MOVE_START;
        if (personal != NULL && personal->evidence[0] != '\0')
            move.proofs |= PROOF_EVIDENCE;
        return in_scopes(move, event->opted_in_again->scopes, event->opted_in_again->n_scopes, out);
    default:
        return 0;
    }
    return in_scopes(move, &event->program, 1, out);
}

bool event_tells_consent(const Assent__V1__Event *event)
{
    return (event->body_case >= ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED &&
            event->body_case <= ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN) ||
           event->body_case == ASSENT__V1__EVENT__BODY_NUMBER_VACANT;
}

static struct standing *standing_in(struct standings *standings, uint16_t scope)
{
    for (unsigned i = 0; i < standings->count; i++)
        if (standings->in[i].scope == scope)
            return &standings->in[i].standing;
    if (standings->count == STANDINGS_MAX)
        return NULL;
    struct standing_in *in = &standings->in[standings->count++];
    *in = (struct standing_in){.scope = scope};
    return &in->standing;
}

void standings_fold(struct standings *standings, uint64_t sequence, const Assent__V1__Event *event,
                    const Assent__V1__Personal *personal)
{
    struct move moves[WRITE_SCOPES_MAX];
    size_t count = standing_moves(sequence, event, personal, moves);
    for (size_t i = 0; i < count; i++) {
        struct standing *standing = standing_in(standings, moves[i].scope);
        if (standing != NULL)
            (void)standing_apply(standing, &moves[i]);
    }
}

/* ---- for people ---- */

static const char *cell_text(const struct cell *cell)
{
    switch ((enum outcome)cell->outcome) {
    case REFUSED:
        return "-";
    case TO_BEFORE:
        return "before";
    case BENEATH:
        return "beneath";
    default:
        return state_names[cell->outcome - TO_NONE];
    }
}

size_t standing_diagram(char *out, size_t size)
{
    size_t n = 0;
    FILE *file = fmemopen(out, size, "w");
    CHECK(file != NULL);
    fprintf(file, "| move \\ state |");
    for (unsigned s = 0; s < STATES; s++)
        fprintf(file, " %s |", state_names[s]);
    fprintf(file, "\n|%s", " --- |");
    for (unsigned s = 0; s < STATES; s++)
        fprintf(file, " --- |");
    for (unsigned m = 0; m < MOVES; m++) {
        fprintf(file, "\n| %s |", rows[m].name);
        for (unsigned s = 0; s < STATES; s++)
            fprintf(file, " %s |", cell_text(&rows[m].cells[s]));
    }
    fprintf(file, "\n");
    n = (size_t)ftell(file);
    fclose(file);
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Where a recipient stands in a scope, and what may move them: one table of states and moves. Pure.
 *
 * The engine asks standing_may() before it records a move; whoever reads a ledger folds its events with
 * standing_moves() and standing_apply(), one struct standing a number and scope.
 *
 * - Two layers. Beneath: what the number has agreed to in a program. Above: an opt-out of the scope, which
 *   hides what is beneath and leaves it as it is; START takes the upper layer away and so returns to what
 *   was before; a hold's is taken away by a release alone. Deny wins: a program's standing is opted_out when any scope that denies it is
 *   (everything, hold, brand, program), else what is beneath in the program's own scope.
 * - Order is by when a move took effect (move.at_ms), not by when it was recorded: a consent that was given
 *   before the STOP goes beneath it, one from before the number was reassigned or erased brings nothing
 *   back. An imported STOP took effect when its row says; a START that came before it was recorded does not
 *   take it away, though the date be older: deny wins over every import.
 * - What the table refuses changes nothing. The one exception to "refused at the door" is time: a question
 *   that nobody answered is over when its time is, with or without a record. */
#ifndef CONSENT_STANDING_H
#define CONSENT_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consent/gate.h"
#include "proto/event.pb-c.h"

enum state {
    CONSENT_NONE,
    CONSENT_PENDING,   /* asked, no answer yet */
    CONSENT_CONFIRMED, /* the handset itself said yes to our question */
    CONSENT_SINGLE,    /* express consent with evidence, in one step */
    CONSENT_OPTED_OUT,
    CONSENT_EXPIRED,    /* nobody answered in time, or the consent is too old */
    CONSENT_REASSIGNED, /* the number may have a new owner */
    CONSENT_ERASED,
    STATES
};
const char *state_name(enum state state); /* "opted_out" */

enum move_kind {
    MOVE_ASK,   /* our question: a form, or JOIN from the handset */
    MOVE_YES,   /* a reply */
    MOVE_TOKEN, /* the one-time token of the question's link */
    MOVE_NO,
    MOVE_TIME_OUT, /* the question's time is over */
    MOVE_RECORD,   /* consent in one step */
    MOVE_STOP,
    MOVE_START,
    MOVE_RELEASE, /* of a hold, by an operator */
    MOVE_AGE,     /* the consent is too old */
    MOVE_REASSIGN,
    MOVE_ERASE,
    MOVES
};
const char *move_name(enum move_kind kind); /* "ask" */

/* What a move must be able to show; bits. */
enum move_proof {
    PROOF_RAW = 1 << 0,      /* the reply as the carrier delivered it */
    PROOF_QUESTION = 1 << 1, /* an open question of ours to this number */
    PROOF_TOKEN = 1 << 2,    /* that question's token */
    PROOF_EVIDENCE = 1 << 3, /* how consent was given, and what the person saw */
};

struct move {
    enum move_kind kind;
    uint16_t scope;
    uint8_t proofs;                   /* bits of enum move_proof that it has */
    Assent__V1__ConsentSource source; /* unspecified: time itself */
    uint64_t at_ms;                   /* wall; when it took effect */
    uint64_t expires_ms;              /* MOVE_ASK: until then it may be answered */
    uint64_t record;                  /* sequence number of its record */
};

struct standing {
    uint8_t beneath; /* enum state, never CONSENT_OPTED_OUT */
    bool denied;
    uint64_t since_ms, denied_ms, expires_ms;
    uint64_t stopped_ms; /* the newest opt-out, but an import's: an older START lifts nothing */
    uint64_t record, denied_record; /* that made it so */
};

/* The state at this time. */
enum state standing_state(const struct standing *s, uint64_t now_ms);
/* Since when, and by which record (0: by time). */
uint64_t standing_since(const struct standing *s, uint64_t now_ms, uint64_t *ret_record);

/* May this move happen to somebody in this state? NULL: yes. Else why not, for people. */
const char *standing_may(enum state state, enum move_kind kind, Assent__V1__ConsentSource source,
                         uint8_t proofs);
/* The state that follows where it may; START gives `beneath`. */
enum state standing_next(enum state state, enum move_kind kind, enum state beneath);

/* Folds one move; NULL, or why it changed nothing. */
const char *standing_apply(struct standing *s, const struct move *move);

/* The moves that an event of the ledger makes, one a scope; 0: it is none. `out` has room for
 * WRITE_SCOPES_MAX. */
size_t standing_moves(uint64_t sequence, const Assent__V1__Event *event,
                      const Assent__V1__Personal *personal, struct move *out);

/* Does the event tell of somebody's consent: asked for, given, refused, ended or in doubt? */
bool event_tells_consent(const Assent__V1__Event *event);

/* Where one person stands, in each scope that has a story of them. */
#define STANDINGS_MAX 256 /* scopes; what comes in further ones is left out */
struct standings {
    unsigned count;
    struct standing_in {
        uint16_t scope;
        struct standing standing;
    } in[STANDINGS_MAX];
};
/* Folds an event of that person. */
void standings_fold(struct standings *standings, uint64_t sequence, const Assent__V1__Event *event,
                    const Assent__V1__Personal *personal);

/* The table for people, as consent/README.md has it; gives its length. */
size_t standing_diagram(char *out, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The words in which permission is asked and written: shared by the engine, the Redis adapter and
 * the simulation. Redis answers with facts; consent/policy.h makes of them whether a text may go (P1). */
#ifndef CONSENT_GATE_H
#define CONSENT_GATE_H

#include "consent/erased.h"
#include "consent/nodes.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"

/* Scope numbers that mean the same everywhere. A brand's scope stands for its marketing, a program's for
 * all that the program sends. A register's numbers are members of `optout` under its scope: one read more
 * in the same command. */
enum reserved_scope {
    SCOPE_EVERYTHING = 0,
    SCOPE_HOLD = 1,        /* litigators, legal hold, complaints: no recipient's START lifts it */
    SCOPE_DO_NOT_CALL = 2, /* a national register */
    SCOPE_REASSIGNED = 3,  /* the number may have a new owner; a consent given later lifts it */
    SCOPE_ERASED = 4, /* the opt-outs of who has been erased: its members hold no number but a keyed
                              fingerprint (consent/person.h). Denies as everything does, and START lifts it */
};

/* Of a list, about the number and not about a consent. */
static inline bool scope_is_register(uint64_t scope)
{
    return scope == SCOPE_DO_NOT_CALL || scope == SCOPE_REASSIGNED;
}

enum cap_answer {
    CAP_NOT_ASKED,
    CAP_OPEN, /* not known yet: the adapter's alone */
    CAP_FULL, /* all places are other messages' */
    CAP_ROOM, /* one is this message's, from now on for a window; to a dry run: one is free */
};

/* What is asked about a number right before a text is written to it: one pipelined round. */
struct check {
    uint64_t cookie; /* given back with the answer */
    uint64_t number;
    uint16_t scopes[CHECK_SCOPES_MAX]; /* of opt-outs and registers */
    uint8_t scope_count;
    bool need_opt_in;
    bool
        need_age; /* of an opt-in that needs to be young: its day alone, which says that there is one */
    bool need_days;        /* all that is known: the opt-in, its day, the register's */
    uint16_t opt_in_scope; /* the program's scope */
    /* A place under the frequency cap of number and program; 0 places: it is not asked for. Exact over all
     * gateways, and one a message however often it is asked. */
    uint8_t cap_places;
    bool
        cap_looks; /* a dry run: none is taken, and what other gateways took may be NOTICE_EVERY_MS old */
    uint64_t cap_window_ms;
    uint64_t message; /* whose place it is */
};

/* The facts, as Redis has them. */
struct check_result {
    uint64_t cookie;
    bool known;     /* false: error, timeout, or not understood; nothing else counts then */
    uint8_t denied; /* bits in the order of the scopes asked */
    bool opted_in;  /* where it was asked; with `need_age` alone, where its day is known */
    enum cap_answer cap;
    uint64_t cap_free_ms; /* to a dry run, CAP_FULL: the first is free in so long */
    uint32_t consent_day,
        reassigned_day; /* where they were asked: since 1970; 0 for not recorded */
};

enum consent_write_kind {
    WRITE_OPT_OUT, /* SADD optout for every scope; HSET days, if newer, where `day`, ZADD stops where
                      `taken_wall_ms` is given */
    WRITE_OPT_IN,  /* SADD optin of scopes[0]; the question goes; HSET days where `day` is given */
    WRITE_PENDING, /* SET pending of scopes[0]; kept CONSENT_EXPIRED_MS longer than it may be answered */
    WRITE_DROP_PENDING, /* decline: SET pending, so that the question does not come back */
    WRITE_LIFT_OPT_OUT, /* START: SREM optout for every scope, unless a later opt-out is known */
    WRITE_SCOPE,        /* the scope registry: number scopes[0] belongs to `name` */
    WRITE_POSITION,     /* only `sequence` moves */
    WRITE_ERASE, /* all that stands under the number goes, but a hold; where an opt-out stood, the
                           fingerprint stays */
    WRITE_ERASED, /* the erasure is told to the other gateways; where it kept an opt-out, SADD optout of its
                           fingerprint, and its time; where `search` is given, what stands under it goes */
};

#define WRITE_SCOPES_MAX 16
#define ASKER_SIZE       (NAME_OCTETS_MAX + 1 + 17) /* "NODE SENDER" */

/* One consent event on its way into Redis: in a MULTI, which also stores the last `sequence` in it as
 * this node's applied position. Writes are applied in the order of their sequence; each is
 * idempotent. */
struct consent_write {
    enum consent_write_kind kind;
    uint64_t sequence;
    uint64_t number;
    uint16_t
        scopes[WRITE_SCOPES_MAX + 1]; /* of a START one more than of any record: SCOPE_ERASED */
    uint8_t scope_count;
    uint16_t day; /* since 1970, kept for scopes[0]: of the consent, or of the new owner; 0: none */
    /* When a person's opt-out or START came; 0: an opt-out that any START lifts. What is written later may
     * have come earlier, at another gateway: what came last counts, and in a tie the opt-out. */
    uint64_t taken_wall_ms;
    uint64_t written_wall_ms; /* with it: now; where all is written in its order, the same */
    uint64_t
        expires_wall_ms; /* WRITE_PENDING, WRITE_DROP_PENDING: of the question; 0: not known any more */
    uint8_t token_sha256[32]; /* WRITE_PENDING */
    uint64_t request;         /* WRITE_PENDING: sequence of the request (survives replay) */
    /* WRITE_PENDING: when it is asked. WRITE_OPT_IN, WRITE_DROP_PENDING: of the question that they end. Each may
     * be written again after a later question, of another gateway: that one stays. */
    uint64_t asked_wall_ms;
    char asker[ASKER_SIZE];          /* WRITE_PENDING: node and sender, "gw1 12025550100" */
    char name[NAME_OCTETS_MAX + 16]; /* WRITE_SCOPE */
    bool notice;                     /* WRITE_OPT_OUT: with a notice to the other gateways */
    struct erased_fact erased; /* WRITE_ERASE (the place follows from the number), WRITE_ERASED */
    /* WRITE_ERASED: Redis may be older than the erasure. What stands there under whoever has the fingerprint goes, but
     * registers; opt-outs and questions that are known to be newer; and a hold, unless it is known to be older. Of any
     * opt-out that goes the fingerprint stays. */
    bool search;
};

/* What a gateway tells the others about an opt-out that it has written (consent/notice.h). */
struct notice {
    char node[NAME_OCTETS_MAX + 1];
    uint64_t sequence; /* of its record there */
    uint64_t number;
    uint16_t scopes[WRITE_SCOPES_MAX];
    uint8_t scope_count;
};

/* The answer to a lookup of one number in one program. */
struct consent_state {
    bool opted_out[CHECK_SCOPES_MAX]; /* in the order of the scopes asked */
    bool opt_in;
    bool pending; /* asked, and not answered: the question is open until it expires */
    uint64_t request, asked_wall_ms, expires_wall_ms;
    uint8_t token_sha256[32];
    char asker[ASKER_SIZE]; /* "NODE SENDER" */
};

/* What happens at most once in its time over all gateways on this Redis: a key with a time-to-live that
 * the first to ask takes. */
enum once_kind { ONCE_HELP, ONCE_QUESTION, ONCE_CONFIRMATION, ONCE_KINDS };

enum once_answer {
    ONCE_UNKNOWN, /* Redis is away, or did not say */
    ONCE_OURS,    /* taken now, by who asked */
    ONCE_TAKEN,   /* before, by another gateway */
    ONCE_KEPT,    /* before, by this gateway */
};

struct once {
    uint64_t cookie; /* given back with the answer */
    enum once_kind kind;
    uint16_t scope;
    uint64_t number;
    uint64_t ttl_ms;
};

/* A sign of life, and a look at the other gateways at the same instant. */
struct beat {
    bool joins;            /* false: it only looks */
    struct node_fact self; /* without its name and position */
    const char *forget;    /* a node that is gone; "" for none */
    const char *clear;     /* the same, when all others have heard it; "" for none */
};

#endif

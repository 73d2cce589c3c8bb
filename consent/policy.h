/* SPDX-License-Identifier: Apache-2.0 */
/* Which gates a text must pass, by what it is for, and what each gate says of the facts: one table and
 * one pure function a gate. The engine gathers facts, asks policy_decide(), and records what it said;
 * the send, the release after quiet hours and the dry run all come through here.
 *
 * Promise P1 in this place: a fact that is not in `known` is not known, and a gate that must be passed
 * and is not known lets nothing through. Deny wins: what is known to refuse refuses, whatever else is
 * not known. */
#ifndef CONSENT_POLICY_H
#define CONSENT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/event.pb-c.h"

/* In the order in which they are told; a number here is for ever, since the ledger holds two bits a gate. */
enum gate {
    GATE_ORIGIN, /* the sender is a number that may send: not inbound-only, not do-not-originate */
    GATE_REGISTRATION, /* the sender is registered for this class and country */
    GATE_HOLD,         /* litigators, legal hold, complaints */
    GATE_OPT_OUT,
    GATE_OPT_IN,
    GATE_CONSENT_AGE,
    GATE_REASSIGNED, /* the number has had its owner since the consent; since the wish for a question */
    GATE_DO_NOT_CALL,
    GATE_QUIET_HOURS,
    GATE_FREQUENCY,
    GATE_CONTENT, /* brand named, a way out, no public link shortener */
    GATE_COUNT,
};

#define GATE_BIT(gate) (1u << (gate))

/* What a text is for. */
enum purpose {
    PURPOSE_MARKETING,
    PURPOSE_TRANSACTIONAL,
    PURPOSE_OTP,
    PURPOSE_EMERGENCY,
    PURPOSE_CONFIRMATION, /* of an opt-out */
    PURPOSE_HELP,
    PURPOSE_QUESTION, /* of a double opt-in */
    PURPOSE_WELCOME,  /* the answer to a consent just given */
    PURPOSE_COUNT,
};

enum gate_rule {
    RULE_EXEMPT,
    RULE_MUST,
    RULE_IF_SET, /* where the program's configuration asks for it */
    RULE_ONCE,   /* one is made for one cause, which is seen to where it is made */
};

/* Which scopes or registers deny the number: bits. */
enum denied_by {
    DENIED_EVERYTHING = 1 << 0,
    DENIED_HOLD = 1 << 1,
    DENIED_BRAND = 1 << 2, /* the brand's marketing */
    DENIED_PROGRAM = 1 << 3,
    DENIED_DO_NOT_CALL = 1 << 4,
    DENIED_REASSIGNED = 1 << 5,
};

enum content_fault {
    CONTENT_NO_BRAND = 1 << 0,
    CONTENT_NO_WAY_OUT = 1 << 1, /* neither an opt-out line nor a keyword for it */
    CONTENT_SHORTENER = 1 << 2,  /* a link through a public shortener */
};

#define REGISTER_AGE_MAX_DAYS 31 /* an older copy of a do-not-call register does not tell */

/* Days are counted since 1970-01-01, UTC; 0 is not known. */
struct gate_facts {
    enum purpose purpose;
    uint32_t known; /* bits of gates: what they ask about has been found out */
    uint32_t set;   /* bits of gates with RULE_IF_SET that the program asks for */
    uint32_t
        waived; /* bits of gates with RULE_MUST that have nothing to ask: the program has them off,
                        or sets no limit. Only those that policy_can_waive() */
    bool may_originate;
    bool registered;
    uint8_t denied_by; /* bits of enum denied_by: HOLD, OPT_OUT, REASSIGNED and DO_NOT_CALL */
    bool opted_in;
    uint32_t today;
    uint32_t consent_days_max; /* a consent older than this is too old */
    uint32_t consent_day;    /* 0: none recorded; with PURPOSE_QUESTION: of the wish to be asked */
    bool days_known;         /* of the register's entry and the consent before or after it */
    uint32_t reassigned_day; /* 0: none recorded */
    uint32_t register_day;   /* when the copy of the do-not-call register was made */
    uint64_t quiet_until_wall_ms; /* 0: it may go now */
    bool capped;
    uint64_t capped_until_wall_ms; /* when there is room again; 0 where that is not known */
    uint8_t content_faults;        /* bits of enum content_fault */
};

enum gate_answer {
    ANSWER_EXEMPT, /* not asked: the class is exempt, or the program has nothing set */
    ANSWER_PASSED,
    ANSWER_REFUSED,
    ANSWER_UNKNOWN,
};

enum decision_kind {
    DECISION_PASS,
    DECISION_REFUSE,
    DECISION_UNKNOWN, /* never send; ask again */
    DECISION_WAIT,    /* quiet hours: ask again then */
};

struct decision {
    enum decision_kind kind;
    enum gate gate;              /* that decided; not with DECISION_PASS */
    Assent__V1__Reason reason;   /* of that gate; GATE_AWAY with DECISION_UNKNOWN */
    uint32_t answers;            /* every gate's, two bits each; see gate_answer_of() */
    uint64_t not_before_wall_ms; /* when it may be allowed, where that is known; else 0 */
};

struct decision policy_decide(const struct gate_facts *facts);

/* One gate alone, as the table has it for the purpose. */
enum gate_answer policy_ask(enum gate gate, const struct gate_facts *facts);

enum gate_rule policy_rule(enum gate gate, enum purpose purpose);
bool policy_can_waive(enum gate gate);
/* Bits of denied_by that count for this purpose at GATE_OPT_OUT. */
uint8_t policy_opt_out_mask(enum purpose purpose);
enum purpose policy_purpose(Assent__V1__Class message_class, Assent__V1__ServiceKind service);

static inline enum gate_answer gate_answer_of(uint32_t answers, enum gate gate)
{
    return (enum gate_answer)(answers >> (2 * gate) & 3);
}

static inline uint32_t gate_answers_with(uint32_t answers, enum gate gate, enum gate_answer answer)
{
    return (answers & ~(3u << (2 * gate))) | (uint32_t)answer << (2 * gate);
}

const char *gate_name(enum gate gate);                 /* "opt_out" */
const char *gate_answer_name(enum gate_answer answer); /* "passed" */
Assent__V1__Reason gate_reason(enum gate gate);
/* "opted out of the program"; "" for what passed. */
const char *policy_why(enum gate gate, enum gate_answer answer, const struct gate_facts *facts);
/* When this gate may pass, where it refuses and that is known; else 0. */
uint64_t policy_not_before(enum gate gate, const struct gate_facts *facts);

#endif

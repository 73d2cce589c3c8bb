/* SPDX-License-Identifier: Apache-2.0 */
/* The table of gates by purpose, and the gates. Pure: facts in, an answer out. */
#include "consent/policy.h"

#include <assert.h>

#include "proto/base/check.h"

static_assert(2 * GATE_COUNT <= 32, "two bits a gate in 32");

#define M RULE_MUST
#define C RULE_IF_SET
#define X RULE_EXEMPT
#define O RULE_ONCE

/* clang-format off */
static const uint8_t rules[GATE_COUNT][PURPOSE_COUNT] = {
    /*                    marketing transactional otp emergency confirmation help question welcome */
    [GATE_ORIGIN]       = {M,       M,            M,  M,        M,           M,   M,       M},
    [GATE_REGISTRATION] = {M,       M,            M,  C,        M,           M,   M,       M},
    [GATE_HOLD]         = {M,       M,            M,  C,        C,           C,   M,       M},
    [GATE_OPT_OUT]      = {M,       M,            M,  X,        O,           X,   M,       M},
    [GATE_OPT_IN]       = {M,       X,            X,  X,        X,           X,   X,       X},
    [GATE_CONSENT_AGE]  = {M,       C,            X,  X,        X,           X,   M,       X},
    [GATE_REASSIGNED]   = {M,       M,            M,  X,        X,           X,   M,       M},
    [GATE_DO_NOT_CALL]  = {M,       X,            X,  X,        X,           X,   C,       X},
    [GATE_QUIET_HOURS]  = {M,       C,            X,  X,        X,           X,   C,       X},
    [GATE_FREQUENCY]    = {M,       C,            C,  X,        O,           O,   O,       O},
    [GATE_CONTENT]      = {M,       C,            C,  C,        M,           M,   M,       M},
};
/* clang-format on */

#undef M
#undef C
#undef X
#undef O

static const struct {
    const char *name;
    Assent__V1__Reason reason;
    bool can_waive;
} gates[GATE_COUNT] = {
    [GATE_ORIGIN] = {"origin", ASSENT__V1__REASON__DO_NOT_ORIGINATE, true},
    [GATE_REGISTRATION] = {"registration", ASSENT__V1__REASON__SENDER_NOT_REGISTERED, true},
    [GATE_HOLD] = {"hold", ASSENT__V1__REASON__GLOBAL_HOLD, false},
    [GATE_OPT_OUT] = {"opt_out", ASSENT__V1__REASON__OPTED_OUT, false},
    [GATE_OPT_IN] = {"opt_in", ASSENT__V1__REASON__NO_OPT_IN, false},
    [GATE_CONSENT_AGE] = {"consent_age", ASSENT__V1__REASON__CONSENT_TOO_OLD, true},
    [GATE_REASSIGNED] = {"reassigned", ASSENT__V1__REASON__NUMBER_REASSIGNED, false},
    [GATE_DO_NOT_CALL] = {"do_not_call", ASSENT__V1__REASON__DO_NOT_CALL, true},
    [GATE_QUIET_HOURS] = {"quiet_hours", ASSENT__V1__REASON__QUIET_HOURS, true},
    [GATE_FREQUENCY] = {"frequency", ASSENT__V1__REASON__FREQUENCY_CAP, true},
    [GATE_CONTENT] = {"content", ASSENT__V1__REASON__CONTENT_REFUSED, true},
};

uint8_t policy_opt_out_mask(enum purpose purpose)
{
    uint8_t informational = DENIED_EVERYTHING | DENIED_PROGRAM;
    switch (purpose) {
    case PURPOSE_MARKETING:
    case PURPOSE_QUESTION:
    case PURPOSE_WELCOME:
        return informational | DENIED_BRAND;
    case PURPOSE_TRANSACTIONAL:
    case PURPOSE_OTP:
        return informational;
    case PURPOSE_EMERGENCY:
    case PURPOSE_CONFIRMATION:
    case PURPOSE_HELP:
    case PURPOSE_COUNT:
        break;
    }
    return 0;
}

/* ---- the gates: what each says once its facts are known ---- */

static enum gate_answer pass_if(bool passes)
{
    return passes ? ANSWER_PASSED : ANSWER_REFUSED;
}

static enum gate_answer consent_age(const struct gate_facts *f)
{
    if (f->today == 0)
        return ANSWER_UNKNOWN;
    return pass_if(f->consent_day != 0 && f->consent_day + f->consent_days_max >= f->today);
}

/* A consent of the same day may have been the owner's before. */
static enum gate_answer reassigned(const struct gate_facts *f)
{
    if ((f->denied_by & DENIED_REASSIGNED) == 0)
        return ANSWER_PASSED;
    if (!f->days_known)
        return ANSWER_UNKNOWN;
    return pass_if(f->reassigned_day != 0 && f->consent_day > f->reassigned_day);
}

static enum gate_answer do_not_call(const struct gate_facts *f)
{
    if (f->denied_by & DENIED_DO_NOT_CALL)
        return ANSWER_REFUSED;
    if (f->today == 0)
        return ANSWER_UNKNOWN;
    return pass_if(f->register_day != 0 && f->register_day + REGISTER_AGE_MAX_DAYS >= f->today);
}

static enum gate_answer ask_known(enum gate gate, const struct gate_facts *f)
{
    switch (gate) {
    case GATE_ORIGIN:
        return pass_if(f->may_originate);
    case GATE_REGISTRATION:
        return pass_if(f->registered);
    case GATE_HOLD:
        return pass_if((f->denied_by & DENIED_HOLD) == 0);
    case GATE_OPT_OUT:
        return pass_if((f->denied_by & policy_opt_out_mask(f->purpose)) == 0);
    case GATE_OPT_IN:
        return pass_if(f->opted_in);
    case GATE_CONSENT_AGE:
        return consent_age(f);
    case GATE_REASSIGNED:
        return reassigned(f);
    case GATE_DO_NOT_CALL:
        return do_not_call(f);
    case GATE_QUIET_HOURS:
        return pass_if(f->quiet_until_wall_ms == 0);
    case GATE_FREQUENCY:
        return pass_if(!f->capped);
    case GATE_CONTENT:
        return pass_if(f->content_faults == 0);
    case GATE_COUNT:
        break;
    }
    CHECK(!"a gate that is none");
    return ANSWER_UNKNOWN;
}

enum gate_answer policy_ask(enum gate gate, const struct gate_facts *f)
{
    uint32_t bit = GATE_BIT(gate);
    switch (policy_rule(gate, f->purpose)) {
    case RULE_EXEMPT:
        return ANSWER_EXEMPT;
    case RULE_ONCE:
        return ANSWER_PASSED;
    case RULE_IF_SET:
        if ((f->set & bit) == 0)
            return ANSWER_EXEMPT;
        break;
    case RULE_MUST:
        if ((f->waived & bit) != 0 && gates[gate].can_waive)
            return ANSWER_EXEMPT;
        break;
    }
    return f->known & bit ? ask_known(gate, f) : ANSWER_UNKNOWN;
}

/* ---- all of them ---- */

uint64_t policy_not_before(enum gate gate, const struct gate_facts *f)
{
    if (gate == GATE_QUIET_HOURS)
        return f->quiet_until_wall_ms;
    return gate == GATE_FREQUENCY ? f->capped_until_wall_ms : 0;
}

static enum decision_kind kind_of(enum gate gate, enum gate_answer answer)
{
    switch (answer) {
    case ANSWER_REFUSED:
        return gate == GATE_QUIET_HOURS ? DECISION_WAIT : DECISION_REFUSE;
    case ANSWER_UNKNOWN:
        return DECISION_UNKNOWN;
    case ANSWER_EXEMPT:
    case ANSWER_PASSED:
        break;
    }
    return DECISION_PASS;
}

/* What ends a message comes before what makes it wait, and not knowing before quiet hours. */
static unsigned weight(enum decision_kind kind)
{
    static const uint8_t weights[] = {
        [DECISION_PASS] = 0, [DECISION_WAIT] = 1, [DECISION_UNKNOWN] = 2, [DECISION_REFUSE] = 3};
    return weights[kind];
}

struct decision policy_decide(const struct gate_facts *f)
{
    struct decision d = {.kind = DECISION_PASS, .reason = ASSENT__V1__REASON__REASON_NONE};
    for (int i = 0; i < GATE_COUNT; i++) {
        enum gate gate = (enum gate)i;
        enum gate_answer answer = policy_ask(gate, f);
        enum decision_kind kind = kind_of(gate, answer);
        d.answers |= (uint32_t)answer << (2 * i);
        if (weight(kind) <= weight(d.kind))
            continue;
        d.kind = kind;
        d.gate = gate;
        d.reason = kind == DECISION_UNKNOWN ? ASSENT__V1__REASON__GATE_AWAY : gates[gate].reason;
        d.not_before_wall_ms = policy_not_before(gate, f);
    }
    return d;
}

/* ---- words ---- */

enum gate_rule policy_rule(enum gate gate, enum purpose purpose)
{
    CHECK(gate < GATE_COUNT && purpose < PURPOSE_COUNT);
    return (enum gate_rule)rules[gate][purpose];
}

bool policy_can_waive(enum gate gate)
{
    return gates[gate].can_waive;
}

Assent__V1__Reason gate_reason(enum gate gate)
{
    return gates[gate].reason;
}

const char *gate_name(enum gate gate)
{
    return gates[gate].name;
}

const char *gate_answer_name(enum gate_answer answer)
{
    static const char *const names[] = {[ANSWER_EXEMPT] = "exempt",
                                        [ANSWER_PASSED] = "passed",
                                        [ANSWER_REFUSED] = "refused",
                                        [ANSWER_UNKNOWN] = "not known"};
    return names[answer];
}

static enum purpose purpose_of_service(Assent__V1__ServiceKind service)
{
    switch (service) {
    case ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION:
        return PURPOSE_CONFIRMATION;
    case ASSENT__V1__SERVICE_KIND__HELP_REPLY:
        return PURPOSE_HELP;
    case ASSENT__V1__SERVICE_KIND__WELCOME:
    case ASSENT__V1__SERVICE_KIND__OPT_IN_AGAIN:
        return PURPOSE_WELCOME;
    default: /* a question, and kinds that are not known here, which must pass as much */
        return PURPOSE_QUESTION;
    }
}

enum purpose policy_purpose(Assent__V1__Class message_class, Assent__V1__ServiceKind service)
{
    switch (message_class) {
    case ASSENT__V1__CLASS__OTP:
        return PURPOSE_OTP;
    case ASSENT__V1__CLASS__TRANSACTIONAL:
        return PURPOSE_TRANSACTIONAL;
    case ASSENT__V1__CLASS__EMERGENCY:
        return PURPOSE_EMERGENCY;
    case ASSENT__V1__CLASS__SERVICE:
        return purpose_of_service(service);
    default: /* and what is not known must pass what marketing must */
        return PURPOSE_MARKETING;
    }
}

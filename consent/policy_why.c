/* SPDX-License-Identifier: Apache-2.0 */
/* What a gate says, in words for who submitted: no number and no text is in them. */
#include "consent/policy.h"

static const char *why_opted_out(const struct gate_facts *f)
{
    uint8_t denied = f->denied_by & policy_opt_out_mask(f->purpose);
    if (denied & DENIED_EVERYTHING)
        return "opted out of everything";
    return denied & DENIED_PROGRAM ? "opted out of the program"
                                   : "opted out of the brand's marketing";
}

static const char *why_consent_age(const struct gate_facts *f)
{
    return f->consent_day == 0 ? "the day of the consent is not recorded"
                               : "the consent is older than `consent_max_age`";
}

static const char *why_do_not_call(const struct gate_facts *f)
{
    if (f->denied_by & DENIED_DO_NOT_CALL)
        return "the do-not-call register has the number";
    return f->register_day == 0 ? "no copy of the do-not-call register was ever imported"
                                : "the copy of the do-not-call register is too old";
}

static const char *why_content(const struct gate_facts *f)
{
    if (f->content_faults & CONTENT_NO_BRAND)
        return "the text does not name the brand";
    return f->content_faults & CONTENT_NO_WAY_OUT ? "the text does not say how to opt out"
                                                  : "the text has a link of a public shortener";
}

static const char *why_refused(enum gate gate, const struct gate_facts *f)
{
    switch (gate) {
    case GATE_ORIGIN:
        return "the sender is not one that may send";
    case GATE_REGISTRATION:
        return "the sender is not registered for this class and country";
    case GATE_HOLD:
        return "the number is on hold";
    case GATE_OPT_OUT:
        return why_opted_out(f);
    case GATE_OPT_IN:
        return "no consent to the program is recorded";
    case GATE_CONSENT_AGE:
        return why_consent_age(f);
    case GATE_REASSIGNED:
        return "the number has had a new owner since the consent";
    case GATE_DO_NOT_CALL:
        return why_do_not_call(f);
    case GATE_QUIET_HOURS:
        return "quiet hours where the recipient is";
    case GATE_FREQUENCY:
        return "`frequency_cap` is reached";
    case GATE_CONTENT:
        return why_content(f);
    case GATE_COUNT:
        break;
    }
    return "";
}

const char *policy_why(enum gate gate, enum gate_answer answer, const struct gate_facts *f)
{
    switch (answer) {
    case ANSWER_PASSED:
        return "";
    case ANSWER_REFUSED:
        return why_refused(gate, f);
    case ANSWER_UNKNOWN:
        return "the consent store does not say";
    case ANSWER_EXEMPT:
        return policy_rule(gate, f->purpose) == RULE_EXEMPT ? "not asked of this class"
                                                            : "the program sets nothing here";
    }
    return "";
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/diagnosis.h"

#include <stddef.h>

#define ONE_PERSON_PERCENT 5  /* of all failed at most: the others get theirs */
#define MANY_PERCENT       20 /* or more: the carrier, not the person */

static enum cause cause_of_reason(Assent__V1__Reason reason)
{
    switch (reason) {
    case ASSENT__V1__REASON__OPTED_OUT:
        return CAUSE_OPTED_OUT;
    case ASSENT__V1__REASON__NO_OPT_IN:
        return CAUSE_NO_CONSENT;
    case ASSENT__V1__REASON__CONSENT_TOO_OLD:
        return CAUSE_CONSENT_TOO_OLD;
    case ASSENT__V1__REASON__NUMBER_REASSIGNED:
        return CAUSE_REASSIGNED;
    case ASSENT__V1__REASON__GLOBAL_HOLD:
        return CAUSE_ON_HOLD;
    case ASSENT__V1__REASON__DO_NOT_CALL:
        return CAUSE_DO_NOT_CALL;
    case ASSENT__V1__REASON__QUIET_HOURS:
        return CAUSE_QUIET_HOURS;
    case ASSENT__V1__REASON__FREQUENCY_CAP:
        return CAUSE_FREQUENCY;
    case ASSENT__V1__REASON__CONTENT_REFUSED:
        return CAUSE_CONTENT;
    case ASSENT__V1__REASON__SENDER_NOT_REGISTERED:
    case ASSENT__V1__REASON__DO_NOT_ORIGINATE:
        return CAUSE_SENDER;
    case ASSENT__V1__REASON__ERASURE:
        return CAUSE_ERASED;
    case ASSENT__V1__REASON__GATE_AWAY:
        return CAUSE_STORE_AWAY;
    case ASSENT__V1__REASON__TIME_TO_LIVE:
        return CAUSE_EXPIRED_WAITING;
    case ASSENT__V1__REASON__STOP_CANCELLED:
        return CAUSE_OPTED_OUT;
    case ASSENT__V1__REASON__BY_SUBMITTER:
    case ASSENT__V1__REASON__PROGRAM_REMOVED:
    case ASSENT__V1__REASON__CONFIRMATION_LATE:
    case ASSENT__V1__REASON__TEXT_LOST:
        return CAUSE_CANCELLED;
    case ASSENT__V1__REASON__CARRIER_STATUS:
        return CAUSE_CARRIER_REFUSED;
    default:
        return CAUSE_UNKNOWN;
    }
}

static enum cause cause_of_end(const struct sending *s)
{
    switch (s->outcome) {
    case ASSENT__V1__OUTCOME__DELIVERED:
        return CAUSE_DELIVERED;
    case ASSENT__V1__OUTCOME__UNDELIVERABLE:
        return s->command_status != 0 ? CAUSE_CARRIER_REFUSED : CAUSE_HANDSET_REFUSES;
    case ASSENT__V1__OUTCOME__REJECTED:
        return s->parts_sent > 0 ? CAUSE_FILTERED : CAUSE_CARRIER_REFUSED;
    case ASSENT__V1__OUTCOME__EXPIRED:
        return s->parts_sent > 0 ? CAUSE_HANDSET_AWAY : CAUSE_EXPIRED_WAITING;
    case ASSENT__V1__OUTCOME__DELETED:
        return CAUSE_DELETED;
    case ASSENT__V1__OUTCOME__SENT_NO_RECEIPT:
        return CAUSE_NO_RECEIPT;
    case ASSENT__V1__OUTCOME__SUPPRESSED:
    case ASSENT__V1__OUTCOME__CANCELLED:
        return cause_of_reason(s->reason);
    default:
        return CAUSE_UNKNOWN;
    }
}

/* What waits for its turn, though its sender has none, is not marked as held. */
static enum cause cause_of_waiting(const struct sending *s)
{
    return s->is_marketing && s->paused != 0 ? CAUSE_SENDER_PAUSED : CAUSE_WAITING;
}

enum cause diagnose(const struct sending *s)
{
    if (s->message == 0)
        return CAUSE_NEVER_ASKED;
    if (s->ended)
        return cause_of_end(s);
    if (s->parts_sent > 0)
        return CAUSE_ON_ITS_WAY;
    if (s->is_held) {
        enum cause cause = cause_of_reason(s->held_for);
        return cause == CAUSE_UNKNOWN ? cause_of_waiting(s) : cause;
    }
    if (s->deferred_status != 0)
        return CAUSE_RETRYING;
    return s->send_at_ms != 0 && s->attempts == 0 ? CAUSE_SCHEDULED : cause_of_waiting(s);
}

enum crowd_verdict crowd_judge(const struct crowd *crowd)
{
    uint64_t all = crowd->delivered + crowd->failed;
    if (all < CROWD_MIN)
        return CROWD_TOO_FEW;
    if (crowd->failed * 100 <= all * ONE_PERSON_PERCENT)
        return CROWD_ONE_PERSON;
    return crowd->failed * 100 >= all * MANY_PERCENT ? CROWD_MANY : CROWD_SOME;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* "It never came": from what the ledger says of one message to a cause, how sure that is, what to tell the
 * customer and what to do. Pure. The order is that of elimination: was it asked for, refused, held, sent,
 * taken, received; only then the handset. */
#ifndef GATEWAY_CLI_DIAGNOSIS_H
#define GATEWAY_CLI_DIAGNOSIS_H

#include <stdbool.h>

#include "proto/event.pb-c.h"

/* What the ledger says of a message. */
struct sending {
    uint64_t message; /* 0: none was ever asked for */
    uint64_t accepted_ms, send_at_ms, expires_ms;
    bool is_marketing;
    uint64_t paused; /* record that pauses marketing of its sender at its carrier; 0: none does */
    uint32_t parts, parts_sent, parts_received;
    uint32_t attempts;
    bool is_held;                /* by the last event */
    Assent__V1__Reason held_for; /* with is_held */
    uint64_t due_ms;             /* when it goes on, as far as is known; 0: not known */
    uint32_t deferred_status;    /* of the last temporary error; 0: none */
    uint64_t sent_ms;            /* the last part that a carrier took */
    bool ended;
    uint64_t ended_ms;
    Assent__V1__Outcome outcome;
    Assent__V1__Reason reason;
    uint32_t command_status;
    Assent__V1__ReceiptState receipt; /* the last one that failed, else the last */
};

enum cause {
    CAUSE_NEVER_ASKED,
    CAUSE_OPTED_OUT,
    CAUSE_NO_CONSENT,
    CAUSE_CONSENT_TOO_OLD,
    CAUSE_REASSIGNED,
    CAUSE_ON_HOLD,
    CAUSE_DO_NOT_CALL,
    CAUSE_QUIET_HOURS,
    CAUSE_FREQUENCY,
    CAUSE_CONTENT,
    CAUSE_SENDER,
    CAUSE_SENDER_PAUSED,
    CAUSE_STORE_AWAY,
    CAUSE_WAITING,
    CAUSE_SCHEDULED,
    CAUSE_RETRYING,
    CAUSE_EXPIRED_WAITING,
    CAUSE_CANCELLED,
    CAUSE_ERASED,
    CAUSE_ON_ITS_WAY,
    CAUSE_NO_RECEIPT,
    CAUSE_UNKNOWN,
    CAUSE_HANDSET_AWAY,
    CAUSE_HANDSET_REFUSES,
    CAUSE_CARRIER_REFUSED,
    CAUSE_FILTERED,
    CAUSE_DELETED,
    CAUSE_DELIVERED,
    CAUSE_COUNT
};

enum sureness { SURE_CERTAIN, SURE_LIKELY, SURE_POSSIBLE };

/* The languages that customers are told in, in the order of the tables. */
#define DIAGNOSIS_LANGUAGES 6
extern const char *const diagnosis_languages[DIAGNOSIS_LANGUAGES];

enum cause diagnose(const struct sending *sending);

const char *cause_name(enum cause cause);  /* "quiet_hours" */
const char *cause_words(enum cause cause); /* a sentence for who runs the gateway */
enum sureness cause_sureness(enum cause cause);
const char *sureness_name(enum sureness sureness);
const char *cause_advice(enum cause cause); /* what to do */
const char *cause_for_customer(enum cause cause,
                               unsigned language); /* names no gate and no carrier */

/* How others fared over the same carrier. */
struct crowd {
    uint64_t delivered, failed;
};
enum crowd_verdict { CROWD_TOO_FEW, CROWD_ONE_PERSON, CROWD_SOME, CROWD_MANY };
#define CROWD_MIN 20 /* messages, below which nothing is said */
enum crowd_verdict crowd_judge(const struct crowd *crowd);

#endif

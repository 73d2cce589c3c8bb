/* SPDX-License-Identifier: Apache-2.0 */
/* The ledgers of all gateways that share a Redis, as one stream in the order of time: what came first on a
 * clock took effect first. For tools; the gateways may be writing meanwhile. */
#ifndef CONSENT_LEDGERS_H
#define CONSENT_LEDGERS_H

#include "consent/ledger.h"
#include "proto/event.pb-c.h"

struct ledgers;

struct ledgers_event {
    uint64_t sequence;
    unsigned ledger;  /* index of its directory */
    const char *node; /* whose ledger it is; "" as long as it has not told */
    const Assent__V1__Event *event;
    const Assent__V1__Personal *personal; /* NULL: none, or erased */
};

/* NULL with a sentence when one of the `count` directories holds no ledger. */
struct ledgers *ledgers_open(const char *const *directories, unsigned count, const char **ret_why);
void ledgers_free(struct ledgers *ledgers);

/* The next event, valid until the next call. ERR_AGAIN at the end: more may come later. ERR_CORRUPT with a
 * sentence in ledgers_why(). */
MUST_CHECK enum err ledgers_next(struct ledgers *ledgers, struct ledgers_event *ret_event);
const char *ledgers_why(const struct ledgers *ledgers);

/* Of the events given so far: the newest sequence number of a ledger, and its node's name ("" as long as
 * none has told it). */
uint64_t ledgers_position(const struct ledgers *ledgers, unsigned ledger);
const char *ledgers_node(const struct ledgers *ledgers, unsigned ledger);

#endif

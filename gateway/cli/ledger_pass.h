/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a ledger, or those of several gateways, from the first record to the last; what fails is complained of.
 * The gateways may be writing meanwhile. */
#ifndef GATEWAY_CLI_LEDGER_PASS_H
#define GATEWAY_CLI_LEDGER_PASS_H

#include "consent/ledger_filter.h"
#include "consent/ledgers.h"
#include "proto/base/arena.h"

struct ledger_pass {
    const char *directory;
    uint64_t until;               /* records from this one on are left out; 0: none is */
    struct ledger_filter *filter; /* NULL: every record */
    bool (*begin)(
        void *context); /* the ledger is open; NULL: nothing to do. False ends the pass too */
    /* The record lives until it returns. False ends the pass: it has complained. */
    bool (*each)(void *context, const struct ledger_record *record);
    void *context;
};
bool ledger_pass(const struct ledger_pass *pass);

/* Every event of all `count` ledgers, in the order of time. */
bool ledgers_pass(const char *const *directories, unsigned count,
                  void (*each)(void *context, const struct ledgers_event *event), void *context);

/* The record's parts, in the arena, which is emptied first. NULL: of a later version, and this program could tell
 * nothing of it. *ret_personal, where asked for, is NULL where there is none, or it was destroyed. */
Assent__V1__Event *record_unpack(struct arena *arena, const struct ledger_record *record,
                                 Assent__V1__Personal **ret_personal);
#define RECORD_ARENA_MAX (4 * LEDGER_RECORD_MAX) /* octets that one record may take in the arena */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Waits until every accepted message has its end, by following the ledger from the first of them. */
#ifndef GATEWAY_CLI_WAIT_H
#define GATEWAY_CLI_WAIT_H

#include "gateway/cli/client.h"
#include "proto/base/table.h"

struct wait {
    struct table ids;
    uint64_t first;
};

void wait_init(struct wait *wait);
void wait_add(struct wait *wait, uint64_t id);

/* Prints a table of outcomes. True when every message was delivered, or sent where the carrier gives
 * no receipts; false otherwise or after a complaint. */
bool wait_run(struct wait *wait, struct client *client, bool show_progress);
void wait_release(struct wait *wait);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of a ledger's tree, from its files: those above a segment from the roots in the segments' ends,
 * those inside one by hashing its records again. Reads only; also beside a gateway that writes. */
#ifndef CONSENT_LEDGER_NODES_H
#define CONSENT_LEDGER_NODES_H

#include "consent/ledger_proof.h"
#include "proto/base/span.h"

struct ledger_nodes;

/* ERR_NOT_FOUND or ERR_IO and a sentence. */
MUST_CHECK enum err ledger_nodes_open(const char *directory, struct ledger_nodes **ret_nodes,
                                      const char **ret_why);
void ledger_nodes_free(struct ledger_nodes *nodes);

/* For proofs; its errors are ERR_CORRUPT, ERR_IO and ERR_NOT_FOUND, told by ledger_nodes_why(). */
struct tree_source ledger_nodes_source(struct ledger_nodes *nodes);
const char *ledger_nodes_why(const struct ledger_nodes *nodes);

#endif

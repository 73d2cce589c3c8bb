/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs of the ledger as JSON, which tests/verify.py checks. What fails is complained of. */
#ifndef GATEWAY_CLI_PROOF_JSON_H
#define GATEWAY_CLI_PROOF_JSON_H

#include <jansson.h>

#include "consent/ledger.h"
#include "consent/ledger_nodes.h"
#include "consent/note.h"

/* Whether the files are those that the checkpoint covers: a proof of other ones would prove nothing. */
bool checkpoint_matches(struct ledger_nodes *nodes, const struct checkpoint *checkpoint);

/* That the record is in the ledger of `checkpoint`, whose signed text is `note`; NULL where the ledger cannot be
 * read. `personal`: with the person's part and what opens its commitment. */
json_t *inclusion_json(struct ledger_nodes *nodes, const struct ledger_record *record,
                       struct span note, const struct checkpoint *checkpoint, bool personal);

/* A list of the proof's nodes in base64. */
json_t *proof_nodes_json(const struct proof *proof);

#endif

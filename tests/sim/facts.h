/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the ledger's records, for the oracle. */
#ifndef SIM_FACTS_H
#define SIM_FACTS_H

#include "tests/sim/world.h"

/* Folds the consent records up to `until` into `set` of scope and number. `number` 0: everybody. */
void facts_opt_outs(const struct world *world, uint64_t until, uint64_t number, struct set *set);

/* Takes out of `set` what records from `from` on lifted, and records of other gateways at any time. */
void facts_lifts(const struct world *world, uint64_t from, struct set *set);

/* Folds the durable consent records of all gateways in the order of their times. */
void facts_standing(const struct world *world, struct set *set);

/* The opt-out stands in `set`; of who was erased as the fingerprint that denies everything, or, where that was
 * recorded at one gateway and written by the other later, the other way round. */
bool facts_deny(const struct world *world, const struct set *set, uint64_t key);

/* Adds every opt-out that the durable ledger has ever said. */
void facts_said(const struct world *world, struct set *set);

/* A message without an end in the durable ledger, or 0. */
uint64_t facts_oldest_open(const struct world *world);

/* Durable intents to send service texts of a kind to a number, less those taken back. */
uint32_t facts_service_attempts(const struct world *world, uint64_t number, int service);

bool facts_name_scope(const struct fact *fact, uint16_t scope);

/* Of an erasure that another gateway was asked for: this record of consent, before it, stays. */
static inline bool facts_leaves(const struct fact *erased, uint64_t sequence)
{
    return erased->asked_ms != 0 && sequence >= erased->consent_until;
}

#endif

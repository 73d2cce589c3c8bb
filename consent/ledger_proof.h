/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs over the hash tree, as RFC 6962 sections 2.1.1 and 2.1.2 make them and RFC 9162 sections
 * 2.1.3.2 and 2.1.4.2 check them: that an entry is in the tree, that a tree is the beginning of a
 * larger one. Pure: nodes come through a function. */
#ifndef CONSENT_LEDGER_PROOF_H
#define CONSENT_LEDGER_PROOF_H

#include "consent/ledger_tree.h"
#include "proto/base/err.h"

#define PROOF_NODES_MAX (2 * TREE_LEVELS)

/* Where nodes come from. `perfect` gives the root of the 2^level leaves from `index` << level on, all of
 * which are there. Its error ends the proof. */
struct tree_source {
    enum err (*perfect)(void *context, unsigned level, uint64_t index, struct digest *ret_root);
    void *context;
};

struct proof {
    unsigned count;
    struct digest node[PROOF_NODES_MAX]; /* in the order of the RFC */
};

/* The root of the first `size` leaves, 1 or more. */
MUST_CHECK enum err proof_root(const struct tree_source *source, uint64_t size,
                               struct digest *ret_root);

/* That leaf `index` (from 0) is in the tree of `size` leaves. ERR_BAD_INPUT where it cannot be. */
MUST_CHECK enum err proof_of_inclusion(const struct tree_source *source, uint64_t index,
                                       uint64_t size, struct proof *ret_proof);

/* That the tree of `from` leaves, 1 or more, is the beginning of the tree of `to`. ERR_BAD_INPUT where it
 * cannot be. */
MUST_CHECK enum err proof_of_consistency(const struct tree_source *source, uint64_t from,
                                         uint64_t to, struct proof *ret_proof);

/* Never trust the proof; false on every one that does not lead to the roots. */
bool inclusion_holds(const struct proof *proof, uint64_t index, uint64_t size,
                     const struct digest *leaf, const struct digest *root);
bool consistency_holds(const struct proof *proof, uint64_t from, uint64_t to,
                       const struct digest *from_root, const struct digest *to_root);

#endif

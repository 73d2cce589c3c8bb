/* SPDX-License-Identifier: Apache-2.0 */
/* The hash tree of RFC 6962 (section 2.1), built as records come: leaf SHA-256(0x00 | entry), node
 * SHA-256(0x01 | left | right). Record n is leaf n - 1 of the whole ledger, and a full segment is a
 * perfect subtree of it. Pure. */
#ifndef CONSENT_LEDGER_TREE_H
#define CONSENT_LEDGER_TREE_H

#include "consent/digest.h"
#include "proto/base/limits.h"

#define TREE_LEVELS   49 /* 2^48 leaves: a million a second for nine years */
#define SEGMENT_LEVEL 16 /* of a full segment's root */

static_assert(LEDGER_SEGMENT_RECORDS == 1u << SEGMENT_LEVEL, "a segment is a perfect subtree");

/* node[k] is the root of a perfect subtree of 2^k leaves where bit k of `count` is set. */
struct tree {
    uint64_t count;
    struct digest node[TREE_LEVELS];
};

void tree_reset(struct tree *tree);

/* `leaf` is the leaf's hash. */
void tree_add(struct tree *tree, const struct digest *leaf);

/* Adds 2^level leaves at once by the root of their subtree. CHECKs that it is perfect here: what is in
 * is a multiple of 2^level. */
void tree_add_perfect(struct tree *tree, unsigned level, const struct digest *root);

/* Adds all that is in `right`, which is no larger than what `tree` is a multiple of. */
void tree_add_tree(struct tree *tree, const struct tree *right);

/* The root of what is in. CHECKs that it is not empty. */
struct digest tree_root(const struct tree *tree);

#define TREE_NODE_OCTETS (1 + 2 * DIGEST_SIZE)

/* SHA-256(0x01 | left | right) */
struct digest tree_parent(const struct digest *left, const struct digest *right);

#endif

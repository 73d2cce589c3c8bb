/* SPDX-License-Identifier: Apache-2.0 */
/* The hash tree of RFC 6962 over the records of one segment, built as they come: leaf
 * SHA-256(0x00 | entry), node SHA-256(0x01 | left | right). Record n is leaf n - 1 of the whole
 * ledger, and a full segment is a perfect subtree of it. Pure. */
#ifndef CONSENT_LEDGER_TREE_H
#define CONSENT_LEDGER_TREE_H

#include "consent/digest.h"
#include "proto/base/limits.h"

#define TREE_LEVELS 17 /* 2^16 leaves, and the root */

static_assert(LEDGER_SEGMENT_RECORDS == 1u << (TREE_LEVELS - 1), "a segment is a perfect subtree");

/* node[k] is the root of a perfect subtree of 2^k leaves where bit k of `count` is set. */
struct tree {
    uint32_t count;
    struct digest node[TREE_LEVELS];
};

void tree_reset(struct tree *tree);

/* CHECKs that fewer than LEDGER_SEGMENT_RECORDS leaves are in. `leaf` is the leaf's hash. */
void tree_add(struct tree *tree, const struct digest *leaf);

/* The root of what is in; of a segment when it is full. CHECKs that it is not empty. */
struct digest tree_root(const struct tree *tree);

#endif

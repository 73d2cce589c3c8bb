/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_tree.h"

#include "proto/base/check.h"

static struct digest parent(const struct digest *left, const struct digest *right)
{
    uint8_t input[1 + 2 * DIGEST_SIZE] = {0x01};
    memcpy(input + 1, left->octets, DIGEST_SIZE);
    memcpy(input + 1 + DIGEST_SIZE, right->octets, DIGEST_SIZE);
    return sha256(span_of(input, sizeof input));
}

void tree_reset(struct tree *tree)
{
    tree->count = 0;
}

void tree_add(struct tree *tree, const struct digest *leaf)
{
    CHECK(tree->count < LEDGER_SEGMENT_RECORDS);
    struct digest node = *leaf;
    unsigned level = 0;
    for (; tree->count >> level & 1; level++)
        node = parent(&tree->node[level], &node);
    tree->node[level] = node;
    tree->count++;
}

struct digest tree_root(const struct tree *tree)
{
    CHECK(tree->count > 0);
    unsigned level = (unsigned)__builtin_ctz(tree->count);
    struct digest root = tree->node[level];
    for (level++; level < TREE_LEVELS; level++)
        if (tree->count >> level & 1)
            root = parent(&tree->node[level], &root);
    return root;
}

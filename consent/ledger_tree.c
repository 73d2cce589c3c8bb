/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_tree.h"

#include "proto/base/check.h"

struct digest tree_parent(const struct digest *left, const struct digest *right)
{
    return sha256_node(left, right);
}

void tree_reset(struct tree *tree)
{
    tree->count = 0;
}

void tree_add_perfect(struct tree *tree, unsigned level, const struct digest *root)
{
    uint64_t leaves = (uint64_t)1 << level;
    CHECK(level < TREE_LEVELS - 1 && (tree->count & (leaves - 1)) == 0);
    struct digest node = *root;
    for (; tree->count >> level & 1; level++)
        node = tree_parent(&tree->node[level], &node);
    CHECK(level < TREE_LEVELS);
    tree->node[level] = node;
    tree->count += leaves;
}

void tree_add(struct tree *tree, const struct digest *leaf)
{
    tree_add_perfect(tree, 0, leaf);
}

void tree_add_tree(struct tree *tree, const struct tree *right)
{
    for (unsigned level = TREE_LEVELS - 1; level-- > 0;)
        if (right->count >> level & 1)
            tree_add_perfect(tree, level, &right->node[level]);
}

struct digest tree_root(const struct tree *tree)
{
    CHECK(tree->count > 0);
    unsigned level = (unsigned)__builtin_ctzll(tree->count);
    struct digest root = tree->node[level];
    for (level++; level < TREE_LEVELS; level++)
        if (tree->count >> level & 1)
            root = tree_parent(&tree->node[level], &root);
    return root;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_proof.h"

#include "proto/base/check.h"

/* The largest power of two smaller than `n`, which is 2 or more. */
static uint64_t split_of(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/* The root of the leaves from `begin` up to `end`, as a subtree of a larger tree: `begin` is a multiple of
 * the power of two that `end - begin` needs. */
static enum err range_root(const struct tree_source *source, uint64_t begin, uint64_t end,
                           struct digest *ret_root)
{
    uint64_t n = end - begin;
    if ((n & (n - 1)) == 0) {
        unsigned level = (unsigned)__builtin_ctzll(n);
        return source->perfect(source->context, level, begin >> level, ret_root);
    }
    struct digest left, right;
    uint64_t split = split_of(n);
    enum err err = range_root(source, begin, begin + split, &left);
    if (err == ERR_OK)
        err = range_root(source, begin + split, end, &right);
    if (err == ERR_OK)
        *ret_root = tree_parent(&left, &right);
    return err;
}

enum err proof_root(const struct tree_source *source, uint64_t size, struct digest *ret_root)
{
    return size == 0 ? ERR_BAD_INPUT : range_root(source, 0, size, ret_root);
}

static enum err add_range(const struct tree_source *source, uint64_t begin, uint64_t end,
                          struct proof *proof)
{
    CHECK(proof->count < PROOF_NODES_MAX);
    return range_root(source, begin, end, &proof->node[proof->count++]);
}

/* PATH(index, D[begin:end]) */
static enum err path(const struct tree_source *source, uint64_t index, uint64_t begin, uint64_t end,
                     struct proof *proof)
{
    if (end - begin == 1)
        return ERR_OK;
    uint64_t middle = begin + split_of(end - begin);
    bool left = index < middle;
    enum err err =
        left ? path(source, index, begin, middle, proof) : path(source, index, middle, end, proof);
    if (err != ERR_OK)
        return err;
    return left ? add_range(source, middle, end, proof) : add_range(source, begin, middle, proof);
}

enum err proof_of_inclusion(const struct tree_source *source, uint64_t index, uint64_t size,
                            struct proof *ret_proof)
{
    ret_proof->count = 0;
    if (index >= size || size > (uint64_t)1 << (TREE_LEVELS - 1))
        return ERR_BAD_INPUT;
    return path(source, index, 0, size, ret_proof);
}

/* SUBPROOF(from, D[begin:end], known) */
static enum err subproof(const struct tree_source *source, uint64_t from, uint64_t begin,
                         uint64_t end, bool known, struct proof *proof)
{
    if (from == end)
        return known ? ERR_OK : add_range(source, begin, end, proof);
    uint64_t middle = begin + split_of(end - begin);
    if (from <= middle) {
        enum err err = subproof(source, from, begin, middle, known, proof);
        return err != ERR_OK ? err : add_range(source, middle, end, proof);
    }
    enum err err = subproof(source, from, middle, end, false, proof);
    return err != ERR_OK ? err : add_range(source, begin, middle, proof);
}

enum err proof_of_consistency(const struct tree_source *source, uint64_t from, uint64_t to,
                              struct proof *ret_proof)
{
    ret_proof->count = 0;
    if (from == 0 || from > to || to > (uint64_t)1 << (TREE_LEVELS - 1))
        return ERR_BAD_INPUT;
    return from == to ? ERR_OK : subproof(source, from, 0, to, true, ret_proof);
}

static bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->octets, b->octets, DIGEST_SIZE) == 0;
}

bool inclusion_holds(const struct proof *proof, uint64_t index, uint64_t size,
                     const struct digest *leaf, const struct digest *root)
{
    if (index >= size || proof->count > PROOF_NODES_MAX)
        return false;
    uint64_t position = index, last = size - 1;
    struct digest node = *leaf;
    for (unsigned i = 0; i < proof->count; i++) {
        if (last == 0)
            return false;
        if ((position & 1) || position == last) {
            node = tree_parent(&proof->node[i], &node);
            for (; !(position & 1) && position != 0; position >>= 1)
                last >>= 1;
        } else {
            node = tree_parent(&node, &proof->node[i]);
        }
        position >>= 1;
        last >>= 1;
    }
    return last == 0 && digest_equal(&node, root);
}

bool consistency_holds(const struct proof *proof, uint64_t from, uint64_t to,
                       const struct digest *from_root, const struct digest *to_root)
{
    if (from == 0 || from > to || proof->count > PROOF_NODES_MAX)
        return false;
    if (from == to)
        return proof->count == 0 && digest_equal(from_root, to_root);
    bool whole = (from & (from - 1)) == 0; /* the old tree is a node of the new one */
    unsigned next = whole ? 0 : 1;
    if (proof->count < 1)
        return false;
    uint64_t position = from - 1, last = to - 1;
    for (; position & 1; position >>= 1)
        last >>= 1;
    struct digest old = whole ? *from_root : proof->node[0], new = old;
    for (; next < proof->count; next++) {
        const struct digest *node = &proof->node[next];
        if (last == 0)
            return false;
        if ((position & 1) || position == last) {
            old = tree_parent(node, &old);
            new = tree_parent(node, &new);
            for (; !(position & 1) && position != 0; position >>= 1)
                last >>= 1;
        } else {
            new = tree_parent(&new, node);
        }
        position >>= 1;
        last >>= 1;
    }
    return last == 0 && digest_equal(&old, from_root) && digest_equal(&new, to_root);
}

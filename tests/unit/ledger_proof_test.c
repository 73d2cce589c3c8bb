/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs against the definitions of RFC 6962 for every pair of sizes up to some dozens, and every bit of
 * every proof that must not be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "consent/ledger_proof.h"

#define LEAVES 70

static struct digest leaves[LEAVES];

static int make_leaves(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LEAVES; i++) {
        uint8_t entry[2] = {0x00, (uint8_t)i};
        leaves[i] = sha256(span_of(entry, sizeof entry));
    }
    return 0;
}

/* MTH(D[begin:end]), as the RFC defines it. */
static struct digest tree_hash(uint64_t begin, uint64_t end)
{
    if (end - begin == 1)
        return leaves[begin];
    uint64_t split = 1;
    while (2 * split < end - begin)
        split *= 2;
    struct digest left = tree_hash(begin, begin + split), right = tree_hash(begin + split, end);
    return tree_parent(&left, &right);
}

static enum err perfect(void *context, unsigned level, uint64_t index, struct digest *ret_root)
{
    (void)context;
    assert_true(((index + 1) << level) <= LEAVES);
    *ret_root = tree_hash(index << level, (index + 1) << level);
    return ERR_OK;
}

static const struct tree_source source = {perfect, NULL};

static bool same(const struct digest *a, const struct digest *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void a_tree_grows_to_the_root_of_its_definition(void **state)
{
    (void)state;
    struct tree tree;
    tree_reset(&tree);
    for (uint64_t size = 1; size <= LEAVES; size++) {
        tree_add(&tree, &leaves[size - 1]);
        struct digest root = tree_root(&tree), expected = tree_hash(0, size), got;
        assert_true(same(&root, &expected));
        assert_int_equal(proof_root(&source, size, &got), ERR_OK);
        assert_true(same(&got, &expected));
    }
    struct digest none;
    assert_int_equal(proof_root(&source, 0, &none), ERR_BAD_INPUT);
}

/* A left part of 64 leaves, and a right one: as segments and the newest of them. */
static void trees_are_joined(void **state)
{
    (void)state;
    for (unsigned right_size = 0; right_size <= LEAVES - 64; right_size++) {
        struct tree joined, right;
        struct digest left = tree_hash(0, 64);
        tree_reset(&joined);
        tree_reset(&right);
        tree_add_perfect(&joined, 6, &left);
        for (unsigned i = 0; i < right_size; i++)
            tree_add(&right, &leaves[64 + i]);
        tree_add_tree(&joined, &right);
        struct digest root = tree_root(&joined), expected = tree_hash(0, 64 + right_size);
        assert_int_equal(joined.count, 64 + right_size);
        assert_true(same(&root, &expected));
    }
}

/* The tree of seven leaves in RFC 6962, section 2.1.3. */
static void proofs_are_those_of_the_example(void **state)
{
    (void)state;
    struct proof proof;
    struct digest b = leaves[1], h = tree_hash(2, 4), l = tree_hash(4, 7);
    assert_int_equal(proof_of_inclusion(&source, 0, 7, &proof), ERR_OK); /* [b, h, l] */
    assert_int_equal(proof.count, 3);
    assert_true(same(&proof.node[0], &b) && same(&proof.node[1], &h) && same(&proof.node[2], &l));
    struct digest c = leaves[2], d = leaves[3], g = tree_hash(0, 2);
    assert_int_equal(proof_of_consistency(&source, 3, 7, &proof), ERR_OK); /* [c, d, g, l] */
    assert_int_equal(proof.count, 4);
    assert_true(same(&proof.node[0], &c) && same(&proof.node[1], &d) && same(&proof.node[2], &g) &&
                same(&proof.node[3], &l));
    assert_int_equal(proof_of_consistency(&source, 4, 7, &proof), ERR_OK); /* [l] */
    assert_int_equal(proof.count, 1);
    assert_true(same(&proof.node[0], &l));
}

static void every_leaf_of_every_size_is_proven(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= LEAVES; size++) {
        struct digest root = tree_hash(0, size);
        for (uint64_t index = 0; index < size; index++) {
            struct proof proof;
            assert_int_equal(proof_of_inclusion(&source, index, size, &proof), ERR_OK);
            assert_true(inclusion_holds(&proof, index, size, &leaves[index], &root));
            assert_false(inclusion_holds(&proof, index ^ 1, size, &leaves[index], &root));
            assert_false(
                inclusion_holds(&proof, index, size, &leaves[(index + 1) % LEAVES], &root));
            for (unsigned i = 0; i < proof.count; i++) {
                proof.node[i].octets[index % DIGEST_SIZE] ^= 1;
                assert_false(inclusion_holds(&proof, index, size, &leaves[index], &root));
                proof.node[i].octets[index % DIGEST_SIZE] ^= 1;
            }
            proof.node[proof.count++] = root;
            assert_false(inclusion_holds(&proof, index, size, &leaves[index], &root));
            proof.count -= proof.count > 1 ? 2 : 1;
            if (size > 1)
                assert_false(inclusion_holds(&proof, index, size, &leaves[index], &root));
        }
    }
}

static void every_growth_is_proven(void **state)
{
    (void)state;
    for (uint64_t to = 1; to <= LEAVES; to++) {
        struct digest to_root = tree_hash(0, to);
        for (uint64_t from = 1; from <= to; from++) {
            struct proof proof;
            struct digest from_root = tree_hash(0, from), other = from_root;
            assert_int_equal(proof_of_consistency(&source, from, to, &proof), ERR_OK);
            assert_true(consistency_holds(&proof, from, to, &from_root, &to_root));
            other.octets[0] ^= 0x80;
            assert_false(consistency_holds(&proof, from, to, &other, &to_root));
            if (from > 1)
                assert_false(consistency_holds(&proof, from - 1, to, &from_root, &to_root));
            for (unsigned i = 0; i < proof.count; i++) {
                proof.node[i].octets[to % DIGEST_SIZE] ^= 1;
                assert_false(consistency_holds(&proof, from, to, &from_root, &to_root));
                proof.node[i].octets[to % DIGEST_SIZE] ^= 1;
            }
            proof.node[proof.count++] = to_root;
            assert_false(consistency_holds(&proof, from, to, &from_root, &to_root));
        }
    }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct proof proof;
    assert_int_equal(proof_of_inclusion(&source, 5, 5, &proof), ERR_BAD_INPUT);
    assert_int_equal(proof_of_inclusion(&source, 0, 0, &proof), ERR_BAD_INPUT);
    assert_int_equal(proof_of_consistency(&source, 0, 5, &proof), ERR_BAD_INPUT);
    assert_int_equal(proof_of_consistency(&source, 6, 5, &proof), ERR_BAD_INPUT);
    proof.count = PROOF_NODES_MAX + 1;
    assert_false(inclusion_holds(&proof, 0, 5, &leaves[0], &leaves[0]));
    assert_false(consistency_holds(&proof, 1, 5, &leaves[0], &leaves[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_grows_to_the_root_of_its_definition),
        cmocka_unit_test(trees_are_joined),
        cmocka_unit_test(proofs_are_those_of_the_example),
        cmocka_unit_test(every_leaf_of_every_size_is_proven),
        cmocka_unit_test(every_growth_is_proven),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, make_leaves, NULL);
}

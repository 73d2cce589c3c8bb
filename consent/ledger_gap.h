/* SPDX-License-Identifier: Apache-2.0 */
/* A gap: consecutive records of a sealed segment of which retention by age has left the hashes that proofs of
 * the others take: the roots of the largest perfect subtrees of RFC 6962 that together are just these records,
 * from left to right. How many there are, and of what size, follows from where the gap stands. Pure.
 *
 *     0  u8   mark 3c
 *     1  u24  how many records, 1 to LEDGER_SEGMENT_RECORDS
 *     4  u32  CRC-32C of u64 sequence number of the first | octets 0 to 3 | the nodes
 *     8  32   each node                                                      Integers are big-endian.
 *
 * A gap lies in one segment. Two may stand side by side: a tree that ends between them can still be made. */
#ifndef CONSENT_LEDGER_GAP_H
#define CONSENT_LEDGER_GAP_H

#include "consent/ledger_format.h"
#include "consent/ledger_tree.h"

#define GAP_MARK      0x3cu
#define GAP_HEAD      8u
#define GAP_NODES_MAX (2 * (SEGMENT_LEVEL - 1))
#define GAP_SIZE_MAX  (GAP_HEAD + GAP_NODES_MAX * DIGEST_SIZE)

struct gap {
    uint64_t first;
    uint32_t records;
    unsigned node_count;
    const uint8_t *nodes;
    size_t size; /* of its octets */
};

/* Whether so many records from `first` on lie in one segment, and are some. */
bool gap_fits(uint64_t first, uint64_t records);

/* CHECK that it fits. */
unsigned gap_node_count(uint64_t first, uint32_t records);
size_t gap_size(uint64_t first, uint32_t records);
/* `nodes`: all of them, one behind the other; `out` has gap_size() octets. */
void gap_encode(uint64_t first, uint32_t records, const uint8_t *nodes, uint8_t *out);

/* Takes the gap whose first record is `first` from the front of `octets`. */
MUST_CHECK enum record_result gap_decode(struct span octets, uint64_t first, struct gap *ret_gap);

/* Calls `each` with every node and the place of its subtree in the segment: `index` << `level` leaves stand
 * before it. */
void gap_each(const struct gap *gap,
              void (*each)(void *context, unsigned level, uint32_t index,
                           const struct digest *node),
              void *context);

/* Goes on with the gap's records. What is in the tree is the segment up to the gap. */
void tree_add_gap(struct tree *tree, const struct gap *gap);

/* Makes the nodes of a gap of its leaves, as they come. */
struct gap_builder {
    uint64_t first;
    uint32_t records;
    unsigned count;
    struct {
        unsigned level;
        uint32_t index;
    } places[GAP_NODES_MAX + 1];
    uint8_t nodes[(GAP_NODES_MAX + 1) * DIGEST_SIZE];
};
void gap_begin(struct gap_builder *builder, uint64_t first);
void gap_add(struct gap_builder *builder, const struct digest *leaf);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_gap.h"

#include "consent/crc32c.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"

static uint32_t place_of(uint64_t sequence)
{
    return (uint32_t)((sequence - 1) % LEDGER_SEGMENT_RECORDS);
}

bool gap_fits(uint64_t first, uint64_t records)
{
    return first > 0 && records > 0 && records <= LEDGER_SEGMENT_RECORDS - place_of(first);
}

/* Level of the largest subtree that begins at `place` and has no more than `left` leaves. */
static unsigned level_at(uint32_t place, uint32_t left)
{
    unsigned fits = 31 - (unsigned)__builtin_clz(left);
    unsigned begins = place == 0 ? SEGMENT_LEVEL : (unsigned)__builtin_ctz(place);
    return fits < begins ? fits : begins;
}

unsigned gap_node_count(uint64_t first, uint32_t records)
{
    unsigned count = 0;
    CHECK(gap_fits(first, records));
    for (uint32_t place = place_of(first), size; records > 0; place += size, records -= size) {
        size = 1u << level_at(place, records);
        count++;
    }
    return count;
}

size_t gap_size(uint64_t first, uint32_t records)
{
    return GAP_HEAD + (size_t)gap_node_count(first, records) * DIGEST_SIZE;
}

static uint32_t gap_checksum(const uint8_t *at, uint64_t first, size_t size)
{
    uint8_t front[12];
    store_u32(front, (uint32_t)(first >> 32));
    store_u32(front + 4, (uint32_t)first);
    memcpy(front + 8, at, 4);
    return crc32c(crc32c(0, front, sizeof front), at + GAP_HEAD, size - GAP_HEAD);
}

void gap_encode(uint64_t first, uint32_t records, const uint8_t *nodes, uint8_t *out)
{
    size_t size = gap_size(first, records);
    store_u32(out, GAP_MARK << 24 | records);
    memcpy(out + GAP_HEAD, nodes, size - GAP_HEAD);
    store_u32(out + 4, gap_checksum(out, first, size));
}

enum record_result gap_decode(struct span octets, uint64_t first, struct gap *ret_gap)
{
    struct reader in = reader_over(octets);
    uint32_t word = read_u32(&in), checksum = read_u32(&in);
    if (octets.length > 0 && octets.data[0] != GAP_MARK)
        return RECORD_INVALID;
    if (in.failed)
        return RECORD_SHORT;
    struct gap gap = {.first = first, .records = word & 0xffffff};
    if (!gap_fits(first, gap.records))
        return RECORD_INVALID;
    gap.node_count = gap_node_count(first, gap.records);
    gap.nodes = octets.data + GAP_HEAD;
    gap.size = gap_size(first, gap.records);
    if (octets.length < gap.size)
        return RECORD_SHORT;
    if (checksum != gap_checksum(octets.data, first, gap.size))
        return RECORD_INVALID;
    *ret_gap = gap;
    return RECORD_OK;
}

void gap_each(const struct gap *gap,
              void (*each)(void *context, unsigned level, uint32_t index,
                           const struct digest *node),
              void *context)
{
    uint32_t place = place_of(gap->first), left = gap->records;
    const uint8_t *at = gap->nodes;
    while (left > 0) {
        struct digest node;
        unsigned level = level_at(place, left);
        memcpy(node.octets, at, DIGEST_SIZE);
        each(context, level, place >> level, &node);
        at += DIGEST_SIZE;
        place += 1u << level;
        left -= 1u << level;
    }
}

static void add_node(void *context, unsigned level, uint32_t index, const struct digest *node)
{
    (void)index;
    tree_add_perfect(context, level, node);
}

void tree_add_gap(struct tree *tree, const struct gap *gap)
{
    gap_each(gap, add_node, tree);
}

void gap_begin(struct gap_builder *builder, uint64_t first)
{
    builder->first = first;
    builder->records = 0;
    builder->count = 0;
}

/* Two that are the halves of one become it. */
static void join_halves(struct gap_builder *builder)
{
    while (builder->count >= 2) {
        unsigned last = builder->count - 1;
        uint8_t *at = builder->nodes + (size_t)(last - 1) * DIGEST_SIZE;
        if (builder->places[last - 1].level != builder->places[last].level ||
            (builder->places[last - 1].index & 1) != 0)
            return;
        struct digest left, right;
        memcpy(left.octets, at, DIGEST_SIZE);
        memcpy(right.octets, at + DIGEST_SIZE, DIGEST_SIZE);
        struct digest parent = tree_parent(&left, &right);
        memcpy(at, parent.octets, DIGEST_SIZE);
        builder->places[last - 1].level++;
        builder->places[last - 1].index >>= 1;
        builder->count--;
    }
}

void gap_add(struct gap_builder *builder, const struct digest *leaf)
{
    unsigned count = builder->count++;
    CHECK(gap_fits(builder->first, builder->records + 1u) && count <= GAP_NODES_MAX);
    memcpy(builder->nodes + (size_t)count * DIGEST_SIZE, leaf->octets, DIGEST_SIZE);
    builder->places[count].level = 0;
    builder->places[count].index = place_of(builder->first) + builder->records++;
    join_halves(builder);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_index.h"

#include <stdlib.h>

#include "consent/crc32c.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/hash.h"
#include "proto/pack.h"

#define NUMBER_BITS 24

uint64_t index_number(uint64_t number)
{
    return hash_mix(number) >> (64 - NUMBER_BITS);
}

unsigned index_shift(uint32_t blocks)
{
    unsigned shift = 0;
    while (blocks > 1u << shift)
        shift++;
    return shift;
}

void index_add(struct index_builder *builder, uint64_t word, uint32_t block)
{
    CHECK(block < 1u << INDEX_BLOCK_BITS);
    if (word >> INDEX_WORD_BITS)
        return;
    if (builder->count == builder->size) {
        builder->size = builder->size ? 2 * builder->size : 4096;
        builder->keys = check_realloc(builder->keys, builder->size * sizeof *builder->keys);
    }
    builder->keys[builder->count++] = word << INDEX_BLOCK_BITS | block;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void index_finish(struct index_builder *builder, unsigned shift)
{
    size_t kept = 0;
    if (builder->count > 0)
        qsort(builder->keys, builder->count, sizeof *builder->keys, compare);
    for (size_t i = 0; i < builder->count; i++) {
        uint64_t word = builder->keys[i] >> INDEX_BLOCK_BITS;
        uint64_t block = builder->keys[i] & ((1u << INDEX_BLOCK_BITS) - 1);
        uint64_t key = word << shift | block;
        if (kept == 0 || builder->keys[kept - 1] != key)
            builder->keys[kept++] = key;
    }
    builder->count = kept;
}

void index_release(struct index_builder *builder)
{
    free(builder->keys);
    *builder = (struct index_builder){0};
}

static uint32_t chunk_checksum(uint64_t first, const uint8_t *octets, size_t length)
{
    uint8_t front[8];
    store_u32(front, (uint32_t)(first >> 32));
    store_u32(front + 4, (uint32_t)first);
    return crc32c(crc32c(0, front, sizeof front), octets, length);
}

size_t index_chunk_encode(const uint64_t *keys, size_t count, uint8_t out[INDEX_CHUNK_OCTETS])
{
    uint8_t *at = out;
    for (size_t i = 1; i < count; i++)
        at = varint_write(at, keys[i] - keys[i - 1]);
    size_t length = (size_t)(at - out);
    store_u32(out + length, chunk_checksum(keys[0], out, length));
    return length + 4;
}

static bool take_distance(struct reader *in, uint64_t *ret_distance)
{
    uint64_t distance = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t octet = read_u8(in);
        distance |= (uint64_t)(octet & 0x7f) << shift;
        if (octet < 0x80) {
            *ret_distance = distance;
            return !in->failed && distance > 0;
        }
    }
    return false;
}

bool index_chunk_decode(struct span octets, uint64_t first, size_t count,
                        uint64_t keys[INDEX_CHUNK])
{
    if (octets.length < 4 || octets.length > INDEX_CHUNK_OCTETS || count < 1 || count > INDEX_CHUNK)
        return false;
    size_t length = octets.length - 4;
    struct reader in = reader_over(span_of(octets.data, length));
    struct reader end = reader_over(span_of(octets.data + length, 4));
    if (read_u32(&end) != chunk_checksum(first, octets.data, length))
        return false;
    keys[0] = first;
    for (size_t i = 1; i < count; i++) {
        uint64_t distance;
        if (!take_distance(&in, &distance) || distance > UINT64_MAX - keys[i - 1])
            return false;
        keys[i] = keys[i - 1] + distance;
    }
    return reader_left(&in) == 0;
}

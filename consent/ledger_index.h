/* SPDX-License-Identifier: Apache-2.0 */
/* What a sealed segment's blocks hold: keys, each a word and the block that has a record of it, sorted, in
 * chunks of which a lookup needs one. Pure.
 *
 * A key is word << shift | block, with just as many bits for the block as the file's blocks need. A chunk
 * is INDEX_CHUNK keys (the last one fewer): the first stands in the directory, the others as varints of
 * their distance to the one before, then CRC-32C of the first as u64 | these. */
#ifndef CONSENT_LEDGER_INDEX_H
#define CONSENT_LEDGER_INDEX_H

#include "proto/base/err.h"
#include "proto/base/span.h"

enum index_kind {
    INDEX_NUMBERS,  /* index_number() of a phone number in a personal part */
    INDEX_MESSAGES, /* id of the message that an event names */
    INDEX_EVENTS,   /* number of the event's member in Event's oneof */
    INDEX_KINDS
};

#define INDEX_CHUNK        256u /* keys */
#define INDEX_CHUNK_OCTETS ((INDEX_CHUNK - 1) * 10 + 4)
#define INDEX_BLOCK_BITS   13 /* at most */
#define INDEX_WORD_BITS    48 /* at most: ids of messages */

/* 24 bits: of 20,000 numbers of a segment one in 800 looks like the one that is looked for. */
uint64_t index_number(uint64_t number);

/* How many bits numbers below `blocks` need. */
unsigned index_shift(uint32_t blocks);

struct index_builder {
    uint64_t *keys;
    size_t count, size;
};

/* Zeroed memory is an empty one. A word above 48 bits is nothing's and is left out. */
void index_add(struct index_builder *builder, uint64_t word, uint32_t block);

/* Sorts, drops what is there twice, makes keys of them. */
void index_finish(struct index_builder *builder, unsigned shift);
void index_release(struct index_builder *builder);

static inline size_t index_chunks(size_t keys)
{
    return (keys + INDEX_CHUNK - 1) / INDEX_CHUNK;
}

/* Keys in chunk `chunk` of an index of `keys`. */
static inline size_t index_chunk_keys(size_t keys, size_t chunk)
{
    return keys - chunk * INDEX_CHUNK < INDEX_CHUNK ? keys - chunk * INDEX_CHUNK : INDEX_CHUNK;
}

/* Gives the chunk's octets. */
size_t index_chunk_encode(const uint64_t *keys, size_t count, uint8_t out[INDEX_CHUNK_OCTETS]);

/* All `count` keys, 1 to INDEX_CHUNK; false where the chunk is damaged. */
MUST_CHECK bool index_chunk_decode(struct span octets, uint64_t first, size_t count,
                                   uint64_t keys[INDEX_CHUNK]);

#endif

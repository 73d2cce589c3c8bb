/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed segment: a full one in compressed form, with what its blocks hold in its tail. Read through
 * sealed_read() it is the raw segment, octet for octet (but that parts which were being destroyed are).
 *
 *     head       as of a raw segment, beginning with "ASNTSLD\n"
 *     blocks     consent/ledger_block.h, one behind the other
 *     chunks     consent/ledger_index.h, of each index in turn
 *     directory  of each block: u64 where it begins, u64 where its first record stands in the raw
 *                segment, u32 how many records come before it;
 *                of each chunk: u64 its first key, u64 where it begins
 *     trailer    128 octets: "ASNTSLE\n", u64 octets of the file, u64 where the directory begins, u32
 *                blocks, u32 keys of each index, u64 the oldest and u64 the newest wall_ms of its events,
 *                u64 records, u64 octets and 32 root as in the raw segment's end, 20 zero, u32 CRC-32C
 *                of the directory and all of the trailer before it
 *
 * It holds exactly LEDGER_SEGMENT_RECORDS records. Where retention has taken some (flag 2 in the head), gaps stand
 * for them (consent/ledger_gap.h), in what is read too, and "octets as in the raw segment's end" are those with the
 * gaps; the root is as it was. Nothing in the file is trusted. */
#ifndef CONSENT_LEDGER_SEALED_H
#define CONSENT_LEDGER_SEALED_H

#include <sys/types.h>

#include "consent/ledger_block.h"
#include "consent/ledger_index.h"

#define SEALED_TRAILER 128u
#define SEALED_RAW_MAX ((uint64_t)LEDGER_SEGMENT_RECORDS * RECORD_SIZE_MAX + FILE_HEAD + FILE_END)
#define SEALED_BLOCKS_MAX                                                                          \
    (LEDGER_SEGMENT_RECORDS / BLOCK_RECORDS + (uint32_t)(SEALED_RAW_MAX / BLOCK_OCTETS) + 1)

static_assert(SEALED_BLOCKS_MAX <= 1u << INDEX_BLOCK_BITS, "an index names blocks in so many bits");

struct sealed_block {
    uint64_t offset;
    uint64_t raw;    /* of its first record in the raw segment */
    uint32_t before; /* records of the segment before it */
};

struct sealed_chunk {
    uint64_t first; /* key */
    uint64_t offset;
};

/* The tail, without the chunks themselves. */
struct sealed_tail {
    uint64_t octets;    /* of the file */
    uint64_t directory; /* where it begins */
    uint32_t blocks;
    uint32_t keys[INDEX_KINDS];
    uint64_t oldest_ms, newest_ms;
    struct file_end end; /* of the raw segment */
};

/* Octets of directory and trailer. */
size_t sealed_tail_size(const struct sealed_tail *tail);
/* To `out`, of sealed_tail_size() octets. `chunks`: of all indices, one behind the other. */
void sealed_tail_encode(const struct sealed_tail *tail, const struct sealed_block *blocks,
                        const struct sealed_chunk *chunks, uint8_t *out);

struct sealed;

/* `fd` stays the caller's, and must stay open. ERR_CORRUPT, ERR_VERSION or ERR_IO (errno). */
MUST_CHECK enum err sealed_open(int fd, uint64_t first, struct sealed **ret_sealed);
void sealed_free(struct sealed *sealed); /* NULL is fine */

/* Octets of the raw segment, as pread(2): fewer at the end of a block, of the head and of the records, so
 * that no block is unpacked before it is asked for. errno EBADMSG where a block is damaged. */
ssize_t sealed_read(struct sealed *sealed, void *out, size_t length, uint64_t offset);

bool sealed_has_gaps(const struct sealed *sealed);
const struct sealed_tail *sealed_tail(const struct sealed *sealed);
const struct sealed_block *sealed_block(const struct sealed *sealed, uint32_t block);
/* The block with the record that has `before` others of the segment before it. */
uint32_t sealed_block_of(const struct sealed *sealed, uint32_t before);

/* Marks in `set`, of one octet a block, the blocks that hold `word`. ERR_CORRUPT or ERR_IO. */
MUST_CHECK enum err sealed_find(struct sealed *sealed, enum index_kind kind, uint64_t word,
                                uint8_t *set);

/* Whether the index holds just these keys. ERR_OK, ERR_CORRUPT or ERR_IO. */
MUST_CHECK enum err sealed_compare(struct sealed *sealed, enum index_kind kind,
                                   const uint64_t *keys, size_t count);

/* Octets read from the file so far, and blocks unpacked. */
uint64_t sealed_blocks_read(const struct sealed *sealed);
uint64_t sealed_octets_read(const struct sealed *sealed);

#endif

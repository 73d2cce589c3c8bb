/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of a sealed segment: up to BLOCK_RECORDS records, compressed, which give back exactly the octets
 * that they had in the raw segment. No I/O; the only user of zstd.
 *
 * What can be computed again is not stored: checksums, and the commitment to a personal part that is
 * there. A record whose personal part is destroyed keeps its commitment and the length; where its personal
 * part stood its octets are zero.
 *
 *     0  u32  records                                  Integers are big-endian.
 *     4  u32  octets of the records as they were
 *     8  u32  octets of the lengths, u32 stored; of the public parts, u32 stored; of the personal
 *             parts, u32 stored
 *    32  u32  octets of salts and commitments
 *    36  the lengths, the public parts, the personal parts: each a zstd frame, or nothing
 *        salts and commitments as they are: they do not compress
 *        u32  CRC-32C of u64 sequence number of the first record | all of the above
 *
 * The lengths are two varints a record: public length << 2 | barrier << 1 | erased; personal length.
 * A gap (consent/ledger_gap.h) stands among them as one record would: how many it covers << 2 | 1; 0. Its nodes
 * are with the salts and commitments. */
#ifndef CONSENT_LEDGER_BLOCK_H
#define CONSENT_LEDGER_BLOCK_H

#include "consent/ledger_format.h"
#include "consent/ledger_gap.h"

#define BLOCK_RECORDS    2048u
#define BLOCK_OCTETS     (1u << 20) /* of its records: a block that has them takes no more */
#define BLOCK_RAW_MAX    (BLOCK_OCTETS + RECORD_SIZE_MAX)
#define BLOCK_STORED_MAX (2 * BLOCK_RAW_MAX)
#define BLOCK_HEAD       36u

struct block_writer;
struct block_writer *block_writer_new(void);
void block_writer_free(struct block_writer *writer);

/* An empty block whose first record is `sequence`. */
void block_begin(struct block_writer *writer, uint64_t sequence);
bool block_is_full(const struct block_writer *writer);
size_t block_raw(const struct block_writer *writer); /* octets */

/* The next record; `octets` are its own. `destroy`: without its personal part from now on. CHECKs that the
 * block is not full. */
void block_add(struct block_writer *writer, const uint8_t *octets, const struct record *record,
               bool destroy);

/* Records that are gone come next; `nodes` are their gap's. CHECKs that the block is not full. */
void block_add_gap(struct block_writer *writer, uint32_t records, const uint8_t *nodes);

/* The block, valid until the next block_begin(). ERR_CORRUPT, and the number of the record, when reading it
 * back would not give the same: the personal part is not the one that was committed to. */
MUST_CHECK enum err block_end(struct block_writer *writer, struct span *ret_stored,
                              uint64_t *ret_sequence);

struct block_reader;
struct block_reader *block_reader_new(void);
void block_reader_free(struct block_reader *reader); /* NULL is fine */

/* The records of a block as they stand in a raw segment, valid until the next call. ERR_CORRUPT. Never takes
 * more memory than a block may have. */
MUST_CHECK enum err block_decode(struct block_reader *reader, struct span stored, uint64_t sequence,
                                 struct span *ret_raw);

#endif

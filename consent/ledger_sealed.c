/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_sealed.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "consent/crc32c.h"
#include "consent/ledger_files.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"

#define TAIL_READ   8192u /* usually all of directory and trailer */
#define BLOCK_ENTRY 20u
#define CHUNK_ENTRY 16u
#define CHECKED     (SEALED_TRAILER - 4) /* of the trailer */

static const char magic[8] = {'A', 'S', 'N', 'T', 'S', 'L', 'E', '\n'};

struct sealed {
    int fd;
    bool has_gaps;
    uint64_t first, octets_read, blocks_read;
    struct sealed_tail tail;
    struct sealed_block *blocks;              /* one more, behind the last */
    struct sealed_chunk *chunks[INDEX_KINDS]; /* one more behind the last of all */
    uint8_t head[FILE_HEAD], end[FILE_END];   /* of the raw segment */
    struct block_reader *decoder;             /* NULL: no block was asked for yet */
    uint8_t *stored;                          /* octets of a block */
    size_t stored_size;
    uint32_t decoded; /* block that `raw` is of; tail.blocks: none */
    struct span raw;
    const struct sealed_chunk *loaded; /* chunk that `keys` are of, or NULL */
    uint64_t keys[INDEX_CHUNK];
};

static size_t all_chunks(const struct sealed_tail *tail)
{
    size_t chunks = 0;
    for (unsigned kind = 0; kind < INDEX_KINDS; kind++)
        chunks += index_chunks(tail->keys[kind]);
    return chunks;
}

size_t sealed_tail_size(const struct sealed_tail *tail)
{
    return tail->blocks * (size_t)BLOCK_ENTRY + all_chunks(tail) * CHUNK_ENTRY + SEALED_TRAILER;
}

static void write_u64(struct writer *out, uint64_t value)
{
    write_u32(out, (uint32_t)(value >> 32));
    write_u32(out, (uint32_t)value);
}

static uint64_t read_u64(struct reader *in)
{
    uint64_t high = read_u32(in);
    return high << 32 | read_u32(in);
}

void sealed_tail_encode(const struct sealed_tail *tail, const struct sealed_block *blocks,
                        const struct sealed_chunk *chunks, uint8_t *out)
{
    static const uint8_t zeros[20];
    size_t size = sealed_tail_size(tail);
    struct writer writer = writer_over(out, size);
    for (uint32_t i = 0; i < tail->blocks; i++) {
        write_u64(&writer, blocks[i].offset);
        write_u64(&writer, blocks[i].raw);
        write_u32(&writer, blocks[i].before);
    }
    for (size_t i = 0; i < all_chunks(tail); i++) {
        write_u64(&writer, chunks[i].first);
        write_u64(&writer, chunks[i].offset);
    }
    write_octets(&writer, magic, sizeof magic);
    write_u64(&writer, tail->octets);
    write_u64(&writer, tail->directory);
    write_u32(&writer, tail->blocks);
    for (unsigned kind = 0; kind < INDEX_KINDS; kind++)
        write_u32(&writer, tail->keys[kind]);
    write_u64(&writer, tail->oldest_ms);
    write_u64(&writer, tail->newest_ms);
    write_u64(&writer, tail->end.records);
    write_u64(&writer, tail->end.octets);
    write_octets(&writer, tail->end.root.octets, DIGEST_SIZE);
    write_octets(&writer, zeros, sizeof zeros);
    write_u32(&writer, crc32c(0, out, size - 4));
    CHECK(!writer.failed && writer_length(&writer) == size);
}

/* Opening ------------------------------------------------------------------------------------- */

/* All of it; a file that is too short is damaged. */
static enum err read_exactly(struct sealed *sealed, void *out, size_t length, uint64_t offset)
{
    ssize_t n = read_at(sealed->fd, out, length, offset);
    if (n < 0)
        return ERR_IO;
    sealed->octets_read += (uint64_t)n;
    return (size_t)n == length ? ERR_OK : ERR_CORRUPT;
}

static bool trailer_decode(struct span octets, struct sealed_tail *tail)
{
    struct reader in = reader_over(octets);
    struct span begin = read_span(&in, sizeof magic);
    tail->octets = read_u64(&in);
    tail->directory = read_u64(&in);
    tail->blocks = read_u32(&in);
    bool sane = tail->blocks >= 1 && tail->blocks <= SEALED_BLOCKS_MAX;
    for (unsigned kind = 0; kind < INDEX_KINDS; kind++) {
        tail->keys[kind] = read_u32(&in);
        sane = sane && tail->keys[kind] <= LEDGER_SEGMENT_RECORDS;
    }
    tail->oldest_ms = read_u64(&in);
    tail->newest_ms = read_u64(&in);
    tail->end.records = read_u64(&in);
    tail->end.octets = read_u64(&in);
    struct span root = read_span(&in, DIGEST_SIZE);
    memcpy(tail->end.root.octets, root.data, DIGEST_SIZE);
    return sane && memcmp(begin.data, magic, sizeof magic) == 0 &&
           tail->end.records == LEDGER_SEGMENT_RECORDS &&
           tail->end.octets >= FILE_HEAD + FILE_END && tail->end.octets <= SEALED_RAW_MAX;
}

static bool block_fits(const struct sealed_block *block, uint32_t records_max)
{
    const struct sealed_block *next = block + 1;
    return next->offset > block->offset && next->offset - block->offset <= BLOCK_STORED_MAX &&
           next->raw > block->raw && next->raw - block->raw <= BLOCK_RAW_MAX &&
           next->before > block->before && next->before - block->before <= records_max;
}

/* Everything stands where the one before it ends. */
static bool directory_fits(const struct sealed *sealed)
{
    const struct sealed_tail *tail = &sealed->tail;
    const struct sealed_chunk *chunk = sealed->chunks[0];
    size_t chunks = all_chunks(tail);
    uint32_t records_max = sealed->has_gaps ? LEDGER_SEGMENT_RECORDS : BLOCK_RECORDS;
    if (sealed->blocks[0].offset != FILE_HEAD || sealed->blocks[0].raw != FILE_HEAD ||
        sealed->blocks[0].before != 0)
        return false;
    for (uint32_t i = 0; i < tail->blocks; i++)
        if (!block_fits(&sealed->blocks[i], records_max))
            return false;
    for (size_t i = 0; i < chunks; i++)
        if (chunk[i + 1].offset <= chunk[i].offset ||
            chunk[i + 1].offset - chunk[i].offset > INDEX_CHUNK_OCTETS)
            return false;
    return true;
}

static void directory_decode(struct sealed *sealed, struct span octets)
{
    const struct sealed_tail *tail = &sealed->tail;
    struct reader in = reader_over(octets);
    size_t chunks = all_chunks(tail);
    sealed->blocks = check_calloc(tail->blocks + 1, sizeof *sealed->blocks);
    for (uint32_t i = 0; i < tail->blocks; i++) {
        sealed->blocks[i].offset = read_u64(&in);
        sealed->blocks[i].raw = read_u64(&in);
        sealed->blocks[i].before = read_u32(&in);
    }
    struct sealed_chunk *chunk = check_calloc(chunks + 1, sizeof *chunk);
    for (size_t i = 0; i < chunks; i++) {
        chunk[i].first = read_u64(&in);
        chunk[i].offset = read_u64(&in);
    }
    chunk[chunks].offset = tail->directory;
    for (unsigned kind = 0; kind < INDEX_KINDS; kind++) {
        sealed->chunks[kind] = chunk;
        chunk += index_chunks(tail->keys[kind]);
    }
    sealed->blocks[tail->blocks] = (struct sealed_block){
        sealed->chunks[0][0].offset, tail->end.octets - FILE_END, LEDGER_SEGMENT_RECORDS};
}

/* `octets` are the last `length` ones of the file; all of directory and trailer are among them. */
static enum err tail_decode(struct sealed *sealed, const uint8_t *octets, size_t length)
{
    size_t size = sealed_tail_size(&sealed->tail);
    const uint8_t *at = octets + length - size;
    struct reader end = reader_over(span_of(at + size - 4, 4));
    if (read_u32(&end) != crc32c(0, at, size - 4))
        return ERR_CORRUPT;
    directory_decode(sealed, span_of(at, size - SEALED_TRAILER));
    return directory_fits(sealed) ? ERR_OK : ERR_CORRUPT;
}

static enum err read_tail(struct sealed *sealed, uint64_t octets)
{
    uint8_t room[TAIL_READ], *all = room;
    size_t length = octets < TAIL_READ ? (size_t)octets : TAIL_READ;
    struct sealed_tail *tail = &sealed->tail;
    if (length < SEALED_TRAILER)
        return ERR_CORRUPT;
    enum err err = read_exactly(sealed, room, length, octets - length);
    if (err == ERR_OK && (!trailer_decode(span_of(room + length - SEALED_TRAILER, CHECKED), tail) ||
                          tail->octets != octets || sealed_tail_size(tail) > octets ||
                          tail->directory != octets - sealed_tail_size(tail)))
        err = ERR_CORRUPT;
    if (err == ERR_OK && sealed_tail_size(tail) > length) {
        length = sealed_tail_size(tail);
        all = check_malloc(length);
        err = read_exactly(sealed, all, length, octets - length);
    }
    if (err == ERR_OK)
        err = tail_decode(sealed, all, length);
    if (all != room)
        free(all);
    return err;
}

static enum err read_sealed(struct sealed *sealed)
{
    uint8_t octets[FILE_HEAD];
    struct file_head head = {0};
    struct stat status;
    if (fstat(sealed->fd, &status) != 0)
        return ERR_IO;
    enum err err = read_exactly(sealed, octets, sizeof octets, 0);
    if (err == ERR_OK)
        err = file_head_decode(span_of(octets, sizeof octets), FILE_SEALED, &head);
    if (err == ERR_OK && head.first != sealed->first)
        err = ERR_CORRUPT;
    sealed->has_gaps = err == ERR_OK && (head.flags & FILE_HAS_GAPS);
    return err == ERR_OK ? read_tail(sealed, (uint64_t)status.st_size) : err;
}

enum err sealed_open(int fd, uint64_t first, struct sealed **ret_sealed)
{
    struct sealed *sealed = check_calloc(1, sizeof *sealed);
    sealed->fd = fd;
    sealed->first = first;
    enum err err = read_sealed(sealed);
    if (err != ERR_OK) {
        int problem = errno;
        sealed_free(sealed);
        errno = problem;
        return err;
    }
    sealed->decoded = sealed->tail.blocks;
    file_head_encode(sealed->head, FILE_RAW, &(struct file_head){FILE_VERSION, 0, first});
    file_end_encode(sealed->end, &sealed->tail.end);
    *ret_sealed = sealed;
    return ERR_OK;
}

void sealed_free(struct sealed *sealed)
{
    if (sealed == NULL)
        return;
    block_reader_free(sealed->decoder);
    free(sealed->stored);
    free(sealed->blocks);
    free(sealed->chunks[0]);
    free(sealed);
}

bool sealed_has_gaps(const struct sealed *sealed)
{
    return sealed->has_gaps;
}

const struct sealed_tail *sealed_tail(const struct sealed *sealed)
{
    return &sealed->tail;
}

const struct sealed_block *sealed_block(const struct sealed *sealed, uint32_t block)
{
    return &sealed->blocks[block];
}

uint64_t sealed_octets_read(const struct sealed *sealed)
{
    return sealed->octets_read;
}

uint64_t sealed_blocks_read(const struct sealed *sealed)
{
    return sealed->blocks_read;
}

/* Reading ------------------------------------------------------------------------------------- */

uint32_t sealed_block_of(const struct sealed *sealed, uint32_t before)
{
    uint32_t low = 0, high = sealed->tail.blocks;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (sealed->blocks[middle].before <= before)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t block_at(const struct sealed *sealed, uint64_t raw)
{
    uint32_t low = 0, high = sealed->tail.blocks;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (sealed->blocks[middle].raw <= raw)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Has `raw` hold the block's records. */
static enum err decode(struct sealed *sealed, uint32_t index)
{
    const struct sealed_block *block = &sealed->blocks[index];
    size_t length = (size_t)(block[1].offset - block->offset);
    if (sealed->decoded == index)
        return ERR_OK;
    sealed->decoded = sealed->tail.blocks;
    if (sealed->decoder == NULL)
        sealed->decoder = block_reader_new();
    if (sealed->stored_size < length) {
        sealed->stored = check_realloc(sealed->stored, length);
        sealed->stored_size = length;
    }
    enum err err = read_exactly(sealed, sealed->stored, length, block->offset);
    if (err == ERR_OK)
        err = block_decode(sealed->decoder, span_of(sealed->stored, length),
                           sealed->first + block->before, &sealed->raw);
    if (err == ERR_OK && sealed->raw.length != block[1].raw - block->raw)
        err = ERR_CORRUPT;
    if (err == ERR_OK) {
        sealed->decoded = index;
        sealed->blocks_read++;
    }
    return err;
}

static ssize_t copy_from(struct span part, uint64_t offset, void *out, size_t length)
{
    size_t left = part.length - (size_t)offset;
    size_t n = left < length ? left : length;
    memcpy(out, part.data + offset, n);
    return (ssize_t)n;
}

ssize_t sealed_read(struct sealed *sealed, void *out, size_t length, uint64_t offset)
{
    uint64_t records_end = sealed->tail.end.octets - FILE_END;
    if (offset >= sealed->tail.end.octets)
        return 0;
    if (offset < FILE_HEAD)
        return copy_from(span_of(sealed->head, FILE_HEAD), offset, out, length);
    if (offset >= records_end)
        return copy_from(span_of(sealed->end, FILE_END), offset - records_end, out, length);
    uint32_t block = block_at(sealed, offset);
    enum err err = decode(sealed, block);
    if (err == ERR_CORRUPT)
        errno = EBADMSG;
    if (err != ERR_OK)
        return -1;
    return copy_from(sealed->raw, offset - sealed->blocks[block].raw, out, length);
}

/* Looking up ---------------------------------------------------------------------------------- */

static enum err load_chunk(struct sealed *sealed, const struct sealed_chunk *chunk, size_t count)
{
    uint8_t octets[INDEX_CHUNK_OCTETS];
    size_t length = (size_t)(chunk[1].offset - chunk->offset);
    if (sealed->loaded == chunk)
        return ERR_OK;
    sealed->loaded = NULL;
    enum err err = read_exactly(sealed, octets, length, chunk->offset);
    if (err == ERR_OK &&
        !index_chunk_decode(span_of(octets, length), chunk->first, count, sealed->keys))
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        sealed->loaded = chunk;
    return err;
}

/* The last chunk that begins at or before `key`; the first one where none does. */
static size_t chunk_of(const struct sealed_chunk *chunks, size_t count, uint64_t key)
{
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (chunks[middle].first <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

enum err sealed_find(struct sealed *sealed, enum index_kind kind, uint64_t word, uint8_t *set)
{
    const struct sealed_chunk *chunks = sealed->chunks[kind];
    size_t keys = sealed->tail.keys[kind], count = index_chunks(keys);
    unsigned shift = index_shift(sealed->tail.blocks);
    if (word >> INDEX_WORD_BITS || count == 0)
        return ERR_OK;
    uint64_t low = word << shift, high = (word + 1) << shift;
    for (size_t i = chunk_of(chunks, count, low); i < count && chunks[i].first < high; i++) {
        size_t in_chunk = index_chunk_keys(keys, i);
        enum err err = load_chunk(sealed, &chunks[i], in_chunk);
        if (err != ERR_OK)
            return err;
        for (size_t k = 0; k < in_chunk; k++)
            if (sealed->keys[k] >= low && sealed->keys[k] < high &&
                sealed->keys[k] - low < sealed->tail.blocks)
                set[sealed->keys[k] - low] = 1;
    }
    return ERR_OK;
}

enum err sealed_compare(struct sealed *sealed, enum index_kind kind, const uint64_t *keys,
                        size_t count)
{
    const struct sealed_chunk *chunks = sealed->chunks[kind];
    if (sealed->tail.keys[kind] != count)
        return ERR_CORRUPT;
    for (size_t i = 0; i < index_chunks(count); i++) {
        size_t in_chunk = index_chunk_keys(count, i);
        enum err err = load_chunk(sealed, &chunks[i], in_chunk);
        if (err != ERR_OK)
            return err;
        if (memcmp(sealed->keys, keys + i * INDEX_CHUNK, in_chunk * sizeof *keys) != 0)
            return ERR_CORRUPT;
    }
    return ERR_OK;
}

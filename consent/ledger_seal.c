/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "consent/ledger_contents.h"
#include "consent/ledger_file.h"
#include "consent/ledger_scan.h"
#include "consent/ledger_tree.h"
#include "proto/base/check.h"

struct store {
    int folder;
    uint64_t first;
    const struct segment_filter *filter; /* or NULL */
    const struct segment_cut *cut;       /* or NULL */
    struct gap_builder gap;              /* of records that go */
    struct ledger_file source;
    struct ledger_scan scan;
    struct file_end end;
    struct tree tree;
    struct contents contents;
    struct block_writer *writer;
    struct sealed_block *blocks;
    uint32_t block_count;
    uint64_t raw; /* octets of the raw segment so far */
    int fd;
    uint64_t octets; /* written */
    char why[256];
};

static void __attribute__((format(printf, 2, 3))) tell(struct store *store, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(store->why, sizeof store->why, format, arguments);
    va_end(arguments);
}

static int lock_folder(int folder, int how)
{
    int lock = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;
    if (lock < 0)
        return -1;
    do
        result = flock(lock, how);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return lock;
    int problem = errno;
    close(lock);
    errno = problem;
    return -1;
}

int segments_lock(int folder)
{
    return lock_folder(folder, LOCK_EX);
}

void segments_unlock(int lock)
{
    close(lock);
}

static enum err write_next(struct store *store, struct span octets)
{
    enum err err = write_at(store->fd, octets, store->octets);
    if (err == ERR_OK)
        store->octets += octets.length;
    else
        tell(store, "a sealed segment cannot be written: %s.", strerror(errno));
    return err;
}

static enum err write_head(struct store *store)
{
    uint8_t head[FILE_HEAD];
    bool gaps = store->cut != NULL ||
                (store->source.sealed != NULL && sealed_has_gaps(store->source.sealed));
    file_head_encode(head, FILE_SEALED,
                     &(struct file_head){FILE_VERSION, gaps ? FILE_HAS_GAPS : 0, store->first});
    return write_next(store, span_of(head, sizeof head));
}

static enum err write_block(struct store *store)
{
    struct span stored;
    uint64_t sequence = 0;
    struct sealed_block *block = &store->blocks[store->block_count];
    CHECK(store->block_count < SEALED_BLOCKS_MAX);
    enum err err = block_end(store->writer, &stored, &sequence);
    if (err != ERR_OK) {
        tell(store,
             "the personal part of record %llu is not the one that was "
             "recorded: run assent verify.",
             (unsigned long long)sequence);
        return err;
    }
    block->offset = store->octets;
    block->raw = store->raw;
    store->raw += block_raw(store->writer);
    store->block_count++;
    return write_next(store, stored);
}

/* The record's octets stand right before where the scan is. */
static const uint8_t *octets_of(const struct record *record)
{
    return record->public_part.data - RECORD_HEAD;
}

static void begin_block(struct store *store, uint64_t before)
{
    store->blocks[store->block_count].before = (uint32_t)before;
    block_begin(store->writer, store->first + before);
}

/* A block that is full is written before what comes next, record or gap; it is there already. */
static enum err make_room(struct store *store, uint64_t before)
{
    if (!block_is_full(store->writer))
        return ERR_OK;
    enum err err = write_block(store);
    if (err == ERR_OK)
        begin_block(store, before);
    return err;
}

static enum err put_gap(struct store *store, uint64_t first, uint32_t records, const uint8_t *nodes)
{
    enum err err = make_room(store, first - store->first);
    if (err == ERR_OK)
        block_add_gap(store->writer, records, nodes);
    return err;
}

/* Of the records that have gone so far. */
static enum err end_gap(struct store *store)
{
    struct gap_builder *gap = &store->gap;
    if (gap->records == 0)
        return ERR_OK;
    uint32_t records = gap->records;
    gap->records = 0;
    return put_gap(store, gap->first, records, gap->nodes);
}

static enum err put_record(struct store *store, uint64_t sequence, struct record *record)
{
    const uint8_t *octets = octets_of(record);
    const struct segment_filter *filter = store->filter;
    enum err err = end_gap(store);
    if (err == ERR_OK)
        err = make_room(store, sequence - store->first);
    if (err != ERR_OK)
        return err;
    bool destroy = filter != NULL && record->personal_part.length > 0 &&
                   filter->destroys(filter->context, sequence, record);
    block_add(store->writer, octets, record, destroy);
    if (destroy)
        record->personal_part = span_of(NULL, 0);
    contents_add(&store->contents, record, store->block_count);
    return ERR_OK;
}

static enum err add_record(struct store *store, struct record *record)
{
    uint64_t sequence = store->scan.sequence - 1, place = sequence - store->first;
    const struct segment_cut *cut = store->cut;
    struct digest leaf = sha256(record->leaf);
    enum err err = ERR_OK;
    tree_add(&store->tree, &leaf);
    if (cut == NULL || !segment_bit(cut->gone, place))
        return put_record(store, sequence, record);
    if (segment_bit(cut->splits, place))
        err = end_gap(store);
    if (store->gap.records == 0)
        gap_begin(&store->gap, sequence);
    gap_add(&store->gap, &leaf);
    return err;
}

/* One that was there before. */
static enum err add_gap(struct store *store)
{
    const struct gap *gap = &store->scan.gap;
    enum err err = end_gap(store);
    tree_add_gap(&store->tree, gap);
    return err == ERR_OK ? put_gap(store, gap->first, gap->records, gap->nodes) : err;
}

static enum err not_read(struct store *store, enum scan_result result)
{
    if (result == SCAN_ERROR)
        tell(store, "it cannot be read: %s.", strerror(errno));
    else
        tell(store, "it is damaged where record %llu should be.",
             (unsigned long long)store->scan.sequence);
    return result == SCAN_ERROR ? ERR_IO : ERR_CORRUPT;
}

static enum err write_blocks(struct store *store)
{
    struct record record;
    enum err err = ERR_OK;
    scan_start(&store->scan, &store->source, store->first);
    begin_block(store, 0);
    while (err == ERR_OK && store->tree.count < LEDGER_SEGMENT_RECORDS) {
        enum scan_result result = scan_next(&store->scan, &record);
        err = result == SCAN_RECORD ? add_record(store, &record)
              : result == SCAN_GAP  ? add_gap(store)
                                    : not_read(store, result);
    }
    if (err == ERR_OK)
        err = end_gap(store);
    return err == ERR_OK ? write_block(store) : err;
}

static enum err check_end(struct store *store)
{
    struct digest root = tree_root(&store->tree);
    if (store->cut != NULL)
        store->end.octets = store->raw + FILE_END;
    if (store->raw + FILE_END == store->end.octets &&
        memcmp(root.octets, store->end.root.octets, DIGEST_SIZE) == 0)
        return ERR_OK;
    tell(store, "its records are not those that its end says: run assent verify.");
    return ERR_CORRUPT;
}

/* The chunks of an index; where each begins goes to `chunks`. */
static enum err write_index(struct store *store, const struct index_builder *index,
                            struct sealed_chunk *chunks)
{
    uint8_t octets[INDEX_CHUNK_OCTETS];
    for (size_t i = 0; i < index_chunks(index->count); i++) {
        const uint64_t *keys = index->keys + i * INDEX_CHUNK;
        size_t length = index_chunk_encode(keys, index_chunk_keys(index->count, i), octets);
        chunks[i] = (struct sealed_chunk){keys[0], store->octets};
        enum err err = write_next(store, span_of(octets, length));
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err write_tail(struct store *store)
{
    struct sealed_tail tail = {.blocks = store->block_count,
                               .oldest_ms = store->contents.oldest_ms,
                               .newest_ms = store->contents.newest_ms,
                               .end = store->end};
    size_t chunk_count = 0;
    enum err err = ERR_OK;
    for (unsigned kind = 0; kind < INDEX_KINDS; kind++) {
        index_finish(&store->contents.indices[kind], index_shift(tail.blocks));
        tail.keys[kind] = (uint32_t)store->contents.indices[kind].count;
        chunk_count += index_chunks(tail.keys[kind]);
    }
    struct sealed_chunk *chunks = check_calloc(chunk_count + 1, sizeof *chunks), *chunk = chunks;
    for (unsigned kind = 0; kind < INDEX_KINDS && err == ERR_OK; kind++) {
        err = write_index(store, &store->contents.indices[kind], chunk);
        chunk += index_chunks(tail.keys[kind]);
    }
    if (err == ERR_OK) {
        size_t size = sealed_tail_size(&tail);
        uint8_t *octets = check_malloc(size);
        tail.directory = store->octets;
        tail.octets = store->octets + size;
        sealed_tail_encode(&tail, store->blocks, chunks, octets);
        err = write_next(store, span_of(octets, size));
        free(octets);
    }
    free(chunks);
    return err;
}

static enum err write_file(struct store *store)
{
    enum err err = write_head(store);
    if (err == ERR_OK)
        err = write_blocks(store);
    if (err == ERR_OK)
        err = check_end(store);
    if (err == ERR_OK)
        err = write_tail(store);
    if (err == ERR_OK && sync_data(store->fd) != ERR_OK) {
        tell(store, "a sealed segment cannot be synced: %s.", strerror(errno));
        err = ERR_IO;
    }
    return err;
}

/* Gives the file its name, and takes away the raw one. */
static enum err publish(struct store *store)
{
    enum err err = file_publish(store->folder, store->first, SEALED_SUFFIX);
    if (err == ERR_OK)
        err = file_remove(store->folder, store->first, SEGMENT_SUFFIX);
    if (err == ERR_OK)
        err = sync_folder(store->folder);
    if (err != ERR_OK)
        tell(store, "a sealed segment cannot get its name: %s.", strerror(errno));
    return err;
}

static enum err store_source(struct store *store)
{
    store->fd = file_begin(store->folder, store->first, SEALED_SUFFIX);
    if (store->fd < 0) {
        tell(store, "a sealed segment cannot be made: %s.", strerror(errno));
        return err_from_errno();
    }
    store->writer = block_writer_new();
    store->blocks = check_calloc(SEALED_BLOCKS_MAX, sizeof *store->blocks);
    store->raw = FILE_HEAD;
    scan_init(&store->scan);
    tree_reset(&store->tree);
    enum err err = write_file(store);
    close(store->fd);
    if (err == ERR_OK)
        err = publish(store);
    if (err != ERR_OK)
        file_abandon(store->folder, store->first, SEALED_SUFFIX);
    scan_release(&store->scan);
    contents_release(&store->contents);
    block_writer_free(store->writer);
    free(store->blocks);
    return err;
}

static enum err store_segment(int folder, uint64_t first, const struct segment_filter *filter,
                              const struct segment_cut *cut, const char **ret_why)
{
    struct store store = {.folder = folder, .first = first, .filter = filter, .cut = cut, .fd = -1};
    if (!segment_exists(folder, first) || !segment_exists(folder, first + LEDGER_SEGMENT_RECORDS)) {
        *ret_why = "only what has segments behind it is sealed.";
        return ERR_AGAIN;
    }
    enum err err = ledger_file_open(folder, first, &store.source);
    if (err == ERR_OK)
        err = ledger_file_end(&store.source, &store.end);
    if (err == ERR_OK)
        err = store_source(&store);
    else
        tell(&store, "%s", err == ERR_IO ? strerror(errno) : "it has no sound end.");
    if (err != ERR_OK)
        *ret_why = ledger_why("ledger/%s was not sealed: %s", store.source.name, store.why);
    ledger_file_close(&store.source);
    return err;
}

enum err segment_store(int folder, uint64_t first, const struct segment_filter *filter,
                       const char **ret_why)
{
    return store_segment(folder, first, filter, NULL, ret_why);
}

enum err segment_cut(int folder, uint64_t first, const struct segment_cut *cut,
                     const char **ret_why)
{
    return store_segment(folder, first, NULL, cut, ret_why);
}

uint64_t segment_to_seal(int folder, uint64_t from, unsigned spared)
{
    uint64_t *raw, *all, found = 0;
    size_t raw_count, count;
    if (!folder_list(folder, SEGMENT_SUFFIX, &raw, &raw_count))
        return 0;
    if (!segments_list(folder, &all, &count)) {
        free(raw);
        return 0;
    }
    for (size_t i = raw_count; i-- > 0;)
        if (raw[i] >= from && count > spared && raw[i] < all[count - spared])
            found = raw[i];
    free(raw);
    free(all);
    return found;
}

/* What has not got its name. */
static enum err remove_unfinished(int folder)
{
    uint64_t *numbers;
    size_t count;
    enum err err = ERR_OK;
    if (!folder_list(folder, SEALED_SUFFIX NEW_SUFFIX, &numbers, &count))
        return ERR_IO;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = file_remove(folder, numbers[i], SEALED_SUFFIX NEW_SUFFIX);
    free(numbers);
    return err;
}

static enum err remove_doubles(int folder)
{
    uint64_t *raw, *sealed;
    size_t raw_count, sealed_count, r = 0;
    enum err err = ERR_OK;
    if (!folder_list(folder, SEGMENT_SUFFIX, &raw, &raw_count))
        return ERR_IO;
    if (!folder_list(folder, SEALED_SUFFIX, &sealed, &sealed_count)) {
        free(raw);
        return ERR_IO;
    }
    for (size_t s = 0; s < sealed_count && err == ERR_OK; s++) {
        while (r < raw_count && raw[r] < sealed[s])
            r++;
        if (r < raw_count && raw[r] == sealed[s])
            err = file_remove(folder, sealed[s], SEALED_SUFFIX);
    }
    free(raw);
    free(sealed);
    return err;
}

enum err segments_settle(int folder)
{
    int lock = lock_folder(folder, LOCK_EX | LOCK_NB);
    if (lock < 0)
        return errno == EWOULDBLOCK ? ERR_OK : ERR_IO;
    enum err err = remove_unfinished(folder);
    if (err == ERR_OK)
        err = remove_doubles(folder);
    segments_unlock(lock);
    return err;
}

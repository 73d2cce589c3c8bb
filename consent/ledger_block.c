/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_block.h"

#include <stdlib.h>
#include <zstd.h>

#include "consent/crc32c.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/pack.h"

#define LEVEL         3 /* 9 and 19 take four and forty times as long for 2 octets a message */
#define LENGTHS_MAX   (BLOCK_RECORDS * 6)
#define IS_ERASED     1u
#define IS_BARRIER    2u
#define FLAG_BITS     2
#define VARINT_OCTETS 3 /* of 21 bits */

static_assert((uint64_t)LEDGER_RECORD_MAX << FLAG_BITS < 1u << 7 * VARINT_OCTETS,
              "a length must fit its varint");
static_assert((uint64_t)LEDGER_SEGMENT_RECORDS << FLAG_BITS < 1u << 7 * VARINT_OCTETS,
              "so must a gap's records");
static_assert(GAP_SIZE_MAX <= RECORD_SIZE_MAX, "a gap takes no more room than a record");

enum { LENGTHS, PUBLIC, PERSONAL, STREAMS };

/* Octets that grow up to a limit. */
struct room {
    uint8_t *data;
    size_t length, size;
};

static uint8_t *room_for(struct room *room, size_t length)
{
    if (room->size < length) {
        size_t size = room->size ? room->size : 4096;
        while (size < length)
            size *= 2;
        room->data = check_realloc(room->data, size);
        room->size = size;
    }
    return room->data;
}

static void room_add(struct room *room, struct span octets)
{
    if (octets.length == 0)
        return;
    memcpy(room_for(room, room->length + octets.length) + room->length, octets.data, octets.length);
    room->length += octets.length;
}

static void add_varint(struct room *room, uint32_t value)
{
    uint8_t octets[VARINT_OCTETS];
    room_add(room, span_of(octets, (size_t)(varint_write(octets, value) - octets)));
}

/* A reader that has failed gives 0. */
static uint32_t take_varint(struct reader *reader)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < VARINT_OCTETS; i++) {
        uint8_t octet = read_u8(reader);
        value |= (uint32_t)(octet & 0x7f) << (7 * i);
        if (octet < 0x80)
            return value;
    }
    reader->failed = true;
    return 0;
}

static uint32_t block_checksum(const uint8_t *data, size_t length, uint64_t sequence)
{
    uint8_t front[8];
    store_u32(front, (uint32_t)(sequence >> 32));
    store_u32(front + 4, (uint32_t)sequence);
    return crc32c(crc32c(0, front, sizeof front), data, length);
}

/* Writing ------------------------------------------------------------------------------------- */

struct block_writer {
    ZSTD_CCtx *zstd;
    struct block_reader *check;
    uint64_t sequence, next; /* of its first record, and behind its last */
    uint32_t records;        /* and gaps */
    struct room streams[STREAMS];
    struct room secrets;
    struct room raw; /* what reading it back must give */
    struct room stored;
};

struct block_writer *block_writer_new(void)
{
    struct block_writer *writer = check_calloc(1, sizeof *writer);
    writer->zstd = ZSTD_createCCtx();
    CHECK(writer->zstd != NULL);
    writer->check = block_reader_new();
    return writer;
}

void block_writer_free(struct block_writer *writer)
{
    ZSTD_freeCCtx(writer->zstd);
    block_reader_free(writer->check);
    for (unsigned i = 0; i < STREAMS; i++)
        free(writer->streams[i].data);
    free(writer->secrets.data);
    free(writer->raw.data);
    free(writer->stored.data);
    free(writer);
}

void block_begin(struct block_writer *writer, uint64_t sequence)
{
    writer->sequence = writer->next = sequence;
    writer->records = 0;
    for (unsigned i = 0; i < STREAMS; i++)
        writer->streams[i].length = 0;
    writer->secrets.length = writer->raw.length = writer->stored.length = 0;
}

bool block_is_full(const struct block_writer *writer)
{
    return writer->records == BLOCK_RECORDS || writer->raw.length >= BLOCK_OCTETS;
}

size_t block_raw(const struct block_writer *writer)
{
    return writer->raw.length;
}

void block_add(struct block_writer *writer, const uint8_t *octets, const struct record *record,
               bool destroy)
{
    CHECK(!block_is_full(writer));
    size_t personal_length = record_personal_length(octets);
    bool erased = personal_length > 0 && (record->erased || destroy);
    add_varint(&writer->streams[LENGTHS], (uint32_t)record->public_part.length << FLAG_BITS |
                                              (record->barrier ? IS_BARRIER : 0) |
                                              (erased ? IS_ERASED : 0));
    add_varint(&writer->streams[LENGTHS], (uint32_t)personal_length);
    room_add(&writer->streams[PUBLIC], record->public_part);
    if (erased) {
        uint8_t *at = room_for(&writer->raw, writer->raw.length + record->size);
        record_make_erased(at + writer->raw.length, writer->next, record->barrier,
                           record->public_part, personal_length, record->commitment.data);
        writer->raw.length += record->size;
        room_add(&writer->secrets, record->commitment);
    } else {
        room_add(&writer->raw, span_of(octets, record->size));
        room_add(&writer->streams[PERSONAL], record->personal_part);
        if (personal_length > 0)
            room_add(&writer->secrets, span_of(record->personal_part.data - SALT_SIZE, SALT_SIZE));
    }
    writer->records++;
    writer->next++;
}

void block_add_gap(struct block_writer *writer, uint32_t records, const uint8_t *nodes)
{
    CHECK(!block_is_full(writer));
    size_t size = gap_size(writer->next, records);
    uint8_t *at = room_for(&writer->raw, writer->raw.length + size) + writer->raw.length;
    add_varint(&writer->streams[LENGTHS], records << FLAG_BITS | IS_ERASED);
    add_varint(&writer->streams[LENGTHS], 0);
    gap_encode(writer->next, records, nodes, at);
    writer->raw.length += size;
    room_add(&writer->secrets, span_of(nodes, size - GAP_HEAD));
    writer->records++;
    writer->next += records;
}

/* Stores the stream behind what is stored already; its two lengths at `lengths`. */
static void store_stream(struct block_writer *writer, const struct room *stream, size_t lengths)
{
    struct room *stored = &writer->stored;
    size_t bound = stream->length ? ZSTD_compressBound(stream->length) : 0, length = 0;
    uint8_t *at = room_for(stored, stored->length + bound) + stored->length;
    if (stream->length > 0)
        length = ZSTD_compressCCtx(writer->zstd, at, bound, stream->data, stream->length, LEVEL);
    CHECK(!ZSTD_isError(length));
    store_u32(stored->data + lengths, (uint32_t)stream->length);
    store_u32(stored->data + lengths + 4, (uint32_t)length);
    stored->length += length;
}

/* The first record that is not the same in both. */
static uint64_t first_difference(const struct block_writer *writer, const uint8_t *other)
{
    const uint8_t *at = writer->raw.data;
    uint64_t sequence = writer->sequence;
    struct gap gap;
    for (;;) {
        size_t left = (size_t)(writer->raw.data + writer->raw.length - at);
        bool is_gap = gap_decode(span_of(at, left), sequence, &gap) == RECORD_OK;
        size_t size = is_gap ? gap.size : record_laid_size(at);
        if (memcmp(at, other, size) != 0)
            return sequence;
        sequence += is_gap ? gap.records : 1;
        other += size;
        at += size;
    }
}

enum err block_end(struct block_writer *writer, struct span *ret_stored, uint64_t *ret_sequence)
{
    struct room *stored = &writer->stored;
    struct span back;
    uint8_t checksum[4];
    room_for(stored, BLOCK_HEAD);
    stored->length = BLOCK_HEAD;
    for (unsigned i = 0; i < STREAMS; i++)
        store_stream(writer, &writer->streams[i], 8 + 8 * i);
    room_add(stored, span_of(writer->secrets.data, writer->secrets.length));
    store_u32(stored->data, writer->records);
    store_u32(stored->data + 4, (uint32_t)writer->raw.length);
    store_u32(stored->data + 32, (uint32_t)writer->secrets.length);
    store_u32(checksum, block_checksum(stored->data, stored->length, writer->sequence));
    room_add(stored, span_of(checksum, sizeof checksum));
    *ret_stored = span_of(stored->data, stored->length);
    CHECK(stored->length <= BLOCK_STORED_MAX);
    enum err err = block_decode(writer->check, *ret_stored, writer->sequence, &back);
    CHECK(err == ERR_OK && back.length == writer->raw.length);
    if (memcmp(back.data, writer->raw.data, back.length) == 0)
        return ERR_OK;
    *ret_sequence = first_difference(writer, back.data);
    return ERR_CORRUPT;
}

/* Reading ------------------------------------------------------------------------------------- */

struct block_reader {
    ZSTD_DCtx *zstd;
    struct room streams[STREAMS];
    struct room raw;
};

struct block_reader *block_reader_new(void)
{
    struct block_reader *reader = check_calloc(1, sizeof *reader);
    reader->zstd = ZSTD_createDCtx();
    CHECK(reader->zstd != NULL);
    return reader;
}

void block_reader_free(struct block_reader *reader)
{
    if (reader == NULL)
        return;
    ZSTD_freeDCtx(reader->zstd);
    for (unsigned i = 0; i < STREAMS; i++)
        free(reader->streams[i].data);
    free(reader->raw.data);
    free(reader);
}

struct block_head {
    uint32_t records, raw;
    uint32_t plain[STREAMS], stored[STREAMS];
    uint32_t secrets;
};

/* Limits before anything is taken for it. */
static bool head_is_sane(const struct block_head *head)
{
    return head->records >= 1 && head->records <= BLOCK_RECORDS && head->raw <= BLOCK_RAW_MAX &&
           head->plain[LENGTHS] <= LENGTHS_MAX && head->plain[PUBLIC] <= head->raw &&
           head->plain[PERSONAL] <= head->raw && head->secrets <= head->raw;
}

static bool read_head(struct reader *in, struct block_head *head)
{
    head->records = read_u32(in);
    head->raw = read_u32(in);
    for (unsigned i = 0; i < STREAMS; i++) {
        head->plain[i] = read_u32(in);
        head->stored[i] = read_u32(in);
    }
    head->secrets = read_u32(in);
    return !in->failed && head_is_sane(head);
}

static bool read_stream(struct block_reader *reader, struct reader *in, unsigned stream,
                        const struct block_head *head)
{
    struct span stored = read_span(in, head->stored[stream]);
    size_t plain = head->plain[stream];
    if (in->failed || (plain == 0) != (stored.length == 0))
        return false;
    struct room *room = &reader->streams[stream];
    room->length = plain;
    return plain == 0 || ZSTD_decompressDCtx(reader->zstd, room_for(room, plain), plain,
                                             stored.data, stored.length) == plain;
}

/* What is left of the streams while records are made of them. */
struct parts {
    struct reader lengths, public_parts, personal_parts, secrets;
    uint8_t *at;
    size_t left;
};

static bool make_gap(struct parts *parts, uint32_t records, uint64_t *sequence)
{
    if (!gap_fits(*sequence, records))
        return false;
    size_t size = gap_size(*sequence, records);
    struct span nodes = read_span(&parts->secrets, size - GAP_HEAD);
    if (size > parts->left || parts->secrets.failed)
        return false;
    gap_encode(*sequence, records, nodes.data, parts->at);
    parts->at += size;
    parts->left -= size;
    *sequence += records;
    return true;
}

/* A record or a gap; the number of what follows. */
static bool make_record(struct parts *parts, uint64_t *sequence)
{
    uint32_t word = take_varint(&parts->lengths);
    size_t personal_length = take_varint(&parts->lengths), public_length = word >> FLAG_BITS;
    bool erased = word & IS_ERASED, barrier = word & IS_BARRIER;
    if (!parts->lengths.failed && erased && !barrier && personal_length == 0)
        return make_gap(parts, word >> FLAG_BITS, sequence);
    if (parts->lengths.failed || public_length > LEDGER_RECORD_MAX ||
        personal_length > LEDGER_RECORD_MAX - public_length || (erased && personal_length == 0))
        return false;
    size_t size = record_size(public_length, personal_length);
    struct span public_part = read_span(&parts->public_parts, public_length);
    struct span personal_part = read_span(&parts->personal_parts, erased ? 0 : personal_length);
    struct span secret = read_span(&parts->secrets, personal_length == 0 ? 0
                                                    : erased             ? DIGEST_SIZE
                                                                         : SALT_SIZE);
    if (size > parts->left || parts->public_parts.failed || parts->personal_parts.failed ||
        parts->secrets.failed)
        return false;
    if (erased) {
        record_make_erased(parts->at, *sequence, barrier, public_part, personal_length,
                           secret.data);
    } else {
        record_lay(parts->at, public_part, personal_part);
        record_finish(parts->at, *sequence, barrier, secret.data);
    }
    parts->at += size;
    parts->left -= size;
    ++*sequence;
    return true;
}

static struct reader over(const struct room *room)
{
    return reader_over(span_of(room->data, room->length));
}

static bool make_records(struct block_reader *reader, const struct block_head *head,
                         struct span secrets, uint64_t sequence)
{
    struct parts parts = {.lengths = over(&reader->streams[LENGTHS]),
                          .public_parts = over(&reader->streams[PUBLIC]),
                          .personal_parts = over(&reader->streams[PERSONAL]),
                          .secrets = reader_over(secrets),
                          .at = room_for(&reader->raw, head->raw),
                          .left = head->raw};
    for (uint32_t i = 0; i < head->records; i++)
        if (!make_record(&parts, &sequence))
            return false;
    return parts.left == 0 && reader_left(&parts.lengths) == 0 &&
           reader_left(&parts.public_parts) == 0 && reader_left(&parts.personal_parts) == 0 &&
           reader_left(&parts.secrets) == 0;
}

enum err block_decode(struct block_reader *reader, struct span stored, uint64_t sequence,
                      struct span *ret_raw)
{
    struct block_head head;
    if (stored.length < BLOCK_HEAD + 4 || stored.length > BLOCK_STORED_MAX)
        return ERR_CORRUPT;
    size_t length = stored.length - 4;
    struct reader in = reader_over(span_of(stored.data, length));
    struct reader end = reader_over(span_of(stored.data + length, 4));
    if (read_u32(&end) != block_checksum(stored.data, length, sequence) || !read_head(&in, &head))
        return ERR_CORRUPT;
    for (unsigned i = 0; i < STREAMS; i++)
        if (!read_stream(reader, &in, i, &head))
            return ERR_CORRUPT;
    struct span secrets = read_span(&in, head.secrets);
    if (in.failed || reader_left(&in) != 0 || !make_records(reader, &head, secrets, sequence))
        return ERR_CORRUPT;
    *ret_raw = span_of(reader->raw.data, head.raw);
    return ERR_OK;
}

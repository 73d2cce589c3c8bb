/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_format.h"

#include "consent/crc32c.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"

#define LENGTHS_BARRIER 0x800000u /* in the 24 bits after the mark */
#define LENGTHS_MASK    0x01ffffu /* personal length; the bits between are zero in version 1 */

static_assert(LEDGER_RECORD_MAX <= LENGTHS_MASK, "a length must fit its field");

static const char head_magic[][8] = {
    [FILE_RAW] = {'A', 'S', 'N', 'T', 'L', 'D', 'G', '\n'},
    [FILE_SEALED] = {'A', 'S', 'N', 'T', 'S', 'L', 'D', '\n'},
};
static const char end_magic[8] = {'A', 'S', 'N', 'T', 'E', 'N', 'D', '\n'};

static uint32_t load_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store_u64(uint8_t *at, uint64_t v)
{
    store_u32(at, (uint32_t)(v >> 32));
    store_u32(at + 4, (uint32_t)v);
}

static uint64_t load_u64(const uint8_t *at)
{
    return (uint64_t)load_u32(at) << 32 | load_u32(at + 4);
}

/* The sequence number is not stored, yet covered: a record in the wrong place is no record. */
static uint32_t public_checksum(const uint8_t *at, uint64_t sequence, size_t leaf_length)
{
    uint8_t front[12];
    store_u64(front, sequence);
    store_u32(front + 8, load_u32(at) & 0xffffff); /* the mark may change */
    return crc32c(crc32c(0, front, sizeof front), at + 8, leaf_length);
}

static uint32_t personal_checksum(const uint8_t *salt, uint64_t sequence, size_t length)
{
    uint8_t front[8];
    store_u64(front, sequence);
    return crc32c(crc32c(0, front, sizeof front), salt, length);
}

static size_t leaf_size(size_t public_length, size_t personal_length)
{
    return 4 + public_length + (personal_length ? DIGEST_SIZE : 0);
}

void record_lay(uint8_t *at, struct span public_part, struct span personal_part)
{
    store_u32(at, RECORD_LIVE << 24 | (uint32_t)personal_part.length);
    store_u32(at + 8, (uint32_t)public_part.length);
    at += RECORD_HEAD;
    if (public_part.length > 0)
        memcpy(at, public_part.data, public_part.length);
    if (personal_part.length > 0)
        memcpy(at + public_part.length + DIGEST_SIZE + SALT_SIZE, personal_part.data,
               personal_part.length);
}

static size_t laid_personal_length(const uint8_t *at)
{
    return load_u32(at) & LENGTHS_MASK;
}

size_t record_laid_size(const uint8_t *at)
{
    return record_size(load_u32(at + 8), laid_personal_length(at));
}

bool record_laid_personal(const uint8_t *at)
{
    return laid_personal_length(at) > 0;
}

struct span record_laid_leaf(const uint8_t *at)
{
    return span_of(at + 8, leaf_size(load_u32(at + 8), laid_personal_length(at)));
}

void record_finish(uint8_t *at, uint64_t sequence, bool barrier, const uint8_t salt[SALT_SIZE])
{
    size_t public_length = load_u32(at + 8);
    size_t personal_length = laid_personal_length(at);
    if (barrier)
        at[1] |= LENGTHS_BARRIER >> 16;
    if (personal_length > 0) {
        uint8_t *commitment = at + RECORD_HEAD + public_length;
        uint8_t *secret = commitment + DIGEST_SIZE;
        size_t secret_length = SALT_SIZE + personal_length;
        memcpy(secret, salt, SALT_SIZE);
        struct digest digest = sha256(span_of(secret, secret_length));
        memcpy(commitment, digest.octets, DIGEST_SIZE);
        store_u32(secret + secret_length, personal_checksum(secret, sequence, secret_length));
    }
    store_u32(at + 4, public_checksum(at, sequence, leaf_size(public_length, personal_length)));
}

void record_make_erased(uint8_t *at, uint64_t sequence, bool barrier, struct span public_part,
                        size_t personal_length, const uint8_t commitment[DIGEST_SIZE])
{
    memset(at, 0, record_size(public_part.length, personal_length));
    store_u32(at,
              RECORD_ERASED << 24 | (barrier ? LENGTHS_BARRIER : 0) | (uint32_t)personal_length);
    store_u32(at + 8, (uint32_t)public_part.length);
    if (public_part.length > 0)
        memcpy(at + RECORD_HEAD, public_part.data, public_part.length);
    memcpy(at + RECORD_HEAD + public_part.length, commitment, DIGEST_SIZE);
    store_u32(at + 4,
              public_checksum(at, sequence, leaf_size(public_part.length, personal_length)));
}

size_t record_personal_length(const uint8_t *octets)
{
    return laid_personal_length(octets);
}

bool record_plausible(struct span octets)
{
    const uint8_t *at = octets.data;
    if (octets.length < RECORD_HEAD || (at[0] != RECORD_LIVE && at[0] != RECORD_ERASED))
        return false;
    uint32_t lengths = load_u32(at) & 0xffffff;
    uint32_t public_length = load_u32(at + 8);
    return (lengths & ~(LENGTHS_MASK | LENGTHS_BARRIER)) == 0 &&
           public_length <= LEDGER_RECORD_MAX &&
           (lengths & LENGTHS_MASK) <= LEDGER_RECORD_MAX - public_length;
}

/* The part behind the public one: commitment, and what it commits to unless that was erased. */
static bool decode_personal(const uint8_t *commitment, size_t length, uint64_t sequence,
                            struct record *record)
{
    const uint8_t *secret = commitment + DIGEST_SIZE;
    size_t secret_length = SALT_SIZE + length;
    record->commitment = span_of(commitment, DIGEST_SIZE);
    if (record->erased)
        return true;
    record->personal_part = span_of(secret + SALT_SIZE, length);
    return load_u32(secret + secret_length) == personal_checksum(secret, sequence, secret_length);
}

enum record_result record_decode(struct span octets, uint64_t sequence, struct record *ret_record)
{
    const uint8_t *at = octets.data;
    if (octets.length > 0 && at[0] != RECORD_LIVE && at[0] != RECORD_ERASED)
        return RECORD_INVALID;
    if (octets.length < RECORD_HEAD)
        return RECORD_SHORT;
    if (!record_plausible(octets))
        return RECORD_INVALID;
    size_t public_length = load_u32(at + 8);
    size_t personal_length = laid_personal_length(at);
    /* Not by way of a copy: loads of 16 octets from stores of 8 wait for them, a tenth of what verifying takes. */
    *ret_record = (struct record){.size = record_size(public_length, personal_length),
                                  .barrier = load_u32(at) & LENGTHS_BARRIER,
                                  .erased = at[0] == RECORD_ERASED};
    if (octets.length < ret_record->size)
        return RECORD_SHORT;
    ret_record->leaf = record_laid_leaf(at);
    ret_record->public_part = span_of(at + RECORD_HEAD, public_length);
    if (load_u32(at + 4) != public_checksum(at, sequence, ret_record->leaf.length))
        return RECORD_INVALID;
    if (personal_length == 0 && ret_record->erased)
        return RECORD_INVALID;
    if (personal_length > 0 &&
        !decode_personal(at + RECORD_HEAD + public_length, personal_length, sequence, ret_record))
        return RECORD_INVALID;
    return RECORD_OK;
}

void file_head_encode(uint8_t out[FILE_HEAD], enum file_form form, const struct file_head *head)
{
    memset(out, 0, FILE_HEAD);
    memcpy(out, head_magic[form], sizeof head_magic[form]);
    store_u32(out + 8, head->version);
    store_u32(out + 12, head->flags);
    store_u64(out + 16, head->first);
    store_u32(out + FILE_HEAD - 4, crc32c(0, out, FILE_HEAD - 4));
}

enum err file_head_decode(struct span octets, enum file_form form, struct file_head *ret_head)
{
    const uint8_t *at = octets.data;
    if (octets.length < FILE_HEAD || memcmp(at, head_magic[form], sizeof head_magic[form]) != 0 ||
        load_u32(at + FILE_HEAD - 4) != crc32c(0, at, FILE_HEAD - 4))
        return ERR_CORRUPT;
    struct file_head head = {load_u32(at + 8), load_u32(at + 12), load_u64(at + 16)};
    uint32_t known = form == FILE_SEALED ? FILE_HAS_GAPS : FILE_IS_SNAPSHOT;
    if (head.version != FILE_VERSION || (head.flags & ~known))
        return ERR_VERSION;
    *ret_head = head;
    return ERR_OK;
}

void file_end_encode(uint8_t out[FILE_END], const struct file_end *end)
{
    memset(out, 0, FILE_END);
    memcpy(out, end_magic, sizeof end_magic);
    store_u64(out + 8, end->records);
    store_u64(out + 16, end->octets);
    memcpy(out + 24, end->root.octets, DIGEST_SIZE);
    store_u32(out + FILE_END - 4, crc32c(0, out, FILE_END - 4));
}

enum err file_end_decode(struct span octets, struct file_end *ret_end)
{
    const uint8_t *at = octets.data;
    if (octets.length < FILE_END || memcmp(at, end_magic, sizeof end_magic) != 0 ||
        load_u32(at + FILE_END - 4) != crc32c(0, at, FILE_END - 4))
        return ERR_CORRUPT;
    struct file_end end = {.records = load_u64(at + 8), .octets = load_u64(at + 16)};
    memcpy(end.root.octets, at + 24, DIGEST_SIZE);
    *ret_end = end;
    return ERR_OK;
}

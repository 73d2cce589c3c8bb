/* SPDX-License-Identifier: Apache-2.0 */
/* The octets of the ledger: records, and the head and end of a file. Pure: no I/O, no allocation.
 * The layout and why it is so stand at the top of consent/ledger_writer.c.
 *
 * A record is made in two steps, so that the loop's thread only copies: record_lay() puts the parts
 * where they belong, record_finish() fills in salt, commitment and checksums. */
#ifndef CONSENT_LEDGER_FORMAT_H
#define CONSENT_LEDGER_FORMAT_H

#include "consent/digest.h"
#include "proto/base/err.h"
#include "proto/base/limits.h"

#define RECORD_HEAD     12u /* mark and personal length, checksum, public length */
#define RECORD_OVERHEAD (RECORD_HEAD + DIGEST_SIZE + SALT_SIZE + 4) /* with a personal part */
#define RECORD_SIZE_MAX (RECORD_OVERHEAD + LEDGER_RECORD_MAX)

/* First octet of a record, outside both checksums and the leaf; all bits differ. */
#define RECORD_LIVE   0xa5u
#define RECORD_ERASED 0x5au /* personal part destroyed, or being destroyed: not looked at */

/* Octets of a record with these parts. */
static inline size_t record_size(size_t public_length, size_t personal_length)
{
    return (personal_length ? RECORD_OVERHEAD : RECORD_HEAD) + public_length + personal_length;
}

/* Writes all but salt, commitment and checksums to `at`, which has record_size() octets. */
void record_lay(uint8_t *at, struct span public_part, struct span personal_part);

/* Octets of a laid record. */
size_t record_laid_size(const uint8_t *at);
bool record_laid_personal(const uint8_t *at);
/* What its leaf hash is over, once finished. */
struct span record_laid_leaf(const uint8_t *at);

/* Fills in the rest. `barrier`: every record before this one is on disk already. `salt` is not looked
 * at without a personal part. */
void record_finish(uint8_t *at, uint64_t sequence, bool barrier, const uint8_t salt[SALT_SIZE]);

/* The octets of a record whose personal part of `personal_length` octets, 1 or more, is destroyed: all but
 * the commitment to it. */
void record_make_erased(uint8_t *at, uint64_t sequence, bool barrier, struct span public_part,
                        size_t personal_length, const uint8_t commitment[DIGEST_SIZE]);

struct record {
    size_t size;
    bool barrier;
    bool erased;
    struct span public_part;
    struct span personal_part; /* empty: none, or erased */
    struct span commitment;    /* DIGEST_SIZE octets, or empty */
    struct span leaf;          /* what the leaf hash is over, its 0x00 included */
};

enum record_result {
    RECORD_OK,
    RECORD_SHORT,   /* `octets` ends before the record does */
    RECORD_INVALID, /* not record `sequence` */
};

/* Takes the record from the front of `octets`. It is only ever RECORD_OK for the very sequence number
 * it was made with; otherwise what it gives means nothing. Never reads outside `octets`. */
MUST_CHECK enum record_result record_decode(struct span octets, uint64_t sequence,
                                            struct record *ret_record);

/* Whether a record could start here, by its mark and lengths alone. */
bool record_plausible(struct span octets);

/* A record's octets are `octets`: how many its personal part has or had. */
size_t record_personal_length(const uint8_t *octets);

/* Head of a file. */
#define FILE_HEAD        64u
#define FILE_VERSION     1u
#define FILE_IS_SNAPSHOT 1u /* flags */
#define FILE_HAS_GAPS    2u /* of a sealed segment: consent/ledger_gap.h */

enum file_form {
    FILE_RAW,
    FILE_SEALED, /* consent/ledger_sealed.h */
};

struct file_head {
    uint32_t version;
    uint32_t flags;
    uint64_t first; /* sequence number of a segment's first record; first not in a snapshot */
};

void file_head_encode(uint8_t out[FILE_HEAD], enum file_form form, const struct file_head *head);
/* ERR_CORRUPT, or ERR_VERSION for a sound head of another version or with flags not known here. */
MUST_CHECK enum err file_head_decode(struct span octets, enum file_form form,
                                     struct file_head *ret_head);

/* End of a file. */
#define FILE_END 64u

struct file_end {
    uint64_t records;
    uint64_t octets;    /* of the whole file, head and end included */
    struct digest root; /* of a segment's subtree; zero in a snapshot */
};

void file_end_encode(uint8_t out[FILE_END], const struct file_end *end);
MUST_CHECK enum err file_end_decode(struct span octets, struct file_end *ret_end);

#endif

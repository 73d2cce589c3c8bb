/* SPDX-License-Identifier: Apache-2.0 */
/* The segment that is being written: made, extended, sealed; and found again after a crash. Belongs
 * to whoever writes the ledger; knows nothing of threads. */
#ifndef CONSENT_LEDGER_SEGMENT_H
#define CONSENT_LEDGER_SEGMENT_H

#include "consent/ledger_format.h"
#include "consent/ledger_tree.h"

struct segment {
    int folder; /* the owner closes it */
    int fd;
    uint64_t first;
    uint64_t end;       /* where the next record goes */
    uint64_t allocated; /* the disk has given its blocks up to here */
    bool low;           /* the reserve could not be had when last asked for */
    struct tree tree;   /* of all records in it; its count is theirs */
};

/* Sequence number of the first record of the segment that holds `sequence`. */
static inline uint64_t segment_first_of(uint64_t sequence)
{
    return (sequence - 1) / LEDGER_SEGMENT_RECORDS * LEDGER_SEGMENT_RECORDS + 1;
}

static inline bool segment_is_full(const struct segment *segment)
{
    return segment->tree.count == LEDGER_SEGMENT_RECORDS;
}

/* That the names of a folder's segments leave no gap. ERR_CORRUPT and a sentence otherwise. */
MUST_CHECK enum err segments_check(int folder, const uint64_t *numbers, size_t count,
                                   const char **ret_why);

/* The tree over all full segments: those before the newest, which is numbers[count - 1]. Their ends are
 * believed. ERR_CORRUPT or ERR_IO and a sentence. */
MUST_CHECK enum err segments_tree(int folder, const uint64_t *numbers, size_t count,
                                  struct tree *ret_tree, const char **ret_why);

/* An empty segment, on disk with its name when this returns ERR_OK. */
MUST_CHECK enum err segment_create(int folder, uint64_t first, struct segment *ret_segment);

/* Opens the newest segment: cuts what a crash has left behind the last valid record, syncs the rest.
 * ERR_CORRUPT when records that were durable are damaged; *ret_why then says where. */
MUST_CHECK enum err segment_recover(int folder, uint64_t first, struct segment *ret_segment,
                                    const char **ret_why);

/* Asks the disk for `length` octets behind the end and the reserve behind them. ERR_NO_SPACE when not
 * even `length` can be had. */
MUST_CHECK enum err segment_reserve(struct segment *segment, size_t length);

/* Puts finished records (their leaves are in the tree already) behind the end. Nothing has changed
 * after ERR_NO_SPACE. */
MUST_CHECK enum err segment_write(struct segment *segment, struct span records);

/* Writes the end of a full segment, syncs it and gives back what it did not need. */
MUST_CHECK enum err segment_seal(struct segment *segment);

void segment_close(struct segment *segment);

#endif

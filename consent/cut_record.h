/* SPDX-License-Identifier: Apache-2.0 */
/* Which records go by age, and the ledger's own word of it: a RecordsCut, read. A table in the .c has the kinds of
 * events that go: the lives of messages, and what was only told. All else stays for ever: consent, the people who
 * complained or were erased, imports, keys, and whatever this program does not know. */
#ifndef CONSENT_CUT_RECORD_H
#define CONSENT_CUT_RECORD_H

#include "consent/digest.h"

#define RETENTION_KINDS 10
extern const uint32_t retention_kinds[RETENTION_KINDS];

/* Whether a record with this public part goes when it is old. Pure. */
bool retention_takes(struct span public_part);

struct cut_record {
    uint64_t sequence, wall_ms; /* its own */
    uint64_t first, last;       /* of the segment */
    uint64_t records;           /* of them that go */
    struct digest digest;       /* of which they are */
    uint64_t age_ms;            /* the rule */
    uint64_t newest_ms;         /* wall time of the segment's newest event */
};

/* False: the record is none, or names no segment. */
bool cut_record_read(uint64_t sequence, struct span public_part, struct cut_record *ret_cut);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's own word that records go by age: a RecordsCut, read. */
#ifndef CONSENT_CUT_RECORD_H
#define CONSENT_CUT_RECORD_H

#include "consent/digest.h"

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

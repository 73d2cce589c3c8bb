/* SPDX-License-Identifier: Apache-2.0 */
/* Retention by age, of whole sealed segments: which records go (consent/cut_record.h), and taking them away.
 *
 * The order of it, which each step can be taken up in again: a plan is made (retention_next), its RecordsCut is
 * recorded and durable, the records are taken (retention_cut). So nothing is ever missing that no record
 * accounts for, and `assent verify` holds every gap against them.
 *
 * For a process of its own, also beside the writer: reads and writes whole segments. */
#ifndef CONSENT_LEDGER_RETENTION_H
#define CONSENT_LEDGER_RETENTION_H

#include "consent/cut_record.h"
#include "consent/ledger_seal.h"

struct retention_plan {
    uint64_t first;       /* of the segment */
    uint64_t records;     /* that go */
    uint64_t newest_ms;   /* wall time of the segment's newest event */
    struct digest digest; /* of `cut.gone` */
    struct segment_cut cut;
};

struct retention_rule {
    const char *directory;
    uint64_t before_ms;     /* of segments whose events are all older than this, */
    uint64_t before_record; /* and whose records are all below this one */
};

/* The first segment from `from` on in which records go; one that has gaps is done. ERR_NOT_FOUND: none.
 * ERR_CORRUPT, of segment ret_plan->first: the next ones may be sound; or ERR_IO. Then *ret_why is a sentence. */
MUST_CHECK enum err retention_next(const struct retention_rule *rule, uint64_t from,
                                   struct retention_plan *ret_plan, const char **ret_why);

/* Does what the ledger's records say is to be done and is not yet. A record that names others than would go today
 * is passed over: the next plan is another one. Gives how many segments and records were cut. Goes on after one that cannot be;
 * then the error is its. */
struct retention_done {
    uint64_t segments, records;
};
MUST_CHECK enum err retention_cut_recorded(const char *directory, struct retention_done *ret_done,
                                           const char **ret_why);

/* Every RecordsCut, by segments, ascending; free() them. NULL with a sentence where they cannot be read. */
struct cut_record *retention_recorded(const char *directory, size_t *ret_count,
                                      const char **ret_why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What retention by age accounts for: the records that are missing in a segment must be just those that a RecordsCut
 * behind it names. Gathered in one pass over the records, held together at its end. */
#ifndef CONSENT_VERIFY_CUTS_H
#define CONSENT_VERIFY_CUTS_H

#include "consent/cut_record.h"
#include "consent/ledger_gap.h"

#define CUTS_STRETCHES_NAMED 6

/* Of one segment. */
struct segment_missing {
    uint64_t first;
    uint64_t records;
    uint64_t stretches; /* without a record between them */
    struct {
        uint64_t first, last;
    } named[CUTS_STRETCHES_NAMED]; /* the first of these */
    struct digest digest;          /* as in a RecordsCut, of: */
    uint8_t bits[LEDGER_SEGMENT_RECORDS / 8];
};

struct cuts_seen {
    struct segment_missing *segments; /* ascending */
    size_t segment_count;
    struct cut_record *cuts;
    size_t cut_count;
    bool open; /* the last segment is still being read */
};

void cuts_seen_release(struct cuts_seen *seen);
/* Gaps come in order. */
void cuts_seen_gap(struct cuts_seen *seen, const struct gap *gap);
void cuts_seen_segment_end(struct cuts_seen *seen);
/* To be called with every record. */
void cuts_seen_record(struct cuts_seen *seen, uint64_t sequence, struct span public_part);
/* Whether the record is in a gap. */
bool cuts_seen_has(const struct cuts_seen *seen, uint64_t sequence);

struct cuts_told {
    uint64_t records;  /* that are missing, and are accounted for */
    uint64_t segments; /* in so many */
};

/* The end: calls `unexplained` for each segment that lacks records and has no RecordsCut which names just these;
 * `other`: one that names others, or NULL. */
struct cuts_told cuts_seen_judge(struct cuts_seen *seen,
                                 void (*unexplained)(void *context,
                                                     const struct segment_missing *segment,
                                                     const struct cut_record *other),
                                 void *context);

#define CUTS_TEXT_SIZE 400
/* "3 to 5, 7 and 9 to 60, and 4 more stretches" */
char *segment_missing_text(const struct segment_missing *segment, char out[CUTS_TEXT_SIZE]);

#endif

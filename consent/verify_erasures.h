/* SPDX-License-Identifier: Apache-2.0 */
/* What erasures account for: personal parts that are destroyed must be named by an erasure, and what an erasure
 * that is done has named must be destroyed. Gathered in one pass over the records, held together at its end. */
#ifndef CONSENT_VERIFY_ERASURES_H
#define CONSENT_VERIFY_ERASURES_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/span.h"

struct erasure_named {
    uint64_t record, erasure;
};

struct erasures_seen {
    uint64_t *destroyed; /* records, ascending */
    size_t destroyed_count;
    struct erasure_named *named;
    size_t named_count;
    uint64_t *done; /* erasures, by their records */
    size_t done_count;
};

void erasures_seen_release(struct erasures_seen *seen);
void erasures_seen_destroyed(struct erasures_seen *seen, uint64_t sequence);
/* To be called with every record; `body` as peek_early_body() gives it. `settled`: the end of an erasure counts; what it
 * destroyed may have been read before it did. What it names is named in any case: nothing is destroyed before. */
void erasures_seen_record(struct erasures_seen *seen, uint32_t body, struct span public_part,
                          bool settled);

/* The end: `is_gone` tells of a record that retention took, which no older copy brings back. Calls `unexplained` for each destroyed part that no erasure names, `came_back` for each part from
 * `first` on that is there although its erasure is done. Gives how many were destroyed by an erasure. */
uint64_t erasures_seen_judge(struct erasures_seen *seen, uint64_t first,
                             bool (*is_gone)(void *context, uint64_t sequence),
                             void (*unexplained)(void *context, uint64_t sequence),
                             void (*came_back)(void *context, uint64_t sequence, uint64_t erasure),
                             void *context);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the records of a segment are about: gathered for the indices of its sealed form, and again to check
 * them. Zeroed memory is empty. */
#ifndef CONSENT_LEDGER_CONTENTS_H
#define CONSENT_LEDGER_CONTENTS_H

#include "consent/ledger_format.h"
#include "consent/ledger_index.h"

struct contents {
    struct index_builder indices[INDEX_KINDS];
    uint64_t oldest_ms, newest_ms; /* wall time of the events; 0: none yet */
};

/* A personal part that is destroyed leaves no trace. */
void contents_add(struct contents *contents, const struct record *record, uint32_t block);
void contents_reset(struct contents *contents);
void contents_release(struct contents *contents);

#endif

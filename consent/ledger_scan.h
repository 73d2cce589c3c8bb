/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the records of one file in order, raw or sealed, with pread(2): a file that shrinks under the reader
 * gives a short read, where a mapping would give a signal. Trusts nothing in the file. */
#ifndef CONSENT_LEDGER_SCAN_H
#define CONSENT_LEDGER_SCAN_H

#include "consent/ledger_file.h"

struct ledger_scan {
    struct ledger_file *file; /* the owner closes it */
    uint64_t offset;          /* of the next record, in the raw file */
    uint64_t sequence;        /* its number */
    uint8_t *buffer;
    size_t start, end; /* octets of the file from `offset` on */
    size_t chunk;      /* next read; grows, so that who follows a writer does not read far ahead */
    struct gap gap;    /* after SCAN_GAP; its nodes are valid until the next call */
};

enum scan_result {
    SCAN_RECORD,
    SCAN_GAP,   /* `gap`: records that retention has taken */
    SCAN_END,   /* no valid record here: the end, damage, or not written yet */
    SCAN_ERROR, /* errno */
};

void scan_init(struct ledger_scan *scan);
void scan_release(struct ledger_scan *scan);

/* Starts at record `sequence`, which stands right behind the head of `file`; or at `offset`. */
void scan_start(struct ledger_scan *scan, struct ledger_file *file, uint64_t sequence);
void scan_start_at(struct ledger_scan *scan, struct ledger_file *file, uint64_t offset,
                   uint64_t sequence);

/* `ret_record` is valid until the next call. Gaps stand in sealed segments alone. */
MUST_CHECK enum scan_result scan_next(struct ledger_scan *scan, struct record *ret_record);

/* Drops what was read ahead, so that the next call sees the file as it is then. */
void scan_refresh(struct ledger_scan *scan);

#endif

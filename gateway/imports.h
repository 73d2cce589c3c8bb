/* SPDX-License-Identifier: Apache-2.0 */
/* Imports: files of opt-ins, opt-outs and registers, recorded row by row. A row is a record of its own, so
 * that one person's part can be destroyed; where it came from stands once, in the import's first record.
 *
 * How far an import has come is folded from its rows, so that it can be gone on with after any crash of
 * either side: no row is recorded twice, and none is left out that was not refused. An import only ever
 * adds: nothing here lifts an opt-out, and nothing makes a double opt-in.
 *
 * Its opt-outs are not in the deny set and cancel nothing that waits: each message meets them in Redis, right
 * before it is written, a few milliseconds after they are durable. */
#ifndef GATEWAY_IMPORTS_H
#define GATEWAY_IMPORTS_H

#include <sys/queue.h>

#include "consent/import.h"
#include "gateway/engine.h"

struct import {
    TAILQ_ENTRY(import) link;
    uint64_t id; /* sequence number of its import_begun */
    Assent__V1__ImportKind kind;
    uint16_t client;
    uint32_t program; /* scope number; 0: none */
    char file[IMPORT_FILE_SIZE];
    uint8_t sha256[32];
    uint64_t copied_wall_ms;
    uint16_t scope;  /* where no program is: of its opt-outs */
    uint32_t window; /* the rows come sorted, so many at a time; 0: in the order of the file */
    uint64_t row;    /* the last one recorded, by the order in which they come; 0: none */
    uint64_t rows;   /* recorded */
    uint64_t last;   /* sequence number of its newest record */
    bool ended;
};

struct imports {
    TAILQ_HEAD(import_list, import) list; /* oldest first */
    uint32_t count;
    uint64_t copied_wall_ms[IMPORT_KINDS]; /* of the newest copy of each register; 0: none */
};

void imports_init(struct engine *e);
void imports_release(struct engine *e);

/* Replay of any record: what it says of an import is noted. */
void imports_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event);

/* A register of numbers with new owners has been imported: which they are is in Redis alone. */
bool imports_mark_numbers(const struct engine *e);

/* Snapshot: `put` for each record that gives the same state again. */
void imports_snapshot(const struct engine *e, uint64_t wall_ms,
                      void (*put)(void *context, Assent__V1__Event *event), void *context);

#endif

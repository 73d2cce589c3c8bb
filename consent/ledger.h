/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: write-ahead log, audit trail and event stream in one. This header says what "durable"
 * means; the octets and the crash argument stand at the top of consent/ledger_writer.c.
 *
 * Invariants
 * - Record n is durable only when all records before it are.
 * - ledger_durable() never exceeds what fdatasync(2) has confirmed; it never goes back.
 * - The first failed fsync is final: nothing more is written, ledger_failed() tells, the process must
 *   exit and recover. A full disk is not: the thread keeps the batch and tries again every 100 ms.
 *
 * Threads: all functions belong to the loop's thread; the ledger thread is inside. */
#ifndef CONSENT_LEDGER_H
#define CONSENT_LEDGER_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct ledger;

/* Opens or makes the ledger below `directory` (ledger/, snapshots/, lock), refuses a second process
 * (ERR_EXISTS), cuts a torn tail, and starts the thread. On failure *ret_why is a sentence for the
 * operator that names the file and what to do. */
MUST_CHECK enum err ledger_open(const char *directory, struct ledger **ret_ledger,
                                const char **ret_why);

/* Makes signed checkpoints from now on, below `directory` (checkpoints/): one a second while records come,
 * the last one when the ledger is closed. Once. The keys must outlive the ledger; `previous`, or NULL, signs
 * too. */
struct note_signer;
MUST_CHECK enum err ledger_sign(struct ledger *ledger, const char *directory,
                                const struct note_signer *signer,
                                const struct note_signer *previous, const char **ret_why);

/* How many records the latest checkpoint covers; 0: there is none. */
uint64_t ledger_checkpointed(const struct ledger *ledger);

/* Sequence number that the next append gets; the first record ever has 1. */
uint64_t ledger_next(const struct ledger *ledger);

/* Room for must-write records: octets that can still be appended before LEDGER_BATCH_OCTETS is full.
 * Callers stop taking new work while it is under a half. */
size_t ledger_room(const struct ledger *ledger);

/* Adds a record to the batch and gives its sequence number. `personal` may be empty. The parts are
 * copied. CHECKs that there is room and that the record is within LEDGER_RECORD_MAX. */
uint64_t ledger_append(struct ledger *ledger, struct span public_part, struct span personal_part);

/* Hands what was appended to the thread. Once a loop turn. Cheap when there is nothing. */
void ledger_flush(struct ledger *ledger);

/* Highest sequence number that is on disk. */
uint64_t ledger_durable(const struct ledger *ledger);

/* Becomes readable when ledger_durable() or ledger_checkpointed() has moved or the ledger failed; ledger_acknowledge() clears
 * it. */
int ledger_wake_fd(const struct ledger *ledger);
void ledger_acknowledge(struct ledger *ledger);

bool ledger_failed(const struct ledger *ledger);   /* an fsync or write error: final */
bool ledger_no_space(const struct ledger *ledger); /* disk full now, or under the reserve */

/* Other small files that have to be synced: `work` runs on the ledger's thread between two batches, soon after
 * each ledger_work(), and when the ledger is closed. ERR_IO of it is as final as the ledger's own. Set once,
 * before the first ledger_work(). */
void ledger_set_work(struct ledger *ledger, enum err (*work)(void *context), void *context);
void ledger_work(struct ledger *ledger);

/* Writes and fsyncs everything, stops the thread, releases the lock. */
void ledger_close(struct ledger *ledger);

/* Reading: at the same time as a writer, in the same process or another; sees whole valid records
 * only and never more than is durable when given by the writer's process. */
struct ledger_reader;

struct ledger_record {
    uint64_t sequence;
    struct span public_part;
    struct span personal_part; /* empty where there is none */
    struct span commitment;    /* 32 octets, or empty */
    struct span salt; /* of a personal part that is there: SHA-256(salt | it) is the commitment */
};

/* Positions before record `from` (1 is the first). ERR_NOT_FOUND when `directory` holds no ledger. */
MUST_CHECK enum err ledger_reader_open(const char *directory, uint64_t from,
                                       struct ledger_reader **ret_reader, const char **ret_why);

/* ERR_OK and the record (its spans live until the next call); ERR_AGAIN at the end, more may come;
 * ERR_CORRUPT with a sentence in ledger_reader_why(). `until`: give ERR_AGAIN at or after it. */
MUST_CHECK enum err ledger_reader_next(struct ledger_reader *reader, uint64_t until,
                                       struct ledger_record *ret_record);
/* Records that retention by age has taken are passed over: how many so far, of those asked for, and where the
 * reader stands: what comes next has this number or a higher one. Not of a snapshot's. */
uint64_t ledger_reader_gone(const struct ledger_reader *reader);
uint64_t ledger_reader_at(const struct ledger_reader *reader);
const char *ledger_reader_why(const struct ledger_reader *reader);
void ledger_reader_free(struct ledger_reader *reader);

/* Snapshots: a shorter ledger that folds to the same state. Same record format, one file, valid only
 * with its end mark; the newest valid one wins, an invalid one is passed over. snapshot_write runs in
 * a forked child (no thread, no lock needed); snapshot_publish in the parent, once ledger_durable() has reached
 * `sequence - 1`; it renames, fsyncs the folder and drops snapshots older than the last two. */
struct snapshot_writer;
MUST_CHECK enum err snapshot_begin(const char *directory, uint64_t sequence,
                                   struct snapshot_writer **ret_writer);
MUST_CHECK enum err snapshot_add(struct snapshot_writer *writer, struct span public_part,
                                 struct span personal_part);
MUST_CHECK enum err snapshot_end(struct snapshot_writer *writer); /* fsyncs; frees the writer */
MUST_CHECK enum err snapshot_publish(const char *directory, uint64_t sequence);

/* Drops every snapshot below `sequence`, and what was left half made; there must be a published one of it, and none
 * being made. Gives how many went. */
MUST_CHECK enum err snapshot_drop_before(const char *directory, uint64_t sequence,
                                         uint32_t *ret_dropped);

/* Opens the newest valid snapshot; its records come from ledger_reader_next() with sequence 0, and
 * the first record not folded into it is *ret_sequence. ERR_NOT_FOUND when there is none. */
MUST_CHECK enum err snapshot_open(const char *directory, struct ledger_reader **ret_reader,
                                  uint64_t *ret_sequence);

#endif

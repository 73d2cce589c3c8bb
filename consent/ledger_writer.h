/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's thread, and the batches that go to it. Its octets and the crash argument stand at the
 * top of ledger_writer.c.
 *
 * There are two batches. The loop fills one and hands it over in one atomic word; whoever swaps it
 * out owns the batch. While the thread writes the other one, the loop may take an offer back to fill it
 * further. An offer to an idle thread stands: a loop that never rests would otherwise take each one
 * back before the thread has woken. */
#ifndef CONSENT_LEDGER_WRITER_H
#define CONSENT_LEDGER_WRITER_H

#include <pthread.h>
#include <stdatomic.h>

#include "consent/ledger_checkpoint.h"
#include "consent/ledger_segment.h"

#define BATCH_SIZE (LEDGER_BATCH_OCTETS + RECORD_OVERHEAD)

struct batch {
    uint8_t *octets; /* laid records, one behind the other; BATCH_SIZE of address space */
    size_t used;
};

void batch_init(struct batch *batch);
void batch_release(struct batch *batch);

#define WRITER_BUSY ((uintptr_t)0) /* nothing on offer, the thread may have a batch */
#define WRITER_IDLE ((uintptr_t)1) /* nothing on offer, the thread has no batch and waits */

struct ledger_writer {
    /* Shared. */
    _Atomic uintptr_t handover; /* WRITER_BUSY, WRITER_IDLE, or a batch; with bit 0 set it stands */
    _Atomic uint64_t durable;
    _Atomic uint64_t checkpointed; /* records that the latest checkpoint covers */
    atomic_bool signing;           /* the thread makes checkpoints: `checkpointer` has its keys */
    atomic_bool work_wanted;       /* `work` is set and is to be called */
    enum err (*work)(void *context);
    void *work_context;
    atomic_bool failed;
    atomic_bool no_space;
    atomic_bool stopping;
    int wake_fd;
    pthread_mutex_t mutex; /* for the condition only: nobody waits on a disk with it */
    pthread_cond_t changed;
    pthread_t thread;

    /* The thread's. */
    struct segment segment;
    struct salts salts;
    struct checkpointer checkpointer;
    uint64_t checkpoint_due_ms; /* monotonic */
    unsigned close_tries;
};

/* Takes the segment over and starts the thread. `sealed`: the tree of the segments before it; `covered`:
 * records that have a checkpoint already. */
void writer_start(struct ledger_writer *writer, const struct segment *segment,
                  const struct tree *sealed, uint64_t covered);

/* From now on, checkpoints in `folder`, which is taken over. */
void writer_sign(struct ledger_writer *writer, int folder, const struct note_signer *signer,
                 const struct note_signer *previous);

/* The thread calls `work` soon. */
void writer_work(struct ledger_writer *writer);

/* False while an earlier batch still waits to be taken. */
MUST_CHECK bool writer_offer(struct ledger_writer *writer, struct batch *batch);

/* Takes `batch` back after it was offered. False when the thread has it, or will: then the other
 * batch is free. */
MUST_CHECK bool writer_take_back(struct ledger_writer *writer, struct batch *batch);

/* Whether writer_take_back() can only give false. */
bool writer_keeps(const struct ledger_writer *writer, const struct batch *batch);

/* Writes what is on offer, ends the thread, releases all but the batches. */
void writer_stop(struct ledger_writer *writer);

#endif

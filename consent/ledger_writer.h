/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's thread, and the batches that go to it. Its octets and the crash argument stand at the
 * top of ledger_writer.c.
 *
 * There are two batches. The loop fills one and offers it; whoever swaps the pointer out of `offered`
 * owns the batch: the thread, to write it, or the loop, to fill it further while the thread is busy
 * with the other one. A batch that the thread has taken is empty again when the next one is taken. */
#ifndef CONSENT_LEDGER_WRITER_H
#define CONSENT_LEDGER_WRITER_H

#include <pthread.h>
#include <stdatomic.h>

#include "consent/ledger_segment.h"

#define BATCH_SIZE (LEDGER_BATCH_OCTETS + RECORD_OVERHEAD)

struct batch {
    uint8_t *octets; /* laid records, one behind the other; BATCH_SIZE of address space */
    size_t used;
};

void batch_init(struct batch *batch);
void batch_release(struct batch *batch);

struct ledger_writer {
    /* Shared. */
    struct batch *_Atomic offered;
    _Atomic uint64_t durable;
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
    unsigned close_tries;
};

/* Takes the segment over and starts the thread. */
void writer_start(struct ledger_writer *writer, const struct segment *segment);

/* Nothing may be on offer. */
void writer_offer(struct ledger_writer *writer, struct batch *batch);

/* False when the thread has it. */
bool writer_take_back(struct ledger_writer *writer);

/* Writes what is on offer, ends the thread, releases all but the batches. */
void writer_stop(struct ledger_writer *writer);

#endif

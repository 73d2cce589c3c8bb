/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's thread: takes batches of laid records, finishes, writes and syncs them.
 *
 * THE OCTETS. Integers are big-endian. A segment file is a head of 64 octets, exactly
 * LEDGER_SEGMENT_RECORDS records, and an end of 64 octets; the newest one has fewer records, no end,
 * and zeros (space taken ahead) behind its last record.
 *
 *     head    "ASNTLDG\n", u32 version 1, u32 flags (1: snapshot), u64 first, 36 zero, u32 CRC of it
 *     end     "ASNTEND\n", u64 records, u64 octets of the file, 32 tree root, 4 zero, u32 CRC of it
 *
 *     record   0  u8   mark: a5 live, 5a personal part erased
 *              1  u24  top bit: barrier; 6 bits zero; personal length P
 *              4  u32  CRC-32C of u64 sequence | 00 | octets 1 to 3 | the leaf
 *              8  u32  public length N; its first octet is always 00          } the
 *             12  N    public part                                            } leaf
 *      only     N+12   32  commitment = SHA-256(salt | personal part)         }
 *      where    N+44   16  salt
 *      P > 0    N+60   P   personal part
 *               +P     u32 CRC-32C of u64 sequence | salt | personal part
 *
 * - The leaf of RFC 6962 is SHA-256 of these octets as they stand: the 00 that a leaf hash starts with
 *   is the first octet of the public length, so the entry is u24 N | public part | commitment.
 *   Record n is leaf n - 1; the root in a segment's end is the root of its perfect subtree. Neither
 *   barrier nor personal length nor position in a file is hashed: a segment may be stored in another
 *   form later, compressed for one, and every proof stays.
 * - Erasing a person: set the mark to 5a, sync, overwrite salt, personal part and their CRC with zeros,
 *   sync. The mark is in no checksum, the rest is only in the second one, which an erased record does
 *   not need; so the record, its leaf and every root stay valid at each step. A crash between the
 *   steps leaves a record that already reads as erased, to be overwritten again.
 *
 * WHAT IS VALID. A record is valid at one place only: its CRC covers its sequence number, which
 * follows from the segment's name and the records before it. The ledger ends before the first
 * octets of the newest segment that are not a valid record; zeros never are (mark).
 *
 * WHY A CRASH AT ANY POINT IS HARMLESS.
 * - Only fdatasync(2) makes a record durable, and what follows the last sync may be there in any part
 *   and order. Opening keeps the valid prefix, which has every durable record, cuts the rest, and
 *   syncs before anything is written: old octets cannot follow new ones.
 * - The first record written after a sync carries the barrier bit: everything before it is durable. So
 *   if a record is not valid and a barrier follows it, that is no torn tail but damage to what was
 *   promised: opening refuses and names the place (consent/ledger_damage.h).
 * - A segment appears by rename, its head synced before and its folder after, and only once the one
 *   before it is full and synced with its end. So every segment but the newest is whole, or damaged.
 * - Giving back unused space of a sealed segment may be lost: zeros behind an end mean nothing.
 *
 * WHEN THE DISK SAYS NO. Space is taken LEDGER_RESERVE_OCTETS ahead, which also makes a sync cheaper
 * (42 us against 62 on ext4: the file's size stays). ENOSPC is met there, where nothing is half
 * done: ledger_no_space() tells while the reserve still takes what must be written, and then the
 * batch waits and tries again every 100 ms, at the same offset with the same octets. Any other write
 * error, and any error of a sync, ends writing for good: after it the kernel may have dropped the dirty
 * pages and a second sync would lie. */
#include "consent/ledger_writer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "consent/ledger_files.h"
#include "proto/base/check.h"

#define PIECE_OCTETS (1u << 20)  /* finished and written at once: stays in the cache */
#define KEEP_OCTETS  (16u << 20) /* memory of a batch above it goes back to the system */
#define RETRY_MS     100
#define CLOSE_TRIES  10 /* of a full disk, once stopping */

void batch_init(struct batch *batch)
{
    batch->octets =
        mmap(NULL, BATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(batch->octets != MAP_FAILED);
    batch->used = 0;
}

void batch_release(struct batch *batch)
{
    munmap(batch->octets, BATCH_SIZE);
}

/* Texts and one-time codes do not stay in memory for longer than it takes to write them. */
static void batch_empty(struct batch *batch)
{
    explicit_bzero(batch->octets, batch->used < KEEP_OCTETS ? batch->used : KEEP_OCTETS);
    if (batch->used > KEEP_OCTETS)
        madvise(batch->octets + KEEP_OCTETS, BATCH_SIZE - KEEP_OCTETS, MADV_DONTNEED);
    batch->used = 0;
}

static void wake(struct ledger_writer *writer)
{
    ssize_t n = write(writer->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    CHECK(n == sizeof(uint64_t) || errno == EAGAIN);
}

/* Everything in the segment has been synced. */
static void publish(struct ledger_writer *writer)
{
    const struct segment *segment = &writer->segment;
    atomic_store(&writer->durable, segment->first + segment->tree.count - 1);
    wake(writer);
}

static void set_no_space(struct ledger_writer *writer, bool no_space)
{
    if (atomic_exchange(&writer->no_space, no_space) != no_space)
        wake(writer);
}

/* What to do about the error of a step: true, after a while, when it is to be tried again. */
static bool try_again(struct ledger_writer *writer, enum err err)
{
    if (atomic_load(&writer->stopping))
        writer->close_tries++;
    if (err != ERR_NO_SPACE || writer->close_tries > CLOSE_TRIES) {
        atomic_store(&writer->failed, true);
        wake(writer);
        return false;
    }
    set_no_space(writer, true);
    nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
    return true;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool checkpoint_wanted(const struct ledger_writer *writer)
{
    return atomic_load(&writer->signing) &&
           atomic_load(&writer->durable) > atomic_load(&writer->checkpointed);
}

/* Of everything that was written: it has been synced. False when writing is over for good; a full disk
 * only puts it off. */
static bool make_checkpoint(struct ledger_writer *writer)
{
    struct checkpointer *checkpointer = &writer->checkpointer;
    writer->checkpoint_due_ms = now_ms() + CHECKPOINT_MS;
    enum err err = checkpointer_make(checkpointer, &writer->segment.tree);
    if (err == ERR_IO) {
        atomic_store(&writer->failed, true);
        wake(writer);
        return false;
    }
    atomic_store(&writer->checkpointed, checkpointer->size);
    wake(writer);
    return true;
}

/* Seals the full segment and goes on in a new one. */
static bool roll(struct ledger_writer *writer)
{
    enum err err;
    while ((err = segment_seal(&writer->segment)) != ERR_OK)
        if (!try_again(writer, err))
            return false;
    publish(writer);
    struct segment next;
    uint64_t first = writer->segment.first + LEDGER_SEGMENT_RECORDS;
    while ((err = segment_create(writer->segment.folder, first, &next)) != ERR_OK)
        if (!try_again(writer, err))
            return false;
    struct digest root = tree_root(&writer->segment.tree);
    tree_add_perfect(&writer->checkpointer.sealed, SEGMENT_LEVEL, &root);
    segment_close(&writer->segment);
    writer->segment = next;
    return true;
}

/* Finishes records from `at` on, up to a piece or the end of the segment. Gives their octets. */
static size_t finish_piece(struct ledger_writer *writer, uint8_t *at, const uint8_t *end,
                           bool barrier)
{
    struct segment *segment = &writer->segment;
    uint8_t *start = at;
    while (at < end && at - start < PIECE_OCTETS && !segment_is_full(segment)) {
        const uint8_t *salt = record_laid_personal(at) ? salts_take(&writer->salts) : NULL;
        record_finish(at, segment->first + segment->tree.count, barrier, salt);
        struct digest leaf = sha256(record_laid_leaf(at));
        tree_add(&segment->tree, &leaf);
        at += record_laid_size(at);
        barrier = false;
    }
    return (size_t)(at - start);
}

static bool write_piece(struct ledger_writer *writer, struct span piece)
{
    enum err err;
    while ((err = segment_write(&writer->segment, piece)) != ERR_OK)
        if (!try_again(writer, err))
            return false;
    set_no_space(writer, writer->segment.low);
    return true;
}

/* False when writing is over for good. */
static bool write_batch(struct ledger_writer *writer, const struct batch *batch)
{
    uint8_t *at = batch->octets;
    const uint8_t *end = at + batch->used;
    bool barrier = true;
    while (at < end) {
        if (segment_is_full(&writer->segment)) {
            if (!roll(writer))
                return false;
            barrier = true;
        }
        size_t length = finish_piece(writer, at, end, barrier);
        if (!write_piece(writer, span_of(at, length)))
            return false;
        at += length;
        barrier = false;
    }
    enum err err = sync_data(writer->segment.fd);
    if (err != ERR_OK)
        return try_again(writer, err);
    publish(writer);
    return true;
}

/* False when writing is over for good. */
static bool do_work(struct ledger_writer *writer)
{
    if (!atomic_exchange(&writer->work_wanted, false) ||
        writer->work(writer->work_context) != ERR_IO)
        return true;
    atomic_store(&writer->failed, true);
    wake(writer);
    return false;
}

/* Until a batch is offered, there is work or the writer is stopping; at most until `until_ms` where that is not 0. */
static void wait_for_change(struct ledger_writer *writer, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000L};
    pthread_mutex_lock(&writer->mutex);
    int result = 0;
    while (atomic_load(&writer->handover) == WRITER_IDLE && !atomic_load(&writer->stopping) &&
           !atomic_load(&writer->work_wanted) && result != ETIMEDOUT &&
           (until_ms != 0 || !checkpoint_wanted(writer)))
        result = until_ms ? pthread_cond_timedwait(&writer->changed, &writer->mutex, &until)
                          : pthread_cond_wait(&writer->changed, &writer->mutex);
    pthread_mutex_unlock(&writer->mutex);
}

/* The batch on offer; or NULL, and the thread is idle from now on. */
static struct batch *take_batch(struct ledger_writer *writer)
{
    uintptr_t seen = atomic_load(&writer->handover);
    while (!atomic_compare_exchange_weak(&writer->handover, &seen,
                                         seen > WRITER_IDLE ? WRITER_BUSY : WRITER_IDLE))
        ;
    return seen > WRITER_IDLE ? (struct batch *)(seen & ~(uintptr_t)1) : NULL;
}

static void *run(void *context)
{
    struct ledger_writer *writer = context;
    for (;;) {
        bool stopping =
            atomic_load(&writer->stopping); /* read first: nothing is offered after it */
        struct batch *batch = take_batch(writer);
        if (batch != NULL) {
            if (!write_batch(writer, batch))
                return NULL;
            batch_empty(batch);
        }
        if (!do_work(writer))
            return NULL;
        if (checkpoint_wanted(writer) &&
            ((stopping && batch == NULL) || now_ms() >= writer->checkpoint_due_ms) &&
            !make_checkpoint(writer))
            return NULL;
        if (batch != NULL)
            continue;
        if (stopping)
            return NULL;
        if (writer->segment.low && segment_reserve(&writer->segment, 0) == ERR_OK)
            set_no_space(writer, writer->segment.low);
        wait_for_change(writer, writer->segment.low         ? now_ms() + RETRY_MS
                                : checkpoint_wanted(writer) ? writer->checkpoint_due_ms
                                                            : 0);
    }
}

static void signal_change(struct ledger_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->mutex);
}

void writer_start(struct ledger_writer *writer, const struct segment *segment,
                  const struct tree *sealed, uint64_t covered)
{
    *writer = (struct ledger_writer){.segment = *segment,
                                     .checkpointer = {.folder = -1, .sealed = *sealed}};
    writer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(writer->wake_fd >= 0);
    atomic_store(&writer->durable, segment->first + segment->tree.count - 1);
    atomic_store(&writer->checkpointed, covered);
    atomic_store(&writer->no_space, segment->low);
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);

    sigset_t all, before; /* signals are the loop's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(pthread_create(&writer->thread, NULL, run, writer) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void writer_sign(struct ledger_writer *writer, int folder, const struct note_signer *signer,
                 const struct note_signer *previous)
{
    writer->checkpointer.folder = folder;
    writer->checkpointer.signer = signer;
    writer->checkpointer.previous = previous;
    atomic_store(&writer->signing, true);
    signal_change(writer);
}

void writer_work(struct ledger_writer *writer)
{
    atomic_store(&writer->work_wanted, true);
    signal_change(writer);
}

bool writer_offer(struct ledger_writer *writer, struct batch *batch)
{
    uintptr_t seen = atomic_load(&writer->handover);
    do {
        if (seen > WRITER_IDLE)
            return false;
    } while (!atomic_compare_exchange_weak(&writer->handover, &seen,
                                           (uintptr_t)batch | (seen == WRITER_IDLE)));
    if (seen == WRITER_IDLE)
        signal_change(writer);
    return true;
}

bool writer_take_back(struct ledger_writer *writer, struct batch *batch)
{
    uintptr_t offer = (uintptr_t)batch;
    return atomic_compare_exchange_strong(&writer->handover, &offer, WRITER_BUSY);
}

bool writer_keeps(const struct ledger_writer *writer, const struct batch *batch)
{
    return atomic_load(&writer->handover) != (uintptr_t)batch;
}

void writer_stop(struct ledger_writer *writer)
{
    atomic_store(&writer->stopping, true);
    signal_change(writer);
    pthread_join(writer->thread, NULL);
    segment_close(&writer->segment);
    if (writer->checkpointer.folder >= 0)
        close(writer->checkpointer.folder);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->mutex);
    close(writer->wake_fd);
}

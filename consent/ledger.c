/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as the loop sees it: opening, gathering, handing over. Only copies; never waits on a
 * disk but in ledger_open() and ledger_close(). */
#include "consent/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "consent/ledger_file.h"
#include "consent/ledger_seal.h"
#include "consent/ledger_writer.h"
#include "proto/base/check.h"

#define OFFER_AGAIN 32 /* records added to a batch that was on offer, before it is on offer again */

struct ledger {
    struct ledger_writer writer;
    struct batch batches[2];
    struct batch *gathering;
    bool offered;        /* `gathering` was offered and may be gone: not to be looked into */
    size_t offered_used; /* what it held */
    bool owed;           /* `gathering` was on offer before more was added to it ... */
    uint32_t added; /* ... so many records: the thread, done meanwhile, need not wait for a turn */
    uint64_t next;
    int folder;
    int lock;
};

/* A lock of fcntl(2) belongs to this process alone: a forked child that outlives it does not hold the
 * lock on. (It would be lost if this process opened and closed the file elsewhere.) */
static enum err take_lock(const char *directory, int *ret_lock, const char **ret_why)
{
    int folder = folder_open(directory, ".", true);
    int lock = folder < 0 ? -1 : openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int problem = errno;
    if (folder >= 0)
        close(folder);
    if (lock < 0) {
        *ret_why = ledger_why("%s/lock cannot be opened: %s. The data directory must belong to the "
                              "user that runs this program.",
                              directory, strerror(problem));
        return problem == ENOSPC ? ERR_NO_SPACE : ERR_IO;
    }
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(lock, F_SETLK, &range) == 0) {
        *ret_lock = lock;
        return ERR_OK;
    }
    problem = errno;
    enum err err = problem == EAGAIN || problem == EACCES ? ERR_EXISTS : ERR_IO;
    if (err == ERR_EXISTS && fcntl(lock, F_GETLK, &range) == 0 && range.l_type != F_UNLCK)
        *ret_why = ledger_why("%s is in use by process %ld: stop it first, or use another data "
                              "directory.",
                              directory, (long)range.l_pid);
    else
        *ret_why = ledger_why("%s/lock cannot be taken: %s.", directory, strerror(problem));
    close(lock);
    return err;
}

/* The newest segment as a crash has left it, or the first one ever. */
static enum err open_segment(int folder, struct segment *ret_segment, struct tree *ret_sealed,
                             const char **ret_why)
{
    uint64_t *numbers, newest = 0;
    size_t count;
    if (segments_settle(folder) != ERR_OK) {
        *ret_why =
            ledger_why("ledger/ cannot be cleared of what a crash has left: %s.", strerror(errno));
        return ERR_IO;
    }
    if (!segments_list(folder, &numbers, &count)) {
        *ret_why = ledger_why("ledger/ cannot be listed: %s.", strerror(errno));
        return ERR_IO;
    }
    enum err err = segments_check(folder, numbers, count, ret_why);
    if (err == ERR_OK)
        err = segments_tree(folder, numbers, count, ret_sealed, ret_why);
    if (count > 0)
        newest = numbers[count - 1];
    free(numbers);
    if (err != ERR_OK)
        return err;
    if (newest > 0)
        return segment_recover(folder, newest, ret_segment, ret_why);
    err = segment_create(folder, 1, ret_segment);
    if (err != ERR_OK)
        *ret_why = ledger_why("ledger/ cannot get its first file: %s.", strerror(errno));
    return err;
}

/* The newest checkpoint was made of durable records: a ledger that lacks some of them was cut, or is an
 * older copy. Whether it says the same of those it has is for `assent verify`, but where it is quick. */
static enum err check_checkpoint(const char *directory, const struct tree *sealed,
                                 struct segment *segment, uint64_t *ret_covered,
                                 const char **ret_why)
{
    char note[NOTE_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    struct tree whole = *sealed;
    enum err err = checkpoint_newest(directory, note, &length, &checkpoint);
    tree_add_tree(&whole, &segment->tree);
    *ret_covered = err == ERR_OK ? checkpoint.size : 0;
    if (*ret_covered == 0 || *ret_covered < whole.count)
        return ERR_OK;
    if (checkpoint.size == whole.count) {
        struct digest root = tree_root(&whole);
        if (memcmp(root.octets, checkpoint.root.octets, DIGEST_SIZE) == 0)
            return ERR_OK;
        *ret_why = ledger_why("the ledger's records are not those of its checkpoint: "
                              "run assent verify, and restore the ledger from a backup.");
    } else {
        *ret_why = ledger_why("the ledger ends with record %llu, but its checkpoint covers %llu: "
                              "records at its end were lost. Restore it from a backup.",
                              (unsigned long long)whole.count, (unsigned long long)checkpoint.size);
    }
    segment_close(segment);
    return ERR_CORRUPT;
}

enum err ledger_open(const char *directory, struct ledger **ret_ledger, const char **ret_why)
{
    int lock, folder = -1;
    enum err err = take_lock(directory, &lock, ret_why);
    if (err != ERR_OK)
        return err;
    struct segment segment;
    struct tree sealed;
    uint64_t covered;
    folder = folder_open(directory, "ledger", true);
    if (folder < 0) {
        err = err_from_errno();
        *ret_why = ledger_why("%s/ledger cannot be opened: %s.", directory, strerror(errno));
    } else {
        err = open_segment(folder, &segment, &sealed, ret_why);
    }
    if (err == ERR_OK)
        err = check_checkpoint(directory, &sealed, &segment, &covered, ret_why);
    if (err == ERR_OK && segment_reserve(&segment, 0) == ERR_IO) {
        err = ERR_IO;
        *ret_why = ledger_why("ledger/ cannot be written: %s.", strerror(errno));
        segment_close(&segment);
    }
    if (err != ERR_OK) {
        if (folder >= 0)
            close(folder);
        close(lock);
        return err;
    }
    struct ledger *ledger = check_calloc(1, sizeof *ledger);
    ledger->lock = lock;
    ledger->folder = folder;
    ledger->next = segment.first + segment.tree.count;
    batch_init(&ledger->batches[0]);
    batch_init(&ledger->batches[1]);
    ledger->gathering = &ledger->batches[0];
    writer_start(&ledger->writer, &segment, &sealed, covered);
    *ret_ledger = ledger;
    return ERR_OK;
}

/* After a flush: goes on with what was offered, or with the other batch when the thread has it. */
static void settle(struct ledger *ledger)
{
    if (!ledger->offered)
        return;
    ledger->offered = false;
    ledger->owed = writer_take_back(&ledger->writer, ledger->gathering);
    if (ledger->owed)
        return;
    ledger->gathering = &ledger->batches[ledger->gathering == &ledger->batches[0]];
    CHECK(ledger->gathering->used == 0);
}

uint64_t ledger_next(const struct ledger *ledger)
{
    return ledger->next;
}

size_t ledger_room(const struct ledger *ledger)
{
    if (ledger->offered && writer_keeps(&ledger->writer, ledger->gathering))
        return LEDGER_BATCH_OCTETS; /* the other batch */
    size_t used = ledger->offered ? ledger->offered_used : ledger->gathering->used;
    return used < LEDGER_BATCH_OCTETS ? LEDGER_BATCH_OCTETS - used : 0;
}

uint64_t ledger_append(struct ledger *ledger, struct span public_part, struct span personal_part)
{
    CHECK(public_part.length <= LEDGER_RECORD_MAX &&
          personal_part.length <= LEDGER_RECORD_MAX - public_part.length);
    settle(ledger);
    struct batch *batch = ledger->gathering;
    size_t size = record_size(public_part.length, personal_part.length);
    CHECK(size <= BATCH_SIZE - batch->used);
    record_lay(batch->octets + batch->used, public_part, personal_part);
    batch->used += size;
    if (ledger->owed && ++ledger->added % OFFER_AGAIN == 0)
        ledger_flush(ledger);
    return ledger->next++;
}

void ledger_flush(struct ledger *ledger)
{
    if (ledger->offered || ledger->gathering->used == 0)
        return;
    ledger->offered_used = ledger->gathering->used;
    ledger->offered = writer_offer(&ledger->writer, ledger->gathering);
}

uint64_t ledger_durable(const struct ledger *ledger)
{
    return atomic_load(&ledger->writer.durable);
}

int ledger_wake_fd(const struct ledger *ledger)
{
    return ledger->writer.wake_fd;
}

void ledger_acknowledge(struct ledger *ledger)
{
    uint64_t count;
    ssize_t n = read(ledger->writer.wake_fd, &count, sizeof count);
    CHECK(n == sizeof count || errno == EAGAIN);
}

enum err ledger_sign(struct ledger *ledger, const char *directory, const struct note_signer *signer,
                     const struct note_signer *previous, const char **ret_why)
{
    int folder = folder_open(directory, CHECKPOINT_FOLDER, true);
    if (folder < 0) {
        *ret_why = ledger_why("%s/%s cannot be opened: %s.", directory, CHECKPOINT_FOLDER,
                              strerror(errno));
        return err_from_errno();
    }
    writer_sign(&ledger->writer, folder, signer, previous);
    return ERR_OK;
}

uint64_t ledger_checkpointed(const struct ledger *ledger)
{
    return atomic_load(&ledger->writer.checkpointed);
}

bool ledger_failed(const struct ledger *ledger)
{
    return atomic_load(&ledger->writer.failed);
}

bool ledger_no_space(const struct ledger *ledger)
{
    return atomic_load(&ledger->writer.no_space);
}

void ledger_set_work(struct ledger *ledger, enum err (*work)(void *context), void *context)
{
    ledger->writer.work = work;
    ledger->writer.work_context = context;
}

void ledger_work(struct ledger *ledger)
{
    writer_work(&ledger->writer);
}

void ledger_close(struct ledger *ledger)
{
    settle(ledger);
    ledger_flush(ledger);
    while (!ledger->offered && ledger->gathering->used > 0) { /* an offer still stands */
        usleep(100);
        ledger_flush(ledger);
    }
    writer_stop(&ledger->writer);
    batch_release(&ledger->batches[0]);
    batch_release(&ledger->batches[1]);
    close(ledger->folder);
    close(ledger->lock);
    free(ledger);
}

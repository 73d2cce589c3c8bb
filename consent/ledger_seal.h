/* SPDX-License-Identifier: Apache-2.0 */
/* Makes sealed segments: of raw ones, to save room; of sealed ones, to destroy personal parts in them.
 *
 * The new file is written under another name, read back block by block, synced, renamed over the sealed one
 * that may be there; the folder is synced; then the raw one is removed. Its root must be the one in the
 * segment's end, or nothing is changed. Whoever reads the old file goes on reading it.
 *
 * A crash at any step is harmless. Before the rename nothing has happened: *.new is worth nothing, and
 * segments_settle() removes it. Between the rename and the removal both forms are there: the raw one counts,
 * and the sealed one is made again. An error here, of a sync too, loses nothing either: the raw file or the
 * sealed one of before is still there and the new one is given up.
 * A segment from which records are taken has another raw form from then on, with gaps: the same root, fewer octets.
 *
 * One process at a time changes the files of full segments: it holds segments_lock(). */
#ifndef CONSENT_LEDGER_SEAL_H
#define CONSENT_LEDGER_SEAL_H

#include "consent/ledger_format.h"

/* Waits until no other process changes full segments. Gives what segments_unlock() takes; negative: errno.
 * The lock ends with the process. */
int segments_lock(int folder);
void segments_unlock(int lock);

/* Says of a record whether its personal part is to be destroyed. Asked of records whose personal part is
 * there, in order; `record` is valid during the call. */
struct segment_filter {
    bool (*destroys)(void *context, uint64_t sequence, const struct record *record);
    void *context;
};

/* Writes segment `first`, in whatever form it is, as a sealed one; `filter` may be NULL. The lock must be
 * held. A personal part that is destroyed, now or before, leaves its commitment and nothing else, in the
 * index neither; the file system gives away the room of the old file, without overwriting it.
 * ERR_AGAIN: it is the newest one, or not there; ERR_CORRUPT: it is damaged, see assent verify; ERR_NO_SPACE;
 * ERR_IO. Then *ret_why is a sentence. */
MUST_CHECK enum err segment_store(int folder, uint64_t first, const struct segment_filter *filter,
                                  const char **ret_why);

/* Which records of a segment go: a bit for each, the lowest one of the first octet for its first record. A gap ends
 * before a record that is in `splits`, so that a tree which ends there can be made. */
struct segment_cut {
    uint8_t gone[LEDGER_SEGMENT_RECORDS / 8];
    uint8_t splits[LEDGER_SEGMENT_RECORDS / 8];
};
static inline bool segment_bit(const uint8_t *bits, uint64_t place)
{
    return bits[place / 8] >> place % 8 & 1;
}

/* As segment_store(), with gaps where those records stood. What is in a gap already stays there. */
MUST_CHECK enum err segment_cut(int folder, uint64_t first, const struct segment_cut *cut,
                                const char **ret_why);

/* The first segment from `from` on that is raw and is not one of the newest `spared` (1 or more); 0: none. */
uint64_t segment_to_seal(int folder, uint64_t from, unsigned spared);

/* Removes what crashes have left: unfinished files, and sealed ones whose raw one is still there. Waits for
 * nobody: who holds the lock leaves nothing. ERR_IO. */
MUST_CHECK enum err segments_settle(int folder);

#endif

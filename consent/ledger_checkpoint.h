/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of the ledger, as files: DIRECTORY/checkpoints/NNNNNNNNNNNNNNNNNNNN.note, named by how many
 * records they cover. The newest one that is readable counts; it replaces the one before the last of this
 * process. Those stay that two keys have signed, where one took over from the other; their names are synced.
 *
 * A checkpoint is made of durable records only and synced before it gets its name, so that none ever
 * covers more than the ledger has: a ledger that is shorter has lost records. */
#ifndef CONSENT_LEDGER_CHECKPOINT_H
#define CONSENT_LEDGER_CHECKPOINT_H

#include "consent/ledger_tree.h"
#include "consent/note.h"

#define CHECKPOINT_FOLDER "checkpoints"
#define CHECKPOINT_SUFFIX ".note"

/* Makes checkpoints of the ledger as it grows; the ledger's thread's. */
struct checkpointer {
    int folder;
    const struct note_signer *signer;
    const struct note_signer
        *previous;      /* signs too, so that who knows it learns of the other; or NULL */
    struct tree sealed; /* of all segments before the newest one */
    uint64_t size;      /* of the latest checkpoint */
    uint64_t before;    /* of the one before it, to be removed; 0: none */
};

/* Signs and writes the checkpoint of `sealed` and the newest segment's `tree`. ERR_NO_SPACE: try again
 * later; ERR_IO. */
MUST_CHECK enum err checkpointer_make(struct checkpointer *checkpointer, const struct tree *tree);

/* The newest checkpoint file whose note can be read; its octets in `note`. Signatures are not looked at.
 * ERR_NOT_FOUND; ERR_IO. */
MUST_CHECK enum err checkpoint_newest(const char *directory, char note[NOTE_SIZE],
                                      size_t *ret_length, struct checkpoint *ret_checkpoint);

/* Reads the note in file `number`. ERR_NOT_FOUND, ERR_CORRUPT or ERR_IO. */
MUST_CHECK enum err checkpoint_load(int folder, uint64_t number, char note[NOTE_SIZE],
                                    size_t *ret_length, struct checkpoint *ret_checkpoint);

#endif

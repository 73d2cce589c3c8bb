/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "consent/ledger_files.h"
#include "consent/ledger_scan.h"

/* What a crash leaves half done is an older checkpoint, or one too many. The name of one that has to stay is made
 * safe; that of the others may be lost with the power. */
static enum err publish(int folder, uint64_t number, struct span note, bool stays)
{
    int fd = file_begin(folder, number, CHECKPOINT_SUFFIX);
    if (fd < 0)
        return err_from_errno();
    enum err err = write_at(fd, note, 0);
    if (err == ERR_OK)
        err = sync_data(fd);
    close(fd);
    if (err == ERR_OK)
        err = (stays ? file_publish : file_rename)(folder, number, CHECKPOINT_SUFFIX);
    if (err != ERR_OK)
        file_abandon(folder, number, CHECKPOINT_SUFFIX);
    return err;
}

/* The latest two stay: the name of the newest may be lost with the power. */
static void forget(struct checkpointer *checkpointer)
{
    char name[FILE_NAME_SIZE];
    if (checkpointer->before > 0)
        unlinkat(checkpointer->folder, file_name(name, checkpointer->before, CHECKPOINT_SUFFIX), 0);
    checkpointer->before = checkpointer->previous == NULL ? checkpointer->size : 0;
}

enum err checkpointer_make(struct checkpointer *checkpointer, const struct tree *tree)
{
    char note[NOTE_SIZE];
    struct tree whole = checkpointer->sealed;
    struct checkpoint checkpoint;
    tree_add_tree(&whole, tree);
    checkpoint = (struct checkpoint){.size = whole.count, .root = tree_root(&whole)};
    strcpy(checkpoint.origin, note_signer_key(checkpointer->signer)->name);
    size_t length = checkpoint_text(&checkpoint, note);
    length = note_sign(checkpointer->signer, note, length);
    if (checkpointer->previous != NULL)
        length = note_sign(checkpointer->previous, note, length);
    enum err err = publish(checkpointer->folder, checkpoint.size, span_of(note, length),
                           checkpointer->previous != NULL);
    if (err != ERR_OK)
        return err;
    forget(checkpointer);
    checkpointer->size = checkpoint.size;
    return ERR_OK;
}

enum err checkpoint_load(int folder, uint64_t number, char note[NOTE_SIZE], size_t *ret_length,
                         struct checkpoint *ret_checkpoint)
{
    char name[FILE_NAME_SIZE];
    int fd = openat(folder, file_name(name, number, CHECKPOINT_SUFFIX), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    ssize_t n = read_at(fd, note, NOTE_SIZE, 0);
    close(fd);
    if (n < 0)
        return ERR_IO;
    enum err err = checkpoint_read(span_of(note, (size_t)n), ret_checkpoint, ret_length);
    return err == ERR_OK && ret_checkpoint->size == number && *ret_length == (size_t)n
               ? ERR_OK
               : ERR_CORRUPT;
}

enum err checkpoint_newest(const char *directory, char note[NOTE_SIZE], size_t *ret_length,
                           struct checkpoint *ret_checkpoint)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    enum err err = ERR_NOT_FOUND;
    int folder = folder_open(directory, CHECKPOINT_FOLDER, false);
    if (folder < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (!folder_list(folder, CHECKPOINT_SUFFIX, &numbers, &count))
        err = ERR_IO;
    while (count > 0 && err != ERR_OK)
        err = checkpoint_load(folder, numbers[--count], note, ret_length, ret_checkpoint);
    free(numbers);
    close(folder);
    return err;
}

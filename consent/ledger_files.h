/* SPDX-License-Identifier: Apache-2.0 */
/* Files and folders of the ledger, and the table of system calls that change them.
 *
 *     DIRECTORY/lock                            held by the one process that writes
 *     DIRECTORY/ledger/NNNNNNNNNNNNNNNNNNNN.seg  named by the sequence number of the first record
 *     DIRECTORY/ledger/NNNNNNNNNNNNNNNNNNNN.sealed  the same segment, compressed
 *     DIRECTORY/checkpoints/NNNNNNNNNNNNNNNNNNNN.note  by the records it covers
 *     DIRECTORY/snapshots/NNNNNNNNNNNNNNNNNNNN.snap  by the first record not folded into it
 *     *.new                                     being made; worth nothing before it is renamed
 *
 * Other names are left alone. */
#ifndef CONSENT_LEDGER_FILES_H
#define CONSENT_LEDGER_FILES_H

#include <sys/types.h>

#include "proto/base/err.h"
#include "proto/base/span.h"

/* Every call by which the ledger changes a disk goes through here, so that tests can fail each of
 * them. Set before ledger_open(), never while a ledger is open. */
struct ledger_io {
    int (*open)(int folder, const char *name, int flags, mode_t mode);
    ssize_t (*pwrite)(int fd, const void *data, size_t length, off_t offset);
    int (*fallocate)(int fd, int mode, off_t offset, off_t length);
    int (*ftruncate)(int fd, off_t length);
    int (*fdatasync)(int fd);
    int (*fsync)(int folder);
    int (*rename)(int from_folder, const char *from, int to_folder, const char *to);
    int (*unlink)(int folder, const char *name, int flags);
};
extern struct ledger_io ledger_io;

#define FILE_NAME_SIZE  48
#define SEGMENT_SUFFIX  ".seg"
#define SEALED_SUFFIX   ".sealed"
#define NEW_SUFFIX      ".new" /* behind another one */
#define SNAPSHOT_SUFFIX ".snap"

char *file_name(char out[FILE_NAME_SIZE], uint64_t number, const char *suffix);

/* Opens folder `name` below `directory`, making both where `make` says so. Negative: errno. */
int folder_open(const char *directory, const char *name, bool make);

/* The numbers of all files with `suffix`, ascending; free() them. False: errno. */
MUST_CHECK bool folder_list(int folder, const char *suffix, uint64_t **ret_numbers,
                            size_t *ret_count);

/* Makes the file NUMBER SUFFIX appear whole: file_begin() gives it under another name, file_publish()
 * renames it once the caller has written and synced it. */
int file_begin(int folder, uint64_t number, const char *suffix);
MUST_CHECK enum err file_publish(int folder, uint64_t number, const char *suffix);
/* The same without syncing the folder: the name may be lost with the power. */
MUST_CHECK enum err file_rename(int folder, uint64_t number, const char *suffix);
void file_abandon(int folder, uint64_t number, const char *suffix);
/* ERR_OK too where it is not there. The folder is not synced. */
MUST_CHECK enum err file_remove(int folder, uint64_t number, const char *suffix);

/* Reads `length` octets at `offset`; fewer at the end of the file. Negative: errno. */
ssize_t read_at(int fd, void *out, size_t length, uint64_t offset);

/* All or ERR_NO_SPACE or ERR_IO; may be called again with the same after ERR_NO_SPACE. */
MUST_CHECK enum err write_at(int fd, struct span data, uint64_t offset);

/* ERR_IO whatever errno says: after a failed sync nothing can be relied on. */
MUST_CHECK enum err sync_data(int fd);
MUST_CHECK enum err sync_folder(int folder);

/* ERR_NO_SPACE where errno says that a disk or quota is full, else ERR_IO. */
enum err err_from_errno(void);

/* A sentence for the operator, valid until this thread's next call. */
const char *ledger_why(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

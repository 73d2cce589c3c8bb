/* SPDX-License-Identifier: Apache-2.0 */
/* A file of records, raw or sealed, read as the raw one: whoever reads records need not know which it is.
 * The one place that chooses between the two forms of a segment: where both are there, the raw one counts
 * and the sealed one is worth nothing (a crash came between its making and the raw one's removal). */
#ifndef CONSENT_LEDGER_FILE_H
#define CONSENT_LEDGER_FILE_H

#include "consent/ledger_files.h"
#include "consent/ledger_sealed.h"

struct ledger_file {
    int fd;                /* -1: none */
    struct sealed *sealed; /* NULL: raw */
    char name[FILE_NAME_SIZE];
};

/* Opens the segment whose first record is `first`. ERR_NOT_FOUND; ERR_IO (errno); of a sealed one also
 * ERR_CORRUPT or ERR_VERSION. Its name is told in any case. The head of a raw one is not looked at. */
MUST_CHECK enum err ledger_file_open(int folder, uint64_t first, struct ledger_file *ret_file);
void ledger_file_close(struct ledger_file *file);

/* As read_at(), of the raw file; but as sealed_read() of a sealed one. */
ssize_t ledger_file_read(struct ledger_file *file, void *out, size_t length, uint64_t offset);

/* Octets of the raw file; 0 where they cannot be told. */
uint64_t ledger_file_octets(const struct ledger_file *file);

/* The end of a full segment. ERR_CORRUPT: it has none; ERR_IO. */
MUST_CHECK enum err ledger_file_end(struct ledger_file *file, struct file_end *ret_end);

/* First records of all segments in the folder, ascending, whatever their form; free() them. False: errno. */
MUST_CHECK bool segments_list(int folder, uint64_t **ret_numbers, size_t *ret_count);
bool segment_exists(int folder, uint64_t first);

/* The name of the form that counts, or of the raw one where there is none. */
char *segment_name(int folder, uint64_t first, char out[FILE_NAME_SIZE]);

#endif

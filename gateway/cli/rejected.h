/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a file that were refused: a file beside it, FILE.rejected.csv, made with the first of them. It has
 * the row's columns as they were, then its line, the column that is wrong, and why; so it can be mended and
 * given to the same command. */
#ifndef GATEWAY_CLI_REJECTED_H
#define GATEWAY_CLI_REJECTED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct rejected {
    const char *const *names; /* of the columns */
    size_t name_count;
    char path[4096];
    FILE *file;
    bool failed; /* complained about */
};

/* Of the file at `path`, "-" for stdin. An older file of rejected rows goes away. */
void rejected_init(struct rejected *rejected, const char *path, const char *const *names,
                   size_t name_count);
/* `column` "" where the row as a whole is wrong. */
void rejected_row(struct rejected *rejected, const char *const *cells, uint64_t line,
                  const char *column, const char *reason);
/* Says where they are, if there are any. */
void rejected_close(struct rejected *rejected);

#endif

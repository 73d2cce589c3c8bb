/* SPDX-License-Identifier: Apache-2.0 */
/* By which request the personal part of a record was destroyed, by the word of the ledger that holds it. */
#ifndef GATEWAY_CLI_ERASED_BY_H
#define GATEWAY_CLI_ERASED_BY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cli/json.h"
#include "proto/base/limits.h"

struct erased_by {
    uint64_t erasure; /* its record; */
    uint64_t wall_ms; /* when it was done; 0: it is under way */
    char request[ERASURE_REQUEST_MAX + 1];
};

/* False: no erasure names record `sequence`, or the ledger cannot be read, which is complained of. */
bool erased_by_find(const char *directory, uint64_t sequence, struct erased_by *ret_by);

/* The same for whoever asks about many: all that erasures name is read once. NULL: the ledger cannot be read. */
struct erased_parts;
struct erased_parts *erased_parts_read(const char *directory);
void erased_parts_free(struct erased_parts *parts);
bool erased_parts_find(const struct erased_parts *parts, uint64_t sequence,
                       struct erased_by *ret_by);

#define ERASED_BY_SIZE 160
/* "existed, unaltered; destroyed at T by request R (erasure #N)" */
char *erased_by_text(const struct erased_by *by, char out[ERASED_BY_SIZE]);
/* An object of request, text, wall_ms and erasure. */
json_t *erased_by_json(const struct erased_by *by);

#endif

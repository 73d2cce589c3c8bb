/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger record as one flat row, the same for every kind of event: the columns that many kinds share, and the
 * rest as a JSON object in `details`. Columns come by name from the members of the event's body (proto/event.proto),
 * so that a new event needs nothing here. */
#ifndef GATEWAY_CLI_EXPORT_ROW_H
#define GATEWAY_CLI_EXPORT_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/event.pb-c.h"

enum column {
    COLUMN_SEQUENCE,
    COLUMN_TIME, /* UTC, RFC 3339 with milliseconds */
    COLUMN_KIND,
    COLUMN_PROGRAM, /* its name, or its number where the ledger has not told the name */
    COLUMN_MESSAGE,
    COLUMN_NUMBER, /* E.164 with its plus sign */
    COLUMN_CLIENT,
    COLUMN_CLASS,
    COLUMN_SENDER,
    COLUMN_CARRIER,
    COLUMN_OUTCOME,
    COLUMN_REASON,
    COLUMN_PART,
    COLUMN_CARRIER_MESSAGE_ID,
    COLUMN_COMMAND_STATUS,
    COLUMN_STATE,
    COLUMN_SOURCE,
    COLUMN_RULE,
    COLUMN_LANGUAGE,
    COLUMN_TEXT,
    COLUMN_REFERENCE,
    COLUMN_EVIDENCE,
    COLUMN_DETAILS,
    COLUMN_COUNT
};

struct cell {
    const char *text; /* no NUL counted; empty: nothing */
    size_t length;
    bool is_integer; /* its text is a decimal number */
};

struct row_maker;
struct row_maker *row_maker_new(void);
void row_maker_free(struct row_maker *maker);

const char *column_name(enum column column);
bool column_is_integer(enum column column);

/* The cells live until the next call. `program`: its name or "". `personal` may be NULL; `destroyed`: by which
 * erasure it is, or "". */
const struct cell *row_make(struct row_maker *maker, uint64_t sequence,
                            const Assent__V1__Event *event, const Assent__V1__Personal *personal,
                            const char *program, const char *destroyed);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of consent/data/keywords.tsv, which is compiled in as it stands: tab-separated, # begins a
 * comment. The columns and what each kind of row does are explained on top of the file, for those who
 * review it. Pure, no allocation: a row points into the data. */
#ifndef CONSENT_KEYWORD_ROWS_H
#define CONSENT_KEYWORD_ROWS_H

#include <stdbool.h>

#include "proto/base/limits.h"
#include "proto/base/span.h"

enum row_kind {
    ROW_OPT_OUT,
    ROW_OPT_OUT_ALL,
    ROW_OPT_IN,
    ROW_CONFIRM,
    ROW_DECLINE,
    ROW_HELP,
    ROW_CANCEL,
    ROW_REPLY,
    ROW_REVOKES,
    ROW_MENTIONS,
    ROW_CUE,
    ROW_POLITE,
    ROW_ORDINARY,
    ROW_ASKS,
    ROW_ASKS_AFTER,
    ROW_KINDS,
};

struct keyword_row {
    enum row_kind kind;
    struct span languages; /* "en", or "en,fr,de": the first is told where nothing else is known */
    struct span id, version, text, source;
    struct span owner; /* the program whose row it is; empty: ours */
};

/* "program/" and an owner, "/", an id, "@" and a version, and the NUL. */
#define KEYWORD_RULE_SIZE (8 + 32 + 1 + KEYWORD_ID_MAX + 1 + 16 + 1)

struct span keyword_data(void);
size_t keyword_row_count(struct span data); /* at most so many rows */

/* Takes the next row off `data`. False at the end, or with *ret_why set when a line is no row. */
bool keyword_row_next(struct span *data, struct keyword_row *ret_row, const char **ret_why);

bool keyword_row_kind(const char *name, enum row_kind *ret_kind);

#endif

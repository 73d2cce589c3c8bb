/* SPDX-License-Identifier: Apache-2.0 */
/* What a row of an imported file must hold, by kind. Pure; the command line asks before it sends a row,
 * the gateway before it records one, so both say the same about it. */
#ifndef CONSENT_IMPORT_H
#define CONSENT_IMPORT_H

#include "consent/gate.h"
#include "proto/base/err.h"
#include "proto/event.pb-c.h"

#define IMPORT_KINDS 7 /* enum ImportKind, the unspecified one included */

struct import_kind {
    const char *name;  /* "do-not-call" */
    bool opt_in;       /* else its rows are opt-outs */
    bool of_a_program; /* else `scope` for everybody, and for the operator alone */
    uint16_t scope;
    bool evidence; /* a row needs source and evidence */
    bool date;     /* a row needs one */
};

/* NULL: no such kind. */
const struct import_kind *import_kind(Assent__V1__ImportKind kind);
/* IMPORT_UNSPECIFIED: no such name. */
Assent__V1__ImportKind import_kind_named(const char *name);

struct import_row {
    uint64_t number; /* 0: what stood there is none */
    const char *source, *evidence;
    uint64_t when_wall_ms; /* 0: not said */
};

struct import_fault {
    const char *column, *reason; /* static */
};

/* False, and why: the row cannot be recorded. Strings have been found to be UTF-8. */
MUST_CHECK bool import_row_check(const struct import_kind *kind, const struct import_row *row,
                                 uint64_t now_wall_ms, struct import_fault *ret_fault);

/* Rows of a number alone are sent in this order, window by window of the file, those of one place as they stand there:
 * numbers of one bucket of Redis come together then, be there 65,536 buckets or fewer, and are one command. An
 * import is gone on with by it: it never changes. */
uint16_t import_order(uint64_t number);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Where exported rows go: CSV (RFC 4180), JSON lines, or an SQLite database. */
#ifndef GATEWAY_CLI_EXPORT_OUT_H
#define GATEWAY_CLI_EXPORT_OUT_H

#include "gateway/cli/export_row.h"

/* Each function complains and gives false when the disk or the database says no. */
struct export_out {
    const char *name; /* "csv" */
    bool needs_file;  /* cannot be written to a pipe */
    /* `path` NULL: standard output; else a file that is not there yet. */
    bool (*begin)(const char *path);
    bool (*row)(const struct cell *cells);
    bool (*end)(void);
};

extern const struct export_out export_csv, export_jsonl, export_sqlite;

#endif

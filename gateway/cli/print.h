/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: aligned tables, numbers with separators, a progress bar. */
#ifndef GATEWAY_CLI_PRINT_H
#define GATEWAY_CLI_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "12,345". */
#define COUNT_TEXT_SIZE 28
char *count_text(uint64_t value, char out[COUNT_TEXT_SIZE]);

/* "3d 4h", "2h 5m", "45s", "120ms": two units at most. */
#define SPAN_TEXT_SIZE 32
char *span_text(uint64_t ms, char out[SPAN_TEXT_SIZE]);

/* A table. `align` has a letter a column: l or r. Cells are copied; columns_print() writes the lines
 * and empties the table, the first row being the header. */
#define COLUMNS_MAX 16
struct columns {
    const char *align;
    size_t column_count, cell_count, room;
    char **cells;
};
void columns_init(struct columns *columns, const char *align);
/* As many strings as there are columns. */
void columns_add(struct columns *columns, ...);
void columns_print(struct columns *columns, FILE *out);
void columns_release(struct columns *columns);

/* A bar on stderr, redrawn at most ten times a second; silent unless `shown`. */
struct progress {
    bool shown, drawn;
    const char *verb;
    uint64_t started_us, last_us;
};
void progress_init(struct progress *progress, const char *verb, bool shown);
/* `part` of `whole` is done (octets, rows); `rows` are counted. `whole` 0: no bar. */
void progress_show(struct progress *progress, uint64_t part, uint64_t whole, uint64_t rows);
/* Draws the last state and ends the line. */
void progress_end(struct progress *progress, uint64_t part, uint64_t whole, uint64_t rows);
/* Takes the bar away before another line is written to stderr. */
void progress_clear(struct progress *progress);

/* True when --progress was given or stderr is a terminal. */
bool progress_wanted(bool asked);

#endif

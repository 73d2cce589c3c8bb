/* SPDX-License-Identifier: Apache-2.0 */
/* CSV as people have it: RFC 4180 with quotes, CRLF or LF, a byte order mark, comma, semicolon or tab
 * (whichever the first line has most of). The first row names the columns. Rows are numbered as a
 * spreadsheet shows them: the header is row 1. */
#ifndef GATEWAY_CLI_CSV_H
#define GATEWAY_CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_COLUMNS_MAX 64
#define CSV_ROW_MAX     (64u << 10) /* octets of one row */

struct csv;

/* "-" is stdin. NULL after a complaint. */
struct csv *csv_open(const char *path);
void csv_close(struct csv *csv);

/* Index of a column, or -1. Names are compared without case. */
int csv_column(const struct csv *csv, const char *name);
size_t csv_column_count(const struct csv *csv);
const char *csv_column_name(const struct csv *csv, size_t column);

enum csv_result {
    CSV_ROW,
    CSV_BAD, /* this row is unusable; csv_why() says why; the next one may be read */
    CSV_END,
};

/* Rows that are empty are passed over. */
enum csv_result csv_next(struct csv *csv);
const char *csv_why(const struct csv *csv);

/* Of the current row; valid until csv_next(). "" where the row is too short. Trimmed of spaces. */
const char *csv_cell(const struct csv *csv, int column);
uint64_t csv_row(const struct csv *csv);
uint64_t csv_line(const struct csv *csv); /* of the file, from 1: cells may hold ends of lines */

/* SHA-256 of the whole file; the next row stays the next. */
bool csv_digest(const struct csv *csv, uint8_t ret_sha256[32]);

/* How much of the file is read, and its size (0: not known). */
uint64_t csv_position(const struct csv *csv);
uint64_t csv_size(const struct csv *csv);

#endif

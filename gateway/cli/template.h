/* SPDX-License-Identifier: Apache-2.0 */
/* A text with {column} in it, filled from a row of CSV. "{{" and "}}" are braces. */
#ifndef GATEWAY_CLI_TEMPLATE_H
#define GATEWAY_CLI_TEMPLATE_H

#include "gateway/cli/csv.h"

struct template;

/* NULL after a complaint that names the unknown column and the known ones. `what` is the option. */
struct template *template_new(const char *text, const struct csv *csv, const char *what);
void template_free(struct template *template);

/* Index of a column that the template needs and the current row leaves empty, or -1. */
int template_missing(const struct template *template, const struct csv *csv);

/* Fills in the current row. False when it needs more than `size` octets with the NUL. */
bool template_fill(const struct template *template, const struct csv *csv, char *out, size_t size);

#endif

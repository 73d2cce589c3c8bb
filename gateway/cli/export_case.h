/* SPDX-License-Identifier: Apache-2.0 */
/* assent export --case: all on one person in one zip file, for an auditor who has nothing of ours. */
#ifndef GATEWAY_CLI_EXPORT_CASE_H
#define GATEWAY_CLI_EXPORT_CASE_H

#include <stdbool.h>
#include <stdint.h>

/* Writes `path`, which must not be there. The exit code. */
int export_case(const char *directory, uint64_t number, const char *path, bool progress);

#endif

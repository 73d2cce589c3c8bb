/* SPDX-License-Identifier: Apache-2.0 */
/* Where the ledger is that a command reads: named itself, or by the configuration. */
#ifndef GATEWAY_CLI_LEDGER_PATH_H
#define GATEWAY_CLI_LEDGER_PATH_H

#include "gateway/cli/cli.h"

/* The caller frees it. NULL after a complaint. `directory` may be NULL: then -c says it. */
char *ledger_path(const struct cli *cli, const char *directory);

/* False after a complaint: the ledger is another user's, and what root writes there, the gateway could not open. */
bool ledger_is_ours(const char *directory);

/* All octets of a file, NUL-terminated; the caller frees. NULL after a complaint; at most `limit`. */
char *read_file(const char *path, size_t limit, size_t *ret_length);

#endif

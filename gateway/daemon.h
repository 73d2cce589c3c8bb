/* SPDX-License-Identifier: Apache-2.0 */
/* The process: files, sockets, signals and the loop around the engine. One loop pass collects inputs,
 * then daemon_turn() runs the turn; nothing else writes to a carrier, Redis or a submitter.
 *
 * A life: data folder and lock -> recovery -> listeners -> engine_start -> turns -> drain -> snapshot
 * -> exit. What ends it:
 * - SIGTERM, SIGINT: drain, within DRAIN_MS; then a snapshot; 0. A second one: 1, at once.
 * - the ledger's first failed write or fsync: 1, at once, and nothing more is written anywhere. What
 *   was promised is on disk; what was not will be found open at the next start. */
#ifndef GATEWAY_DAEMON_H
#define GATEWAY_DAEMON_H

#include <stdio.h>

#include "gateway/config.h"

/* PDUs of one carrier into the log. */
struct daemon_trace {
    uint16_t carrier; /* index */
    bool show_texts;  /* and numbers */
};

/* Runs until the end of that life; gives the exit status. `config`, read from `path`, is the caller's;
 * SIGHUP changes it. `trace` is the caller's too, NULL for none. */
MUST_CHECK int daemon_run(struct config *config, const char *path,
                          const struct daemon_trace *trace);

/* For `assentd -t`: says what would be made or found in the file system. Makes nothing. */
void daemon_check(const struct config *config, FILE *out);

/* Seals what is full of the ledger in `data_dir`, and cuts what is recorded as to be cut; a gateway may be writing it.
 * `age` and `below`, or NULL: tells the gateway on standard output which segments may be cut, of those whose records are
 * all older than `age` ms and numbered below `below`. Gives the exit status. */
int daemon_seal_all(const char *data_dir, const char *age, const char *below);

#endif

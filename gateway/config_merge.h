/* SPDX-License-Identifier: Apache-2.0 */
/* A new configuration takes the place of the one that runs.
 *
 * Messages, connections and tables hold programs, clients and carriers by index. So every name keeps its
 * index for as long as the process lives: what is new stands behind, and what is gone stays, retired: a
 * retired client may do nothing, a retired program takes nothing new, a retired carrier has no routes
 * and sends what still waits for it. A name that comes back gets its old place. The struct stays where it
 * is and its lists move: whoever holds pointers into them finishes with them before (engine_before_reconfigure()), and
 * takes them anew after (engine_reconfigure()). */
#ifndef GATEWAY_CONFIG_MERGE_H
#define GATEWAY_CONFIG_MERGE_H

#include "gateway/config.h"

/* Makes `config` what `fresh` says; `fresh` is used up. False when something changed that a running
 * gateway cannot change: a line each to `errors`, nothing has changed, and `fresh` is the caller's. */
MUST_CHECK bool config_merge(struct config *config, struct config *fresh, FILE *errors);

#endif

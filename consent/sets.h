/* SPDX-License-Identifier: Apache-2.0 */
/* The consent sets in Redis as a whole, for tools: read and written through a connection that blocks. Keys as
 * in consent/store.h.
 *
 * A rebuild begins with sets_hold(): a mark that turns every gateway away at its handshake, and the end of the
 * connections there are. Gateways then send nothing until sets_release() has taken the mark away; a rebuild that
 * is broken off leaves it, and is to be run again. */
#ifndef CONSENT_SETS_H
#define CONSENT_SETS_H

#include "consent/store.h"

struct sets;

enum set_family { SET_OPT_OUT, SET_OPT_IN, SET_FAMILIES };

/* What stands beside members: the days of consents and new owners, and the times of opt-outs (the newest of
 * the two weeks that a START asks for). By member. */
enum side_family { SIDE_DAYS, SIDE_STOPS, SIDE_FAMILIES };

/* NULL with a sentence when it cannot be reached, or its bucket count is another one. */
struct sets *sets_open(const struct store_config *config, const char **ret_why);
void sets_free(struct sets *sets);

/* All give false when the connection failed or Redis refused: sets_why(). */
MUST_CHECK bool sets_hold(struct sets *sets);
/* The gateways that have written there; `gone`: an operator has said that it will never come back. */
MUST_CHECK bool sets_nodes(struct sets *sets,
                           void (*each)(void *context, const char *node, bool gone), void *context);
/* Members, days, times of opt-outs and open questions of everybody. */
MUST_CHECK bool sets_clear(struct sets *sets, uint64_t now_wall_ms);
MUST_CHECK bool sets_write(struct sets *sets, const struct consent_write *write);
/* This node's ledger is in the sets up to here. */
MUST_CHECK bool sets_set_position(struct sets *sets, const char *node, uint64_t sequence);
MUST_CHECK bool sets_release(struct sets *sets);

/* Every member, in no order. `each` must not use `sets`. */
MUST_CHECK bool sets_read(struct sets *sets, enum set_family family,
                          void (*each)(void *context, uint64_t member), void *context);
MUST_CHECK bool sets_read_side(struct sets *sets, enum side_family family, uint64_t now_wall_ms,
                               void (*each)(void *context, uint64_t key, uint64_t value),
                               void *context);
/* 0: there is none. */
MUST_CHECK bool sets_side_of(struct sets *sets, enum side_family family, uint64_t now_wall_ms,
                             uint64_t key, uint64_t *ret_value);
MUST_CHECK bool sets_has(struct sets *sets, enum set_family family, uint64_t member, bool *ret_has);

const char *sets_why(const struct sets *sets);

#endif

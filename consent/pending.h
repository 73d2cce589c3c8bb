/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in Redis about an open question, as any gateway may have written it:
 * "REQUEST ASKED EXPIRES HEX-SHA256 NODE SENDER". Pure. */
#ifndef CONSENT_PENDING_H
#define CONSENT_PENDING_H

#include "consent/gate.h"
#include "proto/base/err.h"

/* False: somebody else's value; the state's question means nothing then. */
MUST_CHECK bool pending_parse(struct span text, struct consent_state *ret_state);

#endif

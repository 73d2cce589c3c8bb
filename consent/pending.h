/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in Redis about an open question, as any gateway may have written it:
 * "REQUEST ASKED EXPIRES HEX-SHA256 NODE SENDER"; or "0 ASKED EXPIRES declined": NO, so that whoever asked
 * does not write the question again. Pure. */
#ifndef CONSENT_PENDING_H
#define CONSENT_PENDING_H

#include "consent/gate.h"
#include "proto/base/err.h"

#define PENDING_DECLINED "declined"

/* False: somebody else's value; the state's question means nothing then. */
MUST_CHECK bool pending_parse(struct span text, struct consent_state *ret_state);

#endif

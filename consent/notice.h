/* SPDX-License-Identifier: Apache-2.0 */
/* Notices of opt-outs, for the other gateways on this Redis: what waits there is cancelled as it is here. They
 * stand in a stream, written in the MULTI of the opt-out itself; whoever reads one finds the opt-out there.
 *
 * A notice may be lost (the stream is short and short-lived, and an import writes none): what then waits on
 * meets the opt-out when it is its turn, since the gate asks Redis about every text. Pure. */
#ifndef CONSENT_NOTICE_H
#define CONSENT_NOTICE_H

#include "consent/gate.h"

/* "SEQUENCE NUMBER SCOPE ...", the value of an entry; its field is the node. */
#define NOTICE_VALUE_MAX (2 * 21 + WRITE_SCOPES_MAX * 6)
size_t notice_format(const struct consent_write *write, char out[NOTICE_VALUE_MAX]);
/* All but the node. False, and *notice untouched, when it is no such value. */
bool notice_parse(struct span value, struct notice *notice);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a text of ours says how to end it. Marketing that does not gets a line (consent/reply.h) put
 * under it, so a "no" too many costs some characters and a "yes" too many breaks the law: only what is
 * plainly an instruction counts, which is
 *
 *   - an opt-out word in capitals (where its letters have such) beside a word that asks to send it, or
 *     beside another opt-out word ("STOP to end"), or before a short number ("STOP 36111");
 *   - in scripts without spaces, an opt-out word and a word that asks, in one run of them;
 *   - the program's other way out, as it stands.
 *
 * Pure; the first call builds a table: one thread. About 0.3 us for a text in Latin letters. */
#ifndef CONSENT_OPT_OUT_LINE_H
#define CONSENT_OPT_OUT_LINE_H

#include <stdbool.h>

#include "proto/base/span.h"

/* `way`: the other way out, "" for none. `by_reply`: whether a reply can come; else only the way counts. */
bool says_how_to_opt_out(struct span text, bool by_reply, const char *way);

#endif

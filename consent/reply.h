/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own texts (opt-out confirmation, help, opt-in question, welcome, answer to START), by
 * language, with {brand}, {program} and {contact} filled in. Data in consent/data/replies.tsv. */
#ifndef CONSENT_REPLY_H
#define CONSENT_REPLY_H

#include <stdbool.h>

#include "proto/event.pb-c.h"
#include "proto/base/span.h"

struct reply_names {
    const char *brand;
    const char *program;
    const char *contact; /* "" for none: the sentence with it is left out */
};

/* UTF-8 text into `out`, NUL-terminated; gives its length. Unknown languages fall back to English; what
 * does not fit is cut between characters. `kind` is one of the replies, not SERVICE_NONE. */
size_t reply_text(Assent__V1__ServiceKind kind, const char *language,
                  const struct reply_names *names, char *out, size_t size);

/* True for a language that has texts of its own. */
bool reply_has_language(const char *language);

/* The languages in turn, English first; NULL behind the last. */
const char *reply_language(size_t index);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own texts (opt-out confirmation, help, opt-in question, welcome, answer to START), by
 * language, with the program's names filled in. Data in consent/data/replies.tsv. */
#ifndef CONSENT_REPLY_H
#define CONSENT_REPLY_H

#include <stdbool.h>

#include "proto/event.pb-c.h"
#include "proto/base/span.h"

struct reply_names {
    const char *brand;
    const char *purpose;   /* what it sends: "weekly offers" */
    const char *contact;   /* "" for none: the sentence with it is left out */
    const char *frequency; /* "" for none: a text that says it varies */
    const char *way;       /* of opt-out lines alone */
};

/* UTF-8 text into `out`, NUL-terminated; gives its length. Unknown languages fall back to English; what
 * does not fit is cut between characters. `kind` is one of the replies, not SERVICE_NONE. */
size_t reply_text(Assent__V1__ServiceKind kind, const char *language,
                  const struct reply_names *names, char *out, size_t size);

/* The line that says how to end marketing: by the language's opt-out word, or by `way` (a link or number)
 * where that is not "". NUL-terminated; gives its length. */
size_t reply_opt_out_line(const char *language, const char *way, char *out, size_t size);

/* True for a language that has texts of its own. */
bool reply_has_language(const char *language);

/* The languages in turn, English first; NULL behind the last. */
const char *reply_language(size_t index);

#endif

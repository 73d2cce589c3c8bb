/* SPDX-License-Identifier: Apache-2.0 */
/* A program's own words with which a handset begins a double opt-in: "JOIN ACME", or "acme" alone where the
 * word is long enough to mean nothing else. Compared in the canonical form of consent/keyword.h. Pure. */
#ifndef CONSENT_JOIN_H
#define CONSENT_JOIN_H

#include <stdbool.h>

#include "proto/base/limits.h"
#include "proto/base/span.h"

/* Why the word cannot be one, or NULL: it must be one word, and mean nothing by itself. */
const char *join_word_fault(const char *word);

/* Does the whole reply ask to join by this word? */
bool join_matches(struct span utf8, const char *word);

#endif

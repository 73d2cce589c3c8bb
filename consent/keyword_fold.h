/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical form of a reply (see consent/keyword.h), and the two forms that are matched. Pure, no
 * allocation for ASCII; the only user of utf8proc. */
#ifndef CONSENT_KEYWORD_FOLD_H
#define CONSENT_KEYWORD_FOLD_H

#include "proto/base/limits.h"
#include "proto/base/span.h"

/* The longest canonical form: three octets of UTF-8 can become 18 characters of two;
 * what is longer than this is no short command and is cut. */
#define FOLD_OCTETS_MAX 4096

struct fold {
    char canonical[FOLD_OCTETS_MAX + 1]; /* folded, spaces collapsed, punctuation kept */
    size_t canonical_length;
    /* Letters and digits in words with one space between them, and FOLD_CLAUSE where a clause ends.
     * Begins and ends with a word, or is empty. Apostrophes join ("don't" is "dont"). */
    char words[FOLD_OCTETS_MAX + 1];
    size_t words_length;
    char compact[FOLD_OCTETS_MAX + 1]; /* words without anything between them */
    size_t compact_length;
    bool question; /* nothing but question marks */
    bool joined;   /* holds a script that writes no spaces between words */
};

#define FOLD_CLAUSE '\n'

void fold_text(struct fold *fold, struct span utf8);

/* Characters of a folded text; gives their count, or `most` + 1 when there are more. *ret_letters
 * counts those that are letters, not marks or digits. */
size_t fold_decode(struct span utf8, int32_t *out, size_t most, size_t *ret_letters);

#endif

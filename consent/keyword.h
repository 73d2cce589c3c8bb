/* SPDX-License-Identifier: Apache-2.0 */
/* What a reply from a handset means. Pure: text in, meaning out; the words are data
 * (consent/data/keywords.tsv), each with a language and a source.
 *
 * Canonical form: NFKC, zero-width and bidi controls and tatweel dropped, case folded without locale,
 * Latin diacritics stripped, Arabic folded (harakat dropped, alef forms to alef, alef maqsura to ya,
 * ta marbuta to ha), Arabic-Indic digits to ASCII, spaces collapsed, then punctuation and emoji
 * removed for the match of the whole message.
 *
 * Steps: (1) the whole message is a keyword, spaces optional; (2) its first word or a clause of its own
 * is an opt-out keyword, or it holds a phrase of revocation: OPT_OUT_INTENT, or REVIEW where a help cue
 * ("my order") stands with it; (3) one edit from an opt-out keyword of four letters or more: INTENT;
 * (4) an ordinary reply. "As 2" holds for (3): a help cue makes it REVIEW. Where the message is more
 * than one word its first is looked at, and counts where it can hardly be another word.
 *
 * A program may add rows of its own; they win over ours. The first call of keyword_match() builds the
 * tables: one thread. */
#ifndef CONSENT_KEYWORD_H
#define CONSENT_KEYWORD_H

#include <stdbool.h>

#include "proto/base/span.h"

enum meaning {
    MEANING_REPLY, /* an ordinary reply: to the submitter's watch */
    MEANING_OPT_OUT,
    MEANING_OPT_OUT_ALL,    /* STOPALL: everything */
    MEANING_OPT_OUT_INTENT, /* opted out and marked for review */
    MEANING_REVIEW,         /* suppress marketing, ask, list for review */
    MEANING_CONFIRM,        /* yes; only while a question of ours is pending */
    MEANING_DECLINE,        /* no; likewise */
    MEANING_OPT_IN,         /* START, UNSTOP */
    MEANING_HELP,
    MEANING_CANCEL, /* a program's: the appointment, and marketing with it */
};

#define MEANING_COUNT (MEANING_CANCEL + 1)

struct keyword_match {
    enum meaning meaning;
    const char *language; /* "en", "fr", ... of the word that matched; "" where none did */
    const char *rule;     /* "keyword/stop@1"; "" where none did. Lives as long as its set */
    bool shared;          /* people of other languages send this word as well */
    uint8_t step;         /* 1 to 4 */
};

struct keyword_row; /* consent/keyword_rows.h */
struct keyword_set;

/* Our words and `rows`, which come first. To be freed; the rows are copied. */
struct keyword_set *keyword_set_new(const struct keyword_row *rows, size_t count);
void keyword_set_free(struct keyword_set *set);
/* Why a program cannot have this row, or NULL. What law or custom says ends messages means nothing else;
 * "cancel" and its like may be MEANING_CANCEL, which ends marketing too. */
const char *keyword_row_fault(const struct keyword_row *row);
struct keyword_match keyword_match_in(const struct keyword_set *set, struct span utf8,
                                      bool pending);

/* `pending`: a question of ours to this number is open, so that yes and no mean something. Text is
 * UTF-8; what is not is replaced. Texts over 1,600 octets are ordinary replies. */
struct keyword_match keyword_match(struct span utf8, bool pending);

/* The canonical form, for `assent consent explain`. Gives the length (at most size - 1; the text is
 * NUL-terminated). What is over 1,600 octets is not looked at. */
size_t keyword_canonical(struct span utf8, char *out, size_t size);

const char *meaning_name(enum meaning meaning); /* "opt_out", as in tests/vectors/keywords.tsv */

#endif

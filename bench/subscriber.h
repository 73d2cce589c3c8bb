/* SPDX-License-Identifier: Apache-2.0 */
/* The people behind the simulated carrier: how each number behaves, what kind of text it has got, and
 * in which words it answers. Pure. */
#ifndef BENCH_SUBSCRIBER_H
#define BENCH_SUBSCRIBER_H

#include "proto/base/span.h"

enum reply_kind {
    REPLY_NONE,
    REPLY_YES,
    REPLY_NO,
    REPLY_STOP,
    REPLY_STOPALL,
    REPLY_START,
    REPLY_HELP,
    REPLY_OTHER, /* made by a fault; nobody is configured to say it */
    REPLY_KINDS
};

static inline bool reply_is_stop(enum reply_kind kind)
{
    return kind == REPLY_STOP || kind == REPLY_STOPALL;
}

enum language { LANGUAGE_NONE, LANGUAGE_EN, LANGUAGE_FR, LANGUAGE_ES, LANGUAGE_AR, LANGUAGES };

/* What a text asks of its reader. */
enum text_kind {
    KIND_OTHER,
    KIND_QUESTION, /* asks for YES, OUI, SI or نعم */
    KIND_MARKETING /* tells how to stop, and is neither a question nor an answer about help */
};

struct subscriber {
    enum reply_kind answer; /* to an opt-in question */
    uint16_t stop_at;       /* STOP to the n-th marketing text; 0 never */
    uint16_t help_at;       /* HELP to the n-th marketing text; 0 never */
    uint16_t start_at;      /* START to the n-th text after the STOP was answered; 0 never */
    bool stop_all;          /* the STOP is a STOPALL */
};

struct subscriber_shares { /* parts per million */
    uint32_t yes, no;      /* of the opt-in questions; the rest says nothing */
    uint32_t stop, help;   /* of those who get marketing texts */
    uint32_t stop_all;     /* of the STOPs: they are STOPALL */
    uint32_t start;        /* of the STOPs: START follows when it is confirmed */
    uint16_t stop_within;  /* the STOP comes to one of the first n marketing texts; 0 as 1 */
};

/* The behaviour of `number`: the same for the same seed and shares. */
struct subscriber subscriber_of(const struct subscriber_shares *shares, uint64_t seed,
                                uint64_t number);

/* Reads one line of a subscribers' file:
 * `NUMBER [answer=YES|NO|STOP|HELP|NOTHING] [stop=N] [stopall=N] [start=N] [help=N]`. False and *ret_why (a constant) when it is not one. Empty lines and comments give number 0. */
bool subscriber_parse(const char *line, uint64_t *ret_number, struct subscriber *ret_subscriber,
                      const char **ret_why);

/* `question` and `campaign`, where not NULL, are what marks such texts instead of the words. Only
 * words in capitals count, since "yes" and "stop" occur in any text. */
struct text_marks {
    const char *question, *campaign;
};
enum text_kind text_kind_of(const struct text_marks *marks, struct span utf8,
                            enum language *ret_language);

/* The words of a reply in UTF-8; `variant` picks one of a few spellings. */
const char *reply_words(enum reply_kind kind, enum language language, uint64_t variant);

/* "yes", "no", "stop", "stopall", "start", "help". */
const char *reply_name(enum reply_kind kind);

#endif

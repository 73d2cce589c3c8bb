/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines as a table: one row an option gives its parser, its help line and its place. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,     /* bool; takes no value */
    OPTION_TEXT,     /* const char * */
    OPTION_COUNT,    /* uint32_t, within min..max */
    OPTION_SEED,     /* uint64_t, decimal or 0x */
    OPTION_STATUS,   /* uint32_t, decimal or 0x */
    OPTION_SHARE,    /* uint32_t parts per million, from "2%" or "0.5%" */
    OPTION_DURATION, /* uint64_t microseconds, from "200us", "5ms", "30s", "2m" */
    OPTION_DELAY,    /* two uint64_t: mean and spread, from "5ms" or "5ms:2ms" */
    OPTION_CHOICE,   /* int, the index in `choices` ("full|short") */
    OPTION_EACH,     /* repeatable: `take` is called with the place and each value */
};

struct option_row {
    const char *name;  /* "--rate" */
    const char *value; /* its name in the help: "N"; NULL for a flag */
    const char *help;
    enum option_kind kind;
    size_t offset; /* in the structure that options_parse() fills */
    uint32_t min, max;
    const char *choices;
    bool (*take)(void *place, const char *text, const char **ret_why);
};

/* Fills `into`. False when the program is to end with *ret_exit: after --help (0) or after a complaint
 * on stderr that says what is allowed (2). */
bool options_parse(const struct option_row *rows, size_t count, const char *usage, int argc,
                   char **argv, void *into, int *ret_exit);

#endif

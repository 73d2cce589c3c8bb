/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a command: a table of rows, from which the command line is read and --help is written,
 * so that neither can forget the other. "--name VALUE" and "--name=VALUE"; "--" ends the options. */
#ifndef GATEWAY_CLI_OPTIONS_H
#define GATEWAY_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option_row {
    const char *name;       /* without the dashes; a single letter stands behind one dash */
    const char *value_name; /* NULL: a flag */
    const char *help;
    const char **value;
    bool *flag;
};

struct usage {
    const char *synopsis; /* "assent send --program P ..." */
    const char *about;    /* a paragraph, or NULL */
    const struct option_row *rows;
    size_t row_count;
};

enum options_result {
    OPTIONS_READ,
    OPTIONS_HELP, /* --help was asked for and printed: exit 0 */
    OPTIONS_BAD,  /* a complaint was printed: exit 2 */
};

/* Reads argv[1..]. Words that are no options go to `words` (at most `words_max`). */
enum options_result options_read(const struct usage *usage, int argc, char **argv,
                                 const char **words, size_t words_max, size_t *ret_word_count);

/* Reads options up to the first word; *ret_next is its index, or argc. */
enum options_result options_read_front(const struct usage *usage, int argc, char **argv,
                                       int *ret_next);

/* Complains about what the options say; gives EXIT_USAGE. */
int usage_error(const struct usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Exit code of a result that is not OPTIONS_READ. */
int options_exit(enum options_result result);

#endif

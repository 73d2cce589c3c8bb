/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli/cli.h"

#define HELP_COLUMN 24

static void print_row(const char *name, const char *value_name, const char *help)
{
    char left[64];
    int width = snprintf(left, sizeof left, "  %s%s%s%s", name[1] ? "--" : "-", name,
                         value_name ? " " : "", value_name ? value_name : "");
    if (width >= HELP_COLUMN)
        printf("%s\n%*s%s\n", left, HELP_COLUMN, "", help);
    else
        printf("%-*s%s\n", HELP_COLUMN, left, help);
}

static void print_help(const struct usage *usage)
{
    printf("usage: %s\n", usage->synopsis);
    if (usage->about != NULL)
        printf("\n%s\n", usage->about);
    printf("\n");
    for (size_t i = 0; i < usage->row_count; i++)
        print_row(usage->rows[i].name, usage->rows[i].value_name, usage->rows[i].help);
    print_row("help", NULL, "show this");
}

int usage_error(const struct usage *usage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("assent: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nusage: %s\n", usage->synopsis);
    return EXIT_USAGE;
}

int options_exit(enum options_result result)
{
    return result == OPTIONS_BAD ? EXIT_USAGE : EXIT_DONE;
}

static const struct option_row *find_row(const struct usage *usage, const char *name, size_t length)
{
    for (size_t i = 0; i < usage->row_count; i++)
        if (strlen(usage->rows[i].name) == length &&
            strncmp(usage->rows[i].name, name, length) == 0)
            return &usage->rows[i];
    return NULL;
}

/* Reads the option at argv[*at] and moves on to its last word. */
static enum options_result read_one(const struct usage *usage, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (strcmp(name, "help") == 0 || strcmp(word, "-h") == 0) {
        print_help(usage);
        return OPTIONS_HELP;
    }
    const struct option_row *row = find_row(usage, name, length);
    if (row == NULL || (row->name[1] != '\0') != (word[1] == '-')) {
        usage_error(usage, "unknown option %s; --help lists the options", word);
        return OPTIONS_BAD;
    }
    if (row->value_name == NULL && value == NULL) {
        *row->flag = true;
        return OPTIONS_READ;
    }
    if (row->value_name == NULL) {
        usage_error(usage, "--%s takes no value", row->name);
        return OPTIONS_BAD;
    }
    if (value == NULL && ++*at < argc)
        value = argv[*at];
    if (value == NULL) {
        usage_error(usage, "%s needs a value: %s", word, row->value_name);
        return OPTIONS_BAD;
    }
    *row->value = value;
    return OPTIONS_READ;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

enum options_result options_read_front(const struct usage *usage, int argc, char **argv,
                                       int *ret_next)
{
    int i = 1;
    for (; i < argc && is_option(argv[i]); i++) {
        enum options_result result = read_one(usage, argc, argv, &i);
        if (result != OPTIONS_READ)
            return result;
    }
    *ret_next = i;
    return OPTIONS_READ;
}

enum options_result options_read(const struct usage *usage, int argc, char **argv,
                                 const char **words, size_t words_max, size_t *ret_word_count)
{
    size_t count = 0;
    bool over = false;
    for (int i = 1; i < argc; i++) {
        if (!over && strcmp(argv[i], "--") == 0) {
            over = true;
        } else if (!over && is_option(argv[i])) {
            enum options_result result = read_one(usage, argc, argv, &i);
            if (result != OPTIONS_READ)
                return result;
        } else if (count == words_max) {
            usage_error(usage, "\"%s\" is one word too many; quote a text that has spaces",
                        argv[i]);
            return OPTIONS_BAD;
        } else {
            words[count++] = argv[i];
        }
    }
    *ret_word_count = count;
    return OPTIONS_READ;
}

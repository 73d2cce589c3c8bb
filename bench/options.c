/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"

static bool parse_number(const char *text, int base, uint64_t *ret_value)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    *ret_value = strtoull(text, &end, base);
    return *end == '\0';
}

static bool parse_share(const char *text, uint32_t *ret_ppm)
{
    char *end;
    double value = strtod(text, &end);
    if (*text < '0' || *text > '9' || strcmp(end, "%") != 0 || value > 100)
        return false;
    *ret_ppm = (uint32_t)(value * 10000 + 0.5);
    return true;
}

static bool parse_duration(const char *text, size_t length, uint64_t *ret_us)
{
    static const struct {
        const char *unit;
        uint64_t us;
    } units[] = {{"us", 1}, {"ms", US_PER_MS}, {"s", US_PER_S}, {"m", 60 * US_PER_S}};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || digits >= length)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].unit) == length - digits &&
            memcmp(text + digits, units[i].unit, length - digits) == 0) {
            *ret_us = strtoull(text, NULL, 10) * units[i].us;
            return true;
        }
    }
    return false;
}

static bool parse_delay(const char *text, uint64_t ret_delay[2])
{
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    uint64_t delay[2] = {0};
    if (!parse_duration(text, length, &delay[0]) ||
        (colon != NULL && !parse_duration(colon + 1, strlen(colon + 1), &delay[1])))
        return false;
    memcpy(ret_delay, delay, sizeof delay);
    return true;
}

static bool parse_choice(const char *choices, const char *text, int *ret_index)
{
    for (int index = 0;; index++) {
        size_t length = strcspn(choices, "|");
        if (strlen(text) == length && memcmp(text, choices, length) == 0) {
            *ret_index = index;
            return true;
        }
        if (choices[length] == '\0')
            return false;
        choices += length + 1;
    }
}

static bool parse_value(const struct option_row *row, const char *text, void *place,
                        const char **ret_why)
{
    uint64_t number;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return true;
    case OPTION_TEXT:
        *(const char **)place = text;
        return true;
    case OPTION_COUNT:
        if (!parse_number(text, 10, &number) || number < row->min || number > row->max)
            return false;
        *(uint32_t *)place = (uint32_t)number;
        return true;
    case OPTION_SEED:
        return parse_number(text, 0, (uint64_t *)place);
    case OPTION_STATUS:
        if (!parse_number(text, 0, &number) || number > UINT32_MAX)
            return false;
        *(uint32_t *)place = (uint32_t)number;
        return true;
    case OPTION_SHARE:
        return parse_share(text, place);
    case OPTION_DURATION:
        return parse_duration(text, strlen(text), place);
    case OPTION_DELAY:
        return parse_delay(text, place);
    case OPTION_CHOICE:
        return parse_choice(row->choices, text, place);
    case OPTION_EACH:
        return row->take(place, text, ret_why);
    }
    return false;
}

static void say_allowed(const struct option_row *row, const char *why)
{
    switch (row->kind) {
    case OPTION_FLAG:
        fprintf(stderr, "it takes no value");
        break;
    case OPTION_TEXT:
        fprintf(stderr, "it wants %s", row->value);
        break;
    case OPTION_COUNT:
        fprintf(stderr, "allowed is a whole number from %u to %u", row->min, row->max);
        break;
    case OPTION_SEED:
        fprintf(stderr, "allowed is a whole number, decimal or 0x");
        break;
    case OPTION_STATUS:
        fprintf(stderr, "allowed is an SMPP status such as 0x08 or 88");
        break;
    case OPTION_SHARE:
        fprintf(stderr, "allowed is a share from 0%% to 100%%, such as 2%% or 0.5%%");
        break;
    case OPTION_DURATION:
        fprintf(stderr, "allowed is a time such as 200us, 5ms, 30s or 2m");
        break;
    case OPTION_DELAY:
        fprintf(stderr, "allowed is MEAN or MEAN:SPREAD, such as 5ms or 200ms:100ms");
        break;
    case OPTION_CHOICE:
        fprintf(stderr, "allowed is %s", row->choices);
        break;
    case OPTION_EACH:
        fprintf(stderr, "%s", why != NULL ? why : "it wants a value");
        break;
    }
    fprintf(stderr, "\n");
}

/* A help of several lines stays in its column. */
static void print_row(const char *left, const char *help)
{
    for (;;) {
        int length = (int)strcspn(help, "\n");
        printf("  %-30s %.*s\n", left, length, help);
        if (help[length] == '\0')
            return;
        help += length + 1;
        left = "";
    }
}

static void print_help(const struct option_row *rows, size_t count, const char *usage)
{
    printf("%s\n\n", usage);
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        print_row(left, rows[i].help);
    }
    print_row("--help", "this text");
}

static const struct option_row *find_row(const struct option_row *rows, size_t count,
                                         const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    return NULL;
}

/* One option at argv[*at], as `--name value` or `--name=value`. */
static bool take_option(const struct option_row *rows, size_t count, int argc, char **argv, int *at,
                        void *into)
{
    const char *name = argv[*at];
    const char *value = strchr(name, '='), *why = NULL;
    size_t length = value ? (size_t)(value - name) : strlen(name);
    const struct option_row *row = find_row(rows, count, name, length);
    if (row == NULL) {
        fprintf(stderr, "%s: there is no option %s; --help lists them\n", argv[0], name);
        return false;
    }
    if (value != NULL)
        value++;
    else if (row->value != NULL && *at + 1 < argc)
        value = argv[++*at];
    bool wanted = row->value != NULL;
    if ((value != NULL) == wanted && parse_value(row, value, (char *)into + row->offset, &why))
        return true;
    fprintf(stderr, "%s: %s%s%s: ", argv[0], row->name, value ? " " : " without a value",
            value ? value : "");
    say_allowed(row, why);
    return false;
}

bool options_parse(const struct option_row *rows, size_t count, const char *usage, int argc,
                   char **argv, void *into, int *ret_exit)
{
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            print_help(rows, count, usage);
            *ret_exit = 0;
            return false;
        }
        if (!take_option(rows, count, argc, argv, &at, into)) {
            *ret_exit = 2;
            return false;
        }
    }
    return true;
}

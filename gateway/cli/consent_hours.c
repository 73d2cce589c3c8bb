/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent hours: when marketing may reach a number. Asks nobody: the rules are in this program,
 * the time zones in the system. */
#include <stdio.h>
#include <string.h>

#include "consent/quiet_hours.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/options.h"
#include "gateway/cli/when.h"
#include "proto/base/clock.h"
#include "proto/number.h"

#define NUMBERS_MAX 1024

struct hours_query {
    struct quiet_book *book;
    uint16_t zone;
    uint64_t at_ms, until_ms;
};

/* "08:30", or "06:30 to 08:30" where the zones differ. */
static void print_clock(const struct quiet_answer *a, uint64_t at_ms)
{
    char west[WHEN_TEXT_SIZE], east[WHEN_TEXT_SIZE];
    when_text(at_ms + (uint64_t)(a->west_minutes * 60000ll), west);
    when_text(at_ms + (uint64_t)(a->east_minutes * 60000ll), east);
    printf("local time  %.16s", west);
    if (a->west_minutes != a->east_minutes)
        printf(" to %.16s", east);
    printf("  known by: %s\n", zone_source_name(a->source));
}

static void print_now(const struct hours_query *q, uint64_t number)
{
    char text[NUMBER_TEXT_SIZE], next[WHEN_TEXT_SIZE];
    number_format(number, text);
    uint16_t place = quiet_place(q->book, number);
    struct quiet_answer a = quiet_ask(q->book, place, q->zone, q->at_ms);
    printf("number      +%s\n", text);
    if (a.source != ZONE_UNKNOWN)
        print_clock(&a, q->at_ms);
    if (a.next_ms == QUIET_NEVER)
        printf("hours       none: no rule is known there; see quiet_hours_default\n");
    else if (quiet_is_allowed(&a, q->at_ms))
        printf("hours       allowed until %.16s UTC at least\n", when_text(a.until_ms, next));
    else
        printf("hours       quiet until %.16s UTC\n", when_text(a.next_ms, next));
    quiet_describe(q->book, place, q->zone, stdout);
}

/* Every stretch of time in which it is allowed, a line each. */
static void print_spans(const struct hours_query *q, uint64_t number)
{
    char text[NUMBER_TEXT_SIZE], from[WHEN_TEXT_SIZE], until[WHEN_TEXT_SIZE];
    number_format(number, text);
    uint16_t place = quiet_place(q->book, number);
    uint64_t at_ms = q->at_ms;
    while (at_ms < q->until_ms) {
        struct quiet_answer a = quiet_ask(q->book, place, q->zone, at_ms);
        if (a.next_ms >= q->until_ms)
            return;
        uint64_t begin_ms = a.next_ms;
        for (at_ms = begin_ms; at_ms < q->until_ms; at_ms = a.until_ms) {
            a = quiet_ask(q->book, place, q->zone, at_ms);
            if (!quiet_is_allowed(&a, at_ms))
                break;
        }
        at_ms = at_ms < q->until_ms ? at_ms : q->until_ms;
        printf("+%s  %.16s  %.16s\n", text, when_text(begin_ms, from), when_text(at_ms, until));
    }
}

static int answer(const struct hours_query *q, const char **words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (number_parse(span_from_string(words[i]), &number) != ERR_OK) {
            complain("%s: not E.164 (5 to 15 digits with country code, + optional)", words[i]);
            return EXIT_REFUSED;
        }
        if (q->until_ms != 0)
            print_spans(q, number);
        else
            print_now(q, number);
    }
    return EXIT_DONE;
}

int consent_hours(const struct cli *cli, int argc, char **argv)
{
    (void)cli;
    static const char *words[NUMBERS_MAX];
    const char *zone = NULL, *fallback = NULL, *at = "now", *until = NULL;
    const struct option_row rows[] = {
        {"time-zone", "NAME", "where the recipient is: America/Chicago", &zone, NULL},
        {"default", "9-20", "hours where no rule is known, as quiet_hours_default", &fallback,
         NULL},
        {"at", "TIME", "instead of now: 2026-12-01T09:00:00Z", &at, NULL},
        {"until", "TIME", "list every stretch of allowed time up to then, in UTC", &until, NULL},
    };
    const struct usage usage = {
        .synopsis = "assent consent hours [--time-zone NAME] [--at TIME] NUMBER...",
        .about = "Says when marketing may reach a number: its local time and how it is known, the\n"
                 "rules with their sources, the zones. Needs no gateway.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t count;
    enum options_result result = options_read(&usage, argc, argv, words, NUMBERS_MAX, &count);
    if (result != OPTIONS_READ)
        return options_exit(result);
    struct hours_query q = {0};
    struct daily_hours hours;
    if (count == 0)
        return usage_error(&usage, "which NUMBER?");
    if (fallback != NULL && !daily_hours_parse(fallback, &hours))
        return usage_error(&usage, "--default is like 9-20 or 8:30-21:15");
    if (!when_parse(at, clock_wall_ms(), &q.at_ms) ||
        (until != NULL && !when_parse(until, clock_wall_ms(), &q.until_ms)))
        return usage_error(&usage, "a TIME is like +10m or 2026-12-01T09:00:00+01:00");
    const struct zone_table *zones = zones_system();
    if (zones == NULL) {
        complain("no time zones in /usr/share/zoneinfo: install the package tzdata");
        return EXIT_REFUSED;
    }
    if (zone != NULL && (q.zone = zone_find(zones, zone)) == 0)
        return usage_error(&usage, "--time-zone is a name like America/Chicago");
    q.book = quiet_book_new(zones, fallback != NULL ? &hours : NULL);
    int code = answer(&q, words, count);
    quiet_book_free(q.book);
    return code;
}

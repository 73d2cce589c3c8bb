/* SPDX-License-Identifier: Apache-2.0 */
/* Quiet hours: when may marketing reach this number, in the recipient's local time?
 *
 * What is allowed where is data (data/quiet_hours.inc: read that first). Where the recipient is, the number
 * tells as far as it does: its country, in +1 the state by its area code. A mobile number is carried over
 * borders, so every law and every time zone that the number may be under must allow. A submitter who
 * knows the recipient's zone may say so, and that word wins: the clock is that of this zone alone. When it
 * is none of the number's own zones, the recipient has moved, and the laws of all states of the
 * number's country that keep this time count too.
 *
 * Pure: times are parameters, nothing is read. A book is made once from the zones and is constant. */
#ifndef CONSENT_QUIET_HOURS_H
#define CONSENT_QUIET_HOURS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "consent/zones.h"
#include "proto/base/limits.h"

#define QUIET_NEVER UINT64_MAX

struct quiet_book;

/* Hours of every day, in minutes after midnight; `until` itself is outside. */
struct daily_hours {
    uint16_t from, until;
};

/* "9-20", "8:30-21:15", "0-24". False: is none, or ends before it begins. */
bool daily_hours_parse(const char *text, struct daily_hours *ret_hours);

/* `fallback`: hours for the countries that no row of the data names; NULL: there messages are never
 * allowed. `zones` must outlive the book. */
struct quiet_book *quiet_book_new(const struct zone_table *zones,
                                  const struct daily_hours *fallback);
void quiet_book_free(struct quiet_book *book);

enum zone_source {
    ZONE_UNKNOWN, /* the number is of no country */
    ZONE_SUBMITTER,
    ZONE_AREA_CODE,
    ZONE_COUNTRY,
};
const char *zone_source_name(enum zone_source source); /* "area_code" */

struct quiet_answer {
    uint64_t
        next_ms; /* the first moment, from the asked one on, at which it is allowed; QUIET_NEVER:
                          not in the next QUIET_AHEAD_DAYS, or no hours are known there */
    uint64_t
        until_ms; /* up to here the answer stays as it is; `next_ms` too, if it is later than asked */
    int16_t west_minutes,
        east_minutes; /* the recipient's clock is ahead of UTC by these or between */
    enum zone_source source;
};

/* Where a number may be: an index, constant in a book's life. */
uint16_t quiet_place(const struct quiet_book *book, uint64_t number);

/* The answer at `wall_ms` for a place. `zone`: the submitter's word, 0 for none. Up to 30 us where it is
 * many states; see quiet_check(). */
struct quiet_answer quiet_ask(const struct quiet_book *book, uint16_t place, uint16_t zone,
                              uint64_t wall_ms);

/* The same for a number, from answers that still hold: some 30 ns. `cache` is zeroed at first, and
 * belongs to one book. */
#define QUIET_CACHE_SLOTS 1024
struct quiet_cache {
    struct quiet_slot {
        uint64_t from_ms;
        struct quiet_answer answer;
        uint16_t place, zone;
    } slots[QUIET_CACHE_SLOTS];
};
const struct quiet_answer *quiet_check(struct quiet_cache *cache, const struct quiet_book *book,
                                       uint64_t number, uint16_t zone, uint64_t wall_ms);

static inline bool quiet_is_allowed(const struct quiet_answer *answer, uint64_t wall_ms)
{
    return answer->next_ms <= wall_ms;
}

/* The countries that numbers with this prefix ("" for all) may be in and for which neither a row nor a
 * fallback gives hours: "CA GB", as many as fit. False: there are none. */
bool quiet_missing(const struct quiet_book *book, const char *prefix, char *out, size_t size);

/* Prints a place for people: laws with their source and zones, a line each. */
void quiet_describe(const struct quiet_book *book, uint16_t place, uint16_t zone, FILE *out);

#endif

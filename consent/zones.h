/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones: the names of the IANA database and how far each is from UTC at any moment, daylight saving
 * included. What the system's tzdata package says is read once through the C library, which knows its
 * format; afterwards everything here is lookups in memory. Debian keeps tzdata up to date in a stable
 * release and does not do so with the copy inside ICU (libicu72 knows the rules of 2022e: an hour off in
 * Mexico, Egypt, Kazakhstan, Paraguay and Greenland).
 *
 * A zone is a small number; 0 is none. Times are seconds of UTC since 1970. Known are the years from
 * ZONE_YEAR_FIRST to ZONE_YEAR_LAST; before and after, the nearest offset is taken. */
#ifndef CONSENT_ZONES_H
#define CONSENT_ZONES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/span.h"

#define ZONE_YEAR_FIRST 2024
#define ZONE_YEAR_LAST  2038
#define ZONE_NAME_SIZE  48

struct zone_table;

/* The system's zones, read at the first call: 0.15 s, in which the process's TZ is changed, so that
 * must be before there is a second thread. NULL: there is no database (the tzdata package). Never freed. */
const struct zone_table *zones_system(void);

/* By name, aliases too ("US/Central"). 0: no zone has this name. */
uint16_t zone_find(const struct zone_table *table, const char *name);
const char *zone_name(const struct zone_table *table, uint16_t zone);
unsigned zone_count(const struct zone_table *table); /* zones are 1 to this */

/* What a clock there is ahead of UTC at `at_s`, and, unless NULL, until when. */
int32_t zone_offset_s(const struct zone_table *table, uint16_t zone, int64_t at_s,
                      int64_t *ret_until_s);

/* Their clocks show the same in all years that are known. */
bool zone_same(const struct zone_table *table, uint16_t a, uint16_t b);

/* The zones of a country (ISO 3166-1, "FR"), at most `max`. */
unsigned zones_of_country(const struct zone_table *table, const char *country, uint16_t *out,
                          unsigned max);

/* One line of the database's zone.tab: country, place, name, maybe a comment, with tabs between. False:
 * a comment, or nothing that can be used. */
bool zone_tab_line(struct span line, char ret_country[3], char ret_name[ZONE_NAME_SIZE]);

#endif

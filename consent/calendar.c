/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/calendar.h"

#include <stddef.h>
#include <string.h>

#define DAYS_IN_400_YEARS 146097
#define DAYS_TO_1970      719468 /* from 1 March of the year 0 */

struct holiday {
    const char *country;
    uint8_t month, day;
    int16_t after_easter; /* where month is 0 */
};

#define HOLIDAY(country, month, day) {country, month, day, 0},
#define EASTER(country, days)        {country, 0, 0, days},
static const struct holiday holidays[] = {
#include "consent/data/holidays.inc"
};

/* Years are counted from March, so that a leap day is the last day of its year. */
int32_t calendar_day(int year, unsigned month, unsigned day)
{
    int from_march = month > 2 ? year : year - 1;
    int era = (from_march >= 0 ? from_march : from_march - 399) / 400;
    int year_of_era = from_march - era * 400;
    int day_of_year = (153 * ((int)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int)day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_IN_400_YEARS + day_of_era - DAYS_TO_1970;
}

void calendar_date(int32_t day, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int32_t days = day + DAYS_TO_1970;
    int era = (days >= 0 ? days : days - (DAYS_IN_400_YEARS - 1)) / DAYS_IN_400_YEARS;
    int of_era = days - era * DAYS_IN_400_YEARS;
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153; /* 0 is March */
    *ret_day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

unsigned calendar_weekday(int32_t day)
{
    return (unsigned)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

/* The church's full moon of spring, then the Sunday after it (Gauss's way, with the corrections for
 * the two late cases). */
int32_t calendar_easter(int year)
{
    int century = year / 100;
    int moon_shift = (15 + century - century / 4 - (13 + 8 * century) / 25) % 30;
    int week_shift = (4 + century - century / 4) % 7;
    int moon = (19 * (year % 19) + moon_shift) % 30;
    int sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + week_shift) % 7;
    int32_t easter = calendar_day(year, 3, 22) + moon + sunday;
    bool late = (moon == 29 && sunday == 6) ||
                (moon == 28 && sunday == 6 && (11 * moon_shift + 11) % 30 < 19);
    return late ? easter - 7 : easter;
}

bool calendar_is_holiday(const char *country, int32_t day)
{
    int year;
    unsigned month, of_month;
    calendar_date(day, &year, &month, &of_month);
    for (size_t i = 0; i < sizeof holidays / sizeof *holidays; i++) {
        const struct holiday *h = &holidays[i];
        if (strcmp(h->country, country) != 0)
            continue;
        bool found = h->month != 0 ? h->month == month && h->day == of_month
                                   : day == calendar_easter(year) + h->after_easter;
        if (found)
            return true;
    }
    return false;
}

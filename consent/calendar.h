/* SPDX-License-Identifier: Apache-2.0 */
/* Days of the Gregorian calendar as numbers, 0 is 1970-01-01; and public holidays (data/holidays.inc). */
#ifndef CONSENT_CALENDAR_H
#define CONSENT_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

int32_t calendar_day(int year, unsigned month, unsigned day); /* months and days from 1 */
void calendar_date(int32_t day, int *ret_year, unsigned *ret_month, unsigned *ret_day);
unsigned calendar_weekday(int32_t day); /* 0 is Monday */
int32_t calendar_easter(int year);      /* its Sunday */

/* False in countries that the data does not have. */
bool calendar_is_holiday(const char *country, int32_t day);

#endif

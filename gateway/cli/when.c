/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/when.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/config_text.h"
#include "proto/base/clock.h"

/* Two digits at `at`, or -1. */
static int two(const char *at)
{
    if (!isdigit((unsigned char)at[0]) || !isdigit((unsigned char)at[1]))
        return -1;
    return (at[0] - '0') * 10 + (at[1] - '0');
}

/* "2026-12-01"; false when it is no day of the calendar. */
static bool read_date(const char *text, struct tm *ret_tm)
{
    int high = two(text), low = high < 0 ? -1 : two(text + 2);
    if (low < 0 || text[4] != '-')
        return false;
    int month = two(text + 5);
    if (month < 1 || month > 12 || text[7] != '-')
        return false;
    int day = two(text + 8);
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = high * 100 + low;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1970 || day < 1 || day > days[month - 1] + (month == 2 && leap))
        return false;
    *ret_tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return true;
}

/* "09:00:00"; gives what follows, or NULL. */
static const char *read_clock(const char *text, struct tm *tm)
{
    tm->tm_hour = two(text);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || text[2] != ':')
        return NULL;
    tm->tm_min = two(text + 3);
    if (tm->tm_min < 0 || tm->tm_min > 59 || text[5] != ':')
        return NULL;
    tm->tm_sec = two(text + 6);
    return tm->tm_sec < 0 || tm->tm_sec > 59 ? NULL : text + 8;
}

/* "Z", "+01:00"; minutes east of Greenwich. */
static bool read_zone(const char *text, int *ret_minutes)
{
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *ret_minutes = 0;
        return true;
    }
    if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
        return false;
    int hours = two(text + 1), minutes = two(text + 4);
    if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
        return false;
    *ret_minutes = (hours * 60 + minutes) * (text[0] == '-' ? -1 : 1);
    return true;
}

static bool read_absolute(const char *text, uint64_t *ret_wall_ms)
{
    struct tm tm;
    int zone, ms = 0, digits = 0;
    if (!read_date(text, &tm) || (text[10] != 'T' && text[10] != 't' && text[10] != ' '))
        return false;
    const char *rest = read_clock(text + 11, &tm);
    if (rest == NULL)
        return false;
    if (*rest == '.')
        for (rest++; isdigit((unsigned char)*rest); rest++, digits++)
            ms = digits < 3 ? ms * 10 + (*rest - '0') : ms;
    for (; digits > 0 && digits < 3; digits++)
        ms *= 10;
    if (!read_zone(rest, &zone))
        return false;
    int64_t seconds = timegm(&tm) - zone * 60;
    if (seconds < 0)
        return false;
    *ret_wall_ms = (uint64_t)seconds * MS_PER_S + (uint64_t)ms;
    return true;
}

bool when_parse(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms)
{
    uint64_t ms;
    if (strcmp(text, "now") == 0) {
        *ret_wall_ms = now_wall_ms;
        return true;
    }
    if (text[0] == '+') {
        if (!config_duration(text + 1, &ms))
            return false;
        *ret_wall_ms = now_wall_ms + ms;
        return true;
    }
    return read_absolute(text, ret_wall_ms);
}

bool when_parse_date(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms)
{
    struct tm tm;
    if (strlen(text) != 10 || !read_date(text, &tm))
        return when_parse(text, now_wall_ms, ret_wall_ms);
    *ret_wall_ms = (uint64_t)timegm(&tm) * MS_PER_S;
    return true;
}

char *when_text(uint64_t wall_ms, char out[WHEN_TEXT_SIZE])
{
    clock_format_wall(wall_ms, out);
    out[10] = ' ';
    out[23] = '\0'; /* the Z: every time here is UTC */
    return out;
}

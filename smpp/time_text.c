/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/time_text.h"

#include <stdio.h>
#include <time.h>

#include "proto/base/check.h"

#define DAY_S 86400u

void time_text_relative(uint64_t ms, char out[TIME_TEXT_SIZE])
{
    uint64_t longest_ms = 100ull * DAY_S * 1000 - 1000;
    uint64_t s = (ms < longest_ms ? ms : longest_ms) / 1000;
    unsigned days = (unsigned)(s / DAY_S), rest = (unsigned)(s % DAY_S);
    int length = snprintf(out, TIME_TEXT_SIZE, "0000%02u%02u%02u%02u000R", days, rest / 3600,
                          rest / 60 % 60, rest % 60);
    CHECK(length == (int)TIME_TEXT_MAX);
}

void time_text_absolute(uint64_t wall_ms, char out[TIME_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    CHECK(gmtime_r(&seconds, &utc) != NULL);
    int length = snprintf(
        out, TIME_TEXT_SIZE, "%02u%02u%02u%02u%02u%02u%u00+", (unsigned)utc.tm_year % 100,
        (unsigned)utc.tm_mon % 12 + 1, (unsigned)utc.tm_mday % 32, (unsigned)utc.tm_hour % 24,
        (unsigned)utc.tm_min % 60, (unsigned)utc.tm_sec % 61, (unsigned)(wall_ms % 1000 / 100));
    CHECK(length == (int)TIME_TEXT_MAX);
}

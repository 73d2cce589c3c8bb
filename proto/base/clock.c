/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/clock.h"

#include <stdio.h>
#include <time.h>

uint64_t clock_mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * MS_PER_S + (uint64_t)t.tv_nsec / 1000000;
}

struct instant clock_now(void)
{
    return (struct instant){.mono_us = clock_mono_us(), .wall_ms = clock_wall_ms()};
}

char *clock_format_wall(uint64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ms / MS_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_TEXT_SIZE - n, ".%03uZ", (unsigned)(wall_ms % MS_PER_S));
    return out;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Monotonic microseconds for every timer (a jump of the wall clock moves nothing), wall
 * milliseconds since 1970 only for records that people read. The engine never calls these: it is
 * told the time, so that a simulation can run it. */
#ifndef PROTO_BASE_CLOCK_H
#define PROTO_BASE_CLOCK_H

#include <stdint.h>

#define US_PER_MS 1000ull
#define US_PER_S  1000000ull
#define MS_PER_S  1000ull

struct instant {
    uint64_t mono_us; /* monotonic, arbitrary origin, never 0 */
    uint64_t wall_ms; /* since 1970-01-01T00:00:00Z */
};

struct instant clock_now(void);
uint64_t clock_mono_us(void);
uint64_t clock_wall_ms(void);

/* Writes RFC 3339 UTC with milliseconds into `out` (25 octets with the NUL) and returns it. */
#define CLOCK_TEXT_SIZE 25
char *clock_format_wall(uint64_t wall_ms, char out[CLOCK_TEXT_SIZE]);

#endif

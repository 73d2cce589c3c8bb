/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"

static enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

__attribute__((format(printf, 4, 0))) static void write_line(enum log_level level,
                                                             const char *event, unsigned long held,
                                                             const char *format, va_list arguments)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char line[LOG_LINE_MAX];
    char when[CLOCK_TEXT_SIZE];
    int n = snprintf(line, sizeof line, "%s level=%s event=%s ",
                     clock_format_wall(clock_wall_ms(), when), names[level], event);
    int room = (int)sizeof line - n - 1;
    int m = vsnprintf(line + n, (size_t)room, format, arguments);
    n += m < 0 ? 0 : m < room ? m : room - 1;
    if (held > 0 && n < (int)sizeof line - 32)
        n += snprintf(line + n, 31, " repeats=%lu", held);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* nowhere left to say it */
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (level < threshold)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line(level, event, 0, format, arguments);
    va_end(arguments);
}

void log_limited(struct log_site *site, enum log_level level, const char *event, const char *format,
                 ...)
{
    if (level < threshold)
        return;
    uint64_t now_ms = clock_mono_us() / US_PER_MS;
    if (site->last_ms != 0 && now_ms - site->last_ms < LOG_REPEAT_MS) {
        site->held++;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_line(level, event, site->held, format, arguments);
    va_end(arguments);
    site->last_ms = now_ms;
    site->held = 0;
}

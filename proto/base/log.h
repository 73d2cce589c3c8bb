/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log on stderr: `2026-11-21T22:30:00.123Z level=info event=carrier_bound carrier=alpha`.
 * A line has an event name and key=value fields. It never holds a number, a text or a key of
 * anybody: use hash_tag() of proto/base/hash.h where two lines about one person must be joined.
 * Library boxes return errors; the gateway decides and logs once. Main thread only, but
 * log_event() may be called from the ledger thread too (one write(2) a line). */
#ifndef PROTO_BASE_LOG_H
#define PROTO_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below `level` are dropped. Default LOG_INFO. */
void log_set_level(enum log_level level);

/* `event` is a snake_case constant; `format` makes the key=value fields ("" for none). */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, at most once in LOG_REPEAT_MS for this call site; what was held back is counted in a
 * `repeats=` field of the next line. */
struct log_site {
    unsigned long long last_ms;
    unsigned long held;
};
void log_limited(struct log_site *site, enum log_level level, const char *event, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
#define LOG_LIMITED(level, event, ...)                                                             \
    do {                                                                                           \
        static struct log_site log_site_;                                                          \
        log_limited(&log_site_, level, event, __VA_ARGS__);                                        \
    } while (0)

#endif

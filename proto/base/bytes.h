/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded big-endian reading and writing, and the flat I/O buffer.
 *
 * A reader or writer that once ran over its end stays `failed`: reads give 0, writes do nothing, and
 * one look at the end of a parser is enough. Neither allocates.
 *
 * A buffer owns its octets, takes its maximum at birth and never grows over it: data between
 * `start` and `end` waits to be consumed; the front is reclaimed when room is asked for. */
#ifndef PROTO_BASE_BYTES_H
#define PROTO_BASE_BYTES_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct reader reader_over(struct span span)
{
    return (struct reader){.at = span.data, .end = span.data + span.length};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline struct span read_span(struct reader *r, size_t length)
{
    if (r->failed || reader_left(r) < length) {
        r->failed = true;
        return (struct span){0};
    }
    struct span span = {.data = r->at, .length = length};
    r->at += length;
    return span;
}

static inline uint8_t read_u8(struct reader *r)
{
    struct span s = read_span(r, 1);
    return s.data ? s.data[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    struct span s = read_span(r, 2);
    return s.data ? (uint16_t)(s.data[0] << 8 | s.data[1]) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    struct span s = read_span(r, 4);
    return s.data ? (uint32_t)s.data[0] << 24 | (uint32_t)s.data[1] << 16 |
                        (uint32_t)s.data[2] << 8 | s.data[3]
                  : 0;
}

struct writer {
    uint8_t *at;
    uint8_t *end;
    uint8_t *start;
    bool failed;
};

static inline struct writer writer_over(void *data, size_t size)
{
    return (struct writer){.at = data, .end = (uint8_t *)data + size, .start = data};
}

static inline size_t writer_length(const struct writer *w)
{
    return (size_t)(w->at - w->start);
}

static inline void write_octets(struct writer *w, const void *data, size_t length)
{
    if (w->failed || (size_t)(w->end - w->at) < length) {
        w->failed = true;
        return;
    }
    if (length > 0)
        memcpy(w->at, data, length);
    w->at += length;
}

static inline void write_u8(struct writer *w, uint8_t v)
{
    write_octets(w, &v, 1);
}

static inline void write_u16(struct writer *w, uint16_t v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    write_octets(w, b, sizeof b);
}

static inline void store_u32(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 24);
    at[1] = (uint8_t)(v >> 16);
    at[2] = (uint8_t)(v >> 8);
    at[3] = (uint8_t)v;
}

static inline void write_u32(struct writer *w, uint32_t v)
{
    uint8_t b[4];
    store_u32(b, v);
    write_octets(w, b, sizeof b);
}

struct buffer {
    uint8_t *data;
    size_t start, end; /* octets [start, end) are in use */
    size_t size;       /* allocated */
    size_t limit;      /* maximum of end - start */
};

void buffer_init(struct buffer *buffer, size_t limit);
void buffer_release(struct buffer *buffer);

static inline size_t buffer_length(const struct buffer *b)
{
    return b->end - b->start;
}

static inline struct span buffer_span(const struct buffer *b)
{
    return span_of(b->data + b->start, buffer_length(b));
}

/* Room for `length` more octets at the end, or NULL when that would pass the limit. Fill it, then
 * call buffer_commit(). */
MUST_CHECK uint8_t *buffer_reserve(struct buffer *buffer, size_t length);

static inline void buffer_commit(struct buffer *b, size_t length)
{
    b->end += length;
}

MUST_CHECK bool buffer_append(struct buffer *buffer, const void *data, size_t length);

/* Drops `length` octets from the front, and wipes them. */
void buffer_consume(struct buffer *buffer, size_t length);

#endif

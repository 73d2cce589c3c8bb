/* SPDX-License-Identifier: Apache-2.0 */
/* A view of octets that somebody else owns. Never freed, never NUL-terminated by promise. */
#ifndef PROTO_BASE_SPAN_H
#define PROTO_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data;
    size_t length;
};

static inline struct span span_of(const void *data, size_t length)
{
    return (struct span){.data = data, .length = length};
}

static inline struct span span_from_string(const char *s)
{
    return (struct span){.data = (const uint8_t *)s, .length = s ? strlen(s) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

#endif

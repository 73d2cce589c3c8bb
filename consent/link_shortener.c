/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/link_shortener.h"

#define SHORTENER(host) {host, sizeof(host) - 1},
static const struct {
    const char *host;
    size_t length;
} shorteners[] = {
#include "consent/data/link_shorteners.inc"
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_host_octet(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '.';
}

static bool equal(const uint8_t *text, const char *host, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t c = text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i];
        if (c != (uint8_t)host[i])
            return false;
    }
    return true;
}

/* One of them, or below one. */
static bool is_shortener(struct span host)
{
    for (size_t i = 0; i < sizeof shorteners / sizeof *shorteners; i++) {
        size_t length = shorteners[i].length;
        if (host.length < length ||
            (host.length > length && host.data[host.length - length - 1] != '.'))
            continue;
        if (equal(host.data + host.length - length, shorteners[i].host, length))
            return true;
    }
    return false;
}

/* A port, and then a path, a query or a fragment that is not empty. */
static bool leads_on(struct span text, size_t at)
{
    if (at < text.length && text.data[at] == ':')
        for (at++; at < text.length && is_digit(text.data[at]);)
            at++;
    if (at + 1 >= text.length)
        return false;
    uint8_t c = text.data[at];
    return (c == '/' || c == '?' || c == '#') && text.data[at + 1] > ' ';
}

/* Behind one stroke a name is part of a path; behind two it is the host. */
static bool in_path(struct span text, size_t at)
{
    return at > 0 && text.data[at - 1] == '/' && !(at > 1 && text.data[at - 2] == '/');
}

bool has_link_shortener(struct span text)
{
    size_t end = 0;
    const uint8_t *dot;
    while (end < text.length && (dot = memchr(text.data + end, '.', text.length - end)) != NULL) {
        size_t begin = (size_t)(dot - text.data);
        while (begin > end && is_host_octet(text.data[begin - 1]))
            begin--;
        end = (size_t)(dot - text.data) + 1;
        while (end < text.length && is_host_octet(text.data[end]))
            end++;
        size_t last = end;
        while (last > begin && text.data[last - 1] == '.')
            last--;
        if (leads_on(text, end) && !in_path(text, begin) &&
            is_shortener(span_of(text.data + begin, last - begin)))
            return true;
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/notice.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/check.h"

size_t notice_format(const struct consent_write *write, char out[NOTICE_VALUE_MAX])
{
    int n = snprintf(out, NOTICE_VALUE_MAX, "%" PRIu64 " %" PRIu64, write->sequence, write->number);
    for (uint8_t i = 0; i < write->scope_count; i++)
        n += snprintf(out + n, NOTICE_VALUE_MAX - (size_t)n, " %u", write->scopes[i]);
    CHECK(n > 0 && n < NOTICE_VALUE_MAX);
    return (size_t)n;
}

/* A decimal number up to `most`, without leading zeros, and the space behind it where there is more. */
static bool take(struct span *text, uint64_t most, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t at = 0;
    for (; at < text->length && text->data[at] >= '0' && text->data[at] <= '9'; at++)
        if ((at > 0 && value == 0) || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, text->data[at] - (unsigned)'0', &value))
            return false;
    if (at == 0 || value > most || at + 1 == text->length ||
        (at < text->length && text->data[at] != ' '))
        return false;
    at += at < text->length;
    *text = span_of(text->data + at, text->length - at);
    *ret_value = value;
    return true;
}

bool notice_parse(struct span value, struct notice *notice)
{
    struct notice read = *notice;
    uint64_t scope;
    read.scope_count = 0;
    if (!take(&value, UINT64_MAX, &read.sequence) || !take(&value, (1ull << 50) - 1, &read.number))
        return false;
    while (value.length > 0) {
        if (read.scope_count == WRITE_SCOPES_MAX || !take(&value, SCOPE_MAX, &scope))
            return false;
        read.scopes[read.scope_count++] = (uint16_t)scope;
    }
    if (read.sequence == 0 || read.number == 0 || read.scope_count == 0)
        return false;
    *notice = read;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/notice.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/check.h"
#include "proto/base/words.h"

size_t notice_format(const struct consent_write *write, char out[NOTICE_VALUE_MAX])
{
    int n = snprintf(out, NOTICE_VALUE_MAX, "%" PRIu64 " %" PRIu64, write->sequence, write->number);
    for (uint8_t i = 0; i < write->scope_count; i++)
        n += snprintf(out + n, NOTICE_VALUE_MAX - (size_t)n, " %u", write->scopes[i]);
    CHECK(n > 0 && n < NOTICE_VALUE_MAX);
    return (size_t)n;
}

bool notice_parse(struct span value, struct notice *notice)
{
    struct notice read = *notice;
    uint64_t scope;
    read.scope_count = 0;
    if (!take_decimal(&value, UINT64_MAX, &read.sequence) || !take_space(&value) ||
        !take_decimal(&value, (1ull << 50) - 1, &read.number))
        return false;
    while (value.length > 0) {
        if (read.scope_count == WRITE_SCOPES_MAX || !take_space(&value) ||
            !take_decimal(&value, SCOPE_MAX, &scope))
            return false;
        read.scopes[read.scope_count++] = (uint16_t)scope;
    }
    if (read.sequence == 0 || read.number == 0 || read.scope_count == 0)
        return false;
    *notice = read;
    return true;
}

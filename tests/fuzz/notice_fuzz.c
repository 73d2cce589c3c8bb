/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a notice in Redis: what is read is written again in the same way. */
#include "consent/notice.h"
#include "proto/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notice notice = {.node = ""};
    struct consent_write write = {.kind = WRITE_OPT_OUT};
    char text[NOTICE_VALUE_MAX];
    if (!notice_parse(span_of(data, size), &notice))
        return 0;
    write.sequence = notice.sequence;
    write.number = notice.number;
    write.scope_count = notice.scope_count;
    memcpy(write.scopes, notice.scopes, sizeof write.scopes);
    CHECK(notice_format(&write, text) == size && memcmp(text, data, size) == 0);
    return 0;
}

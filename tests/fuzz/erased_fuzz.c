/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as an erasure in Redis: what is read is written again in the same way. */
#include "consent/erased.h"
#include "proto/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct erased_fact fact = {.wall_ms = 0};
    char text[ERASED_TEXT_MAX];
    if (!erased_parse(span_of(data, size), &fact))
        return 0;
    CHECK(erased_format(&fact, text) == size && memcmp(text, data, size) == 0);
    return 0;
}

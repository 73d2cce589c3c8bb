/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a node's value in Redis: what is read is written again in the same way. And as its position:
 * beside another mark it is none. */
#include "consent/nodes.h"
#include "proto/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct node_fact fact = {0}, again = {0};
    char text[NODE_VALUE_MAX];
    uint64_t position = 1;
    if (position_parse(span_of(data, size), "mark", &position) && position > 1)
        CHECK(size > 5 && memcmp(data + size - 5, " mark", 5) == 0);
    if (!node_parse(span_of(data, size), &fact))
        return 0;
    size_t length = node_format(&fact, text);
    CHECK(length < NODE_VALUE_MAX && node_parse(span_of(text, length), &again));
    CHECK(memcmp(&fact, &again, sizeof fact) == 0);
    return 0;
}

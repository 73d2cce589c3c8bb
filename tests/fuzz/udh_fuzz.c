/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a user data header: what is taken lies inside them and makes sense. */
#include "proto/base/check.h"
#include "smpp/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct udh udh;
    if (!udh_parse(span_of(data, size), &udh))
        return 0;
    CHECK(udh.text.data + udh.text.length == data + size);
    CHECK(udh.text.length == size - 1 - data[0]);
    CHECK(!udh.concatenated || (udh.part >= 1 && udh.part <= udh.total));
    return 0;
}

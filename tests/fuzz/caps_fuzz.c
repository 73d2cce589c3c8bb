/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a batch of the log of places: what is read is written again in the same way, and a table takes it, which
 * never holds more than it may, nor gives more places than there are. */
#include "consent/caps.h"
#include "proto/base/check.h"

#include <string.h>

#define TABLE_MAX 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span batch = span_of(data, size);
    struct cap_request request;
    uint8_t again[CAP_OCTETS];
    uint64_t taken = 0, at_ms = 1;
    int count = caps_in_batch(batch);
    if (count < 0)
        return 0;
    CHECK(count <= CAPS_BATCH && (size_t)count * CAP_OCTETS == size);
    struct caps *caps = caps_new(TABLE_MAX);
    for (int i = 0; i < count; i++) {
        if (!cap_read(batch, (size_t)i, &request))
            continue;
        cap_write(&request, again);
        CHECK(memcmp(again, data + (size_t)i * CAP_OCTETS, CAP_OCTETS) == 0);
        caps_prefetch(caps, request.key);
        bool had_room = caps_wait_ms(caps, request.key, request.count, at_ms) == 0;
        enum place_answer answer = caps_take(caps, request.message & 1, &request, at_ms);
        CHECK(answer != PLACE_NONE || !had_room);
        taken += answer == PLACE_TAKEN;
        CHECK(answer != PLACE_UNKNOWN || taken >= TABLE_MAX);
        at_ms += data[(size_t)i * CAP_OCTETS]; /* some end meanwhile */
    }
    caps_free(caps);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/stillness.h"

uint64_t stillness_look(struct stillness *stillness, uint64_t now_us)
{
    struct stillness *s = stillness;
    uint64_t from_us = s->looked_us;
    s->looked_us = now_us;
    if (from_us == 0 || now_us - from_us <= STILLNESS_SLACK_US)
        return 0;
    s->kept[s->count % STILLNESS_KEPT].from_us = from_us;
    s->kept[s->count++ % STILLNESS_KEPT].to_us = now_us;
    s->total_us += now_us - from_us;
    return now_us - from_us;
}

uint64_t stillness_in_second(const struct stillness *stillness, uint64_t now_us)
{
    const struct stillness *s = stillness;
    uint64_t sum = 0;
    for (uint64_t n = s->count; n > 0 && s->count - n < STILLNESS_KEPT; n--) {
        uint64_t from_us = s->kept[(n - 1) % STILLNESS_KEPT].from_us;
        uint64_t to_us = s->kept[(n - 1) % STILLNESS_KEPT].to_us;
        if (to_us + US_PER_S <= now_us)
            break;
        sum += to_us - from_us;
    }
    return sum > 0 ? sum + STILLNESS_CATCH_UP_US : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's part about frequency caps: in any sliding window, over all gateways, so many texts of a program
 * go to a number. A text counts when it was last written. Redis alone knows the places: what it has forgotten
 * may be sent once more, and is not counted. */
#include "tests/sim/world.h"

#define VERDICT_US (VERDICT_AGE_MAX_MS * US_PER_MS) /* from the place to the wire */

/* A program that sends marketing caps that; another one all that it sends. */
bool caps_count(const struct world *w, const struct text *t)
{
    bool marketing = t->message_class == ASSENT__V1__CLASS__MARKETING;
    return w->plan.cap_count != 0 &&
           (marketing || !w->config.programs[t->program].classes[ASSENT__V1__CLASS__MARKETING]);
}

static uint64_t counted_from_us(const struct world *w)
{
    uint64_t window_us = w->plan.cap_window_ms * US_PER_MS - VERDICT_US;
    uint64_t from_us = w->now_us > window_us ? w->now_us - window_us : 0;
    uint64_t lost_us = w->oracle.redis_lost_us;
    return lost_us != 0 && lost_us + VERDICT_US > from_us ? lost_us + VERDICT_US : from_us;
}

void caps_written(struct world *w, uint32_t text)
{
    struct text *t = &w->people.texts[text];
    if (!caps_count(w, t))
        return;
    t->capped_us = w->now_us;
    uint64_t from_us = counted_from_us(w);
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->people.text_count; i++) {
        const struct text *o = &w->people.texts[i];
        count += o->number == t->number && o->program == t->program && o->capped_us > from_us;
    }
    if (count > w->plan.cap_count)
        world_fail(w, "P1", "#%u is text %u of %s to number %u in %u ms, %u are allowed", text,
                   count, w->config.programs[t->program].name, t->number, w->plan.cap_window_ms,
                   w->plan.cap_count);
}

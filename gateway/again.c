/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a START: Redis says whether the opt-outs are lifted, since one that came later, at another
 * gateway, may stand there. Until then the number stays denied here, and is not told that it is back. What
 * is still owed when the process ends is not told at all. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define TOLD_WITHIN_MS (30ull * 60 * 1000)

struct again {
    TAILQ_ENTRY(again) link;
    uint64_t sequence, until_ms;
    uint16_t program, carrier;
    uint8_t sender;
    char language[9];
};

void again_owe(struct engine *e, const struct reply *r, const char *language, uint64_t sequence)
{
    if (e->again_count == AGAINS_MAX)
        return;
    struct again *again = check_calloc(1, sizeof *again);
    again->sequence = sequence;
    again->until_ms = e->now.wall_ms + TOLD_WITHIN_MS;
    again->program = r->programs[0];
    again->carrier = r->owed.carrier;
    again->sender = r->sender;
    snprintf(again->language, sizeof again->language, "%s", language);
    TAILQ_INSERT_TAIL(&e->agains, again, link);
    e->again_count++;
}

static void tell(struct engine *e, const struct again *again, uint64_t number)
{
    if (e->now.wall_ms + TTL_MS_MIN < again->until_ms)
        (void)admit_service(e, ASSENT__V1__SERVICE_KIND__OPT_IN_AGAIN, again->program,
                            again->sender, number, again->language, again->sequence, again->carrier,
                            again->until_ms - e->now.wall_ms);
}

void again_written(struct engine *e, const struct consent_write *write, bool lifted)
{
    for (uint8_t i = 0; i < write->scope_count && lifted; i++)
        deny_lift(e, write->number, write->scopes[i], write->sequence);
    if (lifted)
        recent_lift(e, write->number, write->scopes, write->scope_count, write->sequence);
    struct again *again;
    while ((again = TAILQ_FIRST(&e->agains)) != NULL && again->sequence <= write->sequence) {
        if (lifted && again->sequence == write->sequence)
            tell(e, again, write->number);
        TAILQ_REMOVE(&e->agains, again, link);
        e->again_count--;
        free(again);
    }
}

void agains_release(struct engine *e)
{
    struct again *again;
    while ((again = TAILQ_FIRST(&e->agains)) != NULL) {
        TAILQ_REMOVE(&e->agains, again, link);
        free(again);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a STOP ends. message_scopes() is the other side of the same agreement.
 *
 *   a brand's scope     the brand's marketing
 *   a program's scope   all that the program sends
 *   SCOPE_EVERYTHING, SCOPE_HOLD   whatever anybody sends
 *
 * A STOP to a program with `stop_reach: brand` ends the brand's marketing and the program itself; sent to
 * a program without marketing, and where the law says so, it ends all programs of the brand. Where a
 * sender serves several programs it ends them all. Emergencies and the answers to STOP and HELP are
 * denied by none of them. */
#include "consent/revocation.h"
#include "gateway/engine_state.h"

bool reach_add(struct stop_reach_scopes *reach, uint16_t scope)
{
    for (uint8_t i = 0; i < reach->count; i++)
        if (reach->scopes[i] == scope)
            return true;
    if (reach->count == WRITE_SCOPES_MAX)
        return false;
    reach->scopes[reach->count++] = scope;
    return true;
}

static bool add_brand(const struct engine *e, uint16_t program, struct stop_reach_scopes *reach)
{
    bool fits = reach_add(reach, e->brand_scope[program]);
    for (uint16_t i = 0; i < e->config->program_count && fits; i++)
        if (e->brand_scope[i] == e->brand_scope[program])
            fits = reach_add(reach, e->program_scope[i]);
    return fits;
}

/* A scope whose number is not known yet is 0: everything, which is on the safe side. */
static bool add_program(const struct engine *e, uint16_t program, struct stop_reach_scopes *reach)
{
    const struct program_config *config = &e->config->programs[program];
    if (config->stop_reach == REACH_GLOBAL)
        return reach_add(reach, SCOPE_EVERYTHING);
    if (reach->rule != NULL)
        return add_brand(e, program, reach);
    if (config->stop_reach == REACH_PROGRAM)
        return reach_add(reach, e->program_scope[program]);
    if (!config->classes[ASSENT__V1__CLASS__MARKETING])
        return add_brand(e, program, reach);
    return reach_add(reach, e->brand_scope[program]) && reach_add(reach, e->program_scope[program]);
}

static void everything(struct stop_reach_scopes *reach)
{
    reach->scopes[0] = SCOPE_EVERYTHING;
    reach->count = 1;
}

void stop_reach_of(const struct engine *e, uint64_t number, const uint16_t *programs,
                   uint16_t count, struct stop_reach_scopes *ret_reach)
{
    struct stop_reach_scopes reach = {.rule = revocation_of_all(number, e->now.wall_ms)};
    bool fits = count > 0;
    for (uint16_t i = 0; i < count && fits; i++)
        fits = add_program(e, programs[i], &reach);
    for (uint8_t i = 0; i < reach.count && fits; i++)
        fits = reach.scopes[i] != SCOPE_EVERYTHING;
    if (!fits)
        everything(&reach);
    *ret_reach = reach;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about a message for consent/policy.h: what the configuration and the message say by
 * themselves, and what Redis has answered. Whoever decides whether a message may go comes through here:
 * the send, what is asked again, the dry run. */
#include "gateway/engine_state.h"

#define DAY_MS (24ull * 3600 * 1000)

static uint8_t denied_bit(const struct engine *e, const struct message *m, uint16_t scope)
{
    switch (scope) {
    case SCOPE_EVERYTHING:
    case SCOPE_ERASED:
        return DENIED_EVERYTHING;
    case SCOPE_HOLD:
        return DENIED_HOLD;
    case SCOPE_DO_NOT_CALL:
        return DENIED_DO_NOT_CALL;
    case SCOPE_REASSIGNED:
        return DENIED_REASSIGNED;
    default:
        return scope == e->program_scope[m->program] ? DENIED_PROGRAM : DENIED_BRAND;
    }
}

enum purpose message_purpose(const struct message *m)
{
    return policy_purpose((Assent__V1__Class)m->message_class, (Assent__V1__ServiceKind)m->service);
}

/* consent/quiet_hours.h knows when; the program's setting, whether it is asked. */
static void quiet_facts(const struct engine *e, const struct message *m, struct gate_facts *facts)
{
    uint32_t bit = GATE_BIT(GATE_QUIET_HOURS);
    if (!config_keeps_hours(&e->config->programs[m->program],
                            (Assent__V1__Class)m->message_class)) {
        facts->waived |= bit;
        return;
    }
    facts->set |= bit;
    facts->known |= bit;
    facts->quiet_until_wall_ms = message_quiet_until(e, m);
}

/* A program that sends marketing caps that; another one all that it sends. */
static bool is_capped(const struct engine *e, const struct message *m)
{
    const struct program_config *program = &e->config->programs[m->program];
    enum gate_rule rule = policy_rule(GATE_FREQUENCY, message_purpose(m));
    return program->frequency_cap.count > 0 && (rule == RULE_MUST || rule == RULE_IF_SET) &&
           (m->message_class == ASSENT__V1__CLASS__MARKETING ||
            !program->classes[ASSENT__V1__CLASS__MARKETING]);
}

void gates_own_facts(const struct engine *e, const struct message *m, struct gate_facts *ret)
{
    const struct program_config *program = &e->config->programs[m->program];
    uint64_t copied_ms = e->imports.copied_wall_ms[ASSENT__V1__IMPORT_KIND__IMPORT_DO_NOT_CALL];
    if (e->plant == PLANT_REGISTER_AGELESS)
        copied_ms = e->now.wall_ms;
    uint32_t waived = 0;
    if (program->consent_max_age_ms == 0 || m->message_class == ASSENT__V1__CLASS__SERVICE)
        waived |= GATE_BIT(GATE_CONSENT_AGE); /* a question asks for the consent itself */
    if (program->do_not_call == DO_NOT_CALL_OFF)
        waived |= GATE_BIT(GATE_DO_NOT_CALL);
    if (!is_capped(e, m))
        waived |= GATE_BIT(GATE_FREQUENCY);
    *ret = (struct gate_facts){
        .purpose = message_purpose(m),
        .set = is_capped(e, m) ? GATE_BIT(GATE_FREQUENCY) : 0,
        .waived = waived,
        .today = (uint32_t)(e->now.wall_ms / DAY_MS),
        .consent_days_max = (uint32_t)(program->consent_max_age_ms / DAY_MS),
        .register_day = (uint32_t)(copied_ms / DAY_MS),
    };
    registry_facts(e, m, ret);
    quiet_facts(e, m, ret);
    content_facts(e, m, ret);
}

/* A question to a number rests on the wish for it, a form or a JOIN: that was the present owner's if the
 * number was reassigned before. */
static uint32_t day_of_wish(const struct engine *e, const struct message *m)
{
    uint64_t ago_ms = (e->now.mono_us - m->accepted_us) / US_PER_MS;
    return (uint32_t)((e->now.wall_ms - ago_ms) / DAY_MS);
}

static bool is_planted_place(const struct engine *e, const struct message *m)
{
    return e->plant == PLANT_CAP_NOT_RENEWED && m->generation > 1;
}

void gates_add_answer(const struct engine *e, const struct message *m, const struct check *asked,
                      const struct check_result *result, struct gate_facts *facts)
{
    if (!result->known)
        return;
    for (uint8_t i = 0; i < asked->scope_count; i++)
        if (result->denied >> i & 1)
            facts->denied_by |= denied_bit(e, m, asked->scopes[i]);
    facts->known |= GATE_BIT(GATE_HOLD) | GATE_BIT(GATE_OPT_OUT) | GATE_BIT(GATE_REASSIGNED);
    facts->opted_in = result->opted_in;
    bool has_age = asked->need_days || (asked->need_age && result->consent_day != 0);
    if (asked->need_opt_in && (has_age || !asked->need_age))
        facts->known |= GATE_BIT(GATE_OPT_IN);
    facts->days_known = asked->need_days;
    facts->consent_day =
        facts->purpose == PURPOSE_QUESTION ? day_of_wish(e, m) : result->consent_day;
    facts->reassigned_day = result->reassigned_day;
    if (e->plant == PLANT_CONSENT_AGELESS)
        facts->consent_days_max = facts->today;
    if (e->plant == PLANT_OWNER_ASSUMED && asked->need_days)
        facts->denied_by &= (uint8_t)~DENIED_REASSIGNED;
    if (has_age)
        facts->known |= GATE_BIT(GATE_CONSENT_AGE);
    if (result->cap != CAP_NOT_ASKED || is_planted_place(e, m))
        facts->known |= GATE_BIT(GATE_FREQUENCY);
    facts->capped = result->cap == CAP_FULL;
    if (facts->capped && result->cap_free_ms > 0)
        facts->capped_until_wall_ms = e->now.wall_ms + result->cap_free_ms;
    for (uint8_t i = 0; i < asked->scope_count; i++)
        if (asked->scopes[i] == SCOPE_DO_NOT_CALL)
            facts->known |= GATE_BIT(GATE_DO_NOT_CALL);
}

/* The check of a message, the same whenever it is made: an answer's bits are read against it. */
void gates_check(const struct engine *e, const struct message *m, struct check *ret)
{
    enum purpose purpose = message_purpose(m);
    *ret = (struct check){.cookie = m->id << 8 | m->generation,
                          .number = m->number,
                          .need_opt_in = policy_rule(GATE_OPT_IN, purpose) == RULE_MUST,
                          .need_days = m->need_days,
                          .opt_in_scope = e->program_scope[m->program]};
    ret->scope_count = message_scopes(e, m, ret->scopes);
    if (policy_rule(GATE_REASSIGNED, purpose) == RULE_MUST)
        ret->scopes[ret->scope_count++] = SCOPE_REASSIGNED;
    const struct program_config *program = &e->config->programs[m->program];
    if (program->do_not_call != DO_NOT_CALL_OFF &&
        policy_rule(GATE_DO_NOT_CALL, purpose) == RULE_MUST)
        ret->scopes[ret->scope_count++] = SCOPE_DO_NOT_CALL;
    ret->scopes[ret->scope_count++] = SCOPE_ERASED;
    bool ages =
        program->consent_max_age_ms > 0 && policy_rule(GATE_CONSENT_AGE, purpose) == RULE_MUST;
    ret->need_age = ages && ret->need_opt_in && !ret->need_days;
    ret->need_days |= ages && !ret->need_age;
    if (!is_capped(e, m) || is_planted_place(e, m))
        return;
    ret->cap_places = (uint8_t)program->frequency_cap.count;
    ret->cap_looks = m->foretold;
    ret->cap_window_ms = program->frequency_cap.window_ms;
    ret->message = m->id;
}

bool gates_denied_here(const struct engine *e, const struct message *m, enum gate *ret_gate,
                       uint16_t *ret_scope)
{
    uint16_t scopes[CHECK_SCOPES_MAX];
    uint8_t count = message_scopes(e, m, scopes);
    int denied = deny_find(e, m->number, scopes, count);
    if (denied < 0)
        return false;
    *ret_gate = denied == SCOPE_HOLD ? GATE_HOLD : GATE_OPT_OUT;
    *ret_scope = (uint16_t)denied;
    return true;
}

void gates_add_denial(const struct engine *e, const struct message *m, struct gate_facts *facts)
{
    enum gate gate;
    uint16_t scope;
    if (message_is_exempt(m) || !gates_denied_here(e, m, &gate, &scope))
        return;
    facts->denied_by |= denied_bit(e, m, scope);
    facts->known |= GATE_BIT(gate);
}

uint16_t gates_denied_scope(const struct check *asked, const struct check_result *result)
{
    for (uint8_t i = 0; i < asked->scope_count; i++) {
        uint16_t scope = asked->scopes[i];
        bool is_opt_out =
            scope == SCOPE_EVERYTHING || scope == SCOPE_ERASED || scope >= SCOPES_RESERVED;
        if ((result->denied >> i & 1) && is_opt_out)
            return scope;
    }
    return 0;
}

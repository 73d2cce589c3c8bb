/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/projection.h"

#include <stdio.h>
#include <string.h>

#include "consent/person.h"

#define DAY_MS 86400000ull

void write_scopes(struct consent_write *write, const uint32_t *scopes, size_t count)
{
    for (size_t i = 0; i < count && write->scope_count < WRITE_SCOPES_MAX; i++)
        write->scopes[write->scope_count++] = (uint16_t)scopes[i];
}

uint64_t again_effect(const Assent__V1__Event *event)
{
    uint64_t received_ms = event->opted_in_again->received_wall_ms;
    return received_ms != 0 ? received_ms : event->wall_ms;
}

bool body_is_consent(uint32_t body)
{
    return (body >= ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED &&
            body <= ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED) ||
           body == ASSENT__V1__EVENT__BODY_NUMBER_VACANT ||
           body == ASSENT__V1__EVENT__BODY_ERASED || body == ASSENT__V1__EVENT__BODY_ERASED_RECORDS;
}

bool lifts_erasure(const Assent__V1__OptedInAgain *body)
{
    return body->source != ASSENT__V1__CONSENT_SOURCE__OPERATOR;
}

static void write_pending(struct consent_write *write, const Assent__V1__OptInRequested *body)
{
    write->kind = WRITE_PENDING;
    write->expires_wall_ms = body->expires_wall_ms;
    write->request = write->sequence;
    snprintf(write->asker, sizeof write->asker, "%.*s %.16s", NAME_OCTETS_MAX, body->node,
             body->sender);
    if (body->token_sha256.len == sizeof write->token_sha256)
        memcpy(write->token_sha256, body->token_sha256.data, sizeof write->token_sha256);
}

/* When the question was asked that this answers; records of old do not say so. */
static uint64_t asked_before(const Assent__V1__Event *event, uint64_t asked_wall_ms)
{
    return asked_wall_ms != 0 ? asked_wall_ms : event->wall_ms;
}

static uint16_t day_of_consent(const Assent__V1__Event *event, uint32_t recorded,
                               uint64_t obtained_wall_ms, const struct projection_rules *rules)
{
    uint64_t wall_ms = obtained_wall_ms != 0 ? obtained_wall_ms : event->wall_ms;
    if (recorded != 0 || !rules->keeps_days(rules->context, event->program))
        return (uint16_t)recorded;
    return (uint16_t)(wall_ms / DAY_MS);
}

/* From when on an opt-out stands, whatever older date its row has: no START from before it lifts it. 0: Redis
 * keeps no time of it, since no START lifts it, or since a long import would fill it. A hold has its time always: a
 * complaint's release must not lift the later one of a list. */
static uint64_t taken(const Assent__V1__Event *event)
{
    const Assent__V1__OptedOut *body = event->opted_out;
    bool hold = body->n_scopes > 0 && body->scopes[0] == SCOPE_HOLD;
    if (body->n_scopes > 0 && scope_is_register(body->scopes[0]))
        return 0;
    return body->import != 0 && body->row > IMPORT_TIMED_ROWS && !hold ? 0 : event->wall_ms;
}

/* All that stood under the number goes. Where its personal part is gone, it has gone before, or with a Redis
 * that lost it; what is to stay then is in the record of those that were destroyed. */
static bool write_of_erased(const Assent__V1__Event *event, struct consent_write *write)
{
    write->kind = WRITE_ERASE;
    write->taken_wall_ms = write->written_wall_ms = event->wall_ms;
    write->erased.person = person_mark(write->number);
    write->erased.wall_ms = event->wall_ms;
    snprintf(write->erased.request, sizeof write->erased.request, "%s", event->erased->request);
    return event->erased->asked_wall_ms == 0; /* else Redis has it: the gateway that was asked */
}

static bool write_of_place(const Assent__V1__Event *event, const Assent__V1__Personal *personal,
                           struct consent_write *write)
{
    struct erased_fact *fact = &write->erased;
    const Assent__V1__ErasedRecords *body = event->erased_records;
    if (personal == NULL || personal->erased == NULL ||
        !person_mark_read(body->person.data, body->person.len, &fact->person))
        return false;
    fact->wall_ms = body->erased_wall_ms != 0 ? body->erased_wall_ms : event->wall_ms;
    fact->place = personal->erased->bucket;
    fact->places = personal->erased->buckets;
    fact->kept = body->kept_opt_out;
    snprintf(fact->request, sizeof fact->request, "%s", body->request);
    write->kind = WRITE_ERASED;
    write->taken_wall_ms = write->written_wall_ms = fact->wall_ms;
    return true;
}

/* Of a person: in the program's scope, or in those that the event names. */
static bool write_about_person(const Assent__V1__Event *event, const struct projection_rules *rules,
                               struct consent_write *write)
{
    static const uint32_t reassigned = SCOPE_REASSIGNED;
    const uint32_t *scopes = &event->program;
    size_t count = 1;
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED:
        write_pending(write, event->opt_in_requested);
        write->asked_wall_ms = event->wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED:
        write->kind = WRITE_OPT_IN;
        write->day = day_of_consent(event, event->opt_in_confirmed->day, 0, rules);
        write->asked_wall_ms = asked_before(event, event->opt_in_confirmed->asked_wall_ms);
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED:
        write->kind = WRITE_OPT_IN;
        write->day = day_of_consent(event, event->opt_in_recorded->day,
                                    event->opt_in_recorded->obtained_wall_ms, rules);
        write->asked_wall_ms = event->wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_DECLINED:
        write->kind = WRITE_DROP_PENDING;
        write->asked_wall_ms = asked_before(event, event->opt_in_declined->asked_wall_ms);
        write->expires_wall_ms = event->opt_in_declined->expires_wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        write->kind = WRITE_OPT_OUT;
        write->day = (uint16_t)event->opted_out->day;
        write->taken_wall_ms = taken(event);
        scopes = event->opted_out->scopes;
        count = event->opted_out->n_scopes;
        break;
    case ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN:
        write->kind = WRITE_LIFT_OPT_OUT;
        write->taken_wall_ms = again_effect(event);
        scopes = event->opted_in_again->scopes;
        count = event->opted_in_again->n_scopes;
        break;
    case ASSENT__V1__EVENT__BODY_NUMBER_VACANT:
        write->kind = WRITE_OPT_OUT;
        write->day = (uint16_t)(event->wall_ms / DAY_MS);
        scopes = &reassigned;
        break;
    default:
        return false;
    }
    write->written_wall_ms = write->taken_wall_ms;
    write_scopes(write, scopes, count);
    if (write->kind == WRITE_LIFT_OPT_OUT && lifts_erasure(event->opted_in_again))
        write->scopes[write->scope_count++] = SCOPE_ERASED;
    return true;
}

bool write_of_event(uint64_t sequence, const Assent__V1__Event *event,
                    const Assent__V1__Personal *personal, const struct projection_rules *rules,
                    struct consent_write *write)
{
    write->sequence = sequence;
    if (event->body_case == ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED) {
        write->kind = WRITE_SCOPE;
        write_scopes(write, &event->scope_registered->number, 1);
        snprintf(write->name, sizeof write->name, "%s", event->scope_registered->name);
        return true;
    }
    if (event->body_case == ASSENT__V1__EVENT__BODY_ERASED_RECORDS)
        return write_of_place(event, personal, write);
    if (personal == NULL || personal->number == 0)
        return false;
    write->number = personal->number;
    return event->body_case == ASSENT__V1__EVENT__BODY_ERASED
               ? write_of_erased(event, write)
               : write_about_person(event, rules, write);
}

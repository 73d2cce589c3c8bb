/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/registry.h"

#include <stdlib.h>

#include "consent/country.h"
#include "gateway/config_text.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define DAY_MS (24ull * 3600 * 1000)

enum registered sender_registered(const struct sender_config *sender,
                                  Assent__V1__Class message_class, uint64_t number, int32_t today)
{
    enum registered found = REGISTERED_NOT;
    for (uint16_t i = 0; sender != NULL && i < sender->registration_count; i++) {
        const struct registration *r = &sender->registrations[i];
        bool of_class =
            message_class == ASSENT__V1__CLASS__SERVICE || (r->classes >> message_class & 1);
        if (!of_class || !number_may_be_of(number, r->country))
            continue;
        if (r->last_day == 0 || today <= r->last_day)
            return REGISTERED;
        found = REGISTERED_EXPIRED;
    }
    return found;
}

/* ---- in the engine: found once, since messages name a sender by its place ---- */

static bool may_originate(const struct config *config, const struct sender_config *row,
                          const char *sender)
{
    return (row == NULL || row->direction != DIRECTION_INBOUND) &&
           (config->do_not_originate == NULL || !number_list_has(config->do_not_originate, sender));
}

void registry_configure(struct engine *e)
{
    const struct config *config = e->config;
    registry_release(e);
    if (config->senders == NULL && config->do_not_originate == NULL)
        return;
    e->sender_facts =
        check_calloc((size_t)config->program_count * SENDERS_MAX, sizeof *e->sender_facts);
    for (uint16_t p = 0; p < config->program_count; p++)
        for (uint16_t s = 0; s < config->programs[p].sender_count; s++) {
            const char *sender = config->programs[p].senders[s];
            struct sender_facts *facts = &e->sender_facts[p * SENDERS_MAX + s];
            facts->row = config_find_sender(config, sender);
            facts->may_originate = may_originate(config, facts->row, sender);
        }
}

void registry_release(struct engine *e)
{
    free(e->sender_facts);
    e->sender_facts = NULL;
}

static const struct sender_facts *facts_of(const struct engine *e, uint16_t program, uint8_t sender)
{
    return &e->sender_facts[program * SENDERS_MAX + sender];
}

static enum registered registered(const struct engine *e, const struct sender_facts *sender,
                                  Assent__V1__Class message_class, uint64_t number)
{
    return sender_registered(sender->row, message_class, number,
                             (int32_t)(e->now.wall_ms / DAY_MS));
}

void registry_facts(const struct engine *e, const struct message *m, struct gate_facts *facts)
{
    const struct sender_facts *sender =
        e->sender_facts != NULL ? facts_of(e, m->program, m->sender) : NULL;
    uint32_t origin = GATE_BIT(GATE_ORIGIN), registration = GATE_BIT(GATE_REGISTRATION);
    *(sender != NULL ? &facts->known : &facts->waived) |= origin;
    *(e->config->senders != NULL ? &facts->known : &facts->waived) |= registration;
    if (sender == NULL)
        return;
    facts->may_originate = sender->may_originate;
    facts->registered =
        registered(e, sender, (Assent__V1__Class)m->message_class, m->number) == REGISTERED ||
        e->plant == PLANT_REGISTRATION_NOT_ASKED_AGAIN;
}

const char *registry_refuses(const struct engine *e, uint16_t program, uint8_t sender,
                             Assent__V1__Class message_class, uint64_t number)
{
    if (e->sender_facts == NULL)
        return NULL;
    const struct sender_facts *facts = facts_of(e, program, sender);
    if (!facts->may_originate)
        return "DO_NOT_ORIGINATE: no message may be sent from this sender: it stands in the list "
               "`do_not_originate`; take another one of the program's";
    if (e->config->senders == NULL || message_class == ASSENT__V1__CLASS__EMERGENCY)
        return NULL;
    switch (registered(e, facts, message_class, number)) {
    case REGISTERED:
        return NULL;
    case REGISTERED_NOT:
        return "SENDER_NOT_REGISTERED: the sender is not registered for this class in the "
               "recipient's country: register it there and add it to `senders`, or take another "
               "one";
    case REGISTERED_EXPIRED:
        break;
    }
    return "SENDER_NOT_REGISTERED: the sender's registration for this class in the recipient's "
           "country has expired: renew it and write the new `expires` in `senders`";
}

bool sender_is_answerable(const struct engine *e, uint16_t program, uint8_t sender)
{
    const char *address = e->config->programs[program].senders[sender];
    const struct sender_config *row =
        e->sender_facts != NULL ? facts_of(e, program, sender)->row : NULL;
    return !config_is_one_way(address) && (row == NULL || row->direction != DIRECTION_OUTBOUND);
}

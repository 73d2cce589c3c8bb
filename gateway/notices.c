/* SPDX-License-Identifier: Apache-2.0 */
/* Opt-outs that came at another gateway: what waits here for their numbers is cancelled (P2). Where there is no
 * other gateway nothing is written or read.
 *
 * A notice says that there was an opt-out, not that it stands: a START may have come since. So Redis is asked,
 * and only what it denies is cancelled. Nothing needs to be denied in memory then: what is here when Redis
 * answers is cancelled, and the check of what comes later is asked after the opt-out was written. */
#include "gateway/engine_state.h"

bool notices_wanted(const struct engine *e)
{
    return e->nodes.all.count > 0;
}

void notices_turn(struct engine *e)
{
    struct notice_watch *n = &e->notices;
    if (!gate_is_open(e) || !notices_wanted(e) || n->asked || n->lookups > 0 ||
        e->now.mono_us < n->read_at_us)
        return;
    n->read_at_us = e->now.mono_us + NOTICE_EVERY_MS * US_PER_MS;
    n->asked = e->ports->store_notices(e->ports->context);
}

uint64_t notices_next_us(const struct engine *e)
{
    bool waits = !gate_is_open(e) || !notices_wanted(e) || e->notices.asked || e->notices.lookups;
    return waits ? UINT64_MAX : e->notices.read_at_us;
}

static bool is_about_what_is_here(const struct engine *e, const struct notice *notice)
{
    const struct message *m = message_first_of_number(&e->messages, notice->number);
    for (; m != NULL; m = m->next_same_number)
        if (m->state < MESSAGE_SENT && !message_is_exempt(m) &&
            message_in_scopes(e, m, notice->scopes, notice->scope_count))
            return true;
    return false;
}

static void ask(struct engine *e, const struct notice *notice, uint8_t from)
{
    struct inquiry *q = inquiry_new(e, INQUIRY_NOTICE);
    uint8_t left = (uint8_t)(notice->scope_count - from);
    q->number = notice->number;
    q->notice = *notice;
    q->notice.scope_count = left < CHECK_SCOPES_MAX ? left : CHECK_SCOPES_MAX;
    memcpy(q->notice.scopes, notice->scopes + from,
           q->notice.scope_count * sizeof *q->notice.scopes);
    if (e->ports->store_lookup(e->ports->context, q->cookie, q->number, q->notice.scopes,
                               q->notice.scope_count, q->notice.scopes[0]))
        e->notices.lookups++;
    else
        inquiry_free(e, q);
}

void engine_on_noticed(struct engine *e, const struct notice *notices, size_t count, bool more,
                       struct instant now)
{
    e->now = now;
    e->notices.asked = false;
    if (more)
        e->notices.read_at_us = now.mono_us;
    if (!gate_is_open(e) || e->plant == PLANT_NOTICES_IGNORED)
        return;
    for (size_t i = 0; i < count; i++)
        if (is_about_what_is_here(e, &notices[i]))
            for (uint8_t from = 0; from < notices[i].scope_count; from += CHECK_SCOPES_MAX)
                ask(e, &notices[i], from);
}

/* A START of ours that Redis does not have yet. */
static bool is_being_lifted(const struct engine *e, uint64_t number, uint16_t scope)
{
    const struct projection_list *lists[] = {&e->projection.queue, &e->projection.sent};
    const struct projection_entry *entry;
    for (size_t i = 0; i < 2; i++)
        TAILQ_FOREACH (entry, lists[i], link)
            if (entry->write.kind == WRITE_LIFT_OPT_OUT && entry->write.number == number)
                for (uint8_t j = 0; j < entry->write.scope_count; j++)
                    if (entry->write.scopes[j] == scope)
                        return true;
    return false;
}

void notice_looked_up(struct engine *e, struct inquiry *q, bool ok,
                      const struct consent_state *state)
{
    uint16_t scopes[CHECK_SCOPES_MAX];
    uint8_t count = 0;
    e->notices.lookups--;
    for (uint8_t i = 0; ok && gate_is_open(e) && i < q->notice.scope_count; i++)
        if (state->opted_out[i] && !is_being_lifted(e, q->number, q->notice.scopes[i]))
            scopes[count++] = q->notice.scopes[i];
    if (count > 0)
        messages_opted_out(e, q->number, scopes, count, q->notice.sequence, q->notice.node);
    inquiry_free(e, q);
}

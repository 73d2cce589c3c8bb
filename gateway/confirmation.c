/* SPDX-License-Identifier: Apache-2.0 */
/* One confirmation for one opt-out, over all gateways on one Redis (P4). Whether an opt-out is news, Redis
 * says: its write has added something. A Redis that lost writes says so of an opt-out too that another
 * gateway had confirmed before. There the word of Redis does not count: each gateway that writes an opt-out
 * again that it has confirmed takes its key (consent/store.h: once), and those that are in doubt wait until
 * all have written, and then ask for that key. What a process before this one was told is not known: its
 * opt-outs that are in doubt stay unconfirmed. In doubt are also those that are older than this Redis's
 * history: the one before may have had them, and a START at another gateway makes them news again. */
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define ASKED_A_TURN 64

static uint64_t confirm_until(const struct projection_entry *entry)
{
    return entry->received_wall_ms + CONFIRMATION_MAX_MS;
}

static void confirm(struct engine *e, const struct projection_entry *entry)
{
    const struct consent_write *write = &entry->write;
    if (e->now.wall_ms + TTL_MS_MIN >= confirm_until(entry))
        return;
    if (admit_service(e, entry->text, entry->program, entry->sender, write->number, entry->language,
                      write->sequence, entry->carrier, confirm_until(entry) - e->now.wall_ms) != 0)
        recent_mark(e, write->number, write->sequence);
}

static struct once key_of(const struct projection_entry *entry, uint8_t scope, uint64_t cookie)
{
    return (struct once){.cookie = cookie,
                         .kind = ONCE_CONFIRMATION,
                         .scope = entry->write.scopes[scope],
                         .number = entry->write.number,
                         .ttl_ms = CONFIRMATION_MAX_MS};
}

/* An opt-out that we have confirmed is written again: others may be in doubt about it. Its keys go before it,
 * on the same connection: what is written has its keys, whenever we crash. The answers say nothing new. */
bool confirmation_keep(struct engine *e, const struct projection_entry *entry)
{
    bool late = e->now.wall_ms + TTL_MS_MIN >= confirm_until(entry);
    if (!entry->confirm || late || !recent_confirmed(e, &entry->write))
        return true;
    for (uint8_t i = 0; i < entry->write.scope_count; i++) {
        struct once once = key_of(entry, i, 0);
        if (!e->ports->store_once(e->ports->context, &once))
            return false;
    }
    return true;
}

/* Of a process before this one, and of a time before this Redis was as it is. */
static bool may_be_old(const struct engine *e, uint64_t sequence)
{
    return sequence < e->projection.life_from && sequence < e->nodes.all.since;
}

void confirmation_written(struct engine *e, struct projection_entry *entry, bool added)
{
    bool late = e->now.wall_ms + TTL_MS_MIN >= confirm_until(entry);
    bool certain =
        nodes_trust(e) || e->plant == PLANT_CONFIRM_TWICE || e->plant == PLANT_NEWS_BELIEVED;
    bool had = recent_confirmed(e, &entry->write) || may_be_old(e, entry->write.sequence);
    if (!entry->confirm || late) {
        free(entry);
    } else if (!certain && added && !had && entry->write.sequence >= e->projection.life_from &&
               e->projection.doubtful_count < DOUBTFUL_MAX) {
        TAILQ_INSERT_TAIL(&e->projection.doubtful, entry, link);
        e->projection.doubtful_count++;
    } else {
        if (certain && ((added && !had) || e->plant == PLANT_CONFIRM_TWICE))
            confirm(e, entry);
        else if (!added)
            recent_mark(e, entry->write.number,
                        entry->write.sequence); /* whose news it was confirms */
        free(entry);
    }
}

/* It is news if one of its scopes is. */
static bool ask_next_scope(struct engine *e, struct inquiry *q)
{
    if (++q->at >= q->opt_out->write.scope_count)
        return false;
    struct once once = key_of(q->opt_out, (uint8_t)q->at, q->cookie);
    return e->ports->store_once(e->ports->context, &once);
}

static void answered(struct engine *e, struct inquiry *q, enum once_answer answer)
{
    const struct consent_write *write = &q->opt_out->write;
    if (answer == ONCE_OURS && !recent_confirmed(e, write))
        confirm(e, q->opt_out);
    else if (answer == ONCE_TAKEN && ask_next_scope(e, q))
        return;
    else if (answer == ONCE_TAKEN) /* so what it covers is confirmed too */
        recent_mark(e, write->number, write->sequence);
    inquiry_free(e, q);
}

void confirmations_turn(struct engine *e)
{
    struct projection *p = &e->projection;
    struct projection_entry *entry;
    for (int i = 0; i < ASKED_A_TURN && gate_is_open(e); i++) {
        if ((entry = TAILQ_FIRST(&p->doubtful)) == NULL)
            return;
        struct inquiry *q = inquiry_new(e, INQUIRY_CONFIRMATION);
        struct once once = key_of(entry, 0, q->cookie);
        q->once_answered = answered;
        if (e->ports->store_once(e->ports->context, &once)) {
            TAILQ_REMOVE(&p->doubtful, entry, link);
            p->doubtful_count--;
            q->opt_out = entry;
        } else {
            inquiry_free(e, q);
            return;
        }
    }
}

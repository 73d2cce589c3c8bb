/* SPDX-License-Identifier: Apache-2.0 */
/* One confirmation for one opt-out, over all gateways on one Redis (P4). Whether an opt-out is news, Redis
 * says: its write has added something. A Redis that lost writes says so of an opt-out too that another
 * gateway had confirmed before. There the word of Redis does not count: each gateway that writes an opt-out
 * again that it has confirmed takes its key (consent/store.h: once), and those that are in doubt wait until
 * all have written, and then ask for that key. What a process before this one was told is not known: its
 * opt-outs that are in doubt stay unconfirmed. */
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

static struct once key_of(const struct projection_entry *entry, uint64_t cookie)
{
    return (struct once){.cookie = cookie,
                         .kind = ONCE_CONFIRMATION,
                         .scope = entry->write.scopes[0],
                         .number = entry->write.number,
                         .ttl_ms = CONFIRMATION_MAX_MS};
}

/* It goes before our word that all is written, on the same connection. Its answer says nothing new. */
static void take_key(struct engine *e, const struct projection_entry *entry)
{
    struct once once = key_of(entry, 0);
    (void)e->ports->store_once(e->ports->context, &once);
}

void confirmation_written(struct engine *e, struct projection_entry *entry, bool added)
{
    bool late = e->now.wall_ms + TTL_MS_MIN >= confirm_until(entry);
    bool certain =
        nodes_trust(e) || e->plant == PLANT_CONFIRM_TWICE || e->plant == PLANT_NEWS_BELIEVED;
    bool had = recent_confirmed(e, &entry->write);
    if (!entry->confirm || late) {
        free(entry);
    } else if (!certain && added && !had && entry->write.sequence >= e->projection.life_from &&
               e->projection.doubtful_count < DOUBTFUL_MAX) {
        TAILQ_INSERT_TAIL(&e->projection.doubtful, entry, link);
        e->projection.doubtful_count++;
    } else {
        if (had) /* written again: others may be in doubt about it */
            take_key(e, entry);
        if (certain && ((added && !had) || e->plant == PLANT_CONFIRM_TWICE))
            confirm(e, entry);
        else if (!added)
            recent_mark(e, entry->write.number,
                        entry->write.sequence); /* whose news it was confirms */
        free(entry);
    }
}

static void answered(struct engine *e, struct inquiry *q, enum once_answer answer)
{
    if (answer == ONCE_OURS && !recent_confirmed(e, &q->opt_out->write))
        confirm(e, q->opt_out);
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
        struct once once = key_of(entry, q->cookie);
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

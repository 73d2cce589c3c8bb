/* SPDX-License-Identifier: Apache-2.0 */
/* This gateway among those that share its Redis: its beats, what it knows of the others, and whether the
 * Redis that has come back may be trusted (consent/nodes.h has the rule). The ledger holds what is known,
 * so that a gateway that starts judges a Redis as the one before it would have.
 *
 * A gateway confirms a history when all that its ledger held as the connection came is acknowledged. It
 * confirms before it waits for others, so that two cannot wait for each other. */
#include <stdio.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

/* ---- the record ---- */

void nodes_describe(const struct nodes *nodes, struct nodes_record *ret)
{
    ret->body = (Assent__V1__NodesSeen)ASSENT__V1__NODES_SEEN__INIT;
    ret->body.history = nodes->history;
    ret->body.since = nodes->since;
    ret->body.nodes = ret->pointers;
    for (uint8_t i = 0; i < nodes->count; i++) {
        const struct known_node *known = &nodes->known[i];
        if (known->stranger)
            continue;
        Assent__V1__SeenNode *seen = &ret->nodes[ret->body.n_nodes];
        *seen = (Assent__V1__SeenNode)ASSENT__V1__SEEN_NODE__INIT;
        seen->name = UNCONST(known->name);
        seen->silent = known->silent;
        seen->beat = known->beat;
        seen->applied = known->applied;
        ret->pointers[ret->body.n_nodes++] = seen;
    }
}

static void record_nodes(struct engine *e)
{
    struct nodes_record record;
    nodes_describe(&e->nodes.all, &record);
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_NODES_SEEN;
    event.nodes_seen = &record.body;
    record_event(e, &event, NULL);
}

void nodes_replay(struct engine *e, const Assent__V1__NodesSeen *body)
{
    struct nodes *all = &e->nodes.all;
    *all = (struct nodes){.history = body->history, .since = body->since};
    for (size_t i = 0; i < body->n_nodes && all->count < NODES_MAX; i++) {
        struct known_node *known = &all->known[all->count++];
        *known = (struct known_node){.silent = body->nodes[i]->silent,
                                     .beat = body->nodes[i]->beat,
                                     .applied = body->nodes[i]->applied};
        snprintf(known->name, sizeof known->name, "%s", body->nodes[i]->name);
    }
}

/* ---- beats ---- */

void nodes_up(struct engine *e)
{
    struct node_watch *n = &e->nodes;
    n->looked = n->confirmed = 0;
    n->joined = n->trusted = n->asked = false;
    n->beat_at_us = 0;
    n->confirm_at = e->projection.last_consent;
    /* After so short an absence nobody has taken us for silent. */
    n->met = n->answered_us != 0 &&
             e->now.mono_us < n->answered_us + (NODE_SILENT_MS - NODE_MEET_MS) * US_PER_MS;
}

void nodes_down(struct engine *e)
{
    e->nodes.asked = e->nodes.trusted = e->nodes.joined = false;
    e->nodes.forget[0] = e->nodes.clear[0] = '\0';
}

static enum node_state state_of(const struct engine *e)
{
    if (e->drained || e->nodes.leaving)
        return NODE_LEFT;
    return e->projection.phase == STORE_LIVE ? NODE_LIVE : NODE_WAITS;
}

/* The first of a process is later than all of the one before. */
static uint64_t next_beat(const struct engine *e)
{
    uint64_t next = e->nodes.beat + 1;
    return e->nodes.beat == 0 && e->now.wall_ms > next ? e->now.wall_ms : next;
}

static bool send_beat(struct engine *e)
{
    struct node_watch *n = &e->nodes;
    uint64_t number = next_beat(e);
    struct beat beat = {.joins = n->looked != 0 && !n->full,
                        .self = {.state = state_of(e), .beat = number, .confirmed = n->confirmed},
                        .forget = n->looked != 0 ? n->forget : "",
                        .clear = n->clear};
    if (!e->ports->store_beat(e->ports->context, &beat))
        return false;
    n->asked = true;
    n->joining = beat.joins;
    n->told = beat.joins ? beat.self.state : NODE_STATES;
    if (beat.joins && n->first_beat == 0)
        n->first_beat = number;
    if (beat.joins)
        n->beat = number;
    return true;
}

/* All that the ledger held when the connection came has been acknowledged. */
static bool has_caught_up(const struct engine *e)
{
    const struct projection *p = &e->projection;
    const struct projection_entry *oldest = TAILQ_FIRST(&p->sent);
    return (p->phase == STORE_LIVE ||
            (p->phase == STORE_CATCHING_UP && p->cursor > e->nodes.confirm_at)) &&
           (oldest == NULL || oldest->write.sequence > e->nodes.confirm_at);
}

void nodes_turn(struct engine *e)
{
    struct node_watch *n = &e->nodes;
    if (e->projection.phase == STORE_DOWN || n->asked)
        return;
    if (n->looked != 0 && n->confirmed != n->looked && has_caught_up(e)) {
        n->confirmed = n->looked;
        n->beat_at_us = 0;
    }
    if (n->joined && n->told != state_of(e))
        n->beat_at_us = 0;
    if (e->now.mono_us >= n->beat_at_us && !send_beat(e))
        n->beat_at_us = e->now.mono_us + NODE_LOOK_MS * US_PER_MS;
}

uint64_t nodes_next_us(const struct engine *e)
{
    bool waits = e->projection.phase == STORE_DOWN || e->nodes.asked;
    return waits ? UINT64_MAX : e->nodes.beat_at_us;
}

bool nodes_may_write(const struct engine *e)
{
    return e->nodes.joined && e->nodes.met;
}

/* ---- looks ---- */

/* Another process beats under our name: between two of our beats stands one that we have not made. */
static bool is_doubled(const struct node_watch *n, const struct nodes_look *look)
{
    return n->joined && look->history == n->looked && look->self.beat != 0 &&
           (look->self.beat < n->first_beat || look->self.beat > n->beat);
}

static uint8_t entries(const struct nodes_look *look)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < look->count; i++)
        count += look->others[i].state != NODE_GONE;
    return count;
}

/* A node that is gone is taken out when the others have had their time to see it. */
static void clear_gone(struct node_watch *n, const struct nodes_look *look, uint64_t now_us)
{
    const struct node_fact *gone = NULL;
    for (uint8_t i = 0; i < look->count && gone == NULL; i++)
        if (look->others[i].state == NODE_GONE)
            gone = &look->others[i];
    n->clear[0] = '\0';
    if (gone == NULL)
        n->gone_since_us = 0;
    else if (n->gone_since_us == 0)
        n->gone_since_us = now_us;
    else if (now_us - n->gone_since_us >= NODE_GONE_MS * US_PER_MS)
        snprintf(n->clear, sizeof n->clear, "%s", gone->name);
}

static void explain(struct node_watch *n, const char *awaited)
{
    if (n->doubled_until_us != 0)
        snprintf(n->why, sizeof n->why,
                 "another gateway on this Redis has this one's name: give each its own `node`");
    else if (n->full)
        snprintf(
            n->why, sizeof n->why,
            "%d gateways use this Redis already: `assent consent forget-node NAME` frees the place "
            "of one that is gone",
            NODES_MAX);
    else
        snprintf(n->why, sizeof n->why,
                 "Redis was restarted or replaced; opt-outs of %s may be missing: start it, or "
                 "`assent consent forget-node NAME` if it is gone for good",
                 awaited);
}

static void judge(struct engine *e, const struct nodes_look *look)
{
    struct node_watch *n = &e->nodes;
    char awaited[NODES_AWAITED_MAX];
    uint64_t before = n->all.history;
    bool changed;
    if (is_doubled(n, look))
        n->doubled_until_us = e->now.mono_us + 2 * NODE_SILENT_MS * US_PER_MS;
    else if (e->now.mono_us >= n->doubled_until_us)
        n->doubled_until_us = 0;
    n->full = look->self.beat == 0 && entries(look) >= NODES_MAX;
    bool trusted = nodes_look(&n->all, look, e->now.mono_us, awaited, &changed);
    trusted = trusted || e->plant == PLANT_NODES_NOT_AWAITED;
    n->trusted = trusted && !n->full && n->doubled_until_us == 0;
    if (n->all.history != before)
        n->all.since = e->ports->ledger_next(e->ports->context);
    if (changed)
        record_nodes(e);
    explain(n, awaited);
}

static void introduce(struct node_watch *n, const struct nodes_look *look, uint64_t now_us)
{
    if (n->joining && !n->joined) {
        n->joined_us = now_us;
        nodes_meet(&n->all);
    }
    n->joined = n->joining;
    if (n->joined)
        n->answered_us = now_us;
    n->met = n->met || (n->joined && (nodes_have_met(&n->all, look) ||
                                      now_us >= n->joined_us + NODE_MEET_MS * US_PER_MS));
}

void engine_on_beaten(struct engine *e, const struct nodes_look *look, struct instant now)
{
    e->now = now;
    struct node_watch *n = &e->nodes;
    n->asked = false;
    if (look == NULL || e->projection.phase == STORE_DOWN)
        return;
    judge(e, look);
    introduce(n, look, now.mono_us);
    n->looked = look->history;
    clear_gone(n, look, now.mono_us);
    if (look_find(look, n->forget) != NULL && look_find(look, n->forget)->state == NODE_GONE)
        n->forget[0] = '\0';
    bool settled = n->trusted && e->projection.phase == STORE_LIVE;
    uint64_t pause_ms = settled ? NODE_BEAT_MS : NODE_LOOK_MS;
    n->beat_at_us = n->joined ? now.mono_us + pause_ms * US_PER_MS : 0;
    if (n->full)
        n->beat_at_us = now.mono_us + NODE_BEAT_MS * US_PER_MS;
    if (e->projection.phase == STORE_LIVE && !n->trusted)
        projection_close(e, n->why);
}

bool nodes_trust(const struct engine *e)
{
    return e->nodes.trusted && e->nodes.joined;
}

/* ---- leaving ---- */

/* The others need not wait for a gateway that has ended in good order and lost nothing. */
bool nodes_sign_off(struct engine *e)
{
    struct node_watch *n = &e->nodes;
    n->leaving = true;
    bool over = e->projection.phase == STORE_DOWN || !n->joined ||
                e->now.mono_us >= e->drain_by_us + STORE_DEADLINE_MS * US_PER_MS;
    return over || (n->told == NODE_LEFT && !n->asked);
}

/* ---- forgetting ---- */

static void record_forgotten(struct engine *e, const char *name)
{
    Assent__V1__NodeForgotten body = ASSENT__V1__NODE_FORGOTTEN__INIT;
    body.node = UNCONST(name);
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_NODE_FORGOTTEN;
    event.node_forgotten = &body;
    record_event(e, &event, NULL);
}

static const char *why_not_forget(struct engine *e, uint16_t client, const char *name,
                                  Assent__V1__Code *ret_code)
{
    struct node_watch *n = &e->nodes;
    const struct known_node *known = nodes_find(&n->all, name);
    *ret_code = ASSENT__V1__CODE__CODE_FAILED_PRECONDITION;
    if (client != CLIENT_OPERATOR) {
        *ret_code = ASSENT__V1__CODE__CODE_PERMISSION_DENIED;
        return "only the gateway's operator may forget a node";
    }
    if (e->projection.phase == STORE_DOWN || n->looked == 0 || n->forget[0] != '\0') {
        *ret_code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
        return "Redis is away, or another node is being forgotten: ask again";
    }
    if (known == NULL) {
        *ret_code = ASSENT__V1__CODE__CODE_NOT_FOUND;
        return "node: this gateway knows no other one of this name";
    }
    if (node_is_running(known, e->now.mono_us))
        return "node: it has been seen in Redis within the last seconds: stop it first, or wait";
    return NULL;
}

void engine_forget_node(struct engine *e, uint16_t client, uint64_t call, const char *name,
                        struct instant now)
{
    e->now = now;
    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    const char *why = why_not_forget(e, client, name, &reply.code);
    if (why != NULL) {
        reply.message = UNCONST(why);
    } else {
        reply.code = ASSENT__V1__CODE__CODE_OK;
        reply.state = UNCONST("forgotten");
        snprintf(e->nodes.forget, sizeof e->nodes.forget, "%s", name);
        e->nodes.beat_at_us = 0;
        nodes_drop(&e->nodes.all, name);
        record_forgotten(e, name);
        record_nodes(e);
        reply.sequence = e->ports->ledger_next(e->ports->context) - 1;
    }
    e->ports->consent_reply(e->ports->context, call, reply.sequence, &reply);
}

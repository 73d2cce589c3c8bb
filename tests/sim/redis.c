/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis and the adapters' sides of a connection of each gateway to it: what is asked is executed in order after a
 * while and answered in order after another. When the connection is lost, everything in flight fails
 * once, and what had already reached the server may be executed all the same. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "consent/person.h"
#include "proto/base/check.h"

#define BACKOFF_MIN_US 10000
#define BACKOFF_MAX_US 1000000

enum command_kind {
    COMMAND_CHECK,
    COMMAND_WRITE,
    COMMAND_LOOKUP,
    COMMAND_RESOLVE,
    COMMAND_ONCE,
    COMMAND_BEAT,
    COMMAND_NOTICES,
    COMMAND_ERASED
};

#define NOTICES_A_READING 8
#define ERASED_A_READING  3

struct command {
    enum command_kind kind;
    struct check check;
    struct consent_write write;
    struct { /* lookup and resolve */
        uint64_t cookie, number;
        uint16_t scopes[CHECK_SCOPES_MAX];
        uint8_t scope_count;
        uint16_t opt_in_scope;
        char name[NAME_OCTETS_MAX + 16];
    } ask;
    struct once once;
    enum once_answer first;
    struct beat beat;
    struct nodes_look look;
    struct notice notices[NOTICES_A_READING];
    size_t notice_count;
    bool more;
    struct erased_fact erased[ERASED_A_READING];
    size_t erased_count;
    uint64_t erased_from, erased_total;
    struct check_result result;
    struct verdict_seen seen;
    struct consent_state state;
    uint16_t resolved;
    bool changed, refused, leads; /* leads: the first that was sent together */
    bool stale;                   /* executed beside another mark than the connection began with */
};

static event_run try_connect, connected, execute, answer, deadline;

/* ---- sets ---- */

static size_t set_find(const struct set *s, uint64_t member)
{
    size_t i = 0;
    while (i < s->count && s->members[i] != member)
        i++;
    return i;
}

bool set_has(const struct set *s, uint64_t member)
{
    return set_find(s, member) < s->count;
}

bool set_add(struct set *s, uint64_t member)
{
    if (set_has(s, member))
        return false;
    if (s->count == s->size) {
        s->size = s->size ? s->size * 2 : 32;
        s->members = check_realloc(s->members, s->size * sizeof *s->members);
    }
    s->members[s->count++] = member;
    return true;
}

bool set_remove(struct set *s, uint64_t member)
{
    size_t i = set_find(s, member);
    if (i == s->count)
        return false;
    s->members[i] = s->members[--s->count];
    return true;
}

static void set_copy(struct set *to, const struct set *from)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++)
        set_add(to, from->members[i]);
}

/* ---- data ---- */

static void data_copy(struct redis_data *to, const struct redis_data *from)
{
    struct set opt_out = to->opt_out, opt_in = to->opt_in;
    set_copy(&opt_out, &from->opt_out);
    set_copy(&opt_in, &from->opt_in);
    *to = *from;
    to->opt_out = opt_out;
    to->opt_in = opt_in;
}

static void data_clear(struct redis_data *d)
{
    struct set opt_out = d->opt_out, opt_in = d->opt_in;
    opt_out.count = opt_in.count = 0;
    *d = (struct redis_data){.opt_out = opt_out, .opt_in = opt_in};
}

static struct pending *find_pending(struct redis_data *d, uint64_t key)
{
    for (size_t i = 0; i < d->pending_count; i++)
        if (d->pending[i].key == key)
            return &d->pending[i];
    return NULL;
}

static struct pending *find_or_make_pending(struct redis_data *d, uint64_t key)
{
    struct pending *p = find_pending(d, key);
    if (p == NULL) {
        CHECK(d->pending_count < sizeof d->pending / sizeof d->pending[0]);
        p = &d->pending[d->pending_count++];
        *p = (struct pending){.key = key};
    }
    return p;
}

/* What was asked later stays, and so does the NO to it. */
static void set_pending(struct redis_data *d, uint64_t key, const struct consent_write *write)
{
    struct pending *p = find_or_make_pending(d, key);
    bool declined = p->declined && p->asked_wall_ms == write->asked_wall_ms;
    if (p->asked_wall_ms > write->asked_wall_ms || declined)
        return;
    *p = (struct pending){.key = key,
                          .request = write->request,
                          .expires_wall_ms = write->expires_wall_ms,
                          .asked_wall_ms = write->asked_wall_ms};
    memcpy(p->asker, write->asker, sizeof p->asker);
    memcpy(p->token_sha256, write->token_sha256, sizeof p->token_sha256);
}

static void decline_pending(struct redis_data *d, uint64_t key, const struct consent_write *write)
{
    struct pending *p = find_or_make_pending(d, key);
    if (p->asked_wall_ms <= write->asked_wall_ms)
        *p = (struct pending){.key = key, .asked_wall_ms = write->asked_wall_ms, .declined = true};
}

/* A question that was asked after `asked_wall_ms` stays. */
static void drop_pending(struct redis_data *d, uint64_t key, uint64_t asked_wall_ms)
{
    struct pending *p = find_pending(d, key);
    if (p != NULL && p->asked_wall_ms <= asked_wall_ms)
        *p = d->pending[--d->pending_count];
}

static uint16_t name_number(const char *name)
{
    static const struct hash_key key = {1, 2};
    return (uint16_t)(SCOPES_RESERVED +
                      hash64(&key, name, strlen(name)) % (SCOPE_MAX + 1 - SCOPES_RESERVED));
}

static uint16_t register_scope(struct redis_data *d, const char *name, uint16_t wanted)
{
    for (size_t i = 0; i < d->scope_count; i++)
        if (strcmp(d->scopes[i], name) == 0)
            return d->scope_numbers[i];
    CHECK(d->scope_count < sizeof d->scope_numbers / sizeof d->scope_numbers[0]);
    snprintf(d->scopes[d->scope_count], sizeof d->scopes[0], "%s", name);
    d->scope_numbers[d->scope_count++] = wanted;
    return wanted;
}

uint16_t scope_brand(struct world *w, uint32_t program)
{
    char name[NAME_OCTETS_MAX + 16];
    snprintf(name, sizeof name, "brand:%s", w->config.programs[program].brand);
    return name_number(name);
}

uint16_t scope_program(struct world *w, uint32_t program)
{
    char name[NAME_OCTETS_MAX + 16];
    snprintf(name, sizeof name, "program:%s", w->config.programs[program].name);
    return name_number(name);
}

/* Beside other data than it was written, a position counts for nothing. */
uint64_t redis_position(const struct redis_data *d, uint32_t gateway)
{
    return d->applied_beside[gateway] == d->mark ? d->applied[gateway] : 0;
}

/* ---- execution ---- */

static void execute_check(struct world *w, struct command *c)
{
    const struct check *check = &c->check;
    const struct redis_data *d = &w->server.now;
    c->result = (struct check_result){.cookie = check->cookie, .known = true};
    for (unsigned i = 0; i < check->scope_count; i++)
        if (set_has(&d->opt_out, consent_member(check->scopes[i], check->number)))
            c->result.denied |= (uint8_t)(1u << i);
    c->result.opted_in =
        check->need_opt_in && set_has(&d->opt_in, consent_key(check->opt_in_scope, check->number));
    if (check->need_age) {
        c->result.consent_day = days_get(&d->days, consent_key(check->opt_in_scope, check->number));
        c->result.opted_in = c->result.consent_day != 0;
    }
    if (check->need_days) {
        c->result.consent_day = days_get(&d->days, consent_key(check->opt_in_scope, check->number));
        c->result.reassigned_day = days_get(&d->days, consent_key(SCOPE_REASSIGNED, check->number));
    }
    if (check->cap_places > 0)
        places_ask(&w->server.now.places, check, w->gw->index, w->plant == PLANT_CAP_OWN_TEXTS,
                   world_wall_ms(w), &c->result);
    oracle_executed_check(w, check, &c->seen);
    if (foresight_is(check))
        foresight_asked(w, check, &c->seen);
}

static struct stop_time *find_stop_time(struct redis_data *d, uint64_t key)
{
    for (size_t i = 0; i < d->stop_time_count; i++)
        if (d->stop_times[i].key == key)
            return &d->stop_times[i];
    return NULL;
}

/* The latest counts. */
static void note_stop_time(struct redis_data *d, uint64_t key, uint64_t wall_ms)
{
    struct stop_time *at = find_stop_time(d, key);
    if (wall_ms == 0)
        return;
    if (at == NULL) {
        CHECK(d->stop_time_count < sizeof d->stop_times / sizeof d->stop_times[0]);
        at = &d->stop_times[d->stop_time_count++];
        *at = (struct stop_time){.key = key};
    }
    if (wall_ms > at->wall_ms)
        at->wall_ms = wall_ms;
}

/* False: an opt-out that came later, or at the same time, stands. */
static bool lift(struct redis_data *d, uint64_t key, uint64_t wall_ms)
{
    const struct stop_time *at = find_stop_time(d, key);
    if (at != NULL && at->wall_ms >= wall_ms)
        return !set_has(&d->opt_out, key);
    set_remove(&d->opt_out, key);
    return true;
}

/* The oldest ones go to make room. */
static void put_notice(struct world *w, const struct consent_write *write)
{
    struct redis_data *d = &w->server.now;
    if (hash_mix(w->seed + write->sequence) % 1000000 < w->plan.notice_lost)
        return;
    if (write->notice && d->notice_count == SIM_NOTICES_MAX) {
        memmove(d->notices, d->notices + 1, (SIM_NOTICES_MAX - 1) * sizeof d->notices[0]);
        d->notice_count--;
        d->notices_before++;
    }
    if (write->notice) {
        struct notice *n = &d->notices[d->notice_count++];
        *n = (struct notice){.sequence = write->sequence,
                             .number = write->number,
                             .scope_count = write->scope_count};
        memcpy(n->scopes, write->scopes, sizeof n->scopes);
        memcpy(n->node, w->gw->config.node, sizeof n->node);
    }
    oracle_opt_out_noticed(w, write);
}

/* Behind a write that was refused it stays, unless the adapter has this bug planted. */
static void move_position(struct world *w, uint64_t sequence, bool taken)
{
    struct redis_data *d = &w->server.now;
    struct redis *r = &w->gw->redis;
    bool follows = r->handed == 0 || d->applied[w->gw->index] == r->handed ||
                   w->plant == PLANT_POSITION_BELIEVED;
    r->handed = sequence;
    if (!taken || !follows)
        return;
    d->applied[w->gw->index] = sequence;
    d->applied_beside[w->gw->index] = r->mark;
}

bool key_is_of(uint64_t key, uint64_t number)
{
    return (key & NUMBER_MASK) == number && key >> 50 != SCOPE_HOLD && key >> 50 != SCOPE_ERASED;
}

bool set_erase(struct set *set, uint64_t number)
{
    bool stood = false;
    for (size_t i = set->count; i-- > 0;) {
        uint64_t key = set->members[i];
        if (!key_is_of(key, number))
            continue;
        stood = stood || key >> 50 == SCOPE_EVERYTHING || key >> 50 >= SCOPES_RESERVED;
        set_remove(set, key);
    }
    return stood;
}

static void add_erased(struct redis_data *d, const struct erased_fact *fact)
{
    size_t at = d->erased_count;
    for (size_t i = 0; i < d->erased_count; i++)
        if (d->erased[i].wall_ms == fact->wall_ms &&
            person_mark_equal(&d->erased[i].person, &fact->person))
            return;
    CHECK(d->erased_count < SIM_ERASED_MAX);
    for (; at > 0 && d->erased[at - 1].wall_ms > fact->wall_ms; at--)
        d->erased[at] = d->erased[at - 1];
    d->erased[at] = *fact;
    d->erased_count++;
}

/* What stands under the number goes; where it was searched for, not what is known to have come after `since`, nor what
 * registers say. True: some opt-out went. */
static bool erase_number(struct redis_data *d, uint64_t number, uint64_t since)
{
    bool searched = since != UINT64_MAX;
    uint32_t reassigned_day = days_get(&d->days, consent_key(SCOPE_REASSIGNED, number));
    struct set stays = {0};
    for (size_t i = d->stop_time_count; i-- > 0;) {
        const struct stop_time *at = &d->stop_times[i];
        if (!key_is_of(at->key, number))
            continue;
        if (at->wall_ms > since && set_has(&d->opt_out, at->key))
            set_add(&stays, at->key);
        else
            d->stop_times[i] = d->stop_times[--d->stop_time_count];
    }
    for (uint16_t scope = SCOPE_DO_NOT_CALL; scope <= SCOPE_REASSIGNED && searched; scope++)
        if (set_has(&d->opt_out, consent_key(scope, number)))
            set_add(&stays, consent_key(scope, number));
    for (size_t i = 0; i < stays.count; i++)
        set_remove(&d->opt_out, stays.members[i]);
    bool stood = set_erase(&d->opt_out, number);
    for (size_t i = 0; i < stays.count; i++)
        set_add(&d->opt_out, stays.members[i]);
    free(stays.members);
    set_erase(&d->opt_in, number);
    for (size_t i = d->pending_count; i-- > 0;)
        if (key_is_of(d->pending[i].key, number) && d->pending[i].asked_wall_ms <= since)
            d->pending[i] = d->pending[--d->pending_count];
    days_erase(&d->days, number);
    if (searched && reassigned_day != 0)
        days_put(&d->days, consent_key(SCOPE_REASSIGNED, number), reassigned_day);
    return stood;
}

static void keep_fingerprint(struct redis_data *d, const struct consent_write *write)
{
    uint64_t member = person_member(&write->erased.person);
    set_add(&d->opt_out, member);
    note_stop_time(d, member, write->taken_wall_ms);
}

static void execute_erase(struct redis_data *d, const struct consent_write *write)
{
    struct erased_fact fact = write->erased;
    fact.places = 1; /* this one has no buckets */
    if (!set_has(&d->opt_out, consent_key(SCOPE_HOLD, write->number)))
        add_erased(d, &fact);
    if (erase_number(d, write->number, UINT64_MAX))
        keep_fingerprint(d, write);
}

/* One from before: it was released, since with a hold nobody is erased; the others are told then. */
static void end_hold(struct redis_data *d, uint64_t number, const struct erased_fact *fact)
{
    uint64_t hold = consent_key(SCOPE_HOLD, number);
    struct stop_time *at = find_stop_time(d, hold);
    if (at == NULL || at->wall_ms > fact->wall_ms || fact->request[0] == '\0')
        return;
    set_remove(&d->opt_out, hold);
    *at = d->stop_times[--d->stop_time_count];
}

/* Those who have the fingerprint, as a script finds them that knows no list of numbers. */
static uint64_t search_set(const struct set *set, const struct person_mark *person)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->members[i] >> 50 != SCOPE_ERASED &&
            person_is(person, set->members[i] & NUMBER_MASK))
            return set->members[i] & NUMBER_MASK;
    return 0;
}

static uint64_t search(const struct redis_data *d, const struct person_mark *person)
{
    uint64_t number = search_set(&d->opt_out, person);
    if (number == 0)
        number = search_set(&d->opt_in, person);
    for (size_t i = 0; i < d->days.count && number == 0; i++)
        if (person_is(person, d->days.days[i].key & NUMBER_MASK))
            number = d->days.days[i].key & NUMBER_MASK;
    for (size_t i = 0; i < d->stop_time_count && number == 0; i++)
        if (d->stop_times[i].key >> 50 != SCOPE_ERASED &&
            person_is(person, d->stop_times[i].key & NUMBER_MASK))
            number = d->stop_times[i].key & NUMBER_MASK;
    return number;
}

static void execute_erased_place(struct world *w, const struct consent_write *write)
{
    struct redis_data *d = &w->server.now;
    uint64_t number = write->search ? search(d, &write->erased.person) : 0;
    if (write->erased.request[0] != '\0')
        add_erased(d, &write->erased);
    bool stood = number != 0 && erase_number(d, number, write->erased.wall_ms);
    if (stood || write->erased.kept)
        keep_fingerprint(d, write);
    if (number == 0)
        return;
    end_hold(d, number, &write->erased);
    oracle_searched(w, write, number);
}

static void execute_write(struct world *w, struct command *c)
{
    const struct consent_write *write = &c->write;
    struct redis_data *d = &w->server.now;
    if (write->day != 0)
        days_put(&d->days, consent_key(write->scopes[0], write->number), write->day);
    for (unsigned i = 0; i < write->scope_count; i++) {
        uint64_t key = consent_member(write->scopes[i], write->number);
        switch (write->kind) {
        case WRITE_OPT_OUT:
            c->changed |= set_add(&d->opt_out, key);
            note_stop_time(d, key, write->taken_wall_ms);
            break;
        case WRITE_OPT_IN:
            c->changed |= set_add(&d->opt_in, key);
            drop_pending(d, key, write->asked_wall_ms);
            break;
        case WRITE_PENDING:
            set_pending(d, key, write);
            break;
        case WRITE_DROP_PENDING:
            if (w->plant == PLANT_NO_UNMARKED)
                drop_pending(d, key, write->asked_wall_ms);
            else
                decline_pending(d, key, write);
            break;
        case WRITE_LIFT_OPT_OUT:
            c->changed = lift(d, key, write->taken_wall_ms) && (i == 0 || c->changed);
            break;
        case WRITE_SCOPE:
            register_scope(d, write->name, write->scopes[0]);
            break;
        case WRITE_ERASE:
        case WRITE_ERASED:
        case WRITE_POSITION:
            break;
        }
    }
    if (write->kind == WRITE_ERASE)
        execute_erase(d, write);
    else if (write->kind == WRITE_ERASED)
        execute_erased_place(w, write);
    move_position(w, write->sequence, true);
    oracle_executed_write(w, write);
    if (write->kind == WRITE_OPT_OUT && w->plan.gateways > 1)
        put_notice(w, write);
}

static void execute_lookup(struct world *w, struct command *c)
{
    struct redis_data *d = &w->server.now;
    for (unsigned i = 0; i < c->ask.scope_count; i++)
        c->state.opted_out[i] =
            set_has(&d->opt_out, consent_member(c->ask.scopes[i], c->ask.number));
    uint64_t key = consent_key(c->ask.opt_in_scope, c->ask.number);
    c->state.opt_in = set_has(&d->opt_in, key);
    const struct pending *p = find_pending(d, key);
    if (p == NULL || p->declined || p->expires_wall_ms + CONSENT_EXPIRED_MS <= world_wall_ms(w))
        return;
    c->state.pending = true;
    c->state.request = p->request;
    c->state.asked_wall_ms = p->asked_wall_ms;
    c->state.expires_wall_ms = p->expires_wall_ms;
    memcpy(c->state.token_sha256, p->token_sha256, sizeof p->token_sha256);
    memcpy(c->state.asker, p->asker, sizeof p->asker);
}

static void execute_once(struct world *w, struct command *c)
{
    struct redis_data *d = &w->server.now;
    uint64_t key = consent_key(c->once.scope, c->once.number), now_ms = world_wall_ms(w);
    size_t i = 0;
    while (i < d->once_count && (d->onces[i].key != key || d->onces[i].kind != c->once.kind))
        i++;
    c->first = ONCE_OURS;
    if (i < d->once_count && d->onces[i].expires_wall_ms > now_ms)
        c->first = d->onces[i].holder == w->gw->index ? ONCE_KEPT : ONCE_TAKEN;
    if (c->first != ONCE_OURS)
        return;
    CHECK(i < sizeof d->onces / sizeof d->onces[0]);
    d->once_count += i == d->once_count;
    d->onces[i].key = key;
    d->onces[i].kind = c->once.kind;
    d->onces[i].holder = w->gw->index;
    d->onces[i].expires_wall_ms = now_ms + c->once.ttl_ms;
}

static void execute_beat(struct world *w, struct command *c)
{
    struct redis_data *d = &w->server.now;
    uint32_t self = w->gw->index;
    c->look = (struct nodes_look){.history = hash_mix(d->mark + w->server.life) | 1,
                                  .self = d->nodes[self]};
    if (c->beat.joins)
        d->nodes[self] = c->beat.self;
    struct redis *r = &w->gw->redis;
    if (!c->beat.joins || c->beat.self.state != NODE_LIVE)
        r->live_since_us = 0;
    else if (r->live_since_us == 0)
        r->live_since_us = w->now_us;
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        if (i == self || d->nodes[i].beat == 0)
            continue;
        struct node_fact *fact = &c->look.others[c->look.count++];
        *fact = d->nodes[i];
        fact->applied = redis_position(d, i);
        memcpy(fact->name, w->gateways[i].config.node, sizeof fact->name);
    }
}

static void execute_notices(struct world *w, struct command *c)
{
    const struct redis_data *d = &w->server.now;
    struct redis *r = &w->gw->redis;
    uint64_t end = d->notices_before + d->notice_count, at = r->notices_read;
    size_t read = 0;
    for (at = at > d->notices_before ? at : d->notices_before; at < end && read < NOTICES_A_READING;
         at++, read++) {
        const struct notice *n = &d->notices[at - d->notices_before];
        if (strcmp(n->node, w->gw->config.node) != 0)
            c->notices[c->notice_count++] = *n;
    }
    r->notices_read = at;
    c->more = read == NOTICES_A_READING;
}

static void execute_erased(struct world *w, struct command *c)
{
    const struct redis_data *d = &w->server.now;
    c->erased_total = d->erased_count;
    for (size_t i = c->erased_from; i < d->erased_count && c->erased_count < ERASED_A_READING;
         i++) {
        struct erased_fact *fact = &c->erased[c->erased_count++];
        *fact = d->erased[i];
        fact->kept = set_has(&d->opt_out, person_member(&fact->person));
    }
}

static void tell_erased(struct world *w, const struct command *c)
{
    struct erased_page page = {
        .total = c->erased_total, .read = c->erased_count, .count = c->erased_count};
    memcpy(page.facts, c->erased, sizeof c->erased);
    engine_on_erased(w->gw->engine, &page, world_instant(w));
}

/* Writes that are sent together, one behind the other, share a batch. */
static bool is_refused(struct world *w, struct redis *r, struct command *c)
{
    bool joins = !c->leads && r->executed > 0 && c[-1].kind == COMMAND_WRITE;
    c->refused = joins ? c[-1].refused : w->server.refuses;
    w->server.refuses = w->server.refuses && !c->refused;
    r->refused = r->refused || c->refused;
    return c->refused;
}

static void execute_up_to(struct world *w, size_t end)
{
    struct redis *r = &w->gw->redis;
    for (; r->executed < end; r->executed++) {
        struct command *c = &r->commands[r->executed];
        c->stale = w->server.now.mark != r->mark;
        switch (c->kind) {
        case COMMAND_CHECK:
            execute_check(w, c);
            break;
        case COMMAND_WRITE:
            if (is_refused(w, r, c))
                move_position(w, c->write.sequence, false);
            else
                execute_write(w, c);
            break;
        case COMMAND_LOOKUP:
            execute_lookup(w, c);
            break;
        case COMMAND_RESOLVE:
            c->resolved = register_scope(&w->server.now, c->ask.name, name_number(c->ask.name));
            break;
        case COMMAND_ONCE:
            execute_once(w, c);
            break;
        case COMMAND_BEAT:
            execute_beat(w, c);
            break;
        case COMMAND_NOTICES:
            execute_notices(w, c);
            break;
        case COMMAND_ERASED:
            execute_erased(w, c);
            break;
        }
    }
}

/* ---- answers ---- */

/* Nothing in Redis stands against the text that was asked about; where the number had another owner, the days
 * decide. */
static bool passes(const struct command *c)
{
    const struct check_result *r = &c->result;
    uint8_t denied = r->denied;
    for (uint8_t i = 0; i < c->check.scope_count; i++)
        if (c->check.scopes[i] == SCOPE_REASSIGNED && c->check.need_days)
            denied &= (uint8_t) ~(1u << i);
    return r->known && denied == 0 && (r->opted_in || !c->check.need_opt_in);
}

static void trace_check(struct world *w, const struct command *c)
{
    const struct check_result *r = &c->result;
    TRACE(w, "redis", "check of %llu: %s, denied by 0x%x%s", (unsigned long long)c->check.number,
          r->known ? "known" : "not known", r->denied, r->opted_in ? ", opted in" : "");
}

static void tell_check(struct world *w, const struct command *c)
{
    trace_check(w, c);
    if (passes(c) && !foresight_is(&c->check))
        oracle_told_verdict(w, &c->seen);
    engine_on_checked(w->gw->engine, &c->result, 1, world_instant(w));
}

/* The oldest of those that wait. */
static void tell_waiting(struct world *w, struct event *e)
{
    struct redis *r = &w->gw->redis;
    if (e->a != r->connection || !world_may_enter(w, e))
        return;
    CHECK(r->waiting_count > 0);
    struct command oldest = r->waiting[0];
    memmove(r->waiting, r->waiting + 1, --r->waiting_count * sizeof oldest);
    tell_check(w, &oldest);
    world_entered(w);
}

static void wait_for_log(struct world *w, const struct command *c)
{
    struct redis *r = &w->gw->redis;
    if (r->waiting_count == r->waiting_size) {
        r->waiting_size = r->waiting_size ? r->waiting_size * 2 : 16;
        r->waiting = check_realloc(r->waiting, r->waiting_size * sizeof *r->waiting);
    }
    r->waiting[r->waiting_count++] = *c;
    world_at(w, spread(&w->redis_rng, w->plan.redis_us), tell_waiting, r->connection, 0, 0);
}

/* A copy is told: the engine may ask again, and the queue move, before it returns. */
static void tell(struct world *w, struct command command)
{
    struct command *c = &command;
    struct instant now = world_instant(w);
    switch (c->kind) {
    case COMMAND_CHECK:
        if (c->check.cap_places > 0 && !c->check.cap_looks)
            wait_for_log(w, c);
        else
            tell_check(w, c);
        break;
    case COMMAND_WRITE:
        TRACE(w, "redis", "has consent record %llu", (unsigned long long)c->write.sequence);
        w->gw->disk.records[c->write.sequence].fact.answered = true;
        engine_on_written(w->gw->engine, c->write.sequence, c->changed, now);
        break;
    case COMMAND_LOOKUP:
        engine_on_looked_up(w->gw->engine, c->ask.cookie, true, &c->state, now);
        break;
    case COMMAND_RESOLVE:
        engine_on_scope_resolved(w->gw->engine, c->ask.cookie, c->resolved, now);
        break;
    case COMMAND_ONCE:
        engine_on_once(w->gw->engine, c->once.cookie, c->first, now);
        break;
    case COMMAND_BEAT:
        engine_on_beaten(w->gw->engine, &c->look, now);
        break;
    case COMMAND_NOTICES:
        engine_on_noticed(w->gw->engine, c->notices, c->notice_count, c->more, now);
        break;
    case COMMAND_ERASED:
        tell_erased(w, c);
        break;
    }
}

static void fail_command(struct world *w, struct command *c)
{
    static const struct consent_state nothing;
    struct instant now = world_instant(w);
    if (c->kind == COMMAND_CHECK) {
        c->result = (struct check_result){.cookie = c->check.cookie};
        trace_check(w, c);
        engine_on_checked(w->gw->engine, &c->result, 1, now);
    } else if (c->kind == COMMAND_LOOKUP) {
        engine_on_looked_up(w->gw->engine, c->ask.cookie, false, &nothing, now);
    } else if (c->kind == COMMAND_RESOLVE) {
        engine_on_scope_resolved(w->gw->engine, c->ask.cookie, 0, now);
    } else if (c->kind == COMMAND_ONCE) {
        engine_on_once(w->gw->engine, c->once.cookie, ONCE_UNKNOWN, now);
    } else if (c->kind == COMMAND_BEAT) {
        engine_on_beaten(w->gw->engine, NULL, now);
    } else if (c->kind == COMMAND_NOTICES) {
        engine_on_noticed(w->gw->engine, NULL, 0, false, now);
    } else if (c->kind == COMMAND_ERASED) {
        engine_on_erased(w->gw->engine, NULL, now);
    }
}

/* The connection's end on the server: octets that had arrived are executed, others are not. */
static void abandon(struct world *w)
{
    struct redis *r = &w->gw->redis;
    r->connection++;
    r->up = false;
    if (!r->broken)
        execute_up_to(w, r->executed + rng_below(&w->redis_rng, r->sent - r->executed + 1));
}

static void empty_queue(struct redis *r)
{
    r->replied = r->executed = r->sent = r->batched = r->asked = 0;
    r->batches_answered = r->batches;
}

static void plan_reconnect(struct world *w)
{
    struct redis *r = &w->gw->redis;
    world_at(w, spread(&w->redis_rng, r->backoff_us), try_connect, r->connection, 0, 0);
    r->backoff_us = r->backoff_us * 2 < BACKOFF_MAX_US ? r->backoff_us * 2 : BACKOFF_MAX_US;
}

static void lose(struct world *w, const char *why)
{
    struct redis *r = &w->gw->redis;
    if (!r->up)
        return;
    size_t end = r->asked;
    abandon(w);
    TRACE(w, "redis", "connection lost: %s", why);
    for (; r->waiting_count > 0 && !w->gw->crashed; r->waiting_count--)
        fail_command(w, &r->waiting[r->waiting_count - 1]);
    for (size_t i = r->replied; i < end && !w->gw->crashed; i++)
        fail_command(w, &r->commands[i]);
    empty_queue(r);
    if (!w->gw->crashed)
        engine_on_store_down(w->gw->engine, why);
    world_entered(w);
    plan_reconnect(w);
}

/* A fault is noticed by the process when it runs. */
static void lose_event(struct world *w, struct event *e)
{
    static const char *const whys[] = {"connection closed", "timeout", "READONLY", "OOM"};
    if (e->a != w->gw->redis.connection || !world_may_enter(w, e))
        return;
    lose(w, whys[e->b]);
}

/* ---- the connection ---- */

void server_init(struct redis_server *server)
{
    *server = (struct redis_server){.running = true};
}

void redis_init(struct redis *r)
{
    *r = (struct redis){.backoff_us = BACKOFF_MIN_US};
}

static void data_release(struct redis_data *d)
{
    free(d->opt_out.members);
    free(d->opt_in.members);
}

void server_release(struct redis_server *server)
{
    data_release(&server->now);
    data_release(&server->old);
}

void redis_release(struct redis *r)
{
    free(r->commands);
    free(r->waiting);
}

void redis_connect(struct world *w)
{
    w->gw->redis.backoff_us = BACKOFF_MIN_US;
    world_at(w, 500, try_connect, w->gw->redis.connection, 0, 0);
}

static void try_connect(struct world *w, struct event *e)
{
    struct redis *r = &w->gw->redis;
    if (e->a != r->connection || w->gw->engine == NULL)
        return;
    if (!w->server.running) {
        plan_reconnect(w);
        return;
    }
    world_at(w, 4 * spread(&w->redis_rng, w->plan.redis_us), connected, r->connection, 0, 0);
}

static void connected(struct world *w, struct event *e)
{
    struct redis *r = &w->gw->redis;
    if (e->a != r->connection || !world_may_enter(w, e))
        return;
    if (!w->server.running) {
        plan_reconnect(w);
        return;
    }
    r->up = true;
    r->broken = false;
    r->up_since_us = w->now_us;
    r->live_since_us = r->notices_read = r->handed = 0;
    r->caught_up_checked = r->refused = false;
    r->up_at_sequence = w->gw->disk.durable;
    r->backoff_us = BACKOFF_MIN_US;
    if (w->server.now.mark == 0)
        w->server.now.mark = rng_next(&w->redis_rng) | 1;
    r->mark = w->server.now.mark;
    uint64_t applied = redis_position(&w->server.now, w->gw->index);
    TRACE(w, "redis", "connected, has %llu", (unsigned long long)applied);
    engine_on_store_up(w->gw->engine, applied);
    world_entered(w);
}

void redis_crash(struct world *w)
{
    abandon(w);
    empty_queue(&w->gw->redis);
    w->gw->redis.waiting_count = 0;
    w->gw->redis.last_execute_us = w->gw->redis.last_reply_us = 0;
}

static struct command *add_command(struct world *w, enum command_kind kind)
{
    struct redis *r = &w->gw->redis;
    if (!r->up || r->asked - r->replied >= STORE_CHECKS_MAX)
        return NULL;
    if (r->replied == r->asked)
        empty_queue(r);
    if (r->asked == r->size) {
        r->size = r->size ? r->size * 2 : 64;
        r->commands = check_realloc(r->commands, r->size * sizeof *r->commands);
    }
    struct command *c = &r->commands[r->asked++];
    *c = (struct command){.kind = kind};
    return c;
}

bool redis_ask(struct world *w, const struct check *check)
{
    struct command *c = add_command(w, COMMAND_CHECK);
    if (c == NULL)
        return false;
    c->check = *check;
    w->oracle.checks++;
    return true;
}

bool redis_write(struct world *w, const struct consent_write *write)
{
    struct command *c = add_command(w, COMMAND_WRITE);
    if (c == NULL)
        return false;
    c->write = *write;
    return true;
}

bool redis_lookup(struct world *w, uint64_t cookie, uint64_t number, const uint16_t *scopes,
                  uint8_t scope_count, uint16_t opt_in_scope)
{
    struct command *c = add_command(w, COMMAND_LOOKUP);
    if (c == NULL)
        return false;
    c->ask.cookie = cookie;
    c->ask.number = number;
    memcpy(c->ask.scopes, scopes, scope_count * sizeof *scopes);
    c->ask.scope_count = scope_count;
    c->ask.opt_in_scope = opt_in_scope;
    return true;
}

bool redis_resolve(struct world *w, uint64_t cookie, const char *name)
{
    struct command *c = add_command(w, COMMAND_RESOLVE);
    if (c == NULL)
        return false;
    c->ask.cookie = cookie;
    snprintf(c->ask.name, sizeof c->ask.name, "%s", name);
    return true;
}

bool redis_once(struct world *w, const struct once *once)
{
    struct command *c = add_command(w, COMMAND_ONCE);
    if (c == NULL)
        return false;
    c->once = *once;
    return true;
}

bool redis_beat(struct world *w, const struct beat *beat)
{
    struct command *c = add_command(w, COMMAND_BEAT);
    if (c == NULL)
        return false;
    c->beat = *beat;
    return true;
}

bool redis_notices(struct world *w)
{
    return add_command(w, COMMAND_NOTICES) != NULL;
}

bool redis_erased(struct world *w, uint64_t from)
{
    struct command *c = add_command(w, COMMAND_ERASED);
    if (c == NULL)
        return false;
    c->erased_from = from;
    return true;
}

static uint64_t later(uint64_t last_us, uint64_t at_us)
{
    return at_us > last_us ? at_us : last_us;
}

void redis_flush(struct world *w)
{
    struct redis *r = &w->gw->redis;
    if (!r->up || r->broken || r->sent == r->asked)
        return;
    r->commands[r->sent].leads = true;
    r->sent = r->asked;
    uint64_t reach_us = w->now_us + spread(&w->redis_rng, w->plan.redis_us);
    if (rng_chance(&w->redis_rng, w->plan.redis_slow))
        reach_us += 5000 + rng_below(&w->redis_rng, 300000);
    if (w->server.slow_until_us > w->now_us)
        reach_us = later(reach_us, w->now_us + rng_below(&w->redis_rng, 400000));
    r->last_execute_us = later(r->last_execute_us, reach_us);
    r->last_reply_us =
        later(r->last_reply_us, r->last_execute_us + spread(&w->redis_rng, w->plan.redis_us));
    uint64_t count = r->sent - r->batched;
    r->batched = r->sent;
    schedule_add(&w->schedule, r->last_execute_us, execute, r->connection, count, 0, NULL, 0);
    schedule_add(&w->schedule, r->last_reply_us, answer, r->connection, count, 0, NULL, 0);
    world_at(w, STORE_DEADLINE_MS * US_PER_MS, deadline, r->connection, count, r->batches++);
}

static void execute(struct world *w, struct event *e)
{
    struct redis *r = &w->gw->redis;
    if (e->a == r->connection && !r->broken)
        execute_up_to(w, r->executed + e->b);
}

/* The mark is read with these. */
static bool is_doubtful(const struct world *w, const struct command *c)
{
    switch (c->kind) {
    case COMMAND_CHECK:
        return c->stale && w->plant != PLANT_MARK_NOT_READ;
    case COMMAND_RESOLVE:
    case COMMAND_NOTICES:
    case COMMAND_ERASED:
        return false;
    default:
        return c->stale;
    }
}

static void answer(struct world *w, struct event *e)
{
    struct redis *r = &w->gw->redis;
    if (e->a != r->connection || !world_may_enter(w, e))
        return;
    if (r->replied + e->b > r->executed)
        return; /* the server went before; the loss is about to be noticed */
    for (uint64_t i = 0; i < e->b && !w->gw->crashed; i++) {
        if (is_doubtful(w, &r->commands[r->replied])) {
            lose(w, "Redis has been emptied or restored while it ran");
            return;
        }
        if (r->commands[r->replied].kind == COMMAND_WRITE && r->commands[r->replied].refused) {
            lose(w, "OOM");
            return;
        }
        tell(w, r->commands[r->replied++]);
    }
    r->batches_answered++;
    world_entered(w);
}

static void deadline(struct world *w, struct event *e)
{
    struct redis *r = &w->gw->redis;
    if (e->a != r->connection || e->c < r->batches_answered || !world_may_enter(w, e))
        return;
    lose(w, "timeout");
}

/* ---- faults ---- */

static void start_server(struct world *w, struct event *e)
{
    (void)e;
    TRACE(w, "redis", "server runs");
    w->server.running = true;
}

static void stop_server(struct world *w)
{
    w->server.running = false;
    w->server.life++;
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        world_turn_to(w, i);
        w->gw->redis.broken = true;
        world_at(w, rng_below(&w->redis_rng, 500), lose_event, w->gw->redis.connection, 0, 0);
    }
    world_at(w, 5000 + rng_below(&w->redis_rng, 4 * US_PER_S), start_server, 0, 0, 0);
}

enum redis_fault {
    FAULT_DROP,
    FAULT_SLOW,
    FAULT_RESTART,
    FAULT_OLD,
    FAULT_EMPTY,
    FAULT_ERROR,
    FAULT_SAVE,
    FAULT_FLUSH,
    FAULT_REFUSE,
    FAULT_KINDS
};

void redis_fault(struct world *w)
{
    enum redis_fault fault = (enum redis_fault)rng_below(&w->redis_rng, FAULT_KINDS);
    if (rng_chance(&w->redis_rng, w->plan.redis_refuses))
        fault = FAULT_REFUSE;
    static const char *const names[] = {"drops the connection",
                                        "is slow",
                                        "restarts",
                                        "restarts with an older copy",
                                        "restarts empty",
                                        "answers with an error",
                                        "saves",
                                        "is emptied while it runs",
                                        "refuses a batch of writes"};
    TRACE(w, "redis", "%s", names[fault]);
    if (fault == FAULT_OLD || fault == FAULT_EMPTY || fault == FAULT_FLUSH)
        w->oracle.redis_lost_us = w->now_us;
    switch (fault) {
    case FAULT_DROP:
    case FAULT_ERROR:
        world_turn_to(w, (uint32_t)rng_below(&w->redis_rng, w->plan.gateways));
        world_at(w, 0, lose_event, w->gw->redis.connection, fault == FAULT_DROP ? 0 : 2, 0);
        break;
    case FAULT_SLOW:
        w->server.slow_until_us = w->now_us + rng_below(&w->redis_rng, 5 * US_PER_S);
        break;
    case FAULT_OLD:
        data_copy(&w->server.now, &w->server.old);
        stop_server(w);
        break;
    case FAULT_EMPTY:
        data_clear(&w->server.now);
        stop_server(w);
        break;
    case FAULT_RESTART:
        stop_server(w);
        break;
    case FAULT_SAVE:
        data_copy(&w->server.old, &w->server.now);
        break;
    case FAULT_FLUSH:
        data_clear(&w->server.now);
        w->server.flushed_us = w->now_us;
        w->server.life++;
        break;
    case FAULT_REFUSE:
        w->server.refuses = true;
        break;
    case FAULT_KINDS:
        break;
    }
}

void redis_heal(struct world *w)
{
    w->server.slow_until_us = 0;
    w->server.refuses = false;
}

void redis_opt_out(struct world *w, uint64_t key)
{
    if (w->server.running)
        set_add(&w->server.now.opt_out, key);
}

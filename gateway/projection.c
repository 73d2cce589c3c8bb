/* SPDX-License-Identifier: Apache-2.0 */
/* The consent sets in Redis are a projection of the ledger; this file keeps them so.
 *
 * Every consent record is written into Redis in the order of its sequence number, after it is durable,
 * and each write moves this node's position in the same MULTI. When Redis comes (back), its position
 * says what it has forgotten: exactly those records are read from the ledger and written again, and
 * nothing is checked before they have been sent. Checks follow the writes on the same connection, so
 * they see them.
 *
 *   DOWN --up--> RESOLVING (scope numbers not known yet) --> CATCHING_UP --> LIVE
 *
 * LIVE is reached when our ledger is in Redis and so is what other gateways had written (nodes.c).
 *
 * In LIVE new records are queued in memory until durable; in all other phases the ledger itself is
 * the queue, so that an absent Redis costs no memory. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define CATCH_UP_RECORDS 4096  /* ledger records looked at in one step */
#define WRITES_IN_FLIGHT 512   /* not acknowledged at a time: a STOP waits behind them */
#define WRITES_QUEUED    512   /* above it consent calls of submitters wait */
#define POSITION_LAG     65536 /* records without consent after which the position is moved */

void projection_init(struct engine *e)
{
    e->projection.phase = STORE_DOWN;
    e->projection.why = "Redis has not been reached yet";
    e->projection.warnings = "";
    TAILQ_INIT(&e->projection.queue);
    TAILQ_INIT(&e->projection.sent);
    TAILQ_INIT(&e->projection.doubtful);
}

static void drop_all(struct projection_list *list)
{
    struct projection_entry *entry;
    while ((entry = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, entry, link);
        free(entry);
    }
}

void projection_release(struct engine *e)
{
    drop_all(&e->projection.queue);
    drop_all(&e->projection.sent);
    drop_all(&e->projection.doubtful);
}

int carrier_index(const struct engine *e, const char *name)
{
    for (int i = 0; i < e->config->carrier_count; i++)
        if (strcmp(e->config->carriers[i].name, name) == 0)
            return i;
    return -1;
}

int sender_index(const struct program_config *program, const char *sender)
{
    for (int i = 0; i < program->sender_count; i++)
        if (strcmp(program->senders[i], sender) == 0)
            return i;
    return -1;
}

/* ---- from an event to a write ---- */

/* What stopped marketing alone is confirmed as that. */
static Assent__V1__ServiceKind confirmation_of(const char *how)
{
    if (strcmp(how, meaning_name(MEANING_REVIEW)) == 0)
        return ASSENT__V1__SERVICE_KIND__WHICH_MESSAGES;
    if (strcmp(how, meaning_name(MEANING_CANCEL)) == 0)
        return ASSENT__V1__SERVICE_KIND__MARKETING_STOPPED;
    return ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION;
}

static void take_confirmation(const struct engine *e, struct projection_entry *entry,
                              const Assent__V1__Event *event)
{
    const Assent__V1__OptedOut *body = event->opted_out;
    int program = engine_program_of_scope(e, event->program);
    int carrier = carrier_index(e, body->carrier);
    if (body->source != ASSENT__V1__CONSENT_SOURCE__REPLY || program < 0 || carrier < 0 ||
        strcmp(body->how, REVIEW_SILENCE) == 0)
        return; /* what the silence completes has been told with the question */
    int sender = sender_index(&e->config->programs[program], body->sender);
    if (sender < 0)
        return;
    entry->confirm = true;
    entry->text = confirmation_of(body->how);
    entry->program = (uint16_t)program;
    entry->carrier = (uint16_t)carrier;
    entry->sender = (uint8_t)sender;
    entry->received_wall_ms = body->received_wall_ms;
    snprintf(entry->language, sizeof entry->language, "%s", body->language);
}

static bool keeps_days(const void *context, uint32_t program_scope)
{
    const struct engine *e = context;
    int program = engine_program_of_scope(e, program_scope);
    return program >= 0 && e->config->programs[program].consent_max_age_ms != 0;
}

/* A Redis that had records of ours, and none of the erasure, may have who was erased: the number is known no more. */
static bool is_older(const struct engine *e, uint64_t erasure)
{
    const struct projection *p = &e->projection;
    return p->phase == STORE_CATCHING_UP && p->found != 0 && p->found < erasure &&
           e->plant != PLANT_OLDER_NOT_SEARCHED;
}

/* False when the event asks for no write. */
static bool entry_from_event(const struct engine *e, struct projection_entry *entry,
                             uint64_t sequence, const Assent__V1__Event *event,
                             const Assent__V1__Personal *personal)
{
    const struct projection_rules rules = {.keeps_days = keeps_days, .context = e};
    if (!write_of_event(sequence, event, personal, &rules, &entry->write))
        return false;
    if (entry->write.kind == WRITE_PENDING && entry->write.expires_wall_ms <= e->now.wall_ms)
        return false; /* replayed: it must not hide a newer one of another gateway */
    if (event->body_case == ASSENT__V1__EVENT__BODY_OPTED_OUT) {
        entry->imported = event->opted_out->import != 0;
        entry->write.notice = !entry->imported && notices_wanted(e);
        take_confirmation(e, entry, event);
    }
    if (entry->write.kind == WRITE_ERASED)
        entry->write.search = is_older(e, event->erased_records->erasure);
    if (entry->write.kind == WRITE_LIFT_OPT_OUT && e->plant == PLANT_START_WINS)
        entry->write.taken_wall_ms = UINT64_MAX;
    return true;
}

void projection_note(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                     const Assent__V1__Personal *personal)
{
    struct projection_entry entry = {0};
    e->projection.last_consent = sequence;
    if (event->body_case == ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN &&
        lifts_erasure(event->opted_in_again))
        erasure_start_came(e, personal->number, again_effect(event));
    if (!entry_from_event(e, &entry, sequence, event, personal))
        return;
    for (uint8_t i = 0; i < entry.write.scope_count && entry.write.kind == WRITE_OPT_OUT; i++)
        if (entry.write.scopes[i] == SCOPE_HOLD)
            erasure_hold_came(e, entry.write.number);
    if (event->body_case == ASSENT__V1__EVENT__BODY_OPTED_OUT && !entry.imported)
        recent_add(e, &entry.write, event->wall_ms);
    if (e->projection.phase != STORE_LIVE)
        return;
    struct projection_entry *queued = check_malloc(sizeof *queued);
    *queued = entry;
    bool asked_for = !entry.imported && event->body_case != ASSENT__V1__EVENT__BODY_NUMBER_VACANT;
    queued->received_us = asked_for ? e->now.mono_us : 0;
    TAILQ_INSERT_TAIL(&e->projection.queue, queued, link);
    e->projection.queue_count++;
}

bool projection_pending(const struct engine *e, enum consent_write_kind kind, uint64_t number,
                        uint16_t scope)
{
    const struct projection_list *lists[] = {&e->projection.sent, &e->projection.queue};
    bool pending = false;
    for (size_t i = 0; i < 2; i++) {
        const struct projection_entry *entry;
        TAILQ_FOREACH (entry, lists[i], link) {
            const struct consent_write *write = &entry->write;
            bool erases = write->kind == WRITE_ERASE && scope != SCOPE_HOLD; /* holds stay */
            if (write->number == number && (erases || write->scopes[0] == scope))
                pending = write->kind == kind || (pending && !erases);
        }
    }
    return pending;
}

/* A STOP is written behind what submitters have asked for, so that is kept short. */
bool engine_consent_busy(const struct engine *e)
{
    return e->projection.queue_count >= WRITES_QUEUED;
}

bool projection_owes(const struct engine *e, uint64_t sequence)
{
    const struct projection *p = &e->projection;
    const struct projection_entry *first = TAILQ_FIRST(&p->sent);
    if (first == NULL)
        first = TAILQ_FIRST(&p->queue);
    return p->phase == STORE_LIVE && first != NULL && first->write.sequence <= sequence;
}

bool projection_done(const struct engine *e, uint64_t sequence)
{
    return e->projection.applied >= sequence;
}

bool projection_passed(const struct engine *e, uint64_t sequence)
{
    const struct projection *p = &e->projection;
    return p->phase == STORE_LIVE || (p->phase == STORE_CATCHING_UP && p->cursor > sequence);
}

/* ---- scope numbers ---- */

void scope_learn(struct engine *e, const char *name, uint16_t number)
{
    for (uint16_t i = 0; i < e->config->program_count; i++) {
        const struct program_config *program = &e->config->programs[i];
        if (strncmp(name, "program:", 8) == 0 && strcmp(name + 8, program->name) == 0) {
            e->program_scope[i] = number;
            *table_put(&e->scope_program, number) = i + 1u;
        }
        if (strncmp(name, "brand:", 6) == 0 && strcmp(name + 6, program->brand) == 0)
            e->brand_scope[i] = number;
    }
}

int engine_program_of_scope(const struct engine *e, uint32_t scope)
{
    uint64_t *found = table_find(&e->scope_program, scope);
    return found ? (int)*found - 1 : -1;
}

#define SCOPE_NAME_SIZE (NAME_OCTETS_MAX + 16)

/* Name of the scope that a cookie asks for: the program of this index, or its brand behind. */
static void scope_name(const struct engine *e, uint64_t cookie, char out[SCOPE_NAME_SIZE])
{
    if (cookie < PROGRAMS_MAX)
        snprintf(out, SCOPE_NAME_SIZE, "program:%s", e->config->programs[cookie].name);
    else
        snprintf(out, SCOPE_NAME_SIZE, "brand:%s",
                 e->config->programs[cookie - PROGRAMS_MAX].brand);
}

static bool ask_scope(struct engine *e, uint64_t cookie)
{
    char name[SCOPE_NAME_SIZE];
    scope_name(e, cookie, name);
    bool asked = e->ports->store_resolve_scope(e->ports->context, cookie, name);
    e->projection.resolving += asked;
    return asked;
}

static void enter_catching_up(struct engine *e)
{
    struct projection *p = &e->projection;
    p->phase = STORE_CATCHING_UP;
    p->why = "Redis is being caught up from the ledger";
    p->cursor = p->applied + 1;
    p->rewind = 0;
}

/* Asks for one name at a time: programs that share a brand learn it with the first answer. */
static void resolve_next(struct engine *e)
{
    for (uint16_t i = 0; i < e->config->program_count; i++) {
        if (e->program_scope[i] != 0 && e->brand_scope[i] != 0)
            continue;
        (void)ask_scope(e, e->program_scope[i] == 0 ? i : PROGRAMS_MAX + (uint64_t)i);
        return;
    }
    if (e->projection.phase == STORE_RESOLVING)
        enter_catching_up(e);
}

void scopes_resolve_new(struct engine *e)
{
    if (e->projection.phase != STORE_DOWN && e->projection.resolving == 0)
        resolve_next(e);
}

void engine_on_scope_resolved(struct engine *e, uint64_t cookie, uint16_t number,
                              struct instant now)
{
    e->now = now;
    if (e->projection.phase == STORE_DOWN || e->projection.resolving == 0)
        return;
    e->projection.resolving--;
    if (number == 0)
        return; /* away: engine_on_store_down() follows */
    char name[SCOPE_NAME_SIZE];
    scope_name(e, cookie, name);
    Assent__V1__ScopeRegistered body = ASSENT__V1__SCOPE_REGISTERED__INIT;
    body.number = number;
    body.name = name;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED;
    event.scope_registered = &body;
    record_event(e, &event, NULL);
    scope_learn(e, name, number);
    resolve_next(e);
}

/* ---- up and down ---- */

uint64_t projection_write_from(const struct engine *e)
{
    return e->projection.has_acked && !gate_is_open(e) ? e->projection.acked + 1 : 0;
}

void projection_replay_gate(struct engine *e, const Assent__V1__GateState *body)
{
    e->projection.has_acked = body->write_from != 0;
    e->projection.acked = body->write_from != 0 ? body->write_from - 1 : 0;
}

static void record_gate(struct engine *e, bool open, const char *why)
{
    Assent__V1__GateState body = ASSENT__V1__GATE_STATE__INIT;
    body.open = open;
    body.why = UNCONST(why);
    body.write_from = open || !e->projection.has_acked ? 0 : e->projection.acked + 1;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_GATE_STATE;
    event.gate_state = &body;
    record_event(e, &event, NULL);
}

void engine_on_store_warned(struct engine *e, const char *warnings)
{
    e->projection.warnings = warnings;
}

void engine_on_store_up(struct engine *e, uint64_t applied)
{
    struct projection *p = &e->projection;
    if (applied >= e->ports->ledger_next(e->ports->context)) {
        p->why = "Redis has records of this node that its ledger lacks: wrong data_dir, or an old "
                 "copy of it";
        erased_people_up(e, UINT64_MAX); /* all that it has is there */
        return;
    }
    /* Redis may have refused a batch, and taken the next one, which had left already: its position is
     * behind both. */
    if (p->has_acked && p->acked < applied && e->plant != PLANT_POSITION_BELIEVED)
        applied = p->acked;
    p->applied = p->position_sent = p->acked = p->found = applied;
    p->has_acked = true;
    erased_people_up(e, applied);
    nodes_up(e);
    p->phase = STORE_RESOLVING;
    p->why = "scope numbers are being read";
    resolve_next(e);
}

void engine_on_store_down(struct engine *e, const char *why)
{
    struct projection *p = &e->projection;
    if (p->phase == STORE_LIVE) {
        e->metrics.counters[COUNT_STORE_LOST]++;
        record_gate(e, false, why);
    }
    p->phase = STORE_DOWN;
    snprintf(p->why_text, sizeof p->why_text, "%s", why);
    p->why = p->why_text;
    drop_all(&p->queue);
    drop_all(&p->sent);
    p->queue_count = p->sent_count = 0;
    p->resolving = 0;
    nodes_down(e);
    erased_people_down(e);
    complaints_store_away(e);
}

/* What had been sent is acknowledged still; what was queued is read from the ledger again. */
void projection_close(struct engine *e, const char *why)
{
    struct projection *p = &e->projection;
    drop_all(&p->queue);
    p->queue_count = 0;
    p->phase = STORE_CATCHING_UP;
    p->why = why;
    p->cursor = p->position_sent + 1;
    record_gate(e, false, why);
    complaints_store_away(e);
}

static void go_live(struct engine *e)
{
    e->projection.phase = STORE_LIVE;
    e->projection.why = e->projection.warnings;
    deny_all_acknowledged(e);
    record_gate(e, true, "");
}

/* ---- the turn ---- */

static bool send_write(struct engine *e, struct projection_entry *entry)
{
    struct projection *p = &e->projection;
    entry->write.written_wall_ms = e->now.wall_ms;
    if (!confirmation_keep(e, entry) || !e->ports->store_write(e->ports->context, &entry->write))
        return false;
    p->position_sent = entry->write.sequence;
    p->sent_count++;
    TAILQ_INSERT_TAIL(&p->sent, entry, link);
    return true;
}

static void replay_record(void *context, uint64_t sequence, struct span public_part,
                          struct span personal_part)
{
    struct engine *e = context;
    if (e->projection.rewind != 0)
        return;
    Assent__V1__Event *event =
        assent__v1__event__unpack(NULL, public_part.length, public_part.data);
    Assent__V1__Personal *personal = NULL;
    if (personal_part.length > 0)
        personal = assent__v1__personal__unpack(NULL, personal_part.length, personal_part.data);
    struct projection_entry *entry = check_calloc(1, sizeof *entry);
    bool covered = event != NULL && erasure_covers(e, sequence, event, personal);
    if (event == NULL || covered || !body_is_consent(event->body_case) ||
        !entry_from_event(e, entry, sequence, event, personal)) {
        free(entry);
    } else if (send_write(e, entry)) {
        e->metrics.counters[COUNT_STORE_REPLAYED]++;
    } else {
        e->projection.rewind = sequence;
        free(entry);
    }
    if (event != NULL)
        assent__v1__event__free_unpacked(event, NULL);
    if (personal != NULL)
        assent__v1__personal__free_unpacked(personal, NULL);
}

static void catch_up(struct engine *e)
{
    struct projection *p = &e->projection;
    if (e->plant == PLANT_REPLAY_SKIPPED)
        p->cursor = p->last_consent + 1;
    if (!erased_people_compared(e))
        return;
    if (!nodes_may_write(e)) {
        if (e->nodes.full)
            p->why = e->nodes.why;
        return;
    }
    uint64_t until = (e->durable < p->last_consent ? e->durable : p->last_consent) + 1;
    if (p->cursor < until && p->sent_count < WRITES_IN_FLIGHT) {
        uint64_t next = e->ports->ledger_scan(e->ports->context, p->cursor, until, CATCH_UP_RECORDS,
                                              replay_record, e);
        if (next == 0) {
            p->why = "the ledger cannot be read: see the log";
            return;
        }
        p->cursor = p->rewind != 0 ? p->rewind : next;
        p->rewind = 0;
    }
    if (p->cursor <= p->last_consent || erasures_owe_opt_outs(e))
        return;
    if (nodes_trust(e))
        go_live(e);
    else
        p->why = e->nodes.why;
}

uint64_t projection_next_us(const struct engine *e)
{
    const struct projection *p = &e->projection;
    bool behind = p->phase == STORE_CATCHING_UP && p->cursor <= p->last_consent &&
                  nodes_may_write(e) && erased_people_compared(e);
    uint64_t next_us = nodes_next_us(e), notices_us = notices_next_us(e);
    next_us = notices_us < next_us ? notices_us : next_us;
    return behind && next_us > e->now.mono_us + US_PER_MS ? e->now.mono_us + US_PER_MS : next_us;
}

static void write_queued(struct engine *e)
{
    struct projection *p = &e->projection;
    struct projection_entry *entry;
    while ((entry = TAILQ_FIRST(&p->queue)) != NULL && entry->write.sequence <= e->durable &&
           p->sent_count < WRITES_IN_FLIGHT) {
        TAILQ_REMOVE(&p->queue, entry, link);
        if (!send_write(e, entry)) {
            TAILQ_INSERT_HEAD(&p->queue, entry, link);
            return;
        }
        p->queue_count--;
    }
    if (entry != NULL || p->sent_count > 0 || e->durable < p->position_sent + POSITION_LAG)
        return;
    struct projection_entry *position = check_calloc(1, sizeof *position);
    position->write.kind = WRITE_POSITION;
    position->write.sequence = e->durable;
    if (!send_write(e, position))
        free(position);
}

void projection_turn(struct engine *e)
{
    if (e->projection.phase == STORE_CATCHING_UP)
        catch_up(e);
    if (e->projection.phase == STORE_LIVE)
        write_queued(e);
    nodes_turn(e);
    notices_turn(e);
    confirmations_turn(e);
}

/* ---- acknowledgements ---- */

void engine_on_written(struct engine *e, uint64_t sequence, bool changed, struct instant now)
{
    e->now = now;
    struct projection *p = &e->projection;
    struct projection_entry *entry = TAILQ_FIRST(&p->sent);
    CHECK(entry != NULL && entry->write.sequence == sequence);
    TAILQ_REMOVE(&p->sent, entry, link);
    p->sent_count--;
    p->applied = p->acked = sequence;
    p->has_acked = true;
    const struct consent_write *write = &entry->write;
    if (write->kind == WRITE_LIFT_OPT_OUT) {
        again_written(e, write, changed);
        free(entry);
    } else if (write->kind == WRITE_OPT_OUT) {
        for (uint8_t i = 0; i < write->scope_count; i++)
            deny_acknowledged(e, write->number, write->scopes[i], sequence);
        if (!changed && entry->received_us != 0)
            e->metrics.counters[COUNT_OPT_OUTS_REPEATED]++;
        if (entry->received_us != 0)
            histogram_add(&e->metrics.timings[TIME_STOP_EFFECTIVE],
                          now.mono_us - entry->received_us);
        complaint_hold_written(e, sequence, changed);
        confirmation_written(e, entry, changed);
    } else {
        free(entry);
    }
}

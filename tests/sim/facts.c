/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the ledger's records as an outsider would and folds them: what each message is up to, and
 * who has opted out. */
#include "tests/sim/world.h"

#include "consent/person.h"
#include "consent/projection.h"
#include "tests/sim/facts.h"

#define DUE_GRACE_MS 10 /* a timer that is due needs a turn to be noticed */

static uint16_t find_carrier(const struct world *w, const char *name)
{
    for (uint16_t i = 0; i < w->plan.carriers; i++)
        if (strcmp(w->config.carriers[i].name, name) == 0)
            return i;
    return UINT16_MAX;
}

/* The program that sends from it; each has one. */
static uint32_t find_sender(const struct world *w, const char *sender)
{
    for (uint32_t i = 0; i < SIM_PROGRAMS; i++)
        if (strcmp(w->config.programs[i].senders[0], sender) == 0)
            return i;
    return NONE;
}

static void read_finding(struct world *w, const Assent__V1__ReputationFinding *body, struct fact *f)
{
    f->carrier = find_carrier(w, body->carrier);
    f->sender = find_sender(w, body->sender);
    f->rate = (uint32_t)body->rate;
    f->window = (uint32_t)body->window;
    f->threshold = body->threshold;
}

static void read_scopes(struct fact *f, const uint32_t *scopes, size_t count)
{
    f->scope_count = (uint8_t)(count < WRITE_SCOPES_MAX ? count : WRITE_SCOPES_MAX);
    for (unsigned i = 0; i < f->scope_count; i++)
        f->scopes[i] = (uint16_t)scopes[i];
}

/* As world.c sets every carrier up. */
static enum recipient_news read_news(const struct world *w, const char *error_code)
{
    const struct carrier_config *c = &w->config.carriers[0];
    for (uint16_t i = 0; i < c->receipt_error_count; i++)
        if (strcmp(c->receipt_errors[i].code, error_code) == 0)
            return c->receipt_errors[i].news;
    return NEWS_NONE;
}

/* The question that an answer names; no node: one of this gateway's own. */
static void read_question(const struct world *w, const char *node, uint64_t request, struct fact *f)
{
    f->question = request;
    f->asked_by = node[0] == '\0' ? w->gw->index : NONE;
    for (uint32_t g = 0; g < w->plan.gateways; g++)
        if (strcmp(w->gateways[g].config.node, node) == 0)
            f->asked_by = g;
}

static uint32_t day_of(uint64_t wall_ms)
{
    return (uint32_t)(wall_ms / SIM_DAY_MS);
}

/* Another gateway was asked: whom its record means, and as if Redis had had it when that was made. */
static void read_joined(struct world *w, const Assent__V1__Erased *body, struct record *r)
{
    struct person_mark person;
    if (body->asked_wall_ms == 0 || !person_mark_read(body->person.data, body->person.len, &person))
        return;
    r->fact.asked_ms = body->asked_wall_ms;
    r->fact.consent_until = body->consent_until;
    r->fact.executed = true;
    r->executed_us = w->now_us - (world_wall_ms(w) - body->asked_wall_ms) * US_PER_MS + 999;
    for (uint32_t i = 0; i < w->plan.numbers; i++)
        if (person_is(&person, w->people.numbers[i]))
            r->fact.number = w->people.numbers[i];
}

static void read_body(struct world *w, const Assent__V1__Event *event, struct fact *f)
{
    switch ((int)event->body_case) {
    case ASSENT__V1__EVENT__BODY_ACCEPTED:
        f->message_class = event->accepted->class_;
        f->part = event->accepted->parts;
        f->service = event->accepted->service;
        f->due_wall_ms = event->accepted->send_at_wall_ms;
        f->carrier = find_carrier(w, event->accepted->carrier);
        f->sender = find_sender(w, event->accepted->sender);
        break;
    case ASSENT__V1__EVENT__BODY_ATTEMPT:
        f->carrier = find_carrier(w, event->attempt->carrier);
        break;
    case ASSENT__V1__EVENT__BODY_SENT:
        f->part = event->sent->part;
        break;
    case ASSENT__V1__EVENT__BODY_DEFERRED:
        f->due_wall_ms = event->deferred->due_wall_ms;
        f->carrier = find_carrier(w, event->deferred->carrier);
        break;
    case ASSENT__V1__EVENT__BODY_ENDED:
        f->outcome = event->ended->outcome;
        f->reason = event->ended->reason;
        f->status = event->ended->command_status;
        if (f->reason == ASSENT__V1__REASON__TEXT_LOST)
            world_fail(w, "P5", "message %llu was accepted, and its text cannot be read any more",
                       (unsigned long long)event->message);
        break;
    case ASSENT__V1__EVENT__BODY_RECEIPT:
        f->outcome = event->receipt->outcome;
        f->state = event->receipt->state;
        f->news = read_news(w, event->receipt->error_code);
        break;
    case ASSENT__V1__EVENT__BODY_NUMBER_VACANT:
        f->scopes[f->scope_count++] = SCOPE_REASSIGNED;
        f->day = day_of(event->wall_ms);
        break;
    case ASSENT__V1__EVENT__BODY_REGISTER_COPIED:
        if (event->register_copied->kind == ASSENT__V1__IMPORT_KIND__IMPORT_DO_NOT_CALL)
            f->day = day_of(event->register_copied->copied_wall_ms);
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED:
        f->day = day_of(event->opt_in_recorded->obtained_wall_ms);
        f->import = event->opt_in_recorded->import;
        f->row = event->opt_in_recorded->row;
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED:
        f->day = day_of(event->wall_ms);
        read_question(w, event->opt_in_confirmed->node, event->opt_in_confirmed->request, f);
        break;
    case ASSENT__V1__EVENT__BODY_OPT_IN_DECLINED:
        read_question(w, event->opt_in_declined->node, event->opt_in_declined->request, f);
        break;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        f->source = event->opted_out->source;
        f->carrier = find_carrier(w, event->opted_out->carrier);
        f->sender = find_sender(w, event->opted_out->sender);
        f->day = event->opted_out->day;
        f->import = event->opted_out->import;
        f->row = event->opted_out->row;
        f->effect_ms = event->wall_ms;
        read_scopes(f, event->opted_out->scopes, event->opted_out->n_scopes);
        break;
    case ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED:
        f->carrier = find_carrier(w, event->complaint_opened->carrier);
        f->sender = find_sender(w, event->complaint_opened->sender);
        break;
    case ASSENT__V1__EVENT__BODY_REPUTATION_ALARM:
        read_finding(w, event->reputation_alarm, f);
        break;
    case ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED:
        read_finding(w, event->reputation_paused, f);
        break;
    case ASSENT__V1__EVENT__BODY_REPUTATION_RELEASED:
        f->carrier = find_carrier(w, event->reputation_released->carrier);
        f->sender = find_sender(w, event->reputation_released->sender);
        break;
    case ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN:
        f->source = event->opted_in_again->source;
        f->effect_ms = event->opted_in_again->received_wall_ms;
        if (f->effect_ms == 0)
            f->effect_ms = event->wall_ms;
        f->lifts_erasure = lifts_erasure(event->opted_in_again);
        read_scopes(f, event->opted_in_again->scopes, event->opted_in_again->n_scopes);
        break;
    case ASSENT__V1__EVENT__BODY_ERASED:
        f->move.kind = MOVE_ERASE;
        break;
    case ASSENT__V1__EVENT__BODY_ERASED_RECORDS:
        f->erasure = event->erased_records->erasure;
        break;
    case ASSENT__V1__EVENT__BODY_ERASURE_DONE:
        f->erasure = event->erasure_done->erasure;
        break;
    }
}

/* Codes, and texts of programs that say so, never stand in a record. */
static void check_text(struct world *w, uint64_t sequence, const Assent__V1__Event *event,
                       const Assent__V1__Personal *p)
{
    if (event->body_case != ASSENT__V1__EVENT__BODY_ACCEPTED)
        return;
    const Assent__V1__Accepted *body = event->accepted;
    bool code = body->class_ == ASSENT__V1__CLASS__OTP, service = body->service != 0, kept = true;
    for (unsigned i = 0; i < SIM_PROGRAMS && !service; i++)
        if (strcmp(w->config.programs[i].senders[0], body->sender) == 0)
            kept = !code && w->config.programs[i].texts == TEXTS_WHOLE;
    if (kept != (p->text[0] != '\0') || kept != (p->encrypted_text.len == 0) ||
        (code && p->text_hash.len > 0))
        world_fail(w, "texts", "record %llu of class %d has %sits text, and %zu encrypted octets",
                   (unsigned long long)sequence, body->class_, p->text[0] ? "" : "not ",
                   p->encrypted_text.len);
}

static void read_record(struct world *w, uint64_t sequence)
{
    struct record *r = &w->gw->disk.records[sequence];
    struct span octets = record_public(r), personal = record_personal(r);
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, octets.length, octets.data);
    if (event == NULL) {
        world_fail(w, "P9", "record %llu is not an Event", (unsigned long long)sequence);
        return;
    }
    r->fact = (struct fact){.body = (int)event->body_case,
                            .message = event->message,
                            .program = event->program,
                            .sender = NONE,
                            .wall_ms = event->wall_ms};
    read_body(w, event, &r->fact);
    if (event->body_case == ASSENT__V1__EVENT__BODY_ERASED)
        read_joined(w, event->erased, r);
    Assent__V1__Personal *p =
        personal.length > 0 ? assent__v1__personal__unpack(NULL, personal.length, personal.data)
                            : NULL;
    if (p != NULL) {
        struct move moves[WRITE_SCOPES_MAX];
        size_t count = standing_moves(sequence, event, p, moves);
        r->fact.number = p->number;
        check_text(w, sequence, event, p);
        r->fact.moves = count == 1 && moves[0].scope == event->program &&
                        moves[0].kind != MOVE_STOP && moves[0].kind != MOVE_START;
        if (count > 0)
            r->fact.move = moves[0];
        assent__v1__personal__free_unpacked(p, NULL);
    }
    assent__v1__event__free_unpacked(event, NULL);
}

/* ---- messages ---- */

static unsigned rank(int message_class)
{
    switch (message_class) {
    case ASSENT__V1__CLASS__OTP:
        return 3;
    case ASSENT__V1__CLASS__TRANSACTIONAL:
        return 2;
    case ASSENT__V1__CLASS__MARKETING:
        return 1;
    }
    return 0;
}

/* Its sender, each program's own, has a rate of its own: a code may wait for it while others go. */
static bool waits_for_another(const struct world *w, const struct record *code,
                              const struct record *chosen)
{
    return (w->plan.sender_rate != 0 || w->plan.sender_daily != 0) &&
           code->fact.program != chosen->fact.program;
}

/* P8: an attempt is the moment of choice. A code that could have been chosen then must have been.
 * Where carriers share routes, or come and go, no record says at which of them the code waits. */
static void check_priority(struct world *w, const struct record *chosen, uint64_t id)
{
    unsigned of_chosen = rank(chosen->fact.message_class);
    bool shared =
        w->plan.carriers > 1 && (w->plan.routes != ROUTES_APART || w->plan.reload_us != 0);
    if (of_chosen == 0 || of_chosen == 3 || shared)
        return;
    for (uint64_t i = w->gw->seen.oldest_open; i < w->gw->disk.next; i++) {
        const struct record *r = &w->gw->disk.records[i];
        if (r->fact.body != ASSENT__V1__EVENT__BODY_ACCEPTED || !r->progress.open ||
            !r->progress.waiting || r->fact.carrier != chosen->fact.carrier ||
            rank(r->fact.message_class) != 3 || waits_for_another(w, r, chosen))
            continue;
        if (r->progress.due_wall_ms + DUE_GRACE_MS < world_wall_ms(w) && r->progress.attempts == 0)
            world_fail(w, "P8",
                       "message %llu (class %d) goes before code %llu, waiting since "
                       "%.6f s",
                       (unsigned long long)id, chosen->fact.message_class, (unsigned long long)i,
                       (double)r->progress.since_us / 1e6);
    }
}

static void fold_ended(struct world *w, struct progress *p, uint64_t sequence, bool replayed)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    bool resolves = p->outcome == ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME;
    if (!p->open && !resolves && !replayed)
        world_fail(w, "P5", "message %llu ended twice: %d, then %d", (unsigned long long)f->message,
                   p->outcome, f->outcome);
    p->open = p->waiting = false;
    p->was_in_doubt = p->was_in_doubt || resolves;
    p->outcome = f->outcome;
    p->reason = f->reason;
    p->ended_at = sequence;
}

/* ---- what receipts' codes say of a recipient ---- */

static bool has_opted_out_before(const struct world *w, const struct record *r, uint64_t sequence)
{
    while (--sequence > 0) {
        const struct fact *f = &w->gw->disk.records[sequence].fact;
        if (f->body == ASSENT__V1__EVENT__BODY_OPTED_OUT && f->number == r->fact.number &&
            f->source == ASSENT__V1__CONSENT_SOURCE__CARRIER && f->program == r->fact.program)
            return true;
    }
    return false;
}

static bool vacancy_is_due(const struct world *w, const struct vacancy_seen *v, uint64_t wall_ms)
{
    return v->times >= w->config.vacant_times &&
           wall_ms >= v->first_wall_ms + w->config.vacant_over_ms;
}

static void count_vacancy(struct vacancy_seen *v, uint64_t wall_ms)
{
    v->first_wall_ms = v->times++ == 0 ? wall_ms : v->first_wall_ms;
}

/* The mark stands before the receipt that made it due, and ends the count; that receipt begins it anew. */
static void fold_vacant(struct world *w, uint64_t sequence, bool replayed)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    struct vacancy_seen *v = &w->gw->seen.vacancies[people_find_number(w, f->number)];
    count_vacancy(v, f->wall_ms);
    if (!replayed && !vacancy_is_due(w, v, f->wall_ms))
        world_fail(w, "P1", "a number is taken for vacant after %u messages", v->times);
    *v = (struct vacancy_seen){0};
}

static bool is_failure(int state)
{
    return state == ASSENT__V1__RECEIPT_STATE__RECEIPT_EXPIRED ||
           state == ASSENT__V1__RECEIPT_STATE__RECEIPT_DELETED ||
           state == ASSENT__V1__RECEIPT_STATE__RECEIPT_UNDELIVERABLE ||
           state == ASSENT__V1__RECEIPT_STATE__RECEIPT_REJECTED ||
           state == ASSENT__V1__RECEIPT_STATE__RECEIPT_UNKNOWN;
}

/* What a receipt says beside its state is in the ledger before it: an opt-out, or the mark. */
static void fold_news(struct world *w, struct record *r, uint64_t sequence, bool replayed)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    struct vacancy_seen *v = &w->gw->seen.vacancies[people_find_number(w, r->fact.number)];
    bool first = is_failure(f->state) && !r->progress.a_part_failed;
    if (first)
        r->progress.failed_as = reputation_of_receipt(f);
    r->progress.a_part_failed = r->progress.a_part_failed || is_failure(f->state);
    if (f->state == ASSENT__V1__RECEIPT_STATE__RECEIPT_DELIVERED)
        *v = (struct vacancy_seen){0};
    if (is_failure(f->state) && f->news == NEWS_OPTED_OUT && !replayed &&
        !has_opted_out_before(w, r, sequence))
        world_fail(w, "P3", "a receipt of message %llu said that its recipient has opted out",
                   (unsigned long long)f->message);
    if (!first || f->news != NEWS_UNKNOWN_SUBSCRIBER)
        return;
    const struct fact *before = &w->gw->disk.records[sequence - 1].fact;
    bool marked = before->body == ASSENT__V1__EVENT__BODY_NUMBER_VACANT;
    count_vacancy(v, f->wall_ms);
    if (!replayed && !marked && vacancy_is_due(w, v, f->wall_ms))
        world_fail(w, "P1", "a number that %u messages found vacant is not marked", v->times);
}

static void fold_message(struct world *w, uint64_t sequence, bool replayed)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    struct record *r = disk_accepted(w, f->message);
    if (r == NULL)
        return;
    struct progress *p = &r->progress;
    switch (f->body) {
    case ASSENT__V1__EVENT__BODY_ATTEMPT:
        r->fact.carrier = f->carrier;
        if (!replayed) {
            if (w->plan.kind != PLAN_PACE) /* one class, and a hundred thousand of it */
                check_priority(w, r, f->message);
            people_meddle(w, people_find_number(w, r->fact.number), f->program);
        }
        p->attempts++;
        p->last_attempt = sequence;
        p->waiting = false;
        break;
    case ASSENT__V1__EVENT__BODY_HELD:
        p->helds += !p->waiting; /* quiet hours hold what had no intent, too */
        p->waiting = true;
        p->since_us = w->now_us;
        break;
    case ASSENT__V1__EVENT__BODY_DEFERRED:
        p->waiting = true;
        p->due_wall_ms = f->due_wall_ms;
        r->fact.carrier = f->carrier;
        p->since_us = w->now_us;
        break;
    case ASSENT__V1__EVENT__BODY_SENT:
        p->sent_parts |= 1u << f->part;
        if ((uint32_t)__builtin_popcount(p->sent_parts) == r->fact.part)
            p->waiting = false;
        break;
    case ASSENT__V1__EVENT__BODY_ENDED:
        fold_ended(w, p, sequence, replayed);
        break;
    case ASSENT__V1__EVENT__BODY_RECEIPT:
        fold_news(w, r, sequence, replayed);
        if (f->outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN)
            fold_ended(w, p, sequence, replayed);
        break;
    }
}

static void fold(struct world *w, uint64_t sequence, bool replayed)
{
    struct record *r = &w->gw->disk.records[sequence];
    if (r->fact.body == ASSENT__V1__EVENT__BODY_NUMBER_VACANT)
        fold_vacant(w, sequence, replayed);
    if (r->fact.body == ASSENT__V1__EVENT__BODY_ERASED)
        w->gw->seen.vacancies[people_find_number(w, r->fact.number)] = (struct vacancy_seen){0};
    if (r->fact.body == ASSENT__V1__EVENT__BODY_ACCEPTED)
        r->progress = (struct progress){.open = true,
                                        .waiting = true,
                                        .due_wall_ms = r->fact.due_wall_ms,
                                        .since_us = r->appended_us};
    else
        fold_message(w, sequence, replayed);
    reputation_fold(w, sequence, replayed);
}

static void move_oldest(struct world *w)
{
    uint64_t *oldest = &w->gw->seen.oldest_open;
    while (*oldest < w->gw->disk.next && !w->gw->disk.records[*oldest].progress.open)
        (*oldest)++;
}

static void trace_record(struct world *w, uint64_t sequence)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&assent__v1__event__descriptor, (unsigned)f->body);
    uint32_t number = f->number ? people_find_number(w, f->number) : NONE;
    TRACE(w, "ledger", "%llu %s message %llu number %d outcome %d reason %d scope %d",
          (unsigned long long)sequence, field ? field->name : "?", (unsigned long long)f->message,
          (int)number, f->outcome, f->reason, f->scope_count ? f->scopes[0] : -1);
}

/* Its confirmation is owed since its STOP was read. */
static void take_owed(struct world *w, struct fact *f)
{
    uint32_t number = f->number != 0 ? people_find_number(w, f->number) : NONE;
    if (f->body != ASSENT__V1__EVENT__BODY_OPTED_OUT || number == NONE)
        return;
    struct told *told = &w->oracle.subscribers[number].at[w->gw->index];
    f->owed = told->owed;
    told->owed = false;
}

/* P3: a person takes back what they ended, no hold and no entry of a register; the operator's release a hold
 * alone. */
static void check_lift(struct world *w, const struct fact *f)
{
    bool release = f->source == ASSENT__V1__CONSENT_SOURCE__OPERATOR;
    if (!release && w->oracle.subscribers[people_find_number(w, f->number)].last_start_us == 0)
        world_fail(w, "P3", "an opt-out of number %u is lifted, and nobody has said START",
                   people_find_number(w, f->number));
    for (unsigned s = 0; s < f->scope_count; s++)
        if ((f->scopes[s] == SCOPE_HOLD) != release || f->scopes[s] == SCOPE_DO_NOT_CALL)
            world_fail(w, "P3", "%s lifts scope %u of number %u", release ? "a release" : "a START",
                       f->scopes[s], people_find_number(w, f->number));
}

void oracle_appended(struct world *w, uint64_t sequence)
{
    read_record(w, sequence);
    if (w->gw->disk.records[sequence].fact.body == ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN)
        check_lift(w, &w->gw->disk.records[sequence].fact);
    take_owed(w, &w->gw->disk.records[sequence].fact);
    if (w->trace)
        trace_record(w, sequence);
    files_appended(w, sequence);
    fold(w, sequence, false);
    erasures_appended(w, sequence);
    consents_appended(w, sequence);
    move_oldest(w);
}

/* After a crash the records that are left tell another story. */
void oracle_recovered(struct world *w)
{
    memset(w->gw->seen.vacancies, 0, sizeof w->gw->seen.vacancies);
    w->gw->seen.oldest_open = 1;
    reputation_forget(w);
    for (uint64_t i = 1; i < w->gw->disk.next; i++)
        fold(w, i, true);
    move_oldest(w);
    oracle_stops_recovered(w);
}

/* ---- consent ---- */

bool facts_name_scope(const struct fact *f, uint16_t scope)
{
    for (unsigned s = 0; s < f->scope_count; s++)
        if (f->scopes[s] == scope)
            return true;
    return false;
}

#define ALL_LEDGERS UINT64_MAX

/* An opt-out that came after this START, or with it, is in this gateway's ledger up to here, or durable in
 * any. */
static bool is_outlived(const struct world *w, const struct fact *start, uint16_t scope,
                        uint64_t until)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        if (until != ALL_LEDGERS && g != w->gw->index)
            continue;
        for (uint64_t i = 1; i <= (until != ALL_LEDGERS ? until : d->durable); i++) {
            const struct fact *f = &d->records[i].fact;
            if (f->body == ASSENT__V1__EVENT__BODY_OPTED_OUT && f->number == start->number &&
                f->effect_ms >= start->effect_ms && facts_name_scope(f, scope))
                return true;
        }
    }
    return false;
}

/* What stood under the number is one opt-out from everything, and no number; unless it was lifted. */
static void fold_erased(const struct fact *f, bool lifts_only, struct set *set)
{
    if (set_erase(set, f->number) && !lifts_only)
        set_add(set, consent_member(SCOPE_ERASED, f->number));
}

static void fold_opt_out(const struct world *w, const struct fact *f, bool lifts_only,
                         uint64_t until, struct set *set)
{
    if (f->body == ASSENT__V1__EVENT__BODY_ERASED)
        fold_erased(f, lifts_only, set);
    if (f->lifts_erasure && !erasures_know(w, f->number, f->effect_ms, f->wall_ms))
        set_remove(set, consent_member(SCOPE_ERASED, f->number));
    for (unsigned s = 0; s < f->scope_count; s++) {
        uint64_t key = consent_key(f->scopes[s], f->number);
        if (f->body == ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN && set_has(set, key) &&
            !is_outlived(w, f, f->scopes[s], until))
            set_remove(set, key);
        else if (!lifts_only && (f->body == ASSENT__V1__EVENT__BODY_OPTED_OUT ||
                                 f->body == ASSENT__V1__EVENT__BODY_NUMBER_VACANT))
            set_add(set, key);
    }
}

static bool is_said_since(const struct disk *d, uint64_t until, uint64_t key, uint64_t since_us)
{
    for (uint64_t i = 1; i <= until; i++) {
        const struct record *r = &d->records[i];
        for (unsigned s = 0; s < r->fact.scope_count; s++)
            if (r->fact.body == ASSENT__V1__EVENT__BODY_OPTED_OUT &&
                consent_key(r->fact.scopes[s], r->fact.number) == key &&
                (r->executed_us == 0 || r->executed_us > since_us))
                return true;
    }
    return false;
}

/* Another gateway's erasure came to Redis between the opt-outs and this START: it made one fingerprint of them, and
 * the START, which came later, took that back. The START cannot name their scopes: it asks Redis what stands, and they
 * stood there no more. The person has said the last word, so an erasure here finds nothing to keep. */
static void lift_kept_elsewhere(const struct world *w, const struct record *start, uint64_t until,
                                struct set *set)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = 1; i < d->next && g != w->gw->index; i++) {
            const struct record *r = &d->records[i];
            if (r->fact.body != ASSENT__V1__EVENT__BODY_ERASED ||
                r->fact.number != start->fact.number || r->executed_us == 0 ||
                r->executed_us > start->executed_us || r->fact.wall_ms >= start->fact.effect_ms)
                continue;
            for (size_t k = set->count; k-- > 0;)
                if (key_is_of(set->members[k], r->fact.number) &&
                    !is_said_since(&w->gw->disk, until, set->members[k], r->executed_us))
                    set_remove(set, set->members[k]);
        }
    }
}

void facts_opt_outs(const struct world *w, uint64_t until, uint64_t number, struct set *set)
{
    for (uint64_t i = 1; i <= until; i++) {
        const struct fact *f = &w->gw->disk.records[i].fact;
        if (number != 0 && f->number != number)
            continue;
        if (f->lifts_erasure)
            lift_kept_elsewhere(w, &w->gw->disk.records[i], i, set);
        fold_opt_out(w, f, false, until, set);
    }
}

void facts_said(const struct world *w, struct set *set)
{
    for (uint64_t i = 1; i <= w->gw->disk.durable; i++)
        if (w->gw->disk.records[i].fact.body == ASSENT__V1__EVENT__BODY_OPTED_OUT ||
            w->gw->disk.records[i].fact.body == ASSENT__V1__EVENT__BODY_NUMBER_VACANT)
            fold_opt_out(w, &w->gw->disk.records[i].fact, false, ALL_LEDGERS, set);
        else if (w->gw->disk.records[i].fact.body == ASSENT__V1__EVENT__BODY_ERASED)
            set_add(set, consent_member(SCOPE_ERASED, w->gw->disk.records[i].fact.number));
}

bool facts_deny(const struct world *w, const struct set *set, uint64_t key)
{
    uint64_t scope = key >> 50;
    if (set_has(set, key))
        return true;
    for (uint32_t n = 0; n < w->plan.numbers; n++) {
        uint64_t number = w->people.numbers[n], kept = consent_member(SCOPE_ERASED, number);
        if (scope != SCOPE_HOLD && key_is_of(key, number) && set_has(set, kept))
            return true;
        for (size_t i = 0; i < set->count && key == kept; i++)
            if (key_is_of(set->members[i], number))
                return true;
    }
    return false;
}

void facts_lifts(const struct world *w, uint64_t from, struct set *set)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = g == w->gw->index ? from : 1; i < d->next; i++)
            fold_opt_out(w, &d->records[i].fact, true, from - 1, set);
    }
}

void facts_standing(const struct world *w, struct set *set)
{
    uint64_t at[SIM_GATEWAYS_MAX] = {1, 1};
    for (;;) {
        const struct record *next = NULL;
        uint32_t of = 0;
        for (uint32_t g = 0; g < w->plan.gateways; g++) {
            const struct disk *d = &w->gateways[g].disk;
            if (at[g] <= d->durable &&
                (next == NULL || d->records[at[g]].appended_us < next->appended_us)) {
                next = &d->records[at[g]];
                of = g;
            }
        }
        if (next == NULL)
            return;
        fold_opt_out(w, &next->fact, false, ALL_LEDGERS, set);
        at[of]++;
    }
}

uint64_t facts_oldest_open(const struct world *w)
{
    for (uint64_t i = 1; i <= w->gw->disk.durable; i++)
        if (w->gw->disk.records[i].progress.open)
            return i;
    return 0;
}

uint32_t facts_service_attempts(const struct world *w, uint64_t number, int service)
{
    uint32_t attempts = 0;
    for (uint64_t i = 1; i <= w->gw->disk.durable; i++) {
        const struct record *r = &w->gw->disk.records[i];
        if (r->fact.body == ASSENT__V1__EVENT__BODY_ACCEPTED && r->fact.service == service &&
            r->fact.number == number)
            attempts += r->progress.attempts - r->progress.helds -
                        (r->progress.last_attempt > w->gw->disk.durable);
    }
    return attempts;
}

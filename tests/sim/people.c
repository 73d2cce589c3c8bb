/* SPDX-License-Identifier: Apache-2.0 */
/* Submitters, who remember what they were told, and subscribers, who answer when it is least
 * convenient. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/check.h"

#define TRIES_MAX 6

static event_run submit, cancel, query, begin_call, confirm_by_token;

/* ---- tables ---- */

static void *grown(void *items, size_t count, size_t *size, size_t item)
{
    if (count < *size)
        return items;
    *size = *size ? *size * 2 : 64;
    return check_realloc(items, *size * item);
}

void people_release(struct people *p)
{
    free(p->texts);
    free(p->calls);
    free(p->tells);
}

uint32_t people_find_number(const struct world *w, uint64_t number)
{
    for (uint32_t i = 0; i < w->plan.numbers; i++)
        if (w->people.numbers[i] == number)
            return i;
    return NONE;
}

/* ---- what will be submitted ---- */

static Assent__V1__Class draw_class(struct world *w, uint32_t program)
{
    for (;;) {
        unsigned c = ASSENT__V1__CLASS__OTP + (unsigned)rng_below(&w->people_rng, 3);
        if (w->config.programs[program].classes[c])
            return (Assent__V1__Class)c;
    }
}

const struct sim_zone sim_zones[SIM_ZONES] = {{"", 0},
                                              {"Europe/Lisbon", 0},
                                              {"Asia/Singapore", 480},
                                              {"Asia/Kathmandu", 345},
                                              {"America/Sao_Paulo", -180},
                                              {"America/New_York", -300}};

static bool is_spanish(uint64_t number)
{
    return number / 1000000000 == 34;
}

bool people_keep_hours(const struct world *w, const struct text *t)
{
    const struct program_config *p = &w->config.programs[t->program];
    return p->quiet_hours != QUIET_OFF &&
           (t->message_class == ASSENT__V1__CLASS__MARKETING ||
            (t->message_class == ASSENT__V1__CLASS__TRANSACTIONAL && p->quiet_hours == QUIET_ALL));
}

bool people_lost_registration(const struct world *w, const struct text *t, uint64_t wall_ms)
{
    const struct program_config *p = &w->config.programs[t->program];
    return w->plan.registry_ends && strcmp(p->senders[0], SIM_EXPIRING_SENDER) == 0 &&
           t->message_class != ASSENT__V1__CLASS__MARKETING && wall_ms >= SIM_MIDNIGHT_MS;
}

bool people_have_link(const struct world *w, uint32_t text)
{
    return w->plan.content_at_us != 0 && text % 4 == 1;
}

/* By US law from 8 to 21, by the fallback from 0:03 to midnight. */
static bool is_night(bool american, int ahead, uint64_t wall_ms)
{
    uint64_t minute = (wall_ms / 60000 + 1440 + (uint64_t)(int64_t)ahead) % 1440;
    return american ? minute < 8 * 60 || minute >= 21 * 60 : minute < 3;
}

/* A number of Spain may be in Madrid or on the Canary Islands, an hour behind: it must be day in both. */
bool people_are_asleep(const struct world *w, const struct text *t, uint64_t wall_ms)
{
    uint64_t number = w->people.numbers[t->number];
    bool american = number / 10000000000ull == 1;
    if (t->zone != 0)
        return is_night(american, sim_zones[t->zone].minutes, wall_ms);
    if (american)
        return is_night(true, -300, wall_ms);
    return is_night(false, 0, wall_ms) || (is_spanish(number) && is_night(false, 60, wall_ms));
}

static void draw_text(struct world *w, struct text *t)
{
    struct rng *rng = &w->people_rng;
    const struct plan *p = &w->plan;
    t->number = (uint32_t)rng_below(rng, p->numbers);
    t->client = (uint32_t)rng_below(rng, 2);
    t->gateway = (uint32_t)rng_below(rng, p->gateways);
    t->program = (uint32_t)rng_below(rng, SIM_PROGRAMS);
    t->message_class = draw_class(w, t->program);
    t->reference = rng_chance(rng, 600000);
    t->foreign_letters = rng_chance(rng, 100000);
    t->length = 20 + (uint32_t)rng_below(rng, 40);
    if (t->message_class != ASSENT__V1__CLASS__OTP && rng_chance(rng, 200000))
        t->length = 60 + (uint32_t)rng_below(rng, t->foreign_letters ? 120 : 380);
    if (rng_chance(rng, p->short_ttl))
        t->ttl_ms = 1000 + rng_below(rng, 10000);
    else if (rng_chance(rng, 500000))
        t->ttl_ms = 20000 + rng_below(rng, 100000);
    t->scheduled = rng_chance(rng, p->scheduled);
    if (p->quiet_at_us != 0 &&
        rng_chance(rng, 600000)) /* in Sao Paulo the night by US law begins then */
        t->zone = rng_chance(rng, 500000) ? 4 : (uint32_t)rng_below(rng, SIM_ZONES);
}

static void draw_bulk(struct world *w, struct text *t, uint32_t index)
{
    bool code = (w->plan.kind == PLAN_OTP && index % 40 == 39) ||
                (w->plan.kind == PLAN_FAILOVER && index % 4 == 3);
    *t = (struct text){.program = code ? 3 : 1,
                       .number = index % w->plan.numbers,
                       .length = w->plan.kind == PLAN_PACE && index % 10 == 9 ? 350 : 30,
                       .message_class =
                           code ? ASSENT__V1__CLASS__OTP : ASSENT__V1__CLASS__MARKETING};
}

static uint64_t number_at(const struct plan *plan, uint32_t i)
{
    if (plan->quiet_at_us != 0 && i % 4 == 2)
        return 34600000100ull + i;
    return i % 2 == 1 && plan->carriers > 1 ? 447700900100ull + i : 12025550110ull + i;
}

void people_init(struct world *w)
{
    struct people *p = &w->people;
    for (uint32_t i = 0; i < w->plan.numbers; i++)
        p->numbers[i] = number_at(&w->plan, i);
    p->text_count = w->plan.messages;
    p->texts = check_calloc(p->text_count, sizeof *p->texts);
    for (uint32_t i = 0; i < p->text_count; i++) {
        if (plan_is_chaos(&w->plan))
            draw_text(w, &p->texts[i]);
        else
            draw_bulk(w, &p->texts[i], i);
        p->texts[i].twin = NONE;
    }
}

/* ---- telling: only what the ledger holds ---- */

static void plan_tell(struct world *w, struct promise_to_tell tell)
{
    struct people *p = &w->people;
    p->tells = grown(p->tells, p->tell_count, &p->tell_size, sizeof *p->tells);
    tell.life = w->gw->life;
    tell.gateway = w->gw->index;
    p->tells[p->tell_count++] = tell;
    if (tell.ready_at <= w->gw->disk.durable)
        people_durable(w);
}

static void tell_call(struct world *w, const struct promise_to_tell *tell)
{
    const struct call *c = &w->people.calls[tell->what];
    TRACE(w, "client", "call %u answered: %s", tell->what, tell->ok ? "ok" : "refused");
    if (!tell->ok)
        return;
    if (c->kind == CALL_OPT_OUT)
        oracle_told_opt_out(w, tell->what);
    if (c->kind == CALL_COMPLAIN) {
        w->people.complaints[c->number][w->gw->index] = tell->id;
        oracle_told_complaint(w, tell->what);
    }
    if (c->kind == CALL_REQUEST && tell->token[0] && rng_chance(&w->people_rng, 300000))
        world_at_with(w, 100000 + rng_below(&w->people_rng, 3 * US_PER_S), confirm_by_token,
                      c->program, c->number, c->client,
                      span_of(tell->token, strlen(tell->token) + 1));
}

static void tell_now(struct world *w, const struct promise_to_tell *tell)
{
    bool of_text = tell->kind == TELL_ACCEPTED || tell->kind == TELL_CANCELLED;
    struct text *t = of_text ? &w->people.texts[tell->what] : NULL;
    switch (tell->kind) {
    case TELL_ACCEPTED:
        TRACE(w, "client", "#%u accepted as %llu", tell->what, (unsigned long long)tell->id);
        oracle_told_accepted(w, tell->what, tell->id);
        t->told = true;
        t->told_us = w->now_us;
        break;
    case TELL_CANCELLED:
        TRACE(w, "client", "#%u cancelled", tell->what);
        t->cancel_told = true;
        break;
    case TELL_CALL:
        tell_call(w, tell);
        break;
    case TELL_FILE:
        files_told(w, tell->what, tell->id, tell->next_row);
        break;
    }
}

void people_durable(struct world *w)
{
    struct people *p = &w->people;
    size_t kept = 0;
    for (size_t i = 0; i < p->tell_count; i++) {
        struct promise_to_tell tell = p->tells[i];
        if (tell.gateway == w->gw->index && tell.ready_at <= w->gw->disk.durable)
            tell_now(w, &tell);
        else
            p->tells[kept++] = tell;
    }
    p->tell_count = kept;
}

void people_tell_file(struct world *w, uint32_t file, uint64_t import, uint64_t next_row,
                      uint64_t ready_at)
{
    plan_tell(w, (struct promise_to_tell){.kind = TELL_FILE,
                                          .what = file,
                                          .id = import,
                                          .next_row = next_row,
                                          .ready_at = ready_at});
}

void people_crash(struct world *w)
{
    struct people *p = &w->people;
    size_t kept = 0;
    for (size_t i = 0; i < p->tell_count; i++)
        if (p->tells[i].gateway != w->gw->index)
            p->tells[kept++] = p->tells[i];
    p->tell_count = kept;
}

/* ---- submitting ---- */

static void write_text(const struct world *w, const struct text *t, uint32_t index, char *out,
                       size_t size)
{
    size_t n = (size_t)snprintf(out, size, "#%u %s", index, t->foreign_letters ? "Ж " : "");
    if (w->plan.content_at_us != 0 && index % 3 == 0) /* the others get the name */
        n += (size_t)snprintf(out + n, size - n, "%s ", w->config.programs[t->program].brand);
    if (people_have_link(w, index))
        n += (size_t)snprintf(out + n, size - n, "https://bit.ly/x ");
    while (n < t->length && n + 16 < size)
        n += (size_t)snprintf(out + n, size - n, "#%u ", index);
    snprintf(out + n, size - n, "end");
}

static void try_again(struct world *w, struct event *e)
{
    if (e->b + 1 < TRIES_MAX && !w->healing)
        world_at(w, 200000 + rng_below(&w->people_rng, 2 * US_PER_S), submit, e->a, e->b + 1, 0);
}

/* It would have to wait longer than it lives. */
static bool over_before_morning(const struct world *w, const struct text *t,
                                const struct submit_verdict *verdict)
{
    uint64_t now_ms = world_wall_ms(w);
    uint64_t from_ms = t->send_at_wall_ms > now_ms ? t->send_at_wall_ms : now_ms;
    return verdict->code == ASSENT__V1__CODE__CODE_FAILED_PRECONDITION &&
           w->plan.quiet_at_us != 0 && people_keep_hours(w, t) &&
           people_are_asleep(w, t, from_ms) && verdict->due_wall_ms > from_ms &&
           !people_are_asleep(w, t, verdict->due_wall_ms);
}

/* Every request here is well-formed and allowed, so only these refusals make sense. */
static void refused(struct world *w, struct event *e, const struct submit_verdict *verdict)
{
    const struct text *t = &w->people.texts[e->a];
    bool too_late = t->scheduled && !t->told && t->send_at_wall_ms < world_wall_ms(w);
    TRACE(w, "client", "#%llu refused: %d %s", (unsigned long long)e->a, verdict->code,
          verdict->message);
    if (verdict->code == ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED ||
        verdict->code == ASSENT__V1__CODE__CODE_UNAVAILABLE)
        try_again(w, e);
    else if (!too_late && !over_before_morning(w, t, verdict) &&
             !(verdict->code == ASSENT__V1__CODE__CODE_FAILED_PRECONDITION &&
               (people_lost_registration(w, t, world_wall_ms(w)) ||
                (w->links_end_us != 0 && people_have_link(w, (uint32_t)e->a)))))
        world_fail(w, "P5", "a good submission #%llu was refused: %d %s", (unsigned long long)e->a,
                   verdict->code, verdict->message ? verdict->message : "");
}

static void accepted(struct world *w, uint32_t index, const struct submit_verdict *verdict)
{
    struct text *t = &w->people.texts[index];
    TRACE(w, "client", "#%u submitted: %llu, may be told at %llu%s", index,
          (unsigned long long)verdict->id, (unsigned long long)verdict->ready_at,
          verdict->repeated_reference ? ", repeated" : "");
    if (t->reference && t->told && (verdict->id != t->id || !verdict->repeated_reference))
        world_fail(w, "P5", "reference of #%u gave %llu first and %llu now", index,
                   (unsigned long long)t->id, (unsigned long long)verdict->id);
    if (verdict->id != t->id)
        t->accepted_us = w->now_us;
    t->accepted = true;
    t->id = verdict->id;
    plan_tell(w, (struct promise_to_tell){.kind = TELL_ACCEPTED,
                                          .what = index,
                                          .id = verdict->id,
                                          .ready_at = verdict->ready_at});
}

static void plan_more(struct world *w, uint32_t index, uint64_t tries)
{
    struct rng *rng = &w->people_rng;
    const struct text *t = &w->people.texts[index];
    if (rng_chance(rng, w->plan.cancel))
        world_at(w, rng_below(rng, 5 * US_PER_S), cancel, index, 0, 0);
    if (rng_chance(rng, 100000))
        world_at(w, rng_below(rng, 10 * US_PER_S), query, index, 0, 0);
    if (t->reference && tries < TRIES_MAX && rng_chance(rng, w->plan.repeat))
        world_at(w, rng_below(rng, 20 * US_PER_S), submit, index, tries + 1, 0);
}

static void submit(struct world *w, struct event *e)
{
    uint32_t index = (uint32_t)e->a;
    struct text *t = &w->people.texts[index];
    if (w->gw->engine == NULL)
        try_again(w, e);
    /* Without a reference, asking again after an answer that may be lost would be a second wish. */
    if ((!t->reference && t->accepted) || !world_may_enter(w, e))
        return;
    Assent__V1__Message message = ASSENT__V1__MESSAGE__INIT;
    char text[600], reference[16], number[NUMBER_TEXT_SIZE];
    write_text(w, t, index, text, sizeof text);
    snprintf(reference, sizeof reference, "r%u", index);
    message.program = w->config.programs[t->program].name;
    message.class_ = t->message_class;
    message.number = number_format(w->people.numbers[t->number], number);
    message.text = text;
    if (t->reference)
        message.reference = reference;
    message.ttl_ms = t->ttl_ms;
    message.time_zone = (char *)(uintptr_t)sim_zones[t->zone].name;
    if (t->scheduled && t->send_at_wall_ms == 0)
        t->send_at_wall_ms = world_wall_ms(w) + 1000 + rng_below(&w->people_rng, 40000);
    message.send_at_wall_ms = t->send_at_wall_ms;
    struct submit_verdict verdict = {0};
    engine_submit(w->gw->engine, (uint16_t)t->client, &message, false, world_instant(w), &verdict);
    if (!w->gw->crashed) {
        if (verdict.code == ASSENT__V1__CODE__CODE_OK) {
            accepted(w, index, &verdict);
            plan_more(w, index, e->b);
        } else {
            refused(w, e, &verdict);
        }
    }
    world_entered(w);
}

static void cancel(struct world *w, struct event *e)
{
    struct text *t = &w->people.texts[e->a];
    if (!t->told || !world_may_enter(w, e))
        return;
    struct submit_verdict verdict = {0};
    engine_cancel(w->gw->engine, (uint16_t)t->client, t->id, world_instant(w), &verdict);
    if (!w->gw->crashed && verdict.code == ASSENT__V1__CODE__CODE_OK)
        plan_tell(w, (struct promise_to_tell){.kind = TELL_CANCELLED,
                                              .what = (uint32_t)e->a,
                                              .id = t->id,
                                              .ready_at = verdict.ready_at});
    world_entered(w);
}

static void query(struct world *w, struct event *e)
{
    const struct text *t = &w->people.texts[e->a];
    const struct record *r = disk_accepted(w, t->id);
    if (!t->told || r == NULL || !world_may_enter(w, e))
        return;
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    bool known = engine_query(w->gw->engine, (uint16_t)t->client, t->id, &status);
    if (r->progress.open && !known)
        world_fail(w, "P5", "message %llu is open and not known", (unsigned long long)t->id);
}

/* ---- consent calls ---- */

static uint32_t add_call(struct world *w, enum call_kind kind, uint32_t program, uint32_t number)
{
    struct people *p = &w->people;
    p->calls = grown(p->calls, p->call_count, &p->call_size, sizeof *p->calls);
    p->calls[p->call_count] = (struct call){.kind = kind,
                                            .program = program,
                                            .number = number,
                                            .gateway = w->gw->index,
                                            .life = w->gw->life,
                                            .asked_us = w->now_us,
                                            .client = number % 2};
    return (uint32_t)p->call_count++;
}

void people_plan_call(struct world *w, uint64_t delay_us, enum call_kind kind, uint32_t program,
                      uint32_t number)
{
    world_at(w, delay_us, begin_call, kind, program, number);
}

static void plan_call(struct world *w, uint64_t delay_us, enum call_kind kind, uint32_t program,
                      uint32_t number)
{
    world_turn_to(w, (uint32_t)rng_below(&w->people_rng, w->plan.gateways));
    people_plan_call(w, delay_us, kind, program, number);
}

/* A paper of a day before; where consents grow old, often one that has its last day, or is too old. */
static uint64_t consent_age_days(struct world *w)
{
    uint32_t most = w->plan.consent_days;
    if (most == 0 || rng_chance(&w->people_rng, 300000))
        return 1;
    return rng_chance(&w->people_rng, 500000) ? most : rng_below(&w->people_rng, most + 3);
}

static void call_engine(struct world *w, const struct call *c, uint64_t id, char *token)
{
    static char source[] = "web form", evidence[] = "page 7, box ticked";
    char number[NUMBER_TEXT_SIZE];
    number_format(w->people.numbers[c->number], number);
    char *program = w->config.programs[c->program].name;
    struct instant now = world_instant(w);
    uint16_t client = (uint16_t)c->client;
    switch (c->kind) {
    case CALL_REQUEST: {
        Assent__V1__OptInRequest r = ASSENT__V1__OPT_IN_REQUEST__INIT;
        r.program = program, r.number = number, r.source = source, r.evidence = evidence;
        engine_request_opt_in(w->gw->engine, client, id, &r, now);
        break;
    }
    case CALL_CONFIRM: {
        Assent__V1__ConfirmRequest r = ASSENT__V1__CONFIRM_REQUEST__INIT;
        r.program = program, r.number = number, r.token = token;
        engine_confirm_opt_in(w->gw->engine, client, id, &r, now);
        break;
    }
    case CALL_RECORD: {
        Assent__V1__RecordRequest r = ASSENT__V1__RECORD_REQUEST__INIT;
        r.program = program, r.number = number, r.source = source, r.evidence = evidence;
        r.obtained_wall_ms = world_wall_ms(w) - consent_age_days(w) * SIM_DAY_MS;
        engine_record_opt_in(w->gw->engine, client, id, &r, now);
        break;
    }
    case CALL_OPT_OUT: {
        Assent__V1__OptOutRequest r = ASSENT__V1__OPT_OUT_REQUEST__INIT;
        r.program = program, r.number = number, r.source = source;
        engine_opt_out(w->gw->engine, client, id, &r, now);
        break;
    }
    case CALL_COMPLAIN: {
        Assent__V1__ComplaintRequest r = ASSENT__V1__COMPLAINT_REQUEST__INIT;
        r.number = number, r.words = evidence;
        r.channel = ASSENT__V1__COMPLAINT_CHANNEL__VIA_SUPPORT;
        r.type = ASSENT__V1__COMPLAINT_TYPE__UNWANTED;
        engine_complain(w->gw->engine, CLIENT_OPERATOR, id, &r, now);
        break;
    }
    case CALL_RESOLVE: {
        Assent__V1__ComplaintRequest r = ASSENT__V1__COMPLAINT_REQUEST__INIT;
        r.complaint = w->people.complaints[c->number][w->gw->index];
        r.finding = ASSENT__V1__COMPLAINT_FINDING__UNFOUNDED;
        r.cause = source, r.action = evidence, r.release = true;
        engine_complain(w->gw->engine, CLIENT_OPERATOR, id, &r, now);
        break;
    }
    case CALL_HOLD: {
        Assent__V1__OptOutRequest r = ASSENT__V1__OPT_OUT_REQUEST__INIT;
        r.number = number, r.source = source, r.evidence = evidence, r.hold = true;
        engine_opt_out(w->gw->engine, CLIENT_OPERATOR, id, &r, now);
        break;
    }
    case CALL_RELEASE: {
        Assent__V1__ReleaseRequest r = ASSENT__V1__RELEASE_REQUEST__INIT;
        r.number = number, r.who = source, r.reason = evidence;
        engine_release_hold(w->gw->engine, CLIENT_OPERATOR, id, &r, now);
        break;
    }
    case CALL_ERASE: {
        char request[16];
        snprintf(request, sizeof request, "R-%c", (char)('a' + c->number));
        Assent__V1__EraseRequest r = ASSENT__V1__ERASE_REQUEST__INIT;
        r.number = number, r.request = request;
        engine_erase(w->gw->engine, CLIENT_OPERATOR, id, &r, now);
        break;
    }
    case CALL_SHOW: {
        Assent__V1__ShowRequest r = ASSENT__V1__SHOW_REQUEST__INIT;
        r.program = program, r.number = number;
        engine_show_consent(w->gw->engine, client, id, &r, now);
        break;
    }
    }
}

static void enter_call(struct world *w, enum call_kind kind, uint32_t program, uint32_t number,
                       char *token)
{
    static const char *const names[] = {"request opt-in", "confirm",  "record opt-in", "opt out",
                                        "show",           "complain", "resolve",       "hold",
                                        "release",        "erase"};
    uint32_t index = add_call(w, kind, program, number);
    TRACE(w, "client", "call %u: %s number %u in %s", index, names[kind], number,
          w->config.programs[program].name);
    struct call call = w->people.calls[index];
    call_engine(w, &call, index + 1, token);
    world_entered(w);
}

static void begin_call(struct world *w, struct event *e)
{
    if (w->gw->engine == NULL && !w->healing && e->a == CALL_ERASE) {
        people_plan_call(w, US_PER_S, CALL_ERASE, (uint32_t)e->b, (uint32_t)e->c);
        return;
    }
    if (w->gw->engine == NULL && !w->healing) {
        plan_call(w, US_PER_S, (enum call_kind)e->a, (uint32_t)e->b, (uint32_t)e->c);
        return;
    }
    bool nothing = e->a == CALL_RESOLVE && w->people.complaints[e->c][w->gw->index] == 0;
    if (nothing || !world_may_enter(w, e))
        return;
    if (e->a == CALL_RESOLVE)
        oracle_asked_release(w, (uint32_t)e->c);
    if (e->a == CALL_RELEASE)
        oracle_any_release(w, (uint32_t)e->c);
    enter_call(w, (enum call_kind)e->a, (uint32_t)e->b, (uint32_t)e->c, NULL);
}

static void confirm_by_token(struct world *w, struct event *e)
{
    char token[65];
    snprintf(token, sizeof token, "%s", (char *)e->data);
    if (world_may_enter(w, e))
        enter_call(w, CALL_CONFIRM, (uint32_t)e->a, (uint32_t)e->b, token);
}

static struct call *take_answer(struct world *w, uint64_t call)
{
    struct people *p = &w->people;
    if (call == 0 || call > p->call_count || p->calls[call - 1].answered ||
        p->calls[call - 1].gateway != w->gw->index || p->calls[call - 1].life != w->gw->life) {
        world_fail(w, "P10", "call %llu answered twice, or never made", (unsigned long long)call);
        return NULL;
    }
    p->calls[call - 1].answered = true;
    return &p->calls[call - 1];
}

void people_consent_reply(struct world *w, uint64_t call, uint64_t ready_at,
                          const Assent__V1__ConsentReply *reply)
{
    if (take_answer(w, call) == NULL)
        return;
    struct promise_to_tell tell = {.kind = TELL_CALL,
                                   .what = (uint32_t)(call - 1),
                                   .ready_at = ready_at,
                                   .ok = reply->code == ASSENT__V1__CODE__CODE_OK};
    if (reply->token)
        snprintf(tell.token, sizeof tell.token, "%s", reply->token);
    TRACE(w, "client", "call %u: %d %s %s", tell.what, reply->code,
          reply->state ? reply->state : "", reply->message ? reply->message : "");
    plan_tell(w, tell);
}

void people_complaint_reply(struct world *w, uint64_t call, uint64_t ready_at,
                            const Assent__V1__ComplaintReply *reply)
{
    const struct call *c = take_answer(w, call);
    if (c == NULL)
        return;
    TRACE(w, "client", "call %llu: %d complaint %llu %s", (unsigned long long)(call - 1),
          reply->code, (unsigned long long)reply->complaint, reply->message);
    bool ok = reply->code == ASSENT__V1__CODE__CODE_OK;
    if (c->kind == CALL_RESOLVE && !ok)
        oracle_kept_hold(w, c->number);
    plan_tell(w, (struct promise_to_tell){.kind = TELL_CALL,
                                          .what = (uint32_t)(call - 1),
                                          .ready_at = ready_at,
                                          .id = reply->complaint,
                                          .ok = ok});
}

void people_show_reply(struct world *w, uint64_t call, const Assent__V1__ShowReply *reply)
{
    (void)reply;
    (void)take_answer(w, call);
}

/* ---- subscribers ---- */

static void say(struct world *w, enum mo_kind kind, uint32_t number, uint32_t program,
                uint64_t delay_us)
{
    static const char *const stops[] = {"STOP", "stop.", "Stop!",   "unsubscribe",
                                        "QUIT", "baja",  "S T O P", " Stop "};
    static const char *const words[] = {"",         "",
                                        "STOPALL",  "START",
                                        "YES",      "NO",
                                        "HELP",     "thanks, see you on Monday",
                                        "",         "cancel my order",
                                        "join Acme"};
    const char *text = kind == MO_STOP ? stops[rng_below(&w->people_rng, 8)] : words[kind];
    wire_send_mo(w, kind, number, program, text, delay_us);
}

static uint64_t mood(struct world *w)
{
    return rng_chance(&w->people_rng, 400000) ? rng_below(&w->people_rng, 3000)
                                              : rng_below(&w->people_rng, 8 * US_PER_S);
}

static void stop(struct world *w, enum mo_kind kind, uint32_t number, uint32_t program)
{
    uint64_t delay_us = mood(w);
    say(w, kind, number, program, delay_us);
    if (rng_chance(&w->people_rng, 100000))
        say(w, kind, number, program, delay_us + mood(w));
    if (rng_chance(&w->people_rng, w->plan.start))
        say(w, MO_START, number, program,
            delay_us + US_PER_S + rng_below(&w->people_rng, 20 * US_PER_S));
}

void people_receive(struct world *w, uint32_t number, uint32_t program, const char *text)
{
    const struct plan *p = &w->plan;
    struct rng *rng = &w->people_rng;
    if (oracle_service_kind(w, text) == ASSENT__V1__SERVICE_KIND__OPT_IN_QUESTION) {
        if (rng_chance(rng, p->yes)) {
            uint64_t late_us = rng_chance(rng, p->late) ? rng_below(rng, 2 * SIM_PENDING_US) : 0;
            say(w, MO_YES, number, program, late_us + mood(w));
            if (rng_chance(rng, p->late))
                say(w, MO_YES, number, program, late_us + mood(w)); /* once more */
        }
        if (rng_chance(rng, p->late / 2 + (1000000 - p->yes) / 2))
            say(w, MO_NO, number, program, mood(w));
        return;
    }
    if (rng_chance(rng, p->stop))
        stop(w, MO_STOP, number, program);
    if (rng_chance(rng, p->stop_all))
        stop(w, MO_STOP_ALL, number, program);
    if (rng_chance(rng, p->doubt)) {
        say(w, MO_DOUBT, number, program, mood(w));
        if (rng_chance(rng, 300000))
            say(w, rng_chance(rng, 500000) ? MO_YES : MO_NO, number, program, mood(w));
    }
    if (rng_chance(rng, p->stop_halves)) {
        static const char *const halves[] = {"Leave me al", "one, thank you!"};
        wire_send_halves(w, number, program, halves, mood(w));
    }
    if (rng_chance(rng, p->help))
        say(w, MO_HELP, number, program, mood(w));
    if (rng_chance(rng, p->chatter))
        say(w, MO_CHATTER, number, program, mood(w));
}

void people_meddle(struct world *w, uint32_t number, uint32_t program_scope)
{
    if (number == NONE || !rng_chance(&w->people_rng, w->plan.stop / 2))
        return;
    for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
        if (scope_program(w, p) == program_scope)
            say(w, MO_STOP, number, p, rng_below(&w->people_rng, 1000));
}

/* ---- the beginning ---- */

static void plan_opt_ins(struct world *w)
{
    for (uint32_t n = 0; n < w->plan.numbers; n++) {
        for (uint32_t p = 0; p < SIM_PROGRAMS; p++) {
            bool bulk = !plan_is_chaos(&w->plan);
            if (!w->config.programs[p].classes[ASSENT__V1__CLASS__MARKETING] ||
                (bulk ? p != 1 : rng_chance(&w->people_rng, 200000)))
                continue;
            bool twice = w->config.programs[p].opt_in == OPT_IN_DOUBLE;
            plan_call(w, 200000 + rng_below(&w->people_rng, bulk ? 300000 : 4 * US_PER_S),
                      twice ? CALL_REQUEST : CALL_RECORD, p, n);
        }
    }
}

static void other_gateway(struct world *w, struct event *e)
{
    uint64_t key = consent_key(scope_program(w, (uint32_t)e->a), w->people.numbers[e->b]);
    TRACE(w, "other", "another gateway opts out number %u of program %u", (unsigned)e->b,
          (unsigned)e->a);
    redis_opt_out(w, key);
    set_add(&w->oracle.other_gateways, key);
}

static void plan_chaos(struct world *w)
{
    struct rng *rng = &w->people_rng;
    uint64_t span_us = w->plan.chaos_us - 2 * US_PER_S, at_us = 0;
    for (uint32_t i = 0; i < w->plan.messages; i++) {
        if (i == 0 || rng_chance(rng, 300000)) /* the others come together with the one before */
            at_us = 2 * US_PER_S + rng_below(rng, span_us);
        world_turn_to(w, w->people.texts[i].gateway);
        world_at(w, at_us + rng_below(rng, 2000), submit, i, 0, 0);
        uint32_t program = (uint32_t)rng_below(rng, SIM_PROGRAMS);
        uint32_t number = (uint32_t)rng_below(rng, w->plan.numbers);
        uint64_t when_us = rng_below(rng, span_us);
        if (rng_chance(rng, w->plan.api_opt_out))
            plan_call(w, when_us, CALL_OPT_OUT, program, number);
        if (rng_chance(rng, 30000))
            plan_call(w, when_us, CALL_SHOW, program, number);
        if (rng_chance(rng, w->plan.complain)) {
            plan_call(w, when_us, CALL_COMPLAIN, program, number);
            plan_call(w, when_us + US_PER_S + rng_below(rng, 15 * US_PER_S), CALL_RESOLVE, program,
                      number);
        }
        if (rng_chance(rng, w->plan.hold)) {
            plan_call(w, when_us, CALL_HOLD, program, number);
            if (rng_chance(rng, w->plan.hold_released))
                plan_call(w, when_us + rng_below(rng, 20 * US_PER_S), CALL_RELEASE, 0, number);
        }
        if (w->plan.consent_days != 0 && rng_chance(rng, 100000))
            plan_call(w, when_us, CALL_RECORD, rng_chance(rng, 500000) ? 1 : 3, number);
        if (rng_chance(rng, 150000)) {
            plan_call(w, when_us, CALL_REQUEST, 0, number);
            if (rng_chance(rng, 500000)) { /* the form is sent twice, maybe to the other gateway */
                world_turn_to(w, (uint32_t)rng_below(rng, w->plan.gateways));
                plan_call(w, when_us + rng_below(rng, 3000), CALL_REQUEST, 0, number);
            }
        }
        if (rng_chance(rng, w->plan.join))
            say(w, MO_JOIN, number, 0, when_us);
        if (rng_chance(rng, w->plan.other_gateway))
            world_at(w, when_us, other_gateway, program, number, 0);
    }
}

/* Spread over the whole run: there is no backlog but what the outage makes. */
static void plan_steady(struct world *w)
{
    uint64_t span_us = w->plan.chaos_us - 4 * US_PER_S;
    for (uint32_t i = 0; i < w->plan.messages; i++)
        world_at(w, 3 * US_PER_S + span_us * i / w->plan.messages, submit, i, 0, 0);
}

static void plan_bulk(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.messages; i++) {
        bool code = w->people.texts[i].message_class == ASSENT__V1__CLASS__OTP;
        world_at(w,
                 code ? 3 * US_PER_S + rng_below(&w->people_rng, 4 * US_PER_S)
                      : 2 * US_PER_S + i * 20,
                 submit, i, 0, 0);
    }
    if (w->plan.kind == PLAN_RATE)
        for (uint32_t n = 0; n < 2; n++)
            world_at(w, 1900000, other_gateway, 1, n, 0);
}

void people_begin(struct world *w)
{
    plan_opt_ins(w);
    files_begin(w);
    foresight_begin(w);
    erasures_begin(w);
    reputation_begin(w);
    if (plan_is_chaos(&w->plan))
        plan_chaos(w);
    else if (w->plan.kind == PLAN_FAILOVER)
        plan_steady(w);
    else
        plan_bulk(w);
}

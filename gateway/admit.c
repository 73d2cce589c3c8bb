/* SPDX-License-Identifier: Apache-2.0 */
/* The way in: a submission is validated, routed, recorded and put where it waits; cancel and query. */
#include <stdio.h>
#include <stdlib.h>

#include "consent/language.h"
#include "consent/reply.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/number.h"
#include "smpp/simplify.h"
#include "smpp/text.h"

/* ---- client references ---- */

uint64_t reference_hash(const struct engine *e, const char *client, const char *reference)
{
    char key[NAME_OCTETS_MAX + 1 + REFERENCE_OCTETS_MAX];
    size_t name = strlen(client), length = strlen(reference);
    memcpy(key, client, name);
    key[name] = 0x1f; /* no name holds it */
    memcpy(key + name + 1, reference, length);
    uint64_t hash = hash64(&e->key, key, name + 1 + length);
    return hash ? hash : 1;
}

static void reference_forget_oldest(struct engine *e)
{
    table_remove(&e->references, e->reference_ring[e->reference_start].hash);
    e->reference_start = (e->reference_start + 1) % e->reference_size;
    e->reference_count--;
}

static void reference_grow(struct engine *e)
{
    size_t size = e->reference_size ? e->reference_size * 2 : 1024;
    struct seen_reference *ring = check_malloc(size * sizeof *ring);
    for (size_t i = 0; i < e->reference_count; i++)
        ring[i] = e->reference_ring[(e->reference_start + i) % e->reference_size];
    free(e->reference_ring);
    e->reference_ring = ring;
    e->reference_size = size;
    e->reference_start = 0;
}

void reference_remember(struct engine *e, uint64_t hash, uint64_t id, uint64_t wall_ms)
{
    while (
        e->reference_count > 0 &&
        (e->reference_count >= e->config->max_references ||
         e->reference_ring[e->reference_start].wall_ms + e->config->reference_window_ms < wall_ms))
        reference_forget_oldest(e);
    uint64_t *slot = table_put(&e->references, hash);
    if (*slot != 0)
        return; /* replayed from snapshot and ledger both */
    *slot = id;
    if (e->reference_count == e->reference_size)
        reference_grow(e);
    e->reference_ring[(e->reference_start + e->reference_count++) % e->reference_size] =
        (struct seen_reference){.hash = hash, .wall_ms = wall_ms};
}

/* ---- where an accepted message waits ---- */

static void wait_here(struct engine *e, struct message *m, bool front)
{
    uint64_t now_us = e->now.mono_us;
    if (m->due_us > now_us) {
        message_set_state(&e->messages, m,
                          m->attempts > 0 || m->resent ? MESSAGE_RETRY : MESSAGE_SCHEDULED);
        wheel_set(&e->wheel, &m->timer, m->due_us < m->expires_us ? m->due_us : m->expires_us);
        return;
    }
    message_set_state(&e->messages, m, MESSAGE_WAITING);
    queue_put(&e->carriers[m->carrier].queue, m, front);
    wheel_set(&e->wheel, &m->timer, m->expires_us > now_us ? m->expires_us : now_us + 1);
}

void message_wait(struct engine *e, struct message *m, bool front)
{
    if (m->due_us <= e->now.mono_us) {
        if (message_is_quiet(e, m))
            message_record_quiet(e, m);
        else
            message_reroute(e, m);
    }
    wait_here(e, m, front);
}

void engine_timer_fired(struct engine *e, struct message *m)
{
    switch ((enum message_state)m->state) {
    case MESSAGE_SCHEDULED:
    case MESSAGE_RETRY:
        if (e->now.mono_us >= m->expires_us) {
            message_end(e, m, ASSENT__V1__OUTCOME__EXPIRED, ASSENT__V1__REASON__TIME_TO_LIVE, 0, 0);
            return;
        }
        m->due_us = 0;
        message_wait(e, m, false);
        return;
    case MESSAGE_WAITING:
        if (m->flying == 0 && m->done == 0)
            message_end(e, m, ASSENT__V1__OUTCOME__EXPIRED, ASSENT__V1__REASON__TIME_TO_LIVE, 0, 0);
        return; /* written in part: the rest follows */
    case MESSAGE_SENT:
        message_end(e, m, receipts_overdue(m), ASSENT__V1__REASON__REASON_NONE, 0, 0);
        return;
    case MESSAGE_IN_DOUBT:
        message_finish(e, m, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
        return;
    case MESSAGE_NEW:
    case MESSAGE_INTENT:
    case MESSAGE_ASKED:
    case MESSAGE_CLEARED:
    case MESSAGE_ON_WIRE:
    case MESSAGE_ENDED:
    case MESSAGE_STATES:
        return; /* on its way: its answer decides */
    }
}

/* ---- validation ---- */

bool program_knows_client(const struct engine *e, uint16_t client, int program)
{
    return client == CLIENT_OPERATOR || e->config->clients[client].programs[program];
}

bool engine_refuses(const struct engine *e, const char **ret_why)
{
    const char *why = NULL;
    if (e->draining)
        why = "the gateway is shutting down: submit again when it is back";
    else if (e->ports->ledger_no_space(e->ports->context))
        why = "the ledger's disk is full: free space in data_dir, then submit again";
    else if (e->ports->ledger_room(e->ports->context) < LEDGER_BATCH_OCTETS / 2)
        why = "the ledger's disk is behind: submit again in a moment";
    if (why != NULL)
        *ret_why = why;
    return why != NULL;
}

/* What a message asks for, resolved. */
struct submission {
    uint64_t number;
    struct span text;
    char *lined;       /* TEXT_OCTETS_MAX + 1, for the text when something is put around it */
    char *plain;       /* the same, for the text when characters of it are replaced */
    uint32_t replaced; /* so many: 0, and the text is the submitter's */
    struct text_plan plan;
    uint64_t ttl_ms;
    uint64_t send_at_wall_ms;
    uint64_t quiet_until_ms; /* of the wall clock; 0: it is not quiet when it may go */
    uint64_t reference;      /* hash, 0 for none */
    uint16_t zone;           /* 0: not said */
    int program, carrier;
    Assent__V1__Class message_class;
    uint8_t sender;
};

static bool refuse(struct submit_verdict *v, Assent__V1__Code code, const char *why)
{
    v->code = code;
    v->message = why;
    return false;
}

static bool invalid(struct submit_verdict *v, const char *why)
{
    return refuse(v, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT, why);
}

static bool resolve_program(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                            struct submission *s, struct submit_verdict *v)
{
    s->program = config_find_program(e->config, in->program);
    if (s->program < 0)
        return invalid(v, "program: unknown; see `programs` in the configuration");
    if (!program_knows_client(e, client, s->program))
        return refuse(v, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
                      "program: not one of this client's; see `clients` in the configuration");
    const struct program_config *program = &e->config->programs[s->program];
    s->message_class = in->class_;
    if (s->message_class == ASSENT__V1__CLASS__CLASS_UNSPECIFIED) {
        int count = 0;
        for (int c = 1; c < CLASS_COUNT; c++)
            if (program->classes[c]) {
                s->message_class = (Assent__V1__Class)c;
                count++;
            }
        if (count != 1)
            return invalid(v, "class: the program has several; name one");
    }
    if (s->message_class <= 0 || s->message_class >= ASSENT__V1__CLASS__SERVICE ||
        !program->classes[s->message_class])
        return invalid(v, "class: not one of the program's");
    s->sender = 0;
    if (in->sender[0] == '\0')
        return true;
    const char *sender = in->sender[0] == '+' ? in->sender + 1 : in->sender;
    while (s->sender < program->sender_count && strcmp(program->senders[s->sender], sender) != 0)
        s->sender++;
    return s->sender < program->sender_count || invalid(v, "sender: not one of the program's");
}

static bool is_default_alphabet(const struct text_plan *plan)
{
    return plan->shift == 0 &&
           (plan->encoding == TEXT_GSM7 || plan->encoding == TEXT_GSM7_AS_LATIN1);
}

/* Makes typographic characters plain, if the whole text then fits the default alphabet. */
static bool make_plain(const struct text_rules *rules, struct submission *s)
{
    uint32_t replaced = 0;
    struct text_plan plan;
    size_t length = text_simplify(s->text, s->plain, TEXT_OCTETS_MAX, &replaced);
    if (length == SIZE_MAX || length == 0 || replaced == 0 ||
        text_plan(span_of(s->plain, length), rules, &plan) != ERR_OK || !is_default_alphabet(&plan))
        return false;
    s->plain[length] = '\0';
    s->text = span_of(s->plain, length);
    s->plan = plan;
    s->replaced = replaced;
    return true;
}

static enum err plan_submission(struct engine *e, struct submission *s)
{
    const struct text_rules *rules = &e->config->carriers[s->carrier].text;
    enum err err = text_plan(s->text, rules, &s->plan);
    bool smart = e->config->programs[s->program].smart_encoding;
    if (!smart || (err == ERR_OK && is_default_alphabet(&s->plan)) || err == ERR_BAD_INPUT)
        return err;
    return make_plain(rules, s) ? ERR_OK : err;
}

/* Marketing says how to end it. */
static void find_opt_out_line(struct engine *e, const Assent__V1__Message *in,
                              const struct submission *s, struct submit_verdict *v)
{
    const struct program_config *program = &e->config->programs[s->program];
    if (s->message_class != ASSENT__V1__CLASS__MARKETING)
        return;
    v->opt_out_line =
        opt_out_line_for(e, program, sender_is_answerable(e, (uint16_t)s->program, s->sender),
                         in->language[0] ? in->language : program->language, s->text);
}

/* `before`, the text, and `under` in a line of its own; either may be "". */
static bool put_around(struct submission *s, const char *before, const char *under)
{
    size_t head = strlen(before), tail = strlen(under);
    size_t length = head + s->text.length + (tail > 0) + tail;
    if (length > TEXT_OCTETS_MAX)
        return false;
    memcpy(s->lined, before, head);
    memcpy(s->lined + head, s->text.data, s->text.length);
    if (tail > 0)
        s->lined[head + s->text.length] = '\n';
    memcpy(s->lined + length - tail, under, tail);
    s->lined[length] = '\0';
    s->text = span_of(s->lined, length);
    return true;
}

/* What it must say is put in where it does not. */
static bool complete_text(struct engine *e, const Assent__V1__Message *in, struct submission *s,
                          struct submit_verdict *v)
{
    if (in->language[0] && !reply_has_language(in->language))
        return invalid(v, "language: none that the gateway has texts in; see `language` of a "
                          "program in the configuration");
    const char *why = content_refuses(e, (uint16_t)s->program, s->message_class, s->text);
    if (why != NULL)
        return refuse(v, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION, why);
    v->brand_prefix = content_prefix(e, (uint16_t)s->program, s->message_class, s->text);
    find_opt_out_line(e, in, s, v);
    if (v->brand_prefix == NULL && v->opt_out_line == NULL)
        return true;
    return put_around(s, v->brand_prefix ? v->brand_prefix : "",
                      v->opt_out_line ? v->opt_out_line : "") ||
           invalid(v, "text: too long; at most 10 parts, with the brand's name and the line that "
                      "says how to opt out");
}

static bool resolve_text(struct engine *e, const Assent__V1__Message *in, struct submission *s,
                         struct submit_verdict *v)
{
    s->text = span_from_string(in->text);
    if (s->text.length == 0)
        return invalid(v, "text: empty");
    if (s->text.length > TEXT_OCTETS_MAX)
        return invalid(v, "text: too long; at most 10 parts");
    if (!complete_text(e, in, s, v))
        return false;
    switch (plan_submission(e, s)) {
    case ERR_OK:
        return true;
    case ERR_FULL:
        return invalid(v, "text: too long; at most 10 parts, or the carrier's `payload_max`");
    default:
        return invalid(v, "text: not valid UTF-8");
    }
}

static bool resolve_times(struct engine *e, const Assent__V1__Message *in, struct submission *s,
                          struct submit_verdict *v)
{
    s->ttl_ms = in->ttl_ms ? in->ttl_ms : e->config->ttl_ms[s->message_class];
    if (s->ttl_ms < TTL_MS_MIN || s->ttl_ms > TTL_MS_MAX)
        return invalid(v, "ttl: from 1 s to 7 days");
    s->send_at_wall_ms = in->send_at_wall_ms;
    if (s->send_at_wall_ms == 0)
        return true;
    if (s->send_at_wall_ms > e->now.wall_ms + SCHEDULE_AHEAD_MS)
        return invalid(v, "send_at: more than 90 days away");
    if (s->send_at_wall_ms + s->ttl_ms < e->now.wall_ms)
        return invalid(v, "send_at: past, and its time-to-live too");
    return true;
}

static bool resolve_zone(struct engine *e, const Assent__V1__Message *in, struct submission *s,
                         struct submit_verdict *v)
{
    s->zone = 0;
    if (in->time_zone[0] == '\0' || e->config->zones == NULL)
        return true; /* no program of this gateway keeps quiet hours */
    if (strcmp(in->time_zone, zone_name(e->config->zones, e->zone_before)) != 0)
        e->zone_before = zone_find(e->config->zones, in->time_zone);
    s->zone = e->zone_before;
    return s->zone != 0 ||
           invalid(v, "time_zone: no name of the IANA database, such as America/Chicago");
}

/* It waits for the end of quiet hours, if that comes while it is still worth sending. */
static bool resolve_hours(struct engine *e, struct submission *s, struct submit_verdict *v)
{
    uint64_t from_ms = s->send_at_wall_ms > e->now.wall_ms ? s->send_at_wall_ms : e->now.wall_ms;
    const struct quiet_answer *answer = quiet_of(e, &e->config->programs[s->program],
                                                 s->message_class, s->number, s->zone, from_ms);
    if (answer == NULL || quiet_is_allowed(answer, from_ms))
        return true;
    if (answer->next_ms == QUIET_NEVER)
        return invalid(v, "number: no hour is allowed in every place that it may be in: say its "
                          "time_zone, or see `quiet_hours_default`");
    v->due_wall_ms = s->quiet_until_ms = answer->next_ms;
    return answer->next_ms < from_ms + s->ttl_ms ||
           refuse(v, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
                  "ttl: over before the quiet hours of the recipient: submit it later, or with a "
                  "longer time-to-live");
}

/* The sender may send this there. */
static bool resolve_registration(struct engine *e, const struct submission *s,
                                 struct submit_verdict *v)
{
    const char *why =
        registry_refuses(e, (uint16_t)s->program, s->sender, s->message_class, s->number);
    return why == NULL || refuse(v, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION, why);
}

static bool resolve(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                    struct submission *s, struct submit_verdict *v)
{
    if (!resolve_program(e, client, in, s, v) || !resolve_times(e, in, s, v))
        return false;
    if (number_parse(span_from_string(in->number), &s->number) != ERR_OK)
        return invalid(v, "number: not E.164 (5 to 15 digits with country code, + optional)");
    message_prefetch_new(&e->messages, e->ports->ledger_next(e->ports->context), s->number);
    const char *why = erasure_refuses(e, s->number);
    if (why != NULL)
        return refuse(v, ASSENT__V1__CODE__CODE_UNAVAILABLE, why);
    if (strlen(in->campaign) > CAMPAIGN_OCTETS_MAX)
        return invalid(v, "campaign: at most 64 octets");
    if (strlen(in->reference) > REFERENCE_OCTETS_MAX)
        return invalid(v, "reference: at most 64 octets");
    struct route_query query = {.number = s->number,
                                .sender = e->config->programs[s->program].senders[s->sender],
                                .message_class = s->message_class};
    s->carrier = route_find(e, &query);
    if (s->carrier < 0)
        return invalid(v,
                       "number: no carrier has a route for it, its sender and class; see `routes`");
    if (!resolve_registration(e, s, v) || !resolve_zone(e, in, s, v) || !resolve_hours(e, s, v))
        return false;
    return resolve_text(e, in, s, v);
}

static uint64_t ahead_ms_of(const struct engine *e, const struct submission *s)
{
    return s->send_at_wall_ms > e->now.wall_ms ? s->send_at_wall_ms - e->now.wall_ms : 0;
}

static bool has_key(struct engine *e, const struct submission *s)
{
    return !secret_is_text(e, (uint16_t)s->program, (uint8_t)s->message_class) ||
           secret_is_ready(e, (ahead_ms_of(e, s) + s->ttl_ms) * US_PER_MS);
}

static bool has_capacity(struct engine *e, const struct submission *s, struct submit_verdict *v)
{
    const char *why;
    if (engine_refuses(e, &why))
        return refuse(v,
                      e->draining ? ASSENT__V1__CODE__CODE_UNAVAILABLE
                                  : ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
                      why);
    if (e->program_scope[s->program] == 0 || e->brand_scope[s->program] == 0)
        return refuse(v, ASSENT__V1__CODE__CODE_UNAVAILABLE,
                      "the consent store has never been reached: check redis.url, submit again");
    if (e->messages.by_id.count >= e->config->max_open_messages)
        return refuse(v, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
                      "`limits: open_messages` is reached: submit again later");
    if (e->messages.octets + message_octets((uint16_t)s->text.length) >
        e->config->max_memory_octets)
        return refuse(v, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
                      "`limits: memory` is reached: submit again later");
    if (!has_key(e, s))
        return refuse(v, ASSENT__V1__CODE__CODE_UNAVAILABLE,
                      "the disk has not yet taken the key to encrypt its text with: submit again");
    return true;
}

/* ---- how its text is sent ---- */

struct text_plan message_text_plan(const struct message *m)
{
    return (struct text_plan){.encoding = m->encoding,
                              .shift = m->shift,
                              .concatenation = m->concatenation,
                              .parts = m->parts};
}

void message_set_text_plan(struct message *m, const struct text_plan *plan)
{
    m->encoding = plan->encoding;
    m->shift = plan->shift;
    m->concatenation = plan->concatenation;
    m->parts = plan->parts;
    m->todo = all_parts(m) & (uint16_t)~m->done;
}

static bool same_form(const struct message *m, const struct text_plan *plan)
{
    return m->encoding == plan->encoding && m->shift == plan->shift && m->parts == plan->parts &&
           m->concatenation == plan->concatenation;
}

bool message_plan(struct engine *e, struct message *m)
{
    struct text_plan plan;
    if (text_plan(message_text(m), &message_carrier(e, m)->config->text, &plan) != ERR_OK)
        return false;
    if (same_form(m, &plan))
        return true;
    if (m->flying != 0 || m->done != 0)
        return false;
    message_set_text_plan(m, &plan);
    m->replanned = true;
    return true;
}

/* ---- acceptance ---- */

static const char *client_name(const struct engine *e, uint16_t client)
{
    return client == CLIENT_OPERATOR ? "" : e->config->clients[client].name;
}

struct acceptance {
    const char *campaign, *reference;
    uint64_t reference_hash;
    uint32_t replaced;
    uint64_t send_at_wall_ms;
};

static void record_accepted(struct engine *e, struct message *m, const struct acceptance *a,
                            char *text)
{
    Assent__V1__Accepted body = ASSENT__V1__ACCEPTED__INIT;
    body.class_ = (Assent__V1__Class)m->message_class;
    body.client = UNCONST(client_name(e, m->client));
    body.sender = UNCONST(e->config->programs[m->program].senders[m->sender]);
    body.carrier = UNCONST(e->carriers[m->carrier].config->name);
    body.campaign = UNCONST(a->campaign);
    body.replaced = a->replaced;
    body.time_zone = UNCONST(m->zone ? zone_name(e->config->zones, m->zone) : "");
    body.parts = m->parts;
    body.encoding = m->encoding;
    Assent__V1__TextForm form;
    body.form = m->shift || m->concatenation ? record_form(m, &form) : NULL;
    body.expires_wall_ms = e->now.wall_ms + (m->expires_us - e->now.mono_us) / US_PER_MS;
    body.send_at_wall_ms = a->send_at_wall_ms;
    body.service = (Assent__V1__ServiceKind)m->service;
    body.cause = m->cause;
    body.reference_hash = a->reference_hash;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = m->number;
    personal.text = text;
    personal.reference = UNCONST(a->reference);
    if (m->epoch != 0 && e->plant != PLANT_TEXT_IN_CLEAR) {
        secret_put(e, m, e->ports->ledger_next(e->ports->context), &personal);
        secret_put_hash(e, m, &personal);
    }
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = e->program_scope[m->program];
    event.body_case = ASSENT__V1__EVENT__BODY_ACCEPTED;
    event.accepted = &body;
    message_set_id(&e->messages, m, record_event(e, &event, &personal));
}

static void enter(struct engine *e, struct message *m, const struct acceptance *a, char *text)
{
    m->accepted_us = e->now.mono_us;
    m->todo = all_parts(m);
    message_join_flow(e, m, a->campaign);
    record_accepted(e, m, a, text);
    e->metrics.accepted[m->message_class]++;
    wait_here(e, m, false); /* its carrier has just been chosen */
}

/* It has just been accepted. */
static void hold_for_quiet(struct engine *e, struct message *m, uint64_t until_ms,
                           struct submit_verdict *v)
{
    message_leave_state(e, m);
    message_wait_until(e, m, until_ms);
    message_set_quiet(e, m, true);
    m->gates = gate_answers_with(m->gates, GATE_QUIET_HOURS, ANSWER_REFUSED);
    message_record_quiet(e, m);
    wait_here(e, m, false);
    v->due_wall_ms = message_due_wall_ms(e, m);
}

static void fill(const struct engine *e, uint16_t client, const struct submission *s,
                 struct message *m)
{
    m->program = (uint16_t)s->program;
    m->client = client;
    m->carrier = (uint16_t)s->carrier;
    m->sender = s->sender;
    m->message_class = (uint8_t)s->message_class;
    m->zone = s->zone;
    message_set_text_plan(m, &s->plan);
    content_accepted(e, m);
    uint64_t ahead_ms = ahead_ms_of(e, s);
    m->due_us = ahead_ms ? e->now.mono_us + ahead_ms * US_PER_MS : 0;
    m->expires_us = e->now.mono_us + (ahead_ms + s->ttl_ms) * US_PER_MS;
}

static void accept(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                   const struct submission *s, struct submit_verdict *v)
{
    struct message *m = message_new(&e->messages, s->number, s->text);
    fill(e, client, s, m);
    secret_join(e, m);
    struct acceptance a = {.campaign = in->campaign,
                           .reference = in->reference,
                           .reference_hash = s->reference,
                           .replaced = s->replaced,
                           .send_at_wall_ms = ahead_ms_of(e, s) ? s->send_at_wall_ms : 0};
    enter(e, m, &a, UNCONST(s->text.data)); /* each of the three it may be ends in a NUL */
    if (s->quiet_until_ms != 0)
        hold_for_quiet(e, m, s->quiet_until_ms, v);
    if (s->reference != 0)
        reference_remember(e, s->reference, m->id, e->now.wall_ms);
    v->id = m->id;
    v->ready_at = e->plant == PLANT_ACK_BEFORE_FSYNC ? 0 : m->id;
}

/* True when this client reference was seen: the first answer again. */
static bool seen_before(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                        struct submission *s, struct submit_verdict *v)
{
    if (in->reference[0] == '\0' || strlen(in->reference) > REFERENCE_OCTETS_MAX)
        return false;
    s->reference = reference_hash(e, client_name(e, client), in->reference);
    uint64_t *id = table_find(&e->references, s->reference);
    if (id == NULL)
        return false;
    v->code = ASSENT__V1__CODE__CODE_OK;
    v->message = "";
    v->id = v->ready_at = *id;
    v->repeated_reference = true;
    v->due_wall_ms = 0; /* of what was asked now */
    e->metrics.counters[COUNT_REFERENCE_REPEATED]++;
    return true;
}

/* True when it is a message that can be sent: what is said of it is the same in a dry run. */
static bool examine(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                    struct submission *s, struct submit_verdict *ret)
{
    *ret = (struct submit_verdict){.code = ASSENT__V1__CODE__CODE_OK, .message = ""};
    bool valid = resolve(e, client, in, s, ret);
    ret->parts = s->plan.segments;
    ret->encoding = s->plan.encoding;
    ret->replaced = s->replaced;
    return valid;
}

struct message *admit_preview(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                              struct submit_verdict *ret)
{
    char plain[TEXT_OCTETS_MAX + 1], lined[TEXT_OCTETS_MAX + 1];
    struct submission s = {.plain = plain, .lined = lined};
    if (!examine(e, client, in, &s, ret))
        return NULL;
    struct message *m = message_alone(s.number, s.text);
    fill(e, client, &s, m);
    return m;
}

void engine_submit(struct engine *e, uint16_t client, const Assent__V1__Message *in, bool dry_run,
                   struct instant now, struct submit_verdict *ret)
{
    e->now = now;
    char plain[TEXT_OCTETS_MAX + 1], lined[TEXT_OCTETS_MAX + 1];
    struct submission s = {.plain = plain, .lined = lined};
    bool valid = examine(e, client, in, &s, ret);
    /* The first answer stands, also where its send-at has passed since. */
    if (!dry_run && seen_before(e, client, in, &s, ret))
        return;
    if (dry_run)
        return;
    if (!valid || !has_capacity(e, &s, ret)) {
        e->metrics.counters[COUNT_SUBMIT_REFUSED]++;
        return;
    }
    accept(e, client, in, &s, ret);
}

uint64_t admit_service(struct engine *e, Assent__V1__ServiceKind kind, uint16_t program,
                       uint8_t sender, uint64_t number, const char *language, uint64_t cause,
                       int carrier, uint64_t ttl_ms)
{
    const struct program_config *config = &e->config->programs[program];
    struct reply_names names = {.brand = config->brand,
                                .purpose = config->purpose[0] ? config->purpose : config->name,
                                .contact = config->contact,
                                .frequency = config->frequency};
    char text[TEXT_OCTETS_MAX];
    if (language[0] == '\0')
        language = language_of_number(number);
    if (language[0] == '\0')
        language = config->language;
    size_t length = reply_text(kind, language, &names, text, sizeof text);
    struct span span = span_of(text, length);
    struct text_plan plan;
    struct route_query query = {.number = number,
                                .sender = config->senders[sender],
                                .message_class = ASSENT__V1__CLASS__SERVICE};
    if (carrier < 0)
        carrier = route_find(e, &query);
    if (carrier < 0 || text_plan(span, &e->carriers[carrier].config->text, &plan) != ERR_OK)
        return 0;
    struct message *m = message_new(&e->messages, number, span);
    m->program = program;
    m->client = CLIENT_OPERATOR;
    m->carrier = (uint16_t)carrier;
    m->sender = sender;
    m->message_class = ASSENT__V1__CLASS__SERVICE;
    m->service = (uint8_t)kind;
    m->cause = cause;
    message_set_text_plan(m, &plan);
    m->expires_us = e->now.mono_us + ttl_ms * US_PER_MS;
    struct acceptance a = {.campaign = "", .reference = ""};
    enter(e, m, &a, text);
    return m->id;
}

/* ---- cancel and query ---- */

static struct message *find_of_client(struct engine *e, uint16_t client, uint64_t id)
{
    struct message *m = message_find(&e->messages, id);
    return m != NULL && (client == CLIENT_OPERATOR || m->client == client) ? m : NULL;
}

void engine_cancel(struct engine *e, uint16_t client, uint64_t id, struct instant now,
                   struct submit_verdict *ret)
{
    e->now = now;
    *ret = (struct submit_verdict){.code = ASSENT__V1__CODE__CODE_OK, .id = id, .message = ""};
    struct message *m = find_of_client(e, client, id);
    if (m == NULL) {
        refuse(ret, ASSENT__V1__CODE__CODE_NOT_FOUND,
               "no open message of this client has this id; `assent trace` shows ended ones");
        return;
    }
    if (m->flying != 0 || m->done != 0 || m->state >= MESSAGE_ON_WIRE) {
        refuse(ret, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION, "already on its way or ended");
        return;
    }
    message_end(e, m, ASSENT__V1__OUTCOME__CANCELLED, ASSENT__V1__REASON__BY_SUBMITTER, 0, 0);
    ret->ready_at = e->ports->ledger_next(e->ports->context) - 1;
}

void ended_remember(struct engine *e, const struct message *m, Assent__V1__Outcome outcome)
{
    e->ended[m->id % ENDED_REMEMBERED] = (struct ended_message){.id = m->id,
                                                                .client = m->client,
                                                                .carrier = m->carrier,
                                                                .outcome = (uint8_t)outcome,
                                                                .parts = m->parts,
                                                                .attempts = m->attempts};
}

static bool query_ended(struct engine *e, uint16_t client, uint64_t id,
                        Assent__V1__MessageStatus *ret)
{
    const struct ended_message *ended = &e->ended[id % ENDED_REMEMBERED];
    if (id == 0 || ended->id != id || (client != CLIENT_OPERATOR && ended->client != client))
        return false;
    ret->id = id;
    ret->state = UNCONST(message_state_name(MESSAGE_ENDED));
    ret->outcome = (Assent__V1__Outcome)ended->outcome;
    ret->parts = ended->parts;
    ret->attempts = ended->attempts;
    ret->carrier = UNCONST(e->carriers[ended->carrier].config->name);
    return true;
}

bool engine_query(struct engine *e, uint16_t client, uint64_t id, Assent__V1__MessageStatus *ret)
{
    struct message *m = find_of_client(e, client, id);
    if (m == NULL)
        return query_ended(e, client, id, ret);
    ret->id = id;
    ret->state = UNCONST(message_state_name((enum message_state)m->state));
    ret->outcome = m->state == MESSAGE_IN_DOUBT ? ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME
                                                : ASSENT__V1__OUTCOME__OUTCOME_OPEN;
    ret->parts = m->parts;
    ret->attempts = m->attempts;
    ret->carrier = UNCONST(e->carriers[m->carrier].config->name);
    if ((m->state == MESSAGE_SCHEDULED || m->state == MESSAGE_RETRY) && m->due_us > e->now.mono_us)
        ret->due_wall_ms = message_due_wall_ms(e, m);
    ret->held = m->quiet ? ASSENT__V1__REASON__QUIET_HOURS : ASSENT__V1__REASON__REASON_NONE;
    return true;
}

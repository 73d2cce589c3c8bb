/* SPDX-License-Identifier: Apache-2.0 */
/* Replies from handsets. What a STOP does, in this order and in one call (P2, P3): the number is
 * denied in memory; what waits or is scheduled for it is cancelled; the opt-out is appended with the
 * list of what is on the wire. Its deliver_sm_resp leaves when the record is durable and Redis has it
 * (gateway/carrier.c); its confirmation is made when Redis says that it was news
 * (gateway/projection.c). */
#include <stdio.h>
#include <stdlib.h>

#include "consent/language.h"
#include "consent/revocation.h"
#include "gateway/engine_state.h"
#include "smpp/text.h"
#include "smpp/utf8.h"

#define IN_FLIGHT_MAX   256 /* message ids listed in one opt-out record */
#define HELP_EVERY_MS   (24ull * 3600 * 1000)
#define HELP_REMEMBERED 65536
#define SERVICE_TTL_MS  (30ull * 60 * 1000)

/* ---- scopes ---- */

/* Where an address serves several programs, STOP ends them all; where it serves none that is known,
 * everything. */
static void reply_reach(const struct engine *e, const struct reply *r, bool everything,
                        struct stop_reach_scopes *ret_reach)
{
    stop_reach_of(e, r->number, r->programs, everything ? 0 : r->program_count, ret_reach);
}

/* ---- opting out ---- */

bool message_in_scopes(const struct engine *e, const struct message *m, const uint16_t *scopes,
                       uint8_t count)
{
    uint16_t own[CHECK_SCOPES_MAX];
    uint8_t own_count = message_scopes(e, m, own);
    for (uint8_t i = 0; i < count; i++)
        for (uint8_t j = 0; j < own_count; j++)
            if (scopes[i] == own[j])
                return true;
    return false;
}

/* Parts of it have left, and not all is settled. */
static bool is_in_flight(const struct message *m)
{
    return m->flying != 0 || (m->done != 0 && m->state < MESSAGE_SENT);
}

static bool can_be_cancelled(const struct message *m)
{
    return m->state < MESSAGE_ON_WIRE && m->flying == 0;
}

/* Only for the simulation's own test. */
static bool is_spared(const struct engine *e, const struct message *m)
{
    return e->plant == PLANT_DENY_NOT_CONSULTED && m->state >= MESSAGE_INTENT;
}

/* What waits is cancelled after the record is appended, which names its sequence number. */
void messages_opted_out(struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count,
                        uint64_t cause, const char *node)
{
    struct message *m = message_first_of_number(&e->messages, number), *next;
    for (; m != NULL; m = next) {
        next = m->next_same_number;
        if (message_is_exempt(m) || !message_in_scopes(e, m, scopes, count) || is_spared(e, m))
            continue;
        if (can_be_cancelled(m))
            message_cancel(e, m, scopes[0], cause, node);
        else if (m->state < MESSAGE_SENT)
            m->stopped = true; /* ends when the parts on the wire are answered */
    }
}

static size_t list_in_flight(struct engine *e, const struct opt_out *o, uint64_t *ids,
                             uint32_t *ret_cancelled)
{
    size_t count = 0;
    struct message *m = message_first_of_number(&e->messages, o->number);
    for (; m != NULL; m = m->next_same_number) {
        if (message_is_exempt(m) || !message_in_scopes(e, m, o->scopes, o->scope_count))
            continue;
        if (can_be_cancelled(m))
            ++*ret_cancelled;
        if (is_in_flight(m) && count < IN_FLIGHT_MAX)
            ids[count++] = m->id;
    }
    return count;
}

void opt_out_reach(struct opt_out *o, const struct stop_reach_scopes *reach)
{
    memcpy(o->scopes, reach->scopes, sizeof o->scopes);
    o->scope_count = reach->count;
    o->reach_rule = reach->rule != NULL ? reach->rule->name : NULL;
}

uint64_t opt_out_apply(struct engine *e, const struct opt_out *o)
{
    uint64_t in_flight[IN_FLIGHT_MAX];
    uint32_t scopes[WRITE_SCOPES_MAX];
    for (uint8_t i = 0; i < o->scope_count; i++)
        scopes[i] = o->scopes[i];
    Assent__V1__OptedOut body = ASSENT__V1__OPTED_OUT__INIT;
    body.n_scopes = o->scope_count;
    body.scopes = scopes;
    body.source = o->source;
    body.client = UNCONST(o->client);
    body.carrier = UNCONST(o->carrier);
    body.sender = UNCONST(o->sender);
    body.rule = UNCONST(o->rule);
    body.language = UNCONST(o->language);
    body.how = UNCONST(o->how);
    if (o->reach_rule != NULL)
        body.reach_rule = UNCONST(o->reach_rule);
    body.received_wall_ms = e->now.wall_ms;
    body.n_in_flight = list_in_flight(e, o, in_flight, &body.cancelled);
    body.in_flight = in_flight;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = o->number;
    personal.text = UNCONST(o->text);
    personal.raw.data = (uint8_t *)(uintptr_t)o->raw.data;
    personal.raw.len = o->raw.length;
    personal.evidence = UNCONST(o->evidence);
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = o->program < 0 ? 0 : e->program_scope[o->program];
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
    event.opted_out = &body;
    uint64_t sequence = record_event(e, &event, &personal);
    for (uint8_t i = 0; i < o->scope_count; i++)
        deny_add(e, o->number, o->scopes[i], sequence);
    reputation_opted_out(e, o->number, &body, event.wall_ms);
    if (e->plant != PLANT_NO_CANCEL_ON_STOP)
        messages_opted_out(e, o->number, o->scopes, o->scope_count, sequence, "");
    reviews_opted_out(e, o->number, o->scopes, o->scope_count);
    e->metrics.counters[COUNT_OPT_OUTS]++;
    return sequence;
}

struct opt_out opt_out_of_reply(const struct engine *e, const struct reply *r,
                                const struct keyword_match *match)
{
    return (struct opt_out){
        .number = r->number,
        .source = ASSENT__V1__CONSENT_SOURCE__REPLY,
        .client = "",
        .carrier = e->carriers[r->owed.carrier].config->name,
        .sender = r->address,
        .rule = match->rule,
        .language = language_of_reply(match, r->number),
        .how = meaning_name(match->meaning),
        .text = r->text,
        .evidence = "",
        .raw = r->raw,
        .program = r->program_count > 0 ? r->programs[0] : -1,
    };
}

void reply_stop(struct engine *e, struct reply *r, const struct keyword_match *match)
{
    struct opt_out o = opt_out_of_reply(e, r, match);
    struct stop_reach_scopes reach;
    reply_reach(e, r, match->meaning == MEANING_OPT_OUT_ALL, &reach);
    opt_out_reach(&o, &reach);
    r->owed.ready_at = opt_out_apply(e, &o);
    owe_stop_answer(e, &r->owed);
}

/* ---- the other meanings ---- */

void reply_answer(struct engine *e, struct reply *r)
{
    r->owed.ready_at = e->ports->ledger_next(e->ports->context) - 1;
    if (r->part.kind != PART_NONE)
        owe_stop_answer(e, &r->owed); /* another part of it may have said STOP */
    else
        owe_answer(e, &r->owed);
}

void reply_record(struct engine *e, const struct reply *r, const char *meaning,
                  const struct keyword_match *match)
{
    Assent__V1__Inbound body = ASSENT__V1__INBOUND__INIT;
    body.carrier = UNCONST(e->carriers[r->owed.carrier].config->name);
    body.sender = UNCONST(r->address);
    body.meaning = UNCONST(meaning);
    body.language = UNCONST(match->language);
    body.rule = UNCONST(match->rule);
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = r->number;
    personal.text = UNCONST(r->text);
    personal.raw.data = (uint8_t *)(uintptr_t)r->raw.data;
    personal.raw.len = r->raw.length;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = r->program_count > 0 ? e->program_scope[r->programs[0]] : 0;
    event.body_case = ASSENT__V1__EVENT__BODY_INBOUND;
    event.inbound = &body;
    record_event(e, &event, &personal);
    e->metrics.counters[COUNT_REPLIES]++;
}

void reply_ordinary(struct engine *e, struct reply *r, const struct keyword_match *match)
{
    reply_record(e, r, meaning_name(match->meaning), match);
    reply_answer(e, r);
}

static uint64_t *help_slot(struct engine *e, uint64_t number, const char *address)
{
    char key[64];
    int n = snprintf(key, sizeof key, "%llu %s", (unsigned long long)number, address);
    uint64_t hash = hash64(&e->key, key, (size_t)n);
    if (e->help_given.count >= HELP_REMEMBERED) {
        table_release(&e->help_given); /* forgetting costs one more help text, never less */
        table_init(&e->help_given);
    }
    return table_put(&e->help_given, hash ? hash : 1);
}

void help_remember(struct engine *e, uint64_t number, const char *address, uint64_t wall_ms)
{
    *help_slot(e, number, address) = wall_ms;
}

static bool help_is_due(struct engine *e, const struct reply *r)
{
    uint64_t *at = help_slot(e, r->number, r->address);
    if (*at != 0 && e->now.wall_ms < *at + HELP_EVERY_MS)
        return false;
    *at = e->now.wall_ms;
    return true;
}

/* Over all gateways once in its time; where Redis cannot say, this gateway's memory does. */
static void help_once(struct engine *e, struct inquiry *q, enum once_answer answer)
{
    if (answer != ONCE_TAKEN)
        admit_service(e, ASSENT__V1__SERVICE_KIND__HELP_REPLY, q->programs[0], q->sender, q->number,
                      q->language, q->call, q->owed.carrier, SERVICE_TTL_MS);
    inquiry_free(e, q);
}

static void help(struct engine *e, struct reply *r, const struct keyword_match *match)
{
    e->metrics.counters[COUNT_HELP]++;
    uint64_t cause = e->ports->ledger_next(e->ports->context);
    bool due = r->program_count > 0 && r->number != 0 && help_is_due(e, r);
    reply_ordinary(e, r, match);
    if (!due)
        return;
    struct inquiry *q = inquiry_new(e, INQUIRY_HELP);
    q->call = cause;
    q->owed.carrier = r->owed.carrier;
    q->number = r->number;
    q->sender = r->sender;
    q->programs[0] = r->programs[0];
    q->once_answered = help_once;
    snprintf(q->language, sizeof q->language, "%s", language_of_reply(match, r->number));
    if (!inquiry_ask_once(e, q, ONCE_HELP, e->program_scope[q->programs[0]], HELP_EVERY_MS))
        help_once(e, q, ONCE_UNKNOWN);
}

void reply_start(struct engine *e, struct reply *r, const struct keyword_match *match, bool answer)
{
    struct stop_reach_scopes reach;
    reply_reach(e, r, false, &reach);
    if (e->plant == PLANT_START_LIFTS_HOLD)
        reach_add(&reach, SCOPE_HOLD);
    reach_add(&reach, SCOPE_EVERYTHING); /* STOPALL is undone by the same person as well */
    uint32_t wide[WRITE_SCOPES_MAX];
    for (uint8_t i = 0; i < reach.count; i++)
        wide[i] = reach.scopes[i];
    reviews_opted_in_again(e, r->number, reach.scopes, reach.count);
    Assent__V1__OptedInAgain body = ASSENT__V1__OPTED_IN_AGAIN__INIT;
    body.n_scopes = reach.count;
    body.scopes = wide;
    body.source = ASSENT__V1__CONSENT_SOURCE__REPLY;
    body.rule = UNCONST(match->rule);
    body.language = UNCONST(match->language);
    body.received_wall_ms = r->came_wall_ms != 0 ? r->came_wall_ms : e->now.wall_ms;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = r->number;
    personal.text = UNCONST(r->text);
    personal.raw.data = (uint8_t *)(uintptr_t)r->raw.data;
    personal.raw.len = r->raw.length;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = r->program_count > 0 ? e->program_scope[r->programs[0]] : 0;
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN;
    event.opted_in_again = &body;
    uint64_t sequence = record_event(e, &event, &personal);
    e->metrics.counters[COUNT_OPT_INS_AGAIN]++;
    if (r->program_count > 0 && answer)
        again_owe(e, r, language_of_reply(match, r->number), sequence);
}

static void start(struct engine *e, struct reply *r, const struct keyword_match *match)
{
    reply_start(e, r, match, true);
    reply_answer(e, r);
}

static void act(struct engine *e, struct reply *r, const struct keyword_match *match)
{
    switch (match->meaning) {
    case MEANING_OPT_OUT:
    case MEANING_OPT_OUT_ALL:
    case MEANING_OPT_OUT_INTENT:
        reply_stop(e, r, match);
        return;
    case MEANING_OPT_IN:
        start(e, r, match);
        return;
    case MEANING_HELP:
        help(e, r, match);
        return;
    case MEANING_REVIEW:
    case MEANING_CANCEL:
        reply_review(e, r, match);
        return;
    case MEANING_REPLY:
    case MEANING_CONFIRM:
    case MEANING_DECLINE:
        reply_ordinary(e, r, match);
        return;
    }
}

/* ---- yes and no: they mean something only while a question of ours is open ---- */

static void keep_match(struct inquiry *q, int at, struct keyword_match *kept,
                       const struct keyword_match *match)
{
    *kept = *match;
    snprintf(q->rules[at], sizeof q->rules[at], "%s", match->rule);
    snprintf(q->languages[at], sizeof q->languages[at], "%s", match->language);
    kept->rule = q->rules[at];
    kept->language = q->languages[at];
}

struct inquiry *inquiry_of_reply(struct engine *e, enum inquiry_kind kind, const struct reply *r)
{
    struct inquiry *q = inquiry_new(e, kind);
    q->owed = r->owed;
    q->number = r->number;
    q->came_wall_ms = e->now.wall_ms;
    q->sender = r->sender;
    q->program_count = r->program_count;
    memcpy(q->programs, r->programs, sizeof q->programs);
    snprintf(q->address, sizeof q->address, "%s", r->address);
    q->part = r->part;
    size_t length = utf8_cut(span_from_string(r->text), sizeof q->text - 1);
    memcpy(q->text, r->text, length);
    q->text[length] = '\0';
    q->raw_length = (uint16_t)(r->raw.length < sizeof q->raw ? r->raw.length : sizeof q->raw);
    memcpy(q->raw, r->raw.data, q->raw_length);
    return q;
}

static void ask_for_question(struct engine *e, struct reply *r, const struct keyword_match *pending,
                             const struct keyword_match *plain)
{
    struct inquiry *q = inquiry_of_reply(e, INQUIRY_REPLY, r);
    keep_match(q, 0, &q->match, pending);
    keep_match(q, 1, &q->plain, plain);
    if (!inquiry_ask(e, q))
        inbound_looked_up(e, q, false, NULL);
}

void inbound_looked_up(struct engine *e, struct inquiry *q, bool ok,
                       const struct consent_state *state)
{
    if (ok) {
        question_note(e, q, state);
        if (++q->at < q->program_count && inquiry_ask(e, q))
            return;
    }
    if (!ok || q->at < q->program_count) {
        /* Not known whether a question is open: the carrier sends the reply again. */
        link_answer(e, q->owed.carrier, q->owed.link, q->owed.generation, q->owed.command_id,
                    q->owed.sequence_number, e->carriers[q->owed.carrier].config->refuse_status);
        inquiry_free(e, q);
        return;
    }
    struct reply r = {.owed = q->owed,
                      .part = q->part,
                      .number = q->number,
                      .came_wall_ms = q->came_wall_ms,
                      .address = q->address,
                      .text = q->text,
                      .raw = span_of(q->raw, q->raw_length),
                      .program_count = q->program_count,
                      .sender = q->sender};
    memcpy(r.programs, q->programs, sizeof r.programs);
    if (question_answer(e, q))
        reply_answer(e, &r);
    else
        act(e, &r, &q->plain);
    if (q->part.kind != PART_NONE)
        long_reply_close(e, &q->part);
    inquiry_free(e, q);
}

/* ---- the way in ---- */

void reply_programs(const struct engine *e, struct reply *r)
{
    for (uint16_t i = 0; i < e->config->program_count; i++) {
        const struct program_config *program = &e->config->programs[i];
        for (uint8_t j = 0; j < program->sender_count && r->program_count < SENDERS_MAX; j++) {
            if (strcmp(program->senders[j], r->address) != 0)
                continue;
            if (r->program_count == 0)
                r->sender = j;
            r->programs[r->program_count++] = i;
        }
    }
}

bool reply_act(struct engine *e, struct reply *r)
{
    struct keyword_match plain = reply_match(e, r, false);
    struct keyword_match pending = reply_match(e, r, true);
    if (r->number == 0)
        plain.meaning = pending.meaning = MEANING_REPLY;
    if (r->incomplete && plain.meaning == MEANING_OPT_IN)
        plain.meaning = MEANING_REPLY;
    bool may_answer = pending.meaning == MEANING_CONFIRM || pending.meaning == MEANING_DECLINE;
    if (may_answer && !r->incomplete && review_answer(e, r, &pending))
        return true;
    if (may_answer && r->program_count > 0 && !r->incomplete) {
        ask_for_question(e, r, &pending, &plain);
        return false;
    }
    if (plain.meaning == MEANING_REPLY && question_join(e, r, &plain))
        return false;
    act(e, r, &plain);
    return true;
}

/* Cuts the user data header off. NULL: there is none. */
static const struct udh *read_header(const struct sm_body *body, struct udh *udh, struct span *raw)
{
    *raw = body->text;
    if ((body->esm_class & ESM_UDHI) == 0 || !udh_parse(body->text, udh))
        return NULL;
    *raw = udh->text;
    return udh;
}

/* What comes from no number, or in too many parts, is read part by part. */
static bool is_part(const struct sm_body *body, const struct udh *udh, struct reply *r)
{
    if (r->number == 0 || !part_read(body, udh, &r->part))
        return false;
    r->part.sender = r->number;
    r->part.scope = r->owed.carrier;
    snprintf(r->part.receiver, sizeof r->part.receiver, "%s", r->address);
    return true;
}

/* The sender of ours that was written to, or the address as it was sent. */
static const char *own_address(const struct engine *e, const struct address_reading *to)
{
    for (uint16_t i = 0; i < e->config->program_count; i++) {
        const struct program_config *program = &e->config->programs[i];
        for (uint8_t j = 0; j < program->sender_count; j++)
            if (address_reading_is(to, program->senders[j]))
                return program->senders[j];
    }
    return to->as_sent;
}

void inbound_came(struct engine *e, const struct owed *owed, const struct sm_body *body)
{
    char text[REPLY_TEXT_MAX];
    struct udh header;
    struct reply r = {.owed = *owed, .text = text};
    const struct udh *udh = read_header(body, &header, &r.raw);
    const struct carrier_config *carrier = e->carriers[owed->carrier].config;
    struct address_reading to;
    addressing_read(&carrier->addressing, &body->destination, &to);
    r.number = addressing_number(&carrier->addressing, &body->source);
    r.address = own_address(e, &to);
    if (r.raw.length > (sizeof text - 1) / 3)
        r.raw.length = (sizeof text - 1) / 3;
    text[text_receive(carrier->text.alphabet, body->data_coding, udh, r.raw, text,
                      sizeof text - 1)] = '\0';
    reply_programs(e, &r);
    if (is_part(body, udh, &r))
        long_reply_came(e, &r);
    else
        (void)reply_act(e, &r);
}

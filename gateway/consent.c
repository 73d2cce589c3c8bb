/* SPDX-License-Identifier: Apache-2.0 */
/* What submitters may do about consent: ask for it, confirm it by token, record it, end it, see it.
 * Questions about the present state go to Redis as inquiries; their answers come back through
 * engine_on_looked_up(). */
#include <stdio.h>
#include <stdlib.h>

#include "consent/language.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/base/digest.h"
#include "proto/number.h"

#define INQUIRIES_MAX 65536
#define DATE_SLACK_MS (24ull * 3600 * 1000) /* a date alone, from a time zone ahead of ours */

/* ---- answers ---- */

static void reply_with(struct engine *e, uint64_t call, Assent__V1__Code code, const char *state,
                       const char *message, uint64_t sequence)
{
    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    reply.code = code;
    reply.state = UNCONST(state);
    reply.message = UNCONST(message);
    reply.sequence = sequence;
    e->ports->consent_reply(e->ports->context, call, sequence, &reply);
}

static void reply_state(struct engine *e, uint64_t call, const char *state, uint64_t sequence)
{
    reply_with(e, call, ASSENT__V1__CODE__CODE_OK, state, "", sequence);
}

static void reply_refusal(struct engine *e, uint64_t call, Assent__V1__Code code, const char *why)
{
    reply_with(e, call, code, "", why, 0);
}

static void reply_away(struct engine *e, uint64_t call)
{
    reply_refusal(e, call, ASSENT__V1__CODE__CODE_UNAVAILABLE,
                  "the consent store is away: ask again when `assent status` shows the gate open");
}

/* ---- inquiries ---- */

struct inquiry *inquiry_new(struct engine *e, enum inquiry_kind kind)
{
    struct inquiry *q = check_calloc(1, sizeof *q);
    q->kind = kind;
    q->cookie = ++e->next_inquiry;
    *table_put(&e->inquiries, q->cookie) = (uint64_t)(uintptr_t)q;
    return q;
}

void inquiry_free(struct engine *e, struct inquiry *q)
{
    table_remove(&e->inquiries, q->cookie);
    for (uint16_t i = 0; q->shown != NULL && i < q->at; i++) {
        for (size_t j = 0; j < q->shown[i].n_denied_by; j++)
            free(q->shown[i].denied_by[j]);
        free(q->shown[i].denied_by);
        if (q->shown[i].asked)
            free(q->shown[i].asked_by);
    }
    free(q->shown);
    free(q->evidence);
    free(q->opt_out);
    free(q);
}

static_assert(SHOWN_SCOPES + 2 == CHECK_SCOPES_MAX, "show asks for two registers more");

void shown_scopes(const struct engine *e, uint16_t program, uint16_t out[SHOWN_SCOPES])
{
    out[0] = SCOPE_EVERYTHING;
    out[1] = SCOPE_HOLD;
    out[2] = e->brand_scope[program];
    out[3] = e->program_scope[program];
    out[4] = SCOPE_ERASED;
}

bool inquiry_ask(struct engine *e, struct inquiry *q)
{
    uint16_t program = q->programs[q->at];
    uint16_t scopes[CHECK_SCOPES_MAX];
    uint8_t count = SHOWN_SCOPES;
    shown_scopes(e, program, scopes);
    if (q->kind == INQUIRY_SHOW) {
        scopes[count++] = SCOPE_DO_NOT_CALL;
        scopes[count++] = SCOPE_REASSIGNED;
    }
    return gate_is_open(e) && e->inquiries.count <= INQUIRIES_MAX &&
           e->ports->store_lookup(e->ports->context, q->cookie, q->number, scopes, count,
                                  e->program_scope[program]);
}

bool inquiry_ask_once(struct engine *e, struct inquiry *q, enum once_kind kind, uint16_t scope,
                      uint64_t ttl_ms)
{
    struct once once = {
        .cookie = q->cookie, .kind = kind, .scope = scope, .number = q->number, .ttl_ms = ttl_ms};
    return gate_is_open(e) && e->inquiries.count <= INQUIRIES_MAX &&
           e->ports->store_once(e->ports->context, &once);
}

void engine_on_once(struct engine *e, uint64_t cookie, enum once_answer answer, struct instant now)
{
    e->now = now;
    struct inquiry *q = table_find_pointer(&e->inquiries, cookie);
    if (q != NULL)
        q->once_answered(e, q, answer);
}

/* ---- shared by the calls ---- */

/* What a call is about; each function gives false after it has sent a refusal. */
static bool accepts_calls(struct engine *e, uint64_t call)
{
    const char *why;
    if (!engine_refuses(e, &why))
        return true;
    reply_refusal(e, call,
                  e->draining ? ASSENT__V1__CODE__CODE_UNAVAILABLE
                              : ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
                  why);
    return false;
}

static bool resolve_program(struct engine *e, uint16_t client, uint64_t call, const char *name,
                            int *ret_program)
{
    int program = config_find_program(e->config, name);
    if (program < 0) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                      "program: unknown; see `programs` in the configuration");
        return false;
    }
    if (!program_knows_client(e, client, program)) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
                      "program: not one of this client's; see `clients` in the configuration");
        return false;
    }
    if (e->program_scope[program] == 0 || e->brand_scope[program] == 0) {
        reply_away(e, call);
        return false;
    }
    *ret_program = program;
    return true;
}

static bool resolve_number(struct engine *e, uint64_t call, const char *text, uint64_t *ret_number)
{
    const char *why = "number: not E.164 (5 to 15 digits with country code, + optional)";
    Assent__V1__Code code = ASSENT__V1__CODE__CODE_INVALID_ARGUMENT;
    if (number_parse(span_from_string(text), ret_number) == ERR_OK) {
        code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
        why = erasure_refuses(e, *ret_number);
    }
    if (why != NULL)
        reply_refusal(e, call, code, why);
    return why == NULL;
}

static bool resolve(struct engine *e, uint16_t client, uint64_t call, const char *program_name,
                    const char *number_text, int *ret_program, uint64_t *ret_number)
{
    return accepts_calls(e, call) && resolve_program(e, client, call, program_name, ret_program) &&
           resolve_number(e, call, number_text, ret_number);
}

static const char *client_name(const struct engine *e, uint16_t client)
{
    return client == CLIENT_OPERATOR ? "" : e->config->clients[client].name;
}

static bool too_long(struct engine *e, uint64_t call, const char *source, const char *evidence)
{
    if (strlen(source) <= 128 && strlen(evidence) <= EVIDENCE_OCTETS_MAX)
        return false;
    reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                  "source: at most 128 octets; evidence: at most 2,048");
    return true;
}

static struct inquiry *inquire(struct engine *e, enum inquiry_kind kind, uint16_t client,
                               uint64_t call, int program, uint64_t number)
{
    struct inquiry *q = inquiry_new(e, kind);
    q->client = client;
    q->call = call;
    q->number = number;
    q->programs[0] = (uint16_t)program;
    q->program_count = 1;
    return q;
}

static void ask_or_refuse(struct engine *e, struct inquiry *q)
{
    if (inquiry_ask(e, q))
        return;
    reply_away(e, q->call);
    inquiry_free(e, q);
}

/* ---- double opt-in, first step ---- */

void engine_request_opt_in(struct engine *e, uint16_t client, uint64_t call,
                           const Assent__V1__OptInRequest *in, struct instant now)
{
    e->now = now;
    int program;
    uint64_t number;
    if (!resolve(e, client, call, in->program, in->number, &program, &number) ||
        too_long(e, call, in->source, in->evidence))
        return;
    const struct program_config *config = &e->config->programs[program];
    int sender = in->sender[0] ? sender_index(config, in->sender + (in->sender[0] == '+')) : 0;
    if (sender < 0) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                      "sender: not one of the program's");
        return;
    }
    struct inquiry *q = inquire(e, INQUIRY_REQUEST, client, call, program, number);
    q->sender = (uint8_t)sender;
    snprintf(q->source, sizeof q->source, "%s", in->source);
    const char *language = in->language[0] ? in->language : language_of_number(number);
    snprintf(q->language, sizeof q->language, "%s", language[0] ? language : config->language);
    q->evidence = check_strdup(in->evidence);
    ask_or_refuse(e, q);
}

/* ---- double opt-in, second step: the token ---- */

void engine_confirm_opt_in(struct engine *e, uint16_t client, uint64_t call,
                           const Assent__V1__ConfirmRequest *in, struct instant now)
{
    e->now = now;
    int program;
    uint64_t number;
    if (!resolve(e, client, call, in->program, in->number, &program, &number))
        return;
    struct inquiry *q = inquire(e, INQUIRY_CONFIRM, client, call, program, number);
    snprintf(q->token, sizeof q->token, "%s", in->token);
    ask_or_refuse(e, q);
}

static void confirm_looked_up(struct engine *e, struct inquiry *q, const struct consent_state *s)
{
    uint16_t program = q->programs[0];
    uint8_t digest[DIGEST_SIZE];
    digest_sha256(span_from_string(q->token), digest);
    enum state state = consent_state_of(e, program, q->number, s);
    bool matches = s->pending && digest_equal(digest, s->token_sha256);
    const char *why = standing_may(state, MOVE_TOKEN, ASSENT__V1__CONSENT_SOURCE__TOKEN,
                                   matches ? PROOF_QUESTION | PROOF_TOKEN : PROOF_QUESTION);
    if (state == CONSENT_CONFIRMED || state == CONSENT_SINGLE) {
        reply_state(e, q->call, state_name(state), 0);
    } else if (state == CONSENT_OPTED_OUT) {
        reply_with(e, q->call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION, state_name(state), why,
                   0);
    } else if (why != NULL || !s->pending) {
        reply_refusal(e, q->call, ASSENT__V1__CODE__CODE_NOT_FOUND,
                      "no open question to this number has this token; it may have expired: "
                      "request the opt-in again");
    } else {
        struct opt_in_proof proof = {.program = program,
                                     .asked = s,
                                     .number = q->number,
                                     .source = ASSENT__V1__CONSENT_SOURCE__TOKEN,
                                     .language = "",
                                     .rule = "",
                                     .text = "",
                                     .carrier = -1};
        reply_state(e, q->call, state_name(CONSENT_CONFIRMED), question_confirm(e, &proof));
    }
}

/* ---- one step: recorded with evidence ---- */

void engine_record_opt_in(struct engine *e, uint16_t client, uint64_t call,
                          const Assent__V1__RecordRequest *in, struct instant now)
{
    e->now = now;
    int program;
    uint64_t number;
    if (!resolve(e, client, call, in->program, in->number, &program, &number) ||
        too_long(e, call, in->source, in->evidence))
        return;
    if (e->config->programs[program].opt_in != OPT_IN_SINGLE) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
                      "the program asks for double opt-in: use `assent consent request`");
        return;
    }
    if (in->source[0] == '\0' || in->evidence[0] == '\0') {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                      "source and evidence: both are needed to record consent in one step");
        return;
    }
    if (in->obtained_wall_ms == 0) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                      "obtained_at: needed to record consent in one step: when it was given");
        return;
    }
    if (in->obtained_wall_ms > now.wall_ms + DATE_SLACK_MS) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                      "obtained_at: in the future; consent is recorded after it was given");
        return;
    }
    struct inquiry *q = inquire(e, INQUIRY_RECORD, client, call, program, number);
    snprintf(q->source, sizeof q->source, "%s", in->source);
    q->evidence = check_strdup(in->evidence);
    q->obtained_wall_ms = in->obtained_wall_ms;
    q->import = in->import;
    ask_or_refuse(e, q);
}

static void record_looked_up(struct engine *e, struct inquiry *q, const struct consent_state *s)
{
    Assent__V1__OptInRecorded body = ASSENT__V1__OPT_IN_RECORDED__INIT;
    body.source =
        q->import ? ASSENT__V1__CONSENT_SOURCE__IMPORT : ASSENT__V1__CONSENT_SOURCE__SUBMITTER;
    enum state state = consent_state_of(e, q->programs[0], q->number, s);
    const char *why = standing_may(state, MOVE_RECORD, body.source, PROOF_EVIDENCE);
    if (why != NULL) {
        reply_with(e, q->call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION, state_name(state), why,
                   0);
        return;
    }
    body.client = UNCONST(client_name(e, q->client));
    body.how = q->source;
    body.obtained_wall_ms = q->obtained_wall_ms;
    body.day = vacancy_consent_day(e, q->number, q->obtained_wall_ms);
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = q->number;
    personal.evidence = q->evidence;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = e->program_scope[q->programs[0]];
    event.body_case = ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED;
    event.opt_in_recorded = &body;
    e->metrics.counters[COUNT_OPT_INS_RECORDED]++;
    enum state next = standing_next(state, MOVE_RECORD, state);
    reply_state(e, q->call, state_name(next), record_event(e, &event, &personal));
}

/* ---- ending it ---- */

/* A hold, and an opt-out of everything, are the operator's, and need not name a program. */
static bool resolve_opt_out(struct engine *e, uint16_t client, uint64_t call,
                            const Assent__V1__OptOutRequest *in, int *ret_program,
                            uint64_t *ret_number)
{
    bool wide = in->everything || in->hold;
    *ret_program = -1;
    if (!accepts_calls(e, call))
        return false;
    if (wide && client != CLIENT_OPERATOR) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
                      "everything, hold: only the gateway's operator may deny a number everywhere");
        return false;
    }
    if (in->hold && in->evidence[0] == '\0') {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                      "evidence: a hold needs it, since nothing from the handset lifts a hold");
        return false;
    }
    return ((wide && in->program[0] == '\0') ||
            resolve_program(e, client, call, in->program, ret_program)) &&
           resolve_number(e, call, in->number, ret_number) &&
           !too_long(e, call, in->source, in->evidence);
}

static Assent__V1__ConsentSource source_of_opt_out(const Assent__V1__OptOutRequest *in)
{
    if (in->import)
        return ASSENT__V1__CONSENT_SOURCE__IMPORT;
    return in->everything || in->hold ? ASSENT__V1__CONSENT_SOURCE__OPERATOR
                                      : ASSENT__V1__CONSENT_SOURCE__SUBMITTER;
}

void engine_opt_out(struct engine *e, uint16_t client, uint64_t call,
                    const Assent__V1__OptOutRequest *in, struct instant now)
{
    e->now = now;
    int program;
    uint64_t number;
    if (!resolve_opt_out(e, client, call, in, &program, &number))
        return;
    struct opt_out o = {
        .number = number,
        .source = source_of_opt_out(in),
        .client = client_name(e, client),
        .carrier = "",
        .sender = "",
        .rule = "",
        .language = "",
        .how = in->source,
        .text = "",
        .evidence = in->evidence,
        .program = program,
    };
    uint16_t about = (uint16_t)program;
    struct stop_reach_scopes reach = {0};
    if (in->everything || !in->hold)
        stop_reach_of(e, number, &about, in->everything ? 0 : 1, &reach);
    if (in->hold)
        reach_add(&reach, SCOPE_HOLD);
    opt_out_reach(&o, &reach);
    reply_state(e, call, "opted_out", opt_out_apply(e, &o));
}

/* A release that is on its way into Redis has taken it back already. */
static bool is_held(const struct engine *e, uint64_t number, const struct consent_state *s)
{
    uint16_t hold = SCOPE_HOLD;
    return (s->opted_out[1] || deny_find(e, number, &hold, 1) >= 0) &&
           !projection_pending(e, WRITE_LIFT_OPT_OUT, number, hold);
}

/* What the person has ended themselves stays ended: the hold's own scope alone is lifted. */
uint64_t hold_release(struct engine *e, uint64_t number, const char *who, const char *reason,
                      uint64_t before_wall_ms)
{
    uint32_t wide[SHOWN_SCOPES] = {SCOPE_HOLD};
    Assent__V1__OptedInAgain body = ASSENT__V1__OPTED_IN_AGAIN__INIT;
    body.n_scopes = 1;
    body.scopes = wide;
    if (e->plant == PLANT_RELEASE_LIFTS_ALL) {
        uint16_t scopes[SHOWN_SCOPES];
        shown_scopes(e, 0, scopes);
        for (body.n_scopes = 0; body.n_scopes < SHOWN_SCOPES; body.n_scopes++)
            wide[body.n_scopes] = scopes[body.n_scopes];
    }
    body.source = ASSENT__V1__CONSENT_SOURCE__OPERATOR;
    body.how = UNCONST(who);
    body.received_wall_ms = before_wall_ms;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = number;
    personal.evidence = UNCONST(reason);
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN;
    event.opted_in_again = &body;
    return record_event(e, &event, &personal);
}

static void release_looked_up(struct engine *e, struct inquiry *q, const struct consent_state *s)
{
    if (is_held(e, q->number, s))
        reply_state(e, q->call, "released", hold_release(e, q->number, q->source, q->evidence, 0));
    else
        reply_refusal(e, q->call, ASSENT__V1__CODE__CODE_NOT_FOUND,
                      "there is no hold on this number; `assent consent show` says what denies it");
}

void engine_release_hold(struct engine *e, uint16_t client, uint64_t call,
                         const Assent__V1__ReleaseRequest *in, struct instant now)
{
    e->now = now;
    uint64_t number;
    if (!accepts_calls(e, call))
        return;
    if (client != CLIENT_OPERATOR) {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
                      "only the gateway's operator may release a hold");
        return;
    }
    if (in->reason[0] == '\0') {
        reply_refusal(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                      "reason: a release needs it, as the hold needed its evidence");
        return;
    }
    if (!resolve_number(e, call, in->number, &number) || too_long(e, call, in->who, in->reason))
        return;
    if (e->program_scope[0] == 0) {
        reply_away(e, call);
        return;
    }
    struct inquiry *q = inquire(e, INQUIRY_RELEASE, client, call, 0, number);
    snprintf(q->source, sizeof q->source, "%s", in->who);
    q->evidence = check_strdup(in->reason);
    ask_or_refuse(e, q);
}

/* ---- showing it ---- */

void engine_show_consent(struct engine *e, uint16_t client, uint64_t call,
                         const Assent__V1__ShowRequest *in, struct instant now)
{
    e->now = now;
    Assent__V1__ShowReply reply = ASSENT__V1__SHOW_REPLY__INIT;
    uint64_t number;
    int only = in->program[0] ? config_find_program(e->config, in->program) : -1;
    struct inquiry *q = inquiry_new(e, INQUIRY_SHOW);
    for (int i = 0; i < e->config->program_count && q->program_count < SENDERS_MAX; i++)
        if (program_knows_client(e, client, i) && (in->program[0] == '\0' || i == only))
            q->programs[q->program_count++] = (uint16_t)i;
    q->call = call;
    if (number_parse(span_from_string(in->number), &number) != ERR_OK) {
        reply.code = ASSENT__V1__CODE__CODE_INVALID_ARGUMENT;
        reply.message = UNCONST("number: not E.164 (5 to 15 digits with country code, + optional)");
    } else if (q->program_count == 0) {
        reply.code = ASSENT__V1__CODE__CODE_NOT_FOUND;
        reply.message = UNCONST("program: unknown, or not one of this client's");
    } else {
        q->number = number;
        q->shown = check_calloc(q->program_count, sizeof *q->shown);
        if (inquiry_ask(e, q))
            return;
        reply.code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
        reply.message = UNCONST("the consent store is away: ask again when `assent status` shows "
                                "the gate open");
    }
    e->ports->show_reply(e->ports->context, call, &reply);
    inquiry_free(e, q);
}

static void add_denial(Assent__V1__ProgramConsent *shown, const char *kind, const char *name)
{
    char text[NAME_OCTETS_MAX + 16];
    snprintf(text, sizeof text, "%s%s", kind, name);
    shown->denied_by =
        check_realloc(shown->denied_by, (shown->n_denied_by + 1) * sizeof *shown->denied_by);
    shown->denied_by[shown->n_denied_by++] = check_strdup(text);
}

static void show_question(Assent__V1__ProgramConsent *shown, const struct consent_state *s)
{
    if (!s->pending)
        return;
    shown->asked = true;
    shown->asked_wall_ms = s->asked_wall_ms;
    shown->expires_wall_ms = s->expires_wall_ms;
    shown->asked_by = check_strdup(s->asker);
}

static void show_one(struct engine *e, struct inquiry *q, const struct consent_state *s)
{
    uint16_t program = q->programs[q->at];
    const struct program_config *config = &e->config->programs[program];
    Assent__V1__ProgramConsent *shown = &q->shown[q->at++];
    uint16_t scopes[SHOWN_SCOPES];
    shown_scopes(e, program, scopes);
    static const char *const kinds[SHOWN_SCOPES] = {"everything", "hold", "brand ", "program ",
                                                    "everything, from before an erasure"};
    const char *names[SHOWN_SCOPES] = {"", "", config->brand, config->name, ""};
    assent__v1__program_consent__init(shown);
    shown->program = UNCONST(config->name);
    bool marketing = config->classes[ASSENT__V1__CLASS__MARKETING];
    for (int i = 0; i < SHOWN_SCOPES; i++)
        if ((s->opted_out[i] || deny_find(e, q->number, &scopes[i], 1) >= 0) &&
            (marketing || scopes[i] != e->brand_scope[program]))
            add_denial(shown, kinds[i], names[i]);
    shown->state = UNCONST(state_name(shown->n_denied_by > 0
                                          ? CONSENT_OPTED_OUT
                                          : consent_state_beneath(e, program, q->number, s)));
    if (s->opted_out[SHOWN_SCOPES] && marketing && config->do_not_call != DO_NOT_CALL_OFF)
        add_denial(shown, "register ", "do-not-call"); /* it is no opt-out of the person's own */
    shown->reassigned = s->opted_out[SHOWN_SCOPES + 1];
    show_question(shown, s);
    shown->may_send_marketing =
        marketing && s->opt_in && shown->n_denied_by == 0 && !shown->reassigned;
}

static void show_done(struct engine *e, struct inquiry *q)
{
    Assent__V1__ShowReply reply = ASSENT__V1__SHOW_REPLY__INIT;
    Assent__V1__ProgramConsent *programs[SENDERS_MAX];
    for (uint16_t i = 0; i < q->at; i++)
        programs[i] = &q->shown[i];
    reply.n_programs = q->at;
    reply.programs = programs;
    e->ports->show_reply(e->ports->context, q->call, &reply);
    inquiry_free(e, q);
}

static void show_away(struct engine *e, struct inquiry *q)
{
    Assent__V1__ShowReply reply = ASSENT__V1__SHOW_REPLY__INIT;
    reply.code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
    reply.message = UNCONST("the consent store went away: ask again");
    e->ports->show_reply(e->ports->context, q->call, &reply);
    inquiry_free(e, q);
}

static void show_looked_up(struct engine *e, struct inquiry *q, bool ok,
                           const struct consent_state *state)
{
    if (!ok) {
        show_away(e, q);
        return;
    }
    show_one(e, q, state);
    if (q->at == q->program_count)
        show_done(e, q);
    else if (!inquiry_ask(e, q))
        show_away(e, q);
}

/* ---- Redis answered ---- */

void engine_on_looked_up(struct engine *e, uint64_t cookie, bool ok,
                         const struct consent_state *state, struct instant now)
{
    e->now = now;
    struct inquiry *q = table_find_pointer(&e->inquiries, cookie);
    if (q == NULL)
        return;
    if (q->kind == INQUIRY_REPLY) {
        inbound_looked_up(e, q, ok, state);
        return;
    }
    if (q->kind == INQUIRY_NOTICE) {
        notice_looked_up(e, q, ok, state);
        return;
    }
    if (q->kind == INQUIRY_ERASURE) {
        erasure_looked_up(e, q, ok, state);
        return;
    }
    if (q->kind == INQUIRY_SHOW) {
        show_looked_up(e, q, ok, state);
        return;
    }
    if (q->kind == INQUIRY_REQUEST || q->kind == INQUIRY_JOIN) {
        if (ok)
            question_looked_up(e, q, state);
        else
            question_away(e, q);
        return;
    }
    if (!ok)
        reply_away(e, q->call);
    else if (q->kind == INQUIRY_RECORD)
        record_looked_up(e, q, state);
    else if (q->kind == INQUIRY_RELEASE)
        release_looked_up(e, q, state);
    else
        confirm_looked_up(e, q, state);
    inquiry_free(e, q);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Double opt-in. A form (engine_request_opt_in) or the handset itself (JOIN) asks for the question; YES in
 * its time or the link's token answers it. What may follow what is the table of consent/standing.h.
 *
 * One question at a time to a number in a program, over all gateways:
 *
 *   look up --may be asked--> claim (ONCE_QUESTION, for as long as it may be answered) --> look up again
 *   --still so--> record the request, send the question
 *
 * The second look finds what this gateway asked between the first look and the claim: replies come in the
 * order of what was asked. A claim of our own without a question is left from a connection that was lost;
 * it is taken up. A claim of another gateway's is its question. */
#include <stdio.h>
#include <stdlib.h>

#include "consent/join.h"
#include "consent/language.h"
#include "gateway/engine_state.h"
#include "proto/base/digest.h"

#define TOKEN_OCTETS   16
#define SERVICE_TTL_MS (30ull * 60 * 1000)

/* ---- where a number stands ---- */

static bool is_denied(const struct engine *e, uint16_t program, uint64_t number,
                      const struct consent_state *s)
{
    uint16_t scopes[SHOWN_SCOPES];
    shown_scopes(e, program, scopes);
    for (int i = 0; i < SHOWN_SCOPES; i++)
        if (s->opted_out[i])
            return true;
    return deny_find(e, number, scopes, SHOWN_SCOPES) >= 0;
}

static bool is_over(const struct engine *e, const struct consent_state *s)
{
    return e->now.wall_ms >= s->expires_wall_ms && e->plant != PLANT_LATE_YES;
}

enum state consent_state_beneath(const struct engine *e, uint16_t program, uint64_t number,
                                 const struct consent_state *s)
{
    static const struct consent_state nothing;
    uint16_t scope = e->program_scope[program];
    if (projection_pending(e, WRITE_ERASE, number, 0)) /* Redis was asked before it had that */
        s = &nothing;
    if (s->opt_in || projection_pending(e, WRITE_OPT_IN, number, scope))
        return e->config->programs[program].opt_in == OPT_IN_SINGLE ? CONSENT_SINGLE
                                                                    : CONSENT_CONFIRMED;
    if (projection_pending(e, WRITE_PENDING, number, scope))
        return CONSENT_PENDING;
    if (!s->pending || projection_pending(e, WRITE_DROP_PENDING, number, scope))
        return CONSENT_NONE;
    return is_over(e, s) ? CONSENT_EXPIRED : CONSENT_PENDING;
}

enum state consent_state_of(const struct engine *e, uint16_t program, uint64_t number,
                            const struct consent_state *s)
{
    return is_denied(e, program, number, s) ? CONSENT_OPTED_OUT
                                            : consent_state_beneath(e, program, number, s);
}

/* ---- what who asked is told ---- */

static struct reply reply_of(const struct inquiry *q)
{
    struct reply r = {.owed = q->owed,
                      .part = q->part,
                      .number = q->number,
                      .came_wall_ms = q->came_wall_ms,
                      .address = q->address,
                      .text = q->text,
                      .raw = span_of(q->raw, q->raw_length),
                      .program_count = 1,
                      .sender = q->sender};
    r.programs[0] = q->programs[0];
    return r;
}

/* Nothing is asked. JOIN is kept as an ordinary reply then. */
static void tell_state(struct engine *e, struct inquiry *q, enum state state, const char *why)
{
    if (q->kind == INQUIRY_JOIN) {
        struct reply r = reply_of(q);
        if (q->lifted)
            reply_answer(e, &r); /* it is recorded as START */
        else
            reply_ordinary(e, &r, &q->plain);
        return;
    }
    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    bool denied = state == CONSENT_OPTED_OUT;
    reply.code = denied ? ASSENT__V1__CODE__CODE_FAILED_PRECONDITION : ASSENT__V1__CODE__CODE_OK;
    reply.state = UNCONST(state_name(state));
    reply.message = UNCONST(denied ? why : "");
    e->ports->consent_reply(e->ports->context, q->call, 0, &reply);
}

static void tell_away(struct engine *e, struct inquiry *q)
{
    if (q->kind == INQUIRY_JOIN) { /* the carrier sends it again */
        link_answer(e, q->owed.carrier, q->owed.link, q->owed.generation, q->owed.command_id,
                    q->owed.sequence_number, e->carriers[q->owed.carrier].config->refuse_status);
        return;
    }
    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    reply.code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
    reply.message = UNCONST("the consent store is away: ask again when `assent status` shows the "
                            "gate open");
    e->ports->consent_reply(e->ports->context, q->call, 0, &reply);
}

static void finish(struct engine *e, struct inquiry *q)
{
    if (q->kind == INQUIRY_JOIN && q->part.kind != PART_NONE)
        long_reply_close(e, &q->part);
    inquiry_free(e, q);
}

void question_away(struct engine *e, struct inquiry *q)
{
    tell_away(e, q);
    inquiry_free(e, q);
}

/* ---- the question ---- */

static uint64_t record_request(struct engine *e, struct inquiry *q, const char *token)
{
    const struct program_config *config = &e->config->programs[q->programs[0]];
    uint8_t digest[DIGEST_SIZE];
    digest_sha256(span_from_string(token), digest);
    Assent__V1__OptInRequested body = ASSENT__V1__OPT_IN_REQUESTED__INIT;
    bool join = q->kind == INQUIRY_JOIN;
    if (!join && q->client != CLIENT_OPERATOR)
        body.client = e->config->clients[q->client].name;
    body.source = q->source;
    body.language = q->language;
    body.token_sha256.data = digest;
    body.token_sha256.len = sizeof digest;
    body.expires_wall_ms = e->now.wall_ms + config->pending_ms;
    body.sender = UNCONST(config->senders[q->sender]);
    body.node = UNCONST(e->config->node);
    if (join) {
        body.carrier = UNCONST(e->carriers[q->owed.carrier].config->name);
        body.rule = UNCONST(q->plain.rule);
    }
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = q->number;
    if (join) {
        personal.text = q->text;
        personal.raw.data = q->raw;
        personal.raw.len = q->raw_length;
    } else {
        personal.evidence = q->evidence;
    }
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = e->program_scope[q->programs[0]];
    event.body_case = ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED;
    event.opt_in_requested = &body;
    e->metrics.counters[COUNT_OPT_INS_REQUESTED]++;
    return record_event(e, &event, &personal);
}

static void ask(struct engine *e, struct inquiry *q)
{
    uint8_t secret[TOKEN_OCTETS];
    char token[2 * TOKEN_OCTETS + 1];
    bool join = q->kind == INQUIRY_JOIN;
    e->ports->random(e->ports->context, secret, sizeof secret);
    hex_encode(span_of(secret, sizeof secret), token);
    uint64_t sequence = record_request(e, q, token);
    uint32_t pending_ms = e->config->programs[q->programs[0]].pending_ms;
    uint64_t question =
        admit_service(e, ASSENT__V1__SERVICE_KIND__OPT_IN_QUESTION, q->programs[0], q->sender,
                      q->number, q->language, sequence, join ? q->owed.carrier : -1,
                      pending_ms < TTL_MS_MAX ? pending_ms : TTL_MS_MAX);
    if (join) {
        struct reply r = reply_of(q);
        reply_answer(e, &r);
        return;
    }
    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    reply.state = UNCONST(state_name(CONSENT_PENDING));
    reply.token = token;
    reply.sequence = sequence;
    reply.question = question;
    if (question == 0)
        reply.message = UNCONST("no carrier has a route for this number: only the token confirms");
    e->ports->consent_reply(e->ports->context, q->call, question ? question : sequence, &reply);
}

/* ---- one at a time ---- */

static void claim_answered(struct engine *e, struct inquiry *q, enum once_answer answer)
{
    q->claimed = answer == ONCE_OURS || answer == ONCE_KEPT || e->plant == PLANT_ASKED_TWICE;
    if (answer == ONCE_TAKEN && !q->claimed) {
        tell_state(e, q, CONSENT_PENDING, "");
        finish(e, q);
    } else if (!q->claimed || !inquiry_ask(e, q)) {
        question_away(e, q);
    }
}

static void claim(struct engine *e, struct inquiry *q)
{
    uint16_t program = q->programs[0];
    q->once_answered = claim_answered;
    if (!inquiry_ask_once(e, q, ONCE_QUESTION, e->program_scope[program],
                          e->config->programs[program].pending_ms))
        question_away(e, q);
}

/* A hold, or a STOP that came after the JOIN while Redis was asked. */
static bool must_not_lift(const struct engine *e, const struct inquiry *q,
                          const struct consent_state *s)
{
    uint16_t scopes[SHOWN_SCOPES], hold = SCOPE_HOLD;
    shown_scopes(e, q->programs[0], scopes);
    return s->opted_out[1] || deny_find(e, q->number, &hold, 1) >= 0 ||
           deny_is_newer(e, q->number, scopes, SHOWN_SCOPES, q->came_at);
}

/* JOIN takes an opt-out back as START does, and then is a form: the person has acted. */
static enum state lift(struct engine *e, struct inquiry *q, const struct consent_state *s)
{
    enum state beneath = consent_state_beneath(e, q->programs[0], q->number, s);
    if (must_not_lift(e, q, s))
        return CONSENT_OPTED_OUT;
    if (!q->lifted) {
        struct reply r = reply_of(q);
        r.program_count = 0;
        reply_programs(e, &r);
        reply_start(e, &r, &q->plain, beneath == CONSENT_CONFIRMED || beneath == CONSENT_SINGLE);
    }
    q->lifted = true; /* on its way into Redis, which may not show it yet */
    return beneath;
}

void question_looked_up(struct engine *e, struct inquiry *q, const struct consent_state *s)
{
    bool join = q->kind == INQUIRY_JOIN;
    enum state state = consent_state_of(e, q->programs[0], q->number, s);
    if (join && state == CONSENT_OPTED_OUT)
        state = lift(e, q, s);
    Assent__V1__ConsentSource source =
        join ? ASSENT__V1__CONSENT_SOURCE__REPLY : ASSENT__V1__CONSENT_SOURCE__SUBMITTER;
    const char *why = standing_may(state, MOVE_ASK, source, join ? PROOF_RAW : PROOF_EVIDENCE);
    if (state == CONSENT_PENDING && e->plant == PLANT_ASKED_TWICE)
        why = NULL;
    if (why == NULL && !q->claimed) {
        claim(e, q);
        return;
    }
    if (why == NULL)
        ask(e, q);
    else
        tell_state(e, q, state, why);
    finish(e, q);
}

/* ---- JOIN ---- */

/* Only at a sender of the program's own; of several the first. */
static int joined_program(const struct engine *e, const struct reply *r, const char **ret_word)
{
    for (uint16_t i = 0; i < r->program_count; i++) {
        const struct program_config *program = &e->config->programs[r->programs[i]];
        for (uint16_t j = 0; j < program->join_count && !program->retired; j++)
            if (join_matches(span_from_string(r->text), program->join[j])) {
                *ret_word = program->join[j];
                return r->programs[i];
            }
    }
    return -1;
}

bool question_join(struct engine *e, const struct reply *r, const struct keyword_match *plain)
{
    const char *word;
    int program = joined_program(e, r, &word);
    if (program < 0 || r->number == 0 || r->incomplete)
        return false;
    struct inquiry *q = inquiry_of_reply(e, INQUIRY_JOIN, r);
    int sender = sender_index(&e->config->programs[program], r->address);
    q->programs[0] = (uint16_t)program;
    q->program_count = 1;
    q->sender = sender < 0 ? 0 : (uint8_t)sender;
    q->came_at = e->ports->ledger_next(e->ports->context);
    q->plain = *plain;
    snprintf(q->rule, sizeof q->rule, "join/%s", word);
    q->plain.rule = q->rule;
    q->plain.language = "";
    snprintf(q->source, sizeof q->source, "keyword");
    const char *language = language_of_number(r->number);
    snprintf(q->language, sizeof q->language, "%s",
             language[0] ? language : e->config->programs[program].language);
    if (!inquiry_ask(e, q))
        question_away(e, q);
    return true;
}

/* ---- answers ---- */

static const char *asking_sender(const struct consent_state *s)
{
    const char *space = strchr(s->asker, ' ');
    return space != NULL ? space + 1 : "";
}

/* Is a question of this program open that was asked from the sender which is answered now? */
static bool is_open(const struct engine *e, const struct inquiry *q, uint16_t program,
                    const struct consent_state *s)
{
    return s->pending && consent_state_of(e, program, q->number, s) == CONSENT_PENDING &&
           !projection_pending(e, WRITE_PENDING, q->number, e->program_scope[program]) &&
           strcmp(asking_sender(s), q->address) == 0;
}

void question_note(const struct engine *e, struct inquiry *q, const struct consent_state *s)
{
    uint16_t program = q->programs[q->at];
    if (!is_open(e, q, program, s))
        return;
    if (q->open_count++ > 0 && s->asked_wall_ms < q->newest.asked_wall_ms)
        return;
    q->newest = *s;
    q->newest_program = program;
}

/* Names the request's node where it is another; "" for our own. */
static void asking_node(const struct engine *e, const struct consent_state *s,
                        char out[NAME_OCTETS_MAX + 1])
{
    size_t length = strcspn(s->asker, " ");
    snprintf(out, NAME_OCTETS_MAX + 1, "%.*s", (int)length, s->asker);
    if (strcmp(out, e->config->node) == 0)
        out[0] = '\0';
}

uint64_t question_confirm(struct engine *e, const struct opt_in_proof *proof)
{
    const struct consent_state *s = proof->asked;
    char node[NAME_OCTETS_MAX + 1];
    asking_node(e, s, node);
    Assent__V1__OptInConfirmed body = ASSENT__V1__OPT_IN_CONFIRMED__INIT;
    body.source = proof->source;
    body.request = s->request;
    body.language = UNCONST(proof->language);
    body.rule = UNCONST(proof->rule);
    body.day = vacancy_consent_day(e, proof->number, e->now.wall_ms);
    body.node = node;
    body.asked_wall_ms = s->asked_wall_ms;
    body.expires_wall_ms = s->expires_wall_ms;
    body.open_questions = proof->open_questions;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = proof->number;
    personal.text = UNCONST(proof->text);
    personal.raw.data = (uint8_t *)(uintptr_t)proof->raw.data;
    personal.raw.len = proof->raw.length;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = e->program_scope[proof->program];
    event.body_case = ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED;
    event.opt_in_confirmed = &body;
    uint64_t sequence = record_event(e, &event, &personal);
    e->metrics.counters[COUNT_OPT_INS_CONFIRMED]++;
    int sender = sender_index(&e->config->programs[proof->program], asking_sender(s));
    admit_service(e, ASSENT__V1__SERVICE_KIND__WELCOME, proof->program,
                  sender > 0 ? (uint8_t)sender : 0, proof->number, proof->language, sequence,
                  proof->carrier, SERVICE_TTL_MS);
    return sequence;
}

static void decline(struct engine *e, const struct inquiry *q)
{
    char node[NAME_OCTETS_MAX + 1];
    asking_node(e, &q->newest, node);
    Assent__V1__OptInDeclined body = ASSENT__V1__OPT_IN_DECLINED__INIT;
    body.request = q->newest.request;
    body.node = node;
    body.asked_wall_ms = q->newest.asked_wall_ms;
    body.expires_wall_ms = q->newest.expires_wall_ms;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = q->number;
    personal.text = UNCONST(q->text);
    personal.raw.data = (uint8_t *)(uintptr_t)q->raw;
    personal.raw.len = q->raw_length;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = e->program_scope[q->newest_program];
    event.body_case = ASSENT__V1__EVENT__BODY_OPT_IN_DECLINED;
    event.opt_in_declined = &body;
    record_event(e, &event, &personal);
    e->metrics.counters[COUNT_OPT_INS_DECLINED]++;
}

bool question_answer(struct engine *e, struct inquiry *q)
{
    if (q->open_count == 0)
        return false;
    if (q->match.meaning != MEANING_CONFIRM) {
        decline(e, q);
        return true;
    }
    struct opt_in_proof proof = {.program = q->newest_program,
                                 .asked = &q->newest,
                                 .number = q->number,
                                 .source = ASSENT__V1__CONSENT_SOURCE__REPLY,
                                 .open_questions = q->open_count > 1 ? q->open_count : 0,
                                 .language = q->match.language,
                                 .rule = q->match.rule,
                                 .text = q->text,
                                 .raw = span_of(q->raw, q->raw_length),
                                 .carrier = q->owed.carrier};
    question_confirm(e, &proof);
    return true;
}

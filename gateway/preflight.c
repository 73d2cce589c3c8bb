/* SPDX-License-Identifier: Apache-2.0 */
/* Dry runs: what would become of messages if they were sent now. Each is made by admit_preview() as a
 * message that is in no table, and then goes through the gates as one on its way: the facts of gates.c, the
 * table of consent/policy.h. Redis is only read. Questions are few at a time and stand behind those of real
 * messages. */
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/frame.h"

#define COOKIE_MESSAGE_BITS 16

static_assert(SUBMIT_MESSAGES_MAX <= 1 << COOKIE_MESSAGE_BITS, "a message's index fits its cookie");

struct item {
    struct message *message; /* NULL: it would not be accepted */
    struct submit_verdict verdict;
    struct check asked;
    struct check_result answer;
};

struct preflight {
    uint64_t call;
    size_t count, asked, done;
    struct item items[];
};

static void preflight_free(struct preflight *p)
{
    for (size_t i = 0; p != NULL && i < p->count; i++)
        message_alone_free(p->items[i].message);
    free(p);
}

void preflights_free(struct engine *e)
{
    for (unsigned i = 0; i < PREFLIGHTS_MAX; i++) {
        preflight_free(e->preflights[i]);
        e->preflights[i] = NULL;
    }
}

/* ---- the answer ---- */

static void find_facts(const struct engine *e, const struct item *item, struct gate_facts *ret)
{
    gates_own_facts(e, item->message, ret);
    gates_add_answer(e, item->message, &item->asked, &item->answer, ret);
    gates_add_denial(e, item->message, ret);
    if (ret->known & GATE_BIT(GATE_QUIET_HOURS)) /* at its send-at, where it has one */
        ret->quiet_until_wall_ms = item->verdict.due_wall_ms;
}

static Assent__V1__Foresight foresight_of(enum decision_kind kind)
{
    switch (kind) {
    case DECISION_PASS:
        return ASSENT__V1__FORESIGHT__FORESIGHT_SENT;
    case DECISION_REFUSE:
        return ASSENT__V1__FORESIGHT__FORESIGHT_REFUSED;
    case DECISION_WAIT:
        return ASSENT__V1__FORESIGHT__FORESIGHT_WAITS;
    case DECISION_UNKNOWN:
        break;
    }
    return ASSENT__V1__FORESIGHT__FORESIGHT_NOT_KNOWN;
}

static Assent__V1__GateAnswer told(enum gate_answer answer)
{
    static const Assent__V1__GateAnswer answers[] = {
        [ANSWER_EXEMPT] = ASSENT__V1__GATE_ANSWER__GATE_EXEMPT,
        [ANSWER_PASSED] = ASSENT__V1__GATE_ANSWER__GATE_PASSED,
        [ANSWER_REFUSED] = ASSENT__V1__GATE_ANSWER__GATE_REFUSED,
        [ANSWER_UNKNOWN] = ASSENT__V1__GATE_ANSWER__GATE_NOT_KNOWN,
    };
    return answers[answer];
}

/* What the reply of one message is made of. */
struct told {
    Assent__V1__Preflight message;
    Assent__V1__Verdict verdict;
    Assent__V1__PreflightGate gates[GATE_COUNT];
    Assent__V1__PreflightGate *gate_pointers[GATE_COUNT];
};

static void tell_gates(const struct gate_facts *facts, uint32_t answers, struct told *t)
{
    for (int i = 0; i < GATE_COUNT; i++) {
        enum gate gate = (enum gate)i;
        enum gate_answer answer = gate_answer_of(answers, gate);
        Assent__V1__PreflightGate *g = t->gate_pointers[i] = &t->gates[i];
        assent__v1__preflight_gate__init(g);
        g->name = UNCONST(gate_name(gate));
        g->answer = told(answer);
        g->why = UNCONST(policy_why(gate, answer, facts));
        if (answer == ANSWER_REFUSED)
            g->not_before_wall_ms = policy_not_before(gate, facts);
    }
    t->message.n_gates = GATE_COUNT;
    t->message.gates = t->gate_pointers;
}

static void tell_decision(const struct engine *e, const struct item *item, struct told *t)
{
    struct gate_facts facts;
    find_facts(e, item, &facts);
    struct decision d = policy_decide(&facts);
    t->message.foresight = foresight_of(d.kind);
    t->message.reason = d.reason;
    t->message.not_before_wall_ms = d.not_before_wall_ms;
    tell_gates(&facts, d.answers, t);
    if (d.kind != DECISION_PASS) {
        t->message.gate = UNCONST(gate_name(d.gate));
        t->message.why = t->gates[d.gate].why;
    } else if (reputation_holds(e, item->message)) {
        t->message.foresight = ASSENT__V1__FORESIGHT__FORESIGHT_WAITS;
        t->message.reason = ASSENT__V1__REASON__SENDER_PAUSED;
        t->message.gate = UNCONST("reputation");
        t->message.why =
            UNCONST("its sender is paused at its carrier until an operator releases it");
    }
}

static void tell(const struct engine *e, const struct item *item, struct told *t)
{
    const struct submit_verdict *v = &item->verdict;
    assent__v1__preflight__init(&t->message);
    assent__v1__verdict__init(&t->verdict);
    t->message.verdict = &t->verdict;
    t->verdict.code = v->code;
    t->verdict.message = UNCONST(v->message);
    t->verdict.parts = v->parts;
    t->verdict.encoding = v->encoding;
    t->verdict.replaced = v->replaced;
    t->verdict.due_wall_ms = v->due_wall_ms;
    if (v->brand_prefix != NULL)
        t->verdict.brand_prefix = UNCONST(v->brand_prefix);
    if (v->opt_out_line != NULL)
        t->verdict.opt_out_line = UNCONST(v->opt_out_line);
    if (item->message != NULL)
        tell_decision(e, item, t);
}

static void reply(struct engine *e, const struct preflight *p)
{
    struct told *all = check_calloc(p->count, sizeof *all);
    Assent__V1__Preflight **pointers = check_calloc(p->count, sizeof *pointers);
    Assent__V1__PreflightReply answer = ASSENT__V1__PREFLIGHT_REPLY__INIT;
    for (size_t i = 0; i < p->count; i++) {
        tell(e, &p->items[i], &all[i]);
        pointers[i] = &all[i].message;
    }
    answer.n_messages = p->count;
    answer.messages = pointers;
    e->ports->preflight_reply(e->ports->context, p->call, &answer);
    free(pointers);
    free(all);
}

static void one_done(struct engine *e, unsigned slot)
{
    struct preflight *p = e->preflights[slot];
    if (++p->done < p->count)
        return;
    reply(e, p);
    preflight_free(p);
    e->preflights[slot] = NULL;
}

/* ---- asking Redis ---- */

/* True when an answer will come. */
static bool ask(struct engine *e, unsigned slot, size_t index)
{
    struct item *item = &e->preflights[slot]->items[index];
    if (item->message == NULL)
        return false;
    gates_check(e, item->message, &item->asked);
    item->asked.cookie = PREFLIGHT_COOKIE | (uint64_t)slot << COOKIE_MESSAGE_BITS | index;
    return gate_is_open(e) && e->ports->store_check(e->ports->context, &item->asked);
}

static void go_on(struct engine *e, unsigned slot)
{
    struct preflight *p = e->preflights[slot];
    while (p->asked < p->count && e->preflight_checks < PREFLIGHT_CHECKS_MAX) {
        bool last = p->asked + 1 == p->count;
        if (ask(e, slot, p->asked++))
            e->preflight_checks++;
        else
            one_done(e, slot);
        if (last) /* and it may be gone */
            return;
    }
}

void preflight_turn(struct engine *e)
{
    for (unsigned slot = 0; slot < PREFLIGHTS_MAX; slot++)
        if (e->preflights[slot] != NULL)
            go_on(e, slot);
}

bool preflight_waits(const struct engine *e)
{
    for (unsigned slot = 0; slot < PREFLIGHTS_MAX; slot++)
        if (e->preflights[slot] != NULL && e->preflights[slot]->asked < e->preflights[slot]->count)
            return e->preflight_checks < PREFLIGHT_CHECKS_MAX;
    return false;
}

void preflight_checked(struct engine *e, const struct check_result *result)
{
    uint64_t index = result->cookie & ((1u << COOKIE_MESSAGE_BITS) - 1);
    uint64_t slot = (result->cookie & ~PREFLIGHT_COOKIE) >> COOKIE_MESSAGE_BITS;
    CHECK(slot < PREFLIGHTS_MAX && e->preflights[slot] != NULL &&
          index < e->preflights[slot]->asked);
    e->preflight_checks--;
    e->preflights[slot]->items[index].answer = *result;
    if (e->plant == PLANT_FORESIGHT_BLIND)
        e->preflights[slot]->items[index].answer.denied = 0;
    one_done(e, (unsigned)slot);
}

/* ---- the call ---- */

static void begin(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                  struct item *item)
{
    const char *field;
    if (!frame_strings_valid(&in->base, &field)) {
        item->verdict = (struct submit_verdict){
            .code = ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
            .message = "a string is not valid UTF-8, or holds a NUL",
        };
        return;
    }
    item->message = admit_preview(e, client, in, &item->verdict);
    if (item->message == NULL)
        return;
    item->message->foretold = e->plant != PLANT_FORESIGHT_TAKES;
    item->message->need_days = true; /* a new owner, and since when, in one round */
}

bool engine_preflight(struct engine *e, uint16_t client, uint64_t call,
                      const Assent__V1__PreflightRequest *request, struct instant now)
{
    e->now = now;
    unsigned slot = 0;
    while (slot < PREFLIGHTS_MAX && e->preflights[slot] != NULL)
        slot++;
    if (slot == PREFLIGHTS_MAX)
        return false;
    CHECK(request->n_messages >= 1 && request->n_messages <= SUBMIT_MESSAGES_MAX);
    struct preflight *p = check_calloc(1, sizeof *p + request->n_messages * sizeof(struct item));
    p->call = call;
    p->count = request->n_messages;
    for (size_t i = 0; i < p->count; i++)
        begin(e, client, request->messages[i], &p->items[i]);
    e->preflights[slot] = p;
    return true; /* the turn asks */
}

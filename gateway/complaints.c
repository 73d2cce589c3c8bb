/* SPDX-License-Identifier: Apache-2.0 */
/* Complaints. Opening one suppresses the number before anything else is done: the hold of consent/gate.h, through
 * the same door as a STOP, so that deny set, ledger, Redis and the other gateways have it and what waits is
 * cancelled. Redis says when it has it whether a hold stood there before: such a one is not this complaint's to
 * release. Then the complaint is recorded and answered; a crash in between leaves the hold, and whoever got no
 * answer opens it again.
 *
 *   held --Redis has it, or is away--> open --resolve--> closed            the hold stands
 *                                           --resolve, release--> closed   it is taken back, and none that came
 *                                                                          before or after it
 *
 * Only open ones stand here, at most COMPLAINTS_MAX; what is closed is in the ledger alone. Times are of the wall,
 * since they must outlive the process. */
#include "gateway/complaint.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/config_text.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/number.h"

#define RELEASE_WITHIN_MS (STOP_TIMES_MS - 3600ull * 1000) /* Redis may be away for a while */
#define SLACK_MS          (24ull * 3600 * 1000) /* a date alone, from a zone ahead of ours */

struct complaint {
    TAILQ_ENTRY(complaint) link; /* oldest first */
    uint64_t id, number;         /* id 0: its hold is on its way to Redis; number 0: erased */
    uint64_t received_wall_ms, due_wall_ms;
    uint64_t hold, hold_wall_ms;
    uint64_t messages[COMPLAINT_MESSAGES_MAX];
    uint32_t program; /* scope */
    uint8_t message_count, channel, type;
    bool held_before;
    char carrier[NAME_OCTETS_MAX + 1], sender[17], who[NAME_OCTETS_MAX + 1];
    char case_reference[REFERENCE_OCTETS_MAX + 1];
    uint64_t call; /* until it is recorded: who waits for it, */
    char *words;   /* and what was said */
};

TAILQ_HEAD(complaint_list, complaint);

/* Names with a series of their own, in the order in which they came; the last one stands for all others. */
struct labels {
    struct complaint_label rows[COMPLAINT_LABELS_MAX];
    unsigned count;
};

struct complaint_desk {
    struct complaint_list open, held;
    struct table by_id;     /* the open ones */
    struct table of_number; /* how many of them */
    size_t held_count;
    uint64_t opened[COMPLAINT_CHANNELS][COMPLAINT_TYPES], resolved[COMPLAINT_FINDINGS];
    struct labels labels[COMPLAINT_LABEL_KINDS];
};

void complaints_init(struct engine *e)
{
    e->desk = check_calloc(1, sizeof *e->desk);
    TAILQ_INIT(&e->desk->open);
    TAILQ_INIT(&e->desk->held);
    table_init(&e->desk->by_id);
    table_init(&e->desk->of_number);
}

static void uncount_number(struct engine *e, const struct complaint *c)
{
    uint64_t *count = c->number != 0 ? table_find(&e->desk->of_number, c->number) : NULL;
    if (count != NULL && --*count == 0)
        table_remove(&e->desk->of_number, c->number);
}

static void drop(struct engine *e, struct complaint *c)
{
    uncount_number(e, c);
    TAILQ_REMOVE(&e->desk->open, c, link);
    table_remove(&e->desk->by_id, c->id);
    free(c);
}

void complaints_release(struct engine *e)
{
    struct complaint *c;
    while ((c = TAILQ_FIRST(&e->desk->open)) != NULL)
        drop(e, c);
    while ((c = TAILQ_FIRST(&e->desk->held)) != NULL) {
        TAILQ_REMOVE(&e->desk->held, c, link);
        free(c->words);
        free(c);
    }
    table_release(&e->desk->by_id);
    table_release(&e->desk->of_number);
    free(e->desk);
}

static void add(struct engine *e, struct complaint *c)
{
    TAILQ_INSERT_TAIL(&e->desk->open, c, link);
    *table_put(&e->desk->by_id, c->id) = (uint64_t)(uintptr_t)c;
    if (c->number != 0)
        ++*table_put(&e->desk->of_number, c->number);
}

/* ---- answers ---- */

static void reply_with(struct engine *e, uint64_t call, uint64_t ready_at,
                       const Assent__V1__ComplaintReply *reply)
{
    e->ports->complaint_reply(e->ports->context, call, ready_at, reply);
}

static void refuse(struct engine *e, uint64_t call, Assent__V1__Code code, const char *why)
{
    Assent__V1__ComplaintReply reply = ASSENT__V1__COMPLAINT_REPLY__INIT;
    reply.code = code;
    reply.message = UNCONST(why);
    reply_with(e, call, 0, &reply);
}

static void reply_opened(struct engine *e, uint64_t call, const struct complaint *c, bool already)
{
    Assent__V1__ComplaintReply reply = ASSENT__V1__COMPLAINT_REPLY__INIT;
    reply.complaint = c->id;
    reply.due_wall_ms = c->due_wall_ms;
    reply.record = c->hold;
    reply.already_open = already;
    reply_with(e, call, c->id, &reply);
}

/* ---- counting ---- */

static void count_label(struct labels *labels, const char *name)
{
    unsigned i = 0;
    if (name[0] == '\0')
        name = "unknown";
    while (i < labels->count && strcmp(labels->rows[i].name, name) != 0)
        i++;
    if (i >= COMPLAINT_LABELS_MAX - 1) {
        i = COMPLAINT_LABELS_MAX - 1;
        name = "other";
    }
    if (i >= labels->count) {
        labels->count = i + 1;
        snprintf(labels->rows[i].name, sizeof labels->rows[i].name, "%s", name);
    }
    labels->rows[i].opened++;
}

static void count_opened(struct engine *e, const struct complaint *c)
{
    struct complaint_desk *desk = e->desk;
    int program = engine_program_of_scope(e, c->program);
    desk->opened[c->channel][c->type]++;
    count_label(&desk->labels[COMPLAINTS_BY_PROGRAM],
                program < 0 ? "" : e->config->programs[program].name);
    count_label(&desk->labels[COMPLAINTS_BY_CARRIER], c->carrier);
    count_label(&desk->labels[COMPLAINTS_BY_SENDER], c->sender);
}

static uint64_t first_message(const struct complaint_list *list, uint64_t first)
{
    const struct complaint *c;
    TAILQ_FOREACH (c, list, link)
        for (unsigned i = 0; i < c->message_count; i++)
            if (c->messages[i] < first)
                first = c->messages[i];
    return first;
}

uint64_t complaints_first_message(const struct engine *e)
{
    return first_message(&e->desk->open, first_message(&e->desk->held, UINT64_MAX));
}

void engine_complaints(const struct engine *e, uint64_t wall_ms, struct complaint_status *ret)
{
    const struct complaint_desk *desk = e->desk;
    const struct complaint *c;
    *ret = (struct complaint_status){.open = desk->by_id.count};
    TAILQ_FOREACH (c, &desk->open, link)
        ret->overdue += c->due_wall_ms < wall_ms;
}

uint64_t engine_complaints_opened(const struct engine *e, unsigned channel, unsigned type)
{
    return e->desk->opened[channel][type];
}

uint64_t engine_complaints_resolved(const struct engine *e, unsigned finding)
{
    return e->desk->resolved[finding];
}

const struct complaint_label *
engine_complaints_of(const struct engine *e, enum complaint_label_kind kind, unsigned *ret_count)
{
    *ret_count = e->desk->labels[kind].count;
    return e->desk->labels[kind].rows;
}

/* ---- the record ---- */

/* Fills the event that says so; it points into `c`. */
static void describe(const struct complaint *c, Assent__V1__ComplaintOpened *body,
                     Assent__V1__Personal *personal)
{
    assent__v1__complaint_opened__init(body);
    body->channel = (Assent__V1__ComplaintChannel)c->channel;
    body->type = (Assent__V1__ComplaintType)c->type;
    body->received_wall_ms = c->received_wall_ms;
    body->due_wall_ms = c->due_wall_ms;
    body->hold = c->hold;
    body->hold_wall_ms = c->hold_wall_ms;
    body->held_before = c->held_before;
    body->n_messages = c->message_count;
    body->messages = (uint64_t *)(uintptr_t)c->messages;
    body->carrier = UNCONST(c->carrier);
    body->sender = UNCONST(c->sender);
    body->who = UNCONST(c->who);
    assent__v1__personal__init(personal);
    personal->number = c->number;
    personal->reference = UNCONST(c->case_reference);
}

static void record_opened(struct engine *e, struct complaint *c)
{
    Assent__V1__ComplaintOpened body;
    Assent__V1__Personal personal;
    describe(c, &body, &personal);
    personal.text = c->words;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = c->program;
    event.body_case = ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED;
    event.complaint_opened = &body;
    c->id = record_event(e, &event, &personal);
    reputation_complained(e, c->sender, c->carrier, event.wall_ms);
}

/* ---- opening ---- */

static struct complaint *same_number(const struct engine *e, uint64_t number)
{
    struct complaint *c;
    if (table_find(&e->desk->of_number, number) == NULL)
        return NULL;
    TAILQ_FOREACH (c, &e->desk->open, link)
        if (c->number == number)
            return c;
    return NULL;
}

static struct complaint *same_case(const struct complaint_list *list, const struct complaint *made)
{
    struct complaint *c;
    TAILQ_FOREACH (c, list, link)
        if (c->number == made->number && c->channel == made->channel &&
            strcmp(c->carrier, made->carrier) == 0 &&
            strcmp(c->case_reference, made->case_reference) == 0)
            return c;
    return NULL;
}

static const char *bad_request(const struct engine *e, const Assent__V1__ComplaintRequest *in)
{
    uint64_t number;
    if (number_parse(span_from_string(in->number), &number) != ERR_OK)
        return "number: not E.164 (5 to 15 digits with country code, + optional)";
    if (in->channel <= 0 || in->channel >= COMPLAINT_CHANNELS)
        return "channel: needed: how the complaint came in";
    if (in->type <= 0 || in->type >= COMPLAINT_TYPES)
        return "type: needed: what it is about";
    if (in->n_messages > COMPLAINT_MESSAGES_MAX)
        return "message: at most 16 are named";
    if (strlen(in->words) > EVIDENCE_OCTETS_MAX)
        return "words: at most 2,048 octets";
    if (strlen(in->case_reference) > REFERENCE_OCTETS_MAX || strlen(in->who) > NAME_OCTETS_MAX)
        return "case: at most 64 octets; who: at most 32";
    if (in->program[0] != '\0' && config_find_program(e->config, in->program) < 0)
        return "program: unknown; see `programs` in the configuration";
    if (in->carrier[0] != '\0' && carrier_index(e, in->carrier) < 0)
        return "carrier: unknown; see `carriers` in the configuration";
    if (in->sender[0] != '\0' && !config_is_sender(in->sender + (in->sender[0] == '+')))
        return "sender: no sender: digits, or up to 11 letters and digits";
    if (in->received_wall_ms > e->now.wall_ms + SLACK_MS)
        return "received: in the future";
    return NULL;
}

/* The message that it is about: the first that is named, else the latest one to the number; as far as they are
 * open still. */
static const struct message *message_about(const struct engine *e, const struct complaint *c)
{
    const struct message *m;
    for (uint8_t i = 0; i < c->message_count; i++)
        if ((m = message_find(&e->messages, c->messages[i])) != NULL)
            return m;
    m = c->message_count == 0 ? message_first_of_number(&e->messages, c->number) : NULL;
    while (m != NULL && m->service != 0)
        m = m->next_same_number;
    return m;
}

static void attribute(const struct engine *e, struct complaint *c,
                      const Assent__V1__ComplaintRequest *in)
{
    const struct message *m = message_about(e, c);
    int program = in->program[0] != '\0' ? config_find_program(e->config, in->program)
                  : m != NULL            ? m->program
                                         : -1;
    const char *sender = in->sender[0] != '\0' ? in->sender + (in->sender[0] == '+')
                         : m != NULL           ? e->config->programs[m->program].senders[m->sender]
                                               : "";
    const char *carrier = in->carrier[0] != '\0' ? in->carrier
                          : m != NULL            ? e->carriers[m->carrier].config->name
                                                 : "";
    c->program = program < 0 ? 0 : e->program_scope[program];
    snprintf(c->sender, sizeof c->sender, "%s", sender);
    snprintf(c->carrier, sizeof c->carrier, "%s", carrier);
}

/* NULL, after a refusal. */
static struct complaint *complaint_of(struct engine *e, uint64_t call,
                                      const Assent__V1__ComplaintRequest *in)
{
    const char *why = bad_request(e, in);
    if (why != NULL) {
        refuse(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT, why);
        return NULL;
    }
    struct complaint *c = check_calloc(1, sizeof *c);
    CHECK(number_parse(span_from_string(in->number), &c->number) == ERR_OK);
    c->channel = (uint8_t)in->channel;
    c->type = (uint8_t)in->type;
    c->received_wall_ms = in->received_wall_ms != 0 && in->received_wall_ms < e->now.wall_ms
                              ? in->received_wall_ms
                              : e->now.wall_ms;
    c->due_wall_ms = c->received_wall_ms + e->config->complaint_due_ms[c->channel];
    c->message_count = (uint8_t)in->n_messages;
    for (size_t i = 0; i < in->n_messages; i++)
        c->messages[i] = in->messages[i];
    snprintf(c->case_reference, sizeof c->case_reference, "%s", in->case_reference);
    snprintf(c->who, sizeof c->who, "%s", in->who);
    attribute(e, c, in);
    return c;
}

static void suppress(struct engine *e, struct complaint *c)
{
    struct opt_out o = {
        .number = c->number,
        .scopes = {SCOPE_HOLD},
        .scope_count = 1,
        .source = ASSENT__V1__CONSENT_SOURCE__OPERATOR,
        .client = "",
        .carrier = c->carrier,
        .sender = c->sender,
        .rule = "",
        .language = "",
        .how = "complaint",
        .text = "",
        .evidence = c->words,
        .program = -1,
    };
    c->hold = opt_out_apply(e, &o);
    c->hold_wall_ms = e->now.wall_ms;
}

/* Recorded, counted and answered. */
static void opened(struct engine *e, struct complaint *c)
{
    record_opened(e, c);
    free(c->words);
    c->words = NULL;
    add(e, c);
    count_opened(e, c);
    reply_opened(e, c->call, c, false);
}

static void leave_held(struct engine *e, struct complaint *c, bool held_before)
{
    TAILQ_REMOVE(&e->desk->held, c, link);
    e->desk->held_count--;
    c->held_before = held_before;
    opened(e, c);
}

/* Where another gateway's hold stands it is taken once more: the first may have been recorded before that one, and the
 * release of that one takes back what is older. */
void complaint_hold_written(struct engine *e, uint64_t sequence, bool added)
{
    struct complaint *c;
    TAILQ_FOREACH (c, &e->desk->held, link) {
        if (c->hold != sequence)
            continue;
        const struct complaint *other = same_number(e, c->number);
        if (other == NULL && !added && !c->held_before) {
            c->held_before = true;
            suppress(e, c);
        } else {
            leave_held(e, c, other != NULL ? other->held_before : !added);
        }
        return;
    }
}

/* Nobody can say whether another hold stands there. */
void complaints_store_away(struct engine *e)
{
    while (!TAILQ_EMPTY(&e->desk->held))
        leave_held(e, TAILQ_FIRST(&e->desk->held), true);
}

void complaints_erase(struct engine *e, const struct person_mark *person)
{
    struct complaint *c, *next;
    for (c = TAILQ_FIRST(&e->desk->held); c != NULL; c = next) {
        next = TAILQ_NEXT(c, link);
        if (person_is(person, c->number))
            leave_held(e, c, true);
    }
    TAILQ_FOREACH (c, &e->desk->open, link)
        if (c->number != 0 && person_is(person, c->number)) {
            uncount_number(e, c);
            c->number = 0;
            c->case_reference[0] = '\0';
        }
}

static const char *cannot_open(const struct engine *e, const struct complaint *c)
{
    const char *why = erasure_refuses(e, c->number);
    if (why != NULL)
        return why;
    for (uint8_t i = 0; i < c->message_count; i++) {
        const struct message *m = message_find(&e->messages, c->messages[i]);
        if (m != NULL && m->number != c->number)
            return "message: it went to another number";
    }
    if (c->case_reference[0] != '\0' && same_case(&e->desk->held, c) != NULL)
        return "case: it is being opened at this moment";
    return NULL;
}

static void open_complaint(struct engine *e, uint64_t call, const Assent__V1__ComplaintRequest *in)
{
    if (e->desk->by_id.count + e->desk->held_count >= COMPLAINTS_MAX) {
        refuse(e, call, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
               "too many complaints are open; nothing is done: resolve some, and hold the number "
               "meanwhile with `assent consent optout --hold`");
        return;
    }
    struct complaint *c = complaint_of(e, call, in), *known = NULL;
    const char *why = c != NULL ? cannot_open(e, c) : NULL;
    if (c != NULL && why == NULL && c->case_reference[0] != '\0')
        known = same_case(&e->desk->open, c);
    if (why != NULL)
        refuse(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT, why);
    else if (known != NULL)
        reply_opened(e, call, known, true);
    if (c == NULL || why != NULL || known != NULL) {
        free(c);
        return;
    }
    c->call = call;
    c->words = check_strdup(in->words);
    TAILQ_INSERT_TAIL(&e->desk->held, c, link);
    e->desk->held_count++;
    if (e->plant != PLANT_COMPLAINT_WAITS)
        suppress(e, c);
    if (!gate_is_open(e) || c->hold == 0)
        leave_held(e, c, true);
}

/* ---- resolving ---- */

static const char *bad_resolution(const Assent__V1__ComplaintRequest *in)
{
    if (in->finding <= 0 || in->finding >= COMPLAINT_FINDINGS)
        return "finding: needed: valid, sent-in-error, technical-fault, not-ours or unfounded";
    if (in->cause[0] == '\0')
        return "cause: needed: what led to the complaint";
    if (in->action[0] == '\0')
        return "action: needed: what is done so that it does not come again";
    if (strlen(in->cause) > EVIDENCE_OCTETS_MAX || strlen(in->action) > EVIDENCE_OCTETS_MAX ||
        strlen(in->answer) > EVIDENCE_OCTETS_MAX)
        return "cause, action, answer: at most 2,048 octets each";
    return strlen(in->who) > NAME_OCTETS_MAX ? "who: at most 32 octets" : NULL;
}

/* Why its hold cannot be released with it, or NULL. */
static const char *keeps_hold(const struct engine *e, const struct complaint *c, unsigned finding)
{
    const struct complaint *other;
    if (!complaint_may_release(finding))
        return "release: who complained with reason is not sent to again before they say so: "
               "resolve it without, or find otherwise";
    if (c->number == 0)
        return "release: the person has been erased";
    if (c->held_before)
        return "release: another hold stands there, or nobody could say: resolve it without, and "
               "see `assent consent release`";
    TAILQ_FOREACH (other, &e->desk->open, link)
        if (other != c && other->number == c->number)
            return "release: another complaint about this number is open";
    TAILQ_FOREACH (other, &e->desk->held, link)
        if (other->number == c->number)
            return "release: another complaint about this number is being opened";
    if (c->hold_wall_ms + RELEASE_WITHIN_MS < e->now.wall_ms)
        return "release: the hold is older than a week, so that a later one cannot be told from "
               "it: "
               "resolve it without, and see `assent consent release`";
    return NULL;
}

/* The others about this number must not release what this one leaves. */
static void leave_hold(struct engine *e, const struct complaint *closed)
{
    struct complaint *c;
    TAILQ_FOREACH (c, &e->desk->open, link)
        if (c != closed && c->number == closed->number)
            c->held_before = true;
}

static uint64_t record_resolved(struct engine *e, const struct complaint *c,
                                const Assent__V1__ComplaintRequest *in, uint64_t release)
{
    Assent__V1__ComplaintResolved body = ASSENT__V1__COMPLAINT_RESOLVED__INIT;
    body.complaint = c->id;
    body.finding = in->finding;
    body.release = release;
    body.who = in->who;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = c->number;
    personal.cause = in->cause;
    personal.action = in->action;
    personal.text = in->answer;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = c->program;
    event.body_case = ASSENT__V1__EVENT__BODY_COMPLAINT_RESOLVED;
    event.complaint_resolved = &body;
    return record_event(e, &event, &personal);
}

static void resolve_complaint(struct engine *e, uint64_t call,
                              const Assent__V1__ComplaintRequest *in)
{
    struct complaint *c = table_find_pointer(&e->desk->by_id, in->complaint);
    const char *why = bad_resolution(in);
    if (c == NULL) {
        refuse(e, call, ASSENT__V1__CODE__CODE_NOT_FOUND,
               "no complaint of this id is open at this gateway: it is resolved, or never was one; "
               "see `assent complaint list`");
        return;
    }
    if (why != NULL) {
        refuse(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT, why);
        return;
    }
    if (in->release && (why = keeps_hold(e, c, (unsigned)in->finding)) != NULL) {
        refuse(e, call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION, why);
        return;
    }
    Assent__V1__ComplaintReply reply = ASSENT__V1__COMPLAINT_REPLY__INIT;
    reply.complaint = c->id;
    if (in->release)
        reply.record = hold_release(e, c->number, in->who, in->cause, c->hold_wall_ms + 1);
    else
        leave_hold(e, c);
    uint64_t record = record_resolved(e, c, in, reply.record);
    e->desk->resolved[in->finding]++;
    drop(e, c);
    reply_with(e, call, record, &reply);
}

void engine_complain(struct engine *e, uint16_t client, uint64_t call,
                     const Assent__V1__ComplaintRequest *in, struct instant now)
{
    const char *why;
    e->now = now;
    if (client != CLIENT_OPERATOR)
        refuse(e, call, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
               "only the gateway's operator opens and resolves complaints");
    else if (engine_refuses(e, &why))
        refuse(e, call, ASSENT__V1__CODE__CODE_UNAVAILABLE, why);
    else if (in->complaint == 0)
        open_complaint(e, call, in);
    else
        resolve_complaint(e, call, in);
}

/* ---- recovery ---- */

/* A complaint whose person has been erased stays open, and may be resolved. */
static void replay_opened(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                          const Assent__V1__Personal *personal)
{
    const Assent__V1__ComplaintOpened *body = event->complaint_opened;
    uint64_t id = body->id != 0 ? body->id : sequence;
    if (id == 0 || table_find(&e->desk->by_id, id) != NULL)
        return;
    struct complaint *c = check_calloc(1, sizeof *c);
    c->id = id;
    c->number = personal != NULL ? personal->number : 0;
    c->channel = (uint8_t)((unsigned)body->channel < COMPLAINT_CHANNELS ? body->channel : 0);
    c->type = (uint8_t)((unsigned)body->type < COMPLAINT_TYPES ? body->type : 0);
    c->received_wall_ms = body->received_wall_ms;
    c->due_wall_ms = body->due_wall_ms;
    c->hold = body->hold;
    c->hold_wall_ms = body->hold_wall_ms;
    c->held_before = body->held_before;
    c->program = event->program;
    c->message_count =
        (uint8_t)(body->n_messages < COMPLAINT_MESSAGES_MAX ? body->n_messages
                                                            : COMPLAINT_MESSAGES_MAX);
    for (uint8_t i = 0; i < c->message_count; i++)
        c->messages[i] = body->messages[i];
    snprintf(c->carrier, sizeof c->carrier, "%s", body->carrier);
    snprintf(c->sender, sizeof c->sender, "%s", body->sender);
    snprintf(c->who, sizeof c->who, "%s", body->who);
    snprintf(c->case_reference, sizeof c->case_reference, "%s",
             personal != NULL ? personal->reference : "");
    add(e, c);
}

void complaints_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                       const Assent__V1__Personal *personal)
{
    if (event->body_case == ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED)
        replay_opened(e, sequence, event, personal);
    if (event->body_case != ASSENT__V1__EVENT__BODY_COMPLAINT_RESOLVED)
        return;
    const Assent__V1__ComplaintResolved *body = event->complaint_resolved;
    struct complaint *c = table_find_pointer(&e->desk->by_id, body->complaint);
    if (c != NULL && body->release == 0)
        leave_hold(e, c);
    if (c != NULL)
        drop(e, c);
}

void complaints_snapshot(struct engine *e,
                         void (*put)(void *context, Assent__V1__Event *event,
                                     const Assent__V1__Personal *personal),
                         void *context)
{
    const struct complaint *c;
    TAILQ_FOREACH (c, &e->desk->open, link) {
        Assent__V1__ComplaintOpened body;
        Assent__V1__Personal personal;
        describe(c, &body, &personal);
        body.id = c->id;
        Assent__V1__Event event = EVENT_INIT(e);
        event.program = c->program;
        event.body_case = ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED;
        event.complaint_opened = &body;
        put(context, &event, &personal);
    }
}

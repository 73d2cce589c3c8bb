/* SPDX-License-Identifier: Apache-2.0 */
/* Erasure of a person on request. In this order, so that each step can be done again after a crash:
 *
 *   ASKED      Redis is asked whether a hold stands, which would have to be released first; as soon as it has all that
 *              was recorded before
 *   ENDING     what waits for the number is cancelled; what is on the wire gets its answer first. Nothing new
 *              is taken for it meanwhile
 *   RECORDED   Erased is in the ledger: from here on nothing takes it back. Redis drops all that stands under
 *              the number, and keeps the fingerprint where an opt-out stood
 *   READY      what Redis keeps, and where, is in the ledger, which can give it back
 *   FINDING    a child looks for the person's records in the files, those up to Erased itself
 *   LISTED     which they are goes into the ledger, before the first of them is touched
 *   DESTROYING a child destroys them, and snapshots from before then go
 *   DONE       ErasureDone; remembered a while, so that a late receipt does not bring the number back
 *
 * One that another gateway on this Redis was asked for, or this one before an older copy of its ledger came back
 * (erased_people.c), is joined at ENDING: it is for what is older than it, its number is not known, and Redis has done
 * its part.
 *
 * One at a time is at the files. What is in memory about the person goes by fingerprint, so that recovery, which
 * may not know the number any more, does the same. */
#include <stdio.h>
#include <stdlib.h>

#include "consent/person.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/number.h"

enum erasure_phase {
    ERASURE_ASKED,
    ERASURE_ENDING,
    ERASURE_RECORDED,
    ERASURE_LOOKING, /* Redis is asked what it keeps */
    ERASURE_READY,
    ERASURE_FINDING,
    ERASURE_LISTING, /* `records` from `listed` on are to be recorded */
    ERASURE_LISTED,
    ERASURE_DESTROYING,
    ERASURE_DONE,
};

struct erasure {
    TAILQ_ENTRY(erasure) link;
    enum erasure_phase phase;
    struct person_mark person;
    uint64_t number; /* 0: not known any more */
    uint64_t sequence, wall_ms, done_wall_ms;
    bool joined;            /* wall_ms is of who was asked; */
    uint64_t consent_until; /* and consent from this record on came to Redis later */
    uint32_t place, places; /* the fingerprint's in Redis; 0 places: not known */
    char request[ERASURE_REQUEST_MAX + 1];
    uint64_t call; /* to be answered when it is recorded */
    bool has_call;
    uint64_t asked_behind; /* ASKED: the consent record that Redis is to have first */
    bool asking;           /*   it has it, and is asked */
    bool kept, kept_known; /* an opt-out's fingerprint stays */
    uint64_t kept_at;      /* the record that says so, and that Redis needs; 0: none */
    bool lifted;           /* a START came since */
    bool skipped;      /* joined: an opt-out is not replayed, of which the fingerprint is to stay */
    bool alone;        /* a hold came meanwhile: the other gateways do not join */
    uint64_t *records; /* ascending */
    size_t count, listed;
    uint64_t listed_at; /* the last record that names some of them */
    uint64_t destroyed;
};

struct erasures {
    TAILQ_HEAD(erasure_list, erasure) open, done;
    size_t open_count, done_count;
    uint64_t retry_us; /* the files could not be read or written */
};

void erasures_init(struct engine *e)
{
    e->erasures = check_calloc(1, sizeof *e->erasures);
    TAILQ_INIT(&e->erasures->open);
    TAILQ_INIT(&e->erasures->done);
}

static void drop_open(struct engine *e, struct erasure *x)
{
    TAILQ_REMOVE(&e->erasures->open, x, link);
    e->erasures->open_count--;
    free(x->records);
    free(x);
}

static void drop_done(struct engine *e, struct erasure *x)
{
    TAILQ_REMOVE(&e->erasures->done, x, link);
    e->erasures->done_count--;
    free(x);
}

void erasures_release(struct engine *e)
{
    while (!TAILQ_EMPTY(&e->erasures->open))
        drop_open(e, TAILQ_FIRST(&e->erasures->open));
    while (!TAILQ_EMPTY(&e->erasures->done))
        drop_done(e, TAILQ_FIRST(&e->erasures->done));
    free(e->erasures);
}

static struct erasure *add(struct engine *e, const struct person_mark *person, uint64_t number,
                           const char *request)
{
    struct erasure *x = check_calloc(1, sizeof *x);
    x->person = *person;
    x->number = number;
    if (number != 0) {
        x->places = e->config->redis_buckets;
        x->place = (uint32_t)(hash_mix(number) & (x->places - 1));
    }
    snprintf(x->request, sizeof x->request, "%s", request);
    TAILQ_INSERT_TAIL(&e->erasures->open, x, link);
    e->erasures->open_count++;
    return x;
}

static void move_to_done(struct engine *e, struct erasure *x, uint64_t wall_ms)
{
    TAILQ_REMOVE(&e->erasures->open, x, link);
    e->erasures->open_count--;
    free(x->records);
    x->records = NULL;
    x->phase = ERASURE_DONE;
    x->number = 0;
    x->done_wall_ms = wall_ms;
    TAILQ_INSERT_TAIL(&e->erasures->done, x, link);
    if (++e->erasures->done_count > ERASURES_REMEMBERED)
        drop_done(e, TAILQ_FIRST(&e->erasures->done));
}

/* One that this gateway was asked for. */
static struct erasure *find_asked(const struct engine *e, const struct person_mark *person)
{
    struct erasure *x;
    TAILQ_FOREACH (x, &e->erasures->open, link)
        if (!x->joined && person_mark_equal(&x->person, person))
            return x;
    return NULL;
}

static struct erasure *find_sequence(const struct engine *e, uint64_t sequence)
{
    const struct erasure_list *lists[] = {&e->erasures->open, &e->erasures->done};
    struct erasure *x;
    for (size_t i = 0; i < 2; i++)
        TAILQ_FOREACH (x, lists[i], link)
            if (sequence != 0 && x->sequence == sequence)
                return x;
    return NULL;
}

/* ---- what others ask ---- */

const char *erasure_refuses(const struct engine *e, uint64_t number)
{
    struct erasure *x;
    if (e->erasures->open_count > 0)
        TAILQ_FOREACH (x, &e->erasures->open, link)
            if (x->number == number && x->phase <= ERASURE_ENDING)
                return "number: whoever has it is being erased: try again in a minute";
    return NULL;
}

bool erasure_remembers(const struct engine *e, uint64_t number)
{
    if (e->erasures->open_count + e->erasures->done_count == 0 || number == 0)
        return false;
    const struct erasure_list *lists[] = {&e->erasures->open, &e->erasures->done};
    struct person_mark person = person_mark(number);
    const struct erasure *x;
    for (size_t i = 0; i < 2; i++)
        TAILQ_FOREACH (x, lists[i], link)
            if (x->phase >= ERASURE_RECORDED && person_mark_equal(&x->person, &person))
                return true;
    return false;
}

void erasure_start_came(struct engine *e, uint64_t number, uint64_t effect_wall_ms)
{
    struct erasure *x;
    if (e->erasures->open_count > 0)
        TAILQ_FOREACH (x, &e->erasures->open, link)
            if ((x->joined || x->phase >= ERASURE_RECORDED) && effect_wall_ms > x->wall_ms &&
                person_is(&x->person, number))
                x->lifted = true;
}

/* ---- the call ---- */

static void answer(struct engine *e, uint64_t call, Assent__V1__Code code, const char *state,
                   const char *message, uint64_t sequence)
{
    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    reply.code = code;
    reply.state = UNCONST(state);
    reply.message = UNCONST(message);
    reply.sequence = sequence;
    e->ports->consent_reply(e->ports->context, call, sequence, &reply);
}

static void refuse(struct engine *e, uint64_t call, Assent__V1__Code code, const char *why)
{
    answer(e, call, code, "", why, 0);
}

static const char *const phase_names[] = {
    [ERASURE_ASKED] = "asked for",
    [ERASURE_ENDING] = "ending what waits and is on the wire",
    [ERASURE_RECORDED] = "recorded, waiting for Redis",
    [ERASURE_LOOKING] = "recorded, waiting for Redis",
    [ERASURE_READY] = "recorded, waiting for the files",
    [ERASURE_FINDING] = "looking for records",
    [ERASURE_LISTING] = "naming the records",
    [ERASURE_LISTED] = "naming the records",
    [ERASURE_DESTROYING] = "destroying",
    [ERASURE_DONE] = "erased",
};

static void tell_progress(struct engine *e, uint64_t call, uint64_t sequence)
{
    char text[64] = "";
    const struct erasure *x = find_sequence(e, sequence);
    if (x == NULL) {
        refuse(e, call, ASSENT__V1__CODE__CODE_NOT_FOUND,
               "sequence: of no erasure that is remembered; `assent trace` shows older ones");
        return;
    }
    if (x->phase == ERASURE_DONE)
        snprintf(text, sizeof text, "%llu records destroyed", (unsigned long long)x->destroyed);
    else if (e->erasures->retry_us > e->now.mono_us)
        snprintf(text, sizeof text, "the files cannot be worked on: see the log; tried again");
    answer(e, call, ASSENT__V1__CODE__CODE_OK, phase_names[x->phase], text, 0);
}

/* A request's id is public: printable, and it names no number. */
static bool names_nobody(const char *request, uint64_t number)
{
    char digits[ERASURE_REQUEST_MAX + 1], text[NUMBER_TEXT_SIZE];
    size_t count = 0, length = strlen(request);
    if (length == 0 || length > ERASURE_REQUEST_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (request[i] < 0x20 || request[i] > 0x7e)
            return false;
        if (request[i] >= '0' && request[i] <= '9')
            digits[count++] = request[i];
    }
    digits[count] = '\0';
    return strstr(digits, number_format(number, text)) == NULL;
}

static const char *why_not(const struct engine *e, uint16_t client,
                           const Assent__V1__EraseRequest *in, uint64_t *ret_number,
                           Assent__V1__Code *ret_code)
{
    const char *why = NULL;
    *ret_code = ASSENT__V1__CODE__CODE_PERMISSION_DENIED;
    if (client != CLIENT_OPERATOR)
        return "only the gateway's operator may erase a person";
    *ret_code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
    if (engine_refuses(e, &why))
        return why;
    if (!gate_is_open(e) || e->config->program_count == 0)
        return "the consent store is away: ask again when `assent status` shows the gate open";
    *ret_code = ASSENT__V1__CODE__CODE_INVALID_ARGUMENT;
    if (number_parse(span_from_string(in->number), ret_number) != ERR_OK)
        return "number: not E.164 (5 to 15 digits with country code, + optional)";
    if (!names_nobody(in->request, *ret_number))
        return "request: an id of the request, 1 to 40 plain characters without the number: it is "
               "public";
    *ret_code = ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED;
    if (erased_people_full(e))
        return "1,048,576 people have been erased: no gateway remembers more";
    if (e->erasures->open_count >= ERASURES_MAX)
        return "64 erasures are under way: ask again when `assent status` shows fewer";
    struct person_mark person = person_mark(*ret_number);
    *ret_code = ASSENT__V1__CODE__CODE_FAILED_PRECONDITION;
    return find_asked(e, &person) == NULL ? NULL : "this erasure is under way: see `assent status`";
}

/* Does a hold stand, and the fingerprint of an opt-out? */
static bool look_up(struct engine *e, const struct erasure *x)
{
    static const uint16_t scopes[] = {SCOPE_HOLD, SCOPE_ERASED};
    struct inquiry *q = inquiry_new(e, INQUIRY_ERASURE);
    q->number = x->number;
    if (gate_is_open(e) && e->ports->store_lookup(e->ports->context, q->cookie, x->number, scopes,
                                                  2, e->program_scope[0]))
        return true;
    inquiry_free(e, q);
    return false;
}

/* A hold of the last moments, of an import or a complaint, counts too. */
static void ask_for_hold(struct engine *e, struct erasure *x)
{
    if (x->asking || projection_owes(e, x->asked_behind))
        return;
    x->asking = look_up(e, x);
    if (x->asking)
        return;
    refuse(e, x->call, ASSENT__V1__CODE__CODE_UNAVAILABLE, "the consent store is away: ask again");
    drop_open(e, x);
}

void engine_erase(struct engine *e, uint16_t client, uint64_t call,
                  const Assent__V1__EraseRequest *in, struct instant now)
{
    e->now = now;
    uint64_t number = 0;
    Assent__V1__Code code;
    if (client == CLIENT_OPERATOR && in->sequence != 0) {
        tell_progress(e, call, in->sequence);
        return;
    }
    const char *why = why_not(e, client, in, &number, &code);
    if (why != NULL) {
        refuse(e, call, code, why);
        return;
    }
    struct person_mark person = person_mark(number);
    struct erasure *x = add(e, &person, number, in->request);
    x->call = call;
    x->has_call = true;
    x->asked_behind = e->projection.last_consent;
    ask_for_hold(e, x);
}

static void hold_looked_up(struct engine *e, struct erasure *x, bool ok, bool stands)
{
    if (ok && !stands) {
        x->phase = ERASURE_ENDING;
        return;
    }
    if (ok)
        refuse(e, x->call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
               "a hold stands on this number, and an erasure would end it: release it first");
    else
        refuse(e, x->call, ASSENT__V1__CODE__CODE_UNAVAILABLE,
               "the consent store went away: ask again");
    drop_open(e, x);
}

void erasure_looked_up(struct engine *e, struct inquiry *q, bool ok,
                       const struct consent_state *state)
{
    struct person_mark person = person_mark(q->number);
    struct erasure *x = find_asked(e, &person);
    bool held = ok && state->opted_out[0], kept = ok && state->opted_out[1];
    inquiry_free(e, q);
    if (x != NULL && x->phase == ERASURE_ASKED) {
        hold_looked_up(e, x, ok, held);
    } else if (x != NULL && x->phase == ERASURE_LOOKING) {
        x->phase = ok ? ERASURE_READY : ERASURE_RECORDED;
        x->kept = kept;
        x->kept_known = ok;
        x->alone = held;
    }
}

/* ---- memory ---- */

/* True when no message of the number is left. What is on the wire ends when it is answered. */
static bool end_messages(struct engine *e, uint64_t number)
{
    bool none = true;
    struct message *m = message_first_of_number(&e->messages, number), *next;
    for (; m != NULL; m = next) {
        next = m->next_same_number;
        if (m->state == MESSAGE_ENDED)
            continue;
        if (m->state < MESSAGE_ON_WIRE && m->flying == 0)
            message_end(e, m, ASSENT__V1__OUTCOME__CANCELLED, ASSENT__V1__REASON__ERASURE, 0, 0);
        else if (m->state == MESSAGE_SENT)
            message_end(e, m, ASSENT__V1__OUTCOME__SENT_NO_RECEIPT, ASSENT__V1__REASON__ERASURE, 0,
                        0);
        else if (m->state == MESSAGE_IN_DOUBT)
            message_finish(e, m, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
        else
            m->stopped = true;
        none = none && m->state == MESSAGE_ENDED;
    }
    return none;
}

/* A crash brings back what had ended in doubt before it was recorded: no record says that nothing is waited for
 * any more. By fingerprint: the number may be destroyed already. */
static void end_doubts(struct engine *e, const struct erasure *x)
{
    struct message *m = TAILQ_FIRST(&e->messages.lists[MESSAGE_IN_DOUBT]), *next;
    for (; m != NULL; m = next) {
        next = TAILQ_NEXT(m, link);
        if (m->id < x->sequence && person_is(&x->person, m->number))
            message_finish(e, m, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
    }
}

static bool is_asked_about(const struct engine *e, uint64_t number)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&e->inquiries, &cursor)) != NULL) {
        const struct inquiry *q = table_slot_pointer(slot);
        if (q->number == number)
            return true;
    }
    return false;
}

/* What snapshots would bring back. */
static void forget(struct engine *e, const struct person_mark *person)
{
    if (e->plant == PLANT_ERASED_REMEMBERED)
        return;
    recents_erase(e, person);
    reviews_erase(e, person);
    vacancies_erase(e, person);
    complaints_erase(e, person);
    reputations_erase(e, person);
    struct part_set *set = reassembly_oldest(e->reassembly), *after;
    for (; set != NULL; set = after) {
        after = reassembly_after(set);
        if (person_is(person, set->part.sender))
            reassembly_drop(e->reassembly, set);
    }
}

/* ---- records ---- */

static void record_erased(struct engine *e, struct erasure *x)
{
    uint8_t octets[PERSON_KEY_SIZE];
    person_mark_write(&x->person, octets);
    Assent__V1__Erased body = ASSENT__V1__ERASED__INIT;
    body.person.data = octets;
    body.person.len = sizeof octets;
    body.request = x->request;
    body.asked_wall_ms = x->joined ? x->wall_ms : 0;
    body.consent_until = x->consent_until;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = x->number;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_ERASED;
    event.erased = &body;
    if (x->joined)
        x->number = 0;
    else
        x->wall_ms = e->now.wall_ms;
    x->sequence = record_event(e, &event, x->joined ? NULL : &personal);
    erased_people_note(e, &x->person, x->wall_ms);
    e->metrics.counters[COUNT_ERASURES]++;
}

/* The next of the records that are to be destroyed, as many as one record names. */
struct records_body {
    Assent__V1__Event event;
    Assent__V1__ErasedRecords body;
    Assent__V1__Personal personal;
    Assent__V1__ErasedPlace place;
    uint8_t octets[PERSON_KEY_SIZE];
    uint64_t steps[ERASED_STEPS_MAX];
    size_t count;
};

static void describe_records(const struct erasure *x, size_t from, struct records_body *r)
{
    uint64_t before = 0;
    assent__v1__event__init(&r->event);
    assent__v1__erased_records__init(&r->body);
    assent__v1__personal__init(&r->personal);
    assent__v1__erased_place__init(&r->place);
    r->count = x->count - from < ERASED_STEPS_MAX ? x->count - from : ERASED_STEPS_MAX;
    for (size_t i = 0; i < r->count; i++) {
        r->steps[i] = x->records[from + i] - before;
        before = x->records[from + i];
    }
    person_mark_write(&x->person, r->octets);
    r->body.erasure = x->sequence;
    r->body.erased_wall_ms = x->wall_ms;
    r->body.n_steps = r->count;
    r->body.steps = r->steps;
    r->body.kept_opt_out = x->kept;
    r->body.person.data = r->octets;
    r->body.person.len = sizeof r->octets;
    r->place.buckets = x->places;
    r->place.bucket = x->place;
    r->personal.erased = &r->place;
    r->event.body_case = ASSENT__V1__EVENT__BODY_ERASED_RECORDS;
    r->event.erased_records = &r->body;
}

static bool ledger_has_room(const struct engine *e)
{
    return e->ports->ledger_room(e->ports->context) >= LEDGER_BATCH_OCTETS / 2;
}

/* A record that names no other one, and the place. Recovery may have found it: then the number may be gone. */
static bool record_place(struct engine *e, struct erasure *x)
{
    struct records_body r;
    if (x->kept_at != 0 || x->places == 0)
        return true;
    if (!ledger_has_room(e))
        return false;
    x->kept = x->kept && !x->lifted && e->plant != PLANT_ERASED_OPT_OUT_LOST;
    describe_records(x, x->count, &r);
    if (!x->alone)
        r.body.request = x->request;
    r.event.wall_ms = e->now.wall_ms;
    x->kept_at = record_event(e, &r.event, &r.personal);
    return true;
}

static void list_records(struct engine *e, struct erasure *x)
{
    struct records_body r;
    while (x->listed < x->count && ledger_has_room(e)) {
        describe_records(x, x->listed, &r);
        r.event.wall_ms = e->now.wall_ms;
        x->listed_at = record_event(e, &r.event, NULL);
        x->listed += r.count;
    }
    if (x->listed == x->count)
        x->phase = ERASURE_LISTED;
}

static void record_done(struct engine *e, struct erasure *x, uint32_t snapshots)
{
    Assent__V1__ErasureDone body = ASSENT__V1__ERASURE_DONE__INIT;
    body.erasure = x->sequence;
    body.records = x->destroyed = x->count;
    body.request = x->request;
    body.snapshots = snapshots;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_ERASURE_DONE;
    event.erasure_done = &body;
    record_event(e, &event, NULL);
    e->metrics.counters[COUNT_RECORDS_ERASED] += x->count;
}

/* ---- the turn ---- */

static void finish_ending(struct engine *e, struct erasure *x)
{
    bool known = x->number != 0;
    if ((known && (!end_messages(e, x->number) || is_asked_about(e, x->number))) ||
        !ledger_has_room(e))
        return;
    forget(e, &x->person);
    record_erased(e, x);
    x->phase = ERASURE_RECORDED;
    if (x->has_call)
        answer(e, x->call, ASSENT__V1__CODE__CODE_OK, phase_names[x->phase], "", x->sequence);
    x->has_call = false;
}

/* Redis has dropped what stood under the number; what does it keep? Where the number is gone, records are named
 * already: it had been asked before, and there is nothing more to write. */
static void ask_what_stays(struct engine *e, struct erasure *x)
{
    if (x->sequence > e->durable || (x->number != 0 && !projection_done(e, x->sequence)))
        return;
    if (x->joined && !x->kept_known && !erased_people_compared(e))
        return; /* recovered: Redis says again what it keeps */
    if (x->kept_known || x->number == 0)
        x->phase = ERASURE_READY;
    else if (look_up(e, x))
        x->phase = ERASURE_LOOKING;
    else
        return;
    end_doubts(e, x);
}

/* Redis may have gone back before it was told of this one, and have said what it keeps before our opt-outs came there
 * again: as those are replayed they are seen. With an older data_dir nothing is: Redis has what that has. */
static bool knows_what_stays(const struct engine *e, const struct erasure *x)
{
    bool older = e->projection.phase == STORE_DOWN && e->erased.reachable;
    return !x->joined || x->kept_at != 0 || older || projection_passed(e, x->sequence);
}

static bool files_are_free(const struct engine *e)
{
    const struct erasure *x;
    TAILQ_FOREACH (x, &e->erasures->open, link)
        if (x->phase >= ERASURE_FINDING)
            return false;
    return e->now.mono_us >= e->erasures->retry_us;
}

static bool find_records(struct engine *e, const struct erasure *x)
{
    struct erase_reach reach = {.person = x->person,
                                .until = x->sequence + 1,
                                .until_wall_ms = x->joined ? x->wall_ms : UINT64_MAX,
                                .consent_until = x->joined ? x->consent_until : UINT64_MAX};
    return e->ports->erasure_find(e->ports->context, &reach);
}

static void step(struct engine *e, struct erasure *x)
{
    switch (x->phase) {
    case ERASURE_ASKED:
        ask_for_hold(e, x);
        return;
    case ERASURE_ENDING:
        finish_ending(e, x);
        return;
    case ERASURE_RECORDED:
        ask_what_stays(e, x);
        return;
    case ERASURE_READY:
        if (knows_what_stays(e, x) && record_place(e, x) && files_are_free(e) && find_records(e, x))
            x->phase = ERASURE_FINDING;
        return;
    case ERASURE_LISTING:
        list_records(e, x);
        return;
    case ERASURE_LISTED:
        if (x->listed_at <= e->durable && (x->joined || projection_done(e, x->kept_at)) &&
            e->now.mono_us >= e->erasures->retry_us &&
            e->ports->erasure_destroy(e->ports->context, x->records, x->count))
            x->phase = ERASURE_DESTROYING;
        return;
    case ERASURE_LOOKING:
    case ERASURE_FINDING:
    case ERASURE_DESTROYING:
    case ERASURE_DONE:
        return;
    }
}

void erasures_turn(struct engine *e)
{
    struct erasure *x, *next;
    for (x = TAILQ_FIRST(&e->erasures->open); x != NULL; x = next) {
        next = TAILQ_NEXT(x, link);
        step(e, x);
    }
}

uint64_t erasures_next_us(const struct engine *e)
{
    return e->erasures->open_count > 0 ? e->now.mono_us + 10 * US_PER_MS : UINT64_MAX;
}

/* ---- the files answer ---- */

static struct erasure *at_files(const struct engine *e, enum erasure_phase phase)
{
    struct erasure *x;
    TAILQ_FOREACH (x, &e->erasures->open, link)
        if (x->phase == phase)
            return x;
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Those that were named before a crash are destroyed again: it may have been begun. */
static void take_found(struct erasure *x, const uint64_t *found, size_t count)
{
    size_t before = x->count;
    x->records = check_realloc(x->records, (before + count + 1) * sizeof *x->records);
    for (size_t i = 0; i < count; i++)
        if (before == 0 || bsearch(&found[i], x->records, before, sizeof *found, ascending) == NULL)
            x->records[x->count++] = found[i];
    x->listed = before;
}

void engine_on_erasure_found(struct engine *e, bool ok, const uint64_t *records, size_t count,
                             struct instant now)
{
    e->now = now;
    struct erasure *x = at_files(e, ERASURE_FINDING);
    if (x == NULL)
        return;
    if (ok) {
        take_found(x, records, count);
        x->phase = ERASURE_LISTING;
    } else {
        x->phase = ERASURE_READY;
        e->erasures->retry_us = now.mono_us + ERASURE_RETRY_MS * US_PER_MS;
    }
}

void engine_on_erasure_destroyed(struct engine *e, bool ok, uint32_t snapshots, struct instant now)
{
    e->now = now;
    struct erasure *x = at_files(e, ERASURE_DESTROYING);
    if (x == NULL)
        return;
    if (ok) {
        record_done(e, x, snapshots);
        move_to_done(e, x, now.wall_ms);
    } else {
        x->phase = ERASURE_LISTED;
        e->erasures->retry_us = now.mono_us + ERASURE_RETRY_MS * US_PER_MS;
    }
}

/* ---- joining ---- */

/* Of messages that wait or are on the wire. */
static uint64_t number_of(const struct engine *e, const struct person_mark *person)
{
    size_t cursor = 0;
    const struct table_slot *slot;
    while ((slot = table_next(&e->messages.by_number, &cursor)) != NULL)
        if (person_is(person, slot->key))
            return slot->key;
    return 0;
}

static void take_place(struct erasure *x, const struct erased_fact *fact)
{
    if (fact->places != 0) {
        x->place = fact->place;
        x->places = fact->places;
    }
    x->kept = fact->kept && !x->lifted;
    x->kept_known = true;
}

/* One that is under way, of this or of later. */
static struct erasure *find_joined(const struct engine *e, const struct erased_fact *fact)
{
    struct erasure *x;
    TAILQ_FOREACH (x, &e->erasures->open, link)
        if (x->joined && x->wall_ms >= fact->wall_ms &&
            person_mark_equal(&x->person, &fact->person))
            return x;
    return NULL;
}

/* It is known when it is recorded: a snapshot that has the one without the other would forget it. */
void erasure_join(struct engine *e, const struct erased_fact *fact)
{
    struct erasure *x = find_joined(e, fact);
    if (x != NULL && x->wall_ms == fact->wall_ms && !x->kept_known)
        take_place(x, fact);
    if (x != NULL || fact->wall_ms <= erased_people_when(e, &fact->person))
        return;
    x = add(e, &fact->person, number_of(e, &fact->person), fact->request);
    x->joined = true;
    x->consent_until = e->erased.in_redis + (e->erased.in_redis < UINT64_MAX);
    x->wall_ms = fact->wall_ms;
    x->phase = ERASURE_ENDING;
    take_place(x, fact);
}

/* While records are being destroyed Redis must not get the first of them and no word of the last; and where an erasure
 * says what stays, one before it says that no more. */
static bool is_covered(const struct engine *e, const struct erasure *x, uint64_t sequence,
                       const Assent__V1__Event *event)
{
    if (x->joined)
        return event->wall_ms <= x->wall_ms && sequence < x->consent_until;
    bool place = event->body_case == ASSENT__V1__EVENT__BODY_ERASED_RECORDS;
    bool replaced = place && x->kept_at != 0 && x->kept_at <= e->durable;
    return (replaced || x->phase == ERASURE_DESTROYING) && sequence < x->sequence;
}

static bool is_opt_out(const Assent__V1__Event *event)
{
    const Assent__V1__OptedOut *body = event->opted_out;
    return event->body_case == ASSENT__V1__EVENT__BODY_OPTED_OUT && body->n_scopes > 0 &&
           (body->scopes[0] == SCOPE_EVERYTHING || body->scopes[0] >= SCOPES_RESERVED);
}

static bool whose(const Assent__V1__Event *event, const Assent__V1__Personal *personal,
                  struct person_mark *ret_person)
{
    if (event->body_case == ASSENT__V1__EVENT__BODY_ERASED_RECORDS)
        return person_mark_read(event->erased_records->person.data,
                                event->erased_records->person.len, ret_person);
    if (personal == NULL || personal->number == 0)
        return false;
    *ret_person = person_mark(personal->number);
    return true;
}

bool erasure_covers(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                    const Assent__V1__Personal *personal)
{
    struct person_mark person;
    struct erasure *x;
    if (e->erasures->open_count == 0 || !whose(event, personal, &person))
        return false;
    TAILQ_FOREACH (x, &e->erasures->open, link)
        if (person_mark_equal(&x->person, &person) && is_covered(e, x, sequence, event)) {
            x->skipped = x->skipped || (x->joined && is_opt_out(event));
            x->kept = x->kept || x->skipped;
            return true;
        }
    return false;
}

bool erasures_owe_opt_outs(const struct engine *e)
{
    const struct erasure *x;
    TAILQ_FOREACH (x, &e->erasures->open, link)
        if (x->skipped && x->kept_at == 0)
            return true;
    return false;
}

void erasures_status(const struct engine *e, struct engine_status *ret)
{
    const struct erasure *x = TAILQ_FIRST(&e->erasures->open);
    ret->erasures = (uint32_t)e->erasures->open_count;
    ret->erasure_phase = x != NULL ? phase_names[x->phase] : "";
}

/* ---- replay and snapshot ---- */

static void replay_erased(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                          const Assent__V1__Personal *personal)
{
    const Assent__V1__Erased *body = event->erased;
    struct person_mark person;
    if (!person_mark_read(body->person.data, body->person.len, &person) ||
        e->plant == PLANT_ERASURE_NOT_RESUMED)
        return;
    forget(e, &person);
    struct erasure *x = add(e, &person, personal != NULL ? personal->number : 0, body->request);
    x->sequence = body->id != 0 ? body->id : sequence;
    x->joined = body->asked_wall_ms != 0;
    x->wall_ms = x->joined ? body->asked_wall_ms : event->wall_ms;
    x->consent_until = body->consent_until;
    erased_people_note(e, &person, x->wall_ms);
    x->phase = ERASURE_RECORDED;
    x->kept_known = body->listed;
    x->kept_at = body->listed ? x->sequence : 0; /* recorded before this snapshot */
    x->kept = body->kept_opt_out;
    if (body->done_wall_ms != 0)
        move_to_done(e, x, body->done_wall_ms);
}

static void replay_records(struct engine *e, uint64_t of, const Assent__V1__ErasedRecords *body,
                           const Assent__V1__Personal *personal)
{
    struct erasure *x = find_sequence(e, body->erasure);
    uint64_t sequence = 0;
    if (x == NULL || x->phase == ERASURE_DONE)
        return;
    x->records = check_realloc(x->records, (x->count + body->n_steps + 1) * sizeof *x->records);
    for (size_t i = 0; i < body->n_steps; i++)
        x->records[x->count++] = sequence += body->steps[i];
    qsort(x->records, x->count, sizeof *x->records, ascending);
    x->kept = body->kept_opt_out;
    x->kept_known = true;
    if (personal != NULL && personal->erased != NULL)
        x->kept_at = of;
}

bool erasures_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                     const Assent__V1__Personal *personal)
{
    struct erasure *x;
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_ERASED:
        replay_erased(e, sequence, event, personal);
        return true;
    case ASSENT__V1__EVENT__BODY_ERASED_RECORDS:
        replay_records(e, sequence, event->erased_records, personal);
        return true;
    case ASSENT__V1__EVENT__BODY_ERASURE_DONE:
        x = find_sequence(e, event->erasure_done->erasure);
        if (x != NULL && x->phase != ERASURE_DONE) {
            x->destroyed = event->erasure_done->records;
            move_to_done(e, x, event->wall_ms);
        }
        return true;
    default:
        return false;
    }
}

static void put_erased(const struct erasure *x,
                       void (*put)(void *context, Assent__V1__Event *event,
                                   const Assent__V1__Personal *personal),
                       void *context)
{
    uint8_t octets[PERSON_KEY_SIZE];
    person_mark_write(&x->person, octets);
    Assent__V1__Erased body = ASSENT__V1__ERASED__INIT;
    body.person.data = octets;
    body.person.len = sizeof octets;
    body.request = UNCONST(x->request);
    body.id = x->sequence;
    body.asked_wall_ms = x->joined ? x->wall_ms : 0;
    body.consent_until = x->consent_until;
    body.done_wall_ms = x->done_wall_ms;
    body.listed = x->listed > 0 || x->kept_at != 0;
    body.kept_opt_out = x->kept;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = x->number;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.wall_ms = x->wall_ms;
    event.body_case = ASSENT__V1__EVENT__BODY_ERASED;
    event.erased = &body;
    put(context, &event, x->number != 0 && x->listed == 0 ? &personal : NULL);
}

/* Their numbers are there until what Redis keeps is recorded; that snapshot goes with the others. */
void erasures_snapshot(const struct engine *e,
                       void (*put)(void *context, Assent__V1__Event *event,
                                   const Assent__V1__Personal *personal),
                       void *context)
{
    struct records_body r;
    const struct erasure *x;
    TAILQ_FOREACH (x, &e->erasures->done, link)
        put_erased(x, put, context);
    TAILQ_FOREACH (x, &e->erasures->open, link) {
        if (x->phase < ERASURE_RECORDED)
            continue;
        put_erased(x, put, context);
        for (size_t from = 0; from < x->listed; from += r.count) {
            describe_records(x, from, &r);
            put(context, &r.event, NULL);
        }
    }
}

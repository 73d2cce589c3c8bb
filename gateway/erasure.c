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

#include "gateway/erasure_state.h"
#include "proto/base/check.h"
#include "proto/number.h"

/* ---- the call ---- */

/* One that this gateway was asked for. */
static struct erasure *find_asked(const struct engine *e, const struct person_mark *person)
{
    struct erasure *x;
    TAILQ_FOREACH (x, &e->erasures->open, link)
        if (!x->joined && person_mark_equal(&x->person, person))
            return x;
    return NULL;
}

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

static void tell_progress(struct engine *e, uint64_t call, uint64_t sequence)
{
    char text[64] = "";
    const struct erasure *x = erasure_find(e, sequence);
    if (x == NULL) {
        refuse(e, call, ASSENT__V1__CODE__CODE_NOT_FOUND,
               "sequence: of no erasure that is remembered; `assent trace` shows older ones");
        return;
    }
    if (x->phase == ERASURE_DONE)
        snprintf(text, sizeof text, "%llu records destroyed", (unsigned long long)x->destroyed);
    else if (e->erasures->retry_us > e->now.mono_us)
        snprintf(text, sizeof text, "the files cannot be worked on: see the log; tried again");
    answer(e, call, ASSENT__V1__CODE__CODE_OK, erasure_phase_name(x), text, 0);
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

static void give_up(struct engine *e, struct erasure *x, Assent__V1__Code code, const char *why)
{
    refuse(e, x->call, code, why);
    erasure_drop(e, x);
}

static void give_up_held(struct engine *e, struct erasure *x)
{
    give_up(e, x, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
            "a hold stands on this number, and an erasure would end it: release it first");
}

/* A hold of the last moments, of an import or a complaint, counts too. */
static void ask_for_hold(struct engine *e, struct erasure *x)
{
    if (x->asking || projection_owes(e, x->asked_behind))
        return;
    x->asking = look_up(e, x);
    if (!x->asking)
        give_up(e, x, ASSENT__V1__CODE__CODE_UNAVAILABLE, "the consent store is away: ask again");
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
    struct erasure *x = erasure_add(e, &person, number, in->request);
    x->call = call;
    x->has_call = true;
    x->asked_behind = e->projection.last_consent;
    ask_for_hold(e, x);
}

static void hold_looked_up(struct engine *e, struct erasure *x, bool ok, bool stands)
{
    if (!ok)
        give_up(e, x, ASSENT__V1__CODE__CODE_UNAVAILABLE, "the consent store went away: ask again");
    else if (stands)
        give_up_held(e, x);
    else
        x->phase = ERASURE_ENDING;
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

void erasure_forget(struct engine *e, const struct person_mark *person)
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
    erasure_describe(x, x->count, &r);
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
        erasure_describe(x, x->listed, &r);
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
    if (x->held) {
        give_up_held(e, x);
        return;
    }
    bool known = x->number != 0;
    if ((known && (!end_messages(e, x->number) || is_asked_about(e, x->number))) ||
        !ledger_has_room(e))
        return;
    erasure_forget(e, &x->person);
    record_erased(e, x);
    x->phase = ERASURE_RECORDED;
    if (x->has_call)
        answer(e, x->call, ASSENT__V1__CODE__CODE_OK, erasure_phase_name(x), "", x->sequence);
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

/* Those that were named before a crash are destroyed again: it may have been begun. */
static void take_found(struct erasure *x, const uint64_t *found, size_t count)
{
    size_t before = x->count;
    x->records = check_realloc(x->records, (before + count + 1) * sizeof *x->records);
    for (size_t i = 0; i < count; i++)
        if (before == 0 ||
            bsearch(&found[i], x->records, before, sizeof *found, erasure_ascending) == NULL)
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
        erasure_end(e, x, now.wall_ms);
    } else {
        x->phase = ERASURE_LISTED;
        e->erasures->retry_us = now.mono_us + ERASURE_RETRY_MS * US_PER_MS;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Erasures in the ledger: as its records and snapshots have them, and how they are gone on with after a crash. */
#include <stdlib.h>

#include "gateway/erasure_state.h"
#include "proto/base/check.h"

int erasure_ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void erasure_describe(const struct erasure *x, size_t from, struct records_body *r)
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

static void replay_erased(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                          const Assent__V1__Personal *personal)
{
    const Assent__V1__Erased *body = event->erased;
    struct person_mark person;
    if (!person_mark_read(body->person.data, body->person.len, &person) ||
        e->plant == PLANT_ERASURE_NOT_RESUMED)
        return;
    erasure_forget(e, &person);
    struct erasure *x =
        erasure_add(e, &person, personal != NULL ? personal->number : 0, body->request);
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
        erasure_end(e, x, body->done_wall_ms);
}

static void replay_records(struct engine *e, uint64_t of, const Assent__V1__ErasedRecords *body,
                           const Assent__V1__Personal *personal)
{
    struct erasure *x = erasure_find(e, body->erasure);
    uint64_t sequence = 0;
    if (x == NULL || x->phase == ERASURE_DONE)
        return;
    x->records = check_realloc(x->records, (x->count + body->n_steps + 1) * sizeof *x->records);
    for (size_t i = 0; i < body->n_steps; i++)
        x->records[x->count++] = sequence += body->steps[i];
    qsort(x->records, x->count, sizeof *x->records, erasure_ascending);
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
        x = erasure_find(e, event->erasure_done->erasure);
        if (x != NULL && x->phase != ERASURE_DONE) {
            x->destroyed = event->erasure_done->records;
            erasure_end(e, x, event->wall_ms);
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
            erasure_describe(x, from, &r);
            put(context, &r.event, NULL);
        }
    }
}

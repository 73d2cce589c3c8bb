/* SPDX-License-Identifier: Apache-2.0 */
/* Erasures that another gateway on this Redis was asked for, or this one before an older copy of its ledger came back;
 * and what none may bring back into Redis meanwhile. */
#include "gateway/erasure_state.h"

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
    x = erasure_add(e, &fact->person, number_of(e, &fact->person), fact->request);
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

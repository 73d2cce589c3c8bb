/* SPDX-License-Identifier: Apache-2.0 */
/* Who was erased, here and at the other gateways on this Redis. All of them is read there when Redis comes (back),
 * before anything is written or sent, and what came since ten times a second. Whom this ledger does not know as
 * erased by that time is erased here too (erasure_join()): another gateway was asked, or an older copy of this
 * data_dir has come back. */
#include "gateway/engine_state.h"

#define SNAPSHOT_PEOPLE 512 /* in one record */

/* 64 of its 128 bits: among a million people two that share them are not to be expected (3 in 10^8). */
static uint64_t key_of(const struct person_mark *person)
{
    uint64_t key = person->high ^ person->low;
    return key != 0 ? key : 1;
}

void erased_people_note(struct engine *e, const struct person_mark *person, uint64_t wall_ms)
{
    uint64_t *last = table_put(&e->erased.people, key_of(person));
    *last = wall_ms > *last ? wall_ms : *last;
}

uint64_t erased_people_when(const struct engine *e, const struct person_mark *person)
{
    const uint64_t *last = table_find(&e->erased.people, key_of(person));
    return last != NULL ? *last : 0;
}

bool erased_people_full(const struct engine *e)
{
    return e->erased.people.count >= ERASED_PEOPLE_MAX;
}

/* ---- reading ---- */

static void read_from(struct engine *e, uint64_t rank, uint64_t at_us)
{
    e->erased.rank = rank;
    e->erased.read_at_us = at_us;
}

void erased_people_up(struct engine *e, uint64_t in_redis)
{
    if (in_redis == UINT64_MAX || !e->erased.knows_in_redis)
        e->erased.in_redis = in_redis != 0 ? in_redis : UINT64_MAX;
    e->erased.knows_in_redis = true;
    e->erased.reachable = true;
    e->erased.asked = e->erased.compared = false;
    read_from(e, 0, 0);
}

void erased_people_down(struct engine *e)
{
    e->erased.reachable = e->erased.asked = e->erased.compared = false;
}

bool erased_people_compared(const struct engine *e)
{
    return e->erased.compared;
}

void erased_people_turn(struct engine *e)
{
    struct erased_watch *w = &e->erased;
    if (!w->reachable || w->asked || e->now.mono_us < w->read_at_us)
        return;
    w->asked = e->ports->store_erased(e->ports->context, w->rank);
    if (!w->asked)
        w->read_at_us = e->now.mono_us + US_PER_MS;
}

uint64_t erased_people_next_us(const struct engine *e)
{
    return e->erased.reachable && !e->erased.asked ? e->erased.read_at_us : UINT64_MAX;
}

/* Ranks are moved by one that comes with an older time than others: then the last one that was read comes again, and
 * all is read anew. */
static bool has_moved(const struct erased_watch *w, const struct erased_page *page)
{
    bool again = page->total < w->rank;
    for (size_t i = 0; i < page->count && w->rank > 0; i++)
        again = again || (page->facts[i].wall_ms == w->last_wall_ms &&
                          person_mark_equal(&page->facts[i].person, &w->last));
    return again;
}

void engine_on_erased(struct engine *e, const struct erased_page *page, struct instant now)
{
    struct erased_watch *w = &e->erased;
    uint64_t later_us = now.mono_us + ERASED_EVERY_MS * US_PER_MS;
    e->now = now;
    w->asked = false;
    if (page == NULL || !w->reachable) {
        read_from(e, 0, later_us);
        return;
    }
    if (has_moved(w, page)) {
        read_from(e, 0, now.mono_us);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        w->last = page->facts[i].person;
        w->last_wall_ms = page->facts[i].wall_ms;
        if (e->plant != PLANT_ERASURES_NOT_JOINED)
            erasure_join(e, &page->facts[i]);
    }
    uint64_t rank = w->rank + page->read;
    bool more = page->total > rank && page->read > 0;
    read_from(e, rank, more ? now.mono_us : later_us);
    if (more)
        return;
    w->compared = true;
    if (e->projection.phase != STORE_DOWN)
        w->in_redis = e->projection.acked; /* what is acknowledged came before this reading */
}

/* ---- snapshot ---- */

void erased_people_replay(struct engine *e, const Assent__V1__SeenErased *body)
{
    for (size_t i = 0; i < body->n_people && i < body->n_wall_ms; i++) {
        struct person_mark person = {.high = body->people[i]};
        erased_people_note(e, &person, body->wall_ms[i]);
    }
}

void erased_people_snapshot(const struct engine *e,
                            void (*put)(void *context, Assent__V1__Event *event), void *context)
{
    uint64_t people[SNAPSHOT_PEOPLE], wall_ms[SNAPSHOT_PEOPLE];
    Assent__V1__SeenErased body = ASSENT__V1__SEEN_ERASED__INIT;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    size_t cursor = 0;
    const struct table_slot *slot;
    event.body_case = ASSENT__V1__EVENT__BODY_SEEN_ERASED;
    event.seen_erased = &body;
    body.people = people;
    body.wall_ms = wall_ms;
    do {
        for (body.n_people = 0; body.n_people < SNAPSHOT_PEOPLE; body.n_people++) {
            if ((slot = table_next(&e->erased.people, &cursor)) == NULL)
                break;
            people[body.n_people] = slot->key;
            wall_ms[body.n_people] = slot->value;
        }
        body.n_wall_ms = body.n_people;
        if (body.n_people > 0)
            put(context, &event);
    } while (body.n_people == SNAPSHOT_PEOPLE);
}

void erased_people_init(struct engine *e)
{
    table_init(&e->erased.people);
}

void erased_people_release(struct engine *e)
{
    table_release(&e->erased.people);
}

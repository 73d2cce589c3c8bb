/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that nobody seems to have: a carrier says "unknown subscriber" again and again. A number that
 * was given back is given to somebody else, who has agreed to nothing.
 *
 * Counted are messages, from the first to the latest that met with it; one that is delivered in between
 * ends the count. When there are enough of them, far enough apart, the number joins the reassigned ones:
 * a ledger event, which becomes a member of `optout` in Redis. Only numbers that are being counted stand
 * here, at most VACANCIES_MAX; the one heard of longest ago is forgotten first, which costs a later mark.
 * A number stays here when it is marked, so that the day of a consent given from then on is kept in Redis:
 * the gate holds it against the day of the mark. What was forgotten stays denied.
 *
 * Times are of the wall, since they must outlive the process. */
#include <stdlib.h>

#include "consent/person.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define DAY_MS 86400000ull

struct vacancy {
    TAILQ_ENTRY(vacancy) link; /* the one heard of longest ago first */
    uint64_t number, first_wall_ms, latest_wall_ms;
    uint32_t times;
    bool marked;
};

void vacancies_init(struct engine *e)
{
    TAILQ_INIT(&e->vacancies);
}

static void drop(struct engine *e, struct vacancy *v)
{
    table_remove(&e->vacancy_by_number, v->number);
    TAILQ_REMOVE(&e->vacancies, v, link);
    free(v);
}

void vacancies_erase(struct engine *e, const struct person_mark *person)
{
    struct vacancy *v, *next;
    for (v = TAILQ_FIRST(&e->vacancies); v != NULL; v = next) {
        next = TAILQ_NEXT(v, link);
        if (person_is(person, v->number))
            drop(e, v);
    }
}

void vacancies_release(struct engine *e)
{
    while (!TAILQ_EMPTY(&e->vacancies))
        drop(e, TAILQ_FIRST(&e->vacancies));
    table_release(&e->vacancy_by_number);
}

static struct vacancy *find(const struct engine *e, uint64_t number)
{
    return table_find_pointer(&e->vacancy_by_number, number);
}

static struct vacancy *find_or_make(struct engine *e, uint64_t number, uint64_t wall_ms)
{
    struct vacancy *v = find(e, number);
    if (v != NULL) {
        TAILQ_REMOVE(&e->vacancies, v, link);
    } else {
        if (e->vacancy_by_number.count >= VACANCIES_MAX)
            drop(e, TAILQ_FIRST(&e->vacancies));
        v = check_calloc(1, sizeof *v);
        v->number = number;
        *table_put(&e->vacancy_by_number, number) = (uint64_t)(uintptr_t)v;
    }
    TAILQ_INSERT_TAIL(&e->vacancies, v, link);
    if (v->times == 0)
        v->first_wall_ms = wall_ms;
    return v;
}

void vacancy_replay(struct engine *e, uint64_t number, uint64_t wall_ms)
{
    struct vacancy *v = find_or_make(e, number, wall_ms);
    v->times++;
    v->latest_wall_ms = wall_ms;
}

static void mark(struct engine *e, const struct message *m, const struct vacancy *v,
                 const char *code)
{
    Assent__V1__NumberVacant body = ASSENT__V1__NUMBER_VACANT__INIT;
    body.carrier = UNCONST(e->carriers[m->carrier].config->name);
    body.code = UNCONST(code);
    body.times = v->times;
    body.first_wall_ms = v->first_wall_ms;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = m->number;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = e->program_scope[m->program];
    event.body_case = ASSENT__V1__EVENT__BODY_NUMBER_VACANT;
    event.number_vacant = &body;
    record_event(e, &event, &personal);
    e->metrics.counters[COUNT_NUMBERS_VACANT]++;
}

void vacancy_note(struct engine *e, const struct message *m, const char *code)
{
    const struct config *config = e->config;
    vacancy_replay(e, m->number, e->now.wall_ms);
    e->metrics.counters[COUNT_UNKNOWN_SUBSCRIBERS]++;
    struct vacancy *v = find(e, m->number);
    if (e->plant == PLANT_VACANCY_LOST || v->times < config->vacant_times ||
        v->latest_wall_ms < v->first_wall_ms + config->vacant_over_ms)
        return;
    mark(e, m, v, code);
    v->marked = true;
    v->times = 1; /* its own record follows, and is counted when it is replayed */
    v->first_wall_ms = v->latest_wall_ms;
}

void vacancy_replay_mark(struct engine *e, uint64_t number, uint64_t wall_ms)
{
    struct vacancy *v = find_or_make(e, number, wall_ms);
    v->marked = true;
    v->times = 0;
}

void vacancy_end(struct engine *e, uint64_t number)
{
    struct vacancy *v = e->vacancy_by_number.count > 0 ? find(e, number) : NULL;
    if (v != NULL && v->marked)
        v->times = 0;
    else if (v != NULL)
        drop(e, v);
}

uint32_t vacancy_consent_day(const struct engine *e, uint64_t number, uint64_t wall_ms)
{
    const struct vacancy *v = e->vacancy_by_number.count > 0 ? find(e, number) : NULL;
    bool may_be_marked = (v != NULL && v->marked) || imports_mark_numbers(e);
    return may_be_marked ? (uint32_t)(wall_ms / DAY_MS) : 0;
}

void vacancy_seen(struct engine *e, const Assent__V1__SeenVacancy *body, uint64_t number)
{
    struct vacancy *v = find_or_make(e, number, body->first_wall_ms);
    v->times = body->times;
    v->marked = body->marked;
    v->latest_wall_ms = body->latest_wall_ms;
}

uint64_t vacancy_describe(const struct vacancy *v, Assent__V1__SeenVacancy *body)
{
    assent__v1__seen_vacancy__init(body);
    body->times = v->times;
    body->marked = v->marked;
    body->first_wall_ms = v->first_wall_ms;
    body->latest_wall_ms = v->latest_wall_ms;
    return v->number;
}

const struct vacancy *vacancy_after(const struct engine *e, const struct vacancy *v)
{
    return v != NULL ? TAILQ_NEXT(v, link) : TAILQ_FIRST(&e->vacancies);
}

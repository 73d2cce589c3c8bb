/* SPDX-License-Identifier: Apache-2.0 */
/* The erasures that are under way and, for a while, those that are done, with what others ask about them. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/erasure_state.h"
#include "proto/base/check.h"

void erasures_init(struct engine *e)
{
    e->erasures = check_calloc(1, sizeof *e->erasures);
    TAILQ_INIT(&e->erasures->open);
    TAILQ_INIT(&e->erasures->done);
}

void erasure_drop(struct engine *e, struct erasure *x)
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
        erasure_drop(e, TAILQ_FIRST(&e->erasures->open));
    while (!TAILQ_EMPTY(&e->erasures->done))
        drop_done(e, TAILQ_FIRST(&e->erasures->done));
    free(e->erasures);
}

struct erasure *erasure_add(struct engine *e, const struct person_mark *person, uint64_t number,
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

void erasure_end(struct engine *e, struct erasure *x, uint64_t wall_ms)
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

struct erasure *erasure_find(const struct engine *e, uint64_t sequence)
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

void erasure_hold_came(struct engine *e, uint64_t number)
{
    struct erasure *x;
    if (e->erasures->open_count > 0)
        TAILQ_FOREACH (x, &e->erasures->open, link)
            if (!x->joined && x->phase < ERASURE_RECORDED && x->number == number)
                x->held = true;
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

const char *erasure_phase_name(const struct erasure *x)
{
    return phase_names[x->phase];
}

void erasures_status(const struct engine *e, struct engine_status *ret)
{
    const struct erasure *x = TAILQ_FIRST(&e->erasures->open);
    ret->erasures = (uint32_t)e->erasures->open_count;
    ret->erasure_phase = x != NULL ? erasure_phase_name(x) : "";
}

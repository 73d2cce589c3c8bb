/* SPDX-License-Identifier: Apache-2.0 */
/* People ask to be erased, in the middle of everything, and go on: they are written to again, say STOP and START.
 * The judge: nothing of them waits when the erasure is recorded; when it is done, their personal parts of before
 * are in no record and in no snapshot, and under their number nothing of before stands in Redis; what was destroyed
 * was somebody's who had asked for it; what was begun comes to its end. That their opt-out goes on to deny
 * is judged where any opt-out is: an erasure turns it into one from everything, that a START lifts. */
#include "tests/sim/world.h"

#include "consent/projection.h"
#include "tests/sim/facts.h"

void erasures_begin(struct world *w)
{
    struct rng rng = {hash_mix(w->seed) | 1};
    for (uint32_t i = 0; i < w->plan.messages && w->plan.erase != 0; i++) {
        if (!rng_chance(&rng, w->plan.erase))
            continue;
        uint32_t number = (uint32_t)rng_below(&rng, w->plan.numbers);
        uint64_t at_us = 4 * US_PER_S + rng_below(&rng, w->plan.chaos_us);
        w->people.to_be_erased[number] = true;
        uint64_t asked = hash_mix(w->seed + i) % (w->plan.gateways + 1); /* the last: all of them */
        for (uint32_t g = 0; g < w->plan.gateways; g++) {
            if (asked < w->plan.gateways && asked != g)
                continue;
            world_turn_to(w, g);
            people_plan_call(w, at_us + rng_below(&rng, 3 * US_PER_S), CALL_ERASE, 0, number);
        }
    }
}

bool erasures_know(const struct world *w, uint64_t number, uint64_t from_wall_ms,
                   uint64_t until_wall_ms)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = 1; i < d->next; i++) {
            const struct fact *f = &d->records[i].fact;
            if (f->body == ASSENT__V1__EVENT__BODY_ERASED && f->asked_ms == 0 &&
                f->number == number && f->wall_ms >= from_wall_ms && f->wall_ms <= until_wall_ms)
                return true;
        }
    }
    return false;
}

static bool is_done(const struct disk *d, uint64_t erasure)
{
    for (uint64_t i = erasure; i <= d->durable; i++)
        if (d->records[i].fact.body == ASSENT__V1__EVENT__BODY_ERASURE_DONE &&
            d->records[i].fact.erasure == erasure)
            return true;
    return false;
}

uint64_t erasures_open(const struct world *w)
{
    const struct disk *d = &w->gw->disk;
    for (uint64_t i = 1; i <= d->durable && w->plan.erase != 0; i++)
        if (d->records[i].fact.body == ASSENT__V1__EVENT__BODY_ERASED && !is_done(d, i))
            return i;
    return 0;
}

/* From when on an erasure does not reach. */
static uint64_t reaches_until_ms(const struct fact *erased)
{
    return erased->asked_ms != 0 ? erased->asked_ms : UINT64_MAX;
}

/* What it leaves of the records before it. */
static bool leaves(const struct disk *d, uint64_t erasure, uint64_t sequence)
{
    const struct fact *erased = &d->records[erasure].fact, *f = &d->records[sequence].fact;
    return erased->asked_ms != 0 &&
           (f->wall_ms > erased->asked_ms ||
            (facts_leaves(erased, sequence) && body_is_consent((uint32_t)f->body)));
}

static bool knows(const struct disk *d, const struct fact *erased)
{
    for (uint64_t i = 1; i <= d->durable; i++) {
        const struct fact *f = &d->records[i].fact;
        if (f->body == ASSENT__V1__EVENT__BODY_ERASED && f->number == erased->number &&
            (f->asked_ms != 0 ? f->asked_ms : f->wall_ms) >= erased->wall_ms)
            return true;
    }
    return false;
}

/* Redis tells of it: no hold came at the same time. */
static bool is_told(const struct world *w, const struct fact *erased)
{
    const struct redis_data *d = &w->server.now;
    for (size_t i = 0; i < d->erased_count; i++)
        if (d->erased[i].wall_ms == erased->wall_ms &&
            person_is(&d->erased[i].person, erased->number))
            return true;
    return false;
}

bool erasures_lacking(const struct world *w)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = 1; i <= d->durable && w->plan.erase != 0; i++)
            if (d->records[i].fact.body == ASSENT__V1__EVENT__BODY_ERASED &&
                d->records[i].fact.asked_ms == 0 && is_told(w, &d->records[i].fact) &&
                !knows(&w->gw->disk, &d->records[i].fact))
                return true;
    }
    return false;
}

/* ---- recorded ---- */

static void check_ended(struct world *w, uint64_t number, uint64_t until_ms)
{
    for (uint64_t i = w->gw->seen.oldest_open; i < w->gw->disk.next; i++) {
        const struct record *r = &w->gw->disk.records[i];
        if (r->fact.body == ASSENT__V1__EVENT__BODY_ACCEPTED && r->fact.number == number &&
            r->fact.wall_ms <= until_ms && r->progress.open)
            world_fail(w, "erased", "message %llu has no end, and who gets it is erased",
                       (unsigned long long)i);
    }
}

/* What waits is cancelled; of what the carrier has no receipt is waited for. */
static void check_how_ended(struct world *w, const struct fact *f)
{
    const struct record *of = disk_accepted(w, f->message);
    uint32_t number = of != NULL ? people_find_number(w, of->fact.number) : NONE;
    bool written = of != NULL && of->progress.sent_parts != 0;
    bool fits = f->outcome == ASSENT__V1__OUTCOME__CANCELLED ||
                (f->outcome == ASSENT__V1__OUTCOME__SENT_NO_RECEIPT && written);
    if (number == NONE || !w->people.to_be_erased[number] || !fits)
        world_fail(w, "erased", "message %llu ends as %d by an erasure",
                   (unsigned long long)f->message, f->outcome);
}

/* ---- done ---- */

static bool is_of(const struct world *w, const struct record *r, uint64_t number)
{
    const struct record *of = disk_accepted((struct world *)(uintptr_t)w, r->fact.message);
    return r->fact.number == number || (of != NULL && of->fact.number == number);
}

/* Some record that the erasure does not reach is about the number, in this ledger, or in another at that time. */
static bool came_again(const struct world *w, uint64_t erasure, uint64_t number)
{
    uint64_t since_us = w->gw->disk.records[erasure].appended_us;
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = 1; i < d->next; i++) {
            bool later = g == w->gw->index ? i > erasure || leaves(d, erasure, i)
                                           : d->records[i].appended_us + US_PER_S > since_us;
            if (d->records[i].fact.number == number && later)
                return true;
        }
    }
    return false;
}

static void check_records(struct world *w, uint64_t erasure, uint64_t number)
{
    for (uint64_t i = 1; i <= erasure; i++)
        if (w->gw->disk.records[i].personal_length > 0 && !leaves(&w->gw->disk, erasure, i) &&
            is_of(w, &w->gw->disk.records[i], number))
            world_fail(w, "erased", "record %llu holds who was erased by %llu",
                       (unsigned long long)i, (unsigned long long)erasure);
}

static void check_snapshots(struct world *w, uint64_t erasure, uint64_t number)
{
    for (unsigned s = 0; s < 2; s++) {
        const struct snapshot *snapshot = &w->gw->disk.snapshots[s];
        for (size_t i = 0; i < snapshot->count; i++)
            if (record_number(&snapshot->records[i]) == number &&
                (snapshot->sequence <= erasure || !came_again(w, erasure, number)))
                world_fail(w, "erased", "a snapshot below %llu holds who was erased by %llu",
                           (unsigned long long)snapshot->sequence, (unsigned long long)erasure);
    }
}

static bool stands_under(const struct set *set, uint64_t number)
{
    for (size_t i = 0; i < set->count; i++)
        if (key_is_of(set->members[i], number))
            return true;
    return false;
}

bool erasures_may_leave(const struct world *w, uint64_t key)
{
    uint32_t number = people_find_number(w, key & NUMBER_MASK);
    return w->oracle.redis_lost_us != 0 && number != NONE && w->people.to_be_erased[number] &&
           scope_is_register(key >> 50);
}

static bool is_opted_out(const struct world *w, uint64_t number)
{
    const struct set *set = &w->server.now.opt_out;
    for (size_t i = 0; i < set->count; i++)
        if (key_is_of(set->members[i], number) && !erasures_may_leave(w, set->members[i]))
            return true;
    return false;
}

/* An older copy has come back, and the record that has this one's fingerprint has not come there again. */
static bool is_behind(const struct world *w, uint64_t erasure)
{
    uint64_t position = redis_position(&w->server.now, w->gw->index);
    for (uint64_t i = w->gw->disk.durable; i > position && i > erasure; i--) {
        const struct record *r = &w->gw->disk.records[i];
        if (r->fact.body == ASSENT__V1__EVENT__BODY_ERASED_RECORDS && r->fact.erasure == erasure &&
            r->personal_recorded > 0)
            return true;
    }
    return false;
}

/* Nobody but the fake gateway of other opt-outs has written there since, and no gateway that has not heard of it: into
 * a Redis that was emptied it may write again what it has of the person. */
static void check_redis(struct world *w, uint64_t erasure, uint64_t number)
{
    const struct redis_data *d = &w->server.now;
    bool stands = is_opted_out(w, number) || stands_under(&d->opt_in, number);
    for (size_t i = 0; i < d->pending_count; i++)
        stands = stands || key_is_of(d->pending[i].key, number);
    for (size_t i = 0; i < d->stop_time_count; i++)
        stands = stands || key_is_of(d->stop_times[i].key, number);
    for (size_t i = 0; i < d->days.count; i++)
        stands = stands || (key_is_of(d->days.days[i].key, number) &&
                            !erasures_may_leave(w, d->days.days[i].key));
    for (uint32_t g = 0; g < w->plan.gateways; g++)
        stands = stands && knows(&w->gateways[g].disk, &w->gw->disk.records[erasure].fact);
    if (stands && !came_again(w, erasure, number) && !is_behind(w, erasure) &&
        !stands_under(&w->oracle.other_gateways, number))
        world_fail(w, "erased", "Redis holds the number of who was erased by %llu",
                   (unsigned long long)erasure);
}

static void check_done(struct world *w, uint64_t erasure)
{
    const struct fact *f = &w->gw->disk.records[erasure].fact;
    if (f->body != ASSENT__V1__EVENT__BODY_ERASED) {
        world_fail(w, "erased", "an end of an erasure that is none: %llu",
                   (unsigned long long)erasure);
        return;
    }
    check_records(w, erasure, f->number);
    check_snapshots(w, erasure, f->number);
    if (f->asked_ms == 0)
        check_redis(w, erasure, f->number);
}

void erasures_appended(struct world *w, uint64_t sequence)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    if (f->body == ASSENT__V1__EVENT__BODY_ERASED) {
        check_ended(w, f->number, reaches_until_ms(f));
        oracle_erases(w, people_find_number(w, f->number));
    }
    if (f->body == ASSENT__V1__EVENT__BODY_ENDED && f->reason == ASSENT__V1__REASON__ERASURE)
        check_how_ended(w, f);
    if (f->body == ASSENT__V1__EVENT__BODY_ERASURE_DONE)
        check_done(w, f->erasure);
}

void erasures_executed(struct world *w, uint64_t number)
{
    oracle_forgets(w, people_find_number(w, number));
}

/* ---- the end ---- */

static bool was_erased(const struct world *w, const struct disk *d, uint64_t sequence)
{
    for (uint64_t i = sequence; i <= d->durable; i++)
        if (d->records[i].fact.body == ASSENT__V1__EVENT__BODY_ERASED &&
            is_of(w, &d->records[sequence], d->records[i].fact.number))
            return true;
    return false;
}

static bool says_kept(const struct record *r, uint64_t key)
{
    struct person_mark person;
    struct span octets = record_public(r);
    if (r->fact.body != ASSENT__V1__EVENT__BODY_ERASED_RECORDS)
        return false;
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, octets.length, octets.data);
    const Assent__V1__ErasedRecords *body = event->erased_records;
    bool says = body->kept_opt_out &&
                person_mark_read(body->person.data, body->person.len, &person) &&
                person_member(&person) == key;
    assent__v1__event__free_unpacked(event, NULL);
    return says;
}

/* Is the key of who was erased, with an opt-out before it, or later? */
static bool met(const struct disk *d, uint64_t erasure, uint64_t key, bool later)
{
    const struct fact *erased = &d->records[erasure].fact;
    struct person_mark person = person_mark(erased->number);
    if (erased->body != ASSENT__V1__EVENT__BODY_ERASED || person_member(&person) != key)
        return false;
    uint64_t until = later ? d->durable : erasure - 1;
    for (uint64_t i = later ? erasure + 1 : 1; i <= until; i++)
        if (d->records[i].fact.body == ASSENT__V1__EVENT__BODY_OPTED_OUT &&
            d->records[i].fact.number == erased->number)
            return true;
    return false;
}

static bool any_met(const struct world *w, uint64_t key, bool later)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++)
        for (uint64_t i = 1; i <= w->gateways[g].disk.durable; i++)
            if (met(&w->gateways[g].disk, i, key, later))
                return true;
    return false;
}

/* Redis refused the erasure and took an opt-out from after it: the erasure, which comes once more, finds that, and keeps
 * the fingerprint. It denies beside the opt-out, and START lifts both. */
bool erasures_met_later(const struct world *w, uint64_t key)
{
    return any_met(w, key, true);
}

/* An older Redis has an opt-out that a START before the erasure had lifted. That START is destroyed, and what stands
 * there might be another gateway's alone: deny wins, until START. */
bool erasures_met_older(const struct world *w, uint64_t key)
{
    return w->oracle.redis_lost_us != 0 && any_met(w, key, false);
}

bool erasures_say_kept(const struct world *w, uint64_t key)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++)
        for (uint64_t i = 1; i <= w->gateways[g].disk.durable; i++)
            if (says_kept(&w->gateways[g].disk.records[i], key))
                return true;
    return false;
}

void erasures_end(struct world *w)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        world_turn_to(w, g);
        const struct disk *d = &w->gw->disk;
        for (uint64_t i = 1; i <= d->durable; i++) {
            const struct record *r = &d->records[i];
            if (r->fact.body == ASSENT__V1__EVENT__BODY_ERASED && r->fact.asked_ms == 0 &&
                is_done(d, i))
                check_redis(w, i, r->fact.number); /* an older copy may have come back since */
            bool place = r->fact.body == ASSENT__V1__EVENT__BODY_ERASED_RECORDS;
            if (!r->gone && r->personal_length != r->personal_recorded && !place &&
                !was_erased(w, d, i))
                world_fail(w, "erased", "record %llu is nobody's who was erased, and destroyed",
                           (unsigned long long)i);
        }
    }
}

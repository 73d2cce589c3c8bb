/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger in memory. Appended: in the process's batch. Flushed: handed to the ledger thread.
 * Durable: an fsync that began after the flush has ended. A crash keeps what is durable and, since a
 * kernel may have written more than it promised, any whole number of flushed records after it. */
#include "tests/sim/world.h"

#include <stdlib.h>

#include "consent/projection.h"
#include "proto/base/check.h"

#define FULL_RETRY_US 100000

static event_run sync_over, tell_durable;

void disk_init(struct disk *d)
{
    *d = (struct disk){.next = 1, .size = 1024};
    d->records = check_calloc(d->size, sizeof *d->records);
}

static void snapshot_release(struct snapshot *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->records[i].octets);
    free(s->records);
    *s = (struct snapshot){0};
}

void disk_release(struct disk *d)
{
    for (uint64_t i = 1; i < d->next; i++)
        free(d->records[i].octets);
    free(d->records);
    free(d->erasing);
    free(d->cuts);
    snapshot_release(&d->snapshots[0]);
    snapshot_release(&d->snapshots[1]);
}

struct span record_public(const struct record *r)
{
    return span_of(r->octets, r->public_length);
}

struct span record_personal(const struct record *r)
{
    return span_of(r->octets + r->public_length, r->personal_length);
}

static void fill_record(struct record *r, struct span public_part, struct span personal_part)
{
    *r = (struct record){.public_length = (uint32_t)public_part.length,
                         .personal_length = (uint32_t)personal_part.length};
    r->octets = check_malloc(public_part.length + personal_part.length + 1);
    if (public_part.length > 0)
        memcpy(r->octets, public_part.data, public_part.length);
    if (personal_part.length > 0)
        memcpy(r->octets + public_part.length, personal_part.data, personal_part.length);
}

uint64_t disk_append(struct world *w, struct span public_part, struct span personal_part)
{
    struct disk *d = &w->gw->disk;
    if (public_part.length + personal_part.length > LEDGER_RECORD_MAX)
        world_fail(w, "P10", "a record of %zu octets", public_part.length + personal_part.length);
    if (d->next == d->size) {
        d->size *= 2;
        d->records = check_realloc(d->records, d->size * sizeof *d->records);
    }
    struct record *r = &d->records[d->next];
    fill_record(r, public_part, personal_part);
    r->personal_recorded = r->personal_length;
    r->appended_us = w->now_us;
    uint64_t sequence = d->next++;
    oracle_appended(w, sequence);
    return sequence;
}

static void begin_sync(struct world *w)
{
    struct disk *d = &w->gw->disk;
    if (d->syncing != 0 || d->flushed == d->durable)
        return;
    d->syncing = d->flushed;
    uint64_t takes_us = spread(&w->disk_rng, w->plan.fsync_us);
    if (rng_chance(&w->disk_rng, w->plan.fsync_slow))
        takes_us += 20000 + rng_below(&w->disk_rng, 1500000);
    world_at(w, takes_us, sync_over, d->life, 0, 0);
}

void disk_flush(struct world *w)
{
    w->gw->disk.flushed = w->gw->disk.next - 1;
    begin_sync(w);
}

static void publish_snapshots(struct disk *d)
{
    for (unsigned i = 0; i < 2; i++)
        if (d->snapshots[i].sequence != 0 && d->durable + 1 >= d->snapshots[i].sequence)
            d->snapshots[i].published = true;
}

static void sync_over(struct world *w, struct event *e)
{
    struct disk *d = &w->gw->disk;
    if (e->a != d->life)
        return;
    if (d->full) {
        schedule_again(&w->schedule, e, w->now_us + FULL_RETRY_US);
        return;
    }
    if (rng_chance(&w->disk_rng, w->plan.fsync_fail)) {
        world_die(w, "fsync failed");
        return;
    }
    d->durable = d->syncing;
    d->syncing = 0;
    TRACE(w, "disk", "durable up to %llu", (unsigned long long)d->durable);
    publish_snapshots(d);
    begin_sync(w);
    world_at(w, 0, tell_durable, d->life, 0, 0);
}

static void tell_durable(struct world *w, struct event *e)
{
    if (e->a != w->gw->disk.life || !world_may_enter(w, e))
        return;
    engine_on_durable(w->gw->engine, w->gw->disk.durable);
    if (!w->gw->crashed)
        people_durable(w);
    world_entered(w);
}

/* ---- keys ---- */

bool disk_key_take(struct world *w, uint32_t *ret_id, uint8_t ret_key[SECRET_KEY_SIZE])
{
    struct disk *d = &w->gw->disk;
    unsigned i = 0;
    while (i < SECRET_KEYS_MAX && d->keys[i].there)
        i++;
    if (i == SECRET_KEYS_MAX)
        world_fail(w, "P10", "%u keys are in use", i);
    if (i == SECRET_KEYS_MAX || (!w->healing && rng_chance(&w->disk_rng, 50000)))
        return false;
    d->keys[i] = (struct disk_key){.there = true, .id = ++d->last_key};
    for (unsigned j = 0; j < SECRET_KEY_SIZE; j++)
        d->keys[i].octets[j] = (uint8_t)rng_next(&w->secret_rng);
    *ret_id = d->keys[i].id;
    memcpy(ret_key, d->keys[i].octets, SECRET_KEY_SIZE);
    TRACE(w, "disk", "key %u is given out", d->last_key);
    return true;
}

static void destroy_leaving(struct disk *d)
{
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        if (d->keys[i].leaving)
            d->keys[i] = (struct disk_key){0};
}

static void key_destroyed(struct world *w, struct event *e)
{
    if (e->a == w->gw->disk.life)
        destroy_leaving(&w->gw->disk);
}

void disk_key_destroy(struct world *w, uint32_t id)
{
    struct disk *d = &w->gw->disk;
    TRACE(w, "disk", "key %u is to be destroyed", id);
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        d->keys[i].leaving = d->keys[i].leaving || (d->keys[i].there && d->keys[i].id == id);
    world_at(w, spread(&w->disk_rng, w->plan.fsync_us), key_destroyed, d->life, 0, 0);
}

unsigned disk_keys_left(const struct disk *d)
{
    unsigned left = 0;
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        left += d->keys[i].there;
    return left;
}

static void crash_keys(struct world *w)
{
    struct disk *d = &w->gw->disk;
    if (rng_chance(&w->disk_rng, 500000))
        destroy_leaving(d);
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        d->keys[i].leaving = false;
}

void disk_set_full(struct world *w, bool full)
{
    if (w->gw->disk.full != full)
        TRACE(w, "disk", full ? "full" : "has space again");
    w->gw->disk.full = full;
}

void disk_crash(struct world *w)
{
    struct disk *d = &w->gw->disk;
    uint64_t keep = d->durable;
    if (rng_chance(&w->disk_rng, 500000))
        keep += rng_below(&w->disk_rng, d->flushed - d->durable + 1);
    TRACE(w, "disk", "appended %llu, durable %llu, kept %llu", (unsigned long long)(d->next - 1),
          (unsigned long long)d->durable, (unsigned long long)keep);
    for (uint64_t i = keep + 1; i < d->next; i++)
        free(d->records[i].octets);
    d->next = keep + 1;
    d->durable = d->flushed = keep;
    d->syncing = 0;
    d->life++;
    retention_crash(d);
    crash_keys(w);
    for (unsigned i = 0; i < 2; i++)
        if (!d->snapshots[i].published)
            snapshot_release(&d->snapshots[i]);
}

void disk_close(struct world *w)
{
    struct disk *d = &w->gw->disk;
    d->durable = d->flushed = d->next - 1;
    d->syncing = 0;
    d->life++;
    destroy_leaving(d);
    publish_snapshots(d);
}

/* ---- erasure ---- */

static event_run look_for_person, destroy_person, person_gone;

bool disk_erasure_find(struct world *w, const struct erase_reach *reach)
{
    struct disk *d = &w->gw->disk;
    d->sought = *reach;
    world_at(w, 1000 + rng_below(&w->disk_rng, 200000), look_for_person, d->life, 0, 0);
    return true;
}

uint64_t record_number(const struct record *r)
{
    struct span octets = record_personal(r);
    Assent__V1__Personal *personal =
        octets.length > 0 ? assent__v1__personal__unpack(NULL, octets.length, octets.data) : NULL;
    uint64_t number = personal != NULL ? personal->number : 0;
    if (personal != NULL)
        assent__v1__personal__free_unpacked(personal, NULL);
    return number;
}

/* Where their fingerprint denies since an erasure before. */
static bool is_place_of(const struct person_mark *person, const struct record *r)
{
    struct person_mark mark;
    struct span octets = record_public(r);
    if (r->fact.body != ASSENT__V1__EVENT__BODY_ERASED_RECORDS)
        return false;
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, octets.length, octets.data);
    const ProtobufCBinaryData *named = &event->erased_records->person;
    bool theirs =
        person_mark_read(named->data, named->len, &mark) && person_mark_equal(&mark, person);
    assent__v1__event__free_unpacked(event, NULL);
    return theirs;
}

/* By its own number, or by that of the message that it names. */
static bool is_persons(struct world *w, const struct erase_reach *reach, uint64_t sequence,
                       const struct record *r)
{
    const struct person_mark *person = &reach->person;
    const struct record *of = disk_accepted(w, r->fact.message);
    if (of != NULL && of->gone)
        of = NULL;
    uint64_t number = record_number(r), of_message = of != NULL ? record_number(of) : 0;
    if (r->personal_length == 0)
        return false;
    if (of_message != 0 && person_is(person, of_message) &&
        of->fact.wall_ms <= reach->until_wall_ms)
        return true;
    bool later = r->fact.wall_ms > reach->until_wall_ms ||
                 (sequence >= reach->consent_until && body_is_consent(r->fact.body));
    return !later && ((number != 0 && person_is(person, number)) || is_place_of(person, r));
}

static void look_for_person(struct world *w, struct event *e)
{
    struct disk *d = &w->gw->disk;
    if (e->a != d->life || !world_may_enter(w, e))
        return;
    bool ok = w->healing || !rng_chance(&w->disk_rng, 100000);
    uint64_t *found = check_malloc(d->next * sizeof *found);
    size_t count = 0;
    for (uint64_t i = 1; i < d->sought.until && i <= d->durable; i++) {
        if (is_persons(w, &d->sought, i, &d->records[i]))
            found[count++] = i;
    }
    engine_on_erasure_found(w->gw->engine, ok, found, ok ? count : 0, world_instant(w));
    free(found);
    world_entered(w);
}

bool disk_erasure_destroy(struct world *w, const uint64_t *records, size_t count)
{
    struct disk *d = &w->gw->disk;
    d->erasing = check_realloc(d->erasing, (count + 1) * sizeof *records);
    memcpy(d->erasing, records, count * sizeof *records);
    d->erasing_count = count;
    d->erasing_snapshot = 0;
    world_at(w, 1000 + rng_below(&w->disk_rng, 200000), destroy_person, d->life, 0, 0);
    return true;
}

/* In two halves: a crash may come between. */
static void destroy_person(struct world *w, struct event *e)
{
    struct disk *d = &w->gw->disk;
    if (e->a != d->life)
        return;
    size_t half = d->erasing_count / 2, from = e->b == 0 ? 0 : half;
    size_t to = e->b == 0 ? half : d->erasing_count;
    for (size_t i = from; i < to; i++)
        d->records[d->erasing[i]].personal_length = 0;
    world_at(w, 1000 + rng_below(&w->disk_rng, 20000), e->b == 0 ? destroy_person : person_gone,
             d->life, 1, 0);
}

static void person_gone(struct world *w, struct event *e)
{
    struct disk *d = &w->gw->disk;
    if (e->a != d->life || !world_may_enter(w, e))
        return;
    bool pending = d->snapshots[1].sequence != 0 && !d->snapshots[1].published;
    if (d->erasing_snapshot == 0 && !pending) {
        d->erasing_snapshot = d->next;
        disk_snapshot(w);
    }
    if (d->erasing_snapshot != 0 && d->snapshots[1].published &&
        d->snapshots[1].sequence >= d->erasing_snapshot) {
        snapshot_release(&d->snapshots[0]);
        engine_on_erasure_destroyed(w->gw->engine, true, 1, world_instant(w));
    } else {
        world_at(w, 10000, person_gone, d->life, 0, 0);
    }
    world_entered(w);
}

/* ---- snapshots ---- */

static bool add_to_snapshot(void *context, struct span public_part, struct span personal_part)
{
    struct snapshot *s = context;
    if (s->count == s->size) {
        s->size = s->size ? s->size * 2 : 64;
        s->records = check_realloc(s->records, s->size * sizeof *s->records);
    }
    fill_record(&s->records[s->count++], public_part, personal_part);
    return true;
}

void disk_snapshot(struct world *w)
{
    struct disk *d = &w->gw->disk;
    if (d->snapshots[1].sequence != 0 && !d->snapshots[1].published)
        return;
    struct snapshot s = {.sequence = d->next};
    if (!engine_snapshot(w->gw->engine, world_instant(w), add_to_snapshot, &s)) {
        world_fail(w, "P5", "engine_snapshot gave up by itself");
        snapshot_release(&s);
        return;
    }
    engine_snapshot_begun(w->gw->engine);
    TRACE(w, "disk", "snapshot below %llu: %zu records", (unsigned long long)s.sequence, s.count);
    snapshot_release(&d->snapshots[0]);
    d->snapshots[0] = d->snapshots[1];
    d->snapshots[1] = s;
    publish_snapshots(d);
}

static const struct snapshot *newest_snapshot(const struct disk *d)
{
    if (d->snapshots[1].published)
        return &d->snapshots[1];
    return d->snapshots[0].published ? &d->snapshots[0] : NULL;
}

uint64_t disk_start(const struct disk *d)
{
    const struct snapshot *s = newest_snapshot(d);
    return s != NULL ? s->sequence : 1;
}

static bool replay(struct world *w, uint64_t sequence, const struct record *r)
{
    const char *why = "";
    enum err err =
        engine_replay(w->gw->engine, sequence, record_public(r), record_personal(r), &why);
    if (err != ERR_OK)
        world_fail(w, "P5", "recovery refuses record %llu: %s", (unsigned long long)sequence, why);
    return err == ERR_OK;
}

void disk_recover(struct world *w)
{
    struct disk *d = &w->gw->disk;
    const struct snapshot *s = newest_snapshot(d);
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        if (d->keys[i].there)
            engine_know_key(w->gw->engine, d->keys[i].id, d->keys[i].octets);
    for (size_t i = 0; s != NULL && i < s->count; i++)
        if (!replay(w, 0, &s->records[i]))
            return;
    for (uint64_t i = disk_start(d); i <= d->durable; i++)
        if (!d->records[i].gone && !replay(w, i, &d->records[i]))
            return;
}

uint64_t disk_scan(struct world *w, uint64_t from, uint64_t until, uint32_t max_records,
                   void (*each)(void *engine, uint64_t sequence, struct span public_part,
                                struct span personal_part),
                   void *engine)
{
    struct disk *d = &w->gw->disk;
    if (!w->healing && rng_chance(&w->disk_rng, 5000))
        return 0;
    if (until > d->durable + 1)
        until = d->durable + 1;
    uint64_t at = from;
    for (; at < until && max_records > 0; at++, max_records--)
        if (!d->records[at].gone)
            each(engine, at, record_public(&d->records[at]), record_personal(&d->records[at]));
    return at;
}

struct record *disk_accepted(struct world *w, uint64_t id)
{
    struct disk *d = &w->gw->disk;
    if (id == 0 || id >= d->next || d->records[id].fact.body != ASSENT__V1__EVENT__BODY_ACCEPTED)
        return NULL;
    return &d->records[id];
}

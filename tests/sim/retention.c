/* SPDX-License-Identifier: Apache-2.0 */
/* Old records go, a segment at a time, as gateway/daemon_seal.c has it: what may go is recorded, and when that is
 * durable it goes, now or in a later life. The oracle keeps what it has read in them. */
#include "tests/sim/world.h"

#include "consent/cut_record.h"
#include "consent/projection.h"
#include "proto/base/check.h"

#define SEGMENT_RECORDS 32

static bool goes(const struct world *w, const struct record *r)
{
    return retention_takes(record_public(r)) ||
           (w->plant == PLANT_CONSENT_RETIRED && body_is_consent(r->fact.body));
}

static void take_segment(struct world *w, struct disk_cut *cut)
{
    struct disk *d = &w->gw->disk;
    for (uint64_t i = cut->first; i < cut->first + SEGMENT_RECORDS; i++) {
        struct record *r = &d->records[i];
        r->gone = goes(w, r);
        if (r->gone)
            r->personal_length = 0;
    }
    cut->done = true;
    TRACE(w, "disk", "old records from %llu on are gone", (unsigned long long)cut->first);
}

static uint64_t count_old(struct world *w, uint64_t first)
{
    uint64_t count = 0;
    for (uint64_t i = first; i < first + SEGMENT_RECORDS; i++)
        count += goes(w, &w->gw->disk.records[i]);
    return count;
}

/* False when the gateway records it another time. */
static bool plan_cut(struct world *w, uint64_t first)
{
    struct disk *d = &w->gw->disk;
    struct cut_record cut = {.first = first,
                             .last = first + SEGMENT_RECORDS - 1,
                             .records = count_old(w, first),
                             .age_ms = 1};
    if (cut.records == 0)
        return true;
    uint64_t sequence = engine_record_cut(w->gw->engine, &cut, world_instant(w));
    if (sequence == 0)
        return false;
    d->cuts = check_realloc(d->cuts, (d->cut_count + 1) * sizeof *d->cuts);
    d->cuts[d->cut_count++] = (struct disk_cut){.first = first, .sequence = sequence};
    return true;
}

void retention_turn(struct world *w)
{
    struct disk *d = &w->gw->disk;
    uint64_t below = disk_start(d), needed = engine_retain_below(w->gw->engine), next = 1;
    for (size_t i = 0; i < d->cut_count; i++) {
        if (!d->cuts[i].done && d->cuts[i].sequence <= d->durable)
            take_segment(w, &d->cuts[i]);
        next = d->cuts[i].first + SEGMENT_RECORDS;
    }
    if (w->plant == PLANT_RETAINED_TOO_LITTLE)
        below = d->durable + 1;
    below = needed < below ? needed : below;
    while (next + SEGMENT_RECORDS <= below && plan_cut(w, next))
        next += SEGMENT_RECORDS;
    world_entered(w);
}

void retention_crash(struct disk *d)
{
    while (d->cut_count > 0 && d->cuts[d->cut_count - 1].sequence >= d->next)
        d->cut_count--;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of imports into Redis, by bucket (gathered.h): when they are due, and before what they must come. A row
 * leaves when so many are gathered that its bucket has others; when no row has come for a moment, all do. */
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/number.h"

#define RUNS_IN_FLIGHT 192 /* a STOP waits behind them: about a ms of Redis */

/* Of a register or behind the rows whose times Redis keeps. */
bool row_gathers(const struct projection_entry *entry)
{
    const struct consent_write *write = &entry->write;
    return entry->imported && write->day == 0 && write->taken_wall_ms == 0;
}

void row_note(struct engine *e, const struct consent_write *write)
{
    struct projection *p = &e->projection;
    if (gathered_rows(&p->gathered) == 0)
        p->turn_us = e->now.mono_us;
    p->gathered_us = e->now.mono_us;
    p->passed = write->sequence > p->passed ? write->sequence : p->passed;
    for (uint8_t i = 0; i < write->scope_count; i++)
        gathered_add(&p->gathered, consent_key(write->scopes[i], write->number), write->sequence);
}

void rows_settle(struct engine *e, uint64_t sequence)
{
    gathered_settle(&e->projection.gathered, sequence);
}

static bool some_leave(const struct gathered *g)
{
    return g->leaving_at < g->leaving_count;
}

/* Members of one bucket. */
static bool send_run(struct engine *e)
{
    struct gathered *g = &e->projection.gathered;
    struct projection_entry *entry = check_calloc(1, sizeof *entry);
    struct consent_write *write = &entry->write;
    write->kind = WRITE_OPT_OUTS;
    write->sequence = g->leaving_first;
    write->member_count = (uint8_t)gathered_leave(g, write->members, WRITE_MEMBERS_MAX);
    write->number = number_of_key(write->members[0]);
    if (projection_send(e, entry))
        return true;
    gathered_return(g, write->member_count);
    free(entry);
    return false;
}

static bool send_leaving(struct engine *e, uint32_t in_flight)
{
    while (some_leave(&e->projection.gathered))
        if (e->projection.sent_count >= in_flight || !send_run(e))
            return false;
    return true;
}

/* A START or a release that came after a row, or an erasure, must not be undone by it. */
bool rows_before(struct engine *e, const struct consent_write *write)
{
    struct gathered *g = &e->projection.gathered;
    if (gathered_rows(g) == 0 || (write->kind != WRITE_LIFT_OPT_OUT && write->kind != WRITE_ERASE))
        return true;
    if (!gathered_settle(g, write->sequence) || !send_leaving(e, UINT32_MAX))
        return false;
    gathered_pick(g, write->number);
    return send_leaving(e, UINT32_MAX);
}

static uint64_t due_us(const struct engine *e)
{
    const struct projection *p = &e->projection;
    if (p->gathered.in_bins >= IMPORT_GATHERED_ROWS || p->gathered.full >= 0 || e->draining)
        return 0;
    uint64_t quiet_us = p->gathered_us + IMPORT_GATHER_MS * US_PER_MS;
    uint64_t turned_us = p->turn_us + IMPORT_GATHERED_MS * US_PER_MS;
    return quiet_us < turned_us ? quiet_us : turned_us;
}

bool rows_write(struct engine *e, bool all)
{
    struct projection *p = &e->projection;
    struct gathered *g = &p->gathered;
    while (send_leaving(e, RUNS_IN_FLIGHT) && g->in_bins > 0 &&
           (all || e->now.mono_us >= due_us(e)))
        if (gathered_turn(g))
            p->turn_us = e->now.mono_us;
    if (g->ring != NULL && gathered_rows(g) == 0)
        gathered_clear(g);
    return g->ring == NULL;
}

uint64_t rows_next_us(const struct engine *e)
{
    uint64_t soon_us = e->now.mono_us + US_PER_MS, next_us = due_us(e);
    if (gathered_rows(&e->projection.gathered) == 0)
        return UINT64_MAX;
    return next_us > soon_us ? next_us : soon_us;
}

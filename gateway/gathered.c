/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gathered.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/number.h"

#define BINS     1024
#define RING     32768 /* rows that one sync of the ledger may take */
#define BIN_ROWS 4096  /* more of one bin do not wait for its turn */

static_assert(RING >= 2 * IMPORT_ROWS_MAX * WRITE_SCOPES_MAX, "a call's rows find room");

void gathered_init(struct gathered *g, uint32_t buckets)
{
    *g = (struct gathered){.buckets = buckets, .full = -1};
}

void gathered_clear(struct gathered *g)
{
    for (uint32_t i = 0; g->bins != NULL && i < BINS; i++)
        free(g->bins[i].members);
    free(g->bins);
    free(g->ring);
    free(g->leaving);
    gathered_init(g, g->buckets);
}

static uint32_t bucket_of(const struct gathered *g, uint64_t number)
{
    return store_bucket(number, g->buckets);
}

static uint32_t bin_of(const struct gathered *g, uint64_t number)
{
    return (uint32_t)((uint64_t)bucket_of(g, number) * BINS / g->buckets);
}

bool gathered_has_room(const struct gathered *g)
{
    return g->ring_count + IMPORT_ROWS_MAX * WRITE_SCOPES_MAX <= RING &&
           gathered_rows(g) < IMPORT_GATHERED_ROWS + RING;
}

void gathered_add(struct gathered *g, uint64_t member, uint64_t sequence)
{
    if (g->ring == NULL) {
        g->ring = check_malloc(RING * sizeof *g->ring);
        g->bins = check_calloc(BINS, sizeof *g->bins);
        g->leaving = check_malloc(BIN_ROWS * sizeof *g->leaving);
    }
    CHECK(g->ring_count < RING);
    g->ring[(g->ring_start + g->ring_count++) % RING] = (struct gathered_row){member, sequence};
}

static bool into_bin(struct gathered *g, const struct gathered_row *row)
{
    uint32_t at = bin_of(g, number_of_key(row->member));
    struct gathered_bin *bin = &g->bins[at];
    if (bin->count == BIN_ROWS) {
        g->full = (int32_t)at;
        return false;
    }
    if (bin->count == bin->room) {
        bin->room = bin->room > 0 ? 2 * bin->room : 64;
        bin->members = check_realloc(bin->members, bin->room * sizeof *bin->members);
    }
    if (bin->count == 0)
        bin->first = row->sequence;
    bin->members[bin->count++] = row->member;
    if (g->in_bins++ == 0)
        g->bins_first = row->sequence;
    return true;
}

bool gathered_settle(struct gathered *g, uint64_t sequence)
{
    while (g->ring_count > 0 && g->ring[g->ring_start].sequence <= sequence) {
        if (!into_bin(g, &g->ring[g->ring_start]))
            return false;
        g->ring_start = (g->ring_start + 1) % RING;
        g->ring_count--;
    }
    return true;
}

/* What leaves is older than what has come into a bin since, not than what lay in the others. */
uint64_t gathered_first(const struct gathered *g)
{
    uint64_t first = g->in_bins > 0 ? g->bins_first : UINT64_MAX;
    if (g->leaving_at < g->leaving_count && g->leaving_first < first)
        first = g->leaving_first;
    if (first != UINT64_MAX)
        return first;
    return g->ring_count > 0 ? g->ring[g->ring_start].sequence : 0;
}

uint32_t gathered_rows(const struct gathered *g)
{
    return g->ring_count + g->in_bins + g->leaving_count - g->leaving_at;
}

static uint64_t first_of_bins(const struct gathered *g)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < BINS; i++)
        if (g->bins[i].count > 0 && g->bins[i].first < first)
            first = g->bins[i].first;
    return first != UINT64_MAX ? first : 0;
}

static int by_bucket(const void *one, const void *other)
{
    const struct gathered_placed *a = one, *b = other;
    return (a->bucket > b->bucket) - (a->bucket < b->bucket);
}

static void make_ready(struct gathered *g, uint32_t at)
{
    struct gathered_bin *bin = &g->bins[at];
    CHECK(g->leaving_at == g->leaving_count && bin->count <= BIN_ROWS);
    for (uint32_t i = 0; i < bin->count; i++)
        g->leaving[i] = (struct gathered_placed){
            .bucket = bucket_of(g, number_of_key(bin->members[i])), .member = bin->members[i]};
    qsort(g->leaving, bin->count, sizeof *g->leaving, by_bucket);
    g->leaving_at = 0;
    g->leaving_count = bin->count;
    g->leaving_first = bin->first;
    g->in_bins -= bin->count;
    bin->count = 0;
    if (bin->first == g->bins_first)
        g->bins_first = first_of_bins(g);
    if (g->full == (int32_t)at)
        g->full = -1;
}

bool gathered_turn(struct gathered *g)
{
    if (g->full >= 0) {
        make_ready(g, (uint32_t)g->full);
        return false;
    }
    while (g->turn < BINS && g->bins[g->turn].count == 0)
        g->turn++;
    if (g->turn < BINS)
        make_ready(g, g->turn++);
    if (g->turn < BINS)
        return false;
    g->turn = 0;
    return true;
}

void gathered_pick(struct gathered *g, uint64_t number)
{
    if (g->bins != NULL)
        make_ready(g, bin_of(g, number));
}

size_t gathered_leave(struct gathered *g, uint64_t *out, size_t room)
{
    size_t count = 0;
    while (count < room && g->leaving_at < g->leaving_count &&
           (count == 0 || g->leaving[g->leaving_at].bucket == g->leaving[g->leaving_at - 1].bucket))
        out[count++] = g->leaving[g->leaving_at++].member;
    return count;
}

void gathered_return(struct gathered *g, size_t count)
{
    CHECK(count <= g->leaving_at);
    g->leaving_at -= (uint32_t)count;
}

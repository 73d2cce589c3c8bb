/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/erased_by.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/when.h"
#include "proto/base/check.h"
#include "proto/base/table.h"

struct erased_parts {
    struct arena arena;
    struct table named; /* records -> the first erasure that names them */
    struct table ended; /* erasures -> their place in `ends`, from 1 */
    struct erased_by *ends;
    size_t count;
};

static void take_records(struct erased_parts *parts, const Assent__V1__ErasedRecords *body)
{
    uint64_t at = 0;
    for (size_t i = 0; i < body->n_steps; i++)
        if (table_find(&parts->named, at += body->steps[i]) == NULL)
            *table_put(&parts->named, at) = body->erasure;
}

static void take_done(struct erased_parts *parts, const Assent__V1__ErasureDone *body,
                      uint64_t wall_ms)
{
    if (table_find(&parts->ended, body->erasure) != NULL)
        return;
    parts->ends = check_realloc(parts->ends, (parts->count + 1) * sizeof *parts->ends);
    struct erased_by *by = &parts->ends[parts->count++];
    *table_put(&parts->ended, body->erasure) = parts->count;
    *by = (struct erased_by){.erasure = body->erasure, .wall_ms = wall_ms};
    snprintf(by->request, sizeof by->request, "%s", body->request);
}

/* What names a part first, and its first end: where an older copy came back, it was done again later. */
static bool look(void *context, const struct ledger_record *record)
{
    struct erased_parts *parts = context;
    const Assent__V1__Event *event = record_unpack(&parts->arena, record, NULL);
    if (event != NULL && event->body_case == ASSENT__V1__EVENT__BODY_ERASED_RECORDS)
        take_records(parts, event->erased_records);
    else if (event != NULL && event->body_case == ASSENT__V1__EVENT__BODY_ERASURE_DONE)
        take_done(parts, event->erasure_done, event->wall_ms);
    return true;
}

struct erased_parts *erased_parts_read(const char *directory)
{
    struct erased_parts *parts = check_calloc(1, sizeof *parts);
    struct ledger_filter *filter = ledger_filter_new();
    struct ledger_pass pass = {
        .directory = directory, .filter = filter, .each = look, .context = parts};
    arena_init(&parts->arena, RECORD_ARENA_MAX);
    table_init(&parts->named);
    table_init(&parts->ended);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_ERASED_RECORDS);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_ERASURE_DONE);
    bool read = ledger_pass(&pass);
    ledger_filter_free(filter);
    if (read)
        return parts;
    erased_parts_free(parts);
    return NULL;
}

void erased_parts_free(struct erased_parts *parts)
{
    if (parts == NULL)
        return;
    arena_release(&parts->arena);
    table_release(&parts->named);
    table_release(&parts->ended);
    free(parts->ends);
    free(parts);
}

bool erased_parts_find(const struct erased_parts *parts, uint64_t sequence,
                       struct erased_by *ret_by)
{
    const uint64_t *erasure = table_find(&parts->named, sequence);
    if (erasure == NULL)
        return false;
    const uint64_t *end = table_find(&parts->ended, *erasure);
    *ret_by = end != NULL ? parts->ends[*end - 1] : (struct erased_by){.erasure = *erasure};
    return true;
}

bool erased_by_find(const char *directory, uint64_t sequence, struct erased_by *ret_by)
{
    struct erased_parts *parts = erased_parts_read(directory);
    bool found = parts != NULL && erased_parts_find(parts, sequence, ret_by);
    erased_parts_free(parts);
    return found;
}

char *erased_by_text(const struct erased_by *by, char out[ERASED_BY_SIZE])
{
    char when[WHEN_TEXT_SIZE];
    if (by->wall_ms == 0)
        snprintf(out, ERASED_BY_SIZE, "existed, unaltered; being destroyed by erasure #%" PRIu64,
                 by->erasure);
    else
        snprintf(out, ERASED_BY_SIZE,
                 "existed, unaltered; destroyed at %s by request %s (erasure #%" PRIu64 ")",
                 when_text(by->wall_ms, when), by->request, by->erasure);
    return out;
}

json_t *erased_by_json(const struct erased_by *by)
{
    char text[ERASED_BY_SIZE];
    return json_pack("{s:s, s:s, s:I, s:I}", "request", by->request, "text",
                     erased_by_text(by, text), "wall_ms", (json_int_t)by->wall_ms, "erasure",
                     (json_int_t)by->erasure);
}

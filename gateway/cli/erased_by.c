/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/erased_by.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/when.h"

struct search {
    struct arena arena;
    uint64_t sequence;
    struct erased_by by; /* erasure 0: not named yet */
};

static bool names(const Assent__V1__ErasedRecords *body, uint64_t sequence)
{
    uint64_t at = 0;
    for (size_t i = 0; i < body->n_steps; i++)
        if ((at += body->steps[i]) == sequence)
            return true;
    return false;
}

/* The first end counts: where an older copy came back, it is done again later. */
static bool look(void *context, const struct ledger_record *record)
{
    struct search *s = context;
    const Assent__V1__Event *event = record_unpack(&s->arena, record, NULL);
    if (event == NULL)
        return true;
    if (event->body_case == ASSENT__V1__EVENT__BODY_ERASED_RECORDS && s->by.erasure == 0 &&
        names(event->erased_records, s->sequence))
        s->by.erasure = event->erased_records->erasure;
    if (event->body_case == ASSENT__V1__EVENT__BODY_ERASURE_DONE && s->by.wall_ms == 0 &&
        event->erasure_done->erasure == s->by.erasure) {
        s->by.wall_ms = event->wall_ms;
        snprintf(s->by.request, sizeof s->by.request, "%s", event->erasure_done->request);
    }
    return true;
}

bool erased_by_find(const char *directory, uint64_t sequence, struct erased_by *ret_by)
{
    struct search s = {.sequence = sequence};
    struct ledger_filter *filter = ledger_filter_new();
    struct ledger_pass pass = {
        .directory = directory, .filter = filter, .each = look, .context = &s};
    arena_init(&s.arena, RECORD_ARENA_MAX);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_ERASED_RECORDS);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_ERASURE_DONE);
    bool found = ledger_pass(&pass) && s.by.erasure != 0;
    ledger_filter_free(filter);
    arena_release(&s.arena);
    if (found)
        *ret_by = s.by;
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

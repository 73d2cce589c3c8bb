/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/verify_erasures.h"

#include <stdlib.h>

#include "consent/record_peek.h"
#include "proto/base/check.h"
#include "proto/event.pb-c.h"

void erasures_seen_release(struct erasures_seen *seen)
{
    free(seen->destroyed);
    free(seen->named);
    free(seen->done);
    *seen = (struct erasures_seen){0};
}

/* Room for one more: sizes are powers of two. */
static void *grow(void *list, size_t count, size_t size)
{
    return (count & (count - 1)) == 0 ? check_realloc(list, (count ? 2 * count : 1) * size) : list;
}

void erasures_seen_destroyed(struct erasures_seen *seen, uint64_t sequence)
{
    seen->destroyed = grow(seen->destroyed, seen->destroyed_count, sizeof *seen->destroyed);
    seen->destroyed[seen->destroyed_count++] = sequence;
}

static void take_records(struct erasures_seen *seen, struct span octets)
{
    Assent__V1__ErasedRecords *body =
        assent__v1__erased_records__unpack(NULL, octets.length, octets.data);
    uint64_t sequence = 0;
    for (size_t i = 0; body != NULL && i < body->n_steps; i++) {
        seen->named = grow(seen->named, seen->named_count, sizeof *seen->named);
        sequence += body->steps[i];
        seen->named[seen->named_count++] = (struct erasure_named){sequence, body->erasure};
    }
    if (body != NULL)
        assent__v1__erased_records__free_unpacked(body, NULL);
}

static void take_done(struct erasures_seen *seen, struct span octets)
{
    Assent__V1__ErasureDone *body =
        assent__v1__erasure_done__unpack(NULL, octets.length, octets.data);
    if (body == NULL)
        return;
    seen->done = grow(seen->done, seen->done_count, sizeof *seen->done);
    seen->done[seen->done_count++] = body->erasure;
    assent__v1__erasure_done__free_unpacked(body, NULL);
}

void erasures_seen_record(struct erasures_seen *seen, uint32_t body, struct span public_part,
                          bool settled)
{
    struct record_peek peek;
    if ((body != ASSENT__V1__EVENT__BODY_ERASED_RECORDS &&
         body != ASSENT__V1__EVENT__BODY_ERASURE_DONE) ||
        !record_peek(public_part, &peek))
        return;
    if (peek.body == ASSENT__V1__EVENT__BODY_ERASED_RECORDS)
        take_records(seen, peek.octets);
    else if (settled)
        take_done(seen, peek.octets);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int by_record(const void *a, const void *b)
{
    const struct erasure_named *x = a, *y = b;
    return (x->record > y->record) - (x->record < y->record);
}

static bool has(const uint64_t *list, size_t count, uint64_t number)
{
    return count > 0 && bsearch(&number, list, count, sizeof *list, by_number) != NULL;
}

uint64_t erasures_seen_judge(struct erasures_seen *seen, uint64_t first,
                             bool (*is_gone)(void *context, uint64_t sequence),
                             void (*unexplained)(void *context, uint64_t sequence),
                             void (*came_back)(void *context, uint64_t sequence, uint64_t erasure),
                             void *context)
{
    uint64_t explained = 0;
    if (seen->named_count > 0)
        qsort(seen->named, seen->named_count, sizeof *seen->named, by_record);
    if (seen->done_count > 0)
        qsort(seen->done, seen->done_count, sizeof *seen->done, by_number);
    for (size_t i = 0; i < seen->destroyed_count; i++) {
        struct erasure_named key = {.record = seen->destroyed[i]};
        bool is_named = seen->named_count > 0 && bsearch(&key, seen->named, seen->named_count,
                                                         sizeof key, by_record) != NULL;
        explained += is_named;
        if (!is_named)
            unexplained(context, key.record);
    }
    for (size_t i = 0; i < seen->named_count; i++) {
        const struct erasure_named *named = &seen->named[i];
        if (named->record >= first && has(seen->done, seen->done_count, named->erasure) &&
            !has(seen->destroyed, seen->destroyed_count, named->record) &&
            !is_gone(context, named->record))
            came_back(context, named->record, named->erasure);
    }
    return explained;
}

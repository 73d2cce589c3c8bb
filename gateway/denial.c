/* SPDX-License-Identifier: Apache-2.0 */
/* What this gateway knows of opt-outs before Redis does: the deny set that every write to the wire
 * passes (P2, P3), and the opt-outs of the last minutes, so that each is confirmed once (P4). */
#include <stdlib.h>

#include "consent/person.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/number.h"

static struct denial *find(const struct engine *e, uint64_t number, uint16_t scope)
{
    return table_find_pointer(&e->denials, consent_key(scope, number));
}

static void drop(struct engine *e, struct denial *denial)
{
    if (denial->until_us != 0)
        TAILQ_REMOVE(&e->denials_leaving, denial, link);
    table_remove(&e->denials, denial->key);
    free(denial);
}

void deny_add(struct engine *e, uint64_t number, uint16_t scope, uint64_t sequence)
{
    uint64_t key = consent_key(scope, number);
    struct denial *denial = find(e, number, scope);
    if (denial == NULL) {
        denial = check_calloc(1, sizeof *denial);
        denial->key = key;
        *table_put(&e->denials, key) = (uint64_t)(uintptr_t)denial;
    } else if (denial->until_us != 0) {
        TAILQ_REMOVE(&e->denials_leaving, denial, link);
        denial->until_us = 0;
    }
    denial->sequence = sequence;
}

void deny_lift(struct engine *e, uint64_t number, uint16_t scope, uint64_t sequence)
{
    struct denial *denial = find(e, number, scope);
    if (denial != NULL && denial->sequence < sequence)
        drop(e, denial);
}

static void let_leave(struct engine *e, struct denial *denial)
{
    denial->until_us = e->now.mono_us + DENY_GRACE_MS * US_PER_MS;
    TAILQ_INSERT_TAIL(&e->denials_leaving, denial, link);
}

void deny_acknowledged(struct engine *e, uint64_t number, uint16_t scope, uint64_t sequence)
{
    struct denial *denial = find(e, number, scope);
    if (denial != NULL && denial->until_us == 0 && denial->sequence <= sequence)
        let_leave(e, denial);
}

void deny_all_acknowledged(struct engine *e)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&e->denials, &cursor)) != NULL) {
        struct denial *denial = table_slot_pointer(slot);
        if (denial->until_us == 0)
            let_leave(e, denial);
    }
}

int deny_find(const struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count)
{
    if (e->denials.count == 0)
        return -1;
    for (uint8_t i = 0; i < count; i++)
        if (find(e, number, scopes[i]) != NULL)
            return scopes[i];
    return -1;
}

bool deny_is_newer(const struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count,
                   uint64_t sequence)
{
    for (uint8_t i = 0; i < count; i++) {
        const struct denial *denial = find(e, number, scopes[i]);
        if (denial != NULL && denial->sequence >= sequence)
            return true;
    }
    return false;
}

/* Who has ended everything has ended each part of it. */
static bool covers(const struct recent_opt_out *recent, const uint16_t *scopes, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        bool found = false;
        for (uint8_t j = 0; j < recent->scope_count; j++)
            found =
                found || recent->scopes[j] == scopes[i] || recent->scopes[j] == SCOPE_EVERYTHING;
        if (!found)
            return false;
    }
    return true;
}

static struct recent_opt_out *first_of_number(const struct engine *e, uint64_t number)
{
    return table_find_pointer(&e->recent_by_number, number);
}

static void recent_drop(struct engine *e, struct recent_opt_out *recent)
{
    struct recent_opt_out *first = first_of_number(e, recent->number);
    if (first == recent) {
        if (recent->next_same_number == NULL)
            table_remove(&e->recent_by_number, recent->number);
        else
            *table_put(&e->recent_by_number, recent->number) =
                (uint64_t)(uintptr_t)recent->next_same_number;
    } else {
        while (first->next_same_number != recent)
            first = first->next_same_number;
        first->next_same_number = recent->next_same_number;
    }
    TAILQ_REMOVE(&e->recent_opt_outs, recent, link);
    free(recent);
}

void recent_add(struct engine *e, const struct consent_write *write, uint64_t wall_ms)
{
    struct recent_opt_out *recent = check_calloc(1, sizeof *recent);
    recent->number = write->number;
    recent->sequence = write->sequence;
    recent->wall_ms = wall_ms;
    recent->scope_count = write->scope_count;
    memcpy(recent->scopes, write->scopes, sizeof recent->scopes);
    TAILQ_INSERT_TAIL(&e->recent_opt_outs, recent, link);
    uint64_t *first = table_put(&e->recent_by_number, write->number);
    recent->next_same_number = (struct recent_opt_out *)(uintptr_t)*first;
    *first = (uint64_t)(uintptr_t)recent;
    struct recent_opt_out *oldest;
    while ((oldest = TAILQ_FIRST(&e->recent_opt_outs)) != recent &&
           oldest->wall_ms + CONFIRMATION_MAX_MS < wall_ms)
        recent_drop(e, oldest);
}

void recent_mark(struct engine *e, uint64_t number, uint64_t sequence)
{
    struct recent_opt_out *recent = first_of_number(e, number);
    for (; recent != NULL; recent = recent->next_same_number)
        if (recent->sequence == sequence)
            recent->confirmed = true;
}

bool recent_confirmed(const struct engine *e, const struct consent_write *write)
{
    const struct recent_opt_out *recent = first_of_number(e, write->number);
    for (; recent != NULL; recent = recent->next_same_number)
        if (recent->confirmed && (recent->sequence == write->sequence ||
                                  covers(recent, write->scopes, write->scope_count)))
            return true;
    return false;
}

/* It stays, with nothing left to cover: a Redis that forgot it may make it look like news again. */
void recent_lift(struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count,
                 uint64_t sequence)
{
    struct recent_opt_out *recent = first_of_number(e, number);
    for (; recent != NULL; recent = recent->next_same_number)
        for (uint8_t i = 0; i < count; i++)
            if (recent->sequence < sequence && covers(recent, &scopes[i], 1)) {
                recent->scope_count = 0;
                recent->confirmed = true;
                break;
            }
}

void recents_erase(struct engine *e, const struct person_mark *person)
{
    struct recent_opt_out *recent;
    TAILQ_FOREACH (recent, &e->recent_opt_outs, link)
        if (person_is(person, recent->number))
            recent->erased =
                true; /* it goes in minutes; until then a STOP that comes again is no news */
}

void denials_turn(struct engine *e)
{
    struct denial *denial;
    while ((denial = TAILQ_FIRST(&e->denials_leaving)) != NULL &&
           denial->until_us <= e->now.mono_us)
        drop(e, denial);
}

void denials_release(struct engine *e)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&e->denials, &cursor)) != NULL)
        free(table_slot_pointer(slot));
    table_release(&e->denials);
    struct recent_opt_out *recent;
    while ((recent = TAILQ_FIRST(&e->recent_opt_outs)) != NULL)
        recent_drop(e, recent);
    table_release(&e->recent_by_number);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Places under frequency caps and days of consents, as Redis keeps them: a place is a message's for a window from when
 * it asked last, by the log's order; a day is a field of a hash. */
#include "proto/base/check.h"
#include "tests/sim/world.h"

/* ---- days ---- */

void days_put(struct redis_days *d, uint64_t key, uint32_t day)
{
    size_t i = 0;
    while (i < d->count && d->days[i].key != key)
        i++;
    CHECK(i < sizeof d->days / sizeof d->days[0]);
    if (i == d->count)
        d->days[d->count++] = (struct redis_day){.key = key};
    d->days[i].day = d->days[i].day > day ? d->days[i].day : day;
}

void days_erase(struct redis_days *d, uint64_t number)
{
    for (size_t i = d->count; i-- > 0;)
        if ((d->days[i].key & NUMBER_MASK) == number)
            d->days[i] = d->days[--d->count];
}

uint32_t days_get(const struct redis_days *d, uint64_t key)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->days[i].key == key)
            return d->days[i].day;
    return 0;
}

/* ---- places ---- */

/* What is over goes first. */
static void end_places(struct redis_places *p, uint64_t now_ms)
{
    for (size_t i = p->count; i-- > 0;)
        if (p->places[i].until_ms <= now_ms)
            p->places[i] = p->places[--p->count];
}

static uint32_t taken_under(const struct redis_places *p, uint64_t key, uint64_t now_ms,
                            uint64_t *ret_first_ms)
{
    uint32_t taken = 0;
    *ret_first_ms = UINT64_MAX;
    for (size_t i = 0; i < p->count; i++) {
        uint64_t until_ms = p->places[i].until_ms;
        if (p->places[i].key != key || until_ms <= now_ms)
            continue;
        taken++;
        *ret_first_ms = until_ms < *ret_first_ms ? until_ms : *ret_first_ms;
    }
    return taken;
}

uint32_t places_free(const struct redis_places *p, uint64_t key, uint32_t count, uint64_t now_ms)
{
    uint64_t first_ms;
    uint32_t taken = taken_under(p, key, now_ms, &first_ms);
    return taken < count ? count - taken : 0;
}

static struct redis_place *place_of(struct redis_places *p, uint64_t key, uint64_t message,
                                    uint32_t gateway)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->places[i].key == key && p->places[i].message == message &&
            p->places[i].gateway == gateway)
            return &p->places[i];
    return NULL;
}

static uint32_t of_others(const struct redis_places *p, uint64_t key, uint32_t gateway)
{
    uint32_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        count += p->places[i].key == key && p->places[i].gateway != gateway;
    return count;
}

void places_ask(struct redis_places *p, const struct check *check, uint32_t gateway, bool own_alone,
                uint64_t now_ms, struct check_result *ret)
{
    uint64_t key = consent_key(check->opt_in_scope, check->number), first_ms;
    end_places(p, now_ms);
    uint32_t taken = taken_under(p, key, now_ms, &first_ms);
    if (own_alone)
        taken -= of_others(p, key, gateway);
    ret->cap = taken < check->cap_places ? CAP_ROOM : CAP_FULL;
    if (check->cap_looks) {
        ret->cap_free_ms = ret->cap == CAP_FULL ? first_ms - now_ms : 0;
        return;
    }
    struct redis_place *place = place_of(p, key, check->message, gateway);
    if (place == NULL && ret->cap == CAP_FULL)
        return;
    if (place == NULL) {
        CHECK(p->count < sizeof p->places / sizeof p->places[0]);
        place = &p->places[p->count++];
    }
    ret->cap = CAP_ROOM;
    *place = (struct redis_place){key, check->message, now_ms + check->cap_window_ms, gateway};
}

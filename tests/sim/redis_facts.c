/* SPDX-License-Identifier: Apache-2.0 */
/* Places under frequency caps and days of consents, as Redis keeps them: a place is a key that lives as long as
 * its window (SET NX PX, GET, GETEX PX, PTTL), a day a field of a hash. */
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

static size_t find_place(struct redis_places *p, uint64_t key, uint32_t place)
{
    size_t i = 0;
    while (i < p->count && (p->places[i].key != key || p->places[i].place != place))
        i++;
    if (i == p->count) {
        CHECK(i < sizeof p->places / sizeof p->places[0]);
        p->count++;
        p->places[i].key = key;
        p->places[i].place = place;
        p->places[i].until_ms = 0;
    }
    return i;
}

void places_erase(struct redis_places *p, uint64_t number)
{
    for (size_t i = p->count; i-- > 0;)
        if ((p->places[i].key & NUMBER_MASK) == number)
            p->places[i] = p->places[--p->count];
}

/* A dry run: how long until the first is free. */
static void read_places(struct redis_places *p, uint64_t key, uint32_t count, uint64_t now_ms,
                        struct check_result *ret)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t until_ms = p->places[find_place(p, key, i)].until_ms;
        if (until_ms <= now_ms)
            ret->cap = CAP_FREE;
        else if (ret->cap_free_ms == 0 || until_ms - now_ms < ret->cap_free_ms)
            ret->cap_free_ms = until_ms - now_ms;
    }
}

uint32_t places_free(const struct redis_places *p, uint64_t key, uint32_t count, uint64_t now_ms)
{
    uint32_t taken = 0;
    for (size_t i = 0; i < p->count; i++)
        taken += p->places[i].key == key && p->places[i].until_ms > now_ms;
    return taken < count ? count - taken : 0;
}

void places_ask(struct redis_places *p, const struct check *check, uint32_t gateway,
                uint64_t now_ms, struct check_result *ret)
{
    uint64_t key = consent_key(check->opt_in_scope, check->number);
    if (check->cap_mode == CAP_READ) {
        read_places(p, key, check->cap_places, now_ms, ret);
        return;
    }
    size_t i = find_place(p, key, check->cap_place);
    bool taken = p->places[i].until_ms > now_ms;
    bool own = taken && p->places[i].message == check->message && p->places[i].gateway == gateway;
    if (own)
        ret->cap = check->cap_mode == CAP_RENEW ? CAP_TAKEN : CAP_HELD;
    if (taken && check->cap_mode == CAP_RENEW)
        p->places[i].until_ms = now_ms + check->cap_window_ms;
    if (taken || check->cap_mode == CAP_RENEW)
        return;
    ret->cap = CAP_TAKEN;
    p->places[i].message = check->message;
    p->places[i].gateway = gateway;
    p->places[i].until_ms = now_ms + check->cap_window_ms;
}

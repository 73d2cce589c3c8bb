/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/route.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/check.h"
#include "proto/base/hash.h"
#include "proto/base/table.h"

struct route {
    const struct route_config *config;
    uint16_t carrier;
};

/* Routes of one prefix stand together, sorted by priority and cost. `by_prefix` leads to them: the
 * key is a 1 before the prefix's digits, the value where they begin, and in its upper half where they
 * end. */
struct route_table {
    struct route *routes;
    size_t count;
    struct table by_prefix;
    uint16_t lengths; /* bits: prefixes of this length exist */
};

_Static_assert(NUMBER_DIGITS_MAX < 16, "the lengths of prefixes are bits of 16");

static const uint64_t power_of_ten[NUMBER_DIGITS_MAX + 1] = {
    1ull,
    10ull,
    100ull,
    1000ull,
    10000ull,
    100000ull,
    1000000ull,
    10000000ull,
    100000000ull,
    1000000000ull,
    10000000000ull,
    100000000000ull,
    1000000000000ull,
    10000000000000ull,
    100000000000000ull,
    1000000000000000ull,
};

static uint64_t prefix_key(const char *prefix)
{
    uint64_t key = 1;
    for (; *prefix != '\0'; prefix++)
        key = key * 10 + (uint64_t)(*prefix - '0');
    return key;
}

static int compare(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int in_order(const void *x, const void *y)
{
    const struct route *a = x, *b = y;
    int by = strcmp(a->config->prefix, b->config->prefix);
    if (by == 0)
        by = compare(a->config->priority, b->config->priority);
    if (by == 0)
        by = compare(a->config->cost, b->config->cost);
    return by ? by : compare(a->carrier, b->carrier);
}

static bool same_prefix(const struct route *a, const struct route *b)
{
    return strcmp(a->config->prefix, b->config->prefix) == 0;
}

struct route_table *route_table_new(const struct config *config)
{
    struct route_table *t = check_calloc(1, sizeof *t);
    for (uint16_t c = 0; c < config->carrier_count; c++)
        t->count += config->carriers[c].route_count;
    t->routes = check_calloc(t->count, sizeof *t->routes);
    struct route *next = t->routes;
    for (uint16_t c = 0; c < config->carrier_count; c++)
        for (uint16_t r = 0; r < config->carriers[c].route_count; r++)
            *next++ = (struct route){.config = &config->carriers[c].routes[r], .carrier = c};
    for (size_t i = 0; i < t->count; i++)
        CHECK(t->routes[i].config->weight > 0);
    qsort(t->routes, t->count, sizeof *t->routes, in_order);
    table_init(&t->by_prefix);
    for (size_t first = 0, end; first < t->count; first = end) {
        for (end = first + 1; end < t->count; end++)
            if (!same_prefix(&t->routes[first], &t->routes[end]))
                break;
        const char *prefix = t->routes[first].config->prefix;
        *table_put(&t->by_prefix, prefix_key(prefix)) = (uint64_t)end << 32 | first;
        t->lengths |= (uint16_t)(1u << strlen(prefix));
    }
    return t;
}

void route_table_free(struct route_table *table)
{
    if (table == NULL)
        return;
    table_release(&table->by_prefix);
    free(table->routes);
    free(table);
}

/* ---- filters ---- */

static bool names_sender(const struct route_config *route, const char *sender)
{
    for (uint16_t i = 0; i < route->sender_count; i++)
        if (strcmp(route->senders[i], sender) == 0)
            return true;
    return false;
}

/* How well the filters fit: 0 they do not; else 1 and more, the greater the closer. */
static unsigned closeness(const struct route_config *route, const char *sender,
                          Assent__V1__Class message_class)
{
    bool service = message_class == ASSENT__V1__CLASS__SERVICE;
    bool by_class = route->classes != 0 && !service;
    if (route->sender_count > 0 && !names_sender(route, sender))
        return 0;
    if (by_class && (route->classes >> message_class & 1) == 0)
        return 0;
    return 1 + (route->sender_count > 0 ? 2 : 0) + by_class;
}

bool route_leads_anywhere(const struct config *config, const char *sender,
                          Assent__V1__Class message_class)
{
    for (uint16_t c = 0; c < config->carrier_count; c++)
        for (uint16_t r = 0; r < config->carriers[c].route_count; r++)
            if (closeness(&config->carriers[c].routes[r], sender, message_class) > 0)
                return true;
    return false;
}

/* ---- order ---- */

struct order {
    uint16_t *carriers;
    uint16_t count, wanted;
};

static void order_add(struct order *order, uint16_t carrier)
{
    for (uint16_t i = 0; i < order->count; i++)
        if (order->carriers[i] == carrier)
            return;
    order->carriers[order->count++] = carrier;
}

/* Routes of equal priority and cost: each draw takes one away, the number decides which. What a draw leaves of the
 * random number, the part behind the point, is as random for the next one. */
static void draw(struct order *order, const struct route **tier, unsigned count, uint64_t number)
{
    uint64_t total = 0, random = hash_mix(number);
    for (unsigned i = 0; i < count; i++)
        total += tier[i]->config->weight;
    for (; count > 0 && order->count < order->wanted; count--) {
        unsigned __int128 point_and_rest = (unsigned __int128)random * total;
        uint64_t point = (uint64_t)(point_and_rest >> 64);
        random = (uint64_t)point_and_rest;
        unsigned i = 0;
        while (point >= tier[i]->config->weight)
            point -= tier[i++]->config->weight;
        order_add(order, tier[i]->carrier);
        total -= tier[i]->config->weight;
        for (; i + 1 < count; i++)
            tier[i] = tier[i + 1];
    }
}

static bool in_tier(const struct route *a, const struct route *b)
{
    return a->config->priority == b->config->priority && a->config->cost == b->config->cost;
}

/* The routes of one prefix, `place` in by_prefix. */
static uint16_t order_group(const struct route_table *t, uint64_t place,
                            const struct route_query *q, struct order *order)
{
    unsigned best = 0;
    uint32_t first = (uint32_t)place, end = (uint32_t)(place >> 32);
    for (uint32_t i = first; i < end; i++) {
        unsigned fit = closeness(t->routes[i].config, q->sender, q->message_class);
        best = fit > best ? fit : best;
    }
    const struct route *tier[CARRIERS_MAX];
    unsigned count = 0;
    for (uint32_t i = first; i < end && best > 0; i++) {
        const struct route *route = &t->routes[i];
        if (closeness(route->config, q->sender, q->message_class) != best)
            continue;
        if (count > 0 && (!in_tier(tier[0], route) || count == CARRIERS_MAX)) {
            draw(order, tier, count, q->number);
            count = 0;
        }
        tier[count++] = route;
    }
    draw(order, tier, count, q->number);
    return order->count;
}

uint16_t route_order(const struct route_table *t, const struct route_query *q, uint16_t wanted,
                     uint16_t ret_carriers[CARRIERS_MAX])
{
    struct order order = {.carriers = ret_carriers, .wanted = wanted};
    unsigned digits = 1;
    while (digits < NUMBER_DIGITS_MAX && power_of_ten[digits] <= q->number)
        digits++;
    uint64_t beginning = q->number;
    for (unsigned length = digits;; length--, beginning /= 10) {
        const uint64_t *place = NULL;
        if (t->lengths >> length & 1)
            place = table_find(&t->by_prefix, power_of_ten[length] + beginning);
        if (place != NULL && order_group(t, *place, q, &order) > 0)
            return order.count;
        if (length == 0)
            return 0;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's way out into the simulated world. Every call counts towards a planned crash: from
 * then on nothing that this process does has any effect, and it is buried when its call returns. */
#include "tests/sim/world.h"

/* A record counts for more than it is, so that a full disk leads to back-pressure within a run. */
#define RECORD_WEIGHT 300000u

static bool alive(void *context)
{
    struct world *w = context;
    if (w->gw->crashed)
        return false;
    if (w->gw->crash_in > 0 && --w->gw->crash_in == 0) {
        world_die(w, "crash between two steps");
        return false;
    }
    return true;
}

static uint64_t ledger_append(void *context, struct span public_part, struct span personal_part)
{
    struct world *w = context;
    if (!alive(w))
        return ++w->gw->dead_sequence;
    uint64_t sequence = disk_append(w, public_part, personal_part);
    w->gw->dead_sequence = sequence;
    return sequence;
}

static void ledger_flush(void *context)
{
    if (alive(context))
        disk_flush(context);
}

static uint64_t ledger_next(void *context)
{
    struct world *w = context;
    return w->gw->crashed ? w->gw->dead_sequence + 1 : w->gw->disk.next;
}

static size_t ledger_room(void *context)
{
    struct world *w = context;
    uint64_t behind = w->gw->disk.next - 1 - w->gw->disk.durable;
    uint64_t used = behind * (plan_is_chaos(&w->plan) ? RECORD_WEIGHT : 300);
    return used < LEDGER_BATCH_OCTETS ? LEDGER_BATCH_OCTETS - used : 0;
}

static bool ledger_no_space(void *context)
{
    struct world *w = context;
    return w->gw->disk.full;
}

static uint64_t ledger_scan(void *context, uint64_t from, uint64_t until, uint32_t max_records,
                            void (*each)(void *engine, uint64_t sequence, struct span public_part,
                                         struct span personal_part),
                            void *engine)
{
    if (!alive(context))
        return 0;
    return disk_scan(context, from, until, max_records, each, engine);
}

/* None is ready, now and then. */
static bool key_take(void *context, uint32_t *ret_id, uint8_t ret_key[SECRET_KEY_SIZE])
{
    return alive(context) && disk_key_take(context, ret_id, ret_key);
}

static void key_destroy(void *context, uint32_t id)
{
    if (alive(context))
        disk_key_destroy(context, id);
}

static bool store_check(void *context, const struct check *check)
{
    return alive(context) && redis_ask(context, check);
}

static bool store_write(void *context, const struct consent_write *write)
{
    return alive(context) && redis_write(context, write);
}

static bool store_lookup(void *context, uint64_t cookie, uint64_t number, const uint16_t *scopes,
                         uint8_t scope_count, uint16_t opt_in_scope)
{
    return alive(context) &&
           redis_lookup(context, cookie, number, scopes, scope_count, opt_in_scope);
}

static bool store_resolve_scope(void *context, uint64_t cookie, const char *name)
{
    return alive(context) && redis_resolve(context, cookie, name);
}

static bool store_once(void *context, const struct once *once)
{
    return alive(context) && redis_once(context, once);
}

static bool store_beat(void *context, const struct beat *beat)
{
    return alive(context) && redis_beat(context, beat);
}

static bool store_notices(void *context)
{
    return alive(context) && redis_notices(context);
}

static bool store_erased(void *context, uint64_t from)
{
    return alive(context) && redis_erased(context, from);
}

static void store_flush(void *context)
{
    if (alive(context))
        redis_flush(context);
}

static void link_open(void *context, uint16_t carrier, uint16_t link)
{
    if (alive(context))
        wire_open(context, carrier, link);
}

static void link_flush(void *context, uint16_t carrier, uint16_t link, struct buffer *output)
{
    if (alive(context))
        wire_flush(context, carrier, link, output);
}

static void link_close(void *context, uint16_t carrier, uint16_t link)
{
    if (alive(context))
        wire_close(context, carrier, link);
}

static void link_reading(void *context, uint16_t carrier, uint16_t link, bool reading)
{
    if (alive(context))
        wire_reading(context, carrier, link, reading);
}

static void consent_reply(void *context, uint64_t call, uint64_t ready_at,
                          const Assent__V1__ConsentReply *reply)
{
    if (alive(context))
        people_consent_reply(context, call, ready_at, reply);
}

static void complaint_reply(void *context, uint64_t call, uint64_t ready_at,
                            const Assent__V1__ComplaintReply *reply)
{
    if (alive(context))
        people_complaint_reply(context, call, ready_at, reply);
}

static void reputation_reply(void *context, uint64_t call, uint64_t ready_at,
                             const Assent__V1__ReputationReply *reply)
{
    (void)call, (void)ready_at;
    if (alive(context))
        reputation_told(context, reply);
}

static void show_reply(void *context, uint64_t call, const Assent__V1__ShowReply *reply)
{
    if (alive(context))
        people_show_reply(context, call, reply);
}

static void preflight_reply(void *context, uint64_t call, const Assent__V1__PreflightReply *reply)
{
    if (alive(context))
        foresight_told(context, call, reply);
}

static void random_octets(void *context, void *out, size_t length)
{
    struct world *w = context;
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)out)[i] = (uint8_t)rng_next(&w->secret_rng);
}

static bool erasure_find(void *context, const struct erase_reach *reach)
{
    return alive(context) && disk_erasure_find(context, reach);
}

static bool erasure_destroy(void *context, const uint64_t *records, size_t count)
{
    return alive(context) && disk_erasure_destroy(context, records, count);
}

void ports_fill(struct world *w)
{
    w->ports = (struct ports){
        .context = w,
        .ledger_append = ledger_append,
        .ledger_flush = ledger_flush,
        .ledger_next = ledger_next,
        .ledger_room = ledger_room,
        .ledger_no_space = ledger_no_space,
        .ledger_scan = ledger_scan,
        .key_take = key_take,
        .key_destroy = key_destroy,
        .store_check = store_check,
        .store_write = store_write,
        .store_lookup = store_lookup,
        .store_resolve_scope = store_resolve_scope,
        .store_once = store_once,
        .store_beat = store_beat,
        .store_notices = store_notices,
        .store_erased = store_erased,
        .store_flush = store_flush,
        .link_open = link_open,
        .link_flush = link_flush,
        .link_close = link_close,
        .link_reading = link_reading,
        .consent_reply = consent_reply,
        .show_reply = show_reply,
        .erasure_find = erasure_find,
        .erasure_destroy = erasure_destroy,
        .complaint_reply = complaint_reply,
        .reputation_reply = reputation_reply,
        .preflight_reply = preflight_reply,
        .random = random_octets,
    };
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An open table in many small ones, by the key's upper bits, so that none takes long to grow. What is over is as good
 * as free: a text takes the first such slot on its way, and what is left goes when its part of the table grows. */
#include "consent/caps.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/hash.h"

#define SHARD_BITS 10
#define SHARDS     (1u << SHARD_BITS)
#define SLOTS_MIN  16u

#define SWEEP_EVERY_MS 100 /* at the limit, where going through a part takes milliseconds */

struct place {
    uint64_t key; /* 0: the slot was never used */
    uint64_t owner;
    uint64_t until_ms;
};

struct shard {
    struct place *slots;
    uint32_t size; /* a power of two, or 0 */
    uint32_t used;
};

struct caps {
    uint64_t used, max;
    uint64_t swept_ms; /* when one was gone through at the limit */
    struct shard shards[SHARDS];
};

/* ---- in the log ---- */

uint64_t cap_key(uint16_t scope, uint64_t number)
{
    uint64_t key = hash_mix(person_mark(number).low ^ (uint64_t)scope << 48);
    return key != 0 ? key : 1;
}

static void put(uint8_t *at, uint64_t value, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t take(const uint8_t *at, unsigned octets)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < octets; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static_assert(CAP_WINDOW_MS_MAX < 1ull << 40 && CAP_PLACES_MAX <= UINT8_MAX, "octets of each");

void cap_write(const struct cap_request *request, uint8_t out[CAP_OCTETS])
{
    put(out, request->key, 8);
    put(out + 8, request->message, 8);
    put(out + 16, request->window_ms, 5);
    out[21] = request->count;
}

int caps_in_batch(struct span batch)
{
    size_t count = batch.length / CAP_OCTETS;
    bool good = count >= 1 && count <= CAPS_BATCH && batch.length == count * CAP_OCTETS;
    return good ? (int)count : -1;
}

bool cap_read(struct span batch, size_t index, struct cap_request *ret_request)
{
    const uint8_t *at = batch.data + index * CAP_OCTETS;
    *ret_request = (struct cap_request){
        .key = take(at, 8),
        .message = take(at + 8, 8),
        .window_ms = take(at + 16, 5),
        .count = at[21],
    };
    return ret_request->key != 0 && ret_request->window_ms >= 1 &&
           ret_request->window_ms <= CAP_WINDOW_MS_MAX && ret_request->count >= 1 &&
           ret_request->count <= CAP_PLACES_MAX;
}

/* ---- the table ---- */

struct caps *caps_new(uint64_t max)
{
    struct caps *caps = check_calloc(1, sizeof *caps);
    caps->max = max;
    return caps;
}

void caps_clear(struct caps *caps)
{
    for (size_t i = 0; i < SHARDS; i++)
        free(caps->shards[i].slots);
    *caps = (struct caps){.max = caps->max};
}

void caps_free(struct caps *caps)
{
    if (caps == NULL)
        return;
    caps_clear(caps);
    free(caps);
}

static struct shard *shard_of(const struct caps *caps, uint64_t key)
{
    return (struct shard *)&caps->shards[key >> (64 - SHARD_BITS)];
}

static struct place *unused_slot(struct shard *shard, uint64_t key)
{
    uint32_t mask = shard->size - 1, i = (uint32_t)key & mask;
    while (shard->slots[i].key != 0)
        i = (i + 1) & mask;
    shard->used++;
    return &shard->slots[i];
}

/* What lasts goes into a table of twice its count at least. */
static void make_again(struct caps *caps, struct shard *shard, uint64_t now_ms)
{
    struct shard old = *shard;
    uint32_t lasting = 0;
    for (uint32_t i = 0; i < old.size; i++)
        lasting += old.slots[i].key != 0 && old.slots[i].until_ms > now_ms;
    shard->size = SLOTS_MIN;
    while (shard->size < 2 * lasting + 2)
        shard->size *= 2;
    shard->slots = check_calloc(shard->size, sizeof *shard->slots);
    shard->used = 0;
    for (uint32_t i = 0; i < old.size; i++)
        if (old.slots[i].key != 0 && old.slots[i].until_ms > now_ms)
            *unused_slot(shard, old.slots[i].key) = old.slots[i];
    caps->used -= old.used - shard->used;
    free(old.slots);
}

/* From a half to three quarters, each another: they do not all grow in the same moment. */
static bool is_full(const struct caps *caps, const struct shard *shard)
{
    uint32_t order = (uint32_t)(shard - caps->shards);
    return shard->used >= shard->size / 2 + (uint64_t)(shard->size / 4) * order / SHARDS;
}

static bool has_room(struct caps *caps, struct shard *shard, uint64_t now_ms)
{
    bool sweeps = caps->used >= caps->max && now_ms >= caps->swept_ms + SWEEP_EVERY_MS;
    if (sweeps)
        caps->swept_ms = now_ms;
    if (sweeps || is_full(caps, shard))
        make_again(caps, shard, now_ms);
    return caps->used < caps->max;
}

enum place_answer caps_take(struct caps *caps, uint64_t node, const struct cap_request *request,
                            uint64_t at_ms)
{
    struct shard *shard = shard_of(caps, request->key);
    struct place *free_one = NULL;
    uint64_t owner = node ^ hash_mix(request->message);
    uint32_t mask = shard->size - 1, others = 0;
    for (uint32_t i = (uint32_t)request->key & mask; shard->size != 0 && shard->slots[i].key != 0;
         i = (i + 1) & mask) {
        struct place *place = &shard->slots[i];
        if (place->until_ms <= at_ms) {
            free_one = free_one != NULL ? free_one : place;
        } else if (place->key == request->key && place->owner == owner) {
            place->until_ms = at_ms + request->window_ms;
            return PLACE_TAKEN;
        } else {
            others += place->key == request->key;
        }
    }
    if (others >= request->count)
        return PLACE_NONE;
    if (free_one == NULL) {
        if (!has_room(caps, shard, at_ms))
            return PLACE_UNKNOWN;
        free_one = unused_slot(shard, request->key);
        caps->used++;
    }
    *free_one = (struct place){request->key, owner, at_ms + request->window_ms};
    return PLACE_TAKEN;
}

uint64_t caps_wait_ms(const struct caps *caps, uint64_t key, uint8_t count, uint64_t now_ms)
{
    const struct shard *shard = shard_of(caps, key);
    uint32_t mask = shard->size - 1, taken = 0;
    uint64_t first_ms = UINT64_MAX;
    for (uint32_t i = (uint32_t)key & mask; shard->size != 0 && shard->slots[i].key != 0;
         i = (i + 1) & mask) {
        const struct place *place = &shard->slots[i];
        if (place->key != key || place->until_ms <= now_ms)
            continue;
        taken++;
        first_ms = place->until_ms < first_ms ? place->until_ms : first_ms;
    }
    return taken < count ? 0 : first_ms - now_ms;
}

void caps_prefetch(const struct caps *caps, uint64_t key)
{
    const struct shard *shard = shard_of(caps, key);
    if (shard->size != 0)
        __builtin_prefetch(&shard->slots[(uint32_t)key & (shard->size - 1)]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A table from a 64-bit key to a 64-bit value (an id, a pointer): open addressing, linear probing,
 * backward-shift deletion, at most 7/8 full. 16 octets a slot. Key 0 is not allowed. Keys that a
 * peer can choose must be hashed with a secret key first (proto/base/hash.h).
 *
 * A table that grows moves its entries a few at a time, with each later put or remove, so that no
 * single call takes long: moving a million at once would hold up everything for 30 ms. */
#ifndef PROTO_BASE_TABLE_H
#define PROTO_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
    uint64_t key, value;
};

struct table_slots {
    struct table_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

struct table {
    struct table_slots current;
    struct table_slots old; /* being moved, from slot `moved` on */
    size_t moved;
    size_t count;
};

void table_init(struct table *table);
void table_release(struct table *table);

/* The value's place, or NULL. Valid until the next put or remove. */
uint64_t *table_find(const struct table *table, uint64_t key);

/* The value's place, made with value 0 when it was not there. */
uint64_t *table_put(struct table *table, uint64_t key);

/* True when it was there. */
bool table_remove(struct table *table, uint64_t key);

/* Has the processor fetch the key's place, for a call that comes soon. */
void table_prefetch(const struct table *table, uint64_t key);

/* Every entry once, in no order: begin with *cursor 0, NULL is the end. The table must not change
 * meanwhile. */
struct table_slot *table_next(const struct table *table, size_t *cursor);

static inline void *table_find_pointer(const struct table *table, uint64_t key)
{
    uint64_t *value = table_find(table, key);
    return value ? (void *)(uintptr_t)*value : NULL;
}

static inline void *table_slot_pointer(const struct table_slot *slot)
{
    return (void *)(uintptr_t)slot->value;
}

#endif

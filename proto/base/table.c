/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/table.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/hash.h"

#define FIRST_CAPACITY 16
#define MOVE_SLOTS     4 /* old slots cleared by a put or remove: done long before the next growth */

void table_init(struct table *table)
{
    *table = (struct table){0};
}

void table_release(struct table *table)
{
    free(table->current.slots);
    free(table->old.slots);
    *table = (struct table){0};
}

/* ---- one array of slots ---- */

static size_t home(const struct table_slots *s, uint64_t key)
{
    return (size_t)hash_mix(key) & (s->capacity - 1);
}

static struct table_slot *look(const struct table_slots *s, uint64_t key)
{
    if (s->count == 0)
        return NULL;
    for (size_t i = home(s, key);; i = (i + 1) & (s->capacity - 1)) {
        if (s->slots[i].key == key)
            return &s->slots[i];
        if (s->slots[i].key == 0)
            return NULL;
    }
}

/* The key is not there. */
static struct table_slot *insert(struct table_slots *s, uint64_t key, uint64_t value)
{
    size_t i = home(s, key);
    while (s->slots[i].key != 0)
        i = (i + 1) & (s->capacity - 1);
    s->slots[i] = (struct table_slot){.key = key, .value = value};
    s->count++;
    return &s->slots[i];
}

/* Later entries move back, so that no probe meets a hole. */
static void take_out(struct table_slots *s, struct table_slot *slot)
{
    size_t mask = s->capacity - 1;
    size_t hole = (size_t)(slot - s->slots);
    for (size_t i = (hole + 1) & mask; s->slots[i].key != 0; i = (i + 1) & mask) {
        size_t distance = (i - home(s, s->slots[i].key)) & mask;
        if (distance >= ((i - hole) & mask)) {
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole].key = 0;
    s->count--;
}

/* ---- growing ---- */

/* Clears old slots in order. What take_out() moves back lands at or behind the slot being cleared,
 * so that everything before it stays empty. */
static void move_some(struct table *table, size_t slots)
{
    while (table->old.slots != NULL && slots-- > 0) {
        struct table_slot *slot = &table->old.slots[table->moved];
        while (slot->key != 0) {
            insert(&table->current, slot->key, slot->value);
            take_out(&table->old, slot);
        }
        if (++table->moved < table->old.capacity)
            continue;
        free(table->old.slots);
        table->old = (struct table_slots){0};
    }
}

static void grow(struct table *table)
{
    move_some(table, table->old.capacity);
    size_t capacity = table->current.capacity ? table->current.capacity * 2 : FIRST_CAPACITY;
    if (table->count > 0)
        table->old = table->current;
    table->moved = 0;
    table->current = (struct table_slots){.capacity = capacity};
    table->current.slots = check_calloc(capacity, sizeof *table->current.slots);
}

/* ---- the table ---- */

uint64_t *table_find(const struct table *table, uint64_t key)
{
    if (key == 0)
        return NULL;
    struct table_slot *slot = look(&table->current, key);
    if (slot == NULL)
        slot = look(&table->old, key);
    return slot ? &slot->value : NULL;
}

uint64_t *table_put(struct table *table, uint64_t key)
{
    CHECK(key != 0);
    move_some(table, MOVE_SLOTS);
    uint64_t *value = table_find(table, key);
    if (value != NULL)
        return value;
    if (table->count + 1 > table->current.capacity - table->current.capacity / 8)
        grow(table);
    table->count++;
    return &insert(&table->current, key, 0)->value;
}

bool table_remove(struct table *table, uint64_t key)
{
    if (key == 0)
        return false;
    move_some(table, MOVE_SLOTS);
    struct table_slots *in = &table->current;
    struct table_slot *slot = look(in, key);
    if (slot == NULL) {
        in = &table->old;
        slot = look(in, key);
    }
    if (slot == NULL)
        return false;
    take_out(in, slot);
    table->count--;
    return true;
}

void table_prefetch(const struct table *table, uint64_t key)
{
    if (table->current.count > 0)
        __builtin_prefetch(&table->current.slots[home(&table->current, key)]);
    if (table->old.count > 0)
        __builtin_prefetch(&table->old.slots[home(&table->old, key)]);
}

struct table_slot *table_next(const struct table *table, size_t *cursor)
{
    while (*cursor < table->current.capacity + table->old.capacity) {
        size_t i = (*cursor)++;
        struct table_slot *slot = i < table->current.capacity
                                      ? &table->current.slots[i]
                                      : &table->old.slots[i - table->current.capacity];
        if (slot->key != 0)
            return slot;
    }
    return NULL;
}

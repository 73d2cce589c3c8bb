/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/table.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/hash.h"

void table_init(struct table *table)
{
    *table = (struct table){0};
}

void table_release(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

static size_t home(const struct table *table, uint64_t key)
{
    return (size_t)hash_mix(key) & (table->capacity - 1);
}

uint64_t *table_find(const struct table *table, uint64_t key)
{
    if (table->count == 0 || key == 0)
        return NULL;
    for (size_t i = home(table, key);; i = (i + 1) & (table->capacity - 1)) {
        if (table->slots[i].key == key)
            return &table->slots[i].value;
        if (table->slots[i].key == 0)
            return NULL;
    }
}

static void grow(struct table *table)
{
    struct table old = *table;
    table->capacity = old.capacity ? old.capacity * 2 : 16;
    table->slots = check_calloc(table->capacity, sizeof *table->slots);
    table->count = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].key != 0)
            *table_put(table, old.slots[i].key) = old.slots[i].value;
    free(old.slots);
}

uint64_t *table_put(struct table *table, uint64_t key)
{
    CHECK(key != 0);
    if (table->count + 1 > table->capacity - table->capacity / 8)
        grow(table);
    for (size_t i = home(table, key);; i = (i + 1) & (table->capacity - 1)) {
        if (table->slots[i].key == key)
            return &table->slots[i].value;
        if (table->slots[i].key == 0) {
            table->slots[i] = (struct table_slot){.key = key};
            table->count++;
            return &table->slots[i].value;
        }
    }
}

bool table_remove(struct table *table, uint64_t key)
{
    uint64_t *value = table_find(table, key);
    if (value == NULL)
        return false;
    size_t mask = table->capacity - 1;
    size_t hole =
        (size_t)((struct table_slot *)((char *)value - offsetof(struct table_slot, value)) -
                 table->slots);
    for (size_t i = (hole + 1) & mask; table->slots[i].key != 0; i = (i + 1) & mask) {
        size_t distance = (i - home(table, table->slots[i].key)) & mask;
        if (distance >= ((i - hole) & mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole].key = 0;
    table->count--;
    return true;
}

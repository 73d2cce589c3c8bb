/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/check.h"

#define ARENA_BLOCK_SIZE (64u << 10)

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(16) unsigned char data[];
};

static void *allocate(void *allocator_data, size_t size)
{
    return arena_alloc(allocator_data, size);
}

static void keep(void *allocator_data, void *pointer)
{
    (void)allocator_data;
    (void)pointer;
}

void arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
    arena->allocator = (ProtobufCAllocator){allocate, keep, arena};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        explicit_bzero(block->data, block->used);
        free(block);
        block = next;
    }
}

void arena_release(struct arena *arena)
{
    free_blocks(arena->blocks);
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
    if (arena->blocks == NULL)
        return;
    free_blocks(arena->blocks->next);
    arena->blocks->next = NULL;
    explicit_bzero(arena->blocks->data, arena->blocks->used);
    arena->blocks->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > arena->limit - arena->used)
        return NULL;
    arena->used += size;
    size = (size + 15) & ~(size_t)15;
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < size) {
        size_t room = size > ARENA_BLOCK_SIZE ? size : ARENA_BLOCK_SIZE;
        block = check_malloc(sizeof *block + room);
        *block = (struct arena_block){.next = arena->blocks, .size = room};
        arena->blocks = block;
    }
    void *p = block->data + block->used;
    block->used += size;
    return p;
}

/* The allocators point at their own arenas and stay. */
void arena_swap(struct arena *a, struct arena *b)
{
    struct arena old = *a;
    *a = *b;
    *b = old;
    a->allocator.allocator_data = a;
    b->allocator.allocator_data = b;
}

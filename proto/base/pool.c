/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "proto/base/check.h"

#define SLAB_SIZE   ((size_t)2 << 20) /* a huge page */
#define LINE        64u               /* of the processor's caches */
#define HEAD_SIZE   LINE
#define COLOURS     64u
#define SMALL_SLABS 8
#define AHEAD       2 /* huge slabs that are ready before they are wanted */

/* Stands in one of the first COLOURS lines of its slab, as the slab's address says: were it always the
 * first, all heads would want the same few places of a cache. */
struct pool_slab {
    TAILQ_ENTRY(pool_slab) link; /* with_room */
    void *free;                  /* chain of things given back; each holds the next */
    uint32_t size, live, fresh;  /* fresh: octets from here on were never taken */
};

_Static_assert(sizeof(struct pool_slab) <= HEAD_SIZE, "a head is a line");

#if defined(__SANITIZE_ADDRESS__)
#define OWN_ALLOCATIONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_ALLOCATIONS 1
#endif
#endif
#ifndef OWN_ALLOCATIONS
#define OWN_ALLOCATIONS 0
#endif

static bool is_pooled(size_t size)
{
    return size <= POOL_SIZE_MAX && !OWN_ALLOCATIONS;
}

static uint32_t rounded(size_t size)
{
    return (uint32_t)((size + POOL_STEP - 1) / POOL_STEP * POOL_STEP);
}

static struct pool_slabs *slabs_of(struct pool *pool, uint32_t size)
{
    return &pool->with_room[size / POOL_STEP - 1];
}

static struct pool_slab *slab_of(const void *thing)
{
    uintptr_t start = (uintptr_t)thing & ~(uintptr_t)(SLAB_SIZE - 1);
    return (struct pool_slab *)(start + (start / SLAB_SIZE) % COLOURS * HEAD_SIZE);
}

void pool_init(struct pool *pool)
{
    *pool = (struct pool){0};
    for (size_t i = 0; i < POOL_SIZE_MAX / POOL_STEP; i++)
        TAILQ_INIT(&pool->with_room[i]);
}

static void *start_of(struct pool_slab *slab)
{
    return (void *)((uintptr_t)slab & ~(uintptr_t)(SLAB_SIZE - 1));
}

static void drop_slab(struct pool *pool, struct pool_slab *slab)
{
    TAILQ_REMOVE(slabs_of(pool, slab->size), slab, link);
    pool->slabs--;
    CHECK(munmap(start_of(slab), SLAB_SIZE) == 0);
}

/* SLAB_SIZE octets at a multiple of it. */
static void *map_aligned(void)
{
    char *memory =
        mmap(NULL, 2 * SLAB_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    size_t before = SLAB_SIZE - (uintptr_t)memory % SLAB_SIZE;
    CHECK(munmap(memory, before) == 0);
    if (before < SLAB_SIZE)
        CHECK(munmap(memory + before + SLAB_SIZE, SLAB_SIZE - before) == 0);
    return memory + before;
}

static void *map_huge(void)
{
    void *memory = map_aligned();
    (void)madvise(memory, SLAB_SIZE, MADV_HUGEPAGE);
    return memory;
}

/* The first touch of a huge page clears it: milliseconds where the host of a virtual machine has to find the memory
 * first. So a thread does it before the slab is wanted. In a process that was forked the thread is not
 * there: what was ready is used, and then what is touched here. */
struct pool_ahead {
    pthread_t thread;
    sem_t wanted;
    atomic_bool over;
    _Atomic(void *) ready[AHEAD];
};

static void *have_ready(void *context)
{
    struct pool_ahead *ahead = context;
    for (;;) {
        while (sem_wait(&ahead->wanted) != 0)
            ;
        if (atomic_load(&ahead->over))
            return NULL;
        size_t i = 0;
        while (atomic_load(&ahead->ready[i]) != NULL)
            i++; /* as many are wanted as places are free, and only this thread fills them */
        void *memory = map_huge();
        *(volatile char *)memory = 0;
        atomic_store(&ahead->ready[i], memory);
    }
}

static void start_ahead(struct pool *pool)
{
    struct pool_ahead *ahead = pool->ahead = check_calloc(1, sizeof *ahead);
    sigset_t all, before;
    CHECK(sem_init(&ahead->wanted, 0, AHEAD) == 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(pthread_create(&ahead->thread, NULL, have_ready, ahead) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* NULL when none is ready. */
static void *take_ahead(struct pool_ahead *ahead)
{
    for (size_t i = 0; i < AHEAD; i++) {
        void *memory = atomic_exchange(&ahead->ready[i], NULL);
        if (memory == NULL)
            continue;
        sem_post(&ahead->wanted);
        return memory;
    }
    return NULL;
}

static void stop_ahead(struct pool *pool)
{
    struct pool_ahead *ahead = pool->ahead;
    if (ahead == NULL)
        return;
    atomic_store(&ahead->over, true);
    sem_post(&ahead->wanted);
    CHECK(pthread_join(ahead->thread, NULL) == 0);
    for (size_t i = 0; i < AHEAD; i++)
        if (ahead->ready[i] != NULL)
            CHECK(munmap(ahead->ready[i], SLAB_SIZE) == 0);
    sem_destroy(&ahead->wanted);
    free(ahead);
    pool->ahead = NULL;
}

void pool_release(struct pool *pool)
{
    stop_ahead(pool);
    for (size_t i = 0; i < POOL_SIZE_MAX / POOL_STEP; i++)
        while (!TAILQ_EMPTY(&pool->with_room[i])) {
            CHECK(TAILQ_FIRST(&pool->with_room[i])->live == 0);
            drop_slab(pool, TAILQ_FIRST(&pool->with_room[i]));
        }
    CHECK(pool->slabs == 0);
}

/* The first slabs are touched page by page, so that a small gateway stays small; where there are many,
 * huge pages spare the processor most of its searching for pages. */
static void *new_slab(struct pool *pool)
{
    if (pool->slabs < SMALL_SLABS)
        return map_aligned();
    if (pool->ahead == NULL)
        start_ahead(pool);
    void *memory = take_ahead(pool->ahead);
    return memory != NULL ? memory : map_huge();
}

static struct pool_slab *add_slab(struct pool *pool, uint32_t size)
{
    void *memory = new_slab(pool);
    struct pool_slab *slab = slab_of(memory);
    *slab = (struct pool_slab){.size = size, .fresh = COLOURS * HEAD_SIZE};
    TAILQ_INSERT_TAIL(slabs_of(pool, size), slab, link);
    pool->slabs++;
    return slab;
}

static bool is_full(const struct pool_slab *slab)
{
    return slab->free == NULL && slab->fresh + slab->size > SLAB_SIZE;
}

/* What is taken next; things are given back in any order, so that it is in no cache. */
static void fetch(const void *thing, uint32_t size)
{
    for (uint32_t at = 0; thing != NULL && at < size; at += LINE)
        __builtin_prefetch((const char *)thing + at, 1);
}

void *pool_take(struct pool *pool, size_t size)
{
    if (!is_pooled(size))
        return check_malloc(size);
    struct pool_slab *slab = TAILQ_FIRST(slabs_of(pool, rounded(size)));
    if (slab == NULL)
        slab = add_slab(pool, rounded(size));
    void *thing = slab->free;
    if (thing != NULL) {
        slab->free = *(void **)thing;
        fetch(slab->free, slab->size);
    } else {
        thing = (char *)start_of(slab) + slab->fresh;
        slab->fresh += slab->size;
    }
    slab->live++;
    if (is_full(slab))
        TAILQ_REMOVE(slabs_of(pool, slab->size), slab, link);
    return thing;
}

void pool_give(struct pool *pool, void *thing, size_t size)
{
    if (!is_pooled(size)) {
        free(thing);
        return;
    }
    struct pool_slab *slab = slab_of(thing);
    struct pool_slabs *with_room = slabs_of(pool, slab->size);
    CHECK(slab->size == rounded(size) && slab->live > 0);
    if (is_full(slab))
        TAILQ_INSERT_TAIL(with_room, slab, link);
    *(void **)thing = slab->free;
    slab->free = thing;
    if (--slab->live == 0 && TAILQ_FIRST(with_room) != TAILQ_LAST(with_room, pool_slabs))
        drop_slab(pool, slab);
}

void pool_prefetch(const void *thing, size_t size)
{
    if (is_pooled(size))
        __builtin_prefetch(slab_of(thing), 1);
}

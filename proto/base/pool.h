/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for millions of small things that are given back in any order. malloc() joins neighbours
 * when something is freed, which touches memory far away from it; here only the thing itself and the
 * head of its slab are touched. Things of about the same size share slabs of 2 MiB; a slab that is empty
 * goes back to the system, but for one of each size, so that what is held follows what is used.
 *
 * The caller remembers sizes. Under AddressSanitizer each thing is an allocation of its own, so that errors
 * are found. */
#ifndef PROTO_BASE_POOL_H
#define PROTO_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define POOL_STEP     32u   /* sizes are rounded up to a multiple of it */
#define POOL_SIZE_MAX 1024u /* what is larger comes from malloc() */

struct pool_slab;
struct pool_ahead;
TAILQ_HEAD(pool_slabs, pool_slab);

struct pool {
    struct pool_slabs with_room[POOL_SIZE_MAX / POOL_STEP]; /* by size; the first is used */
    size_t slabs;
    struct pool_ahead *ahead; /* a thread that has the next slab ready; NULL while there are few */
};

void pool_init(struct pool *pool);

/* Everything must have been given back. */
void pool_release(struct pool *pool);

/* Never NULL; aligned for anything. */
void *pool_take(struct pool *pool, size_t size);
void pool_give(struct pool *pool, void *thing, size_t size);

/* Has the processor fetch what pool_give() will touch beside the thing. */
void pool_prefetch(const void *thing, size_t size);

#endif

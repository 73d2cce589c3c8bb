/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded randomness for jitter, simulations and tests (SplitMix64: any seed is good), and octets
 * from the kernel for secrets. */
#ifndef PROTO_BASE_RNG_H
#define PROTO_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Uniform in [0, bound); 0 when bound is 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return bound == 0 ? 0 : (uint64_t)(((unsigned __int128)rng_next(rng) * bound) >> 64);
}

/* True with probability parts_per_million / 1,000,000. */
static inline int rng_chance(struct rng *rng, uint32_t parts_per_million)
{
    return rng_below(rng, 1000000) < parts_per_million;
}

/* Fills from getrandom(2); ends the process when the kernel refuses. */
void rng_secret(void *out, size_t length);

#endif

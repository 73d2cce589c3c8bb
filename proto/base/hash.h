/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson and Bernstein, 2012): for tables whose keys a peer
 * chooses, and for tags of persons in logs. Not a commitment: proofs use SHA-256. */
#ifndef PROTO_BASE_HASH_H
#define PROTO_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash64(const struct hash_key *key, const void *data, size_t length);

/* Mixes an integer that peers do not choose freely (an id, a number): a bijection. */
static inline uint64_t hash_mix(uint64_t x)
{
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ull;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ull;
    return x ^ (x >> 32);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/hash.h"

#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void rounds(struct sip *s, int count)
{
    for (int i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static struct sip absorb(const struct hash_key *key, const void *data, size_t length)
{
    struct sip s = {key->k0 ^ 0x736f6d6570736575ull, key->k1 ^ 0x646f72616e646f6dull,
                    key->k0 ^ 0x6c7967656e657261ull, key->k1 ^ 0x7465646279746573ull};
    const uint8_t *p = data;
    uint64_t last = (uint64_t)length << 56;
    for (; length >= 8; p += 8, length -= 8) {
        uint64_t m;
        memcpy(&m, p, 8); /* the reference reads little-endian; this code runs on such machines */
        s.v3 ^= m;
        rounds(&s, 2);
        s.v0 ^= m;
    }
    for (size_t i = 0; i < length; i++)
        last |= (uint64_t)p[i] << (8 * i);
    s.v3 ^= last;
    rounds(&s, 2);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    rounds(&s, 4);
    return s;
}

uint64_t hash64(const struct hash_key *key, const void *data, size_t length)
{
    struct sip s = absorb(key, data, length);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The low-level calls are deprecated in OpenSSL 3 in favour of EVP, which takes locks (a forked child
 * may find them held) and 20-40 ns more; the one-shot SHA256() looks its algorithm up each time and
 * takes 400 ns more. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "consent/digest.h"

#include <assert.h>
#include <openssl/sha.h>
#include <string.h>

#include "proto/base/rng.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define NODE_OCTETS (1 + 2 * DIGEST_SIZE)

static_assert(DIGEST_SIZE == SHA256_DIGEST_LENGTH, "one size");

struct digest sha256(struct span message)
{
    struct digest digest;
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, message.data, message.length);
    SHA256_Final(digest.octets, &context);
    return digest;
}

#if defined(__SSE2__)
static __m128i load16(const void *at)
{
    return _mm_loadu_si128(at);
}

/* The last octet of `a` and all but the last one of `b`. */
static __m128i behind(__m128i a, __m128i b)
{
    return _mm_or_si128(_mm_srli_si128(a, 15), _mm_slli_si128(b, 1));
}

static __m128i big_endian_words(__m128i v)
{
    v = _mm_or_si128(_mm_slli_epi16(v, 8), _mm_srli_epi16(v, 8));
    return _mm_shufflehi_epi16(_mm_shufflelo_epi16(v, 0xb1), 0xb1);
}

/* One call over input, its end mark and its length instead of three, in pieces of the width in which OpenSSL reads
 * them: the processor waits where a load spans stores, which takes half as long as the hash. */
struct digest sha256_node(const struct digest *left, const struct digest *right)
{
    static const uint8_t prefix[16] = {[15] = 0x01}, mark[16] = {0x80};
    static const uint8_t bits[16] = {[14] = NODE_OCTETS * 8 >> 8, [15] = NODE_OCTETS * 8 & 0xff};
    __m128i l0 = load16(left->octets), l1 = load16(left->octets + 16);
    __m128i r0 = load16(right->octets), r1 = load16(right->octets + 16);
    const __m128i blocks[] = {
        behind(load16(prefix), l0), behind(l0, l1),      behind(l1, r0),      behind(r0, r1),
        behind(r1, load16(mark)),   _mm_setzero_si128(), _mm_setzero_si128(), load16(bits)};
    struct digest digest = {{0}};
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, blocks, sizeof blocks);
    _mm_storeu_si128((void *)digest.octets, big_endian_words(load16(context.h)));
    _mm_storeu_si128((void *)(digest.octets + 16), big_endian_words(load16(context.h + 4)));
    return digest;
}
#else
struct digest sha256_node(const struct digest *left, const struct digest *right)
{
    uint8_t node[NODE_OCTETS] = {0x01};
    memcpy(node + 1, left->octets, DIGEST_SIZE);
    memcpy(node + 1 + DIGEST_SIZE, right->octets, DIGEST_SIZE);
    return sha256(span_of(node, sizeof node));
}
#endif

const uint8_t *salts_take(struct salts *salts)
{
    if (salts->left == 0) {
        rng_secret(salts->octets, sizeof salts->octets);
        salts->left = sizeof salts->octets;
    }
    salts->left -= SALT_SIZE;
    return salts->octets + salts->left;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The low-level calls are deprecated in OpenSSL 3 in favour of EVP, which takes locks (a forked child
 * may find them held) and 20-40 ns more; the one-shot SHA256() looks its algorithm up each time and
 * takes 400 ns more. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "consent/digest.h"

#include <assert.h>
#include <openssl/sha.h>

#include "proto/base/rng.h"

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

const uint8_t *salts_take(struct salts *salts)
{
    if (salts->left == 0) {
        rng_secret(salts->octets, sizeof salts->octets);
        salts->left = sizeof salts->octets;
    }
    salts->left -= SALT_SIZE;
    return salts->octets + salts->left;
}

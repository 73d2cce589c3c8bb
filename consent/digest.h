/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and salts for the ledger; digest.c is the only file of it that knows OpenSSL. Nothing here
 * allocates or locks, so that a forked child may use it (salts of its own). */
#ifndef CONSENT_DIGEST_H
#define CONSENT_DIGEST_H

#include "proto/base/span.h"

#define DIGEST_SIZE 32

struct digest {
    uint8_t octets[DIGEST_SIZE];
};

#define SHA256_BLOCK 64 /* octets that it hashes at a time */
#define SHA256_END   9  /* that it puts behind a message: a mark and the length */

struct digest sha256(struct span message);

/* SHA-256(0x01 | left | right) */
struct digest sha256_node(const struct digest *left, const struct digest *right);

#define SALT_SIZE 16

/* Random octets from the kernel, fetched 4 KiB at a time (40 ns a salt instead of 300). Zeroed memory
 * is an empty pool. */
struct salts {
    uint8_t octets[4096];
    size_t left;
};

/* SALT_SIZE octets that nobody got before, valid until the next call. */
const uint8_t *salts_take(struct salts *salts);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and comparison in constant time, for tokens and keys. Adapter to OpenSSL. */
#ifndef PROTO_BASE_DIGEST_H
#define PROTO_BASE_DIGEST_H

#include "proto/base/span.h"

#define DIGEST_SIZE 32

void digest_sha256(struct span data, uint8_t out[DIGEST_SIZE]);
/* Of the whole file, wherever it is being read. False: errno. */
bool digest_file(int fd, uint8_t out[DIGEST_SIZE]);
bool digest_equal(const uint8_t a[DIGEST_SIZE], const uint8_t b[DIGEST_SIZE]);

/* Overwrites secrets so that the compiler cannot leave it out. */
void digest_wipe(void *data, size_t length);

/* Lower-case hex with a NUL: 2 * length + 1 octets. */
char *hex_encode(struct span data, char *out);
/* False when `text` is not exactly 2 * length hex digits. */
bool hex_decode(struct span text, uint8_t *out, size_t length);

#endif

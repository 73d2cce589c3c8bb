/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with padding (RFC 4648 section 4). */
#ifndef PROTO_BASE_BASE64_H
#define PROTO_BASE_BASE64_H

#include "proto/base/span.h"

/* Characters of `length` octets, the NUL not counted. */
#define BASE64_SIZE(length) (((length) + 2) / 3 * 4)

/* Writes BASE64_SIZE() characters and a NUL to `out`; gives `out`. CHECKs that octets.length < 2^30. */
char *base64_encode(struct span octets, char *out);

/* The octets of `text`, at most `size`. False when it is not the one canonical form or is too long. */
bool base64_decode(struct span text, uint8_t *out, size_t size, size_t *ret_length);

#endif

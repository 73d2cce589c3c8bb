/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that are not kept: encrypted where the ledger must hold them until they are sent, with a key that is
 * destroyed when they are (consent/secret_keys.h). AES-256-GCM; secret.c is the only file of it that knows
 * OpenSSL. Nothing here locks or, but for secret_new() and secret_free(), allocates, so that a forked child
 * may use it.
 *
 * An encrypted text is nonce (12) | as many octets as the text has | tag (16). A nonce must never be given twice
 * with one key: random ones are good for 2^32 texts. */
#ifndef CONSENT_SECRET_H
#define CONSENT_SECRET_H

#include "consent/digest.h"
#include "proto/base/err.h"
#include "proto/base/limits.h"

#define SECRET_KEY_SIZE   32
#define SECRET_NONCE_SIZE 12
#define SECRET_TAG_SIZE   16
#define SECRET_OVERHEAD   (SECRET_NONCE_SIZE + SECRET_TAG_SIZE)

/* A key made ready for use. */
struct secret;
struct secret *secret_new(const uint8_t key[SECRET_KEY_SIZE]);
void secret_free(struct secret *secret); /* wipes it; NULL: nothing */

/* Writes text.length + SECRET_OVERHEAD octets to `out`. `about` is not encrypted, but the text can only be had
 * back with the same. */
void secret_encrypt(struct secret *secret, const uint8_t nonce[SECRET_NONCE_SIZE],
                    struct span about, struct span text, uint8_t *out);

/* Writes encrypted.length - SECRET_OVERHEAD octets to `out`, of which nothing means anything after
 * ERR_CORRUPT: another key, another `about`, or changed octets. */
MUST_CHECK enum err secret_decrypt(struct secret *secret, struct span about, struct span encrypted,
                                   uint8_t *out);

/* What is kept of a text so that somebody who has it can show that it was this one: salt | SHA-256(salt | text).
 * Who can guess the text can check the guess. */
#define TEXT_HASH_SIZE (SALT_SIZE + DIGEST_SIZE)
void text_hash(const uint8_t salt[SALT_SIZE], struct span text, uint8_t out[TEXT_HASH_SIZE]);
bool text_hash_is_of(struct span hash, struct span text); /* false too where `hash` is none */

#endif

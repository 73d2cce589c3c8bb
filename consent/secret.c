/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "proto/base/check.h"

/* With an initialisation vector alone a context keeps its key, which takes longer to set up than a text to
 * encrypt. */
static EVP_CIPHER_CTX *context_of(struct secret *secret)
{
    return (EVP_CIPHER_CTX *)secret;
}

struct secret *secret_new(const uint8_t key[SECRET_KEY_SIZE])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    CHECK(context != NULL && EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
    return (struct secret *)context;
}

void secret_free(struct secret *secret)
{
    EVP_CIPHER_CTX_free(context_of(secret)); /* which cleanses the key */
}

void secret_encrypt(struct secret *secret, const uint8_t nonce[SECRET_NONCE_SIZE],
                    struct span about, struct span text, uint8_t *out)
{
    EVP_CIPHER_CTX *context = context_of(secret);
    int length;
    memcpy(out, nonce, SECRET_NONCE_SIZE);
    out += SECRET_NONCE_SIZE;
    CHECK(EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce) == 1 &&
          EVP_EncryptUpdate(context, NULL, &length, about.data, (int)about.length) == 1 &&
          EVP_EncryptUpdate(context, out, &length, text.data, (int)text.length) == 1 &&
          (size_t)length == text.length &&
          EVP_EncryptFinal_ex(context, out + text.length, &length) == 1 && length == 0 &&
          EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SECRET_TAG_SIZE, out + text.length) ==
              1);
}

enum err secret_decrypt(struct secret *secret, struct span about, struct span encrypted,
                        uint8_t *out)
{
    EVP_CIPHER_CTX *context = context_of(secret);
    int length;
    if (encrypted.length < SECRET_OVERHEAD)
        return ERR_CORRUPT;
    size_t text_length = encrypted.length - SECRET_OVERHEAD;
    const uint8_t *text = encrypted.data + SECRET_NONCE_SIZE;
    uint8_t tag[SECRET_TAG_SIZE];
    memcpy(tag, text + text_length, sizeof tag);
    CHECK(EVP_DecryptInit_ex(context, NULL, NULL, NULL, encrypted.data) == 1 &&
          EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SECRET_TAG_SIZE, tag) == 1 &&
          EVP_DecryptUpdate(context, NULL, &length, about.data, (int)about.length) == 1 &&
          EVP_DecryptUpdate(context, out, &length, text, (int)text_length) == 1);
    bool whole = EVP_DecryptFinal_ex(context, out + text_length, &length) == 1;
    if (!whole)
        OPENSSL_cleanse(out, text_length);
    return whole ? ERR_OK : ERR_CORRUPT;
}

void text_hash(const uint8_t salt[SALT_SIZE], struct span text, uint8_t out[TEXT_HASH_SIZE])
{
    uint8_t whole[SALT_SIZE + TEXT_OCTETS_MAX];
    CHECK(text.length <= TEXT_OCTETS_MAX);
    memcpy(whole, salt, SALT_SIZE);
    memcpy(whole + SALT_SIZE, text.data, text.length);
    struct digest digest = sha256(span_of(whole, SALT_SIZE + text.length));
    OPENSSL_cleanse(whole + SALT_SIZE, text.length);
    memmove(out, salt, SALT_SIZE);
    memcpy(out + SALT_SIZE, digest.octets, DIGEST_SIZE);
}

bool text_hash_is_of(struct span hash, struct span text)
{
    uint8_t own[TEXT_HASH_SIZE];
    if (hash.length != TEXT_HASH_SIZE || text.length > TEXT_OCTETS_MAX)
        return false;
    text_hash(hash.data, text, own);
    return memcmp(own, hash.data, TEXT_HASH_SIZE) == 0;
}

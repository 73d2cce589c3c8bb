/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <unistd.h>

#include "proto/base/check.h"

void digest_sha256(struct span data, uint8_t out[DIGEST_SIZE])
{
    SHA256(data.data, data.length, out);
}

bool digest_file(int fd, uint8_t out[DIGEST_SIZE])
{
    uint8_t area[65536];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    ssize_t n = 1;
    for (off_t at = 0; n > 0; at += n) {
        while ((n = pread(fd, area, sizeof area, at)) < 0 && errno == EINTR)
            continue;
        if (n > 0)
            CHECK(EVP_DigestUpdate(context, area, (size_t)n) == 1);
    }
    CHECK(EVP_DigestFinal_ex(context, out, NULL) == 1);
    EVP_MD_CTX_free(context);
    return n == 0;
}

bool digest_equal(const uint8_t a[DIGEST_SIZE], const uint8_t b[DIGEST_SIZE])
{
    return CRYPTO_memcmp(a, b, DIGEST_SIZE) == 0;
}

void digest_wipe(void *data, size_t length)
{
    OPENSSL_cleanse(data, length);
}

char *hex_encode(struct span data, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < data.length; i++) {
        out[2 * i] = digits[data.data[i] >> 4];
        out[2 * i + 1] = digits[data.data[i] & 15];
    }
    out[2 * data.length] = '\0';
    return out;
}

static int nibble(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct span text, uint8_t *out, size_t length)
{
    if (text.length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = nibble(text.data[2 * i]), low = nibble(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

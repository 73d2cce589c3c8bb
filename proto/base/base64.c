/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's block functions; decoding there is lenient, so what comes out is encoded again. */
#include "proto/base/base64.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "proto/base/check.h"

char *base64_encode(struct span octets, char *out)
{
    CHECK(octets.length < 1u << 30);
    EVP_EncodeBlock((unsigned char *)out, octets.data, (int)octets.length);
    out[BASE64_SIZE(octets.length)] = '\0';
    return out;
}

static size_t padding_of(struct span text)
{
    size_t padding = 0;
    while (padding < 2 && padding < text.length && text.data[text.length - 1 - padding] == '=')
        padding++;
    return padding;
}

bool base64_decode(struct span text, uint8_t *out, size_t size, size_t *ret_length)
{
    size_t room = text.length / 4 * 3, padding = padding_of(text);
    if (text.length % 4 != 0 || text.length >= 1u << 30 || room - padding > size)
        return false;
    *ret_length = room - padding;
    if (text.length == 0)
        return true;
    uint8_t *octets = check_malloc(room);
    char *again = check_malloc(text.length + 1);
    bool good = EVP_DecodeBlock(octets, text.data, (int)text.length) == (int)room;
    if (good) {
        base64_encode(span_of(octets, *ret_length), again);
        good = memcmp(again, text.data, text.length) == 0;
        memcpy(out, octets, good ? *ret_length : 0);
    }
    free(octets);
    free(again);
    return good;
}

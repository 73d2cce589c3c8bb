/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted texts and their hashes: against the GCM specification's test case 16, and with everything changed that
 * can be. */
#include "consent/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/base/digest.h"

#define KEY   "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define NONCE "cafebabefacedbaddecaf888"
#define ABOUT "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define TEXT                                                                                       \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6" \
    "b525b16aedf5aa0de657ba637b39"
#define ENCRYPTED                                                                                  \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682" \
    "8838c5f61e6393ba7a0abcc9f662"
#define TAG         "76fc6ece0f4e1768cddf8853bb2d551b"
#define TEXT_LENGTH 60

static struct {
    uint8_t key[SECRET_KEY_SIZE], nonce[SECRET_NONCE_SIZE], about[20], text[TEXT_LENGTH];
    uint8_t encrypted[TEXT_LENGTH + SECRET_OVERHEAD];
} v;

static void decode(const char *hex, uint8_t *out, size_t length)
{
    assert_true(hex_decode(span_from_string(hex), out, length));
}

static int set_up(void **state)
{
    (void)state;
    decode(KEY, v.key, sizeof v.key);
    decode(NONCE, v.nonce, sizeof v.nonce);
    decode(ABOUT, v.about, sizeof v.about);
    decode(TEXT, v.text, sizeof v.text);
    decode(NONCE ENCRYPTED TAG, v.encrypted, sizeof v.encrypted);
    return 0;
}

static enum err open_with(struct secret *secret, struct span about, struct span encrypted)
{
    uint8_t out[TEXT_LENGTH];
    enum err err = secret_decrypt(secret, about, encrypted, out);
    if (err == ERR_OK)
        assert_memory_equal(out, v.text, sizeof out);
    return err;
}

static void as_specified(void **state)
{
    (void)state;
    uint8_t out[sizeof v.encrypted];
    struct secret *secret = secret_new(v.key);
    struct span about = span_of(v.about, sizeof v.about);
    for (int i = 0; i < 3; i++) { /* the key stays, in either direction */
        secret_encrypt(secret, v.nonce, about, span_of(v.text, sizeof v.text), out);
        assert_memory_equal(out, v.encrypted, sizeof out);
        assert_int_equal(open_with(secret, about, span_of(out, sizeof out)), ERR_OK);
    }
    secret_free(secret);
}

static void nothing_else_opens_it(void **state)
{
    (void)state;
    struct secret *secret = secret_new(v.key);
    struct span about = span_of(v.about, sizeof v.about);
    struct span whole = span_of(v.encrypted, sizeof v.encrypted);
    for (size_t i = 0; i < sizeof v.encrypted; i++) {
        v.encrypted[i] ^= 0x40;
        assert_int_equal(open_with(secret, about, whole), ERR_CORRUPT);
        v.encrypted[i] ^= 0x40;
    }
    for (size_t length = 0; length < sizeof v.encrypted; length++)
        assert_int_equal(open_with(secret, about, span_of(v.encrypted, length)), ERR_CORRUPT);
    v.about[19] ^= 1;
    assert_int_equal(open_with(secret, about, whole), ERR_CORRUPT);
    v.about[19] ^= 1;
    assert_int_equal(open_with(secret, about, whole), ERR_OK);
    secret_free(secret);
    v.key[31] ^= 1;
    secret = secret_new(v.key);
    assert_int_equal(open_with(secret, about, whole), ERR_CORRUPT);
    secret_free(secret);
    secret_free(NULL);
}

static void a_text_may_be_empty_or_the_longest(void **state)
{
    (void)state;
    static uint8_t text[TEXT_OCTETS_MAX], out[TEXT_OCTETS_MAX + SECRET_OVERHEAD],
        again[TEXT_OCTETS_MAX];
    struct secret *secret = secret_new(v.key);
    struct span about = span_of(v.about, sizeof v.about);
    memset(text, 'x', sizeof text);
    for (size_t length = 0; length <= sizeof text; length += sizeof text) {
        secret_encrypt(secret, v.nonce, about, span_of(text, length), out);
        assert_int_equal(
            secret_decrypt(secret, about, span_of(out, length + SECRET_OVERHEAD), again), ERR_OK);
        assert_memory_equal(again, text, length);
    }
    secret_free(secret);
}

/* printf '0123456789abcdefCode 12' | sha256sum */
static void a_hash_is_of_one_text(void **state)
{
    (void)state;
    uint8_t hash[TEXT_HASH_SIZE] = {0}, again[TEXT_HASH_SIZE], digest[DIGEST_SIZE];
    struct span whole = span_of(hash, sizeof hash);
    text_hash((const uint8_t *)"0123456789abcdef", span_from_string("Code 12"), hash);
    assert_memory_equal(hash, "0123456789abcdef", SALT_SIZE);
    digest_sha256(span_from_string("0123456789abcdefCode 12"), digest);
    assert_memory_equal(hash + SALT_SIZE, digest, DIGEST_SIZE);
    assert_true(text_hash_is_of(whole, span_from_string("Code 12")));
    assert_false(text_hash_is_of(whole, span_from_string("Code 13")));
    assert_false(text_hash_is_of(whole, span_from_string("")));
    assert_false(text_hash_is_of(span_of(hash, sizeof hash - 1), span_from_string("Code 12")));
    assert_false(text_hash_is_of(span_of(hash, 0), span_from_string("Code 12")));
    text_hash((const uint8_t *)"0123456789abcdeF", span_from_string("Code 12"), again);
    assert_memory_not_equal(hash + SALT_SIZE, again + SALT_SIZE, DIGEST_SIZE);
    static const uint8_t long_text[TEXT_OCTETS_MAX + 1];
    text_hash(hash, span_of(long_text, TEXT_OCTETS_MAX), again);
    assert_true(text_hash_is_of(span_of(again, sizeof again), span_of(long_text, TEXT_OCTETS_MAX)));
    assert_false(
        text_hash_is_of(span_of(again, sizeof again), span_of(long_text, sizeof long_text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(as_specified, set_up),
        cmocka_unit_test_setup(nothing_else_opens_it, set_up),
        cmocka_unit_test_setup(a_text_may_be_empty_or_the_longest, set_up),
        cmocka_unit_test(a_hash_is_of_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

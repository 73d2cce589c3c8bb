/* SPDX-License-Identifier: Apache-2.0 */
/* Signed notes and checkpoints: one that others have signed, our own, and every bit that must not be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/note.h"
#include "proto/base/base64.h"

/* The example of the signed-note format's first implementation. */
#define KNOWN_KEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define KNOWN_NOTE                                                                                 \
    "If you think cryptography is the answer to your problem,\n"                                   \
    "then you don't know what your problem is.\n\n"                                                \
    "\xe2\x80\x94 PeterNeumann "                                                                   \
    "x08go/ZJkuBS9UG/"                                                                             \
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

static char folder[] = "/tmp/assent-note-XXXXXX";
static char path[64];
static struct note_signer *signer, *other;

static struct note_signer *make(const char *name, const char *owner)
{
    const char *why = "";
    struct note_signer *made = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (note_signer_make(path, &why) != ERR_OK ||
        note_signer_read(path, owner, &made, &why) != ERR_OK)
        fail_msg("%s", why);
    return made;
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return 1;
    signer = make("one.key", "assent/gw1");
    other = make("two.key", "assent/gw1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[64];
    note_signer_free(signer);
    note_signer_free(other);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void a_note_that_others_signed_is_believed(void **state)
{
    (void)state;
    struct note_key key;
    char note[] = KNOWN_NOTE, text[NOTE_KEY_TEXT_SIZE];
    assert_int_equal(note_key_parse(KNOWN_KEY, &key), ERR_OK);
    assert_string_equal(key.name, "PeterNeumann");
    assert_string_equal(note_key_text(&key, text), KNOWN_KEY);
    assert_true(note_is_signed(span_from_string(note), &key));
    for (size_t i = 0; note[i] != '\0'; i++) {
        note[i] ^= 1;
        assert_false(note_is_signed(span_from_string(note), &key));
        note[i] ^= 1;
    }
}

static void a_key_with_a_wrong_character_is_none(void **state)
{
    (void)state;
    struct note_key key;
    char text[] = KNOWN_KEY;
    for (size_t i = 0; text[i] != '\0'; i++) {
        text[i] ^= 1;
        assert_int_equal(note_key_parse(text, &key), ERR_BAD_INPUT);
        text[i] ^= 1;
    }
    static const char *const bad[] = {"", "+", "a+b", "a b+c74f20a3+AR", "a++", KNOWN_KEY "="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(note_key_parse(bad[i], &key), ERR_BAD_INPUT);
}

static size_t make_note(char note[NOTE_SIZE])
{
    struct checkpoint checkpoint = {.origin = "assent/gw1", .size = 123456};
    memset(checkpoint.root.octets, 0xa7, DIGEST_SIZE);
    return note_sign(signer, note, checkpoint_text(&checkpoint, note));
}

static void a_checkpoint_comes_back(void **state)
{
    (void)state;
    char note[NOTE_SIZE];
    struct checkpoint checkpoint;
    size_t length = make_note(note), used;
    note[length] = '\n'; /* the next one follows */
    assert_int_equal(checkpoint_read(span_of(note, length + 1), &checkpoint, &used), ERR_OK);
    assert_int_equal(used, length);
    assert_string_equal(checkpoint.origin, "assent/gw1");
    assert_int_equal(checkpoint.size, 123456);
    assert_int_equal(checkpoint.root.octets[31], 0xa7);
    assert_true(note_is_signed(span_of(note, length), note_signer_key(signer)));
    assert_false(note_is_signed(span_of(note, length), note_signer_key(other)));
}

static void two_keys_sign_one_note(void **state)
{
    (void)state;
    char note[NOTE_SIZE];
    struct checkpoint checkpoint;
    size_t used, length = note_sign(other, note, make_note(note));
    assert_int_equal(checkpoint_read(span_of(note, length), &checkpoint, &used), ERR_OK);
    assert_int_equal(used, length);
    assert_true(note_is_signed(span_of(note, length), note_signer_key(signer)));
    assert_true(note_is_signed(span_of(note, length), note_signer_key(other)));
}

static void no_bit_of_what_is_signed_can_be_wrong(void **state)
{
    (void)state;
    char note[NOTE_SIZE];
    size_t length = make_note(note);
    for (size_t i = 0; i < 8 * length; i++) {
        note[i / 8] ^= (char)(1 << i % 8);
        assert_false(note_is_signed(span_of(note, length), note_signer_key(signer)));
        note[i / 8] ^= (char)(1 << i % 8);
    }
    for (size_t i = 0; i < length; i++)
        assert_false(note_is_signed(span_of(note, i), note_signer_key(signer)));
}

static void what_is_no_checkpoint_is_refused(void **state)
{
    (void)state;
#define ROOT   "p6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6c=\n"
#define SIGNED "\n\xe2\x80\x94 a AAAA\n"
    static const char *const bad[] = {"",
                                      "\n",
                                      "a\n",
                                      "a\n1\n",
                                      "a\n1\n" ROOT,
                                      "a\n1\n" ROOT "\n",
                                      "a b\n1\n" ROOT SIGNED,
                                      "a\n01\n" ROOT SIGNED,
                                      "a\n0\n" ROOT SIGNED,
                                      "a\n\n" ROOT SIGNED,
                                      "a\n-1\n" ROOT SIGNED,
                                      "a\n1 \n" ROOT SIGNED,
                                      "a\n1\nAAAA\n" SIGNED,
                                      "a\n1234567890123456\n" ROOT SIGNED,
                                      "a\n1\n" ROOT "\nb\n"};
    struct checkpoint checkpoint;
    size_t length;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(checkpoint_read(span_from_string(bad[i]), &checkpoint, &length),
                         ERR_BAD_INPUT);
    static const char good[] = "a\n1\n" ROOT "a line of a later version\n" SIGNED;
    assert_int_equal(checkpoint_read(span_from_string(good), &checkpoint, &length), ERR_OK);
    assert_int_equal(length, sizeof good - 1);
}

static void a_private_key_is_nobody_elses(void **state)
{
    (void)state;
    const char *why = "";
    struct note_signer *read;
    char text[64];
    snprintf(path, sizeof path, "%s/one.key", folder);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(note_signer_read(path, "a", &read, &why), ERR_DENIED);
    assert_non_null(strstr(why, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(note_signer_read(path, "a", &read, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "Ed25519"));
    snprintf(path, sizeof path, "%s/none.key", folder);
    assert_int_equal(note_signer_read(path, "a", &read, &why), ERR_NOT_FOUND);
    snprintf(text, sizeof text, "%s/no/such.key", folder);
    assert_int_equal(note_signer_make(text, &why), ERR_IO);
}

static void base64_is_the_one_form(void **state)
{
    (void)state;
    uint8_t octets[8];
    size_t length;
    static const char *const bad[] = {"A",    "AA",   "AAA",    "AA=A", "AB==",     "AAB=",
                                      "A===", "====", "AA==\n", " AA=", "AAAA AAA", "AAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base64_decode(span_from_string(bad[i]), octets, sizeof octets, &length));
    assert_true(base64_decode(span_from_string("AAECAwQFBgc="), octets, sizeof octets, &length));
    assert_int_equal(length, 8);
    assert_int_equal(octets[7], 7);
    assert_false(base64_decode(span_from_string("AAECAwQFBgcI"), octets, sizeof octets, &length));
    assert_true(base64_decode(span_from_string(""), octets, 0, &length));
    assert_int_equal(length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_that_others_signed_is_believed),
        cmocka_unit_test(a_key_with_a_wrong_character_is_none),
        cmocka_unit_test(a_checkpoint_comes_back),
        cmocka_unit_test(two_keys_sign_one_note),
        cmocka_unit_test(no_bit_of_what_is_signed_can_be_wrong),
        cmocka_unit_test(what_is_no_checkpoint_is_refused),
        cmocka_unit_test(base64_is_the_one_form),
        cmocka_unit_test(a_private_key_is_nobody_elses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

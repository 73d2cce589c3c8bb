/* SPDX-License-Identifier: Apache-2.0 */
/* The national language shift tables, septet by septet against tests/vectors/national.tsv, which has
 * each of them whole and was put together without a look at ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smpp/gsm7.h"
#include "smpp/national.h"

enum { PLAIN, ESCAPED, WAYS };

/* The file's characters; 0 where it has none. */
static uint32_t characters[NATIONAL_COUNT][WAYS][128];

static int read_vectors(void **state)
{
    (void)state;
    FILE *file = fopen(VECTORS "/national.tsv", "r");
    assert_non_null(file);
    char line[256], escape[4];
    unsigned language, septet, character;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%u\t%x\t%3s\tU+%x", &language, &septet, escape, &character),
                         4);
        assert_in_range(language, 1, NATIONAL_COUNT - 1);
        assert_in_range(septet, 0, 127);
        bool escaped = strcmp(escape, "yes") == 0;
        assert_true(escaped || strcmp(escape, "no") == 0);
        assert_int_equal(characters[language][escaped][septet], 0); /* no row is there twice */
        characters[language][escaped][septet] = character;
    }
    fclose(file);
    return 0;
}

static unsigned rows(unsigned language, unsigned way)
{
    unsigned count = 0;
    for (unsigned septet = 0; septet < 128; septet++)
        count += characters[language][way][septet] != 0;
    return count;
}

static void test_the_file_has_each_table_whole(void **state)
{
    (void)state;
    /* Of 127 septets beside the escape; Spanish has no locking shift table. */
    static const struct {
        unsigned plain, escaped;
    } expected[NATIONAL_COUNT] = {
        [NATIONAL_TURKISH] = {127, 17},    [NATIONAL_SPANISH] = {0, 19},
        [NATIONAL_PORTUGUESE] = {127, 37}, [NATIONAL_BENGALI] = {114, 82},
        [NATIONAL_GUJARATI] = {120, 70},   [NATIONAL_HINDI] = {127, 88},
        [NATIONAL_KANNADA] = {120, 73},    [NATIONAL_MALAYALAM] = {120, 82},
        [NATIONAL_ORIYA] = {116, 75},      [NATIONAL_PUNJABI] = {110, 76},
        [NATIONAL_TAMIL] = {102, 77},      [NATIONAL_TELUGU] = {120, 78},
        [NATIONAL_URDU] = {127, 90},
    };
    for (unsigned language = 1; language < NATIONAL_COUNT; language++) {
        assert_int_equal(rows(language, PLAIN), expected[language].plain);
        assert_int_equal(rows(language, ESCAPED), expected[language].escaped);
        assert_int_equal(rows(language, PLAIN) > 0, national_has(language, NATIONAL_LOCKING));
        assert_int_equal(rows(language, ESCAPED) > 0, national_has(language, NATIONAL_SINGLE));
    }
}

/* A character of the script's own block of Unicode, or a sign that the alphabets share. */
static bool is_expected(unsigned language, uint32_t character)
{
    static const uint32_t blocks[NATIONAL_COUNT] = {
        [NATIONAL_BENGALI] = 0x0980, [NATIONAL_GUJARATI] = 0x0a80,  [NATIONAL_HINDI] = 0x0900,
        [NATIONAL_KANNADA] = 0x0c80, [NATIONAL_MALAYALAM] = 0x0d00, [NATIONAL_ORIYA] = 0x0b00,
        [NATIONAL_PUNJABI] = 0x0a00, [NATIONAL_TAMIL] = 0x0b80,     [NATIONAL_TELUGU] = 0x0c00,
        [NATIONAL_URDU] = 0x0600,
    };
    uint32_t block = blocks[language], size = language == NATIONAL_URDU ? 256 : 128;
    return gsm7_encode(character) != GSM7_NONE ||
           (character >= block && character < block + size) ||
           (language != NATIONAL_URDU && (character == 0x0964 || character == 0x0965)); /* dandas */
}

static void test_characters_are_of_the_script_or_common(void **state)
{
    (void)state;
    for (unsigned language = NATIONAL_BENGALI; language < NATIONAL_COUNT; language++)
        for (unsigned septet = 0; septet < 128; septet++)
            for (unsigned way = PLAIN; way < WAYS; way++)
                if (characters[language][way][septet] != 0)
                    assert_true(is_expected(language, characters[language][way][septet]));
}

static void test_every_septet_is_read_as_the_table_says(void **state)
{
    (void)state;
    for (unsigned language = 1; language < NATIONAL_COUNT; language++)
        for (unsigned i = 0; i < 128; i++) {
            uint8_t code = (uint8_t)language, septet = (uint8_t)i;
            uint32_t plain = characters[language][PLAIN][i];
            uint32_t escaped = characters[language][ESCAPED][i];
            if (septet != GSM7_ESCAPE)
                assert_int_equal(national_decode(code, septet),
                                 plain ? plain : gsm7_decode(septet));
            /* Where a table is empty the handset shows what it would without the escape. */
            assert_int_equal(national_decode_escaped(NATIONAL_NONE, code, septet),
                             escaped ? escaped : gsm7_decode_escaped(septet));
            bool nowhere = !escaped && gsm7_decode_escaped(septet) == gsm7_decode(septet);
            if (nowhere && plain)
                assert_int_equal(national_decode_escaped(code, code, septet), plain);
        }
}

/* With one table or both: the septets that a character becomes are read as that character, and each
 * character of a table that is in use can be written. */
static void can_write(unsigned language, unsigned tables, uint32_t character)
{
    uint8_t reading = tables & NATIONAL_LOCKING ? (uint8_t)language : NATIONAL_NONE;
    uint8_t single = tables & NATIONAL_SINGLE ? (uint8_t)language : NATIONAL_NONE;
    uint16_t code = national_encode((uint8_t)(language | tables), character);
    uint8_t septet = code & 0x7f;
    assert_int_not_equal(code, GSM7_NONE);
    if (code == septet)
        assert_int_equal(national_decode(reading, septet), character);
    else
        assert_int_equal(national_decode_escaped(reading, single, septet), character);
}

static void test_every_character_can_be_written(void **state)
{
    (void)state;
    for (unsigned language = 1; language < NATIONAL_COUNT; language++)
        for (unsigned septet = 0; septet < 128; septet++) {
            uint32_t plain = characters[language][PLAIN][septet];
            uint32_t escaped = characters[language][ESCAPED][septet];
            if (plain != 0) {
                assert_int_equal(national_encode((uint8_t)(language | NATIONAL_LOCKING), plain),
                                 septet);
                can_write(language, NATIONAL_LOCKING | NATIONAL_SINGLE, plain);
            }
            if (escaped != 0) {
                can_write(language, NATIONAL_SINGLE, escaped);
                can_write(language, NATIONAL_LOCKING | NATIONAL_SINGLE, escaped);
            }
        }
}

static void test_what_can_be_written_is_read_as_it_was(void **state)
{
    (void)state;
    static const unsigned ways[] = {NATIONAL_LOCKING, NATIONAL_SINGLE,
                                    NATIONAL_LOCKING | NATIONAL_SINGLE};
    for (unsigned language = 1; language < NATIONAL_COUNT; language++)
        for (unsigned way = 0; way < 3; way++)
            for (uint32_t character = 1; character <= 0x10000; character++)
                if (national_encode((uint8_t)(language | ways[way]), character) != GSM7_NONE)
                    can_write(language, ways[way], character);
}

/* A locking table of another script replaces all of the default alphabet: what it lacks stands behind
 * an escape, or cannot be written. */
static void test_a_script_has_nothing_of_the_default_alphabet_left(void **state)
{
    (void)state;
    const uint8_t locked = NATIONAL_HINDI | NATIONAL_LOCKING;
    assert_int_equal(national_encode(locked, 'A'), GSM7_NONE);
    assert_int_equal(national_encode(locked | NATIONAL_SINGLE, 'A'), GSM7_ESCAPE << 8 | 'A');
    assert_int_equal(national_encode(locked, 'a'), 'a');
    assert_int_equal(national_encode(locked, '{'), GSM7_ESCAPE << 8 | 0x28);
    assert_int_equal(national_encode(locked | NATIONAL_SINGLE, 0x03a9), GSM7_NONE); /* Omega */
    assert_int_equal(national_encode(NATIONAL_HINDI | NATIONAL_SINGLE, 'A'), 'A');
    /* Empty septets are read with the default alphabet. */
    assert_int_equal(national_encode(NATIONAL_TAMIL | NATIONAL_LOCKING, 0xe5), GSM7_NONE);
    assert_int_equal(national_decode(NATIONAL_TAMIL, 0), '@');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_has_each_table_whole),
        cmocka_unit_test(test_characters_are_of_the_script_or_common),
        cmocka_unit_test(test_every_septet_is_read_as_the_table_says),
        cmocka_unit_test(test_every_character_can_be_written),
        cmocka_unit_test(test_what_can_be_written_is_read_as_it_was),
        cmocka_unit_test(test_a_script_has_nothing_of_the_default_alphabet_left),
    };
    return cmocka_run_group_tests(tests, read_vectors, NULL);
}

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
    assert_int_equal(rows(NATIONAL_TURKISH, PLAIN), 127); /* all but the escape */
    assert_int_equal(rows(NATIONAL_SPANISH, PLAIN), 0);   /* has no locking shift table */
    assert_int_equal(rows(NATIONAL_PORTUGUESE, PLAIN), 127);
    assert_int_equal(rows(NATIONAL_TURKISH, ESCAPED), 17);
    assert_int_equal(rows(NATIONAL_SPANISH, ESCAPED), 19);
    assert_int_equal(rows(NATIONAL_PORTUGUESE, ESCAPED), 37);
    for (unsigned language = 1; language < NATIONAL_COUNT; language++) {
        assert_int_equal(rows(language, PLAIN) > 0, national_has(language, NATIONAL_LOCKING));
        assert_int_equal(rows(language, ESCAPED) > 0, national_has(language, NATIONAL_SINGLE));
    }
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
            assert_int_equal(national_decode_escaped(code, septet),
                             escaped ? escaped : gsm7_decode_escaped(septet));
        }
}

/* With one table or both: the septets that a character becomes are read as that character, and each
 * character of a table that is in use can be written. */
static void can_write(unsigned language, unsigned tables, uint32_t character)
{
    uint8_t reading = tables & NATIONAL_LOCKING ? (uint8_t)language : NATIONAL_NONE;
    uint16_t code = national_encode((uint8_t)(language | tables), character);
    uint8_t septet = code & 0x7f;
    assert_int_not_equal(code, GSM7_NONE);
    if (code == septet)
        assert_int_equal(national_decode(reading, septet), character);
    else
        assert_int_equal(national_decode_escaped((uint8_t)language, septet), character);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_has_each_table_whole),
        cmocka_unit_test(test_every_septet_is_read_as_the_table_says),
        cmocka_unit_test(test_every_character_can_be_written),
    };
    return cmocka_run_group_tests(tests, read_vectors, NULL);
}

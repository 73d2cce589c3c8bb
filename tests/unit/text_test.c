/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "smpp/gsm7.h"
#include "smpp/text.h"
#include "smpp/utf8.h"

#define LINE_MAX_OCTETS 32768

static struct span utf8(const char *text)
{
    return span_from_string(text);
}

/* Python's unicode_escape, as far as the vectors use it. Gives the length in UTF-8. */
static size_t unescape(const char *in, uint8_t *out)
{
    size_t length = 0;
    while (*in != '\0') {
        uint32_t character = (uint8_t)*in++;
        if (character == '\\') {
            static const char kinds[] = "xuU";
            const char *kind = strchr(kinds, *in);
            char digits[9] = {0};
            if (kind != NULL) {
                memcpy(digits, in + 1, 2u << (kind - kinds));
                character = (uint32_t)strtoul(digits, NULL, 16);
                in += 1 + strlen(digits);
            } else {
                character = *in == 'n' ? '\n' : *in == 't' ? '\t' : (uint8_t)*in;
                in++;
            }
        }
        length += utf8_put(character, out + length);
    }
    return length;
}

/* Each part fits, and the parts joined and decoded are the text. */
static void check_parts(struct span text, const struct text_rules *rules,
                        const struct text_plan *plan)
{
    static char joined[LINE_MAX_OCTETS];
    size_t length = 0;
    for (uint8_t part = 1; part <= plan->parts; part++) {
        struct text_storage storage;
        struct sm_out out = {0};
        assert_true(text_fill(text, plan, part, 0x12a7, &storage, &out));
        struct udh udh = {.text = out.short_message};
        if (plan->concatenation == CONCATENATION_PAYLOAD) {
            assert_int_equal(out.tlv_count, 1);
            assert_int_equal(out.tlvs[0].tag, TLV_MESSAGE_PAYLOAD);
            assert_int_equal(out.short_message.length, 0);
            udh.text = out.tlvs[0].value;
        } else if (plan->encoding == TEXT_GSM7 || plan->encoding == TEXT_GSM7_AS_LATIN1) {
            assert_in_range(out.short_message.length, 1, 160);
        } else {
            assert_in_range(out.short_message.length, 1, 140);
        }
        assert_int_equal(out.esm_class & ESM_UDHI,
                         plan->shift ||
                                 (plan->parts > 1 && rules->concatenation <= CONCATENATION_UDH16)
                             ? ESM_UDHI
                             : 0);
        if (out.esm_class & ESM_UDHI)
            assert_true(udh_parse(out.short_message, &udh));
        if (udh.concatenated) {
            assert_int_equal(udh.wide, rules->concatenation == CONCATENATION_UDH16);
            assert_int_equal(udh.reference, udh.wide ? 0x12a7 : 0xa7);
            assert_int_equal(udh.total, plan->parts);
            assert_int_equal(udh.part, part);
        }
        length += text_receive(rules->alphabet, out.data_coding, &udh, udh.text, joined + length,
                               sizeof joined - length);
    }
    assert_int_equal(length, text.length);
    assert_memory_equal(joined, text.data, length);
}

static struct text_rules rules_of(char *words)
{
    struct text_rules rules = text_rules_default;
    char *save = NULL;
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (strcmp(word, "udh16") == 0)
            rules.concatenation = CONCATENATION_UDH16;
        else if (strcmp(word, "sar") == 0)
            rules.concatenation = CONCATENATION_SAR;
        else if (strcmp(word, "payload") == 0)
            rules.concatenation = CONCATENATION_PAYLOAD, rules.payload_max = TEXT_PART_MAX;
        else if (strcmp(word, "latin1") == 0)
            rules.latin1 = true;
        else if (strcmp(word, "alphabet=latin1") == 0)
            rules.alphabet = ALPHABET_LATIN1;
        else if (strcmp(word, "alphabet=ascii") == 0)
            rules.alphabet = ALPHABET_ASCII;
        for (unsigned language = 1; language < NATIONAL_COUNT; language++)
            if (strncmp(word, "national=", 9) == 0 && !strcmp(word + 9, national_name(language)))
                rules.national |= 1u << language;
    }
    return rules;
}

static void name_encoding(const struct text_plan *plan, char *out, size_t size)
{
    static const char *const tables[] = {"", "locking", "single", "both"};
    const char *name = plan->encoding == TEXT_GSM7     ? "gsm7"
                       : plan->encoding == TEXT_LATIN1 ? "latin1"
                       : plan->encoding == TEXT_UCS2   ? "ucs2"
                                                       : "gsm7-latin1";
    if (plan->shift == 0)
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "%s+%s-%s", name, national_name(plan->shift & NATIONAL_LANGUAGE),
                 tables[plan->shift >> 6]);
}

static void check_vector(char *columns[5])
{
    static uint8_t text[LINE_MAX_OCTETS];
    struct span span = span_of(text, unescape(columns[0], text));
    struct text_rules rules = rules_of(columns[4]);
    struct text_plan plan;
    char encoding[64];
    unsigned segments = (unsigned)atoi(columns[3]);
    enum err err = text_plan(span, &rules, &plan);
    if (segments > TEXT_PARTS_MAX) {
        assert_int_equal(err, ERR_FULL);
        return;
    }
    assert_int_equal(err, ERR_OK);
    name_encoding(&plan, encoding, sizeof encoding);
    assert_string_equal(encoding, columns[1]);
    assert_int_equal(plan.units, atoi(columns[2]));
    assert_int_equal(plan.segments, segments);
    assert_int_equal(plan.parts, rules.concatenation == CONCATENATION_PAYLOAD ? 1 : plan.segments);
    check_parts(span, &rules, &plan);
}

static void test_units_and_parts_as_carriers_bill_them(void **state)
{
    (void)state;
    static char line[LINE_MAX_OCTETS];
    FILE *file = fopen(VECTORS "/segments.tsv", "r");
    unsigned cases = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char none[] = "", *columns[5] = {none, none, none, none, none}, *at = line;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (unsigned i = 0; i < 5 && at != NULL; i++)
            columns[i] = strsep(&at, "\t");
        check_vector(columns);
        cases++;
    }
    fclose(file);
    assert_true(cases >= 100);
}

static void empty_text_is_one_part(void **state)
{
    (void)state;
    struct text_plan plan;
    assert_int_equal(text_plan((struct span){0}, &text_rules_default, &plan), ERR_OK);
    assert_int_equal(plan.parts, 1);
    assert_int_equal(plan.units, 0);
    uint8_t out[TEXT_PART_MAX];
    assert_int_equal(text_part((struct span){0}, &plan, 1, 0, out), 0);
}

static void bad_utf8_is_refused(void **state)
{
    (void)state;
    static const struct span bad[] = {
        {(const uint8_t *)"a\0b", 3},
        {(const uint8_t *)"\x80", 1},
        {(const uint8_t *)"\xc0\x80", 2},     /* overlong NUL */
        {(const uint8_t *)"\xe0\x80\xaf", 3}, /* overlong slash */
        {(const uint8_t *)"\xed\xa0\x80", 3}, /* a surrogate */
        {(const uint8_t *)"\xf4\x90\x80\x80", 4},
        {(const uint8_t *)"\xf8\x88\x80\x80\x80", 5},
        {(const uint8_t *)"\xe2\x82", 2}, /* cut */
        {(const uint8_t *)"\xe2\x28\xa1", 3},
        {(const uint8_t *)"\xd9\x82\xff", 3}, /* after a character that GSM 7-bit lacks */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct text_plan plan = {.parts = 77};
        assert_int_equal(text_plan(bad[i], &text_rules_default, &plan), ERR_BAD_INPUT);
        assert_int_equal(plan.parts, 77);
    }
}

static void a_plan_of_another_text_gives_nothing(void **state)
{
    (void)state;
    struct text_plan plan;
    uint8_t out[TEXT_PART_MAX];
    assert_int_equal(text_plan(utf8("plain"), &text_rules_default, &plan), ERR_OK);
    assert_int_equal(text_part(utf8("\xd9\x82"), &plan, 1, 0, out), 0);
    assert_int_equal(text_part(utf8("plain"), &plan, 0, 0, out), 0);
    assert_int_equal(text_part(utf8("plain"), &plan, 2, 0, out), 0);
    assert_int_equal(text_part(utf8("\xff"), &plan, 1, 0, out), 0);
}

static void parts_stand_as_the_standard_writes_them(void **state)
{
    (void)state;
    char text[161 + 1];
    uint8_t out[TEXT_PART_MAX];
    struct text_plan plan;
    memset(text, '@', 161);
    text[161] = '\0';
    assert_int_equal(text_plan(utf8(text), &text_rules_default, &plan), ERR_OK);
    assert_int_equal(text_part(utf8(text), &plan, 2, 9, out), 6 + 8);
    assert_memory_equal(out, "\x05\x00\x03\x09\x02\x02\0\0\0\0\0\0\0\0", 14);
    assert_int_equal(text_plan(utf8("\xf0\x9f\x98\x80"), &text_rules_default, &plan), ERR_OK);
    assert_int_equal(text_part(utf8("\xf0\x9f\x98\x80"), &plan, 1, 0, out), 4);
    assert_memory_equal(out, "\xd8\x3d\xde\x00", 4);
}

static void decodes(uint8_t data_coding, const char *octets, size_t length, const char *expected)
{
    char out[256];
    size_t size = text_decode(data_coding, span_of(octets, length), out, sizeof out);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(out, expected, size);
}

static void received_texts_are_decoded(void **state)
{
    (void)state;
    decodes(0, "STOP", 4, "STOP");
    decodes(1, "STOP", 4, "STOP");
    decodes(0, "\x00\x1b\x65", 3, "@€");
    decodes(3, "arr\xeat", 5, "arrêt");
    decodes(0xf5, "\xe9", 1, "é");
    decodes(8, "\x06\x42\x06\x41", 4, "قف");
    decodes(8, "\xd8\x3d\xde\x00", 4, "😀");
    /* Broken: octets above 127, an escape at the end, half a pair, half a character, NUL. */
    decodes(0, "a\x80", 2, "a\xef\xbf\xbd");
    decodes(0, "a\x1b", 2, "a\xef\xbf\xbd");
    decodes(0, "\x1b\x41", 2, "A");
    decodes(0,
            "\x1b\x1b"
            "B",
            3, " B");
    decodes(8, "\xd8\x3d\x00\x41", 4,
            "\xef\xbf\xbd"
            "A");
    decodes(8, "\xde\x00\xd8", 3, "\xef\xbf\xbd\xef\xbf\xbd");
    decodes(8, "\x00\x00", 2, "\xef\xbf\xbd");
    decodes(3, "\x00", 1, "\xef\xbf\xbd");
    decodes(8, NULL, 0, "");
}

static void decoding_stops_at_a_whole_character(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(text_decode(0, span_of("\x1b\x65\x1b\x65", 4), out, 4), 3);
    assert_int_equal(text_decode(0, span_of("\x1b\x65", 2), out, 2), 0);
    assert_int_equal(text_decode(0, span_of("ab", 2), out, 0), 0);
}

static bool parses(const char *octets, size_t length, struct udh *ret_udh)
{
    return udh_parse(span_of(octets, length), ret_udh);
}

static void user_data_headers_are_read(void **state)
{
    (void)state;
    struct udh udh;
    assert_true(parses("\x05\x00\x03\x2a\x03\x02xy", 8, &udh));
    assert_true(udh.concatenated && udh.reference == 0x2a && udh.total == 3 && udh.part == 2);
    assert_true(span_equal(udh.text, utf8("xy")));
    assert_true(parses("\x06\x08\x04\x12\x34\x02\x01z", 8, &udh));
    assert_true(udh.concatenated && udh.reference == 0x1234 && udh.total == 2 && udh.part == 1);
    /* Ports first. */
    assert_true(parses("\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x01\x02\x02t", 13, &udh));
    assert_true(udh.concatenated && udh.reference == 1 && udh.total == 2 && udh.part == 2);
    /* Counts that make no sense are passed over. */
    assert_true(parses("\x05\x00\x03\x01\x02\x03t", 7, &udh));
    assert_false(udh.concatenated);
    assert_true(parses("\x05\x00\x03\x01\x00\x00t", 7, &udh));
    assert_false(udh.concatenated);
    assert_true(parses("\x00t", 2, &udh));
    assert_int_equal(udh.text.length, 1);
}

static void broken_user_data_headers_are_refused(void **state)
{
    (void)state;
    struct udh udh;
    assert_false(parses("", 0, &udh));
    assert_false(udh_parse((struct span){0}, &udh));
    assert_false(parses("\x05\x00\x03\x01\x02", 5, &udh));     /* shorter than it says */
    assert_false(parses("\x05\x00\x04\x01\x02\x01", 6, &udh)); /* an element runs over the end */
    assert_false(parses("\x01\x00t", 3, &udh));                /* an element without a length */
}

/* ICU's converter as a second opinion. ------------------------------------------------------- */

static FILE *run_uconv(const char *arguments, const char *input, size_t length)
{
    char path[] = "/tmp/text_test_XXXXXX", command[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, input, length), (ssize_t)length);
    close(fd);
    snprintf(command, sizeof command, "uconv %s %s; rm -f %s", arguments, path, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    return pipe;
}

static bool uconv_is_there(void)
{
    return system("uconv --version >/dev/null 2>&1") == 0;
}

static void skip_without_uconv(void)
{
    if (uconv_is_there())
        return;
    print_message("uconv is not installed (package icu-devtools): not compared with ICU\n");
    skip();
}

static void icu_decodes_the_same(void **state)
{
    (void)state;
    skip_without_uconv();
    static const char escaped[] = "\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65";
    char octets[256], ours[1024], theirs[1024];
    size_t length = 0;
    for (int septet = 0; septet < 128; septet++)
        if (septet != GSM7_ESCAPE)
            octets[length++] = (char)septet;
    for (size_t i = 0; escaped[i] != '\0'; i++) {
        octets[length++] = GSM7_ESCAPE;
        octets[length++] = escaped[i];
    }
    FILE *pipe = run_uconv("-f gsm-03.38-2009 -t utf-8", octets, length);
    size_t got = fread(theirs, 1, sizeof theirs, pipe);
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(text_decode(0, span_of(octets, length), ours, sizeof ours), got);
    assert_memory_equal(ours, theirs, got);
}

/* Each character of the basic plane between two marks; what ICU cannot convert it leaves out. */
static void icu_encodes_the_same(void **state)
{
    (void)state;
    skip_without_uconv();
    static char input[65536 * 5];
    size_t length = 0;
    for (uint32_t character = 1; character < 0x10000; character++) {
        if (character >= 0xd800 && character <= 0xdfff)
            continue;
        length += utf8_put(character, (uint8_t *)input + length);
        input[length++] = 'x';
        input[length++] = 'y';
    }
    FILE *pipe = run_uconv("-f utf-8 -t gsm-03.38-2009 --to-callback skip", input, length);
    unsigned known = 0;
    for (uint32_t character = 1; character < 0x10000; character++) {
        if (character >= 0xd800 && character <= 0xdfff)
            continue;
        uint16_t code = gsm7_encode(character);
        if (code != GSM7_NONE && code > 0xff)
            assert_int_equal(fgetc(pipe), code >> 8);
        if (code != GSM7_NONE)
            assert_int_equal(fgetc(pipe), code & 0xff);
        known += code != GSM7_NONE;
        assert_int_equal(fgetc(pipe), 'x');
        assert_int_equal(fgetc(pipe), 'y');
    }
    assert_int_equal(fgetc(pipe), EOF);
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(known, 127 + 10);
}

/* The table and its reverse agree, with or without ICU. */
static void the_alphabet_turns_round(void **state)
{
    (void)state;
    for (unsigned septet = 0; septet < 128; septet++)
        if (septet != GSM7_ESCAPE)
            assert_int_equal(gsm7_encode(gsm7_decode((uint8_t)septet)), septet);
    for (uint32_t character = 0; character < 0x11000; character++) {
        uint16_t code = gsm7_encode(character);
        if (code == GSM7_NONE)
            assert_int_equal(gsm7_width(character), 0);
        else if (code > 0xff)
            assert_int_equal(gsm7_decode_escaped((uint8_t)code), character);
        else
            assert_int_equal(gsm7_decode((uint8_t)code), character);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_and_parts_as_carriers_bill_them),
        cmocka_unit_test(empty_text_is_one_part),
        cmocka_unit_test(bad_utf8_is_refused),
        cmocka_unit_test(a_plan_of_another_text_gives_nothing),
        cmocka_unit_test(parts_stand_as_the_standard_writes_them),
        cmocka_unit_test(received_texts_are_decoded),
        cmocka_unit_test(decoding_stops_at_a_whole_character),
        cmocka_unit_test(user_data_headers_are_read),
        cmocka_unit_test(broken_user_data_headers_are_refused),
        cmocka_unit_test(icu_decodes_the_same),
        cmocka_unit_test(icu_encodes_the_same),
        cmocka_unit_test(the_alphabet_turns_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

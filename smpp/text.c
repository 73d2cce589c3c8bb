/* SPDX-License-Identifier: Apache-2.0 */
/* A text is walked character by character; each takes one or two units, and a part is closed when
 * the next character does not fit whole. text_plan() and text_part() share that walk, so that what
 * was counted is what is sent. */
#include "smpp/text.h"

#include "smpp/gsm7.h"
#include "smpp/udh.h"
#include "smpp/utf8.h"

struct measure {
    unsigned single; /* units of a text that needs one part */
    unsigned joined; /* units of a part of several */
};

static const struct measure gsm7_measure = {.single = 160, .joined = 153};
static const struct measure ucs2_measure = {.single = 70, .joined = 67};

static const struct measure *measure_of(enum text_encoding encoding)
{
    return encoding == TEXT_GSM7 ? &gsm7_measure : &ucs2_measure;
}

/* An empty span may be NULL, and nothing may be added to that. */
static const uint8_t *end_of(struct span span)
{
    return span.length > 0 ? span.data + span.length : span.data;
}

/* 0 when the encoding lacks the character. */
static unsigned width_of(enum text_encoding encoding, uint32_t character)
{
    if (encoding == TEXT_GSM7)
        return gsm7_width(character);
    return character < 0x10000 ? 1 : 2;
}

/* Length of the run of plain characters at `at`, at most `most`. */
static size_t plain_run(const uint8_t *at, const uint8_t *end, size_t most)
{
    size_t length = 0;
    if ((size_t)(end - at) < most)
        most = (size_t)(end - at);
    while (length < most && gsm7_plain(at[length]))
        length++;
    return length;
}

enum count_result { COUNTED, NOT_IN_ALPHABET, NOT_UTF8 };

static enum count_result count(struct span utf8, struct text_plan *plan, unsigned *ret_parts)
{
    const uint8_t *at = utf8.data, *end = end_of(utf8);
    const unsigned joined = measure_of(plan->encoding)->joined;
    unsigned units = 0, filled = 0, parts = 1;
    while (at < end) {
        if (plan->encoding == TEXT_GSM7) {
            size_t plain = plain_run(at, end, joined - filled);
            at += plain;
            units += (unsigned)plain;
            filled += (unsigned)plain;
            if (at == end)
                break;
        }
        uint32_t character = *at;
        if (character < 0x80)
            at++;
        else if (!utf8_next(&at, end, &character))
            return NOT_UTF8;
        if (character == 0)
            return NOT_UTF8;
        unsigned width = width_of(plan->encoding, character);
        if (width == 0)
            return NOT_IN_ALPHABET;
        units += width;
        filled += width;
        if (filled > joined) {
            parts++;
            filled = width;
        }
    }
    plan->units = units;
    *ret_parts = units <= measure_of(plan->encoding)->single ? 1 : parts;
    return COUNTED;
}

enum err text_plan(struct span utf8, struct text_plan *ret_plan)
{
    struct text_plan plan = {.encoding = TEXT_GSM7};
    unsigned parts = 0;
    enum count_result result = count(utf8, &plan, &parts);
    if (result == NOT_IN_ALPHABET) {
        plan.encoding = TEXT_UCS2;
        result = count(utf8, &plan, &parts);
    }
    if (result != COUNTED)
        return ERR_BAD_INPUT;
    if (parts > TEXT_PARTS_MAX)
        return ERR_FULL;
    plan.parts = (uint8_t)parts;
    *ret_plan = plan;
    return ERR_OK;
}

/* The octets of one character; the length, or 0 when the encoding lacks it. */
static size_t encode(enum text_encoding encoding, uint32_t character, uint8_t out[4])
{
    if (encoding == TEXT_GSM7) {
        uint16_t code = gsm7_encode(character);
        if (code == GSM7_NONE)
            return 0;
        if (code <= 0xff) {
            out[0] = (uint8_t)code;
            return 1;
        }
        out[0] = (uint8_t)(code >> 8);
        out[1] = (uint8_t)code;
        return 2;
    }
    size_t length = 0;
    if (character >= 0x10000) {
        uint32_t high = 0xd800 + ((character - 0x10000) >> 10);
        out[length++] = (uint8_t)(high >> 8);
        out[length++] = (uint8_t)high;
        character = 0xdc00 | (character & 0x3ff);
    }
    out[length++] = (uint8_t)(character >> 8);
    out[length++] = (uint8_t)character;
    return length;
}

size_t text_part(struct span utf8, const struct text_plan *plan, uint8_t part, uint8_t reference,
                 uint8_t out[TEXT_PART_MAX])
{
    const struct measure *measure = measure_of(plan->encoding);
    const unsigned room = plan->parts > 1 ? measure->joined : measure->single;
    const uint8_t *at = utf8.data, *end = end_of(utf8);
    size_t length = plan->parts > 1 ? udh_write(reference, plan->parts, part, out) : 0;
    unsigned filled = 0, current = 1;
    while (at < end && current <= part) {
        uint32_t character;
        uint8_t octets[4];
        if (plan->encoding == TEXT_GSM7 && filled < room) {
            size_t plain = plain_run(at, end, room - filled);
            for (size_t i = 0; i < plain && current == part; i++)
                out[length++] = (uint8_t)gsm7_latin1[at[i]];
            at += plain;
            filled += (unsigned)plain;
            if (at == end)
                break;
        }
        if (!utf8_next(&at, end, &character))
            return 0;
        size_t size = encode(plan->encoding, character, octets);
        unsigned width = width_of(plan->encoding, character);
        if (size == 0)
            return 0;
        filled += width;
        if (filled > room) {
            current++;
            filled = width;
        }
        if (current == part) {
            memcpy(out + length, octets, size);
            length += size;
        }
    }
    return current < part || part == 0 ? 0 : length;
}

struct output {
    uint8_t *at, *end;
};

/* False when the character does not fit whole: the text is cut there. */
static bool put(struct output *output, uint32_t character)
{
    uint8_t octets[UTF8_OCTETS_MAX];
    size_t length = utf8_put(character == 0 ? UTF8_REPLACEMENT : character, octets);
    if ((size_t)(output->end - output->at) < length)
        return false;
    memcpy(output->at, octets, length);
    output->at += length;
    return true;
}

static void decode_gsm7(struct span octets, struct output *output)
{
    for (size_t i = 0; i < octets.length; i++) {
        uint32_t character = UTF8_REPLACEMENT;
        uint8_t octet = octets.data[i];
        if (octet == GSM7_ESCAPE) {
            if (i + 1 < octets.length && octets.data[i + 1] < 0x80)
                character = gsm7_decode_escaped(octets.data[++i]);
        } else if (octet < 0x80) {
            character = gsm7_decode(octet);
        }
        if (!put(output, character))
            return;
    }
}

static void decode_latin1(struct span octets, struct output *output)
{
    for (size_t i = 0; i < octets.length; i++)
        if (!put(output, octets.data[i]))
            return;
}

static uint32_t utf16_unit(struct span octets, size_t at)
{
    return (uint32_t)octets.data[at] << 8 | octets.data[at + 1];
}

static void decode_ucs2(struct span octets, struct output *output)
{
    size_t i = 0;
    while (i + 1 < octets.length) {
        uint32_t character = utf16_unit(octets, i);
        i += 2;
        if (character >= 0xd800 && character <= 0xdfff) {
            uint32_t low = i + 1 < octets.length ? utf16_unit(octets, i) : 0;
            if (character < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
                character = 0x10000 + ((character & 0x3ff) << 10 | (low & 0x3ff));
                i += 2;
            } else {
                character = UTF8_REPLACEMENT;
            }
        }
        if (!put(output, character))
            return;
    }
    if (i < octets.length)
        (void)put(output, UTF8_REPLACEMENT);
}

size_t text_decode(uint8_t data_coding, struct span octets, char *out, size_t size)
{
    struct output output = {.at = (uint8_t *)out, .end = (uint8_t *)out + size};
    if (data_coding == 0 || data_coding == 1)
        decode_gsm7(octets, &output);
    else if (data_coding == TEXT_UCS2)
        decode_ucs2(octets, &output);
    else
        decode_latin1(octets, &output);
    return (size_t)(output.at - (uint8_t *)out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A text is walked character by character; each takes one or two units, and a part is closed when
 * the next character does not fit whole. text_plan() and text_part() share that walk, so that what
 * was counted is what is sent. */
#include "smpp/text.h"

#include "smpp/gsm7.h"
#include "smpp/utf8.h"

#define AIR_OCTETS 140 /* of one part, 3GPP TS 23.040 9.2.3.16 */

const struct text_rules text_rules_default = {.alphabet = ALPHABET_GSM7,
                                              .payload_max = TEXT_PART_MAX};

/* ---- how much a part takes ---- */

static bool is_septets(const struct text_plan *plan)
{
    return plan->encoding == TEXT_GSM7 || plan->encoding == TEXT_GSM7_AS_LATIN1;
}

static struct udh_out header_of(const struct text_plan *plan, uint8_t total, uint8_t part,
                                uint16_t reference)
{
    uint8_t language = plan->shift & NATIONAL_LANGUAGE;
    return (struct udh_out){.locking = plan->shift & NATIONAL_LOCKING ? language : 0,
                            .single = plan->shift & NATIONAL_SINGLE ? language : 0,
                            .total = total,
                            .part = part,
                            .wide = plan->concatenation == CONCATENATION_UDH16 ||
                                    plan->concatenation == CONCATENATION_SAR,
                            .reference = reference};
}

/* Units of one part in the air. Room for the header is left too where the carrier makes it: of 16 bits
 * for SAR, whose reference has as many. */
static unsigned room_of(const struct text_plan *plan, bool joined)
{
    struct udh_out header = header_of(plan, joined ? 2 : 0, 1, 0);
    unsigned octets = AIR_OCTETS - (unsigned)udh_length(&header);
    if (is_septets(plan))
        return octets * 8 / 7;
    return plan->encoding == TEXT_UCS2 ? octets / 2 : octets;
}

/* ---- characters ---- */

/* An empty span may be NULL, and nothing may be added to that. */
static const uint8_t *end_of(struct span span)
{
    return span.length > 0 ? span.data + span.length : span.data;
}

static bool latin1_has(uint32_t character)
{
    return (character >= 0x20 && character < 0x7f) || (character >= 0xa0 && character <= 0xff) ||
           character == '\n' || character == '\r';
}

static unsigned septets_of(uint16_t code)
{
    return code == GSM7_NONE ? 0 : code > 0xff ? 2 : 1;
}

/* 0 when the encoding lacks the character. */
static unsigned width_of(const struct text_plan *plan, uint32_t character)
{
    switch ((enum text_encoding)plan->encoding) {
    case TEXT_GSM7:
        return plan->shift ? septets_of(national_encode(plan->shift, character))
                           : gsm7_width(character);
    case TEXT_GSM7_AS_LATIN1:
        return character <= 0xff ? gsm7_width(character) : 0;
    case TEXT_LATIN1:
        return latin1_has(character);
    case TEXT_UCS2:
        break;
    }
    return character < 0x10000 ? 1 : 2;
}

/* Characters that take one unit and one octet of UTF-8 may be passed over in runs. */
static bool has_plain_runs(const struct text_plan *plan)
{
    return is_septets(plan) && !(plan->shift & NATIONAL_LOCKING);
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

/* ---- planning ---- */

enum count_result { COUNTED, NOT_IN_ALPHABET, NOT_UTF8 };

/* Fills units and segments. `highest`: characters above it are not in the alphabet. */
static enum count_result count(struct span utf8, uint32_t highest, struct text_plan *plan,
                               unsigned *ret_segments)
{
    const uint8_t *at = utf8.data, *end = end_of(utf8);
    const unsigned joined = room_of(plan, true);
    const bool plain_runs = has_plain_runs(plan);
    unsigned units = 0, filled = 0, parts = 1;
    while (at < end) {
        if (plain_runs) {
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
        unsigned width = character <= highest ? width_of(plan, character) : 0;
        if (width == 0)
            return NOT_IN_ALPHABET;
        units += width;
        filled += width;
        if (filled > joined) {
            parts++;
            filled = width;
            if (parts > TEXT_PARTS_MAX && plan->shift)
                return NOT_IN_ALPHABET; /* one of many tries: not worth the rest */
        }
    }
    plan->units = units;
    *ret_segments = units <= room_of(plan, false) ? 1 : parts;
    return COUNTED;
}

/* The first character that the default alphabet lacks; 0 where it has all. */
static uint32_t first_beyond(struct span utf8)
{
    const uint8_t *at = utf8.data, *end = end_of(utf8);
    uint32_t character;
    while (at < end) {
        at += plain_run(at, end, SIZE_MAX);
        if (at == end || !utf8_next(&at, end, &character))
            return 0;
        if (gsm7_width(character) == 0)
            return character;
    }
    return 0;
}

/* The allowed tables that give the fewest parts; a single shift before a locking one, since a handset
 * that knows neither shows the plain letter behind an escape, but any character for a locked one. */
static bool plan_national(struct span utf8, const struct text_rules *rules, struct text_plan *plan,
                          unsigned *ret_segments)
{
    static const unsigned tables[] = {NATIONAL_SINGLE, NATIONAL_LOCKING,
                                      NATIONAL_LOCKING | NATIONAL_SINGLE};
    const uint32_t beyond = first_beyond(utf8);
    bool found = false;
    for (unsigned i = 0; i < NATIONAL_COUNT * 3 && !(found && *ret_segments == 1); i++) {
        unsigned language = i / 3, shift = tables[i % 3];
        struct text_plan try = *plan;
        unsigned segments = 0;
        if (!(rules->national & 1u << language) ||
            ((shift & NATIONAL_LOCKING) && !national_has(language, NATIONAL_LOCKING)) ||
            ((shift & NATIONAL_SINGLE) && !national_has(language, NATIONAL_SINGLE)))
            continue;
        try.shift = (uint8_t)(language | shift);
        if (beyond != 0 && national_encode(try.shift, beyond) == GSM7_NONE)
            continue; /* most languages fall out here */
        if (count(utf8, UINT32_MAX, &try, &segments) != COUNTED)
            continue;
        if (!found || segments < *ret_segments) {
            *plan = try;
            *ret_segments = segments;
            found = true;
        }
    }
    return found;
}

/* For a text that the default alphabet lacks. */
static enum count_result plan_beyond(struct span utf8, const struct text_rules *rules,
                                     struct text_plan *plan, unsigned *ret_segments)
{
    plan->encoding = TEXT_GSM7;
    if (rules->national != 0 && plan_national(utf8, rules, plan, ret_segments))
        return COUNTED;
    enum count_result result = NOT_IN_ALPHABET;
    if (rules->latin1) {
        plan->encoding = TEXT_LATIN1;
        result = count(utf8, UINT32_MAX, plan, ret_segments);
    }
    if (result == NOT_IN_ALPHABET) {
        plan->encoding = TEXT_UCS2;
        result = count(utf8, UINT32_MAX, plan, ret_segments);
    }
    return result;
}

static enum err plan_parts(const struct text_rules *rules, unsigned segments,
                           struct text_plan *plan)
{
    if (segments > TEXT_PARTS_MAX)
        return ERR_FULL;
    plan->segments = plan->parts = (uint8_t)segments;
    if (segments == 1)
        plan->concatenation = 0;
    if (plan->concatenation != CONCATENATION_PAYLOAD)
        return ERR_OK;
    plan->parts = 1;
    uint32_t octets = plan->encoding == TEXT_UCS2 ? plan->units * 2 : plan->units;
    return octets <= rules->payload_max ? ERR_OK : ERR_FULL;
}

enum err text_plan(struct span utf8, const struct text_rules *rules, struct text_plan *ret_plan)
{
    static const uint32_t highest[] = {
        [ALPHABET_GSM7] = UINT32_MAX, [ALPHABET_LATIN1] = 0xff, [ALPHABET_ASCII] = 0x7f};
    struct text_plan plan = {.encoding =
                                 rules->alphabet == ALPHABET_GSM7 ? TEXT_GSM7 : TEXT_GSM7_AS_LATIN1,
                             .concatenation = (uint8_t)rules->concatenation};
    unsigned segments = 0;
    enum count_result result = count(utf8, highest[rules->alphabet], &plan, &segments);
    if (result == NOT_IN_ALPHABET)
        result = plan_beyond(utf8, rules, &plan, &segments);
    if (result != COUNTED)
        return ERR_BAD_INPUT;
    enum err err = plan_parts(rules, segments, &plan);
    if (err == ERR_OK)
        *ret_plan = plan;
    return err;
}

/* ---- octets ---- */

static size_t put_code(uint16_t code, uint8_t out[4])
{
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

static size_t put_utf16(uint32_t character, uint8_t out[4])
{
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

/* The octets of one character that the encoding has; the length. */
static size_t encode(const struct text_plan *plan, uint32_t character, uint8_t out[4])
{
    switch ((enum text_encoding)plan->encoding) {
    case TEXT_GSM7:
        return put_code(
            plan->shift ? national_encode(plan->shift, character) : gsm7_encode(character), out);
    case TEXT_GSM7_AS_LATIN1:
    case TEXT_LATIN1:
        out[0] = (uint8_t)character;
        return 1;
    case TEXT_UCS2:
        break;
    }
    return put_utf16(character, out);
}

static unsigned room_of_part(const struct text_plan *plan)
{
    if (plan->concatenation == CONCATENATION_PAYLOAD)
        return TEXT_PART_MAX;
    return room_of(plan, plan->parts > 1);
}

size_t text_part(struct span utf8, const struct text_plan *plan, uint8_t part, uint16_t reference,
                 uint8_t out[TEXT_PART_MAX])
{
    const unsigned room = room_of_part(plan);
    const bool plain_runs = has_plain_runs(plan), gsm7 = plan->encoding == TEXT_GSM7;
    const bool tells_parts = plan->parts > 1 && plan->concatenation != CONCATENATION_SAR;
    const uint8_t *at = utf8.data, *end = end_of(utf8);
    struct udh_out header = header_of(plan, tells_parts ? plan->parts : 0, part, reference);
    size_t length = udh_write(&header, out);
    unsigned filled = 0, current = 1;
    while (at < end && current <= part) {
        uint32_t character;
        uint8_t octets[4];
        if (plain_runs && filled < room) {
            size_t plain = plain_run(at, end, room - filled);
            for (size_t i = 0; i < plain && current == part; i++)
                out[length++] = gsm7 ? (uint8_t)gsm7_latin1[at[i]] : at[i];
            at += plain;
            filled += (unsigned)plain;
            if (at == end)
                break;
        }
        if (!utf8_next(&at, end, &character))
            return 0;
        unsigned width = width_of(plan, character);
        size_t size = width > 0 ? encode(plan, character, octets) : 0;
        if (size == 0)
            return 0;
        filled += width;
        if (filled > room) {
            current++;
            filled = width;
        }
        if (current == part) {
            if (length + size > TEXT_PART_MAX)
                return 0;
            memcpy(out + length, octets, size);
            length += size;
        }
    }
    return current < part || part == 0 ? 0 : length;
}

static void fill_sar(const struct text_plan *plan, uint8_t part, uint16_t reference,
                     struct text_storage *storage, struct sm_out *out)
{
    storage->sar[0] = (uint8_t)(reference >> 8);
    storage->sar[1] = (uint8_t)reference;
    storage->sar[2] = plan->parts;
    storage->sar[3] = part;
    storage->tlvs[0] = (struct tlv){TLV_SAR_MSG_REF_NUM, span_of(storage->sar, 2)};
    storage->tlvs[1] = (struct tlv){TLV_SAR_TOTAL_SEGMENTS, span_of(storage->sar + 2, 1)};
    storage->tlvs[2] = (struct tlv){TLV_SAR_SEGMENT_SEQNUM, span_of(storage->sar + 3, 1)};
    out->tlvs = storage->tlvs;
    out->tlv_count = 3;
}

bool text_fill(struct span utf8, const struct text_plan *plan, uint8_t part, uint16_t reference,
               struct text_storage *storage, struct sm_out *out)
{
    size_t length = text_part(utf8, plan, part, reference, storage->octets);
    bool sar = plan->parts > 1 && plan->concatenation == CONCATENATION_SAR;
    if (length == 0 && utf8.length > 0)
        return false;
    out->data_coding = plan->encoding & 0x0f;
    if (plan->shift != 0 || (plan->parts > 1 && !sar))
        out->esm_class |= ESM_UDHI;
    if (sar)
        fill_sar(plan, part, reference, storage, out);
    if (plan->concatenation == CONCATENATION_PAYLOAD) {
        storage->tlvs[0] = (struct tlv){TLV_MESSAGE_PAYLOAD, span_of(storage->octets, length)};
        out->tlvs = storage->tlvs;
        out->tlv_count = 1;
    } else {
        out->short_message = span_of(storage->octets, length);
    }
    return true;
}

/* ---- received texts ---- */

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

static void decode_gsm7(struct span octets, const struct udh *udh, struct output *output)
{
    uint8_t locking = udh ? udh->locking : 0, single = udh ? udh->single : 0;
    for (size_t i = 0; i < octets.length; i++) {
        uint32_t character = UTF8_REPLACEMENT;
        uint8_t octet = octets.data[i];
        if (octet == GSM7_ESCAPE) {
            if (i + 1 < octets.length && octets.data[i + 1] < 0x80)
                character = national_decode_escaped(locking, single, octets.data[++i]);
        } else if (octet < 0x80) {
            character = national_decode(locking, octet);
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

/* The alphabet of a data_coding as one of 0, 3 and 8 (SMPP 3.4 5.2.19, 3GPP TS 23.038 section 4). */
static uint8_t coding_of(uint8_t data_coding)
{
    static const uint8_t by_bits[] = {TEXT_GSM7, TEXT_LATIN1, TEXT_UCS2, TEXT_LATIN1};
    if (data_coding >= 0xf0)
        return data_coding & 0x04 ? TEXT_LATIN1 : TEXT_GSM7;
    if (data_coding >= 0xe0)
        return TEXT_UCS2;
    if (data_coding >= 0xc0)
        return TEXT_GSM7;
    if (data_coding >= 0x10 && data_coding <= 0x1f)
        return by_bits[data_coding >> 2 & 3];
    return data_coding == 1 ? TEXT_GSM7 : data_coding;
}

size_t text_receive(enum text_alphabet alphabet, uint8_t data_coding, const struct udh *udh,
                    struct span octets, char *out, size_t size)
{
    struct output output = {.at = (uint8_t *)out, .end = (uint8_t *)out + size};
    uint8_t coding = data_coding == 0 && alphabet != ALPHABET_GSM7 ? (uint8_t)TEXT_LATIN1
                                                                   : coding_of(data_coding);
    if (coding == TEXT_GSM7)
        decode_gsm7(octets, udh, &output);
    else if (coding == TEXT_UCS2)
        decode_ucs2(octets, &output);
    else
        decode_latin1(octets, &output);
    return (size_t)(output.at - (uint8_t *)out);
}

size_t text_decode(uint8_t data_coding, struct span octets, char *out, size_t size)
{
    return text_receive(ALPHABET_GSM7, data_coding, NULL, octets, out, size);
}

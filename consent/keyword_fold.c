/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/keyword_fold.h"

#include <utf8proc.h>

#include "proto/base/check.h"

#define REPLACEMENT    0xfffd
#define REPAIRED_MAX   (KEYWORD_TEXT_MAX * 3)
#define CHARACTERS_MAX (KEYWORD_TEXT_MAX * 6) /* NFKD of U+FDFA: 18 characters from 3 octets */

static bool is_latin(int32_t c)
{
    return c < 0x80 ? (c >= 'a' && c <= 'z') : c < 0x250 || (c >= 0x1e00 && c < 0x1f00);
}

/* Scripts without spaces between words: Han, kana, Thai, Lao, Khmer, Myanmar. */
static bool is_joined_script(int32_t c)
{
    return (c >= 0x3040 && c < 0x3100) || (c >= 0x3400 && c < 0xa000) ||
           (c >= 0xf900 && c < 0xfb00) || (c >= 0x20000 && c < 0x32000) ||
           (c >= 0xe00 && c < 0xf00) || (c >= 0x1000 && c < 0x10a0) || (c >= 0x1780 && c < 0x1800);
}

/* Characters that mean nothing here: controls of width, direction and variation, harakat, tatweel. */
static bool is_dropped(int32_t c, utf8proc_category_t category)
{
    return category == UTF8PROC_CATEGORY_CF || c == 0x640 || (c >= 0x64b && c <= 0x65f) ||
           c == 0x670 || (c >= 0x610 && c <= 0x61a) || (c >= 0x6d6 && c <= 0x6ed && c != 0x6dd) ||
           (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef) || c == 0x34f ||
           c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0xffa0;
}

static int32_t arabic_or_same(int32_t c)
{
    switch (c) {
    case 0x622: /* alef with madda, hamza above and below, wasla */
    case 0x623:
    case 0x625:
    case 0x671:
        return 0x627;
    case 0x649: /* alef maqsura, farsi yeh */
    case 0x6cc:
        return 0x64a;
    case 0x629: /* ta marbuta */
        return 0x647;
    case 0x6a9: /* keheh */
        return 0x643;
    case 0x131: /* dotless i */
        return 'i';
    default:
        break;
    }
    if (c >= 0x660 && c <= 0x669)
        return '0' + (c - 0x660);
    if (c >= 0x6f0 && c <= 0x6f9)
        return '0' + (c - 0x6f0);
    return c;
}

/* Decomposed characters: what is dropped goes, a Latin letter loses its marks, Arabic is folded. */
static size_t fold_characters(int32_t *text, size_t count)
{
    size_t kept = 0;
    int32_t base = 0;
    for (size_t i = 0; i < count; i++) {
        utf8proc_category_t category = utf8proc_category(text[i]);
        if (is_dropped(text[i], category))
            continue;
        bool mark = text[i] >= 0x300 && text[i] < 0x370;
        if (mark && is_latin(base))
            continue;
        if (!mark)
            base = text[i];
        text[kept++] = arabic_or_same(text[i]);
    }
    return kept;
}

/* ---- The three forms ---- */

enum part { PART_WORD, PART_SPACE, PART_JOIN, PART_HYPHEN, PART_STOP };

static bool is_apostrophe(int32_t c)
{
    return c == '\'' || c == '`' || c == 0xb4 || c == 0x2018 || c == 0x2019 || c == 0x201b ||
           c == 0x2bc || c == 0x2b9 || c == 0x2032;
}

static enum part part_of_ascii(int32_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return PART_WORD;
    if (c == '\'' || c == '`')
        return PART_JOIN;
    if (c == ' ')
        return PART_SPACE;
    return c == '-' || c == '_' || c == '/' || c == '@' ? PART_HYPHEN : PART_STOP;
}

static enum part part_of(int32_t c)
{
    if (c < 0x80)
        return part_of_ascii(c);
    if (is_apostrophe(c))
        return PART_JOIN;
    switch (utf8proc_category(c)) { /* the enum is not ours: values may be added */
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return PART_WORD;
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PC:
        return PART_HYPHEN;
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        break;
    }
    return PART_STOP;
}

struct shaping {
    struct fold *fold;
    enum part between; /* since the last word: nothing yet (PART_JOIN), a space, a clause's end */
    bool dotted;       /* the clause's end is one full stop with nothing after it yet */
    bool other;        /* something else than question marks and spaces */
};

static void put(char *text, size_t *length, const char *octets, size_t count)
{
    if (count == 1)
        text[*length] = octets[0];
    else
        memcpy(text + *length, octets, count);
    *length += count;
}

static void shape_word(struct shaping *s, const char *octets, size_t count)
{
    struct fold *f = s->fold;
    /* "shop.example" has no clause's end in it. */
    if (s->between == PART_STOP && s->dotted)
        s->between = PART_SPACE;
    if (f->words_length > 0 && s->between == PART_SPACE)
        put(f->words, &f->words_length, " ", 1);
    else if (f->words_length > 0 && s->between == PART_STOP)
        put(f->words, &f->words_length, (const char[]){FOLD_CLAUSE}, 1);
    s->between = PART_JOIN;
    s->dotted = false;
    put(f->words, &f->words_length, octets, count);
    put(f->compact, &f->compact_length, octets, count);
}

static void shape(struct shaping *s, int32_t c, const char *octets, size_t count)
{
    struct fold *f = s->fold;
    /* The other two forms are never longer than the canonical one. */
    if (f->canonical_length + count > FOLD_OCTETS_MAX - 4)
        return;
    enum part part = part_of(c);
    if (part == PART_SPACE) {
        if (f->canonical_length > 0 && f->canonical[f->canonical_length - 1] != ' ')
            put(f->canonical, &f->canonical_length, " ", 1);
        s->dotted = false;
        if (s->between == PART_JOIN)
            s->between = PART_SPACE;
        return;
    }
    put(f->canonical, &f->canonical_length, octets, count);
    s->other |= c != '?' && c != 0x61f;
    f->joined |= is_joined_script(c);
    if (part == PART_WORD) {
        shape_word(s, octets, count);
    } else if (part == PART_HYPHEN) {
        if (s->between == PART_JOIN)
            s->between = PART_SPACE;
    } else if (part == PART_STOP) {
        s->dotted = (c == '.' || c == ':') && s->between == PART_JOIN;
        s->between = PART_STOP;
    }
}

static void finish(struct shaping *s)
{
    struct fold *f = s->fold;
    if (f->canonical_length > 0 && f->canonical[f->canonical_length - 1] == ' ')
        f->canonical_length--;
    f->canonical[f->canonical_length] = '\0';
    f->words[f->words_length] = '\0';
    f->compact[f->compact_length] = '\0';
    f->question = f->canonical_length > 0 && !s->other;
}

/* ---- ASCII, and the rest ---- */

static bool is_ascii(struct span text)
{
    uint8_t all = 0;
    for (size_t i = 0; i < text.length; i++)
        all |= text.data[i];
    return all < 0x80;
}

static void shape_ascii(struct shaping *s, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        uint8_t c = text.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + ('a' - 'A'));
        if (c == '\n' || c == '\r') {
            s->between = PART_STOP; /* a new line is a new clause */
            s->dotted = false;
            c = ' ';
        }
        if (c < ' ' || c == 0x7f)
            c = ' ';
        shape(s, c, (const char[]){(char)c}, 1);
    }
}

/* A copy in which what is no UTF-8 is U+FFFD; gives its length. */
static size_t repair(struct span text, uint8_t out[REPAIRED_MAX])
{
    size_t length = 0;
    while (text.length > 0) {
        int32_t c;
        utf8proc_ssize_t used = utf8proc_iterate(text.data, (utf8proc_ssize_t)text.length, &c);
        if (used <= 0) {
            used = 1;
            c = REPLACEMENT;
        }
        length += (size_t)utf8proc_encode_char(c, out + length);
        text = span_of(text.data + used, text.length - (size_t)used);
    }
    return length;
}

/* To case-folded characters in compatibility decomposition and canonical order. */
static size_t decompose(struct span text, int32_t out[CHARACTERS_MAX])
{
    uint8_t repaired[REPAIRED_MAX];
    size_t length = repair(text, repaired);
    utf8proc_ssize_t count =
        utf8proc_decompose(repaired, (utf8proc_ssize_t)length, out, CHARACTERS_MAX,
                           UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD);
    CHECK(count >= 0 && count <= CHARACTERS_MAX);
    return (size_t)count;
}

static void shape_unicode(struct shaping *s, struct span text)
{
    int32_t characters[CHARACTERS_MAX];
    size_t count = fold_characters(characters, decompose(text, characters));
    utf8proc_ssize_t composed = utf8proc_normalize_utf32(characters, (utf8proc_ssize_t)count,
                                                         UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    CHECK(composed >= 0);
    for (utf8proc_ssize_t i = 0; i < composed; i++) {
        int32_t c = arabic_or_same(characters[i]);
        if (c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029) {
            s->between = PART_STOP;
            s->dotted = false;
            c = ' ';
        }
        if (c < ' ' || c == 0x7f || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS)
            c = ' ';
        uint8_t octets[4];
        utf8proc_ssize_t length = utf8proc_encode_char(c, octets);
        shape(s, c, (const char *)octets, (size_t)length);
    }
}

void fold_text(struct fold *fold, struct span utf8)
{
    struct shaping s = {.fold = fold, .between = PART_JOIN};
    fold->canonical_length = fold->words_length = fold->compact_length = 0;
    fold->joined = false;
    if (utf8.length > KEYWORD_TEXT_MAX)
        utf8.length = KEYWORD_TEXT_MAX;
    if (is_ascii(utf8))
        shape_ascii(&s, utf8);
    else
        shape_unicode(&s, utf8);
    finish(&s);
}

size_t fold_decode(struct span utf8, int32_t *out, size_t most, size_t *ret_letters)
{
    size_t count = 0;
    *ret_letters = 0;
    while (utf8.length > 0 && count < most) {
        int32_t c;
        utf8proc_ssize_t used = utf8proc_iterate(utf8.data, (utf8proc_ssize_t)utf8.length, &c);
        CHECK(used > 0);
        utf8proc_category_t category = utf8proc_category(c);
        *ret_letters += category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
        out[count++] = c;
        utf8 = span_of(utf8.data + used, utf8.length - (size_t)used);
    }
    return utf8.length > 0 ? most + 1 : count;
}

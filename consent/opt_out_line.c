/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/opt_out_line.h"

#include <stdlib.h>
#include <strings.h>

#include "consent/keyword_fold.h"
#include "consent/keyword_rows.h"
#include "proto/base/check.h"

#define SLOTS    2048 /* a power of two, over twice the rows */
#define WORD_MAX 48   /* octets of a word that may be one of ours */
#define NEAR     2    /* words between an opt-out word and what asks for it, at most one */
#define WINDOW   4    /* and of two opt-out words at most two */
#define CODE_MIN 5    /* digits of a number that a word is sent to */
#define CODE_MAX 8

enum role { ROLE_OPT_OUT = 1, ROLE_ASKS = 2, ROLE_ASKS_AFTER = 4 };

struct entry {
    uint8_t length;
    uint8_t roles;
    bool joined;
    char text[WORD_MAX];
};

static struct entry *slots;

/* ---- the table ---- */

static struct entry *slot_of(const char *text, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (uint8_t)text[i]) * 16777619u;
    for (h ^= h >> 15;; h++) {
        struct entry *entry = &slots[h & (SLOTS - 1)];
        if (entry->length == 0 ||
            (entry->length == length && memcmp(entry->text, text, length) == 0))
            return entry;
    }
}

static uint8_t role_of(enum row_kind kind)
{
    if (kind == ROW_OPT_OUT || kind == ROW_OPT_OUT_ALL)
        return ROLE_OPT_OUT;
    if (kind == ROW_ASKS)
        return ROLE_ASKS;
    return kind == ROW_ASKS_AFTER ? ROLE_ASKS_AFTER : 0;
}

static void build_table(void)
{
    static struct fold fold;
    struct span data = keyword_data();
    struct keyword_row row;
    const char *why = NULL;
    size_t count = 0;
    slots = check_calloc(SLOTS, sizeof *slots);
    while (keyword_row_next(&data, &row, &why)) {
        uint8_t role = role_of(row.kind);
        if (role == 0)
            continue;
        fold_text(&fold, row.text);
        if (fold.compact_length > WORD_MAX || fold.words_length != fold.compact_length)
            continue; /* of several words: they are found one by one, or not at all */
        struct entry *entry = slot_of(fold.compact, fold.compact_length);
        memcpy(entry->text, fold.compact, fold.compact_length);
        entry->length = (uint8_t)fold.compact_length;
        entry->roles |= role;
        entry->joined = fold.joined;
        CHECK(++count < SLOTS / 2);
    }
}

/* ---- words of a text ---- */

/* What an octet is in a word: a run of ASCII letters and digits, or of everything else that is not ASCII, so
 * that "请回复TD退订" is three. Letters with and without accents stay together. */
enum octet {
    IN_NARROW = 1, /* of Latin, Greek, Cyrillic and the like: at most two octets */
    IN_WIDE = 2,   /* of three or four */
    TURNS_NARROW = 4,
    SMALL = 8,
    NO_DIGIT = 16,
    NOT_ASCII = 32,
};

static const uint8_t octets[256] = {
    ['0' ... '9'] = IN_NARROW,
    ['A' ... 'Z'] = IN_NARROW | NO_DIGIT,
    ['a' ... 'z'] = IN_NARROW | NO_DIGIT | SMALL,
    [0x80 ... 0xbf] = IN_NARROW | IN_WIDE | NO_DIGIT | NOT_ASCII,
    [0xc0 ... 0xdf] = IN_NARROW | IN_WIDE | TURNS_NARROW | NO_DIGIT | NOT_ASCII,
    [0xe0 ... 0xff] = IN_WIDE | NO_DIGIT | NOT_ASCII,
};

struct word {
    struct span text;
    bool ascii, upper; /* upper: holds no small ASCII letter */
    bool digits;
};

/* Takes the next word off `text`. */
static bool next_word(struct span *text, struct word *ret)
{
    const uint8_t *at = text->data, *const last = at + text->length;
    while (at < last && octets[*at] == 0)
        at++;
    if (at == last)
        return false;
    const uint8_t *end = at;
    uint8_t run = *at >= 0xe0 ? IN_WIDE : IN_NARROW, all = 0;
    for (; end < last && (octets[*end] & run); end++) {
        all |= octets[*end];
        if (octets[*end] & TURNS_NARROW)
            run = IN_NARROW;
    }
    *ret = (struct word){.text = span_of(at, (size_t)(end - at)),
                         .ascii = !(all & NOT_ASCII),
                         .upper = !(all & SMALL),
                         .digits = !(all & NO_DIGIT)};
    *text = span_of(end, (size_t)(last - end));
    return true;
}

static uint8_t roles_of_ascii(struct span text)
{
    char folded[WORD_MAX];
    if (text.length > WORD_MAX)
        return 0;
    for (size_t i = 0; i < text.length; i++)
        folded[i] = (char)(text.data[i] | 0x20); /* letters fold; digits have the bit already */
    return slot_of(folded, text.length)->roles;
}

/* As the characters of Han, kana and Hangul are, and so their words. */
static bool is_of_three(char c)
{
    return ((uint8_t)c & 0xf0) == 0xe0;
}

/* A script without spaces: what one of our words is found within. */
static uint8_t roles_within(const struct fold *fold)
{
    uint8_t roles = 0;
    for (size_t at = 0; at < fold->compact_length; at += is_of_three(fold->compact[at]) ? 3 : 1)
        for (size_t length = 3; length <= 24 && at + length <= fold->compact_length; length += 3)
            roles |= slot_of(fold->compact + at, length)->roles;
    return roles;
}

static uint8_t roles_of(const struct word *word)
{
    struct fold fold;
    if (word->ascii)
        return word->digits ? 0 : roles_of_ascii(word->text);
    fold_text(&fold, word->text);
    if (fold.joined)
        return roles_within(&fold);
    return fold.compact_length > 0 && fold.compact_length <= WORD_MAX
               ? slot_of(fold.compact, fold.compact_length)->roles
               : 0;
}

/* The letters of a word that is not ASCII are capitals when folding changes each: one that stays is
 * small, or of a script that knows no capitals; there the word alone decides. */
static bool is_written_large(const struct word *word)
{
    if (!word->upper || word->ascii)
        return word->upper && word->text.length > 1;
    struct span text = word->text;
    bool cased = false, small = false;
    for (size_t i = 0; i + 1 < text.length; i++) {
        unsigned c = (unsigned)text.data[i] << 8 | text.data[i + 1];
        cased = cased || (c >= 0xd090 && c <= 0xd191);
        small = small || (c >= 0xd0b0 && c <= 0xd0bf) || (c >= 0xd180 && c <= 0xd191) ||
                (c >= 0xc3a0 && c <= 0xc3bf);
    }
    return !cased || !small;
}

/* ---- instructions ---- */

/* A word of the last few. Most texts hold no opt-out word in capitals: what the other words mean is asked
 * only next to one. */
struct seen {
    struct word word;
    bool asked, stops; /* stops: an opt-out word in capitals */
    uint8_t roles;     /* where it was asked */
};

static uint8_t roles_seen(struct seen *seen)
{
    if (!seen->asked)
        seen->roles = roles_of(&seen->word);
    seen->asked = true;
    return seen->roles;
}

static bool is_code(const struct word *word)
{
    return word->digits && word->text.length >= CODE_MIN && word->text.length <= CODE_MAX;
}

/* "STOP! STOP!" asks for nothing. */
static bool is_same(struct span a, struct span b)
{
    return a.length == b.length &&
           strncasecmp((const char *)a.data, (const char *)b.data, a.length) == 0;
}

/* The two, so many words apart, are an instruction. */
static bool instruct(struct seen *before, struct seen *now, size_t apart)
{
    if (!before->stops && !now->stops)
        return false;
    uint8_t first = roles_seen(before), then = roles_seen(now);
    if ((first & then & ROLE_OPT_OUT) && !is_same(before->word.text, now->word.text))
        return true;
    return apart <= NEAR && ((now->stops && (first & ROLE_ASKS)) ||
                             (before->stops && ((then & ROLE_ASKS_AFTER) || is_code(&now->word))));
}

/* The word alone is one, in scripts that write it and what asks for it together. */
static bool instructs_alone(const struct seen *seen)
{
    return !seen->word.ascii && (seen->roles & ROLE_OPT_OUT) &&
           (seen->roles & (ROLE_ASKS | ROLE_ASKS_AFTER));
}

static bool instructs(struct span text)
{
    struct seen window[WINDOW]; /* a ring */
    size_t near = 0;            /* so many words from here on stand next to one that stops */
    for (size_t count = 0;; count++, near -= near > 0) {
        struct seen *now = &window[count % WINDOW];
        if (!next_word(&text, &now->word))
            return false;
        now->asked = now->stops = false;
        if (now->word.upper || !now->word.ascii) {
            now->stops = (roles_seen(now) & ROLE_OPT_OUT) && is_written_large(&now->word);
            if (instructs_alone(now))
                return true;
        }
        if (now->stops)
            near = WINDOW;
        for (size_t apart = 1; near > 0 && apart < WINDOW && apart <= count; apart++)
            if (instruct(&window[(count - apart) % WINDOW], now, apart))
                return true;
    }
}

static bool holds(struct span text, const char *way)
{
    size_t length = strlen(way);
    return length > 0 && memmem(text.data, text.length, way, length) != NULL;
}

bool says_how_to_opt_out(struct span text, bool by_reply, const char *way)
{
    if (slots == NULL)
        build_table();
    return holds(text, way) || (by_reply && instructs(text));
}

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

struct word {
    struct span text;
    bool ascii, upper; /* upper: holds no small ASCII letter */
    bool digits;
};

static bool is_word_octet(uint8_t c)
{
    return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Takes the next word off `text`: a run of ASCII letters and digits, or of everything else that is not
 * ASCII, so that "请回复TD退订" is three. Letters with and without accents stay together. */
static bool next_word(struct span *text, struct word *ret)
{
    size_t at = 0, end;
    while (at < text->length && !is_word_octet(text->data[at]))
        at++;
    if (at == text->length)
        return false;
    uint8_t lead = 0;
    *ret = (struct word){.ascii = true, .upper = true, .digits = true};
    for (end = at; end < text->length && is_word_octet(text->data[end]); end++) {
        uint8_t c = text->data[end];
        bool wide =
            c >= 0xe0 || (lead >= 0xe0 && c >= 0x80); /* no Latin, Greek or Cyrillic letter */
        if (end > at && wide != (lead >= 0xe0))
            break;
        if (c >= 0xc0 || c < 0x80)
            lead = c;
        ret->ascii = ret->ascii && c < 0x80;
        ret->upper = ret->upper && !(c >= 'a' && c <= 'z');
        ret->digits = ret->digits && c >= '0' && c <= '9';
    }
    ret->text = span_of(text->data + at, end - at);
    *text = span_of(text->data + end, text->length - end);
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

struct seen {
    uint8_t roles;
    bool large, code;
    struct span text;
};

static bool is_code(const struct word *word)
{
    return word->digits && word->text.length >= CODE_MIN && word->text.length <= CODE_MAX;
}

/* The word `i` back; the window is a ring. */
#define WINDOW 8
static const struct seen *back(const struct seen window[WINDOW], size_t count, size_t i)
{
    static const struct seen nothing;
    return i < count ? &window[(count - 1 - i) % WINDOW] : &nothing;
}

/* "STOP! STOP!" asks for nothing. */
static bool is_same(const struct seen *a, const struct seen *b)
{
    return a->text.length == b->text.length &&
           strncasecmp((const char *)a->text.data, (const char *)b->text.data, a->text.length) == 0;
}

/* With the newest word an instruction is complete. */
static bool completes(const struct seen window[WINDOW], size_t count)
{
    const struct seen *now = back(window, count, 0);
    for (size_t i = 1; i <= NEAR + 1; i++) {
        const struct seen *before = back(window, count, i);
        bool stop_now = (now->roles & ROLE_OPT_OUT) && now->large;
        bool stop_before = (before->roles & ROLE_OPT_OUT) && before->large;
        bool two = (now->roles & before->roles & ROLE_OPT_OUT) && !is_same(now, before);
        if (two && (stop_now || stop_before))
            return true;
        if (i <= NEAR && stop_now && (before->roles & ROLE_ASKS))
            return true;
        if (i <= NEAR && stop_before && ((now->roles & ROLE_ASKS_AFTER) || now->code))
            return true;
    }
    return false;
}

/* Most texts hold no opt-out word in capitals: theirs are not looked up. */
static bool holds_opt_out_word(struct span text)
{
    struct word word;
    while (next_word(&text, &word))
        if ((word.upper || !word.ascii) && (roles_of(&word) & ROLE_OPT_OUT))
            return true;
    return false;
}

static bool instructs(struct span text)
{
    struct seen window[WINDOW];
    struct word word;
    size_t count = 0;
    while (next_word(&text, &word)) {
        struct seen *seen = &window[count++ % WINDOW];
        seen->roles = roles_of(&word);
        seen->large = seen->roles != 0 && is_written_large(&word);
        seen->code = is_code(&word);
        seen->text = word.text;
        bool joined = !word.ascii && (seen->roles & ROLE_OPT_OUT) &&
                      (seen->roles & (ROLE_ASKS | ROLE_ASKS_AFTER));
        if (joined || completes(window, count))
            return true;
    }
    return false;
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
    return holds(text, way) || (by_reply && holds_opt_out_word(text) && instructs(text));
}

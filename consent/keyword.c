/* SPDX-License-Identifier: Apache-2.0 */
/* The four steps from a folded text to its meaning: the whole message, the first word or a phrase,
 * one edit from a keyword, an ordinary reply. The rows of consent/data/keywords.inc are folded once,
 * at the first call (one thread), into two hash tables: whole messages, and phrases by their first
 * word; nothing is allocated after that. */
#include "consent/keyword.h"

#include <stdlib.h>

#include "consent/keyword_fold.h"
#include "proto/base/check.h"

#define POINTS_MAX   24   /* characters of a keyword that typos are looked for in */
#define TYPO_LETTERS 4    /* shorter keywords have none: too much else is one edit away */
#define SLOTS        1024 /* of each table; a power of two, over twice the rows */
#define ROWS_MAX     400

enum word_kind { WORD_KEYWORD, WORD_ORDINARY, WORD_POLITE };
enum phrase_kind { PHRASE_REVOKES, PHRASE_MENTIONS, PHRASE_CUE };

struct word {
    enum word_kind kind;
    enum meaning meaning;
    const char *language;
    const char *rule;
    const char *typo_rule;
    const char *text; /* folded and compact from here on */
    size_t length;
    bool joined;
    size_t point_count; /* 0: no typos of this one */
    int32_t points[POINTS_MAX];
};

struct phrase {
    enum phrase_kind kind;
    const char *language;
    const char *rule;
    const char *text; /* folded, words with one space between */
    size_t length;
    bool at_start, at_end, open;
    struct phrase *next; /* with the same hash of the first word, or in the list of loose ones */
};

static struct word words[] = {
#define KEYWORD(meaning, language, id, text, version, source)                                      \
    {WORD_KEYWORD,                                                                                 \
     MEANING_##meaning,                                                                            \
     language,                                                                                     \
     "keyword/" id "@" #version,                                                                   \
     "typo/" id "@" #version,                                                                      \
     text,                                                                                         \
     0,                                                                                            \
     false,                                                                                        \
     0,                                                                                            \
     {0}},
#define ORDINARY(text) {WORD_ORDINARY, MEANING_REPLY, "", "", "", text, 0, false, 0, {0}},
#define POLITE(text)   {WORD_POLITE, MEANING_REPLY, "", "", "", text, 0, false, 0, {0}},
#define PHRASE(language, id, text, version)
#define MENTION(language, id, text, version)
#define CUE(language, text)
#include "consent/data/keywords.inc"
#undef KEYWORD
#undef ORDINARY
#undef POLITE
#undef PHRASE
#undef MENTION
#undef CUE
};

static struct phrase phrases[] = {
#define KEYWORD(meaning, language, id, text, version, source)
#define ORDINARY(text)
#define POLITE(text)
#define PHRASE(language, id, text, version)                                                        \
    {PHRASE_REVOKES, language, "phrase/" id "@" #version, text, 0, false, false, false, NULL},
#define MENTION(language, id, text, version)                                                       \
    {PHRASE_MENTIONS, language, "mention/" id "@" #version, text, 0, false, false, false, NULL},
#define CUE(language, text) {PHRASE_CUE, language, "", text, 0, false, false, false, NULL},
#include "consent/data/keywords.inc"
#undef KEYWORD
#undef ORDINARY
#undef POLITE
#undef PHRASE
#undef MENTION
#undef CUE
};

#define WORD_COUNT   (sizeof words / sizeof *words)
#define PHRASE_COUNT (sizeof phrases / sizeof *phrases)
static_assert(WORD_COUNT <= ROWS_MAX && 2 * WORD_COUNT < SLOTS, "the table of words fills up");

static const struct word *word_slots[SLOTS];
static struct phrase *phrase_slots[SLOTS];
static struct phrase *loose_phrases;  /* one open word: compared with each word's beginning */
static struct phrase *joined_phrases; /* scripts without spaces: anywhere in the compact form */

/* ---- Tables ---- */

static uint32_t hash_text(const char *text, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (uint8_t)text[i]) * 16777619u;
    return h ^ h >> 15;
}

static const struct word *find_word(const char *text, size_t length)
{
    for (uint32_t i = hash_text(text, length);; i++) {
        const struct word *word = word_slots[i & (SLOTS - 1)];
        if (word == NULL || (word->length == length && memcmp(word->text, text, length) == 0))
            return word;
    }
}

static bool is_opt_out(const struct word *word)
{
    return word != NULL &&
           (word->meaning == MEANING_OPT_OUT || word->meaning == MEANING_OPT_OUT_ALL);
}

static const char *copy_text(const char *text, size_t length)
{
    char *copy = check_malloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static void add_word(struct word *word, struct fold *fold)
{
    fold_text(fold, span_from_string(word->text));
    word->text = copy_text(fold->compact, fold->compact_length);
    word->length = fold->compact_length;
    word->joined = fold->joined;
    CHECK(word->length > 0 && find_word(word->text, word->length) == NULL); /* one row a form */
    if (is_opt_out(word)) {
        size_t letters, count = fold_decode(span_of(word->text, word->length), word->points,
                                            POINTS_MAX, &letters);
        if (count <= POINTS_MAX && letters >= TYPO_LETTERS)
            word->point_count = count;
    }
    uint32_t i = hash_text(word->text, word->length);
    while (word_slots[i & (SLOTS - 1)] != NULL)
        i++;
    word_slots[i & (SLOTS - 1)] = word;
}

/* Where the word that begins at `at` ends. */
static size_t word_end(const char *text, size_t length, size_t at)
{
    while (at < length && text[at] != ' ' && text[at] != FOLD_CLAUSE)
        at++;
    return at;
}

static void link_phrase(struct phrase *phrase, struct phrase **list)
{
    phrase->next = *list;
    *list = phrase;
}

static void add_phrase(struct phrase *phrase, struct fold *fold)
{
    struct span text = span_from_string(phrase->text);
    phrase->at_start = text.data[0] == '^';
    phrase->at_end = text.data[text.length - 1] == '$';
    phrase->open = text.data[text.length - 1] == '*';
    fold_text(fold, text);
    phrase->text = copy_text(fold->words, fold->words_length);
    phrase->length = fold->words_length;
    size_t first = word_end(phrase->text, phrase->length, 0);
    CHECK(first > 0);
    if (fold->joined)
        link_phrase(phrase, &joined_phrases);
    else if (first == phrase->length && phrase->open)
        link_phrase(phrase, &loose_phrases);
    else
        link_phrase(phrase, &phrase_slots[hash_text(phrase->text, first) & (SLOTS - 1)]);
}

static void build_tables(void)
{
    static bool built;
    static struct fold fold;
    if (built)
        return;
    for (size_t i = 0; i < WORD_COUNT; i++)
        add_word(&words[i], &fold);
    for (size_t i = 0; i < PHRASE_COUNT; i++)
        add_phrase(&phrases[i], &fold);
    built = true;
}

/* ---- Step 2: the first word, phrases, clauses ---- */

struct found {
    const char *language;
    const char *rule; /* NULL: nothing */
};

struct findings {
    struct found revokes, mentions;
    bool cue;
};

static void note(struct found *found, const char *language, const char *rule)
{
    if (found->rule == NULL)
        *found = (struct found){language, rule};
}

static void note_phrase(struct findings *f, const struct phrase *phrase)
{
    switch (phrase->kind) {
    case PHRASE_REVOKES:
        note(&f->revokes, phrase->language, phrase->rule);
        return;
    case PHRASE_MENTIONS:
        note(&f->mentions, phrase->language, phrase->rule);
        return;
    case PHRASE_CUE:
        f->cue = true;
        return;
    }
}

/* A phrase at `at`, the beginning of a word. */
static bool phrase_is_at(const struct phrase *phrase, const struct fold *fold, size_t at)
{
    if (fold->words_length - at < phrase->length || (phrase->at_start && at > 0) ||
        memcmp(fold->words + at, phrase->text, phrase->length) != 0)
        return false;
    char next = fold->words[at + phrase->length]; /* NUL at the end */
    if (phrase->at_end)
        return next == '\0' || next == FOLD_CLAUSE;
    return phrase->open || next == '\0' || next == ' ' || next == FOLD_CLAUSE;
}

static void find_phrases(struct findings *f, const struct fold *fold)
{
    for (size_t at = 0; at < fold->words_length;) {
        size_t end = word_end(fold->words, fold->words_length, at);
        uint32_t slot = hash_text(fold->words + at, end - at) & (SLOTS - 1);
        for (const struct phrase *p = phrase_slots[slot]; p != NULL; p = p->next)
            if (phrase_is_at(p, fold, at))
                note_phrase(f, p);
        for (const struct phrase *p = loose_phrases; p != NULL; p = p->next)
            if (phrase_is_at(p, fold, at))
                note_phrase(f, p);
        at = end + 1;
    }
    if (!fold->joined)
        return;
    for (const struct phrase *p = joined_phrases; p != NULL; p = p->next)
        if (strstr(fold->compact, p->text) != NULL)
            note_phrase(f, p);
}

static void find_first_word(struct findings *f, const struct fold *fold)
{
    size_t end = word_end(fold->words, fold->words_length, 0);
    const struct word *word = find_word(fold->words, end);
    if (is_opt_out(word))
        note(&f->revokes, word->language, word->rule);
    for (size_t i = 0; fold->joined && i < WORD_COUNT; i++)
        if (words[i].joined && is_opt_out(&words[i]) && fold->compact_length >= words[i].length &&
            memcmp(fold->compact, words[i].text, words[i].length) == 0)
            note(&f->revokes, words[i].language, words[i].rule);
}

/* The opt-out keyword that [at, end) of the words is, spaces and polite words before it aside. */
static const struct word *clause_keyword(const struct fold *fold, size_t at, size_t end)
{
    char compact[64];
    size_t length = 0;
    while (at < end) {
        size_t stop = word_end(fold->words, end, at), count = stop - at;
        const struct word *word = length == 0 ? find_word(fold->words + at, count) : NULL;
        if (word == NULL || word->kind != WORD_POLITE) {
            if (length + count > sizeof compact)
                return NULL;
            memcpy(compact + length, fold->words + at, count);
            length += count;
        }
        at = stop + 1;
    }
    const struct word *word = find_word(compact, length);
    return is_opt_out(word) ? word : NULL;
}

static void find_clauses(struct findings *f, const struct fold *fold)
{
    for (size_t at = 0; at < fold->words_length;) {
        const char *next = memchr(fold->words + at, FOLD_CLAUSE, fold->words_length - at);
        size_t end = next ? (size_t)(next - fold->words) : fold->words_length;
        const struct word *word = clause_keyword(fold, at, end);
        if (word != NULL)
            note(&f->revokes, word->language, word->rule);
        at = end + 1;
    }
}

/* ---- Step 3: one edit ---- */

/* One character more, less, other, or two swapped. */
static bool one_edit(const int32_t *a, size_t a_count, const int32_t *b, size_t b_count)
{
    if (a_count > b_count + 1 || b_count > a_count + 1)
        return false;
    while (a_count > 0 && b_count > 0 && a[0] == b[0]) {
        a++, b++;
        a_count--, b_count--;
    }
    while (a_count > 0 && b_count > 0 && a[a_count - 1] == b[b_count - 1])
        a_count--, b_count--;
    if (a_count <= 1 && b_count <= 1)
        return true;
    return a_count == 2 && b_count == 2 && a[0] == b[1] && a[1] == b[0];
}

/* "stooooop" is "stoop": a letter more than twice in a row is emphasis. */
static size_t drop_emphasis(int32_t *points, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept < 2 || points[i] != points[kept - 1] || points[i] != points[kept - 2])
            points[kept++] = points[i];
    return kept;
}

static const struct word *find_typo(const struct fold *fold)
{
    bool one_word = fold->words_length == fold->compact_length;
    bool spelled = fold->words_length + 1 == 2 * fold->compact_length; /* s t p o */
    if (!one_word && !spelled)
        return NULL;
    int32_t points[2 * POINTS_MAX];
    size_t letters, count = fold_decode(span_of(fold->compact, fold->compact_length), points,
                                        2 * POINTS_MAX, &letters);
    if (count > 2 * POINTS_MAX || letters == 0)
        return NULL;
    count = drop_emphasis(points, count);
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (words[i].point_count > 0 &&
            one_edit(points, count, words[i].points, words[i].point_count))
            return &words[i];
    return NULL;
}

/* ---- The four steps ---- */

static struct keyword_match matched(enum meaning meaning, const char *language, const char *rule)
{
    return (struct keyword_match){.meaning = meaning, .language = language, .rule = rule};
}

static struct keyword_match match_whole(const struct word *word, bool pending)
{
    bool answer = word->meaning == MEANING_CONFIRM || word->meaning == MEANING_DECLINE;
    if (word->meaning == MEANING_REPLY || (answer && !pending))
        return matched(MEANING_REPLY, "", "");
    return matched(word->meaning, word->language, word->rule);
}

static struct keyword_match match_parts(const struct fold *fold)
{
    struct findings f = {0};
    find_first_word(&f, fold);
    find_phrases(&f, fold);
    find_clauses(&f, fold);
    const struct found *found = f.revokes.rule ? &f.revokes : &f.mentions;
    if (found->rule != NULL && f.cue)
        return matched(MEANING_REVIEW, found->language, found->rule);
    if (f.revokes.rule != NULL)
        return matched(MEANING_OPT_OUT_INTENT, f.revokes.language, f.revokes.rule);
    const struct word *typo = find_typo(fold);
    if (typo != NULL)
        return matched(MEANING_OPT_OUT_INTENT, typo->language, typo->typo_rule);
    return matched(MEANING_REPLY, "", "");
}

struct keyword_match keyword_match(struct span utf8, bool pending)
{
    struct fold fold;
    build_tables();
    if (utf8.length > KEYWORD_TEXT_MAX)
        return matched(MEANING_REPLY, "", "");
    fold_text(&fold, utf8);
    if (fold.question)
        return matched(MEANING_HELP, "en", "keyword/question-mark@1");
    if (fold.compact_length == 0)
        return matched(MEANING_REPLY, "", "");
    const struct word *word = find_word(fold.compact, fold.compact_length);
    return word != NULL ? match_whole(word, pending) : match_parts(&fold);
}

size_t keyword_canonical(struct span utf8, char *out, size_t size)
{
    struct fold fold;
    CHECK(size > 0);
    fold_text(&fold, utf8);
    size_t length = fold.canonical_length < size ? fold.canonical_length : size - 1;
    while (length < fold.canonical_length && length > 0 &&
           ((uint8_t)fold.canonical[length] & 0xc0) == 0x80)
        length--;
    memcpy(out, fold.canonical, length);
    out[length] = '\0';
    return length;
}

const char *meaning_name(enum meaning meaning)
{
    static const char *const names[] = {
        [MEANING_REPLY] = "reply",
        [MEANING_OPT_OUT] = "opt_out",
        [MEANING_OPT_OUT_ALL] = "opt_out_all",
        [MEANING_OPT_OUT_INTENT] = "opt_out_intent",
        [MEANING_REVIEW] = "review",
        [MEANING_CONFIRM] = "confirm",
        [MEANING_DECLINE] = "decline",
        [MEANING_OPT_IN] = "opt_in",
        [MEANING_HELP] = "help",
    };
    return names[meaning];
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The four steps from a folded text to its meaning: the whole message, the first word or a phrase,
 * one edit from a keyword, an ordinary reply. A set's rows are folded once into two hash tables: whole
 * messages, and phrases by their first word; matching allocates nothing. Of rows that fold to the same
 * the first counts, and a program's rows come before ours. */
#include "consent/keyword.h"

#include <stdio.h>
#include <stdlib.h>

#include "consent/keyword_fold.h"
#include "consent/keyword_rows.h"
#include "proto/base/check.h"

#define POINTS_MAX   24 /* characters of a keyword that typos are looked for in */
#define TYPO_LETTERS 4  /* shorter keywords have none: too much else is one edit away */
#define TYPO_LONG    6  /* a first word counts, whatever its edit, from so many letters on */
#define LOAD         2  /* slots a row, at least */
#define ARGS(span)   (int)(span).length, (const char *)(span).data

enum word_kind { WORD_KEYWORD, WORD_ORDINARY, WORD_POLITE };
enum phrase_kind { PHRASE_REVOKES, PHRASE_MENTIONS, PHRASE_CUE };

struct word {
    enum word_kind kind;
    enum meaning meaning;
    const char *language; /* the first of the row's */
    bool shared;          /* the row has several */
    const char *rule;
    const char *typo_rule;
    const char *text; /* folded and compact */
    size_t length;
    bool joined;
};

/* An opt-out keyword that typos are looked for of. */
struct typo {
    size_t count;
    int32_t points[POINTS_MAX];
    size_t letter_count;
    const struct word *word;
};

struct phrase {
    enum phrase_kind kind;
    const char *language;
    bool shared;
    const char *rule;
    const char *text; /* folded, words with one space between */
    size_t length;
    bool at_start, at_end, open;
    struct phrase *next; /* with the same hash of the first word, or in the list of loose ones */
};

struct keyword_set {
    struct word *words;
    struct typo *typos;
    uint64_t *typo_letters; /* a bit for each letter that it has: one edit changes two at most */
    struct phrase *phrases;
    size_t word_count, typo_count, phrase_count;
    const struct word **word_slots;
    struct phrase **phrase_slots;
    uint32_t mask;                     /* slots - 1 */
    struct phrase *loose_phrases[256]; /* one open word, by its first octet */
    struct phrase *joined_phrases;     /* scripts without spaces: anywhere in the compact form */
    bool has_commands;                 /* a row has a #, for any number */
};

static const enum meaning meanings[ROW_KINDS] = {
    [ROW_OPT_OUT] = MEANING_OPT_OUT, [ROW_OPT_OUT_ALL] = MEANING_OPT_OUT_ALL,
    [ROW_OPT_IN] = MEANING_OPT_IN,   [ROW_CONFIRM] = MEANING_CONFIRM,
    [ROW_DECLINE] = MEANING_DECLINE, [ROW_HELP] = MEANING_HELP,
    [ROW_CANCEL] = MEANING_CANCEL,   [ROW_REPLY] = MEANING_REPLY,
};

/* ---- Tables ---- */

static uint32_t hash_text(const char *text, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (uint8_t)text[i]) * 16777619u;
    return h ^ h >> 15;
}

static const struct word *find_word(const struct keyword_set *set, const char *text, size_t length)
{
    for (uint32_t i = hash_text(text, length);; i++) {
        const struct word *word = set->word_slots[i & set->mask];
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

/* "keyword/stop@1"; a row with an owner is "program/offers/stop-now@1a2b3c4d". */
static const char *make_rule(const char *what, const struct keyword_row *row)
{
    char rule[KEYWORD_RULE_SIZE];
    int length;
    if (row->owner.length > 0)
        length = snprintf(rule, sizeof rule, "program/%.*s/%.*s@%.*s", ARGS(row->owner),
                          ARGS(row->id), ARGS(row->version));
    else
        length =
            snprintf(rule, sizeof rule, "%s/%.*s@%.*s", what, ARGS(row->id), ARGS(row->version));
    CHECK(length > 0 && (size_t)length < sizeof rule);
    return copy_text(rule, (size_t)length);
}

static const char *first_language(struct span languages, bool *ret_shared)
{
    const uint8_t *comma = memchr(languages.data, ',', languages.length);
    *ret_shared = comma != NULL;
    return copy_text((const char *)languages.data,
                     comma ? (size_t)(comma - languages.data) : languages.length);
}

static uint64_t letters_of(const int32_t *points, size_t count)
{
    uint64_t letters = 0;
    for (size_t i = 0; i < count; i++)
        letters |= 1ull << (points[i] & 63);
    return letters;
}

static void add_typo(struct keyword_set *set, const struct word *word)
{
    struct typo *typo = &set->typos[set->typo_count];
    typo->word = word;
    typo->count = fold_decode(span_of(word->text, word->length), typo->points, POINTS_MAX,
                              &typo->letter_count);
    if (typo->count > POINTS_MAX || typo->letter_count < TYPO_LETTERS)
        return;
    set->typo_letters[set->typo_count++] = letters_of(typo->points, typo->count);
}

/* "stop #" keeps its sign: folding would drop it. */
static void fold_command(struct fold *fold, struct span text)
{
    fold_text(fold, text);
    if (text.data[text.length - 1] == '#') {
        fold->compact[fold->compact_length++] = '#';
        fold->compact[fold->compact_length] = '\0';
    }
}

static void add_word(struct keyword_set *set, const struct keyword_row *row, struct fold *fold)
{
    fold_command(fold, row->text);
    CHECK(fold->compact_length > 0);
    if (find_word(set, fold->compact, fold->compact_length) != NULL)
        return; /* a program has it already */
    struct word *word = &set->words[set->word_count++];
    word->kind = row->kind == ROW_ORDINARY ? WORD_ORDINARY
                 : row->kind == ROW_POLITE ? WORD_POLITE
                                           : WORD_KEYWORD;
    word->meaning = word->kind == WORD_KEYWORD ? meanings[row->kind] : MEANING_REPLY;
    word->language = first_language(row->languages, &word->shared);
    word->rule = word->kind == WORD_KEYWORD ? make_rule("keyword", row) : copy_text("", 0);
    word->typo_rule = is_opt_out(word) ? make_rule("typo", row) : copy_text("", 0);
    word->text = copy_text(fold->compact, fold->compact_length);
    word->length = fold->compact_length;
    word->joined = fold->joined;
    set->has_commands |= word->text[word->length - 1] == '#';
    if (is_opt_out(word))
        add_typo(set, word);
    uint32_t i = hash_text(word->text, word->length);
    while (set->word_slots[i & set->mask] != NULL)
        i++;
    set->word_slots[i & set->mask] = word;
}

/* Where the word that begins at `at` ends. */
static size_t word_end(const char *text, size_t length, size_t at)
{
    while (at < length && text[at] != ' ' && text[at] != FOLD_CLAUSE)
        at++;
    return at;
}

/* At the end: the first row of a list is asked first. */
static void link_phrase(struct phrase *phrase, struct phrase **list)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = phrase;
}

static void add_phrase(struct keyword_set *set, const struct keyword_row *row, struct fold *fold)
{
    struct phrase *phrase = &set->phrases[set->phrase_count++];
    struct span text = row->text;
    phrase->kind = row->kind == ROW_REVOKES    ? PHRASE_REVOKES
                   : row->kind == ROW_MENTIONS ? PHRASE_MENTIONS
                                               : PHRASE_CUE;
    phrase->language = first_language(row->languages, &phrase->shared);
    phrase->rule = row->kind == ROW_CUE
                       ? copy_text("", 0)
                       : make_rule(row->kind == ROW_REVOKES ? "phrase" : "mention", row);
    phrase->at_start = text.data[0] == '^';
    phrase->at_end = text.data[text.length - 1] == '$';
    phrase->open = text.data[text.length - 1] == '*';
    fold_text(fold, text);
    phrase->text = copy_text(fold->words, fold->words_length);
    phrase->length = fold->words_length;
    size_t first = word_end(phrase->text, phrase->length, 0);
    CHECK(first > 0);
    if (fold->joined)
        link_phrase(phrase, &set->joined_phrases);
    else if (first == phrase->length && phrase->open)
        link_phrase(phrase, &set->loose_phrases[(uint8_t)phrase->text[0]]);
    else
        link_phrase(phrase, &set->phrase_slots[hash_text(phrase->text, first) & set->mask]);
}

static void add_row(struct keyword_set *set, const struct keyword_row *row, struct fold *fold)
{
    switch (row->kind) {
    case ROW_REVOKES:
    case ROW_MENTIONS:
    case ROW_CUE:
        add_phrase(set, row, fold);
        return;
    case ROW_OPT_OUT:
    case ROW_OPT_OUT_ALL:
    case ROW_OPT_IN:
    case ROW_CONFIRM:
    case ROW_DECLINE:
    case ROW_HELP:
    case ROW_CANCEL:
    case ROW_REPLY:
    case ROW_POLITE:
    case ROW_ORDINARY:
        add_word(set, row, fold);
        return;
    case ROW_ASKS: /* consent/opt_out_line.h */
    case ROW_ASKS_AFTER:
        return;
    case ROW_KINDS:
        break;
    }
    CHECK(false);
}

struct keyword_set *keyword_set_new(const struct keyword_row *rows, size_t count)
{
    static struct fold fold;
    struct span data = keyword_data();
    size_t most = count + keyword_row_count(data), slots = 64;
    while (slots < most * LOAD)
        slots *= 2;
    struct keyword_set *set = check_calloc(1, sizeof *set);
    set->words = check_calloc(most, sizeof *set->words);
    set->typos = check_calloc(most, sizeof *set->typos);
    set->typo_letters = check_calloc(most, sizeof *set->typo_letters);
    set->phrases = check_calloc(most, sizeof *set->phrases);
    set->word_slots = check_calloc(slots, sizeof *set->word_slots);
    set->phrase_slots = check_calloc(slots, sizeof *set->phrase_slots);
    set->mask = (uint32_t)slots - 1;
    for (size_t i = 0; i < count; i++)
        add_row(set, &rows[i], &fold);
    struct keyword_row row;
    const char *why = NULL;
    while (keyword_row_next(&data, &row, &why))
        add_row(set, &row, &fold);
    CHECK(why == NULL); /* the data is ours */
    return set;
}

/* Our own words alone; made at the first call. */
static const struct keyword_set *own_words(void)
{
    static struct keyword_set *set;
    if (set == NULL)
        set = keyword_set_new(NULL, 0);
    return set;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The words that nobody may read as something else. */
static bool is_plain_stop(const char *rule)
{
    static const char *const rules[] = {"keyword/stop",   "keyword/quit@",   "keyword/end@",
                                        "keyword/revoke", "keyword/opt-out", "keyword/unsub"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (begins(rule, rules[i]))
            return true;
    return false;
}

const char *keyword_row_fault(const struct keyword_row *row)
{
    static struct fold fold;
    fold_text(&fold, row->text);
    if (fold.compact_length == 0)
        return "it holds no letter and no digit";
    if (row->kind == ROW_OPT_OUT || row->kind == ROW_OPT_OUT_ALL || row->kind > ROW_REPLY ||
        row->text.data[row->text.length - 1] == '#')
        return NULL;
    const struct word *ours = find_word(own_words(), fold.compact, fold.compact_length);
    if (!is_opt_out(ours) || (row->kind == ROW_CANCEL && !is_plain_stop(ours->rule)))
        return NULL;
    return "it ends messages by law or custom, whatever a program would have it mean; \"CANCEL\" "
           "may "
           "have the meaning cancel, which ends marketing too";
}

#define FREE(text) free((char *)(uintptr_t)(text))

void keyword_set_free(struct keyword_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->word_count; i++) {
        FREE(set->words[i].language);
        FREE(set->words[i].rule);
        FREE(set->words[i].typo_rule);
        FREE(set->words[i].text);
    }
    for (size_t i = 0; i < set->phrase_count; i++) {
        FREE(set->phrases[i].language);
        FREE(set->phrases[i].rule);
        FREE(set->phrases[i].text);
    }
    free(set->words);
    free(set->typos);
    free(set->typo_letters);
    free(set->phrases);
    free(set->word_slots);
    free(set->phrase_slots);
    free(set);
}

/* ---- Step 2: the first word, phrases, clauses ---- */

struct found {
    const char *language;
    const char *rule; /* NULL: nothing */
    bool shared;
};

struct findings {
    struct found revokes, mentions, cancels;
    bool cue;
};

static void note(struct found *found, const char *language, bool shared, const char *rule)
{
    if (found->rule == NULL)
        *found = (struct found){language, rule, shared};
}

static void note_word(struct found *found, const struct word *word)
{
    note(found, word->language, word->shared, word->rule);
}

static void note_phrase(struct findings *f, const struct phrase *phrase)
{
    switch (phrase->kind) {
    case PHRASE_REVOKES:
        note(&f->revokes, phrase->language, phrase->shared, phrase->rule);
        return;
    case PHRASE_MENTIONS:
        note(&f->mentions, phrase->language, phrase->shared, phrase->rule);
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

static void find_phrases(const struct keyword_set *set, struct findings *f, const struct fold *fold)
{
    for (size_t at = 0; at < fold->words_length;) {
        size_t end = word_end(fold->words, fold->words_length, at);
        uint32_t slot = hash_text(fold->words + at, end - at) & set->mask;
        for (const struct phrase *p = set->phrase_slots[slot]; p != NULL; p = p->next)
            if (phrase_is_at(p, fold, at))
                note_phrase(f, p);
        for (const struct phrase *p = set->loose_phrases[(uint8_t)fold->words[at]]; p != NULL;
             p = p->next)
            if (phrase_is_at(p, fold, at))
                note_phrase(f, p);
        at = end + 1;
    }
    if (!fold->joined)
        return;
    for (const struct phrase *p = set->joined_phrases; p != NULL; p = p->next)
        if (strstr(fold->compact, p->text) != NULL)
            note_phrase(f, p);
}

static void find_first_word(const struct keyword_set *set, struct findings *f,
                            const struct fold *fold)
{
    size_t end = word_end(fold->words, fold->words_length, 0);
    const struct word *word = find_word(set, fold->words, end);
    if (is_opt_out(word))
        note_word(&f->revokes, word);
    else if (word != NULL && word->meaning == MEANING_CANCEL)
        note_word(&f->cancels, word);
    for (size_t i = 0; fold->joined && i < set->word_count; i++) {
        word = &set->words[i];
        if (word->joined && is_opt_out(word) && fold->compact_length >= word->length &&
            memcmp(fold->compact, word->text, word->length) == 0)
            note_word(&f->revokes, word);
    }
}

/* The opt-out keyword that [at, end) of the words is, spaces and polite words before it aside. */
static const struct word *clause_keyword(const struct keyword_set *set, const struct fold *fold,
                                         size_t at, size_t end)
{
    char compact[64];
    size_t length = 0;
    while (at < end) {
        size_t stop = word_end(fold->words, end, at), count = stop - at;
        const struct word *word = length == 0 ? find_word(set, fold->words + at, count) : NULL;
        if (word == NULL || word->kind != WORD_POLITE) {
            if (length + count > sizeof compact)
                return NULL;
            memcpy(compact + length, fold->words + at, count);
            length += count;
        }
        at = stop + 1;
    }
    const struct word *word = find_word(set, compact, length);
    return is_opt_out(word) ? word : NULL;
}

static void find_clauses(const struct keyword_set *set, struct findings *f, const struct fold *fold)
{
    for (size_t at = 0; at < fold->words_length;) {
        const char *next = memchr(fold->words + at, FOLD_CLAUSE, fold->words_length - at);
        size_t end = next ? (size_t)(next - fold->words) : fold->words_length;
        const struct word *word = clause_keyword(set, fold, at, end);
        if (word != NULL)
            note_word(&f->revokes, word);
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

/* A word that begins a sentence is a typo of a short keyword only where it can hardly be another word:
 * the same letters, or a digit among them. */
static bool is_no_word(const struct typo *typo, bool same_letters, bool has_digit)
{
    return typo->letter_count >= TYPO_LONG || same_letters || has_digit;
}

static bool two_bits_at_most(uint64_t bits)
{
    bits &= bits - 1;
    return (bits & (bits - 1)) == 0;
}

static const struct word *find_typo_of(const struct keyword_set *set, struct span text, bool alone)
{
    int32_t points[2 * POINTS_MAX];
    size_t letter_count, count = fold_decode(text, points, 2 * POINTS_MAX, &letter_count);
    if (count > 2 * POINTS_MAX || letter_count == 0)
        return NULL;
    count = drop_emphasis(points, count);
    uint64_t letters = letters_of(points, count);
    for (size_t i = 0; i < set->typo_count; i++) {
        uint64_t changed = letters ^ set->typo_letters[i];
        if (!two_bits_at_most(changed))
            continue;
        const struct typo *typo = &set->typos[i];
        if (one_edit(points, count, typo->points, typo->count) &&
            (alone || is_no_word(typo, changed == 0, letter_count < count)))
            return typo->word;
    }
    return NULL;
}

static const struct word *find_typo(const struct keyword_set *set, const struct fold *fold)
{
    bool one_word = fold->words_length == fold->compact_length;
    bool spelled = fold->words_length + 1 == 2 * fold->compact_length; /* s t p o */
    if (one_word || spelled)
        return find_typo_of(set, span_of(fold->compact, fold->compact_length), true);
    struct span first = span_of(fold->words, word_end(fold->words, fold->words_length, 0));
    if (first.length < TYPO_LETTERS ||
        find_word(set, (const char *)first.data, first.length) != NULL)
        return NULL;
    return find_typo_of(set, first, false);
}

/* ---- The four steps ---- */

static const struct keyword_match ordinary = {
    .meaning = MEANING_REPLY, .language = "", .rule = "", .step = 4};

static struct keyword_match matched(enum meaning meaning, const struct found *found, unsigned step)
{
    return (struct keyword_match){.meaning = meaning,
                                  .language = found->language,
                                  .rule = found->rule,
                                  .shared = found->shared,
                                  .step = (uint8_t)step};
}

static struct keyword_match match_whole(const struct word *word, bool pending)
{
    bool answer = word->meaning == MEANING_CONFIRM || word->meaning == MEANING_DECLINE;
    if (word->kind != WORD_KEYWORD || (answer && !pending))
        return ordinary;
    return matched(word->meaning, &(struct found){word->language, word->rule, word->shared}, 1);
}

static struct keyword_match match_parts(const struct keyword_set *set, const struct fold *fold)
{
    struct findings f = {0};
    unsigned step = 2;
    find_first_word(set, &f, fold);
    find_phrases(set, &f, fold);
    find_clauses(set, &f, fold);
    if (f.revokes.rule == NULL && f.cancels.rule != NULL)
        return matched(MEANING_CANCEL, &f.cancels, 2);
    if (f.revokes.rule == NULL) {
        const struct word *typo = find_typo(set, fold);
        if (typo != NULL) {
            note(&f.revokes, typo->language, typo->shared, typo->typo_rule);
            step = 3;
        }
    }
    if (f.revokes.rule != NULL)
        return matched(f.cue ? MEANING_REVIEW : MEANING_OPT_OUT_INTENT, &f.revokes, step);
    if (f.mentions.rule != NULL && f.cue)
        return matched(MEANING_REVIEW, &f.mentions, 2);
    return ordinary;
}

/* A command of a program with a number behind it: "stop 12345" is its "stop #". */
static const struct word *find_command(const struct keyword_set *set, const struct fold *fold)
{
    char command[64];
    size_t length = fold->compact_length;
    while (length > 0 && fold->compact[length - 1] >= '0' && fold->compact[length - 1] <= '9')
        length--;
    if (length == fold->compact_length || length + 1 > sizeof command)
        return NULL;
    memcpy(command, fold->compact, length);
    command[length] = '#';
    return find_word(set, command, length + 1);
}

struct keyword_match keyword_match_in(const struct keyword_set *set, struct span utf8, bool pending)
{
    static const struct found question_mark = {"en", "keyword/question-mark@1", true};
    struct fold fold;
    if (set == NULL)
        set = own_words();
    if (utf8.length > KEYWORD_TEXT_MAX)
        return ordinary;
    fold_text(&fold, utf8);
    if (fold.question)
        return matched(MEANING_HELP, &question_mark, 1);
    if (fold.compact_length == 0)
        return ordinary;
    const struct word *word = find_word(set, fold.compact, fold.compact_length);
    if (word == NULL && set->has_commands)
        word = find_command(set, &fold);
    return word != NULL ? match_whole(word, pending) : match_parts(set, &fold);
}

struct keyword_match keyword_match(struct span utf8, bool pending)
{
    return keyword_match_in(NULL, utf8, pending);
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
        [MEANING_CANCEL] = "cancel",
    };
    return names[meaning];
}

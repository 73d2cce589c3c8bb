/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a reply: the answer is whole and the same when asked again, and the folded forms keep
 * their bounds and shape. */
#include "consent/keyword.h"
#include "consent/keyword_fold.h"
#include "consent/keyword_rows.h"
#include "consent/opt_out_line.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A text that a program may have as a keyword is understood as what it says. */
static void as_a_programs_word(struct span text)
{
    struct keyword_row row = {.kind = text.length % 2 ? ROW_OPT_OUT : ROW_REPLY,
                              .languages = span_from_string("en"),
                              .id = span_from_string("x"),
                              .version = span_from_string("1"),
                              .text = text,
                              .owner = span_from_string("p")};
    if (text.length == 0 || text.length > 48 || keyword_row_fault(&row) != NULL ||
        text.data[text.length - 1] == '#')
        return;
    struct keyword_set *set = keyword_set_new(&row, 1);
    struct keyword_match match = keyword_match_in(set, text, false);
    CHECK(strcmp(match.rule, "program/p/x@1") == 0);
    keyword_set_free(set);
}

static void as_rows(struct span data)
{
    struct keyword_row row;
    const char *why = NULL;
    size_t count = 0, most = keyword_row_count(data);
    while (keyword_row_next(&data, &row, &why))
        CHECK(row.text.length > 0 && ++count <= most);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char canonical[FOLD_OCTETS_MAX + 1];
    static struct fold fold;
    struct span text = span_of(data, size);
    struct keyword_match match = keyword_match(text, size % 2);
    CHECK(meaning_name(match.meaning) != NULL && match.rule != NULL && match.language != NULL);
    CHECK((match.meaning == MEANING_REPLY) == (match.rule[0] == '\0'));
    CHECK(keyword_match(text, size % 2).rule == match.rule);

    size_t length = keyword_canonical(text, canonical, sizeof canonical);
    CHECK(length <= FOLD_OCTETS_MAX && canonical[length] == '\0');
    char small[8];
    CHECK(keyword_canonical(text, small, sizeof small) < sizeof small);

    if (size % 16 == 4) /* a set is made of all our rows: slow */
        as_a_programs_word(text);
    as_rows(text);
    CHECK(says_how_to_opt_out(text, true, "x") >= says_how_to_opt_out(text, false, "x"));

    fold_text(&fold, text);
    CHECK(fold.compact_length <= fold.words_length);
    CHECK(fold.words_length == 0 || (fold.words[0] != ' ' && fold.words[0] != FOLD_CLAUSE &&
                                     fold.words[fold.words_length - 1] != ' ' &&
                                     fold.words[fold.words_length - 1] != FOLD_CLAUSE));
    CHECK(strlen(fold.canonical) == fold.canonical_length || memchr(data, '\0', size) != NULL);
    return 0;
}

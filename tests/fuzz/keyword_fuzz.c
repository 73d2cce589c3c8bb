/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a reply: the answer is whole and the same when asked again, and the folded forms keep
 * their bounds and shape. */
#include "consent/keyword.h"
#include "consent/keyword_fold.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

    fold_text(&fold, text);
    CHECK(fold.compact_length <= fold.words_length);
    CHECK(fold.words_length == 0 || (fold.words[0] != ' ' && fold.words[0] != FOLD_CLAUSE &&
                                     fold.words[fold.words_length - 1] != ' ' &&
                                     fold.words[fold.words_length - 1] != FOLD_CLAUSE));
    CHECK(strlen(fold.canonical) == fold.canonical_length || memchr(data, '\0', size) != NULL);
    return 0;
}

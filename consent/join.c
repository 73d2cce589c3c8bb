/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/join.h"

#include <string.h>

#include "consent/keyword.h"

#define CANONICAL_MAX (JOIN_WORD_MAX * 8) /* a character may unfold into several */

static const char around[] = " .,;:!?\"'()*";

/* The canonical form without punctuation around its words; false: longer than any of ours. */
static bool canonical(struct span utf8, char out[CANONICAL_MAX])
{
    char text[CANONICAL_MAX];
    size_t length = keyword_canonical(utf8, text, sizeof text);
    if (length == sizeof text - 1)
        return false;
    const char *at = text + strspn(text, around);
    length = strlen(at);
    while (length > 0 && strchr(around, at[length - 1]) != NULL)
        length--;
    memcpy(out, at, length);
    out[length] = '\0';
    return true;
}

static size_t letters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

const char *join_word_fault(const char *word)
{
    char text[CANONICAL_MAX];
    if (word[0] == '\0' || strlen(word) > JOIN_WORD_MAX ||
        !canonical(span_from_string(word), text) || text[0] == '\0')
        return "it must have 1 to 32 octets";
    if (strchr(text, ' ') != NULL)
        return "it must be one word; JOIN goes before it by itself";
    if (keyword_match(span_from_string(word), false).meaning != MEANING_REPLY ||
        keyword_match(span_from_string(word), true).meaning != MEANING_REPLY)
        return "it means something else already, or nearly; see `assent consent explain`";
    return NULL;
}

bool join_matches(struct span utf8, const char *word)
{
    static const char join[] = "join ";
    char said[CANONICAL_MAX], meant[CANONICAL_MAX];
    if (utf8.length > KEYWORD_TEXT_MAX || !canonical(utf8, said) ||
        !canonical(span_from_string(word), meant) || meant[0] == '\0')
        return false;
    if (strncmp(said, join, strlen(join)) == 0) {
        const char *rest = said + strlen(join);
        return strcmp(rest + strspn(rest, around), meant) == 0; /* JOIN "ACME" */
    }
    return letters(meant) >= JOIN_BARE_MIN && strcmp(said, meant) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Words that programs add to ours. A rule of theirs is recorded with the beginning of the configuration's
 * hash, which the ledger has too: "program/offers/no-more-pills@1a2b3c4d". */
#include <stdio.h>
#include <stdlib.h>

#include "consent/keyword_rows.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "smpp/utf8.h"

#define VERSION_OCTETS 4 /* of the configuration's SHA-256 */

/* What names the row in a rule: its text, with "-" for what is no letter. */
static void make_id(const char *text, char out[KEYWORD_ID_MAX + 1])
{
    char canonical[PROGRAM_WORD_OCTETS * 4];
    size_t length = keyword_canonical(span_from_string(text), canonical, sizeof canonical);
    length = utf8_cut(span_of(canonical, length), KEYWORD_ID_MAX);
    for (size_t i = 0; i < length; i++) {
        char c = canonical[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (uint8_t)c >= 0x80;
        out[i] = plain || c == '#' ? c : '-';
    }
    out[length] = '\0';
}

static struct keyword_set *make_set(const struct program_config *program, const uint8_t sha256[32])
{
    char version[2 * VERSION_OCTETS + 1];
    for (int i = 0; i < VERSION_OCTETS; i++)
        snprintf(version + (2 * i), 3, "%02x", sha256[i]);
    struct keyword_row *rows = check_calloc(program->word_count, sizeof *rows);
    char(*ids)[KEYWORD_ID_MAX + 1] = check_calloc(program->word_count, sizeof *ids);
    for (uint16_t i = 0; i < program->word_count; i++) {
        const struct program_word *word = &program->words[i];
        make_id(word->text, ids[i]);
        rows[i] = (struct keyword_row){.kind = (enum row_kind)word->kind,
                                       .languages = span_from_string(word->language),
                                       .id = span_from_string(ids[i]),
                                       .version = span_from_string(version),
                                       .text = span_from_string(word->text),
                                       .owner = span_from_string(program->name)};
    }
    struct keyword_set *set = keyword_set_new(rows, program->word_count);
    free(rows);
    free(ids);
    return set;
}

struct keyword_set *program_words_of(const struct config *config, uint16_t program)
{
    const struct program_config *of = &config->programs[program];
    return of->word_count > 0 ? make_set(of, config->sha256) : NULL;
}

void program_words_configure(struct engine *e)
{
    program_words_release(e);
    e->words = check_calloc(PROGRAMS_MAX, sizeof *e->words);
    for (uint16_t i = 0; i < e->config->program_count; i++)
        e->words[i] = program_words_of(e->config, i);
}

void program_words_release(struct engine *e)
{
    for (uint16_t i = 0; e->words != NULL && i < PROGRAMS_MAX; i++)
        keyword_set_free(e->words[i]);
    free(e->words);
    e->words = NULL;
}

/* The first program whose words say otherwise than ours is right. */
struct keyword_match reply_match(const struct engine *e, const struct reply *r, bool pending)
{
    struct span text = span_from_string(r->text);
    struct keyword_match ours = keyword_match(text, pending);
    for (uint16_t i = 0; i < r->program_count; i++) {
        const struct keyword_set *set = e->words[r->programs[i]];
        if (set == NULL)
            continue;
        struct keyword_match theirs = keyword_match_in(set, text, pending);
        if (theirs.meaning != ours.meaning || strcmp(theirs.rule, ours.rule) != 0)
            return theirs;
    }
    return ours;
}

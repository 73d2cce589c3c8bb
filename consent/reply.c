/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/reply.h"

#include <stdlib.h>

#include "consent/data.h"
#include "proto/base/check.h"

#define LANGUAGES_MAX 32
#define KINDS         8
#define TEXT_MAX      512

struct reply_texts {
    char language[9];
    const char *texts[KINDS]; /* by Assent__V1__ServiceKind; NULL: none */
};

static struct reply_texts table[LANGUAGES_MAX]; /* English first */
static size_t language_count;

static const char *const kind_names[KINDS] = {
    [ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION] = "opt_out_confirmation",
    [ASSENT__V1__SERVICE_KIND__HELP_REPLY] = "help_reply",
    [ASSENT__V1__SERVICE_KIND__OPT_IN_QUESTION] = "opt_in_question",
    [ASSENT__V1__SERVICE_KIND__WELCOME] = "welcome",
    [ASSENT__V1__SERVICE_KIND__OPT_IN_AGAIN] = "opt_in_again",
};

/* ---- the table, read at the first call (one thread) ---- */

static struct reply_texts *texts_of(struct span language)
{
    for (size_t i = 0; i < language_count; i++)
        if (span_equal(language, span_from_string(table[i].language)))
            return &table[i];
    CHECK(language_count < LANGUAGES_MAX && language.length < sizeof table->language);
    struct reply_texts *added = &table[language_count++];
    memcpy(added->language, language.data, language.length);
    return added;
}

static int kind_named(struct span name)
{
    for (int i = 0; i < KINDS; i++)
        if (kind_names[i] != NULL && span_equal(name, span_from_string(kind_names[i])))
            return i;
    return -1;
}

static void read_table(void)
{
    struct span data = span_of(data_replies, data_replies_length), line;
    while (data_line(&data, &line)) {
        struct span kind, language, version, text;
        CHECK(data_column(&line, &kind) && data_column(&line, &language) &&
              data_column(&line, &version) && data_column(&line, &text) && line.length == 0);
        int index = kind_named(kind);
        CHECK(index >= 0 && text.length > 0 && text.length < TEXT_MAX);
        char *copy = check_malloc(text.length + 1);
        memcpy(copy, text.data, text.length);
        copy[text.length] = '\0';
        struct reply_texts *texts = texts_of(language);
        CHECK(texts->texts[index] == NULL);
        texts->texts[index] = copy;
    }
    CHECK(language_count > 0 && strcmp(table[0].language, "en") == 0);
}

static const struct reply_texts *find_language(const char *language)
{
    if (language_count == 0)
        read_table();
    for (size_t i = 0; i < language_count; i++)
        if (strcmp(table[i].language, language) == 0)
            return &table[i];
    return NULL;
}

static const char *find_text(Assent__V1__ServiceKind kind, const char *language)
{
    const struct reply_texts *texts = find_language(language);
    if (texts == NULL || texts->texts[kind] == NULL)
        texts = &table[0];
    CHECK(texts->texts[kind] != NULL); /* not a kind of reply */
    return texts->texts[kind];
}

bool reply_has_language(const char *language)
{
    return find_language(language) != NULL;
}

const char *reply_language(size_t index)
{
    (void)find_language("en");
    return index < language_count ? table[index].language : NULL;
}

struct filling {
    char *out;
    size_t length;
    size_t most; /* without the NUL */
};

/* What does not fit is cut between characters, and nothing follows it. */
static void put(struct filling *f, const char *text, size_t length)
{
    size_t room = f->most - f->length;
    if (length > room) {
        length = room;
        while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80)
            length--;
        f->most = f->length + length;
    }
    memcpy(f->out + f->length, text, length);
    f->length += length;
}

static const char *name_of(const struct reply_names *names, const char *field, size_t length)
{
    if (length == 5 && memcmp(field, "brand", 5) == 0)
        return names->brand;
    if (length == 7 && memcmp(field, "program", 7) == 0)
        return names->program;
    CHECK(length == 7 && memcmp(field, "contact", 7) == 0); /* the data is ours */
    return names->contact;
}

size_t reply_text(Assent__V1__ServiceKind kind, const char *language,
                  const struct reply_names *names, char *out, size_t size)
{
    CHECK(size > 0);
    struct filling f = {.out = out, .most = size - 1};
    for (const char *at = find_text(kind, language); *at != '\0';) {
        if (*at == '[') {
            at += names->contact[0] == '\0' ? strcspn(at, "]") : 1;
        } else if (*at == ']') {
            at++;
        } else if (*at == '{') {
            size_t length = strcspn(at + 1, "}");
            const char *name = name_of(names, at + 1, length);
            put(&f, name, strlen(name));
            at += length + 2;
        } else {
            size_t length = strcspn(at, "[]{");
            put(&f, at, length);
            at += length;
        }
    }
    out[f.length] = '\0';
    return f.length;
}

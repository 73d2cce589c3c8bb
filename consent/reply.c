/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/reply.h"

#include <stdlib.h>

#include "consent/data.h"
#include "proto/base/check.h"

#define LANGUAGES_MAX 32
#define TEXT_MAX      512

/* Behind the kinds of service messages. */
enum { TEXT_FREQUENCY = 8, TEXT_OPT_OUT_LINE, TEXT_OTHER_WAY_LINE, KINDS };

struct reply_texts {
    char language[9];
    const char *texts[KINDS]; /* by Assent__V1__ServiceKind and the enum above; NULL: none */
};

static struct reply_texts table[LANGUAGES_MAX]; /* English first */
static size_t language_count;

static const char *const kind_names[KINDS] = {
    [ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION] = "opt_out_confirmation",
    [ASSENT__V1__SERVICE_KIND__HELP_REPLY] = "help_reply",
    [ASSENT__V1__SERVICE_KIND__OPT_IN_QUESTION] = "opt_in_question",
    [ASSENT__V1__SERVICE_KIND__WELCOME] = "welcome",
    [ASSENT__V1__SERVICE_KIND__OPT_IN_AGAIN] = "opt_in_again",
    [ASSENT__V1__SERVICE_KIND__WHICH_MESSAGES] = "which_messages",
    [ASSENT__V1__SERVICE_KIND__MARKETING_STOPPED] = "marketing_stopped",
    [TEXT_FREQUENCY] = "frequency",
    [TEXT_OPT_OUT_LINE] = "opt_out_line",
    [TEXT_OTHER_WAY_LINE] = "other_way_line",
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

static const char *find_text(int kind, const char *language)
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

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* What {field} stands for; NULL: the row `frequency`. */
static const char *name_of(const struct reply_names *names, struct span field)
{
    const struct {
        const char *field, *text;
    } fields[] = {
        {"brand", names->brand},
        {"purpose", names->purpose},
        {"contact", names->contact},
        {"way", names->way},
        {"frequency", or_empty(names->frequency)[0] ? names->frequency : NULL},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (span_equal(field, span_from_string(fields[i].field)))
            return fields[i].text;
    CHECK(false); /* the data is ours */
    return NULL;
}

static void fill(struct filling *f, const char *at, const char *language,
                 const struct reply_names *names)
{
    while (*at != '\0') {
        if (*at == '[') {
            at += or_empty(names->contact)[0] == '\0' ? strcspn(at, "]") : 1;
        } else if (*at == ']') {
            at++;
        } else if (*at == '{') {
            size_t length = strcspn(at + 1, "}");
            const char *name = name_of(names, span_of(at + 1, length));
            if (name == NULL)
                name = find_text(TEXT_FREQUENCY, language);
            put(f, name, strlen(name));
            at += length + 2;
        } else {
            size_t length = strcspn(at, "[]{");
            put(f, at, length);
            at += length;
        }
    }
    f->out[f->length] = '\0';
}

size_t reply_text(Assent__V1__ServiceKind kind, const char *language,
                  const struct reply_names *names, char *out, size_t size)
{
    CHECK(size > 0);
    struct filling f = {.out = out, .most = size - 1};
    fill(&f, find_text((int)kind, language), language, names);
    return f.length;
}

size_t reply_opt_out_line(const char *language, const char *way, char *out, size_t size)
{
    CHECK(size > 0);
    struct filling f = {.out = out, .most = size - 1};
    struct reply_names names = {.way = way};
    fill(&f, find_text(way[0] ? TEXT_OTHER_WAY_LINE : TEXT_OPT_OUT_LINE, language), language,
         &names);
    return f.length;
}

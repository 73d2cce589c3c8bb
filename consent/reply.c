/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/reply.h"

#include "proto/base/check.h"

struct reply {
    Assent__V1__ServiceKind kind;
    const char *language;
    const char *text;
};

#define REPLY(kind, language, text) {ASSENT__V1__SERVICE_KIND__##kind, language, text},
static const struct reply replies[] = {
#include "consent/data/replies.inc"
};
#undef REPLY

/* English stands first of each kind. */
static const char *find_text(Assent__V1__ServiceKind kind, const char *language)
{
    const char *english = NULL;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        if (replies[i].kind != kind)
            continue;
        if (strcmp(replies[i].language, language) == 0)
            return replies[i].text;
        if (english == NULL)
            english = replies[i].text;
    }
    CHECK(english != NULL); /* not a kind of reply */
    return english;
}

bool reply_has_language(const char *language)
{
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        if (strcmp(replies[i].language, language) == 0)
            return true;
    return false;
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

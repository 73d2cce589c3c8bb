/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/brand_name.h"

#include "consent/keyword_fold.h"
#include "proto/base/check.h"

/* ---- characters of UTF-8, by their first octets ---- */

enum kind { MARK, NARROW, WIDE };

static enum kind kind_of_ascii(uint8_t c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter ? NARROW : MARK;
}

/* NARROW: letters of scripts that part words by spaces, which are those of two octets and ASCII. Of what is
 * longer, punctuation and symbols are MARK, all else WIDE. `at`: where a character begins. */
static enum kind kind_at(struct span text, size_t at)
{
    uint8_t c = text.data[at], next = at + 1 < text.length ? text.data[at + 1] : 0;
    if (c < 0x80)
        return kind_of_ascii(c);
    bool arabic_mark = c == 0xd8 && (next == 0x8c || next == 0x9b || next == 0x9f);
    bool apostrophe = c == 0xca && next >= 0xb9;
    if (c == 0xc2 || arabic_mark || apostrophe)
        return MARK;                              /* U+0080 to U+00BF */
    bool symbol = c == 0xe2 && next < 0xba;       /* U+2000 to U+2E7F */
    bool ideographic = c == 0xe3 && next == 0x80; /* U+3000 to U+303F */
    if (symbol || ideographic)
        return MARK;
    return c < 0xe0 ? NARROW : WIDE;
}

static bool goes_on(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* Where the character after that at `at` begins. */
static size_t after(struct span text, size_t at)
{
    at++;
    while (at < text.length && goes_on(text.data[at]))
        at++;
    return at;
}

static size_t before(struct span text, size_t at)
{
    at--;
    while (at > 0 && goes_on(text.data[at]))
        at--;
    return at;
}

/* Between the characters before and at `at` a word may begin or end. */
static bool is_edge(struct span text, size_t at)
{
    return at == 0 || at >= text.length || kind_at(text, at) != NARROW ||
           kind_at(text, before(text, at)) != NARROW;
}

static size_t skip_marks(struct span text, size_t at)
{
    while (at < text.length && kind_at(text, at) == MARK)
        at = after(text, at);
    return at;
}

/* ---- the name ---- */

void brand_name_init(struct brand_name *name, const char *brand)
{
    struct fold fold;
    fold_text(&fold, span_from_string(brand));
    struct span form = span_of(fold.canonical, fold.canonical_length);
    size_t begin = skip_marks(form, 0), end = form.length;
    while (end > begin && kind_at(form, before(form, end)) == MARK)
        end = before(form, end);
    if (begin == end)
        form = span_from_string(brand);
    else
        form = span_of(form.data + begin, end - begin);
    CHECK(form.length > 0 && form.length <= sizeof name->form);
    memcpy(name->form, form.data, form.length);
    name->length = form.length;
}

static uint8_t small(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* The name begins at `at`; marks within it stand for any others, and for none. */
static bool begins_at(struct span form, struct span text, size_t at)
{
    for (size_t i = 0; i < form.length;) {
        if (i > 0 && !goes_on(form.data[i]) && kind_at(form, i) == MARK) {
            i = skip_marks(form, i);
            at = skip_marks(text, at);
        } else if (at < text.length && small(text.data[at]) == form.data[i]) {
            i++;
            at++;
        } else {
            return false;
        }
    }
    return is_edge(text, at);
}

static bool holds(struct span form, struct span text)
{
    uint8_t first = form.data[0];
    if (kind_at(form, 0) == MARK)
        return memmem(text.data, text.length, form.data, form.length) != NULL;
    for (size_t at = 0; at < text.length; at++)
        if (small(text.data[at]) == first && is_edge(text, at) && begins_at(form, text, at))
            return true;
    return false;
}

static bool is_ascii(struct span text)
{
    uint8_t all = 0;
    for (size_t i = 0; i < text.length; i++)
        all |= text.data[i];
    return all < 0x80;
}

bool brand_is_named(const struct brand_name *name, struct span text)
{
    struct span form = span_of(name->form, name->length);
    if (holds(form, text))
        return true;
    if (is_ascii(text))
        return false;
    struct fold fold;
    fold_text(&fold, text);
    return holds(form, span_of(fold.canonical, fold.canonical_length));
}

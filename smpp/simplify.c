/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/simplify.h"

#include "smpp/utf8.h"

static const struct {
    uint16_t first, last;
    const char *plain;
} rows[] = {
    {0x0009, 0x0009, " "},   /* tab */
    {0x0060, 0x0060, "'"},   /* grave accent, typed as a quote */
    {0x00a0, 0x00a0, " "},   /* no-break space */
    {0x00ab, 0x00ab, "\""},  /* left angle quote */
    {0x00ad, 0x00ad, ""},    /* soft hyphen: shown at a line's end alone */
    {0x00b4, 0x00b4, "'"},   /* acute accent, typed as an apostrophe */
    {0x00bb, 0x00bb, "\""},  /* right angle quote */
    {0x00d7, 0x00d7, "x"},   /* times */
    {0x2000, 0x200a, " "},   /* spaces of other widths */
    {0x200b, 0x200b, ""},    /* zero-width space; the joiners after it make letters */
    {0x2010, 0x2015, "-"},   /* hyphens and dashes */
    {0x2018, 0x201b, "'"},   /* single quotes, the apostrophe among them */
    {0x201c, 0x201f, "\""},  /* double quotes */
    {0x2022, 0x2022, "-"},   /* bullet, as the mark of a list */
    {0x2024, 0x2024, "."},   /* one dot leader */
    {0x2026, 0x2026, "..."}, /* ellipsis */
    {0x2028, 0x2029, "\n"},  /* line and paragraph separators */
    {0x202f, 0x202f, " "},   /* narrow no-break space: French typography */
    {0x2032, 0x2032, "'"},   /* prime: feet, minutes */
    {0x2033, 0x2033, "\""},  /* double prime */
    {0x2039, 0x203a, "'"},   /* single angle quotes */
    {0x2044, 0x2044, "/"},   /* fraction slash */
    {0x205f, 0x205f, " "},   /* mathematical space */
    {0x2060, 0x2060, ""},    /* word joiner: no width */
    {0x2212, 0x2212, "-"},   /* minus */
    {0x3000, 0x3000, " "},   /* ideographic space */
    {0xfb00, 0xfb00, "ff"},  /* ligatures, from texts that were typeset */
    {0xfb01, 0xfb01, "fi"},  {0xfb02, 0xfb02, "fl"}, {0xfb03, 0xfb03, "ffi"},
    {0xfb04, 0xfb04, "ffl"}, {0xfeff, 0xfeff, ""}, /* byte order mark */
};

/* NULL: it stays as it is. */
static const char *plain_of(uint32_t character)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (character >= rows[i].first && character <= rows[i].last)
            return rows[i].plain;
    return NULL;
}

size_t text_simplify(struct span utf8, char *out, size_t size, uint32_t *ret_replaced)
{
    const uint8_t *at = utf8.data, *end = utf8.length > 0 ? utf8.data + utf8.length : utf8.data;
    size_t length = 0;
    uint32_t replaced = 0;
    while (at < end) {
        const uint8_t *from = at;
        uint32_t character;
        if (!utf8_next(&at, end, &character))
            return SIZE_MAX;
        const char *plain = plain_of(character);
        struct span more = plain ? span_from_string(plain) : span_of(from, (size_t)(at - from));
        if (more.length > size - length)
            return SIZE_MAX;
        memcpy(out + length, more.data, more.length);
        length += more.length;
        replaced += plain != NULL;
    }
    *ret_replaced = replaced;
    return length;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A brand's name, a line's end, and a text: the text with the name put before it names it, as does any that
 * did before; a link through a shortener stays one behind other words. */
#include "consent/brand_name.h"
#include "consent/link_shortener.h"
#include "proto/base/check.h"
#include "smpp/utf8.h"

#define TEXT_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_utf8(struct span text)
{
    const uint8_t *at = text.data, *end = text.data + text.length;
    uint32_t character;
    while (at < end)
        if (!utf8_next(&at, end, &character))
            return false;
    return true;
}

static void links(struct span text)
{
    char more[TEXT_MAX + 8] = "hello: ";
    size_t before = strlen(more);
    bool has = has_link_shortener(text);
    memcpy(more + before, text.data, text.length);
    if (has)
        CHECK(has_link_shortener(span_of(more, before + text.length)));
}

static void names(const char *brand, struct span text)
{
    struct brand_name name;
    char more[NAME_OCTETS_MAX + 2 + TEXT_MAX];
    size_t before = strlen(brand);
    brand_name_init(&name, brand);
    CHECK(name.length > 0 && name.length <= sizeof name.form);
    (void)brand_is_named(&name, text);
    memcpy(more, brand, before);
    memcpy(more + before, ": ", 2);
    memcpy(more + before + 2, text.data, text.length);
    if (is_utf8(span_of(more, before)))
        CHECK(brand_is_named(&name, span_of(more, before + 2 + text.length)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : 0;
    char brand[NAME_OCTETS_MAX + 1];
    if (length == 0 || length > NAME_OCTETS_MAX || size > TEXT_MAX)
        return 0;
    memcpy(brand, data, length);
    brand[length] = '\0';
    struct span text = span_of(end + 1, size - length - 1);
    links(text);
    if (brand[0] != '\0')
        names(brand, text);
    return 0;
}

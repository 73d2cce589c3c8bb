/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/number_list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/check.h"
#include "proto/base/limits.h"

/* Sorted keys: the digits as a number, how many they are (zeros may lead), and whether more may follow. */
struct number_list {
    size_t count;
    uint64_t keys[];
};

static uint64_t key_of(const uint8_t *digits, size_t length, bool prefix)
{
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++)
        number = number * 10 + (uint64_t)(digits[i] - '0');
    return number << 5 | length << 1 | prefix; /* 15 digits need 50 bits */
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static size_t digits_at(struct span text)
{
    size_t length = 0;
    while (length < text.length && text.data[length] >= '0' && text.data[length] <= '9')
        length++;
    return length;
}

static bool is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r';
}

/* Without its comment and the spaces around it. */
static struct span trimmed(struct span line)
{
    const uint8_t *comment = line.length ? memchr(line.data, '#', line.length) : NULL;
    size_t length = comment ? (size_t)(comment - line.data) : line.length, from = 0;
    while (length > 0 && is_blank(line.data[length - 1]))
        length--;
    while (from < length && is_blank(line.data[from]))
        from++;
    return span_of(line.data + from, length - from);
}

/* What is wrong with the line, or NULL. */
static const char *read_line(struct span line, uint64_t *ret_key)
{
    if (line.data[0] == '+')
        line = span_of(line.data + 1, line.length - 1);
    size_t length = digits_at(line);
    bool prefix = line.length == length + 1 && line.data[length] == '*';
    if (length == 0 || (length != line.length && !prefix))
        return "not a number; digits are allowed, a + before and for all that begin so a * behind";
    if (length > NUMBER_DIGITS_MAX)
        return "more than 15 digits";
    if (length < LISTED_DIGITS_MIN && !prefix)
        return "a number of one or two digits; for all that begin so write a * behind";
    *ret_key = key_of(line.data, length, prefix);
    return NULL;
}

static struct span next_line(struct span *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->length);
    size_t length = end ? (size_t)(end - text->data) : text->length;
    struct span line = span_of(text->data, length);
    size_t used = length + (end != NULL);
    *text = span_of(text->data + used, text->length - used);
    return line;
}

static void sort(struct number_list *list)
{
    qsort(list->keys, list->count, sizeof list->keys[0], by_key);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->keys[i] != list->keys[kept - 1])
            list->keys[kept++] = list->keys[i];
    list->count = kept;
}

static size_t lines_in(struct span text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.length; i++)
        lines += text.data[i] == '\n';
    return lines;
}

/* What is wrong, in which line, or NULL. */
static const char *read_lines(struct span text, struct number_list *list, unsigned *line)
{
    for (*line = 0; text.length > 0;) {
        ++*line;
        struct span rest = trimmed(next_line(&text));
        const char *why = rest.length > 0 ? read_line(rest, &list->keys[list->count]) : NULL;
        if (why != NULL)
            return why;
        list->count += rest.length > 0;
    }
    *line = 1;
    return list->count > 0 ? NULL : "no number in the whole file";
}

struct number_list *number_list_parse(struct span text, struct number_list_fault *ret_fault)
{
    struct number_list *list = check_malloc(sizeof *list + lines_in(text) * sizeof list->keys[0]);
    list->count = 0;
    unsigned line;
    const char *why = read_lines(text, list, &line);
    if (why == NULL) {
        sort(list);
        return list;
    }
    *ret_fault = (struct number_list_fault){.line = line, .why = why};
    free(list);
    return NULL;
}

void number_list_free(struct number_list *list)
{
    free(list);
}

static bool has_key(const struct number_list *list, uint64_t key)
{
    return bsearch(&key, list->keys, list->count, sizeof key, by_key) != NULL;
}

bool number_list_has(const struct number_list *list, const char *number)
{
    struct span digits = span_from_string(number);
    size_t length = digits_at(digits);
    if (length == 0 || length != digits.length || length > NUMBER_DIGITS_MAX)
        return false;
    for (size_t i = 1; i <= length; i++)
        if (has_key(list, key_of(digits.data, i, true)))
            return true;
    return has_key(list, key_of(digits.data, length, false));
}

size_t number_list_count(const struct number_list *list)
{
    return list->count;
}

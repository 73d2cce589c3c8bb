/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "consent/erased.h"

#define PERSON 12025550147ull

static struct erased_fact fact_of(const char *request)
{
    struct erased_fact fact = {
        .person = person_mark(PERSON), .wall_ms = 1795298400123, .place = 4711, .places = 65536};
    memcpy(fact.request, request, strlen(request) + 1);
    return fact;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const char longest[] = "0123456789012345678901234567890123456789";
    const char *requests[] = {"R-17", "of a person, by letter", longest};
    char text[ERASED_TEXT_MAX], again[ERASED_TEXT_MAX];
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct erased_fact fact = fact_of(requests[i]), read;
        size_t length = erased_format(&fact, text);
        assert_true(erased_parse(span_of(text, length), &read));
        assert_true(person_mark_equal(&read.person, &fact.person));
        assert_int_equal(read.wall_ms, fact.wall_ms);
        assert_int_equal(read.place, 4711);
        assert_string_equal(read.request, requests[i]);
        assert_int_equal(erased_format(&read, again), length);
        assert_memory_equal(text, again, length);
        for (size_t cut = 0; cut < length; cut++) /* but in the request */
            if (cut < length - strlen(requests[i]) + 1)
                assert_false(erased_parse(span_of(text, cut), &read));
    }
}

static bool parses(const char *text)
{
    struct erased_fact read;
    return erased_parse(span_from_string(text), &read);
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    char good[ERASED_TEXT_MAX], bad[ERASED_TEXT_MAX + 64];
    struct erased_fact fact = fact_of("R-17");
    good[erased_format(&fact, good)] = '\0';
    assert_true(parses(good));
    for (size_t i = 0; i + 5 < strlen(good);
         i++) { /* no octet before the request can be another one ... */
        strcpy(bad, good);
        bad[i] = 'x';
        assert_false(parses(bad));
    }
    strcpy(bad, good);
    strcat(bad, "0123456789012345678901234567890123456789"); /* ... nor the request longer, */
    assert_false(parses(bad));
    strcpy(bad, good);
    bad[strlen(bad) - 1] = '\n'; /* nor of other than printable characters */
    assert_false(parses(bad));
    fact.places = 65535; /* no power of two */
    good[erased_format(&fact, good)] = '\0';
    assert_false(parses(good));
    fact.places = 4096; /* no such bucket */
    good[erased_format(&fact, good)] = '\0';
    assert_false(parses(good));
    fact.place = fact.places = 0; /* not known */
    good[erased_format(&fact, good)] = '\0';
    assert_true(parses(good));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The primitives of proto/base: tables, buffers, hashes, arena, numbers, digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/hash.h"
#include "proto/base/rng.h"
#include "proto/base/table.h"
#include "proto/base/words.h"
#include "proto/number.h"

static void table_behaves_like_a_map(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    struct table table;
    uint64_t *model = calloc(KEYS + 1, sizeof *model);
    struct rng rng = {.state = 3};
    size_t count = 0;
    table_init(&table);
    for (int i = 0; i < 200000; i++) {
        uint64_t key = 1 + rng_below(&rng, KEYS);
        if (rng_below(&rng, 2)) {
            count += model[key] == 0;
            model[key] = 1 + rng_next(&rng) / 2;
            *table_put(&table, key) = model[key];
        } else {
            assert_int_equal(table_remove(&table, key), model[key] != 0);
            count -= model[key] != 0;
            model[key] = 0;
        }
        assert_int_equal(table.count, count);
    }
    for (uint64_t key = 1; key <= KEYS; key++) {
        uint64_t *found = table_find(&table, key);
        assert_true(found ? *found == model[key] : model[key] == 0);
    }
    free(model);
    table_release(&table);
}

static void buffer_never_passes_its_limit(void **state)
{
    (void)state;
    struct buffer buffer;
    struct rng rng = {.state = 5};
    uint8_t chunk[700];
    uint8_t next_in = 0, next_out = 0;
    size_t length = 0;
    buffer_init(&buffer, 10000);
    assert_true(buffer_append(&buffer, NULL, 0));
    for (int i = 0; i < 100000; i++) {
        size_t n = 1 + rng_below(&rng, sizeof chunk - 1);
        for (size_t j = 0; j < n; j++)
            chunk[j] = (uint8_t)(next_in + j);
        bool fits = length + n <= 10000;
        assert_int_equal(buffer_append(&buffer, chunk, n), fits);
        if (fits) {
            length += n;
            next_in = (uint8_t)(next_in + n);
        }
        size_t out = rng_below(&rng, length + 1);
        for (size_t j = 0; j < out; j++)
            assert_int_equal(buffer_span(&buffer).data[j], (uint8_t)(next_out + j));
        next_out = (uint8_t)(next_out + out);
        buffer_consume(&buffer, out);
        length -= out;
        assert_int_equal(buffer_length(&buffer), length);
        assert_true(buffer.size <= 20000);
    }
    buffer_release(&buffer);
}

static void reader_and_writer_stop_at_the_end(void **state)
{
    (void)state;
    uint8_t octets[7];
    struct writer w = writer_over(octets, sizeof octets);
    write_u32(&w, 0x01020304);
    write_u16(&w, 0x0506);
    write_u16(&w, 0x0708);
    assert_true(w.failed);
    assert_int_equal(writer_length(&w), 6);
    struct reader r = reader_over(span_of(octets, 6));
    assert_int_equal(read_u16(&r), 0x0102);
    assert_int_equal(read_u32(&r), 0x03040506);
    assert_false(r.failed);
    assert_int_equal(read_u8(&r), 0);
    assert_true(r.failed);
}

/* Appendix A of the SipHash paper: key 00..0f, input 00..0e. */
static void siphash_has_its_published_value(void **state)
{
    (void)state;
    struct hash_key key = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
    uint8_t input[15];
    for (int i = 0; i < 15; i++)
        input[i] = (uint8_t)i;
    assert_true(hash64(&key, input, 15) == 0xa129ca6149be45e5ull);
}

static void arena_refuses_above_its_limit(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 200000);
    for (int round = 0; round < 3; round++) {
        size_t got = 0;
        while (arena_alloc(&arena, 1000) != NULL)
            got++;
        assert_int_equal(got, 200);
        assert_null(arena_alloc(&arena, SIZE_MAX));
        arena_reset(&arena);
    }
    uint8_t *big = arena_alloc(&arena, 150000);
    assert_non_null(big);
    memset(big, 1, 150000);
    arena_release(&arena);
}

static void numbers_are_e164_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t number; /* 0: refused */
    } cases[] = {
        {"12025550100", 12025550100ull},
        {"+12025550100", 12025550100ull},
        {"12345", 12345},
        {"1234", 0},
        {"999999999999999", 999999999999999ull},
        {"9999999999999999", 0},
        {"02025550100", 0},
        {"0012025550100", 0},
        {"++12025550100", 0},
        {"1202555010a", 0},
        {"1202 5550100", 0},
        {"", 0},
        {"+", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t number = 0;
        enum err err = number_parse(span_from_string(cases[i].text), &number);
        assert_int_equal(err, cases[i].number ? ERR_OK : ERR_BAD_INPUT);
        assert_true(number == cases[i].number);
    }
    char text[NUMBER_TEXT_SIZE];
    assert_string_equal(number_format(999999999999999ull, text), "999999999999999");
}

static void words_are_taken_from_the_front(void **state)
{
    (void)state;
    static const char *const none[] = {"",   " 1", "x",  "-1",
                                       "+1", "01", "00", "18446744073709551616"};
    uint64_t value = 7;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct span text = span_from_string(none[i]);
        assert_false(take_decimal(&text, UINT64_MAX, &value));
        assert_true(span_equal(text, span_from_string(none[i])));
    }
    assert_int_equal(value, 7);
    struct span text = span_from_string("18446744073709551615 0x");
    assert_true(take_decimal(&text, UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_false(take_decimal(&text, UINT64_MAX, &value));
    assert_true(take_space(&text));
    assert_false(take_space(&text));
    assert_true(take_decimal(&text, 0, &value));
    assert_int_equal(value, 0);
    assert_true(span_equal(text, span_from_string("x")));
    text = span_from_string("100");
    assert_false(take_decimal(&text, 99, &value));
    assert_true(take_decimal(&text, 100, &value));
    assert_false(take_space(&text));
}

static void digests_and_hex(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_SIZE], back[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];
    digest_sha256(span_from_string("abc"), digest); /* FIPS 180-4, example B.1 */
    hex_encode(span_of(digest, sizeof digest), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(hex_decode(span_from_string(hex), back, sizeof back));
    assert_true(digest_equal(digest, back));
    back[31] ^= 1;
    assert_false(digest_equal(digest, back));
    assert_false(hex_decode(span_from_string("zz"), back, 1));
    assert_false(hex_decode(span_from_string("abc"), back, 1));
}

/* One-time codes pass through these. */
static void what_is_consumed_is_wiped(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 64);
    assert_true(buffer_append(&buffer, "code 123456, more", 17));
    const uint8_t *data = buffer.data;
    buffer_consume(&buffer, 11);
    for (int i = 0; i < 11; i++)
        assert_int_equal(data[i], 0);
    assert_memory_equal(buffer_span(&buffer).data, ", more", 6);
    buffer_release(&buffer);
}

static void a_buffer_that_moves_leaves_nothing_behind(void **state)
{
    (void)state;
    struct buffer buffer;
    char text[3000];
    memset(text, 'x', sizeof text);
    buffer_init(&buffer, 8192);
    assert_true(buffer_append(&buffer, text, sizeof text));
    buffer_consume(&buffer, 2900);
    assert_true(buffer_append(&buffer, text, 1000)); /* fits behind */
    assert_true(buffer_append(&buffer, text, 1000)); /* moves to the front */
    assert_int_equal(buffer_length(&buffer), 2100);
    for (size_t i = buffer.end; i < buffer.size && i < 4000; i++)
        assert_int_equal(buffer.data[i], 0);
    buffer_release(&buffer);
}

static void a_reset_arena_is_wiped(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *text = arena_alloc(&arena, 12);
    memcpy(text, "code 123456", 12);
    arena_reset(&arena);
    for (int i = 0; i < 12; i++)
        assert_int_equal(text[i], 0); /* the block is kept */
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_behaves_like_a_map),
        cmocka_unit_test(buffer_never_passes_its_limit),
        cmocka_unit_test(reader_and_writer_stop_at_the_end),
        cmocka_unit_test(siphash_has_its_published_value),
        cmocka_unit_test(arena_refuses_above_its_limit),
        cmocka_unit_test(numbers_are_e164_and_nothing_else),
        cmocka_unit_test(words_are_taken_from_the_front),
        cmocka_unit_test(digests_and_hex),
        cmocka_unit_test(what_is_consumed_is_wiped),
        cmocka_unit_test(a_buffer_that_moves_leaves_nothing_behind),
        cmocka_unit_test(a_reset_arena_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

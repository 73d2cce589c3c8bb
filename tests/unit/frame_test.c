/* SPDX-License-Identifier: Apache-2.0 */
/* Framing: every split of a stream, bad lengths, hidden NULs, swelling frames, and watch events that
 * are written by hand but must read like protobuf's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/limits.h"
#include "proto/frame.h"

static void test_every_split(void **state)
{
    (void)state;
    static const uint8_t stream[] = {0, 0, 0, 2, 0x08, 0x07, 0, 0, 0, 1, 0x55};
    struct span body;
    for (size_t n = 0; n < 6; n++)
        assert_int_equal(frame_look(span_of(stream, n), 16, &body), FRAME_MORE);
    for (size_t n = 6; n <= sizeof stream; n++) {
        assert_int_equal(frame_look(span_of(stream, n), 16, &body), FRAME_WHOLE);
        assert_ptr_equal(body.data, stream + 4);
        assert_int_equal(body.length, 2);
    }
}

static void test_bad_lengths(void **state)
{
    (void)state;
    struct span body;
    static const uint8_t empty[] = {0, 0, 0, 0, 1};
    assert_int_equal(frame_look(span_of(empty, sizeof empty), 16, &body), FRAME_EMPTY);
    static const uint8_t edge[] = {0, 0, 0, 16}, over[] = {0, 0, 0, 17},
                         huge[] = {255, 255, 255, 255};
    assert_int_equal(frame_look(span_of(edge, 4), 16, &body), FRAME_MORE);
    assert_int_equal(frame_look(span_of(over, 4), 16, &body), FRAME_TOO_LONG);
    assert_int_equal(frame_look(span_of(huge, 4), FRAME_MAX, &body), FRAME_TOO_LONG);
}

static Assent__V1__Frame *round_trip(const Assent__V1__Frame *frame, struct arena *arena)
{
    struct buffer out;
    buffer_init(&out, FRAME_MAX + FRAME_HEADER);
    assert_true(frame_append(&out, frame));
    struct span body;
    assert_int_equal(frame_look(buffer_span(&out), FRAME_MAX, &body), FRAME_WHOLE);
    assert_int_equal(body.length + FRAME_HEADER, buffer_length(&out));
    Assent__V1__Frame *decoded = frame_decode(body, arena);
    buffer_release(&out);
    return decoded;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, FRAME_ARENA_MAX);
    Assent__V1__HelloRequest hello = ASSENT__V1__HELLO_REQUEST__INIT;
    hello.client = (char *)"shop";
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = UINT64_MAX;
    frame.body_case = ASSENT__V1__FRAME__BODY_HELLO;
    frame.hello = &hello;
    Assent__V1__Frame *decoded = round_trip(&frame, &arena);
    assert_non_null(decoded);
    assert_true(decoded->call == UINT64_MAX);
    assert_string_equal(decoded->hello->client, "shop");
    arena_release(&arena);
}

/* Frame { submit { messages { text = `text` } messages { text = "ok" } } } by hand. */
static Assent__V1__Frame *submit_with_text(const char *text, uint8_t length, struct arena *arena)
{
    uint8_t body[128];
    size_t n = 0;
    body[n++] = 11 << 3 | 2;
    body[n++] = (uint8_t)(2 + 2 + length + 6);
    body[n++] = 1 << 3 | 2;
    body[n++] = (uint8_t)(2 + length);
    body[n++] = 5 << 3 | 2;
    body[n++] = length;
    memcpy(body + n, text, length);
    n += length;
    static const uint8_t second[] = {1 << 3 | 2, 4, 5 << 3 | 2, 2, 'o', 'k'};
    memcpy(body + n, second, sizeof second);
    n += sizeof second;
    return frame_decode(span_of(body, n), arena);
}

static void test_hidden_nul(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, FRAME_ARENA_MAX);
    const char *field = NULL;
    Assent__V1__Frame *frame = submit_with_text("STOP\0 buy", 9, &arena);
    assert_non_null(frame);
    assert_int_equal(frame->submit->n_messages, 2);
    assert_int_equal(strlen(frame->submit->messages[0]->text), 9);
    assert_false(frame_strings_valid(&frame->submit->messages[0]->base, &field));
    assert_string_equal(field, "text");
    assert_true(frame_strings_valid(&frame->submit->messages[1]->base, &field));
    arena_release(&arena);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"d\xc3\xa9j\xc3\xa0 vu, encore", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xc3", false},
        {"\x80", false},
        {"\xc0\xaf", false},
        {"\xe0\x80\xaf", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf0\x80\x80\xaf", false},
        {"12345678\xff", false},
        {"1234567\xff", false},
        {"\xe2\x82", false},
        {"\xf5\x80\x80\x80", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(frame_text_valid(span_from_string(cases[i].text)), cases[i].valid);
}

static void test_swelling_frame_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, FRAME_ARENA_MAX);
    /* A Submit of a million empty messages: 2 octets each on the wire, over a hundred decoded. */
    static const uint8_t head[] = {11 << 3 | 2, 0x80, 0x80, 0x80, 0x01}; /* length 1 << 21 */
    size_t length = sizeof head + (1u << 21);
    uint8_t *body = calloc(1, length);
    assert_non_null(body);
    memcpy(body, head, sizeof head);
    for (size_t i = sizeof head; i < length; i += 2)
        body[i] = 1 << 3 | 2;
    assert_null(frame_decode(span_of(body, length), &arena));
    free(body);
    arena_release(&arena);
}

static void test_watch_event(void **state)
{
    (void)state;
    Assent__V1__Ended ended = ASSENT__V1__ENDED__INIT;
    ended.outcome = ASSENT__V1__OUTCOME__DELIVERED;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.wall_ms = 1790000000000;
    event.program = 300;
    event.message = 77;
    event.body_case = ASSENT__V1__EVENT__BODY_ENDED;
    event.ended = &ended;
    uint8_t packed[64];
    size_t length = assent__v1__event__pack(&event, packed);

    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = 12025550100;
    uint8_t packed_personal[32];
    size_t personal_length = assent__v1__personal__pack(&personal, packed_personal);

    struct buffer out;
    struct arena arena;
    struct span body;
    buffer_init(&out, 1024);
    arena_init(&arena, FRAME_ARENA_MAX);
    assert_true(frame_append_watch_event(&out, 1ull << 40, 1ull << 33, span_of(packed, length),
                                         span_of(packed_personal, personal_length)));
    assert_int_equal(frame_look(buffer_span(&out), FRAME_MAX, &body), FRAME_WHOLE);
    assert_int_equal(body.length + FRAME_HEADER, buffer_length(&out));
    Assent__V1__Frame *frame = frame_decode(body, &arena);
    assert_non_null(frame);
    assert_true(frame->call == 1ull << 40);
    assert_true(frame->watch_event->sequence == 1ull << 33);
    assert_true(frame->watch_event->event->message == 77);
    assert_true(frame->watch_event->personal->number == 12025550100);
    buffer_release(&out);
    arena_release(&arena);
}

static void test_full_buffer(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 8);
    Assent__V1__Failure failure = ASSENT__V1__FAILURE__INIT;
    failure.message = (char *)"longer than the buffer";
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_FAILURE;
    frame.failure = &failure;
    assert_false(frame_append(&out, &frame));
    assert_int_equal(buffer_length(&out), 0);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split), cmocka_unit_test(test_bad_lengths),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_hidden_nul),
        cmocka_unit_test(test_utf8),        cmocka_unit_test(test_swelling_frame_is_refused),
        cmocka_unit_test(test_watch_event), cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

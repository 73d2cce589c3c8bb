/* SPDX-License-Identifier: Apache-2.0 */
/* The submission server on a real Unix socket and on TCP, with a fake engine: authentication,
 * durability before answers, limits, back-pressure, hostile frames, consent calls, Watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/digest.h"
#include "proto/frame.h"
#include "tests/unit/submit_fake.h"

struct world {
    char folder[64], path[96];
    struct listener_config listeners[2];
    struct program_config programs[2];
    struct client_config clients[2];
    struct carrier_config carrier;
    struct config config;
    struct event_base *base;
    struct submit_server *server;
    struct arena arena;
};
static struct world world;

struct peer {
    int fd;
    bool ended;
    struct buffer in;
    Assent__V1__Frame *frame; /* the newest */
};

/* The clock of the library, which a test may put ahead: deadlines of half a minute are not waited for. */
static uint64_t ahead_us;
/* Or which takes a microsecond a look, and stands still otherwise; 0: real time. */
static uint64_t looked_us;

uint64_t clock_mono_us(void)
{
    struct timespec t;
    if (looked_us != 0)
        return ++looked_us;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000 + ahead_us;
}

uint64_t clock_wall_ms(void)
{
    return 1790000000000;
}

struct instant clock_now(void)
{
    return (struct instant){.mono_us = clock_mono_us(), .wall_ms = clock_wall_ms()};
}

char *clock_format_wall(uint64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    snprintf(out, CLOCK_TEXT_SIZE, "%llu", (unsigned long long)wall_ms);
    return out;
}

static void turn(void)
{
    event_base_loop(world.base, EVLOOP_NONBLOCK);
    submit_server_turn(world.server, clock_now(), fake.durable, fake.next);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    ahead_us = looked_us = 0;
    fake.next = 1;
    memset(&world, 0, sizeof world);
    strcpy(world.folder, "/tmp/assent-test-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    snprintf(world.path, sizeof world.path, "%s/s", world.folder);
    snprintf(world.listeners[0].address, sizeof world.listeners[0].address, "unix://%s",
             world.path);
    strcpy(world.listeners[1].address, "tcp://127.0.0.1:0");
    strcpy(world.programs[0].name, "offers");
    strcpy(world.programs[1].name, "login");
    strcpy(world.clients[0].name, "shop");
    world.clients[0].has_key = true;
    digest_sha256(span_from_string("open sesame"), world.clients[0].key_sha256);
    world.clients[0].uid = -1;
    world.clients[0].programs[0] = true;
    strcpy(world.clients[1].name, "other");
    world.clients[1].uid = -1;
    world.config = (struct config){
        .node = "gw1",
        .listeners = world.listeners,
        .listener_count = 2,
        .clients = world.clients,
        .client_count = 2,
        .programs = world.programs,
        .program_count = 2,
        .carriers = &world.carrier,
        .carrier_count = 1,
    };
    world.base = event_base_new();
    const char *why = NULL;
    world.server = submit_server_new(world.base, &world.config, NULL, NULL, world.folder, &why);
    assert_non_null(world.server);
    arena_init(&world.arena, FRAME_ARENA_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    submit_server_free(world.server);
    event_base_free(world.base);
    arena_release(&world.arena);
    unlink(world.path);
    assert_int_equal(rmdir(world.folder), 0);
    return 0;
}

static struct peer peer_on(int fd)
{
    struct peer peer = {.fd = fd};
    buffer_init(&peer.in, 32u << 20);
    return peer;
}

static struct peer connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, world.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return peer_on(fd);
}

static struct peer connect_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)submit_server_port(world.server, 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return peer_on(fd);
}

static void hang_up(struct peer *peer)
{
    close(peer->fd);
    buffer_release(&peer->in);
}

static void put_octets(struct peer *peer, const void *data, size_t length)
{
    const uint8_t *at = data;
    for (int i = 0; length > 0 && i < 10000; i++) {
        ssize_t n = send(peer->fd, at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            at += n;
            length -= (size_t)n;
        }
        turn();
    }
    assert_int_equal(length, 0);
}

static void put_frame(struct peer *peer, const Assent__V1__Frame *frame)
{
    struct buffer out;
    buffer_init(&out, 16u << 20);
    assert_true(frame_append(&out, frame));
    put_octets(peer, buffer_span(&out).data, buffer_length(&out));
    buffer_release(&out);
}

static void receive(struct peer *peer)
{
    uint8_t area[65536];
    for (;;) {
        ssize_t n = recv(peer->fd, area, sizeof area, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            peer->ended = true;
        if (n <= 0)
            return;
        assert_true(buffer_append(&peer->in, area, (size_t)n));
    }
}

/* The next frame, or NULL when none comes in a few turns. Valid until the next call. */
static Assent__V1__Frame *get_frame(struct peer *peer)
{
    for (int i = 0; i < 20; i++) {
        struct span body;
        if (frame_look(buffer_span(&peer->in), FRAME_MAX, &body) == FRAME_WHOLE) {
            arena_reset(&world.arena);
            peer->frame = frame_decode(body, &world.arena);
            assert_non_null(peer->frame);
            buffer_consume(&peer->in, FRAME_HEADER + body.length);
            return peer->frame;
        }
        turn();
        receive(peer);
    }
    return NULL;
}

static void expect_failure(struct peer *peer, Assent__V1__Code code)
{
    Assent__V1__Frame *frame = get_frame(peer);
    assert_non_null(frame);
    assert_int_equal(frame->body_case, ASSENT__V1__FRAME__BODY_FAILURE);
    assert_int_equal(frame->failure->code, code);
    assert_true(frame->failure->message[0] != '\0');
}

static void expect_end(struct peer *peer)
{
    assert_null(get_frame(peer));
    assert_true(peer->ended);
}

static void put_hello(struct peer *peer, const char *client, const char *key)
{
    Assent__V1__HelloRequest hello = ASSENT__V1__HELLO_REQUEST__INIT;
    hello.client = (char *)client;
    hello.key = (char *)key;
    hello.agent = (char *)"test/1 \n=";
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = 1;
    frame.body_case = ASSENT__V1__FRAME__BODY_HELLO;
    frame.hello = &hello;
    put_frame(peer, &frame);
}

static struct peer connect_as(const char *client, const char *key)
{
    struct peer peer = connect_unix();
    put_hello(&peer, client, key);
    Assent__V1__Frame *frame = get_frame(&peer);
    assert_non_null(frame);
    assert_int_equal(frame->body_case, ASSENT__V1__FRAME__BODY_HELLO_REPLY);
    return peer;
}

static void put_submit(struct peer *peer, uint64_t call, size_t count, const char *text)
{
    Assent__V1__Message *messages = calloc(count + 1, sizeof *messages), **list;
    list = calloc(count + 1, sizeof *list);
    assert_true(messages && list);
    for (size_t i = 0; i < count; i++) {
        assent__v1__message__init(&messages[i]);
        messages[i].program = (char *)"offers";
        messages[i].number = (char *)"12025550100";
        messages[i].text = (char *)text;
        list[i] = &messages[i];
    }
    Assent__V1__SubmitRequest submit = ASSENT__V1__SUBMIT_REQUEST__INIT;
    submit.n_messages = count;
    submit.messages = list;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = call;
    frame.body_case = ASSENT__V1__FRAME__BODY_SUBMIT;
    frame.submit = &submit;
    put_frame(peer, &frame);
    free(messages);
    free(list);
}

static void put_call(struct peer *peer, uint64_t call, Assent__V1__Frame__BodyCase body,
                     ProtobufCMessage *request)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = call;
    frame.body_case = body;
    frame.hello = (Assent__V1__HelloRequest *)request; /* all bodies share the place */
    put_frame(peer, &frame);
}

static void put_status(struct peer *peer, uint64_t call)
{
    Assent__V1__StatusRequest status = ASSENT__V1__STATUS_REQUEST__INIT;
    put_call(peer, call, ASSENT__V1__FRAME__BODY_STATUS, &status.base);
}

static void put_watch(struct peer *peer, uint64_t call, uint64_t from, uint64_t until)
{
    Assent__V1__WatchRequest watch = ASSENT__V1__WATCH_REQUEST__INIT;
    watch.from = from;
    watch.until = until;
    watch.with_personal = true;
    put_call(peer, call, ASSENT__V1__FRAME__BODY_WATCH, &watch.base);
}

/* Hello ---------------------------------------------------------------------------------------- */

static void test_own_user_is_operator(void **state)
{
    (void)state;
    struct peer peer = connect_as("", "");
    assert_true(peer.frame->hello_reply->operator_);
    assert_string_equal(peer.frame->hello_reply->node, "gw1");
    assert_int_equal(peer.frame->hello_reply->n_programs, 2);
    hang_up(&peer);
}

static void test_key(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    assert_false(peer.frame->hello_reply->operator_);
    assert_int_equal(peer.frame->hello_reply->n_programs, 1);
    assert_string_equal(peer.frame->hello_reply->programs[0], "offers");
    hang_up(&peer);
    static const char *const wrong[][2] = {
        {"shop", "open sesam"}, {"other", "open sesame"}, {"nobody", "open sesame"}, {"shop", "x"}};
    for (size_t i = 0; i < 4; i++) {
        peer = connect_unix();
        put_hello(&peer, wrong[i][0], wrong[i][1]);
        expect_failure(&peer, ASSENT__V1__CODE__CODE_UNAUTHENTICATED);
        expect_end(&peer);
        hang_up(&peer);
    }
}

static void test_tcp_needs_a_key(void **state)
{
    (void)state;
    struct peer peer = connect_tcp();
    put_hello(&peer, "", "");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_UNAUTHENTICATED);
    expect_end(&peer);
    hang_up(&peer);
    peer = connect_tcp();
    put_hello(&peer, "", "open sesame");
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_HELLO_REPLY);
    hang_up(&peer);
}

static void test_hello_comes_first(void **state)
{
    (void)state;
    struct peer peer = connect_unix();
    put_submit(&peer, 9, 1, "a");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_UNAUTHENTICATED);
    assert_int_equal(peer.frame->call, 9);
    expect_end(&peer);
    hang_up(&peer);
    assert_int_equal(fake.submitted, 0);
    peer = connect_as("", "");
    put_hello(&peer, "", "");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    put_status(&peer, 2);
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_STATUS_REPLY);
    hang_up(&peer);
}

static void test_strangers_get_little_memory(void **state)
{
    (void)state;
    struct peer peer = connect_unix();
    static const uint8_t long_frame[] = {0, 0, 0x20, 0};
    put_octets(&peer, long_frame, sizeof long_frame);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    expect_end(&peer);
    hang_up(&peer);
}

static void test_first_frame_at_its_limit(void **state)
{
    (void)state;
    struct peer peer = connect_unix();
    static const uint8_t head[] = {0, 0, HELLO_FRAME_MAX >> 8, HELLO_FRAME_MAX & 0xff};
    static const uint8_t body[HELLO_FRAME_MAX]; /* whole, and no Frame: read, then refused */
    put_octets(&peer, head, sizeof head);
    for (int i = 0; i < 20; i++)
        turn();
    receive(&peer);
    assert_false(peer.ended);
    put_octets(&peer, body, sizeof body);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_non_null(strstr(peer.frame->failure->message, "not an assent.v1.Frame"));
    hang_up(&peer);
    static const uint8_t longer[] = {0, 0, HELLO_FRAME_MAX >> 8, (HELLO_FRAME_MAX & 0xff) + 1};
    peer = connect_unix();
    put_octets(&peer, longer, sizeof longer);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    hang_up(&peer);
}

/* Deadlines are looked at once a second. */
static void let_deadlines_pass(void)
{
    for (int i = 0; i < 60; i++) {
        turn();
        usleep(20000);
    }
}

/* Three seconds before its time nobody is sent away, unless this machine has stood still for as long. */
static void assert_not_yet(struct peer *peer, uint64_t timeout_ms)
{
    uint64_t begin_us = clock_mono_us();
    ahead_us = (timeout_ms - 3000) * US_PER_MS;
    let_deadlines_pass();
    receive(peer);
    if (clock_mono_us() - begin_us < 2500 * US_PER_MS)
        assert_true(!peer->ended && buffer_length(&peer->in) == 0);
}

static void test_who_says_nothing_is_sent_away(void **state)
{
    (void)state;
    struct peer peer = connect_unix();
    turn();
    assert_not_yet(&peer, HELLO_TIMEOUT_MS);
    ahead_us = HELLO_TIMEOUT_MS * US_PER_MS;
    let_deadlines_pass();
    expect_failure(&peer, ASSENT__V1__CODE__CODE_UNAUTHENTICATED);
    expect_end(&peer);
    hang_up(&peer);
}

/* FRAME_TIMEOUT_MS: from a frame's first octet to its last. */
static void test_an_unfinished_frame_has_its_time(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    static const uint8_t begun[] = {0, 0, 1, 0, 8};
    put_octets(&peer, begun, sizeof begun);
    turn();
    assert_not_yet(&peer, FRAME_TIMEOUT_MS);
    ahead_us = FRAME_TIMEOUT_MS * US_PER_MS;
    let_deadlines_pass();
    expect_failure(&peer, ASSENT__V1__CODE__CODE_DEADLINE_EXCEEDED);
    expect_end(&peer);
    hang_up(&peer);
}

static void test_a_whole_frame_has_no_deadline(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    turn();
    ahead_us = 2 * FRAME_TIMEOUT_MS * US_PER_MS;
    let_deadlines_pass();
    put_status(&peer, 2);
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_STATUS_REPLY);
    hang_up(&peer);
}

/* CLIENT_LINGER_MS: so long the last words may stay unread, then the socket goes. */
static void test_last_words_linger(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    static const uint8_t empty_frame[4];
    put_octets(&peer, empty_frame, sizeof empty_frame);
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(send(peer.fd, "x", 1, MSG_NOSIGNAL), 1); /* it is still there */
    ahead_us = CLIENT_LINGER_MS * US_PER_MS;
    let_deadlines_pass();
    assert_int_equal(send(peer.fd, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    hang_up(&peer);
}

/* CLIENT_INPUT_TOTAL_MAX: frames that are not whole wait, in all connections together only so much. */
static void test_unread_input_of_all_is_bounded(void **state)
{
    (void)state;
    enum { HOLDERS = CLIENT_INPUT_TOTAL_MAX / FRAME_MAX };
    struct peer holders[HOLDERS];
    uint8_t *begun = calloc(1, FRAME_MAX);
    assert_non_null(begun);
    begun[1] = FRAME_MAX >> 16; /* FRAME_MAX octets are announced; four fewer come */
    for (int i = 0; i < HOLDERS; i++) {
        holders[i] = connect_as("shop", "open sesame");
        put_octets(&holders[i], begun, FRAME_MAX);
        for (int j = 0; j < 200; j++)
            turn();
        receive(&holders[i]);
        assert_false(holders[i].ended); /* the limit itself is allowed */
        assert_int_equal(buffer_length(&holders[i].in), 0);
    }
    struct peer late = connect_unix();
    put_hello(&late, "shop", "open sesame");
    expect_failure(&late, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    expect_end(&late);
    hang_up(&late);
    hang_up(&holders[0]);
    for (int i = 0; i < 20; i++)
        turn();
    late = connect_as("shop", "open sesame"); /* there is room again */
    hang_up(&late);
    for (int i = 1; i < HOLDERS; i++)
        hang_up(&holders[i]);
    free(begun);
}

/* Submit --------------------------------------------------------------------------------------- */

static void test_answer_waits_for_the_disk(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    put_submit(&peer, 2, 3, "a");
    assert_int_equal(fake.submitted, 3);
    assert_int_equal(fake.last_client, 0);
    assert_null(get_frame(&peer));
    fake.durable = 2; /* two of three are not enough */
    assert_null(get_frame(&peer));
    fake.durable = 3;
    Assent__V1__Frame *frame = get_frame(&peer);
    assert_non_null(frame);
    assert_int_equal(frame->call, 2);
    assert_int_equal(frame->submit_reply->n_verdicts, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(frame->submit_reply->verdicts[i]->id, i + 1);
    hang_up(&peer);
}

static void test_message_counts(void **state)
{
    (void)state;
    fake.durable = UINT64_MAX - 1;
    struct peer peer = connect_as("shop", "open sesame");
    put_submit(&peer, 2, 0, "a");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    put_submit(&peer, 3, SUBMIT_MESSAGES_MAX + 1, "a");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_int_equal(fake.submitted, 0);
    put_submit(&peer, 4, SUBMIT_MESSAGES_MAX, "a");
    assert_int_equal(get_frame(&peer)->submit_reply->n_verdicts, SUBMIT_MESSAGES_MAX);
    hang_up(&peer);
}

static void test_bad_text_spoils_one_message(void **state)
{
    (void)state;
    fake.durable = UINT64_MAX - 1;
    struct peer peer = connect_as("shop", "open sesame");
    Assent__V1__Message good = ASSENT__V1__MESSAGE__INIT, bad = good;
    Assent__V1__Message *list[] = {&good, &bad, &good};
    bad.reference = (char *)"caf\xe9";
    Assent__V1__SubmitRequest submit = ASSENT__V1__SUBMIT_REQUEST__INIT;
    submit.n_messages = 3;
    submit.messages = list;
    put_call(&peer, 2, ASSENT__V1__FRAME__BODY_SUBMIT, &submit.base);
    Assent__V1__Frame *frame = get_frame(&peer);
    assert_int_equal(frame->submit_reply->verdicts[0]->code, ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(frame->submit_reply->verdicts[1]->code,
                     ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_string_equal(frame->submit_reply->verdicts[1]->message,
                        "reference is not valid UTF-8, or holds a NUL");
    assert_int_equal(frame->submit_reply->verdicts[2]->code, ASSENT__V1__CODE__CODE_OK);
    hang_up(&peer);
}

static void test_call_in_flight_twice(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    put_submit(&peer, 2, 1, "a");
    put_submit(&peer, 2, 1, "a");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_int_equal(fake.submitted, 1);
    fake.durable = 1;
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_SUBMIT_REPLY);
    put_submit(&peer, 2, 1, "a");
    assert_int_equal(fake.submitted, 2);
    hang_up(&peer);
}

static void test_unanswered_calls_stop_reading(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    for (uint64_t i = 0; i < CLIENT_CALLS_MAX + 10; i++)
        put_submit(&peer, 2 + i, 1, "a");
    for (int i = 0; i < 200; i++)
        turn();
    assert_int_equal(fake.submitted, CLIENT_CALLS_MAX);
    fake.durable = 1;
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(fake.submitted, CLIENT_CALLS_MAX + 1);
    fake.durable = UINT64_MAX - 1;
    unsigned answers = 0;
    while (get_frame(&peer) != NULL)
        answers++;
    assert_int_equal(answers, CLIENT_CALLS_MAX + 10);
    hang_up(&peer);
}

static void test_refusing_engine(void **state)
{
    (void)state;
    fake.durable = UINT64_MAX - 1;
    fake.refuses = true;
    struct peer peer = connect_as("shop", "open sesame"), other = connect_as("", "");
    put_submit(&peer, 2, 1, "a");
    assert_null(get_frame(&peer)); /* patience first */
    put_status(&other, 2);
    assert_int_equal(get_frame(&other)->body_case, ASSENT__V1__FRAME__BODY_STATUS_REPLY);
    fake.refuses = false;
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_SUBMIT_REPLY);
    fake.refuses = true;
    put_submit(&peer, 3, 1, "a");
    usleep(SUBMIT_PATIENCE_MS * 1000 + 50000);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(peer.frame->failure->message, "disk full");
    assert_int_equal(fake.submitted, 1);
    submit_server_drain(world.server);
    put_submit(&peer, 4, 1, "a");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_UNAVAILABLE);
    assert_true(submit_server_drained(world.server));
    hang_up(&peer);
    hang_up(&other);
}

static void test_small_calls_go_first(void **state)
{
    (void)state;
    struct peer bulk = connect_as("shop", "open sesame"), small = connect_as("shop", "open sesame");
    struct buffer out;
    buffer_init(&out, 16u << 20);
    Assent__V1__Message message = ASSENT__V1__MESSAGE__INIT, *list[100];
    message.text = (char *)"bulk bulk bulk bulk bulk bulk bulk bulk bulk bulk bulk bulk bulk bulk";
    for (size_t i = 0; i < 100; i++)
        list[i] = &message;
    Assent__V1__SubmitRequest submit = ASSENT__V1__SUBMIT_REQUEST__INIT;
    submit.n_messages = 100;
    submit.messages = list;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_SUBMIT;
    frame.submit = &submit;
    for (frame.call = 2; frame.call < 20; frame.call++)
        assert_true(frame_append(&out, &frame));
    ssize_t n = send(bulk.fd, buffer_span(&out).data, buffer_length(&out), MSG_DONTWAIT);
    assert_int_equal(n, buffer_length(&out));
    buffer_consume(&out, buffer_length(&out));
    message.text = (char *)"code";
    submit.n_messages = 1;
    assert_true(frame_append(&out, &frame));
    n = send(small.fd, buffer_span(&out).data, buffer_length(&out), MSG_DONTWAIT);
    assert_int_equal(n, buffer_length(&out));
    buffer_release(&out);
    turn();
    assert_int_equal(fake.order[0], 'c');
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(fake.submitted, 1801);
    hang_up(&bulk);
    hang_up(&small);
}

/* Hostile frames ------------------------------------------------------------------------------- */

static void test_lost_framing_closes(void **state)
{
    (void)state;
    static const uint8_t bad[][8] = {
        {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 2, 0xff, 0xff}};
    struct peer other = connect_as("", "");
    for (size_t i = 0; i < 3; i++) {
        struct peer peer = connect_as("", "");
        put_octets(&peer, bad[i], i == 2 ? 6 : 4);
        expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
        expect_end(&peer);
        hang_up(&peer);
    }
    put_status(&other, 2);
    assert_int_equal(get_frame(&other)->body_case, ASSENT__V1__FRAME__BODY_STATUS_REPLY);
    hang_up(&other);
}

static void test_held_answers_survive_a_bad_frame(void **state)
{
    (void)state;
    struct peer peer = connect_as("", "");
    put_submit(&peer, 2, 1, "a");
    put_octets(&peer, "\0\0\0\0", 4);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    fake.durable = 1;
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_SUBMIT_REPLY);
    expect_end(&peer);
    hang_up(&peer);
}

static void test_unknown_calls_go_on(void **state)
{
    (void)state;
    struct peer peer = connect_as("", "");
    put_call(&peer, 2, ASSENT__V1__FRAME__BODY__NOT_SET, NULL);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_UNIMPLEMENTED);
    Assent__V1__SubmitReply reply = ASSENT__V1__SUBMIT_REPLY__INIT;
    put_call(&peer, 3, ASSENT__V1__FRAME__BODY_SUBMIT_REPLY, &reply.base);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_UNIMPLEMENTED);
    static const uint8_t newer[] = {0, 0, 0, 5, 0x08, 4, 0xc2, 0x02, 0};
    put_octets(&peer, newer, sizeof newer);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_UNIMPLEMENTED);
    put_status(&peer, 5);
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_STATUS_REPLY);
    hang_up(&peer);
}

static void test_octet_by_octet(void **state)
{
    (void)state;
    struct peer peer = connect_unix();
    Assent__V1__HelloRequest hello = ASSENT__V1__HELLO_REQUEST__INIT;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = 1;
    frame.body_case = ASSENT__V1__FRAME__BODY_HELLO;
    frame.hello = &hello;
    struct buffer out;
    buffer_init(&out, 1024);
    assert_true(frame_append(&out, &frame));
    for (size_t i = 0; i < buffer_length(&out); i++)
        put_octets(&peer, buffer_span(&out).data + i, 1);
    buffer_release(&out);
    assert_int_equal(get_frame(&peer)->body_case, ASSENT__V1__FRAME__BODY_HELLO_REPLY);
    hang_up(&peer);
}

static struct peer peers[CLIENT_CONNECTIONS_MAX];

static void need_files(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * CLIENT_CONNECTIONS_MAX + 64)
        skip();
}

static void test_strangers_shut_nobody_out(void **state)
{
    (void)state;
    need_files();
    for (int i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        peers[i] = connect_unix();
        put_octets(&peers[i], "\0", 1);
        turn();
    }
    struct peer honest = connect_as("shop", "open sesame");
    expect_end(&peers[0]); /* the oldest made room */
    put_octets(&peers[1], "\0", 1);
    turn();
    for (int i = 0; i < CLIENT_CONNECTIONS_MAX; i++)
        hang_up(&peers[i]);
    hang_up(&honest);
    for (int i = 0; i < 50; i++)
        turn();
}

static void test_connection_limit(void **state)
{
    (void)state;
    need_files();
    for (int i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        peers[i] = connect_as("shop", "open sesame");
        turn();
    }
    struct peer late = connect_unix();
    expect_failure(&late, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    expect_end(&late);
    hang_up(&late);
    for (int i = 0; i < CLIENT_CONNECTIONS_MAX; i++)
        hang_up(&peers[i]);
    for (int i = 0; i < 50; i++)
        turn();
    struct peer peer = connect_as("", "");
    hang_up(&peer);
}

/* Consent, status, cancel, query --------------------------------------------------------------- */

static void put_show(struct peer *peer, uint64_t call, const char *number)
{
    Assent__V1__ShowRequest show = ASSENT__V1__SHOW_REQUEST__INIT;
    show.number = (char *)number;
    put_call(peer, call, ASSENT__V1__FRAME__BODY_SHOW_CONSENT, &show.base);
}

static void test_consent_calls(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    put_show(&peer, 2, "12025550100");
    Assent__V1__OptOutRequest out = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    put_call(&peer, 3, ASSENT__V1__FRAME__BODY_OPT_OUT, &out.base);
    put_show(&peer, 4, "\xff");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_int_equal(fake.call_count, 2);
    put_show(&peer, 3, "12025550100");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);

    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    reply.state = (char *)"opted_out";
    submit_server_consent_reply(world.server, fake.calls[1], 7, &reply);
    assert_null(get_frame(&peer));
    Assent__V1__ShowReply show = ASSENT__V1__SHOW_REPLY__INIT;
    submit_server_show_reply(world.server, fake.calls[0], &show);
    assert_int_equal(get_frame(&peer)->call, 2); /* overtakes: it need not be durable */
    fake.durable = 7;
    Assent__V1__Frame *frame = get_frame(&peer);
    assert_int_equal(frame->call, 3);
    assert_string_equal(frame->consent_reply->state, "opted_out");
    hang_up(&peer);
}

static void test_reply_after_the_client_left(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    put_show(&peer, 2, "12025550100");
    put_show(&peer, 3, "12025550100");
    hang_up(&peer);
    for (int i = 0; i < 5; i++)
        turn();
    Assent__V1__ShowReply show = ASSENT__V1__SHOW_REPLY__INIT;
    submit_server_show_reply(world.server, fake.calls[0], &show);
    turn(); /* the second is still open when the server goes */
}

/* CLIENT_CONSENT_CALLS_MAX, over all connections; CLIENT_CALLS_MAX of them on each. */
static void test_consent_calls_of_all_are_bounded(void **state)
{
    (void)state;
    enum { CALLERS = CLIENT_CONSENT_CALLS_MAX / CLIENT_CALLS_MAX };
    static struct peer callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = connect_as("shop", "open sesame");
        for (uint64_t call = 0; call < CLIENT_CALLS_MAX; call++)
            put_show(&callers[i], 2 + call, "12025550100");
        for (int j = 0; j < 4; j++)
            turn();
        receive(&callers[i]);
        assert_int_equal(buffer_length(&callers[i].in), 0); /* none is refused */
    }
    struct peer late = connect_as("shop", "open sesame");
    put_show(&late, 2, "12025550100");
    expect_failure(&late, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    Assent__V1__ShowReply show = ASSENT__V1__SHOW_REPLY__INIT;
    submit_server_show_reply(world.server, fake.calls[0], &show);
    put_show(&late, 3, "12025550100");
    assert_null(get_frame(&late)); /* one has ended: one more is taken */
    put_show(&late, 4, "12025550100");
    expect_failure(&late, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    hang_up(&late);
    for (int i = 0; i < CALLERS; i++)
        hang_up(&callers[i]);
}

/* Dry runs: 1 to SUBMIT_MESSAGES_MAX messages, PREFLIGHTS_MAX under way; they overtake what is not durable,
 * and the client may be gone. */
static void put_preflight(struct peer *peer, uint64_t call, size_t count)
{
    static Assent__V1__Message message = ASSENT__V1__MESSAGE__INIT, *list[SUBMIT_MESSAGES_MAX + 1];
    Assent__V1__PreflightRequest request = ASSENT__V1__PREFLIGHT_REQUEST__INIT;
    for (size_t i = 0; i < count; i++)
        list[i] = &message;
    request.n_messages = count;
    request.messages = list;
    put_call(peer, call, ASSENT__V1__FRAME__BODY_PREFLIGHT, &request.base);
}

static void test_dry_runs_are_bounded(void **state)
{
    (void)state;
    struct peer peer = connect_as("shop", "open sesame");
    put_preflight(&peer, 2, 0);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    put_preflight(&peer, 2, SUBMIT_MESSAGES_MAX + 1);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    for (uint64_t i = 0; i < PREFLIGHTS_MAX; i++) {
        put_preflight(&peer, 2 + i, SUBMIT_MESSAGES_MAX);
        assert_null(get_frame(&peer));
    }
    assert_int_equal(fake.preflight_messages, SUBMIT_MESSAGES_MAX);
    put_preflight(&peer, 100, 1);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED);
    Assent__V1__PreflightReply reply = ASSENT__V1__PREFLIGHT_REPLY__INIT;
    submit_server_preflight_reply(world.server, fake.preflights[1], &reply);
    Assent__V1__Frame *frame = get_frame(&peer);
    assert_int_equal(frame->call, 3);
    assert_int_equal(frame->body_case, ASSENT__V1__FRAME__BODY_PREFLIGHT_REPLY);
    hang_up(&peer);
    for (int i = 0; i < 5; i++)
        turn();
    submit_server_preflight_reply(world.server, fake.preflights[0], &reply);
    turn();
}

static void test_status_cancel_query(void **state)
{
    (void)state;
    fake.next = 43;
    fake.durable = 41;
    struct peer peer = connect_as("", "");
    put_status(&peer, 2);
    Assent__V1__Frame *frame = get_frame(&peer);
    const Assent__V1__StatusReply *status = frame->status_reply;
    assert_int_equal(status->next_sequence, 43);
    assert_int_equal(status->durable_sequence, 41);
    assert_int_equal(status->open_messages, 5);
    assert_true(status->n_counters > 10);
    assert_int_equal(status->n_carriers, 1);
    assert_int_equal(status->carriers[0]->n_paused, 2);
    assert_string_equal(status->carriers[0]->paused[1], "rate");

    uint64_t ids[] = {1, 2};
    Assent__V1__CancelRequest cancel = ASSENT__V1__CANCEL_REQUEST__INIT;
    cancel.n_ids = 2;
    cancel.ids = ids;
    put_call(&peer, 3, ASSENT__V1__FRAME__BODY_CANCEL, &cancel.base);
    frame = get_frame(&peer);
    assert_int_equal(frame->cancel_reply->verdicts[0]->code, ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(frame->cancel_reply->verdicts[1]->code, ASSENT__V1__CODE__CODE_NOT_FOUND);
    Assent__V1__QueryRequest query = ASSENT__V1__QUERY_REQUEST__INIT;
    query.n_ids = 2;
    query.ids = ids;
    put_call(&peer, 4, ASSENT__V1__FRAME__BODY_QUERY, &query.base);
    frame = get_frame(&peer);
    assert_string_equal(frame->query_reply->messages[0]->state, "waiting");
    assert_int_equal(frame->query_reply->messages[1]->code, ASSENT__V1__CODE__CODE_NOT_FOUND);
    hang_up(&peer);
}

/* Watch ---------------------------------------------------------------------------------------- */

static void expect_event(struct peer *peer, uint64_t sequence)
{
    Assent__V1__Frame *frame = get_frame(peer);
    assert_non_null(frame);
    assert_int_equal(frame->body_case, ASSENT__V1__FRAME__BODY_WATCH_EVENT);
    assert_int_equal(frame->watch_event->sequence, sequence);
}

static void test_watch_follows_what_is_durable(void **state)
{
    (void)state;
    fake_events((uint32_t[]){10, 11, 0, 10}, 4);
    fake.durable = 2;
    struct peer peer = connect_as("", "");
    put_watch(&peer, 2, 1, 5);
    expect_event(&peer, 1);
    assert_int_equal(peer.frame->watch_event->personal->number, 12025550100);
    expect_event(&peer, 2);
    assert_null(get_frame(&peer));
    fake.durable = 9;
    expect_event(&peer, 3);
    expect_event(&peer, 4);
    expect_event(&peer, 5);
    assert_true(peer.frame->watch_event->end);
    assert_null(get_frame(&peer));
    put_watch(&peer, 2, 11, 0);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    put_watch(&peer, 2, 0, 0);
    put_watch(&peer, 3, 0, 0);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    hang_up(&peer);
}

static void test_watch_shows_own_programs_only(void **state)
{
    (void)state;
    fake_events((uint32_t[]){10, 11, 0, 10}, 4);
    fake.durable = 4;
    struct peer peer = connect_as("shop", "open sesame");
    put_watch(&peer, 2, 1, 0);
    expect_event(&peer, 1);
    expect_event(&peer, 4);
    assert_null(get_frame(&peer));
    hang_up(&peer);
}

static void put_filtered(struct peer *peer, const char **programs, size_t program_count,
                         const char *kind)
{
    Assent__V1__WatchRequest watch = ASSENT__V1__WATCH_REQUEST__INIT;
    watch.from = 1;
    watch.n_programs = program_count;
    watch.programs = (char **)programs;
    watch.n_kinds = kind != NULL;
    watch.kinds = (char **)&kind;
    put_call(peer, 2, ASSENT__V1__FRAME__BODY_WATCH, &watch.base);
}

static void test_watch_filters(void **state)
{
    (void)state;
    fake_events((uint32_t[]){10, 11, 0, 10, 11, 11}, 6);
    fake.durable = 6;
    struct peer peer = connect_as("", "");
    put_filtered(&peer, (const char *[]){"login"}, 1, NULL);
    expect_event(&peer, 2);
    expect_event(&peer, 5);
    expect_event(&peer, 6);
    assert_null(get_frame(&peer));
    hang_up(&peer);
    peer = connect_as("", "");
    put_filtered(&peer, (const char *[]){"login", "offers"}, 2, "held");
    expect_event(&peer, 2);
    expect_event(&peer, 4);
    expect_event(&peer, 6);
    assert_null(get_frame(&peer));
    hang_up(&peer);
    /* A program that is another's filters nothing in. */
    peer = connect_as("shop", "open sesame");
    put_filtered(&peer, (const char *[]){"login"}, 1, NULL);
    assert_null(get_frame(&peer));
    hang_up(&peer);
}

/* What is no program, no kind, or more than WATCH_PROGRAMS_MAX is refused; the connection stays. */
static void test_watch_refuses_filters(void **state)
{
    (void)state;
    const char *many[WATCH_PROGRAMS_MAX + 1];
    for (size_t i = 0; i <= WATCH_PROGRAMS_MAX; i++)
        many[i] = "login";
    fake_events((uint32_t[]){11}, 1);
    fake.durable = 1;
    struct peer peer = connect_as("", "");
    put_filtered(&peer, many, WATCH_PROGRAMS_MAX + 1, NULL);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    put_filtered(&peer, (const char *[]){"nonsense"}, 1, NULL);
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    put_filtered(&peer, NULL, 0, "wall_ms");
    expect_failure(&peer, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    put_filtered(&peer, many, WATCH_PROGRAMS_MAX, NULL);
    expect_event(&peer, 1);
    hang_up(&peer);
}

static size_t count_events(struct peer *peer)
{
    size_t events = 0;
    while (get_frame(peer) != NULL)
        events++;
    return events;
}

static void turn_at(uint64_t at_us, uint64_t durable)
{
    submit_server_turn(world.server, (struct instant){.mono_us = at_us, .wall_ms = clock_wall_ms()},
                       durable, fake.next);
}

/* What `watchers` get in a turn of `span_us` that ends `since_us` after the last record came: each the same. */
static size_t events_of_a_turn(unsigned watchers, uint64_t span_us, uint64_t since_us)
{
    static uint64_t begin_us;
    struct peer at[2];
    fake.durable = 0;
    for (unsigned i = 0; i < watchers; i++) {
        at[i] = connect_as("", "");
        put_watch(&at[i], 2, 1, 0);
    }
    for (int i = 0; i < 5; i++)
        turn();
    looked_us = begin_us += US_PER_S;
    fake.next += since_us > 0;
    turn_at(begin_us, 0);
    uint64_t end_us = begin_us + (since_us > span_us ? since_us : span_us);
    turn_at(end_us - span_us, 0);
    fake.next += since_us == 0;
    turn_at(end_us, 100000);
    looked_us = 0;
    size_t events = count_events(&at[0]);
    for (unsigned i = 1; i < watchers; i++)
        assert_int_equal(count_events(&at[i]), events);
    for (unsigned i = 0; i < watchers; i++)
        hang_up(&at[i]);
    turn();
    return events;
}

/* WATCH_BUSY_SHARE: beside other work watchers get so much of the time; the clock is looked at before every
 * 16th record. WATCH_BUSY_MS: there is other work so long after a record. */
static void test_watchers_get_a_share_of_a_busy_turn(void **state)
{
    const uint64_t busy_us = WATCH_BUSY_MS * US_PER_MS;
    (void)state;
    fake_events((uint32_t[FAKE_RECORDS]){10}, FAKE_RECORDS);
    for (size_t i = 1; i < FAKE_RECORDS; i++) {
        memcpy(fake.events[i], fake.events[0], fake.event_lengths[0]);
        fake.event_lengths[i] = fake.event_lengths[0];
    }
    assert_int_equal(events_of_a_turn(1, 6 * WATCH_BUSY_SHARE, 0), 6 * 16 - 1);
    assert_int_equal(events_of_a_turn(1, 6 * WATCH_BUSY_SHARE - 1, 0), 5 * 16 - 1);
    assert_int_equal(events_of_a_turn(2, 6 * WATCH_BUSY_SHARE, 0), 3 * 16 - 1);
    assert_int_equal(events_of_a_turn(1, 6 * WATCH_BUSY_SHARE, busy_us - 1), 6 * 16 - 1);
    assert_in_range(events_of_a_turn(1, 6 * WATCH_BUSY_SHARE, busy_us), 6 * 16, SIZE_MAX);
}

/* WATCH_CHUNK_OCTETS: what one turn reads for a watcher, counted in records of a known size. */
static void test_watch_reads_a_chunk_a_turn(void **state)
{
    (void)state;
    fake_events((uint32_t[FAKE_RECORDS]){10}, FAKE_RECORDS);
    for (size_t i = 1; i < FAKE_RECORDS; i++) {
        memcpy(fake.events[i], fake.events[0], fake.event_lengths[0]);
        fake.event_lengths[i] = fake.event_lengths[0];
    }
    size_t record = 32 + fake.event_lengths[0] + fake.personal_length;
    size_t chunk = (WATCH_CHUNK_OCTETS + record - 1) / record;
    fake.durable = 0;
    struct peer peer = connect_as("", "");
    put_watch(&peer, 2, 1, 0);
    for (int i = 0; i < 5; i++)
        turn();
    turn_at(clock_mono_us() + US_PER_S, 10 * chunk); /* there is no other work by then */
    fake.durable = 0;
    assert_int_equal(count_events(&peer), chunk);
    hang_up(&peer);
}

/* CLIENT_OUTPUT_MAX: who does not read is not served once half of it waits, and loses nothing. */
static void test_answers_nobody_reads_stop_serving(void **state)
{
    (void)state;
    enum { SUBMITS = 3000 };
    struct peer peer = connect_as("shop", "open sesame");
    fake.durable = UINT64_MAX - 1;
    uint64_t put = 0;
    uint8_t octet;
    for (unsigned before = 1; put < SUBMITS && fake.submitted != before; put++) {
        before = fake.submitted;
        put_submit(&peer, 2 + put, SUBMIT_SLICE * 8, "a");
        for (int i = 0; i < 20; i++)
            turn();
    }
    assert_in_range(put, 2, SUBMITS - 1);
    assert_int_equal(recv(peer.fd, &octet, 1, MSG_PEEK), 1); /* the connection stands */
    unsigned served = fake.submitted;
    for (int i = 0; i < 50; i++)
        turn();
    assert_int_equal(fake.submitted, served);
    for (uint64_t i = 0; i < put; i++) {
        Assent__V1__Frame *frame = get_frame(&peer);
        assert_non_null(frame);
        assert_int_equal(frame->call, 2 + i);
    }
    assert_int_equal(fake.submitted, put * SUBMIT_SLICE * 8);
    hang_up(&peer);
}

static void test_slow_watcher_harms_nobody(void **state)
{
    (void)state;
    fake_events((uint32_t[FAKE_RECORDS]){10}, FAKE_RECORDS);
    fake.durable = 1000000;
    struct peer slow = connect_as("", ""), quick = connect_as("", "");
    put_watch(&slow, 2, 1, 0);
    for (int i = 0; i < 200; i++) {
        turn();
        if (i % 20 == 0) {
            put_status(&quick, 2);
            assert_int_equal(get_frame(&quick)->body_case, ASSENT__V1__FRAME__BODY_STATUS_REPLY);
        }
    }
    unsigned events = 0; /* and nothing is lost once it reads */
    fake.durable = 300000;
    while (events < 200000) {
        Assent__V1__Frame *frame = get_frame(&slow);
        assert_non_null(frame);
        assert_int_equal(frame->watch_event->sequence, ++events);
    }
    hang_up(&slow);
    hang_up(&quick);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_own_user_is_operator),
        TEST(test_key),
        TEST(test_tcp_needs_a_key),
        TEST(test_hello_comes_first),
        TEST(test_strangers_get_little_memory),
        TEST(test_first_frame_at_its_limit),
        TEST(test_who_says_nothing_is_sent_away),
        TEST(test_an_unfinished_frame_has_its_time),
        TEST(test_a_whole_frame_has_no_deadline),
        TEST(test_last_words_linger),
        TEST(test_unread_input_of_all_is_bounded),
        TEST(test_answer_waits_for_the_disk),
        TEST(test_message_counts),
        TEST(test_bad_text_spoils_one_message),
        TEST(test_call_in_flight_twice),
        TEST(test_unanswered_calls_stop_reading),
        TEST(test_refusing_engine),
        TEST(test_small_calls_go_first),
        TEST(test_lost_framing_closes),
        TEST(test_held_answers_survive_a_bad_frame),
        TEST(test_unknown_calls_go_on),
        TEST(test_octet_by_octet),
        TEST(test_strangers_shut_nobody_out),
        TEST(test_connection_limit),
        TEST(test_consent_calls),
        TEST(test_reply_after_the_client_left),
        TEST(test_consent_calls_of_all_are_bounded),
        TEST(test_dry_runs_are_bounded),
        TEST(test_status_cancel_query),
        TEST(test_watch_follows_what_is_durable),
        TEST(test_watch_shows_own_programs_only),
        TEST(test_watch_filters),
        TEST(test_watch_refuses_filters),
        TEST(test_watchers_get_a_share_of_a_busy_turn),
        TEST(test_watch_reads_a_chunk_a_turn),
        TEST(test_answers_nobody_reads_stop_serving),
        TEST(test_slow_watcher_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: its parser octet by octet, and the server over a real socket with peers that are
 * slow, silent, many, or wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http.h"
#include "gateway/http_request.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"

/* Parser -------------------------------------------------------------------------------------- */

struct sample {
    const char *text;
    unsigned status;
};

static const struct sample samples[] = {
    {"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"HEAD / HTTP/1.0\r\n\r\n", 200},
    {"GET / HTTP/1.1\n\n", 200},
    {"GET /a?b=c HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 200},
    {"GET / HTTP/1.1\r\nHost: x\r\n", 0},
    {"", 0},
    {"GE", 0},
    {"\r\n\r\n", 400},
    {"GET\r\n\r\n", 400},
    {"GET / \r\n\r\n", 400},
    {"GET http://x/ HTTP/1.1\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1 \r\n\r\n", 505},
    {"GET / HTTP/2.0\r\n\r\n", 505},
    {"POST / HTTP/1.1\r\n\r\n", 405},
    {"get / HTTP/1.1\r\n\r\n", 405},
    {"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413},
    {"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 413},
    {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400},
};

static void test_parser(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct http_request request = {0};
        struct span text = span_from_string(samples[i].text);
        if (http_request_parse(text, &request) != samples[i].status)
            fail_msg("%s", samples[i].text);
        for (size_t length = 0; samples[i].status == 200 && length < text.length; length++)
            assert_int_equal(http_request_parse(span_of(text.data, length), &request), 0);
    }
}

static void test_parser_fields(void **state)
{
    (void)state;
    struct http_request request = {0};
    assert_int_equal(http_request_parse(span_from_string("HEAD /a/b?c HTTP/1.1\r\n\r\n"), &request),
                     200);
    assert_true(request.head);
    assert_true(span_equal(request.path, span_from_string("/a/b")));
    static char large[HTTP_HEAD_MAX];
    memset(large, 'a', sizeof large);
    assert_int_equal(http_request_parse(span_of(large, sizeof large), &request), 431);
    assert_int_equal(http_request_parse(span_of(large, sizeof large - 1), &request), 0);
}

/* Server -------------------------------------------------------------------------------------- */

#define LARGE_BODY 1500000

static unsigned page_small(void *context, FILE *out)
{
    (*(unsigned *)context)++;
    fprintf(out, "hello\n");
    return 200;
}

static unsigned page_large(void *context, FILE *out)
{
    (void)context;
    for (unsigned i = 0; i < LARGE_BODY; i++)
        fputc('x', out);
    return 200;
}

static unsigned page_over(void *context, FILE *out)
{
    page_large(context, out);
    return page_large(context, out);
}

static size_t edge_body;

static unsigned page_edge(void *context, FILE *out)
{
    (void)context;
    for (size_t i = 0; i < edge_body; i++)
        fputc('x', out);
    return 200;
}

static unsigned page_unready(void *context, FILE *out)
{
    (void)context;
    fprintf(out, "not yet\n");
    return 503;
}

static const struct http_page pages[] = {
    {"/small", "text/plain", page_small},    {"/large", "text/plain", page_large},
    {"/over", "text/plain", page_over},      {"/edge", "text/plain", page_edge},
    {"/readyz", "text/plain", page_unready}, {NULL, NULL, NULL},
};

struct fixture {
    struct event_base *base;
    struct http *http;
    unsigned served;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    const char *why = "";
    fixture = (struct fixture){.base = event_base_new()};
    fixture.http = http_new(fixture.base, "tcp://127.0.0.1:0", pages, &fixture.served, &why);
    *state = &fixture;
    return fixture.http == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_free(fixture->http);
    event_base_free(fixture->base);
    return 0;
}

static int connect_to(const struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_port(fixture->http)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns the loop until the server closes; gives what it said. `ms`: how long at most. */
static size_t hear(struct fixture *fixture, int fd, char *out, size_t size, uint64_t ms)
{
    size_t used = 0;
    uint64_t until = clock_mono_us() + ms * US_PER_MS;
    while (clock_mono_us() < until) {
        event_base_loop(fixture->base, EVLOOP_NONBLOCK);
        ssize_t n = read(fd, out + used, size - 1 - used);
        if (n == 0)
            break;
        if (n > 0)
            used += (size_t)n;
        else
            usleep(200);
    }
    out[used] = '\0';
    return used;
}

static const char *ask(struct fixture *fixture, const char *request)
{
    static char answer[4u << 20];
    int fd = connect_to(fixture);
    say(fd, request);
    hear(fixture, fd, answer, sizeof answer, 5000);
    close(fd);
    event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    return answer;
}

static void test_pages(void **state)
{
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17), 0);
    assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\nhello\n"));
    answer = ask(fixture, "HEAD /small HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
    assert_null(strstr(answer, "hello"));
    assert_int_equal(fixture->served, 2);
    answer = ask(fixture, "GET /readyz HTTP/1.1\r\n\r\n");
    assert_int_equal(strncmp(answer, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
    assert_non_null(strstr(answer, "not yet\n"));
}

static void test_refusals(void **state)
{
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /nothing HTTP/1.1\r\n\r\n");
    assert_int_equal(strncmp(answer, "HTTP/1.1 404 ", 13), 0);
    answer = ask(fixture, "POST /small HTTP/1.1\r\n\r\n");
    assert_int_equal(strncmp(answer, "HTTP/1.1 405 ", 13), 0);
    assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    answer = ask(fixture, "\x16\x03\x01\x02\r\n\r\n");
    assert_int_equal(strncmp(answer, "HTTP/1.1 400 ", 13), 0);
    assert_int_equal(fixture->served, 0);
}

static void test_large(void **state)
{
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /large HTTP/1.1\r\n\r\n");
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), LARGE_BODY);
    assert_string_equal(ask(fixture, "GET /over HTTP/1.1\r\n\r\n"), "");
}

/* HTTP_REPLY_MAX: headers and body together. */
static void test_reply_limit(void **state)
{
    struct fixture *fixture = *state;
    const char *request = "GET /edge HTTP/1.1\r\n\r\n";
    edge_body = HTTP_REPLY_MAX - 512;
    size_t headers = strlen(ask(fixture, request)) - edge_body;
    edge_body = HTTP_REPLY_MAX - headers;
    assert_int_equal(strlen(ask(fixture, request)), HTTP_REPLY_MAX);
    edge_body++;
    assert_string_equal(ask(fixture, request), "");
}

static void test_head_limit(void **state)
{
    struct fixture *fixture = *state;
    static char request[3 * HTTP_HEAD_MAX];
    strcpy(request, "GET /small HTTP/1.1\r\nX: ");
    memset(request + strlen(request), 'a', 2 * HTTP_HEAD_MAX);
    const char *answer = ask(fixture, request);
    assert_int_equal(strncmp(answer, "HTTP/1.1 431 ", 13), 0);
}

static void test_octet_by_octet(void **state)
{
    struct fixture *fixture = *state;
    static const char request[] = "GET /small HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[512];
    int fd = connect_to(fixture);
    for (const char *p = request; *p != '\0'; p++) {
        assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
        event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    }
    hear(fixture, fd, answer, sizeof answer, 5000);
    assert_non_null(strstr(answer, "hello\n"));
    close(fd);
}

/* The connection above the limit is closed; when one goes, another may come. */
static void test_connection_limit(void **state)
{
    struct fixture *fixture = *state;
    int fds[HTTP_CONNECTIONS_MAX];
    char answer[512];
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        fds[i] = connect_to(fixture);
    event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    int above = connect_to(fixture);
    assert_int_equal(hear(fixture, above, answer, sizeof answer, 1000), 0);
    assert_true(recv(above, answer, 1, 0) <= 0);
    close(above);
    close(fds[0]);
    for (unsigned i = 0; i < 10; i++)
        event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    assert_non_null(strstr(ask(fixture, "GET /small HTTP/1.1\r\n\r\n"), "hello"));
    for (unsigned i = 1; i < HTTP_CONNECTIONS_MAX; i++)
        close(fds[i]);
}

/* A peer that drips octets, one that says nothing and one that does not read all end in time. */
static void test_deadline(void **state)
{
    struct fixture *fixture = *state;
    static char answer[4u << 20];
    int dripping = connect_to(fixture), silent = connect_to(fixture), stuck = connect_to(fixture);
    say(dripping, "GET /small HTTP/1.1\r\n");
    say(stuck, "GET /large HTTP/1.1\r\n\r\n");
    uint64_t began = clock_mono_us();
    ssize_t n;
    do {
        uint64_t next = clock_mono_us() + 500 * US_PER_MS;
        (void)send(dripping, "A: b\r\n", 6, MSG_NOSIGNAL);
        while (clock_mono_us() < next) {
            event_base_loop(fixture->base, EVLOOP_NONBLOCK);
            usleep(5000);
        }
        n = recv(dripping, answer, 1, 0);
    } while (n < 0 && clock_mono_us() - began < 6 * HTTP_TIMEOUT_MS * US_PER_MS);
    uint64_t took_ms = (clock_mono_us() - began) / US_PER_MS;
    assert_in_range(took_ms, HTTP_TIMEOUT_MS - 500,
                    5 * HTTP_TIMEOUT_MS); /* later on a busy machine */
    assert_true(recv(silent, answer, 1, 0) <= 0);
    assert_true(hear(fixture, stuck, answer, sizeof answer, 1000) < LARGE_BODY + 512);
    close(dripping);
    close(silent);
    close(stuck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parser),
        cmocka_unit_test(test_parser_fields),
        cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reply_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_octet_by_octet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connection_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

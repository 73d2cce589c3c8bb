/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "gateway/http_request.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "smpp/link.h"

/* Reading until the head is whole, then answering until the output is gone, then finishing: our side
 * is shut, and the peer is read past until it closes, so that no reset overtakes the answer. */
enum phase { READING, ANSWERING, FINISHING };

struct connection {
    struct http *http;
    struct link *link;
    struct buffer input, output;
    enum phase phase;
    struct event deadline;
    LIST_ENTRY(connection) next;
};

struct http {
    struct event_base *base;
    struct link_listener *listener;
    const struct http_page *pages;
    void *context;
    LIST_HEAD(, connection) connections;
    unsigned count;
};

static void connection_free(struct connection *connection)
{
    LIST_REMOVE(connection, next);
    connection->http->count--;
    event_del(&connection->deadline);
    link_free(connection->link);
    buffer_release(&connection->input);
    buffer_release(&connection->output);
    free(connection);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    connection_free(context);
}

static void finish(struct connection *connection)
{
    connection->phase = FINISHING;
    if (shutdown(link_socket(connection->link), SHUT_WR) != 0)
        connection_free(connection);
}

static void answer(struct connection *connection, unsigned status, const char *content_type,
                   struct span body, bool head)
{
    char headers[256];
    int length = snprintf(headers, sizeof headers,
                          "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                          "Cache-Control: no-store\r\n%sConnection: close\r\n\r\n",
                          status, http_status_text(status), content_type, body.length,
                          status == 405 ? "Allow: GET, HEAD\r\n" : "");
    CHECK(length > 0 && (size_t)length < sizeof headers);
    if (!buffer_append(&connection->output, headers, (size_t)length) ||
        (!head && !buffer_append(&connection->output, body.data, body.length))) {
        connection_free(connection); /* over HTTP_REPLY_MAX */
        return;
    }
    connection->phase = ANSWERING;
    link_flush(connection->link, &connection->output);
    if (buffer_length(&connection->output) == 0)
        finish(connection);
}

static void answer_text(struct connection *connection, unsigned status)
{
    char body[64];
    int length = snprintf(body, sizeof body, "%s\n", http_status_text(status));
    answer(connection, status, "text/plain; charset=utf-8", span_of(body, (size_t)length), false);
}

static void answer_page(struct connection *connection, const struct http_page *page, bool head)
{
    char *body = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&body, &length);
    CHECK(out != NULL);
    unsigned status = page->write(connection->http->context, out);
    fclose(out);
    answer(connection, status, page->content_type, span_of(body, length), head);
    free(body);
}

static void serve(struct connection *connection, const struct http_request *request)
{
    for (const struct http_page *page = connection->http->pages; page->path != NULL; page++) {
        if (span_equal(request->path, span_from_string(page->path))) {
            answer_page(connection, page, request->head);
            return;
        }
    }
    answer_text(connection, 404);
}

static void on_received(void *context, struct link *link, struct span octets)
{
    (void)link;
    struct connection *connection = context;
    struct http_request request;
    if (connection->phase != READING)
        return;
    if (!buffer_append(&connection->input, octets.data, octets.length)) {
        answer_text(connection, 431);
        return;
    }
    unsigned status = http_request_parse(buffer_span(&connection->input), &request);
    if (status == 200)
        serve(connection, &request);
    else if (status != 0)
        answer_text(connection, status);
}

static void on_closed(void *context, struct link *link, const char *why)
{
    (void)link;
    (void)why;
    connection_free(context);
}

static void on_writable(void *context, struct link *link)
{
    (void)link;
    struct connection *connection = context;
    if (connection->phase == ANSWERING && buffer_length(&connection->output) == 0)
        finish(connection);
}

static const struct link_handlers handlers = {
    .received = on_received, .closed = on_closed, .writable = on_writable};

static void on_accepted(void *context, struct link_listener *listener, struct link *link)
{
    (void)listener;
    struct http *http = context;
    if (http->count == HTTP_CONNECTIONS_MAX) {
        link_free(link);
        return;
    }
    struct connection *connection = check_calloc(1, sizeof *connection);
    connection->http = http;
    connection->link = link;
    buffer_init(&connection->input, HTTP_HEAD_MAX);
    buffer_init(&connection->output, HTTP_REPLY_MAX);
    CHECK(evtimer_assign(&connection->deadline, http->base, on_deadline, connection) == 0);
    struct timeval limit = {.tv_sec = HTTP_TIMEOUT_MS / 1000};
    evtimer_add(&connection->deadline, &limit);
    LIST_INSERT_HEAD(&http->connections, connection, next);
    http->count++;
    link_set_handlers(link, &handlers, connection);
}

struct http *http_new(struct event_base *base, const char *address, const struct http_page *pages,
                      void *context, const char **ret_why)
{
    struct http *http = check_calloc(1, sizeof *http);
    http->base = base;
    http->pages = pages;
    http->context = context;
    LIST_INIT(&http->connections);
    http->listener = link_listen(base, address, on_accepted, http, ret_why);
    if (http->listener != NULL)
        return http;
    free(http);
    return NULL;
}

void http_free(struct http *http)
{
    if (http == NULL)
        return;
    while (!LIST_EMPTY(&http->connections))
        connection_free(LIST_FIRST(&http->connections));
    link_listener_free(http->listener);
    free(http);
}

int http_port(const struct http *http)
{
    return link_listener_port(http->listener);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A pass of the loop: links hand over octets, then the sweep serves frames (submit_serve.c). After
 * engine_turn() the answers that have become durable leave. */
#include "gateway/submit_connection.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gateway/certificates.h"
#include "proto/base/check.h"
#include "proto/base/log.h"

#define REFUSED_MAX 64 /* connections over the limit that still hear why */

/* What the links say --------------------------------------------------------------------------- */

static void on_received(void *context, struct link *link, struct span octets)
{
    (void)link;
    struct connection *connection = context;
    struct submit_server *server = connection->server;
    if (connection->state >= CONNECTION_CLOSING)
        return;
    if (server->input_octets + octets.length > CLIENT_INPUT_TOTAL_MAX ||
        !buffer_append(&connection->input, octets.data, octets.length)) {
        connection_fail(connection, 0, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
                        "the gateway has too much unread input; try again with less at a time");
        return;
    }
    server->input_octets += octets.length;
    connection_wake(connection);
    event_active(server->sweep, 0, 0);
}

static void on_closed(void *context, struct link *link, const char *why)
{
    (void)link;
    (void)why;
    connection_die(context);
}

static void on_writable(void *context, struct link *link)
{
    (void)link;
    struct connection *connection = context;
    connection_wake(connection); /* it may be read again, or its watch may go on */
}

static const struct link_handlers link_handlers = {
    .received = on_received,
    .closed = on_closed,
    .writable = on_writable,
};

/* Who has not said Hello yet makes room for who comes: an honest client says it at once, so those who
 * hold connections and say nothing cannot shut it out. */
static bool drop_oldest_stranger(struct submit_server *server)
{
    struct connection *oldest = TAILQ_FIRST(&server->by_state[CONNECTION_NEW]);
    if (oldest == NULL)
        return false;
    LOG_LIMITED(LOG_WARN, "client_refused", "reason=strangers limit=%u", CLIENT_CONNECTIONS_MAX);
    connection_die(oldest);
    return true;
}

static void on_accepted(void *context, struct link_listener *listener, struct link *link)
{
    (void)listener;
    struct submit_server *server = context;
    uint32_t there = server->count[CONNECTION_NEW] + server->count[CONNECTION_OPEN];
    if (there >= CLIENT_CONNECTIONS_MAX && drop_oldest_stranger(server))
        there--;
    if (there >= CLIENT_CONNECTIONS_MAX && server->count[CONNECTION_CLOSING] >= REFUSED_MAX) {
        link_free(link);
        return;
    }
    int on = 1; /* half-open peers are found out */
    (void)setsockopt(link_socket(link), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    struct connection *connection = connection_new(server, link);
    link_set_handlers(link, &link_handlers, connection);
    if (there < CLIENT_CONNECTIONS_MAX)
        return;
    LOG_LIMITED(LOG_WARN, "client_refused", "reason=connections limit=%u", CLIENT_CONNECTIONS_MAX);
    connection_fail(connection, 0, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
                    "too many connections; close some and try again");
}

/* Serving -------------------------------------------------------------------------------------- */

static void note_refusing(struct submit_server *server, struct instant now)
{
    const char *why;
    if (!engine_refuses(server->engine, &why))
        server->refusing_since_us = 0;
    else if (server->refusing_since_us == 0)
        server->refusing_since_us = now.mono_us;
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct submit_server *server = context;
    struct instant now = clock_now();
    note_refusing(server, now);
    submit_sweep(server, now);
}

/* Deadlines ------------------------------------------------------------------------------------ */

static void on_deadline(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_NEW:
        connection_fail(connection, 0, ASSENT__V1__CODE__CODE_UNAUTHENTICATED,
                        "no Hello came within 5 seconds");
        break;
    case CONNECTION_OPEN:
        connection_fail(connection, 0, ASSENT__V1__CODE__CODE_DEADLINE_EXCEEDED,
                        "a frame was begun and not completed within 30 seconds");
        break;
    case CONNECTION_CLOSING:
        connection_die(connection);
        break;
    case CONNECTION_DEAD:
        break;
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct submit_server *server = context;
    uint64_t now_us = clock_mono_us();
    for (int state = CONNECTION_NEW; state <= CONNECTION_CLOSING; state++) {
        struct connection *connection, *next;
        for (connection = TAILQ_FIRST(&server->by_state[state]); connection != NULL;
             connection = next) {
            next = TAILQ_NEXT(connection, entry);
            if (connection->deadline_us != 0 && connection->deadline_us <= now_us)
                on_deadline(connection);
        }
    }
}

/* The turn ------------------------------------------------------------------------------------- */

static void write_output(struct connection *connection)
{
    if (connection->state == CONNECTION_DEAD)
        return;
    link_flush(connection->link, &connection->output);
    if (connection->state != CONNECTION_CLOSING || connection->shut || connection->held_count > 0 ||
        buffer_length(&connection->output) > 0)
        return;
    /* Half a close, so that unread input does not destroy the last words on their way. */
    connection->shut = true;
    if (!link_finish(connection->link))
        connection_die(connection);
}

/* True when it has frames to be served; *ret_behind is set when it watches and there is more to read. */
static bool turn_connection(struct connection *connection, struct instant now, bool *ret_behind)
{
    if (connection->state == CONNECTION_DEAD)
        return false;
    connection_release_answers(connection);
    if (connection->state == CONNECTION_OPEN && watch_advance(connection))
        *ret_behind = true;
    write_output(connection);
    submit_settle_reading(connection, now);
    bool serving = submit_has_work(connection);
    if (!serving && !connection->stalled && connection->held_count == 0 &&
        connection->watch == NULL)
        connection_rest(connection);
    return serving;
}

static void free_dead(struct submit_server *server)
{
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&server->by_state[CONNECTION_DEAD])) != NULL)
        connection_free(connection);
}

static void resume_stalled(struct submit_server *server, struct instant now)
{
    note_refusing(server, now);
    bool patient = server->refusing_since_us != 0 &&
                   now.mono_us - server->refusing_since_us < SUBMIT_PATIENCE_MS * US_PER_MS;
    if ((patient && !server->draining) || engine_consent_busy(server->engine))
        return;
    for (struct connection *connection = TAILQ_FIRST(&server->work); connection != NULL;
         connection = TAILQ_NEXT(connection, work))
        connection->stalled = false;
}

void submit_server_turn(struct submit_server *server, struct instant now, uint64_t durable,
                        uint64_t next)
{
    /* What a turn has done stands in the ledger; one that did nothing may wait for Redis or for the disk. */
    if (next != server->next)
        server->busy_until_us = now.mono_us + WATCH_BUSY_MS * US_PER_MS;
    server->turn_span_us = now.mono_us < server->busy_until_us ? now.mono_us - server->turn_us : 0;
    server->turn_us = now.mono_us;
    server->durable = durable;
    server->next = next;
    resume_stalled(server, now);
    bool serving = false, behind = false;
    struct connection *connection, *next_one;
    for (connection = TAILQ_FIRST(&server->work); connection != NULL; connection = next_one) {
        next_one = TAILQ_NEXT(connection, work);
        serving |= turn_connection(connection, now, &behind);
    }
    free_dead(server);
    if (serving || (behind && server->turn_span_us == 0))
        event_active(server->sweep, 0, 0);
    else if (behind) /* the next turn comes by itself: one for watchers alone costs who sends */
        event_add(server->sweep, &(struct timeval){.tv_usec = WATCH_TURN_US});
}

/* Life ----------------------------------------------------------------------------------------- */

static bool listen_everywhere(struct submit_server *server, const struct certificates *certificates,
                              const char **ret_why)
{
    for (uint16_t i = 0; i < server->config->listener_count; i++) {
        struct tls_context *tls = certificates ? certificates_of_listener(certificates, i) : NULL;
        server->listeners[i] = link_listen_tls(server->base, server->config->listeners[i].address,
                                               tls, on_accepted, server, ret_why);
        if (server->listeners[i] == NULL)
            return false;
    }
    return true;
}

struct submit_server *submit_server_new(struct event_base *base, const struct config *config,
                                        const struct certificates *certificates,
                                        struct engine *engine, const char *data_dir,
                                        const char **ret_why)
{
    struct submit_server *server = check_calloc(1, sizeof *server);
    server->config = config;
    server->engine = engine;
    server->data_dir = check_strdup(data_dir);
    server->base = base;
    server->started_us = clock_mono_us();
    for (int i = 0; i < CONNECTION_STATES; i++)
        TAILQ_INIT(&server->by_state[i]);
    TAILQ_INIT(&server->work);
    table_init(&server->later_calls);
    arena_init(&server->arena, FRAME_ARENA_MAX);
    arena_init(&server->bulk.arena, FRAME_ARENA_MAX);
    server->sweep = event_new(base, -1, 0, on_sweep, server);
    server->tick = event_new(base, -1, EV_PERSIST, on_tick, server);
    CHECK(server->sweep != NULL && server->tick != NULL);
    struct timeval second = {.tv_sec = 1};
    event_add(server->tick, &second);
    server->listeners = check_calloc(config->listener_count + 1u, sizeof *server->listeners);
    if (listen_everywhere(server, certificates, ret_why))
        return server;
    submit_server_free(server);
    return NULL;
}

static void stop_listening(struct submit_server *server)
{
    for (uint16_t i = 0; i < server->config->listener_count; i++) {
        link_listener_free(server->listeners[i]);
        server->listeners[i] = NULL;
    }
}

static void free_later_calls(struct submit_server *server)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&server->later_calls, &cursor)) != NULL)
        free(table_slot_pointer(slot));
    table_release(&server->later_calls);
}

void submit_server_free(struct submit_server *server)
{
    if (server == NULL)
        return;
    stop_listening(server);
    for (int state = CONNECTION_NEW; state < CONNECTION_DEAD; state++) {
        struct connection *connection;
        while ((connection = TAILQ_FIRST(&server->by_state[state])) != NULL)
            connection_die(connection);
    }
    free_dead(server);
    free_later_calls(server);
    event_free(server->sweep);
    event_free(server->tick);
    arena_release(&server->arena);
    arena_release(&server->bulk.arena);
    free(server->listeners);
    free(server->data_dir);
    free(server);
}

void submit_server_drain(struct submit_server *server)
{
    server->draining = true;
    stop_listening(server);
}

static bool is_drained(const struct connection *connection)
{
    return connection->held_count == 0 && connection->later_count == 0 &&
           buffer_length(&connection->output) == 0;
}

bool submit_server_drained(const struct submit_server *server)
{
    for (int state = CONNECTION_OPEN; state <= CONNECTION_CLOSING; state++)
        for (const struct connection *connection = TAILQ_FIRST(&server->by_state[state]);
             connection != NULL; connection = TAILQ_NEXT(connection, entry))
            if (!is_drained(connection))
                return false;
    return true;
}

int submit_server_port(const struct submit_server *server, uint16_t index)
{
    return server->listeners[index] ? link_listener_port(server->listeners[index]) : 0;
}

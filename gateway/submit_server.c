/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of submitters: who may be read, who is served first, what may leave.
 *
 * A pass of the loop: links hand over octets (gather), then the sweep serves frames: first every
 * connection with little input, so that a login code does not wait behind a campaign, then the others
 * by turns until the sweep's budget is used. After engine_turn() the answers that have become durable
 * leave. A connection that may not be read (too many calls unanswered, too much unread output, an
 * engine that takes nothing) is simply not read: the kernel tells its client to wait. */
#include "gateway/submit_connection.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/base/check.h"
#include "proto/base/log.h"

#define INPUT_WANTED (256u << 10) /* above it, with a whole frame waiting, nothing more is read */
#define INPUT_MAX    (FRAME_HEADER + FRAME_MAX + (512u << 10))
#define SMALL_INPUT  (8u << 10)  /* a connection with less waiting goes first */
#define SMALL_FRAMES 8           /* frames of a small connection in one sweep */
#define BULK_FRAMES  4           /* frames of a bulk connection before the next one's */
#define SWEEP_OCTETS (64u << 10) /* bulk served in one sweep: about 500 messages, 2 ms of engine */
#define FRAME_COST   128         /* octets that a frame counts for besides its own */
#define REFUSED_MAX  64          /* connections over the limit that still hear why */

static const struct link_handlers link_handlers;

/* Connections and their states ----------------------------------------------------------------- */

static void connection_set_state(struct connection *connection, enum connection_state state)
{
    struct submit_server *server = connection->server;
    TAILQ_REMOVE(&server->by_state[connection->state], connection, entry);
    server->count[connection->state]--;
    connection->state = state;
    TAILQ_INSERT_TAIL(&server->by_state[state], connection, entry);
    server->count[state]++;
}

void connection_wake(struct connection *connection)
{
    if (connection->has_work)
        return;
    connection->has_work = true;
    TAILQ_INSERT_TAIL(&connection->server->work, connection, work);
}

static void connection_rest(struct connection *connection)
{
    if (!connection->has_work)
        return;
    connection->has_work = false;
    TAILQ_REMOVE(&connection->server->work, connection, work);
}

static void drop_input(struct connection *connection)
{
    connection->server->input_octets -= buffer_length(&connection->input);
    buffer_consume(&connection->input, buffer_length(&connection->input));
}

static void stop_watch(struct connection *connection)
{
    watch_free(connection->watch);
    connection->watch = NULL;
}

/* The link goes at once, the memory at the end of the turn. */
static void connection_die(struct connection *connection)
{
    if (connection->state == CONNECTION_DEAD)
        return;
    link_free(connection->link);
    connection->link = NULL;
    drop_input(connection);
    stop_watch(connection);
    connection_set_state(connection, CONNECTION_DEAD);
}

/* Lets what is in the output leave, then closes. */
static void connection_close(struct connection *connection)
{
    if (connection->state >= CONNECTION_CLOSING)
        return;
    drop_input(connection);
    stop_watch(connection);
    connection_set_state(connection, CONNECTION_CLOSING);
    connection->deadline_us = clock_mono_us() + CLIENT_LINGER_MS * US_PER_MS;
    link_set_reading(connection->link, true);
    connection_wake(connection);
}

static void connection_free(struct connection *connection)
{
    CHECK(connection->state == CONNECTION_DEAD);
    struct later_call *later;
    LIST_FOREACH(later, &connection->later_calls, entry)
    {
        later->connection = NULL;
    }
    connection_rest(connection);
    TAILQ_REMOVE(&connection->server->by_state[CONNECTION_DEAD], connection, entry);
    connection->server->count[CONNECTION_DEAD]--;
    buffer_release(&connection->input);
    buffer_release(&connection->held);
    buffer_release(&connection->output);
    free(connection->held_answers);
    free(connection);
}

void connection_open(struct connection *connection)
{
    CHECK(connection->state == CONNECTION_NEW);
    connection_set_state(connection, CONNECTION_OPEN);
    connection->deadline_us = 0;
}

static int64_t peer_uid(int fd)
{
    struct sockaddr_storage name;
    struct ucred peer;
    socklen_t name_length = sizeof name, length = sizeof peer;
    if (getsockname(fd, (struct sockaddr *)&name, &name_length) != 0 || name.ss_family != AF_UNIX)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return -1;
    return peer.uid;
}

static struct connection *connection_new(struct submit_server *server, struct link *link)
{
    struct connection *connection = check_calloc(1, sizeof *connection);
    connection->server = server;
    connection->link = link;
    connection->peer_uid = peer_uid(link_socket(link));
    connection->deadline_us = clock_mono_us() + HELLO_TIMEOUT_MS * US_PER_MS;
    buffer_init(&connection->input, INPUT_MAX);
    buffer_init(&connection->held, CLIENT_OUTPUT_MAX);
    buffer_init(&connection->output, CLIENT_OUTPUT_MAX);
    LIST_INIT(&connection->later_calls);
    TAILQ_INSERT_TAIL(&server->by_state[CONNECTION_NEW], connection, entry);
    server->count[CONNECTION_NEW]++;
    return connection;
}

static void on_accepted(void *context, struct link_listener *listener, struct link *link)
{
    (void)listener;
    struct submit_server *server = context;
    uint32_t there = server->count[CONNECTION_NEW] + server->count[CONNECTION_OPEN];
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

/* Answers -------------------------------------------------------------------------------------- */

static void no_room(struct connection *connection)
{
    LOG_LIMITED(LOG_WARN, "client_closed", "reason=output_full limit=%u", CLIENT_OUTPUT_MAX);
    connection_die(connection);
}

static bool hold_answer(struct connection *connection, const Assent__V1__Frame *frame,
                        uint64_t ready_at)
{
    if (connection->held_count == CLIENT_CALLS_MAX)
        return false;
    size_t before = buffer_length(&connection->held);
    if (!frame_append(&connection->held, frame))
        return false;
    if (connection->held_answers == NULL)
        connection->held_answers = check_calloc(CLIENT_CALLS_MAX, sizeof *connection->held_answers);
    uint32_t at = (connection->held_first + connection->held_count++) % CLIENT_CALLS_MAX;
    connection->held_answers[at] = (struct held_answer){
        .call = frame->call,
        .ready_at = ready_at,
        .length = buffer_length(&connection->held) - before,
    };
    return true;
}

void connection_answer(struct connection *connection, const Assent__V1__Frame *frame,
                       uint64_t ready_at)
{
    if (connection->state >= CONNECTION_CLOSING)
        return;
    bool fits = ready_at <= connection->server->durable ? frame_append(&connection->output, frame)
                                                        : hold_answer(connection, frame, ready_at);
    if (!fits)
        no_room(connection);
    else
        connection_wake(connection);
}

void connection_fail_call(struct connection *connection, uint64_t call, Assent__V1__Code code,
                          const char *message)
{
    Assent__V1__Failure failure = ASSENT__V1__FAILURE__INIT;
    failure.code = code;
    failure.message = (char *)message;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = call;
    frame.body_case = ASSENT__V1__FRAME__BODY_FAILURE;
    frame.failure = &failure;
    connection_answer(connection, &frame, 0);
}

void connection_fail(struct connection *connection, uint64_t call, Assent__V1__Code code,
                     const char *message)
{
    connection_fail_call(connection, call, code, message);
    connection_close(connection);
}

/* Moves what has become durable from held to output, in order. */
static void release_answers(struct connection *connection)
{
    size_t length = 0;
    while (connection->held_count > 0) {
        struct held_answer *first = &connection->held_answers[connection->held_first];
        if (first->ready_at > connection->server->durable)
            break;
        length += first->length;
        connection->held_first = (connection->held_first + 1) % CLIENT_CALLS_MAX;
        connection->held_count--;
    }
    if (length == 0)
        return;
    if (!buffer_append(&connection->output, buffer_span(&connection->held).data, length))
        no_room(connection);
    else
        buffer_consume(&connection->held, length);
}

/* Calls that are answered later ---------------------------------------------------------------- */

bool connection_has_call(const struct connection *connection, uint64_t call)
{
    for (uint32_t i = 0; i < connection->held_count; i++)
        if (connection->held_answers[(connection->held_first + i) % CLIENT_CALLS_MAX].call == call)
            return true;
    const struct later_call *later;
    LIST_FOREACH(later, &connection->later_calls, entry)
    {
        if (later->call == call)
            return true;
    }
    return connection->watch != NULL && watch_call(connection->watch) == call;
}

uint64_t connection_add_later(struct connection *connection, uint64_t call)
{
    struct submit_server *server = connection->server;
    if (server->later_calls.count >= CLIENT_CONSENT_CALLS_MAX)
        return 0;
    struct later_call *later = check_calloc(1, sizeof *later);
    later->cookie = ++server->last_cookie;
    later->call = call;
    later->connection = connection;
    LIST_INSERT_HEAD(&connection->later_calls, later, entry);
    connection->later_count++;
    *table_put(&server->later_calls, later->cookie) = (uintptr_t)later;
    return later->cookie;
}

/* Takes the call out; gives the connection, or NULL when the client has gone. */
static struct connection *end_later(struct submit_server *server, uint64_t cookie,
                                    uint64_t *ret_call)
{
    struct later_call *later = table_find_pointer(&server->later_calls, cookie);
    CHECK(later != NULL);
    struct connection *connection = later->connection;
    *ret_call = later->call;
    if (connection != NULL) {
        LIST_REMOVE(later, entry);
        connection->later_count--;
    }
    table_remove(&server->later_calls, cookie);
    free(later);
    return connection;
}

void submit_server_consent_reply(struct submit_server *server, uint64_t cookie, uint64_t ready_at,
                                 const Assent__V1__ConsentReply *reply)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_CONSENT_REPLY;
    frame.consent_reply = (Assent__V1__ConsentReply *)reply;
    struct connection *connection = end_later(server, cookie, &frame.call);
    if (connection != NULL)
        connection_answer(connection, &frame, ready_at);
}

void submit_server_show_reply(struct submit_server *server, uint64_t cookie,
                              const Assent__V1__ShowReply *reply)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_SHOW_REPLY;
    frame.show_reply = (Assent__V1__ShowReply *)reply;
    struct connection *connection = end_later(server, cookie, &frame.call);
    if (connection != NULL)
        connection_answer(connection, &frame, 0);
}

/* Reading -------------------------------------------------------------------------------------- */

static uint32_t frame_limit(const struct connection *connection)
{
    return connection->state == CONNECTION_NEW ? HELLO_FRAME_MAX : FRAME_MAX;
}

static bool whole_frame_waits(const struct connection *connection)
{
    struct span body;
    return frame_look(buffer_span(&connection->input), frame_limit(connection), &body) !=
           FRAME_MORE;
}

static bool may_serve(const struct connection *connection)
{
    size_t output = buffer_length(&connection->output) + buffer_length(&connection->held);
    return connection->state < CONNECTION_CLOSING && output < CLIENT_OUTPUT_MAX / 2 &&
           connection->held_count + connection->later_count < CLIENT_CALLS_MAX;
}

/* After every change: whether the link is read, and until when a frame that has begun must be whole. */
static void settle_reading(struct connection *connection, struct instant now)
{
    if (connection->state >= CONNECTION_CLOSING)
        return;
    bool whole = whole_frame_waits(connection);
    bool enough = whole && buffer_length(&connection->input) >= INPUT_WANTED;
    bool reading = may_serve(connection) && !connection->stalled && !enough;
    link_set_reading(connection->link, reading);
    if (connection->state == CONNECTION_NEW)
        return; /* the deadline is that of Hello */
    if (whole || !reading || buffer_length(&connection->input) == 0)
        connection->deadline_us = 0;
    else if (connection->deadline_us == 0)
        connection->deadline_us = now.mono_us + FRAME_TIMEOUT_MS * US_PER_MS;
}

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

/* Serving -------------------------------------------------------------------------------------- */

static void consume_input(struct connection *connection, size_t length)
{
    if (connection->state >= CONNECTION_CLOSING)
        return; /* its input is dropped already */
    buffer_consume(&connection->input, length);
    connection->server->input_octets -= length;
    if (connection->state == CONNECTION_OPEN)
        connection->deadline_us = 0;
}

/* True when a frame was served; *cost grows by what it cost. */
static bool serve_frame(struct connection *connection, struct instant now, size_t *cost)
{
    if (!may_serve(connection))
        return false;
    struct span body;
    switch (frame_look(buffer_span(&connection->input), frame_limit(connection), &body)) {
    case FRAME_MORE:
        return false;
    case FRAME_EMPTY:
        connection_fail(connection, 0, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                        "a frame of length 0; send a 4-byte big-endian length, then a Frame");
        return false;
    case FRAME_TOO_LONG:
        connection_fail(connection, 0, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                        connection->state == CONNECTION_NEW
                            ? "the first frame must be a Hello of at most 4,096 octets"
                            : "a frame of more than 4 MiB; send fewer messages in a Submit");
        return false;
    case FRAME_WHOLE:
        break;
    }
    size_t length = FRAME_HEADER + body.length; /* the input may be gone after serving */
    connection->stalled = connection_serve(connection, body, now) == CALL_NOT_NOW;
    if (connection->stalled)
        return false;
    consume_input(connection, length);
    *cost += length + FRAME_COST;
    return true;
}

/* Serves up to `frames`; true when more are waiting that could be served now. */
static bool serve_frames(struct connection *connection, unsigned frames, struct instant now,
                         size_t *cost)
{
    while (frames-- > 0)
        if (!serve_frame(connection, now, cost))
            return false;
    return may_serve(connection) && whole_frame_waits(connection);
}

static void serve_small(struct submit_server *server, struct instant now)
{
    struct connection *connection;
    size_t cost = 0;
    TAILQ_FOREACH(connection, &server->work, work)
    {
        if (buffer_length(&connection->input) <= SMALL_INPUT)
            (void)serve_frames(connection, SMALL_FRAMES, now, &cost);
    }
}

/* By turns, until the budget is used or nobody has anything. Who was served goes to the end of the
 * queue, so that the next sweep begins with somebody else. */
static void serve_bulk(struct submit_server *server, struct instant now)
{
    size_t cost = 0;
    for (bool more = true; more && cost < SWEEP_OCTETS;) {
        more = false;
        struct connection *connection, *next, *last = TAILQ_LAST(&server->work, connection_list);
        for (connection = TAILQ_FIRST(&server->work); connection != NULL && cost < SWEEP_OCTETS;
             connection = next) {
            next = connection == last ? NULL : TAILQ_NEXT(connection, work);
            if (buffer_length(&connection->input) == 0)
                continue;
            more |= serve_frames(connection, BULK_FRAMES, now, &cost);
            TAILQ_REMOVE(&server->work, connection, work);
            TAILQ_INSERT_TAIL(&server->work, connection, work);
        }
    }
}

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
    serve_small(server, now);
    serve_bulk(server, now);
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
    if (shutdown(link_socket(connection->link), SHUT_WR) != 0)
        connection_die(connection);
}

/* True when the connection has something to do before any new event. */
static bool turn_connection(struct connection *connection, struct instant now)
{
    if (connection->state == CONNECTION_DEAD)
        return false;
    release_answers(connection);
    bool watching = connection->state == CONNECTION_OPEN && watch_advance(connection);
    write_output(connection);
    settle_reading(connection, now);
    bool serving = may_serve(connection) && !connection->stalled && whole_frame_waits(connection);
    if (!serving && !connection->stalled && connection->held_count == 0 &&
        connection->watch == NULL)
        connection_rest(connection);
    return watching || serving;
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
    if (patient && !server->draining)
        return;
    struct connection *connection;
    TAILQ_FOREACH(connection, &server->work, work)
    {
        connection->stalled = false;
    }
}

void submit_server_turn(struct submit_server *server, struct instant now, uint64_t durable,
                        uint64_t next)
{
    server->durable = durable;
    server->next = next;
    resume_stalled(server, now);
    bool again = false;
    struct connection *connection, *behind;
    for (connection = TAILQ_FIRST(&server->work); connection != NULL; connection = behind) {
        behind = TAILQ_NEXT(connection, work);
        again |= turn_connection(connection, now);
    }
    free_dead(server);
    if (again)
        event_active(server->sweep, 0, 0);
}

/* Life ----------------------------------------------------------------------------------------- */

static bool listen_everywhere(struct submit_server *server, const char **ret_why)
{
    for (uint16_t i = 0; i < server->config->listener_count; i++) {
        server->listeners[i] = link_listen(server->base, server->config->listeners[i].address,
                                           on_accepted, server, ret_why);
        if (server->listeners[i] == NULL)
            return false;
    }
    return true;
}

struct submit_server *submit_server_new(struct event_base *base, const struct config *config,
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
    server->sweep = event_new(base, -1, 0, on_sweep, server);
    server->tick = event_new(base, -1, EV_PERSIST, on_tick, server);
    CHECK(server->sweep != NULL && server->tick != NULL);
    struct timeval second = {.tv_sec = 1};
    event_add(server->tick, &second);
    server->listeners = check_calloc(config->listener_count + 1u, sizeof *server->listeners);
    if (listen_everywhere(server, ret_why))
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
    for (size_t i = 0; i < server->later_calls.capacity; i++)
        if (server->later_calls.slots[i].key != 0)
            free((void *)(uintptr_t)server->later_calls.slots[i].value);
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
    free(server->listeners);
    free(server->data_dir);
    free(server);
}

void submit_server_drain(struct submit_server *server)
{
    server->draining = true;
    stop_listening(server);
}

bool submit_server_drained(const struct submit_server *server)
{
    for (int state = CONNECTION_OPEN; state <= CONNECTION_CLOSING; state++) {
        const struct connection *connection;
        TAILQ_FOREACH(connection, &server->by_state[state], entry)
        {
            if (connection->held_count > 0 || connection->later_count > 0 ||
                buffer_length(&connection->output) > 0)
                return false;
        }
    }
    return true;
}

int submit_server_port(const struct submit_server *server, uint16_t index)
{
    return server->listeners[index] ? link_listener_port(server->listeners[index]) : 0;
}

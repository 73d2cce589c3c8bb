/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: its state, its answers, and the calls that the engine answers later. */
#include "gateway/submit_connection.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "proto/base/check.h"
#include "proto/base/log.h"

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

void connection_rest(struct connection *connection)
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
    bulk_drop(connection);
}

static void stop_watch(struct connection *connection)
{
    watch_end(connection);
    connection->watch = NULL;
}

/* The link goes at once, the memory at the end of the turn. */
void connection_die(struct connection *connection)
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

void connection_free(struct connection *connection)
{
    CHECK(connection->state == CONNECTION_DEAD);
    for (struct later_call *later = LIST_FIRST(&connection->later_calls); later != NULL;
         later = LIST_NEXT(later, entry))
        later->connection = NULL;
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

struct connection *connection_new(struct submit_server *server, struct link *link)
{
    struct connection *connection = check_calloc(1, sizeof *connection);
    connection->server = server;
    connection->link = link;
    connection->peer_uid = peer_uid(link_socket(link));
    connection->deadline_us = clock_mono_us() + HELLO_TIMEOUT_MS * US_PER_MS;
    buffer_init(&connection->input, CONNECTION_INPUT_MAX);
    buffer_init(&connection->held, CLIENT_OUTPUT_MAX);
    buffer_init(&connection->output, CLIENT_OUTPUT_MAX);
    LIST_INIT(&connection->later_calls);
    TAILQ_INSERT_TAIL(&server->by_state[CONNECTION_NEW], connection, entry);
    server->count[CONNECTION_NEW]++;
    return connection;
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

void connection_release_answers(struct connection *connection)
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
    for (const struct later_call *later = LIST_FIRST(&connection->later_calls); later != NULL;
         later = LIST_NEXT(later, entry))
        if (later->call == call)
            return true;
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

void submit_server_complaint_reply(struct submit_server *server, uint64_t cookie, uint64_t ready_at,
                                   const Assent__V1__ComplaintReply *reply)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_COMPLAINT_REPLY;
    frame.complaint_reply = (Assent__V1__ComplaintReply *)reply;
    struct connection *connection = end_later(server, cookie, &frame.call);
    if (connection != NULL)
        connection_answer(connection, &frame, ready_at);
}

void submit_server_reputation_reply(struct submit_server *server, uint64_t cookie,
                                    uint64_t ready_at, const Assent__V1__ReputationReply *reply)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_REPUTATION_REPLY;
    frame.reputation_reply = (Assent__V1__ReputationReply *)reply;
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

void submit_server_preflight_reply(struct submit_server *server, uint64_t cookie,
                                   const Assent__V1__PreflightReply *reply)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_PREFLIGHT_REPLY;
    frame.preflight_reply = (Assent__V1__PreflightReply *)reply;
    struct connection *connection = end_later(server, cookie, &frame.call);
    if (connection != NULL)
        connection_answer(connection, &frame, 0);
}

void connection_end_later(struct connection *connection, uint64_t cookie)
{
    uint64_t call;
    (void)end_later(connection->server, cookie, &call);
}

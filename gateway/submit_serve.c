/* SPDX-License-Identifier: Apache-2.0 */
/* Who may be read, and who is served first: every connection with little input, so that a login code
 * does not wait behind a campaign, then the others by turns until the sweep's budget is used. A
 * connection that may not be read (too many calls unanswered, too much unread output, an engine that
 * takes nothing) is simply not read: the kernel tells its client to wait. */
#include "gateway/submit_connection.h"

#define INPUT_WANTED (256u << 10) /* above it, with a whole frame waiting, nothing more is read */
#define SMALL_INPUT  (8u << 10)   /* a connection with less waiting goes first */
#define SMALL_FRAMES 8            /* frames of a small connection in one sweep */
#define SWEEP_OCTETS                                                                               \
    (16u << 10)        /* bulk served in one sweep: about 125 messages, half a ms of engine */
#define FRAME_COST 128 /* octets that a frame counts for besides its own */

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

void submit_settle_reading(struct connection *connection, struct instant now)
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

bool submit_has_work(const struct connection *connection)
{
    return may_serve(connection) && !connection->stalled && whole_frame_waits(connection);
}

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
    if (!may_serve(connection) || connection->stalled)
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
    enum call_result result = connection_serve(connection, body, now);
    connection->stalled = result == CALL_NOT_NOW;
    if (result != CALL_TAKEN)
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
    size_t cost = 0;
    for (struct connection *connection = TAILQ_FIRST(&server->work); connection != NULL;
         connection = TAILQ_NEXT(connection, work))
        if (buffer_length(&connection->input) <= SMALL_INPUT)
            (void)serve_frames(connection, SMALL_FRAMES, now, &cost);
}

/* By turns, until the budget is used, nobody has anything, or a large Submit has had its slice of
 * this sweep. Who was served goes to the end of the queue, so that the next sweep begins with somebody
 * else. */
static void serve_bulk(struct submit_server *server, struct instant now)
{
    size_t cost = 0;
    if (server->bulk.connection != NULL) {
        (void)serve_frame(server->bulk.connection, now, &cost);
        return;
    }
    for (bool more = true; more && cost < SWEEP_OCTETS;) {
        more = false;
        struct connection *connection, *next, *last = TAILQ_LAST(&server->work, connection_list);
        for (connection = TAILQ_FIRST(&server->work);
             connection != NULL && cost < SWEEP_OCTETS && server->bulk.connection == NULL;
             connection = next) {
            next = connection == last ? NULL : TAILQ_NEXT(connection, work);
            if (buffer_length(&connection->input) == 0)
                continue;
            more |= serve_frames(connection, 1, now, &cost);
            TAILQ_REMOVE(&server->work, connection, work);
            TAILQ_INSERT_TAIL(&server->work, connection, work);
        }
        more = more && server->bulk.connection == NULL;
    }
}

void submit_sweep(struct submit_server *server, struct instant now)
{
    serve_small(server, now);
    serve_bulk(server, now);
}

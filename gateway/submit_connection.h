/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the submission server: what its files share. submit_server.c has the order of a turn,
 * submit_connection.c states and answers, submit_serve.c says who may be read and who is first,
 * submit_calls.c decodes and answers, submit_status.c tells the gateway's state, submit_hello.c knows
 * who is who, submit_watch.c follows the ledger. Nobody else includes this.
 *
 * A connection is on exactly one list of the server, that of its state; only connection_set_state()
 * moves it. A connection with something to do in the next turn is on the work queue too. Nothing is
 * freed but the dead, at the end of submit_server_turn(). */
#ifndef GATEWAY_SUBMIT_CONNECTION_H
#define GATEWAY_SUBMIT_CONNECTION_H

#include <sys/queue.h>

#include "gateway/submit_server.h"
#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/table.h"
#include "proto/frame.h"
#include "smpp/link.h"

struct watch;

enum connection_state {
    CONNECTION_NEW, /* before Hello */
    CONNECTION_OPEN,
    CONNECTION_CLOSING, /* last words are being written; what comes in is dropped */
    CONNECTION_DEAD,    /* to be freed at the end of the turn */
};
#define CONNECTION_STATES 4

/* An answer that waits in connection.held until the ledger is durable up to `ready_at`. */
struct held_answer {
    uint64_t call;
    uint64_t ready_at;
    size_t length;
};

/* A call that the engine answers later. Found by its cookie; `connection` is NULL when the client
 * went away meanwhile. */
struct later_call {
    LIST_ENTRY(later_call) entry;
    uint64_t cookie;
    uint64_t call;
    struct connection *connection;
};

LIST_HEAD(later_call_list, later_call);

struct connection {
    TAILQ_ENTRY(connection) entry; /* list of its state */
    TAILQ_ENTRY(connection) work;
    bool has_work;
    enum connection_state state;
    struct submit_server *server;
    struct link *link;
    int64_t peer_uid; /* of a Unix socket; -1 otherwise */
    uint16_t client;  /* index, or CLIENT_OPERATOR; valid when OPEN */
    bool stalled;     /* its next frame is a Submit that the engine cannot take now */
    bool shut;        /* CLOSING: everything is written, the peer's close is awaited */
    struct buffer input;
    struct buffer held;               /* answers that are not durable yet, in order */
    struct buffer output;             /* the link's */
    struct held_answer *held_answers; /* a ring of CLIENT_CALLS_MAX */
    uint32_t held_first, held_count;
    struct later_call_list later_calls;
    uint32_t later_count;
    struct watch *watch;  /* NULL for none */
    uint64_t deadline_us; /* of Hello, of a frame that has begun, of CLOSING; 0 for none */
};

TAILQ_HEAD(connection_list, connection);

/* A large Submit that is being served, a slice in each turn, so that codes, replies and Redis do not
 * wait behind a campaign. Its frame stays in the connection's input until it is served whole. */
struct bulk {
    struct connection *connection; /* NULL for none */
    Assent__V1__Frame *frame;      /* in `arena` */
    struct arena arena;
    size_t served;
    uint64_t ready_at;
    Assent__V1__Verdict verdicts[SUBMIT_MESSAGES_MAX];
};

struct submit_server {
    const struct config *config;
    struct engine *engine;
    char *data_dir;
    struct event_base *base;
    struct link_listener **listeners;
    struct event *sweep; /* runs behind the links' events of a pass */
    struct event *tick;  /* once a second: deadlines */
    struct connection_list by_state[CONNECTION_STATES];
    uint32_t count[CONNECTION_STATES];
    struct connection_list work;
    struct table later_calls; /* cookie -> struct later_call */
    uint64_t last_cookie;
    size_t input_octets; /* in all input buffers */
    uint64_t started_us;
    uint64_t refusing_since_us; /* 0 while the engine takes submissions */
    uint64_t durable, next;     /* of the ledger, as of the last turn */
    uint64_t turn_us;           /* when the last turn was */
    uint64_t turn_span_us;      /* how long it took, while there is other work; else 0 */
    uint64_t busy_until_us;     /* there is: records came a moment ago */
    unsigned watchers;
    bool draining;
    struct arena arena; /* one frame */
    struct bulk bulk;
    Assent__V1__Verdict verdicts[SUBMIT_MESSAGES_MAX];
    Assent__V1__Verdict *verdict_pointers[SUBMIT_MESSAGES_MAX];
    Assent__V1__MessageStatus statuses[SUBMIT_MESSAGES_MAX];
    Assent__V1__MessageStatus *status_pointers[SUBMIT_MESSAGES_MAX];
};

/* submit_connection.c */

#define CONNECTION_INPUT_MAX (FRAME_HEADER + FRAME_MAX + (512u << 10)) /* a frame and two reads */

struct connection *connection_new(struct submit_server *server, struct link *link);

/* NEW becomes OPEN; `client` is set. */
void connection_open(struct connection *connection);

/* Makes the next turn look at it, or not. */
void connection_wake(struct connection *connection);
void connection_rest(struct connection *connection);

/* Closes at once; the memory stays until connection_free(), at the end of the turn. */
void connection_die(struct connection *connection);
void connection_free(struct connection *connection);

/* Moves answers that have become durable from held to output, in order. */
void connection_release_answers(struct connection *connection);

/* Appends an answer; it leaves when the ledger is durable up to `ready_at`. An answer that finds no
 * room ends the connection. `frame->call` must be set. */
void connection_answer(struct connection *connection, const Assent__V1__Frame *frame,
                       uint64_t ready_at);
void connection_fail_call(struct connection *connection, uint64_t call, Assent__V1__Code code,
                          const char *message);

/* Says why and closes. */
void connection_fail(struct connection *connection, uint64_t call, Assent__V1__Code code,
                     const char *message);

/* True while `call` has not been answered. */
bool connection_has_call(const struct connection *connection, uint64_t call);

/* A cookie for an engine call that answers `call` later; 0 when the server has too many. */
uint64_t connection_add_later(struct connection *connection, uint64_t call);

/* The engine did not take it: the caller answers. */
void connection_end_later(struct connection *connection, uint64_t cookie);

/* submit_serve.c */

/* Decodes and serves what has come, within the budget of one pass. */
void submit_sweep(struct submit_server *server, struct instant now);

/* True when a frame waits that could be served at once. */
bool submit_has_work(const struct connection *connection);

/* After every change: whether the link is read, and until when a frame that has begun must be
 * whole. */
void submit_settle_reading(struct connection *connection, struct instant now);

/* submit_calls.c */

enum call_result {
    CALL_TAKEN,
    CALL_NOT_NOW, /* the frame stays: back-pressure */
    CALL_PARTLY,  /* the frame stays: the rest in the next turn */
};

/* Forgets a Submit of this connection that is served in part. */
void bulk_drop(struct connection *connection);

/* Decodes and serves one frame body. The connection may be CLOSING or DEAD afterwards. */
enum call_result connection_serve(struct connection *connection, struct span body,
                                  struct instant now);

/* submit_status.c */

void status_answer(struct connection *connection, uint64_t call, struct instant now);

/* submit_hello.c */

/* Says who a Hello comes from. False with a sentence in *ret_why, which does not tell whether it
 * was the name or the key. */
MUST_CHECK bool hello_accept(const struct connection *connection,
                             const Assent__V1__HelloRequest *hello, uint16_t *ret_client,
                             const char **ret_why);

/* True when this client may see the events of the program with scope number `scope`. */
bool hello_sees_program(const struct connection *connection, uint32_t scope);

/* submit_watch.c */

/* Starts or refuses (it answers itself). */
void watch_start(struct connection *connection, uint64_t call,
                 const Assent__V1__WatchRequest *request);
uint64_t watch_call(const struct watch *watch);
/* None is fine. */
void watch_end(struct connection *connection);

/* Moves events into the output, a chunk at most. True when there is more to do at once. */
bool watch_advance(struct connection *connection);

#endif

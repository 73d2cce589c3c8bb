/* SPDX-License-Identifier: Apache-2.0 */
/* One SMPP connection, client (ESME) or server (SMSC) role, without I/O: octets in, octets out, time
 * as a parameter. The link (smpp/link.h) or a simulation moves the octets.
 *
 * Invariants
 * - At most `window` requests of ours wait for their answer; each ends exactly once: by its response,
 *   by a generic_nack, by its timeout or by the end of the session. A slot never leaks.
 * - Octets from the peer can close the session; they can never crash it or make it grow.
 * - Handlers run inside session_receive(), session_tick() and session_close(). They may call
 *   session_submit(), session_respond(), session_unbind() and session_close(), never session_free().
 *
 * Ownership: the session owns its buffers. Spans handed to a handler live until it returns. */
#ifndef SMPP_SESSION_H
#define SMPP_SESSION_H

#include "proto/base/bytes.h"
#include "smpp/pdu.h"

enum session_role { SESSION_CLIENT, SESSION_SERVER };
enum session_mode { SESSION_TRANSCEIVER, SESSION_TRANSMITTER, SESSION_RECEIVER };

/* UNBINDING: unbind is sent or answered; requests in flight may still be answered. */
enum session_state {
    SESSION_OPEN,
    SESSION_BINDING,
    SESSION_BOUND,
    SESSION_UNBINDING,
    SESSION_CLOSED
};

/* How a request of ours ended. */
enum request_end {
    REQUEST_ANSWERED, /* command_status and message_id are the peer's */
    REQUEST_NACKED,   /* generic_nack with our sequence number */
    REQUEST_TIMEOUT,  /* no answer in request_timeout; a late one is reported by late_answer */
    REQUEST_LOST,     /* the session ended first: in doubt */
};

struct session_config {
    enum session_role role;
    enum session_mode mode; /* client: what to bind as; server: ignored (the peer's bind says) */
    char system_id[17];     /* client: sent; server: our name in bind_resp. 16 octets at most */
    char password[65];      /* client only; longer than 8 octets is common and sent as it is */
    char system_type[14];
    uint16_t window;             /* 1..WINDOW_MAX requests of ours in flight */
    uint32_t request_timeout_ms; /* 10000 */
    uint32_t enquire_link_ms;    /* 30000; 0 only after a request that was met with silence */
    uint32_t enquire_timeout_ms; /* 10000: no answer in it means a dead peer */
};

struct session;

/* `bound` and `late_answer` may be NULL, and a client's `authenticate`. */
struct session_handlers {
    /* Client: bind_resp with ESME_ROK came. Server: a bind was accepted. */
    void (*bound)(void *context, struct session *session);

    /* Server: may this peer bind? Gives ESME_ROK or the status to refuse with. */
    uint32_t (*authenticate)(void *context, struct session *session, enum session_mode mode,
                             const struct bind_body *bind);

    /* One of our submit_sm (client) or deliver_sm (server) ended. `cookie` is session_submit()'s. */
    void (*request_ended)(void *context, struct session *session, uint64_t cookie,
                          enum request_end end, uint32_t command_status, struct span message_id);

    /* An answer to a request that had timed out. */
    void (*late_answer)(void *context, struct session *session, uint64_t cookie,
                        uint32_t command_status, struct span message_id);

    /* A submit_sm (server), deliver_sm or data_sm (client) came. It must be answered once with
     * session_respond(), now or later. */
    void (*message)(void *context, struct session *session, const struct pdu_header *header,
                    const struct sm_body *body);

    /* The session is over; `why` is session_close()'s or one of "bind_refused" (a server: by us),
     * "bind_timeout", "bad_length", "enquire_timeout", "pdu_timeout" (what began was not whole in
     * PDU_TIMEOUT_MS), "peer_unbound", "unbound", "unbind_timeout", "peer_not_reading";
     * command_status goes with "bind_refused" and is ESME_ROK else. All requests in flight have
     * ended with REQUEST_LOST before this call. Last call for a session. */
    void (*closed)(void *context, struct session *session, const char *why,
                   uint32_t command_status);
};

struct session *session_new(const struct session_config *config,
                            const struct session_handlers *handlers, void *context);
void session_free(struct session *session);

/* The connection stands: a client sends its bind. */
void session_start(struct session *session, uint64_t now_us);

/* Takes octets from the peer; keeps what is not a whole PDU yet. False when the session is now
 * closed (session_output() may still hold a last PDU to write before the socket is closed). While
 * the output has no room for answers, at most SESSION_INPUT_MAX octets are kept; they are acted on
 * by the next call of this (no octets will do) or of session_tick() that finds room. Not from a
 * handler. */
bool session_receive(struct session *session, struct span octets, uint64_t now_us);

/* Timeouts and enquire_link. Gives the time of the next call that is needed. */
uint64_t session_tick(struct session *session, uint64_t now_us);

/* The next session_tick() asks enquire_link, without waiting for its interval, when bound and when none
 * is under way. */
void session_enquire(struct session *session, uint64_t now_us);

/* The connection is gone, or we give up on it: ends requests and calls closed(). Idempotent. */
void session_close(struct session *session, const char *why);

/* Sends unbind and closes when it and all requests in flight are answered, or after 2 s. The peer's
 * unbind is treated in the same way. Before the bind is answered: closes at once. */
void session_unbind(struct session *session, uint64_t now_us);

enum session_state session_state(const struct session *session);
enum session_mode session_mode(const struct session *session);

/* Bound, and the mode lets messages go our way: a client that is not receiver only, a server whose
 * peer is not transmitter only. */
bool session_may_submit(const struct session *session);

/* Free places in the window now. */
size_t session_window_free(const struct session *session);
size_t session_window_used(const struct session *session);

/* Writes a submit_sm (client) or deliver_sm (server) into the output. ERR_FULL: the window or the
 * output buffer is full; ERR_BAD_INPUT: the message cannot be packed; ERR_DENIED: bound the other
 * way; ERR_AWAY: not bound, or unbinding. */
MUST_CHECK enum err session_submit(struct session *session, const struct sm_out *message,
                                   uint64_t cookie, uint64_t now_us);

/* Answers a message() that came. message_id only counts for submit_sm and data_sm. Nothing happens
 * when the session is closed meanwhile. */
void session_respond(struct session *session, const struct pdu_header *request,
                     uint32_t command_status, struct span message_id);

/* Octets to be written to the peer. The caller consumes what it wrote (buffer_consume). */
struct buffer *session_output(struct session *session);

/* For --trace-pdu and the simulated carrier's log: called with every whole PDU, in both directions,
 * before it is acted on. NULL for none. */
typedef void session_tap(void *context, struct session *session, bool outgoing, struct span pdu);
void session_set_tap(struct session *session, session_tap *tap);

void *session_context(const struct session *session);

/* What a peer did that needs no action: for metrics and traces. */
struct session_counts {
    uint64_t unmatched; /* responses to nothing that we wait for */
    uint64_t nacks;     /* generic_nack, with any sequence number */
    uint64_t unknown;   /* commands that were refused as not known or not offered */
    uint64_t malformed; /* PDUs refused for their length or their body */
};
const struct session_counts *session_counts(const struct session *session);

#endif

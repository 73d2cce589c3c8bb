/* SPDX-License-Identifier: Apache-2.0 */
/* What a session is made of: for session.c (output, time, the ends of things) and session_input.c
 * (what the peer sends) alone.
 *
 * Output invariant: octets waiting + `owed` responses at their largest + OUTPUT_RESERVE never pass
 * SESSION_OUTPUT_MAX. A submit that would is refused, and a request of the peer that would stays in
 * the input, so that an answer always finds room. */
#ifndef SMPP_SESSION_STATE_H
#define SMPP_SESSION_STATE_H

#include "smpp/session.h"
#include "smpp/window.h"

#define OUTPUT_RESERVE 1024 /* bind, unbind, the nack before a close */

struct session {
    struct session_config config;
    struct session_handlers handlers;
    void *context;
    session_tap *tap;
    struct session_counts counts;

    enum session_state state;
    enum session_mode mode;
    struct window window;
    struct buffer in; /* a PDU that is not whole yet; all that came since `stalled` */
    struct buffer out;
    uint32_t owed; /* messages of the peer that were not answered yet */
    bool stalled;  /* a request of the peer waits for room in `out` */
    bool receiving;

    uint32_t bind_sequence;
    uint32_t unbind_sequence; /* 0: not sent, or answered */
    const char *unbind_why;

    uint64_t now_us;
    uint64_t heard_us;         /* when the last whole PDU of the peer came */
    uint64_t bind_deadline_us; /* these five: 0 when not set */
    uint64_t unbind_deadline_us;
    uint64_t pdu_deadline_us; /* of the unfinished PDU in `in` */
    uint64_t enquire_at_us;
    uint64_t enquire_deadline_us;
};

/* Whether `length` octets fit beside all answers that are owed. */
bool session_has_room(const struct session *session, size_t length);

void session_send_header(struct session *session, uint32_t command_id, uint32_t command_status,
                         uint32_t sequence_number);

/* Tells the tap of a PDU that was encoded behind `before` octets of output. */
void session_tap_sent(struct session *session, size_t before);

/* Both roles: the session is bound from now on. */
void session_set_bound(struct session *session, enum session_mode mode);

/* The peer's unbind was answered, or ours was sent. */
void session_set_unbinding(struct session *session, const char *why);

/* Closes when nothing is left to wait for after an unbind. */
void session_settle(struct session *session);

void session_end(struct session *session, const char *why, uint32_t command_status);

/* The command_id that binds as `mode`. */
uint32_t session_bind_command(enum session_mode mode);

#endif

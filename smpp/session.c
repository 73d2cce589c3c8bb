/* SPDX-License-Identifier: Apache-2.0 */
/* Life, output and time of a session; what the peer sends is read in session_input.c. */
#include "smpp/session_state.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "smpp/encode.h"

#define UNBIND_TIMEOUT_US  (2 * US_PER_S)
#define REQUEST_TIMEOUT_MS 10000 /* where the configuration has none */
#define ENQUIRE_TIMEOUT_MS 10000

static void expire_requests(struct session *s);
static void keep_alive(struct session *s);
static uint64_t next_time(const struct session *s);

struct session *session_new(const struct session_config *config,
                            const struct session_handlers *handlers, void *context)
{
    CHECK(handlers->message != NULL && handlers->request_ended != NULL && handlers->closed != NULL);
    CHECK(config->role == SESSION_CLIENT || handlers->authenticate != NULL);
    struct session *s = check_calloc(1, sizeof *s);
    s->config = *config;
    s->handlers = *handlers;
    s->context = context;
    s->mode = config->mode;
    if (s->config.request_timeout_ms == 0)
        s->config.request_timeout_ms = REQUEST_TIMEOUT_MS;
    if (s->config.enquire_timeout_ms == 0)
        s->config.enquire_timeout_ms = ENQUIRE_TIMEOUT_MS;
    /* Before a bind a server asks nothing: strangers get little memory. */
    window_init(&s->window, config->role == SESSION_SERVER ? 1 : config->window, 1);
    buffer_init(&s->in, SESSION_INPUT_MAX);
    buffer_init(&s->out, SESSION_OUTPUT_MAX);
    return s;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    CHECK(!session->receiving);
    window_release(&session->window);
    buffer_release(&session->in);
    buffer_release(&session->out);
    explicit_bzero(session->config.password, sizeof session->config.password);
    free(session);
}

static void send_bind(struct session *s)
{
    struct bind_body bind = {
        .system_id = span_from_string(s->config.system_id),
        .password = span_from_string(s->config.password),
        .system_type = span_from_string(s->config.system_type),
        .interface_version = 0x34,
    };
    s->bind_sequence = window_skip_sequence(&s->window);
    enum err err = encode_bind(&s->out, session_bind_command(s->mode), s->bind_sequence, &bind);
    CHECK(err == ERR_OK); /* the fields of the configuration are as long as SMPP allows */
    session_tap_sent(s, 0);
}

void session_start(struct session *session, uint64_t now_us)
{
    CHECK(session->state == SESSION_OPEN);
    session->now_us = now_us;
    session->bind_deadline_us = now_us + BIND_TIMEOUT_MS * US_PER_MS;
    if (session->config.role == SESSION_SERVER)
        return;
    session->state = SESSION_BINDING;
    send_bind(session);
}

void session_enquire(struct session *session, uint64_t now_us)
{
    session->enquire_at_us = now_us;
}

uint64_t session_tick(struct session *session, uint64_t now_us)
{
    struct session *s = session;
    s->now_us = now_us;
    if (s->stalled && session_has_room(s, 0))
        session_receive(s, (struct span){0}, now_us);
    if (s->bind_deadline_us != 0 && now_us >= s->bind_deadline_us)
        session_end(s, "bind_timeout", ESME_ROK);
    if (s->pdu_deadline_us != 0 && now_us >= s->pdu_deadline_us)
        session_end(s, "pdu_timeout", ESME_ROK);
    expire_requests(s);
    if (s->unbind_deadline_us != 0 && now_us >= s->unbind_deadline_us)
        session_end(s, s->unbind_sequence != 0 ? "unbind_timeout" : s->unbind_why, ESME_ROK);
    keep_alive(s);
    return next_time(s);
}

void session_close(struct session *session, const char *why)
{
    session_end(session, why, ESME_ROK);
}

void session_unbind(struct session *session, uint64_t now_us)
{
    session->now_us = now_us;
    if (session->state == SESSION_OPEN || session->state == SESSION_BINDING)
        session_end(session, "unbound", ESME_ROK);
    if (session->state != SESSION_BOUND)
        return;
    session->unbind_sequence = window_skip_sequence(&session->window);
    session_send_header(session, SMPP_UNBIND, ESME_ROK, session->unbind_sequence);
    session_set_unbinding(session, "unbound");
}

enum session_state session_state(const struct session *session)
{
    return session->state;
}

enum session_mode session_mode(const struct session *session)
{
    return session->mode;
}

bool session_may_submit(const struct session *session)
{
    enum session_mode one_way =
        session->config.role == SESSION_CLIENT ? SESSION_RECEIVER : SESSION_TRANSMITTER;
    return session->state == SESSION_BOUND && session->mode != one_way;
}

size_t session_window_free(const struct session *session)
{
    return session->window.size - session->window.flight.count;
}

size_t session_window_used(const struct session *session)
{
    return session->window.flight.count;
}

enum err session_submit(struct session *session, const struct sm_out *message, uint64_t cookie,
                        uint64_t now_us)
{
    struct session *s = session;
    if (!session_may_submit(s))
        return s->state == SESSION_BOUND ? ERR_DENIED : ERR_AWAY;
    if (window_is_full(&s->window) || !session_has_room(s, PDU_MAX))
        return ERR_FULL;
    uint32_t command_id = s->config.role == SESSION_CLIENT ? SMPP_SUBMIT_SM : SMPP_DELIVER_SM;
    size_t before = buffer_length(&s->out);
    enum err err = encode_sm(&s->out, command_id, window_next_sequence(&s->window), message);
    if (err != ERR_OK)
        return err;
    window_add(&s->window, cookie, now_us + s->config.request_timeout_ms * US_PER_MS);
    session_tap_sent(s, before);
    return ERR_OK;
}

void session_respond(struct session *session, const struct pdu_header *request,
                     uint32_t command_status, struct span message_id)
{
    if (session->state == SESSION_CLOSED)
        return;
    CHECK(session->owed > 0); /* each message is answered once */
    session->owed--;
    size_t before = buffer_length(&session->out);
    enum err err = encode_message_resp(&session->out, request->command_id | SMPP_RESPONSE,
                                       command_status, request->sequence_number, message_id);
    CHECK(err == ERR_OK); /* room was kept for it, and our own ids are short */
    session_tap_sent(session, before);
}

struct buffer *session_output(struct session *session)
{
    return &session->out;
}

void session_set_tap(struct session *session, session_tap *tap)
{
    session->tap = tap;
}

void *session_context(const struct session *session)
{
    return session->context;
}

const struct session_counts *session_counts(const struct session *session)
{
    return &session->counts;
}

bool session_has_room(const struct session *session, size_t length)
{
    /* One answer more than owed: that of the request which is asked about. */
    size_t answers = ((size_t)session->owed + 1) * ENCODE_MESSAGE_RESP_MAX;
    return buffer_length(&session->out) + answers + length + OUTPUT_RESERVE <= SESSION_OUTPUT_MAX;
}

void session_send_header(struct session *session, uint32_t command_id, uint32_t command_status,
                         uint32_t sequence_number)
{
    size_t before = buffer_length(&session->out);
    enum err err = encode_header(&session->out, command_id, command_status, sequence_number);
    CHECK(err == ERR_OK);
    session_tap_sent(session, before);
}

void session_tap_sent(struct session *session, size_t before)
{
    if (session->tap == NULL)
        return;
    struct span out = buffer_span(&session->out);
    session->tap(session->context, session, true, span_of(out.data + before, out.length - before));
}

void session_set_bound(struct session *session, enum session_mode mode)
{
    session->state = SESSION_BOUND;
    session->mode = mode;
    session->bind_deadline_us = 0;
    if (session->config.role == SESSION_SERVER) {
        window_release(&session->window);
        window_init(&session->window, session->config.window, 1);
    }
    if (session->config.enquire_link_ms != 0)
        session->enquire_at_us = session->now_us + session->config.enquire_link_ms * US_PER_MS;
    if (session->handlers.bound != NULL)
        session->handlers.bound(session->context, session);
}

void session_set_unbinding(struct session *session, const char *why)
{
    session->state = SESSION_UNBINDING;
    session->unbind_why = why;
    session->unbind_deadline_us = session->now_us + UNBIND_TIMEOUT_US;
    session_settle(session);
}

void session_settle(struct session *session)
{
    if (session->state == SESSION_UNBINDING && session->unbind_sequence == 0 &&
        session->window.flight.count == 0)
        session_end(session, session->unbind_why, ESME_ROK);
}

void session_end(struct session *session, const char *why, uint32_t command_status)
{
    struct session *s = session;
    if (s->state == SESSION_CLOSED)
        return;
    s->state = SESSION_CLOSED;
    struct window_slot *slot;
    while ((slot = window_oldest(&s->window)) != NULL) {
        uint64_t cookie = slot->cookie;
        window_remove(&s->window, slot);
        s->handlers.request_ended(s->context, s, cookie, REQUEST_LOST, ESME_ROK, (struct span){0});
    }
    s->handlers.closed(s->context, s, why, command_status);
}

uint32_t session_bind_command(enum session_mode mode)
{
    switch (mode) {
    case SESSION_TRANSCEIVER:
        return SMPP_BIND_TRANSCEIVER;
    case SESSION_TRANSMITTER:
        return SMPP_BIND_TRANSMITTER;
    case SESSION_RECEIVER:
        return SMPP_BIND_RECEIVER;
    }
    CHECK(false);
}

/* A request that was followed by no sign of life at all is answered by a question: is anybody there?
 * So a dead peer is found where our enquire_link is rare, or off. */
static void expire_requests(struct session *s)
{
    struct window_slot *slot;
    while ((slot = window_oldest(&s->window)) != NULL && slot->deadline_us <= s->now_us) {
        uint64_t cookie = slot->cookie;
        if (s->heard_us <= slot->deadline_us - s->config.request_timeout_ms * US_PER_MS)
            s->enquire_at_us = s->now_us;
        window_expire(&s->window, slot);
        s->handlers.request_ended(s->context, s, cookie, REQUEST_TIMEOUT, ESME_ROK,
                                  (struct span){0});
    }
    session_settle(s);
}

/* Any PDU of the peer clears enquire_deadline_us: one that is busy answering submits may come late
 * to an enquire_link, and is not dead. */
static void keep_alive(struct session *s)
{
    if (s->state != SESSION_BOUND)
        return;
    if (s->enquire_deadline_us != 0 && s->now_us >= s->enquire_deadline_us) {
        session_end(s, "enquire_timeout", ESME_ROK);
        return;
    }
    if (s->enquire_at_us == 0 || s->now_us < s->enquire_at_us)
        return;
    s->enquire_at_us =
        s->config.enquire_link_ms != 0 ? s->now_us + s->config.enquire_link_ms * US_PER_MS : 0;
    if (s->enquire_deadline_us != 0)
        return;
    /* Without room the peer has not read for long: that is no sign of life either. */
    s->enquire_deadline_us = s->now_us + s->config.enquire_timeout_ms * US_PER_MS;
    if (session_has_room(s, SMPP_HEADER_SIZE))
        session_send_header(s, SMPP_ENQUIRE_LINK, ESME_ROK, window_skip_sequence(&s->window));
}

static uint64_t next_time(const struct session *s)
{
    if (s->state == SESSION_CLOSED)
        return UINT64_MAX;
    const struct window_slot *oldest = window_oldest(&s->window);
    bool bound = s->state == SESSION_BOUND;
    const uint64_t times[] = {
        s->bind_deadline_us,
        s->unbind_deadline_us,
        s->pdu_deadline_us,
        bound ? s->enquire_at_us : 0,
        bound ? s->enquire_deadline_us : 0,
        oldest != NULL ? oldest->deadline_us : 0,
    };
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i] != 0 && times[i] < next)
            next = times[i];
    return next;
}

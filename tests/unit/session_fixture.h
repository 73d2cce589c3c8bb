/* SPDX-License-Identifier: Apache-2.0 */
/* Two sessions, a client and a server, each with an owner that notes what it is told, and a scripted
 * peer that says octets to either. */
#ifndef TESTS_UNIT_SESSION_FIXTURE_H
#define TESTS_UNIT_SESSION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "smpp/decode.h"
#include "smpp/encode.h"
#include "smpp/session.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define START        1000000ull

/* What one session told its owner. */
struct owner {
    struct session *session;
    unsigned bound, messages, ended, answered, nacked, timed_out, lost, late, closed, tapped;
    uint64_t cookie;
    uint32_t status;
    char message_id[MESSAGE_ID_MAX + 1];
    const char *why;
    uint32_t closed_status;
    struct pdu_header header; /* of the last message */
    char text[256];
    bool defer;             /* messages are not answered by the handler */
    bool close_in_handler;  /* the first message or end closes the session */
    bool submit_in_handler; /* each end sends another */
    uint32_t verdict;       /* of authenticate */
    char system_id[17];
    enum session_mode asked_mode;
};

static struct owner client, server;
static uint8_t peer_octets[1u << 20]; /* what the scripted peer says next */
static struct writer peer;
static uint64_t now;

static struct sm_out sample(void)
{
    return (struct sm_out){
        .source = {.ton = 5, .digits = "ACME"},
        .destination = {.ton = 1, .npi = 1, .digits = "12025550100"},
        .registered_delivery = 1,
        .short_message = span_from_string("Hello"),
    };
}

static enum err submit(struct owner *owner, uint64_t cookie)
{
    struct sm_out sm = sample();
    return session_submit(owner->session, &sm, cookie, now);
}

/* ---- Handlers ---- */

static void on_bound(void *context, struct session *session)
{
    struct owner *owner = context;
    assert_ptr_equal(session_context(session), owner);
    assert_int_equal(session_state(session), SESSION_BOUND);
    owner->bound++;
}

static uint32_t on_authenticate(void *context, struct session *session, enum session_mode mode,
                                const struct bind_body *bind)
{
    struct owner *owner = context;
    (void)session;
    owner->asked_mode = mode;
    snprintf(owner->system_id, sizeof owner->system_id, "%.*s", (int)bind->system_id.length,
             (const char *)bind->system_id.data);
    return owner->verdict;
}

static void keep_id(struct owner *owner, struct span message_id)
{
    assert_in_range(message_id.length, 0, MESSAGE_ID_MAX);
    snprintf(owner->message_id, sizeof owner->message_id, "%.*s", (int)message_id.length,
             message_id.length > 0 ? (const char *)message_id.data : "");
}

static void on_ended(void *context, struct session *session, uint64_t cookie, enum request_end end,
                     uint32_t command_status, struct span message_id)
{
    struct owner *owner = context;
    assert_int_equal(owner->closed, 0);
    owner->ended++;
    owner->answered += end == REQUEST_ANSWERED;
    owner->nacked += end == REQUEST_NACKED;
    owner->timed_out += end == REQUEST_TIMEOUT;
    owner->lost += end == REQUEST_LOST;
    owner->cookie = cookie;
    owner->status = command_status;
    keep_id(owner, message_id);
    if (owner->close_in_handler)
        session_close(session, "owner");
    if (owner->submit_in_handler && end != REQUEST_LOST)
        assert_int_equal(submit(owner, cookie + 1000), ERR_OK);
}

static void on_late(void *context, struct session *session, uint64_t cookie,
                    uint32_t command_status, struct span message_id)
{
    struct owner *owner = context;
    (void)session;
    owner->late++;
    owner->cookie = cookie;
    owner->status = command_status;
    keep_id(owner, message_id);
}

static void on_message(void *context, struct session *session, const struct pdu_header *header,
                       const struct sm_body *body)
{
    struct owner *owner = context;
    owner->messages++;
    owner->header = *header;
    snprintf(owner->text, sizeof owner->text, "%.*s", (int)body->text.length,
             body->text.length > 0 ? (const char *)body->text.data : "");
    if (owner->close_in_handler)
        session_close(session, "owner");
    if (!owner->defer)
        session_respond(session, header, ESME_ROK, span_from_string("id-1"));
}

static void on_closed(void *context, struct session *session, const char *why,
                      uint32_t command_status)
{
    struct owner *owner = context;
    assert_int_equal(session_state(session), SESSION_CLOSED);
    assert_int_equal(session_window_used(session), 0);
    owner->closed++;
    owner->why = why;
    owner->closed_status = command_status;
}

static void on_tap(void *context, struct session *session, bool outgoing, struct span pdu)
{
    struct owner *owner = context;
    struct pdu_header header;
    (void)session;
    (void)outgoing;
    assert_int_equal(decode_frame(pdu, PDU_MAX, &header), FRAME_WHOLE);
    assert_int_equal(header.command_length, pdu.length);
    owner->tapped++;
}

static const struct session_handlers handlers = {
    .bound = on_bound,
    .authenticate = on_authenticate,
    .request_ended = on_ended,
    .late_answer = on_late,
    .message = on_message,
    .closed = on_closed,
};

/* ---- The two sides ---- */

static struct session_config config(enum session_role role)
{
    return (struct session_config){
        .role = role,
        .mode = SESSION_TRANSCEIVER,
        .system_id = "acme",
        .password = "secret",
        .window = 10,
        .request_timeout_ms = 10000,
        .enquire_link_ms = 30000,
        .enquire_timeout_ms = 10000,
    };
}

static void start(struct owner *owner, struct session_config settings)
{
    session_free(owner->session);
    *owner = (struct owner){0};
    owner->session = session_new(&settings, &handlers, owner);
    session_set_tap(owner->session, on_tap);
    session_start(owner->session, now);
}

static int setup(void **state)
{
    (void)state;
    now = START;
    peer = writer_over(peer_octets, sizeof peer_octets);
    start(&client, config(SESSION_CLIENT));
    start(&server, config(SESSION_SERVER));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    session_free(client.session);
    session_free(server.session);
    client.session = server.session = NULL;
    return 0;
}

/* The next PDU of the output, which is consumed. */
static struct pdu_header next_pdu(struct owner *owner, struct span *ret_pdu)
{
    static uint8_t copy[PDU_MAX];
    struct buffer *out = session_output(owner->session);
    struct pdu_header header;
    assert_int_equal(decode_frame(buffer_span(out), PDU_MAX, &header), FRAME_WHOLE);
    memcpy(copy, buffer_span(out).data, header.command_length);
    buffer_consume(out, header.command_length);
    if (ret_pdu != NULL)
        *ret_pdu = span_of(copy, header.command_length);
    return header;
}

static void expect_pdu(struct owner *owner, uint32_t command_id, uint32_t status, uint32_t sequence)
{
    struct pdu_header header = next_pdu(owner, NULL);
    assert_int_equal(header.command_id, command_id);
    assert_int_equal(header.command_status, status);
    assert_int_equal(header.sequence_number, sequence);
}

static void expect_silence(struct owner *owner)
{
    assert_int_equal(buffer_length(session_output(owner->session)), 0);
}

/* The scripted peer says a PDU with this body. */
static void say(uint32_t command_id, uint32_t status, uint32_t sequence, const void *body,
                size_t length)
{
    write_u32(&peer, (uint32_t)(SMPP_HEADER_SIZE + length));
    write_u32(&peer, command_id);
    write_u32(&peer, status);
    write_u32(&peer, sequence);
    write_octets(&peer, body, length);
    assert_false(peer.failed);
}

static void say_message(uint32_t command_id, uint32_t sequence, const char *text)
{
    struct buffer buffer;
    buffer_init(&buffer, PDU_MAX);
    struct sm_out sm = sample();
    sm.short_message = span_from_string(text);
    assert_int_equal(encode_sm(&buffer, command_id, sequence, &sm), ERR_OK);
    write_octets(&peer, buffer_span(&buffer).data, buffer_length(&buffer));
    buffer_release(&buffer);
}

static void say_bind(uint32_t command_id, uint32_t sequence)
{
    say(command_id, 0, sequence, "acme\0secret\0\0\x34\0\0\0", 17);
}

/* Gives what was said to `owner`, `step` octets at a time, each time in a block of its exact size. */
static bool hear_in_steps(struct owner *owner, size_t step)
{
    size_t length = writer_length(&peer);
    bool open = true;
    for (size_t at = 0; at < length && open; at += step) {
        size_t part = length - at < step ? length - at : step;
        uint8_t *block = malloc(part);
        assert_non_null(block);
        memcpy(block, peer_octets + at, part);
        open = session_receive(owner->session, span_of(block, part), now);
        free(block);
    }
    peer = writer_over(peer_octets, sizeof peer_octets);
    return open;
}

static bool hear(struct owner *owner)
{
    return hear_in_steps(owner, sizeof peer_octets);
}

static void bind_client(void)
{
    struct pdu_header bind = next_pdu(&client, NULL);
    say(bind.command_id | SMPP_RESPONSE, 0, bind.sequence_number, "carrier", 8);
    assert_true(hear(&client));
    assert_int_equal(client.bound, 1);
}

static void bind_server_as(uint32_t command_id)
{
    say_bind(command_id, 1);
    assert_true(hear(&server));
    assert_int_equal(server.bound, 1);
    (void)next_pdu(&server, NULL);
}

static uint32_t submit_and_take_sequence(uint64_t cookie)
{
    assert_int_equal(submit(&client, cookie), ERR_OK);
    struct pdu_header header = next_pdu(&client, NULL);
    assert_int_equal(header.command_id, SMPP_SUBMIT_SM);
    return header.sequence_number;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

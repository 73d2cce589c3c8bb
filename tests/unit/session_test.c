/* SPDX-License-Identifier: Apache-2.0 */
/* The session, in both roles, against scripted peers and against itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "smpp/decode.h"
#include "smpp/encode.h"
#include "smpp/session.h"
#include "smpp/window.h"

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

/* ---- Binding ---- */

static void client_binds_with_its_configuration(void **state)
{
    (void)state;
    assert_int_equal(session_state(client.session), SESSION_BINDING);
    struct span pdu;
    struct pdu_header header = next_pdu(&client, &pdu);
    assert_int_equal(header.command_id, SMPP_BIND_TRANSCEIVER);
    struct bind_body bind;
    assert_int_equal(decode_bind(pdu, &bind), ESME_ROK);
    assert_true(span_equal(bind.system_id, span_from_string("acme")));
    assert_true(span_equal(bind.password, span_from_string("secret")));
    assert_int_equal(bind.interface_version, 0x34);
}

static void bind_resp_with_the_wrong_command_id_is_known_by_its_number(void **state)
{
    (void)state;
    struct pdu_header bind = next_pdu(&client, NULL);
    say(SMPP_BIND_RECEIVER | SMPP_RESPONSE, 0, bind.sequence_number, "carrier", 8);
    assert_true(hear(&client));
    assert_int_equal(client.bound, 1);
    assert_int_equal(session_mode(client.session), SESSION_TRANSCEIVER);
}

static void bind_resp_may_be_a_header_alone(void **state)
{
    (void)state;
    struct pdu_header bind = next_pdu(&client, NULL);
    say(bind.command_id | SMPP_RESPONSE, 0, bind.sequence_number, "", 0);
    assert_true(hear(&client));
    assert_int_equal(client.bound, 1);
}

static void bind_refusal_keeps_the_status(void **state)
{
    (void)state;
    struct pdu_header bind = next_pdu(&client, NULL);
    say(bind.command_id | SMPP_RESPONSE, ESME_RINVPASWD, bind.sequence_number, "", 0);
    assert_false(hear(&client));
    assert_int_equal(client.bound, 0);
    assert_string_equal(client.why, "bind_refused");
    assert_int_equal(client.closed_status, ESME_RINVPASWD);
}

static void nack_of_the_bind_is_a_refusal(void **state)
{
    (void)state;
    say(SMPP_GENERIC_NACK, ESME_RINVCMDID, 0, "", 0);
    assert_false(hear(&client));
    assert_string_equal(client.why, "bind_refused");
    assert_int_equal(client.closed_status, ESME_RINVCMDID);
}

static void deliver_sm_in_the_same_read_as_bind_resp(void **state)
{
    (void)state;
    struct pdu_header bind = next_pdu(&client, NULL);
    say(bind.command_id | SMPP_RESPONSE, 0, bind.sequence_number, "carrier", 8);
    say_message(SMPP_DELIVER_SM, 1, "STOP");
    assert_true(hear(&client));
    assert_int_equal(client.messages, 1);
    assert_string_equal(client.text, "STOP");
    expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, 0, 1);
}

static void client_gives_up_on_a_silent_bind(void **state)
{
    (void)state;
    assert_int_equal(session_tick(client.session, now), START + BIND_TIMEOUT_MS * US_PER_MS);
    session_tick(client.session, START + BIND_TIMEOUT_MS * US_PER_MS - 1);
    assert_int_equal(client.closed, 0);
    assert_int_equal(session_tick(client.session, START + BIND_TIMEOUT_MS * US_PER_MS), UINT64_MAX);
    assert_string_equal(client.why, "bind_timeout");
}

static void server_closes_a_peer_that_does_not_bind(void **state)
{
    (void)state;
    say(SMPP_ENQUIRE_LINK, 0, 1, "", 0);
    assert_true(hear(&server));
    session_tick(server.session, START + BIND_TIMEOUT_MS * US_PER_MS);
    assert_string_equal(server.why, "bind_timeout");
}

static void server_binds_each_mode_with_its_own_response(void **state)
{
    (void)state;
    static const struct {
        uint32_t command_id;
        enum session_mode mode;
        bool may_submit;
    } rows[] = {
        {SMPP_BIND_TRANSCEIVER, SESSION_TRANSCEIVER, true},
        {SMPP_BIND_TRANSMITTER, SESSION_TRANSMITTER, false},
        {SMPP_BIND_RECEIVER, SESSION_RECEIVER, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        start(&server, config(SESSION_SERVER));
        say_bind(rows[i].command_id, 5);
        assert_true(hear(&server));
        expect_pdu(&server, rows[i].command_id | SMPP_RESPONSE, 0, 5);
        assert_string_equal(server.system_id, "acme");
        assert_int_equal(server.asked_mode, rows[i].mode);
        assert_int_equal(session_mode(server.session), rows[i].mode);
        assert_int_equal(session_may_submit(server.session), rows[i].may_submit);
    }
}

static void server_refuses_with_the_status_of_authenticate(void **state)
{
    (void)state;
    server.verdict = ESME_RINVPASWD;
    say_bind(SMPP_BIND_TRANSCEIVER, 5);
    say_message(SMPP_SUBMIT_SM, 6, "never read");
    assert_false(hear(&server));
    expect_pdu(&server, SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, ESME_RINVPASWD, 5);
    expect_silence(&server);
    assert_string_equal(server.why, "bind_refused");
    assert_int_equal(server.bound, 0);
    assert_int_equal(server.messages, 0);
}

static void second_bind_is_already_bound(void **state)
{
    (void)state;
    bind_server_as(SMPP_BIND_TRANSCEIVER);
    say_bind(SMPP_BIND_TRANSMITTER, 2);
    assert_true(hear(&server));
    expect_pdu(&server, SMPP_BIND_TRANSMITTER | SMPP_RESPONSE, ESME_RALYBND, 2);
    assert_int_equal(server.bound, 1);
}

/* ---- Requests of the peer ---- */

static void enquire_link_is_answered_in_any_state(void **state)
{
    (void)state;
    (void)next_pdu(&client, NULL);
    say(SMPP_ENQUIRE_LINK, 0, 0, "", 0);
    say(SMPP_ENQUIRE_LINK, 0, 0xfffffffe, "", 0);
    assert_true(hear(&client));
    expect_pdu(&client, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 0);
    expect_pdu(&client, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 0xfffffffe);
    say(SMPP_ENQUIRE_LINK, 0, 3, "", 0);
    assert_true(hear(&server));
    expect_pdu(&server, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 3);
    bind_server_as(SMPP_BIND_RECEIVER);
    assert_int_equal(submit(&server, 1), ERR_OK);
    (void)next_pdu(&server, NULL);
    session_unbind(server.session, now);
    (void)next_pdu(&server, NULL);
    say(SMPP_ENQUIRE_LINK, 0, 4, "", 0);
    assert_true(hear(&server));
    expect_pdu(&server, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 4);
}

static void unknown_command_is_nacked_and_life_goes_on(void **state)
{
    (void)state;
    bind_client();
    say(0x00000111, 0, 77, "whatever", 8);
    say_message(SMPP_DELIVER_SM, 78, "after");
    assert_true(hear(&client));
    expect_pdu(&client, SMPP_GENERIC_NACK, ESME_RINVCMDID, 77);
    expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, 0, 78);
    assert_int_equal(session_counts(client.session)->unknown, 1);
}

static void bad_length_is_nacked_and_closes(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 15, PDU_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        start(&client, config(SESSION_CLIENT));
        bind_client();
        (void)!submit(&client, 5);
        (void)next_pdu(&client, NULL);
        write_u32(&peer, lengths[i]);
        assert_false(hear(&client));
        expect_pdu(&client, SMPP_GENERIC_NACK, ESME_RINVCMDLEN, 0);
        assert_string_equal(client.why, "bad_length");
        assert_int_equal(client.lost, 1);
        assert_false(session_receive(client.session, span_of(lengths, 4), now));
    }
}

static void before_the_bind_pdus_are_small(void **state)
{
    (void)state;
    static const uint8_t body[PDU_UNBOUND_MAX];
    say(SMPP_ENQUIRE_LINK, 0, 1, body, PDU_UNBOUND_MAX - SMPP_HEADER_SIZE);
    assert_true(hear(&server));
    expect_pdu(&server, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 1);
    say(SMPP_ENQUIRE_LINK, 0, 2, body, PDU_UNBOUND_MAX - SMPP_HEADER_SIZE + 1);
    assert_false(hear(&server));
    assert_string_equal(server.why, "bad_length");
}

static void pdu_of_pdu_max_is_taken_when_bound(void **state)
{
    (void)state;
    static const uint8_t body[PDU_MAX];
    bind_client();
    say(SMPP_ENQUIRE_LINK, 0, 1, body, PDU_MAX - SMPP_HEADER_SIZE);
    assert_true(hear_in_steps(&client, 1000));
    expect_pdu(&client, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 1);
}

static void messages_before_the_bind_are_refused(void **state)
{
    (void)state;
    (void)next_pdu(&client, NULL);
    say_message(SMPP_DELIVER_SM, 1, "early");
    assert_true(hear(&client));
    expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, ESME_RINVBNDSTS, 1);
    say_message(SMPP_SUBMIT_SM, 2, "early");
    assert_true(hear(&server));
    expect_pdu(&server, SMPP_SUBMIT_SM | SMPP_RESPONSE, ESME_RINVBNDSTS, 2);
    assert_int_equal(client.messages + server.messages, 0);
}

static void receiver_only_session_may_not_submit(void **state)
{
    (void)state;
    bind_server_as(SMPP_BIND_RECEIVER);
    say_message(SMPP_SUBMIT_SM, 2, "no");
    assert_true(hear(&server));
    expect_pdu(&server, SMPP_SUBMIT_SM | SMPP_RESPONSE, ESME_RINVBNDSTS, 2);
    struct session_config receiver = config(SESSION_CLIENT);
    receiver.mode = SESSION_RECEIVER;
    start(&client, receiver);
    assert_int_equal(submit(&client, 1), ERR_AWAY);
    bind_client();
    assert_int_equal(submit(&client, 1), ERR_DENIED);
    assert_false(session_may_submit(client.session));
    assert_int_equal(session_window_used(client.session), 0);
}

static void services_that_are_not_offered_have_their_own_response(void **state)
{
    (void)state;
    static const uint32_t ids[] = {SMPP_QUERY_SM, SMPP_CANCEL_SM, SMPP_REPLACE_SM,
                                   SMPP_SUBMIT_MULTI, SMPP_DELIVER_SM};
    bind_server_as(SMPP_BIND_TRANSCEIVER);
    for (size_t i = 0; i < COUNT(ids); i++) {
        say(ids[i], 0, 9, "id\0\0\0\0", 6);
        assert_true(hear(&server));
        expect_pdu(&server, ids[i] | SMPP_RESPONSE, ESME_RINVCMDID, 9);
    }
}

static void malformed_message_is_refused_alone(void **state)
{
    (void)state;
    bind_client();
    say(SMPP_DELIVER_SM, 0, 1, "\0\0\0", 3);
    say_message(SMPP_DELIVER_SM, 2, "good");
    assert_true(hear(&client));
    expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, ESME_RINVCMDLEN, 1);
    expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, 0, 2);
    assert_int_equal(client.messages, 1);
    assert_int_equal(session_counts(client.session)->malformed, 1);
}

static void sequence_numbers_of_a_peer_may_be_anything(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0, 0x80000000, UINT32_MAX};
    bind_client();
    for (size_t i = 0; i < COUNT(numbers); i++) {
        say_message(SMPP_DELIVER_SM, numbers[i], "hi");
        assert_true(hear(&client));
        expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, 0, numbers[i]);
    }
}

static void data_sm_is_a_message_for_both_roles(void **state)
{
    (void)state;
    static const char body[] = "\0\1\1"
                               "12025550101\0\1\1"
                               "12025550100\0\0\0\0\x04\x24\0\4STOP";
    bind_client();
    bind_server_as(SMPP_BIND_TRANSCEIVER);
    struct owner *owners[] = {&client, &server};
    for (size_t i = 0; i < COUNT(owners); i++) {
        say(SMPP_DATA_SM, 0, 4, body, sizeof body - 1);
        assert_true(hear(owners[i]));
        assert_string_equal(owners[i]->text, "STOP");
        struct span pdu;
        assert_int_equal(next_pdu(owners[i], &pdu).command_id, SMPP_DATA_SM | SMPP_RESPONSE);
        assert_true(span_equal(decode_message_id(pdu), span_from_string("id-1")));
    }
}

static void message_may_be_answered_later(void **state)
{
    (void)state;
    bind_client();
    client.defer = true;
    say_message(SMPP_DELIVER_SM, 42, "STOP");
    assert_true(hear(&client));
    expect_silence(&client);
    session_respond(client.session, &client.header, ESME_RX_T_APPN, (struct span){0});
    expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, ESME_RX_T_APPN, 42);
    say_message(SMPP_DELIVER_SM, 43, "STOP");
    assert_true(hear(&client));
    session_close(client.session, "owner");
    session_respond(client.session, &client.header, ESME_ROK, (struct span){0});
    expect_silence(&client);
}

static void outbind_and_alert_notification_pass_in_silence(void **state)
{
    (void)state;
    bind_client();
    say(SMPP_OUTBIND, 0, 1, "a\0b", 4);
    say(SMPP_ALERT_NOTIFICATION, 0, 2, "\1\1x\0\1\1y", 8);
    assert_true(hear(&client));
    expect_silence(&client);
}

/* ---- Our requests ---- */

static void answers_are_matched_by_number_in_any_order(void **state)
{
    (void)state;
    bind_client();
    uint32_t first = submit_and_take_sequence(100);
    uint32_t second = submit_and_take_sequence(200);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, second, "b", 2);
    assert_true(hear(&client));
    assert_int_equal(client.cookie, 200);
    assert_string_equal(client.message_id, "b");
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, first, "a", 2);
    assert_true(hear(&client));
    assert_int_equal(client.cookie, 100);
    assert_int_equal(client.answered, 2);
    assert_int_equal(session_window_used(client.session), 0);
}

static void submit_sm_resp_with_and_without_a_body(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *body;
        size_t length;
        const char *id;
    } rows[] = {
        {0, "", 0, ""},
        {0, "", 1, ""},
        {0, "id", 3, "id"},
        {0x45, "", 0, ""},
        {0x45, "", 1, ""},
        {0x404, "id", 2, "id"},
        {ESME_RTHROTTLED, "", 0, ""},
        {UINT32_MAX, "", 0, ""},
    };
    bind_client();
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t sequence = submit_and_take_sequence(i);
        say(SMPP_SUBMIT_SM | SMPP_RESPONSE, rows[i].status, sequence, rows[i].body, rows[i].length);
        assert_true(hear(&client));
        assert_int_equal(client.answered, i + 1);
        assert_int_equal(client.cookie, i);
        assert_int_equal(client.status, rows[i].status);
        assert_string_equal(client.message_id, rows[i].id);
    }
}

static void answers_to_nothing_are_counted(void **state)
{
    (void)state;
    bind_client();
    uint32_t sequence = submit_and_take_sequence(1);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequence + 1, "x", 2);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, 0, "x", 2);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequence, "x", 2);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequence, "x", 2);
    assert_true(hear(&client));
    assert_int_equal(client.ended, 1);
    assert_int_equal(session_counts(client.session)->unmatched, 3);
}

static void generic_nack_frees_the_slot(void **state)
{
    (void)state;
    bind_client();
    uint32_t sequence = submit_and_take_sequence(7);
    say(SMPP_GENERIC_NACK, ESME_RSYSERR, 0, "", 0);
    assert_true(hear(&client));
    assert_int_equal(client.ended, 0);
    say(SMPP_GENERIC_NACK, ESME_RSYSERR, sequence, "", 0);
    assert_true(hear(&client));
    assert_int_equal(client.nacked, 1);
    assert_int_equal(client.cookie, 7);
    assert_int_equal(client.status, ESME_RSYSERR);
    assert_int_equal(session_window_free(client.session), 10);
    assert_int_equal(session_counts(client.session)->nacks, 2);
}

static void window_is_never_passed(void **state)
{
    (void)state;
    bind_client();
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(session_window_free(client.session), 10 - i);
        assert_int_equal(submit(&client, i), ERR_OK);
    }
    assert_int_equal(submit(&client, 10), ERR_FULL);
    struct pdu_header header = next_pdu(&client, NULL);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, header.sequence_number, "x", 2);
    assert_true(hear(&client));
    assert_int_equal(submit(&client, 10), ERR_OK);
}

static void message_that_cannot_be_packed_takes_no_slot(void **state)
{
    (void)state;
    bind_client();
    struct sm_out sm = sample();
    memset(sm.source.digits, '1', sizeof sm.source.digits);
    assert_int_equal(session_submit(client.session, &sm, 1, now), ERR_BAD_INPUT);
    assert_int_equal(session_window_used(client.session), 0);
    expect_silence(&client);
}

static void silent_request_times_out_and_its_late_answer_is_known(void **state)
{
    (void)state;
    bind_client();
    uint32_t first = submit_and_take_sequence(1);
    now += 1000;
    uint32_t second = submit_and_take_sequence(2);
    assert_int_equal(session_tick(client.session, now), START + 10000 * US_PER_MS);
    session_tick(client.session, START + 10000 * US_PER_MS);
    assert_int_equal(client.timed_out, 1);
    assert_int_equal(client.cookie, 1);
    assert_int_equal(session_window_used(client.session), 1);
    session_tick(client.session, now + 10000 * US_PER_MS);
    assert_int_equal(client.timed_out, 2);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, first, "late", 5);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, first, "again", 6);
    assert_true(hear(&client));
    assert_int_equal(client.late, 1);
    assert_int_equal(client.cookie, 1);
    assert_string_equal(client.message_id, "late");
    say(SMPP_GENERIC_NACK, ESME_RSYSERR, second, "", 0);
    assert_true(hear(&client));
    assert_int_equal(client.late, 2);
    assert_int_equal(client.status, ESME_RSYSERR);
    assert_int_equal(client.ended, 2);
}

static void last_64_timed_out_requests_are_remembered(void **state)
{
    (void)state;
    bind_client();
    uint32_t sequences[WINDOW_LATE_MIN + 1];
    for (size_t i = 0; i < COUNT(sequences); i++) {
        sequences[i] = submit_and_take_sequence(i);
        now += 10000 * US_PER_MS;
        session_tick(client.session, now);
        struct buffer *out = session_output(client.session);
        buffer_consume(out, buffer_length(out));
        say(SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 1, "", 0);
        assert_true(hear(&client));
    }
    assert_int_equal(client.timed_out, COUNT(sequences));
    for (size_t i = 0; i < COUNT(sequences); i++)
        say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequences[i], "x", 2);
    assert_true(hear(&client));
    assert_int_equal(client.late, WINDOW_LATE_MIN);
    assert_int_equal(session_counts(client.session)->unmatched, 1);
}

static void handlers_may_submit_and_close(void **state)
{
    (void)state;
    bind_client();
    uint32_t first = submit_and_take_sequence(1);
    client.submit_in_handler = true;
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, first, "x", 2);
    assert_true(hear(&client));
    assert_int_equal(session_window_used(client.session), 1);
    struct pdu_header header = next_pdu(&client, NULL);
    client.submit_in_handler = false;
    client.close_in_handler = true;
    assert_int_equal(submit(&client, 3), ERR_OK);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, header.sequence_number, "x", 2);
    say_message(SMPP_DELIVER_SM, 1, "never read");
    assert_false(hear(&client));
    assert_int_equal(client.ended, 3);
    assert_int_equal(client.lost, 1);
    assert_int_equal(client.messages, 0);
    assert_int_equal(client.closed, 1);
}

/* ---- Time and the end ---- */

static void enquire_link_goes_out_and_silence_closes(void **state)
{
    (void)state;
    bind_client();
    uint64_t due = START + 30000 * US_PER_MS;
    assert_int_equal(session_tick(client.session, now), due);
    expect_silence(&client);
    now = due;
    assert_int_equal(session_tick(client.session, now), due + 10000 * US_PER_MS);
    struct pdu_header enquire = next_pdu(&client, NULL);
    assert_int_equal(enquire.command_id, SMPP_ENQUIRE_LINK);
    say(SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, enquire.sequence_number, "", 0);
    assert_true(hear(&client));
    now = due + 30000 * US_PER_MS;
    session_tick(client.session, now);
    assert_int_equal(next_pdu(&client, NULL).command_id, SMPP_ENQUIRE_LINK);
    session_tick(client.session, now + 10000 * US_PER_MS);
    assert_string_equal(client.why, "enquire_timeout");
}

static void any_pdu_is_a_sign_of_life(void **state)
{
    (void)state;
    bind_client();
    now += 30000 * US_PER_MS;
    session_tick(client.session, now);
    say_message(SMPP_DELIVER_SM, 1, "busy");
    assert_true(hear(&client));
    now += 10000 * US_PER_MS;
    session_tick(client.session, now);
    assert_int_equal(client.closed, 0);
}

static void unbind_waits_for_what_is_in_flight(void **state)
{
    (void)state;
    bind_client();
    uint32_t sequence = submit_and_take_sequence(1);
    session_unbind(client.session, now);
    struct pdu_header unbind = next_pdu(&client, NULL);
    assert_int_equal(unbind.command_id, SMPP_UNBIND);
    assert_int_equal(submit(&client, 2), ERR_AWAY);
    say(SMPP_UNBIND | SMPP_RESPONSE, 0, unbind.sequence_number, "", 0);
    assert_true(hear(&client));
    assert_int_equal(session_state(client.session), SESSION_UNBINDING);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequence, "x", 2);
    assert_false(hear(&client));
    assert_int_equal(client.answered, 1);
    assert_string_equal(client.why, "unbound");
}

static void unbind_without_an_answer_ends_after_two_seconds(void **state)
{
    (void)state;
    bind_client();
    (void)submit_and_take_sequence(1);
    session_unbind(client.session, now);
    assert_int_equal(session_tick(client.session, now), now + 2 * US_PER_S);
    session_tick(client.session, now + 2 * US_PER_S);
    assert_string_equal(client.why, "unbind_timeout");
    assert_int_equal(client.lost, 1);
}

static void unbind_before_the_bind_closes_at_once(void **state)
{
    (void)state;
    session_unbind(client.session, now);
    assert_string_equal(client.why, "unbound");
}

static void unbind_by_the_peer_with_requests_in_flight(void **state)
{
    (void)state;
    bind_client();
    uint32_t first = submit_and_take_sequence(1);
    (void)submit_and_take_sequence(2);
    say(SMPP_UNBIND, 0, 8, "", 0);
    say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, first, "x", 2);
    assert_true(hear(&client));
    expect_pdu(&client, SMPP_UNBIND | SMPP_RESPONSE, 0, 8);
    assert_int_equal(client.answered, 1);
    session_tick(client.session, now + 2 * US_PER_S);
    assert_int_equal(client.lost, 1);
    assert_string_equal(client.why, "peer_unbound");
}

static void unbind_by_an_idle_peer_closes_with_its_answer_in_the_output(void **state)
{
    (void)state;
    bind_client();
    say(SMPP_UNBIND, 0, 8, "", 0);
    assert_false(hear(&client));
    expect_pdu(&client, SMPP_UNBIND | SMPP_RESPONSE, 0, 8);
    assert_string_equal(client.why, "peer_unbound");
}

static void closing_loses_what_is_in_flight_once(void **state)
{
    (void)state;
    bind_client();
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(submit(&client, i), ERR_OK);
    session_close(client.session, "connection_lost");
    session_close(client.session, "again");
    assert_int_equal(client.lost, 10);
    assert_int_equal(client.cookie, 9);
    assert_int_equal(client.closed, 1);
    assert_string_equal(client.why, "connection_lost");
    assert_int_equal(submit(&client, 11), ERR_AWAY);
    assert_int_equal(session_tick(client.session, now), UINT64_MAX);
}

/* ---- Bounds ---- */

static void requests_wait_while_the_peer_does_not_read(void **state)
{
    (void)state;
    bind_server_as(SMPP_BIND_TRANSCEIVER);
    size_t asked = 0;
    while (server.messages == asked) {
        say_message(SMPP_SUBMIT_SM, (uint32_t)++asked, "x");
        assert_true(hear(&server));
        assert_in_range(buffer_length(session_output(server.session)), 0, SESSION_OUTPUT_MAX);
    }
    assert_int_equal(server.messages, asked - 1);
    assert_int_equal(submit(&server, 1), ERR_FULL);
    say_message(SMPP_SUBMIT_SM, (uint32_t)++asked, "y");
    assert_true(hear(&server));
    session_tick(server.session, now);
    assert_int_equal(server.messages, asked - 2);
    buffer_consume(session_output(server.session), buffer_length(session_output(server.session)));
    session_tick(server.session, now);
    assert_int_equal(server.messages, asked);
    assert_string_equal(server.text, "y");
}

static void answers_that_are_owed_keep_their_room(void **state)
{
    (void)state;
    bind_server_as(SMPP_BIND_TRANSCEIVER);
    server.defer = true;
    size_t asked = 0;
    while (server.messages == asked) {
        say_message(SMPP_SUBMIT_SM, (uint32_t)++asked, "x");
        assert_true(hear(&server));
    }
    char id[MESSAGE_ID_MAX];
    memset(id, 'i', sizeof id);
    for (size_t i = 0; i < asked - 1; i++)
        session_respond(server.session, &server.header, ESME_ROK, span_of(id, sizeof id));
    assert_in_range(buffer_length(session_output(server.session)), 0, SESSION_OUTPUT_MAX);
}

static void peer_that_floods_and_never_reads_is_closed(void **state)
{
    (void)state;
    bind_server_as(SMPP_BIND_TRANSCEIVER);
    static uint8_t flood[65536];
    for (size_t at = 0; at < sizeof flood; at += 16) {
        store_u32(flood + at, 16);
        store_u32(flood + at + 4, SMPP_ENQUIRE_LINK);
    }
    size_t calls = 0;
    while (session_receive(server.session, span_of(flood, sizeof flood), now))
        assert_in_range(++calls, 1, (SESSION_OUTPUT_MAX + SESSION_INPUT_MAX) / sizeof flood);
    assert_string_equal(server.why, "peer_not_reading");
    assert_in_range(buffer_length(session_output(server.session)), 1, SESSION_OUTPUT_MAX);
}

static void window_wraps_and_skips_what_is_in_flight(void **state)
{
    (void)state;
    struct window window;
    window_init(&window, 2, SEQUENCE_MAX - 1);
    window_add(&window, 1, 10);
    window_add(&window, 2, 20);
    assert_true(window_is_full(&window));
    assert_non_null(window_find(&window, SEQUENCE_MAX));
    window_remove(&window, window_find(&window, SEQUENCE_MAX));
    assert_null(window_find(&window, SEQUENCE_MAX));
    assert_int_equal(window_next_sequence(&window), 1);
    /* The other one stays while the numbers go around the ring: its place is passed over. */
    for (uint32_t i = 1; i < 1000; i++) {
        uint32_t sequence = window_next_sequence(&window);
        assert_int_not_equal(sequence & window.mask, (SEQUENCE_MAX - 1) & window.mask);
        window_add(&window, i, 30 + i);
        assert_int_equal(window_oldest(&window)->cookie, 1);
        window_remove(&window, window_find(&window, sequence));
    }
    window_release(&window);
}

static void window_against_a_plain_list(void **state)
{
    (void)state;
    struct rng rng = {.state = 3};
    struct window window;
    uint32_t model[50], count = 0;
    window_init(&window, COUNT(model), SEQUENCE_MAX - 500);
    for (uint64_t step = 1; step < 100000; step++) {
        uint64_t what = rng_below(&rng, 100);
        if (what < 50 && count < COUNT(model)) {
            model[count++] = window_next_sequence(&window);
            window_add(&window, step, step);
        } else if (count > 0) {
            size_t at = what < 98 ? rng_below(&rng, count) : 0;
            struct window_slot *slot = window_find(&window, model[at]);
            assert_non_null(slot);
            if (what < 98)
                window_remove(&window, slot);
            else
                window_expire(&window, slot);
            memmove(model + at, model + at + 1, (--count - at) * sizeof model[0]);
        }
        assert_int_equal(window.flight.count, count);
        assert_in_range(window.late.count, 0, WINDOW_LATE_MIN);
        if (count > 0)
            assert_int_equal(window_oldest(&window)->sequence, model[0]);
        assert_int_equal(window_is_full(&window), count == COUNT(model));
    }
    window_release(&window);
}

/* ---- One octet at a time, and client against server ---- */

static void every_split_of_a_conversation_reads_the_same(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 3, 5, 15, 16, 17, 33, 64, 1000};
    for (size_t i = 0; i < COUNT(steps); i++) {
        now = START;
        start(&client, config(SESSION_CLIENT));
        say(SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, 0, next_pdu(&client, NULL).sequence_number,
            "carrier\0\x02\x10\0\1\x34", 13);
        say_message(SMPP_DELIVER_SM, 1, "one");
        say(SMPP_ENQUIRE_LINK, 0, 2, "", 0);
        say(0x00000999, 0, 3, "?", 1);
        say_message(SMPP_DELIVER_SM, 4, "");
        say(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, 12345, "id", 3);
        say_message(SMPP_DELIVER_SM, 5, "last");
        assert_true(hear_in_steps(&client, steps[i]));
        assert_int_equal(client.bound, 1);
        assert_int_equal(client.messages, 3);
        assert_string_equal(client.text, "last");
        expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, 0, 1);
        expect_pdu(&client, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 2);
        expect_pdu(&client, SMPP_GENERIC_NACK, ESME_RINVCMDID, 3);
        expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, 0, 4);
        expect_pdu(&client, SMPP_DELIVER_SM | SMPP_RESPONSE, 0, 5);
        expect_silence(&client);
        say(SMPP_UNBIND, 0, 6, "", 0);
        assert_false(hear_in_steps(&client, steps[i]));
    }
}

/* Moves at most `most` octets from one side to the other. */
static void carry(struct owner *from, struct owner *to, size_t most)
{
    struct buffer *out = session_output(from->session);
    size_t length = buffer_length(out) < most ? buffer_length(out) : most;
    if (length == 0)
        return;
    session_receive(to->session, span_of(buffer_span(out).data, length), now);
    buffer_consume(out, length);
}

static void client_and_server_talk_in_random_pieces(void **state)
{
    (void)state;
    struct rng rng = {.state = 11};
    unsigned submitted = 0, delivered = 0;
    while (client.answered < 2000 || server.answered < 2000) {
        now += 100;
        if (submitted < 2000 && submit(&client, submitted) == ERR_OK)
            submitted++;
        if (delivered < 2000 && submit(&server, delivered) == ERR_OK)
            delivered++;
        carry(&client, &server, 1 + rng_below(&rng, 400));
        carry(&server, &client, 1 + rng_below(&rng, 400));
        assert_in_range(session_window_used(client.session), 0, 10);
    }
    assert_int_equal(server.messages, 2000);
    assert_int_equal(client.messages, 2000);
    session_unbind(client.session, now);
    for (int i = 0; i < 100; i++) {
        carry(&client, &server, 7);
        carry(&server, &client, 7);
    }
    assert_string_equal(client.why, "unbound");
    assert_string_equal(server.why, "peer_unbound");
    assert_int_equal(client.ended, 2000);
    assert_int_equal(server.ended, 2000);
    assert_int_equal(client.tapped, server.tapped);
    assert_int_equal(session_counts(client.session)->unmatched, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(client_binds_with_its_configuration),
        TEST(bind_resp_with_the_wrong_command_id_is_known_by_its_number),
        TEST(bind_resp_may_be_a_header_alone),
        TEST(bind_refusal_keeps_the_status),
        TEST(nack_of_the_bind_is_a_refusal),
        TEST(deliver_sm_in_the_same_read_as_bind_resp),
        TEST(client_gives_up_on_a_silent_bind),
        TEST(server_closes_a_peer_that_does_not_bind),
        TEST(server_binds_each_mode_with_its_own_response),
        TEST(server_refuses_with_the_status_of_authenticate),
        TEST(second_bind_is_already_bound),
        TEST(enquire_link_is_answered_in_any_state),
        TEST(unknown_command_is_nacked_and_life_goes_on),
        TEST(bad_length_is_nacked_and_closes),
        TEST(before_the_bind_pdus_are_small),
        TEST(pdu_of_pdu_max_is_taken_when_bound),
        TEST(messages_before_the_bind_are_refused),
        TEST(receiver_only_session_may_not_submit),
        TEST(services_that_are_not_offered_have_their_own_response),
        TEST(malformed_message_is_refused_alone),
        TEST(sequence_numbers_of_a_peer_may_be_anything),
        TEST(data_sm_is_a_message_for_both_roles),
        TEST(message_may_be_answered_later),
        TEST(outbind_and_alert_notification_pass_in_silence),
        TEST(answers_are_matched_by_number_in_any_order),
        TEST(submit_sm_resp_with_and_without_a_body),
        TEST(answers_to_nothing_are_counted),
        TEST(generic_nack_frees_the_slot),
        TEST(window_is_never_passed),
        TEST(message_that_cannot_be_packed_takes_no_slot),
        TEST(silent_request_times_out_and_its_late_answer_is_known),
        TEST(last_64_timed_out_requests_are_remembered),
        TEST(handlers_may_submit_and_close),
        TEST(enquire_link_goes_out_and_silence_closes),
        TEST(any_pdu_is_a_sign_of_life),
        TEST(unbind_waits_for_what_is_in_flight),
        TEST(unbind_without_an_answer_ends_after_two_seconds),
        TEST(unbind_before_the_bind_closes_at_once),
        TEST(unbind_by_the_peer_with_requests_in_flight),
        TEST(unbind_by_an_idle_peer_closes_with_its_answer_in_the_output),
        TEST(closing_loses_what_is_in_flight_once),
        TEST(requests_wait_while_the_peer_does_not_read),
        TEST(answers_that_are_owed_keep_their_room),
        TEST(peer_that_floods_and_never_reads_is_closed),
        TEST(window_wraps_and_skips_what_is_in_flight),
        TEST(window_against_a_plain_list),
        TEST(every_split_of_a_conversation_reads_the_same),
        TEST(client_and_server_talk_in_random_pieces),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The session, in both roles, against scripted peers and against itself. What carriers are known to do
 * has its own tests in session_rows_test.c. */
#include "tests/unit/session_fixture.h"

#include "proto/base/rng.h"
#include "smpp/window.h"

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

static void nack_of_the_bind_is_a_refusal(void **state)
{
    (void)state;
    say(SMPP_GENERIC_NACK, ESME_RINVCMDID, 0, "", 0);
    assert_false(hear(&client));
    assert_string_equal(client.why, "bind_refused");
    assert_int_equal(client.closed_status, ESME_RINVCMDID);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(client_binds_with_its_configuration),
        TEST(nack_of_the_bind_is_a_refusal),
        TEST(client_gives_up_on_a_silent_bind),
        TEST(server_closes_a_peer_that_does_not_bind),
        TEST(server_binds_each_mode_with_its_own_response),
        TEST(server_refuses_with_the_status_of_authenticate),
        TEST(second_bind_is_already_bound),
        TEST(before_the_bind_pdus_are_small),
        TEST(pdu_of_pdu_max_is_taken_when_bound),
        TEST(messages_before_the_bind_are_refused),
        TEST(receiver_only_session_may_not_submit),
        TEST(services_that_are_not_offered_have_their_own_response),
        TEST(malformed_message_is_refused_alone),
        TEST(data_sm_is_a_message_for_both_roles),
        TEST(message_may_be_answered_later),
        TEST(answers_are_matched_by_number_in_any_order),
        TEST(answers_to_nothing_are_counted),
        TEST(window_is_never_passed),
        TEST(message_that_cannot_be_packed_takes_no_slot),
        TEST(last_64_timed_out_requests_are_remembered),
        TEST(handlers_may_submit_and_close),
        TEST(any_pdu_is_a_sign_of_life),
        TEST(unbind_waits_for_what_is_in_flight),
        TEST(unbind_without_an_answer_ends_after_two_seconds),
        TEST(unbind_before_the_bind_closes_at_once),
        TEST(unbind_by_an_idle_peer_closes_with_its_answer_in_the_output),
        TEST(closing_loses_what_is_in_flight_once),
        TEST(requests_wait_while_the_peer_does_not_read),
        TEST(answers_that_are_owed_keep_their_room),
        TEST(peer_that_floods_and_never_reads_is_closed),
        TEST(window_against_a_plain_list),
        TEST(client_and_server_talk_in_random_pieces),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}

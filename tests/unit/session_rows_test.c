/* SPDX-License-Identifier: Apache-2.0 */
/* What carriers and clients are known to do to a session, one test a habit, in both roles where it can
 * happen to both. */
#include "tests/unit/session_fixture.h"

#include "smpp/window.h"

/* ---- Either role ---- */

static struct owner *const owners[] = {&client, &server};

static void consume_output(struct owner *owner)
{
    struct buffer *out = session_output(owner->session);
    buffer_consume(out, buffer_length(out));
}

/* A new session of this role, bound. */
static void bind_anew(struct owner *owner, struct session_config settings)
{
    start(owner, settings);
    if (owner == &client)
        bind_client();
    else
        bind_server_as(SMPP_BIND_TRANSCEIVER);
}

static struct session_config config_of(const struct owner *owner)
{
    return config(owner == &client ? SESSION_CLIENT : SESSION_SERVER);
}

/* What it sends, and what its peer sends. */
static uint32_t request_of(const struct owner *owner)
{
    return owner == &client ? SMPP_SUBMIT_SM : SMPP_DELIVER_SM;
}

static uint32_t message_to(const struct owner *owner)
{
    return owner == &client ? SMPP_DELIVER_SM : SMPP_SUBMIT_SM;
}

static uint32_t send_one(struct owner *owner, uint64_t cookie)
{
    assert_int_equal(submit(owner, cookie), ERR_OK);
    struct pdu_header header = next_pdu(owner, NULL);
    assert_int_equal(header.command_id, request_of(owner));
    return header.sequence_number;
}

#define EACH_ROLE(owner)                                                                           \
    for (size_t role_ = 0; role_ < COUNT(owners); role_++)                                         \
        for (struct owner *owner = owners[role_]; owner != NULL; owner = NULL)

/* ---- The bind ---- */

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

/* The same for a client that does not wait for its bind_resp. */
static void submit_sm_in_the_same_read_as_the_bind(void **state)
{
    (void)state;
    say_bind(SMPP_BIND_TRANSCEIVER, 1);
    say_message(SMPP_SUBMIT_SM, 2, "at once");
    assert_true(hear(&server));
    expect_pdu(&server, SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, 0, 1);
    expect_pdu(&server, SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, 2);
    assert_string_equal(server.text, "at once");
}

static void ralybnd_and_bad_password_reach_the_owner_with_their_status(void **state)
{
    (void)state;
    static const uint32_t statuses[] = {ESME_RALYBND, ESME_RINVPASWD, ESME_RBINDFAIL, 0x0000044f};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        for (size_t length = 0; length < 2; length++) { /* a header alone, or with an empty name */
            start(&client, config(SESSION_CLIENT));
            struct pdu_header bind = next_pdu(&client, NULL);
            say(bind.command_id | SMPP_RESPONSE, statuses[i], bind.sequence_number, "", length);
            assert_false(hear(&client));
            assert_string_equal(client.why, "bind_refused");
            assert_int_equal(client.closed_status, statuses[i]);
            expect_silence(&client);
        }
    }
}

/* ---- Framing ---- */

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

static void length_word_split_at_every_octet(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        for (size_t first = 1; first < 40; first++) {
            say(SMPP_ENQUIRE_LINK, 0, (uint32_t)first, "", 0);
            say(SMPP_ENQUIRE_LINK, 0, 1000 + (uint32_t)first, "", 0);
            size_t whole = writer_length(&peer);
            size_t cut = first < whole ? first : whole;
            assert_true(session_receive(owner->session, span_of(peer_octets, cut), now));
            assert_true(
                session_receive(owner->session, span_of(peer_octets + cut, whole - cut), now));
            peer = writer_over(peer_octets, sizeof peer_octets);
            expect_pdu(owner, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, (uint32_t)first);
            expect_pdu(owner, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 1000 + (uint32_t)first);
        }
    }
}

static void many_pdus_in_one_read(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        for (uint32_t i = 1; i <= 500; i++)
            say_message(message_to(owner), i, "x");
        assert_true(hear(owner));
        assert_int_equal(owner->messages, 500);
        for (uint32_t i = 1; i <= 500; i++)
            expect_pdu(owner, message_to(owner) | SMPP_RESPONSE, 0, i);
    }
}

static void bad_length_is_nacked_and_closes(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 15, PDU_MAX + 1, UINT32_MAX};
    EACH_ROLE(owner)
    {
        for (size_t i = 0; i < COUNT(lengths); i++) {
            bind_anew(owner, config_of(owner));
            (void)send_one(owner, 5);
            write_u32(&peer, lengths[i]);
            assert_false(hear(owner));
            expect_pdu(owner, SMPP_GENERIC_NACK, ESME_RINVCMDLEN, 0);
            assert_string_equal(owner->why, "bad_length");
            assert_int_equal(owner->lost, 1);
            assert_false(session_receive(owner->session, span_of(lengths, 4), now));
        }
    }
}

/* Gives `length` octets of an enquire_link, one a second. */
static void drip(struct owner *owner, size_t length)
{
    static const uint8_t enquire_link[SMPP_HEADER_SIZE] = {0, 0, 0, 16, 0, 0, 0, 0x15};
    for (size_t i = 0; i < length; i++, now += US_PER_S) {
        session_tick(owner->session, now);
        assert_true(session_receive(owner->session, span_of(enquire_link + i, 1), now));
    }
}

static void an_unfinished_pdu_does_not_stay_for_ever(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        struct session_config settings = config_of(owner);
        settings.enquire_link_ms = 0;
        for (size_t length = 1; length < SMPP_HEADER_SIZE; length += 7) {
            bind_anew(owner, settings);
            uint64_t begun = now;
            drip(owner, length);
            assert_int_equal(session_tick(owner->session, now), begun + PDU_TIMEOUT_MS * US_PER_MS);
            session_tick(owner->session, begun + PDU_TIMEOUT_MS * US_PER_MS - 1);
            assert_int_equal(owner->closed, 0);
            session_tick(owner->session, begun + PDU_TIMEOUT_MS * US_PER_MS);
            assert_string_equal(owner->why, "pdu_timeout");
        }
    }
}

/* Dripping so slowly that one PDU in 16 s is whole is slow, not dead. */
static void slow_pdus_have_a_deadline_each(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        struct session_config settings = config_of(owner);
        settings.enquire_link_ms = 0;
        bind_anew(owner, settings);
        for (int i = 0; i < 10; i++) {
            drip(owner, SMPP_HEADER_SIZE);
            expect_pdu(owner, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 0);
            now += 60 * US_PER_S; /* nothing of a PDU is there: no deadline */
            session_tick(owner->session, now);
        }
        assert_int_equal(owner->closed, 0);
        /* A second PDU behind the first one's last octet begins a deadline of its own. */
        drip(owner, SMPP_HEADER_SIZE - 1);
        uint8_t end_and_begin[2] = {0, 0};
        assert_true(session_receive(owner->session, span_of(end_and_begin, 2), now));
        session_tick(owner->session, now + PDU_TIMEOUT_MS * US_PER_MS - 1);
        assert_int_equal(owner->closed, 0);
        session_tick(owner->session, now + PDU_TIMEOUT_MS * US_PER_MS);
        assert_string_equal(owner->why, "pdu_timeout");
    }
}

/* ---- Commands and numbers ---- */

static void unknown_command_is_nacked_and_life_goes_on(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        say(0x00000111, 0, 77, "whatever", 8);
        say_message(message_to(owner), 78, "after");
        assert_true(hear(owner));
        expect_pdu(owner, SMPP_GENERIC_NACK, ESME_RINVCMDID, 77);
        expect_pdu(owner, message_to(owner) | SMPP_RESPONSE, 0, 78);
        assert_int_equal(session_counts(owner->session)->unknown, 1);
    }
}

/* A response of a command that nobody knows answers nothing, and is not answered. */
static void unknown_response_is_counted(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        uint32_t sequence = send_one(owner, 1);
        say(0x80000111, 0, sequence, "", 0);
        assert_true(hear(owner));
        expect_silence(owner);
        assert_int_equal(owner->ended, 0);
        assert_int_equal(session_counts(owner->session)->unmatched, 1);
    }
}

static void generic_nack_with_our_number_frees_the_slot(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        uint32_t sequence = send_one(owner, 7);
        say(SMPP_GENERIC_NACK, ESME_RSYSERR, sequence, "", 0);
        assert_true(hear(owner));
        assert_int_equal(owner->nacked, 1);
        assert_int_equal(owner->cookie, 7);
        assert_int_equal(owner->status, ESME_RSYSERR);
        assert_int_equal(session_window_free(owner->session), 10);
        assert_int_equal(session_counts(owner->session)->nacks, 1);
    }
}

/* It can mean anything: it is counted, and the request that it may mean times out, so no slot leaks. */
static void generic_nack_with_number_0_ends_nothing(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        (void)send_one(owner, 7);
        say(SMPP_GENERIC_NACK, ESME_RINVCMDLEN, 0, "", 0);
        assert_true(hear(owner));
        assert_int_equal(owner->ended, 0);
        assert_int_equal(session_counts(owner->session)->nacks, 1);
        session_tick(owner->session, now + 10000 * US_PER_MS);
        assert_int_equal(owner->timed_out, 1);
        assert_int_equal(session_window_free(owner->session), 10);
    }
}

static void sequence_numbers_0_and_above_0x7fffffff_of_a_peer(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0, 0x7fffffff, 0x80000000, UINT32_MAX};
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        for (size_t i = 0; i < COUNT(numbers); i++) {
            say_message(message_to(owner), numbers[i], "hi");
            assert_true(hear(owner));
            expect_pdu(owner, message_to(owner) | SMPP_RESPONSE, 0, numbers[i]);
        }
    }
}

static void our_sequence_numbers_wrap_and_skip_those_in_flight(void **state)
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

static void outbind_and_alert_notification_pass_in_silence(void **state)
{
    (void)state;
    bind_client();
    say(SMPP_OUTBIND, 0, 1, "a\0b", 4);
    say(SMPP_ALERT_NOTIFICATION, 0, 2, "\1\1x\0\1\1y", 8);
    assert_true(hear(&client));
    expect_silence(&client);
}

/* ---- Answers ---- */

static void response_with_and_without_a_body(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *body;
        size_t length;
        const char *id;
    } rows[] = {
        {0, "", 0, ""}, /* success without an id */
        {0, "", 1, ""},
        {0, "id", 3, "id"},
        {0x45, "", 0, ""},      /* error without a body */
        {0x45, "", 1, ""},      /* error with a body */
        {0x404, "id", 2, "id"}, /* and without its NUL */
        {ESME_RTHROTTLED, "", 0, ""},
        {UINT32_MAX, "", 0, ""},
    };
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        for (size_t i = 0; i < COUNT(rows); i++) {
            uint32_t sequence = send_one(owner, i);
            say(request_of(owner) | SMPP_RESPONSE, rows[i].status, sequence, rows[i].body,
                rows[i].length);
            assert_true(hear(owner));
            assert_int_equal(owner->answered, i + 1);
            assert_int_equal(owner->cookie, i);
            assert_int_equal(owner->status, rows[i].status);
            assert_string_equal(owner->message_id, rows[i].id);
        }
    }
}

static void response_that_never_comes_frees_its_slot(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        for (uint64_t round = 0; round < 5; round++) {
            for (uint64_t i = 0; i < 10; i++)
                (void)send_one(owner, i);
            assert_int_equal(submit(owner, 10), ERR_FULL);
            now += 10000 * US_PER_MS;
            session_tick(owner->session, now);
            assert_int_equal(owner->timed_out, 10 * (round + 1));
            assert_int_equal(session_window_free(owner->session), 10);
            consume_output(owner);
            say(SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, 1, "", 0);
            assert_true(hear(owner));
        }
    }
}

static void response_that_comes_late_is_still_told(void **state)
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

/* ---- Life and death ---- */

static void enquire_link_before_the_bind_and_in_any_state(void **state)
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

static void enquire_link_as_the_only_traffic(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        for (uint32_t i = 0; i < 100; i++) {
            now += 10 * US_PER_S;
            session_tick(owner->session, now);
            say(SMPP_ENQUIRE_LINK, 0, i, "", 0);
            assert_true(hear(owner));
            consume_output(owner);
        }
        assert_int_equal(owner->closed, 0);
    }
}

static void dead_peer_is_found_by_enquire_link(void **state)
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

/* When asked to: at once, and one at a time. */
static void enquire_link_on_demand(void **state)
{
    (void)state;
    bind_client();
    session_enquire(client.session, now);
    session_tick(client.session, now);
    struct pdu_header enquire = next_pdu(&client, NULL);
    assert_int_equal(enquire.command_id, SMPP_ENQUIRE_LINK);
    session_enquire(client.session, now);
    session_tick(client.session, now);
    expect_silence(&client);
    say(SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, enquire.sequence_number, "", 0);
    assert_true(hear(&client));
    session_enquire(client.session, now);
    session_tick(client.session, now);
    assert_int_equal(next_pdu(&client, NULL).command_id, SMPP_ENQUIRE_LINK);
}

/* Also where our enquire_link is off: silence behind a request asks one question. */
static void dead_peer_is_found_by_request_timeouts(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        struct session_config settings = config_of(owner);
        settings.enquire_link_ms = 0;
        bind_anew(owner, settings);
        (void)send_one(owner, 1);
        now += 10000 * US_PER_MS;
        session_tick(owner->session, now);
        assert_int_equal(owner->timed_out, 1);
        assert_int_equal(next_pdu(owner, NULL).command_id, SMPP_ENQUIRE_LINK);
        assert_int_equal(session_tick(owner->session, now), now + 10000 * US_PER_MS);
        expect_silence(owner);
        session_tick(owner->session, now + 10000 * US_PER_MS);
        assert_string_equal(owner->why, "enquire_timeout");
    }
}

/* It says something, if not what was asked for. */
static void peer_that_answers_late_is_not_dead(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        struct session_config settings = config_of(owner);
        settings.enquire_link_ms = 0;
        bind_anew(owner, settings);
        (void)send_one(owner, 1);
        now += 5000 * US_PER_MS;
        say_message(message_to(owner), 1, "busy");
        assert_true(hear(owner));
        consume_output(owner);
        now += 5000 * US_PER_MS;
        assert_int_equal(session_tick(owner->session, now), UINT64_MAX);
        assert_int_equal(owner->timed_out, 1);
        expect_silence(owner);
        (void)send_one(owner, 2); /* nothing is heard from here on: asked, and it lives */
        now += 10000 * US_PER_MS;
        session_tick(owner->session, now);
        struct pdu_header enquire = next_pdu(owner, NULL);
        say(SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, enquire.sequence_number, "", 0);
        assert_true(hear(owner));
        assert_int_equal(session_tick(owner->session, now), UINT64_MAX);
        assert_int_equal(owner->closed, 0);
    }
}

static void unbind_by_the_peer_with_requests_in_flight(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        uint32_t first = send_one(owner, 1);
        (void)send_one(owner, 2);
        say(SMPP_UNBIND, 0, 8, "", 0);
        say(request_of(owner) | SMPP_RESPONSE, 0, first, "x", 2);
        assert_true(hear(owner));
        expect_pdu(owner, SMPP_UNBIND | SMPP_RESPONSE, 0, 8);
        assert_int_equal(owner->answered, 1);
        assert_int_equal(submit(owner, 3), ERR_AWAY);
        session_tick(owner->session, now + 2 * US_PER_S);
        assert_int_equal(owner->lost, 1); /* in doubt */
        assert_string_equal(owner->why, "peer_unbound");
    }
}

/* The connection goes, with no unbind before: what was unanswered is in doubt, once. */
static void closing_without_unbind(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        (void)send_one(owner, 1);
        (void)send_one(owner, 2);
        session_close(owner->session, "peer_closed");
        assert_int_equal(owner->lost, 2);
        assert_int_equal(owner->closed, 1);
        assert_string_equal(owner->why, "peer_closed");
    }
}

/* Ours says unbind, and waits two seconds at most. */
static void we_never_close_without_unbind(void **state)
{
    (void)state;
    EACH_ROLE(owner)
    {
        bind_anew(owner, config_of(owner));
        session_unbind(owner->session, now);
        assert_int_equal(next_pdu(owner, NULL).command_id, SMPP_UNBIND);
        assert_int_equal(session_state(owner->session), SESSION_UNBINDING);
        assert_int_equal(session_tick(owner->session, now), now + 2 * US_PER_S);
        session_tick(owner->session, now + 2 * US_PER_S);
        assert_string_equal(owner->why, "unbind_timeout");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bind_resp_with_the_wrong_command_id_is_known_by_its_number),
        TEST(bind_resp_may_be_a_header_alone),
        TEST(bind_refusal_keeps_the_status),
        TEST(deliver_sm_in_the_same_read_as_bind_resp),
        TEST(submit_sm_in_the_same_read_as_the_bind),
        TEST(ralybnd_and_bad_password_reach_the_owner_with_their_status),
        TEST(every_split_of_a_conversation_reads_the_same),
        TEST(length_word_split_at_every_octet),
        TEST(many_pdus_in_one_read),
        TEST(bad_length_is_nacked_and_closes),
        TEST(an_unfinished_pdu_does_not_stay_for_ever),
        TEST(slow_pdus_have_a_deadline_each),
        TEST(unknown_command_is_nacked_and_life_goes_on),
        TEST(unknown_response_is_counted),
        TEST(generic_nack_with_our_number_frees_the_slot),
        TEST(generic_nack_with_number_0_ends_nothing),
        TEST(sequence_numbers_0_and_above_0x7fffffff_of_a_peer),
        TEST(our_sequence_numbers_wrap_and_skip_those_in_flight),
        TEST(outbind_and_alert_notification_pass_in_silence),
        TEST(response_with_and_without_a_body),
        TEST(response_that_never_comes_frees_its_slot),
        TEST(response_that_comes_late_is_still_told),
        TEST(enquire_link_before_the_bind_and_in_any_state),
        TEST(enquire_link_as_the_only_traffic),
        TEST(dead_peer_is_found_by_enquire_link),
        TEST(enquire_link_on_demand),
        TEST(dead_peer_is_found_by_request_timeouts),
        TEST(peer_that_answers_late_is_not_dead),
        TEST(unbind_by_the_peer_with_requests_in_flight),
        TEST(closing_without_unbind),
        TEST(we_never_close_without_unbind),
    };
    return cmocka_run_group_tests_name("session_rows", tests, NULL, NULL);
}

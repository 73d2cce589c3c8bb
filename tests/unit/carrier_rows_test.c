/* SPDX-License-Identifier: Apache-2.0 */
/* What carriers are known to do to the gateway as a whole, one test a habit. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define OTP    ASSENT__V1__CLASS__OTP
#define NUMBER "12025550123"

static struct world w;

static uint64_t send_to(const char *number)
{
    Assent__V1__Message message = world_message("login", OTP, number, "Your code is 123456");
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    return verdict.id;
}

static void pass_seconds(unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 10; i++)
        world_pass(&w, 100);
}

static const struct world_submit *last_submit(void)
{
    assert_true(w.submit_count > 0);
    return &w.submits[w.submit_count - 1];
}

static unsigned binds_in(unsigned seconds)
{
    unsigned before = w.binds;
    pass_seconds(seconds);
    return w.binds - before;
}

static struct carrier_status status(void)
{
    struct carrier_status status;
    engine_carrier_status(w.engine, 0, w.now, &status);
    return status;
}

static void deliver(const struct sm_out *sm)
{
    assert_int_equal(session_submit(w.peers[0], sm, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static uint64_t counted(enum counter counter)
{
    return engine_metrics(w.engine)->counters[counter];
}

static uint64_t ended(Assent__V1__Outcome outcome)
{
    return engine_metrics(w.engine)->ended[OTP][outcome];
}

/* ---- binding ---- */

/* 1 s to 60 s: 5 s at first, then twice as long each time; half of it may be jitter. */
static void test_ralybnd_waits_longer_each_time_and_never_gives_up(void **state)
{
    (void)state;
    world_init(&w);
    w.bind_status = ESME_RALYBND;
    world_start(&w);
    assert_int_equal(w.binds, 1);
    unsigned first = binds_in(60), then = binds_in(240), later = binds_in(3600);
    assert_in_range(first, 3, 6);
    assert_in_range(then, 4, 9);
    assert_in_range(later, 60, 120);
    assert_string_equal(status().why, "bind_refused ESME_RALYBND");
    assert_int_equal(status().refused, 1);
    assert_int_equal(status().refused_status, ESME_RALYBND);
    w.bind_status = ESME_ROK;
    pass_seconds(60);
    assert_int_equal(status().sessions_bound, 1);
    assert_int_equal(status().refused, 0);
    world_release(&w);
}

static void test_bad_password_is_tried_slowly_from_the_first_refusal_on(void **state)
{
    (void)state;
    static const uint32_t statuses[] = {ESME_RINVPASWD, ESME_RINVSYSID};
    for (size_t i = 0; i < 2; i++) {
        world_init(&w);
        w.bind_status = statuses[i];
        world_start(&w);
        assert_int_equal(binds_in(29), 0);
        assert_in_range(binds_in(3600), 60, 120);
        assert_int_equal(status().refused, 1);
        world_release(&w);
    }
}

/* The carrier grants one session, and two are configured: the other goes on trying, and is told. */
static void test_one_session_more_than_the_carrier_grants(void **state)
{
    (void)state;
    world_init(&w);
    w.carrier.sessions = 2;
    world_start(&w);
    assert_int_equal(status().sessions_bound, 2);
    w.bind_status = ESME_RALYBND;
    engine_on_link_down(w.engine, 0, 1, "peer closed", w.now);
    pass_seconds(30);
    assert_int_equal(status().sessions_bound, 1);
    assert_int_equal(status().refused, 1);
    (void)send_to(NUMBER);
    assert_int_equal(ended(ASSENT__V1__OUTCOME__REJECTED), 0);
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

/* Bound and closed at once, again and again: not a loop. */
static void test_a_bind_that_does_not_last_is_no_fresh_start(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    unsigned before = w.binds;
    for (unsigned i = 0; i < 6000; i++) {
        world_pass(&w, 100);
        if (status().sessions_bound == 1)
            engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
    }
    assert_in_range(w.binds - before, 10, 40);
    pass_seconds(90); /* it lasts: the next loss is one */
    assert_int_equal(status().sessions_bound, 1);
    engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
    pass_seconds(2);
    assert_int_equal(status().sessions_bound, 1);
    world_release(&w);
}

/* ---- answers ---- */

static void test_success_without_an_id_is_sent_and_no_receipt_is_expected(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    w.give_id = "";
    (void)send_to(NUMBER);
    assert_int_equal(w.submit_count, 1);
    assert_int_equal(status().awaiting_receipt, 0);
    assert_int_equal(ended(ASSENT__V1__OUTCOME__SENT_NO_RECEIPT), 1);
    world_release(&w);
}

static void
test_response_never_comes_the_message_is_unknown_and_a_late_one_resolves_it(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    w.silent = true;
    (void)send_to(NUMBER);
    world_pass(&w, 10000);
    assert_int_equal(ended(ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME), 1);
    assert_int_equal(status().window_used, 0);
    struct pdu_header header = {.command_id = SMPP_SUBMIT_SM,
                                .sequence_number = last_submit()->sequence_number};
    session_respond(w.peers[0], &header, ESME_ROK, span_from_string("late"));
    world_settle(&w);
    assert_int_equal(status().awaiting_receipt, 1);
    world_release(&w);
}

static void test_generic_nack_is_counted_by_carrier_also_over_a_reconnect(void **state)
{
    (void)state;
    static const uint8_t nack[SMPP_HEADER_SIZE] = {0, 0, 0, 16, 0x80};
    world_init(&w);
    world_start(&w);
    for (unsigned i = 0; i < 2; i++) {
        engine_on_link_octets(w.engine, 0, 0, span_of(nack, sizeof nack), w.now);
        world_settle(&w);
        assert_int_equal(status().odd[ODD_NACK], i + 1);
        engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
        pass_seconds(5);
        assert_int_equal(status().odd[ODD_NACK], i + 1);
    }
    world_release(&w);
}

/* ---- floods ---- */

/* Each turn reads as many receipts as one read of a socket holds, and writes messages all the same; and
 * each of these receipts is answered, however many messages wait. */
static void test_a_receipt_flood_does_not_starve_submits_nor_the_reverse(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    struct buffer flood;
    buffer_init(&flood, 32u << 10);
    struct sm_out receipt = {.source = {.digits = NUMBER},
                             .destination = {.digits = "12025550101"},
                             .esm_class = ESM_TYPE_RECEIPT,
                             .short_message = span_from_string("id:nobody stat:DELIVRD err:000")};
    unsigned receipts = 0;
    while (session_submit(w.peers[0], &receipt, 2, w.now.mono_us) == ERR_OK &&
           buffer_length(session_output(w.peers[0])) < (32u << 10))
        receipts++;
    world_settle(&w);
    for (unsigned turn = 1; turn <= 20; turn++) {
        for (unsigned i = 0; i < receipts; i++)
            assert_int_equal(session_submit(w.peers[0], &receipt, 2, w.now.mono_us), ERR_OK);
        for (unsigned i = 0; i < 50; i++) {
            char number[16];
            snprintf(number, sizeof number, "1202556%04u", turn * 50 + i);
            Assent__V1__Message message = world_message("login", OTP, number, "Your code is 1234");
            struct submit_verdict verdict = world_submit(&w, 0, &message);
            assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
        }
        world_settle(&w);
        assert_int_equal(w.submit_count, turn * 50);
        world_pass(&w, 1000);
    }
    pass_seconds(90); /* receipts of unknown messages are answered when nobody has claimed them */
    assert_true(w.deliver_ended >= 20 * receipts);
    assert_true(counted(COUNT_RECEIPTS) >= 20 * receipts);
    buffer_release(&flood);
    world_release(&w);
}

/* ---- addresses and times ---- */

static void test_ton_and_npi_by_kind_of_sender_on_the_wire(void **state)
{
    (void)state;
    static const struct {
        const char *sender;
        uint8_t ton, npi;
        const char *digits;
    } rows[] = {
        {"ACME", 5, 0, "ACME"}, {"12345", 0, 1, "12345"}, {"12025550101", 1, 1, "+12025550101"}};
    for (size_t i = 0; i < 3; i++) {
        world_init(&w);
        snprintf(w.programs[1].senders[0], sizeof w.programs[1].senders[0], "%s", rows[i].sender);
        w.carrier.addressing.short_sender = (struct address_form){.ton = 0, .npi = 1};
        w.carrier.addressing.international_sender.plus = true;
        w.carrier.addressing.recipient.plus = i == 1;
        world_start(&w);
        (void)send_to(NUMBER);
        assert_int_equal(last_submit()->source.ton, rows[i].ton);
        assert_int_equal(last_submit()->source.npi, rows[i].npi);
        assert_string_equal(last_submit()->source.digits, rows[i].digits);
        assert_string_equal(last_submit()->destination.digits, i == 1 ? "+" NUMBER : NUMBER);
        world_release(&w);
    }
}

/* A STOP counts for the number that is meant, however the carrier writes it and our sender. */
static void test_lenient_inbound_numbers(void **state)
{
    (void)state;
    static const struct smpp_address from[] = {{.ton = 1, .digits = "+12025550123"},
                                               {.ton = 0, .digits = "0012025550123"},
                                               {.ton = 2, .digits = "2025550123"},
                                               {.ton = 0, .digits = "2025550123"},
                                               {.ton = 1, .digits = "12025550123"}};
    static const char *const to[] = {"+12025550101", "2025550101", "12025550101", "0012025550101",
                                     "02025550101"};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        world_init(&w);
        strcpy(w.carrier.addressing.country, "1");
        w.carrier.addressing.national_digits = 10;
        world_start(&w);
        struct sm_out stop = {.source = from[i], .short_message = span_from_string("STOP")};
        snprintf(stop.destination.digits, sizeof stop.destination.digits, "%s", to[i]);
        deliver(&stop);
        assert_int_equal(w.last_write.number, 12025550123);
        assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
        assert_int_equal(counted(COUNT_OPT_OUTS), 1);
        (void)send_to(NUMBER);
        for (size_t s = 0; s < w.submit_count; s++) /* the confirmation alone */
            assert_string_equal(w.submits[s].source.digits, "12025550101");
        assert_int_equal(engine_metrics(w.engine)->ended[OTP][ASSENT__V1__OUTCOME__SUPPRESSED], 1);
        world_release(&w);
    }
}

static void test_service_type_and_time_to_live_are_told(void **state)
{
    (void)state;
    static const char *const expected[] = {"", "000000000459000R", "270115080500000+"};
    for (unsigned validity = VALIDITY_UNSAID; validity <= VALIDITY_ABSOLUTE; validity++) {
        world_init(&w);
        w.carrier.validity = (enum validity)validity;
        strcpy(w.carrier.service_type, "CMT");
        world_start(&w);
        w.away[0] = true;
        engine_on_link_down(w.engine, 0, 0, "peer closed", w.now);
        (void)send_to(NUMBER); /* waits, a second at most, of its five minutes */
        w.away[0] = false;
        for (unsigned i = 0; i < 20 && w.submit_count == 0; i++)
            world_pass(&w, 100);
        assert_string_equal(last_submit()->service_type, "CMT");
        assert_string_equal(last_submit()->validity_period, expected[validity]);
        world_release(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ralybnd_waits_longer_each_time_and_never_gives_up),
        cmocka_unit_test(test_bad_password_is_tried_slowly_from_the_first_refusal_on),
        cmocka_unit_test(test_one_session_more_than_the_carrier_grants),
        cmocka_unit_test(test_a_bind_that_does_not_last_is_no_fresh_start),
        cmocka_unit_test(test_success_without_an_id_is_sent_and_no_receipt_is_expected),
        cmocka_unit_test(
            test_response_never_comes_the_message_is_unknown_and_a_late_one_resolves_it),
        cmocka_unit_test(test_generic_nack_is_counted_by_carrier_also_over_a_reconnect),
        cmocka_unit_test(test_a_receipt_flood_does_not_starve_submits_nor_the_reverse),
        cmocka_unit_test(test_ton_and_npi_by_kind_of_sender_on_the_wire),
        cmocka_unit_test(test_lenient_inbound_numbers),
        cmocka_unit_test(test_service_type_and_time_to_live_are_told),
    };
    return cmocka_run_group_tests_name("carrier_rows", tests, NULL, NULL);
}

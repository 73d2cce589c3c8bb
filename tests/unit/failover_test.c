/* SPDX-License-Identifier: Apache-2.0 */
/* Two carriers with the same routes, alpha before beta: what goes to beta, when, and what never does. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define MARKETING     ASSENT__V1__CLASS__MARKETING
#define TRANSACTIONAL ASSENT__V1__CLASS__TRANSACTIONAL
#define OTP           ASSENT__V1__CLASS__OTP
#define NUMBER        "12025550123"
#define ALPHA         0
#define BETA          1
#define VENDOR        0x4a7

static struct world w;

static void start(void)
{
    world_init(&w);
    w.config.carrier_count = 2;
    struct carrier_config *beta = &w.carriers[BETA];
    snprintf(beta->name, sizeof beta->name, "beta");
    snprintf(beta->system_id, sizeof beta->system_id, "acme");
    beta->rate = 100000;
    beta->window = 1000;
    route_defaults(&w.routes[1]);
    w.routes[1].priority = 1;
    beta->routes = &w.routes[1];
    beta->route_count = 1;
}

static uint64_t send(Assent__V1__Class message_class, const char *text)
{
    const char *program = message_class == MARKETING ? "offers" : "login";
    Assent__V1__Message message = world_message(program, message_class, NUMBER, text);
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    return verdict.id;
}

static unsigned written_to(unsigned carrier)
{
    unsigned count = 0;
    for (size_t i = 0; i < w.submit_count; i++)
        count += w.submits[i].link / WORLD_LINKS == carrier;
    return count;
}

static void carrier_goes(unsigned carrier)
{
    w.away[carrier] = true;
    engine_on_link_down(w.engine, (uint16_t)carrier, 0, "peer closed", w.now);
    world_settle(&w);
}

/* In steps, as turns come. */
static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 10)
        world_pass(&w, 10);
}

/* The newest record of this kind; free it with assent__v1__event__free_unpacked(). */
static Assent__V1__Event *last_event(Assent__V1__Event__BodyCase body)
{
    for (uint64_t i = w.next - 1; i > 0; i--) {
        Assent__V1__Event *event =
            assent__v1__event__unpack(NULL, w.records[i].public_length, w.records[i].octets);
        if (event->body_case == body)
            return event;
        assent__v1__event__free_unpacked(event, NULL);
    }
    return NULL;
}

static void assert_ended(Assent__V1__Outcome outcome, uint32_t command_status)
{
    Assent__V1__Event *event = last_event(ASSENT__V1__EVENT__BODY_ENDED);
    assert_non_null(event);
    assert_int_equal(event->ended->outcome, outcome);
    assert_int_equal(event->ended->command_status, command_status);
    assent__v1__event__free_unpacked(event, NULL);
}

static uint64_t failed_over(unsigned carrier, enum failover_reason reason)
{
    struct carrier_status status;
    engine_carrier_status(w.engine, (uint16_t)carrier, w.now, &status);
    return status.failed_over[reason];
}

/* By health ------------------------------------------------------------------------------------ */

static void a_code_passes_a_carrier_that_is_down(void **state)
{
    (void)state;
    start();
    world_start(&w);
    send(OTP, "code 1");
    assert_int_equal(written_to(ALPHA), 1);
    carrier_goes(ALPHA);
    send(OTP, "code 2");
    assert_int_equal(written_to(BETA), 0);
    pass(FAILOVER_URGENT_MS);
    assert_int_equal(written_to(BETA), 1);
    send(OTP, "code 3"); /* at once */
    assert_int_equal(written_to(BETA), 2);
    assert_int_equal(failed_over(ALPHA, FAILOVER_DOWN), 2);
    world_release(&w);
}

static void bulk_waits_for_failover_after_and_comes_back(void **state)
{
    (void)state;
    start();
    w.carriers[ALPHA].failover_after_ms = 2000;
    w.carriers[ALPHA].reconnect_min_ms = w.carriers[ALPHA].reconnect_max_ms = 100;
    world_start(&w);
    carrier_goes(ALPHA);
    send(MARKETING, "sale");
    pass(1900);
    assert_int_equal(written_to(BETA), 0);
    pass(200);
    assert_int_equal(written_to(BETA), 1);
    w.away[ALPHA] = false;
    pass(300);
    send(MARKETING, "sale");
    assert_int_equal(written_to(ALPHA), 1);
    assert_int_equal(written_to(BETA), 1);
    world_release(&w);
}

static void without_another_route_it_waits(void **state)
{
    (void)state;
    start();
    snprintf(w.routes[1].prefix, sizeof w.routes[1].prefix, "44");
    w.carriers[ALPHA].reconnect_min_ms = w.carriers[ALPHA].reconnect_max_ms = 100;
    world_start(&w);
    carrier_goes(ALPHA);
    send(OTP, "code 1");
    pass(15000);
    assert_int_equal(written_to(BETA), 0);
    w.away[ALPHA] = false;
    pass(300);
    assert_int_equal(written_to(ALPHA), 1);
    world_release(&w);
}

static void a_carrier_that_throttles_and_takes_nothing_is_passed_over(void **state)
{
    (void)state;
    start();
    w.carriers[ALPHA].failover_after_ms = 3000;
    w.status[ALPHA] = ESME_RTHROTTLED;
    world_start(&w);
    send(TRANSACTIONAL, "parcel");
    pass(2500);
    assert_int_equal(written_to(BETA), 0);
    pass(1000);
    assert_int_equal(written_to(BETA), 1);
    assert_int_equal(failed_over(ALPHA, FAILOVER_REFUSING), 1);
    w.status[ALPHA] = ESME_ROK;
    pass(15000); /* forgotten: tried again */
    unsigned before = written_to(ALPHA);
    send(TRANSACTIONAL, "parcel");
    assert_int_equal(written_to(ALPHA), before + 1);
    world_release(&w);
}

/* Every waiting message moves, in slices. */
static void a_long_queue_moves(void **state)
{
    (void)state;
    start();
    w.carriers[ALPHA].failover_after_ms = 1000;
    w.away[ALPHA] = true;
    world_start(&w);
    for (int i = 0; i < 1800; i++) {
        Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, "sale");
        message.campaign = (char *)(uintptr_t)(i % 3 == 0 ? "a" : "b");
        assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    }
    pass(1500);
    assert_int_equal(written_to(BETA), 1800);
    assert_int_equal(failed_over(ALPHA, FAILOVER_DOWN), 1800);
    world_release(&w);
}

/* By outcome ----------------------------------------------------------------------------------- */

static void what_this_carrier_will_not_have_goes_elsewhere(void **state)
{
    (void)state;
    start();
    w.status[ALPHA] = ESME_RINVSRCADR;
    world_start(&w);
    send(MARKETING, "sale");
    assert_int_equal(written_to(ALPHA), 1);
    assert_int_equal(written_to(BETA), 1);
    assert_int_equal(failed_over(ALPHA, FAILOVER_STATUS), 1);
    Assent__V1__Event *attempt = last_event(ASSENT__V1__EVENT__BODY_ATTEMPT);
    assert_string_equal(attempt->attempt->carrier, "beta");
    assert_int_equal(attempt->attempt->number, 2);
    assent__v1__event__free_unpacked(attempt, NULL);
    world_release(&w);
}

/* é is one septet at alpha; beta's data_coding 0 is ASCII. */
static void the_text_is_planned_anew_for_the_next_carrier(void **state)
{
    (void)state;
    start();
    w.carriers[BETA].text.alphabet = ALPHABET_ASCII;
    w.status[ALPHA] = ESME_RINVSRCADR;
    world_start(&w);
    send(MARKETING, "caf\xc3\xa9");
    assert_int_equal(written_to(BETA), 1);
    Assent__V1__Event *attempt = last_event(ASSENT__V1__EVENT__BODY_ATTEMPT);
    assert_non_null(attempt->attempt->form);
    assert_int_equal(attempt->attempt->form->encoding, 8);
    assent__v1__event__free_unpacked(attempt, NULL);
    world_release(&w);
}

static void a_carrier_that_cannot_take_the_text_is_no_route(void **state)
{
    (void)state;
    start();
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    w.carriers[BETA].text.concatenation = CONCATENATION_PAYLOAD;
    w.carriers[BETA].text.payload_max = 255;
    w.status[ALPHA] = ESME_RINVSRCADR;
    world_start(&w);
    send(MARKETING, text);
    world_pass(&w, 1000);
    assert_int_equal(written_to(BETA), 0);
    assert_ended(ASSENT__V1__OUTCOME__REJECTED, ESME_RINVSRCADR);
    world_release(&w);
}

static void where_nobody_will_have_it_it_ends(void **state)
{
    (void)state;
    start();
    w.status[ALPHA] = w.status[BETA] = ESME_RINVSRCADR;
    world_start(&w);
    send(MARKETING, "sale");
    assert_int_equal(written_to(ALPHA) + written_to(BETA), 2);
    assert_ended(ASSENT__V1__OUTCOME__REJECTED, ESME_RINVSRCADR);
    world_release(&w);
}

/* RSUBMITFAIL is temporary by nature: with no route left it is tried again where it is. */
static void an_exception_for_one_carrier(void **state)
{
    (void)state;
    start();
    w.carriers[ALPHA].statuses[0] = (struct status_rule){ESME_RSUBMITFAIL, STATUS_ELSEWHERE};
    w.carriers[ALPHA].status_count = 1;
    w.status[ALPHA] = w.status[BETA] = ESME_RSUBMITFAIL;
    world_start(&w);
    send(TRANSACTIONAL, "parcel");
    assert_int_equal(written_to(ALPHA), 1);
    assert_int_equal(written_to(BETA), 1);
    w.status[BETA] = ESME_ROK;
    pass(2000);
    assert_int_equal(written_to(ALPHA), 1);
    assert_int_equal(written_to(BETA), 2);
    world_release(&w);
}

static void attempts_count_over_all_carriers(void **state)
{
    (void)state;
    start();
    w.config.retry_max = 1;
    w.status[ALPHA] = ESME_RINVSRCADR;
    w.status[BETA] = ESME_RSYSERR;
    world_start(&w);
    send(TRANSACTIONAL, "parcel");
    pass(5000);
    assert_int_equal(written_to(ALPHA) + written_to(BETA), 2);
    assert_ended(ASSENT__V1__OUTCOME__REJECTED, ESME_RSYSERR);
    world_release(&w);
}

static void a_vendor_status_is_final_and_its_raw_code_kept(void **state)
{
    (void)state;
    start();
    w.status[ALPHA] = VENDOR;
    world_start(&w);
    send(MARKETING, "sale");
    pass(5000);
    assert_int_equal(written_to(ALPHA), 1);
    assert_int_equal(written_to(BETA), 0);
    assert_ended(ASSENT__V1__OUTCOME__REJECTED, VENDOR);
    world_release(&w);
}

static void a_vendor_status_by_the_carriers_policy(void **state)
{
    (void)state;
    start();
    w.carriers[ALPHA].unknown_status = STATUS_ELSEWHERE;
    w.status[ALPHA] = VENDOR;
    world_start(&w);
    send(MARKETING, "sale");
    assert_int_equal(written_to(BETA), 1);
    world_release(&w);
}

/* Nothing more goes to that number from that program, and no text confirms it. */
static void opted_out_at_the_carrier(void **state)
{
    (void)state;
    start();
    w.carriers[ALPHA].statuses[0] = (struct status_rule){VENDOR, STATUS_OPTED_OUT};
    w.carriers[ALPHA].status_count = 1;
    w.status[ALPHA] = VENDOR;
    world_start(&w);
    send(MARKETING, "sale");
    assert_ended(ASSENT__V1__OUTCOME__REJECTED, VENDOR);
    Assent__V1__Event *event = last_event(ASSENT__V1__EVENT__BODY_OPTED_OUT);
    assert_non_null(event);
    assert_int_equal(event->opted_out->source, ASSENT__V1__CONSENT_SOURCE__CARRIER);
    assert_string_equal(event->opted_out->carrier, "alpha");
    assert_non_null(strstr(event->opted_out->how, "000004a7"));
    assent__v1__event__free_unpacked(event, NULL);
    assert_int_equal(w.last_write.kind, WRITE_OPT_OUT);
    send(MARKETING, "sale"); /* the deny set stands before Redis */
    pass(5000);
    assert_int_equal(w.submit_count, 1);
    world_release(&w);
}

/* Never twice ---------------------------------------------------------------------------------- */

static void what_is_unanswered_never_goes_to_another_carrier(void **state)
{
    (void)state;
    start();
    w.programs[1].on_unknown = UNKNOWN_SEND_AGAIN;
    w.carriers[ALPHA].failover_after_ms = 500;
    w.silent = true;
    world_start(&w);
    send(OTP, "code 1");
    world_pass(&w, 1);
    send(MARKETING, "sale");
    assert_int_equal(written_to(ALPHA), 2);
    carrier_goes(ALPHA);
    pass(20000);
    assert_int_equal(written_to(ALPHA), 2);
    assert_int_equal(written_to(BETA), 0);
    world_release(&w);
}

/* Alpha takes as many parts as its window has room for, and goes. */
static void a_message_taken_in_part_stays(void **state)
{
    (void)state;
    start();
    w.carriers[ALPHA].window = 1;
    w.carriers[ALPHA].failover_after_ms = 500;
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    world_start(&w);
    Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, text);
    assert_int_equal(world_submit(&w, 0, &message).parts, 3);
    while (w.next_id == 0)
        world_pass(&w, 1);
    w.status[ALPHA] = ESME_RINVSRCADR;
    pass(20000);
    assert_int_equal(written_to(BETA), 0);
    world_release(&w);
}

static void a_restart_finds_it_at_its_carrier(void **state)
{
    (void)state;
    start();
    w.status[ALPHA] = ESME_RINVSRCADR;
    w.silent = false;
    world_start(&w);
    w.status[BETA] = ESME_RSYSERR; /* tried at beta, to be tried again */
    uint64_t id = send(TRANSACTIONAL, "parcel");
    assert_int_equal(written_to(BETA), 1);
    world_stop(&w);
    w.away[ALPHA] = true;
    w.status[BETA] = ESME_ROK;
    world_boot(&w, true);
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    assert_true(engine_query(w.engine, 0, id, &status));
    assert_string_equal(status.carrier, "beta");
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_passes_a_carrier_that_is_down),
        cmocka_unit_test(bulk_waits_for_failover_after_and_comes_back),
        cmocka_unit_test(without_another_route_it_waits),
        cmocka_unit_test(a_carrier_that_throttles_and_takes_nothing_is_passed_over),
        cmocka_unit_test(a_long_queue_moves),
        cmocka_unit_test(what_this_carrier_will_not_have_goes_elsewhere),
        cmocka_unit_test(the_text_is_planned_anew_for_the_next_carrier),
        cmocka_unit_test(a_carrier_that_cannot_take_the_text_is_no_route),
        cmocka_unit_test(where_nobody_will_have_it_it_ends),
        cmocka_unit_test(an_exception_for_one_carrier),
        cmocka_unit_test(attempts_count_over_all_carriers),
        cmocka_unit_test(a_vendor_status_is_final_and_its_raw_code_kept),
        cmocka_unit_test(a_vendor_status_by_the_carriers_policy),
        cmocka_unit_test(opted_out_at_the_carrier),
        cmocka_unit_test(what_is_unanswered_never_goes_to_another_carrier),
        cmocka_unit_test(a_message_taken_in_part_stays),
        cmocka_unit_test(a_restart_finds_it_at_its_carrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who may send what where: countries of numbers, lists of numbers, registrations by class, country and day,
 * and what the engine makes of them when a message is submitted and right before the wire. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/country.h"
#include "consent/number_list.h"
#include "consent/policy.h"
#include "gateway/registry.h"

#define DAY_MS    (24ull * 3600 * 1000)
#define MARKETING ASSENT__V1__CLASS__MARKETING
#define OTP       ASSENT__V1__CLASS__OTP
#define BIT(c)    (uint8_t)(1u << ASSENT__V1__CLASS__##c)

static struct world w;

/* ---- countries ---- */

static void numbers_are_of_countries(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *country;
        bool may;
    } rows[] = {{12125550100, "US", true},  {12125550100, "CA", false},  {14165550100, "CA", true},
                {14165550100, "US", false}, {18885550100, "US", true},   {447700900123, "GB", true},
                {447700900123, "JE", true}, {447700900123, "FR", false}, {33612345678, "FR", true},
                {33612345678, "GB", false}, {85212345, "HK", true},      {12345, "US", true},
                {99999999999, "US", false}, {3530000, "IE", true},       {3530000, "PT", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (number_may_be_of(rows[i].number, rows[i].country) != rows[i].may)
            fail_msg("row %zu", i);
    assert_true(country_is_known("US") && country_is_known("GB") && country_is_known("IM"));
    assert_false(country_is_known("UK") || country_is_known("us") || country_is_known("USA") ||
                 country_is_known("") || country_is_known("U") || country_is_known("TX"));
}

/* ---- lists ---- */

static struct number_list *list_of(const char *text, struct number_list_fault *fault)
{
    *fault = (struct number_list_fault){0};
    return number_list_parse(span_from_string(text), fault);
}

static void lists_hold_numbers_and_beginnings(void **state)
{
    (void)state;
    struct number_list_fault fault;
    struct number_list *list =
        list_of("# only receive\n\n 18885550100 \r\n+18885550100\n1900*\t# dear\n"
                "0044*\n12345\n999999999999999",
                &fault);
    assert_non_null(list);
    assert_int_equal(number_list_count(list), 5);
    static const char *const in[] = {"18885550100", "19005550100", "1900",
                                     "004477",      "12345",       "999999999999999"};
    static const char *const out[] = {"1888555010", "188855501000",    "190",  "447700900123",
                                      "123450",     "99999999999999",  "ACME", "",
                                      "1900A",      "9999999999999990"};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(number_list_has(list, in[i]));
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_false(number_list_has(list, out[i]));
    number_list_free(list);
}

static void a_bad_line_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *why;
    } rows[] = {{"", 1, "no number in the whole file"},
                {"# nothing\n\n", 1, "no number in the whole file"},
                {"12025550100\nACME\n", 2, "not a number"},
                {"12025550100\n\n1202-5550100\n", 3, "not a number"},
                {"+\n", 1, "not a number"},
                {"*\n", 1, "not a number"},
                {"1**\n", 1, "not a number"},
                {"1*2\n", 1, "not a number"},
                {"12\n", 1, "one or two digits"},
                {"1000000000000000\n", 1, "more than 15 digits"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct number_list_fault fault;
        assert_null(list_of(rows[i].text, &fault));
        assert_int_equal(fault.line, rows[i].line);
        assert_non_null(strstr(fault.why, rows[i].why));
    }
}

/* ---- registrations ---- */

static void registrations_are_by_class_country_and_day(void **state)
{
    (void)state;
    struct registration rows[] = {{.country = "US", .classes = BIT(MARKETING), .last_day = 20000},
                                  {.country = "GB", .classes = BIT(OTP) | BIT(TRANSACTIONAL)}};
    struct sender_config s = {.registrations = rows, .registration_count = 2};
    uint64_t us = 12125550100, gb = 447700900123;
    assert_int_equal(sender_registered(&s, MARKETING, us, 20000), REGISTERED);
    assert_int_equal(sender_registered(&s, MARKETING, us, 20001), REGISTERED_EXPIRED);
    assert_int_equal(sender_registered(&s, MARKETING, gb, 20000), REGISTERED_NOT);
    assert_int_equal(sender_registered(&s, OTP, us, 20000), REGISTERED_NOT);
    assert_int_equal(sender_registered(&s, OTP, gb, 30000), REGISTERED);
    assert_int_equal(sender_registered(&s, ASSENT__V1__CLASS__SERVICE, us, 20000), REGISTERED);
    assert_int_equal(sender_registered(&s, ASSENT__V1__CLASS__SERVICE, us, 20001),
                     REGISTERED_EXPIRED);
    assert_int_equal(sender_registered(NULL, OTP, gb, 20000), REGISTERED_NOT);
    rows[1] = rows[0]; /* the old one is still written there, and the new one */
    rows[1].last_day = 20365;
    assert_int_equal(sender_registered(&s, MARKETING, us, 20001), REGISTERED);
}

/* ---- the engine ---- */

static struct registration granted[2];
static struct sender_config registry[2];

/* Programs offers and login have a sender each, in the world's order. */
static void begin(void)
{
    world_init(&w);
    w.next_scope = SCOPES_RESERVED;
    w.facts = (struct check_result){.known = true, .opted_in = true, .cap = CAP_ROOM};
    for (int i = 0; i < 2; i++) {
        granted[i] = (struct registration){
            .country = "US", .classes = i == 0 ? BIT(MARKETING) : BIT(OTP) | BIT(TRANSACTIONAL)};
        registry[i] = (struct sender_config){.registrations = &granted[i], .registration_count = 1};
        strcpy(registry[i].number, w.programs[i].senders[0]);
    }
    w.config.senders = registry;
    w.config.sender_count = 2;
}

static struct submit_verdict submit_to(const char *program, Assent__V1__Class message_class,
                                       const char *number, bool dry)
{
    Assent__V1__Message message =
        world_message(program, message_class, number, "Acme: hello. Reply STOP to end");
    struct submit_verdict v;
    engine_submit(w.engine, 0, &message, dry, w.now, &v);
    return v;
}

/* What the last record of the kind says of the gates. */
static uint32_t last_gates(bool sent, Assent__V1__Reason *ret_reason)
{
    uint32_t gates = 0;
    for (uint64_t i = 1; i < w.next; i++) {
        const struct world_record *r = &w.records[i];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        if (sent && event->body_case == ASSENT__V1__EVENT__BODY_SENT)
            gates = event->sent->gates;
        if (!sent && event->body_case == ASSENT__V1__EVENT__BODY_ENDED) {
            gates = event->ended->gates;
            *ret_reason = event->ended->reason;
        }
        assent__v1__event__free_unpacked(event, NULL);
    }
    return gates;
}

static void the_registered_sender_passes(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    assert_int_equal(submit_to("offers", MARKETING, "13035550100", false).code,
                     ASSENT__V1__CODE__CODE_OK);
    world_pass(&w, 20);
    assert_int_equal(w.submit_count, 1);
    uint32_t gates = last_gates(true, NULL);
    assert_int_equal(gate_answer_of(gates, GATE_ORIGIN), ANSWER_PASSED);
    assert_int_equal(gate_answer_of(gates, GATE_REGISTRATION), ANSWER_PASSED);
    world_release(&w);
}

static void what_is_not_registered_is_refused_when_submitted(void **state)
{
    (void)state;
    begin();
    granted[1].classes = BIT(TRANSACTIONAL);
    granted[0].last_day = (int32_t)(w.now.wall_ms / DAY_MS) - 1;
    world_start(&w);
    static const struct {
        const char *program, *number, *why;
        Assent__V1__Class message_class;
    } rows[] = {
        {"offers", "13035550100", "has expired: renew it", MARKETING},
        {"offers", "447700900123", "not registered for this class in the recipient's", MARKETING},
        {"login", "13035550100", "SENDER_NOT_REGISTERED: the sender is not registered", OTP}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int dry = 0; dry < 2; dry++) {
            struct submit_verdict v =
                submit_to(rows[i].program, rows[i].message_class, rows[i].number, dry);
            assert_int_equal(v.code, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
            assert_non_null(strstr(v.message, rows[i].why));
        }
    assert_int_equal(submit_to("login", ASSENT__V1__CLASS__TRANSACTIONAL, "13035550100", true).code,
                     ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

/* It was good when the message came, and the message waits over the end of its last day. */
static void it_is_asked_again_right_before_the_wire(void **state)
{
    (void)state;
    begin();
    granted[0].last_day = (int32_t)(w.now.wall_ms / DAY_MS);
    world_start(&w);
    Assent__V1__Message message =
        world_message("offers", MARKETING, "13035550100", "Acme: hello. Reply STOP to end");
    message.send_at_wall_ms = w.now.wall_ms + DAY_MS;
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    w.now.wall_ms += DAY_MS;
    w.now.mono_us += DAY_MS * US_PER_MS;
    for (int i = 0; i < 5; i++)
        world_pass(&w, 1000);
    assert_int_equal(w.submit_count, 0);
    Assent__V1__Reason reason = ASSENT__V1__REASON__REASON_NONE;
    uint32_t gates = last_gates(false, &reason);
    assert_int_equal(reason, ASSENT__V1__REASON__SENDER_NOT_REGISTERED);
    assert_int_equal(gate_answer_of(gates, GATE_REGISTRATION), ANSWER_REFUSED);
    assert_int_equal(gate_answer_of(gates, GATE_ORIGIN), ANSWER_PASSED);
    world_release(&w);
}

static void nothing_goes_from_what_may_not_originate(void **state)
{
    (void)state;
    begin();
    struct number_list_fault fault;
    w.config.senders = NULL;
    w.config.sender_count = 0;
    w.config.do_not_originate = list_of("99999\n", &fault);
    world_start(&w);
    assert_int_equal(submit_to("offers", MARKETING, "13035550100", false).code,
                     ASSENT__V1__CODE__CODE_OK);
    world_pass(&w, 20);
    assert_int_equal(w.submit_count, 1);
    uint32_t gates = last_gates(true, NULL);
    assert_int_equal(gate_answer_of(gates, GATE_ORIGIN), ANSWER_PASSED);
    assert_int_equal(gate_answer_of(gates, GATE_REGISTRATION), ANSWER_EXEMPT);

    Assent__V1__Message later =
        world_message("offers", MARKETING, "13035550101", "Acme: hello. Reply STOP to end");
    later.send_at_wall_ms = w.now.wall_ms + 1000;
    assert_int_equal(world_submit(&w, 0, &later).code, ASSENT__V1__CODE__CODE_OK);
    char line[32];
    snprintf(line, sizeof line, "%.4s*\n", w.programs[0].senders[0]);
    number_list_free(w.config.do_not_originate);
    w.config.do_not_originate = list_of(line, &fault);
    assert_non_null(w.config.do_not_originate);
    engine_reconfigure(w.engine, w.now);
    struct submit_verdict v = submit_to("offers", MARKETING, "13035550100", true);
    assert_int_equal(v.code, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(v.message, "DO_NOT_ORIGINATE: "));
    for (int i = 0; i < 5; i++)
        world_pass(&w, 1000);
    assert_int_equal(w.submit_count, 1); /* what waited is not sent either */
    Assent__V1__Reason reason = ASSENT__V1__REASON__REASON_NONE;
    last_gates(false, &reason);
    assert_int_equal(reason, ASSENT__V1__REASON__DO_NOT_ORIGINATE);
    number_list_free(w.config.do_not_originate);
    world_release(&w);
}

/* Nobody can answer it, so STOP is not what its marketing says. */
static void a_sender_that_only_sends_names_another_way_out(void **state)
{
    (void)state;
    begin();
    registry[0].direction = DIRECTION_OUTBOUND;
    strcpy(w.programs[0].other_way_out, "acme.example/out");
    world_start(&w);
    Assent__V1__Message message =
        world_message("offers", MARKETING, "13035550100", "Acme: hello. Reply STOP to end");
    struct submit_verdict v;
    engine_submit(w.engine, 0, &message, true, w.now, &v);
    assert_int_equal(v.code, ASSENT__V1__CODE__CODE_OK);
    assert_non_null(v.opt_out_line);
    assert_non_null(strstr(v.opt_out_line, "acme.example/out"));
    world_release(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_of_countries),
        cmocka_unit_test(lists_hold_numbers_and_beginnings),
        cmocka_unit_test(a_bad_line_is_named),
        cmocka_unit_test(registrations_are_by_class_country_and_day),
        cmocka_unit_test(the_registered_sender_passes),
        cmocka_unit_test(what_is_not_registered_is_refused_when_submitted),
        cmocka_unit_test(it_is_asked_again_right_before_the_wire),
        cmocka_unit_test(nothing_goes_from_what_may_not_originate),
        cmocka_unit_test(a_sender_that_only_sends_names_another_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

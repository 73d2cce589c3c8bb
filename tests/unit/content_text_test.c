/* SPDX-License-Identifier: Apache-2.0 */
/* The brand before a text, links of shorteners, and what the gate says of both: of whom they are asked, how
 * they count, and that what waits is looked at again. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/policy.h"

#define MARKETING ASSENT__V1__CLASS__MARKETING
#define OK        ASSENT__V1__CODE__CODE_OK
#define REFUSED   ASSENT__V1__CODE__CODE_FAILED_PRECONDITION
#define NUMBER    "12025550123"
#define LINE      "\nReply STOP to unsubscribe"
#define STOPS     " Reply STOP to end"

static struct world w;

static void begin(void)
{
    world_init(&w);
    for (int i = 0; i < 2; i++) {
        strcpy(w.programs[i].brand, "Acme");
        w.programs[i].brand_named = BRAND_ADD;
    }
}

static struct submit_verdict submit(const char *text)
{
    Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, text);
    return world_submit(&w, 0, &message);
}

static struct submit_verdict submit_notice(const char *text)
{
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, NUMBER, text);
    return world_submit(&w, 0, &message);
}

static struct submit_verdict dry(const char *text)
{
    struct submit_verdict verdict;
    Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, text);
    engine_submit(w.engine, 0, &message, true, w.now, &verdict);
    return verdict;
}

/* The newest record of a kind, to be freed; *ret_text where it is not NULL. */
static Assent__V1__Event *newest(Assent__V1__Event__BodyCase body, char *ret_text)
{
    for (uint64_t i = w.next; i-- > 1;) {
        const struct world_record *r = &w.records[i];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        assert_non_null(event);
        if (event->body_case != body) {
            assent__v1__event__free_unpacked(event, NULL);
            continue;
        }
        if (ret_text != NULL) {
            Assent__V1__Personal *personal = assent__v1__personal__unpack(
                NULL, r->personal_length, (const uint8_t *)r->octets + r->public_length);
            strcpy(ret_text, personal->text);
            assent__v1__personal__free_unpacked(personal, NULL);
        }
        return event;
    }
    fail_msg("no such record");
    return NULL;
}

static void assert_accepted_as(const char *text)
{
    char recorded[TEXT_OCTETS_MAX + 1];
    assent__v1__event__free_unpacked(newest(ASSENT__V1__EVENT__BODY_ACCEPTED, recorded), NULL);
    assert_string_equal(recorded, text);
}

static void assert_content(uint32_t gates, enum gate_answer answer)
{
    assert_int_equal(gate_answer_of(gates, GATE_CONTENT), answer);
}

static void assert_sent_with(enum gate_answer answer)
{
    world_pass(&w, 20);
    Assent__V1__Event *event = newest(ASSENT__V1__EVENT__BODY_SENT, NULL);
    assert_content(event->sent->gates, answer);
    assent__v1__event__free_unpacked(event, NULL);
}

static void assert_suppressed(void)
{
    Assent__V1__Event *event = newest(ASSENT__V1__EVENT__BODY_ENDED, NULL);
    assert_int_equal(event->ended->outcome, ASSENT__V1__OUTCOME__SUPPRESSED);
    assert_int_equal(event->ended->reason, ASSENT__V1__REASON__CONTENT_REFUSED);
    assert_content(event->ended->gates, ANSWER_REFUSED);
    assent__v1__event__free_unpacked(event, NULL);
}

static void the_brand_is_put_before(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    struct submit_verdict v = submit("20% off." STOPS);
    assert_int_equal(v.code, OK);
    assert_string_equal(v.brand_prefix, "Acme: ");
    assert_null(v.opt_out_line);
    assert_accepted_as("Acme: 20% off." STOPS);
    assert_sent_with(ANSWER_PASSED);
    v = submit("20% off");
    assert_string_equal(v.brand_prefix, "Acme: ");
    assert_accepted_as("Acme: 20% off" LINE);
    v = submit("20% off at ACME");
    assert_null(v.brand_prefix);
    assert_accepted_as("20% off at ACME" LINE);
    v = submit("20% off at ACME." STOPS);
    assert_accepted_as("20% off at ACME." STOPS);
    assert_sent_with(ANSWER_PASSED);
    world_release(&w);
}

static void it_counts(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    static char text[TEXT_OCTETS_MAX + 1];
    const size_t around = strlen("Acme: " LINE);
    memset(text, 'x', 160 - around);
    assert_int_equal(dry(text).parts, 1);
    text[160 - around] = 'x';
    assert_int_equal(dry(text).parts, 2);
    memset(text, 'x', TEXT_OCTETS_MAX);
    struct submit_verdict v = dry(text);
    assert_int_equal(v.code, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    assert_memory_equal(v.message, "text: too long", 14);
    world_release(&w);
}

static void or_it_is_asked_for_or_not(void **state)
{
    (void)state;
    begin();
    w.programs[0].brand_named = BRAND_REQUIRE;
    world_start(&w);
    struct submit_verdict v = submit("20% off." STOPS);
    assert_int_equal(v.code, REFUSED);
    assert_non_null(strstr(v.message, "does not name the brand"));
    assert_int_equal(submit("Acme 20% off." STOPS).code, OK);
    world_release(&w);
    begin();
    w.programs[0].brand_named = BRAND_OFF;
    world_start(&w);
    assert_int_equal(submit("20% off." STOPS).code, OK);
    assert_accepted_as("20% off." STOPS);
    assert_sent_with(ANSWER_PASSED); /* of the rest */
    world_release(&w);
}

static void shorteners_are_refused(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    struct submit_verdict v = submit("Acme: bit.ly/x." STOPS);
    assert_int_equal(v.code, REFUSED);
    assert_non_null(strstr(v.message, "public shortener"));
    assert_int_equal(submit("Acme: acme.example/x." STOPS).code, OK);
    world_release(&w);
    begin();
    w.programs[0].link_shorteners = SHORTENERS_ALLOWED;
    world_start(&w);
    assert_int_equal(submit("Acme: bit.ly/x." STOPS).code, OK);
    assert_sent_with(ANSWER_PASSED);
    world_release(&w);
}

static void others_only_where_the_program_says_so(void **state)
{
    (void)state;
    begin();
    world_start(&w);
    struct submit_verdict v = submit_notice("1234: bit.ly/x");
    assert_int_equal(v.code, OK);
    assert_null(v.brand_prefix);
    assert_sent_with(ANSWER_EXEMPT);
    world_release(&w);
    begin();
    w.programs[1].content_rules = CONTENT_OF_ALL;
    world_start(&w);
    assert_int_equal(submit_notice("1234: bit.ly/x").code, REFUSED);
    v = submit_notice("1234");
    assert_string_equal(v.brand_prefix, "Acme: ");
    assert_null(v.opt_out_line);
    assert_accepted_as("Acme: 1234");
    assert_sent_with(ANSWER_PASSED);
    world_release(&w);
}

static void submit_for_later(const char *text)
{
    Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, text);
    message.send_at_wall_ms = w.now.wall_ms + 60000;
    assert_int_equal(world_submit(&w, 0, &message).code, OK);
}

/* Another configuration, and another start. What would be put in now is not asked of it. */
static void what_waits_is_looked_at_again(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++)
        for (int fault = 0; fault < 5; fault++) {
            begin();
            w.programs[0].brand_named = BRAND_OFF;
            w.programs[0].link_shorteners = SHORTENERS_ALLOWED;
            strcpy(w.programs[0].other_way_out, "acme.example/out");
            world_start(&w);
            submit_for_later(fault == 0 || fault == 4 ? "20% off." STOPS
                             : fault == 1             ? "Acme: bit.ly/x." STOPS
                             : fault == 2             ? "Acme: 20% off. acme.example/out"
                                                      : "Acme: 20% off." STOPS);
            w.programs[0].brand_named = fault == 0 ? BRAND_REQUIRE : BRAND_ADD;
            w.programs[0].link_shorteners = SHORTENERS_REFUSED;
            strcpy(w.programs[0].other_way_out, "");
            if (restarts) {
                world_stop(&w);
                world_start(&w);
            } else {
                engine_reconfigure(w.engine, w.now);
            }
            world_pass(&w, 60000);
            world_pass(&w, 20);
            if (fault < 3)
                assert_suppressed();
            else
                assert_sent_with(ANSWER_PASSED);
            assert_int_equal(w.submit_count, fault >= 3);
            world_release(&w);
        }
}

/* They name the brand, and nobody adds to them. */
static void our_own_texts_pass(void **state)
{
    (void)state;
    begin();
    w.programs[0].opt_in = OPT_IN_DOUBLE;
    world_start(&w);
    Assent__V1__OptInRequest request = ASSENT__V1__OPT_IN_REQUEST__INIT;
    request.program = (char *)"offers";
    request.number = (char *)NUMBER;
    engine_request_opt_in(w.engine, 0, 1, &request, w.now);
    world_settle(&w);
    assert_sent_with(ANSWER_PASSED);
    char text[TEXT_OCTETS_MAX + 1];
    assent__v1__event__free_unpacked(newest(ASSENT__V1__EVENT__BODY_ACCEPTED, text), NULL);
    const char *at = strstr(text, "Acme");
    assert_non_null(at);
    assert_null(strstr(text, "Acme: Acme"));
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_brand_is_put_before),
        cmocka_unit_test(it_counts),
        cmocka_unit_test(or_it_is_asked_for_or_not),
        cmocka_unit_test(shorteners_are_refused),
        cmocka_unit_test(others_only_where_the_program_says_so),
        cmocka_unit_test(what_waits_is_looked_at_again),
        cmocka_unit_test(our_own_texts_pass),
    };
    return cmocka_run_group_tests_name("content_text", tests, NULL, NULL);
}

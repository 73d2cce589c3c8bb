/* SPDX-License-Identifier: Apache-2.0 */
/* The line under marketing: where it is put, in which language, how it counts, what the record says. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define MARKETING ASSENT__V1__CLASS__MARKETING
#define OK        ASSENT__V1__CODE__CODE_OK
#define INVALID   ASSENT__V1__CODE__CODE_INVALID_ARGUMENT
#define NUMBER    "12025550123"

static struct world w;

static struct submit_verdict dry(Assent__V1__Message *message)
{
    struct submit_verdict verdict;
    engine_submit(w.engine, 0, message, true, w.now, &verdict);
    return verdict;
}

/* The text in the newest record. */
static void assert_recorded(const char *text)
{
    const struct world_record *r = &w.records[w.next - 1];
    Assent__V1__Personal *personal = assent__v1__personal__unpack(
        NULL, r->personal_length, (const uint8_t *)r->octets + r->public_length);
    assert_non_null(personal);
    assert_string_equal(personal->text, text);
    assent__v1__personal__free_unpacked(personal, NULL);
}

static void marketing_gets_its_line(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    world_pass(&w, 1);
    Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, "20% off");
    message.send_at_wall_ms = w.now.wall_ms + 3600 * MS_PER_S;
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, OK);
    assert_string_equal(verdict.opt_out_line, "Reply STOP to unsubscribe");
    assert_recorded("20% off\nReply STOP to unsubscribe");
    message.text = (char *)"20% off. Text STOP to end";
    verdict = world_submit(&w, 0, &message);
    assert_null(verdict.opt_out_line);
    assert_recorded("20% off. Text STOP to end");
    message = world_message("login", ASSENT__V1__CLASS__OTP, NUMBER, "code 123456");
    assert_null(dry(&message).opt_out_line);
    world_release(&w);
}

static void in_the_language_of_the_message(void **state)
{
    (void)state;
    world_init(&w);
    strcpy(w.programs[0].language, "de");
    world_start(&w);
    Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, "20 %");
    assert_string_equal(dry(&message).opt_out_line, "Abmelden: Antwort STOPP");
    message.language = (char *)"fr";
    assert_string_equal(dry(&message).opt_out_line, "Répondez STOP pour vous désabonner");
    message.language = (char *)"xx";
    struct submit_verdict verdict = dry(&message);
    assert_int_equal(verdict.code, INVALID);
    assert_memory_equal(verdict.message, "language: ", 10);
    message.language = (char *)"";
    strcpy(w.programs[0].language, "en");
    assert_string_equal(dry(&message).opt_out_line, "Reply STOP to unsubscribe");
    world_release(&w);
}

static void it_counts(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    static char text[TEXT_OCTETS_MAX + 1];
    const size_t line = strlen("\nReply STOP to unsubscribe");
    Assent__V1__Message message = world_message("offers", MARKETING, NUMBER, text);
    memset(text, 'x', 160 - line);
    assert_int_equal(dry(&message).parts, 1);
    text[160 - line] = 'x';
    assert_int_equal(dry(&message).parts, 2);
    memset(text, 'x', 1530 - line); /* ten parts of 153 */
    assert_int_equal(dry(&message).parts, 10);
    text[1530 - line] = 'x';
    assert_int_equal(dry(&message).code, INVALID);
    memset(text, 'x', TEXT_OCTETS_MAX);
    struct submit_verdict verdict = dry(&message);
    assert_int_equal(verdict.code, INVALID);
    assert_memory_equal(verdict.message, "text: too long", 14);
    world_release(&w);
}

static void who_cannot_be_answered_gives_another_way(void **state)
{
    (void)state;
    world_init(&w);
    strcpy(w.programs[0].senders[0], "Acme");
    strcpy(w.programs[0].other_way_out, "https://acme.example/stop");
    world_start(&w);
    Assent__V1__Message message =
        world_message("offers", MARKETING, NUMBER, "20% off. Reply STOP to end");
    assert_string_equal(dry(&message).opt_out_line, "To unsubscribe: https://acme.example/stop");
    message.text = (char *)"20% off. No more: https://acme.example/stop";
    assert_null(dry(&message).opt_out_line);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marketing_gets_its_line),
        cmocka_unit_test(in_the_language_of_the_message),
        cmocka_unit_test(it_counts),
        cmocka_unit_test(who_cannot_be_answered_gives_another_way),
    };
    return cmocka_run_group_tests_name("opt_out_text", tests, NULL, NULL);
}

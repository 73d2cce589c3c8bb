/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated carrier's decisions and its judge. Linked by source: the model is not part of a box. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "bench/carrier_model.c"
#include "bench/sliding.c"
#include "bench/subscriber.c"

#define SECOND  1000000ull
#define MINUTE  (60 * SECOND)
#define SENDER  "12025550100"
#define NUMBER  "12025550123"
#define OFFER   "Acme: 20% off today. Reply STOP to end."
#define GOODBYE "Acme: you get no more texts."

struct world {
    struct carrier_model *model;
    struct rng rng;
    uint64_t now_us;
    struct carrier_outcome outcome;
};

static struct world world_with(const struct carrier_config *config)
{
    return (struct world){
        .model = carrier_model_new(config), .rng = {.state = 7}, .now_us = SECOND};
}

/* A subscriber who says YES and stops at the first marketing text. */
static struct world world_with_stopper(void)
{
    struct carrier_config config = {.subscribers = true, .other_session_us = 20000};
    struct world world = world_with(&config);
    struct subscriber subscriber = {.answer = REPLY_YES, .stop_at = 1};
    carrier_model_set_subscriber(world.model, 12025550123, &subscriber);
    return world;
}

static void submit_octets(struct world *world, const char *destination, struct span octets,
                          uint8_t data_coding, uint8_t esm_class, uint32_t session)
{
    struct sm_body body = {.source.digits = SENDER,
                           .registered_delivery = 1,
                           .esm_class = esm_class,
                           .data_coding = data_coding,
                           .text = octets};
    snprintf(body.destination.digits, sizeof body.destination.digits, "%s", destination);
    struct carrier_submit submit = {.body = &body, .session = session};
    carrier_model_submit(world->model, &submit, world->now_us, &world->rng, &world->outcome);
}

static void submit_text(struct world *world, const char *destination, const char *text,
                        uint32_t session)
{
    struct text_plan plan;
    assert_int_equal(text_plan(span_from_string(text), &text_rules_default, &plan), ERR_OK);
    for (uint8_t part = 1; part <= plan.parts; part++) {
        uint8_t octets[TEXT_PART_MAX];
        size_t length = text_part(span_from_string(text), &plan, part, 9, octets);
        submit_octets(world, destination, span_of(octets, length), (uint8_t)plan.encoding,
                      plan.parts > 1 ? ESM_UDHI : 0, session);
    }
}

static const struct carrier_counts *counts(struct world *world)
{
    return carrier_model_counts(world->model);
}

static void submits_are_taken_and_get_receipts(void **state)
{
    (void)state;
    struct carrier_config config = {.receipt_ppm = 1000000,
                                    .answer_delay = {.mean_us = 5000, .spread_us = 2000},
                                    .receipt_delay = {.mean_us = 1000, .spread_us = 3000}};
    struct world world = world_with(&config);
    uint64_t last_id = 0;
    for (int i = 0; i < 1000; i++) {
        submit_text(&world, NUMBER, "code 1", 1);
        assert_int_equal(world.outcome.command_status, ESME_ROK);
        assert_true(world.outcome.answered);
        assert_true(world.outcome.message_id > last_id);
        last_id = world.outcome.message_id;
        assert_in_range(world.outcome.answer_delay_us, 3000, 7000);
        assert_int_equal(world.outcome.receipt_count, 1);
        assert_int_equal(world.outcome.receipts[0].message_state, STATE_DELIVERED);
        assert_in_range(world.outcome.receipts[0].delay_us, world.outcome.answer_delay_us,
                        world.outcome.answer_delay_us + 4000);
        assert_int_equal(world.outcome.reply.kind, REPLY_NONE);
    }
    carrier_model_free(world.model);
}

static void shares_are_kept(void **state)
{
    (void)state;
    struct carrier_config config = {.errors = {{20000, ESME_RMSGQFUL}},
                                    .error_count = 1,
                                    .answer_lost_ppm = 10000,
                                    .receipt_ppm = 900000,
                                    .undelivered_ppm = 30000,
                                    .receipt_twice_ppm = 50000,
                                    .receipt_early_ppm = 100000};
    struct world world = world_with(&config);
    unsigned early = 0;
    for (int i = 0; i < 100000; i++) {
        submit_text(&world, NUMBER, "code 1", 1);
        if (world.outcome.command_status != ESME_ROK)
            assert_int_equal(world.outcome.command_status, ESME_RMSGQFUL);
        early += world.outcome.receipt_count > 0 &&
                 world.outcome.receipts[0].delay_us < world.outcome.answer_delay_us;
    }
    const struct carrier_counts *c = counts(&world);
    assert_in_range(c->refused, 1800, 2200);
    assert_in_range(c->answers_lost, 900, 1100);
    assert_in_range(c->receipts, 87500, 89000);
    assert_in_range(c->undelivered, 2400, 2900);
    assert_in_range(c->receipts_twice, 4200, 4700);
    assert_in_range(early, 8500, 9200);
    assert_int_equal(early, c->receipts_early);
    assert_int_equal(c->accepted + c->refused, c->submits);
    carrier_model_free(world.model);
}

static void receipts_are_sent_as_asked_for(void **state)
{
    (void)state;
    assert_false(is_asked_for(0, STATE_DELIVERED));
    assert_true(is_asked_for(1, STATE_DELIVERED));
    assert_true(is_asked_for(0x11, STATE_UNDELIVERABLE));
    assert_false(is_asked_for(2, STATE_DELIVERED));
    assert_true(is_asked_for(2, STATE_UNDELIVERABLE));
    assert_true(is_asked_for(3, STATE_DELIVERED));
    assert_false(is_asked_for(3, STATE_UNDELIVERABLE));
}

static void the_rate_is_a_sliding_second(void **state)
{
    (void)state;
    struct carrier_config config = {.rate = 10};
    struct world world = world_with(&config);
    for (int i = 0; i < 12; i++)
        submit_text(&world, NUMBER, "x", 1);
    assert_int_equal(counts(&world)->accepted, 10);
    assert_int_equal(counts(&world)->throttled, 2);
    assert_int_equal(world.outcome.command_status, ESME_RTHROTTLED);
    world.now_us += SECOND - 1;
    submit_text(&world, NUMBER, "x", 1);
    assert_int_equal(world.outcome.command_status, ESME_RTHROTTLED);
    world.now_us += 1;
    submit_text(&world, NUMBER, "x", 1);
    assert_int_equal(world.outcome.command_status, ESME_ROK);
    assert_int_equal(counts(&world)->highest_second_accepted, 10);
    assert_int_equal(counts(&world)->highest_second, 13);
    carrier_model_free(world.model);
}

/* Against counting by brute force. */
static void the_sliding_count_is_exact(void **state)
{
    (void)state;
    static uint64_t times[20000];
    struct rng rng = {.state = 3};
    struct sliding sliding;
    uint64_t now = 5, highest = 0;
    size_t first = 0;
    sliding_init(&sliding);
    for (size_t i = 0; i < 20000; i++) {
        now += rng_below(&rng, 3) ? rng_below(&rng, 300) : 0;
        now += rng_below(&rng, 4000) == 0 ? SECOND / 2 : 0;
        times[i] = now;
        while (times[first] + SECOND <= now)
            first++;
        highest = i + 1 - first > highest ? i + 1 - first : highest;
        sliding_add(&sliding, now);
        assert_int_equal(sliding_count(&sliding, now), i + 1 - first);
    }
    assert_int_equal(sliding.highest, highest);
    assert_int_equal(sliding_count(&sliding, now + SECOND), 0);
    sliding_release(&sliding);
}

static void a_full_window_is_refused(void **state)
{
    (void)state;
    struct carrier_config config = {.window = 2};
    struct world world = world_with(&config);
    struct sm_body body = {.source.digits = SENDER, .destination.digits = NUMBER};
    struct carrier_submit submit = {.body = &body, .session = 1, .unanswered = 1};
    carrier_model_submit(world.model, &submit, world.now_us, &world.rng, &world.outcome);
    assert_int_equal(world.outcome.command_status, ESME_ROK);
    submit.unanswered = 2;
    carrier_model_submit(world.model, &submit, world.now_us, &world.rng, &world.outcome);
    assert_int_equal(world.outcome.command_status, ESME_RMSGQFUL);
    carrier_model_free(world.model);
}

static void kinds_of_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum text_kind kind;
        enum language language;
    } cases[] = {
        {"Acme: reply YES to get our offers. STOP to end.", KIND_QUESTION, LANGUAGE_EN},
        {"Acme : répondez OUI pour nos offres, STOP pour refuser", KIND_QUESTION, LANGUAGE_FR},
        {"Acme : répondez «OUI» pour nos offres", KIND_QUESTION, LANGUAGE_FR},
        {"Acme: responda SI para recibir ofertas", KIND_QUESTION, LANGUAGE_ES},
        {"Acme: responda “SÍ” para recibir ofertas", KIND_QUESTION, LANGUAGE_ES},
        {"أرسل نعم لتأكيد الاشتراك", KIND_QUESTION, LANGUAGE_AR},
        {"أجب بنعم لتأكيد الاشتراك", KIND_QUESTION, LANGUAGE_AR},
        {OFFER, KIND_MARKETING, LANGUAGE_EN},
        {"Soldes! ARRET pour finir", KIND_MARKETING, LANGUAGE_FR},
        {"Rebajas. BAJA para salir", KIND_MARKETING, LANGUAGE_ES},
        {"خصم اليوم. أرسل إيقاف للإلغاء", KIND_MARKETING, LANGUAGE_AR},
        {"Welcome to Acme. HELP for help, STOP to end.", KIND_OTHER, LANGUAGE_NONE},
        {"Your code is 123456", KIND_OTHER, LANGUAGE_NONE},
        {"yes we are open, stop by; NONSTOP sale, YESTERDAY", KIND_OTHER, LANGUAGE_NONE},
        {"", KIND_OTHER, LANGUAGE_NONE},
    };
    const struct text_marks none = {0}, marks = {.question = "consent?", .campaign = "[ad]"};
    enum language language = LANGUAGE_NONE;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (text_kind_of(&none, span_from_string(cases[i].text), &language) != cases[i].kind)
            fail_msg("%s", cases[i].text);
        if (cases[i].kind != KIND_OTHER)
            assert_int_equal(language, cases[i].language);
    }
    assert_int_equal(text_kind_of(&marks, span_from_string("do you consent?"), &language),
                     KIND_QUESTION);
    assert_int_equal(text_kind_of(&marks, span_from_string("[ad] HELP STOP"), &language),
                     KIND_MARKETING);
    assert_int_equal(text_kind_of(&marks, span_from_string(OFFER), &language), KIND_OTHER);
}

static void replies_speak_the_language_of_the_question(void **state)
{
    (void)state;
    struct carrier_config config = {.subscribers = true, .shares = {.yes = 1000000}};
    struct world world = world_with(&config);
    char text[64];
    submit_text(&world, NUMBER, "أرسل نعم لتأكيد الاشتراك", 1);
    assert_int_equal(world.outcome.reply.kind, REPLY_YES);
    assert_int_equal(world.outcome.reply.data_coding, 8);
    size_t length = text_decode(8, span_of(world.outcome.reply.octets, world.outcome.reply.length),
                                text, sizeof text);
    assert_memory_equal(text, "نعم", length);
    submit_text(&world, NUMBER, "Acme: répondez OUI pour nos offres", 1);
    assert_int_equal(world.outcome.reply.data_coding, 0);
    length = text_decode(0, span_of(world.outcome.reply.octets, world.outcome.reply.length), text,
                         sizeof text);
    assert_int_equal(length, 3);
    assert_true(memcmp(text, "OUI", 3) == 0 || memcmp(text, "Oui", 3) == 0);
    carrier_model_free(world.model);
}

static void a_long_question_is_read_whole(void **state)
{
    (void)state;
    struct carrier_config config = {.subscribers = true, .shares = {.yes = 1000000}};
    struct world world = world_with(&config);
    char text[401];
    memset(text, 'a', 400);
    memcpy(text + 145, " reply YES ", 11); /* cut at 153: the word lies over the border */
    text[400] = '\0';
    submit_text(&world, NUMBER, text, 1);
    assert_int_equal(world.outcome.reply.kind, REPLY_YES);
    assert_int_equal(counts(&world)->questions, 1);
    assert_int_equal(counts(&world)->submits, 3);
    carrier_model_free(world.model);
}

static void subscribers_follow_their_shares(void **state)
{
    (void)state;
    const struct subscriber_shares shares = {
        .yes = 800000, .no = 50000, .stop = 50000, .help = 20000, .stop_within = 3};
    unsigned yes = 0, no = 0, stop = 0, help = 0, at[4] = {0};
    for (uint64_t number = 12025550000; number < 12025650000; number++) {
        struct subscriber a = subscriber_of(&shares, 42, number);
        struct subscriber b = subscriber_of(&shares, 42, number);
        assert_memory_equal(&a, &b, sizeof a);
        yes += a.answer == REPLY_YES;
        no += a.answer == REPLY_NO;
        stop += a.stop_at > 0;
        help += a.help_at > 0;
        assert_true(a.stop_at <= 3);
        at[a.stop_at]++;
    }
    assert_in_range(yes, 79000, 81000);
    assert_in_range(no, 4700, 5300);
    assert_in_range(stop, 4700, 5300);
    assert_in_range(help, 1800, 2200);
    assert_in_range(at[2], stop / 3 - 150, stop / 3 + 150);
}

static void subscriber_lines(void **state)
{
    (void)state;
    uint64_t number;
    struct subscriber subscriber;
    const char *why = NULL;
    assert_true(
        subscriber_parse("+12025550123 answer=yes stop=2 help=1\n", &number, &subscriber, &why));
    assert_int_equal(number, 12025550123);
    assert_int_equal(subscriber.answer, REPLY_YES);
    assert_int_equal(subscriber.stop_at, 2);
    assert_int_equal(subscriber.help_at, 1);
    assert_true(subscriber_parse("12025550123 stopall=3 start=1", &number, &subscriber, &why));
    assert_true(subscriber.stop_all && subscriber.stop_at == 3 && subscriber.start_at == 1);
    assert_true(subscriber_parse("12025550123\tanswer=NOTHING", &number, &subscriber, &why));
    assert_int_equal(subscriber.answer, REPLY_NONE);
    assert_true(subscriber_parse("# a comment", &number, &subscriber, &why));
    assert_int_equal(number, 0);
    assert_true(subscriber_parse("\n", &number, &subscriber, &why));
    static const char *const bad[] = {"abc", "12025550123 answer=perhaps", "12025550123 stop=x",
                                      "12025550123 stop=70000", "12025550123 more"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(subscriber_parse(bad[i], &number, &subscriber, &why));
}

static struct carrier_reply stop(struct world *world)
{
    submit_text(world, NUMBER, OFFER, 1);
    assert_int_equal(world->outcome.reply.kind, REPLY_STOP);
    struct carrier_reply reply = world->outcome.reply;
    return reply;
}

static void a_stop_is_said_once(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    (void)stop(&world);
    submit_text(&world, NUMBER, OFFER, 1);
    assert_int_equal(world.outcome.reply.kind, REPLY_NONE);
    submit_text(&world, NUMBER, "Acme: reply YES to come back", 1);
    assert_int_equal(world.outcome.reply.kind, REPLY_NONE);
    assert_int_equal(counts(&world)->after_stop, 0); /* it was never answered */
    carrier_model_free(world.model);
}

static void a_start_after_the_confirmation_ends_the_stop(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    struct subscriber subscriber = {.stop_at = 1, .stop_all = true, .start_at = 1};
    carrier_model_set_subscriber(world.model, 12025550123, &subscriber);
    submit_text(&world, NUMBER, OFFER, 1);
    assert_int_equal(world.outcome.reply.kind, REPLY_STOPALL);
    struct carrier_reply reply = world.outcome.reply;
    submit_text(&world, NUMBER, OFFER, 1); /* not answered yet: no reason to say START */
    assert_int_equal(world.outcome.reply.kind, REPLY_NONE);
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us);
    submit_text(&world, NUMBER, GOODBYE, 1);
    assert_int_equal(world.outcome.reply.kind, REPLY_START);
    reply = world.outcome.reply;
    carrier_model_reply_sent(world.model, &reply);
    submit_text(&world, NUMBER, OFFER, 1);
    assert_int_equal(world.outcome.reply.kind, REPLY_NONE);
    assert_int_equal(counts(&world)->stops_answered, 1);
    assert_int_equal(counts(&world)->confirmations, 1);
    assert_int_equal(counts(&world)->after_stop, 0);
    carrier_model_free(world.model);
}

static void the_judge_lets_one_confirmation_pass(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    struct carrier_reply reply = stop(&world);
    submit_text(&world, NUMBER, OFFER, 1); /* before the answer: allowed */
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us);
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us); /* sent twice: no matter */
    world.now_us += SECOND;
    submit_text(&world, NUMBER, GOODBYE, 1);
    submit_text(&world, "12025550124", OFFER, 1); /* somebody else */
    assert_int_equal(counts(&world)->stops_answered, 1);
    assert_int_equal(counts(&world)->confirmations, 1);
    assert_int_equal(counts(&world)->after_stop, 0);
    submit_text(&world, NUMBER, GOODBYE, 1); /* a second one */
    assert_int_equal(counts(&world)->after_stop, 1);
    carrier_model_free(world.model);
}

static void the_judge_counts_marketing_after_a_stop(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    struct carrier_reply reply = stop(&world);
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us);
    submit_text(&world, NUMBER, OFFER, 1);
    assert_int_equal(counts(&world)->after_stop, 1);
    assert_int_equal(counts(&world)->confirmations, 0);
    carrier_model_free(world.model);
}

static void a_late_confirmation_is_none(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    struct carrier_reply reply = stop(&world);
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us);
    world.now_us += 5 * MINUTE + 1;
    submit_text(&world, NUMBER, GOODBYE, 1);
    assert_int_equal(counts(&world)->after_stop, 1);
    carrier_model_free(world.model);
}

static void a_refused_confirmation_may_be_tried_again(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    struct carrier_reply reply = stop(&world);
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us);
    world.model->config.errors[0] = (struct carrier_error){1000000, ESME_RTHROTTLED};
    world.model->config.error_count = 1;
    submit_text(&world, NUMBER, GOODBYE, 1);
    assert_int_equal(counts(&world)->confirmations, 0);
    world.model->config.error_count = 0;
    submit_text(&world, NUMBER, GOODBYE, 1);
    assert_int_equal(counts(&world)->confirmations, 1);
    assert_int_equal(counts(&world)->after_stop, 0);
    carrier_model_free(world.model);
}

static void a_long_confirmation_is_one(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    struct carrier_reply reply = stop(&world);
    char text[301];
    memset(text, 'b', 300);
    text[300] = '\0';
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us);
    submit_text(&world, NUMBER, text, 1);
    assert_int_equal(counts(&world)->confirmations, 1);
    assert_int_equal(counts(&world)->after_stop, 0);
    carrier_model_free(world.model);
}

static void what_another_session_had_written_is_in_flight(void **state)
{
    (void)state;
    struct world world = world_with_stopper();
    struct carrier_reply reply = stop(&world);
    carrier_model_reply_answered(world.model, &reply, 1, world.now_us);
    world.now_us += 1000;
    submit_text(&world, NUMBER, OFFER, 2);
    assert_int_equal(counts(&world)->after_stop_in_flight, 1);
    world.now_us += SECOND;
    submit_text(&world, NUMBER, OFFER, 2);
    assert_int_equal(counts(&world)->after_stop, 1);
    carrier_model_free(world.model);
}

static void what_is_sent_again(void **state)
{
    (void)state;
    assert_true(carrier_model_redelivers(ESME_RSYSERR));
    assert_true(carrier_model_redelivers(ESME_RMSGQFUL));
    assert_false(carrier_model_redelivers(ESME_ROK));
    assert_false(carrier_model_redelivers(ESME_RX_T_APPN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submits_are_taken_and_get_receipts),
        cmocka_unit_test(shares_are_kept),
        cmocka_unit_test(receipts_are_sent_as_asked_for),
        cmocka_unit_test(the_rate_is_a_sliding_second),
        cmocka_unit_test(the_sliding_count_is_exact),
        cmocka_unit_test(a_full_window_is_refused),
        cmocka_unit_test(kinds_of_texts),
        cmocka_unit_test(replies_speak_the_language_of_the_question),
        cmocka_unit_test(a_long_question_is_read_whole),
        cmocka_unit_test(subscribers_follow_their_shares),
        cmocka_unit_test(subscriber_lines),
        cmocka_unit_test(a_stop_is_said_once),
        cmocka_unit_test(a_start_after_the_confirmation_ends_the_stop),
        cmocka_unit_test(the_judge_lets_one_confirmation_pass),
        cmocka_unit_test(the_judge_counts_marketing_after_a_stop),
        cmocka_unit_test(a_late_confirmation_is_none),
        cmocka_unit_test(a_refused_confirmation_may_be_tried_again),
        cmocka_unit_test(a_long_confirmation_is_one),
        cmocka_unit_test(what_another_session_had_written_is_in_flight),
        cmocka_unit_test(what_is_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

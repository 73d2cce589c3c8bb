/* SPDX-License-Identifier: Apache-2.0 */
/* How much bulk is between queue and carrier at a time: what waits for the disk and what Redis is asked. */
#include "tests/unit/engine_fixture.h"

#define WAITING    600
#define PIPELINE   512 /* of bulk, in all */
#define REDIS_ONLY 128 /* before Redis, as long as it has not shown how fast it is */

static struct world w;

static void submit_to(const char *number, const char *program, Assent__V1__Class message_class)
{
    Assent__V1__Message message =
        world_message(program, message_class, number, "Acme: hello. Reply STOP to end");
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
}

static void submit(const char *program, Assent__V1__Class message_class)
{
    submit_to("13035550100", program, message_class);
}

/* One turn and no more: Redis does not answer. */
static void turn(void)
{
    w.now.mono_us += 2000;
    w.now.wall_ms += 2;
    engine_on_durable(w.engine, w.stuck ? 0 : w.next - 1);
    engine_turn(w.engine, w.now);
}

static size_t attempts(void)
{
    size_t count = 0;
    for (uint64_t i = 1; i < w.next; i++) {
        const struct world_record *r = &w.records[i];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        assert_non_null(event);
        count += event->body_case == ASSENT__V1__EVENT__BODY_ATTEMPT;
        assent__v1__event__free_unpacked(event, NULL);
    }
    return count;
}

static void begin(void)
{
    world_init(&w);
    w.next_scope = SCOPES_RESERVED;
    world_start(&w);
    world_pass(&w, 2000); /* the first second after a start writes nothing */
    for (int i = 0; i < WAITING; i++)
        submit("offers", ASSENT__V1__CLASS__MARKETING);
}

/* Redis is slow, and the disk need not wait for it. */
static void more_waits_for_the_disk_than_redis_is_asked(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(attempts(), PIPELINE);
    assert_int_equal(w.check_count, REDIS_ONLY);
    submit("login", ASSENT__V1__CLASS__OTP);
    for (int i = 0; i < 3; i++)
        turn();
    assert_int_equal(attempts(), PIPELINE + 1);
    assert_int_equal(w.check_count, REDIS_ONLY + 1); /* a code passes what waits */
    world_release(&w);
}

static void an_opt_out_keeps_batches_small(void **state)
{
    (void)state;
    begin();
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.program = (char *)(uintptr_t) "offers";
    request.number = (char *)(uintptr_t) "12025550199";
    engine_opt_out(w.engine, 0, 1, &request, w.now);
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(attempts(), REDIS_ONLY);
    assert_int_equal(w.write_count, 1);
    w.write_count = 0;
    engine_on_written(w.engine, w.last_write.sequence, true, w.now);
    turn();
    assert_int_equal(attempts(), REDIS_ONLY); /* the next may follow */
    w.now.mono_us += 100 * US_PER_MS;
    for (int i = 0; i < 3; i++)
        turn();
    assert_int_equal(attempts(), PIPELINE);
    world_release(&w);
}

/* One that has much to send, and windows for it, leaves the other its turn. */
static void carriers_fill_it_by_turns(void **state)
{
    (void)state;
    enum { EACH = PIPELINE + PIPELINE / 2 };
    world_init(&w);
    w.config.carrier_count = 2;
    snprintf(w.carriers[1].name, sizeof w.carriers[1].name, "beta");
    snprintf(w.carriers[1].system_id, sizeof w.carriers[1].system_id, "acme");
    w.carriers[0].window = w.carriers[1].window = 4 * PIPELINE;
    w.carriers[0].rate = w.carriers[1].rate = 100000;
    route_defaults(&w.routes[1]);
    snprintf(w.routes[1].prefix, sizeof w.routes[1].prefix, "1720");
    w.carriers[1].routes = &w.routes[1];
    w.carriers[1].route_count = 1;
    world_start(&w);
    world_pass(&w, 2000);
    for (int i = 0; i < 2 * EACH; i++)
        submit_to(i % 2 ? "17205550100" : "13035550100", "offers", ASSENT__V1__CLASS__MARKETING);
    world_settle(&w);
    assert_int_equal(w.submit_count, 2 * EACH);
    size_t row = 0;
    for (size_t i = 0, sent[2] = {0}; sent[0] < EACH && sent[1] < EACH; i++) {
        row = i > 0 && w.submits[i].link == w.submits[i - 1].link ? row + 1 : 1;
        assert_true(row <= PIPELINE);
        sent[w.submits[i].link / WORLD_LINKS]++;
    }
    world_release(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_waits_for_the_disk_than_redis_is_asked),
        cmocka_unit_test(an_opt_out_keeps_batches_small),
        cmocka_unit_test(carriers_fill_it_by_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How much bulk is between queue and carrier at a time: what waits for the disk and what Redis is asked. */
#include "tests/unit/engine_fixture.h"

#define WAITING    600
#define PIPELINE   512 /* of bulk, in all */
#define REDIS_ONLY 128 /* before Redis, as long as it has not shown how fast it is */

static struct world w;

static void submit(const char *program, Assent__V1__Class message_class)
{
    Assent__V1__Message message =
        world_message(program, message_class, "13035550100", "Acme: hello. Reply STOP to end");
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_waits_for_the_disk_than_redis_is_asked),
        cmocka_unit_test(an_opt_out_keeps_batches_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

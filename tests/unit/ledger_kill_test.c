/* SPDX-License-Identifier: Apache-2.0 */
/* A process that writes the ledger is killed at any moment: what it was told to be durable is there. */
#include "proto/base/rng.h"
#include "tests/unit/ledger_fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* Writes batches for ever and tells through `pipe` what is durable. */
static void write_until_killed(int pipe, uint64_t seed)
{
    struct rng rng = {seed};
    struct ledger *ledger = open_ledger();
    uint64_t told = 0;
    for (;;) {
        append_numbered(ledger, rng_below(&rng, 3) == 0 ? rng_below(&rng, 20000) : 1);
        ledger_flush(ledger);
        uint64_t durable = ledger_durable(ledger);
        if (durable > told && write(pipe, &durable, sizeof durable) != sizeof durable)
            _exit(1);
        told = durable;
        while (ledger_room(ledger) < LEDGER_BATCH_OCTETS / 2)
            settle_ledger(ledger);
    }
}

static void what_was_durable_survives_kill_9(void **state)
{
    (void)state;
    struct rng rng = {20};
    struct ledger *ledger = open_ledger();
    append_numbered(ledger, LEDGER_SEGMENT_RECORDS - 3000); /* so that some are killed in a roll */
    ledger_close(ledger);
    uint64_t next = 0;
    for (int round = 0; round < 30; round++) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(ends[1], (uint64_t)round);
        close(ends[1]);
        uint64_t durable = 0;
        if (round % 2 == 1) /* else it may be killed while it recovers */
            assert_int_equal(read(ends[0], &durable, sizeof durable), sizeof durable);
        usleep((useconds_t)(1000 + rng_below(&rng, 40000)));
        kill(child, SIGKILL);
        while (read(ends[0], &durable, sizeof durable) == sizeof durable)
            ;
        close(ends[0]);
        waitpid(child, NULL, 0);
        ledger = open_ledger();
        next = ledger_next(ledger);
        assert_true(next > durable);
        ledger_close(ledger);
        assert_holds(next);
    }
    assert_true(next > LEDGER_SEGMENT_RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_durable_survives_kill_9, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

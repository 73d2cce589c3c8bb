/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of imports on their way into Redis: gathered by bucket, never forgotten by the position, never behind
 * what came after them. */
#include "gateway/gathered.h"
#include "proto/number.h"
#include "tests/unit/engine_fixture.h"

#define BUCKETS 65536u
#define RECORDS 4096u

static uint64_t number_at(uint64_t i)
{
    return 12025550000 + i;
}

static uint64_t member_at(uint64_t i)
{
    return consent_key(SCOPE_DO_NOT_CALL, number_at(i));
}

/* ---- the bins ---- */

static void all_leave_once_by_bucket(void **state)
{
    (void)state;
    static uint8_t seen[RECORDS];
    memset(seen, 0, sizeof seen);
    struct gathered g;
    gathered_init(&g, 64);
    assert_int_equal(gathered_first(&g), 0);
    for (uint64_t i = 0; i < RECORDS; i++)
        gathered_add(&g, member_at(i), 100 + i);
    assert_true(gathered_settle(&g, 99 + RECORDS / 2));
    assert_int_equal(g.ring_count, RECORDS / 2);
    assert_int_equal(g.in_bins, RECORDS / 2);
    assert_true(gathered_settle(&g, UINT64_MAX));
    assert_int_equal(gathered_rows(&g), RECORDS);
    assert_int_equal(gathered_first(&g), 100);
    uint64_t members[16], runs = 0, before = 100;
    size_t left = 0, count;
    for (bool last = false; !last || g.in_bins > 0;) {
        last = gathered_turn(&g);
        while ((count = gathered_leave(&g, members, 16)) > 0) {
            runs++;
            left += count;
            for (size_t i = 0; i < count; i++) {
                seen[number_of_key(members[i]) - number_at(0)]++;
                assert_int_equal(store_bucket(number_of_key(members[i]), 64),
                                 store_bucket(number_of_key(members[0]), 64));
            }
            assert_true(gathered_first(&g) >= before || gathered_rows(&g) == 0);
            before = gathered_first(&g);
        }
    }
    assert_int_equal(left, RECORDS);
    assert_true(runs < RECORDS / 8);
    for (size_t i = 0; i < RECORDS; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(gathered_rows(&g), 0);
    assert_int_equal(gathered_first(&g), 0);
    gathered_clear(&g);
}

static void what_was_not_taken_leaves_again(void **state)
{
    (void)state;
    struct gathered g;
    gathered_init(&g, BUCKETS);
    gathered_pick(&g, number_at(1)); /* nothing is there yet */
    gathered_add(&g, member_at(1), 7);
    gathered_add(&g, member_at(1), 8);
    assert_true(gathered_settle(&g, 8));
    gathered_pick(&g, number_at(1));
    uint64_t members[16];
    assert_int_equal(gathered_leave(&g, members, 1), 1);
    assert_int_equal(gathered_first(&g), 7); /* its bin has not left whole */
    gathered_return(&g, 1);
    assert_int_equal(gathered_rows(&g), 2);
    assert_int_equal(gathered_leave(&g, members, 16), 2);
    assert_int_equal(gathered_first(&g), 0);
    gathered_clear(&g);
}

static void a_full_bin_leaves_first(void **state)
{
    (void)state;
    struct gathered g;
    gathered_init(&g, BUCKETS);
    uint64_t sequence = 1;
    while (gathered_settle(&g, UINT64_MAX))
        gathered_add(&g, member_at(1), sequence++);
    assert_true(g.full >= 0);
    assert_false(gathered_settle(&g, UINT64_MAX));
    gathered_add(&g, member_at(2), sequence++);
    assert_int_equal(gathered_first(&g), 1);
    (void)gathered_turn(&g);
    uint64_t members[16];
    while (gathered_leave(&g, members, 16) > 0)
        continue;
    assert_int_equal(gathered_first(&g),
                     sequence - 2); /* what did not find room is the oldest now */
    assert_true(gathered_settle(&g, UINT64_MAX));
    assert_int_equal(gathered_rows(&g), 2);
    gathered_clear(&g);
}

static void its_room_has_an_end(void **state)
{
    (void)state;
    struct gathered g;
    gathered_init(&g, BUCKETS);
    uint64_t rows = 0;
    for (; gathered_has_room(&g); rows++) {
        gathered_add(&g, member_at(rows), rows + 1);
        if (rows % 1000 == 999)
            gathered_settle(&g, UINT64_MAX);
    }
    assert_true(rows >= IMPORT_GATHERED_ROWS && rows <= IMPORT_GATHERED_ROWS + 65536);
    for (unsigned i = 0; i < IMPORT_ROWS_MAX * WRITE_SCOPES_MAX; i++)
        if (g.ring_count + 1u < 32768)
            gathered_add(&g, member_at(rows), rows + 1); /* a call's rows still find room */
    gathered_clear(&g);
    assert_true(gathered_has_room(&g));
}

/* ---- the engine ---- */

static struct world w;
static struct consent_write writes[4096];
static size_t write_count;

static bool note_write(void *context, const struct consent_write *write)
{
    assert_true(write_count < sizeof writes / sizeof *writes);
    if (!world_write(context, write)) /* full: it comes again */
        return false;
    writes[write_count++] = *write;
    return true;
}

static void begin(void)
{
    world_init(&w);
    w.ports.store_write = note_write;
    world_start(&w);
    write_count = 0;
}

static Assent__V1__ImportReply call(Assent__V1__ImportRequest *in)
{
    struct arena arena;
    arena_init(&arena, 65536);
    Assent__V1__ImportReply reply = ASSENT__V1__IMPORT_REPLY__INIT;
    uint64_t ready_at;
    if (!engine_import(w.engine, CLIENT_OPERATOR, in, w.now, &arena, &reply, &ready_at))
        reply.code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
    arena_release(&arena);
    return reply;
}

static uint64_t import_of(Assent__V1__ImportKind kind)
{
    static uint8_t sha256[32];
    static char file[] = "list.csv";
    sha256[0]++;
    Assent__V1__ImportRequest in = ASSENT__V1__IMPORT_REQUEST__INIT;
    in.kind = kind;
    in.sha256.data = sha256;
    in.sha256.len = sizeof sha256;
    in.file = file;
    Assent__V1__ImportReply reply = call(&in);
    assert_int_equal(reply.code, ASSENT__V1__CODE__CODE_OK);
    return reply.import;
}

static void rows(uint64_t import, uint64_t first_row, uint64_t from, size_t count)
{
    uint64_t numbers[IMPORT_ROWS_MAX];
    for (size_t i = 0; i < count; i++)
        numbers[i] = number_at(from + i);
    Assent__V1__ImportRequest in = ASSENT__V1__IMPORT_REQUEST__INIT;
    in.import = import;
    in.first_row = first_row;
    in.numbers = numbers;
    in.n_numbers = count;
    assert_int_equal(call(&in).code, ASSENT__V1__CODE__CODE_OK);
}

static Assent__V1__Code end_of(uint64_t import)
{
    Assent__V1__ImportRequest in = ASSENT__V1__IMPORT_REQUEST__INIT;
    in.import = import;
    in.end = true;
    return call(&in).code;
}

static size_t members_written(uint64_t from, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < write_count; i++)
        for (unsigned k = 0; writes[i].kind == WRITE_OPT_OUTS && k < writes[i].member_count; k++) {
            uint64_t number = number_of_key(writes[i].members[k]);
            found += number >= number_at(from) && number < number_at(from + count);
        }
    return found;
}

static void opt_out(const char *number)
{
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.program = (char *)"offers";
    request.number = (char *)(uintptr_t)number;
    request.source = (char *)"mail";
    engine_opt_out(w.engine, 0, 1, &request, w.now);
}

static void release(const char *number)
{
    Assent__V1__ReleaseRequest request = ASSENT__V1__RELEASE_REQUEST__INIT;
    request.number = (char *)(uintptr_t)number;
    request.reason = (char *)"settled";
    request.who = (char *)"legal";
    engine_release_hold(w.engine, CLIENT_OPERATOR, 1, &request, w.now);
}

static void rows_are_written_after_a_moment(void **state)
{
    (void)state;
    begin();
    uint64_t import = import_of(ASSENT__V1__IMPORT_KIND__IMPORT_DO_NOT_CALL);
    rows(import, 2, 0, 500);
    uint64_t last = w.next - 1;
    world_settle(&w);
    assert_int_equal(members_written(0, 500), 0);
    assert_int_equal(end_of(import),
                     ASSENT__V1__CODE__CODE_UNAVAILABLE); /* Redis has not got them */
    Assent__V1__Message message =
        world_message("login", ASSENT__V1__CLASS__TRANSACTIONAL, "12025559999", "Your bill.");
    assert_int_equal(world_submit(&w, 0, &message).code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    assert_int_equal(w.submit_count, 1); /* who is on no list does not wait for it */
    world_pass(&w, IMPORT_GATHER_MS);
    world_pass(&w, 1);
    assert_int_equal(members_written(0, 500), 500);
    assert_int_equal(writes[write_count - 1].position, last);
    for (size_t i = 0; i + 1 < write_count; i++)
        assert_true(writes[i].position <= writes[i + 1].position);
    assert_true(writes[0].position < last - 499);
    assert_int_equal(end_of(import), ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

/* P3: what Redis is said to have does not count rows that lie here, and they come again from the ledger. */
static void an_opt_out_overtakes_and_its_position_does_not(void **state)
{
    (void)state;
    begin();
    uint64_t import = import_of(ASSENT__V1__IMPORT_KIND__IMPORT_DO_NOT_CALL);
    rows(import, 2, 0, 100);
    opt_out("+12025559999");
    world_settle(&w);
    assert_int_equal(write_count, 1);
    assert_int_equal(writes[0].kind, WRITE_OPT_OUT);
    assert_int_equal(writes[0].position, import);
    engine_on_store_down(w.engine, "connection closed");
    write_count = 0;
    engine_on_store_up(w.engine, import);
    world_settle(&w);
    assert_int_equal(members_written(0, 100), 100);
    struct engine_status status;
    engine_status(w.engine, &status);
    assert_true(status.gate_open);
    assert_int_equal(end_of(import), ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

/* A hold behind the rows whose times Redis keeps, and its release. */
static void a_release_comes_behind_the_row(void **state)
{
    (void)state;
    begin();
    uint64_t import = import_of(ASSENT__V1__IMPORT_KIND__IMPORT_LITIGATORS);
    rows(import, IMPORT_TIMED_ROWS + 1, 1, 1);
    w.state.opted_out[1] = true;
    release("+12025550001");
    world_settle(&w);
    rows(import, IMPORT_TIMED_ROWS + 2, 2, 1);
    world_settle(&w);
    assert_int_equal(write_count, 2);
    assert_int_equal(writes[0].kind, WRITE_OPT_OUTS);
    assert_int_equal(writes[0].members[0], consent_key(SCOPE_HOLD, number_at(1)));
    assert_int_equal(writes[1].kind, WRITE_LIFT_OPT_OUT);
    world_pass(&w, IMPORT_GATHER_MS);
    world_pass(&w, 1);
    assert_int_equal(members_written(2, 1), 1);
    world_release(&w);
}

/* A row of after the release stays behind it, though both are durable at once. */
static void a_row_of_after_it_stays_behind(void **state)
{
    (void)state;
    begin();
    uint64_t import = import_of(ASSENT__V1__IMPORT_KIND__IMPORT_LITIGATORS);
    w.state.opted_out[1] = true;
    w.stuck = true; /* the disk */
    release("+12025550001");
    world_settle(&w);
    rows(import, IMPORT_TIMED_ROWS + 1, 1, 1);
    world_settle(&w);
    w.stuck = false;
    world_settle(&w);
    assert_int_equal(write_count, 1);
    assert_int_equal(writes[0].kind, WRITE_LIFT_OPT_OUT);
    world_pass(&w, IMPORT_GATHER_MS);
    world_pass(&w, 1);
    assert_int_equal(write_count, 2);
    assert_int_equal(writes[1].kind, WRITE_OPT_OUTS);
    world_release(&w);
}

/* While rows come all the time none waits for ever, and those of a program's first rows are written at once. */
static void no_row_waits_for_ever(void **state)
{
    (void)state;
    begin();
    uint64_t import = import_of(ASSENT__V1__IMPORT_KIND__IMPORT_DO_NOT_CALL);
    for (uint64_t i = 0; i < 2 * IMPORT_GATHERED_MS / 20; i++) {
        rows(import, 2 + i, i, 1);
        world_pass(&w, 20);
        if (i < IMPORT_GATHERED_MS / 20 - 1)
            assert_int_equal(write_count, 0);
    }
    assert_true(members_written(0, 1) == 1);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_leave_once_by_bucket),
        cmocka_unit_test(what_was_not_taken_leaves_again),
        cmocka_unit_test(a_full_bin_leaves_first),
        cmocka_unit_test(its_room_has_an_end),
        cmocka_unit_test(rows_are_written_after_a_moment),
        cmocka_unit_test(an_opt_out_overtakes_and_its_position_does_not),
        cmocka_unit_test(a_release_comes_behind_the_row),
        cmocka_unit_test(a_row_of_after_it_stays_behind),
        cmocka_unit_test(no_row_waits_for_ever),
    };
    return cmocka_run_group_tests_name("gathered", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of imported files must hold, kind by kind; and what a record asks of Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "consent/import.h"
#include "consent/projection.h"
#include "consent/store_command.h"

#define NUMBER 12025550123ull
#define NOW_MS 1790000000000ull
#define DAY_MS (24ull * 3600 * 1000)

/* The column that is wrong, or "". */
static const char *fault_of(const char *kind, uint64_t number, const char *source,
                            const char *evidence, uint64_t when_wall_ms)
{
    struct import_row row = {number, source, evidence, when_wall_ms};
    struct import_fault fault;
    const struct import_kind *rules = import_kind(import_kind_named(kind));
    assert_non_null(rules);
    return import_row_check(rules, &row, NOW_MS, &fault) ? "" : fault.column;
}

static void every_kind_has_its_needs(void **state)
{
    (void)state;
    static const char *const plain[] = {"optout", "do-not-call", "litigators"};
    static const char *const dated[] = {"reassigned", "deactivated"};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(fault_of(plain[i], NUMBER, "", "", 0), "");
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(fault_of(dated[i], NUMBER, "", "", 0), "obtained_at");
        assert_string_equal(fault_of(dated[i], NUMBER, "", "", NOW_MS), "");
    }
    assert_string_equal(fault_of("optin", NUMBER, "form", "ticked", NOW_MS), "");
    assert_string_equal(fault_of("optin", NUMBER, "", "ticked", NOW_MS), "source");
    assert_string_equal(fault_of("optin", NUMBER, "form", "", NOW_MS), "evidence");
    assert_string_equal(fault_of("optin", NUMBER, "form", "ticked", 0), "obtained_at");
    assert_null(import_kind(import_kind_named("optins")));
    assert_null(import_kind((Assent__V1__ImportKind)IMPORT_KINDS));
    assert_null(import_kind((Assent__V1__ImportKind)-1));
}

static void limits_hold_at_their_edges(void **state)
{
    (void)state;
    static char text[EVIDENCE_OCTETS_MAX + 2];
    assert_string_equal(fault_of("optout", 10000, "", "", 0), "");
    assert_string_equal(fault_of("optout", 9999, "", "", 0), "number");
    assert_string_equal(fault_of("optout", 999999999999999, "", "", 0), "");
    assert_string_equal(fault_of("optout", 1000000000000000, "", "", 0), "number");
    assert_string_equal(fault_of("optout", 0, "", "", 0), "number");
    assert_string_equal(fault_of("optout", NUMBER, "", "", NOW_MS + DAY_MS), "");
    assert_string_equal(fault_of("optout", NUMBER, "", "", NOW_MS + DAY_MS + 1), "obtained_at");
    memset(text, 'x', 128);
    assert_string_equal(fault_of("optout", NUMBER, text, "", 0), "");
    memset(text, 'x', 129);
    assert_string_equal(fault_of("optout", NUMBER, text, "", 0), "source");
    memset(text, 'x', EVIDENCE_OCTETS_MAX);
    assert_string_equal(fault_of("optout", NUMBER, "", text, 0), "");
    memset(text, 'x', EVIDENCE_OCTETS_MAX + 1);
    assert_string_equal(fault_of("optout", NUMBER, "", text, 0), "evidence");
}

/* Whatever the count of buckets, up to 65,536: numbers of one stand together. */
static void the_order_goes_by_buckets(void **state)
{
    (void)state;
    for (unsigned bits = 1; bits <= 16; bits++)
        for (uint64_t i = 0; i < 1000; i++) {
            uint64_t number = NUMBER + 7919 * i;
            uint32_t bucket = store_bucket(number, 1u << bits), backwards = 0;
            for (unsigned bit = 0; bit < bits; bit++)
                backwards |= (bucket >> bit & 1u) << (bits - 1 - bit);
            assert_int_equal(import_order(number) >> (16 - bits), backwards);
        }
    assert_int_equal(import_order(12025550123), 59251); /* for ever */
}

/* An erased person's record asks for nothing; a register's opt-out keeps its day. */
static bool keeps_days(const void *context, uint32_t program_scope)
{
    return program_scope == *(const uint32_t *)context;
}

static const uint32_t aging = 77;
static const struct projection_rules rules = {.keeps_days = keeps_days, .context = &aging};

static struct consent_write written(const Assent__V1__Event *event)
{
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = NUMBER;
    struct consent_write write = {0};
    assert_true(write_of_event(5, event, &personal, &rules, &write));
    return write;
}

/* Where the program asks how old a consent is: of the day on which it was given. */
static void the_day_of_a_consent_is_kept_where_it_is_asked_for(void **state)
{
    (void)state;
    Assent__V1__OptInRecorded recorded = ASSENT__V1__OPT_IN_RECORDED__INIT;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.wall_ms = 20000 * DAY_MS + 5;
    event.program = 78;
    event.body_case = ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED;
    event.opt_in_recorded = &recorded;
    assert_int_equal(written(&event).day, 0);
    event.program = aging;
    assert_int_equal(written(&event).day, 20000);
    recorded.obtained_wall_ms = 19990 * DAY_MS;
    assert_int_equal(written(&event).day, 19990);
    recorded.day = 19995;
    assert_int_equal(written(&event).day, 19995);
    Assent__V1__OptInConfirmed confirmed = ASSENT__V1__OPT_IN_CONFIRMED__INIT;
    event.body_case = ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED;
    event.opt_in_confirmed = &confirmed;
    assert_int_equal(written(&event).day, 20000);
}

/* So that no START from before it lifts it; not of all rows of a long import, but of each hold. */
static void an_imported_opt_out_has_its_time(void **state)
{
    (void)state;
    uint32_t scope = 17;
    Assent__V1__OptedOut out = ASSENT__V1__OPTED_OUT__INIT;
    out.scopes = &scope;
    out.n_scopes = 1;
    out.import = 4;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.wall_ms = 20000 * DAY_MS;
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
    event.opted_out = &out;
    out.row = IMPORT_TIMED_ROWS;
    assert_int_equal(written(&event).taken_wall_ms, event.wall_ms);
    out.effective_wall_ms = event.wall_ms - DAY_MS;
    assert_int_equal(written(&event).taken_wall_ms, event.wall_ms);
    out.row++;
    assert_int_equal(written(&event).taken_wall_ms, 0);
    scope = SCOPE_HOLD;
    assert_int_equal(written(&event).taken_wall_ms, event.wall_ms);
}

static void a_record_asks_of_redis_what_it_says(void **state)
{
    (void)state;
    uint32_t scopes[] = {SCOPE_REASSIGNED, 17};
    Assent__V1__OptedOut out = ASSENT__V1__OPTED_OUT__INIT;
    out.scopes = scopes;
    out.n_scopes = 2;
    out.day = 20487;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
    event.opted_out = &out;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    struct consent_write write = {0};
    assert_false(write_of_event(5, &event, NULL, &rules, &write));
    assert_false(write_of_event(5, &event, &personal, &rules, &write));
    personal.number = NUMBER;
    write = (struct consent_write){0};
    assert_true(write_of_event(5, &event, &personal, &rules, &write));
    assert_int_equal(write.kind, WRITE_OPT_OUT);
    assert_int_equal(write.sequence, 5);
    assert_int_equal(write.day, 20487);
    assert_int_equal(write.scope_count, 2);
    assert_int_equal(write.scopes[0], SCOPE_REASSIGNED);
    assert_int_equal(write.scopes[1], 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_needs),
        cmocka_unit_test(limits_hold_at_their_edges),
        cmocka_unit_test(a_record_asks_of_redis_what_it_says),
        cmocka_unit_test(the_day_of_a_consent_is_kept_where_it_is_asked_for),
        cmocka_unit_test(an_imported_opt_out_has_its_time),
        cmocka_unit_test(the_order_goes_by_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

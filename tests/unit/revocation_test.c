/* SPDX-License-Identifier: Apache-2.0 */
/* The law's part in the reach of a STOP: each row on both sides of its day and of its border. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "consent/revocation.h"

#define DAY_2027_01_31 1801353600000ull
#define US             12025550123ull
#define BRITISH        447700900123ull

static void one_is_all_from_a_day_on(void **state)
{
    (void)state;
    assert_null(revocation_of_all(US, DAY_2027_01_31 - 1));
    const struct revocation_rule *rule = revocation_of_all(US, DAY_2027_01_31);
    assert_non_null(rule);
    assert_string_equal(rule->name, "us/revoke-all@2027");
    assert_non_null(rule->source);
    assert_null(revocation_of_all(BRITISH, DAY_2027_01_31));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_is_all_from_a_day_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which carriers are tried, row by row of gateway/route.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/route.h"

#define MARKETING ASSENT__V1__CLASS__MARKETING
#define OTP       ASSENT__V1__CLASS__OTP
#define SERVICE   ASSENT__V1__CLASS__SERVICE
#define ACME      "12025550100"
#define LOGIN     "12025550101"
#define CARRIERS  4
#define ROUTES    8

static struct config config;
static struct carrier_config carriers[CARRIERS];
static struct route_config routes[CARRIERS][ROUTES];
static char acme_alone[1][17] = {ACME};
static char both[2][17] = {ACME, LOGIN};
static struct route_table *table;

static int reset(void **state)
{
    (void)state;
    memset(routes, 0, sizeof routes);
    memset(carriers, 0, sizeof carriers);
    config.carriers = carriers;
    config.carrier_count = CARRIERS;
    for (int c = 0; c < CARRIERS; c++)
        carriers[c].routes = routes[c];
    return 0;
}

static int release(void **state)
{
    (void)state;
    route_table_free(table);
    table = NULL;
    return 0;
}

static struct route_config *route(int carrier, const char *prefix)
{
    struct route_config *r = &routes[carrier][carriers[carrier].route_count++];
    route_defaults(r);
    strcpy(r->prefix, prefix);
    return r;
}

/* "021": carriers in their order; the first few alone are the same. */
static const char *order_of(uint64_t number, const char *sender, Assent__V1__Class message_class)
{
    static char text[CARRIERS_MAX + 1];
    uint16_t order[CARRIERS_MAX];
    if (table == NULL)
        table = route_table_new(&config);
    struct route_query query = {.number = number, .sender = sender, .message_class = message_class};
    uint16_t count = route_order(table, &query, CARRIERS_MAX, order);
    for (uint16_t i = 0; i < count; i++)
        text[i] = (char)('0' + order[i]);
    text[count] = '\0';
    for (uint16_t wanted = 1; wanted < count; wanted++) {
        uint16_t first[CARRIERS_MAX];
        assert_int_equal(route_order(table, &query, wanted, first), wanted);
        assert_memory_equal(first, order, wanted * sizeof *first);
    }
    return text;
}

static void test_longest_prefix_wins_whatever_its_place(void **state)
{
    (void)state;
    route(0, "1");
    route(1, "");
    route(2, "1202");
    route(3, "120255501239999");
    assert_string_equal(order_of(12025550123, ACME, OTP), "2");
    assert_string_equal(order_of(12035550123, ACME, OTP), "0");
    assert_string_equal(order_of(447700900123, ACME, OTP), "1");
    assert_string_equal(order_of(120255501239999, ACME, OTP), "3");
    assert_string_equal(order_of(12025, ACME, OTP), "2");
}

static void test_no_route(void **state)
{
    (void)state;
    route(0, "44");
    assert_string_equal(order_of(12025550123, ACME, OTP), "");
    assert_string_equal(order_of(44, ACME, OTP), "0");
    assert_string_equal(order_of(4, ACME, OTP), "");
}

static void test_priority_then_cost(void **state)
{
    (void)state;
    route(0, "1")->priority = 2;
    route(1, "1")->cost = 50;
    route(2, "1")->cost = 7;
    route(3, "1")->priority = 1;
    assert_string_equal(order_of(12025550123, ACME, OTP), "2130");
}

static void test_a_route_that_names_the_sender_or_class_goes_first(void **state)
{
    (void)state;
    struct route_config *by_sender = route(0, "1");
    by_sender->senders = acme_alone;
    by_sender->sender_count = 1;
    by_sender->priority = 9;
    route(1, "1")->classes = 1u << OTP;
    route(2, "1");
    assert_string_equal(order_of(12025550123, ACME, OTP), "0");
    assert_string_equal(order_of(12025550123, LOGIN, OTP), "1");
    assert_string_equal(order_of(12025550123, LOGIN, MARKETING), "2");
}

static void test_a_longer_prefix_for_others_does_not_hide_a_shorter_one(void **state)
{
    (void)state;
    struct route_config *r = route(0, "1202");
    r->senders = acme_alone;
    r->sender_count = 1;
    route(1, "1");
    assert_string_equal(order_of(12025550123, LOGIN, OTP), "1");
    assert_string_equal(order_of(12025550123, ACME, OTP), "0");
}

static void test_own_replies_pass_every_class_filter(void **state)
{
    (void)state;
    route(0, "1")->classes = 1u << MARKETING;
    assert_string_equal(order_of(12025550123, ACME, SERVICE), "0");
    assert_string_equal(order_of(12025550123, ACME, OTP), "");
    assert_true(route_leads_anywhere(&config, ACME, MARKETING));
    assert_false(route_leads_anywhere(&config, ACME, OTP));
}

static void test_a_carrier_stands_there_once(void **state)
{
    (void)state;
    struct route_config *r = route(0, "1");
    r->senders = both;
    r->sender_count = 2;
    r = route(0, "1");
    r->senders = acme_alone;
    r->sender_count = 1;
    r->cost = 5;
    assert_string_equal(order_of(12025550123, ACME, OTP), "0");
}

/* Shares by weight, in the second place too among those that are left, the same answer for the same number, and
 * every carrier in the end. */
static void test_weights_share_and_a_recipient_keeps_its_carrier(void **state)
{
    (void)state;
    enum { NUMBERS = 20000 };
    static const unsigned weights[CARRIERS] = {1, 2, 5, 12};
    unsigned first[CARRIERS] = {0}, second[CARRIERS] = {0}; /* behind the heaviest */
    for (int c = 0; c < CARRIERS; c++)
        route(c, "1")->weight = (uint16_t)weights[c];
    for (uint64_t n = 0; n < NUMBERS; n++) {
        char order[CARRIERS_MAX + 1];
        strcpy(order, order_of(12025550000 + n, ACME, OTP));
        assert_int_equal(strlen(order), CARRIERS);
        assert_string_equal(order_of(12025550000 + n, LOGIN, MARKETING), order);
        first[order[0] - '0']++;
        if (order[0] == '3')
            second[order[1] - '0']++;
    }
    for (int c = 0; c < CARRIERS; c++) {
        unsigned expected = NUMBERS * weights[c] / 20;
        assert_in_range(first[c], expected * 93 / 100, expected * 107 / 100);
    }
    for (int c = 0; c < 3; c++) {
        unsigned expected = first[3] * weights[c] / 8;
        assert_in_range(second[c], expected * 93 / 100, expected * 107 / 100);
    }
}

/* ROUTES_MAX and CARRIERS_MAX at once, all of one prefix. */
static void test_as_many_routes_as_there_may_be(void **state)
{
    (void)state;
    static struct carrier_config many[CARRIERS_MAX];
    struct config full = {.carriers = many, .carrier_count = CARRIERS_MAX};
    for (int c = 0; c < CARRIERS_MAX; c++) {
        many[c].routes = calloc(ROUTES_MAX, sizeof *many[c].routes);
        many[c].route_count = ROUTES_MAX;
        for (int r = 0; r < ROUTES_MAX; r++) {
            route_defaults(&many[c].routes[r]);
            snprintf(many[c].routes[r].prefix, sizeof many[c].routes[r].prefix, "1%d", r % 1000);
        }
    }
    uint16_t order[CARRIERS_MAX];
    struct route_query query = {.number = 19995550123, .sender = ACME, .message_class = OTP};
    struct route_table *t = route_table_new(&full);
    assert_int_equal(route_order(t, &query, CARRIERS_MAX, order), CARRIERS_MAX);
    query.number = 2;
    assert_int_equal(route_order(t, &query, CARRIERS_MAX, order), 0);
    route_table_free(t);
    for (int c = 0; c < CARRIERS_MAX; c++)
        free(many[c].routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_longest_prefix_wins_whatever_its_place, reset,
                                        release),
        cmocka_unit_test_setup_teardown(test_no_route, reset, release),
        cmocka_unit_test_setup_teardown(test_priority_then_cost, reset, release),
        cmocka_unit_test_setup_teardown(test_a_route_that_names_the_sender_or_class_goes_first,
                                        reset, release),
        cmocka_unit_test_setup_teardown(test_a_longer_prefix_for_others_does_not_hide_a_shorter_one,
                                        reset, release),
        cmocka_unit_test_setup_teardown(test_own_replies_pass_every_class_filter, reset, release),
        cmocka_unit_test_setup_teardown(test_a_carrier_stands_there_once, reset, release),
        cmocka_unit_test_setup_teardown(test_weights_share_and_a_recipient_keeps_its_carrier, reset,
                                        release),
        cmocka_unit_test_setup_teardown(test_as_many_routes_as_there_may_be, reset, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

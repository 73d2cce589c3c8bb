/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms, the names of things, and the Prometheus text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/metrics.h"

static void test_buckets(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 0);
    histogram_add(&histogram, 1);
    histogram_add(&histogram, 3);
    histogram_add(&histogram, 4);
    histogram_add(&histogram, UINT64_MAX / 2);
    assert_int_equal(histogram.buckets[0], 1);
    assert_int_equal(histogram.buckets[1], 1);
    assert_int_equal(histogram.buckets[2], 1);
    assert_int_equal(histogram.buckets[3], 1);
    assert_int_equal(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram.count, 5);
    assert_int_equal(histogram.max_us, UINT64_MAX / 2);
}

/* Never under the true value, never over the bucket it is in, and never over the largest seen. */
static void test_quantile(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    assert_int_equal(histogram_quantile(&histogram, 0.99), 0);
    for (uint64_t us = 1; us <= 1000; us++)
        histogram_add(&histogram, us);
    for (unsigned percent = 1; percent <= 100; percent++) {
        uint64_t exact = percent * 10, told = histogram_quantile(&histogram, percent / 100.0);
        assert_in_range(told, exact - 2, 2 * exact);
    }
    assert_int_equal(histogram_quantile(&histogram, 1.0), 1000);
    struct histogram single = {0};
    histogram_add(&single, 100);
    assert_int_equal(histogram_quantile(&single, 0.5) <= 100, 1);
    assert_int_equal(histogram_quantile(&single, 1.0), 100);
}

struct seen {
    unsigned count;
    uint64_t sum;
    uint64_t named;
    const char *wanted;
};

static void see(void *context, const char *name, uint64_t value)
{
    struct seen *seen = context;
    seen->count++;
    seen->sum += value;
    if (strcmp(name, seen->wanted) == 0)
        seen->named = value;
}

static void test_each(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    metrics.accepted[ASSENT__V1__CLASS__OTP] = 5;
    metrics.ended[ASSENT__V1__CLASS__MARKETING][ASSENT__V1__OUTCOME__DELIVERED] = 7;
    metrics.suppressed[ASSENT__V1__REASON__OPTED_OUT] = 11;
    metrics.counters[COUNT_OPT_OUTS] = 13;
    struct seen seen = {.wanted =
                            "assent_messages_total{class=\"marketing\",outcome=\"delivered\"}"};
    metrics_each(&metrics, see, &seen);
    assert_int_equal(seen.sum, 5 + 7 + 11 + 13);
    assert_int_equal(seen.named, 7);
    assert_int_equal(seen.count,
                     5 + 5 * (METRIC_OUTCOMES - 1) + (METRIC_REASONS - 1) + COUNT_COUNT);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(class_name(ASSENT__V1__CLASS__OTP), "otp");
    assert_string_equal(outcome_name(ASSENT__V1__OUTCOME__SENT_NO_RECEIPT), "sent_no_receipt");
    assert_string_equal(outcome_name((Assent__V1__Outcome)99), "unknown");
    assert_string_equal(reason_name(ASSENT__V1__REASON__PROGRAM_REMOVED), "program_removed");
    for (unsigned i = 0; i < COUNT_COUNT; i++) {
        const char *name = counter_rows[i].name;
        assert_int_equal(strncmp(name, "assent_", 7), 0);
        assert_string_equal(name + strlen(name) - 6, "_total");
        assert_true(strlen(counter_rows[i].help) > 10);
    }
    for (unsigned i = 0; i < TIME_COUNT; i++)
        assert_non_null(strstr(timing_rows[i].name, "_seconds"));
}

/* Every sample stands under the HELP and TYPE of its family, and each family has them once. */
static void test_text(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    static char text[65536];
    metrics.accepted[ASSENT__V1__CLASS__OTP] = 3;
    histogram_add(&metrics.timings[TIME_STOP_EFFECTIVE], 900);
    histogram_add(&metrics.timings[TIME_STOP_EFFECTIVE], 1100);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    metrics_write(&metrics, out);
    assert_true(ftell(out) > 0 && (size_t)ftell(out) < sizeof text - 1);
    fclose(out);
    assert_non_null(strstr(text, "\nassent_messages_accepted_total{class=\"otp\"} 3\n"));
    assert_non_null(strstr(text, "assent_stop_effective_seconds_bucket{le=\"0.000512\"} 0\n"));
    assert_non_null(strstr(text, "assent_stop_effective_seconds_bucket{le=\"0.001024\"} 1\n"));
    assert_non_null(strstr(text, "assent_stop_effective_seconds_bucket{le=\"0.002048\"} 2\n"));
    assert_non_null(strstr(text, "assent_stop_effective_seconds_bucket{le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(text, "assent_stop_effective_seconds_sum 0.002000\n"));
    char family[128] = "";
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (sscanf(line, "# TYPE %127s", family) == 1 || line[0] == '#')
            continue;
        assert_int_equal(strncmp(line, family, strlen(family)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets), cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_each),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

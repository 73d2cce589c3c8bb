/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and histograms: one row each in metrics.c gives name, labels and help, so that /metrics,
 * Status and the documentation agree. */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/event.pb-c.h"

#define METRIC_CLASSES  6
#define METRIC_OUTCOMES 10
#define METRIC_REASONS  26

enum counter {
    COUNT_SUBMIT_REFUSED,
    COUNT_REFERENCE_REPEATED,
    COUNT_CHECKS,
    COUNT_CHECKS_UNKNOWN,
    COUNT_CHECKS_AGED, /* a verdict waited over its maximum age and was asked again */
    COUNT_SUBMIT_SM,
    COUNT_SUBMIT_SM_RETRY, /* temporary errors */
    COUNT_SUBMIT_SM_THROTTLED,
    COUNT_DELIVER_SM,
    COUNT_RECEIPTS,
    COUNT_RECEIPTS_UNMATCHED,
    COUNT_RECEIPTS_REPEATED,
    COUNT_RECEIPTS_PARKED,
    COUNT_IDS_REPEATED,
    COUNT_REPLIES,
    COUNT_OPT_OUTS,
    COUNT_OPT_OUTS_REPEATED,
    COUNT_OPT_OUTS_AT_CARRIERS,
    COUNT_UNKNOWN_SUBSCRIBERS,
    COUNT_NUMBERS_VACANT,
    COUNT_OPT_INS_REQUESTED,
    COUNT_OPT_INS_CONFIRMED,
    COUNT_OPT_INS_RECORDED,
    COUNT_OPT_INS_DECLINED,
    COUNT_OPT_INS_AGAIN,
    COUNT_HELP,
    COUNT_STORE_LOST,
    COUNT_STORE_REPLAYED, /* consent records written into Redis again */
    COUNT_CARRIER_LOST,
    COUNT_ERASURES,
    COUNT_RECORDS_ERASED,
    COUNT_RECORDS_CUT,
    COUNT_REPUTATION_ALARMS,
    COUNT_REPUTATION_PAUSES,
    COUNT_REPUTATION_RELEASES,
    COUNT_COUNT,
};

/* Powers of two of microseconds: bucket i counts values below 2^i us. */
#define HISTOGRAM_BUCKETS 28
struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum_us;
    uint64_t max_us;
};
void histogram_add(struct histogram *histogram, uint64_t us);
/* An upper bound of the quantile (0..1), linear inside the bucket. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

enum timing {
    TIME_OTP_TO_WIRE,     /* accepted to submit_sm written */
    TIME_TO_WIRE,         /* the other classes, when they did not wait for a schedule */
    TIME_STOP_EFFECTIVE,  /* octets of the STOP read to: memory, ledger and Redis have it */
    TIME_CHECK,           /* asked to answered */
    TIME_DURABLE,         /* appended to durable */
    TIME_SUBMIT_RESPONSE, /* submit_sm to its answer */
    TIME_COUNT,
};

struct metrics {
    uint64_t accepted[METRIC_CLASSES];
    uint64_t ended[METRIC_CLASSES][METRIC_OUTCOMES];
    uint64_t suppressed[METRIC_REASONS];
    uint64_t counters[COUNT_COUNT];
    struct histogram timings[TIME_COUNT];
};

/* Calls `each` for every counter as (name with labels, value). */
void metrics_each(const struct metrics *metrics,
                  void (*each)(void *context, const char *name, uint64_t value), void *context);

/* Everything in Prometheus text format, with HELP and TYPE lines. */
void metrics_write(const struct metrics *metrics, FILE *out);
/* The HELP and TYPE lines of one family. */
void metric_head(FILE *out, const char *name, const char *type, const char *help);

struct metric_row {
    const char *name; /* assent_..., without labels */
    const char *help;
};
extern const struct metric_row counter_rows[COUNT_COUNT];
extern const struct metric_row timing_rows[TIME_COUNT];

const char *class_name(Assent__V1__Class message_class); /* "otp" */
const char *outcome_name(Assent__V1__Outcome outcome);   /* "delivered" */
const char *reason_name(Assent__V1__Reason reason);      /* "opted_out" */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Class, outcome and reason are labels; what is counted apart from them is one row here. */
const struct metric_row counter_rows[COUNT_COUNT] = {
    [COUNT_SUBMIT_REFUSED] = {"assent_submit_refused_total",
                              "Submitted messages that were refused with a verdict."},
    [COUNT_REFERENCE_REPEATED] = {"assent_references_repeated_total",
                                  "Submitted messages whose client reference was seen before."},
    [COUNT_CHECKS] = {"assent_consent_checks_total", "Consent checks asked of Redis."},
    [COUNT_CHECKS_UNKNOWN] = {"assent_consent_checks_unknown_total",
                              "Consent checks that failed or were not understood: not sent."},
    [COUNT_CHECKS_AGED] = {"assent_consent_checks_aged_total",
                           "Verdicts that waited too long and were asked for again."},
    [COUNT_SUBMIT_SM] = {"assent_submit_sm_total", "submit_sm written to carriers."},
    [COUNT_SUBMIT_SM_RETRY] = {"assent_submit_sm_retries_total",
                               "submit_sm answered with a temporary error."},
    [COUNT_SUBMIT_SM_THROTTLED] = {"assent_submit_sm_throttled_total",
                                   "submit_sm answered with ESME_RTHROTTLED or ESME_RMSGQFUL."},
    [COUNT_DELIVER_SM] = {"assent_deliver_sm_total", "deliver_sm and data_sm read from carriers."},
    [COUNT_RECEIPTS] = {"assent_receipts_total", "Delivery receipts read."},
    [COUNT_RECEIPTS_UNMATCHED] = {"assent_receipts_unmatched_total",
                                  "Delivery receipts whose id no message has."},
    [COUNT_RECEIPTS_REPEATED] = {"assent_receipts_repeated_total",
                                 "Delivery receipts that said nothing new."},
    [COUNT_RECEIPTS_PARKED] = {"assent_receipts_parked_total",
                               "Delivery receipts that came before the submit_sm_resp."},
    [COUNT_IDS_REPEATED] = {"assent_carrier_ids_repeated_total",
                            "Message ids that a carrier gave while it waited for their receipt."},
    [COUNT_REPLIES] = {"assent_replies_total", "Texts from handsets that were ordinary replies."},
    [COUNT_OPT_OUTS] = {"assent_opt_outs_total", "Opt-outs taken, from any source."},
    [COUNT_OPT_OUTS_REPEATED] = {"assent_opt_outs_repeated_total",
                                 "Opt-outs of numbers that were opted out already."},
    [COUNT_OPT_OUTS_AT_CARRIERS] = {"assent_opt_outs_at_carriers_total",
                                    "Opt-outs that a carrier told of by a status or a receipt."},
    [COUNT_UNKNOWN_SUBSCRIBERS] = {"assent_unknown_subscribers_total",
                                   "Messages to numbers that a carrier called unknown."},
    [COUNT_NUMBERS_VACANT] = {"assent_numbers_vacant_total",
                              "Numbers taken for reassigned: unknown too often for too long."},
    [COUNT_OPT_INS_REQUESTED] = {"assent_opt_ins_requested_total", "Opt-in questions asked."},
    [COUNT_OPT_INS_CONFIRMED] = {"assent_opt_ins_confirmed_total",
                                 "Opt-ins confirmed by reply or token."},
    [COUNT_OPT_INS_RECORDED] = {"assent_opt_ins_recorded_total",
                                "Opt-ins recorded with the submitter's evidence."},
    [COUNT_OPT_INS_DECLINED] = {"assent_opt_ins_declined_total", "Opt-in questions answered no."},
    [COUNT_OPT_INS_AGAIN] = {"assent_opt_ins_again_total", "Opt-outs lifted by START."},
    [COUNT_HELP] = {"assent_help_total", "Replies that ask for help."},
    [COUNT_STORE_LOST] = {"assent_store_lost_total", "Times Redis went away."},
    [COUNT_STORE_REPLAYED] = {"assent_store_replayed_total",
                              "Consent records written into Redis again."},
    [COUNT_CARRIER_LOST] = {"assent_carrier_lost_total", "Times a carrier session was lost."},
    [COUNT_ERASURES] = {"assent_erasures_total", "Erasures of a person that were begun."},
    [COUNT_RECORDS_ERASED] = {"assent_records_erased_total",
                              "Records whose personal part was destroyed."},
    [COUNT_RECORDS_CUT] = {"assent_records_cut_total",
                           "Records that retention by age recorded as to be reduced to hashes."},
    [COUNT_REPUTATION_ALARMS] = {"assent_reputation_alarms_total",
                                 "Shares of a sender's texts at a carrier that went too high."},
    [COUNT_REPUTATION_PAUSES] = {"assent_reputation_pauses_total",
                                 "Senders whose marketing at a carrier was paused for that."},
    [COUNT_REPUTATION_RELEASES] = {"assent_reputation_releases_total",
                                   "Paused senders that an operator released."},
};

const struct metric_row timing_rows[TIME_COUNT] = {
    [TIME_OTP_TO_WIRE] = {"assent_otp_to_wire_seconds",
                          "One-time codes: accepted to submit_sm written."},
    [TIME_TO_WIRE] = {"assent_to_wire_seconds",
                      "Other unscheduled messages: accepted to submit_sm written."},
    [TIME_STOP_EFFECTIVE] = {"assent_stop_effective_seconds",
                             "STOP read to effective in memory, ledger and Redis."},
    [TIME_CHECK] = {"assent_consent_check_seconds", "Consent check asked to answered."},
    [TIME_DURABLE] = {"assent_ledger_durable_seconds",
                      "Record appended to durable, a sample a batch."},
    [TIME_SUBMIT_RESPONSE] = {"assent_submit_sm_response_seconds",
                              "submit_sm written to its answer."},
};

static const char *const class_names[METRIC_CLASSES] = {"unspecified", "otp",       "transactional",
                                                        "marketing",   "emergency", "service"};
static const char *const outcome_names[METRIC_OUTCOMES] = {
    "open",       "delivered", "undeliverable", "rejected", "expired",
    "suppressed", "cancelled", "unknown",       "deleted",  "sent_no_receipt"};
static const char *const reason_names[METRIC_REASONS] = {"none",
                                                         "opted_out",
                                                         "no_opt_in",
                                                         "gate_away",
                                                         "stop_cancelled",
                                                         "by_submitter",
                                                         "time_to_live",
                                                         "carrier_status",
                                                         "link_lost",
                                                         "no_answer",
                                                         "crash",
                                                         "confirmation_late",
                                                         "program_removed",
                                                         "throttled",
                                                         "sender_not_registered",
                                                         "global_hold",
                                                         "consent_too_old",
                                                         "number_reassigned",
                                                         "do_not_call",
                                                         "quiet_hours",
                                                         "frequency_cap",
                                                         "content_refused",
                                                         "do_not_originate",
                                                         "erasure",
                                                         "text_lost",
                                                         "sender_paused"};

_Static_assert(ASSENT__V1__CLASS__SERVICE + 1 == METRIC_CLASSES, "a name for each class");
_Static_assert(ASSENT__V1__OUTCOME__SENT_NO_RECEIPT + 1 == METRIC_OUTCOMES, "for each outcome");
_Static_assert(ASSENT__V1__REASON__SENDER_PAUSED + 1 == METRIC_REASONS, "for each reason");

const char *class_name(Assent__V1__Class message_class)
{
    return (unsigned)message_class < METRIC_CLASSES ? class_names[message_class] : "unspecified";
}

const char *outcome_name(Assent__V1__Outcome outcome)
{
    return (unsigned)outcome < METRIC_OUTCOMES ? outcome_names[outcome] : "unknown";
}

const char *reason_name(Assent__V1__Reason reason)
{
    return (unsigned)reason < METRIC_REASONS ? reason_names[reason] : "none";
}

/* Histograms ---------------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t us)
{
    unsigned bits = us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(us);
    return bits < HISTOGRAM_BUCKETS ? bits : HISTOGRAM_BUCKETS - 1;
}

void histogram_add(struct histogram *histogram, uint64_t us)
{
    histogram->buckets[bucket_of(us)]++;
    histogram->count++;
    histogram->sum_us += us;
    if (us > histogram->max_us)
        histogram->max_us = us;
}

/* Bucket i holds [2^(i-1), 2^i); the last one reaches to the largest value seen. */
static uint64_t bucket_low(unsigned i)
{
    return i == 0 ? 0 : 1ull << (i - 1);
}

static uint64_t bucket_high(const struct histogram *histogram, unsigned i)
{
    uint64_t high = 1ull << i;
    return i == HISTOGRAM_BUCKETS - 1 || high > histogram->max_us ? histogram->max_us : high;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    if (histogram->count == 0)
        return 0;
    double wanted = quantile * (double)histogram->count, before = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double here = (double)histogram->buckets[i];
        if (here > 0 && before + here >= wanted) {
            double share = (wanted - before) / here;
            uint64_t low = bucket_low(i), high = bucket_high(histogram, i);
            return low + (uint64_t)((double)(high - low) * (share > 0 ? share : 0) + 0.999999);
        }
        before += here;
    }
    return histogram->max_us;
}

/* Counters ------------------------------------------------------------------------------------ */

/* Series stand there from the start: rate() over one that appears with its first event misses that
 * event. Only the class that no message should have is left out until one has. */
static bool is_shown(unsigned message_class, uint64_t value)
{
    return value > 0 || message_class != ASSENT__V1__CLASS__CLASS_UNSPECIFIED;
}

static void each_ended(const struct metrics *metrics, unsigned c,
                       void (*each)(void *context, const char *name, uint64_t value), void *context)
{
    char name[128];
    for (unsigned o = ASSENT__V1__OUTCOME__DELIVERED; o < METRIC_OUTCOMES; o++) {
        uint64_t value = metrics->ended[c][o];
        snprintf(name, sizeof name, "assent_messages_total{class=\"%s\",outcome=\"%s\"}",
                 class_names[c], outcome_names[o]);
        if (is_shown(c, value))
            each(context, name, value);
    }
}

void metrics_each(const struct metrics *metrics,
                  void (*each)(void *context, const char *name, uint64_t value), void *context)
{
    char name[128];
    for (unsigned c = 0; c < METRIC_CLASSES; c++) {
        snprintf(name, sizeof name, "assent_messages_accepted_total{class=\"%s\"}", class_names[c]);
        if (is_shown(c, metrics->accepted[c]))
            each(context, name, metrics->accepted[c]);
    }
    for (unsigned c = 0; c < METRIC_CLASSES; c++)
        each_ended(metrics, c, each, context);
    for (unsigned r = ASSENT__V1__REASON__OPTED_OUT; r < METRIC_REASONS; r++) {
        snprintf(name, sizeof name, "assent_suppressed_total{reason=\"%s\"}", reason_names[r]);
        each(context, name, metrics->suppressed[r]);
    }
    for (unsigned i = 0; i < COUNT_COUNT; i++)
        each(context, counter_rows[i].name, metrics->counters[i]);
}

/* Prometheus text ----------------------------------------------------------------------------- */

static const struct metric_row labelled_rows[] = {
    {"assent_messages_accepted_total", "Messages accepted, by class."},
    {"assent_messages_total", "Messages that ended, by class and outcome."},
    {"assent_suppressed_total", "Messages that were not sent, by reason."},
};

static const struct metric_row *row_of(const char *family, size_t length)
{
    for (size_t i = 0; i < sizeof labelled_rows / sizeof labelled_rows[0]; i++) {
        const struct metric_row *row = &labelled_rows[i];
        if (strlen(row->name) == length && memcmp(row->name, family, length) == 0)
            return row;
    }
    for (size_t i = 0; i < COUNT_COUNT; i++) {
        const struct metric_row *row = &counter_rows[i];
        if (strlen(row->name) == length && memcmp(row->name, family, length) == 0)
            return row;
    }
    return NULL;
}

struct writing {
    FILE *out;
    const struct metric_row *family; /* whose HELP and TYPE stand above */
};

static void write_counter(void *context, const char *name, uint64_t value)
{
    struct writing *writing = context;
    const struct metric_row *row = row_of(name, strcspn(name, "{"));
    if (row != NULL && row != writing->family)
        metric_head(writing->out, row->name, "counter", row->help);
    writing->family = row;
    fprintf(writing->out, "%s %" PRIu64 "\n", name, value);
}

/* Buckets of Prometheus are cumulative. */
static void write_timing(const struct metric_row *row, const struct histogram *histogram, FILE *out)
{
    uint64_t below = 0;
    metric_head(out, row->name, "histogram", row->help);
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        below += histogram->buckets[i];
        fprintf(out, "%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", row->name, (double)(1ull << i) / 1e6,
                below);
    }
    fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", row->name, histogram->count);
    fprintf(out, "%s_sum %.6f\n", row->name, (double)histogram->sum_us / 1e6);
    fprintf(out, "%s_count %" PRIu64 "\n", row->name, histogram->count);
}

void metric_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_write(const struct metrics *metrics, FILE *out)
{
    struct writing writing = {.out = out};
    metrics_each(metrics, write_counter, &writing);
    for (unsigned i = 0; i < TIME_COUNT; i++)
        write_timing(&timing_rows[i], &metrics->timings[i], out);
}

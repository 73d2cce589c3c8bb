/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/sim_fault.h"
#include "proto/base/clock.h"

struct field {
    const char *name;
    uint64_t value;
};

static void print_group(FILE *file, const char *name, const struct field *fields, size_t count)
{
    fprintf(file, ",\n  \"%s\": {", name);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "%s\"%s\": %" PRIu64, i ? ", " : "", fields[i].name, fields[i].value);
    fprintf(file, "}");
}
#define PRINT_GROUP(file, name, ...)                                                               \
    do {                                                                                           \
        const struct field fields[] = {__VA_ARGS__};                                               \
        print_group(file, name, fields, sizeof fields / sizeof fields[0]);                         \
    } while (0)

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t percentile(const struct sim *sim, unsigned percent)
{
    size_t count = sim->stop_latency_count;
    return count == 0 ? 0 : sim->stop_latencies[(count - 1) * percent / 100];
}

static uint64_t waiting(const struct sim *sim)
{
    uint64_t sum = sim->schedule.waiting + sim->hold.count;
    for (size_t i = 0; i < sim->account_count; i++)
        sum += sim->accounts[i].ready.count;
    return sum;
}

static void print_submits(FILE *file, const struct sim *sim, const struct carrier_counts *counts)
{
    PRINT_GROUP(file, "submits", {"total", counts->submits}, {"accepted", counts->accepted},
                {"throttled", counts->throttled}, {"over_window", counts->over_window},
                {"refused", counts->refused}, {"answers_lost", counts->answers_lost},
                {"highest_second", counts->highest_second},
                {"highest_second_written", sim->pace.highest_second_written},
                {"highest_second_accepted", counts->highest_second_accepted},
                {"rate", sim->options->carrier.rate});
}

static void print_pace(FILE *file, const struct sim_pace *pace)
{
    size_t seconds = 0;
    PRINT_GROUP(file, "times_us", {"first_submit", pace->first_submit_us},
                {"last_submit", pace->last_submit_us}, {"last_receipt", pace->last_receipt_us},
                {"held_given", pace->held_given_us});
    for (size_t i = 0; i < PACE_SECONDS; i++)
        if (pace->by_second[i] > 0)
            seconds = i + 1;
    fprintf(file, ",\n  \"submits_by_second\": [");
    for (size_t i = 0; i < seconds; i++)
        fprintf(file, "%s%" PRIu32, i ? ", " : "", pace->by_second[i]);
    fprintf(file, "]");
}

static void print_receipts(FILE *file, const struct sim *sim, const struct carrier_counts *counts)
{
    PRINT_GROUP(file, "receipts", {"made", counts->receipts}, {"undelivered", counts->undelivered},
                {"withheld", counts->receipts_withheld}, {"twice", counts->receipts_twice},
                {"early", counts->receipts_early}, {"sent", sim->counts.receipts_sent},
                {"answered", sim->counts.receipts_answered});
    PRINT_GROUP(file, "deliveries", {"waiting", waiting(sim)},
                {"redelivered", sim->counts.redelivered}, {"refused", sim->counts.delivers_refused},
                {"overflow", sim->counts.overflow});
}

static void print_subscribers(FILE *file, struct sim *sim, const struct carrier_counts *counts)
{
    qsort(sim->stop_latencies, sim->stop_latency_count, sizeof *sim->stop_latencies, compare);
    PRINT_GROUP(file, "subscribers", {"questions", counts->questions},
                {"marketing_texts", counts->marketing_texts}, {"yes", counts->replies[REPLY_YES]},
                {"no", counts->replies[REPLY_NO]}, {"stop", counts->replies[REPLY_STOP]},
                {"stopall", counts->replies[REPLY_STOPALL]},
                {"start", counts->replies[REPLY_START]}, {"help", counts->replies[REPLY_HELP]},
                {"replies_sent", sim->counts.replies_sent},
                {"replies_answered", sim->counts.replies_answered});
    PRINT_GROUP(file, "stops",
                {"sent", counts->replies[REPLY_STOP] + counts->replies[REPLY_STOPALL]},
                {"answered", counts->stops_answered}, {"answer_us_p50", percentile(sim, 50)},
                {"answer_us_p99", percentile(sim, 99)}, {"answer_us_max", percentile(sim, 100)},
                {"confirmations", counts->confirmations}, {"after_stop", counts->after_stop},
                {"after_stop_in_flight", counts->after_stop_in_flight});
}

static void print_faults(FILE *file, struct sim *sim)
{
    struct field fields[FAULTS];
    size_t count = 0;
    for (enum fault fault = 0; fault < FAULTS; fault++)
        if (sim->faults.on[fault])
            fields[count++] = (struct field){fault_rows[fault].name, fault_played(sim, fault)};
    print_group(file, "faults", fields, count);
}

static void print_report(FILE *file, struct sim *sim)
{
    const struct carrier_counts *counts = carrier_model_counts(sim->model);
    fprintf(file, "{\n  \"seconds\": %.3f", (double)(sim->now_us - sim->started_us) / US_PER_S);
    PRINT_GROUP(file, "sessions", {"connected", sim->counts.connected},
                {"bound", sim->counts.bound}, {"most_bound", sim->counts.most_bound},
                {"binds_refused", sim->counts.binds_refused}, {"dropped", sim->counts.dropped},
                {"now", sim->active_count + sim->stranger_count});
    PRINT_GROUP(file, "stood_still", {"times", sim->still.count}, {"us", sim->still.total_us});
    print_submits(file, sim, counts);
    print_pace(file, &sim->pace);
    print_receipts(file, sim, counts);
    print_subscribers(file, sim, counts);
    print_faults(file, sim);
    fprintf(file, "\n}\n");
}

void sim_write_report(struct sim *sim)
{
    const char *path = sim->options->report;
    char temporary[4096];
    if (path == NULL)
        return;
    sim_take_time(sim);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    if (file != NULL) {
        print_report(file, sim);
        if (fclose(file) == 0 && rename(temporary, path) == 0)
            return;
    }
    fprintf(stderr, "smsc-sim: cannot write %s: %s\n", path, strerror(errno));
}

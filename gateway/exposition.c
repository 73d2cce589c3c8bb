/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/exposition.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/complaint.h"
#include "proto/base/check.h"

/* One gauge of a carrier: a row. */
struct carrier_gauge {
    const char *name, *help;
    uint64_t (*value)(const struct carrier_status *status);
};

static uint64_t sessions(const struct carrier_status *status)
{
    return status->sessions;
}

static uint64_t sessions_bound(const struct carrier_status *status)
{
    return status->sessions_bound;
}

static uint64_t refused(const struct carrier_status *status)
{
    return status->refused;
}

static uint64_t rate(const struct carrier_status *status)
{
    return status->rate;
}

static uint64_t rate_now(const struct carrier_status *status)
{
    return status->rate_now;
}

static uint64_t sent_last_second(const struct carrier_status *status)
{
    return status->sent_last_second;
}

static uint64_t window(const struct carrier_status *status)
{
    return status->window;
}

static uint64_t window_now(const struct carrier_status *status)
{
    return status->window_now;
}

static uint64_t window_used(const struct carrier_status *status)
{
    return status->window_used;
}

static uint64_t awaiting_receipt(const struct carrier_status *status)
{
    return status->awaiting_receipt;
}

static const struct carrier_gauge carrier_gauges[] = {
    {"assent_carrier_sessions", "Sessions configured.", sessions},
    {"assent_carrier_sessions_bound", "Sessions bound now.", sessions_bound},
    {"assent_carrier_bind_refused",
     "Connections whose last bind was refused: wrong credentials, or more than are granted.",
     refused},
    {"assent_carrier_rate", "submit_sm allowed in any second.", rate},
    {"assent_carrier_rate_now", "What is left of it after the carrier's refusals.", rate_now},
    {"assent_carrier_sent_last_second", "submit_sm written in the last second.", sent_last_second},
    {"assent_carrier_window", "Unanswered submit_sm allowed over all sessions.", window},
    {"assent_carrier_window_now", "What is left of it after the carrier's refusals.", window_now},
    {"assent_carrier_window_used", "Unanswered submit_sm now.", window_used},
    {"assent_carrier_awaiting_receipt", "Messages sent and without their receipts.",
     awaiting_receipt},
};

static void write_gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    metric_head(out, name, "gauge", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_carrier_gauge(const struct exposed *exposed, const struct carrier_gauge *gauge,
                                const struct carrier_status *all, FILE *out)
{
    metric_head(out, gauge->name, "gauge", gauge->help);
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++)
        fprintf(out, "%s{carrier=\"%s\"} %" PRIu64 "\n", gauge->name, all[i].name,
                gauge->value(&all[i]));
}

static void write_waiting(const struct exposed *exposed, const struct carrier_status *all,
                          FILE *out)
{
    metric_head(out, "assent_carrier_waiting", "gauge", "Messages in the carrier's queues.");
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++) {
        for (unsigned c = ASSENT__V1__CLASS__OTP; c < CLASS_COUNT; c++)
            fprintf(out, "assent_carrier_waiting{carrier=\"%s\",class=\"%s\"} %" PRIu64 "\n",
                    all[i].name, class_name((Assent__V1__Class)c), all[i].waiting[c]);
    }
}

static void write_paused(const struct exposed *exposed, const struct carrier_status *all, FILE *out)
{
    metric_head(out, "assent_carrier_paused", "gauge",
                "1 while the carrier stands still, by reason.");
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++) {
        for (unsigned bit = 0; bit < PAUSE_REASONS; bit++)
            fprintf(out, "assent_carrier_paused{carrier=\"%s\",reason=\"%s\"} %u\n", all[i].name,
                    pause_name(bit), (all[i].paused >> bit) & 1);
    }
}

static void write_hints(const struct exposed *exposed, const struct carrier_status *all, FILE *out)
{
    metric_head(out, "assent_carrier_receipts_would_match", "gauge",
                "1 while unmatched receipts would match with the settings of the label.");
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++)
        fprintf(out, "assent_carrier_receipts_would_match{carrier=\"%s\",settings=\"%s\"} %d\n",
                all[i].name, all[i].receipt_hint, all[i].receipt_hint[0] != '\0');
}

static void write_failover(const struct exposed *exposed, const struct carrier_status *all,
                           FILE *out)
{
    metric_head(out, "assent_carrier_passed_over", "gauge",
                "1 while messages take another carrier, where a route has one.");
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++)
        fprintf(out, "assent_carrier_passed_over{carrier=\"%s\"} %d\n", all[i].name,
                all[i].passed_over);
    metric_head(out, "assent_carrier_failover_total", "counter",
                "Messages that took another carrier instead of this one.");
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++) {
        for (unsigned reason = 0; reason < FAILOVER_REASONS; reason++)
            fprintf(out, "assent_carrier_failover_total{carrier=\"%s\",reason=\"%s\"} %llu\n",
                    all[i].name, failover_name(reason),
                    (unsigned long long)all[i].failed_over[reason]);
    }
}

static void write_odd(const struct exposed *exposed, const struct carrier_status *all, FILE *out)
{
    metric_head(
        out, "assent_carrier_odd_pdus_total", "counter",
        "PDUs that needed no action: responses to nothing, generic_nacks, unknown commands, "
        "broken ones.");
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++) {
        for (unsigned kind = 0; kind < ODD_KINDS; kind++)
            fprintf(out, "assent_carrier_odd_pdus_total{carrier=\"%s\",kind=\"%s\"} %" PRIu64 "\n",
                    all[i].name, odd_name(kind), all[i].odd[kind]);
    }
}

static void write_carriers(const struct exposed *exposed, struct instant now, FILE *out)
{
    struct carrier_status all[CARRIERS_MAX];
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++)
        engine_carrier_status(exposed->engine, i, now, &all[i]);
    for (size_t i = 0; i < sizeof carrier_gauges / sizeof carrier_gauges[0]; i++)
        write_carrier_gauge(exposed, &carrier_gauges[i], all, out);
    write_waiting(exposed, all, out);
    write_paused(exposed, all, out);
    write_hints(exposed, all, out);
    write_failover(exposed, all, out);
    write_odd(exposed, all, out);
}

static void write_engine(const struct exposed *exposed, FILE *out)
{
    struct engine_status status;
    engine_status(exposed->engine, &status);
    write_gauge(out, "assent_open_messages", "Messages that have not ended.", status.open_messages);
    write_gauge(out, "assent_scheduled_messages", "Messages that wait for their time.",
                status.scheduled);
    write_gauge(out, "assent_quiet_messages", "Messages held for quiet hours of their recipient.",
                status.quiet);
    write_gauge(out, "assent_waiting_messages", "Messages in queues.", status.waiting);
    write_gauge(out, "assent_awaiting_receipt", "Messages sent and without their receipts.",
                status.awaiting_receipt);
    write_gauge(out, "assent_message_memory_bytes", "Memory of open messages.",
                status.memory_octets);
    write_gauge(out, "assent_gate_open", "1 while Redis can be asked for consent.",
                status.gate_open);
    write_gauge(out, "assent_erasures_open", "Erasures of a person under way.", status.erasures);
    write_gauge(out, "assent_draining", "1 while the gateway is shutting down.", status.draining);
}

static const struct {
    const char *name, *label, *help;
} complaint_families[COMPLAINT_LABEL_KINDS] = {
    [COMPLAINTS_BY_PROGRAM] = {"assent_complaints_by_program_total", "program",
                               "Complaints opened, by the program they are about."},
    [COMPLAINTS_BY_CARRIER] = {"assent_complaints_by_carrier_total", "carrier",
                               "Complaints opened, by carrier."},
    [COMPLAINTS_BY_SENDER] = {"assent_complaints_by_sender_total", "sender",
                              "Complaints opened, by sender."},
};

static void write_complaint_labels(const struct exposed *exposed, enum complaint_label_kind kind,
                                   FILE *out)
{
    unsigned count;
    const struct complaint_label *labels = engine_complaints_of(exposed->engine, kind, &count);
    metric_head(out, complaint_families[kind].name, "counter", complaint_families[kind].help);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%s{%s=\"%s\"} %" PRIu64 "\n", complaint_families[kind].name,
                complaint_families[kind].label, labels[i].name, labels[i].opened);
}

static void write_complaints(const struct exposed *exposed, struct instant now, FILE *out)
{
    struct complaint_status status;
    engine_complaints(exposed->engine, now.wall_ms, &status);
    write_gauge(out, "assent_complaints_open", "Complaints that are not resolved.", status.open);
    write_gauge(out, "assent_complaints_overdue", "Of those, the ones that should have been.",
                status.overdue);
    metric_head(out, "assent_complaints_opened_total", "counter",
                "Complaints opened, by how they came in and what they are about.");
    for (unsigned channel = 1; channel < COMPLAINT_CHANNELS; channel++) {
        for (unsigned type = 1; type < COMPLAINT_TYPES; type++)
            fprintf(out, "assent_complaints_opened_total{channel=\"%s\",type=\"%s\"} %" PRIu64 "\n",
                    complaint_channel_name(channel), complaint_type_name(type),
                    engine_complaints_opened(exposed->engine, channel, type));
    }
    metric_head(out, "assent_complaints_resolved_total", "counter",
                "Complaints resolved, by what was found.");
    for (unsigned finding = 1; finding < COMPLAINT_FINDINGS; finding++)
        fprintf(out, "assent_complaints_resolved_total{finding=\"%s\"} %" PRIu64 "\n",
                complaint_finding_name(finding),
                engine_complaints_resolved(exposed->engine, finding));
    for (unsigned kind = 0; kind < COMPLAINT_LABEL_KINDS; kind++)
        write_complaint_labels(exposed, (enum complaint_label_kind)kind, out);
}

/* Those in trouble first, then the others, as far as there are series for them. */
static unsigned gather_reputations(const struct exposed *exposed, struct instant now,
                                   struct reputation_status *out, uint64_t *ret_paused)
{
    unsigned count = 0;
    *ret_paused = 0;
    for (int trouble = 1; trouble >= 0; trouble--)
        for (unsigned i = 0; count < REPUTATION_SERIES_MAX &&
                             engine_reputation(exposed->engine, i, now.wall_ms, &out[count]);
             i++) {
            const struct reputation_status *r = &out[count];
            bool alarmed = false;
            for (unsigned window = 0; window < REPUTATION_WINDOWS; window++)
                alarmed = alarmed || r->alarms[window] != 0;
            *ret_paused += trouble && r->paused;
            count += (r->paused || alarmed) == trouble;
        }
    return count;
}

static void write_shares(const struct reputation_status *r, FILE *out)
{
    for (unsigned window = 1; window < REPUTATION_WINDOWS; window++) {
        const uint64_t *totals = r->totals[window];
        uint64_t texts = reputation_texts(totals);
        for (unsigned rate = 0; rate < REPUTATION_RATES; rate++)
            fprintf(out,
                    "assent_reputation_share{sender=\"%s\",carrier=\"%s\",window=\"%s\","
                    "rate=\"%s\"} %.6f\n",
                    r->sender, r->carrier, reputation_window_name(window),
                    rate == 0 ? "delivered" : reputation_rate_name(rate),
                    rate != 0    ? reputation_share(totals, rate) / 1e6
                    : texts != 0 ? (double)totals[REPUTATION_DELIVERED] / (double)texts
                                 : 0.0);
    }
}

static void write_reputations(const struct exposed *exposed, struct instant now, FILE *out)
{
    struct reputation_status *rows = check_calloc(REPUTATION_SERIES_MAX, sizeof *rows);
    uint64_t paused;
    unsigned count = gather_reputations(exposed, now, rows, &paused);
    write_gauge(out, "assent_reputation_paused_senders",
                "Pairs of sender and carrier whose marketing waits for an operator.", paused);
    metric_head(out, "assent_reputation_paused", "gauge",
                "1 where marketing of the sender at the carrier waits for an operator.");
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "assent_reputation_paused{sender=\"%s\",carrier=\"%s\"} %d\n", rows[i].sender,
                rows[i].carrier, rows[i].paused);
    metric_head(out, "assent_reputation_texts", "gauge",
                "Texts of the sender that ended at the carrier in the sliding window.");
    for (unsigned i = 0; i < count; i++)
        for (unsigned window = 1; window < REPUTATION_WINDOWS; window++)
            fprintf(out,
                    "assent_reputation_texts{sender=\"%s\",carrier=\"%s\",window=\"%s\"} %" PRIu64
                    "\n",
                    rows[i].sender, rows[i].carrier, reputation_window_name(window),
                    reputation_texts(rows[i].totals[window]));
    metric_head(out, "assent_reputation_share", "gauge",
                "Of those texts, the share that the rate is about.");
    for (unsigned i = 0; i < count; i++)
        write_shares(&rows[i], out);
    metric_head(out, "assent_reputation_uncounted_total", "counter",
                "Events of pairs of sender and carrier for which there was no room.");
    fprintf(out, "assent_reputation_uncounted_total %" PRIu64 "\n",
            engine_reputation_uncounted(exposed->engine));
    free(rows);
}

static void write_ledger(const struct exposed *exposed, FILE *out)
{
    write_gauge(out, "assent_ledger_sequence", "Records appended to the ledger.",
                exposed->ledger_next - 1);
    write_gauge(out, "assent_ledger_durable_sequence", "Records that are on disk.",
                exposed->ledger_durable);
    write_gauge(out, "assent_ledger_checkpoint_sequence",
                "Records that the latest signed checkpoint covers.", exposed->ledger_checkpointed);
    write_gauge(out, "assent_ledger_witnessed_sequence",
                "Records that the latest checkpoint covers which the witness has, since the start; "
                "0 without one.",
                exposed->witnessed);
    metric_head(out, "assent_ledger_witness_failures_total", "counter",
                "Checkpoints that the witness did not take.");
    fprintf(out, "assent_ledger_witness_failures_total %" PRIu64 "\n", exposed->witness_failures);
    write_gauge(out, "assent_ledger_healthy", "1 while the ledger takes records.",
                exposed->ledger_healthy);
}

static uint64_t resident_octets(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL)
        return 0;
    if (fscanf(statm, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(statm);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(const struct exposed *exposed, FILE *out)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    write_gauge(out, "process_resident_memory_bytes", "Resident memory.", resident_octets());
    metric_head(out, "process_cpu_seconds_total", "counter", "Processor time used.");
    fprintf(out, "process_cpu_seconds_total %.6f\n",
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    metric_head(out, "process_start_time_seconds", "gauge", "When the process began, since 1970.");
    fprintf(out, "process_start_time_seconds %.3f\n", (double)exposed->started_wall_ms / 1000);
    metric_head(out, "assent_build_info", "gauge", "Always 1; the version is a label.");
    fprintf(out, "assent_build_info{version=\"%s\",node=\"%s\"} 1\n", ASSENT_VERSION,
            exposed->config->node);
}

void exposition_metrics(const struct exposed *exposed, struct instant now, FILE *out)
{
    metrics_write(engine_metrics(exposed->engine), out);
    write_engine(exposed, out);
    write_carriers(exposed, now, out);
    write_complaints(exposed, now, out);
    write_reputations(exposed, now, out);
    write_ledger(exposed, out);
    write_process(exposed, out);
}

static bool any_carrier_bound(const struct exposed *exposed, struct instant now)
{
    struct carrier_status status;
    for (uint16_t i = 0; i < exposed->config->carrier_count; i++) {
        engine_carrier_status(exposed->engine, i, now, &status);
        if (status.sessions_bound > 0)
            return true;
    }
    return false;
}

bool exposition_ready(const struct exposed *exposed, struct instant now, FILE *out)
{
    struct engine_status status;
    engine_status(exposed->engine, &status);
    bool carrier = any_carrier_bound(exposed, now);
    if (status.gate_open && carrier && exposed->ledger_healthy && !status.draining) {
        fprintf(out, "ready\n");
        return true;
    }
    if (status.draining)
        fprintf(out, "draining: the gateway is shutting down\n");
    if (!status.gate_open)
        fprintf(out, "consent: %s\n", status.gate_why[0] ? status.gate_why : "Redis is away");
    if (!carrier)
        fprintf(out, "carriers: none is bound\n");
    if (!exposed->ledger_healthy)
        fprintf(out, "ledger: no space on the disk, or it failed\n");
    return false;
}

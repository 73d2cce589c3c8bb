/* SPDX-License-Identifier: Apache-2.0 */
/* assent status: carriers, queues, rates. On a terminal it refreshes every second. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/cli/client.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/metrics.h"
#include "gateway/reputation.h"

static const Assent__V1__StatusReply *ask(struct client *client)
{
    Assent__V1__StatusRequest status = ASSENT__V1__STATUS_REQUEST__INIT;
    Assent__V1__Frame request = ASSENT__V1__FRAME__INIT;
    request.body_case = ASSENT__V1__FRAME__BODY_STATUS;
    request.status = &status;
    Assent__V1__Frame *reply = client_call(client, &request, ASSENT__V1__FRAME__BODY_STATUS_REPLY);
    return reply ? reply->status_reply : NULL;
}

static void print_head(const Assent__V1__StatusReply *status)
{
    char uptime[SPAN_TEXT_SIZE], open[COUNT_TEXT_SIZE], scheduled[COUNT_TEXT_SIZE];
    char memory[COUNT_TEXT_SIZE], records[COUNT_TEXT_SIZE], quiet[COUNT_TEXT_SIZE];
    uint64_t behind = status->next_sequence - 1 - status->durable_sequence;
    printf("%s  assent %s  up %s%s\n", status->node, status->version,
           span_text(status->uptime_ms, uptime), status->draining ? "  DRAINING" : "");
    printf("gate     %s%s%s\n", status->gate_open ? "open" : "SHUT, nothing is sent: ",
           status->gate_why[0] && status->gate_open ? ", " : "", status->gate_why);
    if (status->erasures > 0)
        printf("erasing  %" PRIu32 " under way: %s\n", status->erasures, status->erasure_phase);
    printf("messages %s open, %s scheduled (%s of them for quiet hours), %s KiB of memory\n",
           count_text(status->open_messages, open), count_text(status->scheduled, scheduled),
           count_text(status->quiet, quiet), count_text(status->memory_octets / 1024, memory));
    if (status->complaints_open > 0)
        printf("complaints %" PRIu64 " open, %" PRIu64 " overdue\n", status->complaints_open,
               status->complaints_overdue);
    printf("ledger   %s records, %" PRIu64 " not on disk yet\n\n",
           count_text(status->durable_sequence, records), behind);
}

static void paused_text(const Assent__V1__CarrierStatus *carrier, char *out, size_t size)
{
    size_t n = 0;
    snprintf(out, size, "-");
    for (size_t i = 0; i < carrier->n_paused && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", carrier->paused[i]);
    if (carrier->sessions_bound == 0 && carrier->why[0] != '\0' && n < size)
        n += (size_t)snprintf(out + n, size - n, " (%s)", carrier->why);
    if (carrier->passed_over && n < size)
        snprintf(out + n, size - n, ", passed over");
}

/* "98/100"; "98/137 of 500" where the carrier has been seen to take less than the setting. */
static void of_setting(uint32_t used, uint32_t now, uint32_t setting, char *out, size_t size)
{
    int n = snprintf(out, size, "%u/%u", used, now);
    if (now != setting)
        snprintf(out + n, size - (size_t)n, " of %u", setting);
}

static void add_carrier(struct columns *table, const Assent__V1__CarrierStatus *carrier)
{
    char sessions[24], rate[48], window[48], paused[256], receipts[COUNT_TEXT_SIZE];
    char waiting[CLASS_COUNT][COUNT_TEXT_SIZE];
    for (size_t i = 0; i < CLASS_COUNT; i++)
        count_text(i < carrier->n_waiting ? carrier->waiting[i] : 0, waiting[i]);
    snprintf(sessions, sizeof sessions, "%u/%u", carrier->sessions_bound, carrier->sessions);
    of_setting(carrier->sent_last_second, carrier->rate_now, carrier->rate, rate, sizeof rate);
    of_setting(carrier->window_used, carrier->window_now, carrier->window, window, sizeof window);
    paused_text(carrier, paused, sizeof paused);
    columns_add(table, carrier->name, sessions, rate, window, waiting[ASSENT__V1__CLASS__EMERGENCY],
                waiting[ASSENT__V1__CLASS__OTP], waiting[ASSENT__V1__CLASS__SERVICE],
                waiting[ASSENT__V1__CLASS__TRANSACTIONAL], waiting[ASSENT__V1__CLASS__MARKETING],
                count_text(carrier->awaiting_receipt, receipts), paused);
}

static void print_carriers(const Assent__V1__StatusReply *status)
{
    struct columns table;
    columns_init(&table, "lrrrrrrrrrl");
    columns_add(&table, "CARRIER", "BOUND", "SENT/S", "WINDOW", "EMERG", "OTP", "SERVICE", "TRANS",
                "MARKETING", "RECEIPTS", "PAUSED");
    for (size_t i = 0; i < status->n_carriers; i++)
        add_carrier(&table, status->carriers[i]);
    columns_print(&table, stdout);
}

static void print_reputations(const Assent__V1__StatusReply *status)
{
    char since[WHEN_TEXT_SIZE], share[32], threshold[32];
    for (size_t i = 0; i < status->n_paused_senders; i++) {
        const Assent__V1__SenderReputation *r = status->paused_senders[i];
        const Assent__V1__ReputationFinding *by = r->paused_by;
        if (by == NULL)
            continue;
        share_text(by->share, share, sizeof share);
        share_text(by->threshold, threshold, sizeof threshold);
        printf("%smarketing of %s at %s is PAUSED since %s: %s %s of %" PRIu64
               " texts in the last %s (limit %s); `assent reputation release` lets it go on\n",
               i ? "" : "\n", r->sender, r->carrier, when_text(r->paused_wall_ms, since),
               reputation_rate_text((unsigned)by->rate), share, by->texts,
               reputation_window_name((unsigned)by->window), threshold);
    }
}

static void print_hints(const Assent__V1__StatusReply *status)
{
    for (size_t i = 0; i < status->n_carriers; i++)
        if (status->carriers[i]->receipt_hint[0] != '\0')
            printf("\nreceipts of %s match no message; they would match with %s\n",
                   status->carriers[i]->name, status->carriers[i]->receipt_hint);
}

/* "alpha: 12 messages took another carrier (down)" */
static void print_failover(const Assent__V1__StatusReply *status)
{
    char count[COUNT_TEXT_SIZE];
    for (size_t i = 0; i < status->n_carriers; i++) {
        const Assent__V1__CarrierStatus *carrier = status->carriers[i];
        for (size_t r = 0; r < carrier->n_failed_over; r++)
            printf("%s%s: %s messages took another carrier (%s)\n", r ? "" : "\n", carrier->name,
                   count_text(carrier->failed_over[r]->value, count),
                   carrier->failed_over[r]->name);
    }
}

/* Counters that stand at 0 say nothing. */
static void print_counters(const Assent__V1__StatusReply *status)
{
    struct columns table;
    char value[COUNT_TEXT_SIZE];
    columns_init(&table, "rl");
    for (size_t i = 0; i < status->n_counters; i++)
        if (status->counters[i]->value != 0)
            columns_add(&table, count_text(status->counters[i]->value, value),
                        status->counters[i]->name);
    if (table.cell_count > 0)
        printf("\n");
    columns_print(&table, stdout);
}

static bool show(struct client *client, bool json, bool clear)
{
    const Assent__V1__StatusReply *status = ask(client);
    if (status == NULL)
        return false;
    if (json) {
        json_line(message_json(&status->base), stdout);
        return true;
    }
    if (clear)
        fputs("\x1b[H\x1b[J", stdout);
    print_head(status);
    print_carriers(status);
    print_reputations(status);
    print_hints(status);
    print_failover(status);
    print_counters(status);
    fflush(stdout);
    return true;
}

int command_status(const struct cli *cli, int argc, char **argv)
{
    bool once = false, json = false;
    const struct option_row rows[] = {
        {"once", NULL, "print once, also on a terminal", NULL, &once},
        {"json", NULL, "one JSON object, for programs", NULL, &json},
    };
    const struct usage usage = {
        .synopsis = "assent status [--once] [--json]",
        .about = "Shows carriers, queues and rates; on a terminal every second until Ctrl-C.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    bool refresh = !once && !json && isatty(STDOUT_FILENO);
    struct client *client = client_open(cli);
    bool ok = client != NULL && show(client, json, refresh);
    while (ok && refresh) {
        sleep(1);
        ok = show(client, json, true);
    }
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* assent reputation: what became of each sender's texts at each carrier; release of a sender that is paused. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/reputation.h"

/* NULL after a complaint. */
static const Assent__V1__ReputationReply *ask(struct client *client,
                                              Assent__V1__ReputationRequest *request)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_REPUTATION;
    frame.reputation = request;
    Assent__V1__Frame *reply =
        client_call(client, &frame, ASSENT__V1__FRAME__BODY_REPUTATION_REPLY);
    if (reply == NULL)
        return NULL;
    if (reply->reputation_reply->code == ASSENT__V1__CODE__CODE_OK)
        return reply->reputation_reply;
    complain("refused: %s: %s", code_name(reply->reputation_reply->code),
             reply->reputation_reply->message);
    return NULL;
}

/* ---- the list ---- */

static uint64_t texts_of(const Assent__V1__ReputationCounts *c)
{
    return c->delivered + c->filtered + c->unknown + c->other;
}

/* "12.34%"; "-" where there are no texts. */
#define SHARE_SIZE 24
static char *percent(uint64_t count, uint64_t texts, char out[SHARE_SIZE])
{
    snprintf(out, SHARE_SIZE, "-");
    if (texts > 0)
        snprintf(out, SHARE_SIZE, "%.2f%%", 100.0 * (double)count / (double)texts);
    return out;
}

static void state_text(const Assent__V1__SenderReputation *row,
                       const Assent__V1__ReputationCounts *c, char *out, size_t size)
{
    char since[WHEN_TEXT_SIZE];
    const char *between = "";
    size_t n = 0;
    snprintf(out, size, "-");
    if (row->paused_by != NULL && row->paused_by->window == c->window) {
        n = (size_t)snprintf(out, size, "PAUSED since %s: %s",
                             when_text(row->paused_wall_ms, since),
                             reputation_rate_text((unsigned)row->paused_by->rate));
        between = "; ";
    }
    for (size_t i = 0; i < c->n_alarms && n < size; i++) {
        n += (size_t)snprintf(out + n, size - n, "%s%s%s", between, i == 0 ? "alarm: " : "",
                              reputation_rate_text((unsigned)c->alarms[i]));
        between = ", ";
    }
}

static void add_window(struct columns *table, const Assent__V1__SenderReputation *row,
                       const Assent__V1__ReputationCounts *c)
{
    char texts[COUNT_TEXT_SIZE], delivered[SHARE_SIZE], filtered[SHARE_SIZE], unknown[SHARE_SIZE];
    char opt_outs[SHARE_SIZE], complaints[SHARE_SIZE], state[256];
    uint64_t all = texts_of(c);
    state_text(row, c, state, sizeof state);
    columns_add(table, row->sender, row->carrier, reputation_window_name((unsigned)c->window),
                count_text(all, texts), percent(c->delivered, all, delivered),
                percent(c->filtered, all, filtered), percent(c->unknown, all, unknown),
                percent(c->opt_outs, all, opt_outs), percent(c->complaints, all, complaints),
                state);
}

static void print_table(const Assent__V1__ReputationReply *reply)
{
    struct columns table;
    columns_init(&table, "lllrrrrrrl");
    columns_add(&table, "SENDER", "CARRIER", "LAST", "TEXTS", "DELIVERED", "FILTERED", "UNKNOWN",
                "OPT-OUTS", "COMPLAINTS", "STATE");
    for (size_t i = 0; i < reply->n_senders; i++)
        for (size_t w = 0; w < reply->senders[i]->n_windows; w++)
            add_window(&table, reply->senders[i], reply->senders[i]->windows[w]);
    columns_print(&table, stdout);
    if (reply->uncounted > 0)
        fprintf(stderr,
                "assent: %" PRIu64 " events were not counted: there are more pairs of sender and "
                "carrier than there is room for\n",
                reply->uncounted);
}

static bool list(struct client *client, Assent__V1__ReputationRequest *request, bool json)
{
    const Assent__V1__ReputationReply *reply = ask(client, request);
    if (reply == NULL)
        return false;
    for (size_t i = 0; json && i < reply->n_senders; i++)
        json_line(message_json(&reply->senders[i]->base), stdout);
    if (!json && reply->n_senders == 0)
        printf("no texts have ended in the last day\n");
    else if (!json)
        print_table(reply);
    return true;
}

static int command_list(const struct cli *cli, int argc, char **argv)
{
    Assent__V1__ReputationRequest request = ASSENT__V1__REPUTATION_REQUEST__INIT;
    const char *sender = "", *carrier = "";
    bool json = false;
    const struct option_row rows[] = {
        {"sender", "S", "this sender only", &sender, NULL},
        {"carrier", "NAME", "at this carrier only", &carrier, NULL},
        {"json", NULL, "a JSON object a line, for programs", NULL, &json},
    };
    const struct usage usage = {
        .synopsis = "assent reputation [list] [--sender S] [--carrier NAME] [--json]",
        .about =
            "Of the texts that ended in the last hour and day, by sender and carrier: how many\n"
            "were delivered, filtered, or went to numbers that nobody has, and how many opt-outs\n"
            "and complaints came, all as shares of the texts. At the shares that `reputation` in\n"
            "the configuration names, an alarm is recorded, or the sender's marketing at that\n"
            "carrier is paused until `assent reputation release`. Each gateway counts its own.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    request.sender = (char *)(uintptr_t)sender;
    request.carrier = (char *)(uintptr_t)carrier;
    struct client *client = client_open(cli);
    bool ok = client != NULL && list(client, &request, json);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

/* ---- release ---- */

static bool release(struct client *client, Assent__V1__ReputationRequest *request)
{
    const Assent__V1__ReputationReply *reply = ask(client, request);
    if (reply == NULL)
        return false;
    printf("released (record #%" PRIu64 "): marketing of %s at %s goes on, counted anew\n",
           reply->record, request->sender, request->carrier);
    return true;
}

static int command_release(const struct cli *cli, int argc, char **argv)
{
    Assent__V1__ReputationRequest request = ASSENT__V1__REPUTATION_REQUEST__INIT;
    const char *sender = NULL, *carrier = NULL, *who = cli_user_name(), *why = NULL;
    const struct option_row rows[] = {
        {"sender", "S", "the sender that is paused", &sender, NULL},
        {"carrier", "NAME", "where", &carrier, NULL},
        {"who", "NAME", "who releases it; your user's name else", &who, NULL},
        {"why", "TEXT", "what was found and done; stands in the record", &why, NULL},
    };
    const struct usage usage = {
        .synopsis = "assent reputation release --sender S --carrier NAME [--who NAME] --why TEXT",
        .about =
            "Lets the marketing of a paused sender at a carrier go on: what waited is sent. Who\n"
            "and why are recorded. What was counted before counts no more.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (sender == NULL || carrier == NULL)
        return usage_error(&usage, "--sender and --carrier are needed: who goes on, and where?");
    if (why == NULL || why[0] == '\0')
        return usage_error(&usage, "--why is needed: what was found and done?");
    request.release = true;
    request.sender = (char *)(uintptr_t)sender;
    request.carrier = (char *)(uintptr_t)carrier;
    request.who = (char *)(uintptr_t)who;
    request.why = (char *)(uintptr_t)why;
    struct client *client = client_open(cli);
    bool ok = client != NULL && release(client, &request);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

static const struct command reputation_commands[] = {
    {"list", "what became of each sender's texts at each carrier", command_list},
    {"release", "let a paused sender go on", command_release},
    {0},
};

int command_reputation(const struct cli *cli, int argc, char **argv)
{
    bool listing = argc < 2 || (argv[1][0] == '-' && strcmp(argv[1], "--help") != 0);
    if (listing)
        return command_list(cli, argc, argv);
    return command_dispatch(reputation_commands, "assent reputation", cli, argc - 1, argv + 1);
}

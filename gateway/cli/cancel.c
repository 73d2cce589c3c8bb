/* SPDX-License-Identifier: Apache-2.0 */
/* assent cancel and assent query: what is asked by message id. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/cli/client.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/config_text.h"
#include "proto/base/limits.h"

struct ids {
    uint64_t list[SUBMIT_MESSAGES_MAX];
    size_t count;
    bool json;
};

/* Reads the command line; gives an exit code, or -1 to go on. */
static int read_ids(int argc, char **argv, const char *synopsis, const char *about, struct ids *ids)
{
    static const char *words[SUBMIT_MESSAGES_MAX];
    const struct option_row rows[] = {
        {"json", NULL, "one JSON object a message, for programs", NULL, &ids->json},
    };
    const struct usage usage = {.synopsis = synopsis, .about = about, .rows = rows, .row_count = 1};
    enum options_result result =
        options_read(&usage, argc, argv, words, SUBMIT_MESSAGES_MAX, &ids->count);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (ids->count == 0)
        return usage_error(&usage, "which message? `assent send` prints ids");
    for (size_t i = 0; i < ids->count; i++)
        if (!config_integer(words[i], &ids->list[i]) || ids->list[i] == 0)
            return usage_error(&usage, "\"%s\" is not a message id", words[i]);
    return -1;
}

static bool cancel_ids(struct client *client, struct ids *ids)
{
    Assent__V1__CancelRequest cancel = ASSENT__V1__CANCEL_REQUEST__INIT;
    cancel.n_ids = ids->count;
    cancel.ids = ids->list;
    Assent__V1__Frame request = ASSENT__V1__FRAME__INIT;
    request.body_case = ASSENT__V1__FRAME__BODY_CANCEL;
    request.cancel = &cancel;
    Assent__V1__Frame *frame = client_call(client, &request, ASSENT__V1__FRAME__BODY_CANCEL_REPLY);
    if (frame == NULL)
        return false;
    bool all = true;
    const Assent__V1__CancelReply *reply = frame->cancel_reply;
    for (size_t i = 0; i < reply->n_verdicts; i++) {
        const Assent__V1__Verdict *verdict = reply->verdicts[i];
        bool ok = verdict->code == ASSENT__V1__CODE__CODE_OK;
        all &= ok;
        if (ids->json)
            json_line(message_json(&verdict->base), stdout);
        else if (ok)
            printf("%" PRIu64 "  cancelled\n", verdict->id);
        else
            printf("%" PRIu64 "  not cancelled: %s%s%s\n", verdict->id, code_name(verdict->code),
                   verdict->message[0] ? ", " : "", verdict->message);
    }
    return all;
}

static void add_status(struct columns *table, const Assent__V1__MessageStatus *status)
{
    char id[24], parts[16], attempts[16], outcome[96], state[80], when[WHEN_TEXT_SIZE];
    bool known = status->code == ASSENT__V1__CODE__CODE_OK;
    snprintf(id, sizeof id, "%" PRIu64, status->id);
    snprintf(parts, sizeof parts, "%u", status->parts);
    snprintf(attempts, sizeof attempts, "%u", status->attempts);
    bool open = status->outcome == ASSENT__V1__OUTCOME__OUTCOME_OPEN;
    outcome_text(status->outcome, ASSENT__V1__REASON__REASON_NONE, outcome);
    snprintf(state, sizeof state, "%s", known ? status->state : "not known here");
    if (status->due_wall_ms != 0)
        snprintf(state, sizeof state, "%s until %.19s UTC%s", status->state,
                 when_text(status->due_wall_ms, when),
                 status->held == ASSENT__V1__REASON__QUIET_HOURS ? ", quiet hours" : "");
    columns_add(table, id, state, open ? "-" : outcome, known ? parts : "-", known ? attempts : "-",
                status->carrier[0] ? status->carrier : "-");
}

static bool query_ids(struct client *client, struct ids *ids)
{
    Assent__V1__QueryRequest query = ASSENT__V1__QUERY_REQUEST__INIT;
    query.n_ids = ids->count;
    query.ids = ids->list;
    Assent__V1__Frame request = ASSENT__V1__FRAME__INIT;
    request.body_case = ASSENT__V1__FRAME__BODY_QUERY;
    request.query = &query;
    Assent__V1__Frame *frame = client_call(client, &request, ASSENT__V1__FRAME__BODY_QUERY_REPLY);
    if (frame == NULL)
        return false;
    bool all = true;
    struct columns table;
    columns_init(&table, "rllrrl");
    columns_add(&table, "ID", "STATE", "OUTCOME", "PARTS", "ATTEMPTS", "CARRIER");
    for (size_t i = 0; i < frame->query_reply->n_messages; i++) {
        const Assent__V1__MessageStatus *status = frame->query_reply->messages[i];
        all &= status->code == ASSENT__V1__CODE__CODE_OK;
        if (ids->json)
            json_line(message_json(&status->base), stdout);
        else
            add_status(&table, status);
    }
    if (ids->json)
        columns_release(&table);
    else
        columns_print(&table, stdout);
    if (!all)
        complain("an ended message is forgotten after a while; `assent trace ID` reads the ledger");
    return all;
}

static int run(const struct cli *cli, struct ids *ids,
               bool (*function)(struct client *client, struct ids *ids))
{
    struct client *client = client_open(cli);
    bool ok = client != NULL && function(client, ids);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

int command_cancel(const struct cli *cli, int argc, char **argv)
{
    static struct ids ids;
    int code =
        read_ids(argc, argv, "assent cancel [--json] ID...",
                 "Cancels messages that still wait. What is on its way cannot be cancelled.", &ids);
    return code >= 0 ? code : run(cli, &ids, cancel_ids);
}

int command_query(const struct cli *cli, int argc, char **argv)
{
    static struct ids ids;
    int code = read_ids(argc, argv, "assent query [--json] ID...",
                        "Asks the gateway what became of messages.", &ids);
    return code >= 0 ? code : run(cli, &ids, query_ids);
}

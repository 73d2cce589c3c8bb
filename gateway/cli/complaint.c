/* SPDX-License-Identifier: Apache-2.0 */
/* assent complaint: open and resolve, through the gateway. What there is, the ledger tells: complaint_list.c and
 * complaint_show.c. */
#include "gateway/complaint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/csv.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/rejected.h"
#include "gateway/cli/when.h"
#include "gateway/config_text.h"
#include "proto/base/clock.h"

enum column {
    NUMBER,
    CHANNEL,
    TYPE,
    MESSAGES,
    WORDS,
    PROGRAM,
    SENDER,
    CARRIER,
    CASE,
    RECEIVED,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {"number", "channel", "type",   "message",
                                                  "words",  "program", "sender", "carrier",
                                                  "case",   "received"};

/* What one complaint says; "" where it does not. */
struct complaint_words {
    const char *cells[COLUMNS];
    uint64_t messages[COMPLAINT_MESSAGES_MAX];
};

static char *or_empty(const char *text)
{
    return (char *)(text ? text : "");
}

/* "17,#18": ids of messages. */
static bool read_messages(const char *text, struct complaint_words *w, size_t *ret_count)
{
    size_t count = 0;
    while (*text != '\0') {
        char word[24];
        size_t length = strcspn(text, ", ");
        const char *digits = text[0] == '#' ? text + 1 : text;
        snprintf(word, sizeof word, "%.*s", (int)(length - (size_t)(digits - text)), digits);
        if (count == COMPLAINT_MESSAGES_MAX || length >= sizeof word ||
            !config_integer(word, &w->messages[count]) || w->messages[count] == 0)
            return false;
        count++;
        text += length;
        text += strspn(text, ", ");
    }
    *ret_count = count;
    return true;
}

/* Fills the request, which points into `w`. NULL, or which option is wrong and what is allowed. */
static const char *request_of(struct complaint_words *w, Assent__V1__ComplaintRequest *request)
{
    static char why[160];
    for (int i = 0; i < COLUMNS; i++)
        w->cells[i] = or_empty(w->cells[i]);
    if (w->cells[NUMBER][0] == '\0')
        return "--number is needed: who complained";
    request->channel = (Assent__V1__ComplaintChannel)complaint_channel_of(w->cells[CHANNEL]);
    request->type = (Assent__V1__ComplaintType)complaint_type_of(w->cells[TYPE]);
    snprintf(why, sizeof why, "--channel is needed, one of: %s", complaint_channel_words);
    if (request->channel == 0)
        return why;
    snprintf(why, sizeof why, "--type is needed, one of: %s", complaint_type_words);
    if (request->type == 0)
        return why;
    if (!read_messages(w->cells[MESSAGES], w, &request->n_messages))
        return "--message is like 17 or 17,18: at most 16 ids of messages";
    if (w->cells[RECEIVED][0] != '\0' &&
        !when_parse_date(w->cells[RECEIVED], clock_wall_ms(), &request->received_wall_ms))
        return "--received is like 2026-11-01 or 2026-11-01T10:00:00Z";
    request->who = cli_user_name();
    request->number = (char *)w->cells[NUMBER];
    request->messages = w->messages;
    request->words = (char *)w->cells[WORDS];
    request->program = (char *)w->cells[PROGRAM];
    request->sender = (char *)w->cells[SENDER];
    request->carrier = (char *)w->cells[CARRIER];
    request->case_reference = (char *)w->cells[CASE];
    return NULL;
}

static const Assent__V1__ComplaintReply *call(struct client *client,
                                              Assent__V1__ComplaintRequest *request)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_COMPLAINT;
    frame.complaint = request;
    Assent__V1__Frame *reply = client_call(client, &frame, ASSENT__V1__FRAME__BODY_COMPLAINT_REPLY);
    return reply ? reply->complaint_reply : NULL;
}

/* Gives true when it was done; else why not is told. */
static bool was_done(const Assent__V1__ComplaintReply *reply, bool json)
{
    bool ok = reply != NULL && reply->code == ASSENT__V1__CODE__CODE_OK;
    if (reply != NULL && json)
        json_line(message_json(&reply->base), stdout);
    else if (reply != NULL && !ok)
        complain("refused: %s: %s", code_name(reply->code), reply->message);
    return ok;
}

/* open ----------------------------------------------------------------------------------------- */

static int open_one(const struct cli *cli, Assent__V1__ComplaintRequest *request, bool json)
{
    char due[WHEN_TEXT_SIZE];
    struct client *client = client_open(cli);
    const Assent__V1__ComplaintReply *reply = client ? call(client, request) : NULL;
    bool ok = was_done(reply, json);
    if (ok && !json)
        printf("complaint %" PRIu64 "%s, due %s\n%s is suppressed (record #%" PRIu64 ")\n",
               reply->complaint, reply->already_open ? " was open already" : "",
               when_text(reply->due_wall_ms, due), request->number, reply->record);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

/* A file: what a row does not say, the options do. */
struct feed {
    struct client *client;
    struct csv *csv;
    int columns[COLUMNS];
    const struct complaint_words *defaults;
    struct rejected rejected;
    uint64_t opened, known, refused;
};

static bool take_row(struct feed *feed)
{
    struct complaint_words w = {0};
    const char *cells[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        cells[i] = feed->columns[i] < 0 ? "" : csv_cell(feed->csv, feed->columns[i]);
        w.cells[i] = cells[i][0] != '\0' ? cells[i] : feed->defaults->cells[i];
    }
    Assent__V1__ComplaintRequest request = ASSENT__V1__COMPLAINT_REQUEST__INIT;
    const char *why = request_of(&w, &request);
    const Assent__V1__ComplaintReply *reply = why == NULL ? call(feed->client, &request) : NULL;
    if (why == NULL && reply == NULL)
        return false;
    if (reply != NULL && reply->code != ASSENT__V1__CODE__CODE_OK)
        why = reply->message;
    if (why != NULL)
        rejected_row(&feed->rejected, cells, csv_row(feed->csv), "", why);
    feed->refused += why != NULL;
    feed->known += why == NULL && reply->already_open;
    feed->opened += why == NULL && !reply->already_open;
    return true;
}

static bool take_rows(struct feed *feed)
{
    enum csv_result result;
    while ((result = csv_next(feed->csv)) != CSV_END) {
        if (result == CSV_BAD) {
            static const char *const none[COLUMNS] = {"", "", "", "", "", "", "", "", "", ""};
            rejected_row(&feed->rejected, none, csv_row(feed->csv), "", csv_why(feed->csv));
            feed->refused++;
        } else if (!take_row(feed)) {
            return false;
        }
    }
    return true;
}

static int open_many(const struct cli *cli, const char *path,
                     const struct complaint_words *defaults)
{
    struct feed feed = {.defaults = defaults, .csv = csv_open(path)};
    if (feed.csv == NULL)
        return EXIT_REFUSED;
    for (int i = 0; i < COLUMNS; i++)
        feed.columns[i] = csv_column(feed.csv, column_names[i]);
    bool ok = feed.columns[NUMBER] >= 0;
    if (!ok)
        complain("%s: no column is called number", path);
    rejected_init(&feed.rejected, path, column_names, COLUMNS);
    feed.client = ok ? client_open(cli) : NULL;
    ok = feed.client != NULL && take_rows(&feed);
    if (feed.client != NULL)
        printf("opened %" PRIu64 ", open already %" PRIu64 ", refused %" PRIu64 "\n", feed.opened,
               feed.known, feed.refused);
    client_close(feed.client);
    rejected_close(&feed.rejected);
    csv_close(feed.csv);
    return ok && feed.refused == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static int complaint_open(const struct cli *cli, int argc, char **argv)
{
    struct complaint_words w = {0};
    const char *csv = NULL;
    bool json = false;
    const struct option_row rows[] = {
        {"number", "N", "who complained", &w.cells[NUMBER], NULL},
        {"channel", "C", "how: reply, support, web, carrier, regulator", &w.cells[CHANNEL], NULL},
        {"type", "T", "about what: spam, phishing, spoofing, unwanted, rule-breach", &w.cells[TYPE],
         NULL},
        {"message", "ID,...", "the messages it is about", &w.cells[MESSAGES], NULL},
        {"words", "TEXT", "the complaint as it came; kept in the ledger", &w.cells[WORDS], NULL},
        {"program", "P", "that it is about; else of the message, or of the latest to the number",
         &w.cells[PROGRAM], NULL},
        {"sender", "S", "likewise", &w.cells[SENDER], NULL},
        {"carrier", "C", "likewise, and who passed it on", &w.cells[CARRIER], NULL},
        {"case", "REF", "what the carrier or regulator calls it; twice the same is one complaint",
         &w.cells[CASE], NULL},
        {"received", "TIME", "when it came, if not now: 2026-11-01, 2026-11-01T10:00:00Z",
         &w.cells[RECEIVED], NULL},
        {"csv", "FILE",
         "many: columns number, channel, type, message, words, program,\n"
         "                        sender, carrier, case, received; options fill what is empty",
         &csv, NULL},
        {"json", NULL, "one JSON object, for programs", NULL, &json},
    };
    const struct usage usage = {
        .synopsis = "assent complaint open --number N --channel C --type T [OPTIONS]\n"
                    "       assent complaint open --csv FILE [OPTIONS]",
        .about = "Opens a complaint. The number is suppressed at once, for every program and in "
                 "the way of\n"
                 "a hold: what waits for it is cancelled, and nothing that the person sends or "
                 "joins lifts\n"
                 "it; `assent complaint resolve --release` may. Operators only.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (csv != NULL && (w.cells[NUMBER] != NULL || json))
        return usage_error(&usage, "--csv goes with neither --number nor --json");
    if (csv != NULL)
        return open_many(cli, csv, &w);
    Assent__V1__ComplaintRequest request = ASSENT__V1__COMPLAINT_REQUEST__INIT;
    const char *why = request_of(&w, &request);
    return why != NULL ? usage_error(&usage, "%s", why) : open_one(cli, &request, json);
}

/* resolve -------------------------------------------------------------------------------------- */

static int resolve(const struct cli *cli, Assent__V1__ComplaintRequest *request, bool json)
{
    struct client *client = client_open(cli);
    const Assent__V1__ComplaintReply *reply = client ? call(client, request) : NULL;
    bool ok = was_done(reply, json);
    if (ok && !json && reply->record != 0)
        printf("complaint %" PRIu64 " is resolved; its hold is released (record #%" PRIu64
               "), what the person ended stays ended\n",
               reply->complaint, reply->record);
    else if (ok && !json)
        printf("complaint %" PRIu64 " is resolved; the number stays suppressed\n",
               reply->complaint);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

static int complaint_resolve(const struct cli *cli, int argc, char **argv)
{
    const char *id = NULL, *finding = NULL, *cause = NULL, *action = NULL, *answer = NULL;
    bool release = false, json = false;
    const struct option_row rows[] = {
        {"finding", "F", "needed: valid, sent-in-error, technical-fault, not-ours, unfounded",
         &finding, NULL},
        {"cause", "TEXT", "needed: what led to it", &cause, NULL},
        {"action", "TEXT", "needed: what is done so that it does not come again", &action, NULL},
        {"answer", "TEXT", "what who complained was told", &answer, NULL},
        {"release", NULL,
         "take the hold back: with technical-fault, not-ours and\n"
         "                        unfounded alone; within a week, and if no other hold stands "
         "there",
         NULL, &release},
        {"json", NULL, "one JSON object, for programs", NULL, &json},
    };
    const struct usage usage = {
        .synopsis = "assent complaint resolve --finding F --cause TEXT --action TEXT [OPTIONS] ID",
        .about =
            "Resolves a complaint at the gateway that opened it. The number stays suppressed\n"
            "unless --release is given, and what the person has ended themselves in any case.\n"
            "Operators only.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &id, 1, &words);
    Assent__V1__ComplaintRequest request = ASSENT__V1__COMPLAINT_REQUEST__INIT;
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (words == 0 || !config_integer(id + (id[0] == '#'), &request.complaint) ||
        request.complaint == 0)
        return usage_error(&usage, "which ID? `assent complaint list` has them");
    request.finding = (Assent__V1__ComplaintFinding)complaint_finding_of(or_empty(finding));
    if (request.finding == 0)
        return usage_error(&usage, "--finding is needed, one of: %s", complaint_finding_words);
    if (or_empty(cause)[0] == '\0')
        return usage_error(&usage, "--cause is needed: what led to the complaint");
    if (or_empty(action)[0] == '\0')
        return usage_error(&usage,
                           "--action is needed: what is done so that it does not come again");
    request.who = cli_user_name();
    request.cause = or_empty(cause);
    request.action = or_empty(action);
    request.answer = or_empty(answer);
    request.release = release;
    return resolve(cli, &request, json);
}

int command_complaint(const struct cli *cli, int argc, char **argv)
{
    static const struct command commands[] = {
        {"open", "open one, or one a row of a CSV file; suppresses the number", complaint_open},
        {"list", "which there are, and counts", complaint_list},
        {"show", "one with its evidence", complaint_show},
        {"resolve", "close one, with finding, cause and action", complaint_resolve},
        {0},
    };
    return command_dispatch(commands, "assent complaint", cli, argc - 1, argv + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* assent send: one message here, a file of them in send_csv.c. */
#include "gateway/cli/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/wait.h"
#include "gateway/cli/when.h"
#include "gateway/config_text.h"
#include "gateway/metrics.h"
#include "proto/base/clock.h"

const char *replaced_text(uint32_t replaced, char out[32])
{
    out[0] = '\0';
    if (replaced > 0)
        snprintf(out, 32, ", %u replaced", replaced);
    return out;
}

/* "  (quiet hours until 2026-12-01 13:00 UTC)", or "". */
static void due_text(uint64_t due_wall_ms, char out[64])
{
    char when[WHEN_TEXT_SIZE];
    out[0] = '\0';
    if (due_wall_ms != 0)
        snprintf(out, 64, "  (quiet hours until %.16s UTC)", when_text(due_wall_ms, when));
}

void send_fill(const struct send_options *options, Assent__V1__Message *message)
{
    assent__v1__message__init(message);
    message->program = (char *)options->program;
    message->class_ = options->class_;
    message->ttl_ms = options->ttl_ms;
    message->send_at_wall_ms = options->send_at_wall_ms;
    if (options->sender != NULL)
        message->sender = (char *)options->sender;
    if (options->campaign != NULL)
        message->campaign = (char *)options->campaign;
    if (options->reference != NULL)
        message->reference = (char *)options->reference;
    if (options->time_zone != NULL)
        message->time_zone = (char *)options->time_zone;
}

/* True when the message was accepted. */
static bool print_verdict(const Assent__V1__Verdict *verdict, const struct send_options *options)
{
    bool ok = verdict->code == ASSENT__V1__CODE__CODE_OK;
    char due[64];
    due_text(verdict->due_wall_ms, due);
    if (options->json)
        json_line(message_json(&verdict->base), stdout);
    else if (ok)
        printf("accepted  id %" PRIu64 "  %u part%s  %s%s%s\n", verdict->id, verdict->parts,
               verdict->parts == 1 ? "" : "s", encoding_text(verdict->encoding),
               verdict->repeated_reference ? "  (this reference was seen before)" : "", due);
    else
        complain("refused: %s: %s%s", code_name(verdict->code), verdict->message, due);
    return ok;
}

static bool send_one(struct client *client, const struct send_options *options)
{
    Assent__V1__Message message, *list[] = {&message};
    send_fill(options, &message);
    message.number = (char *)options->to;
    message.text = (char *)options->text;
    if (options->dry_run)
        return dry_one(client, &message, options);
    Assent__V1__SubmitRequest submit = ASSENT__V1__SUBMIT_REQUEST__INIT;
    submit.n_messages = 1;
    submit.messages = list;
    Assent__V1__Frame request = ASSENT__V1__FRAME__INIT;
    request.body_case = ASSENT__V1__FRAME__BODY_SUBMIT;
    request.submit = &submit;
    Assent__V1__Frame *frame = client_call(client, &request, ASSENT__V1__FRAME__BODY_SUBMIT_REPLY);
    if (frame == NULL || frame->submit_reply->n_verdicts != 1)
        return false;
    uint64_t id = frame->submit_reply->verdicts[0]->id;
    if (!print_verdict(frame->submit_reply->verdicts[0], options))
        return false;
    if (!options->wait)
        return true;
    struct wait wait;
    fflush(stdout);
    wait_init(&wait);
    wait_add(&wait, id);
    bool ok = wait_run(&wait, client, false);
    wait_release(&wait);
    return ok;
}

/* Reads what is not a plain string; gives an exit code, or -1 to go on. */
static int read_values(const struct usage *usage, struct send_options *options)
{
    if (options->program == NULL)
        return usage_error(usage, "--program is needed: whose consent, whose senders");
    if (options->class_name != NULL) {
        unsigned class_ = 1;
        while (class_ < METRIC_CLASSES &&
               strcmp(class_name((Assent__V1__Class)class_), options->class_name) != 0)
            class_++;
        if (class_ >= ASSENT__V1__CLASS__SERVICE)
            return usage_error(usage, "--class is otp, transactional, marketing or emergency");
        options->class_ = (Assent__V1__Class)class_;
    }
    if (options->ttl != NULL && !config_duration(options->ttl, &options->ttl_ms))
        return usage_error(usage, "--ttl is a number and ms, s, m, h or d: 60s");
    if (options->at != NULL && !when_parse(options->at, clock_wall_ms(), &options->send_at_wall_ms))
        return usage_error(usage, "--at is like +10m or 2026-12-01T09:00:00+01:00");
    return -1;
}

static int check_kind(const struct usage *usage, const struct send_options *options)
{
    if (options->csv == NULL && options->to == NULL)
        return usage_error(usage, "--to NUMBER or --csv FILE is needed");
    if (options->csv != NULL && (options->to != NULL || options->text != NULL))
        return usage_error(usage, "--csv takes numbers from the file and --template for the text");
    if (options->csv == NULL && options->text == NULL)
        return usage_error(usage, "--text is needed");
    if (options->csv != NULL && options->template == NULL)
        return usage_error(usage, "--template is needed: a text with {column} in it");
    return -1;
}

int command_send(const struct cli *cli, int argc, char **argv)
{
    struct send_options o = {0};
    const struct option_row rows[] = {
        {"program", "P", "the program it is sent for", &o.program, NULL},
        {"class", "C", "otp, transactional, marketing, emergency; else the program's only one",
         &o.class_name, NULL},
        {"to", "NUMBER", "E.164, with or without +", &o.to, NULL},
        {"text", "TEXT", "UTF-8", &o.text, NULL},
        {"csv", "FILE", "one message a row; the column `number` is needed; - is stdin", &o.csv,
         NULL},
        {"template", "TEXT", "with {column} from the file; {{ is a brace", &o.template, NULL},
        {"sender", "S", "one of the program's senders; else its first", &o.sender, NULL},
        {"campaign", "NAME", "campaigns get fair shares of the rate", &o.campaign, NULL},
        {"reference", "R", "yours; seen again, nothing is sent twice; {column} with --csv",
         &o.reference, NULL},
        {"ttl", "TIME", "not sent when it is older: 60s, 2h", &o.ttl, NULL},
        {"at", "TIME", "not before: +10m, 2026-12-01T09:00:00Z", &o.at, NULL},
        {"time-zone", "NAME",
         "where the recipient is: America/Chicago; a column time_zone says it for each row",
         &o.time_zone, NULL},
        {"dry-run", NULL, "what would become of it, gate by gate; sends and records nothing", NULL,
         &o.dry_run},
        {"wait", NULL, "until every message has its end", NULL, &o.wait},
        {"progress", NULL, "show progress also when stderr is no terminal", NULL, &o.progress},
        {"verbose", NULL, "name every bad row, not only the first 100", NULL, &o.verbose},
        {"json", NULL, "a verdict a line as JSON, for programs", NULL, &o.json},
    };
    const struct usage usage = {
        .synopsis = "assent send --program P --to NUMBER --text TEXT [--class C] [OPTIONS]\n"
                    "       assent send --program P --csv FILE --template TEXT [OPTIONS]",
        .about = "Returns when the gateway has every message on disk, or has refused it.\n"
                 "Exit code 1: some were refused, or with --dry-run would be.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    int code = read_values(&usage, &o);
    if (code < 0)
        code = check_kind(&usage, &o);
    if (code >= 0)
        return code;
    if (o.csv != NULL)
        return send_csv(cli, &o);
    struct client *client = client_open(cli);
    bool ok = client != NULL && send_one(client, &o);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

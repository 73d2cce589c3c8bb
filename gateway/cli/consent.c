/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent: the calls that change something about one number. The others have files of their own. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "proto/base/clock.h"

/* Every option that any of the calls takes; each call's table names its own. */
struct consent_options {
    const char *program, *number, *source, *evidence, *language, *sender, *token, *obtained;
    bool everything, hold, json;
};

/* Reads the command line with NUMBER as its only word; gives an exit code, or -1 to go on. */
static int read_line(const struct usage *usage, int argc, char **argv, struct consent_options *o,
                     bool need_program)
{
    size_t words;
    enum options_result result = options_read(usage, argc, argv, &o->number, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (words == 0)
        return usage_error(usage, "which NUMBER?");
    if (need_program && o->program == NULL)
        return usage_error(usage, "--program is needed");
    return -1;
}

static char *or_empty(const char *text)
{
    return (char *)(text ? text : "");
}

static bool print_reply(const Assent__V1__ConsentReply *reply, const struct consent_options *o)
{
    bool ok = reply->code == ASSENT__V1__CODE__CODE_OK;
    if (o->json) {
        json_line(message_json(&reply->base), stdout);
        return ok;
    }
    if (!ok) {
        complain("refused: %s: %s", code_name(reply->code), reply->message);
        return false;
    }
    printf("%s: %s", o->number, reply->state[0] ? reply->state : "done");
    if (reply->sequence != 0)
        printf("  (record #%" PRIu64 ")", reply->sequence);
    printf("\n");
    if (reply->question != 0)
        printf("the question is message %" PRIu64 "\n", reply->question);
    if (reply->token[0] != '\0')
        printf("token for the confirmation link, shown this once: %s\n", reply->token);
    if (reply->message[0] != '\0')
        printf("%s\n", reply->message);
    return true;
}

static int call_and_print(const struct cli *cli, const struct consent_options *o,
                          Assent__V1__Frame__BodyCase body, ProtobufCMessage *request)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = body;
    frame.hello = (Assent__V1__HelloRequest *)request; /* all bodies share the place */
    struct client *client = client_open(cli);
    Assent__V1__Frame *reply =
        client ? client_call(client, &frame, ASSENT__V1__FRAME__BODY_CONSENT_REPLY) : NULL;
    bool ok = reply != NULL && print_reply(reply->consent_reply, o);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

/* NUMBER or --csv, not both; else as read_line(). */
static int read_numbers(const struct usage *usage, int argc, char **argv, struct consent_options *o,
                        const char **csv)
{
    size_t words;
    enum options_result result = options_read(usage, argc, argv, &o->number, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if ((words == 0) == (*csv == NULL))
        return usage_error(usage, words == 0 ? "which NUMBER?" : "NUMBER or --csv, not both");
    if (o->program == NULL)
        return usage_error(usage, "--program is needed");
    return -1;
}

/* request, confirm, record, optout ------------------------------------------------------------- */

static int consent_request(const struct cli *cli, int argc, char **argv)
{
    struct consent_options o = {0};
    const char *csv = NULL;
    bool progress = false;
    const struct option_row rows[] = {
        {"program", "P", "the program it is about", &o.program, NULL},
        {"source", "TEXT", "how the person came to it: \"web form\"", &o.source, NULL},
        {"evidence", "TEXT", "what proves it; kept in the ledger", &o.evidence, NULL},
        {"language", "L", "of the question: en, fr, es, de, ...; else the program's", &o.language,
         NULL},
        {"sender", "S", "one of the program's senders; else its first", &o.sender, NULL},
        {"csv", "FILE", "ask many: columns number, source (or how), evidence, language", &csv,
         NULL},
        {"progress", NULL, "with --csv: show progress also when stderr is no terminal", NULL,
         &progress},
        {"json", NULL, "one JSON object, for programs", NULL, &o.json},
    };
    const struct usage usage = {
        .synopsis = "assent consent request --program P [OPTIONS] NUMBER\n"
                    "       assent consent request --program P [--sender S] --csv FILE",
        .about = "Starts a double opt-in: the gateway sends the question; YES or the token of the\n"
                 "confirmation link makes it consent. With --csv rows that are refused go to\n"
                 "FILE.rejected with the reason.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    int code = read_numbers(&usage, argc, argv, &o, &csv);
    if (code >= 0)
        return code;
    if (csv != NULL)
        return consent_request_csv(cli, o.program, o.sender, csv, progress);
    Assent__V1__OptInRequest request = ASSENT__V1__OPT_IN_REQUEST__INIT;
    request.program = (char *)o.program;
    request.number = (char *)o.number;
    request.source = or_empty(o.source);
    request.evidence = or_empty(o.evidence);
    request.language = or_empty(o.language);
    request.sender = or_empty(o.sender);
    return call_and_print(cli, &o, ASSENT__V1__FRAME__BODY_REQUEST_OPT_IN, &request.base);
}

static int consent_confirm(const struct cli *cli, int argc, char **argv)
{
    struct consent_options o = {0};
    const struct option_row rows[] = {
        {"program", "P", "the program it is about", &o.program, NULL},
        {"token", "TOKEN", "the one that `request` gave", &o.token, NULL},
        {"json", NULL, "one JSON object, for programs", NULL, &o.json},
    };
    const struct usage usage = {
        .synopsis = "assent consent confirm --program P --token TOKEN NUMBER",
        .about = "Confirms an open question with its one-time token, as the link's page does.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    int code = read_line(&usage, argc, argv, &o, true);
    if (code < 0 && o.token == NULL)
        code = usage_error(&usage, "--token is needed");
    if (code >= 0)
        return code;
    Assent__V1__ConfirmRequest request = ASSENT__V1__CONFIRM_REQUEST__INIT;
    request.program = (char *)o.program;
    request.number = (char *)o.number;
    request.token = (char *)o.token;
    return call_and_print(cli, &o, ASSENT__V1__FRAME__BODY_CONFIRM_OPT_IN, &request.base);
}

static int consent_record(const struct cli *cli, int argc, char **argv)
{
    struct consent_options o = {0};
    const struct option_row rows[] = {
        {"program", "P", "the program it is about", &o.program, NULL},
        {"source", "TEXT", "how it was given: \"point of sale\"", &o.source, NULL},
        {"evidence", "TEXT", "what proves it; kept in the ledger", &o.evidence, NULL},
        {"obtained-at", "TIME", "when it was given: 2026-11-01, 2026-11-01T10:00:00Z", &o.obtained,
         NULL},
        {"json", NULL, "one JSON object, for programs", NULL, &o.json},
    };
    const struct usage usage = {
        .synopsis = "assent consent record --program P --source TEXT --evidence TEXT\n"
                    "                             --obtained-at TIME NUMBER",
        .about =
            "Records consent that was given elsewhere, with its evidence; all of it is needed.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    int code = read_line(&usage, argc, argv, &o, true);
    Assent__V1__RecordRequest request = ASSENT__V1__RECORD_REQUEST__INIT;
    if (code < 0 && (or_empty(o.source)[0] == '\0' || or_empty(o.evidence)[0] == '\0'))
        code = usage_error(&usage, "--source and --evidence are needed: how consent was given, and "
                                   "what proves it");
    if (code < 0 && (o.obtained == NULL ||
                     !when_parse_date(o.obtained, clock_wall_ms(), &request.obtained_wall_ms)))
        code = usage_error(&usage, "--obtained-at is needed, like 2026-11-01 or "
                                   "2026-11-01T10:00:00Z: when consent was given");
    if (code >= 0)
        return code;
    request.program = (char *)o.program;
    request.number = (char *)o.number;
    request.source = or_empty(o.source);
    request.evidence = or_empty(o.evidence);
    return call_and_print(cli, &o, ASSENT__V1__FRAME__BODY_RECORD_OPT_IN, &request.base);
}

static int consent_optout(const struct cli *cli, int argc, char **argv)
{
    struct consent_options o = {0};
    const struct option_row rows[] = {
        {"program", "P", "what a STOP to this program ends", &o.program, NULL},
        {"everything", NULL, "every program; operators only", NULL, &o.everything},
        {"hold", NULL, "litigation, law, complaint: every program, and for good; operators only",
         NULL, &o.hold},
        {"source", "TEXT", "how it was said: \"phone call\"", &o.source, NULL},
        {"evidence", "TEXT", "kept in the ledger; --hold needs it", &o.evidence, NULL},
        {"json", NULL, "one JSON object, for programs", NULL, &o.json},
    };
    const struct usage usage = {
        .synopsis = "assent consent optout {--program P | --everything} [OPTIONS] NUMBER\n"
                    "       assent consent optout --hold --evidence TEXT NUMBER",
        .about =
            "Opts a number out at once; what waits for it is cancelled. The person's own START "
            "may\n"
            "lift it, no call and no import does. A hold stays whatever the person says or joins,\n"
            "until `assent consent release`.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    int code = read_line(&usage, argc, argv, &o, false);
    if (code < 0 && o.program == NULL && !o.everything && !o.hold)
        code = usage_error(&usage, "--program, --everything or --hold is needed");
    if (code < 0 && o.hold && or_empty(o.evidence)[0] == '\0')
        code = usage_error(&usage, "--hold needs --evidence: who asked for it, and why");
    if (code >= 0)
        return code;
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.program = or_empty(o.program);
    request.number = (char *)o.number;
    request.everything = o.everything;
    request.hold = o.hold;
    request.source = or_empty(o.source);
    request.evidence = or_empty(o.evidence);
    return call_and_print(cli, &o, ASSENT__V1__FRAME__BODY_OPT_OUT, &request.base);
}

static int consent_release(const struct cli *cli, int argc, char **argv)
{
    struct consent_options o = {0};
    const struct option_row rows[] = {
        {"reason", "TEXT", "needed; kept in the ledger, with who says so", &o.evidence, NULL},
        {"json", NULL, "one JSON object, for programs", NULL, &o.json},
    };
    const struct usage usage = {
        .synopsis = "assent consent release --reason TEXT NUMBER",
        .about =
            "Takes a hold back (`assent consent optout --hold`); operators only. What the person\n"
            "has ended themselves stays ended. Where there is no hold, it says so and nothing is\n"
            "recorded.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    int code = read_line(&usage, argc, argv, &o, false);
    if (code < 0 && or_empty(o.evidence)[0] == '\0')
        code = usage_error(&usage, "--reason is needed: why the hold is over");
    if (code >= 0)
        return code;
    Assent__V1__ReleaseRequest request = ASSENT__V1__RELEASE_REQUEST__INIT;
    request.number = (char *)o.number;
    request.reason = or_empty(o.evidence);
    request.who = cli_user_name();
    return call_and_print(cli, &o, ASSENT__V1__FRAME__BODY_RELEASE, &request.base);
}

static int consent_forget_node(const struct cli *cli, int argc, char **argv)
{
    struct consent_options o = {0};
    const struct option_row rows[] = {
        {"json", NULL, "one JSON object, for programs", NULL, &o.json},
    };
    const struct usage usage = {
        .synopsis = "assent consent forget-node [OPTIONS] NODE",
        .about =
            "Another gateway on the same Redis will never come back: nobody waits any more for the "
            "opt-outs that only its ledger holds. Import them first, if you have that ledger.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    int code = read_line(&usage, argc, argv, &o, false);
    if (code >= 0)
        return code;
    Assent__V1__ForgetNodeRequest request = ASSENT__V1__FORGET_NODE_REQUEST__INIT;
    request.node = (char *)o.number;
    return call_and_print(cli, &o, ASSENT__V1__FRAME__BODY_FORGET_NODE, &request.base);
}

int command_consent(const struct cli *cli, int argc, char **argv)
{
    static const struct command commands[] = {
        {"show", "what a number has agreed to and refused", consent_show},
        {"request", "start a double opt-in: send the question", consent_request},
        {"confirm", "confirm with the one-time token", consent_confirm},
        {"record", "record consent that was given elsewhere", consent_record},
        {"optout", "opt a number out", consent_optout},
        {"release", "take a hold back", consent_release},
        {"import", "many opt-ins or opt-outs from a CSV file, or a register", consent_import},
        {"export", "who has agreed to and refused what, with the evidence", consent_export},
        {"rebuild", "make the sets in Redis again, from the ledgers", consent_rebuild},
        {"check", "compare the sets in Redis with the ledgers", consent_check},
        {"forget-node", "another gateway on this Redis will never come back", consent_forget_node},
        {"explain", "what a reply would mean, and by which rule", consent_explain},
        {"hours", "when marketing may reach a number, and by which rules", consent_hours},
        {0},
    };
    return command_dispatch(commands, "assent consent", cli, argc - 1, argv + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of Assent: a table of commands, one file a command. Exit codes: 0 done, 1 refused
 * or failed, 2 usage. */
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/options.h"

static const struct command commands[] = {
    {"send", "send one message, or one a row of a CSV file", command_send},
    {"cancel", "cancel messages that still wait", command_cancel},
    {"query", "ask what became of messages", command_query},
    {"watch", "events as they happen", command_watch},
    {"status", "carriers, queues, rates", command_status},
    {"consent", "show, ask for, record, import and explain consent", command_consent},
    {"erase", "destroy a person's records, on their request", command_erase},
    {"trace", "everything that happened to a number or a message, and why", command_trace},
    {"diagnose", "\"it never came\": why, how sure, what to tell the customer", command_diagnose},
    {"complaint", "complaints: opened, listed, shown with evidence, resolved", command_complaint},
    {"reputation", "what became of senders' texts at carriers; lets paused ones go on",
     command_reputation},
    {"export", "records for auditors: CSV, JSON lines, SQLite", command_export},
    {"verify", "hash the ledger again: is it the one that was signed?", command_verify},
    {"prove", "a proof for one record, or between two checkpoints", command_prove},
    {"key", "the key that signs the ledger", command_key},
    {"carrier", "probe a carrier: what it does, which settings fit", command_carrier},
    {"pdu", "SMPP PDUs field by field, from hex", command_pdu},
    {0},
};

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("assent: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

char *cli_user_name(void)
{
    static struct passwd user;
    static char text[1024], name[NAME_OCTETS_MAX + 1];
    struct passwd *found = NULL;
    if (getpwuid_r(getuid(), &user, text, sizeof text, &found) == 0 && found != NULL)
        snprintf(name, sizeof name, "%s", user.pw_name);
    return name;
}

struct config *cli_load_config(const struct cli *cli)
{
    struct config *config = NULL;
    if (cli->config_path == NULL) {
        complain("this needs the gateway's configuration: assent -c FILE ...");
        return NULL;
    }
    return config_load(cli->config_path, stderr, &config) == ERR_OK ? config : NULL;
}

static void list_commands(const struct command *table, const char *above, FILE *out)
{
    fprintf(out, "commands:\n");
    for (; table->name != NULL; table++)
        fprintf(out, "  %-12s%s\n", table->name, table->summary);
    fprintf(out, "\n%s COMMAND --help says more about a command.\n", above);
}

int command_dispatch(const struct command *table, const char *above, const struct cli *cli,
                     int argc, char **argv)
{
    if (argc < 1) {
        complain("which command?");
        list_commands(table, above, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0) {
        list_commands(table, above, stdout);
        return EXIT_DONE;
    }
    for (const struct command *row = table; row->name != NULL; row++)
        if (strcmp(row->name, argv[0]) == 0)
            return row->run(cli, argc, argv);
    complain("unknown command \"%s\"", argv[0]);
    list_commands(table, above, stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    bool version = false;
    const struct option_row rows[] = {
        {"c", "FILE", "the gateway's configuration: its address, its data directory",
         &cli.config_path, NULL},
        {"s", "ADDRESS",
         "unix:///PATH, tls://HOST:PORT or tcp://HOST:PORT; else from -c,\n"
         "                        $ASSENT_ADDRESS, or\n"
         "                        unix:///run/assent/assent.sock",
         &cli.address, NULL},
        {"client", "NAME", "act as this client; else the key or your user decides", &cli.client,
         NULL},
        {"key-file", "FILE", "the client's key; on the gateway's own machine often not needed",
         &cli.key_file, NULL},
        {"tls-ca", "FILE", "who signed the gateway's certificate; else the system's authorities",
         &cli.tls_ca, NULL},
        {"tls-cert", "FILE", "our certificate, where the gateway asks for one", &cli.tls_cert,
         NULL},
        {"tls-key", "FILE", "its key, mode 0600", &cli.tls_key, NULL},
        {"version", NULL, "print the version", NULL, &version},
    };
    const struct usage usage = {
        .synopsis = "assent [-c FILE | -s ADDRESS] [--client NAME] [--key-file FILE] COMMAND",
        .about = "Talks to an Assent gateway, which sends text messages with consent only.\n"
                 "Commands: send, cancel, query, watch, status, consent, erase, trace, diagnose,\n"
                 "complaint, reputation, export, verify, prove, key, carrier, pdu;\n"
                 "`assent help` lists them. Exit codes: 0 done, 1 refused or failed, 2 usage.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    int next = argc;
    enum options_result result = options_read_front(&usage, argc, argv, &next);
    if (result == OPTIONS_HELP) {
        printf("\n");
        list_commands(commands, "assent", stdout);
    }
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (version) {
        printf("assent %s\n", ASSENT_VERSION);
        return EXIT_DONE;
    }
    return command_dispatch(commands, "assent", &cli, argc - next, argv + next);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's main(): arguments, then the configuration, then the daemon. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config.h"
#include "gateway/daemon.h"
#include "proto/base/log.h"

#define DEFAULT_CONFIG "/etc/assent/assent.yaml"

static const char help[] =
    "Usage: assentd [-c FILE] [-t | --trace-pdu CARRIER [--show-texts]]\n"
    "\n"
    "Assent's gateway: takes SMS messages from submitters, sends those that have consent to\n"
    "carriers over SMPP, and keeps the record of every decision. Runs in the foreground and logs\n"
    "on standard error.\n"
    "\n"
    "  -c, --config FILE   configuration (default " DEFAULT_CONFIG ")\n"
    "  -t, --test          check the configuration, say what it would do, and end; starts nothing\n"
    "                      and makes no file\n"
    "      --trace-pdu CARRIER\n"
    "                      log every PDU of this carrier, field by field; numbers and texts by "
    "their\n"
    "                      shape and length alone, passwords not at all\n"
    "      --show-texts    with --trace-pdu: numbers and texts too\n"
    "      --seal DIR [AGE BELOW]\n"
    "                      compress what is full of the ledger in the data directory DIR, cut what "
    "its\n"
    "                      records say is to be cut, and end; a running gateway does that for its "
    "own,\n"
    "                      and asks with AGE (ms) and BELOW (a record) what else may be cut\n"
    "  -V, --version       print the version\n"
    "  -h, --help          print this\n"
    "\n"
    "Signals: TERM and INT stop taking submissions, let what is on its way end, unbind, and exit\n"
    "within 10 seconds; a second one exits at once. Nothing accepted is lost either way. HUP\n"
    "reads the configuration and certificates again: what did not change goes on undisturbed, a\n"
    "file with faults changes nothing and the log says why.\n"
    "\n"
    "Exit status: 0 done or stopped, 1 failed (data folder, ledger, sockets), 2 usage or\n"
    "configuration.\n";

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"test", no_argument, NULL, 't'},
    {"trace-pdu", required_argument, NULL, 'p'},
    {"show-texts", no_argument, NULL, 'x'},
    {"seal", required_argument, NULL, 's'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int usage(const char *what)
{
    if (what != NULL)
        fprintf(stderr, "assentd: unexpected argument \"%s\"\n", what);
    fprintf(stderr, "Usage: assentd [-c FILE] [-t | --trace-pdu CARRIER [--show-texts]]; assentd "
                    "--help says more\n");
    return 2;
}

/* What the command line asked for. */
struct wish {
    const char *config;
    const char *trace_pdu; /* a carrier's name, or NULL */
    bool test, show_texts;
    const char *seal; /* a data directory, or NULL */
};

/* False after a complaint. */
static bool find_traced(const struct config *config, const char *name,
                        struct daemon_trace *ret_trace)
{
    for (uint16_t i = 0; i < config->carrier_count; i++) {
        if (strcmp(config->carriers[i].name, name) == 0) {
            ret_trace->carrier = i;
            return true;
        }
    }
    fprintf(stderr, "assentd: no carrier is called \"%s\"; there are:", name);
    for (uint16_t i = 0; i < config->carrier_count; i++)
        fprintf(stderr, " %s", config->carriers[i].name);
    fprintf(stderr, "\n");
    return false;
}

static int run_daemon(struct config *config, const struct wish *wish)
{
    struct daemon_trace trace = {.show_texts = wish->show_texts};
    if (wish->trace_pdu == NULL)
        return daemon_run(config, wish->config, NULL);
    if (!find_traced(config, wish->trace_pdu, &trace))
        return 2;
    if (config->log_level > LEVEL_INFO)
        log_set_level(LOG_INFO); /* what was asked for is told */
    log_event(LOG_WARN, "tracing_pdus", "carrier=%s numbers_and_texts=%s", wish->trace_pdu,
              wish->show_texts ? "shown" : "hidden");
    return daemon_run(config, wish->config, &trace);
}

static int run(const struct wish *wish)
{
    struct config *config;
    if (config_load(wish->config, stderr, &config) != ERR_OK)
        return 2;
    if (!config_take_hours(config, wish->config, stderr)) {
        config_free(config);
        return 2;
    }
    log_set_level((enum log_level)config->log_level);
    int status = 0;
    if (wish->test) {
        config_print(config, stdout);
        daemon_check(config, stdout);
        printf("%s: good\n", wish->config);
    } else {
        status = run_daemon(config, wish);
    }
    config_free(config);
    return status;
}

int main(int argc, char **argv)
{
    struct wish wish = {.config = DEFAULT_CONFIG};
    for (int c; (c = getopt_long(argc, argv, "c:tVh", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            wish.config = optarg;
            break;
        case 't':
            wish.test = true;
            break;
        case 'p':
            wish.trace_pdu = optarg;
            break;
        case 'x':
            wish.show_texts = true;
            break;
        case 's':
            wish.seal = optarg;
            break;
        case 'V':
            printf("assentd %s\n", ASSENT_VERSION);
            return 0;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return usage(NULL);
        }
    }
    if (wish.seal != NULL && (optind == argc || optind + 2 == argc))
        return daemon_seal_all(wish.seal, argv[optind], optind < argc ? argv[optind + 1] : NULL);
    if (optind < argc)
        return usage(argv[optind]);
    if (wish.seal != NULL)
        return usage("--seal");
    if (wish.show_texts && wish.trace_pdu == NULL)
        return usage("--show-texts");
    return run(&wish);
}

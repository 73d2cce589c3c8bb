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
    "Usage: assentd [-c FILE] [-t]\n"
    "\n"
    "Assent's gateway: takes SMS messages from submitters, sends those that have consent to\n"
    "carriers over SMPP, and keeps the record of every decision. Runs in the foreground and logs\n"
    "on standard error.\n"
    "\n"
    "  -c, --config FILE   configuration (default " DEFAULT_CONFIG ")\n"
    "  -t, --test          check the configuration, say what it would do, and end; starts nothing\n"
    "                      and makes no file\n"
    "  -V, --version       print the version\n"
    "  -h, --help          print this\n"
    "\n"
    "Signals: TERM and INT stop taking submissions, let what is on its way end, unbind, and exit\n"
    "within 10 seconds; a second one exits at once. Nothing accepted is lost either way.\n"
    "\n"
    "Exit status: 0 done or stopped, 1 failed (data folder, ledger, sockets), 2 usage or\n"
    "configuration.\n";

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"test", no_argument, NULL, 't'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int usage(const char *what)
{
    if (what != NULL)
        fprintf(stderr, "assentd: unexpected argument \"%s\"\n", what);
    fprintf(stderr, "Usage: assentd [-c FILE] [-t]; assentd --help says more\n");
    return 2;
}

static int run(const char *path, bool test)
{
    struct config *config;
    if (config_load(path, stderr, &config) != ERR_OK)
        return 2;
    log_set_level((enum log_level)config->log_level);
    int status = 0;
    if (test) {
        config_print(config, stdout);
        daemon_check(config, stdout);
        printf("%s: good\n", path);
    } else {
        status = daemon_run(config);
    }
    config_free(config);
    return status;
}

int main(int argc, char **argv)
{
    const char *path = DEFAULT_CONFIG;
    bool test = false;
    for (int c; (c = getopt_long(argc, argv, "c:tVh", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            path = optarg;
            break;
        case 't':
            test = true;
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
    if (optind < argc)
        return usage(argv[optind]);
    return run(path, test);
}

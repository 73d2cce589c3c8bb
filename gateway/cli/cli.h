/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of `assent` share. A command is a function in a file of its own and a row in the
 * table of assent.c. It prints results on stdout and everything else on stderr, and its value is the
 * exit code. */
#ifndef GATEWAY_CLI_CLI_H
#define GATEWAY_CLI_CLI_H

#include "gateway/config.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* refused or failed */
    EXIT_USAGE = 2,
};

/* The options before the command. */
struct cli {
    const char *config_path; /* NULL when not given, and so on */
    const char *address;
    const char *key_file;
    const char *client;
    const char *tls_ca, *tls_cert, *tls_key; /* files */
};

struct command {
    const char *name;
    const char *summary;
    int (*run)(const struct cli *cli, int argc, char **argv); /* argv[0] is the command's name */
};

/* Finds argv[0] in the table and runs it; NULL name ends the table. `above` is what stands before it
 * ("assent"). */
int command_dispatch(const struct command *table, const char *above, const struct cli *cli,
                     int argc, char **argv);

int command_send(const struct cli *cli, int argc, char **argv);
int command_cancel(const struct cli *cli, int argc, char **argv);
int command_query(const struct cli *cli, int argc, char **argv);
int command_watch(const struct cli *cli, int argc, char **argv);
int command_status(const struct cli *cli, int argc, char **argv);
int command_consent(const struct cli *cli, int argc, char **argv);
int command_trace(const struct cli *cli, int argc, char **argv);
int command_diagnose(const struct cli *cli, int argc, char **argv);
int command_export(const struct cli *cli, int argc, char **argv);
int command_erase(const struct cli *cli, int argc, char **argv);
int command_verify(const struct cli *cli, int argc, char **argv);
int command_prove(const struct cli *cli, int argc, char **argv);
int command_key(const struct cli *cli, int argc, char **argv);
int command_carrier(const struct cli *cli, int argc, char **argv);
int command_pdu(const struct cli *cli, int argc, char **argv);

int command_reputation(const struct cli *cli, int argc, char **argv);
int command_complaint(const struct cli *cli, int argc, char **argv);
int complaint_list(const struct cli *cli, int argc, char **argv);
int complaint_show(const struct cli *cli, int argc, char **argv);

int consent_import(const struct cli *cli, int argc, char **argv);
/* assent consent request --csv; `sender` may be NULL. */
int consent_request_csv(const struct cli *cli, const char *program, const char *sender,
                        const char *path, bool progress);
int consent_show(const struct cli *cli, int argc, char **argv);
int consent_export(const struct cli *cli, int argc, char **argv);
int consent_rebuild(const struct cli *cli, int argc, char **argv);
int consent_check(const struct cli *cli, int argc, char **argv);
int consent_explain(const struct cli *cli, int argc, char **argv);
int consent_hours(const struct cli *cli, int argc, char **argv);

/* "assent: ..." on stderr, with a newline. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Who says so, by this machine: a name for the ledger, and no proof. */
char *cli_user_name(void);

/* The configuration of -c, or NULL after a complaint (also when -c was not given). The caller frees. */
struct config *cli_load_config(const struct cli *cli);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What `assent send` was asked to do: shared by the single message and the CSV file. */
#ifndef GATEWAY_CLI_SEND_H
#define GATEWAY_CLI_SEND_H

#include "gateway/cli/cli.h"
#include "proto/assent.pb-c.h"

struct send_options {
    const char *program, *class_name, *sender, *campaign, *reference;
    const char *to, *text;      /* one message */
    const char *csv, *template; /* or a file */
    const char *ttl, *at, *time_zone;
    Assent__V1__Class class_;         /* read from class_name */
    uint64_t ttl_ms, send_at_wall_ms; /* read from ttl and at */
    bool wait, dry_run, progress, json, verbose;
};

/* What is the same in every message. */
void send_fill(const struct send_options *options, Assent__V1__Message *message);

/* "GSM 7-bit" */
const char *encoding_text(uint32_t data_coding);
/* ", 3 replaced", or "": typographic characters made plain. */
const char *replaced_text(uint32_t replaced, char out[32]);

int send_csv(const struct cli *cli, const struct send_options *options);

#endif

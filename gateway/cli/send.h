/* SPDX-License-Identifier: Apache-2.0 */
/* What `assent send` was asked to do: shared by the single message and the CSV file. */
#ifndef GATEWAY_CLI_SEND_H
#define GATEWAY_CLI_SEND_H

#include "gateway/cli/cli.h"
#include "gateway/cli/json.h"
#include "gateway/cli/print.h"
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

/* ", 3 replaced", or "": typographic characters made plain. */
const char *replaced_text(uint32_t replaced, char out[32]);

/* send_dry.c */
struct client;
bool dry_goes_out(const Assent__V1__Preflight *preflight);     /* now, or after quiet hours */
const char *dry_words(const Assent__V1__Preflight *preflight); /* "would be sent" */
const char *dry_why(const Assent__V1__Preflight *preflight);   /* "" for what would be sent */
json_t *dry_json(const Assent__V1__Preflight *preflight);
void dry_request(uint64_t call, Assent__V1__Message **messages, size_t count,
                 Assent__V1__PreflightRequest *request, Assent__V1__Frame *frame);
/* True when it would go out; shows what the gateway says. */
bool dry_one(struct client *client, Assent__V1__Message *message,
             const struct send_options *options);

#define DRY_DUE_SIZE  32
#define DRY_KINDS_MAX 64
/* The rows of a file by the gate that decided. */
struct dry_summary {
    struct dry_kind {
        char gate[32];
        Assent__V1__Foresight foresight;
        uint64_t rows, first_row, latest_wall_ms;
        char why[128]; /* of the first */
    } kinds[DRY_KINDS_MAX];
    size_t count;
};
void dry_count(struct dry_summary *summary, uint64_t row, const Assent__V1__Preflight *preflight);
void dry_print(const struct dry_summary *summary);
void dry_print_json(const struct dry_summary *summary);

int send_csv(const struct cli *cli, const struct send_options *options);

#endif

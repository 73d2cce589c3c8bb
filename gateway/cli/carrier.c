/* SPDX-License-Identifier: Apache-2.0 */
/* assent carrier: what can be learned of a carrier. */
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/options.h"
#include "gateway/cli/probe.h"
#include "gateway/config_text.h"
#include "proto/base/clock.h"
#include "proto/number.h"

#define TIMEOUT_MS     60000 /* for the receipt */
#define TIMEOUT_MAX_MS 86400000

static const struct carrier_config *find_carrier(const struct config *config, const char *name)
{
    for (uint16_t i = 0; i < config->carrier_count; i++)
        if (strcmp(config->carriers[i].name, name) == 0)
            return &config->carriers[i];
    complain("the configuration has no carrier \"%s\"", name);
    return NULL;
}

/* Only what the configuration sends from is sent from. */
static const char *find_sender(const struct config *config, const char *sender)
{
    for (uint16_t i = 0; i < config->program_count; i++)
        for (uint16_t j = 0; j < config->programs[i].sender_count; j++)
            if (sender == NULL || strcmp(config->programs[i].senders[j], sender) == 0)
                return config->programs[i].senders[j];
    complain("no program has the sender \"%s\"", sender != NULL ? sender : "");
    return NULL;
}

static int probe_with(const struct config *config, struct probe_order *order, const char *name)
{
    order->config = config;
    order->carrier = find_carrier(config, name);
    order->sender = find_sender(config, order->sender);
    bool possible = order->carrier != NULL && order->sender != NULL;
    return possible ? probe_run(order) : EXIT_REFUSED;
}

static int command_probe(const struct cli *cli, int argc, char **argv)
{
    struct probe_order order = {0};
    const char *name = NULL, *to = NULL, *timeout = NULL;
    uint64_t timeout_ms = TIMEOUT_MS;
    const struct option_row rows[] = {
        {"to", "NUMBER", "a number of yours: it gets one text", &to, NULL},
        {"from", "SENDER", "a sender of one of the programs (the first)", &order.sender, NULL},
        {"timeout", "DURATION", "how long the receipt may take (60s)", &timeout, NULL},
    };
    const struct usage usage = {
        .synopsis =
            "assent -c FILE carrier probe NAME --to NUMBER [--from SENDER] [--timeout DURATION]",
        .about = "Binds to a carrier by itself, measures round trips, sends ONE text to a number "
                 "of yours,\n"
                 "waits for its receipt, and prints the settings that this carrier wants as YAML.\n"
                 "- You give the consent: --to must be a number whose owner asked for this text. A "
                 "number that\n"
                 "  is opted out of anything here is refused, and so is every number while Redis "
                 "cannot be asked.\n"
                 "- It is one more bind. A carrier that counts them refuses it (ESME_RALYBND): "
                 "probe while the\n"
                 "  gateway is stopped. Replies and others' receipts that reach the probe are sent "
                 "back to the\n"
                 "  carrier as \"try again\", so that the gateway gets them.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &name, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (words == 0)
        return usage_error(&usage, "which carrier?");
    if (to == NULL)
        return usage_error(&usage, "--to NUMBER is needed: who gets the text?");
    if (number_parse(span_from_string(to), &order.number) != ERR_OK)
        return usage_error(&usage, "--to %s is not a number like +12025550100", to);
    if (timeout != NULL && (!config_duration(timeout, &timeout_ms) || timeout_ms > TIMEOUT_MAX_MS))
        return usage_error(&usage, "--timeout %s is not a duration like 60s, of a day at most",
                           timeout);
    order.timeout_us = timeout_ms * US_PER_MS;
    struct config *config = cli_load_config(cli);
    if (config == NULL)
        return EXIT_REFUSED;
    int code = probe_with(config, &order, name);
    config_free(config);
    return code;
}

static const struct command carrier_commands[] = {
    {"probe", "bind, send one text to yourself, print the settings that fit", command_probe},
    {0},
};

int command_carrier(const struct cli *cli, int argc, char **argv)
{
    return command_dispatch(carrier_commands, "assent carrier", cli, argc - 1, argv + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* assent carrier: what can be learned of a carrier. */
#include <stdlib.h>
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

static bool read_count(const char *text, unsigned *ret_count)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);
    if (*text < '1' || *text > '9' || *end != '\0' || count > PROBE_TEXTS_MAX)
        return false;
    *ret_count = (unsigned)count;
    return true;
}

#define TEXT_OF(number)    TEXT_OF_IT(number)
#define TEXT_OF_IT(number) #number

static int command_probe(const struct cli *cli, int argc, char **argv)
{
    struct probe_order order = {.texts = 1};
    const char *name = NULL, *to = NULL, *timeout = NULL, *messages = NULL;
    uint64_t timeout_ms = TIMEOUT_MS;
    const struct option_row rows[] = {
        {"to", "NUMBER", "a number of yours: it gets the text", &to, NULL},
        {"from", "SENDER", "a sender of one of the programs (the first)", &order.sender, NULL},
        {"messages", "N", "texts, to find the window (1, up to " TEXT_OF(PROBE_TEXTS_MAX) ")",
         &messages, NULL},
        {"timeout", "DURATION", "how long the receipts may take (60s)", &timeout, NULL},
        {"unrecorded", NULL, "beside a running gateway: one text that the ledger does not have",
         NULL, &order.beside},
    };
    const struct usage usage = {
        .synopsis = "assent -c FILE carrier probe NAME --to NUMBER [--from SENDER] [--messages N] "
                    "[--timeout DURATION]\n"
                    "       [--unrecorded]",
        .about = "Binds to a carrier by itself, measures round trips, sends ONE text to a number "
                 "of yours,\n"
                 "waits for its receipt, and prints the settings that this carrier wants as YAML.\n"
                 "- You give the consent: --to must be a number whose owner asked for this text. A "
                 "number that\n"
                 "  is opted out of anything here is refused, and so is every number while Redis "
                 "cannot be asked.\n"
                 "- --messages N sends N texts, as fast as the carrier's rate (and the sender's) "
                 "allows, without\n"
                 "  waiting for answers, until as many are unanswered as `window` says: what is "
                 "refused on the way\n"
                 "  shows the carrier's own window. It stops at the first refusal, and sends "
                 "nothing twice. Raise\n"
                 "  `window` to look further. Each text costs what a text costs, and a sender's "
                 "daily cap does not\n"
                 "  count it.\n"
                 "- The gateway must not run meanwhile: the texts are recorded in its ledger "
                 "(`assent trace NUMBER`\n"
                 "  shows them), and the carrier's rate is the probe's alone. --unrecorded sends "
                 "one text beside\n"
                 "  it; that is not part of the record, and comes on top of the rate. Its receipt "
                 "may reach the\n"
                 "  gateway instead, and the carrier may refuse one bind more (ESME_RALYBND).\n"
                 "- Replies and others' receipts that reach the probe are sent back to the carrier "
                 "as \"try again\",\n"
                 "  so that the gateway gets them.",
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
    if (messages != NULL && !read_count(messages, &order.texts))
        return usage_error(&usage, "--messages %s is not a number from 1 to %d", messages,
                           PROBE_TEXTS_MAX);
    if (order.beside && order.texts > 1)
        return usage_error(&usage, "--unrecorded is for one text: the rate is the gateway's");
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

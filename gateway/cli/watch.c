/* SPDX-License-Identifier: Apache-2.0 */
/* assent watch: events as they happen, from a position of the ledger on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/when.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"

#define NAMES_MAX 64 /* in one list on the command line; the gateway takes fewer programs */

static void print_event(const Assent__V1__WatchEvent *watched, bool json)
{
    char when[WHEN_TEXT_SIZE], text[EVENT_TEXT_SIZE], about[40] = "";
    const Assent__V1__Event *event = watched->event;
    event_learn(event);
    if (json) {
        json_line(event_json(watched->sequence, event, watched->personal), stdout);
        return;
    }
    uint64_t message =
        event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED ? watched->sequence : event->message;
    if (message != 0)
        snprintf(about, sizeof about, "message %" PRIu64 ": ", message);
    printf("%s  #%-8" PRIu64 "  %s%s\n", when_text(event->wall_ms, when), watched->sequence, about,
           event_text(event, watched->personal, text));
}

/* What a person should look at: opt-outs that were understood from words that are no keyword, and what
 * became of the doubtful ones. */
static bool is_for_review(const Assent__V1__Event *event)
{
    if (event->body_case == ASSENT__V1__EVENT__BODY_OPTED_OUT)
        return strcmp(event->opted_out->how, "opt_out_intent") == 0 ||
               strcmp(event->opted_out->how, "review") == 0 ||
               strcmp(event->opted_out->how, "silence") == 0;
    return event->body_case == ASSENT__V1__EVENT__BODY_INBOUND &&
           strcmp(event->inbound->meaning, "keep") == 0;
}

static bool follow(struct client *client, const Assent__V1__WatchRequest *watch, bool json,
                   bool review)
{
    Assent__V1__Frame request = ASSENT__V1__FRAME__INIT;
    request.call = client_next_call(client);
    request.body_case = ASSENT__V1__FRAME__BODY_WATCH;
    request.watch = (Assent__V1__WatchRequest *)watch;
    if (!client_send(client, &request))
        return false;
    for (;;) {
        bool timeout;
        Assent__V1__Frame *frame = client_receive_within(client, 0, &timeout);
        if (timeout) {
            fflush(stdout); /* caught up: show everything before waiting */
            frame = client_receive(client);
        }
        if (frame == NULL)
            return false;
        if (frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE) {
            complain("%s: %s", code_name(frame->failure->code), frame->failure->message);
            return false;
        }
        if (frame->body_case != ASSENT__V1__FRAME__BODY_WATCH_EVENT)
            continue;
        if (frame->watch_event->end)
            return true;
        if (frame->watch_event->event != NULL && review &&
            !is_for_review(frame->watch_event->event))
            event_learn(frame->watch_event->event);
        else if (frame->watch_event->event != NULL)
            print_event(frame->watch_event, json);
    }
}

/* "a,b": gives how many words; they stay in `words`, which is changed. */
static size_t split(char *words, char **out, size_t max)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(words, ",", &rest); word && count < max;
         word = strtok_r(NULL, ",", &rest))
        out[count++] = word;
    return count;
}

int command_watch(const struct cli *cli, int argc, char **argv)
{
    const char *from = "0", *until = "0", *programs = "", *kinds = "";
    char *program_names[NAMES_MAX], *kind_names[NAMES_MAX];
    bool json = false, impersonal = false, review = false;
    const struct option_row rows[] = {
        {"from", "SEQ", "begin with this record; 1 is the first ever; otherwise from now on", &from,
         NULL},
        {"until", "SEQ", "stop before this record", &until, NULL},
        {"program", "NAME,...", "only events of these programs", &programs, NULL},
        {"kind", "KIND,...", "only these: accepted, sent, receipt, opted_out, ... as --json says",
         &kinds, NULL},
        {"review", NULL, "only opt-outs that a person should look at, and what became of them",
         NULL, &review},
        {"json", NULL, "one JSON object a line, for programs", NULL, &json},
        {"impersonal", NULL, "without numbers and texts", NULL, &impersonal},
    };
    const struct usage usage = {
        .synopsis =
            "assent watch [--from SEQ] [--until SEQ] [--program NAME,...] [--kind KIND,...]\n"
            "                    [--review] [--json] [--impersonal]",
        .about = "Prints events as they happen. To go on after a break without losing any, give\n"
                 "--from the last number seen plus one. Times are UTC.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    Assent__V1__WatchRequest watch = ASSENT__V1__WATCH_REQUEST__INIT;
    watch.with_personal = !impersonal;
    if (!config_integer(from, &watch.from) || !config_integer(until, &watch.until))
        return usage_error(&usage, "--from and --until take a record's number");
    char *program_words = check_strdup(programs), *kind_words = check_strdup(kinds);
    watch.n_programs = split(program_words, watch.programs = program_names, NAMES_MAX);
    watch.n_kinds = split(kind_words, watch.kinds = kind_names, NAMES_MAX);
    struct client *client = client_open(cli);
    bool ok = client != NULL && follow(client, &watch, json, review);
    client_close(client);
    free(program_words);
    free(kind_words);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

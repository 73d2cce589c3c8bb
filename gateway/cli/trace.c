/* SPDX-License-Identifier: Apache-2.0 */
/* assent trace: the story of a number or a message, from the ledger's own files; the gateway need not
 * run. One pass: the records of a number say which messages are its, and later records name those. Sealed
 * segments tell by their indices where they have one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/cut_by.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/ledger_path.h"
#include "gateway/cli/options.h"
#include "gateway/cli/trace_text.h"
#include "gateway/cli/when.h"
#include "gateway/config_text.h"
#include "gateway/metrics.h"
#include "proto/base/limits.h"
#include "proto/base/table.h"
#include "proto/number.h"

struct trace {
    uint64_t number;       /* 0: not known */
    uint64_t only_message; /* 0: every message of the number */
    struct table messages; /* ids -> 1 */
    struct ledger_filter *filter;
    struct arena arena;
    uint64_t shown, ended;
    uint64_t outcomes[METRIC_OUTCOMES];
    bool json;
    uint64_t erasure; /* that has destroyed the message's personal part; 0: none */
};

static bool is_accepted(const Assent__V1__Event *event)
{
    return event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED;
}

/* The erasure that names the message, and its end. */
static bool is_erasure(struct trace *trace, const Assent__V1__Event *event)
{
    uint64_t sequence = 0;
    if (event->body_case == ASSENT__V1__EVENT__BODY_ERASURE_DONE)
        return trace->erasure != 0 && event->erasure_done->erasure == trace->erasure;
    if (event->body_case != ASSENT__V1__EVENT__BODY_ERASED_RECORDS || trace->only_message == 0)
        return false;
    for (size_t i = 0; i < event->erased_records->n_steps; i++) {
        sequence += event->erased_records->steps[i];
        if (sequence == trace->only_message)
            trace->erasure = event->erased_records->erasure;
    }
    return trace->erasure == event->erased_records->erasure;
}

/* Consent events and replies carry the number; other events name their message. */
static bool concerns(struct trace *trace, uint64_t sequence, const Assent__V1__Event *event,
                     const Assent__V1__Personal *personal)
{
    bool same = personal != NULL && trace->number != 0 && personal->number == trace->number;
    if (is_accepted(event)) {
        if (trace->only_message ? sequence != trace->only_message : !same)
            return false;
        *table_put(&trace->messages, sequence) = 1;
        ledger_filter_message(trace->filter, sequence);
        return true;
    }
    if (is_erasure(trace, event))
        return true;
    return same || (event->message != 0 && table_find(&trace->messages, event->message) != NULL);
}

static void note_outcome(struct trace *trace, const Assent__V1__Event *event)
{
    unsigned outcome = 0;
    if (event->body_case == ASSENT__V1__EVENT__BODY_ENDED)
        outcome = (unsigned)event->ended->outcome;
    else if (event->body_case == ASSENT__V1__EVENT__BODY_RECEIPT)
        outcome = (unsigned)event->receipt->outcome;
    if (outcome > 0 && outcome < METRIC_OUTCOMES)
        trace->outcomes[outcome]++;
}

static void show(struct trace *trace, uint64_t sequence, const Assent__V1__Event *event,
                 const Assent__V1__Personal *personal)
{
    char when[WHEN_TEXT_SIZE], text[EVENT_TEXT_SIZE], about[40] = "";
    trace->shown++;
    if (trace->json) {
        json_line(event_json(sequence, event, personal), stdout);
        return;
    }
    uint64_t message = is_accepted(event) ? sequence : event->message;
    if (message != 0)
        snprintf(about, sizeof about, "message %" PRIu64 ": ", message);
    printf("%s  #%-8" PRIu64 "  %s%s\n", when_text(event->wall_ms, when), sequence, about,
           event_text(event, personal, text));
}

static bool read_record(void *context, const struct ledger_record *record)
{
    struct trace *trace = context;
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&trace->arena, record, &personal);
    if (event == NULL)
        return true;
    event_learn(event);
    if (!concerns(trace, record->sequence, event, personal))
        return true;
    note_outcome(trace, event);
    show(trace, record->sequence, event, personal);
    return true;
}

static bool read_ledger(struct trace *trace, const char *directory)
{
    struct ledger_pass pass = {
        .directory = directory, .filter = trace->filter, .each = read_record, .context = trace};
    ledger_filter_number(trace->filter, trace->number);
    ledger_filter_message(trace->filter, trace->only_message);
    ledger_filter_event(trace->filter, ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED); /* names */
    ledger_filter_event(trace->filter, ASSENT__V1__EVENT__BODY_ERASED_RECORDS);
    ledger_filter_event(trace->filter, ASSENT__V1__EVENT__BODY_ERASURE_DONE);
    return ledger_pass(&pass);
}

/* True when `id` is a message: its record is its `accepted`. Learns its number. */
static bool find_message(struct trace *trace, const char *directory, uint64_t id)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    const char *why;
    if (id == 0 || ledger_reader_open(directory, id, &reader, &why) != ERR_OK)
        return false;
    bool found = ledger_reader_next(reader, id + 1, &record) == ERR_OK && record.sequence == id;
    Assent__V1__Personal *personal = NULL;
    const Assent__V1__Event *event =
        found ? record_unpack(&trace->arena, &record, &personal) : NULL;
    found = event != NULL && is_accepted(event);
    trace->number = found && personal ? personal->number : 0;
    trace->only_message = found ? id : 0;
    ledger_reader_free(reader);
    return found;
}

/* "+12025550100" is a number, "#1234" a message; of digits alone, what the ledger has as a message
 * is one. */
static bool choose(struct trace *trace, const char *directory, const char *word)
{
    uint64_t id;
    const char *digits = word[0] == '#' ? word + 1 : word;
    if (word[0] != '+' && config_integer(digits, &id) && find_message(trace, directory, id))
        return true;
    char cut[CUT_BY_SIZE];
    if (word[0] == '#') {
        if (config_integer(digits, &id) && cut_by_text(directory, id, cut))
            complain("%s: that record %s", word, cut);
        else
            complain("%s: the ledger holds no such message", word);
        return false;
    }
    if (number_parse(span_from_string(word), &trace->number) == ERR_OK)
        return true;
    complain("%s is neither a number like +12025550100 nor the id of a message", word);
    return false;
}

static void print_end(const struct trace *trace)
{
    char text[96];
    printf("\n%" PRIu64 " records, %zu message%s", trace->shown, trace->messages.count,
           trace->messages.count == 1 ? "" : "s");
    for (unsigned i = 1; i < METRIC_OUTCOMES; i++)
        if (trace->outcomes[i] > 0)
            printf(", %" PRIu64 " %s", trace->outcomes[i],
                   outcome_text((Assent__V1__Outcome)i, ASSENT__V1__REASON__REASON_NONE, text));
    printf("\n");
}

static int run(struct trace *trace, const char *directory, const char *word)
{
    arena_init(&trace->arena, RECORD_ARENA_MAX);
    table_init(&trace->messages);
    trace->filter = ledger_filter_new();
    char cut[CUT_BY_SIZE];
    bool ok = choose(trace, directory, word) && read_ledger(trace, directory);
    if (ok && trace->only_message == 0 && cut_summary(directory, cut))
        fprintf(stderr, "assent: note: %s\n", cut);
    if (ok && trace->shown == 0)
        complain("the ledger knows nothing of %s", word);
    else if (ok && !trace->json)
        print_end(trace);
    table_release(&trace->messages);
    ledger_filter_free(trace->filter);
    arena_release(&trace->arena);
    return ok && trace->shown > 0 ? EXIT_DONE : EXIT_REFUSED;
}

int command_trace(const struct cli *cli, int argc, char **argv)
{
    struct trace trace = {0};
    const char *data = NULL, *word = NULL, *text = NULL;
    const struct option_row rows[] = {
        {"data", "DIR", "the gateway's data directory; else from -c", &data, NULL},
        {"json", NULL, "one JSON object a record, for programs", NULL, &trace.json},
        {"is-text", "TEXT", "only says whether the message had this text, by what is kept of it",
         &text, NULL},
    };
    const struct usage usage = {
        .synopsis =
            "assent {-c FILE trace | trace --data DIR} [--json] [--is-text TEXT] NUMBER|MESSAGE-ID",
        .about =
            "Tells from the ledger everything that happened to a number or a message, and why.\n"
            "Write +NUMBER or #ID where digits alone could be either. Times are UTC.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &word, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (words == 0)
        return usage_error(&usage, "which NUMBER or MESSAGE-ID?");
    if (data == NULL && cli->config_path == NULL)
        return usage_error(&usage, "-c FILE or --data DIR says where the ledger is");
    char *directory = ledger_path(cli, data);
    if (directory == NULL)
        return EXIT_REFUSED;
    int code = text != NULL ? trace_is_text(directory, word, text) : run(&trace, directory, word);
    free(directory);
    return code;
}

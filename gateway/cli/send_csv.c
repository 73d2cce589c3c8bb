/* SPDX-License-Identifier: Apache-2.0 */
/* A message a row. Rows are gathered into Submits, several of which are under way at once; a row that
 * cannot be sent is named with its column, and the others go on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/event_text.h"
#include "gateway/cli/client.h"
#include "gateway/cli/csv.h"
#include "gateway/cli/json.h"
#include "gateway/cli/print.h"
#include "gateway/cli/send.h"
#include "gateway/cli/template.h"
#include "gateway/cli/wait.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/number.h"

#define BATCH_MESSAGES 500
#define BATCHES        8 /* Submits under way */
#define BAD_ROWS_NAMED 100
#define TEXT_SHOWN     40
#define TIME_ZONE_MAX  48 /* no name of a zone is longer */

static_assert(BATCH_MESSAGES * (TEXT_OCTETS_MAX + 512) < FRAME_MAX, "a batch must fit a frame");

struct batch {
    uint64_t call; /* 0: free or being filled */
    size_t count;
    uint64_t rows[BATCH_MESSAGES];
    struct strings {
        char number[NUMBER_TEXT_SIZE];
        char reference[REFERENCE_OCTETS_MAX + 1];
        char time_zone[TIME_ZONE_MAX + 1];
        char *text;
    } strings[BATCH_MESSAGES];
};

struct job {
    const struct send_options *options;
    struct client *client;
    struct csv *csv;
    struct template *text, *reference;
    int number_column, zone_column; /* the second is -1 where there is none */
    struct batch *batches;          /* BATCHES of them */
    struct batch *filling;
    unsigned under_way;
    struct progress progress;
    struct columns table; /* of a dry run */
    struct dry_summary dry;
    struct wait wait;
    struct {
        uint64_t first, last, count;
        char why[256];
    } refusal; /* rows one behind the other with the same reason: told as one */
    uint64_t rows, accepted, repeated, refused, bad, parts, complaints;
};

/* Rows that cannot be sent --------------------------------------------------------------------- */

static bool may_complain(struct job *job)
{
    progress_clear(&job->progress);
    job->complaints++;
    if (job->options->verbose || job->complaints <= BAD_ROWS_NAMED)
        return true;
    if (job->complaints == BAD_ROWS_NAMED + 1)
        complain("%s: more rows like these; --verbose names them all", job->options->csv);
    return false;
}

static void bad_row(struct job *job, const char *column, const char *why)
{
    job->bad++;
    if (may_complain(job))
        complain("%s: row %" PRIu64 "%s%s: %s", job->options->csv, csv_row(job->csv),
                 column[0] ? ", column " : "", column, why);
}

static void tell_refusal(struct job *job)
{
    if (job->refusal.count == 0)
        return;
    bool one = job->refusal.count == 1;
    char count[COUNT_TEXT_SIZE];
    bool shown = may_complain(job);
    if (shown && one)
        complain("%s: row %" PRIu64 ": refused: %s", job->options->csv, job->refusal.first,
                 job->refusal.why);
    else if (shown)
        complain("%s: rows %" PRIu64 " to %" PRIu64 ": %s refused: %s", job->options->csv,
                 job->refusal.first, job->refusal.last, count_text(job->refusal.count, count),
                 job->refusal.why);
    job->refusal.count = 0;
}

static void refused_row(struct job *job, uint64_t row, const char *why)
{
    if (job->refusal.count > 0 && strncmp(why, job->refusal.why, sizeof job->refusal.why - 1) != 0)
        tell_refusal(job);
    if (job->refusal.count++ == 0) {
        job->refusal.first = row;
        snprintf(job->refusal.why, sizeof job->refusal.why, "%s", why);
    }
    job->refusal.last = row;
}

/* Filling -------------------------------------------------------------------------------------- */

static bool fill_row(struct job *job, struct batch *batch)
{
    static char text[TEXT_OCTETS_MAX + 1];
    struct strings *strings = &batch->strings[batch->count];
    const char *digits = csv_cell(job->csv, job->number_column);
    uint64_t number;
    if (number_parse(span_from_string(digits), &number) != ERR_OK) {
        bad_row(job, "number",
                digits[0] ? "not E.164: digits with the country code, like +12025550100" : "empty");
        return false;
    }
    int missing = template_missing(job->text, job->csv);
    if (missing >= 0) {
        bad_row(job, csv_column_name(job->csv, (size_t)missing),
                "empty, and the template needs it");
        return false;
    }
    if (!template_fill(job->text, job->csv, text, sizeof text)) {
        bad_row(job, "", "the text is longer than 6,400 octets");
        return false;
    }
    if (!frame_text_valid(span_from_string(text))) {
        bad_row(job, "", "the text is not UTF-8; save the file as UTF-8");
        return false;
    }
    strings->reference[0] = '\0';
    if (job->reference != NULL &&
        !template_fill(job->reference, job->csv, strings->reference, sizeof strings->reference)) {
        bad_row(job, "", "the reference is longer than 64 octets");
        return false;
    }
    const char *time_zone = job->zone_column < 0 ? "" : csv_cell(job->csv, job->zone_column);
    if (strlen(time_zone) > TIME_ZONE_MAX) {
        bad_row(job, "time_zone", "no name of a time zone is so long");
        return false;
    }
    strcpy(strings->time_zone, time_zone);
    number_format(number, strings->number);
    strings->text = check_strdup(text);
    batch->rows[batch->count] = csv_row(job->csv);
    batch->count++;
    return true;
}

static void clear_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->strings[i].text);
    batch->count = 0;
    batch->call = 0;
}

static bool submit(struct job *job, struct batch *batch)
{
    static Assent__V1__Message messages[BATCH_MESSAGES], *list[BATCH_MESSAGES];
    for (size_t i = 0; i < batch->count; i++) {
        list[i] = &messages[i];
        send_fill(job->options, list[i]);
        list[i]->number = batch->strings[i].number;
        list[i]->text = batch->strings[i].text;
        list[i]->reference = batch->strings[i].reference;
        if (batch->strings[i].time_zone[0] != '\0')
            list[i]->time_zone = batch->strings[i].time_zone;
    }
    Assent__V1__SubmitRequest request = ASSENT__V1__SUBMIT_REQUEST__INIT;
    Assent__V1__PreflightRequest preflight;
    request.n_messages = batch->count;
    request.messages = list;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = batch->call = client_next_call(job->client);
    frame.body_case = ASSENT__V1__FRAME__BODY_SUBMIT;
    frame.submit = &request;
    if (job->options->dry_run)
        dry_request(batch->call, list, batch->count, &preflight, &frame);
    job->under_way++;
    return client_send(job->client, &frame) && client_flush(job->client);
}

/* Verdicts ------------------------------------------------------------------------------------- */

static void show_dry(struct job *job, const struct batch *batch, size_t i,
                     const Assent__V1__Preflight *foreseen)
{
    const Assent__V1__Verdict *verdict = foreseen->verdict;
    char row[24], parts[16], encoding[64], replaced[32], text[TEXT_SHOWN + 4];
    bool ok = verdict->code == ASSENT__V1__CODE__CODE_OK;
    size_t length = strlen(batch->strings[i].text), cut = length;
    if (length > TEXT_SHOWN)
        for (cut = TEXT_SHOWN; ((unsigned char)batch->strings[i].text[cut] & 0xc0) == 0x80;)
            cut--;
    snprintf(text, sizeof text, "%.*s%s", (int)cut, batch->strings[i].text,
             cut < length ? "..." : "");
    for (char *at = text; *at != '\0'; at++)
        *at = (unsigned char)*at < ' ' ? ' ' : *at;
    snprintf(row, sizeof row, "%" PRIu64, batch->rows[i]);
    snprintf(parts, sizeof parts, "%u", verdict->parts);
    snprintf(encoding, sizeof encoding, "%s%s", encoding_text(verdict->encoding),
             replaced_text(verdict->replaced, replaced));
    columns_add(&job->table, row, batch->strings[i].number, ok ? parts : "-", ok ? encoding : "-",
                ok ? dry_words(foreseen) : verdict->message,
                foreseen->gate[0] ? foreseen->gate : "-", text);
}

static void show_json(const struct batch *batch, size_t i, json_t *object)
{
    json_object_set_new(object, "row", json_integer((json_int_t)batch->rows[i]));
    json_object_set_new(object, "number", json_string(batch->strings[i].number));
    json_line(object, stdout);
}

static void take_foresight(struct job *job, const struct batch *batch, size_t i,
                           const Assent__V1__Preflight *foreseen)
{
    bool ok = dry_goes_out(foreseen);
    job->accepted += ok;
    job->refused += !ok;
    job->parts += ok ? foreseen->verdict->parts : 0;
    dry_count(&job->dry, batch->rows[i], foreseen);
    if (job->options->json)
        show_json(batch, i, dry_json(foreseen));
    else
        show_dry(job, batch, i, foreseen);
    if (ok)
        tell_refusal(job);
    else
        refused_row(job, batch->rows[i], dry_why(foreseen));
}

static void take_verdict(struct job *job, const struct batch *batch, size_t i,
                         const Assent__V1__Verdict *verdict)
{
    bool ok = verdict->code == ASSENT__V1__CODE__CODE_OK;
    job->accepted += ok;
    job->refused += !ok;
    job->repeated += verdict->repeated_reference;
    job->parts += ok ? verdict->parts : 0;
    if (ok && job->options->wait && verdict->id != 0)
        wait_add(&job->wait, verdict->id);
    if (job->options->json)
        show_json(batch, i, message_json(&verdict->base));
    if (ok)
        tell_refusal(job);
    else
        refused_row(job, batch->rows[i],
                    verdict->message[0] ? verdict->message : code_name(verdict->code));
}

static struct batch *find_batch(struct job *job, uint64_t call)
{
    for (unsigned i = 0; i < BATCHES; i++)
        if (call != 0 && job->batches[i].call == call)
            return &job->batches[i];
    return NULL;
}

/* Takes one answer. False when sending is over. */
static bool take_answer(struct job *job)
{
    Assent__V1__Frame *frame = client_receive(job->client);
    struct batch *batch = frame ? find_batch(job, frame->call) : NULL;
    if (frame == NULL)
        return false;
    if (batch != NULL && frame->body_case == ASSENT__V1__FRAME__BODY_SUBMIT_REPLY &&
        frame->submit_reply->n_verdicts == batch->count) {
        for (size_t i = 0; i < batch->count; i++)
            take_verdict(job, batch, i, frame->submit_reply->verdicts[i]);
        job->under_way--;
        clear_batch(batch);
        return true;
    }
    if (batch != NULL && frame->body_case == ASSENT__V1__FRAME__BODY_PREFLIGHT_REPLY &&
        frame->preflight_reply->n_messages == batch->count) {
        for (size_t i = 0; i < batch->count; i++)
            take_foresight(job, batch, i, frame->preflight_reply->messages[i]);
        job->under_way--;
        clear_batch(batch);
        return true;
    }
    progress_clear(&job->progress);
    if (frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE && batch != NULL)
        complain("stopped at row %" PRIu64 ": %s: %s; with --reference the file can be sent again "
                 "without sending anything twice",
                 batch->rows[0], code_name(frame->failure->code), frame->failure->message);
    else if (frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE)
        complain("%s: %s", code_name(frame->failure->code), frame->failure->message);
    else
        complain("the gateway gave an answer that does not fit");
    return false;
}

static struct batch *free_batch(struct job *job)
{
    for (unsigned i = 0; i < BATCHES; i++)
        if (job->batches[i].call == 0)
            return &job->batches[i];
    return NULL;
}

/* The whole file ------------------------------------------------------------------------------- */

static bool flush_batch(struct job *job)
{
    if (job->filling->count > 0 && !submit(job, job->filling))
        return false;
    while ((job->filling = free_batch(job)) == NULL ||
           (job->options->dry_run && job->under_way > 0))
        if (!take_answer(job))
            return false;
    return true;
}

static bool send_rows(struct job *job)
{
    job->filling = free_batch(job);
    enum csv_result result;
    while ((result = csv_next(job->csv)) != CSV_END) {
        job->rows++;
        if (result == CSV_BAD)
            bad_row(job, "", csv_why(job->csv));
        else if (fill_row(job, job->filling) && job->filling->count == BATCH_MESSAGES &&
                 !flush_batch(job))
            return false;
        progress_show(&job->progress, csv_position(job->csv), csv_size(job->csv), job->rows);
    }
    if (!flush_batch(job))
        return false;
    while (job->under_way > 0)
        if (!take_answer(job))
            return false;
    return true;
}

static void print_summary(const struct job *job, uint64_t us)
{
    struct columns table;
    char text[COUNT_TEXT_SIZE], time[64], rate[COUNT_TEXT_SIZE];
    const struct {
        const char *name;
        uint64_t value;
        bool always;
    } lines[] = {
        {job->options->dry_run ? "would go out" : "accepted", job->accepted, true},
        {"  known by reference", job->repeated, false},
        {job->options->dry_run ? "would not" : "refused", job->refused, false},
        {"bad rows", job->bad, false},
        {"parts", job->parts, true},
    };
    columns_init(&table, "lr");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (lines[i].always || lines[i].value > 0)
            columns_add(&table, lines[i].name, count_text(lines[i].value, text));
    columns_print(&table, stdout);
    count_text(us > 0 ? job->rows * US_PER_S / us : 0, rate);
    snprintf(time, sizeof time, "%.2f s, %s rows/s", (double)us / (double)US_PER_S, rate);
    printf("%s\n", time);
}

static bool run(struct job *job)
{
    uint64_t start = clock_mono_us();
    bool ok = send_rows(job);
    tell_refusal(job);
    uint64_t us = clock_mono_us() - start;
    progress_end(&job->progress, csv_position(job->csv), csv_size(job->csv), job->rows);
    if (job->options->dry_run && job->options->json)
        dry_print_json(&job->dry);
    if (job->options->dry_run && !job->options->json) {
        columns_print(&job->table, stdout);
        printf("\n");
        dry_print(&job->dry);
        printf("\n");
    }
    if (!job->options->json)
        print_summary(job, us);
    fflush(stdout);
    if (ok && job->options->wait && !job->options->dry_run)
        ok = wait_run(&job->wait, job->client, progress_wanted(job->options->progress));
    return ok && job->bad == 0 && job->refused == 0;
}

/* Gives an exit code, or -1 to go on. */
static int open_file(struct job *job)
{
    const struct send_options *options = job->options;
    job->csv = csv_open(options->csv);
    if (job->csv == NULL)
        return EXIT_REFUSED;
    job->number_column = csv_column(job->csv, "number");
    job->zone_column = csv_column(job->csv, "time_zone");
    if (job->number_column < 0) {
        complain("%s: row 1 names no column `number`", options->csv);
        return EXIT_REFUSED;
    }
    job->text = template_new(options->template, job->csv, "--template");
    if (options->reference != NULL)
        job->reference = template_new(options->reference, job->csv, "--reference");
    if (job->text == NULL || (options->reference != NULL && job->reference == NULL))
        return EXIT_USAGE;
    return -1;
}

int send_csv(const struct cli *cli, const struct send_options *options)
{
    struct job job = {.options = options};
    int code = open_file(&job);
    if (code < 0 && (job.client = client_open(cli)) == NULL)
        code = EXIT_REFUSED;
    if (code < 0) {
        job.batches = check_calloc(BATCHES, sizeof *job.batches);
        wait_init(&job.wait);
        columns_init(&job.table, "rlrllll");
        columns_add(&job.table, "ROW", "NUMBER", "PARTS", "ENCODING", "VERDICT", "GATE", "TEXT");
        progress_init(&job.progress, options->dry_run ? "checking" : "sending",
                      progress_wanted(options->progress));
        code = run(&job) ? EXIT_DONE : EXIT_REFUSED;
        for (unsigned i = 0; i < BATCHES; i++)
            clear_batch(&job.batches[i]);
        wait_release(&job.wait);
        columns_release(&job.table);
        free(job.batches);
    }
    client_close(job.client);
    template_free(job.text);
    template_free(job.reference);
    csv_close(job.csv);
    return code;
}

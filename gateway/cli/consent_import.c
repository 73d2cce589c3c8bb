/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent import, and request with --csv: a consent call a row, many under way at once. Rows
 * that are refused go to FILE.rejected as they were, with the reason behind them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/csv.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/number.h"

#define CALLS 200 /* under way; below CLIENT_CALLS_MAX */

static_assert(CALLS < CLIENT_CALLS_MAX, "the gateway would stop reading");

/* The columns that are understood. */
enum column { NUMBER, SOURCE, EVIDENCE, OBTAINED_AT, LANGUAGE, COLUMNS };
static const char *const column_names[COLUMNS] = {"number", "source", "evidence", "obtained_at",
                                                  "language"};
#define SOURCE_ALIAS "how"

enum call_kind { CALL_OPT_IN, CALL_OPT_OUT, CALL_REQUEST };

struct row {
    uint64_t call; /* 0: free */
    uint64_t row;
    char *cells[COLUMNS];
};

struct job {
    const char *program, *kind_word, *path, *sender;
    enum call_kind kind;
    bool everything;
    struct client *client;
    struct csv *csv;
    int columns[COLUMNS];
    struct row rows[CALLS];
    unsigned under_way;
    FILE *rejected; /* opened with the first rejected row */
    char rejected_path[4096];
    struct progress progress;
    uint64_t read, done, refused;
};

/* Rejected rows -------------------------------------------------------------------------------- */

static void put_cell(FILE *out, const char *cell)
{
    if (strpbrk(cell, ",\"\r\n") == NULL && cell[0] != ' ') {
        fputs(cell, out);
        return;
    }
    fputc('"', out);
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            fputc('"', out);
        fputc(*cell, out);
    }
    fputc('"', out);
}

static bool open_rejected(struct job *job)
{
    if (job->rejected != NULL)
        return true;
    const char *base = strcmp(job->path, "-") == 0 ? "stdin" : job->path;
    snprintf(job->rejected_path, sizeof job->rejected_path, "%s.rejected", base);
    job->rejected = fopen(job->rejected_path, "w");
    if (job->rejected == NULL) {
        progress_clear(&job->progress);
        complain("cannot write %s: %s", job->rejected_path, strerror(errno));
        return false;
    }
    fputs("number,source,evidence,obtained_at,language,row,reason\n", job->rejected);
    return true;
}

static void reject(struct job *job, char *const cells[COLUMNS], uint64_t row, const char *why)
{
    job->refused++;
    if (!open_rejected(job))
        return;
    for (int i = 0; i < COLUMNS; i++) {
        put_cell(job->rejected, cells[i]);
        fputc(',', job->rejected);
    }
    fprintf(job->rejected, "%" PRIu64 ",", row);
    put_cell(job->rejected, why);
    fputc('\n', job->rejected);
}

/* Calls ---------------------------------------------------------------------------------------- */

static struct row *find_row(struct job *job, uint64_t call)
{
    for (unsigned i = 0; i < CALLS; i++)
        if (job->rows[i].call == call)
            return &job->rows[i];
    return NULL;
}

static void release_row(struct row *row)
{
    for (int i = 0; i < COLUMNS; i++)
        free(row->cells[i]);
    *row = (struct row){0};
}

static bool take_answer(struct job *job)
{
    Assent__V1__Frame *frame = client_receive(job->client);
    struct row *row = frame && frame->call ? find_row(job, frame->call) : NULL;
    if (frame == NULL)
        return false;
    const Assent__V1__Failure *failure =
        frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE ? frame->failure : NULL;
    if (row == NULL) {
        complain("%s", failure ? failure->message : "the gateway gave an answer that does not fit");
        return false;
    }
    if (failure != NULL)
        reject(job, row->cells, row->row, failure->message);
    else if (frame->body_case == ASSENT__V1__FRAME__BODY_CONSENT_REPLY &&
             frame->consent_reply->code == ASSENT__V1__CODE__CODE_OK)
        job->done++;
    else if (frame->body_case == ASSENT__V1__FRAME__BODY_CONSENT_REPLY)
        reject(job, row->cells, row->row,
               frame->consent_reply->message[0] ? frame->consent_reply->message
                                                : code_name(frame->consent_reply->code));
    else
        reject(job, row->cells, row->row, "the gateway gave an answer that does not fit");
    job->under_way--;
    release_row(row);
    return true;
}

static bool send_opt_in(struct job *job, const struct row *row, uint64_t obtained_wall_ms)
{
    Assent__V1__RecordRequest request = ASSENT__V1__RECORD_REQUEST__INIT;
    request.program = (char *)job->program;
    request.number = row->cells[NUMBER];
    request.source = row->cells[SOURCE];
    request.evidence = row->cells[EVIDENCE];
    request.obtained_wall_ms = obtained_wall_ms;
    request.import = true;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = row->call;
    frame.body_case = ASSENT__V1__FRAME__BODY_RECORD_OPT_IN;
    frame.record_opt_in = &request;
    return client_send(job->client, &frame);
}

static bool send_opt_out(struct job *job, const struct row *row)
{
    Assent__V1__OptOutRequest request = ASSENT__V1__OPT_OUT_REQUEST__INIT;
    request.program = (char *)(job->program ? job->program : "");
    request.number = row->cells[NUMBER];
    request.source = row->cells[SOURCE];
    request.evidence = row->cells[EVIDENCE];
    request.everything = job->everything;
    request.import = true;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = row->call;
    frame.body_case = ASSENT__V1__FRAME__BODY_OPT_OUT;
    frame.opt_out = &request;
    return client_send(job->client, &frame);
}

static bool send_request(struct job *job, const struct row *row)
{
    Assent__V1__OptInRequest request = ASSENT__V1__OPT_IN_REQUEST__INIT;
    request.program = (char *)job->program;
    request.number = row->cells[NUMBER];
    request.source = row->cells[SOURCE];
    request.evidence = row->cells[EVIDENCE];
    request.language = row->cells[LANGUAGE];
    request.sender = (char *)(job->sender ? job->sender : "");
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = row->call;
    frame.body_case = ASSENT__V1__FRAME__BODY_REQUEST_OPT_IN;
    frame.request_opt_in = &request;
    return client_send(job->client, &frame);
}

static bool send_call(struct job *job, const struct row *row, uint64_t obtained_wall_ms)
{
    switch (job->kind) {
    case CALL_OPT_IN:
        return send_opt_in(job, row, obtained_wall_ms);
    case CALL_OPT_OUT:
        return send_opt_out(job, row);
    case CALL_REQUEST:
        return send_request(job, row);
    }
    return false;
}

/* Why the row cannot be sent, or NULL. */
static const char *check_row(char *const cells[COLUMNS], uint64_t *ret_obtained)
{
    uint64_t number;
    *ret_obtained = 0;
    if (number_parse(span_from_string(cells[NUMBER]), &number) != ERR_OK)
        return "column number: not E.164, like +12025550100";
    if (strlen(cells[EVIDENCE]) > EVIDENCE_OCTETS_MAX)
        return "column evidence: longer than 2,048 octets";
    if (cells[OBTAINED_AT][0] != '\0' &&
        !when_parse_date(cells[OBTAINED_AT], clock_wall_ms(), ret_obtained))
        return "column obtained_at: not like 2026-11-01 or 2026-11-01T10:00:00Z";
    for (int i = 0; i < COLUMNS; i++)
        if (!frame_text_valid(span_from_string(cells[i])))
            return "not UTF-8; save the file as UTF-8";
    return NULL;
}

static bool send_row(struct job *job)
{
    char *cells[COLUMNS];
    uint64_t obtained;
    for (int i = 0; i < COLUMNS; i++)
        cells[i] = (char *)csv_cell(job->csv, job->columns[i]);
    const char *why = check_row(cells, &obtained);
    if (why != NULL) {
        reject(job, cells, csv_row(job->csv), why);
        return true;
    }
    struct row *row = find_row(job, 0);
    CHECK(row != NULL);
    row->call = client_next_call(job->client);
    row->row = csv_row(job->csv);
    for (int i = 0; i < COLUMNS; i++)
        row->cells[i] = check_strdup(cells[i]);
    job->under_way++;
    if (!send_call(job, row, obtained))
        return false;
    if (job->under_way < CALLS)
        return true;
    while (job->under_way > CALLS / 2) /* in batches: a write a hundred rows */
        if (!take_answer(job))
            return false;
    return true;
}

static bool import_rows(struct job *job)
{
    enum csv_result result;
    char *const none[COLUMNS] = {(char *)"", (char *)"", (char *)"", (char *)"", (char *)""};
    while ((result = csv_next(job->csv)) != CSV_END) {
        job->read++;
        if (result == CSV_BAD)
            reject(job, none, csv_row(job->csv), csv_why(job->csv));
        else if (!send_row(job))
            return false;
        progress_show(&job->progress, csv_position(job->csv), csv_size(job->csv), job->read);
    }
    while (job->under_way > 0)
        if (!take_answer(job))
            return false;
    return true;
}

static bool open_files(struct job *job, const struct cli *cli)
{
    job->csv = csv_open(job->path);
    if (job->csv == NULL)
        return false;
    for (int i = 0; i < COLUMNS; i++)
        job->columns[i] = csv_column(job->csv, column_names[i]);
    if (job->columns[SOURCE] < 0)
        job->columns[SOURCE] = csv_column(job->csv, SOURCE_ALIAS);
    if (job->columns[NUMBER] < 0) {
        complain("%s: row 1 names no column `number`; columns are number, source (or how), "
                 "evidence, obtained_at, language",
                 job->path);
        return false;
    }
    job->client = client_open(cli);
    return job->client != NULL;
}

static void print_result(const struct job *job)
{
    struct columns table;
    char text[COUNT_TEXT_SIZE];
    columns_init(&table, "lr");
    columns_add(&table, job->kind == CALL_REQUEST ? "asked" : "recorded",
                count_text(job->done, text));
    columns_add(&table, "rejected", count_text(job->refused, text));
    columns_print(&table, stdout);
    if (job->rejected != NULL)
        complain("rejected rows and why: %s", job->rejected_path);
}

static bool run(struct job *job, const struct cli *cli, bool progress)
{
    if (!open_files(job, cli))
        return false;
    progress_init(&job->progress, job->kind == CALL_REQUEST ? "asking" : "importing",
                  progress_wanted(progress));
    bool ok = import_rows(job);
    progress_end(&job->progress, csv_position(job->csv), csv_size(job->csv), job->read);
    print_result(job);
    return ok && job->refused == 0;
}

static struct job *job_new(void)
{
    return check_calloc(1, sizeof(struct job));
}

static void job_free(struct job *job)
{
    for (unsigned i = 0; i < CALLS; i++)
        release_row(&job->rows[i]);
    if (job->rejected != NULL && fclose(job->rejected) != 0)
        complain("cannot write %s: %s", job->rejected_path, strerror(errno));
    client_close(job->client);
    csv_close(job->csv);
    free(job);
}

int consent_request_csv(const struct cli *cli, const char *program, const char *sender,
                        const char *path, bool progress)
{
    struct job *job = job_new();
    job->kind = CALL_REQUEST;
    job->program = program;
    job->sender = sender;
    job->path = path;
    int code = run(job, cli, progress) ? EXIT_DONE : EXIT_REFUSED;
    job_free(job);
    return code;
}

static int check_options(const struct usage *usage, struct job *job)
{
    if (job->kind_word == NULL ||
        (strcmp(job->kind_word, "optin") != 0 && strcmp(job->kind_word, "optout") != 0))
        return usage_error(usage, "--kind is optin or optout");
    job->kind = strcmp(job->kind_word, "optin") == 0 ? CALL_OPT_IN : CALL_OPT_OUT;
    if (job->everything && job->kind == CALL_OPT_IN)
        return usage_error(usage, "--everything is for opt-outs");
    if (job->program == NULL && !job->everything)
        return usage_error(usage, "--program is needed");
    return job->path == NULL ? usage_error(usage, "which FILE?") : -1;
}

int consent_import(const struct cli *cli, int argc, char **argv)
{
    struct job *job = job_new();
    bool progress = false;
    const struct option_row rows[] = {
        {"program", "P", "the program it is about", &job->program, NULL},
        {"kind", "K", "optin or optout", &job->kind_word, NULL},
        {"everything", NULL, "opt-outs of every program; operators only", NULL, &job->everything},
        {"progress", NULL, "show progress also when stderr is no terminal", NULL, &progress},
    };
    const struct usage usage = {
        .synopsis = "assent consent import --program P --kind optin|optout FILE",
        .about =
            "FILE is CSV with the columns number, source (or how), evidence and obtained_at; "
            "number\n"
            "is needed, - is stdin. Rows that are refused go to FILE.rejected with the reason.\n"
            "Importing a row twice does no harm.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &job->path, 1, &words);
    int code = result == OPTIONS_READ ? check_options(&usage, job) : options_exit(result);
    if (code < 0)
        code = run(job, cli, progress) ? EXIT_DONE : EXIT_REFUSED;
    job_free(job);
    return code;
}

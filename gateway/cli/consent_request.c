/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent request --csv: a consent call a row, many under way at once. Rows that are refused go to
 * FILE.rejected.csv as they were, with the reason behind them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/csv.h"
#include "gateway/cli/print.h"
#include "gateway/cli/rejected.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "proto/number.h"

#define CALLS 200 /* under way; below CLIENT_CALLS_MAX */

static_assert(CALLS < CLIENT_CALLS_MAX, "the gateway would stop reading");

/* The columns that are understood. */
enum column { NUMBER, SOURCE, EVIDENCE, LANGUAGE, COLUMNS };
static const char *const column_names[COLUMNS] = {"number", "source", "evidence", "language"};
#define SOURCE_ALIAS "how"

struct row {
    uint64_t call; /* 0: free */
    uint64_t row;
    char *cells[COLUMNS];
};

struct job {
    const char *program, *path, *sender;
    struct client *client;
    struct csv *csv;
    int columns[COLUMNS];
    struct row rows[CALLS];
    unsigned under_way;
    struct rejected rejected;
    struct progress progress;
    uint64_t read, done, refused;
};

static void reject(struct job *job, char *const cells[COLUMNS], uint64_t line, const char *why)
{
    job->refused++;
    progress_clear(&job->progress);
    rejected_row(&job->rejected, (const char *const *)cells, line, "", why);
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

/* Why the row cannot be sent, or NULL. */
static const char *check_row(char *const cells[COLUMNS])
{
    uint64_t number;
    if (number_parse(span_from_string(cells[NUMBER]), &number) != ERR_OK)
        return "column number: not E.164, like +12025550100";
    if (strlen(cells[EVIDENCE]) > EVIDENCE_OCTETS_MAX)
        return "column evidence: longer than 2,048 octets";
    for (int i = 0; i < COLUMNS; i++)
        if (!frame_text_valid(span_from_string(cells[i])))
            return "not UTF-8; save the file as UTF-8";
    return NULL;
}

static bool send_row(struct job *job)
{
    char *cells[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        cells[i] = (char *)csv_cell(job->csv, job->columns[i]);
    const char *why = check_row(cells);
    if (why != NULL) {
        reject(job, cells, csv_line(job->csv), why);
        return true;
    }
    struct row *row = find_row(job, 0);
    CHECK(row != NULL);
    row->call = client_next_call(job->client);
    row->row = csv_line(job->csv);
    for (int i = 0; i < COLUMNS; i++)
        row->cells[i] = check_strdup(cells[i]);
    job->under_way++;
    if (!send_request(job, row))
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
    char *const none[COLUMNS] = {(char *)"", (char *)"", (char *)"", (char *)""};
    while ((result = csv_next(job->csv)) != CSV_END) {
        job->read++;
        if (result == CSV_BAD)
            reject(job, none, csv_line(job->csv), csv_why(job->csv));
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
                 "evidence, language",
                 job->path);
        return false;
    }
    job->client = client_open(cli);
    return job->client != NULL;
}

static void print_result(struct job *job)
{
    struct columns table;
    char text[COUNT_TEXT_SIZE];
    columns_init(&table, "lr");
    columns_add(&table, "asked", count_text(job->done, text));
    columns_add(&table, "rejected", count_text(job->refused, text));
    columns_print(&table, stdout);
    rejected_close(&job->rejected);
}

static bool run(struct job *job, const struct cli *cli, bool progress)
{
    if (!open_files(job, cli))
        return false;
    progress_init(&job->progress, "asking", progress_wanted(progress));
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
    client_close(job->client);
    csv_close(job->csv);
    free(job);
}

int consent_request_csv(const struct cli *cli, const char *program, const char *sender,
                        const char *path, bool progress)
{
    struct job *job = job_new();
    job->program = program;
    job->sender = sender;
    job->path = path;
    rejected_init(&job->rejected, path, column_names, COLUMNS);
    int code = run(job, cli, progress) ? EXIT_DONE : EXIT_REFUSED;
    job_free(job);
    return code;
}

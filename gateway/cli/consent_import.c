/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent import: the rows of a file in calls of some hundred, several of them under way. Each row is
 * looked at here by the same rules as in the gateway, so a file of rejected rows can be made again from the
 * file alone, and going on with an import needs to ask only one thing: which row is next. Rows of a number alone
 * go sorted (consent/import.h), the same way each time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/import.h"
#include "gateway/cli/client.h"
#include "gateway/cli/csv.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/rejected.h"
#include "gateway/cli/when.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/number.h"

#define CALLS 32 /* under way; below CLIENT_CALLS_MAX */

static_assert(CALLS < CLIENT_CALLS_MAX, "the gateway would stop reading");

enum column { NUMBER, SOURCE, EVIDENCE, OBTAINED_AT, COLUMNS };
static const char *const column_names[COLUMNS] = {"number", "source", "evidence", "obtained_at"};
/* Other names of the columns. */
static const struct {
    enum column column;
    const char *name;
} aliases[] = {
    {NUMBER, "phone"},
    {NUMBER, "msisdn"},
    {SOURCE, "how"},
    {OBTAINED_AT, "date"},
};

/* Rows on their way into one call. */
struct rows {
    uint64_t first;
    size_t count;
    uint64_t numbers[IMPORT_ROWS_MAX];
    uint64_t of_file[IMPORT_ROWS_MAX]; /* where they come sorted */
    Assent__V1__ImportColumns columns[IMPORT_ROWS_MAX];
    Assent__V1__ImportColumns *pointers[IMPORT_ROWS_MAX];
};

/* Rows that wait until those of their window can be sorted. */
struct waiting {
    uint64_t number, row;
    uint16_t order;
};
struct sorting {
    struct waiting waiting[IMPORT_WINDOW], sorted[IMPORT_WINDOW];
    uint32_t before[UINT16_MAX + 2];
};

struct job {
    const char *program, *kind_word, *path, *copied_at;
    bool everything, resume, dry_run;
    Assent__V1__ImportKind kind_number;
    const struct import_kind *kind;
    uint64_t copied_wall_ms, now_wall_ms;
    struct client *client;
    struct csv *csv;
    int at[COLUMNS];
    bool with_columns;
    uint64_t import, next_row; /* rows before it need not be sent */
    struct sorting *sorting;
    size_t waiting_count, window; /* 0: the rows go in the order of the file */
    uint64_t sorted;              /* rows before those that wait */
    struct rows rows;
    unsigned under_way;
    struct rejected rejected;
    struct progress progress;
    uint64_t read, sound, refused, recorded, before;
};

/* Calls ---------------------------------------------------------------------------------------- */

static bool send_request(struct job *job, Assent__V1__ImportRequest *request)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = client_next_call(job->client);
    frame.body_case = ASSENT__V1__FRAME__BODY_IMPORT;
    frame.import = request;
    job->under_way++;
    return client_send(job->client, &frame);
}

/* The answer to the oldest call; NULL after a complaint. */
static const Assent__V1__ImportReply *take_answer(struct job *job)
{
    const Assent__V1__Frame *frame = client_receive(job->client);
    if (frame == NULL)
        return NULL;
    job->under_way--;
    progress_clear(&job->progress);
    if (frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE) {
        complain("%s: %s", code_name(frame->failure->code), frame->failure->message);
        return NULL;
    }
    if (frame->body_case != ASSENT__V1__FRAME__BODY_IMPORT_REPLY) {
        complain("the gateway gave an answer that does not fit the call");
        return NULL;
    }
    const Assent__V1__ImportReply *reply = frame->import_reply;
    if (reply->code != ASSENT__V1__CODE__CODE_OK) {
        complain("%s: %s", code_name(reply->code), reply->message);
        return NULL;
    }
    if (reply->n_refused > 0) { /* the rules there are those here, or one of us is older */
        complain("the gateway refuses row %" PRIu64 ": %s: %s; are both of one version?",
                 reply->refused[0]->row, reply->refused[0]->column, reply->refused[0]->reason);
        return NULL;
    }
    job->recorded = reply->recorded;
    return reply;
}

static bool begin(struct job *job)
{
    uint8_t sha256[32];
    if (!csv_digest(job->csv, sha256)) {
        complain("%s cannot be read twice", job->path);
        return false;
    }
    const char *slash = strrchr(job->path, '/');
    char file[IMPORT_FILE_SIZE];
    snprintf(file, sizeof file, "%s", slash != NULL ? slash + 1 : job->path);
    Assent__V1__ImportRequest request = ASSENT__V1__IMPORT_REQUEST__INIT;
    request.kind = job->kind_number;
    request.program = (char *)(job->program ? job->program : "");
    request.everything = job->everything;
    request.file = file;
    request.sha256.data = sha256;
    request.sha256.len = sizeof sha256;
    request.copied_wall_ms = job->copied_wall_ms;
    request.resume = job->resume;
    request.dry_run = job->dry_run;
    request.window = job->with_columns ? 0 : IMPORT_WINDOW;
    const Assent__V1__ImportReply *reply = send_request(job, &request) ? take_answer(job) : NULL;
    if (reply == NULL)
        return false;
    job->import = reply->import;
    job->next_row = reply->next_row;
    job->before = reply->recorded;
    job->window = reply->window;
    if (job->window > IMPORT_WINDOW) {
        complain("the gateway is of another version: it sorts more rows at a time");
        return false;
    }
    if (job->window > 0)
        job->sorting = check_malloc(sizeof *job->sorting);
    return true;
}

static void empty_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->columns[i].source);
        free(rows->columns[i].evidence);
    }
    rows->count = 0;
}

static bool send_rows(struct job *job)
{
    struct rows *rows = &job->rows;
    if (rows->count == 0)
        return true;
    Assent__V1__ImportRequest request = ASSENT__V1__IMPORT_REQUEST__INIT;
    request.import = job->import;
    request.first_row = rows->first;
    request.numbers = rows->numbers;
    request.n_numbers = rows->count;
    request.rows = rows->of_file;
    request.n_rows = job->window > 0 ? rows->count : 0;
    request.columns = rows->pointers;
    request.n_columns = job->with_columns ? rows->count : 0;
    bool sent = send_request(job, &request) && client_flush(job->client);
    empty_rows(rows);
    while (sent && job->under_way >= CALLS)
        sent = take_answer(job) != NULL;
    return sent;
}

/* Counts how many rows come before each place of the order, then puts each row where it comes. */
static void sort_waiting(struct job *job)
{
    uint32_t *before = job->sorting->before;
    memset(before, 0, sizeof job->sorting->before);
    for (size_t i = 0; i < job->waiting_count; i++)
        before[job->sorting->waiting[i].order + 1]++;
    for (size_t i = 1; i <= UINT16_MAX; i++)
        before[i] += before[i - 1];
    for (size_t i = 0; i < job->waiting_count; i++)
        job->sorting->sorted[before[job->sorting->waiting[i].order]++] = job->sorting->waiting[i];
}

static bool send_window(struct job *job)
{
    struct rows *rows = &job->rows;
    sort_waiting(job);
    for (size_t i = 0; i < job->waiting_count; i++) {
        if (++job->sorted < job->next_row)
            continue;
        if (rows->count == 0)
            rows->first = job->sorted;
        rows->of_file[rows->count] = job->sorting->sorted[i].row;
        rows->numbers[rows->count++] = job->sorting->sorted[i].number;
        if (rows->count == IMPORT_ROWS_MAX && !send_rows(job))
            return false;
    }
    job->waiting_count = 0;
    return true;
}

static bool add_waiting(struct job *job, uint64_t row, uint64_t number)
{
    job->sorting->waiting[job->waiting_count++] =
        (struct waiting){.number = number, .row = row, .order = import_order(number)};
    return job->waiting_count < job->window || send_window(job);
}

/* Nothing is asked after a dry run. */
static bool end(struct job *job)
{
    if ((job->window > 0 && !send_window(job)) || !send_rows(job))
        return false;
    Assent__V1__ImportRequest request = ASSENT__V1__IMPORT_REQUEST__INIT;
    request.import = job->import;
    request.end = true;
    if (!send_request(job, &request))
        return false;
    while (job->under_way > 0)
        if (take_answer(job) == NULL)
            return false;
    return true;
}

/* Rows ----------------------------------------------------------------------------------------- */

static char *copy_or_empty(const char *text)
{
    return text[0] != '\0' ? check_strdup(text) : NULL;
}

/* Rows that are passed over stand as number 0, since a call's rows follow each other. */
static bool add_row(struct job *job, uint64_t row, const struct import_row *in)
{
    struct rows *rows = &job->rows;
    if (rows->count > 0 && row - rows->first >= IMPORT_ROWS_MAX && !send_rows(job))
        return false;
    if (rows->count == 0)
        rows->first = row;
    while (rows->first + rows->count <= row) {
        rows->numbers[rows->count] = 0;
        rows->pointers[rows->count] = &rows->columns[rows->count];
        assent__v1__import_columns__init(&rows->columns[rows->count]);
        rows->columns[rows->count].source = rows->columns[rows->count].evidence = NULL;
        rows->count++;
    }
    size_t at = rows->count - 1;
    rows->numbers[at] = in->number;
    if (!job->with_columns)
        return true;
    rows->columns[at].source = copy_or_empty(in->source);
    rows->columns[at].evidence = copy_or_empty(in->evidence);
    rows->columns[at].when_wall_ms = in->when_wall_ms;
    return true;
}

static bool is_text(const char *cell, const char *column, struct import_fault *ret_fault)
{
    if (frame_text_valid(span_from_string(cell)))
        return true;
    *ret_fault = (struct import_fault){column, "not UTF-8; save the file as UTF-8"};
    return false;
}

static bool read_cells(const struct job *job, const char *const cells[COLUMNS],
                       struct import_row *ret_row, struct import_fault *ret_fault)
{
    *ret_row = (struct import_row){.source = cells[SOURCE], .evidence = cells[EVIDENCE]};
    if (number_parse(span_from_string(cells[NUMBER]), &ret_row->number) != ERR_OK)
        ret_row->number = 0; /* import_row_check() says what that means */
    if (cells[OBTAINED_AT][0] != '\0' &&
        !when_parse_date(cells[OBTAINED_AT], job->now_wall_ms, &ret_row->when_wall_ms)) {
        *ret_fault =
            (struct import_fault){"obtained_at", "not like 2026-11-01 or 2026-11-01T10:00:00Z"};
        return false;
    }
    return is_text(cells[SOURCE], "source", ret_fault) &&
           is_text(cells[EVIDENCE], "evidence", ret_fault) &&
           import_row_check(job->kind, ret_row, job->now_wall_ms, ret_fault);
}

static bool take_row(struct job *job)
{
    const char *cells[COLUMNS];
    struct import_row row;
    struct import_fault fault;
    for (int i = 0; i < COLUMNS; i++)
        cells[i] = csv_cell(job->csv, job->at[i]);
    if (!read_cells(job, cells, &row, &fault)) {
        job->refused++;
        progress_clear(&job->progress);
        rejected_row(&job->rejected, cells, csv_line(job->csv), fault.column, fault.reason);
        return true;
    }
    job->sound++;
    if (job->window > 0)
        return add_waiting(job, csv_row(job->csv), row.number);
    if (job->dry_run || csv_row(job->csv) < job->next_row)
        return true;
    return add_row(job, csv_row(job->csv), &row);
}

static void reject_unread(struct job *job)
{
    static const char *const none[COLUMNS] = {"", "", "", ""};
    job->refused++;
    progress_clear(&job->progress);
    rejected_row(&job->rejected, none, csv_line(job->csv), "", csv_why(job->csv));
}

static bool import_rows(struct job *job)
{
    enum csv_result result;
    while ((result = csv_next(job->csv)) != CSV_END) {
        job->read++;
        if (result == CSV_BAD)
            reject_unread(job);
        else if (!take_row(job))
            return false;
        if (job->read % 1024 == 0)
            progress_show(&job->progress, csv_position(job->csv), csv_size(job->csv), job->read);
    }
    return job->dry_run || end(job);
}

/* All ------------------------------------------------------------------------------------------ */

static bool find_columns(struct job *job)
{
    for (int i = 0; i < COLUMNS; i++)
        job->at[i] = csv_column(job->csv, column_names[i]);
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (job->at[aliases[i].column] < 0)
            job->at[aliases[i].column] = csv_column(job->csv, aliases[i].name);
    for (int i = SOURCE; i < COLUMNS; i++)
        job->with_columns |= job->at[i] >= 0;
    const struct {
        enum column column;
        bool needed;
    } needs[] = {{NUMBER, true},
                 {SOURCE, job->kind->evidence},
                 {EVIDENCE, job->kind->evidence},
                 {OBTAINED_AT, job->kind->date}};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (needs[i].needed && job->at[needs[i].column] < 0) {
            complain("%s: row 1 names no column `%s`; columns are number, source (or how), "
                     "evidence, obtained_at (or date)",
                     job->path, column_names[needs[i].column]);
            return false;
        }
    return true;
}

static void print_result(struct job *job, bool whole, uint64_t ms)
{
    struct columns table;
    char text[COUNT_TEXT_SIZE];
    columns_init(&table, "lr");
    if (job->dry_run)
        columns_add(&table, "would be recorded", count_text(job->sound, text));
    else
        columns_add(&table, "recorded", count_text(job->recorded - job->before, text));
    if (job->before > 0)
        columns_add(&table, "recorded before", count_text(job->before, text));
    columns_add(&table, "rejected", count_text(job->refused, text));
    if (whole && ms >= 1000)
        columns_add(&table, "rows/s", count_text(job->read * 1000 / ms, text));
    columns_print(&table, stdout);
    rejected_close(&job->rejected);
    if (!whole && job->import != 0)
        complain("the import is not at its end; the same command with --resume goes on with it");
}

static bool run(struct job *job, const struct cli *cli, bool progress)
{
    job->csv = csv_open(job->path);
    if (job->csv == NULL || !find_columns(job))
        return false;
    job->client = client_open(cli);
    if (job->client == NULL || !begin(job))
        return false;
    rejected_init(&job->rejected, job->path, column_names, COLUMNS);
    progress_init(&job->progress, job->dry_run ? "looking" : "importing",
                  progress_wanted(progress));
    uint64_t start_us = clock_mono_us();
    bool whole = import_rows(job);
    progress_end(&job->progress, csv_position(job->csv), csv_size(job->csv), job->read);
    print_result(job, whole, (clock_mono_us() - start_us) / US_PER_MS);
    return whole && job->refused == 0;
}

static void job_free(struct job *job)
{
    empty_rows(&job->rows);
    free(job->sorting);
    client_close(job->client);
    csv_close(job->csv);
    free(job);
}

static int check_options(const struct usage *usage, struct job *job)
{
    job->kind_number = import_kind_named(job->kind_word != NULL ? job->kind_word : "");
    job->kind = import_kind(job->kind_number);
    if (job->kind == NULL)
        return usage_error(usage,
                           "--kind is optin, optout, do-not-call, reassigned, deactivated or "
                           "litigators");
    if (job->everything && (job->kind->opt_in || !job->kind->of_a_program))
        return usage_error(usage, "--everything is for opt-outs");
    if (job->program == NULL && job->kind->of_a_program && !job->everything)
        return usage_error(usage, "--program is needed");
    if (job->copied_at != NULL &&
        (job->kind->of_a_program ||
         !when_parse_date(job->copied_at, job->now_wall_ms, &job->copied_wall_ms) ||
         job->copied_wall_ms > job->now_wall_ms))
        return usage_error(usage, "--copied-at is for registers, like 2026-11-01, and past");
    return job->path == NULL ? usage_error(usage, "which FILE?") : -1;
}

int consent_import(const struct cli *cli, int argc, char **argv)
{
    struct job *job = check_calloc(1, sizeof *job);
    job->now_wall_ms = clock_wall_ms();
    bool progress = false;
    const struct option_row rows[] = {
        {"program", "P", "the program that opt-ins and opt-outs are about", &job->program, NULL},
        {"kind", "K", "optin, optout, do-not-call, reassigned, deactivated or litigators",
         &job->kind_word, NULL},
        {"everything", NULL, "opt-outs of every program; operators only", NULL, &job->everything},
        {"copied-at", "DATE", "when the register was copied: its age counts from here",
         &job->copied_at, NULL},
        {"resume", NULL, "go on with the import of this file where it stopped", NULL, &job->resume},
        {"dry-run", NULL, "look at every row and record none", NULL, &job->dry_run},
        {"progress", NULL, "show progress also when stderr is no terminal", NULL, &progress},
    };
    const struct usage usage = {
        .synopsis = "assent consent import --program P --kind K FILE",
        .about =
            "FILE is CSV with the columns number, source (or how), evidence and obtained_at (or\n"
            "date); - is stdin. An opt-in needs all four, a reassigned or deactivated number its\n"
            "date, the others the number alone. Rows that are refused go to FILE.rejected.csv "
            "with\n"
            "line, column and reason. An import only adds: it lifts no opt-out. Opt-ins are for\n"
            "programs with `opt_in: single`. Registers (do-not-call, reassigned, deactivated,\n"
            "litigators) hold for every program and are the operator's.",
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

/* SPDX-License-Identifier: Apache-2.0 */
/* assent export: the ledger's records, or some of them, for auditors. One pass; the same range gives the same
 * octets each time, since nothing but the ledger decides what is written. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consent/ledger_checkpoint.h"
#include "consent/record_peek.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cut_by.h"
#include "gateway/cli/erased_by.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/export_case.h"
#include "gateway/cli/export_out.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/ledger_path.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/table.h"
#include "proto/number.h"

#define KINDS_MAX     8
#define PROGRESS_EACH 4096
#define PROGRAM_NAME  "program:" /* what names of programs begin with, among scopes */

/* What the caller asked for; 0, NULL: everything. */
struct filter {
    uint64_t from_ms, to_ms, number, message;
    const char *program, *brand, *client;
    const char *kinds[KINDS_MAX];
    size_t kind_count;
};

struct export_job {
    struct filter filter;
    const struct config *config;  /* for brands; or NULL */
    struct table messages;        /* that the filter's number or client chose: ids -> 1 */
    struct ledger_filter *chosen; /* what a number's or a message's indices lead to */
    char *names[SCOPE_MAX + 1];   /* of programs, as the ledger has told them */
    bool wanted[SCOPE_MAX + 1];   /* programs that the filter chose */
    struct arena arena;
    struct row_maker *maker;
    const struct export_out *out;
    const char *directory, *path; /* path NULL: standard output */
    struct erased_parts *erased;  /* read when the first destroyed part is met */
    bool begun;
    struct progress progress;
    uint64_t records, read, rows; /* there are, about; were looked at; were written */
};

/* Filters ------------------------------------------------------------------------------------- */

static bool brand_has(const struct export_job *job, const char *program)
{
    for (uint16_t i = 0; job->config != NULL && i < job->config->program_count; i++)
        if (strcmp(job->config->programs[i].name, program) == 0)
            return strcmp(job->config->programs[i].brand, job->filter.brand) == 0;
    return false;
}

static void learn(struct export_job *job, const Assent__V1__Event *event)
{
    if (event->body_case != ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED)
        return;
    const Assent__V1__ScopeRegistered *scope = event->scope_registered;
    size_t prefix = strlen(PROGRAM_NAME);
    if (scope->number > SCOPE_MAX || strncmp(scope->name, PROGRAM_NAME, prefix) != 0)
        return;
    const char *name = scope->name + prefix;
    free(job->names[scope->number]);
    job->names[scope->number] = check_strdup(name);
    job->wanted[scope->number] =
        (job->filter.program == NULL || strcmp(job->filter.program, name) == 0) &&
        (job->filter.brand == NULL || brand_has(job, name));
}

static bool kind_is_wanted(const struct filter *filter, const Assent__V1__Event *event)
{
    const char *kind = event_kind(event);
    for (size_t i = 0; i < filter->kind_count; i++)
        if (strcmp(filter->kinds[i], kind) == 0)
            return true;
    return filter->kind_count == 0;
}

/* By what can be seen without unpacking the record. Scopes are learned from any time. */
static bool may_matter(const struct export_job *job, const struct record_peek *peek)
{
    const struct filter *filter = &job->filter;
    bool in_time = peek->wall_ms >= filter->from_ms && peek->wall_ms < filter->to_ms;
    bool by_program = filter->program != NULL || filter->brand != NULL;
    if (peek->body == ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED)
        return true;
    if (by_program && (peek->program > SCOPE_MAX || !job->wanted[peek->program]))
        return false;
    if (peek->body == ASSENT__V1__EVENT__BODY_ACCEPTED)
        return in_time || filter->number != 0 || filter->client != NULL;
    return in_time;
}

/* The client that a record names itself; "" where none. */
static const char *client_of(const Assent__V1__Event *event)
{
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_ACCEPTED:
        return event->accepted->client;
    case ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED:
        return event->opt_in_requested->client;
    case ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED:
        return event->opt_in_recorded->client;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        return event->opted_out->client;
    case ASSENT__V1__EVENT__BODY_IMPORT_BEGUN:
        return event->import_begun->client;
    default:
        return "";
    }
}

/* Number and client stand in the message's first record; the later ones name the message. */
static bool concerns(struct export_job *job, uint64_t sequence, const Assent__V1__Event *event,
                     const Assent__V1__Personal *personal)
{
    const struct filter *filter = &job->filter;
    bool is_message = event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED;
    uint64_t message = is_message ? sequence : event->message;
    if (filter->message != 0 && message != filter->message)
        return false;
    if (filter->number == 0 && filter->client == NULL)
        return true;
    if (!is_message && event->message != 0)
        return table_find(&job->messages, event->message) != NULL;
    if ((filter->number != 0 && (personal == NULL || personal->number != filter->number)) ||
        (filter->client != NULL && strcmp(client_of(event), filter->client) != 0))
        return false;
    if (is_message) {
        *table_put(&job->messages, sequence) = 1;
        ledger_filter_message(job->chosen, sequence);
    }
    return true;
}

/* Reading ------------------------------------------------------------------------------------- */

/* By which request the record's personal part was destroyed, into `out`; "" where it is there, or there was none.
 * False: the ledger cannot be read. Who has erased nobody pays for no pass. */
static bool tell_erasure(struct export_job *job, const struct ledger_record *record,
                         char out[ERASED_BY_SIZE])
{
    struct erased_by by;
    out[0] = '\0';
    if (record->commitment.length == 0 || record->personal_part.length > 0)
        return true;
    if (job->erased == NULL)
        job->erased = erased_parts_read(job->directory);
    if (job->erased != NULL && erased_parts_find(job->erased, record->sequence, &by))
        erased_by_text(&by, out);
    return job->erased != NULL;
}

static bool write_row(struct export_job *job, const struct ledger_record *record,
                      const Assent__V1__Event *event, const Assent__V1__Personal *personal)
{
    const char *program =
        event->program <= SCOPE_MAX && job->names[event->program] ? job->names[event->program] : "";
    char erasure[ERASED_BY_SIZE];
    job->rows++;
    return tell_erasure(job, record, erasure) &&
           job->out->row(row_make(job->maker, record->sequence, event, personal, program, erasure));
}

static bool select_record(struct export_job *job, const struct ledger_record *record)
{
    struct record_peek peek;
    if (!record_peek(record->public_part, &peek) || !may_matter(job, &peek))
        return true;
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&job->arena, record, &personal);
    if (event == NULL)
        return true;
    learn(job, event);
    bool in_time = peek.wall_ms >= job->filter.from_ms && peek.wall_ms < job->filter.to_ms;
    bool mine = (job->filter.program == NULL && job->filter.brand == NULL) ||
                (event->program <= SCOPE_MAX && job->wanted[event->program]);
    if (!mine || !concerns(job, record->sequence, event, personal) || !in_time ||
        !kind_is_wanted(&job->filter, event))
        return true;
    return write_row(job, record, event, personal);
}

/* How many records there are about: for the bar. */
static uint64_t about_records(const char *directory)
{
    char note[NOTE_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    return checkpoint_newest(directory, note, &length, &checkpoint) == ERR_OK ? checkpoint.size : 0;
}

static bool read_record(void *context, const struct ledger_record *record)
{
    struct export_job *job = context;
    bool good = select_record(job, record);
    uint64_t read = record->sequence < job->records ? record->sequence : job->records;
    if (++job->read % PROGRESS_EACH == 0)
        progress_show(&job->progress, read, job->records, job->rows);
    return good;
}

/* Not before there is a ledger: what is written must not look like an empty one. */
static bool begin(void *context)
{
    struct export_job *job = context;
    job->begun = job->out->begin(job->path);
    return job->begun;
}

/* Names of programs are told by records of any time. */
static bool read_all(struct export_job *job, const char *directory, bool wants_progress)
{
    job->directory = directory;
    const struct filter *filter = &job->filter;
    job->chosen = ledger_filter_new();
    ledger_filter_number(job->chosen, filter->number);
    ledger_filter_message(job->chosen, filter->message);
    ledger_filter_event(job->chosen, ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED);
    bool by_index = filter->number != 0 || filter->message != 0;
    job->records = about_records(directory);
    progress_init(&job->progress, "exporting", wants_progress);
    bool good = ledger_pass(&(struct ledger_pass){.directory = directory,
                                                  .filter = by_index ? job->chosen : NULL,
                                                  .begin = begin,
                                                  .each = read_record,
                                                  .context = job});
    progress_end(&job->progress, job->records, job->records, job->rows);
    ledger_filter_free(job->chosen);
    return good;
}

static int run(struct export_job *job, const char *directory, bool progress)
{
    char count[COUNT_TEXT_SIZE], cut[CUT_BY_SIZE];
    table_init(&job->messages);
    arena_init(&job->arena, RECORD_ARENA_MAX);
    job->maker = row_maker_new();
    bool good = read_all(job, directory, progress);
    if (job->begun)
        good = job->out->end() && good;
    row_maker_free(job->maker);
    erased_parts_free(job->erased);
    arena_release(&job->arena);
    table_release(&job->messages);
    for (size_t i = 0; i <= SCOPE_MAX; i++)
        free(job->names[i]);
    if (!good && job->begun && job->path != NULL)
        (void)unlink(job->path); /* half of it would look like all of it */
    if (good && job->path != NULL)
        fprintf(stderr, "%s records in %s\n", count_text(job->rows, count), job->path);
    if (good && cut_summary(directory, cut))
        fprintf(stderr, "assent: note: %s\n", cut);
    return good ? EXIT_DONE : EXIT_REFUSED;
}

/* The command --------------------------------------------------------------------------------- */

static const struct export_out *out_of(const char *word)
{
    static const struct export_out *const outs[] = {&export_csv, &export_jsonl, &export_sqlite};
    for (size_t i = 0; i < sizeof outs / sizeof outs[0]; i++)
        if (strcmp(outs[i]->name, word) == 0)
            return outs[i];
    return NULL;
}

static bool is_kind(const char *word)
{
    const ProtobufCMessageDescriptor *event = &assent__v1__event__descriptor;
    for (unsigned i = 0; i < event->n_fields; i++)
        if ((event->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            strcmp(event->fields[i].name, word) == 0)
            return true;
    return false;
}

/* "accepted,sent"; the words stay in `words`. False at one that is no kind; *ret_bad names it. */
static bool read_kinds(char *words, struct filter *filter, const char **ret_bad)
{
    char *rest = NULL;
    for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        *ret_bad = word;
        if (!is_kind(word) || filter->kind_count == KINDS_MAX)
            return false;
        filter->kinds[filter->kind_count++] = word;
    }
    return true;
}

/* The options as they were written. */
struct export_words {
    const char *data, *from, *to, *number, *message, *kinds, *format, *path, *person;
    bool progress;
};

/* Makes the filter of the words; the exit code of a complaint otherwise. `kinds` stays in the filter. */
static int read_filter(const struct usage *usage, const struct export_words *words, char *kinds,
                       struct filter *filter)
{
    const char *bad = "";
    uint64_t now_ms = clock_wall_ms();
    filter->to_ms = UINT64_MAX;
    if (words->from != NULL && !when_parse_date(words->from, now_ms, &filter->from_ms))
        return usage_error(usage, "--from %s is no time like 2026-12-01 or 2026-12-01T09:00:00Z",
                           words->from);
    if (words->to != NULL && !when_parse_date(words->to, now_ms, &filter->to_ms))
        return usage_error(usage, "--to %s is no time like 2026-12-01 or 2026-12-01T09:00:00Z",
                           words->to);
    if (filter->to_ms <= filter->from_ms)
        return usage_error(usage, "--to is not later than --from: no record can be between them");
    if (words->number != NULL &&
        number_parse(span_from_string(words->number), &filter->number) != ERR_OK)
        return usage_error(usage, "--number %s is no number like +12025550123", words->number);
    if (words->message != NULL &&
        (!config_integer(words->message[0] == '#' ? words->message + 1 : words->message,
                         &filter->message) ||
         filter->message == 0))
        return usage_error(usage, "--message %s is no id", words->message);
    if (!read_kinds(kinds, filter, &bad))
        return usage_error(usage, "--kind %s: up to %d kinds that `assent watch --json` shows", bad,
                           KINDS_MAX);
    return EXIT_DONE;
}

static int export_records(const struct cli *cli, const struct usage *usage,
                          const struct export_words *words, struct export_job *job)
{
    struct config *config = NULL;
    job->out = out_of(words->format);
    job->path = words->path;
    if (job->out == NULL)
        return usage_error(usage, "--format %s: csv, jsonl and sqlite are known", words->format);
    if (job->out->needs_file && words->path == NULL)
        return usage_error(usage, "a database needs -o FILE");
    if (job->filter.brand != NULL && cli->config_path == NULL)
        return usage_error(usage, "--brand needs -c FILE: it says which programs are a brand's");
    char *kinds = check_strdup(words->kinds ? words->kinds : ""), *directory = NULL;
    int code = read_filter(usage, words, kinds, &job->filter);
    if (code == EXIT_DONE && job->filter.brand != NULL &&
        (job->config = config = cli_load_config(cli)) == NULL)
        code = EXIT_REFUSED;
    if (code == EXIT_DONE && (directory = ledger_path(cli, words->data)) == NULL)
        code = EXIT_REFUSED;
    if (code == EXIT_DONE)
        code = run(job, directory, progress_wanted(words->progress));
    free(directory);
    free(kinds);
    if (config != NULL)
        config_free(config);
    return code;
}

static int export_person(const struct cli *cli, const struct usage *usage,
                         const struct export_words *words, const struct filter *filter)
{
    uint64_t number;
    if (words->from || words->to || words->number || words->message || words->kinds ||
        filter->program || filter->brand || filter->client)
        return usage_error(usage, "--case has all on one person: no filter goes with it");
    if (words->path == NULL)
        return usage_error(usage, "--case needs -o FILE: a zip file");
    if (number_parse(span_from_string(words->person), &number) != ERR_OK)
        return usage_error(usage, "--case %s is no number like +12025550123", words->person);
    char *directory = ledger_path(cli, words->data);
    if (directory == NULL)
        return EXIT_REFUSED;
    int code = export_case(directory, number, words->path, progress_wanted(words->progress));
    free(directory);
    return code;
}

int command_export(const struct cli *cli, int argc, char **argv)
{
    static struct export_job job;
    struct filter *filter = &job.filter;
    struct export_words words = {.format = "csv"};
    const struct option_row rows[] = {
        {"data", "DIR", "the gateway's data directory; else from -c", &words.data, NULL},
        {"from", "TIME", "records from then on; 2026-12-01 or 2026-12-01T09:00:00Z", &words.from,
         NULL},
        {"to", "TIME", "records before then", &words.to, NULL},
        {"program", "NAME", "of this program", &filter->program, NULL},
        {"brand", "NAME", "of this brand's programs; needs -c", &filter->brand, NULL},
        {"client", "NAME", "what this client submitted, and what became of it", &filter->client,
         NULL},
        {"number", "NUMBER", "of this person", &words.number, NULL},
        {"message", "ID", "of this message", &words.message, NULL},
        {"kind", "KIND,...",
         "of these kinds, up to eight: accepted, sent, opted_out, ... as\n"
         "                        the column `kind` says",
         &words.kinds, NULL},
        {"format", "FORMAT", "csv, jsonl or sqlite; csv", &words.format, NULL},
        {"case", "NUMBER",
         "all on this person for an auditor, a zip file: a page to read,\n"
         "                        the records, a proof of each, and what checks them",
         &words.person, NULL},
        {"o", "FILE", "write there, mode 0600; it must not be there. Else standard output",
         &words.path, NULL},
        {"progress", NULL, "show progress also when stderr is no terminal", NULL, &words.progress},
    };
    const struct usage usage = {
        .synopsis =
            "assent {-c FILE export | export --data DIR} [FILTERS] [--format FORMAT] [-o FILE]\n"
            "       assent {-c FILE export | export --data DIR} --case NUMBER -o FILE",
        .about =
            "Writes the ledger's records, a row each, with what is the same for all kinds in "
            "columns\n"
            "and the rest in `details`. SQLite gets a table of messages and views too: consent,\n"
            "opt_outs, refused, sent. All filters must hold. Times are UTC. The gateway may run;\n"
            "what it writes meanwhile may or may not be in. The file holds numbers and texts.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t count;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &count);
    if (result != OPTIONS_READ)
        return options_exit(result);
    return words.person != NULL ? export_person(cli, &usage, &words, filter)
                                : export_records(cli, &usage, &words, &job);
}

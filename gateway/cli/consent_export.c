/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent export: where everybody stands and why, from the ledgers. They are read twice: first to find
 * which record stands for each number and scope, then to write those records, so that memory holds 16 octets a
 * member and no evidence. What --kind and --program select, `assent consent import` takes as it is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/import.h"
#include "consent/projection.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/json.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/options.h"
#include "gateway/cli/when.h"
#include "gateway/config.h"
#include "proto/base/check.h"
#include "proto/base/table.h"
#include "proto/number.h"

#define DIRECTORIES_MAX 16
#define LEDGER_SHIFT    56 /* a record's name: its sequence number, and above it the ledger's index */
#define MS_PER_DAY      (24ull * 3600 * 1000)

struct export
{
    const char *kind_word, *program;
    bool json;
    const struct import_kind *kind; /* NULL: everything */
    const char *directories[DIRECTORIES_MAX];
    unsigned count;
    struct table opt_outs, opt_ins; /* member to the record that stands */
    struct table stop_times;        /* member to the newest opt-out's */
    char *scope_names[SCOPE_MAX + 1];
    uint64_t rows;
};

/* One row of it. */
struct row {
    uint64_t number, record;
    const char *state, *source, *evidence;
    uint16_t scope;
    uint64_t obtained_wall_ms, recorded_wall_ms;
};

static uint64_t record_name(const struct ledgers_event *event)
{
    return (uint64_t)event->ledger << LEDGER_SHIFT | event->sequence;
}

/* ---- the first reading: what stands ---- */

static bool keeps_no_days(const void *context, uint32_t program_scope)
{
    (void)context;
    (void)program_scope;
    return false;
}

static void note_opt_out(struct export *x, uint64_t member, uint64_t record, uint64_t taken_ms)
{
    *table_put(&x->opt_outs, member) = record;
    if (taken_ms == 0)
        return;
    uint64_t *newest_ms = table_put(&x->stop_times, member);
    if (taken_ms > *newest_ms)
        *newest_ms = taken_ms;
}

/* Not what came after it, or with it. */
static void note_lift(struct export *x, uint64_t member, uint64_t taken_ms)
{
    const uint64_t *newest_ms = table_find(&x->stop_times, member);
    if (newest_ms == NULL || taken_ms > *newest_ms)
        (void)table_remove(&x->opt_outs, member);
}

static void note_write(void *context, const struct ledgers_event *event)
{
    struct export *x = context;
    struct consent_write write = {0};
    const struct projection_rules rules = {.keeps_days = keeps_no_days};
    if (!write_of_event(event->sequence, event->event, event->personal, &rules, &write))
        return;
    for (uint8_t i = 0; i < write.scope_count; i++) {
        uint64_t member = consent_key(write.scopes[i], write.number);
        if (write.kind == WRITE_OPT_OUT)
            note_opt_out(x, member, record_name(event), write.taken_wall_ms);
        else if (write.kind == WRITE_LIFT_OPT_OUT)
            note_lift(x, member, write.taken_wall_ms);
        else if (write.kind == WRITE_OPT_IN)
            *table_put(&x->opt_ins, member) = record_name(event);
    }
    if (write.kind == WRITE_SCOPE && write.scopes[0] <= SCOPE_MAX) {
        free(x->scope_names[write.scopes[0]]);
        x->scope_names[write.scopes[0]] = check_strdup(write.name);
    }
}

/* ---- the second: what is told ---- */

static const char *scope_text(const struct export *x, uint16_t scope)
{
    static const char *const reserved[] = {"everything", "hold", "do-not-call", "reassigned"};
    if (scope < sizeof reserved / sizeof reserved[0])
        return reserved[scope];
    const char *name = scope <= SCOPE_MAX ? x->scope_names[scope] : NULL;
    return name != NULL ? name : "";
}

static bool is_wanted(const struct export *x, const struct row *row)
{
    const char *name = scope_text(x, row->scope);
    bool of_program = strncmp(name, "program:", 8) == 0 &&
                      (x->program == NULL || strcmp(name + 8, x->program) == 0);
    if (x->kind == NULL)
        return x->program == NULL || of_program;
    if (x->kind->opt_in)
        return of_program && strcmp(row->state, "single") == 0;
    if (strcmp(row->state, "opted_out") != 0)
        return false;
    return x->kind->of_a_program ? of_program : row->scope == x->kind->scope;
}

static void print_cell(const char *cell)
{
    if (strpbrk(cell, ",\"\r\n") == NULL && cell[0] != ' ') {
        fputs(cell, stdout);
    } else {
        putchar('"');
        for (; *cell != '\0'; cell++) {
            if (*cell == '"')
                putchar('"');
            putchar(*cell);
        }
        putchar('"');
    }
    putchar(',');
}

/* RFC 3339, as import reads it; "" for none. */
static const char *date_text(uint64_t wall_ms, char out[WHEN_TEXT_SIZE + 8])
{
    char text[WHEN_TEXT_SIZE];
    out[0] = '\0';
    if (wall_ms != 0)
        snprintf(out, WHEN_TEXT_SIZE + 8, "%sZ", when_text(wall_ms, text));
    return out;
}

static void print_row(struct export *x, const struct row *row)
{
    char number[NUMBER_TEXT_SIZE], obtained[WHEN_TEXT_SIZE + 8], recorded[WHEN_TEXT_SIZE + 8];
    if (!is_wanted(x, row))
        return;
    x->rows++;
    number_format(row->number, number);
    date_text(row->obtained_wall_ms, obtained);
    date_text(row->recorded_wall_ms, recorded);
    if (x->json) {
        json_line(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "number", number, "state",
                            row->state, "scope", scope_text(x, row->scope), "source", row->source,
                            "evidence", row->evidence, "obtained_at", obtained, "recorded_at",
                            recorded, "record", (json_int_t)row->record),
                  stdout);
        return;
    }
    putchar('+');
    print_cell(number);
    print_cell(row->source);
    print_cell(row->evidence);
    print_cell(obtained);
    print_cell(row->state);
    print_cell(scope_text(x, row->scope));
    print_cell(recorded);
    printf("%" PRIu64 "\n", row->record);
}

static bool stands(const struct table *table, uint16_t scope, const struct ledgers_event *event)
{
    const uint64_t *found = table_find(table, consent_key(scope, event->personal->number));
    return found != NULL && *found == record_name(event);
}

static void tell_opt_out(struct export *x, const struct ledgers_event *event, struct row *row)
{
    const Assent__V1__OptedOut *out = event->event->opted_out;
    bool replied = out->source == ASSENT__V1__CONSENT_SOURCE__REPLY;
    row->state = "opted_out";
    row->source = replied ? "reply" : out->how;
    row->evidence = replied ? event->personal->text : event->personal->evidence;
    row->obtained_wall_ms =
        out->effective_wall_ms != 0 ? out->effective_wall_ms : (uint64_t)out->day * MS_PER_DAY;
    for (size_t i = 0; i < out->n_scopes; i++) {
        row->scope = (uint16_t)out->scopes[i];
        if (stands(&x->opt_outs, row->scope, event))
            print_row(x, row);
    }
}

static void tell_vacant(struct export *x, const struct ledgers_event *event, struct row *row)
{
    row->state = "opted_out";
    row->source = "unknown subscriber";
    row->evidence = event->event->number_vacant->code;
    row->obtained_wall_ms = event->event->wall_ms;
    row->scope = SCOPE_REASSIGNED;
    if (stands(&x->opt_outs, row->scope, event))
        print_row(x, row);
}

static void tell_opt_in(struct export *x, const struct ledgers_event *event, struct row *row)
{
    const Assent__V1__OptInRecorded *recorded = NULL;
    if (event->event->body_case == ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED)
        recorded = event->event->opt_in_recorded;
    row->state = recorded != NULL ? "single" : "confirmed";
    row->source = recorded != NULL ? recorded->how : "reply or token";
    row->evidence = recorded != NULL ? event->personal->evidence : event->personal->text;
    row->obtained_wall_ms = recorded != NULL && recorded->obtained_wall_ms != 0
                                ? recorded->obtained_wall_ms
                                : event->event->wall_ms;
    row->scope = (uint16_t)event->event->program;
    if (stands(&x->opt_ins, row->scope, event))
        print_row(x, row);
}

static void tell(void *context, const struct ledgers_event *event)
{
    struct export *x = context;
    if (event->personal == NULL)
        return;
    struct row row = {.number = event->personal->number,
                      .record = event->sequence,
                      .recorded_wall_ms = event->event->wall_ms};
    switch (event->event->body_case) {
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        tell_opt_out(x, event, &row);
        return;
    case ASSENT__V1__EVENT__BODY_NUMBER_VACANT:
        tell_vacant(x, event, &row);
        return;
    case ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED:
    case ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED:
        tell_opt_in(x, event, &row);
        return;
    default:
        return;
    }
}

/* ---- all ---- */

static bool run(struct export *x)
{
    if (!ledgers_pass(x->directories, x->count, note_write, x))
        return false;
    if (!x->json)
        puts("number,source,evidence,obtained_at,state,scope,recorded_at,record");
    if (!ledgers_pass(x->directories, x->count, tell, x))
        return false;
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return true;
    complain("the output cannot be written");
    return false;
}

static int check_options(const struct usage *usage, struct export *x)
{
    if (x->kind_word == NULL)
        return -1;
    x->kind = import_kind(import_kind_named(x->kind_word));
    if (x->kind == NULL)
        return usage_error(usage,
                           "--kind is optin, optout, do-not-call, reassigned, deactivated or "
                           "litigators");
    if (x->kind->of_a_program && x->program == NULL)
        return usage_error(usage, "--program is needed with --kind %s", x->kind_word);
    return -1;
}

static int run_with(struct export *x, const struct cli *cli, size_t words)
{
    struct config *config = cli_load_config(cli);
    if (config == NULL)
        return EXIT_REFUSED;
    memmove(x->directories + 1, x->directories, words * sizeof x->directories[0]);
    x->directories[0] = config->data_dir;
    x->count = (unsigned)words + 1;
    bool ok = run(x);
    config_free(config);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

int consent_export(const struct cli *cli, int argc, char **argv)
{
    struct export *x = check_calloc(1, sizeof *x);
    size_t words = 0;
    table_init(&x->opt_outs);
    table_init(&x->stop_times);
    table_init(&x->opt_ins);
    const struct option_row rows[] = {
        {"kind", "K", "what `import --kind K` takes again; else everything", &x->kind_word, NULL},
        {"program", "P", "of this program alone", &x->program, NULL},
        {"json", NULL, "an object a line", NULL, &x->json},
    };
    const struct usage usage = {
        .synopsis = "assent -c FILE consent export [--kind K] [--program P] [DATA-DIR...]",
        .about = "Writes who has agreed to and refused what, with source and evidence, as CSV: "
                 "from the\n"
                 "ledger of FILE's gateway and, by their data directories, those of others. With "
                 "--kind\n"
                 "the file can be imported again. Numbers stand there in full.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    enum options_result result =
        options_read(&usage, argc, argv, x->directories, DIRECTORIES_MAX - 1, &words);
    int code = result == OPTIONS_READ ? check_options(&usage, x) : options_exit(result);
    if (code < 0)
        code = run_with(x, cli, words);
    for (size_t i = 0; i <= SCOPE_MAX; i++)
        free(x->scope_names[i]);
    table_release(&x->opt_outs);
    table_release(&x->stop_times);
    table_release(&x->opt_ins);
    free(x);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/imports.h"

#include <stdio.h>
#include <stdlib.h>

#include "consent/digest.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/frame.h"

#define ROOM_NEEDED (LEDGER_BATCH_OCTETS / 2) /* in the ledger's batch: a call is far smaller */
#define MS_PER_DAY  (24ull * 3600 * 1000)

/* ---- the imports that are known ---- */

void imports_init(struct engine *e)
{
    TAILQ_INIT(&e->imports.list);
}

static void drop_oldest(struct imports *imports)
{
    struct import *import = TAILQ_FIRST(&imports->list);
    TAILQ_REMOVE(&imports->list, import, link);
    imports->count--;
    free(import);
}

void imports_release(struct engine *e)
{
    while (e->imports.count > 0)
        drop_oldest(&e->imports);
}

static struct import *find(const struct engine *e, uint64_t id)
{
    struct import *import;
    TAILQ_FOREACH_REVERSE (import, &e->imports.list, import_list, link)
        if (import->id == id)
            return import;
    return NULL;
}

/* The newest one of this file, by the same client for the same purpose. */
static struct import *find_file(const struct engine *e, const struct import *like)
{
    struct import *import;
    TAILQ_FOREACH_REVERSE (import, &e->imports.list, import_list, link)
        if (import->kind == like->kind && import->client == like->client &&
            import->program == like->program && import->scope == like->scope &&
            memcmp(import->sha256, like->sha256, sizeof like->sha256) == 0)
            return import;
    return NULL;
}

static struct import *remember(struct engine *e, const struct import *like)
{
    if (e->imports.count == IMPORTS_REMEMBERED)
        drop_oldest(&e->imports);
    struct import *import = check_malloc(sizeof *import);
    *import = *like;
    TAILQ_INSERT_TAIL(&e->imports.list, import, link);
    e->imports.count++;
    return import;
}

/* ---- records ---- */

static void describe(const struct engine *e, const struct import *import,
                     Assent__V1__ImportBegun *body)
{
    assent__v1__import_begun__init(body);
    body->kind = import->kind;
    body->client =
        UNCONST(import->client == CLIENT_OPERATOR ? "" : e->config->clients[import->client].name);
    body->file = UNCONST(import->file);
    body->sha256.data = (uint8_t *)(uintptr_t)import->sha256;
    body->sha256.len = sizeof import->sha256;
    body->copied_wall_ms = import->copied_wall_ms;
    body->scope = import->scope;
    body->window = import->window;
}

static uint64_t record_begun(struct engine *e, const struct import *import)
{
    Assent__V1__ImportBegun body;
    describe(e, import, &body);
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = import->program;
    event.body_case = ASSENT__V1__EVENT__BODY_IMPORT_BEGUN;
    event.import_begun = &body;
    return record_event(e, &event, NULL);
}

static void note_copy(struct engine *e, const struct import *import)
{
    uint64_t *newest = &e->imports.copied_wall_ms[import->kind];
    if (import->copied_wall_ms > *newest)
        *newest = import->copied_wall_ms;
}

static uint64_t record_copied(struct engine *e, const struct import *import)
{
    Assent__V1__RegisterCopied body = ASSENT__V1__REGISTER_COPIED__INIT;
    body.kind = import->kind;
    body.name = UNCONST(import->file);
    body.copied_wall_ms = import->copied_wall_ms;
    body.rows = import->rows;
    body.sha256.data = (uint8_t *)(uintptr_t)import->sha256;
    body.sha256.len = sizeof import->sha256;
    body.import = import->id;
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = import->program;
    event.body_case = ASSENT__V1__EVENT__BODY_REGISTER_COPIED;
    event.register_copied = &body;
    return record_event(e, &event, NULL);
}

/* Only for the simulation's own test. */
static void plant_a_lift(struct engine *e, uint64_t number)
{
    uint32_t everything = SCOPE_EVERYTHING;
    Assent__V1__OptedInAgain body = ASSENT__V1__OPTED_IN_AGAIN__INIT;
    body.n_scopes = 1;
    body.scopes = &everything;
    body.source = ASSENT__V1__CONSENT_SOURCE__IMPORT;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = number;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN;
    event.opted_in_again = &body;
    record_event(e, &event, &personal);
}

static void record_opt_in(struct engine *e, const struct import *import, uint64_t row,
                          const struct import_row *in)
{
    Assent__V1__OptInRecorded body = ASSENT__V1__OPT_IN_RECORDED__INIT;
    body.source = ASSENT__V1__CONSENT_SOURCE__IMPORT;
    body.client =
        UNCONST(import->client == CLIENT_OPERATOR ? "" : e->config->clients[import->client].name);
    body.how = UNCONST(in->source);
    body.obtained_wall_ms = in->when_wall_ms;
    body.day = vacancy_consent_day(e, in->number, in->when_wall_ms);
    body.import = import->id;
    body.row = row;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = in->number;
    personal.evidence = UNCONST(in->evidence);
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = import->program;
    event.body_case = ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED;
    event.opt_in_recorded = &body;
    record_event(e, &event, &personal);
    e->metrics.counters[COUNT_OPT_INS_RECORDED]++;
    if (e->plant == PLANT_IMPORT_LIFTS)
        plant_a_lift(e, in->number);
}

/* A register's one scope; or what a STOP of this number to the program would end. */
static void take_scopes(const struct engine *e, const struct import *import, uint64_t number,
                        uint32_t scopes[WRITE_SCOPES_MAX], Assent__V1__OptedOut *body)
{
    struct stop_reach_scopes reach = {.scopes = {import->scope}, .count = 1};
    int program = import->program != 0 ? engine_program_of_scope(e, import->program) : -1;
    uint16_t about = (uint16_t)program;
    if (program >= 0)
        stop_reach_of(e, number, &about, 1, &reach);
    for (uint8_t i = 0; i < reach.count; i++)
        scopes[i] = reach.scopes[i];
    body->scopes = scopes;
    body->n_scopes = reach.count;
    if (reach.rule != NULL)
        body->reach_rule = UNCONST(reach.rule);
}

static void record_opt_out(struct engine *e, const struct import *import, uint64_t row,
                           const struct import_row *in)
{
    uint32_t scopes[WRITE_SCOPES_MAX];
    Assent__V1__OptedOut body = ASSENT__V1__OPTED_OUT__INIT;
    body.source = ASSENT__V1__CONSENT_SOURCE__IMPORT;
    take_scopes(e, import, in->number, scopes, &body);
    body.how = UNCONST(in->source);
    body.import = import->id;
    body.row = row;
    if (import_kind(import->kind)->date) /* of a new owner */
        body.day = (uint32_t)(in->when_wall_ms / MS_PER_DAY);
    else
        body.effective_wall_ms = in->when_wall_ms;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = in->number;
    personal.evidence = UNCONST(in->evidence);
    Assent__V1__Event event = EVENT_INIT(e);
    event.program = import->program;
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
    event.opted_out = &body;
    record_event(e, &event, &personal);
    e->metrics.counters[COUNT_OPT_OUTS]++;
}

bool imports_mark_numbers(const struct engine *e)
{
    const uint64_t *copied = e->imports.copied_wall_ms;
    return copied[ASSENT__V1__IMPORT_KIND__IMPORT_REASSIGNED] != 0 ||
           copied[ASSENT__V1__IMPORT_KIND__IMPORT_DEACTIVATED] != 0;
}

/* ---- recovery ---- */

static void replay_begun(struct engine *e, uint64_t sequence, const Assent__V1__Event *event)
{
    const Assent__V1__ImportBegun *body = event->import_begun;
    struct import import = {.id = body->import ? body->import : sequence,
                            .kind = body->kind,
                            .client = CLIENT_OPERATOR,
                            .program = event->program,
                            .copied_wall_ms = body->copied_wall_ms,
                            .window = body->window,
                            .row = body->row,
                            .rows = body->rows,
                            .ended = body->ended};
    if (import_kind(body->kind) == NULL || body->sha256.len != sizeof import.sha256)
        return; /* of a newer version: it cannot be gone on with here */
    int client = body->client[0] ? config_find_client(e->config, body->client) : -1;
    if (client >= 0)
        import.client = (uint16_t)client;
    snprintf(import.file, sizeof import.file, "%s", body->file);
    memcpy(import.sha256, body->sha256.data, sizeof import.sha256);
    import.scope = (uint16_t)body->scope;
    remember(e, &import);
    if (import.ended)
        note_copy(e, &import);
}

static void replay_row(struct engine *e, uint64_t sequence, uint64_t id, uint64_t row)
{
    struct import *import = id != 0 ? find(e, id) : NULL;
    if (import != NULL && import->window > 0)
        row = import->row + 1;
    if (import == NULL || row <= import->row || e->plant == PLANT_IMPORT_FORGOTTEN)
        return;
    import->row = row;
    import->last = sequence;
    import->rows++;
}

void imports_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event)
{
    struct import *import;
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_IMPORT_BEGUN:
        replay_begun(e, sequence, event);
        return;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        replay_row(e, sequence, event->opted_out->import, event->opted_out->row);
        return;
    case ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED:
        replay_row(e, sequence, event->opt_in_recorded->import, event->opt_in_recorded->row);
        return;
    case ASSENT__V1__EVENT__BODY_REGISTER_COPIED:
        import = find(e, event->register_copied->import);
        if (import == NULL)
            return;
        import->ended = true;
        note_copy(e, import);
        return;
    default:
        return;
    }
}

void imports_snapshot(const struct engine *e, uint64_t wall_ms,
                      void (*put)(void *context, Assent__V1__Event *event), void *context)
{
    const struct import *import;
    TAILQ_FOREACH (import, &e->imports.list, link) {
        Assent__V1__ImportBegun body;
        describe(e, import, &body);
        body.import = import->id;
        body.row = import->row;
        body.rows = import->rows;
        body.ended = import->ended;
        Assent__V1__Event event = {PROTOBUF_C_MESSAGE_INIT(&assent__v1__event__descriptor),
                                   .wall_ms = wall_ms};
        event.program = import->program;
        event.body_case = ASSENT__V1__EVENT__BODY_IMPORT_BEGUN;
        event.import_begun = &body;
        put(context, &event);
    }
}

/* ---- calls ---- */

static void refuse(Assent__V1__ImportReply *reply, Assent__V1__Code code, const char *why)
{
    reply->code = code;
    reply->message = UNCONST(why);
}

static void tell(const struct import *import, Assent__V1__ImportReply *reply)
{
    reply->import = import->id;
    reply->next_row = import->row + 1;
    reply->recorded = import->rows;
    reply->window = import->window;
}

/* The program of an import that is about one; what it may do there. */
static bool take_program(struct engine *e, uint16_t client, const Assent__V1__ImportRequest *in,
                         const struct import_kind *kind, struct import *import,
                         Assent__V1__ImportReply *reply)
{
    int program = config_find_program(e->config, in->program);
    if (program < 0) {
        refuse(reply, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "program: unknown; see `programs` in the configuration");
    } else if (!program_knows_client(e, client, program)) {
        refuse(reply, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
               "program: not one of this client's; see `clients` in the configuration");
    } else if (e->program_scope[program] == 0 || e->brand_scope[program] == 0) {
        refuse(reply, ASSENT__V1__CODE__CODE_UNAVAILABLE,
               "the consent store has not been reached yet: ask again when `assent status` shows "
               "the gate open");
    } else if (kind->opt_in && e->config->programs[program].opt_in != OPT_IN_SINGLE) {
        refuse(reply, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
               "the program asks for double opt-in, which no file can give: use "
               "`assent consent request --csv`");
    } else {
        import->program = e->program_scope[program];
        return true;
    }
    return false;
}

static bool take_beginning(struct engine *e, uint16_t client, const Assent__V1__ImportRequest *in,
                           struct import *import, Assent__V1__ImportReply *reply)
{
    const struct import_kind *kind = import_kind(in->kind);
    if (kind == NULL || in->sha256.len != sizeof import->sha256) {
        refuse(reply, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "kind and the file's sha256 are needed to begin an import");
        return false;
    }
    if (in->window > IMPORT_WINDOW) {
        refuse(reply, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "window: at most 262,144 rows are sorted at a time");
        return false;
    }
    *import = (struct import){.kind = in->kind, .client = client, .window = in->window};
    snprintf(import->file, sizeof import->file, "%s", in->file);
    memcpy(import->sha256, in->sha256.data, sizeof import->sha256);
    if (!kind->of_a_program)
        import->copied_wall_ms = in->copied_wall_ms ? in->copied_wall_ms : e->now.wall_ms;
    if (kind->of_a_program && !(in->everything && !kind->opt_in))
        return take_program(e, client, in, kind, import, reply);
    import->scope = kind->scope;
    if (client == CLIENT_OPERATOR)
        return true;
    refuse(reply, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
           "only the gateway's operator may import for every program");
    return false;
}

static uint64_t begin(struct engine *e, uint16_t client, const Assent__V1__ImportRequest *in,
                      Assent__V1__ImportReply *reply)
{
    struct import import;
    if (!take_beginning(e, client, in, &import, reply) || in->dry_run)
        return 0;
    struct import *known = in->resume ? find_file(e, &import) : NULL;
    if (known == NULL) {
        import.id = record_begun(e, &import);
        import.last = import.id;
        known = remember(e, &import);
    }
    tell(known, reply);
    return known->last;
}

static void add_refusal(Assent__V1__ImportReply *reply, struct arena *arena, uint64_t row,
                        const struct import_fault *fault)
{
    Assent__V1__ImportRefusal *refusal = arena_alloc(arena, sizeof *refusal);
    if (reply->refused == NULL)
        reply->refused = arena_alloc(arena, IMPORT_ROWS_MAX * sizeof(void *));
    CHECK(refusal != NULL && reply->refused != NULL); /* a call's rows are few beside the arena */
    assent__v1__import_refusal__init(refusal);
    refusal->row = row;
    refusal->column = UNCONST(fault->column);
    refusal->reason = UNCONST(fault->reason);
    reply->refused[reply->n_refused++] = refusal;
}

static bool columns_valid(const Assent__V1__ImportColumns *columns, struct import_fault *ret_fault)
{
    const char *field;
    if (columns == NULL || frame_strings_valid(&columns->base, &field))
        return true;
    *ret_fault = (struct import_fault){
        .column = strcmp(field, "source") == 0 ? "source" : "evidence",
        .reason = "not UTF-8",
    };
    return false;
}

/* `at`: by the order in which they come; `row`: in the file. */
static void take_row(struct engine *e, struct import *import, uint64_t at, uint64_t row,
                     uint64_t number, const Assent__V1__ImportColumns *columns, struct arena *arena,
                     Assent__V1__ImportReply *reply)
{
    const struct import_kind *kind = import_kind(import->kind);
    struct import_row in = {.number = number, .source = "", .evidence = ""};
    struct import_fault fault;
    if (columns != NULL) {
        in.source = columns->source;
        in.evidence = columns->evidence;
        in.when_wall_ms = columns->when_wall_ms;
    }
    if (!columns_valid(columns, &fault) || !import_row_check(kind, &in, e->now.wall_ms, &fault)) {
        add_refusal(reply, arena, row, &fault);
        return;
    }
    import->last = e->ports->ledger_next(e->ports->context);
    import->row = at;
    import->rows++;
    if (kind->opt_in)
        record_opt_in(e, import, row, &in);
    else
        record_opt_out(e, import, row, &in);
}

/* How many are recorded says which: so none may be left out or refused. */
static bool follows_sorted(const struct import *import, const Assent__V1__ImportRequest *in)
{
    const struct import_kind *kind = import_kind(import->kind);
    bool sound = !kind->evidence && !kind->date && in->n_columns == 0 &&
                 in->n_rows == in->n_numbers && in->first_row >= 1 &&
                 in->first_row <= import->row + 1;
    for (size_t i = 0; i < in->n_numbers && sound; i++) {
        struct import_fault fault;
        const struct import_row row = {.number = in->numbers[i], .source = "", .evidence = ""};
        sound = in->rows[i] != 0 && import_row_check(kind, &row, 0, &fault);
    }
    return sound;
}

/* Rows that are recorded already are the same rows, since the file is the same: those that a command had on
 * their way when it was killed may come after its successor has asked where to go on. */
static uint64_t take_rows(struct engine *e, struct import *import,
                          const Assent__V1__ImportRequest *in, struct arena *arena,
                          Assent__V1__ImportReply *reply)
{
    if (in->n_numbers > IMPORT_ROWS_MAX || (in->n_columns != 0 && in->n_columns != in->n_numbers)) {
        refuse(reply, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "a call carries at most 512 rows, and columns for none or for each of them");
        return 0;
    }
    if (import->ended) {
        tell(import, reply);
        refuse(reply, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
               "the import is at its end: all of its rows are recorded");
        return 0;
    }
    if (import->program != 0 && engine_program_of_scope(e, import->program) < 0) {
        refuse(reply, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
               "program: not in the configuration any more");
        return 0;
    }
    if (import->window > 0 ? !follows_sorted(import, in) : in->n_rows != 0) {
        refuse(reply, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "the rows do not come in the order in which the import was begun");
        return 0;
    }
    for (size_t i = 0; i < in->n_numbers; i++)
        if (in->numbers[i] != 0 && in->first_row + i > import->row)
            take_row(e, import, in->first_row + i, in->n_rows > 0 ? in->rows[i] : in->first_row + i,
                     in->numbers[i], in->n_columns > 0 ? in->columns[i] : NULL, arena, reply);
    tell(import, reply);
    return import->last;
}

/* The end is told when Redis has every row, or cannot have them now. */
static bool end_import(struct engine *e, struct import *import, Assent__V1__ImportReply *reply,
                       uint64_t *ret_ready_at)
{
    if (gate_is_open(e) && import->rows > 0 && !projection_done(e, import->last))
        return false;
    if (!import->ended) {
        import->ended = true;
        *ret_ready_at = record_copied(e, import);
        note_copy(e, import);
    }
    tell(import, reply);
    return true;
}

bool engine_import(struct engine *e, uint16_t client, const Assent__V1__ImportRequest *in,
                   struct instant now, struct arena *arena, Assent__V1__ImportReply *reply,
                   uint64_t *ret_ready_at)
{
    e->now = now;
    *ret_ready_at = 0;
    if (e->ports->ledger_room(e->ports->context) < ROOM_NEEDED)
        return false;
    struct import *import = in->import != 0 ? find(e, in->import) : NULL;
    if (in->import == 0)
        *ret_ready_at = begin(e, client, in, reply);
    else if (import == NULL || import->client != client)
        refuse(reply, ASSENT__V1__CODE__CODE_NOT_FOUND, "import: not known, or too long ago");
    else if (in->end)
        return end_import(e, import, reply, ret_ready_at);
    else
        *ret_ready_at = take_rows(e, import, in, arena, reply);
    if (e->plant == PLANT_IMPORT_TOLD_EARLY)
        *ret_ready_at = 0;
    return true;
}

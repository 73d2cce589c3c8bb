/* SPDX-License-Identifier: Apache-2.0 */
/* Files of opt-ins, opt-outs and registers, sent in calls of a few rows. A client believes what it was answered,
 * and after anything else it asks how far the import has come (`resume`). Judged: no row is recorded twice, and
 * of a file whose end was told none is missing. */
#include "tests/sim/world.h"

#include <stdio.h>

#include "proto/base/arena.h"
#include "proto/base/check.h"

#define ROWS_A_CALL   5
#define SORTED_WINDOW 7              /* rows */
#define AGAIN_US      (2 * US_PER_S) /* until a client asks again that had no answer */
#define REGISTER_DAYS 31 /* by law, a copy of the do-not-call register counts for so long */

static event_run step;

static void draw_kind(struct world *w, struct file *f)
{
    static const Assent__V1__ImportKind kinds[] = {
        ASSENT__V1__IMPORT_KIND__IMPORT_OPT_IN, ASSENT__V1__IMPORT_KIND__IMPORT_OPT_OUT,
        ASSENT__V1__IMPORT_KIND__IMPORT_REASSIGNED, ASSENT__V1__IMPORT_KIND__IMPORT_LITIGATORS};
    struct rng *rng = &w->people_rng;
    f->kind = kinds[rng_below(rng, sizeof kinds / sizeof kinds[0])];
    f->program =
        f->kind == ASSENT__V1__IMPORT_KIND__IMPORT_OPT_IN && rng_chance(rng, 500000) ? 3 : 1;
}

/* A consent is of some day; a new owner's, of about today. */
static uint64_t draw_days_ago(struct world *w, const struct file *f)
{
    bool owner = f->kind == ASSENT__V1__IMPORT_KIND__IMPORT_REASSIGNED;
    return rng_below(&w->people_rng, owner ? 3 : w->plan.consent_days + 2);
}

/* Soon, so that there is traffic with it; and of about the day on which a copy is too old. */
static void draw_register(struct world *w, struct file *f)
{
    struct rng *rng = &w->people_rng;
    f->kind = ASSENT__V1__IMPORT_KIND__IMPORT_DO_NOT_CALL;
    f->copied_days_ago =
        rng_chance(rng, 500000) ? 0 : REGISTER_DAYS - 1 + (uint32_t)rng_below(rng, 3);
}

/* Every other file of numbers alone, by its place: no draw, or every seed would be another run. */
static bool is_sorted(uint32_t index, const struct file *f)
{
    bool plain = f->kind != ASSENT__V1__IMPORT_KIND__IMPORT_OPT_IN &&
                 f->kind != ASSENT__V1__IMPORT_KIND__IMPORT_REASSIGNED;
    return plain && (index + f->rows) % 2 == 0;
}

void files_begin(struct world *w)
{
    struct rng *rng = &w->people_rng;
    w->people.file_count = w->plan.files;
    for (uint32_t i = 0; i < w->plan.files; i++) {
        struct file *f = &w->people.files[i];
        bool is_register = i == 0 && w->plan.registers;
        if (is_register)
            draw_register(w, f);
        else
            draw_kind(w, f);
        f->rows = 1 + (uint32_t)rng_below(rng, SIM_FILE_ROWS);
        for (uint32_t row = 0; row < f->rows; row++) {
            f->numbers[row] = (uint32_t)rng_below(rng, w->plan.numbers);
            f->days_ago[row] = (uint32_t)draw_days_ago(w, f);
        }
        f->sorted = is_sorted(i, f);
        f->gateway = (uint32_t)rng_below(rng, w->plan.gateways);
        world_turn_to(w, f->gateway);
        world_at(w, rng_below(rng, w->plan.chaos_us / (is_register ? 8 : 1)), step, i, 0, 0);
    }
}

/* ---- calls ---- */

/* The row that comes at this place, both from 0: in each window the last one first. */
static uint64_t sorted_row(const struct file *f, uint64_t at)
{
    uint64_t first = at - at % SORTED_WINDOW;
    uint64_t end = first + SORTED_WINDOW < f->rows ? first + SORTED_WINDOW : f->rows;
    return end - 1 - (at - first);
}

static size_t fill_sorted(const struct world *w, const struct file *f,
                          Assent__V1__ImportRequest *in, uint64_t numbers[ROWS_A_CALL],
                          uint64_t rows[ROWS_A_CALL])
{
    size_t count = 0;
    in->first_row = f->next_row < 1 ? 1 : f->next_row;
    for (uint64_t at = in->first_row - 1; at < f->rows && count < ROWS_A_CALL; at++, count++) {
        numbers[count] = w->people.numbers[f->numbers[sorted_row(f, at)]];
        rows[count] = sorted_row(f, at) + 2;
    }
    in->numbers = numbers;
    in->rows = rows;
    in->n_numbers = in->n_rows = count;
    return count;
}

/* The rows after the line that names the columns: 2 and on. */
static size_t fill_rows(struct world *w, const struct file *f, Assent__V1__ImportRequest *in,
                        uint64_t numbers[ROWS_A_CALL],
                        Assent__V1__ImportColumns columns[ROWS_A_CALL],
                        Assent__V1__ImportColumns *pointers[ROWS_A_CALL])
{
    static char source[] = "paper", evidence[] = "sheet 12";
    size_t count = 0;
    in->first_row = f->next_row < 2 ? 2 : f->next_row;
    for (uint64_t row = in->first_row - 2; row < f->rows && count < ROWS_A_CALL; row++, count++) {
        numbers[count] = w->people.numbers[f->numbers[row]];
        assent__v1__import_columns__init(&columns[count]);
        columns[count].source = source;
        columns[count].evidence = evidence;
        columns[count].when_wall_ms = world_wall_ms(w) - f->days_ago[row] * SIM_DAY_MS;
        pointers[count] = &columns[count];
    }
    in->numbers = numbers;
    in->columns = pointers;
    in->n_numbers = in->n_columns = count;
    return count;
}

static void fill_begin(struct world *w, uint32_t index, struct file *f, uint8_t sha256[32],
                       Assent__V1__ImportRequest *in)
{
    static char name[] = "file.csv";
    memset(sha256, (int)index + 1, 32);
    in->kind = f->kind;
    if (f->kind == ASSENT__V1__IMPORT_KIND__IMPORT_OPT_IN ||
        f->kind == ASSENT__V1__IMPORT_KIND__IMPORT_OPT_OUT)
        in->program = w->config.programs[f->program].name;
    in->copied_wall_ms = world_wall_ms(w) - f->copied_days_ago * SIM_DAY_MS;
    in->file = name;
    in->sha256.data = sha256;
    in->sha256.len = 32;
    in->window = f->sorted ? SORTED_WINDOW : 0;
    in->resume = f->begun;
    f->begun = true;
}

/* `told`: when the ledger is durable up to there. */
static bool ask(struct world *w, uint32_t index, Assent__V1__ImportReply *reply,
                uint64_t *ret_ready, struct arena *arena)
{
    struct file *f = &w->people.files[index];
    Assent__V1__ImportRequest in = ASSENT__V1__IMPORT_REQUEST__INIT;
    uint8_t sha256[32];
    uint64_t numbers[ROWS_A_CALL], rows[ROWS_A_CALL];
    Assent__V1__ImportColumns columns[ROWS_A_CALL], *pointers[ROWS_A_CALL];
    in.import = f->import;
    if (f->import == 0)
        fill_begin(w, index, f, sha256, &in);
    else if (f->sorted)
        in.end = fill_sorted(w, f, &in, numbers, rows) == 0;
    else
        in.end = fill_rows(w, f, &in, numbers, columns, pointers) == 0;
    bool answered = engine_import(w->gw->engine, CLIENT_OPERATOR, &in, world_instant(w), arena,
                                  reply, ret_ready);
    f->ends = in.end;
    return answered;
}

bool files_register_counts(const struct world *w, uint64_t wall_ms)
{
    const struct disk *d = &w->gw->disk;
    for (uint64_t i = 1; i < d->next; i++) {
        const struct fact *f = &d->records[i].fact;
        if (f->body == ASSENT__V1__EVENT__BODY_REGISTER_COPIED && f->day != 0 &&
            f->day + REGISTER_DAYS >= wall_ms / SIM_DAY_MS)
            return true;
    }
    return false;
}

static bool is_recorded(const struct disk *d, uint64_t import, uint64_t row)
{
    for (uint64_t i = 1; i <= d->durable; i++)
        if (d->records[i].fact.import == import && d->records[i].fact.row == row)
            return true;
    return false;
}

/* Rows that are said to be recorded are durable. */
void files_told(struct world *w, uint32_t index, uint64_t import, uint64_t next_row)
{
    struct file *f = &w->people.files[index];
    for (uint64_t next = f->sorted ? 1 : 2; next < next_row; next++) {
        uint64_t row = f->sorted ? sorted_row(f, next - 1) + 2 : next;
        if (!is_recorded(&w->gw->disk, import, row))
            world_fail(w, "P5", "row %llu of file %u is told to be recorded, and is not durable",
                       (unsigned long long)row, index);
    }
    f->import = import;
    f->next_row = next_row;
    f->waits = false;
    f->ended = f->ended || f->ends;
}

static void take_reply(struct world *w, uint32_t index, const Assent__V1__ImportReply *reply,
                       uint64_t ready_at)
{
    struct file *f = &w->people.files[index];
    TRACE(w, "client", "file %u: %d import %llu, next row %llu, %llu recorded", index, reply->code,
          (unsigned long long)reply->import, (unsigned long long)reply->next_row,
          (unsigned long long)reply->recorded);
    if (reply->code == ASSENT__V1__CODE__CODE_UNAVAILABLE)
        return;
    if (reply->code == ASSENT__V1__CODE__CODE_NOT_FOUND) {
        f->import = 0;
        return;
    }
    if (reply->code != ASSENT__V1__CODE__CODE_OK || reply->n_refused > 0) {
        world_fail(w, "P5", "good rows of file %u are refused: %d %s", index, reply->code,
                   reply->message);
        return;
    }
    f->waits = true;
    people_tell_file(w, index, reply->import, reply->next_row, ready_at);
}

/* Without an answer, or when it was lost with its process: from where the gateway says. */
static void step(struct world *w, struct event *e)
{
    uint32_t index = (uint32_t)e->a;
    struct file *f = &w->people.files[index];
    if (f->ended)
        return;
    if (w->gw->engine == NULL || w->gw->life != f->life) {
        f->import = 0;
        f->waits = false;
        f->life = w->gw->life;
    }
    if (w->gw->engine == NULL || w->gw->drain_since_us != 0 || f->waits) {
        if (!w->ending)
            world_at(w, f->waits ? US_PER_S / 4 : AGAIN_US, step, index, 0, 0);
        return;
    }
    if (!world_may_enter(w, e))
        return;
    struct arena arena;
    arena_init(&arena, 65536);
    Assent__V1__ImportReply reply = ASSENT__V1__IMPORT_REPLY__INIT;
    uint64_t ready_at = 0;
    bool answered = ask(w, index, &reply, &ready_at, &arena);
    if (!w->gw->crashed && answered)
        take_reply(w, index, &reply, ready_at);
    arena_release(&arena);
    world_entered(w);
    if (!w->ending)
        world_at(w, spread(&w->people_rng, US_PER_S / 2), step, index, 0, 0);
}

/* ---- the judge ---- */

/* Of a row that is recorded: not before, in this import. */
void files_appended(struct world *w, uint64_t sequence)
{
    const struct disk *d = &w->gw->disk;
    const struct fact *f = &d->records[sequence].fact;
    for (uint64_t i = 1; i < sequence && f->import != 0; i++)
        if (d->records[i].fact.import == f->import && d->records[i].fact.row == f->row)
            world_fail(w, "P5", "row %llu of import %llu is recorded twice",
                       (unsigned long long)f->row, (unsigned long long)f->import);
}

void files_end(struct world *w)
{
    for (uint32_t i = 0; i < w->people.file_count; i++) {
        const struct file *f = &w->people.files[i];
        for (uint64_t row = 2; row < f->rows + 2 && f->ended; row++)
            if (!is_recorded(&w->gateways[f->gateway].disk, f->import, row))
                world_fail(w, "P5", "row %llu of file %u (import %llu) is lost, its end was told",
                           (unsigned long long)row, i, (unsigned long long)f->import);
    }
}

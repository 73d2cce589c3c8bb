/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"

#define BAR_CELLS  24
#define REDRAW_US  100000u
#define COLUMN_GAP 2

char *count_text(uint64_t value, char out[COUNT_TEXT_SIZE])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *at = out;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}

char *span_text(uint64_t ms, char out[SPAN_TEXT_SIZE])
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    for (size_t i = 0; i < 4; i++) {
        if (ms < units[i].ms)
            continue;
        uint64_t rest = i < 3 ? ms % units[i].ms / units[i + 1].ms : 0;
        int n = snprintf(out, SPAN_TEXT_SIZE, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
        if (rest > 0)
            snprintf(out + n, SPAN_TEXT_SIZE - (size_t)n, " %" PRIu64 "%s", rest,
                     units[i + 1].name);
        return out;
    }
    snprintf(out, SPAN_TEXT_SIZE, "%" PRIu64 "ms", ms);
    return out;
}

/* Tables --------------------------------------------------------------------------------------- */

void columns_init(struct columns *columns, const char *align)
{
    *columns = (struct columns){.align = align, .column_count = strlen(align)};
    CHECK(columns->column_count <= COLUMNS_MAX);
}

void columns_add(struct columns *columns, ...)
{
    va_list arguments;
    va_start(arguments, columns);
    for (size_t i = 0; i < columns->column_count; i++) {
        if (columns->cell_count == columns->room) {
            columns->room = columns->room ? 2 * columns->room : 64;
            columns->cells = check_realloc(columns->cells, columns->room * sizeof *columns->cells);
        }
        columns->cells[columns->cell_count++] = check_strdup(va_arg(arguments, const char *));
    }
    va_end(arguments);
}

/* Characters of UTF-8, each taken as one cell wide. */
static size_t cell_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *text, size_t width, bool right, bool last, FILE *out)
{
    int padding = (int)(width - cell_width(text));
    if (right)
        fprintf(out, "%*s%s", padding, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : padding, "");
    if (!last)
        fprintf(out, "%*s", COLUMN_GAP, "");
}

void columns_print(struct columns *columns, FILE *out)
{
    size_t widths[COLUMNS_MAX] = {0}, count = columns->column_count;
    for (size_t i = 0; i < columns->cell_count; i++) {
        size_t width = cell_width(columns->cells[i]);
        if (width > widths[i % count])
            widths[i % count] = width;
    }
    for (size_t i = 0; i < columns->cell_count; i++) {
        bool last = i % count == count - 1;
        print_cell(columns->cells[i], widths[i % count], columns->align[i % count] == 'r', last,
                   out);
        if (last)
            fputc('\n', out);
    }
    columns_release(columns);
}

void columns_release(struct columns *columns)
{
    for (size_t i = 0; i < columns->cell_count; i++)
        free(columns->cells[i]);
    free(columns->cells);
    columns_init(columns, columns->align);
}

/* Progress ------------------------------------------------------------------------------------- */

bool progress_wanted(bool asked)
{
    return asked || isatty(STDERR_FILENO);
}

void progress_init(struct progress *progress, const char *verb, bool shown)
{
    *progress = (struct progress){.shown = shown, .verb = verb, .started_us = clock_mono_us()};
}

static void draw(struct progress *progress, uint64_t part, uint64_t whole, uint64_t rows)
{
    char bar[BAR_CELLS + 1], count[COUNT_TEXT_SIZE], rate[COUNT_TEXT_SIZE];
    uint64_t us = clock_mono_us() - progress->started_us;
    count_text(rows, count);
    count_text(us > 0 ? rows * US_PER_S / us : 0, rate);
    bool tty = isatty(STDERR_FILENO);
    fprintf(stderr, "%s%s  ", tty ? "\r" : "", progress->verb);
    if (whole > 0) {
        uint64_t share = part >= whole ? BAR_CELLS : part * BAR_CELLS / whole;
        memset(bar, '.', BAR_CELLS);
        memset(bar, '#', (size_t)share);
        bar[BAR_CELLS] = '\0';
        fprintf(stderr, "[%s] %3" PRIu64 " %%  ", bar, part >= whole ? 100 : part * 100 / whole);
    }
    fprintf(stderr, "%s rows  %s/s%s", count, rate, tty ? "\x1b[K" : "\n");
    progress->drawn = tty;
}

void progress_show(struct progress *progress, uint64_t part, uint64_t whole, uint64_t rows)
{
    if (!progress->shown)
        return;
    uint64_t now = clock_mono_us();
    uint64_t gap = isatty(STDERR_FILENO) ? REDRAW_US : US_PER_S;
    if (now - progress->last_us < gap)
        return;
    progress->last_us = now;
    draw(progress, part, whole, rows);
}

void progress_end(struct progress *progress, uint64_t part, uint64_t whole, uint64_t rows)
{
    if (!progress->shown)
        return;
    draw(progress, part, whole, rows);
    if (progress->drawn)
        fputc('\n', stderr);
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\x1b[K", stderr);
    progress->drawn = false;
}

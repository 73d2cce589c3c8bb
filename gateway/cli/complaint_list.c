/* SPDX-License-Identifier: Apache-2.0 */
/* assent complaint list: which complaints there are, and how many by what. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/complaint_read.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/complaint.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"

struct list {
    struct complaint_book *book;
    const char *by;
    bool open_only, json;
    uint64_t now_ms;
};

/* What complaints are counted by. */
typedef const char *count_by(const struct list *list, const struct complaint_entry *entry);

static const char *by_sender(const struct list *list, const struct complaint_entry *entry)
{
    (void)list;
    return entry->sender;
}

static const char *by_program(const struct list *list, const struct complaint_entry *entry)
{
    return complaint_program(list->book, entry);
}

static const char *by_carrier(const struct list *list, const struct complaint_entry *entry)
{
    (void)list;
    return entry->carrier;
}

static const char *by_cause(const struct list *list, const struct complaint_entry *entry)
{
    (void)list;
    return entry->resolved ? entry->cause : "(open)";
}

static const char *by_finding(const struct list *list, const struct complaint_entry *entry)
{
    (void)list;
    return entry->resolved ? complaint_finding_name(entry->finding) : "(open)";
}

static const char *by_channel(const struct list *list, const struct complaint_entry *entry)
{
    (void)list;
    return complaint_channel_name(entry->channel);
}

static const char *by_type(const struct list *list, const struct complaint_entry *entry)
{
    (void)list;
    return complaint_type_name(entry->type);
}

static const struct {
    const char *name, *title;
    count_by *of;
    bool attributed; /* of a message, where nobody said */
} ways[] = {
    {"sender", "SENDER", by_sender, true},     {"program", "PROGRAM", by_program, true},
    {"carrier", "CARRIER", by_carrier, true},  {"cause", "CAUSE", by_cause, false},
    {"finding", "FINDING", by_finding, false}, {"channel", "CHANNEL", by_channel, false},
    {"type", "TYPE", by_type, false},
};
#define WAYS (sizeof ways / sizeof ways[0])

static size_t way_of(const char *name)
{
    size_t i = 0;
    while (i < WAYS && strcmp(ways[i].name, name) != 0)
        i++;
    return i;
}

static bool is_overdue(const struct list *list, const struct complaint_entry *entry)
{
    return !entry->resolved && entry->due_ms < list->now_ms;
}

static bool is_wanted(const struct list *list, const struct complaint_entry *entry)
{
    return !list->open_only || !entry->resolved;
}

/* Counted ------------------------------------------------------------------------------------- */

struct count {
    const char *name;
    uint64_t all, open, overdue, justified;
};

static int most_first(const void *a, const void *b)
{
    const struct count *x = a, *y = b;
    return x->all != y->all ? (x->all < y->all ? 1 : -1) : strcmp(x->name, y->name);
}

static size_t count_all(const struct list *list, count_by *of, struct count *counts)
{
    size_t used = 0;
    for (size_t i = 0; i < list->book->count; i++) {
        const struct complaint_entry *entry = &list->book->entries[i];
        const char *name = of(list, entry);
        size_t k = 0;
        if (!is_wanted(list, entry))
            continue;
        if (name[0] == '\0')
            name = "(unknown)";
        while (k < used && strcmp(counts[k].name, name) != 0)
            k++;
        used += k == used;
        counts[k].name = name;
        counts[k].all++;
        counts[k].open += !entry->resolved;
        counts[k].overdue += is_overdue(list, entry);
        counts[k].justified +=
            entry->resolved && (entry->finding == ASSENT__V1__COMPLAINT_FINDING__VALID ||
                                entry->finding == ASSENT__V1__COMPLAINT_FINDING__SENT_IN_ERROR);
    }
    if (used > 0)
        qsort(counts, used, sizeof *counts, most_first);
    return used;
}

static void print_counts(const struct list *list, const char *title, const struct count *counts,
                         size_t used)
{
    struct columns table;
    columns_init(&table, "lrrrr");
    columns_add(&table, title, "COMPLAINTS", "OPEN", "OVERDUE", "JUSTIFIED");
    for (size_t i = 0; i < used; i++) {
        char cells[4][COUNT_TEXT_SIZE];
        columns_add(&table, counts[i].name, count_text(counts[i].all, cells[0]),
                    count_text(counts[i].open, cells[1]), count_text(counts[i].overdue, cells[2]),
                    count_text(counts[i].justified, cells[3]));
        if (list->json)
            json_line(json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "by", list->by, "name",
                                counts[i].name, "complaints", (json_int_t)counts[i].all, "open",
                                (json_int_t)counts[i].open, "overdue",
                                (json_int_t)counts[i].overdue, "justified",
                                (json_int_t)counts[i].justified),
                      stdout);
    }
    if (!list->json)
        columns_print(&table, stdout);
    columns_release(&table);
}

static void tell_counts(const struct list *list)
{
    size_t way = way_of(list->by);
    struct count *counts = check_calloc(list->book->count + 1, sizeof *counts);
    size_t used = count_all(list, ways[way].of, counts);
    print_counts(list, ways[way].title, counts, used);
    free(counts);
}

/* Listed -------------------------------------------------------------------------------------- */

static const char *state_of(const struct list *list, const struct complaint_entry *entry,
                            char out[64])
{
    char span[SPAN_TEXT_SIZE];
    if (entry->resolved)
        snprintf(out, 64, "resolved: %s", complaint_finding_name(entry->finding));
    else if (is_overdue(list, entry))
        snprintf(out, 64, "OVERDUE by %s", span_text(list->now_ms - entry->due_ms, span));
    else
        snprintf(out, 64, "open, due in %s", span_text(entry->due_ms - list->now_ms, span));
    return out;
}

static json_t *entry_json(const struct list *list, const struct complaint_entry *entry)
{
    json_t *object = json_pack(
        "{s:I, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "id",
        (json_int_t)entry->id, "node", list->book->nodes[entry->ledger], "channel",
        complaint_channel_name(entry->channel), "type", complaint_type_name(entry->type),
        "received_wall_ms", (json_int_t)entry->received_ms, "due_wall_ms",
        (json_int_t)entry->due_ms, "program", complaint_program(list->book, entry), "sender",
        entry->sender, "carrier", entry->carrier, "case", entry->case_reference, "words",
        entry->words, "open", !entry->resolved, "overdue", is_overdue(list, entry));
    char number[24] = "";
    if (entry->number != 0)
        snprintf(number, sizeof number, "+%" PRIu64, entry->number);
    json_object_set_new(object, "number", json_string(number));
    if (entry->resolved)
        json_object_set_new(object, "finding", json_string(complaint_finding_name(entry->finding)));
    return object;
}

static void add_entry(const struct list *list, struct columns *table,
                      const struct complaint_entry *entry)
{
    char id[NAME_OCTETS_MAX + 24], when[WHEN_TEXT_SIZE], number[24] = "(erased)", state[64];
    const char *node = list->book->ledger_count > 1 ? list->book->nodes[entry->ledger] : "";
    snprintf(id, sizeof id, "%s%s%" PRIu64, node, node[0] ? "#" : "", entry->id);
    if (entry->number != 0)
        snprintf(number, sizeof number, "+%" PRIu64, entry->number);
    columns_add(table, id, when_text(entry->received_ms, when),
                complaint_channel_name(entry->channel), complaint_type_name(entry->type), number,
                entry->carrier[0] ? entry->carrier : "-", entry->sender[0] ? entry->sender : "-",
                state_of(list, entry, state));
}

static void tell_entries(const struct list *list)
{
    struct columns table;
    columns_init(&table, "rlllllll");
    columns_add(&table, "ID", "RECEIVED (UTC)", "CHANNEL", "TYPE", "NUMBER", "CARRIER", "SENDER",
                "STATE");
    size_t told = 0;
    for (size_t i = 0; i < list->book->count; i++) {
        const struct complaint_entry *entry = &list->book->entries[i];
        if (!is_wanted(list, entry))
            continue;
        told++;
        if (list->json)
            json_line(entry_json(list, entry), stdout);
        else
            add_entry(list, &table, entry);
    }
    if (!list->json && told > 0)
        columns_print(&table, stdout);
    else if (!list->json)
        printf("no complaint%s\n", list->open_only ? " is open" : "");
    columns_release(&table);
}

int complaint_list(const struct cli *cli, int argc, char **argv)
{
    struct complaint_book *book = check_calloc(1, sizeof *book);
    struct list list = {.book = book, .now_ms = clock_wall_ms()};
    const char *data = NULL, *words[COMPLAINT_LEDGERS_MAX];
    const struct option_row rows[] = {
        {"by", "WHAT", "counts: sender, program, carrier, cause, finding, channel or type",
         &list.by, NULL},
        {"open", NULL, "those alone that are not resolved", NULL, &list.open_only},
        {"data", "DIR", "the gateway's data directory; else from -c", &data, NULL},
        {"json", NULL, "one JSON object a line, for programs", NULL, &list.json},
    };
    const struct usage usage = {
        .synopsis = "assent {-c FILE complaint list | complaint list --data DIR} [OPTIONS] "
                    "[DATA-DIR...]",
        .about =
            "Lists complaints from the ledger, and from those of other gateways by their data\n"
            "directories; the gateway need not run. With --by it counts them: JUSTIFIED are those\n"
            "found valid or sent in error. Program, sender and carrier are those that were said, "
            "else\n"
            "of the message or of the latest one to the number. Times are UTC.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t count;
    char *own = NULL;
    enum options_result result =
        options_read(&usage, argc, argv, words, COMPLAINT_LEDGERS_MAX, &count);
    int code = result == OPTIONS_READ ? -1 : options_exit(result);
    if (code < 0 && list.by != NULL && way_of(list.by) == WAYS)
        code = usage_error(&usage,
                           "--by %s: sender, program, carrier, cause, finding, channel and "
                           "type are known",
                           list.by);
    if (code < 0) {
        bool attributed = list.by == NULL || ways[way_of(list.by)].attributed;
        bool ok = complaint_ledgers(cli, data, words, count, book, &own) &&
                  complaint_book_read(book) && (!attributed || complaint_book_attribute(book));
        if (ok && list.by != NULL)
            tell_counts(&list);
        else if (ok)
            tell_entries(&list);
        code = ok ? EXIT_DONE : EXIT_REFUSED;
    }
    complaint_book_release(book);
    free(book);
    free(own);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/complaint_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/ledger_path.h"
#include "proto/base/check.h"
#include "proto/base/table.h"
#include "proto/event.pb-c.h"

/* The latest message so far that an entry may be about. */
struct attribution {
    uint64_t message;
    uint32_t program;
    char sender[17], carrier[NAME_OCTETS_MAX + 1];
};

/* One reading of all ledgers: `each` gets the events of the kinds that are wanted. */
struct walk {
    struct complaint_book *book;
    unsigned ledger;
    struct arena arena;
    void (*each)(struct walk *walk, uint64_t sequence, const Assent__V1__Event *event,
                 const Assent__V1__Personal *personal);
    const uint32_t *kinds;   /* members of Event's oneof, up to a 0 */
    struct table by_number;  /* number to the index of an entry + 1; `next` goes on */
    struct table by_message; /* message to the same */
    size_t *next;
    struct attribution *found; /* by entry */
};

static void keep(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

static bool walk_record(void *context, const struct ledger_record *record)
{
    struct walk *walk = context;
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&walk->arena, record, &personal);
    if (event != NULL)
        walk->each(walk, record->sequence, event, personal);
    return true;
}

static bool walk_ledger(struct walk *walk)
{
    struct ledger_pass pass = {.directory = walk->book->directories[walk->ledger],
                               .filter = ledger_filter_new(),
                               .each = walk_record,
                               .context = walk};
    for (const uint32_t *kind = walk->kinds; *kind != 0; kind++)
        ledger_filter_event(pass.filter, *kind);
    bool ok = ledger_pass(&pass);
    ledger_filter_free(pass.filter);
    return ok;
}

static bool walk_all(struct walk *walk)
{
    bool ok = true;
    arena_init(&walk->arena, RECORD_ARENA_MAX);
    for (walk->ledger = 0; walk->ledger < walk->book->ledger_count && ok; walk->ledger++)
        ok = walk_ledger(walk);
    arena_release(&walk->arena);
    return ok;
}

/* What there is ------------------------------------------------------------------------------- */

static const uint32_t kinds_of_complaints[] = {
    ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED, ASSENT__V1__EVENT__BODY_COMPLAINT_RESOLVED,
    ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED, ASSENT__V1__EVENT__BODY_NODE_STARTED, 0};

static void take_opened(struct walk *walk, uint64_t sequence, const Assent__V1__Event *event,
                        const Assent__V1__Personal *personal)
{
    struct complaint_book *book = walk->book;
    const Assent__V1__ComplaintOpened *body = event->complaint_opened;
    if (book->count == book->room) {
        book->room = book->room ? 2 * book->room : 64;
        book->entries = check_realloc(book->entries, book->room * sizeof *book->entries);
    }
    struct complaint_entry *entry = &book->entries[book->count++];
    *entry = (struct complaint_entry){
        .ledger = walk->ledger,
        .id = sequence,
        .number = personal ? personal->number : 0,
        .channel = (unsigned)body->channel,
        .type = (unsigned)body->type,
        .received_ms = body->received_wall_ms,
        .due_ms = body->due_wall_ms,
        .hold = body->hold,
        .held_before = body->held_before,
        .first_message = body->n_messages > 0 ? body->messages[0] : 0,
        .program = event->program,
        .words = check_strdup(personal ? personal->text : ""),
    };
    keep(entry->sender, sizeof entry->sender, body->sender);
    keep(entry->carrier, sizeof entry->carrier, body->carrier);
    keep(entry->who, sizeof entry->who, body->who);
    keep(entry->case_reference, sizeof entry->case_reference, personal ? personal->reference : "");
}

/* Ids of one ledger grow, and its entries stand in their order behind those of the ledgers before it. */
static struct complaint_entry *entry_of(struct complaint_book *book, unsigned ledger, uint64_t id)
{
    size_t low = 0, high = book->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct complaint_entry *entry = &book->entries[middle];
        if (entry->ledger < ledger || (entry->ledger == ledger && entry->id < id))
            low = middle + 1;
        else
            high = middle;
    }
    struct complaint_entry *entry = low < book->count ? &book->entries[low] : NULL;
    return entry && entry->ledger == ledger && entry->id == id ? entry : NULL;
}

static void take_resolved(struct walk *walk, const Assent__V1__Event *event,
                          const Assent__V1__Personal *personal)
{
    const Assent__V1__ComplaintResolved *body = event->complaint_resolved;
    struct complaint_entry *entry = entry_of(walk->book, walk->ledger, body->complaint);
    if (entry == NULL || entry->resolved)
        return;
    entry->resolved = true;
    entry->resolved_ms = event->wall_ms;
    entry->release = body->release;
    entry->finding = (unsigned)body->finding;
    entry->resolved_by = check_strdup(body->who);
    entry->cause = check_strdup(personal ? personal->cause : "");
    entry->action = check_strdup(personal ? personal->action : "");
    entry->answer = check_strdup(personal ? personal->text : "");
}

static void take_scope(struct walk *walk, const Assent__V1__ScopeRegistered *scope)
{
    if (scope->number > SCOPE_MAX)
        return;
    char **place = &walk->book->scope_names[walk->ledger][scope->number];
    free(*place);
    *place = check_strdup(scope->name);
}

static void take_event(struct walk *walk, uint64_t sequence, const Assent__V1__Event *event,
                       const Assent__V1__Personal *personal)
{
    if (event->body_case == ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED)
        take_opened(walk, sequence, event, personal);
    else if (event->body_case == ASSENT__V1__EVENT__BODY_COMPLAINT_RESOLVED)
        take_resolved(walk, event, personal);
    else if (event->body_case == ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED)
        take_scope(walk, event->scope_registered);
    else
        keep(walk->book->nodes[walk->ledger], sizeof walk->book->nodes[walk->ledger],
             event->node_started->node);
}

static int by_received(const void *a, const void *b)
{
    const struct complaint_entry *x = a, *y = b;
    if (x->received_ms != y->received_ms)
        return x->received_ms < y->received_ms ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

bool complaint_book_read(struct complaint_book *book)
{
    struct walk walk = {.book = book, .each = take_event, .kinds = kinds_of_complaints};
    bool ok = walk_all(&walk);
    if (book->count > 0)
        qsort(book->entries, book->count, sizeof *book->entries, by_received);
    return ok;
}

/* Whose message it was ------------------------------------------------------------------------ */

static const uint32_t kinds_of_messages[] = {ASSENT__V1__EVENT__BODY_ACCEPTED,
                                             ASSENT__V1__EVENT__BODY_ATTEMPT, 0};

static bool lacks(const struct complaint_entry *entry)
{
    return entry->program == 0 || entry->sender[0] == '\0' || entry->carrier[0] == '\0';
}

static void take_accepted(struct walk *walk, size_t first, uint64_t sequence,
                          const Assent__V1__Event *event)
{
    for (size_t i = first; i != 0; i = walk->next[i - 1]) {
        const struct complaint_entry *entry = &walk->book->entries[i - 1];
        struct attribution *found = &walk->found[i - 1];
        if (entry->ledger != walk->ledger || sequence > entry->id ||
            (entry->first_message != 0 && entry->first_message != sequence))
            continue;
        found->message = sequence;
        found->program = event->program;
        keep(found->sender, sizeof found->sender, event->accepted->sender);
        keep(found->carrier, sizeof found->carrier, event->accepted->carrier);
        *table_put(&walk->by_message, sequence) = first;
    }
}

static void take_attempt(struct walk *walk, size_t first, const Assent__V1__Event *event)
{
    for (size_t i = first; i != 0; i = walk->next[i - 1])
        if (walk->found[i - 1].message == event->message &&
            walk->book->entries[i - 1].ledger == walk->ledger)
            keep(walk->found[i - 1].carrier, sizeof walk->found[i - 1].carrier,
                 event->attempt->carrier);
}

/* The gateway's own replies are nobody's complaint. */
static void take_message(struct walk *walk, uint64_t sequence, const Assent__V1__Event *event,
                         const Assent__V1__Personal *personal)
{
    bool is_attempt = event->body_case == ASSENT__V1__EVENT__BODY_ATTEMPT;
    const uint64_t *at = is_attempt ? table_find(&walk->by_message, event->message)
                         : personal ? table_find(&walk->by_number, personal->number)
                                    : NULL;
    if (at == NULL)
        return;
    if (is_attempt)
        take_attempt(walk, *at, event);
    else if (event->accepted->service == ASSENT__V1__SERVICE_KIND__SERVICE_NONE)
        take_accepted(walk, *at, sequence, event);
}

static void fill(struct complaint_entry *entry, const struct attribution *from)
{
    if (entry->program == 0)
        entry->program = from->program;
    if (entry->sender[0] == '\0')
        keep(entry->sender, sizeof entry->sender, from->sender);
    if (entry->carrier[0] == '\0')
        keep(entry->carrier, sizeof entry->carrier, from->carrier);
}

bool complaint_book_attribute(struct complaint_book *book)
{
    struct walk walk = {.book = book, .each = take_message, .kinds = kinds_of_messages};
    bool any = false;
    table_init(&walk.by_number);
    table_init(&walk.by_message);
    walk.next = check_calloc(book->count + 1, sizeof *walk.next);
    walk.found = check_calloc(book->count + 1, sizeof *walk.found);
    for (size_t i = 0; i < book->count; i++) {
        if (!lacks(&book->entries[i]) || book->entries[i].number == 0)
            continue;
        uint64_t *place = table_put(&walk.by_number, book->entries[i].number);
        walk.next[i] = *place;
        *place = i + 1;
        any = true;
    }
    bool ok = !any || walk_all(&walk);
    for (size_t i = 0; i < book->count; i++)
        fill(&book->entries[i], &walk.found[i]);
    free(walk.next);
    free(walk.found);
    table_release(&walk.by_number);
    table_release(&walk.by_message);
    return ok;
}

/* The book ------------------------------------------------------------------------------------ */

const char *complaint_program(const struct complaint_book *book,
                              const struct complaint_entry *entry)
{
    const char *name =
        entry->program <= SCOPE_MAX ? book->scope_names[entry->ledger][entry->program] : NULL;
    return name != NULL && strncmp(name, "program:", 8) == 0 ? name + 8 : "";
}

void complaint_book_release(struct complaint_book *book)
{
    for (size_t i = 0; i < book->count; i++) {
        free(book->entries[i].words);
        free(book->entries[i].cause);
        free(book->entries[i].action);
        free(book->entries[i].answer);
        free(book->entries[i].resolved_by);
    }
    free(book->entries);
    for (unsigned l = 0; l < COMPLAINT_LEDGERS_MAX; l++)
        for (unsigned s = 0; s <= SCOPE_MAX; s++)
            free(book->scope_names[l][s]);
}

bool complaint_ledgers(const struct cli *cli, const char *data, const char *const *words,
                       size_t word_count, struct complaint_book *book, char **ret_own)
{
    if (word_count + 1 > COMPLAINT_LEDGERS_MAX) {
        complain("at most %d ledgers are read together", COMPLAINT_LEDGERS_MAX);
        return false;
    }
    *ret_own = ledger_path(cli, data);
    if (*ret_own == NULL)
        return false;
    book->directories[book->ledger_count++] = *ret_own;
    for (size_t i = 0; i < word_count; i++)
        book->directories[book->ledger_count++] = words[i];
    return true;
}

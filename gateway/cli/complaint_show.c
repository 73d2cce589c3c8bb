/* SPDX-License-Identifier: Apache-2.0 */
/* assent complaint show: one complaint with the evidence, which the ledgers are made to tell: what the number had
 * agreed to when the complaint came, everything that was sent or refused with its verdicts and receipts, opt-outs
 * and replies, and whether anything left after the number was suppressed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/standing.h"
#include "gateway/cli/complaint_read.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/complaint.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/table.h"

struct show {
    struct complaint_book *book;
    const struct complaint_entry *entry;
    bool json;
    struct table messages; /* the number's: ledger and id -> 1 + accepted before the complaint */
    struct standings standings; /* when the complaint came */
    bool opened;                /* the complaint's own record has been passed */
    /* parts that carriers took, messages refused or cancelled, and delivered; before and after */
    uint64_t accepted[2], sent[2], suppressed[2], delivered[2], replies[2];
    uint64_t late; /* parts whose verdict is newer than the hold */
    uint64_t hold_ms;
    json_t *events;
};

/* The number's events ------------------------------------------------------------------------- */

static uint64_t key_of(unsigned ledger, uint64_t id)
{
    return id * COMPLAINT_LEDGERS_MAX + ledger;
}

/* Consent events, replies and complaints carry the number; other events name their message. */
static bool concerns(struct show *s, const struct ledgers_event *event)
{
    bool same = event->personal != NULL && event->personal->number == s->entry->number;
    if (same && event->event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED)
        *table_put(&s->messages, key_of(event->ledger, event->sequence)) = 1;
    return same || (event->event->message != 0 &&
                    table_find(&s->messages, key_of(event->ledger, event->event->message)) != NULL);
}

static void count(struct show *s, const Assent__V1__Event *event)
{
    unsigned after = s->opened;
    Assent__V1__Outcome outcome = ASSENT__V1__OUTCOME__OUTCOME_OPEN;
    switch ((int)event->body_case) {
    case ASSENT__V1__EVENT__BODY_ACCEPTED:
        s->accepted[after] += event->accepted->service == ASSENT__V1__SERVICE_KIND__SERVICE_NONE;
        break;
    case ASSENT__V1__EVENT__BODY_SENT:
        s->sent[after]++;
        s->late += s->hold_ms != 0 && event->sent->verdict_wall_ms > s->hold_ms;
        break;
    case ASSENT__V1__EVENT__BODY_INBOUND:
        s->replies[after]++;
        break;
    case ASSENT__V1__EVENT__BODY_ENDED:
        outcome = event->ended->outcome;
        break;
    case ASSENT__V1__EVENT__BODY_RECEIPT:
        outcome = event->receipt->outcome;
        break;
    }
    s->delivered[after] += outcome == ASSENT__V1__OUTCOME__DELIVERED;
    s->suppressed[after] +=
        outcome == ASSENT__V1__OUTCOME__SUPPRESSED || outcome == ASSENT__V1__OUTCOME__CANCELLED;
}

static void tell(struct show *s, const struct ledgers_event *event)
{
    char when[WHEN_TEXT_SIZE], text[EVENT_TEXT_SIZE], about[40] = "";
    bool is_accepted = event->event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED;
    uint64_t message = is_accepted ? event->sequence : event->event->message;
    if (s->json) {
        json_t *object = event_json(event->sequence, event->event, event->personal);
        json_object_set_new(object, "node", json_string(s->book->nodes[event->ledger]));
        json_array_append_new(s->events, object);
        return;
    }
    if (message != 0)
        snprintf(about, sizeof about, "message %" PRIu64 ": ", message);
    printf("%s  %s%s#%-8" PRIu64 "  %s%s\n", when_text(event->event->wall_ms, when),
           s->book->ledger_count > 1 ? s->book->nodes[event->ledger] : "",
           s->book->ledger_count > 1 ? " " : "", event->sequence, about,
           event_text(event->event, event->personal, text));
}

/* The hold is the record that the complaint names; what stood before it is what is held against us. */
static void read_event(void *context, const struct ledgers_event *event)
{
    struct show *s = context;
    event_learn(event->event);
    if (!concerns(s, event))
        return;
    bool ours = event->ledger == s->entry->ledger;
    if (ours && event->sequence == s->entry->hold)
        s->hold_ms = event->event->wall_ms;
    if (s->hold_ms == 0)
        standings_fold(&s->standings, event->sequence, event->event, event->personal);
    s->opened = s->opened || (ours && event->sequence >= s->entry->hold);
    count(s, event->event);
    tell(s, event);
}

/* Told ---------------------------------------------------------------------------------------- */

static void print_head(const struct show *s)
{
    const struct complaint_entry *c = s->entry;
    char when[WHEN_TEXT_SIZE], due[WHEN_TEXT_SIZE], span[SPAN_TEXT_SIZE];
    uint64_t now_ms = clock_wall_ms();
    const char *program = complaint_program(s->book, c);
    printf("Complaint %" PRIu64 " at %s: %s, by %s, received %s", c->id, s->book->nodes[c->ledger],
           complaint_type_name(c->type), complaint_channel_name(c->channel),
           when_text(c->received_ms, when));
    printf(c->who[0] ? ", taken by %s\n" : "\n", c->who);
    if (c->number != 0)
        printf("  number   +%" PRIu64 "\n", c->number);
    printf("  about    program %s, sender %s, carrier %s\n", program[0] ? program : "not known",
           c->sender[0] ? c->sender : "not known", c->carrier[0] ? c->carrier : "not known");
    if (c->case_reference[0] != '\0')
        printf("  case     %s\n", c->case_reference);
    if (c->words[0] != '\0')
        printf("  words    \"%s\"\n", c->words);
    printf("  due      %s", when_text(c->due_ms, due));
    if (!c->resolved && c->due_ms < now_ms)
        printf(", OVERDUE by %s", span_text(now_ms - c->due_ms, span));
    printf("\n  hold     record #%" PRIu64 "%s\n", c->hold,
           c->held_before ? "; another stood there before, or nobody could say" : "");
    if (!c->resolved)
        return;
    printf("Resolved %s%s%s: %s\n", when_text(c->resolved_ms, when),
           c->resolved_by[0] ? " by " : "", c->resolved_by, complaint_finding_name(c->finding));
    printf("  cause    %s\n  action   %s\n", c->cause, c->action);
    if (c->answer[0] != '\0')
        printf("  answer   %s\n", c->answer);
    if (c->release != 0)
        printf("  hold     released by record #%" PRIu64 "\n", c->release);
}

static void print_consent(const struct show *s)
{
    char when[WHEN_TEXT_SIZE], name[SCOPE_TEXT_SIZE];
    printf("\nWhen it came, the number had\n");
    for (unsigned i = 0; i < s->standings.count; i++) {
        uint64_t record,
            since = standing_since(&s->standings.in[i].standing, s->entry->received_ms, &record);
        enum state state = standing_state(&s->standings.in[i].standing, s->entry->received_ms);
        if (state != CONSENT_NONE)
            printf("  %-24s %s since %s, record #%" PRIu64 "\n",
                   scope_text(s->standings.in[i].scope, name), state_name(state),
                   when_text(since, when), record);
    }
    if (s->standings.count == 0)
        printf("  agreed to nothing and ended nothing\n");
}

static void print_counts(const struct show *s)
{
    static const char *const names[] = {"before", "after"};
    struct columns table;
    printf("\n");
    columns_init(&table, "lrrrrr");
    columns_add(&table, "THE COMPLAINT", "ACCEPTED", "PARTS SENT", "DELIVERED", "NOT SENT",
                "REPLIES");
    for (unsigned i = 0; i < 2; i++) {
        char cells[5][COUNT_TEXT_SIZE];
        columns_add(&table, names[i], count_text(s->accepted[i], cells[0]),
                    count_text(s->sent[i], cells[1]), count_text(s->delivered[i], cells[2]),
                    count_text(s->suppressed[i], cells[3]), count_text(s->replies[i], cells[4]));
    }
    columns_print(&table, stdout);
    columns_release(&table);
    if (s->late > 0)
        printf("%" PRIu64 " parts left by a verdict from after the number was suppressed%s\n",
               s->late, s->entry->release ? ": see when the hold was released" : "");
    else
        printf("Nothing left by a verdict from after the number was suppressed.\n");
}

static json_t *consent_json(const struct show *s)
{
    json_t *list = json_array();
    char name[SCOPE_TEXT_SIZE];
    for (unsigned i = 0; i < s->standings.count; i++) {
        uint64_t record,
            since = standing_since(&s->standings.in[i].standing, s->entry->received_ms, &record);
        enum state state = standing_state(&s->standings.in[i].standing, s->entry->received_ms);
        if (state != CONSENT_NONE)
            json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "scope",
                                                  scope_text(s->standings.in[i].scope, name),
                                                  "state", state_name(state), "since_wall_ms",
                                                  (json_int_t)since, "record", (json_int_t)record));
    }
    return list;
}

static json_t *counts_json(const struct show *s, unsigned after)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "accepted", (json_int_t)s->accepted[after],
                     "parts_sent", (json_int_t)s->sent[after], "delivered",
                     (json_int_t)s->delivered[after], "not_sent", (json_int_t)s->suppressed[after],
                     "replies", (json_int_t)s->replies[after]);
}

static void print_json(const struct show *s)
{
    const struct complaint_entry *c = s->entry;
    char number[24] = "";
    if (c->number != 0)
        snprintf(number, sizeof number, "+%" PRIu64, c->number);
    json_t *object = json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "id",
        (json_int_t)c->id, "node", s->book->nodes[c->ledger], "number", number, "channel",
        complaint_channel_name(c->channel), "type", complaint_type_name(c->type),
        "received_wall_ms", (json_int_t)c->received_ms, "due_wall_ms", (json_int_t)c->due_ms,
        "program", complaint_program(s->book, c), "sender", c->sender, "carrier", c->carrier,
        "case", c->case_reference, "words", c->words, "hold", (json_int_t)c->hold, "held_before",
        c->held_before, "open", !c->resolved);
    if (c->resolved)
        json_object_set_new(object, "resolution",
                            json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "finding",
                                      complaint_finding_name(c->finding), "cause", c->cause,
                                      "action", c->action, "answer", c->answer, "who",
                                      c->resolved_by, "wall_ms", (json_int_t)c->resolved_ms,
                                      "release", (json_int_t)c->release));
    json_object_set_new(object, "consent", consent_json(s));
    json_object_set_new(object, "before", counts_json(s, 0));
    json_object_set_new(object, "after", counts_json(s, 1));
    json_object_set_new(object, "verdicts_after_hold", json_integer((json_int_t)s->late));
    json_object_set(object, "events", s->events);
    json_line(object, stdout);
}

/* Which one ----------------------------------------------------------------------------------- */

/* "17", "#17", or "gw1#17" where several ledgers are read. NULL after a complaint. */
static const struct complaint_entry *choose(const struct complaint_book *book, const char *word)
{
    const char *sharp = strchr(word, '#'), *digits = sharp ? sharp + 1 : word;
    size_t node_length = sharp ? (size_t)(sharp - word) : 0;
    const struct complaint_entry *found = NULL;
    uint64_t id;
    if (!config_integer(digits, &id)) {
        complain("%s is no complaint: an ID is like 17, or gw1#17 where several ledgers are read",
                 word);
        return NULL;
    }
    for (size_t i = 0; i < book->count; i++) {
        const struct complaint_entry *entry = &book->entries[i];
        const char *node = book->nodes[entry->ledger];
        if (entry->id != id || (node_length > 0 && (strlen(node) != node_length ||
                                                    strncmp(node, word, node_length) != 0)))
            continue;
        if (found != NULL) {
            complain("%s is a complaint at %s and at %s: say %s#%s", word,
                     book->nodes[found->ledger], node, node, digits);
            return NULL;
        }
        found = entry;
    }
    if (found == NULL)
        complain("the ledger has no complaint %s; `assent complaint list` has them", word);
    return found;
}

static int run(struct show *s, const char *word)
{
    if (!complaint_book_read(s->book) || (s->entry = choose(s->book, word)) == NULL ||
        !complaint_book_attribute(s->book))
        return EXIT_REFUSED;
    if (!s->json)
        print_head(s);
    if (s->entry->number == 0) {
        if (s->json)
            print_json(s);
        else
            printf("\nThe person has been erased: there is no more to tell.\n");
        return EXIT_DONE;
    }
    if (!s->json)
        printf("\nWhat the record says of the number\n");
    if (!ledgers_pass(s->book->directories, s->book->ledger_count, read_event, s))
        return EXIT_REFUSED;
    if (s->json) {
        print_json(s);
    } else {
        print_consent(s);
        print_counts(s);
    }
    return EXIT_DONE;
}

int complaint_show(const struct cli *cli, int argc, char **argv)
{
    struct show *s = check_calloc(1, sizeof *s);
    s->book = check_calloc(1, sizeof *s->book);
    const char *data = NULL, *words[COMPLAINT_LEDGERS_MAX + 1];
    const struct option_row rows[] = {
        {"data", "DIR", "the gateway's data directory; else from -c", &data, NULL},
        {"json", NULL, "one JSON object with every record, for programs", NULL, &s->json},
    };
    const struct usage usage = {
        .synopsis = "assent {-c FILE complaint show | complaint show --data DIR} [--json] ID "
                    "[DATA-DIR...]",
        .about = "Shows a complaint with its evidence from the ledger, and from those of other "
                 "gateways\n"
                 "by their data directories: every record of the number, with verdicts, receipts, "
                 "replies\n"
                 "and opt-outs; what it had agreed to when the complaint came; and whether "
                 "anything left\n"
                 "after it was suppressed. The gateway need not run. Times are UTC.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t count;
    char *own = NULL;
    enum options_result result =
        options_read(&usage, argc, argv, words, COMPLAINT_LEDGERS_MAX + 1, &count);
    int code = result == OPTIONS_READ ? -1 : options_exit(result);
    if (code < 0 && count == 0)
        code = usage_error(&usage, "which ID? `assent complaint list` has them");
    s->events = json_array();
    table_init(&s->messages);
    if (code < 0)
        code = complaint_ledgers(cli, data, words + 1, count - 1, s->book, &own) ? run(s, words[0])
                                                                                 : EXIT_REFUSED;
    table_release(&s->messages);
    json_decref(s->events);
    complaint_book_release(s->book);
    free(s->book);
    free(s);
    free(own);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* assent diagnose: why a text did not come, from the ledger's files; the gateway need not run. One pass gathers the
 * facts of one message, of the carrier it went to and of its sender; diagnosis.h makes a cause of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/cut_by.h"
#include "gateway/cli/diagnosis.h"
#include "gateway/cli/erased_by.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
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
#include "smpp/status.h"

#define DAY_MS  (24ull * 3600 * 1000)
#define HOUR_MS (3600ull * 1000)
#define SPANS   3 /* the last hour, the last day, all before */

/* What became of texts at a carrier in a span of time. */
struct tally {
    struct crowd crowd;
    uint64_t outcomes[ASSENT__V1__OUTCOME__SENT_NO_RECEIPT + 1];
};

struct diagnosis {
    uint64_t number, message; /* asked for; the number's latest message when 0 */
    const char *only_carrier; /* --carrier */
    uint64_t now_ms;
    struct sending sending;
    char sender[32], carrier[NAME_OCTETS_MAX + 1];
    char error_code[32]; /* the receipt's, as the carrier wrote it */
    struct tally tallies[SPANS];
    struct table open; /* messages that went to the carrier, until they end: ids -> 1 */
    uint64_t sender_texts, sender_opt_outs; /* of the last day */
    uint64_t paused_ms;                     /* with sending.paused */
    bool destroyed;                         /* what was personal in the message; */
    struct erased_by erased;                /* by which erasure, 0: the ledger does not say */
    struct ledger_filter *filter;           /* of pass 1 */
    struct arena arena;
};

/* Facts --------------------------------------------------------------------------------------- */

static void keep(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

static void take_accepted(struct diagnosis *d, uint64_t sequence, const Assent__V1__Event *event)
{
    const Assent__V1__Accepted *a = event->accepted;
    d->sending = (struct sending){.message = sequence,
                                  .accepted_ms = event->wall_ms,
                                  .send_at_ms = a->send_at_wall_ms,
                                  .expires_ms = a->expires_wall_ms,
                                  .is_marketing = a->class_ == ASSENT__V1__CLASS__MARKETING,
                                  .parts = a->parts};
    d->error_code[0] = '\0';
    keep(d->sender, sizeof d->sender, a->sender);
    keep(d->carrier, sizeof d->carrier, a->carrier);
}

static void take_receipt(struct diagnosis *d, const Assent__V1__Event *event)
{
    const Assent__V1__Receipt *r = event->receipt;
    struct sending *s = &d->sending;
    if (s->receipt != ASSENT__V1__RECEIPT_STATE__RECEIPT_UNDELIVERABLE) {
        s->receipt = r->state;
        keep(d->error_code, sizeof d->error_code, r->error_code);
    }
    s->parts_received += r->state == ASSENT__V1__RECEIPT_STATE__RECEIPT_DELIVERED;
    if (r->outcome == ASSENT__V1__OUTCOME__OUTCOME_OPEN)
        return;
    s->ended = true;
    s->ended_ms = event->wall_ms;
    s->outcome = r->outcome;
}

static void take_event(struct diagnosis *d, const Assent__V1__Event *event)
{
    struct sending *s = &d->sending;
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_ATTEMPT:
        s->attempts++;
        s->is_held = false;
        s->deferred_status = 0;
        keep(d->carrier, sizeof d->carrier, event->attempt->carrier);
        break;
    case ASSENT__V1__EVENT__BODY_SENT:
        s->parts_sent++;
        s->sent_ms = event->wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_HELD:
        s->is_held = true;
        s->held_for = event->held->reason;
        s->due_ms = event->held->due_wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_DEFERRED:
        s->deferred_status = event->deferred->command_status;
        s->due_ms = event->deferred->due_wall_ms;
        break;
    case ASSENT__V1__EVENT__BODY_RECEIPT:
        take_receipt(d, event);
        break;
    case ASSENT__V1__EVENT__BODY_ENDED:
        s->ended = true;
        s->ended_ms = event->wall_ms;
        s->outcome = event->ended->outcome;
        s->reason = event->ended->reason;
        s->command_status = event->ended->command_status;
        break;
    default:
        break;
    }
}

static void count(struct diagnosis *d, uint64_t wall_ms, Assent__V1__Outcome outcome)
{
    uint64_t age = d->now_ms > wall_ms ? d->now_ms - wall_ms : 0;
    struct tally *tally = &d->tallies[age < HOUR_MS ? 0 : age < DAY_MS ? 1 : 2];
    if (outcome > ASSENT__V1__OUTCOME__SENT_NO_RECEIPT)
        return;
    tally->outcomes[outcome]++;
    tally->crowd.delivered += outcome == ASSENT__V1__OUTCOME__DELIVERED;
    tally->crowd.failed += outcome != ASSENT__V1__OUTCOME__DELIVERED;
}

/* What a gate refused or a person cancelled says nothing of the carrier. */
static void count_end(struct diagnosis *d, const Assent__V1__Event *event,
                      Assent__V1__Outcome outcome)
{
    if (event->message == 0 || outcome == ASSENT__V1__OUTCOME__OUTCOME_OPEN ||
        !table_remove(&d->open, event->message) || outcome == ASSENT__V1__OUTCOME__SUPPRESSED ||
        outcome == ASSENT__V1__OUTCOME__CANCELLED)
        return;
    count(d, event->wall_ms, outcome);
}

/* A pause is of a sender at a carrier. */
static void take_pause(struct diagnosis *d, uint64_t sequence, uint64_t wall_ms, const char *sender,
                       const char *carrier)
{
    if (strcmp(sender, d->sender) != 0 || strcmp(carrier, d->carrier) != 0)
        return;
    d->sending.paused = sequence;
    d->paused_ms = wall_ms;
}

/* What the carrier made of texts, and how its people took the sender's. */
static void count_others(struct diagnosis *d, uint64_t sequence, const Assent__V1__Event *event,
                         const char *carrier)
{
    bool today = event->wall_ms + DAY_MS > d->now_ms;
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_ATTEMPT:
        if (strcmp(event->attempt->carrier, carrier) == 0)
            *table_put(&d->open, event->message) = 1;
        else
            table_remove(&d->open, event->message);
        break;
    case ASSENT__V1__EVENT__BODY_RECEIPT:
        count_end(d, event, event->receipt->outcome);
        break;
    case ASSENT__V1__EVENT__BODY_ENDED:
        count_end(d, event, event->ended->outcome);
        break;
    case ASSENT__V1__EVENT__BODY_ACCEPTED:
        d->sender_texts += today && strcmp(event->accepted->sender, d->sender) == 0;
        break;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        d->sender_opt_outs += today && strcmp(event->opted_out->sender, d->sender) == 0;
        break;
    case ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED:
        take_pause(d, sequence, event->wall_ms, event->reputation_paused->sender,
                   event->reputation_paused->carrier);
        break;
    case ASSENT__V1__EVENT__BODY_REPUTATION_RELEASED:
        take_pause(d, 0, 0, event->reputation_released->sender,
                   event->reputation_released->carrier);
        break;
    default:
        break;
    }
}

/* The number's message, or the one that was named. The gateway's own replies are nobody's complaint. */
static bool is_the_one(const struct diagnosis *d, uint64_t sequence, const Assent__V1__Event *event,
                       const Assent__V1__Personal *personal)
{
    if (event->body_case != ASSENT__V1__EVENT__BODY_ACCEPTED)
        return false;
    if (d->message != 0)
        return sequence == d->message;
    return d->number != 0 && personal != NULL && personal->number == d->number &&
           event->accepted->service == ASSENT__V1__SERVICE_KIND__SERVICE_NONE;
}

static bool find(void *context, const struct ledger_record *record)
{
    struct diagnosis *d = context;
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&d->arena, record, &personal);
    if (event != NULL && is_the_one(d, record->sequence, event, personal)) {
        ledger_filter_message(d->filter, record->sequence);
        take_accepted(d, record->sequence, event);
        d->destroyed = record->commitment.length > 0 && record->personal_part.length == 0;
    } else if (event != NULL && event->message != 0 && event->message == d->sending.message) {
        take_event(d, event);
    }
    return true;
}

static bool compare(void *context, const struct ledger_record *record)
{
    struct diagnosis *d = context;
    const Assent__V1__Event *event = record_unpack(&d->arena, record, NULL);
    if (event != NULL)
        count_others(d, record->sequence, event, d->only_carrier ? d->only_carrier : d->carrier);
    return true;
}

/* The message, by the indices of what is sealed. */
static bool find_message(struct diagnosis *d, const char *directory)
{
    d->filter = ledger_filter_new();
    ledger_filter_number(d->filter, d->message == 0 ? d->number : 0);
    ledger_filter_message(d->filter, d->message);
    bool ok = ledger_pass(&(struct ledger_pass){
        .directory = directory, .filter = d->filter, .each = find, .context = d});
    ledger_filter_free(d->filter);
    return ok;
}

/* How others fared. */
static bool compare_others(struct diagnosis *d, const char *directory)
{
    return ledger_pass(
        &(struct ledger_pass){.directory = directory, .each = compare, .context = d});
}

/* Telling ------------------------------------------------------------------------------------- */

static struct crowd last_day(const struct diagnosis *d)
{
    return (struct crowd){d->tallies[0].crowd.delivered + d->tallies[1].crowd.delivered,
                          d->tallies[0].crowd.failed + d->tallies[1].crowd.failed};
}

static const char *crowd_words(enum crowd_verdict verdict)
{
    static const char *const words[] = {
        [CROWD_TOO_FEW] = "too few to tell whether it is one person or many",
        [CROWD_ONE_PERSON] = "others get theirs, so it is this person's line or phone",
        [CROWD_SOME] = "more fail than usual, so it may not be this person alone",
        [CROWD_MANY] = "many fail, so it is the carrier or the sender, not the person"};
    return words[verdict];
}

static void print_others(const struct diagnosis *d)
{
    char count_[COUNT_TEXT_SIZE], failed[COUNT_TEXT_SIZE];
    struct crowd crowd = last_day(d);
    if (d->carrier[0] == '\0')
        return;
    printf("others        carrier %s in a day: %s delivered, %s failed; %s\n", d->carrier,
           count_text(crowd.delivered, count_), count_text(crowd.failed, failed),
           crowd_words(crowd_judge(&crowd)));
    printf("sender        %s in a day: %s texts, %s opt-outs%s\n", d->sender,
           count_text(d->sender_texts, count_), count_text(d->sender_opt_outs, failed),
           d->sender_texts >= CROWD_MIN && d->sender_opt_outs * 20 >= d->sender_texts
               ? " (5 % or more: carriers filter such senders)"
               : "");
    printf("fallback      none: this gateway sends texts alone\n");
}

static void print_message(const struct diagnosis *d)
{
    char when[WHEN_TEXT_SIZE], text[ERASED_BY_SIZE];
    const struct sending *s = &d->sending;
    printf("message       #%" PRIu64 ", accepted %s, %u part%s, %u attempt%s", s->message,
           when_text(s->accepted_ms, when), s->parts, s->parts == 1 ? "" : "s", s->attempts,
           s->attempts == 1 ? "" : "s");
    if (s->parts_sent > 0)
        printf(", %u sent %s", s->parts_sent, when_text(s->sent_ms, when));
    if (s->ended)
        printf(", ended %s", when_text(s->ended_ms, when));
    printf("\n");
    if (d->erased.erasure != 0)
        printf("personal part %s\n", erased_by_text(&d->erased, text));
    if (s->command_status != 0)
        printf("status        0x%08x %s\n", s->command_status,
               status_name(s->command_status) ? status_name(s->command_status)
                                              : "(the carrier's own)");
    if (d->error_code[0] != '\0')
        printf("error         %s, as the carrier wrote it in the receipt\n", d->error_code);
    if (diagnose(s) == CAUSE_SENDER_PAUSED)
        printf("paused        sender %s at carrier %s since %s, record #%" PRIu64 "\n", d->sender,
               d->carrier, when_text(d->paused_ms, when), s->paused);
    if (!s->ended && s->due_ms != 0)
        printf("goes on       %s\n", when_text(s->due_ms, when));
    if (!s->ended && s->send_at_ms != 0 && s->attempts == 0)
        printf("to be sent    %s\n", when_text(s->send_at_ms, when));
}

static void print_diagnosis(const struct diagnosis *d, const char *language)
{
    enum cause cause = diagnose(&d->sending);
    printf("cause         %s\n", cause_words(cause));
    printf("how sure      %s\n", sureness_name(cause_sureness(cause)));
    if (d->sending.message != 0)
        print_message(d);
    print_others(d);
    printf("what to do    %s\n", cause_advice(cause));
    for (unsigned i = 0; i < DIAGNOSIS_LANGUAGES; i++)
        if (language == NULL || strcmp(language, diagnosis_languages[i]) == 0)
            printf("tell them %s  %s\n", diagnosis_languages[i], cause_for_customer(cause, i));
}

static void print_json(const struct diagnosis *d)
{
    enum cause cause = diagnose(&d->sending);
    struct crowd crowd = last_day(d);
    json_t *answers = json_object();
    for (unsigned i = 0; i < DIAGNOSIS_LANGUAGES; i++)
        json_object_set_new(answers, diagnosis_languages[i],
                            json_string(cause_for_customer(cause, i)));
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "cause", cause_name(cause), "words",
        cause_words(cause), "sureness", sureness_name(cause_sureness(cause)), "advice",
        cause_advice(cause), "message", (json_int_t)d->sending.message, "not_before_wall_ms",
        (json_int_t)(d->sending.ended ? 0 : d->sending.due_ms), "carrier_delivered",
        (json_int_t)crowd.delivered, "carrier_failed", (json_int_t)crowd.failed, "sender_opt_outs",
        (json_int_t)d->sender_opt_outs, "tell", answers);
    if (cause == CAUSE_SENDER_PAUSED)
        json_object_set_new(object, "paused", json_integer((json_int_t)d->sending.paused));
    if (d->erased.erasure != 0)
        json_object_set_new(object, "destroyed", erased_by_json(&d->erased));
    json_line(object, stdout);
}

static int diagnose_carrier(struct diagnosis *d, const char *directory)
{
    static const char *const spans[SPANS] = {"last hour", "a day before", "all before"};
    static const Assent__V1__Outcome shown[] = {
        ASSENT__V1__OUTCOME__DELIVERED,       ASSENT__V1__OUTCOME__UNDELIVERABLE,
        ASSENT__V1__OUTCOME__REJECTED,        ASSENT__V1__OUTCOME__EXPIRED,
        ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME, ASSENT__V1__OUTCOME__SENT_NO_RECEIPT};
    struct columns columns;
    uint64_t all = 0;
    if (!compare_others(d, directory))
        return EXIT_REFUSED;
    columns_init(&columns, "lrrrrrrr");
    columns_add(&columns, "ENDED", "DELIVERED", "UNDELIVERABLE", "REJECTED", "EXPIRED", "UNKNOWN",
                "NO RECEIPT", "FAILED");
    for (unsigned i = 0; i < SPANS; i++) {
        const struct tally *t = &d->tallies[i];
        char cells[6][COUNT_TEXT_SIZE], share[16];
        uint64_t sum = t->crowd.delivered + t->crowd.failed;
        for (unsigned k = 0; k < 6; k++)
            count_text(t->outcomes[shown[k]], cells[k]);
        snprintf(share, sizeof share, sum ? "%.1f %%" : "-",
                 sum ? 100.0 * (double)t->crowd.failed / (double)sum : 0);
        columns_add(&columns, spans[i], cells[0], cells[1], cells[2], cells[3], cells[4], cells[5],
                    share);
        all += sum;
    }
    if (all > 0)
        columns_print(&columns, stdout);
    columns_release(&columns);
    if (all == 0) {
        complain("the ledger has nothing that ended at a carrier \"%s\"", d->only_carrier);
        return EXIT_REFUSED;
    }
    struct crowd crowd = last_day(d);
    printf("In the last day: %s.\n", crowd_words(crowd_judge(&crowd)));
    return EXIT_DONE;
}

/* "#17" is a message; digits alone are one where the ledger has it as one, else a number. */
static bool choose(struct diagnosis *d, const char *word)
{
    if (word[0] == '#')
        return config_integer(word + 1, &d->message) && d->message != 0;
    if (number_parse(span_from_string(word), &d->number) == ERR_OK &&
        (word[0] == '+' || d->number > 99999999))
        return true;
    d->number = 0;
    return word[0] != '+' && config_integer(word, &d->message) && d->message != 0;
}

static int run(struct diagnosis *d, const char *directory, const char *language, bool json)
{
    char cut[CUT_BY_SIZE];
    if (!find_message(d, directory))
        return EXIT_REFUSED;
    if (d->message != 0 && d->sending.message == 0) {
        if (cut_by_text(directory, d->message, cut))
            complain("#%" PRIu64 ": that record %s", d->message, cut);
        else
            complain("#%" PRIu64 " is no message in this ledger", d->message);
        return EXIT_REFUSED;
    }
    if (d->sending.message == 0 && cut_summary(directory, cut))
        fprintf(stderr, "assent: note: %s\n", cut);
    if (d->sending.message != 0 && !compare_others(d, directory))
        return EXIT_REFUSED;
    if (d->destroyed)
        (void)erased_by_find(directory, d->message, &d->erased);
    if (json)
        print_json(d);
    else
        print_diagnosis(d, language);
    return EXIT_DONE;
}

static bool knows_language(const char *language)
{
    for (unsigned i = 0; i < DIAGNOSIS_LANGUAGES; i++)
        if (strcmp(language, diagnosis_languages[i]) == 0)
            return true;
    return false;
}

int command_diagnose(const struct cli *cli, int argc, char **argv)
{
    static struct diagnosis d;
    const char *data = NULL, *word = NULL, *language = NULL;
    bool json = false;
    const struct option_row rows[] = {
        {"data", "DIR", "the gateway's data directory; else from -c", &data, NULL},
        {"carrier", "NAME", "instead of one person: how texts fare at this carrier",
         &d.only_carrier, NULL},
        {"language", "CODE", "what to tell the customer, in one language: en, fr, es, ar, pt, de",
         &language, NULL},
        {"json", NULL, "one JSON object, for programs", NULL, &json},
    };
    const struct usage usage = {
        .synopsis =
            "assent {-c FILE diagnose | diagnose --data DIR} {NUMBER|#MESSAGE-ID | --carrier NAME}",
        .about =
            "\"It never came\": says from the ledger why, how sure that is, what to tell the "
            "customer and\n"
            "what to do. Of a NUMBER its latest message. Times are UTC. The gateway need not run.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &word, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if ((words == 0) == (d.only_carrier == NULL))
        return usage_error(&usage, "which NUMBER, #MESSAGE-ID or --carrier NAME?");
    if (word != NULL && !choose(&d, word))
        return usage_error(&usage,
                           "%s is neither a number like +12025550123 nor a message like #17", word);
    if (language != NULL && !knows_language(language))
        return usage_error(&usage, "--language %s: en, fr, es, ar, pt and de are known", language);
    char *directory = ledger_path(cli, data);
    if (directory == NULL)
        return EXIT_REFUSED;
    d.now_ms = clock_wall_ms();
    table_init(&d.open);
    arena_init(&d.arena, RECORD_ARENA_MAX);
    int code = d.only_carrier != NULL ? diagnose_carrier(&d, directory)
                                      : run(&d, directory, language, json);
    table_release(&d.open);
    arena_release(&d.arena);
    free(directory);
    return code;
}

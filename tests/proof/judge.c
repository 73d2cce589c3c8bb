/* SPDX-License-Identifier: Apache-2.0 */
/* stop-judge: did anything leave for a number after its STOP? It reads the carrier's log (smsc-sim --log,
 * full), where two gateways with one session each have their PDUs, and for one question the gateways'
 * ledgers. It knows nothing of how the gateways work. Prints JSON; exits with 1 when promise P2 or P4 is
 * broken.
 *
 *     stop-judge MARK LOG LEDGER-DIRECTORY...
 *
 * MARK is in every text that a STOP forbids, and in no other. Each number says STOP once.
 *
 * The STOP's gateway. Its deliver_sm_resp and its submit_sm are in one TCP connection, which the carrier
 * reads in the order in which they were written: a submit_sm behind the deliver_sm_resp was written after it.
 *
 * The other gateway. What it may still write is a verdict from before the opt-out was in Redis, at most
 * VERDICT_AGE_MAX_MS old. That the carrier read a submit_sm late proves nothing, since octets may have
 * waited in sockets; but the ledger says when it was written (Sent.verdict_wall_ms), so its check began
 * at most VERDICT_AGE_MAX_MS before that. The STOP's gateway writes its deliver_sm_resp after Redis has the
 * opt-out, so when the carrier has read that, Redis had it: at the time of the log's next turn at the latest,
 * since all that is read in one turn bears the time at which the turn began. Hence: written more than VERDICT_AGE_MAX_MS
 * after the carrier had read the deliver_sm_resp, a submit_sm was checked too late or not at all. All
 * clocks are this machine's; CLOCK_GRAIN_MS covers that each is read in whole milliseconds.
 *
 * Redis away. On a machine that stands still, Redis is late and a gateway's gate shuts; its ledger says so
 * (GateState), and which records Redis had not acknowledged then. An opt-out among those is answered without
 * Redis, which has it at the latest when the gate is open again. Whether it was news then, nobody knows any more,
 * so it may stay unconfirmed: "within five minutes or never" (gateway/confirmation.c). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/ledger.h"
#include "proto/base/arena.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "proto/base/table.h"
#include "proto/event.pb-c.h"

#define CLOCK_GRAIN_MS 2
#define COLUMNS        11
#define ARENA_OCTETS   (1u << 20)
#define SHOWN_MAX      5

enum column {
    TIME_US,
    SESSION,
    DIRECTION,
    COMMAND,
    SEQUENCE,
    STATUS,
    MESSAGE_ID,
    SOURCE,
    DESTINATION,
    PART,
    TEXT
};

struct person {                   /* a number that texts went to or came from */
    uint64_t number, answered_us; /* the second: Redis had the opt-out then */
    uint32_t stop_session, confirmations;
    bool stopped;        /* a STOP was answered with ESME_ROK */
    bool unacknowledged; /* when its gateway's gate shut */
};

struct opt_out { /* of one ledger, while its gate has not opened again */
    uint64_t sequence, number;
};

struct late { /* a submit_sm at another gateway than the STOP's, read after the STOP was answered */
    size_t person;
    bool found; /* a ledger has it */
};

struct judge {
    const char *mark;
    int64_t wall_minus_mono_us;
    struct person *people;
    size_t person_count, person_size;
    struct late *lates;
    size_t late_count, late_size;
    struct opt_out *opt_outs; /* since the gate was open and all before it acknowledged */
    size_t opt_out_count, opt_out_size;
    uint64_t
        shut_from; /* the first record that Redis had not acknowledged; UINT64_MAX: the gate is open */
    size_t *just_answered; /* people, in the turn of `turn_us` */
    size_t just_count, just_size;
    uint64_t turn_us;
    struct table by_number;  /* number -> index in `people` + 1 */
    struct table asked;      /* session and sequence of a STOP -> number */
    struct table unanswered; /* session and sequence of a late submit_sm -> index + 1 */
    struct table by_id;      /* hash of the carrier's message id -> index of a late submit_sm + 1 */
    struct table scheduled;  /* message ids of one ledger */
    struct arena arena;
    uint64_t lines, submits, stops, own_gateway, other_gateway, unaccounted, confirmed_twice;
    uint64_t unconfirmed, unacknowledged, cancelled_waiting, cancelled_scheduled, in_flight,
        refused_elsewhere;
    uint64_t gateway_stops[8];
};

static void *grown(void *items, size_t count, size_t *size, size_t item)
{
    if (count < *size)
        return items;
    *size = *size ? *size * 2 : 1024;
    return check_realloc(items, *size * item);
}

static uint64_t key_of(uint64_t session, uint64_t sequence)
{
    return session << 32 | sequence;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037ull;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211ull;
    return hash | 1;
}

static struct person *person_of(struct judge *j, uint64_t number)
{
    uint64_t *at = table_put(&j->by_number, number);
    if (*at == 0) {
        j->people = grown(j->people, j->person_count, &j->person_size, sizeof *j->people);
        j->people[j->person_count++] = (struct person){.number = number};
        *at = j->person_count;
    }
    return &j->people[*at - 1];
}

static void complain(uint64_t count, uint64_t number, const char *what)
{
    if (count <= SHOWN_MAX)
        fprintf(stderr, "a number that ends in %02u: %s\n", (unsigned)(number % 100), what);
}

/* ---- the carrier's log ---- */

static void stop_came(struct judge *j, char *column[COLUMNS], uint64_t key)
{
    struct person *p = person_of(j, strtoull(column[SOURCE], NULL, 10));
    *table_put(&j->asked, key) = p->number;
}

static void stop_answered(struct judge *j, char *column[COLUMNS], uint64_t key)
{
    uint64_t *number = table_find(&j->asked, key);
    if (number == NULL || strcmp(column[STATUS], "0x00000000") != 0)
        return;
    struct person *p = person_of(j, *number);
    if (p->stopped)
        return;
    p->stopped = true;
    p->answered_us = j->turn_us;
    p->stop_session = (uint32_t)(key >> 32);
    j->stops++;
    j->just_answered =
        grown(j->just_answered, j->just_count, &j->just_size, sizeof *j->just_answered);
    j->just_answered[j->just_count++] = (size_t)(p - j->people);
}

static void submit_came(struct judge *j, char *column[COLUMNS], uint64_t key)
{
    struct person *p = person_of(j, strtoull(column[DESTINATION], NULL, 10));
    j->submits++;
    if (strstr(column[TEXT], j->mark) == NULL) {
        j->confirmed_twice += ++p->confirmations > 1;
        if (p->confirmations > 1)
            complain(j->confirmed_twice, p->number, "a second confirmation");
        return;
    }
    if (!p->stopped)
        return;
    if (p->stop_session == key >> 32) {
        complain(++j->own_gateway, p->number, "a submit_sm after the answer to its STOP");
        return;
    }
    j->lates = grown(j->lates, j->late_count, &j->late_size, sizeof *j->lates);
    j->lates[j->late_count++] = (struct late){.person = (size_t)(p - j->people)};
    *table_put(&j->unanswered, key) = j->late_count;
}

static void submit_answered(struct judge *j, char *column[COLUMNS], uint64_t key)
{
    uint64_t *at = table_find(&j->unanswered, key);
    if (at != NULL)
        *table_put(&j->by_id, hash_of(column[MESSAGE_ID])) = *at;
}

static void take_time(struct judge *j, uint64_t now_us)
{
    if (now_us == j->turn_us)
        return;
    for (size_t i = 0; i < j->just_count; i++)
        j->people[j->just_answered[i]].answered_us = now_us;
    j->just_count = 0;
    j->turn_us = now_us;
}

static void take_line(struct judge *j, char *line)
{
    char *column[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        column[i] = line;
        char *tab = i + 1 < COLUMNS && line != NULL ? strchr(line, '\t') : NULL;
        if (i + 1 < COLUMNS && tab == NULL)
            return; /* a line that is not written to its end */
        if (tab != NULL)
            *tab = '\0';
        line = tab != NULL ? tab + 1 : NULL;
    }
    j->lines++;
    take_time(j, strtoull(column[TIME_US], NULL, 10));
    bool incoming = strcmp(column[DIRECTION], "in") == 0;
    uint64_t key =
        key_of(strtoull(column[SESSION], NULL, 10), strtoull(column[SEQUENCE], NULL, 10));
    if (incoming && strcmp(column[COMMAND], "submit_sm") == 0)
        submit_came(j, column, key);
    else if (incoming && strcmp(column[COMMAND], "deliver_sm_resp") == 0)
        stop_answered(j, column, key);
    else if (!incoming && strcmp(column[COMMAND], "submit_sm_resp") == 0)
        submit_answered(j, column, key);
    else if (!incoming && strcmp(column[COMMAND], "deliver_sm") == 0 &&
             strcmp(column[MESSAGE_ID], "-") == 0)
        stop_came(j, column, key);
}

static bool read_log(struct judge *j, const char *path)
{
    FILE *log = fopen(path, "r");
    char line[4096];
    uint64_t mono_us, wall_ms;
    if (log == NULL || fgets(line, sizeof line, log) == NULL ||
        sscanf(line, "# mono_us=%" SCNu64 " wall_ms=%" SCNu64, &mono_us, &wall_ms) != 2) {
        fprintf(stderr, "stop-judge: %s: not a log of smsc-sim\n", path);
        return false;
    }
    j->wall_minus_mono_us = (int64_t)(wall_ms * 1000) - (int64_t)mono_us;
    while (fgets(line, sizeof line, log) != NULL)
        if (line[0] != '#' && strchr(line, '\n') != NULL)
            take_line(j, line);
    fclose(log);
    return true;
}

/* ---- the ledgers ---- */

static void judge_late(struct judge *j, const Assent__V1__Sent *sent)
{
    uint64_t *at = table_find(&j->by_id, hash_of(sent->carrier_message_id));
    if (at == NULL)
        return;
    struct late *late = &j->lates[*at - 1];
    late->found = true;
    const struct person *p = &j->people[late->person];
    int64_t answered_ms = ((int64_t)p->answered_us + j->wall_minus_mono_us) / 1000;
    int64_t begun_ms = (int64_t)sent->verdict_wall_ms - VERDICT_AGE_MAX_MS;
    if (begun_ms > answered_ms + CLOCK_GRAIN_MS)
        complain(++j->other_gateway, p->number,
                 "its check at the other gateway began after its opt-out was in Redis");
}

/* The gate is open: those that Redis had not acknowledged when it shut, and those of the time between, it has now. */
static void settle_opt_outs(struct judge *j, uint64_t wall_ms)
{
    for (size_t i = 0; i < j->opt_out_count; i++) {
        struct person *p = person_of(j, j->opt_outs[i].number);
        if (j->opt_outs[i].sequence < j->shut_from || !p->stopped)
            continue;
        int64_t opened_us = (int64_t)(wall_ms * 1000) - j->wall_minus_mono_us;
        if (opened_us > (int64_t)p->answered_us)
            p->answered_us = (uint64_t)opened_us;
        p->unacknowledged = true;
        j->unacknowledged++;
    }
    j->opt_out_count = 0;
    j->shut_from = UINT64_MAX;
}

/* First all ledgers are asked for when Redis had the opt-outs. */
static void take_consent(struct judge *j, uint64_t sequence, const Assent__V1__Event *event,
                         const Assent__V1__Personal *personal)
{
    if (event->body_case == ASSENT__V1__EVENT__BODY_OPTED_OUT) {
        j->opt_outs = grown(j->opt_outs, j->opt_out_count, &j->opt_out_size, sizeof *j->opt_outs);
        j->opt_outs[j->opt_out_count++] =
            (struct opt_out){.sequence = sequence, .number = personal->number};
    }
    if (event->body_case != ASSENT__V1__EVENT__BODY_GATE_STATE)
        return;
    if (event->gate_state->open)
        settle_opt_outs(j, event->wall_ms);
    else if (event->gate_state->write_from < j->shut_from)
        j->shut_from = event->gate_state->write_from;
}

/* What the STOPs met, to show that there was something to stop. */
static void note_ended(struct judge *j, const Assent__V1__Event *event)
{
    switch ((int)event->ended->reason) {
    case ASSENT__V1__REASON__STOP_CANCELLED:
        if (table_find(&j->scheduled, event->message) != NULL)
            j->cancelled_scheduled++;
        else
            j->cancelled_waiting++;
        break;
    case ASSENT__V1__REASON__OPTED_OUT:
        j->refused_elsewhere++;
        break;
    }
}

static void take_record(struct judge *j, unsigned gateway, uint64_t sequence,
                        const Assent__V1__Event *event)
{
    switch ((int)event->body_case) {
    case ASSENT__V1__EVENT__BODY_ACCEPTED:
        if (event->accepted->send_at_wall_ms != 0)
            *table_put(&j->scheduled, sequence) = 1;
        break;
    case ASSENT__V1__EVENT__BODY_SENT:
        judge_late(j, event->sent);
        break;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        j->in_flight += event->opted_out->n_in_flight > 0;
        j->gateway_stops[gateway]++;
        break;
    case ASSENT__V1__EVENT__BODY_ENDED:
        note_ended(j, event);
        break;
    }
}

static bool read_ledger(struct judge *j, unsigned gateway, const char *directory,
                        bool consent_alone)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    const char *why = "";
    if (ledger_reader_open(directory, 1, &reader, &why) != ERR_OK) {
        fprintf(stderr, "stop-judge: %s: %s\n", directory, why);
        return false;
    }
    enum err err;
    table_init(&j->scheduled);
    j->opt_out_count = 0;
    j->shut_from = UINT64_MAX;
    while ((err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK) {
        arena_reset(&j->arena);
        Assent__V1__Event *event = assent__v1__event__unpack(
            &j->arena.allocator, record.public_part.length, record.public_part.data);
        Assent__V1__Personal *personal = assent__v1__personal__unpack(
            &j->arena.allocator, record.personal_part.length, record.personal_part.data);
        CHECK(event != NULL && personal != NULL);
        if (consent_alone)
            take_consent(j, record.sequence, event, personal);
        else
            take_record(j, gateway, record.sequence, event);
    }
    table_release(&j->scheduled);
    if (err != ERR_AGAIN)
        fprintf(stderr, "stop-judge: %s: %s\n", directory, ledger_reader_why(reader));
    ledger_reader_free(reader);
    return err == ERR_AGAIN;
}

/* ---- the verdict ---- */

static void sum_up(struct judge *j)
{
    for (size_t i = 0; i < j->late_count; i++)
        j->unaccounted += !j->lates[i].found;
    for (size_t i = 0; i < j->person_count; i++)
        j->unconfirmed +=
            j->people[i].stopped && !j->people[i].unacknowledged && j->people[i].confirmations == 0;
}

static void print(const struct judge *j)
{
    printf("{\"lines\": %" PRIu64 ", \"submits\": %" PRIu64 ", \"stops\": %" PRIu64
           ", \"stops_at\": [%" PRIu64 ", %" PRIu64 "],\n",
           j->lines, j->submits, j->stops, j->gateway_stops[0], j->gateway_stops[1]);
    printf(" \"own_gateway\": %" PRIu64 ", \"other_gateway\": %" PRIu64
           ", \"unaccounted\": %" PRIu64 ", \"confirmed_twice\": %" PRIu64
           ", \"unconfirmed\": %" PRIu64 ", \"unacknowledged\": %" PRIu64 ",\n",
           j->own_gateway, j->other_gateway, j->unaccounted, j->confirmed_twice, j->unconfirmed,
           j->unacknowledged);
    printf(" \"cancelled_waiting\": %" PRIu64 ", \"cancelled_scheduled\": %" PRIu64
           ", \"with_some_in_flight\": %" PRIu64 ", \"refused_elsewhere\": %" PRIu64
           ", \"in_time_elsewhere\": %zu}\n",
           j->cancelled_waiting, j->cancelled_scheduled, j->in_flight, j->refused_elsewhere,
           j->late_count - j->other_gateway - j->unaccounted);
}

int main(int argc, char **argv)
{
    static struct judge j;
    if (argc < 4 || argc > 3 + 8) {
        fprintf(stderr, "usage: stop-judge MARK LOG LEDGER-DIRECTORY...\n");
        return 2;
    }
    j.mark = argv[1];
    table_init(&j.by_number);
    table_init(&j.asked);
    table_init(&j.unanswered);
    table_init(&j.by_id);
    arena_init(&j.arena, ARENA_OCTETS);
    if (!read_log(&j, argv[2]))
        return 2;
    for (int consent_alone = 1; consent_alone >= 0; consent_alone--)
        for (int i = 3; i < argc; i++)
            if (!read_ledger(&j, (unsigned)i - 3, argv[i], consent_alone))
                return 2;
    sum_up(&j);
    print(&j);
    return j.own_gateway + j.other_gateway + j.unaccounted + j.confirmed_twice > 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* assent send --dry-run: what the gateway says would become of a message, for people and for programs. */
#include <inttypes.h>
#include <string.h>

#include "gateway/cli/event_text.h"
#include "gateway/cli/client.h"
#include "gateway/cli/send.h"
#include "gateway/cli/when.h"

static const struct {
    const char *name;  /* in JSON */
    const char *words; /* for people */
} foresights[] = {
    [ASSENT__V1__FORESIGHT__FORESIGHT_NOT_ACCEPTED] = {"not_accepted", "would not be accepted"},
    [ASSENT__V1__FORESIGHT__FORESIGHT_SENT] = {"sent", "would be sent"},
    [ASSENT__V1__FORESIGHT__FORESIGHT_REFUSED] = {"refused", "would be refused"},
    [ASSENT__V1__FORESIGHT__FORESIGHT_NOT_KNOWN] = {"not_known", "not known"},
    [ASSENT__V1__FORESIGHT__FORESIGHT_WAITS] = {"waits", "would wait"},
};
#define FORESIGHTS (sizeof foresights / sizeof foresights[0])

static const char *const answers[] = {
    [ASSENT__V1__GATE_ANSWER__GATE_EXEMPT] = "exempt",
    [ASSENT__V1__GATE_ANSWER__GATE_PASSED] = "passed",
    [ASSENT__V1__GATE_ANSWER__GATE_REFUSED] = "refused",
    [ASSENT__V1__GATE_ANSWER__GATE_NOT_KNOWN] = "not known",
};
#define ANSWERS (sizeof answers / sizeof answers[0])

static const char *answer_words(Assent__V1__GateAnswer answer)
{
    return (size_t)answer < ANSWERS ? answers[answer] : "?";
}

bool dry_goes_out(const Assent__V1__Preflight *p)
{
    return p->foresight == ASSENT__V1__FORESIGHT__FORESIGHT_SENT ||
           p->foresight == ASSENT__V1__FORESIGHT__FORESIGHT_WAITS;
}

const char *dry_words(const Assent__V1__Preflight *p)
{
    return (size_t)p->foresight < FORESIGHTS ? foresights[p->foresight].words : "?";
}

const char *dry_why(const Assent__V1__Preflight *p)
{
    return p->gate[0] != '\0' ? p->why : p->verdict->message;
}

json_t *dry_json(const Assent__V1__Preflight *p)
{
    json_t *object = message_json(&p->verdict->base), *gates = json_array();
    json_object_set_new(
        object, "foresight",
        json_string((size_t)p->foresight < FORESIGHTS ? foresights[p->foresight].name : "?"));
    if (p->gate[0] != '\0') {
        json_object_set_new(object, "gate", json_string(p->gate));
        json_object_set_new(object, "why", json_string(p->why));
    }
    if (p->not_before_wall_ms != 0)
        json_object_set_new(object, "not_before_wall_ms",
                            json_integer((json_int_t)p->not_before_wall_ms));
    for (size_t i = 0; i < p->n_gates; i++) {
        json_t *gate = message_json(&p->gates[i]->base);
        json_object_set_new(gate, "answer", json_string(answer_words(p->gates[i]->answer)));
        json_array_append_new(gates, gate);
    }
    json_object_set_new(object, "gates", gates);
    return object;
}

static void due_words(uint64_t wall_ms, char out[DRY_DUE_SIZE])
{
    char when[WHEN_TEXT_SIZE];
    strcpy(out, "-");
    if (wall_ms != 0)
        snprintf(out, DRY_DUE_SIZE, "%.16s UTC", when_text(wall_ms, when));
}

static void print_gates(const Assent__V1__Preflight *p)
{
    struct columns table;
    char due[DRY_DUE_SIZE];
    columns_init(&table, "llll");
    columns_add(&table, "GATE", "VERDICT", "WHY", "ALLOWED FROM");
    for (size_t i = 0; i < p->n_gates; i++) {
        const Assent__V1__PreflightGate *gate = p->gates[i];
        due_words(gate->not_before_wall_ms, due);
        columns_add(&table, gate->name, answer_words(gate->answer),
                    gate->why[0] != '\0' ? gate->why : "-", due);
    }
    columns_print(&table, stdout);
}

/* True when it would go out. */
static bool show_one(const Assent__V1__Preflight *p, const struct send_options *options)
{
    const Assent__V1__Verdict *verdict = p->verdict;
    char replaced[32], due[DRY_DUE_SIZE];
    if (options->json) {
        json_line(dry_json(p), stdout);
        return dry_goes_out(p);
    }
    due_words(verdict->due_wall_ms, due);
    if (p->foresight == ASSENT__V1__FORESIGHT__FORESIGHT_NOT_ACCEPTED) {
        complain("%s: %s: %s%s%s", dry_words(p), code_name(verdict->code), verdict->message,
                 verdict->due_wall_ms ? "; quiet hours until " : "",
                 verdict->due_wall_ms ? due : "");
        return false;
    }
    printf("%s", dry_words(p));
    if (p->gate[0] != '\0')
        printf(": %s, %s", p->gate, p->why);
    printf("  %u part%s  %s%s%s%s\n\n", verdict->parts, verdict->parts == 1 ? "" : "s",
           encoding_text(verdict->encoding), replaced_text(verdict->replaced, replaced),
           verdict->opt_out_line[0] ? ", with the line: " : "", verdict->opt_out_line);
    if (verdict->brand_prefix[0])
        printf("the text gets \"%s\" before it, since it does not name the brand\n\n",
               verdict->brand_prefix);
    print_gates(p);
    return dry_goes_out(p);
}

void dry_request(uint64_t call, Assent__V1__Message **messages, size_t count,
                 Assent__V1__PreflightRequest *request, Assent__V1__Frame *frame)
{
    assent__v1__preflight_request__init(request);
    request->n_messages = count;
    request->messages = messages;
    assent__v1__frame__init(frame);
    frame->call = call;
    frame->body_case = ASSENT__V1__FRAME__BODY_PREFLIGHT;
    frame->preflight = request;
}

bool dry_one(struct client *client, Assent__V1__Message *message,
             const struct send_options *options)
{
    Assent__V1__PreflightRequest preflight;
    Assent__V1__Frame request;
    dry_request(0, &message, 1, &preflight, &request);
    Assent__V1__Frame *frame =
        client_call(client, &request, ASSENT__V1__FRAME__BODY_PREFLIGHT_REPLY);
    return frame != NULL && frame->preflight_reply->n_messages == 1 &&
           show_one(frame->preflight_reply->messages[0], options);
}

/* Many rows: by the gate that decided ------------------------------------------------------------ */

static struct dry_kind *find_kind(struct dry_summary *summary, const Assent__V1__Preflight *p)
{
    for (size_t i = 0; i < summary->count; i++)
        if (summary->kinds[i].foresight == p->foresight &&
            strcmp(summary->kinds[i].gate, p->gate) == 0)
            return &summary->kinds[i];
    if (summary->count == DRY_KINDS_MAX)
        return NULL;
    struct dry_kind *kind = &summary->kinds[summary->count++];
    *kind = (struct dry_kind){.foresight = p->foresight};
    snprintf(kind->gate, sizeof kind->gate, "%s", p->gate);
    return kind;
}

void dry_count(struct dry_summary *summary, uint64_t row, const Assent__V1__Preflight *p)
{
    struct dry_kind *kind = find_kind(summary, p);
    if (kind == NULL)
        return;
    if (kind->rows++ == 0) {
        kind->first_row = row;
        snprintf(kind->why, sizeof kind->why, "%s", dry_why(p));
    }
    if (p->not_before_wall_ms > kind->latest_wall_ms)
        kind->latest_wall_ms = p->not_before_wall_ms;
}

static void kind_words(const struct dry_kind *kind, const char **ret_name, const char **ret_words)
{
    bool known = (size_t)kind->foresight < FORESIGHTS;
    *ret_name = known ? foresights[kind->foresight].name : "?";
    *ret_words = known ? foresights[kind->foresight].words : "?";
}

void dry_print(const struct dry_summary *summary)
{
    struct columns table;
    columns_init(&table, "llrrll");
    columns_add(&table, "GATE", "VERDICT", "ROWS", "FIRST ROW", "WHY", "ALL ALLOWED FROM");
    for (size_t i = 0; i < summary->count; i++) {
        const struct dry_kind *kind = &summary->kinds[i];
        char rows[COUNT_TEXT_SIZE], first[24], due[DRY_DUE_SIZE];
        const char *name, *words;
        kind_words(kind, &name, &words);
        snprintf(first, sizeof first, "%" PRIu64, kind->first_row);
        due_words(kind->latest_wall_ms, due);
        columns_add(&table, kind->gate[0] ? kind->gate : "-", words, count_text(kind->rows, rows),
                    first, kind->why[0] ? kind->why : "-", due);
    }
    columns_print(&table, stdout);
}

void dry_print_json(const struct dry_summary *summary)
{
    json_t *kinds = json_array(), *object = json_object();
    for (size_t i = 0; i < summary->count; i++) {
        const struct dry_kind *kind = &summary->kinds[i];
        const char *name, *words;
        kind_words(kind, &name, &words);
        json_array_append_new(kinds,
                              json_pack("{s:s, s:s, s:I, s:I, s:s}", "foresight", name, "gate",
                                        kind->gate, "rows", (json_int_t)kind->rows, "first_row",
                                        (json_int_t)kind->first_row, "why", kind->why));
    }
    json_object_set_new(object, "summary", kinds);
    json_line(object, stdout);
}

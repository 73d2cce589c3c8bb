/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent show: where a number stands in each program, as the gateway sees it now; and from the ledgers since
 * when, and how it is known. The table of consent/standing.h folds the number's events. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/standing.h"
#include "gateway/cli/client.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/number.h"

#define DIRECTORIES_MAX 16
#define PLACES_MAX      256 /* scopes that one number has a story in */
#define KNOWN_SIZE      192

/* The record that made it so. */
struct cause {
    uint64_t sequence;
    Assent__V1__ConsentSource source;
    char rule[64], how[64];
    char node[NAME_OCTETS_MAX + 2]; /* "gw1 " where several ledgers are read; else empty */
    bool evidence;
};

struct place {
    uint16_t scope;
    struct standing standing;
    struct cause above, beneath;
};

struct show {
    const char *program, *words[DIRECTORIES_MAX + 1]; /* NUMBER, then data directories */
    bool history, json;
    bool several; /* ledgers are read */
    uint64_t number;
    char *scope_names[SCOPE_MAX + 1];
    struct place places[PLACES_MAX];
    unsigned place_count;
    json_t *events; /* with --json --history */
    uint64_t event_count;
};

/* What is told about one program; `cause` NULL: the ledgers that were read do not say. */
struct known {
    uint64_t since_ms;
    const struct cause *cause;
};

/* ---- the story in the ledgers ---- */

static struct place *place_of(struct show *s, uint16_t scope, bool make)
{
    for (unsigned i = 0; i < s->place_count; i++)
        if (s->places[i].scope == scope)
            return &s->places[i];
    if (!make || s->place_count == PLACES_MAX)
        return NULL;
    s->places[s->place_count].scope = scope;
    return &s->places[s->place_count++];
}

static const char *rule_of(const Assent__V1__Event *event)
{
    switch ((int)event->body_case) {
    case ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED:
        return event->opt_in_requested->rule;
    case ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED:
        return event->opt_in_confirmed->rule;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        return event->opted_out->rule;
    case ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN:
        return event->opted_in_again->rule;
    default:
        return "";
    }
}

/* A reply's own words stand in `how` as their meaning; the rule says more. */
static const char *how_of(const Assent__V1__Event *event)
{
    switch ((int)event->body_case) {
    case ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED:
        return event->opt_in_requested->source;
    case ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED:
        return event->opt_in_recorded->how;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        return event->opted_out->rule[0] == '\0' ? event->opted_out->how : "";
    default:
        return "";
    }
}

static void node_of(const struct show *s, const struct ledgers_event *event,
                    char out[NAME_OCTETS_MAX + 2])
{
    out[0] = '\0';
    if (s->several)
        snprintf(out, NAME_OCTETS_MAX + 2, "%s ", event->node);
}

static struct cause cause_of(const struct show *s, const struct move *move,
                             const struct ledgers_event *event)
{
    const Assent__V1__Personal *personal = event->personal;
    struct cause cause = {.sequence = event->sequence, .source = move->source};
    node_of(s, event, cause.node);
    snprintf(cause.rule, sizeof cause.rule, "%s", rule_of(event->event));
    snprintf(cause.how, sizeof cause.how, "%s", how_of(event->event));
    cause.evidence =
        personal->raw.len > 0 || personal->text[0] != '\0' || personal->evidence[0] != '\0';
    return cause;
}

static void fold(struct show *s, const struct ledgers_event *event)
{
    struct move moves[WRITE_SCOPES_MAX];
    size_t count = standing_moves(event->sequence, event->event, event->personal, moves);
    for (size_t i = 0; i < count; i++) {
        struct place *place = place_of(s, moves[i].scope, true);
        if (place == NULL || standing_apply(&place->standing, &moves[i]) != NULL)
            continue;
        bool above = moves[i].kind == MOVE_STOP || moves[i].kind == MOVE_START ||
                     moves[i].kind == MOVE_RELEASE;
        if (!above)
            place->beneath = cause_of(s, &moves[i], event);
        else if (moves[i].kind == MOVE_STOP && place->standing.denied_record == event->sequence)
            place->above = cause_of(s, &moves[i], event);
    }
}

static void tell_event(struct show *s, const struct ledgers_event *event)
{
    char when[WHEN_TEXT_SIZE], text[EVENT_TEXT_SIZE], node[NAME_OCTETS_MAX + 2];
    s->event_count++;
    node_of(s, event, node);
    if (s->json)
        json_array_append_new(s->events,
                              event_json(event->sequence, event->event, event->personal));
    else
        printf("%s  %s#%-8" PRIu64 "  %s\n", when_text(event->event->wall_ms, when), node,
               event->sequence, event_text(event->event, event->personal, text));
}

static void read_event(void *context, const struct ledgers_event *event)
{
    struct show *s = context;
    event_learn(event->event);
    if (event->event->body_case == ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED) {
        const Assent__V1__ScopeRegistered *scope = event->event->scope_registered;
        if (scope->number <= SCOPE_MAX) {
            free(s->scope_names[scope->number]);
            s->scope_names[scope->number] = check_strdup(scope->name);
        }
    }
    if (event->personal == NULL || event->personal->number != s->number ||
        !event_tells_consent(event->event))
        return;
    fold(s, event);
    if (s->history)
        tell_event(s, event);
}

static bool read_ledgers(struct show *s, const char *const *directories, unsigned count)
{
    s->several = count > 1;
    bool ok = ledgers_pass(directories, count, read_event, s);
    if (!ok)
        complain("it is not told since when and how");
    return ok;
}

/* ---- the gateway's word and the ledgers' ---- */

static int scope_named(const struct show *s, const char *kind, const char *name)
{
    char text[NAME_OCTETS_MAX + 16];
    snprintf(text, sizeof text, "%s:%s", kind, name);
    for (int i = 0; i <= (int)SCOPE_MAX; i++)
        if (s->scope_names[i] != NULL && strcmp(s->scope_names[i], text) == 0)
            return i;
    return -1;
}

/* The scope that the gateway names in denied_by. */
static int scope_of_denial(const struct show *s, const char *denial)
{
    if (strcmp(denial, "everything") == 0)
        return SCOPE_EVERYTHING;
    if (strcmp(denial, "hold") == 0)
        return SCOPE_HOLD;
    if (strncmp(denial, "register ", 9) == 0)
        return SCOPE_DO_NOT_CALL;
    if (strncmp(denial, "brand ", 6) == 0)
        return scope_named(s, "brand", denial + 6);
    return strncmp(denial, "program ", 8) == 0 ? scope_named(s, "program", denial + 8) : -1;
}

static bool has_consent(enum state state)
{
    return state == CONSENT_CONFIRMED || state == CONSENT_SINGLE;
}

/* Where a ledger says something else, another one has the record. */
static struct known known_of(struct show *s, const Assent__V1__ProgramConsent *program,
                             uint64_t now_ms)
{
    struct known known = {0};
    uint64_t record;
    for (size_t i = 0; i < program->n_denied_by; i++) {
        int scope = scope_of_denial(s, program->denied_by[i]);
        const struct place *place = scope < 0 ? NULL : place_of(s, (uint16_t)scope, false);
        if (place == NULL || !place->standing.denied)
            continue;
        if (known.cause == NULL || place->standing.denied_ms < known.since_ms)
            known = (struct known){place->standing.denied_ms, &place->above};
    }
    int scope = scope_named(s, "program", program->program);
    const struct place *place = scope < 0 ? NULL : place_of(s, (uint16_t)scope, false);
    if (program->n_denied_by > 0 || place == NULL)
        return known;
    struct standing beneath = place->standing;
    beneath.denied = false;
    enum state state = standing_state(&beneath, now_ms);
    bool same = strcmp(state_name(state), program->state) == 0 ||
                (has_consent(state) && (strcmp(program->state, "confirmed") == 0 ||
                                        strcmp(program->state, "single") == 0));
    if (!same || place->beneath.sequence == 0)
        return known;
    known.since_ms = standing_since(&beneath, now_ms, &record);
    known.cause = &place->beneath;
    return known;
}

static const char *source_name(Assent__V1__ConsentSource source)
{
    static const char *const names[] = {"time",   "reply",   "token",   "submitter",
                                        "import", "carrier", "operator"};
    return (unsigned)source < sizeof names / sizeof names[0] ? names[source] : "unknown";
}

static const char *known_text(const struct known *known, char out[KNOWN_SIZE])
{
    const struct cause *r = known->cause;
    if (r == NULL)
        return "-";
    snprintf(out, KNOWN_SIZE, "%s%s%s%s%s, %s, %s#%" PRIu64, source_name(r->source),
             r->rule[0] ? " by " : "", r->rule, r->how[0] ? ": " : "", r->how,
             r->evidence ? "evidence kept" : "no evidence", r->node, r->sequence);
    return out;
}

/* ---- told ---- */

static void add_program(struct columns *table, const Assent__V1__ProgramConsent *consent,
                        const struct known *known)
{
    char denied[256] = "-", when[WHEN_TEXT_SIZE], text[KNOWN_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < consent->n_denied_by && n < sizeof denied; i++)
        n += (size_t)snprintf(denied + n, sizeof denied - n, "%s%s", i ? ", " : "",
                              consent->denied_by[i]);
    columns_add(table, consent->program, consent->state, denied,
                consent->may_send_marketing ? "yes" : "no",
                known->cause ? when_text(known->since_ms, when) : "-", known_text(known, text));
}

static void print_rest(const Assent__V1__ProgramConsent *consent, uint64_t now_ms)
{
    char asked[WHEN_TEXT_SIZE], until[WHEN_TEXT_SIZE];
    if (consent->asked)
        printf("%s: asked %s by %s; %s %s\n", consent->program,
               when_text(consent->asked_wall_ms, asked), consent->asked_by,
               now_ms < consent->expires_wall_ms ? "may be answered until" : "the time was over",
               when_text(consent->expires_wall_ms, until));
    if (consent->reassigned)
        printf("%s: the number may have a new owner; a consent given since then counts\n",
               consent->program);
}

static void print_text(struct show *s, const Assent__V1__ShowReply *reply, uint64_t now_ms)
{
    struct columns table;
    if (s->event_count > 0)
        printf("\n");
    columns_init(&table, "llllll");
    columns_add(&table, "PROGRAM", "STATE", "DENIED BY", "MARKETING", "SINCE (UTC)", "KNOWN BY");
    for (size_t i = 0; i < reply->n_programs; i++) {
        struct known known = known_of(s, reply->programs[i], now_ms);
        add_program(&table, reply->programs[i], &known);
    }
    columns_print(&table, stdout);
    for (size_t i = 0; i < reply->n_programs; i++)
        print_rest(reply->programs[i], now_ms);
}

static void print_json(struct show *s, const Assent__V1__ShowReply *reply, uint64_t now_ms)
{
    json_t *object = message_json(&reply->base);
    for (size_t i = 0; i < reply->n_programs; i++) {
        struct known known = known_of(s, reply->programs[i], now_ms);
        json_t *program = json_array_get(json_object_get(object, "programs"), i);
        if (known.cause == NULL || program == NULL)
            continue;
        json_object_set_new(program, "since_wall_ms", json_integer((json_int_t)known.since_ms));
        json_object_set_new(program, "source", json_string(source_name(known.cause->source)));
        json_object_set_new(program, "how", json_string(known.cause->how));
        json_object_set_new(program, "rule", json_string(known.cause->rule));
        json_object_set_new(program, "evidence", json_boolean(known.cause->evidence));
        json_object_set_new(program, "record", json_integer((json_int_t)known.cause->sequence));
    }
    if (s->history)
        json_object_set(object, "history", s->events);
    json_line(object, stdout);
}

static bool ask_and_print(struct show *s, const struct cli *cli)
{
    Assent__V1__ShowRequest request = ASSENT__V1__SHOW_REQUEST__INIT;
    request.program = (char *)(s->program ? s->program : "");
    request.number = (char *)s->words[0];
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_SHOW_CONSENT;
    frame.show_consent = &request;
    struct client *client = client_open(cli);
    Assent__V1__Frame *reply =
        client ? client_call(client, &frame, ASSENT__V1__FRAME__BODY_SHOW_REPLY) : NULL;
    bool ok = reply != NULL && reply->show_reply->code == ASSENT__V1__CODE__CODE_OK;
    if (reply != NULL && s->json)
        print_json(s, reply->show_reply, clock_wall_ms());
    else if (ok)
        print_text(s, reply->show_reply, clock_wall_ms());
    else if (reply != NULL)
        complain("refused: %s: %s", code_name(reply->show_reply->code), reply->show_reply->message);
    client_close(client);
    return ok;
}

/* Where -c says which gateway it is, its ledger is read, and those whose directories are given. */
static int run(struct show *s, const struct cli *cli, size_t words)
{
    bool read = true;
    if (cli->config_path != NULL) {
        struct config *config = cli_load_config(cli);
        if (config == NULL)
            return EXIT_REFUSED;
        const char *directories[DIRECTORIES_MAX + 1] = {config->data_dir};
        for (size_t i = 1; i < words; i++)
            directories[i] = s->words[i];
        read = read_ledgers(s, directories, (unsigned)words);
        config_free(config);
    }
    bool ok = ask_and_print(s, cli);
    return ok && (read || !s->history) ? EXIT_DONE : EXIT_REFUSED;
}

static int check_words(const struct usage *usage, struct show *s, const struct cli *cli,
                       size_t words)
{
    if (words == 0)
        return usage_error(usage, "which NUMBER?");
    if (number_parse(span_from_string(s->words[0]), &s->number) != ERR_OK)
        return usage_error(usage, "NUMBER is like +12025550100");
    if (cli->config_path == NULL && (s->history || words > 1))
        return usage_error(usage, "-c FILE says where the ledger is");
    return -1;
}

int consent_show(const struct cli *cli, int argc, char **argv)
{
    struct show *s = check_calloc(1, sizeof *s);
    size_t words = 0;
    const struct option_row rows[] = {
        {"program", "P", "this program alone", &s->program, NULL},
        {"history", NULL, "every consent event of the number before it; needs -c FILE", NULL,
         &s->history},
        {"json", NULL, "one JSON object, for programs", NULL, &s->json},
    };
    const struct usage usage = {
        .synopsis = "assent [-c FILE] consent show [OPTIONS] NUMBER [DATA-DIR...]",
        .about = "Shows where the number stands in each program: none, pending (asked, not "
                 "answered), confirmed\n"
                 "(the handset said yes), single (recorded with evidence), opted_out or expired "
                 "(nobody answered\n"
                 "in time); what denies it; and whether marketing may go now. With -c FILE the "
                 "gateway's ledger,\n"
                 "and those of other gateways by their data directories, tell since when, and how "
                 "it is known.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    enum options_result result =
        options_read(&usage, argc, argv, s->words, DIRECTORIES_MAX + 1, &words);
    int code = result == OPTIONS_READ ? check_words(&usage, s, cli, words) : options_exit(result);
    s->events = json_array();
    if (code < 0)
        code = run(s, cli, words);
    json_decref(s->events);
    for (size_t i = 0; i <= SCOPE_MAX; i++)
        free(s->scope_names[i]);
    free(s);
    return code;
}

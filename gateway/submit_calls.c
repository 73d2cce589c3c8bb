/* SPDX-License-Identifier: Apache-2.0 */
/* One frame in, one answer out. The table `rows` has a line a call: who may make it, and the function
 * that serves it. Everything decoded lives in the server's arena until it is served. */
#include "gateway/submit_connection.h"

#include <stdio.h>

#include "proto/base/check.h"
#include "proto/base/log.h"

#define AGENT_LOGGED 40 /* characters */

struct call {
    struct connection *connection;
    const Assent__V1__Frame *frame;
    struct instant now;
};

static void refuse(const struct call *call, Assent__V1__Code code, const char *message)
{
    connection_fail_call(call->connection, call->frame->call, code, message);
}

static Assent__V1__Frame answer_to(const struct call *call, Assent__V1__Frame__BodyCase body)
{
    Assent__V1__Frame answer = ASSENT__V1__FRAME__INIT;
    answer.call = call->frame->call;
    answer.body_case = body;
    return answer;
}

/* Strings that live until the frame is served. */
static char *bad_string(struct arena *arena, const char *field)
{
    static const char format[] = "%s is not valid UTF-8, or holds a NUL";
    char *text = arena_alloc(arena, sizeof format + 64);
    if (text == NULL)
        return (char *)"a string is not valid UTF-8, or holds a NUL";
    snprintf(text, sizeof format + 64, format, field);
    return text;
}

/* Hello ---------------------------------------------------------------------------------------- */

static void log_hello(const struct connection *connection, const char *agent)
{
    char printable[AGENT_LOGGED + 1];
    size_t n = 0;
    for (; n < AGENT_LOGGED && agent[n] != '\0'; n++)
        printable[n] = agent[n] > ' ' && agent[n] < 0x7f ? agent[n] : '_';
    printable[n] = '\0';
    const struct config *config = connection->server->config;
    bool is_operator = connection->client == CLIENT_OPERATOR;
    log_event(LOG_DEBUG, "client_hello", "client=%s agent=%s",
              is_operator ? "(operator)" : config->clients[connection->client].name, printable);
}

static void answer_hello(const struct call *call)
{
    struct connection *connection = call->connection;
    const struct config *config = connection->server->config;
    char *programs[PROGRAMS_MAX];
    Assent__V1__HelloReply reply = ASSENT__V1__HELLO_REPLY__INIT;
    reply.node = (char *)config->node;
    reply.version = (char *)ASSENT_VERSION;
    reply.operator_ = connection->client == CLIENT_OPERATOR;
    reply.programs = programs;
    for (uint16_t i = 0; i < config->program_count; i++)
        if (!config->programs[i].retired &&
            (reply.operator_ || config->clients[connection->client].programs[i]))
            programs[reply.n_programs++] = config->programs[i].name;
    Assent__V1__Frame answer = answer_to(call, ASSENT__V1__FRAME__BODY_HELLO_REPLY);
    answer.hello_reply = &reply;
    connection_answer(connection, &answer, 0);
}

static enum call_result serve_hello(const struct call *call)
{
    struct connection *connection = call->connection;
    const Assent__V1__HelloRequest *hello = call->frame->hello;
    const char *why;
    if (connection->state != CONNECTION_NEW) {
        refuse(call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION, "Hello was said already");
    } else if (!hello_accept(connection, hello, &connection->client, &why)) {
        connection_fail(connection, call->frame->call, ASSENT__V1__CODE__CODE_UNAUTHENTICATED, why);
    } else {
        connection_open(connection);
        log_hello(connection, hello->agent);
        answer_hello(call);
    }
    return CALL_TAKEN;
}

/* Submit, Cancel, Query ------------------------------------------------------------------------ */

static bool count_is_sane(const struct call *call, size_t count, const char *what)
{
    if (count >= 1 && count <= SUBMIT_MESSAGES_MAX)
        return true;
    refuse(call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT, what);
    return false;
}

static void fill_verdict(Assent__V1__Verdict *verdict, const struct submit_verdict *given)
{
    assent__v1__verdict__init(verdict);
    verdict->code = given->code;
    verdict->id = given->id;
    verdict->parts = given->parts;
    verdict->encoding = given->encoding;
    verdict->replaced = given->replaced;
    verdict->repeated_reference = given->repeated_reference;
    if (given->brand_prefix != NULL)
        verdict->brand_prefix = (char *)given->brand_prefix;
    if (given->opt_out_line != NULL)
        verdict->opt_out_line = (char *)given->opt_out_line;
    verdict->due_wall_ms = given->due_wall_ms;
    if (given->message != NULL)
        verdict->message = (char *)given->message;
}

static Assent__V1__Verdict *set_verdict(struct submit_server *server, size_t i,
                                        const struct submit_verdict *given)
{
    Assent__V1__Verdict *verdict = server->verdict_pointers[i] = &server->verdicts[i];
    fill_verdict(verdict, given);
    return verdict;
}

static void submit_one(const struct call *call, const Assent__V1__Message *message, bool dry_run,
                       struct arena *arena, struct submit_verdict *ret_verdict)
{
    const char *field;
    *ret_verdict = (struct submit_verdict){.code = ASSENT__V1__CODE__CODE_INVALID_ARGUMENT};
    if (frame_strings_valid(&message->base, &field))
        engine_submit(call->connection->server->engine, call->connection->client, message, dry_run,
                      call->now, ret_verdict);
    else
        ret_verdict->message = bad_string(arena, field);
}

/* While the engine takes nothing, waiting is tried first: it may be a matter of milliseconds. */
static bool must_wait(const struct submit_server *server, struct instant now)
{
    return !server->draining &&
           (server->refusing_since_us == 0 ||
            now.mono_us - server->refusing_since_us < SUBMIT_PATIENCE_MS * US_PER_MS);
}

/* Gives the position that the ledger must reach before the verdicts may be told. */
static uint64_t submit_slice(const struct call *call, struct arena *arena,
                             Assent__V1__Verdict *verdicts, size_t from, size_t to)
{
    const Assent__V1__SubmitRequest *submit = call->frame->submit;
    uint64_t ready_at = 0;
    for (size_t i = from; i < to; i++) {
        struct submit_verdict verdict;
        submit_one(call, submit->messages[i], submit->dry_run, arena, &verdict);
        fill_verdict(&verdicts[i], &verdict);
        ready_at = verdict.ready_at > ready_at ? verdict.ready_at : ready_at;
    }
    return ready_at;
}

static void answer_submit(const struct call *call, Assent__V1__Verdict *verdicts, size_t count,
                          uint64_t ready_at)
{
    struct submit_server *server = call->connection->server;
    for (size_t i = 0; i < count; i++)
        server->verdict_pointers[i] = &verdicts[i];
    Assent__V1__SubmitReply reply = ASSENT__V1__SUBMIT_REPLY__INIT;
    reply.n_verdicts = count;
    reply.verdicts = server->verdict_pointers;
    Assent__V1__Frame answer = answer_to(call, ASSENT__V1__FRAME__BODY_SUBMIT_REPLY);
    answer.submit_reply = &reply;
    connection_answer(call->connection, &answer, ready_at);
}

static void end_bulk(struct bulk *bulk)
{
    bulk->connection = NULL;
    arena_reset(&bulk->arena);
}

void bulk_drop(struct connection *connection)
{
    if (connection->server->bulk.connection == connection)
        end_bulk(&connection->server->bulk);
}

static enum call_result go_on_with_bulk(struct connection *connection, struct instant now)
{
    struct bulk *bulk = &connection->server->bulk;
    struct call call = {.connection = connection, .frame = bulk->frame, .now = now};
    size_t count = bulk->frame->submit->n_messages, to = bulk->served + SUBMIT_SLICE;
    if (to > count)
        to = count;
    uint64_t ready_at = submit_slice(&call, &bulk->arena, bulk->verdicts, bulk->served, to);
    bulk->ready_at = ready_at > bulk->ready_at ? ready_at : bulk->ready_at;
    bulk->served = to;
    if (to < count)
        return CALL_PARTLY;
    answer_submit(&call, bulk->verdicts, count, bulk->ready_at);
    end_bulk(bulk);
    return CALL_TAKEN;
}

/* The decoded frame stays where it is, so its arena changes hands. */
static enum call_result begin_bulk(const struct call *call)
{
    struct submit_server *server = call->connection->server;
    struct bulk *bulk = &server->bulk;
    CHECK(bulk->connection == NULL); /* one at a time: submit_serve.c */
    arena_swap(&bulk->arena, &server->arena);
    bulk->connection = call->connection;
    bulk->frame = (Assent__V1__Frame *)(uintptr_t)call->frame;
    bulk->served = 0;
    bulk->ready_at = 0;
    return go_on_with_bulk(call->connection, call->now);
}

static enum call_result serve_submit(const struct call *call)
{
    struct submit_server *server = call->connection->server;
    const Assent__V1__SubmitRequest *submit = call->frame->submit;
    const char *why;
    if (!count_is_sane(call, submit->n_messages, "a Submit carries 1 to 1,000 messages"))
        return CALL_TAKEN;
    if (engine_refuses(server->engine, &why)) {
        if (must_wait(server, call->now))
            return CALL_NOT_NOW;
        refuse(call,
               server->draining ? ASSENT__V1__CODE__CODE_UNAVAILABLE
                                : ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
               why);
        return CALL_TAKEN;
    }
    if (submit->n_messages > SUBMIT_SLICE)
        return begin_bulk(call);
    uint64_t ready_at = submit_slice(call, &server->arena, server->verdicts, 0, submit->n_messages);
    answer_submit(call, server->verdicts, submit->n_messages, ready_at);
    return CALL_TAKEN;
}

static enum call_result serve_cancel(const struct call *call)
{
    struct submit_server *server = call->connection->server;
    const Assent__V1__CancelRequest *cancel = call->frame->cancel;
    if (!count_is_sane(call, cancel->n_ids, "a Cancel carries 1 to 1,000 ids"))
        return CALL_TAKEN;
    uint64_t ready_at = 0;
    for (size_t i = 0; i < cancel->n_ids; i++) {
        struct submit_verdict verdict = {.code = ASSENT__V1__CODE__CODE_NOT_FOUND};
        engine_cancel(server->engine, call->connection->client, cancel->ids[i], call->now,
                      &verdict);
        set_verdict(server, i, &verdict)->id = cancel->ids[i];
        ready_at = verdict.ready_at > ready_at ? verdict.ready_at : ready_at;
    }
    Assent__V1__CancelReply reply = ASSENT__V1__CANCEL_REPLY__INIT;
    reply.n_verdicts = cancel->n_ids;
    reply.verdicts = server->verdict_pointers;
    Assent__V1__Frame answer = answer_to(call, ASSENT__V1__FRAME__BODY_CANCEL_REPLY);
    answer.cancel_reply = &reply;
    connection_answer(call->connection, &answer, ready_at);
    return CALL_TAKEN;
}

static enum call_result serve_query(const struct call *call)
{
    struct submit_server *server = call->connection->server;
    const Assent__V1__QueryRequest *query = call->frame->query;
    if (!count_is_sane(call, query->n_ids, "a Query carries 1 to 1,000 ids"))
        return CALL_TAKEN;
    for (size_t i = 0; i < query->n_ids; i++) {
        Assent__V1__MessageStatus *status = server->status_pointers[i] = &server->statuses[i];
        assent__v1__message_status__init(status);
        if (!engine_query(server->engine, call->connection->client, query->ids[i], status))
            status->code = ASSENT__V1__CODE__CODE_NOT_FOUND;
        status->id = query->ids[i];
    }
    Assent__V1__QueryReply reply = ASSENT__V1__QUERY_REPLY__INIT;
    reply.n_messages = query->n_ids;
    reply.messages = server->status_pointers;
    Assent__V1__Frame answer = answer_to(call, ASSENT__V1__FRAME__BODY_QUERY_REPLY);
    answer.query_reply = &reply;
    connection_answer(call->connection, &answer, 0);
    return CALL_TAKEN;
}

static enum call_result serve_watch(const struct call *call)
{
    watch_start(call->connection, call->frame->call, call->frame->watch);
    return CALL_TAKEN;
}

static enum call_result serve_status(const struct call *call)
{
    status_answer(call->connection, call->frame->call, call->now);
    return CALL_TAKEN;
}

/* Consent: the engine answers through the ports ------------------------------------------------ */

typedef void engine_call(const struct call *call, uint64_t cookie);

static void request_opt_in(const struct call *call, uint64_t cookie)
{
    engine_request_opt_in(call->connection->server->engine, call->connection->client, cookie,
                          call->frame->request_opt_in, call->now);
}

static void confirm_opt_in(const struct call *call, uint64_t cookie)
{
    engine_confirm_opt_in(call->connection->server->engine, call->connection->client, cookie,
                          call->frame->confirm_opt_in, call->now);
}

static void record_opt_in(const struct call *call, uint64_t cookie)
{
    engine_record_opt_in(call->connection->server->engine, call->connection->client, cookie,
                         call->frame->record_opt_in, call->now);
}

static void opt_out(const struct call *call, uint64_t cookie)
{
    engine_opt_out(call->connection->server->engine, call->connection->client, cookie,
                   call->frame->opt_out, call->now);
}

static void release_hold(const struct call *call, uint64_t cookie)
{
    engine_release_hold(call->connection->server->engine, call->connection->client, cookie,
                        call->frame->release, call->now);
}

static void complain_about(const struct call *call, uint64_t cookie)
{
    engine_complain(call->connection->server->engine, call->connection->client, cookie,
                    call->frame->complaint, call->now);
}

static void reputation(const struct call *call, uint64_t cookie)
{
    engine_reputation_call(call->connection->server->engine, call->connection->client, cookie,
                           call->frame->reputation, call->now);
}

static void show_consent(const struct call *call, uint64_t cookie)
{
    engine_show_consent(call->connection->server->engine, call->connection->client, cookie,
                        call->frame->show_consent, call->now);
}

static void forget_node(const struct call *call, uint64_t cookie)
{
    engine_forget_node(call->connection->server->engine, call->connection->client, cookie,
                       call->frame->forget_node->node, call->now);
}

static void erase(const struct call *call, uint64_t cookie)
{
    engine_erase(call->connection->server->engine, call->connection->client, cookie,
                 call->frame->erase, call->now);
}

static enum call_result serve_consent(const struct call *call, engine_call *function)
{
    const char *field;
    const ProtobufCMessage *request = &call->frame->show_consent->base;
    if (engine_consent_busy(call->connection->server->engine))
        return CALL_NOT_NOW; /* until the next turn */
    if (!frame_strings_valid(request, &field)) {
        refuse(call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               bad_string(&call->connection->server->arena, field));
        return CALL_TAKEN;
    }
    uint64_t cookie = connection_add_later(call->connection, call->frame->call);
    if (cookie == 0)
        refuse(call, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
               "too many consent calls are under way; try again in a second");
    else
        function(call, cookie);
    return CALL_TAKEN;
}

/* An import's rows are few a call, so that nothing else waits long behind them. */
static enum call_result serve_import(const struct call *call)
{
    struct submit_server *server = call->connection->server;
    const Assent__V1__ImportRequest *request = call->frame->import;
    const char *why, *field;
    if (engine_refuses(server->engine, &why) || engine_consent_busy(server->engine)) {
        if (!engine_refuses(server->engine, &why) || must_wait(server, call->now))
            return CALL_NOT_NOW;
        refuse(call, ASSENT__V1__CODE__CODE_UNAVAILABLE, why);
        return CALL_TAKEN;
    }
    if (!frame_strings_valid(&request->base, &field)) {
        refuse(call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT, bad_string(&server->arena, field));
        return CALL_TAKEN;
    }
    uint64_t ready_at;
    Assent__V1__ImportReply reply = ASSENT__V1__IMPORT_REPLY__INIT;
    if (!engine_import(server->engine, call->connection->client, request, call->now, &server->arena,
                       &reply, &ready_at))
        return CALL_NOT_NOW;
    Assent__V1__Frame answer = answer_to(call, ASSENT__V1__FRAME__BODY_IMPORT_REPLY);
    answer.import_reply = &reply;
    connection_answer(call->connection, &answer, ready_at);
    return CALL_TAKEN;
}

/* Answered when Redis has answered; strings of messages are looked at by the engine. */
static enum call_result serve_preflight(const struct call *call)
{
    struct connection *connection = call->connection;
    const Assent__V1__PreflightRequest *request = call->frame->preflight;
    if (!count_is_sane(call, request->n_messages, "a Preflight carries 1 to 1,000 messages"))
        return CALL_TAKEN;
    uint64_t cookie = connection_add_later(connection, call->frame->call);
    if (cookie != 0 && engine_preflight(connection->server->engine, connection->client, cookie,
                                        request, call->now))
        return CALL_TAKEN;
    if (cookie != 0)
        connection_end_later(connection, cookie);
    refuse(call, ASSENT__V1__CODE__CODE_RESOURCE_EXHAUSTED,
           "too many dry runs are under way; try again in a second");
    return CALL_TAKEN;
}

/* Dispatch ------------------------------------------------------------------------------------- */

struct row {
    enum call_result (*serve)(const struct call *call);
    engine_call *consent; /* instead of `serve` */
};

/* By body_case; bodies without a row are not requests. */
static const struct row rows[] = {
    [ASSENT__V1__FRAME__BODY_HELLO] = {.serve = serve_hello},
    [ASSENT__V1__FRAME__BODY_SUBMIT] = {.serve = serve_submit},
    [ASSENT__V1__FRAME__BODY_PREFLIGHT] = {.serve = serve_preflight},
    [ASSENT__V1__FRAME__BODY_CANCEL] = {.serve = serve_cancel},
    [ASSENT__V1__FRAME__BODY_QUERY] = {.serve = serve_query},
    [ASSENT__V1__FRAME__BODY_WATCH] = {.serve = serve_watch},
    [ASSENT__V1__FRAME__BODY_STATUS] = {.serve = serve_status},
    [ASSENT__V1__FRAME__BODY_REQUEST_OPT_IN] = {.consent = request_opt_in},
    [ASSENT__V1__FRAME__BODY_CONFIRM_OPT_IN] = {.consent = confirm_opt_in},
    [ASSENT__V1__FRAME__BODY_RECORD_OPT_IN] = {.consent = record_opt_in},
    [ASSENT__V1__FRAME__BODY_OPT_OUT] = {.consent = opt_out},
    [ASSENT__V1__FRAME__BODY_RELEASE] = {.consent = release_hold},
    [ASSENT__V1__FRAME__BODY_COMPLAINT] = {.consent = complain_about},
    [ASSENT__V1__FRAME__BODY_REPUTATION] = {.consent = reputation},
    [ASSENT__V1__FRAME__BODY_SHOW_CONSENT] = {.consent = show_consent},
    [ASSENT__V1__FRAME__BODY_FORGET_NODE] = {.consent = forget_node},
    [ASSENT__V1__FRAME__BODY_ERASE] = {.consent = erase},
    [ASSENT__V1__FRAME__BODY_IMPORT] = {.serve = serve_import},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static const struct row *find_row(Assent__V1__Frame__BodyCase body)
{
    size_t i = (size_t)body;
    return i < ROW_COUNT && (rows[i].serve || rows[i].consent) ? &rows[i] : NULL;
}

static enum call_result serve(struct connection *connection, struct span body, struct instant now)
{
    Assent__V1__Frame *frame = frame_decode(body, &connection->server->arena);
    if (frame == NULL) {
        connection_fail(connection, 0, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
                        "not an assent.v1.Frame");
        return CALL_TAKEN;
    }
    struct call call = {.connection = connection, .frame = frame, .now = now};
    const struct row *row = find_row(frame->body_case);
    if (connection->state == CONNECTION_NEW && frame->body_case != ASSENT__V1__FRAME__BODY_HELLO)
        connection_fail(connection, frame->call, ASSENT__V1__CODE__CODE_UNAUTHENTICATED,
                        "the first frame must be Hello");
    else if (row == NULL)
        refuse(&call, ASSENT__V1__CODE__CODE_UNIMPLEMENTED,
               "this gateway does not know this call; it may be older than you");
    else if (connection_has_call(connection, frame->call))
        refuse(&call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "a call with this number is still unanswered");
    else if (row->consent != NULL)
        return serve_consent(&call, row->consent);
    else
        return row->serve(&call);
    return CALL_TAKEN;
}

enum call_result connection_serve(struct connection *connection, struct span body,
                                  struct instant now)
{
    struct submit_server *server =
        connection->server; /* the connection may be gone after serving */
    if (server->bulk.connection == connection)
        return go_on_with_bulk(connection, now);
    enum call_result result = serve(connection, body, now);
    arena_reset(&server->arena); /* texts and keys do not stay in memory */
    return result;
}

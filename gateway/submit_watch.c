/* SPDX-License-Identifier: Apache-2.0 */
/* Watch: a cursor over the ledger for each watcher. Events are read from the segments, never beyond
 * what is durable, and only while the watcher's output has room: a slow reader falls behind on its
 * own, and costs nobody else anything. Who has fallen behind catches up in the loop's spare time: while there is
 * other work all watchers together get a small share of it. Records are passed on as they
 * are, without decoding. */
#include "gateway/submit_connection.h"

#include <stdlib.h>

#include "consent/ledger.h"
#include "consent/record_peek.h"
#include "proto/base/check.h"

#define WATCH_SKIP_COST 32  /* octets that a record which is not shown counts for */
#define LOOK_EACH       16u /* records between looks at the clock */
#define KIND_WORDS      2   /* of 64 bits: Event's members */

struct watch {
    uint64_t call;
    uint64_t next;  /* the record that comes next */
    uint64_t until; /* stop before this one; 0: for ever */
    bool with_personal;
    uint16_t programs[WATCH_PROGRAMS_MAX]; /* of the configuration; none: all */
    uint16_t program_count;
    uint64_t kinds[KIND_WORDS];   /* bits by the members' numbers */
    struct ledger_reader *reader; /* NULL until there is something to read */
};

/* Filters ------------------------------------------------------------------------------------- */

static bool add_program(struct watch *watch, const struct config *config, const char *name)
{
    for (uint16_t i = 0; i < config->program_count; i++)
        if (strcmp(config->programs[i].name, name) == 0) {
            watch->programs[watch->program_count++] = i;
            return true;
        }
    return false;
}

static bool add_kind(struct watch *watch, const char *name)
{
    const ProtobufCFieldDescriptor *member =
        protobuf_c_message_descriptor_get_field_by_name(&assent__v1__event__descriptor, name);
    if (member == NULL || !(member->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return false;
    CHECK(member->id < 64 * KIND_WORDS);
    watch->kinds[member->id / 64] |= 1ull << member->id % 64;
    return true;
}

/* False with what is wrong with the request's filters. */
static bool add_filters(struct watch *watch, const struct config *config,
                        const Assent__V1__WatchRequest *request, const char **ret_why)
{
    *ret_why = "watch: too many programs are named; leave them out to get all";
    if (request->n_programs > WATCH_PROGRAMS_MAX)
        return false;
    *ret_why = "watch: a program is named that the configuration does not have";
    for (size_t i = 0; i < request->n_programs; i++)
        if (!add_program(watch, config, request->programs[i]))
            return false;
    *ret_why = "watch: a kind is named that no event has; kinds are the members of Event's body";
    if (request->n_kinds == 0)
        memset(watch->kinds, 0xff, sizeof watch->kinds);
    for (size_t i = 0; i < request->n_kinds; i++)
        if (!add_kind(watch, request->kinds[i]))
            return false;
    return true;
}

static bool is_wanted(const struct connection *connection, struct span public_part)
{
    const struct watch *watch = connection->watch;
    struct record_peek peek;
    if (!record_peek(public_part, &peek) || peek.body >= 64 * KIND_WORDS ||
        !(watch->kinds[peek.body / 64] & 1ull << peek.body % 64) ||
        !hello_sees_program(connection, peek.program))
        return false;
    if (watch->program_count == 0)
        return true;
    int program =
        peek.program ? engine_program_of_scope(connection->server->engine, peek.program) : -1;
    for (uint16_t i = 0; i < watch->program_count; i++)
        if (watch->programs[i] == program)
            return true;
    return false;
}

/* Life ---------------------------------------------------------------------------------------- */

void watch_start(struct connection *connection, uint64_t call,
                 const Assent__V1__WatchRequest *request)
{
    uint64_t end = connection->server->durable + 1;
    if (connection->watch != NULL) {
        connection_fail_call(connection, call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
                             "this connection watches already; open another one");
        return;
    }
    if (request->from > end) {
        connection_fail_call(connection, call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
                             "`from` is beyond the end of the ledger; is this the right gateway?");
        return;
    }
    struct watch *watch = check_calloc(1, sizeof *watch);
    watch->call = call;
    watch->next = request->from ? request->from : end;
    watch->until = request->until;
    watch->with_personal = request->with_personal;
    const char *why;
    if (!add_filters(watch, connection->server->config, request, &why)) {
        free(watch);
        connection_fail_call(connection, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT, why);
        return;
    }
    connection->watch = watch;
    connection->server->watchers++;
    connection_wake(connection);
}

uint64_t watch_call(const struct watch *watch)
{
    return watch->call;
}

void watch_end(struct connection *connection)
{
    if (connection->watch == NULL)
        return;
    ledger_reader_free(connection->watch->reader);
    free(connection->watch);
    connection->watch = NULL;
    connection->server->watchers--;
}

static void fail_watch(struct connection *connection, const char *why)
{
    connection_fail_call(connection, connection->watch->call, ASSENT__V1__CODE__CODE_UNAVAILABLE,
                         why);
    watch_end(connection);
}

static void say_end(struct connection *connection)
{
    Assent__V1__WatchEvent end = ASSENT__V1__WATCH_EVENT__INIT;
    end.sequence = connection->watch->until;
    end.end = true;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = connection->watch->call;
    frame.body_case = ASSENT__V1__FRAME__BODY_WATCH_EVENT;
    frame.watch_event = &end;
    watch_end(connection);
    connection_answer(connection, &frame, 0);
}

/* Reading ------------------------------------------------------------------------------------- */

/* Octets that the record counts for; 0 when there is no room for it. */
static size_t show(struct connection *connection, const struct ledger_record *record)
{
    const struct watch *watch = connection->watch;
    if (!is_wanted(connection, record->public_part))
        return WATCH_SKIP_COST;
    struct span personal = watch->with_personal ? record->personal_part : (struct span){0};
    if (!frame_append_watch_event(&connection->output, watch->call, record->sequence,
                                  record->public_part, personal))
        return 0;
    return WATCH_SKIP_COST + record->public_part.length + personal.length;
}

static bool open_reader(struct connection *connection)
{
    struct watch *watch = connection->watch;
    const char *why = "the ledger cannot be read";
    if (watch->reader != NULL || ledger_reader_open(connection->server->data_dir, watch->next,
                                                    &watch->reader, &why) == ERR_OK)
        return true;
    fail_watch(connection, why);
    return false;
}

/* When a watcher must make room for other work. */
static uint64_t deadline(const struct submit_server *server)
{
    if (server->turn_span_us == 0)
        return UINT64_MAX;
    return clock_mono_us() + server->turn_span_us / WATCH_BUSY_SHARE / server->watchers;
}

/* Reads one chunk. True when the chunk or its time was used up, so that there may be more. */
static bool read_chunk(struct connection *connection, uint64_t end)
{
    struct watch *watch = connection->watch;
    uint64_t until_us = deadline(connection->server);
    unsigned records = 0;
    for (size_t cost = 0; cost < WATCH_CHUNK_OCTETS;) {
        if (++records % LOOK_EACH == 0 && until_us != UINT64_MAX && clock_mono_us() >= until_us)
            return true;
        if (watch->next >= end || buffer_length(&connection->output) > CLIENT_OUTPUT_MAX / 2)
            return false;
        struct ledger_record record;
        enum err err = ledger_reader_next(watch->reader, end, &record);
        if (err == ERR_AGAIN) { /* or retention took the rest of them */
            uint64_t at = ledger_reader_at(watch->reader);
            watch->next = at > end ? end : at > watch->next ? at : watch->next;
            return false;
        }
        if (err != ERR_OK) {
            fail_watch(connection, ledger_reader_why(watch->reader));
            return false;
        }
        size_t octets = show(connection, &record);
        CHECK(octets > 0); /* the output is half empty, and a record is small */
        cost += octets;
        watch->next = record.sequence + 1;
    }
    return true;
}

bool watch_advance(struct connection *connection)
{
    struct watch *watch = connection->watch;
    if (watch == NULL)
        return false;
    uint64_t end = connection->server->durable + 1;
    if (watch->until != 0 && watch->until < end)
        end = watch->until;
    bool more = false;
    if (watch->next < end && open_reader(connection))
        more = read_chunk(connection, end);
    if (connection->watch != NULL && watch->until != 0 && watch->next >= watch->until)
        say_end(connection);
    return more && connection->watch != NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Watch: a cursor over the ledger for each watcher. Events are read from the segments, never beyond
 * what is durable, and only while the watcher's output has room: a slow reader falls behind on its
 * own, and costs nobody else anything. Records are passed on as they are, without decoding. */
#include "gateway/submit_connection.h"

#include <stdlib.h>

#include "consent/ledger.h"
#include "proto/base/check.h"

#define WATCH_SKIP_COST 32 /* octets that a record which is not shown counts for */

struct watch {
    uint64_t call;
    uint64_t next;  /* the record that comes next */
    uint64_t until; /* stop before this one; 0: for ever */
    bool with_personal;
    struct ledger_reader *reader; /* NULL until there is something to read */
};

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
    connection->watch = watch;
    connection_wake(connection);
}

uint64_t watch_call(const struct watch *watch)
{
    return watch->call;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    ledger_reader_free(watch->reader);
    free(watch);
}

static void end_watch(struct connection *connection)
{
    watch_free(connection->watch);
    connection->watch = NULL;
}

static void fail_watch(struct connection *connection, const char *why)
{
    connection_fail_call(connection, connection->watch->call, ASSENT__V1__CODE__CODE_UNAVAILABLE,
                         why);
    if (connection->watch != NULL)
        end_watch(connection);
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
    end_watch(connection);
    connection_answer(connection, &frame, 0);
}

/* Octets that the record counts for; 0 when there is no room for it. */
static size_t show(struct connection *connection, const struct ledger_record *record)
{
    const struct watch *watch = connection->watch;
    if (!hello_sees_program(connection, frame_event_program(record->public_part)))
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

/* Reads one chunk. True when the chunk was used up, so that there may be more. */
static bool read_chunk(struct connection *connection, uint64_t end)
{
    struct watch *watch = connection->watch;
    for (size_t cost = 0; cost < WATCH_CHUNK_OCTETS;) {
        if (watch->next >= end || buffer_length(&connection->output) > CLIENT_OUTPUT_MAX / 2)
            return false;
        struct ledger_record record;
        enum err err = ledger_reader_next(watch->reader, end, &record);
        if (err == ERR_AGAIN)
            return false;
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

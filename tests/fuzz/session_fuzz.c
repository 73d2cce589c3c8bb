/* SPDX-License-Identifier: Apache-2.0 */
/* A session of either role, driven by a script: the first octet chooses the role and whether a client
 * is bound first, then each step is an octet (low bits: what to do) and, where the peer speaks, a
 * length octet and that many octets. Each submit must end exactly once, and nothing may grow. */
#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "smpp/encode.h"
#include "smpp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEFERRED_MAX 32

struct world {
    struct session *session;
    uint64_t submitted, ended, late;
    unsigned closed;
    bool defer, submit_in_handler, close_in_handler;
    struct pdu_header deferred[DEFERRED_MAX];
    size_t deferred_count;
    uint64_t now_us;
};

static void try_submit(struct world *world)
{
    struct sm_out sm = {
        .source.digits = "12025550101",
        .destination.digits = "12025550100",
        .short_message = span_from_string("Hello"),
    };
    if (session_submit(world->session, &sm, world->submitted, world->now_us) == ERR_OK)
        world->submitted++;
}

static uint32_t on_authenticate(void *context, struct session *session, enum session_mode mode,
                                const struct bind_body *bind)
{
    (void)context;
    (void)session;
    (void)mode;
    return bind->password.length > 20 ? ESME_RINVPASWD : ESME_ROK;
}

static void on_ended(void *context, struct session *session, uint64_t cookie, enum request_end end,
                     uint32_t command_status, struct span message_id)
{
    struct world *world = context;
    (void)command_status;
    CHECK(cookie < world->submitted && message_id.length <= MESSAGE_ID_MAX);
    CHECK(world->closed == 0);
    world->ended++;
    if (world->close_in_handler)
        session_close(session, "handler");
    if (world->submit_in_handler && end != REQUEST_TIMEOUT)
        try_submit(world);
}

static void on_late(void *context, struct session *session, uint64_t cookie,
                    uint32_t command_status, struct span message_id)
{
    struct world *world = context;
    (void)session;
    (void)command_status;
    CHECK(cookie < world->submitted && message_id.length <= MESSAGE_ID_MAX);
    world->late++;
    CHECK(world->late <= world->ended);
}

static void on_message(void *context, struct session *session, const struct pdu_header *header,
                       const struct sm_body *body)
{
    struct world *world = context;
    (void)body;
    if (world->defer && world->deferred_count < DEFERRED_MAX)
        world->deferred[world->deferred_count++] = *header;
    else
        session_respond(session, header, ESME_ROK, span_from_string("id"));
}

static void on_closed(void *context, struct session *session, const char *why,
                      uint32_t command_status)
{
    struct world *world = context;
    (void)session;
    (void)command_status;
    world->closed++;
    CHECK(why != NULL && world->closed == 1);
    CHECK(world->ended == world->submitted);
}

static const struct session_handlers handlers = {
    .authenticate = on_authenticate,
    .request_ended = on_ended,
    .late_answer = on_late,
    .message = on_message,
    .closed = on_closed,
};

static void start(struct world *world, uint8_t flags)
{
    const struct session_config config = {
        .role = (flags & 1) != 0 ? SESSION_SERVER : SESSION_CLIENT,
        .mode = (enum session_mode)((flags >> 1) % 3),
        .system_id = "acme",
        .password = "secret",
        .window = (uint16_t)(1 + (flags >> 5)),
        .request_timeout_ms = 10000,
        .enquire_link_ms = 30000,
        .enquire_timeout_ms = 10000,
    };
    world->now_us = US_PER_S;
    world->session = session_new(&config, &handlers, world);
    session_start(world->session, world->now_us);
    if ((flags & 0x18) == 0 || config.role == SESSION_SERVER)
        return;
    static const uint8_t bind_resp[16] = {0, 0, 0, 16, 0x80, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1};
    session_receive(world->session, span_of(bind_resp, sizeof bind_resp), world->now_us);
}

/* From a block of its exact size, so that a sanitizer sees a read beyond it. */
static void speak(struct world *world, struct span octets)
{
    uint8_t *copy = malloc(octets.length > 0 ? octets.length : 1);
    CHECK(copy != NULL);
    if (octets.length > 0)
        memcpy(copy, octets.data, octets.length);
    session_receive(world->session, span_of(copy, octets.length), world->now_us);
    free(copy);
}

static void answer_deferred(struct world *world)
{
    while (world->deferred_count > 0)
        session_respond(world->session, &world->deferred[--world->deferred_count], ESME_RSYSERR,
                        (struct span){0});
}

static void step(struct world *world, struct reader *script)
{
    uint8_t what = read_u8(script);
    struct buffer *out = session_output(world->session);
    switch (what & 7) {
    case 0:
    case 1:
    case 2: {
        size_t length = read_u8(script);
        size_t left = reader_left(script);
        speak(world, read_span(script, length < left ? length : left));
        break;
    }
    case 3:
        try_submit(world);
        break;
    case 4:
        world->now_us += (uint64_t)(what >> 3) * US_PER_S / 2;
        CHECK(session_tick(world->session, world->now_us) > world->now_us);
        break;
    case 5:
        buffer_consume(out, buffer_length(out) * (what >> 3) / 31);
        break;
    case 6:
        world->defer = (what & 8) != 0;
        world->submit_in_handler = (what & 16) != 0;
        world->close_in_handler = (what & 0xe0) == 0xe0;
        answer_deferred(world);
        break;
    default:
        if (what == 7)
            session_unbind(world->session, world->now_us);
        break;
    }
    CHECK(buffer_length(out) <= SESSION_OUTPUT_MAX);
    CHECK(session_window_used(world->session) == world->submitted - world->ended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader script = reader_over(span_of(data, size));
    if (size == 0)
        return 0;
    struct world world = {0};
    start(&world, read_u8(&script));
    while (reader_left(&script) > 0)
        step(&world, &script);
    answer_deferred(&world);
    session_close(world.session, "end");
    CHECK(world.closed == 1 && world.ended == world.submitted);
    session_free(world.session);
    return 0;
}

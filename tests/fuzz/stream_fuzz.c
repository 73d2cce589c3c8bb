/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of octets into a bound session of either role: in pieces it must end in the same state, with
 * the same answers, as in one read. The first octet chooses the role and how a client is bound, the
 * second the pieces; the rest is what the peer sends. Requests of ours are in flight meanwhile. */
#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "smpp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IN_FLIGHT 5

struct side {
    struct session *session;
    uint64_t messages, ended, cookies; /* cookies: a sum that depends on the order */
    const char *why;
    uint32_t status;
};

static uint32_t on_authenticate(void *context, struct session *session, enum session_mode mode,
                                const struct bind_body *bind)
{
    (void)context, (void)session, (void)mode, (void)bind;
    return ESME_ROK;
}

static void on_ended(void *context, struct session *session, uint64_t cookie, enum request_end end,
                     uint32_t command_status, struct span message_id)
{
    struct side *side = context;
    (void)session;
    CHECK(cookie < IN_FLIGHT && message_id.length <= MESSAGE_ID_MAX);
    side->ended++;
    side->cookies = side->cookies * 31 + cookie + (uint64_t)end * 7 + command_status;
}

static void on_message(void *context, struct session *session, const struct pdu_header *header,
                       const struct sm_body *body)
{
    struct side *side = context;
    side->messages += 1 + body->text.length;
    session_respond(session, header, ESME_ROK, span_from_string("id"));
}

static void on_closed(void *context, struct session *session, const char *why,
                      uint32_t command_status)
{
    struct side *side = context;
    (void)session;
    CHECK(side->why == NULL && why != NULL);
    side->why = why;
    side->status = command_status;
}

static const struct session_handlers handlers = {.authenticate = on_authenticate,
                                                 .request_ended = on_ended,
                                                 .message = on_message,
                                                 .closed = on_closed};

static void bind_server(struct session *session)
{
    static const uint8_t bind[] = {0, 0, 0, 23, 0, 0, 0, 9,    0, 0, 0, 0,
                                   0, 0, 0, 1,  0, 0, 0, 0x34, 0, 0, 0};
    CHECK(session_receive(session, span_of(bind, sizeof bind), US_PER_S));
}

static void bind_client(struct session *session)
{
    static const uint8_t bind_resp[16] = {0, 0, 0, 16, 0x80, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1};
    CHECK(session_receive(session, span_of(bind_resp, sizeof bind_resp), US_PER_S));
}

static void start(struct side *side, uint8_t flags)
{
    const struct session_config config = {
        .role = (flags & 1) != 0 ? SESSION_SERVER : SESSION_CLIENT,
        .mode = (flags & 2) != 0 ? SESSION_RECEIVER : SESSION_TRANSCEIVER,
        .system_id = "acme",
        .window = IN_FLIGHT,
        .request_timeout_ms = 10000,
        .enquire_timeout_ms = 10000,
    };
    struct sm_out sm = {.destination.digits = "12025550100",
                        .short_message = span_from_string("Hello")};
    side->session = session_new(&config, &handlers, side);
    session_start(side->session, US_PER_S);
    if (config.role == SESSION_SERVER)
        bind_server(side->session);
    else
        bind_client(side->session);
    for (uint64_t i = 0; i < IN_FLIGHT && session_may_submit(side->session); i++)
        CHECK(session_submit(side->session, &sm, i, US_PER_S) == ERR_OK);
}

/* From a block of its exact size, so that a sanitizer sees a read beyond it. */
static void speak(struct side *side, struct span octets)
{
    uint8_t *copy = malloc(octets.length > 0 ? octets.length : 1);
    CHECK(copy != NULL);
    if (octets.length > 0)
        memcpy(copy, octets.data, octets.length);
    (void)session_receive(side->session, span_of(copy, octets.length), US_PER_S);
    free(copy);
}

static void compare(const struct side *a, const struct side *b)
{
    const struct session_counts *x = session_counts(a->session), *y = session_counts(b->session);
    CHECK(a->messages == b->messages && a->ended == b->ended && a->cookies == b->cookies);
    CHECK((a->why == NULL) == (b->why == NULL) && a->status == b->status);
    CHECK(a->why == NULL || strcmp(a->why, b->why) == 0);
    CHECK(session_state(a->session) == session_state(b->session));
    CHECK(session_window_used(a->session) == session_window_used(b->session));
    CHECK(span_equal(buffer_span(session_output(a->session)),
                     buffer_span(session_output(b->session))));
    CHECK(x->unmatched == y->unmatched && x->nacks == y->nacks && x->unknown == y->unknown &&
          x->malformed == y->malformed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct side whole = {0}, pieces = {0};
    struct span stream = span_of(data + 2, size - 2);
    struct rng rng = {.state = data[1]};
    start(&whole, data[0]);
    start(&pieces, data[0]);
    speak(&whole, stream);
    for (size_t at = 0; at < stream.length;) {
        size_t most = data[1] == 0 ? 1 : 1 + rng_below(&rng, data[1]);
        size_t length = stream.length - at < most ? stream.length - at : most;
        speak(&pieces, span_of(stream.data + at, length));
        at += length;
    }
    compare(&whole, &pieces);
    session_close(whole.session, "end");
    session_close(pieces.session, "end");
    CHECK(whole.ended == pieces.ended);
    session_free(whole.session);
    session_free(pieces.session);
    return 0;
}

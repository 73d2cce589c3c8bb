/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS of a link. Reading goes on until libssl has nothing left or the area is full, and comes back
 * in the next turn when it was full: what waits inside libssl makes no socket readable.
 *
 * Either direction may need the other one (a key update is answered in the middle of a read). The two
 * flags remember that, so that the loop waits for the event that helps and does not spin. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "proto/base/tls.h"
#include "smpp/link_state.h"

struct secure {
    struct tls *tls;
    struct event on_time; /* the handshake took too long; later: there is more to read at once */
    bool outgoing, shaking;
    bool read_awaits_writable, write_awaits_readable;
};

static const char *why_failed(const struct secure *secure)
{
    const char *why = tls_why(secure->tls);
    return why ? why : link_why(errno, "connection_failed");
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct link *link = context;
    if (link->secure->shaking)
        link_end(link, "tls_timeout");
    else
        secure_readable(link);
}

/* Handshake ----------------------------------------------------------------------------------- */

static struct secure *new_secure(struct link *link, struct tls *tls)
{
    struct secure *secure = check_calloc(1, sizeof *secure);
    secure->tls = tls;
    CHECK(evtimer_assign(&secure->on_time, link->base, on_time, link) == 0);
    link->secure = secure;
    link->connecting = true;
    return secure;
}

static void begin(struct link *link)
{
    struct timeval limit = {.tv_sec = BIND_TIMEOUT_MS / 1000};
    tls_set_socket(link->secure->tls, link->fd);
    link->secure->shaking = true;
    event_add(&link->secure->on_time, &limit);
}

void secure_prepare(struct link *link, const struct tls_context *context, const char *host)
{
    new_secure(link, tls_new(context, host))->outgoing = true;
}

void secure_accept(struct link *link, const struct tls_context *context)
{
    new_secure(link, tls_new(context, NULL));
    begin(link);
}

static void shaken(struct link *link)
{
    link->secure->shaking = false;
    event_del(&link->secure->on_time);
    event_del(&link->on_readable);
    if (link->want_reading) {
        /* The peer's first octets may have come with the last of its handshake. */
        event_add(&link->on_readable, NULL);
        event_active(&link->on_readable, EV_READ, 0);
    }
    link_now_connected(link, link->secure->outgoing);
}

static void shake(struct link *link)
{
    switch (tls_handshake(link->secure->tls)) {
    case TLS_DONE:
        shaken(link);
        break;
    case TLS_WANT_READ:
        event_del(&link->on_writable);
        event_add(&link->on_readable, NULL);
        break;
    case TLS_WANT_WRITE:
        event_del(&link->on_readable);
        event_add(&link->on_writable, NULL);
        break;
    case TLS_CLOSED:
        link_end(link, "peer_closed");
        break;
    case TLS_FAILED:
        link_end(link, why_failed(link->secure));
        break;
    }
}

void secure_start(struct link *link)
{
    event_del(&link->on_writable); /* and its time limit */
    begin(link);
    shake(link);
}

/* Reading ------------------------------------------------------------------------------------- */

/* After what came has been handed over. */
static void settle_reading(struct link *link, enum tls_result result)
{
    struct timeval at_once = {0};
    switch (result) {
    case TLS_DONE: /* the area was full; an active event would come before the other links */
        event_add(&link->secure->on_time, &at_once);
        break;
    case TLS_WANT_READ:
        break;
    case TLS_WANT_WRITE:
        link->secure->read_awaits_writable = true;
        event_del(&link->on_readable);
        event_add(&link->on_writable, NULL);
        break;
    case TLS_CLOSED:
        link_end(link, "peer_closed");
        return;
    case TLS_FAILED:
        link_end(link, why_failed(link->secure));
        return;
    }
    if (link->secure->write_awaits_readable && link->output != NULL) {
        link->secure->write_awaits_readable = false;
        event_add(&link->on_writable, NULL);
    }
}

static void read_on(struct link *link)
{
    static uint8_t area[LINK_READ_AREA];
    size_t length = 0, n = 0;
    enum tls_result result = TLS_DONE;
    while (result == TLS_DONE && length < sizeof area) {
        result = tls_read(link->secure->tls, area + length, sizeof area - length, &n);
        length += result == TLS_DONE ? n : 0;
    }
    int error = errno; /* of a failed read, behind what a handler does */
    if (length > 0) {
        link_enter(link);
        link->handlers->received(link->context, link, span_of(area, length));
        if (!link_leave(link))
            return;
    }
    errno = error;
    settle_reading(link, result);
}

void secure_readable(struct link *link)
{
    if (link->secure->shaking)
        shake(link);
    else if (link->broken != NULL)
        link_end(link, link->broken);
    else if (link->want_reading)
        read_on(link);
}

/* Writing ------------------------------------------------------------------------------------- */

bool secure_write_some(struct link *link)
{
    struct secure *secure = link->secure;
    enum tls_result result = TLS_DONE;
    while (result == TLS_DONE && buffer_length(link->output) > 0) {
        struct span octets = buffer_span(link->output);
        size_t n = 0;
        result = tls_write(secure->tls, octets.data, octets.length, &n);
        if (result == TLS_DONE)
            buffer_consume(link->output, n);
    }
    secure->write_awaits_readable = result == TLS_WANT_READ;
    if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
        return false;
    if (result == TLS_CLOSED)
        link_break(link, "peer_closed");
    else if (result == TLS_FAILED)
        link_break(link, why_failed(secure));
    link->output = NULL;
    return true;
}

bool secure_awaits_writable(const struct link *link)
{
    return !link->secure->write_awaits_readable;
}

bool secure_writable(struct link *link)
{
    struct secure *secure = link->secure;
    if (secure->shaking) {
        shake(link);
        return true;
    }
    if (link->connecting)
        return false;
    if (secure->read_awaits_writable) {
        secure->read_awaits_writable = false;
        if (link->want_reading) {
            event_add(&link->on_readable, NULL);
            event_active(&link->on_readable, EV_READ, 0);
        }
    }
    if (link->output == NULL || secure->write_awaits_readable) {
        event_del(&link->on_writable);
        return true;
    }
    return false;
}

/* The end ------------------------------------------------------------------------------------- */

void secure_finish(struct link *link)
{
    tls_finish(link->secure->tls);
}

bool secure_peer_is(const struct link *link, const char *name)
{
    return tls_peer_is(link->secure->tls, name);
}

const char *secure_version(const struct link *link)
{
    return tls_version(link->secure->tls);
}

void secure_free(struct link *link)
{
    struct secure *secure = link->secure;
    link->secure = NULL;
    event_del(&secure->on_time);
    tls_finish(secure->tls);
    tls_free(secure->tls);
    free(secure);
}

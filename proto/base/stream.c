/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"

/* Handshake ----------------------------------------------------------------------------------- */

static const char *why_handshake(const struct stream *stream, enum tls_result result, int error)
{
    switch (result) {
    case TLS_CLOSED:
        return "the peer closed the connection in the handshake";
    case TLS_FAILED:
        return stream_why(stream, error);
    case TLS_DONE:
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        break;
    }
    return "the peer did not finish the handshake in time";
}

static bool shake(struct stream *stream, const char **ret_why)
{
    uint64_t now_us = clock_mono_us(), end_us = now_us + BIND_TIMEOUT_MS * US_PER_MS;
    enum tls_result result = tls_handshake(stream->tls);
    while ((result == TLS_WANT_READ || result == TLS_WANT_WRITE) && now_us < end_us) {
        struct pollfd wait = {.fd = stream->fd,
                              .events = result == TLS_WANT_READ ? POLLIN : POLLOUT};
        (void)poll(&wait, 1, (int)((end_us - now_us) / US_PER_MS) + 1);
        result = tls_handshake(stream->tls);
        now_us = clock_mono_us();
    }
    if (result == TLS_DONE)
        return true;
    *ret_why = why_handshake(stream, result, errno);
    return false;
}

bool stream_secure(struct stream *stream, const struct tls_settings *settings, const char *host,
                   const char **ret_why)
{
    static char text[128];
    struct tls_fault fault;
    struct tls_context *context = tls_context_new(TLS_CLIENT, settings, &fault);
    if (context == NULL) {
        snprintf(text, sizeof text, "%s %s", fault.setting, fault.what);
        *ret_why = text;
        return false;
    }
    stream->tls = tls_new(context, host);
    tls_context_free(context);
    tls_set_socket(stream->tls, stream->fd);
    (void)fcntl(stream->fd, F_SETFL, fcntl(stream->fd, F_GETFL) | O_NONBLOCK);
    return shake(stream, ret_why);
}

/* Octets -------------------------------------------------------------------------------------- */

/* What a call that moved `moved` octets before `result` gives. */
static ssize_t outcome(const struct stream *stream, enum tls_result result, size_t moved)
{
    if (moved > 0)
        return (ssize_t)moved;
    switch (result) {
    case TLS_DONE:
    case TLS_CLOSED:
        return 0;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case TLS_FAILED:
        break;
    }
    if (tls_why(stream->tls) != NULL)
        errno = EPROTO;
    return -1;
}

ssize_t stream_receive(struct stream *stream, void *data, size_t size)
{
    if (stream->tls == NULL)
        return recv(stream->fd, data, size, MSG_DONTWAIT);
    enum tls_result result = TLS_DONE;
    size_t moved = 0, n = 0;
    while (moved < size && result == TLS_DONE) {
        result = tls_read(stream->tls, (char *)data + moved, size - moved, &n);
        moved += result == TLS_DONE ? n : 0;
    }
    return outcome(stream, result, moved);
}

ssize_t stream_send(struct stream *stream, const void *data, size_t length)
{
    if (stream->tls == NULL)
        return send(stream->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    enum tls_result result = TLS_DONE;
    size_t moved = 0, n = 0;
    while (moved < length && result == TLS_DONE) {
        result = tls_write(stream->tls, (const char *)data + moved, length - moved, &n);
        moved += result == TLS_DONE ? n : 0;
    }
    return outcome(stream, result, moved);
}

const char *stream_why(const struct stream *stream, int error)
{
    const char *why = stream->tls != NULL ? tls_why(stream->tls) : NULL;
    return why != NULL ? why : strerror(error);
}

void stream_close(struct stream *stream)
{
    if (stream->tls != NULL) {
        tls_finish(stream->tls);
        tls_free(stream->tls);
    }
    if (stream->fd >= 0)
        close(stream->fd);
    *stream = (struct stream){.fd = -1};
}

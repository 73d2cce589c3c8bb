/* SPDX-License-Identifier: Apache-2.0 */
/* A connected socket, with TLS over it or without, for programs that poll: the command line and the
 * load generator. Nothing here waits but stream_secure(). */
#ifndef PROTO_BASE_STREAM_H
#define PROTO_BASE_STREAM_H

#include <sys/types.h>

#include "proto/base/tls.h"

struct stream {
    int fd;          /* the caller's to open, ours to close */
    struct tls *tls; /* NULL: octets go as they are */
};

/* Makes a TLS client of it, waiting at most BIND_TIMEOUT_MS. False with a reason for people. */
MUST_CHECK bool stream_secure(struct stream *stream, const struct tls_settings *settings,
                              const char *host, const char **ret_why);

/* As recv(2) and send(2) without waiting: the number of octets, 0 for the end, or -1 with errno;
 * EAGAIN means poll(2), EPROTO a failure of TLS that stream_why() names. A receive that filled all its
 * room may have left more, of which poll(2) does not know: call it again. */
ssize_t stream_receive(struct stream *stream, void *data, size_t size);
ssize_t stream_send(struct stream *stream, const void *data, size_t length);

/* After -1: what happened, for people. */
const char *stream_why(const struct stream *stream, int error);

void stream_close(struct stream *stream);

#endif

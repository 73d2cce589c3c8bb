/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: moves octets between a stream socket and whoever owns the connection, with raw libevent
 * events and flat buffers. Only the files of link know libevent. A link's handlers run from
 * the event loop; link_free() inside a handler is allowed and takes effect at the end of the turn.
 *
 * Addresses: "tcp://HOST:PORT" ([::1] in brackets), "unix:///PATH", and "tls://HOST:PORT" where the
 * caller has a tls_context. Over TLS everything below means the octets inside; a link is connected, and
 * its octets come, when the peer has been verified. */
#ifndef SMPP_LINK_H
#define SMPP_LINK_H

#include "proto/base/bytes.h"

struct event_base;
struct link;
struct link_listener;
struct tls_context;

struct link_handlers {
    void (*connected)(void *context, struct link *link); /* outgoing only */
    /* Octets came. Valid until return; keep what is needed. */
    void (*received)(void *context, struct link *link, struct span octets);
    /* The peer closed, or connecting or I/O failed; `why` is a short constant. The link is unusable
     * but must still be freed by its owner. */
    void (*closed)(void *context, struct link *link, const char *why);
    /* Optional: output drained below what link_flush() could not write. */
    void (*writable)(void *context, struct link *link);
};

/* Connects without blocking, host names included, and gives up after BIND_TIMEOUT_MS; gives NULL and
 * *ret_why when the address is malformed. Every other failure is told by closed(), from the loop. */
struct link *link_connect(struct event_base *base, const char *address,
                          const struct link_handlers *handlers, void *context,
                          const char **ret_why);

/* The same; `tls` is for a tls:// address, and may be freed before the link. The handshake is over
 * within BIND_TIMEOUT_MS too. */
struct link *link_connect_tls(struct event_base *base, const char *address, struct tls_context *tls,
                              const struct link_handlers *handlers, void *context,
                              const char **ret_why);
void link_free(struct link *link);

/* Writes as much of `output` as the socket takes and consumes it; the rest goes when the socket is
 * writable again (the link remembers `output`; it must outlive the link or a link_free). One write(2)
 * a call (over TLS one for each 16 KiB): call it once a loop turn. */
void link_flush(struct link *link, struct buffer *output);

/* Stops and resumes reading: back-pressure. */
void link_set_reading(struct link *link, bool reading);

int link_socket(const struct link *link); /* for peer credentials */

/* Half a close: everything is written, the peer's end is awaited. False when it could not be told. */
bool link_finish(struct link *link);

/* True when the peer proved by its certificate that it is `name`; see tls_peer_is(). */
bool link_peer_is(const struct link *link, const char *name);

/* "TLSv1.3" of a link that is connected over TLS, else NULL. */
const char *link_tls_version(const struct link *link);

typedef void link_accepted(void *context, struct link_listener *listener, struct link *link);

/* Listens; on EMFILE it pauses accepting for 100 ms instead of spinning. accepted() must call
 * link_set_handlers() or link_free(). A Unix path is unlinked first when no one answers on it.
 * NULL and *ret_why when it cannot (address in use, no permission, malformed). */
struct link_listener *link_listen(struct event_base *base, const char *address,
                                  link_accepted *accepted, void *context, const char **ret_why);
/* The same; `tls` is for a tls:// address, and outlives the listener. accepted() comes before the
 * handshake, whose failure is told by closed(). */
struct link_listener *link_listen_tls(struct event_base *base, const char *address,
                                      struct tls_context *tls, link_accepted *accepted,
                                      void *context, const char **ret_why);
void link_listener_free(struct link_listener *listener);
int link_listener_port(const struct link_listener *listener); /* TCP: the port chosen for ":0" */
void link_set_handlers(struct link *link, const struct link_handlers *handlers, void *context);

#endif

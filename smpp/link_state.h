/* SPDX-License-Identifier: Apache-2.0 */
/* What a link is made of: for link.c (sockets) and link_tls.c (TLS over them) alone. */
#ifndef SMPP_LINK_STATE_H
#define SMPP_LINK_STATE_H

#include <event2/event_struct.h>

#include "smpp/link.h"

#define LINK_READ_AREA (32u << 10) /* read in one turn */

struct lookup;
struct secure;

struct link {
    struct event_base *base;
    int fd; /* -1 before a look-up has ended, and after the end */
    const struct link_handlers *handlers;
    void *context;
    struct secure *secure; /* NULL: octets go as they are */
    struct buffer *output; /* the owner's; NULL while there is nothing to write */
    struct lookup *lookup;
    const char *broken; /* why closed() is to be called; NULL while the link works */
    struct event on_readable, on_writable;
    unsigned in_handler; /* depth; while it is not 0 the memory stays */
    bool connecting;     /* up to the end of the handshake, where there is one */
    bool want_reading, ended, freed;
};

/* link.c */

/* Brackets around every call of a handler. After link_leave() gave false the link is gone. */
void link_enter(struct link *link);
bool link_leave(struct link *link);

/* From the event loop alone: the end, told to the owner. */
void link_end(struct link *link, const char *why);

/* Lets the loop report `why`; the owner's call that found it out goes on undisturbed. */
void link_break(struct link *link, const char *why);

const char *link_why(int error, const char *otherwise);

/* The link works from now on; `tell` its owner. */
void link_now_connected(struct link *link, bool tell);

/* Writes on; tells the owner when everything is written. link->output is not NULL. */
void link_drain(struct link *link);

/* link_tls.c */

/* An outgoing link that will speak TLS, or an incoming one that has a socket. */
void secure_prepare(struct link *link, const struct tls_context *context, const char *host);
void secure_accept(struct link *link, const struct tls_context *context);

/* The socket is connected: the handshake begins. */
void secure_start(struct link *link);

void secure_readable(struct link *link);

/* False when an ordinary output is to be written on, or the socket is still connecting. */
bool secure_writable(struct link *link);

/* As link.c's write_some(). After false: whether the socket must become writable to go on. */
bool secure_write_some(struct link *link);
bool secure_awaits_writable(const struct link *link);

void secure_finish(struct link *link);
bool secure_peer_is(const struct link *link, const char *name);
const char *secure_version(const struct link *link);
void secure_free(struct link *link);

#endif

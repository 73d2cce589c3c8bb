/* SPDX-License-Identifier: Apache-2.0 */
/* Raw events and flat buffers: a read event that stays, one read of up to 32 KiB a turn into an area
 * that all links share (handlers see the octets at once), one write a flush, and a write event that
 * exists only while a socket would not take everything. Level-triggered, so that a busy peer gets one
 * read a turn and no other link starves.
 *
 * closed() is only ever called from the event loop, never from inside a call of the owner: a failing
 * write marks the link and wakes its read event. Host names are looked up by glibc's helper thread
 * and asked for with a timer, since the loop must not block; numeric addresses need no look-up. */
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "smpp/address.h"
#include "smpp/link_state.h"

#define ACCEPT_BATCH 64 /* connections taken in one turn */
#define ACCEPT_PAUSE ((struct timeval){.tv_usec = 100000})
#define LOOKUP_POLL  ((struct timeval){.tv_usec = 10000})
#define AT_ONCE      ((struct timeval){0})

/* One host name being looked up. It outlives its link when glibc cannot cancel it. */
struct lookup {
    struct gaicb request;
    struct addrinfo hints;
    struct address address;
    struct event poll;
    struct link *link; /* NULL when the link was freed meanwhile */
};

struct link_listener {
    struct event_base *base;
    int fd;
    struct tls_context *tls; /* the owner's; NULL for plain */
    link_accepted *accepted;
    void *context;
    struct event on_readable, on_pause_over;
    char path[ADDRESS_PATH_MAX + 1]; /* to unlink; empty for TCP */
    int port;
    unsigned in_handler;
    bool freed;
};

static void shut(struct link *link)
{
    if (link->fd < 0)
        return;
    if (link->secure != NULL)
        secure_free(link);
    event_del(&link->on_readable);
    event_del(&link->on_writable);
    close(link->fd);
    link->fd = -1;
}

void link_enter(struct link *link)
{
    link->in_handler++;
}

bool link_leave(struct link *link)
{
    if (--link->in_handler > 0 || !link->freed)
        return !link->freed;
    free(link);
    return false;
}

void link_end(struct link *link, const char *why)
{
    shut(link);
    if (link->ended)
        return;
    link->ended = true;
    link_enter(link);
    link->handlers->closed(link->context, link, why);
    (void)link_leave(link);
}

void link_break(struct link *link, const char *why)
{
    if (link->broken == NULL)
        link->broken = why;
    event_del(&link->on_writable);
    event_active(&link->on_readable, EV_READ, 0);
}

const char *link_why(int error, const char *otherwise)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection_refused";
    case ECONNRESET:
    case EPIPE:
        return "connection_reset";
    case ETIMEDOUT:
        return "timed_out";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "unreachable";
    case EMFILE:
    case ENFILE:
        return "too_many_files";
    case EACCES:
    case EPERM:
        return "no_permission";
    case ENOENT:
        return "no_such_socket";
    case EADDRINUSE:
        return "address_in_use";
    case EADDRNOTAVAIL:
        return "no_such_address";
    default:
        return otherwise;
    }
}

static bool is_again(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    static uint8_t area[LINK_READ_AREA];
    struct link *link = context;
    if (link->secure != NULL) {
        secure_readable(link);
        return;
    }
    if (link->broken != NULL && !link->want_reading) {
        link_end(link, link->broken);
        return;
    }
    ssize_t n = read(fd, area, sizeof area);
    if (n < 0 && is_again(errno)) {
        if (link->broken != NULL)
            link_end(link, link->broken);
        return;
    }
    if (n <= 0) {
        link_end(link, link->broken ? link->broken
                       : n == 0     ? "peer_closed"
                                    : link_why(errno, "read_failed"));
        return;
    }
    link_enter(link);
    link->handlers->received(link->context, link, span_of(area, (size_t)n));
    if (link_leave(link) && link->broken != NULL && link->fd >= 0)
        event_active(&link->on_readable, EV_READ, 0);
}

/* One write. False when the socket took less than everything. */
static bool write_some(struct link *link)
{
    if (link->secure != NULL)
        return secure_write_some(link);
    struct span octets = buffer_span(link->output);
    ssize_t n = send(link->fd, octets.data, octets.length, MSG_NOSIGNAL);
    if (n < 0 && !is_again(errno)) {
        link_break(link, link_why(errno, "write_failed"));
        link->output = NULL;
        return true;
    }
    if (n > 0)
        buffer_consume(link->output, (size_t)n);
    if (buffer_length(link->output) > 0)
        return false;
    link->output = NULL;
    return true;
}

/* The rest of an output that was not written whole. */
static void await_writable(struct link *link)
{
    if (link->secure == NULL || secure_awaits_writable(link))
        event_add(&link->on_writable, NULL);
}

void link_drain(struct link *link)
{
    if (!write_some(link))
        return;
    event_del(&link->on_writable);
    if (link->broken != NULL || link->handlers->writable == NULL)
        return;
    link_enter(link);
    link->handlers->writable(link->context, link);
    (void)link_leave(link);
}

void link_now_connected(struct link *link, bool tell)
{
    link->connecting = false;
    event_del(&link->on_writable);
    if (link->want_reading)
        event_add(&link->on_readable, NULL);
    link_enter(link);
    if (tell && link->handlers->connected != NULL)
        link->handlers->connected(link->context, link);
    if (link_leave(link) && link->output != NULL && link->fd >= 0 && !write_some(link))
        await_writable(link);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct link *link = context;
    if (link->secure != NULL && secure_writable(link))
        return;
    if (!link->connecting) {
        link_drain(link);
        return;
    }
    int error = 0;
    socklen_t length = sizeof error;
    if (what & EV_TIMEOUT)
        error = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0)
        link_end(link, link_why(error, "connect_failed"));
    else if (link->secure != NULL)
        secure_start(link);
    else
        link_now_connected(link, true);
}

static struct link *new_link(struct event_base *base)
{
    struct link *link = check_calloc(1, sizeof *link);
    link->base = base;
    link->fd = -1;
    link->want_reading = true;
    return link;
}

static void adopt(struct link *link, int fd)
{
    link->fd = fd;
    CHECK(event_assign(&link->on_readable, link->base, fd, EV_READ | EV_PERSIST, on_readable,
                       link) == 0);
    CHECK(event_assign(&link->on_writable, link->base, fd, EV_WRITE | EV_PERSIST, on_writable,
                       link) == 0);
}

static void set_no_delay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof on); /* fails on Unix sockets: fine */
}

/* Connecting ---------------------------------------------------------------------------------- */

static void on_connect_failed(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct link *link = context;
    link_end(link, link->broken);
}

/* There is no socket to wait on, so the write event is the timer by which the owner hears of it in
 * the next turn. */
static void fail_later(struct link *link, const char *why)
{
    link->broken = why;
    CHECK(event_assign(&link->on_writable, link->base, -1, 0, on_connect_failed, link) == 0);
    struct timeval at_once = AT_ONCE;
    event_add(&link->on_writable, &at_once);
}

static void connect_to(struct link *link, const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail_later(link, link_why(errno, "no_socket"));
        return;
    }
    set_no_delay(fd);
    if (connect(fd, address, length) != 0 && errno != EINPROGRESS) {
        fail_later(link, link_why(errno, "connect_failed"));
        close(fd);
        return;
    }
    adopt(link, fd);
    struct timeval limit = {.tv_sec = BIND_TIMEOUT_MS / 1000};
    event_add(&link->on_writable, &limit);
}

static void connect_unix(struct link *link, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    connect_to(link, (struct sockaddr *)&address, sizeof address);
}

static void free_lookup(struct lookup *lookup)
{
    event_del(&lookup->poll);
    if (lookup->request.ar_result != NULL)
        freeaddrinfo(lookup->request.ar_result);
    free(lookup);
}

static void on_lookup_poll(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct lookup *lookup = context;
    struct timeval again = LOOKUP_POLL;
    int state = gai_error(&lookup->request);
    if (state == EAI_INPROGRESS) {
        event_add(&lookup->poll, &again);
        return;
    }
    struct link *link = lookup->link;
    if (link != NULL) {
        link->lookup = NULL;
        const struct addrinfo *found = lookup->request.ar_result;
        if (state == 0 && found != NULL)
            connect_to(link, found->ai_addr, found->ai_addrlen);
        else
            fail_later(link, "name_not_found");
    }
    free_lookup(lookup);
}

static bool parse(const char *text, const struct tls_context *tls, struct address *ret_address,
                  const char **ret_why)
{
    if (!address_parse(text, ret_address, ret_why))
        return false;
    if (ret_address->kind != ADDRESS_TLS || tls != NULL)
        return true;
    *ret_why = "tls_not_configured";
    return false;
}

static const struct addrinfo stream_hints = {.ai_socktype = SOCK_STREAM};

static void start_lookup(struct link *link, const struct address *address)
{
    struct lookup *lookup = check_calloc(1, sizeof *lookup);
    lookup->address = *address;
    lookup->hints = stream_hints;
    lookup->request = (struct gaicb){.ar_name = lookup->address.host,
                                     .ar_service = lookup->address.port,
                                     .ar_request = &lookup->hints};
    lookup->link = link;
    CHECK(event_assign(&lookup->poll, link->base, -1, 0, on_lookup_poll, lookup) == 0);
    struct gaicb *list[] = {&lookup->request};
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        free_lookup(lookup);
        fail_later(link, "name_not_found");
        return;
    }
    link->lookup = lookup;
    struct timeval soon = LOOKUP_POLL;
    event_add(&lookup->poll, &soon);
}

/* Only a number is turned into an address without asking anybody. */
static struct addrinfo *numeric(const struct address *address, int flags)
{
    struct addrinfo hints = stream_hints, *found = NULL;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | flags;
    const char *host = address->host[0] == '\0' ? NULL : address->host;
    return getaddrinfo(host, address->port, &hints, &found) == 0 ? found : NULL;
}

struct link *link_connect_tls(struct event_base *base, const char *text, struct tls_context *tls,
                              const struct link_handlers *handlers, void *context,
                              const char **ret_why)
{
    struct address address;
    if (!parse(text, tls, &address, ret_why))
        return NULL;
    struct link *link = new_link(base);
    if (address.kind == ADDRESS_TLS)
        secure_prepare(link, tls, address.host);
    link->connecting = true;
    link->handlers = handlers;
    link->context = context;
    struct addrinfo *found = NULL;
    if (address.kind == ADDRESS_UNIX) {
        connect_unix(link, address.path);
    } else if ((found = numeric(&address, 0)) != NULL) {
        connect_to(link, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
    } else {
        start_lookup(link, &address);
    }
    return link;
}

struct link *link_connect(struct event_base *base, const char *text,
                          const struct link_handlers *handlers, void *context, const char **ret_why)
{
    return link_connect_tls(base, text, NULL, handlers, context, ret_why);
}

/* The rest of a link's life ------------------------------------------------------------------- */

void link_free(struct link *link)
{
    if (link == NULL || link->freed)
        return;
    if (link->lookup != NULL)
        link->lookup->link = NULL;
    if (link->fd < 0 && event_initialized(&link->on_writable))
        event_del(&link->on_writable);
    shut(link);
    if (link->secure != NULL)
        secure_free(link); /* it never had a socket */
    link->freed = link->ended = true;
    if (link->in_handler == 0)
        free(link);
}

void link_flush(struct link *link, struct buffer *output)
{
    if (link->ended || link->broken != NULL || buffer_length(output) == 0)
        return;
    CHECK(link->output == NULL || link->output == output);
    bool waiting = link->connecting || link->output != NULL;
    link->output = output;
    if (waiting || write_some(link))
        return;
    await_writable(link);
}

bool link_finish(struct link *link)
{
    if (link->ended || link->broken != NULL || link->connecting)
        return false;
    if (link->secure != NULL)
        secure_finish(link);
    return shutdown(link->fd, SHUT_WR) == 0;
}

bool link_peer_is(const struct link *link, const char *name)
{
    return link->secure != NULL && secure_peer_is(link, name);
}

const char *link_tls_version(const struct link *link)
{
    return link->secure != NULL ? secure_version(link) : NULL;
}

void link_set_reading(struct link *link, bool reading)
{
    if (link->want_reading == reading)
        return;
    link->want_reading = reading;
    if (link->fd < 0 || link->connecting)
        return;
    if (!reading) {
        event_del(&link->on_readable);
        return;
    }
    event_add(&link->on_readable, NULL);
    if (link->secure != NULL) /* octets may wait inside, where the kernel does not see them */
        event_active(&link->on_readable, EV_READ, 0);
}

int link_socket(const struct link *link)
{
    return link->fd;
}

void link_set_handlers(struct link *link, const struct link_handlers *handlers, void *context)
{
    bool first = link->handlers == NULL;
    link->handlers = handlers;
    link->context = context;
    if (first && (link->want_reading || link->connecting))
        event_add(&link->on_readable, NULL);
}

/* Listening ----------------------------------------------------------------------------------- */

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct link_listener *listener = context;
    event_add(&listener->on_readable, NULL);
}

static void take(struct link_listener *listener, int fd)
{
    set_no_delay(fd);
    struct link *link = new_link(listener->base);
    adopt(link, fd);
    if (listener->tls != NULL)
        secure_accept(link, listener->tls);
    link_enter(link);
    listener->accepted(listener->context, listener, link);
    if (link_leave(link))
        CHECK(link->handlers != NULL);
}

static bool out_of_files(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_acceptable(evutil_socket_t listening, short what, void *context)
{
    (void)what;
    struct link_listener *listener = context;
    listener->in_handler++;
    for (int i = 0; i < ACCEPT_BATCH && !listener->freed; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(listener, fd);
            continue;
        }
        if (out_of_files(errno)) {
            struct timeval pause = ACCEPT_PAUSE;
            event_del(&listener->on_readable);
            event_add(&listener->on_pause_over, &pause);
        }
        break;
    }
    if (--listener->in_handler == 0 && listener->freed)
        free(listener);
}

/* A socket file that nobody answers on was left behind by a process that died. */
static void unlink_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(fd);
}

static int bind_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink_stale(&address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int bind_tcp(const struct address *address)
{
    struct addrinfo *found = numeric(address, AI_PASSIVE);
    if (found == NULL) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int on = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0)
        return 0;
    if (name.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&name)->sin_port);
    if (name.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
    return 0;
}

struct link_listener *link_listen(struct event_base *base, const char *text,
                                  link_accepted *accepted, void *context, const char **ret_why)
{
    return link_listen_tls(base, text, NULL, accepted, context, ret_why);
}

struct link_listener *link_listen_tls(struct event_base *base, const char *text,
                                      struct tls_context *tls, link_accepted *accepted,
                                      void *context, const char **ret_why)
{
    struct address address;
    if (!parse(text, tls, &address, ret_why))
        return NULL;
    int fd = address.kind == ADDRESS_UNIX ? bind_unix(address.path) : bind_tcp(&address);
    if (fd < 0 || listen(fd, SOMAXCONN) != 0) {
        *ret_why = link_why(errno, "cannot_listen");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct link_listener *listener = check_calloc(1, sizeof *listener);
    listener->base = base;
    listener->fd = fd;
    listener->tls = address.kind == ADDRESS_TLS ? tls : NULL;
    listener->accepted = accepted;
    listener->context = context;
    listener->port = port_of(fd);
    memcpy(listener->path, address.path, sizeof address.path);
    CHECK(event_assign(&listener->on_readable, base, fd, EV_READ | EV_PERSIST, on_acceptable,
                       listener) == 0);
    CHECK(event_assign(&listener->on_pause_over, base, -1, 0, on_pause_over, listener) == 0);
    event_add(&listener->on_readable, NULL);
    return listener;
}

void link_listener_free(struct link_listener *listener)
{
    if (listener == NULL || listener->freed)
        return;
    event_del(&listener->on_readable);
    event_del(&listener->on_pause_over);
    close(listener->fd);
    if (listener->path[0] != '\0')
        unlink(listener->path);
    listener->freed = true;
    if (listener->in_handler == 0)
        free(listener);
}

int link_listener_port(const struct link_listener *listener)
{
    return listener->port;
}

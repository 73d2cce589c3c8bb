/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to Redis and the order of things on it. A non-blocking socket with persistent
 * events and flat buffers: no callback, allocation or epoll_ctl a request.
 *
 * A connection lives through CONNECTING, GREETING and UP and ends in store_lose(), the only way to
 * AWAY: it answers what is in flight, tells the owner and arms the retry timer. Only that timer
 * leads out of AWAY, so whoever called anything that may lose the store looks at the state after it.
 *
 * A failed write(2) is not dealt with where it happens (the owner is in store_flush(), perhaps within
 * one of its own handlers) but by the read event that it makes active. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consent/store_internal.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"

#define UNASKED       "Redis answered what nobody had asked"
#define READS_A_TURN  8
#define READS_AT_MOST 128      /* at a deadline; more than all replies in flight have octets */
#define STEADY_UP_US  US_PER_S /* a connection that lasted so long starts the back-off anew */

/* ---- Requests ---- */

/* For a batch's begin, the writes that share a command, another write, the end, a mark, and one command behind it. */
bool store_output_has_room(const struct store *store)
{
    return buffer_length(&store->out) + 6 * COMMAND_OCTETS_MAX <= STORE_OUTPUT_MAX;
}

bool store_has_room(const struct store *store)
{
    return store->count - store->checks - store->marks + store->writes < STORE_OTHERS_MAX &&
           store_output_has_room(store);
}

static struct writer writer_of_command(struct store *store)
{
    uint8_t *room = buffer_reserve(&store->out, COMMAND_OCTETS_MAX);
    CHECK(room != NULL);
    return writer_over(room, COMMAND_OCTETS_MAX);
}

void store_command_done(struct store *store, const struct writer *w)
{
    CHECK(!w->failed);
    buffer_commit(&store->out, writer_length(w));
    store->asked_octets += writer_length(w);
}

static struct request *newest(struct store *store)
{
    size_t at = store->head + store->count - 1;
    return &store->ring[at < STORE_REQUESTS_MAX ? at : at - STORE_REQUESTS_MAX];
}

static void end_plain(struct store *store, struct write_batch *batch)
{
    if (batch->plain_count == 0)
        return;
    struct writer w = writer_of_command(store);
    command_write_plain(&w, batch->plain_bucket, batch->plain, batch->plain_count);
    store_command_done(store, &w);
    batch->plain_count = 0;
}

static void close_batch(struct store *store)
{
    struct write_batch *batch = store->open;
    if (batch == NULL)
        return;
    store->open = NULL;
    end_plain(store, batch);
    struct writer w = writer_of_command(store);
    if (batch->notices)
        batch->commands = (uint16_t)(batch->commands + command_notices_end(&w));
    uint64_t sequence = batch->writes[batch->count - 1].sequence;
    command_batch_end(&w, store->node, sequence, store->handed, store->mark);
    store->handed = sequence;
    store_command_done(store, &w);
    newest(store)->wire_end = store->asked_octets;
}

struct writer store_check_room(struct store *store)
{
    close_batch(store);
    return writer_of_command(store);
}

void store_mark(struct store *store)
{
    if (store->unmarked == 0)
        return;
    store->unmarked = 0;
    struct writer w = writer_of_command(store);
    unsigned places = store_put_caps(store, &w);
    store_put_mark(&w);
    store_command_done(store, &w);
    store_push(store, REQUEST_MARK)->count = (uint16_t)places;
}

struct writer store_command_room(struct store *store)
{
    store_mark(store);
    return store_check_room(store);
}

static void open_batch(struct store *store)
{
    struct writer w = store_command_room(store);
    command_batch_begin(&w);
    store_command_done(store, &w);
    struct request *request = store_push(store, REQUEST_WRITE);
    request->wire_end = UINT64_MAX; /* it has not left whole before it is closed */
    store->open = request->batch = check_malloc(sizeof *request->batch);
    request->batch->count = request->batch->commands = request->batch->plain_count = 0;
    request->batch->notices = false;
}

/* Gives how many commands there are more: none, where it shares that of the writes before it. */
static unsigned join_plain(struct store *store, struct write_batch *batch,
                           const struct consent_write *write)
{
    CHECK(write->scope_count >= 1 && write->scope_count <= WRITE_SCOPES_MAX);
    uint32_t bucket = store_bucket(write->number, store->buckets);
    bool begins = batch->plain_count == 0 || batch->plain_bucket != bucket ||
                  batch->plain_count + write->scope_count > STORE_PLAIN_MEMBERS;
    if (begins)
        end_plain(store, batch);
    batch->plain_bucket = bucket;
    for (uint8_t i = 0; i < write->scope_count; i++)
        batch->plain[batch->plain_count++] = consent_member(write->scopes[i], write->number);
    return begins;
}

static unsigned join_command(struct store *store, struct write_batch *batch,
                             const struct consent_write *write)
{
    end_plain(store, batch);
    struct writer w = writer_of_command(store);
    unsigned commands = command_write(&w, write, store->buckets);
    if (write->notice) {
        commands += command_notice(&w, write, store->node);
        batch->notices = true;
    }
    store_command_done(store, &w);
    return commands;
}

void store_join_batch(struct store *store, const struct consent_write *write)
{
    if (store->open == NULL)
        open_batch(store);
    struct write_batch *batch = store->open;
    unsigned commands = command_is_plain(write) ? join_plain(store, batch, write)
                                                : join_command(store, batch, write);
    batch->writes[batch->count].sequence = write->sequence;
    batch->writes[batch->count].commands = (uint8_t)commands;
    batch->writes[batch->count].counts =
        commands > 0 && (write->kind == WRITE_OPT_OUT || write->kind == WRITE_LIFT_OPT_OUT);
    batch->count++;
    store->writes++;
    batch->commands = (uint16_t)(batch->commands + commands);
    if (batch->count == STORE_BATCH_WRITES)
        close_batch(store);
}

/* After its command is in the buffer. */
struct request *store_push(struct store *store, enum request_kind kind)
{
    CHECK(store->count < STORE_REQUESTS_MAX);
    size_t at = store->head + store->count++;
    struct request *request = &store->ring[at < STORE_REQUESTS_MAX ? at : at - STORE_REQUESTS_MAX];
    if (store->turn_ms == 0)
        store->turn_ms = clock_mono_us() / US_PER_MS;
    *request = (struct request){.wire_end = store->asked_octets,
                                .asked_ms = (uint32_t)store->turn_ms,
                                .kind = (uint8_t)kind};
    if (kind == REQUEST_CHECK)
        store->checks++;
    if (kind == REQUEST_MARK)
        store->marks++;
    return request;
}

void store_pop(struct store *store)
{
    CHECK(store->count > 0);
    if (store->ring[store->head].kind == REQUEST_CHECK)
        store->checks--;
    if (store->ring[store->head].kind == REQUEST_MARK)
        store->marks--;
    if (store->ring[store->head].kind == REQUEST_WRITE) {
        store->writes -= store->ring[store->head].batch->count;
        free(store->ring[store->head].batch);
    }
    store->popped_octets = store->ring[store->head].wire_end;
    store->count--;
    if (++store->head == STORE_REQUESTS_MAX)
        store->head = 0;
    store->answer = (struct answer){0};
}

void store_deliver(struct store *store)
{
    size_t count = store->result_certain;
    store->result_certain = 0;
    if (count == 0)
        return;
    store->handlers.checked(store->context, store->results, count);
    store->result_count -= count;
    memmove(store->results, store->results + count, store->result_count * sizeof *store->results);
}

void store_result(struct store *store, const struct check_result *result)
{
    if (store->result_count == STORE_RESULTS_MAX)
        store_deliver(store);
    CHECK(store->result_count < STORE_RESULTS_MAX);
    store->results[store->result_count++] = *result;
}

/* ---- Losing the connection ---- */

void store_close_connection(struct store *store)
{
    if (store->read_event != NULL)
        event_free(store->read_event);
    if (store->write_event != NULL)
        event_free(store->write_event);
    store->read_event = store->write_event = NULL;
    if (store->fd >= 0)
        close(store->fd);
    store->fd = -1;
    event_del(store->deadline_timer);
    store->deadline_armed = false;
    resp_reader_free(store->reader);
    store->reader = NULL;
    buffer_consume(&store->in, buffer_length(&store->in));
    buffer_consume(&store->out, buffer_length(&store->out));
    store->open = NULL;
    store->asked_octets = store->sent_octets = 0;
    store->turn_ms = 0;
    store->unmarked = 0;
    store->write_error = 0;
}

/* What Redis had said, and nothing vouches for. */
static void doubt_results(struct store *store)
{
    for (size_t i = store->result_certain; i < store->result_count; i++)
        store->results[i] = (struct check_result){.cookie = store->results[i].cookie};
    store->result_certain = store->result_count;
}

/* Checks are "unknown", lookups and scopes "away"; writes come again from the ledger. */
static void fail_requests(struct store *store)
{
    doubt_results(store);
    store_lose_caps(store);
    while (store->count > 0) {
        struct request request = store->ring[store->head];
        store_pop(store);
        switch ((enum request_kind)request.kind) {
        case REQUEST_CHECK:
            store_result(store, &(struct check_result){.cookie = request.cookie});
            store->result_certain = store->result_count;
            break;
        case REQUEST_LOOKUP:
            store->handlers.looked_up(store->context, request.cookie, false,
                                      &(struct consent_state){0});
            break;
        case REQUEST_RESOLVE:
            store->resolves--;
            store->handlers.scope_resolved(store->context, request.resolve->cookie, 0);
            free(request.resolve);
            break;
        case REQUEST_ONCE:
            store->handlers.once_answered(store->context, request.cookie, ONCE_UNKNOWN);
            break;
        case REQUEST_BEAT:
            store->handlers.beaten(store->context, NULL);
            break;
        case REQUEST_NOTICES:
            store->handlers.noticed(store->context, NULL, 0, false);
            break;
        case REQUEST_ERASED:
            store->handlers.erased(store->context, NULL);
            break;
        case REQUEST_WRITE:
        case REQUEST_MARK:
        case REQUEST_CAPS:
        case REQUEST_GREETING:
            break;
        }
    }
    store_deliver(store);
}

static void arm(struct event *timer, uint64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / MS_PER_S),
                            .tv_usec = (suseconds_t)(delay_ms % MS_PER_S * US_PER_MS)};
    CHECK(event_add(timer, &delay) == 0);
}

static void arm_retry(struct store *store)
{
    uint32_t half = store->backoff_ms / 2;
    arm(store->retry_timer, half + rng_below(&store->rng, half + 1));
    store->backoff_ms *= 2;
    if (store->backoff_ms > STORE_BACKOFF_MAX_MS)
        store->backoff_ms = STORE_BACKOFF_MAX_MS;
}

void store_lose(struct store *store, const char *why)
{
    CHECK(store->state != STORE_AWAY);
    bool was_up = store->state == STORE_UP;
    if (was_up && clock_mono_us() - store->since_us >= STEADY_UP_US)
        store->backoff_ms = STORE_BACKOFF_MIN_MS;
    store->state = STORE_AWAY;
    store_close_connection(store);
    arm_retry(store);
    fail_requests(store);
    if (was_up || strcmp(store->told, why) != 0) {
        snprintf(store->told, sizeof store->told, "%s", why);
        store->handlers.down(store->context, store->told);
    }
}

/* The words of an error reply, as far as they can be printed. */
void store_lose_to_error(struct store *store, struct span error)
{
    char why[STORE_WHY_SIZE];
    size_t length = error.length < sizeof why - 1 ? error.length : sizeof why - 1;
    for (size_t i = 0; i < length; i++)
        why[i] = error.data[i] >= 0x20 && error.data[i] < 0x7f ? (char)error.data[i] : '?';
    why[length] = '\0';
    store_lose(store, length > 0 ? why : "Redis gave an error without words");
}

static void lose_to_errno(struct store *store, int error)
{
    char why[STORE_WHY_SIZE];
    snprintf(why, sizeof why, "%s", strerror(error));
    if (why[0] >= 'A' && why[0] <= 'Z')
        why[0] = (char)(why[0] - 'A' + 'a');
    store_lose(store, why);
}

/* ---- Reading ---- */

/* A reply is taken only for a request that has left whole: the first reply of one whose rest waits for
 * the socket waits too. What Redis says unasked ends it all. */
static void take_replies(struct store *store)
{
    while (buffer_length(&store->in) > 0) {
        const struct resp_reply *reply;
        const char *why = NULL;
        size_t length;
        if (store->count == 0 || store->sent_octets <= store->popped_octets) {
            store_lose(store, UNASKED);
            return;
        }
        if (store->ring[store->head].wire_end > store->sent_octets)
            return;
        enum resp result = resp_take(store->reader, buffer_span(&store->in), &reply, &length, &why);
        if (result == RESP_MORE)
            return;
        if (result == RESP_BAD) {
            store_lose(store, why);
            return;
        }
        store_take(store, reply);
        if (store->state == STORE_AWAY)
            return;
        buffer_consume(&store->in, length);
    }
}

/* True when there may be more to read. */
static bool read_once(struct store *store)
{
    uint8_t *room = buffer_reserve(&store->in, STORE_READ_CHUNK);
    if (room == NULL) { /* an unfinished reply is shorter than STORE_REPLY_MAX */
        store_lose(store, UNASKED);
        return false;
    }
    ssize_t n = recv(store->fd, room, STORE_READ_CHUNK, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < 0) {
        lose_to_errno(store, errno);
        return false;
    }
    if (n == 0) {
        store_lose(store, "Redis closed the connection");
        return false;
    }
    buffer_commit(&store->in, (size_t)n);
    take_replies(store);
    return store->state != STORE_AWAY && (size_t)n == STORE_READ_CHUNK;
}

static void read_replies(struct store *store, int reads)
{
    take_replies(store); /* what waited for its request to leave */
    while (reads-- > 0 && store->state != STORE_AWAY && read_once(store))
        continue;
    store_deliver(store);
    if (store->state == STORE_GREETING || store->state == STORE_UP)
        store_flush(store); /* what the next scope number or a handler asked */
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct store *store = context;
    if (store->write_error != 0)
        lose_to_errno(store, store->write_error);
    else if (store->state != STORE_CONNECTING)
        read_replies(store, READS_A_TURN);
}

void store_poll(struct store *store)
{
    if (store->state == STORE_UP && store->write_error == 0 && store->count > 0)
        read_replies(store, READS_A_TURN);
}

/* ---- Writing ---- */

static void send_output(struct store *store)
{
    while (buffer_length(&store->out) > 0 && store->write_error == 0) {
        struct span octets = buffer_span(&store->out);
        ssize_t n = send(store->fd, octets.data, octets.length, MSG_NOSIGNAL);
        if (n > 0) {
            buffer_consume(&store->out, (size_t)n);
            store->sent_octets += (size_t)n;
            if (buffer_length(&store->in) > 0)
                event_active(store->read_event, EV_READ, 0);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            CHECK(event_add(store->write_event, NULL) == 0);
            return;
        } else {
            store->write_error = n < 0 ? errno : EPIPE;
            event_active(store->read_event, EV_READ, 0);
        }
    }
}

static uint64_t oldest_age_ms(const struct store *store)
{
    uint32_t now_ms = (uint32_t)(clock_mono_us() / US_PER_MS);
    return (uint32_t)(now_ms - store->ring[store->head].asked_ms);
}

/* One timer, over the oldest request; it is set anew only when it fires. */
static void arm_deadline(struct store *store, uint64_t delay_ms)
{
    if (store->deadline_armed)
        return;
    store->deadline_armed = true;
    arm(store->deadline_timer, delay_ms);
}

void store_flush(struct store *store)
{
    store->turn_ms = 0;
    if (store->state == STORE_AWAY || store->state == STORE_CONNECTING)
        return;
    close_batch(store);
    store_mark(store);
    store_read_caps(store);
    if (buffer_length(&store->out) > 0)
        send_output(store);
    if (store->count > 0)
        arm_deadline(store, STORE_DEADLINE_MS);
}

static void check_oldest(struct store *store)
{
    if (store->count == 0)
        return;
    uint64_t age_ms = oldest_age_ms(store);
    if (age_ms >= STORE_DEADLINE_MS) {
        char why[STORE_WHY_SIZE];
        snprintf(why, sizeof why, "no answer within %d ms", STORE_DEADLINE_MS);
        store_lose(store, why);
    } else {
        arm_deadline(store, STORE_DEADLINE_MS - age_ms);
    }
}

void store_on_deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct store *store = context;
    if (store->state == STORE_CONNECTING) {
        store_lose(store, "connecting took too long");
        return;
    }
    /* It may be this process that was slow: what has come counts. */
    if (store->count > 0 && oldest_age_ms(store) >= STORE_DEADLINE_MS)
        read_replies(store, READS_AT_MOST);
    if (store->state == STORE_AWAY)
        return;
    store->deadline_armed = false;
    check_oldest(store);
}

/* ---- Connecting ---- */

static void connected(struct store *store)
{
    event_del(store->write_event);
    event_del(store->deadline_timer);
    store->deadline_armed = false;
    store->popped_octets = 0;
    store->state = STORE_GREETING;
    store_greet(store);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct store *store = context;
    if (store->state != STORE_CONNECTING) {
        event_del(store->write_event);
        send_output(store);
        return;
    }
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0)
        lose_to_errno(store, error);
    else
        connected(store);
}

/* A name is looked up until it has been found once (this blocks, so an address is better); then its
 * addresses take turns. */
static bool next_address(struct store *store)
{
    if (store->host == NULL)
        return true;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int result = store->found ? 0 : getaddrinfo(store->host, store->port, &hints, &store->found);
    if (result != 0) {
        char why[STORE_WHY_SIZE];
        snprintf(why, sizeof why, "cannot find host %s: %s", store->host, gai_strerror(result));
        store_lose(store, why);
        return false;
    }
    store->tried = store->tried && store->tried->ai_next ? store->tried->ai_next : store->found;
    memcpy(&store->address, store->tried->ai_addr, store->tried->ai_addrlen);
    store->address_length = store->tried->ai_addrlen;
    return true;
}

static bool open_socket(struct store *store)
{
    store->fd = socket(store->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (store->fd < 0) {
        lose_to_errno(store, errno);
        return false;
    }
    if (store->host != NULL)
        (void)setsockopt(store->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return true;
}

static void start_connect(struct store *store)
{
    CHECK(store->state == STORE_AWAY);
    store->state = STORE_CONNECTING;
    if (!next_address(store) || !open_socket(store))
        return;
    store->reader = resp_reader_new();
    store->read_event = event_new(store->base, store->fd, EV_READ | EV_PERSIST, on_readable, store);
    store->write_event =
        event_new(store->base, store->fd, EV_WRITE | EV_PERSIST, on_writable, store);
    CHECK(store->read_event != NULL && store->write_event != NULL);
    if (connect(store->fd, (struct sockaddr *)&store->address, store->address_length) != 0 &&
        errno != EINPROGRESS) {
        lose_to_errno(store, errno);
        return;
    }
    CHECK(event_add(store->read_event, NULL) == 0 && event_add(store->write_event, NULL) == 0);
    arm_deadline(store, STORE_DEADLINE_MS);
}

void store_on_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    start_connect(context);
}

void store_become_up(struct store *store)
{
    store->state = STORE_UP;
    store->handed = 0;
    snprintf(store->notice_id, sizeof store->notice_id, "0-0");
    store->since_us = clock_mono_us();
    store->told[0] = '\0';
    store->handlers.up(store->context, store->applied);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Links over TLS: two ends of real sockets in one loop, certificates from the openssl command, and
 * peers that are wrong in every way we know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/tls.h"
#include "smpp/link.h"

struct end {
    struct link *link;
    struct buffer output;
    uint64_t received, sum;
    unsigned connected, closed, writable;
    const char *why;
    bool echo;
};

struct world {
    struct event_base *base;
    struct link_listener *listener;
    struct tls_context *server_context, *client_context;
    struct end client, server;
    char address[128];
    unsigned accepted;
    int raw; /* a plain socket to the server's port, or a listening one */
};

static char folder[64]; /* of the certificates */

/* World --------------------------------------------------------------------------------------- */

static void on_connected(void *context, struct link *link)
{
    (void)link;
    ((struct end *)context)->connected++;
}

static void on_received(void *context, struct link *link, struct span octets)
{
    struct end *end = context;
    (void)link;
    end->received += octets.length;
    for (size_t i = 0; i < octets.length; i++)
        end->sum = end->sum * 31 + octets.data[i];
    if (end->echo) {
        assert_true(buffer_append(&end->output, octets.data, octets.length));
        link_flush(end->link, &end->output);
    }
}

static void on_closed(void *context, struct link *link, const char *why)
{
    struct end *end = context;
    assert_ptr_equal(link, end->link);
    end->closed++;
    end->why = why;
}

static void on_writable(void *context, struct link *link)
{
    (void)link;
    ((struct end *)context)->writable++;
}

static const struct link_handlers handlers = {.connected = on_connected,
                                              .received = on_received,
                                              .closed = on_closed,
                                              .writable = on_writable};

static void on_accepted(void *context, struct link_listener *listener, struct link *link)
{
    struct world *world = context;
    (void)listener;
    world->accepted++;
    link_free(world->server.link);
    world->server.link = link;
    link_set_handlers(link, &handlers, &world->server);
}

static int make_certificates(void **state)
{
    (void)state;
    char command[256];
    snprintf(folder, sizeof folder, "/tmp/tls_test_XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(command, sizeof command, "%s/../certificates %s", VECTORS, folder);
    return system(command) == 0 ? 0 : 1;
}

static int remove_certificates(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->base = event_base_new();
    world->raw = -1;
    buffer_init(&world->client.output, 64u << 20);
    buffer_init(&world->server.output, 64u << 20);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    link_free(world->client.link);
    link_free(world->server.link);
    link_listener_free(world->listener);
    tls_context_free(world->server_context);
    tls_context_free(world->client_context);
    buffer_release(&world->client.output);
    buffer_release(&world->server.output);
    event_base_free(world->base);
    if (world->raw >= 0)
        close(world->raw);
    free(world);
    return 0;
}

static void put_path(char out[TLS_PATH_MAX], const char *name, const char *suffix)
{
    if (name != NULL)
        snprintf(out, TLS_PATH_MAX, "%s/%s.%s", folder, name, suffix);
}

/* Names of files of tests/certificates; NULL for none. */
static struct tls_settings settings_of(const char *ca, const char *certificate, const char *name)
{
    struct tls_settings settings = {.name = ""};
    put_path(settings.ca_file, ca, "pem");
    put_path(settings.cert_file, certificate, "pem");
    put_path(settings.key_file, certificate, "key");
    if (name != NULL)
        snprintf(settings.name, sizeof settings.name, "%s", name);
    return settings;
}

static struct tls_context *context_of(enum tls_role role, const char *ca, const char *certificate,
                                      const char *name)
{
    struct tls_settings settings = settings_of(ca, certificate, name);
    struct tls_fault fault;
    struct tls_context *context = tls_context_new(role, &settings, &fault);
    if (context == NULL)
        fail_msg("%s %s", fault.setting, fault.what);
    return context;
}

static void serve(struct world *world, const char *certificate, const char *client_ca)
{
    const char *why = NULL;
    world->server_context = context_of(TLS_SERVER, client_ca, certificate, NULL);
    world->listener = link_listen_tls(world->base, "tls://127.0.0.1:0", world->server_context,
                                      on_accepted, world, &why);
    if (world->listener == NULL)
        fail_msg("%s", why);
}

static void connect_to_port(struct world *world, int port)
{
    const char *why = NULL;
    snprintf(world->address, sizeof world->address, "tls://127.0.0.1:%d", port);
    world->client.link = link_connect_tls(world->base, world->address, world->client_context,
                                          &handlers, &world->client, &why);
    if (world->client.link == NULL)
        fail_msg("%s", why);
}

static void dial(struct world *world, const char *ca, const char *certificate, const char *name)
{
    world->client_context = context_of(TLS_CLIENT, ca, certificate, name);
    connect_to_port(world, link_listener_port(world->listener));
}

/* Turns the loop for `ms` or until `*until` is not 0. */
static void turn(struct world *world, const unsigned *until, unsigned ms)
{
    for (unsigned i = 0; i < ms && (until == NULL || *until == 0); i++) {
        event_base_loop(world->base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
}

static void connected_pair(struct world *world)
{
    serve(world, "server", NULL);
    dial(world, "ca", NULL, NULL);
    turn(world, &world->client.connected, 5000);
    assert_int_equal(world->client.connected, 1);
    turn(world, NULL, 5);
}

static uint64_t fill(struct buffer *buffer, size_t length)
{
    uint64_t sum = 0;
    uint8_t *room = buffer_reserve(buffer, length);
    assert_non_null(room);
    for (size_t i = 0; i < length; i++) {
        room[i] = (uint8_t)(i * 7 + i / 251);
        sum = sum * 31 + room[i];
    }
    buffer_commit(buffer, length);
    return sum;
}

static void expect_end(struct world *world, struct end *end, const char *why)
{
    turn(world, &end->closed, 5000);
    assert_int_equal(end->closed, 1);
    assert_string_equal(end->why, why);
}

static void expect_silence(const struct end *end)
{
    assert_int_equal(end->connected, 0);
    assert_int_equal(end->received, 0);
}

/* Octets -------------------------------------------------------------------------------------- */

static void octets_go_both_ways(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    uint64_t sum = fill(&world->client.output, 1000);
    link_flush(world->client.link, &world->client.output);
    assert_int_equal(buffer_length(&world->client.output), 0);
    fill(&world->server.output, 10);
    link_flush(world->server.link, &world->server.output);
    turn(world, NULL, 20);
    assert_int_equal(world->server.received, 1000);
    assert_int_equal(world->server.sum, sum);
    assert_int_equal(world->server.connected, 0); /* outgoing links alone are told */
    assert_int_equal(world->client.received, 10);
    assert_int_equal(world->client.writable, 0);
}

/* Small socket buffers: nearly every write is a partial one, and the buffer moves meanwhile. */
static void much_goes_both_ways_by_partial_writes(void **state)
{
    struct world *world = *state;
    const size_t length = 6u << 20;
    connected_pair(world);
    int small = 4096;
    setsockopt(link_socket(world->client.link), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(link_socket(world->server.link), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    uint64_t sum = fill(&world->client.output, length);
    uint64_t back = fill(&world->server.output, length - 1);
    link_flush(world->client.link, &world->client.output);
    link_flush(world->server.link, &world->server.output);
    assert_true(buffer_length(&world->client.output) > 0);
    fill(&world->client.output, 1000); /* more behind what waits */
    uint64_t limit_us = clock_mono_us() + 20 * US_PER_S;
    while (clock_mono_us() < limit_us &&
           (world->server.received < length + 1000 || world->client.received < length - 1))
        event_base_loop(world->base, EVLOOP_NONBLOCK);
    assert_int_equal(world->server.received, length + 1000);
    assert_int_equal(world->client.received, length - 1);
    assert_int_equal(world->client.sum, back);
    assert_true(world->server.sum != sum); /* there was more */
    turn(world, &world->client.writable, 100);
    assert_int_equal(world->client.writable, 1);
    assert_int_equal(world->server.writable, 1);
    assert_int_equal(world->client.closed + world->server.closed, 0);
}

static void what_is_sent_comes_back(void **state)
{
    struct world *world = *state;
    const size_t length = 3u << 20;
    connected_pair(world);
    world->server.echo = true;
    uint64_t sum = fill(&world->client.output, length);
    link_flush(world->client.link, &world->client.output);
    for (int i = 0; i < 2000 && world->client.received < length; i++)
        turn(world, NULL, 2);
    assert_int_equal(world->client.received, length);
    assert_int_equal(world->client.sum, sum);
}

static void back_pressure_holds_and_lets_go(void **state)
{
    struct world *world = *state;
    const size_t length = 40u << 20;
    connected_pair(world);
    link_set_reading(world->server.link, false);
    uint64_t sum = fill(&world->client.output, length);
    link_flush(world->client.link, &world->client.output);
    turn(world, NULL, 30);
    assert_int_equal(world->server.received, 0);
    assert_true(buffer_length(&world->client.output) > 0);
    link_set_reading(world->server.link, true);
    for (int i = 0; i < 500 && world->server.received < length; i++)
        turn(world, NULL, 10);
    assert_int_equal(world->server.received, length);
    assert_int_equal(world->server.sum, sum);
    assert_int_equal(world->client.writable, 1);
}

/* Reading stops while decrypted octets wait where no socket tells of them. */
static void what_waits_inside_is_read_when_reading_resumes(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    fill(&world->client.output, 200000);
    link_flush(world->client.link, &world->client.output);
    usleep(10000);
    event_base_loop(world->base, EVLOOP_NONBLOCK | EVLOOP_ONCE); /* one pass: one area */
    assert_true(world->server.received > 0 && world->server.received < 200000);
    link_set_reading(world->server.link, false);
    uint64_t before = world->server.received;
    turn(world, NULL, 10);
    assert_int_equal(world->server.received, before);
    link_set_reading(world->server.link, true);
    turn(world, NULL, 100);
    assert_int_equal(world->server.received, 200000);
}

static void output_given_while_connecting_is_sent(void **state)
{
    struct world *world = *state;
    serve(world, "server", NULL);
    dial(world, "ca", NULL, NULL);
    fill(&world->client.output, 100000);
    link_flush(world->client.link, &world->client.output);
    for (int i = 0; i < 100 && world->server.received < 100000; i++)
        turn(world, NULL, 10);
    assert_int_equal(world->server.received, 100000);
}

/* A server's first words, given before the handshake is over. */
static void output_given_at_accept_is_sent(void **state)
{
    struct world *world = *state;
    serve(world, "server", NULL);
    dial(world, "ca", NULL, NULL);
    turn(world, &world->accepted, 2000);
    fill(&world->server.output, 50);
    link_flush(world->server.link, &world->server.output);
    turn(world, &world->client.connected, 2000);
    turn(world, NULL, 20);
    assert_int_equal(world->client.received, 50);
}

/* Relay --------------------------------------------------------------------------------------- */

static int connect_raw(int port)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int listen_raw(int *ret_port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    *ret_port = ntohs(name.sin_port);
    return fd;
}

/* Moves one octet from one socket to the other, if there is one. */
static void move_octet(int from, int to)
{
    char octet;
    if (recv(from, &octet, 1, MSG_DONTWAIT) == 1)
        assert_int_equal(send(to, &octet, 1, MSG_NOSIGNAL), 1);
}

struct relay {
    int listening, client, server;
};

/* The client's link leads through a relay of two sockets to the server. */
static struct relay relayed_pair(struct world *world)
{
    int port;
    struct relay relay = {.listening = listen_raw(&port)};
    serve(world, "server", NULL);
    world->client_context = context_of(TLS_CLIENT, "ca", NULL, NULL);
    connect_to_port(world, port);
    turn(world, NULL, 10);
    relay.client = accept(relay.listening, NULL, NULL);
    assert_true(relay.client >= 0);
    relay.server = connect_raw(link_listener_port(world->listener));
    return relay;
}

static void carry(struct world *world, const struct relay *relay, const uint64_t *count,
                  uint64_t until)
{
    for (int i = 0; i < 200000 && *count < until; i++) {
        move_octet(relay->client, relay->server);
        move_octet(relay->server, relay->client);
        event_base_loop(world->base, EVLOOP_NONBLOCK);
    }
}

static void close_relay(const struct relay *relay)
{
    close(relay->listening);
    close(relay->client);
    close(relay->server);
}

static void octet_by_octet_it_works(void **state)
{
    struct world *world = *state;
    struct relay relay = relayed_pair(world);
    uint64_t sum = fill(&world->client.output, 3000);
    link_flush(world->client.link, &world->client.output);
    carry(world, &relay, &world->server.received, 3000);
    assert_int_equal(world->client.connected, 1);
    assert_int_equal(world->server.received, 3000);
    assert_int_equal(world->server.sum, sum);
    close_relay(&relay);
}

/* Closes --------------------------------------------------------------------------------------- */

static void a_close_is_told_once(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    fill(&world->client.output, 10);
    link_flush(world->client.link, &world->client.output);
    link_free(world->client.link); /* with close_notify */
    world->client.link = NULL;
    expect_end(world, &world->server, "peer_closed");
    assert_int_equal(world->server.received, 10); /* what came before the end is handed over */
    turn(world, NULL, 10);
    assert_int_equal(world->server.closed, 1);
}

static void a_close_without_close_notify_is_a_close(void **state)
{
    struct world *world = *state;
    struct relay relay = relayed_pair(world);
    fill(&world->client.output, 100);
    link_flush(world->client.link, &world->client.output);
    carry(world, &relay, &world->server.received, 100);
    close_relay(&relay);
    expect_end(world, &world->server, "peer_closed");
    expect_end(world, &world->client, "peer_closed");
    assert_int_equal(world->server.received, 100);
}

static void a_reset_is_told_as_one(void **state)
{
    struct world *world = *state;
    struct relay relay = relayed_pair(world);
    fill(&world->client.output, 100);
    link_flush(world->client.link, &world->client.output);
    carry(world, &relay, &world->server.received, 100);
    struct linger at_once = {.l_onoff = 1};
    setsockopt(relay.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_relay(&relay);
    expect_end(world, &world->server, "connection_reset");
}

static void half_a_close_lets_the_last_words_arrive(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    fill(&world->server.output, 50);
    link_flush(world->server.link, &world->server.output);
    assert_true(link_finish(world->server.link));
    fill(&world->client.output, 10); /* unread input must not destroy them */
    link_flush(world->client.link, &world->client.output);
    expect_end(world, &world->client, "peer_closed");
    assert_int_equal(world->client.received, 50);
}

/* Certificates -------------------------------------------------------------------------------- */

static void a_wrong_name_is_refused(void **state)
{
    struct world *world = *state;
    serve(world, "wrong-name", NULL);
    dial(world, "ca", NULL, NULL);
    expect_end(world, &world->client, "tls_name_mismatch");
    expect_end(world, &world->server, "tls_certificate_refused");
    expect_silence(&world->client);
    expect_silence(&world->server);
}

static void the_name_of_the_configuration_is_expected(void **state)
{
    struct world *world = *state;
    serve(world, "wrong-name", NULL);
    dial(world, "ca", NULL, "smpp.example");
    turn(world, &world->client.connected, 2000);
    assert_int_equal(world->client.connected, 1);
}

static void another_ip_address_is_refused(void **state)
{
    struct world *world = *state;
    serve(world, "server", NULL); /* 127.0.0.1 */
    dial(world, "ca", NULL, "127.0.0.2");
    expect_end(world, &world->client, "tls_name_mismatch");
}

static void an_expired_certificate_is_refused(void **state)
{
    struct world *world = *state;
    serve(world, "expired", NULL);
    dial(world, "ca", NULL, NULL);
    expect_end(world, &world->client, "tls_certificate_expired");
    expect_silence(&world->client);
}

static void an_untrusted_certificate_is_refused(void **state)
{
    struct world *world = *state;
    serve(world, "untrusted", NULL);
    dial(world, "ca", NULL, NULL);
    expect_end(world, &world->client, "tls_untrusted");
    expect_silence(&world->client);
}

static void without_a_ca_file_the_system_decides(void **state)
{
    struct world *world = *state;
    serve(world, "server", NULL);
    dial(world, NULL, NULL, NULL);
    expect_end(world, &world->client, "tls_untrusted");
}

static void a_missing_client_certificate_is_refused(void **state)
{
    struct world *world = *state;
    serve(world, "server", "ca");
    dial(world, "ca", NULL, NULL);
    expect_end(world, &world->server, "tls_no_client_certificate");
    expect_end(world, &world->client, "tls_peer_wants_certificate");
    expect_silence(&world->server);
    assert_false(link_peer_is(world->server.link, "shop"));
}

static void a_strangers_client_certificate_is_refused(void **state)
{
    struct world *world = *state;
    serve(world, "server", "ca");
    dial(world, "ca", "stranger", NULL);
    expect_end(world, &world->server, "tls_untrusted");
    expect_end(world, &world->client, "tls_certificate_refused");
    expect_silence(&world->server);
}

/* A server's certificate is no client's: its purpose says so. */
static void a_servers_certificate_is_no_clients(void **state)
{
    struct world *world = *state;
    serve(world, "server", "ca");
    dial(world, "ca", "fresh", NULL);
    expect_end(world, &world->server, "tls_untrusted");
}

static void a_client_certificate_tells_who_it_is(void **state)
{
    struct world *world = *state;
    serve(world, "server", "ca");
    dial(world, "ca", "client", NULL);
    fill(&world->client.output, 10);
    link_flush(world->client.link, &world->client.output);
    turn(world, &world->client.connected, 2000);
    turn(world, NULL, 20);
    assert_int_equal(world->server.received, 10);
    assert_true(link_peer_is(world->server.link, "shop"));
    assert_true(link_peer_is(world->server.link, "shop.example"));
    assert_false(link_peer_is(world->server.link, "sho"));
    assert_false(link_peer_is(world->server.link, "other"));
    assert_false(link_peer_is(world->server.link, ".example"));
    assert_false(link_peer_is(world->server.link, ""));
}

/* Strange peers ------------------------------------------------------------------------------- */

static void say_raw(struct world *world, const void *octets, size_t length)
{
    serve(world, "server", NULL);
    world->raw = connect_raw(link_listener_port(world->listener));
    turn(world, &world->accepted, 2000);
    assert_int_equal(send(world->raw, octets, length, MSG_NOSIGNAL), length);
}

/* As TLS 1.1 (0x0302) said it. */
static const uint8_t old_hello[] = {
    0x16, 0x03, 0x01, 0x00, 0x2f, /* record: handshake, 47 octets */
    0x01, 0x00, 0x00, 0x2b,       /* ClientHello, 43 octets */
    0x03, 0x02,                   /* version */
    1,    2,    3,    4,    5,    6,    7,  8,  9,  10, 11, 12, 13, 14, 15, 16,   17,
    18,   19,   20,   21,   22,   23,   24, 25, 26, 27, 28, 29, 30, 31, 32, 0x00, /* no session */
    0x00, 0x04, 0xc0, 0x09, 0xc0, 0x13,                                           /* two ciphers */
    0x01, 0x00, /* no compression */
};

static void tls_1_1_is_refused(void **state)
{
    struct world *world = *state;
    say_raw(world, old_hello, sizeof old_hello);
    expect_end(world, &world->server, "tls_protocol");
    uint8_t answer[64];
    ssize_t n = recv(world->raw, answer, sizeof answer, 0);
    assert_int_equal(n, 7);            /* an alert, */
    assert_int_equal(answer[0], 0x15); /* fatal, */
    assert_int_equal(answer[6], 70);   /* protocol_version */
}

/* A server that answers with TLS 1.1. */
static void a_server_of_tls_1_1_is_refused(void **state)
{
    struct world *world = *state;
    int port;
    world->raw = listen_raw(&port);
    world->client_context = context_of(TLS_CLIENT, "ca", NULL, NULL);
    connect_to_port(world, port);
    turn(world, NULL, 10);
    int fd = accept(world->raw, NULL, NULL);
    uint8_t hello[48] = {0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02};
    hello[5 + 4 + 2 + 32 + 1] = 0xc0; /* cipher */
    hello[5 + 4 + 2 + 32 + 2] = 0x13;
    assert_int_equal(send(fd, hello, 5 + 0x2a, MSG_NOSIGNAL), 5 + 0x2a);
    expect_end(world, &world->client, "tls_protocol");
    close(fd);
}

static void what_is_not_tls_is_refused(void **state)
{
    static const struct {
        const char *octets;
        size_t length;
    } words[] = {
        {"GET / HTTP/1.0\r\n\r\n", 18},
        {"\0\0\0\x2f\0\0\0\x09\0\0\0\0\0\0\0\x01", 16}, /* a bind */
        {"\x16\x03\x01\xff\xff\x01", 6},                /* a record of 65535 octets */
        {"\x80\x2e\x01\0\x02", 5},                      /* SSL 2 */
        {"\x17\x03\x03\0\4wxyz", 9},                    /* data before a handshake */
    };
    struct world *world = *state;
    serve(world, "server", NULL);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        world->server.closed = world->accepted = 0;
        int fd = connect_raw(link_listener_port(world->listener));
        assert_true(send(fd, words[i].octets, words[i].length, MSG_NOSIGNAL) > 0);
        turn(world, &world->accepted, 2000);
        shutdown(fd, SHUT_WR); /* what is only begun ends here */
        turn(world, &world->server.closed, 2000);
        assert_int_equal(world->server.closed, 1);
        if (strncmp(world->server.why, "tls_", 4) != 0)
            assert_string_equal(world->server.why, "peer_closed");
        close(fd);
    }
    expect_silence(&world->server);
}

static void a_server_without_tls_is_refused(void **state)
{
    struct world *world = *state;
    int port;
    world->raw = listen_raw(&port);
    world->client_context = context_of(TLS_CLIENT, "ca", NULL, NULL);
    connect_to_port(world, port);
    turn(world, NULL, 10);
    int fd = accept(world->raw, NULL, NULL);
    assert_int_equal(send(fd, "\0\0\0\x10\x80\0\0\0\0\0\0\x03\0\0\0\0", 16, MSG_NOSIGNAL), 16);
    expect_end(world, &world->client, "tls_protocol");
    close(fd);
}

static void random_octets_end_their_own_connection_alone(void **state)
{
    struct world *world = *state;
    serve(world, "server", NULL);
    srand(1);
    for (int i = 0; i < 300; i++) {
        uint8_t octets[400];
        size_t start = (size_t)(rand() % (int)sizeof old_hello);
        memcpy(octets, old_hello, start); /* right as far as it goes */
        for (size_t j = start; j < sizeof octets; j++)
            octets[j] = (uint8_t)rand();
        int fd = connect_raw(link_listener_port(world->listener));
        assert_true(send(fd, octets, sizeof octets, MSG_NOSIGNAL) > 0);
        close(fd);
        turn(world, NULL, 1);
    }
    turn(world, NULL, 20);
    dial(world, "ca", NULL, NULL);
    turn(world, &world->client.connected, 2000);
    assert_int_equal(world->client.connected, 1);
}

/* Half a ClientHello on one side, a server that says nothing on the other. */
static void half_a_handshake_ends_by_its_deadline(void **state)
{
    struct world *world = *state;
    say_raw(world, old_hello, 20);
    int port, silent = listen_raw(&port);
    world->client_context = context_of(TLS_CLIENT, "ca", NULL, NULL);
    connect_to_port(world, port);
    uint64_t begun = clock_mono_us();
    turn(world, &world->server.closed, 3 * BIND_TIMEOUT_MS);
    turn(world, &world->client.closed, BIND_TIMEOUT_MS);
    uint64_t took_ms = (clock_mono_us() - begun) / 1000;
    assert_string_equal(world->server.why, "tls_timeout");
    assert_string_equal(world->client.why, "tls_timeout");
    assert_true(took_ms > BIND_TIMEOUT_MS - 500);
    close(silent);
}

static void a_link_may_be_freed_in_its_handshake(void **state)
{
    struct world *world = *state;
    serve(world, "server", NULL);
    dial(world, "ca", NULL, NULL);
    turn(world, &world->accepted, 2000);
    link_free(world->client.link);
    world->client.link = NULL;
    expect_end(world, &world->server, "peer_closed");
    expect_silence(&world->server);
}

static void contexts_may_go_before_their_links(void **state)
{
    struct world *world = *state;
    serve(world, "server", NULL);
    dial(world, "ca", NULL, NULL);
    tls_context_free(world->client_context); /* while connecting */
    world->client_context = NULL;
    turn(world, &world->client.connected, 2000);
    assert_int_equal(world->client.connected, 1);
}

static void an_address_needs_its_context(void **state)
{
    struct world *world = *state;
    const char *why = NULL;
    assert_null(link_connect(world->base, "tls://127.0.0.1:1", &handlers, &world->client, &why));
    assert_string_equal(why, "tls_not_configured");
    assert_null(link_listen(world->base, "tls://127.0.0.1:0", on_accepted, world, &why));
    assert_string_equal(why, "tls_not_configured");
}

/* Files --------------------------------------------------------------------------------------- */

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

static void expect_fault(enum tls_role role, const struct tls_settings *settings,
                         const char *setting, const char *what)
{
    struct tls_fault fault = {0};
    assert_null(tls_context_new(role, settings, &fault));
    assert_string_equal(fault.setting, setting);
    if (strstr(fault.what, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.what, what);
}

static void files_that_cannot_be_used_are_named(void **state)
{
    (void)state;
    struct tls_settings good = settings_of("ca", "server", NULL), bad = good;
    put_path(bad.cert_file, "missing", "pem");
    expect_fault(TLS_SERVER, &bad, "cert_file", "does not exist");
    bad = good;
    put_path(bad.cert_file, "server", "key");
    expect_fault(TLS_SERVER, &bad, "cert_file", "holds no certificate");
    bad = good;
    snprintf(bad.cert_file, sizeof bad.cert_file, "%s", folder);
    expect_fault(TLS_SERVER, &bad, "cert_file", "not a regular file");
    bad = good;
    put_path(bad.key_file, "client", "key");
    expect_fault(TLS_SERVER, &bad, "key_file", "does not belong");
    bad = good;
    put_path(bad.key_file, "server", "pem");
    expect_fault(TLS_SERVER, &bad, "key_file", "holds no key");
    bad = good;
    put_path(bad.ca_file, "ca", "key");
    expect_fault(TLS_SERVER, &bad, "ca_file", "holds no certificates");
    bad = good;
    bad.key_file[0] = '\0';
    expect_fault(TLS_SERVER, &bad, "key_file", "not given");
    bad = good;
    bad.cert_file[0] = '\0';
    expect_fault(TLS_CLIENT, &bad, "cert_file", "not given");
    bad = (struct tls_settings){0};
    expect_fault(TLS_SERVER, &bad, "cert_file", "not given");
}

static void a_key_that_others_may_read_is_refused(void **state)
{
    (void)state;
    struct tls_settings settings = settings_of("ca", "server", NULL);
    run("cp -p %s/server.key %s/shown.key && chmod 640 %s/shown.key", folder, folder, folder);
    put_path(settings.key_file, "shown", "key");
    expect_fault(TLS_SERVER, &settings, "key_file", "chmod 600");
}

/* Nobody is asked for the passphrase, and nothing hangs. */
static void a_key_with_a_passphrase_is_refused(void **state)
{
    (void)state;
    struct tls_settings settings = settings_of("ca", "server", NULL);
    run("umask 077; openssl ec -in %s/server.key -aes128 -passout pass:secret -out %s/locked.key "
        "2>/dev/null",
        folder, folder);
    put_path(settings.key_file, "locked", "key");
    expect_fault(TLS_SERVER, &settings, "key_file", "without a passphrase");
}

static void expiry_is_told(void **state)
{
    (void)state;
    struct tls_context *soon = context_of(TLS_SERVER, NULL, "soon", NULL);
    struct tls_context *expired = context_of(TLS_SERVER, NULL, "expired", NULL);
    struct tls_context *none = context_of(TLS_CLIENT, "ca", NULL, NULL);
    int64_t now = (int64_t)time(NULL), left = tls_expiry_s(soon) - now;
    assert_true(left > 3 * 86400 - 3600 && left <= 3 * 86400);
    assert_true(tls_expiry_s(expired) < now);
    assert_int_equal(tls_expiry_s(none), 0);
    tls_context_free(soon);
    tls_context_free(expired);
    tls_context_free(none);
}

static void new_connections_see_new_files(void **state)
{
    struct world *world = *state;
    struct tls_fault fault;
    run("cd %s && cp -p server.pem live.pem && cp -p server.key live.key", folder);
    serve(world, "live", NULL);
    dial(world, "ca", NULL, NULL);
    turn(world, &world->client.connected, 2000);
    int64_t before = tls_expiry_s(world->server_context);

    run("cd %s && cp fresh.pem live.pem", folder); /* without its key: refused, nothing changes */
    assert_false(tls_reload(world->server_context, &fault));
    assert_string_equal(fault.setting, "key_file");
    assert_int_equal(tls_expiry_s(world->server_context), before);

    run("cd %s && cp soon.pem live.pem && cp soon.key live.key", folder);
    assert_true(tls_reload(world->server_context, &fault));
    assert_true(tls_expiry_s(world->server_context) < before);

    struct end old = world->client; /* goes on under the old certificate */
    struct link *old_server = world->server.link;
    world->server.link = NULL;
    world->client = (struct end){.output = {.limit = 1u << 20}};
    connect_to_port(world, link_listener_port(world->listener));
    turn(world, &world->client.connected, 2000);
    assert_int_equal(world->client.connected, 1);
    fill(&old.output, 100);
    link_flush(old.link, &old.output);
    turn(world, NULL, 20);
    assert_int_equal(world->server.received, 100);
    link_free(old.link);
    link_free(old_server);
    buffer_release(&old.output);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(octets_go_both_ways),
        WITH_WORLD(much_goes_both_ways_by_partial_writes),
        WITH_WORLD(what_is_sent_comes_back),
        WITH_WORLD(back_pressure_holds_and_lets_go),
        WITH_WORLD(what_waits_inside_is_read_when_reading_resumes),
        WITH_WORLD(output_given_while_connecting_is_sent),
        WITH_WORLD(output_given_at_accept_is_sent),
        WITH_WORLD(octet_by_octet_it_works),
        WITH_WORLD(a_close_is_told_once),
        WITH_WORLD(a_close_without_close_notify_is_a_close),
        WITH_WORLD(a_reset_is_told_as_one),
        WITH_WORLD(half_a_close_lets_the_last_words_arrive),
        WITH_WORLD(a_wrong_name_is_refused),
        WITH_WORLD(the_name_of_the_configuration_is_expected),
        WITH_WORLD(another_ip_address_is_refused),
        WITH_WORLD(an_expired_certificate_is_refused),
        WITH_WORLD(an_untrusted_certificate_is_refused),
        WITH_WORLD(without_a_ca_file_the_system_decides),
        WITH_WORLD(a_missing_client_certificate_is_refused),
        WITH_WORLD(a_strangers_client_certificate_is_refused),
        WITH_WORLD(a_servers_certificate_is_no_clients),
        WITH_WORLD(a_client_certificate_tells_who_it_is),
        WITH_WORLD(tls_1_1_is_refused),
        WITH_WORLD(a_server_of_tls_1_1_is_refused),
        WITH_WORLD(what_is_not_tls_is_refused),
        WITH_WORLD(a_server_without_tls_is_refused),
        WITH_WORLD(random_octets_end_their_own_connection_alone),
        WITH_WORLD(half_a_handshake_ends_by_its_deadline),
        WITH_WORLD(a_link_may_be_freed_in_its_handshake),
        WITH_WORLD(contexts_may_go_before_their_links),
        WITH_WORLD(an_address_needs_its_context),
        cmocka_unit_test(files_that_cannot_be_used_are_named),
        cmocka_unit_test(a_key_that_others_may_read_is_refused),
        cmocka_unit_test(a_key_with_a_passphrase_is_refused),
        cmocka_unit_test(expiry_is_told),
        WITH_WORLD(new_connections_see_new_files),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of real sockets in one event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "smpp/address.h"
#include "smpp/link.h"

struct end {
    struct link *link;
    struct buffer output;
    uint64_t received, sum;
    unsigned connected, closed, writable;
    const char *why;
    bool free_when_received, flush_when_connected;
};

struct world {
    struct event_base *base;
    struct link_listener *listener;
    struct end client, server;
    char folder[64], address[128];
    unsigned accepted;
    bool refuse, free_listener;
};

static void on_connected(void *context, struct link *link)
{
    struct end *end = context;
    end->connected++;
    if (end->flush_when_connected)
        link_flush(link, &end->output);
}

static void on_received(void *context, struct link *link, struct span octets)
{
    struct end *end = context;
    end->received += octets.length;
    for (size_t i = 0; i < octets.length; i++)
        end->sum = end->sum * 31 + octets.data[i];
    if (end->free_when_received) {
        link_free(link);
        end->link = NULL;
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
    world->accepted++;
    if (world->free_listener) {
        link_listener_free(listener);
        world->listener = NULL;
    }
    if (world->refuse) {
        link_free(link);
        return;
    }
    world->server.link = link;
    link_set_handlers(link, &handlers, &world->server);
}

static void listen_on(struct world *world, const char *address)
{
    const char *why = NULL;
    world->listener = link_listen(world->base, address, on_accepted, world, &why);
    if (world->listener == NULL)
        fail_msg("%s: %s", address, why);
    snprintf(world->address, sizeof world->address, "%s", address);
    if (link_listener_port(world->listener) > 0)
        snprintf(world->address, sizeof world->address, "tcp://127.0.0.1:%d",
                 link_listener_port(world->listener));
}

static void connect_client(struct world *world)
{
    const char *why = NULL;
    world->client.link = link_connect(world->base, world->address, &handlers, &world->client, &why);
    if (world->client.link == NULL)
        fail_msg("%s: %s", world->address, why);
}

/* Turns the loop for `ms` or until `*until` is not 0. */
static void turn(struct world *world, const unsigned *until, unsigned ms)
{
    for (unsigned i = 0; i < ms && (until == NULL || *until == 0); i++) {
        event_base_loop(world->base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    snprintf(world->folder, sizeof world->folder, "/tmp/link_test_XXXXXX");
    if (mkdtemp(world->folder) == NULL)
        return 1;
    world->base = event_base_new();
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
    buffer_release(&world->client.output);
    buffer_release(&world->server.output);
    event_base_free(world->base);
    rmdir(world->folder);
    free(world);
    return 0;
}

static void unix_address(struct world *world, char out[128])
{
    snprintf(out, 128, "unix://%s/s", world->folder);
}

static void connected_pair(struct world *world)
{
    listen_on(world, "tcp://127.0.0.1:0");
    connect_client(world);
    turn(world, &world->client.connected, 2000);
    turn(world, &world->accepted, 2000);
    assert_int_equal(world->client.connected, 1);
    assert_non_null(world->server.link);
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

static void octets_go_both_ways(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    int value = 0;
    socklen_t size = sizeof value;
    getsockopt(link_socket(world->client.link), IPPROTO_TCP, TCP_NODELAY, &value, &size);
    assert_true(value != 0);
    value = 0;
    getsockopt(link_socket(world->server.link), IPPROTO_TCP, TCP_NODELAY, &value, &size);
    assert_true(value != 0);
    uint64_t sum = fill(&world->client.output, 1000);
    link_flush(world->client.link, &world->client.output);
    assert_int_equal(buffer_length(&world->client.output), 0);
    fill(&world->server.output, 10);
    link_flush(world->server.link, &world->server.output);
    turn(world, NULL, 20);
    assert_int_equal(world->server.received, 1000);
    assert_int_equal(world->server.sum, sum);
    assert_int_equal(world->client.received, 10);
    assert_int_equal(world->client.writable, 0); /* nothing was held back */
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
    assert_int_equal(world->client.writable, 0);
    link_flush(world->client.link, &world->client.output); /* while waiting: no harm */
    link_set_reading(world->server.link, true);
    for (int i = 0; i < 200 && world->server.received < length; i++)
        turn(world, NULL, 10);
    assert_int_equal(world->server.received, length);
    assert_int_equal(world->server.sum, sum);
    assert_int_equal(world->client.writable, 1);
}

static void output_given_while_connecting_is_sent(void **state)
{
    struct world *world = *state;
    listen_on(world, "tcp://127.0.0.1:0");
    fill(&world->client.output, 100);
    connect_client(world);
    link_flush(world->client.link, &world->client.output);
    turn(world, &world->accepted, 2000);
    turn(world, NULL, 20);
    assert_int_equal(world->server.received, 100);
}

static void output_given_in_connected_is_sent(void **state)
{
    struct world *world = *state;
    listen_on(world, "tcp://127.0.0.1:0");
    fill(&world->client.output, 100);
    world->client.flush_when_connected = true;
    connect_client(world);
    turn(world, &world->accepted, 2000);
    turn(world, NULL, 20);
    assert_int_equal(world->server.received, 100);
}

static void a_close_is_told_once(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    link_free(world->client.link);
    world->client.link = NULL;
    turn(world, &world->server.closed, 2000);
    turn(world, NULL, 10);
    assert_int_equal(world->server.closed, 1);
    assert_string_equal(world->server.why, "peer_closed");
    fill(&world->server.output, 10);
    link_flush(world->server.link, &world->server.output); /* ended: nothing happens */
    assert_int_equal(buffer_length(&world->server.output), 10);
}

static void a_failing_write_closes_from_the_loop(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    link_set_reading(world->server.link, false);
    struct linger at_once = {.l_onoff = 1};
    setsockopt(link_socket(world->client.link), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    link_free(world->client.link); /* a reset */
    world->client.link = NULL;
    usleep(1000);
    fill(&world->server.output, 10);
    link_flush(world->server.link, &world->server.output);
    assert_int_equal(world->server.closed, 0); /* not inside our own call */
    turn(world, &world->server.closed, 2000);
    assert_int_equal(world->server.closed, 1);
    assert_string_equal(world->server.why, "connection_reset");
}

static void a_link_may_be_freed_in_its_handler(void **state)
{
    struct world *world = *state;
    connected_pair(world);
    world->server.free_when_received = true;
    fill(&world->client.output, 10);
    link_flush(world->client.link, &world->client.output);
    turn(world, &world->client.closed, 2000);
    assert_int_equal(world->client.closed, 1);
    assert_null(world->server.link);
}

static void an_accepted_link_may_be_refused(void **state)
{
    struct world *world = *state;
    world->refuse = true;
    world->free_listener = true;
    listen_on(world, "tcp://127.0.0.1:0");
    connect_client(world);
    turn(world, &world->client.closed, 2000);
    assert_int_equal(world->client.closed, 1);
    assert_null(world->listener);
}

static void a_refused_connection_is_told(void **state)
{
    struct world *world = *state;
    listen_on(world, "tcp://127.0.0.1:0");
    link_listener_free(world->listener);
    world->listener = NULL;
    connect_client(world);
    assert_int_equal(world->client.closed, 0);
    turn(world, &world->client.closed, 2000);
    assert_string_equal(world->client.why, "connection_refused");
    assert_int_equal(world->client.connected, 0);
}

static void a_missing_unix_socket_is_told(void **state)
{
    struct world *world = *state;
    unix_address(world, world->address);
    connect_client(world);
    turn(world, &world->client.closed, 2000);
    assert_string_equal(world->client.why, "no_such_socket");
}

static void a_link_may_be_freed_while_failing(void **state)
{
    struct world *world = *state;
    unix_address(world, world->address);
    connect_client(world);
    link_free(world->client.link);
    world->client.link = NULL;
    turn(world, NULL, 5);
    assert_int_equal(world->client.closed, 0);
}

static void names_are_looked_up(void **state)
{
    struct world *world = *state;
    listen_on(world, "tcp://127.0.0.1:0");
    snprintf(world->address, sizeof world->address, "tcp://localhost:%d",
             link_listener_port(world->listener));
    connect_client(world);
    turn(world, &world->client.connected, 5000);
    /* Where localhost is ::1 first nobody listens there. */
    if (world->client.closed > 0)
        assert_string_equal(world->client.why, "connection_refused");
    else
        assert_int_equal(world->client.connected, 1);
}

static void a_link_may_be_freed_during_the_look_up(void **state)
{
    struct world *world = *state;
    snprintf(world->address, sizeof world->address, "tcp://localhost:1");
    connect_client(world);
    link_free(world->client.link);
    world->client.link = NULL;
    turn(world, NULL, 200);
    assert_int_equal(world->client.closed, 0);
}

static void unix_paths_are_taken_over_and_removed(void **state)
{
    struct world *world = *state;
    char address[128];
    const char *why = NULL;
    unix_address(world, address);
    /* Left behind: bound once, closed, not unlinked. */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, address + strlen("unix://"), strlen(address) - strlen("unix://"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
    listen_on(world, address);
    assert_int_equal(link_listener_port(world->listener), 0);
    assert_null(link_listen(world->base, address, on_accepted, world, &why));
    assert_string_equal(why, "address_in_use");
    turn(world, &world->server.closed, 2000); /* the question whether anybody answers */
    link_free(world->server.link);
    world->server.link = NULL;
    connect_client(world);
    turn(world, &world->client.connected, 2000);
    assert_int_equal(world->client.connected, 1);
    link_listener_free(world->listener);
    world->listener = NULL;
    assert_int_equal(access(name.sun_path, F_OK), -1);
}

static void without_files_accepting_pauses(void **state)
{
    struct world *world = *state;
    struct rlimit old, none;
    listen_on(world, "tcp://127.0.0.1:0");
    connect_client(world);
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = (rlim_t)link_socket(world->client.link) + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    turn(world, &world->client.connected, 2000);
    turn(world, NULL, 150);
    assert_int_equal(world->accepted, 0);
    setrlimit(RLIMIT_NOFILE, &old);
    turn(world, &world->accepted, 2000);
    assert_int_equal(world->accepted, 1);
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port, *path;
    } good[] = {
        {"tcp://127.0.0.1:2775", "127.0.0.1", "2775", ""},
        {"tcp://[::1]:0", "::1", "0", ""},
        {"tcp://smpp.example:65535", "smpp.example", "65535", ""},
        {"tcp://:2775", "", "2775", ""},
        {"unix:///run/a.sock", "", "", "/run/a.sock"},
    };
    static const char *const bad[] = {
        "",           "127.0.0.1:2775", "tcp://127.0.0.1", "tcp://h:",       "tcp://h:65536",
        "tcp://h:1x", "tcp://[::1",     "tcp://[::1]2775", "tcp://::1:2775", "unix://a.sock",
        "unix:///",   "http://h:1",     "tcp://h:-1",
    };
    struct address address;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const char *why = NULL;
        assert_true(address_parse(good[i].text, &address, &why));
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
        assert_string_equal(address.path, good[i].path);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *why = NULL;
        if (address_parse(bad[i], &address, &why))
            fail_msg("taken: %s", bad[i]);
        assert_non_null(why);
        assert_null(link_connect(NULL, bad[i], &handlers, NULL, &why));
        assert_null(link_listen(NULL, bad[i], on_accepted, NULL, &why));
    }
    char long_path[200] = "unix:///";
    memset(long_path + 8, 'a', 150);
    const char *why = NULL;
    assert_false(address_parse(long_path, &address, &why));
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(octets_go_both_ways),
        WITH_WORLD(back_pressure_holds_and_lets_go),
        WITH_WORLD(output_given_while_connecting_is_sent),
        WITH_WORLD(output_given_in_connected_is_sent),
        WITH_WORLD(a_close_is_told_once),
        WITH_WORLD(a_failing_write_closes_from_the_loop),
        WITH_WORLD(a_link_may_be_freed_in_its_handler),
        WITH_WORLD(an_accepted_link_may_be_refused),
        WITH_WORLD(a_refused_connection_is_told),
        WITH_WORLD(a_missing_unix_socket_is_told),
        WITH_WORLD(a_link_may_be_freed_while_failing),
        WITH_WORLD(names_are_looked_up),
        WITH_WORLD(a_link_may_be_freed_during_the_look_up),
        WITH_WORLD(unix_paths_are_taken_over_and_removed),
        WITH_WORLD(without_files_accepting_pauses),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

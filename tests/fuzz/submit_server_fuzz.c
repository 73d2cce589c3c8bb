/* SPDX-License-Identifier: Apache-2.0 */
/* The whole submission server, fed with any octets over a Unix socket, after a good Hello. The first
 * octet of the input says how it is cut into writes. A second connection must be served as ever. */
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/frame.h"
#include "tests/unit/submit_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];
static struct event_base *base;
static struct submit_server *server;

static void turn(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
    fake.durable = fake.next - 1;
    submit_server_turn(server, clock_now(), fake.durable, fake.next);
}

static void remove_socket(void)
{
    submit_server_free(server);
    event_base_free(base);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static void start(void)
{
    static struct program_config program = {.name = "offers"};
    static struct carrier_config carrier = {.name = "alpha"};
    static struct listener_config listener;
    static struct config config = {.node = "gw1",
                                   .programs = &program,
                                   .program_count = 1,
                                   .carriers = &carrier,
                                   .carrier_count = 1,
                                   .listeners = &listener,
                                   .listener_count = 1};
    const char *why;
    strcpy(path, "/tmp/assent-fuzz-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
    strcat(path, "/s");
    snprintf(listener.address, sizeof listener.address, "unix://%s", path);
    log_set_level(LOG_ERROR);
    base = event_base_new();
    server = submit_server_new(base, &config, NULL, NULL, "", &why);
    CHECK(server != NULL);
    fake.next = 1;
    fake_events((uint32_t[]){10, 0, 11}, 3);
    atexit(remove_socket);
}

static int connect_peer(void)
{
    static const uint8_t hello[] = {0, 0, 0, 4, 0x08, 1, 10 << 3 | 2, 0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(send(fd, hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello);
    turn();
    return fd;
}

static void drain_peer(int fd)
{
    static uint8_t area[65536];
    while (recv(fd, area, sizeof area, MSG_DONTWAIT) > 0)
        ;
}

/* The engine answers consent calls at last, in the order of asking. */
static void answer_calls(void)
{
    Assent__V1__ConsentReply reply = ASSENT__V1__CONSENT_REPLY__INIT;
    for (unsigned i = 0; i < fake.call_count; i++)
        submit_server_consent_reply(server, fake.calls[i], 0, &reply);
    fake.call_count = 0;
    Assent__V1__PreflightReply preflight = ASSENT__V1__PREFLIGHT_REPLY__INIT;
    for (size_t i = 0; i < fake.preflight_count; i++)
        submit_server_preflight_reply(server, fake.preflights[i], &preflight);
    fake.preflight_count = 0;
}

static void check_other(void)
{
    static const uint8_t status[] = {0, 0, 0, 4, 0x08, 2, 15 << 3 | 2, 0};
    uint8_t area[65536];
    int fd = connect_peer();
    drain_peer(fd);
    CHECK(send(fd, status, sizeof status, MSG_NOSIGNAL) == sizeof status);
    ssize_t n = 0;
    for (int i = 0; i < 50 && n <= 0; i++) {
        turn();
        n = recv(fd, area, sizeof area, MSG_DONTWAIT);
    }
    CHECK(n > 0);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (server == NULL)
        start();
    if (size < 2)
        return 0;
    int fd = connect_peer();
    size_t step = data[0] == 0 ? size : data[0];
    for (size_t at = 1; at < size; at += step) {
        size_t length = size - at < step ? size - at : step;
        if (send(fd, data + at, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn();
        answer_calls();
        drain_peer(fd);
    }
    check_other();
    close(fd);
    for (int i = 0; i < 3; i++)
        turn();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* watch-bench: a consumer of events that has been away. Asks a gateway on this machine for all events below
 * UNTIL and counts them as they come, without decoding; then asks again, until SECONDS have passed, or SIGTERM
 * comes. Prints how many had come every 50 ms, and in the end how many came and how many a second.
 *
 *     watch-bench SOCKET UNTIL SECONDS */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/frame.h"

#define READ_OCTETS  (256u << 10)
#define SAY_US       (50 * US_PER_MS)
#define BUFFER_LIMIT (4u << 20)

static int fail(const char *what)
{
    fprintf(stderr, "watch-bench: %s\n", what);
    return 1;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const void *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool ask(int fd, uint64_t until)
{
    struct buffer out;
    Assent__V1__HelloRequest hello = ASSENT__V1__HELLO_REQUEST__INIT;
    Assent__V1__WatchRequest watch = ASSENT__V1__WATCH_REQUEST__INIT;
    Assent__V1__Frame frames[2] = {ASSENT__V1__FRAME__INIT, ASSENT__V1__FRAME__INIT};
    hello.agent = (char *)"watch-bench";
    watch.from = 1;
    watch.until = until;
    watch.with_personal = true;
    frames[0].call = 1;
    frames[0].body_case = ASSENT__V1__FRAME__BODY_HELLO;
    frames[0].hello = &hello;
    frames[1].call = 2;
    frames[1].body_case = ASSENT__V1__FRAME__BODY_WATCH;
    frames[1].watch = &watch;
    buffer_init(&out, BUFFER_LIMIT);
    bool good = frame_append(&out, &frames[0]) && frame_append(&out, &frames[1]);
    struct span octets = buffer_span(&out);
    good = good && send(fd, octets.data, octets.length, 0) == (ssize_t)octets.length;
    buffer_release(&out);
    return good;
}

static volatile sig_atomic_t told_to_end;

static void end(int signal)
{
    (void)signal;
    told_to_end = 1;
}

/* A line every SAY_US, by the monotonic clock: what came so far. */
static void say(uint64_t events)
{
    static uint64_t next_us;
    uint64_t now_us = clock_mono_us();
    if (now_us < next_us)
        return;
    next_us = now_us + SAY_US;
    printf("at_us %" PRIu64 " events %" PRIu64 "\n", now_us, events);
}

/* Frames until `wanted` have come, beside `before`; the end's is one of them, as is the answer to Hello. */
static uint64_t count(int fd, uint64_t wanted, uint64_t before)
{
    struct buffer in;
    struct span body;
    uint64_t frames = 0;
    buffer_init(&in, BUFFER_LIMIT);
    while (frames < wanted && !told_to_end) {
        uint8_t *room = buffer_reserve(&in, READ_OCTETS);
        ssize_t n = room ? recv(fd, room, READ_OCTETS, 0) : -1;
        if (n <= 0)
            break;
        buffer_commit(&in, (size_t)n);
        while (frame_look(buffer_span(&in), FRAME_MAX, &body) == FRAME_WHOLE) {
            buffer_consume(&in, FRAME_HEADER + body.length);
            frames++;
        }
        say(before + frames);
    }
    buffer_release(&in);
    return frames;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fail("usage: watch-bench SOCKET UNTIL SECONDS");
    uint64_t until = strtoull(argv[2], NULL, 10), events = 0;
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
    uint64_t begin = clock_mono_us(), span = (uint64_t)(atof(argv[3]) * US_PER_S), now = begin;
    do {
        int fd = connect_to(argv[1]);
        if (fd < 0 || !ask(fd, until))
            return fail("cannot connect");
        uint64_t frames =
            count(fd, until + 1, events); /* Hello's answer, until - 1 events, the end */
        close(fd);
        if (frames != until + 1 && !told_to_end)
            return fail("the watch ended early");
        events += frames - (frames > until) - (frames > 0);
        now = clock_mono_us();
    } while (now - begin < span && !told_to_end);
    printf("events %" PRIu64 " per_second %.0f\n", events,
           (double)events * US_PER_S / (double)(now - begin));
    return 0;
}

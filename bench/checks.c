/* SPDX-License-Identifier: Apache-2.0 */
/* check-bench: consent checks a second through consent/store.h beside a bare client that sends the same
 * reads over one socket and counts the lines that come back, by turns against one Redis. As many
 * questions stand before Redis on either side.
 *
 *     check-bench SOCKET CHECKS ROUNDS
 *
 * prints "bare RATE store RATE share SHARE bare_us TIME store_us TIME", medians; the times are this
 * process's of processor a check. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "consent/store.h"
#include "consent/store_command.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"

#define BATCH      512 /* the most that the engine has in flight of bulk */
#define BUCKETS    65536
#define NUMBERS    4000000
#define ROUNDS_MAX 99
#define NODE       "bench"

/* What a marketing text asks. */
static struct check make_check(uint64_t i)
{
    return (struct check){.cookie = i,
                          .number = 12000000000 + hash_mix(i) % NUMBERS,
                          .scopes = {SCOPE_EVERYTHING, SCOPE_HOLD, SCOPE_REASSIGNED, 100, 101},
                          .scope_count = 5,
                          .need_opt_in = true,
                          .opt_in_scope = 101};
}

#define LINES_EACH (1 + 5 + 1)

struct cost {
    double per_second, processor_us;
};

static uint64_t processor_us(void)
{
    struct timespec spent;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0);
    return (uint64_t)spent.tv_sec * US_PER_S + (uint64_t)spent.tv_nsec / 1000;
}

static struct cost cost_since(uint64_t checks, uint64_t begin_us, uint64_t begin_processor_us)
{
    return (struct cost){(double)checks * US_PER_S / (double)(clock_mono_us() - begin_us),
                         (double)(processor_us() - begin_processor_us) / (double)checks};
}

/* ---- bare ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("check-bench: cannot connect");
        exit(1);
    }
    return fd;
}

static void send_all(int fd, const uint8_t *octets, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, octets, length, MSG_NOSIGNAL);
        CHECK(n > 0);
        octets += n;
        length -= (size_t)n;
    }
}

static struct cost bare_cost(const char *path, uint64_t checks)
{
    static uint8_t commands[BATCH * 512], replies[1u << 16];
    int fd = connect_to(path);
    uint64_t begin_us = clock_mono_us(), begin_processor_us = processor_us();
    for (uint64_t done = 0; done < checks; done += BATCH) {
        struct writer w = writer_over(commands, sizeof commands);
        for (uint64_t i = 0; i < BATCH; i++) {
            struct check check = make_check(done + i);
            command_check(&w, &check, BUCKETS);
        }
        send_all(fd, commands, writer_length(&w));
        for (size_t lines = 0; lines < (size_t)LINES_EACH * BATCH;) {
            ssize_t n = recv(fd, replies, sizeof replies, 0);
            CHECK(n > 0);
            for (ssize_t i = 0; i < n; i++)
                lines += replies[i] == '\n';
        }
    }
    struct cost result = cost_since(checks, begin_us, begin_processor_us);
    close(fd);
    return result;
}

/* ---- through the store ---- */

struct asker {
    bool up;
    uint64_t answered;
};

static void on_up(void *context, uint64_t applied)
{
    struct asker *asker = context;
    (void)applied;
    asker->up = true;
}

static void on_down(void *context, const char *why)
{
    (void)context;
    fprintf(stderr, "check-bench: Redis is away: %s\n", why);
    exit(1);
}

static void on_checked(void *context, const struct check_result *results, size_t count)
{
    struct asker *asker = context;
    for (size_t i = 0; i < count; i++)
        CHECK(results[i].known);
    asker->answered += count;
}

static struct cost store_cost(const char *path, uint64_t checks)
{
    char url[256];
    snprintf(url, sizeof url, "unix://%s", path);
    struct store_config config = {.url = url, .node = NODE, .buckets = BUCKETS};
    const struct store_handlers handlers = {.up = on_up, .down = on_down, .checked = on_checked};
    struct asker asker = {0};
    struct event_base *base = event_base_new();
    struct store *store = store_new(base, &config, &handlers, &asker);
    CHECK(store != NULL);
    while (!asker.up)
        event_base_loop(base, EVLOOP_ONCE);
    uint64_t begin_us = clock_mono_us(), begin_processor_us = processor_us();
    for (uint64_t asked = 0; asked < checks;) {
        for (uint64_t i = 0; i < BATCH; i++, asked++) {
            struct check check = make_check(asked);
            CHECK(store_check(store, &check));
        }
        store_flush(store);
        while (asker.answered < asked)
            event_base_loop(base, EVLOOP_ONCE);
    }
    struct cost result = cost_since(checks, begin_us, begin_processor_us);
    store_free(store);
    event_base_free(base);
    return result;
}

/* ---- by turns ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_size);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    uint64_t checks = argc == 4 ? strtoull(argv[2], NULL, 10) / BATCH * BATCH : 0;
    size_t rounds = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    if (checks == 0 || rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr,
                "usage: check-bench SOCKET CHECKS ROUNDS (at least %d checks, 1 to %d rounds)\n",
                BATCH, ROUNDS_MAX);
        return 2;
    }
    double bare[ROUNDS_MAX], store[ROUNDS_MAX], share[ROUNDS_MAX], bare_us[ROUNDS_MAX],
        store_us[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++) {
        struct cost by_hand = bare_cost(argv[1], checks), by_store = store_cost(argv[1], checks);
        bare[i] = by_hand.per_second;
        store[i] = by_store.per_second;
        share[i] = store[i] / bare[i];
        bare_us[i] = by_hand.processor_us;
        store_us[i] = by_store.processor_us;
    }
    printf("bare %.0f store %.0f share %.4f bare_us %.3f store_us %.3f\n", median(bare, rounds),
           median(store, rounds), median(share, rounds), median(bare_us, rounds),
           median(store_us, rounds));
    return 0;
}

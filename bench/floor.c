/* SPDX-License-Identifier: Apache-2.0 */
/* floor: the least that a gateway which asks for consent can do, to measure the others against. One
 * epoll loop asks Redis for each message what consent/store.h asks, writes a submit_sm to a simulated
 * carrier, and reads answers and receipts. Nobody submits, nothing is kept, nothing is parsed beyond
 * what must be, and there is no library but libc.
 *
 * It fills the opt-ins of made-up numbers into Redis first, unmeasured. It speaks to this machine
 * alone, and any answer that it does not expect ends it: it is a ruler, not a gateway. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/hash.h" /* hash_mix() alone: the gateway's buckets */

#define BUCKETS         (1u << 16)
#define SCOPE_BRAND     1
#define SCOPE_PROGRAM   2
#define FIRST_NUMBER    15550000000ull /* 11 digits, made up */
#define NUMBER_DIGITS   11
#define BUFFER_SIZE     (4u << 20)
#define PDU_HEADER      16
#define CHECK_OCTETS    256  /* at most, of one check */
#define CHECKS_AHEAD    4096 /* asked and not yet written to the carrier */
#define GIVE_UP_SECONDS 10   /* without any octet */

enum {
    GENERIC_NACK = 0x80000000u,
    TRANSCEIVER = 0x09,
    SUBMIT = 0x04,
    DELIVER = 0x05,
    ENQUIRE_LINK = 0x15,
    RESPONSE = 0x80000000u
};

/* What SMISMEMBER of three scopes and SISMEMBER say of somebody who may be sent to. */
static const char passes[] = "*3\r\n:0\r\n:0\r\n:0\r\n:1\r\n";
#define PASSES_OCTETS (sizeof passes - 1)

struct pipe {
    int fd;
    size_t in_start, in_end, out_start, out_end;
    uint8_t *in, *out;
};

struct floor {
    uint64_t messages, window;
    uint64_t asked, submitted, answered, receipts;
    struct pipe redis, carrier;
    uint8_t submit_sm[256];
    size_t submit_sm_length, number_at;
};

static void give_up(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Octets -------------------------------------------------------------------------------------- */

static void pipe_open(struct pipe *pipe, int fd)
{
    *pipe = (struct pipe){.fd = fd, .in = malloc(BUFFER_SIZE), .out = malloc(BUFFER_SIZE)};
    if (pipe->in == NULL || pipe->out == NULL)
        give_up("no memory");
}

static size_t room(const struct pipe *pipe)
{
    return BUFFER_SIZE - pipe->out_end;
}

static void put(struct pipe *pipe, const void *data, size_t length)
{
    if (room(pipe) < length)
        give_up("an output buffer is full");
    memcpy(pipe->out + pipe->out_end, data, length);
    pipe->out_end += length;
}

static void pipe_write(struct pipe *pipe)
{
    if (pipe->out_start == pipe->out_end)
        return;
    ssize_t n = write(pipe->fd, pipe->out + pipe->out_start, pipe->out_end - pipe->out_start);
    if (n < 0 && errno != EAGAIN)
        give_up("a connection broke");
    pipe->out_start += n > 0 ? (size_t)n : 0;
    memmove(pipe->out, pipe->out + pipe->out_start, pipe->out_end - pipe->out_start);
    pipe->out_end -= pipe->out_start;
    pipe->out_start = 0;
}

static bool pipe_read(struct pipe *pipe)
{
    memmove(pipe->in, pipe->in + pipe->in_start, pipe->in_end - pipe->in_start);
    pipe->in_end -= pipe->in_start;
    pipe->in_start = 0;
    ssize_t n = read(pipe->fd, pipe->in + pipe->in_end, BUFFER_SIZE - pipe->in_end);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        give_up("a connection was closed");
    pipe->in_end += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static size_t decimal(uint64_t value, char out[20])
{
    char backwards[20];
    size_t length = 0;
    do {
        backwards[length++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < length; i++)
        out[i] = backwards[length - 1 - i];
    return length;
}

/* Redis --------------------------------------------------------------------------------------- */

static char *put_text(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length);
    return at + length;
}

static char *put_bulk(char *at, const char *data, size_t length)
{
    *at++ = '$';
    at += decimal(length, at);
    at = put_text(at, "\r\n");
    memcpy(at, data, length);
    return put_text(at + length, "\r\n");
}

static char *put_key(char *at, const char *family, uint64_t number)
{
    char key[40];
    char *end = put_text(put_text(key, family), ":{");
    end += decimal(hash_mix(number) & (BUCKETS - 1), end);
    *end++ = '}';
    return put_bulk(at, key, (size_t)(end - key));
}

static char *put_member(char *at, uint64_t scope, uint64_t number)
{
    char digits[20];
    return put_bulk(at, digits, decimal(scope << 50 | number, digits));
}

static void put_check(struct pipe *redis, uint64_t number)
{
    char *start = (char *)redis->out + redis->out_end;
    char *at = put_text(start, "*5\r\n$10\r\nSMISMEMBER\r\n");
    at = put_key(at, "optout", number);
    at = put_member(at, 0, number);
    at = put_member(at, SCOPE_BRAND, number);
    at = put_member(at, SCOPE_PROGRAM, number);
    at = put_text(at, "*3\r\n$9\r\nSISMEMBER\r\n");
    at = put_key(at, "optin", number);
    at = put_member(at, SCOPE_PROGRAM, number);
    redis->out_end += (size_t)(at - start);
}

/* Every number gets its opt-in; each reply, ":1\r\n" or ":0\r\n", has four octets. */
static void fill_opt_ins(struct floor *floor)
{
    struct pipe *redis = &floor->redis;
    uint64_t asked = 0;
    for (uint64_t octets = 0; octets < 4 * floor->messages;) {
        while (asked < floor->messages && room(redis) > CHECK_OCTETS &&
               4 * asked < octets + 40000) {
            uint64_t number = FIRST_NUMBER + asked++;
            char *start = (char *)redis->out + redis->out_end;
            char *at = put_text(start, "*3\r\n$4\r\nSADD\r\n");
            at = put_member(put_key(at, "optin", number), SCOPE_PROGRAM, number);
            redis->out_end += (size_t)(at - start);
        }
        pipe_write(redis);
        pipe_read(redis);
        if (redis->in_end > 0 && redis->in[0] != ':')
            give_up("Redis does not take SADD");
        octets += redis->in_end;
        redis->in_start = redis->in_end;
    }
    redis->in_start = redis->in_end = 0;
}

/* SMPP ---------------------------------------------------------------------------------------- */

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void write_header(uint8_t *at, size_t length, uint32_t command, uint32_t sequence)
{
    write_u32(at, (uint32_t)length);
    write_u32(at + 4, command);
    write_u32(at + 8, 0);
    write_u32(at + 12, sequence);
}

static void put_bind(struct floor *floor)
{
    uint8_t pdu[64] = {0};
    static const char body[] =
        "floor\0\0\0\x34\0\0"; /* ids, no password, type; version 3.4, range */
    memcpy(pdu + PDU_HEADER, body, sizeof body);
    write_header(pdu, PDU_HEADER + sizeof body, TRANSCEIVER, 1);
    put(&floor->carrier, pdu, PDU_HEADER + sizeof body);
}

/* One for all, in which number and sequence are set for each message. */
static void make_submit_sm(struct floor *floor)
{
    static const char text[] = "A text of one hundred characters, no more and no less, that is "
                               "sent again and again. To leave: STOP.";
    static const char begin[] = "\0\1\1"
                                "12025550100\0"
                                "\1\1";
    static const uint8_t flags[] = {0, 0, 0, 0, 0,                /* esm_class to validity_period */
                                    1, 0, 0, 0, sizeof text - 1}; /* a receipt, please */
    uint8_t *at = floor->submit_sm + PDU_HEADER;
    memcpy(at, begin, sizeof begin - 1);
    at += sizeof begin - 1;
    floor->number_at = (size_t)(at - floor->submit_sm);
    at += NUMBER_DIGITS + 1;
    memcpy(at, flags, sizeof flags);
    memcpy(at + sizeof flags, text, sizeof text - 1);
    floor->submit_sm_length = (size_t)(at - floor->submit_sm) + sizeof flags + sizeof text - 1;
}

static void put_submit_sm(struct floor *floor)
{
    uint64_t index = floor->submitted++;
    write_header(floor->submit_sm, floor->submit_sm_length, SUBMIT, (uint32_t)index + 2);
    decimal(FIRST_NUMBER + index, (char *)floor->submit_sm + floor->number_at);
    put(&floor->carrier, floor->submit_sm, floor->submit_sm_length);
}

static void put_response(struct floor *floor, uint32_t command, uint32_t sequence)
{
    uint8_t pdu[PDU_HEADER + 1] = {0};
    size_t length = command == DELIVER ? sizeof pdu : PDU_HEADER;
    write_header(pdu, length, command | RESPONSE, sequence);
    put(&floor->carrier, pdu, length);
}

static void take_pdu(struct floor *floor, const uint8_t *pdu)
{
    uint32_t command = read_u32(pdu + 4), status = read_u32(pdu + 8);
    if (status != 0 || command == GENERIC_NACK)
        give_up("the carrier refuses");
    floor->answered += command == (SUBMIT | RESPONSE);
    floor->receipts += command == DELIVER;
    if (command == DELIVER || command == ENQUIRE_LINK)
        put_response(floor, command, read_u32(pdu + 12));
}

static void take_pdus(struct floor *floor)
{
    struct pipe *carrier = &floor->carrier;
    while (carrier->in_end - carrier->in_start >= PDU_HEADER) {
        const uint8_t *pdu = carrier->in + carrier->in_start;
        uint32_t length = read_u32(pdu);
        if (length < PDU_HEADER || length > 65536)
            give_up("the carrier sends what is not a PDU");
        if (carrier->in_end - carrier->in_start < length || room(carrier) < 1024)
            return;
        take_pdu(floor, pdu);
        carrier->in_start += length;
    }
}

/* The loop ------------------------------------------------------------------------------------ */

static void ask(struct floor *floor)
{
    while (floor->asked < floor->messages && floor->asked - floor->submitted < CHECKS_AHEAD &&
           room(&floor->redis) > CHECK_OCTETS)
        put_check(&floor->redis, FIRST_NUMBER + floor->asked++);
}

static void submit(struct floor *floor)
{
    struct pipe *redis = &floor->redis;
    while (redis->in_end - redis->in_start >= PASSES_OCTETS &&
           floor->submitted - floor->answered < floor->window &&
           room(&floor->carrier) > sizeof floor->submit_sm) {
        if (memcmp(redis->in + redis->in_start, passes, PASSES_OCTETS) != 0)
            give_up("Redis denies, or does not understand");
        redis->in_start += PASSES_OCTETS;
        put_submit_sm(floor);
    }
}

static void run(struct floor *floor)
{
    int poll = epoll_create1(0);
    struct epoll_event events[2] = {{.events = EPOLLIN, .data.ptr = &floor->redis},
                                    {.events = EPOLLIN, .data.ptr = &floor->carrier}};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, floor->redis.fd, &events[0]) != 0 ||
        epoll_ctl(poll, EPOLL_CTL_ADD, floor->carrier.fd, &events[1]) != 0)
        give_up("epoll does not work");
    double last = now();
    while (floor->answered < floor->messages || floor->receipts < floor->messages) {
        take_pdus(floor);
        submit(floor);
        ask(floor);
        pipe_write(&floor->redis);
        pipe_write(&floor->carrier);
        bool stuck = floor->redis.out_end > 0 || floor->carrier.out_end > 0;
        int n = epoll_wait(poll, events, 2, stuck ? 1 : 1000);
        for (int i = 0; i < n; i++)
            if (pipe_read(events[i].data.ptr))
                last = now();
        if (now() - last > GIVE_UP_SECONDS)
            give_up("nothing moves any more");
    }
    close(poll);
}

/* Start --------------------------------------------------------------------------------------- */

static void connect_redis(struct floor *floor, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (strlen(path) >= sizeof address.sun_path)
        give_up("the path of Redis's socket is too long");
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        give_up("cannot connect to Redis");
    pipe_open(&floor->redis, fd);
}

static void connect_carrier(struct floor *floor, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        give_up("cannot connect to the carrier");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pipe_open(&floor->carrier, fd);
    put_bind(floor);
    pipe_write(&floor->carrier);
    while (floor->carrier.in_end < PDU_HEADER)
        pipe_read(&floor->carrier);
    if (read_u32(floor->carrier.in + 4) != (TRANSCEIVER | RESPONSE))
        give_up("the carrier does not answer a bind");
    take_pdus(floor);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: floor REDIS-SOCKET CARRIER-PORT MESSAGES WINDOW\n\n"
                        "Prints messages, seconds, messages a second and its own microseconds of "
                        "processor a message.\n");
        return 2;
    }
    struct floor floor = {.messages = strtoull(argv[3], NULL, 10),
                          .window = strtoull(argv[4], NULL, 10)};
    if (floor.messages == 0 || floor.messages > 1000000000 || floor.window == 0)
        give_up("MESSAGES is from 1 to 1000000000, WINDOW from 1");
    connect_redis(&floor, argv[1]);
    fill_opt_ins(&floor);
    connect_carrier(&floor, (uint16_t)strtoul(argv[2], NULL, 10));
    make_submit_sm(&floor);
    fcntl(floor.redis.fd, F_SETFL, O_NONBLOCK);
    fcntl(floor.carrier.fd, F_SETFL, O_NONBLOCK);

    struct rusage usage[2];
    getrusage(RUSAGE_SELF, &usage[0]);
    double begin = now();
    run(&floor);
    double seconds = now() - begin, cpu = 0;
    getrusage(RUSAGE_SELF, &usage[1]);
    for (int i = 0; i < 2; i++)
        cpu += (i == 0 ? -1 : 1) *
               ((double)(usage[i].ru_utime.tv_sec + usage[i].ru_stime.tv_sec) +
                (double)(usage[i].ru_utime.tv_usec + usage[i].ru_stime.tv_usec) / 1e6);
    printf("%" PRIu64 " %.3f %.0f %.3f\n", floor.messages, seconds,
           (double)floor.messages / seconds, cpu * 1e6 / (double)floor.messages);
    return 0;
}

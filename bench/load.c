/* SPDX-License-Identifier: Apache-2.0 */
/* assent-bench: a submitter that measures. Over some connections, each with some calls unanswered, it
 * submits messages, or records opt-ins, to a run of made-up numbers, as fast as the gateway takes them
 * or at a rate. It prints one JSON object: what was accepted and refused, how many a second, and how
 * long calls took from written to answered.
 *
 * It connects to this machine alone: its numbers are made up, and belong to somebody elsewhere. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/options.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/stream.h"
#include "proto/frame.h"
#include "proto/number.h"

#define CONNECTIONS_LIMIT 64
#define CODES             17 /* gRPC's, from 0 */
#define BUFFER_LIMIT      (64u << 20)
#define READ_OCTETS       (256u << 10)
#define IDLE_US           (60 * US_PER_S) /* no answer for so long: give up */
#define FIRST_CALL        2               /* Hello is 1 */

enum task { TASK_SUBMIT, TASK_OPT_IN };

struct load_options {
    const char *connect, *client, *key, *program, *text, *campaign, *zone, *times;
    const char *tls_ca, *tls_cert, *tls_key;
    uint64_t first_number, ttl_us, send_in_us;
    uint32_t messages, numbers, batch, calls, connections, rate;
    int task, message_class;
    bool progress;
};

struct call {
    uint64_t begun_us;
    uint32_t first, count; /* messages, by their index in the run; count 0: free */
};

struct connection {
    struct stream stream;
    bool ready; /* Hello is answered */
    struct buffer in, out;
    struct call *calls;
    uint32_t unanswered;
};

struct load {
    const struct load_options *options;
    struct connection connections[CONNECTIONS_LIMIT];
    struct arena arena;
    Assent__V1__Message *messages; /* one batch; only the numbers change */
    Assent__V1__Message **pointers;
    char (*numbers)[NUMBER_TEXT_SIZE];
    uint32_t *call_us; /* how long each answered call took */
    uint32_t call_count;
    FILE *times;
    uint64_t asked, answered, codes[CODES];
    uint64_t now_us, first_us, last_us, told_us, wall_ms;
};

static const char usage[] = "usage: assent-bench [OPTION VALUE]...\n\n"
                            "Submits messages, or records opt-ins, to a gateway on this machine, "
                            "and prints JSON: how many\n"
                            "a second were accepted and how long calls took.";

#define AT(field) offsetof(struct load_options, field)

static const struct option_row rows[] = {
    {.name = "--connect",
     .value = "ADDRESS",
     .kind = OPTION_TEXT,
     .offset = AT(connect),
     .help = "unix:///PATH, tcp://127.0.0.1:PORT or tls://127.0.0.1:PORT\n"
             "(unix:///run/assent/assent.sock)"},
    {.name = "--tls-ca",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(tls_ca),
     .help = "who signed the gateway's certificate (the system's authorities)"},
    {.name = "--tls-cert",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(tls_cert),
     .help = "our certificate (none)"},
    {.name = "--tls-key",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(tls_key),
     .help = "its key"},
    {.name = "--client",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = AT(client),
     .help = "as in the gateway's configuration (none: by user id)"},
    {.name = "--key", .value = "TEXT", .kind = OPTION_TEXT, .offset = AT(key), .help = "its key"},
    {.name = "--task",
     .value = "TASK",
     .kind = OPTION_CHOICE,
     .choices = "submit|opt-in",
     .offset = AT(task),
     .help = "submit messages, or record an opt-in of each number (submit)"},
    {.name = "--program",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = AT(program),
     .help = "program of the messages (offers)"},
    {.name = "--class",
     .value = "CLASS",
     .kind = OPTION_CHOICE,
     .choices = "default|otp|transactional|marketing|emergency",
     .offset = AT(message_class),
     .help = "default, otp, transactional, marketing or emergency (default)"},
    {.name = "--campaign",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = AT(campaign),
     .help = "campaign of the messages (none)"},
    {.name = "--text",
     .value = "TEXT",
     .kind = OPTION_TEXT,
     .offset = AT(text),
     .help = "text of the messages (100 characters, and all that marketing must say)"},
    {.name = "--time-zone",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = AT(zone),
     .help = "where the recipients are, as in America/Chicago (none: by the number)"},
    {.name = "--ttl",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = AT(ttl_us),
     .help = "how long a message may wait (the class's default)"},
    {.name = "--send-in",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = AT(send_in_us),
     .help = "schedule them for so long after they are submitted (at once)"},
    {.name = "--messages",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = 1000000000,
     .offset = AT(messages),
     .help = "how many (100000)"},
    {.name = "--first-number",
     .value = "NUMBER",
     .kind = OPTION_SEED,
     .offset = AT(first_number),
     .help = "the numbers count up from here (15550000000)"},
    {.name = "--numbers",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = 1000000000,
     .offset = AT(numbers),
     .help = "after so many begin again (never)"},
    {.name = "--batch",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = SUBMIT_MESSAGES_MAX,
     .offset = AT(batch),
     .help = "messages of one Submit (1000)"},
    {.name = "--calls",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = CLIENT_CALLS_MAX,
     .offset = AT(calls),
     .help = "unanswered calls of a connection (8)"},
    {.name = "--connections",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = CONNECTIONS_LIMIT,
     .offset = AT(connections),
     .help = "connections (1)"},
    {.name = "--rate",
     .value = "N",
     .kind = OPTION_COUNT,
     .max = 10000000,
     .offset = AT(rate),
     .help = "messages a second (0: as fast as it goes)"},
    {.name = "--times",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(times),
     .help = "write a line a message: number, when submitted, when its verdict came, code\n"
             "(monotonic microseconds, parted by tabs)"},
    {.name = "--progress",
     .kind = OPTION_FLAG,
     .offset = AT(progress),
     .help = "a line a second on standard error"},
};

/* Connecting ---------------------------------------------------------------------------------- */

static bool is_tls(const char *address)
{
    return strncmp(address, "tls://", 6) == 0;
}

/* What follows tcp://127.0.0.1: or tls://127.0.0.1: in it, or NULL. */
static const char *port_of(const char *address)
{
    const char *rest = address + strlen("tcp");
    bool ours = strncmp(address, "tcp", 3) == 0 || is_tls(address);
    return ours && strncmp(rest, "://127.0.0.1:", 13) == 0 ? rest + 13 : NULL;
}

/* A socket, or -1 with errno. */
static int connect_to(const char *address)
{
    const char *port = port_of(address);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_unix = strncmp(address, "unix://", 7) == 0;
    if (is_unix && strlen(address + 7) < sizeof local.sun_path) {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", address + 7);
    } else if (port != NULL) {
        inet.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    } else {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *to = is_unix ? (const void *)&local : (const void *)&inet;
    if (fd < 0 || connect(fd, to, is_unix ? sizeof local : sizeof inet) == 0)
        return fd;
    close(fd);
    return -1;
}

static void put_path(char out[TLS_PATH_MAX], const char *path)
{
    snprintf(out, TLS_PATH_MAX, "%s", path ? path : "");
}

static bool secure(const struct load_options *options, struct stream *stream)
{
    struct tls_settings settings = {.name = ""};
    const char *why = "";
    put_path(settings.ca_file, options->tls_ca);
    put_path(settings.cert_file, options->tls_cert);
    put_path(settings.key_file, options->tls_key);
    if (stream_secure(stream, &settings, "127.0.0.1", &why))
        return true;
    fprintf(stderr, "assent-bench: TLS with %s: %s\n", options->connect, why);
    return false;
}

static bool send_hello(struct load *load, struct connection *connection)
{
    Assent__V1__HelloRequest hello = ASSENT__V1__HELLO_REQUEST__INIT;
    hello.client = (char *)load->options->client;
    hello.key = (char *)load->options->key;
    hello.agent = (char *)"assent-bench";
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = 1;
    frame.body_case = ASSENT__V1__FRAME__BODY_HELLO;
    frame.hello = &hello;
    return frame_append(&connection->out, &frame);
}

static bool open_connection(struct load *load, struct connection *connection)
{
    connection->stream = (struct stream){.fd = connect_to(load->options->connect)};
    if (connection->stream.fd < 0) {
        fprintf(stderr, "assent-bench: --connect %s: %s\n", load->options->connect,
                strerror(errno));
        return false;
    }
    if (is_tls(load->options->connect) && !secure(load->options, &connection->stream))
        return false;
    buffer_init(&connection->in, BUFFER_LIMIT);
    buffer_init(&connection->out, BUFFER_LIMIT);
    connection->calls = check_calloc(load->options->calls, sizeof *connection->calls);
    return send_hello(load, connection);
}

/* Asking -------------------------------------------------------------------------------------- */

static uint64_t number_of(const struct load_options *options, uint64_t index)
{
    return options->first_number + index % options->numbers;
}

static void prepare_batch(struct load *load)
{
    const struct load_options *options = load->options;
    load->messages = check_calloc(options->batch, sizeof *load->messages);
    load->pointers = check_calloc(options->batch, sizeof *load->pointers);
    load->numbers = check_calloc(options->batch, sizeof *load->numbers);
    for (uint32_t i = 0; i < options->batch; i++) {
        Assent__V1__Message *message = &load->messages[i];
        assent__v1__message__init(message);
        message->program = (char *)options->program;
        message->class_ = (Assent__V1__Class)options->message_class;
        message->text = (char *)options->text;
        message->campaign = (char *)options->campaign;
        message->time_zone = (char *)options->zone;
        message->ttl_ms = options->ttl_us / US_PER_MS;
        message->number = load->numbers[i];
        load->pointers[i] = message;
    }
}

static bool put_submit(struct load *load, struct buffer *out, Assent__V1__Frame *frame,
                       uint32_t count)
{
    Assent__V1__SubmitRequest request = ASSENT__V1__SUBMIT_REQUEST__INIT;
    uint64_t send_in_us = load->options->send_in_us;
    uint64_t send_at_ms = send_in_us > 0 ? clock_wall_ms() + send_in_us / US_PER_MS : 0;
    for (uint32_t i = 0; i < count; i++) {
        number_format(number_of(load->options, load->asked + i), load->numbers[i]);
        load->messages[i].send_at_wall_ms = send_at_ms;
    }
    request.n_messages = count;
    request.messages = load->pointers;
    frame->body_case = ASSENT__V1__FRAME__BODY_SUBMIT;
    frame->submit = &request;
    return frame_append(out, frame);
}

static bool put_opt_in(struct load *load, struct buffer *out, Assent__V1__Frame *frame)
{
    Assent__V1__RecordRequest request = ASSENT__V1__RECORD_REQUEST__INIT;
    request.program = (char *)load->options->program;
    request.number = number_format(number_of(load->options, load->asked), load->numbers[0]);
    request.source = (char *)"web form";
    request.evidence = (char *)"ticked the box";
    request.obtained_wall_ms = load->wall_ms;
    frame->body_case = ASSENT__V1__FRAME__BODY_RECORD_OPT_IN;
    frame->record_opt_in = &request;
    return frame_append(out, frame);
}

/* How many messages may be asked for now, at most one batch. */
static uint32_t allowance(const struct load *load)
{
    const struct load_options *options = load->options;
    uint64_t left = options->messages - load->asked;
    uint32_t batch = options->task == TASK_SUBMIT ? options->batch : 1;
    if (options->rate > 0 && load->first_us > 0) {
        uint64_t due = 1 + (load->now_us - load->first_us) * options->rate / US_PER_S;
        if (due <= load->asked)
            return 0;
        if (due - load->asked < left)
            left = due - load->asked;
    }
    return left < batch ? (uint32_t)left : batch;
}

static bool ask(struct load *load, struct connection *connection, uint32_t slot)
{
    uint32_t count = allowance(load);
    if (count == 0)
        return false;
    if (load->first_us == 0)
        load->first_us = load->last_us = load->now_us;
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.call = FIRST_CALL + slot;
    bool fits = load->options->task == TASK_SUBMIT
                    ? put_submit(load, &connection->out, &frame, count)
                    : put_opt_in(load, &connection->out, &frame);
    CHECK(fits);
    connection->calls[slot] =
        (struct call){.begun_us = load->now_us, .first = (uint32_t)load->asked, .count = count};
    connection->unanswered++;
    load->asked += count;
    return true;
}

static void fill(struct load *load, struct connection *connection)
{
    if (!connection->ready || connection->unanswered == load->options->calls)
        return;
    for (uint32_t slot = 0; slot < load->options->calls; slot++)
        if (connection->calls[slot].count == 0 && !ask(load, connection, slot))
            return;
}

/* Answers ------------------------------------------------------------------------------------- */

static void note_verdict(struct load *load, const struct call *call, uint32_t index, unsigned code)
{
    load->codes[code < CODES ? code : CODES - 1]++;
    load->answered++;
    if (load->times != NULL)
        fprintf(load->times, "%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%u\n",
                number_of(load->options, call->first + index), call->begun_us, load->now_us, code);
}

static void take_verdicts(struct load *load, const struct call *call,
                          const Assent__V1__Frame *frame)
{
    for (uint32_t i = 0; i < call->count; i++) {
        unsigned code = ASSENT__V1__CODE__CODE_UNAVAILABLE;
        if (frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE)
            code = (unsigned)frame->failure->code;
        else if (frame->body_case == ASSENT__V1__FRAME__BODY_CONSENT_REPLY)
            code = (unsigned)frame->consent_reply->code;
        else if (frame->body_case == ASSENT__V1__FRAME__BODY_SUBMIT_REPLY &&
                 i < frame->submit_reply->n_verdicts)
            code = (unsigned)frame->submit_reply->verdicts[i]->code;
        note_verdict(load, call, i, code);
    }
}

static bool take_frame(struct load *load, struct connection *connection, struct span body)
{
    arena_reset(&load->arena);
    const Assent__V1__Frame *frame = frame_decode(body, &load->arena);
    if (frame == NULL) {
        fprintf(stderr, "assent-bench: an answer cannot be decoded\n");
        return false;
    }
    if (frame->call < FIRST_CALL || frame->call - FIRST_CALL >= load->options->calls) {
        connection->ready = frame->body_case == ASSENT__V1__FRAME__BODY_HELLO_REPLY;
        if (!connection->ready)
            fprintf(stderr, "assent-bench: refused: %s\n",
                    frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE ? frame->failure->message
                                                                        : "not a gateway");
        return connection->ready;
    }
    struct call *call = &connection->calls[frame->call - FIRST_CALL];
    if (call->count == 0)
        return true;
    take_verdicts(load, call, frame);
    load->call_us[load->call_count++] = (uint32_t)(load->now_us - call->begun_us);
    load->last_us = load->now_us;
    connection->unanswered--;
    call->count = 0;
    return true;
}

static bool take_frames(struct load *load, struct connection *connection)
{
    struct span body;
    for (;;) {
        switch (frame_look(buffer_span(&connection->in), FRAME_MAX, &body)) {
        case FRAME_WHOLE:
            if (!take_frame(load, connection, body))
                return false;
            buffer_consume(&connection->in, FRAME_HEADER + body.length);
            break;
        case FRAME_MORE:
            return true;
        case FRAME_EMPTY:
        case FRAME_TOO_LONG:
            fprintf(stderr, "assent-bench: an answer has a wrong length\n");
            return false;
        }
    }
}

/* The loop ------------------------------------------------------------------------------------ */

static bool read_from(struct load *load, struct connection *connection)
{
    ssize_t n;
    do {
        uint8_t *room = buffer_reserve(&connection->in, READ_OCTETS);
        CHECK(room != NULL);
        n = stream_receive(&connection->stream, room, READ_OCTETS);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            fprintf(stderr, "assent-bench: the gateway closed the connection\n");
            return false;
        }
        buffer_commit(&connection->in, n > 0 ? (size_t)n : 0);
        if (!take_frames(load, connection))
            return false;
    } while (n == READ_OCTETS);
    return true;
}

static bool write_to(struct connection *connection)
{
    struct span out = buffer_span(&connection->out);
    if (out.length == 0)
        return true;
    ssize_t n = stream_send(&connection->stream, out.data, out.length);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        fprintf(stderr, "assent-bench: cannot write: %s\n", strerror(errno));
        return false;
    }
    buffer_consume(&connection->out, n > 0 ? (size_t)n : 0);
    return true;
}

static void tell_progress(struct load *load)
{
    if (!load->options->progress || load->now_us - load->told_us < US_PER_S)
        return;
    if (load->told_us > 0)
        fprintf(stderr, "    %" PRIu64 " of %" PRIu32 " %s\n", load->answered,
                load->options->messages,
                load->options->task == TASK_SUBMIT ? "submitted" : "opt-ins recorded");
    load->told_us = load->now_us;
}

static bool serve(struct load *load, struct pollfd *polls)
{
    int timeout = load->options->rate > 0 ? 1 : 1000;
    for (uint32_t i = 0; i < load->options->connections; i++) {
        struct connection *connection = &load->connections[i];
        fill(load, connection);
        if (!write_to(connection))
            return false;
        bool more = buffer_length(&connection->out) > 0;
        polls[i] = (struct pollfd){.fd = connection->stream.fd,
                                   .events = (short)(POLLIN | (more ? POLLOUT : 0))};
    }
    (void)poll(polls, load->options->connections, timeout);
    load->now_us = clock_mono_us();
    for (uint32_t i = 0; i < load->options->connections; i++)
        if ((polls[i].revents & ~POLLOUT) != 0 && !read_from(load, &load->connections[i]))
            return false;
    tell_progress(load);
    return true;
}

static bool run(struct load *load)
{
    struct pollfd polls[CONNECTIONS_LIMIT];
    load->now_us = clock_mono_us();
    load->wall_ms = clock_wall_ms() - 60 * MS_PER_S; /* consent was given a minute ago */
    while (load->answered < load->options->messages) {
        if (!serve(load, polls))
            return false;
        if (load->last_us > 0 && load->options->rate == 0 &&
            load->now_us - load->last_us > IDLE_US) {
            fprintf(stderr, "assent-bench: no answer for a minute\n");
            return false;
        }
    }
    return true;
}

/* The result ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t call_quantile(const struct load *load, uint32_t per_mille)
{
    if (load->call_count == 0)
        return 0;
    return load->call_us[(uint64_t)(load->call_count - 1) * per_mille / 1000];
}

static double processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void print_result(struct load *load)
{
    uint64_t accepted = load->codes[ASSENT__V1__CODE__CODE_OK];
    double seconds = (double)(load->last_us - load->first_us) / US_PER_S;
    qsort(load->call_us, load->call_count, sizeof *load->call_us, compare);
    printf("{\"accepted\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"codes\": {", accepted,
           load->answered - accepted);
    bool first = true;
    for (unsigned i = 0; i < CODES; i++) {
        if (load->codes[i] > 0)
            printf("%s\"%u\": %" PRIu64, first ? "" : ", ", i, load->codes[i]);
        first = first && load->codes[i] == 0;
    }
    printf("}, \"seconds\": %.6f, \"per_second\": %.1f, \"first_us\": %" PRIu64
           ", \"last_us\": %" PRIu64 ", \"processor_seconds\": %.3f, ",
           seconds, seconds > 0 ? (double)load->answered / seconds : 0.0, load->first_us,
           load->last_us, processor_seconds());
    printf("\"call_us\": {\"p50\": %u, \"p99\": %u, \"p999\": %u, \"max\": %u}}\n",
           call_quantile(load, 500), call_quantile(load, 990), call_quantile(load, 999),
           call_quantile(load, 1000));
}

static bool prepare(struct load *load)
{
    const struct load_options *options = load->options;
    if (options->times != NULL && (load->times = fopen(options->times, "w")) == NULL) {
        fprintf(stderr, "assent-bench: --times %s: %s\n", options->times, strerror(errno));
        return false;
    }
    arena_init(&load->arena, FRAME_ARENA_MAX);
    prepare_batch(load);
    load->call_us = check_calloc(options->messages, sizeof *load->call_us);
    for (uint32_t i = 0; i < options->connections; i++)
        if (!open_connection(load, &load->connections[i]))
            return false;
    return true;
}

static void release(struct load *load)
{
    for (uint32_t i = 0; i < load->options->connections; i++) {
        struct connection *connection = &load->connections[i];
        if (connection->calls == NULL)
            break;
        stream_close(&connection->stream);
        buffer_release(&connection->in);
        buffer_release(&connection->out);
        free(connection->calls);
    }
    if (load->times != NULL)
        fclose(load->times);
    arena_release(&load->arena);
    free(load->messages);
    free(load->pointers);
    free(load->numbers);
    free(load->call_us);
}

int main(int argc, char **argv)
{
    struct load_options options = {
        .connect = "unix:///run/assent/assent.sock",
        .client = "",
        .key = "",
        .program = "offers",
        .campaign = "",
        .zone = "",
        .text =
            "Acme: a text of one hundred characters, not fewer, not more, sent again and again. "
            "Reply STOP to end",
        .first_number = 15550000000ull,
        .messages = 100000,
        .numbers = 1000000000,
        .batch = SUBMIT_MESSAGES_MAX,
        .calls = 8,
        .connections = 1,
    };
    struct load load = {.options = &options};
    int exit_code = 0;
    if (!options_parse(rows, sizeof rows / sizeof rows[0], usage, argc, argv, &options, &exit_code))
        return exit_code;
    bool done = prepare(&load) && run(&load);
    if (done)
        print_result(&load);
    release(&load);
    return done ? 0 : 1;
}

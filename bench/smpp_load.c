/* SPDX-License-Identifier: Apache-2.0 */
/* smpp-load: binds, submits as fast as a window lets it, and says how many a second were answered. It
 * measures the carrier side (smsc-sim), without any gateway: no consent is asked for, so it only ever
 * connects to a loopback or Unix address. */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/options.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/number.h"
#include "smpp/link.h"
#include "smpp/session.h"
#include "smpp/text.h"

#define SESSIONS_LIMIT 64
#define IDLE_US        (5 * US_PER_S) /* nothing moved for so long: give up waiting */

struct load_options {
    const char *connect, *system_id, *password, *sender, *text;
    uint32_t messages, window, sessions, numbers;
    bool receipts;
};

struct load;

struct worker {
    struct load *load;
    struct link *link;
    struct session *session;
    bool ended;
};

struct load {
    const struct load_options *options;
    struct event_base *base;
    struct worker workers[SESSIONS_LIMIT];
    struct sm_out message;
    uint8_t part[TEXT_PART_MAX];
    uint64_t now_us, first_us, last_us;
    uint64_t submitted, accepted, refused, lost, receipts, replies;
    bool failed, closing;
};

static const char usage[] =
    "usage: smpp-load [OPTION VALUE]...\n\n"
    "Submits messages to a simulated carrier on this machine as fast as the window allows.";

#define AT(field) offsetof(struct load_options, field)

static const struct option_row rows[] = {
    {.name = "--connect",
     .value = "ADDRESS",
     .kind = OPTION_TEXT,
     .offset = AT(connect),
     .help = "tcp://127.0.0.1:PORT or unix:///PATH (tcp://127.0.0.1:2775)"},
    {.name = "--system-id",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = AT(system_id),
     .help = "at most 16 octets (load)"},
    {.name = "--password",
     .value = "TEXT",
     .kind = OPTION_TEXT,
     .offset = AT(password),
     .help = "at most 64 octets (none)"},
    {.name = "--messages",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = 2000000000,
     .offset = AT(messages),
     .help = "how many to submit (1000000)"},
    {.name = "--window",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = WINDOW_MAX,
     .offset = AT(window),
     .help = "unanswered submit_sm of a session (1000)"},
    {.name = "--sessions",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = SESSIONS_LIMIT,
     .offset = AT(sessions),
     .help = "transceivers (1)"},
    {.name = "--numbers",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = 1000000000,
     .offset = AT(numbers),
     .help = "different destinations (1000000)"},
    {.name = "--sender",
     .value = "NUMBER",
     .kind = OPTION_TEXT,
     .offset = AT(sender),
     .help = "source address (12025550100)"},
    {.name = "--text",
     .value = "TEXT",
     .kind = OPTION_TEXT,
     .offset = AT(text),
     .help = "one part (100 characters)"},
    {.name = "--receipts",
     .kind = OPTION_FLAG,
     .offset = AT(receipts),
     .help = "ask for receipts, and wait for them"},
};

static bool done(const struct load *load)
{
    uint64_t ended = load->accepted + load->refused + load->lost;
    if (ended < load->options->messages)
        return false;
    return !load->options->receipts || load->receipts >= load->accepted;
}

static void submit(struct load *load, struct worker *worker)
{
    while (load->submitted < load->options->messages && session_window_free(worker->session) > 0) {
        uint64_t number = 15550000000ull + load->submitted % load->options->numbers;
        number_format(number, load->message.destination.digits);
        if (session_submit(worker->session, &load->message, load->submitted, load->now_us) !=
            ERR_OK)
            return;
        load->submitted++;
    }
}

static void on_bound(void *context, struct session *session)
{
    (void)session;
    struct load *load = ((struct worker *)context)->load;
    if (load->first_us == 0)
        load->first_us = load->now_us;
}

static void on_request_ended(void *context, struct session *session, uint64_t cookie,
                             enum request_end end, uint32_t command_status, struct span message_id)
{
    (void)session;
    (void)cookie;
    (void)message_id;
    struct load *load = ((struct worker *)context)->load;
    load->last_us = load->now_us;
    if (end != REQUEST_ANSWERED)
        load->lost++;
    else if (command_status == ESME_ROK)
        load->accepted++;
    else
        load->refused++;
}

static void on_message(void *context, struct session *session, const struct pdu_header *header,
                       const struct sm_body *body)
{
    struct load *load = ((struct worker *)context)->load;
    if (body->esm_class & ESM_TYPE_MASK)
        load->receipts++;
    else
        load->replies++;
    load->last_us = load->now_us;
    session_respond(session, header, ESME_ROK, (struct span){0});
}

static void on_session_closed(void *context, struct session *session, const char *why,
                              uint32_t command_status)
{
    (void)session;
    struct worker *worker = context;
    worker->ended = true;
    if (!worker->load->closing && !done(worker->load)) {
        fprintf(stderr, "smpp-load: session closed: %s, status 0x%08x\n", why, command_status);
        worker->load->failed = true;
    }
}

static const struct session_handlers session_handlers = {.bound = on_bound,
                                                         .request_ended = on_request_ended,
                                                         .message = on_message,
                                                         .closed = on_session_closed};

static void on_connected(void *context, struct link *link)
{
    (void)link;
    struct worker *worker = context;
    worker->load->now_us = clock_mono_us();
    session_start(worker->session, worker->load->now_us);
}

static void on_received(void *context, struct link *link, struct span octets)
{
    (void)link;
    struct worker *worker = context;
    worker->load->now_us = clock_mono_us();
    (void)session_receive(worker->session, octets, worker->load->now_us);
}

static void on_link_closed(void *context, struct link *link, const char *why)
{
    (void)link;
    session_close(((struct worker *)context)->session, why);
}

static const struct link_handlers link_handlers = {
    .connected = on_connected, .received = on_received, .closed = on_link_closed};

static bool open_worker(struct load *load, struct worker *worker)
{
    const struct load_options *options = load->options;
    const char *why = NULL;
    struct session_config config = {.role = SESSION_CLIENT,
                                    .mode = SESSION_TRANSCEIVER,
                                    .window = (uint16_t)options->window,
                                    .request_timeout_ms = 30000};
    snprintf(config.system_id, sizeof config.system_id, "%s", options->system_id);
    snprintf(config.password, sizeof config.password, "%s", options->password);
    worker->load = load;
    worker->session = session_new(&config, &session_handlers, worker);
    worker->link = link_connect(load->base, options->connect, &link_handlers, worker, &why);
    if (worker->link == NULL)
        fprintf(stderr, "smpp-load: %s: %s\n", options->connect, why);
    return worker->link != NULL;
}

static void close_workers(struct load *load)
{
    load->closing = true;
    for (uint32_t i = 0; i < load->options->sessions; i++) {
        if (load->workers[i].session != NULL)
            session_close(load->workers[i].session, "done");
        link_free(load->workers[i].link);
        session_free(load->workers[i].session);
    }
}

static void end_turn(struct load *load)
{
    for (uint32_t i = 0; i < load->options->sessions; i++) {
        struct worker *worker = &load->workers[i];
        if (worker->ended)
            continue;
        if (session_may_submit(worker->session))
            submit(load, worker);
        if (buffer_length(session_output(worker->session)) > 0)
            link_flush(worker->link, session_output(worker->session));
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct load *load = context;
    load->now_us = clock_mono_us();
    for (uint32_t i = 0; i < load->options->sessions; i++)
        if (!load->workers[i].ended)
            (void)session_tick(load->workers[i].session, load->now_us);
}

static void run(struct load *load)
{
    struct event *tick = event_new(load->base, -1, EV_PERSIST, on_tick, load);
    struct timeval interval = {.tv_usec = 100000};
    event_add(tick, &interval);
    load->last_us = clock_mono_us();
    while (!done(load) && !load->failed && clock_mono_us() - load->last_us < IDLE_US) {
        event_base_loop(load->base, EVLOOP_ONCE);
        end_turn(load);
    }
    event_free(tick);
}

static bool is_local(const char *address)
{
    return strncmp(address, "unix://", 7) == 0 || strncmp(address, "tcp://127.", 10) == 0 ||
           strncmp(address, "tcp://[::1]:", 12) == 0;
}

static bool prepare(struct load *load)
{
    const struct load_options *options = load->options;
    struct text_plan plan;
    if (!is_local(options->connect)) {
        fprintf(stderr, "smpp-load: --connect %s: allowed is this machine alone\n",
                options->connect);
        return false;
    }
    if (text_plan(span_from_string(options->text), &text_rules_default, &plan) != ERR_OK ||
        plan.parts != 1 || strlen(options->sender) >= sizeof load->message.source.digits) {
        fprintf(stderr, "smpp-load: --text must fit one part, --sender 21 octets\n");
        return false;
    }
    size_t length = text_part(span_from_string(options->text), &plan, 1, 0, load->part);
    load->message = (struct sm_out){.source = {.ton = 1, .npi = 1},
                                    .destination = {.ton = 1, .npi = 1},
                                    .registered_delivery = options->receipts,
                                    .data_coding = (uint8_t)plan.encoding,
                                    .short_message = span_of(load->part, length)};
    snprintf(load->message.source.digits, sizeof load->message.source.digits, "%s",
             options->sender);
    return true;
}

static void print_result(const struct load *load)
{
    double seconds = (double)(load->last_us - load->first_us) / US_PER_S;
    printf("submitted %" PRIu64 ", accepted %" PRIu64 ", refused %" PRIu64 ", lost %" PRIu64
           ", receipts %" PRIu64 ", replies %" PRIu64 "\n",
           load->submitted, load->accepted, load->refused, load->lost, load->receipts,
           load->replies);
    printf("%.3f s, %.0f submit_sm/s\n", seconds,
           seconds > 0 ? (double)load->submitted / seconds : 0.0);
}

int main(int argc, char **argv)
{
    struct load_options options = {
        .connect = "tcp://127.0.0.1:2775",
        .system_id = "load",
        .password = "",
        .sender = "12025550100",
        .text = "This is a text of one hundred characters, no more and no less, to be sent again "
                "and again: enough now.",
        .messages = 1000000,
        .window = 1000,
        .sessions = 1,
        .numbers = 1000000,
    };
    struct load load = {.options = &options};
    int exit_code = 0;
    if (!options_parse(rows, sizeof rows / sizeof rows[0], usage, argc, argv, &options, &exit_code))
        return exit_code;
    if (!prepare(&load))
        return 2;
    load.base = event_base_new();
    CHECK(load.base != NULL);
    for (uint32_t i = 0; i < options.sessions && !load.failed; i++)
        load.failed = !open_worker(&load, &load.workers[i]);
    if (!load.failed)
        run(&load);
    print_result(&load);
    bool complete = done(&load) && load.lost == 0;
    close_workers(&load);
    event_base_free(load.base);
    return complete ? 0 : 1;
}

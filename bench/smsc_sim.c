/* SPDX-License-Identifier: Apache-2.0 */
/* smsc-sim: a simulated carrier with simulated subscribers, for tests, benchmarks and the quickstart.
 * Options, signals and the loop; what it does stands in sim.h and carrier_model.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/options.h"
#include "bench/sim_fault.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"

#define LOG_FLUSH_US (50 * US_PER_MS)

static const char usage[] =
    "usage: smsc-sim [OPTION VALUE]...\n\n"
    "A simulated SMPP 3.4 carrier. Takes any bind, answers submit_sm, sends receipts, and lets\n"
    "simulated subscribers reply to what they get. SIGUSR1 writes log and report now; SIGTERM\n"
    "and SIGINT end it with a report. Times are 200us, 5ms, 30s or 2m; delays MEAN or MEAN:SPREAD.";

#define AT(field)      offsetof(struct sim_options, field)
#define CARRIER(field) offsetof(struct sim_options, carrier.field)

static bool take_fault(void *place, const char *text, const char **ret_why)
{
    return faults_parse(place, text, ret_why);
}

static const struct option_row rows[] = {
    {.name = "--listen",
     .value = "ADDRESS",
     .kind = OPTION_TEXT,
     .offset = AT(listen),
     .help = "tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH (tcp://127.0.0.1:2775)"},
    {.name = "--tls-cert",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(tls_cert),
     .help = "our certificate and its chain, for tls://"},
    {.name = "--tls-key",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(tls_key),
     .help = "its key, mode 0600"},
    {.name = "--tls-client-ca",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(tls_client_ca),
     .help = "only who has a certificate of this authority may connect (anybody)"},
    {.name = "--port-file",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(port_file),
     .help = "write the chosen port here once listening (for port 0)"},
    {.name = "--seed",
     .value = "N",
     .kind = OPTION_SEED,
     .offset = AT(seed),
     .help = "the same seed, the same behaviour (1)"},
    {.name = "--system-id",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = AT(system_id),
     .help = "the only account let in (any)"},
    {.name = "--password",
     .value = "TEXT",
     .kind = OPTION_TEXT,
     .offset = AT(password),
     .help = "its password (any)"},
    {.name = "--rate",
     .value = "N",
     .kind = OPTION_COUNT,
     .max = 10000000,
     .offset = CARRIER(rate),
     .help = "submit_sm taken in any sliding second, above it ESME_RTHROTTLED (0: no limit)"},
    {.name = "--fault",
     .value = "FAULT",
     .kind = OPTION_EACH,
     .take = take_fault,
     .offset = AT(faults),
     .help = "play a fault of the list below; repeatable: NAME, NAME:VALUE, NAME:SHARE"},
    {.name = "--list-faults",
     .kind = OPTION_FLAG,
     .offset = AT(list_faults),
     .help = "the same list for programs: name, example, what it does, what it is about"},
    {.name = "--deliver-window",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = WINDOW_MAX,
     .offset = AT(deliver_window),
     .help = "unanswered deliver_sm of a session (1000)"},
    {.name = "--answer-delay",
     .value = "DELAY",
     .kind = OPTION_DELAY,
     .offset = CARRIER(answer_delay),
     .help = "from submit_sm to its answer (0ms)"},
    {.name = "--receipt-delay",
     .value = "DELAY",
     .kind = OPTION_DELAY,
     .offset = CARRIER(receipt_delay),
     .help = "from the answer to the receipt (0ms)"},
    {.name = "--receipt-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(receipt_ppm),
     .help = "receipts sent, of those asked for (100%)"},
    {.name = "--undelivered-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(undelivered_ppm),
     .help = "receipts that say UNDELIV (0%)"},
    {.name = "--hold-receipts",
     .value = "N",
     .kind = OPTION_COUNT,
     .max = ITEMS_MAX,
     .offset = AT(hold_receipts),
     .help = "keep receipts back until N are open, then give them all; and again (0: never)"},
    {.name = "--held-order",
     .value = "ORDER",
     .kind = OPTION_CHOICE,
     .choices = "sent|random|by-turns",
     .offset = AT(held_order),
     .help = "sent: those held are given in the order of their submit_sm; random; or by-turns:\n"
             "the one, then the other (sent)"},
    {.name = "--deliver-timeout",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = AT(deliver_timeout_us),
     .help = "a deliver_sm without answer is sent again (10s)"},
    {.name = "--redeliver-after",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = AT(redeliver_us),
     .help = "wait before a deliver_sm is sent again: no answer, 0x08 or 0x14 (5s)"},
    {.name = "--enquire-link",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = AT(enquire_link_us),
     .help = "interval of enquire_link (30s)"},
    {.name = "--drop-every",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = AT(drop_every_us),
     .help = "cut all connections so often (never)"},
    {.name = "--subscribers",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(subscribers),
     .help = "hash: each number behaves by its hash and the shares; none: nobody replies;\n"
             "else a file, a line a number: `NUMBER [answer=YES] [stop=N] [stopall=N]\n"
             "[start=N] [help=N]` (hash)"},
    {.name = "--reply-delay",
     .value = "DELAY",
     .kind = OPTION_DELAY,
     .offset = CARRIER(reply_delay),
     .help = "from a text to its reply (300ms:200ms)"},
    {.name = "--yes-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(shares.yes),
     .help = "opt-in questions answered with YES (80%)"},
    {.name = "--no-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(shares.no),
     .help = "with NO (5%); the rest stays silent"},
    {.name = "--stop-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(shares.stop),
     .help = "numbers that STOP a campaign (5%)"},
    {.name = "--stop-within",
     .value = "N",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = 1000,
     .offset = AT(stop_within),
     .help = "at one of its first N texts (1)"},
    {.name = "--help-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(shares.help),
     .help = "numbers that ask for HELP at the first text (2%)"},
    {.name = "--stopall-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(shares.stop_all),
     .help = "STOPs that are a STOPALL (0%)"},
    {.name = "--start-share",
     .value = "SHARE",
     .kind = OPTION_SHARE,
     .offset = CARRIER(shares.start),
     .help = "STOPs that a START follows, once confirmed (0%)"},
    {.name = "--question-text",
     .value = "TEXT",
     .kind = OPTION_TEXT,
     .offset = CARRIER(marks.question),
     .help = "what marks an opt-in question (a word YES, OUI, SI or نعم in capitals)"},
    {.name = "--campaign-text",
     .value = "TEXT",
     .kind = OPTION_TEXT,
     .offset = CARRIER(marks.campaign),
     .help = "what marks a marketing text (a word STOP and no word HELP, in capitals)"},
    {.name = "--log",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(log),
     .help = "a line a PDU; holds numbers and texts: for test numbers alone"},
    {.name = "--pcap",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(pcap),
     .help = "a capture for Wireshark; holds numbers and texts"},
    {.name = "--log-format",
     .value = "FORM",
     .kind = OPTION_CHOICE,
     .choices = "full|short",
     .offset = AT(log_format),
     .help = "full, or short: headers only (full)"},
    {.name = "--report",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = AT(report),
     .help = "counts as JSON, at the end and on SIGUSR1"},
    {.name = "--duration",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = AT(duration_us),
     .help = "end by itself after this time (never)"},
};

struct runner {
    struct sim *sim;
    struct event_base *base;
    bool ending;
};

static void on_end(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    ((struct runner *)context)->ending = true;
}

static void on_drop(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    sim_drop_all(((struct runner *)context)->sim);
}

static void on_log_flush(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    const struct sim *sim = ((struct runner *)context)->sim;
    sim_log_flush(sim->log);
    sim_pcap_flush(sim->pcap);
}

/* Who sees the report finds in the log what it counts. */
static void on_report(evutil_socket_t fd, short what, void *context)
{
    on_log_flush(fd, what, context);
    sim_write_report(((struct runner *)context)->sim);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

static struct timeval timeval_of(uint64_t us)
{
    return (struct timeval){.tv_sec = (time_t)(us / US_PER_S),
                            .tv_usec = (suseconds_t)(us % US_PER_S)};
}

enum { EVENT_TERM, EVENT_INT, EVENT_USR1, EVENT_DURATION, EVENT_DROP, EVENT_LOG, EVENTS };

static void add_timer(struct event *event, uint64_t us)
{
    struct timeval after = timeval_of(us);
    if (us > 0)
        event_add(event, &after);
}

static void arm(struct runner *runner, const struct sim_options *options,
                struct event *events[EVENTS])
{
    struct event_base *base = runner->base;
    events[EVENT_TERM] = evsignal_new(base, SIGTERM, on_end, runner);
    events[EVENT_INT] = evsignal_new(base, SIGINT, on_end, runner);
    events[EVENT_USR1] = evsignal_new(base, SIGUSR1, on_report, runner);
    events[EVENT_DURATION] = event_new(base, -1, 0, on_end, runner);
    events[EVENT_DROP] = event_new(base, -1, EV_PERSIST, on_drop, runner);
    events[EVENT_LOG] = event_new(base, -1, EV_PERSIST, on_log_flush, runner);
    for (int i = EVENT_TERM; i <= EVENT_USR1; i++)
        event_add(events[i], NULL);
    add_timer(events[EVENT_DURATION], options->duration_us);
    add_timer(events[EVENT_DROP], options->drop_every_us);
    bool flushes = options->log != NULL || options->pcap != NULL;
    add_timer(events[EVENT_LOG], flushes ? LOG_FLUSH_US : 0);
}

static void run(struct runner *runner)
{
    struct event *wake = event_new(runner->base, -1, 0, on_wake, NULL);
    while (!runner->ending) {
        uint64_t wake_us = sim_end_turn(runner->sim), now_us = runner->sim->now_us;
        struct timeval wait = timeval_of(wake_us > now_us ? wake_us - now_us : 0);
        event_add(wake, &wait);
        event_base_loop(runner->base, EVLOOP_ONCE);
    }
    event_free(wake);
}

/* A connection is a file: as many as this process may have. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < PEERS_MAX)
        fprintf(stderr, "smsc-sim: the limit of open files allows fewer than %d connections\n",
                PEERS_MAX);
}

static int serve(const struct sim_options *options)
{
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    struct runner runner = {.base = event_base_new_with_config(config)};
    event_config_free(config);
    struct event *events[EVENTS];
    CHECK(runner.base != NULL);
    arm(&runner, options, events); /* first: who can connect may send a signal */
    runner.sim = sim_new(options, runner.base);
    bool started = runner.sim != NULL;
    if (started) {
        printf("smsc-sim: listening on %s, port %d\n", options->listen,
               link_listener_port(runner.sim->listener));
        fflush(stdout);
        run(&runner);
        sim_write_report(runner.sim);
        sim_free(runner.sim);
    }
    for (int i = 0; i < EVENTS; i++)
        event_free(events[i]);
    event_base_free(runner.base);
    return started ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct sim_options options = {
        .listen = "tcp://127.0.0.1:2775",
        .subscribers = "hash",
        .seed = 1,
        .deliver_window = 1000,
        .stop_within = 1,
        .redeliver_us = 5 * US_PER_S,
        .deliver_timeout_us = 10 * US_PER_S,
        .enquire_link_us = 30 * US_PER_S,
        .carrier = {.receipt_ppm = 1000000,
                    .reply_delay = {.mean_us = 300 * US_PER_MS, .spread_us = 200 * US_PER_MS},
                    .shares = {.yes = 800000, .no = 50000, .stop = 50000, .help = 20000},
                    .other_session_us = 20 * US_PER_MS},
    };
    int exit_code = 0;
    if (!options_parse(rows, sizeof rows / sizeof rows[0], usage, argc, argv, &options,
                       &exit_code)) {
        if (exit_code == 0)
            faults_print_help(stdout);
        return exit_code;
    }
    if (options.list_faults) {
        faults_print_list(stdout);
        return 0;
    }
    options.carrier.seed = options.seed;
    options.faults.rng.state = ~options.seed;
    sim_faults_configure(&options);
    options.carrier.shares.stop_within = (uint16_t)options.stop_within;
    options.carrier.subscribers = strcmp(options.subscribers, "none") != 0;
    if (options.carrier.subscribers && strcmp(options.subscribers, "hash") != 0)
        options.carrier.shares = (struct subscriber_shares){0};
    raise_file_limit();
    return serve(&options);
}

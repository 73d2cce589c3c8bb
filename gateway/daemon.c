/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/daemon.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "consent/note.h"
#include "gateway/certificates.h"
#include "gateway/daemon_state.h"
#include "gateway/exposition.h"
#include "gateway/http.h"
#include "gateway/submit_server.h"
#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"

#ifndef __has_feature /* clang's; gcc says it with a macro of its own */
#define __has_feature(x) 0
#endif

/* From the signal on, each within the ten seconds that a stop may take. */
#define ENGINE_DRAIN_MS 8000 /* unbinding, answers that are on their way */
#define DRAIN_MS        8500 /* the last answers to submitters are durable and written */
#define SNAPSHOT_BY_MS  9500 /* after it the next start replays the ledger instead */
#define WAKE_MAX_US     (60 * US_PER_S)

/* Process ------------------------------------------------------------------------------------- */

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* No core file and no debugger of another process of this user: there are passwords and numbers in
 * this memory. The leak checker of a sanitizer build is such a debugger. */
static void forbid_dumps(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Signals arrive as data in the loop; threads made later inherit that they are blocked. */
static int block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGHUP);
    CHECK(sigprocmask(SIG_BLOCK, &signals, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

/* The loop ------------------------------------------------------------------------------------ */

/* Nothing that the engine believes may be acted on any more: what it appended is lost, and a later
 * write could stand behind a hole. */
static void end_if_ledger_failed(const struct daemon *daemon)
{
    if (!ledger_failed(daemon->ledger))
        return;
    log_event(LOG_ERROR, "ledger_failed",
              "durable=%" PRIu64
              " do=\"check the disk of %s, then start again: what was accepted is "
              "there\"",
              ledger_durable(daemon->ledger), daemon->config->data_dir);
    _exit(1);
}

static void wake_at(struct daemon *daemon, uint64_t wake_us)
{
    uint64_t now_us = clock_mono_us();
    uint64_t delay_us = wake_us > now_us ? wake_us - now_us : 0;
    if (delay_us > WAKE_MAX_US)
        delay_us = WAKE_MAX_US;
    struct timeval delay = {.tv_sec = (time_t)(delay_us / US_PER_S),
                            .tv_usec = (suseconds_t)(delay_us % US_PER_S)};
    event_add(&daemon->on_wake, &delay);
}

/* One turn, in the order that the promises need: what is durable, then decisions, ledger, Redis and
 * carriers (all in engine_turn), then the submitters. */
static void daemon_turn(struct daemon *daemon)
{
    struct instant now = clock_now();
    end_if_ledger_failed(daemon);
    daemon_tell_refused(daemon, now);
    engine_on_durable(daemon->engine, ledger_durable(daemon->ledger));
    uint64_t wake_us = engine_turn(daemon->engine, now);
    engine_flushed(daemon->engine, clock_now());
    if (secret_keys_have_work(daemon->keys))
        ledger_work(daemon->ledger);
    submit_server_turn(daemon->server, now, ledger_durable(daemon->ledger),
                       ledger_next(daemon->ledger));
    if (engine_snapshot_due(daemon->engine) && daemon->drain_by_us == 0)
        daemon_snapshot_start(daemon, now);
    daemon_snapshot_publish(daemon);
    daemon_erasure_turn(daemon, now);
    daemon_witness_turn(daemon, now);
    daemon_seal_turn(daemon);
    uint64_t look_us = daemon_watch(daemon, now);
    wake_at(daemon, look_us < wake_us ? look_us : wake_us);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context; /* the turn comes behind every pass */
}

static void on_ledger(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct daemon *daemon = context;
    ledger_acknowledge(daemon->ledger);
    engine_on_durable(daemon->engine, ledger_durable(daemon->ledger));
}

static void on_watchdog(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
    daemon_notify("WATCHDOG=1");
}

static void on_hour(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct daemon *daemon = context;
    certificates_watch(daemon->certificates, clock_wall_ms());
    daemon_seal_hour(daemon);
}

static void begin_drain(struct daemon *daemon)
{
    struct instant now = clock_now();
    log_event(LOG_INFO, "draining", "by_ms=%d", DRAIN_MS);
    daemon_notify("STOPPING=1");
    daemon->drain_by_us = now.mono_us + DRAIN_MS * US_PER_MS;
    submit_server_drain(daemon->server);
    engine_drain(daemon->engine, now, now.mono_us + ENGINE_DRAIN_MS * US_PER_MS);
}

static void on_signal(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct daemon *daemon = context;
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            daemon_snapshot_reaped(daemon);
            daemon_erasure_reaped(daemon);
            daemon_witness_reaped(daemon);
            daemon_seal_reaped(daemon);
        } else if (info.ssi_signo == SIGHUP) {
            daemon_reload(daemon);
        } else if (daemon->drain_by_us == 0) {
            begin_drain(daemon);
        } else {
            log_event(LOG_WARN, "stopped", "drained=no why=\"second signal\"");
            _exit(1);
        }
    }
}

static bool drained(const struct daemon *daemon)
{
    return daemon->drain_by_us != 0 && engine_drained(daemon->engine) &&
           submit_server_drained(daemon->server) &&
           ledger_durable(daemon->ledger) + 1 == ledger_next(daemon->ledger);
}

static bool out_of_time(const struct daemon *daemon)
{
    return daemon->drain_by_us != 0 && clock_mono_us() >= daemon->drain_by_us;
}

/* True when everything that was on its way got where it was going. */
static bool run_loop(struct daemon *daemon)
{
    daemon_turn(daemon);
    while (!drained(daemon) && !out_of_time(daemon)) {
        if (daemon->drain_by_us != 0)
            wake_at(daemon, clock_mono_us() + 20 * US_PER_MS);
        event_base_loop(daemon->base, EVLOOP_ONCE);
        daemon_turn(daemon);
    }
    return drained(daemon);
}

/* The end ------------------------------------------------------------------------------------- */

/* Makes the next start quick. In a child, so that a large or slow one can be given up. */
static void final_snapshot(struct daemon *daemon)
{
    uint64_t by_us = daemon->drain_by_us + (SNAPSHOT_BY_MS - DRAIN_MS) * US_PER_MS;
    daemon_erasure_kill(daemon);
    daemon_snapshot_kill(daemon);
    daemon_seal_kill(daemon);
    ledger_flush(daemon->ledger);
    daemon_snapshot_start(daemon, clock_now());
    while ((daemon->snapshot.pid != 0 || daemon->snapshot.written) && clock_mono_us() < by_us) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        end_if_ledger_failed(daemon);
        daemon_snapshot_reaped(daemon);
        daemon_snapshot_publish(daemon);
    }
    daemon_snapshot_kill(daemon);
    daemon_witness_kill(daemon);
}

/* Pages --------------------------------------------------------------------------------------- */

static struct exposed expose(const struct daemon *daemon)
{
    return (struct exposed){
        .config = daemon->config,
        .engine = daemon->engine,
        .ledger_next = ledger_next(daemon->ledger),
        .ledger_durable = ledger_durable(daemon->ledger),
        .ledger_checkpointed = ledger_checkpointed(daemon->ledger),
        .witnessed = daemon->witness.told,
        .witness_failures = daemon->witness.failures,
        .ledger_healthy = !ledger_failed(daemon->ledger) && !ledger_no_space(daemon->ledger),
        .started_wall_ms = daemon->started_wall_ms,
    };
}

static unsigned page_metrics(void *context, FILE *out)
{
    const struct daemon *daemon = context;
    struct exposed exposed = expose(context);
    exposition_metrics(&exposed, clock_now(), out);
    certificates_metrics(daemon->certificates, out);
    return 200;
}

/* Answered by the loop, so an answer says that the loop turns. */
static unsigned page_health(void *context, FILE *out)
{
    (void)context;
    fprintf(out, "ok\n");
    return 200;
}

static unsigned page_ready(void *context, FILE *out)
{
    struct exposed exposed = expose(context);
    return exposition_ready(&exposed, clock_now(), out) ? 200 : 503;
}

#define PLAIN "text/plain; charset=utf-8"
static const struct http_page pages[] = {
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", page_metrics},
    {"/healthz", PLAIN, page_health},
    {"/readyz", PLAIN, page_ready},
    {NULL, NULL, NULL},
};

/* The beginning ------------------------------------------------------------------------------- */

static struct event_base *new_base(void)
{
    struct event_config *options = event_config_new();
    CHECK(options != NULL);
    /* The coarse clock would round the throttle's waits to 4 ms. */
    event_config_set_flag(options, EVENT_BASE_FLAG_PRECISE_TIMER);
    event_config_set_flag(options, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(options);
    CHECK(base != NULL);
    event_config_free(options);
    return base;
}

static bool listen_for_submitters(struct daemon *daemon)
{
    const char *why = "";
    /* Anybody on this machine may connect: who may submit is decided by user id or key. */
    mode_t mask = umask(0111);
    daemon->server = submit_server_new(daemon->base, daemon->config, daemon->certificates,
                                       daemon->engine, daemon->config->data_dir, &why);
    umask(mask);
    if (daemon->server == NULL)
        log_event(LOG_ERROR, "cannot_listen", "why=\"%s\"", why);
    return daemon->server != NULL;
}

static bool listen_for_http(struct daemon *daemon)
{
    const char *why = "", *address = daemon->config->http_address;
    if (address[0] == '\0')
        return true;
    daemon->http = http_new(daemon->base, address, pages, daemon, &why);
    if (daemon->http == NULL)
        log_event(LOG_ERROR, "cannot_listen", "address=%s why=%s", address, why);
    return daemon->http != NULL;
}

static void add_events(struct daemon *daemon, int signals)
{
    struct event_base *base = daemon->base;
    const short reading = EV_READ | EV_PERSIST;
    CHECK(event_assign(&daemon->on_signal, base, signals, reading, on_signal, daemon) == 0);
    CHECK(event_assign(&daemon->on_ledger, base, ledger_wake_fd(daemon->ledger), reading, on_ledger,
                       daemon) == 0);
    CHECK(evtimer_assign(&daemon->on_wake, base, on_wake, daemon) == 0);
    CHECK(event_assign(&daemon->on_watchdog, base, -1, EV_PERSIST, on_watchdog, daemon) == 0);
    event_add(&daemon->on_signal, NULL);
    CHECK(event_assign(&daemon->on_hour, base, -1, EV_PERSIST, on_hour, daemon) == 0);
    struct timeval hour = {.tv_sec = 3600};
    event_add(&daemon->on_hour, &hour);
    event_add(&daemon->on_ledger, NULL);
    daemon->watchdog_us = daemon_watchdog_us();
    if (daemon->watchdog_us == 0)
        return;
    struct timeval period = {.tv_sec = (time_t)(daemon->watchdog_us / US_PER_S),
                             .tv_usec = (suseconds_t)(daemon->watchdog_us % US_PER_S)};
    event_add(&daemon->on_watchdog, &period);
}

static void connect_store(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct store_config store = {
        .url = config->redis_url,
        .password = config->redis_password[0] ? config->redis_password : NULL,
        .node = config->node,
        .buckets = config->redis_buckets,
        .person_key = daemon->person_key,
    };
    daemon->store = store_new(daemon->base, &store, &daemon_store_handlers, daemon);
}

/* False, with the reason logged, before anything was written to a peer. */
static bool start(struct daemon *daemon, int signals)
{
    struct hash_key key;
    uint64_t seed;
    if (!daemon_open_ledger(daemon) || !daemon_node_key(daemon->config->data_dir, &key) ||
        !daemon_person_key(daemon))
        return false;
    daemon->certificates = certificates_new(daemon->config);
    if (daemon->certificates == NULL)
        return false;
    certificates_watch(daemon->certificates, clock_wall_ms());
    if (!daemon_sign_ledger(daemon))
        return false;
    rng_secret(&seed, sizeof seed);
    daemon->base = new_base();
    daemon_ports_init(daemon);
    daemon->engine = engine_new(daemon->config, &daemon->ports, &key, seed);
    if (!daemon_open_keys(daemon) || !daemon_recover(daemon) || !listen_for_submitters(daemon) ||
        !listen_for_http(daemon))
        return false;
    connect_store(daemon);
    add_events(daemon, signals);
    engine_start(daemon->engine, clock_now());
    return daemon_prepare_keys(daemon);
}

/* The store and the links may still speak to the engine while they go. */
static void release(struct daemon *daemon)
{
    http_free(daemon->http);
    if (daemon->server != NULL)
        submit_server_free(daemon->server);
    if (daemon->store != NULL)
        store_free(daemon->store);
    daemon_ports_release(daemon);
    if (daemon->engine != NULL)
        engine_free(daemon->engine);
    if (daemon->ledger != NULL)
        ledger_close(daemon->ledger);
    note_signer_free(daemon->signer);
    secret_keys_free(daemon->keys);
    certificates_free(daemon->certificates);
    if (daemon->base != NULL)
        event_base_free(daemon->base);
}

int daemon_run(struct config *config, const char *path, const struct daemon_trace *trace)
{
    struct daemon daemon = {
        .config = config, .path = path, .trace = trace, .started_wall_ms = clock_wall_ms()};
    umask(077);
    raise_file_limit();
    forbid_dumps();
    int signals = block_signals();
    bool good = start(&daemon, signals);
    if (good) {
        log_event(LOG_INFO, "started", "node=%s version=%s", config->node, ASSENT_VERSION);
        daemon_notify("READY=1");
        bool whole = run_loop(&daemon);
        final_snapshot(&daemon);
        log_event(LOG_INFO, "stopped", "drained=%s sequence=%" PRIu64, whole ? "yes" : "no",
                  ledger_next(daemon.ledger) - 1);
    }
    release(&daemon);
    close(signals);
    return good ? 0 : 1;
}

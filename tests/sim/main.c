/* SPDX-License-Identifier: Apache-2.0 */
/* Runs seeds in worker processes, so that a failed CHECK or a sanitizer's finding is one failing seed
 * and not the end, and prints what failed. */
#include "tests/sim/world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/check.h"
#include "proto/base/log.h"

#define JOBS_MAX 64

struct options {
    uint64_t from, seeds, seed;
    bool one, trace, twice;
    int kind; /* PLAN_..., or -1 */
    const char *plant;
    unsigned jobs;
};

static const char *const kind_names[PLAN_KINDS] = {"chaos",    "rate", "otp",
                                                   "failover", "pace", "pair"};

/* A planted bug, and the promises that it breaks: it must be found by one of them. */
static const struct {
    const char *name, *broken;
    bool pair; /* it takes two gateways */
} plants[PLANT_COUNT] = {
    [PLANT_NONE] = {"none", "", false},
    [PLANT_CHECK_DROPPED] = {"check_dropped", "P1", false},
    [PLANT_UNKNOWN_PASSES] = {"unknown_passes", "P1", false},
    [PLANT_DENY_NOT_CONSULTED] = {"deny_not_consulted", "P2 P3", false},
    [PLANT_NO_CANCEL_ON_STOP] = {"no_cancel_on_stop", "P2", false},
    [PLANT_STOP_ACK_EARLY] = {"stop_ack_early", "P3", false},
    [PLANT_PART_NOT_RECORDED] = {"part_not_recorded", "P3 P2", false},
    [PLANT_REPLAY_SKIPPED] = {"replay_skipped", "P3", false},
    [PLANT_CONFIRM_TWICE] = {"confirm_twice", "P4", false},
    [PLANT_ACK_BEFORE_FSYNC] = {"ack_before_fsync", "P5", false},
    [PLANT_RESEND_AFTER_CRASH] = {"resend_after_crash", "P6 P4", false}, /* a confirmation too */
    [PLANT_ATTEMPT_NOT_DURABLE] = {"attempt_not_durable", "P6", false},
    [PLANT_RATE_AT_DISPATCH] = {"rate_at_dispatch", "P7", false},
    [PLANT_TOKEN_NOT_RETURNED] = {"token_not_returned", "P7 P5",
                                  false}, /* in the end nothing moves */
    [PLANT_NO_PRIORITY] = {"no_priority", "P8", false},
    [PLANT_FAILOVER_IN_FLIGHT] = {"failover_in_flight", "P6 P5 P4", false},
    [PLANT_FAILOVER_PART] = {"failover_part", "P6", false},
    [PLANT_NO_FAILOVER] = {"no_failover", "P8", false},
    [PLANT_CARRIER_OPT_OUT_LOST] = {"carrier_opt_out_lost", "P3", false},
    [PLANT_RECEIPT_OPT_OUT_LOST] = {"receipt_opt_out_lost", "P3", false},
    [PLANT_VACANCY_LOST] = {"vacancy_lost", "P1", false},
    [PLANT_SENDER_PARTS] = {"sender_parts", "P7", false},
    [PLANT_SENDER_DAY_FORGOTTEN] = {"sender_day_forgotten", "P7", false},
    [PLANT_NODES_NOT_AWAITED] = {"nodes_not_awaited", "P1 P2 P3 P4", true},
    [PLANT_DOUBT_WAITS] = {"doubt_waits", "P3", false},
    [PLANT_NEWS_BELIEVED] = {"news_believed", "P4", true},
    [PLANT_QUIET_NOT_ASKED_AGAIN] = {"quiet_not_asked_again", "P1", false},
    [PLANT_QUIET_ONE_ZONE] = {"quiet_one_zone", "P1", false},
    [PLANT_LATE_YES] = {"late_yes", "P1", false},
    [PLANT_NOTICES_IGNORED] = {"notices_ignored", "P2", true},
    [PLANT_ASKED_TWICE] = {"asked_twice", "P4", false},
    [PLANT_REGISTRATION_NOT_ASKED_AGAIN] = {"registration_not_asked_again", "P1", false},
    [PLANT_CONTENT_NOT_ASKED_AGAIN] = {"content_not_asked_again", "P1", false},
    [PLANT_START_WINS] = {"start_wins", "P1 P2 P3", true},
    [PLANT_MARK_NOT_READ] = {"mark_not_read", "P3 P1", false},
    [PLANT_COMPLAINT_WAITS] = {"complaint_waits", "P2", false},
    [PLANT_KEY_DESTROYED_EARLY] = {"key_destroyed_early", "P5", false},
    [PLANT_TEXT_IN_CLEAR] = {"text_in_clear", "texts", false},
    [PLANT_POSITION_BELIEVED] = {"position_believed", "P1 P2 P3", false},
    [PLANT_CAP_NOT_RENEWED] = {"cap_not_renewed", "P1", false},
    [PLANT_CAP_OWN_TEXTS] = {"cap_own_texts", "P1", true},
    [PLANT_CONSENT_AGELESS] = {"consent_ageless", "P1", false},
    [PLANT_OWNER_ASSUMED] = {"owner_assumed", "P1", false},
    [PLANT_START_LIFTS_HOLD] = {"start_lifts_hold", "P3", false},
    [PLANT_RELEASE_LIFTS_ALL] = {"release_lifts_all", "P3", false},
    [PLANT_IMPORT_FORGOTTEN] = {"import_forgotten", "P5", false},
    [PLANT_IMPORT_TOLD_EARLY] = {"import_told_early", "P5", false},
    [PLANT_IMPORT_LIFTS] = {"import_lifts", "P3", false},
    [PLANT_REGISTER_AGELESS] = {"register_ageless", "P1", false},
    [PLANT_NO_UNMARKED] = {"no_unmarked", "P1", true},
    [PLANT_FORESIGHT_BLIND] = {"foresight_blind", "P1 P3", false},
    [PLANT_FORESIGHT_TAKES] = {"foresight_takes", "P1", false},
    [PLANT_ERASED_OPT_OUT_LOST] = {"erased_opt_out_lost", "P1 P3", false},
    [PLANT_ERASURE_NOT_RESUMED] = {"erasure_not_resumed", "P5 erased", false},
    [PLANT_ERASED_REMEMBERED] = {"erased_remembered", "erased", false},
    [PLANT_OLDER_NOT_SEARCHED] = {"older_not_searched", "P1 P3 erased", false},
    [PLANT_ERASURES_NOT_JOINED] = {"erasures_not_joined", "P5", true},
    [PLANT_CONSENT_RETIRED] = {"consent_retired", "P1 P2 P3", false},
    [PLANT_RETAINED_TOO_LITTLE] = {"retained_too_little", "P5 P6", false},
    [PLANT_PAUSE_NOT_KEPT] = {"pause_not_kept", "reputation", false},
    [PLANT_PAUSE_FORGOTTEN] = {"pause_forgotten", "reputation", false},
    [PLANT_OPT_OUTS_UNCOUNTED] = {"opt_outs_uncounted", "reputation", false},
    [PLANT_RELEASE_COUNTS_ON] = {"release_counts_on", "reputation", false},
};

/* ---- what the workers share ---- */

struct failure {
    uint64_t seed;
    char text[SIM_FAILURE_MAX];
};

#define FAILURES_MAX 256

struct shared {
    uint64_t next, done, failed;
    uint64_t running[JOBS_MAX]; /* seed + 1; 0 for none */
    uint64_t virtual_us, sends, stops, crashes, otp_worst_us;
    uint64_t kinds[PLAN_KINDS];
    struct failure failures[FAILURES_MAX];
};

static void add(uint64_t *to, uint64_t amount)
{
    __atomic_fetch_add(to, amount, __ATOMIC_SEQ_CST);
}

static void note_failure(struct shared *shared, uint64_t seed, const char *text)
{
    uint64_t i = __atomic_fetch_add(&shared->failed, 1, __ATOMIC_SEQ_CST);
    if (i >= FAILURES_MAX)
        return;
    snprintf(shared->failures[i].text, SIM_FAILURE_MAX, "%s", text);
    shared->failures[i].seed = seed;
}

static void note(struct shared *shared, uint64_t seed, const struct outcome *outcome)
{
    add(&shared->virtual_us, outcome->virtual_us);
    add(&shared->sends, outcome->sends);
    add(&shared->stops, outcome->stops);
    add(&shared->crashes, outcome->crashes);
    add(&shared->kinds[outcome->kind], 1);
    if (outcome->failed)
        note_failure(shared, seed, outcome->failure);
    add(&shared->done, 1);
}

static void run_seed(const struct options *o, uint64_t seed, enum plant plant,
                     struct outcome *ret_outcome)
{
    int kind = plants[plant].pair && o->kind < 0 ? PLAN_PAIR : o->kind;
    world_run(seed, kind, plant, o->trace, ret_outcome);
    if (!o->twice)
        return;
    struct outcome again;
    world_run(seed, kind, plant, false, &again);
    if (again.digest == ret_outcome->digest)
        return;
    ret_outcome->failed = true;
    snprintf(ret_outcome->failure, SIM_FAILURE_MAX, "the same seed gave two different runs");
}

static void work(const struct options *o, struct shared *shared, unsigned job, uint64_t end,
                 enum plant plant)
{
    for (;;) {
        uint64_t seed = __atomic_fetch_add(&shared->next, 1, __ATOMIC_SEQ_CST);
        if (seed >= end || (plant != PLANT_NONE && shared->failed > 0))
            return;
        shared->running[job] = seed + 1;
        struct outcome outcome;
        run_seed(o, seed, plant, &outcome);
        note(shared, seed, &outcome);
        shared->running[job] = 0;
    }
}

static pid_t start_worker(const struct options *o, struct shared *shared, unsigned job,
                          uint64_t end, enum plant plant)
{
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid != 0)
        return pid;
    work(o, shared, job, end, plant);
    _exit(0);
}

static void progress(const struct shared *shared, uint64_t count, bool last)
{
    static time_t printed;
    time_t now = time(NULL);
    if (!last && now == printed)
        return;
    printed = now;
    fprintf(stderr, "%s%" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " failed%s",
            isatty(2) ? "\r" : "", shared->done, count, shared->failed,
            isatty(2) && !last ? "   " : "\n");
}

/* A worker that died left the seed it was at. */
static void worker_died(struct shared *shared, unsigned job, int status)
{
    char text[80];
    snprintf(text, sizeof text, "the process ended with %s %d (its stderr says why)",
             WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    note_failure(shared, shared->running[job] - 1, text);
    add(&shared->done, 1);
    shared->running[job] = 0;
}

static void run_all(const struct options *o, struct shared *shared, enum plant plant, bool quiet)
{
    uint64_t end = o->from + o->seeds;
    pid_t pids[JOBS_MAX];
    unsigned alive = o->jobs;
    shared->next = o->from;
    for (unsigned i = 0; i < o->jobs; i++)
        pids[i] = start_worker(o, shared, i, end, plant);
    while (alive > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0) {
            if (!quiet)
                progress(shared, o->seeds, false);
            usleep(20000);
            continue;
        }
        unsigned job = 0;
        while (job + 1 < o->jobs && pids[job] != pid)
            job++;
        if (status == 0) {
            alive--;
            continue;
        }
        worker_died(shared, job, status);
        pids[job] = start_worker(o, shared, job, end, plant);
    }
    if (!quiet)
        progress(shared, o->seeds, true);
}

static struct shared *share(void)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    return shared;
}

/* ---- the three ways to run ---- */

static int by_seed(const void *x, const void *y)
{
    uint64_t a = ((const struct failure *)x)->seed, b = ((const struct failure *)y)->seed;
    return a < b ? -1 : a > b;
}

static int run_seeds(const struct options *o)
{
    struct shared *s = share();
    run_all(o, s, PLANT_NONE, false);
    size_t count = s->failed < FAILURES_MAX ? s->failed : FAILURES_MAX;
    qsort(s->failures, count, sizeof s->failures[0], by_seed);
    for (size_t i = 0; i < count; i++)
        printf("seed %" PRIu64 ": %s\n", s->failures[i].seed, s->failures[i].text);
    printf("%.1f virtual hours (%" PRIu64 " chaos, %" PRIu64 " rate, %" PRIu64 " otp, %" PRIu64
           " failover, %" PRIu64 " pace, %" PRIu64 " pair), %" PRIu64 " submit_sm, %" PRIu64
           " STOPs answered, %" PRIu64 " crashes\n",
           (double)s->virtual_us / 3.6e9, s->kinds[0], s->kinds[1], s->kinds[2], s->kinds[3],
           s->kinds[4], s->kinds[5], s->sends, s->stops, s->crashes);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", s->done - s->failed, s->failed);
    return s->failed == 0 && s->done == o->seeds ? 0 : 1;
}

static int run_one(const struct options *o, enum plant plant)
{
    struct outcome outcome;
    run_seed(o, o->seed, plant, &outcome);
    printf("seed %" PRIu64 " (%s): %s\n", o->seed, kind_names[outcome.kind],
           outcome.failed ? outcome.failure : "passed");
    printf("%.1f virtual seconds, %" PRIu64 " events, %" PRIu64 " submit_sm, %" PRIu64
           " STOPs answered, %" PRIu64 " crashes, digest %016" PRIx64 "\n",
           (double)outcome.virtual_us / 1e6, outcome.events, outcome.sends, outcome.stops,
           outcome.crashes, outcome.digest);
    if (outcome.kind == PLAN_OTP)
        printf("worst code: %.3f ms\n", (double)outcome.otp_worst_us / 1e3);
    if (outcome.kind == PLAN_PACE)
        printf("limit %u a second: %.1f %% of it used, %.3f %% refused\n", outcome.limit,
               outcome.pace_used * 100, outcome.pace_refused * 100);
    return outcome.failed;
}

/* The oracle bites: each planted bug must be found, and found by a promise, not by a crash. */
static int run_plant(const struct options *o, enum plant plant)
{
    struct shared *s = share();
    run_all(o, s, plant, true);
    if (s->failed == 0)
        printf("%-20s NOT CAUGHT in %" PRIu64 " seeds\n", plants[plant].name, s->done);
    else
        printf("%-20s caught after %" PRIu64 " seeds: seed %" PRIu64 ": %s\n", plants[plant].name,
               s->done, s->failures[0].seed, s->failures[0].text);
    fflush(stdout);
    char promise[3] = {s->failures[0].text[0], s->failures[0].text[1], 0};
    bool caught = s->failed > 0 && strstr(plants[plant].broken, promise) != NULL;
    if (s->failed > 0 && !caught)
        printf("    but not by %s\n", plants[plant].broken);
    munmap(s, sizeof *s);
    return caught ? 0 : 1;
}

static int run_plants(const struct options *o)
{
    int missed = 0;
    for (int i = PLANT_NONE + 1; i < PLANT_COUNT; i++)
        missed += run_plant(o, (enum plant)i);
    printf("%d planted bugs, %d not caught\n", PLANT_COUNT - 1, missed);
    return missed == 0 ? 0 : 1;
}

/* ---- options ---- */

static int find_kind(const char *name)
{
    for (int i = 0; i < PLAN_KINDS; i++)
        if (strcmp(kind_names[i], name) == 0)
            return i;
    return -1;
}

static int find_plant(const char *name)
{
    for (int i = 0; i < PLANT_COUNT; i++)
        if (strcmp(plants[i].name, name) == 0)
            return i;
    return -1;
}

static int usage(FILE *out)
{
    fprintf(
        out,
        "sim: runs the engine in a simulated world and checks the promises\n"
        "  --seeds N        so many seeds (100)\n"
        "  --from N         beginning with this one (0)\n"
        "  --seed N         this one only\n"
        "  --trace          with --seed: print everything that happens\n"
        "  --scenario NAME  chaos, rate, otp, failover, pace or pair, instead of what each seed "
        "says\n"
        "  --plant NAME     with a bug in the engine, until it is caught; \"all\": each in turn\n"
        "  --twice          every seed twice: both runs must be the same\n"
        "  --jobs N         worker processes (2)\n");
    return out == stdout ? 0 : 2;
}

static const struct option option_table[] = {
    {"seeds", required_argument, NULL, 's'},    {"from", required_argument, NULL, 'f'},
    {"seed", required_argument, NULL, 'o'},     {"trace", no_argument, NULL, 't'},
    {"scenario", required_argument, NULL, 'k'}, {"plant", required_argument, NULL, 'p'},
    {"twice", no_argument, NULL, '2'},          {"jobs", required_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

static bool take_option(struct options *o, int option)
{
    switch (option) {
    case 's':
        o->seeds = strtoull(optarg, NULL, 10);
        return true;
    case 'f':
        o->from = strtoull(optarg, NULL, 10);
        return true;
    case 'o':
        o->seed = strtoull(optarg, NULL, 10);
        o->one = true;
        return true;
    case 't':
        o->trace = true;
        return true;
    case 'k':
        o->kind = find_kind(optarg);
        return o->kind >= 0;
    case 'p':
        o->plant = optarg;
        return true;
    case '2':
        o->twice = true;
        return true;
    case 'j':
        o->jobs = (unsigned)strtoul(optarg, NULL, 10);
        return o->jobs > 0 && o->jobs <= JOBS_MAX;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct options o = {.seeds = 100, .kind = -1, .jobs = 2};
    int option;
    while ((option = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout);
        if (!take_option(&o, option))
            return usage(stderr);
    }
    if (optind != argc)
        return usage(stderr);
    if (!o.trace)
        log_set_level((enum log_level)(LOG_ERROR + 1));
    if (o.plant && strcmp(o.plant, "all") == 0)
        return run_plants(&o);
    int plant = o.plant ? find_plant(o.plant) : PLANT_NONE;
    if (plant < 0)
        return usage(stderr);
    if (o.one)
        return run_one(&o, (enum plant)plant);
    return plant == PLANT_NONE ? run_seeds(&o) : run_plant(&o, (enum plant)plant);
}

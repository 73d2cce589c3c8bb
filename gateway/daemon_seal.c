/* SPDX-License-Identifier: Apache-2.0 */
/* Full segments of the ledger are sealed by a process of their own: this program again, on what the
 * processors have left over, on the files alone. It is not a copy of the daemon, whose memory would then be
 * copied page by page as the loop writes it. It may end at any instruction: consent/ledger_seal.h says why.
 * One at a time; it goes on until nothing is left to seal.
 *
 * Retention by age is done by the same process. It does what the ledger's records say is to be cut, and where there
 * is a rule it then says on its standard output, a line a segment, what more may go; that is recorded here, and when
 * it is durable the next such process does it. So whatever a crash has left half done, the next start finishes. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consent/cut_record.h"
#include "consent/ledger_files.h"
#include "consent/ledger_retention.h"
#include "consent/ledger_seal.h"
#include "consent/ledger_segment.h"
#include "gateway/config_text.h"
#include "gateway/daemon_state.h"
#include "proto/base/log.h"

#define SPARED 2 /* the newest, and the one that its writer has only just left */

static enum err seal_one(int folder, uint64_t first, const char **ret_why)
{
    int lock = segments_lock(folder);
    if (lock < 0) {
        *ret_why = strerror(errno);
        return ERR_IO;
    }
    enum err err = segment_store(folder, first, NULL, ret_why);
    segments_unlock(lock);
    return err;
}

static bool seal_full(const char *data_dir)
{
    uint64_t first = 0, from = 1, sealed = 0;
    const char *why = "";
    bool good = true;
    int folder = folder_open(data_dir, "ledger", false);
    if (folder < 0) {
        log_event(LOG_ERROR, "seal_failed", "why=\"%s/ledger: %s\"", data_dir, strerror(errno));
        return false;
    }
    for (; good && (first = segment_to_seal(folder, from, SPARED)) != 0;
         from = first + LEDGER_SEGMENT_RECORDS) {
        enum err err = seal_one(folder, first, &why);
        good = err == ERR_OK || err == ERR_CORRUPT; /* the next one may be sound */
        sealed += err == ERR_OK;
        if (err != ERR_OK)
            log_event(LOG_WARN, "seal_failed", "first=%" PRIu64 " why=\"%s\"", first, why);
    }
    if (sealed > 0)
        log_event(LOG_INFO, "sealed", "segments=%" PRIu64, sealed);
    close(folder);
    return good;
}

static bool retain_fault(uint64_t first, const char *why)
{
    log_event(LOG_WARN, "retention_failed", "first=%" PRIu64 " why=\"%s\"", first, why);
    return false;
}

static bool cut_recorded(const char *data_dir)
{
    struct retention_done done = {0};
    const char *why = "";
    bool good = retention_cut_recorded(data_dir, &done, &why) == ERR_OK;
    if (done.segments > 0)
        log_event(LOG_INFO, "records_cut", "segments=%" PRIu64 " records=%" PRIu64, done.segments,
                  done.records);
    return good || retain_fault(0, why);
}

/* ---- what more may go ---- */

static bool is_recorded(const struct cut_record *cuts, size_t count,
                        const struct retention_plan *plan)
{
    for (size_t i = 0; i < count; i++)
        if (cuts[i].first == plan->first &&
            memcmp(cuts[i].digest.octets, plan->digest.octets, DIGEST_SIZE) == 0)
            return true;
    return false;
}

#define PLAN_WORD "cut"

static void print_plan(const struct retention_plan *plan)
{
    printf(PLAN_WORD " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", plan->first, plan->records,
           plan->newest_ms);
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        printf("%02x", plan->digest.octets[i]);
    printf("\n");
}

static bool tell_plans(const char *data_dir, uint64_t age_ms, uint64_t below)
{
    uint64_t now_ms = clock_wall_ms(), from = 1;
    struct retention_rule rule = {.directory = data_dir,
                                  .before_ms = now_ms > age_ms ? now_ms - age_ms : 0,
                                  .before_record = below};
    struct retention_plan plan;
    const char *why = "";
    size_t count = 0;
    unsigned told = 0;
    enum err err;
    struct cut_record *cuts = retention_recorded(data_dir, &count, &why);
    if (cuts == NULL)
        return retain_fault(0, why);
    while (told < LEDGER_CUTS_MAX &&
           ((err = retention_next(&rule, from, &plan, &why)) == ERR_OK || err == ERR_CORRUPT)) {
        if (err == ERR_CORRUPT) {
            retain_fault(plan.first, why);
        } else if (!is_recorded(cuts, count, &plan)) {
            print_plan(&plan);
            told++;
        }
        from = plan.first + LEDGER_SEGMENT_RECORDS;
    }
    free(cuts);
    return fflush(stdout) == 0;
}

/* Nobody waits for it. With SCHED_IDLE, beyond what nice(2) does, a processor that runs nothing else counts as free, and
 * the loop, the ledger's writer and Redis wake up there instead of behind one another: sched(7). */
static void take_what_is_left(void)
{
    struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &none) < 0 && nice(19) < 0)
        errno = 0; /* then it competes with the loop: slower, not wrong */
}

int daemon_seal_all(const char *data_dir, const char *age, const char *below)
{
    uint64_t age_ms, below_record;
    take_what_is_left();
    bool good = seal_full(data_dir);
    good = cut_recorded(data_dir) && good;
    if (age != NULL)
        good = config_integer(age, &age_ms) && config_integer(below, &below_record) &&
               tell_plans(data_dir, age_ms, below_record) && good;
    return good ? 0 : 1;
}

/* ---- the gateway's side ---- */

/* Signals are as in a new process, but for Ctrl-C, which goes to the whole group: the daemon decides. */
static int spawn(const struct daemon *daemon, uint64_t below, int told_fd, pid_t *ret_pid)
{
    char name[] = "assentd", option[] = "--seal", directory[sizeof((struct config *)0)->data_dir];
    char age[24], below_text[24];
    char *arguments[] = {name, option, directory, told_fd >= 0 ? age : NULL, below_text, NULL};
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    sigset_t none, all;
    strcpy(directory, daemon->config->data_dir);
    snprintf(age, sizeof age, "%" PRIu64, daemon->config->ledger_retain_ms);
    snprintf(below_text, sizeof below_text, "%" PRIu64, below);
    posix_spawn_file_actions_init(&files);
    if (told_fd >= 0)
        posix_spawn_file_actions_adddup2(&files, told_fd, STDOUT_FILENO);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(ret_pid, "/proc/self/exe", &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* What a start needs goes on from a snapshot: below that, and below what complaints are about. */
static uint64_t retain_below(const struct daemon *daemon)
{
    uint64_t below = daemon->recovered_from, needed = engine_retain_below(daemon->engine);
    if (daemon->snapshot_published > below)
        below = daemon->snapshot_published;
    return needed < below ? needed : below;
}

static bool is_due(const struct daemon *daemon, uint64_t newest)
{
    const struct seal_child *child = &daemon->seal;
    return child->pid == 0 && daemon->drain_by_us == 0 &&
           child->recorded <= ledger_durable(daemon->ledger) &&
           (newest != child->newest || child->again ||
            child->retain_ms != daemon->config->ledger_retain_ms);
}

void daemon_seal_turn(struct daemon *daemon)
{
    struct seal_child *child = &daemon->seal;
    uint64_t newest = segment_first_of(ledger_durable(daemon->ledger) + 1);
    if (!is_due(daemon, newest))
        return;
    child->newest = newest;
    child->again = false;
    child->retain_ms = daemon->config->ledger_retain_ms;
    if (newest <= (SPARED - 1) * LEDGER_SEGMENT_RECORDS + 1)
        return;
    child->told_fd = child->retain_ms > 0 ? memfd_create("cuts", MFD_CLOEXEC) : -1;
    int error = spawn(daemon, retain_below(daemon), child->told_fd, &child->pid);
    if (error == 0)
        return;
    child->pid = 0;
    if (child->told_fd >= 0)
        close(child->told_fd);
    log_event(LOG_WARN, "seal_failed", "why=\"%s\"", strerror(error));
}

void daemon_seal_hour(struct daemon *daemon)
{
    daemon->seal.again = daemon->config->ledger_retain_ms > 0;
}

static bool read_plan(const char *line, struct cut_record *ret_cut)
{
    struct cut_record cut = {0};
    int at = 0;
    if (sscanf(line, PLAN_WORD " %" SCNu64 " %" SCNu64 " %" SCNu64 " %n", &cut.first, &cut.records,
               &cut.newest_ms, &at) < 3 ||
        at == 0 || strlen(line + at) < 2 * (size_t)DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        if (sscanf(line + at + 2 * i, "%2hhx", &cut.digest.octets[i]) != 1)
            return false;
    cut.last = cut.first + LEDGER_SEGMENT_RECORDS - 1;
    *ret_cut = cut;
    return true;
}

static void record_plans(struct daemon *daemon)
{
    struct seal_child *child = &daemon->seal;
    struct cut_record cut;
    char line[256];
    FILE *in = fdopen(child->told_fd, "r");
    if (in == NULL) {
        close(child->told_fd);
        return;
    }
    rewind(in);
    while (fgets(line, sizeof line, in) != NULL) {
        if (!read_plan(line, &cut))
            continue;
        cut.age_ms = child->retain_ms;
        uint64_t sequence = engine_record_cut(daemon->engine, &cut, clock_now());
        if (sequence == 0)
            break; /* the disk is full: the next one says it again */
        child->recorded = sequence;
        child->again = true;
    }
    fclose(in);
}

/* What it could not do, it has told; the next full segment has another one try. */
void daemon_seal_reaped(struct daemon *daemon)
{
    struct seal_child *child = &daemon->seal;
    int status = 0;
    if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    child->pid = 0;
    if (child->told_fd >= 0)
        record_plans(daemon);
    if (WIFSIGNALED(status))
        log_event(LOG_WARN, "seal_failed", "why=\"ended by signal %d\"", WTERMSIG(status));
}

void daemon_seal_kill(struct daemon *daemon)
{
    if (daemon->seal.pid == 0)
        return;
    kill(daemon->seal.pid, SIGKILL);
    (void)waitpid(daemon->seal.pid, NULL, 0);
    if (daemon->seal.told_fd >= 0)
        close(daemon->seal.told_fd);
    daemon->seal.pid = 0;
}

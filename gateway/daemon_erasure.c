/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an erasure (gateway/erasure.c decides). Forked children look for the records and destroy them, at
 * the lowest priority and one at a time; what was found comes back through a file in memory. After the
 * destruction a snapshot of now takes the place of all before it, which may hold the person. A child ends with
 * its parent; what it had begun is done again after the next start. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consent/ledger_erase.h"
#include "gateway/daemon_state.h"
#include "proto/base/check.h"
#include "proto/base/log.h"

#define SNAPSHOT_RETRY_US US_PER_S

/* ---- the children ---- */

static bool write_found(void *context, uint64_t sequence)
{
    return fwrite(&sequence, sizeof sequence, 1, context) == 1;
}

static void show_progress(void *context, uint64_t records)
{
    (void)context;
    log_event(LOG_DEBUG, "erasure_reads", "records=%" PRIu64, records);
}

static int complain(const char *why)
{
    log_event(LOG_WARN, "erasure_failed", "why=\"%s\" do=\"it is tried again\"", why);
    return 1;
}

static int find(const struct daemon *daemon, const struct erase_reach *reach, int fd)
{
    const char *why = "the file in memory cannot be written";
    FILE *out = fdopen(fd, "w");
    struct erase_search search = {.directory = daemon->config->data_dir,
                                  .reach = *reach,
                                  .found = write_found,
                                  .progress = show_progress,
                                  .context = out};
    if (out == NULL || ledger_erase_find(&search, &why) != ERR_OK || fclose(out) != 0)
        return complain(why);
    return 0;
}

static int destroy(const struct daemon *daemon, const uint64_t *records, size_t count)
{
    const char *why = "";
    uint64_t destroyed;
    if (ledger_erase(daemon->config->data_dir, records, count, &destroyed, &why) != ERR_OK)
        return complain(why);
    return 0;
}

#define KEPT_FD 3

/* The next gateway must find its ports free, even if this child takes a moment to follow its parent. */
static void close_all_but(int fd)
{
    if (fd >= 0 && fd != KEPT_FD)
        (void)dup2(fd, KEPT_FD);
    (void)close_range(fd >= 0 ? KEPT_FD + 1 : KEPT_FD, ~0u, 0);
}

/* 0: this is the child, which has `fd` as KEPT_FD where it is one, and no other. */
static pid_t begin(struct daemon *daemon, int fd)
{
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        log_event(LOG_WARN, "erasure_failed", "why=\"fork: errno %d\"", errno);
    if (pid == 0) {
        daemon_become_child(parent);
        close_all_but(fd);
    }
    if (pid > 0)
        daemon->erasure.pid = pid;
    return pid;
}

bool daemon_erasure_find(struct daemon *daemon, const struct erase_reach *reach)
{
    struct erasure_child *child = &daemon->erasure;
    if (child->pid != 0 || child->wants_snapshot || daemon->drain_by_us != 0)
        return false;
    int fd = memfd_create("found", MFD_CLOEXEC);
    pid_t pid = fd < 0 ? -1 : begin(daemon, fd);
    if (pid == 0)
        _exit(find(daemon, reach, KEPT_FD));
    if (pid < 0 && fd >= 0)
        close(fd);
    child->found_fd = pid > 0 ? fd : -1;
    child->destroys = false;
    return pid > 0;
}

bool daemon_erasure_destroy(struct daemon *daemon, const uint64_t *records, size_t count)
{
    struct erasure_child *child = &daemon->erasure;
    if (child->pid != 0 || child->wants_snapshot || daemon->drain_by_us != 0)
        return false;
    pid_t pid = begin(daemon, -1);
    if (pid == 0)
        _exit(destroy(daemon, records, count));
    child->destroys = true;
    return pid > 0;
}

/* ---- what they come to ---- */

static void tell_found(struct daemon *daemon, bool ok)
{
    struct stat status;
    uint64_t *records = NULL;
    size_t count = 0;
    int fd = daemon->erasure.found_fd;
    ok = ok && fstat(fd, &status) == 0;
    if (ok) {
        count = (size_t)status.st_size / sizeof *records;
        records = check_malloc(count * sizeof *records + 1);
        ok = pread(fd, records, count * sizeof *records, 0) == (ssize_t)(count * sizeof *records);
    }
    close(fd);
    engine_on_erasure_found(daemon->engine, ok, records, ok ? count : 0, clock_now());
    free(records);
}

void daemon_erasure_reaped(struct daemon *daemon)
{
    struct erasure_child *child = &daemon->erasure;
    int status = 0;
    if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    child->pid = 0;
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!child->destroys)
        tell_found(daemon, ok);
    else if (!ok)
        engine_on_erasure_destroyed(daemon->engine, false, 0, clock_now());
    child->wants_snapshot = child->destroys && ok;
    child->snapshot = 0;
}

/* The snapshot that takes the place of the others: begun after the person has gone from memory. */
void daemon_erasure_turn(struct daemon *daemon, struct instant now)
{
    struct erasure_child *child = &daemon->erasure;
    if (!child->wants_snapshot || daemon->drain_by_us != 0)
        return;
    if (child->snapshot != 0 && daemon->snapshot_published >= child->snapshot) {
        uint32_t dropped = 0;
        bool ok = snapshot_drop_before(daemon->config->data_dir, daemon->snapshot_published,
                                       &dropped) == ERR_OK;
        child->wants_snapshot = false;
        log_event(ok ? LOG_INFO : LOG_WARN, "person_erased",
                  "snapshots_dropped=%" PRIu32 " done=%s", dropped, ok ? "yes" : "no");
        engine_on_erasure_destroyed(daemon->engine, ok, dropped, now);
        return;
    }
    bool is_free = daemon->snapshot.pid == 0 && !daemon->snapshot.written;
    if (!is_free || now.mono_us < child->snapshot_after_us)
        return;
    child->snapshot_after_us = now.mono_us + SNAPSHOT_RETRY_US;
    child->snapshot = ledger_next(daemon->ledger);
    daemon_snapshot_start(daemon, now);
}

void daemon_erasure_kill(struct daemon *daemon)
{
    if (daemon->erasure.pid == 0)
        return;
    kill(daemon->erasure.pid, SIGKILL);
    (void)waitpid(daemon->erasure.pid, NULL, 0);
    if (!daemon->erasure.destroys)
        close(daemon->erasure.found_fd);
    daemon->erasure = (struct erasure_child){0};
}

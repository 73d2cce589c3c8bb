/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot is written by a forked child, which sees the engine as it stood at the fork while the
 * loop goes on. It holds the fold of all records below `sequence`, some of which may not be durable
 * yet: the parent gives the file its name only when they are. One child at a time. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/daemon_state.h"
#include "proto/base/log.h"

static bool add_record(void *context, struct span public_part, struct span personal_part)
{
    return snapshot_add(context, public_part, personal_part) == ERR_OK;
}

/* The child must not act on the parent's signals, nor outlive it. */
void daemon_become_child(pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the whole group; the parent decides */
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (nice(19) < 0)
        errno = 0; /* then it competes with the loop: slower, not wrong */
}

static int write_snapshot(const struct daemon *daemon, uint64_t sequence, struct instant now)
{
    struct snapshot_writer *writer;
    if (snapshot_begin(daemon->config->data_dir, sequence, &writer) != ERR_OK)
        return 1;
    if (!engine_snapshot(daemon->engine, now, add_record, writer))
        return 1;
    return snapshot_end(writer) == ERR_OK ? 0 : 1;
}

void daemon_snapshot_start(struct daemon *daemon, struct instant now)
{
    if (daemon->snapshot.pid != 0 || daemon->snapshot.written)
        return;
    uint64_t sequence = ledger_next(daemon->ledger);
    engine_snapshot_begun(daemon->engine);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        log_event(LOG_WARN, "snapshot_failed", "why=\"fork: errno %d\"", errno);
        return;
    }
    if (pid == 0) {
        daemon_become_child(parent);
        (void)close_range(3, ~0u, 0); /* the next gateway must find its ports free */
        _exit(write_snapshot(daemon, sequence, now));
    }
    daemon->snapshot = (struct snapshot_child){.pid = pid, .sequence = sequence};
}

void daemon_snapshot_reaped(struct daemon *daemon)
{
    int status = 0;
    pid_t pid = daemon->snapshot.pid;
    if (pid == 0 || waitpid(pid, &status, WNOHANG) != pid)
        return;
    daemon->snapshot.pid = 0;
    daemon->snapshot.written = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!daemon->snapshot.written)
        log_event(LOG_WARN, "snapshot_failed", "sequence=%" PRIu64 " status=%d",
                  daemon->snapshot.sequence, status);
}

void daemon_snapshot_publish(struct daemon *daemon)
{
    struct snapshot_child *child = &daemon->snapshot;
    if (!child->written || ledger_durable(daemon->ledger) + 1 < child->sequence)
        return;
    child->written = false;
    enum err err = snapshot_publish(daemon->config->data_dir, child->sequence);
    if (err == ERR_OK)
        daemon->snapshot_published = child->sequence;
    if (err == ERR_OK)
        log_event(LOG_INFO, "snapshot", "sequence=%" PRIu64, child->sequence);
    else
        log_event(LOG_WARN, "snapshot_failed", "sequence=%" PRIu64 " why=%s", child->sequence,
                  err_name(err));
}

void daemon_snapshot_kill(struct daemon *daemon)
{
    if (daemon->snapshot.pid == 0)
        return;
    kill(daemon->snapshot.pid, SIGKILL);
    (void)waitpid(daemon->snapshot.pid, NULL, 0);
    daemon->snapshot = (struct snapshot_child){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Full segments of the ledger are sealed by a process of their own: this program again, with the least
 * claim to the processor, on the files alone. It is not a copy of the daemon, whose memory would then be
 * copied page by page as the loop writes it. It may end at any instruction: consent/ledger_seal.h says why.
 * One at a time; it goes on until nothing is left to seal. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consent/ledger_files.h"
#include "consent/ledger_seal.h"
#include "consent/ledger_segment.h"
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

int daemon_seal_all(const char *data_dir)
{
    uint64_t first = 0, from = 1, sealed = 0;
    const char *why = "";
    bool good = true;
    if (nice(19) < 0)
        errno = 0; /* then it competes with the loop: slower, not wrong */
    int folder = folder_open(data_dir, "ledger", false);
    if (folder < 0) {
        log_event(LOG_ERROR, "seal_failed", "why=\"%s/ledger: %s\"", data_dir, strerror(errno));
        return 1;
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
    return good ? 0 : 1;
}

/* Signals are as in a new process, but for Ctrl-C, which goes to the whole group: the daemon decides. */
static int spawn(const char *data_dir, pid_t *ret_pid)
{
    char name[] = "assentd", option[] = "--seal", directory[sizeof((struct config *)0)->data_dir];
    char *arguments[] = {name, option, directory, NULL};
    posix_spawnattr_t attributes;
    sigset_t none, all;
    strcpy(directory, data_dir);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(ret_pid, "/proc/self/exe", NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return error;
}

void daemon_seal_turn(struct daemon *daemon)
{
    struct seal_child *child = &daemon->seal;
    uint64_t newest = segment_first_of(ledger_durable(daemon->ledger) + 1);
    if (child->pid != 0 || newest == child->newest || daemon->drain_by_us != 0)
        return;
    child->newest = newest;
    if (newest <= (SPARED - 1) * LEDGER_SEGMENT_RECORDS + 1)
        return;
    int error = spawn(daemon->config->data_dir, &child->pid);
    if (error == 0)
        return;
    child->pid = 0;
    log_event(LOG_WARN, "seal_failed", "why=\"%s\"", strerror(error));
}

/* What it could not do, it has told; the next full segment has another one try. */
void daemon_seal_reaped(struct daemon *daemon)
{
    struct seal_child *child = &daemon->seal;
    int status = 0;
    if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    child->pid = 0;
    if (WIFSIGNALED(status))
        log_event(LOG_WARN, "seal_failed", "why=\"ended by signal %d\"", WTERMSIG(status));
}

void daemon_seal_kill(struct daemon *daemon)
{
    if (daemon->seal.pid == 0)
        return;
    kill(daemon->seal.pid, SIGKILL);
    (void)waitpid(daemon->seal.pid, NULL, 0);
    daemon->seal.pid = 0;
}

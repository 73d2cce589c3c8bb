/* SPDX-License-Identifier: Apache-2.0 */
/* The witness: each new checkpoint is handed to a file or a command of the operator's, somewhere that the
 * ledger's owner cannot change afterwards. A child does it, one at a time, so that a file system or a command
 * that hangs holds up nothing; what it missed meanwhile the next checkpoint covers too. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "consent/ledger.h"
#include "consent/ledger_checkpoint.h"
#include "consent/ledger_files.h"
#include "gateway/daemon_state.h"
#include "proto/base/log.h"

#define PAUSE_US   (900 * US_PER_MS) /* between two children; less than between two checkpoints */
#define PATIENT_US (30 * US_PER_S)
#define WARN_MS    60000 /* a witness that stays away is told once a minute */

/* `$1` is the file: appended to, and on its disk. */
#define APPEND "cat >>\"$1\" && sync \"$1\""

static void failed(struct daemon *daemon, const char *why)
{
    daemon->witness.failures++;
    uint64_t now_us = clock_mono_us();
    if (daemon->witness.warned_us != 0 && now_us - daemon->witness.warned_us < WARN_MS * US_PER_MS)
        return;
    daemon->witness.warned_us = now_us;
    log_event(LOG_WARN, "witness_failed",
              "why=\"%s\" do=\"see `witness` in the configuration; the next checkpoint covers what "
              "this one did\"",
              why);
}

/* The checkpoint is its standard input; signals are as in a new process. */
static int spawn(const struct config *config, const char *checkpoint, pid_t *ret_pid)
{
    char append[] = APPEND, shell[] = "sh", option[] = "-c", zero[] = "assent";
    char file[sizeof config->witness_file], command[sizeof config->witness_command];
    bool to_file = config->witness_file[0] != '\0';
    memcpy(file, config->witness_file, sizeof file);
    memcpy(command, config->witness_command, sizeof command);
    char *arguments[] = {shell, option, to_file ? append : command, zero, to_file ? file : NULL,
                         NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, checkpoint, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0); /* so that all of it can be ended */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(ret_pid, "/bin/sh", &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

void daemon_witness_turn(struct daemon *daemon, struct instant now)
{
    struct witness *witness = &daemon->witness;
    const struct config *config = daemon->config;
    char path[sizeof config->data_dir + 64], name[FILE_NAME_SIZE];
    uint64_t newest = ledger_checkpointed(daemon->ledger);
    if (config->witness_file[0] == '\0' && config->witness_command[0] == '\0')
        return;
    if (witness->pid != 0 && now.mono_us - witness->since_us > PATIENT_US) {
        kill(-witness->pid, SIGKILL); /* daemon_witness_reaped() tells */
        return;
    }
    if (witness->pid != 0 || newest <= witness->told || now.mono_us - witness->since_us < PAUSE_US)
        return;
    witness->since_us = now.mono_us;
    snprintf(path, sizeof path, "%s/" CHECKPOINT_FOLDER "/%s", config->data_dir,
             file_name(name, newest, CHECKPOINT_SUFFIX));
    int error = spawn(config, path, &witness->pid);
    if (error == 0) {
        witness->telling = newest;
        return;
    }
    witness->pid = 0;
    if (ledger_checkpointed(daemon->ledger) == newest) /* else it has been replaced meanwhile */
        failed(daemon, strerror(error));
}

void daemon_witness_reaped(struct daemon *daemon)
{
    struct witness *witness = &daemon->witness;
    char why[64];
    int status = 0;
    if (witness->pid == 0 || waitpid(witness->pid, &status, WNOHANG) != witness->pid)
        return;
    witness->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        witness->told = witness->telling;
        witness->warned_us = 0;
        return;
    }
    snprintf(why, sizeof why, WIFEXITED(status) ? "exit code %d" : "ended by signal %d",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    failed(daemon, why);
}

void daemon_witness_kill(struct daemon *daemon)
{
    if (daemon->witness.pid == 0)
        return;
    kill(-daemon->witness.pid, SIGKILL);
    (void)waitpid(daemon->witness.pid, NULL, 0);
    daemon->witness.pid = 0;
}

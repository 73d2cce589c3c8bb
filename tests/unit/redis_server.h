/* SPDX-License-Identifier: Apache-2.0 */
/* A private redis-server for a test: in a folder of its own, on a Unix socket, no persistence unless
 * asked for. Stopped by its process id and removed by redis_server_end(). Where redis-server is not
 * installed, redis_server_begin() says so and fails the test. */
#ifndef TESTS_UNIT_REDIS_SERVER_H
#define TESTS_UNIT_REDIS_SERVER_H

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
    char folder[64];
    char socket[96];
    char url[112]; /* unix://SOCKET */
    pid_t pid;     /* 0: not running */
};

#define REDIS_SERVER_OPTIONS_MAX 24

static inline _Noreturn void redis_server_fail(const char *what)
{
    fprintf(stderr, "redis_server: %s\n", what);
    exit(1);
}

static inline int redis_server_connect(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Child: becomes redis-server, dies with its parent. */
static inline _Noreturn void redis_server_exec(const struct redis_server *server,
                                               const char *const *options)
{
    const char *arguments[16 + REDIS_SERVER_OPTIONS_MAX] = {
        "redis-server", "--port",      "0", "--unixsocket", server->socket, "--dir",
        server->folder, "--save",      "",  "--appendonly", "no",           "--logfile",
        "log",          "--daemonize", "no"};
    size_t count = 15;
    for (size_t i = 0; options != NULL && options[i] != NULL && i < REDIS_SERVER_OPTIONS_MAX; i++)
        arguments[count++] = options[i];
    arguments[count] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(arguments[0], (char *const *)arguments);
    _exit(127);
}

/* Starts redis-server in the folder made before, and waits until it listens. `options` is NULL or a
 * list ended by NULL, as on its command line: "--requirepass", "secret", NULL. */
static inline void redis_server_start(struct redis_server *server, const char *const *options)
{
    unlink(server->socket);
    server->pid = fork();
    if (server->pid == 0)
        redis_server_exec(server, options);
    for (int i = 0; i < 1000; i++) {
        int fd = redis_server_connect(server);
        if (fd >= 0) {
            close(fd);
            return;
        }
        int status;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid)
            redis_server_fail("redis-server is not installed or does not start: "
                              "apt-get install redis-server");
        usleep(10000);
    }
    redis_server_fail("redis-server does not listen");
}

static inline void redis_server_begin(struct redis_server *server, const char *const *options)
{
    *server = (struct redis_server){.folder = "/tmp/assent-redis-XXXXXX"};
    if (mkdtemp(server->folder) == NULL)
        redis_server_fail("cannot make a folder below /tmp");
    snprintf(server->socket, sizeof server->socket, "%s/sock", server->folder);
    snprintf(server->url, sizeof server->url, "unix://%s", server->socket);
    redis_server_start(server, options);
}

/* kill -9, and gone when this returns. */
static inline void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline int redis_server_remove(const char *path, const struct stat *status, int type,
                                      struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void redis_server_end(struct redis_server *server)
{
    redis_server_kill(server);
    nftw(server->folder, redis_server_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Sends an inline command ("CONFIG SET maxmemory 1") on a connection of its own and gives the first
 * octets of the answer, NUL-terminated. Arguments hold no spaces. */
static inline const char *redis_server_say(const struct redis_server *server, const char *command)
{
    static char answer[512];
    int fd = redis_server_connect(server);
    if (fd < 0)
        redis_server_fail("cannot connect");
    dprintf(fd, "%s\r\n", command);
    ssize_t n = recv(fd, answer, sizeof answer - 1, 0);
    answer[n > 0 ? n : 0] = '\0';
    close(fd);
    return answer;
}

#endif

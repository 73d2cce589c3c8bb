/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a gateway by tests: keeps a journal of what reaches the disk and what leaves the process, and makes
 * calls fail. Both concern files below $POWER_DIRECTORY alone. The journal tells disk.py what a disk may hold
 * when the power goes at any point of it; nothing here ends a process.
 *
 *     POWER_JOURNAL   the file it is appended to, by all processes: one write(2) an entry, so they keep their order
 *     POWER_FAULT     a file, read at every call: lines "CALL PART ERRNO [COUNT]". A call of that name on a path that
 *                     has PART in it fails with ERRNO, COUNT times in this process (each time) until it is another file. `slow` as CALL:
 *                     each sync takes ERRNO milliseconds longer. CALL `short`: a write writes half.
 *
 * An entry: u32 octets that follow the head, u8 kind, 3 zero, u32 thread, u64 a, u64 b, u64 c (host order); octets.
 * What changes a file is entered when it is done, a sync and a send at their begin and at their end: so an entry
 * never says that more is safe, or later sent, than was.
 *
 * System calls are made directly, not through the next library: a sanitizer there need not be ready yet. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#define FILES      4096
#define JOURNAL_FD 700
#define SHOWN      __attribute__((visibility("default")))

enum kind {
    OPENED = 'O',     /* a inode, b flags; path */
    WRITTEN = 'W',    /* a inode, b offset; octets */
    ALLOCATED = 'A',  /* a inode, b offset, c length */
    TRUNCATED = 'T',  /* a inode, b length */
    SYNC_BEGUN = 'S', /* a inode, b mode */
    SYNC_ENDED = 'E', /* a inode */
    RENAMED = 'R',    /* old path | 0 | new path */
    UNLINKED = 'U',   /* path */
    MADE = 'M',       /* path of a folder */
    SEND_BEGUN = 'N', /* a connection; octets */
    SEND_ENDED = 'n', /* a connection, b octets */
    CONNECTED = 'C',  /* a connection; "unix PATH" or "tcp LOCAL PEER", ports */
};

enum watch { UNKNOWN, OURS, NOT_OURS, SOCKET };

static atomic_uchar watched[FILES];
static _Atomic uint64_t opened_inode[FILES];
static _Atomic uint64_t connection_of[FILES];
static _Atomic uint64_t connections;
static int journal = -1;
static const char *directory, *fault_file;
static size_t directory_length;

/* ---- the journal ---- */

struct head {
    uint32_t length;
    uint8_t kind, zero[3];
    uint32_t thread, more;
    uint64_t a, b, c;
};

static void enter(enum kind kind, uint64_t a, uint64_t b, uint64_t c, const void *octets,
                  size_t length)
{
    struct head head = {.length = (uint32_t)length,
                        .kind = (uint8_t)kind,
                        .thread = (uint32_t)syscall(SYS_gettid),
                        .a = a,
                        .b = b,
                        .c = c};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)(uintptr_t)octets, length}};
    int problem = errno;
    if (journal >= 0 &&
        syscall(SYS_writev, journal, parts, length > 0 ? 2 : 1) != (long)(sizeof head + length))
        abort();
    errno = problem;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("POWER_JOURNAL");
    directory = getenv("POWER_DIRECTORY");
    fault_file = getenv("POWER_FAULT");
    directory_length = directory != NULL ? strlen(directory) : 0;
    if (path == NULL || directory == NULL)
        return;
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    journal = fd < 0 ? -1 : fcntl((int)fd, F_DUPFD_CLOEXEC, JOURNAL_FD);
    if (fd >= 0)
        syscall(SYS_close, (int)fd);
    if (journal < 0)
        abort();
}

/* ---- what a descriptor is ---- */

static uint64_t inode_of(int fd, mode_t *ret_mode)
{
    struct stat status = {0};
    int problem = errno;
    if (syscall(SYS_fstat, fd, &status) != 0)
        status.st_ino = 0;
    errno = problem;
    if (ret_mode != NULL)
        *ret_mode = status.st_mode;
    return status.st_ino;
}

static const char *path_of(int fd, char out[PATH_MAX])
{
    char link[64];
    int problem = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    errno = problem;
    return out;
}

/* The whole path of `name` in `folder`. */
static const char *path_in(int folder, const char *name, char out[PATH_MAX])
{
    char parent[PATH_MAX] = "";
    if (name[0] != '/') {
        if (folder == AT_FDCWD)
            (void)!getcwd(parent, sizeof parent);
        else
            path_of(folder, parent);
    }
    int n = snprintf(out, PATH_MAX, "%s%s%s", parent, name[0] != '/' ? "/" : "", name);
    if (n < 0 || n >= PATH_MAX)
        out[0] = '\0';
    return out;
}

static bool is_below(const char *path)
{
    return directory != NULL && strncmp(path, directory, directory_length) == 0 &&
           (path[directory_length] == '/' || path[directory_length] == '\0');
}

/* closedir() and fclose() close without our close(): the number may be something else by now. */
static bool is_ours(int fd)
{
    if (fd < 0 || fd >= FILES || atomic_load(&watched[fd]) != OURS)
        return false;
    if (inode_of(fd, NULL) == atomic_load(&opened_inode[fd]))
        return true;
    atomic_store(&watched[fd], UNKNOWN);
    return false;
}

static void forget(int fd)
{
    if (fd >= 0 && fd < FILES)
        atomic_store(&watched[fd], UNKNOWN);
}

static uint64_t name_connection(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
    } local, peer;
    socklen_t local_size = sizeof local, peer_size = sizeof peer;
    char text[160] = "";
    int problem = errno, n = 0;
    memset(&local, 0, sizeof local);
    memset(&peer, 0, sizeof peer);
    getsockname(fd, &local.any, &local_size);
    getpeername(fd, &peer.any, &peer_size);
    uint64_t number = ((uint64_t)getpid() << 32) + atomic_fetch_add(&connections, 1) + 1;
    if (local.any.sa_family == AF_UNIX)
        n = snprintf(text, sizeof text, "unix %s%s", local.un.sun_path, peer.un.sun_path);
    else if (local.any.sa_family == AF_INET)
        n = snprintf(text, sizeof text, "tcp %d %d", ntohs(local.in.sin_port),
                     ntohs(peer.in.sin_port));
    errno = problem;
    enter(CONNECTED, number, 0, 0, text, (size_t)n);
    return number;
}

/* 0: no socket. */
static uint64_t connection(int fd)
{
    mode_t mode;
    if (journal < 0 || fd < 0 || fd >= FILES)
        return 0;
    if (atomic_load(&watched[fd]) == UNKNOWN) {
        bool is_socket = inode_of(fd, &mode) != 0 && S_ISSOCK(mode);
        atomic_store(&connection_of[fd], is_socket ? name_connection(fd) : 0);
        atomic_store(&watched[fd], is_socket ? SOCKET : NOT_OURS);
    }
    return atomic_load(&watched[fd]) == SOCKET ? atomic_load(&connection_of[fd]) : 0;
}

/* ---- faults ---- */

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static atomic_int done; /* calls that failed since the file was another one */

static void notice_change(uint64_t file)
{
    static _Atomic uint64_t last;
    if (atomic_exchange(&last, file) != file)
        atomic_store(&done, 0);
}

static bool matches(const char *line, const char *call, const char *path, int *ret_value)
{
    char name[32], part[128];
    int value, count = INT_MAX;
    if (sscanf(line, "%31s %127s %d %d", name, part, &value, &count) < 3 ||
        strcmp(name, call) != 0 || strstr(path, part) == NULL)
        return false;
    if (count != INT_MAX && atomic_fetch_add(&done, 1) >= count)
        return false;
    *ret_value = value;
    return true;
}

/* Whether a line of the file says that `call` fails on `path`, and its number. */
static bool is_told(const char *call, const char *path, int *ret_value)
{
    char text[1024], *rest = NULL;
    int problem = errno;
    bool found = false;
    if (fault_file == NULL)
        return false;
    long fd = syscall(SYS_openat, AT_FDCWD, fault_file, O_RDONLY | O_CLOEXEC, 0);
    long n = fd < 0 ? 0 : syscall(SYS_pread64, (int)fd, text, sizeof text - 1, 0);
    if (fd >= 0) {
        notice_change(inode_of((int)fd, NULL));
        syscall(SYS_close, (int)fd);
    }
    text[n > 0 ? n : 0] = '\0';
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && !found;
         line = strtok_r(NULL, "\n", &rest))
        found = matches(line, call, path, ret_value);
    errno = problem;
    return found;
}

static bool fails_at(const char *call, const char *path)
{
    int problem;
    if (!is_told(call, path, &problem))
        return false;
    errno = problem;
    return true;
}

static bool fails(const char *call, int fd)
{
    char path[PATH_MAX];
    return fault_file != NULL && fails_at(call, path_of(fd, path));
}

/* ---- files ---- */

static int open_any(int folder, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    bool below = is_below(path_in(folder, name, path));
    if (below && fails_at("open", path))
        return -1;
    int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && fd < FILES) {
        atomic_store(&opened_inode[fd], below ? inode_of(fd, NULL) : 0);
        atomic_store(&watched[fd], below ? OURS : UNKNOWN);
    }
    if (fd >= 0 && below && ((flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY)) != 0))
        enter(OPENED, inode_of(fd, NULL), (uint64_t)flags, 0, path_of(fd, path),
              strlen(path_of(fd, path)));
    return fd;
}

#define MODE_OF(flags)                                                                             \
    mode_t mode = 0;                                                                               \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                  \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode = va_arg(arguments, mode_t);                                                          \
        va_end(arguments);                                                                         \
    }

SHOWN int open(const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_any(AT_FDCWD, name, flags, mode);
}

SHOWN int openat(int folder, const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_any(folder, name, flags, mode);
}

SHOWN int open64(const char *name, int flags, ...) __attribute__((alias("open")));
SHOWN int openat64(int folder, const char *name, int flags, ...) __attribute__((alias("openat")));

/* What the headers make of calls without a mode. */
SHOWN int __open_2(const char *name, int flags);
SHOWN int __open_2(const char *name, int flags)
{
    return open_any(AT_FDCWD, name, flags, 0);
}

SHOWN int __openat_2(int folder, const char *name, int flags);
SHOWN int __openat_2(int folder, const char *name, int flags)
{
    return open_any(folder, name, flags, 0);
}

SHOWN int __open64_2(const char *name, int flags) __attribute__((alias("__open_2")));
SHOWN int __openat64_2(int folder, const char *name, int flags)
    __attribute__((alias("__openat_2")));

SHOWN int close(int fd)
{
    forget(fd);
    return (int)syscall(SYS_close, fd);
}

/* The journal stays. */
SHOWN int close_range(unsigned first, unsigned last, int flags)
{
    for (unsigned fd = first; fd < FILES && fd <= last; fd++)
        forget((int)fd);
    if (journal < 0 || (unsigned)journal < first || (unsigned)journal > last)
        return (int)syscall(SYS_close_range, first, last, flags);
    if ((unsigned)journal > first)
        syscall(SYS_close_range, first, journal - 1, flags);
    return (int)syscall(SYS_close_range, journal + 1, last, flags);
}

static ssize_t written(int fd, const void *data, ssize_t n, off_t offset)
{
    if (n > 0)
        enter(WRITTEN, inode_of(fd, NULL), (uint64_t)offset, 0, data, (size_t)n);
    return n;
}

SHOWN ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    char path[PATH_MAX];
    int unused;
    if (!is_ours(fd))
        return syscall(SYS_pwrite64, fd, data, length, offset);
    if (fails("pwrite", fd))
        return -1;
    if (fault_file != NULL && length > 1 && is_told("short", path_of(fd, path), &unused))
        length /= 2;
    return written(fd, data, syscall(SYS_pwrite64, fd, data, length, offset), offset);
}

SHOWN ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
    __attribute__((alias("pwrite")));

static ssize_t send_any(int fd, uint64_t number, long call, const void *data, size_t length,
                        long more)
{
    enter(SEND_BEGUN, number, 0, 0, data, length);
    ssize_t n = syscall(call, fd, data, length, more, NULL, 0);
    enter(SEND_ENDED, number, n > 0 ? (uint64_t)n : 0, 0, NULL, 0);
    return n;
}

SHOWN ssize_t write(int fd, const void *data, size_t length)
{
    if (is_ours(fd)) {
        if (fails("pwrite", fd))
            return -1;
        ssize_t n = syscall(SYS_write, fd, data, length);
        return written(fd, data, n, syscall(SYS_lseek, fd, 0, SEEK_CUR) - (n > 0 ? n : 0));
    }
    uint64_t number = connection(fd);
    return number != 0 ? send_any(fd, number, SYS_write, data, length, 0)
                       : syscall(SYS_write, fd, data, length);
}

static ssize_t send_parts(int fd, uint64_t number, const struct iovec *parts, size_t count,
                          long call, const void *argument, long more)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].iov_len;
    char *all = malloc(length + 1), *at = all;
    if (all == NULL)
        abort();
    for (size_t i = 0; i < count; at += parts[i++].iov_len)
        if (parts[i].iov_len > 0)
            memcpy(at, parts[i].iov_base, parts[i].iov_len);
    enter(SEND_BEGUN, number, 0, 0, all, length);
    ssize_t n = syscall(call, fd, argument, more);
    enter(SEND_ENDED, number, n > 0 ? (uint64_t)n : 0, 0, NULL, 0);
    int problem = errno;
    free(all);
    errno = problem;
    return n;
}

SHOWN ssize_t writev(int fd, const struct iovec *parts, int count)
{
    uint64_t number = is_ours(fd) ? 0 : connection(fd);
    if (is_ours(fd))
        abort(); /* nobody does; a journal that misses it would lie */
    return number != 0 ? send_parts(fd, number, parts, (size_t)count, SYS_writev, parts, count)
                       : syscall(SYS_writev, fd, parts, count);
}

SHOWN ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    uint64_t number = connection(fd);
    return number != 0 ? send_parts(fd, number, message->msg_iov, message->msg_iovlen, SYS_sendmsg,
                                    message, flags)
                       : syscall(SYS_sendmsg, fd, message, flags);
}

SHOWN ssize_t send(int fd, const void *data, size_t length, int flags)
{
    uint64_t number = connection(fd);
    return number != 0 ? send_any(fd, number, SYS_sendto, data, length, flags)
                       : syscall(SYS_sendto, fd, data, length, flags, NULL, 0);
}

SHOWN int fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (is_ours(fd) && fails("fallocate", fd))
        return -1;
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, length);
    if (is_ours(fd) && result == 0) {
        if (mode != 0)
            abort();
        enter(ALLOCATED, inode_of(fd, NULL), (uint64_t)offset, (uint64_t)length, NULL, 0);
    }
    return result;
}

SHOWN int fallocate64(int fd, int mode, off64_t offset, off64_t length)
    __attribute__((alias("fallocate")));

SHOWN int ftruncate(int fd, off_t length)
{
    if (is_ours(fd) && fails("ftruncate", fd))
        return -1;
    int result = (int)syscall(SYS_ftruncate, fd, length);
    if (is_ours(fd) && result == 0)
        enter(TRUNCATED, inode_of(fd, NULL), (uint64_t)length, 0, NULL, 0);
    return result;
}

SHOWN int ftruncate64(int fd, off64_t length) __attribute__((alias("ftruncate")));

/* stdio writes without these functions: what it wrote of a small file is entered when that is synced. */
static void enter_all(uint64_t inode, const char *path)
{
    char octets[4096];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    long n = fd < 0 ? 0 : syscall(SYS_pread64, fd, octets, sizeof octets, 0);
    if (n <= 0 || n == (long)sizeof octets)
        abort();
    syscall(SYS_close, fd);
    enter(WRITTEN, inode, 0, 0, octets, (size_t)n);
}

static int sync_any(int fd, long call)
{
    mode_t mode;
    char path[PATH_MAX];
    int ms;
    if (!is_ours(fd))
        return (int)syscall(call, fd);
    uint64_t inode = inode_of(fd, &mode);
    path_of(fd, path);
    if (is_told("slow", path, &ms))
        sleep_ms(ms);
    if (fails_at(S_ISDIR(mode) ? "fsync" : "fdatasync", path))
        return -1;
    if (strstr(path, "ledger.key") != NULL && S_ISREG(mode))
        enter_all(inode, path);
    enter(SYNC_BEGUN, inode, mode, 0, NULL, 0);
    int result = (int)syscall(call, fd);
    if (result == 0)
        enter(SYNC_ENDED, inode, 0, 0, NULL, 0);
    return result;
}

SHOWN int fsync(int fd)
{
    return sync_any(fd, SYS_fsync);
}

SHOWN int fdatasync(int fd)
{
    return sync_any(fd, SYS_fdatasync);
}

/* ---- names ---- */

SHOWN int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    char paths[2 * PATH_MAX], old[PATH_MAX], new[PATH_MAX];
    bool below = is_below(path_in(from_folder, from, old));
    path_in(to_folder, to, new);
    if (below && fails_at("rename", old))
        return -1;
    int result = (int)syscall(SYS_renameat, from_folder, from, to_folder, to);
    if (below && result == 0) {
        int n = snprintf(paths, sizeof paths, "%s%c%s", old, '\0', new);
        enter(RENAMED, 0, 0, 0, paths, (size_t)n);
    }
    return result;
}

SHOWN int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

SHOWN int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    bool below = is_below(path_in(folder, name, path));
    if (below && fails_at("unlink", path))
        return -1;
    int result = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (below && result == 0)
        enter(UNLINKED, 0, 0, 0, path, strlen(path));
    return result;
}

SHOWN int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

SHOWN int mkdirat(int folder, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    bool below = is_below(path_in(folder, name, path));
    int result = (int)syscall(SYS_mkdirat, folder, name, mode);
    if (below && result == 0)
        enter(MADE, 0, 0, 0, path, strlen(path));
    return result;
}

SHOWN int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/check.h"

#define NAME_DIGITS 20
#define WHY_SIZE    512

static int open_file(int folder, const char *name, int flags, mode_t mode)
{
    return openat(folder, name, flags | O_CLOEXEC, mode);
}

struct ledger_io ledger_io = {
    .open = open_file,
    .pwrite = pwrite,
    .fallocate = fallocate,
    .ftruncate = ftruncate,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .rename = renameat,
    .unlink = unlinkat,
};

char *file_name(char out[FILE_NAME_SIZE], uint64_t number, const char *suffix)
{
    snprintf(out, FILE_NAME_SIZE, "%0*" PRIu64 "%s", NAME_DIGITS, number, suffix);
    return out;
}

static char *new_name(char out[FILE_NAME_SIZE], uint64_t number, const char *suffix)
{
    size_t length = strlen(file_name(out, number, suffix));
    memcpy(out + length, NEW_SUFFIX, sizeof NEW_SUFFIX);
    return out;
}

int folder_open(const char *directory, const char *name, bool make)
{
    if (make && mkdir(directory, 0700) != 0 && errno != EEXIST)
        return -1;
    int parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -1;
    int folder = -1;
    bool made = make && mkdirat(parent, name, 0700) == 0;
    if (!make || made || errno == EEXIST)
        folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int problem = errno;
    if (made && sync_folder(parent) != ERR_OK) {
        problem = errno;
        close(folder);
        folder = -1;
    }
    close(parent);
    errno = problem;
    return folder;
}

static bool number_of(const char *name, const char *suffix, uint64_t *ret_number)
{
    for (int i = 0; i < NAME_DIGITS; i++)
        if (!isdigit((unsigned char)name[i]))
            return false;
    if (strcmp(name + NAME_DIGITS, suffix) != 0)
        return false;
    errno = 0;
    *ret_number = strtoull(name, NULL, 10);
    return errno == 0;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

bool folder_list(int folder, const char *suffix, uint64_t **ret_numbers, size_t *ret_count)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    if (listing == NULL) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    uint64_t *numbers = NULL, number;
    size_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(listing)) != NULL) {
        if (!number_of(entry->d_name, suffix, &number))
            continue;
        if ((count & (count - 1)) == 0)
            numbers = check_realloc(numbers, (count ? 2 * count : 1) * sizeof *numbers);
        numbers[count++] = number;
    }
    closedir(listing);
    if (count > 0)
        qsort(numbers, count, sizeof *numbers, compare);
    *ret_numbers = numbers;
    *ret_count = count;
    return true;
}

int file_begin(int folder, uint64_t number, const char *suffix)
{
    char name[FILE_NAME_SIZE];
    return ledger_io.open(folder, new_name(name, number, suffix), O_RDWR | O_CREAT | O_TRUNC, 0600);
}

enum err file_rename(int folder, uint64_t number, const char *suffix)
{
    char from[FILE_NAME_SIZE], to[FILE_NAME_SIZE];
    new_name(from, number, suffix);
    if (ledger_io.rename(folder, from, folder, file_name(to, number, suffix)) == 0)
        return ERR_OK;
    return errno == ENOENT ? ERR_NOT_FOUND : err_from_errno();
}

enum err file_publish(int folder, uint64_t number, const char *suffix)
{
    enum err err = file_rename(folder, number, suffix);
    return err == ERR_OK ? sync_folder(folder) : err;
}

void file_abandon(int folder, uint64_t number, const char *suffix)
{
    char name[FILE_NAME_SIZE];
    unlinkat(folder, new_name(name, number, suffix), 0);
}

enum err file_remove(int folder, uint64_t number, const char *suffix)
{
    char name[FILE_NAME_SIZE];
    if (ledger_io.unlink(folder, file_name(name, number, suffix), 0) == 0 || errno == ENOENT)
        return ERR_OK;
    return ERR_IO;
}

ssize_t read_at(int fd, void *out, size_t length, uint64_t offset)
{
    size_t done = 0;
    while (done < length) {
        ssize_t n = pread(fd, (uint8_t *)out + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

enum err write_at(int fd, struct span data, uint64_t offset)
{
    while (data.length > 0) {
        ssize_t n = ledger_io.pwrite(fd, data.data, data.length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno();
        data.data += n;
        data.length -= (size_t)n;
        offset += (size_t)n;
    }
    return ERR_OK;
}

enum err sync_data(int fd)
{
    return ledger_io.fdatasync(fd) == 0 ? ERR_OK : ERR_IO;
}

enum err sync_folder(int folder)
{
    return ledger_io.fsync(folder) == 0 ? ERR_OK : ERR_IO;
}

enum err err_from_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}

const char *ledger_why(const char *format, ...)
{
    static _Thread_local char why[WHY_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return why;
}

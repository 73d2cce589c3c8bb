/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/check.h"

static bool is_there(int folder, uint64_t first, const char *suffix)
{
    char name[FILE_NAME_SIZE];
    return faccessat(folder, file_name(name, first, suffix), F_OK, 0) == 0;
}

bool segment_exists(int folder, uint64_t first)
{
    return is_there(folder, first, SEGMENT_SUFFIX) || is_there(folder, first, SEALED_SUFFIX);
}

char *segment_name(int folder, uint64_t first, char out[FILE_NAME_SIZE])
{
    bool sealed =
        !is_there(folder, first, SEGMENT_SUFFIX) && is_there(folder, first, SEALED_SUFFIX);
    return file_name(out, first, sealed ? SEALED_SUFFIX : SEGMENT_SUFFIX);
}

/* A segment always has a file: its raw one goes away only once the sealed one has its name. */
enum err ledger_file_open(int folder, uint64_t first, struct ledger_file *ret_file)
{
    struct ledger_file file = {0};
    enum err err = ERR_OK;
    file.fd = openat(folder, file_name(file.name, first, SEGMENT_SUFFIX), O_RDONLY | O_CLOEXEC);
    if (file.fd < 0 && errno == ENOENT) {
        file.fd = openat(folder, file_name(file.name, first, SEALED_SUFFIX), O_RDONLY | O_CLOEXEC);
        if (file.fd < 0 && errno == ENOENT) {
            file_name(file.name, first, SEGMENT_SUFFIX);
            err = ERR_NOT_FOUND;
        } else if (file.fd >= 0) {
            err = sealed_open(file.fd, first, &file.sealed);
        }
    }
    if (err == ERR_OK && file.fd < 0)
        err = ERR_IO;
    if (err != ERR_OK && file.fd >= 0) {
        int problem = errno;
        close(file.fd);
        file.fd = -1;
        errno = problem;
    }
    *ret_file = file;
    return err;
}

void ledger_file_close(struct ledger_file *file)
{
    sealed_free(file->sealed);
    file->sealed = NULL;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

ssize_t ledger_file_read(struct ledger_file *file, void *out, size_t length, uint64_t offset)
{
    return file->sealed ? sealed_read(file->sealed, out, length, offset)
                        : read_at(file->fd, out, length, offset);
}

uint64_t ledger_file_octets(const struct ledger_file *file)
{
    struct stat status;
    if (file->sealed != NULL)
        return sealed_tail(file->sealed)->end.octets;
    return fstat(file->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* The CRC that an end closes with may itself close with zeros. */
static enum err end_before(int fd, uint64_t at, struct file_end *ret_end)
{
    uint8_t octets[FILE_END];
    for (unsigned zeros = 0; zeros <= sizeof(uint32_t); zeros++) {
        uint64_t end = at + zeros;
        if (end < FILE_HEAD + FILE_END ||
            read_at(fd, octets, sizeof octets, end - FILE_END) != FILE_END)
            continue;
        if (file_end_decode(span_of(octets, sizeof octets), ret_end) == ERR_OK &&
            ret_end->records == LEDGER_SEGMENT_RECORDS && ret_end->octets == end)
            return ERR_OK;
    }
    return ERR_CORRUPT;
}

/* The end stands at the end of the file, or before zeros where giving them back was lost with the power. */
static enum err end_of_raw(int fd, struct file_end *ret_end)
{
    uint8_t octets[4096 + FILE_END];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return ERR_IO;
    uint64_t end = (uint64_t)status.st_size;
    while (end >= FILE_HEAD + FILE_END) {
        size_t length = end - FILE_HEAD < sizeof octets ? end - FILE_HEAD : sizeof octets;
        ssize_t n = read_at(fd, octets, length, end - length);
        if (n != (ssize_t)length)
            return ERR_IO;
        size_t used = length;
        while (used > 0 && octets[used - 1] == 0)
            used--;
        if (used > 0 || length < sizeof octets)
            return end_before(fd, end - length + used, ret_end);
        end -= 4096;
    }
    return ERR_CORRUPT;
}

enum err ledger_file_end(struct ledger_file *file, struct file_end *ret_end)
{
    if (file->sealed == NULL)
        return end_of_raw(file->fd, ret_end);
    *ret_end = sealed_tail(file->sealed)->end;
    return ERR_OK;
}

bool segments_list(int folder, uint64_t **ret_numbers, size_t *ret_count)
{
    uint64_t *raw, *sealed;
    size_t raw_count, sealed_count, count = 0, r = 0, s = 0;
    if (!folder_list(folder, SEGMENT_SUFFIX, &raw, &raw_count))
        return false;
    /* Second: what is being sealed meanwhile is in one of both. */
    if (!folder_list(folder, SEALED_SUFFIX, &sealed, &sealed_count)) {
        free(raw);
        return false;
    }
    uint64_t *all = check_calloc(raw_count + sealed_count + 1, sizeof *all);
    while (r < raw_count || s < sealed_count) {
        if (s == sealed_count || (r < raw_count && raw[r] <= sealed[s])) {
            if (s < sealed_count && raw[r] == sealed[s])
                s++;
            all[count++] = raw[r++];
        } else {
            all[count++] = sealed[s++];
        }
    }
    free(raw);
    free(sealed);
    *ret_numbers = all;
    *ret_count = count;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180: CRLF, quotes doubled) and JSON lines. One buffer, written when it is full. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/export_out.h"
#include "proto/base/check.h"

#define BUFFER_SIZE (1u << 20)

static struct {
    int fd;
    const char *path;
    char *octets;
    size_t used;
} out;

static bool flush(void)
{
    for (size_t done = 0; done < out.used;) {
        ssize_t n = write(out.fd, out.octets + done, out.used - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            complain("%s: %s", out.path ? out.path : "standard output", strerror(errno));
            return false;
        }
        done += (size_t)n;
    }
    out.used = 0;
    return true;
}

static bool put(const char *text, size_t length)
{
    if (length > BUFFER_SIZE - out.used && !flush())
        return false;
    CHECK(length <= BUFFER_SIZE);
    memcpy(out.octets + out.used, text, length);
    out.used += length;
    return true;
}

static bool begin(const char *path)
{
    out.path = path;
    out.fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : STDOUT_FILENO;
    if (out.fd < 0) {
        complain("%s: %s", path,
                 errno == EEXIST ? "is there already; nothing is overwritten" : strerror(errno));
        return false;
    }
    out.octets = check_malloc(BUFFER_SIZE);
    out.used = 0;
    return true;
}

static bool end(void)
{
    bool good = flush() && (out.path == NULL || fsync(out.fd) == 0);
    if (out.path != NULL)
        close(out.fd);
    free(out.octets);
    return good;
}

/* CSV ----------------------------------------------------------------------------------------- */

static bool begin_csv(const char *path)
{
    bool good = begin(path);
    for (int i = 0; i < COLUMN_COUNT && good; i++)
        good = put(column_name((enum column)i), strlen(column_name((enum column)i))) &&
               put(i + 1 < COLUMN_COUNT ? "," : "\r\n", i + 1 < COLUMN_COUNT ? 1 : 2);
    return good;
}

/* Writes the field behind `at`, where there is room for it with every character doubled. */
static char *write_field(char *at, const struct cell *cell)
{
    const char *from = cell->text, *end = from + cell->length;
    bool quoted = memchr(from, '"', cell->length) || memchr(from, ',', cell->length) ||
                  memchr(from, '\n', cell->length) || memchr(from, '\r', cell->length);
    if (!quoted) {
        memcpy(at, from, cell->length);
        return at + cell->length;
    }
    *at++ = '"';
    while (from < end) {
        const char *mark = memchr(from, '"', (size_t)(end - from));
        size_t length = (size_t)((mark ? mark + 1 : end) - from);
        memcpy(at, from, length);
        at += length;
        from += length;
        if (mark != NULL)
            *at++ = '"';
    }
    *at++ = '"';
    return at;
}

static bool row_csv(const struct cell *cells)
{
    size_t room = 2;
    for (int i = 0; i < COLUMN_COUNT; i++)
        room += 2 * cells[i].length + 3;
    if (room > BUFFER_SIZE - out.used && !flush())
        return false;
    CHECK(room <= BUFFER_SIZE);
    char *at = out.octets + out.used;
    for (int i = 0; i < COLUMN_COUNT; i++) {
        if (cells[i].length > 0)
            at = write_field(at, &cells[i]);
        *at++ = ',';
    }
    at[-1] = '\r';
    *at++ = '\n';
    out.used = (size_t)(at - out.octets);
    return true;
}

const struct export_out export_csv = {"csv", false, begin_csv, row_csv, end};

/* JSON lines ---------------------------------------------------------------------------------- */

static bool put_string(const struct cell *cell)
{
    bool good = put("\"", 1);
    for (size_t i = 0, from = 0; i <= cell->length && good; i++) {
        unsigned char c = i < cell->length ? (unsigned char)cell->text[i] : 0;
        if (i < cell->length && c >= ' ' && c != '"' && c != '\\')
            continue;
        static const char digits[] = "0123456789abcdef";
        char plain[2] = {'\\', (char)c},
             code[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        bool is_plain = c == '"' || c == '\\';
        good = put(cell->text + from, i - from);
        if (good && i < cell->length)
            good = put(is_plain ? plain : code, is_plain ? sizeof plain : sizeof code);
        from = i + 1;
    }
    return good && put("\"", 1);
}

/* What is empty is left out; `details` is an object already. */
static bool row_jsonl(const struct cell *cells)
{
    bool good = true;
    for (int i = 0; i < COLUMN_COUNT && good; i++) {
        const char *name = column_name((enum column)i);
        if (cells[i].length == 0)
            continue;
        good = put(i == 0 ? "{\"" : ",\"", 2) && put(name, strlen(name)) && put("\":", 2) &&
               (cells[i].is_integer || i == COLUMN_DETAILS ? put(cells[i].text, cells[i].length)
                                                           : put_string(&cells[i]));
    }
    return good && put("}\n", 2);
}

const struct export_out export_jsonl = {"jsonl", false, begin, row_jsonl, end};

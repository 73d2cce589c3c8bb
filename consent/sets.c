/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/sets.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "consent/nodes.h"
#include "consent/store_command.h"
#include "proto/base/check.h"
#include "proto/base/rng.h"

#define PATIENCE_S    30
#define PIPELINED     256  /* commands sent before their answers are read */
#define LINE_SIZE     1024 /* of an answer that is shown or parsed */
#define OUTPUT_OCTETS (PIPELINED * COMMAND_OCTETS_MAX)
#define NUMBER_MASK   ((1ull << 50) - 1)

static const char *const families[SET_FAMILIES] = {"optout", "optin"};

struct sets {
    int fd;
    FILE *in;
    uint32_t buckets;
    uint8_t *out;
    size_t used;
    unsigned unanswered; /* commands in `out` or on their way */
    struct rng rng;
    char why[LINE_SIZE + 64];
};

static bool fail(struct sets *sets, const char *what, const char *detail)
{
    snprintf(sets->why, sizeof sets->why, "%s%s%s", what, detail[0] ? ": " : "", detail);
    return false;
}

const char *sets_why(const struct sets *sets)
{
    return sets->why;
}

/* ---- connecting ---- */

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int connect_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* As in store.c, whose owner has found the URL to be one. */
static int connect_url(const char *url, char database[8])
{
    char host[256], port[8];
    database[0] = '\0';
    if (strncmp(url, "unix://", 7) == 0)
        return connect_unix(url + 7);
    int fields = sscanf(url, "redis://[%255[^]]]:%7[0-9]/%7[0-9]", host, port, database);
    if (fields < 1)
        fields = sscanf(url, "redis://%255[^:/]:%7[0-9]/%7[0-9]", host, port, database);
    if (fields < 2)
        strcpy(port, "6379");
    if (fields < 2 && strrchr(url, '/') > url + 8)
        snprintf(database, 8, "%.7s", strrchr(url, '/') + 1);
    errno = EINVAL;
    return fields < 1 ? -1 : connect_tcp(host, port);
}

/* ---- commands and answers ---- */

static bool send_all(struct sets *sets)
{
    for (size_t sent = 0; sent < sets->used;) {
        ssize_t n = send(sets->fd, sets->out + sent, sets->used - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(sets, "Redis cannot be written to", strerror(errno));
        sent += (size_t)n;
    }
    sets->used = 0;
    return true;
}

/* A line without its end; a longer one is not understood. */
static bool read_line(struct sets *sets, char line[LINE_SIZE])
{
    if (fgets(line, LINE_SIZE, sets->in) == NULL)
        return fail(sets, "Redis does not answer",
                    ferror(sets->in) ? strerror(errno) : "it closed");
    size_t length = strlen(line);
    if (length < 3 || line[length - 1] != '\n' || line[length - 2] != '\r')
        return fail(sets, "Redis gave an answer that was not understood", "");
    line[length - 2] = '\0';
    return true;
}

/* The number behind a type, at most `most`. */
static bool read_count(struct sets *sets, const char *line, long most, long *ret_count)
{
    char *end;
    errno = 0;
    long count = strtol(line + 1, &end, 10);
    if (errno != 0 || *end != '\0' || end == line + 1 || count < -1 || count > most)
        return fail(sets, "Redis gave an answer that was not understood", "");
    *ret_count = count;
    return true;
}

/* A string's octets behind its length, as far as they fit `out`. */
static bool read_string(struct sets *sets, long length, char out[LINE_SIZE])
{
    if (length >= LINE_SIZE || length < 0 ||
        fread(out, 1, (size_t)length + 2, sets->in) != (size_t)length + 2)
        return fail(sets, "Redis gave an answer that was not understood", "");
    out[length] = '\0';
    return true;
}

/* A status, integer or string into `text` (a nil is ""); or an array's length with *ret_array. */
static bool read_answer(struct sets *sets, char text[LINE_SIZE], long *ret_array)
{
    char line[LINE_SIZE];
    long count;
    *ret_array = -1;
    text[0] = '\0';
    if (!read_line(sets, line))
        return false;
    switch (line[0]) {
    case '+':
    case ':':
        memcpy(text, line + 1, LINE_SIZE - 1);
        return true;
    case '-':
        return fail(sets, "Redis refuses", line + 1);
    case '$':
        return read_count(sets, line, LINE_SIZE - 3, &count) &&
               (count < 0 || read_string(sets, count, text));
    case '*':
        return read_count(sets, line, INT32_MAX, ret_array);
    default:
        return fail(sets, "Redis gave an answer that was not understood", "");
    }
}

/* Sends what is gathered; every answer must be there and no error. */
static bool settle(struct sets *sets)
{
    char text[LINE_SIZE];
    long array;
    if (!send_all(sets))
        return false;
    for (; sets->unanswered > 0; sets->unanswered--)
        if (!read_answer(sets, text, &array))
            return false;
    return true;
}

static struct writer room(struct sets *sets)
{
    return writer_over(sets->out + sets->used, COMMAND_OCTETS_MAX);
}

static void gathered(struct sets *sets, const struct writer *w, unsigned commands)
{
    CHECK(!w->failed);
    sets->used += writer_length(w);
    sets->unanswered += commands;
}

static bool gather_words(struct sets *sets, const char *const *words)
{
    struct writer w = room(sets);
    command_words(&w, words);
    gathered(sets, &w, 1);
    return sets->unanswered < PIPELINED || settle(sets);
}

/* One command, and its answer where that is no array. */
static bool ask(struct sets *sets, const char *const *words, char text[LINE_SIZE])
{
    long array;
    if (!settle(sets) || !gather_words(sets, words) || !send_all(sets))
        return false;
    sets->unanswered = 0;
    return read_answer(sets, text, &array);
}

/* ---- birth and end ---- */

static bool greet(struct sets *sets, const struct store_config *config, const char *database)
{
    char text[LINE_SIZE], buckets[16];
    snprintf(buckets, sizeof buckets, "%" PRIu32, config->buckets);
    if (config->password != NULL &&
        !ask(sets, (const char *const[]){"AUTH", config->password, NULL}, text))
        return false;
    if (database[0] != '\0' && !ask(sets, (const char *const[]){"SELECT", database, NULL}, text))
        return false;
    if (!ask(sets, (const char *const[]){"SET", "assent:buckets", buckets, "NX", NULL}, text) ||
        !ask(sets, (const char *const[]){"GET", "assent:buckets", NULL}, text))
        return false;
    return strcmp(text, buckets) == 0 ||
           fail(sets, "the bucket count in Redis is another one than configured", text);
}

struct sets *sets_open(const struct store_config *config, const char **ret_why)
{
    static char why[LINE_SIZE + 64];
    char database[8];
    int fd = connect_url(config->url, database);
    if (fd < 0) {
        snprintf(why, sizeof why, "Redis cannot be reached: %s", strerror(errno));
        *ret_why = why;
        return NULL;
    }
    struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct sets *sets = check_calloc(1, sizeof *sets);
    sets->fd = fd;
    sets->buckets = config->buckets;
    sets->out = check_malloc(OUTPUT_OCTETS);
    sets->in = fdopen(fd, "r");
    CHECK(sets->in != NULL);
    rng_secret(&sets->rng.state, sizeof sets->rng.state);
    if (greet(sets, config, database))
        return sets;
    memcpy(why, sets->why, sizeof why);
    *ret_why = why;
    sets_free(sets);
    return NULL;
}

void sets_free(struct sets *sets)
{
    if (sets == NULL)
        return;
    fclose(sets->in);
    free(sets->out);
    free(sets);
}

/* ---- writing ---- */

bool sets_hold(struct sets *sets)
{
    char text[LINE_SIZE];
    return ask(sets, (const char *const[]){"SET", STORE_REBUILDING_KEY, "1", NULL}, text) &&
           ask(sets, (const char *const[]){"CLIENT", "KILL", "TYPE", "normal", NULL}, text);
}

/* Open questions have keys of their own: a step of SCAN after the other finds them. */
static bool clear_pending(struct sets *sets)
{
    char cursor[LINE_SIZE] = "0", key[LINE_SIZE];
    long count;
    do {
        if (!settle(sets) ||
            !gather_words(sets, (const char *const[]){"SCAN", cursor, "MATCH", "pending:*", "COUNT",
                                                      "1000", NULL}) ||
            !send_all(sets))
            return false;
        sets->unanswered = 0;
        if (!read_answer(sets, key, &count) || count != 2 || !read_answer(sets, cursor, &count) ||
            !read_answer(sets, key, &count) || count < 0)
            return fail(sets, "Redis does not list its keys", "");
        char **keys = check_calloc((size_t)count + 1, sizeof *keys);
        long length;
        bool ok = true;
        for (long i = 0; i < count && ok; i++)
            if ((ok = read_answer(sets, key, &length)))
                keys[i] = check_strdup(key);
        for (long i = 0; i < count && keys[i] != NULL; i++) {
            ok = ok && gather_words(sets, (const char *const[]){"UNLINK", keys[i], NULL});
            free(keys[i]);
        }
        free(keys);
        if (!ok)
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

#define KEY_SIZE 64
#define WEEKS    2 /* of times of opt-outs: this one and the one before */

static void set_key(char out[KEY_SIZE], enum set_family family, uint32_t bucket)
{
    snprintf(out, KEY_SIZE, "%s:{%" PRIu32 "}", families[family], bucket);
}

/* `part`: below side_parts[family]. */
static const unsigned side_parts[SIDE_FAMILIES] = {[SIDE_DAYS] = 1, [SIDE_STOPS] = WEEKS};

static void side_key(char out[KEY_SIZE], enum side_family family, uint32_t bucket, unsigned part,
                     uint64_t now_wall_ms)
{
    if (family == SIDE_DAYS)
        snprintf(out, KEY_SIZE, "days:{%" PRIu32 "}", bucket);
    else
        snprintf(out, KEY_SIZE, "stops:{%" PRIu32 "}:%" PRIu64, bucket,
                 (uint64_t)(now_wall_ms / STOP_TIMES_MS) - part);
}

static bool unlink_key(struct sets *sets, const char *key)
{
    return gather_words(sets, (const char *const[]){"UNLINK", key, NULL});
}

bool sets_clear(struct sets *sets, uint64_t now_wall_ms)
{
    char key[KEY_SIZE];
    for (uint32_t bucket = 0; bucket < sets->buckets; bucket++) {
        for (enum set_family family = 0; family < SET_FAMILIES; family++) {
            set_key(key, family, bucket);
            if (!unlink_key(sets, key))
                return false;
        }
        for (enum side_family family = 0; family < SIDE_FAMILIES; family++)
            for (unsigned part = 0; part < side_parts[family]; part++) {
                side_key(key, family, bucket, part, now_wall_ms);
                if (!unlink_key(sets, key))
                    return false;
            }
    }
    return clear_pending(sets) && settle(sets);
}

static bool is_gone(struct sets *sets, const char *node, bool *ret_gone)
{
    char text[LINE_SIZE];
    struct node_fact fact;
    if (!ask(sets, (const char *const[]){"HGET", "assent:nodes", node, NULL}, text))
        return false;
    *ret_gone = node_parse(span_from_string(text), &fact) && fact.state == NODE_GONE;
    return true;
}

bool sets_nodes(struct sets *sets, void (*each)(void *context, const char *node, bool gone),
                void *context)
{
    char names[NODES_LOOK_MAX][LINE_SIZE];
    long count, none;
    if (!settle(sets) ||
        !gather_words(sets, (const char *const[]){"HKEYS", "assent:applied", NULL}) ||
        !send_all(sets))
        return false;
    sets->unanswered = 0;
    if (!read_answer(sets, names[0], &count))
        return false;
    if (count > NODES_LOOK_MAX)
        return fail(sets, "more gateways have written into Redis than can be", "assent:applied");
    for (long i = 0; i < count; i++)
        if (!read_answer(sets, names[i], &none))
            return false;
    for (long i = 0; i < count; i++) {
        bool gone;
        if (!is_gone(sets, names[i], &gone))
            return false;
        each(context, names[i], gone);
    }
    return true;
}

bool sets_write(struct sets *sets, const struct consent_write *write)
{
    struct writer w = room(sets);
    unsigned commands = command_write(&w, write, sets->buckets);
    gathered(sets, &w, commands);
    return sets->unanswered < PIPELINED - 4 || settle(sets);
}

bool sets_set_position(struct sets *sets, const char *node, uint64_t sequence)
{
    char mark[LINE_SIZE], text[24 + LINE_SIZE];
    snprintf(mark, sizeof mark, "%016" PRIx64, rng_next(&sets->rng));
    if (!ask(sets, (const char *const[]){"SET", "assent:incarnation", mark, "NX", NULL}, text) ||
        !ask(sets, (const char *const[]){"GET", "assent:incarnation", NULL}, mark))
        return false;
    snprintf(text, sizeof text, "%" PRIu64 " %s", sequence, mark);
    return gather_words(sets, (const char *const[]){"HSET", "assent:applied", node, text, NULL}) &&
           settle(sets);
}

bool sets_release(struct sets *sets)
{
    char text[LINE_SIZE];
    return ask(sets, (const char *const[]){"DEL", STORE_REBUILDING_KEY, NULL}, text);
}

/* ---- reading ---- */

static bool read_members(struct sets *sets, void (*each)(void *context, uint64_t member),
                         void *context)
{
    char text[LINE_SIZE];
    long count, none;
    if (!read_answer(sets, text, &count))
        return false;
    for (long i = 0; i < count; i++) {
        if (!read_answer(sets, text, &none))
            return false;
        char *end;
        uint64_t member = strtoull(text, &end, 10);
        if (*end != '\0' || (member & NUMBER_MASK) == 0)
            return fail(sets, "a consent set holds what is no number", "");
        each(context, member);
    }
    return true;
}

bool sets_read(struct sets *sets, enum set_family family,
               void (*each)(void *context, uint64_t member), void *context)
{
    if (!settle(sets))
        return false;
    for (uint32_t bucket = 0; bucket < sets->buckets;) {
        unsigned asked = 0;
        for (; asked < PIPELINED - 1 && bucket < sets->buckets; asked++, bucket++) {
            char key[KEY_SIZE];
            set_key(key, family, bucket);
            if (!gather_words(sets, (const char *const[]){"SMEMBERS", key, NULL}))
                return false;
        }
        sets->unanswered = 0;
        if (!send_all(sets))
            return false;
        while (asked-- > 0)
            if (!read_members(sets, each, context))
                return false;
    }
    return true;
}

bool sets_has(struct sets *sets, enum set_family family, uint64_t member, bool *ret_has)
{
    char key[KEY_SIZE], text[LINE_SIZE], number[24];
    set_key(key, family, store_bucket(member & NUMBER_MASK, sets->buckets));
    snprintf(number, sizeof number, "%" PRIu64, member);
    if (!ask(sets, (const char *const[]){"SISMEMBER", key, number, NULL}, text))
        return false;
    *ret_has = strcmp(text, "1") == 0;
    return true;
}

/* ---- what stands beside them ---- */

/* Keys and values by turns. */
static bool read_pairs(struct sets *sets, void (*each)(void *context, uint64_t key, uint64_t value),
                       void *context)
{
    char text[LINE_SIZE];
    long count, none;
    if (!read_answer(sets, text, &count))
        return false;
    if (count % 2 != 0)
        return fail(sets, "Redis gave an answer that was not understood", "");
    for (long i = 0; i < count; i += 2) {
        char *end[2];
        uint64_t pair[2];
        for (unsigned j = 0; j < 2; j++) {
            if (!read_answer(sets, text, &none))
                return false;
            pair[j] = strtoull(text, &end[j], 10);
            if (end[j] == text || *end[j] != '\0')
                return fail(sets, "days or times of opt-outs hold what is no number", "");
        }
        each(context, pair[0], pair[1]);
    }
    return true;
}

bool sets_read_side(struct sets *sets, enum side_family family, uint64_t now_wall_ms,
                    void (*each)(void *context, uint64_t key, uint64_t value), void *context)
{
    static const char *const days[] = {"HGETALL", NULL};
    static const char *const stops[] = {"ZRANGE", "0", "-1", "WITHSCORES", NULL};
    const char *const *words = family == SIDE_DAYS ? days : stops;
    if (!settle(sets))
        return false;
    for (uint32_t bucket = 0; bucket < sets->buckets; bucket++)
        for (unsigned part = 0; part < side_parts[family]; part++) {
            char key[KEY_SIZE];
            side_key(key, family, bucket, part, now_wall_ms);
            const char *command[6] = {words[0], key};
            for (unsigned i = 1; words[i] != NULL; i++)
                command[i + 1] = words[i];
            if (!gather_words(sets, command))
                return false;
            bool last = bucket + 1 == sets->buckets && part + 1 == side_parts[family];
            if (sets->unanswered < PIPELINED - 1 && !last)
                continue;
            unsigned asked = sets->unanswered;
            sets->unanswered = 0;
            if (!send_all(sets))
                return false;
            while (asked-- > 0)
                if (!read_pairs(sets, each, context))
                    return false;
        }
    return true;
}

bool sets_side_of(struct sets *sets, enum side_family family, uint64_t now_wall_ms, uint64_t key,
                  uint64_t *ret_value)
{
    char name[KEY_SIZE], text[LINE_SIZE], member[24];
    snprintf(member, sizeof member, "%" PRIu64, key);
    uint64_t newest = 0;
    for (unsigned part = 0; part < side_parts[family]; part++) {
        side_key(name, family, store_bucket(key & NUMBER_MASK, sets->buckets), part, now_wall_ms);
        const char *command = family == SIDE_DAYS ? "HGET" : "ZSCORE";
        if (!ask(sets, (const char *const[]){command, name, member, NULL}, text))
            return false;
        uint64_t value = strtoull(text, NULL, 10);
        newest = value > newest ? value : newest;
    }
    *ret_value = newest;
    return true;
}

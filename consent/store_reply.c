/* SPDX-License-Identifier: Apache-2.0 */
/* The guard and the only user of hiredis: its reader, with object functions that allocate nothing. What is
 * read without it gives the same: the fuzz target compares.
 * The guard is strict where hiredis is lenient (it checks the line end after a string), so what it
 * lets through hiredis reads to the same octet; that is a CHECK, and a fuzz target. */
#include "consent/store_reply.h"

#include <hiredis/read.h>
#include <stdlib.h>

#include "proto/base/check.h"

/* ---- The guard ---- */

struct scan {
    struct span octets;
    size_t at;
    size_t values;
    size_t depth;
    size_t open[STORE_REPLY_DEPTH]; /* elements still to come, by level */
    const char *why;
};

static enum resp scan_bad(struct scan *scan, const char *why)
{
    scan->why = why;
    return RESP_BAD;
}

/* The line after the type octet; moves over its end. */
static enum resp scan_line(struct scan *scan, struct span *ret_line)
{
    const uint8_t *from = scan->octets.data + scan->at;
    size_t left = scan->octets.length - scan->at;
    size_t window = left < STORE_REPLY_LINE ? left : STORE_REPLY_LINE;
    const uint8_t *end = from;
    while ((end = memchr(end, '\r', window - (size_t)(end - from))) != NULL) {
        size_t length = (size_t)(end - from);
        if (length + 1 < left && end[1] == '\n') {
            *ret_line = span_of(from, length);
            scan->at += length + 2;
            return RESP_WHOLE;
        }
        if (++end == from + window)
            break;
    }
    return left > STORE_REPLY_LINE ? scan_bad(scan, "a line is too long") : RESP_MORE;
}

/* Decimal as Redis writes it: no sign but a minus, no leading zero, within 64 bits. */
static bool parse_decimal(struct span line, int64_t *ret_value)
{
    bool negative = line.length > 0 && line.data[0] == '-';
    size_t i = negative;
    if (i >= line.length || (line.data[i] == '0' && line.length > 1))
        return false;
    uint64_t magnitude = 0;
    for (; i < line.length; i++) {
        unsigned digit = line.data[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(magnitude, 10u, &magnitude) ||
            __builtin_add_overflow(magnitude, digit, &magnitude))
            return false;
    }
    if (magnitude > (uint64_t)INT64_MAX)
        return false;
    *ret_value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static enum resp scan_string(struct scan *scan, int64_t length)
{
    if (length < -1 || length > (int64_t)STORE_BULK_MAX)
        return scan_bad(scan, "a string is too long");
    if (length == -1)
        return RESP_WHOLE;
    size_t left = scan->octets.length - scan->at;
    size_t need = (size_t)length + 2;
    if (scan->at + need > STORE_REPLY_MAX)
        return scan_bad(scan, "a reply is too long");
    if (left < need)
        return RESP_MORE;
    const uint8_t *end = scan->octets.data + scan->at + length;
    if (end[0] != '\r' || end[1] != '\n')
        return scan_bad(scan, "a string does not end where it said");
    scan->at += need;
    return RESP_WHOLE;
}

static enum resp scan_array(struct scan *scan, int64_t elements)
{
    if (elements < -1 || elements > STORE_REPLY_ELEMENTS)
        return scan_bad(scan, "an array has too many elements");
    if (elements <= 0)
        return RESP_WHOLE;
    if (scan->depth == STORE_REPLY_DEPTH)
        return scan_bad(scan, "arrays are nested too deep");
    scan->open[scan->depth++] = (size_t)elements;
    return RESP_WHOLE;
}

static enum resp scan_value(struct scan *scan)
{
    if (scan->at == scan->octets.length)
        return RESP_MORE;
    if (scan->values++ == STORE_REPLY_VALUES)
        return scan_bad(scan, "a reply has too many values");
    uint8_t type = scan->octets.data[scan->at++];
    if (type == 0 || strchr("+-:$*", type) == NULL)
        return scan_bad(scan, "a reply is of no known type");
    struct span line;
    enum resp result = scan_line(scan, &line);
    if (result != RESP_WHOLE || type == '+' || type == '-')
        return result;
    int64_t number;
    if (!parse_decimal(line, &number))
        return scan_bad(scan, "a number is not one");
    if (type == '$')
        return scan_string(scan, number);
    return type == '*' ? scan_array(scan, number) : RESP_WHOLE;
}

enum resp resp_measure(struct span octets, size_t *ret_length, const char **ret_why)
{
    struct scan scan = {.octets = octets};
    for (;;) {
        size_t depth = scan.depth;
        enum resp result = scan_value(&scan);
        if (result == RESP_WHOLE && scan.at > STORE_REPLY_MAX)
            result = scan_bad(&scan, "a reply is too long");
        if (result != RESP_WHOLE) {
            if (result == RESP_BAD)
                *ret_why = scan.why;
            return result;
        }
        if (scan.depth > depth)
            continue; /* its elements follow */
        while (scan.depth > 0 && --scan.open[scan.depth - 1] == 0)
            scan.depth--;
        if (scan.depth == 0)
            break;
    }
    *ret_length = scan.at;
    return RESP_WHOLE;
}

/* ---- hiredis' reader ---- */

struct resp_reader {
    redisReader *hiredis;
    struct resp_reply reply;
    const uint8_t *octets; /* the caller's, that hiredis holds a copy of ... */
    size_t base;           /* ... from this offset of its buffer on */
};

static struct resp_value *add_value(const redisReadTask *task, enum resp_type type)
{
    struct resp_reader *reader = task->privdata;
    CHECK(reader->reply.count < STORE_REPLY_VALUES); /* the guard counted */
    struct resp_value *value = &reader->reply.values[reader->reply.count++];
    value->type = type;
    value->integer = 0;
    value->text = (struct span){0};
    return value;
}

static void *make_string(const redisReadTask *task, char *text, size_t length)
{
    const struct resp_reader *reader = task->privdata;
    struct resp_value *value = add_value(task, task->type == REDIS_REPLY_STATUS  ? RESP_STATUS
                                               : task->type == REDIS_REPLY_ERROR ? RESP_ERROR
                                                                                 : RESP_STRING);
    size_t offset = (size_t)(text - reader->hiredis->buf) - reader->base;
    value->text = span_of(reader->octets + offset, length);
    return value;
}

static void *make_array(const redisReadTask *task, int elements)
{
    struct resp_value *value = add_value(task, RESP_ARRAY);
    value->integer = elements;
    return value;
}

static void *make_integer(const redisReadTask *task, long long integer)
{
    struct resp_value *value = add_value(task, RESP_INTEGER);
    value->integer = integer;
    return value;
}

static void *make_nil(const redisReadTask *task)
{
    return add_value(task, RESP_NIL);
}

static void free_nothing(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions pool_functions = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = free_nothing,
};

struct resp_reader *resp_reader_new(void)
{
    struct resp_reader *reader = check_calloc(1, sizeof *reader);
    reader->hiredis = redisReaderCreateWithFunctions(&pool_functions);
    CHECK(reader->hiredis != NULL);
    reader->hiredis->privdata = reader;
    return reader;
}

void resp_reader_free(struct resp_reader *reader)
{
    if (reader == NULL)
        return;
    redisReaderFree(reader->hiredis);
    free(reader);
}

enum resp resp_take_any(struct resp_reader *reader, struct span octets,
                        const struct resp_reply **ret_reply, size_t *ret_length,
                        const char **ret_why)
{
    size_t length;
    enum resp result = resp_measure(octets, &length, ret_why);
    if (result != RESP_WHOLE)
        return result;
    redisReader *hiredis = reader->hiredis;
    CHECK(redisReaderFeed(hiredis, (const char *)octets.data, length) == REDIS_OK);
    reader->octets = octets.data;
    reader->base = hiredis->len - length;
    reader->reply.count = 0;
    void *root = NULL;
    if (redisReaderGetReply(hiredis, &root) != REDIS_OK) {
        *ret_why = "hiredis refused a reply";
        return RESP_BAD;
    }
    CHECK(root == &reader->reply.values[0] && hiredis->pos == hiredis->len);
    *ret_reply = &reader->reply;
    *ret_length = length;
    return RESP_WHOLE;
}

/* ---- the short way ---- */

/* A type, one digit and the end of the line. */
#define SHORT_LINE 4
static bool is_short(const uint8_t *at, char type)
{
    return at[0] == type && at[1] >= '0' && at[1] <= '9' && at[2] == '\r' && at[3] == '\n';
}

/* A string of one digit's length. */
static size_t take_short_string(struct resp_reply *reply, struct span octets)
{
    size_t length = octets.data[1] - (size_t)'0', whole = SHORT_LINE + length + 2;
    if (octets.length < whole || octets.data[whole - 2] != '\r' || octets.data[whole - 1] != '\n')
        return 0;
    reply->count = 1;
    reply->values[0] =
        (struct resp_value){.type = RESP_STRING, .text = span_of(octets.data + SHORT_LINE, length)};
    return whole;
}

/* Gives the octets of the reply; 0 when it is something else, or not whole. */
static size_t take_short(struct resp_reply *reply, struct span octets)
{
    const uint8_t *at = octets.data;
    size_t count = 1;
    reply->count = 0;
    if (octets.length >= SHORT_LINE && is_short(at, '$'))
        return take_short_string(reply, octets);
    if (octets.length >= SHORT_LINE && is_short(at, '*')) {
        count = at[1] - (size_t)'0';
        reply->values[reply->count++] =
            (struct resp_value){.type = RESP_ARRAY, .integer = (int64_t)count};
        at += SHORT_LINE;
    }
    if (octets.length < (reply->count + count) * SHORT_LINE)
        return 0;
    for (size_t i = 0; i < count; i++, at += SHORT_LINE) {
        if (!is_short(at, ':'))
            return 0;
        reply->values[reply->count++] =
            (struct resp_value){.type = RESP_INTEGER, .integer = at[1] - '0'};
    }
    return (size_t)(at - octets.data);
}

enum resp resp_take(struct resp_reader *reader, struct span octets,
                    const struct resp_reply **ret_reply, size_t *ret_length, const char **ret_why)
{
    size_t length = take_short(&reader->reply, octets);
    if (length == 0)
        return resp_take_any(reader, octets, ret_reply, ret_length, ret_why);
    *ret_reply = &reader->reply;
    *ret_length = length;
    return RESP_WHOLE;
}

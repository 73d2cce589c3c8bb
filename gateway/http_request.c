/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http_request.h"

#include <stdio.h>
#include <strings.h>

#include "proto/base/limits.h"

struct status_row {
    unsigned status;
    const char *text;
};

static const struct status_row statuses[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {431, "Request Header Fields Too Large"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_status_text(unsigned status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].status == status)
            return statuses[i].text;
    }
    return "";
}

/* Takes a line off the front of *text, without its CR LF. False when there is no whole line. */
static bool take_line(struct span *text, struct span *ret_line)
{
    const uint8_t *end = text->length ? memchr(text->data, '\n', text->length) : NULL;
    if (end == NULL)
        return false;
    size_t length = (size_t)(end - text->data);
    *ret_line = span_of(text->data, length > 0 && end[-1] == '\r' ? length - 1 : length);
    *text = span_of(end + 1, text->length - length - 1);
    return true;
}

/* Takes what stands before the next space. */
static struct span take_word(struct span *line)
{
    const uint8_t *space = line->length ? memchr(line->data, ' ', line->length) : NULL;
    struct span word = span_of(line->data, space ? (size_t)(space - line->data) : line->length);
    size_t used = space ? word.length + 1 : word.length;
    *line = span_of(line->data + used, line->length - used);
    return word;
}

static bool is(struct span word, const char *text)
{
    return span_equal(word, span_from_string(text));
}

static unsigned parse_request_line(struct span line, struct http_request *request)
{
    struct span method = take_word(&line), target = take_word(&line);
    if (method.length == 0 || target.length == 0 || target.data[0] != '/')
        return 400;
    if (line.length < 5 || memcmp(line.data, "HTTP/", 5) != 0)
        return 400;
    if (!is(line, "HTTP/1.1") && !is(line, "HTTP/1.0"))
        return 505;
    request->head = is(method, "HEAD");
    if (!request->head && !is(method, "GET"))
        return 405;
    const uint8_t *query = memchr(target.data, '?', target.length);
    request->path = span_of(target.data, query ? (size_t)(query - target.data) : target.length);
    return 200;
}

static bool is_header(struct span line, const char *name)
{
    size_t length = strlen(name);
    return line.length > length && line.data[length] == ':' &&
           strncasecmp((const char *)line.data, name, length) == 0;
}

/* A body would have to be read past before the connection can be closed cleanly. */
static unsigned check_header(struct span line)
{
    if (line.data[0] == ' ' || line.data[0] == '\t' || memchr(line.data, ':', line.length) == NULL)
        return 400;
    if (is_header(line, "transfer-encoding"))
        return 413;
    if (!is_header(line, "content-length"))
        return 200;
    const char *name = "content-length:";
    struct span value = span_of(line.data + strlen(name), line.length - strlen(name));
    while (value.length > 0 && value.data[0] == ' ')
        value = span_of(value.data + 1, value.length - 1);
    return is(value, "0") ? 200 : 413;
}

unsigned http_request_parse(struct span octets, struct http_request *ret_request)
{
    struct http_request request = {0};
    struct span rest = octets, line;
    unsigned status;
    bool first = true;
    while (take_line(&rest, &line)) {
        if (first)
            status = parse_request_line(line, &request);
        else if (line.length == 0)
            break;
        else
            status = check_header(line);
        if (status != 200)
            return status;
        first = false;
    }
    if (first || line.length != 0)
        return octets.length >= HTTP_HEAD_MAX ? 431 : 0;
    *ret_request = request;
    return 200;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP server for /metrics, /healthz and /readyz: GET and HEAD, one request a connection.
 *
 * Invariants
 * - At most HTTP_CONNECTIONS_MAX connections; more are closed at once.
 * - A connection lives HTTP_TIMEOUT_MS at most, whatever its peer sends or does not read.
 * - Octets from a peer cannot make it grow: a head has HTTP_HEAD_MAX octets, a reply HTTP_REPLY_MAX.
 *
 * It stands on smpp/link.h instead of libevent's evhttp, which in 2.1 tells nobody of a new connection:
 * a peer that drips one header a second, or a thousand that say nothing, could not be ended.
 *
 * Thread: the loop's. */
#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

#include <stdio.h>

#include "proto/base/span.h"

struct event_base;
struct http;

struct http_page {
    const char *path; /* "/metrics" */
    const char *content_type;
    /* Writes the body; gives the status. */
    unsigned (*write)(void *context, FILE *out);
};

/* `pages` ends with a row whose path is NULL and must outlive the server. NULL and *ret_why when it
 * cannot listen. */
struct http *http_new(struct event_base *base, const char *address, const struct http_page *pages,
                      void *context, const char **ret_why);
void http_free(struct http *http);

int http_port(const struct http *http); /* TCP: the port chosen for ":0" */

#endif

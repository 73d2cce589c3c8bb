/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP request. Pure: octets in, a request, "need more" or a status to refuse with
 * out. Takes HTTP/1.0 and 1.1, GET and HEAD, and no body. */
#ifndef GATEWAY_HTTP_REQUEST_H
#define GATEWAY_HTTP_REQUEST_H

#include "proto/base/span.h"

struct http_request {
    bool head;        /* HEAD: no body in the answer */
    struct span path; /* without query */
};

/* 0: need more octets. 200: *ret_request is filled. Else the status to refuse with. */
unsigned http_request_parse(struct span octets, struct http_request *ret_request);

const char *http_status_text(unsigned status);

#endif

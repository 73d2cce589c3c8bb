/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking connection to the gateway. Frames that are sent gather until client_flush(), or until
 * something is received; what was received lives until the next receive. Every failure is told on
 * stderr where it is found, so callers only pass it on. */
#ifndef GATEWAY_CLI_CLIENT_H
#define GATEWAY_CLI_CLIENT_H

#include "gateway/cli/cli.h"
#include "proto/frame.h"

struct client;

/* Connects and says Hello. NULL after a complaint that says what to do. */
struct client *client_open(const struct cli *cli);
void client_close(struct client *client);

const Assent__V1__HelloReply *client_hello(const struct client *client);

/* A call number that is not in use. */
uint64_t client_next_call(struct client *client);

MUST_CHECK bool client_send(struct client *client, const Assent__V1__Frame *frame);
MUST_CHECK bool client_flush(struct client *client);

/* The next frame; NULL after a complaint when the connection has ended. */
Assent__V1__Frame *client_receive(struct client *client);

/* The same, waiting at most so long; NULL with *ret_timeout set when nothing came. */
Assent__V1__Frame *client_receive_within(struct client *client, int timeout_ms, bool *ret_timeout);

/* Sends one request and gives its answer, of kind `answer`; anything else is complained about. */
Assent__V1__Frame *client_call(struct client *client, Assent__V1__Frame *request,
                               Assent__V1__Frame__BodyCase answer);

/* "RESOURCE_EXHAUSTED" */
const char *code_name(Assent__V1__Code code);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The submission server: connections of submitters on Unix sockets and TCP, speaking the frames of
 * proto/assent.proto.
 *
 * Invariants
 * - Nothing is told before it is durable: an answer leaves when the ledger has reached its ready_at.
 * - A client gets at most one connection's worth of memory: input, output and calls have limits
 *   (proto/base/limits.h), and at a limit the connection is not read.
 * - Octets from a client cost at most its own connection.
 * - Small requests go before bulk: connections that ask little are served first in every pass.
 *
 * How it runs: octets are gathered in the links' handlers; an event of the server's own, behind them
 * in the same pass of the loop, decodes frames and calls the engine. So one turn of the daemon is
 *
 *     event_base_loop(base, EVLOOP_ONCE)  ->  engine_turn()  ->  submit_server_turn()
 *
 * and submit_server_turn() sees to it that the next pass does not sleep while frames wait here.
 * Single-threaded. */
#ifndef GATEWAY_SUBMIT_SERVER_H
#define GATEWAY_SUBMIT_SERVER_H

#include "gateway/config.h"
#include "gateway/engine.h"
#include "proto/base/clock.h"

struct certificates;
struct event_base;
struct submit_server;

/* Listens on every address of config->listeners; `certificates` may be NULL where none is tls://.
 * `config`, `certificates`, `engine` and `base` must outlive the server; `data_dir` is where the ledger is (copied). NULL with a sentence in *ret_why when it cannot
 * listen. */
struct submit_server *submit_server_new(struct event_base *base, const struct config *config,
                                        const struct certificates *certificates,
                                        struct engine *engine, const char *data_dir,
                                        const char **ret_why);
void submit_server_free(struct submit_server *server);

/* After engine_turn(): releases what is durable, feeds the watchers, writes, frees what was closed.
 * `durable` and `next` are ledger_durable() and ledger_next(). */
void submit_server_turn(struct submit_server *server, struct instant now, uint64_t durable,
                        uint64_t next);

/* The ports' answers to consent calls. The client may be gone by then. */
void submit_server_consent_reply(struct submit_server *server, uint64_t call, uint64_t ready_at,
                                 const Assent__V1__ConsentReply *reply);
void submit_server_reputation_reply(struct submit_server *server, uint64_t call, uint64_t ready_at,
                                    const Assent__V1__ReputationReply *reply);
void submit_server_complaint_reply(struct submit_server *server, uint64_t call, uint64_t ready_at,
                                   const Assent__V1__ComplaintReply *reply);
void submit_server_show_reply(struct submit_server *server, uint64_t call,
                              const Assent__V1__ShowReply *reply);
void submit_server_preflight_reply(struct submit_server *server, uint64_t call,
                                   const Assent__V1__PreflightReply *reply);

/* Stops listening; calls that would change something are refused with UNAVAILABLE. */
void submit_server_drain(struct submit_server *server);

/* True when no answer is waiting to be durable or to be written. */
bool submit_server_drained(const struct submit_server *server);

/* The port that ":0" became, of listener `index`; 0 for a Unix socket. */
int submit_server_port(const struct submit_server *server, uint16_t index);

#endif

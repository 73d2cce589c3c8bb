/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway shows of itself over HTTP: /metrics and /readyz. Reads the engine, changes nothing;
 * never a number, a text or a client's key. */
#ifndef GATEWAY_EXPOSITION_H
#define GATEWAY_EXPOSITION_H

#include "gateway/engine.h"

struct exposed {
    const struct config *config;
    const struct engine *engine;
    uint64_t ledger_next, ledger_durable;
    uint64_t ledger_checkpointed;
    uint64_t witnessed, witness_failures;
    bool ledger_healthy; /* neither failed nor out of space */
    uint64_t started_wall_ms;
};

/* Prometheus text: counters, histograms, carriers, consent gate, ledger, process. */
void exposition_metrics(const struct exposed *exposed, struct instant now, FILE *out);

/* True when this gateway can send: gate open, a carrier bound, ledger healthy, not draining. Writes
 * "ready", or a line for each reason why not. */
bool exposition_ready(const struct exposed *exposed, struct instant now, FILE *out);

#endif

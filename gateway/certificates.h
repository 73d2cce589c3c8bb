/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS contexts of a configuration: one for each carrier and listener whose address is tls://.
 * They are made once and live as long as the daemon; what they read from files is read again by
 * tls_reload_all(), which new connections see. */
#ifndef GATEWAY_CERTIFICATES_H
#define GATEWAY_CERTIFICATES_H

#include <stdio.h>

#include "gateway/config.h"

struct certificates;
struct tls_context;

/* NULL when a file cannot be used; that was logged then. `config` outlives them. */
struct certificates *certificates_new(const struct config *config);
void certificates_free(struct certificates *certificates);

/* Makes the contexts of carriers that have come to the configuration since. */
void certificates_grow(struct certificates *certificates);

/* NULL where the address is not tls://. */
struct tls_context *certificates_of_carrier(const struct certificates *certificates,
                                            uint16_t carrier);
struct tls_context *certificates_of_listener(const struct certificates *certificates,
                                             uint16_t listener);

/* Reads every file again. Where one cannot be used its carrier or listener keeps what it had, and the
 * log says so. Gives the number of those. */
unsigned tls_reload_all(struct certificates *certificates);

/* Warns of own certificates that expire within TLS_WARN_DAYS; once a day for each. */
void certificates_watch(struct certificates *certificates, uint64_t wall_ms);

/* The gauges of Prometheus. */
void certificates_metrics(const struct certificates *certificates, FILE *out);

/* For `assentd -t`: a sentence for each own certificate. The configuration has been read, so its files
 * were good a moment ago. */
void certificates_print(const struct config *config, uint64_t wall_ms, FILE *out);

#endif

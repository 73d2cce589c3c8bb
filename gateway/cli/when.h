/* SPDX-License-Identifier: Apache-2.0 */
/* Times as people write them. */
#ifndef GATEWAY_CLI_WHEN_H
#define GATEWAY_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* "+10m", "now", or RFC 3339 with a zone ("2026-12-01T09:00:00Z", "...+01:00", a space for the T). */
bool when_parse(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms);

/* The same, and a date alone ("2026-12-01"), which is its midnight in UTC. */
bool when_parse_date(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms);

/* UTC, "2026-12-01 09:00:00.123". */
#define WHEN_TEXT_SIZE 25
char *when_text(uint64_t wall_ms, char out[WHEN_TEXT_SIZE]);

#endif

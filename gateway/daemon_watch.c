/* SPDX-License-Identifier: Apache-2.0 */
/* One log line a change of state: the gate, each carrier's bound sessions, the disk. The engine does no
 * I/O, so its state is compared here with what was logged last; after events that may have changed it,
 * and at most ten times a second, so that a busy or flapping link costs little. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/daemon_state.h"
#include "proto/base/log.h"

#define LOOK_EVERY_US   (100 * US_PER_MS)
#define REMIND_EVERY_US (600 * US_PER_S)

static void look_at_gate(struct daemon *daemon)
{
    struct engine_status status;
    engine_status(daemon->engine, &status);
    if (status.gate_open == daemon->seen.gate_open && daemon->seen.gate_known)
        return;
    daemon->seen.gate_open = status.gate_open;
    daemon->seen.gate_known = true;
    if (status.gate_open)
        log_event(LOG_INFO, "gate_open", "redis=%s", daemon->config->redis_url);
    else
        log_event(LOG_WARN, "gate_closed", "why=\"%s\" effect=\"nothing is sent\"",
                  status.gate_why);
}

/* A carrier that cannot be bound says so once, not at every attempt; one that refuses our binds says so
 * again from time to time, since only a person can help. */
static void look_at_reason(struct daemon *daemon, uint16_t index,
                           const struct carrier_status *status, struct instant now)
{
    char *seen = daemon->seen.why[index], why[CARRIER_WHY_MAX] = "";
    if (status->refused > 0)
        engine_why(why, "bind_refused", status->refused_status);
    else if (status->sessions_bound == 0)
        snprintf(why, sizeof why, "%s", status->why);
    bool remind = status->refused > 0 && now.mono_us >= daemon->seen.remind_us[index];
    if ((strcmp(seen, why) == 0 && !remind) || daemon->drain_by_us != 0)
        return;
    daemon->seen.remind_us[index] = now.mono_us + REMIND_EVERY_US;
    snprintf(seen, CARRIER_WHY_MAX, "%s", why);
    if (status->refused > 0)
        log_event(LOG_ERROR, "carrier_refuses_bind",
                  "carrier=%s why=\"%s\" connections=%" PRIu32 " bound=%" PRIu32
                  " do=\"ask the carrier; it is tried again and again, slowly\"",
                  status->name, why, status->refused, status->sessions_bound);
    else if (why[0] != '\0')
        log_event(LOG_WARN, "carrier_not_bound", "carrier=%s why=\"%s\"", status->name, why);
}

static void look_at_receipts(struct daemon *daemon, uint16_t index,
                             const struct carrier_status *status)
{
    bool hint = status->receipt_hint[0] != '\0';
    if (hint == daemon->seen.hint[index])
        return;
    daemon->seen.hint[index] = hint;
    if (hint)
        log_event(LOG_WARN, "receipts_unmatched", "carrier=%s would_match_with=\"%s\"",
                  status->name, status->receipt_hint);
}

static void look_at_carrier(struct daemon *daemon, uint16_t index, struct instant now)
{
    struct carrier_status status;
    uint32_t *bound = &daemon->seen.bound[index];
    engine_carrier_status(daemon->engine, index, now, &status);
    look_at_reason(daemon, index, &status, now);
    look_at_receipts(daemon, index, &status);
    if (status.sessions_bound == *bound)
        return;
    bool fewer = status.sessions_bound < *bound;
    *bound = status.sessions_bound;
    log_event(fewer && daemon->drain_by_us == 0 ? LOG_WARN : LOG_INFO,
              fewer ? "carrier_lost" : "carrier_bound", "carrier=%s bound=%" PRIu32 " of=%" PRIu32,
              status.name, status.sessions_bound, status.sessions);
}

static void look_at_disk(struct daemon *daemon)
{
    bool full = ledger_no_space(daemon->ledger);
    if (full == daemon->seen.disk_full)
        return;
    daemon->seen.disk_full = full;
    if (full)
        log_event(LOG_ERROR, "disk_full",
                  "folder=%s effect=\"new submissions are refused\" do=\"make room: it goes on by "
                  "itself\"",
                  daemon->config->data_dir);
    else
        log_event(LOG_INFO, "disk_has_room", "folder=%s", daemon->config->data_dir);
}

uint64_t daemon_watch(struct daemon *daemon, struct instant now)
{
    look_at_disk(daemon);
    if (!daemon->seen.look)
        return UINT64_MAX;
    if (now.mono_us < daemon->seen.look_at_us)
        return daemon->seen.look_at_us;
    daemon->seen.look = false;
    daemon->seen.look_at_us = now.mono_us + LOOK_EVERY_US;
    look_at_gate(daemon);
    for (uint16_t i = 0; i < daemon->config->carrier_count; i++)
        look_at_carrier(daemon, i, now);
    return UINT64_MAX;
}

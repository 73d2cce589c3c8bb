/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's ports, plugged into files, Redis and sockets; and what comes back from them, handed to
 * the engine. No decision is taken here. */
#include <stdlib.h>

#include "gateway/certificates.h"
#include "gateway/daemon_state.h"
#include "gateway/submit_server.h"
#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"

/* Ledger -------------------------------------------------------------------------------------- */

static uint64_t port_ledger_append(void *context, struct span public_part,
                                   struct span personal_part)
{
    struct daemon *daemon = context;
    return ledger_append(daemon->ledger, public_part, personal_part);
}

static void port_ledger_flush(void *context)
{
    struct daemon *daemon = context;
    ledger_flush(daemon->ledger);
}

static uint64_t port_ledger_next(void *context)
{
    const struct daemon *daemon = context;
    return ledger_next(daemon->ledger);
}

static size_t port_ledger_room(void *context)
{
    const struct daemon *daemon = context;
    return ledger_room(daemon->ledger);
}

static bool port_ledger_no_space(void *context)
{
    const struct daemon *daemon = context;
    return ledger_no_space(daemon->ledger);
}

/* A reader that stands at `from`: the one of the last call when it was left there. */
static bool position_scan(struct daemon *daemon, uint64_t from)
{
    const char *why = "";
    if (daemon->scan != NULL && daemon->scan_next == from)
        return true;
    ledger_reader_free(daemon->scan);
    daemon->scan = NULL;
    enum err err = ledger_reader_open(daemon->config->data_dir, from, &daemon->scan, &why);
    if (err != ERR_OK)
        LOG_LIMITED(LOG_ERROR, "ledger_unreadable", "why=\"%s\"", why);
    daemon->scan_next = from;
    return err == ERR_OK;
}

static void end_scan(struct daemon *daemon)
{
    ledger_reader_free(daemon->scan);
    daemon->scan = NULL;
}

static uint64_t port_ledger_scan(void *context, uint64_t from, uint64_t until, uint32_t max_records,
                                 void (*each)(void *engine, uint64_t sequence,
                                              struct span public_part, struct span personal_part),
                                 void *engine)
{
    struct daemon *daemon = context;
    struct ledger_record record;
    enum err err = ERR_OK;
    if (from >= until)
        return until;
    if (!position_scan(daemon, from))
        return 0;
    while (max_records-- > 0 &&
           (err = ledger_reader_next(daemon->scan, until, &record)) == ERR_OK) {
        daemon->scan_next = record.sequence + 1;
        each(engine, record.sequence, record.public_part, record.personal_part);
    }
    if (err == ERR_AGAIN &&
        ledger_reader_at(daemon->scan) > daemon->scan_next) /* retention took the rest */
        daemon->scan_next =
            ledger_reader_at(daemon->scan) < until ? ledger_reader_at(daemon->scan) : until;
    uint64_t next = daemon->scan_next;
    if (err != ERR_OK && err != ERR_AGAIN)
        LOG_LIMITED(LOG_ERROR, "ledger_unreadable", "why=\"%s\"", ledger_reader_why(daemon->scan));
    if (next >= until || (err != ERR_OK && err != ERR_AGAIN))
        end_scan(daemon);
    return err == ERR_OK || err == ERR_AGAIN ? next : 0;
}

/* Store --------------------------------------------------------------------------------------- */

static bool port_store_check(void *context, const struct check *check)
{
    struct daemon *daemon = context;
    return store_check(daemon->store, check);
}

static bool port_store_write(void *context, const struct consent_write *write)
{
    struct daemon *daemon = context;
    return store_write(daemon->store, write);
}

static bool port_store_lookup(void *context, uint64_t cookie, uint64_t number,
                              const uint16_t *scopes, uint8_t scope_count, uint16_t opt_in_scope)
{
    struct daemon *daemon = context;
    return store_lookup(daemon->store, cookie, number, scopes, scope_count, opt_in_scope);
}

static bool port_store_resolve_scope(void *context, uint64_t cookie, const char *name)
{
    struct daemon *daemon = context;
    return store_resolve_scope(daemon->store, cookie, name);
}

static bool port_store_once(void *context, const struct once *once)
{
    struct daemon *daemon = context;
    return store_once(daemon->store, once);
}

static bool port_store_beat(void *context, const struct beat *beat)
{
    struct daemon *daemon = context;
    return store_beat(daemon->store, beat);
}

static bool port_store_notices(void *context)
{
    struct daemon *daemon = context;
    return store_notices(daemon->store);
}

static bool port_store_erased(void *context, uint64_t from)
{
    struct daemon *daemon = context;
    return store_erased(daemon->store, from);
}

static void port_store_flush(void *context)
{
    struct daemon *daemon = context;
    store_flush(daemon->store);
}

static bool store_keyed(void *context, const uint8_t key[PERSON_KEY_SIZE])
{
    return daemon_keep_person_key(context, key);
}

static void store_up(void *context, uint64_t applied)
{
    struct daemon *daemon = context;
    const char *warnings = store_warnings(daemon->store);
    if (warnings[0] != '\0')
        log_event(LOG_WARN, "store_warning", "what=\"%s\"", warnings);
    engine_on_store_warned(daemon->engine, warnings);
    engine_on_store_up(daemon->engine, applied);
    daemon->seen.look = true;
}

static void store_down(void *context, const char *why)
{
    struct daemon *daemon = context;
    engine_on_store_down(daemon->engine, why);
    daemon->seen.look = true;
}

static void store_checked(void *context, const struct check_result *results, size_t count)
{
    struct daemon *daemon = context;
    engine_on_checked(daemon->engine, results, count, clock_now());
}

static void store_written(void *context, uint64_t sequence, bool added)
{
    struct daemon *daemon = context;
    engine_on_written(daemon->engine, sequence, added, clock_now());
    daemon->seen.look = true; /* the gate opens when the last replayed write is in */
}

static void store_looked_up(void *context, uint64_t cookie, bool ok,
                            const struct consent_state *state)
{
    struct daemon *daemon = context;
    engine_on_looked_up(daemon->engine, cookie, ok, state, clock_now());
}

static void store_scope_resolved(void *context, uint64_t cookie, uint16_t number)
{
    struct daemon *daemon = context;
    engine_on_scope_resolved(daemon->engine, cookie, number, clock_now());
}

static void store_once_answered(void *context, uint64_t cookie, enum once_answer answer)
{
    struct daemon *daemon = context;
    engine_on_once(daemon->engine, cookie, answer, clock_now());
}

static void store_beaten(void *context, const struct nodes_look *look)
{
    struct daemon *daemon = context;
    engine_on_beaten(daemon->engine, look, clock_now());
    daemon->seen.look = true;
}

static void store_erased_read(void *context, const struct erased_page *page)
{
    struct daemon *daemon = context;
    engine_on_erased(daemon->engine, page, clock_now());
}

static void store_noticed(void *context, const struct notice *notices, size_t count, bool more)
{
    struct daemon *daemon = context;
    engine_on_noticed(daemon->engine, notices, count, more, clock_now());
}

const struct store_handlers daemon_store_handlers = {
    .keyed = store_keyed,
    .up = store_up,
    .down = store_down,
    .checked = store_checked,
    .written = store_written,
    .looked_up = store_looked_up,
    .scope_resolved = store_scope_resolved,
    .once_answered = store_once_answered,
    .beaten = store_beaten,
    .noticed = store_noticed,
    .erased = store_erased_read,
};

/* Links --------------------------------------------------------------------------------------- */

static void link_connected(void *context, struct link *link)
{
    (void)link;
    struct daemon_link *at = context;
    engine_on_link_up(at->daemon->engine, at->carrier, at->index, clock_now());
}

/* A busy pass of the loop reads many chunks. An opt-out in one of them goes on its way to the disk, to
 * Redis and back beside the work on the others, not behind it. */
static void keep_opt_outs_moving(struct daemon *daemon)
{
    ledger_flush(daemon->ledger);
    engine_on_durable(daemon->engine, ledger_durable(daemon->ledger));
    store_poll(daemon->store);
}

static void link_received(void *context, struct link *link, struct span octets)
{
    (void)link;
    struct daemon_link *at = context;
    at->daemon->seen.look = true; /* a bind_resp, for all that is known here */
    engine_on_link_octets(at->daemon->engine, at->carrier, at->index, octets, clock_now());
    keep_opt_outs_moving(at->daemon);
}

static void link_closed(void *context, struct link *link, const char *why)
{
    struct daemon_link *at = context;
    link_free(link);
    at->link = NULL;
    at->daemon->seen.look = true;
    engine_on_link_down(at->daemon->engine, at->carrier, at->index, why, clock_now());
}

/* What the socket could not take has gone: the turn after this event may write more. */
static void link_writable(void *context, struct link *link)
{
    (void)context;
    (void)link;
}

static const struct link_handlers link_handlers = {.connected = link_connected,
                                                   .received = link_received,
                                                   .closed = link_closed,
                                                   .writable = link_writable};

static struct daemon_link *link_at(void *context, uint16_t carrier, uint16_t index)
{
    struct daemon *daemon = context;
    CHECK(carrier < daemon->config->carrier_count);
    CHECK(index < daemon->config->carriers[carrier].sessions * 2);
    return &daemon->links[carrier][index];
}

static void port_link_open(void *context, uint16_t carrier, uint16_t index)
{
    struct daemon_link *at = link_at(context, carrier, index);
    const char *why = "";
    link_free(at->link);
    at->link = link_connect_tls(at->daemon->base, at->daemon->config->carriers[carrier].address,
                                certificates_of_carrier(at->daemon->certificates, carrier),
                                &link_handlers, at, &why);
    if (at->link == NULL) {
        at->refused = why;
        at->daemon->link_refused = true;
    }
}

static void port_link_flush(void *context, uint16_t carrier, uint16_t index, struct buffer *output)
{
    struct daemon_link *at = link_at(context, carrier, index);
    if (at->link != NULL)
        link_flush(at->link, output);
}

static void port_link_close(void *context, uint16_t carrier, uint16_t index)
{
    struct daemon_link *at = link_at(context, carrier, index);
    link_free(at->link);
    at->link = NULL;
}

static void port_link_reading(void *context, uint16_t carrier, uint16_t index, bool reading)
{
    struct daemon_link *at = link_at(context, carrier, index);
    if (at->link != NULL)
        link_set_reading(at->link, reading);
}

/* No port calls back into the engine before it returns, so a connection that could not even be begun
 * is told here. */
void daemon_tell_refused(struct daemon *daemon, struct instant now)
{
    if (!daemon->link_refused)
        return;
    daemon->link_refused = false;
    for (uint16_t c = 0; c < daemon->config->carrier_count; c++) {
        for (uint16_t i = 0; i < daemon->config->carriers[c].sessions * 2; i++) {
            struct daemon_link *at = &daemon->links[c][i];
            const char *why = at->refused;
            at->refused = NULL;
            if (why == NULL)
                continue;
            engine_on_link_down(daemon->engine, c, i, why, now);
        }
    }
}

/* Submitters ---------------------------------------------------------------------------------- */

static void port_consent_reply(void *context, uint64_t call, uint64_t ready_at,
                               const Assent__V1__ConsentReply *reply)
{
    struct daemon *daemon = context;
    submit_server_consent_reply(daemon->server, call, ready_at, reply);
}

static void port_reputation_reply(void *context, uint64_t call, uint64_t ready_at,
                                  const Assent__V1__ReputationReply *reply)
{
    const struct daemon *daemon = context;
    submit_server_reputation_reply(daemon->server, call, ready_at, reply);
}

static void port_complaint_reply(void *context, uint64_t call, uint64_t ready_at,
                                 const Assent__V1__ComplaintReply *reply)
{
    struct daemon *daemon = context;
    submit_server_complaint_reply(daemon->server, call, ready_at, reply);
}

static void port_show_reply(void *context, uint64_t call, const Assent__V1__ShowReply *reply)
{
    struct daemon *daemon = context;
    submit_server_show_reply(daemon->server, call, reply);
}

static void port_preflight_reply(void *context, uint64_t call,
                                 const Assent__V1__PreflightReply *reply)
{
    struct daemon *daemon = context;
    submit_server_preflight_reply(daemon->server, call, reply);
}

static bool port_erasure_find(void *context, const struct erase_reach *reach)
{
    return daemon_erasure_find(context, reach);
}

static bool port_erasure_destroy(void *context, const uint64_t *records, size_t count)
{
    return daemon_erasure_destroy(context, records, count);
}

static bool port_key_take(void *context, uint32_t *ret_id, uint8_t ret_key[SECRET_KEY_SIZE])
{
    struct daemon *daemon = context;
    return secret_keys_take(daemon->keys, ret_id, ret_key);
}

static void port_key_destroy(void *context, uint32_t id)
{
    struct daemon *daemon = context;
    secret_keys_destroy(daemon->keys, id);
}

static void port_random(void *context, void *out, size_t length)
{
    (void)context;
    rng_secret(out, length);
}

/* All ----------------------------------------------------------------------------------------- */

void daemon_ports_grow(struct daemon *daemon)
{
    for (uint16_t c = 0; c < daemon->config->carrier_count; c++) {
        uint16_t count = (uint16_t)(daemon->config->carriers[c].sessions * 2);
        if (daemon->links[c] != NULL)
            continue;
        daemon->links[c] = check_calloc(count, sizeof *daemon->links[c]);
        for (uint16_t i = 0; i < count; i++)
            daemon->links[c][i] = (struct daemon_link){.daemon = daemon, .carrier = c, .index = i};
    }
}

void daemon_ports_init(struct daemon *daemon)
{
    daemon_ports_grow(daemon);
    daemon->ports = (struct ports){
        .context = daemon,
        .ledger_append = port_ledger_append,
        .ledger_flush = port_ledger_flush,
        .ledger_next = port_ledger_next,
        .ledger_room = port_ledger_room,
        .ledger_no_space = port_ledger_no_space,
        .ledger_scan = port_ledger_scan,
        .key_take = port_key_take,
        .key_destroy = port_key_destroy,
        .store_check = port_store_check,
        .store_write = port_store_write,
        .store_lookup = port_store_lookup,
        .store_resolve_scope = port_store_resolve_scope,
        .store_once = port_store_once,
        .store_beat = port_store_beat,
        .store_notices = port_store_notices,
        .store_erased = port_store_erased,
        .store_flush = port_store_flush,
        .link_open = port_link_open,
        .link_flush = port_link_flush,
        .link_close = port_link_close,
        .link_reading = port_link_reading,
        .traced = daemon->trace != NULL ? daemon_traced : NULL,
        .consent_reply = port_consent_reply,
        .show_reply = port_show_reply,
        .complaint_reply = port_complaint_reply,
        .reputation_reply = port_reputation_reply,
        .preflight_reply = port_preflight_reply,
        .erasure_find = port_erasure_find,
        .erasure_destroy = port_erasure_destroy,
        .random = port_random,
    };
}

void daemon_ports_release(struct daemon *daemon)
{
    end_scan(daemon);
    for (uint16_t c = 0; c < daemon->config->carrier_count; c++) {
        for (uint16_t i = 0; daemon->links[c] && i < daemon->config->carriers[c].sessions * 2; i++)
            link_free(daemon->links[c][i].link);
        free(daemon->links[c]);
        daemon->links[c] = NULL;
    }
}

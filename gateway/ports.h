/* SPDX-License-Identifier: Apache-2.0 */
/* The seam: everything the engine can do to the world. The daemon plugs in sockets, Redis and files
 * (gateway/assentd.c); tests/sim plugs in memory, a virtual clock and one seed. What comes back from
 * the world are the engine_on_...() functions of gateway/engine.h.
 *
 * No function here calls back into the engine before it returns. */
#ifndef GATEWAY_PORTS_H
#define GATEWAY_PORTS_H

#include "consent/gate.h"
#include "consent/person.h"
#include "consent/secret.h"
#include "proto/assent.pb-c.h"
#include "proto/base/bytes.h"

struct ports {
    void *context;

    /* Ledger: as in consent/ledger.h. */
    uint64_t (*ledger_append)(void *context, struct span public_part, struct span personal_part);
    void (*ledger_flush)(void *context);
    uint64_t (*ledger_next)(void *context);
    size_t (*ledger_room)(void *context);
    bool (*ledger_no_space)(void *context);

    /* Reads consent records again: calls `each` for records from `from` on, up to and not including
     * `until`, at most `max_records`; gives the sequence number to go on from (`until` at the end),
     * or 0 when the ledger cannot be read. */
    uint64_t (*ledger_scan)(void *context, uint64_t from, uint64_t until, uint32_t max_records,
                            void (*each)(void *engine, uint64_t sequence, struct span public_part,
                                         struct span personal_part),
                            void *engine);

    /* Keys of texts that are not kept: as in consent/secret_keys.h. */
    bool (*key_take)(void *context, uint32_t *ret_id, uint8_t ret_key[SECRET_KEY_SIZE]);
    void (*key_destroy)(void *context, uint32_t id);

    /* Consent store: as in consent/store.h. */
    bool (*store_check)(void *context, const struct check *check);
    bool (*store_write)(void *context, const struct consent_write *write);
    bool (*store_lookup)(void *context, uint64_t cookie, uint64_t number, const uint16_t *scopes,
                         uint8_t scope_count, uint16_t opt_in_scope);
    bool (*store_resolve_scope)(void *context, uint64_t cookie, const char *name);
    bool (*store_once)(void *context, const struct once *once);
    bool (*store_beat)(void *context, const struct beat *beat);
    bool (*store_notices)(void *context);
    bool (*store_erased)(void *context, uint64_t from);
    void (*store_flush)(void *context);

    /* Carrier links, named by carrier and link index (below sessions * 2). */
    void (*link_open)(void *context, uint16_t carrier, uint16_t link);
    void (*link_flush)(void *context, uint16_t carrier, uint16_t link, struct buffer *output);
    void (*link_close)(void *context, uint16_t carrier, uint16_t link);
    void (*link_reading)(void *context, uint16_t carrier, uint16_t link, bool reading);

    /* Every whole PDU of every session, before it is acted on or written. NULL, as nearly always:
     * nobody looks. */
    void (*traced)(void *context, uint16_t carrier, uint16_t link, bool outgoing, struct span pdu);

    /* The answer to an engine_consent_...() call. `ready_at`: it may leave when the ledger is durable
     * up to there (0: now). The reply is copied. */
    void (*consent_reply)(void *context, uint64_t call, uint64_t ready_at,
                          const Assent__V1__ConsentReply *reply);
    void (*show_reply)(void *context, uint64_t call, const Assent__V1__ShowReply *reply);

    void (*complaint_reply)(void *context, uint64_t call, uint64_t ready_at,
                            const Assent__V1__ComplaintReply *reply);

    void (*reputation_reply)(void *context, uint64_t call, uint64_t ready_at,
                             const Assent__V1__ReputationReply *reply);

    void (*preflight_reply)(void *context, uint64_t call, const Assent__V1__PreflightReply *reply);

    /* The files of an erasure, one call at a time, each answered by engine_on_erasure_found() or ..._destroyed():
     * the person's records in reach; then their destruction, and that of every snapshot from
     * before this call. `records` are copied. False: not now. */
    bool (*erasure_find)(void *context, const struct erase_reach *reach);
    bool (*erasure_destroy)(void *context, const uint64_t *records, size_t count);

    void (*random)(void *context, void *out, size_t length); /* for one-time tokens and nonces */
};

#endif

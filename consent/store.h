/* SPDX-License-Identifier: Apache-2.0 */
/* The consent sets in Redis. One connection, pipelined, so that replies come in the order of what
 * was asked: when a write is acknowledged, every check asked before it has been answered, but those that wait for a
 * place under a cap, which may be a reading later: the deny set outlasts them (DENY_GRACE_MS).
 *
 * Invariants
 * - Every check asked is answered exactly once, by a reply or as not known.
 * - Wrong type, wrong length, an answer nobody asked for, timeout (STORE_DEADLINE_MS), lost
 *   connection, any error reply to a write, and an error reply to a check that speaks of this Redis
 *   (LOADING, NOAUTH, READONLY, MASTERDOWN, ...): everything in flight fails, checks as
 *   not known, the connection is closed and made again after a back-off with jitter (10 ms
 *   doubling to 1 s). An error that concerns one check alone (WRONGTYPE of its bucket, OOM, BUSY) is
 *   not known for that check, and the others go on.
 * - A Redis that is emptied or restored under a living connection is not believed: the mark is read behind
 *   each batch of checks, and with every write and lookup. Another mark: everything in flight fails.
 * - Octets from Redis cannot crash or grow this process: a guard bounds arrays and strings before the
 *   parser sees them.
 * - A check asked and a write handed over leave in one write(2) a turn: store_flush(). Writes that are
 *   handed over one behind the other share a MULTI, up to STORE_BATCH_WRITES, between two of which Redis has a
 *   STOP of another gateway; and opt-outs of one bucket that nothing else goes with, as imports have them, share
 *   a SADD: of those the first alone is told whether it changed anything.
 *
 * Keys (B = hash of the number modulo the bucket count, 2^16 where nothing else is set)
 *   assent:buckets          bucket count, written once; a mismatch with the setting refuses
 *   assent:scopes           hash: scope number -> name
 *   optin:{B} optout:{B}    sets of scope << 50 | number; of who was erased, SCOPE_ERASED << 50 | fingerprint
 *   days:{B}                hash: scope << 50 | number -> day since 1970, where a write has one;
 *                           the newest stays
 *   pending:{B}:KEY         "REQUEST ASKED EXPIRES HEX-SHA256 NODE SENDER", KEY = scope << 50 |
 *                           number; "0 ASKED EXPIRES declined" after a NO, which no replay of its
 *                           question takes away; kept a week longer than it may be answered. One that was asked earlier
 *                           never takes its place, nor does the answer to one
 *   once:{B}:KIND:KEY       the node that was first, with a time-to-live
 *   stops:{B}:WEEK          sorted set: scope << 50 | number by the time of its newest opt-out, of those written
 *                           in that week (imports have none), kept for another: a late START lifts nothing
 *                           that came after it
 *   assent:applied          hash: node -> "SEQUENCE MARK", the ledger position of its newest consent write and
 *                           the mark beside which it was written
 *   assent:incarnation      the mark, a random word made when it is missing: tells one set of data from another
 *   assent:nodes            hash: node -> its last beat (consent/nodes.h)
 *   assent:erased           sorted set: who was erased, by the time of it (consent/erased.h)
 *   assent:person-key       the key of fingerprints, 32 hex digits; whoever comes first writes its own
 *   assent:notices          stream: NODE -> "SEQUENCE NUMBER SCOPE ...", its newest opt-outs; gone
 *                           NOTICE_KEPT_MS after the last (consent/notice.h)
 *
 *   assent:caps             stream: NODE -> places under frequency caps that its texts ask for, in the order in
 *                           which all gateways count them (consent/caps.h); as long as the longest window
 *
 * Thread: the loop's. */
#ifndef CONSENT_STORE_H
#define CONSENT_STORE_H

#include "consent/gate.h"
#include "consent/person.h"
#include "proto/base/err.h"

/* While this key is there the sets are being made again (consent/sets.h): nobody is up. */
#define STORE_REBUILDING_KEY "assent:rebuilding"
#define STORE_PERSON_KEY     "assent:person-key"
#define STORE_ERASED_KEY     "assent:erased"

struct event_base;
struct store;

struct store_config {
    const char *url;      /* unix:///PATH, redis://HOST:PORT/DB */
    const char *password; /* NULL for none */
    const char *node;
    uint32_t buckets; /* a power of two */
    /* PERSON_KEY_SIZE octets, or NULL: not told, `keyed` not called, and no place under a cap asked for. This
     * gateway's key of fingerprints. */
    const uint8_t *person_key;
};

struct store_handlers {
    /* The key of fingerprints that all gateways on this Redis have, before each `up`. False: it cannot be this
     * one's, and the connection ends. */
    bool (*keyed)(void *context, const uint8_t key[PERSON_KEY_SIZE]);
    /* Connected, authenticated, bucket count right, scopes resolvable. `applied` is this node's
     * position in Redis (0: none). Nothing may be checked before the owner has caught up. */
    void (*up)(void *context, uint64_t applied);
    /* Away, with a reason for people ("connection refused", "LOADING ...", "bucket count 1024 in
     * Redis, 262144 configured"). Called when `up` had been, and while away when the reason is
     * another than before; every check and write in flight has failed before. A write that failed
     * is not told: it is above the position that the next `up` gives. */
    void (*down)(void *context, const char *why);
    /* Answers to checks, many in one call. */
    void (*checked)(void *context, const struct check_result *results, size_t count);
    /* A write was applied. `changed`: for WRITE_OPT_OUT, at least one scope was new in Redis; for
     * WRITE_LIFT_OPT_OUT, none of its scopes stands any more. */
    void (*written)(void *context, uint64_t sequence, bool changed);
    /* Answer to store_lookup(); ok false: away. */
    void (*looked_up)(void *context, uint64_t cookie, bool ok, const struct consent_state *state);
    /* Answer to store_resolve_scope(): number 0 when away. */
    void (*scope_resolved)(void *context, uint64_t cookie, uint16_t number);
    /* Answer to store_once(). */
    void (*once_answered)(void *context, uint64_t cookie, enum once_answer answer);
    /* Answer to store_beat(); NULL: away. A Redis that has lost what it had acknowledged on this connection
     * does not come here: the connection ends. */
    void (*beaten)(void *context, const struct nodes_look *look);
    /* Answer to store_notices(): those of other gateways; `more`: there may be more. Away: none. */
    void (*noticed)(void *context, const struct notice *notices, size_t count, bool more);
    /* Answer to store_erased(); NULL: away. */
    void (*erased)(void *context, const struct erased_page *page);
};

/* Connects from the loop; no handler runs before this returns. NULL when the URL or the password
 * (over 512 octets) cannot be. The host of a TCP URL is looked up once, which blocks: an address does
 * not. Handlers may call anything here but store_free(). */
struct store *store_new(struct event_base *base, const struct store_config *config,
                        const struct store_handlers *handlers, void *context);
void store_free(struct store *store); /* calls no handler; what is in flight is forgotten */

/* False (and nothing asked) when away or full: STORE_CHECKS_MAX checks or STORE_OTHERS_MAX others in
 * flight. */
MUST_CHECK bool store_check(struct store *store, const struct check *check);
MUST_CHECK bool store_write(struct store *store, const struct consent_write *write);
MUST_CHECK bool store_lookup(struct store *store, uint64_t cookie, uint64_t number,
                             const uint16_t *scopes, uint8_t scope_count, uint16_t opt_in_scope);
/* The number that belongs to `name`, taking a free one (hash of the name, then the next) when it has
 * none yet. Race-free between gateways: HSETNX. */
MUST_CHECK bool store_resolve_scope(struct store *store, uint64_t cookie, const char *name);
/* Whether this is the first time in `ttl_ms`, over all gateways; from now on it is not. */
MUST_CHECK bool store_once(struct store *store, const struct once *once);
MUST_CHECK bool store_beat(struct store *store, const struct beat *beat);
/* Reads at most NOTICES_READ notices that came since the last time; on a new connection, all. And what places
 * under caps other gateways have taken. */
MUST_CHECK bool store_notices(struct store *store);
/* Reads at most ERASED_READ of those who were erased, from this rank on. */
MUST_CHECK bool store_erased(struct store *store, uint64_t from);

/* Sends what was asked since the last call: once a loop turn. */
void store_flush(struct store *store);

/* Takes what Redis has answered by now, without waiting for the loop to come by. Calls the handlers; not
 * to be called by one. */
void store_poll(struct store *store);

bool store_is_up(const struct store *store);

/* Warnings found at connect (may evict, does not persist, intset limit too small), for the log and
 * the status; "" for none. */
const char *store_warnings(const struct store *store);

#endif

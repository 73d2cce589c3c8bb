/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to Redis as octets, made by hand: one pass, no format strings, no allocation. Pure; every
 * argument goes as a string of stated length, so no name or number can become a command.
 * The keys are those of consent/store.h. */
#ifndef CONSENT_STORE_COMMAND_H
#define CONSENT_STORE_COMMAND_H

#include "consent/gate.h"
#include "proto/base/bytes.h"
#include "proto/base/hash.h"

/* Room that no command below exceeds (names and passwords are bounded by their owners). */
#define COMMAND_OCTETS_MAX 12288

static inline uint32_t store_bucket(uint64_t number, uint32_t buckets)
{
    return (uint32_t)(hash_mix(number) & (buckets - 1));
}

/* Any command of constant words and short strings, ended by NULL. */
void command_words(struct writer *w, const char *const *words);

/* SMISMEMBER, and what else is needed: SISMEMBER of the opt-in or HGET of its day; HMGET of days. */
void command_check(struct writer *w, const struct check *check, uint32_t buckets);

/* SMISMEMBER, SISMEMBER, GET pending. */
void command_lookup(struct writer *w, uint64_t number, const uint16_t *scopes, uint8_t scope_count,
                    uint16_t opt_in_scope, uint32_t buckets);

/* A batch of writes: MULTI, the commands of each write (gives how many), HSET assent:applied, GET of the mark
 * and EXEC. `before`: the position of the connection's batch before, without which this one's does not stand; 0 for
 * its first. */
void command_batch_begin(struct writer *w);
unsigned command_write(struct writer *w, const struct consent_write *write, uint32_t buckets);
/* An opt-out that asks for nothing beside: several of one bucket may share their SADD. */
bool command_is_plain(const struct consent_write *write);
void command_write_plain(struct writer *w, uint32_t bucket, const uint64_t *members, size_t count);
void command_batch_end(struct writer *w, const char *node, uint64_t sequence, uint64_t before,
                       const char *mark);

/* SET once:{B}:KIND:KEY NODE NX PX TTL. */
void command_once(struct writer *w, const struct once *once, const char *node, uint32_t buckets);

/* Of an opt-out: XADD to assent:notices, behind command_write(); each gives how many commands it was. Once in
 * a batch that has some, PEXPIRE. */
unsigned command_notice(struct writer *w, const struct consent_write *write, const char *node);
unsigned command_notices_end(struct writer *w);
/* XADD and PEXPIRE: a batch of consent/caps.h. XRANGE: from this entry on, with it or behind it. */
#define CAPS_KEY "assent:caps"
void command_add_caps(struct writer *w, const char *node, struct span batch, uint64_t from_ms,
                      uint64_t kept_ms);
void command_read_caps(struct writer *w, const char *after, bool itself);

/* XRANGE: those behind this one. */
void command_notices(struct writer *w, const char *after);

/* Who was erased, from this rank on. */
void command_erased(struct writer *w, uint64_t from, uint32_t buckets);

/* HSETNX and HGET of the scope registry. */
void command_resolve(struct writer *w, uint16_t scope, const char *name);

#endif

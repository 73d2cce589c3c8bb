/* SPDX-License-Identifier: Apache-2.0 */
/* What a record of the ledger asks of Redis: the one place that says so. The gateway writes by it as it runs,
 * `assent consent rebuild` writes by it again, `assent consent check` compares by it. Pure. */
#ifndef CONSENT_PROJECTION_H
#define CONSENT_PROJECTION_H

#include "consent/gate.h"
#include "proto/base/err.h"
#include "proto/event.pb-c.h"

/* Adds scopes to a write, as many as it holds. */
void write_scopes(struct consent_write *write, const uint32_t *scopes, size_t count);

/* A START lifts what is kept of an erased person's opt-outs too, which no longer says in which scope they were. A
 * hold that is released does not. */
bool lifts_erasure(const Assent__V1__OptedInAgain *body);

/* Of records with this body the projection is made. */
bool body_is_consent(uint32_t body);

/* When a START came. */
uint64_t again_effect(const Assent__V1__Event *event);

/* The days of a program's consents are kept where it asks for them: where it has a consent_max_age. */
struct projection_rules {
    bool (*keeps_days)(const void *context, uint32_t program_scope);
    const void *context;
};

/* False: it asks for nothing, or the person it was about has been erased. *ret_write must be zero before. */
MUST_CHECK bool write_of_event(uint64_t sequence, const Assent__V1__Event *event,
                               const Assent__V1__Personal *personal,
                               const struct projection_rules *rules,
                               struct consent_write *ret_write);

#endif

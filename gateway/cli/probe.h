/* SPDX-License-Identifier: Apache-2.0 */
/* assent carrier probe: one bind, one text, and what a carrier was seen to do.
 *
 * A probe is no way round consent: its text leaves only after Redis has said of every scope in the
 * configuration that the number is not opted out, at most VERDICT_AGE_MAX_MS before, and only while
 * Redis has all opt-outs of this node's ledger. And it takes nothing from the gateway that may be bound
 * beside it: every delivery but the receipt of its own text is refused as temporary, so that the carrier
 * brings it again. */
#ifndef GATEWAY_CLI_PROBE_H
#define GATEWAY_CLI_PROBE_H

#include <stdio.h>

#include "gateway/config.h"
#include "proto/base/span.h"

struct event_base;
struct sm_body;

struct probe_order {
    const struct config *config;
    const struct carrier_config *carrier;
    const char *sender;
    uint64_t number;
    uint64_t timeout_us; /* for the receipt */
};

/* Progress goes to stderr, the profile to stdout. Gives an exit code. */
int probe_run(const struct probe_order *order);

/* ---- the gate (probe_gate.c) ---- */

enum gate_state {
    GATE_CONNECTING, /* Redis is away, or scope numbers are being read */
    GATE_READY,      /* may be asked */
    GATE_ASKED,
    GATE_PASSED,  /* just now: send at once */
    GATE_REFUSED, /* for good; probe_gate_why() says why */
};

struct probe_gate;

/* NULL after a complaint. */
struct probe_gate *probe_gate_new(struct event_base *base, const struct config *config,
                                  uint64_t number);
void probe_gate_free(struct probe_gate *gate); /* NULL is fine */

enum gate_state probe_gate_turn(struct probe_gate *gate); /* once a turn of the loop */
void probe_gate_ask(struct probe_gate *gate);             /* only when GATE_READY */
const char *probe_gate_why(const struct probe_gate *gate);
size_t probe_gate_scopes(const struct probe_gate *gate);

/* ---- what was seen (probe_profile.c, pure) ---- */

struct probe_times {
    uint64_t least_us, most_us, sum_us;
    unsigned count;
};

struct probe_receipt {
    char id[MESSAGE_ID_MAX + 1]; /* as written */
    char state[16];
    uint64_t after_us; /* from the submit_sm */
    uint8_t esm_class, data_coding;
    bool marked;                           /* by esm_class or TLVs */
    bool id_tlv, state_tlv, error_tlv;     /* which of them were there */
    bool in_data_sm, in_payload, is_early; /* early: before the submit_sm_resp */
};

struct probe_facts {
    struct probe_times bind, enquire;
    char server[17];         /* the carrier's own system_id */
    int interface_version;   /* -1: not told */
    const char *tls_version; /* NULL: no TLS */
    uint64_t submit_us;      /* to the answer; 0: none came */
    uint32_t submit_status;
    char submit_id[MESSAGE_ID_MAX + 1];
    struct probe_receipt receipt; /* the first that fits; with an empty state: none */
    unsigned receipts;            /* that fit */
    unsigned strangers;           /* deliveries that were none of ours, and refused */
    unsigned unmatched;           /* receipts for the number whose id fits under no setting */
    char unmatched_id[MESSAGE_ID_MAX + 1];
};

void probe_times_add(struct probe_times *times, uint64_t us);

/* A peer's words: printable ASCII stays; what could break a line or a terminal becomes "?". */
void probe_copy_text(char *out, size_t size, struct span text);

/* What a delivery says of itself. False when it is no receipt, marked or by its text. */
bool probe_receipt_read(const struct sm_body *body, struct probe_receipt *ret_receipt);

/* Under which settings do both ids mean the same? Those of `carrier` where they do, else the fewest
 * changes. */
bool probe_id_forms(const struct carrier_config *carrier, const char *submit_id,
                    const char *receipt_id, enum id_form *ret_submit, enum id_form *ret_receipt);

/* The profile: keys for the carrier's entry under `carriers:`, and what was measured as comments. */
void probe_print(const struct carrier_config *carrier, const struct probe_facts *facts, FILE *out);

#endif

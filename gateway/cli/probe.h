/* SPDX-License-Identifier: Apache-2.0 */
/* assent carrier probe: one bind, one text or some, and what a carrier was seen to do.
 *
 * A probe is no way round consent: each of its texts leaves only after Redis has said of every scope in
 * the configuration that the number is not opted out, at most VERDICT_AGE_MAX_MS before, and only while
 * Redis has all opt-outs of this node's ledger. It is none round the carrier's rate either: it holds the
 * lock of the data directory, so that no gateway sends meanwhile, and is silent for the first second. Only
 * one single text may be sent beside a gateway. No text is sent twice, whatever it is answered with.
 * And it takes nothing from a gateway: every delivery but the receipts of its own texts is refused as
 * temporary, so that the carrier brings it again. */
#ifndef GATEWAY_CLI_PROBE_H
#define GATEWAY_CLI_PROBE_H

#include <stdio.h>

#include "gateway/config.h"
#include "proto/base/err.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"

struct event_base;
struct sm_body;

struct probe_order {
    const struct config *config;
    const struct carrier_config *carrier;
    const char *sender;
    uint64_t number;
    unsigned texts;      /* 1..PROBE_TEXTS_MAX */
    bool beside;         /* a gateway may run: then one text, which no ledger has */
    uint64_t timeout_us; /* for the receipts */
};

/* Progress goes to stderr, the profile to stdout. Gives an exit code. */
int probe_run(const struct probe_order *order);

/* ---- the gate (probe_gate.c) ---- */

enum gate_state {
    GATE_CONNECTING, /* Redis is away, or scope numbers are being read */
    GATE_READY,      /* may be asked */
    GATE_ASKED,
    GATE_PASSED,  /* for one text, which has to be taken soon */
    GATE_REFUSED, /* for good; probe_gate_why() says why */
};

struct probe_gate;

/* NULL after a complaint. */
struct probe_gate *probe_gate_new(struct event_base *base, const struct config *config,
                                  uint64_t number);
void probe_gate_free(struct probe_gate *gate); /* NULL is fine */

enum gate_state probe_gate_turn(struct probe_gate *gate); /* once a turn of the loop */
void probe_gate_ask(struct probe_gate *gate);             /* only when GATE_READY */

/* One text is about to leave. False: the verdict has become too old, ask again. Only when GATE_PASSED,
 * which it ends. */
MUST_CHECK bool probe_gate_take(struct probe_gate *gate);
const char *probe_gate_why(const struct probe_gate *gate);
size_t probe_gate_scopes(const struct probe_gate *gate);

/* ---- the record (probe_record.c) ---- */

/* A `probed` event before the first text, with how many may follow, and one at the end, with what became
 * of them. Whoever is killed in between has left the first: up to so many texts may have arrived. */
struct probe_record;

/* Takes the data directory as a gateway does, unless the order says `beside`. NULL after a complaint. */
struct probe_record *probe_record_open(const struct probe_order *order);
void probe_record_begin(struct probe_record *record);
bool probe_record_is_durable(const struct probe_record *record); /* only then is anything sent */
bool probe_record_failed(const struct probe_record *record);

struct probe_facts;

/* Frees it. NULL is fine. */
void probe_record_end(struct probe_record *record, const struct probe_facts *facts);

/* ---- what was seen (probe_profile.c, pure) ---- */

struct probe_times {
    uint64_t least_us, most_us, sum_us;
    unsigned count;
};

/* In the order of sending. */
struct probe_text {
    uint64_t sent_us, answered_us; /* answered_us 0: no answer */
    unsigned depth;                /* unanswered texts at sending, this one included */
    uint32_t status;
    unsigned receipts;
    char id[MESSAGE_ID_MAX + 1];
};

struct probe_receipt {
    char id[MESSAGE_ID_MAX + 1]; /* as written */
    char state[16];
    uint64_t came_us, after_us; /* after_us: from the submit_sm */
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
    struct probe_text texts[PROBE_TEXTS_MAX];
    unsigned sent, ended, taken,
        reported;                 /* ended: answered, or given up; reported: have a receipt */
    struct probe_receipt receipt; /* the first that fits; with an empty state: none */
    char receipt_ids[PROBE_TEXTS_MAX][MESSAGE_ID_MAX + 1];
    unsigned receipts;  /* that fit; of so many the ids are kept as there is room for */
    unsigned strangers; /* deliveries that were none of ours, and refused */
    unsigned unmatched; /* receipts for the number whose id fits under no setting */
    char unmatched_id[MESSAGE_ID_MAX + 1];
};

void probe_times_add(struct probe_times *times, uint64_t us);

/* A peer's words: printable ASCII stays; what could break a line or a terminal becomes "?". */
void probe_copy_text(char *out, size_t size, struct span text);

/* What a delivery says of itself. False when it is no receipt, marked or by its text. */
bool probe_receipt_read(const struct sm_body *body, struct probe_receipt *ret_receipt);

/* The profile: keys for the carrier's entry under `carriers:`, and what was measured as comments. */
void probe_print(const struct carrier_config *carrier, struct probe_facts *facts, FILE *out);

/* ---- what it says (probe_texts.c, pure) ---- */

/* What the answers say of the carrier's window. */
enum window_finding {
    WINDOW_AT_LEAST, /* nothing was refused */
    WINDOW_FOUND,   /* one more than was ever taken was refused, with a status that may mean this */
    WINDOW_REFUSED, /* refused, but that was not the window, or not surely */
    WINDOW_SILENT,  /* a text was not answered */
};

struct probe_window {
    enum window_finding finding;
    unsigned taken; /* most texts that were unanswered when one more was taken, that one included */
    unsigned depth; /* of the first text that was refused or not answered */
    uint32_t status; /* its status */
};

/* Of the texts before the first that was not taken: what is refused at the edge of a window is still
 * unanswered when those behind it are sent, and takes no place at the carrier. */
struct probe_window probe_window_find(const struct probe_facts *facts);

/* The first text with an answer; NULL: none has. */
const struct probe_text *probe_first_answer(const struct probe_facts *facts);

/* The text that a receipt is about, with the fewest changes to the settings; NULL: of none. */
struct probe_text *probe_text_of(struct probe_facts *facts, const struct carrier_config *carrier,
                                 const char *receipt_id);

/* Under which settings do both ids mean the same? Those of `carrier` where they do, else the fewest
 * changes. */
bool probe_id_forms(const struct carrier_config *carrier, const char *submit_id,
                    const char *receipt_id, enum id_form *ret_submit, enum id_form *ret_receipt);

/* The same over all ids and receipts: settings under which most receipts find a text. */
bool probe_forms_of_all(const struct carrier_config *carrier, struct probe_facts *facts,
                        enum id_form *ret_submit, enum id_form *ret_receipt);

#endif

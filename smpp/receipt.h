/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery receipts: the text of Appendix B as carriers really write it, and the TLVs
 * receipted_message_id, message_state and network_error_code, which win over the text. */
#ifndef SMPP_RECEIPT_H
#define SMPP_RECEIPT_H

#include "proto/event.pb-c.h"
#include "smpp/pdu.h"

struct receipt {
    struct span message_id;         /* raw, a view; empty when there is none */
    Assent__V1__ReceiptState state; /* UNSPECIFIED when none is given, UNKNOWN for a strange word */
    struct span state_text;         /* raw */
    bool strange;        /* the state is a word that is not known, so it decides nothing */
    char error_code[12]; /* as written; of a TLV's three octets the digits "type:code" */
};

/* True when esm_class or the receipt TLVs say that `body` is a receipt. */
bool receipt_is(const struct sm_body *body);

/* True when only its text says so: it begins with an id and has a known state. Anybody can type that,
 * so this is asked only for carriers whose receipts are marked in no other way. */
bool receipt_is_by_text(const struct sm_body *body);

/* False when neither text nor TLVs hold an id. The text is decoded as ASCII whatever data_coding says. */
bool receipt_parse(const struct sm_body *body, struct receipt *ret_receipt);

/* The text alone (fuzzed; also used by tests). */
bool receipt_parse_text(struct span text, struct receipt *ret_receipt);

#endif

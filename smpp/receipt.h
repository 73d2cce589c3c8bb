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
    struct span state_text;         /* raw, for words that are not known */
    char error_code[12]; /* as written; the TLV's as "type:code" digits when that is all there is */
};

/* True when esm_class or the receipt TLVs say that `body` is a receipt. */
bool receipt_is(const struct sm_body *body);

/* False when neither text nor TLVs hold an id. The text is decoded as ASCII whatever data_coding says. */
bool receipt_parse(const struct sm_body *body, struct receipt *ret_receipt);

/* The text alone (fuzzed; also used by tests). */
bool receipt_parse_text(struct span text, struct receipt *ret_receipt);

#endif

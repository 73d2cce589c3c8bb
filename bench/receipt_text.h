/* SPDX-License-Identifier: Apache-2.0 */
/* Message ids and delivery receipts in the many forms that carriers give them. Pure; the simulation
 * uses it too. */
#ifndef BENCH_RECEIPT_TEXT_H
#define BENCH_RECEIPT_TEXT_H

#include "smpp/pdu.h"

enum id_spelling { SPELLING_DEC, SPELLING_HEX, SPELLING_ZEROS, SPELLING_UUID, SPELLING_LONG };

/* NUL-terminated; gives the length. */
size_t id_write(enum id_spelling spelling, uint64_t id, char out[MESSAGE_ID_MAX + 1]);

/* message_state of section 5.2.28, and one that only has a word. */
#define STATE_BUFFERED      0
#define STATE_EN_ROUTE      1
#define STATE_DELIVERED     2
#define STATE_EXPIRED       3
#define STATE_DELETED       4
#define STATE_UNDELIVERABLE 5
#define STATE_ACCEPTED      6
#define STATE_UNKNOWN       7
#define STATE_REJECTED      8

/* How one receipt is written; bits. */
#define RECEIPT_NO_TEXT     0x01u
#define RECEIPT_NO_TLVS     0x02u
#define RECEIPT_PAYLOAD     0x04u /* the text goes in message_payload */
#define RECEIPT_TLV_ERROR   0x08u /* network_error_code in 3 binary octets */
#define RECEIPT_ASCII_ERROR 0x10u /* in 3 ASCII digits */

#define RECEIPT_VARIANTS 8 /* of the text; 0 is that of appendix B */

struct receipt_facts {
    uint64_t message_id, submitted_wall_ms, done_wall_ms;
    enum id_spelling id_spelling;
    uint8_t message_state; /* one of those above */
    uint8_t form;          /* RECEIPT_ bits */
    uint8_t variant;
};

/* What the message's spans point into. */
struct receipt_buffers {
    char text[288];
    char id[MESSAGE_ID_MAX + 1];
    uint8_t state, error[3];
    struct tlv tlvs[4];
};

/* Fills esm_class, text and TLVs of *message; the rest stays. */
void receipt_write(const struct receipt_facts *facts, struct receipt_buffers *buffers,
                   struct sm_out *message);

#endif

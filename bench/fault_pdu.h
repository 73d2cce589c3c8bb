/* SPDX-License-Identifier: Apache-2.0 */
/* Bends the last PDU of a buffer, which begins `at` octets behind its start and was well made, into
 * what some carrier would have sent. Pure. */
#ifndef BENCH_FAULT_PDU_H
#define BENCH_FAULT_PDU_H

#include "proto/base/bytes.h"
#include "smpp/pdu.h"

enum pdu_word { WORD_LENGTH, WORD_COMMAND, WORD_STATUS, WORD_SEQUENCE };

uint32_t pdu_word(struct span pdu, enum pdu_word word);
void pdu_set_word(uint8_t *pdu, enum pdu_word word, uint32_t value);

/* Nothing but the header, or the header and `body`. */
void pdu_set_body(struct buffer *out, size_t at, struct span body);

void pdu_repeat(struct buffer *out, size_t at);

/* A generic_nack with this sequence number and the PDU's status. */
void pdu_to_nack(struct buffer *out, size_t at, uint32_t sequence_number);

/* deliver_sm to data_sm, whose text is in message_payload. */
void pdu_to_data_sm(struct buffer *out, size_t at);

/* The message_payload, the only TLV, goes into short_message, which may then have 255 octets. */
void pdu_payload_to_short_message(struct buffer *out, size_t at);

#endif

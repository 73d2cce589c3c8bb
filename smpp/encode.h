/* SPDX-License-Identifier: Apache-2.0 */
/* Writes PDUs behind what `out` already holds: all of a PDU or nothing of it.
 *
 * The hot path (messages and their responses) is written by hand, and its octets are those that
 * libsmpp34 would give; session PDUs are packed by libsmpp34, and by hand where it refuses what
 * carriers ask for: passwords above 8 octets, vendor statuses, sequence number 0. encode.c is the
 * only user of that library, on one thread, and never feeds it octets from the network but a
 * sequence number. */
#ifndef SMPP_ENCODE_H
#define SMPP_ENCODE_H

#include "proto/base/bytes.h"
#include "smpp/pdu.h"

/* ERR_BAD_INPUT: an address above 20 octets or not terminated, a text above SHORT_MESSAGE_MAX, a
 * short_message beside a message_payload, a string that is too long or has a NUL, a PDU above PDU_MAX. ERR_FULL: `out` has no room.
 * `command_id` is SMPP_SUBMIT_SM or SMPP_DELIVER_SM. */
MUST_CHECK enum err encode_sm(struct buffer *out, uint32_t command_id, uint32_t sequence_number,
                              const struct sm_out *message);

/* The response to a submit_sm, deliver_sm or data_sm; `command_id` is the response's. A
 * submit_sm_resp with an error has no body, a deliver_sm_resp has an empty id always. An id above
 * MESSAGE_ID_MAX, or with a NUL inside, is ERR_BAD_INPUT. */
MUST_CHECK enum err encode_message_resp(struct buffer *out, uint32_t command_id,
                                        uint32_t command_status, uint32_t sequence_number,
                                        struct span message_id);
#define ENCODE_MESSAGE_RESP_MAX (SMPP_HEADER_SIZE + MESSAGE_ID_MAX + 1)

/* `command_id` says which bind. system_id at most 16 octets, password 64, system_type 13,
 * address_range 40, no NUL inside: else ERR_BAD_INPUT. */
MUST_CHECK enum err encode_bind(struct buffer *out, uint32_t command_id, uint32_t sequence_number,
                                const struct bind_body *bind);

/* With sc_interface_version 0x34 when command_status is ESME_ROK. system_id at most 16 octets. */
MUST_CHECK enum err encode_bind_resp(struct buffer *out, uint32_t command_id,
                                     uint32_t command_status, uint32_t sequence_number,
                                     struct span system_id);

/* A PDU without a body: unbind, enquire_link, their responses, generic_nack, and the refusal of a
 * command that is not supported. */
MUST_CHECK enum err encode_header(struct buffer *out, uint32_t command_id, uint32_t command_status,
                                  uint32_t sequence_number);

#endif

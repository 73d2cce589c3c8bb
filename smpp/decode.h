/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a peer sends is decoded here: pure, bounded, without allocation. Results are views
 * into `pdu`, the octets of one whole PDU with its header.
 *
 * Tolerant where peers are known to differ: responses with or without a body, with TLVs, or without
 * the NUL of their last string; short_message of 255 octets; any interface_version, TON and NPI;
 * message_payload as large as the PDU; TLVs in any order, unknown ones kept, more than TLV_MAX
 * counted; a broken last TLV is counted in passed_over, unless it is the message_payload itself.
 * Strict where a guess could send a text to the wrong place: addresses and the text's length.
 *
 * Functions give ESME_ROK, or the command_status to answer with; then the result means nothing. */
#ifndef SMPP_DECODE_H
#define SMPP_DECODE_H

#include "proto/base/err.h"
#include "smpp/pdu.h"

enum frame_result {
    FRAME_NEED_MORE,
    FRAME_WHOLE,     /* octets [0, command_length) are one PDU */
    FRAME_BAD_LENGTH /* below the header's size or above `limit`: no way to find the next PDU */
};

/* Looks at the front of a stream. ret_header is filled for FRAME_WHOLE, and command_length alone as
 * soon as four octets are there. */
MUST_CHECK enum frame_result decode_frame(struct span octets, uint32_t limit,
                                          struct pdu_header *ret_header);

/* bind_receiver, bind_transmitter, bind_transceiver. */
MUST_CHECK uint32_t decode_bind(struct span pdu, struct bind_body *ret_body);

/* Any bind response; cannot fail, since an empty body is allowed. */
void decode_bind_resp(struct span pdu, struct bind_resp_body *ret_body);

/* submit_sm, deliver_sm, data_sm (told apart by the command_id in `pdu`). */
MUST_CHECK uint32_t decode_sm(struct span pdu, struct sm_body *ret_body);

/* submit_sm_resp, deliver_sm_resp, data_sm_resp. A message_id above MESSAGE_ID_MAX counts as none. */
void decode_message_resp(struct span pdu, struct message_id_body *ret_body);

/* The message_id alone: the hot path has no use for a response's TLVs. */
struct span decode_message_id(struct span pdu);

/* The first TLV with `tag`, or NULL. */
const struct tlv *tlv_find(const struct tlv_list *tlvs, uint16_t tag);

#endif

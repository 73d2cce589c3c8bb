/* SPDX-License-Identifier: Apache-2.0 */
/* SMPP 3.4 PDUs as C sees them. Decoded PDUs are views: every span and string points into the
 * octets they were decoded from and lives exactly as long. Nothing here allocates. */
#ifndef SMPP_PDU_H
#define SMPP_PDU_H

#include "proto/base/limits.h"
#include "proto/base/span.h"

/* Command ids, section 5.1.2.1. */
#define SMPP_GENERIC_NACK       0x80000000u
#define SMPP_BIND_RECEIVER      0x00000001u
#define SMPP_BIND_TRANSMITTER   0x00000002u
#define SMPP_QUERY_SM           0x00000003u
#define SMPP_SUBMIT_SM          0x00000004u
#define SMPP_DELIVER_SM         0x00000005u
#define SMPP_UNBIND             0x00000006u
#define SMPP_REPLACE_SM         0x00000007u
#define SMPP_CANCEL_SM          0x00000008u
#define SMPP_BIND_TRANSCEIVER   0x00000009u
#define SMPP_OUTBIND            0x0000000bu
#define SMPP_ENQUIRE_LINK       0x00000015u
#define SMPP_SUBMIT_MULTI       0x00000021u
#define SMPP_ALERT_NOTIFICATION 0x00000102u
#define SMPP_DATA_SM            0x00000103u
#define SMPP_RESPONSE           0x80000000u /* set in every response's id */

#define SMPP_HEADER_SIZE 16u
#define SERVICE_TYPE_MAX 5u  /* without the NUL, as section 4.4.1 has it */
#define TIME_TEXT_MAX    16u /* "YYMMDDhhmmsstnnp" */

/* Statuses that the program acts on, section 5.1.3; all names and policies stand in status.h. */
#define ESME_ROK              0x00000000u
#define ESME_RINVMSGLEN       0x00000001u
#define ESME_RINVCMDLEN       0x00000002u
#define ESME_RINVCMDID        0x00000003u
#define ESME_RINVBNDSTS       0x00000004u
#define ESME_RALYBND          0x00000005u
#define ESME_RSYSERR          0x00000008u
#define ESME_RINVSRCADR       0x0000000au
#define ESME_RINVDSTADR       0x0000000bu
#define ESME_RBINDFAIL        0x0000000du
#define ESME_RINVPASWD        0x0000000eu
#define ESME_RINVSYSID        0x0000000fu
#define ESME_RMSGQFUL         0x00000014u
#define ESME_RSUBMITFAIL      0x00000045u
#define ESME_RTHROTTLED       0x00000058u
#define ESME_RX_T_APPN        0x00000064u
#define ESME_RINVOPTPARSTREAM 0x000000c0u

/* esm_class, section 5.2.12. */
#define ESM_TYPE_MASK         0x3cu
#define ESM_TYPE_RECEIPT      0x04u
#define ESM_TYPE_INTERMEDIATE 0x20u
#define ESM_UDHI              0x40u

/* TLV tags, section 5.3.2. */
#define TLV_SOURCE_PORT            0x020au
#define TLV_DESTINATION_PORT       0x020bu
#define TLV_SAR_MSG_REF_NUM        0x020cu
#define TLV_SAR_TOTAL_SEGMENTS     0x020eu
#define TLV_SAR_SEGMENT_SEQNUM     0x020fu
#define TLV_USER_MESSAGE_REFERENCE 0x0204u
#define TLV_SC_INTERFACE_VERSION   0x0210u
#define TLV_NETWORK_ERROR_CODE     0x0423u
#define TLV_MESSAGE_PAYLOAD        0x0424u
#define TLV_RECEIPTED_MESSAGE_ID   0x001eu
#define TLV_MESSAGE_STATE          0x0427u

struct pdu_header {
    uint32_t command_length;
    uint32_t command_id;
    uint32_t command_status;
    uint32_t sequence_number;
};

struct tlv {
    uint16_t tag;
    struct span value;
};

struct tlv_list {
    struct tlv items[TLV_MAX];
    uint16_t count;
    uint16_t passed_over; /* beyond TLV_MAX */
};

/* An address as it stands in a PDU. */
struct smpp_address {
    uint8_t ton;
    uint8_t npi;
    char digits[22]; /* NUL-terminated; section 4.4.1: at most 20 octets, 21 with the NUL */
};

struct bind_body { /* bind_receiver, _transmitter, _transceiver */
    struct span system_id;
    struct span password;
    struct span system_type;
    uint8_t interface_version;
    uint8_t addr_ton;
    uint8_t addr_npi;
    struct span address_range;
};

/* submit_sm, deliver_sm and data_sm. The text is in short_message or message_payload; `text` is the
 * one that is there. Fields that data_sm lacks are zero. */
struct sm_body {
    struct span service_type;
    struct smpp_address source;
    struct smpp_address destination;
    uint8_t esm_class;
    uint8_t protocol_id;
    uint8_t priority_flag;
    struct span schedule_delivery_time;
    struct span validity_period;
    uint8_t registered_delivery;
    uint8_t replace_if_present_flag;
    uint8_t data_coding;
    uint8_t sm_default_msg_id;
    struct span text;
    struct tlv_list tlvs;
};

struct message_id_body {    /* submit_sm_resp, deliver_sm_resp, data_sm_resp */
    struct span message_id; /* empty when the peer left the body out */
    struct tlv_list tlvs;
};

struct bind_resp_body {
    struct span system_id;
    struct tlv_list tlvs;
};

/* What goes into a submit_sm or deliver_sm that we write. Spans are copied out at once. */
struct sm_out {
    struct span service_type; /* at most SERVICE_TYPE_MAX octets */
    struct smpp_address source;
    struct smpp_address destination;
    uint8_t esm_class;
    struct span validity_period; /* at most TIME_TEXT_MAX octets (section 7.1); may be empty */
    uint8_t registered_delivery;
    uint8_t data_coding;
    struct span short_message; /* UDH and text; at most SHORT_MESSAGE_MAX octets */
    const struct tlv *tlvs;
    size_t tlv_count;
};

#endif

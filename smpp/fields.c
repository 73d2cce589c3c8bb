/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of SMPP 3.4 section 4 (PDUs) and 5.3.2 (TLVs), and the walk along them. */
#include "smpp/fields.h"

#include "proto/base/check.h"

enum row_kind {
    ROW_END, /* of a PDU without TLVs */
    ROW_TLVS,
    ROW_U8,
    ROW_U32,
    ROW_STRING,
    ROW_COUNT,        /* an octet that counts what the next rows hold */
    ROW_OCTETS,       /* as many as counted */
    ROW_DESTINATIONS, /* submit_multi: as many dest_flags, each with an address or a list's name */
    ROW_UNSUCCESSFUL  /* submit_multi_resp: as many addresses with their status */
};

struct field_row {
    const char *name;
    enum row_kind kind;
    enum field_privacy privacy;
};

#define END                                                                                        \
    {                                                                                              \
        .kind = ROW_END                                                                            \
    }
#define TLVS                                                                                       \
    {                                                                                              \
        .kind = ROW_TLVS                                                                           \
    }
#define ADDRESS(name)                                                                              \
    {name "_ton", ROW_U8, FIELD_OPEN}, {name "_npi", ROW_U8, FIELD_OPEN},                          \
    {                                                                                              \
        name, ROW_STRING, FIELD_ADDRESS                                                            \
    }
#define DESTINATION                                                                                \
    {"dest_addr_ton", ROW_U8, FIELD_OPEN}, {"dest_addr_npi", ROW_U8, FIELD_OPEN},                  \
    {                                                                                              \
        "destination_addr", ROW_STRING, FIELD_ADDRESS                                              \
    }
#define SCHEDULE                                                                                   \
    {"schedule_delivery_time", ROW_STRING, FIELD_OPEN},                                            \
    {                                                                                              \
        "validity_period", ROW_STRING, FIELD_OPEN                                                  \
    }
#define SHORT_MESSAGE                                                                              \
    {"sm_length", ROW_COUNT, FIELD_OPEN},                                                          \
    {                                                                                              \
        "short_message", ROW_OCTETS, FIELD_TEXT                                                    \
    }
/* From esm_class on: submit_sm, deliver_sm, submit_multi. */
#define MESSAGE                                                                                    \
    {"esm_class", ROW_U8, FIELD_OPEN}, {"protocol_id", ROW_U8, FIELD_OPEN},                        \
        {"priority_flag", ROW_U8, FIELD_OPEN}, SCHEDULE,                                           \
        {"registered_delivery", ROW_U8, FIELD_OPEN},                                               \
        {"replace_if_present_flag", ROW_U8, FIELD_OPEN}, {"data_coding", ROW_U8, FIELD_OPEN},      \
        {"sm_default_msg_id", ROW_U8, FIELD_OPEN}, SHORT_MESSAGE

static const struct field_row nothing[] = {END};
static const struct field_row header[] = {{"command_length", ROW_U32, FIELD_OPEN},
                                          {"command_id", ROW_U32, FIELD_OPEN},
                                          {"command_status", ROW_U32, FIELD_OPEN},
                                          {"sequence_number", ROW_U32, FIELD_OPEN},
                                          END};
static const struct field_row bind[] = {{"system_id", ROW_STRING, FIELD_OPEN},
                                        {"password", ROW_STRING, FIELD_SECRET},
                                        {"system_type", ROW_STRING, FIELD_OPEN},
                                        {"interface_version", ROW_U8, FIELD_OPEN},
                                        {"addr_ton", ROW_U8, FIELD_OPEN},
                                        {"addr_npi", ROW_U8, FIELD_OPEN},
                                        {"address_range", ROW_STRING, FIELD_ADDRESS},
                                        TLVS};
static const struct field_row bind_resp[] = {{"system_id", ROW_STRING, FIELD_OPEN}, TLVS};
static const struct field_row outbind[] = {
    {"system_id", ROW_STRING, FIELD_OPEN}, {"password", ROW_STRING, FIELD_SECRET}, TLVS};
static const struct field_row message[] = {
    {"service_type", ROW_STRING, FIELD_OPEN}, ADDRESS("source_addr"), DESTINATION, MESSAGE, TLVS};
static const struct field_row message_resp[] = {{"message_id", ROW_STRING, FIELD_OPEN}, TLVS};
static const struct field_row data[] = {{"service_type", ROW_STRING, FIELD_OPEN},
                                        ADDRESS("source_addr"),
                                        DESTINATION,
                                        {"esm_class", ROW_U8, FIELD_OPEN},
                                        {"registered_delivery", ROW_U8, FIELD_OPEN},
                                        {"data_coding", ROW_U8, FIELD_OPEN},
                                        TLVS};
static const struct field_row multi[] = {{"service_type", ROW_STRING, FIELD_OPEN},
                                         ADDRESS("source_addr"),
                                         {"number_of_dests", ROW_COUNT, FIELD_OPEN},
                                         {"dest_flag", ROW_DESTINATIONS, FIELD_OPEN},
                                         MESSAGE,
                                         TLVS};
static const struct field_row multi_address[] = {DESTINATION, END};
static const struct field_row multi_list[] = {{"dl_name", ROW_STRING, FIELD_ADDRESS}, END};
static const struct field_row multi_resp[] = {{"message_id", ROW_STRING, FIELD_OPEN},
                                              {"no_unsuccess", ROW_COUNT, FIELD_OPEN},
                                              {"unsuccess_sme", ROW_UNSUCCESSFUL, FIELD_OPEN},
                                              TLVS};
static const struct field_row multi_failure[] = {
    DESTINATION, {"error_status_code", ROW_U32, FIELD_OPEN}, END};
static const struct field_row query[] = {
    {"message_id", ROW_STRING, FIELD_OPEN}, ADDRESS("source_addr"), TLVS};
static const struct field_row query_resp[] = {{"message_id", ROW_STRING, FIELD_OPEN},
                                              {"final_date", ROW_STRING, FIELD_OPEN},
                                              {"message_state", ROW_U8, FIELD_OPEN},
                                              {"error_code", ROW_U8, FIELD_OPEN},
                                              TLVS};
static const struct field_row cancel[] = {{"service_type", ROW_STRING, FIELD_OPEN},
                                          {"message_id", ROW_STRING, FIELD_OPEN},
                                          ADDRESS("source_addr"),
                                          DESTINATION,
                                          TLVS};
static const struct field_row replace[] = {{"message_id", ROW_STRING, FIELD_OPEN},
                                           ADDRESS("source_addr"),
                                           SCHEDULE,
                                           {"registered_delivery", ROW_U8, FIELD_OPEN},
                                           {"sm_default_msg_id", ROW_U8, FIELD_OPEN},
                                           SHORT_MESSAGE,
                                           TLVS};
static const struct field_row alert[] = {ADDRESS("source_addr"), ADDRESS("esme_addr"), TLVS};
static const struct field_row tlvs_alone[] = {TLVS};

static const struct {
    uint32_t command_id;
    const char *name;
    const struct field_row *rows;
} commands[] = {
    {SMPP_SUBMIT_SM, "submit_sm", message},
    {SMPP_SUBMIT_SM | SMPP_RESPONSE, "submit_sm_resp", message_resp},
    {SMPP_DELIVER_SM, "deliver_sm", message},
    {SMPP_DELIVER_SM | SMPP_RESPONSE, "deliver_sm_resp", message_resp},
    {SMPP_DATA_SM, "data_sm", data},
    {SMPP_DATA_SM | SMPP_RESPONSE, "data_sm_resp", message_resp},
    {SMPP_BIND_RECEIVER, "bind_receiver", bind},
    {SMPP_BIND_RECEIVER | SMPP_RESPONSE, "bind_receiver_resp", bind_resp},
    {SMPP_BIND_TRANSMITTER, "bind_transmitter", bind},
    {SMPP_BIND_TRANSMITTER | SMPP_RESPONSE, "bind_transmitter_resp", bind_resp},
    {SMPP_BIND_TRANSCEIVER, "bind_transceiver", bind},
    {SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, "bind_transceiver_resp", bind_resp},
    {SMPP_OUTBIND, "outbind", outbind},
    {SMPP_UNBIND, "unbind", tlvs_alone},
    {SMPP_UNBIND | SMPP_RESPONSE, "unbind_resp", tlvs_alone},
    {SMPP_ENQUIRE_LINK, "enquire_link", tlvs_alone},
    {SMPP_ENQUIRE_LINK | SMPP_RESPONSE, "enquire_link_resp", tlvs_alone},
    {SMPP_GENERIC_NACK, "generic_nack", tlvs_alone},
    {SMPP_SUBMIT_MULTI, "submit_multi", multi},
    {SMPP_SUBMIT_MULTI | SMPP_RESPONSE, "submit_multi_resp", multi_resp},
    {SMPP_QUERY_SM, "query_sm", query},
    {SMPP_QUERY_SM | SMPP_RESPONSE, "query_sm_resp", query_resp},
    {SMPP_CANCEL_SM, "cancel_sm", cancel},
    {SMPP_CANCEL_SM | SMPP_RESPONSE, "cancel_sm_resp", tlvs_alone},
    {SMPP_REPLACE_SM, "replace_sm", replace},
    {SMPP_REPLACE_SM | SMPP_RESPONSE, "replace_sm_resp", tlvs_alone},
    {SMPP_ALERT_NOTIFICATION, "alert_notification", alert},
};

/* An integer TLV is one when its value has the width that it should have, else octets. */
static const struct tlv_row {
    uint16_t tag;
    uint8_t width; /* of an integer; 0: octets */
    enum field_privacy privacy;
    bool is_string;
    const char *name;
} tlv_rows[] = {
    {0x0005, 1, FIELD_OPEN, false, "dest_addr_subunit"},
    {0x0006, 1, FIELD_OPEN, false, "dest_network_type"},
    {0x0007, 1, FIELD_OPEN, false, "dest_bearer_type"},
    {0x0008, 2, FIELD_OPEN, false, "dest_telematics_id"},
    {0x000d, 1, FIELD_OPEN, false, "source_addr_subunit"},
    {0x000e, 1, FIELD_OPEN, false, "source_network_type"},
    {0x000f, 1, FIELD_OPEN, false, "source_bearer_type"},
    {0x0010, 1, FIELD_OPEN, false, "source_telematics_id"},
    {0x0017, 4, FIELD_OPEN, false, "qos_time_to_live"},
    {0x0019, 1, FIELD_OPEN, false, "payload_type"},
    {0x001d, 0, FIELD_OPEN, true, "additional_status_info_text"},
    {TLV_RECEIPTED_MESSAGE_ID, 0, FIELD_OPEN, true, "receipted_message_id"},
    {0x0030, 1, FIELD_OPEN, false, "ms_msg_wait_facilities"},
    {0x0201, 1, FIELD_OPEN, false, "privacy_indicator"},
    {0x0202, 0, FIELD_ADDRESS, false, "source_subaddress"},
    {0x0203, 0, FIELD_ADDRESS, false, "dest_subaddress"},
    {TLV_USER_MESSAGE_REFERENCE, 2, FIELD_OPEN, false, "user_message_reference"},
    {0x0205, 1, FIELD_OPEN, false, "user_response_code"},
    {TLV_SOURCE_PORT, 2, FIELD_OPEN, false, "source_port"},
    {TLV_DESTINATION_PORT, 2, FIELD_OPEN, false, "destination_port"},
    {TLV_SAR_MSG_REF_NUM, 2, FIELD_OPEN, false, "sar_msg_ref_num"},
    {0x020d, 1, FIELD_OPEN, false, "language_indicator"},
    {TLV_SAR_TOTAL_SEGMENTS, 1, FIELD_OPEN, false, "sar_total_segments"},
    {TLV_SAR_SEGMENT_SEQNUM, 1, FIELD_OPEN, false, "sar_segment_seqnum"},
    {TLV_SC_INTERFACE_VERSION, 1, FIELD_OPEN, false, "sc_interface_version"},
    {0x0302, 1, FIELD_OPEN, false, "callback_num_pres_ind"},
    {0x0303, 0, FIELD_ADDRESS, false, "callback_num_atag"},
    {0x0304, 1, FIELD_OPEN, false, "number_of_messages"},
    {0x0381, 0, FIELD_ADDRESS, false, "callback_num"},
    {0x0420, 1, FIELD_OPEN, false, "dpf_result"},
    {0x0421, 1, FIELD_OPEN, false, "set_dpf"},
    {0x0422, 1, FIELD_OPEN, false, "ms_availability_status"},
    {TLV_NETWORK_ERROR_CODE, 0, FIELD_OPEN, false, "network_error_code"},
    {TLV_MESSAGE_PAYLOAD, 0, FIELD_TEXT, false, "message_payload"},
    {0x0425, 1, FIELD_OPEN, false, "delivery_failure_reason"},
    {0x0426, 1, FIELD_OPEN, false, "more_messages_to_send"},
    {TLV_MESSAGE_STATE, 1, FIELD_OPEN, false, "message_state"},
    {0x0501, 1, FIELD_OPEN, false, "ussd_service_op"},
    {0x1201, 1, FIELD_OPEN, false, "display_time"},
    {0x1203, 2, FIELD_OPEN, false, "sms_signal"},
    {0x1204, 1, FIELD_OPEN, false, "ms_validity"},
    {0x130c, 0, FIELD_OPEN, false, "alert_on_message_delivery"},
    {0x1380, 1, FIELD_OPEN, false, "its_reply_type"},
    {0x1383, 2, FIELD_OPEN, false, "its_session_info"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static size_t find_command(uint32_t command_id)
{
    size_t i = 0;
    while (i < COUNT(commands) && commands[i].command_id != command_id)
        i++;
    return i;
}

const char *command_name(uint32_t command_id)
{
    size_t i = find_command(command_id);
    return i < COUNT(commands) ? commands[i].name : NULL;
}

void fields_begin(struct fields *walk, struct span pdu)
{
    CHECK(pdu.length >= SMPP_HEADER_SIZE);
    *walk = (struct fields){.pdu = pdu, .r = reader_over(pdu), .row = header};
}

static void give(const struct fields *walk, const char *name, struct field *ret_field)
{
    *ret_field = (struct field){.name = name, .offset = (size_t)(walk->r.at - walk->pdu.data)};
}

/* The rest of the PDU may hold anything: texts, or a bind's password. */
static bool give_broken(struct fields *walk, const char *name, const uint8_t *from,
                        struct field *ret_field)
{
    walk->r.at = from;
    walk->ended = true;
    give(walk, name, ret_field);
    ret_field->kind = FIELD_BROKEN;
    ret_field->privacy = FIELD_TEXT;
    ret_field->octets = span_of(from, (size_t)(walk->r.end - from));
    return true;
}

static bool next_tlv(struct fields *walk, struct field *ret_field)
{
    struct reader *r = &walk->r;
    const uint8_t *from = r->at;
    if (reader_left(r) == 0)
        return false;
    uint16_t tag = read_u16(r);
    size_t length = read_u16(r);
    if (r->failed || reader_left(r) < length)
        return give_broken(walk, "tlv", from, ret_field);
    const struct tlv_row *row = tlv_rows;
    while (row < tlv_rows + COUNT(tlv_rows) && row->tag != tag)
        row++;
    bool known = row < tlv_rows + COUNT(tlv_rows);
    give(walk, known ? row->name : NULL, ret_field);
    ret_field->is_tlv = true;
    ret_field->tag = tag;
    ret_field->kind = FIELD_OCTETS;
    ret_field->privacy = known ? row->privacy : FIELD_TEXT; /* nobody knows what it holds */
    struct reader value = {.at = r->at, .end = r->at + length};
    ret_field->octets = read_span(r, length);
    if (known && row->width != 0 && row->width == length) {
        ret_field->kind = FIELD_INTEGER;
        ret_field->value = length == 1   ? read_u8(&value)
                           : length == 2 ? read_u16(&value)
                                         : read_u32(&value);
    } else if (known && row->is_string) {
        ret_field->kind = FIELD_STRING;
        ret_field->octets.length = strnlen((const char *)ret_field->octets.data, length);
    }
    return true;
}

static void enter_body(struct fields *walk)
{
    struct reader r = reader_over(span_of(walk->pdu.data + 4, 4));
    uint32_t command_id = read_u32(&r);
    size_t i = find_command(command_id);
    walk->row = i < COUNT(commands) ? commands[i].rows : nothing;
    walk->lenient = (command_id & SMPP_RESPONSE) != 0;
}

static bool is_last_mandatory(const struct field_row *row)
{
    return row[1].kind == ROW_TLVS;
}

static bool read_string_row(struct fields *walk, const struct field_row *row,
                            struct field *ret_field)
{
    const uint8_t *from = walk->r.at;
    size_t left = reader_left(&walk->r);
    const uint8_t *nul = left > 0 ? memchr(from, 0, left) : NULL;
    if (nul == NULL && (left == 0 || !is_last_mandatory(row)))
        return give_broken(walk, row->name, from, ret_field);
    give(walk, row->name, ret_field);
    ret_field->kind = FIELD_STRING;
    ret_field->octets = read_span(&walk->r, nul != NULL ? (size_t)(nul - from) : left);
    walk->r.at += nul != NULL;
    return true;
}

static bool read_integer_row(struct fields *walk, const struct field_row *row,
                             struct field *ret_field)
{
    size_t width = row->kind == ROW_U32 ? 4 : 1;
    if (reader_left(&walk->r) < width)
        return give_broken(walk, row->name, walk->r.at, ret_field);
    give(walk, row->name, ret_field);
    ret_field->kind = FIELD_INTEGER;
    ret_field->value = width == 4 ? read_u32(&walk->r) : read_u8(&walk->r);
    if (row->kind == ROW_COUNT)
        walk->counted = (uint8_t)ret_field->value;
    return true;
}

static bool read_octets_row(struct fields *walk, const struct field_row *row,
                            struct field *ret_field)
{
    if (reader_left(&walk->r) < walk->counted)
        return give_broken(walk, row->name, walk->r.at, ret_field);
    give(walk, row->name, ret_field);
    ret_field->kind = FIELD_OCTETS;
    ret_field->octets = read_span(&walk->r, walk->counted);
    return true;
}

static bool read_row(struct fields *walk, const struct field_row *row, struct field *ret_field)
{
    bool given = row->kind == ROW_STRING   ? read_string_row(walk, row, ret_field)
                 : row->kind == ROW_OCTETS ? read_octets_row(walk, row, ret_field)
                                           : read_integer_row(walk, row, ret_field);
    if (ret_field->kind != FIELD_BROKEN)
        ret_field->privacy = row->privacy;
    return given;
}

/* An entry of a list, or nothing when all are read. */
static bool next_entry(struct fields *walk, const struct field_row *row, struct field *ret_field)
{
    if (walk->counted == 0) {
        walk->row = row + 1;
        return false;
    }
    walk->counted--;
    walk->outer = row;
    if (row->kind == ROW_UNSUCCESSFUL) {
        walk->row = multi_failure;
        return false;
    }
    const uint8_t *from = walk->r.at;
    (void)read_integer_row(walk, row, ret_field);
    if (ret_field->value < 1 || ret_field->value > 2)
        return give_broken(walk, row->name, from, ret_field);
    walk->row = ret_field->value == 2 ? multi_list : multi_address;
    return true;
}

/* Behind the rows of the header or of a list's entry: goes on with what follows. False when nothing
 * does. */
static bool leave_rows(struct fields *walk)
{
    if (walk->row == &header[COUNT(header) - 1]) {
        enter_body(walk);
        return true;
    }
    walk->row = walk->outer;
    walk->outer = NULL;
    return walk->row != NULL;
}

bool fields_next(struct fields *walk, struct field *ret_field)
{
    while (!walk->ended) {
        const struct field_row *row = walk->row;
        switch (row->kind) {
        case ROW_END:
            if (leave_rows(walk))
                break;
            walk->ended = true;
            return reader_left(&walk->r) > 0 && give_broken(walk, "body", walk->r.at, ret_field);
        case ROW_TLVS:
            return next_tlv(walk, ret_field);
        case ROW_DESTINATIONS:
        case ROW_UNSUCCESSFUL:
            if (next_entry(walk, row, ret_field))
                return true;
            break;
        case ROW_U8:
        case ROW_U32:
        case ROW_STRING:
        case ROW_COUNT:
        case ROW_OCTETS:
            if (walk->lenient && reader_left(&walk->r) == 0 && walk->outer == NULL)
                return false;
            walk->row = row + 1;
            return read_row(walk, row, ret_field);
        }
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/encode.h"

#include <smpp34_structs.h>

#include "proto/base/check.h"

#define INTERFACE_VERSION 0x34
#define CONTROL_PDU_MAX   256 /* the largest bind is 158 octets */

static void write_header(struct writer *w, uint32_t command_length, uint32_t command_id,
                         uint32_t command_status, uint32_t sequence_number);
static void write_string(struct writer *w, struct span string);
static bool string_fits(struct span string, size_t max);
static bool pack_bind(struct writer *w, uint32_t command_id, uint32_t sequence_number,
                      const struct bind_body *bind);
static bool pack_bind_resp(struct writer *w, uint32_t command_id, uint32_t command_status,
                           uint32_t sequence_number, struct span system_id);
static bool pack(struct writer *w, void *pdu);
static enum err finish(struct buffer *out, struct writer *w);

/* Octets of the digits, or SIZE_MAX. */
static size_t address_length(const struct smpp_address *address)
{
    size_t length = strnlen(address->digits, sizeof address->digits);
    return length <= 20 ? length : SIZE_MAX;
}

static void write_address(struct writer *w, const struct smpp_address *address, size_t length)
{
    write_u8(w, address->ton);
    write_u8(w, address->npi);
    write_octets(w, address->digits, length + 1);
}

/* Octets that the TLVs take, or SIZE_MAX. */
static size_t tlvs_length(const struct sm_out *message)
{
    size_t length = 0;
    for (size_t i = 0; i < message->tlv_count; i++) {
        const struct tlv *tlv = &message->tlvs[i];
        if (tlv->tag == TLV_MESSAGE_PAYLOAD && message->short_message.length > 0)
            return SIZE_MAX;
        if (tlv->value.length > UINT16_MAX || length > PDU_MAX)
            return SIZE_MAX;
        length += 4 + tlv->value.length;
    }
    return length <= PDU_MAX ? length : SIZE_MAX;
}

static void write_tlv(struct writer *w, uint16_t tag, struct span value)
{
    write_u16(w, tag);
    write_u16(w, (uint16_t)value.length);
    write_octets(w, value.data, value.length);
}

/* What follows the addresses. */
static void write_message(struct writer *w, const struct sm_out *message)
{
    write_u8(w, message->esm_class);
    write_octets(w, "\0\0\0", 3); /* protocol_id, priority_flag, no schedule_delivery_time */
    write_string(w, message->validity_period);
    write_u8(w, message->registered_delivery);
    write_u8(w, 0); /* replace_if_present_flag */
    write_u8(w, message->data_coding);
    write_u8(w, 0); /* sm_default_msg_id */
    write_u8(w, (uint8_t)message->short_message.length);
    write_octets(w, message->short_message.data, message->short_message.length);
    for (size_t i = 0; i < message->tlv_count; i++)
        write_tlv(w, message->tlvs[i].tag, message->tlvs[i].value);
}

enum err encode_sm(struct buffer *out, uint32_t command_id, uint32_t sequence_number,
                   const struct sm_out *message)
{
    size_t source = address_length(&message->source);
    size_t destination = address_length(&message->destination);
    size_t tlvs = tlvs_length(message);
    if (source == SIZE_MAX || destination == SIZE_MAX || tlvs == SIZE_MAX ||
        message->short_message.length > SHORT_MESSAGE_MAX ||
        !string_fits(message->service_type, SERVICE_TYPE_MAX) ||
        !string_fits(message->validity_period, TIME_TEXT_MAX))
        return ERR_BAD_INPUT;
    size_t length = SMPP_HEADER_SIZE + (message->service_type.length + 1) + (2 + source + 1) +
                    (2 + destination + 1) + 9 + (message->validity_period.length + 1) +
                    message->short_message.length + tlvs;
    if (length > PDU_MAX)
        return ERR_BAD_INPUT;
    uint8_t *room = buffer_reserve(out, length);
    if (room == NULL)
        return ERR_FULL;
    struct writer w = writer_over(room, length);
    write_header(&w, (uint32_t)length, command_id, ESME_ROK, sequence_number);
    write_string(&w, message->service_type);
    write_address(&w, &message->source, source);
    write_address(&w, &message->destination, destination);
    write_message(&w, message);
    CHECK(!w.failed && writer_length(&w) == length);
    buffer_commit(out, length);
    return ERR_OK;
}

enum err encode_message_resp(struct buffer *out, uint32_t command_id, uint32_t command_status,
                             uint32_t sequence_number, struct span message_id)
{
    if (command_id == (SMPP_SUBMIT_SM | SMPP_RESPONSE) && command_status != ESME_ROK)
        return encode_header(out, command_id, command_status, sequence_number);
    if (command_id == (SMPP_DELIVER_SM | SMPP_RESPONSE))
        message_id = (struct span){0};
    if (!string_fits(message_id, MESSAGE_ID_MAX))
        return ERR_BAD_INPUT;
    size_t length = SMPP_HEADER_SIZE + message_id.length + 1;
    uint8_t *room = buffer_reserve(out, length);
    if (room == NULL)
        return ERR_FULL;
    struct writer w = writer_over(room, length);
    write_header(&w, (uint32_t)length, command_id, command_status, sequence_number);
    write_string(&w, message_id);
    CHECK(!w.failed && writer_length(&w) == length);
    buffer_commit(out, length);
    return ERR_OK;
}

enum err encode_bind(struct buffer *out, uint32_t command_id, uint32_t sequence_number,
                     const struct bind_body *bind)
{
    if (!string_fits(bind->system_id, 16) || !string_fits(bind->password, 64) ||
        !string_fits(bind->system_type, 13) || !string_fits(bind->address_range, 40))
        return ERR_BAD_INPUT;
    uint8_t octets[CONTROL_PDU_MAX];
    struct writer w = writer_over(octets, sizeof octets);
    if (!pack_bind(&w, command_id, sequence_number, bind)) {
        w = writer_over(octets, sizeof octets);
        write_header(&w, 0, command_id, ESME_ROK, sequence_number);
        write_string(&w, bind->system_id);
        write_string(&w, bind->password);
        write_string(&w, bind->system_type);
        write_u8(&w, bind->interface_version);
        write_u8(&w, bind->addr_ton);
        write_u8(&w, bind->addr_npi);
        write_string(&w, bind->address_range);
    }
    enum err err = finish(out, &w);
    explicit_bzero(octets, sizeof octets);
    return err;
}

enum err encode_bind_resp(struct buffer *out, uint32_t command_id, uint32_t command_status,
                          uint32_t sequence_number, struct span system_id)
{
    if (!string_fits(system_id, 16))
        return ERR_BAD_INPUT;
    uint8_t octets[CONTROL_PDU_MAX];
    struct writer w = writer_over(octets, sizeof octets);
    if (!pack_bind_resp(&w, command_id, command_status, sequence_number, system_id)) {
        w = writer_over(octets, sizeof octets);
        write_header(&w, 0, command_id, command_status, sequence_number);
        write_string(&w, system_id);
        const uint8_t version = INTERFACE_VERSION;
        if (command_status == ESME_ROK)
            write_tlv(&w, TLV_SC_INTERFACE_VERSION, span_of(&version, 1));
    }
    return finish(out, &w);
}

enum err encode_header(struct buffer *out, uint32_t command_id, uint32_t command_status,
                       uint32_t sequence_number)
{
    uint8_t octets[CONTROL_PDU_MAX];
    struct writer w = writer_over(octets, sizeof octets);
    /* enquire_link_t is the bare header; the library goes by the command_id inside. */
    struct enquire_link_resp_t pdu = {.command_id = command_id,
                                      .command_status = command_status,
                                      .sequence_number = sequence_number};
    bool bare = command_id == SMPP_GENERIC_NACK ||
                (command_id & ~SMPP_RESPONSE) == SMPP_ENQUIRE_LINK ||
                (command_id & ~SMPP_RESPONSE) == SMPP_UNBIND;
    if (!bare || !pack(&w, &pdu)) {
        w = writer_over(octets, sizeof octets);
        write_header(&w, 0, command_id, command_status, sequence_number);
    }
    return finish(out, &w);
}

static void write_header(struct writer *w, uint32_t command_length, uint32_t command_id,
                         uint32_t command_status, uint32_t sequence_number)
{
    /* Stored in place: a copy from the stack would wait for its single octets. */
    if ((size_t)(w->end - w->at) < SMPP_HEADER_SIZE) {
        w->failed = true;
        return;
    }
    store_u32(w->at, command_length);
    store_u32(w->at + 4, command_id);
    store_u32(w->at + 8, command_status);
    store_u32(w->at + 12, sequence_number);
    w->at += SMPP_HEADER_SIZE;
}

static void write_string(struct writer *w, struct span string)
{
    write_octets(w, string.data, string.length);
    write_u8(w, 0);
}

static bool string_fits(struct span string, size_t max)
{
    return string.length <= max &&
           (string.length == 0 || memchr(string.data, 0, string.length) == NULL);
}

/* Into a field of `size` octets with room for the NUL. */
static bool copy_string(uint8_t *field, size_t size, struct span string)
{
    if (string.length >= size)
        return false;
    if (string.length > 0)
        memcpy(field, string.data, string.length);
    return true;
}

/* The three binds differ in their names alone, so one struct serves all. */
static bool pack_bind(struct writer *w, uint32_t command_id, uint32_t sequence_number,
                      const struct bind_body *bind)
{
    struct bind_transceiver_t pdu = {.command_id = command_id,
                                     .sequence_number = sequence_number,
                                     .interface_version = bind->interface_version,
                                     .addr_ton = bind->addr_ton,
                                     .addr_npi = bind->addr_npi};
    bool packed = copy_string(pdu.system_id, sizeof pdu.system_id, bind->system_id) &&
                  copy_string(pdu.password, sizeof pdu.password, bind->password) &&
                  copy_string(pdu.system_type, sizeof pdu.system_type, bind->system_type) &&
                  copy_string(pdu.address_range, sizeof pdu.address_range, bind->address_range) &&
                  pack(w, &pdu);
    explicit_bzero(&pdu, sizeof pdu);
    return packed;
}

static bool pack_bind_resp(struct writer *w, uint32_t command_id, uint32_t command_status,
                           uint32_t sequence_number, struct span system_id)
{
    struct tlv_t version = {
        .tag = TLV_SC_INTERFACE_VERSION, .length = 1, .value.val08 = INTERFACE_VERSION};
    struct bind_transceiver_resp_t pdu = {.command_id = command_id,
                                          .command_status = command_status,
                                          .sequence_number = sequence_number,
                                          .tlv = command_status == ESME_ROK ? &version : NULL};
    return copy_string(pdu.system_id, sizeof pdu.system_id, system_id) && pack(w, &pdu);
}

/* False when the library refuses. It logs every field, passwords too, into a global text. */
static bool pack(struct writer *w, void *pdu)
{
    int length = 0;
    int refused = smpp34_pack2(w->at, (int)(w->end - w->at), &length, pdu);
    explicit_bzero(smpp34_strerror, sizeof smpp34_strerror);
    if (refused != 0 || length < (int)SMPP_HEADER_SIZE || length > w->end - w->at)
        return false;
    w->at += length;
    return true;
}

static enum err finish(struct buffer *out, struct writer *w)
{
    CHECK(!w->failed);
    store_u32(w->start, (uint32_t)writer_length(w));
    return buffer_append(out, w->start, writer_length(w)) ? ERR_OK : ERR_FULL;
}

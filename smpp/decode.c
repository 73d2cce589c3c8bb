/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/decode.h"

#include "proto/base/bytes.h"
#include "proto/base/check.h"

static struct reader body_of(struct span pdu);
static struct span read_string(struct reader *r);
static struct span read_last_string(struct reader *r);
static bool read_address(struct reader *r, struct smpp_address *ret_address);
static bool read_tlvs(struct reader *r, struct tlv_list *ret_tlvs);

enum frame_result decode_frame(struct span octets, uint32_t limit, struct pdu_header *ret_header)
{
    if (octets.length < 4)
        return FRAME_NEED_MORE;
    struct reader r = reader_over(octets);
    ret_header->command_length = read_u32(&r);
    if (ret_header->command_length < SMPP_HEADER_SIZE || ret_header->command_length > limit)
        return FRAME_BAD_LENGTH;
    if (octets.length < ret_header->command_length)
        return FRAME_NEED_MORE;
    ret_header->command_id = read_u32(&r);
    ret_header->command_status = read_u32(&r);
    ret_header->sequence_number = read_u32(&r);
    return FRAME_WHOLE;
}

uint32_t decode_bind(struct span pdu, struct bind_body *ret_body)
{
    struct reader r = body_of(pdu);
    ret_body->system_id = read_string(&r);
    ret_body->password = read_string(&r);
    ret_body->system_type = read_string(&r);
    ret_body->interface_version = read_u8(&r);
    ret_body->addr_ton = read_u8(&r);
    ret_body->addr_npi = read_u8(&r);
    ret_body->address_range = read_last_string(&r);
    return r.failed ? ESME_RINVCMDLEN : ESME_ROK;
}

void decode_bind_resp(struct span pdu, struct bind_resp_body *ret_body)
{
    struct reader r = body_of(pdu);
    ret_body->system_id = read_last_string(&r);
    (void)read_tlvs(&r, &ret_body->tlvs);
}

/* The fields that data_sm lacks. */
static uint32_t read_scheduling(struct reader *r, struct sm_body *body)
{
    body->protocol_id = read_u8(r);
    body->priority_flag = read_u8(r);
    body->schedule_delivery_time = read_string(r);
    body->validity_period = read_string(r);
    body->registered_delivery = read_u8(r);
    body->replace_if_present_flag = read_u8(r);
    body->data_coding = read_u8(r);
    body->sm_default_msg_id = read_u8(r);
    uint8_t sm_length = read_u8(r);
    if (r->failed)
        return ESME_RINVCMDLEN;
    body->text = read_span(r, sm_length);
    return r->failed ? ESME_RINVMSGLEN : ESME_ROK;
}

static uint32_t read_data_sm_fields(struct reader *r, struct sm_body *body)
{
    body->protocol_id = 0;
    body->priority_flag = 0;
    body->schedule_delivery_time = (struct span){0};
    body->validity_period = (struct span){0};
    body->registered_delivery = read_u8(r);
    body->replace_if_present_flag = 0;
    body->data_coding = read_u8(r);
    body->sm_default_msg_id = 0;
    body->text = (struct span){0};
    return r->failed ? ESME_RINVCMDLEN : ESME_ROK;
}

static bool is_data_sm(struct span pdu)
{
    return pdu.data[6] == (SMPP_DATA_SM >> 8) && pdu.data[7] == (SMPP_DATA_SM & 0xff);
}

uint32_t decode_sm(struct span pdu, struct sm_body *ret_body)
{
    struct reader r = body_of(pdu);
    ret_body->service_type = read_string(&r);
    if (!read_address(&r, &ret_body->source))
        return r.failed ? ESME_RINVCMDLEN : ESME_RINVSRCADR;
    if (!read_address(&r, &ret_body->destination))
        return r.failed ? ESME_RINVCMDLEN : ESME_RINVDSTADR;
    ret_body->esm_class = read_u8(&r);
    uint32_t status =
        is_data_sm(pdu) ? read_data_sm_fields(&r, ret_body) : read_scheduling(&r, ret_body);
    if (status != ESME_ROK)
        return status;
    if (!read_tlvs(&r, &ret_body->tlvs))
        return ESME_RINVOPTPARSTREAM;
    if (ret_body->text.length == 0 && ret_body->tlvs.count > 0) {
        const struct tlv *payload = tlv_find(&ret_body->tlvs, TLV_MESSAGE_PAYLOAD);
        if (payload != NULL)
            ret_body->text = payload->value;
    }
    return ESME_ROK;
}

struct span decode_message_id(struct span pdu)
{
    struct reader r = body_of(pdu);
    struct span id = read_last_string(&r);
    return id.length <= MESSAGE_ID_MAX ? id : (struct span){0};
}

void decode_message_resp(struct span pdu, struct message_id_body *ret_body)
{
    struct reader r = body_of(pdu);
    ret_body->message_id = read_last_string(&r);
    if (ret_body->message_id.length > MESSAGE_ID_MAX)
        ret_body->message_id = (struct span){0};
    (void)read_tlvs(&r, &ret_body->tlvs);
}

const struct tlv *tlv_find(const struct tlv_list *tlvs, uint16_t tag)
{
    for (size_t i = 0; i < tlvs->count; i++)
        if (tlvs->items[i].tag == tag)
            return &tlvs->items[i];
    return NULL;
}

static struct reader body_of(struct span pdu)
{
    CHECK(pdu.length >= SMPP_HEADER_SIZE);
    struct reader r = reader_over(pdu);
    r.at += SMPP_HEADER_SIZE;
    return r;
}

/* A string with its NUL, given without it. Length limits of section 4 are not enforced: the views
 * cost nothing and peers exceed them (passwords, message ids). */
static struct span read_string(struct reader *r)
{
    size_t left = reader_left(r);
    if (r->failed || left == 0) {
        r->failed = true;
        return (struct span){0};
    }
    const uint8_t *nul = *r->at == 0 ? r->at : memchr(r->at, 0, left); /* most are empty */
    if (nul == NULL) {
        r->failed = true;
        return (struct span){0};
    }
    struct span string = span_of(r->at, (size_t)(nul - r->at));
    r->at = nul + 1;
    return string;
}

/* The last mandatory string: it may be missing, or end with the PDU instead of a NUL. */
static struct span read_last_string(struct reader *r)
{
    size_t left = reader_left(r);
    if (left == 0 || r->failed)
        return (struct span){0};
    if (memchr(r->at, 0, left) != NULL)
        return read_string(r);
    return read_span(r, left);
}

/* False with r->failed when the PDU ends inside, without it when the address is too long. */
static bool read_address(struct reader *r, struct smpp_address *ret_address)
{
    ret_address->ton = read_u8(r);
    ret_address->npi = read_u8(r);
    struct span digits = read_string(r);
    if (r->failed || digits.length >= sizeof ret_address->digits)
        return false;
    memcpy(ret_address->digits, digits.data, digits.length + 1); /* with the NUL */
    return true;
}

static void keep_tlv(struct tlv_list *tlvs, uint16_t tag, struct span value)
{
    if (tlvs->count < TLV_MAX)
        tlvs->items[tlvs->count++] = (struct tlv){.tag = tag, .value = value};
    else if (tlvs->passed_over < UINT16_MAX)
        tlvs->passed_over++;
}

/* False when the text itself is broken. The list is large: only its counts are set beforehand. */
static bool read_tlvs(struct reader *r, struct tlv_list *ret_tlvs)
{
    ret_tlvs->count = 0;
    ret_tlvs->passed_over = 0;
    while (!r->failed && reader_left(r) > 0) {
        uint16_t tag = read_u16(r);
        size_t length = read_u16(r);
        struct span value = read_span(r, length);
        if (!r->failed) {
            keep_tlv(ret_tlvs, tag, value);
        } else if (tag == TLV_MESSAGE_PAYLOAD) {
            return false;
        } else {
            ret_tlvs->passed_over++;
        }
    }
    return true;
}

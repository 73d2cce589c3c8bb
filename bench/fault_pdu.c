/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/fault_pdu.h"

#include "proto/base/check.h"
#include "smpp/decode.h"

#define TLV_HEAD 4 /* octets: tag and length */

uint32_t pdu_word(struct span pdu, enum pdu_word word)
{
    struct reader r = reader_over(pdu);
    (void)read_span(&r, 4u * word);
    return read_u32(&r);
}

void pdu_set_word(uint8_t *pdu, enum pdu_word word, uint32_t value)
{
    store_u32(pdu + 4u * word, value);
}

static uint8_t *pdu_at(struct buffer *out, size_t at)
{
    return out->data + out->start + at;
}

void pdu_set_body(struct buffer *out, size_t at, struct span body)
{
    out->end = out->start + at + SMPP_HEADER_SIZE;
    bool fits = buffer_append(out, body.data, body.length);
    CHECK(fits);
    pdu_set_word(pdu_at(out, at), WORD_LENGTH, (uint32_t)(SMPP_HEADER_SIZE + body.length));
}

void pdu_repeat(struct buffer *out, size_t at)
{
    size_t length = buffer_length(out) - at;
    uint8_t *copy = buffer_reserve(out, length);
    CHECK(copy != NULL);
    memcpy(copy, pdu_at(out, at), length);
    buffer_commit(out, length);
}

void pdu_to_nack(struct buffer *out, size_t at, uint32_t sequence_number)
{
    pdu_set_body(out, at, (struct span){0});
    pdu_set_word(pdu_at(out, at), WORD_COMMAND, SMPP_GENERIC_NACK);
    pdu_set_word(pdu_at(out, at), WORD_SEQUENCE, sequence_number);
}

static void write_address(struct writer *w, const struct smpp_address *address)
{
    write_u8(w, address->ton);
    write_u8(w, address->npi);
    write_octets(w, address->digits, strlen(address->digits) + 1);
}

static void write_tlv(struct writer *w, uint16_t tag, struct span value)
{
    write_u16(w, tag);
    write_u16(w, (uint16_t)value.length);
    write_octets(w, value.data, value.length);
}

void pdu_to_data_sm(struct buffer *out, size_t at)
{
    struct sm_body sm;
    uint8_t body[1024];
    struct writer w = writer_over(body, sizeof body);
    uint32_t status = decode_sm(span_of(pdu_at(out, at), buffer_length(out) - at), &sm);
    CHECK(status == ESME_ROK);
    write_u8(&w, 0); /* service_type */
    write_address(&w, &sm.source);
    write_address(&w, &sm.destination);
    write_u8(&w, sm.esm_class);
    write_u8(&w, sm.registered_delivery);
    write_u8(&w, sm.data_coding);
    for (uint16_t i = 0; i < sm.tlvs.count; i++)
        if (sm.tlvs.items[i].tag != TLV_MESSAGE_PAYLOAD)
            write_tlv(&w, sm.tlvs.items[i].tag, sm.tlvs.items[i].value);
    if (sm.text.length > 0)
        write_tlv(&w, TLV_MESSAGE_PAYLOAD, sm.text);
    CHECK(!w.failed);
    pdu_set_body(out, at, span_of(body, writer_length(&w)));
    pdu_set_word(pdu_at(out, at), WORD_COMMAND, SMPP_DATA_SM);
}

void pdu_payload_to_short_message(struct buffer *out, size_t at)
{
    struct sm_body sm;
    size_t length = buffer_length(out) - at;
    uint32_t status = decode_sm(span_of(pdu_at(out, at), length), &sm);
    CHECK(status == ESME_ROK && sm.tlvs.count == 1 && sm.text.length <= UINT8_MAX);
    uint8_t *tlv = pdu_at(out, at) + length - sm.text.length - TLV_HEAD;
    tlv[-1] = (uint8_t)sm.text.length; /* sm_length is the last octet before the TLV */
    memmove(tlv, tlv + TLV_HEAD, sm.text.length);
    out->end -= TLV_HEAD;
    pdu_set_word(pdu_at(out, at), WORD_LENGTH, (uint32_t)(length - TLV_HEAD));
}

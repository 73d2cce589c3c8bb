/* SPDX-License-Identifier: Apache-2.0 */
/* Every decoder on the same octets, as every PDU that SMPP 3.4 has: results must lie inside them, what
 * decode_sm() takes and our encoder can carry must survive a second trip, and the tables of fields.c and
 * the printer get along with anything. */
#include <stdlib.h>

#include "proto/base/check.h"
#include "smpp/decode.h"
#include "smpp/encode.h"
#include "smpp/fields.h"
#include "smpp/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span pdu, struct span view)
{
    if (view.length == 0)
        return;
    CHECK(view.data >= pdu.data && view.length <= pdu.length);
    CHECK(view.data + view.length <= pdu.data + pdu.length);
}

static void check_tlvs(struct span pdu, const struct tlv_list *tlvs)
{
    CHECK(tlvs->count <= TLV_MAX);
    for (size_t i = 0; i < tlvs->count; i++)
        check_inside(pdu, tlvs->items[i].value);
}

static void check_second_trip(const struct sm_body *body)
{
    static struct sm_body again;
    struct sm_out sm = {
        .source = body->source,
        .destination = body->destination,
        .esm_class = body->esm_class,
        .registered_delivery = body->registered_delivery,
        .data_coding = body->data_coding,
        .short_message = body->text,
    };
    struct buffer out;
    buffer_init(&out, PDU_MAX);
    if (encode_sm(&out, SMPP_SUBMIT_SM, 1, &sm) == ERR_OK) {
        CHECK(decode_sm(buffer_span(&out), &again) == ESME_ROK);
        CHECK(span_equal(again.text, body->text));
        CHECK(strcmp(again.source.digits, body->source.digits) == 0);
        CHECK(strcmp(again.destination.digits, body->destination.digits) == 0);
        CHECK(again.data_coding == body->data_coding && again.esm_class == body->esm_class);
    }
    buffer_release(&out);
}

static void check_sm(struct span pdu)
{
    static struct sm_body body;
    if (decode_sm(pdu, &body) != ESME_ROK)
        return;
    check_inside(pdu, body.service_type);
    check_inside(pdu, body.schedule_delivery_time);
    check_inside(pdu, body.validity_period);
    check_inside(pdu, body.text);
    check_tlvs(pdu, &body.tlvs);
    CHECK(memchr(body.source.digits, 0, sizeof body.source.digits) != NULL);
    CHECK(memchr(body.destination.digits, 0, sizeof body.destination.digits) != NULL);
    check_second_trip(&body);
}

static void check_responses(struct span pdu)
{
    static struct message_id_body response;
    decode_message_resp(pdu, &response);
    check_inside(pdu, response.message_id);
    check_tlvs(pdu, &response.tlvs);
    CHECK(response.message_id.length <= MESSAGE_ID_MAX);
    CHECK(span_equal(response.message_id, decode_message_id(pdu)));
    static struct bind_resp_body bind_resp;
    decode_bind_resp(pdu, &bind_resp);
    check_inside(pdu, bind_resp.system_id);
    check_tlvs(pdu, &bind_resp.tlvs);
}

static void check_bind(struct span pdu)
{
    struct bind_body bind;
    if (decode_bind(pdu, &bind) != ESME_ROK)
        return;
    check_inside(pdu, bind.system_id);
    check_inside(pdu, bind.password);
    check_inside(pdu, bind.system_type);
    check_inside(pdu, bind.address_range);
}

static void check_fields(struct span pdu)
{
    struct fields walk;
    struct field field = {0};
    size_t at = 0;
    for (fields_begin(&walk, pdu); fields_next(&walk, &field);) {
        CHECK(field.kind != FIELD_BROKEN || !fields_next(&walk, &field));
        CHECK(field.offset >= at && field.offset <= pdu.length);
        CHECK(field.name != NULL || field.is_tlv);
        check_inside(pdu, field.octets);
        at = field.offset;
    }
}

/* Printable ASCII and UTF-8 alone, so that no PDU can play with a terminal. */
static void check_shown(void *context, const char *name, const char *value)
{
    (void)context;
    CHECK(*name != '\0' && *value != '\0');
    for (const uint8_t *c = (const uint8_t *)value; *c != '\0'; c++)
        CHECK(*c >= 0x20 && *c != 0x7f && (*c != 0xc2 || c[1] >= 0xa0));
}

/* The body read as that of every command in turn. */
static void check_as_every_command(struct span pdu)
{
    static const uint32_t ids[] = {
        SMPP_BIND_RECEIVER, SMPP_QUERY_SM,          SMPP_SUBMIT_SM, SMPP_UNBIND,
        SMPP_REPLACE_SM,    SMPP_CANCEL_SM,         SMPP_OUTBIND,   SMPP_SUBMIT_MULTI,
        SMPP_DATA_SM,       SMPP_ALERT_NOTIFICATION};
    uint8_t *copy = malloc(pdu.length);
    CHECK(copy != NULL);
    memcpy(copy, pdu.data, pdu.length);
    for (size_t i = 0; i < 2 * sizeof ids / sizeof *ids; i++) {
        store_u32(copy + 4, ids[i / 2] | (i % 2 != 0 ? SMPP_RESPONSE : 0));
        struct span as = span_of(copy, pdu.length);
        check_fields(as);
        if (i == pdu.length % (2 * sizeof ids / sizeof *ids))
            (void)show_pdu(as, i % 4 < 2, check_shown, NULL);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pdu_header header;
    enum frame_result result = decode_frame(span_of(data, size), PDU_MAX, &header);
    if (result == FRAME_WHOLE)
        CHECK(header.command_length >= SMPP_HEADER_SIZE && header.command_length <= size);
    if (size < SMPP_HEADER_SIZE)
        return 0;
    struct span pdu = span_of(data, result == FRAME_WHOLE ? header.command_length : size);
    check_sm(pdu);
    check_responses(pdu);
    check_bind(pdu);
    check_fields(pdu);
    (void)show_pdu(pdu, true, check_shown, NULL);
    check_as_every_command(pdu);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as the optional part of a deliver_sm: decode_sm() and the walk along the tables, which are
 * written apart, must find the same TLVs. */
#include <stdlib.h>

#include "proto/base/check.h"
#include "smpp/decode.h"
#include "smpp/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t front[] = {0, 0, 0, 0,   0, 0, 0, 5,   0, 0, 0, 0, 0, 0, 0, 1, /* header */
                                0, 1, 1, '1', 0, 1, 1, '2', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static void compare(const struct sm_body *body, struct span pdu)
{
    struct fields walk;
    struct field field = {0};
    size_t count = 0;
    for (fields_begin(&walk, pdu); fields_next(&walk, &field);) {
        if (!field.is_tlv)
            continue;
        if (count < TLV_MAX) {
            const struct tlv *tlv = &body->tlvs.items[count];
            CHECK(tlv->tag == field.tag && tlv->value.data == pdu.data + field.offset);
            CHECK(field.kind == FIELD_INTEGER || field.octets.length <= tlv->value.length);
            CHECK(tlv_find(&body->tlvs, field.tag)->tag == field.tag);
        }
        count++;
    }
    size_t broken = field.kind == FIELD_BROKEN;
    CHECK(body->tlvs.count == (count < TLV_MAX ? count : TLV_MAX));
    CHECK(body->tlvs.passed_over == count - body->tlvs.count + broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sm_body body;
    if (size > PDU_MAX - sizeof front)
        return 0;
    uint8_t *pdu = malloc(sizeof front + size);
    CHECK(pdu != NULL);
    memcpy(pdu, front, sizeof front);
    if (size > 0)
        memcpy(pdu + sizeof front, data, size);
    struct span octets = span_of(pdu, sizeof front + size);
    uint32_t status = decode_sm(octets, &body);
    CHECK(status == ESME_ROK || status == ESME_RINVOPTPARSTREAM);
    if (status == ESME_ROK)
        compare(&body, octets);
    free(pdu);
    return 0;
}

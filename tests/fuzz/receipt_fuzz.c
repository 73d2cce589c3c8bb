/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a receipt text, and as the TLVs of a receipt (the first two octets are lengths). */
#include "proto/base/check.h"
#include "smpp/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct receipt *receipt, const uint8_t *data, size_t size)
{
    CHECK(receipt->message_id.length > 0);
    CHECK(receipt->message_id.data >= data &&
          receipt->message_id.data + receipt->message_id.length <= data + size);
    CHECK(strlen(receipt->error_code) < sizeof receipt->error_code);
    CHECK(receipt->state >= 0 && receipt->state <= ASSENT__V1__RECEIPT_STATE__RECEIPT_REJECTED);
}

static struct span cut(struct span *rest, uint8_t length)
{
    struct span front = span_of(rest->data, length < rest->length ? length : rest->length);
    *rest = span_of(rest->data + front.length, rest->length - front.length);
    return front;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct receipt receipt;
    if (receipt_parse_text(span_of(data, size), &receipt))
        check(&receipt, data, size);
    if (size < 2)
        return 0;
    struct span rest = span_of(data + 2, size - 2);
    struct sm_body body = {.esm_class = data[0] & (ESM_TYPE_MASK | ESM_UDHI)};
    static const uint16_t tags[] = {TLV_RECEIPTED_MESSAGE_ID, TLV_MESSAGE_STATE,
                                    TLV_NETWORK_ERROR_CODE};
    for (unsigned i = 0; i < 3; i++)
        body.tlvs.items[body.tlvs.count++] =
            (struct tlv){.tag = tags[i], .value = cut(&rest, data[1] >> (2 * i) & 3)};
    body.text = rest;
    (void)receipt_is(&body);
    if (receipt_parse(&body, &receipt))
        check(&receipt, data, size);
    return 0;
}

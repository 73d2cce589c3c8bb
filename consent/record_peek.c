/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/record_peek.h"

#include "proto/event.pb-c.h"
#include "proto/pack.h"

static bool take_varint(struct span *rest, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->length && i < VARINT_MAX; i++) {
        value |= (uint64_t)(rest->data[i] & 0x7f) << (7 * i);
        if (rest->data[i] & 0x80)
            continue;
        *rest = span_of(rest->data + i + 1, rest->length - i - 1);
        *ret_value = value;
        return true;
    }
    return false;
}

/* One member off the front: its number, and its value or its octets. */
static bool take_member(struct span *rest, uint32_t *ret_number, uint64_t *ret_value,
                        struct span *ret_octets)
{
    uint64_t tag, length;
    *ret_octets = span_of(NULL, 0);
    if (!take_varint(rest, &tag) || tag >> 3 > UINT32_MAX)
        return false;
    *ret_number = (uint32_t)(tag >> 3);
    switch (tag & 7) {
    case WIRE_VARINT:
        return take_varint(rest, ret_value);
    case WIRE_64:
        length = 8;
        break;
    case WIRE_32:
        length = 4;
        break;
    case WIRE_OCTETS:
        if (!take_varint(rest, &length))
            return false;
        break;
    default:
        return false;
    }
    if (length > rest->length)
        return false;
    *ret_octets = span_of(rest->data, (size_t)length);
    *rest = span_of(rest->data + length, rest->length - (size_t)length);
    return true;
}

bool record_peek(struct span public_part, struct record_peek *ret_peek)
{
    uint32_t number;
    uint64_t value = 0;
    struct span octets, rest = public_part;
    *ret_peek = (struct record_peek){0};
    while (rest.length > 0) {
        if (!take_member(&rest, &number, &value, &octets))
            return false;
        if (number == 1)
            ret_peek->wall_ms = value;
        else if (number == 2)
            ret_peek->program = (uint32_t)value;
        else if (number == 3)
            ret_peek->message = value;
        else {
            ret_peek->body = number;
            ret_peek->octets = octets;
        }
    }
    return true;
}

uint64_t peek_number(struct span personal_part)
{
    uint32_t number;
    uint64_t value = 0, found = 0;
    struct span octets;
    while (personal_part.length > 0 && take_member(&personal_part, &number, &value, &octets))
        if (number == 1 && octets.data == NULL)
            found = value;
    return found;
}

uint32_t peek_early_body(struct span public_part)
{
    uint64_t tag;
    size_t at = 1;
    if (public_part.length < 2 || public_part.data[0] != (1 << 3 | WIRE_VARINT))
        return 0;
    while (at < public_part.length && public_part.data[at] & 0x80)
        at++;
    struct span rest = span_of(public_part.data + at, public_part.length - at);
    if (at > VARINT_MAX || rest.length < 2)
        return 0;
    rest = span_of(rest.data + 1, rest.length - 1);
    return take_varint(&rest, &tag) ? (uint32_t)(tag >> 3) : 0;
}

struct span peek_signing_key(struct span public_part)
{
    struct record_peek peek;
    uint32_t number;
    uint64_t value;
    struct span octets;
    if (!record_peek(public_part, &peek) || peek.body != ASSENT__V1__EVENT__BODY_SIGNING_KEY)
        return span_of(NULL, 0);
    while (peek.octets.length > 0 && take_member(&peek.octets, &number, &value, &octets))
        if (number == 1)
            return octets;
    return span_of(NULL, 0);
}

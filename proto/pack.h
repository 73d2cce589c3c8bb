/* SPDX-License-Identifier: Apache-2.0 */
/* Packs a protobuf message in one pass: from its last octet to its first, so that every length is known
 * when it is written; protobuf-c measures first, and every submessage again inside it. The octets are the
 * same: tests/unit/pack_test.c. */
#ifndef PROTO_PACK_H
#define PROTO_PACK_H

#include <protobuf-c/protobuf-c.h>

#include "proto/base/err.h"
#include "proto/base/span.h"

/* How a field stands in the octets, after its tag (number << 3 | type). */
enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_OCTETS = 2, WIRE_32 = 5 };

#define VARINT_MAX 10 /* octets of a 64-bit varint */

static inline size_t varint_length(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

/* Gives where it ends. */
static inline uint8_t *varint_write(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

/* The packed message ends at the end of `room`. False when it does not fit. CHECKs that the schema
 * uses only the types known here: bool, enum, int32, sint32, int64, uint32, uint64, fixed64, string, bytes, messages. */
MUST_CHECK bool pack_message(const ProtobufCMessage *message, uint8_t *room, size_t size,
                             struct span *ret_packed);

#endif

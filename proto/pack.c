/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pack.h"

#include <endian.h>

#include "proto/base/check.h"

struct packer {
    uint8_t *start, *at; /* what is packed begins at `at` and grows towards `start` */
    bool full;
};

/* Where so many octets go; NULL when there is no room. */
static uint8_t *take_room(struct packer *p, size_t length)
{
    if ((size_t)(p->at - p->start) < length) {
        p->full = true;
        return NULL;
    }
    return p->at -= length;
}

static void put_octets(struct packer *p, const void *octets, size_t length)
{
    uint8_t *at = take_room(p, length);
    if (at != NULL && length > 0)
        memcpy(at, octets, length);
}

static void put_varint(struct packer *p, uint64_t value)
{
    uint8_t *at = take_room(p, varint_length(value));
    if (at != NULL)
        (void)varint_write(at, value);
}

static void put_tag(struct packer *p, uint32_t number, enum wire_type type)
{
    put_varint(p, (uint64_t)number << 3 | type);
}

static void put_fields(struct packer *p, const ProtobufCMessage *message);

/* A 32-bit integer below 0 is sign-extended to 64 bits, as the format says. */
static uint64_t integer(const ProtobufCFieldDescriptor *field, const uint8_t *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)(const void *)member != 0;
    case PROTOBUF_C_TYPE_UINT32:
        return *(const uint32_t *)(const void *)member;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
        return (uint64_t)(int64_t) * (const int32_t *)(const void *)member;
    case PROTOBUF_C_TYPE_SINT32: /* zigzag: 0, -1, 1, -2, ... */
        return (uint32_t)(*(const int32_t *)(const void *)member * 2u) ^
               (uint32_t) - (*(const int32_t *)(const void *)member < 0);
    default:
        CHECK(field->type == PROTOBUF_C_TYPE_UINT64 || field->type == PROTOBUF_C_TYPE_INT64 ||
              field->type == PROTOBUF_C_TYPE_FIXED64);
        return *(const uint64_t *)(const void *)member;
    }
}

static size_t member_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t);
    }
}

/* A length, what it measures, which ends at `end` and is packed already, and the tag in front. */
static void put_length(struct packer *p, uint32_t number, const uint8_t *end)
{
    put_varint(p, (uint64_t)(end - p->at));
    put_tag(p, number, WIRE_OCTETS);
}

static struct span octets_of(const ProtobufCFieldDescriptor *field, const uint8_t *member)
{
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return span_from_string(*(char *const *)(const void *)member);
    const ProtobufCBinaryData *bytes = (const void *)member;
    return span_of(bytes->data, bytes->len);
}

static enum wire_type put_bare(struct packer *p, const ProtobufCFieldDescriptor *field,
                               uint64_t value)
{
    if (field->type != PROTOBUF_C_TYPE_FIXED64) {
        put_varint(p, value);
        return WIRE_VARINT;
    }
    uint64_t little_endian = htole64(value);
    put_octets(p, &little_endian, sizeof little_endian);
    return WIRE_64;
}

static void put_integer(struct packer *p, const ProtobufCFieldDescriptor *field, uint64_t value)
{
    enum wire_type type = put_bare(p, field, value);
    put_tag(p, field->id, type);
}

/* One value with its tag. `always`: also what proto3 leaves out, a zero or an empty string. */
static void put_value(struct packer *p, const ProtobufCFieldDescriptor *field,
                      const uint8_t *member, bool always)
{
    const uint8_t *end = p->at;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)(const void *)member;
        if (inner == NULL)
            return;
        put_fields(p, inner);
        put_length(p, field->id, end);
    } else if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES) {
        struct span octets = octets_of(field, member);
        if (octets.length == 0 && !always)
            return;
        put_octets(p, octets.data, octets.length);
        put_length(p, field->id, end);
    } else {
        uint64_t value = integer(field, member);
        if (value != 0 || always)
            put_integer(p, field, value);
    }
}

static void put_repeated(struct packer *p, const ProtobufCFieldDescriptor *field,
                         const uint8_t *members, size_t count)
{
    size_t size = member_size(field);
    bool packed = (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
    const uint8_t *end = p->at;
    while (count-- > 0) {
        if (packed)
            (void)put_bare(p, field, integer(field, members + count * size));
        else
            put_value(p, field, members + count * size, true);
    }
    if (packed && p->at != end)
        put_length(p, field->id, end);
}

static void put_field(struct packer *p, const ProtobufCFieldDescriptor *field,
                      const uint8_t *message)
{
    const uint8_t *member = message + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)(message + field->quantifier_offset);
        put_repeated(p, field, *(const uint8_t *const *)(const void *)member, count);
    } else {
        put_value(p, field, member, false);
    }
}

static bool is_one_of(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* The first field of the oneof of which `last` is one; they follow each other. By halves: an event has many. */
static unsigned one_of_begins(const ProtobufCMessageDescriptor *type, unsigned last)
{
    unsigned offset = type->fields[last].quantifier_offset, first = 0;
    while (first < last) {
        unsigned middle = (first + last) / 2;
        const ProtobufCFieldDescriptor *field = &type->fields[middle];
        if (is_one_of(field) && field->quantifier_offset == offset)
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}

/* Of the oneof that ends with the field `last` the one that is chosen. Gives where it begins. */
static unsigned put_one_of(struct packer *p, const ProtobufCMessageDescriptor *type, unsigned last,
                           const uint8_t *message)
{
    uint32_t chosen =
        *(const uint32_t *)(const void *)(message + type->fields[last].quantifier_offset);
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, chosen);
    if (field != NULL)
        put_value(p, field, message + field->offset, true);
    return one_of_begins(type, last);
}

static void put_fields(struct packer *p, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const uint8_t *octets = (const uint8_t *)message;
    for (unsigned i = type->n_fields; i > 0;) {
        if (is_one_of(&type->fields[i - 1]))
            i = put_one_of(p, type, i - 1, octets);
        else
            put_field(p, &type->fields[--i], octets);
    }
}

bool pack_message(const ProtobufCMessage *message, uint8_t *room, size_t size,
                  struct span *ret_packed)
{
    struct packer p = {.start = room, .at = room + size};
    put_fields(&p, message);
    *ret_packed = span_of(p.at, (size_t)(room + size - p.at));
    return !p.full;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The few functions that touch protobuf's wire format by hand do so for a reason: protobuf-c hides
 * embedded NULs, and a watcher of a busy gateway must not cost a decoding and an encoding a record.
 * Wire format: a field is a varint tag (number << 3 | type), then a varint (type 0), 8 octets (1), a
 * length and octets (2) or 4 octets (5). */
#include "proto/frame.h"

#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "proto/pack.h"

#define WATCH_OVERHEAD_MAX (5 * (1 + 2 + VARINT_MAX)) /* tags and lengths around a watch event */

enum frame_look frame_look(struct span stream, uint32_t max, struct span *ret_body)
{
    struct reader reader = reader_over(stream);
    uint32_t length = read_u32(&reader);
    if (reader.failed)
        return FRAME_MORE;
    if (length == 0)
        return FRAME_EMPTY;
    if (length > max)
        return FRAME_TOO_LONG;
    struct span body = read_span(&reader, length);
    if (reader.failed)
        return FRAME_MORE;
    *ret_body = body;
    return FRAME_WHOLE;
}

/* Reading fields ------------------------------------------------------------------------------ */

struct field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;     /* WIRE_VARINT */
    struct span octets; /* WIRE_OCTETS */
};

static uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t octet = read_u8(reader);
        value |= (uint64_t)(octet & 0x7f) << shift;
        if ((octet & 0x80) == 0)
            return value;
    }
    reader->failed = true;
    return 0;
}

static bool next_field(struct reader *reader, struct field *ret_field)
{
    if (reader->failed || reader_left(reader) == 0)
        return false;
    uint64_t tag = read_varint(reader);
    *ret_field = (struct field){.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
    switch (tag & 7) {
    case WIRE_VARINT:
        ret_field->value = read_varint(reader);
        break;
    case WIRE_64:
        (void)read_span(reader, 8);
        break;
    case WIRE_32:
        (void)read_span(reader, 4);
        break;
    case WIRE_OCTETS: {
        uint64_t length = read_varint(reader);
        if (length > reader_left(reader))
            reader->failed = true;
        else
            ret_field->octets = read_span(reader, (size_t)length);
        break;
    }
    default: /* groups, which proto3 does not have */
        reader->failed = true;
    }
    return !reader->failed;
}

/* Strings ------------------------------------------------------------------------------------- */

static void expose_nul(uint8_t *octets, size_t length)
{
    for (uint8_t *at = octets; (at = memchr(at, 0, length - (size_t)(at - octets))) != NULL;)
        *at = 0xff;
}

/* Recursion ends: the schema has no recursive types. */
static void expose_nuls(const ProtobufCMessageDescriptor *type, uint8_t *octets, size_t length)
{
    struct reader reader = reader_over(span_of(octets, length));
    struct field field;
    while (next_field(&reader, &field)) {
        const ProtobufCFieldDescriptor *known =
            protobuf_c_message_descriptor_get_field(type, field.number);
        if (known == NULL || field.type != WIRE_OCTETS || field.octets.length == 0)
            continue;
        uint8_t *inside = octets + (field.octets.data - octets);
        if (known->type == PROTOBUF_C_TYPE_STRING)
            expose_nul(inside, field.octets.length);
        else if (known->type == PROTOBUF_C_TYPE_MESSAGE)
            expose_nuls(known->descriptor, inside, field.octets.length);
    }
}

Assent__V1__Frame *frame_decode(struct span body, struct arena *arena)
{
    if (body.length == 0)
        return NULL;
    if (memchr(body.data, 0, body.length) != NULL) {
        uint8_t *copy = arena_alloc(arena, body.length);
        if (copy == NULL)
            return NULL;
        memcpy(copy, body.data, body.length);
        expose_nuls(&assent__v1__frame__descriptor, copy, body.length);
        body.data = copy;
    }
    return assent__v1__frame__unpack(&arena->allocator, body.length, body.data);
}

/* Octets of the character at `at`, 0 when it is none. */
static size_t character_length(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xc2 ? 0
                    : at[0] < 0xe0 ? 2
                    : at[0] < 0xf0 ? 3
                    : at[0] < 0xf5 ? 4
                                   : 0;
    if (length == 0 || length > left)
        return 0;
    uint32_t character = length == 1 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (at[i] & 0x3f);
    }
    bool surrogate = character >= 0xd800 && character <= 0xdfff;
    return character < least[length] || character > 0x10ffff || surrogate ? 0 : length;
}

/* Most texts are mostly ASCII, so eight octets at a time are tried first. */
static bool eight_are_ascii(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return (word & 0x8080808080808080ull) == 0;
}

bool frame_text_valid(struct span text)
{
    for (size_t i = 0; i < text.length;) {
        if (text.length - i >= 8 && eight_are_ascii(text.data + i)) {
            i += 8;
            continue;
        }
        size_t length = character_length(text.data + i, text.length - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

bool frame_strings_valid(const ProtobufCMessage *message, const char **ret_field)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type != PROTOBUF_C_TYPE_STRING || field->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        const char *value = *(char *const *)((const uint8_t *)message + field->offset);
        if (frame_text_valid(span_from_string(value)))
            continue;
        *ret_field = field->name;
        return false;
    }
    return true;
}

/* Writing ------------------------------------------------------------------------------------- */

bool frame_append(struct buffer *out, const Assent__V1__Frame *frame)
{
    size_t length = assent__v1__frame__get_packed_size(frame);
    if (length > FRAME_MAX)
        return false;
    uint8_t *at = buffer_reserve(out, FRAME_HEADER + length);
    if (at == NULL)
        return false;
    store_u32(at, (uint32_t)length);
    CHECK(assent__v1__frame__pack(frame, at + FRAME_HEADER) == length);
    buffer_commit(out, FRAME_HEADER + length);
    return true;
}

static uint8_t *put_tag(uint8_t *at, uint32_t number, enum wire_type type)
{
    return varint_write(at, (uint64_t)number << 3 | type);
}

static uint8_t *put_octets(uint8_t *at, uint32_t number, struct span octets)
{
    at = put_tag(at, number, WIRE_OCTETS);
    at = varint_write(at, octets.length);
    memcpy(at, octets.data, octets.length);
    return at + octets.length;
}

static size_t octets_length(struct span octets)
{
    return 1 + varint_length(octets.length) + octets.length; /* field numbers below 16 */
}

bool frame_append_watch_event(struct buffer *out, uint64_t call, uint64_t sequence,
                              struct span event, struct span personal)
{
    if (event.length + personal.length > FRAME_MAX - WATCH_OVERHEAD_MAX)
        return false;
    uint8_t *start =
        buffer_reserve(out, FRAME_HEADER + WATCH_OVERHEAD_MAX + event.length + personal.length);
    if (start == NULL)
        return false;
    size_t inner = 1 + varint_length(sequence) + octets_length(event) +
                   (personal.length > 0 ? octets_length(personal) : 0);
    uint8_t *at = put_tag(start + FRAME_HEADER, 1, WIRE_VARINT);
    at = varint_write(at, call);
    at = put_tag(at, ASSENT__V1__FRAME__BODY_WATCH_EVENT, WIRE_OCTETS);
    at = varint_write(at, inner);
    at = put_tag(at, 1, WIRE_VARINT);
    at = varint_write(at, sequence);
    at = put_octets(at, 2, event);
    if (personal.length > 0)
        at = put_octets(at, 3, personal);
    size_t length = (size_t)(at - start);
    store_u32(start, (uint32_t)(length - FRAME_HEADER));
    buffer_commit(out, length);
    return true;
}

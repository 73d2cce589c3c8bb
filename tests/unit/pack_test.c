/* SPDX-License-Identifier: Apache-2.0 */
/* pack_message() against protobuf-c: random messages of every type of both schemas, octet for octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/assent.pb-c.h"
#include "proto/base/rng.h"
#include "proto/event.pb-c.h"
#include "proto/pack.h"

#define ROOM   65536
#define ROUNDS 3000
#define MANY   4 /* members of a repeated field */

static struct rng rng;

static uint64_t some_number(void)
{
    uint64_t value = (uint64_t)rng_below(&rng, UINT32_MAX) << 32 | rng_below(&rng, UINT32_MAX);
    return value >> rng_below(&rng, 64);
}

static void *some_octets(size_t length, bool text)
{
    uint8_t *octets = calloc(1, length + 1);
    for (size_t i = 0; i < length; i++)
        octets[i] = text ? (uint8_t)(1 + rng_below(&rng, 127)) : (uint8_t)rng_below(&rng, 256);
    return octets;
}

static ProtobufCMessage *some_message(const ProtobufCMessageDescriptor *type);

static void fill_value(const ProtobufCFieldDescriptor *field, uint8_t *member)
{
    size_t length = rng_below(&rng, 3) == 0 ? rng_below(&rng, 300) : rng_below(&rng, 3);
    ProtobufCBinaryData bytes;
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)(void *)member = (protobuf_c_boolean)rng_below(&rng, 2);
        return;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)(void *)member = (uint32_t)some_number();
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        *(uint64_t *)(void *)member = some_number();
        return;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)(void *)member = some_octets(length, true);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        bytes = (ProtobufCBinaryData){.len = length, .data = some_octets(length, false)};
        *(ProtobufCBinaryData *)(void *)member = bytes;
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)(void *)member = some_message(field->descriptor);
        return;
    default:
        fail_msg("field %s is of a type that pack_message() does not know", field->name);
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        return 4;
    default:
        return 8;
    }
}

static void fill_field(const ProtobufCFieldDescriptor *field, uint8_t *message)
{
    uint8_t *member = message + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = rng_below(&rng, MANY + 1);
        uint8_t *members = count > 0 ? calloc(count, size_of(field)) : NULL;
        for (size_t i = 0; i < count; i++)
            fill_value(field, members + i * size_of(field));
        *(size_t *)(void *)(message + field->quantifier_offset) = count;
        *(uint8_t **)(void *)member = members;
    } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0) {
        fill_value(field, member);
    }
}

/* Of a oneof one field is chosen, or none. */
static void fill_one_of(const ProtobufCMessageDescriptor *type, uint8_t *message)
{
    const ProtobufCFieldDescriptor *field = &type->fields[rng_below(&rng, type->n_fields)];
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return;
    *(uint32_t *)(void *)(message + field->quantifier_offset) = field->id;
    fill_value(field, message + field->offset);
}

static ProtobufCMessage *some_message(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = malloc(type->sizeof_message);
    type->message_init(message);
    for (unsigned i = 0; i < type->n_fields; i++)
        if (rng_below(&rng, 3) > 0)
            fill_field(&type->fields[i], (uint8_t *)message);
    if (type->n_fields > 0)
        fill_one_of(type, (uint8_t *)message);
    return message;
}

static void the_octets_are_those_of_protobuf_c(void **state)
{
    (void)state;
    static const ProtobufCMessageDescriptor *const types[] = {&assent__v1__event__descriptor,
                                                              &assent__v1__personal__descriptor,
                                                              &assent__v1__frame__descriptor};
    static uint8_t theirs[ROOM * 16], ours[ROOM * 16];
    size_t octets = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        ProtobufCMessage *message = some_message(types[i % 3]);
        size_t length = protobuf_c_message_pack(message, theirs);
        struct span packed;
        assert_true(pack_message(message, ours, sizeof ours, &packed));
        assert_int_equal(packed.length, length);
        assert_memory_equal(packed.data, theirs, length);
        octets += length;
        protobuf_c_message_free_unpacked(message, NULL);
    }
    assert_true(octets > (size_t)ROUNDS * 50);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        ProtobufCMessage *message = some_message(&assent__v1__event__descriptor);
        size_t length = protobuf_c_message_get_packed_size(message);
        uint8_t *room = malloc(length + 1);
        struct span packed;
        assert_true(pack_message(message, room, length, &packed));
        assert_int_equal(packed.length, length);
        for (size_t size = 0; size < length; size += 1 + length / 20)
            assert_false(pack_message(message, room, size, &packed));
        free(room);
        protobuf_c_message_free_unpacked(message, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_octets_are_those_of_protobuf_c),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    rng.state = 7;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

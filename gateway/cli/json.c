/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/client.h"
#include "gateway/cli/event_text.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/digest.h"

static json_t *integer_json(uint64_t value)
{
    char text[24];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

static json_t *enum_json(const ProtobufCEnumDescriptor *type, int value)
{
    char name[48];
    if (type == &assent__v1__code__descriptor)
        return json_string(code_name((Assent__V1__Code)value));
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    if (known == NULL)
        return json_integer(value);
    size_t i = 0;
    for (; i < sizeof name - 1 && known->name[i] != '\0'; i++)
        name[i] = (char)tolower((unsigned char)known->name[i]);
    name[i] = '\0';
    return json_string(name);
}

static json_t *octets_json(const ProtobufCBinaryData *octets)
{
    char *text = check_malloc(2 * octets->len + 1);
    json_t *json = json_string(hex_encode(span_of(octets->data, octets->len), text));
    free(text);
    return json;
}

/* `at` points to the value, for a repeated field to one element. NULL where there is nothing. */
static json_t *value_json(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_json(field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_integer(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return integer_json(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return octets_json(at);
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)at;
        return inner ? message_json(inner) : NULL;
    }
    }
    return NULL;
}

static size_t element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 4;
    }
    return 4;
}

static json_t *list_json(const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    const uint8_t *elements = *(uint8_t *const *)(base + field->offset);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, value_json(field, elements + i * element_size(field)));
    return list;
}

json_t *message_json(const ProtobufCMessage *message)
{
    json_t *object = json_object();
    const uint8_t *base = (const uint8_t *)message;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        bool one_of = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
        if (one_of && *(const uint32_t *)(base + field->quantifier_offset) != field->id)
            continue;
        json_t *value = field->label == PROTOBUF_C_LABEL_REPEATED
                            ? list_json(field, base)
                            : value_json(field, base + field->offset);
        if (value != NULL)
            json_object_set_new(object, field->name, value);
    }
    return object;
}

/* Octets that nobody can read, or soon cannot, are left out. */
static json_t *personal_json(const Assent__V1__Event *event, const Assent__V1__Personal *personal)
{
    json_t *object = message_json(&personal->base);
    json_object_del(object, "encrypted_text");
    json_object_del(object, "epoch");
    json_object_set_new(object, "text", json_string(shown_text(event, personal)));
    return object;
}

json_t *event_json(uint64_t sequence, const Assent__V1__Event *event,
                   const Assent__V1__Personal *personal)
{
    char when[CLOCK_TEXT_SIZE];
    json_t *head = json_object(), *fields = message_json(&event->base);
    json_object_set_new(head, "sequence", integer_json(sequence));
    json_object_set_new(head, "time", json_string(clock_format_wall(event->wall_ms, when)));
    json_object_set_new(head, "kind", json_string(event_kind(event)));
    json_object_update_missing(head, fields);
    json_decref(fields);
    if (personal != NULL)
        json_object_set_new(head, "personal", personal_json(event, personal));
    return head;
}

void json_line(json_t *object, FILE *out)
{
    json_dumpf(object, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(object);
}

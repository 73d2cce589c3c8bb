/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/export_row.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/policy.h"
#include "gateway/cli/event_text.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/number.h"

static const struct {
    const char *name;
    bool is_integer;
} columns[COLUMN_COUNT] = {
    [COLUMN_SEQUENCE] = {"sequence", true},
    [COLUMN_TIME] = {"time", false},
    [COLUMN_KIND] = {"kind", false},
    [COLUMN_PROGRAM] = {"program", false},
    [COLUMN_MESSAGE] = {"message", true},
    [COLUMN_NUMBER] = {"number", false},
    [COLUMN_CLIENT] = {"client", false},
    [COLUMN_CLASS] = {"class", false},
    [COLUMN_SENDER] = {"sender", false},
    [COLUMN_CARRIER] = {"carrier", false},
    [COLUMN_OUTCOME] = {"outcome", false},
    [COLUMN_REASON] = {"reason", false},
    [COLUMN_PART] = {"part", true},
    [COLUMN_CARRIER_MESSAGE_ID] = {"carrier_message_id", false},
    [COLUMN_COMMAND_STATUS] = {"command_status", true},
    [COLUMN_STATE] = {"state", false},
    [COLUMN_SOURCE] = {"source", false},
    [COLUMN_RULE] = {"rule", false},
    [COLUMN_LANGUAGE] = {"language", false},
    [COLUMN_TEXT] = {"text", false},
    [COLUMN_REFERENCE] = {"reference", false},
    [COLUMN_EVIDENCE] = {"evidence", false},
    [COLUMN_DETAILS] = {"details", false},
};

/* Cells hold offsets until the row is whole: the octets move when they grow. */
struct row_maker {
    char *octets;
    size_t used, room;
    struct cell cells[COLUMN_COUNT];
    size_t begins[COLUMN_COUNT];
    uint64_t second; /* that `when` tells: most records share it with the one before */
    char when[CLOCK_TEXT_SIZE];
    char *details; /* gathered beside the columns */
    size_t details_used, details_room;
};

/* Text that grows. */
static void put(char **octets, size_t *used, size_t *room, const char *text, size_t length)
{
    if (*room - *used < length + 1) {
        *room = 2 * (*used + length + 64);
        *octets = check_realloc(*octets, *room);
    }
    memcpy(*octets + *used, text, length);
    *used += length;
}

static void say(struct row_maker *m, const char *text, size_t length)
{
    put(&m->octets, &m->used, &m->room, text, length);
}

static void tell(struct row_maker *m, const char *text, size_t length)
{
    put(&m->details, &m->details_used, &m->details_room, text, length);
}

static void tell_text(struct row_maker *m, const char *text)
{
    tell(m, text, strlen(text));
}

struct row_maker *row_maker_new(void)
{
    return check_calloc(1, sizeof(struct row_maker));
}

void row_maker_free(struct row_maker *maker)
{
    free(maker->octets);
    free(maker->details);
    free(maker);
}

const char *column_name(enum column column)
{
    return columns[column].name;
}

bool column_is_integer(enum column column)
{
    return columns[column].is_integer;
}

/* Values -------------------------------------------------------------------------------------- */

/* Into `out` from its end; gives the first digit. */
static char *decimal(uint64_t value, char out[21])
{
    char *at = out + 20;
    *at = '\0';
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return at;
}

static const char *lower_name(const ProtobufCEnumDescriptor *type, int value, char out[48])
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    size_t i = 0;
    if (known == NULL) {
        snprintf(out, 48, "%d", value);
        return out;
    }
    for (; i < 47 && known->name[i] != '\0'; i++)
        out[i] = (char)tolower((unsigned char)known->name[i]);
    out[i] = '\0';
    return out;
}

/* JSON's string, quotes included. */
static void tell_quoted(struct row_maker *m, const char *text, size_t length)
{
    tell(m, "\"", 1);
    for (size_t i = 0, from = 0; i <= length; i++) {
        if (i < length && (unsigned char)text[i] >= ' ' && text[i] != '"' && text[i] != '\\')
            continue;
        tell(m, text + from, i - from);
        from = i + 1;
        if (i < length) {
            char escape[8];
            int n = text[i] == '"' || text[i] == '\\'
                        ? snprintf(escape, sizeof escape, "\\%c", text[i])
                        : snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)text[i]);
            tell(m, escape, (size_t)n);
        }
    }
    tell(m, "\"", 1);
}

static void tell_hex(struct row_maker *m, const ProtobufCBinaryData *octets)
{
    static const char digits[] = "0123456789abcdef";
    tell(m, "\"", 1);
    for (size_t i = 0; i < octets->len; i++) {
        char pair[2] = {digits[octets->data[i] >> 4], digits[octets->data[i] & 15]};
        tell(m, pair, 2);
    }
    tell(m, "\"", 1);
}

static void tell_integer(struct row_maker *m, int64_t value)
{
    char text[21];
    if (value < 0)
        tell(m, "-", 1);
    tell_text(m, decimal(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, text));
}

static void tell_message(struct row_maker *m, const ProtobufCMessage *message);

/* `gates`: two bits each, as words; those that were not asked are left out. */
static void tell_gates(struct row_maker *m, uint32_t answers)
{
    bool first = true;
    tell(m, "{", 1);
    for (int g = 0; g < GATE_COUNT; g++) {
        enum gate_answer answer = gate_answer_of(answers, (enum gate)g);
        if (answer == ANSWER_EXEMPT)
            continue;
        tell_text(m, first ? "\"" : ",\"");
        tell_text(m, gate_name((enum gate)g));
        tell_text(m, "\":\"");
        tell_text(m, gate_answer_name(answer));
        tell_text(m, "\"");
        first = false;
    }
    tell(m, "}", 1);
}

/* One value as JSON; `at` points to it, of a repeated member to one element. */
static void tell_value(struct row_maker *m, const ProtobufCFieldDescriptor *field, const void *at)
{
    char name[48], text[21];
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        tell_text(m, *(const protobuf_c_boolean *)at ? "true" : "false");
        return;
    case PROTOBUF_C_TYPE_ENUM:
        tell(m, "\"", 1);
        tell_text(m, lower_name(field->descriptor, *(const int *)at, name));
        tell(m, "\"", 1);
        return;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
        tell_integer(m, *(const int32_t *)at);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
        tell_integer(m, *(const int64_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (strcmp(field->name, "gates") == 0)
            tell_gates(m, *(const uint32_t *)at);
        else
            tell_integer(m, *(const uint32_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        tell_text(m, decimal(*(const uint64_t *)at, text));
        return;
    case PROTOBUF_C_TYPE_STRING:
        tell_quoted(m, *(char *const *)at, strlen(*(char *const *)at));
        return;
    case PROTOBUF_C_TYPE_BYTES:
        tell_hex(m, at);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        tell_message(m, *(ProtobufCMessage *const *)at);
        return;
    default: /* not in the schema */
        tell_text(m, "null");
        return;
    }
}

static size_t element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

static bool is_empty(const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
    const void *at = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(base + field->quantifier_offset) == 0;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return **(char *const *)at == '\0';
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(void *const *)at == NULL;
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)at)->len == 0;
    case PROTOBUF_C_TYPE_BOOL:
        return !*(const protobuf_c_boolean *)at;
    default:
        return element_size(field) == sizeof(uint64_t) ? *(const uint64_t *)at == 0
                                                       : *(const uint32_t *)at == 0;
    }
}

/* "name":value, behind a comma where something stands before it. */
static void tell_member(struct row_maker *m, const ProtobufCFieldDescriptor *field,
                        const uint8_t *base)
{
    if (m->details[m->details_used - 1] != '{')
        tell(m, ",", 1);
    tell(m, "\"", 1);
    tell_text(m, field->name);
    tell(m, "\":", 2);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        tell_value(m, field, base + field->offset);
        return;
    }
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    const uint8_t *elements = *(uint8_t *const *)(base + field->offset);
    tell(m, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            tell(m, ",", 1);
        tell_value(m, field, elements + i * element_size(field));
    }
    tell(m, "]", 1);
}

static void tell_message(struct row_maker *m, const ProtobufCMessage *message)
{
    const uint8_t *base = (const uint8_t *)message;
    tell(m, "{", 1);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        if (!is_empty(&message->descriptor->fields[i], base))
            tell_member(m, &message->descriptor->fields[i], base);
    tell(m, "}", 1);
}

/* Rows ---------------------------------------------------------------------------------------- */

static void begin_cell(struct row_maker *m, enum column column)
{
    m->begins[column] = m->used;
}

static void end_cell(struct row_maker *m, enum column column)
{
    m->cells[column].length = m->used - m->begins[column];
    m->cells[column].is_integer = columns[column].is_integer;
}

static void set(struct row_maker *m, enum column column, const char *text, size_t length)
{
    begin_cell(m, column);
    say(m, text, length);
    end_cell(m, column);
}

static void set_integer(struct row_maker *m, enum column column, uint64_t value)
{
    char text[21];
    const char *digits = decimal(value, text);
    set(m, column, digits, strlen(digits));
}

/* The column that a member of a body stands in; COLUMN_COUNT: none, so `details`. */
static enum column column_of(const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return COLUMN_COUNT;
    for (int column = COLUMN_CLIENT; column < COLUMN_DETAILS; column++)
        if (strcmp(columns[column].name, field->name) == 0)
            return (enum column)column;
    return COLUMN_COUNT;
}

/* Looking a name up costs more than all else: kept for each member of each body. */
#define BODIES_MAX  128
#define MEMBERS_MAX 64

static enum column remembered_column(const ProtobufCMessage *body, unsigned body_case, unsigned i)
{
    static uint8_t known[BODIES_MAX][MEMBERS_MAX]; /* column + 1 */
    if (body_case >= BODIES_MAX || i >= MEMBERS_MAX)
        return column_of(&body->descriptor->fields[i]);
    if (known[body_case][i] == 0)
        known[body_case][i] = (uint8_t)(column_of(&body->descriptor->fields[i]) + 1);
    return (enum column)(known[body_case][i] - 1);
}

static void set_member(struct row_maker *m, enum column column,
                       const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
    char name[48];
    const void *at = base + field->offset;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        set(m, column, *(char *const *)at, strlen(*(char *const *)at));
    else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        lower_name(field->descriptor, *(const int *)at, name);
        set(m, column, name, strlen(name));
    } else
        set_integer(m, column, *(const uint32_t *)at);
}

static void set_body(struct row_maker *m, const Assent__V1__Event *event)
{
    const ProtobufCMessage *body = (const ProtobufCMessage *)event->accepted; /* any of the oneof */
    const uint8_t *base = (const uint8_t *)body;
    for (unsigned i = 0; body != NULL && i < body->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &body->descriptor->fields[i];
        if (is_empty(field, base))
            continue;
        enum column column = remembered_column(body, (unsigned)event->body_case, i);
        if (column == COLUMN_COUNT)
            tell_member(m, field, base);
        else
            set_member(m, column, field, base);
    }
}

static void set_personal(struct row_maker *m, const Assent__V1__Event *event,
                         const Assent__V1__Personal *personal)
{
    const char *text = shown_text(event, personal);
    char number[NUMBER_TEXT_SIZE + 1] = "+";
    if (personal->number != 0) {
        number_format(personal->number, number + 1);
        set(m, COLUMN_NUMBER, number, strlen(number));
    }
    set(m, COLUMN_TEXT, text, strlen(text));
    set(m, COLUMN_REFERENCE, personal->reference, strlen(personal->reference));
    set(m, COLUMN_EVIDENCE, personal->evidence, strlen(personal->evidence));
    if (personal->raw.len > 0) {
        tell_text(m, m->details_used > 1 ? ",\"raw\":" : "\"raw\":");
        tell_hex(m, &personal->raw);
    }
    if (personal->text_hash.len > 0) {
        tell_text(m, m->details_used > 1 ? ",\"text_hash\":" : "\"text_hash\":");
        tell_hex(m, &personal->text_hash);
    }
}

static void tell_destroyed(struct row_maker *m, const char *destroyed)
{
    tell_text(m, m->details_used > 1 ? ",\"destroyed\":" : "\"destroyed\":");
    tell_quoted(m, destroyed, strlen(destroyed));
}

static void set_time(struct row_maker *m, uint64_t wall_ms)
{
    if (m->when[0] == '\0' || m->second != wall_ms / 1000) {
        clock_format_wall(wall_ms, m->when);
        m->second = wall_ms / 1000;
    }
    char *fraction = strchr(m->when, '.');
    CHECK(fraction != NULL);
    for (unsigned i = 3, ms = (unsigned)(wall_ms % 1000); i > 0; i--, ms /= 10)
        fraction[i] = (char)('0' + ms % 10);
    set(m, COLUMN_TIME, m->when, strlen(m->when));
}

const struct cell *row_make(struct row_maker *maker, uint64_t sequence,
                            const Assent__V1__Event *event, const Assent__V1__Personal *personal,
                            const char *program, const char *destroyed)
{
    bool is_message = event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED;
    const char *kind = event_kind(event);
    maker->used = maker->details_used = 0;
    memset(maker->cells, 0, sizeof maker->cells);
    memset(maker->begins, 0, sizeof maker->begins);
    tell(maker, "{", 1);
    set_integer(maker, COLUMN_SEQUENCE, sequence);
    set_time(maker, event->wall_ms);
    set(maker, COLUMN_KIND, kind, strlen(kind));
    if (program[0] != '\0')
        set(maker, COLUMN_PROGRAM, program, strlen(program));
    else if (event->program != 0)
        set_integer(maker, COLUMN_PROGRAM, event->program);
    if (is_message || event->message != 0)
        set_integer(maker, COLUMN_MESSAGE, is_message ? sequence : event->message);
    set_body(maker, event);
    if (personal != NULL)
        set_personal(maker, event, personal);
    if (destroyed[0] != '\0')
        tell_destroyed(maker, destroyed);
    if (maker->details_used > 1) {
        tell(maker, "}", 1);
        set(maker, COLUMN_DETAILS, maker->details, maker->details_used);
    }
    for (int i = 0; i < COLUMN_COUNT; i++)
        maker->cells[i].text = maker->octets + maker->begins[i];
    return maker->cells;
}

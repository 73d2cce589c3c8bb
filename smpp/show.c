/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/show.h"

#include <stdarg.h>
#include <stdio.h>

#include "smpp/fields.h"
#include "smpp/status.h"
#include "smpp/text.h"

/* Each octet of a text is at most a character of three octets, or four as an escape. */
#define VALUE_SIZE (SHOW_OCTETS_MAX * 4 + 64)

struct view {
    bool private_too;
    show_field *each;
    void *context;
    uint8_t esm_class, data_coding; /* once they were seen: how to read the text behind them */
    char value[VALUE_SIZE];
    size_t length;
};

/* ---- what values mean ---- */

struct meaning {
    uint32_t value;
    const char *text;
};

static const struct meaning tons[] = {
    {0, "unknown"},           {1, "international"}, {2, "national"},    {3, "network specific"},
    {4, "subscriber number"}, {5, "alphanumeric"},  {6, "abbreviated"}, {0, NULL}};
static const struct meaning npis[] = {
    {0, "unknown"}, {1, "E.164"},  {3, "X.121"},     {4, "telex"}, {6, "E.212"}, {8, "national"},
    {9, "private"}, {10, "ERMES"}, {14, "internet"}, {18, "WAP"},  {0, NULL}};
static const struct meaning codings[] = {{0, "default alphabet"}, {1, "IA5"},    {2, "octets"},
                                         {3, "Latin-1"},          {4, "octets"}, {5, "JIS"},
                                         {6, "Cyrillic"},         {7, "Hebrew"}, {8, "UCS-2"},
                                         {9, "pictogram"},        {10, "music"}, {13, "JIS X 0212"},
                                         {14, "KS C 5601"},       {0, NULL}};
static const struct meaning receipts[] = {
    {0, "no receipt"}, {1, "receipt"}, {2, "receipt of failure"}, {0, NULL}};
static const struct meaning states[] = {{1, "ENROUTE"}, {2, "DELIVERED"},     {3, "EXPIRED"},
                                        {4, "DELETED"}, {5, "UNDELIVERABLE"}, {6, "ACCEPTED"},
                                        {7, "UNKNOWN"}, {8, "REJECTED"},      {0, NULL}};
/* Bits 2 to 5 of esm_class; the two other parts are named by esm_text(). */
static const struct meaning types[] = {{0x04, "receipt"},
                                       {0x08, "delivery acknowledgement"},
                                       {0x10, "manual acknowledgement"},
                                       {0x18, "conversation abort"},
                                       {0x20, "intermediate notification"},
                                       {0, NULL}};

/* By the end of the field's name. */
static const struct {
    const char *ending;
    const struct meaning *meanings;
} meaningful[] = {
    {"_ton", tons},
    {"_npi", npis},
    {"data_coding", codings},
    {"registered_delivery", receipts},
    {"message_state", states},
};

static const char *find_meaning(const struct meaning *meanings, uint32_t value)
{
    for (; meanings->text != NULL; meanings++)
        if (meanings->value == value)
            return meanings->text;
    return NULL;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), end = strlen(ending);
    return length >= end && strcmp(text + length - end, ending) == 0;
}

/* ---- the value of one field ---- */

__attribute__((format(printf, 2, 3))) static void add(struct view *v, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(v->value + v->length, sizeof v->value - v->length, format, arguments);
    va_end(arguments);
    if (n > 0)
        v->length += (size_t)n;
    if (v->length >= sizeof v->value)
        v->length = sizeof v->value - 1;
}

static void put(struct view *v, char c)
{
    if (v->length + 1 < sizeof v->value)
        v->value[v->length++] = c;
}

static void put_hex(struct view *v, uint8_t octet)
{
    static const char digits[] = "0123456789abcdef";
    put(v, digits[octet >> 4]);
    put(v, digits[octet & 15]);
}

static void put_escape(struct view *v, uint8_t octet)
{
    put(v, '\\');
    put(v, 'x');
    put_hex(v, octet);
}

static void tell(struct view *v, const char *name)
{
    v->value[v->length] = '\0';
    v->each(v->context, name, v->value);
    v->length = 0;
}

static struct span cut(struct span octets)
{
    return span_of(octets.data, octets.length < SHOW_OCTETS_MAX ? octets.length : SHOW_OCTETS_MAX);
}

static void add_cut(struct view *v, struct span octets)
{
    if (octets.length > SHOW_OCTETS_MAX)
        add(v, "... (%zu octets)", octets.length);
}

static void add_hex(struct view *v, struct span octets)
{
    struct span shown = cut(octets);
    for (size_t i = 0; i < shown.length; i++)
        put_hex(v, shown.data[i]);
    if (octets.length == 0)
        add(v, "none");
    add_cut(v, octets);
}

static void add_escaped(struct view *v, struct span text, bool utf8)
{
    put(v, '"');
    for (size_t i = 0; i < text.length; i++) {
        uint8_t c = text.data[i];
        if (utf8 && c == 0xc2 && i + 1 < text.length && text.data[i + 1] < 0xa0) {
            put_escape(v, text.data[++i]); /* a control character of two octets */
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
            put_escape(v, c);
        } else {
            if (c == '"' || c == '\\')
                put(v, '\\');
            put(v, (char)c);
        }
    }
    put(v, '"');
}

/* What kind of characters, and how many. */
static void add_shape(struct view *v, struct span text)
{
    put(v, '"');
    for (size_t i = 0; i < text.length; i++) {
        uint8_t c = text.data[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool shown = c > ' ' && c < 0x7f && c != '"' && c != '\\';
        put(v, digit ? '#' : letter ? 'a' : shown ? (char)c : '?');
    }
    put(v, '"');
}

static void add_hidden(struct view *v, struct span octets)
{
    add(v, "hidden, %zu octets", octets.length);
}

static void show_string(struct view *v, const struct field *field)
{
    struct span shown = cut(field->octets);
    if (field->privacy == FIELD_SECRET)
        add(v, "hidden, %s", field->octets.length > 8 ? "more than 8 octets" : "at most 8 octets");
    else if (field->privacy == FIELD_OPEN || v->private_too)
        add_escaped(v, shown, false);
    else
        add_shape(v, shown);
    add_cut(v, field->octets);
    tell(v, field->name);
}

static void add_esm_class(struct view *v, uint32_t esm_class)
{
    static const char *const modes[] = {"", " datagram", " transaction", " store and forward"};
    const char *type = find_meaning(types, esm_class & ESM_TYPE_MASK);
    add(v, "%s%s%s%s%s", modes[esm_class & 3], type != NULL ? " " : "", type != NULL ? type : "",
        (esm_class & ESM_UDHI) != 0 ? " UDHI" : "", (esm_class & 0x80) != 0 ? " reply path" : "");
}

static void add_status(struct view *v, uint32_t status)
{
    const char *name = status_name(status);
    add(v, "0x%08x%s%s", (unsigned)status, name != NULL ? " " : "", name != NULL ? name : "");
}

static void show_integer(struct view *v, const struct field *field)
{
    uint32_t value = field->value;
    const char *meaning = NULL;
    if (strcmp(field->name, "command_id") == 0) {
        meaning = command_name(value);
        add(v, "0x%08x %s", (unsigned)value, meaning != NULL ? meaning : "unknown");
    } else if (ends_with(field->name, "_status") || ends_with(field->name, "_status_code")) {
        add_status(v, value);
    } else if (strcmp(field->name, "esm_class") == 0) {
        add(v, "0x%02x", (unsigned)value);
        add_esm_class(v, value);
        v->esm_class = (uint8_t)value;
    } else {
        for (size_t i = 0; i < sizeof meaningful / sizeof *meaningful && meaning == NULL; i++)
            if (ends_with(field->name, meaningful[i].ending))
                meaning = find_meaning(meaningful[i].meanings, value);
        add(v, "%u%s%s", (unsigned)value, meaning != NULL ? " " : "",
            meaning != NULL ? meaning : "");
    }
    if (strcmp(field->name, "data_coding") == 0)
        v->data_coding = (uint8_t)value;
    tell(v, field->name);
}

static struct span show_udh(struct view *v, struct span octets)
{
    if ((v->esm_class & ESM_UDHI) == 0 || octets.length == 0 ||
        octets.length < (size_t)octets.data[0] + 1)
        return octets;
    size_t length = (size_t)octets.data[0] + 1;
    add_hex(v, span_of(octets.data, length));
    tell(v, "udh");
    return span_of(octets.data + length, octets.length - length);
}

static void show_text(struct view *v, const struct field *field)
{
    struct span text = show_udh(v, field->octets);
    if (!v->private_too) {
        add_hidden(v, text);
        tell(v, field->name);
        return;
    }
    char utf8[SHOW_OCTETS_MAX * 3];
    size_t length = text_decode(v->data_coding, cut(text), utf8, sizeof utf8);
    add_escaped(v, span_of(utf8, length), true);
    add_cut(v, text);
    tell(v, field->name);
    add_hex(v, text);
    tell(v, "octets");
}

static void show_octets(struct view *v, const struct field *field, const char *name)
{
    if (field->privacy == FIELD_OPEN || v->private_too)
        add_hex(v, field->octets);
    else
        add_hidden(v, field->octets);
    tell(v, name);
}

static void show_broken(struct view *v, const struct field *field)
{
    add(v, "%s cannot be read from octet %zu on", field->name, field->offset);
    if (field->octets.length == 0)
        add(v, ": the PDU ends there");
    tell(v, "malformed");
    if (field->octets.length > 0)
        show_octets(v, field, "rest");
}

bool show_pdu(struct span pdu, bool private_too, show_field *each, void *context)
{
    struct view v = {.private_too = private_too, .each = each, .context = context};
    struct fields walk;
    struct field field = {0};
    char unnamed[sizeof "tlv_0x0000"];
    for (fields_begin(&walk, pdu); fields_next(&walk, &field);) {
        snprintf(unnamed, sizeof unnamed, "tlv_0x%04x", field.tag);
        if (field.kind == FIELD_BROKEN)
            show_broken(&v, &field);
        else if (field.kind == FIELD_INTEGER)
            show_integer(&v, &field);
        else if (field.kind == FIELD_STRING)
            show_string(&v, &field);
        else if (field.name != NULL && field.privacy == FIELD_TEXT)
            show_text(&v, &field);
        else
            show_octets(&v, &field, field.name != NULL ? field.name : unnamed);
    }
    return field.kind != FIELD_BROKEN;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Depth is the schema's, so that a file of aliases or a million brackets costs nothing. */
#include "gateway/config_table.h"

#include <stdarg.h>

#include "consent/reply.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"
#include "smpp/address.h"

/* Faults -------------------------------------------------------------------------------------- */

void config_fault(struct config_faults *faults, unsigned line, const char *format, ...)
{
    if (faults->count == CONFIG_FAULTS_MAX) {
        faults->dropped++;
        return;
    }
    struct config_fault *fault = &faults->faults[faults->count++];
    fault->line = line;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
}

/* Nodes --------------------------------------------------------------------------------------- */

unsigned line_of(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

yaml_node_t *node_at(struct reading *reading, int index)
{
    return yaml_document_get_node(&reading->document, index);
}

/* The text of a scalar, or NULL: then the fault has been told. */
const char *text_of(struct reading *reading, yaml_node_t *node, const char *key)
{
    if (node->type != YAML_SCALAR_NODE) {
        FAULT(reading, node, "`%s` holds a list or a mapping; one value is allowed", key);
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length || !config_is_plain(text)) {
        FAULT(reading, node, "`%s` holds a control character; plain text is allowed", key);
        return NULL;
    }
    return text;
}

size_t length_of(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

yaml_node_t *item_of(struct reading *reading, const yaml_node_t *list, size_t index)
{
    return node_at(reading, list->data.sequence.items.start[index]);
}

bool is_list(struct reading *reading, yaml_node_t *node, const struct field *field)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        FAULT(reading, node,
              "`%s` is not a list; a list is written [a, b] or as lines that begin with -",
              field->key);
        return false;
    }
    if (length_of(node) > field->max) {
        FAULT(reading, node, "`%s` has %zu entries; at most %llu are allowed", field->key,
              length_of(node), (unsigned long long)field->max);
        return false;
    }
    if (length_of(node) < field->min) {
        FAULT(reading, node, "`%s` is empty; at least %llu must be there", field->key,
              (unsigned long long)field->min);
        return false;
    }
    return true;
}
/* Mappings ------------------------------------------------------------------------------------ */

static const struct field *field_named(const struct mapping *mapping, const char *key)
{
    for (size_t i = 0; i < mapping->count; i++) {
        if (strcmp(mapping->fields[i].key, key) == 0)
            return &mapping->fields[i];
    }
    return NULL;
}

static void fault_unknown_key(struct reading *reading, yaml_node_t *node,
                              const struct mapping *mapping, const char *key)
{
    char allowed[900];
    size_t used = 0;
    for (size_t i = 0; i < mapping->count && used < sizeof allowed; i++)
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "",
                                 mapping->fields[i].key);
    FAULT(reading, node, "unknown key \"%.40s\" in %s; allowed: %s", key, mapping->what, allowed);
}

const char *key_of(struct reading *reading, const yaml_node_pair_t *pair)
{
    yaml_node_t *node = node_at(reading, pair->key);
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

/* The value of `key`, or NULL. */
yaml_node_t *value_of(struct reading *reading, yaml_node_t *node, const char *key)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        if (strcmp(key_of(reading, pair), key) == 0)
            return node_at(reading, pair->value);
    }
    return NULL;
}

static void check_keys(struct reading *reading, yaml_node_t *node, const struct mapping *mapping)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key_node = node_at(reading, pair->key);
        const char *key = key_of(reading, pair);
        if (field_named(mapping, key) == NULL)
            fault_unknown_key(reading, key_node, mapping, key);
        else if (value_of(reading, node, key) != node_at(reading, pair->value))
            FAULT(reading, key_node, "`%s` is there twice; keep one", key);
    }
}

void read_mapping(struct reading *reading, yaml_node_t *node, const struct mapping *mapping,
                  void *into)
{
    if (node->type != YAML_MAPPING_NODE) {
        FAULT(reading, node, "%s is written as lines of `key: value`, or {key: value}",
              mapping->what);
        return;
    }
    check_keys(reading, node, mapping);
    for (size_t i = 0; i < mapping->count; i++) {
        const struct field *field = &mapping->fields[i];
        yaml_node_t *value = value_of(reading, node, field->key);
        if (value != NULL)
            field->read(reading, value, field, (char *)into + field->offset);
        else if (field->required)
            FAULT(reading, node, "%s has no `%s`, which it needs", mapping->what, field->key);
    }
}

/* A mapping inside a mapping: `with` is its table, the struct is the same. */
void read_nested(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    read_mapping(reading, node, field->with, into);
}

/* Values -------------------------------------------------------------------------------------- */

static bool is_not_empty(const char *text)
{
    return *text != '\0';
}

const struct form form_name = {config_is_name,
                               "1 to 32 letters, digits, \"_\", \"-\" and \".\" are allowed"};
const struct form form_text = {is_not_empty, "it may not be empty"};
const struct form form_language = {
    reply_has_language,
    "en, fr, es, pt, de, it, nl, tr, id, tl, ar, ru, hi, zh, ja and ko are allowed"};

bool store_text(struct reading *reading, yaml_node_t *node, const struct field *field,
                const char *text, char *into)
{
    if (strlen(text) >= field->size) {
        FAULT(reading, node, "`%s` is too long; at most %zu octets are allowed", field->key,
              field->size - 1);
        return false;
    }
    memcpy(into, text, strlen(text) + 1);
    return true;
}

/* `with`: a form, or NULL for any text. */
void read_text(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    const char *text = text_of(reading, node, field->key);
    const struct form *form = field->with;
    if (text == NULL)
        return;
    if (form != NULL && !form->is(text))
        FAULT(reading, node, "`%s` cannot be \"%.64s\"; %s", field->key, text, form->allowed);
    else
        (void)store_text(reading, node, field, text, into);
}

void read_address(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    const char *text = text_of(reading, node, field->key);
    struct address address;
    const char *why = "";
    if (text == NULL)
        return;
    if (!address_parse(text, &address, &why))
        FAULT(reading, node, "`%s` cannot be \"%.64s\"; %s", field->key, text, why);
    else
        (void)store_text(reading, node, field, text, into);
}

/* Stores in an unsigned member of 1, 2, 4 or 8 octets. */
static void store_number(const struct field *field, uint64_t value, void *into)
{
    if (field->size == sizeof(uint8_t))
        *(uint8_t *)into = (uint8_t)value;
    else if (field->size == sizeof(uint16_t))
        *(uint16_t *)into = (uint16_t)value;
    else if (field->size == sizeof(uint32_t))
        *(uint32_t *)into = (uint32_t)value;
    else
        *(uint64_t *)into = value;
}

static void format_plain(uint64_t value, char *out, size_t size)
{
    snprintf(out, size, "%llu", (unsigned long long)value);
}

const struct measure integer = {config_integer, format_plain, "a whole number"};
const struct measure duration = {config_duration, config_duration_text,
                                 "a duration like 250ms, 30s, 5m, 24h or 7d,"};
const struct measure status_code = {config_status, config_status_text,
                                    "a command_status like 0x08"};
const struct measure share = {share_parse, share_text, "a share like 5% or 0.3%, or off,"};
const struct measure octets = {config_size, config_size_text, "a size like 512MiB or 2GiB,"};

/* `with`: the measure; from `min` to `max`. */
void read_number(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    const char *text = text_of(reading, node, field->key);
    const struct measure *measure = field->with;
    uint64_t value = 0;
    if (text == NULL)
        return;
    if (measure->parse(text, &value) && value >= field->min && value <= field->max) {
        store_number(field, value, into);
        return;
    }
    char low[32], high[32];
    measure->format(field->min, low, sizeof low);
    measure->format(field->max, high, sizeof high);
    FAULT(reading, node, "`%s` cannot be \"%.40s\"; %s from %s to %s is allowed", field->key, text,
          measure->allowed, low, high);
}

/* `with`: words, the position of each is the value of its enum; NULL ends them. */
void read_word(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    const char *text = text_of(reading, node, field->key);
    if (text == NULL)
        return;
    char allowed[128];
    size_t used = 0;
    unsigned value = 0;
    for (const char *const *word = field->with; *word != NULL; word++, value++) {
        if (strcmp(*word, text) == 0) {
            CHECK(field->size == sizeof value); /* an enum */
            memcpy(into, &value, sizeof value);
            return;
        }
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", value ? ", " : "",
                                 *word);
    }
    FAULT(reading, node, "`%s` cannot be \"%.40s\"; allowed: %s", field->key, text, allowed);
}

const char *const no_yes_words[] = {"no", "yes", NULL};

void read_flag(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    unsigned value = *(bool *)into;
    struct field as_word = *field;
    as_word.size = sizeof value;
    as_word.with = no_yes_words;
    read_word(reading, node, &as_word, &value);
    *(bool *)into = value != 0;
}

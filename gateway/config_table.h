/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of settings, which config_schema*.c fill: a mapping lists its keys, a key how it is read and
 * where it goes. config_table.c walks them and reads values, config_files.c what names a file. For
 * them alone. */
#ifndef GATEWAY_CONFIG_TABLE_H
#define GATEWAY_CONFIG_TABLE_H

#include <stddef.h>
#include <yaml.h>

#include "gateway/config_schema.h"

struct reading {
    yaml_document_t document;
    const char *folder;
    struct config *config;
    struct config_faults *faults;
};

struct field;
typedef void read_field(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into);

struct field {
    const char *key;
    read_field *read;
    size_t offset, size; /* of the member in the struct that the mapping fills */
    uint64_t min, max;
    const void *with; /* what the reader wants to know more */
    bool required;
};

struct mapping {
    const char *what; /* "a program": begins a sentence about a missing key */
    const struct field *fields;
    size_t count;
};

#define MEMBER(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define MAPPING(what_, rows)                                                                       \
    {                                                                                              \
        what_, rows, sizeof rows / sizeof rows[0]                                                  \
    }

#define FAULT(reading, node, ...) config_fault((reading)->faults, line_of(node), __VA_ARGS__)

/* Nodes. */
unsigned line_of(const yaml_node_t *node);
yaml_node_t *node_at(struct reading *reading, int index);
/* The text of a scalar, or NULL: then the fault has been told. */
const char *text_of(struct reading *reading, yaml_node_t *node, const char *key);
/* Whether it is a list of `min` to `max` entries; if not, the fault has been told. */
bool is_list(struct reading *reading, yaml_node_t *node, const struct field *field);
size_t length_of(const yaml_node_t *list);
yaml_node_t *item_of(struct reading *reading, const yaml_node_t *list, size_t index);
const char *key_of(struct reading *reading, const yaml_node_pair_t *pair);
/* The value of `key`, or NULL. */
yaml_node_t *value_of(struct reading *reading, yaml_node_t *node, const char *key);
void read_mapping(struct reading *reading, yaml_node_t *node, const struct mapping *mapping,
                  void *into);

/* Values: `with` is what the comment says. */
read_field read_nested;  /* the mapping inside the mapping; the struct is the same */
read_field read_text;    /* a form, or NULL for any text */
read_field read_address; /* of a listener */
read_field read_number;  /* its measure; from `min` to `max`, into an unsigned member */
read_field read_word;    /* words, NULL ends them; the position of each is the value of its enum */
read_field read_flag;    /* no or yes, into a bool */
/* False: the fault has been told. */
bool store_text(struct reading *reading, yaml_node_t *node, const struct field *field,
                const char *text, char *into);

struct form {
    bool (*is)(const char *text);
    const char *allowed;
};
extern const struct form form_name, form_text, form_language;

struct measure {
    bool (*parse)(const char *text, uint64_t *ret_value);
    void (*format)(uint64_t value, char *out, size_t size);
    const char *allowed;
};
extern const struct measure integer, duration, status_code, octets, share;

extern const char *const no_yes_words[];

/* Files. */
read_field read_path;
read_field read_secret;  /* a password from a file that nobody else may read */
read_field read_numbers; /* a list of numbers: `do_not_originate` */
extern const struct mapping peer_tls_mapping, listener_tls_mapping;
/* Whether `tls` fits to `address` and its files can be used. */
void check_tls(struct reading *reading, yaml_node_t *owner, enum tls_role role, const char *address,
               const struct tls_settings *tls);

/* Areas. */
read_field read_listeners, read_clients; /* config_schema_clients.c */
read_field read_registry, read_classes;  /* config_schema_senders.c */
extern const char *const class_words[CLASS_COUNT];
read_field read_programs; /* config_schema_programs.c */
bool any_program_sends_from(const struct config *config, const char *sender);
read_field read_routes;                         /* config_schema_routes.c */
read_field read_carriers;                       /* config_schema_carriers.c */
extern const struct mapping complaints_mapping; /* config_schema_desk.c */
extern const struct mapping ledger_mapping;     /* config_schema_ledger.c */
void config_check_retain(struct reading *reading, yaml_node_t *at);
extern const struct mapping reputation_mapping; /* config_schema_reputation.c */

#endif

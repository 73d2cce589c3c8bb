/* SPDX-License-Identifier: Apache-2.0 */
/* `listeners` and `clients`: where submitters come in, and who they are. */
#include "gateway/config_table.h"

#include "gateway/config_text.h"
#include "proto/base/check.h"

/* Listeners ----------------------------------------------------------------------------------- */

static const struct field listener_fields[] = {
    {"address", read_address, MEMBER(struct listener_config, address), .required = true},
    {"tls", read_nested, MEMBER(struct listener_config, tls), .with = &listener_tls_mapping},
};
static const struct mapping listener_mapping = MAPPING("a listener", listener_fields);

void read_listeners(struct reading *reading, yaml_node_t *node, const struct field *field,
                    void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->listeners = check_calloc(length_of(node), sizeof *config->listeners);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct listener_config *listener = &config->listeners[i];
        read_mapping(reading, item, &listener_mapping, listener);
        check_tls(reading, item, TLS_SERVER, listener->address, &listener->tls);
        for (size_t j = 0; j < i; j++) {
            if (listener->address[0] && !strcmp(listener->address, config->listeners[j].address))
                FAULT(reading, item, "two listeners have the address %s; keep one",
                      listener->address);
        }
        config->listener_count++;
    }
}

/* Clients ------------------------------------------------------------------------------------- */

static void read_key(struct reading *reading, yaml_node_t *node, const struct field *field,
                     void *into)
{
    struct client_config *client = into;
    const char *text = text_of(reading, node, field->key);
    if (text != NULL && config_sha256(text, client->key_sha256))
        client->has_key = true;
    else if (text != NULL)
        FAULT(reading, node,
              "`%s` is not a SHA-256; it has 64 hexadecimal digits, as from: printf %%s KEY | "
              "sha256sum",
              field->key);
}

static void read_uid(struct reading *reading, yaml_node_t *node, const struct field *field,
                     void *into)
{
    uint64_t uid = UINT64_MAX;
    struct field as_number = *field;
    as_number.size = sizeof uid;
    read_number(reading, node, &as_number, &uid);
    if (uid != UINT64_MAX)
        *(int64_t *)into = (int64_t)uid;
}

static void read_client_programs(struct reading *reading, yaml_node_t *node,
                                 const struct field *field, void *into)
{
    bool *programs = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        int program = text ? config_find_program(reading->config, text) : -1;
        if (program >= 0)
            programs[program] = true;
        else if (text != NULL)
            FAULT(reading, item,
                  "there is no program \"%.40s\"; those under `programs` are allowed", text);
    }
}

static bool is_certificate_name(const char *text)
{
    return *text != '\0' && *text != '.' && strchr(text, '*') == NULL;
}

static const struct form form_certificate = {
    is_certificate_name,
    "the common name, DNS name or e-mail address of one certificate is allowed"};

static const struct field client_fields[] = {
    {"name", read_text, MEMBER(struct client_config, name), .with = &form_name, .required = true},
    {"key_sha256", .read = read_key},
    {"uid", read_uid, MEMBER(struct client_config, uid), .max = UINT32_MAX - 1, .with = &integer},
    {"certificate", read_text, MEMBER(struct client_config, certificate),
     .with = &form_certificate},
    {"programs", read_client_programs, MEMBER(struct client_config, programs), .min = 1,
     .max = PROGRAMS_MAX, .required = true},
};
static const struct mapping client_mapping = MAPPING("a client", client_fields);

static bool asks_for_certificates(const struct config *config)
{
    for (uint16_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].tls.ca_file[0] != '\0')
            return true;
    }
    return false;
}

static void check_client(struct reading *reading, yaml_node_t *node, size_t index)
{
    const struct config *config = reading->config;
    const struct client_config *client = &config->clients[index];
    if (!client->has_key && client->uid < 0 && client->certificate[0] == '\0')
        FAULT(reading, node,
              "client %s has neither `key_sha256` nor `uid` nor `certificate`, so nobody could be "
              "it; give one",
              client->name);
    if (client->certificate[0] != '\0' && !asks_for_certificates(config))
        FAULT(reading, node,
              "client %s has a `certificate`, and no listener has `tls` with client_ca_file, so "
              "nobody would be asked for one",
              client->name);
    for (size_t i = 0; i < index; i++) {
        const struct client_config *other = &config->clients[i];
        if (client->name[0] != '\0' && strcmp(other->name, client->name) == 0)
            FAULT(reading, node, "two clients are called %s; names are unique", client->name);
        if (client->certificate[0] && strcmp(client->certificate, other->certificate) == 0)
            FAULT(reading, node, "clients %s and %s have the same `certificate`; give each its own",
                  other->name, client->name);
        if (client->has_key && other->has_key &&
            memcmp(client->key_sha256, other->key_sha256, sizeof client->key_sha256) == 0)
            FAULT(reading, node, "clients %s and %s have the same key; give each its own",
                  other->name, client->name);
    }
}

void read_clients(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->clients = check_calloc(length_of(node) + 1, sizeof *config->clients);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        config->clients[i].uid = -1;
        read_mapping(reading, item, &client_mapping, &config->clients[i]);
        check_client(reading, item, i);
        config->client_count++;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libyaml, with the files of config_table.h. The document is loaded as a tree whose
 * nodes know their line; tables say which keys a mapping may have, how each is read and where it goes.
 * A fault names its line and reading goes on, so that one run finds all of them. Here is the top; the
 * large areas have files of their own: config_schema_*.c.
 *
 * Rows are read in the order of the table, not of the file: programs stand before the clients that
 * name them.
 *
 * libcyaml, which this replaces, stops at the first fault and knows no line once a value is read: a
 * client that names a missing program could not be shown. */
#include "gateway/config_schema.h"

#include "gateway/config_table.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"

static const struct form form_node = {config_is_node_name,
                                      "1 to 32 of a-z, 0-9, \"_\" and \"-\" are allowed"};
static const struct form form_redis = {config_is_redis_url,
                                       "unix:///PATH or redis://HOST:PORT/DATABASE is allowed"};

static void read_buckets(struct reading *reading, yaml_node_t *node, const struct field *field,
                         void *into)
{
    uint32_t buckets = 0;
    read_number(reading, node, field, &buckets);
    if (buckets == 0)
        return;
    if ((buckets & (buckets - 1)) != 0)
        FAULT(reading, node, "`%s` cannot be %u; a power of two is allowed, as 65536 or 262144",
              field->key, buckets);
    else
        *(uint32_t *)into = buckets;
}

#define CONFIG(member) MEMBER(struct config, member)
static const struct field redis_fields[] = {
    {"url", read_text, CONFIG(redis_url), .with = &form_redis, .required = true},
    {"password_file", read_secret, CONFIG(redis_password)},
    {"buckets", read_buckets, CONFIG(redis_buckets), 1, REDIS_BUCKETS_MAX, &integer},
};
static const struct mapping redis_mapping = MAPPING("`redis`", redis_fields);

static const struct field http_fields[] = {
    {"address", read_address, CONFIG(http_address), .required = true},
};
static const struct mapping http_mapping = MAPPING("`http`", http_fields);

static const struct field limit_fields[] = {
    {"open_messages", read_number, CONFIG(max_open_messages), 1000, 100000000, &integer},
    {"memory", read_number, CONFIG(max_memory_octets), 16u << 20, 1ull << 40, &octets},
    {"references", read_number, CONFIG(max_references), 1000, 100000000, &integer},
    {"reference_window", read_number, CONFIG(reference_window_ms), 60000, TTL_MS_MAX, &duration},
    {"retries", read_number, CONFIG(retry_max), 0, 100, &integer},
    {"retry_min", read_number, CONFIG(retry_min_ms), 100, 3600000, &duration},
    {"retry_max", read_number, CONFIG(retry_max_ms), 100, 86400000, &duration},
    {"snapshot_records", read_number, CONFIG(snapshot_records), 1000, 1000000000, &integer},
};
static const struct mapping limit_mapping = MAPPING("`limits`", limit_fields);

static const struct field witness_fields[] = {
    {"file", read_path, CONFIG(witness_file)},
    {"command", read_text, CONFIG(witness_command), .with = &form_text},
};
static const struct mapping witness_mapping = MAPPING("`witness`", witness_fields);

#define TTL(class_)                                                                                \
    read_number,                                                                                   \
        .offset =                                                                                  \
            offsetof(struct config, ttl_ms) + ASSENT__V1__CLASS__##class_ * sizeof(uint64_t),      \
        .size = sizeof(uint64_t), .min = TTL_MS_MIN, .max = TTL_MS_MAX, .with = &duration
static const struct field ttl_fields[] = {
    {"otp", TTL(OTP)},
    {"transactional", TTL(TRANSACTIONAL)},
    {"marketing", TTL(MARKETING)},
    {"emergency", TTL(EMERGENCY)},
    {"service", TTL(SERVICE)},
};
static const struct mapping ttl_mapping = MAPPING("`ttl`", ttl_fields);

static void read_daily_hours(struct reading *reading, yaml_node_t *node, const struct field *field,
                             void *into)
{
    const char *text = text_of(reading, node, field->key);
    if (text != NULL && !daily_hours_parse(text, into))
        FAULT(reading, node,
              "`%s` cannot be \"%.40s\"; hours of a day like 9-20 or 8:30-21:15 are allowed",
              field->key, text);
}

static const struct field vacancy_fields[] = {
    {"times", read_number, CONFIG(vacant_times), 1, VACANCY_TIMES_MAX, &integer},
    {"over", read_number, CONFIG(vacant_over_ms), 0, VACANCY_OVER_MS_MAX, &duration},
};
static const struct mapping vacancy_mapping = MAPPING("`unknown_subscriber`", vacancy_fields);

static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};

/* `limits` stands before the carriers that are measured against it. */
static const struct field config_fields[] = {
    {"node", read_text, CONFIG(node), .with = &form_node, .required = true},
    {"data_dir", read_path, CONFIG(data_dir), .required = true},
    {"redis", read_nested, .with = &redis_mapping, .required = true},
    {"listeners", read_listeners, .min = 1, .max = LISTENERS_MAX, .required = true},
    {"http", read_nested, .with = &http_mapping},
    {"senders", read_registry, .min = 1, .max = REGISTERED_MAX},
    {"do_not_originate", .read = read_numbers},
    {"programs", read_programs, .min = 1, .max = PROGRAMS_MAX, .required = true},
    {"clients", read_clients, .max = CLIENTS_MAX},
    {"limits", read_nested, .with = &limit_mapping},
    {"ttl", read_nested, .with = &ttl_mapping},
    {"reputation", read_nested, CONFIG(reputation), .with = &reputation_mapping},
    {"carriers", read_carriers, .min = 1, .max = CARRIERS_MAX, .required = true},
    {"unknown_subscriber", read_nested, .with = &vacancy_mapping},
    {"complaints", read_nested, .with = &complaints_mapping},
    {"ledger", read_nested, .with = &ledger_mapping},
    {"witness", read_nested, .with = &witness_mapping},
    {"log_level", read_word, CONFIG(log_level), .with = level_words},
    {"quiet_hours_default", read_daily_hours, CONFIG(quiet_default)},
};
static const struct mapping config_mapping = MAPPING("the configuration", config_fields);

static void check_whole(struct reading *reading, yaml_node_t *root)
{
    const struct config *config = reading->config;
    yaml_node_t *at = root->type == YAML_MAPPING_NODE ? value_of(reading, root, "limits") : NULL;
    at = at ? at : root;
    if (config->retry_min_ms > config->retry_max_ms)
        FAULT(reading, at, "`retry_min` is longer than `retry_max`");
    at = root->type == YAML_MAPPING_NODE ? value_of(reading, root, "witness") : NULL;
    if (at && (config->witness_file[0] == '\0') == (config->witness_command[0] == '\0'))
        FAULT(reading, at, "`witness` is either a `file` or a `command`");
    at = root->type == YAML_MAPPING_NODE ? value_of(reading, root, "ledger") : NULL;
    if (at)
        config_check_retain(reading, at);
    at = root->type == YAML_MAPPING_NODE ? value_of(reading, root, "http") : NULL;
    if (at && config_is_tls(config->http_address))
        FAULT(reading, at, "`http` has no TLS; keep it on this machine, or put a proxy before it");
    for (size_t i = 0; at && i < config->listener_count; i++) {
        if (config->http_address[0] && !strcmp(config->http_address, config->listeners[i].address))
            FAULT(reading, at, "`http` has the address of a listener; give each its own");
    }
}

static void read_document(struct reading *reading, yaml_parser_t *parser)
{
    yaml_document_t more;
    yaml_node_t *root = yaml_document_get_root_node(&reading->document);
    if (root == NULL) {
        config_fault(reading->faults, 1,
                     "the file is empty; see deploy/assent.yaml for an example");
        return;
    }
    read_mapping(reading, root, &config_mapping, reading->config);
    check_whole(reading, root);
    if (!yaml_parser_load(parser, &more))
        return;
    yaml_node_t *extra = yaml_document_get_root_node(&more);
    if (extra != NULL)
        FAULT(reading, extra, "a second document begins here; one is allowed");
    yaml_document_delete(&more);
}

void config_read(struct span text, const char *folder, struct config *config,
                 struct config_faults *faults)
{
    struct reading reading = {.folder = folder, .config = config, .faults = faults};
    yaml_parser_t parser;
    CHECK(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, text.data, text.length);
    if (yaml_parser_load(&parser, &reading.document)) {
        read_document(&reading, &parser);
        yaml_document_delete(&reading.document);
    }
    if (parser.error != YAML_NO_ERROR)
        config_fault(faults, (unsigned)parser.problem_mark.line + 1, "not YAML: %s",
                     parser.problem ? parser.problem : "cannot be read");
    yaml_parser_delete(&parser);
}

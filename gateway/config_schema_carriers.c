/* SPDX-License-Identifier: Apache-2.0 */
/* `carriers`: the connection, rates, texts, what its codes mean. */
#include "gateway/config_table.h"

#include <stdlib.h>

#include "gateway/config_text.h"
#include "proto/base/check.h"
#include "smpp/address.h"

/* Where a message goes to needs a host. */
static void read_peer_address(struct reading *reading, yaml_node_t *node, const struct field *field,
                              void *into)
{
    const char *text = text_of(reading, node, field->key);
    struct address address;
    const char *why;
    if (text != NULL && address_parse(text, &address, &why) && address.kind != ADDRESS_UNIX &&
        (address.host[0] == '\0' || strcmp(address.port, "0") == 0))
        FAULT(reading, node,
              "`%s` cannot be \"%.64s\"; a carrier is tcp://HOST:PORT or tls://HOST:PORT, port 1 "
              "to 65535",
              field->key, text);
    else if (text != NULL)
        read_address(reading, node, field, into);
}

static const char *const id_words[] = {"raw", "hex", "dec", NULL};
static const char *const receipt_parts_words[] = {"all", "last", NULL};

/* 0 for none, and a fault. */
static unsigned language_named(struct reading *reading, yaml_node_t *node, const char *text)
{
    char allowed[256];
    size_t used = 0;
    for (unsigned language = 1; language < NATIONAL_COUNT; language++) {
        if (strcmp(text, national_name(language)) == 0)
            return language;
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s",
                                 language > 1 ? ", " : "", national_name(language));
    }
    FAULT(reading, node, "there is no national table \"%.40s\"; allowed: %s", text, allowed);
    return 0;
}

/* The handsets' languages, as bits. */
static void read_national(struct reading *reading, yaml_node_t *node, const struct field *field,
                          void *into)
{
    uint32_t *languages = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        unsigned language = text != NULL ? language_named(reading, item, text) : 0;
        if (language != 0)
            *languages |= 1u << language;
    }
}

static const char *const alphabet_words[] = {"gsm7", "latin1", "ascii", NULL};
static const char *const concatenation_words[] = {"udh8", "udh16", "sar", "payload", NULL};
static const struct {
    const char *word;
    enum status_policy policy;
} policy_words[] = {
    {"retry", STATUS_RETRY},         {"retry_elsewhere", STATUS_ELSEWHERE},
    {"throttle", STATUS_THROTTLE},   {"final", STATUS_PERMANENT},
    {"opted_out", STATUS_OPTED_OUT}, {"unknown_subscriber", STATUS_UNKNOWN_SUBSCRIBER},
    {"filtered", STATUS_FILTERED},
};

static bool policy_of(struct reading *reading, yaml_node_t *node, const char *key,
                      enum status_policy *ret_policy)
{
    const char *text = text_of(reading, node, key);
    if (text == NULL)
        return false;
    for (size_t i = 0; i < sizeof policy_words / sizeof policy_words[0]; i++) {
        if (strcmp(policy_words[i].word, text) == 0) {
            *ret_policy = policy_words[i].policy;
            return true;
        }
    }
    FAULT(reading, node,
          "`%s` cannot be \"%.40s\"; allowed: retry, retry_elsewhere, throttle, final, opted_out, "
          "unknown_subscriber, filtered",
          key, text);
    return false;
}

static void read_policy(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into)
{
    (void)policy_of(reading, node, field->key, into);
}

/* ESME_RSUBMITFAIL, 0x45 or 69; ESME_ROK is nobody's exception. */
static bool status_of(const char *text, uint32_t *ret_status)
{
    for (uint32_t status = 1; status < 0x100; status++) {
        const char *name = status_name(status);
        if (name != NULL && strcmp(name, text) == 0) {
            *ret_status = status;
            return true;
        }
    }
    char *end;
    bool digits = *text >= '0' && *text <= '9';
    unsigned long long value = digits ? strtoull(text, &end, 0) : 0;
    *ret_status = (uint32_t)value;
    return digits && *end == '\0' && value > 0 && value <= UINT32_MAX;
}

static void read_status(struct reading *reading, const yaml_node_pair_t *pair,
                        struct carrier_config *carrier)
{
    yaml_node_t *node = node_at(reading, pair->key);
    const char *text = key_of(reading, pair);
    struct status_rule rule;
    if (!status_of(text, &rule.command_status)) {
        FAULT(reading, node,
              "`statuses` cannot have \"%.40s\"; a status is written as 0x45 or ESME_RSUBMITFAIL",
              text);
        return;
    }
    for (unsigned i = 0; i < carrier->status_count; i++)
        if (carrier->statuses[i].command_status == rule.command_status) {
            FAULT(reading, node, "status %s is there twice; keep one", text);
            return;
        }
    if (policy_of(reading, node_at(reading, pair->value), text, &rule.policy))
        carrier->statuses[carrier->status_count++] = rule;
}

static void read_statuses(struct reading *reading, yaml_node_t *node, const struct field *field,
                          void *into)
{
    struct carrier_config *carrier = into;
    if (node->type != YAML_MAPPING_NODE) {
        FAULT(reading, node, "`%s` is written as {0x45: retry_elsewhere, 0x400: opted_out}",
              field->key);
        return;
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - pair);
    if (count > field->max || carrier->status_count > 0) {
        FAULT(reading, node, "`%s` has %zu entries; at most %llu are allowed", field->key, count,
              (unsigned long long)field->max);
        return;
    }
    for (; pair < node->data.mapping.pairs.top; pair++)
        read_status(reading, pair, carrier);
}

static const char *const news_words[] = {"opted_out", "unknown_subscriber", "filtered", NULL};

static void read_receipt_error(struct reading *reading, const yaml_node_pair_t *pair,
                               struct carrier_config *carrier)
{
    yaml_node_t *node = node_at(reading, pair->key);
    const char *code = key_of(reading, pair);
    struct receipt_error *error = &carrier->receipt_errors[carrier->receipt_error_count];
    struct field field = {code, .size = sizeof(unsigned), .with = news_words};
    unsigned news = NEWS_NONE;
    if (*code == '\0' || strlen(code) >= sizeof error->code || strchr(code, ' ') != NULL) {
        FAULT(reading, node,
              "`receipt_errors` cannot have \"%.40s\"; a code is written as in receipts, up to %zu "
              "characters without spaces",
              code, sizeof error->code - 1);
        return;
    }
    for (unsigned i = 0; i < carrier->receipt_error_count; i++)
        if (strcmp(carrier->receipt_errors[i].code, code) == 0) {
            FAULT(reading, node, "code %s is there twice; keep one", code);
            return;
        }
    unsigned before = reading->faults->count;
    read_word(reading, node_at(reading, pair->value), &field, &news);
    strcpy(error->code, code);
    error->news = news + NEWS_OPTED_OUT;
    carrier->receipt_error_count += reading->faults->count == before;
}

static void read_receipt_errors(struct reading *reading, yaml_node_t *node,
                                const struct field *field, void *into)
{
    struct carrier_config *carrier = into;
    if (node->type != YAML_MAPPING_NODE) {
        FAULT(reading, node, "`%s` is written as {\"069\": opted_out, \"001\": unknown_subscriber}",
              field->key);
        return;
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - pair);
    if (count > field->max || carrier->receipt_error_count > 0) {
        FAULT(reading, node, "`%s` has %zu entries; at most %llu are allowed", field->key, count,
              (unsigned long long)field->max);
        return;
    }
    for (; pair < node->data.mapping.pairs.top; pair++)
        read_receipt_error(reading, pair, carrier);
}

static const char *const bind_words[] = {"transceiver", "transmitter_receiver", NULL};
static const char *const validity_words[] = {"unsaid", "relative", "absolute", NULL};

/* TON and NPI; a `+` only where there are international numbers. */
#define FORM(member) MEMBER(struct address_form, member)
static const struct field form_fields[] = {
    {"ton", read_number, FORM(ton), 0, 7, &integer},
    {"npi", read_number, FORM(npi), 0, 18, &integer},
};
static const struct mapping form_mapping = MAPPING("a kind of sender", form_fields);

static const struct field plus_form_fields[] = {
    {"ton", read_number, FORM(ton), 0, 7, &integer},
    {"npi", read_number, FORM(npi), 0, 18, &integer},
    {"plus", read_flag, FORM(plus)},
};
static const struct mapping plus_form_mapping = MAPPING("a kind of number", plus_form_fields);

static bool is_country(const char *text)
{
    return *text == '\0' || (*text != '0' && strspn(text, "0123456789") == strlen(text));
}
static const struct form form_country = {is_country, "a country code like 1, 44 or 971 is allowed"};

static void read_limited_sender(struct reading *reading, yaml_node_t *node,
                                const struct field *field, void *into)
{
    const char *text = text_of(reading, node, field->key);
    if (text != NULL && any_program_sends_from(reading->config, text))
        strcpy(into, text);
    else if (text != NULL)
        FAULT(reading, node, "no program has the sender \"%.40s\", so this rate is for nobody",
              text);
}

#define SENDER_LIMIT(member) MEMBER(struct sender_limit, member)
static const struct field sender_limit_fields[] = {
    {"sender", read_limited_sender, SENDER_LIMIT(sender), .required = true},
    {"rate", read_number, SENDER_LIMIT(rate), 0, 1000000, &integer},
    {"daily", read_number, SENDER_LIMIT(daily), 0, 1000000000, &integer},
};
static const struct mapping sender_limit_mapping = MAPPING("a sender's limit", sender_limit_fields);

/* What is not said is as for every sender: those keys stand before this one. */
static void read_sender_limits(struct reading *reading, yaml_node_t *node,
                               const struct field *field, void *into)
{
    struct carrier_config *carrier = into;
    if (!is_list(reading, node, field) || carrier->sender_count > 0)
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct sender_limit *limit = &carrier->senders[carrier->sender_count++];
        *limit =
            (struct sender_limit){.rate = carrier->sender_rate, .daily = carrier->sender_daily};
        read_mapping(reading, item, &sender_limit_mapping, limit);
        for (const struct sender_limit *l = carrier->senders; l < limit; l++)
            if (limit->sender[0] != '\0' && strcmp(l->sender, limit->sender) == 0)
                FAULT(reading, item, "sender %s is there twice; keep one", limit->sender);
    }
}

#define CARRIER(member) MEMBER(struct carrier_config, member)
static const struct field carrier_fields[] = {
    {"name", read_text, CARRIER(name), .with = &form_name, .required = true},
    {"address", read_peer_address, CARRIER(address), .required = true},
    {"tls", read_nested, CARRIER(tls), .with = &peer_tls_mapping},
    {"system_id", read_text, CARRIER(system_id), .required = true},
    {"password_file", read_secret, CARRIER(password)},
    {"system_type", read_text, CARRIER(system_type)},
    {"service_type", read_text, CARRIER(service_type)},
    {"alphanumeric_sender", read_nested, CARRIER(addressing.alphanumeric_sender),
     .with = &form_mapping},
    {"short_sender", read_nested, CARRIER(addressing.short_sender), .with = &form_mapping},
    {"international_sender", read_nested, CARRIER(addressing.international_sender),
     .with = &plus_form_mapping},
    {"recipient", read_nested, CARRIER(addressing.recipient), .with = &plus_form_mapping},
    {"country", read_text, CARRIER(addressing.country), .with = &form_country},
    {"national_digits", read_number, CARRIER(addressing.national_digits), 0, NUMBER_DIGITS_MAX - 1,
     &integer},
    {"validity", read_word, CARRIER(validity), .with = validity_words},
    {"bind", read_word, CARRIER(bind), .with = bind_words},
    {"sessions", read_number, CARRIER(sessions), 1, SESSIONS_MAX, &integer},
    {"window", read_number, CARRIER(window), 1, WINDOW_MAX, &integer},
    {"rate", read_number, CARRIER(rate), 1, 1000000, &integer, .required = true},
    {"session_rate", read_number, CARRIER(session_rate), 0, 1000000, &integer},
    {"sender_rate", read_number, CARRIER(sender_rate), 0, 1000000, &integer},
    {"sender_daily", read_number, CARRIER(sender_daily), 0, 1000000000, &integer},
    {"senders", read_sender_limits, .max = SENDER_LIMITS_MAX},
    {"adapt", read_word, CARRIER(adapt), .with = no_yes_words},
    {"request_timeout", read_number, CARRIER(request_timeout_ms), 100, 600000, &duration},
    {"enquire_link", read_number, CARRIER(enquire_link_ms), 0, 3600000, &duration},
    {"reconnect_min", read_number, CARRIER(reconnect_min_ms), 10, 3600000, &duration},
    {"reconnect_max", read_number, CARRIER(reconnect_max_ms), 10, 3600000, &duration},
    {"receipt_timeout", read_number, CARRIER(receipt_timeout_ms), 1000, TTL_MS_MAX, &duration},
    {"submit_id", read_word, CARRIER(submit_id), .with = id_words},
    {"receipt_id", read_word, CARRIER(receipt_id), .with = id_words},
    {"receipt_parts", read_word, CARRIER(receipt_parts), .with = receipt_parts_words},
    {"receipts_by_text", read_word, CARRIER(receipts_by_text), .with = no_yes_words},
    {"refuse_status", read_number, CARRIER(refuse_status), 1, UINT32_MAX, &status_code},
    {"alphabet", read_word, CARRIER(text.alphabet), .with = alphabet_words},
    {"latin1", read_flag, CARRIER(text.latin1)},
    {"national", read_national, CARRIER(text.national), .max = NATIONAL_COUNT - 1},
    {"concatenation", read_word, CARRIER(text.concatenation), .with = concatenation_words},
    {"payload_max", read_number, CARRIER(text.payload_max), 255, UINT16_MAX, &integer},
    {"failover_after", read_number, CARRIER(failover_after_ms), 0, 86400000, &duration},
    {"statuses", read_statuses, .max = STATUS_RULES_MAX},
    {"unknown_status", read_policy, CARRIER(unknown_status)},
    {"receipt_errors", read_receipt_errors, .max = RECEIPT_ERRORS_MAX},
    {"reputation", read_nested, CARRIER(reputation), .with = &reputation_mapping},
    {"routes", read_routes, .min = 1, .max = ROUTES_MAX, .required = true},
};
static const struct mapping carrier_mapping = MAPPING("a carrier", carrier_fields);

static void check_text(struct reading *reading, yaml_node_t *node,
                       const struct carrier_config *carrier)
{
    const struct text_rules *text = &carrier->text;
    if (text->concatenation != CONCATENATION_PAYLOAD && text->payload_max != TEXT_PART_MAX)
        FAULT(reading, node, "carrier %s: `payload_max` is for `concatenation: payload` alone",
              carrier->name);
    if (text->national != 0 && text->alphabet != ALPHABET_GSM7)
        FAULT(reading, node, "carrier %s: `national` tables belong to `alphabet: gsm7`",
              carrier->name);
    if (text->national != 0 && text->concatenation > CONCATENATION_UDH16)
        FAULT(reading, node,
              "carrier %s: `national` tables are announced in a user data header, so they need "
              "`concatenation: udh8` or udh16",
              carrier->name);
}

static void check_senders(struct reading *reading, yaml_node_t *node,
                          const struct carrier_config *carrier)
{
    if (carrier->sender_rate > carrier->rate)
        FAULT(reading, node, "carrier %s: `sender_rate` is %u, more than its `rate` of %u",
              carrier->name, carrier->sender_rate, carrier->rate);
    for (unsigned i = 0; i < carrier->sender_count; i++)
        if (carrier->senders[i].rate > carrier->rate)
            FAULT(reading, node, "carrier %s: the rate of sender %s is %u, more than `rate`, %u",
                  carrier->name, carrier->senders[i].sender, carrier->senders[i].rate,
                  carrier->rate);
}

static void check_carrier(struct reading *reading, yaml_node_t *node,
                          const struct carrier_config *carrier)
{
    uint64_t in_flight = (uint64_t)carrier->window * carrier->sessions;
    if (in_flight > reading->config->max_open_messages)
        FAULT(reading, node,
              "carrier %s: window times sessions is %llu, more than the %u messages that limits: "
              "open_messages lets in",
              carrier->name, (unsigned long long)in_flight, reading->config->max_open_messages);
    check_tls(reading, node, TLS_CLIENT, carrier->address, &carrier->tls);
    check_text(reading, node, carrier);
    check_senders(reading, node, carrier);
    if (carrier->addressing.national_digits != 0 && carrier->addressing.country[0] == '\0')
        FAULT(reading, node,
              "carrier %s: `national_digits` needs `country`, which stands before them",
              carrier->name);
    if (carrier->reconnect_min_ms > carrier->reconnect_max_ms)
        FAULT(reading, node, "carrier %s: `reconnect_min` is longer than `reconnect_max`",
              carrier->name);
    for (const struct carrier_config *c = reading->config->carriers; c < carrier; c++) {
        if (carrier->name[0] != '\0' && strcmp(c->name, carrier->name) == 0)
            FAULT(reading, node, "two carriers are called %s; names are unique", carrier->name);
    }
}

void read_carriers(struct reading *reading, yaml_node_t *node, const struct field *field,
                   void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->carriers = check_calloc(length_of(node), sizeof *config->carriers);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        carrier_defaults(&config->carriers[i]);
        config->carriers[i].reputation = config->reputation;
        config->carrier_count++;
        read_mapping(reading, item, &carrier_mapping, &config->carriers[i]);
        check_carrier(reading, item, &config->carriers[i]);
    }
}

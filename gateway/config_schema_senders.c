/* SPDX-License-Identifier: Apache-2.0 */
/* `senders`: what each is registered for. */
#include "gateway/config_table.h"

#include "consent/country.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"

const char *const class_words[CLASS_COUNT] = {"",          "otp",       "transactional",
                                              "marketing", "emergency", "service"};

void read_classes(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    bool *classes = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        unsigned found = 0;
        for (unsigned c = ASSENT__V1__CLASS__OTP; text && c <= ASSENT__V1__CLASS__EMERGENCY; c++) {
            if (strcmp(text, class_words[c]) == 0)
                found = c;
        }
        if (found != 0)
            classes[found] = true;
        else if (text != NULL)
            FAULT(reading, item,
                  "unknown class \"%.40s\"; allowed: otp, transactional, marketing, emergency",
                  text);
    }
}

static bool is_registrable_country(const char *text)
{
    return country_is_known(text);
}
static const struct form form_registry_country = {
    is_registrable_country, "two letters of ISO 3166-1 like US, GB or FR are allowed"};
static const struct form form_sender = {config_is_sender,
                                        "1 to 15 digits without +, or up to 11 letters and digits "
                                        "are allowed"};

static void read_class_bits(struct reading *reading, yaml_node_t *node, const struct field *field,
                            void *into)
{
    bool classes[CLASS_COUNT] = {false};
    read_classes(reading, node, field, classes);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        *(uint8_t *)into |= (uint8_t)(classes[c] << c);
}

static void read_day(struct reading *reading, yaml_node_t *node, const struct field *field,
                     void *into)
{
    const char *text = text_of(reading, node, field->key);
    if (text != NULL && !config_date(text, into))
        FAULT(reading, node, "`%s` cannot be \"%.40s\"; a day like 2027-03-31 is allowed",
              field->key, text);
}

#define REGISTRATION(member) MEMBER(struct registration, member)
static const struct field registration_fields[] = {
    {"country", read_text, REGISTRATION(country), .with = &form_registry_country, .required = true},
    {"classes", read_class_bits, REGISTRATION(classes), .min = 1, .max = 4, .required = true},
    {"id", read_text, REGISTRATION(id)},
    {"expires", read_day, REGISTRATION(last_day)},
};
static const struct mapping registration_mapping = MAPPING("a registration", registration_fields);

static void read_registrations(struct reading *reading, yaml_node_t *node,
                               const struct field *field, void *into)
{
    struct sender_config *sender = into;
    if (!is_list(reading, node, field) || sender->registrations != NULL)
        return;
    sender->registrations = check_calloc(length_of(node), sizeof *sender->registrations);
    for (size_t i = 0; i < length_of(node); i++)
        read_mapping(reading, item_of(reading, node, i), &registration_mapping,
                     &sender->registrations[sender->registration_count++]);
}

static const char *const direction_words[] = {"both", "outbound", "inbound", NULL};

#define REGISTERED_SENDER(member) MEMBER(struct sender_config, member)
static const struct field registered_fields[] = {
    {"number", read_text, REGISTERED_SENDER(number), .with = &form_sender, .required = true},
    {"direction", read_word, REGISTERED_SENDER(direction), .with = direction_words},
    {"registrations", read_registrations, .min = 1, .max = REGISTRATIONS_MAX},
};
static const struct mapping registered_mapping = MAPPING("a sender", registered_fields);

static void check_registered(struct reading *reading, yaml_node_t *node,
                             const struct sender_config *sender)
{
    if (sender->number[0] == '\0')
        return; /* told */
    if (config_find_sender(reading->config, sender->number) != sender)
        FAULT(reading, node, "sender %s is there twice; keep one", sender->number);
    if (sender->direction == DIRECTION_INBOUND && sender->registrations != NULL)
        FAULT(reading, node, "sender %s only receives, so its `registrations` are for nothing",
              sender->number);
    if (sender->direction != DIRECTION_INBOUND && sender->registrations == NULL)
        FAULT(
            reading, node,
            "sender %s has no `registrations`, so nothing could be sent from it; give it some, or "
            "`direction: inbound`",
            sender->number);
}

void read_registry(struct reading *reading, yaml_node_t *node, const struct field *field,
                   void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field) || config->senders != NULL)
        return;
    config->senders = check_calloc(length_of(node), sizeof *config->senders);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct sender_config *sender = &config->senders[config->sender_count++];
        read_mapping(reading, item, &registered_mapping, sender);
        check_registered(reading, item, sender);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `routes` of a carrier: which messages it may take. */
#include "gateway/config_table.h"

#include "gateway/config_text.h"
#include "proto/base/check.h"

static void read_prefix(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into)
{
    const char *text = text_of(reading, node, field->key);
    if (text != NULL && !config_is_prefix(text))
        FAULT(reading, node,
              "a route cannot be \"%.40s\"; digits of a number's beginning without +, or \"\" for "
              "every number, are allowed",
              text);
    else if (text != NULL)
        strcpy(into, text);
}

static void read_route_senders(struct reading *reading, yaml_node_t *node,
                               const struct field *field, void *into)
{
    struct route_config *route = into;
    if (!is_list(reading, node, field) || route->senders != NULL)
        return;
    route->senders = check_calloc(length_of(node), sizeof *route->senders);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        if (text != NULL && any_program_sends_from(reading->config, text))
            strcpy(route->senders[route->sender_count++], text);
        else if (text != NULL)
            FAULT(reading, item, "no program has the sender \"%.40s\", so this route is for nobody",
                  text);
    }
}

static void read_route_classes(struct reading *reading, yaml_node_t *node,
                               const struct field *field, void *into)
{
    bool classes[CLASS_COUNT] = {false};
    struct route_config *route = into;
    read_classes(reading, node, field, classes);
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        bool used = false;
        for (unsigned p = 0; p < reading->config->program_count; p++)
            used = used || reading->config->programs[p].classes[c];
        if (classes[c] && !used)
            FAULT(reading, node, "no program has the class %s, so this route is for nobody",
                  class_words[c]);
        route->classes |= (uint8_t)(classes[c] << c);
    }
}

#define ROUTE(member) MEMBER(struct route_config, member)
static const struct field route_fields[] = {
    {"prefix", read_prefix, ROUTE(prefix), .required = true},
    {"senders", read_route_senders, .min = 1, .max = SENDERS_MAX},
    {"classes", read_route_classes, .min = 1, .max = 4},
    {"cost", read_number, ROUTE(cost), 0, 1000000000, &integer},
    {"priority", read_number, ROUTE(priority), 0, UINT16_MAX, &integer},
    {"weight", read_number, ROUTE(weight), 1, 1000, &integer},
};
static const struct mapping route_mapping = MAPPING("a route", route_fields);

static bool share_a_sender(const struct route_config *a, const struct route_config *b)
{
    for (unsigned i = 0; i < a->sender_count; i++)
        for (unsigned j = 0; j < b->sender_count; j++)
            if (strcmp(a->senders[i], b->senders[j]) == 0)
                return true;
    return a->sender_count == 0 && b->sender_count == 0;
}

/* Two routes of one carrier that would take the same messages: which cost or weight should hold? */
static bool contradict(const struct route_config *a, const struct route_config *b)
{
    bool same_classes = (a->classes & b->classes) != 0 || (a->classes == 0 && b->classes == 0);
    return strcmp(a->prefix, b->prefix) == 0 && same_classes && share_a_sender(a, b);
}

static void read_route(struct reading *reading, yaml_node_t *node, const struct field *field,
                       struct carrier_config *carrier)
{
    struct route_config *route = &carrier->routes[carrier->route_count++];
    unsigned faults = reading->faults->count;
    route_defaults(route);
    if (node->type == YAML_MAPPING_NODE)
        read_mapping(reading, node, &route_mapping, route);
    else
        read_prefix(reading, node, field, route->prefix);
    for (const struct route_config *r = carrier->routes;
         r < route && reading->faults->count == faults; r++) {
        if (contradict(r, route))
            FAULT(reading, node,
                  "route \"%s\" is there twice for the same senders and classes; keep one",
                  route->prefix);
    }
}

void read_routes(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    struct carrier_config *carrier = into;
    if (!is_list(reading, node, field) || carrier->routes != NULL)
        return;
    carrier->routes = check_calloc(length_of(node), sizeof *carrier->routes);
    for (size_t i = 0; i < length_of(node); i++)
        read_route(reading, item_of(reading, node, i), field, carrier);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/config_merge.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/check.h"

static int find_carrier(const struct config *config, const char *name)
{
    for (uint16_t i = 0; i < config->carrier_count; i++)
        if (strcmp(config->carriers[i].name, name) == 0)
            return i;
    return -1;
}

/* Retired ones too. */
static int find_program(const struct config *config, const char *name)
{
    for (uint16_t i = 0; i < config->program_count; i++)
        if (strcmp(config->programs[i].name, name) == 0)
            return i;
    return -1;
}

static int find_client(const struct config *config, const char *name)
{
    for (uint16_t i = 0; i < config->client_count; i++)
        if (strcmp(config->clients[i].name, name) == 0)
            return i;
    return -1;
}

/* ---- what only a restart can change ---- */

struct objections {
    FILE *out;
    bool any;
};

static void object(struct objections *objections, bool changed, const char *what, const char *name)
{
    if (!changed)
        return;
    objections->any = true;
    fprintf(objections->out, "%s%s%s cannot change while the gateway runs: restart it for that\n",
            what, name[0] ? " " : "", name);
}

static bool other_text(const char *a, const char *b)
{
    return strcmp(a, b) != 0;
}

static void check_process(const struct config *a, const struct config *b, struct objections *o)
{
    object(o, other_text(a->node, b->node), "node", "");
    object(o, other_text(a->data_dir, b->data_dir), "data_dir", "");
    object(o,
           other_text(a->redis_url, b->redis_url) ||
               other_text(a->redis_password, b->redis_password) ||
               a->redis_buckets != b->redis_buckets,
           "redis", "");
    bool listeners = a->listener_count != b->listener_count;
    for (uint16_t i = 0; i < a->listener_count && !listeners; i++)
        listeners = memcmp(&a->listeners[i], &b->listeners[i], sizeof a->listeners[i]) != 0;
    object(o, listeners, "listeners", "");
    object(o, other_text(a->http_address, b->http_address), "http", "");
}

/* Messages name a sender by its place in the list. */
static bool moves_senders(const struct program_config *a, const struct program_config *b)
{
    if (b->sender_count < a->sender_count)
        return true;
    for (uint16_t i = 0; i < a->sender_count; i++)
        if (other_text(a->senders[i], b->senders[i]))
            return true;
    return false;
}

static void check_programs(const struct config *a, const struct config *b, struct objections *o)
{
    uint32_t count = a->program_count;
    for (uint16_t i = 0; i < b->program_count; i++) {
        const struct program_config *fresh = &b->programs[i];
        int at = find_program(a, fresh->name);
        count += at < 0;
        if (at < 0)
            continue;
        object(o, other_text(a->programs[at].brand, fresh->brand), "brand of program", fresh->name);
        object(o, moves_senders(&a->programs[at], fresh),
               "order of senders (add new ones at the end) of program", fresh->name);
    }
    object(o, count > PROGRAMS_MAX, "so many programs, with those that are gone,", "");
}

static void check_carriers(const struct config *a, const struct config *b, struct objections *o)
{
    uint32_t count = a->carrier_count;
    for (uint16_t i = 0; i < b->carrier_count; i++) {
        const struct carrier_config *fresh = &b->carriers[i];
        int at = find_carrier(a, fresh->name);
        count += at < 0;
        if (at < 0)
            continue;
        const struct carrier_config *old = &a->carriers[at];
        object(o, old->sessions != fresh->sessions || old->bind != fresh->bind,
               "sessions or bind of carrier", fresh->name);
        object(o,
               memcmp(&old->tls, &fresh->tls, sizeof old->tls) != 0 ||
                   config_is_tls(old->address) != config_is_tls(fresh->address),
               "tls of carrier", fresh->name);
    }
    object(o, count > CARRIERS_MAX, "so many carriers, with those that are gone,", "");
}

static void check_clients(const struct config *a, const struct config *b, struct objections *o)
{
    uint32_t count = a->client_count;
    for (uint16_t i = 0; i < b->client_count; i++)
        count += find_client(a, b->clients[i].name) < 0;
    object(o, count > CLIENTS_MAX, "so many clients, with those that are gone,", "");
}

/* ---- lists that keep their order ---- */

static void merge_programs(const struct config *old, struct config *fresh)
{
    struct program_config *merged =
        check_calloc((size_t)old->program_count + fresh->program_count, sizeof *merged);
    uint16_t count = old->program_count;
    for (uint16_t i = 0; i < count; i++) {
        merged[i] = old->programs[i];
        merged[i].retired = true;
        memset(merged[i].classes, 0, sizeof merged[i].classes);
    }
    for (uint16_t i = 0; i < fresh->program_count; i++) {
        int at = find_program(old, fresh->programs[i].name);
        if (at >= 0)
            free(merged[at].words);
        merged[at < 0 ? count++ : at] = fresh->programs[i];
    }
    free(fresh->programs);
    fresh->programs = merged;
    fresh->program_count = count;
}

/* `named` is the list of programs that the client's flags are about. */
static void translate_programs(struct client_config *client, const struct program_config *named,
                               uint16_t count, const struct config *merged)
{
    bool programs[PROGRAMS_MAX] = {false};
    for (uint16_t i = 0; i < count; i++)
        if (client->programs[i])
            programs[find_program(merged, named[i].name)] = true;
    memcpy(client->programs, programs, sizeof programs);
}

static void merge_clients(const struct config *old, struct config *fresh)
{
    struct client_config *merged =
        check_calloc((size_t)old->client_count + fresh->client_count + 1, sizeof *merged);
    uint16_t count = old->client_count;
    for (uint16_t i = 0; i < count; i++) {
        merged[i].uid = -1; /* and no key, certificate or program: nobody can be it */
        memcpy(merged[i].name, old->clients[i].name, sizeof merged[i].name);
    }
    for (uint16_t i = 0; i < fresh->client_count; i++) {
        int at = find_client(old, fresh->clients[i].name);
        merged[at < 0 ? count++ : at] = fresh->clients[i];
    }
    free(fresh->clients);
    fresh->clients = merged;
    fresh->client_count = count;
}

/* What a session is made of. */
static bool other_session(const struct carrier_config *a, const struct carrier_config *b)
{
    return other_text(a->address, b->address) || other_text(a->system_id, b->system_id) ||
           other_text(a->password, b->password) || other_text(a->system_type, b->system_type) ||
           a->window != b->window || a->request_timeout_ms != b->request_timeout_ms ||
           a->enquire_link_ms != b->enquire_link_ms;
}

static void free_routes(struct carrier_config *carrier)
{
    for (uint16_t r = 0; r < carrier->route_count; r++)
        free(carrier->routes[r].senders);
    free(carrier->routes);
    carrier->routes = NULL;
    carrier->route_count = 0;
}

static void merge_carriers(struct config *old, struct config *fresh)
{
    struct carrier_config *merged =
        check_calloc((size_t)old->carrier_count + fresh->carrier_count, sizeof *merged);
    uint16_t count = old->carrier_count;
    for (uint16_t i = 0; i < count; i++) {
        free_routes(&old->carriers[i]);
        merged[i] = old->carriers[i];
        merged[i].retired = true;
    }
    for (uint16_t i = 0; i < fresh->carrier_count; i++) {
        int at = find_carrier(old, fresh->carriers[i].name);
        struct carrier_config *place = &merged[at < 0 ? count++ : at];
        uint32_t made = at < 0 ? 0 : place->made + other_session(place, &fresh->carriers[i]);
        *place = fresh->carriers[i];
        place->made = made;
    }
    explicit_bzero(old->carriers, old->carrier_count * sizeof *old->carriers);
    free(fresh->carriers);
    fresh->carriers = merged;
    fresh->carrier_count = count;
}

bool config_merge(struct config *config, struct config *fresh, FILE *errors)
{
    struct objections objections = {.out = errors};
    check_process(config, fresh, &objections);
    check_programs(config, fresh, &objections);
    check_carriers(config, fresh, &objections);
    check_clients(config, fresh, &objections);
    if (objections.any)
        return false;
    struct program_config *named = check_calloc(fresh->program_count, sizeof *named);
    uint16_t named_count = fresh->program_count, named_clients = fresh->client_count;
    memcpy(named, fresh->programs, named_count * sizeof *named);
    merge_programs(config, fresh);
    for (uint16_t i = 0; i < named_clients; i++)
        translate_programs(&fresh->clients[i], named, named_count, fresh);
    merge_clients(config, fresh);
    merge_carriers(config, fresh);
    free(named);
    free(config->programs);
    free(config->clients);
    free(config->carriers);
    free(config->listeners);
    config_free_senders(config);
    if (fresh->zones == NULL)
        fresh->zones = config->zones; /* programs that are gone may have messages still */
    *config = *fresh;
    explicit_bzero(fresh, sizeof *fresh);
    free(fresh);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What quiet hours need besides the file: the system's time zones, and hours for every country that a
 * route leads to. */
#include <string.h>

#include "gateway/config.h"

bool config_keeps_hours(const struct program_config *program, Assent__V1__Class message_class)
{
    return (message_class == ASSENT__V1__CLASS__MARKETING && program->quiet_hours != QUIET_OFF) ||
           (message_class == ASSENT__V1__CLASS__TRANSACTIONAL && program->quiet_hours == QUIET_ALL);
}

/* A program that sends through this route keeps them for one of its classes. */
static bool route_keeps_hours(const struct config *config, const struct route_config *route)
{
    for (uint16_t i = 0; i < config->program_count; i++)
        for (int c = 1; c < CLASS_COUNT; c++)
            if (config->programs[i].classes[c] &&
                (route->classes == 0 || route->classes >> c & 1) &&
                config_keeps_hours(&config->programs[i], (Assent__V1__Class)c))
                return true;
    return false;
}

static bool any_keeps_hours(const struct config *config)
{
    const struct route_config every = {0};
    return route_keeps_hours(config, &every);
}

static bool routes_are_known(const struct config *config, const char *path, FILE *errors)
{
    const struct daily_hours *fallback =
        config->quiet_default.until != 0 ? &config->quiet_default : NULL;
    struct quiet_book *book = quiet_book_new(config->zones, fallback);
    bool known = true;
    for (uint16_t i = 0; i < config->carrier_count; i++)
        for (uint16_t r = 0; r < config->carriers[i].route_count; r++) {
            const struct route_config *route = &config->carriers[i].routes[r];
            char countries[1024];
            if (!route_keeps_hours(config, route) ||
                !quiet_missing(book, route->prefix, countries, sizeof countries))
                continue;
            fprintf(errors,
                    "%s: carrier %s: route \"%s\" leads to countries of which no quiet hours are "
                    "known: %s; set `quiet_hours_default` (such as \"9-20\"), narrow the route, or "
                    "set `quiet_hours: off` in the programs\n",
                    path, config->carriers[i].name, route->prefix, countries);
            known = false;
        }
    quiet_book_free(book);
    return known;
}

bool config_take_hours(struct config *config, const char *path, FILE *errors)
{
    if (!any_keeps_hours(config))
        return true;
    config->zones = zones_system();
    if (config->zones != NULL)
        return routes_are_known(config, path, errors);
    fprintf(errors,
            "%s: `quiet_hours` needs the time zones of the system: install the package tzdata, or "
            "set `quiet_hours: off` in every program\n",
            path);
    return false;
}

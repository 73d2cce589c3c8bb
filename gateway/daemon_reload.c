/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the configuration and the certificates are read again. Whatever is wrong with the new file is
 * logged, and then nothing has changed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/certificates.h"
#include "gateway/config_merge.h"
#include "gateway/daemon_state.h"
#include "proto/base/log.h"

static void log_faults(const struct daemon *daemon, char *faults)
{
    char *rest = NULL;
    for (char *line = strtok_r(faults, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_event(LOG_ERROR, "config_fault", "what=\"%s\"", line);
    log_event(LOG_ERROR, "config_kept",
              "file=%s why=\"it has faults, or changes what only a restart can\"", daemon->path);
}

/* Loads and merges; false with the faults in `errors`. */
static bool take(struct daemon *daemon, FILE *errors)
{
    struct config *fresh;
    if (config_load(daemon->path, errors, &fresh) != ERR_OK)
        return false;
    engine_before_reconfigure(daemon->engine, clock_now());
    if (config_take_hours(fresh, daemon->path, errors) &&
        config_merge(daemon->config, fresh, errors))
        return true;
    config_free(fresh);
    return false;
}

static void log_loaded(const struct daemon *daemon)
{
    char hex[2 * sizeof daemon->config->sha256 + 1];
    for (size_t i = 0; i < sizeof daemon->config->sha256; i++)
        snprintf(hex + 2 * i, 3, "%02x", daemon->config->sha256[i]);
    log_event(LOG_INFO, "config_loaded", "file=%s sha256=%s", daemon->path, hex);
}

void daemon_reload(struct daemon *daemon)
{
    char *faults = NULL;
    size_t length = 0;
    FILE *errors = open_memstream(&faults, &length);
    if (errors == NULL || daemon->drain_by_us != 0) {
        log_event(LOG_WARN, "config_kept", "file=%s why=\"%s\"", daemon->path,
                  errors == NULL ? "out of memory" : "the gateway is shutting down");
    } else if (take(daemon, errors)) {
        daemon_ports_grow(daemon);
        certificates_grow(daemon->certificates);
        engine_reconfigure(daemon->engine, clock_now());
        if (daemon->trace == NULL) /* what was asked for at the start is told */
            log_set_level((enum log_level)daemon->config->log_level);
        log_loaded(daemon);
        daemon->seen.look = true;
    }
    if (errors != NULL)
        fclose(errors);
    if (length > 0)
        log_faults(daemon, faults);
    free(faults);
    (void)tls_reload_all(daemon->certificates);
    certificates_watch(daemon->certificates, clock_wall_ms());
}

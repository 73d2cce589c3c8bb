/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/certificates.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/check.h"
#include "proto/base/log.h"

#define DAY_MS (24ull * 3600 * 1000)

/* Carriers first, then listeners. */
struct certificate {
    struct tls_context *context; /* NULL: the address is not tls:// */
    uint64_t warned_wall_ms;
};

struct certificates {
    const struct config *config;
    struct certificate *all;
    unsigned count;
};

/* Listeners first: their number stays, and carriers may come. */
static bool is_carrier(const struct config *config, unsigned index)
{
    return index >= config->listener_count;
}

static const struct carrier_config *carrier_at(const struct config *config, unsigned index)
{
    return &config->carriers[index - config->listener_count];
}

/* Whose certificate it is, for people, and the label of metrics. */
static const char *kind_of(const struct config *config, unsigned index)
{
    return is_carrier(config, index) ? "carrier" : "listener";
}

static const char *name_of(const struct config *config, unsigned index)
{
    return is_carrier(config, index) ? carrier_at(config, index)->name
                                     : config->listeners[index].address;
}

static const struct tls_settings *settings_of(const struct config *config, unsigned index)
{
    return is_carrier(config, index) ? &carrier_at(config, index)->tls
                                     : &config->listeners[index].tls;
}

static const char *address_of(const struct config *config, unsigned index)
{
    return is_carrier(config, index) ? carrier_at(config, index)->address
                                     : config->listeners[index].address;
}

static void log_fault(const struct config *config, unsigned index, const char *event,
                      const struct tls_fault *fault)
{
    log_event(LOG_ERROR, event, "%s=\"%s\" file=%s why=\"%s\"", kind_of(config, index),
              name_of(config, index), fault->setting, fault->what);
}

static struct tls_context *make(const struct config *config, unsigned index,
                                struct tls_fault *ret_fault)
{
    enum tls_role role = is_carrier(config, index) ? TLS_CLIENT : TLS_SERVER;
    return tls_context_new(role, settings_of(config, index), ret_fault);
}

/* From `count` on, all that the configuration has. False with the fault logged where a context could not
 * be made; it is NULL then, and no connection is. */
static bool make_missing(struct certificates *certificates)
{
    const struct config *config = certificates->config;
    unsigned count = config->listener_count + (unsigned)config->carrier_count;
    bool good = true;
    certificates->all = check_realloc(certificates->all, (count + 1u) * sizeof *certificates->all);
    for (; certificates->count < count; certificates->count++) {
        unsigned i = certificates->count;
        struct tls_fault fault;
        certificates->all[i] = (struct certificate){0};
        if (!config_is_tls(address_of(config, i)))
            continue;
        certificates->all[i].context = make(config, i, &fault);
        if (certificates->all[i].context == NULL) {
            log_fault(config, i, "no_tls", &fault);
            good = false;
        }
    }
    return good;
}

struct certificates *certificates_new(const struct config *config)
{
    struct certificates *certificates = check_calloc(1, sizeof *certificates);
    certificates->config = config;
    if (make_missing(certificates))
        return certificates;
    certificates_free(certificates);
    return NULL;
}

void certificates_grow(struct certificates *certificates)
{
    (void)make_missing(certificates);
}

void certificates_free(struct certificates *certificates)
{
    if (certificates == NULL)
        return;
    for (unsigned i = 0; i < certificates->count; i++)
        tls_context_free(certificates->all[i].context);
    free(certificates->all);
    free(certificates);
}

struct tls_context *certificates_of_carrier(const struct certificates *certificates,
                                            uint16_t carrier)
{
    CHECK(carrier < certificates->config->carrier_count);
    return certificates->all[certificates->config->listener_count + carrier].context;
}

struct tls_context *certificates_of_listener(const struct certificates *certificates,
                                             uint16_t listener)
{
    CHECK(listener < certificates->config->listener_count);
    return certificates->all[listener].context;
}

unsigned tls_reload_all(struct certificates *certificates)
{
    struct tls_fault fault;
    unsigned read = 0, kept = 0;
    for (unsigned i = 0; i < certificates->count; i++) {
        struct certificate *one = &certificates->all[i];
        if (one->context == NULL)
            continue;
        one->warned_wall_ms = 0;
        if (tls_reload(one->context, &fault)) {
            read++;
            continue;
        }
        kept++;
        log_fault(certificates->config, i, "tls_files_kept", &fault);
    }
    if (read + kept > 0)
        log_event(kept > 0 ? LOG_ERROR : LOG_INFO, "tls_files_read", "read=%u kept_the_old=%u",
                  read, kept);
    return kept;
}

void certificates_watch(struct certificates *certificates, uint64_t wall_ms)
{
    const struct config *config = certificates->config;
    for (unsigned i = 0; i < certificates->count; i++) {
        struct certificate *one = &certificates->all[i];
        int64_t expiry_s = one->context != NULL ? tls_expiry_s(one->context) : 0;
        int64_t left_s = expiry_s - (int64_t)(wall_ms / 1000);
        if (expiry_s == 0 || left_s > TLS_WARN_DAYS * 86400 ||
            (one->warned_wall_ms != 0 && wall_ms < one->warned_wall_ms + DAY_MS))
            continue;
        one->warned_wall_ms = wall_ms;
        log_event(left_s > 0 ? LOG_WARN : LOG_ERROR,
                  left_s > 0 ? "tls_certificate_expires" : "tls_certificate_expired",
                  "%s=\"%s\" days=%" PRId64 " do=\"renew it, then reload\"", kind_of(config, i),
                  name_of(config, i), left_s / 86400);
    }
}

void certificates_metrics(const struct certificates *certificates, FILE *out)
{
    const struct config *config = certificates->config;
    fprintf(out, "# HELP assent_tls_certificate_expiry_seconds When our own certificate expires, "
                 "seconds since 1970.\n"
                 "# TYPE assent_tls_certificate_expiry_seconds gauge\n");
    for (unsigned i = 0; i < certificates->count; i++) {
        const struct tls_context *context = certificates->all[i].context;
        if (context != NULL && tls_expiry_s(context) != 0)
            fprintf(out, "assent_tls_certificate_expiry_seconds{%s=\"%s\"} %" PRId64 "\n",
                    kind_of(config, i), name_of(config, i), tls_expiry_s(context));
    }
}

static void print_expiry(const char *file, int64_t expiry_s, int64_t now_s, FILE *out)
{
    char day[16];
    time_t at = (time_t)expiry_s;
    struct tm utc;
    strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&at, &utc));
    if (expiry_s <= now_s)
        fprintf(out, "warning: %s expired on %s: peers will refuse it\n", file, day);
    else if (expiry_s - now_s <= TLS_WARN_DAYS * 86400)
        fprintf(out, "warning: %s expires on %s, in less than %d days\n", file, day, TLS_WARN_DAYS);
    else
        fprintf(out, "%s is good until %s.\n", file, day);
}

void certificates_print(const struct config *config, uint64_t wall_ms, FILE *out)
{
    unsigned count = config->carrier_count + (unsigned)config->listener_count;
    for (unsigned i = 0; i < count; i++) {
        struct tls_fault fault;
        struct tls_context *context =
            settings_of(config, i)->cert_file[0] ? make(config, i, &fault) : NULL;
        if (context == NULL)
            continue;
        print_expiry(settings_of(config, i)->cert_file, tls_expiry_s(context),
                     (int64_t)(wall_ms / 1000), out);
        tls_context_free(context);
    }
}

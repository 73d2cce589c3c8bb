/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config_schema.h"
#include "proto/base/check.h"
#include "proto/base/digest.h"
#include "smpp/pdu.h"

#define MINUTES(n) ((n)*60ull * 1000)
#define HOURS(n)   MINUTES((n)*60ull)

void config_defaults(struct config *config)
{
    config->redis_buckets = 65536;
    config->max_open_messages = 4000000;
    config->max_memory_octets = 2ull << 30;
    config->max_references = 4000000;
    config->reference_window_ms = HOURS(24);
    config->retry_max = 8;
    config->retry_min_ms = 1000;
    config->retry_max_ms = 300000;
    config->ttl_ms[ASSENT__V1__CLASS__OTP] = MINUTES(5);
    config->ttl_ms[ASSENT__V1__CLASS__TRANSACTIONAL] = HOURS(48);
    config->ttl_ms[ASSENT__V1__CLASS__MARKETING] = HOURS(24);
    config->ttl_ms[ASSENT__V1__CLASS__EMERGENCY] = HOURS(48);
    config->ttl_ms[ASSENT__V1__CLASS__SERVICE] = HOURS(24);
    config->snapshot_records = 5000000;
    config->complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_REPLY] = HOURS(72);
    config->complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_SUPPORT] = HOURS(72);
    config->complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_WEB] = HOURS(72);
    config->complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_CARRIER] = HOURS(24);
    config->complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_REGULATOR] = HOURS(24);
    config->reputation = reputation_defaults;
    config->vacant_times = 3;
    config->vacant_over_ms = HOURS(7 * 24);
    config->log_level = LEVEL_INFO;
}

void program_defaults(struct program_config *program)
{
    strcpy(program->language, "en");
    program->opt_in = OPT_IN_DOUBLE;
    program->stop_reach = REACH_BRAND;
    program->pending_ms = CONSENT_PENDING_MS;
    program->on_unknown = UNKNOWN_NEVER_AGAIN;
}

void carrier_defaults(struct carrier_config *carrier)
{
    carrier->bind = BIND_TRANSCEIVER;
    carrier->sessions = 1;
    carrier->window = 10;
    carrier->rate = 10;
    carrier->adapt = YES;
    carrier->request_timeout_ms = 10000;
    carrier->enquire_link_ms = 30000;
    carrier->reconnect_min_ms = 1000;
    carrier->reconnect_max_ms = 60000;
    carrier->receipt_timeout_ms = (uint32_t)HOURS(48);
    carrier->refuse_status = ESME_RSYSERR;
    carrier->text = text_rules_default;
    carrier->addressing = addressing_default;
    carrier->failover_after_ms = 10000;
    carrier->unknown_status = STATUS_PERMANENT;
    carrier->reputation = reputation_defaults;
}

void route_defaults(struct route_config *route)
{
    route->weight = 1;
}

int config_find_program(const struct config *config, const char *name)
{
    for (uint16_t i = 0; i < config->program_count; i++) {
        if (strcmp(config->programs[i].name, name) == 0 && !config->programs[i].retired)
            return i;
    }
    return -1;
}

int config_find_client(const struct config *config, const char *name)
{
    for (uint16_t i = 0; i < config->client_count; i++) {
        if (strcmp(config->clients[i].name, name) == 0)
            return i;
    }
    return -1;
}

bool config_is_tls(const char *address)
{
    return strncmp(address, "tls://", 6) == 0;
}

void config_free_senders(struct config *config)
{
    for (uint16_t i = 0; i < config->sender_count; i++)
        free(config->senders[i].registrations);
    free(config->senders);
    number_list_free(config->do_not_originate);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (uint16_t i = 0; i < config->carrier_count; i++) {
        for (uint16_t r = 0; r < config->carriers[i].route_count; r++)
            free(config->carriers[i].routes[r].senders);
        free(config->carriers[i].routes);
        explicit_bzero(config->carriers[i].password, sizeof config->carriers[i].password);
    }
    explicit_bzero(config->redis_password, sizeof config->redis_password);
    free(config->listeners);
    free(config->clients);
    for (uint16_t i = 0; i < config->program_count; i++)
        free(config->programs[i].words);
    free(config->programs);
    free(config->carriers);
    config_free_senders(config);
    free(config);
}

/* The whole file. False with the fault told. */
static bool read_file(const char *path, struct config_faults *faults, uint8_t **ret_data,
                      size_t *ret_length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        config_fault(faults, 0, "cannot read it: %s", strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        config_fault(faults, 0, "this is a folder; a file is needed");
    } else {
        uint8_t *data = check_malloc(CONFIG_OCTETS_MAX + 1);
        size_t length = 0;
        ssize_t n;
        while ((n = read(fd, data + length, CONFIG_OCTETS_MAX + 1 - length)) > 0)
            length += (size_t)n;
        close(fd);
        if (n == 0 && length <= CONFIG_OCTETS_MAX) {
            *ret_data = data;
            *ret_length = length;
            return true;
        }
        config_fault(faults, 0, n < 0 ? "cannot read it: %s" : "more than a mebibyte: too long",
                     strerror(errno));
        free(data);
        return false;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

static int by_line(const void *a, const void *b)
{
    const struct config_fault *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

static void print_faults(const char *path, struct config_faults *faults, FILE *errors)
{
    qsort(faults->faults, faults->count, sizeof faults->faults[0], by_line);
    for (unsigned i = 0; i < faults->count; i++) {
        if (faults->faults[i].line > 0)
            fprintf(errors, "%s:%u: %s\n", path, faults->faults[i].line, faults->faults[i].text);
        else
            fprintf(errors, "%s: %s\n", path, faults->faults[i].text);
    }
    if (faults->dropped > 0)
        fprintf(errors, "%s: and %u more\n", path, faults->dropped);
}

/* The absolute folder that relative paths in `path` are relative to. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    char *copy = check_strdup(path);
    if (realpath(dirname(copy), folder) == NULL)
        strcpy(folder, ".");
    free(copy);
}

enum err config_load(const char *path, FILE *errors, struct config **ret_config)
{
    struct config_faults *faults = check_calloc(1, sizeof *faults);
    struct config *config = check_calloc(1, sizeof *config);
    uint8_t *text = NULL;
    size_t length = 0;
    char folder[PATH_MAX];
    config_defaults(config);
    folder_of(path, folder);
    if (read_file(path, faults, &text, &length))
        config_read(span_of(text, length), folder, config, faults);
    digest_sha256(span_of(text, length), config->sha256);
    free(text);
    bool good = faults->count == 0;
    print_faults(path, faults, errors);
    free(faults);
    if (!good) {
        config_free(config);
        return ERR_BAD_INPUT;
    }
    *ret_config = config;
    return ERR_OK;
}

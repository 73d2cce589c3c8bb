/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that name a file: passwords, certificates, lists of numbers. With no folder nothing is
 * opened. */
#include "gateway/config_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config_text.h"
#include "proto/base/check.h"

void read_path(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    const char *text = text_of(reading, node, field->key);
    char path[4096];
    if (text == NULL)
        return;
    if (*text == '\0') {
        FAULT(reading, node, "`%s` is empty; a path is needed", field->key);
        return;
    }
    bool relative = *text != '/' && reading->folder != NULL;
    int length = snprintf(path, sizeof path, "%s%s%s", relative ? reading->folder : "",
                          relative ? "/" : "", text);
    if (length > 0 && (size_t)length < sizeof path)
        (void)store_text(reading, node, field, path, into);
    else
        FAULT(reading, node, "`%s` is too long for a path", field->key);
}

/* The file's content without the end of its line, or the fault. */
static void take_secret(struct reading *reading, yaml_node_t *node, const struct field *field,
                        const char *path, int fd, char *into)
{
    struct stat status;
    char secret[512];
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        FAULT(reading, node, "`%s`: %s is not a regular file", field->key, path);
        return;
    }
    if ((status.st_mode & 077) != 0) {
        FAULT(reading, node, "`%s`: others may read %s (mode %04o); run: chmod 600 %s", field->key,
              path, status.st_mode & 07777u, path);
        return;
    }
    ssize_t length = read(fd, secret, sizeof secret);
    while (length > 0 && (secret[length - 1] == '\n' || secret[length - 1] == '\r'))
        length--;
    if (length <= 0)
        FAULT(reading, node, "`%s`: %s is empty; it holds the password in its first line",
              field->key, path);
    else if ((size_t)length >= field->size)
        FAULT(reading, node, "`%s`: %s is too long; at most %zu octets are allowed", field->key,
              path, field->size - 1);
    else if (memchr(secret, '\0', (size_t)length) || memchr(secret, '\n', (size_t)length))
        FAULT(reading, node, "`%s`: %s has more than one line; it holds the password alone",
              field->key, path);
    else
        memcpy(into, secret, (size_t)length), into[length] = '\0';
    explicit_bzero(secret, sizeof secret);
}

void read_secret(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    char path[4096] = "";
    struct field as_path = *field;
    as_path.size = sizeof path;
    read_path(reading, node, &as_path, path);
    if (path[0] == '\0' || reading->folder == NULL)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        FAULT(reading, node,
              "`%s`: cannot read %s: %s; it is a file with the password in it, mode 0600",
              field->key, path, strerror(errno));
        return;
    }
    take_secret(reading, node, field, path, fd, into);
    close(fd);
}

/* The file as a list, or the fault. */
static void take_numbers(struct reading *reading, yaml_node_t *node, const char *key,
                         const char *path, int fd)
{
    struct stat status;
    struct number_list_fault fault;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > LIST_OCTETS_MAX) {
        FAULT(reading, node, "`%s`: %s is not a regular file of up to %u MiB", key, path,
              LIST_OCTETS_MAX >> 20);
        return;
    }
    uint8_t *data = check_malloc((size_t)status.st_size + 1);
    size_t length = 0;
    ssize_t n;
    while ((n = read(fd, data + length, (size_t)status.st_size + 1 - length)) > 0)
        length += (size_t)n;
    if (n < 0)
        FAULT(reading, node, "`%s`: cannot read %s: %s", key, path, strerror(errno));
    else if (length != (size_t)status.st_size)
        FAULT(reading, node, "`%s`: %s was changed while it was read; try again", key, path);
    else if ((reading->config->do_not_originate =
                  number_list_parse(span_of(data, length), &fault)) == NULL)
        FAULT(reading, node, "`%s`: %s:%u: %s", key, path, fault.line, fault.why);
    free(data);
}

void read_numbers(struct reading *reading, yaml_node_t *node, const struct field *field, void *into)
{
    (void)into;
    char path[4096] = "";
    struct field as_path = *field;
    as_path.size = sizeof path;
    read_path(reading, node, &as_path, path);
    if (path[0] == '\0' || reading->folder == NULL || reading->config->do_not_originate != NULL)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        FAULT(reading, node, "`%s`: cannot read %s: %s; it is a file with a number a line",
              field->key, path, strerror(errno));
        return;
    }
    take_numbers(reading, node, field->key, path, fd);
    close(fd);
}

/* TLS ----------------------------------------------------------------------------------------- */

#define TLS(member) MEMBER(struct tls_settings, member)
static const struct field peer_tls_fields[] = {
    {"ca_file", read_path, TLS(ca_file)},
    {"cert_file", read_path, TLS(cert_file)},
    {"key_file", read_path, TLS(key_file)},
    {"name", read_text, TLS(name), .with = &form_text},
};
const struct mapping peer_tls_mapping = MAPPING("`tls` of a carrier", peer_tls_fields);

static const struct field listener_tls_fields[] = {
    {"cert_file", read_path, TLS(cert_file), .required = true},
    {"key_file", read_path, TLS(key_file), .required = true},
    {"client_ca_file", read_path, TLS(ca_file)},
};
const struct mapping listener_tls_mapping = MAPPING("`tls` of a listener", listener_tls_fields);

/* The key of the configuration; a server's `ca_file` is the listener's `client_ca_file`. */
static const char *tls_key(enum tls_role role, const char *setting)
{
    return role == TLS_SERVER && strcmp(setting, "ca_file") == 0 ? "client_ca_file" : setting;
}

static const char *tls_path(const struct tls_settings *tls, const char *setting)
{
    if (strcmp(setting, "ca_file") == 0)
        return tls->ca_file;
    return strcmp(setting, "cert_file") == 0 ? tls->cert_file : tls->key_file;
}

/* Whether the files can be used, by using them. */
static void check_tls_files(struct reading *reading, yaml_node_t *node, enum tls_role role,
                            const struct tls_settings *tls)
{
    struct tls_fault fault = {0};
    struct tls_context *context = tls_context_new(role, tls, &fault);
    if (context == NULL)
        FAULT(reading, node, "`tls`: `%s` %s %s", tls_key(role, fault.setting),
              tls_path(tls, fault.setting), fault.what);
    tls_context_free(context);
}

/* What contradicts itself is told before any file is opened. */
void check_tls(struct reading *reading, yaml_node_t *owner, enum tls_role role, const char *address,
               const struct tls_settings *tls)
{
    yaml_node_t *node = owner->type == YAML_MAPPING_NODE ? value_of(reading, owner, "tls") : NULL;
    unsigned before = reading->faults->count;
    if (node != NULL && address[0] != '\0' && !config_is_tls(address))
        FAULT(reading, node, "`tls` belongs to an address tls://HOST:PORT; this one is %.64s",
              address);
    else if (node == NULL && config_is_tls(address) && role == TLS_SERVER)
        FAULT(reading, owner,
              "listener %.64s has no `tls` with cert_file and key_file, which it needs", address);
    else if (role == TLS_CLIENT && (tls->cert_file[0] != '\0') != (tls->key_file[0] != '\0'))
        FAULT(reading, node, "`tls` has %s; a certificate and its key go together",
              tls->key_file[0] ? "`key_file` and no `cert_file`" : "`cert_file` and no `key_file`");
    if (reading->faults->count == before && config_is_tls(address) && reading->folder != NULL &&
        (role == TLS_CLIENT || tls->cert_file[0] != '\0'))
        check_tls_files(reading, node ? node : owner, role, tls);
}

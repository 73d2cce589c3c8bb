/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libyaml. The document is loaded as a tree whose nodes know their line; the tables
 * below say which keys a mapping may have, how each is read and where it goes. A fault names its
 * line and reading goes on, so that one run finds all of them.
 *
 * Rows are read in the order of the table, not of the file: programs stand before the clients that
 * name them. Depth is the schema's, so that a file of aliases or a million brackets costs nothing.
 *
 * libcyaml, which this replaces, stops at the first fault and knows no line once a value is read: a
 * client that names a missing program could not be shown. */
#include "consent/join.h"
#include "consent/link_shortener.h"
#include "gateway/config_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "consent/country.h"
#include "consent/keyword.h"
#include "consent/keyword_rows.h"
#include "consent/reply.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"
#include "smpp/address.h"

struct reading {
    yaml_document_t document;
    const char *folder;
    struct config *config;
    struct config_faults *faults;
};

struct field;
typedef void read_field(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into);

struct field {
    const char *key;
    read_field *read;
    size_t offset, size; /* of the member in the struct that the mapping fills */
    uint64_t min, max;
    const void *with; /* what the reader wants to know more */
    bool required;
};

struct mapping {
    const char *what; /* "a program": begins a sentence about a missing key */
    const struct field *fields;
    size_t count;
};

#define MEMBER(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define MAPPING(what_, rows)                                                                       \
    {                                                                                              \
        what_, rows, sizeof rows / sizeof rows[0]                                                  \
    }

/* Faults -------------------------------------------------------------------------------------- */

void config_fault(struct config_faults *faults, unsigned line, const char *format, ...)
{
    if (faults->count == CONFIG_FAULTS_MAX) {
        faults->dropped++;
        return;
    }
    struct config_fault *fault = &faults->faults[faults->count++];
    fault->line = line;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
}

static unsigned line_of(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

#define FAULT(reading, node, ...) config_fault((reading)->faults, line_of(node), __VA_ARGS__)

/* Nodes --------------------------------------------------------------------------------------- */

static yaml_node_t *node_at(struct reading *reading, int index)
{
    return yaml_document_get_node(&reading->document, index);
}

/* The text of a scalar, or NULL: then the fault has been told. */
static const char *text_of(struct reading *reading, yaml_node_t *node, const char *key)
{
    if (node->type != YAML_SCALAR_NODE) {
        FAULT(reading, node, "`%s` holds a list or a mapping; one value is allowed", key);
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length || !config_is_plain(text)) {
        FAULT(reading, node, "`%s` holds a control character; plain text is allowed", key);
        return NULL;
    }
    return text;
}

static size_t length_of(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

static yaml_node_t *item_of(struct reading *reading, const yaml_node_t *list, size_t index)
{
    return node_at(reading, list->data.sequence.items.start[index]);
}

static bool is_list(struct reading *reading, yaml_node_t *node, const struct field *field)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        FAULT(reading, node,
              "`%s` is not a list; a list is written [a, b] or as lines that begin with -",
              field->key);
        return false;
    }
    if (length_of(node) > field->max) {
        FAULT(reading, node, "`%s` has %zu entries; at most %llu are allowed", field->key,
              length_of(node), (unsigned long long)field->max);
        return false;
    }
    if (length_of(node) < field->min) {
        FAULT(reading, node, "`%s` is empty; at least %llu must be there", field->key,
              (unsigned long long)field->min);
        return false;
    }
    return true;
}

/* Mappings ------------------------------------------------------------------------------------ */

static const struct field *field_named(const struct mapping *mapping, const char *key)
{
    for (size_t i = 0; i < mapping->count; i++) {
        if (strcmp(mapping->fields[i].key, key) == 0)
            return &mapping->fields[i];
    }
    return NULL;
}

static void fault_unknown_key(struct reading *reading, yaml_node_t *node,
                              const struct mapping *mapping, const char *key)
{
    char allowed[900];
    size_t used = 0;
    for (size_t i = 0; i < mapping->count && used < sizeof allowed; i++)
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "",
                                 mapping->fields[i].key);
    FAULT(reading, node, "unknown key \"%.40s\" in %s; allowed: %s", key, mapping->what, allowed);
}

static const char *key_of(struct reading *reading, const yaml_node_pair_t *pair)
{
    yaml_node_t *node = node_at(reading, pair->key);
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

/* The value of `key`, or NULL. */
static yaml_node_t *value_of(struct reading *reading, yaml_node_t *node, const char *key)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        if (strcmp(key_of(reading, pair), key) == 0)
            return node_at(reading, pair->value);
    }
    return NULL;
}

static void check_keys(struct reading *reading, yaml_node_t *node, const struct mapping *mapping)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key_node = node_at(reading, pair->key);
        const char *key = key_of(reading, pair);
        if (field_named(mapping, key) == NULL)
            fault_unknown_key(reading, key_node, mapping, key);
        else if (value_of(reading, node, key) != node_at(reading, pair->value))
            FAULT(reading, key_node, "`%s` is there twice; keep one", key);
    }
}

static void read_mapping(struct reading *reading, yaml_node_t *node, const struct mapping *mapping,
                         void *into)
{
    if (node->type != YAML_MAPPING_NODE) {
        FAULT(reading, node, "%s is written as lines of `key: value`, or {key: value}",
              mapping->what);
        return;
    }
    check_keys(reading, node, mapping);
    for (size_t i = 0; i < mapping->count; i++) {
        const struct field *field = &mapping->fields[i];
        yaml_node_t *value = value_of(reading, node, field->key);
        if (value != NULL)
            field->read(reading, value, field, (char *)into + field->offset);
        else if (field->required)
            FAULT(reading, node, "%s has no `%s`, which it needs", mapping->what, field->key);
    }
}

/* A mapping inside a mapping: `with` is its table, the struct is the same. */
static void read_nested(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into)
{
    read_mapping(reading, node, field->with, into);
}

/* Values -------------------------------------------------------------------------------------- */

struct form {
    bool (*is)(const char *text);
    const char *allowed;
};

static bool is_not_empty(const char *text)
{
    return *text != '\0';
}

static const struct form form_name = {
    config_is_name, "1 to 32 letters, digits, \"_\", \"-\" and \".\" are allowed"};
static const struct form form_node = {config_is_node_name,
                                      "1 to 32 of a-z, 0-9, \"_\" and \"-\" are allowed"};
static const struct form form_text = {is_not_empty, "it may not be empty"};
static const struct form form_language = {
    reply_has_language,
    "en, fr, es, pt, de, it, nl, tr, id, tl, ar, ru, hi, zh, ja and ko are allowed"};
static const struct form form_redis = {config_is_redis_url,
                                       "unix:///PATH or redis://HOST:PORT/DATABASE is allowed"};

static bool store_text(struct reading *reading, yaml_node_t *node, const struct field *field,
                       const char *text, char *into)
{
    if (strlen(text) >= field->size) {
        FAULT(reading, node, "`%s` is too long; at most %zu octets are allowed", field->key,
              field->size - 1);
        return false;
    }
    memcpy(into, text, strlen(text) + 1);
    return true;
}

/* `with`: a form, or NULL for any text. */
static void read_text(struct reading *reading, yaml_node_t *node, const struct field *field,
                      void *into)
{
    const char *text = text_of(reading, node, field->key);
    const struct form *form = field->with;
    if (text == NULL)
        return;
    if (form != NULL && !form->is(text))
        FAULT(reading, node, "`%s` cannot be \"%.64s\"; %s", field->key, text, form->allowed);
    else
        (void)store_text(reading, node, field, text, into);
}

static void read_address(struct reading *reading, yaml_node_t *node, const struct field *field,
                         void *into)
{
    const char *text = text_of(reading, node, field->key);
    struct address address;
    const char *why = "";
    if (text == NULL)
        return;
    if (!address_parse(text, &address, &why))
        FAULT(reading, node, "`%s` cannot be \"%.64s\"; %s", field->key, text, why);
    else
        (void)store_text(reading, node, field, text, into);
}

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

/* Stores in an unsigned member of 1, 2, 4 or 8 octets. */
static void store_number(const struct field *field, uint64_t value, void *into)
{
    if (field->size == sizeof(uint8_t))
        *(uint8_t *)into = (uint8_t)value;
    else if (field->size == sizeof(uint16_t))
        *(uint16_t *)into = (uint16_t)value;
    else if (field->size == sizeof(uint32_t))
        *(uint32_t *)into = (uint32_t)value;
    else
        *(uint64_t *)into = value;
}

struct measure {
    bool (*parse)(const char *text, uint64_t *ret_value);
    void (*format)(uint64_t value, char *out, size_t size);
    const char *allowed;
};

static void format_plain(uint64_t value, char *out, size_t size)
{
    snprintf(out, size, "%llu", (unsigned long long)value);
}

static const struct measure integer = {config_integer, format_plain, "a whole number"};
static const struct measure duration = {config_duration, config_duration_text,
                                        "a duration like 250ms, 30s, 5m, 24h or 7d,"};
static const struct measure status_code = {config_status, config_status_text,
                                           "a command_status like 0x08"};
static const struct measure octets = {config_size, config_size_text, "a size like 512MiB or 2GiB,"};

/* `with`: the measure; from `min` to `max`. */
static void read_number(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into)
{
    const char *text = text_of(reading, node, field->key);
    const struct measure *measure = field->with;
    uint64_t value = 0;
    if (text == NULL)
        return;
    if (measure->parse(text, &value) && value >= field->min && value <= field->max) {
        store_number(field, value, into);
        return;
    }
    char low[32], high[32];
    measure->format(field->min, low, sizeof low);
    measure->format(field->max, high, sizeof high);
    FAULT(reading, node, "`%s` cannot be \"%.40s\"; %s from %s to %s is allowed", field->key, text,
          measure->allowed, low, high);
}

/* `with`: words, the position of each is the value of its enum; NULL ends them. */
static void read_word(struct reading *reading, yaml_node_t *node, const struct field *field,
                      void *into)
{
    const char *text = text_of(reading, node, field->key);
    if (text == NULL)
        return;
    char allowed[128];
    size_t used = 0;
    unsigned value = 0;
    for (const char *const *word = field->with; *word != NULL; word++, value++) {
        if (strcmp(*word, text) == 0) {
            CHECK(field->size == sizeof value); /* an enum */
            memcpy(into, &value, sizeof value);
            return;
        }
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", value ? ", " : "",
                                 *word);
    }
    FAULT(reading, node, "`%s` cannot be \"%.40s\"; allowed: %s", field->key, text, allowed);
}

static const char *const no_yes_words[] = {"no", "yes", NULL};

/* A word, no or yes, into a bool. */
static void read_flag(struct reading *reading, yaml_node_t *node, const struct field *field,
                      void *into)
{
    unsigned value = *(bool *)into;
    struct field as_word = *field;
    as_word.size = sizeof value;
    as_word.with = no_yes_words;
    read_word(reading, node, &as_word, &value);
    *(bool *)into = value != 0;
}

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

static void read_path(struct reading *reading, yaml_node_t *node, const struct field *field,
                      void *into)
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

/* Secrets ------------------------------------------------------------------------------------- */

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

static void read_secret(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into)
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

/* TLS ----------------------------------------------------------------------------------------- */

#define TLS(member) MEMBER(struct tls_settings, member)
static const struct field peer_tls_fields[] = {
    {"ca_file", read_path, TLS(ca_file)},
    {"cert_file", read_path, TLS(cert_file)},
    {"key_file", read_path, TLS(key_file)},
    {"name", read_text, TLS(name), .with = &form_text},
};
static const struct mapping peer_tls_mapping = MAPPING("`tls` of a carrier", peer_tls_fields);

static const struct field listener_tls_fields[] = {
    {"cert_file", read_path, TLS(cert_file), .required = true},
    {"key_file", read_path, TLS(key_file), .required = true},
    {"client_ca_file", read_path, TLS(ca_file)},
};
static const struct mapping listener_tls_mapping =
    MAPPING("`tls` of a listener", listener_tls_fields);

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
static void check_tls(struct reading *reading, yaml_node_t *owner, enum tls_role role,
                      const char *address, const struct tls_settings *tls)
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

/* Listeners ----------------------------------------------------------------------------------- */

static const struct field listener_fields[] = {
    {"address", read_address, MEMBER(struct listener_config, address), .required = true},
    {"tls", read_nested, MEMBER(struct listener_config, tls), .with = &listener_tls_mapping},
};
static const struct mapping listener_mapping = MAPPING("a listener", listener_fields);

static void read_listeners(struct reading *reading, yaml_node_t *node, const struct field *field,
                           void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->listeners = check_calloc(length_of(node), sizeof *config->listeners);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct listener_config *listener = &config->listeners[i];
        read_mapping(reading, item, &listener_mapping, listener);
        check_tls(reading, item, TLS_SERVER, listener->address, &listener->tls);
        for (size_t j = 0; j < i; j++) {
            if (listener->address[0] && !strcmp(listener->address, config->listeners[j].address))
                FAULT(reading, item, "two listeners have the address %s; keep one",
                      listener->address);
        }
        config->listener_count++;
    }
}

/* Senders ------------------------------------------------------------------------------------- */

static const char *const class_words[CLASS_COUNT] = {"",          "otp",       "transactional",
                                                     "marketing", "emergency", "service"};

static void read_classes(struct reading *reading, yaml_node_t *node, const struct field *field,
                         void *into)
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

static void read_registry(struct reading *reading, yaml_node_t *node, const struct field *field,
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

static void read_numbers(struct reading *reading, yaml_node_t *node, const struct field *field,
                         void *into)
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

/* Programs ------------------------------------------------------------------------------------ */

static void read_senders(struct reading *reading, yaml_node_t *node, const struct field *field,
                         void *into)
{
    struct program_config *program = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        if (text == NULL)
            continue;
        if (!config_is_sender(text)) {
            FAULT(reading, item,
                  "a sender cannot be \"%.40s\"; 1 to 15 digits without +, or up to 11 letters and "
                  "digits are allowed",
                  text);
            continue;
        }
        strcpy(program->senders[program->sender_count++], text);
    }
}

/* The words of `meaning` stand in the order of enum row_kind. */
static const char *const meaning_words[] = {
    "opt_out", "opt_out_all", "opt_in", "confirm", "decline", "help", "cancel", "reply", NULL};

#define WORD(member) MEMBER(struct program_word, member)
static const struct field keyword_fields[] = {
    {"text", read_text, WORD(text), .with = &form_text, .required = true},
    {"meaning", read_word, WORD(kind), .with = meaning_words, .required = true},
    {"language", read_text, WORD(language), .with = &form_language},
};
static const struct mapping keyword_mapping = MAPPING("one of `keywords`", keyword_fields);

static const struct field phrase_fields[] = {
    {"text", read_text, WORD(text), .with = &form_text, .required = true},
    {"language", read_text, WORD(language), .with = &form_language},
};
static const struct mapping phrase_mapping =
    MAPPING("one of `phrases` or `help_cues`", phrase_fields);

static void check_word(struct reading *reading, yaml_node_t *node, const struct field *field,
                       const struct program_word *word)
{
    struct keyword_row row = {.kind = (enum row_kind)word->kind,
                              .text = span_from_string(word->text)};
    const char *why = word->text[0] ? keyword_row_fault(&row) : NULL;
    if (why != NULL)
        FAULT(reading, node, "`%s` cannot have \"%s\": %s", field->key, word->text, why);
}

/* `with`: the kind of row, where the mapping does not tell. */
static void read_words(struct reading *reading, yaml_node_t *node, const struct field *field,
                       void *into)
{
    struct program_config *program = into;
    const enum row_kind *kind = field->with;
    if (!is_list(reading, node, field))
        return;
    size_t count = length_of(node);
    program->words =
        check_realloc(program->words, (program->word_count + count) * sizeof *program->words);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct program_word *word = &program->words[program->word_count];
        *word = (struct program_word){.kind = kind ? *kind : ROW_OPT_OUT};
        strcpy(word->language, program->language);
        read_mapping(reading, item, kind ? &phrase_mapping : &keyword_mapping, word);
        check_word(reading, item, field, word);
        program->word_count++;
    }
}

static const enum row_kind kind_revokes = ROW_REVOKES, kind_cue = ROW_CUE;

/* Words with which handsets join; consent/join.h says what they can be. */
static void read_join(struct reading *reading, yaml_node_t *node, const struct field *field,
                      void *into)
{
    struct program_config *program = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        const char *why = text != NULL ? join_word_fault(text) : NULL;
        if (why != NULL)
            FAULT(reading, item, "`join` cannot have \"%.40s\": %s", text, why);
        else if (text != NULL)
            snprintf(program->join[program->join_count++], sizeof program->join[0], "%s", text);
    }
}

static const char *const opt_in_words[] = {"double", "single", NULL};
static const char *const reach_words[] = {"brand", "program", "global", NULL};
static const char *const quiet_words[] = {"auto", "all", "off", NULL};
static const char *const unknown_words[] = {"never_again", "send_again", NULL};

static const char *const do_not_call_words[] = {"off", "register", NULL};

static const char *const brand_words[] = {"add", "require", "off", NULL};
static const char *const shortener_words[] = {"refuse", "allow", NULL};
static const char *const content_words[] = {"marketing", "all", NULL};

static const struct field cap_fields[] = {
    {"count", read_number, MEMBER(struct program_config, frequency_cap.count), .with = &integer,
     .min = 1, .max = CAP_PLACES_MAX, .required = true},
    {"window", read_number, MEMBER(struct program_config, frequency_cap.window_ms),
     .with = &duration, .min = CAP_WINDOW_MS_MIN, .max = CAP_WINDOW_MS_MAX, .required = true},
};
static const struct mapping cap_mapping = MAPPING("`frequency_cap`", cap_fields);

static const struct field program_fields[] = {
    {"name", read_text, MEMBER(struct program_config, name), .with = &form_name, .required = true},
    {"brand", read_text, MEMBER(struct program_config, brand), .with = &form_text},
    {"contact", read_text, MEMBER(struct program_config, contact)},
    {"purpose", read_text, MEMBER(struct program_config, purpose)},
    {"frequency", read_text, MEMBER(struct program_config, frequency)},
    {"other_way_out", read_text, MEMBER(struct program_config, other_way_out)},
    {"language", read_text, MEMBER(struct program_config, language), .with = &form_language},
    {"keywords", read_words, .max = PROGRAM_WORDS_MAX},
    {"phrases", read_words, .max = PROGRAM_WORDS_MAX, .with = &kind_revokes},
    {"help_cues", read_words, .max = PROGRAM_WORDS_MAX, .with = &kind_cue},
    {"classes", read_classes, MEMBER(struct program_config, classes), .min = 1, .max = 4,
     .required = true},
    {"senders", read_senders, .min = 1, .max = SENDERS_MAX, .required = true},
    {"opt_in", read_word, MEMBER(struct program_config, opt_in), .with = opt_in_words},
    {"stop_reach", read_word, MEMBER(struct program_config, stop_reach), .with = reach_words},
    {"pending", read_number, MEMBER(struct program_config, pending_ms), CONSENT_PENDING_MS_MIN,
     CONSENT_PENDING_MS_MAX, &duration},
    {"join", read_join, .min = 0, .max = JOIN_WORDS_MAX},
    {"on_unknown", read_word, MEMBER(struct program_config, on_unknown), .with = unknown_words},
    {"smart_encoding", read_flag, MEMBER(struct program_config, smart_encoding)},
    {"quiet_hours", read_word, MEMBER(struct program_config, quiet_hours), .with = quiet_words},
    {"frequency_cap", read_nested, .with = &cap_mapping},
    {"consent_max_age", read_number, MEMBER(struct program_config, consent_max_age_ms),
     .with = &duration, .min = CONSENT_AGE_MS_MIN, .max = CONSENT_AGE_MS_MAX},
    {"do_not_call", read_word, MEMBER(struct program_config, do_not_call),
     .with = do_not_call_words},
    {"brand_named", read_word, MEMBER(struct program_config, brand_named), .with = brand_words},
    {"link_shorteners", read_word, MEMBER(struct program_config, link_shorteners),
     .with = shortener_words},
    {"content_rules", read_word, MEMBER(struct program_config, content_rules),
     .with = content_words},
};
static const struct mapping program_mapping = MAPPING("a program", program_fields);

static void check_program(struct reading *reading, yaml_node_t *node,
                          struct program_config *program)
{
    bool only_marketing = true;
    if (program->brand[0] == '\0')
        strcpy(program->brand, program->name);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        only_marketing =
            only_marketing && (c == ASSENT__V1__CLASS__MARKETING || !program->classes[c]);
    if (program->on_unknown == UNKNOWN_SEND_AGAIN && only_marketing)
        FAULT(reading, node,
              "program %s: `on_unknown: send_again` is for otp, transactional and emergency; "
              "marketing is never sent again",
              program->name);
}

/* What would make the program's marketing unlawful by its own texts. */
static void check_ways_out(struct reading *reading, yaml_node_t *node,
                           const struct program_config *program)
{
    if (!program->classes[ASSENT__V1__CLASS__MARKETING] || program->other_way_out[0] != '\0')
        return;
    for (uint16_t i = 0; i < program->sender_count; i++)
        if (!config_is_answerable(reading->config, program->senders[i]))
            FAULT(reading, node,
                  "program %s: nobody can answer the sender %s with STOP; marketing from it needs "
                  "`other_way_out`, a link or a number",
                  program->name, program->senders[i]);
}

/* What our own texts say about the program, and may not say. */
static void check_links(struct reading *reading, yaml_node_t *node,
                        const struct program_config *program)
{
    const struct {
        const char *key, *text;
    } ours[] = {{"contact", program->contact},
                {"purpose", program->purpose},
                {"frequency", program->frequency},
                {"other_way_out", program->other_way_out}};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (program->link_shorteners == SHORTENERS_REFUSED &&
            has_link_shortener(span_from_string(ours[i].text)))
            FAULT(reading, node,
                  "program %s: `%s` has a link of a public shortener, which carriers refuse; link "
                  "to an address of the brand's own",
                  program->name, ours[i].key);
}

/* Where there is a registry, it has every sender. */
static void check_program_senders(struct reading *reading, yaml_node_t *node,
                                  const struct program_config *program)
{
    for (uint16_t i = 0; reading->config->senders != NULL && i < program->sender_count; i++) {
        const struct sender_config *row = config_find_sender(reading->config, program->senders[i]);
        if (row == NULL)
            FAULT(reading, node,
                  "program %s: `senders` of the configuration does not have %s; add it there with "
                  "its registrations",
                  program->name, program->senders[i]);
        else if (row->direction == DIRECTION_INBOUND)
            FAULT(reading, node,
                  "program %s: nothing may be sent from %s, which only receives (`direction: "
                  "inbound`)",
                  program->name, program->senders[i]);
    }
}

static void read_programs(struct reading *reading, yaml_node_t *node, const struct field *field,
                          void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->programs = check_calloc(length_of(node), sizeof *config->programs);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct program_config *program = &config->programs[i];
        program_defaults(program);
        read_mapping(reading, item, &program_mapping, program);
        if (program->name[0] != '\0' && config_find_program(config, program->name) >= 0)
            FAULT(reading, item, "two programs are called %s; names are unique", program->name);
        check_program(reading, item, program);
        check_ways_out(reading, item, program);
        check_links(reading, item, program);
        check_program_senders(reading, item, program);
        config->program_count++;
    }
}

/* Clients ------------------------------------------------------------------------------------- */

static void read_key(struct reading *reading, yaml_node_t *node, const struct field *field,
                     void *into)
{
    struct client_config *client = into;
    const char *text = text_of(reading, node, field->key);
    if (text != NULL && config_sha256(text, client->key_sha256))
        client->has_key = true;
    else if (text != NULL)
        FAULT(reading, node,
              "`%s` is not a SHA-256; it has 64 hexadecimal digits, as from: printf %%s KEY | "
              "sha256sum",
              field->key);
}

static void read_uid(struct reading *reading, yaml_node_t *node, const struct field *field,
                     void *into)
{
    uint64_t uid = UINT64_MAX;
    struct field as_number = *field;
    as_number.size = sizeof uid;
    read_number(reading, node, &as_number, &uid);
    if (uid != UINT64_MAX)
        *(int64_t *)into = (int64_t)uid;
}

static void read_client_programs(struct reading *reading, yaml_node_t *node,
                                 const struct field *field, void *into)
{
    bool *programs = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        int program = text ? config_find_program(reading->config, text) : -1;
        if (program >= 0)
            programs[program] = true;
        else if (text != NULL)
            FAULT(reading, item,
                  "there is no program \"%.40s\"; those under `programs` are allowed", text);
    }
}

static bool is_certificate_name(const char *text)
{
    return *text != '\0' && *text != '.' && strchr(text, '*') == NULL;
}

static const struct form form_certificate = {
    is_certificate_name,
    "the common name, DNS name or e-mail address of one certificate is allowed"};

static const struct field client_fields[] = {
    {"name", read_text, MEMBER(struct client_config, name), .with = &form_name, .required = true},
    {"key_sha256", .read = read_key},
    {"uid", read_uid, MEMBER(struct client_config, uid), .max = UINT32_MAX - 1, .with = &integer},
    {"certificate", read_text, MEMBER(struct client_config, certificate),
     .with = &form_certificate},
    {"programs", read_client_programs, MEMBER(struct client_config, programs), .min = 1,
     .max = PROGRAMS_MAX, .required = true},
};
static const struct mapping client_mapping = MAPPING("a client", client_fields);

static bool asks_for_certificates(const struct config *config)
{
    for (uint16_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].tls.ca_file[0] != '\0')
            return true;
    }
    return false;
}

static void check_client(struct reading *reading, yaml_node_t *node, size_t index)
{
    const struct config *config = reading->config;
    const struct client_config *client = &config->clients[index];
    if (!client->has_key && client->uid < 0 && client->certificate[0] == '\0')
        FAULT(reading, node,
              "client %s has neither `key_sha256` nor `uid` nor `certificate`, so nobody could be "
              "it; give one",
              client->name);
    if (client->certificate[0] != '\0' && !asks_for_certificates(config))
        FAULT(reading, node,
              "client %s has a `certificate`, and no listener has `tls` with client_ca_file, so "
              "nobody would be asked for one",
              client->name);
    for (size_t i = 0; i < index; i++) {
        const struct client_config *other = &config->clients[i];
        if (client->name[0] != '\0' && strcmp(other->name, client->name) == 0)
            FAULT(reading, node, "two clients are called %s; names are unique", client->name);
        if (client->certificate[0] && strcmp(client->certificate, other->certificate) == 0)
            FAULT(reading, node, "clients %s and %s have the same `certificate`; give each its own",
                  other->name, client->name);
        if (client->has_key && other->has_key &&
            memcmp(client->key_sha256, other->key_sha256, sizeof client->key_sha256) == 0)
            FAULT(reading, node, "clients %s and %s have the same key; give each its own",
                  other->name, client->name);
    }
}

static void read_clients(struct reading *reading, yaml_node_t *node, const struct field *field,
                         void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->clients = check_calloc(length_of(node) + 1, sizeof *config->clients);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        config->clients[i].uid = -1;
        read_mapping(reading, item, &client_mapping, &config->clients[i]);
        check_client(reading, item, i);
        config->client_count++;
    }
}

/* Carriers ------------------------------------------------------------------------------------ */

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

static bool any_program_sends_from(const struct config *config, const char *sender)
{
    for (unsigned p = 0; p < config->program_count; p++)
        for (unsigned s = 0; s < config->programs[p].sender_count; s++)
            if (strcmp(config->programs[p].senders[s], sender) == 0)
                return true;
    return false;
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

static void read_routes(struct reading *reading, yaml_node_t *node, const struct field *field,
                        void *into)
{
    struct carrier_config *carrier = into;
    if (!is_list(reading, node, field) || carrier->routes != NULL)
        return;
    carrier->routes = check_calloc(length_of(node), sizeof *carrier->routes);
    for (size_t i = 0; i < length_of(node); i++)
        read_route(reading, item_of(reading, node, i), field, carrier);
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
          "unknown_subscriber",
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

static const char *const news_words[] = {"opted_out", "unknown_subscriber", NULL};

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

static void read_carriers(struct reading *reading, yaml_node_t *node, const struct field *field,
                          void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->carriers = check_calloc(length_of(node), sizeof *config->carriers);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        carrier_defaults(&config->carriers[i]);
        config->carrier_count++;
        read_mapping(reading, item, &carrier_mapping, &config->carriers[i]);
        check_carrier(reading, item, &config->carriers[i]);
    }
}

/* The whole ----------------------------------------------------------------------------------- */

#define CONFIG(member) MEMBER(struct config, member)
static const struct field redis_fields[] = {
    {"url", read_text, CONFIG(redis_url), .with = &form_redis, .required = true},
    {"password_file", read_secret, CONFIG(redis_password)},
    {"buckets", read_buckets, CONFIG(redis_buckets), 1, 1u << 24, &integer},
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
    {"carriers", read_carriers, .min = 1, .max = CARRIERS_MAX, .required = true},
    {"unknown_subscriber", read_nested, .with = &vacancy_mapping},
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

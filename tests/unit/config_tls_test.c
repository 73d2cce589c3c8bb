/* SPDX-License-Identifier: Apache-2.0 */
/* TLS in the configuration: what loads, and what every contradiction and every bad file is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/certificates.h"
#include "gateway/config.h"
#include "proto/base/clock.h"

static char folder[] = "/tmp/assent-config-tls-XXXXXX";
static char said[65536];

/* In each test one part is replaced. */
static const char good[] =
    "node: gw1\n"
    "data_dir: data\n"
    "redis: {url: \"unix:///run/redis/redis-server.sock\"}\n"
    "listeners:\n"
    "  - address: \"tls://127.0.0.1:7343\"\n"                                               /* 5 */
    "    tls: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem}\n"      /* 6 */
    "programs: [{name: login, classes: [otp], senders: [\"12025550101\"]}]\n"               /* 7 */
    "clients:\n"                                                                            /* 8 */
    "  - {name: shop, certificate: shop.example, programs: [login]}\n"                      /* 9 */
    "http: {address: \"tcp://127.0.0.1:7380\"}\n"                                           /* 10 */
    "carriers:\n"                                                                           /* 11 */
    "  - name: alpha\n"                                                                     /* 12 */
    "    address: \"tls://localhost:3550\"\n"                                               /* 13 */
    "    tls: {ca_file: ca.pem, cert_file: client.pem, key_file: client.key, name: smsc}\n" /* 14 */
    "    system_id: acme\n"
    "    rate: 10\n"
    "    routes: [\"\"]\n";

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* `good` with `old` replaced by `fresh`. */
static struct config *load(const char *old, const char *fresh)
{
    const char *at = strstr(good, old);
    struct config *config = NULL;
    FILE *file = fopen(in_folder("test.yaml"), "w");
    assert_non_null(at);
    assert_non_null(file);
    fprintf(file, "%.*s%s%s", (int)(at - good), good, fresh, at + strlen(old));
    fclose(file);
    memset(said, 0, sizeof said);
    FILE *errors = fmemopen(said, sizeof said - 1, "w");
    enum err err = config_load(in_folder("test.yaml"), errors, &config);
    fclose(errors);
    assert_int_equal(err == ERR_OK, config != NULL);
    return config;
}

static void it_loads(void **state)
{
    (void)state;
    struct config *config = load("", "");
    if (config == NULL)
        fail_msg("%s", said);
    assert_string_equal(config->clients[0].certificate, "shop.example");
    assert_string_equal(config->carriers[0].tls.name, "smsc");
    assert_string_equal(config->carriers[0].tls.ca_file, in_folder("ca.pem"));
    assert_string_equal(config->listeners[0].tls.ca_file, in_folder("ca.pem"));
    struct certificates *certificates = certificates_new(config);
    assert_non_null(certificates_of_carrier(certificates, 0));
    assert_non_null(certificates_of_listener(certificates, 0));
    certificates_free(certificates);
    config_free(config);
}

/* The system's authorities, and the address's host as the name. */
static void a_carrier_needs_no_tls_map(void **state)
{
    (void)state;
    struct config *config = load(
        "    tls: {ca_file: ca.pem, cert_file: client.pem, key_file: client.key, name: smsc}\n",
        "");
    if (config == NULL)
        fail_msg("%s", said);
    assert_string_equal(config->carriers[0].tls.name, "");
    config_free(config);
}

struct fault {
    const char *old, *fresh;
    unsigned line;
    const char *says;
};

#define LISTENER "    tls: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem}\n"
#define CARRIER  "{ca_file: ca.pem, cert_file: client.pem, key_file: client.key, name: smsc}"

static const struct fault faults[] = {
    {"tls://127.0.0.1:7343", "tcp://127.0.0.1:7343", 6,
     "`tls` belongs to an address tls://HOST:PORT; this one is tcp://127.0.0.1:7343"},
    {"tls://127.0.0.1:7343", "unix:///run/a.sock", 6, "`tls` belongs to an address tls://"},
    {LISTENER, "", 5, "has no `tls` with cert_file and key_file"},
    {", key_file: server.key", "", 6, "`tls` of a listener has no `key_file`"},
    {"cert_file: server.pem, ", "", 6, "`tls` of a listener has no `cert_file`"},
    {"client_ca_file", "ca_file", 6,
     "unknown key \"ca_file\" in `tls` of a listener; allowed: cert_file, key_file, "
     "client_ca_file"},
    {"client_ca_file: ca.pem", "client_ca_file: none.pem", 6, "`client_ca_file` "},
    {"cert_file: server.pem", "cert_file: none.pem", 6, "none.pem does not exist"},
    {"cert_file: server.pem", "cert_file: .", 6, "is not a regular file"},
    {"cert_file: server.pem", "cert_file: server.key", 6, "holds no certificate"},
    {"key_file: server.key", "key_file: client.key", 6,
     "client.key does not belong to the certificate"},
    {"key_file: server.key", "key_file: open.key", 6, "open.key may be read by others"},
    {"key_file: server.key", "key_file: ca.pem", 6, "holds no key"},
    {"tls: {cert_file: server.pem", "tls: {cert_file: ''", 6, "a path is needed"},
    {LISTENER, "    tls: {cert_file: server.pem, key_file: server.key}\n", 9,
     "no listener has `tls` with client_ca_file"},
    {"certificate: shop.example, ", "", 9, "neither `key_sha256` nor `uid` nor `certificate`"},
    {"certificate: shop.example", "certificate: '*.example'", 9,
     "`certificate` cannot be \"*.example\"; the common name"},
    {"certificate: shop.example", "certificate: .example", 9, "`certificate` cannot be"},
    {"http:", "  - {name: other, certificate: shop.example, programs: [login]}\nhttp:", 10,
     "clients shop and other have the same `certificate`"},
    {"tcp://127.0.0.1:7380", "tls://127.0.0.1:7380", 10, "`http` has no TLS"},
    {"tls://localhost:3550", "tcp://localhost:3550", 14, "`tls` belongs to an address tls://"},
    {"tls://localhost:3550", "tls://:3550", 13, "a carrier is tcp://HOST:PORT or tls://HOST:PORT"},
    {"tls://localhost:3550", "tls://localhost:0", 13, "port 1 to 65535"},
    {"tls://localhost:3550", "tls://localhost", 13, "tcp://HOST:PORT or tls://HOST:PORT"},
    {", key_file: client.key", "", 14, "`cert_file` and no `key_file`"},
    {"cert_file: client.pem, ", "", 14, "`key_file` and no `cert_file`"},
    {"ca_file: ca.pem, cert", "ca_file: client.key, cert", 14, "holds no certificates"},
    {CARRIER, "{client_ca_file: ca.pem}", 14, "allowed: ca_file, cert_file, key_file, name"},
    {CARRIER, "yes", 14, "{key: value}"},
    {"name: smsc", "name: ''", 14, "it may not be empty"},
};

static void each_fault_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char place[300];
        struct config *config = load(faults[i].old, faults[i].fresh);
        if (config != NULL)
            fail_msg("taken: %s", faults[i].fresh);
        snprintf(place, sizeof place, "%s:%u: ", in_folder("test.yaml"), faults[i].line);
        if (strstr(said, place) == NULL || strstr(said, faults[i].says) == NULL)
            fail_msg("line %u, \"%s\" is not in: %s", faults[i].line, faults[i].says, said);
    }
}

static void names_and_paths_have_limits(void **state)
{
    (void)state;
    char text[TLS_PATH_MAX + 100], name[TLS_NAME_MAX + 1];
    memset(name, 'a', sizeof name);
    snprintf(text, sizeof text, "name: %.*s", TLS_NAME_MAX - 1, name);
    config_free(load("name: smsc", text));
    assert_string_equal(said, "");
    snprintf(text, sizeof text, "name: %.*s", TLS_NAME_MAX, name);
    assert_null(load("name: smsc", text));
    assert_non_null(strstr(said, "`name` is too long; at most 255 octets"));
    for (int over = 0; over <= 1; over++) { /* "/./././ca.pem" of exactly so many octets */
        size_t length = (size_t)TLS_PATH_MAX - 1 + (size_t)over;
        size_t start = (size_t)snprintf(text, sizeof text, "client_ca_file: ");
        memset(text + start, '/', length);
        memcpy(text + start, folder, strlen(folder));
        strcpy(text + start + length - strlen("ca.pem"), "ca.pem");
        struct config *config = load("client_ca_file: ca.pem", text);
        assert_int_equal(config == NULL, over);
        config_free(config);
    }
    assert_non_null(strstr(said, "at most 1023 octets are allowed"));
}

static void an_expired_certificate_is_a_warning(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        {"server", "is good until "},
        {"expired", "warning: "},
        {"soon", "in less than 14 days"},
    };
    for (size_t i = 0; i < 3; i++) {
        char files[128], text[4096] = "";
        snprintf(files, sizeof files, "cert_file: %s.pem, key_file: %s.key", expected[i][0],
                 expected[i][0]);
        struct config *config = load("cert_file: server.pem, key_file: server.key", files);
        if (config == NULL)
            fail_msg("%s", said);
        FILE *out = fmemopen(text, sizeof text - 1, "w");
        certificates_print(config, clock_wall_ms(), out);
        fclose(out);
        if (strstr(text, expected[i][1]) == NULL)
            fail_msg("\"%s\" is not in: %s", expected[i][1], text);
        config_free(config);
    }
}

static void the_print_says_what_it_means(void **state)
{
    (void)state;
    struct config *config = load("", "");
    static char text[16384];
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    config_print(config, out);
    fclose(out);
    assert_non_null(strstr(text, "and only with a certificate of the client"));
    assert_non_null(strstr(text, "by certificate \"shop.example\""));
    assert_non_null(strstr(text, "its certificate must be of smsc, signed by "));
    assert_null(strstr(text, "not encrypted"));
    config_free(config);
}

static void metrics_tell_the_expiry(void **state)
{
    (void)state;
    struct config *config = load("", "");
    struct certificates *certificates = certificates_new(config);
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    certificates_metrics(certificates, out);
    fclose(out);
    assert_non_null(strstr(text, "assent_tls_certificate_expiry_seconds{carrier=\"alpha\"} "));
    assert_non_null(
        strstr(text, "assent_tls_certificate_expiry_seconds{listener=\"tls://127.0.0.1:7343\"} "));
    certificates_free(certificates);
    config_free(config);
}

static void bad_new_files_keep_the_old(void **state)
{
    (void)state;
    char command[512];
    struct config *config = load("cert_file: server.pem, key_file: server.key",
                                 "cert_file: live.pem, key_file: live.key");
    struct certificates *certificates = certificates_new(config);
    int64_t before = tls_expiry_s(certificates_of_listener(certificates, 0));
    snprintf(command, sizeof command, "cd %s && cp soon.pem live.pem", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(tls_reload_all(certificates), 1); /* the listener's; the carrier's is good */
    assert_int_equal(tls_expiry_s(certificates_of_listener(certificates, 0)), before);
    snprintf(command, sizeof command, "cd %s && cp soon.key live.key", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(tls_reload_all(certificates), 0);
    assert_true(tls_expiry_s(certificates_of_listener(certificates, 0)) < before);
    certificates_free(certificates);
    config_free(config);
}

static void the_deployed_file_shows_every_key(void **state)
{
    (void)state;
    static const char *const keys[] = {"tls:",      "cert_file:",   "key_file:", "client_ca_file:",
                                       " ca_file:", "certificate:", " name:"};
    static char text[65536];
    FILE *file = fopen(VECTORS "/../../deploy/assent.yaml", "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_non_null(strstr(text, keys[i]));
}

static int make_folder(void **state)
{
    (void)state;
    char command[512];
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(command, sizeof command,
             "%s/../certificates %s && cd %s && cp server.key open.key && chmod 644 open.key && "
             "cp server.pem live.pem && cp server.key live.key",
             VECTORS, folder, folder);
    return system(command) == 0 ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_loads),
        cmocka_unit_test(a_carrier_needs_no_tls_map),
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(names_and_paths_have_limits),
        cmocka_unit_test(an_expired_certificate_is_a_warning),
        cmocka_unit_test(the_print_says_what_it_means),
        cmocka_unit_test(metrics_tell_the_expiry),
        cmocka_unit_test(bad_new_files_keep_the_old),
        cmocka_unit_test(the_deployed_file_shows_every_key),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who is who. A key is compared as its SHA-256, in constant time, with every client's, whatever name
 * was given, so that the time tells neither a name nor a part of a key. On a Unix socket the kernel's
 * word for the peer's user id is as good as a key, and over TLS a certificate that was verified. */
#include "gateway/submit_connection.h"

#include <unistd.h>

#include "proto/base/digest.h"
#include "proto/base/log.h"

static bool is_own_user(const struct connection *connection)
{
    return connection->peer_uid == 0 || connection->peer_uid == (int64_t)geteuid();
}

/* The client that this key belongs to, or -1; -1 too when `name` is another's. */
static int find_by_key(const struct config *config, const char *name, const char *key)
{
    uint8_t digest[DIGEST_SIZE];
    digest_sha256(span_from_string(key), digest);
    int found = -1;
    for (uint16_t i = 0; i < config->client_count; i++) {
        const struct client_config *client = &config->clients[i];
        bool same = digest_equal(digest, client->key_sha256);
        if (same && client->has_key && (name[0] == '\0' || strcmp(name, client->name) == 0))
            found = i;
    }
    digest_wipe(digest, sizeof digest);
    return found;
}

/* The client whose `uid` is the peer's, or that the gateway's own user speaks for; -1 for none. */
static int find_by_user(const struct connection *connection, const char *name)
{
    const struct config *config = connection->server->config;
    if (connection->peer_uid < 0)
        return -1;
    for (uint16_t i = 0; i < config->client_count; i++) {
        const struct client_config *client = &config->clients[i];
        bool named = strcmp(name, client->name) == 0;
        if (client->uid == connection->peer_uid && (named || name[0] == '\0'))
            return i;
        if (named && is_own_user(connection))
            return i;
    }
    return -1;
}

/* The client whose `certificate` the peer has shown, or -1. */
static int find_by_certificate(const struct connection *connection, const char *name)
{
    const struct config *config = connection->server->config;
    for (uint16_t i = 0; i < config->client_count; i++) {
        const struct client_config *client = &config->clients[i];
        if (client->certificate[0] != '\0' &&
            (name[0] == '\0' || strcmp(name, client->name) == 0) &&
            link_peer_is(connection->link, client->certificate))
            return i;
    }
    return -1;
}

bool hello_accept(const struct connection *connection, const Assent__V1__HelloRequest *hello,
                  uint16_t *ret_client, const char **ret_why)
{
    const struct config *config = connection->server->config;
    int found = -1;
    if (hello->key[0] != '\0') {
        found = find_by_key(config, hello->client, hello->key);
        *ret_why = "this name and key are not known; check `clients` in the configuration";
    } else if (hello->client[0] == '\0' && is_own_user(connection)) {
        *ret_client = CLIENT_OPERATOR;
        return true;
    } else {
        found = find_by_certificate(connection, hello->client);
        if (found < 0)
            found = find_by_user(connection, hello->client);
        *ret_why = connection->peer_uid < 0
                       ? "a key is needed, or over TLS the certificate of a client; on the "
                         "gateway's machine its Unix socket needs none"
                       : "a key is needed: your user is neither the gateway's nor the `uid` of a "
                         "client in the configuration";
    }
    if (found < 0) {
        LOG_LIMITED(LOG_WARN, "client_refused", "reason=unauthenticated uid=%lld",
                    (long long)connection->peer_uid);
        return false;
    }
    *ret_client = (uint16_t)found;
    return true;
}

bool hello_sees_program(const struct connection *connection, uint32_t scope)
{
    if (connection->client == CLIENT_OPERATOR)
        return true;
    int program = scope == 0 ? -1 : engine_program_of_scope(connection->server->engine, scope);
    return program >= 0 &&
           connection->server->config->clients[connection->client].programs[program];
}

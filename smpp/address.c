/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/address.h"

#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, char out[6])
{
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length > 5 || text[length] != '\0' || atoi(text) > 65535)
        return false;
    memcpy(out, text, length + 1);
    return true;
}

/* The colon before the port, or NULL; *ret_host and *ret_length without brackets. */
static const char *split_host(const char *text, const char **ret_host, size_t *ret_length)
{
    const char *colon;
    if (text[0] == '[') {
        const char *bracket = strchr(text, ']');
        if (bracket == NULL || bracket[1] != ':')
            return NULL;
        *ret_host = text + 1;
        *ret_length = (size_t)(bracket - text - 1);
        return bracket + 1;
    }
    colon = strchr(text, ':');
    *ret_host = text;
    *ret_length = colon ? (size_t)(colon - text) : 0;
    return colon;
}

static const char *parse_tcp(const char *text, struct address *address)
{
    const char *host = NULL;
    size_t length = 0;
    const char *colon = split_host(text, &host, &length);
    if (colon == NULL)
        return "an address of the network is tcp://HOST:PORT or tls://HOST:PORT";
    if (length > ADDRESS_HOST_MAX)
        return "the host name is too long";
    if (!parse_port(colon + 1, address->port))
        return "the port is a number from 0 to 65535";
    memcpy(address->host, host, length);
    return NULL;
}

static const char *parse_unix(const char *text, struct address *address)
{
    size_t length = strlen(text);
    if (text[0] != '/' || length < 2)
        return "a Unix address is unix:///PATH";
    if (length > ADDRESS_PATH_MAX)
        return "a Unix path has at most 107 octets";
    memcpy(address->path, text, length + 1);
    return NULL;
}

bool address_parse(const char *text, struct address *ret_address, const char **ret_why)
{
    struct address address = {0};
    const char *why = "an address begins with tcp://, tls:// or unix://";
    if (strncmp(text, "tcp://", 6) == 0) {
        address.kind = ADDRESS_TCP;
        why = parse_tcp(text + 6, &address);
    } else if (strncmp(text, "tls://", 6) == 0) {
        address.kind = ADDRESS_TLS;
        why = parse_tcp(text + 6, &address);
    } else if (strncmp(text, "unix://", 7) == 0) {
        address.kind = ADDRESS_UNIX;
        why = parse_unix(text + 7, &address);
    }
    if (why != NULL) {
        *ret_why = why;
        return false;
    }
    *ret_address = address;
    return true;
}

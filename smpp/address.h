/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of sockets: "tcp://HOST:PORT" ([::1] in brackets), "tls://HOST:PORT" and "unix:///PATH".
 * Pure. */
#ifndef SMPP_ADDRESS_H
#define SMPP_ADDRESS_H

#include <stdbool.h>

#define ADDRESS_HOST_MAX 255 /* octets of a host name */
#define ADDRESS_PATH_MAX 107 /* octets of a Unix path, as sockaddr_un takes them */

enum address_kind { ADDRESS_TCP, ADDRESS_TLS, ADDRESS_UNIX };

struct address {
    enum address_kind kind;
    char host[ADDRESS_HOST_MAX + 1]; /* TCP, TLS: without brackets; empty: all interfaces */
    char port[6];                    /* TCP, TLS: decimal, 0..65535 */
    char path[ADDRESS_PATH_MAX + 1]; /* Unix */
};

/* False and *ret_why (a constant) when `text` is malformed. */
bool address_parse(const char *text, struct address *ret_address, const char **ret_why);

#endif

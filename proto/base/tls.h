/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over a connected stream socket. The only user of libssl; no type of it leaves tls.c. There is no
 * loop here and nothing waits: whoever owns the socket calls again when it is readable or writable.
 *
 * TLS 1.2 at least, 1.3 offered. No renegotiation, no tickets and no early data. A client verifies the
 * server's certificate and name, always; a server asks for a client's certificate when it has a
 * `ca_file`, and then takes nobody without one.
 *
 * A context is what the files said. Connections made after tls_reload() see the new files, the others
 * go on with the old ones. A connection does not need its context to live on. Single-threaded. */
#ifndef PROTO_BASE_TLS_H
#define PROTO_BASE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/limits.h"

enum tls_role { TLS_CLIENT, TLS_SERVER };

/* "" for what is not given. */
struct tls_settings {
    char ca_file[TLS_PATH_MAX];   /* who may have signed the peer's certificate. Client: else the
                                     system's store. Server: else no certificate is asked for */
    char cert_file[TLS_PATH_MAX]; /* our certificate, then its chain; a server must have one */
    char key_file[TLS_PATH_MAX];  /* its key, without a passphrase, which others may not read */
    char name[TLS_NAME_MAX];      /* Client: the server's name; else the host that we connect to */
};

/* What is wrong with a file: "`key_file` WHAT". Constants. */
struct tls_fault {
    const char *setting; /* "ca_file", "cert_file" or "key_file" */
    const char *what;    /* "does not belong to the certificate" */
};

struct tls_context;

/* Reads the files. NULL and the fault when they cannot be used. An expired certificate is no fault;
 * see tls_expiry_s(). */
struct tls_context *tls_context_new(enum tls_role role, const struct tls_settings *settings,
                                    struct tls_fault *ret_fault);
void tls_context_free(struct tls_context *context);

/* Reads the files again. On a fault everything stays as it was. */
MUST_CHECK bool tls_reload(struct tls_context *context, struct tls_fault *ret_fault);

/* When the first certificate of our own chain expires, in seconds since 1970; 0: we have none. */
int64_t tls_expiry_s(const struct tls_context *context);

/* Connections --------------------------------------------------------------------------------- */

struct tls;

enum tls_result {
    TLS_DONE,
    TLS_WANT_READ,  /* again when the socket is readable */
    TLS_WANT_WRITE, /* again when the socket is writable */
    TLS_CLOSED,     /* the peer closed, with or without saying so */
    TLS_FAILED,     /* tls_why() says why; when it gives NULL the socket failed and errno is set */
};

/* `host` is what a client connects to, a name or an IP address; NULL for a server. */
struct tls *tls_new(const struct tls_context *context, const char *host);
void tls_free(struct tls *tls);

/* The connected socket, before anything else; it stays the caller's. */
void tls_set_socket(struct tls *tls, int fd);

/* Until it gives TLS_DONE, once. */
MUST_CHECK enum tls_result tls_handshake(struct tls *tls);

/* With TLS_DONE *ret_length octets were moved, at least one. What the peer sent may wait inside: read
 * until TLS_WANT_READ. A write that gave TLS_WANT_WRITE goes on with the same octets, which may have
 * moved, and more may follow them. */
MUST_CHECK enum tls_result tls_read(struct tls *tls, void *data, size_t size, size_t *ret_length);
MUST_CHECK enum tls_result tls_write(struct tls *tls, const void *data, size_t length,
                                     size_t *ret_length);

/* Tells the peer that we have said everything; once, and as far as the socket takes it. */
void tls_finish(struct tls *tls);

/* A short constant: "tls_name_mismatch", "tls_certificate_expired", "tls_untrusted", ... */
const char *tls_why(const struct tls *tls);

/* "TLSv1.3", once the handshake is over. */
const char *tls_version(const struct tls *tls);

/* True when the peer's certificate, which has been verified, bears `name` as a DNS name, e-mail
 * address or common name. Wildcards in the certificate do not count. */
bool tls_peer_is(const struct tls *tls, const char *name);

#endif

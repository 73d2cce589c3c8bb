/* SPDX-License-Identifier: Apache-2.0 */
/* libssl keeps its errors in a queue of the thread: it is emptied before each call, or an old error
 * would be taken for the new call's, and after it, or ours would be taken for another's.
 *
 * Sockets are reached through a BIO of our own: no SIGPIPE, errno kept, and the end of the stream
 * noticed as what it is. A peer that closes without close_notify has closed: what is carried here says
 * itself where it ends, so a cut cannot be mistaken for a whole message. */
#include "proto/base/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/check.h"

struct tls_context {
    enum tls_role role;
    struct tls_settings settings;
    SSL_CTX *ssl;
    int64_t expiry_s;
};

struct tls {
    SSL *ssl;
    int fd;
    int error; /* errno of the last call that failed */
    const char *why;
    bool at_end, failed, shaken, finished;
};

/* The socket ---------------------------------------------------------------------------------- */

static bool is_again(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int socket_read(BIO *bio, char *data, int size)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = recv(tls->fd, data, (size_t)size, 0);
    if (n < 0 && is_again(errno))
        BIO_set_retry_read(bio);
    else if (n < 0)
        tls->error = errno;
    else if (n == 0)
        tls->at_end = true;
    return (int)n;
}

static int socket_write(BIO *bio, const char *data, int length)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = send(tls->fd, data, (size_t)length, MSG_NOSIGNAL);
    if (n < 0 && is_again(errno))
        BIO_set_retry_write(bio);
    else if (n < 0)
        tls->error = errno;
    return (int)n;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    const struct tls *tls = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF)
        return tls->at_end;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method(void)
{
    static BIO_METHOD *method;
    if (method != NULL)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    CHECK(method != NULL);
    CHECK(BIO_meth_set_read(method, socket_read) && BIO_meth_set_write(method, socket_write) &&
          BIO_meth_set_ctrl(method, socket_control));
    return method;
}

/* Files --------------------------------------------------------------------------------------- */

static bool fault(struct tls_fault *ret_fault, const char *setting, const char *what)
{
    *ret_fault = (struct tls_fault){.setting = setting, .what = what};
    return false;
}

/* A missing or foreign file is named before libssl says less about it. */
static bool is_readable(const char *path, const char *setting, struct tls_fault *ret_fault)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return fault(ret_fault, setting,
                     errno == ENOENT ? "does not exist" : "cannot be reached by this user");
    if (!S_ISREG(status.st_mode))
        return fault(ret_fault, setting, "is not a regular file");
    return access(path, R_OK) == 0 || fault(ret_fault, setting, "may not be read by this user");
}

/* Nobody is asked on a terminal. */
static int no_passphrase(char *data, int size, int writing, void *context)
{
    (void)data;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static bool use_key(SSL_CTX *ssl, const char *path, struct tls_fault *ret_fault)
{
    struct stat status;
    if (!is_readable(path, "key_file", ret_fault))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        if (fd >= 0)
            close(fd);
        return fault(ret_fault, "key_file", "cannot be opened");
    }
    if ((status.st_mode & 077) != 0) {
        close(fd);
        return fault(ret_fault, "key_file", "may be read by others; run chmod 600 on it");
    }
    BIO *bio = BIO_new_fd(fd, BIO_CLOSE);
    CHECK(bio != NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        return fault(ret_fault, "key_file", "holds no key in PEM form without a passphrase");
    bool good = SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1;
    EVP_PKEY_free(key);
    return good || fault(ret_fault, "key_file", "does not belong to the certificate");
}

static bool use_certificate(SSL_CTX *ssl, const char *path, struct tls_fault *ret_fault)
{
    if (!is_readable(path, "cert_file", ret_fault))
        return false;
    return SSL_CTX_use_certificate_chain_file(ssl, path) == 1 ||
           fault(ret_fault, "cert_file", "holds no certificate in PEM form that can be used");
}

static bool use_authorities(SSL_CTX *ssl, enum tls_role role, const char *path,
                            struct tls_fault *ret_fault)
{
    if (path[0] == '\0')
        return role == TLS_SERVER || SSL_CTX_set_default_verify_paths(ssl) == 1 ||
               fault(ret_fault, "ca_file", "is not given, and the system has none");
    if (!is_readable(path, "ca_file", ret_fault))
        return false;
    if (SSL_CTX_load_verify_file(ssl, path) != 1)
        return fault(ret_fault, "ca_file", "holds no certificates in PEM form");
    if (role == TLS_SERVER) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
        SSL_CTX_set_client_CA_list(ssl, names);
    }
    return true;
}

static int64_t end_of(const X509 *certificate)
{
    struct tm end;
    CHECK(certificate != NULL);
    return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 ? (int64_t)timegm(&end) : 1;
}

static int64_t expiry_of(SSL_CTX *ssl)
{
    STACK_OF(X509) *chain = NULL;
    const X509 *own = SSL_CTX_get0_certificate(ssl);
    if (own == NULL)
        return 0;
    int64_t first = end_of(own);
    SSL_CTX_get0_chain_certs(ssl, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t end = end_of(sk_X509_value(chain, i));
        first = end < first ? end : first;
    }
    return first;
}

/* Contexts ------------------------------------------------------------------------------------ */

static SSL_CTX *new_ssl_context(enum tls_role role)
{
    SSL_CTX *ssl = SSL_CTX_new(role == TLS_CLIENT ? TLS_client_method() : TLS_server_method());
    CHECK(ssl != NULL);
    CHECK(SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1);
    CHECK(SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    CHECK(SSL_CTX_set_num_tickets(ssl, 0) == 1);
    /* Idle connections give their 34 KiB back; a busy one reads many records at once. */
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ssl, 1);
    return ssl;
}

static void set_verification(SSL_CTX *ssl, enum tls_role role, const char *ca_file)
{
    int mode = SSL_VERIFY_NONE;
    if (role == TLS_CLIENT || ca_file[0] != '\0')
        mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ssl, mode, NULL);
}

static SSL_CTX *load(enum tls_role role, const struct tls_settings *settings,
                     struct tls_fault *ret_fault)
{
    const char *cert = settings->cert_file, *key = settings->key_file;
    ERR_clear_error();
    SSL_CTX *ssl = new_ssl_context(role);
    bool good = true;
    if (cert[0] == '\0' && (key[0] != '\0' || role == TLS_SERVER))
        good = fault(ret_fault, "cert_file", "is not given");
    else if (cert[0] != '\0' && key[0] == '\0')
        good = fault(ret_fault, "key_file", "is not given");
    else if (cert[0] != '\0')
        good = use_certificate(ssl, cert, ret_fault) && use_key(ssl, key, ret_fault);
    good = good && use_authorities(ssl, role, settings->ca_file, ret_fault);
    ERR_clear_error();
    if (!good) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    set_verification(ssl, role, settings->ca_file);
    return ssl;
}

struct tls_context *tls_context_new(enum tls_role role, const struct tls_settings *settings,
                                    struct tls_fault *ret_fault)
{
    struct tls_context *context = check_calloc(1, sizeof *context);
    context->role = role;
    context->settings = *settings;
    if (tls_reload(context, ret_fault))
        return context;
    tls_context_free(context);
    return NULL;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

bool tls_reload(struct tls_context *context, struct tls_fault *ret_fault)
{
    SSL_CTX *fresh = load(context->role, &context->settings, ret_fault);
    if (fresh == NULL)
        return false;
    SSL_CTX_free(context->ssl); /* its connections hold it */
    context->ssl = fresh;
    context->expiry_s = expiry_of(fresh);
    return true;
}

int64_t tls_expiry_s(const struct tls_context *context)
{
    return context->expiry_s;
}

/* Connections --------------------------------------------------------------------------------- */

static bool is_ip_address(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

/* Whom we want to speak to: told to the peer, and asked of its certificate. */
static void expect(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (is_ip_address(name)) {
        CHECK(X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1);
        return;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK(X509_VERIFY_PARAM_set1_host(param, name, 0) == 1);
    CHECK(SSL_set_tlsext_host_name(ssl, name) == 1);
}

struct tls *tls_new(const struct tls_context *context, const char *host)
{
    struct tls *tls = check_calloc(1, sizeof *tls);
    tls->fd = -1;
    tls->ssl = SSL_new(context->ssl);
    BIO *bio = BIO_new(socket_method());
    CHECK(tls->ssl != NULL && bio != NULL);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    if (context->role == TLS_CLIENT) {
        SSL_set_connect_state(tls->ssl);
        expect(tls->ssl, context->settings.name[0] ? context->settings.name : host);
    } else {
        SSL_set_accept_state(tls->ssl);
    }
    return tls;
}

void tls_set_socket(struct tls *tls, int fd)
{
    tls->fd = fd;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    ERR_clear_error();
    free(tls);
}

/* Our verdict on the peer's certificate. */
static const char *why_of_certificate(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "tls_certificate_expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "tls_certificate_not_yet_valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "tls_name_mismatch";
    default:
        return "tls_untrusted";
    }
}

static const struct {
    int reason;
    const char *why;
} whys[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "tls_no_client_certificate"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "tls_protocol"},
    {SSL_R_WRONG_VERSION_NUMBER, "tls_protocol"}, /* no TLS at all, most often */
    {SSL_R_VERSION_TOO_LOW, "tls_protocol"},
    {SSL_R_UNKNOWN_PROTOCOL, "tls_protocol"},
    {SSL_R_HTTP_REQUEST, "tls_protocol"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "tls_protocol"},
    {SSL_R_NO_SHARED_CIPHER, "tls_no_shared_cipher"},
    /* The peer's verdict on ours. */
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "tls_peer_wants_certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "tls_certificate_refused"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "tls_certificate_refused"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "tls_certificate_refused"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "tls_certificate_refused"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "tls_certificate_refused"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "tls_certificate_refused"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, "tls_certificate_refused"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "tls_refused"},
};

static const char *why_of_reason(const struct tls *tls, int reason)
{
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return why_of_certificate(SSL_get_verify_result(tls->ssl));
    for (size_t i = 0; i < sizeof whys / sizeof whys[0]; i++) {
        if (whys[i].reason == reason)
            return whys[i].why;
    }
    return "tls_failed";
}

/* What a call that moved nothing means. */
static enum tls_result result_of(struct tls *tls, int returned)
{
    int error = SSL_get_error(tls->ssl, returned);
    unsigned long first = ERR_peek_error();
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ)
        return TLS_WANT_READ;
    if (error == SSL_ERROR_WANT_WRITE)
        return TLS_WANT_WRITE;
    if (error == SSL_ERROR_ZERO_RETURN)
        return TLS_CLOSED;
    tls->failed = true;
    if (tls->error != 0) {
        errno = tls->error;
        return TLS_FAILED;
    }
    if (tls->at_end)
        return TLS_CLOSED;
    tls->why = why_of_reason(tls, ERR_GET_REASON(first));
    return TLS_FAILED;
}

enum tls_result tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    int returned = SSL_do_handshake(tls->ssl);
    if (returned != 1)
        return result_of(tls, returned);
    tls->shaken = true;
    return TLS_DONE;
}

enum tls_result tls_read(struct tls *tls, void *data, size_t size, size_t *ret_length)
{
    ERR_clear_error();
    int returned = SSL_read_ex(tls->ssl, data, size, ret_length);
    return returned == 1 ? TLS_DONE : result_of(tls, returned);
}

enum tls_result tls_write(struct tls *tls, const void *data, size_t length, size_t *ret_length)
{
    ERR_clear_error();
    int returned = SSL_write_ex(tls->ssl, data, length, ret_length);
    return returned == 1 ? TLS_DONE : result_of(tls, returned);
}

void tls_finish(struct tls *tls)
{
    if (!tls->shaken || tls->failed || tls->finished)
        return;
    tls->finished = true;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

const char *tls_why(const struct tls *tls)
{
    return tls->why;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}

bool tls_peer_is(const struct tls *tls, const char *name)
{
    const unsigned flags = X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
    bool whole = name[0] != '\0' && name[0] != '.'; /* ".example" would stand for any below it */
    X509 *peer = tls->shaken ? SSL_get0_peer_certificate(tls->ssl) : NULL;
    if (peer == NULL || SSL_get_verify_result(tls->ssl) != X509_V_OK || !whole)
        return false;
    bool is =
        X509_check_host(peer, name, 0, flags, NULL) == 1 || X509_check_email(peer, name, 0, 0) == 1;
    ERR_clear_error();
    return is;
}

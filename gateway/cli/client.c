/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/check.h"
#include "proto/base/digest.h"
#include "proto/base/limits.h"
#include "proto/base/stream.h"
#include "smpp/address.h"

#define DEFAULT_ADDRESS "unix:///run/assent/assent.sock"
#define READ_SIZE       (64u << 10)
#define OUTPUT_MAX      (2 * (FRAME_MAX + FRAME_HEADER))
#define FLUSH_AT        (256u << 10)
#define KEY_MAX         256

struct client {
    struct stream stream;
    char address[256];
    uint64_t last_call;
    struct buffer input, output;
    struct arena arena;       /* the frame received last */
    struct arena hello_arena; /* what Hello was answered */
    const Assent__V1__HelloReply *hello;
};

/* Connecting ----------------------------------------------------------------------------------- */

/* The configuration's first Unix socket, else its first address. */
static bool address_of_config(const struct cli *cli, char out[256])
{
    struct config *config = cli_load_config(cli);
    if (config == NULL)
        return false;
    const char *found = NULL;
    for (uint16_t i = 0; i < config->listener_count; i++) {
        const char *address = config->listeners[i].address;
        bool local = strncmp(address, "unix:", 5) == 0;
        if (found == NULL || (local && strncmp(found, "unix:", 5) != 0))
            found = address;
    }
    if (found != NULL)
        snprintf(out, 256, "%s", found);
    else
        complain("%s has no listeners", cli->config_path);
    config_free(config);
    return found != NULL;
}

static bool choose_address(const struct cli *cli, char out[256])
{
    if (cli->address == NULL && cli->config_path != NULL)
        return address_of_config(cli, out);
    const char *address = cli->address ? cli->address : getenv("ASSENT_ADDRESS");
    if (address == NULL || address[0] == '\0')
        address = DEFAULT_ADDRESS;
    int length = snprintf(out, 256, "%s%s", address[0] == '/' ? "unix://" : "", address);
    if (length < 256)
        return true;
    complain("the address is too long");
    return false;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int connect_tcp(const struct address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(address->host, address->port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = -1, error = ENOENT, on = 1;
    for (struct addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, one->ai_addr, one->ai_addrlen) == 0)
            continue;
        error = errno;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    errno = error;
    return fd;
}

static void put_path(char out[TLS_PATH_MAX], const char *path)
{
    snprintf(out, TLS_PATH_MAX, "%s", path ? path : "");
}

static bool secure(const struct cli *cli, struct stream *stream, const char *text, const char *host)
{
    struct tls_settings settings = {.name = ""};
    const char *why = "";
    put_path(settings.ca_file, cli->tls_ca);
    put_path(settings.cert_file, cli->tls_cert);
    put_path(settings.key_file, cli->tls_key);
    if (stream_secure(stream, &settings, host, &why))
        return true;
    complain("cannot speak TLS with %s: %s; see --tls-ca, --tls-cert and --tls-key", text, why);
    stream_close(stream);
    return false;
}

static bool connect_to(const struct cli *cli, const char *text, struct stream *ret_stream)
{
    struct address address;
    const char *why;
    if (!address_parse(text, &address, &why)) {
        complain("%s: %s; an address is unix:///PATH, tls://HOST:PORT or tcp://HOST:PORT", text,
                 why);
        return false;
    }
    int fd = address.kind == ADDRESS_UNIX ? connect_unix(address.path) : connect_tcp(&address);
    if (fd < 0)
        complain("cannot connect to %s: %s; is the gateway running? -s ADDRESS or -c FILE says "
                 "where it is",
                 text, strerror(errno));
    *ret_stream = (struct stream){.fd = fd};
    return fd >= 0 && (address.kind != ADDRESS_TLS || secure(cli, ret_stream, text, address.host));
}

/* Hello ---------------------------------------------------------------------------------------- */

static bool read_key(const char *path, char key[KEY_MAX])
{
    key[0] = '\0';
    if (path == NULL)
        return true;
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(key, KEY_MAX, file) == NULL) {
        complain("cannot read the key from %s: %s", path, file ? "it is empty" : strerror(errno));
        if (file != NULL)
            fclose(file);
        return false;
    }
    fclose(file);
    key[strcspn(key, "\r\n")] = '\0';
    return true;
}

static bool say_hello(struct client *client, const struct cli *cli)
{
    char key[KEY_MAX];
    if (!read_key(cli->key_file, key))
        return false;
    Assent__V1__HelloRequest hello = ASSENT__V1__HELLO_REQUEST__INIT;
    hello.client = (char *)(cli->client ? cli->client : "");
    hello.key = key;
    hello.agent = (char *)"assent/" ASSENT_VERSION;
    Assent__V1__Frame request = ASSENT__V1__FRAME__INIT;
    request.body_case = ASSENT__V1__FRAME__BODY_HELLO;
    request.hello = &hello;
    Assent__V1__Frame *reply = client_call(client, &request, ASSENT__V1__FRAME__BODY_HELLO_REPLY);
    digest_wipe(key, sizeof key);
    if (reply == NULL)
        return false;
    client->hello = reply->hello_reply;
    client->hello_arena = client->arena;
    client->hello_arena.allocator.allocator_data = &client->hello_arena;
    arena_init(&client->arena, FRAME_ARENA_MAX);
    return true;
}

struct client *client_open(const struct cli *cli)
{
    char address[256];
    if (!choose_address(cli, address))
        return NULL;
    struct stream stream;
    if (!connect_to(cli, address, &stream))
        return NULL;
    struct client *client = check_calloc(1, sizeof *client);
    client->stream = stream;
    memcpy(client->address, address, sizeof address);
    buffer_init(&client->input, FRAME_HEADER + FRAME_MAX + READ_SIZE);
    buffer_init(&client->output, OUTPUT_MAX);
    arena_init(&client->arena, FRAME_ARENA_MAX);
    if (say_hello(client, cli))
        return client;
    client_close(client);
    return NULL;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    stream_close(&client->stream);
    buffer_release(&client->input);
    buffer_release(&client->output);
    arena_release(&client->arena);
    arena_release(&client->hello_arena);
    free(client);
}

const Assent__V1__HelloReply *client_hello(const struct client *client)
{
    return client->hello;
}

/* Calls ---------------------------------------------------------------------------------------- */

uint64_t client_next_call(struct client *client)
{
    return ++client->last_call;
}

/* Waits until the socket can be read or written; false after so long. */
static bool wait_for(const struct client *client, short events, int timeout_ms)
{
    struct pollfd wait = {.fd = client->stream.fd, .events = events};
    return poll(&wait, 1, timeout_ms) != 0;
}

bool client_flush(struct client *client)
{
    while (buffer_length(&client->output) > 0) {
        struct span octets = buffer_span(&client->output);
        ssize_t n = stream_send(&client->stream, octets.data, octets.length);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            (void)wait_for(client, POLLOUT, -1);
            continue;
        }
        if (n < 0) {
            complain("lost the connection to %s: %s", client->address,
                     stream_why(&client->stream, errno));
            return false;
        }
        buffer_consume(&client->output, (size_t)n);
    }
    return true;
}

bool client_send(struct client *client, const Assent__V1__Frame *frame)
{
    if (!frame_append(&client->output, frame)) {
        complain("this call is too large for one frame");
        return false;
    }
    return buffer_length(&client->output) < FLUSH_AT || client_flush(client);
}

/* What is there, or what comes within the time; false with *ret_timeout or after a complaint. */
static bool read_more(struct client *client, int timeout_ms, bool *ret_timeout)
{
    uint8_t *room = buffer_reserve(&client->input, READ_SIZE);
    CHECK(room != NULL);
    ssize_t n;
    while ((n = stream_receive(&client->stream, room, READ_SIZE)) < 0 &&
           (errno == EINTR || errno == EAGAIN)) {
        *ret_timeout = !wait_for(client, POLLIN, timeout_ms);
        if (*ret_timeout)
            return false;
    }
    if (n > 0) {
        buffer_commit(&client->input, (size_t)n);
        return true;
    }
    complain("lost the connection to %s: %s", client->address,
             n == 0 ? "the gateway closed it" : stream_why(&client->stream, errno));
    return false;
}

static Assent__V1__Frame *take_frame(struct client *client, struct span body)
{
    arena_reset(&client->arena);
    Assent__V1__Frame *frame = frame_decode(body, &client->arena);
    buffer_consume(&client->input, FRAME_HEADER + body.length);
    if (frame == NULL)
        complain("%s does not speak the protocol of Assent", client->address);
    return frame;
}

Assent__V1__Frame *client_receive_within(struct client *client, int timeout_ms, bool *ret_timeout)
{
    *ret_timeout = false;
    if (!client_flush(client))
        return NULL;
    for (;;) {
        struct span body;
        switch (frame_look(buffer_span(&client->input), FRAME_MAX, &body)) {
        case FRAME_WHOLE:
            return take_frame(client, body);
        case FRAME_EMPTY:
        case FRAME_TOO_LONG:
            complain("%s does not speak the protocol of Assent", client->address);
            return NULL;
        case FRAME_MORE:
            break;
        }
        if (!read_more(client, timeout_ms, ret_timeout))
            return NULL;
    }
}

Assent__V1__Frame *client_receive(struct client *client)
{
    bool timeout;
    return client_receive_within(client, -1, &timeout);
}

Assent__V1__Frame *client_call(struct client *client, Assent__V1__Frame *request,
                               Assent__V1__Frame__BodyCase answer)
{
    request->call = client_next_call(client);
    if (!client_send(client, request))
        return NULL;
    Assent__V1__Frame *frame = client_receive(client);
    if (frame == NULL || frame->body_case == answer)
        return frame;
    if (frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE)
        complain("%s: %s", code_name(frame->failure->code), frame->failure->message);
    else
        complain("%s gave an answer that does not fit the call", client->address);
    return NULL;
}

const char *code_name(Assent__V1__Code code)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&assent__v1__code__descriptor, (int)code);
    return value ? value->name + sizeof "CODE_" - 1 : "UNKNOWN";
}

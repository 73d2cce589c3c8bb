/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's side of the adapter: where Redis is, and what is asked of it. store_link.c does the
 * rest. */
#include "consent/store.h"

#include <stdlib.h>

#include "consent/store_internal.h"
#include "proto/base/check.h"
#include "proto/base/hash.h"

#define PASSWORD_MAX 512
#define DEFAULT_PORT "6379"

/* ---- Birth and end ---- */

static bool parse_unix(struct store *store, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (path[0] != '/' || length >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, length + 1);
    memcpy(&store->address, &address, sizeof address);
    store->address_length = sizeof address;
    store->database = check_strdup("");
    return true;
}

static char *copy_range(const char *from, const char *to)
{
    char *copy = check_malloc((size_t)(to - from) + 1);
    memcpy(copy, from, (size_t)(to - from));
    copy[to - from] = '\0';
    return copy;
}

static bool all_digits(const char *text, size_t most)
{
    size_t length = strspn(text, "0123456789");
    return text[length] == '\0' && length <= most;
}

/* HOST, HOST:PORT or [V6]:PORT, then nothing or /DB. */
static bool parse_tcp(struct store *store, const char *at)
{
    bool bracket = *at == '[';
    const char *host = at + bracket;
    const char *end = host + strcspn(host, bracket ? "]" : ":/");
    if (end == host || (bracket && *end != ']'))
        return false;
    store->host = copy_range(host, end);
    at = end + bracket;
    const char *slash = at + strcspn(at, "/");
    if (*at == ':' && slash > at + 1)
        store->port = copy_range(at + 1, slash);
    else if (at == slash)
        store->port = check_strdup(DEFAULT_PORT);
    else
        return false;
    store->database = check_strdup(*slash == '/' ? slash + 1 : "");
    return all_digits(store->port, 5) && all_digits(store->database, 5);
}

static bool parse_url(struct store *store, const char *url)
{
    if (strncmp(url, "unix://", 7) == 0)
        return parse_unix(store, url + 7);
    if (strncmp(url, "redis://", 8) == 0)
        return parse_tcp(store, url + 8);
    return false;
}

static void free_store(struct store *store)
{
    if (store->deadline_timer != NULL)
        event_free(store->deadline_timer);
    if (store->retry_timer != NULL)
        event_free(store->retry_timer);
    if (store->found != NULL)
        freeaddrinfo(store->found);
    store_caps_release(store);
    buffer_release(&store->in);
    buffer_release(&store->out);
    free(store->ring);
    free(store->host);
    free(store->port);
    free(store->database);
    free(store->password);
    free(store->node);
    free(store);
}

struct store *store_new(struct event_base *base, const struct store_config *config,
                        const struct store_handlers *handlers, void *context)
{
    CHECK(config->buckets > 0 && (config->buckets & (config->buckets - 1)) == 0);
    CHECK(strlen(config->node) <= NAME_OCTETS_MAX);
    struct store *store = check_calloc(1, sizeof *store);
    *store = (struct store){.base = base, .handlers = *handlers, .context = context, .fd = -1};
    store->buckets = config->buckets;
    store->has_person_key = config->person_key != NULL;
    if (store->has_person_key)
        memcpy(store->person_key, config->person_key, sizeof store->person_key);
    if (!parse_url(store, config->url) ||
        (config->password != NULL && strlen(config->password) > PASSWORD_MAX)) {
        free_store(store);
        return NULL;
    }
    store->password = config->password ? check_strdup(config->password) : NULL;
    store->node = check_strdup(config->node);
    store_caps_init(store);
    buffer_init(&store->in, STORE_REPLY_MAX + STORE_READ_CHUNK);
    buffer_init(&store->out, STORE_OUTPUT_MAX);
    store->ring = check_calloc(STORE_REQUESTS_MAX, sizeof *store->ring);
    store->backoff_ms = STORE_BACKOFF_MIN_MS;
    rng_secret(&store->rng.state, sizeof store->rng.state);
    store->deadline_timer = evtimer_new(base, store_on_deadline, store);
    store->retry_timer = evtimer_new(base, store_on_retry, store);
    CHECK(store->deadline_timer != NULL && store->retry_timer != NULL);
    CHECK(event_add(store->retry_timer, &(struct timeval){0}) == 0);
    return store;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    store_close_connection(store);
    while (store->count > 0) {
        if (store->ring[store->head].kind == REQUEST_RESOLVE)
            free(store->ring[store->head].resolve);
        store_pop(store);
    }
    free_store(store);
}

/* ---- What the owner asks ---- */

bool store_check(struct store *store, const struct check *check)
{
    CHECK(check->scope_count >= 1 && check->scope_count <= CHECK_SCOPES_MAX);
    CHECK(check->cap_places <= CAP_PLACES_MAX && !(check->need_age && check->need_days));
    bool takes_place = check->cap_places > 0 && !check->cap_looks;
    if (store->state != STORE_UP || store->checks == STORE_CHECKS_MAX ||
        store->marks == STORE_MARKS_MAX || !store_output_has_room(store) ||
        (takes_place && !store_caps_have_room(store)))
        return false;
    struct writer w = store_check_room(store);
    command_check(&w, check, store->buckets);
    store_command_done(store, &w);
    struct request *request = store_push(store, REQUEST_CHECK);
    request->cookie = check->cookie;
    request->count = check->scope_count;
    request->need_opt_in = check->need_opt_in && !check->need_age;
    request->need_age = check->need_age;
    request->need_days = check->need_days;
    request->replies = (uint8_t)(1 + request->need_opt_in + request->need_age + request->need_days);
    request->takes_place = takes_place;
    if (check->cap_places > 0 && check->cap_looks) {
        request->cap_looks = check->cap_places;
        request->cap_key = cap_key(check->opt_in_scope, check->number);
    }
    if (takes_place)
        store_ask_cap(store, check);
    if (++store->unmarked == STORE_MARKED_CHECKS)
        store_mark(store);
    return true;
}

bool store_write(struct store *store, const struct consent_write *write)
{
    if (store->state != STORE_UP || !store_has_room(store))
        return false;
    store_join_batch(store, write);
    return true;
}

bool store_lookup(struct store *store, uint64_t cookie, uint64_t number, const uint16_t *scopes,
                  uint8_t scope_count, uint16_t opt_in_scope)
{
    CHECK(scope_count >= 1 && scope_count <= CHECK_SCOPES_MAX);
    if (store->state != STORE_UP || !store_has_room(store))
        return false;
    struct writer w = store_command_room(store);
    command_lookup(&w, number, scopes, scope_count, opt_in_scope, store->buckets);
    store_put_mark(&w);
    store_command_done(store, &w);
    struct request *request = store_push(store, REQUEST_LOOKUP);
    request->cookie = cookie;
    request->count = scope_count;
    return true;
}

/* The first number tried is the same on every gateway. */
static uint16_t first_candidate(const char *name)
{
    static const struct hash_key no_key = {0, 0};
    return (uint16_t)(SCOPES_RESERVED +
                      hash64(&no_key, name, strlen(name)) % (SCOPE_MAX + 1 - SCOPES_RESERVED));
}

bool store_resolve_scope(struct store *store, uint64_t cookie, const char *name)
{
    size_t length = strlen(name);
    CHECK(length > 0 && length < sizeof((struct consent_write *)0)->name);
    if (store->state != STORE_UP || store->resolves == STORE_OTHERS_MAX || !store_has_room(store))
        return false;
    struct resolve *resolve = check_malloc(sizeof *resolve + length + 1);
    *resolve = (struct resolve){.cookie = cookie, .candidate = first_candidate(name)};
    memcpy(resolve->name, name, length + 1);
    store->resolves++;
    store_ask_scope(store, resolve);
    return true;
}

bool store_is_up(const struct store *store)
{
    return store->state == STORE_UP;
}

const char *store_warnings(const struct store *store)
{
    return store->warnings;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a Redis before the first check, one question at a time, as a table: who it is
 * (a replica is never asked about consent), that its buckets are ours, what it may lose, which server it is,
 * and how far this node's writes have come. A step asks nothing when it does not apply. */
#include "consent/store_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/hash.h"

#define BUCKETS_KEY "assent:buckets"

struct step {
    bool (*ask)(struct store *store, struct writer *w);                /* false: passed over */
    bool (*take)(struct store *store, const struct resp_reply *reply); /* false: lost by it */
    bool error_passes; /* `take` deals with error replies */
};

/* At most 31 octets of a string of Redis, for a sentence. */
struct word {
    char text[32];
};

static struct word word_of(struct span span)
{
    struct word word = {0};
    for (size_t i = 0; i < span.length && i + 1 < sizeof word.text; i++)
        word.text[i] = span.data[i] >= 0x20 && span.data[i] < 0x7f ? (char)span.data[i] : '?';
    return word;
}

static bool refuse(struct store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(struct store *store, const char *format, ...)
{
    char why[STORE_WHY_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    store_lose(store, why);
    return false;
}

static void warn(struct store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void warn(struct store *store, const char *format, ...)
{
    size_t used = strlen(store->warnings), left = sizeof store->warnings - used;
    if (left < 4)
        return;
    if (used > 0) {
        memcpy(store->warnings + used, "; ", 3);
        used += 2;
        left -= 2;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(store->warnings + used, left, format, arguments);
    va_end(arguments);
}

bool store_parse_u64(struct span text, uint64_t *ret_value)
{
    if (text.length == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned digit = text.data[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

static bool ask_auth(struct store *store, struct writer *w)
{
    if (store->password != NULL)
        command_words(w, (const char *const[]){"AUTH", store->password, NULL});
    return store->password != NULL;
}

static bool ask_select(struct store *store, struct writer *w)
{
    if (store->database[0] != '\0')
        command_words(w, (const char *const[]){"SELECT", store->database, NULL});
    return store->database[0] != '\0';
}

static bool take_ok(struct store *store, const struct resp_reply *reply)
{
    if (reply->values[0].type != RESP_STATUS || !resp_text_is(&reply->values[0], "OK"))
        return refuse(store, "Redis did not answer OK");
    return true;
}

static bool ask_role(struct store *store, struct writer *w)
{
    (void)store;
    command_words(w, (const char *const[]){"ROLE", NULL});
    return true;
}

static bool take_role(struct store *store, const struct resp_reply *reply)
{
    if (reply->count < 2 || reply->values[0].type != RESP_ARRAY ||
        reply->values[1].type != RESP_STRING)
        return refuse(store, "Redis did not tell its role");
    if (!resp_text_is(&reply->values[1], "master"))
        return refuse(store, "READONLY replica: consent is never read from one");
    return true;
}

static bool ask_buckets(struct store *store, struct writer *w)
{
    if (!store->buckets_known)
        command_words(w, (const char *const[]){"GET", BUCKETS_KEY, NULL});
    return !store->buckets_known;
}

/* No count yet is an answer too: the next steps write ours and read again who was first. */
static bool take_buckets(struct store *store, const struct resp_reply *reply)
{
    if (reply->values[0].type == RESP_NIL)
        return true;
    uint64_t buckets;
    if (reply->values[0].type != RESP_STRING || !store_parse_u64(reply->values[0].text, &buckets))
        return refuse(store, "%s in Redis is not a number", BUCKETS_KEY);
    if (buckets != store->buckets)
        return refuse(store, "bucket count %" PRIu64 " in Redis, %" PRIu32 " configured", buckets,
                      store->buckets);
    store->buckets_known = true;
    return true;
}

static bool ask_set_buckets(struct store *store, struct writer *w)
{
    char text[16];
    snprintf(text, sizeof text, "%" PRIu32, store->buckets);
    if (!store->buckets_known)
        command_words(w, (const char *const[]){"SET", BUCKETS_KEY, text, "NX", NULL});
    return !store->buckets_known;
}

static bool take_set(struct store *store, const struct resp_reply *reply)
{
    return reply->values[0].type == RESP_NIL || take_ok(store, reply);
}

static bool take_buckets_again(struct store *store, const struct resp_reply *reply)
{
    if (!take_buckets(store, reply))
        return false;
    return store->buckets_known || refuse(store, "%s does not stay in Redis", BUCKETS_KEY);
}

/* The value of CONFIG GET, or a warning that it cannot be known. */
static bool config_value(struct store *store, const struct resp_reply *reply, const char *name,
                         struct span *ret_value)
{
    if (reply->count == 3 && reply->values[0].type == RESP_ARRAY &&
        reply->values[2].type == RESP_STRING) {
        *ret_value = reply->values[2].text;
        return true;
    }
    warn(store, "cannot check %s of Redis", name);
    return false;
}

static bool ask_policy(struct store *store, struct writer *w)
{
    (void)store;
    command_words(w, (const char *const[]){"CONFIG", "GET", "maxmemory-policy", NULL});
    return true;
}

/* It evicts only what fills it: without maxmemory the policy is a warning. */
static bool take_policy(struct store *store, const struct resp_reply *reply)
{
    struct span value;
    store->may_evict[0] = '\0';
    if (config_value(store, reply, "maxmemory-policy", &value) &&
        !span_equal(value, span_from_string("noeviction")))
        snprintf(store->may_evict, sizeof store->may_evict, "%s", word_of(value).text);
    return true;
}

static bool ask_maxmemory(struct store *store, struct writer *w)
{
    if (store->may_evict[0] != '\0')
        command_words(w, (const char *const[]){"CONFIG", "GET", "maxmemory", NULL});
    return store->may_evict[0] != '\0';
}

static bool take_maxmemory(struct store *store, const struct resp_reply *reply)
{
    struct span value;
    if (config_value(store, reply, "maxmemory", &value) &&
        !span_equal(value, span_from_string("0")))
        return refuse(store, "Redis may evict opt-outs: maxmemory-policy is %s, set noeviction",
                      store->may_evict);
    warn(store,
         "Redis would evict opt-outs if it had a maxmemory: maxmemory-policy is %s, set "
         "noeviction",
         store->may_evict);
    return true;
}

static bool ask_appendonly(struct store *store, struct writer *w)
{
    (void)store;
    command_words(w, (const char *const[]){"CONFIG", "GET", "appendonly", NULL});
    return true;
}

static bool take_appendonly(struct store *store, const struct resp_reply *reply)
{
    struct span value;
    if (config_value(store, reply, "appendonly", &value) &&
        !span_equal(value, span_from_string("yes")))
        warn(store, "Redis keeps no append-only file and forgets at a crash: set appendonly yes");
    return true;
}

static bool ask_save(struct store *store, struct writer *w)
{
    (void)store;
    command_words(w, (const char *const[]){"CONFIG", "GET", "save", NULL});
    return true;
}

/* Snapshots alone lose minutes; without either everything is lost. Only then it adds something. */
static bool take_save(struct store *store, const struct resp_reply *reply)
{
    struct span value;
    if (config_value(store, reply, "save", &value) && value.length == 0 &&
        strstr(store->warnings, "append-only") != NULL)
        warn(store, "Redis makes no snapshots either: it starts empty");
    return true;
}

static bool ask_intset(struct store *store, struct writer *w)
{
    (void)store;
    command_words(w, (const char *const[]){"CONFIG", "GET", "set-max-intset-entries", NULL});
    return true;
}

static bool take_intset(struct store *store, const struct resp_reply *reply)
{
    struct span value;
    uint64_t entries;
    if (config_value(store, reply, "set-max-intset-entries", &value) &&
        (!store_parse_u64(value, &entries) || entries < STORE_INTSET_MIN))
        warn(store, "set-max-intset-entries is %s, the sets take several times the memory: set %d",
             word_of(value).text, STORE_INTSET_MIN);
    return true;
}

static bool ask_info(struct store *store, struct writer *w)
{
    store->instance = 0;
    command_words(w, (const char *const[]){"INFO", "server", NULL});
    return true;
}

static bool ask_replication(struct store *store, struct writer *w)
{
    (void)store;
    command_words(w, (const char *const[]){"INFO", "replication", NULL});
    return true;
}

/* The value of "name:value" in a text of lines; empty when there is none. */
static struct span info_field(struct span text, const char *name)
{
    size_t length = strlen(name);
    for (size_t at = 0; at + length < text.length; at++) {
        bool begins = at == 0 || text.data[at - 1] == '\n';
        if (!begins || memcmp(text.data + at, name, length) != 0)
            continue;
        size_t end = at += length;
        while (end < text.length && text.data[end] != '\r' && text.data[end] != '\n')
            end++;
        return span_of(text.data + at, end - at);
    }
    return span_of(text.data, 0);
}

/* A server that does not tell who it is counts as another one at each connection. */
static bool take_instance(struct store *store, const struct resp_reply *reply, const char *field)
{
    struct span id = {0};
    if (reply->values[0].type == RESP_STRING)
        id = info_field(reply->values[0].text, field);
    struct hash_key key = {.k0 = store->instance};
    store->instance = id.length > 0 ? hash64(&key, id.data, id.length) : rng_next(&store->rng);
    return true;
}

static bool take_info(struct store *store, const struct resp_reply *reply)
{
    return take_instance(store, reply, "run_id:");
}

static bool take_replication(struct store *store, const struct resp_reply *reply)
{
    return take_instance(store, reply, "master_replid:");
}

static bool ask_rebuilding(struct store *store, struct writer *w)
{
    (void)store;
    command_words(w, (const char *const[]){"EXISTS", STORE_REBUILDING_KEY, NULL});
    return true;
}

static bool take_rebuilding(struct store *store, const struct resp_reply *reply)
{
    if (reply->values[0].type == RESP_INTEGER && reply->values[0].integer == 0)
        return true;
    return refuse(store, "the consent sets are being rebuilt, or that was broken off: "
                         "`assent consent rebuild` brings it to its end");
}

/* Who comes to an empty Redis brings its key, so that one that lost everything has the same again. */
static bool ask_set_person_key(struct store *store, struct writer *w)
{
    char text[2 * PERSON_KEY_SIZE + 1];
    for (size_t i = 0; i < PERSON_KEY_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", store->person_key[i]);
    if (store->has_person_key)
        command_words(w, (const char *const[]){"SET", STORE_PERSON_KEY, text, "NX", NULL});
    explicit_bzero(text, sizeof text);
    return store->has_person_key;
}

static bool ask_person_key(struct store *store, struct writer *w)
{
    if (store->has_person_key)
        command_words(w, (const char *const[]){"GET", STORE_PERSON_KEY, NULL});
    return store->has_person_key;
}

static bool hex_digit(uint8_t c, uint8_t *ret_value)
{
    *ret_value = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool take_person_key(struct store *store, const struct resp_reply *reply)
{
    uint8_t key[PERSON_KEY_SIZE], high, low;
    struct span text = reply->values[0].text;
    bool good = reply->values[0].type == RESP_STRING && text.length == 2 * sizeof key;
    for (size_t i = 0; good && i < sizeof key; i++) {
        good = hex_digit(text.data[2 * i], &high) && hex_digit(text.data[2 * i + 1], &low);
        key[i] = good ? (uint8_t)(high << 4 | low) : 0;
    }
    if (!good)
        return refuse(store, "%s in Redis is not understood", STORE_PERSON_KEY);
    if (store->handlers.keyed(store->context, key)) {
        memcpy(store->person_key, key, sizeof key);
        return true;
    }
    return refuse(store,
                  "the fingerprints of erased people in Redis have another key than this gateway: "
                  "copy person.key from the data_dir of one that is up; see deploy/README.md");
}

static bool take_mark(struct store *store, const struct resp_reply *reply)
{
    return reply->values[0].type == RESP_NIL ||
           (reply->values[0].type == RESP_STRING &&
            store_mark_learn(store, reply->values[0].text)) ||
           refuse(store, "assent:incarnation in Redis is not understood");
}

static bool take_mark_again(struct store *store, const struct resp_reply *reply)
{
    if (!take_mark(store, reply))
        return false;
    return store->mark[0] != '\0' || refuse(store, "assent:incarnation does not stay in Redis");
}

static bool ask_applied(struct store *store, struct writer *w)
{
    command_words(w, (const char *const[]){"HGET", "assent:applied", store->node, NULL});
    return true;
}

static bool take_applied(struct store *store, const struct resp_reply *reply)
{
    store->applied = 0;
    if (reply->values[0].type == RESP_NIL)
        return true;
    if (reply->values[0].type != RESP_STRING ||
        !position_parse(reply->values[0].text, store->mark, &store->applied))
        return refuse(store, "assent:applied of %s in Redis is not understood", store->node);
    return true;
}

static const struct step steps[] = {
    {.ask = ask_auth, .take = take_ok},
    {.ask = ask_select, .take = take_ok},
    {.ask = ask_role, .take = take_role},
    {.ask = ask_buckets, .take = take_buckets},
    {.ask = ask_set_buckets, .take = take_set},
    {.ask = ask_buckets, .take = take_buckets_again},
    {.ask = ask_policy, .take = take_policy, .error_passes = true},
    {.ask = ask_maxmemory, .take = take_maxmemory, .error_passes = true},
    {.ask = ask_appendonly, .take = take_appendonly, .error_passes = true},
    {.ask = ask_save, .take = take_save, .error_passes = true},
    {.ask = ask_intset, .take = take_intset, .error_passes = true},
    {.ask = ask_info, .take = take_info, .error_passes = true},
    {.ask = ask_replication, .take = take_replication, .error_passes = true},
    {.ask = ask_rebuilding, .take = take_rebuilding},
    {.ask = store_ask_mark, .take = take_mark},
    {.ask = store_ask_set_mark, .take = take_set},
    {.ask = store_ask_mark, .take = take_mark_again},
    {.ask = ask_set_person_key, .take = take_set},
    {.ask = ask_person_key, .take = take_person_key},
    {.ask = ask_applied, .take = take_applied},
};
#define STEP_COUNT (sizeof steps / sizeof *steps)

static void ask_next(struct store *store)
{
    for (; store->greeting < STEP_COUNT; store->greeting++) {
        struct writer w = store_command_room(store);
        if (!steps[store->greeting].ask(store, &w))
            continue;
        store_command_done(store, &w);
        store_push(store, REQUEST_GREETING);
        store_flush(store);
        return;
    }
    store_caps_greet(store);
}

void store_greet(struct store *store)
{
    store->greeting = 0;
    store->buckets_known = false;
    store->warnings[0] = '\0';
    store->history = 0;
    store->mark[0] = '\0';
    ask_next(store);
}

void store_take_greeting(struct store *store, const struct resp_reply *reply)
{
    const struct step *step = &steps[store->greeting];
    if (reply->values[0].type == RESP_ERROR && !step->error_passes) {
        store_lose_to_error(store, reply->values[0].text);
        return;
    }
    if (!step->take(store, reply))
        return;
    store->greeting++;
    ask_next(store);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A beat: this gateway says that it runs and looks at the others, in one MULTI, so that a look is one
 * instant. With the server's ids the mark is the history (store_mark.c). Another mark on a living connection,
 * or a position below what was acknowledged on it, means that Redis has lost writes: the connection ends, and
 * all that was asked with it. */
#include "consent/store_internal.h"

#include <string.h>

#include "proto/base/check.h"

#define NODES_KEY   "assent:nodes"
#define APPLIED_KEY "assent:applied"

/* ---- asking ---- */

static unsigned put_node(struct writer *w, const char *name, const struct node_fact *fact)
{
    char value[NODE_VALUE_MAX];
    node_format(fact, value);
    command_words(w, (const char *const[]){"HSET", NODES_KEY, name, value, NULL});
    return 1;
}

static unsigned put_clear(struct writer *w, const char *name)
{
    command_words(w, (const char *const[]){"HDEL", NODES_KEY, name, NULL});
    command_words(w, (const char *const[]){"HDEL", APPLIED_KEY, name, NULL});
    return 2;
}

static unsigned put_look(struct writer *w)
{
    command_words(w, (const char *const[]){"HGETALL", NODES_KEY, NULL});
    command_words(w, (const char *const[]){"HGETALL", APPLIED_KEY, NULL});
    return 2;
}

bool store_beat(struct store *store, const struct beat *beat)
{
    if (store->state != STORE_UP || !store_has_room(store))
        return false;
    struct node_fact gone = {.state = NODE_GONE, .beat = 1, .confirmed = store->history};
    struct writer w = store_command_room(store);
    command_words(&w, (const char *const[]){"MULTI", NULL});
    store_put_mark(&w);
    command_words(&w, (const char *const[]){"HGET", NODES_KEY, store->node, NULL});
    unsigned commands = 2;
    if (beat->joins)
        commands += put_node(&w, store->node, &beat->self);
    if (beat->forget[0] != '\0')
        commands += put_node(&w, beat->forget, &gone);
    if (beat->clear[0] != '\0')
        commands += put_clear(&w, beat->clear);
    commands += put_look(&w);
    command_words(&w, (const char *const[]){"EXEC", NULL});
    store_command_done(store, &w);
    store_push(store, REQUEST_BEAT)->count = (uint8_t)commands;
    return true;
}

/* ---- the look ---- */

/* Walks the values of a reply in order. */
struct walk {
    const struct resp_reply *reply;
    size_t at;
};

static const struct resp_value *next(struct walk *walk)
{
    return walk->at < walk->reply->count ? &walk->reply->values[walk->at++] : NULL;
}

/* The number of pairs of the array that comes next, or -1. */
static int next_pairs(struct walk *walk)
{
    const struct resp_value *value = next(walk);
    if (value == NULL || value->type != RESP_ARRAY || value->integer % 2 != 0)
        return -1;
    return (int)(value->integer / 2);
}

static bool next_pair(struct walk *walk, struct span *ret_name, struct span *ret_value)
{
    const struct resp_value *name = next(walk), *value = next(walk);
    if (name == NULL || value == NULL || name->type != RESP_STRING || value->type != RESP_STRING)
        return false;
    *ret_name = name->text;
    *ret_value = value->text;
    return true;
}

static bool take_name(struct span name, char out[NAME_OCTETS_MAX + 1])
{
    if (name.length == 0 || name.length > NAME_OCTETS_MAX || memchr(name.data, '\0', name.length))
        return false;
    memcpy(out, name.data, name.length);
    out[name.length] = '\0';
    return true;
}

/* What is no node is passed over: somebody else's field must not hold the gate closed. */
static bool take_nodes(const struct store *store, struct walk *walk, struct nodes_look *look)
{
    int pairs = next_pairs(walk);
    if (pairs < 0 || pairs > NODES_LOOK_MAX)
        return false;
    while (pairs-- > 0) {
        struct span name, value;
        if (!next_pair(walk, &name, &value))
            return false;
        struct node_fact *fact = &look->others[look->count];
        *fact = (struct node_fact){0};
        if (take_name(name, fact->name) && node_parse(value, fact) &&
            strcmp(fact->name, store->node) != 0)
            look->count++;
    }
    return true;
}

static struct node_fact *find(const struct store *store, struct nodes_look *look, struct span name)
{
    if (span_equal(name, span_from_string(store->node)))
        return &look->self;
    for (uint8_t i = 0; i < look->count; i++)
        if (span_equal(name, span_from_string(look->others[i].name)))
            return &look->others[i];
    return NULL;
}

static bool take_applied(const struct store *store, struct walk *walk, struct nodes_look *look)
{
    int pairs = next_pairs(walk);
    if (pairs < 0)
        return false;
    while (pairs-- > 0) {
        struct span name, value;
        if (!next_pair(walk, &name, &value))
            return false;
        struct node_fact *fact = find(store, look, name);
        if (fact != NULL && !position_parse(value, store->mark, &fact->applied))
            return false;
    }
    return true;
}

/* EXEC's array: the mark, HGET self, what was written, HGETALL nodes, HGETALL applied. */
static bool read_look(const struct store *store, const struct request *request,
                      const struct resp_reply *reply, struct nodes_look *look, bool *ret_emptied)
{
    struct walk walk = {.reply = reply};
    const struct resp_value *array = next(&walk);
    if (array->type != RESP_ARRAY || array->integer != request->count || reply->count < 3)
        return false;
    const struct resp_value *mark = next(&walk), *self = next(&walk);
    *ret_emptied = !store_mark_stands(store, mark);
    look->history = store->history;
    if (self->type == RESP_STRING)
        (void)node_parse(self->text, &look->self);
    for (unsigned i = 4; i < request->count; i++)
        (void)next(&walk); /* HSET, HDEL: a number each */
    return take_nodes(store, &walk, look) && take_applied(store, &walk, look) &&
           walk.at == reply->count;
}

static const char *lost_writes(struct store *store, const struct nodes_look *look, bool emptied)
{
    if (emptied)
        return STORE_EMPTIED;
    if (look->self.applied < store->applied) {
        store->renew = true;
        return "Redis has lost writes that it had acknowledged";
    }
    return NULL;
}

static bool is_word(const struct resp_reply *reply, const char *word)
{
    return reply->values[0].type == RESP_STATUS && resp_text_is(&reply->values[0], word);
}

void store_take_beat(struct store *store, const struct request *request,
                     const struct resp_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        if (reply->values[i].type == RESP_ERROR) {
            store_lose_to_error(store, reply->values[i].text);
            return;
        }
    struct nodes_look look = {0};
    if (store->answer.step <= request->count) {
        if (is_word(reply, store->answer.step == 0 ? "OK" : "QUEUED"))
            store->answer.step++;
        else
            store_lose(store, "Redis gave an answer that was not understood");
        return;
    }
    bool emptied = false;
    if (!read_look(store, request, reply, &look, &emptied)) {
        store_lose(store, "assent:nodes in Redis is not understood");
        return;
    }
    const char *why = lost_writes(store, &look, emptied);
    if (why != NULL) {
        store_lose(store, why);
        return;
    }
    store_pop(store);
    store_deliver(store);
    store->handlers.beaten(store->context, &look);
}

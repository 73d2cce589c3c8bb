/* SPDX-License-Identifier: Apache-2.0 */
/* What happens at most once in its time over all gateways: SET with NX and a time-to-live decides who is
 * first. The key is lost with a Redis that loses writes, which costs one more text, never less. */
#include "consent/store_internal.h"

#include "proto/base/check.h"

bool store_once(struct store *store, const struct once *once)
{
    if (store->state != STORE_UP || !store_has_room(store))
        return false;
    struct writer w = store_command_room(store);
    command_once(&w, once, store->node, store->buckets);
    store_put_mark(&w);
    store_command_done(store, &w);
    store_push(store, REQUEST_ONCE)->cookie = once->cookie;
    return true;
}

/* The first reply says whether the key was set now, the second by whom it stands. */
static bool read_once_reply(struct answer *a, const struct store *store,
                            const struct resp_value *value)
{
    if (a->step == 0) {
        a->added = value->type == RESP_STATUS && resp_text_is(value, "OK");
        a->once = a->added ? ONCE_OURS : ONCE_TAKEN; /* also where it has just expired */
        return a->added || value->type == RESP_NIL;
    }
    bool holder = value->type == RESP_STRING;
    if (!a->added && holder && resp_text_is(value, store->node))
        a->once = ONCE_KEPT;
    return holder || value->type == RESP_NIL;
}

/* And the third that it is the same data. */
void store_take_once(struct store *store, const struct request *request,
                     const struct resp_reply *reply)
{
    const struct resp_value *value = &reply->values[0];
    struct answer *a = &store->answer;
    if (value->type == RESP_ERROR) {
        store_lose_to_error(store, value->text);
        return;
    }
    if (a->step == 2 && !store_mark_stands(store, value)) {
        store_lose(store, STORE_EMPTIED);
        return;
    }
    if (a->step < 2 && !read_once_reply(a, store, value)) {
        store_lose(store, "Redis gave an answer that was not understood");
        return;
    }
    if (a->step++ < 2)
        return;
    uint64_t cookie = request->cookie;
    enum once_answer answer = a->once;
    store_pop(store);
    store_deliver(store);
    store->handlers.once_answered(store->context, cookie, answer);
}

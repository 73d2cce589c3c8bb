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
    store_command_done(store, &w);
    store_push(store, REQUEST_ONCE)->cookie = once->cookie;
    return true;
}

/* The first reply says whether the key was set now, the second by whom it stands. */
void store_take_once(struct store *store, const struct request *request,
                     const struct resp_reply *reply)
{
    const struct resp_value *value = &reply->values[0];
    struct answer *a = &store->answer;
    if (value->type == RESP_ERROR) {
        store_lose_to_error(store, value->text);
        return;
    }
    bool set = a->step == 0 && value->type == RESP_STATUS && resp_text_is(value, "OK");
    bool holder = a->step == 1 && value->type == RESP_STRING;
    if (!set && !holder && value->type != RESP_NIL) {
        store_lose(store, "Redis gave an answer that was not understood");
        return;
    }
    if (a->step++ == 0) {
        a->added = set;
        return;
    }
    enum once_answer answer =
        ONCE_TAKEN; /* also where it has just expired: the next to ask has it */
    if (a->added)
        answer = ONCE_OURS;
    else if (holder && resp_text_is(value, store->node))
        answer = ONCE_KEPT;
    uint64_t cookie = request->cookie;
    store_pop(store);
    store_deliver(store);
    store->handlers.once_answered(store->context, cookie, answer);
}

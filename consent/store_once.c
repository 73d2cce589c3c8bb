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

void store_take_once(struct store *store, const struct request *request,
                     const struct resp_reply *reply)
{
    const struct resp_value *value = &reply->values[0];
    if (value->type == RESP_ERROR) {
        store_lose_to_error(store, value->text);
        return;
    }
    bool ours = value->type == RESP_STATUS && resp_text_is(value, "OK");
    if (!ours && value->type != RESP_NIL) {
        store_lose(store, "Redis gave an answer that was not understood");
        return;
    }
    uint64_t cookie = request->cookie;
    store_pop(store);
    store_deliver(store);
    store->handlers.once_answered(store->context, cookie, ours ? ONCE_OURS : ONCE_TAKEN);
}

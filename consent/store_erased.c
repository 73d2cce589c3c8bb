/* SPDX-License-Identifier: Apache-2.0 */
/* Reading who was erased by the gateways on this Redis, a page at a time. */
#include "consent/store_internal.h"

#include "proto/base/check.h"

bool store_erased(struct store *store, uint64_t from)
{
    if (store->state != STORE_UP || !store_has_room(store))
        return false;
    struct writer w = store_command_room(store);
    command_erased(&w, from, store->buckets);
    store_command_done(store, &w);
    store_push(store, REQUEST_ERASED);
    return true;
}

/* What is no such text is counted, and passed over: somebody else's must not hold the gate closed. */
static bool read_page(const struct resp_reply *reply, struct erased_page *page)
{
    const struct resp_value *v = reply->values;
    if (v->type != RESP_ARRAY || v->integer < 1 || v->integer % 2 == 0 ||
        (size_t)v->integer + 1 != reply->count || v->integer > 1 + 2 * ERASED_READ ||
        v[1].type != RESP_INTEGER || v[1].integer < 0)
        return false;
    page->total = (uint64_t)v[1].integer;
    page->read = (size_t)v->integer / 2;
    for (size_t i = 0; i < page->read; i++) {
        const struct resp_value *text = &v[2 + 2 * i], *kept = text + 1;
        if (text->type != RESP_STRING || kept->type != RESP_INTEGER)
            return false;
        if (!erased_parse(text->text, &page->facts[page->count]))
            continue;
        page->facts[page->count++].kept = kept->integer == 1;
    }
    return true;
}

void store_take_erased(struct store *store, const struct resp_reply *reply)
{
    struct erased_page page = {.total = 0};
    if (reply->values->type == RESP_ERROR) {
        store_lose_to_error(store, reply->values->text);
        return;
    }
    if (!read_page(reply, &page)) {
        store_lose(store, STORE_ERASED_KEY " in Redis is not understood");
        return;
    }
    store_pop(store);
    store_deliver(store);
    store->handlers.erased(store->context, &page);
}

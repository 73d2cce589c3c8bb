/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the notices of other gateways: XRANGE from where the last reading ended. A connection begins with
 * all that is there: what came while it was away counts too, and a notice may be read twice. */
#include "consent/store_internal.h"

#include "consent/notice.h"
#include "proto/base/check.h"

bool store_notices(struct store *store)
{
    if (store->state != STORE_UP || !store_has_room(store))
        return false;
    struct writer w = store_command_room(store);
    command_notices(&w, store->notice_id);
    store_command_done(store, &w);
    store_push(store, REQUEST_NOTICES);
    store->caps.behind = true;
    return true;
}

bool store_is_entry(const struct resp_value *v)
{
    return v[0].type == RESP_ARRAY && v[0].integer == 2 && v[1].type == RESP_STRING &&
           v[1].text.length > 0 && v[1].text.length < STORE_ENTRY_ID_SIZE &&
           v[2].type == RESP_ARRAY && v[2].integer == 2 && v[3].type == RESP_STRING &&
           v[4].type == RESP_STRING;
}

bool store_count_entries(const struct resp_reply *reply, size_t most, size_t *ret_entries)
{
    const struct resp_value *v = reply->values;
    *ret_entries = 0;
    if (v->type != RESP_ARRAY || v->integer < 0 || (uint64_t)v->integer > most ||
        reply->count != 1 + (size_t)v->integer * STORE_ENTRY_VALUES)
        return false;
    *ret_entries = (size_t)v->integer;
    return true;
}

/* Ours, and what is no notice, are passed over. */
static bool take_notice(const struct store *store, const struct resp_value *v, struct notice *out)
{
    struct span node = v[3].text;
    *out = (struct notice){.sequence = 0};
    if (resp_text_is(&v[3], store->node) || node.length == 0 || node.length > NAME_OCTETS_MAX ||
        memchr(node.data, '\0', node.length) != NULL)
        return false;
    memcpy(out->node, node.data, node.length);
    return notice_parse(v[4].text, out);
}

void store_take_notices(struct store *store, const struct resp_reply *reply)
{
    const struct resp_value *v = reply->values;
    if (v->type == RESP_ERROR) {
        store_lose_to_error(store, v->text);
        return;
    }
    size_t entries, count = 0;
    bool well_formed = store_count_entries(reply, NOTICES_READ, &entries);
    struct notice notices[NOTICES_READ];
    for (size_t i = 0; i < entries && well_formed; i++) {
        const struct resp_value *entry = &v[1 + i * STORE_ENTRY_VALUES];
        well_formed = store_is_entry(entry);
        if (well_formed && take_notice(store, entry, &notices[count]))
            count++;
    }
    if (!well_formed) {
        store_lose(store, "assent:notices in Redis is not understood");
        return;
    }
    if (entries > 0) {
        struct span id = v[2 + (entries - 1) * STORE_ENTRY_VALUES].text;
        memcpy(store->notice_id, id.data, id.length);
        store->notice_id[id.length] = '\0';
    }
    store_pop(store);
    store_deliver(store);
    store->handlers.noticed(store->context, notices, count, entries == NOTICES_READ);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The mark: a random word that stands in Redis beside the sets and goes when they go. It is read at the
 * handshake, and again behind each batch of checks, inside each batch of writes and with all else that is asked
 * of somebody's consent, so that nothing is believed that a Redis said after it had been emptied under a living
 * connection: checks keep their results back until the mark behind them is the one that was there when the
 * connection began. A position in assent:applied names the mark it was written under, and counts beside that one
 * alone. */
#include "consent/store_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/check.h"

#define MARK_KEY "assent:incarnation"

/* ---- at the handshake ---- */

/* A new one stands for other data: so a Redis that lost writes gets one, though it looks as before. */
bool store_ask_mark(struct store *store, struct writer *w)
{
    if (store->mark[0] != '\0' || store->renew)
        return false;
    command_words(w, (const char *const[]){"GET", MARK_KEY, NULL});
    return true;
}

bool store_ask_set_mark(struct store *store, struct writer *w)
{
    char text[20];
    if (store->mark[0] != '\0')
        return false;
    snprintf(text, sizeof text, "%016" PRIx64, rng_next(&store->rng));
    const char *condition = store->renew ? NULL : "NX";
    store->renew = false;
    command_words(w, (const char *const[]){"SET", MARK_KEY, text, condition, NULL});
    return true;
}

bool store_mark_learn(struct store *store, struct span mark)
{
    if (mark.length == 0 || mark.length >= sizeof store->mark ||
        memchr(mark.data, '\0', mark.length) != NULL)
        return false;
    memcpy(store->mark, mark.data, mark.length);
    store->mark[mark.length] = '\0';
    struct hash_key key = {.k0 = store->instance};
    store->history = hash64(&key, mark.data, mark.length) | 1;
    return true;
}

bool store_mark_stands(const struct store *store, const struct resp_value *value)
{
    return value->type == RESP_STRING && resp_text_is(value, store->mark);
}

/* ---- behind checks ---- */

void store_put_mark(struct writer *w)
{
    command_words(w, (const char *const[]){"GET", MARK_KEY, NULL});
}

void store_take_mark(struct store *store, const struct resp_reply *reply)
{
    const struct request *request = &store->ring[store->head];
    bool is_mark = request->count == 0 || store->answer.step == 2; /* behind XADD and PEXPIRE */
    if (!is_mark) {
        if (!store_took_error(store, reply) && !store_take_caps_id(store, reply))
            store_lose(store, STORE_NOT_UNDERSTOOD);
        else if (store->state != STORE_AWAY)
            store->answer.step++;
    } else if (reply->values[0].type == RESP_ERROR) {
        store_lose_to_error(store, reply->values[0].text);
    } else if (!store_mark_stands(store, &reply->values[0])) {
        store_lose(store, STORE_EMPTIED);
    } else {
        store_caps_marked(store, request);
        store_pop(store);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What replies mean. Each request knows how many replies it has and of which type; whatever is not
 * exactly that ends the connection, because from there on nothing can be told apart. */
#include "consent/store_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "consent/pending.h"
#include "proto/base/check.h"

/* Errors that concern the command alone: its request is answered "unknown", the connection stays.
 * All others (LOADING, NOAUTH, READONLY, MASTERDOWN, ...) say that this Redis cannot be asked. */
static bool concerns_command_only(struct span error)
{
    static const char *const words[] = {"WRONGTYPE ", "OOM ", "BUSY "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (error.length >= strlen(words[i]) && memcmp(error.data, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* An integer reply 0 or 1. */
static bool is_bit(const struct resp_value *value)
{
    return value->type == RESP_INTEGER && (value->integer == 0 || value->integer == 1);
}

static bool is_bits(const struct resp_reply *reply, size_t count)
{
    if (reply->values[0].type != RESP_ARRAY || reply->count != count + 1)
        return false;
    for (size_t i = 1; i <= count; i++)
        if (!is_bit(&reply->values[i]))
            return false;
    return true;
}

bool store_took_error(struct store *store, const struct resp_reply *reply)
{
    if (reply->values[0].type != RESP_ERROR)
        return false;
    if (concerns_command_only(reply->values[0].text))
        store->answer.unknown = true;
    else
        store_lose_to_error(store, reply->values[0].text);
    return true;
}

/* A decimal day; nil where none was ever recorded. */
static bool read_day(const struct resp_value *value, uint32_t *ret_day)
{
    uint32_t day = 0;
    if (value->type == RESP_NIL) {
        *ret_day = 0;
        return true;
    }
    if (value->type != RESP_STRING || value->text.length == 0 ||
        value->text.length > CHECK_DAY_DIGITS)
        return false;
    for (size_t i = 0; i < value->text.length; i++) {
        unsigned digit = value->text.data[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        day = day * 10 + digit;
    }
    *ret_day = day;
    return true;
}

static bool read_denials(struct check_result *facts, const struct request *request,
                         const struct resp_reply *reply)
{
    if (!is_bits(reply, request->count))
        return false;
    for (size_t i = 0; i < request->count; i++)
        facts->denied |= (uint8_t)(reply->values[i + 1].integer << i);
    return true;
}

static bool read_opt_in(struct check_result *facts, const struct resp_reply *reply)
{
    facts->opted_in = reply->values[0].integer == 1;
    return is_bit(&reply->values[0]);
}

/* The day of a consent is there while the opt-in is. */
static bool read_age(struct check_result *facts, const struct resp_reply *reply)
{
    bool good = read_day(&reply->values[0], &facts->consent_day);
    facts->opted_in = facts->consent_day != 0;
    return good;
}

static bool read_days(struct check_result *facts, const struct resp_reply *reply)
{
    return reply->values[0].type == RESP_ARRAY && reply->count == 3 &&
           read_day(&reply->values[1], &facts->consent_day) &&
           read_day(&reply->values[2], &facts->reassigned_day);
}

/* The replies of a check come in the order in which command_check() asks. */
static bool read_check(struct answer *a, const struct request *request,
                       const struct resp_reply *reply)
{
    unsigned step = a->step;
    if (step-- == 0)
        return read_denials(&a->facts, request, reply);
    if (request->need_age)
        return read_age(&a->facts, reply);
    if (request->need_opt_in && step-- == 0)
        return read_opt_in(&a->facts, reply);
    return read_days(&a->facts, reply);
}

static void take_check(struct store *store, const struct request *request,
                       const struct resp_reply *reply)
{
    struct answer *a = &store->answer;
    if (store_took_error(store, reply)) {
        if (store->state == STORE_AWAY)
            return;
    } else if (!read_check(a, request, reply)) {
        store_lose(store, STORE_NOT_UNDERSTOOD);
        return;
    }
    if (++a->step < request->replies)
        return;
    struct check_result nothing = {0};
    struct check_result *facts = a->unknown ? &nothing : &a->facts;
    facts->known = !a->unknown;
    facts->cookie = request->cookie;
    if (request->takes_place)
        facts->cap = CAP_OPEN;
    else if (request->cap_looks > 0)
        store_look_at_cap(store, request, facts);
    store_result(store, facts);
    store_pop(store);
}

/* Tells each write of a batch what its commands were answered: those in `reply`, behind the array. */
static void tell_written(struct store *store, const struct write_batch *batch,
                         const struct resp_reply *reply)
{
    const struct resp_value *value = &reply->values[1];
    for (uint16_t i = 0; i < batch->count; i++) {
        bool changed = batch->writes[i].counts && value->integer > 0;
        value += batch->writes[i].commands;
        store->handlers.written(store->context, batch->writes[i].sequence, changed);
    }
}

/* The first command of an opt-out counts what it has added; that of a START says whether it lifted all. */
static bool counts_are_there(const struct write_batch *batch, const struct resp_reply *reply)
{
    size_t at = 1;
    for (uint16_t i = 0; i < batch->count; at += batch->writes[i++].commands)
        if (batch->writes[i].counts && reply->values[at].type != RESP_INTEGER)
            return false;
    return true;
}

/* +OK, +QUEUED for each command, then the array of EXEC. Any error means that nothing of the batch has
 * happened; it comes again from the ledger after the next `up`. */
static void take_write(struct store *store, const struct request *request,
                       const struct resp_reply *reply)
{
    struct answer *a = &store->answer;
    for (size_t i = 0; i < reply->count; i++)
        if (reply->values[i].type == RESP_ERROR) {
            store_lose_to_error(store, reply->values[i].text);
            return;
        }
    const struct write_batch *batch = request->batch;
    unsigned commands = batch->commands + 2u; /* and the position and the mark */
    if (a->step <= commands) {
        const char *word = a->step == 0 ? "OK" : "QUEUED";
        if (reply->values[0].type != RESP_STATUS || !resp_text_is(&reply->values[0], word))
            store_lose(store, STORE_NOT_UNDERSTOOD);
        else
            a->step++;
        return;
    }
    if (reply->values[0].type != RESP_ARRAY || reply->count != 1u + commands ||
        !counts_are_there(batch, reply)) {
        store_lose(store, STORE_NOT_UNDERSTOOD);
        return;
    }
    if (!store_mark_stands(store, &reply->values[commands])) {
        store_lose(store, STORE_EMPTIED);
        return;
    }
    struct write_batch told = *batch;
    store->applied = told.writes[told.count - 1].sequence;
    store_pop(store);
    store_deliver(store); /* checks asked before it are answered before it */
    tell_written(store, &told, reply);
}

/* One of the first three replies of a lookup into the state; false: not understood. */
static bool read_lookup(struct answer *a, const struct request *request,
                        const struct resp_reply *reply)
{
    if (a->step == 0) {
        if (!is_bits(reply, request->count))
            return false;
        for (size_t i = 0; i < request->count; i++)
            a->state.opted_out[i] = reply->values[i + 1].integer == 1;
        return true;
    }
    if (a->step == 1) {
        a->state.opt_in = reply->values[0].integer == 1;
        return is_bit(&reply->values[0]);
    }
    if (reply->values[0].type == RESP_STRING && !pending_parse(reply->values[0].text, &a->state))
        a->unknown = true; /* somebody else's value under our key */
    return reply->values[0].type == RESP_STRING || reply->values[0].type == RESP_NIL;
}

static void take_lookup(struct store *store, const struct request *request,
                        const struct resp_reply *reply)
{
    struct answer *a = &store->answer;
    if (store_took_error(store, reply)) {
        if (store->state == STORE_AWAY)
            return;
    } else if (a->step == 3) {
        if (!store_mark_stands(store, &reply->values[0])) {
            store_lose(store, STORE_EMPTIED);
            return;
        }
    } else if (!read_lookup(a, request, reply)) {
        store_lose(store, STORE_NOT_UNDERSTOOD);
        return;
    }
    if (++a->step < 4)
        return;
    uint64_t cookie = request->cookie;
    struct consent_state state = a->state;
    bool ok = !a->unknown;
    store_pop(store);
    store_deliver(store);
    store->handlers.looked_up(store->context, cookie, ok, &state);
}

static void resolved(struct store *store, struct resolve *resolve, uint16_t number)
{
    uint64_t cookie = resolve->cookie;
    free(resolve);
    store->resolves--;
    store->handlers.scope_resolved(store->context, cookie, number);
}

void store_ask_scope(struct store *store, struct resolve *resolve)
{
    struct writer w = store_command_room(store);
    command_resolve(&w, resolve->candidate, resolve->name);
    store_command_done(store, &w);
    store_push(store, REQUEST_RESOLVE)->resolve = resolve;
}

/* HSETNX has taken the number for this name or left it to whoever has it; HGET says who. */
static void take_resolve(struct store *store, const struct request *request,
                         const struct resp_reply *reply)
{
    const struct resp_value *value = &reply->values[0];
    if (value->type == RESP_ERROR) {
        store_lose_to_error(store, value->text);
        return;
    }
    if (store->answer.step == 0 ? !is_bit(value) : value->type != RESP_STRING) {
        store_lose(store, STORE_NOT_UNDERSTOOD);
        return;
    }
    if (store->answer.step++ == 0)
        return;
    struct resolve *resolve = request->resolve;
    bool ours = resp_text_is(value, resolve->name);
    store_pop(store);
    store_deliver(store);
    if (ours) {
        resolved(store, resolve, resolve->candidate);
    } else if (++resolve->tries == SCOPE_MAX || !store_has_room(store)) {
        resolved(store, resolve, 0);
    } else {
        resolve->candidate =
            resolve->candidate == SCOPE_MAX ? SCOPES_RESERVED : resolve->candidate + 1;
        store_ask_scope(store, resolve);
    }
}

void store_take(struct store *store, const struct resp_reply *reply)
{
    const struct request *request = &store->ring[store->head];
    switch ((enum request_kind)request->kind) {
    case REQUEST_CHECK:
        take_check(store, request, reply);
        return;
    case REQUEST_MARK:
        store_take_mark(store, reply);
        return;
    case REQUEST_WRITE:
        take_write(store, request, reply);
        return;
    case REQUEST_LOOKUP:
        take_lookup(store, request, reply);
        return;
    case REQUEST_RESOLVE:
        take_resolve(store, request, reply);
        return;
    case REQUEST_ONCE:
        store_take_once(store, request, reply);
        return;
    case REQUEST_BEAT:
        store_take_beat(store, request, reply);
        return;
    case REQUEST_NOTICES:
        store_take_notices(store, reply);
        return;
    case REQUEST_CAPS:
        store_take_caps(store, reply);
        return;
    case REQUEST_ERASED:
        store_take_erased(store, reply);
        return;
    case REQUEST_GREETING:
        store_pop(store);
        store_take_greeting(store, reply);
        return;
    }
    CHECK(!"a kind of request that is not one");
}

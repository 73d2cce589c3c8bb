/* SPDX-License-Identifier: Apache-2.0 */
/* Places under caps. Of each batch of checks those that need a place write what they ask for into the log, one XADD,
 * before the mark behind the batch; then the log is read, one XRANGE a turn, and applied up to the batch's own entry,
 * which says who of it has a place. Those results alone wait for that; nothing else does.
 *
 * Invariants
 * - What is applied is the log's beginning, in its order, by its times. A connection goes on where the one before
 *   ended when the data is the same and that entry is still there; else it begins with nothing.
 * - Nobody is up who has not read what was there.
 * - The log ends a longest window after its last entry, and is cut behind one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "consent/store_internal.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "proto/base/words.h"

#define READINGS_MAX 8 /* under way */

void store_caps_init(struct store *store)
{
    struct store_caps *p = &store->caps;
    if (!store->has_person_key)
        return;
    p->table = caps_new(CAPS_PLACES_MAX);
    p->batches = check_calloc(STORE_MARKS_MAX, sizeof *p->batches);
    p->waiting = check_calloc(STORE_CHECKS_MAX, sizeof *p->waiting);
}

void store_caps_release(struct store *store)
{
    caps_free(store->caps.table);
    free(store->caps.batches);
    free(store->caps.waiting);
}

/* ---- asking ---- */

bool store_caps_have_room(const struct store *store)
{
    return store->caps.open < STORE_CHECKS_MAX &&
           store->caps.batch_count + store->marks < STORE_MARKS_MAX;
}

void store_ask_cap(struct store *store, const struct check *check)
{
    struct store_caps *p = &store->caps;
    struct cap_request request = {.key = cap_key(check->opt_in_scope, check->number),
                                  .message = check->message,
                                  .window_ms = check->cap_window_ms,
                                  .count = check->cap_places};
    CHECK(p->table != NULL && p->asked_count < CAPS_BATCH);
    caps_prefetch(p->table, request.key); /* so that its page is known when the log is applied */
    cap_write(&request, p->asked + (size_t)p->asked_count++ * CAP_OCTETS);
    if (p->longest_ms < request.window_ms)
        p->longest_ms = request.window_ms;
    p->open++;
}

void store_look_at_cap(const struct store *store, const struct request *request,
                       struct check_result *result)
{
    result->cap_free_ms =
        caps_wait_ms(store->caps.table, request->cap_key, request->cap_looks, clock_wall_ms());
    result->cap = result->cap_free_ms == 0 ? CAP_ROOM : CAP_FULL;
}

unsigned store_put_caps(struct store *store, struct writer *w)
{
    struct store_caps *p = &store->caps;
    unsigned count = p->asked_count;
    if (count == 0)
        return 0;
    uint64_t from_ms = p->known.ms > p->longest_ms ? p->known.ms - p->longest_ms : 0;
    command_add_caps(w, store->node, span_of(p->asked, count * (size_t)CAP_OCTETS), from_ms,
                     p->longest_ms);
    p->asked_count = 0;
    p->behind = true;
    return count;
}

/* ---- their answers ---- */

static bool read_id(struct span text, struct entry_id *ret_id)
{
    if (!take_decimal(&text, UINT64_MAX, &ret_id->ms) || text.length == 0 || *text.data != '-')
        return false;
    text = span_of(text.data + 1, text.length - 1);
    return take_decimal(&text, UINT64_MAX, &ret_id->order) && text.length == 0;
}

static bool is_after(const struct entry_id *id, const struct entry_id *other)
{
    return id->ms != other->ms ? id->ms > other->ms : id->order > other->order;
}

/* XADD, or an error that has been dealt with; then PEXPIRE. */
bool store_take_caps_id(struct store *store, const struct resp_reply *reply)
{
    const struct resp_value *value = &reply->values[0];
    if (store->answer.step > 0)
        return value->type == RESP_INTEGER || store->answer.unknown;
    return value->type == RESP_STRING && read_id(value->text, &store->answer.id);
}

static void decided(struct store *store, const struct check_result *result)
{
    CHECK(store->result_certain == store->result_count);
    store_result(store, result);
    store->result_certain = store->result_count;
}

/* The mark stands behind the batch: whose results do not wait for a place are certain. */
void store_caps_marked(struct store *store, const struct request *mark)
{
    struct store_caps *p = &store->caps;
    size_t kept = store->result_certain, moved = 0;
    for (size_t i = store->result_certain; i < store->result_count; i++) {
        if (store->results[i].cap != CAP_OPEN) {
            store->results[kept++] = store->results[i];
            continue;
        }
        CHECK(p->waiting_count < STORE_CHECKS_MAX);
        p->waiting[(p->waiting_head + p->waiting_count++) % STORE_CHECKS_MAX] = store->results[i];
        moved++;
    }
    CHECK(moved == mark->count);
    store->result_certain = store->result_count = kept;
    if (moved == 0)
        return;
    CHECK(p->batch_count < STORE_MARKS_MAX);
    p->batches[(p->batch_head + p->batch_count++) % STORE_MARKS_MAX] = (struct cap_batch){
        .id = store->answer.id, .count = mark->count, .refused = store->answer.unknown};
}

static void tell(struct store *store, enum place_answer answer)
{
    struct store_caps *p = &store->caps;
    CHECK(p->waiting_count > 0 && p->open > 0);
    struct check_result result = p->waiting[p->waiting_head];
    p->waiting_head = (p->waiting_head + 1) % STORE_CHECKS_MAX;
    p->waiting_count--;
    p->open--;
    result.cap = answer == PLACE_TAKEN ? CAP_ROOM : CAP_FULL;
    if (answer == PLACE_UNKNOWN || !result.known)
        result = (struct check_result){.cookie = result.cookie};
    decided(store, &result);
}

/* The batches before this entry: the log does not have them. */
static void tell_unknown(struct store *store, const struct entry_id *before)
{
    struct store_caps *p = &store->caps;
    while (p->batch_count > 0) {
        struct cap_batch batch = p->batches[p->batch_head];
        if (!batch.refused && !is_after(before, &batch.id))
            return;
        p->batch_head = (p->batch_head + 1) % STORE_MARKS_MAX;
        p->batch_count--;
        for (unsigned i = 0; i < batch.count; i++)
            tell(store, PLACE_UNKNOWN);
    }
}

/* ---- the log ---- */

static void forget(struct store *store)
{
    struct store_caps *p = &store->caps;
    caps_clear(p->table);
    p->known = (struct entry_id){0};
    p->longest_ms = 0;
    snprintf(p->mark, sizeof p->mark, "%s", store->mark);
}

void store_caps_greet(struct store *store)
{
    struct store_caps *p = &store->caps;
    if (p->table == NULL) {
        store_become_up(store);
        return;
    }
    if (strcmp(p->mark, store->mark) != 0)
        forget(store);
    p->resumes = p->known.ms != 0;
    p->behind = true;
    store_read_caps(store);
}

void store_read_caps(struct store *store)
{
    struct store_caps *p = &store->caps;
    if (p->table == NULL || !p->behind || p->readings == READINGS_MAX ||
        !store_output_has_room(store))
        return;
    char after[STORE_ENTRY_ID_SIZE];
    snprintf(after, sizeof after, "%" PRIu64 "-%" PRIu64, p->known.ms, p->known.order);
    struct writer w = store_command_room(store);
    command_read_caps(&w, after, p->resumes);
    store_command_done(store, &w);
    store_push(store, REQUEST_CAPS);
    p->readings++;
    p->behind = false;
}

/* Entries that are not understood, of other versions, ask for nothing that is counted here. */
static void apply(struct store *store, const struct resp_value *entry)
{
    struct store_caps *p = &store->caps;
    static const struct hash_key no_key = {0, 0};
    struct span node = entry[3].text, batch = entry[4].text;
    uint64_t who = hash64(&no_key, node.data, node.length);
    struct cap_request request;
    int count = caps_in_batch(batch);
    for (int i = 0; i < count; i++)
        if (cap_read(batch, (size_t)i, &request))
            caps_prefetch(p->table, request.key);
    const struct cap_batch *oldest = &p->batches[p->batch_head];
    bool own = p->batch_count > 0 && !oldest->refused && oldest->id.ms == p->known.ms &&
               oldest->id.order == p->known.order && oldest->count == count;
    for (int i = 0; i < count; i++) {
        enum place_answer answer = PLACE_UNKNOWN;
        if (cap_read(batch, (size_t)i, &request)) {
            answer = caps_take(p->table, who, &request, p->known.ms);
            p->longest_ms = p->longest_ms < request.window_ms ? request.window_ms : p->longest_ms;
        }
        if (own)
            tell(store, answer);
    }
    if (own) {
        p->batch_head = (p->batch_head + 1) % STORE_MARKS_MAX;
        p->batch_count--;
    }
}

/* False: not understood. */
static bool apply_entry(struct store *store, const struct resp_value *entry)
{
    struct store_caps *p = &store->caps;
    struct entry_id id;
    if (!store_is_entry(entry) || !read_id(entry[1].text, &id))
        return false;
    if (!is_after(&id, &p->known)) /* the reading before had it too */
        return true;
    tell_unknown(store, &id);
    p->known = id;
    apply(store, entry);
    return true;
}

/* Whether it begins with the last one that was applied. */
static bool goes_on(const struct store *store, const struct resp_value *first, size_t entries)
{
    struct entry_id id;
    return entries > 0 && store_is_entry(first) && read_id(first[1].text, &id) &&
           id.ms == store->caps.known.ms && id.order == store->caps.known.order;
}

/* The marks of all batches that wait were answered before: what has been read to its end has them, or nothing has. */
static const struct entry_id beyond_all = {UINT64_MAX, UINT64_MAX};

void store_take_caps(struct store *store, const struct resp_reply *reply)
{
    struct store_caps *p = &store->caps;
    const struct resp_value *v = reply->values;
    if (v->type == RESP_ERROR) {
        store_lose_to_error(store, v->text);
        return;
    }
    size_t entries, first = 0;
    bool good = store_count_entries(reply, CAPS_READ, &entries);
    bool whole = entries < CAPS_READ;
    if (good && p->resumes) {
        p->resumes = false;
        first = goes_on(store, &v[1], entries);
        if (first == 0) {
            forget(store);
            whole = false;
            entries = 0;
        }
    }
    p->behind |= !whole;
    p->readings--;
    store_pop(store);
    for (size_t i = first; i < entries && good; i++)
        good = apply_entry(store, &v[1 + i * STORE_ENTRY_VALUES]);
    if (good && whole)
        tell_unknown(store, &beyond_all);
    if (!good)
        store_lose(store, "assent:caps in Redis is not understood");
    else if (store->state == STORE_GREETING && whole)
        store_become_up(store);
}

void store_lose_caps(struct store *store)
{
    struct store_caps *p = &store->caps;
    tell_unknown(store, &beyond_all);
    p->open = p->asked_count = 0;
    p->readings = 0;
    p->behind = false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/message.h"

#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/digest.h"

void message_store_init(struct message_store *store)
{
    *store = (struct message_store){0};
    pool_init(&store->pool);
    for (int i = 0; i < MESSAGE_STATES; i++)
        TAILQ_INIT(&store->lists[i]);
    table_init(&store->by_id);
    table_init(&store->by_number);
}

void message_drop(struct message_store *store, struct message *message)
{
    pool_give(&store->pool, message, message_octets(message->text_length));
}

void message_store_release(struct message_store *store)
{
    for (int i = 0; i < MESSAGE_STATES; i++) {
        struct message *message;
        while ((message = TAILQ_FIRST(&store->lists[i])) != NULL) {
            TAILQ_REMOVE(&store->lists[i], message, link);
            message_drop(store, message);
        }
    }
    pool_release(&store->pool);
    table_release(&store->by_id);
    table_release(&store->by_number);
}

struct message *message_new(struct message_store *store, uint64_t number, struct span text)
{
    CHECK(text.length <= TEXT_OCTETS_MAX);
    struct message *message = pool_take(&store->pool, message_octets((uint16_t)text.length));
    *message = (struct message){.number = number, .text_length = (uint16_t)text.length};
    memcpy(message->text, text.data, text.length);
    uint64_t *head = table_put(&store->by_number, number);
    message->next_same_number = (struct message *)(uintptr_t)*head;
    if (message->next_same_number != NULL)
        message->next_same_number->prev_same_number = message;
    *head = (uint64_t)(uintptr_t)message;
    store->octets += message_octets(message->text_length);
    store->counts[MESSAGE_NEW]++;
    TAILQ_INSERT_TAIL(&store->lists[MESSAGE_NEW], message, link);
    return message;
}

struct message *message_alone(uint64_t number, struct span text)
{
    CHECK(text.length <= TEXT_OCTETS_MAX);
    struct message *message = check_calloc(1, message_octets((uint16_t)text.length));
    message->number = number;
    message->text_length = (uint16_t)text.length;
    memcpy(message->text, text.data, text.length);
    return message;
}

void message_alone_free(struct message *message)
{
    if (message != NULL)
        message_wipe(message);
    free(message);
}

void message_set_id(struct message_store *store, struct message *message, uint64_t id)
{
    CHECK(message->id == 0);
    message->id = id;
    uint64_t *slot = table_put(&store->by_id, id);
    CHECK(*slot == 0);
    *slot = (uint64_t)(uintptr_t)message;
}

struct message *message_find(const struct message_store *store, uint64_t id)
{
    return table_find_pointer(&store->by_id, id);
}

struct message *message_first_of_number(const struct message_store *store, uint64_t number)
{
    return table_find_pointer(&store->by_number, number);
}

void message_prefetch_place(const struct message_store *store, uint64_t id)
{
    table_prefetch(&store->by_id, id);
}

void message_prefetch_new(const struct message_store *store, uint64_t id, uint64_t number)
{
    table_prefetch(&store->by_id, id);
    table_prefetch(&store->by_number, number);
}

static void prefetch(const void *at)
{
    if (at != NULL)
        __builtin_prefetch(at, 1);
}

void message_prefetch_around(const struct message_store *store, const struct message *message)
{
    prefetch(message->link.tqe_next);
    prefetch(message->link.tqe_prev);
    prefetch(message->timer.link.le_next);
    prefetch(message->timer.link.le_prev);
    prefetch(message->next_same_number);
    prefetch(message->prev_same_number);
    pool_prefetch(message, message_octets(message->text_length));
    table_prefetch(&store->by_id, message->id);
    table_prefetch(&store->by_number, message->number);
}

static void forget(struct message_store *store, struct message *message)
{
    if (message->id != 0)
        table_remove(&store->by_id, message->id);
    if (message->next_same_number != NULL)
        message->next_same_number->prev_same_number = message->prev_same_number;
    if (message->prev_same_number != NULL)
        message->prev_same_number->next_same_number = message->next_same_number;
    else if (message->next_same_number != NULL)
        *table_put(&store->by_number, message->number) =
            (uint64_t)(uintptr_t)message->next_same_number;
    else
        table_remove(&store->by_number, message->number);
    message->next_same_number = message->prev_same_number = NULL;
}

/* WAITING messages stand in their flow's list (gateway/queue.c links them); only the count is here. */
void message_set_state(struct message_store *store, struct message *message,
                       enum message_state state)
{
    CHECK(message->state != MESSAGE_ENDED);
    if (message->state != MESSAGE_WAITING)
        TAILQ_REMOVE(&store->lists[message->state], message, link);
    store->counts[message->state]--;
    message->state = (uint8_t)state;
    store->counts[state]++;
    if (state != MESSAGE_WAITING)
        TAILQ_INSERT_TAIL(&store->lists[state], message, link);
    if (state == MESSAGE_ENDED)
        forget(store, message);
}

void message_wipe(struct message *message)
{
    digest_wipe(message->text, message->text_length);
}

void message_free_ended(struct message_store *store)
{
    struct message_list *ended = &store->lists[MESSAGE_ENDED];
    struct message *message;
    while ((message = TAILQ_FIRST(ended)) != NULL) {
        TAILQ_REMOVE(ended, message, link);
        store->counts[MESSAGE_ENDED]--;
        store->octets -= message_octets(message->text_length);
        message_drop(store, message);
    }
}

const char *message_state_name(enum message_state state)
{
    switch (state) {
    case MESSAGE_NEW:
        return "new";
    case MESSAGE_SCHEDULED:
        return "scheduled";
    case MESSAGE_WAITING:
        return "waiting";
    case MESSAGE_RETRY:
        return "retry";
    case MESSAGE_INTENT:
        return "intent";
    case MESSAGE_ASKED:
        return "asked";
    case MESSAGE_CLEARED:
        return "cleared";
    case MESSAGE_ON_WIRE:
        return "on_wire";
    case MESSAGE_SENT:
        return "sent";
    case MESSAGE_IN_DOUBT:
        return "in_doubt";
    case MESSAGE_ENDED:
        return "ended";
    case MESSAGE_STATES:
        break;
    }
    return "unknown";
}

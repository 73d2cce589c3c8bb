/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_filter.h"

#include <stdlib.h>

#include "consent/record_peek.h"
#include "proto/base/check.h"

#define EVENTS_MAX 128 /* members of Event's oneof */

struct ledger_filter {
    uint64_t number;    /* 0: none */
    uint64_t *messages; /* ids, ascending: most come in order */
    size_t message_count, message_size;
    uint64_t fresh; /* id that came since the blocks were looked up; 0: none */
    bool stale;     /* more than one did */
    bool events[EVENTS_MAX];
    uint8_t wanted[SEALED_BLOCKS_MAX];
};

struct ledger_filter *ledger_filter_new(void)
{
    return check_calloc(1, sizeof(struct ledger_filter));
}

void ledger_filter_free(struct ledger_filter *filter)
{
    if (filter == NULL)
        return;
    free(filter->messages);
    free(filter);
}

void ledger_filter_number(struct ledger_filter *filter, uint64_t number)
{
    filter->number = number;
}

/* How many ids are below `id`. */
static size_t place_of(const struct ledger_filter *filter, uint64_t id)
{
    size_t low = 0, high = filter->message_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (filter->messages[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_message(const struct ledger_filter *filter, uint64_t id)
{
    size_t place = place_of(filter, id);
    return place < filter->message_count && filter->messages[place] == id;
}

void ledger_filter_message(struct ledger_filter *filter, uint64_t id)
{
    size_t place = place_of(filter, id), behind = filter->message_count - place;
    if (id == 0 || has_message(filter, id))
        return;
    if (filter->message_count == filter->message_size) {
        filter->message_size = filter->message_size ? 2 * filter->message_size : 64;
        filter->messages =
            check_realloc(filter->messages, filter->message_size * sizeof *filter->messages);
    }
    if (behind > 0)
        memmove(filter->messages + place + 1, filter->messages + place,
                behind * sizeof *filter->messages);
    filter->messages[place] = id;
    filter->message_count++;
    filter->stale = filter->fresh != 0;
    filter->fresh = id;
}

void ledger_filter_event(struct ledger_filter *filter, uint32_t member)
{
    CHECK(member < EVENTS_MAX);
    filter->events[member] = true;
}

/* The record that made the message, where it is in this segment, and those that name it. */
static enum err want_message(struct ledger_filter *filter, struct sealed *sealed, uint64_t first,
                             uint64_t id)
{
    if (id >= first && id - first < LEDGER_SEGMENT_RECORDS)
        filter->wanted[sealed_block_of(sealed, (uint32_t)(id - first))] = 1;
    return sealed_find(sealed, INDEX_MESSAGES, id, filter->wanted);
}

enum err filter_enter(struct ledger_filter *filter, struct sealed *sealed, uint64_t first)
{
    enum err err = ERR_OK;
    memset(filter->wanted, 0, sealed_tail(sealed)->blocks);
    if (filter->number != 0)
        err = sealed_find(sealed, INDEX_NUMBERS, index_number(filter->number), filter->wanted);
    for (uint32_t member = 0; member < EVENTS_MAX && err == ERR_OK; member++)
        if (filter->events[member])
            err = sealed_find(sealed, INDEX_EVENTS, member, filter->wanted);
    for (size_t i = 0; i < filter->message_count && err == ERR_OK; i++)
        err = want_message(filter, sealed, first, filter->messages[i]);
    filter->fresh = 0;
    filter->stale = false;
    return err;
}

enum err filter_block(struct ledger_filter *filter, struct sealed *sealed, uint64_t first,
                      uint32_t block, uint32_t *ret_block)
{
    uint32_t blocks = sealed_tail(sealed)->blocks;
    enum err err = filter->stale        ? filter_enter(filter, sealed, first)
                   : filter->fresh != 0 ? want_message(filter, sealed, first, filter->fresh)
                                        : ERR_OK;
    filter->fresh = 0;
    while (block < blocks && !filter->wanted[block])
        block++;
    *ret_block = block;
    return err;
}

bool filter_wants(const struct ledger_filter *filter, uint64_t sequence,
                  const struct record *record)
{
    struct record_peek peek;
    if (filter->number != 0 && record->personal_part.length > 0 &&
        peek_number(record->personal_part) == filter->number)
        return true;
    if (filter->message_count > 0 && has_message(filter, sequence))
        return true;
    if (!record_peek(record->public_part, &peek))
        return false;
    return (peek.body < EVENTS_MAX && filter->events[peek.body]) ||
           (peek.message != 0 && filter->message_count > 0 && has_message(filter, peek.message));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which records a reader is to give: those of a phone number, of messages, of kinds of events. With one, a
 * reader passes over sealed segments and their blocks by what their indices say, and unpacks only those that
 * may hold such a record; raw segments it reads whole. */
#ifndef CONSENT_LEDGER_FILTER_H
#define CONSENT_LEDGER_FILTER_H

#include "consent/ledger.h"
#include "consent/ledger_sealed.h"

struct ledger_filter;

struct ledger_filter *ledger_filter_new(void);
void ledger_filter_free(struct ledger_filter *filter); /* NULL is fine */

/* Records whose personal part has this number. One. */
void ledger_filter_number(struct ledger_filter *filter, uint64_t number);
/* The record that made message `id`, and those that name it. Any time: of a record that was just given, for
 * what comes behind it. */
void ledger_filter_message(struct ledger_filter *filter, uint64_t id);
/* Events of this member of Event's oneof (proto/event.proto). */
void ledger_filter_event(struct ledger_filter *filter, uint32_t member);

/* The reader gives these records alone from now on. The filter must outlive it. */
void ledger_reader_only(struct ledger_reader *reader, struct ledger_filter *filter);

/* What reading has cost so far. */
struct ledger_cost {
    uint64_t segments; /* opened */
    uint64_t blocks;   /* unpacked, of sealed ones */
    uint64_t octets;   /* read of sealed ones */
};
struct ledger_cost ledger_reader_cost(const struct ledger_reader *reader);

/* For the reader. Has the filter know which blocks of a sealed segment it wants. ERR_CORRUPT or ERR_IO. */
MUST_CHECK enum err filter_enter(struct ledger_filter *filter, struct sealed *sealed,
                                 uint64_t first);
/* The first block from `block` on that is wanted; the number of blocks: none. */
MUST_CHECK enum err filter_block(struct ledger_filter *filter, struct sealed *sealed,
                                 uint64_t first, uint32_t block, uint32_t *ret_block);
bool filter_wants(const struct ledger_filter *filter, uint64_t sequence,
                  const struct record *record);

#endif

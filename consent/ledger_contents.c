/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_contents.h"

#include "consent/record_peek.h"

void contents_add(struct contents *contents, const struct record *record, uint32_t block)
{
    struct record_peek peek;
    if (record->personal_part.length > 0) {
        uint64_t number = peek_number(record->personal_part);
        if (number != 0)
            index_add(&contents->indices[INDEX_NUMBERS], index_number(number), block);
    }
    if (!record_peek(record->public_part, &peek))
        return;
    if (peek.message != 0)
        index_add(&contents->indices[INDEX_MESSAGES], peek.message, block);
    index_add(&contents->indices[INDEX_EVENTS], peek.body, block);
    if (peek.wall_ms > contents->newest_ms)
        contents->newest_ms = peek.wall_ms;
    if (contents->oldest_ms == 0 || peek.wall_ms < contents->oldest_ms)
        contents->oldest_ms = peek.wall_ms;
}

void contents_reset(struct contents *contents)
{
    for (unsigned kind = 0; kind < INDEX_KINDS; kind++)
        contents->indices[kind].count = 0;
    contents->oldest_ms = contents->newest_ms = 0;
}

void contents_release(struct contents *contents)
{
    for (unsigned kind = 0; kind < INDEX_KINDS; kind++)
        index_release(&contents->indices[kind]);
}

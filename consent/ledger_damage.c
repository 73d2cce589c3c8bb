/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_damage.h"

#include <stdlib.h>

#include "consent/ledger_format.h"
#include "consent/ledger_scan.h"
#include "proto/base/check.h"

#define WINDOW      (1u << 20)
#define WORK_OCTETS (1ull << 30) /* checksummed while guessing numbers: a second or less */

static_assert(WINDOW >= 2 * RECORD_SIZE_MAX, "a window must hold the records it starts");

struct search {
    int fd;
    uint64_t lost;     /* offset behind the last record known */
    uint64_t sequence; /* the number expected there */
    uint64_t limit;
    uint64_t work;
    uint8_t *window;
    uint64_t window_offset;
    size_t window_length;
};

/* Octets from `offset` on, at least a whole record of them unless the file ends before. */
static struct span view(struct search *search, uint64_t offset)
{
    uint64_t end = search->window_offset + search->window_length;
    bool at_end = search->window_length > 0 && search->window_length < WINDOW;
    if (offset + RECORD_SIZE_MAX > end && !at_end) {
        ssize_t n = read_at(search->fd, search->window, WINDOW, offset);
        search->window_offset = offset;
        search->window_length = n > 0 ? (size_t)n : 0;
        if (n < 0)
            search->work = WORK_OCTETS;
    }
    size_t skip = (size_t)(offset - search->window_offset);
    return span_of(search->window + skip, search->window_length - skip);
}

/* The number is not stored: tries all that fit between what was lost and here. */
static bool find_number(struct search *search, uint64_t offset, struct span octets,
                        struct record *ret_record)
{
    uint64_t last = search->sequence + (offset - search->lost) / RECORD_HEAD;
    if (last >= search->limit)
        last = search->limit - 1;
    if (!record_plausible(octets))
        return false;
    for (uint64_t number = search->sequence + 1; number <= last; number++) {
        enum record_result result = record_decode(octets, number, ret_record);
        if (result == RECORD_SHORT)
            return false;
        if (result == RECORD_OK) {
            search->lost = offset + ret_record->size;
            search->sequence = number + 1;
            return true;
        }
        search->work += record_laid_size(octets.data);
        if (search->work >= WORK_OCTETS)
            return false;
    }
    return false;
}

/* Octets at the front where no record can start: most of a tail is zeros. */
static size_t barren(struct span octets)
{
    size_t count = 0;
    while (count < octets.length && octets.data[count] != RECORD_LIVE &&
           octets.data[count] != RECORD_ERASED)
        count++;
    return count;
}

static bool find_next(struct search *search, uint64_t offset, struct span octets,
                      struct record *ret_record)
{
    if (offset != search->lost || record_decode(octets, search->sequence, ret_record) != RECORD_OK)
        return find_number(search, offset, octets, ret_record);
    search->lost += ret_record->size;
    search->sequence++;
    return true;
}

static bool search_barrier(struct search *search)
{
    struct record record;
    uint64_t offset = search->lost + RECORD_HEAD;
    while (search->work < WORK_OCTETS) {
        struct span octets = view(search, offset);
        if (octets.length == 0)
            return search->work >= WORK_OCTETS; /* could not be read */
        size_t skip = barren(octets);
        if (skip > 0) {
            offset += skip;
        } else if (!find_next(search, offset, octets, &record)) {
            offset++;
        } else if (record.barrier) {
            return true;
        } else {
            offset = search->lost;
        }
    }
    return true;
}

bool damage_before_barrier(int fd, uint64_t offset, uint64_t sequence, uint64_t limit)
{
    struct search search = {.fd = fd,
                            .lost = offset,
                            .sequence = sequence,
                            .limit = limit,
                            .window = check_malloc(WINDOW)};
    bool found = search_barrier(&search);
    free(search.window);
    return found;
}

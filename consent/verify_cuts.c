/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/verify_cuts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/ledger_segment.h"
#include "proto/base/check.h"

void cuts_seen_release(struct cuts_seen *seen)
{
    free(seen->segments);
    free(seen->cuts);
    *seen = (struct cuts_seen){0};
}

/* Room for one more: sizes are powers of two. */
static void *grow(void *list, size_t count, size_t size)
{
    return (count & (count - 1)) == 0 ? check_realloc(list, (count ? 2 * count : 1) * size) : list;
}

static struct segment_missing *begin_segment(struct cuts_seen *seen, uint64_t sequence)
{
    seen->segments = grow(seen->segments, seen->segment_count, sizeof *seen->segments);
    struct segment_missing *segment = &seen->segments[seen->segment_count++];
    *segment = (struct segment_missing){.first = segment_first_of(sequence)};
    seen->open = true;
    return segment;
}

static bool is_missing(const struct segment_missing *segment, uint64_t place)
{
    return segment->bits[place / 8] >> place % 8 & 1;
}

/* Joined to the one before it where they stand side by side. */
static void note_stretch(struct segment_missing *segment, const struct gap *gap)
{
    uint64_t place = gap->first - segment->first, last = gap->first + gap->records - 1;
    if (place == 0 || !is_missing(segment, place - 1)) {
        if (segment->stretches < CUTS_STRETCHES_NAMED)
            segment->named[segment->stretches].first = gap->first;
        segment->stretches++;
    }
    if (segment->stretches <= CUTS_STRETCHES_NAMED)
        segment->named[segment->stretches - 1].last = last;
}

void cuts_seen_gap(struct cuts_seen *seen, const struct gap *gap)
{
    struct segment_missing *segment =
        seen->open ? &seen->segments[seen->segment_count - 1] : begin_segment(seen, gap->first);
    uint64_t place = gap->first - segment->first;
    note_stretch(segment, gap);
    for (uint32_t i = 0; i < gap->records; i++)
        segment->bits[(place + i) / 8] |= (uint8_t)(1u << (place + i) % 8);
    segment->records += gap->records;
}

void cuts_seen_segment_end(struct cuts_seen *seen)
{
    if (!seen->open)
        return;
    struct segment_missing *segment = &seen->segments[seen->segment_count - 1];
    segment->digest = sha256(span_of(segment->bits, sizeof segment->bits));
    seen->open = false;
}

void cuts_seen_record(struct cuts_seen *seen, uint64_t sequence, struct span public_part)
{
    struct cut_record cut;
    if (!cut_record_read(sequence, public_part, &cut))
        return;
    seen->cuts = grow(seen->cuts, seen->cut_count, sizeof *seen->cuts);
    seen->cuts[seen->cut_count++] = cut;
}

bool cuts_seen_has(const struct cuts_seen *seen, uint64_t sequence)
{
    for (size_t i = 0; i < seen->segment_count; i++) {
        const struct segment_missing *segment = &seen->segments[i];
        if (segment->first == segment_first_of(sequence))
            return is_missing(segment, sequence - segment->first);
    }
    return false;
}

static bool names(const struct cut_record *cut, const struct segment_missing *segment)
{
    return cut->first == segment->first && cut->records == segment->records &&
           memcmp(cut->digest.octets, segment->digest.octets, DIGEST_SIZE) == 0;
}

struct cuts_told cuts_seen_judge(struct cuts_seen *seen,
                                 void (*unexplained)(void *context,
                                                     const struct segment_missing *segment,
                                                     const struct cut_record *other),
                                 void *context)
{
    struct cuts_told told = {0};
    for (size_t i = 0; i < seen->segment_count; i++) {
        const struct segment_missing *segment = &seen->segments[i];
        const struct cut_record *other = NULL;
        bool is_named = false;
        for (size_t c = 0; c < seen->cut_count && !is_named; c++) {
            is_named = names(&seen->cuts[c], segment);
            if (seen->cuts[c].first == segment->first)
                other = &seen->cuts[c];
        }
        if (is_named) {
            told.segments++;
            told.records += segment->records;
        } else {
            unexplained(context, segment, other);
        }
    }
    return told;
}

char *segment_missing_text(const struct segment_missing *segment, char out[CUTS_TEXT_SIZE])
{
    size_t named = segment->stretches < CUTS_STRETCHES_NAMED ? (size_t)segment->stretches
                                                             : CUTS_STRETCHES_NAMED;
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < named; i++) {
        uint64_t first = segment->named[i].first, last = segment->named[i].last;
        used += (size_t)snprintf(out + used, CUTS_TEXT_SIZE - used, "%s%" PRIu64,
                                 i == 0 ? "" : ", ", first);
        if (last != first)
            used += (size_t)snprintf(out + used, CUTS_TEXT_SIZE - used, " to %" PRIu64, last);
    }
    if (segment->stretches > named)
        snprintf(out + used, CUTS_TEXT_SIZE - used, ", and in %" PRIu64 " more places",
                 segment->stretches - named);
    return out;
}

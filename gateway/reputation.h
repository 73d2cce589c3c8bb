/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a sender's texts at a carrier, over the last hour and the last day, and when that is too much.
 * Pure: integers, time passed in; the engine (reputations.c), settings and the command line share it.
 *
 * A window is a ring of REPUTATION_BUCKETS buckets in fixed memory, the one that is filling included: an event
 * counts for at least 59 of 60 parts of the window, and for less than all of it. Time is of the wall, since counts
 * outlive the process; where it goes back, what comes is counted in the newest bucket. */
#ifndef GATEWAY_REPUTATION_H
#define GATEWAY_REPUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/event.pb-c.h"

/* The first four are how a text ended, each text once; the others what came of it. */
enum reputation_kind {
    REPUTATION_DELIVERED,
    REPUTATION_FILTERED, /* the carrier refused it, or its filter did */
    REPUTATION_UNKNOWN,  /* nobody has the number */
    REPUTATION_OTHER,    /* switched off, no receipt in time, ... */
    REPUTATION_OPT_OUTS,
    REPUTATION_COMPLAINTS,
    REPUTATION_KINDS,
};

/* Of Assent__V1__ReputationRate and ..._Window, 0 included, which is none. */
#define REPUTATION_RATES   5
#define REPUTATION_WINDOWS 3

const char *reputation_rate_name(unsigned rate);     /* "opt_outs" */
const char *reputation_rate_text(unsigned rate);     /* "opt-outs": for sentences */
const char *reputation_window_name(unsigned window); /* "hour" */
uint64_t reputation_window_ms(unsigned window);
enum reputation_kind reputation_kind_of(unsigned rate);

struct sliding {
    uint64_t newest; /* number of the newest bucket, since 1970 */
    uint32_t buckets[REPUTATION_BUCKETS][REPUTATION_KINDS];
    uint64_t totals[REPUTATION_KINDS];
};

/* The bucket that a time falls into. */
uint64_t reputation_bucket(unsigned window, uint64_t wall_ms);
/* Lets go of what is out of the window by now. */
void sliding_roll(struct sliding *sliding, uint64_t bucket);
/* Counts into `bucket`, or the newest where that is later; what is out of the window already is not counted. */
void sliding_add(struct sliding *sliding, uint64_t bucket, enum reputation_kind kind,
                 uint32_t count);
/* Of the totals of a window: how many texts ended. */
uint64_t reputation_texts(const uint64_t totals[REPUTATION_KINDS]);

/* Shares of the texts, in millionths; 0: off. */
struct reputation_limit {
    uint32_t alarm, pause;
};

struct reputation_limits {
    uint32_t least_texts; /* in the window: before, a share says nothing */
    struct reputation_limit rates[REPUTATION_RATES];
};
extern const struct reputation_limits reputation_defaults;

/* In millionths of the texts; 0 where there are none. */
uint32_t reputation_share(const uint64_t totals[REPUTATION_KINDS], unsigned rate);
/* The texts are enough and the share is at `threshold`. */
bool reputation_is_over(const uint64_t totals[REPUTATION_KINDS],
                        const struct reputation_limits *limits, unsigned rate, uint32_t threshold);
/* An alarm is over: its share is below four fifths of the threshold, or the texts are less than half of what a
 * share needs. In between it stands, so that it is not raised again and again. */
bool reputation_is_calm(const uint64_t totals[REPUTATION_KINDS],
                        const struct reputation_limits *limits, unsigned rate);

/* "5%", "0.3%" or "off", which is 0; and back. */
bool share_parse(const char *text, uint64_t *ret_millionths);
void share_text(uint64_t millionths, char *out, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What a carrier turns out to take, pure: time is passed in. Rate and window begin at their settings,
 * which they never exceed (P7), are cut when the carrier refuses, and are won back step by step.
 *
 * A refusal opens an event: the lane stands still until everything unanswered has its answer, so that
 * what was refused goes out again in its order. Then the cut is made:
 *
 *   rate     to what the carrier took in the second before the first refusal, which a carrier that
 *            counts a second shows exactly. It is searched upwards (doubling, then halving the gap to
 *            what failed) until two refusals agree or the gap is small; then it rests, and is probed
 *            in tiny steps that grow while they succeed. The rest is so long that refusals stay below
 *            half a percent, and doubles with each probe that fails.
 *   window   to one less than the depth of the request that was refused.
 *
 * A step up needs a lane that had to wait for more, and answers that prove what there is. The state
 * belongs to the carrier and outlives its sessions. */
#ifndef GATEWAY_PACING_H
#define GATEWAY_PACING_H

#include <stdbool.h>
#include <stdint.h>

#define PACING_RING 4096 /* ms; a power of two: a second, and the answers that are on their way */

/* A value that is cut and won back. */
struct ramp {
    uint32_t most, value;
    uint32_t step;      /* of the next one up, in thousandths of the value */
    uint32_t cut_to;    /* by the last cut; 0: there was none */
    uint32_t failed_at; /* while searching: so much was refused; 0: not searching */
    uint32_t rests;     /* in a row: each doubles the next */
    uint32_t taken;     /* requests since the last step */
    uint64_t next_us;   /* no step before */
    uint64_t cut_us;    /* when it was cut last */
    bool limited;       /* since the last step something had to wait; the caller sets it */
};

/* What a refusal is about. */
enum refusal { REFUSED_RATE, REFUSED_WINDOW };

struct pacing {
    struct ramp rate;   /* submit_sm a second, over all sessions */
    struct ramp window; /* unanswered submit_sm of one session */
    bool adapt;
    bool event;                 /* refused, and not all answers are here */
    bool about_rate;            /* the event */
    uint32_t refused, depth;    /* in it; the least depth of a refused request */
    uint64_t event_us, sent_us; /* when it began; when the first refused request was sent */
    uint64_t ended_us;          /* when the last event ended, */
    uint64_t window_event_us;   /* and the last one about the window */
    uint64_t pause_until_us;
    uint32_t pause_ms;          /* of the last pause; 0 since something was taken */
    bool taken;                 /* something, since the last event */
    uint64_t newest_ms;         /* the ring stands here */
    uint32_t ring[PACING_RING]; /* taken, by the millisecond of sending */
    uint32_t deepest[2];        /* taken in this second of sending and in the one before */
    uint64_t deepest_s;
};

void pacing_init(struct pacing *pacing, uint32_t rate, uint32_t window, bool adapt);

/* New settings: what has been found stands where they still allow it. */
void pacing_configure(struct pacing *pacing, uint32_t rate, uint32_t window, bool adapt);

/* The answers: a request that was sent at `sent_us`, as the `depth`-th unanswered one of its session
 * (itself included). */
void pacing_taken(struct pacing *pacing, uint64_t sent_us, uint32_t depth);
void pacing_refused(struct pacing *pacing, enum refusal about, uint64_t sent_us, uint32_t depth,
                    uint64_t now_us);

/* A general error may be a window's refusal: nothing so deep was taken in the last second or two. */
bool pacing_is_too_deep(const struct pacing *pacing, uint32_t depth);

/* Ends an event when nothing is unanswered any more, and takes steps up. False: nothing may be sent
 * now. */
bool pacing_turn(struct pacing *pacing, uint64_t unanswered, uint64_t now_us);

/* When the lane may move again at the latest, while pacing_turn() gives false. */
uint64_t pacing_next_us(const struct pacing *pacing);

static inline bool ramp_is_cut(const struct ramp *ramp)
{
    return ramp->value < ramp->most;
}

#endif

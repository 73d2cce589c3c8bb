/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/pacing.h"

#include <string.h>

#include "proto/base/clock.h"

#define ANSWERS_MAX_US  US_PER_S /* an event waits no longer for what is unanswered */
#define PAUSE_MIN_MS    500      /* nothing taken since the last event: doubling */
#define PAUSE_MAX_MS    8000
#define STEP_US         US_PER_S
#define STEP_FAST_US    (US_PER_S / 2) /* while doubling */
#define STEP_MOST       1000           /* thousandths: doubling */
#define STEP_LEAST      10
#define REST_US         (5 * US_PER_S)
#define REST_MAX_US     (300 * US_PER_S)
#define REST_DOUBLINGS  4
#define TAKEN_A_REFUSAL 200 /* a rest is so long that so many are taken for each that was refused */
#define AGAIN_US        (5 * US_PER_S) /* a window refused again so soon after its cut is the rate */

static void ramp_init(struct ramp *ramp, uint32_t most)
{
    *ramp = (struct ramp){.most = most, .value = most, .step = STEP_MOST};
}

void pacing_init(struct pacing *p, uint32_t rate, uint32_t window, bool adapt)
{
    memset(p, 0, sizeof *p);
    ramp_init(&p->rate, rate);
    ramp_init(&p->window, window);
    p->adapt = adapt;
}

static void ramp_configure(struct ramp *ramp, uint32_t most, bool adapt)
{
    if (!adapt || !ramp_is_cut(ramp) || ramp->value > most)
        ramp->value = most;
    ramp->most = most;
}

void pacing_configure(struct pacing *p, uint32_t rate, uint32_t window, bool adapt)
{
    ramp_configure(&p->rate, rate, adapt);
    ramp_configure(&p->window, window, adapt);
    p->adapt = adapt;
}

/* ---- down ---- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* It is known what can be had: keep to it for a while, then try a little more. */
static void rest(struct ramp *r, uint32_t refused, uint64_t now_us)
{
    uint64_t usual_us = REST_US << smaller(r->rests++, REST_DOUBLINGS);
    uint64_t paid_us = (uint64_t)refused * TAKEN_A_REFUSAL * US_PER_S / r->value;
    r->next_us = now_us + smaller(larger(usual_us, paid_us), REST_MAX_US);
    r->failed_at = 0;
    r->step = STEP_LEAST;
}

static bool is_close(uint32_t a, uint32_t b)
{
    uint32_t apart = a > b ? a - b : b - a;
    return apart <= larger(1, a / 32);
}

static bool gap_is_small(const struct ramp *r)
{
    return r->failed_at - r->value <= larger(1, r->value / 20);
}

static void ramp_set(struct ramp *r, uint32_t to)
{
    r->value = (uint32_t)larger(to, 1);
    r->taken = 0;
    r->limited = false;
}

/* Where nothing at all was taken it is an outage, which says nothing about the rate that will be. */
static void cut_rate(struct ramp *r, uint32_t taken, uint32_t refused, uint64_t now_us)
{
    uint32_t before = r->value, known = r->cut_to;
    if (taken < known && is_close(taken, known) && known < before)
        taken = known; /* a probe from there has failed: as good as known */
    ramp_set(r, taken < before ? taken : before - before / 64 - 1);
    bool agreed = known != 0 && now_us >= r->cut_us + US_PER_S && is_close(r->value, known) &&
                  (before - r->value) * 8ull <= r->value;
    r->cut_to = r->value;
    r->cut_us = now_us;
    r->failed_at = taken != 0 ? before : 0;
    if (taken != 0 && (agreed || gap_is_small(r))) {
        rest(r, refused, now_us);
        return;
    }
    r->rests = 0;
    r->step = taken == 0
                  ? STEP_MOST
                  : (uint32_t)smaller((uint64_t)(before - r->value) * 500 / r->value, STEP_MOST);
    r->next_us = now_us + STEP_FAST_US;
}

static void cut_window(struct ramp *r, uint32_t to, uint32_t refused, uint64_t now_us)
{
    ramp_set(r, to < r->value ? to : r->value - 1);
    r->cut_to = r->value;
    rest(r, refused, now_us);
}

/* The rate is refused: fewer unanswered ones make the next refusal cheaper, as long as they are twice
 * what this rate had on its way. */
static void narrow_window(struct ramp *r, uint32_t depth, uint64_t now_us)
{
    uint64_t to = larger(r->value / 2, 2ull * depth);
    if (to >= r->value)
        return;
    ramp_set(r, (uint32_t)to);
    r->step = STEP_MOST;
    r->next_us = now_us + STEP_US;
}

/* ---- up ---- */

static void climb(struct ramp *r, uint64_t now_us)
{
    if (!ramp_is_cut(r) || now_us < r->next_us || !r->limited || r->taken < (r->value + 3) / 4)
        return;
    if (r->failed_at != 0 && (r->failed_at <= r->value || gap_is_small(r))) {
        rest(r, 0, now_us);
        return;
    }
    uint64_t more = larger((uint64_t)r->value * r->step / 1000, 1);
    if (r->failed_at != 0)
        more = smaller(more, (r->failed_at - r->value + 1) / 2);
    ramp_set(r, (uint32_t)smaller(r->value + more, r->most));
    r->step = (uint32_t)smaller(r->step * 2ull, STEP_MOST);
    r->next_us = now_us + (r->step == STEP_MOST ? STEP_FAST_US : STEP_US);
    if (r->value > r->cut_to + r->cut_to / 10)
        r->rests = 0; /* the carrier takes more than it did */
}

/* ---- answers ---- */

static void note_depth(struct pacing *p, uint64_t sent_us, uint32_t depth)
{
    uint64_t second = sent_us / US_PER_S;
    if (second > p->deepest_s) {
        p->deepest[1] = second == p->deepest_s + 1 ? p->deepest[0] : 0;
        p->deepest[0] = 0;
        p->deepest_s = second;
    }
    p->deepest[0] = (uint32_t)larger(p->deepest[0], depth);
}

bool pacing_is_too_deep(const struct pacing *p, uint32_t depth)
{
    return p->adapt && depth > 1 && depth > p->deepest[0] && depth > p->deepest[1];
}

void pacing_taken(struct pacing *p, uint64_t sent_us, uint32_t depth)
{
    p->taken = true;
    p->pause_ms = 0;
    if (!p->adapt)
        return;
    note_depth(p, sent_us, depth);
    uint64_t ms = sent_us / US_PER_MS;
    if (ms >= p->newest_ms + PACING_RING) {
        memset(p->ring, 0, sizeof p->ring);
        p->newest_ms = ms;
    }
    while (p->newest_ms < ms)
        p->ring[++p->newest_ms % PACING_RING] = 0;
    if (ms + PACING_RING > p->newest_ms)
        p->ring[ms % PACING_RING]++;
    p->rate.taken++;
    p->window.taken++;
}

void pacing_refused(struct pacing *p, enum refusal about, uint64_t sent_us, uint32_t depth,
                    uint64_t now_us)
{
    if (sent_us < p->ended_us)
        return; /* on its way since before the last cut */
    if (!p->event) {
        p->event = true;
        p->event_us = now_us;
        p->sent_us = sent_us;
        p->depth = depth;
        p->about_rate = false;
        p->refused = 0;
    }
    p->refused++;
    p->sent_us = smaller(p->sent_us, sent_us);
    p->depth = (uint32_t)smaller(p->depth, depth);
    if (about == REFUSED_RATE || depth <= 1)
        p->about_rate = true;
}

/* What was taken of what was sent in the second up to the first refused request. */
static uint32_t taken_before(const struct pacing *p)
{
    uint64_t last = p->sent_us / US_PER_MS;
    uint64_t first = last > MS_PER_S ? last - MS_PER_S + 1 : 0;
    uint32_t sum = 0;
    for (uint64_t ms = first; ms <= last; ms++)
        if (ms <= p->newest_ms && ms + PACING_RING > p->newest_ms)
            sum += p->ring[ms % PACING_RING];
    return sum;
}

static void end_event(struct pacing *p, uint64_t now_us)
{
    bool again = now_us < p->window_event_us + AGAIN_US && p->window_event_us != 0;
    p->event = false;
    p->ended_us = now_us;
    if (!p->adapt || !p->taken) {
        uint64_t pause_ms = p->pause_ms ? p->pause_ms * 2ull : PAUSE_MIN_MS;
        p->pause_ms = (uint32_t)smaller(pause_ms, PAUSE_MAX_MS);
        p->pause_until_us = now_us + p->pause_ms * US_PER_MS;
    }
    p->taken = false;
    if (!p->adapt)
        return;
    if (!p->about_rate) {
        cut_window(&p->window, p->depth - 1, p->refused, now_us);
        p->window_event_us = now_us;
    } else {
        narrow_window(&p->window, p->depth, now_us);
    }
    if (p->about_rate || again)
        cut_rate(&p->rate, taken_before(p), p->refused, now_us);
}

bool pacing_turn(struct pacing *p, uint64_t unanswered, uint64_t now_us)
{
    if (p->event && (unanswered == 0 || now_us >= p->event_us + ANSWERS_MAX_US))
        end_event(p, now_us);
    climb(&p->rate, now_us);
    climb(&p->window, now_us);
    return !p->event && now_us >= p->pause_until_us;
}

uint64_t pacing_next_us(const struct pacing *p)
{
    return p->event ? p->event_us + ANSWERS_MAX_US : p->pause_until_us;
}

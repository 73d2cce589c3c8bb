/* SPDX-License-Identifier: Apache-2.0 */
/* What a seed stands for. Fault families are switched on and off one by one, so that a run has a
 * few of them at a time and some runs have none. */
#include "tests/sim/world.h"

#define SECOND US_PER_S
#define MINUTE (60 * US_PER_S)

static uint32_t between(struct rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)rng_below(rng, high - low + 1);
}

/* A chance up to `most` ppm in half of the runs, else none. */
static uint32_t maybe(struct rng *rng, uint32_t most)
{
    return rng_chance(rng, 500000) ? between(rng, most / 10, most) : 0;
}

static uint64_t maybe_every(struct rng *rng, uint64_t from_us, uint64_t to_us)
{
    return rng_chance(rng, 600000) ? from_us + rng_below(rng, to_us - from_us) : 0;
}

static void draw_peaceful(struct plan *p, struct rng *rng)
{
    p->turn_delay_us = between(rng, 20, 300);
    p->fsync_us = between(rng, 200, 1500);
    p->redis_us = between(rng, 50, 400);
    p->wire_us = between(rng, 100, 2000);
    p->bind = rng_chance(rng, 500000) ? BIND_TRANSCEIVER : BIND_TRANSMITTER_RECEIVER;
    p->sessions = between(rng, 1, 3);
    p->fragment = between(rng, 0, 500000);
    p->yes = 1000000;
    p->gateways = 1;
}

static void draw_process_faults(struct plan *p, struct rng *rng)
{
    p->stall = maybe(rng, 5000);
    p->crash_us = rng_chance(rng, 700000) ? between(rng, 10, 80) * 1000000u : 0;
    p->drain_us = rng_chance(rng, 300000) ? 20 * SECOND + rng_below(rng, MINUTE) : 0;
    p->fsync_slow = maybe(rng, 50000);
    p->fsync_fail = maybe(rng, 2000);
    p->disk_full_us = rng_chance(rng, 200000) ? 20 * SECOND + rng_below(rng, MINUTE) : 0;
    p->redis_slow = maybe(rng, 30000);
    p->redis_fault_us = maybe_every(rng, 3 * SECOND, 60 * SECOND);
    if (rng_chance(rng, 150000)) { /* batches that are refused while others are under way */
        p->redis_refuses = 900000;
        p->redis_fault_us = 2 * SECOND;
        p->redis_slow = 400000;
    }
}

static void draw_carrier_faults(struct plan *p, struct rng *rng)
{
    p->link_fault_us = maybe_every(rng, 5 * SECOND, 90 * SECOND);
    p->link_refused = maybe(rng, 400000);
    p->link_stuck = maybe(rng, 20000);
    p->outage_us = maybe_every(rng, 10 * SECOND, 90 * SECOND);
    p->reload_us = maybe_every(rng, 5 * SECOND, 60 * SECOND);
    p->elsewhere = maybe(rng, 100000);
    p->opted_out = maybe(rng, 20000);
    p->temporary = maybe(rng, 200000);
    p->permanent = maybe(rng, 100000);
    p->throttled = maybe(rng, 100000);
    p->never_answered = maybe(rng, 50000);
    p->answered_late = maybe(rng, 50000);
    p->receipt_lost = maybe(rng, 200000);
    p->receipt_double = maybe(rng, 200000);
    p->receipt_early = maybe(rng, 300000);
    p->receipt_bad = between(rng, 0, 200000);
    p->no_id = maybe(rng, 30000);
    p->receipt_contradicts = maybe(rng, 100000);
    p->receipt_foreign = maybe(rng, 100000);
    p->deliver_drop = maybe(rng, 100000);
}

static void draw_people(struct plan *p, struct rng *rng)
{
    p->stop = between(rng, 0, 150000);
    p->stop_all = between(rng, 0, 20000);
    p->start = between(rng, 0, 600000);
    p->help = between(rng, 0, 50000);
    p->chatter = between(rng, 0, 100000);
    p->stop_halves = between(rng, 0, 80000);
    p->doubt = p->stop_halves / 2;
    p->yes = between(rng, 600000, 1000000);
    p->late = maybe(rng, 500000);
    p->join = maybe(rng, 200000);
    p->cancel = between(rng, 0, 100000);
    p->repeat = between(rng, 0, 200000);
    p->hold = maybe(rng, 60000);
    p->hold_released = between(rng, 300000, 900000);
    p->api_opt_out = between(rng, 0, 60000);
    p->scheduled = between(rng, 0, 200000);
    p->short_ttl = between(rng, 0, 150000);
    p->other_gateway = between(rng, 0, 30000);
    p->revoke_all = rng_chance(rng, 300000);
    p->complain = maybe(rng, 20000);
}

static void draw_chaos(struct plan *p, struct rng *rng)
{
    static const uint32_t rates[] = {2, 5, 10, 10, 30, 100, 500};
    p->chaos_us = between(rng, 40, 240) * SECOND;
    p->messages = between(rng, 20, 200);
    p->numbers = between(rng, 2, 20);
    p->carriers = between(rng, 1, SIM_CARRIERS_MAX);
    p->routes = (enum plan_routes)rng_below(rng, ROUTES_KINDS);
    p->rate = rates[rng_below(rng, sizeof rates / sizeof rates[0])];
    p->window = between(rng, 1, 20);
    if (p->rate > 1 && rng_chance(rng, 300000))
        p->session_rate = between(rng, 1, p->rate);
    draw_process_faults(p, rng);
    draw_carrier_faults(p, rng);
    draw_people(p, rng);
    p->ids = (enum plan_ids)rng_below(rng, IDS_KINDS);
    p->id_repeated = maybe(rng, 200000);
    p->receipt_news = rng_chance(rng, 500000);
    p->vacant = p->receipt_news
                    ? (uint32_t)rng_below(rng, 1u << 20) & (uint32_t)rng_below(rng, 1u << 20)
                    : 0;
    p->last_receipts = between(rng, 0, (1u << SIM_CARRIERS_MAX) - 1);
}

/* P7's other half: under a healthy backlog, with some recipients whom Redis denies, the rate is
 * used. */
static void draw_rate(struct plan *p, struct rng *rng)
{
    static const uint32_t rates[] = {10, 50, 100, 200};
    p->rate = rates[rng_below(rng, sizeof rates / sizeof rates[0])];
    p->messages = p->rate * (uint32_t)plan_rate_seconds(p->rate) * 3 / 2; /* a sixth is denied */
    p->numbers = 12;
    p->carriers = 1;
    p->window = 200;
    p->chaos_us = 20 * SECOND;
}

uint64_t plan_rate_seconds(uint32_t rate)
{
    return rate < 100 ? 10 : 5;
}

/* P8: codes under a backlog of marketing. */
static void draw_otp(struct plan *p, struct rng *rng)
{
    p->rate = between(rng, 20, 200);
    p->messages = p->rate * 8;
    p->numbers = 12;
    p->carriers = 1;
    p->window = 200;
    p->chaos_us = 14 * SECOND;
}

/* P8 and P5 over an outage: the first carrier is away from OUTAGE_FROM_US on, the second takes over. */
static void draw_failover(struct plan *p, struct rng *rng)
{
    p->rate = between(rng, 100, 200);
    p->messages = 1200;
    p->numbers = 12;
    p->carriers = 2;
    p->routes = ROUTES_BACKUP;
    p->window = 200;
    p->chaos_us = 40 * SECOND;
}

/* A carrier that takes less than it said: far above its limit at first, and with any bucket. */
static void draw_pace(struct plan *p, struct rng *rng)
{
    static const uint32_t limits[] = {20,  20,  20,  20,  137,  137,  137,  137,
                                      400, 400, 400, 400, 1000, 1000, 1000, 5000};
    p->limit = limits[rng_below(rng, sizeof limits / sizeof limits[0])];
    p->bucket = rng_chance(rng, 300000) ? p->limit / between(rng, 1, 10) : 0;
    p->fragment /= 10; /* a hundred thousand messages: pieces and receipts are for others */
    p->receipt_lost = 1000000;
    p->rate = 20000;
    p->window = between(rng, 1, 3) * 100;
    p->numbers = 12;
    p->carriers = 1;
    p->chaos_us = 2 * SECOND + PACE_SETTLE_US + PACE_JUDGED_US;
    p->messages = p->limit * (uint32_t)(p->chaos_us / SECOND + 1);
}

/* As carriers of the United States count. */
static void draw_senders(struct plan *p, struct rng *rng)
{
    if (rng_chance(rng, 300000))
        p->sender_rate = between(rng, 1, p->rate < 4 ? p->rate : 4);
    if (rng_chance(rng, 200000))
        p->sender_daily = between(rng, 3, 60);
}

/* Two gateways on one Redis. Each has its own account at the carriers, which therefore never give one
 * id to messages of both in a way that either could see. */
static void draw_pair(struct plan *p, struct rng *rng)
{
    draw_chaos(p, rng);
    p->gateways = 2;
    p->id_repeated = 0;
    p->other_gateway = 0;
    p->notice_lost = maybe(rng, 300000);
}

bool plan_is_chaos(const struct plan *p)
{
    return p->kind == PLAN_CHAOS || p->kind == PLAN_PAIR;
}

static enum plan_kind kind_of(uint64_t seed)
{
    if (seed % 20 == 7)
        return PLAN_RATE;
    if (seed % 20 == 17)
        return PLAN_FAILOVER;
    if (seed % 20 == 3)
        return PLAN_PACE;
    if (seed % 20 == 13)
        return PLAN_OTP;
    return seed % 10 == 9 ? PLAN_PAIR : PLAN_CHAOS;
}

/* Quiet hours begin in the middle of everything. */
static void draw_night(struct plan *p, struct rng *rng)
{
    if (!rng_chance(rng, 400000))
        return;
    p->quiet_at_us = 10 * SECOND + rng_below(rng, p->chaos_us / 2);
    p->revoke_all = false;
    p->registry_ends = rng_chance(rng, 500000);
}

/* Marketing names its brand, and in the middle of everything links of shorteners come to be refused. */
static void draw_content(struct plan *p, struct rng *rng)
{
    if (rng_chance(rng, 400000))
        p->content_at_us = 10 * SECOND + rng_below(rng, p->chaos_us / 2);
    p->brand_late = rng_chance(rng, 300000);
}

/* Caps, and consents that grow too old: some at the change of a day in the middle of everything. */
static void draw_consent_rules(struct plan *p, struct rng *rng)
{
    if (rng_chance(rng, 300000)) {
        p->cap_count = between(rng, 1, rng_chance(rng, 500000) ? 1 : SIM_CAP_MAX);
        p->cap_window_ms = between(rng, 1000, 20000);
        p->numbers = between(rng, 2, 4); /* so that the cap is met, */
        p->messages = between(rng, 100, 200);
        p->temporary = 300000; /* and by texts that are written again later */
    }
    p->files = rng_chance(rng, 400000) ? between(rng, 1, SIM_FILES_MAX) : 0;
    p->foresights = rng_chance(rng, 500000) ? between(rng, 10, 60) : 0;
    if (rng_chance(rng, 300000)) {
        p->consent_days = between(rng, 1, 60);
        p->midnight_at_us = 10 * SECOND + rng_below(rng, p->chaos_us / 2);
    }
    /* Whom a dry run is about may be gone. */
    if (p->foresights == 0 && rng_chance(rng, 500000))
        p->erase = between(rng, 5000, 60000);
}

/* With dice of its own, so that it shifts no other. Not with erasures: what a ledger says of who was erased is not
 * enough to count anew. */
static void draw_reputation(struct plan *p, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15ull + 7};
    if (plan_is_chaos(p) && p->erase == 0 && rng_chance(&rng, 400000))
        p->reputation_texts = between(&rng, 3, 12);
}

/* Drawn by itself, likewise. */
static void draw_retention(struct plan *p, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15ull + 11};
    if (plan_is_chaos(p) && rng_chance(&rng, 400000))
        p->retain_us = between(&rng, 1, 15) * SECOND;
}

/* Drawn by itself: other seeds stay what they were. */
static void draw_register(struct plan *p, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15ull + 1};
    p->registers = rng_chance(&rng, 150000);
    if (p->registers && p->files == 0)
        p->files = 1;
}

void plan_draw(struct plan *plan, uint64_t seed, int forced_kind)
{
    struct rng rng = {seed * 0x2545f4914f6cdd1dull + 1};
    *plan = (struct plan){.kind = forced_kind >= 0 ? (enum plan_kind)forced_kind : kind_of(seed)};
    draw_peaceful(plan, &rng);
    switch (plan->kind) {
    case PLAN_CHAOS:
        draw_chaos(plan, &rng);
        draw_senders(plan, &rng);
        draw_night(plan, &rng);
        draw_content(plan, &rng);
        draw_consent_rules(plan, &rng);
        draw_register(plan, seed);
        break;
    case PLAN_RATE:
        draw_rate(plan, &rng);
        break;
    case PLAN_OTP:
        draw_otp(plan, &rng);
        break;
    case PLAN_FAILOVER:
        draw_failover(plan, &rng);
        break;
    case PLAN_PACE:
        draw_pace(plan, &rng);
        break;
    case PLAN_PAIR:
        draw_pair(plan, &rng);
        draw_night(plan, &rng);
        draw_content(plan, &rng);
        draw_consent_rules(plan, &rng);
        draw_register(plan, seed);
        break;
    case PLAN_KINDS:
        break;
    }
    draw_reputation(plan, seed);
    draw_retention(plan, seed);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/check.h"

#define WALL_START_MS   1795298400000ull /* a Sunday in November 2026 */
#define REVOKE_ALL_MS   1801958400000ull /* a Sunday in February 2027: plan.revoke_all */
#define SETTLE_EVERY_US (2 * US_PER_S)
#define SETTLE_MAX_US   (20 * 60 * US_PER_S)
#define TURNS_MAX       2000            /* at one instant: more is a busy loop */
#define CRASH_STEPS     300             /* a planned crash strikes within so many port calls */
#define DRAIN_US        (2 * US_PER_S)  /* what a drain is given; then it unbinds */
#define DRAIN_MAX_US    (10 * US_PER_S) /* the whole of it */

static const struct hash_key node_key = {0x1234567812345678ull, 0x9abcdef09abcdef0ull};

/* ---- time ---- */

uint64_t spread(struct rng *rng, uint64_t usual_us)
{
    return usual_us / 2 + rng_below(rng, usual_us + 1);
}

uint64_t world_wall_ms(const struct world *w)
{
    if (w->plan.quiet_at_us != 0)
        return SIM_MIDNIGHT_MS - w->plan.quiet_at_us / 1000 + w->now_us / 1000;
    uint64_t start_ms = w->plan.revoke_all ? REVOKE_ALL_MS : WALL_START_MS;
    if (w->plan.midnight_at_us != 0)
        start_ms += SIM_DAY_MS - start_ms % SIM_DAY_MS - w->plan.midnight_at_us / 1000;
    return start_ms + w->now_us / 1000;
}

struct instant world_instant(const struct world *w)
{
    return (struct instant){.mono_us = w->now_us + w->gw->mono_offset_us,
                            .wall_ms = world_wall_ms(w)};
}

void world_at(struct world *w, uint64_t delay_us, event_run *run, uint64_t a, uint64_t b,
              uint64_t c)
{
    schedule_add(&w->schedule, w->now_us + delay_us, run, a, b, c, NULL, 0);
}

void world_at_with(struct world *w, uint64_t delay_us, event_run *run, uint64_t a, uint64_t b,
                   uint64_t c, struct span data)
{
    schedule_add(&w->schedule, w->now_us + delay_us, run, a, b, c, data.data, data.length);
}

void world_turn_to(struct world *w, uint32_t gateway)
{
    w->gw = &w->gateways[gateway];
    w->schedule.gateway = gateway;
}

/* ---- what is said ---- */

void world_trace(struct world *w, const char *who, const char *format, ...)
{
    va_list arguments;
    printf("%12.6f ", (double)w->now_us / 1e6);
    if (w->plan.gateways > 1)
        printf("%u ", w->gw->index + 1);
    printf("%-8s ", who);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void world_fail(struct world *w, const char *promise, const char *format, ...)
{
    if (w->failed)
        return;
    w->failed = true;
    int n = snprintf(w->failure, sizeof w->failure, "%s broken at %.6f s: ", promise,
                     (double)w->now_us / 1e6);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->failure + n, sizeof w->failure - (size_t)n, format, arguments);
    va_end(arguments);
    TRACE(w, "ORACLE", "%s", w->failure);
}

/* ---- turns ---- */

static event_run run_turn;

static void want_turn(struct world *w, uint64_t at_us)
{
    if (w->gw->turn_at_us != 0 && w->gw->turn_at_us <= at_us)
        return;
    w->gw->turn_at_us = at_us;
    schedule_add(&w->schedule, at_us, run_turn, ++w->gw->turn_token, 0, 0, NULL, 0);
}

void world_entered(struct world *w)
{
    if (w->gw->engine && !w->gw->crashed)
        want_turn(w, w->now_us + rng_below(&w->rng, w->plan.turn_delay_us + 1));
}

bool world_may_enter(struct world *w, struct event *e)
{
    if (w->gw->engine == NULL || w->gw->crashed)
        return false;
    if (w->gw->stalled_until_us > w->now_us) {
        schedule_again(&w->schedule, e, w->gw->stalled_until_us);
        e->data = NULL;
        return false;
    }
    return true;
}

static bool busy_loop(struct world *w)
{
    static const uint64_t window_us = 1000;
    if (w->now_us / window_us != w->gw->turns_window) {
        w->gw->turns_window = w->now_us / window_us;
        w->gw->turns_now = 0;
    }
    return ++w->gw->turns_now > TURNS_MAX;
}

static void run_turn(struct world *w, struct event *e)
{
    if (e->a != w->gw->turn_token || w->gw->engine == NULL)
        return;
    if (!world_may_enter(w, e))
        return;
    w->gw->turn_at_us = 0;
    uint64_t next_us = engine_turn(w->gw->engine, world_instant(w));
    if (w->gw->crashed)
        return;
    oracle_turn_over(w);
    if (busy_loop(w))
        world_fail(w, "P10", "the engine asks for turn after turn without end");
    if (next_us != UINT64_MAX) {
        uint64_t due_us = next_us > w->gw->mono_offset_us ? next_us - w->gw->mono_offset_us : 0;
        want_turn(w, due_us > w->now_us ? due_us : w->now_us + 1);
    }
    if (rng_chance(&w->rng, w->plan.stall)) {
        w->gw->stalled_until_us = w->now_us + 20000 + rng_below(&w->rng, 400000);
        TRACE(w, "process", "stands still until %.6f", (double)w->gw->stalled_until_us / 1e6);
    }
}

/* ---- the life of a process ---- */

static void start_process(struct world *w, struct event *e)
{
    (void)e;
    w->gw->life++;
    w->gw->crashed = false;
    w->gw->crash_in = 0;
    w->gw->stalled_until_us = 0;
    w->gw->turn_at_us = 0;
    w->gw->turn_token++;
    w->gw->mono_offset_us = 1 + rng_below(&w->rng, 1ull << 40);
    TRACE(w, "process", "life %u starts", w->gw->life);
    w->gw->engine = engine_new(&w->gw->config, &w->ports, &node_key, rng_next(&w->rng));
    engine_plant(w->gw->engine, w->plant);
    disk_recover(w);
    if (w->failed)
        return;
    engine_start(w->gw->engine, world_instant(w));
    redis_connect(w);
    world_entered(w);
}

void world_die(struct world *w, const char *why)
{
    TRACE(w, "process", "dies: %s", why);
    w->gw->crashed = true;
}

/* The process is gone with its memory; the world stays. */
static void end_process(struct world *w)
{
    w->gw->crashed = true; /* its last calls go nowhere */
    engine_free(w->gw->engine);
    w->gw->engine = NULL;
    w->gw->crashed = false;
    w->gw->drain_since_us = 0;
    people_crash(w);
    wire_crash(w);
    redis_crash(w);
}

static void bury(struct world *w, bool orderly)
{
    w->crashes += !orderly;
    end_process(w);
    if (!orderly)
        disk_crash(w);
    oracle_recovered(w);
    world_at(w, 10000 + rng_below(&w->rng, 3 * US_PER_S), start_process, 0, 0, 0);
}

/* When the last gateway has drained, the run is over. */
static void end_gateway(struct world *w)
{
    w->gw->ended = true;
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        if (!w->gateways[i].ended) {
            end_process(w);
            return;
        }
    }
    oracle_end(w);
    w->over = true;
}

static void look_at_drain(struct world *w)
{
    if (w->gw->drain_since_us == 0)
        return;
    if (w->now_us > w->gw->drain_since_us + DRAIN_MAX_US)
        world_fail(w, "P10", "a drain takes over %llu s", DRAIN_MAX_US / US_PER_S);
    if (!engine_drained(w->gw->engine) || w->gw->disk.full)
        return;
    TRACE(w, "process", "has drained");
    disk_close(w);
    people_durable(w);
    if (w->ending)
        end_gateway(w);
    else
        bury(w, true);
}

static void begin_drain(struct world *w)
{
    TRACE(w, "process", "drains");
    w->gw->drain_since_us = w->now_us;
    engine_drain(w->gw->engine, world_instant(w), w->now_us + w->gw->mono_offset_us + DRAIN_US);
    world_entered(w);
}

static uint16_t route_count(const struct world *w)
{
    return w->plan.routes == ROUTES_BACKUP && w->plan.carriers > 1 ? 2 : 1;
}

/* ---- faults ---- */

static bool process_runs(const struct world *w)
{
    return w->gw->engine != NULL && w->gw->stalled_until_us <= w->now_us;
}

static void plan_crash(struct world *w, struct event *e)
{
    (void)e;
    if (w->healing)
        return;
    if (w->gw->engine && w->gw->crash_in == 0)
        w->gw->crash_in = 1 + (uint32_t)rng_below(&w->rng, CRASH_STEPS);
    world_at(w, spread(&w->rng, w->plan.crash_us), plan_crash, 0, 0, 0);
}

static void plan_drain(struct world *w, struct event *e)
{
    (void)e;
    if (w->healing)
        return;
    if (w->gw->drain_since_us == 0 && process_runs(w))
        begin_drain(w);
    world_at(w, spread(&w->rng, w->plan.drain_us), plan_drain, 0, 0, 0);
}

static void fault_redis(struct world *w, struct event *e)
{
    (void)e;
    if (w->healing)
        return;
    redis_fault(w);
    world_at(w, spread(&w->rng, w->plan.redis_fault_us), fault_redis, 0, 0, 0);
}

static void fault_link(struct world *w, struct event *e)
{
    (void)e;
    if (w->healing)
        return;
    wire_fault(w);
    world_at(w, spread(&w->rng, w->plan.link_fault_us), fault_link, 0, 0, 0);
}

/* ---- new configurations ---- */

/* To be called before anything of it changes. As with config_merge() the carriers move, and where they were is
 * nothing any more. */
static void before_reconfigure(struct world *w)
{
    size_t octets = SIM_CARRIERS_MAX * sizeof *w->config.carriers;
    struct carrier_config *old = w->config.carriers;
    w->config.carriers = check_malloc(octets);
    memcpy(w->config.carriers, old, octets);
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        world_turn_to(w, i);
        if (w->gw->engine != NULL)
            engine_before_reconfigure(w->gw->engine, world_instant(w));
        w->gw->config.carriers = w->config.carriers;
    }
    memset(old, 0xa5, octets);
    free(old);
}

static void reconfigure(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        world_turn_to(w, i);
        if (w->gw->engine == NULL)
            continue; /* the next process reads it */
        engine_reconfigure(w->gw->engine, world_instant(w));
        world_entered(w);
    }
}

/* The second carrier leaves the configuration, or is there again. */
static void retire(struct world *w, bool retired)
{
    before_reconfigure(w);
    struct carrier_config *c = &w->config.carriers[1];
    TRACE(w, "config", "carrier 1 %s", retired ? "is gone" : "is there again");
    c->retired = retired;
    c->route_count = retired ? 0 : route_count(w);
    reconfigure(w);
}

static bool any_stands(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        world_turn_to(w, i);
        if (w->gw->engine != NULL && (!process_runs(w) || w->gw->drain_since_us != 0))
            return true;
    }
    return false;
}

/* The sessions of a carrier are to be others, or a carrier comes or goes. */
static void reload(struct world *w, struct event *e)
{
    (void)e;
    if (w->healing)
        return;
    uint32_t carrier = (uint32_t)rng_below(&w->rng, w->plan.carriers);
    bool standing = any_stands(w);
    if (!standing && carrier == 1 && rng_chance(&w->rng, 700000)) {
        retire(w, !w->config.carriers[1].retired);
    } else if (!standing) {
        TRACE(w, "config", "other settings of carrier %u", carrier);
        before_reconfigure(w);
        w->config.carriers[carrier].made++;
        reconfigure(w);
    }
    world_at(w, spread(&w->rng, w->plan.reload_us), reload, 0, 0, 0);
}

/* Links of public shorteners may be sent no more. */
static void end_links(struct world *w, struct event *e)
{
    (void)e;
    if (any_stands(w)) {
        world_at(w, US_PER_S / 10, end_links, 0, 0, 0);
        return;
    }
    TRACE(w, "config", "no more links of shorteners");
    before_reconfigure(w);
    for (unsigned i = 0; i < SIM_PROGRAMS; i++) {
        w->config.programs[i].link_shorteners = SHORTENERS_REFUSED;
        w->config.programs[i].brand_named = BRAND_ADD;
    }
    w->links_end_us = w->now_us;
    reconfigure(w);
}

static void outage(struct world *w, struct event *e)
{
    (void)e;
    if (w->healing)
        return;
    uint16_t carrier = (uint16_t)rng_below(&w->rng, w->plan.carriers);
    wire_outage(w, carrier, US_PER_S + rng_below(&w->rng, 40 * US_PER_S));
    world_at(w, spread(&w->rng, w->plan.outage_us), outage, 0, 0, 0);
}

static void planned_outage(struct world *w, struct event *e)
{
    (void)e;
    wire_outage(w, 0, OUTAGE_LASTS_US);
}

static void fault_disk(struct world *w, struct event *e)
{
    if (w->healing)
        return;
    bool full = e->a == 0;
    disk_set_full(w, full);
    uint64_t lasts_us =
        full ? 50000 + rng_below(&w->rng, 5 * US_PER_S) : spread(&w->rng, w->plan.disk_full_us);
    world_at(w, lasts_us, fault_disk, full, 0, 0);
}

static void take_snapshot(struct world *w, struct event *e)
{
    (void)e;
    if (process_runs(w))
        disk_snapshot(w);
    if (!w->healing)
        world_at(w, spread(&w->rng, 20 * US_PER_S), take_snapshot, 0, 0, 0);
}

static void retain(struct world *w, struct event *e)
{
    (void)e;
    if (process_runs(w) && w->gw->drain_since_us == 0)
        retention_turn(w);
    if (!w->healing)
        world_at(w, spread(&w->retain_rng, w->plan.retain_us), retain, 0, 0, 0);
}

static void begin_process_faults(struct world *w)
{
    const struct plan *p = &w->plan;
    if (p->crash_us)
        world_at(w, spread(&w->rng, p->crash_us), plan_crash, 0, 0, 0);
    if (p->drain_us)
        world_at(w, spread(&w->rng, p->drain_us), plan_drain, 0, 0, 0);
    if (p->disk_full_us)
        world_at(w, spread(&w->rng, p->disk_full_us), fault_disk, 0, 0, 0);
    world_at(w, spread(&w->rng, 20 * US_PER_S), take_snapshot, 0, 0, 0);
    if (p->retain_us)
        world_at(w, spread(&w->retain_rng, p->retain_us), retain, 0, 0, 0);
}

static void begin_faults(struct world *w)
{
    const struct plan *p = &w->plan;
    for (uint32_t i = 0; i < p->gateways; i++) {
        world_turn_to(w, i);
        begin_process_faults(w);
    }
    if (p->redis_fault_us)
        world_at(w, spread(&w->rng, p->redis_fault_us), fault_redis, 0, 0, 0);
    if (p->link_fault_us)
        world_at(w, spread(&w->rng, p->link_fault_us), fault_link, 0, 0, 0);
    if (p->reload_us)
        world_at(w, spread(&w->rng, p->reload_us), reload, 0, 0, 0);
    if (p->content_at_us)
        world_at(w, p->content_at_us, end_links, 0, 0, 0);
    if (p->outage_us)
        world_at(w, spread(&w->rng, p->outage_us), outage, 0, 0, 0);
    if (p->kind == PLAN_FAILOVER)
        world_at(w, OUTAGE_FROM_US, planned_outage, 0, 0, 0);
}

/* ---- healing and the end ---- */

static bool all_run(const struct world *w)
{
    for (uint32_t i = 0; i < w->plan.gateways; i++)
        if (w->gateways[i].engine == NULL || w->gateways[i].drain_since_us != 0)
            return false;
    return true;
}

static void look_whether_settled(struct world *w, struct event *e)
{
    (void)e;
    if (w->now_us > w->plan.chaos_us + SETTLE_MAX_US) {
        oracle_end(w);
        w->over = true;
        return;
    }
    if (all_run(w) && oracle_settled(w)) {
        w->ending = true;
        for (uint32_t i = 0; i < w->plan.gateways; i++) {
            world_turn_to(w, i);
            begin_drain(w);
        }
        return;
    }
    world_at(w, SETTLE_EVERY_US, look_whether_settled, 0, 0, 0);
}

/* What waits for the next day would outlast the run. */
static void lift_caps(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.carriers; i++)
        w->config.carriers[i].sender_daily = w->config.carriers[i].senders[0].daily = 0;
    if (w->plan.sender_daily != 0)
        reconfigure(w);
}

static void heal(struct world *w, struct event *e)
{
    (void)e;
    TRACE(w, "world", "no more faults");
    w->healing = true;
    struct plan *p = &w->plan;
    p->stall = p->fsync_slow = p->fsync_fail = p->redis_slow = 0;
    p->link_refused = p->link_stuck = p->temporary = p->permanent = p->throttled = 0;
    p->elsewhere = p->opted_out = 0;
    memset(w->wire.out_until_us, 0, sizeof w->wire.out_until_us);
    p->never_answered = p->answered_late = p->deliver_drop = 0;
    p->receipt_lost = 0;
    p->stop = p->stop_all = p->start = p->help = p->chatter = p->stop_halves = p->doubt = 0;
    for (uint32_t i = 0; i < p->gateways; i++) {
        world_turn_to(w, i);
        w->gw->crash_in = 0;
        disk_set_full(w, false);
    }
    redis_heal(w);
    if (w->config.carriers[1].retired)
        retire(w, false);
    lift_caps(w);
    world_at(w, SETTLE_EVERY_US, look_whether_settled, 0, 0, 0);
}

/* ---- configuration ---- */

struct program_sketch {
    const char *name, *brand, *sender;
    unsigned classes; /* bits of Assent__V1__Class */
    enum opt_in_mode opt_in;
    enum stop_reach reach;
    enum texts texts;
};

#define BIT(c) (1u << ASSENT__V1__CLASS__##c)

static const struct program_sketch sketches[SIM_PROGRAMS] = {
    {"offers", "Acme", "12025550100", BIT(MARKETING), OPT_IN_DOUBLE, REACH_BRAND, TEXTS_WHOLE},
    {"news", "Acme", "12025550101", BIT(MARKETING) | BIT(TRANSACTIONAL), OPT_IN_SINGLE,
     REACH_PROGRAM, TEXTS_HASHED},
    {"login", "Acme", "12025550102", BIT(OTP) | BIT(TRANSACTIONAL), OPT_IN_DOUBLE, REACH_BRAND,
     TEXTS_WHOLE},
    {"shop", "Corner Shop", "12025550103", BIT(MARKETING) | BIT(TRANSACTIONAL) | BIT(OTP),
     OPT_IN_SINGLE, REACH_GLOBAL, TEXTS_NONE},
};

static void fill_program(struct world *w, struct program_config *p, const struct program_sketch *s)
{
    program_defaults(p);
    if (w->plan.quiet_at_us == 0)
        p->quiet_hours = QUIET_OFF;
    else if (s->reach == REACH_PROGRAM)
        p->quiet_hours = QUIET_ALL;
    p->brand_named = w->plan.content_at_us != 0 && !w->plan.brand_late ? BRAND_ADD : BRAND_OFF;
    p->link_shorteners = w->plan.content_at_us != 0 ? SHORTENERS_ALLOWED : SHORTENERS_REFUSED;
    snprintf(p->name, sizeof p->name, "%s", s->name);
    snprintf(p->brand, sizeof p->brand, "%s", s->brand);
    snprintf(p->senders[0], sizeof p->senders[0], "%s", s->sender);
    p->sender_count = 1;
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        p->classes[c] = s->classes >> c & 1;
    p->opt_in = s->opt_in;
    p->pending_ms = (uint32_t)(SIM_PENDING_US / US_PER_MS);
    if (s->opt_in == OPT_IN_DOUBLE && p->classes[ASSENT__V1__CLASS__MARKETING])
        snprintf(p->join[p->join_count++], sizeof p->join[0], "acme");
    p->stop_reach = s->reach;
    p->frequency_cap.count = w->plan.cap_count;
    p->frequency_cap.window_ms = w->plan.cap_window_ms;
    p->consent_max_age_ms = w->plan.consent_days * SIM_DAY_MS;
    p->do_not_call = w->plan.registers ? DO_NOT_CALL_REGISTER : DO_NOT_CALL_OFF;
    p->texts = s->texts;
    p->on_unknown = rng_chance(&w->rng, 500000) ? UNKNOWN_SEND_AGAIN : UNKNOWN_NEVER_AGAIN;
}

/* Alpha takes everything and beta what begins with 44; then they may help each other out. */
static void fill_routes(struct world *w, struct carrier_config *c, uint32_t index)
{
    struct route_config *own = &w->routes[index][0], *other = &w->routes[index][1];
    route_defaults(own);
    route_defaults(other);
    if (index == 1 && w->plan.routes != ROUTES_SHARED)
        snprintf(own->prefix, sizeof own->prefix, "44");
    if (index == 0)
        snprintf(other->prefix, sizeof other->prefix, "44");
    other->priority = 1;
    own->weight = (uint16_t)(1 + rng_below(&w->rng, 3));
    c->routes = own;
    c->route_count = route_count(w);
}

static void fill_statuses(struct carrier_config *c)
{
    c->statuses[0] = (struct status_rule){SIM_STATUS_OPTED_OUT, STATUS_OPTED_OUT};
    c->statuses[1] = (struct status_rule){SIM_STATUS_ELSEWHERE, STATUS_ELSEWHERE};
    c->statuses[2] = (struct status_rule){SIM_STATUS_FILTERED, STATUS_FILTERED};
    c->status_count = 3;
}

/* In all the spellings of bench/receipt_text.h. */
static void fill_receipt_errors(struct carrier_config *c)
{
    static const struct receipt_error errors[] = {
        {"069", NEWS_OPTED_OUT},           {"E069", NEWS_OPTED_OUT},
        {"3:69", NEWS_OPTED_OUT},          {"027", NEWS_UNKNOWN_SUBSCRIBER},
        {"E027", NEWS_UNKNOWN_SUBSCRIBER}, {"3:27", NEWS_UNKNOWN_SUBSCRIBER},
    };
    memcpy(c->receipt_errors, errors, sizeof errors);
    c->receipt_error_count = sizeof errors / sizeof errors[0];
}

static void fill_reputation(const struct plan *p, struct reputation_limits *limits)
{
    *limits = (struct reputation_limits){.least_texts = p->reputation_texts};
    if (p->reputation_texts == 0)
        return;
    limits->rates[ASSENT__V1__REPUTATION_RATE__RATE_FILTERED] =
        (struct reputation_limit){150000, 300000};
    limits->rates[ASSENT__V1__REPUTATION_RATE__RATE_UNKNOWN] =
        (struct reputation_limit){200000, 400000};
    limits->rates[ASSENT__V1__REPUTATION_RATE__RATE_OPT_OUTS] =
        (struct reputation_limit){100000, 250000};
    limits->rates[ASSENT__V1__REPUTATION_RATE__RATE_COMPLAINTS] =
        (struct reputation_limit){50000, 150000};
}

static void fill_ids(enum plan_ids ids, struct carrier_config *c)
{
    static const struct {
        enum id_form submit, receipt;
    } forms[IDS_KINDS] = {[IDS_DEC] = {ID_RAW, ID_RAW},
                          [IDS_RECEIPTS_HEX] = {ID_DEC, ID_HEX},
                          [IDS_RECEIPTS_DEC] = {ID_HEX, ID_DEC},
                          [IDS_RECEIPTS_ZEROS] = {ID_DEC, ID_DEC}};
    c->submit_id = forms[ids].submit;
    c->receipt_id = forms[ids].receipt;
}

static struct sender_limit exception(const struct carrier_config *c)
{
    struct sender_limit limit = {.daily = c->sender_daily,
                                 .rate =
                                     c->sender_rate * 2 < c->rate ? c->sender_rate * 2 : c->rate};
    snprintf(limit.sender, sizeof limit.sender, "%s", sketches[SIM_PROGRAMS - 1].sender);
    return limit;
}

static void fill_carrier(struct world *w, struct carrier_config *c, uint32_t index)
{
    carrier_defaults(c);
    snprintf(c->name, sizeof c->name, "%s", index == 0 ? "alpha" : "beta");
    snprintf(c->address, sizeof c->address, "tcp://127.0.0.1:2775");
    snprintf(c->system_id, sizeof c->system_id, "sim");
    snprintf(c->addressing.country, sizeof c->addressing.country, "%s", index == 0 ? "1" : "44");
    c->addressing.national_digits = 10;
    c->addressing.recipient.plus = rng_chance(&w->rng, 500000);
    c->addressing.international_sender.plus = rng_chance(&w->rng, 500000);
    c->validity = (enum validity)rng_below(&w->rng, 3);
    c->bind = w->plan.bind;
    c->sessions = (uint16_t)w->plan.sessions;
    c->window = (uint16_t)w->plan.window;
    c->rate = w->plan.rate;
    c->session_rate = w->plan.session_rate;
    c->sender_rate = w->plan.sender_rate;
    c->sender_daily = w->plan.sender_daily;
    if (c->sender_rate != 0)
        c->senders[c->sender_count++] = exception(c);
    c->request_timeout_ms = 2000 + (uint32_t)rng_below(&w->rng, 6000);
    c->enquire_link_ms = 5000 + (uint32_t)rng_below(&w->rng, 10000);
    c->reconnect_min_ms = 100 + (uint32_t)rng_below(&w->rng, 900);
    c->reconnect_max_ms = 8000;
    c->receipt_timeout_ms = 30000 + (uint32_t)rng_below(&w->rng, 60000);
    c->failover_after_ms = 1000 + (uint32_t)rng_below(&w->rng, 10000);
    fill_routes(w, c, index);
    fill_statuses(c);
    fill_reputation(&w->plan, &c->reputation);
    fill_ids(w->plan.ids, c);
    if (w->plan.receipt_news)
        fill_receipt_errors(c);
    c->receipt_parts = w->plan.last_receipts >> index & 1 ? RECEIPT_OF_LAST : RECEIPTS_OF_ALL;
}

static void grant(struct sender_config *sender, const char *country, unsigned classes,
                  int32_t last_day)
{
    struct registration *r = &sender->registrations[sender->registration_count++];
    snprintf(r->country, sizeof r->country, "%s", country);
    r->classes = (uint8_t)classes;
    r->last_day = last_day;
}

/* Every sender for everything in all countries; one for marketing alone when the night begins. */
static void fill_registry(struct config *c)
{
    static const char *const countries[] = {"US", "GB", "ES"};
    int32_t last_day = (int32_t)(SIM_MIDNIGHT_MS / 86400000) - 1;
    c->senders = check_calloc(SIM_PROGRAMS, sizeof *c->senders);
    c->sender_count = SIM_PROGRAMS;
    for (unsigned i = 0; i < SIM_PROGRAMS; i++) {
        struct sender_config *sender = &c->senders[i];
        snprintf(sender->number, sizeof sender->number, "%s", sketches[i].sender);
        sender->registrations = check_calloc(2 * (sizeof countries / sizeof countries[0]),
                                             sizeof *sender->registrations);
        bool ends = strcmp(sender->number, SIM_EXPIRING_SENDER) == 0;
        for (unsigned country = 0; country < (sizeof countries / sizeof countries[0]); country++) {
            grant(sender, countries[country], BIT(MARKETING), 0);
            grant(sender, countries[country], BIT(TRANSACTIONAL) | BIT(OTP), ends ? last_day : 0);
        }
    }
}

static void fill_config(struct world *w)
{
    struct config *c = &w->config;
    config_defaults(c);
    snprintf(c->node, sizeof c->node, "sim1");
    c->clients = check_calloc(2, sizeof *c->clients);
    c->client_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(c->clients[i].name, sizeof c->clients[i].name, "client%u", i);
        for (unsigned p = 0; p < SIM_PROGRAMS; p++)
            c->clients[i].programs[p] = true;
    }
    if (w->plan.quiet_at_us != 0) {
        c->zones = zones_system();
        c->quiet_default = (struct daily_hours){.from = 3, .until = 24 * 60};
    }
    if (w->plan.registry_ends)
        fill_registry(c);
    c->programs = check_calloc(SIM_PROGRAMS, sizeof *c->programs);
    c->program_count = SIM_PROGRAMS;
    for (unsigned i = 0; i < SIM_PROGRAMS; i++)
        fill_program(w, &c->programs[i], &sketches[i]);
    c->carriers = check_calloc(SIM_CARRIERS_MAX, sizeof *c->carriers);
    c->carrier_count = (uint16_t)w->plan.carriers;
    for (uint32_t i = 0; i < w->plan.carriers; i++)
        fill_carrier(w, &c->carriers[i], i);
    c->vacant_times = 1 + (uint32_t)rng_below(&w->rng, 3);
    c->vacant_over_ms = rng_below(&w->rng, 20000);
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        c->ttl_ms[i] = 60000 + rng_below(&w->rng, 180000);
    c->retry_min_ms = 200 + (uint32_t)rng_below(&w->rng, 800);
    c->retry_max_ms = 10000;
    c->retry_max = 2 + (uint32_t)rng_below(&w->rng, 7);
    if (plan_is_chaos(&w->plan) && rng_chance(&w->rng, 100000))
        c->max_open_messages = 20;
}

static void release_config(struct config *c)
{
    free(c->clients);
    free(c->programs);
    free(c->carriers);
    config_free_senders(c);
}

static void init_gateway(struct world *w, uint32_t index)
{
    struct gateway *g = &w->gateways[index];
    g->index = index;
    g->config = w->config;
    snprintf(g->config.node, sizeof g->config.node, "sim%u", index + 1);
    disk_init(&g->disk);
    redis_init(&g->redis);
}

/* ---- a run ---- */

static struct world *world_new(uint64_t seed, int forced_kind, enum plant plant, bool trace)
{
    struct world *w = check_calloc(1, sizeof *w);
    w->seed = seed;
    w->plant = plant;
    w->trace = trace;
    w->now_us = US_PER_S;
    plan_draw(&w->plan, seed, forced_kind);
    struct rng seeds = {seed};
    w->rng.state = rng_next(&seeds);
    w->wire_rng.state = rng_next(&seeds);
    w->redis_rng.state = rng_next(&seeds);
    w->disk_rng.state = rng_next(&seeds);
    w->people_rng.state = rng_next(&seeds);
    w->secret_rng.state = rng_next(&seeds);
    w->retain_rng.state = rng_next(&seeds);
    schedule_init(&w->schedule);
    fill_config(w);
    ports_fill(w);
    server_init(&w->server);
    for (uint32_t i = 0; i < SIM_GATEWAYS_MAX; i++)
        init_gateway(w, i);
    world_turn_to(w, 0);
    wire_init(&w->wire, w->plan.limit);
    people_init(w);
    oracle_init(w);
    return w;
}

static void world_free(struct world *w)
{
    for (uint32_t i = 0; i < SIM_GATEWAYS_MAX; i++) {
        world_turn_to(w, i);
        w->gw->crashed = true; /* its last calls go nowhere */
        if (w->gw->engine)
            engine_free(w->gw->engine);
        witness_release(&w->gw->seen);
        redis_release(&w->gw->redis);
        disk_release(&w->gw->disk);
    }
    oracle_release(&w->oracle);
    people_release(&w->people);
    wire_release(&w->wire);
    server_release(&w->server);
    schedule_release(&w->schedule);
    release_config(&w->config);
    free(w);
}

#define EVENTS_BASE   100000
#define EVENTS_PER_MS 1
#define EVENTS_BULK   30 /* a message of PLAN_PACE, of which there are many */

static void step(struct world *w, struct event *e)
{
    w->now_us = e->at_us;
    w->events++;
    w->digest = hash_mix(w->digest ^ e->at_us ^ e->order);
    world_turn_to(w, e->gateway);
    e->run(w, e);
    free(e->data);
    for (uint32_t i = 0; i < w->plan.gateways && !w->failed && !w->over; i++) {
        world_turn_to(w, i);
        if (w->gw->engine && !w->gw->crashed)
            look_at_drain(w);
        if (w->gw->crashed && !w->failed)
            bury(w, false);
    }
}

void world_run(uint64_t seed, int forced_kind, enum plant plant, bool trace,
               struct outcome *ret_outcome)
{
    struct world *w = world_new(seed, forced_kind, plant, trace);
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        world_turn_to(w, i);
        world_at(w, 0, start_process, 0, 0, 0);
    }
    people_begin(w);
    begin_faults(w);
    world_at(w, w->plan.chaos_us, heal, 0, 0, 0);
    struct event e;
    while (!w->failed && !w->over && schedule_take(&w->schedule, &e))
        step(w, &e);
    /* An idle engine asks for a few turns a second; thousands more mean that it spins. */
    uint64_t bulk = w->plan.kind == PLAN_PACE ? w->plan.messages * (uint64_t)EVENTS_BULK : 0;
    if (w->events > EVENTS_BASE + bulk + w->now_us / 1000 * EVENTS_PER_MS)
        world_fail(w, "P10", "%llu events: the engine spins", (unsigned long long)w->events);
    *ret_outcome = (struct outcome){.failed = w->failed,
                                    .digest = w->digest,
                                    .virtual_us = w->now_us,
                                    .events = w->events,
                                    .sends = w->oracle.sends,
                                    .stops = w->oracle.stops_answered,
                                    .crashes = w->crashes,
                                    .kind = w->plan.kind,
                                    .limit = w->plan.limit,
                                    .pace_used = oracle_pace_used(w),
                                    .pace_refused = oracle_pace_refused(w),
                                    .otp_worst_us = w->oracle.otp_worst_us};
    memcpy(ret_outcome->failure, w->failure, sizeof w->failure);
    world_free(w);
}

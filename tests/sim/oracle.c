/* SPDX-License-Identifier: Apache-2.0 */
/* The judge. It knows the promises and nothing of how they are kept: it reads the octets that leave
 * the gateway with a decoder of its own, looks into Redis at the instant a check is executed, and
 * reads durable records. */
#include "tests/sim/world.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "consent/person.h"
#include "consent/reply.h"
#include "proto/base/check.h"
#include "smpp/pdu.h"
#include "tests/sim/facts.h"

#define QUIET_GRACE_MS      5000 /* a socket that takes nothing for a while */
#define SECOND_US           US_PER_S
#define VERDICT_AGE_US      (VERDICT_AGE_MAX_MS * US_PER_MS)
#define CONFIRMATION_MAX_US (CONFIRMATION_MAX_MS * US_PER_MS)

/* ---- texts ---- */

/* Letters, digits, '#' and single spaces: the same from every alphabet. */
static void plain_add(char *out, size_t *n, unsigned c)
{
    if (c == ' ' && *n > 0 && out[*n - 1] == ' ')
        return;
    if (c < 128 && (isalnum((int)c) || c == '#' || c == ' ') && *n + 1 < PLAIN_SIZE)
        out[(*n)++] = (char)c;
}

void oracle_plain(struct span octets, uint8_t esm_class, uint8_t data_coding, char out[PLAIN_SIZE])
{
    size_t n = 0, step = data_coding == 8 ? 2 : 1;
    size_t i = (esm_class & ESM_UDHI) && octets.length > 0 ? 1u + octets.data[0] : 0;
    for (; i + step <= octets.length; i += step)
        plain_add(out, &n,
                  step == 1 ? octets.data[i]
                            : (unsigned)(octets.data[i] << 8 | octets.data[i + 1]));
    out[n] = 0;
}

static void add_service_text(struct world *w, int kind, const char *language, uint32_t program)
{
    struct oracle *o = &w->oracle;
    const struct program_config *p = &w->config.programs[program];
    struct reply_names names = {.brand = p->brand, .purpose = p->name, .contact = p->contact};
    char text[512];
    size_t length = reply_text((Assent__V1__ServiceKind)kind, language, &names, text, sizeof text);
    size_t n = 0;
    char *plain = o->service_texts[o->service_count];
    for (size_t i = 0; i < length; i++)
        plain_add(plain, &n, (uint8_t)text[i]);
    plain[n] = 0;
    o->service_kinds[o->service_count++] = kind;
}

static void fill_service_texts(struct world *w)
{
    static const char *const languages[] = {"en", "fr", "es", "ar"};
    struct oracle *o = &w->oracle;
    size_t most = 7 * 4 * SIM_PROGRAMS;
    o->service_texts = check_calloc(most, sizeof *o->service_texts);
    o->service_kinds = check_calloc(most, sizeof *o->service_kinds);
    for (int kind = ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION;
         kind <= ASSENT__V1__SERVICE_KIND__MARKETING_STOPPED; kind++)
        for (unsigned l = 0; l < 4; l++)
            for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
                add_service_text(w, kind, languages[l], p);
}

int oracle_service_kind(const struct world *w, const char *plain)
{
    const struct oracle *o = &w->oracle;
    for (size_t i = 0; i < o->service_count && strlen(plain) > 5; i++)
        if (strstr(o->service_texts[i], plain) != NULL)
            return o->service_kinds[i];
    return ASSENT__V1__SERVICE_KIND__SERVICE_NONE;
}

/* The index in "#index ", which every part holds; NONE for the gateway's own texts. */
static uint32_t text_index(const char *plain)
{
    for (const char *at = strchr(plain, '#'); at != NULL; at = strchr(at + 1, '#')) {
        char *end;
        unsigned long index = strtoul(at + 1, &end, 10);
        if (end > at + 1 && *end == ' ')
            return (uint32_t)index;
    }
    return NONE;
}

void oracle_init(struct world *w)
{
    for (unsigned i = 0; i < SIM_GATEWAYS_MAX; i++)
        w->gateways[i].seen.oldest_open = 1;
    w->oracle.first_owed = w->oracle.latest = NONE;
    fill_service_texts(w);
}

void oracle_release(struct oracle *o)
{
    free(o->service_texts);
    free(o->service_kinds);
    free(o->other_gateways.members);
    free(o->moves);
    free(o->sent);
    for (unsigned i = 0; i < SIM_NUMBERS_MAX * SIM_GATEWAYS_MAX; i++)
        free(o->subscribers[i / SIM_GATEWAYS_MAX].at[i % SIM_GATEWAYS_MAX].opted_out.members);
}

void witness_release(struct witness *s)
{
    free(s->verdicts);
    reputation_release(s);
    for (unsigned i = 0; i < SIM_CARRIERS_MAX; i++)
        free(s->writes[i].times);
    for (unsigned i = 0; i < SIM_CARRIERS_MAX * SIM_LINKS_MAX; i++)
        free(s->session_writes[i / SIM_LINKS_MAX][i % SIM_LINKS_MAX].times);
    for (unsigned i = 0; i < SIM_CARRIERS_MAX * SIM_PROGRAMS; i++)
        free(s->sender_writes[i / SIM_PROGRAMS][i % SIM_PROGRAMS].times);
}

/* ---- scopes ---- */

/* What a STOP ends, by the words of the agreement and not by the engine's. */
static void stop_scopes(struct world *w, uint32_t number, uint32_t program, bool everything,
                        struct stop_scopes *out)
{
    bool all_of_brand = w->plan.revoke_all && w->people.numbers[number] / 10000000000ull == 1;
    const struct program_config *of = &w->config.programs[program];
    bool informational = !of->classes[ASSENT__V1__CLASS__MARKETING];
    out->count = 0;
    if (everything || of->stop_reach == REACH_GLOBAL) {
        out->scopes[out->count++] = SCOPE_EVERYTHING;
        return;
    }
    if (of->stop_reach == REACH_BRAND || all_of_brand)
        out->scopes[out->count++] = scope_brand(w, program);
    for (uint32_t p = 0; p < SIM_PROGRAMS; p++) {
        bool same_brand = strcmp(w->config.programs[p].brand, of->brand) == 0;
        bool whole = all_of_brand || (of->stop_reach == REACH_BRAND && informational);
        if (p == program || (same_brand && whole))
            out->scopes[out->count++] = scope_program(w, p);
    }
}

static bool is_opt_out(const struct mo *mo)
{
    return mo->kind == MO_STOP || mo->kind == MO_STOP_ALL || mo->kind == MO_DOUBT;
}

/* What a reply ends. One that may have meant less ends the brand's marketing. */
static void mo_scopes(struct world *w, const struct mo *mo, struct stop_scopes *out)
{
    if (mo->kind == MO_DOUBT)
        *out = (struct stop_scopes){.scopes = {scope_brand(w, mo->program)}, .count = 1};
    else
        stop_scopes(w, mo->number, mo->program, mo->kind == MO_STOP_ALL, out);
}

static bool ends(struct world *w, uint16_t scope, uint32_t program, bool marketing)
{
    return scope == SCOPE_EVERYTHING || scope == scope_program(w, program) ||
           (marketing && scope == scope_brand(w, program));
}

/* Bits of programs whose marketing, or whose other messages, it ends. */
static uint32_t ended_by(struct world *w, const struct stop_scopes *stop, bool marketing)
{
    uint32_t mask = 0;
    for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
        for (uint8_t i = 0; i < stop->count; i++)
            if (ends(w, stop->scopes[i], p, marketing))
                mask |= 1u << p;
    return mask;
}

/* Who has ended everything has ended each part of it. */
static bool has_all(const struct set *opt_outs, const struct stop_scopes *stop, uint64_t number)
{
    if (set_has(opt_outs, consent_key(SCOPE_EVERYTHING, number)) ||
        set_has(opt_outs, consent_member(SCOPE_ERASED, number)))
        return true;
    for (uint8_t i = 0; i < stop->count; i++)
        if (!set_has(opt_outs, consent_key(stop->scopes[i], number)))
            return false;
    return true;
}

/* What a subscriber and the gateway of this event have to do with each other. */
static struct told *told(struct world *w, uint32_t number)
{
    return &w->oracle.subscribers[number].at[w->gw->index];
}

/* ---- P1: what Redis held when it was asked, and what was made of it ---- */

/* P3: a Redis that forgot something is caught up before it is asked anything. Where it refuses what it
 * should catch up with, the answer to what was asked behind is not read. */
static void check_caught_up(struct world *w)
{
    struct redis *r = &w->gw->redis;
    bool believed = w->server.now.mark == r->mark && !r->refused;
    if (r->caught_up_checked || !believed)
        return;
    r->caught_up_checked = true;
    struct set due = {0};
    facts_opt_outs(w, r->up_at_sequence, 0, &due);
    facts_lifts(w, r->up_at_sequence + 1, &due);
    for (size_t i = 0; i < due.count; i++)
        if (!facts_deny(w, &w->server.now.opt_out, due.members[i]))
            world_fail(w, "P3",
                       "Redis is asked although it lacks the opt-out of %llu in scope %llu",
                       (unsigned long long)(due.members[i] & ((1ull << 50) - 1)),
                       (unsigned long long)(due.members[i] >> 50));
    free(due.members);
}

static struct moved *find_move(const struct oracle *o, uint64_t key)
{
    for (size_t i = 0; i < o->move_count; i++)
        if (o->moves[i].key == key)
            return &o->moves[i];
    return NULL;
}

static void note_move(struct world *w, uint64_t key, uint64_t at_us, bool denied)
{
    struct oracle *o = &w->oracle;
    struct moved *m = find_move(o, key);
    if (m == NULL) {
        if (o->move_count == o->move_size) {
            o->move_size = o->move_size ? o->move_size * 2 : 64;
            o->moves = check_realloc(o->moves, o->move_size * sizeof *o->moves);
        }
        m = &o->moves[o->move_count++];
        *m = (struct moved){.key = key};
    }
    if (at_us > m->at_us || (at_us == m->at_us && denied))
        *m = (struct moved){key, at_us, denied};
}

/* Redis has the opt-out, or had it, and nothing newer lifted it. A fingerprint of which no record says that it was kept
 * stood for opt-outs from after the erasure, which was written again: they are in the ledger themselves. */
static bool denies(struct world *w, uint16_t scope, uint32_t program, struct verdict_seen *seen)
{
    uint64_t key = consent_member(scope, w->people.numbers[seen->number]);
    if (set_has(&w->server.now.opt_out, key))
        return true;
    const struct moved *m = find_move(&w->oracle, key);
    if (m == NULL || !m->denied || (scope == SCOPE_ERASED && !erasures_say_kept(w, key)))
        return false;
    seen->forgotten |= 1u << program;
    return true;
}

void oracle_executed_check(struct world *w, const struct check *check,
                           struct verdict_seen *ret_seen)
{
    check_caught_up(w);
    struct verdict_seen seen = {.number = people_find_number(w, check->number), .used_by = NONE};
    bool aged = w->plan.consent_days != 0 || w->oracle.reassigned_day[seen.number] != 0;
    for (uint32_t p = 0; p < SIM_PROGRAMS; p++) {
        bool all = denies(w, SCOPE_EVERYTHING, p, &seen) || denies(w, SCOPE_HOLD, p, &seen) ||
                   denies(w, SCOPE_ERASED, p, &seen) || denies(w, scope_program(w, p), p, &seen);
        uint32_t day = aged ? consents_day(w, check->number, scope_program(w, p)) : 0;
        bool vacant =
            denies(w, SCOPE_REASSIGNED, p, &seen) && day <= w->oracle.reassigned_day[seen.number];
        bool old =
            w->plan.consent_days != 0 && day + w->plan.consent_days < world_wall_ms(w) / SIM_DAY_MS;
        if (!all && !vacant)
            seen.allows_other |= 1u << p;
        if (all || denies(w, scope_brand(w, p), p, &seen))
            continue;
        seen.allows_question |= 1u << p;
        bool listed = w->plan.registers && denies(w, SCOPE_DO_NOT_CALL, p, &seen);
        if (!vacant && !old && !listed &&
            set_has(&w->server.now.opt_in, consent_key(scope_program(w, p), check->number)))
            seen.allows_marketing |= 1u << p;
    }
    *ret_seen = seen;
}

void oracle_told_verdict(struct world *w, const struct verdict_seen *seen)
{
    struct witness *g = &w->gw->seen;
    size_t kept = 0;
    for (size_t i = 0; i < g->verdict_count; i++)
        if (g->verdicts[i].told_us + VERDICT_AGE_US >= w->now_us)
            g->verdicts[kept++] = g->verdicts[i];
    g->verdict_count = kept;
    if (g->verdict_count == g->verdict_size) {
        g->verdict_size = g->verdict_size ? g->verdict_size * 2 : 64;
        g->verdicts = check_realloc(g->verdicts, g->verdict_size * sizeof *g->verdicts);
    }
    g->verdicts[g->verdict_count] = *seen;
    g->verdicts[g->verdict_count++].told_us = w->now_us;
}

static uint32_t allowed_by(const struct verdict_seen *v, Assent__V1__Class message_class)
{
    if (message_class == ASSENT__V1__CLASS__MARKETING)
        return v->allows_marketing;
    return message_class == ASSENT__V1__CLASS__SERVICE ? v->allows_question : v->allows_other;
}

static bool use_verdict(struct world *w, const struct submit_seen *s,
                        Assent__V1__Class message_class, uint32_t used_by)
{
    struct witness *g = &w->gw->seen;
    for (size_t i = 0; i < g->verdict_count; i++) {
        struct verdict_seen *v = &g->verdicts[i];
        uint32_t allows = allowed_by(v, message_class);
        if (v->number != s->number || v->told_us + VERDICT_AGE_US < w->now_us ||
            v->used_by != used_by || !(allows >> s->program & 1))
            continue;
        v->used_by = s->text;
        return true;
    }
    return false;
}

static void check_verdict(struct world *w, const struct submit_seen *s,
                          Assent__V1__Class message_class)
{
    if (use_verdict(w, s, message_class, s->text) || use_verdict(w, s, message_class, NONE))
        return;
    bool forgotten = false;
    for (size_t i = 0; i < w->gw->seen.verdict_count; i++)
        forgotten = forgotten || (w->gw->seen.verdicts[i].number == s->number &&
                                  w->gw->seen.verdicts[i].forgotten >> s->program & 1);
    world_fail(w, forgotten ? "P3" : "P1", "#%d to number %u of %s written %s", (int)s->text,
               s->number, w->config.programs[s->program].name,
               forgotten ? "although Redis had had its opt-out, and lost it"
                         : "without a fresh pass from Redis");
}

/* ---- P2 ---- */

static void check_not_stopped(struct world *w, const struct submit_seen *s,
                              Assent__V1__Class message_class)
{
    const struct told *sub = told(w, s->number);
    bool as_marketing = message_class == ASSENT__V1__CLASS__MARKETING ||
                        message_class == ASSENT__V1__CLASS__SERVICE;
    if (sub->held)
        world_fail(w, "P2", "#%d to number %u of %s written after a complaint was answered",
                   (int)s->text, s->number, w->config.programs[s->program].name);
    if (sub->denied[as_marketing] >> s->program & 1)
        world_fail(w, "P2", "#%d to number %u of %s written after the answer to a STOP",
                   (int)s->text, s->number, w->config.programs[s->program].name);
    if (sub->read_life == w->gw->life && sub->read[as_marketing] >> s->program & 1)
        world_fail(w, "P3", "#%d to number %u of %s written although a STOP had been read",
                   (int)s->text, s->number, w->config.programs[s->program].name);
}

/* ---- P4 ---- */

static void check_confirmation(struct world *w, const struct submit_seen *s)
{
    struct subscriber *sub = &w->oracle.subscribers[s->number];
    if (s->part > 0)
        return;
    sub->confirmations++;
    if (sub->confirmations > sub->confirmations_due)
        world_fail(w, "P4", "confirmation %u to number %u for %u opt-outs", sub->confirmations,
                   s->number, sub->confirmations_due);
    else if (w->now_us > sub->last_stop_us + CONFIRMATION_MAX_US)
        world_fail(w, "P4", "a confirmation to number %u %.0f s after the STOP", s->number,
                   (double)(w->now_us - sub->last_stop_us) / 1e6);
}

/* ---- P6 ---- */

static bool may_write_again(struct world *w, const struct text *t, const struct part_write *p,
                            uint32_t part)
{
    if (p->writes == 0 || (p->answered && !p->taken))
        return true;
    if (t->message_class == ASSENT__V1__CLASS__MARKETING ||
        w->config.programs[t->program].on_unknown == UNKNOWN_NEVER_AGAIN)
        return false;
    const struct record *r = disk_accepted(w, t->id);
    bool recorded = r != NULL && (r->progress.sent_parts >> (part + 1) & 1);
    return !(p->answered && p->taken && (p->life == w->gw->life || recorded));
}

static void check_intent(struct world *w, const struct text *t, const struct submit_seen *s)
{
    const struct record *r = disk_accepted(w, t->id);
    const struct part_write *p = &t->parts[s->part];
    if (r == NULL || t->id > w->gw->disk.durable) {
        world_fail(w, "P5", "#%u written, and its acceptance is not durable", s->text);
        return;
    }
    if (r->progress.last_attempt == 0 || r->progress.last_attempt > w->gw->disk.durable)
        world_fail(w, "P6", "#%u (message %llu) written before its intent is durable", s->text,
                   (unsigned long long)t->id);
    else if (p->writes - p->refused + 1 > r->progress.attempts - r->progress.helds)
        world_fail(w, "P6",
                   "#%u written %u times, refused %u times, with %u intents, %u taken back",
                   s->text, p->writes + 1, p->refused, r->progress.attempts, r->progress.helds);
}

static uint16_t carrier_at(const struct world *w, uint32_t connection)
{
    return w->wire.connections[connection]->carrier;
}

/* Whatever its program says about messages in doubt: a part that one carrier has, or may have, keeps
 * the whole message from every other. */
static void check_one_carrier(struct world *w, const struct text *t, const struct submit_seen *s)
{
    for (unsigned i = 0; i < SIM_PARTS_MAX; i++) {
        const struct part_write *p = &t->parts[i];
        bool refused = p->writes == 0 || (p->answered && !p->taken);
        if (!refused && carrier_at(w, p->connection) != carrier_at(w, s->connection))
            world_fail(w, "P6", "#%u part %u written to carrier %u; part %u was %s by carrier %u",
                       s->text, s->part + 1, carrier_at(w, s->connection), i + 1,
                       p->answered ? "taken" : "not answered", carrier_at(w, p->connection));
    }
}

static void note_write(struct world *w, struct text *t, const struct submit_seen *s)
{
    struct part_write *p = &t->parts[s->part];
    check_one_carrier(w, t, s);
    if (!may_write_again(w, t, p, s->part))
        world_fail(w, "P6", "#%u part %u (class %d) written again; the first was %s", s->text,
                   s->part + 1, t->message_class,
                   !p->answered ? "never answered" : "taken by the carrier");
    p->writes++;
    p->connection = s->connection;
    p->sequence = s->sequence;
    p->life = w->gw->life;
    p->answered = p->taken = false;
}

/* ---- P7 ---- */

static void count_write(struct world *w, struct write_times *t, uint32_t rate, const char *whose)
{
    if (t->count == t->size) {
        t->size = t->size ? t->size * 2 : 256;
        t->times = check_realloc(t->times, t->size * sizeof *t->times);
    }
    t->times[t->count++] = w->now_us;
    if (t->count > rate && w->now_us - t->times[t->count - 1 - rate] < SECOND_US)
        world_fail(w, "P7", "%u submit_sm to a %s in %.6f s, rate %u", rate + 1, whose,
                   (double)(w->now_us - t->times[t->count - 1 - rate]) / 1e6, rate);
}

static void check_rate(struct world *w, const struct connection *c)
{
    const struct carrier_config *config = &w->config.carriers[c->carrier];
    count_write(w, &w->gw->seen.writes[c->carrier], config->rate, "carrier");
    if (config->session_rate != 0)
        count_write(w, &w->gw->seen.session_writes[c->carrier][c->link], config->session_rate,
                    "session");
}

static void check_sender_day(struct world *w, const struct connection *c, uint32_t program)
{
    uint32_t daily = w->config.carriers[c->carrier].sender_daily;
    uint64_t day = world_wall_ms(w) / 86400000;
    if (w->gw->seen.sender_days[c->carrier][program].day != day)
        w->gw->seen.sender_days[c->carrier][program].count = 0;
    w->gw->seen.sender_days[c->carrier][program].day = day;
    if (++w->gw->seen.sender_days[c->carrier][program].count > daily && daily != 0)
        world_fail(w, "P7", "%u submit_sm of a sender in a day, its cap is %u",
                   w->gw->seen.sender_days[c->carrier][program].count, daily);
}

static void check_sender_rate(struct world *w, const struct connection *c, uint32_t program)
{
    const struct carrier_config *config = &w->config.carriers[c->carrier];
    const char *sender = w->config.programs[program].senders[0];
    uint32_t rate = config->sender_rate;
    for (uint16_t i = 0; i < config->sender_count; i++)
        if (strcmp(config->senders[i].sender, sender) == 0)
            rate = config->senders[i].rate;
    if (rate != 0)
        count_write(w, &w->gw->seen.sender_writes[c->carrier][program], rate, "sender");
}

/* ---- P7 against a carrier that refuses: its limit is found, and order is kept ---- */

void oracle_paced(struct world *w, bool taken)
{
    struct oracle *o = &w->oracle;
    if (o->pace_from_us == 0)
        o->pace_from_us = w->now_us + PACE_SETTLE_US;
    if (w->now_us < o->pace_from_us || w->now_us >= o->pace_from_us + PACE_JUDGED_US)
        return;
    o->paced += taken;
    o->refused += !taken;
}

double oracle_pace_used(const struct world *w)
{
    double most = (double)w->plan.limit * (double)(PACE_JUDGED_US / SECOND_US);
    return w->plan.limit ? (double)w->oracle.paced / most : 0;
}

double oracle_pace_refused(const struct world *w)
{
    const struct oracle *o = &w->oracle;
    return o->paced + o->refused ? (double)o->refused / (double)(o->paced + o->refused) : 0;
}

static void check_pace(struct world *w)
{
    if (oracle_pace_used(w) < 0.95 || oracle_pace_refused(w) >= 0.01)
        world_fail(w, "P7", "limit %u (bucket %u): %.1f %% of it used, %.2f %% refused",
                   w->plan.limit, w->plan.bucket, oracle_pace_used(w) * 100,
                   oracle_pace_refused(w) * 100);
}

static bool begun(const struct text *t)
{
    for (unsigned i = 0; i < SIM_PARTS_MAX; i++)
        if (t->parts[i].writes > 0 && (!t->parts[i].answered || t->parts[i].taken))
            return true;
    return false;
}

/* The texts are one lane. What the gateway knows to be refused goes out before any later text, unless
 * a part of that is with the carrier already. */
static void note_order(struct world *w, const struct submit_seen *s)
{
    struct oracle *o = &w->oracle;
    struct text *t = &w->people.texts[s->text];
    if (!begun(t) && (o->latest == NONE || s->text > o->latest))
        o->latest = s->text;
    t->owed = false;
    while (o->first_owed < w->people.text_count && !w->people.texts[o->first_owed].owed)
        o->first_owed++;
}

/* A turn writes to each session at its end: between sessions there is no order inside a turn. */
static void check_order(struct world *w)
{
    struct oracle *o = &w->oracle;
    if (o->latest != NONE && o->latest > o->first_owed)
        world_fail(w, "P7", "#%u written while #%u is to be written again", o->latest,
                   o->first_owed);
    if (o->latest != NONE && o->latest > o->highest)
        o->highest = o->latest;
    o->latest = NONE;
}

/* Parts in their order on one session, nothing of the lane between but what was refused before. */
static void check_parts(struct world *w, const struct submit_seen *s)
{
    const struct text *t = &w->people.texts[s->text];
    uint32_t *last = &w->wire.connections[s->connection]->last_text;
    if (t->parts[s->part].writes > 0) {
        *last = begun(t) ? *last : s->text;
        return;
    }
    if (s->part > 0 &&
        (*last != s->text || t->parts[s->part - 1].writes == 0 || w->oracle.highest > s->text))
        world_fail(w, "P7", "part %u of #%u not right behind the part before it (#%u was, or #%u)",
                   s->part + 1, s->text, *last, w->oracle.highest);
    *last = s->text;
}

static void refusal_handed(struct world *w, uint32_t text)
{
    w->people.texts[text].owed = true;
    if (text < w->oracle.first_owed)
        w->oracle.first_owed = text;
}

/* ---- a submit_sm leaves the gateway ---- */

static void skip_string(struct reader *r, char *out, size_t size)
{
    size_t n = 0;
    for (uint8_t c = read_u8(r); c != 0 && !r->failed; c = read_u8(r))
        if (n + 1 < size)
            out[n++] = (char)c;
    out[n] = 0;
}

/* A last part may be too short to say what it belongs to. */
static uint32_t text_of_first_part(const struct world *w, const struct submit_seen *s)
{
    const struct oracle *o = &w->oracle;
    for (size_t i = o->sent_count; i-- > 0;)
        if (o->sent[i].number == s->number && o->sent[i].program == s->program &&
            o->sent[i].reference == s->reference && o->sent[i].part + 1 == s->part &&
            w->wire.connections[o->sent[i].connection]->gateway == w->gw->index)
            return o->sent[i].text;
    return NONE;
}

static bool read_submit(struct world *w, struct reader r, struct submit_seen *s)
{
    char source[24], destination[24], skipped[24];
    skip_string(&r, skipped, sizeof skipped);
    read_u16(&r);
    skip_string(&r, source, sizeof source);
    read_u16(&r);
    skip_string(&r, destination, sizeof destination);
    s->esm_class = read_u8(&r);
    read_u16(&r);
    skip_string(&r, skipped, sizeof skipped);
    skip_string(&r, skipped, sizeof skipped);
    s->registered_delivery = read_u8(&r);
    read_u8(&r);
    s->data_coding = read_u8(&r);
    read_u8(&r);
    struct span text = read_span(&r, read_u8(&r));
    uint64_t number = 0;
    if (r.failed || number_parse(span_from_string(destination), &number) != ERR_OK)
        return false;
    s->number = people_find_number(w, number);
    s->program = NONE;
    for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
        if (strcmp(source + (source[0] == '+'), w->config.programs[p].senders[0]) == 0)
            s->program = p;
    s->part = (s->esm_class & ESM_UDHI) && text.length > 5 ? text.data[5] - 1u : 0;
    s->last = !((s->esm_class & ESM_UDHI) && text.length > 5) || text.data[4] == s->part + 1;
    oracle_plain(text, s->esm_class, s->data_coding, s->plain);
    s->reference = (s->esm_class & ESM_UDHI) && text.length > 5 ? text.data[3] : 0;
    s->text = text_index(s->plain);
    if (s->text == NONE && s->part > 0)
        s->text = text_of_first_part(w, s);
    return s->number != NONE && s->program != NONE && s->part < SIM_PARTS_MAX;
}

/* Nothing begins in quiet hours. What was decided right before them may leave a little later. */
static void check_hours(struct world *w, const struct text *t, const struct submit_seen *s)
{
    uint64_t now_ms = world_wall_ms(w);
    uint32_t begun = 0;
    for (unsigned i = 0; i < SIM_PARTS_MAX; i++)
        begun += t->parts[i].writes;
    bool alone = s->part == 0 && s->last;
    if (w->plan.quiet_at_us != 0 && people_keep_hours(w, t) && (begun == 0 || alone) &&
        people_are_asleep(w, t, now_ms) && people_are_asleep(w, t, now_ms - QUIET_GRACE_MS))
        world_fail(w, "P1", "#%u written to number %u in its quiet hours", s->text, s->number);
}

/* Nor when the sender is not registered for it any more. */
static void check_registration(struct world *w, const struct text *t, const struct submit_seen *s)
{
    uint64_t now_ms = world_wall_ms(w);
    if (s->part == 0 && people_lost_registration(w, t, now_ms - QUIET_GRACE_MS))
        world_fail(w, "P1", "#%u written from a sender whose registration had ended", s->text);
}

/* Marketing names its brand, and from some time on has no link of a shortener. */
static void check_content(struct world *w, const struct text *t, const struct submit_seen *s)
{
    if (w->plan.content_at_us == 0 || s->part != 0 ||
        t->message_class != ASSENT__V1__CLASS__MARKETING)
        return;
    bool asked = !w->plan.brand_late || (w->links_end_us != 0 && t->accepted_us > w->links_end_us);
    if (asked && strstr(s->plain, w->config.programs[s->program].brand) == NULL)
        world_fail(w, "P1", "#%u written without the name of its brand: %s", s->text, s->plain);
    if (w->links_end_us != 0 && w->now_us > w->links_end_us + QUIET_GRACE_MS * US_PER_MS &&
        strstr(s->plain, "bitly") != NULL)
        world_fail(w, "P1", "#%u written with a link of a shortener", s->text);
}

/* What was decided right before the copy grew too old may leave a little later. */
static void check_register(struct world *w, const struct text *t, const struct submit_seen *s)
{
    if (w->plan.registers && t->message_class == ASSENT__V1__CLASS__MARKETING &&
        !files_register_counts(w, world_wall_ms(w) - QUIET_GRACE_MS))
        world_fail(w, "P1", "#%u written without a copy of the do-not-call register that counts",
                   s->text);
}

static void judge_text(struct world *w, const struct submit_seen *s)
{
    if (s->text >= w->people.text_count) {
        world_fail(w, "P1", "a text that nobody submitted: %s", s->plain);
        return;
    }
    struct text *t = &w->people.texts[s->text];
    if (t->gateway != w->gw->index)
        world_fail(w, "P1", "#%u written by gateway %u, which it was not given", s->text,
                   w->gw->index + 1);
    if (t->number != s->number || t->program != s->program)
        world_fail(w, "P1", "#%u written to number %u of %s, meant for number %u of %s", s->text,
                   s->number, w->config.programs[s->program].name, t->number,
                   w->config.programs[t->program].name);
    if (t->cancel_told)
        world_fail(w, "P5", "#%u written after its cancellation", s->text);
    check_verdict(w, s, t->message_class);
    check_not_stopped(w, s, t->message_class);
    check_hours(w, t, s);
    check_registration(w, t, s);
    check_content(w, t, s);
    check_register(w, t, s);
    check_intent(w, t, s);
    reputation_written(w, t, s);
    if (t->message_class == ASSENT__V1__CLASS__MARKETING && plan_is_chaos(&w->plan))
        consents_check_marketing(w, s->number, s->program);
    if (w->plan.kind == PLAN_PACE) {
        note_order(w, s);
        check_parts(w, s);
    }
    note_write(w, t, s);
    caps_written(w, s->text);
    uint64_t waited_us = w->now_us - t->accepted_us;
    uint64_t *worst_us = t->message_class == ASSENT__V1__CLASS__OTP ? &w->oracle.otp_worst_us
                                                                    : &w->oracle.bulk_worst_us;
    if (waited_us > *worst_us)
        *worst_us = waited_us;
}

static void judge_service(struct world *w, struct submit_seen *s)
{
    s->service = oracle_service_kind(w, s->plain);
    switch (s->service) {
    case ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION:
    case ASSENT__V1__SERVICE_KIND__WHICH_MESSAGES:
    case ASSENT__V1__SERVICE_KIND__MARKETING_STOPPED:
        check_confirmation(w, s);
        break;
    case ASSENT__V1__SERVICE_KIND__HELP_REPLY:
        break;
    case ASSENT__V1__SERVICE_KIND__OPT_IN_QUESTION:
        check_verdict(w, s, ASSENT__V1__CLASS__SERVICE);
        check_not_stopped(w, s, ASSENT__V1__CLASS__SERVICE);
        break;
    case ASSENT__V1__SERVICE_KIND__WELCOME:
    case ASSENT__V1__SERVICE_KIND__OPT_IN_AGAIN:
        check_not_stopped(w, s, ASSENT__V1__CLASS__SERVICE);
        break;
    default:
        world_fail(w, "P1", "a text that nobody submitted: %s", s->plain);
        return;
    }
    if (s->part > 0)
        return;
    uint32_t *writes = &told(w, s->number)->service_writes[s->service];
    if (++*writes > facts_service_attempts(w, w->people.numbers[s->number], s->service))
        world_fail(w, "P6", "service text %d to number %u written before its intent is durable",
                   s->service, s->number);
}

static void remember_sent(struct world *w, const struct submit_seen *s)
{
    struct oracle *o = &w->oracle;
    if (o->sent_count == o->sent_size) {
        o->sent_size = o->sent_size ? o->sent_size * 2 : 256;
        o->sent = check_realloc(o->sent, o->sent_size * sizeof *o->sent);
    }
    o->sent[o->sent_count++] = *s;
}

static struct submit_seen *find_sent(const struct world *w, uint32_t connection, uint32_t sequence)
{
    const struct oracle *o = &w->oracle;
    for (size_t i = o->sent_count; i-- > 0;)
        if (o->sent[i].connection == connection && o->sent[i].sequence == sequence)
            return &o->sent[i];
    return NULL;
}

uint32_t oracle_text_of(const struct world *w, uint32_t connection, uint32_t sequence)
{
    const struct submit_seen *s = find_sent(w, connection, sequence);
    return s != NULL ? s->text : NONE;
}

void oracle_answered_without_id(struct world *w, uint32_t connection, uint32_t sequence)
{
    uint32_t text = oracle_text_of(w, connection, sequence);
    if (text != NONE)
        w->people.texts[text].no_id = true;
}

bool oracle_may_repeat(struct world *w, uint32_t text, uint32_t other)
{
    if (text == NONE || other == NONE)
        return false;
    struct text *t = &w->people.texts[text], *o = &w->people.texts[other];
    if (t->number == o->number || t->twin != NONE || o->twin != NONE)
        return false;
    t->twin = other;
    o->twin = text;
    return true;
}

/* Every submit_sm of it was answered with an id, at once, in this life: which ids have ended is
 * remembered until a restart. */
static bool ids_are_known(const struct world *w, const struct text *t)
{
    for (unsigned i = 0; i < SIM_PARTS_MAX; i++) {
        const struct part_write *p = &t->parts[i];
        if (p->writes > 1 ||
            (p->writes > 0 && !(p->answered && p->taken && p->life == w->gw->life)))
            return false;
    }
    return !t->no_id;
}

/* Unless the ids of both are known, a receipt may be taken for the other one's. */
static void receipt_handed(struct world *w, const struct mo *mo)
{
    struct text *t = &w->people.texts[mo->receipt_of];
    t->said |= 1u << mo->outcome;
    if (t->twin == NONE)
        return;
    struct text *twin = &w->people.texts[t->twin];
    if (!ids_are_known(w, t) || !ids_are_known(w, twin))
        t->blurred = twin->blurred = true;
}

/* Every part is to report, or the last one alone where the carrier is set so. */
static void check_asked(struct world *w, const struct submit_seen *s)
{
    uint16_t carrier = w->wire.connections[s->connection]->carrier;
    bool expected = s->last || !(w->plan.last_receipts >> carrier & 1);
    if ((s->registered_delivery != 0) != expected)
        world_fail(w, "P5", "part %u to number %u %s for its receipt", s->part + 1, s->number,
                   expected ? "is not asked" : "is asked");
}

static void submit_leaves(struct world *w, uint32_t connection, struct reader r, uint32_t sequence)
{
    struct submit_seen s = {.connection = connection, .sequence = sequence};
    w->oracle.sends++;
    check_rate(w, w->wire.connections[connection]);
    if (!read_submit(w, r, &s)) {
        world_fail(w, "P1", "a submit_sm that does not parse, or to nobody");
        return;
    }
    check_sender_rate(w, w->wire.connections[connection], s.program);
    check_sender_day(w, w->wire.connections[connection], s.program);
    check_asked(w, &s);
    TRACE(w, "gateway", "submit_sm %u to number %u of %s: %.40s", sequence, s.number,
          w->config.programs[s.program].name, s.plain);
    if (s.text != NONE)
        judge_text(w, &s);
    else
        judge_service(w, &s);
    remember_sent(w, &s);
}

/* ---- the answer to a STOP leaves the gateway ---- */

static void check_durable_and_in_redis(struct world *w, const struct mo *mo,
                                       const struct stop_scopes *stop)
{
    uint64_t number = w->people.numbers[mo->number];
    struct set opt_outs = {0};
    facts_opt_outs(w, w->gw->disk.durable, number, &opt_outs);
    const struct redis *r = &w->gw->redis;
    bool redis_stood = r->up && !r->broken && r->up_since_us < mo->handed_us &&
                       w->server.flushed_us < mo->handed_us;
    bool in_time = w->now_us - mo->handed_us < STOP_HOLD_MS * US_PER_MS;
    if (!has_all(&opt_outs, stop, number))
        world_fail(w, "P3", "a STOP of number %u is answered before it is durable", mo->number);
    else if (redis_stood && in_time && !has_all(&w->server.now.opt_out, stop, number))
        world_fail(w, "P3", "a STOP of number %u is answered before Redis has it", mo->number);
    free(opt_outs.members);
}

static void check_cancelled(struct world *w, const struct mo *mo, const struct stop_scopes *stop)
{
    const uint32_t masks[] = {ended_by(w, stop, false), ended_by(w, stop, true)};
    for (uint64_t i = w->gw->seen.oldest_open; i < w->gw->disk.next; i++) {
        const struct record *r = &w->gw->disk.records[i];
        const struct fact *f = &r->fact;
        if (f->body != ASSENT__V1__EVENT__BODY_ACCEPTED || !r->progress.open ||
            !r->progress.waiting || f->number != w->people.numbers[mo->number] ||
            f->message_class == ASSENT__V1__CLASS__SERVICE || r->appended_us >= mo->handed_us)
            continue;
        uint32_t mask = masks[f->message_class == ASSENT__V1__CLASS__MARKETING];
        for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
            if ((mask >> p & 1) && scope_program(w, p) == f->program)
                world_fail(w, "P2", "message %llu to number %u still waits after its STOP",
                           (unsigned long long)i, mo->number);
    }
}

static void stop_answered(struct world *w, struct mo *mo)
{
    struct subscriber *sub = &w->oracle.subscribers[mo->number];
    if (sub->last_start_us >= mo->handed_us)
        return; /* a START came after it: it need not stand any more */
    struct stop_scopes stop;
    mo_scopes(w, mo, &stop);
    check_durable_and_in_redis(w, mo, &stop);
    check_cancelled(w, mo, &stop);
    for (unsigned marketing = 0; marketing < 2; marketing++)
        told(w, mo->number)->denied[marketing] |= ended_by(w, &stop, marketing);
    w->oracle.stops_answered++;
}

/* When both halves of a STOP have been answered, it is one; unless they came so far apart that they
 * need not have been joined, or a START came meanwhile, or the person was erased, and the first half too. */
static void half_answered(struct world *w, struct mo *mo)
{
    struct mo *other = &w->wire.mos[mo->other];
    uint64_t first_us = mo->first_us < other->first_us ? mo->first_us : other->first_us;
    mo->acknowledged = true;
    if (!other->acknowledged || mo->judged)
        return;
    mo->judged = other->judged = true;
    if (w->now_us - first_us > (REASSEMBLY_MS - 1000) * US_PER_MS ||
        w->oracle.subscribers[mo->number].last_erased_us >= first_us ||
        w->oracle.subscribers[mo->number].last_start_us >= first_us)
        return;
    struct mo whole = *mo;
    whole.kind = MO_STOP;
    whole.handed_us = mo->first_us > other->first_us ? mo->first_us : other->first_us;
    stop_answered(w, &whole);
}

static void receipt_answered(struct world *w, const struct mo *mo)
{
    if (mo->receipt_of == NONE || mo->unasked || mo->outcome == ASSENT__V1__OUTCOME__OUTCOME_OPEN)
        return;
    struct text *t = &w->people.texts[mo->receipt_of];
    if (t->receipt != 0)
        return;
    t->receipt = mo->outcome;
    t->receipt_at = w->gw->disk.next;
}

static void deliver_answered(struct world *w, uint32_t connection, uint32_t sequence,
                             uint32_t command_status)
{
    struct connection *c = w->wire.connections[connection];
    for (size_t i = c->handed_count; i-- > 0;) {
        struct delivery *d = &c->deliveries[i];
        if (d->is_answer || d->sequence != sequence)
            continue;
        struct mo *mo = &w->wire.mos[d->mo];
        TRACE(w, "gateway", "deliver_sm_resp %x to deliver_sm %u", command_status, d->mo);
        if (command_status == ESME_ROK && is_opt_out(mo))
            stop_answered(w, mo);
        if (command_status == ESME_ROK && mo->kind == MO_HALF)
            half_answered(w, mo);
        if (command_status == ESME_ROK && mo->kind == MO_RECEIPT)
            receipt_answered(w, mo);
        return;
    }
    world_fail(w, "P3", "an answer to a deliver_sm that was never delivered");
}

void oracle_octets_out(struct world *w, uint32_t connection, struct span octets)
{
    struct reader r = reader_over(octets);
    while (reader_left(&r) > 0 && !r.failed) {
        struct reader header = r;
        uint32_t length = read_u32(&header), id = read_u32(&header), status = read_u32(&header),
                 sequence = read_u32(&header);
        struct span pdu = read_span(&r, length);
        if (r.failed || length < SMPP_HEADER_SIZE) {
            world_fail(w, "P10", "octets to the carrier that are no PDU");
            return;
        }
        w->digest = hash_mix(w->digest ^ (uint64_t)id << 32 ^ sequence ^ length);
        header.end = pdu.data + pdu.length;
        if (id == SMPP_SUBMIT_SM)
            submit_leaves(w, connection, header, sequence);
        else if (id == (SMPP_DELIVER_SM | SMPP_RESPONSE))
            deliver_answered(w, connection, sequence, status);
    }
}

/* ---- something has reached the gateway ---- */

static void note_read(struct world *w, uint32_t number, const struct stop_scopes *stop)
{
    struct told *sub = told(w, number);
    for (unsigned marketing = 0; marketing < 2; marketing++) {
        if (sub->read_life != w->gw->life)
            sub->read[marketing] = 0;
        sub->read[marketing] |= ended_by(w, stop, marketing);
    }
    sub->read_life = w->gw->life;
}

static bool redis_knows(struct world *w, uint32_t number, uint64_t scope)
{
    const struct moved *m =
        find_move(&w->oracle, consent_key((uint16_t)scope, w->people.numbers[number]));
    return m != NULL && m->denied;
}

static bool is_in_stop(const struct stop_scopes *stop, uint64_t scope)
{
    for (uint8_t i = 0; i < stop->count; i++)
        if (stop->scopes[i] == scope)
            return true;
    return false;
}

/* Another gateway has read a STOP of a scope that this one is not about, and Redis has not. */
static bool leaves_news(struct world *w, uint32_t number, const struct stop_scopes *stop)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct set *others = &w->oracle.subscribers[number].at[g].opted_out;
        for (size_t i = 0; i < others->count && g != w->gw->index; i++)
            if (!is_in_stop(stop, others->members[i]) &&
                !redis_knows(w, number, others->members[i]))
                return true;
    }
    return false;
}

static bool is_heard(const struct subscriber *sub, const struct world *w, uint16_t scope)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++)
        if (set_has(&sub->at[g].opted_out, scope))
            return true;
    return false;
}

/* It says something new; or it does when Redis hears of it before it hears of a wider one, which was read at
 * another gateway and then says something new too. */
static bool is_news(struct world *w, uint32_t number, const struct stop_scopes *stop)
{
    const struct subscriber *sub = &w->oracle.subscribers[number];
    bool known = true;
    for (uint8_t i = 0; i < stop->count; i++) {
        if (!is_heard(sub, w, stop->scopes[i]))
            return true;
        known = known && (set_has(&told(w, number)->opted_out, stop->scopes[i]) ||
                          redis_knows(w, number, stop->scopes[i]));
    }
    return !known && leaves_news(w, number, stop);
}

/* A STOP that says something new is owed a confirmation. */
static void note_stop(struct world *w, struct mo *mo)
{
    struct subscriber *sub = &w->oracle.subscribers[mo->number];
    struct told *here = told(w, mo->number);
    struct stop_scopes stop;
    mo_scopes(w, mo, &stop);
    bool news = is_news(w, mo->number, &stop);
    for (uint8_t i = 0; i < stop.count; i++)
        set_add(&here->opted_out, stop.scopes[i]);
    here->owed = here->owed || news;
    sub->last_stop_us = w->now_us;
    sub->confirmations_due += news;
    mo->news = mo->news || news;
}

/* What a crash has taken out of the ledger this gateway has not heard. */
static void forget_lost(struct world *w, uint32_t number)
{
    struct set kept = {0}, *heard = &told(w, number)->opted_out;
    facts_opt_outs(w, w->gw->disk.durable, w->people.numbers[number], &kept);
    for (size_t i = heard->count; i-- > 0;) {
        uint64_t scope = heard->members[i];
        if (!facts_deny(w, &kept, consent_key((uint16_t)scope, w->people.numbers[number])))
            set_remove(heard, scope);
    }
    free(kept.members);
}

/* A STOP that comes again says something new then, or another one has said it before. */
static void take_back(struct world *w, struct mo *mo)
{
    struct stop_scopes stop;
    if (!mo->news || mo->done)
        return;
    struct subscriber *sub = &w->oracle.subscribers[mo->number];
    if (mo->handed_us <= sub->last_start_us || mo->handed_us <= sub->last_erased_us)
        return;
    mo_scopes(w, mo, &stop);
    for (uint8_t i = 0; i < stop.count && mo->news; i++)
        mo->news = is_heard(sub, w, stop.scopes[i]);
    sub->confirmations_due -= !mo->news;
}

void oracle_stops_recovered(struct world *w)
{
    for (uint32_t n = 0; n < w->plan.numbers; n++)
        forget_lost(w, n);
    for (size_t i = 0; i < w->wire.mo_count; i++)
        take_back(w, &w->wire.mos[i]);
}

/* The same person's STOP at another gateway came to Redis first, and had the one confirmation for both. */
static bool is_confirmed_elsewhere(const struct world *w, uint32_t gateway, const struct fact *stop)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = 1; i < d->next && g != gateway; i++) {
            const struct fact *f = &d->records[i].fact;
            if (f->body == ASSENT__V1__EVENT__BODY_OPTED_OUT && f->number == stop->number &&
                f->executed && !f->owed && f->effect_ms >= stop->effect_ms)
                return true;
        }
    }
    return false;
}

/* A STOP of before that Redis does not have yet says something new, when it gets there after the START. So does one
 * whose answer was lost with the connection: it is written again, and nothing tells its gateway that it had been there
 * before the START, beside another. Each is confirmed once all the same. */
static void owe_overtaken(struct world *w, uint32_t number)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = 1; i < d->next; i++) {
            struct fact *f = &d->records[i].fact;
            bool owed = f->owed && (f->owed_again || !is_confirmed_elsewhere(w, g, f));
            if (f->body != ASSENT__V1__EVENT__BODY_OPTED_OUT || owed || f->answered ||
                f->source != ASSENT__V1__CONSENT_SOURCE__REPLY ||
                f->number != w->people.numbers[number])
                continue;
            f->owed_again = f->owed;
            f->owed = true;
            w->oracle.subscribers[number].confirmations_due++;
        }
    }
}

/* The carrier says that its subscriber opted out: as good as a STOP, and nothing is confirmed. */
static void carrier_opt_out(struct world *w, const struct submit_seen *s)
{
    struct stop_scopes stop;
    stop_scopes(w, s->number, s->program, false, &stop);
    note_read(w, s->number, &stop);
}

static bool is_confirmation(int service)
{
    return service == ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION ||
           service == ASSENT__V1__SERVICE_KIND__WHICH_MESSAGES ||
           service == ASSENT__V1__SERVICE_KIND__MARKETING_STOPPED;
}

static void answer_handed(struct world *w, uint32_t connection, const struct delivery *d)
{
    const struct submit_seen *s = find_sent(w, connection, d->sequence);
    if (s == NULL)
        return;
    if (s->text == NONE) {
        struct subscriber *sub = &w->oracle.subscribers[s->number];
        bool refused = d->command_status != ESME_ROK && s->part == 0;
        told(w, s->number)->service_writes[s->service] -= refused;
        if (is_confirmation(s->service))
            sub->confirmations -= refused;
        return;
    }
    struct part_write *p = &w->people.texts[s->text].parts[s->part];
    if (p->connection != connection || p->sequence != d->sequence)
        return;
    p->answered = true;
    p->taken = d->command_status == ESME_ROK;
    p->refused += d->command_status != ESME_ROK;
    if (d->command_status == SIM_STATUS_OPTED_OUT)
        carrier_opt_out(w, s);
    if (w->plan.kind == PLAN_PACE && d->command_status != ESME_ROK)
        refusal_handed(w, s->text);
}

static void stop_handed(struct world *w, struct mo *mo)
{
    struct stop_scopes stop;
    mo_scopes(w, mo, &stop);
    note_read(w, mo->number, &stop);
    note_stop(w, mo);
    w->oracle.subscribers[mo->number].doubted |= mo->kind == MO_DOUBT;
}

/* Of who was erased here in between, the first half is gone, and the second alone says nothing. */
static void half_handed(struct world *w, struct mo *mo)
{
    if (mo->first_us == 0)
        mo->first_us = w->now_us;
    const struct mo *other = &w->wire.mos[mo->other];
    if (other->first_us != 0 && other->handed_us > told(w, mo->number)->erased_us)
        note_stop(w, mo);
}

static void start_handed(struct world *w, const struct mo *mo)
{
    struct subscriber *sub = &w->oracle.subscribers[mo->number];
    sub->last_start_us = w->now_us;
    for (unsigned i = 0; i < SIM_GATEWAYS_MAX; i++) {
        memset(sub->at[i].denied, 0, sizeof sub->at[i].denied);
        memset(sub->at[i].read, 0, sizeof sub->at[i].read);
        sub->at[i].opted_out.count = 0;
    }
    owe_overtaken(w, mo->number);
}

void oracle_handed(struct world *w, uint32_t connection, const struct delivery *d)
{
    if (d->is_answer) {
        answer_handed(w, connection, d);
        return;
    }
    struct mo *mo = &w->wire.mos[d->mo];
    mo->handed_us = w->now_us;
    if (is_opt_out(mo))
        stop_handed(w, mo);
    else if (mo->kind == MO_HALF)
        half_handed(w, mo);
    else if (mo->kind == MO_NO && w->oracle.subscribers[mo->number].doubted)
        w->oracle.subscribers[mo->number]
            .confirmations_due++;                         /* it may be a STOP to our question */
    else if (mo->kind == MO_START || mo->kind == MO_JOIN) /* which lifts an opt-out too */
        start_handed(w, mo);
    else if (mo->kind == MO_RECEIPT && mo->receipt_of != NONE)
        receipt_handed(w, mo);
}

/* ---- writes into Redis ---- */

/* When a STOP or a START came, of others when it was recorded. */
static uint64_t moved_us(const struct record *r)
{
    return (r->fact.effect_ms != 0 ? r->fact.effect_ms : r->fact.wall_ms) * US_PER_MS;
}

static void note_reassigned(struct world *w, const struct fact *f)
{
    uint32_t *day = &w->oracle.reassigned_day[people_find_number(w, f->number)];
    *day = f->day > *day ? f->day : *day;
}

/* Redis holds what is kept of it already. */
static void note_erased(struct world *w, uint64_t number, uint64_t at_us)
{
    uint64_t kept = consent_member(SCOPE_ERASED, number);
    for (size_t i = 0; i < w->oracle.move_count; i++)
        if (key_is_of(w->oracle.moves[i].key, number))
            w->oracle.moves[i] = (struct moved){w->oracle.moves[i].key, at_us, false};
    w->oracle.reassigned_day[people_find_number(w, number)] = 0;
    const struct moved *before = find_move(&w->oracle, kept);
    bool is_older =
        before != NULL && before->denied; /* of an erasure before: a START since lifts it */
    if (set_has(&w->server.now.opt_out, kept) && !is_older)
        note_move(w, kept, at_us, true);
    erasures_executed(w, number);
}

void oracle_searched(struct world *w, const struct consent_write *write, uint64_t number)
{
    uint64_t at_us = write->erased.wall_ms * US_PER_MS;
    uint64_t kept = consent_member(SCOPE_ERASED, number);
    for (size_t i = 0; i < w->oracle.move_count; i++) {
        struct moved *m = &w->oracle.moves[i];
        if (key_is_of(m->key, number) && !scope_is_register(m->key >> 50) && m->at_us <= at_us)
            *m = (struct moved){m->key, at_us, false};
    }
    if (write->erased.kept)
        note_move(w, kept, at_us, true);
    erasures_executed(w, number);
}

void oracle_executed_write(struct world *w, const struct consent_write *write)
{
    if (write->sequence > w->gw->disk.durable) {
        world_fail(w, "P3", "Redis has consent record %llu, which is not durable",
                   (unsigned long long)write->sequence);
        return;
    }
    struct record *r = &w->gw->disk.records[write->sequence];
    struct fact *f = &r->fact;
    f->executed = true;
    if (r->executed_us == 0 || write->kind == WRITE_ERASE) /* again: what came between goes too */
        r->executed_us = w->now_us;
    if (write->kind == WRITE_OPT_OUT || write->kind == WRITE_LIFT_OPT_OUT)
        for (unsigned i = 0; i < write->scope_count; i++)
            note_move(w, consent_member(write->scopes[i], write->number), moved_us(r),
                      write->kind == WRITE_OPT_OUT);
    if (write->kind == WRITE_ERASE)
        note_erased(w, write->number, moved_us(r));
    if (write->kind == WRITE_OPT_OUT && write->scopes[0] == SCOPE_REASSIGNED)
        note_reassigned(w, f);
    if (write->kind == WRITE_OPT_OUT && f->body != ASSENT__V1__EVENT__BODY_OPTED_OUT &&
        f->body != ASSENT__V1__EVENT__BODY_NUMBER_VACANT)
        world_fail(w, "P3", "an opt-out in Redis that record %llu does not say",
                   (unsigned long long)write->sequence);
    if (write->kind == WRITE_OPT_IN && f->body != ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED &&
        f->body != ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED)
        world_fail(w, "P1", "an opt-in in Redis that record %llu does not say",
                   (unsigned long long)write->sequence);
    if (write->kind == WRITE_LIFT_OPT_OUT && f->body != ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN)
        world_fail(w, "P3", "an opt-out lifted that record %llu does not say",
                   (unsigned long long)write->sequence);
    for (unsigned i = 0; i < write->scope_count && write->kind == WRITE_LIFT_OPT_OUT; i++)
        if (write->scopes[i] != SCOPE_ERASED && !facts_name_scope(f, write->scopes[i]))
            world_fail(w, "P3", "record %llu does not lift scope %u",
                       (unsigned long long)write->sequence, write->scopes[i]);
    if (write->number != 0 && f->number != write->number)
        world_fail(w, "P3", "record %llu is about another number",
                   (unsigned long long)write->sequence);
}

/* ---- P2 over two gateways: what waits at the other one is cancelled ---- */

#define NOTICE_JUDGED_US (5 * US_PER_S)
#define KNOWN_US         (3 * US_PER_S) /* two that run know each other by then */

static bool is_live_since(const struct gateway *g, uint64_t at_us)
{
    const struct redis *r = &g->redis;
    return g->engine != NULL && r->up && !r->broken && r->live_since_us != 0 &&
           r->live_since_us <= at_us;
}

/* It stands in Redis and in one of these scopes, and no START was on its way meanwhile. */
static bool is_ended_by(struct world *w, const struct record *r, const struct fact *opt_out)
{
    bool marketing = r->fact.message_class == ASSENT__V1__CLASS__MARKETING;
    for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
        for (uint8_t i = 0; i < opt_out->scope_count && r->fact.program == scope_program(w, p); i++)
            if (ends(w, opt_out->scopes[i], p, marketing) &&
                set_has(&w->server.now.opt_out, consent_key(opt_out->scopes[i], opt_out->number)))
                return true;
    return false;
}

/* A gateway that has been there all the while: nothing that waited at `at_us` waits now. */
static void judge_notice(struct world *w, struct event *e)
{
    const struct fact *opt_out = &w->gateways[e->a].disk.records[e->b].fact;
    uint64_t at_us = e->c;
    const struct subscriber *sub = &w->oracle.subscribers[people_find_number(w, opt_out->number)];
    if (!is_live_since(w->gw, at_us) ||
        (sub->last_start_us != 0 && sub->last_start_us + NOTICE_JUDGED_US > at_us))
        return;
    for (uint64_t i = w->gw->seen.oldest_open; i < w->gw->disk.next; i++) {
        const struct record *r = &w->gw->disk.records[i];
        const struct progress *p = &r->progress;
        if (r->fact.body == ASSENT__V1__EVENT__BODY_ACCEPTED && r->fact.number == opt_out->number &&
            r->fact.service == 0 && p->open && p->waiting && p->sent_parts == 0 &&
            r->appended_us < at_us && p->since_us < at_us && is_ended_by(w, r, opt_out))
            world_fail(w, "P2", "message %llu still waits, the STOP came at the other gateway",
                       (unsigned long long)i);
    }
}

void oracle_opt_out_noticed(struct world *w, const struct consent_write *write)
{
    uint32_t self = w->gw->index;
    const struct fact *f = &w->gw->disk.records[write->sequence].fact;
    bool asked_for = f->body == ASSENT__V1__EVENT__BODY_OPTED_OUT && f->import == 0;
    bool both = w->now_us > KNOWN_US;
    for (uint32_t i = 0; i < w->plan.gateways; i++)
        both = both && is_live_since(&w->gateways[i], w->now_us - KNOWN_US);
    for (uint32_t i = 0; i < w->plan.gateways && both && asked_for; i++) {
        world_turn_to(w, i);
        if (i != self)
            world_at(w, NOTICE_JUDGED_US, judge_notice, self, write->sequence, w->now_us);
    }
    world_turn_to(w, self);
}

/* ---- what submitters are told ---- */

void oracle_told_accepted(struct world *w, uint32_t text, uint64_t id)
{
    const struct record *r = disk_accepted(w, id);
    const struct text *t = &w->people.texts[text];
    if (r == NULL || id > w->gw->disk.durable)
        world_fail(w, "P5", "#%u was answered before it is durable (message %llu, durable %llu)",
                   text, (unsigned long long)id, (unsigned long long)w->gw->disk.durable);
    else if (r->fact.number != w->people.numbers[t->number])
        world_fail(w, "P5", "record %llu is not #%u", (unsigned long long)id, text);
}

void oracle_told_opt_out(struct world *w, uint32_t call)
{
    const struct call *c = &w->people.calls[call];
    struct subscriber *sub = &w->oracle.subscribers[c->number];
    if (sub->last_start_us >= c->asked_us)
        return;
    struct set opt_outs = {0};
    facts_opt_outs(w, w->gw->disk.durable, w->people.numbers[c->number], &opt_outs);
    struct stop_scopes stop = {.scopes = {SCOPE_HOLD}, .count = 1};
    if (c->kind != CALL_HOLD)
        stop_scopes(w, c->number, c->program, false, &stop);
    if (!has_all(&opt_outs, &stop, w->people.numbers[c->number]) && c->kind != CALL_HOLD)
        world_fail(w, "P3", "an opt-out of number %u was answered before it is durable", c->number);
    free(opt_outs.members);
    for (unsigned marketing = 0; marketing < 2 && c->kind != CALL_HOLD; marketing++)
        told(w, c->number)->denied[marketing] |= ended_by(w, &stop, marketing);
}

/* ---- complaints ---- */

void oracle_told_complaint(struct world *w, uint32_t call)
{
    const struct call *c = &w->people.calls[call];
    uint64_t number = w->people.numbers[c->number];
    if (w->oracle.subscribers[c->number].last_release_us >= c->asked_us)
        return;
    struct set opt_outs = {0};
    facts_opt_outs(w, w->gw->disk.durable, number, &opt_outs);
    if (!set_has(&opt_outs, consent_key(SCOPE_HOLD, number)))
        world_fail(w, "P2", "a complaint of number %u was answered, and it is not suppressed",
                   c->number);
    free(opt_outs.members);
    told(w, c->number)->held = true;
}

/* From then on it may be over, whether the answer comes or not. */
void oracle_asked_release(struct world *w, uint32_t number)
{
    struct told *t = told(w, number);
    t->was_held = t->held;
    t->held = false;
}

/* Of any hold, at whatever gateway it was made. */
void oracle_any_release(struct world *w, uint32_t number)
{
    struct subscriber *sub = &w->oracle.subscribers[number];
    sub->last_release_us = w->now_us;
    for (unsigned i = 0; i < SIM_GATEWAYS_MAX; i++)
        sub->at[i].held = sub->at[i].was_held = false;
}

void oracle_erases(struct world *w, uint32_t number)
{
    told(w, number)->erased_us = w->now_us;
    oracle_forgets(w, number);
}

void oracle_forgets(struct world *w, uint32_t number)
{
    w->oracle.subscribers[number].last_erased_us = w->now_us;
    for (unsigned i = 0; i < SIM_GATEWAYS_MAX; i++)
        w->oracle.subscribers[number].at[i].opted_out.count = 0;
    owe_overtaken(w, number);
}

void oracle_kept_hold(struct world *w, uint32_t number)
{
    told(w, number)->held = told(w, number)->was_held;
}

/* ---- bounds, and the end ---- */

void oracle_turn_over(struct world *w)
{
    struct engine_status status;
    check_order(w);
    engine_status(w->gw->engine, &status);
    if (status.open_messages > w->config.max_open_messages + 64) /* service texts come on top */
        world_fail(w, "P10", "%llu open messages, %u allowed",
                   (unsigned long long)status.open_messages, w->config.max_open_messages);
    if (status.memory_octets > w->config.max_memory_octets)
        world_fail(w, "P10", "%llu octets of memory", (unsigned long long)status.memory_octets);
}

/* What one gateway still owes; NULL: nothing. */
static const char *owed_by_gateway(struct world *w)
{
    static char what[160];
    uint64_t open = facts_oldest_open(w);
    if (open != 0) {
        const struct record *r = &w->gw->disk.records[open];
        snprintf(what, sizeof what,
                 "message %llu has no end (class %d, %u attempts, %u taken back, since %.3f s)",
                 (unsigned long long)open, r->fact.message_class, r->progress.attempts,
                 r->progress.helds, (double)r->progress.since_us / 1e6);
        return what;
    }
    for (size_t i = 0; i < w->wire.mo_count && !w->ending; i++) { /* later ones wait for the next */
        if (!w->wire.mos[i].done) {
            snprintf(what, sizeof what, "deliver_sm %zu was never answered with ESME_ROK", i);
            return what;
        }
    }
    for (size_t i = 0; i < w->people.call_count; i++) {
        if (!w->people.calls[i].answered && w->people.calls[i].gateway == w->gw->index &&
            w->people.calls[i].life == w->gw->life) {
            snprintf(what, sizeof what, "call %zu was never answered", i);
            return what;
        }
    }
    if (erasures_open(w) != 0) {
        snprintf(what, sizeof what, "erasure %llu has no end",
                 (unsigned long long)erasures_open(w));
        return what;
    }
    if (erasures_lacking(w))
        return "an erasure of another gateway was not joined";
    struct set opt_outs = {0};
    const char *lacking = NULL;
    facts_standing(w, &opt_outs);
    for (size_t i = 0; i < opt_outs.count; i++) {
        if (!facts_deny(w, &w->server.now.opt_out, opt_outs.members[i])) {
            snprintf(what, sizeof what, "Redis lacks the opt-out %llx",
                     (unsigned long long)opt_outs.members[i]);
            lacking = what;
        }
    }
    free(opt_outs.members);
    return lacking;
}

/* Tells what is missing until everything is as it must be in the end; NULL then. */
static const char *unsettled(struct world *w)
{
    const char *missing = NULL;
    for (uint32_t i = 0; i < w->plan.gateways && missing == NULL; i++) {
        world_turn_to(w, i);
        missing = owed_by_gateway(w);
    }
    return missing;
}

bool oracle_settled(struct world *w)
{
    return unsettled(w) == NULL;
}

/* P3, the other way round: Redis holds nothing that no record says. */
static void check_nothing_made_up(struct world *w)
{
    struct set opt_outs = {0};
    for (uint32_t i = 0; i < w->plan.gateways; i++) {
        world_turn_to(w, i);
        if (w->plan.gateways == 1)
            facts_standing(w, &opt_outs);
        else /* an opt-out that is written after a START at another gateway stays: deny wins */
            facts_said(w, &opt_outs);
    }
    for (size_t i = 0; i < w->server.now.opt_out.count; i++) {
        uint64_t key = w->server.now.opt_out.members[i];
        if (!set_has(&opt_outs, key) && !facts_deny(w, &w->oracle.other_gateways, key) &&
            !erasures_say_kept(w, key) && !erasures_met_later(w, key) &&
            !erasures_met_older(w, key) && !erasures_may_leave(w, key))
            world_fail(w, "P3", "Redis holds an opt-out that no ledger says: %llx",
                       (unsigned long long)key);
    }
    free(opt_outs.members);
}

static void check_accounted_for(struct world *w)
{
    for (uint32_t i = 0; i < w->people.text_count; i++) {
        const struct text *t = &w->people.texts[i];
        world_turn_to(w, t->gateway);
        const struct record *r = disk_accepted(w, t->id);
        if (t->told && (r == NULL || r->fact.number != w->people.numbers[t->number]))
            world_fail(w, "P5", "#%u was acknowledged as %llu and is gone", i,
                       (unsigned long long)t->id);
    }
}

static bool contradicts(const struct text *t)
{
    uint32_t final = t->said & ~(1u << ASSENT__V1__OUTCOME__OUTCOME_OPEN);
    return (final & (final - 1)) != 0;
}

/* Another text has the same id, and the gateway may not know that of both. */
static bool is_blurred(struct world *w, const struct text *t)
{
    if (t->twin == NONE)
        return false;
    const struct record *twin = disk_accepted(w, w->people.texts[t->twin].id);
    return t->blurred || (twin != NULL && twin->progress.was_in_doubt);
}

/* No message ends by a receipt that its carrier did not send for it: not by another carrier's with the
 * same id, nor by a stranger's. Which one is in doubt can only be guessed by its number. */
static void check_said(struct world *w, const struct text *t, const struct record *r)
{
    uint32_t said = t->said | (is_blurred(w, t) ? w->people.texts[t->twin].said : 0);
    int outcome = r->progress.outcome;
    bool by_receipt = outcome == ASSENT__V1__OUTCOME__DELIVERED ||
                      outcome == ASSENT__V1__OUTCOME__UNDELIVERABLE ||
                      outcome == ASSENT__V1__OUTCOME__DELETED;
    if (by_receipt && !r->progress.was_in_doubt && (said >> outcome & 1) == 0)
        world_fail(w, "P5", "message %llu ended as %d, which no receipt said (said %x)",
                   (unsigned long long)t->id, outcome, said);
}

/* One receipt alone decides what becomes of it: each part was written once and taken, and one is to
 * report. */
static bool ends_by_one_receipt(const struct world *w, const struct text *t, const struct record *r)
{
    uint32_t parts = r->fact.part, all = ((1u << parts) - 1) << 1;
    const struct part_write *p = &t->parts[0];
    bool last_alone =
        p->writes > 0 && w->plan.last_receipts >> w->wire.connections[p->connection]->carrier & 1;
    for (uint32_t i = 0; i < parts; i++)
        if (t->parts[i].writes != 1 || !t->parts[i].taken)
            return false;
    return (parts == 1 || last_alone) && (r->progress.sent_parts & all) == all && !t->no_id;
}

/* A receipt that was answered is never forgotten: the message that it belongs to ended so. */
static void check_receipts(struct world *w)
{
    for (uint32_t i = 0; i < w->people.text_count; i++) {
        const struct text *t = &w->people.texts[i];
        world_turn_to(w, t->gateway);
        const struct record *r = disk_accepted(w, t->id);
        if (t->told && r != NULL)
            check_said(w, t, r);
        if (contradicts(t) || is_blurred(w, t))
            continue;
        if (!t->told || r == NULL || t->receipt == 0 || !ends_by_one_receipt(w, t, r) ||
            r->progress.ended_at < t->receipt_at - 1)
            continue;
        if (r->progress.outcome != t->receipt)
            world_fail(w, "P5", "#%u (message %llu) ended as %d, the receipt said %d", i,
                       (unsigned long long)t->id, r->progress.outcome, t->receipt);
    }
}

static void check_rate_used(struct world *w)
{
    const struct write_times *t = &w->gw->seen.writes[0];
    uint32_t rate = w->plan.rate;
    uint64_t seconds = plan_rate_seconds(rate), count = 0;
    while (count < t->count && t->times[count] - t->times[0] < seconds * SECOND_US)
        count++;
    if (count * 100 < rate * seconds * 98)
        world_fail(w, "P7", "%llu submit_sm in %llu s under backlog, rate %u",
                   (unsigned long long)count, (unsigned long long)seconds, rate);
}

/* A code goes to the other carrier within FAILOVER_URGENT_MS, marketing within `failover_after`, and
 * when the first is back it is used again. */
static void check_failover(struct world *w)
{
    uint64_t slack_us = SECOND_US / 5;
    uint64_t bulk_us = w->config.carriers[0].failover_after_ms * US_PER_MS;
    if (w->oracle.otp_worst_us > FAILOVER_URGENT_MS * US_PER_MS + slack_us)
        world_fail(w, "P8", "a code waited %.1f ms for a carrier that is out",
                   (double)w->oracle.otp_worst_us / 1e3);
    if (w->oracle.bulk_worst_us > bulk_us + slack_us)
        world_fail(w, "P8",
                   "a message waited %.3f s for a carrier that is out, failover_after %u ms",
                   (double)w->oracle.bulk_worst_us / 1e6, w->config.carriers[0].failover_after_ms);
    const struct write_times *t = &w->gw->seen.writes[0];
    if (t->count == 0 || t->times[t->count - 1] < OUTAGE_FROM_US + OUTAGE_LASTS_US)
        world_fail(w, "P8", "nothing went to a carrier again after its outage");
}

/* Every message has its end: no text can be read any more. */
static void check_keys(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.gateways; i++)
        if (disk_keys_left(&w->gateways[i].disk) > 0)
            world_fail(w, "texts", "%u keys of texts are left",
                       disk_keys_left(&w->gateways[i].disk));
}

void oracle_end(struct world *w)
{
    const char *missing = unsettled(w);
    if (missing != NULL)
        world_fail(w, strstr(missing, "Redis") || strstr(missing, "deliver") ? "P3" : "P5", "%s",
                   missing);
    check_accounted_for(w);
    check_keys(w);
    check_receipts(w);
    check_nothing_made_up(w);
    files_end(w);
    erasures_end(w);
    if (w->plan.kind == PLAN_RATE)
        check_rate_used(w);
    if (w->plan.kind == PLAN_FAILOVER)
        check_failover(w);
    if (w->plan.kind == PLAN_PACE)
        check_pace(w);
    /* A token or a few, where codes come together, and what fsync and Redis take. */
    uint64_t otp_most_us = 15000 + 4 * SECOND_US / w->plan.rate;
    if (w->plan.kind == PLAN_OTP && w->oracle.otp_worst_us > otp_most_us)
        world_fail(w, "P8", "a code waited %.1f ms under backlog",
                   (double)w->oracle.otp_worst_us / 1e3);
}

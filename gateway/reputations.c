/* SPDX-License-Identifier: Apache-2.0 */
/* The reputation of our senders at carriers. What is counted is a fold over the ledger: records of ends, receipts,
 * opt-outs and complaints, as they are made or replayed, so that a restart counts the same. Alarms and pauses are
 * decided when something is counted and recorded behind it; a replay takes them from their records, and decides
 * nothing.
 *
 * A pause holds what is marketing, of this sender, at this carrier, and has not begun: flows are parked where their
 * lane would serve them, and what is already on its way is held right before the wire. Nothing but an operator ends
 * it; what was counted until then is forgotten, so that it does not pause again at once.
 *
 * The gateway's own replies are not counted: one follows each opt-out. An opt-out or a complaint counts only where
 * texts of this sender have ended in the last day, so that nobody outside makes pairs; and a person's opt-out once, as long as it is
 * among the last of its pair. */
#include <stdio.h>
#include <stdlib.h>

#include "consent/person.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define MINUTE_MS 60000u

struct reputation {
    char sender[17];
    uint16_t carrier;
    struct sliding windows[REPUTATION_WINDOWS];
    uint8_t alarms[REPUTATION_WINDOWS]; /* a bit each rate */
    bool paused;
    uint8_t rate, window; /* paused: why, */
    uint32_t share, threshold;
    uint64_t count, texts;
    uint64_t paused_wall_ms, paused_record; /* and since when */
    struct parking parking;
    uint32_t persons[REPUTATION_PERSONS]; /* of their fingerprints: a ring; 0: nobody */
    unsigned next_person;
};

struct reputation_book {
    struct reputation *rows[REPUTATIONS_MAX];
    unsigned count;
    struct table by_key;
    bool live; /* nothing is replayed any more */
    uint64_t minute;
    uint64_t uncounted;
};

/* ---- pairs ---- */

void reputations_init(struct engine *e)
{
    e->reputations = check_calloc(1, sizeof *e->reputations);
    table_init(&e->reputations->by_key);
}

void reputations_release(struct engine *e)
{
    for (unsigned i = 0; i < e->reputations->count; i++)
        free(e->reputations->rows[i]);
    table_release(&e->reputations->by_key);
    free(e->reputations);
}

static uint64_t key_of(const struct engine *e, uint16_t carrier, const char *sender)
{
    char name[sizeof carrier + 17];
    size_t length = strlen(sender);
    memcpy(name, &carrier, sizeof carrier);
    memcpy(name + sizeof carrier, sender, length);
    uint64_t hash = hash64(&e->key, name, sizeof carrier + length);
    return hash ? hash : 1;
}

static struct reputation *find(const struct engine *e, uint16_t carrier, const char *sender)
{
    if (strlen(sender) >= sizeof((struct reputation *)0)->sender)
        return NULL;
    return table_find_pointer(&e->reputations->by_key, key_of(e, carrier, sender));
}

/* NULL: there is no room. */
static struct reputation *find_or_make(struct engine *e, uint16_t carrier, const char *sender)
{
    struct reputation_book *book = e->reputations;
    struct reputation *r = find(e, carrier, sender);
    if (r != NULL || book->count == REPUTATIONS_MAX)
        return r;
    r = check_calloc(1, sizeof *r);
    snprintf(r->sender, sizeof r->sender, "%s", sender);
    r->carrier = carrier;
    parking_init(&r->parking);
    book->rows[book->count++] = r;
    *table_put(&book->by_key, key_of(e, carrier, sender)) = (uint64_t)(uintptr_t)r;
    return r;
}

static const char *sender_of(const struct engine *e, const struct message *m)
{
    return e->config->programs[m->program].senders[m->sender];
}

static const struct reputation_limits *limits_of(const struct engine *e, const struct reputation *r)
{
    return &e->carriers[r->carrier].config->reputation;
}

/* ---- alarms and pauses ---- */

static void describe(const struct engine *e, const struct reputation *r, unsigned window,
                     unsigned rate, Assent__V1__ReputationFinding *body)
{
    const uint64_t *totals = r->windows[window].totals;
    assent__v1__reputation_finding__init(body);
    body->carrier = UNCONST(e->carriers[r->carrier].config->name);
    body->sender = UNCONST(r->sender);
    body->rate = (Assent__V1__ReputationRate)rate;
    body->window = (Assent__V1__ReputationWindow)window;
    body->share = reputation_share(totals, rate);
    body->count = totals[reputation_kind_of(rate)];
    body->texts = reputation_texts(totals);
}

static void alarm(struct engine *e, struct reputation *r, unsigned window, unsigned rate)
{
    Assent__V1__ReputationFinding body;
    describe(e, r, window, rate, &body);
    body.threshold = limits_of(e, r)->rates[rate].alarm;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_REPUTATION_ALARM;
    event.reputation_alarm = &body;
    record_event(e, &event, NULL);
    r->alarms[window] |= (uint8_t)(1u << rate);
    e->metrics.counters[COUNT_REPUTATION_ALARMS]++;
}

/* What its record says. */
static void take_pause(struct engine *e, struct reputation *r, uint64_t record,
                       const Assent__V1__ReputationFinding *body, uint64_t wall_ms)
{
    e->carriers[r->carrier].reputations_paused += !r->paused;
    r->paused = true;
    r->rate = (uint8_t)((unsigned)body->rate < REPUTATION_RATES ? body->rate : 0);
    r->window = (uint8_t)((unsigned)body->window < REPUTATION_WINDOWS ? body->window : 0);
    r->share = body->share;
    r->threshold = body->threshold;
    r->count = body->count;
    r->texts = body->texts;
    r->paused_wall_ms = wall_ms;
    r->paused_record = record;
}

static void pause_sender(struct engine *e, struct reputation *r, unsigned window, unsigned rate)
{
    Assent__V1__ReputationFinding body;
    describe(e, r, window, rate, &body);
    body.threshold = limits_of(e, r)->rates[rate].pause;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED;
    event.reputation_paused = &body;
    take_pause(e, r, record_event(e, &event, NULL), &body, event.wall_ms);
    e->metrics.counters[COUNT_REPUTATION_PAUSES]++;
}

static void judge(struct engine *e, struct reputation *r, unsigned window, unsigned rate)
{
    const struct reputation_limits *limits = limits_of(e, r);
    const struct reputation_limit *limit = &limits->rates[rate];
    const uint64_t *totals = r->windows[window].totals;
    if ((r->alarms[window] >> rate & 1) == 0 &&
        reputation_is_over(totals, limits, rate, limit->alarm))
        alarm(e, r, window, rate);
    if (!r->paused && reputation_is_over(totals, limits, rate, limit->pause))
        pause_sender(e, r, window, rate);
}

static void calm(const struct engine *e, struct reputation *r, unsigned window)
{
    for (unsigned rate = 1; rate < REPUTATION_RATES && r->alarms[window] != 0; rate++)
        if (reputation_is_calm(r->windows[window].totals, limits_of(e, r), rate))
            r->alarms[window] &= (uint8_t) ~(1u << rate);
}

static void roll(struct reputation *r, uint64_t wall_ms)
{
    for (unsigned window = 1; r != NULL && window < REPUTATION_WINDOWS; window++)
        sliding_roll(&r->windows[window], reputation_bucket(window, wall_ms));
}

/* ---- counting ---- */

static void count(struct engine *e, struct reputation *r, enum reputation_kind kind,
                  uint64_t wall_ms)
{
    if (r == NULL) {
        e->reputations->uncounted++;
        return;
    }
    for (unsigned window = 1; window < REPUTATION_WINDOWS; window++) {
        sliding_add(&r->windows[window], reputation_bucket(window, wall_ms), kind, 1);
        if (!e->reputations->live)
            continue;
        calm(e, r, window);
        for (unsigned rate = 1; rate < REPUTATION_RATES; rate++)
            judge(e, r, window, rate);
    }
}

static void count_text(struct engine *e, const struct message *m, enum reputation_kind kind,
                       uint64_t wall_ms)
{
    if (m->service == ASSENT__V1__SERVICE_KIND__SERVICE_NONE)
        count(e, find_or_make(e, m->carrier, sender_of(e, m)), kind, wall_ms);
}

static enum reputation_kind kind_of_outcome(const struct message *m, Assent__V1__Outcome outcome)
{
    if (outcome == ASSENT__V1__OUTCOME__DELIVERED)
        return REPUTATION_DELIVERED;
    return m->fate != 0 ? (enum reputation_kind)m->fate : REPUTATION_OTHER;
}

static enum reputation_kind kind_of_status(const struct carrier_config *carrier, uint32_t status)
{
    switch (carrier_status_policy(carrier, status)) {
    case STATUS_FILTERED:
        return REPUTATION_FILTERED;
    case STATUS_UNKNOWN_SUBSCRIBER:
        return REPUTATION_UNKNOWN;
    case STATUS_OK:
    case STATUS_RETRY:
    case STATUS_THROTTLE:
    case STATUS_PERMANENT:
    case STATUS_ELSEWHERE:
    case STATUS_OPTED_OUT:
    case STATUS_UNKNOWN_PERMANENT:
        break;
    }
    return REPUTATION_OTHER;
}

/* What ended by our doing says nothing of the sender: suppressed, cancelled, too late; nor does what is in doubt. */
void reputation_ended(struct engine *e, const struct message *m, const Assent__V1__Ended *body,
                      uint64_t wall_ms)
{
    if (body->reason == ASSENT__V1__REASON__CARRIER_STATUS)
        count_text(e, m, kind_of_status(e->carriers[m->carrier].config, body->command_status),
                   wall_ms);
    else if (body->reason == ASSENT__V1__REASON__REASON_NONE)
        count_text(e, m, kind_of_outcome(m, body->outcome), wall_ms);
}

/* A carrier that says REJECTD, and no code that says more, refused the text. */
static enum reputation_kind kind_of_receipt(const struct engine *e, const struct message *m,
                                            const Assent__V1__Receipt *body)
{
    switch (news_of_receipt(e, m->carrier, (uint8_t)body->state, body->error_code)) {
    case NEWS_FILTERED:
        return REPUTATION_FILTERED;
    case NEWS_UNKNOWN_SUBSCRIBER:
        return REPUTATION_UNKNOWN;
    case NEWS_OPTED_OUT:
        return REPUTATION_OTHER;
    case NEWS_NONE:
        break;
    }
    return body->state == ASSENT__V1__RECEIPT_STATE__RECEIPT_REJECTED ? REPUTATION_FILTERED
                                                                      : REPUTATION_OTHER;
}

void reputation_reported(struct engine *e, struct message *m, const Assent__V1__Receipt *body,
                         uint64_t wall_ms)
{
    Assent__V1__Outcome part = outcome_of_receipt((uint8_t)body->state);
    if (part != ASSENT__V1__OUTCOME__OUTCOME_OPEN && part != ASSENT__V1__OUTCOME__DELIVERED &&
        m->fate == 0)
        m->fate = (uint8_t)(body->counted_as != 0 && body->counted_as < REPUTATION_OPT_OUTS
                                ? body->counted_as
                                : kind_of_receipt(e, m, body));
    if (body->outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN)
        count_text(e, m, kind_of_outcome(m, body->outcome), wall_ms);
}

static bool has_texts(const struct reputation *r)
{
    return r != NULL &&
           reputation_texts(r->windows[ASSENT__V1__REPUTATION_WINDOW__WINDOW_DAY].totals) > 0;
}

/* Of the fingerprint, so that an erasure finds it where the number is not known any more. */
static uint32_t short_mark(const struct person_mark *person)
{
    return (uint32_t)person->low | 1;
}

/* False: it was counted. */
static bool is_another(struct reputation *r, uint64_t number)
{
    struct person_mark mark = person_mark(number);
    uint32_t person = short_mark(&mark);
    for (unsigned i = 0; i < REPUTATION_PERSONS && number != 0; i++)
        if (r->persons[i] == person)
            return false;
    r->persons[r->next_person] = person;
    r->next_person = (r->next_person + 1) % REPUTATION_PERSONS;
    return true;
}

void reputation_opted_out(struct engine *e, uint64_t number, const Assent__V1__OptedOut *body,
                          uint64_t wall_ms)
{
    int carrier = carrier_index(e, body->carrier);
    bool answers = body->source == ASSENT__V1__CONSENT_SOURCE__REPLY ||
                   body->source == ASSENT__V1__CONSENT_SOURCE__CARRIER;
    if (carrier < 0 || !answers || e->plant == PLANT_OPT_OUTS_UNCOUNTED)
        return;
    struct reputation *r = find(e, (uint16_t)carrier, body->sender);
    roll(r, wall_ms);
    if (has_texts(r) && is_another(r, number))
        count(e, r, REPUTATION_OPT_OUTS, wall_ms);
}

/* Whoever opts out again later is counted again. */
void reputations_erase(struct engine *e, const struct person_mark *person)
{
    uint32_t mark = short_mark(person);
    for (unsigned i = 0; i < e->reputations->count; i++)
        for (unsigned p = 0; p < REPUTATION_PERSONS; p++)
            if (e->reputations->rows[i]->persons[p] == mark)
                e->reputations->rows[i]->persons[p] = 0;
}

/* Where nobody says by which carrier the text came, it may have been any. */
void reputation_complained(struct engine *e, const char *sender, const char *carrier,
                           uint64_t wall_ms)
{
    for (unsigned i = 0; i < e->reputations->count; i++) {
        struct reputation *r = e->reputations->rows[i];
        const char *name = e->carriers[r->carrier].config->name;
        roll(r, wall_ms);
        if (strcmp(r->sender, sender) == 0 && has_texts(r) &&
            (*carrier == '\0' || strcmp(name, carrier) == 0))
            count(e, r, REPUTATION_COMPLAINTS, wall_ms);
    }
}

/* ---- what a pause holds ---- */

static struct reputation *paused_of(const struct engine *e, const struct message *m)
{
    if (e->carriers[m->carrier].reputations_paused == 0 ||
        m->message_class != ASSENT__V1__CLASS__MARKETING || m->flying != 0 || m->done != 0 ||
        e->plant == PLANT_PAUSE_NOT_KEPT)
        return NULL;
    struct reputation *r = find(e, m->carrier, sender_of(e, m));
    return r != NULL && r->paused ? r : NULL;
}

bool reputation_holds(const struct engine *e, const struct message *m)
{
    return paused_of(e, m) != NULL;
}

bool reputation_parks(struct engine *e, const struct message *m)
{
    struct reputation *r = paused_of(e, m);
    if (r != NULL)
        queue_park(&e->carriers[m->carrier].queue, m->flow, &r->parking);
    return r != NULL;
}

/* ---- time ---- */

static bool is_empty(const struct reputation *r)
{
    const uint64_t *totals = r->windows[ASSENT__V1__REPUTATION_WINDOW__WINDOW_DAY].totals;
    uint64_t sum = 0;
    for (unsigned kind = 0; kind < REPUTATION_KINDS; kind++)
        sum += totals[kind];
    return sum == 0 && !r->paused;
}

/* The last one takes its place. */
static void drop(struct engine *e, unsigned index)
{
    struct reputation_book *book = e->reputations;
    struct reputation *r = book->rows[index];
    table_remove(&book->by_key, key_of(e, r->carrier, r->sender));
    book->rows[index] = book->rows[--book->count];
    free(r);
}

static void tick(struct engine *e)
{
    struct reputation_book *book = e->reputations;
    book->minute = e->now.wall_ms / MINUTE_MS;
    for (unsigned i = book->count; i-- > 0;) {
        struct reputation *r = book->rows[i];
        roll(r, e->now.wall_ms);
        for (unsigned window = 1; window < REPUTATION_WINDOWS; window++)
            calm(e, r, window);
        if (is_empty(r))
            drop(e, i);
    }
}

void reputations_begin(struct engine *e)
{
    e->reputations->live = true;
    tick(e);
}

void reputations_turn(struct engine *e)
{
    if (e->now.wall_ms / MINUTE_MS != e->reputations->minute)
        tick(e);
}

/* ---- the operator ---- */

uint64_t engine_reputation_uncounted(const struct engine *e)
{
    return e->reputations->uncounted;
}

bool engine_reputation(const struct engine *e, unsigned index, uint64_t wall_ms,
                       struct reputation_status *ret)
{
    if (index >= e->reputations->count)
        return false;
    const struct reputation *r = e->reputations->rows[index];
    *ret = (struct reputation_status){
        .sender = r->sender,
        .carrier = e->carriers[r->carrier].config->name,
        .paused = r->paused,
        .paused_wall_ms = r->paused_wall_ms,
        .paused_record = r->paused_record,
        .rate = r->rate,
        .window = r->window,
        .share = r->share,
        .threshold = r->threshold,
        .count = r->count,
        .texts = r->texts,
    };
    memcpy(ret->alarms, r->alarms, sizeof ret->alarms);
    for (unsigned window = 1; window < REPUTATION_WINDOWS; window++) {
        struct sliding rolled = r->windows[window];
        sliding_roll(&rolled, reputation_bucket(window, wall_ms));
        memcpy(ret->totals[window], rolled.totals, sizeof rolled.totals);
    }
    return true;
}

static void reply_with(struct engine *e, uint64_t call, uint64_t ready_at,
                       const Assent__V1__ReputationReply *reply)
{
    e->ports->reputation_reply(e->ports->context, call, ready_at, reply);
}

static void refuse(struct engine *e, uint64_t call, Assent__V1__Code code, const char *why)
{
    Assent__V1__ReputationReply reply = ASSENT__V1__REPUTATION_REPLY__INIT;
    reply.code = code;
    reply.message = UNCONST(why);
    reply_with(e, call, 0, &reply);
}

/* As if nothing had been counted; what waits goes on. */
static void let_go(struct engine *e, struct reputation *r)
{
    struct carrier *c = &e->carriers[r->carrier];
    c->reputations_paused -= r->paused;
    r->paused = false;
    if (e->plant != PLANT_RELEASE_COUNTS_ON)
        memset(r->windows, 0, sizeof r->windows);
    memset(r->persons, 0, sizeof r->persons);
    r->next_person = 0;
    memset(r->alarms, 0, sizeof r->alarms);
    queue_unpark(&c->queue, &r->parking);
}

static uint64_t record_release(struct engine *e, const struct reputation *r,
                               const Assent__V1__ReputationRequest *in)
{
    Assent__V1__ReputationReleased body = ASSENT__V1__REPUTATION_RELEASED__INIT;
    body.carrier = UNCONST(e->carriers[r->carrier].config->name);
    body.sender = UNCONST(r->sender);
    body.paused = r->paused_record;
    body.who = in->who;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.evidence = in->why;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_REPUTATION_RELEASED;
    event.reputation_released = &body;
    return record_event(e, &event, &personal);
}

static void release(struct engine *e, uint64_t call, const Assent__V1__ReputationRequest *in)
{
    int carrier = carrier_index(e, in->carrier);
    const char *sender = in->sender + (in->sender[0] == '+');
    struct reputation *r = carrier < 0 ? NULL : find(e, (uint16_t)carrier, sender);
    const char *why;
    if (in->who[0] == '\0' || strlen(in->who) > NAME_OCTETS_MAX || in->why[0] == '\0' ||
        strlen(in->why) > EVIDENCE_OCTETS_MAX) {
        refuse(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "who and why: both are needed; at most 32 and 2,048 octets");
    } else if (carrier < 0) {
        refuse(e, call, ASSENT__V1__CODE__CODE_INVALID_ARGUMENT,
               "carrier: unknown; see `carriers` in the configuration");
    } else if (r == NULL || !r->paused) {
        refuse(e, call, ASSENT__V1__CODE__CODE_FAILED_PRECONDITION,
               "this sender is not paused at this carrier; see `assent reputation`");
    } else if (engine_refuses(e, &why)) {
        refuse(e, call, ASSENT__V1__CODE__CODE_UNAVAILABLE, why);
    } else {
        Assent__V1__ReputationReply reply = ASSENT__V1__REPUTATION_REPLY__INIT;
        reply.record = record_release(e, r, in);
        let_go(e, r);
        e->metrics.counters[COUNT_REPUTATION_RELEASES]++;
        reply_with(e, call, reply.record, &reply);
    }
}

static void list(struct engine *e, uint64_t call, const Assent__V1__ReputationRequest *in)
{
    unsigned count = e->reputations->count;
    const char *sender = in->sender + (in->sender[0] == '+');
    struct reputation_shown *shown = check_calloc(count + 1, sizeof *shown);
    Assent__V1__SenderReputation **rows = check_calloc(count + 1, sizeof(*rows));
    Assent__V1__ReputationReply reply = ASSENT__V1__REPUTATION_REPLY__INIT;
    for (unsigned i = 0; engine_reputation(e, i, e->now.wall_ms, &shown[i].status); i++) {
        const struct reputation_status *status = &shown[i].status;
        if ((*sender != '\0' && strcmp(sender, status->sender) != 0) ||
            (in->carrier[0] != '\0' && strcmp(in->carrier, status->carrier) != 0))
            continue;
        reputation_show(&shown[i]);
        rows[reply.n_senders++] = &shown[i].row;
    }
    reply.senders = rows;
    reply.uncounted = e->reputations->uncounted;
    reply_with(e, call, 0, &reply);
    free(rows);
    free(shown);
}

void engine_reputation_call(struct engine *e, uint16_t client, uint64_t call,
                            const Assent__V1__ReputationRequest *in, struct instant now)
{
    e->now = now;
    if (client != CLIENT_OPERATOR)
        refuse(e, call, ASSENT__V1__CODE__CODE_PERMISSION_DENIED,
               "only the gateway's operator sees and releases senders");
    else if (in->release)
        release(e, call, in);
    else
        list(e, call, in);
}

/* ---- recovery ---- */

static struct reputation *pair_named(struct engine *e, const char *carrier, const char *sender)
{
    int index = carrier_index(e, carrier);
    bool fits = index >= 0 && strlen(sender) < sizeof((struct reputation *)0)->sender;
    return fits ? find_or_make(e, (uint16_t)index, sender) : NULL;
}

static void replay_finding(struct engine *e, uint64_t sequence, const Assent__V1__Event *event)
{
    const Assent__V1__ReputationFinding *body = event->reputation_alarm; /* or paused: one member */
    struct reputation *r = pair_named(e, body->carrier, body->sender);
    bool pauses = event->body_case == ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED;
    if (r == NULL)
        return;
    if (pauses && e->plant != PLANT_PAUSE_FORGOTTEN)
        take_pause(e, r, body->id != 0 ? body->id : sequence, body, event->wall_ms);
    else if (!pauses && (unsigned)body->window < REPUTATION_WINDOWS &&
             (unsigned)body->rate < REPUTATION_RATES)
        r->alarms[body->window] |= (uint8_t)(1u << body->rate);
}

static void replay_seen(struct engine *e, const Assent__V1__SeenReputation *body)
{
    struct reputation *r = pair_named(e, body->carrier, body->sender);
    for (size_t i = 0; r != NULL && i < body->n_buckets; i++) {
        const Assent__V1__ReputationBucket *in = body->buckets[i];
        for (size_t kind = 0; kind < in->n_counts && kind < REPUTATION_KINDS; kind++)
            if ((unsigned)in->window < REPUTATION_WINDOWS && in->counts[kind] != 0)
                sliding_add(&r->windows[in->window], in->number, (enum reputation_kind)kind,
                            in->counts[kind]);
    }
    for (size_t i = 0; r != NULL && i < body->n_persons && i < REPUTATION_PERSONS; i++) {
        r->persons[i] = body->persons[i];
        r->next_person = (unsigned)(i + 1) % REPUTATION_PERSONS;
    }
    for (size_t i = 0; r != NULL && i < body->n_alarms && i < REPUTATION_WINDOWS; i++)
        r->alarms[i] = (uint8_t)body->alarms[i];
}

void reputations_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                        const Assent__V1__Personal *personal)
{
    struct reputation *r;
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        reputation_opted_out(e, personal != NULL ? personal->number : 0, event->opted_out,
                             event->wall_ms);
        return;
    case ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED:
        if (sequence != 0) /* in a snapshot it stands for one that is open, and is counted */
            reputation_complained(e, event->complaint_opened->sender,
                                  event->complaint_opened->carrier, event->wall_ms);
        return;
    case ASSENT__V1__EVENT__BODY_REPUTATION_ALARM:
    case ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED:
        replay_finding(e, sequence, event);
        return;
    case ASSENT__V1__EVENT__BODY_REPUTATION_RELEASED:
        r = pair_named(e, event->reputation_released->carrier, event->reputation_released->sender);
        if (r != NULL)
            let_go(e, r);
        return;
    case ASSENT__V1__EVENT__BODY_SEEN_REPUTATION:
        replay_seen(e, event->seen_reputation);
        return;
    default:
        return;
    }
}

typedef void put_event(void *context, Assent__V1__Event *event,
                       const Assent__V1__Personal *personal);

static void put_pause(const struct engine *e, const struct reputation *r, put_event *put,
                      void *context)
{
    Assent__V1__ReputationFinding body;
    describe(e, r, r->window, r->rate, &body);
    body.share = r->share;
    body.threshold = r->threshold;
    body.count = r->count;
    body.texts = r->texts;
    body.id = r->paused_record;
    Assent__V1__Event event = EVENT_INIT(e);
    event.wall_ms = r->paused_wall_ms;
    event.body_case = ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED;
    event.reputation_paused = &body;
    put(context, &event, NULL);
}

/* The oldest bucket first, so that none is out of its window when it is counted again. */
static size_t describe_buckets(const struct reputation *r, unsigned window,
                               Assent__V1__ReputationBucket *out)
{
    const struct sliding *s = &r->windows[window];
    size_t count = 0;
    for (uint64_t i = REPUTATION_BUCKETS; i-- > 0;) {
        uint64_t number = s->newest - i;
        const uint32_t *counts = s->buckets[number % REPUTATION_BUCKETS];
        uint32_t any = 0;
        for (unsigned kind = 0; kind < REPUTATION_KINDS; kind++)
            any |= counts[kind];
        if (any == 0 || s->newest < i)
            continue;
        assent__v1__reputation_bucket__init(&out[count]);
        out[count].window = (Assent__V1__ReputationWindow)window;
        out[count].number = number;
        out[count].counts = (uint32_t *)(uintptr_t)counts;
        out[count++].n_counts = REPUTATION_KINDS;
    }
    return count;
}

/* The oldest first, so that they are forgotten in the same order. */
static size_t list_persons(const struct reputation *r, uint32_t out[REPUTATION_PERSONS])
{
    size_t count = 0;
    for (unsigned i = 0; i < REPUTATION_PERSONS; i++) {
        uint32_t person = r->persons[(r->next_person + i) % REPUTATION_PERSONS];
        if (person != 0)
            out[count++] = person;
    }
    return count;
}

static void put_pair(const struct engine *e, const struct reputation *r, put_event *put,
                     void *context)
{
    Assent__V1__ReputationBucket buckets[(REPUTATION_WINDOWS - 1) * REPUTATION_BUCKETS];
    Assent__V1__ReputationBucket *pointers[sizeof buckets / sizeof *buckets];
    uint32_t alarms[REPUTATION_WINDOWS], persons[REPUTATION_PERSONS];
    Assent__V1__SeenReputation body = ASSENT__V1__SEEN_REPUTATION__INIT;
    body.carrier = UNCONST(e->carriers[r->carrier].config->name);
    body.sender = UNCONST(r->sender);
    for (unsigned window = 1; window < REPUTATION_WINDOWS; window++)
        body.n_buckets += describe_buckets(r, window, buckets + body.n_buckets);
    for (size_t i = 0; i < body.n_buckets; i++)
        pointers[i] = &buckets[i];
    for (unsigned window = 0; window < REPUTATION_WINDOWS; window++)
        alarms[window] = r->alarms[window];
    body.buckets = pointers;
    body.alarms = alarms;
    body.n_alarms = REPUTATION_WINDOWS;
    body.persons = persons;
    body.n_persons = list_persons(r, persons);
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_SEEN_REPUTATION;
    event.seen_reputation = &body;
    put(context, &event, NULL);
}

void reputations_snapshot(const struct engine *e, put_event *put, void *context)
{
    for (unsigned i = 0; i < e->reputations->count; i++) {
        const struct reputation *r = e->reputations->rows[i];
        put_pair(e, r, put, context);
        if (r->paused)
            put_pause(e, r, put, context);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Dry runs. What is said would become of a text is what the oracle, which knows Redis at the instant when it was
 * asked and what the person has said, would allow; and nothing changes by it: no record, no place under a cap.
 * One at a time at each gateway. */
#include "tests/sim/world.h"

#include <stdio.h>

#include "tests/sim/facts.h"

#define RECENT_US (5 * US_PER_S) /* so long ago a person's word may still be under way */

static event_run foresee;

void foresight_begin(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.foresights; i++) {
        world_turn_to(w, (uint32_t)rng_below(&w->people_rng, w->plan.gateways));
        world_at(w, 3 * US_PER_S + rng_below(&w->people_rng, w->plan.chaos_us), foresee,
                 rng_next(&w->people_rng), 0, 0);
    }
}

static void draw(struct world *w, uint64_t from, struct text *t)
{
    struct rng rng = {from};
    *t = (struct text){.number = (uint32_t)rng_below(&rng, w->plan.numbers),
                       .program = (uint32_t)rng_below(&rng, SIM_PROGRAMS)};
    do
        t->message_class = (Assent__V1__Class)(ASSENT__V1__CLASS__OTP + rng_below(&rng, 3));
    while (!w->config.programs[t->program].classes[t->message_class]);
    if (w->plan.quiet_at_us != 0)
        t->zone = (uint32_t)rng_below(&rng, SIM_ZONES);
}

static void foresee(struct world *w, struct event *e)
{
    struct foresight *f = &w->people.foresights[w->gw->index];
    if (w->gw->engine != NULL && f->open && f->life == w->gw->life)
        return; /* the one before has no answer yet */
    if (!world_may_enter(w, e))
        return;
    *f = (struct foresight){.open = true, .life = w->gw->life, .call = ++w->people.foresight_count};
    draw(w, e->a, &f->text);
    char number[NUMBER_TEXT_SIZE], text[64];
    snprintf(text, sizeof text, "What if? %s", w->config.programs[f->text.program].brand);
    Assent__V1__Message message = ASSENT__V1__MESSAGE__INIT, *messages[] = {&message};
    message.program = w->config.programs[f->text.program].name;
    message.class_ = f->text.message_class;
    message.number = number_format(w->people.numbers[f->text.number], number);
    message.text = text;
    message.time_zone = (char *)(uintptr_t)sim_zones[f->text.zone].name;
    message.ttl_ms = 86400000;
    Assent__V1__PreflightRequest request = ASSENT__V1__PREFLIGHT_REQUEST__INIT;
    request.n_messages = 1;
    request.messages = messages;
    uint64_t next = w->gw->disk.next;
    TRACE(w, "client", "what if %s to number %u of %s",
          f->text.message_class == 3 ? "marketing" : "", f->text.number, message.program);
    if (!engine_preflight(w->gw->engine, 0, f->call, &request, world_instant(w)))
        world_fail(w, "P10", "a dry run is refused, and none is under way");
    if (!w->gw->crashed && w->gw->disk.next != next)
        world_fail(w, "P1", "a dry run is recorded");
    world_entered(w);
}

/* ---- the judge ---- */

bool foresight_is(const struct check *check)
{
    return check->cookie >> 63;
}

void foresight_asked(struct world *w, const struct check *check, const struct verdict_seen *seen)
{
    struct foresight *f = &w->people.foresights[w->gw->index];
    if (check->cap_places > 0 && !check->cap_looks)
        world_fail(w, "P1", "a dry run takes a place under a cap");
    f->asked = true;
    f->seen = *seen;
    f->room = places_free(&w->server.now.places, consent_key(check->opt_in_scope, check->number),
                          w->plan.cap_count, world_wall_ms(w)) > 0;
}

static bool allows(const struct foresight *f)
{
    uint32_t allowed = f->text.message_class == ASSENT__V1__CLASS__MARKETING
                           ? f->seen.allows_marketing
                           : f->seen.allows_other;
    return allowed >> f->text.program & 1;
}

/* Somebody has ended something, or taken it back, a moment ago. */
static bool is_moving(const struct world *w, uint64_t number)
{
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = d->next - 1; i > 0 && d->records[i].appended_us + RECENT_US > w->now_us;
             i--)
            if (d->records[i].fact.number == number && d->records[i].fact.scope_count > 0)
                return true;
    }
    return false;
}

/* A STOP that this process has read, and no answer needed yet. */
static bool is_stopped(const struct world *w, const struct foresight *f)
{
    const struct told *t = &w->oracle.subscribers[f->text.number].at[w->gw->index];
    bool marketing = f->text.message_class == ASSENT__V1__CLASS__MARKETING;
    uint32_t stopped =
        t->denied[marketing] | (t->read_life == w->gw->life ? t->read[marketing] : 0);
    return stopped >> f->text.program & 1;
}

static bool lacks_register(const struct world *w, const struct foresight *f, uint64_t now_ms)
{
    return w->plan.registers && f->text.message_class == ASSENT__V1__CLASS__MARKETING &&
           !files_register_counts(w, now_ms);
}

/* Carriers at which it would wait for an operator. */
static uint32_t pauses(struct world *w, const struct foresight *f)
{
    return f->text.message_class == ASSENT__V1__CLASS__MARKETING
               ? reputation_pauses(w, f->text.program)
               : 0;
}

static void check_sent(struct world *w, const struct foresight *f)
{
    const char *why = NULL;
    uint64_t now_ms = world_wall_ms(w);
    bool hours = w->plan.quiet_at_us != 0 && people_keep_hours(w, &f->text);
    if (!f->asked || !allows(f))
        why = "Redis does not allow it";
    else if (is_stopped(w, f))
        why = "the person has said STOP";
    else if (hours && people_are_asleep(w, &f->text, now_ms) &&
             people_are_asleep(w, &f->text, now_ms - 1000))
        why = "it is quiet there";
    else if (people_lost_registration(w, &f->text, now_ms))
        why = "its sender is not registered for it";
    else if (lacks_register(w, f, now_ms) && lacks_register(w, f, now_ms - 1000))
        why = "there is no copy of the do-not-call register that counts";
    else if (caps_count(w, &f->text) && !f->room)
        why = "there is no place under its cap";
    else if (pauses(w, f) == w->plan.carriers)
        why = "its sender is paused everywhere";
    if (why != NULL)
        world_fail(w, is_stopped(w, f) ? "P3" : "P1",
                   "a dry run says that a text to number %u would be sent, and %s", f->text.number,
                   why);
}

static void check_refused(struct world *w, const struct foresight *f, Assent__V1__Reason reason)
{
    bool known = w->plan.consent_days != 0 || w->oracle.reassigned_day[f->text.number] != 0;
    bool due =
        !allows(f) || is_stopped(w, f) || people_lost_registration(w, &f->text, world_wall_ms(w)) ||
        is_moving(w, w->people.numbers[f->text.number]) ||
        (known && (reason == ASSENT__V1__REASON__CONSENT_TOO_OLD ||
                   reason == ASSENT__V1__REASON__NUMBER_REASSIGNED)) ||
        (reason == ASSENT__V1__REASON__DO_NOT_CALL && lacks_register(w, f, world_wall_ms(w))) ||
        (reason == ASSENT__V1__REASON__FREQUENCY_CAP && caps_count(w, &f->text) && !f->room);
    if (!due)
        world_fail(
            w, "P1",
            "a dry run says that a text to number %u would be refused (%d), and it would not",
            f->text.number, reason);
}

static void check_waits(struct world *w, const struct foresight *f, Assent__V1__Reason reason)
{
    if (reason == ASSENT__V1__REASON__SENDER_PAUSED) {
        if (pauses(w, f) == 0)
            world_fail(w, "P1", "a dry run says that its sender is paused, and it is not");
        return;
    }
    if (w->plan.quiet_at_us == 0 || !people_keep_hours(w, &f->text) ||
        (!people_are_asleep(w, &f->text, world_wall_ms(w)) &&
         !people_are_asleep(w, &f->text, world_wall_ms(w) - 1000)))
        world_fail(w, "P1", "a dry run says that a text to number %u would wait, and it is day",
                   f->text.number);
}

void foresight_told(struct world *w, uint64_t call, const Assent__V1__PreflightReply *reply)
{
    struct foresight *f = &w->people.foresights[w->gw->index];
    if (!f->open || f->call != call || reply->n_messages != 1) {
        world_fail(w, "P10", "dry run %llu is answered twice, or was never asked for",
                   (unsigned long long)call);
        return;
    }
    const Assent__V1__Preflight *m = reply->messages[0];
    f->open = false;
    TRACE(w, "client", "dry run %llu: %d %s", (unsigned long long)call, m->foresight, m->gate);
    if (m->foresight == ASSENT__V1__FORESIGHT__FORESIGHT_SENT)
        check_sent(w, f);
    else if (m->foresight == ASSENT__V1__FORESIGHT__FORESIGHT_REFUSED && f->asked)
        check_refused(w, f, m->reason);
    else if (m->foresight == ASSENT__V1__FORESIGHT__FORESIGHT_WAITS)
        check_waits(w, f, m->reason);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Quiet hours in the life of a message (consent/quiet_hours.h has the rules).
 *
 * Asked when it is accepted, when it is released, when it is the next of its lane, and right before the
 * wire. Where it is quiet the message is SCHEDULED until the first allowed moment, and the ledger says
 * so; it is never dropped for that. Its time-to-live is the submitter's word and is not moved: what would
 * have to wait longer is refused when it is submitted, with the time at which it would be allowed.
 *
 * A message of which parts are written is not held any more: the handset would get half a text. */
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define SPREAD_MS                                                                                  \
    10000 /* a night's messages are released over so long, or a code would wait for them */
#define APART_MS 10 /* the wall clock and the timers' are read one after the other, and may drift */

void quiet_configure(struct engine *e)
{
    quiet_release(e);
    if (e->config->zones == NULL)
        return;
    const struct daily_hours *fallback =
        e->config->quiet_default.until != 0 ? &e->config->quiet_default : NULL;
    e->quiet_book = quiet_book_new(e->config->zones, fallback);
    e->quiet_cache = check_calloc(1, sizeof *e->quiet_cache);
}

void quiet_release(struct engine *e)
{
    quiet_book_free(e->quiet_book);
    free(e->quiet_cache);
    e->quiet_book = NULL;
    e->quiet_cache = NULL;
    e->zone_before = 0;
}

const struct quiet_answer *quiet_of(const struct engine *e, const struct program_config *program,
                                    Assent__V1__Class message_class, uint64_t number, uint16_t zone,
                                    uint64_t wall_ms)
{
    if (!config_keeps_hours(program, message_class))
        return NULL;
    CHECK(e->quiet_book != NULL); /* config_take_hours() comes first */
    if (e->plant == PLANT_QUIET_ONE_ZONE && zone == 0 && number / 1000000000 == 34)
        zone = zone_find(e->config->zones, "Europe/Madrid");
    return quiet_check(e->quiet_cache, e->quiet_book, number, zone, wall_ms);
}

const struct quiet_answer *message_quiet(const struct engine *e, const struct message *m,
                                         uint64_t wall_ms)
{
    return quiet_of(e, &e->config->programs[m->program], (Assent__V1__Class)m->message_class,
                    m->number, m->zone, wall_ms);
}

uint64_t message_quiet_until(const struct engine *e, const struct message *m)
{
    if (e->plant == PLANT_QUIET_NOT_ASKED_AGAIN)
        return 0;
    const struct quiet_answer *answer = message_quiet(e, m, e->now.wall_ms);
    return answer == NULL || quiet_is_allowed(answer, e->now.wall_ms) ? 0 : answer->next_ms;
}

bool quiet_local_time(const struct quiet_answer *answer, Assent__V1__LocalTime *ret)
{
    assent__v1__local_time__init(ret);
    if (answer == NULL)
        return false;
    ret->source = (Assent__V1__ZoneSource)answer->source;
    ret->west_minutes = answer->west_minutes;
    ret->east_minutes = answer->east_minutes;
    return true;
}

void message_set_quiet(struct engine *e, struct message *m, bool quiet)
{
    e->quiet_held += (uint64_t)quiet;
    e->quiet_held -= (uint64_t)m->quiet;
    m->quiet = quiet;
}

/* By the order of acceptance: the first ones go first. */
static uint64_t spread_ms(const struct message *m)
{
    return m->id / 64 % SPREAD_MS;
}

uint64_t message_due_wall_ms(const struct engine *e, const struct message *m)
{
    uint64_t ahead_us = m->due_us > e->now.mono_us ? m->due_us - e->now.mono_us : 0;
    return e->now.wall_ms + ahead_us / US_PER_MS;
}

void message_wait_until(struct engine *e, struct message *m, uint64_t wall_ms)
{
    uint64_t latest_us = m->expires_us > e->now.mono_us ? m->expires_us : e->now.mono_us + 1;
    m->due_us = latest_us;
    if (wall_ms == QUIET_NEVER)
        return;
    uint64_t due_us =
        e->now.mono_us + (wall_ms - e->now.wall_ms + APART_MS + spread_ms(m)) * US_PER_MS;
    m->due_us = due_us < latest_us ? due_us : latest_us;
}

bool message_is_quiet(struct engine *e, struct message *m)
{
    if (m->flying != 0 || m->done != 0 || m->unknown)
        return false;
    uint64_t until_ms = message_quiet_until(e, m);
    if (until_ms == 0) {
        message_set_quiet(e, m, false);
        return false;
    }
    message_wait_until(e, m, until_ms);
    message_set_quiet(e, m, true);
    m->gates = gate_answers_with(m->gates, GATE_QUIET_HOURS, ANSWER_REFUSED);
    return true;
}

void message_record_quiet(struct engine *e, struct message *m)
{
    record_held(e, m, ASSENT__V1__REASON__QUIET_HOURS, message_due_wall_ms(e, m));
}

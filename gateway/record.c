/* SPDX-License-Identifier: Apache-2.0 */
/* Events into the ledger. Everything the engine decides passes through record_event(). */
#include <string.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "proto/pack.h"

void record_pack(struct engine *e, const Assent__V1__Event *event,
                 const Assent__V1__Personal *personal, struct span *ret_public,
                 struct span *ret_personal)
{
    *ret_personal = span_of(e->scratch, 0);
    if (personal)
        CHECK(pack_message(&personal->base, e->scratch, LEDGER_RECORD_MAX, ret_personal));
    CHECK(
        pack_message(&event->base, e->scratch + LEDGER_RECORD_MAX, LEDGER_RECORD_MAX, ret_public));
    CHECK(ret_public->length + ret_personal->length < LEDGER_RECORD_MAX);
}

uint64_t record_event(struct engine *e, Assent__V1__Event *event,
                      const Assent__V1__Personal *personal)
{
    struct span public_part, personal_part;
    record_pack(e, event, personal, &public_part, &personal_part);
    uint64_t sequence = e->ports->ledger_append(e->ports->context, public_part, personal_part);
    explicit_bzero(e->scratch + LEDGER_RECORD_MAX - personal_part.length, personal_part.length);
    if (body_is_consent(event->body_case))
        projection_note(e, sequence, event, personal);
    return sequence;
}

static void message_event(struct engine *e, const struct message *m, Assent__V1__Event *event)
{
    event->program = e->program_scope[m->program];
    event->message = m->id;
}

Assent__V1__TextForm *record_form(const struct message *m, Assent__V1__TextForm *form)
{
    assent__v1__text_form__init(form);
    form->parts = m->parts;
    form->encoding = m->encoding;
    form->shift = m->shift;
    form->concatenation = m->concatenation;
    return form;
}

void record_attempt(struct engine *e, struct message *m)
{
    Assent__V1__Attempt body = ASSENT__V1__ATTEMPT__INIT;
    body.carrier = UNCONST(e->carriers[m->carrier].config->name);
    body.number = m->attempts;
    Assent__V1__TextForm form;
    body.form = m->replanned ? record_form(m, &form) : NULL;
    Assent__V1__Event event = EVENT_INIT(e);
    message_event(e, m, &event);
    event.body_case = ASSENT__V1__EVENT__BODY_ATTEMPT;
    event.attempt = &body;
    m->attempt_sequence = record_event(e, &event, NULL);
    m->intent = true;
}

void record_sent(struct engine *e, struct message *m, uint8_t part, struct span carrier_id)
{
    char id[MESSAGE_ID_MAX + 1];
    size_t length = carrier_id.length < MESSAGE_ID_MAX ? carrier_id.length : MESSAGE_ID_MAX;
    if (length > 0)
        memcpy(id, carrier_id.data, length);
    id[length] = '\0';
    Assent__V1__Sent body = ASSENT__V1__SENT__INIT;
    body.part = part;
    body.carrier_message_id = id;
    body.carrier = UNCONST(e->carriers[m->carrier].config->name);
    body.receipt_unasked = (m->unasked & 1u << (part - 1)) != 0;
    body.gates = m->gates;
    body.verdict_wall_ms = e->now.wall_ms - (e->now.mono_us - m->verdict_us) / US_PER_MS;
    Assent__V1__LocalTime local;
    if (quiet_local_time(message_quiet(e, m, body.verdict_wall_ms), &local))
        body.local = &local;
    Assent__V1__Event event = EVENT_INIT(e);
    message_event(e, m, &event);
    event.body_case = ASSENT__V1__EVENT__BODY_SENT;
    event.sent = &body;
    record_event(e, &event, NULL);
}

void record_held(struct engine *e, struct message *m, Assent__V1__Reason reason,
                 uint64_t due_wall_ms)
{
    Assent__V1__Held body = ASSENT__V1__HELD__INIT;
    body.reason = reason;
    body.gates = m->gates;
    body.due_wall_ms = due_wall_ms;
    Assent__V1__LocalTime local;
    if (reason == ASSENT__V1__REASON__QUIET_HOURS &&
        quiet_local_time(message_quiet(e, m, e->now.wall_ms), &local))
        body.local = &local;
    Assent__V1__Event event = EVENT_INIT(e);
    message_event(e, m, &event);
    event.body_case = ASSENT__V1__EVENT__BODY_HELD;
    event.held = &body;
    record_event(e, &event, NULL);
    m->intent = false;
}

void record_deferred(struct engine *e, struct message *m)
{
    Assent__V1__Deferred body = ASSENT__V1__DEFERRED__INIT;
    body.command_status = m->command_status;
    body.due_wall_ms = e->now.wall_ms +
                       (m->due_us > e->now.mono_us ? (m->due_us - e->now.mono_us) / US_PER_MS : 0);
    body.after_unknown = m->resent;
    body.carrier = UNCONST(e->carriers[m->carrier].config->name);
    Assent__V1__Event event = EVENT_INIT(e);
    message_event(e, m, &event);
    event.body_case = ASSENT__V1__EVENT__BODY_DEFERRED;
    event.deferred = &body;
    record_event(e, &event, NULL);
    m->intent = false;
}

static void record_end(struct engine *e, struct message *m, Assent__V1__Outcome outcome,
                       Assent__V1__Reason reason, uint16_t scope, uint64_t cause, const char *node)
{
    Assent__V1__Ended body = ASSENT__V1__ENDED__INIT;
    body.outcome = outcome;
    body.reason = reason;
    body.scope = scope;
    body.cause = cause;
    body.node = UNCONST(node);
    body.gates = outcome == ASSENT__V1__OUTCOME__SUPPRESSED ? m->gates : 0;
    body.command_status = reason == ASSENT__V1__REASON__CARRIER_STATUS ? m->command_status : 0;
    Assent__V1__Event event = EVENT_INIT(e);
    message_event(e, m, &event);
    event.body_case = ASSENT__V1__EVENT__BODY_ENDED;
    event.ended = &body;
    record_event(e, &event, NULL);
    reputation_ended(e, m, &body, event.wall_ms);
}

void record_ended(struct engine *e, struct message *m, Assent__V1__Outcome outcome,
                  Assent__V1__Reason reason, uint16_t scope, uint64_t cause)
{
    record_end(e, m, outcome, reason, scope, cause, "");
}

void record_cancelled(struct engine *e, struct message *m, uint16_t scope, uint64_t cause,
                      const char *node)
{
    record_end(e, m, ASSENT__V1__OUTCOME__CANCELLED, ASSENT__V1__REASON__STOP_CANCELLED, scope,
               cause, node);
}

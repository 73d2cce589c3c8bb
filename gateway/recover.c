/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery: the state is a fold over the ledger's records. A snapshot is a shorter ledger that folds
 * to the same state, so both pass through engine_replay().
 *
 * While records are replayed no clock is known: messages stay in state NEW, and their times hold wall
 * time in microseconds. recover_finish() turns them into monotonic times and puts every message where
 * it belongs. An intent without an outcome is the one thing that cannot be known (P6). */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine_state.h"
#include "proto/base/check.h"
#include "smpp/text.h"

/* ---- replay ---- */

static int client_index(const struct engine *e, const char *name)
{
    int client = name[0] ? config_find_client(e->config, name) : -1;
    return client < 0 ? CLIENT_OPERATOR : client;
}

static void replay_service(struct engine *e, const Assent__V1__Event *event,
                           const Assent__V1__Personal *personal)
{
    const Assent__V1__Accepted *body = event->accepted;
    if (service_confirms(body->service))
        recent_mark(e, personal->number, body->cause);
    if (body->service == ASSENT__V1__SERVICE_KIND__HELP_REPLY)
        help_remember(e, personal->number, body->sender, event->wall_ms);
}

static void replay_form(struct message *m, const Assent__V1__TextForm *form)
{
    struct text_plan plan = {.encoding = (uint8_t)form->encoding,
                             .shift = (uint8_t)form->shift,
                             .concatenation = (uint8_t)form->concatenation,
                             .parts = (uint8_t)form->parts};
    message_set_text_plan(m, &plan);
}

static void replay_accepted(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                            const Assent__V1__Personal *personal)
{
    const Assent__V1__Accepted *body = event->accepted;
    uint64_t id = body->id ? body->id : sequence;
    int program = engine_program_of_scope(e, event->program);
    if (body->reference_hash != 0)
        reference_remember(e, body->reference_hash, id, event->wall_ms);
    replay_service(e, event, personal);
    int carrier = carrier_index(e, body->carrier);
    int sender = program < 0 ? -1 : sender_index(&e->config->programs[program], body->sender);
    struct route_query query = {
        .number = personal->number, .sender = body->sender, .message_class = body->class_};
    if (carrier < 0)
        carrier = route_find(e, &query);
    if (program < 0 || carrier < 0) {
        *table_put(&e->orphans, id) = event->program;
        return;
    }
    char room[TEXT_OCTETS_MAX];
    uint8_t epoch;
    bool lost;
    struct span text = secret_replay(e, id, personal, room, &epoch, &lost);
    struct message *m = message_new(&e->messages, personal->number, text);
    m->epoch = epoch;
    m->text_lost = lost;
    if (epoch != 0)
        explicit_bzero(room, text.length);
    m->program = (uint16_t)program;
    m->client = (uint16_t)client_index(e, body->client);
    m->carrier = (uint16_t)carrier;
    m->sender = sender < 0 ? 0 : (uint8_t)sender;
    m->message_class = (uint8_t)body->class_;
    m->zone = e->config->zones ? zone_find(e->config->zones, body->time_zone) : 0;
    m->service = (uint8_t)body->service;
    m->cause = body->cause;
    m->encoding = (uint8_t)body->encoding;
    m->parts = (uint8_t)body->parts;
    m->todo = all_parts(m);
    if (body->form != NULL)
        replay_form(m, body->form);
    m->accepted_us = event->wall_ms * US_PER_MS;
    m->expires_us = body->expires_wall_ms * US_PER_MS;
    m->due_us = body->send_at_wall_ms * US_PER_MS;
    message_set_id(&e->messages, m, id);
    message_join_flow(e, m, body->campaign);
}

static void replay_sent(struct engine *e, struct message *m, const Assent__V1__Sent *body)
{
    if (body->part < 1 || body->part > m->parts)
        return;
    uint16_t bit = (uint16_t)(1u << (body->part - 1));
    m->done |= bit;
    m->todo &= (uint16_t)~bit;
    if (body->receipt_unasked)
        m->unasked |= bit;
    if (body->carrier_message_id[0] == '\0')
        m->reported |= bit;
    else
        correlate_add(e, m, (uint8_t)body->part, span_from_string(body->carrier_message_id));
    if (m->done == all_parts(m))
        m->unknown = false; /* a late answer resolved it */
}

static void replay_ended(struct engine *e, struct message *m, const Assent__V1__Event *event)
{
    const Assent__V1__Ended *body = event->ended;
    if (body->reason == ASSENT__V1__REASON__CARRIER_STATUS &&
        carrier_status_policy(e->carriers[m->carrier].config, body->command_status) ==
            STATUS_UNKNOWN_SUBSCRIBER)
        vacancy_replay(e, m->number, event->wall_ms);
    bool may_be_resolved = body->outcome == ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME &&
                           (body->reason == ASSENT__V1__REASON__NO_ANSWER ||
                            body->reason == ASSENT__V1__REASON__CRASH);
    if (!may_be_resolved) {
        message_finish(e, m, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
        return;
    }
    m->unknown = true;
    m->due_us = (event->wall_ms + e->carriers[m->carrier].config->receipt_timeout_ms) * US_PER_MS;
}

/* It waits or was tried there; the record names it where it is another than before. */
static void replay_carrier(struct engine *e, struct message *m, const char *name)
{
    int carrier = name[0] != '\0' ? carrier_index(e, name) : -1;
    if (carrier >= 0 && carrier != m->carrier && m->correlations == NULL)
        message_set_carrier(e, m, (uint16_t)carrier);
}

/* Takes an intent back, or keeps one waiting that had none. */
static void replay_held(struct engine *e, struct message *m, const Assent__V1__Held *body)
{
    m->attempts -= m->intent;
    m->intent = false;
    m->due_us = body->due_wall_ms * US_PER_MS;
    message_set_quiet(e, m, body->reason == ASSENT__V1__REASON__QUIET_HOURS);
}

static void replay_of_message(struct engine *e, struct message *m, const Assent__V1__Event *event)
{
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_ATTEMPT:
        m->intent = true;
        message_set_quiet(e, m, false);
        m->attempts = (uint8_t)event->attempt->number;
        if (event->attempt->form != NULL)
            replay_form(m, event->attempt->form);
        replay_carrier(e, m, event->attempt->carrier);
        return;
    case ASSENT__V1__EVENT__BODY_SENT:
        replay_sent(e, m, event->sent);
        return;
    case ASSENT__V1__EVENT__BODY_HELD:
        replay_held(e, m, event->held);
        return;
    case ASSENT__V1__EVENT__BODY_DEFERRED:
        m->intent = false;
        m->due_us = event->deferred->due_wall_ms * US_PER_MS;
        m->resent = event->deferred->after_unknown;
        m->todo = all_parts(m) & (uint16_t)~m->done;
        replay_carrier(e, m, event->deferred->carrier);
        return;
    case ASSENT__V1__EVENT__BODY_ENDED:
        reputation_ended(e, m, event->ended, event->wall_ms);
        replay_ended(e, m, event);
        return;
    case ASSENT__V1__EVENT__BODY_RECEIPT:
        reputation_reported(e, m, event->receipt, event->wall_ms);
        news_replay_receipt(e, m, event->receipt, event->wall_ms);
        if (event->receipt->outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN)
            message_finish(e, m, ASSENT__V1__OUTCOME__OUTCOME_OPEN);
        else if (event->receipt->part >= 1 && event->receipt->part <= m->parts)
            receipt_apply(e, m, (uint8_t)event->receipt->part, (uint8_t)event->receipt->state);
        return;
    default:
        return;
    }
}

/* What was accepted before the opt-out and is open still: it is not sent again, and what waits is
 * cancelled, as it was or would have been in the life before. */
static void replay_stop(struct engine *e, const struct consent_write *write)
{
    struct message *m = message_first_of_number(&e->messages, write->number);
    for (; m != NULL; m = m->next_same_number)
        if (m->id < write->sequence && !message_is_exempt(m) &&
            message_in_scopes(e, m, write->scopes, write->scope_count))
            m->stopped = true;
}

static void replay_opt_out(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                           const Assent__V1__Personal *personal)
{
    struct consent_write write = {.sequence = sequence, .number = personal->number};
    if (event->opted_out->import != 0)
        return;
    write_scopes(&write, event->opted_out->scopes, event->opted_out->n_scopes);
    recent_add(e, &write, event->wall_ms);
    replay_stop(e, &write);
    reviews_opted_out(e, write.number, write.scopes, write.scope_count);
}

static void replay_again(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                         const Assent__V1__Personal *personal)
{
    struct consent_write write = {.number = personal->number};
    write_scopes(&write, event->opted_in_again->scopes, event->opted_in_again->n_scopes);
    recent_lift(e, write.number, write.scopes, write.scope_count, sequence);
    if (lifts_erasure(event->opted_in_again))
        erasure_start_came(e, write.number, again_effect(event));
    reviews_opted_in_again(e, write.number, write.scopes, write.scope_count);
}

static void replay_seen_opt_out(struct engine *e, const Assent__V1__SeenOptOut *body,
                                uint64_t number)
{
    struct consent_write write = {.sequence = body->sequence, .number = number};
    write_scopes(&write, body->scopes, body->n_scopes);
    recent_add(e, &write, body->wall_ms);
    replay_stop(e, &write);
    if (body->confirmed)
        recent_mark(e, number, body->sequence);
}

/* Events that need a personal part and came without one have been erased: nothing to fold. */
static void replay_with_person(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                               const Assent__V1__Personal *personal)
{
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_ACCEPTED:
        replay_accepted(e, sequence, event, personal);
        return;
    case ASSENT__V1__EVENT__BODY_OPTED_OUT:
        replay_opt_out(e, sequence, event, personal);
        return;
    case ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN:
        replay_again(e, sequence, event, personal);
        return;
    case ASSENT__V1__EVENT__BODY_NUMBER_VACANT:
        vacancy_replay_mark(e, personal->number, event->wall_ms);
        return;
    case ASSENT__V1__EVENT__BODY_SEEN_VACANCY:
        vacancy_seen(e, event->seen_vacancy, personal->number);
        return;
    case ASSENT__V1__EVENT__BODY_SEEN_OPT_OUT:
        replay_seen_opt_out(e, event->seen_opt_out, personal->number);
        return;
    case ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED:
    case ASSENT__V1__EVENT__BODY_COMPLAINT_RESOLVED:
        complaints_replay(e, sequence, event, personal);
        return;
    case ASSENT__V1__EVENT__BODY_INBOUND:
        if (event->inbound->part != NULL)
            long_reply_replay(e, event, personal);
        else
            review_replay(e, event, personal->number);
        return;
    case ASSENT__V1__EVENT__BODY_RECEIPT:
        receipt_park_again(e, carrier_index(e, event->receipt->carrier), event->receipt,
                           personal->number);
        return;
    default:
        return;
    }
}

static void replay_plain(struct engine *e, uint64_t sequence, const Assent__V1__Event *event)
{
    switch (event->body_case) {
    case ASSENT__V1__EVENT__BODY_ACCEPTED: /* its recipient was erased */
        if (event->accepted->reference_hash != 0 && sequence != 0)
            reference_remember(e, event->accepted->reference_hash, sequence, event->wall_ms);
        return;
    case ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED:
    case ASSENT__V1__EVENT__BODY_COMPLAINT_RESOLVED:
        complaints_replay(e, sequence, event, NULL);
        return;
    case ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED:
        scope_learn(e, event->scope_registered->name, (uint16_t)event->scope_registered->number);
        return;
    case ASSENT__V1__EVENT__BODY_SEEN_SCOPE:
        scope_learn(e, event->seen_scope->name, (uint16_t)event->seen_scope->number);
        return;
    case ASSENT__V1__EVENT__BODY_SEEN_REFERENCE:
        reference_remember(e, event->seen_reference->hash, event->seen_reference->message,
                           event->seen_reference->seen_wall_ms);
        return;
    case ASSENT__V1__EVENT__BODY_SENDER_DAY:
        sender_day_replay(e, event->sender_day);
        return;
    case ASSENT__V1__EVENT__BODY_GATE_STATE:
        projection_replay_gate(e, event->gate_state);
        return;
    case ASSENT__V1__EVENT__BODY_NODES_SEEN:
        nodes_replay(e, event->nodes_seen);
        return;
    case ASSENT__V1__EVENT__BODY_NODE_FORGOTTEN:
        nodes_drop(&e->nodes.all, event->node_forgotten->node);
        return;
    case ASSENT__V1__EVENT__BODY_SEEN_ERASED:
        erased_people_replay(e, event->seen_erased);
        return;
    case ASSENT__V1__EVENT__BODY_SNAPSHOT_HEAD:
        e->projection.last_consent = event->snapshot_head->last_consent;
        return;
    default:
        return;
    }
}

static void replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                   const Assent__V1__Personal *personal)
{
    if (body_is_consent(event->body_case) && sequence != 0)
        e->projection.last_consent = sequence;
    imports_replay(e, sequence, event);
    reputations_replay(e, sequence, event, personal);
    if (erasures_replay(e, sequence, event, personal)) {
        return;
    } else if (event->message != 0) {
        struct message *m = message_find(&e->messages, event->message);
        if (m != NULL)
            replay_of_message(e, m, event);
        else if (event->body_case == ASSENT__V1__EVENT__BODY_ENDED)
            table_remove(&e->orphans, event->message);
    } else if (personal != NULL) {
        replay_with_person(e, sequence, event, personal);
    } else {
        replay_plain(e, sequence, event);
    }
    message_free_ended(&e->messages);
}

static bool form_is_possible(const Assent__V1__Event *event)
{
    const Assent__V1__TextForm *form = NULL;
    if (event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED)
        form = event->accepted->form;
    else if (event->body_case == ASSENT__V1__EVENT__BODY_ATTEMPT)
        form = event->attempt->form;
    return form == NULL ||
           (form->parts >= 1 && form->parts <= TEXT_PARTS_MAX && form->shift <= UINT8_MAX &&
            form->encoding <= UINT8_MAX && form->concatenation <= CONCATENATION_PAYLOAD);
}

enum err engine_replay(struct engine *e, uint64_t sequence, struct span public_part,
                       struct span personal_part, const char **ret_why)
{
    arena_reset(&e->arena);
    ProtobufCAllocator *allocator = &e->arena.allocator;
    Assent__V1__Event *event =
        assent__v1__event__unpack(allocator, public_part.length, public_part.data);
    Assent__V1__Personal *personal = NULL;
    if (personal_part.length > 0)
        personal =
            assent__v1__personal__unpack(allocator, personal_part.length, personal_part.data);
    if (event == NULL || (personal_part.length > 0 && personal == NULL)) {
        *ret_why = "a record is no event of this program: wrong data_dir, or a newer version's";
        return ERR_CORRUPT;
    }
    if (!form_is_possible(event)) {
        *ret_why = "a text is sent in an impossible form";
        return ERR_CORRUPT;
    }
    if (event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED &&
        (event->accepted->parts < 1 || event->accepted->parts > TEXT_PARTS_MAX ||
         event->accepted->class_ >= CLASS_COUNT ||
         (personal != NULL &&
          (strlen(personal->text) > TEXT_OCTETS_MAX || personal->number == 0)))) {
        *ret_why = "an accepted message has impossible fields";
        return ERR_CORRUPT;
    }
    replay(e, sequence, event, personal);
    return ERR_OK;
}

/* ---- after the last record ---- */

static uint64_t to_monotonic(const struct engine *e, uint64_t wall_us)
{
    uint64_t now_us = e->now.wall_ms * US_PER_MS;
    if (wall_us > now_us)
        return e->now.mono_us + (wall_us - now_us);
    uint64_t ago = now_us - wall_us;
    return ago < e->now.mono_us ? e->now.mono_us - ago : 1;
}

static void settle_intent(struct engine *e, struct message *m)
{
    e->intents_after_crash++;
    if (e->plant == PLANT_RESEND_AFTER_CRASH) {
        m->intent = false;
        message_wait(e, m, false);
    } else if (may_send_again(e, m) && !m->text_lost) {
        m->resent = true;
        m->due_us = e->now.mono_us + e->config->retry_min_ms * US_PER_MS;
        record_deferred(e, m);
        message_wait(e, m, false);
    } else {
        record_ended(e, m, ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME, ASSENT__V1__REASON__CRASH, 0, 0);
        e->metrics.ended[m->message_class][ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME]++;
        message_in_doubt(
            e, m, e->now.mono_us + e->carriers[m->carrier].config->receipt_timeout_ms * US_PER_MS);
    }
}

static void place(struct engine *e, struct message *m)
{
    m->accepted_us = to_monotonic(e, m->accepted_us);
    m->expires_us = to_monotonic(e, m->expires_us);
    m->due_us = m->due_us ? to_monotonic(e, m->due_us) : 0;
    if (m->done == 0 && !m->unknown && !m->text_lost)
        (void)message_plan(e, m); /* the carrier may take texts in another form now */
    if (m->unknown) {
        message_in_doubt(e, m, m->due_us);
    } else if (m->done == all_parts(m)) {
        message_to_sent(e, m);
        receipts_settle(e, m);
    } else if (m->intent) {
        settle_intent(e, m);
    } else if (m->text_lost) {
        e->texts_lost++;
        message_wait(e, m, false);
        message_end(e, m, ASSENT__V1__OUTCOME__CANCELLED, ASSENT__V1__REASON__TEXT_LOST, 0, 0);
    } else {
        message_wait(e, m, false);
        if (m->stopped)
            message_end(e, m, ASSENT__V1__OUTCOME__CANCELLED, ASSENT__V1__REASON__STOP_CANCELLED, 0,
                        0);
    }
}

static void end_orphans(struct engine *e)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&e->orphans, &cursor)) != NULL) {
        Assent__V1__Ended body = ASSENT__V1__ENDED__INIT;
        body.outcome = ASSENT__V1__OUTCOME__CANCELLED;
        body.reason = ASSENT__V1__REASON__PROGRAM_REMOVED;
        Assent__V1__Event event = EVENT_INIT(e);
        event.program = (uint32_t)slot->value;
        event.message = slot->key;
        event.body_case = ASSENT__V1__EVENT__BODY_ENDED;
        event.ended = &body;
        record_event(e, &event, NULL);
    }
    table_release(&e->orphans);
}

void recover_finish(struct engine *e)
{
    struct message *m;
    while ((m = TAILQ_FIRST(&e->messages.lists[MESSAGE_NEW])) != NULL)
        place(e, m);
    struct parked_receipt *parked;
    TAILQ_FOREACH (parked, &e->parked, link)
        parked->until_us = e->now.mono_us + PARKED_RECEIPT_MS * US_PER_MS;
    struct part_set *set = reassembly_oldest(e->reassembly);
    for (; set != NULL; set = reassembly_after(set))
        set->since_us = to_monotonic(e, set->since_us);
    end_orphans(e);
}

/* ---- snapshot ---- */

struct snapshot {
    struct engine *e;
    struct instant now;
    bool (*add)(void *context, struct span public_part, struct span personal_part);
    void *context;
    bool ok;
};

static void put(struct snapshot *s, Assent__V1__Event *event, const Assent__V1__Personal *personal)
{
    struct span public_part, personal_part;
    if (!s->ok)
        return;
    record_pack(s->e, event, personal, &public_part, &personal_part);
    s->ok = s->add(s->context, public_part, personal_part);
}

static uint64_t to_wall_ms(const struct snapshot *s, uint64_t mono_us)
{
    if (mono_us >= s->now.mono_us)
        return s->now.wall_ms + (mono_us - s->now.mono_us) / US_PER_MS;
    return s->now.wall_ms - (s->now.mono_us - mono_us) / US_PER_MS;
}

static void put_accepted(struct snapshot *s, const struct message *m)
{
    const struct engine *e = s->e;
    char text[TEXT_OCTETS_MAX + 1];
    bool needs_text = m->state < MESSAGE_SENT && m->epoch == 0;
    size_t length = needs_text ? m->text_length : 0;
    memcpy(text, m->text, length);
    text[length] = '\0';
    Assent__V1__Accepted body = ASSENT__V1__ACCEPTED__INIT;
    body.id = m->id;
    body.class_ = (Assent__V1__Class)m->message_class;
    body.client = UNCONST(m->client == CLIENT_OPERATOR ? "" : e->config->clients[m->client].name);
    body.sender = UNCONST(e->config->programs[m->program].senders[m->sender]);
    body.carrier = UNCONST(e->config->carriers[m->carrier].name);
    body.campaign = m->flow->label;
    body.time_zone = UNCONST(m->zone ? zone_name(e->config->zones, m->zone) : "");
    body.parts = m->parts;
    body.encoding = m->encoding;
    Assent__V1__TextForm form;
    body.form = m->shift || m->concatenation ? record_form(m, &form) : NULL;
    body.expires_wall_ms = to_wall_ms(s, m->expires_us);
    body.send_at_wall_ms = m->state == MESSAGE_SCHEDULED ? to_wall_ms(s, m->due_us) : 0;
    body.service = (Assent__V1__ServiceKind)m->service;
    body.cause = m->cause;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = m->number;
    personal.text = text;
    if (m->epoch != 0)
        secret_put(s->e, m, m->id, &personal);
    Assent__V1__Event event = {PROTOBUF_C_MESSAGE_INIT(&assent__v1__event__descriptor),
                               .wall_ms = to_wall_ms(s, m->accepted_us)};
    event.program = e->program_scope[m->program];
    event.body_case = ASSENT__V1__EVENT__BODY_ACCEPTED;
    event.accepted = &body;
    put(s, &event, &personal);
}

static void put_of_message(struct snapshot *s, const struct message *m, Assent__V1__Event *event)
{
    event->program = s->e->program_scope[m->program];
    event->message = m->id;
    put(s, event, NULL);
}

static void put_attempt(struct snapshot *s, const struct message *m)
{
    Assent__V1__Attempt body = ASSENT__V1__ATTEMPT__INIT;
    body.number = m->attempts;
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_ATTEMPT;
    event.attempt = &body;
    put_of_message(s, m, &event);
}

static void put_part(struct snapshot *s, const struct message *m, uint8_t part)
{
    char id[MESSAGE_ID_MAX + 1] = "";
    for (const struct correlation *c = m->correlations; c != NULL; c = c->next_of_message)
        if (c->part == part) {
            memcpy(id, c->id, c->length);
            id[c->length] = '\0';
        }
    Assent__V1__Sent body = ASSENT__V1__SENT__INIT;
    body.part = part;
    body.carrier_message_id = id;
    body.receipt_unasked = (m->unasked & 1u << (part - 1)) != 0;
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_SENT;
    event.sent = &body;
    put_of_message(s, m, &event);
    if (id[0] == '\0' || (m->reported & (1u << (part - 1))) == 0)
        return;
    Assent__V1__Receipt receipt = ASSENT__V1__RECEIPT__INIT;
    receipt.part = part;
    receipt.state = m->worst_receipt ? (Assent__V1__ReceiptState)m->worst_receipt
                                     : ASSENT__V1__RECEIPT_STATE__RECEIPT_DELIVERED;
    receipt.counted_as = m->fate;
    event.body_case = ASSENT__V1__EVENT__BODY_RECEIPT;
    event.receipt = &receipt;
    put_of_message(s, m, &event);
}

static void put_deferred(struct snapshot *s, const struct message *m)
{
    Assent__V1__Deferred body = ASSENT__V1__DEFERRED__INIT;
    body.due_wall_ms = m->due_us ? to_wall_ms(s, m->due_us) : 0;
    body.after_unknown = m->resent;
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_DEFERRED;
    event.deferred = &body;
    put_of_message(s, m, &event);
}

static void put_quiet(struct snapshot *s, const struct message *m)
{
    Assent__V1__Held body = ASSENT__V1__HELD__INIT;
    body.reason = ASSENT__V1__REASON__QUIET_HOURS;
    body.due_wall_ms = to_wall_ms(s, m->due_us);
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_HELD;
    event.held = &body;
    put_of_message(s, m, &event);
}

static void put_doubt(struct snapshot *s, const struct message *m)
{
    Assent__V1__Ended body = ASSENT__V1__ENDED__INIT;
    body.outcome = ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME;
    body.reason = ASSENT__V1__REASON__NO_ANSWER;
    Assent__V1__Event event = EVENT_INIT(s);
    event.wall_ms =
        to_wall_ms(s, m->timer.due_us) - s->e->carriers[m->carrier].config->receipt_timeout_ms;
    event.body_case = ASSENT__V1__EVENT__BODY_ENDED;
    event.ended = &body;
    put_of_message(s, m, &event);
}

static void put_message(struct snapshot *s, const struct message *m)
{
    put_accepted(s, m);
    if (m->attempts > 0)
        put_attempt(s, m);
    if (m->attempts > 0 && !m->intent && m->state < MESSAGE_ON_WIRE)
        put_deferred(s, m);
    if (m->quiet)
        put_quiet(s, m);
    for (uint8_t part = 1; part <= m->parts; part++)
        if (m->done & (1u << (part - 1)))
            put_part(s, m, part);
    if (m->state == MESSAGE_IN_DOUBT)
        put_doubt(s, m);
}

static void put_head(struct snapshot *s)
{
    Assent__V1__SnapshotHead body = ASSENT__V1__SNAPSHOT_HEAD__INIT;
    body.sequence = s->e->ports->ledger_next(s->e->ports->context);
    body.last_consent = s->e->projection.last_consent;
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_SNAPSHOT_HEAD;
    event.snapshot_head = &body;
    put(s, &event, NULL);
}

static void put_scope(struct snapshot *s, const char *kind, const char *of, uint16_t number)
{
    char name[NAME_OCTETS_MAX + 16];
    snprintf(name, sizeof name, "%s:%s", kind, of);
    Assent__V1__SeenScope body = ASSENT__V1__SEEN_SCOPE__INIT;
    body.number = number;
    body.name = name;
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_SEEN_SCOPE;
    event.seen_scope = &body;
    if (number != 0)
        put(s, &event, NULL);
}

static void put_references(struct snapshot *s)
{
    const struct engine *e = s->e;
    for (size_t i = 0; i < e->reference_count; i++) {
        const struct seen_reference *seen =
            &e->reference_ring[(e->reference_start + i) % e->reference_size];
        const uint64_t *id = table_find(&e->references, seen->hash);
        Assent__V1__SeenReference body = ASSENT__V1__SEEN_REFERENCE__INIT;
        body.hash = seen->hash;
        body.message = id ? *id : 0;
        body.seen_wall_ms = seen->wall_ms;
        Assent__V1__Event event = EVENT_INIT(s);
        event.body_case = ASSENT__V1__EVENT__BODY_SEEN_REFERENCE;
        event.seen_reference = &body;
        put(s, &event, NULL);
    }
}

static void put_opt_outs(struct snapshot *s)
{
    const struct recent_opt_out *recent;
    TAILQ_FOREACH (recent, &s->e->recent_opt_outs, link) {
        if (recent->erased)
            continue;
        uint32_t scopes[WRITE_SCOPES_MAX];
        for (uint8_t i = 0; i < recent->scope_count; i++)
            scopes[i] = recent->scopes[i];
        Assent__V1__SeenOptOut body = ASSENT__V1__SEEN_OPT_OUT__INIT;
        body.n_scopes = recent->scope_count;
        body.scopes = scopes;
        body.sequence = recent->sequence;
        body.wall_ms = recent->wall_ms;
        body.confirmed = recent->confirmed;
        Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
        personal.number = recent->number;
        Assent__V1__Event event = EVENT_INIT(s);
        event.body_case = ASSENT__V1__EVENT__BODY_SEEN_OPT_OUT;
        event.seen_opt_out = &body;
        put(s, &event, &personal);
    }
}

static void put_reviews(struct snapshot *s)
{
    const struct review *review;
    TAILQ_FOREACH (review, &s->e->reviews, link) {
        Assent__V1__Inbound body;
        Assent__V1__Personal personal;
        review_describe(review, &body, &personal);
        Assent__V1__Event event = EVENT_INIT(s);
        event.wall_ms = review->due_wall_ms - REVIEW_MS;
        event.body_case = ASSENT__V1__EVENT__BODY_INBOUND;
        event.inbound = &body;
        put(s, &event, &personal);
    }
}

static void put_vacancies(struct snapshot *s)
{
    const struct vacancy *v = NULL;
    while ((v = vacancy_after(s->e, v)) != NULL) {
        Assent__V1__SeenVacancy body;
        Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
        personal.number = vacancy_describe(v, &body);
        Assent__V1__Event event = EVENT_INIT(s);
        event.body_case = ASSENT__V1__EVENT__BODY_SEEN_VACANCY;
        event.seen_vacancy = &body;
        put(s, &event, &personal);
    }
}

static void put_long_replies(struct snapshot *s)
{
    const struct part_set *set = reassembly_oldest(s->e->reassembly);
    for (; set != NULL; set = reassembly_after(set)) {
        for (unsigned i = 0; i < set->part.total; i++) {
            struct part_record record;
            if (!long_reply_describe(s->e, set, i, &record))
                continue;
            record.event.wall_ms = to_wall_ms(s, set->since_us);
            put(s, &record.event, &record.personal);
        }
    }
}

static void put_nodes(struct snapshot *s)
{
    struct nodes_record record;
    nodes_describe(&s->e->nodes.all, &record);
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_NODES_SEEN;
    event.nodes_seen = &record.body;
    put(s, &event, NULL);
}

static void put_gate(struct snapshot *s)
{
    Assent__V1__GateState body = ASSENT__V1__GATE_STATE__INIT;
    body.write_from = projection_write_from(s->e);
    Assent__V1__Event event = EVENT_INIT(s);
    event.body_case = ASSENT__V1__EVENT__BODY_GATE_STATE;
    event.gate_state = &body;
    if (body.write_from != 0)
        put(s, &event, NULL);
}

static void put_sender_days(struct snapshot *s, const struct carrier *c)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&c->senders, &cursor)) != NULL) {
        Assent__V1__SenderDay body;
        Assent__V1__Event event = EVENT_INIT(s);
        event.body_case = ASSENT__V1__EVENT__BODY_SENDER_DAY;
        event.sender_day = &body;
        if (sender_day_describe(table_slot_pointer(slot), &body))
            put(s, &event, NULL);
    }
}

static int by_id(const void *a, const void *b)
{
    const struct message *const *x = a, *const *y = b;
    return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/* In the order of acceptance, so that queues are rebuilt in their order. */
static void put_messages(struct snapshot *s)
{
    const struct table *table = &s->e->messages.by_id;
    const struct message **all = check_malloc(table->count * sizeof *all);
    size_t count = 0;
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(table, &cursor)) != NULL)
        all[count++] = table_slot_pointer(slot);
    qsort(all, count, sizeof *all, by_id);
    for (size_t i = 0; i < count && s->ok; i++)
        put_message(s, all[i]);
    free(all);
}

static void put_any(void *context, Assent__V1__Event *event, const Assent__V1__Personal *personal)
{
    put(context, event, personal);
}

static void put_plain(void *context, Assent__V1__Event *event)
{
    put(context, event, NULL);
}

bool engine_snapshot(const struct engine *engine, struct instant now,
                     bool (*add)(void *context, struct span public_part, struct span personal_part),
                     void *context)
{
    struct engine *e = (struct engine *)(uintptr_t)engine; /* packs into its scratch */
    struct snapshot s = {.e = e, .now = now, .add = add, .context = context, .ok = true};
    secret_forked(e);
    put_head(&s);
    for (uint16_t i = 0; i < e->config->program_count; i++) {
        put_scope(&s, "program", e->config->programs[i].name, e->program_scope[i]);
        put_scope(&s, "brand", e->config->programs[i].brand, e->brand_scope[i]);
    }
    for (uint16_t i = 0; i < e->carrier_count; i++)
        put_sender_days(&s, &e->carriers[i]);
    put_nodes(&s);
    put_gate(&s);
    imports_snapshot(e, now.wall_ms, put_plain, &s);
    erased_people_snapshot(e, put_plain, &s);
    erasures_snapshot(e, put_any, &s);
    complaints_snapshot(e, put_any, &s);
    reputations_snapshot(e, put_any, &s);
    put_references(&s);
    put_long_replies(&s);
    put_reviews(&s);
    put_messages(&s);
    put_vacancies(&s); /* a part of a message that was delivered ends a count of before */
    put_opt_outs(&s);  /* they stop messages */
    return s.ok;
}

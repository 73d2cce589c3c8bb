/* SPDX-License-Identifier: Apache-2.0 */
/* One function an event, in the order of the schema, and one table that finds it. */
#include "gateway/cli/event_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/import.h"
#include "consent/policy.h"
#include "gateway/cli/when.h"
#include "gateway/complaint.h"
#include "gateway/reputation.h"
#include "gateway/metrics.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"

#define TEXT_SHOWN 60 /* octets of a text in one line */

/* Sentences ------------------------------------------------------------------------------------ */

struct sentence {
    char *out;
    size_t used;
};

static void say(struct sentence *sentence, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct sentence *sentence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = EVENT_TEXT_SIZE - sentence->used;
    int n = vsnprintf(sentence->out + sentence->used, room, format, arguments);
    va_end(arguments);
    if (n > 0)
        sentence->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* Words of a field, where the field is set. */
static void say_if(struct sentence *sentence, const char *before, const char *value)
{
    if (value[0] != '\0')
        say(sentence, "%s%s", before, value);
}

static void say_time(struct sentence *sentence, const char *before, uint64_t wall_ms)
{
    char text[WHEN_TEXT_SIZE];
    if (wall_ms != 0)
        say(sentence, "%s%s", before, when_text(wall_ms, text));
}

/* A text on one line, cut between characters, control characters as spaces. */
static void say_quoted(struct sentence *sentence, const char *text)
{
    size_t length = strlen(text);
    bool cut = length > TEXT_SHOWN;
    if (cut)
        for (length = TEXT_SHOWN; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
            length--;
    say(sentence, " \"");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        say(sentence, "%c", c < ' ' || c == 0x7f ? ' ' : c);
    }
    say(sentence, "%s\"", cut ? "..." : "");
}

static const char *spaced(const char *name, char out[48])
{
    size_t i = 0;
    for (; i < 47 && name[i] != '\0'; i++)
        out[i] = name[i] == '_' ? ' ' : name[i];
    out[i] = '\0';
    return out;
}

char *outcome_text(Assent__V1__Outcome outcome, Assent__V1__Reason reason, char out[96])
{
    char a[48], b[48];
    spaced(outcome_name(outcome), a);
    if (reason == ASSENT__V1__REASON__REASON_NONE)
        snprintf(out, 96, "%s", a);
    else
        snprintf(out, 96, "%.45s: %.45s", a, spaced(reason_name(reason), b));
    return out;
}

/* Scopes --------------------------------------------------------------------------------------- */

static char *scope_names[SCOPE_MAX + 1];

static void learn_scope(uint32_t number, const char *name)
{
    if (number > SCOPE_MAX)
        return;
    free(scope_names[number]);
    scope_names[number] = check_strdup(name);
}

void event_learn(const Assent__V1__Event *event)
{
    if (event->body_case == ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED)
        learn_scope(event->scope_registered->number, event->scope_registered->name);
    else if (event->body_case == ASSENT__V1__EVENT__BODY_SEEN_SCOPE)
        learn_scope(event->seen_scope->number, event->seen_scope->name);
}

static void say_scope(struct sentence *sentence, uint32_t scope)
{
    static const char *const reserved[] = {"everything", "hold", "the do-not-call register",
                                           "the register of reassigned numbers"};
    const char *name = scope <= SCOPE_MAX ? scope_names[scope] : NULL;
    if (scope < sizeof reserved / sizeof reserved[0])
        say(sentence, "%s", reserved[scope]);
    else if (name == NULL)
        say(sentence, "scope %u", scope);
    else
        for (; *name != '\0'; name++)
            say(sentence, "%s", *name == ':' ? " " : (char[]){*name, '\0'});
}

static void say_scopes(struct sentence *sentence, const uint32_t *scopes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        say(sentence, i == 0 ? "" : ", ");
        say_scope(sentence, scopes[i]);
    }
}

char *scope_text(uint32_t scope, char out[SCOPE_TEXT_SIZE])
{
    char text[EVENT_TEXT_SIZE];
    struct sentence sentence = {text, 0};
    say_scope(&sentence, scope);
    snprintf(out, SCOPE_TEXT_SIZE, "%.*s", SCOPE_TEXT_SIZE - 1, text);
    return out;
}

/* Events --------------------------------------------------------------------------------------- */

static const char *source_words(Assent__V1__ConsentSource source)
{
    switch (source) {
    case ASSENT__V1__CONSENT_SOURCE__REPLY:
        return "by a reply from the handset";
    case ASSENT__V1__CONSENT_SOURCE__TOKEN:
        return "with the link's token";
    case ASSENT__V1__CONSENT_SOURCE__SUBMITTER:
        return "by a client's call";
    case ASSENT__V1__CONSENT_SOURCE__IMPORT:
        return "by import";
    case ASSENT__V1__CONSENT_SOURCE__CARRIER:
        return "by the carrier";
    case ASSENT__V1__CONSENT_SOURCE__OPERATOR:
        return "by the operator";
    case ASSENT__V1__CONSENT_SOURCE__SOURCE_UNSPECIFIED:
    case _ASSENT__V1__CONSENT_SOURCE_IS_INT_SIZE:
        break;
    }
    return "from an unknown source";
}

static const char *service_words(Assent__V1__ServiceKind kind)
{
    switch (kind) {
    case ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION:
        return "opt-out confirmation";
    case ASSENT__V1__SERVICE_KIND__HELP_REPLY:
        return "help text";
    case ASSENT__V1__SERVICE_KIND__OPT_IN_QUESTION:
        return "opt-in question";
    case ASSENT__V1__SERVICE_KIND__WELCOME:
        return "welcome";
    case ASSENT__V1__SERVICE_KIND__OPT_IN_AGAIN:
        return "answer to START";
    case ASSENT__V1__SERVICE_KIND__WHICH_MESSAGES:
        return "question which messages were meant";
    case ASSENT__V1__SERVICE_KIND__MARKETING_STOPPED:
        return "confirmation that marketing stopped";
    case ASSENT__V1__SERVICE_KIND__SERVICE_NONE:
    case _ASSENT__V1__SERVICE_KIND_IS_INT_SIZE:
        break;
    }
    return "";
}

static void say_accepted(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__Accepted *a = event->accepted;
    say(s, "accepted a message (%s", class_name(a->class_));
    say_if(s, ": ", service_words(a->service));
    say(s, ")");
    say_if(s, " from ", a->client);
    say_if(s, ", campaign ", a->campaign);
    say_if(s, ", sender ", a->sender);
    say_if(s, ", carrier ", a->carrier);
    say(s, ", %u part%s %s", a->parts, a->parts == 1 ? "" : "s", encoding_text(a->encoding));
    if (a->replaced != 0)
        say(s, " with %u characters made plain", a->replaced);
    say_time(s, ", not before ", a->send_at_wall_ms);
    say_if(s, ", recipient in ", a->time_zone);
    if (a->cause != 0)
        say(s, ", because of record #%" PRIu64, a->cause);
}

static void say_attempt(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "attempt %u over %s: the intent is on disk, permission is asked", event->attempt->number,
        event->attempt->carrier);
}

/* "; gates refused: frequency; gates passed: origin, opt out" */
static void say_gates(struct sentence *s, uint32_t answers)
{
    static const enum gate_answer order[] = {ANSWER_REFUSED, ANSWER_UNKNOWN, ANSWER_PASSED};
    char name[48];
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        bool first = true;
        for (int g = 0; g < GATE_COUNT; g++) {
            if (gate_answer_of(answers, (enum gate)g) != order[i])
                continue;
            if (first)
                say(s, "; gates %s: ", gate_answer_name(order[i]));
            say(s, "%s%s", first ? "" : ", ", spaced(gate_name((enum gate)g), name));
            first = false;
        }
    }
}

/* The recipient's clock, and how it is known. */
static void say_local(struct sentence *s, const Assent__V1__LocalTime *local, uint64_t wall_ms)
{
    char west[WHEN_TEXT_SIZE], east[WHEN_TEXT_SIZE];
    if (local == NULL)
        return;
    when_text(wall_ms + (uint64_t)(local->west_minutes * 60000ll), west);
    when_text(wall_ms + (uint64_t)(local->east_minutes * 60000ll), east);
    say(s, "; local time %.5s", west + 11);
    if (local->west_minutes != local->east_minutes)
        say(s, " to %.5s", east + 11);
    say(s, " by the %s",
        local->source == ASSENT__V1__ZONE_SOURCE__ZONE_BY_SUBMITTER   ? "submitter's word"
        : local->source == ASSENT__V1__ZONE_SOURCE__ZONE_BY_AREA_CODE ? "area code"
                                                                      : "country");
}

static void say_sent(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__Sent *sent = event->sent;
    say(s, "sent: part %u taken by %s", sent->part, sent->carrier);
    if (sent->carrier_message_id[0] != '\0')
        say(s, " as \"%s\"", sent->carrier_message_id);
    say_time(s, "; the gate said yes at ", sent->verdict_wall_ms);
    say_local(s, sent->local, sent->verdict_wall_ms);
    say_gates(s, sent->gates);
}

static void say_held(struct sentence *s, const Assent__V1__Event *event)
{
    char name[48];
    say(s, "held, nothing was written: %s", spaced(reason_name(event->held->reason), name));
    say_time(s, "; again at ", event->held->due_wall_ms);
    say_local(s, event->held->local, event->wall_ms);
    say_gates(s, event->held->gates);
}

static void say_deferred(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "the carrier said not now (status 0x%08x)", event->deferred->command_status);
    say_time(s, "; again at ", event->deferred->due_wall_ms);
}

static void say_ended(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__Ended *ended = event->ended;
    char text[96];
    say(s, "ended: %s", outcome_text(ended->outcome, ended->reason, text));
    if (ended->command_status != 0)
        say(s, " 0x%08x", ended->command_status);
    if (ended->reason == ASSENT__V1__REASON__OPTED_OUT) {
        say(s, " of ");
        say_scope(s, ended->scope);
    }
    if (ended->cause != 0)
        say(s, " (record #%" PRIu64 "%s%s)", ended->cause, ended->node[0] ? " of " : "",
            ended->node);
    say_gates(s, ended->gates);
}

static void say_receipt(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__Receipt *receipt = event->receipt;
    static const char *const names[] = {"unspecified", "en route",      "delivered",
                                        "expired",     "deleted",       "undeliverable",
                                        "accepted",    "unknown state", "rejected"};
    unsigned state = (unsigned)receipt->state;
    say(s, "receipt");
    say_if(s, " from ", receipt->carrier);
    if (receipt->unmatched)
        say(s, " that fits no message");
    else
        say(s, " for part %u", receipt->part);
    say(s, ": %s", state < sizeof names / sizeof names[0] ? names[state] : "new state");
    say_if(s, " ", receipt->state_text);
    say_if(s, ", error ", receipt->error_code);
    say_if(s, ", id ", receipt->carrier_message_id);
    if (receipt->outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN) {
        char text[96];
        say(s, "; the message ended: %s",
            outcome_text(receipt->outcome, ASSENT__V1__REASON__REASON_NONE, text));
    }
}

static void say_inbound(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__Inbound *inbound = event->inbound;
    char name[48];
    say(s, "a text came");
    say_if(s, " to ", inbound->sender);
    say_if(s, " over ", inbound->carrier);
    say(s, ", read as %s", spaced(inbound->meaning, name));
    say_if(s, " by rule ", inbound->rule);
    if (inbound->part != NULL && inbound->part->number != 0)
        say(s, " (part %u of %u)", inbound->part->number, inbound->part->total);
}

static void say_requested(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__OptInRequested *request = event->opt_in_requested;
    say(s, "consent was asked for");
    say_if(s, " by ", request->client);
    say_if(s, ", source: ", request->source);
    say_if(s, ", in ", request->language);
    say_time(s, "; open until ", request->expires_wall_ms);
}

static void say_confirmed(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__OptInConfirmed *confirmed = event->opt_in_confirmed;
    say(s, "consent was confirmed %s", source_words(confirmed->source));
    say_if(s, ", rule ", confirmed->rule);
    if (confirmed->request != 0)
        say(s, ", to the question of record #%" PRIu64, confirmed->request);
}

static void say_import(struct sentence *s, uint64_t import, uint64_t row)
{
    if (import != 0)
        say(s, ", row %" PRIu64 " of import %" PRIu64, row, import);
}

static void say_recorded(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__OptInRecorded *recorded = event->opt_in_recorded;
    say(s, "consent was recorded %s", source_words(recorded->source));
    say_if(s, ", ", recorded->client);
    say_if(s, ", source: ", recorded->how);
    say_time(s, ", obtained ", recorded->obtained_wall_ms);
    say_import(s, recorded->import, recorded->row);
}

static void say_declined(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "consent was declined (question: record #%" PRIu64 ")", event->opt_in_declined->request);
}

static void say_opted_out(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__OptedOut *out = event->opted_out;
    char when[WHEN_TEXT_SIZE];
    say(s, "opted out of ");
    say_scopes(s, out->scopes, out->n_scopes);
    say(s, " %s", source_words(out->source));
    say_if(s, ", ", out->client);
    say_if(s, ", rule ", out->rule);
    if (out->source != ASSENT__V1__CONSENT_SOURCE__REPLY)
        say_if(s, ", source: ", out->how);
    say_import(s, out->import, out->row);
    if (out->effective_wall_ms != 0)
        say(s, ", since %s", when_text(out->effective_wall_ms, when));
    say(s, "; %u waiting cancelled", out->cancelled);
    for (size_t i = 0; i < out->n_in_flight; i++)
        say(s, "%s%" PRIu64, i == 0 ? "; already on the wire: " : ", ", out->in_flight[i]);
}

static void say_again(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__OptedInAgain *again = event->opted_in_again;
    bool released = again->source == ASSENT__V1__CONSENT_SOURCE__OPERATOR;
    say(s, "%s", released ? "released from " : "opted in again to ");
    say_scopes(s, again->scopes, again->n_scopes);
    say(s, " %s", source_words(again->source));
    say_if(s, " ", again->how);
    say_if(s, ", rule ", again->rule);
}

static const char *import_word(Assent__V1__ImportKind kind)
{
    const struct import_kind *row = import_kind(kind);
    return row != NULL ? row->name : "unknown";
}

static void say_import_begun(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ImportBegun *begun = event->import_begun;
    say(s, "import of %s begun", import_word(begun->kind));
    say_if(s, ", file ", begun->file);
    say_if(s, ", client ", begun->client);
}

static void say_register_copied(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__RegisterCopied *copied = event->register_copied;
    char when[WHEN_TEXT_SIZE];
    say(s, "import %" PRIu64 " of %s ended, %" PRIu64 " rows recorded", copied->import,
        import_word(copied->kind), copied->rows);
    if (copied->copied_wall_ms != 0)
        say(s, "; copied from the register at %s", when_text(copied->copied_wall_ms, when));
}

static void say_vacant(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__NumberVacant *vacant = event->number_vacant;
    say(s,
        "number taken for reassigned: %u messages met an unknown subscriber, the last at %s with "
        "%s",
        vacant->times, vacant->carrier, vacant->code);
}

static void say_scope_registered(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "scope %u is %s", event->scope_registered->number, event->scope_registered->name);
}

static void say_started(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__NodeStarted *started = event->node_started;
    say(s, "gateway %s started, version %s, %" PRIu64 " open messages", started->node,
        started->version, started->open_messages);
    if (started->unknown_messages > 0)
        say(s, ", %" PRIu64 " with an unknown outcome", started->unknown_messages);
}

static void say_nodes_seen(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__NodesSeen *body = event->nodes_seen;
    if (body->n_nodes == 0)
        say(s, "no other gateway uses this Redis");
    for (size_t i = 0; i < body->n_nodes; i++)
        say(s, "%s%s%s", i ? ", " : "other gateways at this Redis: ", body->nodes[i]->name,
            body->nodes[i]->silent ? " (silent)" : "");
}

static void say_forgotten(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "gateway %s was forgotten: it is not waited for", event->node_forgotten->node);
}

static void say_stopped(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "gateway stopped%s", event->node_stopped->drained ? ", drained" : "");
}

static void say_config(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "configuration loaded, sha256 ");
    for (size_t i = 0; i < event->config_loaded->sha256.len; i++)
        say(s, "%02x", event->config_loaded->sha256.data[i]);
}

static void say_sender_day(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__SenderDay *day = event->sender_day;
    say(s, "sender %s: up to %u submit_sm of its day's cap at carrier %s", day->sender, day->count,
        day->carrier);
}

static void say_signing_key(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, event->signing_key->previous.len > 0 ? "a new key takes over, to sign the ledger: "
                                                : "key that signs the ledger: ");
    for (size_t i = 0; i < event->signing_key->public_key.len; i++)
        say(s, "%02x", event->signing_key->public_key.data[i]);
}

static void say_probed(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__Probed *probed = event->probed;
    if (probed->is_over)
        say(s, "the probe of carrier %s is over: %u of %u test texts sent from %s, %u taken",
            probed->carrier, probed->sent, probed->texts, probed->sender, probed->taken);
    else
        say(s, "carrier %s is probed: up to %u test texts from %s", probed->carrier, probed->texts,
            probed->sender);
}

static void say_carrier(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__CarrierState *state = event->carrier_state;
    say(s, "carrier %s, session %u: %s", state->carrier, state->session,
        state->bound ? "bound" : "down");
    say_if(s, ", ", state->why);
}

static void say_gate(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "the gate is %s", event->gate_state->open ? "open" : "shut: nothing is sent");
    say_if(s, ", ", event->gate_state->why);
}

static void say_complaint(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ComplaintOpened *body = event->complaint_opened;
    say(s, "a complaint was opened: %s, by %s", complaint_type_name((unsigned)body->type),
        complaint_channel_name((unsigned)body->channel));
    say_if(s, ", about sender ", body->sender);
    say_if(s, ", carrier ", body->carrier);
    say_time(s, ", due ", body->due_wall_ms);
    say(s, ", suppressed by #%" PRIu64, body->hold);
    say_if(s, ", taken by ", body->who);
}

static void say_resolved(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ComplaintResolved *body = event->complaint_resolved;
    say(s, "complaint #%" PRIu64 " was resolved: %s", body->complaint,
        complaint_finding_name((unsigned)body->finding));
    say_if(s, ", by ", body->who);
    if (body->release != 0)
        say(s, ", its hold released by #%" PRIu64, body->release);
}

static void say_finding(struct sentence *s, const Assent__V1__ReputationFinding *body)
{
    char share[32], threshold[32];
    share_text(body->share, share, sizeof share);
    share_text(body->threshold, threshold, sizeof threshold);
    say(s, ": %s %s of %" PRIu64 " texts in the last %s (%" PRIu64 "), the limit is %s",
        reputation_rate_text((unsigned)body->rate), share, body->texts,
        reputation_window_name((unsigned)body->window), body->count, threshold);
}

static void say_alarm(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ReputationFinding *body = event->reputation_alarm;
    say(s, "reputation alarm for sender %s at carrier %s", body->sender, body->carrier);
    say_finding(s, body);
}

static void say_paused(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ReputationFinding *body = event->reputation_paused;
    say(s, "marketing of sender %s at carrier %s is paused until an operator releases it",
        body->sender, body->carrier);
    say_finding(s, body);
}

static void say_released(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ReputationReleased *body = event->reputation_released;
    say(s, "marketing of sender %s at carrier %s was released by %s (paused by #%" PRIu64 ")",
        body->sender, body->carrier, body->who, body->paused);
}

static void say_erased(struct sentence *s, const Assent__V1__Event *event)
{
    say(s, "a person is to be erased by request %s", event->erased->request);
}

static void say_erased_records(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ErasedRecords *body = event->erased_records;
    say(s, "existed, unaltered; erasure #%" PRIu64 " destroys the personal parts of %zu records%s",
        body->erasure, body->n_steps,
        body->kept_opt_out ? "; the opt-out stays, as a fingerprint" : "");
}

static void say_erasure_done(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__ErasureDone *body = event->erasure_done;
    say(s, "destroyed by request %s: erasure #%" PRIu64 ", %" PRIu64 " records", body->request,
        body->erasure, body->records);
}

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

static void say_records_cut(struct sentence *s, const Assent__V1__Event *event)
{
    const Assent__V1__RecordsCut *body = event->records_cut;
    say(s,
        "retention: of records %" PRIu64 " to %" PRIu64 ", all older than %" PRIu64
        " days, %" PRIu64 " that are no consent are reduced to hashes",
        body->first, body->last, body->age_ms / DAY_MS, body->records);
}

typedef void say_event(struct sentence *sentence, const Assent__V1__Event *event);

static const struct {
    Assent__V1__Event__BodyCase body;
    say_event *say;
} rows[] = {
    {ASSENT__V1__EVENT__BODY_ACCEPTED, say_accepted},
    {ASSENT__V1__EVENT__BODY_ATTEMPT, say_attempt},
    {ASSENT__V1__EVENT__BODY_SENT, say_sent},
    {ASSENT__V1__EVENT__BODY_HELD, say_held},
    {ASSENT__V1__EVENT__BODY_DEFERRED, say_deferred},
    {ASSENT__V1__EVENT__BODY_ENDED, say_ended},
    {ASSENT__V1__EVENT__BODY_RECEIPT, say_receipt},
    {ASSENT__V1__EVENT__BODY_INBOUND, say_inbound},
    {ASSENT__V1__EVENT__BODY_OPT_IN_REQUESTED, say_requested},
    {ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED, say_confirmed},
    {ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED, say_recorded},
    {ASSENT__V1__EVENT__BODY_OPT_IN_DECLINED, say_declined},
    {ASSENT__V1__EVENT__BODY_OPTED_OUT, say_opted_out},
    {ASSENT__V1__EVENT__BODY_OPTED_IN_AGAIN, say_again},
    {ASSENT__V1__EVENT__BODY_NUMBER_VACANT, say_vacant},
    {ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED, say_scope_registered},
    {ASSENT__V1__EVENT__BODY_IMPORT_BEGUN, say_import_begun},
    {ASSENT__V1__EVENT__BODY_REGISTER_COPIED, say_register_copied},
    {ASSENT__V1__EVENT__BODY_NODE_STARTED, say_started},
    {ASSENT__V1__EVENT__BODY_NODE_STOPPED, say_stopped},
    {ASSENT__V1__EVENT__BODY_CARRIER_STATE, say_carrier},
    {ASSENT__V1__EVENT__BODY_GATE_STATE, say_gate},
    {ASSENT__V1__EVENT__BODY_CONFIG_LOADED, say_config},
    {ASSENT__V1__EVENT__BODY_SENDER_DAY, say_sender_day},
    {ASSENT__V1__EVENT__BODY_NODES_SEEN, say_nodes_seen},
    {ASSENT__V1__EVENT__BODY_NODE_FORGOTTEN, say_forgotten},
    {ASSENT__V1__EVENT__BODY_PROBED, say_probed},
    {ASSENT__V1__EVENT__BODY_SIGNING_KEY, say_signing_key},
    {ASSENT__V1__EVENT__BODY_COMPLAINT_OPENED, say_complaint},
    {ASSENT__V1__EVENT__BODY_COMPLAINT_RESOLVED, say_resolved},
    {ASSENT__V1__EVENT__BODY_REPUTATION_ALARM, say_alarm},
    {ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED, say_paused},
    {ASSENT__V1__EVENT__BODY_REPUTATION_RELEASED, say_released},
    {ASSENT__V1__EVENT__BODY_ERASED, say_erased},
    {ASSENT__V1__EVENT__BODY_ERASED_RECORDS, say_erased_records},
    {ASSENT__V1__EVENT__BODY_ERASURE_DONE, say_erasure_done},
    {ASSENT__V1__EVENT__BODY_RECORDS_CUT, say_records_cut},
};

const char *event_kind(const Assent__V1__Event *event)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
        &assent__v1__event__descriptor, (unsigned)event->body_case);
    return field ? field->name : "unknown";
}

const char *shown_text(const Assent__V1__Event *event, const Assent__V1__Personal *personal)
{
    if (personal->encrypted_text.len == 0 || event->body_case != ASSENT__V1__EVENT__BODY_ACCEPTED)
        return personal->text;
    if (event->accepted->class_ == ASSENT__V1__CLASS__OTP)
        return "(code, not kept)";
    return personal->text_hash.len > 0 ? "(text not kept, but its hash)" : "(text not kept)";
}

char *event_text(const Assent__V1__Event *event, const Assent__V1__Personal *personal,
                 char out[EVENT_TEXT_SIZE])
{
    struct sentence sentence = {.out = out};
    out[0] = '\0';
    size_t i = 0;
    while (i < sizeof rows / sizeof rows[0] && rows[i].body != event->body_case)
        i++;
    if (i < sizeof rows / sizeof rows[0])
        rows[i].say(&sentence, event);
    else
        say(&sentence, "%s", event_kind(event));
    if (personal != NULL && personal->number != 0)
        say(&sentence, " [+%" PRIu64 "]", personal->number);
    if (personal != NULL && personal->encrypted_text.len > 0)
        say(&sentence, " %s", shown_text(event, personal));
    else if (personal != NULL && personal->text[0] != '\0')
        say_quoted(&sentence, personal->text);
    if (personal != NULL && personal->evidence[0] != '\0')
        say_quoted(&sentence, personal->evidence);
    if (personal != NULL && personal->cause[0] != '\0')
        say_quoted(&sentence, personal->cause);
    return out;
}

const char *encoding_text(uint32_t data_coding)
{
    return (data_coding & 0x0f) == 0 ? "GSM 7-bit"
           : data_coding == 3        ? "Latin-1"
           : data_coding == 8        ? "UCS-2"
                                     : "other";
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The probe's connection: the phases below, one after the other, in a loop of its own. A fault in any of
 * them ends in an orderly unbind. */
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/probe.h"
#include "gateway/throttle.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "smpp/decode.h"
#include "smpp/link.h"
#include "smpp/session.h"
#include "smpp/status.h"

#define TEXT          "Test of the SMPP connection. You asked for this text."
#define TEXT_OF_SOME  "Test %u of %u of the SMPP connection. You asked for this text."
#define TURN_US       1000
#define REDIS_MS      5000 /* to be ready, and to answer */
#define UNBIND_MS     4000
#define SAMPLES       5 /* enquire_links, one behind the other */
#define MORE_RECEIPTS (300 * US_PER_MS)
#define SILENT_MS     (1000 + THROTTLE_GUARD_MS) /* a gateway may have used up the second */

enum phase {
    PHASE_REDIS,   /* can the gate be asked? */
    PHASE_BIND,    /* connect and bind */
    PHASE_MEASURE, /* round trips of enquire_link */
    PHASE_SEND,    /* text by text: may this number be sent to? */
    PHASE_ANSWER,  /* all that will be sent is under way */
    PHASE_RECEIPT,
    PHASE_UNBIND,
    PHASE_END,
};

struct probe;

/* One connection: a transceiver, or the transmitter and the receiver of a pair. */
struct leg {
    struct probe *probe;
    struct link *link;
    struct session *session;
    enum session_mode mode;
    bool bound, closed;
    uint64_t bind_us, enquired_us;
    uint32_t enquire_sequence; /* of the enquire_link that is measured; 0: none */
};

struct parked {
    struct leg *leg;
    struct pdu_header header;
    struct probe_receipt receipt;
};

struct probe {
    const struct probe_order *order;
    const struct carrier_config *carrier; /* the order's */
    struct event_base *base;
    struct tls_context *tls;
    struct probe_gate *gate;
    struct probe_record *record;
    struct throttle throttle;
    struct leg legs[2];
    unsigned leg_count;
    enum phase phase;
    uint64_t now_us, deadline_us, silent_until_us, receipt_us;
    struct parked parked[PROBE_TEXTS_MAX]; /* receipts before the submit_sm_resp */
    unsigned parked_count;
    bool failed, refused; /* refused: no more is sent */
    struct probe_facts facts;
};

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void enter(struct probe *p, enum phase phase, uint64_t limit_us)
{
    p->phase = phase;
    p->deadline_us = p->now_us + limit_us;
}

static void unbind(struct probe *p)
{
    for (unsigned i = 0; i < p->leg_count; i++)
        if (p->legs[i].session != NULL && !p->legs[i].closed)
            session_unbind(p->legs[i].session, p->now_us);
    enter(p, PHASE_UNBIND, UNBIND_MS * US_PER_MS);
}

static void fail(struct probe *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct probe *p, const char *format, ...)
{
    char why[400];
    va_list arguments;
    if (p->phase >= PHASE_UNBIND)
        return;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    complain("%s", why);
    p->failed = true;
    unbind(p);
}

static double ms(uint64_t us)
{
    return (double)us / 1000;
}

/* Receipts ------------------------------------------------------------------------------------ */

static void refuse_delivery(struct leg *leg, const struct pdu_header *header)
{
    leg->probe->facts.strangers++;
    session_respond(leg->session, header, leg->probe->carrier->refuse_status, (struct span){0});
}

static void note_receipt(struct probe *p, const struct probe_receipt *receipt)
{
    if (p->facts.receipts < PROBE_TEXTS_MAX)
        snprintf(p->facts.receipt_ids[p->facts.receipts], sizeof receipt->id, "%s", receipt->id);
    if (p->facts.receipts++ > 0)
        return;
    p->facts.receipt = *receipt;
    tell("receipt: %s after %.1f ms", receipt->state, ms(receipt->after_us));
}

/* False: it is about no text that has an answer. */
static bool take_receipt(struct leg *leg, const struct pdu_header *header,
                         struct probe_receipt *receipt)
{
    struct probe *p = leg->probe;
    struct probe_text *text = probe_text_of(&p->facts, p->carrier, receipt->id);
    if (text == NULL)
        return false;
    session_respond(leg->session, header, ESME_ROK, (struct span){0});
    receipt->after_us = receipt->came_us - text->sent_us;
    p->facts.reported += text->receipts++ == 0;
    p->receipt_us = p->now_us;
    note_receipt(p, receipt);
    return true;
}

static void refuse_receipt(struct leg *leg, const struct pdu_header *header,
                           const struct probe_receipt *receipt)
{
    struct probe_facts *facts = &leg->probe->facts;
    facts->unmatched++;
    snprintf(facts->unmatched_id, sizeof facts->unmatched_id, "%s", receipt->id);
    refuse_delivery(leg, header);
}

static bool is_answered(const struct probe *p)
{
    return p->facts.ended == p->facts.sent;
}

static void park(struct leg *leg, const struct pdu_header *header, struct probe_receipt *receipt)
{
    struct probe *p = leg->probe;
    if (p->parked_count == PROBE_TEXTS_MAX) {
        refuse_delivery(leg, header);
        return;
    }
    receipt->is_early = true;
    p->parked[p->parked_count++] = (struct parked){leg, *header, *receipt};
}

/* After an answer; those that are of no text stay while there are texts without one. */
static void settle_parked(struct probe *p)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < p->parked_count; i++) {
        struct parked *parked = &p->parked[i];
        if (take_receipt(parked->leg, &parked->header, &parked->receipt))
            continue;
        if (is_answered(p))
            refuse_receipt(parked->leg, &parked->header, &parked->receipt);
        else
            p->parked[kept++] = *parked;
    }
    p->parked_count = kept;
}

static bool is_from_number(const struct probe *p, const struct sm_body *body)
{
    const struct addressing *rules = &p->carrier->addressing;
    return addressing_number(rules, &body->source) == p->order->number ||
           addressing_number(rules, &body->destination) == p->order->number;
}

/* Whatever is not the receipt of our text belongs to the gateway: a STOP must not be lost here. */
static void on_message(void *context, struct session *session, const struct pdu_header *header,
                       const struct sm_body *body)
{
    (void)session;
    struct leg *leg = context;
    struct probe *p = leg->probe;
    struct probe_receipt receipt;
    if (p->facts.sent == 0 || !is_from_number(p, body) || !probe_receipt_read(body, &receipt)) {
        refuse_delivery(leg, header);
        return;
    }
    receipt.came_us = p->now_us;
    receipt.in_data_sm = header->command_id == SMPP_DATA_SM;
    if (take_receipt(leg, header, &receipt))
        return;
    if (is_answered(p))
        refuse_receipt(leg, header, &receipt);
    else
        park(leg, header, &receipt);
}

/* What a session tells ------------------------------------------------------------------------ */

static void on_bound(void *context, struct session *session)
{
    (void)session;
    struct leg *leg = context;
    leg->bound = true;
}

static void say_refused(struct probe *p, uint32_t status)
{
    const char *name = status_name(status);
    fail(p, "%s refused with 0x%02x %s", p->facts.sent > 0 ? "the text was" : "the bind was",
         (unsigned)status, name != NULL ? name : "(the carrier's own status)");
    if (status == ESME_RALYBND)
        complain(
            "the carrier allows no more binds beside the gateway's: probe while it is stopped");
}

static void all_answered(struct probe *p)
{
    const struct probe_text *first = probe_first_answer(&p->facts);
    if (p->facts.taken == 0) {
        say_refused(p, first->status);
        return;
    }
    tell("%u of %u taken, the first in %.1f ms; waiting for receipts, up to %llu s", p->facts.taken,
         p->facts.sent, ms(first->answered_us - first->sent_us),
         (unsigned long long)(p->order->timeout_us / US_PER_S));
    enter(p, PHASE_RECEIPT, p->order->timeout_us);
}

static bool sends_on(const struct probe *p)
{
    return !p->refused && p->facts.sent < p->order->texts;
}

static void on_request_ended(void *context, struct session *session, uint64_t cookie,
                             enum request_end end, uint32_t command_status, struct span message_id)
{
    (void)session;
    struct leg *leg = context;
    struct probe *p = leg->probe;
    struct probe_text *text = &p->facts.texts[cookie];
    p->facts.ended++;
    if (end != REQUEST_ANSWERED) {
        settle_parked(p);
        fail(p, "a text was sent and not answered%s; whether it arrives is not known",
             end == REQUEST_NACKED ? " but by a generic_nack" : "");
        return;
    }
    text->answered_us = p->now_us;
    text->status = command_status;
    probe_copy_text(text->id, sizeof text->id, message_id);
    p->facts.taken += command_status == ESME_ROK;
    p->refused |= command_status != ESME_ROK;
    settle_parked(p);
    if (!sends_on(p) && p->phase == PHASE_SEND)
        enter(p, PHASE_ANSWER, (p->carrier->request_timeout_ms + REDIS_MS) * US_PER_MS);
    if (p->phase == PHASE_ANSWER && is_answered(p))
        all_answered(p);
}

static void on_closed(void *context, struct session *session, const char *why,
                      uint32_t command_status)
{
    (void)session;
    struct leg *leg = context;
    struct probe *p = leg->probe;
    leg->closed = true;
    leg->bound = false;
    if (p->phase >= PHASE_UNBIND)
        return;
    if (command_status != ESME_ROK)
        say_refused(p, command_status);
    else
        fail(p, "the session ended: %s", why);
}

static const struct session_handlers session_handlers = {.bound = on_bound,
                                                         .request_ended = on_request_ended,
                                                         .message = on_message,
                                                         .closed = on_closed};

static void note_bind_resp(struct leg *leg, struct span pdu)
{
    struct bind_resp_body body;
    struct probe_facts *facts = &leg->probe->facts;
    decode_bind_resp(pdu, &body);
    const struct tlv *version = tlv_find(&body.tlvs, TLV_SC_INTERFACE_VERSION);
    probe_copy_text(facts->server, sizeof facts->server, body.system_id);
    if (version != NULL && version->value.length == 1)
        facts->interface_version = version->value.data[0];
    probe_times_add(&facts->bind, leg->probe->now_us - leg->bind_us);
}

/* Every PDU, both ways, as it leaves or comes. A peer that asks something itself before it answers has our next
 * enquire_link sent before the answer to this one is there. */
static void on_pdu(void *context, struct session *session, bool outgoing, struct span pdu)
{
    (void)session;
    struct leg *leg = context;
    struct pdu_header header;
    if (decode_frame(pdu, PDU_MAX, &header) != FRAME_WHOLE)
        return;
    if (outgoing && header.command_id == SMPP_ENQUIRE_LINK && leg->enquire_sequence == 0) {
        leg->enquire_sequence = header.sequence_number;
        leg->enquired_us = clock_mono_us();
    } else if (!outgoing && header.command_id == (SMPP_ENQUIRE_LINK | SMPP_RESPONSE) &&
               header.sequence_number == leg->enquire_sequence) {
        probe_times_add(&leg->probe->facts.enquire, clock_mono_us() - leg->enquired_us);
        leg->enquire_sequence = 0;
    } else if (!outgoing && !leg->bound && (header.command_id & SMPP_RESPONSE) != 0 &&
               header.command_status == ESME_ROK) {
        note_bind_resp(leg, pdu);
    }
}

/* What a socket tells ------------------------------------------------------------------------- */

static void on_connected(void *context, struct link *link)
{
    struct leg *leg = context;
    struct probe *p = leg->probe;
    const struct carrier_config *carrier = p->carrier;
    struct session_config config = {.role = SESSION_CLIENT,
                                    .mode = leg->mode,
                                    .window = carrier->window,
                                    .request_timeout_ms = carrier->request_timeout_ms,
                                    .enquire_link_ms = carrier->enquire_link_ms,
                                    .enquire_timeout_ms = carrier->request_timeout_ms};
    memcpy(config.system_id, carrier->system_id, sizeof config.system_id);
    memcpy(config.password, carrier->password, sizeof config.password);
    memcpy(config.system_type, carrier->system_type, sizeof config.system_type);
    p->facts.tls_version = link_tls_version(link);
    p->now_us = leg->bind_us = clock_mono_us();
    leg->session = session_new(&config, &session_handlers, leg);
    session_set_tap(leg->session, on_pdu);
    session_start(leg->session, p->now_us);
}

static void on_received(void *context, struct link *link, struct span octets)
{
    (void)link;
    struct leg *leg = context;
    leg->probe->now_us = clock_mono_us();
    if (leg->session != NULL && !leg->closed)
        (void)session_receive(leg->session, octets, leg->probe->now_us);
}

static void on_link_closed(void *context, struct link *link, const char *why)
{
    (void)link;
    struct leg *leg = context;
    if (leg->session != NULL && !leg->closed) {
        session_close(leg->session, why);
        return;
    }
    leg->closed = true;
    fail(leg->probe, "no connection to %s: %s", leg->probe->carrier->address, why);
}

static const struct link_handlers link_handlers = {
    .connected = on_connected, .received = on_received, .closed = on_link_closed};

static void open_leg(struct probe *p, enum session_mode mode)
{
    const char *why = "";
    struct leg *leg = &p->legs[p->leg_count++];
    *leg = (struct leg){.probe = p, .mode = mode};
    leg->link = link_connect_tls(p->base, p->carrier->address, p->tls, &link_handlers, leg, &why);
    leg->closed = leg->link == NULL;
    if (leg->link == NULL)
        fail(p, "%s: %s", p->carrier->address, why);
}

static void connect_to_carrier(struct probe *p)
{
    tell("connecting to %s", p->carrier->address);
    enter(p, PHASE_BIND, 2 * BIND_TIMEOUT_MS * US_PER_MS);
    if (p->carrier->bind == BIND_TRANSCEIVER) {
        open_leg(p, SESSION_TRANSCEIVER);
        return;
    }
    open_leg(p, SESSION_TRANSMITTER);
    open_leg(p, SESSION_RECEIVER);
}

/* The texts ----------------------------------------------------------------------------------- */

/* The gateway keeps to the sender's rate as well as to the carrier's. */
static uint32_t allowed_rate(const struct probe_order *order)
{
    const struct carrier_config *carrier = order->carrier;
    for (uint16_t i = 0; i < carrier->sender_count; i++) {
        const struct sender_limit *limit = &carrier->senders[i];
        if (limit->rate > 0 && limit->rate < carrier->rate &&
            strcmp(limit->sender, order->sender) == 0)
            return limit->rate;
    }
    return carrier->rate;
}

static bool has_room(struct probe *p)
{
    return session_window_free(p->legs[0].session) > 0 &&
           throttle_room(&p->throttle, p->now_us, false, 1) > 0;
}

static struct span write_words(const struct probe *p, char words[SHORT_MESSAGE_MAX])
{
    int length = p->order->texts == 1 ? snprintf(words, SHORT_MESSAGE_MAX, TEXT)
                                      : snprintf(words, SHORT_MESSAGE_MAX, TEXT_OF_SOME,
                                                 p->facts.sent + 1, p->order->texts);
    return span_of(words, (size_t)length);
}

static void submit(struct probe *p)
{
    char words[SHORT_MESSAGE_MAX];
    struct span text = write_words(p, words);
    struct text_plan plan;
    struct text_storage storage;
    struct sm_out out = {.registered_delivery = 1,
                         .service_type = span_from_string(p->carrier->service_type)};
    addressing_sender(&p->carrier->addressing, p->order->sender, &out.source);
    addressing_recipient(&p->carrier->addressing, p->order->number, &out.destination);
    CHECK(text_plan(text, &p->carrier->text, &plan) == ERR_OK && plan.parts == 1);
    CHECK(text_fill(text, &plan, 1, 0, &storage, &out));
    p->now_us = clock_mono_us();
    enum err err = session_submit(p->legs[0].session, &out, p->facts.sent, p->now_us);
    if (err != ERR_OK) {
        fail(p, "the text cannot be sent: error %d", (int)err);
        return;
    }
    throttle_reserve(&p->throttle, 1);
    throttle_write(&p->throttle, p->now_us);
    p->facts.texts[p->facts.sent++] = (struct probe_text){
        .sent_us = p->now_us, .depth = (unsigned)session_window_used(p->legs[0].session)};
    if (sends_on(p))
        return;
    tell("%u of %u sent", p->facts.sent, p->order->texts);
    /* The session tells when the answer does not come. */
    enter(p, PHASE_ANSWER, (p->carrier->request_timeout_ms + REDIS_MS) * US_PER_MS);
}

/* The turn ------------------------------------------------------------------------------------ */

static bool all_bound(const struct probe *p)
{
    for (unsigned i = 0; i < p->leg_count; i++)
        if (!p->legs[i].bound)
            return false;
    return p->leg_count > 0;
}

static bool all_closed(const struct probe *p)
{
    for (unsigned i = 0; i < p->leg_count; i++)
        if (!p->legs[i].closed)
            return false;
    return true;
}

/* One question a text; a verdict that waits for the rate or the window grows old, and is asked again. */
static void turn_send(struct probe *p, enum gate_state state)
{
    if (!probe_record_is_durable(p->record)) {
        if (probe_record_failed(p->record))
            fail(p, "nothing is sent: the ledger cannot be written");
        return;
    }
    if (state == GATE_PASSED) {
        enter(p, PHASE_SEND, REDIS_MS * US_PER_MS); /* Redis answers; a text may wait */
        if (has_room(p) && probe_gate_take(p->gate))
            submit(p);
    }
    if (p->phase == PHASE_SEND && probe_gate_turn(p->gate) == GATE_READY) {
        probe_gate_ask(p->gate);
        (void)probe_gate_turn(p->gate); /* flushes the question */
    }
}

static void turn_gate(struct probe *p)
{
    enum gate_state state = probe_gate_turn(p->gate);
    if (p->phase >= PHASE_ANSWER)
        return;
    if (state == GATE_REFUSED)
        fail(p, "%s is sent: %s", p->facts.sent > 0 ? "no more" : "nothing",
             probe_gate_why(p->gate));
    else if (p->phase == PHASE_REDIS && state == GATE_READY && p->now_us >= p->silent_until_us)
        connect_to_carrier(p);
    else if (p->phase == PHASE_SEND)
        turn_send(p, state);
}

static void turn_phase(struct probe *p)
{
    const struct probe_times *trip = &p->facts.enquire;
    if (p->phase == PHASE_BIND && all_bound(p)) {
        tell("bound in %.1f ms; measuring the round trip", ms(p->facts.bind.most_us));
        enter(p, PHASE_MEASURE, p->carrier->request_timeout_ms * US_PER_MS);
    } else if (p->phase == PHASE_MEASURE && trip->count < SAMPLES) {
        session_enquire(p->legs[0].session, p->now_us);
    } else if (p->phase == PHASE_MEASURE) {
        tell("enquire_link is answered in %.2f ms", ms(trip->sum_us / trip->count));
        probe_record_begin(p->record);
        enter(p, PHASE_SEND, REDIS_MS * US_PER_MS);
    } else if (p->phase == PHASE_RECEIPT && p->facts.reported == p->facts.taken &&
               p->now_us > p->receipt_us + MORE_RECEIPTS) {
        unbind(p);
    } else if (p->phase == PHASE_UNBIND && all_closed(p)) {
        p->phase = PHASE_END;
    }
}

static void say_unreported(struct probe *p)
{
    if (p->facts.unmatched > 0)
        fail(p, "no receipt has the id of the submit_sm_resp in any form");
    else if (p->facts.reported == 0)
        fail(p, "no receipt came in time");
    else
        fail(p, "%u of %u texts had no receipt in time", p->facts.taken - p->facts.reported,
             p->facts.taken);
}

static void turn_deadline(struct probe *p)
{
    if (p->now_us < p->deadline_us)
        return;
    switch (p->phase) {
    case PHASE_REDIS:
    case PHASE_SEND:
        fail(p, "%s is sent: Redis cannot be asked: %s", p->facts.sent > 0 ? "no more" : "nothing",
             probe_gate_why(p->gate));
        break;
    case PHASE_BIND:
        fail(p, "no answer to the bind");
        break;
    case PHASE_MEASURE:
        fail(p, "enquire_link is not answered");
        break;
    case PHASE_ANSWER:
        fail(p, "a text was sent and not answered");
        break;
    case PHASE_RECEIPT:
        say_unreported(p);
        break;
    case PHASE_UNBIND:
    case PHASE_END:
        p->phase = PHASE_END;
        break;
    }
}

static void flush(struct probe *p)
{
    for (unsigned i = 0; i < p->leg_count; i++) {
        struct leg *leg = &p->legs[i];
        if (leg->session == NULL)
            continue;
        if (!leg->closed)
            (void)session_tick(leg->session, p->now_us);
        link_flush(leg->link, session_output(leg->session));
    }
    throttle_flushed(&p->throttle, clock_mono_us());
}

static void turn(struct probe *p)
{
    p->now_us = clock_mono_us();
    turn_gate(p);
    turn_phase(p);
    turn_deadline(p);
    flush(p);
}

/* Life ---------------------------------------------------------------------------------------- */

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* A bind that is left standing would be in the way of the next one. */
static void on_interrupt(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    fail(context, "interrupted");
}

static void loop(struct probe *p)
{
    struct event *wake = event_new(p->base, -1, EV_PERSIST, on_wake, NULL);
    struct event *interrupt = evsignal_new(p->base, SIGINT, on_interrupt, p);
    struct event *terminate = evsignal_new(p->base, SIGTERM, on_interrupt, p);
    struct timeval often = {.tv_usec = TURN_US};
    event_add(wake, &often);
    event_add(interrupt, NULL);
    event_add(terminate, NULL);
    while (p->phase != PHASE_END) {
        event_base_loop(p->base, EVLOOP_ONCE);
        turn(p);
    }
    event_free(wake);
    event_free(interrupt);
    event_free(terminate);
}

static void release(struct probe *p)
{
    for (unsigned i = 0; i < p->leg_count; i++) {
        link_free(p->legs[i].link);
        if (p->legs[i].session != NULL)
            session_free(p->legs[i].session);
    }
    probe_gate_free(p->gate);
    probe_record_end(p->record, &p->facts);
    tls_context_free(p->tls);
    event_base_free(p->base);
}

static bool prepare_tls(struct probe *p)
{
    struct tls_fault fault = {0};
    if (!config_is_tls(p->carrier->address))
        return true;
    p->tls = tls_context_new(TLS_CLIENT, &p->carrier->tls, &fault);
    if (p->tls == NULL)
        complain("carrier %s: `%s` %s", p->carrier->name, fault.setting, fault.what);
    return p->tls != NULL;
}

static void tell_plan(const struct probe_order *order)
{
    tell("probing %s: one bind, and %u text%s to the number given, which must be yours.",
         order->carrier->name, order->texts, order->texts > 1 ? "s" : "");
    if (order->beside)
        tell("It is not in the ledger, and comes on top of what a gateway sends in this second.");
}

static void prepare(struct probe *p)
{
    const struct probe_order *order = p->order;
    p->now_us = clock_mono_us();
    if (!order->beside)
        p->silent_until_us = p->now_us + SILENT_MS * US_PER_MS;
    throttle_init(&p->throttle, p->carrier->rate, p->now_us);
    throttle_set_rate(&p->throttle, allowed_rate(order), true, p->now_us);
    if (!prepare_tls(p))
        return;
    p->record = probe_record_open(order);
    if (p->record != NULL)
        p->gate = probe_gate_new(p->base, order->config, order->number);
}

int probe_run(const struct probe_order *order)
{
    struct probe probe = {.order = order, .carrier = order->carrier, .facts.interface_version = -1};
    struct probe *p = &probe;
    signal(SIGPIPE, SIG_IGN);
    p->base = event_base_new();
    CHECK(p->base != NULL);
    prepare(p);
    if (p->gate != NULL) {
        tell_plan(order);
        enter(p, PHASE_REDIS, (SILENT_MS + REDIS_MS) * US_PER_MS);
        loop(p);
        if (p->facts.bind.count > 0)
            probe_print(p->carrier, &p->facts, stdout);
    }
    bool done = p->gate != NULL && !p->failed;
    release(p);
    return done ? EXIT_DONE : EXIT_REFUSED;
}

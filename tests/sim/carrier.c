/* SPDX-License-Identifier: Apache-2.0 */
/* The carriers: the server role of the real session code, over pipes that delay, split, block, go
 * silent and break. What is written at one end arrives in order at the other, or not at all. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/check.h"
#include "smpp/session.h"

#define MO_RETRY_US    300000
#define CARRIER_WINDOW 10
#define RECEIPT_TRIES  20
#define STRANGER       12025550199 /* somebody else's recipient */

static event_run connect_result, carrier_receives, carrier_tick, carrier_hangs_up, engine_receives,
    engine_loses, unstick, respond, make_receipt, deliver, answer_seen;

/* ---- tables ---- */

void wire_init(struct wire *wire, uint32_t limit)
{
    *wire = (struct wire){
        .next_message_id = {1000, 1000}, .last_text = {NONE, NONE}, .mo_being_sent = NONE};
    for (unsigned c = 0; c < SIM_CARRIERS_MAX; c++)
        for (unsigned l = 0; l < SIM_LINKS_MAX; l++)
            for (unsigned g = 0; g < SIM_GATEWAYS_MAX; g++)
                wire->current[g][c][l] = NONE;
    wire->taken_at = check_calloc(limit + 1, sizeof *wire->taken_at);
}

void wire_release(struct wire *wire)
{
    for (size_t i = 0; i < wire->count; i++) {
        session_free(wire->connections[i]->session);
        free(wire->connections[i]->deliveries);
        free(wire->connections[i]->held);
        free(wire->connections[i]);
    }
    free(wire->connections);
    free(wire->mos);
    free(wire->taken_at);
}

static uint32_t add_connection(struct wire *wire, uint16_t carrier, uint16_t link)
{
    if (wire->count == wire->size) {
        wire->size = wire->size ? wire->size * 2 : 32;
        wire->connections = check_realloc(wire->connections, wire->size * sizeof(void *));
    }
    struct connection *c = check_calloc(1, sizeof *c);
    c->carrier = carrier;
    c->link = link;
    c->engine_open = c->reading = true;
    wire->connections[wire->count] = c;
    return (uint32_t)wire->count++;
}

static struct delivery *add_delivery(struct connection *c)
{
    if (c->delivery_count == c->delivery_size) {
        c->delivery_size = c->delivery_size ? c->delivery_size * 2 : 32;
        c->deliveries = check_realloc(c->deliveries, c->delivery_size * sizeof *c->deliveries);
    }
    struct delivery *d = &c->deliveries[c->delivery_count++];
    *d = (struct delivery){.end = c->produced};
    return d;
}

static struct connection *at(struct world *w, uint64_t index)
{
    return w->wire.connections[index];
}

/* ---- pipes ---- */

static uint64_t arrival(struct world *w, uint64_t *last_us)
{
    uint64_t us = w->now_us + spread(&w->wire_rng, w->plan.wire_us);
    if (us < *last_us)
        us = *last_us;
    *last_us = us;
    return us;
}

static void send_octets(struct world *w, struct span octets, uint64_t *last_us, event_run *run,
                        uint64_t connection)
{
    while (octets.length > 0) {
        size_t n = octets.length;
        if (rng_chance(&w->wire_rng, w->plan.fragment))
            n = 1 + rng_below(&w->wire_rng, octets.length);
        schedule_add(&w->schedule, arrival(w, last_us), run, connection, 0, 0, octets.data, n);
        octets = span_of(octets.data + n, octets.length - n);
    }
}

static void plan_tick(struct world *w, uint64_t index)
{
    struct connection *c = at(w, index);
    uint64_t next_us = session_tick(c->session, w->now_us);
    if (next_us == UINT64_MAX || (c->tick_us > w->now_us && c->tick_us <= next_us))
        return;
    c->tick_us = next_us > w->now_us ? next_us : w->now_us + 1;
    schedule_add(&w->schedule, c->tick_us, carrier_tick, index, 0, 0, NULL, 0);
}

/* Moves what the carrier's session wrote, and buries it when it is over. */
static void after_session(struct world *w, uint64_t index)
{
    struct connection *c = at(w, index);
    if (c->session == NULL)
        return;
    if (!c->over)
        plan_tick(w, index);
    struct buffer *output = session_output(c->session);
    struct span octets = buffer_span(output);
    if (!c->silent)
        send_octets(w, octets, &c->to_engine_us, engine_receives, index);
    buffer_consume(output, octets.length);
    if (!c->over)
        return;
    session_free(c->session);
    c->session = NULL;
    if (!c->silent)
        schedule_add(&w->schedule, arrival(w, &c->to_engine_us), engine_loses, index, 0, 0, NULL,
                     0);
}

static void carrier_receives(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (c->session == NULL || c->silent)
        return;
    (void)session_receive(c->session, span_of(e->data, e->length), w->now_us);
    after_session(w, e->a);
}

static void carrier_tick(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (c->session == NULL || c->tick_us != e->at_us)
        return;
    c->tick_us = 0;
    after_session(w, e->a);
}

static void carrier_hangs_up(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (c->session == NULL)
        return;
    session_close(c->session, "peer closed");
    c->over = true;
    after_session(w, e->a);
}

/* ---- the carrier's session ---- */

static uint32_t authenticate(void *context, struct session *session, enum session_mode mode,
                             const struct bind_body *bind)
{
    struct world *w = ((struct connection *)context)->world;
    (void)session, (void)mode, (void)bind;
    return rng_chance(&w->wire_rng, w->plan.link_refused / 4) ? ESME_RBINDFAIL : ESME_ROK;
}

static void bound(void *context, struct session *session)
{
    struct connection *c = context;
    (void)session;
    TRACE(c->world, "carrier", "%u link %u bound", c->carrier, c->link);
}

static void session_over(void *context, struct session *session, const char *why,
                         uint32_t command_status)
{
    struct connection *c = context;
    (void)session;
    c->over = true;
    TRACE(c->world, "carrier", "%u link %u over: %s %x", c->carrier, c->link, why, command_status);
}

/* Every octet towards the engine belongs to a PDU; the oracle must know when which has arrived. */
static void tap(void *context, struct session *session, bool outgoing, struct span pdu)
{
    struct connection *c = context;
    (void)session;
    if (!outgoing)
        return;
    struct reader r = reader_over(pdu);
    read_u32(&r);
    uint32_t command_id = read_u32(&r), status = read_u32(&r), sequence = read_u32(&r);
    c->produced += pdu.length;
    if (command_id != SMPP_DELIVER_SM && command_id != (SMPP_SUBMIT_SM | SMPP_RESPONSE))
        return;
    struct delivery *d = add_delivery(c);
    d->is_answer = command_id != SMPP_DELIVER_SM;
    d->sequence = sequence;
    d->command_status = status;
    d->mo = c->world->wire.mo_being_sent;
}

/* ---- what the carrier does with a submit_sm ---- */

struct fate {
    uint32_t command_status;
    bool answered, taken;
    uint64_t delay_us;
};

static uint32_t pick(struct rng *rng, const uint32_t *statuses, size_t count)
{
    return statuses[rng_below(rng, count)];
}

static bool within_limit(struct world *w)
{
    struct wire *wire = &w->wire;
    uint32_t limit = w->plan.limit;
    if (w->plan.bucket == 0) {
        uint64_t *oldest = &wire->taken_at[wire->taken % limit];
        if (wire->taken >= limit && w->now_us - *oldest < US_PER_S)
            return false;
        *oldest = w->now_us;
        wire->taken++;
        return true;
    }
    uint64_t token_us = US_PER_S / limit, deep_us = w->plan.bucket * token_us;
    if (wire->tokens_us < w->now_us)
        wire->tokens_us = w->now_us;
    if (wire->tokens_us + token_us > w->now_us + deep_us)
        return false;
    wire->tokens_us += token_us;
    return true;
}

static struct fate draw_fate(struct world *w, uint16_t carrier)
{
    static const uint32_t temporary[] = {ESME_RSYSERR, ESME_RSUBMITFAIL, ESME_RX_T_APPN};
    static const uint32_t permanent[] = {ESME_RINVDSTADR, 0x65, SIM_STATUS_FILTERED};
    static const uint32_t elsewhere[] = {ESME_RINVSRCADR, ESME_RINVSYSID, SIM_STATUS_ELSEWHERE};
    static const uint32_t throttle[] = {ESME_RTHROTTLED, ESME_RTHROTTLED, ESME_RMSGQFUL};
    const struct plan *p = &w->plan;
    struct rng *rng = &w->wire_rng;
    struct fate fate = {.answered = true,
                        .taken = true,
                        .delay_us = 500 + rng_below(rng, plan_is_chaos(p) ? 60000 : 5000)};
    if (p->kind == PLAN_PACE) {
        bool taken = within_limit(w);
        oracle_paced(w, taken);
        fate.command_status = taken ? ESME_ROK : ESME_RTHROTTLED;
    } else if (w->wire.throttling_until_us[carrier] > w->now_us) {
        fate.command_status = ESME_RTHROTTLED;
    } else if (rng_chance(rng, p->throttled)) {
        fate.command_status = pick(rng, throttle, 3);
        w->wire.throttling_until_us[carrier] = w->now_us + rng_below(rng, 2 * US_PER_S);
    } else if (rng_chance(rng, p->temporary)) {
        fate.command_status = pick(rng, temporary, 3);
    } else if (rng_chance(rng, p->permanent)) {
        fate.command_status = pick(rng, permanent, 3);
    } else if (rng_chance(rng, p->elsewhere)) {
        fate.command_status = pick(rng, elsewhere, 3);
    } else if (rng_chance(rng, p->opted_out)) {
        fate.command_status = SIM_STATUS_OPTED_OUT;
    } else if (rng_chance(rng, p->never_answered)) {
        fate.answered = false;
        fate.taken = rng_chance(rng, 500000);
    } else if (rng_chance(rng, p->answered_late)) {
        fate.delay_us += 1000000ull + rng_below(rng, 12 * US_PER_S);
    }
    if (fate.command_status != ESME_ROK)
        fate.taken = false;
    return fate;
}

static const struct {
    uint8_t message_state;
    int outcome; /* of a message of one part; OPEN: nothing is decided yet */
} receipt_states[] = {
    {STATE_DELIVERED, ASSENT__V1__OUTCOME__DELIVERED},
    {STATE_UNDELIVERABLE, ASSENT__V1__OUTCOME__UNDELIVERABLE},
    {STATE_EXPIRED, ASSENT__V1__OUTCOME__EXPIRED},
    {STATE_REJECTED, ASSENT__V1__OUTCOME__REJECTED},
    {STATE_DELETED, ASSENT__V1__OUTCOME__DELETED},
    {STATE_UNKNOWN, ASSENT__V1__OUTCOME__UNKNOWN_OUTCOME},
    {STATE_EN_ROUTE, ASSENT__V1__OUTCOME__OUTCOME_OPEN},
    {STATE_ACCEPTED, ASSENT__V1__OUTCOME__OUTCOME_OPEN},
    {STATE_BUFFERED, ASSENT__V1__OUTCOME__OUTCOME_OPEN},
};
#define STATE_BAD          1 /* .. 5 */
#define STATE_VACANT       2 /* its error is that of an unknown subscriber */
#define STATE_INTERMEDIATE 6 /* .. 8 */

struct taken { /* a message that the carrier took */
    uint16_t carrier;
    uint32_t id, number, program, text;
    bool asked; /* for a receipt */
};

static void plan_receipt(struct world *w, const struct taken *t, uint64_t after_us, uint64_t state)
{
    world_at_with(w, after_us, make_receipt, state, 0, 0, span_of(t, sizeof *t));
}

static void plan_receipts(struct world *w, const struct taken *t, uint64_t answer_us)
{
    const struct plan *p = &w->plan;
    struct rng *rng = &w->wire_rng;
    if (rng_chance(rng, p->receipt_lost) || (!t->asked && rng_chance(rng, 800000)))
        return; /* some report unasked */
    uint64_t after_us = answer_us + 20000 + rng_below(rng, 5 * US_PER_S);
    if (rng_chance(rng, p->receipt_early))
        after_us = rng_below(rng, answer_us);
    else if (rng_chance(rng, 50000))
        after_us += rng_below(rng, 60 * US_PER_S);
    uint64_t state = rng_chance(rng, p->receipt_bad) ? STATE_BAD + rng_below(rng, 5) : 0;
    if (p->vacant >> t->number % 20 & 1 && rng_chance(rng, 800000))
        state = STATE_VACANT;
    plan_receipt(w, t, after_us, state);
    if (rng_chance(rng, p->receipt_double))
        plan_receipt(w, t, after_us + rng_below(rng, 5 * US_PER_S), state);
    if (rng_chance(rng, p->receipt_double / 2))
        plan_receipt(w, t, rng_below(rng, after_us + 1), STATE_INTERMEDIATE + rng_below(rng, 3));
    if (rng_chance(rng, p->receipt_contradicts))
        plan_receipt(w, t, after_us + rng_below(rng, 60 * US_PER_S), rng_below(rng, STATE_BAD + 5));
    if (rng_chance(rng, p->receipt_foreign)) { /* of somebody else's message */
        struct taken foreign = {.carrier = t->carrier, .number = NONE, .text = NONE};
        foreign.id = 900000 + (uint32_t)rng_below(rng, 99999);
        foreign.program = t->program;
        plan_receipt(w, &foreign, after_us, rng_below(rng, STATE_BAD + 5));
    }
}

/* Under load a carrier may give an id twice. To the same number nobody could tell them apart. */
static uint32_t give_id(struct world *w, uint16_t carrier, uint32_t text)
{
    struct wire *wire = &w->wire;
    uint32_t last = wire->last_text[carrier];
    wire->last_text[carrier] = text;
    bool repeats = w->plan.id_repeated > 0 && rng_chance(&w->wire_rng, w->plan.id_repeated);
    if (repeats && oracle_may_repeat(w, text, last))
        return wire->next_message_id[carrier] - 1;
    return wire->next_message_id[carrier]++;
}

static uint32_t find_program(const struct world *w, const char *sender)
{
    for (uint32_t p = 0; p < SIM_PROGRAMS; p++)
        if (strcmp(w->config.programs[p].senders[0], sender + (sender[0] == '+')) == 0)
            return p;
    return NONE;
}

static void message(void *context, struct session *session, const struct pdu_header *header,
                    const struct sm_body *body)
{
    struct connection *c = context;
    struct world *w = c->world;
    uint64_t number_value = 0;
    (void)session;
    if (number_parse(span_from_string(body->destination.digits), &number_value) != ERR_OK) {
        world_fail(w, "P1", "a submit_sm to \"%s\"", body->destination.digits);
        return;
    }
    uint32_t number = people_find_number(w, number_value);
    uint32_t program = find_program(w, body->source.digits);
    if (number == NONE || program == NONE) {
        world_fail(w, "P1", "a submit_sm to nobody, or from no program's sender");
        return;
    }
    struct fate fate = draw_fate(w, c->carrier);
    uint32_t taken_text = oracle_text_of(w, c->index, header->sequence_number);
    struct taken taken = {.carrier = c->carrier,
                          .id = give_id(w, c->carrier, taken_text),
                          .number = number,
                          .program = program,
                          .text = taken_text,
                          .asked = body->registered_delivery != 0};
    if (fate.answered)
        world_at(w, fate.delay_us, respond, c->index, header->sequence_number,
                 (uint64_t)fate.command_status << 32 | taken.id);
    if (!fate.taken)
        return;
    plan_receipts(w, &taken, fate.delay_us);
    char text[PLAIN_SIZE];
    oracle_plain(body->text, body->esm_class, body->data_coding, text);
    people_receive(w, number, program, text);
}

static const struct {
    enum id_spelling answer, receipt;
} spellings[IDS_KINDS] = {[IDS_DEC] = {SPELLING_DEC, SPELLING_DEC},
                          [IDS_RECEIPTS_HEX] = {SPELLING_DEC, SPELLING_HEX},
                          [IDS_RECEIPTS_DEC] = {SPELLING_HEX, SPELLING_DEC},
                          [IDS_RECEIPTS_ZEROS] = {SPELLING_DEC, SPELLING_ZEROS}};

static void respond(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (c->session == NULL)
        return;
    struct pdu_header request = {.command_id = SMPP_SUBMIT_SM, .sequence_number = (uint32_t)e->b};
    uint32_t status = (uint32_t)(e->c >> 32);
    char id[MESSAGE_ID_MAX + 1];
    id_write(spellings[w->plan.ids].answer, (uint32_t)e->c, id);
    if (rng_chance(&w->wire_rng, w->plan.no_id)) {
        id[0] = '\0';
        oracle_answered_without_id(w, (uint32_t)e->a, (uint32_t)e->b);
    }
    session_respond(c->session, &request, status,
                    status == ESME_ROK ? span_from_string(id) : (struct span){0});
    TRACE(w, "carrier", "submit_sm_resp %x id %s, sequence %u", status, id, (uint32_t)e->b);
    after_session(w, e->a);
}

/* ---- replies and receipts on their way to the gateway ---- */

static uint32_t add_mo(struct world *w, struct mo mo)
{
    struct wire *wire = &w->wire;
    if (wire->mo_count == wire->mo_size) {
        wire->mo_size = wire->mo_size ? wire->mo_size * 2 : 64;
        wire->mos = check_realloc(wire->mos, wire->mo_size * sizeof *wire->mos);
    }
    wire->mos[wire->mo_count] = mo;
    return (uint32_t)wire->mo_count++;
}

/* As carriers write them (bench/receipt_text.h): with text, TLVs or both, in all orders and spellings. */
static struct receipt_facts draw_receipt(struct world *w, uint32_t id, uint8_t message_state)
{
    static const uint8_t forms[] = {0,
                                    RECEIPT_NO_TEXT,
                                    RECEIPT_NO_TLVS,
                                    RECEIPT_PAYLOAD,
                                    RECEIPT_NO_TLVS | RECEIPT_PAYLOAD,
                                    RECEIPT_TLV_ERROR,
                                    RECEIPT_ASCII_ERROR};
    struct rng *rng = &w->wire_rng;
    return (struct receipt_facts){.message_id = id,
                                  .id_spelling = spellings[w->plan.ids].receipt,
                                  .submitted_wall_ms = w->now_us / US_PER_MS,
                                  .done_wall_ms = w->now_us / US_PER_MS,
                                  .message_state = message_state,
                                  .form = forms[rng_below(rng, sizeof forms)],
                                  .variant = (uint8_t)rng_below(rng, RECEIPT_VARIANTS)};
}

static void make_receipt(struct world *w, struct event *e)
{
    struct taken t;
    memcpy(&t, e->data, sizeof t);
    struct mo mo = {.kind = MO_RECEIPT,
                    .number = t.number,
                    .program = t.program,
                    .carrier = t.carrier,
                    .receipt_of = t.text,
                    .unasked = !t.asked,
                    .outcome = receipt_states[e->a].outcome,
                    .receipt = draw_receipt(w, t.id, receipt_states[e->a].message_state)};
    snprintf(mo.text, sizeof mo.text, "receipt for %u, message_state %u", t.id,
             mo.receipt.message_state);
    world_at(w, 0, deliver, add_mo(w, mo), 0, 0);
}

static uint16_t carrier_of(const struct world *w, uint32_t number)
{
    char digits[NUMBER_TEXT_SIZE];
    number_format(w->people.numbers[number], digits);
    return w->plan.carriers > 1 && strncmp(digits, "44", 2) == 0 ? 1 : 0;
}

void wire_send_mo(struct world *w, enum mo_kind kind, uint32_t number, uint32_t program,
                  const char *text, uint64_t delay_us)
{
    struct mo mo = {
        .kind = kind, .number = number, .program = program, .carrier = carrier_of(w, number)};
    snprintf(mo.text, sizeof mo.text, "%s", text);
    world_at(w, delay_us, deliver, add_mo(w, mo), 0, 0);
}

void wire_send_halves(struct world *w, uint32_t number, uint32_t program,
                      const char *const halves[2], uint64_t delay_us)
{
    uint32_t at[2];
    for (unsigned i = 0; i < 2; i++) {
        struct mo mo = {.kind = MO_HALF,
                        .number = number,
                        .program = program,
                        .carrier = carrier_of(w, number),
                        .part = (uint8_t)(i + 1)};
        snprintf(mo.text, sizeof mo.text, "%s", halves[i]);
        at[i] = add_mo(w, mo);
    }
    w->wire.mos[at[0]].other = at[1];
    w->wire.mos[at[1]].other = at[0];
    uint64_t apart_us =
        rng_below(&w->wire_rng, rng_chance(&w->wire_rng, 700000) ? 200000 : 60 * US_PER_S);
    bool turned = rng_chance(&w->wire_rng, 400000);
    world_at(w, delay_us + (turned ? apart_us : 0), deliver, at[0], 0, 0);
    world_at(w, delay_us + (turned ? 0 : apart_us), deliver, at[1], 0, 0);
}

/* A half with its header, whose reference is the first half's place among all replies. */
static struct span with_header(uint32_t index, const struct mo *mo, uint8_t out[256])
{
    uint16_t reference = (uint16_t)(index < mo->other ? index : mo->other);
    size_t length = strlen(mo->text);
    uint8_t header[] = {6, 8, 4, (uint8_t)(reference >> 8), (uint8_t)reference, 2, mo->part};
    memcpy(out, header, sizeof header);
    memcpy(out + sizeof header, mo->text, length);
    return span_of(out, sizeof header + length);
}

static bool takes_delivery(const struct connection *c)
{
    return c->session != NULL && !c->over && session_state(c->session) == SESSION_BOUND &&
           session_mode(c->session) != SESSION_TRANSMITTER && session_window_free(c->session) > 0;
}

/* A reply comes at any gateway, even when it comes again; a receipt at the one that sent the message,
 * and parts of a reply at the same one: the event is about that. */
static uint32_t pick_connection(struct world *w, const struct mo *mo)
{
    uint32_t found = NONE, seen = 0;
    bool stays = mo->kind == MO_RECEIPT || mo->kind == MO_HALF;
    for (unsigned i = 0; i < w->plan.gateways * SIM_LINKS_MAX; i++) {
        unsigned gateway = i / SIM_LINKS_MAX;
        uint32_t index = w->wire.current[gateway][mo->carrier][i % SIM_LINKS_MAX];
        if ((!stays || gateway == w->gw->index) && index != NONE && takes_delivery(at(w, index)) &&
            rng_below(&w->wire_rng, ++seen) == 0)
            found = index;
    }
    return found;
}

/* A number as carriers write it: 12025550110 may be +12025550110, 0012025550110 and, where the number
 * is of the carrier's country, 02025550110 or 2025550110. `country` is the length of its code, or 0. */
static struct smpp_address address(struct world *w, const char *digits, size_t country)
{
    static const char *const before[] = {"", "+", "00", "0", ""};
    uint64_t habit = rng_below(&w->wire_rng, country != 0 ? 5 : 3);
    struct smpp_address a = {.ton = habit == 4 ? 2 : habit == 3 ? 0 : 1, .npi = 1};
    snprintf(a.digits, sizeof a.digits, "%s%s", before[habit], digits + (habit >= 3 ? country : 0));
    return a;
}

static enum err submit_mo(struct world *w, uint32_t index, uint32_t connection)
{
    struct mo *mo = &w->wire.mos[index];
    char digits[NUMBER_TEXT_SIZE];
    number_format(mo->number == NONE ? STRANGER : w->people.numbers[mo->number], digits);
    const char *sender = w->config.programs[mo->program].senders[0];
    const char *country = w->config.carriers[mo->carrier].addressing.country;
    bool national = strncmp(digits, country, strlen(country)) == 0;
    struct sm_out out = {.source = address(w, digits, national ? strlen(country) : 0),
                         .destination = address(w, sender, mo->carrier == 0 ? 1 : 0),
                         .short_message = span_from_string(mo->text)};
    struct receipt_buffers receipt;
    if (mo->kind == MO_RECEIPT)
        receipt_write(&mo->receipt, &receipt, &out);
    uint8_t octets[256];
    if (mo->kind == MO_HALF) {
        out.esm_class = ESM_UDHI;
        out.short_message = with_header(index, mo, octets);
    }
    w->wire.mo_being_sent = index;
    enum err err = session_submit(at(w, connection)->session, &out, index, w->now_us);
    w->wire.mo_being_sent = NONE;
    return err;
}

static void deliver(struct world *w, struct event *e)
{
    uint32_t index = (uint32_t)e->a;
    if (w->wire.mos[index].done || w->wire.mos[index].in_flight)
        return;
    uint32_t connection = pick_connection(w, &w->wire.mos[index]);
    if (connection != NONE)
        world_turn_to(w, at(w, connection)->gateway);
    if (connection == NONE || submit_mo(w, index, connection) != ERR_OK) {
        world_at(w, spread(&w->wire_rng, MO_RETRY_US), deliver, index, 0, 0);
        return;
    }
    w->wire.mos[index].in_flight = true;
    w->wire.mos[index].tries++;
    TRACE(w, "carrier", "deliver_sm %u of number %d on connection %u: %s", index,
          (int)w->wire.mos[index].number, connection, w->wire.mos[index].text);
    after_session(w, connection);
}

/* The carrier looks at an answer; when it missed it or did not like it, it delivers again. */
static void answer_seen(struct world *w, struct event *e)
{
    struct mo *mo = &w->wire.mos[e->a];
    mo->in_flight = false;
    mo->done = e->b != 0 || (mo->kind == MO_RECEIPT && mo->tries >= RECEIPT_TRIES);
    if (!mo->done)
        world_at(w, spread(&w->wire_rng, 5 * MO_RETRY_US), deliver, e->a, 0, 0);
}

static void request_ended(void *context, struct session *session, uint64_t cookie,
                          enum request_end end, uint32_t command_status, struct span message_id)
{
    struct world *w = ((struct connection *)context)->world;
    (void)session, (void)message_id;
    bool good = end == REQUEST_ANSWERED && command_status == ESME_ROK &&
                !rng_chance(&w->wire_rng, w->plan.deliver_drop);
    TRACE(w, "carrier", "deliver_sm %llu ended: %d %x%s", (unsigned long long)cookie, end,
          command_status, good ? "" : ", again");
    world_at(w, 0, answer_seen, cookie, good, 0);
}

/* ---- the engine's end ---- */

static const struct session_handlers handlers = {
    .bound = bound,
    .authenticate = authenticate,
    .request_ended = request_ended,
    .message = message,
    .closed = session_over,
};

static void open_session(struct world *w, struct connection *c)
{
    struct session_config config = {.role = SESSION_SERVER,
                                    .window = CARRIER_WINDOW,
                                    .request_timeout_ms =
                                        3000 + (uint32_t)rng_below(&w->wire_rng, 5000),
                                    .enquire_link_ms = 20000,
                                    .enquire_timeout_ms = 10000};
    snprintf(config.system_id, sizeof config.system_id, "carrier");
    c->session = session_new(&config, &handlers, c);
    session_set_tap(c->session, tap);
    session_start(c->session, w->now_us);
}

void wire_open(struct world *w, uint16_t carrier, uint16_t link)
{
    if (carrier >= w->plan.carriers || link >= SIM_LINKS_MAX ||
        w->wire.current[w->gw->index][carrier][link] != NONE) {
        world_fail(w, "P10", "link %u of carrier %u opened twice, or unknown", link, carrier);
        return;
    }
    uint32_t index = add_connection(&w->wire, carrier, link);
    at(w, index)->world = w;
    at(w, index)->index = index;
    at(w, index)->gateway = w->gw->index;
    w->wire.current[w->gw->index][carrier][link] = index;
    world_at(w, spread(&w->wire_rng, w->plan.wire_us), connect_result, index, 0, 0);
}

static void drop_engine_end(struct world *w, struct connection *c)
{
    c->engine_open = false;
    c->stuck = false;
    c->output = NULL;
    if (w->wire.current[c->gateway][c->carrier][c->link] == c->index)
        w->wire.current[c->gateway][c->carrier][c->link] = NONE;
}

static void connect_result(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (!c->engine_open || !world_may_enter(w, e))
        return;
    if (rng_chance(&w->wire_rng, w->plan.link_refused) ||
        w->wire.out_until_us[c->carrier] > w->now_us) {
        drop_engine_end(w, c);
        engine_on_link_down(w->gw->engine, c->carrier, c->link, "connection refused",
                            world_instant(w));
    } else {
        open_session(w, c);
        engine_on_link_up(w->gw->engine, c->carrier, c->link, world_instant(w));
        after_session(w, e->a);
    }
    world_entered(w);
}

static void hand(struct world *w, uint64_t index, struct span octets)
{
    struct connection *c = at(w, index);
    c->delivered += octets.length;
    for (; c->handed_count < c->delivery_count; c->handed_count++) {
        struct delivery *d = &c->deliveries[c->handed_count];
        if (d->end > c->delivered)
            break;
        d->handed = true;
        oracle_handed(w, (uint32_t)index, d);
    }
    engine_on_link_octets(w->gw->engine, c->carrier, c->link, octets, world_instant(w));
    world_entered(w);
}

static void hold(struct connection *c, struct span octets)
{
    c->held = check_realloc(c->held, c->held_length + octets.length);
    memcpy(c->held + c->held_length, octets.data, octets.length);
    c->held_length += octets.length;
}

static void engine_receives(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (!c->engine_open || c->silent || !world_may_enter(w, e))
        return;
    if (c->reading && c->held_length == 0)
        hand(w, e->a, span_of(e->data, e->length));
    else
        hold(c, span_of(e->data, e->length));
}

static void engine_loses(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (!c->engine_open || !world_may_enter(w, e))
        return;
    drop_engine_end(w, c);
    engine_on_link_down(w->gw->engine, c->carrier, c->link, "peer closed", world_instant(w));
    world_entered(w);
}

/* ---- ports ---- */

static void take(struct world *w, struct connection *c, struct buffer *output, size_t length)
{
    if (!c->silent)
        send_octets(w, span_of(buffer_span(output).data, length), &c->to_carrier_us,
                    carrier_receives, c->index);
    buffer_consume(output, length);
}

void wire_flush(struct world *w, uint16_t carrier, uint16_t link, struct buffer *output)
{
    uint32_t index = w->wire.current[w->gw->index][carrier][link];
    if (index == NONE)
        return;
    struct connection *c = at(w, index);
    struct span octets = buffer_span(output);
    oracle_octets_out(w, index, span_of(octets.data + c->offered, octets.length - c->offered));
    size_t length = octets.length;
    if (c->stuck) {
        length = 0;
    } else if (length > 0 && rng_chance(&w->wire_rng, w->plan.link_stuck)) {
        c->stuck = true;
        c->output = output;
        length = rng_below(&w->wire_rng, length);
        world_at(w, 1000 + rng_below(&w->wire_rng, 200000), unstick, index, 0, 0);
    }
    take(w, c, output, length);
    c->offered = octets.length - length;
}

static void unstick(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (!c->stuck || w->gw->engine == NULL || !world_may_enter(w, e))
        return;
    c->stuck = false;
    take(w, c, c->output, c->offered);
    c->offered = 0;
    c->output = NULL;
    world_entered(w);
}

void wire_close(struct world *w, uint16_t carrier, uint16_t link)
{
    uint32_t index = w->wire.current[w->gw->index][carrier][link];
    if (index == NONE)
        return;
    struct connection *c = at(w, index);
    drop_engine_end(w, c);
    if (!c->silent)
        schedule_add(&w->schedule, arrival(w, &c->to_carrier_us), carrier_hangs_up, index, 0, 0,
                     NULL, 0);
}

static void resume(struct world *w, struct event *e)
{
    struct connection *c = at(w, e->a);
    if (!c->engine_open || !c->reading || c->held_length == 0 || !world_may_enter(w, e))
        return;
    uint8_t *held = c->held;
    size_t length = c->held_length;
    c->held = NULL;
    c->held_length = 0;
    hand(w, e->a, span_of(held, length));
    free(held);
}

void wire_reading(struct world *w, uint16_t carrier, uint16_t link, bool reading)
{
    uint32_t index = w->wire.current[w->gw->index][carrier][link];
    if (index == NONE)
        return;
    at(w, index)->reading = reading;
    if (reading)
        world_at(w, 0, resume, index, 0, 0);
}

void wire_crash(struct world *w)
{
    for (uint32_t i = 0; i < w->wire.count; i++) {
        struct connection *c = at(w, i);
        if (!c->engine_open || c->gateway != w->gw->index)
            continue;
        drop_engine_end(w, c);
        schedule_add(&w->schedule, arrival(w, &c->to_carrier_us), carrier_hangs_up, i, 0, 0, NULL,
                     0);
    }
}

/* ---- faults ---- */

static void break_connection(struct world *w, uint32_t index)
{
    struct connection *c = at(w, index);
    TRACE(w, "wire", "connection %u breaks", index);
    session_close(c->session, "broken");
    c->over = true;
    world_at(w, rng_below(&w->wire_rng, 2 * w->plan.wire_us), engine_loses, index, 0, 0);
    after_session(w, index);
}

void wire_outage(struct world *w, uint16_t carrier, uint64_t lasts_us)
{
    TRACE(w, "wire", "carrier %u is out for %.3f s", carrier, (double)lasts_us / 1e6);
    w->wire.out_until_us[carrier] = w->now_us + lasts_us;
    for (unsigned i = 0; i < w->plan.gateways * SIM_LINKS_MAX; i++) {
        world_turn_to(w, i / SIM_LINKS_MAX);
        uint32_t index = w->wire.current[w->gw->index][carrier][i % SIM_LINKS_MAX];
        if (index != NONE && at(w, index)->session != NULL)
            break_connection(w, index);
    }
}

void wire_fault(struct world *w)
{
    uint16_t carrier = (uint16_t)rng_below(&w->wire_rng, w->plan.carriers);
    world_turn_to(w, (uint32_t)rng_below(&w->wire_rng, w->plan.gateways));
    uint32_t index = w->wire.current[w->gw->index][carrier][rng_below(&w->wire_rng, SIM_LINKS_MAX)];
    if (index == NONE || at(w, index)->session == NULL)
        return;
    struct connection *c = at(w, index);
    if (rng_chance(&w->wire_rng, 300000)) {
        TRACE(w, "wire", "connection %u goes silent", index);
        c->silent = true;
        world_at(w, rng_below(&w->wire_rng, 20 * US_PER_S), carrier_hangs_up, index, 0, 0);
        return;
    }
    break_connection(w, index);
}

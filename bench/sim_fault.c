/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sim_fault.h"

#include "bench/fault_pdu.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "smpp/decode.h"
#include "smpp/encode.h"
#include "smpp/reassembly.h"

#define DRIP_US          30
#define SPLIT_US         (2 * US_PER_MS)
#define CONTRADICTION_US (50 * US_PER_MS)
#define UNKNOWN_ID       (1ull << 52) /* no message gets so high a number */
#define UNKNOWN_COMMAND  0x00000777u
#define OUR_SEQUENCE     0x00700000u /* of requests that no session of ours has sent */

/* The model's part --------------------------------------------------------------------------- */

static void add_error(struct sim_options *options, enum fault fault, uint32_t command_status)
{
    struct carrier_config *carrier = &options->carrier;
    if (!options->faults.on[fault])
        return;
    CHECK(carrier->error_count < CARRIER_ERRORS_MAX);
    options->error_faults[carrier->error_count] = fault;
    carrier->errors[carrier->error_count++] =
        (struct carrier_error){options->faults.share_ppm[fault], command_status};
}

void sim_faults_configure(struct sim_options *options)
{
    const struct faults *faults = &options->faults;
    struct carrier_config *carrier = &options->carrier;
    if (faults->on[FAULT_EARLY_RECEIPT])
        carrier->receipt_early_ppm = faults->share_ppm[FAULT_EARLY_RECEIPT];
    if (faults->on[FAULT_DOUBLE_RECEIPT])
        carrier->receipt_twice_ppm = faults->share_ppm[FAULT_DOUBLE_RECEIPT];
    if (faults->on[FAULT_NO_ANSWER])
        carrier->answer_lost_ppm = faults->share_ppm[FAULT_NO_ANSWER];
    if (faults->on[FAULT_THROTTLE])
        carrier->rate = (uint32_t)faults->value[FAULT_THROTTLE];
    if (faults->on[FAULT_WINDOW])
        carrier->window = (uint32_t)faults->value[FAULT_WINDOW];
    carrier->refused_forms |= faults->on[FAULT_REFUSE_UDH] ? CARRIER_NO_UDH : 0;
    carrier->refused_forms |= faults->on[FAULT_REFUSE_SAR] ? CARRIER_NO_SAR : 0;
    carrier->refused_forms |= faults->on[FAULT_REFUSE_PAYLOAD] ? CARRIER_NO_PAYLOAD : 0;
    if (faults->on[FAULT_ALPHABET_LATIN1])
        carrier->alphabet = ALPHABET_LATIN1;
    if (faults->on[FAULT_ALPHABET_ASCII])
        carrier->alphabet = ALPHABET_ASCII;
    add_error(options, FAULT_STATUS, (uint32_t)faults->value[FAULT_STATUS]);
    add_error(options, FAULT_VENDOR_STATUS, (uint32_t)faults->value[FAULT_VENDOR_STATUS]);
    add_error(options, FAULT_QUEUE_FULL, ESME_RMSGQFUL);
    add_error(options, FAULT_ERROR_WITHOUT_BODY, ESME_RSYSERR);
    add_error(options, FAULT_ERROR_WITH_BODY, ESME_RSYSERR);
    add_error(options, FAULT_NACK, ESME_RINVCMDID);
    add_error(options, FAULT_NACK_ZERO, ESME_RINVCMDID);
    options->answer_ids = options->receipt_ids = faults->on[FAULT_IDS_UUID]   ? SPELLING_UUID
                                                 : faults->on[FAULT_IDS_LONG] ? SPELLING_LONG
                                                                              : SPELLING_DEC;
    if (faults->on[FAULT_RECEIPT_IDS_HEX])
        options->receipt_ids = SPELLING_HEX;
    if (faults->on[FAULT_RECEIPT_IDS_DEC])
        options->answer_ids = SPELLING_HEX;
    if (faults->on[FAULT_RECEIPT_IDS_LEADING_ZEROS])
        options->receipt_ids = SPELLING_ZEROS;
}

uint64_t fault_played(struct sim *sim, enum fault fault)
{
    const struct carrier_counts *counts = carrier_model_counts(sim->model);
    switch ((int)fault) {
    case FAULT_EARLY_RECEIPT:
        return counts->receipts_early;
    case FAULT_DOUBLE_RECEIPT:
        return counts->receipts_twice;
    case FAULT_NO_ANSWER:
        return counts->answers_lost;
    case FAULT_THROTTLE:
        return counts->throttled;
    case FAULT_WINDOW:
        return counts->over_window;
    case FAULT_RECEIPT_IDS_HEX:
    case FAULT_RECEIPT_IDS_LEADING_ZEROS:
        return counts->receipts;
    case FAULT_RECEIPT_IDS_DEC:
    case FAULT_IDS_UUID:
    case FAULT_IDS_LONG:
    case FAULT_ALPHABET_LATIN1:
    case FAULT_ALPHABET_ASCII:
        return counts->accepted;
    case FAULT_REFUSE_UDH:
    case FAULT_REFUSE_SAR:
    case FAULT_REFUSE_PAYLOAD:
        return counts->refused;
    default:
        return sim->faults.struck[fault];
    }
}

/* Connections -------------------------------------------------------------------------------- */

static void say(const struct peer *peer, enum fault fault)
{
    if (peer->sim->log != NULL)
        sim_log_event(peer->sim->log, peer->sim->now_us, peer->number, "fault",
                      fault_rows[fault].name);
}

/* A PDU that no session of ours would write. */
static void put_pdu(struct peer *peer, uint32_t command_id, struct span body)
{
    uint8_t pdu[SMPP_HEADER_SIZE + 64];
    struct writer w = writer_over(pdu, sizeof pdu);
    write_u32(&w, (uint32_t)(SMPP_HEADER_SIZE + body.length));
    write_u32(&w, command_id);
    write_u32(&w, ESME_ROK);
    write_u32(&w, OUR_SEQUENCE);
    write_octets(&w, body.data, body.length);
    CHECK(!w.failed);
    if (!buffer_append(&peer->bent, pdu, writer_length(&w)))
        return; /* nobody reads */
    if (peer->sim->log != NULL)
        sim_log_pdu(peer->sim->log, peer->sim->now_us, peer->number, true,
                    span_of(pdu, writer_length(&w)));
}

void fault_connected(struct peer *peer)
{
    struct faults *faults = &peer->sim->faults;
    buffer_init(&peer->received, PDU_MAX);
    buffer_init(&peer->bent, 2 * SESSION_OUTPUT_MAX);
    buffer_init(&peer->paced, 2 * SESSION_OUTPUT_MAX);
    peer->due = FAULTS;
    if (fault_strikes(faults, FAULT_OUTBIND))
        put_pdu(peer, SMPP_OUTBIND, span_of("smsc\0secret", 12));
    if (fault_strikes(faults, FAULT_ENQUIRE_BEFORE_BIND))
        put_pdu(peer, SMPP_ENQUIRE_LINK, (struct span){0});
}

uint32_t fault_bind_status(struct peer *peer)
{
    struct sim *sim = peer->sim;
    struct faults *faults = &sim->faults;
    bool still = faults->struck[FAULT_BAD_PASSWORD] < faults->value[FAULT_BAD_PASSWORD];
    if (still && fault_strikes(faults, FAULT_BAD_PASSWORD))
        return ESME_RINVPASWD;
    if (sim->now_us < sim->accounts[peer->account].held_until_us &&
        fault_strikes(faults, FAULT_RALYBND))
        return ESME_RALYBND;
    return ESME_ROK;
}

void fault_unbound(struct peer *peer, const char *why)
{
    struct sim *sim = peer->sim;
    bool politely = strcmp(why, "unbound") == 0 || strcmp(why, "peer_unbound") == 0;
    if (sim->faults.on[FAULT_RALYBND] && peer->bound && !politely)
        sim->accounts[peer->account].held_until_us = sim->now_us + sim->faults.value[FAULT_RALYBND];
}

static void plan_unknown_receipt(struct peer *peer)
{
    static const struct smpp_address phone = {1, 1, "12025550199"}, us = {1, 1, "12025550100"};
    struct sim *sim = peer->sim;
    uint32_t index = sim_take_deliver(sim, peer->account, &phone, &us, ITEM_RECEIPT);
    if (index == ITEM_NONE)
        return;
    struct item *item = schedule_item(&sim->schedule, index);
    item->deliver.message_id = UNKNOWN_ID + sim->unknown_ids++;
    item->deliver.message_state = STATE_DELIVERED;
    item->deliver.submitted_wall_ms = clock_wall_ms();
    sim_deliver_after(sim, index, 0);
}

/* A carrier gives up a dead connection when the account binds anew. */
static void bury_silent(struct sim *sim, const struct peer *successor)
{
    for (size_t i = 0; i < sim->active_count; i++) {
        struct peer *peer = sim->active[i];
        if (peer->silent && peer != successor && peer->account == successor->account)
            session_close(peer->session, "superseded");
    }
}

void fault_bound(struct peer *peer)
{
    bury_silent(peer->sim, peer);
    if (fault_strikes(&peer->sim->faults, FAULT_BIND_WITH_DELIVER))
        plan_unknown_receipt(peer);
}

/* Input -------------------------------------------------------------------------------------- */

/* Gives requests that were renumbered on their way out their own numbers back. */
static void restore_sequence(struct peer *peer, uint8_t *pdu)
{
    const struct faults *faults = &peer->sim->faults;
    struct span header = span_of(pdu, SMPP_HEADER_SIZE);
    uint32_t command_id = pdu_word(header, WORD_COMMAND);
    uint32_t sequence = pdu_word(header, WORD_SEQUENCE);
    bool delivered = command_id == (SMPP_DELIVER_SM | SMPP_RESPONSE) ||
                     command_id == (SMPP_DATA_SM | SMPP_RESPONSE);
    if (!(command_id & SMPP_RESPONSE))
        return;
    if (faults->on[FAULT_SEQUENCE_ZERO] && delivered && sequence == 0)
        pdu_set_word(pdu, WORD_SEQUENCE, peer->last_sequence);
    else if (faults->on[FAULT_HIGH_SEQUENCE])
        pdu_set_word(pdu, WORD_SEQUENCE, sequence & ~SMPP_RESPONSE);
}

static void receive_renumbered(struct peer *peer, struct span octets)
{
    struct pdu_header header;
    while (octets.length > 0) {
        size_t room = PDU_MAX - buffer_length(&peer->received);
        size_t moved = octets.length < room ? octets.length : room;
        bool fits = buffer_append(&peer->received, octets.data, moved);
        CHECK(fits);
        octets = span_of(octets.data + moved, octets.length - moved);
        enum frame_result result;
        while ((result = decode_frame(buffer_span(&peer->received), PDU_MAX, &header)) ==
               FRAME_WHOLE) {
            restore_sequence(peer, peer->received.data + peer->received.start);
            struct span pdu = span_of(buffer_span(&peer->received).data, header.command_length);
            (void)session_receive(peer->session, pdu, peer->sim->now_us);
            buffer_consume(&peer->received, header.command_length);
        }
        if (result == FRAME_BAD_LENGTH)
            session_close(peer->session, "bad_length");
        if (peer->ended)
            return;
    }
}

void fault_receive(struct peer *peer, struct span octets)
{
    struct sim *sim = peer->sim;
    if (peer->silent)
        return;
    if (fault_strikes(&sim->faults, FAULT_SLOW_READER)) {
        peer->read_at_us = sim->now_us + sim->faults.value[FAULT_SLOW_READER];
        link_set_reading(peer->link, false);
    }
    if (sim->faults.on[FAULT_HIGH_SEQUENCE] || sim->faults.on[FAULT_SEQUENCE_ZERO])
        receive_renumbered(peer, octets);
    else
        (void)session_receive(peer->session, octets, sim->now_us);
}

/* Answers ------------------------------------------------------------------------------------ */

static void add_receipt(struct carrier_outcome *outcome, unsigned at, uint8_t message_state,
                        uint64_t message_id, uint64_t delay_us)
{
    CHECK(outcome->receipt_count < CARRIER_RECEIPTS_MAX && at <= outcome->receipt_count);
    memmove(&outcome->receipts[at + 1], &outcome->receipts[at],
            (outcome->receipt_count - at) * sizeof outcome->receipts[0]);
    outcome->receipts[at] = (struct carrier_receipt){message_state, message_id, delay_us};
    outcome->receipt_count++;
}

static void bend_receipts(struct sim *sim, struct carrier_outcome *outcome)
{
    static const uint8_t intermediate[] = {STATE_EN_ROUTE, STATE_ACCEPTED, STATE_BUFFERED};
    struct faults *faults = &sim->faults;
    if (outcome->receipt_count == 0)
        return;
    if (fault_strikes(faults, FAULT_LATE_RECEIPT))
        outcome->receipts[0].delay_us += faults->value[FAULT_LATE_RECEIPT];
    struct carrier_receipt first = outcome->receipts[0];
    uint8_t contrary =
        first.message_state == STATE_DELIVERED ? STATE_UNDELIVERABLE : STATE_DELIVERED;
    if (fault_strikes(faults, FAULT_CONTRADICTORY_RECEIPT))
        add_receipt(outcome, outcome->receipt_count, contrary, first.message_id,
                    first.delay_us + CONTRADICTION_US);
    if (fault_strikes(faults, FAULT_UNKNOWN_RECEIPT))
        add_receipt(outcome, 0, STATE_DELIVERED, UNKNOWN_ID + sim->unknown_ids++, first.delay_us);
    if (fault_strikes(faults, FAULT_INTERMEDIATE_RECEIPT))
        add_receipt(outcome, 0, intermediate[rng_below(&faults->rng, sizeof intermediate)],
                    first.message_id,
                    first.delay_us / 2 > outcome->answer_delay_us ? first.delay_us / 2
                                                                  : outcome->answer_delay_us);
}

static void bend_id(struct sim *sim, struct carrier_outcome *outcome)
{
    if (sim->last_message_id != 0 && fault_strikes(&sim->faults, FAULT_DUPLICATE_ID))
        outcome->message_id = sim->last_message_id;
    sim->last_message_id = outcome->message_id;
    for (unsigned i = 0; i < outcome->receipt_count; i++)
        outcome->receipts[i].message_id = outcome->message_id;
}

static void bend_answer_time(struct faults *faults, struct carrier_outcome *outcome)
{
    if (!fault_strikes(faults, FAULT_LATE_ANSWER))
        return;
    outcome->answer_delay_us += faults->value[FAULT_LATE_ANSWER];
    for (unsigned i = 0; i < outcome->receipt_count; i++)
        outcome->receipts[i].delay_us += faults->value[FAULT_LATE_ANSWER];
}

/* The text of a receipt, typed by hand: what a subscriber should never get away with. */
static void type_receipt(const struct sim *sim, struct carrier_outcome *outcome)
{
    struct receipt_facts facts = {.message_id = outcome->message_id,
                                  .submitted_wall_ms = clock_wall_ms(),
                                  .done_wall_ms = clock_wall_ms(),
                                  .id_spelling = sim->options->receipt_ids,
                                  .message_state = STATE_UNDELIVERABLE,
                                  .form = RECEIPT_NO_TLVS};
    struct receipt_buffers buffers;
    struct sm_out message = {0};
    receipt_write(&facts, &buffers, &message);
    CHECK(message.short_message.length <= REPLY_OCTETS_MAX);
    outcome->reply.kind = REPLY_OTHER;
    outcome->reply.delay_us = outcome->answer_delay_us;
    outcome->reply.data_coding = 0;
    outcome->reply.length = (uint8_t)message.short_message.length;
    memcpy(outcome->reply.octets, message.short_message.data, message.short_message.length);
}

static enum fault bend_success(struct sim *sim, struct carrier_outcome *outcome)
{
    struct faults *faults = &sim->faults;
    bend_id(sim, outcome);
    bend_answer_time(faults, outcome);
    bend_receipts(sim, outcome);
    if (outcome->reply.kind == REPLY_NONE && fault_strikes(faults, FAULT_FAKE_RECEIPT_TEXT))
        type_receipt(sim, outcome);
    enum fault shape = fault_strikes(faults, FAULT_NO_ID)              ? FAULT_NO_ID
                       : fault_strikes(faults, FAULT_HEADER_ONLY_RESP) ? FAULT_HEADER_ONLY_RESP
                       : fault_strikes(faults, FAULT_DOUBLE_ANSWER)    ? FAULT_DOUBLE_ANSWER
                                                                       : FAULTS;
    if (shape == FAULT_NO_ID || shape == FAULT_HEADER_ONLY_RESP)
        outcome->receipt_count = 0;
    return shape;
}

/* A part of a long text, and not its last. */
static bool is_before_last(const struct sm_body *body)
{
    struct udh udh = {0};
    struct part part;
    if (body->esm_class & ESM_UDHI)
        (void)udh_parse(body->text, &udh);
    return part_read(body, &udh, &part) && part.number < part.total;
}

/* What happens to the connection at each so many submit_sm. */
static void count_submit(struct peer *peer, struct carrier_outcome *outcome)
{
    static const enum fault ends[] = {FAULT_UNBIND_IN_FLIGHT, FAULT_DROP_CONNECTION,
                                      FAULT_HALF_OPEN};
    struct sim *sim = peer->sim;
    struct faults *faults = &sim->faults;
    uint64_t count = ++sim->submits;
    if (count == 1 && fault_strikes(faults, FAULT_RECEIPT_FLOOD))
        for (uint64_t i = 0; i < faults->value[FAULT_RECEIPT_FLOOD]; i++)
            plan_unknown_receipt(peer);
    if (fault_strikes_at(faults, FAULT_ALERT_NOTIFICATION, count)) /* two addresses */
        put_pdu(peer, SMPP_ALERT_NOTIFICATION,
                span_of("\1\1"
                        "12025550199\0"
                        "\1\1"
                        "12025550100",
                        28));
    if (fault_strikes_at(faults, FAULT_UNKNOWN_COMMAND, count))
        put_pdu(peer, UNKNOWN_COMMAND, span_of("?", 2));
    if (fault_strikes_at(faults, FAULT_BAD_LENGTH, count))
        peer->due = FAULT_BAD_LENGTH;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (fault_strikes_at(faults, ends[i], count)) {
            peer->due = ends[i];
            outcome->answered = false;
        }
}

enum fault fault_submitted(struct peer *peer, const struct sm_body *body,
                           struct carrier_outcome *outcome)
{
    struct sim *sim = peer->sim;
    if (!sim->faults.any)
        return FAULTS;
    count_submit(peer, outcome);
    if (outcome->error > 0) {
        enum fault fault = sim->options->error_faults[outcome->error - 1];
        sim->faults.struck[fault]++;
        return fault;
    }
    if (outcome->command_status != ESME_ROK)
        return FAULTS;
    if (is_before_last(body) && fault_strikes(&sim->faults, FAULT_RECEIPT_LAST_PART))
        outcome->receipt_count = 0;
    return bend_success(sim, outcome);
}

void fault_shape_answer(struct peer *peer, enum fault shape, size_t at)
{
    struct buffer *out = session_output(peer->session);
    if (buffer_length(out) == at)
        return; /* the session is closed */
    uint32_t sequence =
        pdu_word(span_of(buffer_span(out).data + at, SMPP_HEADER_SIZE), WORD_SEQUENCE);
    switch ((int)shape) {
    case FAULT_HEADER_ONLY_RESP:
        pdu_set_body(out, at, (struct span){0});
        break;
    case FAULT_ERROR_WITH_BODY:
        pdu_set_body(out, at, span_of("refused", 8));
        break;
    case FAULT_NACK:
        pdu_to_nack(out, at, sequence);
        break;
    case FAULT_NACK_ZERO:
        pdu_to_nack(out, at, 0);
        break;
    case FAULT_DOUBLE_ANSWER:
        pdu_repeat(out, at);
        break;
    default: /* others are in the status, or in the id */
        break;
    }
}

/* Deliveries --------------------------------------------------------------------------------- */

void fault_plan_receipt(struct sim *sim, struct item *item)
{
    static const struct {
        enum fault fault;
        uint8_t form;
    } forms[] = {{FAULT_RECEIPT_PAYLOAD, RECEIPT_PAYLOAD},
                 {FAULT_RECEIPT_TEXT_ONLY, RECEIPT_NO_TLVS},
                 {FAULT_RECEIPT_TLV_ONLY, RECEIPT_NO_TEXT},
                 {FAULT_RECEIPT_TLV_ERROR, RECEIPT_TLV_ERROR},
                 {FAULT_RECEIPT_TLV_ASCII_ERROR, RECEIPT_ASCII_ERROR}};
    struct faults *faults = &sim->faults;
    if (!faults->any)
        return;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (fault_strikes(faults, forms[i].fault))
            item->deliver.form |= forms[i].form;
    if (fault_strikes(faults, FAULT_RECEIPT_TEXT_VARIANTS)) {
        item->deliver.form |= RECEIPT_NO_TLVS;
        item->deliver.variant = (uint8_t)rng_below(&faults->rng, RECEIPT_VARIANTS);
    }
    if ((item->deliver.form & RECEIPT_NO_TLVS) && (item->deliver.form & RECEIPT_NO_TEXT))
        item->deliver.form &= (uint8_t)~RECEIPT_NO_TEXT; /* something must be said */
    item->deliver.in_data_sm = fault_strikes(faults, FAULT_RECEIPT_IN_DATA_SM);
}

void fault_plan_reply(struct sim *sim, struct item *item)
{
    struct faults *faults = &sim->faults;
    size_t unit = item->deliver.reply->data_coding == 8 ? 2 : 1;
    if (item->deliver.reply->length >= 2 * unit && fault_strikes(faults, FAULT_MO_PARTS)) {
        item->deliver.reply_form = (uint8_t)(REPLY_UDH_8 + rng_below(&faults->rng, 3));
        item->deliver.parts = 2;
        item->deliver.backwards = rng_chance(&faults->rng, 500000);
    } else if (fault_strikes(faults, FAULT_MO_PAYLOAD)) {
        item->deliver.reply_form = REPLY_PAYLOAD;
    } else if (fault_strikes(faults, FAULT_MO_255_OCTETS)) {
        item->deliver.reply_form = REPLY_255_OCTETS;
    }
    item->deliver.source_form = fault_strikes(faults, FAULT_MO_WITH_PLUS)  ? SOURCE_PLUS
                                : fault_strikes(faults, FAULT_MO_WITH_00)  ? SOURCE_00
                                : fault_strikes(faults, FAULT_MO_NATIONAL) ? SOURCE_NATIONAL
                                                                           : SOURCE_PLAIN;
}

static void put_tlv(struct reply_buffers *buffers, struct sm_out *message, uint16_t tag,
                    const void *value, size_t length)
{
    buffers->tlvs[message->tlv_count++] = (struct tlv){.tag = tag, .value = span_of(value, length)};
    message->tlvs = buffers->tlvs;
}

static struct span with_header(struct reply_buffers *buffers, const void *header, size_t length,
                               struct span text)
{
    memcpy(buffers->octets, header, length);
    memcpy(buffers->octets + length, text.data, text.length);
    return span_of(buffers->octets, length + text.length);
}

static struct span part_of(const struct item *item, uint8_t part)
{
    const struct carrier_reply *reply = item->deliver.reply;
    size_t unit = reply->data_coding == 8 ? 2 : 1;
    size_t half = reply->length / unit / 2 * unit;
    return part == 1 ? span_of(reply->octets, half)
                     : span_of(reply->octets + half, reply->length - half);
}

static void write_part(const struct item *item, struct reply_buffers *buffers,
                       struct sm_out *message)
{
    uint8_t total = item->deliver.parts;
    uint8_t part = item->deliver.backwards ? (uint8_t)(total - item->deliver.part)
                                           : (uint8_t)(item->deliver.part + 1);
    uint16_t reference = (uint16_t)hash_mix(item->deliver.reply->conversation);
    uint8_t high = (uint8_t)(reference >> 8), low = (uint8_t)reference;
    struct span text = part_of(item, part);
    const uint8_t udh8[] = {5, 0x00, 3, low, total, part};
    /* An element that says nothing to a handset stands in front. */
    const uint8_t udh16[] = {9, 0xc0, 1, 0, 0x08, 4, high, low, total, part};
    switch ((int)item->deliver.reply_form) {
    case REPLY_UDH_8:
        message->esm_class = ESM_UDHI;
        message->short_message = with_header(buffers, udh8, sizeof udh8, text);
        return;
    case REPLY_UDH_16:
        message->esm_class = ESM_UDHI;
        message->short_message = with_header(buffers, udh16, sizeof udh16, text);
        return;
    default:
        message->short_message = text;
        buffers->reference[0] = high;
        buffers->reference[1] = low;
        buffers->total = total;
        buffers->part = part;
        put_tlv(buffers, message, TLV_SAR_MSG_REF_NUM, buffers->reference, 2);
        put_tlv(buffers, message, TLV_SAR_TOTAL_SEGMENTS, &buffers->total, 1);
        put_tlv(buffers, message, TLV_SAR_SEGMENT_SEQNUM, &buffers->part, 1);
        return;
    }
}

/* With spaces behind it, as many as fit. */
static struct span padded(const struct carrier_reply *reply, struct reply_buffers *buffers)
{
    size_t length = reply->length;
    memcpy(buffers->octets, reply->octets, length);
    if (reply->data_coding == 8)
        for (; length + 2 <= UINT8_MAX; length += 2)
            memcpy(buffers->octets + length, "\0 ", 2);
    else
        for (; length < UINT8_MAX; length++)
            buffers->octets[length] = ' ';
    return span_of(buffers->octets, length);
}

static void put_before(struct smpp_address *address, const char *before)
{
    size_t length = strlen(address->digits), more = strlen(before);
    if (length + more + 1 > sizeof address->digits)
        return;
    memmove(address->digits + more, address->digits, length + 1);
    memcpy(address->digits, before, more);
}

static void write_source(const struct sim *sim, const struct item *item,
                         struct smpp_address *address)
{
    switch ((enum source_form)item->deliver.source_form) {
    case SOURCE_PLAIN:
        break;
    case SOURCE_PLUS:
        put_before(address, "+");
        break;
    case SOURCE_00:
        put_before(address, "00");
        break;
    case SOURCE_NATIONAL: {
        size_t length = strlen(address->digits), code = sim->faults.value[FAULT_MO_NATIONAL];
        if (code >= length)
            break;
        memmove(address->digits, address->digits + code, length - code + 1);
        address->ton = 2;
        break;
    }
    }
}

void fault_write_reply(const struct sim *sim, const struct item *item,
                       struct reply_buffers *buffers, struct sm_out *message)
{
    const struct carrier_reply *reply = item->deliver.reply;
    struct span text = span_of(reply->octets, reply->length);
    message->data_coding = reply->data_coding;
    write_source(sim, item, &message->source);
    switch ((enum reply_form)item->deliver.reply_form) {
    case REPLY_PLAIN:
        message->short_message = text;
        break;
    case REPLY_UDH_8:
    case REPLY_UDH_16:
    case REPLY_SAR:
        write_part(item, buffers, message);
        break;
    case REPLY_255_OCTETS:
        text = padded(reply, buffers); /* fault_shape_deliver() moves it to its place */
        put_tlv(buffers, message, TLV_MESSAGE_PAYLOAD, text.data, text.length);
        break;
    case REPLY_PAYLOAD:
        put_tlv(buffers, message, TLV_MESSAGE_PAYLOAD, text.data, text.length);
        break;
    }
}

void fault_shape_deliver(struct peer *peer, const struct item *item, size_t at)
{
    struct buffer *out = session_output(peer->session);
    if (item->kind == ITEM_RECEIPT && item->deliver.session != peer->number)
        (void)fault_strikes(&peer->sim->faults, FAULT_RECEIPT_OTHER_SESSION);
    if (item->kind == ITEM_RECEIPT && item->deliver.in_data_sm)
        pdu_to_data_sm(out, at);
    if (item->kind == ITEM_REPLY && item->deliver.reply_form == REPLY_255_OCTETS)
        pdu_payload_to_short_message(out, at);
}

bool fault_delivers_again(struct sim *sim, struct item *item)
{
    if (item->kind != ITEM_REPLY || item->deliver.is_again ||
        !fault_strikes(&sim->faults, FAULT_MO_REDELIVERY))
        return false;
    item->deliver.is_again = true;
    item->deliver.part = 0;
    return true;
}

static bool has_other_session(const struct sim *sim, const struct peer *peer)
{
    for (size_t i = 0; i < sim->active_count; i++) {
        const struct peer *other = sim->active[i];
        if (other != peer && other->bound && !other->ended && !other->silent &&
            other->account == peer->account && session_may_submit(other->session))
            return true;
    }
    return false;
}

bool fault_allows(const struct sim *sim, const struct peer *peer, const struct item *item)
{
    if (peer->silent)
        return false;
    return !sim->faults.on[FAULT_RECEIPT_OTHER_SESSION] || item->kind != ITEM_RECEIPT ||
           item->deliver.session != peer->number || !has_other_session(sim, peer);
}

/* Output ------------------------------------------------------------------------------------- */

static void drop(struct peer *peer)
{
    peer->sim->counts.dropped++;
    session_close(peer->session, "dropped");
    link_free(peer->link);
    peer->link = NULL;
}

static void fall_silent(struct peer *peer)
{
    peer->silent = true;
    link_set_reading(peer->link, false);
}

void fault_end_turn(struct peer *peer)
{
    struct sim *sim = peer->sim;
    if (!sim->faults.any || peer->ended)
        return;
    if (peer->read_at_us != 0 && sim->now_us >= peer->read_at_us) {
        peer->read_at_us = 0;
        link_set_reading(peer->link, !peer->held && !peer->silent);
    }
    enum fault due = peer->due;
    if (due == FAULTS || due == FAULT_BAD_LENGTH)
        return;
    peer->due = FAULTS;
    say(peer, due);
    if (due == FAULT_UNBIND_IN_FLIGHT)
        session_unbind(peer->session, sim->now_us);
    else if (due == FAULT_DROP_CONNECTION)
        drop(peer);
    else
        fall_silent(peer);
}

/* False: this PDU is not sent at all. */
static bool bend_pdu(struct peer *peer, struct buffer *out, size_t at)
{
    struct faults *faults = &peer->sim->faults;
    uint8_t *pdu = out->data + out->start + at;
    uint32_t command_id = pdu_word(span_of(pdu, SMPP_HEADER_SIZE), WORD_COMMAND);
    uint32_t sequence = pdu_word(span_of(pdu, SMPP_HEADER_SIZE), WORD_SEQUENCE);
    switch (command_id) {
    case SMPP_ENQUIRE_LINK | SMPP_RESPONSE:
        return !fault_strikes(faults, FAULT_ENQUIRE_SILENCE);
    case SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE:
    case SMPP_BIND_TRANSMITTER | SMPP_RESPONSE:
    case SMPP_BIND_RECEIVER | SMPP_RESPONSE:
        if (fault_strikes(faults, FAULT_WRONG_BIND_RESP))
            pdu_set_word(pdu, WORD_COMMAND,
                         command_id == (SMPP_BIND_TRANSMITTER | SMPP_RESPONSE)
                             ? SMPP_BIND_RECEIVER | SMPP_RESPONSE
                             : SMPP_BIND_TRANSMITTER | SMPP_RESPONSE);
        if (fault_strikes(faults, FAULT_BIND_RESP_HEADER_ONLY))
            pdu_set_body(out, at, (struct span){0});
        return true;
    case SMPP_DELIVER_SM:
    case SMPP_DATA_SM:
        if (fault_strikes(faults, FAULT_SEQUENCE_ZERO)) {
            peer->last_sequence = sequence;
            pdu_set_word(pdu, WORD_SEQUENCE, 0);
            return true;
        }
        break;
    default:
        break;
    }
    if (!(command_id & SMPP_RESPONSE) && fault_strikes(faults, FAULT_HIGH_SEQUENCE))
        pdu_set_word(pdu, WORD_SEQUENCE, sequence | SMPP_RESPONSE);
    return true;
}

static void bend_output(struct peer *peer)
{
    struct sim *sim = peer->sim;
    struct buffer *from = session_output(peer->session);
    struct buffer *to = &peer->bent;
    while (buffer_length(from) > 0 && buffer_length(to) < SESSION_OUTPUT_MAX) {
        uint32_t length = pdu_word(buffer_span(from), WORD_LENGTH);
        size_t at = buffer_length(to);
        bool fits = buffer_append(to, buffer_span(from).data, length);
        CHECK(fits);
        buffer_consume(from, length);
        if (!bend_pdu(peer, to, at))
            to->end = to->start + at;
        else if (sim->log != NULL)
            sim_log_pdu(sim->log, sim->now_us, peer->number, true,
                        span_of(buffer_span(to).data + at, buffer_length(to) - at));
    }
}

static void put_bad_length(struct peer *peer)
{
    uint8_t octets[SMPP_HEADER_SIZE] = {0};
    uint64_t times = peer->sim->faults.struck[FAULT_BAD_LENGTH];
    store_u32(octets, times % 2 == 1 ? 7 : UINT32_MAX);
    peer->due = FAULTS;
    say(peer, FAULT_BAD_LENGTH);
    bool fits = buffer_append(&peer->bent, octets, sizeof octets);
    CHECK(fits);
}

/* The rest of the PDU that was begun, and half a length word of the next one. */
static size_t split_at(struct peer *peer)
{
    struct span left = buffer_span(&peer->bent);
    size_t rest = peer->pdu_left < left.length ? peer->pdu_left : left.length;
    size_t begun = left.length - rest < 2 ? left.length - rest : 2;
    peer->pdu_left -= rest;
    if (begun == 2) {
        uint32_t length = pdu_word(span_of(left.data + rest, left.length - rest), WORD_LENGTH);
        peer->pdu_left =
            (length < SMPP_HEADER_SIZE || length > PDU_MAX ? SMPP_HEADER_SIZE : length) - 2;
    }
    return rest + begun;
}

/* How much of what is bent may go now, and when the next may. */
static size_t paced(struct peer *peer)
{
    struct sim *sim = peer->sim;
    struct faults *faults = &sim->faults;
    size_t waiting = buffer_length(&peer->bent);
    if (waiting == 0 || sim->now_us < peer->write_at_us || peer->silent)
        return 0;
    if (fault_strikes(faults, FAULT_DRIP)) {
        peer->write_at_us = sim->now_us + DRIP_US;
        return 1;
    }
    if (fault_strikes(faults, FAULT_SPLIT_LENGTH)) {
        peer->write_at_us = sim->now_us + SPLIT_US;
        return split_at(peer);
    }
    if (fault_strikes(faults, FAULT_MANY_IN_ONE))
        peer->write_at_us = sim->now_us + faults->value[FAULT_MANY_IN_ONE];
    return waiting;
}

struct buffer *fault_output(struct peer *peer)
{
    bend_output(peer);
    if (peer->due == FAULT_BAD_LENGTH)
        put_bad_length(peer);
    size_t length = paced(peer);
    if (length > 0 && buffer_append(&peer->paced, buffer_span(&peer->bent).data, length))
        buffer_consume(&peer->bent, length);
    return &peer->paced;
}

bool fault_holds(const struct peer *peer)
{
    return peer->sim->faults.any && peer->link != NULL && !peer->silent &&
           buffer_length(&peer->bent) > 0;
}

uint64_t fault_next_us(const struct peer *peer)
{
    uint64_t next = fault_holds(peer) ? peer->write_at_us : UINT64_MAX;
    return peer->read_at_us != 0 && peer->read_at_us < next ? peer->read_at_us : next;
}

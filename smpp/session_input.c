/* SPDX-License-Identifier: Apache-2.0 */
/* What the peer sends: framing, and one function a kind of PDU. Whole PDUs are read where they lie,
 * in the caller's octets; only a last, unfinished one is copied. Nothing here trusts the peer. */
#include "smpp/session_state.h"

#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "smpp/decode.h"
#include "smpp/encode.h"

static size_t take_pdus(struct session *s, struct span octets);
static size_t octets_missing(const struct session *s);
static void take_pdu(struct session *s, const struct pdu_header *header, struct span pdu);
static void take_request(struct session *s, const struct pdu_header *header, struct span pdu);
static void take_response(struct session *s, const struct pdu_header *header, struct span pdu);

/* The deadline of an unfinished PDU counts from its first octets: those that drip in do not move it. */
static void watch_unfinished(struct session *s, bool another)
{
    if (s->stalled || buffer_length(&s->in) == 0)
        s->pdu_deadline_us = 0;
    else if (another || s->pdu_deadline_us == 0)
        s->pdu_deadline_us = s->now_us + PDU_TIMEOUT_MS * US_PER_MS;
}

/* Gives how many octets of PDUs were acted on. */
static size_t receive(struct session *s, struct span octets)
{
    size_t acted = 0;
    s->stalled = false;
    while (s->state != SESSION_CLOSED) {
        if (buffer_length(&s->in) > 0) {
            size_t taken = take_pdus(s, buffer_span(&s->in));
            buffer_consume(&s->in, taken);
            acted += taken;
        }
        if (octets.length == 0 || s->state == SESSION_CLOSED)
            break;
        size_t moved = octets.length;
        if (buffer_length(&s->in) == 0) {
            size_t taken = take_pdus(s, octets);
            octets = span_of(octets.data + taken, octets.length - taken);
            moved = octets.length;
            acted += taken;
            if (moved == 0)
                break;
        } else if (!s->stalled && octets_missing(s) < moved) {
            moved = octets_missing(s);
        }
        if (!buffer_append(&s->in, octets.data, moved))
            session_end(s, "peer_not_reading", ESME_ROK);
        octets = span_of(octets.data + moved, octets.length - moved);
        if (s->stalled)
            break;
    }
    return acted;
}

bool session_receive(struct session *session, struct span octets, uint64_t now_us)
{
    CHECK(!session->receiving);
    session->now_us = now_us;
    session->receiving = true;
    size_t acted = receive(session, octets);
    watch_unfinished(session, acted > 0);
    session->receiving = false;
    return session->state != SESSION_CLOSED;
}

static bool is_bound(const struct session *s)
{
    return s->state == SESSION_BOUND || s->state == SESSION_UNBINDING;
}

/* How many octets the unfinished PDU in `in` lacks: of its header first, then of its body. */
static size_t octets_missing(const struct session *s)
{
    struct span have = buffer_span(&s->in);
    if (have.length < SMPP_HEADER_SIZE)
        return SMPP_HEADER_SIZE - have.length;
    struct reader r = reader_over(have);
    uint32_t command_length = read_u32(&r);
    CHECK(command_length > have.length && command_length <= PDU_MAX);
    return command_length - have.length;
}

/* Acts on the whole PDUs in front of `octets`; gives how many octets they were. */
static size_t take_pdus(struct session *s, struct span octets)
{
    size_t taken = 0;
    while (s->state != SESSION_CLOSED && taken < octets.length) {
        struct span rest = span_of(octets.data + taken, octets.length - taken);
        struct pdu_header header;
        enum frame_result result =
            decode_frame(rest, is_bound(s) ? PDU_MAX : PDU_UNBOUND_MAX, &header);
        if (result == FRAME_NEED_MORE)
            break;
        if (result == FRAME_BAD_LENGTH) {
            s->counts.malformed++;
            session_send_header(s, SMPP_GENERIC_NACK, ESME_RINVCMDLEN, 0);
            session_end(s, "bad_length", ESME_ROK);
            break;
        }
        if ((header.command_id & SMPP_RESPONSE) == 0 && !session_has_room(s, 0)) {
            s->stalled = true;
            break;
        }
        taken += header.command_length;
        take_pdu(s, &header, span_of(rest.data, header.command_length));
    }
    return taken;
}

static void take_pdu(struct session *s, const struct pdu_header *header, struct span pdu)
{
    s->heard_us = s->now_us;
    s->enquire_deadline_us = 0;
    if (s->tap != NULL)
        s->tap(s->context, s, false, pdu);
    if ((header->command_id & SMPP_RESPONSE) != 0)
        take_response(s, header, pdu);
    else
        take_request(s, header, pdu);
}

/* ---- Requests of the peer ---- */

static void refuse_message(struct session *s, const struct pdu_header *header, uint32_t status)
{
    s->owed++;
    session_respond(s, header, status, (struct span){0});
}

static void take_message(struct session *s, const struct pdu_header *header, struct span pdu)
{
    bool one_way = s->config.role == SESSION_SERVER && s->mode == SESSION_RECEIVER;
    if (!is_bound(s) || one_way) {
        refuse_message(s, header, ESME_RINVBNDSTS);
        return;
    }
    struct sm_body body;
    uint32_t status = decode_sm(pdu, &body);
    if (status != ESME_ROK) {
        s->counts.malformed++;
        refuse_message(s, header, status);
        return;
    }
    s->owed++;
    s->handlers.message(s->context, s, header, &body);
}

static void send_bind_resp(struct session *s, const struct pdu_header *header, uint32_t status)
{
    size_t before = buffer_length(&s->out);
    enum err err = encode_bind_resp(&s->out, header->command_id | SMPP_RESPONSE, status,
                                    header->sequence_number, span_from_string(s->config.system_id));
    CHECK(err == ERR_OK);
    session_tap_sent(s, before);
}

static void accept_bind(struct session *s, const struct pdu_header *header, enum session_mode mode,
                        struct span pdu)
{
    struct bind_body bind;
    uint32_t status = decode_bind(pdu, &bind);
    if (status == ESME_ROK)
        status = s->handlers.authenticate(s->context, s, mode, &bind);
    else
        s->counts.malformed++;
    if (s->state == SESSION_CLOSED)
        return;
    send_bind_resp(s, header, status);
    if (status == ESME_ROK)
        session_set_bound(s, mode);
    else
        session_end(s, "bind_refused", status);
}

static void refuse_command(struct session *s, const struct pdu_header *header)
{
    s->counts.unknown++;
    session_send_header(s, SMPP_GENERIC_NACK, ESME_RINVCMDID, header->sequence_number);
}

static void take_bind(struct session *s, const struct pdu_header *header, enum session_mode mode,
                      struct span pdu)
{
    if (s->config.role == SESSION_CLIENT)
        refuse_command(s, header);
    else if (is_bound(s))
        send_bind_resp(s, header, ESME_RALYBND);
    else
        accept_bind(s, header, mode, pdu);
}

static void take_unbind(struct session *s, const struct pdu_header *header)
{
    session_send_header(s, SMPP_UNBIND | SMPP_RESPONSE, ESME_ROK, header->sequence_number);
    s->unbind_sequence = 0; /* both sides unbind: theirs answers ours */
    if (s->state == SESSION_BOUND)
        session_set_unbinding(s, "peer_unbound");
    else if (s->state == SESSION_UNBINDING)
        session_settle(s);
    else
        session_end(s, "peer_unbound", ESME_ROK);
}

/* A command of SMPP that this role does not offer. */
static void refuse_service(struct session *s, const struct pdu_header *header)
{
    s->counts.unknown++;
    session_send_header(s, header->command_id | SMPP_RESPONSE, ESME_RINVCMDID,
                        header->sequence_number);
}

static void take_request(struct session *s, const struct pdu_header *header, struct span pdu)
{
    bool client = s->config.role == SESSION_CLIENT;
    switch (header->command_id) {
    case SMPP_SUBMIT_SM:
    case SMPP_DELIVER_SM:
        if (client == (header->command_id == SMPP_DELIVER_SM))
            take_message(s, header, pdu);
        else
            refuse_service(s, header);
        break;
    case SMPP_DATA_SM:
        take_message(s, header, pdu);
        break;
    case SMPP_ENQUIRE_LINK:
        session_send_header(s, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, ESME_ROK,
                            header->sequence_number);
        break;
    case SMPP_UNBIND:
        take_unbind(s, header);
        break;
    case SMPP_BIND_RECEIVER:
        take_bind(s, header, SESSION_RECEIVER, pdu);
        break;
    case SMPP_BIND_TRANSMITTER:
        take_bind(s, header, SESSION_TRANSMITTER, pdu);
        break;
    case SMPP_BIND_TRANSCEIVER:
        take_bind(s, header, SESSION_TRANSCEIVER, pdu);
        break;
    case SMPP_QUERY_SM:
    case SMPP_REPLACE_SM:
    case SMPP_CANCEL_SM:
    case SMPP_SUBMIT_MULTI:
        refuse_service(s, header);
        break;
    case SMPP_OUTBIND: /* these two have no response */
    case SMPP_ALERT_NOTIFICATION:
        break;
    default:
        refuse_command(s, header);
        break;
    }
}

/* ---- Responses of the peer ---- */

static void end_request(struct session *s, const struct pdu_header *header, enum request_end end,
                        struct span message_id)
{
    struct window_slot *slot = window_find(&s->window, header->sequence_number);
    if (slot == NULL) {
        s->counts.unmatched++;
        return;
    }
    uint64_t cookie = slot->cookie;
    bool late = window_slot_is_late(slot);
    window_remove(&s->window, slot);
    if (!late)
        s->handlers.request_ended(s->context, s, cookie, end, header->command_status, message_id);
    else if (s->handlers.late_answer != NULL)
        s->handlers.late_answer(s->context, s, cookie, header->command_status, message_id);
    session_settle(s);
}

static void take_bind_resp(struct session *s, const struct pdu_header *header)
{
    if (header->command_id != SMPP_GENERIC_NACK && header->command_status == ESME_ROK)
        session_set_bound(s, s->config.mode);
    else
        session_end(s, "bind_refused", header->command_status);
}

static void take_nack(struct session *s, const struct pdu_header *header)
{
    if (s->unbind_sequence != 0 && header->sequence_number == s->unbind_sequence) {
        s->unbind_sequence = 0;
        session_settle(s);
        return;
    }
    s->counts.nacks++;
    end_request(s, header, REQUEST_NACKED, (struct span){0});
}

/* While binding only the bind can be meant, so its answer is known by the sequence number, whatever
 * its command_id, and a nack of what the peer could not read has number 0. */
static bool answers_bind(const struct session *s, const struct pdu_header *header)
{
    return s->state == SESSION_BINDING &&
           (header->sequence_number == s->bind_sequence ||
            (header->command_id == SMPP_GENERIC_NACK && header->sequence_number == 0));
}

static void take_response(struct session *s, const struct pdu_header *header, struct span pdu)
{
    if (answers_bind(s, header)) {
        take_bind_resp(s, header);
        return;
    }
    switch (header->command_id) {
    case SMPP_SUBMIT_SM | SMPP_RESPONSE:
    case SMPP_DELIVER_SM | SMPP_RESPONSE:
    case SMPP_DATA_SM | SMPP_RESPONSE:
        end_request(s, header, REQUEST_ANSWERED, decode_message_id(pdu));
        break;
    case SMPP_GENERIC_NACK:
        take_nack(s, header);
        break;
    case SMPP_UNBIND | SMPP_RESPONSE:
        s->unbind_sequence = 0;
        session_settle(s);
        break;
    case SMPP_ENQUIRE_LINK | SMPP_RESPONSE: /* take_pdu() noted that the peer lives */
        break;
    default:
        s->counts.unmatched++;
        break;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sim_fault.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/tls.h"

#define OUTPUT_HIGH (1u << 20) /* a peer that leaves so much unread is not read either */
#define TICK_US     (100 * US_PER_MS)

void sim_take_time(struct sim *sim)
{
    sim->now_us = clock_mono_us();
    uint64_t still_us = stillness_look(&sim->still, sim->now_us);
    if (still_us > 0 && sim->log != NULL) {
        char text[21];
        snprintf(text, sizeof text, "%" PRIu64, still_us);
        sim_log_event(sim->log, sim->now_us, 0, "stood_still", text);
    }
}

/* Answers and deliveries ---------------------------------------------------------------------- */

static void answer(struct peer *peer, const struct pdu_header *request, uint32_t command_status,
                   uint64_t message_id, enum fault shape)
{
    char id[MESSAGE_ID_MAX + 1];
    bool has_id = command_status == ESME_ROK && shape != FAULT_NO_ID;
    size_t length = has_id ? id_write(peer->sim->options->answer_ids, message_id, id) : 0;
    size_t at = buffer_length(session_output(peer->session));
    peer->unanswered--;
    session_respond(peer->session, request, command_status, span_of(id, length));
    fault_shape_answer(peer, shape, at);
}

static void drop_item(struct sim *sim, uint32_t index)
{
    struct item *item = schedule_item(&sim->schedule, index);
    if (item->kind == ITEM_REPLY)
        free(item->deliver.reply);
    schedule_give_back(&sim->schedule, index);
}

static void push_ready(void *context, uint32_t index)
{
    struct sim *sim = context;
    uint16_t account = schedule_item(&sim->schedule, index)->deliver.account;
    item_list_push(&sim->schedule, &sim->accounts[account].ready, index);
}

static void make_ready(struct sim *sim, uint32_t index)
{
    if (!sim_hold_take(&sim->hold, &sim->schedule, index)) {
        push_ready(sim, index);
    } else if (sim_hold_is_full(&sim->hold)) {
        sim_hold_give(&sim->hold, &sim->schedule, &sim->rng, push_ready, sim);
        sim->pace.held_given_us = clock_mono_us();
    }
}

static void on_due(void *context, uint32_t index)
{
    struct sim *sim = context;
    struct item *item = schedule_item(&sim->schedule, index);
    if (item->kind != ITEM_ANSWER) {
        make_ready(sim, index);
        return;
    }
    struct peer *peer = sim->peers[item->answer.session % PEERS_MAX];
    if (peer != NULL && peer->number == item->answer.session && !peer->ended)
        answer(peer, &item->answer.request, item->answer.command_status, item->answer.message_id,
               (enum fault)item->answer.shape);
    schedule_give_back(&sim->schedule, index);
}

void sim_deliver_after(struct sim *sim, uint32_t index, uint64_t delay_us)
{
    if (delay_us == 0)
        make_ready(sim, index);
    else
        schedule_add(&sim->schedule, index, sim->now_us + delay_us);
}

uint32_t sim_take_deliver(struct sim *sim, uint16_t account, const struct smpp_address *source,
                          const struct smpp_address *destination, enum item_kind kind)
{
    uint32_t index = schedule_take(&sim->schedule);
    if (index == ITEM_NONE) {
        sim->counts.overflow++;
        return ITEM_NONE;
    }
    struct item *item = schedule_item(&sim->schedule, index);
    memset(&item->deliver, 0, sizeof item->deliver);
    item->kind = kind;
    item->deliver.source = *source;
    item->deliver.destination = *destination;
    item->deliver.account = account;
    return index;
}

/* Back to where `body` came from. */
static uint32_t take_deliver(struct sim *sim, const struct peer *peer, const struct sm_body *body,
                             enum item_kind kind)
{
    return sim_take_deliver(sim, peer->account, &body->destination, &body->source, kind);
}

static uint32_t take_receipt(struct sim *sim, struct peer *peer, const struct sm_body *body,
                             uint64_t message_id, uint8_t message_state)
{
    uint32_t index = take_deliver(sim, peer, body, ITEM_RECEIPT);
    if (index == ITEM_NONE)
        return index;
    struct item *item = schedule_item(&sim->schedule, index);
    item->deliver.message_id = message_id;
    item->deliver.message_state = message_state;
    item->deliver.submitted_wall_ms = clock_wall_ms();
    item->deliver.session = peer->number;
    fault_plan_receipt(sim, item);
    return index;
}

static void plan_receipts(struct sim *sim, struct peer *peer, const struct sm_body *body,
                          const struct carrier_outcome *outcome)
{
    for (unsigned i = 0; i < outcome->receipt_count; i++) {
        uint32_t index = take_receipt(sim, peer, body, outcome->receipts[i].message_id,
                                      outcome->receipts[i].message_state);
        if (index == ITEM_NONE)
            return;
        sim_deliver_after(sim, index, outcome->receipts[i].delay_us);
    }
}

static void plan_reply(struct sim *sim, struct peer *peer, const struct sm_body *body,
                       const struct carrier_reply *reply)
{
    uint32_t index = take_deliver(sim, peer, body, ITEM_REPLY);
    if (index == ITEM_NONE)
        return;
    struct carrier_reply *copy = check_malloc(sizeof *copy);
    *copy = *reply;
    struct item *item = schedule_item(&sim->schedule, index);
    item->deliver.reply = copy;
    fault_plan_reply(sim, item);
    sim_deliver_after(sim, index, reply->delay_us);
}

static void plan_answer(struct sim *sim, struct peer *peer, const struct pdu_header *header,
                        const struct carrier_outcome *outcome, enum fault shape)
{
    uint32_t index = outcome->answer_delay_us > 0 ? schedule_take(&sim->schedule) : ITEM_NONE;
    if (index == ITEM_NONE) {
        answer(peer, header, outcome->command_status, outcome->message_id, shape);
        return;
    }
    struct item *item = schedule_item(&sim->schedule, index);
    item->kind = ITEM_ANSWER;
    item->answer.request = *header;
    item->answer.session = peer->number;
    item->answer.command_status = outcome->command_status;
    item->answer.message_id = outcome->message_id;
    item->answer.shape = (uint8_t)shape;
    schedule_add(&sim->schedule, index, sim->now_us + outcome->answer_delay_us);
}

/* What a session tells ------------------------------------------------------------------------ */

static void note_pace(struct sim *sim)
{
    struct sim_pace *pace = &sim->pace;
    uint64_t in_second = carrier_model_counts(sim->model)->in_second;
    uint64_t written_in_us = US_PER_S + stillness_in_second(&sim->still, sim->now_us);
    uint64_t written = (in_second * US_PER_S + written_in_us - 1) / written_in_us;
    if (written > pace->highest_second_written)
        pace->highest_second_written = written;
    if (pace->first_submit_us == 0)
        pace->first_submit_us = sim->now_us;
    pace->last_submit_us = sim->now_us;
    uint64_t second = (sim->now_us - pace->first_submit_us) / US_PER_S;
    if (second < PACE_SECONDS)
        pace->by_second[second]++;
}

static void on_message(void *context, struct session *session, const struct pdu_header *header,
                       const struct sm_body *body)
{
    (void)session;
    struct peer *peer = context;
    struct sim *sim = peer->sim;
    struct carrier_submit submit = {
        .body = body, .session = peer->number, .unanswered = peer->unanswered++};
    struct carrier_outcome outcome;
    carrier_model_submit(sim->model, &submit, sim->now_us, &sim->rng, &outcome);
    note_pace(sim);
    enum fault shape = fault_submitted(peer, body, &outcome);
    if (outcome.answered)
        plan_answer(sim, peer, header, &outcome, shape);
    else
        peer->unanswered--; /* as the carrier sees it */
    plan_receipts(sim, peer, body, &outcome);
    if (outcome.reply.kind != REPLY_NONE)
        plan_reply(sim, peer, body, &outcome.reply);
}

static void note_answered(struct sim *sim, struct peer *peer, const struct item *item)
{
    if (item->kind == ITEM_RECEIPT) {
        sim->counts.receipts_answered++;
        sim->pace.last_receipt_us = sim->now_us;
        return;
    }
    sim->counts.replies_answered++;
    carrier_model_reply_answered(sim->model, item->deliver.reply, peer->number, sim->now_us);
    if (reply_is_stop(item->deliver.reply->kind) && sim->stop_latency_count < STOP_LATENCIES_MAX)
        sim->stop_latencies[sim->stop_latency_count++] =
            (uint32_t)(sim->now_us - item->deliver.sent_us);
}

static void on_request_ended(void *context, struct session *session, uint64_t cookie,
                             enum request_end end, uint32_t command_status, struct span message_id)
{
    (void)session;
    (void)message_id;
    struct peer *peer = context;
    struct sim *sim = peer->sim;
    uint32_t index = (uint32_t)cookie;
    bool again = end == REQUEST_TIMEOUT || end == REQUEST_LOST ||
                 (end == REQUEST_ANSWERED && carrier_model_redelivers(command_status));
    if (again) {
        sim->counts.redelivered++;
        schedule_add(&sim->schedule, index, sim->now_us + sim->options->redeliver_us);
        return;
    }
    struct item *item = schedule_item(&sim->schedule, index);
    bool taken = end == REQUEST_ANSWERED && command_status == ESME_ROK;
    if (taken && item->deliver.part + 1 < item->deliver.parts) {
        item->deliver.part++;
        make_ready(sim, index);
        return;
    }
    if (taken)
        note_answered(sim, peer, item);
    else
        sim->counts.delivers_refused++;
    if (taken && fault_delivers_again(sim, item))
        schedule_add(&sim->schedule, index, sim->now_us + sim->options->redeliver_us);
    else
        drop_item(sim, index);
}

static bool find_account(struct sim *sim, struct span system_id, uint16_t *ret_account)
{
    for (size_t i = 0; i < sim->account_count; i++) {
        if (span_equal(span_from_string(sim->accounts[i].system_id), system_id)) {
            *ret_account = (uint16_t)i;
            return true;
        }
    }
    struct account *account = &sim->accounts[sim->account_count];
    if (sim->account_count == ACCOUNTS_MAX || system_id.length >= sizeof account->system_id)
        return false;
    *account = (struct account){.ready = {.first = ITEM_NONE, .last = ITEM_NONE}};
    if (system_id.length > 0)
        memcpy(account->system_id, system_id.data, system_id.length);
    *ret_account = (uint16_t)sim->account_count++;
    return true;
}

static uint32_t on_authenticate(void *context, struct session *session, enum session_mode mode,
                                const struct bind_body *bind)
{
    (void)session;
    (void)mode;
    struct peer *peer = context;
    const struct sim_options *options = peer->sim->options;
    uint32_t status = ESME_ROK;
    if (options->system_id != NULL &&
        !span_equal(bind->system_id, span_from_string(options->system_id)))
        status = ESME_RINVSYSID;
    else if (options->password != NULL &&
             !span_equal(bind->password, span_from_string(options->password)))
        status = ESME_RINVPASWD;
    else if (!find_account(peer->sim, bind->system_id, &peer->account))
        status = ESME_RBINDFAIL;
    else
        status = fault_bind_status(peer);
    peer->sim->counts.binds_refused += status != ESME_ROK;
    return status;
}

/* Sessions of an account that are bound now. */
static uint64_t sim_bound(const struct sim *sim, uint16_t account)
{
    uint64_t count = 0;
    for (size_t i = 0; i < sim->active_count; i++) {
        const struct peer *peer = sim->active[i];
        count += peer->bound && !peer->ended && !peer->silent && peer->account == account;
    }
    return count;
}

static void on_bound(void *context, struct session *session)
{
    (void)session;
    struct peer *peer = context;
    peer->bound = true;
    peer->sim->counts.bound++;
    uint64_t bound = sim_bound(peer->sim, peer->account);
    if (bound > peer->sim->counts.most_bound)
        peer->sim->counts.most_bound = bound;
    fault_bound(peer);
}

static void on_session_closed(void *context, struct session *session, const char *why,
                              uint32_t command_status)
{
    (void)session;
    (void)command_status;
    struct peer *peer = context;
    peer->ended = true;
    fault_unbound(peer, why);
    if (peer->sim->log != NULL)
        sim_log_event(peer->sim->log, peer->sim->now_us, peer->number, "closed", why);
}

static const struct session_handlers session_handlers = {.bound = on_bound,
                                                         .authenticate = on_authenticate,
                                                         .request_ended = on_request_ended,
                                                         .message = on_message,
                                                         .closed = on_session_closed};

static void on_pdu(void *context, struct session *session, bool outgoing, struct span pdu)
{
    (void)session;
    struct peer *peer = context;
    if (outgoing && peer->sim->faults.any)
        return; /* fault_output() notes what is really written */
    struct sim *sim = peer->sim;
    if (sim->log != NULL)
        sim_log_pdu(sim->log, sim->now_us, peer->number, outgoing, pdu);
    if (sim->pcap != NULL && outgoing)
        sim_pcap_octets(sim->pcap, &peer->stream, sim->now_us, true, pdu);
}

/* Strangers ----------------------------------------------------------------------------------- */

/* Ten thousand connections that send next to nothing must not cost the others their turns. Where
 * faults are played each connection may have something to do at any time. */
static void add_peer(struct sim *sim, struct peer *peer)
{
    peer->stranger = !sim->faults.any;
    if (!peer->stranger) {
        sim->active[sim->active_count++] = peer;
        return;
    }
    peer->place = (uint32_t)sim->stranger_count;
    sim->strangers[sim->stranger_count++] = peer;
}

static void make_active(struct peer *peer)
{
    struct sim *sim = peer->sim;
    struct peer *last = sim->strangers[--sim->stranger_count];
    sim->strangers[peer->place] = last;
    last->place = peer->place;
    peer->stranger = false;
    sim->active[sim->active_count++] = peer;
}

/* After whatever may have changed a session. */
static void look_at(struct peer *peer)
{
    if (peer->stranger &&
        (peer->bound || peer->ended || buffer_length(session_output(peer->session)) > 0))
        make_active(peer);
}

static void make_all_active(struct sim *sim)
{
    while (sim->stranger_count > 0)
        make_active(sim->strangers[0]);
}

/* What a socket tells ------------------------------------------------------------------------- */

static void on_received(void *context, struct link *link, struct span octets)
{
    (void)link;
    struct peer *peer = context;
    sim_take_time(peer->sim);
    if (peer->sim->pcap != NULL)
        sim_pcap_octets(peer->sim->pcap, &peer->stream, peer->sim->now_us, false, octets);
    fault_receive(peer, octets);
    look_at(peer);
}

static void on_link_closed(void *context, struct link *link, const char *why)
{
    (void)link;
    struct peer *peer = context;
    sim_take_time(peer->sim);
    session_close(peer->session, why);
    look_at(peer);
}

static void on_writable(void *context, struct link *link)
{
    struct peer *peer = context;
    sim_take_time(peer->sim);
    peer->held = false;
    link_set_reading(link, !peer->silent);
    (void)session_tick(peer->session, peer->sim->now_us);
}

static const struct link_handlers link_handlers = {
    .received = on_received, .closed = on_link_closed, .writable = on_writable};

static struct session *make_session(struct sim *sim, struct peer *peer)
{
    const struct sim_options *options = sim->options;
    struct session_config config = {
        .role = SESSION_SERVER,
        .system_id = "smsc-sim",
        .window = (uint16_t)(sim->faults.on[FAULT_SEQUENCE_ZERO] ? 1 : options->deliver_window),
        .request_timeout_ms = (uint32_t)(options->deliver_timeout_us / US_PER_MS),
        .enquire_link_ms = (uint32_t)(options->enquire_link_us / US_PER_MS)};
    struct session *session = session_new(&config, &session_handlers, peer);
    if (sim->log != NULL || sim->pcap != NULL)
        session_set_tap(session, on_pdu);
    session_start(session, sim->now_us);
    return session;
}

static void on_accepted(void *context, struct link_listener *listener, struct link *link)
{
    (void)listener;
    struct sim *sim = context;
    sim_take_time(sim);
    if (sim->active_count + sim->stranger_count == PEERS_MAX) {
        link_free(link);
        return;
    }
    do
        sim->last_number++;
    while (sim->peers[sim->last_number % PEERS_MAX] != NULL);
    struct peer *peer = check_calloc(1, sizeof *peer);
    peer->sim = sim;
    peer->link = link;
    peer->number = sim->last_number;
    peer->session = make_session(sim, peer);
    sim->peers[peer->number % PEERS_MAX] = peer;
    add_peer(sim, peer);
    sim->counts.connected++;
    link_set_handlers(link, &link_handlers, peer);
    if (sim->log != NULL)
        sim_log_event(sim->log, sim->now_us, peer->number, "connected", "");
    if (sim->pcap != NULL)
        sim_pcap_begin(sim->pcap, &peer->stream, peer->number, sim->now_us);
    fault_connected(peer);
}

/* A turn -------------------------------------------------------------------------------------- */

static void write_receipt(const struct sim *sim, const struct item *item,
                          struct receipt_buffers *buffers, struct sm_out *message)
{
    struct receipt_facts facts = {.message_id = item->deliver.message_id,
                                  .submitted_wall_ms = item->deliver.submitted_wall_ms,
                                  .done_wall_ms = clock_wall_ms(),
                                  .id_spelling = sim->options->receipt_ids,
                                  .message_state = item->deliver.message_state,
                                  .form = item->deliver.form,
                                  .variant = item->deliver.variant};
    receipt_write(&facts, buffers, message);
}

static enum err send_item(struct sim *sim, struct peer *peer, uint32_t index)
{
    struct item *item = schedule_item(&sim->schedule, index);
    struct receipt_buffers receipt;
    struct reply_buffers reply;
    struct sm_out message = {.source = item->deliver.source,
                             .destination = item->deliver.destination};
    if (item->kind == ITEM_RECEIPT)
        write_receipt(sim, item, &receipt, &message);
    else
        fault_write_reply(sim, item, &reply, &message);
    item->deliver.sent_us = sim->now_us;
    size_t at = buffer_length(session_output(peer->session));
    enum err err = session_submit(peer->session, &message, index, sim->now_us);
    if (err == ERR_OK)
        fault_shape_deliver(peer, item, at);
    return err;
}

static void note_sent(struct sim *sim, uint32_t index)
{
    const struct item *item = schedule_item(&sim->schedule, index);
    if (item->kind == ITEM_RECEIPT) {
        sim->counts.receipts_sent++;
        return;
    }
    sim->counts.replies_sent++;
    carrier_model_reply_sent(sim->model, item->deliver.reply);
}

/* Gives deliver_sm to the account's sessions in turn until no window has room. */
static void pump(struct sim *sim, struct account *account)
{
    size_t full = 0;
    while (account->ready.count > 0 && full < sim->active_count) {
        struct peer *peer = sim->active[account->turn % sim->active_count];
        uint32_t index = account->ready.first;
        bool ours = !peer->ended && peer->bound && &sim->accounts[peer->account] == account;
        if (!ours || !session_may_submit(peer->session) ||
            !fault_allows(sim, peer, schedule_item(&sim->schedule, index))) {
            account->turn++;
            full++;
            continue;
        }
        enum err err = send_item(sim, peer, index);
        if (err == ERR_FULL) {
            account->turn++;
            full++;
            continue;
        }
        item_list_pop(&sim->schedule, &account->ready);
        full = 0;
        if (err == ERR_OK) {
            note_sent(sim, index);
        } else {
            sim->counts.delivers_refused++;
            drop_item(sim, index);
        }
    }
}

static void flush(struct peer *peer)
{
    struct buffer *output =
        peer->sim->faults.any ? fault_output(peer) : session_output(peer->session);
    if (peer->link == NULL || buffer_length(output) == 0)
        return; /* cut, or nothing to say */
    link_flush(peer->link, output);
    if (!peer->held && buffer_length(output) > OUTPUT_HIGH) {
        peer->held = true;
        link_set_reading(peer->link, false);
    }
}

static void free_peer(struct sim *sim, struct peer *peer)
{
    sim->peers[peer->number % PEERS_MAX] = NULL;
    link_free(peer->link);
    session_free(peer->session);
    buffer_release(&peer->received);
    buffer_release(&peer->bent);
    buffer_release(&peer->paced);
    free(peer);
}

static void flush_and_reap(struct sim *sim)
{
    size_t kept = 0;
    for (size_t i = 0; i < sim->active_count; i++) {
        struct peer *peer = sim->active[i];
        fault_end_turn(peer);
        flush(peer);
        if (peer->ended && !fault_holds(peer))
            free_peer(sim, peer);
        else
            sim->active[kept++] = peer;
    }
    sim->active_count = kept;
}

static void tick_sessions(struct sim *sim)
{
    if (sim->now_us < sim->next_tick_us)
        return;
    sim->next_tick_us = sim->now_us + TICK_US;
    for (size_t i = 0; i < sim->active_count; i++)
        if (!sim->active[i]->ended)
            (void)session_tick(sim->active[i]->session, sim->now_us);
    for (size_t i = sim->stranger_count; i-- > 0;) {
        struct peer *peer = sim->strangers[i];
        (void)session_tick(peer->session, sim->now_us);
        look_at(peer);
    }
}

uint64_t sim_end_turn(struct sim *sim)
{
    sim_take_time(sim);
    tick_sessions(sim);
    schedule_advance(&sim->schedule, sim->now_us, on_due, sim);
    for (size_t i = 0; i < sim->account_count; i++)
        pump(sim, &sim->accounts[i]);
    flush_and_reap(sim);
    uint64_t next = schedule_next(&sim->schedule, TICK_US);
    for (size_t i = 0; i < sim->active_count; i++)
        if (fault_next_us(sim->active[i]) < next)
            next = fault_next_us(sim->active[i]);
    uint64_t beat_us = sim->now_us + STILLNESS_BEAT_US;
    return next < beat_us ? next : beat_us;
}

void sim_drop_all(struct sim *sim)
{
    sim_take_time(sim);
    make_all_active(sim);
    for (size_t i = 0; i < sim->active_count; i++) {
        struct peer *peer = sim->active[i];
        if (peer->ended)
            continue;
        sim->counts.dropped++;
        session_close(peer->session, "dropped");
        link_free(peer->link);
        peer->link = NULL;
    }
}

/* Life ---------------------------------------------------------------------------------------- */

static bool read_subscribers(struct sim *sim, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256];
    unsigned row = 0;
    const char *why = NULL;
    if (file == NULL) {
        fprintf(stderr, "smsc-sim: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    while (why == NULL && fgets(line, sizeof line, file) != NULL) {
        uint64_t number = 0;
        struct subscriber subscriber;
        row++;
        if (subscriber_parse(line, &number, &subscriber, &why) && number != 0)
            carrier_model_set_subscriber(sim->model, number, &subscriber);
    }
    fclose(file);
    if (why != NULL)
        fprintf(stderr, "smsc-sim: %s:%u: %s\n", path, row, why);
    return why == NULL;
}

static bool write_port(const struct sim *sim)
{
    const char *path = sim->options->port_file;
    if (path == NULL)
        return true;
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    bool ok = file != NULL && fprintf(file, "%d\n", link_listener_port(sim->listener)) > 0;
    if (file != NULL)
        ok = fclose(file) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return true;
    fprintf(stderr, "smsc-sim: cannot write %s: %s\n", path, strerror(errno));
    return false;
}

static void put_path(char out[TLS_PATH_MAX], const char *path)
{
    snprintf(out, TLS_PATH_MAX, "%s", path ? path : "");
}

static bool make_tls(struct sim *sim)
{
    struct tls_settings settings = {.name = ""};
    struct tls_fault fault;
    put_path(settings.cert_file, sim->options->tls_cert);
    put_path(settings.key_file, sim->options->tls_key);
    put_path(settings.ca_file, sim->options->tls_client_ca);
    sim->tls = tls_context_new(TLS_SERVER, &settings, &fault);
    if (sim->tls == NULL)
        fprintf(stderr, "smsc-sim: %s %s; see --tls-cert, --tls-key and --tls-client-ca\n",
                fault.setting, fault.what);
    return sim->tls != NULL;
}

static bool start(struct sim *sim)
{
    const struct sim_options *options = sim->options;
    const char *why = NULL;
    if (strcmp(options->subscribers, "hash") != 0 && strcmp(options->subscribers, "none") != 0 &&
        !read_subscribers(sim, options->subscribers))
        return false;
    if (options->log != NULL) {
        sim->log = sim_log_open(options->log, options->log_format == 1, options->carrier.alphabet);
        if (sim->log == NULL) {
            fprintf(stderr, "smsc-sim: cannot write %s: %s\n", options->log, strerror(errno));
            return false;
        }
    }
    if (options->pcap != NULL) {
        sim->pcap = sim_pcap_open(options->pcap);
        if (sim->pcap == NULL) {
            fprintf(stderr, "smsc-sim: cannot write %s: %s\n", options->pcap, strerror(errno));
            return false;
        }
    }
    if (strncmp(options->listen, "tls://", 6) == 0 && !make_tls(sim))
        return false;
    sim->listener = link_listen_tls(sim->base, options->listen, sim->tls, on_accepted, sim, &why);
    if (sim->listener == NULL) {
        fprintf(stderr, "smsc-sim: cannot listen on %s: %s\n", options->listen, why);
        return false;
    }
    return write_port(sim);
}

struct sim *sim_new(const struct sim_options *options, struct event_base *base)
{
    struct sim *sim = check_calloc(1, sizeof *sim);
    sim->options = options;
    sim->base = base;
    sim->model = carrier_model_new(&options->carrier);
    sim->rng.state = options->seed;
    sim->faults = options->faults;
    sim->stop_latencies = check_malloc(STOP_LATENCIES_MAX * sizeof *sim->stop_latencies);
    sim_take_time(sim);
    sim->started_us = sim->now_us;
    schedule_init(&sim->schedule, sim->now_us);
    sim->hold = (struct sim_hold){.most = options->hold_receipts, .order = options->held_order};
    if (start(sim))
        return sim;
    sim_free(sim);
    return NULL;
}

static void free_replies(struct sim *sim)
{
    for (size_t i = 0; i < sim->account_count; i++) {
        uint32_t index;
        while ((index = item_list_pop(&sim->schedule, &sim->accounts[i].ready)) != ITEM_NONE)
            drop_item(sim, index);
    }
    for (size_t i = 0; i < SCHEDULE_SLOTS; i++) {
        uint32_t index;
        while ((index = item_list_pop(&sim->schedule, &sim->schedule.slots[i])) != ITEM_NONE)
            drop_item(sim, index);
    }
}

void sim_free(struct sim *sim)
{
    make_all_active(sim);
    for (size_t i = 0; i < sim->active_count; i++) {
        session_close(sim->active[i]->session, "shutdown");
        free_peer(sim, sim->active[i]);
    }
    free_replies(sim);
    link_listener_free(sim->listener);
    tls_context_free(sim->tls);
    sim_log_close(sim->log);
    sim_pcap_close(sim->pcap);
    carrier_model_free(sim->model);
    sim_hold_release(&sim->hold);
    schedule_release(&sim->schedule);
    free(sim->stop_latencies);
    free(sim);
}

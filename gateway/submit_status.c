/* SPDX-License-Identifier: Apache-2.0 */
/* Status: the engine's state and counters as one reply. */
#include "gateway/submit_connection.h"

#define COUNTERS_MAX 512

struct counters {
    struct arena *arena;
    Assent__V1__Counter **list;
    size_t count, room;
};

static void add_counter(void *context, const char *name, uint64_t value)
{
    struct counters *counters = context;
    Assent__V1__Counter *counter = arena_alloc(counters->arena, sizeof *counter);
    size_t length = strlen(name) + 1;
    char *copy = arena_alloc(counters->arena, length);
    if (counter == NULL || copy == NULL || counters->count == counters->room)
        return;
    memcpy(copy, name, length);
    assent__v1__counter__init(counter);
    counter->name = copy;
    counter->value = value;
    counters->list[counters->count++] = counter;
}

/* What one carrier's part of the reply points to. */
struct carrier_parts {
    char *reasons[PAUSE_REASONS];
    uint64_t waiting[CLASS_COUNT];
    Assent__V1__Counter counters[FAILOVER_REASONS], *failed_over[FAILOVER_REASONS];
};

static void fill_failover(Assent__V1__CarrierStatus *out, const struct carrier_status *status,
                          struct carrier_parts *parts)
{
    out->passed_over = status->passed_over;
    out->failed_over = parts->failed_over;
    for (unsigned reason = 0; reason < FAILOVER_REASONS; reason++) {
        if (status->failed_over[reason] == 0)
            continue;
        Assent__V1__Counter *counter = &parts->counters[out->n_failed_over];
        assent__v1__counter__init(counter);
        counter->name = (char *)(uintptr_t)failover_name(reason);
        counter->value = status->failed_over[reason];
        parts->failed_over[out->n_failed_over++] = counter;
    }
}

static void fill_carrier(Assent__V1__CarrierStatus *out, const struct carrier_status *status,
                         struct carrier_parts *parts)
{
    assent__v1__carrier_status__init(out);
    out->name = (char *)status->name;
    out->sessions_bound = status->sessions_bound;
    out->sessions = status->sessions;
    out->rate = status->rate;
    out->sent_last_second = status->sent_last_second;
    out->rate_now = status->rate_now;
    out->window_now = status->window_now;
    out->window_used = status->window_used;
    out->window = status->window;
    out->awaiting_receipt = status->awaiting_receipt;
    out->why = (char *)(uintptr_t)status->why;
    out->receipt_hint = (char *)(uintptr_t)status->receipt_hint;
    memcpy(parts->waiting, status->waiting, sizeof status->waiting);
    out->waiting = parts->waiting;
    out->n_waiting = CLASS_COUNT;
    out->paused = parts->reasons;
    for (unsigned bit = 0; bit < PAUSE_REASONS; bit++)
        if (status->paused & 1u << bit)
            parts->reasons[out->n_paused++] = (char *)pause_name(bit);
    fill_failover(out, status, parts);
}

static void fill_status(const struct submit_server *server, struct instant now,
                        Assent__V1__StatusReply *reply)
{
    struct engine_status status;
    engine_status(server->engine, &status);
    reply->node = (char *)server->config->node;
    reply->version = (char *)ASSENT_VERSION;
    reply->uptime_ms = (now.mono_us - server->started_us) / US_PER_MS;
    reply->next_sequence = server->next;
    reply->durable_sequence = server->durable;
    reply->gate_open = status.gate_open;
    reply->gate_why = (char *)status.gate_why;
    reply->open_messages = status.open_messages;
    reply->scheduled = status.scheduled;
    reply->quiet = status.quiet;
    reply->memory_octets = status.memory_octets;
    reply->draining = status.draining;
    reply->erasures = status.erasures;
    reply->erasure_phase = (char *)(uintptr_t)status.erasure_phase;
    struct complaint_status complaints;
    engine_complaints(server->engine, now.wall_ms, &complaints);
    reply->complaints_open = complaints.open;
    reply->complaints_overdue = complaints.overdue;
}

struct reputations {
    struct reputation_shown shown[REPUTATION_SERIES_MAX];
    Assent__V1__SenderReputation *list[REPUTATION_SERIES_MAX];
};

/* Those that are paused. */
static void fill_reputations(const struct submit_server *server, struct instant now,
                             struct reputations *room, Assent__V1__StatusReply *reply)
{
    size_t count = 0;
    for (unsigned i = 0;
         count < REPUTATION_SERIES_MAX &&
         engine_reputation(server->engine, i, now.wall_ms, &room->shown[count].status);
         i++) {
        if (!room->shown[count].status.paused)
            continue;
        reputation_show(&room->shown[count]);
        room->list[count] = &room->shown[count].row;
        count++;
    }
    reply->paused_senders = room->list;
    reply->n_paused_senders = count;
}

void status_answer(struct connection *connection, uint64_t call, struct instant now)
{
    struct submit_server *server = connection->server;
    Assent__V1__StatusReply reply = ASSENT__V1__STATUS_REPLY__INIT;
    fill_status(server, now, &reply);
    struct reputations reputations;
    fill_reputations(server, now, &reputations, &reply);

    Assent__V1__CarrierStatus carriers[CARRIERS_MAX], *pointers[CARRIERS_MAX];
    struct carrier_parts parts[CARRIERS_MAX];
    for (uint16_t i = 0; i < server->config->carrier_count; i++) {
        struct carrier_status status;
        engine_carrier_status(server->engine, i, now, &status);
        fill_carrier(&carriers[i], &status, &parts[i]);
        pointers[i] = &carriers[i];
    }
    reply.n_carriers = server->config->carrier_count;
    reply.carriers = pointers;

    Assent__V1__Counter *list[COUNTERS_MAX];
    struct counters counters = {.arena = &server->arena, .list = list, .room = COUNTERS_MAX};
    metrics_each(engine_metrics(server->engine), add_counter, &counters);
    reply.n_counters = counters.count;
    reply.counters = list;

    Assent__V1__Frame answer = ASSENT__V1__FRAME__INIT;
    answer.call = call;
    answer.body_case = ASSENT__V1__FRAME__BODY_STATUS_REPLY;
    answer.status_reply = &reply;
    connection_answer(connection, &answer, 0);
}

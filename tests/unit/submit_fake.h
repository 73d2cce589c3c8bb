/* SPDX-License-Identifier: Apache-2.0 */
/* An engine and a ledger that do as they are told, for tests of the submission server alone: a
 * test sees exactly when an answer becomes durable and what the server asked of the engine. Included
 * by one file of a program, which must not link the real engine. */
#ifndef TESTS_UNIT_SUBMIT_FAKE_H
#define TESTS_UNIT_SUBMIT_FAKE_H

#include <stdio.h>
#include <string.h>

#include "consent/ledger.h"
#include "gateway/submit_server.h"

#define FAKE_RECORDS 64
#define FAKE_CALLS   512

static struct {
    uint64_t next, durable;
    bool refuses;
    unsigned submitted, cancelled;
    uint16_t last_client;
    char order[4096]; /* first letter of each submitted text, in order */
    uint64_t calls[FAKE_CALLS];
    unsigned call_count;
    uint64_t preflights[PREFLIGHTS_MAX];
    size_t preflight_count, preflight_messages;
    uint8_t events[FAKE_RECORDS][64], personal[64];
    size_t event_lengths[FAKE_RECORDS], personal_length;
    struct metrics metrics;
} fake;

void engine_submit(struct engine *engine, uint16_t client, const Assent__V1__Message *message,
                   bool dry_run, struct instant now, struct submit_verdict *ret_verdict)
{
    (void)engine, (void)now;
    fake.last_client = client;
    if (fake.submitted < sizeof fake.order - 1)
        fake.order[fake.submitted] = message->text[0];
    fake.submitted++;
    *ret_verdict = (struct submit_verdict){.parts = 1};
    if (dry_run)
        return;
    ret_verdict->id = fake.next;
    ret_verdict->ready_at = fake.next++;
}

void engine_cancel(struct engine *engine, uint16_t client, uint64_t id, struct instant now,
                   struct submit_verdict *ret_verdict)
{
    (void)engine, (void)client, (void)now;
    fake.cancelled++;
    *ret_verdict = (struct submit_verdict){.code = id == 1 ? ASSENT__V1__CODE__CODE_OK
                                                           : ASSENT__V1__CODE__CODE_NOT_FOUND};
}

bool engine_preflight(struct engine *engine, uint16_t client, uint64_t call,
                      const Assent__V1__PreflightRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)now;
    if (fake.preflight_count == PREFLIGHTS_MAX)
        return false;
    fake.preflight_messages = request->n_messages;
    fake.preflights[fake.preflight_count++] = call;
    return true;
}

bool engine_query(struct engine *engine, uint16_t client, uint64_t id,
                  Assent__V1__MessageStatus *ret_status)
{
    (void)engine, (void)client;
    ret_status->state = (char *)"waiting";
    return id == 1;
}

bool engine_consent_busy(const struct engine *engine)
{
    (void)engine;
    return false;
}

bool engine_refuses(const struct engine *engine, const char **ret_why)
{
    (void)engine;
    *ret_why = "disk full";
    return fake.refuses;
}

static void remember(uint64_t call)
{
    if (fake.call_count < FAKE_CALLS)
        fake.calls[fake.call_count++] = call;
}

void engine_request_opt_in(struct engine *engine, uint16_t client, uint64_t call,
                           const Assent__V1__OptInRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

void engine_confirm_opt_in(struct engine *engine, uint16_t client, uint64_t call,
                           const Assent__V1__ConfirmRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

void engine_record_opt_in(struct engine *engine, uint16_t client, uint64_t call,
                          const Assent__V1__RecordRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

void engine_erase(struct engine *engine, uint16_t client, uint64_t call,
                  const Assent__V1__EraseRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)call, (void)request, (void)now;
}

void engine_forget_node(struct engine *engine, uint16_t client, uint64_t call, const char *name,
                        struct instant now)
{
    (void)engine, (void)client, (void)name, (void)now;
    remember(call);
}

bool engine_import(struct engine *engine, uint16_t client, const Assent__V1__ImportRequest *request,
                   struct instant now, struct arena *arena, Assent__V1__ImportReply *ret_reply,
                   uint64_t *ret_ready_at)
{
    (void)engine, (void)client, (void)now, (void)arena;
    ret_reply->import = 7;
    ret_reply->next_row = request->first_row + request->n_numbers;
    *ret_ready_at = fake.next++;
    return true;
}

void engine_opt_out(struct engine *engine, uint16_t client, uint64_t call,
                    const Assent__V1__OptOutRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

void engine_release_hold(struct engine *engine, uint16_t client, uint64_t call,
                         const Assent__V1__ReleaseRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

void engine_complain(struct engine *engine, uint16_t client, uint64_t call,
                     const Assent__V1__ComplaintRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

void engine_complaints(const struct engine *engine, uint64_t wall_ms,
                       struct complaint_status *ret_status)
{
    (void)engine, (void)wall_ms;
    *ret_status = (struct complaint_status){.open = 3, .overdue = 1};
}

void engine_reputation_call(struct engine *engine, uint16_t client, uint64_t call,
                            const Assent__V1__ReputationRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

bool engine_reputation(const struct engine *engine, unsigned index, uint64_t wall_ms,
                       struct reputation_status *ret_status)
{
    (void)engine, (void)wall_ms;
    *ret_status = (struct reputation_status){
        .sender = "12025550100", .carrier = "alpha", .paused = true, .rate = 3, .window = 1};
    return index == 0;
}

void engine_show_consent(struct engine *engine, uint16_t client, uint64_t call,
                         const Assent__V1__ShowRequest *request, struct instant now)
{
    (void)engine, (void)client, (void)request, (void)now;
    remember(call);
}

int engine_program_of_scope(const struct engine *engine, uint32_t scope)
{
    (void)engine;
    return scope == 10 ? 0 : scope == 11 ? 1 : -1;
}

const struct metrics *engine_metrics(const struct engine *engine)
{
    (void)engine;
    return &fake.metrics;
}

void engine_status(const struct engine *engine, struct engine_status *ret_status)
{
    (void)engine;
    *ret_status = (struct engine_status){.gate_why = "", .gate_open = true, .open_messages = 5};
}

void engine_carrier_status(const struct engine *engine, uint16_t carrier, struct instant now,
                           struct carrier_status *ret_status)
{
    (void)engine, (void)carrier, (void)now;
    *ret_status = (struct carrier_status){
        .name = "alpha", .rate = 500, .paused = PAUSE_RATE | PAUSE_LINK_DOWN};
}

const char *pause_name(unsigned bit)
{
    static const char *const names[] = {"link_down", "throttled", "gate_away", "ledger",
                                        "rate",      "window",    "draining"};
    return names[bit];
}

const char *failover_name(unsigned reason)
{
    (void)reason;
    return "down";
}

/* The ledger's reader over fake.events; record n is at index n - 1. */
struct ledger_reader {
    uint64_t next;
};
static struct ledger_reader fake_readers[8];
static unsigned fake_reader_count;

enum err ledger_reader_open(const char *directory, uint64_t from, struct ledger_reader **ret_reader,
                            const char **ret_why)
{
    (void)directory, (void)ret_why;
    *ret_reader = &fake_readers[fake_reader_count++ % 8];
    (*ret_reader)->next = from;
    return ERR_OK;
}

enum err ledger_reader_next(struct ledger_reader *reader, uint64_t until,
                            struct ledger_record *ret_record)
{
    if (reader->next >= until)
        return ERR_AGAIN;
    size_t i = (reader->next - 1) % FAKE_RECORDS;
    *ret_record = (struct ledger_record){
        .sequence = reader->next++,
        .public_part = span_of(fake.events[i], fake.event_lengths[i]),
        .personal_part = span_of(fake.personal, fake.personal_length),
    };
    return ERR_OK;
}

uint64_t ledger_reader_at(const struct ledger_reader *reader)
{
    return reader->next;
}

const char *ledger_reader_why(const struct ledger_reader *reader)
{
    (void)reader;
    return "";
}

void ledger_reader_free(struct ledger_reader *reader)
{
    (void)reader;
}

/* Of each program in turn an attempt, held, an attempt, ... */
static inline void fake_events(const uint32_t *programs, size_t count)
{
    Assent__V1__Attempt attempt = ASSENT__V1__ATTEMPT__INIT;
    Assent__V1__Held held = ASSENT__V1__HELD__INIT;
    for (size_t i = 0; i < count && i < FAKE_RECORDS; i++) {
        Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
        event.wall_ms = 1790000000000;
        event.program = programs[i];
        event.body_case = i % 2 ? ASSENT__V1__EVENT__BODY_HELD : ASSENT__V1__EVENT__BODY_ATTEMPT;
        if (i % 2)
            event.held = &held;
        else
            event.attempt = &attempt;
        fake.event_lengths[i] = assent__v1__event__pack(&event, fake.events[i]);
    }
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    personal.number = 12025550100;
    fake.personal_length = assent__v1__personal__pack(&personal, fake.personal);
}

#endif

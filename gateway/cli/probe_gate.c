/* SPDX-License-Identifier: Apache-2.0 */
/* "May I?" for one number and every scope that the configuration knows. Redis answers; this node's
 * ledger says whether Redis has everything: an opt-out that it lacks refuses whoever it is about. */
#include <stdlib.h>

#include "consent/gate.h"
#include "consent/store.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/person_key.h"
#include "gateway/cli/probe.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"

#define SCOPES_ALWAYS 3

struct probe_gate {
    struct store *store;
    const struct config *config;
    uint64_t number;
    enum gate_state state;
    uint16_t *scopes; /* [0] is "everything", [1] what nobody but an operator lifts,
                        [2] "everything" of who has been erased */
    size_t scope_count, resolved;
    size_t waiting; /* checks without an answer */
    uint64_t asked_us;
    bool unknown; /* a check was not answered */
    bool asking_scope;
    char why[300];
};

static void refuse(struct probe_gate *gate, const char *why)
{
    if (gate->state != GATE_REFUSED)
        snprintf(gate->why, sizeof gate->why, "%s", why);
    gate->state = GATE_REFUSED;
}

/* The ledger ---------------------------------------------------------------------------------- */

static bool is_opt_out(struct arena *arena, const struct ledger_record *record)
{
    const Assent__V1__Event *event = record_unpack(arena, record, NULL);
    /* What cannot be read may be one. */
    return event == NULL || event->body_case == ASSENT__V1__EVENT__BODY_OPTED_OUT;
}

/* Are there opt-outs behind position `applied`? */
static bool find_opt_out(struct probe_gate *gate, struct ledger_reader *reader)
{
    struct ledger_record record;
    struct arena arena;
    bool found = false;
    enum err err = ERR_OK;
    arena_init(&arena, RECORD_ARENA_MAX);
    while (!found && (err = ledger_reader_next(reader, UINT64_MAX, &record)) == ERR_OK)
        found = is_opt_out(&arena, &record);
    arena_release(&arena);
    if (found)
        refuse(gate, "Redis lacks opt-outs that the ledger has; let the gateway catch it up first");
    else if (err != ERR_AGAIN)
        refuse(gate, ledger_reader_why(reader));
    return gate->state == GATE_REFUSED;
}

static void compare_ledger(struct probe_gate *gate, uint64_t applied)
{
    struct ledger_reader *reader;
    const char *why = "";
    enum err err = ledger_reader_open(gate->config->data_dir, applied + 1, &reader, &why);
    if (err == ERR_NOT_FOUND)
        return; /* no gateway has run here yet */
    if (err != ERR_OK) {
        refuse(gate, why);
        return;
    }
    (void)find_opt_out(gate, reader);
    ledger_reader_free(reader);
}

/* Redis --------------------------------------------------------------------------------------- */

static void on_up(void *context, uint64_t applied)
{
    struct probe_gate *gate = context;
    gate->resolved = 0;
    gate->asking_scope = false;
    compare_ledger(gate, applied);
}

static void on_down(void *context, const char *why)
{
    struct probe_gate *gate = context;
    if (gate->state == GATE_ASKED)
        refuse(gate, why);
    else if (gate->state != GATE_REFUSED)
        gate->state = GATE_CONNECTING;
    snprintf(gate->why, sizeof gate->why, "%s", why);
}

static void on_checked(void *context, const struct check_result *results, size_t count)
{
    struct probe_gate *gate = context;
    gate->waiting -= count;
    for (size_t i = 0; i < count; i++) {
        if (results[i].denied != 0)
            refuse(gate, "the number is opted out");
        else if (!results[i].known)
            gate->unknown = true;
    }
}

static void on_scope_resolved(void *context, uint64_t cookie, uint16_t number)
{
    struct probe_gate *gate = context;
    gate->asking_scope = false;
    if (number == 0 || cookie != gate->resolved)
        return;
    gate->scopes[SCOPES_ALWAYS + cookie] = number;
    gate->resolved++;
}

/* Nothing is written or looked up. */
static void on_written(void *context, uint64_t sequence, bool added)
{
    (void)context;
    (void)sequence;
    (void)added;
}

static void on_looked_up(void *context, uint64_t cookie, bool ok, const struct consent_state *state)
{
    (void)context;
    (void)cookie;
    (void)ok;
    (void)state;
}

static const struct store_handlers handlers = {.up = on_up,
                                               .down = on_down,
                                               .checked = on_checked,
                                               .written = on_written,
                                               .looked_up = on_looked_up,
                                               .scope_resolved = on_scope_resolved};

/* The turn ------------------------------------------------------------------------------------ */

static void resolve_next(struct probe_gate *gate)
{
    char name[NAME_OCTETS_MAX + 16];
    const struct program_config *program = &gate->config->programs[gate->resolved / 2];
    if (gate->asking_scope)
        return;
    if (gate->resolved % 2 == 0)
        snprintf(name, sizeof name, "program:%s", program->name);
    else
        snprintf(name, sizeof name, "brand:%s", program->brand);
    gate->asking_scope = store_resolve_scope(gate->store, gate->resolved, name);
}

static void connect_on(struct probe_gate *gate)
{
    if (!store_is_up(gate->store))
        return;
    if (gate->resolved < gate->scope_count - SCOPES_ALWAYS)
        resolve_next(gate);
    else
        gate->state = GATE_READY;
}

void probe_gate_ask(struct probe_gate *gate)
{
    CHECK(gate->state == GATE_READY && gate->waiting == 0);
    gate->state = GATE_ASKED;
    gate->asked_us = clock_mono_us();
    gate->unknown = false;
    for (size_t at = 0; at < gate->scope_count; at += CHECK_SCOPES_MAX) {
        struct check check = {.cookie = at, .number = gate->number};
        while (check.scope_count < CHECK_SCOPES_MAX && at + check.scope_count < gate->scope_count) {
            check.scopes[check.scope_count] = gate->scopes[at + check.scope_count];
            check.scope_count++;
        }
        if (store_check(gate->store, &check))
            gate->waiting++;
        else
            gate->unknown = true;
    }
}

static bool is_too_old(const struct probe_gate *gate)
{
    return clock_mono_us() - gate->asked_us > VERDICT_AGE_MAX_MS * US_PER_MS;
}

static void take_verdict(struct probe_gate *gate)
{
    if (gate->waiting > 0)
        return;
    if (gate->unknown)
        refuse(gate, "Redis did not answer as it should");
    else
        gate->state = GATE_PASSED;
}

bool probe_gate_take(struct probe_gate *gate)
{
    CHECK(gate->state == GATE_PASSED);
    gate->state = GATE_READY;
    return !is_too_old(gate);
}

enum gate_state probe_gate_turn(struct probe_gate *gate)
{
    if (gate->state == GATE_CONNECTING)
        connect_on(gate);
    if (gate->state == GATE_ASKED)
        take_verdict(gate);
    if (gate->state == GATE_PASSED && is_too_old(gate))
        gate->state = GATE_READY;
    store_flush(gate->store);
    return gate->state;
}

const char *probe_gate_why(const struct probe_gate *gate)
{
    return gate->why;
}

size_t probe_gate_scopes(const struct probe_gate *gate)
{
    return gate->scope_count;
}

struct probe_gate *probe_gate_new(struct event_base *base, const struct config *config,
                                  uint64_t number)
{
    struct store_config store = {
        .url = config->redis_url,
        .password = config->redis_password[0] != '\0' ? config->redis_password : NULL,
        .node = config->node,
        .buckets = config->redis_buckets};
    if (!person_key_read(config->data_dir))
        return NULL;
    struct probe_gate *gate = check_calloc(1, sizeof *gate);
    gate->config = config;
    gate->number = number;
    gate->scope_count = SCOPES_ALWAYS + 2 * (size_t)config->program_count;
    gate->scopes = check_calloc(gate->scope_count, sizeof *gate->scopes);
    gate->scopes[0] = SCOPE_EVERYTHING;
    gate->scopes[1] = SCOPE_HOLD;
    gate->scopes[2] = SCOPE_ERASED;
    snprintf(gate->why, sizeof gate->why, "no answer from %s", config->redis_url);
    gate->store = store_new(base, &store, &handlers, gate);
    if (gate->store != NULL)
        return gate;
    complain("%s cannot be used as Redis's address", config->redis_url);
    probe_gate_free(gate);
    return NULL;
}

void probe_gate_free(struct probe_gate *gate)
{
    if (gate == NULL)
        return;
    store_free(gate->store);
    free(gate->scopes);
    free(gate);
}
